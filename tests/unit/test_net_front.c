/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c pv-drivers/net_merge.c pv-drivers/net_back.c pv-drivers/net_back_tx.c pv-drivers/net_back_rx.c pv-drivers/net_back_control.c pv-drivers/net_hash.c pv-drivers/net_front.c pv-drivers/net_mac.c guest/format.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/*
 * Front half against back half, over grants, rings and events of this program's: packets of all shapes go both ways and
 * arrive as they were sent, in order; in the end nothing is granted any more. Then a back half that breaks the protocol.
 */
#include "unit.h"
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <public/errno.h>
#include <pv-drivers/net_back.h>
#include <pv-drivers/net_front.h>

#define GUEST  7
#define GRANTS 1024
#define PORTS  8

/* What the guest has granted to domain 0. */
static struct {
	uint8_t *page;
	bool readonly;
} grants[GRANTS];
static unsigned int granted;
static bool grant_end_fails;

/* Ports: the guest's 1 and 2, and the back half's at their other ends, 101 and 102. */
static struct {
	event_handler *handler;
	void *data;
	bool pending;
} ports[200];

bool (*host_wait)(void);

uint64_t clock_now(void)
{
	static uint64_t now = 1000;

	return now += NSEC_PER_MSEC / 100;
}

void printk(const char *format, ...)
{
}

long grants_init(void)
{
	return 0;
}

long grant_access(domid_t domain, unsigned long mfn, bool readonly)
{
	assert_int_equal(domain, 0);
	for (unsigned int ref = 1; ref < GRANTS; ref++) {
		if (grants[ref].page)
			continue;
		grants[ref].page = (uint8_t *)(mfn << PAGE_SHIFT);
		grants[ref].readonly = readonly;
		granted++;
		return ref;
	}
	return -XEN_ENOSPC;
}

bool grant_end(grant_ref_t ref)
{
	assert_true(ref < GRANTS && grants[ref].page);
	if (grant_end_fails)
		return false;
	grants[ref].page = NULL;
	granted--;
	return true;
}

static uint8_t *end_of_copy(const struct gnttab_copy_ptr *end, bool is_ref, bool write)
{
	if (!is_ref)
		return (uint8_t *)(end->u.gmfn << PAGE_SHIFT);
	assert_int_equal(end->domid, GUEST);
	if (end->u.ref >= GRANTS || !grants[end->u.ref].page ||
	    (write && grants[end->u.ref].readonly))
		return NULL;
	return grants[end->u.ref].page;
}

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	struct gnttab_copy *copy = arg;

	assert_int_equal(op, GNTTABOP_copy);
	for (; count; copy++, count--) {
		uint8_t *from =
		    end_of_copy(&copy->source, copy->flags & GNTCOPY_source_gref, false);
		uint8_t *to = end_of_copy(&copy->dest, copy->flags & GNTCOPY_dest_gref, true);

		copy->status = from && to ? GNTST_okay : GNTST_bad_gntref;
		if (from && to)
			memcpy(to + copy->dest.offset, from + copy->source.offset, copy->len);
	}
	return 0;
}

/* Both rings are the guest's own pages here. */
static uint8_t *ring_pages;

long grant_map(struct grant_mapping *mapping, domid_t domain, const grant_ref_t *refs,
	       unsigned int count, bool writable)
{
	mapping->address = ring_pages;
	return 0;
}

void grant_unmap(struct grant_mapping *mapping)
{
	mapping->address = NULL;
}

static long add_port(evtchn_port_t port, event_handler *handler, void *data)
{
	ports[port].handler = handler;
	ports[port].data = data;
	return port;
}

long event_bind_interdomain(domid_t domain, evtchn_port_t remote, event_handler *handler,
			    void *data)
{
	return add_port(100 + remote, handler, data);
}

long event_send(evtchn_port_t port)
{
	ports[port < 100 ? port + 100 : port - 100].pending = true;
	return 0;
}

long event_close(evtchn_port_t port)
{
	memset(&ports[port], 0, sizeof(ports[0]));
	return 0;
}

void event_mask(evtchn_port_t port)
{
}

void event_unmask(evtchn_port_t port)
{
}

bool net_back_round(void);

/* Until all is quiet. */
static void settle(void)
{
	bool any;

	do {
		any = net_back_round();
		for (unsigned int port = 0; port < 200; port++) {
			if (!ports[port].pending)
				continue;
			ports[port].pending = false;
			any = true;
			if (ports[port].handler)
				ports[port].handler(port, ports[port].data);
		}
	} while (any);
}

/* The store and the states, as far as the front half sees them. */

static const struct xenbus_front_driver *driver;
static const char *store_mac = "00:16:3e:00:00:01";

