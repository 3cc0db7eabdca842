/* SPDX-License-Identifier: MIT */
/*
 * From the guest: requests of the tx ring become packets. A chain of requests is read once, into memory of this domain, and
 * judged as a whole; then one hypercall fetches the headers of a batch of packets, and they are handed to the port's user.
 *
 * A chain that ends where it should is the guest's own loss at worst: its slots are answered with an error. One that does
 * not, or an index that cannot be, leaves no way to go on: the interface is cut off.
 */
#include "net_back_internal.h"
#include <guest/event.h>
#include <guest/string.h>

#define ETHERNET_HEADER 14
/* Packets fetched by one hypercall. */
#define BATCH 32

struct fragment {
	grant_ref_t ref;
	uint16_t offset, size;
};

/* A packet as the ring describes it. */
struct chain {
	struct fragment fragments[XEN_NETIF_NR_SLOTS_MIN];
	uint16_t ids[XEN_NETIF_NR_SLOTS_MIN];
	unsigned int slots, extras;
	uint16_t flags, size; /* of the first request: of all */
	/* By type; those of type 0 are not there. */
	struct netif_extra_info extra[XEN_NETIF_EXTRA_TYPE_MAX];
	bool bad;
};

/* Answers */

static void push_answers(struct net_back_queue *queue)
{
	bool notify;

	RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&queue->tx, notify);
	if (notify)
		net_back_notify(queue, queue->tx_port);
}

static void answer_one(struct net_back_queue *queue, uint16_t id, int status)
{
	netif_tx_response_t *response = RING_GET_RESPONSE(&queue->tx, queue->tx.rsp_prod_pvt);

	response->id = id;
	response->status = (int16_t)status;
	queue->tx.rsp_prod_pvt++;
}

static void answer(struct net_back_queue *queue, const uint16_t *ids, unsigned int slots,
		   unsigned int extras, int status)
{
	answer_one(queue, ids[0], status);
	while (extras--)
		answer_one(queue, 0, NETIF_RSP_NULL);
	for (unsigned int i = 1; i < slots; i++)
		answer_one(queue, ids[i], status);
	if (!queue->tx_busy)
		push_answers(queue);
}

/* Packets */

static void release(struct net_packet *packet)
{
	struct net_back_packet *mine = (struct net_back_packet *)packet;
	struct net_back_queue *queue = mine->queue;

	if (queue->connected && mine->connection == queue->connection)
		answer(queue, mine->ids, mine->slots, mine->extras, mine->status);
	if (mine->page)
		queue->pages[queue->pages_free++] = mine->page;
	packet->next = queue->free;
	queue->free = packet;
	queue->on_the_way--;
	net_back_packet_freed(queue);
}

static struct net_back_packet *take_packet(struct net_back_queue *queue, const struct chain *chain)
{
	struct net_back_packet *mine = (struct net_back_packet *)queue->free;

	queue->free = mine->packet.next;
	queue->on_the_way++;
	net_packet_init(&mine->packet, release);
	mine->page = NULL;
	mine->connection = queue->connection;
	mine->status = NETIF_RSP_OKAY;
	mine->slots = (uint8_t)chain->slots;
	mine->extras = (uint8_t)chain->extras;
	memcpy(mine->ids, chain->ids, chain->slots * sizeof(chain->ids[0]));
	return mine;
}

bool net_back_packets_init(struct net_back_queue *queue)
{
	uint8_t *at = queue->memory;

	if (at)
		return true;
	at = queue->memory = pages_alloc(NET_BACK_QUEUE_PAGES);
	if (!at)
		return false;
	for (unsigned int i = 0; i < TX_PACKETS; i++, at += NET_BACK_PACKET_SIZE) {
		struct net_back_packet *mine = (struct net_back_packet *)at;

		mine->queue = queue;
		mine->packet.owner = NULL;
		mine->packet.next = queue->free;
		queue->free = &mine->packet;
	}
	for (unsigned int i = 0; i < TX_PAGES; i++, at += PAGE_SIZE)
		queue->pages[queue->pages_free++] = at;
	return true;
}

/* Reading the ring */

