/* SPDX-License-Identifier: MIT */
/*
 * Hashes of packets (public/io/netif.h), by which a front half wants them distributed among its queues: what it has set, and
 * what comes of it for a packet. Pure; numbers that are set here are the caller's to check.
 */
#ifndef PV_DRIVERS_NET_HASH_H
#define PV_DRIVERS_NET_HASH_H

#include <pv-drivers/net.h>

/* Addresses and ports of IPv6 need 36 bytes of key, and 32 bits more. */
#define NET_HASH_KEY	 40
#define NET_HASH_MAPPING 128

/* XEN_NETIF_CTRL_HASH_TYPE_* that there are. */
#define NET_HASH_TYPES 0xf

/* All zero: no hashing. */
struct net_hash {
	uint32_t algorithm; /* XEN_NETIF_CTRL_HASH_ALGORITHM_* */
	uint32_t types;	    /* XEN_NETIF_CTRL_HASH_TYPE_*, of NET_HASH_TYPES */
	uint8_t key[NET_HASH_KEY];
	uint32_t mapping_size; /* 0 to NET_HASH_MAPPING; 0: hash modulo queues */
	uint32_t mapping[NET_HASH_MAPPING];
};

struct net_hash_value {
	bool valid;   /* false: the packet has none of the types */
	uint8_t type; /* the number of its bit, _XEN_NETIF_CTRL_HASH_TYPE_* */
	uint32_t value;
};

/* By the most of what is asked for: with ports if the packet is unfragmented TCP and its ports are wanted. */
struct net_hash_value net_hash_packet(const struct net_hash *hash, const struct net_packet *packet);

/* The queue for a hash, below `queues` (not 0) whatever the mapping says. */
unsigned int net_hash_queue(const struct net_hash *hash, uint32_t value, unsigned int queues);

#endif
