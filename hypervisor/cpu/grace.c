/* SPDX-License-Identifier: MIT */
/*
 * Grace periods. What other CPUs find without a lock (a domain by its number, the far end of an event
 * channel) they use only until they next run soft interrupts, which is never in the middle of an
 * operation. So whoever has unhooked such a thing waits until each CPU has run SOFTIRQ_GRACE since.
 *
 * One period is under way at a time; what is given in meanwhile waits for the next one.
 */
#include "cpu/grace.h"
#include "cpu/cpu.h"
#include "lib/bitops.h"
#include "lib/spinlock.h"

static spinlock_t lock;
static struct grace *waiting, *under_way; /* for the next period; for this one */
static cpumask_t missing; /* CPUs that this one still waits for; 0: none is under way */

/* Under the lock. */
static void begin_period(void)
{
	unsigned int cpu;

	under_way = waiting;
	waiting = NULL;
	if (!under_way)
		return;
	missing = READ_ONCE(cpu_online_mask);
	for_each_cpu(cpu, missing) softirq_raise_on(cpu, SOFTIRQ_GRACE);
}

void after_grace(struct grace *g, void (*fn)(struct grace *g))
{
	g->fn = fn;
	spin_lock(&lock);
	g->next = waiting;
	waiting = g;
	if (!missing)
		begin_period();
	spin_unlock(&lock);
}

static void grace_softirq(void)
{
	struct grace *over = NULL;

	spin_lock(&lock);
	if (missing) {
		missing &= ~((cpumask_t)1 << smp_processor_id());
		if (!missing) {
			over = under_way;
			begin_period();
		}
	}
	spin_unlock(&lock);
	while (over) {
		struct grace *g = over;

		over = g->next; /* fn may free it */
		g->fn(g);
	}
}

void grace_init(void)
{
	softirq_register(SOFTIRQ_GRACE, grace_softirq);
}
