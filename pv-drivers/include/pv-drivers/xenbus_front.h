/* SPDX-License-Identifier: MIT */
/*
 * A front half's way through the states of public/io/xenbus.h, with what a type of device is about in a few functions of
 * its driver:
 *
 *                  the back half is                                own state afterwards
 *   prepare,
 *   publish        InitWait                                        Initialised, or as the driver says
 *   connect        Connected                                       Connected
 *   changed        Connected, and says it once more                the same
 *   disconnect     Closing, Closed or gone: for good               Closed
 *                  InitWait again: it was restarted                Closed, Initialising when the back half is Closed too,
 *                                                                  and so on from the top
 *
 * Functions of the driver run in the thread that dispatches the store's watches, one at a time; they may make requests
 * to the store, and must not wait for the back half.
 */
#ifndef PV_DRIVERS_XENBUS_FRONT_H
#define PV_DRIVERS_XENBUS_FRONT_H

#include <pv-drivers/xenbus.h>

struct xenbus_front;

struct xenbus_front_driver {
	/* The state that says that the rings are there: Initialised for disks, Connected for networks. */
	enum xenbus_state published;
	/* Make rings for the back half. What it offers can be read (xenbus_read_other). */
	long (*prepare)(struct xenbus_front *front);
	/* Write their nodes, within the transaction; again if that has to be repeated. */
	long (*publish)(struct xenbus_front *front, xs_transaction t);
	/* The back half is connected and has written all it has to say. */
	long (*connect)(struct xenbus_front *front);
	void (*changed)(struct xenbus_front *front); /* NULL: nothing to do */
	/*
	 * Nothing more will come from the back half: give up the rings. False: it has them mapped still
	 * (xenbus_ring_destroy); this is called once more when its state changes. again: it will come back, and what was
	 * in flight is to be repeated after connect. Also called when prepare, publish or connect has failed, and at the
	 * end of a device for which nothing has been prepared, or which was to come back.
	 */
	bool (*disconnect)(struct xenbus_front *front, bool again);
};

/* A device: part of the driver's own structure, zeroed. */
struct xenbus_front {
	struct xenbus_device bus; /* bus.data: the driver's */

	/* Inside. */
	const struct xenbus_front_driver *driver;
	enum xenbus_front_phase {
		XENBUS_FRONT_WAITING,	/* for the back half to be ready for rings */
		XENBUS_FRONT_PUBLISHED, /* for it to take them */
		XENBUS_FRONT_CONNECTED,
		XENBUS_FRONT_RESTARTING, /* we are Closed, and wait for it to be */
		XENBUS_FRONT_CLOSED,
	} phase;
	bool released; /* disconnect has been called and done its work */
	long error;    /* what ended it */
	struct mutex lock;
	struct wait_queue wait;
};

/*
 * Begin with the device whose directory is `own`, "device/vbd/51712". 0, or an error of xenbus_open; what happens later
 * is told by xenbus_front_wait. Watches must be dispatched, by a thread other than the caller.
 */
long xenbus_front_open(struct xenbus_front *front, struct xs *xs, const char *own,
		       const struct xenbus_front_driver *driver);

/* Wait until it is connected: 0; -XEN_ETIMEDOUT at that system time (0: never); or the error that ended it. */
long xenbus_front_wait(struct xenbus_front *front, uint64_t deadline);

/* Close: disconnect has been called and the state is Closed when this returns. Not from a function of the driver. */
void xenbus_front_close(struct xenbus_front *front);

#endif
