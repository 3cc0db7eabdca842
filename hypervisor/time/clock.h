/* SPDX-License-Identifier: MIT */
/* What the parts of time/ share: the arithmetic between TSC and nanoseconds, the RTC, the timer softirq. */
#ifndef TIME_CLOCK_H
#define TIME_CLOCK_H

#include "cpu/percpu.h"
#include "lib/types.h"

/*
 * System time is stime_stamp + (tsc - tsc_stamp) scaled by mul and shift, exactly as a guest
 * computes it from its vcpu_time_info (public/xen.h), so both see one clock. mul has its top bit
 * set. One a CPU; changed by its own CPU with interrupts off.
 */
struct time_scale {
	uint64_t tsc_stamp;
	stime_t stime_stamp;
	uint32_t mul;
	int8_t shift;
	uint8_t flags; /* of records made from it: XEN_PVCLOCK_* */
};
DECLARE_PER_CPU(struct time_scale, time_scale);

/* ((delta << shift) * mul) >> 32, without losing the product's upper bits. */
static inline uint64_t scale_tsc(uint64_t delta, uint32_t mul, int shift)
{
	uint64_t low, high;

	delta = shift < 0 ? delta >> -shift : delta << shift;
	__asm__("mulq %3" : "=a"(low), "=d"(high) : "a"(delta), "r"((uint64_t)mul) : "cc");
	return high << 32 | low >> 32;
}

/* a * b / c (c > 0); all ones if that exceeds 64 bits. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t low, high, rest;

	__asm__("mulq %3" : "=a"(low), "=d"(high) : "a"(a), "r"(b) : "cc");
	if (high >= c)
		return ~0UL;
	__asm__("divq %4" : "=a"(low), "=d"(rest) : "0"(low), "1"(high), "r"(c) : "cc");
	return low;
}

/* mul and shift for a TSC of that frequency (1 MHz to 1 THz). */
void scale_set_frequency(struct time_scale *s, uint64_t tsc_hz);
/* First TSC value at which system time is t or later; times too far away become a far one. */
uint64_t scale_to_tsc(const struct time_scale *s, stime_t t);

/* ---- the PC's real-time clock (rtc.c) ---- */
/* Seconds since 1970 from its registers: values as read, status register B, the century's register or 0. -1: nonsense. */
struct rtc_registers {
	uint8_t sec, min, hour, day, month, year, century, status_b;
};
int64_t rtc_to_seconds(const struct rtc_registers *r);
/* Seconds since 1970, read from CMOS memory; 0 if there is no clock that makes sense. */
int64_t rtc_read(uint8_t century_index);

/* ---- timer.c ---- */
void timer_softirq(void);
void timer_init_cpu(void);
void timer_show(char key);

#endif
