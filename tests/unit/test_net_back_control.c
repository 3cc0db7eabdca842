/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c pv-drivers/net_merge.c pv-drivers/net_back.c pv-drivers/net_back_tx.c pv-drivers/net_back_rx.c pv-drivers/net_back_control.c pv-drivers/net_hash.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/* The control ring of a network interface: hashing as a guest sets it and what it then receives; and guests that break it. */
#include "unit.h"
#define WORLD_CHECK(condition) assert_true(condition)
#include "netif_world.h"

#define QUEUES	4

#define OKAY	XEN_NETIF_CTRL_STATUS_SUCCESS
#define NOT	XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
#define INVALID XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define LARGE	XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW

static struct net_pool *pool;
static struct net_back *back;

/* Of Microsoft's publication; test_net_hash.c has more of it. */
static const uint8_t key[NET_HASH_KEY] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
#define HASH_IPV4     0x323e8fc2
#define HASH_IPV4_TCP 0x51ccc178

static void begin(void)
{
	struct net_back_front front;

	back = world_begin(NULL);
	front = world_front(QUEUES, false);
	world_add_control(&front);
	assert_int_equal(net_back_connect(back, &front), 0);
	world_run();
	for (unsigned int q = 0; q < QUEUES; q++) {
		for (uint16_t i = 0; i < 64; i++)
			world_post(q, i, 20);
		world_push_buffers(q, 2 * q);
	}
}

/* One request; returns its status, the answer's data in *data. */
static uint32_t ask(uint16_t type, uint32_t a, uint32_t b, uint32_t c, uint32_t *data)
{
	static uint16_t id = 100;
	struct xen_netif_ctrl_response response;
	unsigned int sent = world.port[CONTROL_N].sent;

	world_ask(++id, type, a, b, c);
	world_push_control();
	world_run();
	assert_true(world_told(&response));
	assert_int_equal(response.id, id);
	assert_int_equal(response.type, type);
	assert_int_equal(world.port[CONTROL_N].sent, sent + 1);
	assert_false(world.port[CONTROL_N].masked);
	assert_false(world_told(&response));
	if (data)
		*data = response.data;
	else
		assert_int_equal(response.data, 0);
	return response.status;
}

static uint32_t set_algorithm(uint32_t algorithm)
{
	return ask(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, algorithm, 0, 0, NULL);
}

static uint32_t set_types(uint32_t types)
{
	return ask(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, types, 0, 0, NULL);
}

static uint32_t set_key(void)
{
	memcpy(world.pages[5], key, sizeof(key));
	return ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 5, sizeof(key), 0, NULL);
}

static uint32_t set_mapping(const uint32_t *entries, uint32_t count, uint32_t first)
{
	memcpy(world.pages[6], entries, count * sizeof(*entries));
	return ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, 6, count, first, NULL);
}

/* The published packet, with some data. */
static struct net_packet *make(uint8_t protocol, uint32_t length)
{
	static uint8_t bytes[8192];
	struct net_packet *packet;

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, "\2\0\0\0\0\7\2\0\0\0\0\1\x08\0\x45\0", 16);
	bytes[16] = (uint8_t)((length - 14) >> 8);
	bytes[17] = (uint8_t)(length - 14);
	bytes[23] = protocol;
	memcpy(bytes + 26, "\x42\x09\x95\xbb\xa1\x8e\x64\x50", 8);
	memcpy(bytes + 34, "\x0a\xea\x06\xe6", 4);
	bytes[46] = 0x50;
	bytes[47] = 0x10;
	packet = net_packet_from_bytes(pool, bytes, length);
	assert_non_null(packet);
	return packet;
}

static void send(struct net_packet *packet)
{
	net_port_send(net_back_port(back), packet);
	net_port_flush(net_back_port(back));
	net_packet_put(packet);
}

/* The queue that has something; its next response. */
static unsigned int receive(netif_rx_response_t *response)
{
	unsigned int q = 0;

	while (!world_received(q, response)) {
		q++;
		assert_true(q < QUEUES);
	}
	return q;
}

static void expect_hash(unsigned int q, uint8_t type, uint32_t value)
{
	netif_rx_response_t response;
	struct netif_extra_info extra;
	uint32_t got;

	assert_true(world_received(q, &response));
	memcpy(&extra, &response, sizeof(extra));
	memcpy(&got, extra.u.hash.value, sizeof(got));
	assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_HASH);
	assert_int_equal(extra.flags, 0);
	assert_int_equal(extra.u.hash.type, type);
	assert_int_equal(extra.u.hash.algorithm, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ);
	assert_int_equal(got, value);
}

static unsigned int expect_plain(void)
{
	netif_rx_response_t response;
	unsigned int q = receive(&response);

	assert_false(response.flags & NETRXF_extra_info);
	assert_false(world_received(q, &response));
	return q;
}

