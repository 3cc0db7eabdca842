/* SPDX-License-Identifier: MIT */
/*
 * The console daemon. One thread follows the store: which domains there are, and where their rings. One moves bytes:
 * a domain's event wakes it, and stays masked until the domain has had its turn, so that a domain that sends events
 * without end causes one upcall a turn, and none while it has used up its turns (pump.h).
 *
 * Nothing here is needed to find a ring again: another daemon would find all in the store and the page.
 */
#include "console/internal.h"
#include "control/control.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <public/errno.h>

struct mutex console_lock;
struct console *consoles;
struct wait_queue console_changed;

static struct xs *xs;
static struct wait_queue work;
static volatile bool work_pending;

struct console *console_find(domid_t domid)
{
	struct console *console = consoles;

	while (console && console->domid != domid)
		console = console->next;
	return console;
}

/*
 * Moving bytes
 */

void console_serve(struct console *console)
{
	bool masked = events_save();

	console->due = true;
	work_pending = true;
	wake_all(&work);
	events_restore(masked);
}

/* From the event handler: no more events until the console has been served. */
static void on_event(evtchn_port_t port, void *data)
{
	event_mask(port);
	console_serve(data);
}

/* Whoever is attached and behind makes the domain wait, rather than miss what it prints. */
static size_t room(const struct console *console)
{
	size_t least = CONSOLE_LOG_SIZE;

	for (const struct viewer *viewer = console->viewers; viewer; viewer = viewer->next) {
		uint64_t ahead = console->pump.log.end - viewer->position;
		size_t left = ahead < CONSOLE_LOG_SIZE ? CONSOLE_LOG_SIZE - (size_t)ahead : 0;

		if (left < least)
			least = left;
	}
	return least;
}

/* The lock is held. */
static void serve(struct console *console, uint64_t now)
{
	uint64_t before = console->pump.log.end;
	size_t least = room(console);

	console->due = false;
	if (pump_turn(&console->pump, now, least, &console->again))
		event_send((evtchn_port_t)console->port);
	if (console->pump.log.end != before && console->viewers)
		wake_all(console_typed());
	/*
	 * With turns left and nothing to wait for, the next event counts; at once if it has come already. No event of a
	 * domain that has broken its ring ever counts again.
	 */
	if (!console->again && least && !console->pump.broken)
		event_unmask((evtchn_port_t)console->port);
}

/* A turn for each console that wants one. Returns when to come again, ~0: when woken. */
static uint64_t serve_all(void)
{
	uint64_t next = ~0ul;

	mutex_lock(&console_lock);
	for (struct console *console = consoles; console; console = console->next) {
		uint64_t now = clock_now();

		if (!console->connected)
			continue;
		if (console->due || (console->again && console->again <= now))
			serve(console, now);
		if (console->again && console->again < next)
			next = console->again;
	}
	mutex_unlock(&console_lock);
	return next;
}

static void move_bytes(void *unused)
{
	for (;;) {
		uint64_t next;
		bool masked;

		work_pending = false;
		next = serve_all();
		/* The shell's turn, however much there is to do here. */
		thread_yield();
		masked = events_save();
		if (!work_pending && next > clock_now())
			wait_on(&work, next == ~0ul ? 0 : next);
		events_restore(masked);
	}
}

/*
 * Following the store
 */

static void *map_page(struct console *console, uint64_t mfn)
{
	const grant_ref_t ref = GNTTAB_RESERVED_CONSOLE;

	if (!grant_map(&console->mapping, console->domid, &ref, 1, true))
		return console->mapping.address;
	console->foreign = control_map_foreign_run(console->domid, mfn, 1, true, NULL);
	return console->foreign;
}

static void unmap_page(struct console *console)
{
	grant_unmap(&console->mapping);
	if (console->foreign)
		control_unmap(console->foreign, 1);
	console->foreign = NULL;
}

static long read_node(const struct console *console, const char *name, uint64_t *number)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", console->path, name);
	return xs_read_number(xs, 0, path, number);
}

static void read_name(struct console *console)
{
	char path[64], name[sizeof(console->name)];

	snprintf(path, sizeof(path), "/local/domain/%u/name", console->domid);
	if (xs_read(xs, 0, path, name, sizeof(name)) < 0)
		return;
	mutex_lock(&console_lock);
	snprintf(console->name, sizeof(console->name), "%s", name);
	mutex_unlock(&console_lock);
}

