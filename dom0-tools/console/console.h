/* SPDX-License-Identifier: MIT */
/*
 * Consoles of the other domains: each one's output goes to a log of bounded size, from its first byte on, whether
 * anybody looks or not; the logs of the last domains that ended are kept. Whoever is attached sees the output as
 * it comes and types the input. Errors are negated (XEN_E*).
 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>

/* How many domains that have ended keep theirs. */
#define CONSOLE_DEAD 8

/*
 * Start to follow the store's domains over a connection of dom0's whose watches nobody else dispatches. Once. 0 or an
 * error.
 */
struct xs;
long console_start(struct xs *xs);

/* Why console_attach came back. */
enum console_end {
	CONSOLE_LEFT,  /* Ctrl-] was typed */
	CONSOLE_ENDED, /* the domain is no more */
};

/*
 * Connect dom0's console with a domain's: its output appears, from where the last to look has left, and what is typed goes
 * to it, until Ctrl-] is typed or the domain ends. Several may be attached: all see all, and input goes in as it
 * comes. Waits a little for a console that is being set up. An enum console_end; -XEN_ESRCH: there is no such domain;
 * -XEN_ENOENT: it has no console.
 */
long console_attach(domid_t domid);

/*
 * What a domain, alive or kept, has printed, from *position on (0: the oldest that there is), at most size bytes;
 * *position is then where to go on. Returns how many, 0 at the end, -XEN_ESRCH if nothing is known of it.
 */
long console_log_read(domid_t domid, char *buffer, size_t size, uint64_t *position);

/* The shell's command. */
int run_console_log(int argc, char **argv);

#endif
