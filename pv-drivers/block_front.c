/* SPDX-License-Identifier: MIT */
/*
 * A request's way: submit() queues it, kick() grants its pages and puts it into the ring, on_event() takes the answer,
 * ends the grants and finishes it. All three run with events masked; what the store says comes in a thread.
 */
#include <pv-drivers/block_front.h>
#include <guest/event.h>
#include <guest/format.h>
#include <guest/memory.h>
#include <guest/string.h>
#include <public/errno.h>
#include <public/io/protocols.h>

static struct block_front *front_of(struct xenbus_front *bus)
{
	return (struct block_front *)((char *)bus - __builtin_offsetof(struct block_front, bus));
}

/*
 * Grants
 */

/* False: the back half has some mapped still. */
static bool end_grants(struct block_front_slot *slot)
{
	while (slot->granted && grant_end(slot->refs[slot->granted - 1]))
		slot->granted--;
	return !slot->granted;
}

static bool grant_all(struct block_front *front, struct block_front_slot *slot)
{
	const struct block_request *request = slot->request;

	while (slot->granted < request->count) {
		uint64_t machine = request->segments[slot->granted].machine;
		long ref = grant_access(front->bus.bus.other_domain, machine >> PAGE_SHIFT,
					request->operation == BLOCK_WRITE);

		if (ref < 0)
			return false;
		slot->refs[slot->granted++] = (grant_ref_t)ref;
	}
	return true;
}

/*
 * Into the ring
 */

static void fill_segments(const struct block_front_slot *slot, struct blkif_request_segment *list)
{
	for (unsigned int i = 0; i < slot->request->count; i++) {
		const struct block_segment *segment = &slot->request->segments[i];
		unsigned int first = (unsigned int)(segment->machine % PAGE_SIZE) / BLOCK_SECTOR;

		list[i].gref = slot->refs[i];
		list[i].first_sect = (uint8_t)first;
		list[i].last_sect = (uint8_t)(first + segment->length / BLOCK_SECTOR - 1);
	}
}

static void fill_discard(const struct block_request *request, struct blkif_request_discard *to)
{
	to->operation = BLKIF_OP_DISCARD;
	to->flag = 0;
	to->sector_number = request->sector;
	to->nr_sectors = request->sectors;
}

static void fill_indirect(const struct block_front_slot *slot, struct blkif_request_indirect *to)
{
	const struct block_request *request = slot->request;

	to->operation = BLKIF_OP_INDIRECT;
	to->indirect_op = request->operation == BLOCK_READ ? BLKIF_OP_READ : BLKIF_OP_WRITE;
	to->nr_segments = (uint16_t)request->count;
	to->sector_number = request->sector;
	to->indirect_grefs[0] = slot->list_ref;
	fill_segments(slot, slot->list);
}

static void fill_plain(const struct block_front_slot *slot, struct blkif_request *to)
{
	const struct block_request *request = slot->request;

	to->operation = request->operation == BLOCK_READ    ? BLKIF_OP_READ
			: request->operation == BLOCK_FLUSH ? BLKIF_OP_FLUSH_DISKCACHE
							    : BLKIF_OP_WRITE;
	to->nr_segments = (uint8_t)request->count;
	to->sector_number = request->sector;
	fill_segments(slot, to->seg);
}

/* The ring has room, so one of as many slots is free. */
static struct block_front_slot *find_slot(struct block_front *front)
{
	struct block_front_slot *slot = front->slots;

	while (slot->request)
		slot++;
	return slot;
}

