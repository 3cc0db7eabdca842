/* SPDX-License-Identifier: MIT */
/* The block back half but for its requests (block_back_ring.c): the store, limits, and turns of rings. */
#include "block_back_ring.h"
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/format.h>
#include <guest/memory.h>
#include <guest/string.h>
#include <public/errno.h>
#include <public/io/protocols.h>

_Static_assert(BLOCK_BACK_QUEUES * sizeof(struct block_back_ring) <= PAGE_SIZE, "a page for rings");

/*
 * Shares of what may be in flight: of each guest, and within that of each of its rings. Events are masked.
 */

static struct block_back *open_backs;
static unsigned int active_guests; /* with something in flight */

static domid_t guest_of(const struct block_back *back)
{
	return back->bus->bus.other_domain;
}

static void join(struct block_back *back)
{
	struct block_back *other = open_backs;

	while (other && guest_of(other) != guest_of(back))
		other = other->next;
	back->first = other ? other->first : back;
	back->active = 0;
	back->next = open_backs;
	open_backs = back;
}

/* Nothing of it is in flight. If it counted for the guest another one does now. */
static void leave(struct block_back *back)
{
	struct block_back **link = &open_backs, *heir = NULL;

	while (*link != back)
		link = &(*link)->next;
	*link = back->next;
	for (struct block_back *other = open_backs; other; other = other->next) {
		if (other->first != back)
			continue;
		if (!heir) {
			heir = other;
			heir->active = back->active;
		}
		other->first = heir;
	}
}

bool block_back_may_take(const struct block_back_ring *ring)
{
	const struct block_back *guest = ring->back->first;

	/* One that has nothing in flight would not be looked at again; one that has is among those that are active. */
	return !ring->in_flight ||
	       (ring->in_flight + 1) * active_guests * guest->active <= BLOCK_BACK_SHARED;
}

void block_back_count(struct block_back_ring *ring, int change)
{
	struct block_back *guest = ring->back->first;

	active_guests -= guest->active > 0;
	guest->active -= ring->in_flight > 0;
	ring->in_flight += (unsigned int)change;
	ring->back->in_flight += (unsigned int)change;
	guest->active += ring->in_flight > 0;
	active_guests += guest->active > 0;
}

/*
 * Limits: a bucket of tokens for each, which fills at the limit's rate and holds a tenth of a second's worth. A request may
 * be taken when both hold something; what it takes may leave less than nothing. A byte or request is TOKEN, so that
 * a rate is tokens in a nanosecond and nothing is lost by rounding. Events are masked.
 */

#define TOKEN	 ((int64_t)NSEC_PER_SEC)
#define FULL	 (NSEC_PER_SEC / 10)
#define MAX_RATE 10000000000ul

static void refill(int64_t *tokens, uint64_t rate, uint64_t nanoseconds)
{
	int64_t most = (int64_t)(rate * FULL);
	__int128 filled = *tokens + (__int128)rate * nanoseconds;

	*tokens = filled < most ? (int64_t)filled : most;
}

/* Nanoseconds until there is something again. */
static uint64_t lack(int64_t tokens, uint64_t rate)
{
	return rate && tokens <= 0 ? (uint64_t)-tokens / rate + 1 : 0;
}

uint64_t block_back_next(struct block_back *back)
{
	const struct block_back_limits *limits = &back->limits;
	uint64_t now, bytes, requests;

	if (!limits->bytes && !limits->requests)
		return 0;
	now = clock_now();
	refill(&back->byte_tokens, limits->bytes, now - back->refilled);
	refill(&back->request_tokens, limits->requests, now - back->refilled);
	back->refilled = now;
	bytes = lack(back->byte_tokens, limits->bytes);
	requests = lack(back->request_tokens, limits->requests);
	if (bytes || requests)
		return now + (bytes > requests ? bytes : requests);
	if (limits->requests)
		back->request_tokens -= TOKEN;
	return 0;
}

void block_back_charge(struct block_back *back, uint64_t bytes)
{
	if (back->limits.bytes)
		back->byte_tokens -= (int64_t)bytes * TOKEN;
}

static uint64_t at_most(uint64_t rate)
{
	return rate < MAX_RATE ? rate : MAX_RATE;
}

void block_back_set_limits(struct block_back *back, const struct block_back_limits *limits)
{
	bool masked = events_save();

	back->limits.bytes = at_most(limits->bytes);
	back->limits.requests = at_most(limits->requests);
	back->byte_tokens = back->request_tokens = 0;
	back->refilled = clock_now();
	events_restore(masked);
}

