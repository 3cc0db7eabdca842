/* SPDX-License-Identifier: MIT */
#include "xl/config.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Messages */

#define MESSAGE 512

static void report_line(struct report *report, const char *file, unsigned int line,
			const char *kind, const char *format, va_list arguments)
{
	char text[MESSAGE];
	int length = 0;

	if (file && line)
		length = snprintf(text, sizeof(text), "%s:%u: %s", file, line, kind);
	else if (file)
		length = snprintf(text, sizeof(text), "%s: %s", file, kind);
	else
		length = snprintf(text, sizeof(text), "%s", kind);
	if (length < 0 || (size_t)length >= sizeof(text))
		length = 0;
	vsnprintf(text + length, sizeof(text) - (size_t)length, format, arguments);
	/* What is quoted may hold anything; a terminal shall not obey it. */
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at >= 0x7f)
			*at = '?';
	report->say(report, text);
}

void report_error(struct report *report, const char *file, unsigned int line, const char *format,
		  ...)
{
	va_list arguments;

	report->errors++;
	va_start(arguments, format);
	report_line(report, file, line, "", format, arguments);
	va_end(arguments);
}

void report_warning(struct report *report, const char *file, unsigned int line, const char *format,
		    ...)
{
	va_list arguments;

	report->warnings++;
	va_start(arguments, format);
	report_line(report, file, line, "warning: ", format, arguments);
	va_end(arguments);
}

void report_nothing(struct report *report, const char *message)
{
}

/* Characters: ASCII alone, whatever the locale. */

