/* SPDX-License-Identifier: MIT */
/*
 * To the guest: packets wait in a short queue until the port is flushed, and are then copied by one hypercall into the
 * pages that the guest has posted, wherever the data lies: here, or in the pages of the guest that sent it. To a guest that
 * takes large packets of TCP, small ones of a connection that wait together go as one (net_merge.h).
 *
 * A guest that posts no pages makes packets wait, and these hold slots of others' rings. So they wait for a short time
 * only; after that packets for this guest are dropped at once, until it has posted many pages again.
 */
#include "net_back_internal.h"
#include <guest/string.h>
#include <pv-drivers/net_merge.h>

/* Responses made by one hypercall. */
#define RESPONSES 128
/* Packets of others that a merged one may overtake at a time. */
#define OVERTAKEN 8

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
/* Headers of merged packets, each of two at least. */
#define MERGED_HEADERS 128
static _Alignas(PAGE_SIZE) uint8_t headers[RX_PACKETS / 2][MERGED_HEADERS];
static unsigned int headers_used;
_Static_assert(MERGED_HEADERS >= NET_MERGE_HEADERS && sizeof(headers) <= PAGE_SIZE,
	       "each lies within a page");

/* Of the largest: 64 KiB, and what says how it is to be cut, and its hash. */
#define MERGED_SLOTS 19

/* What goes to the guest as one packet: `count` of those that wait, from the first on. */
struct outgoing {
	uint8_t at[RX_PACKETS]; /* which of queue->waiting */
	unsigned int count;
	unsigned int segments;	    /* of all */
	unsigned int slots;	    /* that it takes */
	struct net_hash_value hash; /* the first one's: all of a connection have the same */
	struct net_merge merge;	    /* with more than one */
};

