/* SPDX-License-Identifier: MIT */
/*
 * Packets and network ports: what drivers of network cards, both halves of the split network device, bridges and
 * protocol stacks agree on. A port has two sides. Its driver (a card, a back or front half) sends what it is given and
 * hands over what it receives. Its user (a bridge, lwIP) gives packets to send and takes what was received.
 *
 * A packet is a list of segments that lie where they are: in memory of this domain, whose machine address a device can
 * use too, or in a page of another domain that granted it to this one. Whoever keeps a packet beyond the call that
 * showed it takes a reference, so that one packet goes to any number of ports without a copy. Once a packet was given
 * to anybody nobody changes it; who needs it otherwise (another tag, a checksum filled in) makes one that shares the
 * rest (net_packet_derive).
 *
 * All functions here and all operations of ports may be called in any context, event handlers too, and never wait.
 * What they share is locked by masking events, which they do themselves. Packets are for one vCPU.
 *
 * Nothing that a packet says is believed because of where it comes from: net_packet_check holds what came from a
 * guest, the other half or a device against the packet itself.
 */
#ifndef PV_DRIVERS_NET_H
#define PV_DRIVERS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/grant_table.h>

/* 64 KiB in pages with an unaligned start is 17; and one for the headers, copied. netif promises 18 slots. */
#define NET_SEGMENTS 20
/* Largest packet: 65535 bytes of IP, Ethernet's header, one VLAN tag. */
#define NET_PACKET_MAX (65535 + 14 + 4)
/*
 * All headers up to TCP's with options, behind a VLAN tag and with IP's own options: whoever makes a packet puts so many
 * bytes of it, or all, into its first segment. Headers that end beyond this are nobody's to offload.
 */
#define NET_HEADERS 192
#define NET_MAC	    6

/* Contiguous, and within one page of 4096 bytes. */
struct net_segment {
	void *data; /* in this domain; NULL: in a page of another, below */
	uint64_t
	    machine;	 /* machine address of data, for devices and for copies by the hypervisor */
	uint32_t length; /* bytes, not 0 */
	grant_ref_t ref; /* only with data NULL: the grant, the owner, */
	domid_t domain;
	uint16_t offset; /* and the offset in its page */
};

enum net_checksum {
	NET_CHECKSUM_COMPLETE, /* it is in the packet, right or wrong */
	NET_CHECKSUM_VALID,    /* in the packet, and somebody has checked it */
	/*
	 * TCP's or UDP's is missing: the 16 bits at checksum_start + checksum_offset are to become the sum from
	 * checksum_start to the end. They hold the sum of the pseudo header, not complemented.
	 */
	NET_CHECKSUM_PARTIAL,
};

/* A TCP packet larger than the link's, to be cut by whoever is last that can: always with NET_CHECKSUM_PARTIAL. */
enum net_gso { NET_GSO_NONE, NET_GSO_TCPV4, NET_GSO_TCPV6 };

struct net_pool;

/*
 * The first segment is in this domain and has the packet's first NET_HEADERS bytes, or all of it. Packets begin with
 * the destination's MAC; there is no frame check sequence.
 */
struct net_packet {
	uint32_t length;   /* sum of the segments' */
	uint16_t count;	   /* of segments */
	uint8_t checksum;  /* enum net_checksum */
	uint8_t gso;	   /* enum net_gso */
	uint16_t gso_size; /* bytes of TCP's data in each packet that it becomes */
	uint16_t checksum_start, checksum_offset; /* only with NET_CHECKSUM_PARTIAL */
	uint32_t references;
	/*
	 * Called once, in whatever context the last reference goes: segments and structure are their maker's again. It
	 * must not send packets.
	 */
	void (*release)(struct net_packet *packet);
	void *owner;		  /* the maker's */
	struct net_packet *next;  /* the maker's, for its list of free ones */
	struct net_packet *base;  /* referenced: some of the segments are its */
	struct net_packet *local; /* referenced: its copy in this domain, see net_packet_local */
	struct net_segment segments[NET_SEGMENTS];
};

/* The caller's packet with one reference: all other fields are cleared but owner and next. */
void net_packet_init(struct net_packet *packet, void (*release)(struct net_packet *packet));
/* Add a segment; length and count follow. False: no room for one more, or the packet would become too long. */
bool net_packet_add(struct net_packet *packet, void *data, uint64_t machine, uint32_t length);
bool net_packet_add_granted(struct net_packet *packet, domid_t domain, grant_ref_t ref,
			    uint16_t offset, uint32_t length);
struct net_packet *net_packet_get(struct net_packet *packet);
void net_packet_put(struct net_packet *packet); /* NULL: nothing */
/* Is all of it in this domain? */
bool net_packet_is_local(const struct net_packet *packet);
/* Copy bytes out of a packet that is local; returns how many there were, less than length at its end. */
size_t net_packet_copy_out(const struct net_packet *packet, size_t from, void *to, size_t length);

