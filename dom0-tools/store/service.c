/* SPDX-License-Identifier: MIT */
/*
 * The store's thread. It sleeps until somebody knocks or a domain has died or shut down, and gives turns until
 * nobody has anything to do. The mutex is held for one turn at a time, so that a connection can be made meanwhile.
 */
#include "store/service.h"
#include "store/store.h"
#include "control/control.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/thread.h>
#include <pv-drivers/grant.h>
#include <public/errno.h>

/* What a domain is connected by. */
struct line {
	struct door door;
	domid_t domain;
	evtchn_port_t port;
	void *page; /* the ring; mapped by grant, or else as a frame of the domain's */
	struct grant_mapping granted;
};

static struct store *store;
static struct mutex lock; /* of the store */

/* Events masked: what the thread waits for. */
static struct wait_queue idle;
static struct door *knocked, **knocked_end = &knocked;
static bool domains_changed;

void door_knock(struct door *door)
{
	bool masked = events_save();

	if (!door->knocked) {
		door->knocked = true;
		door->next = NULL;
		*knocked_end = door;
		knocked_end = &door->next;
		wake_one(&idle);
	}
	events_restore(masked);
}

static struct door *take_door(void)
{
	bool masked = events_save();
	struct door *door = knocked;

	if (door) {
		knocked = door->next;
		if (!knocked)
			knocked_end = &knocked;
		door->knocked = false;
	}
	events_restore(masked);
	return door;
}

/* It will not be knocked at any more. */
static void forget_door(struct door *door)
{
	bool masked = events_save();
	struct door **at = &knocked;

	while (*at && *at != door)
		at = &(*at)->next;
	if (*at) {
		*at = door->next;
		if (!*at)
			knocked_end = at;
	}
	events_restore(masked);
}

/* Domains */

static void on_event(evtchn_port_t port, void *data)
{
	door_knock(&((struct line *)data)->door);
}

static void on_exception(evtchn_port_t port, void *data)
{
	domains_changed = true;
	wake_one(&idle);
}

static void send_event(void *data)
{
	event_send(((struct line *)data)->port);
}

/* The toolstack grants the page to dom0; for a domain that it did not do so for, dom0's privilege is enough. */
static long map_page(struct line *line, unsigned long frame)
{
	static const grant_ref_t reference = GNTTAB_RESERVED_XENSTORE;
	xen_pfn_t mfn = frame;
	long error = grant_map(&line->granted, line->domain, &reference, 1, true);

	if (!error) {
		line->page = line->granted.address;
		return 0;
	}
	line->granted.address = NULL;
	line->page = control_map_foreign(line->domain, &mfn, 1, true, &error);
	return line->page ? 0 : error;
}

static void unmap_page(struct line *line)
{
	if (line->granted.address)
		grant_unmap(&line->granted);
	else
		control_unmap(line->page, 1);
}

static int attach(domid_t domain, unsigned long frame, uint32_t port,
		  struct xenstore_domain_interface **ring, void (**notify)(void *data), void **data)
{
	struct line *line = calloc(1, sizeof(*line));
	long result;

	if (!line)
		return -ENOMEM;
	line->domain = domain;
	result = map_page(line, frame);
	if (result) {
		free(line);
		return (int)result;
	}
	result = event_bind_interdomain(domain, port, on_event, line);
	if (result < 0) {
		unmap_page(line);
		free(line);
		return (int)result;
	}
	line->port = (evtchn_port_t)result;
	*ring = line->page;
	*notify = send_event;
	*data = line;
	return 0;
}

static void attached(void *data, struct connection *connection)
{
	((struct line *)data)->door.connection = connection;
}

static void detach(void *data)
{
	struct line *line = data;

	event_close(line->port);
	forget_door(&line->door);
	unmap_page(line);
	free(line);
}

static unsigned int state(domid_t domain)
{
	struct xen_domctl_getdomaininfo info;
	long error = control_info(domain, &info);

	if (error == -XEN_ESRCH || (!error && (info.flags & XEN_DOMINF_dying)))
		return DOMAIN_GONE;
	if (error)
		return 0; /* no news */
	return info.flags & XEN_DOMINF_shutdown ? DOMAIN_SHUT : 0;
}

static void print(const char *text)
{
	printf("xenstored: %s\n", text);
}

static const struct store_platform platform = {
    .attach = attach,
    .attached = attached,
    .detach = detach,
    .state = state,
    .print = print,
};

/* The thread */

int service_connect(struct door *door, struct xenstore_domain_interface *ring,
		    void (*notify)(void *data), void *data)
{
	struct connection *connection;

	mutex_lock(&lock);
	connection = connection_make(store, 0, ring, notify, data);
	door->connection = connection;
	mutex_unlock(&lock);
	return connection ? 0 : -ENOMEM;
}

/* One turn, after noting who came meanwhile. False: nobody has anything to do. */
static bool work(void)
{
	struct door *door;
	bool worked;

	mutex_lock(&lock);
	while ((door = take_door()) != NULL)
		if (door->connection)
			connection_ready(door->connection);
	if (domains_changed) {
		domains_changed = false;
		domains_check(store);
	}
	worked = store_step(store);
	mutex_unlock(&lock);
	return worked;
}

static void serve(void *unused)
{
	for (;;) {
		if (work())
			continue;
		events_mask();
		while (!knocked && !domains_changed)
			wait_on(&idle, 0);
		events_unmask();
	}
}

/* Nobody outside can know the time to the nanosecond and the cycle. */
static uint64_t make_seed(void)
{
	uint64_t seed = clock_now() ^ __builtin_ia32_rdtsc() << 20;

	return table_hash(&seed, sizeof(seed), clock_wall_base());
}

long store_start(void)
{
	struct thread *thread;
	long port;

	store = store_make(&platform, make_seed());
	if (!store)
		return -ENOMEM;
	/* However many domains there are, most of dom0 stays for others. */
	store->quota.total_memory = (unsigned int)(pages_total() * PAGE_SIZE / 4);
	port = event_bind_virq(VIRQ_DOM_EXC, on_exception, NULL);
	if (port < 0)
		return port;
	thread = thread_create("xenstored", serve, NULL);
	if (!thread)
		return -ENOMEM;
	thread_detach(thread);
	return 0;
}
