/* SPDX-License-Identifier: MIT */
// sources: hypervisor/lib/format.c
// flags: -Wno-format-nonliteral -Wno-format-security
// runs: 200000
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/lib.h"

/*
 * Conversions that the input composes, one at a time: the result is the C library's, the buffer's end is
 * respected for every size. Then the input as a format of its own, which may be nonsense.
 */
static const uint8_t *in;
static size_t left;

static uint64_t take(unsigned int bytes)
{
	uint64_t n = 0;

	while (bytes-- && left) {
		n = n << 8 | *in++;
		left--;
	}
	return n;
}

static void same(size_t size, const char *fmt, int width, int precision, uint64_t value)
{
	char ours[300], theirs[300];
	char conversion = fmt[strlen(fmt) - 2];
	int n, m;

	memset(ours, 'x', sizeof(ours));
	memset(theirs, 'x', sizeof(theirs));
	if (conversion == 's') {
		char text[9] = {0};

		memcpy(text, &value, 8);
		n = format(ours, size, fmt, width, precision, text);
		m = snprintf(theirs, size, fmt, width, precision, text);
	} else {
		n = format(ours, size, fmt, width, precision, value);
		m = snprintf(theirs, size, fmt, width, precision, value);
	}
	if (n != m || memcmp(ours, theirs, sizeof(ours)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const lengths[] = {"", "h", "hh", "l", "ll", "z", "j", "t"};
	static const char flags[] = "-0+ #";
	static const char conversions[] = "diuxXosc";
	char fmt[64], buf[32], *text;

	in = data;
	left = size;
	while (left) {
		unsigned int f = take(1), len;
		char c = conversions[take(1) % 8];

		len = snprintf(fmt, sizeof(fmt), "<%%");
		for (unsigned int i = 0; i < 5; i++) {
			/* Zeros before text and signs before unsigned numbers are undefined in C. */
			if ((f >> i & 1) &&
			    (flags[i] == '-' ||
			     (c != 's' && c != 'c' &&
			      (flags[i] != '#' || (c != 'd' && c != 'i' && c != 'u')))))
				fmt[len++] = flags[i];
		}
		snprintf(fmt + len, sizeof(fmt) - len, "*.*%s%c>",
			 c == 's' || c == 'c' ? "" : lengths[take(1) % 8], c);
		same(take(1) % 300, fmt, (int8_t)take(1), (int8_t)take(1), take(8));
	}

	/* Arguments for whatever it asks: numbers that are also pointers to a text. */
	text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
#define ARGS buf, buf, buf, buf, buf, buf, buf, buf, buf, buf, buf, buf, buf, buf, buf, buf
	memcpy(buf, "abcdefg", 8);
	size_t specials = 0;
	for (size_t i = 0; i < size; i++)
		specials += text[i] == '%' || text[i] == '*';
	if (specials <= 16) {
		char out[64];

		format(out, sizeof(out), text, ARGS);
		if (strnlen(out, sizeof(out)) == sizeof(out))
			abort();
	}
	free(text);
	return 0;
}
