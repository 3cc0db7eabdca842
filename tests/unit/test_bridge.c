/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/net/addresses.c dom0-tools/net/guard.c dom0-tools/net/forward.c dom0-tools/net/bridge.c dom0-tools/net/options.c pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/* A bridge between ports of the test: against a model that looks everything up in lists, and one rule at a time. */
#include "unit.h"
#include "net/internal.h"
#include <errno.h>
#include <guest/hypercall.h>

#define PORTS  6
#define SECOND 1000000000ull

static uint64_t time_now;
static uint8_t far_page[4096];

uint64_t clock_now(void);
uint64_t clock_now(void)
{
	return time_now;
}

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	struct gnttab_copy *copies = arg;

	for (unsigned int i = 0; i < count; i++) {
		copies[i].status = copies[i].source.u.ref == 1 ? GNTST_okay : GNTST_bad_gntref;
		if (copies[i].status == GNTST_okay)
			memcpy((uint8_t *)(copies[i].dest.u.gmfn << 12) + copies[i].dest.offset,
			       far_page + copies[i].source.offset, copies[i].len);
	}
	return 0;
}

/* What a port was sent, one after the other. */
struct test_port {
	struct net_port port;
	unsigned int count, flushes;
	uint8_t bytes[64][2100]; /* of the last ones */
	uint32_t length[64];
	struct net_packet last; /* its fields */
	struct net_packet *kept;
	bool promiscuous, keep;
	bool severed;
	unsigned int told;
};

static struct test_port ports[PORTS];
static struct bridge *bridge;
static struct net_pool *pool;

static void port_send(struct net_port *port, struct net_packet *packet)
{
	struct test_port *to = port->driver;
	unsigned int at = to->count++ % 64;

	assert_true(port->link);
	to->length[at] = packet->length;
	if (net_packet_is_local(packet))
		net_packet_copy_out(packet, 0, to->bytes[at], sizeof(to->bytes[at]));
	else
		assert_true(port->features & NET_FEATURE_GRANTED);
	to->last = *packet;
	if (to->keep)
		to->kept = net_packet_get(packet);
}

static void port_flush(struct net_port *port)
{
	((struct test_port *)port->driver)->flushes++;
}

static void port_promiscuous(struct net_port *port, bool on)
{
	((struct test_port *)port->driver)->promiscuous = on;
}

static void port_beyond(struct net_port *port, bool there)
{
	((struct test_port *)port->driver)->severed = !there;
	((struct test_port *)port->driver)->told++;
}

static const struct net_port_operations operations = {port_send, port_flush, port_promiscuous,
						      port_beyond};

static void clear(void)
{
	for (unsigned int i = 0; i < PORTS; i++)
		ports[i].count = ports[i].flushes = 0;
}

/* All ports are there, none is on the bridge. */
static int start(void **state)
{
	time_now = 1000 * SECOND;
	pool = net_pool_create(64, 40);
	memset(ports, 0, sizeof(ports));
	for (unsigned int i = 0; i < PORTS; i++) {
		struct net_port *port = &ports[i].port;

		*port = (struct net_port){.mac = {2, 0, 0, 0, 0, (uint8_t)i},
					  .mtu = 1500,
					  .features = 0x3f,
					  .link = true,
					  .operations = &operations,
					  .driver = &ports[i]};
		snprintf(port->name, sizeof(port->name), "port%u", i);
	}
	assert_int_equal(bridge_create("xenbr0", &bridge), 0);
	return 0;
}

static int end(void **state)
{
	for (unsigned int i = 0; i < PORTS; i++) {
		if (ports[i].kept)
			net_packet_put(ports[i].kept);
		bridge_detach(&ports[i].port);
		assert_false(ports[i].promiscuous);
	}
	assert_int_equal(bridge_destroy(bridge), 0);
	assert_null(bridges);
	assert_int_equal(net_pool_packets_free(pool), 64);
	assert_true(net_pool_destroy(pool));
	return 0;
}

static void attach(unsigned int port, const struct bridge_options *options)
{
	assert_int_equal(bridge_attach(bridge, &ports[port].port, options), 0);
	assert_true(ports[port].promiscuous);
}

static struct bridge_port *on_bridge(unsigned int port)
{
	return ports[port].port.user_data;
}

