/* SPDX-License-Identifier: MIT */
// sources: hypervisor/lib/string.c
// flags: -fno-builtin -Dmemcpy=hv_memcpy -Dmemmove=hv_memmove -Dmemset=hv_memset -Dmemcmp=hv_memcmp -Dstrlen=hv_strlen -Dstrnlen=hv_strnlen -Dstrcmp=hv_strcmp -Dstrncmp=hv_strncmp -Dstrchr=hv_strchr -Dstrstr=hv_strstr
#include "unit.h"
#include "lib/lib.h"

/* Our functions are renamed, so that the C library's stay what they are. All lengths and alignments
 * around a word are tried in a buffer whose other bytes must not change. */
#define SIZE 64

static uint8_t a[SIZE], b[SIZE], want[SIZE];

static void fill(void)
{
	for (unsigned int i = 0; i < SIZE; i++) {
		a[i] = i + 1;
		b[i] = want[i] = 0x80 + i;
	}
}

static void same(const uint8_t *x, const uint8_t *y)
{
	for (unsigned int i = 0; i < SIZE; i++)
		assert_int_equal(x[i], y[i]);
}

static void test_memcpy(void **state)
{
	for (unsigned int from = 0; from < 9; from++) {
		for (unsigned int to = 0; to < 9; to++) {
			for (unsigned int n = 0; n < 40; n++) {
				fill();
				for (unsigned int i = 0; i < n; i++)
					want[to + i] = a[from + i];
				assert_ptr_equal(memcpy(b + to, a + from, n), b + to);
				same(b, want);
			}
		}
	}
}

static void test_memmove(void **state)
{
	uint8_t copy[SIZE];

	for (unsigned int from = 0; from < 20; from++) {
		for (unsigned int to = 0; to < 20; to++) {
			for (unsigned int n = 0; n < 40; n++) {
				fill();
				for (unsigned int i = 0; i < SIZE; i++)
					copy[i] = b[i];
				for (unsigned int i = 0; i < n; i++)
					want[to + i] = copy[from + i];
				assert_ptr_equal(memmove(b + to, b + from, n), b + to);
				same(b, want);
			}
		}
	}
}

static void test_memset(void **state)
{
	for (unsigned int to = 0; to < 9; to++) {
		for (unsigned int n = 0; n < 40; n++) {
			fill();
			for (unsigned int i = 0; i < n; i++)
				want[to + i] = 0xa5;
			assert_ptr_equal(memset(b + to, 0xffa5, n), b + to);
			same(b, want);
		}
	}
}

static void test_memcmp(void **state)
{
	assert_int_equal(memcmp("abc", "abd", 2), 0);
	assert_true(memcmp("abc", "abd", 3) < 0);
	assert_true(memcmp("\x80", "\x7f", 1) > 0);
	assert_int_equal(memcmp("a\0b", "a\0b", 3), 0);
	assert_true(memcmp("a\0c", "a\0b", 3) > 0);
	assert_int_equal(memcmp("x", "y", 0), 0);
}

static void test_lengths(void **state)
{
	assert_int_equal(strlen(""), 0);
	assert_int_equal(strlen("four"), 4);
	assert_int_equal(strnlen("four", 10), 4);
	assert_int_equal(strnlen("four", 4), 4);
	assert_int_equal(strnlen("four", 3), 3);
	assert_int_equal(strnlen("four", 0), 0);
}

static void test_compare(void **state)
{
	assert_int_equal(strcmp("", ""), 0);
	assert_int_equal(strcmp("abc", "abc"), 0);
	assert_true(strcmp("abc", "abcd") < 0);
	assert_true(strcmp("abcd", "abc") > 0);
	assert_true(strcmp("\xff", "a") > 0);
	assert_int_equal(strncmp("abcx", "abcy", 3), 0);
	assert_true(strncmp("abcx", "abcy", 4) < 0);
	assert_int_equal(strncmp("ab", "ab", 100), 0);
	assert_true(strncmp("ab", "abc", 100) < 0);
	assert_int_equal(strncmp("a", "b", 0), 0);
}

static void test_search(void **state)
{
	const char *s = "hypervisor";

	assert_ptr_equal(strchr(s, 'h'), s);
	assert_ptr_equal(strchr(s, 'r'), s + 4);
	assert_ptr_equal(strchr(s, '\0'), s + 10);
	assert_null(strchr(s, 'x'));
	assert_ptr_equal(strstr(s, "visor"), s + 5);
	assert_ptr_equal(strstr(s, ""), s);
	assert_null(strstr(s, "visors"));
	assert_null(strstr("", "a"));
	s = "aaab";
	assert_ptr_equal(strstr(s, "aab"), s + 1);
}

static void test_copy_string(void **state)
{
	char buf[6] = "xxxxx";

	assert_int_equal(copy_string(buf, "ab", sizeof(buf)), 2);
	assert_string_equal(buf, "ab");
	assert_int_equal(buf[3], 'x');
	assert_int_equal(copy_string(buf, "abcde", sizeof(buf)), 5);
	assert_string_equal(buf, "abcde");
	assert_int_equal(copy_string(buf, "abcdefgh", sizeof(buf)), 8);
	assert_string_equal(buf, "abcde");
	assert_int_equal(copy_string(buf, "abc", 1), 3);
	assert_string_equal(buf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_memcpy),  cmocka_unit_test(test_memmove),
	    cmocka_unit_test(test_memset),  cmocka_unit_test(test_memcmp),
	    cmocka_unit_test(test_lengths), cmocka_unit_test(test_compare),
	    cmocka_unit_test(test_search),  cmocka_unit_test(test_copy_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
