/* SPDX-License-Identifier: MIT */
#include "line.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CTRL(letter) ((letter) - '@')
#define ESCAPE	     0x1b
#define RUBOUT	     0x7f

/* Show */

static void show(const struct line *line, const char *text)
{
	line->show(text, strlen(text));
}

static void show_back(const struct line *line, size_t count)
{
	char sequence[32];

	if (count == 0)
		return;
	snprintf(sequence, sizeof(sequence), count == 1 ? "\b" : "\x1b[%zuD", count);
	show(line, sequence);
}

/* The text from the cursor on has changed: show it and return to the cursor. */
static void show_rest(const struct line *line, bool shorter)
{
	show(line, line->text + line->cursor);
	if (shorter)
		show(line, "\x1b[K");
	show_back(line, line->length - line->cursor);
}

static void bell(const struct line *line)
{
	show(line, "\a");
}

static void show_all(const struct line *line)
{
	show(line, line->prompt);
	show(line, line->text);
	show_back(line, line->length - line->cursor);
}

void line_show_again(const struct line *line)
{
	show_all(line);
}

void line_begin(struct line *line)
{
	line->length = line->cursor = 0;
	line->text[0] = 0;
	line->recalled = 0;
	show(line, line->prompt);
}

/* Change */

static void move_to(struct line *line, size_t cursor)
{
	if (cursor < line->cursor)
		show_back(line, line->cursor - cursor);
	else
		line->show(line->text + line->cursor, cursor - line->cursor);
	line->cursor = cursor;
}

static void insert(struct line *line, const char *text, size_t length)
{
	if (line->length + length >= LINE_SIZE) {
		bell(line);
		return;
	}
	memmove(line->text + line->cursor + length, line->text + line->cursor,
		line->length - line->cursor + 1);
	memcpy(line->text + line->cursor, text, length);
	line->length += length;
	line->show(text, length);
	line->cursor += length;
	if (line->cursor < line->length)
		show_rest(line, false);
}

/* Take away what is between `from` and `to`; the cursor is at one of them. */
static void erase(struct line *line, size_t from, size_t to)
{
	if (from >= to) {
		bell(line);
		return;
	}
	move_to(line, from);
	memmove(line->text + from, line->text + to, line->length - to + 1);
	line->length -= to - from;
	show_rest(line, true);
}

static void replace(struct line *line, const char *text)
{
	size_t length = strlen(text);

	move_to(line, 0);
	memcpy(line->text, text, length + 1);
	line->length = line->cursor = length;
	line->show(text, length);
	show(line, "\x1b[K");
}

static size_t word_before(const struct line *line)
{
	size_t at = line->cursor;

	while (at && line->text[at - 1] == ' ')
		at--;
	while (at && line->text[at - 1] != ' ')
		at--;
	return at;
}

static size_t word_after(const struct line *line)
{
	size_t at = line->cursor;

	while (at < line->length && line->text[at] == ' ')
		at++;
	while (at < line->length && line->text[at] != ' ')
		at++;
	return at;
}

/* History */

const char *line_recall(const struct line *line, unsigned int n)
{
	if (n == 0 || n > line->entered || n > LINE_HISTORY)
		return NULL;
	return line->history[(line->entered - n) % LINE_HISTORY];
}

static void remember(struct line *line)
{
	const char *before = line_recall(line, 1);

	if (strspn(line->text, " ") == line->length || (before && !strcmp(before, line->text)))
		return;
	memcpy(line->history[line->entered++ % LINE_HISTORY], line->text, line->length + 1);
}

static void older(struct line *line)
{
	const char *text = line_recall(line, line->recalled + 1);

	if (!text) {
		bell(line);
		return;
	}
	if (line->recalled++ == 0)
		memcpy(line->unfinished, line->text, line->length + 1);
	replace(line, text);
}

static void newer(struct line *line)
{
	if (line->recalled == 0) {
		bell(line);
		return;
	}
	line->recalled--;
	replace(line, line->recalled ? line_recall(line, line->recalled) : line->unfinished);
}

/* Completion */

static size_t common_length(const char *a, const char *b)
{
	size_t length = 0;

	while (a[length] && a[length] == b[length])
		length++;
	return length;
}

static void show_candidates(struct line *line)
{
	const char *word;

	show(line, "\n");
	for (unsigned int n = 0; (word = line->candidate(line->text, line->cursor, n)) != NULL;
	     n++) {
		show(line, word);
		show(line, "  ");
	}
	show(line, "\n");
	show_all(line);
}

