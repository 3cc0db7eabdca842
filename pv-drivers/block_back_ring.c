/* SPDX-License-Identifier: MIT */
/*
 * Requests of a ring: taken, checked, mapped, handed to the device, unmapped, answered. Everything here runs with events
 * masked, so the tables below are whoever's turn it is.
 *
 * A pass takes several requests and makes one hypercall for each kind of grant operation of all of them. What the
 * device finishes in one batch is unmapped by one hypercall and told by one event.
 */
#include "block_back_ring.h"
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/string.h>
#include <public/errno.h>

#define PASS	       16 /* requests in a pass */
#define BURST	       64 /* requests without giving others a turn */
#define IN_VAIN	       32 /* events in vain until the guest is not heard for a while */
#define MUTED_FOR      NSEC_PER_MSEC

#define OPS	       (PASS * BLOCK_BACK_SEGMENTS)
#define SECTORS_A_PAGE (PAGE_SIZE / BLOCK_SECTOR)

static struct gnttab_map_grant_ref map_ops[OPS];
static struct gnttab_unmap_grant_ref unmap_ops[OPS];
static struct gnttab_copy copy_ops[PASS];
/* Segments of indirect requests, for each of a pass. */
static struct blkif_request_segment indirect[PASS][BLOCK_BACK_SEGMENTS]
    __attribute__((aligned(PAGE_SIZE)));
_Static_assert(sizeof(indirect) == PAGE_SIZE, "one frame to copy to");

static unsigned int slot_pages(unsigned int count)
{
	return (unsigned int)((count * sizeof(struct block_back_slot) + PAGE_SIZE - 1) / PAGE_SIZE);
}

/*
 * Unmap and answer
 */

static void unmap(unsigned int count)
{
	if (!count)
		return;
	if (hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, unmap_ops, count))
		panic("cannot unmap a disk's grants");
	for (unsigned int i = 0; i < count; i++)
		if (unmap_ops[i].status)
			panic("cannot unmap a disk's grant: status %d", unmap_ops[i].status);
}

static void prepare_unmap(const struct block_back_slot *slot, unsigned int segment,
			  struct gnttab_unmap_grant_ref *op)
{
	op->handle = slot->handles[segment];
	op->host_addr = slot->addresses ? (uint64_t)slot->addresses + segment * PAGE_SIZE : 0;
	op->dev_bus_addr =
	    slot->addresses ? 0 : slot->segments[segment].machine & ~(uint64_t)(PAGE_SIZE - 1);
}

static void unmap_slots(struct block_back_slot *slots)
{
	unsigned int count = 0;

	for (struct block_back_slot *slot = slots; slot; slot = slot->next) {
		if (!slot->mapped)
			continue;
		if (count + slot->count > OPS) {
			unmap(count);
			count = 0;
		}
		for (unsigned int i = 0; i < slot->count; i++)
			prepare_unmap(slot, i, &unmap_ops[count++]);
		slot->mapped = false;
	}
	unmap(count);
}

static void put_response(struct block_back_ring *ring, const struct block_back_slot *slot)
{
	struct blkif_response *response = RING_GET_RESPONSE(&ring->ring, ring->ring.rsp_prod_pvt);

	response->id = slot->id;
	response->operation = slot->answer;
	response->status = slot->status;
	ring->ring.rsp_prod_pvt++;
}

static void free_slot(struct block_back_slot *slot)
{
	struct block_back_ring *ring = slot->ring;

	if (ring->barrier == slot)
		ring->barrier = NULL;
	slot->next = ring->free;
	ring->free = slot;
	block_back_count(ring, -1);
}

static void finish(struct block_back_slot *slot, int16_t status)
{
	struct block_back_ring *ring = slot->ring;

	slot->status = status;
	slot->next = ring->finished;
	ring->finished = slot;
	block_defer(&ring->answer);
}

static bool advance(struct block_back_slot *slot);

/* A barrier begins when all before it is done. */
static void begin_barrier(struct block_back_ring *ring)
{
	if (!ring->barrier || ring->barrier_begun || ring->in_flight > 1)
		return;
	ring->barrier_begun = true;
	if (ring->back->closing)
		finish(ring->barrier, BLKIF_RSP_ERROR);
	else if (advance(ring->barrier))
		block_kick(ring->back->device);
}

