/* SPDX-License-Identifier: MIT */
/* A packet's way through a bridge, from `take` down: checked, its source learned, its destination found, and sent there. */
#include "net/internal.h"
#include <guest/clock.h>
#include <string.h>

/* In storm's bucket of net_rate: so that the least burst is 1024 packets. */
#define STORM_PACKET 64

const char *const bridge_drop_names[BRIDGE_DROPS] = {
    "malformed", "reserved", "vlan", "spoofed", "storm", "rate", "too-long", "no-room", "no-link",
};

/* One packet from one port. */
struct passage {
	struct bridge *bridge;
	struct bridge_port *from;
	struct net_packet *packet;
	struct net_headers headers;
	uint16_t vlan;
	uint32_t needs; /* NET_FEATURE_* that a port must have to be sent it as it is */
};

static bool is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

/* 01-80-C2-00-00-00 to -0F: pause, spanning tree and their like end at a bridge. */
static bool is_reserved(const uint8_t *mac)
{
	return memcmp(mac, "\x01\x80\xc2\0\0", 5) == 0 && mac[5] < 16;
}

static bool lists(const struct bridge_options *options, uint16_t vlan)
{
	for (unsigned int i = 0; i < options->vlans; i++)
		if (options->vlan_list[i] == vlan)
			return true;
	return !options->vlans;
}

/* A tag with number 0 is one for priority only. */
static bool find_vlan(struct passage *passage)
{
	uint16_t vlan = passage->headers.vlan & (NET_VLAN_TAGGED - 1);
	const struct bridge_options *options = &passage->from->options;

	passage->vlan = vlan ? vlan : options->vlan;
	return !vlan || (options->trunk && vlan <= BRIDGE_VLAN_MOST && lists(options, vlan));
}

static bool is_member(const struct bridge_port *port, uint16_t vlan)
{
	return vlan == port->options.vlan ||
	       (port->options.trunk && vlan && lists(&port->options, vlan));
}

static uint32_t needs_of(const struct net_packet *packet, const struct net_headers *headers)
{
	uint32_t needs = packet->count > 1 ? NET_FEATURE_SCATTER : 0;

	if (packet->checksum == NET_CHECKSUM_PARTIAL)
		needs |= headers->ethertype == NET_ETHERTYPE_IPV4 ? NET_FEATURE_CHECKSUM_IPV4
								  : NET_FEATURE_CHECKSUM_IPV6;
	if (packet->gso == NET_GSO_TCPV4)
		needs |= NET_FEATURE_GSO_TCPV4;
	else if (packet->gso == NET_GSO_TCPV6)
		needs |= NET_FEATURE_GSO_TCPV6;
	if (!net_packet_is_local(packet))
		needs |= NET_FEATURE_GRANTED;
	return needs;
}

static void send_one(struct net_packet *packet, void *data)
{
	struct bridge_port *to = data;

	net_port_send(to->port, packet);
}

static void mark_dirty(struct bridge *bridge, struct bridge_port *to)
{
	if (to->dirty)
		return;
	to->dirty = true;
	to->dirty_next = bridge->dirty;
	bridge->dirty = to;
}

static bool fits(const struct passage *passage, const struct net_port *port)
{
	const struct net_packet *packet = passage->packet;
	uint32_t payload = packet->length - passage->headers.network;

	if (packet->gso != NET_GSO_NONE)
		payload = passage->headers.data - passage->headers.network + packet->gso_size;
	return payload <= port->mtu;
}

/*
 * The packet with the tag that the other port wants (0: none), or NULL. All headers are copied: the first segment has to have
 * them still.
 */
static struct net_packet *retagged(const struct passage *passage, uint16_t tag)
{
	struct net_packet *old = passage->packet, *packet;
	const uint8_t *from = old->segments[0].data;
	uint32_t skip = passage->headers.vlan ? 16 : 12, headers = tag ? 16 : 12, rest;
	uint8_t *to;

	rest = old->segments[0].length < NET_HEADERS ? old->segments[0].length : NET_HEADERS;
	rest -= skip;
	packet =
	    net_packet_derive(passage->from->pool, old, headers + rest, skip + rest, old->length);
	if (!packet)
		return NULL;
	to = packet->segments[0].data;
	memcpy(to, from, 12);
	if (tag) {
		to[12] = NET_ETHERTYPE_VLAN >> 8;
		to[13] = NET_ETHERTYPE_VLAN & 0xff;
		/* Whatever priority it had. */
		to[14] = (uint8_t)((passage->headers.vlan ? from[14] & 0xf0 : 0) | tag >> 8);
		to[15] = (uint8_t)tag;
	}
	memcpy(to + headers, from + skip, rest);
	packet->checksum = old->checksum;
	packet->checksum_start = old->checksum_start;
	if (old->checksum == NET_CHECKSUM_PARTIAL)
		packet->checksum_start = (uint16_t)(old->checksum_start - skip + headers);
	packet->checksum_offset = old->checksum_offset;
	packet->gso = old->gso;
	packet->gso_size = old->gso_size;
	return packet;
}

