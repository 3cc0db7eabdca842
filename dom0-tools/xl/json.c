/* SPDX-License-Identifier: MIT */
#include "xl/json.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void new_line(struct json *json)
{
	fprintf(json->to, "\n%*s", 4 * (int)json->depth, "");
}

static void put_string(struct json *json, const char *text);

static void begin_value(struct json *json, const char *key)
{
	if (json->depth) {
		if (!json->empty)
			fputc(',', json->to);
		new_line(json);
	}
	json->empty = false;
	if (key) {
		put_string(json, key);
		fputs(": ", json->to);
	}
}

void json_start(struct json *json, FILE *to)
{
	*json = (struct json){.to = to, .empty = true};
}

static void begin_level(struct json *json, const char *key, char opening, char closing)
{
	begin_value(json, key);
	if (json->depth == JSON_DEPTH)
		abort();
	fputc(opening, json->to);
	json->closing[json->depth++] = closing;
	json->empty = true;
}

void json_object(struct json *json, const char *key)
{
	begin_level(json, key, '{', '}');
}

void json_array(struct json *json, const char *key)
{
	begin_level(json, key, '[', ']');
}

void json_end(struct json *json)
{
	json->depth--;
	if (!json->empty)
		new_line(json);
	json->empty = false;
	fputc(json->closing[json->depth], json->to);
	if (!json->depth)
		fputc('\n', json->to);
}

/* The length of the UTF-8 sequence at `at`, 0 if there is none (RFC 3629: shortest form, no surrogates). */
static size_t utf8_length(const unsigned char *at)
{
	static const struct {
		unsigned char first, last, second_first, second_last;
		size_t length;
	} forms[] = {
	    {0x20, 0x7f, 0, 0, 1},	 {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (*at < forms[i].first || *at > forms[i].last)
			continue;
		if (forms[i].length > 1 &&
		    (at[1] < forms[i].second_first || at[1] > forms[i].second_last))
			return 0;
		for (size_t n = 2; n < forms[i].length; n++)
			if (at[n] < 0x80 || at[n] > 0xbf)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static void put_string(struct json *json, const char *text)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const unsigned char *at = (const unsigned char *)text;
	const char *escape;
	size_t length;

	fputc('"', json->to);
	for (; *at; at += length) {
		length = utf8_length(at);
		escape = strchr(from, *at);
		if (escape)
			fprintf(json->to, "\\%c", to[escape - from]);
		else if (length)
			fwrite(at, 1, length, json->to);
		else
			fprintf(json->to, "\\u%04x", *at < ' ' ? *at : 0xfffd);
		if (!length)
			length = 1;
	}
	fputc('"', json->to);
}

void json_string(struct json *json, const char *key, const char *value)
{
	begin_value(json, key);
	if (value)
		put_string(json, value);
	else
		fputs("null", json->to);
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
	begin_value(json, key);
	fprintf(json->to, "%" PRIu64, value);
}

void json_signed(struct json *json, const char *key, int64_t value)
{
	begin_value(json, key);
	fprintf(json->to, "%" PRId64, value);
}

void json_boolean(struct json *json, const char *key, bool value)
{
	begin_value(json, key);
	fputs(value ? "true" : "false", json->to);
}

void json_thousandths(struct json *json, const char *key, uint64_t value)
{
	begin_value(json, key);
	fprintf(json->to, "%" PRIu64 ".%03u", value / 1000, (unsigned int)(value % 1000));
}
