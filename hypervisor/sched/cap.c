/* SPDX-License-Identifier: MIT */
/*
 * A domain's cap: how much CPU time its vCPUs may use together, in percent of one CPU. In each period they have that
 * much; when it is used up all of them stop (VPF_CAPPED) until a period comes for which something is left. What they
 * were over is taken from the periods after. What they did not use is lost.
 *
 * Nothing happens here for a domain without a cap, nor for one that does not run.
 */
#include "sched/internal.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/lib.h"
#include "time/time.h"

#define PERIOD	 30000000L /* ns */
#define MIN_TIME 500000L   /* that a vCPU is let run for before it is looked at again */

static int64_t budget_of(const struct domain *d)
{
	return PERIOD / 100 * READ_ONCE(d->cap.percent);
}

/* Under the lock: the periods that have begun meanwhile. */
static void catch_up(struct domain *d, stime_t t)
{
	struct domain_cap *c = &d->cap;
	int64_t n = (t - c->period) / PERIOD;

	if (n <= 0)
		return;
	c->used = n > c->used / budget_of(d) ? 0 : c->used - n * budget_of(d);
	c->period += n * PERIOD;
}

void cap_charge(struct domain *d, uint64_t ns, stime_t t)
{
	spin_lock(&d->cap.lock);
	if (d->cap.percent) {
		catch_up(d, t);
		d->cap.used += (int64_t)ns;
	}
	spin_unlock(&d->cap.lock);
}

stime_t cap_left(struct domain *d, stime_t t)
{
	int64_t left = INT64_MAX;

	spin_lock(&d->cap.lock);
	if (d->cap.percent) {
		catch_up(d, t);
		left = budget_of(d) - d->cap.used;
	}
	spin_unlock(&d->cap.lock);
	return left <= 0 ? 0 : max(left, MIN_TIME);
}

void cap_stop(struct domain *d)
{
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		vcpu_pause_flag_set(d->vcpu[i], VPF_CAPPED);
	/* After the flags: the timer that takes them back comes later than any of this. */
	timer_set(&d->cap.timer, d->cap.period + PERIOD);
}

static void next_period(void *data)
{
	struct domain *d = data;
	stime_t t = now();

	if (cap_left(d, t)) {
		for (unsigned int i = 0; i < d->max_vcpus; i++)
			vcpu_pause_flag_clear(d->vcpu[i], VPF_CAPPED);
	} else if (!READ_ONCE(d->is_dying)) {
		timer_set(&d->cap.timer, d->cap.period + PERIOD);
	}
}

void sched_init_domain(struct domain *d)
{
	d->sched_weight = SCHED_WEIGHT_DEFAULT;
	spin_lock_init(&d->cap.lock);
	timer_init(&d->cap.timer, next_period, d, 0);
}

void sched_set_cap(struct domain *d, unsigned int percent)
{
	spin_lock(&d->cap.lock);
	WRITE_ONCE(d->cap.percent, percent);
	d->cap.used = 0;
	d->cap.period = now();
	spin_unlock(&d->cap.lock);
	/* Whoever is stopped goes on, at once; who runs is looked at from now on. */
	timer_set(&d->cap.timer, now());
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		if (READ_ONCE(d->vcpu[i]->sched.running))
			softirq_raise_on(READ_ONCE(d->vcpu[i]->sched.cpu), SOFTIRQ_SCHEDULE);
}

void sched_destroy_domain(struct domain *d)
{
	timer_stop(&d->cap.timer);
}