static void give(unsigned int from, struct net_packet *packet)
{
	net_port_receive(&ports[from].port, packet);
	net_port_receive_end(&ports[from].port);
}

static void give_bytes(unsigned int from, const void *bytes, uint32_t length)
{
	struct net_packet *packet = net_packet_from_bytes(pool, bytes, length);

	assert_non_null(packet);
	give(from, packet);
	net_packet_put(packet);
}

static uint32_t ethernet(uint8_t *bytes, const uint8_t *to, const uint8_t *from, int vlan,
			 uint16_t type)
{
	uint32_t at = 12;

	memset(bytes, 0, 64);
	memcpy(bytes, to, 6);
	memcpy(bytes + 6, from, 6);
	if (vlan >= 0) {
		memcpy(bytes + at, "\x81\0", 2);
		bytes[at + 2] = (uint8_t)(vlan >> 8);
		bytes[at + 3] = (uint8_t)vlan;
		at += 4;
	}
	bytes[at] = (uint8_t)(type >> 8);
	bytes[at + 1] = (uint8_t)type;
	return at + 2;
}

/*
 * The model
 */

#define MACS  8
#define VLANS 4

struct model_port {
	bool on, strict, trunk, listed;
	unsigned int vlan, allowed;
};

static struct model_port model[PORTS];
/* Where each address was seen last in each VLAN, and when; -1: nowhere. */
static int seen_on[MACS][VLANS];
static uint64_t seen_at[MACS][VLANS];

static const uint8_t *mac_of(unsigned int number)
{
	static uint8_t macs[100][6];

	assert_true(number < 100);
	macs[number][0] = 2;
	macs[number][5] = (uint8_t)number;
	return macs[number];
}

static bool model_member(const struct model_port *port, unsigned int vlan)
{
	if (!port->on)
		return false;
	if (port->vlan == vlan)
		return true;
	return port->trunk && vlan != 0 && (!port->listed || port->allowed == vlan);
}

/* Is there a port whose address nobody else may use there? */
static int model_owner(unsigned int mac, unsigned int vlan)
{
	int owner = -1;

	if (mac >= PORTS)
		return -1;
	if (model[mac].on && model[mac].strict && !model[mac].trunk && model[mac].vlan == vlan)
		owner = (int)mac;
	return owner;
}

/* A bit for each port that is to be sent the packet. tag: -1 none. */
static unsigned int model_forward(unsigned int from, unsigned int source, int destination, int tag)
{
	const struct model_port *port = &model[from];
	unsigned int vlan = tag > 0 ? (unsigned int)tag : port->vlan, to = 0;
	bool learns;
	int owner;

	if (tag > 0 && (!port->trunk || (port->listed && port->allowed != (unsigned int)tag)))
		return 0;
	if (port->strict && source != from)
		return 0;
	owner = model_owner(source, vlan);
	if (owner >= 0 && owner != (int)from)
		return 0;
	learns = owner < 0;
	if (learns) {
		seen_on[source][vlan] = (int)from;
		seen_at[source][vlan] = time_now;
	}
	if (destination >= 0) {
		int there = model_owner((unsigned int)destination, vlan);

		if (there < 0 && seen_on[destination][vlan] >= 0 &&
		    time_now - seen_at[destination][vlan] <= 300 * SECOND)
			there = seen_on[destination][vlan];
		if (there >= 0)
			return there == (int)from ? 0 : 1u << there;
	}
	for (unsigned int i = 0; i < PORTS; i++)
		if (i != from && model_member(&model[i], vlan) &&
		    (destination < 0 || !model[i].strict || model[i].trunk))
			to |= 1u << i;
	return to;
}

static uint64_t random_state;

static unsigned int pick(unsigned int below)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return (unsigned int)(random_state >> 33) % below;
}

static void model_attach(unsigned int i)
{
	struct bridge_options options = {.addresses = 100};
	struct model_port *port = &model[i];

	*port = (struct model_port){.on = true, .strict = pick(2), .trunk = pick(3) == 0};
	port->vlan = pick(2) ? pick(VLANS) : 0;
	if (port->trunk && pick(2)) {
		port->listed = true;
		port->allowed = 1 + pick(VLANS - 1);
		options.vlans = 1;
		options.vlan_list[0] = (uint16_t)port->allowed;
	}
	options.strict = port->strict;
	options.trunk = port->trunk;
	options.vlan = (uint16_t)port->vlan;
	attach(i, &options);
	/* What others had learned of it is no more, if it is its own. */
	for (unsigned int vlan = 0; vlan < VLANS; vlan++)
		if (model_owner(i, vlan) >= 0)
			seen_on[i][vlan] = -1;
}

