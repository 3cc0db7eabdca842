/* SPDX-License-Identifier: MIT */
/* The input as a source of choices that does not dry up. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

static const uint8_t *input;
static size_t left;
static uint64_t seed; /* of what comes when the input has ended: made from all of it */

static inline void input_start(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
	seed = 1;
}

static inline unsigned int next_byte(void)
{
	if (left) {
		left--;
		seed = (seed ^ *input) * 0x100000001b3UL;
		return *input++;
	}
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return seed >> 56;
}

/* A number below n. */
static inline unsigned int pick(unsigned int n)
{
	unsigned int v = 0;

	/* As many bytes as the choice is wide. */
	for (uint64_t reach = 1; reach < n; reach <<= 8)
		v = v << 8 | next_byte();
	return v % n;
}

#endif
