/* SPDX-License-Identifier: MIT */
/*
 * Watches only mark what is due; the service's own thread does the rest. `devices` and the marks change with events
 * masked, and only that thread takes a device out of the list or frees it, so it may walk the list as it likes.
 */
#include <pv-drivers/xenbus_back.h>
#include <guest/console.h>
#include <guest/format.h>
#include <guest/memory.h>
#include <guest/string.h>
#include <public/errno.h>

/* Room for the names in a directory; names beyond it are not served, which a tool notices as a timeout. */
#define NAMES (16 * PAGE_SIZE)

static void wake(struct xenbus_service *service)
{
	service->due = true;
	wake_all(&service->wait);
}

void xenbus_back_kick(struct xenbus_back *back)
{
	bool masked = events_save();

	back->due = true;
	wake(back->service);
	events_restore(masked);
}

static void on_front_changed(struct xenbus_device *bus, enum xenbus_state other)
{
	xenbus_back_kick(
	    (struct xenbus_back *)((char *)bus - __builtin_offsetof(struct xenbus_back, bus)));
}

/* A number at the start of text, up to '/' or the end; what follows, or NULL if there is no number. */
static const char *take_number(const char *text, unsigned int *number)
{
	uint64_t value = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9' && value <= UINT32_MAX; c++)
		value = value * 10 + (uint64_t)(*c - '0');
	if (c == text || value > UINT32_MAX || (*c && *c != '/'))
		return NULL;
	*number = (unsigned int)value;
	return *c ? c + 1 : c;
}

static struct xenbus_back *find(const struct xenbus_service *service, unsigned int frontend,
				unsigned int device)
{
	struct xenbus_back *back = service->devices;

	while (back && (back->frontend != frontend || back->device != device))
		back = back->next;
	return back;
}

/* Of what tools write: the directory as a whole, state, online, and what the driver follows. */
static bool is_of_interest(const struct xenbus_service *service, const char *node)
{
	const char *follows = service->driver->follows;

	return !*node || !strcmp(node, "state") || !strcmp(node, "online") ||
	       (follows && !strcmp(node, follows));
}

static void on_tree(struct xs_watch *watch, const char *path)
{
	struct xenbus_service *service =
	    (struct xenbus_service *)((char *)watch -
				      __builtin_offsetof(struct xenbus_service, watch));
	size_t length = strlen(service->path);
	struct xenbus_back *back = NULL;
	unsigned int frontend, device;
	const char *rest = NULL;
	bool masked;

	if (!strncmp(path, service->path, length) && path[length] == '/')
		rest = take_number(path + length + 1, &frontend);
	if (rest && *rest)
		rest = take_number(rest, &device);
	else
		rest = NULL;
	masked = events_save();
	if (rest)
		back = find(service, frontend, device);
	if (!back)
		service->scan = true;
	else if (is_of_interest(service, rest))
		back->due = true;
	if (!back || back->due)
		wake(service);
	events_restore(masked);
}

/*
 * The states
 */

static void fail(struct xenbus_back *back, long error, const char *why)
{
	xenbus_fail(&back->bus, error, "%s", why ? why : "cannot serve the device");
	back->phase = XENBUS_BACK_FAILED;
}

static bool front_reconnects(struct xenbus_back *back)
{
	uint64_t yes;

	return !xenbus_read_other_number(&back->bus, "feature-reconnect", &yes) && yes;
}

static void open(struct xenbus_back *back, enum xenbus_state other)
{
	const char *why = NULL;
	long error = back->service->driver->open(back, &why);

	back->opening = error == -XEN_EAGAIN;
	if (back->opening)
		return;
	if (error) {
		fail(back, error, why);
		return;
	}
	back->opened = true;
	back->stale = other == XenbusStateConnected && front_reconnects(back);
	back->phase = XENBUS_BACK_WAITING;
	xenbus_set_state(&back->bus, XenbusStateInitWait);
}

static void connect(struct xenbus_back *back)
{
	const char *why = NULL;
	long error = back->service->driver->connect(back, &why);

	if (error) {
		back->failures++;
		fail(back, error, why);
		return;
	}
	back->phase = XENBUS_BACK_CONNECTED;
	xenbus_set_state(&back->bus, XenbusStateConnected);
}

/* False: not yet. */
static bool leave(struct xenbus_back *back)
{
	if (back->phase == XENBUS_BACK_CONNECTED)
		back->phase = XENBUS_BACK_LEAVING;
	if (back->phase == XENBUS_BACK_LEAVING) {
		if (!back->service->driver->disconnect(back))
			return false;
		back->phase = XENBUS_BACK_CLOSED;
	}
	return true;
}

static void set_closed(struct xenbus_back *back)
{
	back->phase = XENBUS_BACK_CLOSED;
	xenbus_set_state(&back->bus, XenbusStateClosed);
}

static bool is_online(struct xenbus_back *back)
{
	uint64_t online;

	return xenbus_read_number(&back->bus, "online", &online) || online;
}