/*
 * Pools: a bounded number of packets and of pages for their data, so that no user of one pool takes another's memory.
 * All is allocated at once; packets and pages go back by net_packet_put.
 */

/* NULL without memory. For threads. A packet takes 1024 bytes, a page its 4096. */
struct net_pool *net_pool_create(unsigned int packets, unsigned int pages);
/* False: some packets are still in use, and nothing has changed. */
bool net_pool_destroy(struct net_pool *pool);
unsigned int net_pool_packets_free(const struct net_pool *pool);
unsigned int net_pool_pages_free(const struct net_pool *pool);
/*
 * Call available(data) once, when something next comes back to the pool, from the context that gives it: for who found it
 * empty and has more to do. It must not send packets.
 */
void net_pool_notify(struct net_pool *pool, void (*available)(void *data), void *data);

/* A packet without segments, or NULL. */
struct net_packet *net_packet_alloc(struct net_pool *pool);
/*
 * Add, as a segment of `length` bytes, the room that each packet of a pool has beside its pages, once: at most NET_ROOM, for a
 * packet's headers or a short packet. Returns the data, contents left as they are; NULL: longer than that, or a second time.
 */
#define NET_ROOM 256
void *net_packet_add_room(struct net_packet *packet, uint32_t length);
/*
 * Add a page of the packet's pool as a segment of `length` bytes (1 to 4096) from its `offset` on, contents left as they are.
 * Returns the data, or NULL.
 */
void *net_packet_add_page(struct net_packet *packet, unsigned int offset, uint32_t length);
/*
 * For drivers of devices that write into memory before there is a packet: take a page out of the pool (NULL: there is none), and
 * give it back, or add a part of it to a packet of the same pool, whose it is then. False: the packet has no room; the page stays
 * the caller's.
 */
void *net_pool_take_page(struct net_pool *pool);
void net_pool_give_page(struct net_pool *pool, void *page);
bool net_packet_add_taken(struct net_packet *packet, void *page, unsigned int offset,
			  uint32_t length);
/* A packet of the pool with so many bytes copied into it; NULL: no room, or no bytes. */
struct net_packet *net_packet_from_bytes(struct net_pool *pool, const void *bytes, uint32_t length);

/*
 * A new packet: `headers` bytes of its own (1 to NET_ROOM), left for the caller to write, then what follows the first
 * `skip` bytes of base, without a copy, at most `length` bytes of it. Offload fields are the caller's to set. NULL: no room.
 */
struct net_packet *net_packet_derive(struct net_pool *pool, struct net_packet *base,
				     uint32_t headers, uint32_t skip, uint32_t length);

/*
 * The packet with all of its data in this domain: itself, or a copy in the pool, made the first time by the hypervisor
 * (one call for all segments). With a reference for the caller. NULL: no room, or the other domain's grants are bad.
 */
struct net_packet *net_packet_local(struct net_pool *pool, struct net_packet *packet);

/*
 * Headers and offloads (pv-drivers/net_headers.c, net_offload.c). Offsets are from the packet's start.
 */

#define NET_ETHERTYPE_IPV4 0x0800
#define NET_ETHERTYPE_ARP  0x0806
#define NET_ETHERTYPE_VLAN 0x8100
#define NET_ETHERTYPE_IPV6 0x86dd

#define NET_GSO_LEAST	   48

struct net_headers {
	uint16_t ethertype; /* behind the VLAN tag, if there is one */
	uint16_t vlan;	    /* 0: no tag; else its 12 bits, with NET_VLAN_TAGGED */
	uint8_t
	    protocol; /* of IP: 6 TCP, 17 UDP; 0 if there is no whole IP header, or for fragments */
	uint8_t network;    /* offset of what the ethertype says; 14 or 18 */
	uint16_t transport; /* offset of the protocol's header; 0: none */
	uint16_t data; /* offset behind TCP's or UDP's header, 0: not whole, or another protocol */
};
#define NET_VLAN_TAGGED 0x8000

/*
 * Look at the headers in the first segment. False: it is no Ethernet packet (shorter than its header). Whatever the packet
 * holds, no offset found lies beyond the first segment.
 */
bool net_headers_find(const struct net_packet *packet, struct net_headers *headers);

/*
 * Do the offload fields fit the packet? With NET_CHECKSUM_PARTIAL: TCP or UDP (unfragmented) over IP, whole headers, start and
 * offset where they are. With gso: TCP of that IP version with data, without SYN or RST, a size from NET_GSO_LEAST on, so that
 * what it costs to cut is bounded. True: whoever carries out the offloads can rely on this.
 */
bool net_packet_check(const struct net_packet *packet, const struct net_headers *headers);

/* For who has NET_CHECKSUM_PARTIAL without start and offset (netif): find them and write the pseudo header's sum. */
bool net_checksum_prepare(struct net_packet *packet);