/*
 * Turns: rings that wait for theirs, or for a time. One ring a turn, in the order in which they came.
 */

static struct block_back_ring *turns;
static struct wait_queue turn_wait;
static struct thread *turn_thread;

void block_back_schedule(struct block_back_ring *ring, uint64_t due)
{
	struct block_back_ring **end = &turns;

	if (ring->listed) {
		ring->due = due < ring->due ? due : ring->due;
	} else {
		while (*end)
			end = &(*end)->next;
		ring->listed = true;
		ring->due = due;
		ring->next = NULL;
		*end = ring;
	}
	wake_all(&turn_wait);
}

static void unschedule(struct block_back_ring *ring)
{
	for (struct block_back_ring **r = &turns; *r; r = &(*r)->next) {
		if (*r == ring) {
			*r = ring->next;
			break;
		}
	}
	ring->listed = false;
}

static void turn_of(struct block_back_ring *ring)
{
	unschedule(ring);
	ring->burst = 0;
	ring->in_vain = 0;
	if (ring->muted && !ring->back->broken && !ring->back->closing)
		event_unmask((evtchn_port_t)ring->shared.port);
	ring->muted = false;
	block_back_ring_run(ring);
}

/* Events are masked. */
static uint64_t one_turn(void)
{
	uint64_t now = clock_now(), next = 0;

	for (struct block_back_ring *ring = turns; ring; ring = ring->next) {
		if (ring->due <= now) {
			turn_of(ring);
			return now;
		}
		if (!next || ring->due < next)
			next = ring->due;
	}
	return next;
}

uint64_t block_back_turn(void)
{
	bool masked = events_save();
	uint64_t next = one_turn();

	events_restore(masked);
	return next;
}

/* From the look to the sleep events stay masked, so that nothing is scheduled in between. */
static void run_turns(void *unused)
{
	for (;;) {
		bool masked = events_save();
		uint64_t next = one_turn();

		if (!next || next > clock_now())
			wait_on(&turn_wait, next);
		events_restore(masked);
	}
}

static long start_turns(void)
{
	if (!turn_thread)
		turn_thread = thread_create("disks", run_turns, NULL);
	return turn_thread ? 0 : -XEN_ENOMEM;
}

/*
 * The store
 */

static long put(struct block_back *back, const char *name, uint64_t value)
{
	return xenbus_printf(&back->bus->bus, 0, name, "%lu", value);
}

static long put_features(struct block_back *back)
{
	const struct block_device *device = back->device;
	const struct {
		const char *name;
		uint64_t value;
	} features[] = {
	    {"feature-flush-cache", 1},
	    {"feature-barrier", 1},
	    {"feature-persistent", 0},
	    {"feature-max-indirect-segments", device->max_segments < BLOCK_BACK_SEGMENTS
						  ? device->max_segments
						  : BLOCK_BACK_SEGMENTS},
	    {"max-ring-page-order", BLOCK_BACK_ORDER},
	    {"multi-queue-max-queues", BLOCK_BACK_QUEUES},
	    {"feature-discard", back->discard},
	    {"discard-granularity", device->discard_granularity},
	    {"discard-alignment", device->discard_alignment},
	    {"discard-secure", 0},
	};
	const unsigned int always = 6;
	long error = 0;

	for (unsigned int i = 0; i < (back->discard ? 10 : always + 1) && !error; i++)
		error = put(back, features[i].name, features[i].value);
	return error;
}

/* In units of 512 bytes whatever sector-size says: what Linux's front and back halves do. */
static long put_size(struct block_back *back)
{
	const struct block_device *device = back->device;
	unsigned int info = back->read_only ? VDISK_READONLY : 0;
	long error;

	if (device->flags & BLOCK_REMOVABLE)
		info |= VDISK_REMOVABLE;
	error = put(back, "sectors", device->sectors);
	if (!error)
		error = put(back, "sector-size", device->logical_size);
	if (!error)
		error = put(back, "physical-sector-size", device->physical_size);
	if (!error)
		error = put(back, "info", info);
	return error;
}

static void on_device(struct block_listener *listener, struct block_device *device)
{
	struct block_back *back = listener->data;

	back->changed = true;
	xenbus_back_kick(back->bus);
}

long block_back_open(struct block_back *back, const char **why)
{
	bool masked;
	long error;

	if (back->device->flags & BLOCK_READ_ONLY)
		back->read_only = true;
	if (back->read_only || !back->device->discard_granularity)
		back->discard = false;
	error = put_features(back);
	if (error) {
		*why = "cannot write to the store";
		return error;
	}
	back->closing = true;
	back->listener.changed = on_device;
	back->listener.data = back;
	block_listen(back->device, &back->listener);
	masked = events_save();
	join(back);
	events_restore(masked);
	return 0;
}