static bool is_away(enum xenbus_state other)
{
	return other == XenbusStateUnknown || other == XenbusStateClosed;
}

static void step_waiting(struct xenbus_back *back, enum xenbus_state other)
{
	if (is_away(other) || !is_online(back)) {
		set_closed(back);
		return;
	}
	if (other == XenbusStateInitialised || (other == XenbusStateConnected && !back->stale))
		connect(back);
}

static void step_connected(struct xenbus_back *back, enum xenbus_state other)
{
	if (other == XenbusStateClosing)
		xenbus_set_state(&back->bus, XenbusStateClosing);
	if ((is_away(other) || other == XenbusStateInitialising) && leave(back))
		set_closed(back);
}

static void step_closed(struct xenbus_back *back, enum xenbus_state other)
{
	if (!is_online(back)) {
		if (back->opened)
			back->service->driver->close(back);
		back->opened = false;
		set_closed(back);
	} else if (back->opened && other == XenbusStateInitialising &&
		   back->failures < XENBUS_BACK_FAILURES) {
		back->stale = false;
		back->phase = XENBUS_BACK_WAITING;
		xenbus_set_state(&back->bus, XenbusStateInitWait);
	}
}

static void step_failed(struct xenbus_back *back, enum xenbus_state other)
{
	/* A front half that has closed may try again, for some time. */
	if (back->opened && is_away(other) && back->failures < XENBUS_BACK_FAILURES)
		set_closed(back);
	/* One that has not begun need not be told. */
	else if (is_away(other) || other == XenbusStateInitialising || !is_online(back))
		xenbus_set_state(&back->bus, XenbusStateClosed);
}

static void step_new(struct xenbus_back *back, enum xenbus_state other)
{
	if (back->opening && !is_online(back)) {
		back->service->driver->close(back);
		back->opening = false;
		back->phase = XENBUS_BACK_FAILED;
	} else {
		open(back, other);
	}
	if (back->phase == XENBUS_BACK_FAILED)
		step_failed(back, other);
	else if (!back->opening)
		step_waiting(back, other);
}

static void step(struct xenbus_back *back, enum xenbus_state other)
{
	switch (back->phase) {
	case XENBUS_BACK_NEW:
		step_new(back, other);
		break;
	case XENBUS_BACK_WAITING:
		step_waiting(back, other);
		break;
	case XENBUS_BACK_CONNECTED:
		if (back->service->driver->update)
			back->service->driver->update(back);
		step_connected(back, other);
		break;
	case XENBUS_BACK_LEAVING:
		if (!leave(back))
			break;
		set_closed(back);
		/* fall through */
	case XENBUS_BACK_CLOSED:
		step_closed(back, other);
		break;
	case XENBUS_BACK_FAILED:
		step_failed(back, other);
		break;
	}
}

/*
 * The list
 */

static void destroy(struct xenbus_back *back)
{
	struct xenbus_service *service = back->service;
	bool masked;

	if (back->opened || back->opening)
		service->driver->close(back);
	if (back->watched)
		xenbus_close(&back->bus);
	masked = events_save();
	for (struct xenbus_back **b = &service->devices; *b; b = &(*b)->next) {
		if (*b == back) {
			*b = back->next;
			break;
		}
	}
	events_restore(masked);
	service->driver->destroy(back);
}

/* The device was removed, or removed and made again, since it was opened. */
static bool is_removed(struct xenbus_back *back)
{
	enum xenbus_state own = xenbus_own_state(&back->bus);

	return own == XenbusStateUnknown ||
	       (own == XenbusStateInitialising && back->phase != XENBUS_BACK_NEW);
}

static void serve(struct xenbus_back *back)
{
	if (!back->watched)
		return;
	if (is_removed(back)) {
		if (leave(back)) {
			back->service->scan = true;
			destroy(back);
		}
		return;
	}
	step(back, xenbus_other_state(&back->bus));
}

static void add(struct xenbus_service *service, unsigned int frontend, unsigned int device)
{
	struct xenbus_back *back = service->driver->create();
	char own[XENBUS_PATH];
	bool masked;
	long error;

	if (!back) {
		printk("%s/%u/%u: no memory\n", service->path, frontend, device);
		return;
	}
	back->service = service;
	back->frontend = (domid_t)frontend;
	back->device = device;
	back->bus.changed = on_front_changed;
	format_string(own, sizeof(own), "%s/%u/%u", service->path, frontend, device);
	error = xenbus_open(&back->bus, service->xs, own, XENBUS_BACK);
	/* A directory that is being made or removed; it will be looked at when it changes. */
	if (error || back->bus.other_domain != frontend) {
		if (!error)
			xenbus_close(&back->bus);
		service->driver->destroy(back);
		return;
	}
	back->watched = true;
	back->due = true;
	masked = events_save();
	back->next = service->devices;
	service->devices = back;
	service->due = true;
	events_restore(masked);
}

