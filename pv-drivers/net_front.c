/* SPDX-License-Identifier: MIT */
/* All state changes with events masked: in handlers, in the port's operations, and here where it says so. */
#include <pv-drivers/net_front.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/format.h>
#include <guest/memory.h>
#include <guest/string.h>
#include <pv-drivers/net_mac.h>
#include <public/errno.h>

static struct net_front *front_of(struct xenbus_front *xenbus)
{
	return xenbus->bus.data;
}

/* The other end breaks the protocol: it is not listened to until it begins anew. */
static void give_up(struct net_front *front, const char *why)
{
	printk("%s: the back half is broken: %s\n", front->xenbus.bus.own, why);
	front->connected = false;
	net_port_changed(&front->port, false, front->port.features);
}

/* Packets that go out */

static void free_slot(struct net_front *front, unsigned int n)
{
	front->slots[n].used = false;
	front->slots[n].packet = NULL;
	front->slots[n].next_free = front->first_free;
	front->first_free = (uint16_t)n;
	front->slots_free++;
}

/* A page that the other end still has mapped stays granted, and its packet is lost to us, rather than another's memory. */
static void end_slot(struct net_front *front, unsigned int n)
{
	struct net_packet *packet = front->slots[n].packet;

	if (!grant_end(front->slots[n].ref)) {
		printk("%s: a page is held for ever\n", front->xenbus.bus.own);
		return;
	}
	free_slot(front, n);
	net_packet_put(packet);
}

static void on_sent(evtchn_port_t port, void *data)
{
	struct net_front *front = data;
	netif_tx_response_t answer;
	RING_IDX end;
	int more;

	do {
		if (!front->connected)
			return;
		end = __atomic_load_n(&front->tx.sring->rsp_prod, __ATOMIC_ACQUIRE);
		if (RING_RESPONSE_PROD_OVERFLOW(&front->tx, end)) {
			give_up(front, "answers to nothing");
			return;
		}
		while (front->tx.rsp_cons != end) {
			RING_COPY_RESPONSE(&front->tx, front->tx.rsp_cons, &answer);
			front->tx.rsp_cons++;
			if (answer.status == NETIF_RSP_NULL)
				continue;
			if (answer.id >= NET_FRONT_SLOTS || !front->slots[answer.id].used) {
				give_up(front, "an answer to nothing");
				return;
			}
			if (answer.status != NETIF_RSP_OKAY)
				front->port.sent.errors++;
			end_slot(front, answer.id);
		}
		RING_FINAL_CHECK_FOR_RESPONSES(&front->tx, more);
	} while (more);
}

static netif_tx_request_t *next_request(struct net_front *front)
{
	return RING_GET_REQUEST(&front->tx, front->tx.req_prod_pvt++);
}

/* A slot for a segment; there is one. Returns false without a grant. */
static bool put_segment(struct net_front *front, const struct net_segment *segment, uint32_t size,
			uint16_t flags, struct net_packet *packet)
{
	unsigned int n = front->first_free;
	long ref =
	    grant_access(front->xenbus.bus.other_domain, segment->machine >> PAGE_SHIFT, true);

	if (ref < 0)
		return false;
	front->first_free = front->slots[n].next_free;
	front->slots_free--;
	front->slots[n].used = true;
	front->slots[n].ref = (grant_ref_t)ref;
	front->slots[n].packet = packet;
	*next_request(front) = (netif_tx_request_t){
	    .gref = (grant_ref_t)ref,
	    .offset = (uint16_t)(segment->machine % PAGE_SIZE),
	    .flags = flags,
	    .id = (uint16_t)n,
	    .size = (uint16_t)size,
	};
	return true;
}

static void put_gso(struct net_front *front, const struct net_packet *packet)
{
	struct netif_extra_info gso = {.type = XEN_NETIF_EXTRA_TYPE_GSO};

	gso.u.gso.size = packet->gso_size;
	gso.u.gso.type =
	    packet->gso == NET_GSO_TCPV4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
	memcpy(next_request(front), &gso, sizeof(gso));
}

static uint16_t first_flags(const struct net_packet *packet)
{
	uint16_t flags = packet->gso ? NETTXF_extra_info : 0;

	if (packet->checksum == NET_CHECKSUM_PARTIAL)
		flags |= NETTXF_csum_blank | NETTXF_data_validated;
	else if (packet->checksum == NET_CHECKSUM_VALID)
		flags |= NETTXF_data_validated;
	return flags;
}