/* False: it does not end as it must. */
static bool read_extras(struct net_back_queue *queue, RING_IDX *at, RING_IDX end,
			struct chain *chain)
{
	struct netif_extra_info extra;

	do {
		if (*at == end || chain->extras == XEN_NETIF_EXTRA_TYPE_MAX - 1)
			return false;
		extra = *(volatile struct netif_extra_info *)RING_GET_REQUEST(&queue->tx, (*at)++);
		chain->extras++;
		if (extra.type == XEN_NETIF_EXTRA_TYPE_NONE ||
		    extra.type >= XEN_NETIF_EXTRA_TYPE_MAX || chain->extra[extra.type].type)
			chain->bad = true;
		else
			chain->extra[extra.type] = extra;
	} while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return true;
}

static void add_slot(struct chain *chain, const netif_tx_request_t *request)
{
	chain->fragments[chain->slots] =
	    (struct fragment){request->gref, request->offset, request->size};
	chain->ids[chain->slots++] = request->id;
}

/* The first fragment has what the others leave; each lies within its page. */
static void judge_fragments(struct chain *chain)
{
	uint32_t others = 0;

	for (unsigned int i = 1; i < chain->slots; i++)
		others += chain->fragments[i].size;
	if (chain->size < ETHERNET_HEADER || others > chain->size) {
		chain->bad = true;
		return;
	}
	chain->fragments[0].size = (uint16_t)(chain->size - others);
	for (unsigned int i = 0; i < chain->slots; i++)
		if (chain->fragments[i].offset + chain->fragments[i].size > PAGE_SIZE)
			chain->bad = true;
}

/* The chain that begins at the ring's next request and ends before `end`. False: there is none such. */
static bool read_chain(struct net_back_queue *queue, RING_IDX end, struct chain *chain,
		       RING_IDX *next)
{
	RING_IDX at = queue->tx.req_cons;
	netif_tx_request_t request;

	RING_COPY_REQUEST(&queue->tx, at, &request);
	at++;
	chain->slots = chain->extras = 0;
	chain->bad = false;
	chain->flags = request.flags;
	chain->size = request.size;
	for (unsigned int i = 0; i < XEN_NETIF_EXTRA_TYPE_MAX; i++)
		chain->extra[i].type = XEN_NETIF_EXTRA_TYPE_NONE;
	add_slot(chain, &request);
	if ((request.flags & NETTXF_extra_info) && !read_extras(queue, &at, end, chain))
		return false;
	while (request.flags & NETTXF_more_data) {
		if (at == end || chain->slots == XEN_NETIF_NR_SLOTS_MIN)
			return false;
		RING_COPY_REQUEST(&queue->tx, at, &request);
		at++;
		add_slot(chain, &request);
	}
	judge_fragments(chain);
	*next = at;
	return true;
}

/* Groups */

static unsigned int find_group(const struct net_back *back, const uint8_t *address)
{
	unsigned int i = 0;

	while (i < back->groups_used && memcmp(back->groups[i], address, NET_MAC) != 0)
		i++;
	return i;
}

/* NETIF_RSP_*: the answer to a request that carries no packet. */
static int change_groups(struct net_back *back, const struct chain *chain)
{
	const struct netif_extra_info *add = &chain->extra[XEN_NETIF_EXTRA_TYPE_MCAST_ADD];
	const struct netif_extra_info *del = &chain->extra[XEN_NETIF_EXTRA_TYPE_MCAST_DEL];
	unsigned int i;

	if (add->type) {
		i = find_group(back, add->u.mcast.addr);
		if (i == sizeof(back->groups) / NET_MAC)
			return NETIF_RSP_ERROR;
		memcpy(back->groups[i], add->u.mcast.addr, NET_MAC);
		if (i == back->groups_used)
			back->groups_used++;
	}
	if (del->type) {
		i = find_group(back, del->u.mcast.addr);
		if (i < back->groups_used)
			memcpy(back->groups[i], back->groups[--back->groups_used], NET_MAC);
	}
	return NETIF_RSP_OKAY;
}

/* Making packets */

