/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c pv-drivers/net_merge.c pv-drivers/net_back.c pv-drivers/net_back_tx.c pv-drivers/net_back_rx.c pv-drivers/net_back_control.c pv-drivers/net_hash.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/*
 * The back half of a network interface against a guest that keeps to the protocol, and against guests that do not.
 */
#include "unit.h"
#define WORLD_CHECK(condition) assert_true(condition)
#include "netif_world.h"

static uint8_t seen[65536];
static uint32_t seen_length;
static unsigned int seen_count;
static struct net_packet last; /* its fields; the segments are gone */

static void on_received(struct net_packet *packet)
{
	seen_length = world_read(packet, seen);
	seen_count++;
	last = *packet;
}

static struct net_back *begin(void)
{
	struct net_back *back = world_begin(NULL);
	struct net_back_front front = world_front(1, false);

	seen_count = seen_length = 0;
	world.received = on_received;
	assert_int_equal(net_back_connect(back, &front), 0);
	world_run();
	assert_true(net_back_port(back)->link);
	return back;
}

static void fill_pages(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		for (unsigned int j = 0; j < PAGE_SIZE; j++)
			world.pages[i][j] = (uint8_t)(i * 7 + j + (j >> 8));
}

static void expect_answer(uint16_t id, int status)
{
	netif_tx_response_t answer;

	assert_true(world_answer(0, &answer));
	assert_int_equal(answer.status, status);
	if (status != NETIF_RSP_NULL)
		assert_int_equal(answer.id, id);
}

static void expect_no_answer(void)
{
	netif_tx_response_t answer;

	assert_false(world_answer(0, &answer));
}

/* Headers of a TCP packet over IPv4 in page 0 at an offset, data behind them. */
static void put_tcp(unsigned int page, unsigned int offset, uint16_t total)
{
	static const uint8_t start[] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 7, 8, 0};
	uint8_t *at = world.pages[page] + offset;

	memcpy(at, start, 14);
	memset(at + 14, 0, 40);
	at[14] = 0x45;
	at[16] = (uint8_t)((total - 14) >> 8);
	at[17] = (uint8_t)(total - 14);
	at[22] = 64;
	at[23] = 6;
	memcpy(at + 26, "\x0a\0\0\1\x0a\0\0\2", 8);
	at[46] = 0x50;
	at[47] = 0x10;
}

/* From the guest */

static void test_small_packet(void **state)
{
	struct net_back *back = begin();

	fill_pages();
	world_send_slot(0, 11, 3, 100, 60, 0);
	assert_true(world_push(0));
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen_length, 60);
	assert_memory_equal(seen, world.pages[3] + 100, 60);
	assert_int_equal(last.count, 1);
	assert_int_equal(last.checksum, NET_CHECKSUM_COMPLETE);
	expect_answer(11, NETIF_RSP_OKAY);
	expect_no_answer();
	/* It asked to be told of the first answer, and was. */
	assert_int_equal(world.port[0].sent, 1);
	assert_int_equal(world.ends, 1);
	world_end(back);
}

static void test_chain(void **state)
{
	struct net_back *back = begin();

	fill_pages();
	/* 100 + 4096 + 50 bytes: the first slot says how much it is in all. */
	world_send_slot(0, 1, 4, 3000, 4246, NETTXF_more_data | NETTXF_data_validated);
	world_send_slot(0, 2, 5, 0, 4096, NETTXF_more_data);
	world_send_slot(0, 3, 6, 4046, 50, 0);
	world_push(0);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen_length, 4246);
	assert_memory_equal(seen, world.pages[4] + 3000, 100);
	assert_memory_equal(seen + 100, world.pages[5], 4096);
	assert_memory_equal(seen + 4196, world.pages[6] + 4046, 50);
	assert_int_equal(last.checksum, NET_CHECKSUM_VALID);
	/* The headers were fetched by one call, the rest not at all. */
	assert_int_equal(world.copy_calls, 1);
	assert_int_equal(last.segments[0].length, NET_HEADERS);
	for (uint16_t id = 1; id <= 3; id++)
		expect_answer(id, NETIF_RSP_OKAY);
	expect_no_answer();
	world_end(back);
}

