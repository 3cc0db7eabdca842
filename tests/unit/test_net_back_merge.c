/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c pv-drivers/net_merge.c pv-drivers/net_back.c pv-drivers/net_back_tx.c pv-drivers/net_back_rx.c pv-drivers/net_back_control.c pv-drivers/net_hash.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/*
 * The back half of a network interface with packets of TCP for its guest that wait together: as one where the guest takes
 * that, in order, and with what else waits neither lost nor spoilt. The merging itself is test_net_merge's.
 */
#include "unit.h"
#define WORLD_CHECK(condition) assert_true(condition)
#define MODEL_CHECK(condition) assert_true(condition)
#include "netif_world.h"
#include "net_merge_model.h"

#define ACK 0x10

static struct net_pool *pool;
static struct net_back *back;
static uint16_t posted; /* buffers so far: id n is page n % PAGES */

/* What came out at the guest as one packet. */
static struct {
	uint8_t bytes[70000];
	uint32_t length;
	unsigned int slots, flags, gso_type, gso_size;
	bool failed, hashed;
} got;

static void post(unsigned int count)
{
	while (count--) {
		world_post(0, posted, posted % PAGES);
		posted++;
	}
	world_push_buffers(0, 0);
}

/* The next packet, out of the guest's pages. False: there is none. */
static bool take(void)
{
	netif_rx_response_t response;
	struct netif_extra_info extra;
	unsigned int flags;

	memset(&got, 0, sizeof(got));
	do {
		if (!world_received(0, &response))
			return false;
		flags = response.flags;
		got.slots++;
		if (got.slots == 1)
			got.flags = flags;
		if (response.status < 0) {
			got.failed = true;
		} else {
			memcpy(got.bytes + got.length, world.pages[response.id % PAGES],
			       (size_t)response.status);
			got.length += (uint32_t)response.status;
		}
		if (flags & NETRXF_extra_info) {
			assert_true(world_received(0, &response));
			memcpy(&extra, &response, sizeof(extra));
			assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
			got.gso_type = extra.u.gso.type;
			got.gso_size = extra.u.gso.size;
			if (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) {
				assert_true(world_received(0, &response));
				memcpy(&extra, &response, sizeof(extra));
				assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_HASH);
				got.hashed = true;
			}
		}
	} while (flags & NETRXF_more_data);
	return true;
}

/* In two segments, or in one. */
static void send(const struct model_packet *from, bool split)
{
	uint32_t first = split ? NET_HEADERS : from->length;
	struct net_packet *packet = net_packet_from_bytes(pool, from->bytes, first);

	assert_non_null(packet);
	if (split)
		memcpy(net_packet_add_page(packet, 100, from->length - first), from->bytes + first,
		       from->length - first);
	packet->checksum = from->valid ? NET_CHECKSUM_VALID : NET_CHECKSUM_COMPLETE;
	net_port_send(net_back_port(back), packet);
	net_packet_put(packet);
}

static void send_all(void)
{
	for (unsigned int i = 0; i < model.count; i++)
		send(&model.in[i], false);
	net_port_flush(net_back_port(back));
}

static void expect_same(const struct model_packet *packet)
{
	assert_true(take());
	assert_int_equal(got.length, packet->length);
	assert_memory_equal(got.bytes, packet->bytes, packet->length);
	assert_int_equal(got.flags, packet->valid ? NETRXF_data_validated : 0);
}

/* That of model.in's first ones as the model merges them. */
static void expect_merged(unsigned int count)
{
	model_run();
	assert_int_equal(model.merged, count);
	assert_true(take());
	assert_int_equal(got.length, model.merge.length);
	assert_memory_equal(got.bytes, model.large, got.length);
	assert_int_equal(got.flags & ~NETRXF_more_data,
			 NETRXF_csum_blank | NETRXF_data_validated | NETRXF_extra_info);
	assert_int_equal(got.slots, (got.length + PAGE_SIZE - 1) / PAGE_SIZE);
	assert_int_equal(got.gso_size, model.merge.size);
	assert_int_equal(got.gso_type, model.merge.gso == NET_GSO_TCPV4 ? XEN_NETIF_GSO_TYPE_TCPV4
									: XEN_NETIF_GSO_TYPE_TCPV6);
}