/* False: no more grants are to be had now. */
static bool put(struct block_front *front, struct block_request *request)
{
	struct block_front_slot *slot = find_slot(front);
	struct blkif_request *to = RING_GET_REQUEST(&front->ring, front->ring.req_prod_pvt);

	slot->request = request;
	if (!grant_all(front, slot)) {
		end_grants(slot); /* nobody was told of them */
		slot->request = NULL;
		return false;
	}
	if (request->operation == BLOCK_DISCARD)
		fill_discard(request, (struct blkif_request_discard *)to);
	else if (request->count > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		fill_indirect(slot, (struct blkif_request_indirect *)to);
	else
		fill_plain(slot, to);
	/* At the same place in all three. */
	to->id = (uint64_t)(slot - front->slots);
	front->ring.req_prod_pvt++;
	front->in_flight++;
	return true;
}
_Static_assert(__builtin_offsetof(struct blkif_request, id) ==
		       __builtin_offsetof(struct blkif_request_indirect, id) &&
		   __builtin_offsetof(struct blkif_request, id) ==
		       __builtin_offsetof(struct blkif_request_discard, id),
	       "the id's place");

/* Without flushes in the protocol what is answered is stable as far as anybody knows. */
static void submit(struct block_device *device, struct block_request *request)
{
	struct block_front *front = device->driver;

	if (request->operation == BLOCK_FLUSH && !front->flush)
		block_done(request, 0);
	else
		block_queue_put(&front->waiting, request);
}

/* Requests that have not been put into the ring. Events are masked. */
static void fail_waiting(struct block_front *front)
{
	struct block_request *request;

	while ((request = block_queue_take(&front->waiting)) != NULL)
		block_done(request, -XEN_EIO);
}

static void kick(struct block_device *device)
{
	struct block_front *front = device->driver;
	struct block_request *request;
	int notify;

	if (!front->connected || front->broken)
		return;
	while ((request = front->waiting.first) != NULL && !RING_FULL(&front->ring)) {
		/* It stays the first, and is tried again when an answer has given grants back. */
		struct block_request *next = request->next;

		if (!put(front, request))
			break;
		front->waiting.first = next;
	}
	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front->ring, notify);
	if (notify)
		event_send((evtchn_port_t)front->shared.port);
}

/*
 * Answers
 */

static int error_of(int16_t status)
{
	return status == BLKIF_RSP_OKAY		? 0
	       : status == BLKIF_RSP_EOPNOTSUPP ? -XEN_EOPNOTSUPP
						: -XEN_EIO;
}

/* A back half that answers what nobody asked has lost its wits: nothing it says counts from then on. */
static void take(struct block_front *front, const struct blkif_response *response)
{
	struct block_front_slot *slot = &front->slots[response->id % BLOCK_FRONT_REQUESTS];
	struct block_request *request = slot->request;

	if (response->id >= BLOCK_FRONT_REQUESTS || !request || !end_grants(slot)) {
		front->broken = true;
		return;
	}
	slot->request = NULL;
	front->in_flight--;
	block_done(request, error_of(response->status));
}

static void on_event(evtchn_port_t port, void *data)
{
	struct block_front *front = data;
	int more = true;

	block_batch_begin();
	while (front->connected && !front->broken && more) {
		RING_IDX end = __atomic_load_n(&front->ring.sring->rsp_prod, __ATOMIC_ACQUIRE);

		if (RING_RESPONSE_PROD_OVERFLOW(&front->ring, end) ||
		    end - front->ring.rsp_cons > front->in_flight)
			front->broken = true;
		while (front->ring.rsp_cons != end && !front->broken) {
			struct blkif_response response;

			RING_COPY_RESPONSE(&front->ring, front->ring.rsp_cons, &response);
			front->ring.rsp_cons++;
			take(front, &response);
		}
		RING_FINAL_CHECK_FOR_RESPONSES(&front->ring, more);
	}
	block_batch_end();
	if (front->broken && !front->device.gone) {
		block_gone(&front->device);
		fail_waiting(front);
	}
	kick(&front->device);
}

/*
 * What the store says
 */

static uint64_t offered(struct block_front *front, const char *name)
{
	uint64_t value;

	return xenbus_read_other_number(&front->bus.bus, name, &value) ? 0 : value;
}

static long make_lists(struct block_front *front)
{
	for (unsigned int i = 0; i < BLOCK_FRONT_REQUESTS; i++) {
		struct block_front_slot *slot = &front->slots[i];
		long ref;

		if (!slot->list)
			slot->list = page_alloc();
		if (!slot->list)
			return -XEN_ENOMEM;
		ref = grant_access(front->bus.bus.other_domain, virt_to_mfn(slot->list), true);
		if (ref < 0)
			return ref;
		slot->list_ref = (grant_ref_t)ref;
	}
	return 0;
}

static long prepare(struct xenbus_front *bus)
{
	struct block_front *front = front_of(bus);
	uint64_t segments = offered(front, "feature-max-indirect-segments");
	struct block_device *device = &front->device;
	long error;

	device->max_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
	if (segments > device->max_segments)
		device->max_segments =
		    segments < BLOCK_FRONT_SEGMENTS ? (uint32_t)segments : BLOCK_FRONT_SEGMENTS;
	error = xenbus_ring_create(&bus->bus, &front->shared, 0, on_event, front);
	if (error)
		return error;
	XEN_FRONT_RING_INIT(&front->ring, (struct blkif_sring *)front->shared.pages, PAGE_SIZE);
	return device->max_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST ? make_lists(front) : 0;
}

