/* SPDX-License-Identifier: MIT */
/* Packets, their pools, ports. The lock of all of it is the event mask. */
#include <pv-drivers/net.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/string.h>

/*
 * A packet of a pool. own: which of its segments are pages of the pool, a bit each. The room lies within one page, as
 * all of the structure does.
 */
struct pool_packet {
	struct net_packet packet;
	struct net_pool *pool;
	uint32_t own;
	bool has_room; /* not used yet */
	_Alignas(16) uint8_t room[NET_ROOM];
};

#define PACKET_SIZE 1024
_Static_assert(sizeof(struct pool_packet) <= PACKET_SIZE, "four packets a page");

/* A free page begins with the address of the next. */
struct free_page {
	struct free_page *next;
};

struct net_pool {
	struct net_packet *packets;
	struct free_page *pages;
	unsigned int packets_free, packets_all, pages_free, pages_all;
	void (*available)(void *data);
	void *data;
	unsigned long memory; /* pages, this structure's too, which is the first */
};

void net_packet_init(struct net_packet *packet, void (*release)(struct net_packet *packet))
{
	packet->length = 0;
	packet->count = 0;
	packet->checksum = NET_CHECKSUM_COMPLETE;
	packet->gso = NET_GSO_NONE;
	packet->gso_size = 0;
	packet->checksum_start = 0;
	packet->checksum_offset = 0;
	packet->references = 1;
	packet->release = release;
	packet->base = NULL;
	packet->local = NULL;
}

static struct net_segment *add_segment(struct net_packet *packet, uint32_t length)
{
	struct net_segment *segment;

	if (packet->count == NET_SEGMENTS || !length || length > NET_PACKET_MAX - packet->length)
		return NULL;
	segment = &packet->segments[packet->count++];
	segment->length = length;
	packet->length += length;
	return segment;
}

bool net_packet_add(struct net_packet *packet, void *data, uint64_t machine, uint32_t length)
{
	struct net_segment *segment = add_segment(packet, length);

	if (!segment)
		return false;
	segment->data = data;
	segment->machine = machine;
	return true;
}

bool net_packet_add_granted(struct net_packet *packet, domid_t domain, grant_ref_t ref,
			    uint16_t offset, uint32_t length)
{
	struct net_segment *segment = add_segment(packet, length);

	if (!segment)
		return false;
	segment->data = NULL;
	segment->machine = 0;
	segment->domain = domain;
	segment->ref = ref;
	segment->offset = offset;
	return true;
}

struct net_packet *net_packet_get(struct net_packet *packet)
{
	bool masked = events_save();

	packet->references++;
	events_restore(masked);
	return packet;
}

void net_packet_put(struct net_packet *packet)
{
	bool masked = events_save();

	/* A packet's base may go with it, and so on; a chain is as long as packets were made of each other. */
	while (packet && !--packet->references) {
		struct net_packet *base = packet->base, *local = packet->local;

		packet->release(packet);
		/* A copy has neither. */
		if (local)
			net_packet_put(local);
		packet = base;
	}
	events_restore(masked);
}

bool net_packet_is_local(const struct net_packet *packet)
{
	for (unsigned int i = 0; i < packet->count; i++)
		if (!packet->segments[i].data)
			return false;
	return true;
}

size_t net_packet_copy_out(const struct net_packet *packet, size_t from, void *to, size_t length)
{
	size_t done = 0;

	for (unsigned int i = 0; i < packet->count && done < length; i++) {
		const struct net_segment *segment = &packet->segments[i];
		size_t piece;

		if (from >= segment->length) {
			from -= segment->length;
			continue;
		}
		piece = segment->length - from;
		if (piece > length - done)
			piece = length - done;
		memcpy((uint8_t *)to + done, (const uint8_t *)segment->data + from, piece);
		done += piece;
		from = 0;
	}
	return done;
}

/* Pools */

struct net_pool *net_pool_create(unsigned int packets, unsigned int pages)
{
	unsigned long holders = (packets + PAGE_SIZE / PACKET_SIZE - 1) / (PAGE_SIZE / PACKET_SIZE);
	unsigned long memory = 1 + holders + pages;
	uint8_t *at = pages_alloc(memory);
	struct net_pool *pool = (struct net_pool *)at;