static void test_answered_when_released(void **state)
{
	struct net_back *back = begin();

	world.keep = true;
	world_send_slot(0, 1, 4, 0, 1000, 0);
	world_send_slot(0, 2, 5, 0, 1000, 0);
	world_push(0);
	assert_int_equal(world.kept_count, 2);
	expect_no_answer();
	net_packet_put(world.kept[1]);
	expect_answer(2, NETIF_RSP_OKAY);
	expect_no_answer();
	net_packet_put(world.kept[0]);
	world.kept_count = 0;
	expect_answer(1, NETIF_RSP_OKAY);
	world_end(back);
}

static void test_offloads(void **state)
{
	struct netif_extra_info gso = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
				       .u.gso = {.size = 1448, .type = XEN_NETIF_GSO_TYPE_TCPV4}};
	struct net_back *back = begin();

	put_tcp(0, 0, 54 + 3000);
	world_send_slot(0, 1, 0, 0, 54 + 3000,
			NETTXF_csum_blank | NETTXF_data_validated | NETTXF_extra_info);
	world_send_extra(0, &gso);
	world_push(0);
	assert_int_equal(seen_count, 1);
	assert_int_equal(last.checksum, NET_CHECKSUM_PARTIAL);
	assert_int_equal(last.checksum_start, 34);
	assert_int_equal(last.checksum_offset, 16);
	assert_int_equal(last.gso, NET_GSO_TCPV4);
	assert_int_equal(last.gso_size, 1448);
	expect_answer(1, NETIF_RSP_OKAY);
	expect_answer(0, NETIF_RSP_NULL);
	expect_no_answer();
	world_end(back);
}

/* Each of these is answered with an error and harms nothing else. */
static void test_malformed(void **state)
{
	static const struct {
		uint16_t size, offset, flags;
		struct netif_extra_info extra;
		uint32_t ref;
		bool fragment;
		uint16_t fragment_size, fragment_offset;
	} bad[] = {
	    {.size = 13},
	    {.size = 0},
	    {.size = 100, .offset = 4000},
	    {.size = 5000},
	    {.size = 100, .offset = 65535},
	    {.size = 100, .ref = PAGES},
	    {.size = 100, .ref = UINT32_MAX},
	    {.size = 100, .fragment = true, .fragment_size = 101},
	    {.size = 200, .fragment = true, .fragment_size = 100, .fragment_offset = 4090},
	    /* Not IP: nothing to fill in. */
	    {.size = 100, .flags = NETTXF_csum_blank, .ref = 9},
	    {.size = 100, .flags = NETTXF_extra_info},
	    {.size = 100, .flags = NETTXF_extra_info, .extra = {.type = XEN_NETIF_EXTRA_TYPE_MAX}},
	    {.size = 100, .flags = NETTXF_extra_info, .extra = {.type = 255}},
	    {.size = 100,
	     .flags = NETTXF_extra_info,
	     .extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = {.size = 0, .type = 1}}},
	    {.size = 100,
	     .flags = NETTXF_extra_info,
	     .extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = {.size = 1, .type = 1}}},
	    {.size = 100,
	     .flags = NETTXF_extra_info,
	     .extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = {.size = 1448, .type = 0}}},
	    {.size = 100,
	     .flags = NETTXF_extra_info,
	     .extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = {.size = 1448, .type = 2}}},
	    {.size = 100,
	     .flags = NETTXF_extra_info,
	     .extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = {.size = 1448, .type = 3}}},
	    {.size = 100,
	     .flags = NETTXF_extra_info,
	     .extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
		       .u.gso = {.size = 1448, .type = 1, .features = 1}}},
	};
	struct net_back *back = begin();
	struct net_back_counters counters;
	unsigned int count = sizeof(bad) / sizeof(bad[0]);

	for (unsigned int i = 0; i < count; i++) {
		put_tcp(0, 0, 100);
		memset(world.pages[9], 0, PAGE_SIZE);
		world_send_slot(0, 1, bad[i].ref, bad[i].offset, bad[i].size,
				bad[i].flags | (bad[i].fragment ? NETTXF_more_data : 0));
		if (bad[i].flags & NETTXF_extra_info)
			world_send_extra(0, &bad[i].extra);
		if (bad[i].fragment)
			world_send_slot(0, 2, 1, bad[i].fragment_offset, bad[i].fragment_size, 0);
		world_push(0);
		expect_answer(1, NETIF_RSP_ERROR);
		if (bad[i].flags & NETTXF_extra_info)
			expect_answer(0, NETIF_RSP_NULL);
		if (bad[i].fragment)
			expect_answer(2, NETIF_RSP_ERROR);
		expect_no_answer();
		assert_int_equal(seen_count, i);
		world_send_slot(0, 5, 3, 0, 64, 0);
		world_push(0);
		expect_answer(5, NETIF_RSP_OKAY);
		assert_int_equal(seen_count, i + 1);
	}
	net_back_count(back, &counters);
	assert_int_equal(counters.malformed, count);
	assert_int_equal(world.broken, 0);
	world_end(back);
}

