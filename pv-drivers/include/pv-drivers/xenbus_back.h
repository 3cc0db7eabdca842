/* SPDX-License-Identifier: MIT */
/*
 * A service of back halves: it follows backend/TYPE/FRONTEND/DEVICE in this domain's part of the store and takes each
 * device through the states of public/io/xenbus.h. What a type of device is about is in a few functions of its driver.
 *
 *                     what happens                                        own state afterwards
 *   open              a tool has made the directory (Initialising)        InitWait
 *   connect           the front half is Initialised or Connected          Connected
 *   disconnect        the front half is Closed, begins anew, or is gone   Closed, or InitWait if it begins anew
 *   close             the directory is gone (detached by force, domain ended), or a tool wrote online = 0 and the
 *                     front half has closed                               Closed
 *
 * A tool that wants a device detached writes online = 0 and state = Closing; the front half sees that, and closes.
 *
 * A service that is started anew under running front halves finds them Connected. Those that know how to begin anew say so
 * (feature-reconnect = 1 in their directory, xenbus_front.h) and are waited for; to the rings of others it connects as they are.
 *
 * One thread of the service calls all functions of the driver, one at a time for all its devices, so none may wait for a
 * guest or a device. Events are not masked.
 */
#ifndef PV_DRIVERS_XENBUS_BACK_H
#define PV_DRIVERS_XENBUS_BACK_H

#include <pv-drivers/xenbus.h>

struct xenbus_service;

/*
 * How often a front half may publish what cannot be used, or break what could. Each time is told on the console; after that it is
 * not heard any more.
 */
#define XENBUS_BACK_FAILURES 8

/* A device: first member of the driver's own structure. */
struct xenbus_back {
	struct xenbus_device
	    bus; /* its directories, for xenbus_printf and the like; bus.data is the service's */
	domid_t frontend;
	unsigned int device;

	/* Of the service. */
	struct xenbus_service *service;
	struct xenbus_back *next;
	enum xenbus_back_phase {
		XENBUS_BACK_NEW,
		XENBUS_BACK_WAITING, /* opened; for the front half */
		XENBUS_BACK_CONNECTED,
		XENBUS_BACK_LEAVING, /* disconnect has not finished */
		XENBUS_BACK_CLOSED,  /* opened; the front half has closed */
		XENBUS_BACK_FAILED,  /* opened or not; no more until it is removed */
	} phase;
	bool watched, opened;
	bool opening; /* open has begun and is to be called again */
	bool stale;   /* waiting for a front half of before to begin anew */
	bool due;
	unsigned int
	    failures; /* of the front half's making; the driver counts those after connect */
};

struct xenbus_back_driver {
	const char *type; /* "vbd" */
	/* Zeroed memory for a device, or NULL; and to free it. */
	struct xenbus_back *(*create)(void);
	void (*destroy)(struct xenbus_back *back);
	/*
	 * Find out what the device is, get hold of it, write what the front half may want to know (features). Errors are
	 * shown to tools (error/backend/... in the store) by the text in *why, or as a number, and the device is Closed.
	 * -XEN_EAGAIN: it takes time; xenbus_back_kick is called when to try again. What the tools say may have changed by then.
	 */
	long (*open)(struct xenbus_back *back, const char **why);
	/* Read what the front half has published and begin. Errors as above; nothing of the front half's is mapped then. */
	long (*connect)(struct xenbus_back *back, const char **why);
	/*
	 * Let go of all that is the front half's. It may be in the middle of anything, or have died. False: not yet,
	 * since something is in flight; xenbus_back_kick is called when to try again. After true it may be connected again.
	 */
	bool (*disconnect)(struct xenbus_back *back);
	/* Undo open, also one that has only begun. Never while it is connected. */
	void (*close)(struct xenbus_back *back);
	/* NULL, or: called after xenbus_back_kick while it is connected. */
	void (*update)(struct xenbus_back *back);
	/* NULL, or a node of the device's directory that tools write: when it changes, that is a kick. */
	const char *follows;
};

struct xenbus_service {
	/* Of the service. */
	const struct xenbus_back_driver *driver;
	struct xs *xs;
	struct xs_watch watch;
	char path[32];
	struct xenbus_back *devices;
	struct wait_queue wait;
	bool due, scan, stopping, stopped, ended;
	char *
	    names; /* NAMES bytes for what domains there are, then as many for a domain's devices */
};

/*
 * Begin, in a thread of its own. xs: a connection whose watches are dispatched; the driver may use it too. The structure
 * is zeroed. 0; -XEN_ENOMEM; or an error of the store.
 */
long xenbus_service_start(struct xenbus_service *service, struct xs *xs,
			  const struct xenbus_back_driver *driver);
/*
 * Let go of all devices, as they are: states are left alone, so that a service started later finds them. Waits until
 * every device has disconnected.
 */
void xenbus_service_stop(struct xenbus_service *service);

/* Look at the device again. Any context; the device must not be closed. */
void xenbus_back_kick(struct xenbus_back *back);

/* Call function for each device, in the caller's thread, until it returns false. The list does not change meanwhile; it must not wait. */
void xenbus_service_each(struct xenbus_service *service,
			 bool (*function)(struct xenbus_back *back, void *data), void *data);

/* For whoever has no threads (tests): what the service's thread would do now. False: nothing. */
bool xenbus_service_turn(struct xenbus_service *service);

/*
 * Tell the front half that nodes in our directory have changed (a disk's size), by writing the state once more, as Linux
 * expects. For threads. Does nothing unless the device is Connected.
 */
void xenbus_back_announce(struct xenbus_back *back);

#endif
