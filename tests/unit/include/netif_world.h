/* SPDX-License-Identifier: MIT */
/*
 * A guest for the back half of network interfaces, on the host: pages that it granted, its ends of the rings, events
 * counted, a clock that stands still; and a user of the port that keeps what it is handed.
 *
 * Included by one source of a program, behind the definition of WORLD_CHECK: what to do about a condition that the back
 * half must keep whatever the guest does.
 */
#ifndef NETIF_WORLD_H
#define NETIF_WORLD_H

#include <string.h>
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/thread.h>
#include <pv-drivers/net_back.h>
#include <public/errno.h>
#include "pv-drivers/net_back_internal.h"

#define GUEST 7
#define PAGES 64
/* Grants of the two rings of queue q: RINGS + 2 * q and the next. */
#define RINGS	1000
#define CONTROL 2000 /* grant of the control ring */
#define TX_EVENT \
	50 /* the guest's ports: even ones for sending, odd ones for receiving; one for control */
#define CONTROL_N 12
#define OWN_PORTS 100

struct world_queue {
	_Alignas(4096) uint8_t rings[2][PAGE_SIZE];
	netif_tx_front_ring_t tx;
	netif_rx_front_ring_t rx;
};

static struct {
	_Alignas(4096) uint8_t pages[PAGES][PAGE_SIZE];
	bool revoked[PAGES];
	struct world_queue queue[NET_BACK_QUEUES];
	_Alignas(4096) uint8_t control_page[PAGE_SIZE];
	xen_netif_ctrl_front_ring_t control;
	struct {
		event_handler *handler;
		void *data;
		bool masked, pending;
		unsigned int sent;
	} port[16];
	unsigned int maps, copy_calls;
	uint64_t now;
	/* The port's user. */
	struct net_packet *kept[256];
	unsigned int kept_count, ends;
	bool keep;
	void (*received)(struct net_packet *packet);
	unsigned int broken;
} world;

bool (*host_wait)(void);

uint64_t clock_now(void)
{
	return world.now;
}

void printk(const char *format, ...)
{
	(void)format;
}

/* Memory of a page that takes part in a copy, or NULL. */
static uint8_t *world_page(const struct gnttab_copy_ptr *end, bool is_ref)
{
	if (!is_ref) {
		WORLD_CHECK(end->domid == DOMID_SELF);
		return (uint8_t *)(end->u.gmfn << PAGE_SHIFT);
	}
	WORLD_CHECK(end->domid == GUEST);
	return end->u.ref < PAGES && !world.revoked[end->u.ref] ? world.pages[end->u.ref] : NULL;
}

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	struct gnttab_copy *copy = arg;

	WORLD_CHECK(op == GNTTABOP_copy);
	world.copy_calls++;
	for (; count; copy++, count--) {
		uint8_t *from = world_page(&copy->source, copy->flags & GNTCOPY_source_gref);
		uint8_t *to = world_page(&copy->dest, copy->flags & GNTCOPY_dest_gref);

		/* The hypervisor refuses these; the back half must not even try. */
		WORLD_CHECK(copy->source.offset + copy->len <= PAGE_SIZE);
		WORLD_CHECK(copy->dest.offset + copy->len <= PAGE_SIZE);
		WORLD_CHECK(copy->len);
		copy->status = from && to ? GNTST_okay : GNTST_bad_gntref;
		if (from && to)
			memmove(to + copy->dest.offset, from + copy->source.offset, copy->len);
	}
	return 0;
}

long grant_map(struct grant_mapping *mapping, domid_t domain, const grant_ref_t *refs,
	       unsigned int count, bool writable)
{
	unsigned int queue = (refs[0] - RINGS) / 2;

	WORLD_CHECK(domain == GUEST && writable);
	mapping->address = NULL;
	if (count == 1 && refs[0] == CONTROL) {
		mapping->address = world.control_page;
		world.maps++;
		return 0;
	}
	if (count == 1)
		return -XEN_EINVAL;
	WORLD_CHECK(count == 2);
	if (refs[0] < RINGS || queue >= NET_BACK_QUEUES)
		return -XEN_EINVAL;
	mapping->address = world.queue[queue].rings;
	world.maps++;
	return 0;
}

void grant_unmap(struct grant_mapping *mapping)
{
	if (mapping->address)
		world.maps--;
	mapping->address = NULL;
}

/* The back half's port for the guest's port n is OWN_PORTS + n - TX_EVENT. */
long event_bind_interdomain(domid_t domain, evtchn_port_t remote, event_handler *handler,
			    void *data)
{
	unsigned int n = remote - TX_EVENT;

	if (domain != GUEST || remote < TX_EVENT || n >= 16 || world.port[n].handler)
		return -XEN_EINVAL;
	world.port[n].handler = handler;
	world.port[n].data = data;
	return OWN_PORTS + n;
}

