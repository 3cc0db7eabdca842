/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/*
 * Packets, pools, and the offloads in software: checksums against an implementation that adds one word at a time, packets
 * that were cut put together again.
 */
#include "unit.h"
#include "net_packets.h"
#include <guest/hypercall.h>
#include <pv-drivers/net.h>

/* Another domain's pages: grant N is page N. */
#define GRANTS 32
static uint8_t granted[GRANTS][4096];
static unsigned int copy_calls, copies_refused;

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	struct gnttab_copy *copies = arg;

	assert_int_equal(op, GNTTABOP_copy);
	copy_calls++;
	for (unsigned int i = 0; i < count; i++) {
		struct gnttab_copy *copy = &copies[i];

		assert_int_equal(copy->flags, GNTCOPY_source_gref);
		assert_int_equal(copy->source.domid, 7);
		assert_int_equal(copy->dest.domid, DOMID_SELF);
		copy->status = GNTST_bad_gntref;
		if (copy->source.u.ref >= GRANTS) {
			copies_refused++;
			continue;
		}
		assert_true(copy->source.offset + copy->len <= 4096);
		assert_true(copy->dest.offset + copy->len <= 4096);
		memcpy((uint8_t *)(copy->dest.u.gmfn << 12) + copy->dest.offset,
		       granted[copy->source.u.ref] + copy->source.offset, copy->len);
		copy->status = GNTST_okay;
	}
	return 0;
}

static struct net_pool *pool;
static uint8_t out[70000];
static uint32_t out_length[2000], out_total;
static unsigned int out_count;
static uint32_t out_features;

static void take(struct net_packet *packet, void *data)
{
	assert_ptr_equal(data, &out_count);
	assert_true(out_count < 2000);
	if (!(out_features & NET_FEATURE_SCATTER))
		assert_int_equal(packet->count, 1);
	assert_true(out_total + packet->length <= sizeof(out));
	assert_int_equal(net_packet_copy_out(packet, 0, out + out_total, sizeof(out)),
			 packet->length);
	out_length[out_count++] = packet->length;
	out_total += packet->length;
}

static bool soften(struct net_packet *packet, uint32_t features)
{
	out_count = out_total = 0;
	out_features = features;
	return net_packet_soften(pool, packet, features, take, &out_count);
}

static int start(void **state)
{
	pool = net_pool_create(64, 40);
	assert_non_null(pool);
	copy_calls = copies_refused = 0;
	return 0;
}

/* Whatever a test did, everything is back. */
static int end(void **state)
{
	assert_int_equal(net_pool_packets_free(pool), 64);
	assert_int_equal(net_pool_pages_free(pool), 40);
	assert_true(net_pool_destroy(pool));
	return 0;
}

/* In pieces that begin and end at odd places, the headers whole. */
static struct net_packet *packet_of(uint8_t *bytes, uint32_t length, uint32_t headers)
{
	struct net_packet *packet = net_packet_alloc(pool);
	uint32_t at = headers;

	memcpy(net_packet_add_room(packet, headers), bytes, headers);
	for (uint32_t piece = 4001; at < length; at += piece, piece ^= 1) {
		if (piece > length - at)
			piece = length - at;
		memcpy(net_packet_add_page(packet, 7, piece), bytes + at, piece);
	}
	assert_int_equal(packet->length, length);
	return packet;
}

static const struct shape shapes[] = {
    {false, false, false, 0, 1000}, {true, false, false, 12, 1001}, {false, true, false, 0, 1472},
    {true, true, true, 0, 999},	    {false, false, true, 40, 0},    {false, true, false, 0, 0},
};

static void sums(void **state)
{
	uint8_t bytes[300];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(255 - i * 3);
	for (unsigned int from = 0; from < 5; from++)
		for (unsigned int length = 0; length + from < sizeof(bytes); length++)
			assert_int_equal(net_sum(bytes + from, length, (uint16_t)(length * 777)),
					 slow_sum(bytes + from, length, length * 777 & 0xffff));
}