/* Not a single request is seen by the other end before the flush: what fails half way is taken back. */
static bool put_packet(struct net_front *front, struct net_packet *packet)
{
	RING_IDX before = front->tx.req_prod_pvt;
	uint16_t flags = first_flags(packet), used[XEN_NETIF_NR_SLOTS_MIN];

	for (unsigned int i = 0; i < packet->count; i++) {
		bool last = i == packet->count - 1u;
		uint32_t size = i ? packet->segments[i].length : packet->length;

		if (!last)
			flags |= NETTXF_more_data;
		used[i] = front->first_free;
		if (!put_segment(front, &packet->segments[i], size, flags, last ? packet : NULL)) {
			while (i--)
				end_slot(front, used[i]);
			front->tx.req_prod_pvt = before;
			return false;
		}
		if (!i && packet->gso)
			put_gso(front, packet);
		flags = 0;
	}
	net_packet_get(packet);
	return true;
}

static void send(struct net_port *port, struct net_packet *packet)
{
	struct net_front *front = port->driver;
	unsigned int slots = packet->count + (packet->gso != NET_GSO_NONE);

	if (front->port.link && packet->length <= XEN_NETIF_MAX_TX_SIZE &&
	    packet->count <= XEN_NETIF_NR_SLOTS_MIN && slots <= front->slots_free &&
	    slots <= RING_FREE_REQUESTS(&front->tx) && put_packet(front, packet)) {
		port->sent.packets++;
		port->sent.bytes += packet->length;
	} else {
		port->sent.dropped++;
	}
}

static void flush(struct net_port *port)
{
	struct net_front *front = port->driver;
	bool notify;

	if (!front->connected)
		return;
	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front->tx, notify);
	if (notify)
		event_send((evtchn_port_t)front->tx_ring.port);
}

static const struct net_port_operations operations = {.send = send, .flush = flush};

/* Packets that come in */

/* Have all free pages wait for packets. */
static void post_buffers(struct net_front *front)
{
	struct net_front_buffer *buffer;
	bool notify;
	long ref;

	while ((buffer = front->buffers) != NULL && !RING_FULL(&front->rx)) {
		ref =
		    grant_access(front->xenbus.bus.other_domain, virt_to_mfn(buffer->page), false);
		if (ref < 0)
			break;
		front->buffers = buffer->next;
		front->buffers_free--;
		buffer->ref = (grant_ref_t)ref;
		buffer->posted = true;
		*RING_GET_REQUEST(&front->rx, front->rx.req_prod_pvt) = (netif_rx_request_t){
		    .id = (uint16_t)(buffer - front->all), .gref = buffer->ref};
		front->rx.req_prod_pvt++;
	}
	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front->rx, notify);
	if (notify)
		event_send((evtchn_port_t)front->rx_ring.port);
}

static void free_buffer(struct net_front_buffer *buffer)
{
	buffer->next = buffer->front->buffers;
	buffer->front->buffers = buffer;
	buffer->front->buffers_free++;
}

/* A list of buffers that belong together. */
static void free_buffers(struct net_front_buffer *buffer)
{
	while (buffer) {
		struct net_front_buffer *next = buffer->next;

		free_buffer(buffer);
		buffer = next;
	}
}

/* The last one who looked at a packet does no more; any context. */
static void release(struct net_packet *packet)
{
	struct net_front_buffer *first = (struct net_front_buffer *)packet;
	struct net_front *front = first->front;

	free_buffers(first);
	/* Some at a time, so that the other end is not told of each; on_received posts what is left. */
	if (front->connected && front->buffers_free >= NET_FRONT_BUFFERS / 4)
		post_buffers(front);
}

static void deliver(struct net_front *front)
{
	struct net_front_buffer *head = front->head;

	front->head = NULL;
	front->tail = &front->head;
	if (front->bad ||
	    (head->packet.count > 1 && head->packet.segments[0].length < NET_HEADERS)) {
		front->port.received.errors++;
		free_buffers(head);
		return;
	}
	if (front->flags & NETRXF_csum_blank) {
		head->packet.checksum = NET_CHECKSUM_PARTIAL;
		/* What has no checksum to fill in is as it is. */
		if (!net_checksum_prepare(&head->packet))
			head->packet.checksum = NET_CHECKSUM_COMPLETE;
	} else if (front->flags & NETRXF_data_validated) {
		head->packet.checksum = NET_CHECKSUM_VALID;
	}
	net_port_receive(&front->port, &head->packet);
	net_packet_put(&head->packet);
}

