/* SPDX-License-Identifier: MIT */
/*
 * JSON (RFC 8259), written as it comes, indented by four blanks a level. `key` is NULL for the elements of an array and for
 * the one value at the top. Objects and arrays are ended in reverse order.
 */
#ifndef XL_JSON_H
#define XL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 16

struct json {
	FILE *to;
	unsigned int depth;
	char closing[JSON_DEPTH]; /* of each level */
	bool empty;		  /* nothing yet on this level */
};

void json_start(struct json *json, FILE *to);
void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
/* End the object or array begun last; after the outermost there is a newline. */
void json_end(struct json *json);

/* Text in UTF-8; bytes that are not are shown as U+FFFD. NULL becomes null. */
void json_string(struct json *json, const char *key, const char *value);
void json_unsigned(struct json *json, const char *key, uint64_t value);
void json_signed(struct json *json, const char *key, int64_t value);
void json_boolean(struct json *json, const char *key, bool value);
/* A number with three decimals, from thousandths. */
void json_thousandths(struct json *json, const char *key, uint64_t value);

#endif
