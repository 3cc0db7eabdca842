/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net_hash.c pv-drivers/net_headers.c pv-drivers/net.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/* Hashes of packets against the values that Microsoft publishes for receive-side scaling ("Verifying the RSS hash calculation"). */
#include "unit.h"
#include <arpa/inet.h>
#include <guest/hypercall.h>
#include <pv-drivers/net_hash.h>
#include <public/io/netif.h>

#define IPV4	 XEN_NETIF_CTRL_HASH_TYPE_IPV4
#define IPV4_TCP XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP
#define IPV6	 XEN_NETIF_CTRL_HASH_TYPE_IPV6
#define IPV6_TCP XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP

bool (*host_wait)(void);

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	return -1;
}

static struct net_hash hash = {
    .algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ,
    .key = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa},
};

static const struct {
	const char *to;
	uint16_t to_port;
	const char *from;
	uint16_t from_port;
	uint32_t plain, tcp;
} known[] = {
    {"161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
    {"65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
    {"12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
    {"209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
    {"202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2},
    {"3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5, 0x40207d3d},
    {"ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c, 0xdde51bbf},
    {"fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4b61e985,
     0x02d1feef},
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

static bool is_ipv6(unsigned int n)
{
	return strchr(known[n].to, ':');
}

static _Alignas(256) uint8_t bytes[256];
static struct net_packet packet;

static void put16(unsigned int at, uint16_t value)
{
	bytes[at] = (uint8_t)(value >> 8);
	bytes[at + 1] = (uint8_t)value;
}

/* options: bytes of IPv4's options, or of an extension header of IPv6, before TCP's. */
static void make(unsigned int n, bool tagged, uint8_t protocol, unsigned int options)
{
	unsigned int network = tagged ? 18 : 14, transport;

	memset(bytes, 0xa5, sizeof(bytes));
	if (tagged)
		put16(12, NET_ETHERTYPE_VLAN);
	put16(network - 2, is_ipv6(n) ? NET_ETHERTYPE_IPV6 : NET_ETHERTYPE_IPV4);
	if (is_ipv6(n)) {
		bytes[network] = 0x60;
		bytes[network + 6] = options ? 60 : protocol;
		inet_pton(AF_INET6, known[n].from, bytes + network + 8);
		inet_pton(AF_INET6, known[n].to, bytes + network + 24);
		transport = network + 40;
		if (options) {
			bytes[transport] = protocol;
			bytes[transport + 1] = (uint8_t)(options / 8 - 1);
		}
	} else {
		bytes[network] = (uint8_t)(0x45 + options / 4);
		put16(network + 6, 0);
		bytes[network + 9] = protocol;
		inet_pton(AF_INET, known[n].from, bytes + network + 12);
		inet_pton(AF_INET, known[n].to, bytes + network + 16);
		transport = network + 20;
	}
	transport += options;
	put16(transport, known[n].from_port);
	put16(transport + 2, known[n].to_port);
	bytes[transport + 12] = 0x50;
	net_packet_init(&packet, NULL);
	assert_true(net_packet_add(&packet, bytes, 0, transport + 20));
}

static void expect(uint32_t types, bool valid, uint8_t type, uint32_t value)
{
	struct net_hash_value got;

	hash.types = types;
	got = net_hash_packet(&hash, &packet);
	assert_int_equal(got.valid, valid);
	if (!valid)
		return;
	assert_int_equal(got.type, type);
	assert_int_equal(got.value, value);
}

static void published(void **state)
{
	for (unsigned int n = 0; n < KNOWN; n++) {
		uint32_t plain = is_ipv6(n) ? IPV6 : IPV4, tcp = is_ipv6(n) ? IPV6_TCP : IPV4_TCP;
		uint8_t plain_type = (uint8_t)__builtin_ctz(plain);
		uint8_t tcp_type = (uint8_t)__builtin_ctz(tcp);

		for (unsigned int shape = 0; shape < 4; shape++) {
			make(n, shape & 1, 6, shape & 2 ? 8 : 0);
			expect(plain, true, plain_type, known[n].plain);
			expect(tcp, true, tcp_type, known[n].tcp);
			/* The most of what is wanted. */
			expect(plain | tcp, true, tcp_type, known[n].tcp);
			expect(NET_HASH_TYPES, true, tcp_type, known[n].tcp);
			/* Only what is wanted. */
			expect(NET_HASH_TYPES & ~(plain | tcp), false, 0, 0);
			expect(0, false, 0, 0);
		}
		/* UDP has no ports here. */
		make(n, false, 17, 0);
		expect(NET_HASH_TYPES, true, plain_type, known[n].plain);
		expect(tcp, false, 0, 0);
	}
}

static void not_whole(void **state)
{
	/* A fragment has no ports, the first one neither. */
	make(0, false, 6, 0);
	put16(20, 0x2000);
	expect(NET_HASH_TYPES, true, _XEN_NETIF_CTRL_HASH_TYPE_IPV4, known[0].plain);
	/* Headers that end with the packet, in all places. */
	for (unsigned int n = 0; n < KNOWN; n += 5) {
		unsigned int network = is_ipv6(n) ? 40 : 20;

		for (uint32_t length = 1; length < 14 + network + 20; length++) {
			make(n, false, 6, 0);
			net_packet_init(&packet, NULL);
			/* At the end of the memory, for the sanitizer. */
			memmove(bytes + sizeof(bytes) - length, bytes, length);
			assert_true(
			    net_packet_add(&packet, bytes + sizeof(bytes) - length, 0, length));
			expect(NET_HASH_TYPES, length >= 14 + network,
			       is_ipv6(n) ? _XEN_NETIF_CTRL_HASH_TYPE_IPV6
					  : _XEN_NETIF_CTRL_HASH_TYPE_IPV4,
			       known[n].plain);
		}
	}
	/* What says IPv4 and is something else. */
	make(0, false, 6, 0);
	bytes[14] = 0x65;
	expect(NET_HASH_TYPES, false, 0, 0);
	put16(12, NET_ETHERTYPE_ARP);
	expect(NET_HASH_TYPES, false, 0, 0);
}

/* Bits of the key that are not given are 0; without any the hash is. */
static void short_keys(void **state)
{
	struct net_hash empty = {.algorithm = hash.algorithm, .types = NET_HASH_TYPES};
	struct net_hash_value got;

	make(0, false, 6, 0);
	got = net_hash_packet(&empty, &packet);
	assert_true(got.valid);
	assert_int_equal(got.value, 0);
	empty.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_NONE;
	assert_false(net_hash_packet(&empty, &packet).valid);
}

static void queues(void **state)
{
	struct net_hash map = {0};

	for (uint32_t value = 0; value < 1000; value++)
		assert_int_equal(net_hash_queue(&map, value, 3), value % 3);
	map.mapping_size = 5;
	for (uint32_t i = 0; i < 5; i++)
		map.mapping[i] = i * i % 4;
	for (uint32_t value = 0xfffffff0; value; value++)
		assert_int_equal(net_hash_queue(&map, value, 4), value % 5 * (value % 5) % 4);
	/* Whatever is in it. */
	map.mapping[0] = UINT32_MAX;
	assert_true(net_hash_queue(&map, 0, 4) < 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published),
	    cmocka_unit_test(not_whole),
	    cmocka_unit_test(short_keys),
	    cmocka_unit_test(queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