/* At the end of a batch: all that has finished. */
static void answer(struct block_deferred *deferred)
{
	struct block_back_ring *ring =
	    (struct block_back_ring *)((char *)deferred -
				       __builtin_offsetof(struct block_back_ring, answer));
	struct block_back_slot *slot, *slots = ring->finished;
	int notify;

	ring->finished = NULL;
	unmap_slots(slots);
	while ((slot = slots) != NULL) {
		slots = slot->next;
		put_response(ring, slot);
		free_slot(slot);
	}
	RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&ring->ring, notify);
	if (notify) {
		ring->back->counters.notified++;
		event_send((evtchn_port_t)ring->shared.port);
	}
	begin_barrier(ring);
	if (ring->back->closing && !ring->back->in_flight)
		xenbus_back_kick(ring->back->bus);
	else
		block_back_ring_run(ring);
}

/*
 * The device's part
 */

static void step_done(struct block_request *request, int status)
{
	struct block_back_slot *slot = request->owner;

	slot->error = status;
	slot->ended = true;
	if (advance(slot))
		block_kick(slot->ring->back->device);
}

static void submit_step(struct block_back_slot *slot)
{
	struct block_device *device = slot->ring->back->device;
	enum block_operation operation = slot->step;
	bool moves = operation == BLOCK_READ || operation == BLOCK_WRITE;

	/* All of it: a device may have changed what is there. */
	slot->request = (struct block_request){
	    .operation = operation,
	    .fua = operation == BLOCK_WRITE && slot->operation == BLKIF_OP_WRITE_BARRIER &&
		   !slot->flush_after,
	    .sector = slot->step_sector,
	    .sectors = slot->step_sectors,
	    .segments = slot->segments,
	    .count = moves ? slot->count : 0,
	    .done = step_done,
	    .owner = slot,
	};
	block_queue(device, &slot->request);
}

static void submit(struct block_back_slot *slot, enum block_operation operation, uint64_t sectors)
{
	slot->step = operation;
	slot->step_sector = operation == BLOCK_FLUSH ? 0 : slot->sector;
	slot->step_sectors = sectors;
	submit_step(slot);
}

static void submit_discard(struct block_back_slot *slot)
{
	uint64_t most = slot->ring->back->device->max_discard;
	uint64_t sectors = most && slot->discard_left > most ? most : slot->discard_left;

	slot->discard_left -= sectors;
	submit(slot, BLOCK_DISCARD, sectors);
	slot->sector += sectors;
}

/*
 * Most requests are one step. A barrier is a flush, by which what was written before is stable, the write if there is
 * anything to write, and another flush unless the device writes with fua. A discard is advice, and may have many steps: as the
 * back half closes those that are left are left out. False: no step is left.
 */
static bool submit_next(struct block_back_slot *slot)
{
	if (slot->flush_before) {
		slot->flush_before = false;
		submit(slot, BLOCK_FLUSH, 0);
	} else if (slot->transfer_left) {
		slot->transfer_left = false;
		submit(slot, slot->transfer, slot->sectors);
	} else if (slot->discard_left && !slot->ring->back->closing) {
		submit_discard(slot);
	} else if (slot->flush_after) {
		slot->flush_after = false;
		submit(slot, BLOCK_FLUSH, 0);
	} else {
		return false;
	}
	return true;
}

/* The device's, not one of a request that makes no sense. */
static bool is_device_error(int error)
{
	return error == -XEN_EIO || error == -XEN_ENOSPC || error == -XEN_ENOMEM;
}

static int16_t status_of(struct block_back *back, int error)
{
	if (!error)
		return BLKIF_RSP_OKAY;
	if (is_device_error(error))
		back->counters.errors++;
	else
		back->counters.refused++;
	return error == -XEN_EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
}

static bool must_hold(const struct block_back_slot *slot)
{
	const struct block_back *back = slot->ring->back;

	return is_device_error(slot->error) && back->hold && !back->closing && !back->device->gone;
}