/* As soon as the store says where; it may not yet. */
static void connect(struct console *console)
{
	uint64_t mfn, port;
	void *page;

	if (read_node(console, "ring-ref", &mfn) || read_node(console, "port", &port) ||
	    port > UINT32_MAX)
		return;
	read_name(console);
	page = map_page(console, mfn);
	if (!page)
		return;
	pump_connect(&console->pump, page);
	console->port =
	    event_bind_interdomain(console->domid, (evtchn_port_t)port, on_event, console);
	if (console->port < 0) {
		unmap_page(console);
		return;
	}
	mutex_lock(&console_lock);
	console->connected = true;
	/* What has been printed before we listened, and what has been typed. */
	console_serve(console);
	mutex_unlock(&console_lock);
	wake_all(&console_changed);
}

static void on_console_nodes(struct xs_watch *watch, const char *path)
{
	struct console *console =
	    (struct console *)((char *)watch - __builtin_offsetof(struct console, watch));

	if (!console->connected && !console->ended)
		connect(console);
}

static void begin(domid_t domid)
{
	struct console *console = calloc(1, sizeof(*console)), *earlier;

	if (!console) {
		printf("console: no memory for that of domain %u\n", domid);
		return;
	}
	console->domid = domid;
	snprintf(console->path, sizeof(console->path), "/local/domain/%u/console", domid);
	console->watch.path = console->path;
	console->watch.fired = on_console_nodes;
	mutex_lock(&console_lock);
	/* One that had the same number is found no more. */
	earlier = console_find(domid);
	if (earlier)
		earlier->domid = DOMID_INVALID;
	console->next = consoles;
	consoles = console;
	mutex_unlock(&console_lock);
	wake_all(&console_changed);
	if (xs_watch(xs, &console->watch))
		printf("console: the store takes no watch for domain %u\n", domid);
}

/* The domain is gone, or going: take its last words, and let go of all that is its. */
static void end(struct console *console)
{
	xs_unwatch(xs, &console->watch);
	mutex_lock(&console_lock);
	if (console->connected) {
		pump_drain(&console->pump);
		event_close((evtchn_port_t)console->port);
		unmap_page(console);
	}
	console->connected = false;
	console->ended = true;
	mutex_unlock(&console_lock);
	wake_all(&console_changed);
	wake_all(console_typed());
}

/* Keep the last that ended, and those that somebody looks at. */
static void forget_oldest(void)
{
	struct console **link = &consoles;
	unsigned int ended = 0;

	mutex_lock(&console_lock);
	while (*link) {
		struct console *console = *link;

		if (!console->ended || console->viewers || ended++ < CONSOLE_DEAD) {
			link = &console->next;
			continue;
		}
		*link = console->next;
		console_log_free(&console->pump.log);
		free(console);
	}
	mutex_unlock(&console_lock);
}

static bool is_alive(const struct xen_domctl_getdomaininfo *info)
{
	return !(info->flags & XEN_DOMINF_dying);
}

static void find_new(void)
{
	struct xen_domctl_getdomaininfo list[16];
	domid_t first = 1;
	long count;

	while ((count = control_list(first, list, 16)) > 0) {
		for (long i = 0; i < count; i++) {
			struct console *known = console_find(list[i].domain);

			if (is_alive(&list[i]) && (!known || known->ended))
				begin(list[i].domain);
		}
		first = (domid_t)(list[count - 1].domain + 1);
	}
}

static void end_dead(void)
{
	struct xen_domctl_getdomaininfo info;

	/* Only this thread takes any out of the list. */
	for (struct console *console = consoles; console; console = console->next)
		if (!console->ended && (control_info(console->domid, &info) || !is_alive(&info)))
			end(console);
	forget_oldest();
}

static void on_domains(struct xs_watch *watch, const char *path)
{
	end_dead();
	find_new();
}

long console_start(struct xs *connection)
{
	static struct xs_watch introduced = {.path = "@introduceDomain", .fired = on_domains};
	static struct xs_watch released = {.path = "@releaseDomain", .fired = on_domains};
	struct thread *mover;
	long error;

	xs = connection;
	mover = thread_create("console", move_bytes, NULL);
	if (!mover)
		return -XEN_ENOMEM;
	thread_detach(mover);
	error = xs_watch(xs, &introduced);
	if (!error)
		error = xs_watch(xs, &released);
	return error ? error : xs_dispatch_thread(xs, "console-watch");
}

long console_log_read(domid_t domid, char *buffer, size_t size, uint64_t *position)
{
	struct console *console;
	long count = -XEN_ESRCH;

	mutex_lock(&console_lock);
	console = console_find(domid);
	if (console)
		count = (long)console_log_copy(&console->pump.log, buffer, size, position);
	mutex_unlock(&console_lock);
	return count;
}
