/* SPDX-License-Identifier: MIT */
/*
 * The line editor of the shell: keys in, the edited line and what the terminal is to show out. It knows neither
 * console nor threads. Lines are plain ASCII; the terminal understands VT100's cursor sequences. A line that is
 * longer than the terminal is wide is edited correctly, but may be shown wrong until Ctrl-L.
 */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>

#define LINE_SIZE    512 /* with the terminator */
#define LINE_HISTORY 32

struct line {
	/* Set by the user of the editor. */
	const char *prompt;
	void (*show)(const char *text, size_t length); /* to the terminal */
	/*
	 * Completion: the n-th word that could stand where the text of `length` characters at `line` ends, NULL if
	 * there are no more. May be NULL.
	 */
	const char *(*candidate)(const char *line, size_t length, unsigned int n);

	/* The line, always terminated. */
	char text[LINE_SIZE];
	size_t length, cursor;

	/* Before it: what was entered, the oldest overwritten. recalled: how far back we are, 0: not. */
	char history[LINE_HISTORY][LINE_SIZE];
	unsigned int entered;
	unsigned int recalled;
	char unfinished[LINE_SIZE]; /* the line that was being typed when recalling began */

	/* What a key's beginning was, while its end is still to come. */
	enum { KEY_PLAIN, KEY_ESCAPE, KEY_SEQUENCE, KEY_SINGLE } key;
	char sequence[16];
	size_t sequence_length;
	char last; /* to take CR LF for one end of line */
};

/* Show the prompt and begin an empty line. */
void line_begin(struct line *line);

/* Show it again, after something else has been printed. */
void line_show_again(const struct line *line);

/* One character of input. True when the line has been entered: text holds it, and line_begin is due. */
_Bool line_key(struct line *line, char c);

/* The n-th line entered, 1 is the last; NULL if there is none (any more). */
const char *line_recall(const struct line *line, unsigned int n);

#endif