static void hold(struct block_back_slot *slot)
{
	struct block_back *back = slot->ring->back;

	slot->next = slot->ring->held;
	slot->ring->held = slot;
	back->held++;
	back->counters.errors++;
	xenbus_back_kick(back->bus);
}

void block_back_ring_retry(struct block_back_ring *ring)
{
	struct block_back_slot *slot, *slots = ring->held;

	ring->held = NULL;
	while ((slot = slots) != NULL) {
		slots = slot->next;
		ring->back->held--;
		if (ring->back->closing) {
			finish(slot, BLKIF_RSP_ERROR);
		} else {
			slot->error = 0;
			submit_step(slot);
		}
	}
}

/*
 * Give the device the next step, or finish. A loop, since a device may be done before it returns, and a discard may have
 * many steps. True: the device has something that it must be kicked for.
 */
static bool advance(struct block_back_slot *slot)
{
	if (slot->advancing)
		return false;
	slot->advancing = true;
	while (slot->ended) {
		slot->ended = false;
		if (must_hold(slot)) {
			slot->advancing = false;
			hold(slot);
			return false;
		}
		if (slot->error || !submit_next(slot)) {
			slot->advancing = false;
			finish(slot, status_of(slot->ring->back, slot->error));
			return false;
		}
	}
	slot->advancing = false;
	return true;
}

/*
 * Take and check. What is wrong with a request ends up in slot->error.
 */

static void count_request(struct block_back *back, const struct block_back_slot *slot)
{
	struct block_back_counters *counters = &back->counters;

	if (slot->error)
		return;
	if (slot->operation == BLKIF_OP_DISCARD)
		counters->discards++;
	else if (slot->flush_before)
		counters->flushes++;
	else if (slot->transfer == BLOCK_READ)
		counters->reads++;
	if (slot->transfer_left && slot->transfer == BLOCK_WRITE) {
		counters->writes++;
		counters->written_sectors += slot->sectors;
	} else if (slot->transfer_left) {
		counters->read_sectors += slot->sectors;
	}
}

static void take_segments(struct block_back_slot *slot, const struct blkif_request_segment *list)
{
	uint32_t unit = slot->ring->back->device->logical_size / BLOCK_SECTOR;

	for (unsigned int i = 0; i < slot->count; i++) {
		uint32_t first = list[i].first_sect, end = list[i].last_sect + 1u;

		if (first >= end || end > SECTORS_A_PAGE || first % unit || end % unit) {
			slot->error = -XEN_EINVAL;
			return;
		}
		slot->refs[i] = list[i].gref;
		slot->segments[i].machine = first * BLOCK_SECTOR;
		slot->segments[i].length = (end - first) * BLOCK_SECTOR;
		slot->sectors += end - first;
	}
}

static void decode_plain(struct block_back_slot *slot, const struct blkif_request *request)
{
	bool flush = request->operation == BLKIF_OP_FLUSH_DISKCACHE;
	bool barrier = request->operation == BLKIF_OP_WRITE_BARRIER;

	slot->transfer = request->operation == BLKIF_OP_READ ? BLOCK_READ : BLOCK_WRITE;
	slot->sector = request->sector_number;
	slot->count = request->nr_segments;
	slot->transfer_left = slot->count > 0;
	slot->flush_before = flush || barrier;
	slot->flush_after =
	    barrier && slot->count > 0 && !(slot->ring->back->device->flags & BLOCK_FUA);
	if (slot->count > BLKIF_MAX_SEGMENTS_PER_REQUEST || (!slot->count && !slot->flush_before)) {
		slot->error = -XEN_EINVAL;
		slot->count = 0;
		return;
	}
	take_segments(slot, request->seg);
	if (barrier && !slot->error) {
		slot->ring->barrier = slot;
		slot->ring->barrier_begun = false;
	}
}

static void decode_discard(struct block_back_slot *slot, const struct blkif_request *request)
{
	const struct blkif_request_discard *discard = (const void *)request;

	slot->sector = discard->sector_number;
	slot->discard_left = discard->nr_sectors;
	if (!slot->ring->back->discard || (discard->flag & BLKIF_DISCARD_SECURE))
		slot->error = -XEN_EOPNOTSUPP;
	else if (!slot->discard_left)
		slot->error = -XEN_EINVAL;
	/* The first of several steps must not be done if a later one cannot be. */
	else if (slot->discard_left > slot->ring->back->device->sectors ||
		 slot->sector > slot->ring->back->device->sectors - slot->discard_left)
		slot->error = -XEN_EINVAL;
}