static bool is_key_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_key_part(char c)
{
	return is_key_start(c) || is_digit(c) || c == '.';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The text being read. */

struct reader {
	struct config *config;
	struct report *report;
	const char *file;
	const char *at, *end;
	unsigned int line;
};

/* The character to come; 0 at the end, which a NUL in the text is taken for nowhere. */
static char peek(const struct reader *r)
{
	return r->at < r->end ? *r->at : 0;
}

static bool no_memory(struct reader *r)
{
	report_error(r->report, r->file, r->line, "out of memory");
	return false;
}

/* Say what was expected and what is there instead. */
static bool expected(struct reader *r, const char *what)
{
	char found[48];
	size_t length = 0;

	if (r->at == r->end)
		snprintf(found, sizeof(found), "the end");
	else if (*r->at == '\n')
		snprintf(found, sizeof(found), "the end of the line");
	else {
		while (length < 24 && r->at + length < r->end && r->at[length] >= ' ' &&
		       r->at[length] < 0x7f)
			length++;
		if (length)
			snprintf(found, sizeof(found), "`%.*s'", (int)length, r->at);
		else
			snprintf(found, sizeof(found), "character 0x%02x", (unsigned char)*r->at);
	}
	report_error(r->report, r->file, r->line, "expected %s, found %s", what, found);
	return false;
}

static void skip_blanks(struct reader *r)
{
	while (peek(r) == ' ' || peek(r) == '\t' ||
	       (peek(r) == '\r' && r->at + 1 < r->end && r->at[1] == '\n'))
		r->at++;
	if (peek(r) == '#')
		while (r->at < r->end && *r->at != '\n')
			r->at++;
}

static void skip_blank_lines(struct reader *r)
{
	for (;;) {
		skip_blanks(r);
		if (peek(r) != '\n')
			return;
		r->line++;
		r->at++;
	}
}

/* Values */

/* What follows a \ in a string: its value, or -1 after saying what is wrong. r->at is past it. */
static int read_escape(struct reader *r)
{
	static const char letters[] = "abfnrtv\\'\"", values[] = "\a\b\f\n\r\t\v\\'\"";
	char c = peek(r);
	const char *letter = c ? strchr(letters, c) : NULL;
	int value = 0, high, low;

	if (letter) {
		r->at++;
		return values[letter - letters];
	}
	if (c == 'x' && r->end - r->at >= 3 && (high = hex_digit(r->at[1])) >= 0 &&
	    (low = hex_digit(r->at[2])) >= 0) {
		value = high * 16 + low;
	} else if (c >= '0' && c <= '3' && r->end - r->at >= 3 && hex_digit(r->at[1]) >= 0 &&
		   hex_digit(r->at[1]) < 8 && hex_digit(r->at[2]) >= 0 && hex_digit(r->at[2]) < 8) {
		value = (c - '0') * 64 + (r->at[1] - '0') * 8 + (r->at[2] - '0');
	} else {
		expected(
		    r,
		    "one of a b f n r t v \\ ' \", x and two hexadecimal digits, or three octal digits after \\");
		return -1;
	}
	if (value == 0) {
		report_error(r->report, r->file, r->line, "a string cannot hold a character 0");
		return -1;
	}
	r->at += 3;
	return value;
}

/* The closing quote is found first, so that one allocation is enough: no character becomes longer. */
static bool read_string(struct reader *r, struct config_value *value)
{
	char quote = *r->at++, *to;
	const char *end;

	for (end = r->at; end < r->end && *end != quote && *end != '\n'; end++)
		if (*end == '\\' && end + 1 < r->end && end[1] != '\n')
			end++;
	if (end >= r->end || *end != quote) {
		report_error(r->report, r->file, r->line,
			     "expected %s before the end of the line: the string is not closed",
			     quote == '"' ? "\"" : "'");
		return false;
	}
	value->kind = CONFIG_STRING;
	value->text = to = pool_alloc(&r->config->pool, (size_t)(end - r->at) + 1);
	if (!to)
		return no_memory(r);
	while (r->at < end) {
		int c = (unsigned char)*r->at++;

		if (c == '\\')
			c = read_escape(r);
		else if (c == 0)
			report_error(r->report, r->file, r->line,
				     "a string cannot hold a character 0");
		if (c <= 0)
			return false;
		*to++ = (char)c;
	}
	r->at = end + 1;
	return true;
}

static bool read_number(struct reader *r, struct config_value *value)
{
	const char *start = r->at;
	bool hex = *start == '0' && r->end - start > 1 && (start[1] == 'x' || start[1] == 'X');
	bool octal = *start == '0' && !hex;

	if (hex)
		r->at += 2;
	while (r->at < r->end && (hex ? hex_digit(*r->at) >= 0 : is_digit(*r->at))) {
		if (octal && *r->at > '7')
			return expected(r, "an octal digit, since the number begins with 0");
		r->at++;
	}
	if (hex && r->at == start + 2)
		return expected(r, "a hexadecimal digit");
	if (is_key_part(peek(r)))
		return expected(r, "a number to end");
	value->kind = CONFIG_NUMBER;
	value->text = pool_copy(&r->config->pool, start, (size_t)(r->at - start));
	return value->text || no_memory(r);
}

static bool read_value(struct reader *r, struct config_value *value, unsigned int depth);

static bool read_list(struct reader *r, struct config_value *value, unsigned int depth)
{
	struct config_value **last = &value->items;

	if (depth == CONFIG_DEPTH) {
		report_error(r->report, r->file, r->line, "lists are nested more than %u deep",
			     CONFIG_DEPTH);
		return false;
	}
	value->kind = CONFIG_LIST;
	r->at++;
	skip_blank_lines(r);
	while (peek(r) != ']') {
		*last = pool_alloc(&r->config->pool, sizeof(**last));
		if (!*last)
			return no_memory(r);
		if (!read_value(r, *last, depth + 1))
			return false;
		last = &(*last)->next;
		skip_blank_lines(r);
		if (peek(r) == ',') {
			r->at++;
			skip_blank_lines(r);
		} else if (peek(r) != ']') {
			return expected(r, "`,' or `]' in a list");
		}
	}
	r->at++;
	return true;
}

static bool read_value(struct reader *r, struct config_value *value, unsigned int depth)
{
	value->line = r->line;
	if (peek(r) == '"' || peek(r) == '\'')
		return read_string(r, value);
	if (is_digit(peek(r)))
		return read_number(r, value);
	if (peek(r) == '[')
		return read_list(r, value, depth);
	return expected(r, depth ? "a string in quotes, a number, a list or `]'"
				 : "a string in quotes, a number or a list after `='");
}

/* Settings */

static struct config_setting *find(const struct config *config, const char *key)
{
	for (struct config_setting *setting = config->settings; setting; setting = setting->next)
		if (!strcmp(setting->key, key))
			return setting;
	return NULL;
}

const struct config_setting *config_find(const struct config *config, const char *key)
{
	return find(config, key);
}

/* The link to an item of a list, or to its end; NULL: it ends before. */
static struct config_value **list_item(struct config_setting *setting, unsigned int index)
{
	struct config_value **link = &setting->value.items;

	for (; index && *link; index--)
		link = &(*link)->next;
	return index ? NULL : link;
}

bool config_list_set(struct config *config, const char *key, unsigned int index, const char *text)
{
	struct config_setting *setting = find(config, key), **last = &config->settings;
	struct config_value **link, *item;

	if (!setting) {
		setting = pool_alloc(&config->pool, sizeof(*setting));
		if (!setting)
			return false;
		setting->key = pool_copy(&config->pool, key, strlen(key));
		setting->file = "";
		setting->value.kind = CONFIG_LIST;
		if (!setting->key)
			return false;
		while (*last)
			last = &(*last)->next;
		*last = setting;
	}
	link = setting->value.kind == CONFIG_LIST ? list_item(setting, index) : NULL;
	item = link ? pool_alloc(&config->pool, sizeof(*item)) : NULL;
	if (!item)
		return false;
	*item = (struct config_value){.kind = CONFIG_STRING, .next = *link ? (*link)->next : NULL};
	item->text = pool_copy(&config->pool, text, strlen(text));
	if (!item->text)
		return false;
	*link = item;
	return true;
}

bool config_list_remove(struct config *config, const char *key, unsigned int index)
{
	struct config_setting *setting = find(config, key);
	struct config_value **link =
	    setting && setting->value.kind == CONFIG_LIST ? list_item(setting, index) : NULL;

	if (!link || !*link)
		return false;
	*link = (*link)->next;
	return true;
}

static bool append(struct reader *r, struct config_setting *setting,
		   const struct config_value *value)
{
	struct config_value **last = &setting->value.items;

	if ((setting->value.kind == CONFIG_LIST) != (value->kind == CONFIG_LIST)) {
		report_error(r->report, r->file, r->line,
			     "%s: expected a %s after `+=', as in line %u", setting->key,
			     setting->value.kind == CONFIG_LIST ? "list" : "string", setting->line);
		return false;
	}
	if (value->kind == CONFIG_LIST) {
		while (*last)
			last = &(*last)->next;
		*last = value->items;
		return true;
	}
	setting->value.kind = CONFIG_STRING;
	setting->value.text =
	    pool_printf(&r->config->pool, "%s%s", setting->value.text, value->text);
	return setting->value.text || no_memory(r);
}

static bool set(struct reader *r, const char *key, const struct config_value *value, bool add)
{
	struct config_setting *setting = find(r->config, key), **last = &r->config->settings;

	if (setting && add) {
		if (!append(r, setting, value))
			return false;
	} else if (setting) {
		setting->value = *value;
	} else {
		setting = pool_alloc(&r->config->pool, sizeof(*setting));
		if (!setting)
			return no_memory(r);
		setting->key = key;
		setting->value = *value;
		while (*last)
			last = &(*last)->next;
		*last = setting;
	}
	setting->file = r->file;
	setting->line = value->line;
	return true;
}

static bool read_setting(struct reader *r)
{
	struct config_value value = {0};
	const char *start = r->at, *key;
	bool add = false;

	if (!is_key_start(peek(r)))
		return expected(r, "a key");
	while (r->at < r->end && is_key_part(*r->at))
		r->at++;
	key = pool_copy(&r->config->pool, start, (size_t)(r->at - start));
	if (!key)
		return no_memory(r);
	skip_blanks(r);
	if (peek(r) == '+' && r->at + 1 < r->end && r->at[1] == '=') {
		add = true;
		r->at++;
	} else if (peek(r) != '=') {
		return expected(r, "`=' or `+=' after a key");
	}
	r->at++;
	skip_blanks(r);
	if (!read_value(r, &value, 0))
		return false;
	skip_blanks(r);
	if (r->at < r->end && *r->at != '\n' && *r->at != ';')
		return expected(r, "`;' or the end of the line after a value");
	return set(r, key, &value, add);
}

static bool read_all(struct reader *r)
{
	for (;;) {
		skip_blank_lines(r);
		if (r->at == r->end)
			return true;
		if (*r->at == ';')
			r->at++;
		else if (!read_setting(r))
			return false;
	}
}

bool config_parse(struct config *config, const char *file, const char *text, size_t length,
		  struct report *report)
{
	struct reader reader = {
	    .config = config, .report = report, .at = text, .end = text + length, .line = 1};

	reader.file = pool_copy(&config->pool, file, strlen(file));
	return reader.file ? read_all(&reader) : no_memory(&reader);
}

/* KEY=WORD, where WORD is neither quoted nor a number nor a list: the length of the key, or 0. */
static size_t bare_word(const char *argument)
{
	const char *at = argument;
	size_t key;

	if (!is_key_start(*at))
		return 0;
	while (is_key_part(*at))
		at++;
	key = (size_t)(at - argument);
	if (*at++ != '=' || strchr("\"'[;", *at))
		return 0;
	if (strchr(at, ';') || strspn(at, "0123456789") == strlen(at) ||
	    (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')))
		return 0;
	return key;
}

bool config_parse_argument(struct config *config, const char *argument, struct report *report)
{
	struct reader reader = {
	    .config = config, .report = report, .file = "command line", .line = 1};
	struct config_value value = {.kind = CONFIG_STRING, .line = 1};
	size_t key = bare_word(argument);
	const char *name;

	if (!key)
		return config_parse(config, "command line", argument, strlen(argument), report);
	name = pool_copy(&config->pool, argument, key);
	value.text = pool_copy(&config->pool, argument + key + 1, strlen(argument + key + 1));
	if (!name || !value.text)
		return no_memory(&reader);
	return set(&reader, name, &value, false);
}

/* Print */

struct printer {
	char *text; /* NULL: only count */
	size_t length;
};

static void put(struct printer *p, char c)
{
	if (p->text)
		p->text[p->length] = c;
	p->length++;
}

static void put_text(struct printer *p, const char *text)
{
	while (*text)
		put(p, *text++);
}

static void put_string(struct printer *p, const char *text)
{
	char escape[8];

	put(p, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\') {
			put(p, '\\');
			put(p, *text);
		} else if ((unsigned char)*text < ' ') {
			snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)*text);
			put_text(p, escape);
		} else {
			put(p, *text);
		}
	}
	put(p, '"');
}

static void put_value(struct printer *p, const struct config_value *value)
{
	switch (value->kind) {
	case CONFIG_STRING:
		put_string(p, value->text);
		break;
	case CONFIG_NUMBER:
		put_text(p, value->text);
		break;
	case CONFIG_LIST:
		put(p, '[');
		for (const struct config_value *item = value->items; item; item = item->next) {
			put_value(p, item);
			if (item->next)
				put(p, ',');
		}
		put(p, ']');
		break;
	}
}

static void put_settings(struct printer *p, const struct config *config)
{
	for (const struct config_setting *setting = config->settings; setting;
	     setting = setting->next) {
		put_text(p, setting->key);
		put(p, '=');
		put_value(p, &setting->value);
		put(p, '\n');
	}
	put(p, 0);
}

char *config_print(struct config *config)
{
	struct printer count = {0}, write = {0};

	put_settings(&count, config);
	write.text = pool_alloc(&config->pool, count.length);
	if (write.text)
		put_settings(&write, config);
	return write.text;
}

void config_free(struct config *config)
{
	pool_free(&config->pool);
	config->settings = NULL;
}