/* One slot of a packet. False: the other end is broken. */
static bool take_response(struct net_front *front, const netif_rx_response_t *response)
{
	struct net_front_buffer *buffer;

	if (response->id >= NET_FRONT_BUFFERS || !front->all[response->id].posted)
		return false;
	buffer = &front->all[response->id];
	/* It could change under us, or be written to when it is used for something else: no page of ours any more. */
	if (!grant_end(buffer->ref))
		return false;
	buffer->posted = false;
	buffer->next = NULL;
	if (!front->head) {
		net_packet_init(&buffer->packet, release);
		front->flags = response->flags;
		front->bad = false;
	}
	*front->tail = buffer;
	front->tail = &buffer->next;
	if (response->status <= 0 || response->offset + response->status > PAGE_SIZE ||
	    !net_packet_add(&front->head->packet, (char *)buffer->page + response->offset,
			    virt_to_machine(buffer->page) + response->offset,
			    (uint32_t)response->status))
		front->bad = true;
	if (!(response->flags & NETRXF_more_data))
		deliver(front);
	/* Nothing was offered that would need more to be said. */
	return !(response->flags & NETRXF_extra_info);
}

static void on_received(evtchn_port_t port, void *data)
{
	struct net_front *front = data;
	netif_rx_response_t response;
	RING_IDX end;
	int more;

	do {
		if (!front->connected)
			return;
		end = __atomic_load_n(&front->rx.sring->rsp_prod, __ATOMIC_ACQUIRE);
		if (RING_RESPONSE_PROD_OVERFLOW(&front->rx, end)) {
			give_up(front, "packets into nothing");
			return;
		}
		while (front->rx.rsp_cons != end && front->connected) {
			RING_COPY_RESPONSE(&front->rx, front->rx.rsp_cons, &response);
			front->rx.rsp_cons++;
			if (!take_response(front, &response))
				give_up(front, "a packet that cannot be");
		}
		if (!front->connected)
			return;
		net_port_receive_end(&front->port);
		post_buffers(front);
		RING_FINAL_CHECK_FOR_RESPONSES(&front->rx, more);
	} while (more);
}

/* The states */

static long prepare(struct xenbus_front *xenbus)
{
	struct net_front *front = front_of(xenbus);
	uint64_t split = 0;
	long error;

	xenbus_read_other_number(&xenbus->bus, "feature-split-event-channels", &split);
	if (split != 1)
		return -XEN_EOPNOTSUPP;
	error = xenbus_ring_create(&xenbus->bus, &front->tx_ring, 0, on_sent, front);
	if (error)
		return error;
	error = xenbus_ring_create(&xenbus->bus, &front->rx_ring, 0, on_received, front);
	if (error)
		return error;
	XEN_FRONT_RING_INIT(&front->tx, (netif_tx_sring_t *)front->tx_ring.pages, PAGE_SIZE);
	XEN_FRONT_RING_INIT(&front->rx, (netif_rx_sring_t *)front->rx_ring.pages, PAGE_SIZE);
	return 0;
}

static long publish(struct xenbus_front *xenbus, xs_transaction t)
{
	struct net_front *front = front_of(xenbus);
	struct xenbus_device *bus = &xenbus->bus;
	long error =
	    xenbus_ring_publish(bus, t, &front->tx_ring, "tx-ring-ref", "event-channel-tx");

	if (!error)
		error =
		    xenbus_ring_publish(bus, t, &front->rx_ring, "rx-ring-ref", "event-channel-rx");
	if (!error)
		error = xenbus_printf(bus, t, "request-rx-copy", "1");
	if (!error)
		error = xenbus_printf(bus, t, "feature-rx-notify", "1");
	if (!error)
		error = xenbus_printf(bus, t, "feature-sg", "1");
	return error;
}

/* What the back half takes. */
static uint32_t features_of(struct xenbus_device *bus)
{
	static const struct {
		const char *name;
		uint32_t feature;
	} known[] = {
	    {"feature-sg", NET_FEATURE_SCATTER},
	    {"feature-ipv6-csum-offload", NET_FEATURE_CHECKSUM_IPV6},
	    {"feature-gso-tcpv4", NET_FEATURE_GSO_TCPV4},
	    {"feature-gso-tcpv6", NET_FEATURE_GSO_TCPV6},
	};
	uint32_t features = 0;
	uint64_t value;

	if (xenbus_read_other_number(bus, "feature-no-csum-offload", &value) || value != 1)
		features |= NET_FEATURE_CHECKSUM_IPV4;
	for (unsigned int i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!xenbus_read_other_number(bus, known[i].name, &value) && value == 1)
			features |= known[i].feature;
	return features;
}

/* The back half's own link: up, if it does not say. */
static bool read_carrier(struct xenbus_device *bus)
{
	uint64_t carrier;

	return xenbus_read_other_number(bus, "carrier", &carrier) || carrier;
}

