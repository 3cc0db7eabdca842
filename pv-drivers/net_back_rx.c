/* SPDX-License-Identifier: MIT */
/*
 * To the guest: packets wait in a short queue until the port is flushed, and are then copied by one hypercall into the
 * pages that the guest has posted, wherever the data lies: here, or in the pages of the guest that sent it.
 *
 * A guest that posts no pages makes packets wait, and these hold slots of others' rings. So they wait for a short time
 * only; after that packets for this guest are dropped at once, until it has posted many pages again.
 */
#include "net_back_internal.h"
#include <guest/string.h>

/* Responses made by one hypercall. */
#define RESPONSES 128

/* One to be written when its copies, those from the one before's end to its own, are done. */
struct response {
	union {
		netif_rx_response_t response;
		struct netif_extra_info extra;
	};
	unsigned int end;
};

/* Work in progress, for one queue at a time: none is left when the functions below return. */
static struct response responses[RESPONSES];
static unsigned int response_count;
static struct net_packet *packets[RX_PACKETS];
static unsigned int packet_count;
static struct net_back_copies copies;

static unsigned int pages_of(const struct net_packet *packet)
{
	return (packet->length + PAGE_SIZE - 1) / PAGE_SIZE;
}

static unsigned int slots_of(const struct net_packet *packet, struct net_hash_value hash)
{
	return pages_of(packet) + (packet->gso != NET_GSO_NONE) + hash.valid;
}

/*
 * Has the guest posted so many pages? If not it will tell when it does; unless it changes its mind while it is asked, for
 * which we look a few times only.
 */
static bool has_buffers(struct net_back_queue *queue, unsigned int count)
{
	volatile RING_IDX *shared = &queue->rx.sring->req_prod;

	for (unsigned int looks = 0; looks < 4; looks++) {
		RING_IDX end = *shared;

		/* Nor may it go back behind what has been taken. */
		if (RING_REQUEST_PROD_OVERFLOW(&queue->rx, end) ||
		    end - queue->rx.req_cons > RING_SIZE(&queue->rx)) {
			net_back_break(queue->back, "more buffers than its ring has room for");
			return false;
		}
		if (end - queue->rx.req_cons >= count) {
			xen_rmb();
			return true;
		}
		queue->rx.sring->req_event = end + 1;
		xen_mb();
		if (*shared == end)
			break;
	}
	return false;
}

static netif_rx_request_t take_buffer(struct net_back_queue *queue)
{
	netif_rx_request_t request;

	RING_COPY_REQUEST(&queue->rx, queue->rx.req_cons, &request);
	queue->rx.req_cons++;
	return request;
}

static struct response *add_response(uint16_t id)
{
	struct response *r = &responses[response_count++];

	r->response = (netif_rx_response_t){.id = id};
	return r;
}

static struct netif_extra_info *add_extra(struct net_back_queue *queue, uint8_t type)
{
	struct response *r = &responses[response_count++];

	/* Its slot answers a buffer that stays empty. */
	take_buffer(queue);
	r->end = copies.count;
	memset(&r->extra, 0, sizeof(r->extra));
	r->extra.type = type;
	return &r->extra;
}

static void add_extras(struct net_back_queue *queue, const struct net_packet *packet,
		       struct net_hash_value hash)
{
	struct netif_extra_info *extra;

	if (packet->gso) {
		extra = add_extra(queue, XEN_NETIF_EXTRA_TYPE_GSO);
		extra->flags = hash.valid ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
		extra->u.gso.size = packet->gso_size;
		extra->u.gso.type = packet->gso == NET_GSO_TCPV4 ? XEN_NETIF_GSO_TYPE_TCPV4
								 : XEN_NETIF_GSO_TYPE_TCPV6;
	}
	if (hash.valid) {
		extra = add_extra(queue, XEN_NETIF_EXTRA_TYPE_HASH);
		extra->u.hash.type = hash.type;
		extra->u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
		memcpy(extra->u.hash.value, &hash.value, sizeof(extra->u.hash.value));
	}
}

static uint16_t first_flags(const struct net_packet *packet, struct net_hash_value hash)
{
	uint16_t flags = packet->gso || hash.valid ? NETRXF_extra_info : 0;

	if (packet->checksum == NET_CHECKSUM_PARTIAL)
		flags |= NETRXF_csum_blank | NETRXF_data_validated;
	else if (packet->checksum == NET_CHECKSUM_VALID)
		flags |= NETRXF_data_validated;
	return flags;
}

static void add_copy(domid_t domain, const struct net_segment *from, uint32_t skip, grant_ref_t ref,
		     unsigned int offset, uint32_t length)
{
	struct gnttab_copy *copy = &copies.list[copies.count++];

	*copy = (struct gnttab_copy){
	    .dest = {.u.ref = ref, .domid = domain, .offset = (uint16_t)offset},
	    .len = (uint16_t)length,
	    .flags = GNTCOPY_dest_gref,
	};
	if (from->data) {
		copy->source.u.gmfn = (from->machine + skip) >> PAGE_SHIFT;
		copy->source.domid = DOMID_SELF;
		copy->source.offset = (from->machine + skip) % PAGE_SIZE;
	} else {
		copy->source.u.ref = from->ref;
		copy->source.domid = from->domain;
		copy->source.offset = (uint16_t)(from->offset + skip);
		copy->flags |= GNTCOPY_source_gref;
	}
}