/* The same, but for what does not fit into a row. */
static void test_malformed_chains(void **state)
{
	struct netif_extra_info gso = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
				       .flags = XEN_NETIF_EXTRA_FLAG_MORE,
				       .u.gso = {.size = 1448, .type = XEN_NETIF_GSO_TYPE_TCPV4}};
	struct net_back *back = begin();

	/* Fragments of 64 KiB in all: what is left for the first one would be as much as the whole packet. */
	world_send_slot(0, 0, 3, 0, 100, NETTXF_more_data);
	for (uint16_t i = 1; i <= 16; i++)
		world_send_slot(0, i, 3, 0, 4096, i < 16 ? NETTXF_more_data : 0);
	world_push(0);
	for (uint16_t i = 0; i <= 16; i++)
		expect_answer(i, NETIF_RSP_ERROR);
	/* The same said twice. */
	put_tcp(0, 0, 54 + 3000);
	world_send_slot(0, 1, 0, 0, 54 + 3000, NETTXF_csum_blank | NETTXF_extra_info);
	world_send_extra(0, &gso);
	gso.flags = 0;
	world_send_extra(0, &gso);
	world_push(0);
	expect_answer(1, NETIF_RSP_ERROR);
	expect_answer(0, NETIF_RSP_NULL);
	expect_answer(0, NETIF_RSP_NULL);
	expect_no_answer();
	assert_int_equal(seen_count, 0);
	assert_int_equal(world.broken, 0);
	world_end(back);
}

/* What leaves no way to go on. */
static void test_broken(void **state)
{
	struct netif_extra_info more = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
					.flags = XEN_NETIF_EXTRA_FLAG_MORE};

	for (unsigned int how = 0; how < 6; how++) {
		struct net_back *back = begin();

		world_send_slot(0, 1, 3, 0, 64, 0);
		if (how == 0) {
			world_send_slot(0, 2, 3, 0, 64, NETTXF_more_data);
		} else if (how == 1) {
			world_send_slot(0, 2, 3, 0, 64, NETTXF_extra_info);
		} else if (how == 2) {
			world_send_slot(0, 2, 3, 0, 64, NETTXF_extra_info);
			for (unsigned int i = 0; i < 6; i++)
				world_send_extra(0, &more);
			world_send_slot(0, 2, 3, 0, 64, 0);
		} else if (how == 3) {
			for (unsigned int i = 0; i < 30; i++)
				world_send_slot(0, 2, 3, 0, 64, i < 29 ? NETTXF_more_data : 0);
		} else if (how == 4) {
			world.queue[0].tx.req_prod_pvt += 300;
		} else {
			world.queue[0].tx.req_prod_pvt -= 2;
		}
		world_push(0);
		world_event(0);
		world_run();
		assert_int_equal(world.broken, 1);
		/* The good packet before it went through, if it was seen; nothing does any more. */
		assert_int_equal(seen_count, how < 4 ? 1 : 0);
		world.queue[0].tx.req_prod_pvt = 20;
		world_push(0);
		world_event(0);
		world_run();
		assert_int_equal(seen_count, how < 4 ? 1 : 0);
		assert_true(world.port[0].masked);
		world_end(back);
	}
}