static void model_detach(unsigned int i)
{
	bridge_detach(&ports[i].port);
	model[i].on = false;
	for (unsigned int mac = 0; mac < MACS; mac++)
		for (unsigned int vlan = 0; vlan < VLANS; vlan++)
			if (seen_on[mac][vlan] == (int)i)
				seen_on[mac][vlan] = -1;
}

static void model_send(void)
{
	unsigned int from = pick(PORTS), source = pick(3) ? from : pick(MACS);
	int destination = pick(5) ? (int)pick(MACS) : -1;
	int tag = pick(3) ? -1 : (int)pick(VLANS);
	unsigned int expected, got = 0, vlan;
	uint8_t bytes[64], destination_mac[6];

	if (!model[from].on)
		return;
	if (destination < 0)
		memset(destination_mac, 0xff, 6);
	else
		memcpy(destination_mac, mac_of((unsigned int)destination), 6);
	ethernet(bytes, destination_mac, mac_of(source), tag, 0x1234);
	expected = model_forward(from, source, destination, tag);
	vlan = tag > 0 ? (unsigned int)tag : model[from].vlan;
	clear();
	give_bytes(from, bytes, 64);
	for (unsigned int i = 0; i < PORTS; i++) {
		bool tagged;

		if (!ports[i].count)
			continue;
		got |= 1u << i;
		assert_int_equal(ports[i].count, 1);
		assert_int_equal(ports[i].flushes, 1);
		tagged = memcmp(ports[i].bytes[0] + 12, "\x81\0", 2) == 0;
		assert_int_equal(tagged, vlan != model[i].vlan);
		if (tagged)
			assert_int_equal(ports[i].bytes[0][15], vlan);
		assert_int_equal(ports[i].bytes[0][tagged ? 16 : 12], 0x12);
		assert_int_equal(ports[i].length[0], 64 + (tagged ? 4 : 0) - (tag >= 0 ? 4 : 0));
	}
	assert_int_equal(got, expected);
}

static void like_the_model(void **state)
{
	random_state = 42;
	memset(model, 0, sizeof(model));
	memset(seen_on, -1, sizeof(seen_on));
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int port = pick(PORTS);

		if (pick(60))
			model_send();
		else if (model[port].on)
			model_detach(port);
		else
			model_attach(port);
		if (pick(10) == 0)
			time_now += pick(100) * SECOND;
	}
}

/*
 * Rules
 */

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const struct bridge_options open_port = {.addresses = 100};

static void malformed(void **state)
{
	uint8_t bytes[64];

	attach(0, &open_port);
	attach(1, &open_port);
	clear();
	ethernet(bytes, everybody, mac_of(0), -1, 0x800);
	for (uint32_t length = 1; length < 14; length++)
		give_bytes(0, bytes, length);
	assert_int_equal(on_bridge(0)->dropped[DROP_MALFORMED], 13);
	bytes[6] |= 1;
	give_bytes(0, bytes, 60);
	assert_int_equal(on_bridge(0)->dropped[DROP_MALFORMED], 14);
	ethernet(bytes, (const uint8_t *)"\x01\x80\xc2\0\0\x0e", mac_of(0), -1, 0x88cc);
	give_bytes(0, bytes, 60);
	assert_int_equal(on_bridge(0)->dropped[DROP_RESERVED], 1);
	assert_int_equal(ports[1].count, 0);
}

