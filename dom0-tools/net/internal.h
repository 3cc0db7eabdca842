/* SPDX-License-Identifier: MIT */
/* What a bridge is made of. All of it changes with events masked. */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include "net/bridge.h"

#define BRIDGE_ADDRESSES  2048 /* learned and fixed, of all ports */
#define UPLINKS		  64
#define BRIDGE_BUCKETS	  1024
#define BRIDGE_AGE	  (300 * 1000000000ull) /* 802.1Q, table 8-6 */
#define ADDRESSES_OF_PORT 32

/* Why a packet was not passed on. */
enum bridge_drop {
	DROP_MALFORMED, /* no Ethernet, offload fields that do not fit, a group as source */
	DROP_RESERVED,	/* to addresses that bridges do not forward (802.1Q, 8.6.3) */
	DROP_VLAN,
	DROP_SPOOFED,
	DROP_STORM,
	DROP_RATE,
	DROP_TOO_LONG, /* for the other port */
	DROP_NO_ROOM,  /* for what the other port needs done in software; or grants that are bad */
	DROP_NO_LINK,  /* of the other port */
	BRIDGE_DROPS,
};
extern const char *const bridge_drop_names[BRIDGE_DROPS];

struct bridge_port;

/* A MAC in a VLAN is behind a port. */
struct address {
	uint64_t key;
	struct bridge_port *port;
	uint64_t seen;
	bool fixed;		       /* a strict port's own */
	struct address *next;	       /* of its bucket, or free */
	struct address *newer, *older; /* of its port, unless fixed */
};

struct bridge_port {
	struct bridge *bridge;
	struct net_port *port;
	struct bridge_options options;
	struct bridge_port *next; /* of the bridge */
	struct bridge_port *dirty_next;
	bool dirty; /* was sent something since its last flush */
	struct net_rate storm, rate;
	struct address *newest, *oldest;
	unsigned int learned;
	struct net_pool *pool; /* for what its packets need done */
	uint64_t dropped[BRIDGE_DROPS];
};

struct bridge {
	char name[BRIDGE_NAME];
	char uplink
	    [UPLINKS]; /* cards' names, commas between them, whether there are such cards or not */
	/* What guests' ports are given. */
	bool antispoof;
	uint32_t storm;
	bool follow; /* they are told that there is nothing beyond while no uplink has a link */
	struct bridge *next;
	struct bridge_port *ports;
	struct bridge_port *dirty;
	uint64_t now; /* when this batch of packets came, 0: between batches */
	struct net_port *host;
	struct address *buckets[BRIDGE_BUCKETS];
	struct address *free;
	struct address addresses[BRIDGE_ADDRESSES];
};

extern struct bridge *bridges;

/* The bridge that the port is on, or NULL. */
struct bridge *bridge_of(const struct net_port *port);
/* Is there a port on it beside those that do not count (NULL: none) and dom0's own, or does dom0's stack use that? */
bool bridge_is_used(const struct bridge *bridge, bool (*ignore)(const struct net_port *port));

/*
 * Tell all ports but the uplinks what is beyond: after a change of what that depends on, which a change of the ports or their
 * links sees to itself.
 */
void bridge_tell_beyond(struct bridge *bridge);
void bridge_port_changed(struct net_port *port);

struct bridge_settings {
	const char *uplink; /* as in struct bridge */
	bool antispoof, follow;
	uint32_t storm;
};
extern const struct bridge_settings bridge_settings_default;

/* network.c: what the command does. Errors are negative errnos. */
long network_create_bridge(const char *name, const struct bridge_settings *settings);
long network_remove_bridge(const char *name);
long network_set_uplink(const char *name, const char *uplink);
long network_set_follow(const char *name, bool follow);

/* addresses.c */
uint64_t address_key(const uint8_t *mac, uint16_t vlan);
void addresses_init(struct bridge *bridge);
/* Behind which port, or NULL: unknown, or not seen for too long. */
struct bridge_port *address_find(struct bridge *bridge, uint64_t key);
/* A packet came from there. False: the address is fixed to another port. */
bool address_learn(struct bridge *bridge, struct bridge_port *port, uint64_t key);
void address_fix(struct bridge *bridge, struct bridge_port *port, uint64_t key);
/* All of a port's. */
void addresses_forget(struct bridge *bridge, struct bridge_port *port);
/* Call each that is not too old: those that have not been seen for long are dropped here at the latest. */
void addresses_each(struct bridge *bridge, void (*each)(const struct address *address, void *data),
		    void *data);

/* guard.c: may the port send this packet? Only the rules on addresses. */
bool guard_allows(const struct bridge_port *port, const struct net_packet *packet,
		  const struct net_headers *headers);

/* forward.c */
extern const struct net_port_user bridge_user;

#endif