/* An index that goes back to requests that have been taken, while their packets are on their way. */
static void test_back_again(void **state)
{
	struct net_back_counters counters;
	struct net_back *back = begin();

	world.keep = true;
	for (uint16_t i = 0; i < 10; i++)
		world_send_slot(0, i, 3, 0, 1000, 0);
	world_push(0);
	assert_int_equal(world.kept_count, 10);
	world.queue[0].tx.sring->req_prod = 5;
	world_event(0);
	world_run();
	assert_int_equal(world.broken, 1);
	assert_int_equal(seen_count, 10);
	/* Nothing behind it was looked at. */
	net_back_count(back, &counters);
	assert_int_equal(counters.malformed, 0);
	world_end(back);
}

/* No more packets on their way than were agreed; the rest is taken when some come back. */
static void test_bounded(void **state)
{
	struct net_back *back = begin();

	world.keep = true;
	for (uint16_t i = 0; i < 200; i++)
		world_send_slot(0, i, 3, 0, 1000, 0);
	world_push(0);
	world_run();
	assert_int_equal(world.kept_count, TX_PACKETS);
	for (unsigned int i = 0; i < 10; i++)
		net_packet_put(world.kept[--world.kept_count]);
	world_run();
	assert_int_equal(world.kept_count, TX_PACKETS);
	world.keep = false;
	world_let_go();
	world_run();
	assert_int_equal(seen_count, 200);
	for (unsigned int i = 0; i < 200; i++) {
		netif_tx_response_t answer;

		assert_true(world_answer(0, &answer));
		assert_int_equal(answer.status, NETIF_RSP_OKAY);
	}
	expect_no_answer();
	world_end(back);
}

/* A flood that uses up the handlers' share of the time is left to the thread, with the port masked. */
static uint64_t time_passes;

static void on_received_slowly(struct net_packet *packet)
{
	on_received(packet);
	world.now += time_passes;
}

static void test_flood(void **state)
{
	struct net_back *back = begin();
	unsigned int sent = 0;

	world.received = on_received_slowly;
	time_passes = NSEC_PER_MSEC / 10;
	for (unsigned int round = 0; round < 10 && !world.port[0].masked; round++) {
		for (unsigned int i = 0; i < 10; i++, sent++)
			world_send_slot(0, 1, 3, 0, 64, 0);
		world_push(0);
		/* Answers are taken. */
		world.queue[0].tx.rsp_cons = world.queue[0].tx.sring->rsp_prod;
	}
	assert_true(world.port[0].masked);
	assert_true(sent < 100);
	time_passes = 0;
	world_run();
	assert_false(world.port[0].masked);
	assert_int_equal(seen_count, sent);
	world_end(back);
}

static void test_rate(void **state)
{
	struct net_back_config config = {.name = "vif7.0",
					 .mtu = 1500,
					 .rate_bytes = 100000,
					 .rate_nanoseconds = 50 * NSEC_PER_MSEC};
	struct net_back *back = world_begin(&config);
	struct net_back_front front = world_front(1, false);
	unsigned int before;

	seen_count = 0;
	world.received = on_received;
	assert_int_equal(net_back_connect(back, &front), 0);
	for (unsigned int i = 0; i < 200; i++)
		world_send_slot(0, 1, 3, 0, 1000, 0);
	world_push(0);
	world_run();
	before = seen_count;
	assert_int_equal(before, 100);
	/* Two bytes a microsecond. */
	world.now += 25 * NSEC_PER_MSEC;
	world_run();
	assert_int_equal(seen_count, before + 50);
	world.now += 100 * NSEC_PER_MSEC;
	world_run();
	assert_int_equal(seen_count, 200);
	world_end(back);
}

static void test_prefer_local(void **state)
{
	struct net_back *back = begin();

	fill_pages();
	net_back_port(back)->prefer_local = true;
	world.keep = true;
	for (uint16_t i = 0; i < TX_PAGES + 2; i++)
		world_send_slot(0, i, 3, 0, 1514, 0);
	world_push(0);
	assert_int_equal(world.kept_count, TX_PAGES + 2);
	for (unsigned int i = 0; i < TX_PAGES + 2; i++) {
		world_read(world.kept[i], seen);
		assert_memory_equal(seen, world.pages[3], 1514);
		/* With no page free it stays where it is. */
		assert_int_equal(net_packet_is_local(world.kept[i]), i < TX_PAGES);
	}
	world_end(back);
}

/* To the guest */

static struct net_pool *pool;

