/* SPDX-License-Identifier: MIT */
/* Somebody at dom0's console looks at another domain's. */
#include "console/internal.h"
#include "shell.h"
#include "control/control.h"
#include <stdio.h>
#include <unistd.h>
#include <guest/clock.h>
#include <guest/console.h>
#include <public/errno.h>

#define LEAVE	 0x1d /* Ctrl-] */
#define PATIENCE (5 * NSEC_PER_SEC)

/* The lock is held; waits a little for a console that is being set up. */
static struct console *find_alive(domid_t domid, long *error)
{
	uint64_t deadline = clock_now() + PATIENCE;
	struct xen_domctl_getdomaininfo info;

	for (;;) {
		struct console *console = console_find(domid);

		if (console && !console->ended && console->connected)
			return console;
		*error = -XEN_ESRCH;
		if (control_info(domid, &info) || (info.flags & XEN_DOMINF_dying))
			return NULL;
		*error = -XEN_ENOENT;
		if (!condition_wait(&console_changed, &console_lock, deadline))
			return NULL;
	}
}

/* Sleep until something is typed, printed, or over. Only this thread changes the position. */
static void wait_for_news(const struct console *console, const struct viewer *viewer)
{
	bool masked = events_save();

	while (!console_has_input() && console->pump.log.end == viewer->position && !console->ended)
		wait_on(console_typed(), 0);
	events_restore(masked);
}

/* Show a piece of what is new. False: there is nothing, and will be nothing. */
static bool show(struct console *console, struct viewer *viewer)
{
	char text[1024];
	size_t count;
	bool more;

	mutex_lock(&console_lock);
	count = console_log_copy(&console->pump.log, text, sizeof(text), &viewer->position);
	more = count || !console->ended;
	if (console->seen < viewer->position)
		console->seen = viewer->position;
	/* It may have been waiting for room. */
	if (count)
		console_serve(console);
	mutex_unlock(&console_lock);
	write(STDOUT_FILENO, text, count);
	return more;
}

/* Pass on what was typed. False: it was the key to leave. A key that the domain has no room for is lost, with a bell. */
static bool type(struct console *console)
{
	char keys[64];
	ssize_t count = read(STDIN_FILENO, keys, sizeof(keys)), end = 0;
	size_t taken;

	while (end < count && keys[end] != LEAVE)
		end++;
	mutex_lock(&console_lock);
	taken = pump_type(&console->pump, keys, (size_t)end);
	console_serve(console);
	mutex_unlock(&console_lock);
	if (taken < (size_t)end)
		write(STDOUT_FILENO, "\a", 1);
	return end == count;
}

static void detach(struct console *console, const struct viewer *viewer)
{
	struct viewer **link = &console->viewers;

	mutex_lock(&console_lock);
	while (*link != viewer)
		link = &(*link)->next;
	*link = viewer->next;
	console_serve(console);
	mutex_unlock(&console_lock);
}

long console_attach(domid_t domid)
{
	struct viewer viewer;
	struct console *console;
	long result = CONSOLE_ENDED;
	bool running;

	if (shell_is_remote()) {
		printf(
		    "Guests' consoles are to be had on dom0's console only; `console-log` shows what they print.\n");
		return CONSOLE_LEFT;
	}
	fflush(stdout);
	mutex_lock(&console_lock);
	console = find_alive(domid, &result);
	if (console) {
		viewer = (struct viewer){console->viewers, console->seen};
		console->viewers = &viewer;
		result = CONSOLE_ENDED;
	}
	mutex_unlock(&console_lock);
	if (!console)
		return result;
	running = shell_let_others();
	while (show(console, &viewer)) {
		wait_for_news(console, &viewer);
		if (console_has_input() && !type(console)) {
			result = CONSOLE_LEFT;
			break;
		}
	}
	detach(console, &viewer);
	shell_go_on(running);
	return result;
}
