/* SPDX-License-Identifier: MIT */
/*
 * The world around a block back half: a guest with some pages that it grants (reference n is page n), its rings, and a disk
 * that finishes requests when it is told to. Grants that are mapped for the processor are real mappings of the
 * guest's pages, with no more rights than the grant gives, so a use after the end is a fault. WORLD_CHECK(condition) is
 * the including file's.
 */
#ifndef BLOCK_WORLD_H
#define BLOCK_WORLD_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/thread.h>
#include <public/errno.h>
#include "block_back_ring.h"

#define PAGES	48
#define SECTORS 1024
#define GUEST	7
#define OTHER	8 /* another guest */
#define HELD	256

static struct world {
	uint8_t (*pages)[PAGE_SIZE];
	int memory;		    /* the file that they are */
	bool refuses[PAGES];	    /* this grant is not given */
	unsigned int mapped[PAGES]; /* how often */
	bool writable[PAGES];
	struct {
		bool used;
		grant_ref_t ref;
		uint64_t host;
	} handles[4096];
	unsigned int map_calls, unmap_calls, copy_calls, host_maps;
	void (*before_map)(void); /* what the guest does meanwhile */

	/* Ports: one a ring, its number is 100 + the queue's. */
	event_handler *handler[BLOCK_BACK_QUEUES];
	void *handler_data[BLOCK_BACK_QUEUES];
	unsigned int sent[BLOCK_BACK_QUEUES];
	bool masked[BLOCK_BACK_QUEUES];

	/* The guest's rings. */
	unsigned int order, queues;
	char *ring_pages[BLOCK_BACK_QUEUES];
	struct blkif_front_ring front[BLOCK_BACK_QUEUES];
	const char *protocol;

	/* The disk. */
	struct block_device device;
	uint8_t disk[SECTORS * BLOCK_SECTOR];
	bool hold;
	struct block_request *held[HELD];
	unsigned int held_count;
	int error; /* of all requests */
	unsigned int submitted, kicks, flushes;
	char order_of_things
	    [128]; /* a letter for each request that was submitted: R, W, U (fua), F, D */
	unsigned int things;

	struct xenbus_back bus, other_bus;
	struct block_back back, other; /* other: with the last ring, if it is opened */
	unsigned int kicked;
	uint64_t sectors_told, now;
	unsigned int announced;
	char failure[256];
	struct thread *waiting_thread;
} world;

bool (*host_wait)(void);

/* What the back half needs of the runtime. */

uint64_t clock_now(void)
{
	return world.now;
}

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	abort();
}

void printk(const char *format, ...)
{
	(void)format;
}

