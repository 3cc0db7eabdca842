/* SPDX-License-Identifier: MIT */
/*
 * The runtime's threads, for sources of pv-drivers that are tested on the host. There is one thread; where it would
 * sleep, host_wait is called, which is the rest of the world.
 */
#ifndef FAKE_GUEST_THREAD_H
#define FAKE_GUEST_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <guest/event.h>

struct thread;

struct wait_queue {
	unsigned int woken;
};

struct mutex {
	bool locked;
};

/* Does something that may have ended the wait: false if there is nothing left, time passes. */
extern bool (*host_wait)(void);

static inline void mutex_lock(struct mutex *mutex)
{
	if (mutex->locked)
		abort();
	mutex->locked = true;
}

static inline void mutex_unlock(struct mutex *mutex)
{
	if (!mutex->locked)
		abort();
	mutex->locked = false;
}

static inline bool mutex_is_mine(const struct mutex *mutex)
{
	return mutex->locked;
}

static inline bool condition_wait(struct wait_queue *queue, struct mutex *mutex, uint64_t deadline)
{
	bool progress;

	(void)queue;
	mutex_unlock(mutex);
	progress = host_wait();
	mutex_lock(mutex);
	/* A wait that only a deadline could end, without one. */
	if (!progress && !deadline)
		abort();
	return progress;
}

static inline bool wait_on(struct wait_queue *queue, uint64_t deadline)
{
	bool progress = host_wait();

	(void)queue;
	if (!progress && !deadline)
		abort();
	return progress;
}

/* The test's own: time passes there. */
void thread_sleep(uint64_t nanoseconds);

static inline bool wake_one(struct wait_queue *queue)
{
	queue->woken++;
	return false;
}

static inline void wake_all(struct wait_queue *queue)
{
	queue->woken++;
}

static inline struct thread *thread_self(void)
{
	return NULL;
}

/* It never runs: the test calls what it would do. */
static inline struct thread *thread_create(const char *name, void (*function)(void *),
					   void *argument)
{
	static char one;

	/* It never runs: tests call what it does. */
	(void)name;
	(void)function;
	(void)argument;
	return (struct thread *)&one;
}

static inline void thread_join(struct thread *thread)
{
	(void)thread;
}

static inline void thread_detach(struct thread *thread)
{
	(void)thread;
}

#endif