long event_send(evtchn_port_t port)
{
	world.port[port - OWN_PORTS].sent++;
	return 0;
}

long event_close(evtchn_port_t port)
{
	WORLD_CHECK(world.port[port - OWN_PORTS].handler);
	memset(&world.port[port - OWN_PORTS], 0, sizeof(world.port[0]));
	return 0;
}

static __attribute__((unused)) void world_event(unsigned int n)
{
	world.port[n].pending = true;
	if (!world.port[n].handler || world.port[n].masked)
		return;
	world.port[n].pending = false;
	world.port[n].handler(OWN_PORTS + n, world.port[n].data);
}

void event_mask(evtchn_port_t port)
{
	world.port[port - OWN_PORTS].masked = true;
}

void event_unmask(evtchn_port_t port)
{
	world.port[port - OWN_PORTS].masked = false;
	if (world.port[port - OWN_PORTS].pending)
		world_event(port - OWN_PORTS);
}

/* The port's user */

static __attribute__((unused)) void world_receive(struct net_port *port, struct net_packet *packet)
{
	uint32_t length = 0;

	(void)port;
	for (unsigned int i = 0; i < packet->count; i++) {
		const struct net_segment *s = &packet->segments[i];
		unsigned int offset = s->data ? (uintptr_t)s->data % PAGE_SIZE : s->offset;

		WORLD_CHECK(s->length && offset + s->length <= PAGE_SIZE);
		WORLD_CHECK(s->data ? s->machine == (uintptr_t)s->data : s->domain == GUEST);
		length += s->length;
	}
	WORLD_CHECK(packet->count && packet->segments[0].data && packet->length == length);
	WORLD_CHECK(length >= 14 && length <= 65535);
	WORLD_CHECK(packet->segments[0].length >= NET_HEADERS || packet->count == 1);
	if (world.received)
		world.received(packet);
	if (world.keep && world.kept_count < 256)
		world.kept[world.kept_count++] = net_packet_get(packet);
}

static __attribute__((unused)) void world_receive_end(struct net_port *port)
{
	(void)port;
	world.ends++;
}

static const struct net_port_user world_user = {world_receive, world_receive_end, NULL};

static __attribute__((unused)) void world_let_go(void)
{
	while (world.kept_count)
		net_packet_put(world.kept[--world.kept_count]);
}

/* All of a packet; returns its length. */
static __attribute__((unused)) uint32_t world_read(const struct net_packet *packet, uint8_t *to)
{
	uint32_t at = 0;

	for (unsigned int i = 0; i < packet->count; i++) {
		const struct net_segment *s = &packet->segments[i];

		memcpy(to + at, s->data ? (uint8_t *)s->data : world.pages[s->ref] + s->offset,
		       s->length);
		at += s->length;
	}
	return at;
}

static __attribute__((unused)) void world_broken(void *data)
{
	(void)data;
	world.broken++;
}

/* The guest */

static __attribute__((unused)) void world_rings_init(struct world_queue *q)
{
	memset(q->rings, 0, sizeof(q->rings));
	XEN_FRONT_RING_INIT(&q->tx, (netif_tx_sring_t *)q->rings[0], PAGE_SIZE);
	XEN_FRONT_RING_INIT(&q->rx, (netif_rx_sring_t *)q->rings[1], PAGE_SIZE);
}

static struct net_back_front world_front(unsigned int queues, bool split)
{
	struct net_back_front front = {
	    .domain = GUEST,
	    .scatter = true,
	    .checksum_ipv4 = true,
	    .checksum_ipv6 = true,
	    .gso_tcpv4 = true,
	    .gso_tcpv6 = true,
	    .queues = queues,
	};

	for (unsigned int i = 0; i < queues; i++) {
		world_rings_init(&world.queue[i]);
		front.queue[i].tx = RINGS + 2 * i;
		front.queue[i].rx = RINGS + 2 * i + 1;
		front.queue[i].tx_event = TX_EVENT + 2 * i;
		front.queue[i].rx_event = TX_EVENT + 2 * i + (split ? 1 : 0);
	}
	return front;
}

static struct net_back *world_begin(const struct net_back_config *config)
{
	struct net_back_config standard = {
	    .name = "vif7.0", .mac = {2, 0, 0, 0, 0, 7}, .mtu = 1500, .broken = world_broken};
	struct net_back *back;
	uint64_t now = world.now;

	memset(&world, 0, sizeof(world));
	world.now = now + 1000 * NSEC_PER_SEC;
	back = net_back_create(config ? config : &standard);
	WORLD_CHECK(back);
	net_port_attach(net_back_port(back), &world_user, NULL);
	return back;
}

