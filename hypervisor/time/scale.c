/* SPDX-License-Identifier: MIT */
#include "time/clock.h"
#include "lib/lib.h"

#define NS_PER_SEC 1000000000UL
/* 36 years, beyond which a deadline is as good as never; keeps the arithmetic below 64 bits. */
#define FAR_AWAY (1L << 60)

void scale_set_frequency(struct time_scale *s, uint64_t tsc_hz)
{
	/* mul / 2^32 * 2^shift = 10^9 / tsc_hz, with tsc_hz * 2^shift in (10^9, 2 * 10^9]. */
	int up = 0, down = 0;

	while ((tsc_hz - 1) >> down >= 2 * NS_PER_SEC)
		down++;
	while (tsc_hz << up <= NS_PER_SEC)
		up++;
	s->mul = mul_div(NS_PER_SEC << down, 1UL << 32, tsc_hz << up);
	s->shift = up - down;
}

uint64_t scale_to_tsc(const struct time_scale *s, stime_t t)
{
	uint64_t ns, ticks, rest;

	if (t <= s->stime_stamp)
		return s->tsc_stamp;
	ns = min((uint64_t)t - (uint64_t)s->stime_stamp, (uint64_t)FAR_AWAY);
	/* ns * 2^32 / mul, rounded up; below 2^62 since mul >= 2^31. */
	__asm__("divq %4"
		: "=a"(ticks), "=d"(rest)
		: "0"(ns << 32), "1"(ns >> 32), "r"((uint64_t)s->mul)
		: "cc");
	if (rest)
		ticks++;
	if (s->shift < 0)
		ticks <<= -s->shift;
	else
		ticks = DIV_ROUND_UP(ticks, 1UL << s->shift);
	return s->tsc_stamp + ticks;
}
