/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/range_set.c
/* Sets of ranges, against a bit for each number. */
#include "unit.h"
#include "lib/errno.h"
#include "mm/range_set.h"
#include "mm/mm.h"

#define NUMBERS 400

static struct range_set set;
static bool in[NUMBERS];
static bool no_memory;
static uint64_t seed = 1;

void *kzalloc(size_t size)
{
	return no_memory ? NULL : calloc(1, size);
}

void kfree(void *p)
{
	free(p);
}

void spin_lock_slow(spinlock_t *lock, uint16_t ticket)
{
	fail_msg("the lock is taken twice");
}

static unsigned int pick(unsigned int n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)((seed >> 33) % n);
}

static int reset(void **state)
{
	range_set_free(&set);
	memset(in, 0, sizeof(in));
	return 0;
}

/* Ascending, apart, and just what the model has. */
static void check(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NUMBERS; n++) {
		unsigned int end;

		while (i < NUMBERS && !in[i])
			i++;
		for (end = i; end < NUMBERS && in[end];)
			end++;
		if (i == NUMBERS)
			break;
		assert_true(n < set.count);
		assert_int_equal(set.range[n].first, i);
		assert_int_equal(set.range[n].last, end - 1);
		i = end;
	}
	assert_int_equal(set.count, n);
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int first = pick(NUMBERS), last = first + pick(NUMBERS - first);
		bool all = true;

		for (unsigned int j = first; j <= last; j++)
			all = all && in[j];
		assert_int_equal(range_set_has(&set, first, last), all);
	}
}

static unsigned int ranges_of_model(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NUMBERS; i++)
		n += in[i] && (i == 0 || !in[i - 1]);
	return n;
}

static void test_model(void **state)
{
	unsigned int full = 0;

	for (unsigned int i = 0; i < 30000; i++) {
		unsigned int first = pick(NUMBERS), last = first + pick(pick(100) ? 2 : 60);
		bool before[NUMBERS], add = pick(3);
		int rc;

		last = last < NUMBERS ? last : NUMBERS - 1;
		memcpy(before, in, sizeof(in));
		for (unsigned int j = first; j <= last; j++)
			in[j] = add;
		rc = range_set_change(&set, first, last, add);
		/* Refused only if there would be too many; then nothing is changed. */
		assert_int_equal(rc, ranges_of_model() > RANGE_SET_MAX ? -ENOSPC : 0);
		if (rc) {
			memcpy(in, before, sizeof(in));
			full++;
		}
		check();
	}
	assert_true(full > 10);
}

static void test_ends(void **state)
{
	assert_false(range_set_has(&set, 0, 0));
	assert_int_equal(range_set_remove(&set, 0, UINT64_MAX), 0);
	assert_int_equal(range_set_add(&set, UINT64_MAX, UINT64_MAX), 0);
	assert_int_equal(range_set_add(&set, 0, 0), 0);
	assert_int_equal(set.count, 2);
	assert_true(range_set_has(&set, UINT64_MAX, UINT64_MAX));
	assert_false(range_set_has(&set, 0, UINT64_MAX));
	assert_int_equal(range_set_add(&set, 1, UINT64_MAX - 1), 0);
	assert_int_equal(set.count, 1);
	assert_true(range_set_has(&set, 0, UINT64_MAX));
	assert_int_equal(range_set_remove(&set, 0, 0), 0);
	assert_int_equal(range_set_remove(&set, UINT64_MAX, UINT64_MAX), 0);
	assert_int_equal(set.range[0].first, 1);
	assert_int_equal(set.range[0].last, UINT64_MAX - 1);
	assert_int_equal(range_set_remove(&set, 0, UINT64_MAX), 0);
	assert_int_equal(set.count, 0);
}

static void test_no_memory(void **state)
{
	no_memory = true;
	assert_int_equal(range_set_add(&set, 1, 2), -ENOMEM);
	no_memory = false;
	assert_false(range_set_has(&set, 1, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_model, reset, reset),
	    cmocka_unit_test_setup_teardown(test_ends, reset, reset),
	    cmocka_unit_test_setup_teardown(test_no_memory, reset, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