long xs_read(struct xs *xs, xs_transaction t, const char *path, char *value, size_t size)
{
	assert_string_equal(path, "device/vif/0/mac");
	snprintf(value, size, "%s", store_mac);
	return (long)strlen(value);
}

long xs_read_number(struct xs *xs, xs_transaction t, const char *path, uint64_t *number)
{
	return -XEN_ENOENT;
}

/* The back half's node: -1 if there is none. */
static int store_carrier = -1;
static struct xs_watch *carrier_watch;

long xs_watch(struct xs *xs, struct xs_watch *watch)
{
	assert_null(carrier_watch);
	assert_string_equal(watch->path, "/back/carrier");
	carrier_watch = watch;
	return 0;
}

long xs_unwatch(struct xs *xs, struct xs_watch *watch)
{
	assert_ptr_equal(watch, carrier_watch);
	carrier_watch = NULL;
	return 0;
}

long xenbus_printf(struct xenbus_device *device, xs_transaction t, const char *name,
		   const char *format, ...)
{
	return 0;
}

long xenbus_read_other_number(struct xenbus_device *device, const char *name, uint64_t *number)
{
	*number = strcmp(name, "feature-no-csum-offload") != 0;
	if (strcmp(name, "carrier") != 0)
		return 0;
	*number = (uint64_t)store_carrier;
	return store_carrier < 0 ? -XEN_ENOENT : 0;
}

long xenbus_ring_create(struct xenbus_device *device, struct xenbus_ring *ring, unsigned int order,
			event_handler *handler, void *data)
{
	bool first = !ports[1].handler;

	ring->pages = ring_pages + (first ? 0 : PAGE_SIZE);
	memset(ring->pages, 0, PAGE_SIZE);
	ring->port = add_port(first ? 1 : 2, handler, data);
	return 0;
}

long xenbus_ring_publish(struct xenbus_device *device, xs_transaction t,
			 const struct xenbus_ring *ring, const char *name, const char *event_name)
{
	return 0;
}

bool xenbus_ring_destroy(struct xenbus_ring *ring)
{
	if (ring->pages)
		event_close((evtchn_port_t)ring->port);
	ring->pages = NULL;
	return true;
}

long xenbus_front_open(struct xenbus_front *front, struct xs *xs, const char *own,
		       const struct xenbus_front_driver *how)
{
	driver = how;
	snprintf(front->bus.other, sizeof(front->bus.other), "/back");
	return 0;
}

void xenbus_front_close(struct xenbus_front *front)
{
	driver->disconnect(front, false);
}

/* Users of both ports: what comes is compared with what was sent. */

#define EXPECTED 512

struct stream {
	struct net_packet *sent[EXPECTED];
	unsigned int first, count, received;
	bool keep;
	struct net_packet *kept[32];
	unsigned int kept_count;
};
static struct stream outward, inward;
static struct net_pool *pool;

static uint8_t bytes_of[2][70000];

static uint32_t read_all(const struct net_packet *packet, uint8_t *to)
{
	uint32_t at = 0;

	for (unsigned int i = 0; i < packet->count; i++) {
		const struct net_segment *s = &packet->segments[i];
		const uint8_t *from = s->data ? s->data : grants[s->ref].page + s->offset;

		assert_non_null(from);
		memcpy(to + at, from, s->length);
		at += s->length;
	}
	assert_int_equal(at, packet->length);
	return at;
}

static void receive(struct net_port *port, struct net_packet *packet)
{
	struct stream *stream = port->user_data;
	struct net_packet *sent = stream->sent[stream->first % EXPECTED];

	assert_true(stream->first < stream->count);
	stream->first++;
	assert_int_equal(read_all(packet, bytes_of[0]), read_all(sent, bytes_of[1]));
	assert_memory_equal(bytes_of[0], bytes_of[1], packet->length);
	assert_int_equal(packet->checksum, sent->checksum);
	assert_int_equal(packet->gso, sent->gso);
	assert_int_equal(packet->gso_size, sent->gso_size);
	assert_int_equal(packet->checksum_start, sent->checksum_start);
	net_packet_put(sent);
	stream->received++;
	if (stream->keep && stream->kept_count < 32)
		stream->kept[stream->kept_count++] = net_packet_get(packet);
}

static void receive_end(struct net_port *port)
{
}

static const struct net_port_user user = {receive, receive_end, NULL};

static void let_go(struct stream *stream)
{
	while (stream->kept_count)
		net_packet_put(stream->kept[--stream->kept_count]);
}