/* The sum of 16-bit words in network order, folded to 16 bits and not complemented, of bytes that begin at an even offset. */
uint16_t net_sum(const void *bytes, size_t length, uint16_t sum);

/* What a port can be given to send. */
#define NET_FEATURE_CHECKSUM_IPV4 0x01 /* NET_CHECKSUM_PARTIAL over IPv4 */
#define NET_FEATURE_CHECKSUM_IPV6 0x02
#define NET_FEATURE_GSO_TCPV4	  0x04
#define NET_FEATURE_GSO_TCPV6	  0x08
#define NET_FEATURE_SCATTER	  0x10 /* several segments */
#define NET_FEATURE_GRANTED	  0x20 /* segments in other domains */

/*
 * Make packets that `features` allows out of a local one that net_packet_check passed, in software: checksum filled in, TCP
 * cut, segments gathered; and call send for each, in order, which may keep it by a reference. False: not all of
 * them, for want of room in the pool, or because a packet of several segments is longer than a page and cannot be gathered.
 */
bool net_packet_soften(struct net_pool *pool, struct net_packet *packet, uint32_t features,
		       void (*send)(struct net_packet *packet, void *data), void *data);

/*
 * Ports
 */

struct net_port;

struct net_counters {
	uint64_t packets, bytes, dropped, errors;
};

struct net_port_operations {
	/*
	 * Send, or keep a reference and send soon, or drop and count it. The packet must be as the port's features say and no
	 * longer than mtu and its headers, but for gso. A queue is bounded; a packet holds memory of whoever made it, perhaps
	 * slots of a guest's ring, so a port whose other end takes nothing must let go of it within a bounded time.
	 */
	void (*send)(struct net_port *port, struct net_packet *packet);
	/* All for now: tell the device. Nothing is promised to go out before this. */
	void (*flush)(struct net_port *port);
	/* Receive packets to all addresses, or only its own and those to groups. NULL: it always does. */
	void (*promiscuous)(struct net_port *port, bool on);
	/* Tell the other end whether the network beyond is there, as it is at first. NULL: it cannot be told. */
	void (*beyond)(struct net_port *port, bool there);
};

#define NET_PORT_NAME 16

struct net_port {
	/* The driver's, complete before anybody is told of the port. */
	char name[NET_PORT_NAME];
	uint8_t mac[NET_MAC]; /* its own address, or that of the guest behind it */
	uint16_t mtu;	      /* bytes of payload: 1500 */
	uint32_t features;    /* NET_FEATURE_*; the driver may change them by net_port_changed */
	bool link;	      /* is the cable in, the other half connected and not taken down? */
	const struct net_port_operations *operations;
	void *driver;
	struct net_counters sent,
	    received; /* by the driver, as it sees them; dropped: for want of room */

	/*
	 * The user's, set by net_port_attach. receive takes a packet that came in; a reference if it keeps it. receive_end: the
	 * last one of some that came together. changed: link or features did.
	 */
	const struct net_port_user *user;
	void *user_data;
	/*
	 * The user's hint to who makes packets of granted segments: the last one was needed in this domain, so fetch the next as
	 * a whole with its headers.
	 */
	bool prefer_local;
};

struct net_port_user {
	void (*receive)(struct net_port *port, struct net_packet *packet);
	void (*receive_end)(struct net_port *port);
	void (*changed)(struct net_port *port); /* may be NULL */
};

/* NULL, NULL: nobody uses it. What it receives then is dropped. */
void net_port_attach(struct net_port *port, const struct net_port_user *user, void *user_data);

/* For drivers: hand over a packet, whose reference the driver keeps. Counts it. */
void net_port_receive(struct net_port *port, struct net_packet *packet);
void net_port_receive_end(struct net_port *port);
void net_port_changed(struct net_port *port, bool link, uint32_t features);

/* For users. */
void net_port_send(struct net_port *port, struct net_packet *packet);
void net_port_flush(struct net_port *port);

/*
 * Two ports of which each receives what the other sends: to put a protocol stack, which is a user, onto a bridge, which is
 * one too. Fill in name, mac, mtu and features of both before; driver and operations are the pair's.
 */
void net_port_pair(struct net_port *a, struct net_port *b);

/*
 * A limit on a rate: a bucket that holds at most `burst` tokens (bytes) and gains rate a second. rate 0: no limit.
 */
struct net_rate {
	uint64_t rate, burst;
	uint64_t tokens; /* in billionths */
	uint64_t filled; /* system time of the last look */
};

/* Full. burst is made at least NET_PACKET_MAX, so that any packet passes some time, and at most 1 GiB. */
void net_rate_set(struct net_rate *rate, uint64_t bytes_a_second, uint64_t burst, uint64_t now);
/* 0: the bytes are taken. Else nothing is, and so many nanoseconds later there will be enough. */
uint64_t net_rate_take(struct net_rate *rate, uint64_t bytes, uint64_t now);

#endif