static void addresses_are_bounded(void **state)
{
	const struct bridge_options few = {.addresses = 20}, many = {.addresses = 100000};
	uint8_t bytes[64], mac[6] = {2, 1};

	attach(0, &few);
	attach(1, &open_port);
	attach(2, &many);
	ethernet(bytes, everybody, mac_of(1), -1, 0x1234);
	give_bytes(1, bytes, 60);
	for (unsigned int port = 0; port <= 2; port += 2)
		for (unsigned int i = 0; i < 5000; i++) {
			mac[2] = (uint8_t)port;
			mac[4] = (uint8_t)(i >> 8);
			mac[5] = (uint8_t)i;
			ethernet(bytes, everybody, mac, -1, 0x1234);
			give_bytes(port, bytes, 60);
		}
	assert_int_equal(on_bridge(0)->learned, 20);
	assert_int_equal(on_bridge(2)->learned, BRIDGE_ADDRESSES - 21);
	/* The neighbour's is known still. */
	clear();
	ethernet(bytes, mac_of(1), mac_of(9), -1, 0x1234);
	give_bytes(2, bytes, 60);
	assert_int_equal(ports[1].count, 1);
	assert_int_equal(ports[0].count, 0);
}

static void storms(void **state)
{
	const struct bridge_options limited = {.storm = 100};
	uint8_t bytes[64];

	attach(0, &limited);
	attach(1, &open_port);
	ethernet(bytes, everybody, mac_of(0), -1, 0x1234);
	clear();
	for (unsigned int i = 0; i < 5000; i++)
		give_bytes(0, bytes, 60);
	assert_in_range(ports[1].count, 1024, 1025);
	assert_int_equal(on_bridge(0)->dropped[DROP_STORM], 5000 - ports[1].count);
	time_now += SECOND;
	clear();
	for (unsigned int i = 0; i < 5000; i++)
		give_bytes(0, bytes, 60);
	assert_in_range(ports[1].count, 99, 101);
	/* To one address it sends as it likes, and so do others. */
	clear();
	ethernet(bytes, mac_of(7), mac_of(0), -1, 0x1234);
	give_bytes(0, bytes, 60);
	ethernet(bytes, everybody, mac_of(1), -1, 0x1234);
	give_bytes(1, bytes, 60);
	assert_int_equal(ports[1].count, 1);
	assert_int_equal(ports[0].count, 1);
}

static void rate(void **state)
{
	const struct bridge_options limited = {.rate = 100000};
	uint8_t bytes[1000];
	unsigned int passed;

	attach(0, &limited);
	attach(1, &open_port);
	ethernet(bytes, mac_of(1), mac_of(0), -1, 0x1234);
	for (unsigned int i = 0; i < 1000; i++)
		give_bytes(0, bytes, 1000);
	passed = ports[1].count;
	assert_in_range(passed, 65, 67);
	for (unsigned int i = 0; i < 1000; i++, time_now += SECOND / 100)
		give_bytes(0, bytes, 1000);
	assert_in_range(ports[1].count - passed, 995, 1000);
}

static void spoofed(unsigned int length, uint8_t *bytes, bool expected)
{
	unsigned int before = ports[1].count;
	uint64_t dropped = on_bridge(0)->dropped[DROP_SPOOFED];

	give_bytes(0, bytes, length);
	assert_int_equal(ports[1].count - before, expected ? 0 : 1);
	assert_int_equal(on_bridge(0)->dropped[DROP_SPOOFED] - dropped, expected ? 1 : 0);
}

static void arp(uint8_t *bytes, const uint8_t *from, const uint8_t *mac, const char *ip)
{
	uint32_t at = ethernet(bytes, everybody, from, -1, 0x806);

	memcpy(bytes + at, "\0\1\x08\0\6\4\0\1", 8);
	memcpy(bytes + at + 8, mac, 6);
	memcpy(bytes + at + 14, ip, 4);
}

static void ipv4(uint8_t *bytes, const char *source, const char *destination, uint8_t protocol)
{
	uint32_t at = ethernet(bytes, everybody, mac_of(0), -1, 0x800);

	bytes[at] = 0x45;
	bytes[at + 3] = 46;
	bytes[at + 9] = protocol;
	memcpy(bytes + at + 12, source, 4);
	memcpy(bytes + at + 16, destination, 4);
}

