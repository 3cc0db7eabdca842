/* SPDX-License-Identifier: MIT */
/* The shell on the console, and its commands. */
#ifndef SHELL_H
#define SHELL_H

#include "line.h"

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

/* Read and run commands, for ever. */
_Noreturn void shell_run(void);

#endif