/* A packet of a kind that the other side can take. */
static struct net_packet *make(uint32_t length, bool partial, bool gso)
{
	static uint8_t bytes[65536];
	struct net_packet *packet;

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)rand();
	memcpy(bytes,
	       "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0\x45\0\0\0\0\0\0\0\x40\6\0\0\x0a\0\0\1\x0a\0\0\2",
	       34);
	bytes[16] = (uint8_t)((length - 14) >> 8);
	bytes[17] = (uint8_t)(length - 14);
	bytes[46] = 0x50;
	bytes[47] = 0x10;
	packet = net_packet_from_bytes(pool, bytes, length);
	assert_non_null(packet);
	if (!partial)
		return packet;
	packet->checksum = NET_CHECKSUM_PARTIAL;
	assert_true(net_checksum_prepare(packet));
	if (gso) {
		packet->gso = NET_GSO_TCPV4;
		packet->gso_size = 1000;
	}
	return packet;
}

static void send(struct stream *stream, struct net_port *port, struct net_packet *packet)
{
	uint64_t dropped = port->sent.dropped;

	assert_true(stream->count - stream->first < EXPECTED);
	stream->sent[stream->count++ % EXPECTED] = net_packet_get(packet);
	net_port_send(port, packet);
	if (port->sent.dropped != dropped)
		net_packet_put(stream->sent[--stream->count % EXPECTED]);
	net_packet_put(packet);
}

static struct net_front front;
static struct net_back *back;

static void begin(void)
{
	const struct net_back_config config = {.name = "vif7.0", .mtu = 1500};
	struct net_back_front there = {.domain = GUEST,
				       .scatter = true,
				       .checksum_ipv4 = true,
				       .queues = 1,
				       .queue = {{.tx = 1, .rx = 2, .tx_event = 1, .rx_event = 2}}};

	memset(&outward, 0, sizeof(outward));
	memset(&inward, 0, sizeof(inward));
	memset(&front, 0, sizeof(front));
	ring_pages = pages_alloc(2);
	assert_int_equal(net_front_open(&front, NULL, "device/vif/0"), 0);
	back = net_back_create(&config);
	net_port_attach(&front.port, &user, &inward);
	net_port_attach(net_back_port(back), &user, &outward);
	assert_int_equal(driver->prepare(&front.xenbus), 0);
	assert_int_equal(driver->publish(&front.xenbus, 0), 0);
	assert_int_equal(net_back_connect(back, &there), 0);
	assert_int_equal(driver->connect(&front.xenbus), 0);
	assert_true(front.port.link);
	settle();
}

static void end(void)
{
	net_back_disconnect(back);
	net_front_close(&front);
	assert_int_equal(granted, 0);
	net_back_destroy(back);
	pages_free(ring_pages, 2);
}

static void test_both_ways(void **state)
{
	unsigned int sent = 0;

	srand(1);
	begin();
	for (unsigned int round = 0; round < 3000; round++) {
		bool out = rand() & 1, partial = rand() % 3 == 0,
		     gso = partial && out && rand() & 1;
		uint32_t length =
		    gso ? 1500u + (uint32_t)rand() % 60000 : 60u + (uint32_t)rand() % 1455;
		struct net_port *port = out ? &front.port : net_back_port(back);

		send(out ? &outward : &inward, port, make(length, partial, gso));
		sent++;
		if (rand() % 4 == 0)
			net_port_flush(port);
		outward.keep = rand() & 1;
		inward.keep = rand() & 1;
		if (rand() % 8 == 0)
			settle();
		if (rand() % 16 == 0) {
			let_go(&outward);
			let_go(&inward);
		}
	}
	net_port_flush(&front.port);
	net_port_flush(net_back_port(back));
	let_go(&outward);
	let_go(&inward);
	settle();
	assert_int_equal(outward.first, outward.count);
	assert_int_equal(inward.first, inward.count);
	assert_true(outward.received + inward.received + front.port.sent.dropped +
			net_back_port(back)->sent.dropped ==
		    sent);
	/* Rings and pools are large enough for nearly all of this. */
	assert_true(outward.received + inward.received > sent * 9 / 10);
	assert_int_equal(front.port.received.errors, 0);
	assert_int_equal(front.port.sent.errors, 0);
	end();
}

static void set_carrier(int carrier)
{
	store_carrier = carrier;
	carrier_watch->fired(carrier_watch, carrier_watch->path);
}

