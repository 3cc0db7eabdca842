/* SPDX-License-Identifier: MIT */
/*
 * The store of this machine (xenstored): a thread of dom0 that serves every domain that the toolstack introduces,
 * and dom0's own tools. It speaks the protocol of public/io/xs_wire.h; its clients use pv-drivers/xs.h.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <pv-drivers/xs.h>

/* Start it, empty. Once, before anything below. 0, or a negative errno. */
long store_start(void);

/*
 * A new connection of dom0's own, which may do all. Threads may share one, but only one of them dispatches its
 * watches. It is there for good. NULL: no memory.
 */
struct xs *store_connect(void);

#endif
