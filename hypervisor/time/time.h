/* SPDX-License-Identifier: MIT */
/* System time from the TSC, wall clock, and the time records that guests read. */
#ifndef TIME_TIME_H
#define TIME_TIME_H

#include "domain/types.h"

/* Calibrate the TSC against HPET, PM timer or PIT (boot CPU), register the timer softirq. */
void time_init(void);
void time_init_cpu(void); /* each CPU, after its APIC: align its TSC */
extern uint64_t tsc_khz;
extern const char *time_source_name; /* what the TSC was calibrated against */

stime_t now(void);		  /* monotonic over all CPUs */
uint64_t stime_to_tsc(stime_t t); /* on this CPU */

/* Refresh v's vcpu_time_info (and time area); v current. Cheap when nothing changed. */
void update_vcpu_time(struct vcpu *v);
/* Wall clock into d's shared_info. */
void update_wallclock(struct domain *d);
/* platform_op settime: seconds and nanoseconds of UTC at system time t. */
void set_wallclock(uint64_t sec, uint32_t nsec, stime_t t);

int vcpu_time_init(struct vcpu *v);
void vcpu_time_destroy(struct vcpu *v);
long do_set_timer_op(stime_t timeout);
/* The timer sub-operations of vcpu_op: -ENOSYS if cmd is none of them. */
long vcpu_timer_op(unsigned int cmd, struct vcpu *v, vaddr_t arg);

/* v's runstate becomes s (sched/ calls under its queue lock); get a consistent copy; copy to the
 * guest's registered area (v current: when it begins to run, and before it stops). */
void runstate_change(struct vcpu *v, enum runstate s, stime_t t);
void runstate_get(struct vcpu *v, struct vcpu_runstate_info *out);
void update_runstate_area(struct vcpu *v);

#endif
