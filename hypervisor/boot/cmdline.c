/* SPDX-License-Identifier: MIT */
/* The hypervisor's command line: words separated by spaces, each for an option of lib/option.h's table. */
#include "boot/boot.h"
#include "console/console.h"
#include "lib/errno.h"
#include "lib/image.h"
#include "lib/lib.h"
#include "lib/option.h"

#define WORD_MAX 256

/* What a word says about an option. */
enum form { BARE, NEGATED, VALUE };

static int set_bool(const struct option *o, enum form form, const char *value)
{
	int b = form == VALUE ? parse_bool(value) : form == BARE;

	if (b < 0)
		return -EINVAL;
	*(bool *)o->var = b;
	return 0;
}

static int set_uint(const struct option *o, enum form form, const char *value)
{
	const char *end;
	bool overflow;
	uint64_t n = parse_number(value, &end, &overflow);

	if (form != VALUE || end == value || *end || overflow || n > UINT32_MAX)
		return -EINVAL;
	*(unsigned int *)o->var = n;
	return 0;
}

static int set_size(const struct option *o, enum form form, const char *value)
{
	const char *end;
	bool overflow;
	uint64_t n = parse_size(value, &end, &overflow);

	if (form != VALUE || end == value || *end || overflow)
		return -EINVAL;
	*(uint64_t *)o->var = n;
	return 0;
}

static int set_string(const struct option *o, enum form form, const char *value)
{
	if (form == NEGATED || strlen(value) >= o->len)
		return -EINVAL;
	copy_string(o->var, value, o->len);
	return 0;
}

static int set(const struct option *o, enum form form, const char *value)
{
	switch (o->kind) {
	case OPTION_BOOL:
		return set_bool(o, form, value);
	case OPTION_UINT:
		return set_uint(o, form, value);
	case OPTION_SIZE:
		return set_size(o, form, value);
	case OPTION_STRING:
		return set_string(o, form, value);
	case OPTION_CUSTOM:
		return o->parse(form == NEGATED ? "no" : value);
	}
	return -EINVAL;
}

/* Is the option's name the len characters at word? A hyphen and an underscore are the same. */
static bool is_name(const char *name, const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char a = name[i] == '_' ? '-' : name[i], b = word[i] == '_' ? '-' : word[i];

		if (a != b) /* also at name's end: word has no NUL among these */
			return false;
	}
	return name[len] == '\0';
}

/* Give the word to each option of its name: several parts may listen to one. */
static bool parse_form(const char *word, const char *name, size_t len, enum form form,
		       const char *value, const struct option *table, size_t n)
{
	bool known = false;

	for (const struct option *o = table; o < table + n; o++) {
		if (!is_name(o->name, name, len))
			continue;
		if (set(o, form, value) && !known)
			printk(LOG_WARN "%s is malformed: %s\n", word, o->help);
		known = true;
	}
	return known;
}

static void parse_word(const char *word, const struct option *table, size_t n)
{
	const char *equals = strchr(word, '=');

	if (equals) {
		if (parse_form(word, word, equals - word, VALUE, equals + 1, table, n))
			return;
	} else {
		/* The whole word first, for options whose name begins with "no": noreboot. */
		if (parse_form(word, word, strlen(word), BARE, "", table, n))
			return;
		if (strncmp(word, "no-", 3) == 0 &&
		    parse_form(word, word + 3, strlen(word + 3), NEGATED, "", table, n))
			return;
	}
	printk(LOG_WARN "unknown option '%s'\n", word);
}

void option_parse_table(const char *cmdline, const struct option *table, size_t n)
{
	char word[WORD_MAX];

	while (*cmdline) {
		size_t len = 0;

		while (*cmdline == ' ' || *cmdline == '\t')
			cmdline++;
		while (cmdline[len] && cmdline[len] != ' ' && cmdline[len] != '\t')
			len++;
		if (len >= sizeof(word)) {
			printk(LOG_WARN "an option of %zu characters is ignored: '%.32s...'\n", len,
			       cmdline);
		} else if (len) {
			memcpy(word, cmdline, len);
			word[len] = '\0';
			parse_word(word, table, n);
		}
		cmdline += len;
	}
}

void option_parse(const char *cmdline)
{
	option_parse_table(cmdline, options_start, options_end - options_start);
}