static unsigned int max_indirect(const struct block_back *back)
{
	return back->device->max_segments < BLOCK_BACK_SEGMENTS ? back->device->max_segments
								: BLOCK_BACK_SEGMENTS;
}

/* All its segments are in the first page. */
static void decode_indirect(struct block_back_slot *slot, const struct blkif_request *request,
			    struct gnttab_copy *copy, unsigned int index)
{
	const struct blkif_request_indirect *in = (const void *)request;

	slot->answer = in->indirect_op;
	if ((in->indirect_op != BLKIF_OP_READ && in->indirect_op != BLKIF_OP_WRITE) ||
	    !in->nr_segments || in->nr_segments > max_indirect(slot->ring->back)) {
		slot->error = -XEN_EINVAL;
		return;
	}
	slot->transfer = in->indirect_op == BLKIF_OP_READ ? BLOCK_READ : BLOCK_WRITE;
	slot->sector = in->sector_number;
	slot->count = in->nr_segments;
	slot->transfer_left = true;
	*copy = (struct gnttab_copy){
	    .source = {.u.ref = in->indirect_grefs[0],
		       .domid = slot->ring->back->bus->bus.other_domain},
	    .dest = {.u.gmfn = virt_to_mfn(indirect),
		     .domid = DOMID_SELF,
		     .offset = (uint16_t)(index * sizeof(indirect[0]))},
	    .len = (uint16_t)(slot->count * sizeof(indirect[0][0])),
	    .flags = GNTCOPY_source_gref,
	    .status = GNTST_general_error,
	};
}

static struct block_back_slot *take_slot(struct block_back_ring *ring,
					 const struct blkif_request *request)
{
	struct block_back_slot *slot = ring->free;

	ring->free = slot->next;
	block_back_count(ring, 1);
	slot->id = request->id;
	slot->operation = slot->answer = request->operation;
	slot->sectors = slot->discard_left = 0;
	slot->count = 0;
	slot->flush_before = slot->transfer_left = slot->flush_after = false;
	slot->error = 0;
	slot->ended = true;
	slot->advancing = false;
	slot->mapped = false;
	return slot;
}

/* Requests that can be taken out now, -1 if the guest has broken the ring. */
static long unconsumed(const struct block_back_ring *ring)
{
	RING_IDX produced = __atomic_load_n(&ring->ring.sring->req_prod, __ATOMIC_ACQUIRE);
	RING_IDX count = produced - ring->ring.req_cons;
	RING_IDX unanswered = ring->ring.req_cons - ring->ring.rsp_prod_pvt;

	return count > RING_SIZE(&ring->ring) - unanswered ? -1 : (long)count;
}

static void break_ring(struct block_back_ring *ring)
{
	ring->back->broken = true;
	ring->blocked = true;
	event_mask((evtchn_port_t)ring->shared.port);
	xenbus_back_kick(ring->back->bus);
}

static bool may_take(struct block_back_ring *ring)
{
	struct block_back *back = ring->back;
	uint64_t when;

	/* One of those in flight will have the ring looked at again when it ends. */
	if (!ring->free || ring->barrier || !block_back_may_take(ring))
		return false;
	if (ring->burst >= BURST) {
		block_back_schedule(ring, 0);
		return false;
	}
	when = block_back_next(back);
	if (when) {
		back->counters.throttled++;
		block_back_schedule(ring, when);
	}
	return !when;
}