static struct net_packet *make(uint32_t length)
{
	static uint8_t bytes[65536];
	struct net_packet *packet;

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(i * 3 + (i >> 8));
	memcpy(bytes, "\x02\0\0\0\0\x07\x02\0\0\0\0\x01\x08\0", 14);
	packet = net_packet_from_bytes(pool, bytes, length);
	assert_non_null(packet);
	return packet;
}

static void send(struct net_back *back, struct net_packet *packet)
{
	net_port_send(net_back_port(back), packet);
	net_packet_put(packet);
}

static void expect_received(uint16_t id, int status, unsigned int flags)
{
	netif_rx_response_t response;

	assert_true(world_received(0, &response));
	assert_int_equal(response.id, id);
	assert_int_equal(response.status, status);
	if (status >= 0) {
		assert_int_equal(response.flags, flags);
		assert_int_equal(response.offset, 0);
	}
}

static void test_receive(void **state)
{
	struct net_back *back = begin();
	struct net_packet *packet = make(1514), *large = make(9000);
	uint8_t bytes[9000];

	net_packet_copy_out(large, 0, bytes, 9000);
	for (uint16_t i = 0; i < 10; i++)
		world_post(0, 100 + i, 20 + i);
	world_push_buffers(0, 0);
	packet->checksum = NET_CHECKSUM_VALID;
	large->checksum = NET_CHECKSUM_PARTIAL;
	large->gso = NET_GSO_TCPV6;
	large->gso_size = 1440;
	send(back, packet);
	send(back, large);
	assert_int_equal(world.copy_calls, 0);
	net_port_flush(net_back_port(back));
	assert_int_equal(world.copy_calls, 1);
	assert_int_equal(world.port[0].sent, 1);
	expect_received(100, 1514, NETRXF_data_validated);
	expect_received(101, 4096,
			NETRXF_csum_blank | NETRXF_data_validated | NETRXF_extra_info |
			    NETRXF_more_data);
	{
		netif_rx_response_t response;
		struct netif_extra_info extra;

		assert_true(world_received(0, &response));
		memcpy(&extra, &response, sizeof(extra));
		assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
		assert_int_equal(extra.flags, 0);
		assert_int_equal(extra.u.gso.size, 1440);
		assert_int_equal(extra.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV6);
	}
	expect_received(103, 4096, NETRXF_more_data);
	expect_received(104, 808, 0);
	assert_memory_equal(world.pages[20], bytes, 1514);
	assert_memory_equal(world.pages[21], bytes, 4096);
	assert_memory_equal(world.pages[23], bytes + 4096, 4096);
	assert_memory_equal(world.pages[24], bytes + 8192, 808);
	world_end(back);
}

/* What another guest sent goes from its pages into this one's. */
static void test_between_guests(void **state)
{
	struct net_back *back = begin();

	fill_pages();
	world.keep = true;
	world_send_slot(0, 1, 4, 3000, 1096 + 400, NETTXF_more_data);
	world_send_slot(0, 2, 5, 10, 400, 0);
	world_push(0);
	world_post(0, 9, 30);
	world_push_buffers(0, 0);
	net_port_send(net_back_port(back), world.kept[0]);
	net_port_flush(net_back_port(back));
	expect_received(9, 1496, 0);
	assert_memory_equal(world.pages[30], world.pages[4] + 3000, 1096);
	assert_memory_equal(world.pages[30] + 1096, world.pages[5] + 10, 400);
	world_end(back);
}

static void test_bad_buffer(void **state)
{
	struct net_back *back = begin();

	world_post(0, 1, PAGES + 1);
	world_post(0, 2, 20);
	world_post(0, 3, 21);
	world_push_buffers(0, 0);
	world.revoked[21] = true;
	for (unsigned int i = 0; i < 3; i++)
		send(back, make(500));
	net_port_flush(net_back_port(back));
	expect_received(1, NETIF_RSP_ERROR, 0);
	expect_received(2, 500, 0);
	expect_received(3, NETIF_RSP_ERROR, 0);
	assert_int_equal(world.broken, 0);
	world_end(back);
}

