/* SPDX-License-Identifier: MIT */
/* lwip/sys.h on guest/thread.h. Each object's state changes with events masked. */
#include <cpuid.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/start.h>
#include <lwip/debug.h>
#include <lwip/def.h>
#include <lwip/stats.h>
#include <lwip/sys.h>

/* A time limit in milliseconds, 0 being none, as guest/thread.h has it. */
static uint64_t deadline_of(u32_t timeout)
{
	return timeout ? clock_now() + timeout * NSEC_PER_MSEC : 0;
}

static u32_t waited_since(uint64_t start)
{
	return (u32_t)((clock_now() - start) / NSEC_PER_MSEC);
}

/* Mutexes */

err_t sys_mutex_new(sys_mutex_t *mutex)
{
	*mutex = (sys_mutex_t){.valid = true};
	return ERR_OK;
}

void sys_mutex_lock(sys_mutex_t *mutex)
{
	mutex_lock(&mutex->mutex);
}

void sys_mutex_unlock(sys_mutex_t *mutex)
{
	mutex_unlock(&mutex->mutex);
}

void sys_mutex_free(sys_mutex_t *mutex)
{
}

/* Semaphores */

err_t sys_sem_new(sys_sem_t *sem, u8_t count)
{
	*sem = (sys_sem_t){.count = count, .valid = true};
	return ERR_OK;
}

void sys_sem_signal(sys_sem_t *sem)
{
	bool masked = events_save();

	sem->count++;
	wake_one(&sem->wait);
	events_restore(masked);
}

u32_t sys_arch_sem_wait(sys_sem_t *sem, u32_t timeout)
{
	uint64_t start = clock_now(), deadline = deadline_of(timeout);
	bool masked = events_save(), in_time = true;

	while (!sem->count && in_time)
		in_time = wait_on(&sem->wait, deadline);
	/* One that came at the last moment counts. */
	in_time = sem->count != 0;
	if (in_time)
		sem->count--;
	events_restore(masked);
	return in_time ? waited_since(start) : SYS_ARCH_TIMEOUT;
}

void sys_sem_free(sys_sem_t *sem)
{
}

/* Mailboxes */

err_t sys_mbox_new(sys_mbox_t *mbox, int size)
{
	LWIP_ASSERT("a mailbox has room for what it is asked to", size <= SYS_MBOX_ROOM);
	*mbox = (sys_mbox_t){.size = size > 0 ? (unsigned int)size : SYS_MBOX_ROOM};
	return ERR_OK;
}

void sys_mbox_free(sys_mbox_t *mbox)
{
}

/* Events are masked. */
static bool put(sys_mbox_t *mbox, void *message)
{
	if (mbox->used == mbox->size)
		return false;
	mbox->messages[(mbox->first + mbox->used++) % SYS_MBOX_ROOM] = message;
	wake_one(&mbox->readers);
	return true;
}

static bool take(sys_mbox_t *mbox, void **message)
{
	if (!mbox->used)
		return false;
	if (message)
		*message = mbox->messages[mbox->first];
	mbox->first = (mbox->first + 1) % SYS_MBOX_ROOM;
	mbox->used--;
	wake_one(&mbox->writers);
	return true;
}

void sys_mbox_post(sys_mbox_t *mbox, void *message)
{
	bool masked = events_save();

	while (!put(mbox, message))
		wait_on(&mbox->writers, 0);
	events_restore(masked);
}

err_t sys_mbox_trypost(sys_mbox_t *mbox, void *message)
{
	bool masked = events_save();
	bool done = put(mbox, message);

	events_restore(masked);
	return done ? ERR_OK : ERR_MEM;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *mbox, void *message)
{
	return sys_mbox_trypost(mbox, message);
}

u32_t sys_arch_mbox_fetch(sys_mbox_t *mbox, void **message, u32_t timeout)
{
	uint64_t start = clock_now(), deadline = deadline_of(timeout);
	bool masked = events_save(), in_time = true, got;

	while (!(got = take(mbox, message)) && in_time)
		in_time = wait_on(&mbox->readers, deadline);
	events_restore(masked);
	return got ? waited_since(start) : SYS_ARCH_TIMEOUT;
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *mbox, void **message)
{
	bool masked = events_save();
	bool got = take(mbox, message);

	events_restore(masked);
	return got ? 0 : SYS_MBOX_EMPTY;
}

/* Threads, time, the lock below everything */

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn function, void *argument, int stack,
			    int priority)
{
	struct thread *thread = thread_create(name, function, argument);

	if (!thread)
		panic("no memory for lwIP's thread");
	return thread;
}

sys_prot_t sys_arch_protect(void)
{
	return events_save();
}

void sys_arch_unprotect(sys_prot_t masked)
{
	events_restore(masked);
}

u32_t sys_now(void)
{
	return (u32_t)(clock_now() / NSEC_PER_MSEC);
}

u32_t sys_jiffies(void)
{
	return sys_now();
}

void sys_init(void)
{
}

static uint64_t drawn_by_cpu(void)
{
	unsigned int a, b, c, d;
	unsigned long long number = 0;
	unsigned char right = 0;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_RDRND))
		return 0;
	for (unsigned int tries = 0; tries < 10 && !right; tries++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(number), "=qm"(right) : : "cc");
	return right ? number : 0;
}

/*
 * SplitMix64 over a state that takes in, each time, when it is asked and what the CPU draws. On a CPU that draws
 * nothing a peer that knows the time to the nanosecond and all earlier numbers could guess the next.
 */
uint32_t lwip_random(void)
{
	static uint64_t state;
	bool masked = events_save();
	uint64_t z;

	if (!state)
		state = clock_wall_base();
	state += 0x9e3779b97f4a7c15 + (clock_now() ^ drawn_by_cpu());
	z = state;
	events_restore(masked);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) >> 16);
}
