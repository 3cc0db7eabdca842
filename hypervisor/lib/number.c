/* SPDX-License-Identifier: MIT */
/* Numbers, sizes and truth values as words of a command line. */
#include "lib/lib.h"

static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

uint64_t parse_number(const char *s, const char **end, bool *overflow)
{
	unsigned int base = 10;
	uint64_t n = 0;
	bool over = false;

	if (s[0] == '0') {
		base = 8;
		if ((s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16) {
			base = 16;
			s += 2;
		}
	}
	for (; digit_value(*s) < base; s++) {
		if (__builtin_mul_overflow(n, base, &n) ||
		    __builtin_add_overflow(n, digit_value(*s), &n))
			over = true;
	}
	if (end)
		*end = s;
	if (overflow)
		*overflow = over;
	return over ? UINT64_MAX : n;
}

uint64_t parse_size(const char *s, const char **end, bool *overflow)
{
	bool over;
	const char *e;
	uint64_t n = parse_number(s, &e, &over);
	unsigned int shift = 10;

	if (e != s) {
		const char *suffix = strchr("bBkKmMgGtT", *e);

		if (*e && suffix) {
			shift = (suffix - "bBkKmMgGtT") / 2 * 10;
			e++;
		}
	}
	if (n > UINT64_MAX >> shift)
		over = true;
	if (end)
		*end = e;
	if (overflow)
		*overflow = over;
	return over ? UINT64_MAX : n << shift;
}

int parse_bool(const char *s)
{
	static const char words[][8] = {"0", "off", "no",  "false", "disable",
					"1", "on",  "yes", "true",  "enable"};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(s, words[i]) == 0)
			return i >= 5;
	}
	return -1;
}
