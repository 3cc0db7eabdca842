/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the back half know of each other: net_back.c, net_back_tx.c, net_back_rx.c, net_back_control.c. Events are masked
 * in all of it.
 */
#ifndef NET_BACK_INTERNAL_H
#define NET_BACK_INTERNAL_H

#include <guest/clock.h>
#include <guest/memory.h>
#include <pv-drivers/net_back.h>
#include <pv-drivers/net_hash.h>
#include <pv-drivers/ring.h>
#include <public/io/netif.h>

/* Packets of a queue that are on their way from the guest, and those of them that may be here as a whole. */
#define TX_PACKETS 64
#define TX_PAGES   8

/* Packets that wait for the guest's buffers, and how long they may: they hold slots of other guests' rings. */
#define RX_PACKETS 64
#define RX_STALL   (100 * NSEC_PER_MSEC)
/* A guest that has stalled is believed to take packets again when it has posted so many buffers. */
#define RX_RECOVERED 32

/* Slots of the largest chain, with the extra infos that may be in it, one of each type. */
#define TX_SLOTS (XEN_NETIF_NR_SLOTS_MIN + XEN_NETIF_EXTRA_TYPE_MAX - 1)

/* A packet from the guest. The structure lies within one page, its room with it. */
struct net_back_packet {
	struct net_packet packet;
	struct net_back_queue *queue;
	void *page;			      /* of its own, or NULL */
	uint16_t ids[XEN_NETIF_NR_SLOTS_MIN]; /* of the slots to be answered */
	uint8_t slots, extras;
	int8_t status;		 /* NETIF_RSP_* */
	unsigned int connection; /* in which it came: no other has slots to answer */
	_Alignas(16) uint8_t room[NET_HEADERS];
};
#define NET_BACK_PACKET_SIZE 1024
_Static_assert(sizeof(struct net_back_packet) <= NET_BACK_PACKET_SIZE, "four packets a page");

struct net_back_queue {
	struct net_back *back;
	netif_tx_back_ring_t tx;
	netif_rx_back_ring_t rx;
	struct grant_mapping rings;
	evtchn_port_t tx_port, rx_port; /* the same if not split */
	bool connected;
	unsigned int connection; /* counted */

	/* From the guest. */
	void *memory;		 /* of packets and pages; from the first connection on */
	struct net_packet *free; /* struct net_back_packet, by next */
	void *pages[TX_PAGES];	 /* free ones */
	unsigned int pages_free;
	unsigned int on_the_way; /* packets that are not free */
	uint64_t tx_wait;	 /* system time at which the rate allows more, or 0 */
	bool tx_busy;		 /* answers are collected, and pushed by who set it */
	bool tx_starved;	 /* more to take, but no packet was free */

	/* To the guest. */
	struct net_packet *waiting[RX_PACKETS];	  /* NULL: gone already, with one before it */
	struct net_hash_value hashes[RX_PACKETS]; /* of those, by which they came to this queue */
	unsigned int first_waiting, waits;
	uint64_t stall_at; /* when those have waited too long; 0: there are buffers enough */
	bool stalled;

	/* Of the thread: in its list. */
	bool polled, events_closed;
	struct net_back_queue *next_polled;
};

struct net_back_control {
	xen_netif_ctrl_back_ring_t ring;
	struct grant_mapping page;
	evtchn_port_t port; /* 0: the front half has no such ring */
	bool due;	    /* in the list of those that have requests */
	struct net_back *next_due;
};

struct net_back {
	struct net_port port;
	struct net_back_config config;
	struct net_back_front front;
	bool connected, broken;
	bool down;    /* taken down by net_back_set_link */
	bool severed; /* there is no network beyond the port */
	struct net_rate rate;
	uint8_t groups[64][NET_MAC]; /* with multicast control: those that the guest wants */
	unsigned int groups_used;
	struct net_hash hash; /* as the guest has set it */
	struct net_back_control control;
	struct net_back_counters counters;
	struct net_back *next; /* of all */
	struct net_back_queue queue[NET_BACK_QUEUES];
};

/* Take what the guest has sent, at most so many packets. True: there may be more at once. */
bool net_back_take(struct net_back_queue *queue, unsigned int budget);

/* Queue a packet with its hash for the guest, or drop it. net_back_fill moves what waits into the guest's buffers. */
void net_back_queue_packet(struct net_back_queue *queue, struct net_packet *packet,
			   struct net_hash_value hash);
void net_back_fill(struct net_back_queue *queue);
/* Let go of all that waits. */
void net_back_drop_waiting(struct net_back_queue *queue);
/* They have waited too long. */
void net_back_stall(struct net_back_queue *queue);

/* The front half has broken the protocol: nothing is taken from it or given to it any more. */
void net_back_break(struct net_back *back, const char *why);
/* Have the thread look at a queue: soon, or at its tx_wait or stall_at. */
void net_back_poll(struct net_back_queue *queue);
void net_back_wake_at(uint64_t time);
void net_back_notify(struct net_back_queue *queue, evtchn_port_t port);
/* The thread has work. */
void net_back_wake(void);
/* What the thread does in a loop. False: nothing is to be done now. */
bool net_back_round(void);
/* Begin with the front half's control ring, if there is one, and without hashing. An error leaves all as it was. */
long net_back_control_connect(struct net_back *back);
void net_back_control_disconnect(struct net_back *back);
/* Answer one request. False: there is none. */
bool net_back_control_round(void);
/* A packet of the queue's is free again. */
void net_back_packet_freed(struct net_back_queue *queue);
/* The queue's packets and pages; once. False: no memory. */
bool net_back_packets_init(struct net_back_queue *queue);
#define NET_BACK_QUEUE_PAGES (TX_PACKETS * NET_BACK_PACKET_SIZE / PAGE_SIZE + TX_PAGES)

/* Work done by one hypercall, of any interface: there is one vCPU, and nothing is left in it between calls. */
#define NET_BACK_COPIES 128
struct net_back_copies {
	struct gnttab_copy list[NET_BACK_COPIES];
	unsigned int count;
};
/* All of the list, each with its status. */
void net_back_copy(struct net_back *back, struct net_back_copies *copies);

#endif
