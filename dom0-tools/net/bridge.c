/* SPDX-License-Identifier: MIT */
/* Bridges and their ports come and go. */
#include "net/internal.h"
#include <ctype.h>
#include <errno.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <stdlib.h>
#include <string.h>

/*
 * Of each port, for packets that need something done: four of 64 KiB fetched whole, as TCP has on their way at a time; one cut
 * into pieces.
 */
#define POOL_PACKETS 64
#define POOL_PAGES   (4 * 17)

/* A packet to a group is so many tokens (forward.c). */
#define STORM_PACKET 64

struct bridge *bridges;

static bool name_is_good(const char *name)
{
	size_t length = strlen(name);

	if (!length || length >= BRIDGE_NAME)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
			return false;
	return true;
}

struct bridge *bridge_find(const char *name)
{
	struct bridge *bridge = bridges;

	while (bridge && strcmp(bridge->name, name) != 0)
		bridge = bridge->next;
	return bridge;
}

long bridge_create(const char *name, struct bridge **made)
{
	struct bridge *bridge, **link = &bridges;

	if (!name_is_good(name))
		return -EINVAL;
	if (bridge_find(name))
		return -EEXIST;
	bridge = calloc(1, sizeof(*bridge));
	if (!bridge)
		return -ENOMEM;
	memcpy(bridge->name, name, strlen(name));
	addresses_init(bridge);
	while (*link)
		link = &(*link)->next;
	*link = bridge;
	*made = bridge;
	return 0;
}

/* dom0's own port is a pair: the bridge has one end, the stack the other. */
struct host {
	struct net_port inner, outer;
};

static void host_free(struct bridge *bridge)
{
	struct host *host;

	if (!bridge->host)
		return;
	host = (struct host *)((char *)bridge->host - offsetof(struct host, outer));
	bridge_detach(&host->inner);
	free(host);
	bridge->host = NULL;
}

struct bridge *bridge_of(const struct net_port *port)
{
	const struct bridge_port *mine = port->user == &bridge_user ? port->user_data : NULL;

	return mine ? mine->bridge : NULL;
}

bool bridge_is_used(const struct bridge *bridge, bool (*ignore)(const struct net_port *port))
{
	for (const struct bridge_port *port = bridge->ports; port; port = port->next)
		if (!(ignore && ignore(port->port)) &&
		    (!bridge->host || port->port != bridge->host->driver))
			return true;
	return bridge->host && bridge->host->user;
}

long bridge_destroy(struct bridge *bridge)
{
	struct bridge **link = &bridges;

	if (bridge_is_used(bridge, NULL))
		return -EBUSY;
	host_free(bridge);
	while (*link != bridge)
		link = &(*link)->next;
	*link = bridge->next;
	free(bridge);
	return 0;
}

/* Does it have one address, which nobody else can take? */
static bool is_fixed(const struct bridge_port *port)
{
	return port->options.strict && !port->options.trunk;
}

static uint64_t key_of(const struct bridge_port *port)
{
	return address_key(port->port->mac, port->options.vlan);
}

void bridge_tell_beyond(struct bridge *bridge)
{
	bool masked = events_save();
	bool there = !bridge->follow || !bridge->uplink[0];

	for (struct bridge_port *port = bridge->ports; port && !there; port = port->next)
		there = port->options.uplink && port->port->link;
	for (struct bridge_port *port = bridge->ports; port; port = port->next)
		if (!port->options.uplink && port->port->operations->beyond)
			port->port->operations->beyond(port->port, there);
	events_restore(masked);
}

void bridge_port_changed(struct net_port *port)
{
	const struct bridge_port *mine = port->user_data;

	if (mine->options.uplink)
		bridge_tell_beyond(mine->bridge);
}

static void link_port(struct bridge *bridge, struct bridge_port *port)
{
	bool masked = events_save();
	struct bridge_port **link = &bridge->ports;

	while (*link)
		link = &(*link)->next;
	*link = port;
	if (is_fixed(port))
		address_fix(bridge, port, key_of(port));
	net_port_attach(port->port, &bridge_user, port);
	bridge_tell_beyond(bridge);
	events_restore(masked);
}

