/* SPDX-License-Identifier: MIT */
/*
 * Scheduler: per-CPU run queues ordered by virtual runtime. A switch happens only in
 * SOFTIRQ_SCHEDULE (cpu/cpu.h). Lock: one a queue; a vCPU's queue changes only with both locks held,
 * lower CPU number first.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "cpu/percpu.h"
#include "domain/types.h"

void sched_init(void);
void sched_init_cpu(unsigned int cpu, struct vcpu *idle);
/* v became able to run (all pause flags clear): queue it, choose its CPU, preempt if it should. */
void sched_wake(struct vcpu *v);
/*
 * Whom current wakes on its own CPU until this is off again need not run before current blocks or half a millisecond has
 * passed. Not for whom current may be spinning for, as in an IPI.
 */
static inline void sched_wake_patiently(bool on)
{
	current->sched.patient = on;
}
/* v may no longer run: take it off its queue, or have its CPU switch away (asynchronously). */
void sched_sleep(struct vcpu *v);
/* Wait until v is not running anywhere. v != current. */
void sched_wait_stopped(struct vcpu *v);
/* current gives way to others of its queue. */
void sched_yield(void);
/*
 * v may run on these CPUs only, from its next return to the guest on; at least one is online. Preferably on those of
 * the second mask.
 */
void sched_set_affinity(struct vcpu *v, cpumask_t cpus);
void sched_set_soft_affinity(struct vcpu *v, cpumask_t cpus);
/* Nanoseconds that a CPU has run nobody. */
stime_t sched_idle_time(unsigned int cpu);
/* Shares of CPU time are in the ratio of weights, SCHED_WEIGHT_DEFAULT if not set; 1 to 65535. */
#define SCHED_WEIGHT_DEFAULT 256
/* Of a new domain; at its end, when its vCPUs have stopped for good and a grace period is over. */
void sched_init_domain(struct domain *d);
void sched_destroy_domain(struct domain *d);
/* Its vCPUs may use so many percent of one CPU together; 0: no limit. No lock held. */
void sched_set_cap(struct domain *d, unsigned int percent);
/* The idle loop: never returns; runs on the idle vCPU's stack. */
void idle_loop(void) __attribute__((noreturn));

#endif
