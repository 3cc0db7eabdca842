/* SPDX-License-Identifier: MIT */
/*
 * How the two ends of a device agree: each writes its state, as a decimal number, into the node "state"
 * of its own directory in the store, and watches that of the other.
 *
 * Usual course: both ends start in Initialising. The backend publishes what it can do and goes to
 * InitWait; the frontend then allocates rings and channels, publishes them and goes to Initialised
 * (or Connected); the backend maps them and goes to Connected, upon which the frontend does too. To
 * end: the frontend goes to Closing, the backend follows, the frontend goes to Closed, the backend
 * lets go of everything and follows.
 */
#ifndef _XEN_PUBLIC_IO_XENBUS_H
#define _XEN_PUBLIC_IO_XENBUS_H

enum xenbus_state {
	XenbusStateUnknown = 0,	     /* there is no such node */
	XenbusStateInitialising = 1, /* at the beginning */
	XenbusStateInitWait = 2, /* own part prepared, waiting for the other end or for a script */
	XenbusStateInitialised = 3,   /* published all that the other end needs to connect */
	XenbusStateConnected = 4,     /* working */
	XenbusStateClosing = 5,	      /* an error or a removal: finishing what is under way */
	XenbusStateClosed = 6,	      /* let go of everything */
	XenbusStateReconfiguring = 7, /* parameters are changing */
	XenbusStateReconfigured = 8   /* they have changed */
};
typedef enum xenbus_state XenbusState;

#endif /* _XEN_PUBLIC_IO_XENBUS_H */
