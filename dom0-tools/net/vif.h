/* SPDX-License-Identifier: MIT */
/* Guests' network interfaces: a service that follows backend/vif in the store and puts each onto its bridge. */
#ifndef NET_VIF_H
#define NET_VIF_H

#include <pv-drivers/net_back.h>
#include <pv-drivers/xenbus_back.h>

/*
 * Beside what every toolstack writes, there may be a node "link" in an interface's directory: "down" takes its link down, all
 * else is up. It is followed at any time. What comes of it, and of the bridge's uplink if the bridge follows that, is in
 * "carrier", for the front half (public/io/netif.h).
 */
#define VIF_LINK "link"

/* Bridge, ip: as long as toolstacks write them. */
#define VIF_TEXT 256

struct vif {
	struct xenbus_back xenbus;
	struct net_back *back; /* NULL: not open; changes with events masked */
	char bridge[VIF_TEXT];
	int carrier_told; /* the node, -1: not written yet */
	struct xs_watch multicast_watch;
	char multicast_path[XENBUS_PATH + 32];
};

extern struct xenbus_service vif_service;

/* Begin. xs: a connection of its own, for which a thread is started. 0, -ENOMEM, or an error of the store. */
long vif_start(struct xs *xs);

/* The command: what there is to tell about each, and their links. */
int run_vifs(int argc, char **argv);

#endif