static void checksum_filled_in(void **state)
{
	uint8_t bytes[2000];

	for (unsigned int i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		uint32_t length = make(&shapes[i], bytes);
		struct net_packet *packet = packet_of(bytes, length, headers_of(&shapes[i]));
		struct net_headers headers;

		assert_true(net_checksum_prepare(packet));
		assert_true(net_headers_find(packet, &headers));
		assert_int_equal(headers.data, headers_of(&shapes[i]));
		assert_int_equal(headers.vlan, shapes[i].vlan ? NET_VLAN_TAGGED | 5 : 0);
		assert_true(net_packet_check(packet, &headers));
		assert_true(soften(packet, NET_FEATURE_SCATTER));
		assert_int_equal(out_count, 1);
		assert_true(is_right(out, length, &shapes[i]));
		assert_true(soften(packet, 0));
		assert_true(is_right(out, length, &shapes[i]));
		/* Nobody else sees a change: what was handed out is handed out. */
		assert_int_equal(packet->checksum, NET_CHECKSUM_PARTIAL);
		/* A port that does it itself gets the packet as it is. */
		assert_true(soften(packet, 0x3f));
		net_packet_copy_out(packet, 0, bytes, length);
		assert_memory_equal(out, bytes, length);
		net_packet_put(packet);
	}
}

/* Cut, summed by the reference, and put together again. */
static void check_cut(const struct shape *shape, const uint8_t *bytes, uint32_t size)
{
	uint32_t headers = headers_of(shape), at = 0, done = 0;

	assert_int_equal(out_count, (shape->data + size - 1) / size);
	for (unsigned int i = 0; i < out_count; i++, at += out_length[i - 1]) {
		const uint8_t *piece = out + at, *tcp = piece + headers - 20 - shape->options;
		uint32_t sequence = (uint32_t)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7];
		uint8_t flags = 0x10;

		assert_true(is_right(piece, out_length[i], shape));
		assert_int_equal(sequence, 0xfffff000u + done);
		if (i == 0)
			flags |= 0x80;
		if (i == out_count - 1)
			flags |= 0x09;
		assert_int_equal(tcp[13], flags);
		if (!shape->ipv6)
			assert_int_equal(piece[headers - 40 - shape->options + 4] << 8 |
					     piece[headers - 40 - shape->options + 5],
					 (0xfffe + i) & 0xffff);
		assert_memory_equal(piece + headers, bytes + headers + done,
				    out_length[i] - headers);
		done += out_length[i] - headers;
	}
	assert_int_equal(done, shape->data);
}

static void tcp_cut(void **state)
{
	static uint8_t bytes[70000];
	const struct shape large[] = {{false, false, false, 12, 62001},
				      {true, false, false, 0, 61440},
				      {true, false, true, 20, 1449},
				      {false, false, true, 0, 1}};
	const uint32_t size = 1448;

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t length = make(&large[i], bytes);
		struct net_packet *packet = packet_of(bytes, length, headers_of(&large[i]));
		struct net_headers headers;

		assert_true(net_checksum_prepare(packet));
		packet->gso = large[i].ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4;
		packet->gso_size = size;
		assert_true(net_headers_find(packet, &headers));
		assert_true(net_packet_check(packet, &headers));
		assert_true(soften(packet, 0));
		check_cut(&large[i], bytes, size);
		assert_true(soften(packet, NET_FEATURE_SCATTER));
		check_cut(&large[i], bytes, size);
		net_packet_put(packet);
	}
}

static void hostile_offloads(void **state)
{
	const struct shape tcp = {false, false, false, 0, 3000}, udp = {true, true, false, 0, 100};
	static uint8_t bytes[4000];
	uint32_t length = make(&tcp, bytes);
	struct net_packet *packet = packet_of(bytes, length, headers_of(&tcp));
	struct net_headers headers;
	uint8_t *room = packet->segments[0].data;

	assert_true(net_checksum_prepare(packet));
	packet->gso = NET_GSO_TCPV4;
	packet->gso_size = 1448;
	net_headers_find(packet, &headers);
	assert_true(net_packet_check(packet, &headers));
	for (unsigned int size = 0; size < NET_GSO_LEAST; size++) {
		packet->gso_size = (uint16_t)size;
		assert_false(net_packet_check(packet, &headers));
	}
	packet->gso_size = 1448;
	packet->gso = NET_GSO_TCPV6;
	assert_false(net_packet_check(packet, &headers));
	packet->gso = 3;
	assert_false(net_packet_check(packet, &headers));
	packet->gso = NET_GSO_TCPV4;
	packet->checksum_start++;
	assert_false(net_packet_check(packet, &headers));
	packet->checksum_start--;
	packet->checksum_offset = 6;
	assert_false(net_packet_check(packet, &headers));
	packet->checksum_offset = 16;
	packet->checksum = NET_CHECKSUM_VALID; /* gso needs it partial */
	assert_false(net_packet_check(packet, &headers));
	packet->checksum = NET_CHECKSUM_PARTIAL;
	room[34 + 13] |= 2; /* SYN */
	assert_false(net_packet_check(packet, &headers));
	room[34 + 13] &= ~2;
	assert_true(net_packet_check(packet, &headers));
	/* A fragment, a header that claims more than there is, and so on: no offload. */
	room[14 + 6] = 0x20;
	net_headers_find(packet, &headers);
	assert_false(net_packet_check(packet, &headers));
	room[14 + 6] = 0;
	room[34 + 12] = 0xf0;
	net_headers_find(packet, &headers);
	assert_false(net_packet_check(packet, &headers));
	room[14] = 0x4f;
	net_headers_find(packet, &headers);
	assert_false(net_packet_check(packet, &headers));
	net_packet_put(packet);

	length = make(&udp, bytes);
	packet = packet_of(bytes, length, headers_of(&udp));
	assert_true(net_checksum_prepare(packet));
	packet->gso = NET_GSO_TCPV6;
	packet->gso_size = 1000;
	net_headers_find(packet, &headers);
	assert_false(net_packet_check(packet, &headers));
	net_packet_put(packet);
}