static void guards_ipv4(void **state)
{
	struct bridge_options options = {.strict = true};
	uint8_t bytes[64], other[6];

	assert_int_equal(bridge_parse_ips("10.0.0.5 10.0.0.6", &options), 0);
	attach(0, &options);
	attach(1, &open_port);
	memcpy(other, mac_of(5), 6);
	ipv4(bytes, "\x0a\0\0\5", "\x0a\0\0\1", 17);
	spoofed(60, bytes, false);
	spoofed(33, bytes, true); /* no whole header */
	ipv4(bytes, "\x0a\0\0\6", "\x0a\0\0\1", 6);
	spoofed(60, bytes, false);
	ipv4(bytes, "\x0a\0\0\7", "\x0a\0\0\1", 17);
	spoofed(60, bytes, true);
	ipv4(bytes, "\x0a\0\0\5", "\x0a\0\0\1", 17);
	memcpy(bytes + 6, other, 6);
	spoofed(60, bytes, true);
	/* Without an address, for DHCP alone. */
	ipv4(bytes, "\0\0\0\0", "\xff\xff\xff\xff", 17);
	memcpy(bytes + 34, "\0\x44\0\x43", 4);
	spoofed(60, bytes, false);
	bytes[37] = 0x35;
	spoofed(60, bytes, true);
	arp(bytes, mac_of(0), mac_of(0), "\x0a\0\0\5");
	spoofed(60, bytes, false);
	spoofed(41, bytes, true);
	arp(bytes, mac_of(0), mac_of(0), "\0\0\0\0");
	spoofed(60, bytes, false);
	arp(bytes, mac_of(0), mac_of(0), "\x0a\0\0\1");
	spoofed(60, bytes, true);
	arp(bytes, mac_of(0), other, "\x0a\0\0\5");
	spoofed(60, bytes, true);
	/* Nothing but IP and ARP, and IPv6 is not in the list. */
	ethernet(bytes, everybody, mac_of(0), -1, 0x88b5);
	spoofed(60, bytes, true);
	ethernet(bytes, everybody, mac_of(0), 0, 0x8100);
	spoofed(60, bytes, true);
	ethernet(bytes, everybody, mac_of(0), -1, 0x86dd);
	bytes[14] = 0x60;
	spoofed(60, bytes, true);
}

static void guards_ipv6(void **state)
{
	struct bridge_options options = {.strict = true};
	uint8_t bytes[128] = {0};

	assert_int_equal(bridge_parse_ips("fd00::5", &options), 0);
	attach(0, &options);
	attach(1, &open_port);
	ethernet(bytes, everybody, mac_of(0), -1, 0x86dd);
	bytes[14] = 0x60;
	bytes[20] = 58;
	memcpy(bytes + 22, options.ip_list[0].bytes, 16);
	bytes[54] = 136;
	memcpy(bytes + 62, options.ip_list[0].bytes, 16);
	spoofed(78, bytes, false);
	bytes[77] = 6; /* speaks for another */
	spoofed(78, bytes, true);
	spoofed(70, bytes, true);
	bytes[54] = 128;
	spoofed(78, bytes, false);
	bytes[37] = 6;
	spoofed(78, bytes, true);
	memset(bytes + 22, 0, 16);
	spoofed(78, bytes, false);
	memcpy(bytes + 22, "\xfe\x80", 2);
	spoofed(78, bytes, false);
}

/* A packet from a strict port's address comes from nowhere else. */
static void fixed_address(void **state)
{
	const struct bridge_options strict = {.strict = true};
	uint8_t bytes[64];

	attach(0, &open_port);
	attach(2, &strict);
	attach(1, &open_port);
	clear();
	ethernet(bytes, mac_of(1), mac_of(2), -1, 0x1234);
	spoofed(60, bytes, true);
	/* Unknown addresses are not at a strict port. */
	ethernet(bytes, mac_of(99), mac_of(0), -1, 0x1234);
	spoofed(60, bytes, false);
	assert_int_equal(ports[2].count, 0);
	ethernet(bytes, mac_of(2), mac_of(0), -1, 0x1234);
	give_bytes(0, bytes, 60);
	assert_int_equal(ports[2].count, 1);
	assert_int_equal(ports[1].count, 1);
}