/* Without buffers packets wait, for a while. */
static void test_stall(void **state)
{
	struct net_back *back = begin();
	struct net_port *port = net_back_port(back);
	struct net_back_counters counters;
	netif_rx_response_t response;

	send(back, make(500));
	net_port_flush(port);
	assert_false(world_received(0, &response));
	world_post(0, 1, 20);
	assert_true(world_push_buffers(0, 0));
	expect_received(1, 500, 0);

	for (unsigned int i = 0; i < RX_PACKETS + 5; i++)
		send(back, make(500));
	net_port_flush(port);
	assert_int_equal(port->sent.dropped, 5);
	assert_int_equal(net_pool_packets_free(pool), 200 - RX_PACKETS);
	world.now += RX_STALL - 1;
	world_run();
	assert_int_equal(net_pool_packets_free(pool), 200 - RX_PACKETS);
	world.now += 1;
	world_run();
	assert_int_equal(net_pool_packets_free(pool), 200);
	assert_int_equal(port->sent.dropped, RX_PACKETS + 5);
	net_back_count(back, &counters);
	assert_int_equal(counters.stalls, 1);

	/* A few buffers are not enough to be trusted again. */
	for (uint16_t i = 0; i < RX_RECOVERED; i++) {
		send(back, make(500));
		net_port_flush(port);
		assert_int_equal(port->sent.dropped, RX_PACKETS + 6u + i);
		world_post(0, i, 20);
		world_push_buffers(0, 0);
	}
	send(back, make(500));
	net_port_flush(port);
	expect_received(0, 500, 0);
	world_end(back);
	assert_int_equal(net_pool_packets_free(pool), 200);
}

static void test_no_scatter(void **state)
{
	struct net_back *back = world_begin(NULL);
	struct net_back_front front = world_front(1, false);
	struct net_port *port = net_back_port(back);
	netif_rx_response_t response;

	front.scatter = false;
	assert_int_equal(net_back_connect(back, &front), 0);
	assert_false(port->features & (NET_FEATURE_GSO_TCPV4 | NET_FEATURE_GSO_TCPV6));
	world_post(0, 1, 20);
	world_post(0, 2, 21);
	world_push_buffers(0, 0);
	send(back, make(5000));
	net_port_flush(port);
	assert_false(world_received(0, &response));
	assert_int_equal(port->sent.dropped, 1);
	world_end(back);
}

static void test_groups(void **state)
{
	struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD,
					 .u.mcast = {{0x33, 0x33, 0, 0, 0, 1}}};
	struct net_back *back = world_begin(NULL);
	struct net_back_front front = world_front(1, false);
	struct net_packet *packet = NULL;

	front.multicast_control = true;
	assert_int_equal(net_back_connect(back, &front), 0);
	for (uint16_t i = 0; i < 40; i++)
		world_post(0, i, 20);
	world_push_buffers(0, 0);
	for (unsigned int step = 0; step < 4; step++) {
		uint8_t bytes[60] = {0x33, 0x33, 0, 0, 0, 1};

		if (step == 3)
			memset(bytes, 0xff, 6);
		packet = net_packet_from_bytes(pool, bytes, 60);
		net_port_send(net_back_port(back), packet);
		net_port_flush(net_back_port(back));
		net_packet_put(packet);
		assert_int_equal(net_back_port(back)->sent.packets, step == 0	? 0
								    : step == 3 ? 2
										: 1);
		if (step >= 2)
			continue;
		extra.type = step ? XEN_NETIF_EXTRA_TYPE_MCAST_DEL : XEN_NETIF_EXTRA_TYPE_MCAST_ADD;
		world_send_slot(0, 7, 0, 0, 0, NETTXF_extra_info);
		world_send_extra(0, &extra);
		world_push(0);
		expect_answer(7, NETIF_RSP_OKAY);
		expect_answer(0, NETIF_RSP_NULL);
	}
	/* The guest changes its mind while it is connected. */
	for (unsigned int on = 0; on < 2; on++) {
		uint8_t bytes[60] = {0x33, 0x33, 0, 0, 0, 9};

		net_back_set_multicast_control(back, on);
		packet = net_packet_from_bytes(pool, bytes, 60);
		net_port_send(net_back_port(back), packet);
		net_packet_put(packet);
		assert_int_equal(net_back_port(back)->sent.packets, 3);
	}
	/* Their number is bounded. */
	extra.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD;
	for (unsigned int i = 0; i < 70; i++) {
		extra.u.mcast.addr[5] = (uint8_t)(i + 10);
		world_send_slot(0, 7, 0, 0, 0, NETTXF_extra_info);
		world_send_extra(0, &extra);
		world_push(0);
		expect_answer(7, i < 64 ? NETIF_RSP_OKAY : NETIF_RSP_ERROR);
		expect_answer(0, NETIF_RSP_NULL);
	}
	world_end(back);
}