/* To the letter of public/io/netif.h. */
static void test_requests(void **state)
{
	static const uint32_t some[4] = {3, 2, 1, 0}, bad[4] = {3, 2, 4, 0};
	struct net_back_status status;
	uint32_t data;

	begin();
	/* Without an algorithm. */
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0, &data), NOT);
	assert_int_equal(set_types(XEN_NETIF_CTRL_HASH_TYPE_IPV4), NOT);
	assert_int_equal(set_algorithm(2), INVALID);
	assert_int_equal(set_algorithm(UINT32_MAX), INVALID);
	assert_int_equal(set_algorithm(XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ), OKAY);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0, &data), OKAY);
	assert_int_equal(data, 15);
	assert_int_equal(set_types(16), INVALID);
	assert_int_equal(set_types(UINT32_MAX), INVALID);
	assert_int_equal(set_types(15), OKAY);
	net_back_look(back, &status);
	assert_int_equal(status.hash_types, 15);
	/* Keys: what is not given is 0, none has no grant, a bad one changes nothing. */
	assert_int_equal(set_key(), OKAY);
	assert_memory_equal(back->hash.key, key, sizeof(key));
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 5, 41, 0, NULL), LARGE);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 5, UINT32_MAX, 0, NULL), LARGE);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, PAGES, 40, 0, NULL), INVALID);
	assert_memory_equal(back->hash.key, key, sizeof(key));
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 5, 3, 0, NULL), OKAY);
	assert_memory_equal(back->hash.key, "\x6d\x5a\x56\0\0", 5);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, UINT32_MAX, 0, 0, NULL), OKAY);
	assert_memory_equal(back->hash.key, "\0\0\0", 3);
	/* Mappings. */
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0, &data), OKAY);
	assert_int_equal(data, NET_HASH_MAPPING);
	assert_int_equal(set_mapping(some, 4, 0), INVALID);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 129, 0, 0, NULL), INVALID);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 6, 0, 0, NULL), OKAY);
	assert_int_equal(set_mapping(some, 4, 0), OKAY);
	assert_int_equal(set_mapping(some, 4, 2), OKAY);
	assert_int_equal(set_mapping(some, 4, 3), INVALID);
	assert_int_equal(set_mapping(some, 4, UINT32_MAX), INVALID);
	assert_int_equal(set_mapping(bad, 4, 0), INVALID);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, 6, 1000, 0, NULL), LARGE);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, PAGES, 4, 0, NULL), INVALID);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, PAGES, 0, 6, NULL), OKAY);
	assert_memory_equal(back->hash.mapping, ((uint32_t[]){3, 2, 3, 2, 1, 0}), 24);
	/* A new table is all 0. */
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 128, 0, 0, NULL), OKAY);
	for (unsigned int i = 0; i < 128; i++)
		assert_int_equal(back->hash.mapping[i], 0);
	/* Not offered, or nothing at all. */
	for (uint16_t type = XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE; type < 20; type++)
		assert_int_equal(ask(type, 0, 0, 0, NULL), NOT);
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_INVALID, 0, 0, 0, NULL), NOT);
	assert_int_equal(ask(UINT16_MAX, 0, 0, 0, NULL), NOT);
	world_end(back);
}

static void test_distribution(void **state)
{
	netif_rx_response_t response;
	struct netif_extra_info extra;
	struct net_packet *packet;
	uint32_t table[5] = {0};
	unsigned int q;

	begin();
	/* Whatever else is set. */
	assert_int_equal(set_key(), OKAY);
	send(make(6, 100));
	expect_plain();
	assert_int_equal(set_algorithm(XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ), OKAY);
	send(make(6, 100));
	expect_plain();
	assert_int_equal(set_types(15), OKAY);
	send(make(6, 100));
	assert_int_equal(receive(&response), HASH_IPV4_TCP % QUEUES);
	assert_int_equal(response.status, 100);
	assert_int_equal(response.flags, NETRXF_extra_info);
	expect_hash(HASH_IPV4_TCP % QUEUES, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, HASH_IPV4_TCP);
	/* Over a table, which any queue may be in. */
	assert_int_equal(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 5, 0, 0, NULL), OKAY);
	for (uint32_t to = 0; to < QUEUES; to++) {
		table[HASH_IPV4 % 5] = to;
		assert_int_equal(set_mapping(table, 5, 0), OKAY);
		send(make(17, 100));
		assert_int_equal(receive(&response), to);
		expect_hash(to, _XEN_NETIF_CTRL_HASH_TYPE_IPV4, HASH_IPV4);
	}
	/* To be cut as well, and in two buffers: both infos behind the first. */
	packet = make(6, 5000);
	packet->checksum = NET_CHECKSUM_PARTIAL;
	packet->gso = NET_GSO_TCPV4;
	packet->gso_size = 1448;
	send(packet);
	q = receive(&response);
	assert_int_equal(response.flags, NETRXF_extra_info | NETRXF_more_data | NETRXF_csum_blank |
					     NETRXF_data_validated);
	assert_int_equal(response.status, 4096);
	assert_true(world_received(q, &response));
	memcpy(&extra, &response, sizeof(extra));
	assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
	assert_int_equal(extra.flags, XEN_NETIF_EXTRA_FLAG_MORE);
	assert_int_equal(extra.u.gso.size, 1448);
	expect_hash(q, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, HASH_IPV4_TCP);
	assert_true(world_received(q, &response));
	assert_int_equal(response.status, 904);
	assert_int_equal(response.flags, 0);
	/* What has no hash goes as it did. */
	packet = make(6, 100);
	((uint8_t *)packet->segments[0].data)[13] = 6;
	send(packet);
	expect_plain();
	assert_int_equal(set_algorithm(XEN_NETIF_CTRL_HASH_ALGORITHM_NONE), OKAY);
	send(make(6, 100));
	expect_plain();
	world_end(back);
}

