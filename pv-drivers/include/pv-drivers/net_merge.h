/* SPDX-License-Identifier: MIT */
/*
 * Packets of a TCP connection that follow each other as one: what a receiver takes as one large packet
 * (NET_GSO_TCPV4, NET_GSO_TCPV6) costs it about as much as one small one. Cutting it again gives the same packets, bit for bit
 * but for IP's identification where that means nothing (RFC 6864: not to be fragmented). Pure.
 *
 * Merged are packets over IPv4 without options or IPv6 without extension headers, untagged, whose checksums somebody has
 * checked, with nothing but ACK and PSH set, and equal in all else that the cutting would repeat; all with as much data as the
 * first but for the last, which is the one with less data or with PSH.
 */
#ifndef PV_DRIVERS_NET_MERGE_H
#define PV_DRIVERS_NET_MERGE_H

#include <pv-drivers/net.h>

/* Ethernet's, IPv6's and TCP's longest header. */
#define NET_MERGE_HEADERS 114

struct net_merge {
	const struct net_packet *first;
	enum net_gso gso;  /* what all are */
	uint32_t length;   /* of all, with one packet's headers */
	uint32_t sequence; /* of what would continue it */
	uint16_t identification;
	uint16_t size; /* bytes of data of the first packet: at most so many in the others */
	uint8_t transport, data; /* offsets of TCP's header and of its data, of each packet */
	bool ended;		 /* nothing can follow */
	bool pushed;		 /* the last has PSH */
};

enum net_merge_result {
	NET_MERGE_ADDED, /* it continues it */
	NET_MERGE_OTHER, /* it is no packet of this connection, which can overtake it */
	NET_MERGE_END, /* it is, but not the next one, or one that differs: what follows it must not be merged */
};

/* Begin with a packet, which has to stay as long as the merge is used. False: it cannot be continued. */
bool net_merge_begin(struct net_merge *merge, const struct net_packet *first);
/* The one that came next. Not when it has ended. */
enum net_merge_result net_merge_add(struct net_merge *merge, const struct net_packet *packet);
/*
 * Write the headers of all, merge->data bytes (at most NET_MERGE_HEADERS). Behind them belongs what follows as many bytes in
 * each packet. The checksum is then NET_CHECKSUM_PARTIAL, TCP's.
 */
void net_merge_end(const struct net_merge *merge, uint8_t *headers);

#endif
