/* SPDX-License-Identifier: MIT */
/*
 * Threads of vCPU 0: preemptive, round robin in slices of 10 ms, each with its own stack above an unmapped
 * guard. When no thread can run the vCPU blocks; there is no periodic tick.
 *
 * What "masked" means here: the vCPU's event mask is the one lock below everything. Code with events masked is
 * not preempted and no handler runs. A function that may block masks events itself and gives back the mask as
 * it found it; while it is blocked other threads run with their own.
 *
 * Event handlers may call wake_one, wake_all and thread_self, and nothing else of this header.
 */
#ifndef GUEST_THREAD_H
#define GUEST_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <guest/event.h>

struct thread;

/* A place in a circular list; the list's head is one too. */
struct thread_link {
	struct thread_link *next, *prev;
};

/* Start threading: the caller becomes the first thread. Once, before anything below but mutexes. 0 or an errno. */
long threads_init(const char *name);

/*
 * Start a thread in function(argument); it ends when that returns. It is a resource until it is joined or
 * detached. NULL without memory. The name is cut to THREAD_NAME - 1 characters.
 */
struct thread *thread_create(const char *name, void (*function)(void *argument), void *argument);
_Noreturn void thread_exit(void);
/* Wait for its end and free it. One caller only, and not for a detached thread. */
void thread_join(struct thread *thread);
/* Let it be freed by itself when it ends. */
void thread_detach(struct thread *thread);

struct thread *thread_self(void);
void thread_yield(void);
/* Nanoseconds for which a thread runs while others are ready; tests shorten it to be preempted everywhere. */
extern uint64_t thread_slice;
/* Sleep until a system time (clock_now), or for a time. */
void thread_sleep_until(uint64_t deadline);
void thread_sleep(uint64_t nanoseconds);

/* Wait queues: threads in the order in which they came. */
struct wait_queue {
	struct thread_link waiters; /* zeroed: empty too */
};

/*
 * Sleep on a queue until woken, or until a system time (0: for ever). Call with events masked, after looking
 * for work and finding none, and look again after: then no wake-up is lost. False when time ran out.
 */
bool wait_on(struct wait_queue *queue, uint64_t deadline);
/* Returns whether there was one. */
bool wake_one(struct wait_queue *queue);
void wake_all(struct wait_queue *queue);

/* Mutexes: not recursive; handed to waiters in the order in which they came. Zeroed: free. */
struct mutex {
	struct thread *owner;
	struct wait_queue queue;
};

void mutex_lock(struct mutex *mutex);
bool mutex_try_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
bool mutex_is_mine(const struct mutex *mutex);

/*
 * Condition variables are wait queues: unlock the mutex and sleep, without a gap between the two; lock it again
 * before returning. False when time ran out. Signal with wake_one or wake_all.
 */
bool condition_wait(struct wait_queue *queue, struct mutex *mutex, uint64_t deadline);

/* What there is to tell about each thread. */
#define THREAD_NAME 16

struct thread_info {
	unsigned int id;
	char name[THREAD_NAME];
	enum { THREAD_RUNNING, THREAD_READY, THREAD_WAITING, THREAD_SLEEPING, THREAD_ENDED } state;
	uint64_t run_time;	       /* nanoseconds on the CPU */
	uint64_t switches;	       /* how often it was given the CPU */
	size_t stack_size, stack_used; /* at most so far, in bytes */
};

/* Fill in up to count of them; returns how many there are. */
unsigned int threads_describe(struct thread_info *threads, unsigned int count);
/* Nanoseconds for which no thread could run. */
uint64_t threads_idle_time(void);

/*
 * Memory that every thread has for itself, for a C library. Set before threads_init; size bytes, zeroed, are
 * part of each thread but the first, which has NULL.
 */
struct thread_local_memory {
	size_t size;
	void (*create)(void *memory); /* in the creating thread */
	void (*activate)(
	    void *memory); /* its thread is about to run; events masked, must not block */
	void (*destroy)(void *memory); /* in the ending thread, which has the first one's by then */
};
extern const struct thread_local_memory *thread_local_memory;

#endif