/* The back half's link, from the beginning and when it changes; no packet goes out without it. */
static void test_carrier(void **state)
{
	struct net_packet *packet;

	store_carrier = 1;
	begin();
	set_carrier(0);
	assert_false(front.port.link);
	packet = make(100, false, false);
	net_port_send(&front.port, packet);
	net_packet_put(packet);
	assert_int_equal(front.port.sent.dropped, 1);
	assert_int_equal(front.port.sent.packets, 0);
	/* One that says nothing has a link. */
	set_carrier(-1);
	assert_true(front.port.link);
	set_carrier(0);
	assert_true(driver->disconnect(&front.xenbus, true));
	set_carrier(1);
	assert_false(front.port.link);
	store_carrier = 0;
	assert_int_equal(driver->prepare(&front.xenbus), 0);
	assert_int_equal(driver->connect(&front.xenbus), 0);
	assert_false(front.port.link);
	set_carrier(1);
	assert_true(front.port.link);
	send(&outward, &front.port, make(100, false, false));
	assert_int_equal(front.port.sent.packets, 1);
	net_packet_put(outward.sent[0]);
	end();
	assert_null(carrier_watch);
	store_carrier = -1;
}

/* The back half is a hostile one: whatever it answers, nothing but the link is lost. */
static void test_hostile_back(void **state)
{
	for (unsigned int how = 0; how < 7; how++) {
		netif_tx_sring_t *tx;
		netif_rx_sring_t *rx;

		begin();
		tx = (netif_tx_sring_t *)ring_pages;
		rx = (netif_rx_sring_t *)(ring_pages + PAGE_SIZE);
		send(&outward, &front.port, make(100, false, false));
		if (how == 0)
			tx->rsp_prod = 5000;
		if (how == 1) {
			tx->ring[0].rsp = (netif_tx_response_t){.id = 60000};
			tx->rsp_prod = 1;
		}
		if (how == 2) {
			tx->ring[0].rsp = (netif_tx_response_t){.id = 200};
			tx->rsp_prod = 1;
		}
		if (how == 3)
			rx->rsp_prod = 70000;
		if (how == 4) {
			rx->ring[0].rsp = (netif_rx_response_t){.id = 999, .status = 100};
			rx->rsp_prod = 1;
		}
		if (how == 5) {
			rx->ring[0].rsp = (netif_rx_response_t){
			    .id = 3, .status = 100, .flags = NETRXF_extra_info | NETRXF_more_data};
			rx->rsp_prod = 1;
		}
		if (how == 6) {
			rx->ring[0].rsp = (netif_rx_response_t){.id = 3, .status = 100};
			rx->ring[1].rsp = (netif_rx_response_t){.id = 3, .status = 100};
			rx->rsp_prod = 2;
		}
		net_port_attach(&front.port, NULL, NULL);
		ports[1].handler(1, ports[1].data);
		ports[2].handler(2, ports[2].data);
		if (front.port.link)
			fail_msg("%u", how);
		net_packet_put(outward.sent[0]);
		outward.count = 0;
		end();
	}
}

/* Lengths and places that do not fit into a page: the packet is dropped, and the next one comes in. */
static void test_bad_packets(void **state)
{
	netif_rx_sring_t *rx;

	begin();
	net_port_attach(&front.port, NULL, NULL);
	rx = (netif_rx_sring_t *)(ring_pages + PAGE_SIZE);
	rx->ring[0].rsp = (netif_rx_response_t){.id = 1, .offset = 4000, .status = 100};
	rx->ring[1].rsp = (netif_rx_response_t){.id = 2, .status = -1};
	rx->ring[2].rsp = (netif_rx_response_t){.id = 3, .status = 0};
	rx->ring[3].rsp = (netif_rx_response_t){.id = 4, .offset = 65535, .status = 32767};
	/* Headers that are in pieces. */
	rx->ring[4].rsp = (netif_rx_response_t){.id = 5, .status = 30, .flags = NETRXF_more_data};
	rx->ring[5].rsp = (netif_rx_response_t){.id = 6, .status = 100};
	for (unsigned int i = 0; i < 30; i++)
		rx->ring[6 + i].rsp = (netif_rx_response_t){.id = (uint16_t)(7 + i),
							    .status = 4096,
							    .flags = i < 29 ? NETRXF_more_data : 0};
	rx->rsp_prod = 36;
	ports[2].handler(2, ports[2].data);
	assert_true(front.port.link);
	assert_int_equal(front.port.received.errors, 6);
	assert_int_equal(front.port.received.packets, 0);
	rx->ring[36].rsp = (netif_rx_response_t){.id = 40, .status = 100};
	rx->rsp_prod = 37;
	ports[2].handler(2, ports[2].data);
	assert_int_equal(front.port.received.packets, 1);
	end();
}

static int make_pool(void **state)
{
	pool = net_pool_create(600, 2000);
	return !pool;
}

static int drop_pool(void **state)
{
	return !net_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways),
	    cmocka_unit_test(test_hostile_back),
	    cmocka_unit_test(test_bad_packets),
	    cmocka_unit_test(test_carrier),
	};

	return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
