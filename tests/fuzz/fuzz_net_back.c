/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c pv-drivers/net_merge.c pv-drivers/net_back.c pv-drivers/net_back_tx.c pv-drivers/net_back_rx.c pv-drivers/net_back_control.c pv-drivers/net_hash.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
// runs: 15000
/*
 * The back half of a network interface with a guest that writes what it likes into its rings, at any time: while copies are
 * made too. Nothing may be touched but the guest's own pages, no more than agreed may be kept, and in the end all is given
 * back. The user of the port carries out the offloads of what it gets, as a bridge would.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#define WORLD_CHECK(condition) ((condition) ? (void)0 : abort())
#define MODEL_CHECK(condition) WORLD_CHECK(condition)
#include "../unit/include/netif_world.h"
#include "../unit/include/net_merge_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t left;

static uint8_t next(void)
{
	return left ? (left--, *input++) : 0;
}

static struct net_pool *pool;

static void count(struct net_packet *packet, void *data)
{
	unsigned int *sent = data;

	WORLD_CHECK(packet->length <= NET_PACKET_MAX);
	(*sent)++;
}

static void on_received(struct net_packet *packet)
{
	struct net_packet *local;
	unsigned int sent = 0;

	local = net_packet_local(pool, packet);
	if (!local)
		return;
	net_packet_soften(pool, local, 0, count, &sent);
	net_packet_put(local);
}

/* Requests that are nearly right, so that the input gets past the first checks. */
static void push_slots(unsigned int q)
{
	unsigned int count_slots = next() % 24;

	for (unsigned int i = 0; i < count_slots; i++) {
		uint8_t kind = next();
		uint16_t flags = next() & 0xf;

		if (kind & 1) {
			struct netif_extra_info extra = {.type = next() % 7,
							 .flags = kind >> 1 & 1};

			extra.u.gso.size = (uint16_t)(next() << 4);
			extra.u.gso.type = next() & 3;
			world_send_extra(q, &extra);
		} else {
			world_send_slot(q, i, next() % (PAGES + 2), (uint16_t)(next() << 4),
					(uint16_t)(next() << (kind >> 1 & 7)), flags);
		}
	}
	world_push(q);
}

static void push_control(void)
{
	for (unsigned int i = next() % 4; i; i--)
		world_ask(i, next() % 12, next() % (PAGES + 2), next(), next());
	world_push_control();
}

static void scribble(unsigned int q)
{
	uint8_t which = next() % 3;
	uint8_t *ring = which == 2 ? world.control_page : world.queue[q].rings[which];
	unsigned int at = (unsigned int)(next() | next() << 8) % PAGE_SIZE;

	/* Half of it at the indexes. */
	if (next() & 1)
		at %= 16;
	ring[at] = next();
}

static void send_packet(struct net_back *back)
{
	static uint8_t bytes[20000];
	struct net_packet *packet;

	bytes[0] = next() & 1;
	/* Over IPv4 or IPv6. */
	memcpy(bytes + 12, next() & 1 ? "\x08\0\x45" : "\x86\xdd\x60", 3);
	bytes[20] = bytes[23] = 6;
	packet = net_packet_from_bytes(pool, bytes, 60 + next() * 64u);
	if (!packet)
		return;
	packet->checksum = next() % 3;
	packet->gso = next() % 3;
	net_port_send(net_back_port(back), packet);
	net_packet_put(packet);
	if (next() & 1)
		net_port_flush(net_back_port(back));
}

/* Packets of two connections that can be merged. */
static void send_streams(struct net_back *back)
{
	struct model_stream streams[2] = {{.port = 1, .ipv6 = next() & 1}, {.port = 2}};
	unsigned int data = 1 + next() * 5u;

	model.count = 0;
	for (unsigned int i = next() % 40; i; i--) {
		struct net_packet *packet;

		model_add(&streams[next() % 8 == 0], data, 0x10);
		packet = net_packet_from_bytes(pool, model.in[model.count - 1].bytes,
					       model.in[model.count - 1].length);
		if (!packet)
			break;
		packet->checksum = NET_CHECKSUM_VALID;
		net_port_send(net_back_port(back), packet);
		net_packet_put(packet);
	}
	net_port_flush(net_back_port(back));
}

static void step(struct net_back *back)
{
	unsigned int q = next() % NET_BACK_QUEUES;

	switch (next() % 15) {
	case 0:
	case 1:
		push_slots(q);
		break;
	case 2:
		scribble(q);
		break;
	case 3:
		for (unsigned int i = next() % 64; i; i--)
			world_post(q, (uint16_t)i, next() % (PAGES + 1));
		world_push_buffers(q, 2 * q);
		break;
	case 4:
	case 5:
		send_packet(back);
		break;
	case 6:
		world.keep = next() & 1;
		break;
	case 7:
		if (world.kept_count)
			net_packet_put(world.kept[--world.kept_count]);
		break;
	case 8:
		world.now += next() * NSEC_PER_MSEC;
		break;
	case 9:
		world.revoked[next() % PAGES] = next() & 1;
		break;
	case 10:
		send_streams(back);
		break;
	case 11:
		memset(world.pages[next() % PAGES], next(), next());
		break;
	case 12:
		push_control();
		break;
	case 13:
		world_event(CONTROL_N);
		break;
	default:
		world_event(2 * q);
	}
	/* The thread's turn, but for a guest that floods for ever. */
	for (unsigned int i = 0; i < 20 && net_back_round(); i++)
		;
	for (unsigned int i = 0; i < NET_BACK_QUEUES; i++) {
		WORLD_CHECK(back->queue[i].on_the_way <= TX_PACKETS);
		WORLD_CHECK(back->queue[i].waits <= RX_PACKETS);
	}
	WORLD_CHECK(back->hash.mapping_size <= NET_HASH_MAPPING);
	for (unsigned int i = 0; i < back->hash.mapping_size; i++)
		WORLD_CHECK(back->hash.mapping[i] < NET_BACK_QUEUES);
}

/* A packet over IPv4 with TCP in page 0 that the input can point at. */
static void put_headers(void)
{
	memcpy(world.pages[0] + 12, "\x08\0\x45\0\x10\0", 6);
	world.pages[0][23] = 6;
	world.pages[0][46] = 0x50;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_back_config config = {.name = "vif7.0", .mtu = 1500, .broken = world_broken};
	struct net_back *back;
	struct net_back_front front;

	input = data;
	left = size;
	config.rate_bytes = next() & 1 ? 100000 : 0;
	config.rate_nanoseconds = NSEC_PER_MSEC;
	back = world_begin(&config);
	pool = net_pool_create(100, 60);
	world.received = on_received;
	put_headers();
	front = world_front(NET_BACK_QUEUES, next() & 1);
	front.multicast_control = next() & 1;
	front.scatter = next() & 1;
	if (next() & 1)
		world_add_control(&front);
	else
		XEN_FRONT_RING_INIT(&world.control, (xen_netif_ctrl_sring_t *)world.control_page,
				    PAGE_SIZE);
	WORLD_CHECK(!net_back_connect(back, &front));
	while (left) {
		if (next() == 255)
			net_back_set_link(back, next() & 1);
		step(back);
	}
	world_end(back);
	WORLD_CHECK(net_pool_destroy(pool));
	return 0;
}