static void on_carrier(struct xs_watch *watch, const char *path)
{
	struct net_front *front =
	    (struct net_front *)((char *)watch -
				 __builtin_offsetof(struct net_front, carrier_watch));
	bool carrier = read_carrier(&front->xenbus.bus), masked = events_save();

	if (front->connected && front->port.link != carrier)
		net_port_changed(&front->port, carrier, front->port.features);
	events_restore(masked);
}

static long connect(struct xenbus_front *xenbus)
{
	struct net_front *front = front_of(xenbus);
	uint32_t features = features_of(&xenbus->bus);
	bool carrier = read_carrier(&xenbus->bus), masked = events_save();

	front->connected = true;
	post_buffers(front);
	net_port_changed(&front->port, carrier, features);
	events_restore(masked);
	return 0;
}

/* Take back what is granted. False: some of it is mapped still. */
static bool take_back(struct net_front *front)
{
	bool all = true;

	for (unsigned int n = 0; n < NET_FRONT_SLOTS; n++)
		if (front->slots[n].used)
			end_slot(front, n);
	for (unsigned int n = 0; n < NET_FRONT_BUFFERS; n++) {
		struct net_front_buffer *buffer = &front->all[n];

		if (!buffer->posted)
			continue;
		if (grant_end(buffer->ref)) {
			buffer->posted = false;
			free_buffer(buffer);
		} else {
			all = false;
		}
	}
	free_buffers(front->head);
	front->head = NULL;
	front->tail = &front->head;
	return all && front->slots_free == NET_FRONT_SLOTS;
}

static bool disconnect(struct xenbus_front *xenbus, bool again)
{
	struct net_front *front = front_of(xenbus);
	bool masked = events_save(), done;

	if (front->connected) {
		front->connected = false;
		net_port_changed(&front->port, false, front->port.features);
	}
	done = take_back(front);
	events_restore(masked);
	/* Both, whatever the first one says. */
	done &= xenbus_ring_destroy(&front->tx_ring);
	done &= xenbus_ring_destroy(&front->rx_ring);
	return done;
}

static const struct xenbus_front_driver driver = {
    .published = XenbusStateConnected,
    .prepare = prepare,
    .publish = publish,
    .connect = connect,
    .disconnect = disconnect,
};

/* Life */

static long read_own(struct net_front *front, struct xs *xs, const char *own)
{
	char path[XENBUS_PATH + 8], text[32];
	uint64_t mtu;
	long length;

	format_string(path, sizeof(path), "%s/mac", own);
	length = xs_read(xs, 0, path, text, sizeof(text));
	if (length < 0)
		return length;
	if (!net_mac_parse(text, front->port.mac))
		return -XEN_EINVAL;
	format_string(path, sizeof(path), "%s/mtu", own);
	if (xs_read_number(xs, 0, path, &mtu) || mtu < NET_MTU_LEAST || mtu > NET_MTU_MOST)
		mtu = 1500;
	front->port.mtu = (uint16_t)mtu;
	return 0;
}

long net_front_open(struct net_front *front, struct xs *xs, const char *own)
{
	long error = grants_init();

	if (!error)
		error = read_own(front, xs, own);
	if (error)
		return error;
	front->pages = pages_alloc(NET_FRONT_BUFFERS);
	if (!front->pages)
		return -XEN_ENOMEM;
	for (unsigned int n = 0; n < NET_FRONT_BUFFERS; n++) {
		front->all[n].front = front;
		front->all[n].page = (char *)front->pages + n * PAGE_SIZE;
		free_buffer(&front->all[n]);
	}
	front->first_free = NET_FRONT_SLOTS;
	for (unsigned int n = 0; n < NET_FRONT_SLOTS; n++)
		free_slot(front, n);
	front->tail = &front->head;
	front->port.operations = &operations;
	front->port.driver = front;
	format_string(front->port.name, sizeof(front->port.name), "%s", "eth0");
	front->xenbus.bus.data = front;
	error = xenbus_front_open(&front->xenbus, xs, own, &driver);
	if (error) {
		pages_free(front->pages, NET_FRONT_BUFFERS);
		return error;
	}
	format_string(front->carrier_path, sizeof(front->carrier_path), "%s/carrier",
		      front->xenbus.bus.other);
	front->carrier_watch.path = front->carrier_path;
	front->carrier_watch.fired = on_carrier;
	error = xs_watch(xs, &front->carrier_watch);
	if (error)
		net_front_close(front);
	return error;
}

void net_front_close(struct net_front *front)
{
	xs_unwatch(front->xenbus.bus.xs, &front->carrier_watch);
	xenbus_front_close(&front->xenbus);
	/* What the back half would not let go of stays allocated. */
	if (take_back(front))
		pages_free(front->pages, NET_FRONT_BUFFERS);
}