	if (!pool)
		return NULL;
	*pool = (struct net_pool){.packets_free = packets,
				  .packets_all = packets,
				  .pages_free = pages,
				  .pages_all = pages,
				  .memory = memory};
	at += PAGE_SIZE;
	for (unsigned int i = 0; i < packets; i++) {
		struct pool_packet *packet = (struct pool_packet *)(at + i * PACKET_SIZE);

		packet->pool = pool;
		packet->packet.owner = NULL;
		packet->packet.next = pool->packets;
		pool->packets = &packet->packet;
	}
	at += holders * PAGE_SIZE;
	for (unsigned int i = 0; i < pages; i++) {
		struct free_page *page = (struct free_page *)(at + i * PAGE_SIZE);

		page->next = pool->pages;
		pool->pages = page;
	}
	return pool;
}

bool net_pool_destroy(struct net_pool *pool)
{
	if (pool->packets_free != pool->packets_all || pool->pages_free != pool->pages_all)
		return false;
	pages_free(pool, pool->memory);
	return true;
}

unsigned int net_pool_packets_free(const struct net_pool *pool)
{
	return pool->packets_free;
}

unsigned int net_pool_pages_free(const struct net_pool *pool)
{
	return pool->pages_free;
}

void net_pool_notify(struct net_pool *pool, void (*available)(void *data), void *data)
{
	bool masked = events_save();

	pool->available = available;
	pool->data = data;
	events_restore(masked);
}

/* Events are masked: called by net_packet_put. */
static void pool_release(struct net_packet *packet)
{
	struct pool_packet *mine = (struct pool_packet *)packet;
	struct net_pool *pool = mine->pool;
	void (*available)(void *data) = pool->available;

	for (uint32_t own = mine->own; own; own &= own - 1) {
		uint64_t data = (uint64_t)packet->segments[__builtin_ctz(own)].data;

		net_pool_give_page(pool, (void *)(data & ~(uint64_t)(PAGE_SIZE - 1)));
	}
	packet->next = pool->packets;
	pool->packets = packet;
	pool->packets_free++;
	if (available) {
		pool->available = NULL;
		available(pool->data);
	}
}

struct net_packet *net_packet_alloc(struct net_pool *pool)
{
	bool masked = events_save();
	struct net_packet *packet = pool->packets;
	struct pool_packet *mine = (struct pool_packet *)packet;

	if (packet) {
		pool->packets = packet->next;
		pool->packets_free--;
		net_packet_init(packet, pool_release);
		mine->own = 0;
		mine->has_room = true;
	}
	events_restore(masked);
	return packet;
}

void *net_packet_add_room(struct net_packet *packet, uint32_t length)
{
	struct pool_packet *mine = (struct pool_packet *)packet;

	if (length > NET_ROOM || !mine->has_room ||
	    !net_packet_add(packet, mine->room, virt_to_machine(mine->room), length))
		return NULL;
	mine->has_room = false;
	return mine->room;
}

void *net_pool_take_page(struct net_pool *pool)
{
	bool masked = events_save();
	struct free_page *page = pool->pages;

	if (page) {
		pool->pages = page->next;
		pool->pages_free--;
	}
	events_restore(masked);
	return page;
}

void net_pool_give_page(struct net_pool *pool, void *page)
{
	bool masked = events_save();
	struct free_page *free_page = page;

	free_page->next = pool->pages;
	pool->pages = free_page;
	pool->pages_free++;
	events_restore(masked);
}

bool net_packet_add_taken(struct net_packet *packet, void *page, unsigned int offset,
			  uint32_t length)
{
	struct pool_packet *mine = (struct pool_packet *)packet;

	if (offset >= PAGE_SIZE || length > PAGE_SIZE - offset ||
	    !net_packet_add(packet, (uint8_t *)page + offset, virt_to_machine(page) + offset,
			    length))
		return false;
	mine->own |= 1u << (packet->count - 1);
	return true;
}

void *net_packet_add_page(struct net_packet *packet, unsigned int offset, uint32_t length)
{
	struct net_pool *pool = ((struct pool_packet *)packet)->pool;
	void *page = net_pool_take_page(pool);

	if (!page)
		return NULL;
	if (!net_packet_add_taken(packet, page, offset, length)) {
		net_pool_give_page(pool, page);
		return NULL;
	}
	return (uint8_t *)page + offset;
}

