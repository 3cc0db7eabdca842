/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines: inputs of the interrupt controllers (GSI), each shared by all devices that the board wired to it. For
 * threads, but handlers.
 */
#ifndef PCI_LINE_H
#define PCI_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* Which line, and how it is triggered. known: the firmware's tables said so to the hypervisor already. */
struct line_route {
	unsigned int gsi;
	bool level, low;
	bool known;
};

struct line_user {
	/*
	 * From the event handler: was it the device's? Events are masked, must not block. A level-triggered line is answered
	 * when all were asked; one of which nobody knows why it came is switched off after a while.
	 */
	bool (*handler)(void *data);
	void *data;

	/* Of line.c. */
	struct line *of;
	struct line_user *next;
};

/* Have the handler asked each time. 0 or a negative errno. */
long line_join(struct line_user *user, const struct line_route *route);
/* No handler runs after it. One that did not join: nothing happens. */
void line_leave(struct line_user *user);

#endif
