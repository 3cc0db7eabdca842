/* SPDX-License-Identifier: MIT */
#include "shell.h"
#include "xl/xl.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <reent.h>
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/thread.h>

#define WORDS 64
/* A visitor waits so long for another's command to end. */
#define EXECUTE_SECONDS 10
#define EXECUTE_TRIES	100

const struct command *command_find(const char *name)
{
	for (const struct command *command = commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

/*
 * Words end at blanks; '...' and "..." keep them together and \ takes the next character as it is (not between
 * single quotes). Done in place: a word never becomes longer. Returns how many there are, or -1 with what is
 * wrong in *problem.
 */
static int split(char *text, char **words, int size, const char **problem)
{
	char *from = text, *to = text, quote = 0;
	int count = 0;

	for (;;) {
		while (*from == ' ')
			from++;
		if (!*from)
			return count;
		if (count == size) {
			*problem = "too many words";
			return -1;
		}
		words[count++] = to;
		for (; *from && (quote || *from != ' '); from++) {
			if (quote ? *from == quote : *from == '\'' || *from == '"')
				quote = quote ? 0 : *from;
			else if (*from == '\\' && quote != '\'' && from[1])
				*to++ = *++from;
			else
				*to++ = *from;
		}
		if (quote) {
			*problem = "a quote is not closed";
			return -1;
		}
		if (*from)
			from++;
		*to++ = 0;
	}
}

/* Of the command that runs. */
static struct mutex commands_lock;

static void run_line(const char *line)
{
	char text[LINE_SIZE], *words[WORDS + 1];
	const struct command *command;
	const char *problem;
	int count;

	memcpy(text, line, strlen(line) + 1);
	count = split(text, words, WORDS, &problem);
	if (count < 0) {
		printf("%s\n", problem);
		return;
	}
	if (count == 0)
		return;
	words[count] = NULL;
	command = command_find(words[0]);
	if (!command)
		printf("%s: unknown command; `help` lists them\n", words[0]);
	else if (count - 1 > command->most)
		printf("%s: too many arguments; usage: %s %s\n", command->name, command->name,
		       command->arguments);
	else
		command->run(count, words);
}

bool shell_execute(const char *line)
{
	/* Nobody at the console is kept waiting by this, nor a visitor for longer than he would wait. */
	for (unsigned int tries = 0; !mutex_try_lock(&commands_lock); tries++) {
		if (tries == EXECUTE_TRIES)
			return false;
		thread_sleep(EXECUTE_SECONDS * NSEC_PER_SEC / EXECUTE_TRIES);
	}
	run_line(line);
	mutex_unlock(&commands_lock);
	return true;
}

bool shell_let_others(void)
{
	bool running = mutex_is_mine(&commands_lock);

	if (running)
		mutex_unlock(&commands_lock);
	return running;
}

void shell_go_on(bool was_running)
{
	if (was_running)
		mutex_lock(&commands_lock);
}

bool shell_is_remote(void)
{
	return stdout != _GLOBAL_REENT->_stdout;
}

/* Commands complete the first word and the word after `help`, verbs of xl the word after `xl`. */
static const char *candidate(const char *line, size_t length, unsigned int n)
{
	if (length >= 3 && !strncmp(line, "xl ", 3)) {
		for (const struct verb *verb = xl_verbs; verb->name; verb++)
			if (!strncmp(verb->name, line + 3, length - 3) && n-- == 0)
				return verb->name;
		return NULL;
	}
	if (length >= 5 && !strncmp(line, "help ", 5)) {
		line += 5;
		length -= 5;
	}
	for (const struct command *command = commands; command->name; command++)
		if (!strncmp(command->name, line, length) && n-- == 0)
			return command->name;
	return NULL;
}

static void show(const char *text, size_t length)
{
	fwrite(text, 1, length, stdout);
}

struct line shell_line = {.prompt = SHELL_PROMPT, .show = show, .candidate = candidate};

/* Of the line and the screen, but while a command runs: what other threads have to say goes between lines. */
static struct mutex screen;
static bool at_prompt; /* no command runs */

void shell_announce(const char *text)
{
	mutex_lock(&screen);
	if (at_prompt) {
		printf("\r\x1b[K%s\n", text);
		line_show_again(&shell_line);
	} else {
		printf("%s\n", text);
	}
	fflush(stdout);
	mutex_unlock(&screen);
}

static void begin_line(void)
{
	mutex_lock(&screen);
	line_begin(&shell_line);
	at_prompt = true;
	mutex_unlock(&screen);
}

/* True: a line has been entered. */
static bool take_key(char key)
{
	bool entered;

	mutex_lock(&screen);
	entered = line_key(&shell_line, key);
	if (entered)
		at_prompt = false;
	mutex_unlock(&screen);
	return entered;
}

_Noreturn void shell_run(void)
{
	char key;

	begin_line();
	for (;;) {
		/* What is to be seen goes out in one piece for each piece that comes in. */
		if (!console_has_input())
			fflush(stdout);
		/* No further than one line: what follows may be for the command. */
		if (read(STDIN_FILENO, &key, 1) == 1 && take_key(key)) {
			mutex_lock(&commands_lock);
			run_line(shell_line.text);
			mutex_unlock(&commands_lock);
			begin_line();
		}
	}
}
