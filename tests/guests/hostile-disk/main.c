/* SPDX-License-Identifier: MIT */
/*
 * A domain whose front half of a disk means harm: it connects again and again, properly or with nonsense in the store, puts
 * anything into the ring, moves its indexes, changes requests and takes grants back while they are used, floods
 * events, and leaves in the middle. It says "hostile-disk: round N" after each round; the scenario looks at the
 * others (tests/scenarios/test_block.py).
 */
#include "../test.h"
#include <guest/format.h>
#include <guest/thread.h>
#include <pv-drivers/barrier.h>
#include <pv-drivers/grant.h>
#include <pv-drivers/xenbus.h>
#include <pv-drivers/xs_ring.h>
#include <public/io/blkif.h>

#define OWN   "device/vbd/51712"
#define PAGES 8
#define SPAN  (100 * NSEC_PER_MSEC)

static struct xs xs;
static struct xenbus_device device;
static struct xenbus_ring shared;
static struct blkif_front_ring ring;
static uint64_t state = 1;
static char *pages[PAGES];
static grant_ref_t refs[PAGES];
static bool granted[PAGES];
static unsigned long sent;

static uint64_t any(uint64_t limit)
{
	return test_random(&state) % limit;
}

static void grant(unsigned int page)
{
	long ref = grant_access(0, virt_to_mfn(pages[page]), any(4) == 0);

	granted[page] = ref > 0;
	if (granted[page])
		refs[page] = (grant_ref_t)ref;
}

/* Attacks: each makes one small step. */

static void put_bytes(void)
{
	uint64_t *request = (uint64_t *)RING_GET_REQUEST(&ring, ring.req_prod_pvt);

	for (unsigned int i = 0; i < sizeof(struct blkif_request) / 8; i++)
		request[i] = test_random(&state);
	ring.req_prod_pvt++;
}

static void fill_list(struct blkif_request_segment *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		list[i] = (struct blkif_request_segment){
		    .gref = any(8) ? refs[any(PAGES)] : (grant_ref_t)test_random(&state),
		    .first_sect = (uint8_t)any(3),
		    .last_sect = (uint8_t)any(9),
		};
}

/* Near enough to a request that it gets far. */
static void put_request(void)
{
	struct blkif_request *request = RING_GET_REQUEST(&ring, ring.req_prod_pvt);

	memset(request, 0, sizeof(*request));
	request->operation = (uint8_t)any(8);
	request->id = test_random(&state);
	request->sector_number = any(4) ? any(2048) : test_random(&state);
	if (request->operation == BLKIF_OP_INDIRECT) {
		struct blkif_request_indirect *indirect = (void *)request;

		indirect->indirect_op = (uint8_t)any(3);
		indirect->nr_segments = (uint16_t)any(64);
		indirect->indirect_grefs[0] = refs[0];
		fill_list((struct blkif_request_segment *)pages[0], 64);
	} else if (request->operation == BLKIF_OP_DISCARD) {
		((struct blkif_request_discard *)request)->nr_sectors = test_random(&state);
	} else {
		request->nr_segments = (uint8_t)any(13);
		fill_list(request->seg, BLKIF_MAX_SEGMENTS_PER_REQUEST);
	}
	ring.req_prod_pvt++;
}

static void push(void)
{
	RING_PUSH_REQUESTS(&ring);
	event_send((evtchn_port_t)shared.port);
	sent++;
}

/* Into what the other end may be reading just now. */
static void scribble(void)
{
	uint64_t *words = shared.pages;

	words[8 + any(504)] = test_random(&state);
	((uint64_t *)pages[0])[any(512)] = test_random(&state);
}

static void scribble_events(void)
{
	ring.sring->rsp_event = (RING_IDX)test_random(&state);
	ring.sring->req_event = (RING_IDX)test_random(&state);
}

static void flood(void)
{
	for (unsigned int i = 0; i < 20; i++)
		event_send((evtchn_port_t)shared.port);
}

