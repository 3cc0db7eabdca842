/* SPDX-License-Identifier: MIT */
/* Bits in arrays of words. The atomic ones order all memory accesses around them. */
#ifndef LIB_BITOPS_H
#define LIB_BITOPS_H

#include "lib/types.h"

#define BITS_PER_LONG	 64
#define BITS_TO_LONGS(n) DIV_ROUND_UP(n, BITS_PER_LONG)

static inline bool test_bit(unsigned long nr, const void *map)
{
	return (READ_ONCE(((const unsigned long *)map)[nr / 64]) >> (nr % 64)) & 1;
}

/* Atomically set, clear: return the old value. */
static inline bool test_and_set_bit(unsigned long nr, void *map)
{
	unsigned long m = 1UL << (nr % 64);

	return __atomic_fetch_or((unsigned long *)map + nr / 64, m, __ATOMIC_SEQ_CST) & m;
}

static inline bool test_and_clear_bit(unsigned long nr, void *map)
{
	unsigned long m = 1UL << (nr % 64);

	return __atomic_fetch_and((unsigned long *)map + nr / 64, ~m, __ATOMIC_SEQ_CST) & m;
}

static inline void set_bit(unsigned long nr, void *map)
{
	__atomic_fetch_or((unsigned long *)map + nr / 64, 1UL << (nr % 64), __ATOMIC_SEQ_CST);
}

static inline void clear_bit(unsigned long nr, void *map)
{
	__atomic_fetch_and((unsigned long *)map + nr / 64, ~(1UL << (nr % 64)), __ATOMIC_SEQ_CST);
}

/* Index of the lowest bit set; x is not 0. */
static inline unsigned int lowest_bit(uint64_t x)
{
	return __builtin_ctzl(x);
}

/* Index of the highest bit set; x is not 0. */
static inline unsigned int highest_bit(uint64_t x)
{
	return 63 - __builtin_clzl(x);
}

/* Not the compiler's built-in, which calls its library. */
static inline unsigned int count_cpus(cpumask_t mask)
{
	unsigned int n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

#define for_each_cpu(cpu, mask)                                                             \
	for (cpumask_t cpu_rest_ = (mask); cpu_rest_ && ((cpu) = lowest_bit(cpu_rest_), 1); \
	     cpu_rest_ &= cpu_rest_ - 1)

#endif