/* Fill in the pass; returns how many requests it has. copies: how many of copy_ops are used, for indirect[0] on. */
static unsigned int take_pass(struct block_back_ring *ring, struct block_back_slot **pass,
			      unsigned int *copies)
{
	long there = unconsumed(ring);
	unsigned int count = 0;

	*copies = 0;
	if (there < 0)
		break_ring(ring);
	for (; count < PASS && (long)count < there; count++) {
		struct blkif_request request;
		struct block_back_slot *slot;

		if (!may_take(ring)) {
			ring->blocked = true;
			break;
		}
		RING_COPY_REQUEST(&ring->ring, ring->ring.req_cons, &request);
		ring->ring.req_cons++;
		ring->burst++;
		slot = pass[count] = take_slot(ring, &request);
		if (request.operation <= BLKIF_OP_FLUSH_DISKCACHE) {
			decode_plain(slot, &request);
		} else if (request.operation == BLKIF_OP_DISCARD) {
			decode_discard(slot, &request);
		} else if (request.operation == BLKIF_OP_INDIRECT) {
			decode_indirect(slot, &request, &copy_ops[*copies], *copies);
			*copies += !slot->error;
		} else {
			slot->error = -XEN_EOPNOTSUPP;
		}
		block_back_charge(ring->back, slot->sectors * BLOCK_SECTOR);
	}
	return count;
}

static void take_indirect(struct block_back_slot **pass, unsigned int count, unsigned int copies)
{
	unsigned int copy = 0;

	if (copies && hypercall_grant_table_op(GNTTABOP_copy, copy_ops, copies))
		copies = 0;
	for (unsigned int i = 0; i < count; i++) {
		struct block_back_slot *slot = pass[i];

		if (slot->operation != BLKIF_OP_INDIRECT || slot->error)
			continue;
		if (copy >= copies || copy_ops[copy].status)
			slot->error = -XEN_EINVAL;
		else
			take_segments(slot, indirect[copy]);
		copy++;
		block_back_charge(slot->ring->back, slot->sectors * BLOCK_SECTOR);
	}
}

/*
 * Map
 */

static unsigned int prepare_map(struct block_back_slot *slot, unsigned int count)
{
	uint32_t flags = (slot->addresses ? GNTMAP_host_map : GNTMAP_device_map) |
			 (slot->transfer == BLOCK_READ ? 0 : GNTMAP_readonly);

	if (slot->error)
		return count;
	for (unsigned int i = 0; i < slot->count; i++)
		map_ops[count++] = (struct gnttab_map_grant_ref){
		    .host_addr = slot->addresses ? (uint64_t)slot->addresses + i * PAGE_SIZE : 0,
		    .flags = flags,
		    .ref = slot->refs[i],
		    .dom = slot->ring->back->bus->bus.other_domain,
		    .status = GNTST_general_error,
		};
	return count;
}

/* One page of several could not be mapped: none is. */
static void undo_map(const struct block_back_slot *slot, const struct gnttab_map_grant_ref *ops)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < slot->count; i++)
		if (!ops[i].status)
			prepare_unmap(slot, i, &unmap_ops[count++]);
	unmap(count);
}

static void take_map(struct block_back_slot *slot, const struct gnttab_map_grant_ref *ops)
{
	for (unsigned int i = 0; i < slot->count; i++) {
		struct block_segment *segment = &slot->segments[i];
		uint32_t offset = (uint32_t)segment->machine;

		slot->handles[i] = ops[i].handle;
		segment->machine = ops[i].dev_bus_addr + offset;
		segment->data =
		    slot->addresses ? (char *)slot->addresses + i * PAGE_SIZE + offset : NULL;
		if (ops[i].status)
			slot->error = -XEN_EINVAL;
	}
	if (slot->error)
		undo_map(slot, ops);
	else
		slot->mapped = slot->count > 0;
}

static void map_pass(struct block_back_slot **pass, unsigned int count)
{
	const struct gnttab_map_grant_ref *op = map_ops;
	unsigned int ops = 0;

	for (unsigned int i = 0; i < count; i++)
		ops = prepare_map(pass[i], ops);
	/* A refusal of the whole leaves the statuses as they were: errors. */
	if (ops)
		hypercall_grant_table_op(GNTTABOP_map_grant_ref, map_ops, ops);
	for (unsigned int i = 0; i < count; i++) {
		if (pass[i]->error)
			continue;
		take_map(pass[i], op);
		op += pass[i]->count;
	}
}

