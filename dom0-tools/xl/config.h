/* SPDX-License-Identifier: MIT */
/*
 * The syntax of xl.cfg(5): text in, a list of settings out; what the keys mean is decided elsewhere. Pure: neither
 * files nor domains are known here.
 *
 *     file    = { setting | NEWLINE | ';' }
 *     setting = KEY ('=' | '+=') value (NEWLINE | ';' | end of file)
 *     value   = STRING | NUMBER | '[' [ value { ',' value } [','] ] ']'
 *
 * A key is a letter or '_', then letters, digits, '_' and '.'. A string stands in single or double quotes on one line; \ is
 * followed by one of a b f n r t v \ ' ", by x and two hexadecimal digits, or by three octal digits. A number is
 * decimal, octal (0...) or hexadecimal (0x...). '#' begins a comment that ends with the line. Newlines and comments may
 * stand between the parts of a list. A key that comes again replaces what it was; '+=' appends to a string or a list.
 */
#ifndef XL_CONFIG_H
#define XL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include "xl/pool.h"

/* Lists in lists, at most. */
#define CONFIG_DEPTH 8

struct config_value {
	enum { CONFIG_STRING, CONFIG_NUMBER, CONFIG_LIST } kind;
	unsigned int line;
	const char *text;	    /* STRING: what the quotes hold; NUMBER: as it was written */
	struct config_value *items; /* LIST */
	struct config_value *next;  /* in the list */
};

struct config_setting {
	const char *key;
	const char *file; /* for messages: where it was set last */
	unsigned int line;
	struct config_value value;
	struct config_setting *next;
};

/* Where messages go: one sentence each, without a newline. */
struct report {
	void (*say)(struct report *report, const char *message);
	unsigned int errors, warnings;
};

struct config {
	struct pool pool;
	struct config_setting *settings; /* in the order in which they first came */
};

/*
 * Add what `text` sets to config (zeroed: empty). `file` names the text in messages and is kept. Returns false, with
 * one error reported, if the text is not right; config then is still to be freed.
 */
bool config_parse(struct config *config, const char *file, const char *text, size_t length,
		  struct report *report);

/*
 * A key=value argument of a command line, in the same syntax; several may be separated by ';'. A value that
 * is a bare word is taken as a string, since shells take quotes away.
 */
bool config_parse_argument(struct config *config, const char *argument, struct report *report);

const struct config_setting *config_find(const struct config *config, const char *key);

/* Make item `index` of a list that string; the one after the last is added. False: there is no such place, or no memory. */
bool config_list_set(struct config *config, const char *key, unsigned int index, const char *text);
bool config_list_remove(struct config *config, const char *key, unsigned int index);

/* The settings as a text that parses to the same; NULL without memory. From config's pool. */
char *config_print(struct config *config);

void config_free(struct config *config);

/* A say for reports that nobody wants. */
void report_nothing(struct report *report, const char *message);

/* "FILE:LINE: MESSAGE", counted. */
void report_error(struct report *report, const char *file, unsigned int line, const char *format,
		  ...) __attribute__((format(printf, 4, 5)));
/* "FILE:LINE: warning: MESSAGE", counted. */
void report_warning(struct report *report, const char *file, unsigned int line, const char *format,
		    ...) __attribute__((format(printf, 4, 5)));

#endif
