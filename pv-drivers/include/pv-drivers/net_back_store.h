/* SPDX-License-Identifier: MIT */
/* What the two halves of a network interface tell each other through the store (public/io/netif.h), the back half's side. */
#ifndef PV_DRIVERS_NET_BACK_STORE_H
#define PV_DRIVERS_NET_BACK_STORE_H

#include <pv-drivers/net_back.h>
#include <pv-drivers/xenbus.h>

/*
 * For threads. The keys in our own directory that toolstacks write: mac, rate ("BYTES,MICROSECONDS", each interval's), mtu. name,
 * broken and data are the caller's. -XEN_EINVAL with what is wrong in *why.
 */
long net_back_read_config(struct xenbus_device *bus, struct net_back_config *config,
			  const char **why);

/* Write what we offer: queues, 1 to NET_BACK_QUEUES, at most. */
long net_back_offer(struct xenbus_device *bus, unsigned int queues);

/* Read what the front half has published. -XEN_EINVAL or -XEN_EOPNOTSUPP, or of the store, with what is wrong in *why. */
long net_back_read_front(struct xenbus_device *bus, unsigned int queues,
			 struct net_back_front *front, const char **why);

/* Does the front half want multicast control now? It may change its mind while it is connected; NET_BACK_MULTICAST: its node. */
#define NET_BACK_MULTICAST "request-multicast-control"
bool net_back_read_multicast_control(struct xenbus_device *bus);

#endif