/* Guests' ports are told of the uplinks' links if the bridge is to follow them; uplinks, and those of other bridges, are not. */
static void follows(void **state)
{
	const struct bridge_options uplink = {.trunk = true, .uplink = true};

	attach(0, &uplink);
	attach(1, &uplink);
	attach(2, &open_port);
	assert_false(ports[2].severed);
	net_port_changed(&ports[0].port, false, 0);
	net_port_changed(&ports[1].port, false, 0);
	assert_false(ports[2].severed);
	/* Without any there is nothing to follow. */
	bridge->follow = true;
	bridge_tell_beyond(bridge);
	assert_false(ports[2].severed);
	memcpy(bridge->uplink, "net0,net1", 10);
	bridge_tell_beyond(bridge);
	assert_true(ports[2].severed);
	/* Who comes later. */
	attach(3, &open_port);
	assert_true(ports[3].severed);
	/* One is enough. */
	net_port_changed(&ports[1].port, true, 0);
	assert_false(ports[2].severed);
	assert_false(ports[3].severed);
	/* A guest's own link is nobody else's. */
	net_port_changed(&ports[3].port, false, 0);
	assert_false(ports[2].severed);
	bridge_detach(&ports[1].port);
	assert_true(ports[2].severed);
	attach(1, &uplink);
	assert_false(ports[2].severed);
	net_port_changed(&ports[1].port, false, 0);
	assert_true(ports[2].severed);
	bridge->follow = false;
	bridge_tell_beyond(bridge);
	assert_false(ports[2].severed);
	assert_int_equal(ports[0].told, 0);
	assert_int_equal(ports[1].told, 0);
}

/* Two guests with one address: the later has it, and the other when that has gone. */
static void twins(void **state)
{
	const struct bridge_options strict = {.strict = true};
	uint8_t bytes[64];

	memcpy(ports[3].port.mac, mac_of(2), 6);
	attach(0, &open_port);
	attach(2, &strict);
	attach(3, &strict);
	clear();
	ethernet(bytes, mac_of(2), mac_of(0), -1, 0x1234);
	give_bytes(0, bytes, 60);
	assert_int_equal(ports[3].count, 1);
	bridge_detach(&ports[3].port);
	give_bytes(0, bytes, 60);
	assert_int_equal(ports[2].count, 1);
	assert_int_equal(ports[3].count, 1);
}

/* A large TCP packet, some of it in another domain, for ports that can do less and less. */
static struct net_packet *large(uint8_t *bytes, uint32_t data)
{
	struct net_packet *packet = net_packet_alloc(pool);

	ethernet(bytes, mac_of(1), mac_of(0), -1, 0x800);
	memcpy(bytes + 14, "\x45\0\0\0\0\0\0\0\x40\6\0\0\x0a\0\0\1\x0a\0\0\2", 20);
	bytes[16] = (uint8_t)((40 + data) >> 8);
	bytes[17] = (uint8_t)(40 + data);
	bytes[46] = 0x50;
	bytes[47] = 0x10;
	memcpy(net_packet_add_room(packet, 54), bytes, 54);
	assert_true(net_packet_add_granted(packet, 3, 1, 0, data));
	assert_true(net_checksum_prepare(packet));
	packet->gso = NET_GSO_TCPV4;
	packet->gso_size = 1000;
	return packet;
}

static void software(void **state)
{
	uint8_t bytes[64];
	struct net_packet *packet = large(bytes, 3500);

	for (unsigned int i = 0; i < sizeof(far_page); i++)
		far_page[i] = (uint8_t)(i * 13);
	attach(0, &open_port);
	attach(1, &open_port);
	ethernet(bytes, everybody, mac_of(1), -1, 0x1234);
	give_bytes(1, bytes, 60);
	clear();
	give(0, packet);
	assert_int_equal(ports[1].count, 1);
	assert_null(ports[1].last.segments[1].data);
	assert_false(ports[0].port.prefer_local);
	ports[1].port.features &= ~(uint32_t)NET_FEATURE_GRANTED;
	give(0, packet);
	assert_int_equal(ports[1].count, 2);
	assert_int_equal(ports[1].last.gso, NET_GSO_TCPV4);
	assert_true(ports[0].port.prefer_local);
	ports[1].port.features = 0;
	clear();
	give(0, packet);
	assert_int_equal(ports[1].count, 4);
	assert_int_equal(ports[1].length[0], 1054);
	assert_int_equal(ports[1].length[3], 554);
	assert_memory_equal(ports[1].bytes[3] + 54, far_page + 3000, 500);
	assert_int_equal(ports[1].last.checksum, NET_CHECKSUM_VALID);
	/* Packets of more than the other port's MTU, but for those that are cut to less. */
	ports[1].port.mtu = 1039;
	give(0, packet);
	assert_int_equal(on_bridge(0)->dropped[DROP_TOO_LONG], 1);
	ports[1].port.mtu = 1040;
	give(0, packet);
	assert_int_equal(ports[1].count, 8);
	/* Grants that are not there. */
	net_packet_put(packet);
	packet = large(bytes, 3500);
	packet->segments[1].ref = 2;
	give(0, packet);
	assert_int_equal(on_bridge(0)->dropped[DROP_NO_ROOM], 1);
	ports[1].port.link = false;
	give(0, packet);
	assert_int_equal(on_bridge(1)->dropped[DROP_NO_LINK], 1);
	assert_int_equal(ports[1].count, 8);
	packet->gso_size = 1;
	give(0, packet);
	assert_int_equal(on_bridge(0)->dropped[DROP_MALFORMED], 1);
	net_packet_put(packet);
}

