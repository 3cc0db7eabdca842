/* SPDX-License-Identifier: MIT */
/*
 * One event channel for each line in use, and one list of handlers. A level-triggered line stays masked in the interrupt
 * controller until we answer. One that comes though no handler knows why would come again at once, for ever: after some of
 * these it is left unanswered.
 */
#include "line.h"
#include <errno.h>
#include <stdlib.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/thread.h>
#include <public/physdev.h>

#define UNCLAIMED_MAX 1000

struct line {
	struct line *next;
	unsigned int gsi;
	int pirq;
	evtchn_port_t port;
	struct line_user *users; /* changed with events masked */
	unsigned int unclaimed;	 /* in a row */
};

static struct line *lines;
static struct mutex lock; /* the list */

static void on_line(evtchn_port_t port, void *data)
{
	struct line *line = data;
	struct physdev_eoi answer = {.irq = (uint32_t)line->pirq};
	bool claimed = false;

	(void)port;
	for (struct line_user *user = line->users; user; user = user->next)
		claimed |= user->handler(user->data);
	line->unclaimed = claimed ? 0 : line->unclaimed + 1;
	if (line->unclaimed < UNCLAIMED_MAX)
		hypercall_physdev_op(PHYSDEVOP_eoi, &answer);
	else
		printk("interrupt line %u is switched off: no driver knows why it came\n",
		       line->gsi);
}

/* A number for it, and its channel. */
static long open_line(struct line *line, const struct line_route *route)
{
	struct physdev_setup_gsi setup = {
	    .gsi = (int)route->gsi, .triggering = route->level, .polarity = route->low};
	struct physdev_map_pirq map = {.domid = DOMID_SELF,
				       .type = MAP_PIRQ_TYPE_GSI,
				       .index = (int)route->gsi,
				       .pirq = (int)route->gsi};
	struct physdev_unmap_pirq unmap = {.domid = DOMID_SELF};
	long port, error = 0;

	if (!route->known)
		error = hypercall_physdev_op(PHYSDEVOP_setup_gsi, &setup);
	/* Somebody said so before. */
	if (error && error != -EEXIST)
		return error;
	error = hypercall_physdev_op(PHYSDEVOP_map_pirq, &map);
	if (error)
		return error;
	line->pirq = unmap.pirq = map.pirq;
	port = event_bind_pirq((uint32_t)line->pirq, true, on_line, line);
	if (port < 0) {
		hypercall_physdev_op(PHYSDEVOP_unmap_pirq, &unmap);
		return port;
	}
	line->port = (evtchn_port_t)port;
	return 0;
}

static void close_line(struct line *line)
{
	struct physdev_unmap_pirq unmap = {.domid = DOMID_SELF, .pirq = line->pirq};

	event_close(line->port);
	hypercall_physdev_op(PHYSDEVOP_unmap_pirq, &unmap);
}

static struct line *find(unsigned int gsi)
{
	struct line *line = lines;

	while (line && line->gsi != gsi)
		line = line->next;
	return line;
}

/* The lock is held. The user is in its list before the first interrupt. */
static long create(struct line_user *user, const struct line_route *route)
{
	struct line *line = calloc(1, sizeof(*line));
	long error;

	if (!line)
		return -ENOMEM;
	line->gsi = route->gsi;
	line->users = user;
	user->next = NULL;
	error = open_line(line, route);
	if (error) {
		free(line);
		return error;
	}
	user->of = line;
	line->next = lines;
	lines = line;
	return 0;
}

long line_join(struct line_user *user, const struct line_route *route)
{
	struct line *line;
	bool masked;
	long error = 0;

	mutex_lock(&lock);
	line = find(route->gsi);
	if (line) {
		masked = events_save();
		user->of = line;
		user->next = line->users;
		line->users = user;
		events_restore(masked);
	} else {
		error = create(user, route);
	}
	mutex_unlock(&lock);
	return error;
}

void line_leave(struct line_user *user)
{
	struct line *line = user->of, **at = &lines;
	struct line_user **place;
	bool masked;

	if (!line)
		return;
	mutex_lock(&lock);
	masked = events_save();
	for (place = &line->users; *place != user; place = &(*place)->next)
		;
	*place = user->next;
	user->of = NULL;
	events_restore(masked);
	if (!line->users) {
		close_line(line);
		while (*at != line)
			at = &(*at)->next;
		*at = line->next;
		free(line);
	}
	mutex_unlock(&lock);
}