static void add_copy(struct net_back_copies *copies, domid_t domain, const struct fragment *from,
		     uint64_t to, unsigned int length)
{
	copies->list[copies->count++] = (struct gnttab_copy){
	    .source = {.u.ref = from->ref, .domid = domain, .offset = from->offset},
	    .dest = {.u.gmfn = to >> PAGE_SHIFT, .domid = DOMID_SELF, .offset = to % PAGE_SIZE},
	    .len = (uint16_t)length,
	    .flags = GNTCOPY_source_gref,
	};
}

/* How much of the packet is fetched: its headers, or if that is likely to be of use all of it. */
static uint32_t choose_head(struct net_back_queue *queue, const struct chain *chain,
			    struct net_back_packet *mine)
{
	if (chain->size <= NET_HEADERS)
		return chain->size;
	if (!queue->back->port.prefer_local || chain->size > PAGE_SIZE || !queue->pages_free)
		return NET_HEADERS;
	mine->page = queue->pages[--queue->pages_free];
	return chain->size;
}

/* The first `head` bytes to be copied here, the rest to stay where it is. */
static void add_segments(struct net_back_queue *queue, const struct chain *chain,
			 struct net_back_packet *mine, struct net_back_copies *copies)
{
	domid_t domain = queue->back->front.domain;
	uint32_t head = choose_head(queue, chain, mine);
	void *data = mine->page ? mine->page : mine->room;
	uint64_t to = virt_to_machine(data);

	net_packet_add(&mine->packet, data, to, head);
	for (unsigned int i = 0; i < chain->slots; i++) {
		struct fragment from = chain->fragments[i];
		uint32_t piece = from.size < head ? from.size : head;

		if (piece)
			add_copy(copies, domain, &from, to, piece);
		to += piece;
		head -= piece;
		/* Within the limits of a packet: 18 slots, 64 KiB. */
		if (from.size > piece)
			net_packet_add_granted(&mine->packet, domain, from.ref,
					       (uint16_t)(from.offset + piece), from.size - piece);
	}
}

/* What the guest says of its packet, against the packet. */
static bool judge_offloads(const struct chain *chain, struct net_packet *packet)
{
	const struct netif_extra_info *gso = &chain->extra[XEN_NETIF_EXTRA_TYPE_GSO];
	struct net_headers headers;

	if (!(chain->flags & NETTXF_csum_blank) && !gso->type) {
		if (chain->flags & NETTXF_data_validated)
			packet->checksum = NET_CHECKSUM_VALID;
		return true;
	}
	packet->checksum = NET_CHECKSUM_PARTIAL;
	if (!net_checksum_prepare(packet) || !net_headers_find(packet, &headers))
		return false;
	if (gso->type) {
		if (gso->u.gso.features || gso->u.gso.type == XEN_NETIF_GSO_TYPE_NONE ||
		    gso->u.gso.type > XEN_NETIF_GSO_TYPE_TCPV6)
			return false;
		packet->gso =
		    gso->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4 ? NET_GSO_TCPV4 : NET_GSO_TCPV6;
		packet->gso_size = gso->u.gso.size;
	}
	return net_packet_check(packet, &headers);
}

/* One that is being fetched: its copies are those from the one before's end to its own. */
struct fetched {
	struct net_back_packet *packet;
	struct chain chain;
	unsigned int end;
};

static bool was_fetched(const struct net_back_copies *copies, unsigned int from, unsigned int end)
{
	for (unsigned int i = from; i < end; i++)
		if (copies->list[i].status != GNTST_okay)
			return false;
	return true;
}

static void deliver(struct net_back_queue *queue, struct fetched *batch, unsigned int count,
		    struct net_back_copies *copies)
{
	struct net_port *port = &queue->back->port;
	unsigned int copy = 0;

	if (!count)
		return;
	net_back_copy(queue->back, copies);
	for (unsigned int i = 0; i < count; i++) {
		struct net_packet *packet = &batch[i].packet->packet;

		if (was_fetched(copies, copy, batch[i].end) &&
		    judge_offloads(&batch[i].chain, packet)) {
			net_port_receive(port, packet);
		} else {
			batch[i].packet->status = NETIF_RSP_ERROR;
			queue->back->counters.malformed++;
		}
		net_packet_put(packet);
		copy = batch[i].end;
	}
	net_port_receive_end(port);
}

