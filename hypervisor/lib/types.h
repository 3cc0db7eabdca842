/* SPDX-License-Identifier: MIT */
/* Basic types and helpers that every source uses. */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

typedef uint64_t paddr_t; /* a machine address */
typedef uint64_t mfn_t;	  /* a machine frame number: paddr_t >> PAGE_SHIFT */
typedef uint64_t vaddr_t; /* a virtual address, of the hypervisor or of a guest */
typedef int64_t stime_t;  /* system time: nanoseconds since the hypervisor's clock started */

#define INVALID_MFN ((mfn_t)~0UL)

#define NR_CPUS	    64
typedef uint64_t cpumask_t; /* bit n: CPU n. NR_CPUS fits one word on purpose. */

#define ARRAY_SIZE(a)	   (sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define ROUND_UP(x, a)	   (((x) + (a)-1) & ~((typeof(x))(a)-1)) /* a: a power of two */
#define ROUND_DOWN(x, a)   ((x) & ~((typeof(x))(a)-1))
#define IS_ALIGNED(x, a)   (((x) & ((typeof(x))(a)-1)) == 0)
#define PFN_UP(x)	   (((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_DOWN(x)	   ((x) >> PAGE_SHIFT)

#define min(a, b)                                  \
	({                                         \
		typeof(a) min_a_ = (a);            \
		typeof(b) min_b_ = (b);            \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#define max(a, b)                                  \
	({                                         \
		typeof(a) max_a_ = (a);            \
		typeof(b) max_b_ = (b);            \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define likely(x)			__builtin_expect(!!(x), 1)
#define unlikely(x)			__builtin_expect(!!(x), 0)

#define READ_ONCE(x)			(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v)		(*(volatile typeof(x) *)&(x) = (v))
#define barrier()			__asm__ volatile("" ::: "memory")

#define __init				__attribute__((section(".init.text"), cold))
#define __initdata			__attribute__((section(".init.data")))
#define __initbss			__attribute__((section(".bss..init"))) /* zeroes: no room in the file */
#define __page_aligned			__attribute__((aligned(4096)))
#define __packed			__attribute__((packed))
#define __printf(f, a)			__attribute__((format(printf, f, a)))

/*
 * An index that a guest chose, forced below n also when the CPU speculates past the comparison
 * that precedes it. Returns i when i < n, otherwise 0. No branch.
 */
static inline uint64_t clamp_index(uint64_t i, uint64_t n)
{
	uint64_t mask;

	__asm__("cmp %1, %2; sbb %0, %0" : "=r"(mask) : "g"(n), "r"(i) : "cc");
	return i & mask;
}

#ifdef UNIT_TEST
#undef __init
#undef __initdata
#undef __initbss
#define __init
#define __initdata
#define __initbss
#endif

#endif