/* What a tool has finished with: it is there until the tool removes it. */
static bool is_over(struct xenbus_service *service, unsigned int frontend, unsigned int device)
{
	char path[XENBUS_PATH];
	uint64_t state, online;

	format_string(path, sizeof(path), "%s/%u/%u/state", service->path, frontend, device);
	if (xs_read_number(service->xs, 0, path, &state))
		return true;
	format_string(path, sizeof(path), "%s/%u/%u/online", service->path, frontend, device);
	return state == XenbusStateClosed && !xs_read_number(service->xs, 0, path, &online) &&
	       !online;
}

static void scan_frontend(struct xenbus_service *service, const char *name)
{
	char path[XENBUS_PATH], *names = service->names + NAMES;
	const char *child = NULL;
	unsigned int frontend, device;
	long bytes;

	if (!take_number(name, &frontend) || frontend >= DOMID_FIRST_RESERVED)
		return;
	format_string(path, sizeof(path), "%s/%u", service->path, frontend);
	bytes = xs_directory(service->xs, 0, path, names, NAMES);
	while (bytes > 0 && (child = xs_next_name(names, bytes, child)) != NULL)
		if (take_number(child, &device) && !find(service, frontend, device) &&
		    !is_over(service, frontend, device))
			add(service, frontend, device);
}

static void scan(struct xenbus_service *service)
{
	const char *name = NULL;
	long bytes = xs_directory(service->xs, 0, service->path, service->names, NAMES);

	while (bytes > 0 && (name = xs_next_name(service->names, bytes, name)) != NULL)
		scan_frontend(service, name);
	/* Those that are there no more. */
	for (struct xenbus_back *back = service->devices; back; back = back->next)
		back->due = true;
}

static void serve_due(struct xenbus_service *service)
{
	struct xenbus_back *next;

	for (struct xenbus_back *back = service->devices; back; back = next) {
		next = back->next;
		if (back->due) {
			back->due = false;
			serve(back);
		}
	}
}

/* False: one of them has still something in flight. */
static bool stop_all(struct xenbus_service *service)
{
	struct xenbus_back *next;

	for (struct xenbus_back *back = service->devices; back; back = next) {
		next = back->next;
		if (leave(back))
			destroy(back);
	}
	return !service->devices;
}

bool xenbus_service_turn(struct xenbus_service *service)
{
	if (!service->due)
		return false;
	service->due = false;
	if (service->stopping) {
		service->stopped = stop_all(service);
		return true;
	}
	if (service->scan) {
		service->scan = false;
		scan(service);
	}
	serve_due(service);
	/* A device that was removed may have been made again meanwhile. */
	if (service->scan)
		service->due = true;
	return true;
}

static void run(void *argument)
{
	struct xenbus_service *service = argument;
	bool masked;

	while (!service->stopped) {
		masked = events_save();
		while (!service->due)
			wait_on(&service->wait, 0);
		events_restore(masked);
		xenbus_service_turn(service);
	}
	masked = events_save();
	service->ended = true;
	wake_all(&service->wait);
	events_restore(masked);
}

long xenbus_service_start(struct xenbus_service *service, struct xs *xs,
			  const struct xenbus_back_driver *driver)
{
	struct thread *thread;
	long error;

	service->driver = driver;
	service->xs = xs;
	service->stopping = service->stopped = service->ended = false;
	format_string(service->path, sizeof(service->path), "backend/%s", driver->type);
	service->names = pages_alloc(2 * NAMES / PAGE_SIZE);
	if (!service->names)
		return -XEN_ENOMEM;
	service->watch.path = service->path;
	service->watch.fired = on_tree;
	error = xs_watch(xs, &service->watch);
	if (!error) {
		thread = thread_create(service->path, run, service);
		if (thread) {
			thread_detach(thread);
			return 0;
		}
		xs_unwatch(xs, &service->watch);
		error = -XEN_ENOMEM;
	}
	pages_free(service->names, 2 * NAMES / PAGE_SIZE);
	return error;
}

void xenbus_service_stop(struct xenbus_service *service)
{
	bool masked;

	xs_unwatch(service->xs, &service->watch);
	masked = events_save();
	service->stopping = true;
	wake(service);
	while (!service->ended)
		wait_on(&service->wait, 0);
	events_restore(masked);
	pages_free(service->names, 2 * NAMES / PAGE_SIZE);
}

void xenbus_service_each(struct xenbus_service *service,
			 bool (*function)(struct xenbus_back *back, void *data), void *data)
{
	bool masked = events_save(), more = true;

	for (struct xenbus_back *back = service->devices; back && more; back = back->next)
		more = function(back, data);
	events_restore(masked);
}

void xenbus_back_announce(struct xenbus_back *back)
{
	if (back->phase == XENBUS_BACK_CONNECTED)
		xenbus_printf(&back->bus, 0, "state", "%d", XenbusStateConnected);
}