/* Tags keep the offloads right, and the headers in the first segment. */
static void tagged_offloads(void **state)
{
	const struct bridge_options access = {.vlan = 7}, trunk = {.trunk = true};
	uint8_t bytes[64];
	struct net_packet *packet = large(bytes, 3500);
	struct net_headers headers;

	attach(0, &access);
	attach(1, &trunk);
	give(0, packet);
	assert_int_equal(ports[1].count, 1);
	assert_int_equal(ports[1].last.length, packet->length + 4);
	assert_int_equal(ports[1].last.checksum_start, packet->checksum_start + 4);
	assert_int_equal(ports[1].last.segments[0].length, 58);
	net_packet_put(packet);

	/* Back, into the VLAN. */
	ports[1].keep = true;
	packet = large(bytes, 3500);
	give(0, packet);
	net_packet_put(packet);
	packet = ports[1].kept;
	ports[1].kept = NULL;
	memcpy(packet->segments[0].data, mac_of(0), 6);
	memcpy((uint8_t *)packet->segments[0].data + 6, mac_of(1), 6);
	give(1, packet);
	assert_int_equal(ports[0].count, 1);
	assert_int_equal(ports[0].last.checksum_start, 34);
	assert_int_equal(ports[0].last.length, packet->length - 4);
	net_headers_find(packet, &headers);
	assert_int_equal(headers.vlan, NET_VLAN_TAGGED | 7);
	net_packet_put(packet);
}

/* A port goes while another keeps packets made with its memory. */
static void detached_early(void **state)
{
	uint8_t bytes[64];
	struct net_packet *packet = large(bytes, 3500);

	attach(0, &open_port);
	attach(1, &open_port);
	ports[1].port.features = 0;
	ports[1].keep = true;
	far_page[0] = 1;
	packet->gso = NET_GSO_NONE;
	packet->length -= 3000;
	packet->segments[1].length -= 3000;
	give(0, packet);
	net_packet_put(packet);
	assert_int_equal(ports[1].count, 1);
	bridge_detach(&ports[0].port);
	assert_int_equal(((uint8_t *)ports[1].kept->segments[0].data)[12], 8);
	net_packet_put(ports[1].kept);
	ports[1].kept = NULL;
}

static void host_port(void **state)
{
	struct net_port *host = bridge_host_port(bridge);
	uint8_t bytes[64];

	assert_non_null(host);
	assert_ptr_equal(bridge_host_port(bridge), host);
	attach(0, &open_port);
	clear();
	ethernet(bytes, mac_of(0), host->mac, -1, 0x1234);
	struct net_packet *packet = net_packet_from_bytes(pool, bytes, 60);
	net_port_send(host, packet);
	net_port_flush(host);
	net_packet_put(packet);
	assert_int_equal(ports[0].count, 1);
	assert_int_equal(ports[0].flushes, 1);
	ethernet(bytes, host->mac, mac_of(0), -1, 0x1234);
	give_bytes(0, bytes, 60);
	assert_int_equal(host->received.packets, 1);
}