/* Buffers for the packet but not for its hash: it waits. */
static void test_slots(void **state)
{
	struct net_back_front front;
	netif_rx_response_t response;

	back = world_begin(NULL);
	front = world_front(1, false);
	world_add_control(&front);
	/* The info is none of the packet's own slots: it does not make it a scattered one. */
	front.scatter = false;
	assert_int_equal(net_back_connect(back, &front), 0);
	world_run();
	assert_int_equal(set_algorithm(XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ), OKAY);
	assert_int_equal(set_types(15), OKAY);
	world_post(0, 1, 20);
	world_push_buffers(0, 0);
	send(make(6, 100));
	assert_false(world_received(0, &response));
	world_post(0, 2, 20);
	world_push_buffers(0, 0);
	world_run();
	assert_true(world_received(0, &response));
	assert_int_equal(response.id, 1);
	expect_hash(0, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, 0);
	assert_false(world_received(0, &response));
	world_end(back);
}

/* A ring full of requests is answered one a round, others' packets in between; and all of it in the end. */
static void test_turns(void **state)
{
	struct xen_netif_ctrl_response response;
	unsigned int asked, told = 0;

	begin();
	asked = RING_SIZE(&world.control);
	for (unsigned int i = 0; i < asked; i++)
		world_ask((uint16_t)i, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
	world_push_control();
	assert_true(world.port[CONTROL_N].masked);
	assert_false(world_told(&response));
	while (told < 3) {
		assert_true(net_back_round());
		assert_true(world_told(&response));
		assert_false(world_told(&response));
		assert_int_equal(response.id, told++);
	}
	world_send_slot(0, 1, 3, 0, 64, 0);
	world_push(0);
	assert_int_equal(net_back_port(back)->received.packets, 1);
	world_run();
	while (world_told(&response))
		assert_int_equal(response.id, told++);
	assert_int_equal(told, asked);
	assert_false(world.port[CONTROL_N].masked);
	world_end(back);
}

/* Indexes that cannot be, from the beginning or later; a front half that goes in the middle; another one that comes. */
static void test_broken(void **state)
{
	struct net_back_front front;
	struct xen_netif_ctrl_response response;

	for (unsigned int how = 0; how < 3; how++) {
		begin();
		assert_int_equal(set_algorithm(XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ), OKAY);
		assert_int_equal(set_types(15), OKAY);
		world.control.sring->req_prod = how == 0 ? 1000 : how == 1 ? 1 : UINT32_MAX;
		world_event(CONTROL_N);
		world_run();
		assert_int_equal(world.broken, 1);
		assert_true(world.port[CONTROL_N].masked);
		assert_true(world.port[0].masked);
		world.control.sring->req_prod = 3;
		world_event(CONTROL_N);
		world_run();
		assert_int_equal(world.control.sring->rsp_prod, 2);
		net_back_disconnect(back);
		assert_int_equal(world.maps, 0);
		/* The next one begins without hashing. */
		front = world_front(QUEUES, false);
		world_add_control(&front);
		assert_int_equal(net_back_connect(back, &front), 0);
		assert_int_equal(back->hash.algorithm, 0);
		assert_int_equal(back->hash.types, 0);
		/* With a request that nobody has looked at. */
		world_ask(1, XEN_NETIF_CTRL_TYPE_INVALID, 0, 0, 0);
		world_push_control();
		net_back_disconnect(back);
		world_run();
		assert_false(world_told(&response));
		world_end(back);
	}
}

static void test_connect_fails(void **state)
{
	struct net_back_front front;

	back = world_begin(NULL);
	for (unsigned int how = 0; how < 3; how++) {
		front = world_front(QUEUES, true);
		world_add_control(&front);
		if (how == 0)
			front.control_ring = 5;
		else if (how == 1)
			front.control_event = 999;
		else
			world.control.sring->req_prod = 1000;
		assert_int_equal(net_back_connect(back, &front), -XEN_EINVAL);
		assert_int_equal(world.maps, 0);
		assert_false(net_back_port(back)->link);
		for (unsigned int n = 0; n < 16; n++)
			assert_null(world.port[n].handler);
		world_run();
	}
	/* What was asked before we came. */
	front = world_front(QUEUES, true);
	world_add_control(&front);
	world_ask(9, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
	world_push_control();
	assert_int_equal(net_back_connect(back, &front), 0);
	world_run();
	assert_int_equal(world.control.sring->rsp_prod, 1);
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
	    cmocka_unit_test(test_requests), cmocka_unit_test(test_distribution),
	    cmocka_unit_test(test_slots),    cmocka_unit_test(test_turns),
	    cmocka_unit_test(test_broken),   cmocka_unit_test(test_connect_fails),
	};

	return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