static void begin(bool tcpv4, bool tcpv6)
{
	struct net_back_front front;

	back = world_begin(NULL);
	front = world_front(1, false);
	front.gso_tcpv4 = tcpv4;
	front.gso_tcpv6 = tcpv6;
	assert_int_equal(net_back_connect(back, &front), 0);
	world_run();
	posted = 0;
	model.count = 0;
}

static void end(void)
{
	assert_false(take());
	world_end(back);
	assert_int_equal(net_pool_packets_free(pool), 200);
}

static void test_one(void **state)
{
	for (unsigned int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct model_stream stream = {.ipv6 = ipv6, .port = 1, .options = 12};

		begin(true, true);
		for (unsigned int i = 0; i < 40; i++)
			model_add(&stream, 1448, ACK);
		post(40);
		send_all();
		/* By one call, with one event. */
		assert_int_equal(world.copy_calls, 1);
		assert_int_equal(world.port[0].sent, 1);
		expect_merged(40);
		end();
	}
}

/* More than one packet can hold, than wait at a time, and, in two segments each, than one call can copy. */
static void test_many(void **state)
{
	for (unsigned int split = 0; split < 2; split++) {
		struct model_stream stream = {.port = 1};
		unsigned int length = 0, packets = 0;

		begin(true, true);
		for (unsigned int i = 0; i < 79; i++)
			model_add(&stream, split ? 500 : 1400, ACK);
		post(60);
		for (unsigned int i = 0; i < model.count; i++)
			send(&model.in[i], split);
		net_port_flush(net_back_port(back));
		while (take()) {
			unsigned int size = split ? 500 : 1400;

			assert_memory_equal(got.bytes + 38, model.in[length / size].bytes + 38, 4);
			for (unsigned int at = 54; at < got.length; at += size, length += size)
				assert_memory_equal(got.bytes + at,
						    model.in[length / size].bytes + 54, size);
			packets++;
		}
		assert_int_equal(length, 79 * (split ? 500 : 1400));
		assert_in_range(packets, 2, 4);
		end();
	}
}

/* Again and again: what a call needs is there for the next. */
static void test_again(void **state)
{
	struct model_stream stream = {.port = 1};

	begin(true, true);
	for (unsigned int round = 0; round < 100; round++) {
		model.count = 0;
		model_add(&stream, 1000, ACK);
		model_add(&stream, 1000, ACK);
		post(2);
		send_all();
		expect_merged(2);
	}
	end();
}

/* To a guest that wants hashes: the merged packet has that of its packets, in a buffer more. */
static void test_hashed(void **state)
{
	struct model_stream stream = {.port = 1};

	begin(true, true);
	back->hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
	back->hash.types = XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP;
	for (unsigned int i = 0; i < 20; i++)
		model_add(&stream, 1400, ACK);
	/* As many as it takes. */
	post((54 + 20 * 1400 + PAGE_SIZE - 1) / PAGE_SIZE + 2);
	send_all();
	expect_merged(20);
	assert_true(got.hashed);
	end();
}

/* Connections that alternate, and packets that are nobody's: each is whole, those of one in order. */
static void test_interleaved(void **state)
{
	struct model_stream a = {.port = 1}, b = {.port = 2, .ipv6 = true};
	struct model_packet all[21];

	begin(true, true);
	for (unsigned int i = 0; i < 10; i++) {
		model_add(&a, 1000, ACK);
		model_add(&b, 900, ACK);
	}
	/* Of connection a, but with FIN. */
	model_add(&a, 1000, ACK | 1);
	memcpy(all, model.in, sizeof(all));
	post(60);
	send_all();
	for (unsigned int first = 0; first < 2; first++) {
		for (unsigned int i = 0; i < 10; i++)
			model.in[i] = all[2 * i + first];
		model.count = 10;
		expect_merged(10);
	}
	expect_same(&all[20]);
	end();
}

