/* SPDX-License-Identifier: MIT */
#include <pv-drivers/xenbus.h>
#include <guest/console.h>
#include <guest/format.h>
#include <guest/string.h>
#include <public/errno.h>

/* directory/name. False: too long. */
static bool join(char *path, size_t size, const char *directory, const char *name)
{
	return (size_t)format_string(path, size, "%s/%s", directory, name) < size;
}

static enum xenbus_state read_state(struct xenbus_device *device, xs_transaction t,
				    const char *directory, long *error)
{
	char path[XENBUS_PATH + 8];
	uint64_t state;

	join(path, sizeof(path), directory, "state");
	*error = xs_read_number(device->xs, t, path, &state);
	if (*error || state > XenbusStateReconfigured)
		return XenbusStateUnknown;
	return (enum xenbus_state)state;
}

enum xenbus_state xenbus_other_state(struct xenbus_device *device)
{
	long error;

	return read_state(device, 0, device->other, &error);
}

enum xenbus_state xenbus_own_state(struct xenbus_device *device)
{
	long error;

	return read_state(device, 0, device->own, &error);
}

/* Within the transaction: the node must exist, so that what a tool has removed stays so. */
static long write_state(struct xenbus_device *device, xs_transaction t, enum xenbus_state state)
{
	char path[XENBUS_PATH + 8];
	long error;

	if (read_state(device, t, device->own, &error) == state && !error)
		return 0;
	if (error && error != -XEN_EINVAL)
		return error;
	join(path, sizeof(path), device->own, "state");
	return xs_printf(device->xs, t, path, "%d", (int)state);
}

long xenbus_set_state(struct xenbus_device *device, enum xenbus_state state)
{
	xs_transaction t;
	long error, ended;

	do {
		error = xs_transaction_start(device->xs, &t);
		if (error)
			return error;
		error = write_state(device, t, state);
		ended = xs_transaction_end(device->xs, t, !error);
	} while (ended == -XEN_EAGAIN);
	return error ? error : ended;
}

static void on_change(struct xs_watch *watch, const char *path)
{
	struct xenbus_device *device =
	    (struct xenbus_device *)((char *)watch -
				     __builtin_offsetof(struct xenbus_device, watch));

	mutex_lock(&device->lock);
	device->fired++;
	wake_all(&device->wait);
	mutex_unlock(&device->lock);
	if (device->changed)
		device->changed(device, xenbus_other_state(device));
}

static long find_other(struct xenbus_device *device, enum xenbus_half half)
{
	const char *name = half == XENBUS_FRONT ? "backend" : "frontend";
	char path[XENBUS_PATH + 16];
	uint64_t domain;
	long error;

	join(path, sizeof(path), device->own, name);
	error = xs_read(device->xs, 0, path, device->other, sizeof(device->other));
	if (error < 0)
		return error == -XEN_ERANGE ? -XEN_EINVAL : error;
	format_string(path, sizeof(path), "%s/%s-id", device->own, name);
	error = xs_read_number(device->xs, 0, path, &domain);
	if (error)
		return error;
	if (!device->other[0] || domain >= DOMID_FIRST_RESERVED)
		return -XEN_EINVAL;
	device->other_domain = (domid_t)domain;
	return 0;
}

long xenbus_open(struct xenbus_device *device, struct xs *xs, const char *own,
		 enum xenbus_half half)
{
	long error;

	device->xs = xs;
	device->fired = 0;
	memset(&device->lock, 0, sizeof(device->lock));
	memset(&device->wait, 0, sizeof(device->wait));
	if ((size_t)format_string(device->own, sizeof(device->own), "%s", own) >=
	    sizeof(device->own))
		return -XEN_EINVAL;
	error = find_other(device, half);
	if (error)
		return error;
	join(device->watched, sizeof(device->watched), device->other, "state");
	device->watch.path = device->watched;
	device->watch.fired = on_change;
	return xs_watch(xs, &device->watch);
}

void xenbus_close(struct xenbus_device *device)
{
	xs_unwatch(device->xs, &device->watch);
}

long xenbus_wait(struct xenbus_device *device, unsigned int states, uint64_t deadline)
{
	enum xenbus_state state;
	unsigned int seen;
	bool in_time = true;

	for (;;) {
		mutex_lock(&device->lock);
		seen = device->fired;
		mutex_unlock(&device->lock);
		/* Read after that: what changes from now on counts. */
		state = xenbus_other_state(device);
		if (states & (1u << state))
			return state;
		if (!in_time)
			return -XEN_ETIMEDOUT;
		if (device->xs->error)
			return device->xs->error;
		mutex_lock(&device->lock);
		while (in_time && device->fired == seen)
			in_time = condition_wait(&device->wait, &device->lock, deadline);
		mutex_unlock(&device->lock);
	}
}

long xenbus_printf(struct xenbus_device *device, xs_transaction t, const char *name,
		   const char *format, ...)
{
	char path[2 * XENBUS_PATH];
	va_list arguments;
	long error;

	if (!join(path, sizeof(path), device->own, name))
		return -XEN_EINVAL;
	va_start(arguments, format);
	error = xs_vprintf(device->xs, t, path, format, arguments);
	va_end(arguments);
	return error;
}

static long read_number(struct xenbus_device *device, const char *directory, const char *name,
			uint64_t *number)
{
	char path[2 * XENBUS_PATH];

	if (!join(path, sizeof(path), directory, name))
		return -XEN_EINVAL;
	return xs_read_number(device->xs, 0, path, number);
}

long xenbus_read_number(struct xenbus_device *device, const char *name, uint64_t *number)
{
	return read_number(device, device->own, name, number);
}

long xenbus_read_other_number(struct xenbus_device *device, const char *name, uint64_t *number)
{
	return read_number(device, device->other, name, number);
}

long xenbus_read_other(struct xenbus_device *device, const char *name, char *value, size_t size)
{
	char path[2 * XENBUS_PATH];

	if (!join(path, sizeof(path), device->other, name))
		return -XEN_EINVAL;
	return xs_read(device->xs, 0, path, value, size);
}

void xenbus_fail(struct xenbus_device *device, long error, const char *format, ...)
{
	char path[XENBUS_PATH + 16], text[256];
	va_list arguments;

	va_start(arguments, format);
	format_string_v(text, sizeof(text), format, arguments);
	va_end(arguments);
	printk("%s: %s (error %ld)\n", device->own, text, error);
	format_string(path, sizeof(path), "error/%s/error", device->own);
	xs_printf(device->xs, 0, path, "%ld %s", -error, text);
	xenbus_set_state(device, XenbusStateClosing);
}
