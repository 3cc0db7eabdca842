/* SPDX-License-Identifier: MIT */
// sources: hypervisor/lib/number.c
#include "unit.h"
#include "lib/lib.h"

/* The number, where it must end, and whether it must overflow. */
static void number(const char *text, uint64_t want, size_t used, bool want_overflow)
{
	const char *end;
	bool overflow;

	assert_int_equal(parse_number(text, &end, &overflow), want);
	assert_int_equal(end - text, used);
	assert_int_equal(overflow, want_overflow);
	assert_int_equal(parse_number(text, NULL, NULL), want);
}

static void size(const char *text, uint64_t want, size_t used, bool want_overflow)
{
	const char *end;
	bool overflow;

	assert_int_equal(parse_size(text, &end, &overflow), want);
	assert_int_equal(end - text, used);
	assert_int_equal(overflow, want_overflow);
	assert_int_equal(parse_size(text, NULL, NULL), want);
}

static void test_number(void **state)
{
	number("0", 0, 1, false);
	number("42", 42, 2, false);
	number("42,8n1", 42, 2, false);
	number("0x2f8", 0x2f8, 5, false);
	number("0XffFF", 0xffff, 6, false);
	number("017", 15, 3, false);
	number("018", 1, 2, false);
	number("08", 0, 1, false);
	number("0x", 0, 1, false);
	number("0xg", 0, 1, false);
	number("", 0, 0, false);
	number("lots", 0, 0, false);
	number("-1", 0, 0, false);
	number("+1", 0, 0, false);
	number(" 1", 0, 0, false);
	number("12ab", 12, 2, false);
}

static void test_overflow(void **state)
{
	number("18446744073709551615", UINT64_MAX, 20, false);
	number("18446744073709551616", UINT64_MAX, 20, true);
	number("99999999999999999999999x", UINT64_MAX, 23, true);
	number("0xffffffffffffffff", UINT64_MAX, 18, false);
	number("0x10000000000000000", UINT64_MAX, 19, true);
	number("01777777777777777777777", UINT64_MAX, 23, false);
	number("02000000000000000000000", UINT64_MAX, 23, true);
}

static void test_size(void **state)
{
	size("1", 1024, 1, false);
	size("1B", 1, 2, false);
	size("1b", 1, 2, false);
	size("3k", 3 << 10, 2, false);
	size("256M", 256UL << 20, 4, false);
	size("256m,max:512M", 256UL << 20, 4, false);
	size("2G", 2UL << 30, 2, false);
	size("1T", 1UL << 40, 2, false);
	size("0x10k", 16 << 10, 5, false);
	size("1MM", 1 << 20, 2, false);
	size("7x", 7 << 10, 1, false);
	size("M", 0, 0, false);
	size("", 0, 0, false);
	size("16777215T", 16777215UL << 40, 9, false);
	size("16777216T", UINT64_MAX, 9, true);
	size("18446744073709551616B", UINT64_MAX, 21, true);
}

static void test_bool(void **state)
{
	static const char *const yes[] = {"1", "on", "yes", "true", "enable"};
	static const char *const no[] = {"0", "off", "no", "false", "disable"};
	static const char *const neither[] = {"", "2", "On", "perhaps", "yes ", "truel", "10", "o"};

	for (unsigned int i = 0; i < ARRAY_SIZE(yes); i++)
		assert_int_equal(parse_bool(yes[i]), 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(no); i++)
		assert_int_equal(parse_bool(no[i]), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(neither); i++)
		assert_int_equal(parse_bool(neither[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_number),
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_size),
	    cmocka_unit_test(test_bool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