/* What another domain granted comes over in one call, once, and is let go of when nobody needs it. */
static void fetched(void **state)
{
	struct net_packet *packet = net_packet_alloc(pool), *local, *again;
	uint8_t bytes[9000];
	uint32_t at = 100;

	for (unsigned int i = 0; i < GRANTS; i++)
		for (unsigned int j = 0; j < 4096; j++)
			granted[i][j] = (uint8_t)(i * 3 + j);
	memset(net_packet_add_room(packet, 100), 0xaa, 100);
	assert_true(net_packet_add_granted(packet, 7, 3, 96, 4000));
	assert_true(net_packet_add_granted(packet, 7, 5, 0, 4096));
	assert_true(net_packet_add_granted(packet, 7, 9, 4095, 1));
	packet->gso = NET_GSO_TCPV6;
	packet->gso_size = 1000;
	assert_false(net_packet_is_local(packet));
	local = net_packet_local(pool, packet);
	assert_non_null(local);
	assert_int_equal(local->length, 100 + 4000 + 4096 + 1);
	assert_int_equal(local->gso_size, 1000);
	assert_int_equal(net_packet_copy_out(local, 0, bytes, sizeof(bytes)), local->length);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(bytes[i], 0xaa);
	assert_memory_equal(bytes + at, granted[3] + 96, 4000);
	assert_memory_equal(bytes + at + 4000, granted[5], 4096);
	assert_int_equal(bytes[at + 8096], granted[9][4095]);
	assert_int_equal(copy_calls, 1);
	again = net_packet_local(pool, packet);
	assert_ptr_equal(again, local);
	assert_int_equal(copy_calls, 1);
	net_packet_put(packet);
	net_packet_put(again);
	/* The copy outlives what it was made of. */
	assert_int_equal(net_pool_packets_free(pool), 63);
	again = net_packet_local(pool, local);
	assert_ptr_equal(again, local);
	net_packet_put(again);
	net_packet_put(local);
}

static void bad_grants(void **state)
{
	struct net_packet *packet = net_packet_alloc(pool);

	net_packet_add_room(packet, 50);
	net_packet_add_granted(packet, 7, 3, 0, 10);
	net_packet_add_granted(packet, 7, GRANTS, 0, 10);
	assert_null(net_packet_local(pool, packet));
	assert_int_equal(copies_refused, 1);
	net_packet_put(packet);
}

static unsigned int notified;

static void available(void *data)
{
	notified++;
}

