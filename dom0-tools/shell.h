/* SPDX-License-Identifier: MIT */
/* The shell on the console, and its commands. */
#ifndef SHELL_H
#define SHELL_H

#include <stdbool.h>
#include "line.h"

#define SHELL_PROMPT "cerne# "

struct command {
	const char *name;
	const char *arguments; /* as help shows them */
	const char *summary;   /* half a line */
	const char *details;   /* further lines of its own help, or NULL */
	/* argv[0] is the name. Returns 0, or a status after having said what is wrong. */
	int (*run)(int argc, char **argv);
	int most; /* arguments it takes at most */
};

/* Sorted by name; ends with an entry whose name is NULL. */
extern const struct command commands[];
const struct command *command_find(const char *name);

/* What the user has typed, for `history`. */
extern struct line shell_line;

/* Tell what this domain was started with, and about hypervisor and machine. */
void show_info(void);

/* A message to the person at the console, from any thread: on a line of its own, what was being typed is shown again. */
void shell_announce(const char *text);

/*
 * Commands run one at a time, those of the console and those of visitors over the network, since they were made for one
 * user. One that may wait for long lets others run meanwhile, and keeps nothing in static memory over that.
 */

/* Run a line in the calling thread; what it prints goes to that thread's standard output. False: another one runs for too long. */
bool shell_execute(const char *line);
/* For commands, around a wait: the second gets what the first has returned. */
bool shell_let_others(void);
void shell_go_on(bool was_running);
/* Is the calling thread's output not the console? Then there are no keys to be read either. */
bool shell_is_remote(void);

/* Read and run commands, for ever. */
_Noreturn void shell_run(void);

#endif
