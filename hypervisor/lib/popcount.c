/* SPDX-License-Identifier: MIT */
/* What GCC makes of __builtin_popcountl() where the instruction cannot be taken for granted. */
#include "lib/types.h"

int __popcountdi2(long x);

int __popcountdi2(long x)
{
	uint64_t n = x;

	n -= (n >> 1) & 0x5555555555555555;
	n = (n & 0x3333333333333333) + ((n >> 2) & 0x3333333333333333);
	n = (n + (n >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (n * 0x0101010101010101) >> 56;
}
