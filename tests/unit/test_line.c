/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/line.c
// flags: -Idom0-tools
/* The shell's line editor: keys against the line that results and the screen that a VT100 would show. */
#include "unit.h"
#include "line.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A terminal of one line: characters, \b, \r, CSI n D, CSI K; a newline or CSI H begins an empty one. */
static char screen[2 * LINE_SIZE];
static size_t column;
static unsigned int bells;

static size_t sequence(const char *text, size_t length)
{
	size_t at = 2, number = 0;

	assert_true(length > 2 && text[1] == '[');
	for (; at < length && text[at] >= '0' && text[at] <= '9'; at++)
		number = number * 10 + (size_t)(text[at] - '0');
	assert_true(at < length);
	switch (text[at]) {
	case 'D':
		assert_true(number <= column);
		column -= number;
		break;
	case 'K':
		memset(screen + column, 0, sizeof(screen) - column);
		break;
	case 'H':
	case 'J':
		memset(screen, 0, sizeof(screen));
		column = 0;
		break;
	default:
		fail_msg("unknown sequence %c", text[at]);
	}
	return at;
}

static void show(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\x1b') {
			i += sequence(text + i, length - i);
		} else if (text[i] == '\n') {
			memset(screen, 0, sizeof(screen));
			column = 0;
		} else if (text[i] == '\b') {
			assert_true(column > 0);
			column--;
		} else if (text[i] == '\a') {
			bells++;
		} else {
			assert_true(column < sizeof(screen) - 1);
			screen[column++] = text[i];
		}
	}
}

static const char *const words[] = {"dump", "free", "frost", "frostbite", NULL};

static const char *candidate(const char *line, size_t length, unsigned int n)
{
	for (const char *const *word = words; *word; word++)
		if (!strncmp(*word, line, length) && n-- == 0)
			return *word;
	return NULL;
}

static struct line line;

static int begin(void **state)
{
	memset(&line, 0, sizeof(line));
	line.prompt = "> ";
	line.show = show;
	line.candidate = candidate;
	memset(screen, 0, sizeof(screen));
	column = bells = 0;
	line_begin(&line);
	return 0;
}

/* What the screen shows is always prompt and text, the cursor where it belongs. */
static void check_screen(void)
{
	char wanted[LINE_SIZE + 8];

	snprintf(wanted, sizeof(wanted), "> %s", line.text);
	assert_string_equal(screen, wanted);
	assert_int_equal(column, 2 + line.cursor);
	assert_int_equal(strlen(line.text), line.length);
	assert_true(line.cursor <= line.length);
}

static void type(const char *keys)
{
	for (; *keys; keys++) {
		assert_false(line_key(&line, *keys));
		check_screen();
	}
}

static void enter(const char *keys)
{
	type(keys);
	assert_true(line_key(&line, '\r'));
}

static void expect_line(const char *keys, const char *text, size_t cursor)
{
	begin(NULL);
	type(keys);
	assert_string_equal(line.text, text);
	assert_int_equal(line.cursor, cursor);
}

#define UP    "\x1b[A"
#define DOWN  "\x1b[B"
#define RIGHT "\x1b[C"
#define LEFT  "\x1b[D"

static void test_editing(void **state)
{
	expect_line("hello", "hello", 5);
	expect_line("hello\x7f\b", "hel", 3);
	expect_line("\x7f", "", 0);
	expect_line("hllo\x01" RIGHT "e", "hello", 2);
	expect_line("helo" LEFT LEFT "l", "hello", 3);
	expect_line("helo\x1bOD\x1bODl", "hello", 3);
	expect_line("xhello\x1b[H\x1b[3~", "hello", 0);
	expect_line("hello\x1b[1~\x1b[4~!", "hello!", 6);
	expect_line("hello\x1b[7~\x1b[8~!", "hello!", 6);
	expect_line("hello\x01\x05!", "hello!", 6);
	expect_line("hello\x02\x02\x06\x04", "hell", 4);
	expect_line("hello\x04", "hello", 5);
	expect_line("hello\x01\x04", "ello", 0);
	expect_line("hello" LEFT LEFT "\x0b", "hel", 3);
	expect_line("hello" LEFT LEFT "\x15", "lo", 0);
	expect_line("one two  \x17", "one ", 4);
	expect_line("one two" LEFT "\x17", "one o", 4);
	expect_line("one two three\x1b[1;5D\x1b[1;5D!", "one !two three", 5);
	expect_line("one two three\x01\x1b[1;5C!", "one! two three", 4);
	expect_line("one two\x1b"
		    "b!\x1b"
		    "f?",
		    "one !two?", 9);
	expect_line(RIGHT LEFT UP DOWN, "", 0);
	assert_int_equal(bells, 2);
	expect_line("abc\x0c!", "abc!", 4);
	expect_line("abc" LEFT "\x0cx", "abxc", 3);
}