/* Queues and channels */

static void test_queues(void **state)
{
	struct net_back *back = world_begin(NULL);
	struct net_back_front front = world_front(4, true);
	unsigned int used[4] = {0}, queues_used = 0;
	netif_rx_response_t response;

	world.received = on_received;
	seen_count = 0;
	assert_int_equal(net_back_connect(back, &front), 0);
	for (unsigned int q = 0; q < 4; q++) {
		world_send_slot(q, 1, 3, 0, 64, 0);
		world_push(q);
		for (uint16_t i = 0; i < 128; i++)
			world_post(q, i, 20);
		world_push_buffers(q, 2 * q + 1);
	}
	assert_int_equal(seen_count, 4);
	for (unsigned int port = 0; port < 100; port++) {
		for (unsigned int again = 0; again < 2; again++) {
			struct net_packet *packet;
			unsigned int q;

			put_tcp(40, 0, 60);
			world.pages[40][35] = (uint8_t)port;
			packet = net_packet_from_bytes(pool, world.pages[40], 60);
			send(back, packet);
			net_port_flush(net_back_port(back));
			for (q = 0; q < 4 && !world_received(q, &response); q++)
				;
			assert_in_range(q, 0, 3);
			/* The same way each time. */
			if (again)
				assert_true(used[q] & 1);
			used[q] = (used[q] + 2) | 1;
			for (unsigned int i = 0; i < 4; i++)
				if (i != q)
					used[i] &= ~1u;
		}
	}
	for (unsigned int q = 0; q < 4; q++)
		queues_used += used[q] >= 30;
	assert_int_equal(queues_used, 4);
	world_end(back);
}

/* The link: taken down, or nothing beyond it; no packet passes, none is kept, and the guest's are answered. */

static unsigned int carrier_changes;

static void on_carrier(void *data)
{
	(void)data;
	carrier_changes++;
}

static void expect_link(struct net_back *back, bool link)
{
	static uint16_t id;
	unsigned int before = seen_count;
	uint64_t sent = net_back_port(back)->sent.packets;

	assert_int_equal(net_back_port(back)->link, link);
	world_send_slot(0, ++id, 3, 0, 60, 0);
	world_push(0);
	world_run();
	expect_answer(id, link ? NETIF_RSP_OKAY : NETIF_RSP_DROPPED);
	expect_no_answer();
	assert_int_equal(seen_count, before + link);
	send(back, make(60));
	assert_int_equal(net_back_port(back)->sent.packets, sent + link);
}

static void test_link(void **state)
{
	struct net_back_config config = {
	    .name = "vif7.0", .mtu = 1500, .carrier_changed = on_carrier};
	struct net_back *back = world_begin(&config);
	struct net_port *port = net_back_port(back);
	struct net_back_front front = world_front(1, false);

	carrier_changes = 0;
	seen_count = 0;
	world.received = on_received;
	net_back_set_link(back, false);
	assert_int_equal(net_back_connect(back, &front), 0);
	expect_link(back, false);
	net_back_set_link(back, true);
	expect_link(back, true);
	/* What waits for buffers goes with the link. */
	assert_int_equal(back->queue[0].waits, 1);
	port->operations->beyond(port, false);
	assert_int_equal(carrier_changes, 1);
	assert_false(net_back_carrier(back));
	assert_int_equal(back->queue[0].waits, 0);
	assert_int_equal(net_pool_packets_free(pool), 200);
	expect_link(back, false);
	port->operations->beyond(port, false);
	assert_int_equal(carrier_changes, 1);
	/* Both are needed; whoever took the link down need not be told. */
	net_back_set_link(back, false);
	port->operations->beyond(port, true);
	assert_int_equal(carrier_changes, 1);
	expect_link(back, false);
	net_back_set_link(back, true);
	assert_true(net_back_carrier(back));
	expect_link(back, true);
	net_back_disconnect(back);
	assert_false(port->link);
	net_back_set_link(back, true);
	assert_false(port->link);
	world_end(back);
}

