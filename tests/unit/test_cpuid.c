/* SPDX-License-Identifier: MIT */
// sources: hypervisor/pv/cpuid.c
/* CPUID as guests get it, on whatever CPU the test runs: what it must not show and what it always says. */
#include "unit.h"
#include "mm/mm.h"
#include "pv/internal.h"
#include "time/time.h"

struct cpu_features cpu_features;
uint64_t tsc_khz = 2345678;
mfn_t max_mfn = 0x40000; /* 1 GiB */

static struct vcpu vcpu = {.id = 3};
static struct vcpu_info info;

enum { EAX, EBX, ECX, EDX };

static uint32_t out[4];

void cpu_policy_apply(const struct domain *d, uint32_t leaf, uint32_t sub, uint32_t result[4])
{
	assert_ptr_equal(d, vcpu.domain);
}

static uint32_t *get(uint32_t leaf, uint32_t sub)
{
	memset(out, 0xee, sizeof(out));
	pv_cpuid(&vcpu, leaf, sub, out);
	return out;
}

static bool all_zero(void)
{
	return !(out[EAX] | out[EBX] | out[ECX] | out[EDX]);
}

static int set_up(void **state)
{
	uint32_t leaf[4];

	vcpu.vcpu_info = &info;
	cpuid(0, 0, leaf);
	cpu_features = (struct cpu_features){.max_leaf = leaf[EAX], .rdtscp = true};
	memcpy(cpu_features.vendor, &leaf[EBX], 4);
	cpuid(0x80000000, 0, leaf);
	cpu_features.max_ext_leaf = leaf[EAX];
	cpuid(1, 0, leaf);
	if (leaf[ECX] & 1U << 26) {
		cpu_features.xsave = true;
		cpu_features.xcr0 = 3;
	}
	return 0;
}

static void test_limits(void **state)
{
	assert_true(get(0, 0)[EAX] <= 0xd);
	assert_true(get(0x80000000, 0)[EAX] <= 0x80000008);
	get(0xe, 0);
	assert_true(all_zero());
	get(0x80000009, 0);
	assert_true(all_zero());
	get(0x20000000, 0);
	assert_true(all_zero());
	get(UINT32_MAX, 0);
	assert_true(all_zero());
}

static void test_features(void **state)
{
	static const unsigned char hidden_1c[] = {2, 3, 4, 5, 6, 7, 8, 14, 15, 17, 18, 21, 24};
	static const unsigned char hidden_1d[] = {1, 3, 12, 13, 17, 21, 22, 28, 29, 31};
	static const unsigned char hidden_7b[] = {1, 2, 7, 10, 12, 14, 15, 20, 25};
	static const unsigned char hidden_7c[] = {2, 3, 4, 5, 7, 16, 30};
	static const unsigned char hidden_7d[] = {26, 27, 28, 31};

	get(1, 0);
	for (size_t i = 0; i < sizeof(hidden_1c); i++)
		assert_false(out[ECX] >> hidden_1c[i] & 1);
	for (size_t i = 0; i < sizeof(hidden_1d); i++)
		assert_false(out[EDX] >> hidden_1d[i] & 1);
	assert_true(out[ECX] >> 31);
	assert_int_equal(out[EBX] >> 24, 6);
	assert_true(out[EDX] & 1U << 26); /* SSE2 is part of 64-bit mode */
	if (cpu_features.max_leaf < 7)
		return;
	get(7, 0);
	for (size_t i = 0; i < sizeof(hidden_7b); i++)
		assert_false(out[EBX] >> hidden_7b[i] & 1);
	for (size_t i = 0; i < sizeof(hidden_7c); i++)
		assert_false(out[ECX] >> hidden_7c[i] & 1);
	for (size_t i = 0; i < sizeof(hidden_7d); i++)
		assert_false(out[EDX] >> hidden_7d[i] & 1);
	assert_true(out[EAX] <= 1);
	assert_false(out[EBX] & 1); /* FSGSBASE, which this cpu_features lacks */
	get(7, 2);
	assert_true(all_zero());
}

/* Without AVX in XCR0 nothing of it or built on it is there. */
static void test_xsave(void **state)
{
	get(1, 0);
	assert_false(out[ECX] & (1U << 12 | 1U << 28 | 1U << 29));
	get(7, 0);
	assert_false(out[EBX] & (1U << 5 | 1U << 16));
	get(0xd, 0);
	if (cpu_features.xsave) {
		assert_int_equal(out[EAX], 3);
		assert_int_equal(out[ECX], 576);
	}
	get(0xd, 2);
	assert_true(all_zero());
	get(0xd, 63);
	assert_true(all_zero());
	get(0xd, 1);
	assert_int_equal(out[EAX] & ~7U, 0);

	cpu_features.xsave = false;
	cpu_features.xcr0 = 0;
	get(1, 0);
	assert_false(out[ECX] & (1U << 26 | 1U << 27));
	get(0xd, 0);
	assert_true(all_zero());
}

static void test_leaves_without_meaning(void **state)
{
	static const uint32_t leaves[] = {3, 5, 6, 8, 9, 0xa, 0xb, 0xc};

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		get(leaves[i], 0);
		assert_true(all_zero());
	}
}

static void test_hypervisor_leaves(void **state)
{
	get(0x40000000, 0);
	assert_int_equal(out[EAX], 0x40000005);
	assert_memory_equal(&out[EBX], "XenVMMXenVMM", 12);
	assert_int_equal(get(0x40000001, 0)[EAX], 4 << 16 | 17);
	get(0x40000002, 0);
	assert_true(out[EAX] == 1 && out[EBX] == 0x40000000 && out[ECX] == 1 && out[EDX] == 0);
	info.time.tsc_to_system_mul = 0xabcdef01;
	info.time.tsc_shift = -1;
	assert_int_equal(get(0x40000003, 0)[ECX], 2345678);
	get(0x40000003, 1);
	assert_true(out[ECX] == 0xabcdef01 && out[EDX] == UINT32_MAX);
	assert_int_equal(get(0x40000003, 2)[EAX], 2345678);
	get(0x40000004, 0);
	assert_true(all_zero());
	assert_int_equal(get(0x40000005, 0)[EBX], 30);
	get(0x40000006, 0);
	assert_true(all_zero());
	get(0x40000100, 0);
	assert_true(all_zero());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
	    TEST(test_limits),
	    TEST(test_features),
	    TEST(test_xsave),
	    TEST(test_leaves_without_meaning),
	    TEST(test_hypervisor_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
