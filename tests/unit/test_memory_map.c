/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/memory_map.c
#include "unit.h"
#include "boot/boot.h"
#include "mm/mm.h"

/* The model: 64 pages, for each the most reserved type that any range gave it; 0 is a hole. */
#define PAGES 64
static uint8_t model[PAGES];

static unsigned int rank(unsigned int type)
{
	static const unsigned int ranks[] = {0, 1, 4, 2, 3, 5};

	return ranks[type];
}

static void model_add(paddr_t start, uint64_t size, uint32_t type)
{
	/* RAM only where the page is RAM from end to end, other types where they touch a page. */
	for (paddr_t p = 0; p < PAGES; p++) {
		paddr_t lo = p << PAGE_SHIFT, hi = lo + PAGE_SIZE;
		bool covers = start <= lo && start + size >= hi;
		bool touches = size && start < hi && start + size > lo;

		if ((type == E820_RAM ? covers : touches) && rank(type) > rank(model[p]))
			model[p] = type;
	}
}

static void check_against_model(void)
{
	unsigned int i = 0;

	for (unsigned int p = 0; p < PAGES;) {
		unsigned int n = 1;

		while (p + n < PAGES && model[p + n] == model[p])
			n++;
		if (model[p]) {
			assert_true(i < memory_map_entries);
			assert_int_equal(memory_map[i].start, (paddr_t)p << PAGE_SHIFT);
			assert_int_equal(memory_map[i].end, (paddr_t)(p + n) << PAGE_SHIFT);
			assert_int_equal(memory_map[i].type, model[p]);
			i++;
		}
		p += n;
	}
	assert_int_equal(memory_map_entries, i);
}

static int reset(void **state)
{
	memory_map_entries = 0;
	memset(model, 0, sizeof(model));
	return 0;
}

static void expect(unsigned int i, paddr_t start, paddr_t end, uint32_t type)
{
	assert_true(i < memory_map_entries);
	assert_int_equal(memory_map[i].start, start);
	assert_int_equal(memory_map[i].end, end);
	assert_int_equal(memory_map[i].type, type);
}

static void test_pc(void **state)
{
	assert_true(memory_map_add(0, 0x9fc00, 1));
	assert_true(memory_map_add(0x9fc00, 0x400, 2));
	assert_true(memory_map_add(0xf0000, 0x10000, 2));
	assert_true(memory_map_add(0x100000, 0xfedf000, 1));
	assert_int_equal(memory_map_entries, 4);
	expect(0, 0, 0x9f000, E820_RAM);
	expect(1, 0x9f000, 0xa0000, E820_RESERVED);
	expect(2, 0xf0000, 0x100000, E820_RESERVED);
	expect(3, 0x100000, 0xffdf000, E820_RAM);
}

static void test_odd_types(void **state)
{
	memory_map_add(0, 0x1000, 0);
	memory_map_add(0x1000, 0x1000, 7);
	memory_map_add(0x2000, 0x1000, UINT32_MAX);
	assert_int_equal(memory_map_entries, 1);
	expect(0, 0, 0x3000, E820_RESERVED);
}

static void test_extremes(void **state)
{
	memory_map_add(0, 0, 1);
	memory_map_add(UINT64_MAX, 1, 1);
	memory_map_add(UINT64_MAX, UINT64_MAX, 2);
	memory_map_add(1UL << 52, 0x1000, 2);
	memory_map_add(0x1800, 0x7ff, 1); /* no whole page */
	assert_int_equal(memory_map_entries, 0);
	/* RAM that the direct map can't hold is not used; the rest of the range is. */
	memory_map_add(0x1000, UINT64_MAX, 1);
	assert_int_equal(memory_map_entries, 1);
	expect(0, 0x1000, DIRECTMAP_VIRT_END - DIRECTMAP_VIRT_START, E820_RAM);
	memory_map_add((1UL << 52) - 0x800, UINT64_MAX, 2);
	expect(1, (1UL << 52) - 0x1000, 1UL << 52, E820_RESERVED);
}

static void test_full(void **state)
{
	/* Ranges that merge can be any number... */
	for (paddr_t i = 0; i < 1000; i++)
		assert_true(memory_map_add(i << PAGE_SHIFT, PAGE_SIZE, 1));
	assert_int_equal(memory_map_entries, 1);
	/* ...others as many as there is room for. */
	for (paddr_t i = 1; i < MAX_MEMORY_RANGES; i++)
		assert_true(memory_map_add(0x1000000 + (i << 13), PAGE_SIZE, 1));
	assert_int_equal(memory_map_entries, MAX_MEMORY_RANGES);
	assert_false(memory_map_add(0x2000000, PAGE_SIZE, 1));
	assert_false(memory_map_add(0x100000, PAGE_SIZE, 2));
	assert_int_equal(memory_map_entries, MAX_MEMORY_RANGES);
}

static void test_random(void **state)
{
	srand(1);
	for (unsigned int round = 0; round < 20000; round++) {
		reset(NULL);
		for (unsigned int n = rand() % 12; n; n--) {
			paddr_t start = rand() % (PAGES << PAGE_SHIFT);
			uint64_t size = rand() % ((PAGES << PAGE_SHIFT) - start + 1);
			uint32_t type = 1 + rand() % 5;

			if (rand() % 2) {
				start &= PAGE_MASK;
				size &= PAGE_MASK;
			}
			assert_true(memory_map_add(start, size, type));
			model_add(start, size, type);
			check_against_model();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_pc, reset),
	    cmocka_unit_test_setup(test_odd_types, reset),
	    cmocka_unit_test_setup(test_extremes, reset),
	    cmocka_unit_test_setup(test_full, reset),
	    cmocka_unit_test_setup(test_random, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