struct net_packet *net_packet_from_bytes(struct net_pool *pool, const void *bytes, uint32_t length)
{
	struct net_packet *packet = length ? net_packet_alloc(pool) : NULL;
	const uint8_t *from = bytes;

	while (packet && length) {
		uint32_t piece = length < PAGE_SIZE ? length : PAGE_SIZE;
		void *to = length <= NET_ROOM && !packet->count
			       ? net_packet_add_room(packet, length)
			       : net_packet_add_page(packet, 0, piece);

		if (!to) {
			net_packet_put(packet);
			return NULL;
		}
		memcpy(to, from, piece);
		from += piece;
		length -= piece;
	}
	return packet;
}

/* Append what follows the first skip bytes of base, at most length bytes. */
static bool add_rest(struct net_packet *packet, const struct net_packet *base, uint32_t skip,
		     uint32_t length)
{
	for (unsigned int i = 0; i < base->count && length; i++) {
		const struct net_segment *from = &base->segments[i];
		struct net_segment *to;
		uint32_t piece;

		if (skip >= from->length) {
			skip -= from->length;
			continue;
		}
		piece = from->length - skip < length ? from->length - skip : length;
		to = add_segment(packet, piece);
		if (!to)
			return false;
		*to = *from;
		to->length = piece;
		to->machine += skip;
		if (to->data)
			to->data = (uint8_t *)to->data + skip;
		else
			to->offset += skip;
		length -= piece;
		skip = 0;
	}
	return true;
}

struct net_packet *net_packet_derive(struct net_pool *pool, struct net_packet *base,
				     uint32_t headers, uint32_t skip, uint32_t length)
{
	struct net_packet *packet = net_packet_alloc(pool);

	if (!packet)
		return NULL;
	if (!net_packet_add_room(packet, headers) || !add_rest(packet, base, skip, length)) {
		net_packet_put(packet);
		return NULL;
	}
	packet->base = net_packet_get(base);
	return packet;
}

/* Into this domain */

/* A piece of a segment may end at a page of ours, and one of ours at a segment. */
#define COPIES (2 * NET_SEGMENTS)

/* A copy in progress: how full the last page of `to` is follows from its length. */
struct fetch {
	struct net_packet *to;
	uint8_t *page;
	uint32_t used;
	struct gnttab_copy copies[COPIES];
	unsigned int count;
	uint32_t left; /* bytes of the packet that have no place yet */
};

static bool fetch_room(struct fetch *fetch)
{
	uint32_t length = fetch->left < PAGE_SIZE ? fetch->left : PAGE_SIZE;

	if (fetch->used < PAGE_SIZE && fetch->page)
		return true;
	fetch->page = net_packet_add_page(fetch->to, 0, length);
	fetch->used = 0;
	fetch->left -= length;
	return fetch->page;
}

static void fetch_granted(struct fetch *fetch, const struct net_segment *from, uint32_t skip,
			  uint32_t piece)
{
	fetch->copies[fetch->count++] = (struct gnttab_copy){
	    .source = {.u.ref = from->ref, .domid = from->domain, .offset = from->offset + skip},
	    .dest = {.u.gmfn = virt_to_machine(fetch->page) >> PAGE_SHIFT,
		     .domid = DOMID_SELF,
		     .offset = fetch->used},
	    .len = piece,
	    .flags = GNTCOPY_source_gref,
	};
}

static bool fetch_segment(struct fetch *fetch, const struct net_segment *from)
{
	for (uint32_t skip = 0, piece; skip < from->length; skip += piece) {
		if (!fetch_room(fetch))
			return false;
		piece = from->length - skip;
		if (piece > PAGE_SIZE - fetch->used)
			piece = PAGE_SIZE - fetch->used;
		if (from->data)
			memcpy(fetch->page + fetch->used, (const uint8_t *)from->data + skip,
			       piece);
		else
			fetch_granted(fetch, from, skip, piece);
		fetch->used += piece;
	}
	return true;
}

