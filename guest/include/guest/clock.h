/* SPDX-License-Identifier: MIT */
/* Time, read from the records that the hypervisor shares; no hypercall but for the timer. */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H

#include <stdint.h>

#define NSEC_PER_SEC  1000000000ul
#define NSEC_PER_MSEC 1000000ul

/* Nanoseconds of system time, which starts about when the machine does and never goes back. */
uint64_t clock_now(void);

/* Nanoseconds from 1970-01-01 UTC to the start of system time; the time of day is this plus clock_now(). */
uint64_t clock_wall_base(void);

/* Raise VIRQ_TIMER on this vCPU at a system time; 0 stops the timer. */
long clock_timer_set(uint64_t deadline);

#endif
