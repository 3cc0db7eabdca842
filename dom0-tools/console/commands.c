/* SPDX-License-Identifier: MIT */
#include "console/internal.h"
#include "shell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By name or by number, the youngest of several. The lock is held. */
static struct console *find_by_text(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	for (struct console *console = consoles; console; console = console->next)
		if (!strcmp(console->name, text) || (*text && !*end && console->domid == number))
			return console;
	return NULL;
}

static int list(void)
{
	printf("%5s  %-24s  %-9s  %8s  %s\n", "ID", "NAME", "STATE", "KEPT", "PRINTED");
	mutex_lock(&console_lock);
	for (struct console *console = consoles; console; console = console->next) {
		const struct console_log *log = &console->pump.log;
		const char *state = console->ended	 ? "ended"
				    : console->connected ? "connected"
							 : "waiting";

		if (console->pump.broken && !console->ended)
			state = "broken";
		printf("%5u  %-24s  %-9s  %8lu  %lu\n", console->domid, console->name, state,
		       (unsigned long)(log->end - log->begin), (unsigned long)log->end);
	}
	mutex_unlock(&console_lock);
	return 0;
}

/* There is a command for it. */
static int show_hypervisor(void)
{
	static char name[] = "dmesg";
	char *words[] = {name, NULL};

	return command_find(name)->run(1, words);
}

/* What a domain has printed must not steer the terminal. */
static void print_plain(const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if ((unsigned char)text[i] >= ' ' ? text[i] != 0x7f
						  : text[i] == '\n' || text[i] == '\t')
			putchar(text[i]);
		else if (text[i] != '\r')
			putchar('.');
	}
}

/* A piece at a time, up to what the log's end was at first: it may go on growing. */
static int show(const char *text)
{
	char piece[1024], last = '\n';
	uint64_t position = 0, end = 0;
	struct console *console;
	size_t count;

	do {
		mutex_lock(&console_lock);
		console = find_by_text(text);
		if (console && !end)
			end = console->pump.log.end;
		count = console
			    ? console_log_copy(&console->pump.log, piece, sizeof(piece), &position)
			    : 0;
		mutex_unlock(&console_lock);
		print_plain(piece, count);
		if (count)
			last = piece[count - 1];
	} while (count && position < end);
	if (last != '\n')
		printf("\n");
	if (console)
		return 0;
	printf("console-log: no console of a domain '%s' is known; `console-log` lists them\n",
	       text);
	return 1;
}

int run_console_log(int argc, char **argv)
{
	if (argc < 2)
		return list();
	if (!strcmp(argv[1], "hypervisor"))
		return show_hypervisor();
	return show(argv[1]);
}
