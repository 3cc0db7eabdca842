/* SPDX-License-Identifier: MIT */
/* The way to the store for a domain that was given a ring: start_info.store_mfn and store_evtchn. */
#ifndef PV_DRIVERS_XS_RING_H
#define PV_DRIVERS_XS_RING_H

#include <pv-drivers/xs.h>

/*
 * Connect this domain's ring, once. 0; -XEN_ENXIO if the domain was given none; or an error of event channels.
 * Watches fire when a thread dispatches them (xs_dispatch_thread).
 */
long xs_connect_ring(struct xs *xs);

#endif