/* False: the guest has sent what its rate allows, and is looked at again later. */
static bool within_rate(struct net_back_queue *queue, uint32_t size)
{
	uint64_t now, wait;

	if (!queue->back->rate.rate)
		return true;
	now = clock_now();
	wait = net_rate_take(&queue->back->rate, size, now);
	if (!wait)
		return true;
	queue->tx_wait = now + wait;
	queue->back->counters.limited++;
	net_back_wake_at(queue->tx_wait);
	return false;
}

/* What has no packet in it, a bad one, or one that cannot go anywhere is answered at once. */
static bool settle(struct net_back_queue *queue, const struct chain *chain)
{
	struct net_back *back = queue->back;
	int status = NETIF_RSP_ERROR;

	if (chain->extra[XEN_NETIF_EXTRA_TYPE_MCAST_ADD].type ||
	    chain->extra[XEN_NETIF_EXTRA_TYPE_MCAST_DEL].type) {
		status = change_groups(back, chain);
	} else if (chain->bad) {
		back->counters.malformed++;
	} else if (!back->port.link) {
		status = NETIF_RSP_DROPPED;
		back->port.received.dropped++;
	} else {
		return false;
	}
	answer(queue, chain->ids, chain->slots, chain->extras, status);
	return true;
}

/* Returns how many chains were taken; fewer than the budget if there is nothing to go on with. */
static unsigned int take_batch(struct net_back_queue *queue, RING_IDX end, unsigned int budget)
{
	static struct fetched batch[BATCH];
	static struct net_back_copies copies;
	unsigned int count = 0, taken = 0;
	RING_IDX next;

	copies.count = 0;
	while (taken < budget && count < BATCH && queue->tx.req_cons != end &&
	       copies.count + XEN_NETIF_NR_SLOTS_MIN <= NET_BACK_COPIES) {
		struct fetched *f = &batch[count];

		if (!queue->free) {
			queue->tx_starved = true;
			break;
		}
		if (!read_chain(queue, end, &f->chain, &next)) {
			net_back_break(queue->back, "a packet's slots have no end");
			break;
		}
		if (!within_rate(queue, f->chain.size))
			break;
		queue->tx.req_cons = next;
		taken++;
		if (settle(queue, &f->chain))
			continue;
		f->packet = take_packet(queue, &f->chain);
		add_segments(queue, &f->chain, f->packet, &copies);
		f->end = copies.count;
		count++;
	}
	deliver(queue, batch, count, &copies);
	return taken;
}

/* Are there requests? Arms the guest's notification if not. False also if the index cannot be. */
static bool has_requests(struct net_back_queue *queue, RING_IDX *end)
{
	int more;

	RING_FINAL_CHECK_FOR_REQUESTS(&queue->tx, more);
	if (!more)
		return false;
	*end = __atomic_load_n(&queue->tx.sring->req_prod, __ATOMIC_ACQUIRE);
	/* Nor may it go back behind what has been taken. */
	if (!RING_REQUEST_PROD_OVERFLOW(&queue->tx, *end) &&
	    *end - queue->tx.req_cons <= RING_SIZE(&queue->tx))
		return true;
	net_back_break(queue->back, "more requests than its ring has room for");
	return false;
}

static bool can_go_on(const struct net_back_queue *queue)
{
	return queue->connected && !queue->tx_wait && !queue->tx_starved;
}

bool net_back_take(struct net_back_queue *queue, unsigned int budget)
{
	RING_IDX end, before = queue->tx.rsp_prod_pvt;
	bool more = true;

	queue->tx_wait = 0;
	queue->tx_starved = false;
	queue->tx_busy = true;
	while (more && budget && can_go_on(queue)) {
		more = has_requests(queue, &end);
		/* None after all: an index that goes back and forth is the thread's to look at. */
		if (more && queue->tx.req_cons == end)
			budget = 0;
		if (more)
			budget -= take_batch(queue, end, budget);
	}
	queue->tx_busy = false;
	if (queue->connected && queue->tx.rsp_prod_pvt != before)
		push_answers(queue);
	return more && can_go_on(queue);
}