/* All that the thread would do now. */
static __attribute__((unused)) void world_run(void)
{
	while (net_back_round())
		;
}

static __attribute__((unused)) void world_send_slot(unsigned int q, uint16_t id, uint32_t ref,
						    uint16_t offset, uint16_t size, uint16_t flags)
{
	netif_tx_front_ring_t *ring = &world.queue[q].tx;

	*RING_GET_REQUEST(ring, ring->req_prod_pvt) = (netif_tx_request_t){
	    .gref = ref, .offset = offset, .flags = flags, .id = id, .size = size};
	ring->req_prod_pvt++;
}

static __attribute__((unused)) void world_send_extra(unsigned int q,
						     const struct netif_extra_info *extra)
{
	netif_tx_front_ring_t *ring = &world.queue[q].tx;

	memcpy(RING_GET_REQUEST(ring, ring->req_prod_pvt), extra, sizeof(*extra));
	ring->req_prod_pvt++;
}

/* Give it a control ring before it connects. */
static __attribute__((unused)) void world_add_control(struct net_back_front *front)
{
	memset(world.control_page, 0, PAGE_SIZE);
	XEN_FRONT_RING_INIT(&world.control, (xen_netif_ctrl_sring_t *)world.control_page,
			    PAGE_SIZE);
	front->control = true;
	front->control_ring = CONTROL;
	front->control_event = TX_EVENT + CONTROL_N;
}

static __attribute__((unused)) void world_ask(uint16_t id, uint16_t type, uint32_t a, uint32_t b,
					      uint32_t c)
{
	xen_netif_ctrl_front_ring_t *ring = &world.control;

	*RING_GET_REQUEST(ring, ring->req_prod_pvt) =
	    (struct xen_netif_ctrl_request){.id = id, .type = type, .data = {a, b, c}};
	ring->req_prod_pvt++;
}

static __attribute__((unused)) void world_push_control(void)
{
	bool notify;

	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&world.control, notify);
	if (notify)
		world_event(CONTROL_N);
}

static __attribute__((unused)) bool world_told(struct xen_netif_ctrl_response *response)
{
	xen_netif_ctrl_front_ring_t *ring = &world.control;

	if (!RING_HAS_UNCONSUMED_RESPONSES(ring))
		return false;
	*response = *RING_GET_RESPONSE(ring, ring->rsp_cons);
	ring->rsp_cons++;
	ring->sring->rsp_event = ring->rsp_cons + 1;
	return true;
}

/* Returns whether the back half wanted to know. */
static __attribute__((unused)) bool world_push(unsigned int q)
{
	bool notify;

	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&world.queue[q].tx, notify);
	if (notify)
		world_event(2 * q);
	return notify;
}

static __attribute__((unused)) bool world_answer(unsigned int q, netif_tx_response_t *answer)
{
	netif_tx_front_ring_t *ring = &world.queue[q].tx;

	if (!RING_HAS_UNCONSUMED_RESPONSES(ring))
		return false;
	*answer = *RING_GET_RESPONSE(ring, ring->rsp_cons);
	ring->rsp_cons++;
	ring->sring->rsp_event = ring->rsp_cons + 1;
	return true;
}

static __attribute__((unused)) void world_post(unsigned int q, uint16_t id, uint32_t ref)
{
	netif_rx_front_ring_t *ring = &world.queue[q].rx;

	*RING_GET_REQUEST(ring, ring->req_prod_pvt) = (netif_rx_request_t){.id = id, .gref = ref};
	ring->req_prod_pvt++;
}

static __attribute__((unused)) bool world_push_buffers(unsigned int q, unsigned int event)
{
	bool notify;

	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&world.queue[q].rx, notify);
	if (notify)
		world_event(event);
	return notify;
}

static __attribute__((unused)) bool world_received(unsigned int q, netif_rx_response_t *response)
{
	netif_rx_front_ring_t *ring = &world.queue[q].rx;

	if (!RING_HAS_UNCONSUMED_RESPONSES(ring))
		return false;
	*response = *RING_GET_RESPONSE(ring, ring->rsp_cons);
	ring->rsp_cons++;
	ring->sring->rsp_event = ring->rsp_cons + 1;
	return true;
}

static __attribute__((unused)) bool world_release_all(void)
{
	world_let_go();
	return true;
}

/* Ends it, and looks that nothing is left. */
static __attribute__((unused)) void world_end(struct net_back *back)
{
	host_wait = world_release_all;
	net_port_attach(net_back_port(back), NULL, NULL);
	net_back_destroy(back);
	WORLD_CHECK(!world.maps);
	for (unsigned int i = 0; i < 16; i++)
		WORLD_CHECK(!world.port[i].handler);
	world_let_go();
}

#endif