void block_back_close(struct block_back *back)
{
	bool masked = events_save();

	leave(back);
	events_restore(masked);
	block_unlisten(back->device, &back->listener);
}

void block_back_update(struct block_back *back)
{
	if (back->changed) {
		back->changed = false;
		if (!put_size(back))
			xenbus_back_announce(back->bus);
	}
	if (back->broken && !back->told) {
		back->told = true;
		back->bus->failures++;
		xenbus_fail(&back->bus->bus, -XEN_EIO,
			    "the guest broke its ring; it is not served any more");
	}
}

/*
 * Rings
 */

static bool speaks_our_protocol(struct block_back *back)
{
	char protocol[32];
	long length = xenbus_read_other(&back->bus->bus, "protocol", protocol, sizeof(protocol));

	return length == -XEN_ENOENT || (length >= 0 && !strcmp(protocol, XEN_IO_PROTO_ABI_X86_64));
}

static long read_queues(struct block_back *back)
{
	uint64_t queues;
	long error = xenbus_read_other_number(&back->bus->bus, "multi-queue-num-queues", &queues);

	if (error == -XEN_ENOENT)
		queues = 1;
	else if (error)
		return error;
	if (!queues || queues > BLOCK_BACK_QUEUES)
		return -XEN_EINVAL;
	back->queues = (unsigned int)queues;
	return 0;
}

static void disconnect_ring(struct block_back_ring *ring)
{
	bool masked = events_save();

	if (ring->listed)
		unschedule(ring);
	events_restore(masked);
	block_back_ring_end(ring);
	if (ring->shared.pages)
		xenbus_ring_disconnect(&ring->shared);
}

static void disconnect_all(struct block_back *back)
{
	for (unsigned int i = 0; i < back->queues; i++)
		disconnect_ring(&back->rings[i]);
	page_free(back->rings);
	back->rings = NULL;
}

static long connect_ring(struct block_back *back, unsigned int queue)
{
	struct block_back_ring *ring = &back->rings[queue];
	char ref[32] = "ring-ref", channel[32] = "event-channel";
	long error;

	if (back->queues > 1) {
		format_string(ref, sizeof(ref), "queue-%u/ring-ref", queue);
		format_string(channel, sizeof(channel), "queue-%u/event-channel", queue);
	}
	ring->back = back;
	error = xenbus_ring_connect(&back->bus->bus, &ring->shared, BLOCK_BACK_ORDER, ref, channel,
				    block_back_ring_event, ring);
	return error ? error : block_back_ring_start(ring);
}

static void begin(struct block_back *back)
{
	bool masked = events_save();

	back->closing = false;
	for (unsigned int i = 0; i < back->queues; i++)
		block_back_ring_run(&back->rings[i]);
	events_restore(masked);
}

static long connect_all(struct block_back *back)
{
	long error = 0;

	for (unsigned int i = 0; i < back->queues && !error; i++)
		error = connect_ring(back, i);
	if (!error) {
		back->changed = false;
		error = put_size(back);
	}
	return error;
}

long block_back_connect(struct block_back *back, const char **why)
{
	long error;

	if (!speaks_our_protocol(back)) {
		*why = "the front half does not speak " XEN_IO_PROTO_ABI_X86_64
		       ", the only protocol served";
		return -XEN_EOPNOTSUPP;
	}
	*why = "cannot use the rings that the front half has published";
	error = read_queues(back);
	if (error)
		return error;
	error = start_turns();
	if (error)
		return error;
	back->rings = page_alloc();
	if (!back->rings)
		return -XEN_ENOMEM;
	back->closing = true; /* until all is there: events may come already */
	back->broken = back->told = false;
	error = connect_all(back);
	if (error) {
		disconnect_all(back);
		return error;
	}
	begin(back);
	return 0;
}

void block_back_retry(struct block_back *back)
{
	bool masked = events_save();

	block_batch_begin();
	for (unsigned int i = 0; back->held && i < back->queues; i++)
		block_back_ring_retry(&back->rings[i]);
	block_batch_end();
	block_kick(back->device);
	events_restore(masked);
}

/*
 * Nothing more is taken out of the rings; what is in flight is answered yet, so that a front half that goes on with another
 * back half (a service that was started anew) has lost nothing.
 */
bool block_back_disconnect(struct block_back *back)
{
	back->closing = true;
	block_back_retry(back);
	if (back->in_flight)
		return false;
	disconnect_all(back);
	return true;
}