static void complete(struct line *line)
{
	size_t start = line->cursor, typed, common;
	const char *first = NULL, *word;
	unsigned int count = 0;

	while (start && line->text[start - 1] != ' ')
		start--;
	typed = line->cursor - start;
	if (line->candidate)
		first = line->candidate(line->text, line->cursor, 0);
	if (!first) {
		bell(line);
		return;
	}
	common = strlen(first);
	for (; (word = line->candidate(line->text, line->cursor, count)) != NULL; count++)
		if (common_length(first, word) < common)
			common = common_length(first, word);
	if (common > typed)
		insert(line, first + typed, common - typed);
	else if (count > 1)
		show_candidates(line);
	if (count == 1 && line->cursor == line->length)
		insert(line, " ", 1);
}

/* Keys */

static bool enter(struct line *line)
{
	move_to(line, line->length);
	show(line, "\n");
	remember(line);
	return true;
}

static void give_up(struct line *line)
{
	move_to(line, line->length);
	show(line, "^C\n");
	line_begin(line);
}

static bool control(struct line *line, char c)
{
	switch (c) {
	case '\r':
	case '\n':
		return enter(line);
	case '\b':
	case RUBOUT:
		erase(line, line->cursor ? line->cursor - 1 : 0, line->cursor);
		break;
	case '\t':
		complete(line);
		break;
	case ESCAPE:
		line->key = KEY_ESCAPE;
		break;
	case CTRL('A'):
		move_to(line, 0);
		break;
	case CTRL('B'):
		move_to(line, line->cursor ? line->cursor - 1 : 0);
		break;
	case CTRL('C'):
		give_up(line);
		break;
	case CTRL('D'):
		erase(line, line->cursor,
		      line->cursor < line->length ? line->cursor + 1 : line->cursor);
		break;
	case CTRL('E'):
		move_to(line, line->length);
		break;
	case CTRL('F'):
		move_to(line, line->cursor < line->length ? line->cursor + 1 : line->length);
		break;
	case CTRL('K'):
		erase(line, line->cursor, line->length);
		break;
	case CTRL('L'):
		show(line, "\x1b[H\x1b[2J");
		show_all(line);
		break;
	case CTRL('N'):
		newer(line);
		break;
	case CTRL('P'):
		older(line);
		break;
	case CTRL('U'):
		erase(line, 0, line->cursor);
		break;
	case CTRL('W'):
		erase(line, word_before(line), line->cursor);
		break;
	default:
		bell(line);
	}
	return false;
}

/* The key whose sequence ends in a letter: ESC [ parameters letter, or ESC O letter. */
static void letter_key(struct line *line, char letter)
{
	bool by_word = strstr(line->sequence, ";5") || strstr(line->sequence, ";3");

	switch (letter) {
	case 'A':
		older(line);
		break;
	case 'B':
		newer(line);
		break;
	case 'C':
		if (by_word)
			move_to(line, word_after(line));
		else
			control(line, CTRL('F'));
		break;
	case 'D':
		if (by_word)
			move_to(line, word_before(line));
		else
			control(line, CTRL('B'));
		break;
	case 'F':
		move_to(line, line->length);
		break;
	case 'H':
		move_to(line, 0);
		break;
	default:
		break;
	}
}

/* The key whose sequence is ESC [ number ~. */
static void number_key(struct line *line)
{
	if (!strcmp(line->sequence, "1") || !strcmp(line->sequence, "7"))
		move_to(line, 0);
	else if (!strcmp(line->sequence, "3"))
		control(line, CTRL('D'));
	else if (!strcmp(line->sequence, "4") || !strcmp(line->sequence, "8"))
		move_to(line, line->length);
}

/* What follows an escape. Keys that we don't know are read to their end and ignored. */
static void escape_key(struct line *line, char c)
{
	if (line->key == KEY_ESCAPE) {
		line->sequence_length = 0;
		line->sequence[0] = 0;
		line->key = c == '[' ? KEY_SEQUENCE : c == 'O' ? KEY_SINGLE : KEY_PLAIN;
		if (c == 'b')
			move_to(line, word_before(line));
		else if (c == 'f')
			move_to(line, word_after(line));
		return;
	}
	if (line->key == KEY_SEQUENCE && c >= 0x20 && c < 0x40) {
		if (line->sequence_length < sizeof(line->sequence) - 1) {
			line->sequence[line->sequence_length++] = c;
			line->sequence[line->sequence_length] = 0;
		}
		return;
	}
	line->key = KEY_PLAIN;
	if (c == '~')
		number_key(line);
	else
		letter_key(line, c);
}

_Bool line_key(struct line *line, char c)
{
	char last = line->last;

	line->last = c;
	if (c == '\n' && last == '\r')
		return false;
	if (line->key != KEY_PLAIN && (unsigned char)c >= 0x20) {
		escape_key(line, c);
		return false;
	}
	/* A control character ends a key that has been cut off. */
	line->key = KEY_PLAIN;
	if ((unsigned char)c < 0x20 || c == RUBOUT)
		return control(line, c);
	if ((unsigned char)c > RUBOUT)
		bell(line);
	else
		insert(line, &c, 1);
	return false;
}