/* What the disk does not let the guest do. */
static void check_rights(struct block_back_slot *slot)
{
	bool writes = slot->discard_left || (slot->transfer_left && slot->transfer == BLOCK_WRITE);

	if (!slot->error && writes && slot->ring->back->read_only)
		slot->error = -XEN_EROFS;
}

/* False: there was nothing, or it must wait. */
static bool run_pass(struct block_back_ring *ring)
{
	struct block_back_slot *pass[PASS];
	unsigned int copies, count = take_pass(ring, pass, &copies);

	if (!count)
		return false;
	take_indirect(pass, count, copies);
	for (unsigned int i = 0; i < count; i++)
		check_rights(pass[i]);
	map_pass(pass, count);
	block_batch_begin();
	for (unsigned int i = 0; i < count; i++) {
		count_request(ring->back, pass[i]);
		if (pass[i] != ring->barrier)
			advance(pass[i]);
	}
	begin_barrier(ring);
	block_kick(ring->back->device);
	block_batch_end();
	return true;
}

void block_back_ring_run(struct block_back_ring *ring)
{
	int more = true;

	if (ring->running || ring->back->closing || ring->back->broken)
		return;
	ring->running = true;
	ring->blocked = false;
	while (more) {
		while (run_pass(ring))
			;
		if (ring->blocked)
			break;
		RING_FINAL_CHECK_FOR_REQUESTS(&ring->ring, more);
	}
	ring->running = false;
}

/* A guest that sends events and has nothing to say is not heard for a while, or its events were all that runs here. */
void block_back_ring_event(evtchn_port_t port, void *data)
{
	struct block_back_ring *ring = data;
	RING_IDX before = ring->ring.req_cons;

	if (ring->back->closing || ring->back->broken)
		return;
	if (!ring->listed) {
		ring->burst = 0;
		block_back_ring_run(ring);
	}
	if (ring->ring.req_cons != before) {
		ring->in_vain = 0;
	} else if (++ring->in_vain >= IN_VAIN && !ring->muted) {
		event_mask(port);
		ring->muted = true;
		block_back_schedule(ring, clock_now() + MUTED_FOR);
	}
}

/*
 * Begin and end
 */

static bool reserve_addresses(struct block_back_ring *ring)
{
	for (unsigned int i = 0; i < ring->count; i++) {
		ring->slots[i].addresses = frames_reserve(BLOCK_BACK_SEGMENTS);
		if (!ring->slots[i].addresses)
			return false;
	}
	return true;
}

static long attach(struct block_back_ring *ring)
{
	struct blkif_sring *sring = ring->shared.pages;
	RING_IDX answered = __atomic_load_n(&sring->rsp_prod, __ATOMIC_ACQUIRE);

	BACK_RING_ATTACH(&ring->ring, sring, answered, PAGE_SIZE << ring->shared.order);
	return unconsumed(ring) < 0 ? -XEN_EIO : 0;
}

long block_back_ring_start(struct block_back_ring *ring)
{
	long error = attach(ring);

	if (error)
		return error;
	ring->count =
	    RING_SIZE(&ring->ring) < BLOCK_BACK_SLOTS ? RING_SIZE(&ring->ring) : BLOCK_BACK_SLOTS;
	ring->slots = pages_alloc(slot_pages(ring->count));
	if (!ring->slots)
		return -XEN_ENOMEM;
	memset(ring->slots, 0, slot_pages(ring->count) * PAGE_SIZE);
	for (unsigned int i = 0; i < ring->count; i++) {
		ring->slots[i].ring = ring;
		ring->slots[i].next = ring->free;
		ring->free = &ring->slots[i];
	}
	ring->answer.run = answer;
	if (!(ring->back->device->flags & BLOCK_DMA) && !reserve_addresses(ring))
		return -XEN_ENOMEM;
	return 0;
}

void block_back_ring_end(struct block_back_ring *ring)
{
	if (!ring->slots)
		return;
	for (unsigned int i = 0; i < ring->count; i++)
		if (ring->slots[i].addresses)
			frames_release(ring->slots[i].addresses, BLOCK_BACK_SEGMENTS);
	pages_free(ring->slots, slot_pages(ring->count));
	ring->slots = NULL;
}