/* Place a packet into as many buffers as it needs; they are there. */
static void place(struct net_back_queue *queue, struct net_packet *packet,
		  struct net_hash_value hash)
{
	domid_t domain = queue->back->front.domain;
	netif_rx_request_t buffer = take_buffer(queue);
	struct response *r = add_response(buffer.id);
	unsigned int used = 0;

	r->response.flags = first_flags(packet, hash);
	for (unsigned int i = 0; i < packet->count; i++) {
		const struct net_segment *from = &packet->segments[i];

		for (uint32_t skip = 0, piece; skip < from->length; skip += piece) {
			if (used == PAGE_SIZE) {
				r->response.flags |= NETRXF_more_data;
				if (r->response.flags & NETRXF_extra_info)
					add_extras(queue, packet, hash);
				buffer = take_buffer(queue);
				r = add_response(buffer.id);
				used = 0;
			}
			piece = from->length - skip;
			if (piece > PAGE_SIZE - used)
				piece = PAGE_SIZE - used;
			add_copy(domain, from, skip, buffer.gref, used, piece);
			used += piece;
			r->response.status = (int16_t)used;
			r->end = copies.count;
		}
	}
	if (r->response.flags & NETRXF_extra_info)
		add_extras(queue, packet, hash);
	packets[packet_count++] = packet;
}

/* Copy, answer, tell the guest. */
static void answer(struct net_back_queue *queue)
{
	unsigned int copy = 0;
	bool notify;

	net_back_copy(queue->back, &copies);
	for (unsigned int i = 0; i < response_count; i++) {
		netif_rx_response_t *to = RING_GET_RESPONSE(&queue->rx, queue->rx.rsp_prod_pvt);

		/* A slot whose copy failed spoils its packet; the others of it are as announced. */
		for (; copy < responses[i].end; copy++)
			if (copies.list[copy].status != GNTST_okay)
				responses[i].response.status = NETIF_RSP_ERROR;
		memcpy(to, &responses[i].response, sizeof(*to));
		queue->rx.rsp_prod_pvt++;
	}
	RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&queue->rx, notify);
	if (notify)
		net_back_notify(queue, queue->rx_port);
}

/* What has been begun, for a guest that was cut off meanwhile too. */
static void complete(struct net_back_queue *queue)
{
	if (response_count && queue->connected)
		answer(queue);
	response_count = 0;
	copies.count = 0;
	while (packet_count)
		net_packet_put(packets[--packet_count]);
}
_Static_assert(sizeof(netif_rx_response_t) == sizeof(struct netif_extra_info),
	       "both take the place of a response");

/* Room for one more packet in the work in progress? Each of its segments may end in a buffer, each buffer in a segment. */
static bool has_room(const struct net_packet *packet, unsigned int slots)
{
	return response_count + slots <= RESPONSES && packet_count < RX_PACKETS &&
	       copies.count + packet->count + slots <= NET_BACK_COPIES;
}

void net_back_fill(struct net_back_queue *queue)
{
	while (queue->waits && queue->connected) {
		struct net_packet *packet = queue->waiting[queue->first_waiting];
		struct net_hash_value hash = queue->hashes[queue->first_waiting];
		unsigned int slots = slots_of(packet, hash);

		if (!has_buffers(queue, slots))
			break;
		if (!has_room(packet, slots))
			complete(queue);
		place(queue, packet, hash);
		queue->first_waiting = (queue->first_waiting + 1) % RX_PACKETS;
		queue->waits--;
		queue->stall_at = 0;
	}
	complete(queue);
	if (queue->connected && queue->waits && !queue->stall_at) {
		queue->stall_at = clock_now() + RX_STALL;
		net_back_wake_at(queue->stall_at);
	}
}

void net_back_drop_waiting(struct net_back_queue *queue)
{
	for (; queue->waits; queue->waits--) {
		net_packet_put(queue->waiting[queue->first_waiting]);
		queue->first_waiting = (queue->first_waiting + 1) % RX_PACKETS;
		queue->back->port.sent.dropped++;
	}
	queue->stall_at = 0;
}

void net_back_stall(struct net_back_queue *queue)
{
	queue->stalled = true;
	queue->back->counters.stalls++;
	net_back_drop_waiting(queue);
}

void net_back_queue_packet(struct net_back_queue *queue, struct net_packet *packet,
			   struct net_hash_value hash)
{
	struct net_port *port = &queue->back->port;
	unsigned int at;

	if (queue->stalled && has_buffers(queue, RX_RECOVERED))
		queue->stalled = false;
	if (queue->waits == RX_PACKETS)
		net_back_fill(queue);
	/* has_buffers may have found the ring broken. */
	if (!queue->connected || queue->stalled || queue->waits == RX_PACKETS ||
	    (!queue->back->front.scatter && (pages_of(packet) > 1 || packet->gso))) {
		port->sent.dropped++;
		return;
	}
	port->sent.packets++;
	port->sent.bytes += packet->length;
	at = (queue->first_waiting + queue->waits++) % RX_PACKETS;
	queue->waiting[at] = net_packet_get(packet);
	queue->hashes[at] = hash;
}
