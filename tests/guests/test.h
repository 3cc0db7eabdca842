/* SPDX-License-Identifier: MIT */
/*
 * What the test guests share. A guest is a table of tests; test_main runs each, on vCPU 0, under trap_catch,
 * and reports in the format of docs/testing.md. A test fails when an EXPECT in it does or when a trap ends it;
 * it goes on after a failed EXPECT, and each one is printed with its line.
 */
#ifndef TESTS_GUESTS_TEST_H
#define TESTS_GUESTS_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>
#include <guest/user.h>
#include <guest/vcpu.h>
#include <public/callback.h>
#include <public/event_channel.h>
#include <public/features.h>
#include <public/memory.h>
#include <public/physdev.h>
#include <public/sched.h>
#include <public/vcpu.h>
#include <public/version.h>

/* Error numbers of the ABI (Linux's). */
enum {
	EPERM = 1,
	ENOENT = 2,
	ESRCH = 3,
	ENXIO = 6,
	E2BIG = 7,
	EBADF = 9,
	EAGAIN = 11,
	ENOMEM = 12,
	EACCES = 13,
	EFAULT = 14,
	EBUSY = 16,
	EEXIST = 17,
	EXDEV = 18,
	ENODEV = 19,
	EINVAL = 22,
	ENOSPC = 28,
	ERANGE = 34,
	ENOSYS = 38,
	ENODATA = 61,
	EOPNOTSUPP = 95,
	ENOBUFS = 105,
};

struct test {
	const char *name;
	void (*run)(void);
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Addresses that no guest may name: not canonical, the hypervisor's; and one that is mapped nowhere. */
#define NOT_CANONICAL 0x8000000000000000ul
#define OF_HYPERVISOR 0xffff830000000000ul
#define NOT_MAPPED    0x00007000dead0000ul

/* Run the tests and print the totals. */
void test_main(const char *guest, const struct test *tests, size_t count);

/* Is this the answer of a call that the hypervisor does not have (yet)? Then the test is skipped. */
bool test_missing(long result);

/* The test can't be made here: say why. What was expected before still counts. */
void test_skip(const char *why);

/* Both are evaluated once. True when they agree; otherwise the test has failed. */
#define EXPECT(expression, wanted) \
	test_expect(__LINE__, #expression, (long)(expression), (long)(wanted))
#define EXPECT_TRUE(condition) test_expect(__LINE__, #condition, !!(condition), 1)
/*
 * A type conflict or a frame that is not ours. Real Xen says EBUSY when a table is to be mapped writable and EINVAL
 * in most other cases; no header tells, so both are taken.
 */
#define EXPECT_REFUSED(expression) EXPECT_TRUE(test_refused(expression))
static inline bool test_refused(long result)
{
	return result == -EINVAL || result == -EBUSY;
}

bool test_expect(int line, const char *expression, long seen, long wanted);

/* The argument NAME=VALUE of the guest's command line as a number, or the given default. */
unsigned long test_argument(const char *name, unsigned long otherwise);
/* Is this word on the command line? */
bool test_argument_word(const char *word);

/* Is this Cerne? Real Xen, which these guests are compared with, differs in a few places that tests name. */
bool test_on_cerne(void);

/* Numbers that look random, the same in each run. */
uint64_t test_random(uint64_t *state);

/* Wait with events unmasked until *value is not 0, for at most a second of system time. False: it stayed 0. */
bool test_wait(volatile unsigned int *value);

/* Stack for a further vCPU: its top. 16 KiB, from the page allocator. */
void *test_stack(void);

/* One mmu_update or mmuext_op of this domain. */
long test_mmu_update(uint64_t ptr, uint64_t value);
long test_mmuext(unsigned int cmd, unsigned long arg1, unsigned long arg2);

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Did the instructions end in a trap? The vector, or -1. For one-liners: a function that runs one instruction. */
static inline int trap_of(void (*function)(void *))
{
	return trap_catch(function, NULL, NULL);
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

#endif