static void pools_are_bounded(void **state)
{
	struct net_packet *packets[64], *derived;
	unsigned int count = 0;

	while (count < 64 && (packets[count] = net_packet_alloc(pool)) != NULL)
		count++;
	assert_int_equal(count, 64);
	assert_null(net_packet_alloc(pool));
	assert_false(net_pool_destroy(pool));
	for (unsigned int i = 0; i < 40; i++)
		assert_non_null(net_packet_add_page(packets[i / 20], 0, 10));
	assert_null(net_packet_add_page(packets[5], 0, 10));
	assert_non_null(net_packet_add_room(packets[5], NET_ROOM));
	assert_null(net_packet_add_room(packets[5], 1));
	assert_null(net_packet_add_room(packets[6], NET_ROOM + 1));
	assert_null(net_packet_derive(pool, packets[5], 10, 0, 10));
	notified = 0;
	net_pool_notify(pool, available, NULL);
	net_packet_put(packets[63]);
	assert_int_equal(notified, 1);
	/* Made of another, which stays as long. */
	derived = net_packet_derive(pool, packets[0], 30, 15, 12);
	assert_non_null(derived);
	assert_int_equal(notified, 1);
	assert_int_equal(derived->length, 42);
	assert_int_equal(derived->count, 3);
	assert_int_equal(derived->segments[1].length, 5);
	assert_int_equal(derived->segments[2].length, 7);
	for (unsigned int i = 0; i < 63; i++)
		net_packet_put(packets[i]);
	assert_int_equal(net_pool_pages_free(pool), 20);
	net_packet_put(derived);
	/* A page is a page: not beyond its end, and not more of them than a packet has segments. */
	packets[0] = net_packet_alloc(pool);
	assert_null(net_packet_add_page(packets[0], 4096, 0));
	assert_null(net_packet_add_page(packets[0], 1, 4096));
	assert_null(net_packet_add_page(packets[0], 0, 0));
	for (unsigned int i = 0; i < 15; i++)
		assert_non_null(net_packet_add_page(packets[0], 0, 4096));
	assert_non_null(net_packet_add_page(packets[0], 0, 4096));
	assert_null(net_packet_add_page(packets[0], 0, 4096)); /* NET_PACKET_MAX */
	net_packet_put(packets[0]);
}

static void rates(void **state)
{
	struct net_rate rate;
	uint64_t now = 5, wait, sent = 0;

	net_rate_set(&rate, 0, 0, now);
	assert_int_equal(net_rate_take(&rate, 1ull << 40, now), 0);
	net_rate_set(&rate, 1000000, 0, now);
	assert_int_equal(net_rate_take(&rate, NET_PACKET_MAX, now), 0);
	wait = net_rate_take(&rate, 1500, now);
	assert_int_equal(wait, 1500000);
	assert_int_not_equal(net_rate_take(&rate, 1500, now + wait - 1), 0);
	assert_int_equal(net_rate_take(&rate, 1500, now + wait), 0);
	/* Over ten seconds, at every opportunity. */
	for (now += wait; now < 10000000000; now += wait) {
		while (!(wait = net_rate_take(&rate, 1500, now)))
			sent += 1500;
	}
	assert_in_range(sent, 9990000, 10000000);
	/* A clock that stood still for long, or goes back, gives no more than the burst. */
	assert_int_equal(net_rate_take(&rate, rate.burst, ~0ull), 0);
	assert_int_not_equal(net_rate_take(&rate, 1, 5), 0);
}

static struct net_packet *got;
static unsigned int ends;

static void receive(struct net_port *port, struct net_packet *packet)
{
	got = net_packet_get(packet);
}

static void receive_end(struct net_port *port)
{
	ends++;
}

static void port_pair(void **state)
{
	static const struct net_port_user user = {receive, receive_end, NULL};
	struct net_port a = {.mtu = 1500}, b = {.mtu = 1500};
	struct net_packet *packet = net_packet_from_bytes(pool, out, 1000);

	net_port_pair(&a, &b);
	net_port_send(&a, packet);
	assert_int_equal(b.received.dropped, 1);
	net_port_attach(&b, &user, NULL);
	net_port_send(&a, packet);
	net_port_flush(&a);
	assert_ptr_equal(got, packet);
	assert_int_equal(ends, 1);
	assert_int_equal(a.sent.packets, 2);
	assert_int_equal(b.received.bytes, 2000);
	net_packet_put(packet);
	assert_int_equal(net_pool_packets_free(pool), 63);
	net_packet_put(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(sums, start, end),
	    cmocka_unit_test_setup_teardown(checksum_filled_in, start, end),
	    cmocka_unit_test_setup_teardown(tcp_cut, start, end),
	    cmocka_unit_test_setup_teardown(hostile_offloads, start, end),
	    cmocka_unit_test_setup_teardown(fetched, start, end),
	    cmocka_unit_test_setup_teardown(bad_grants, start, end),
	    cmocka_unit_test_setup_teardown(pools_are_bounded, start, end),
	    cmocka_unit_test_setup_teardown(rates, start, end),
	    cmocka_unit_test_setup_teardown(port_pair, start, end),
	};

	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