/* With what is missing done in software. */
static bool send_soft(struct passage *passage, struct bridge_port *to, struct net_packet *packet)
{
	struct net_pool *pool = passage->from->pool;
	struct net_packet *local = net_packet_local(pool, packet);
	bool sent;

	if (!local)
		return false;
	sent = net_packet_soften(pool, local, to->port->features, send_one, to);
	net_packet_put(local);
	return sent;
}

static void send(struct passage *passage, struct bridge_port *to)
{
	struct net_packet *packet = passage->packet;
	uint16_t tag = passage->vlan == to->options.vlan ? 0 : passage->vlan;
	uint16_t has = passage->headers.vlan & (NET_VLAN_TAGGED - 1);
	bool retag = tag != has || (passage->headers.vlan && !tag);
	uint32_t needs;

	if (!to->port->link) {
		to->dropped[DROP_NO_LINK]++;
		return;
	}
	if (!fits(passage, to->port)) {
		passage->from->dropped[DROP_TOO_LONG]++;
		return;
	}
	if (retag) {
		packet = retagged(passage, tag);
		if (!packet) {
			passage->from->dropped[DROP_NO_ROOM]++;
			return;
		}
	}
	/* Another tag may have made two segments of one. */
	needs = passage->needs | (packet->count > 1 ? NET_FEATURE_SCATTER : 0);
	mark_dirty(passage->bridge, to);
	if (!(needs & ~to->port->features))
		net_port_send(to->port, packet);
	else if (!send_soft(passage, to, packet))
		passage->from->dropped[DROP_NO_ROOM]++;
	if (retag)
		net_packet_put(packet);
}

/* To groups: all of the VLAN. Unknown: where more than the port's own address may be. */
static void flood(struct passage *passage, bool group)
{
	for (struct bridge_port *to = passage->bridge->ports; to; to = to->next)
		if (to != passage->from && is_member(to, passage->vlan) &&
		    (group || !to->options.strict || to->options.trunk))
			send(passage, to);
}

static void deliver(struct passage *passage, const uint8_t *destination)
{
	struct bridge_port *to;

	if (is_group(destination)) {
		if (net_rate_take(&passage->from->storm, STORM_PACKET, passage->bridge->now))
			passage->from->dropped[DROP_STORM]++;
		else
			flood(passage, true);
		return;
	}
	to = address_find(passage->bridge, address_key(destination, passage->vlan));
	if (!to) {
		passage->from->port->prefer_local = true;
		flood(passage, false);
	} else if (to != passage->from) {
		passage->from->port->prefer_local = !(to->port->features & NET_FEATURE_GRANTED);
		send(passage, to);
	}
}

/* What is wrong with the packet, or BRIDGE_DROPS: nothing. Its source is learned. */
static enum bridge_drop examine(struct passage *passage)
{
	const struct net_packet *packet = passage->packet;
	struct bridge_port *from = passage->from;
	const uint8_t *bytes;

	if (!net_headers_find(packet, &passage->headers) ||
	    !net_packet_check(packet, &passage->headers))
		return DROP_MALFORMED;
	bytes = packet->segments[0].data;
	if (is_group(bytes + 6))
		return DROP_MALFORMED;
	if (is_reserved(bytes))
		return DROP_RESERVED;
	if (!find_vlan(passage))
		return DROP_VLAN;
	if (!guard_allows(from, packet, &passage->headers))
		return DROP_SPOOFED;
	if (net_rate_take(&from->rate, packet->length, passage->bridge->now))
		return DROP_RATE;
	/* A strict port's address is fixed already; but a trunk's is in many VLANs. */
	if ((!from->options.strict || from->options.trunk) &&
	    !address_learn(passage->bridge, from, address_key(bytes + 6, passage->vlan)))
		return DROP_SPOOFED;
	return BRIDGE_DROPS;
}

static void take(struct net_port *port, struct net_packet *packet)
{
	struct bridge_port *from = port->user_data;
	struct passage passage = {.bridge = from->bridge, .from = from, .packet = packet};
	enum bridge_drop drop;

	if (!passage.bridge->now)
		passage.bridge->now = clock_now();
	drop = examine(&passage);
	if (drop != BRIDGE_DROPS) {
		from->dropped[drop]++;
		return;
	}
	passage.needs = needs_of(packet, &passage.headers);
	deliver(&passage, packet->segments[0].data);
}

/* Ports that flushing makes dirty are flushed too, after those before them. */
static void take_end(struct net_port *port)
{
	struct bridge_port *from = port->user_data;
	struct bridge *bridge = from->bridge;

	bridge->now = 0;
	while (bridge->dirty) {
		struct bridge_port *to = bridge->dirty;

		bridge->dirty = to->dirty_next;
		to->dirty = false;
		net_port_flush(to->port);
	}
}

const struct net_port_user bridge_user = {
    .receive = take, .receive_end = take_end, .changed = bridge_port_changed};
