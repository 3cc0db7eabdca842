/* SPDX-License-Identifier: MIT */
/* What service.c offers to the other file that knows threads, local.c. */
#ifndef STORE_SERVICE_H
#define STORE_SERVICE_H

#include "store/internal.h"

/* Where a connection's client knocks when it has put or taken something. */
struct door {
	struct door *next;
	bool knocked;
	struct connection *connection;
};

/* From a thread or an event handler. */
void door_knock(struct door *door);

/* Connect a ring of dom0's. 0 or -ENOMEM. From any thread. */
int service_connect(struct door *door, struct xenstore_domain_interface *ring,
		    void (*notify)(void *data), void *data);

#endif