/* Past how many others one can be taken is bounded. */
static void test_overtaking(void **state)
{
	for (unsigned int others = 8; others < 10; others++) {
		struct model_stream a = {.port = 1};
		struct model_packet last;

		begin(true, true);
		model_add(&a, 1000, ACK);
		for (unsigned int i = 0; i < others; i++) {
			struct model_stream other = {.port = (uint16_t)(10 + i)};

			model_add(&other, 1000, ACK);
		}
		last = *model_add(&a, 1000, ACK);
		post(40);
		send_all();
		if (others == 8) {
			struct model_packet second = model.in[1];

			model.in[1] = last;
			model.count = 2;
			expect_merged(2);
			model.in[1] = second;
		} else {
			expect_same(&model.in[0]);
		}
		for (unsigned int i = 0; i < others; i++)
			expect_same(&model.in[1 + i]);
		if (others == 9)
			expect_same(&last);
		end();
	}
}

/* Guests that do not take large packets of this kind get them as they come. */
static void test_not_wanted(void **state)
{
	for (unsigned int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct model_stream stream = {.port = 1, .ipv6 = ipv6};

		begin(ipv6, !ipv6);
		for (unsigned int i = 0; i < 10; i++)
			model_add(&stream, 1000, ACK);
		post(10);
		send_all();
		for (unsigned int i = 0; i < 10; i++)
			expect_same(&model.in[i]);
		end();
	}
}

/* Without the buffers for all, as many go as there are buffers for, and the rest when there are more. */
static void test_few_buffers(void **state)
{
	struct model_stream stream = {.port = 1};

	begin(true, true);
	for (unsigned int i = 0; i < 20; i++)
		model_add(&stream, 1400, ACK);
	post(2);
	send_all();
	expect_same(&model.in[0]);
	expect_same(&model.in[1]);
	assert_false(take());
	memmove(model.in, model.in + 2, 18 * sizeof(model.in[0]));
	model.count = 18;
	post(18);
	expect_merged(18);
	end();
}

/* A buffer that is none spoils its packet only; those that were on their way are given back. */
static void test_bad_buffer(void **state)
{
	struct model_stream stream = {.port = 1}, other = {.port = 2};

	begin(true, true);
	for (unsigned int i = 0; i < 10; i++)
		model_add(&stream, 1400, ACK);
	model_add(&other, 100, ACK);
	world.revoked[2] = true;
	post(20);
	send_all();
	assert_true(take());
	assert_true(got.failed);
	assert_int_equal(got.slots, 4);
	expect_same(&model.in[10]);
	assert_int_equal(world.broken, 0);
	end();
}

/* Those that wait still when they have waited too long are counted, and not those that had gone before their turn. */
static void test_stall(void **state)
{
	struct model_stream a = {.port = 1}, b = {.port = 2};
	struct net_port *port;

	begin(true, true);
	port = net_back_port(back);
	model_add(&a, 100, ACK);
	model_add(&b, 100, ACK);
	model_add(&a, 100, ACK);
	model_add(&b, 101, ACK);
	post(2);
	send_all();
	model.in[1] = model.in[2];
	model.count = 2;
	expect_merged(2);
	assert_false(take());
	assert_int_equal(net_pool_packets_free(pool), 198);
	world.now += RX_STALL;
	world_run();
	assert_int_equal(port->sent.dropped, 2);
	end();
}

static int make_pools(void **state)
{
	pool = net_pool_create(200, 200);
	model.pool = net_pool_create(200, 200);
	return !pool || !model.pool;
}

static int drop_pools(void **state)
{
	return !net_pool_destroy(pool) || !net_pool_destroy(model.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one),		cmocka_unit_test(test_many),
	    cmocka_unit_test(test_again),	cmocka_unit_test(test_hashed),
	    cmocka_unit_test(test_interleaved), cmocka_unit_test(test_overtaking),
	    cmocka_unit_test(test_not_wanted),	cmocka_unit_test(test_few_buffers),
	    cmocka_unit_test(test_bad_buffer),	cmocka_unit_test(test_stall),
	};

	return cmocka_run_group_tests(tests, make_pools, drop_pools);
}
