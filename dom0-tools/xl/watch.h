/* SPDX-License-Identifier: MIT */
/*
 * The watcher: a thread that sees domains end and does what their configurations want done then (on_poweroff and so on). It
 * acts on what hypervisor and store say, so it may be started at any time, with domains there already.
 */
#ifndef XL_WATCH_H
#define XL_WATCH_H

#include <stdint.h>

/* Once; 0 or -XEN_ENOMEM, or the store's error. */
long watcher_start(void);

/* Counts what was seen of domains' ends: while it stays the same, none has ended. */
uint64_t domain_ends_seen(void);

/* Say something to the person at the console, between what the shell shows. */
void announce(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
