/* SPDX-License-Identifier: MIT */
/* Timers of the hypervisor: one-shot, per CPU, ordered by expiry in a leftist heap inside the timers themselves. */
#ifndef TIME_TIMER_H
#define TIME_TIMER_H

#include "lib/types.h"

struct timer {
	stime_t expires;
	void (*fn)(void *data); /* called in SOFTIRQ_TIMER on the timer's CPU, no lock held */
	void *data;
	unsigned int cpu; /* whose heap holds it */
	bool active;
	int rank;
	struct timer *left, *right, *parent;
};

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu);
/* (Re)arm at system time expires (past: soon). Any CPU. */
void timer_set(struct timer *t, stime_t expires);
/* Disarm; on return fn is not going to start (it may be running on another CPU). */
void timer_stop(struct timer *t);
/* Move an armed or idle timer to another CPU. */
void timer_migrate(struct timer *t, unsigned int cpu);

#endif
