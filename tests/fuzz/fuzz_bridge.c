/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/net/addresses.c dom0-tools/net/guard.c dom0-tools/net/forward.c dom0-tools/net/bridge.c dom0-tools/net/options.c pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
// runs: 200000
/*
 * Hostile packets and what their sender says of them, through a bridge to a port that takes some of it and one that takes
 * nothing: headers, offload fields, addresses, tags, software offloads. The first bytes of the input choose, the rest is the
 * packet.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <guest/hypercall.h>
#include "net/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
uint64_t clock_now(void);

struct choice {
	uint8_t checksum, gso;
	uint16_t gso_size, checksum_start, checksum_offset;
	uint8_t options, features, first, piece;
	uint16_t vlan;
	uint8_t padding; /* in units of 256 bytes behind the packet */
};

static uint64_t now = 1;

uint64_t clock_now(void)
{
	return now += 1000000;
}

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	(void)op;
	(void)arg;
	(void)count;
	abort();
}

/* Read all of it, so that the sanitizer sees what is not there. */
static void port_send(struct net_port *port, struct net_packet *packet)
{
	static uint8_t bytes[NET_PACKET_MAX];
	struct net_headers headers;

	assert(net_packet_copy_out(packet, 0, bytes, sizeof(bytes)) == packet->length);
	if (packet->checksum == NET_CHECKSUM_PARTIAL) {
		assert(net_headers_find(packet, &headers));
		assert(net_packet_check(packet, &headers));
	}
	if (!(port->features & NET_FEATURE_SCATTER))
		assert(packet->count == 1);
	if (!(port->features & NET_FEATURE_GSO_TCPV4))
		assert(packet->gso != NET_GSO_TCPV4);
}

static void port_flush(struct net_port *port)
{
	(void)port;
}

static const struct net_port_operations operations = {.send = port_send, .flush = port_flush};

static struct net_port ports[3];
static struct bridge *bridge;

static void make_bridge(void)
{
	const struct bridge_options trunk = {.trunk = true};

	assert(bridge_create("b", &bridge) == 0);
	for (unsigned int i = 0; i < 3; i++) {
		ports[i] = (struct net_port){.mac = {2, 0, 0, 0, 0, (uint8_t)i},
					     .mtu = 1500,
					     .link = true,
					     .operations = &operations};
		assert(bridge_attach(bridge, &ports[i], &trunk) == 0);
	}
}

/* As the input wants it, with nothing left of the last one. */
static void set_up(const struct choice *choice)
{
	struct bridge_port *from;

	if (!bridge)
		make_bridge();
	for (unsigned int i = 0; i < 3; i++)
		addresses_forget(bridge, ports[i].user_data);
	from = ports[0].user_data;
	from->options = (struct bridge_options){.vlan = choice->vlan & 7,
						.trunk = choice->options & 1,
						.strict = choice->options & 2,
						.addresses = 1 + (choice->options >> 4)};
	if (choice->options & 8)
		bridge_parse_ips("1.2.3.4 ::1", &from->options);
	ports[1].features = choice->features;
}

/* The packet in pieces, each with memory of its own, so that to read behind one is noticed. */
static struct net_packet *packet_of(struct net_pool *pool, const struct choice *choice,
				    const uint8_t *data, size_t size)
{
	static uint8_t bytes[32768];
	struct net_packet *packet = net_packet_alloc(pool);
	uint32_t length, at = 0, piece = choice->first + 1u;

	if (size > 2048)
		size = 2048;
	memcpy(bytes, data, size);
	length = (uint32_t)size + choice->padding % 64 * 256u;
	memset(bytes + size, 0x5a, length - size);
	if (length > NET_HEADERS && piece < NET_HEADERS)
		piece = NET_HEADERS;
	while (at < length) {
		uint8_t *page;

		if (piece > length - at)
			piece = length - at;
		page = net_packet_add_page(packet, 4096 - piece, piece);
		if (!page)
			break;
		memcpy(page, bytes + at, piece);
		at += piece;
		piece = 200 + choice->piece * 15u;
	}
	packet->checksum = choice->checksum & 3;
	packet->gso = choice->gso & 3;
	packet->gso_size = choice->gso_size;
	packet->checksum_start = choice->checksum_start & 127;
	packet->checksum_offset = choice->checksum_offset & 31;
	if (choice->checksum & 4)
		net_checksum_prepare(packet);
	return packet;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct net_pool *pool;
	struct choice choice;
	struct net_packet *packet;

	if (size <= sizeof(choice))
		return 0;
	memcpy(&choice, data, sizeof(choice));
	if (!pool)
		pool = net_pool_create(4, 24);
	set_up(&choice);
	packet = packet_of(pool, &choice, data + sizeof(choice), size - sizeof(choice));
	if (packet->count) {
		net_port_receive(&ports[0], packet);
		net_port_receive_end(&ports[0]);
	}
	net_packet_put(packet);
	assert(net_pool_packets_free(pool) == 4 && net_pool_pages_free(pool) == 24);
	return 0;
}