/* Keys that nobody knows leave no trace, wherever they end; a control character ends one that was cut off. */
static void test_unknown_keys(void **state)
{
	expect_line("a\x1b[200~b\x1b[15;2~\x1b[?1;2c\x1bOP\x1b!c", "abc", 3);
	expect_line("a\x1b[123456789012345678901234567890~b", "ab", 2);
	expect_line("a\x1b[12\x15"
		    "b",
		    "b", 1);
	expect_line("a\xc3\xa4\x0e\x10\x11\x7f", "", 0);
}

static void test_too_long(void **state)
{
	begin(NULL);
	for (int i = 0; i < 2 * LINE_SIZE; i++)
		assert_false(line_key(&line, 'x'));
	assert_int_equal(line.length, LINE_SIZE - 1);
	assert_int_equal(bells, LINE_SIZE + 1);
	check_screen();
	assert_true(line_key(&line, '\r'));
	line_begin(&line);
	type(UP);
	assert_int_equal(line.length, LINE_SIZE - 1);
}

static void test_ends_of_line(void **state)
{
	begin(NULL);
	enter("one");
	assert_string_equal(line.text, "one");
	line_begin(&line);
	assert_false(line_key(&line, '\n')); /* the other half of CR LF */
	assert_true(line_key(&line, '\n'));
	line_begin(&line);
	type("abc");
	assert_false(line_key(&line, '\x03'));
	assert_string_equal(line.text, "");
	check_screen();
	assert_null(line_recall(&line, 2));
}

static void test_history(void **state)
{
	static const char *const entered[] = {"one", "two", "two", "  ", "", "three", NULL};

	begin(NULL);
	for (const char *const *text = entered; *text; text++) {
		enter(*text);
		line_begin(&line);
	}
	assert_string_equal(line_recall(&line, 1), "three");
	assert_string_equal(line_recall(&line, 2), "two");
	assert_string_equal(line_recall(&line, 3), "one");
	assert_null(line_recall(&line, 4));
	assert_null(line_recall(&line, 0));
	type("unfinished" UP UP UP UP);
	assert_string_equal(line.text, "one");
	assert_int_equal(bells, 1);
	type(DOWN);
	assert_string_equal(line.text, "two");
	type(DOWN DOWN DOWN);
	assert_string_equal(line.text, "unfinished");
	assert_int_equal(bells, 2);
	/* A recalled line that is changed leaves the history as it was. */
	type(UP "!");
	enter("");
	line_begin(&line);
	assert_string_equal(line_recall(&line, 1), "three!");
	assert_string_equal(line_recall(&line, 2), "three");
}

static void test_history_is_bounded(void **state)
{
	char text[16];

	begin(NULL);
	for (int i = 0; i < 3 * LINE_HISTORY; i++) {
		snprintf(text, sizeof(text), "line%d", i);
		enter(text);
		line_begin(&line);
	}
	assert_string_equal(line_recall(&line, 1), "line95");
	assert_string_equal(line_recall(&line, LINE_HISTORY), "line64");
	assert_null(line_recall(&line, LINE_HISTORY + 1));
	for (int i = 0; i < LINE_HISTORY + 5; i++)
		type(UP);
	assert_string_equal(line.text, "line64");
}

static void test_completion(void **state)
{
	expect_line("d\t", "dump ", 5);
	expect_line("fre\t", "free ", 5);
	expect_line("f\t", "fr", 2);
	expect_line("fr\t", "fr", 2);
	expect_line("fro\t", "frost", 5);
	expect_line("frost\t", "frost", 5);
	assert_int_equal(bells, 0);
	expect_line("x\t", "x", 1);
	assert_int_equal(bells, 1);
	expect_line("dxx" LEFT LEFT "\t", "dumpxx", 4);
	line.candidate = NULL;
	type("\t");
	assert_int_equal(bells, 1);
}

/* Any keys at all: the screen stays right and nothing is overrun. */
static void test_random_keys(void **state)
{
	static const char *const keys[] = {
	    "a",    " ",    "fr",   UP,	    DOWN, LEFT,	       RIGHT,	    "\x01", "\x05", "\x0b",
	    "\x15", "\x17", "\x7f", "\x04", "\t", "\x1b[1;5D", "\x1b[1;5C", "\x0c", "\x03"};

	srandom(1);
	begin(NULL);
	for (int i = 0; i < 200000; i++) {
		if (random() % 50 == 0) {
			assert_true(line_key(&line, '\r'));
			line_begin(&line);
		} else if (random() % 20 == 0) {
			/* A byte of its own may begin a key that the next one ends. */
			char c = (char)(random() % 256);

			if (c != '\r' && c != '\n')
				line_key(&line, c);
			check_screen();
		} else {
			for (const char *key =
				 keys[(size_t)random() % (sizeof(keys) / sizeof(keys[0]))];
			     *key; key++)
				line_key(&line, *key);
			check_screen();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_editing),    cmocka_unit_test(test_unknown_keys),
	    cmocka_unit_test(test_too_long),   cmocka_unit_test(test_ends_of_line),
	    cmocka_unit_test(test_history),    cmocka_unit_test(test_history_is_bounded),
	    cmocka_unit_test(test_completion), cmocka_unit_test(test_random_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
