/* SPDX-License-Identifier: MIT */
/* How far a long step is: one line on a terminal, drawn anew as it grows, and nothing at all if the step is short. */
#ifndef XL_PROGRESS_H
#define XL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *out;	       /* NULL: say nothing */
	const char *what;      /* that the line begins with */
	uint64_t begun, drawn; /* system time */
	bool shown;
};

/* out: a terminal, or NULL. */
void progress_begin(struct progress *progress, FILE *out, const char *what);
/* A step, done so far of all; call it as often as you like. */
void progress_step(struct progress *progress, const char *step, uint64_t done, uint64_t all);
/* The line goes away. */
void progress_end(struct progress *progress);

#endif