/* A page that may be in use: taken back if that goes, and given again. */
static void change_grant(void)
{
	unsigned int page = (unsigned int)any(PAGES);

	if (granted[page] && grant_end(refs[page]))
		granted[page] = false;
	if (!granted[page])
		grant(page);
}

static void (*const attacks[])(void) = {put_bytes, put_request,	    put_request, push,	      push,
					scribble,  scribble_events, flood,	 change_grant};

static void attack(bool break_ring)
{
	uint64_t end = clock_now() + SPAN;

	while (clock_now() < end) {
		/* As if all had been answered: what is not yet is overwritten. */
		ring.rsp_cons = ring.req_prod_pvt - (RING_IDX)any(8);
		attacks[any(COUNT_OF(attacks))]();
		/* Within what the ring allows, or it ends at once. */
		if (ring.req_prod_pvt - ring.sring->rsp_prod > RING_SIZE(&ring))
			ring.req_prod_pvt = ring.sring->rsp_prod + RING_SIZE(&ring);
	}
	if (break_ring) {
		ring.sring->req_prod += 1000 + (RING_IDX)any(1u << 31);
		event_send((evtchn_port_t)shared.port);
	}
}

/* Nonsense in the store, in place of what belongs there. */
static void lie(void)
{
	static const char *const nodes[] = {"ring-ref", "event-channel", "ring-page-order",
					    "multi-queue-num-queues", "protocol"};
	static const char *const values[] = {"4294967295",	     "0", "-1", "x",
					     "99999999999999999999", "",  "5"};

	xenbus_printf(&device, 0, nodes[any(COUNT_OF(nodes))], "%s", values[any(COUNT_OF(values))]);
}

static bool connect(bool lying)
{
	const unsigned int answer =
	    1u << XenbusStateConnected | 1u << XenbusStateClosing | 1u << XenbusStateClosed;
	uint64_t deadline = clock_now() + NSEC_PER_SEC;

	xenbus_set_state(&device, XenbusStateInitialising);
	if (xenbus_wait(&device, 1u << XenbusStateInitWait, deadline) < 0 ||
	    xenbus_ring_create(&device, &shared, 0, NULL, NULL))
		return false;
	XEN_FRONT_RING_INIT(&ring, (struct blkif_sring *)shared.pages, PAGE_SIZE);
	xenbus_ring_publish(&device, 0, &shared, "ring-ref", "event-channel");
	xenbus_printf(&device, 0, "protocol", "x86_64-abi");
	xenbus_printf(&device, 0, "multi-queue-num-queues", "1");
	xenbus_printf(&device, 0, "ring-page-order", "0");
	if (lying)
		lie();
	xenbus_set_state(&device, XenbusStateInitialised);
	return xenbus_wait(&device, answer, deadline) == XenbusStateConnected;
}

static void leave(void)
{
	const unsigned int ended = 1u << XenbusStateClosed | 1u << XenbusStateInitWait;

	/* Not Closing first: in the middle. */
	xenbus_set_state(&device, XenbusStateClosed);
	xenbus_wait(&device, ended, clock_now() + 2 * NSEC_PER_SEC);
	if (!xenbus_ring_destroy(&shared))
		printk("hostile-disk: the ring is mapped still\n");
}

static void make_pages(void)
{
	long error = grants_init();

	for (unsigned int i = 0; i < PAGES && !error; i++) {
		pages[i] = page_alloc();
		grant(i);
	}
	if (error)
		panic("no grants: %ld", error);
}

void guest_main(void)
{
	long error = threads_init("hostile");

	if (!error)
		error = xs_connect_ring(&xs);
	if (!error)
		error = xs_dispatch_thread(&xs, "watches");
	if (!error)
		error = xenbus_open(&device, &xs, OWN, XENBUS_FRONT);
	if (error)
		panic("no disk: %ld", error);
	make_pages();
	for (unsigned int round = 1;; round++) {
		bool lying = round % 4 == 2, connected = connect(lying);

		if (connected)
			attack(round % 4 == 0);
		leave();
		printk("hostile-disk: round %u, %s%lu pushes so far\n", round,
		       connected ? "" : "not connected, ", sent);
	}
}
