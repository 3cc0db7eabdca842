/* SPDX-License-Identifier: MIT */
// sources: hypervisor/lib/format.c
// flags: -Wno-format -Wno-format-truncation
#include "unit.h"
#include "lib/lib.h"

/* Whatever snprintf says. */
#define SAME(...)                                                                      \
	do {                                                                           \
		char ours_[256], theirs_[256];                                         \
		int n_ = format(ours_, sizeof(ours_), __VA_ARGS__);                    \
		assert_int_equal(n_, snprintf(theirs_, sizeof(theirs_), __VA_ARGS__)); \
		assert_string_equal(ours_, theirs_);                                   \
	} while (0)

static void test_plain(void **state)
{
	SAME("text, 100%% of it");
	SAME("%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd');
	SAME("%s|%10s|%-10s|%.2s|%10.2s|%-10.2s|%.0s|", "one", "two", "three", "four", "five",
	     "six", "seven");
	SAME("%*s|%*s|%.*s|%.*s", 6, "a", -6, "b", 1, "cd", -1, "ef");
}

static void test_integers(void **state)
{
	static const long values[] = {
	    0,	 1,	-1,    7,	  8,	     42,	-42,	   255,
	    256, 65535, 65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 0x123456789abcdef};
	static const char flags[][5] = {"",   "-",  "0",  "+",	" ",  "#",
					"-0", "+0", " 0", "#0", "-#", "+-"};
	static const char sizes[][8] = {"",   "1",  "5",   "24",  ".0",
					".1", ".5", "8.3", "3.8", "24.20"};
	static const char lengths[][3] = {"hh", "h", "", "l", "ll", "z", "j", "t"};
	static const char conversions[] = "diuxXo";

	for (unsigned int f = 0; f < ARRAY_SIZE(flags); f++)
		for (unsigned int s = 0; s < ARRAY_SIZE(sizes); s++)
			for (unsigned int l = 0; l < ARRAY_SIZE(lengths); l++)
				for (const char *c = conversions; *c; c++)
					for (unsigned int v = 0; v < ARRAY_SIZE(values); v++) {
						char fmt[32];

						snprintf(fmt, sizeof(fmt), "<%%%s%s%s%c>", flags[f],
							 sizes[s], lengths[l], *c);
						SAME(fmt, values[v]);
					}
}

static void test_pointer(void **state)
{
	char buf[32];

	SAME("%p|%20p|%-20p|", (void *)0x1000, (void *)0xffff828000200000, (void *)1);
	format(buf, sizeof(buf), "%p", NULL);
	assert_string_equal(buf, "0");
}

static void test_null_string(void **state)
{
	char buf[32];

	format(buf, sizeof(buf), "%s", (char *)NULL);
	assert_string_equal(buf, "(null)");
}

static void test_limits(void **state)
{
	char buf[8] = "xxxxxxx";

	assert_int_equal(format(buf, 0, "%d", 12345), 5);
	assert_int_equal(buf[0], 'x');
	assert_int_equal(format(buf, 1, "%d", 12345), 5);
	assert_string_equal(buf, "");
	assert_int_equal(format(buf, 5, "%d", 12345), 5);
	assert_string_equal(buf, "1234");
	assert_int_equal(buf[5], 'x');
	assert_int_equal(format(buf, 6, "%d", 12345), 5);
	assert_string_equal(buf, "12345");
	assert_int_equal(format(buf, sizeof(buf), "%1000s", "a"), 1000);
	assert_string_equal(buf, "       ");
	assert_int_equal(format(buf, sizeof(buf), "%-1000d", 7), 1000);
	assert_string_equal(buf, "7      ");
	assert_int_equal(format(buf, sizeof(buf), "%.1000d", 7), 1000);
	assert_string_equal(buf, "0000000");
	/* A string that is not terminated, with a precision: no byte beyond is read. */
	assert_int_equal(format(buf, sizeof(buf), "%.3s", (const char[]){'a', 'b', 'c'}), 3);
	assert_string_equal(buf, "abc");
}

static void test_unknown(void **state)
{
	char buf[32];

	format(buf, sizeof(buf), "%y %d", 5);
	assert_string_equal(buf, "%y 5");
	format(buf, sizeof(buf), "50%");
	assert_string_equal(buf, "50%");
	format(buf, sizeof(buf), "%-05l");
	assert_string_equal(buf, "%-05l");
	format(buf, sizeof(buf), "%n", buf);
	assert_string_equal(buf, "%n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),   cmocka_unit_test(test_integers),
	    cmocka_unit_test(test_pointer), cmocka_unit_test(test_null_string),
	    cmocka_unit_test(test_limits),  cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
