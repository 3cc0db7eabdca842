/* SPDX-License-Identifier: MIT */
#include <pv-drivers/xenbus_front.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/string.h>
#include <public/errno.h>

/* How long a back half may take to let go of our pages before they are given up for lost. */
#define CLOSE_TIMEOUT (10 * NSEC_PER_SEC)

static void enter(struct xenbus_front *front, enum xenbus_front_phase phase)
{
	bool masked = events_save();

	front->phase = phase;
	wake_all(&front->wait);
	events_restore(masked);
}

static void release(struct xenbus_front *front, bool again)
{
	front->released = front->driver->disconnect(front, again);
}

/* The end: for whoever waits, with an error. */
static void finish(struct xenbus_front *front, long error)
{
	if (front->phase != XENBUS_FRONT_CLOSED)
		release(front, false);
	front->error = error;
	enter(front, XENBUS_FRONT_CLOSED);
	xenbus_set_state(&front->bus, XenbusStateClosed);
}

static void fail(struct xenbus_front *front, long error, const char *what)
{
	xenbus_fail(&front->bus, error, "%s", what);
	finish(front, error);
}

static long publish(struct xenbus_front *front)
{
	xs_transaction t;
	long error, ended;

	do {
		error = xs_transaction_start(front->bus.xs, &t);
		if (error)
			return error;
		error = xenbus_printf(&front->bus, t, "feature-reconnect", "1");
		if (!error)
			error = front->driver->publish(front, t);
		ended = xs_transaction_end(front->bus.xs, t, !error);
	} while (ended == -XEN_EAGAIN);
	return error ? error : ended;
}

static void prepare(struct xenbus_front *front)
{
	long error = front->driver->prepare(front);

	front->released = false;
	if (!error)
		error = publish(front);
	if (error) {
		fail(front, error, "cannot make rings");
		return;
	}
	/* Before the state tells: the answer may come at once. */
	enter(front, XENBUS_FRONT_PUBLISHED);
	error = xenbus_set_state(&front->bus, front->driver->published);
	if (error)
		finish(front, error);
}

static void connect(struct xenbus_front *front)
{
	long error = front->driver->connect(front);

	if (error) {
		fail(front, error, "cannot use what the back half offers");
		return;
	}
	error = xenbus_set_state(&front->bus, XenbusStateConnected);
	if (error)
		finish(front, error);
	else
		enter(front, XENBUS_FRONT_CONNECTED);
}

/* Closed first, and not at once Initialising: the back half must have seen that the old rings are no more. */
static void restart(struct xenbus_front *front)
{
	release(front, true);
	enter(front, XENBUS_FRONT_RESTARTING);
	xenbus_set_state(&front->bus, XenbusStateClosed);
}

static void begin_anew(struct xenbus_front *front)
{
	if (!front->released)
		release(front, true);
	/* It says that it has closed, and has not let go. */
	if (!front->released)
		return;
	enter(front, XENBUS_FRONT_WAITING);
	xenbus_set_state(&front->bus, XenbusStateInitialising);
}

static bool is_over(enum xenbus_state other)
{
	return other == XenbusStateUnknown || other == XenbusStateClosing ||
	       other == XenbusStateClosed;
}

static void step(struct xenbus_front *front, enum xenbus_state other)
{
	switch (front->phase) {
	case XENBUS_FRONT_WAITING:
		if (other == XenbusStateInitWait)
			prepare(front);
		/* Closed: from before, until it has seen that we begin anew. */
		else if (other == XenbusStateUnknown || other == XenbusStateClosing)
			finish(front, -XEN_ENODEV);
		break;
	case XENBUS_FRONT_PUBLISHED:
		if (other == XenbusStateConnected)
			connect(front);
		else if (is_over(other))
			finish(front, -XEN_ENODEV);
		break;
	case XENBUS_FRONT_CONNECTED:
		if (other == XenbusStateConnected && front->driver->changed)
			front->driver->changed(front);
		else if (other == XenbusStateInitialising || other == XenbusStateInitWait)
			restart(front);
		else if (is_over(other))
			finish(front, -XEN_ENODEV);
		break;
	case XENBUS_FRONT_RESTARTING:
		if (other == XenbusStateClosed)
			begin_anew(front);
		else if (other == XenbusStateUnknown)
			finish(front, -XEN_ENODEV);
		break;
	case XENBUS_FRONT_CLOSED:
		if (!front->released)
			release(front, false);
		break;
	}
}

static void on_changed(struct xenbus_device *bus, enum xenbus_state other)
{
	struct xenbus_front *front =
	    (struct xenbus_front *)((char *)bus - __builtin_offsetof(struct xenbus_front, bus));

	mutex_lock(&front->lock);
	step(front, other);
	mutex_unlock(&front->lock);
}

long xenbus_front_open(struct xenbus_front *front, struct xs *xs, const char *own,
		       const struct xenbus_front_driver *driver)
{
	long error;

	front->driver = driver;
	front->error = 0;
	front->released = true;
	/* If somebody before us left it in the middle (a boot loader, another kernel), it is closed first. */
	front->phase = XENBUS_FRONT_RESTARTING;
	front->bus.changed = NULL;
	error = xenbus_open(&front->bus, xs, own, XENBUS_FRONT);
	if (error)
		return error;
	mutex_lock(&front->lock);
	if (xenbus_own_state(&front->bus) == XenbusStateInitialising)
		front->phase = XENBUS_FRONT_WAITING;
	else
		error = xenbus_set_state(&front->bus, XenbusStateClosed);
	front->bus.changed = on_changed;
	if (!error)
		step(front, xenbus_other_state(&front->bus));
	mutex_unlock(&front->lock);
	if (error)
		xenbus_close(&front->bus);
	return error;
}

long xenbus_front_wait(struct xenbus_front *front, uint64_t deadline)
{
	bool masked = events_save(), in_time = true;
	long result;

	while (front->phase != XENBUS_FRONT_CONNECTED && front->phase != XENBUS_FRONT_CLOSED &&
	       in_time)
		in_time = wait_on(&front->wait, deadline);
	result = front->phase == XENBUS_FRONT_CONNECTED ? 0
		 : front->phase == XENBUS_FRONT_CLOSED	? front->error
							: -XEN_ETIMEDOUT;
	events_restore(masked);
	return result;
}

void xenbus_front_close(struct xenbus_front *front)
{
	const unsigned int ended =
	    1u << XenbusStateClosed | 1u << XenbusStateUnknown | 1u << XenbusStateInitWait;

	mutex_lock(&front->lock);
	if (front->phase != XENBUS_FRONT_CLOSED)
		finish(front, -XEN_ENODEV);
	mutex_unlock(&front->lock);
	if (!front->released)
		xenbus_wait(&front->bus, ended, clock_now() + CLOSE_TIMEOUT);
	xenbus_close(&front->bus);
	if (!front->released)
		release(front, false);
}