static void names(void **state)
{
	struct bridge *other;

	assert_int_equal(bridge_create("xenbr0", &other), -EEXIST);
	assert_int_equal(bridge_create("", &other), -EINVAL);
	assert_int_equal(bridge_create("a b", &other), -EINVAL);
	assert_int_equal(bridge_create("a234567890123456", &other), -EINVAL);
	assert_int_equal(bridge_create("a23456789012345", &other), 0);
	assert_ptr_equal(bridge_find("a23456789012345"), other);
	attach(0, &open_port);
	assert_int_equal(bridge_attach(other, &ports[0].port, &open_port), -EBUSY);
	assert_int_equal(bridge_destroy(bridge), -EBUSY);
	assert_int_equal(bridge_destroy(other), 0);
}

/* Text of configurations */

static void parses_bridges(void **state)
{
	static const struct {
		const char *text, *name;
		unsigned int vlan, vlans;
	} good[] = {{"", "xenbr0", 0, 0},	  {"br1", "br1", 0, 0},
		    {"br1.4094", "br1", 4094, 0}, {"br1:10:20", "br1", 0, 2},
		    {"br1.5:10", "br1", 5, 1},	  {"b:1:2:3:4:5:6:7:8", "b", 0, 8}};
	static const char *const bad[] = {".5",
					  "br1.",
					  "br1.0",
					  "br1.4095",
					  "br1.x",
					  "br1:",
					  "br1:0",
					  "br1.5.6",
					  "a234567890123456",
					  "br1.5x",
					  "b:1:2:3:4:5:6:7:8:9",
					  "br1.99999999999"};
	char name[BRIDGE_NAME];

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct bridge_options options = {0};

		assert_int_equal(bridge_parse(good[i].text, name, &options), 0);
		assert_string_equal(name, good[i].name);
		assert_int_equal(options.vlan, good[i].vlan);
		assert_int_equal(options.vlans, good[i].vlans);
		assert_int_equal(options.trunk, good[i].vlans > 0);
	}
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bridge_options options = {0};

		assert_int_equal(bridge_parse(bad[i], name, &options), -EINVAL);
	}
}

static void parses_ips(void **state)
{
	static const char *const bad[] = {"1.2.3",
					  "1.2.3.4.5",
					  "1.2.3.256",
					  "1..3.4",
					  "01.2.3.4",
					  "1.2.3.4x",
					  ":",
					  "1:2:3:4:5:6:7",
					  "1:2:3:4:5:6:7:8:9",
					  "1::2::3",
					  "12345::",
					  ":::",
					  "1:2:3:4:5:6:7:8::",
					  "g::",
					  "::1.2.3",
					  "1:"};
	static const struct {
		const char *text, *bytes;
	} good[] = {{"::", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
		    {"::1", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
		    {"fd00::", "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
		    {"1:2:3:4:5:6:7:8", "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\x08"},
		    {"1:2:3:4:5:6:7::", "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\0"},
		    {"Fe80::a:B", "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\x0a\0\x0b"},
		    {"::ffff:1.2.3.4", "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4"}};

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct bridge_options options = {0};

		assert_int_equal(bridge_parse_ips(good[i].text, &options), 0);
		assert_int_equal(options.ips, 1);
		assert_int_equal(options.ip_list[0].length, 16);
		assert_memory_equal(options.ip_list[0].bytes, good[i].bytes, 16);
	}
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bridge_options options = {0};

		if (bridge_parse_ips(bad[i], &options) != -EINVAL)
			fail_msg("%s", bad[i]);
	}
	struct bridge_options options = {0};

	assert_int_equal(bridge_parse_ips(" 1.2.3.4,  255.0.0.1\t", &options), 0);
	assert_int_equal(options.ips, 2);
	assert_int_equal(options.ip_list[1].bytes[0], 255);
	assert_int_equal(
	    bridge_parse_ips("1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1", &options),
	    -ENOSPC);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(like_the_model),
	    TEST(malformed),
	    TEST(addresses_are_bounded),
	    TEST(storms),
	    TEST(rate),
	    TEST(guards_ipv4),
	    TEST(guards_ipv6),
	    TEST(fixed_address),
	    TEST(follows),
	    TEST(twins),
	    TEST(software),
	    TEST(tagged_offloads),
	    TEST(detached_early),
	    TEST(host_port),
	    TEST(names),
	    cmocka_unit_test(parses_bridges),
	    cmocka_unit_test(parses_ips),
	};

	return cmocka_run_group_tests_name("bridge", tests, NULL, NULL);
}
