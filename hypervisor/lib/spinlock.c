/* SPDX-License-Identifier: MIT */
/* The waiting side of a ticket lock. */
#include "lib/spinlock.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"

void spin_lock_slow(spinlock_t *l, uint16_t ticket)
{
	while (__atomic_load_n(&l->head, __ATOMIC_ACQUIRE) != ticket) {
		/* The holder may be waiting for this CPU's answer. */
		smp_poll();
		cpu_relax();
	}
}