long bridge_attach(struct bridge *bridge, struct net_port *port,
		   const struct bridge_options *options)
{
	struct bridge_port *made;
	uint64_t now = clock_now();

	if (port->user)
		return -EBUSY;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->pool = net_pool_create(POOL_PACKETS, POOL_PAGES);
	if (!made->pool) {
		free(made);
		return -ENOMEM;
	}
	made->bridge = bridge;
	made->port = port;
	made->options = *options;
	if (!made->options.addresses)
		made->options.addresses = ADDRESSES_OF_PORT;
	net_rate_set(&made->storm, (uint64_t)options->storm * STORM_PACKET, 0, now);
	net_rate_set(&made->rate, options->rate, options->rate / 20, now);
	link_port(bridge, made);
	if (port->operations->promiscuous)
		port->operations->promiscuous(port, true);
	return 0;
}

/* Of two guests with the same address, the one that stays gets it back. */
static void fix_again(struct bridge *bridge, uint64_t key)
{
	for (struct bridge_port *port = bridge->ports; port; port = port->next)
		if (is_fixed(port) && key_of(port) == key)
			address_fix(bridge, port, key);
}

static void unlink_port(struct bridge *bridge, struct bridge_port *port)
{
	bool masked = events_save();
	struct bridge_port **link = &bridge->ports;

	net_port_attach(port->port, NULL, NULL);
	while (*link != port)
		link = &(*link)->next;
	*link = port->next;
	for (link = &bridge->dirty; *link; link = &(*link)->dirty_next)
		if (*link == port) {
			*link = port->dirty_next;
			break;
		}
	addresses_forget(bridge, port);
	if (is_fixed(port))
		fix_again(bridge, key_of(port));
	bridge_tell_beyond(bridge);
	events_restore(masked);
}

/*
 * Packets that were made for this port's may wait still in other ports' queues, which let go of them within a bounded time. The
 * pool is freed by whoever comes next.
 */
struct leftover {
	struct leftover *next;
	struct net_pool *pool;
};
static struct leftover *leftovers;

static void free_leftovers(void)
{
	for (struct leftover **link = &leftovers, *left; (left = *link) != NULL;) {
		if (net_pool_destroy(left->pool)) {
			*link = left->next;
			free(left);
		} else {
			link = &left->next;
		}
	}
}

void bridge_detach(struct net_port *port)
{
	struct bridge_port *mine = port->user == &bridge_user ? port->user_data : NULL;
	struct leftover *left;

	if (!mine)
		return;
	if (port->operations->promiscuous)
		port->operations->promiscuous(port, false);
	unlink_port(mine->bridge, mine);
	free_leftovers();
	if (!net_pool_destroy(mine->pool)) {
		left = malloc(sizeof(*left));
		/* Without memory for a note of it, it is lost: the packets must not lose theirs. */
		if (left) {
			*left = (struct leftover){leftovers, mine->pool};
			leftovers = left;
		}
	}
	free(mine);
}

/* Locally administered, and the same at each start: FNV-1a of the bridge's name. */
static void host_mac(const char *name, uint8_t mac[NET_MAC])
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3;
	memcpy(mac, &hash, NET_MAC);
	mac[0] = 0x02;
}

struct net_port *bridge_host_port(struct bridge *bridge)
{
	const uint32_t features = NET_FEATURE_CHECKSUM_IPV4 | NET_FEATURE_CHECKSUM_IPV6 |
				  NET_FEATURE_GSO_TCPV4 | NET_FEATURE_GSO_TCPV6 |
				  NET_FEATURE_SCATTER;
	/* To the stack checksums may be missing, which no wire has spoilt; but it takes no packets that are to be cut. */
	const uint32_t inward =
	    NET_FEATURE_CHECKSUM_IPV4 | NET_FEATURE_CHECKSUM_IPV6 | NET_FEATURE_SCATTER;
	struct bridge_options options = {.strict = true};
	struct host *host;

	if (bridge->host)
		return bridge->host;
	host = calloc(1, sizeof(*host));
	if (!host)
		return NULL;
	memcpy(host->outer.name, bridge->name, BRIDGE_NAME);
	memcpy(host->inner.name, "dom0", 5);
	host_mac(bridge->name, host->outer.mac);
	memcpy(host->inner.mac, host->outer.mac, NET_MAC);
	host->inner.mtu = host->outer.mtu = 1500;
	host->outer.features = features;
	host->inner.features = inward;
	net_port_pair(&host->inner, &host->outer);
	if (bridge_attach(bridge, &host->inner, &options)) {
		free(host);
		return NULL;
	}
	bridge->host = &host->outer;
	return bridge->host;
}
