/* SPDX-License-Identifier: MIT */
/*
 * How far a request has got, for drivers that carry one out in several commands. Lies in the request's scratch. A driver
 * keeps requests in a queue until the last command of each has been given to the device; only the first one of the queue
 * may have been given in part. Events are masked.
 */
#ifndef DRIVERS_TRANSFER_H
#define DRIVERS_TRANSFER_H

#include <pv-drivers/block.h>

struct transfer {
	struct block_device *device;
	uint64_t sector;	/* the first one not given yet */
	uint64_t left;		/* sectors not given yet */
	uint32_t segment;	/* in which the memory of that sector lies */
	uint32_t offset;	/* bytes from that segment's start */
	int32_t status;		/* 0, or the first error */
	uint32_t commands : 31; /* that the device has */
	uint32_t queued : 1;	/* not all of it has been given */
};

static inline struct transfer *transfer_of(struct block_request *request)
{
	_Static_assert(sizeof(struct transfer) <= sizeof(request->scratch), "does not fit");
	return (struct transfer *)request->scratch;
}

static inline void transfer_queue(struct block_request_queue *queue, struct block_device *device,
				  struct block_request *request)
{
	*transfer_of(request) = (struct transfer){
	    .device = device, .sector = request->sector, .left = request->sectors, .queued = true};
	block_queue_put(queue, request);
}

/* The queue's first request has been given in full, or no more of it will be. */
static inline void transfer_given(struct block_request_queue *queue)
{
	transfer_of(block_queue_take(queue))->queued = false;
}

/* End a request unless something of it is still to come. May call whoever submitted it. */
static inline void transfer_end(struct block_request *request)
{
	const struct transfer *t = transfer_of(request);

	if (!t->queued && !t->commands)
		block_done(request, t->status);
}

/* The device is done with one command of a request. After an error no more of it is given. */
static inline void transfer_command_ended(struct block_request_queue *queue,
					  struct block_request *request, int status)
{
	struct transfer *t = transfer_of(request);

	t->commands--;
	if (status && !t->status)
		t->status = status;
	if (t->status && t->queued)
		transfer_given(queue);
	transfer_end(request);
}

/* The queue's first request cannot be given (further). */
static inline void transfer_refuse(struct block_request_queue *queue, int status)
{
	struct block_request *request = queue->first;
	struct transfer *t = transfer_of(request);

	if (!t->status)
		t->status = status;
	transfer_given(queue);
	transfer_end(request);
}

/* What a segment must be like for a device with these sectors. Who makes requests keeps to that; this makes sure. */
static inline bool transfer_segment_valid(const struct block_segment *segment, uint32_t unit)
{
	uint32_t in_page = segment->machine % 4096;

	return segment->length && segment->length <= 4096 - in_page &&
	       segment->length % unit == 0 && in_page % unit == 0;
}

#endif
