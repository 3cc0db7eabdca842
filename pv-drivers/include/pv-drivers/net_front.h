/* SPDX-License-Identifier: MIT */
/*
 * The front half of a network interface (public/io/netif.h): a network port. What is sent lies where it is and is granted
 * to the back half for as long as that takes; what is received lies in pages of this driver's, granted while they wait for
 * a packet and not any longer. One pair of rings, with an event channel each.
 *
 * The back half may go and come again (a driver domain that is restarted): the link goes down and up. So it does when the back
 * half says that there is no carrier.
 */
#ifndef PV_DRIVERS_NET_FRONT_H
#define PV_DRIVERS_NET_FRONT_H

#include <pv-drivers/net.h>
#include <pv-drivers/ring.h>
#include <pv-drivers/xenbus_front.h>
#include <public/io/netif.h>

/* Pages for packets that come in, whether they wait for one or hold one that somebody looks at. */
#define NET_FRONT_BUFFERS 128
#define NET_FRONT_SLOTS	  256 /* of the ring for packets that go out */

struct net_front_buffer {
	struct net_packet packet; /* whose first page is this one */
	struct net_front *front;
	void *page;
	grant_ref_t ref;	       /* while it waits for a packet */
	struct net_front_buffer *next; /* free ones; a packet's */
	bool posted;
};

/* The memory is the caller's, zeroed, and lasts until net_front_close. */
struct net_front {
	struct net_port port;
	struct xenbus_front xenbus;
	struct xenbus_ring tx_ring, rx_ring;
	netif_tx_front_ring_t tx;
	netif_rx_front_ring_t rx;
	bool connected;
	struct xs_watch carrier_watch;
	char carrier_path[XENBUS_PATH + 8];

	/* A slot that is in use: its grant, and with the last one of a packet the packet. */
	struct {
		grant_ref_t ref;
		struct net_packet *packet;
		uint16_t next_free;
		bool used;
	} slots[NET_FRONT_SLOTS];
	uint16_t first_free; /* NET_FRONT_SLOTS: none */
	unsigned int slots_free;

	void *pages;
	struct net_front_buffer *buffers; /* free ones */
	unsigned int buffers_free;
	struct net_front_buffer all[NET_FRONT_BUFFERS];
	/* The packet that is coming in, a slot at a time. */
	struct net_front_buffer *head, **tail;
	uint16_t flags; /* of its first response */
	bool bad;
};

/*
 * Begin with the device whose directory is `own`, "device/vif/0". The port is complete but for its link, which comes when the
 * back half is connected (xenbus_front_wait waits for that). 0; -XEN_ENOMEM; or an error of the store. Watches must be
 * dispatched, by a thread other than the caller.
 */
long net_front_open(struct net_front *front, struct xs *xs, const char *own);

/* Take leave of the back half. Nobody is attached to the port any more, or holds packets of it. */
void net_front_close(struct net_front *front);

#endif
