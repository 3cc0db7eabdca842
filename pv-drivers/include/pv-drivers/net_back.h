/* SPDX-License-Identifier: MIT */
/*
 * The back half of a guest's network interface (public/io/netif.h): a network port. What the guest sends the port
 * receives; what is sent to the port goes into the buffers that the guest has posted.
 *
 * A packet's headers are copied into this domain, once, and looked at there; the rest stays in the guest's pages, as
 * granted segments (pv-drivers/net.h), until whoever takes the packet copies it by the hypervisor. So between guests
 * data is copied once, and never through this domain. The slots of the guest's ring are answered when the last user of
 * the packet lets go of it.
 *
 * The front half is hostile. All that it can make this side keep is fixed when it connects: so many packets on their
 * way in, so many waiting for its buffers, and those not for long. Events are answered in their handlers as long as that
 * takes little of the time, else by a thread that takes turns among all interfaces.
 *
 * Functions are for threads.
 */
#ifndef PV_DRIVERS_NET_BACK_H
#define PV_DRIVERS_NET_BACK_H

#include <stdbool.h>
#include <stdint.h>
#include <pv-drivers/grant.h>
#include <pv-drivers/net.h>
#include <public/event_channel.h>

/* Pairs of rings that a guest may have. */
#define NET_BACK_QUEUES 4

struct net_back;

/* What the front half asks for. */
struct net_back_front {
	domid_t domain;
	bool scatter;		     /* feature-sg: packets of several pages */
	bool checksum_ipv4;	     /* not feature-no-csum-offload */
	bool checksum_ipv6;	     /* feature-ipv6-csum-offload */
	bool gso_tcpv4, gso_tcpv6;   /* feature-gso-tcpv4, -6 */
	bool multicast_control;	     /* request-multicast-control, at first */
	bool control;		     /* it has a control ring, */
	grant_ref_t control_ring;    /* ctrl-ring-ref, */
	evtchn_port_t control_event; /* event-channel-ctrl */
	unsigned int queues;	     /* 1 to NET_BACK_QUEUES */
	struct {
		grant_ref_t tx, rx;
		evtchn_port_t tx_event, rx_event; /* the same if they are not split */
	} queue[NET_BACK_QUEUES];
};

struct net_back_config {
	char name[NET_PORT_NAME]; /* vif1.0 */
	uint8_t mac[NET_MAC];	  /* the guest's */
	uint16_t mtu;
	/* What the guest may send: bytes in each interval, 0: no limit. */
	uint64_t rate_bytes, rate_nanoseconds;
	/* Called once, with events masked, when the front half has broken the protocol; it is not listened to any more. */
	void (*broken)(void *data);
	/* NULL, or called with events masked when net_back_carrier has another answer because of the port's user. */
	void (*carrier_changed)(void *data);
	void *data;
};

/* An interface without a front half: its port has no link. NULL without memory. */
struct net_back *net_back_create(const struct net_back_config *config);

/*
 * Connect the rings; the link comes up. 0; -XEN_ENOMEM; -XEN_EINVAL for numbers that cannot be, or what grants and event
 * channels say: all is as before then.
 */
long net_back_connect(struct net_back *back, const struct net_back_front *front);

/* Let go of the rings, if there are any; the link is down. Packets of the guest's may still be on their way. */
void net_back_disconnect(struct net_back *back);

/*
 * Disconnect and free; nobody is attached to the port any more. Waits for the packets that others still hold, which
 * they may only for a short time.
 */
void net_back_destroy(struct net_back *back);

struct net_port *net_back_port(struct net_back *back);

/*
 * Take the link down, or up as it is at first. While it is down no packets pass: those of the guest's are answered with
 * NETIF_RSP_DROPPED. Any context.
 */
void net_back_set_link(struct net_back *back, bool up);

/* What the front half is to be told: the link is up, and so is what the port's user says is beyond it. Any context. */
bool net_back_carrier(const struct net_back *back);

/*
 * With multicast control the guest is given packets only to the groups that it has named, at most 64, and broadcasts. It may name
 * them with or without. Any context.
 */
void net_back_set_multicast_control(struct net_back *back, bool on);

/* What there is to tell. */
struct net_back_counters {
	uint64_t notifications; /* events sent to the guest */
	uint64_t events;	/* events that came */
	uint64_t malformed;	/* packets that the guest described wrongly */
	uint64_t copies;	/* by the hypervisor */
	uint64_t stalls;	/* times that the guest posted no buffers for too long */
	uint64_t limited;	/* times that the rate made the guest wait */
};

void net_back_count(const struct net_back *back, struct net_back_counters *counters);

struct net_back_status {
	bool connected;
	bool carrier; /* net_back_carrier */
	bool down;    /* by net_back_set_link */
	unsigned int queues;
	bool multicast_control;
	unsigned int groups; /* that the guest has named */
	uint32_t
	    hash_types; /* XEN_NETIF_CTRL_HASH_TYPE_* by which packets are hashed; 0: they are not */
};

void net_back_look(const struct net_back *back, struct net_back_status *status);

#endif