static unsigned int pages_of(uint32_t length)
{
	return (length + PAGE_SIZE - 1) / PAGE_SIZE;
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

static uint16_t checksum_flags(enum net_checksum checksum)
{
	if (checksum == NET_CHECKSUM_PARTIAL)
		return NETRXF_csum_blank | NETRXF_data_validated;
	return checksum == NET_CHECKSUM_VALID ? NETRXF_data_validated : 0;
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

/* A packet that is being placed: in as many buffers as it needs, which are there. */
struct place {
	struct net_back_queue *queue;
	netif_rx_request_t buffer; /* the last one, */
	struct response *response; /* what answers it, */
	unsigned int used;	   /* and how full it is */
	enum net_gso gso;
	uint16_t gso_size;
	struct net_hash_value hash;
};

static void place_begin(struct place *place, struct net_back_queue *queue,
			enum net_checksum checksum)
{
	place->queue = queue;
	place->buffer = take_buffer(queue);
	place->response = add_response(place->buffer.id);
	place->response->response.flags = checksum_flags(checksum);
	if (place->gso != NET_GSO_NONE || place->hash.valid)
		place->response->response.flags |= NETRXF_extra_info;
	place->used = 0;
}

/* Behind the first buffer. */
static void place_extras(const struct place *place)
{
	struct netif_extra_info *extra;

	if (!(place->response->response.flags & NETRXF_extra_info))
		return;
	if (place->gso != NET_GSO_NONE) {
		extra = add_extra(place->queue, XEN_NETIF_EXTRA_TYPE_GSO);
		extra->flags = place->hash.valid ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
		extra->u.gso.size = place->gso_size;
		extra->u.gso.type = place->gso == NET_GSO_TCPV4 ? XEN_NETIF_GSO_TYPE_TCPV4
								: XEN_NETIF_GSO_TYPE_TCPV6;
	}
	if (place->hash.valid) {
		extra = add_extra(place->queue, XEN_NETIF_EXTRA_TYPE_HASH);
		extra->u.hash.type = place->hash.type;
		extra->u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
		memcpy(extra->u.hash.value, &place->hash.value, sizeof(extra->u.hash.value));
	}
}

static void place_next(struct place *place)
{
	place->response->response.flags |= NETRXF_more_data;
	place_extras(place);
	place->buffer = take_buffer(place->queue);
	place->response = add_response(place->buffer.id);
	place->used = 0;
}

/* The segment but for its first `skip` bytes. */
static void place_segment(struct place *place, const struct net_segment *from, uint32_t skip)
{
	for (uint32_t piece; skip < from->length; skip += piece) {
		if (place->used == PAGE_SIZE)
			place_next(place);
		piece = from->length - skip;
		if (piece > PAGE_SIZE - place->used)
			piece = PAGE_SIZE - place->used;
		add_copy(place->queue->back->front.domain, from, skip, place->buffer.gref,
			 place->used, piece);
		place->used += piece;
		place->response->response.status = (int16_t)place->used;
		place->response->end = copies.count;
	}
}

static void place_packet(struct place *place, const struct net_packet *packet, uint32_t skip)
{
	for (unsigned int i = 0; i < packet->count; i++, skip = 0)
		place_segment(place, &packet->segments[i], skip);
}

/* The packet is no longer one that waits. */
static struct net_packet *take_waiting(struct net_back_queue *queue, unsigned int at)
{
	struct net_packet *packet = queue->waiting[at];

	queue->waiting[at] = NULL;
	packets[packet_count++] = packet;
	return packet;
}

static void place_merged(struct net_back_queue *queue, const struct outgoing *outgoing)
{
	uint8_t *bytes = headers[headers_used++];
	struct place place = {
	    .gso = outgoing->merge.gso, .gso_size = outgoing->merge.size, .hash = outgoing->hash};
	const struct net_segment segment = {
	    .data = bytes, .machine = virt_to_machine(bytes), .length = outgoing->merge.data};

	net_merge_end(&outgoing->merge, bytes);
	place_begin(&place, queue, NET_CHECKSUM_PARTIAL);
	place_segment(&place, &segment, 0);
	for (unsigned int i = 0; i < outgoing->count; i++)
		place_packet(&place, take_waiting(queue, outgoing->at[i]), outgoing->merge.data);
	place_extras(&place);
}

static void place_single(struct net_back_queue *queue, const struct outgoing *outgoing)
{
	const struct net_packet *packet = take_waiting(queue, outgoing->at[0]);
	struct place place = {
	    .gso = packet->gso, .gso_size = packet->gso_size, .hash = outgoing->hash};

	place_begin(&place, queue, packet->checksum);
	place_packet(&place, packet, 0);
	place_extras(&place);
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
	response_count = headers_used = 0;
	copies.count = 0;
	while (packet_count)
		net_packet_put(packets[--packet_count]);
}
_Static_assert(sizeof(netif_rx_response_t) == sizeof(struct netif_extra_info),
	       "both take the place of a response");

/* Room for one more packet in the work in progress? Each of its segments may end in a buffer, each buffer in a segment. */
static bool has_room(const struct outgoing *outgoing)
{
	return response_count + outgoing->slots <= RESPONSES &&
	       packet_count + outgoing->count <= RX_PACKETS &&
	       copies.count + outgoing->segments + outgoing->slots <= NET_BACK_COPIES;
}

static void choose_first(const struct net_back_queue *queue, struct outgoing *outgoing)
{
	const struct net_packet *packet = queue->waiting[queue->first_waiting];

	outgoing->at[0] = (uint8_t)queue->first_waiting;
	outgoing->count = 1;
	outgoing->segments = packet->count;
	outgoing->hash = queue->hashes[queue->first_waiting];
	outgoing->slots =
	    pages_of(packet->length) + (packet->gso != NET_GSO_NONE) + outgoing->hash.valid;
}

/* The first one that waits, with what of its connection can go with it: no slots more than each by itself would take. */
static void choose(const struct net_back_queue *queue, struct outgoing *outgoing)
{
	uint32_t features = queue->back->port.features;
	struct net_merge *merge = &outgoing->merge;

	choose_first(queue, outgoing);
	if (queue->waits == 1 || !(features & (NET_FEATURE_GSO_TCPV4 | NET_FEATURE_GSO_TCPV6)) ||
	    !net_merge_begin(merge, queue->waiting[queue->first_waiting]) ||
	    !(features &
	      (merge->gso == NET_GSO_TCPV4 ? NET_FEATURE_GSO_TCPV4 : NET_FEATURE_GSO_TCPV6)))
		return;
	for (unsigned int i = 1, others = 0; i < queue->waits && !merge->ended; i++) {
		unsigned int at = (queue->first_waiting + i) % RX_PACKETS;
		const struct net_packet *packet = queue->waiting[at];
		enum net_merge_result result;

		if (!packet)
			continue;
		if (outgoing->segments + 1 + packet->count + MERGED_SLOTS > NET_BACK_COPIES)
			break;
		result = net_merge_add(merge, packet);
		if (result == NET_MERGE_END || (result == NET_MERGE_OTHER && ++others > OVERTAKEN))
			break;
		if (result == NET_MERGE_OTHER)
			continue;
		others = 0;
		outgoing->at[outgoing->count++] = (uint8_t)at;
		outgoing->segments += packet->count;
	}
	if (outgoing->count == 1)
		return;
	outgoing->segments++;
	outgoing->slots = pages_of(merge->length) + 1 + outgoing->hash.valid;
}

/* Does the guest have the buffers for it, or at least for the first packet alone? */
static bool can_go(struct net_back_queue *queue, struct outgoing *outgoing)
{
	if (has_buffers(queue, outgoing->slots))
		return true;
	if (outgoing->count == 1)
		return false;
	choose_first(queue, outgoing);
	return has_buffers(queue, outgoing->slots);
}

void net_back_fill(struct net_back_queue *queue)
{
	struct outgoing outgoing;

	while (queue->waits && queue->connected) {
		if (queue->waiting[queue->first_waiting]) {
			choose(queue, &outgoing);
			if (!can_go(queue, &outgoing))
				break;
			if (!has_room(&outgoing))
				complete(queue);
			if (outgoing.count > 1)
				place_merged(queue, &outgoing);
			else
				place_single(queue, &outgoing);
			queue->stall_at = 0;
		}
		queue->first_waiting = (queue->first_waiting + 1) % RX_PACKETS;
		queue->waits--;
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
		struct net_packet *packet = queue->waiting[queue->first_waiting];

		queue->back->port.sent.dropped += packet != NULL;
		net_packet_put(packet);
		queue->first_waiting = (queue->first_waiting + 1) % RX_PACKETS;
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
	    (!queue->back->front.scatter && (pages_of(packet->length) > 1 || packet->gso))) {
		port->sent.dropped++;
		return;
	}
	port->sent.packets++;
	port->sent.bytes += packet->length;
	at = (queue->first_waiting + queue->waits++) % RX_PACKETS;
	queue->waiting[at] = net_packet_get(packet);
	queue->hashes[at] = hash;
}
