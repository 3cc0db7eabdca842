/* SPDX-License-Identifier: MIT */
/*
 * Ticket locks. The hypervisor runs with interrupts off, except while a CPU idles and in explicit
 * preemption windows (cpu/cpu.h), so a lock needs no interrupt-saving form. A CPU that waits goes
 * on answering the other CPUs' requests (TLB flushes: smp_poll()), because the holder may wait for
 * its answer.
 */
#ifndef LIB_SPINLOCK_H
#define LIB_SPINLOCK_H

#include "lib/types.h"

typedef struct spinlock {
	uint16_t next; /* the ticket that the next comer draws */
	uint16_t head; /* the ticket that holds the lock */
} spinlock_t;

#define SPINLOCK_INIT \
	{             \
		0     \
	}

void spin_lock_slow(spinlock_t *l, uint16_t ticket); /* lib/spinlock.c */

static inline void spin_lock_init(spinlock_t *l)
{
	*l = (spinlock_t)SPINLOCK_INIT;
}

static inline void spin_lock(spinlock_t *l)
{
	uint16_t t = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQUIRE);

	if (unlikely(__atomic_load_n(&l->head, __ATOMIC_ACQUIRE) != t))
		spin_lock_slow(l, t);
}

static inline bool spin_trylock(spinlock_t *l)
{
	uint16_t h = __atomic_load_n(&l->head, __ATOMIC_ACQUIRE);

	return __atomic_compare_exchange_n(&l->next, &h, h + 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void spin_unlock(spinlock_t *l)
{
	__atomic_store_n(&l->head, l->head + 1, __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const spinlock_t *l)
{
	return READ_ONCE(l->head) != READ_ONCE(l->next);
}

#endif