void *frames_reserve(unsigned long count)
{
	void *va = mmap(NULL, count * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return va == MAP_FAILED ? NULL : va;
}

void frames_release(void *va, unsigned long count)
{
	munmap(va, count * PAGE_SIZE);
}

static bool world_page_is_granted(const struct gnttab_map_grant_ref *op)
{
	return (op->dom == GUEST || op->dom == OTHER) && op->ref < PAGES && !world.refuses[op->ref];
}

static void world_map(struct gnttab_map_grant_ref *op)
{
	bool host = op->flags & GNTMAP_host_map;
	unsigned int handle = 0;

	WORLD_CHECK(host != !!(op->flags & GNTMAP_device_map));
	if (!world_page_is_granted(op)) {
		op->status = GNTST_bad_gntref;
		return;
	}
	while (world.handles[handle].used)
		handle++;
	world.handles[handle].used = true;
	world.handles[handle].ref = op->ref;
	world.handles[handle].host = host ? op->host_addr : 0;
	world.mapped[op->ref]++;
	world.writable[op->ref] = !(op->flags & GNTMAP_readonly);
	world.host_maps += host;
	if (host)
		WORLD_CHECK(mmap((void *)op->host_addr, PAGE_SIZE,
				 op->flags & GNTMAP_readonly ? PROT_READ : PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, world.memory,
				 op->ref * PAGE_SIZE) != MAP_FAILED);
	op->handle = handle;
	op->dev_bus_addr = (uint64_t)world.pages[op->ref];
	op->status = GNTST_okay;
}

static void world_unmap(struct gnttab_unmap_grant_ref *op)
{
	grant_ref_t ref;

	WORLD_CHECK(op->handle < 4096 && world.handles[op->handle].used);
	ref = world.handles[op->handle].ref;
	WORLD_CHECK(op->host_addr == world.handles[op->handle].host);
	WORLD_CHECK(op->host_addr || op->dev_bus_addr == (uint64_t)world.pages[ref]);
	if (op->host_addr)
		WORLD_CHECK(mmap((void *)op->host_addr, PAGE_SIZE, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	world.handles[op->handle].used = false;
	world.mapped[ref]--;
	op->status = GNTST_okay;
}

static void world_copy(struct gnttab_copy *op)
{
	WORLD_CHECK(op->flags == GNTCOPY_source_gref && op->dest.domid == DOMID_SELF);
	WORLD_CHECK(op->len <= PAGE_SIZE && op->dest.offset + op->len <= PAGE_SIZE);
	if (op->source.u.ref >= PAGES || world.refuses[op->source.u.ref] ||
	    op->source.domid != GUEST) {
		op->status = GNTST_bad_gntref;
		return;
	}
	memcpy((char *)(op->dest.u.gmfn << PAGE_SHIFT) + op->dest.offset,
	       world.pages[op->source.u.ref] + op->source.offset, op->len);
	op->status = GNTST_okay;
}

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	if (op == GNTTABOP_map_grant_ref && world.before_map)
		world.before_map();
	world.map_calls += op == GNTTABOP_map_grant_ref;
	world.unmap_calls += op == GNTTABOP_unmap_grant_ref;
	world.copy_calls += op == GNTTABOP_copy;
	for (unsigned int i = 0; i < count; i++) {
		if (op == GNTTABOP_map_grant_ref)
			world_map((struct gnttab_map_grant_ref *)arg + i);
		else if (op == GNTTABOP_unmap_grant_ref)
			world_unmap((struct gnttab_unmap_grant_ref *)arg + i);
		else
			world_copy((struct gnttab_copy *)arg + i);
	}
	return 0;
}

long event_send(evtchn_port_t port)
{
	WORLD_CHECK(port >= 100 && port < 100 + BLOCK_BACK_QUEUES);
	world.sent[port - 100]++;
	return 0;
}

void event_mask(evtchn_port_t port)
{
	world.masked[port - 100] = true;
}

void event_unmask(evtchn_port_t port)
{
	world.masked[port - 100] = false;
}

/* The states and nodes of the store, as far as the back half asks. */

void xenbus_back_kick(struct xenbus_back *back)
{
	WORLD_CHECK(back == &world.bus || back == &world.other_bus);
	world.kicked++;
}

void xenbus_back_announce(struct xenbus_back *back)
{
	WORLD_CHECK(back == &world.bus);
	world.announced++;
}

void xenbus_fail(struct xenbus_device *device, long error, const char *format, ...)
{
	va_list arguments;

	(void)device;
	(void)error;
	va_start(arguments, format);
	vsnprintf(world.failure, sizeof(world.failure), format, arguments);
	va_end(arguments);
}

long xenbus_printf(struct xenbus_device *device, xs_transaction t, const char *name,
		   const char *format, ...)
{
	char text[32];
	va_list arguments;

	(void)device;
	(void)t;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!strcmp(name, "sectors"))
		world.sectors_told = strtoul(text, NULL, 10);
	return 0;
}

long xenbus_read_other(struct xenbus_device *device, const char *name, char *value, size_t size)
{
	(void)device;
	if (strcmp(name, "protocol") || !world.protocol)
		return -XEN_ENOENT;
	return snprintf(value, size, "%s", world.protocol);
}

long xenbus_read_other_number(struct xenbus_device *device, const char *name, uint64_t *number)
{
	(void)device;
	if (strcmp(name, "multi-queue-num-queues") || world.queues == 1)
		return -XEN_ENOENT;
	*number = world.queues;
	return 0;
}

long xenbus_ring_connect(struct xenbus_device *device, struct xenbus_ring *ring,
			 unsigned int max_order, const char *name, const char *event_name,
			 event_handler *handler, void *data)
{
	unsigned int queue = device == &world.other_bus.bus ? BLOCK_BACK_QUEUES - 1 : 0;

	(void)event_name;
	WORLD_CHECK(world.order <= max_order);
	if (!strncmp(name, "queue-", 6))
		queue = (unsigned int)strtoul(name + 6, NULL, 10);
	memset(ring, 0, sizeof(*ring));
	ring->pages = world.ring_pages[queue];
	ring->order = world.order;
	ring->port = 100 + queue;
	world.handler[queue] = handler;
	world.handler_data[queue] = data;
	return 0;
}

void xenbus_ring_disconnect(struct xenbus_ring *ring)
{
	world.handler[ring->port - 100] = NULL;
	ring->pages = NULL;
}

/* The disk */

/* The page of the guest that an address for devices leads to. */
static unsigned int world_page_of(uint64_t machine)
{
	return (unsigned int)((machine - (uint64_t)world.pages) / PAGE_SIZE);
}

static void world_move(const struct block_request *request)
{
	uint8_t *at = world.disk + request->sector * BLOCK_SECTOR;

	if (request->operation == BLOCK_DISCARD)
		memset(at, 0, request->sectors * BLOCK_SECTOR);
	for (unsigned int i = 0; i < request->count; i++) {
		const struct block_segment *s = &request->segments[i];
		unsigned int page = world_page_of(s->machine);
		uint8_t *data = s->data;

		/* Until the device is done the grant stays. */
		WORLD_CHECK(page < PAGES && world.mapped[page]);
		WORLD_CHECK(s->length && s->machine % PAGE_SIZE + s->length <= PAGE_SIZE);
		if (world.device.flags & BLOCK_DMA) {
			WORLD_CHECK(!data);
			data = (uint8_t *)s->machine;
		}
		if (request->operation == BLOCK_READ)
			memcpy(data, at, s->length);
		else
			memcpy(at, data, s->length);
		at += s->length;
	}
}

static void world_finish(unsigned int index)
{
	struct block_request *request = world.held[index];

	world.held[index] = world.held[--world.held_count];
	if (!world.error)
		world_move(request);
	block_done(request, world.error);
}

/* All that the disk holds, the newest first, in one batch. */
static void world_finish_all(void)
{
	block_batch_begin();
	while (world.held_count)
		world_finish(world.held_count - 1);
	block_batch_end();
}

static void world_submit(struct block_device *device, struct block_request *request)
{
	static const char letters[] = "RWFD";
	char letter = request->fua ? 'U' : letters[request->operation];

	(void)device;
	world.submitted++;
	world.flushes += request->operation == BLOCK_FLUSH;
	if (world.things < sizeof(world.order_of_things) - 1)
		world.order_of_things[world.things++] = letter;
	WORLD_CHECK(world.held_count < HELD);
	world.held[world.held_count++] = request;
	if (!world.hold)
		world_finish(world.held_count - 1);
	/* What devices may do with requests that they have been given, and the next step must not rely on. */
	else
		request->next = request;
}

static void world_kick(struct block_device *device)
{
	(void)device;
	world.kicks++;
}

/* Begin and end */

static struct block_back *world_begin(unsigned int flags, unsigned int queues, unsigned int order)
{
	static const struct block_operations operations = {.submit = world_submit,
							   .kick = world_kick};
	struct block_back *back = &world.back;
	const char *why = NULL;

	memset(&world, 0, sizeof(world));
	world.memory = memfd_create("guest", 0);
	WORLD_CHECK(world.memory >= 0 && !ftruncate(world.memory, PAGES * PAGE_SIZE));
	world.pages =
	    mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, world.memory, 0);
	world.now = NSEC_PER_SEC;
	world.queues = queues;
	world.order = order;
	for (unsigned int q = 0; q < queues; q++) {
		world.ring_pages[q] = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
		memset(world.ring_pages[q], 0, PAGE_SIZE << order);
		XEN_FRONT_RING_INIT(&world.front[q], (struct blkif_sring *)world.ring_pages[q],
				    PAGE_SIZE << order);
	}
	world.device = (struct block_device){
	    .operations = &operations,
	    .sectors = SECTORS,
	    .logical_size = BLOCK_SECTOR,
	    .physical_size = BLOCK_SECTOR,
	    .max_segments = BLOCK_MAX_SEGMENTS,
	    .discard_granularity = BLOCK_SECTOR,
	    .flags = flags,
	};
	world.bus.bus.other_domain = GUEST;
	back->bus = &world.bus;
	back->device = &world.device;
	back->discard = true;
	WORLD_CHECK(!block_back_open(back, &why));
	return back;
}

