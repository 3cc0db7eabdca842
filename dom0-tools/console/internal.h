/* SPDX-License-Identifier: MIT */
/* What the console daemon's parts share. */
#ifndef CONSOLE_INTERNAL_H
#define CONSOLE_INTERNAL_H

#include "console/console.h"
#include "console/pump.h"
#include <stdbool.h>
#include <guest/thread.h>
#include <pv-drivers/grant.h>
#include <pv-drivers/xs.h>

/* Somebody who is attached. */
struct viewer {
	struct viewer *next;
	uint64_t position; /* in the log: up to there it has been shown */
};

/* A domain's console. It is made, connected, ended and freed by the thread that dispatches watches, no other. */
struct console {
	struct console *next;
	domid_t domid;
	char name[64];
	bool connected, ended;
	struct pump pump;
	struct viewer *viewers;
	uint64_t seen; /* in the log: up to there somebody has seen it */
	/* For the thread that moves bytes. */
	volatile bool due; /* set with events masked, or under the lock */
	uint64_t again;	   /* come again at this time; 0: no */
	long port;
	/* The page: granted or, if the domain has no such grant, mapped by its frame. */
	struct grant_mapping mapping;
	void *foreign;
	/* Its part of the store. */
	struct xs_watch watch;
	char path[40];
};

/* consoles and what is in them; nobody waits for the store or the hypervisor's console with it. */
extern struct mutex console_lock;
extern struct console *consoles;	  /* the youngest first */
extern struct wait_queue console_changed; /* a console appeared, was connected or ended */

/* The one of this domain, alive or not; the lock is held. */
struct console *console_find(domid_t domid);
/* There may be something to move. */
void console_serve(struct console *console);

#endif