static bool fetch_all(struct fetch *fetch, const struct net_packet *packet)
{
	for (unsigned int i = 0; i < packet->count; i++)
		if (!fetch_segment(fetch, &packet->segments[i]))
			return false;
	if (hypercall_grant_table_op(GNTTABOP_copy, fetch->copies, fetch->count))
		return false;
	for (unsigned int i = 0; i < fetch->count; i++)
		if (fetch->copies[i].status != GNTST_okay)
			return false;
	return true;
}

struct net_packet *net_packet_local(struct net_pool *pool, struct net_packet *packet)
{
	struct fetch fetch;

	if (net_packet_is_local(packet))
		return net_packet_get(packet);
	if (packet->local)
		return net_packet_get(packet->local);
	fetch.to = net_packet_alloc(pool);
	if (!fetch.to)
		return NULL;
	fetch.page = NULL;
	fetch.used = 0;
	fetch.count = 0;
	fetch.left = packet->length;
	if (!fetch_all(&fetch, packet)) {
		net_packet_put(fetch.to);
		return NULL;
	}
	fetch.to->checksum = packet->checksum;
	fetch.to->checksum_start = packet->checksum_start;
	fetch.to->checksum_offset = packet->checksum_offset;
	fetch.to->gso = packet->gso;
	fetch.to->gso_size = packet->gso_size;
	packet->local = fetch.to;
	return net_packet_get(fetch.to);
}

/* Ports */

void net_port_attach(struct net_port *port, const struct net_port_user *user, void *user_data)
{
	bool masked = events_save();

	port->user = user;
	port->user_data = user_data;
	events_restore(masked);
}

void net_port_receive(struct net_port *port, struct net_packet *packet)
{
	bool masked = events_save();

	port->received.packets++;
	port->received.bytes += packet->length;
	if (port->user)
		port->user->receive(port, packet);
	else
		port->received.dropped++;
	events_restore(masked);
}

void net_port_receive_end(struct net_port *port)
{
	bool masked = events_save();

	if (port->user)
		port->user->receive_end(port);
	events_restore(masked);
}

void net_port_changed(struct net_port *port, bool link, uint32_t features)
{
	bool masked = events_save();

	port->link = link;
	port->features = features;
	if (port->user && port->user->changed)
		port->user->changed(port);
	events_restore(masked);
}

void net_port_send(struct net_port *port, struct net_packet *packet)
{
	bool masked = events_save();

	port->operations->send(port, packet);
	events_restore(masked);
}

void net_port_flush(struct net_port *port)
{
	bool masked = events_save();

	port->operations->flush(port);
	events_restore(masked);
}

/* Pairs */

static void pair_send(struct net_port *port, struct net_packet *packet)
{
	port->sent.packets++;
	port->sent.bytes += packet->length;
	net_port_receive(port->driver, packet);
}

static void pair_flush(struct net_port *port)
{
	net_port_receive_end(port->driver);
}

static const struct net_port_operations pair_operations = {.send = pair_send, .flush = pair_flush};

void net_port_pair(struct net_port *a, struct net_port *b)
{
	a->operations = b->operations = &pair_operations;
	a->driver = b;
	b->driver = a;
	a->link = b->link = true;
}

/* Rates */

#define BILLION	  1000000000ull
#define BURST_MAX (1ull << 30)

void net_rate_set(struct net_rate *rate, uint64_t bytes_a_second, uint64_t burst, uint64_t now)
{
	if (burst < NET_PACKET_MAX)
		burst = NET_PACKET_MAX;
	if (burst > BURST_MAX)
		burst = BURST_MAX;
	rate->rate = bytes_a_second;
	rate->burst = burst;
	rate->tokens = burst * BILLION; /* below 2^60 */
	rate->filled = now;
}

uint64_t net_rate_take(struct net_rate *rate, uint64_t bytes, uint64_t now)
{
	uint64_t full = rate->burst * BILLION, gained;

	if (!rate->rate)
		return 0;
	if (now > rate->filled) {
		if (__builtin_mul_overflow(now - rate->filled, rate->rate, &gained) ||
		    gained > full - rate->tokens)
			gained = full - rate->tokens;
		rate->tokens += gained;
		rate->filled = now;
	}
	if (bytes > rate->burst)
		bytes = rate->burst;
	if (rate->tokens < bytes * BILLION)
		return (bytes * BILLION - rate->tokens + rate->rate - 1) / rate->rate;
	rate->tokens -= bytes * BILLION;
	return 0;
}
