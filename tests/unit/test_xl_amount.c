/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/xl/amount.c
#include "unit.h"
#include "xl/amount.h"

static void assert_amount(const char *text, uint64_t expected)
{
	uint64_t kib = 0;

	assert_true(amount_parse(text, &kib));
	assert_int_equal(kib, expected);
}

/* The default is KiB, as xl(1) has it. */
static void test_amounts(void **state)
{
	uint64_t kib;

	assert_amount("65536", 65536);
	assert_amount("64m", 64 << 10);
	assert_amount("2G", 2 << 20);
	assert_amount("1t", 1 << 30);
	assert_amount("10k", 10);
	assert_amount("8192b", 8);
	assert_amount("1023b", 0);
	assert_amount("0x10m", 16 << 10);
	assert_false(amount_parse("", &kib));
	assert_false(amount_parse("m", &kib));
	assert_false(amount_parse("-1", &kib));
	assert_false(amount_parse("1x", &kib));
	assert_false(amount_parse("1mb", &kib));
	assert_false(amount_parse("18446744073709551616", &kib));
	assert_false(amount_parse("99999999999999999g", &kib));
	assert_amount("16777215t", 16777215ull << 30);
	assert_false(amount_parse("16777216t", &kib));
}

static void test_numbers(void **state)
{
	unsigned long n;

	assert_true(number_parse("10", 10, &n));
	assert_int_equal(n, 10);
	assert_false(number_parse("11", 10, &n));
	assert_false(number_parse("1a", 10, &n));
	assert_false(number_parse("", 10, &n));
	assert_false(number_parse("+1", 10, &n));
	assert_false(number_parse("99999999999999999999", ~0ul, &n));
}

static void test_distance(void **state)
{
	assert_int_equal(text_distance("list", "list"), 0);
	assert_int_equal(text_distance("lst", "list"), 1);
	assert_int_equal(text_distance("craete", "create"), 2);
	assert_int_equal(text_distance("", "list"), 4);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	assert_true(text_distance("an argument that is longer than any", "list") > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_amounts),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