static void test_connect_fails(void **state)
{
	struct net_back *back = world_begin(NULL);
	struct net_back_front front = world_front(2, true);

	front.queues = 0;
	assert_int_equal(net_back_connect(back, &front), -XEN_EINVAL);
	front.queues = NET_BACK_QUEUES + 1;
	assert_int_equal(net_back_connect(back, &front), -XEN_EINVAL);
	front.queues = 2;
	front.queue[1].tx = 5;
	assert_int_equal(net_back_connect(back, &front), -XEN_EINVAL);
	front = world_front(2, true);
	front.queue[1].rx_event = 999;
	assert_int_equal(net_back_connect(back, &front), -XEN_EINVAL);
	assert_int_equal(world.maps, 0);
	/* Indexes that cannot be. */
	front = world_front(2, true);
	((netif_rx_sring_t *)world.queue[1].rings[1])->req_prod = 1000;
	assert_int_equal(net_back_connect(back, &front), -XEN_EINVAL);
	assert_int_equal(world.maps, 0);
	assert_false(net_back_port(back)->link);
	front = world_front(2, true);
	assert_int_equal(net_back_connect(back, &front), 0);
	world_end(back);
}

/* Packets of a front half that is gone are not answered to the next. */
static void test_reconnect(void **state)
{
	struct net_back *back = begin();
	struct net_back_front front;

	world.keep = true;
	for (uint16_t i = 0; i < 10; i++)
		world_send_slot(0, i, 3, 0, 1000, 0);
	world_push(0);
	send(back, make(500));
	net_port_flush(net_back_port(back));
	net_back_disconnect(back);
	assert_false(net_back_port(back)->link);
	assert_int_equal(world.maps, 0);
	assert_int_equal(net_pool_packets_free(pool), 200);
	send(back, make(500));
	front = world_front(1, false);
	assert_int_equal(net_back_connect(back, &front), 0);
	world_let_go();
	expect_no_answer();
	world_send_slot(0, 77, 3, 0, 1000, 0);
	world_push(0);
	world_let_go();
	expect_answer(77, NETIF_RSP_OKAY);
	expect_no_answer();
	world_end(back);
}

/* A back half that was started anew goes on where the rings stand. */
static void test_attach(void **state)
{
	struct net_back *back = world_begin(NULL);
	struct net_back_front front = world_front(1, false);

	seen_count = 0;
	world.received = on_received;
	assert_int_equal(net_back_connect(back, &front), 0);
	for (uint16_t i = 0; i < 300; i++) {
		world_send_slot(0, i, 3, 0, 64, 0);
		world_push(0);
		expect_answer(i, NETIF_RSP_OKAY);
	}
	net_back_disconnect(back);
	world_send_slot(0, 400, 3, 0, 64, 0);
	world_push(0);
	assert_int_equal(net_back_connect(back, &front), 0);
	world_run();
	assert_int_equal(seen_count, 301);
	expect_answer(400, NETIF_RSP_OKAY);
	expect_no_answer();
	world_end(back);
}

static int make_pool(void **state)
{
	pool = net_pool_create(200, 100);
	return !pool;
}

static int drop_pool(void **state)
{
	return !net_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_small_packet),
	    cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_answered_when_released),
	    cmocka_unit_test(test_offloads),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_malformed_chains),
	    cmocka_unit_test(test_broken),
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_back_again),
	    cmocka_unit_test(test_flood),
	    cmocka_unit_test(test_rate),
	    cmocka_unit_test(test_prefer_local),
	    cmocka_unit_test(test_receive),
	    cmocka_unit_test(test_between_guests),
	    cmocka_unit_test(test_bad_buffer),
	    cmocka_unit_test(test_stall),
	    cmocka_unit_test(test_no_scatter),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_queues),
	    cmocka_unit_test(test_link),
	    cmocka_unit_test(test_connect_fails),
	    cmocka_unit_test(test_reconnect),
	    cmocka_unit_test(test_attach),
	};

	return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
