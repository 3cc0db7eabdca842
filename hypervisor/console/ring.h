/* SPDX-License-Identifier: MIT */
/*
 * The parts of the console that are pure computation: the ring of past text, log levels, rate limits.
 * The caller locks. Host-tested.
 */
#ifndef CONSOLE_RING_H
#define CONSOLE_RING_H

#include "lib/types.h"

/*
 * Text is named by free-running 32-bit indices: byte i lies at buf[i % size]. The bytes [oldest,
 * produced) are there; produced - oldest <= size always, also across the wrap of the indices.
 */
struct console_ring {
	char *buf;
	uint32_t size; /* a power of two */
	uint32_t produced;
	uint32_t oldest;
};

void ring_append(struct console_ring *r, const char *text, size_t n);
/* Copy from index *index on, or from the oldest byte when that one is gone; *index becomes the next. */
size_t ring_copy(const struct console_ring *r, uint32_t *index, char *buf, size_t n);
void ring_clear(struct console_ring *r);
/* Move to a bigger buffer (size a power of two); the text keeps its indices. */
void ring_grow(struct console_ring *r, char *buf, uint32_t size);

/*
 * A message of level n (0 error to 3 debug) is printed when n < lower, dropped when n >= upper, and
 * rate-limited between.
 */
struct log_levels {
	unsigned char lower, upper;
};
/* "a" or "a/b" of none error warning info debug all: 0 or -EINVAL. */
int parse_log_levels(const char *value, struct log_levels *out);

/* At most a burst of messages in each interval. */
struct ratelimit {
	stime_t since; /* when the interval began */
	unsigned int used, missed;
};
#define RATELIMIT_BURST	   10
#define RATELIMIT_INTERVAL 5000000000L
/* May one more pass at time t? *missed: how many did not since one last did, to be told first. */
bool ratelimit_pass(struct ratelimit *r, stime_t t, unsigned int *missed);

#endif
