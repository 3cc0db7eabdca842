/* SPDX-License-Identifier: MIT */
/* What the two files of the block back half share: block_back.c (store, limits, turns), block_back_ring.c (requests). */
#ifndef BLOCK_BACK_RING_H
#define BLOCK_BACK_RING_H

#include <pv-drivers/barrier.h>
#include <pv-drivers/block_back.h>
#include <public/io/blkif.h>

/* A request from when it is taken out of the ring until it is answered. */
struct block_back_slot {
	struct block_request request;
	struct block_back_ring *ring;
	struct block_back_slot *next; /* free, finished, or held */

	/* What the guest wants. */
	uint64_t id;
	uint8_t operation; /* BLKIF_OP_* */
	uint8_t
	    answer; /* the same as the answer repeats it: of an indirect request, what it does */
	enum block_operation transfer;
	uint64_t sector, sectors;
	unsigned int count; /* of segments */

	/* Steps that the device has not been given yet, in this order; see submit_next(). */
	bool flush_before, transfer_left, flush_after;
	uint64_t discard_left; /* sectors */
	/* The step that the device has, to be repeated if it is held. */
	enum block_operation step;
	uint64_t step_sector, step_sectors;
	bool ended, advancing; /* the step is over; submit_next() is being called */
	int error;	       /* of the last step */
	int16_t status;	       /* BLKIF_RSP_* */

	bool mapped;
	void *addresses; /* BLOCK_BACK_SEGMENTS pages for grants, if the device needs addresses */
	struct block_segment segments[BLOCK_BACK_SEGMENTS];
	grant_ref_t refs[BLOCK_BACK_SEGMENTS];
	grant_handle_t handles[BLOCK_BACK_SEGMENTS];
};

/* A ring. It is served from the guest's event, the end of its requests, or the thread; always with events masked. */
struct block_back_ring {
	struct block_back *back;
	struct xenbus_ring shared;
	struct blkif_back_ring ring;
	struct block_back_slot *slots, *free, *finished, *held;
	struct block_back_slot *barrier; /* nothing is taken out of the ring until it is done */
	bool barrier_begun;		 /* which it does when nothing else is in flight */
	unsigned int count;		 /* of slots */
	unsigned int in_flight;		 /* slots that are not free */
	bool running, blocked;
	unsigned int burst;   /* requests taken since the last event, or turn of the thread */
	unsigned int in_vain; /* events in a row that announced nothing */
	struct block_deferred answer;

	/* The thread's list. */
	struct block_back_ring *next;
	bool listed, muted;
	uint64_t due; /* a system time; 0: at once */
};

/* Make slots, and take the shared ring up where it is. 0, -XEN_ENOMEM, or -XEN_EIO: its indexes are impossible. */
long block_back_ring_start(struct block_back_ring *ring);
/* Nothing is in flight. */
void block_back_ring_end(struct block_back_ring *ring);
/* Serve it as far as that goes now. */
void block_back_ring_run(struct block_back_ring *ring);
/* What is held goes to the device again or, as the back half closes, ends. The device is to be kicked. */
void block_back_ring_retry(struct block_back_ring *ring);
event_handler block_back_ring_event;

/*
 * Of block_back.c.
 */

/* May the ring have one more request in flight, beside those of others? */
bool block_back_may_take(const struct block_back_ring *ring);
void block_back_count(struct block_back_ring *ring, int change);
/* When the disk's limits let the next request through: 0 now, otherwise a system time. */
uint64_t block_back_next(struct block_back *back);
void block_back_charge(struct block_back *back, uint64_t bytes);
/* Have the thread serve the ring at a system time; 0: when it is its turn. */
void block_back_schedule(struct block_back_ring *ring, uint64_t due);

#endif
