/* SPDX-License-Identifier: MIT */
/*
 * The two ends of a split device agreeing through the store (public/io/xenbus.h): each writes its state below its own
 * directory and watches the other's. Either half may be in any domain. The other end is not trusted: what it writes may
 * change between two reads, be nonsense or vanish; these functions read a value once and check it.
 *
 * Functions are for threads, and wait for the store; errors are those of pv-drivers/xs.h. One thread at a time uses a
 * device, but for xenbus_wait and `changed`.
 */
#ifndef PV_DRIVERS_XENBUS_H
#define PV_DRIVERS_XENBUS_H

#include <pv-drivers/grant.h>
#include <pv-drivers/xs.h>
#include <public/io/xenbus.h>

#define XENBUS_PATH 80

struct xenbus_device {
	struct xs *xs;
	char own[XENBUS_PATH], other[XENBUS_PATH]; /* directories */
	domid_t other_domain;
	/*
	 * If not NULL: called in the thread that dispatches watches when the other's state may have changed, and once at
	 * first. It must not call xenbus_wait or xenbus_close.
	 */
	void (*changed)(struct xenbus_device *device, enum xenbus_state other);
	void *data; /* the driver's */

	/* Inside. */
	struct xs_watch watch;
	char watched[XENBUS_PATH + 8];
	struct mutex lock;
	struct wait_queue wait;
	unsigned int fired;
};

enum xenbus_half { XENBUS_FRONT, XENBUS_BACK };

/*
 * Find the other end of the device whose directory is `own` (front half: "device/vbd/51712"; back half:
 * "backend/vbd/1/51712"), and watch it. `changed` and `data` are set before. -XEN_EINVAL: the directory does not name another
 * end, or in too long a path.
 */
long xenbus_open(struct xenbus_device *device, struct xs *xs, const char *own,
		 enum xenbus_half half);
/* Stop watching. When this returns `changed` does not run and will not. */
void xenbus_close(struct xenbus_device *device);

/* Own state. -XEN_ENOENT: the device has been removed, and is not made again. */
long xenbus_set_state(struct xenbus_device *device, enum xenbus_state state);
/* The other's now; XenbusStateUnknown if there is none, or none that makes sense. */
enum xenbus_state xenbus_other_state(struct xenbus_device *device);
/* One's own, which tools write too. */
enum xenbus_state xenbus_own_state(struct xenbus_device *device);

/*
 * Wait for the other end to be in one of some states, a set of 1 << XenbusState..., until a system time (0: for ever).
 * Returns the state, or -XEN_ETIMEDOUT. Some other thread must dispatch watches. To have XenbusStateUnknown in the set
 * is to notice that the other end was removed.
 */
long xenbus_wait(struct xenbus_device *device, unsigned int states, uint64_t deadline);

/* A value in one's own directory or in the other's. */
long xenbus_printf(struct xenbus_device *device, xs_transaction t, const char *name,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));
long xenbus_read_number(struct xenbus_device *device, const char *name, uint64_t *number);
long xenbus_read_other(struct xenbus_device *device, const char *name, char *value, size_t size);
long xenbus_read_other_number(struct xenbus_device *device, const char *name, uint64_t *number);

/*
 * Tell what is wrong where tools look for it, error/OWN/error, and go to Closing: error is negated, the text for people.
 */
void xenbus_fail(struct xenbus_device *device, long error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Shared pages and an event channel: the front half makes and publishes them, the back half connects. handler runs
 * as any of guest/event.h. name: of the node with the reference, "ring-ref" for most devices; with several pages
 * name0, name1, ... and ring-page-order.
 */
struct xenbus_ring {
	void *pages; /* adjacent */
	unsigned int order;
	long port; /* our end */
	grant_ref_t refs[GRANT_PAGES];
	struct grant_mapping mapping; /* back half */
};

/* 0, -XEN_ENOMEM, -XEN_ENOSPC, or an error of event channels. The pages are zeroed. order: 0 to 4. */
long xenbus_ring_create(struct xenbus_device *device, struct xenbus_ring *ring, unsigned int order,
			event_handler *handler, void *data);
/* Write the nodes. event_name: "event-channel". */
long xenbus_ring_publish(struct xenbus_device *device, xs_transaction t,
			 const struct xenbus_ring *ring, const char *name, const char *event_name);
/*
 * False: the other end still has pages mapped. They are not freed then: call it again when the other end is Closed,
 * or leave them.
 */
bool xenbus_ring_destroy(struct xenbus_ring *ring);

/* Map and bind what the front half has published; at most max_order. */
long xenbus_ring_connect(struct xenbus_device *device, struct xenbus_ring *ring,
			 unsigned int max_order, const char *name, const char *event_name,
			 event_handler *handler, void *data);
void xenbus_ring_disconnect(struct xenbus_ring *ring);

#endif