static long publish(struct xenbus_front *bus, xs_transaction t)
{
	struct block_front *front = front_of(bus);
	long error = xenbus_ring_publish(&bus->bus, t, &front->shared, "ring-ref", "event-channel");

	return error ? error : xenbus_printf(&bus->bus, t, "protocol", XEN_IO_PROTO_ABI_X86_64);
}

static bool is_sector_size(uint64_t size)
{
	return size >= BLOCK_SECTOR && size <= PAGE_SIZE && !(size & (size - 1));
}

static long connect(struct xenbus_front *bus)
{
	struct block_front *front = front_of(bus);
	struct block_device *device = &front->device;
	uint64_t size = offered(front, "sector-size");
	uint64_t physical = offered(front, "physical-sector-size");
	bool masked;

	if (!is_sector_size(size))
		return -XEN_EINVAL;
	device->logical_size = (uint32_t)size;
	device->physical_size = (uint32_t)(is_sector_size(physical) ? physical : size);
	front->flush = offered(front, "feature-flush-cache");
	device->flags = BLOCK_DMA | (offered(front, "info") & VDISK_READONLY ? BLOCK_READ_ONLY : 0);
	device->discard_granularity = 0;
	if (offered(front, "feature-discard")) {
		uint64_t granularity = offered(front, "discard-granularity");

		device->discard_granularity = (uint32_t)(granularity ? granularity : size);
		device->discard_alignment = (uint32_t)offered(front, "discard-alignment");
	}
	block_changed(device, offered(front, "sectors"));
	masked = events_save();
	front->connected = true;
	kick(device);
	events_restore(masked);
	return 0;
}

static void changed(struct xenbus_front *bus)
{
	struct block_front *front = front_of(bus);

	block_changed(&front->device, offered(front, "sectors"));
}

/* What was in the ring waits again, before all that waits already; what cannot yet is left. False: there is such. */
static bool take_back(struct block_front *front)
{
	bool all = true;

	for (unsigned int i = 0; i < BLOCK_FRONT_REQUESTS; i++) {
		struct block_front_slot *slot = &front->slots[i];

		if (!slot->request)
			continue;
		if (!end_grants(slot)) {
			all = false;
			continue;
		}
		slot->request->next = front->waiting.first;
		if (!front->waiting.first)
			front->waiting.end = &slot->request->next;
		front->waiting.first = slot->request;
		slot->request = NULL;
		front->in_flight--;
	}
	return all;
}

static bool end_lists(struct block_front *front)
{
	bool all = true;

	for (unsigned int i = 0; i < BLOCK_FRONT_REQUESTS; i++) {
		struct block_front_slot *slot = &front->slots[i];

		if (slot->list_ref && !grant_end(slot->list_ref)) {
			all = false;
			continue;
		}
		slot->list_ref = 0;
		if (slot->list)
			page_free(slot->list);
		slot->list = NULL;
	}
	return all;
}

static bool disconnect(struct xenbus_front *bus, bool again)
{
	struct block_front *front = front_of(bus);
	bool masked = events_save(), all;

	front->connected = false;
	all = take_back(front);
	if (!again) {
		if (!front->device.gone)
			block_gone(&front->device);
		fail_waiting(front);
	} else {
		front->broken = false;
	}
	events_restore(masked);
	all = end_lists(front) && all;
	return xenbus_ring_destroy(&front->shared) && all;
}

static const struct xenbus_front_driver driver = {
    .published = XenbusStateInitialised,
    .prepare = prepare,
    .publish = publish,
    .connect = connect,
    .changed = changed,
    .disconnect = disconnect,
};

static const struct block_operations operations = {.submit = submit, .kick = kick};

long block_front_open(struct block_front *front, struct xs *xs, const char *own, uint64_t deadline)
{
	long error;

	format_string(front->device.name, sizeof(front->device.name), "%s", own);
	front->device.operations = &operations;
	front->device.driver = front;
	error = xenbus_front_open(&front->bus, xs, own, &driver);
	if (error)
		return error;
	error = xenbus_front_wait(&front->bus, deadline);
	if (error)
		xenbus_front_close(&front->bus);
	return error;
}

void block_front_close(struct block_front *front)
{
	xenbus_front_close(&front->bus);
}
