/* SPDX-License-Identifier: MIT */
#include "xl/random.h"
#include <cpuid.h>
#include <string.h>
#include <guest/clock.h>

/* What the CPU draws, if it can. */
static uint64_t draw(void)
{
	unsigned int a, b, c, d;
	unsigned long long number = 0;
	unsigned char right;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_RDRND))
		return 0;
	for (unsigned int tries = 0; tries < 10; tries++) {
		__asm__ volatile("rdrand %0; setc %1" : "=r"(number), "=qm"(right) : : "cc");
		if (right)
			return number;
	}
	return 0;
}

/*
 * The time of day, which no earlier start of this machine had, the time since then and a count make it unlike any before;
 * the finishing steps of SplitMix64 spread that over all bits. What the CPU draws comes on top.
 */
uint64_t random_number(void)
{
	static uint64_t count;
	uint64_t z = clock_wall_base() * 31 + clock_now() + ++count * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) ^ draw();
}

void uuid_make(uint8_t uuid[16])
{
	uint64_t halves[2] = {random_number(), random_number()};

	memcpy(uuid, halves, 16);
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}