static void world_connect(void)
{
	const char *why = NULL;

	WORLD_CHECK(!block_back_connect(&world.back, &why));
}

static bool world_nothing_mapped(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		if (world.mapped[i])
			return false;
	return true;
}

static void world_end(void)
{
	world.hold = false;
	while (!block_back_disconnect(&world.back)) {
		WORLD_CHECK(world.held_count);
		world_finish_all();
	}
	WORLD_CHECK(world_nothing_mapped());
	block_back_close(&world.back);
	WORLD_CHECK(!world.device.listeners);
	for (unsigned int q = 0; q < world.queues; q++)
		free(world.ring_pages[q]);
	munmap(world.pages, PAGES * PAGE_SIZE);
	close(world.memory);
}

/* A second disk, of some guest. `back` has at most the first three rings then. */
static inline void world_open_other(domid_t domain)
{
	const char *why = NULL;

	world.other_bus.bus.other_domain = domain;
	world.other.bus = &world.other_bus;
	world.other.device = &world.device;
	world.queues = 1;
	WORLD_CHECK(!block_back_open(&world.other, &why));
	WORLD_CHECK(!block_back_connect(&world.other, &why));
	world.queues = BLOCK_BACK_QUEUES;
}

static inline void world_close_other(void)
{
	WORLD_CHECK(block_back_disconnect(&world.other));
	block_back_close(&world.other);
}

/* The guest */

static struct blkif_request *world_request(unsigned int queue, uint8_t operation, uint64_t id)
{
	struct blkif_front_ring *front = &world.front[queue];
	struct blkif_request *request = RING_GET_REQUEST(front, front->req_prod_pvt);

	front->req_prod_pvt++;
	memset(request, 0, sizeof(*request));
	request->operation = operation;
	request->id = id;
	return request;
}

static void world_event(unsigned int queue)
{
	if (!world.masked[queue] && world.handler[queue])
		world.handler[queue](100 + queue, world.handler_data[queue]);
}

/* Whether an event had to be sent. */
static bool world_push(unsigned int queue)
{
	int notify;

	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&world.front[queue], notify);
	if (notify)
		world_event(queue);
	return notify;
}

static bool world_answer(unsigned int queue, struct blkif_response *response)
{
	struct blkif_front_ring *front = &world.front[queue];
	int more;

	if (front->rsp_cons == front->sring->rsp_prod)
		return false;
	RING_COPY_RESPONSE(front, front->rsp_cons, response);
	front->rsp_cons++;
	RING_FINAL_CHECK_FOR_RESPONSES(front, more);
	return true;
}

#endif
