/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/cmdline.c hypervisor/lib/number.c
// runs: 100000
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "boot/boot.h"
#include "console/console.h"
#include "lib/lib.h"
#include "lib/option.h"

/* Any text as a command line: variables change only within their bounds, complaints hold whole words. */
static struct {
	bool flag;
	char guard1[3];
	char text[4];
	char guard2[4];
	unsigned int number;
	uint64_t size;
} v;

static int parse_custom(const char *value)
{
	return strlen(value) % 2 ? -EINVAL : 0;
}

static const struct option table[] = {
    {.name = "noreboot", .kind = OPTION_BOOL, .var = &v.flag, .help = "h"},
    {.name = "n", .kind = OPTION_UINT, .var = &v.number, .help = "h"},
    {.name = "m_", .kind = OPTION_SIZE, .var = &v.size, .help = "h"},
    {.name = "t", .kind = OPTION_STRING, .var = v.text, .len = sizeof(v.text), .help = "h"},
    {.name = "no", .kind = OPTION_CUSTOM, .parse = parse_custom, .help = "h"},
};

size_t copy_string(char *dst, const char *src, size_t size)
{
	return snprintf(dst, size, "%s", src);
}

void printk(const char *fmt, ...)
{
	char line[600];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(line, sizeof(line), fmt, ap) >= (int)sizeof(line))
		abort();
	va_end(ap);
	if (strncmp(line, LOG_WARN, 3) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);

	memcpy(line, data, size);
	line[size] = '\0';
	memset(&v, 0, sizeof(v));
	option_parse_table(line, table, ARRAY_SIZE(table));
	free(line);
	for (unsigned int i = 0; i < sizeof(v.guard1); i++) {
		if (v.guard1[i] || v.guard2[i])
			abort();
	}
	if (v.text[sizeof(v.text) - 1])
		abort();
	return 0;
}
