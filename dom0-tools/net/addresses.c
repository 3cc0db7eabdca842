/* SPDX-License-Identifier: MIT */
/*
 * Which address is behind which port: a hash table over a fixed number of entries. Each port has a share, so that who makes up
 * addresses loses his own oldest ones and nobody else's.
 */
#include "net/internal.h"
#include <string.h>

/* An entry is renewed no more often than this. */
#define RENEW 1000000000ull

uint64_t address_key(const uint8_t *mac, uint16_t vlan)
{
	uint64_t key = 0;

	memcpy(&key, mac, NET_MAC);
	return key | (uint64_t)vlan << 48;
}

/* Fibonacci hashing (Knuth, volume 3, 6.4): the high bits of a product. */
static struct address **bucket_of(struct bridge *bridge, uint64_t key)
{
	_Static_assert(BRIDGE_BUCKETS == 1 << 10, "10 bits");
	return &bridge->buckets[key * 0x9e3779b97f4a7c15ull >> 54];
}

void addresses_init(struct bridge *bridge)
{
	for (unsigned int i = 0; i < BRIDGE_ADDRESSES; i++) {
		bridge->addresses[i].next = bridge->free;
		bridge->free = &bridge->addresses[i];
	}
}

static struct address *find(struct bridge *bridge, uint64_t key)
{
	struct address *address = *bucket_of(bridge, key);

	while (address && address->key != key)
		address = address->next;
	return address;
}

static void port_remove(struct address *address)
{
	struct bridge_port *port = address->port;

	*(address->newer ? &address->newer->older : &port->newest) = address->older;
	*(address->older ? &address->older->newer : &port->oldest) = address->newer;
	port->learned--;
}

static void port_add(struct bridge_port *port, struct address *address, uint64_t now)
{
	address->port = port;
	address->seen = now;
	address->newer = NULL;
	address->older = port->newest;
	*(port->newest ? &port->newest->newer : &port->oldest) = address;
	port->newest = address;
	port->learned++;
}

static void forget(struct bridge *bridge, struct address *address)
{
	struct address **link = bucket_of(bridge, address->key);

	while (*link != address)
		link = &(*link)->next;
	*link = address->next;
	if (!address->fixed)
		port_remove(address);
	address->next = bridge->free;
	bridge->free = address;
}

/* An entry that is in its bucket and in nothing else yet. NULL: all are in use. */
static struct address *add(struct bridge *bridge, uint64_t key, bool fixed)
{
	struct address *address = bridge->free, **bucket = bucket_of(bridge, key);

	if (!address)
		return NULL;
	bridge->free = address->next;
	address->key = key;
	address->fixed = fixed;
	address->next = *bucket;
	*bucket = address;
	return address;
}

static bool is_old(const struct bridge *bridge, const struct address *address)
{
	return !address->fixed && bridge->now > address->seen + BRIDGE_AGE;
}

struct bridge_port *address_find(struct bridge *bridge, uint64_t key)
{
	struct address *address = find(bridge, key);

	if (!address)
		return NULL;
	if (is_old(bridge, address)) {
		forget(bridge, address);
		return NULL;
	}
	return address->port;
}

bool address_learn(struct bridge *bridge, struct bridge_port *port, uint64_t key)
{
	struct address *address = find(bridge, key);

	if (address && address->fixed)
		return address->port == port;
	if (address && address->port == port && bridge->now < address->seen + RENEW)
		return true;
	if (address) {
		port_remove(address);
	} else {
		if (port->learned >= port->options.addresses)
			forget(bridge, port->oldest);
		address = add(bridge, key, false);
		if (!address)
			return true;
	}
	/* From another port it may be one more than its share. */
	if (port->learned >= port->options.addresses)
		forget(bridge, port->oldest);
	port_add(port, address, bridge->now);
	return true;
}

void address_fix(struct bridge *bridge, struct bridge_port *port, uint64_t key)
{
	struct address *address = find(bridge, key);

	if (address && !address->fixed) {
		forget(bridge, address);
		address = NULL;
	}
	if (!address)
		address = add(bridge, key, true);
	if (address)
		address->port = port;
}

void addresses_forget(struct bridge *bridge, struct bridge_port *port)
{
	while (port->oldest)
		forget(bridge, port->oldest);
	for (unsigned int i = 0; i < BRIDGE_BUCKETS; i++)
		for (struct address *address = bridge->buckets[i], *next; address; address = next) {
			next = address->next;
			if (address->port == port)
				forget(bridge, address);
		}
}

void addresses_each(struct bridge *bridge, void (*each)(const struct address *address, void *data),
		    void *data)
{
	for (unsigned int i = 0; i < BRIDGE_BUCKETS; i++)
		for (struct address *address = bridge->buckets[i], *next; address; address = next) {
			next = address->next;
			if (is_old(bridge, address))
				forget(bridge, address);
			else
				each(address, data);
		}
}
