/* SPDX-License-Identifier: MIT */
/*
 * Learning bridges (IEEE 802.1Q, 8) between network ports: cards, guests' back halves, dom0's own stack. A bridge is the user
 * of its ports (pv-drivers/net.h) and forwards in whatever context a packet comes, with events masked.
 *
 * Who is on a port is not trusted. A strict port sends from its own MAC only, nobody else can take that MAC, and packets to unknown
 * addresses do not go there. What a port may do is limited by its options; what it sends beyond that is dropped and
 * counted by reason. Memory that forwarding needs (software offloads) is the sending port's.
 */
#ifndef NET_BRIDGE_H
#define NET_BRIDGE_H

#include <pv-drivers/net.h>

#define BRIDGE_NAME	   16
#define BRIDGE_DEFAULT	   "xenbr0"
#define BRIDGE_PORT_IPS	   8
#define BRIDGE_PORT_VLANS  8
#define BRIDGE_VLAN_MOST   4094
#define BRIDGE_STORM_GUEST 1000 /* packets a second */

struct bridge;

struct bridge_ip {
	uint8_t length; /* 4 or 16 */
	uint8_t bytes[16];
};

/* All zero: an untagged port that may send from any address, without limits. */
struct bridge_options {
	/*
	 * Untagged packets belong to `vlan`, 0 being one like others. Tagged ones pass only on trunks: those of the VLANs that
	 * are listed, or of all if there is no list.
	 */
	uint16_t vlan;
	bool trunk;
	uint8_t vlans;
	uint16_t vlan_list[BRIDGE_PORT_VLANS];
	/* Only from the port's own MAC. */
	bool strict;
	/* Towards the network beyond: other ports are told of its link, if the bridge is to. */
	bool uplink;
	/* If there are any: only from these addresses (and what one needs to get one: DHCP, probes), and nothing but IP and ARP. */
	uint8_t ips;
	struct bridge_ip ip_list[BRIDGE_PORT_IPS];
	/* Packets to groups a second, bursts up to 1024; 0: no limit. */
	uint32_t storm;
	/* Bytes a second in all, 0: no limit. For ports that don't hold packets back themselves, as netback does. */
	uint64_t rate;
	/* How many addresses it may have learned: 0 stands for 32. */
	uint32_t addresses;
};

/* For threads: bridges by name. -EEXIST, -EINVAL (name), -ENOMEM. */
long bridge_create(const char *name, struct bridge **bridge);
struct bridge *bridge_find(const char *name);
/* -EBUSY: it has ports other than dom0's own. */
long bridge_destroy(struct bridge *bridge);

/*
 * For threads. The port is the bridge's until bridge_detach, after which no packet reaches or leaves it. -ENOMEM; -EBUSY: it
 * is on a bridge.
 */
long bridge_attach(struct bridge *bridge, struct net_port *port,
		   const struct bridge_options *options);
void bridge_detach(struct net_port *port);

/*
 * The port through which dom0 itself takes part, for a protocol stack as its user: made the first time, with a MAC derived
 * from the bridge's name. It can be given large packets without checksums, of several segments, but none of other domains'.
 * NULL without memory.
 */
struct net_port *bridge_host_port(struct bridge *bridge);

/*
 * What a vif= says, for guests' ports. bridge=: NAME, NAME.VLAN or NAME[.VLAN]:VLAN[:VLAN...] for a trunk, as the scripts for Open
 * vSwitch have it; "" is the default bridge. -EINVAL: it is none of these.
 */
long bridge_parse(const char *text, char name[BRIDGE_NAME], struct bridge_options *options);
/* ip=: addresses of IPv4 and IPv6, separated by blanks. -EINVAL, -ENOSPC: too many. */
long bridge_parse_ips(const char *text, struct bridge_options *options);

#endif
