/* SPDX-License-Identifier: MIT */
/* Soft interrupts and preemption points (cpu/cpu.h: model of execution). */
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/types.h"
#include "lib/bitops.h"
#include "lib/lib.h"

static void (*handlers[NR_SOFTIRQS])(void);

void softirq_register(unsigned int nr, void (*handler)(void))
{
	BUG_ON(nr >= NR_SOFTIRQS);
	handlers[nr] = handler;
}

static bool set_pending(struct cpu_info *info, unsigned int nr)
{
	unsigned int bit = 1U << nr;

	/* True if it was not pending. */
	return !(__atomic_fetch_or(&info->softirq_pending, bit, __ATOMIC_SEQ_CST) & bit);
}

void softirq_raise(unsigned int nr)
{
	set_pending(cpu_info(), nr);
}

/*
 * No kick when the bit was set already: whoever set it has sent one, or the CPU itself is in the
 * hypervisor and looks before it leaves.
 */
void softirq_raise_on(unsigned int cpu, unsigned int nr)
{
	if (cpu == smp_processor_id())
		softirq_raise(nr);
	else if (set_pending(cpu_info_of(cpu), nr))
		apic_send_ipi(cpu, VECTOR_KICK);
}

/* A handler may raise again what ran already: once more from the lowest, so SCHEDULE stays last. */
void do_softirq(void)
{
	struct cpu_info *info = cpu_info();
	unsigned int pending;

	while ((pending = READ_ONCE(info->softirq_pending)) != 0) {
		unsigned int nr = lowest_bit(pending);

		__atomic_fetch_and(&info->softirq_pending, ~(1U << nr), __ATOMIC_SEQ_CST);
		if (nr < NR_SOFTIRQS && handlers[nr])
			handlers[nr]();
	}
}

bool preempt_check(void)
{
	const struct vcpu *v = current;

	/* sti holds interrupts off for one more instruction. */
	__asm__ volatile("sti; nop; cli" ::: "memory");
	return READ_ONCE(cpu_info()->softirq_pending) ||
	       (READ_ONCE(v->vcpu_info->evtchn_upcall_pending) &&
		!READ_ONCE(v->vcpu_info->evtchn_upcall_mask));
}
