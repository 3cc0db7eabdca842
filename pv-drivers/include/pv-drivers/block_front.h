/* SPDX-License-Identifier: MIT */
/*
 * The front half of a split disk (public/io/blkif.h), which presents a block device. Data moves between the back half and
 * the pages of whoever submits a request; nothing is copied, and no request allocates memory.
 *
 * It uses one ring of one page, indirect requests, flush, discard and changes of size as the back half offers them. When the back half is started anew it connects again, and what was in flight is repeated; meanwhile
 * requests wait. Does the back half go for good, requests end with -XEN_EIO.
 *
 * A back half can lie about data, but what it writes into the ring is checked: nothing but the data is in its hands. While
 * it keeps a page mapped whose request it has answered, that request is not done.
 */
#ifndef PV_DRIVERS_BLOCK_FRONT_H
#define PV_DRIVERS_BLOCK_FRONT_H

#include <pv-drivers/barrier.h>
#include <pv-drivers/block.h>
#include <pv-drivers/xenbus_front.h>
#include <public/io/blkif.h>

#define BLOCK_FRONT_REQUESTS 32 /* what a ring of one page has room for */
#define BLOCK_FRONT_SEGMENTS 32

struct block_front {
	struct block_device device;

	/* Inside. */
	struct xenbus_front bus;
	struct xenbus_ring shared;
	struct blkif_front_ring ring;
	bool connected; /* requests may be put into the ring */
	bool broken;	/* the back half has put nonsense into it */
	bool flush;	/* it can do */
	struct block_request_queue waiting;
	unsigned int in_flight;
	/* Requests in the ring; their ids are indexes here. */
	struct block_front_slot {
		struct block_request *request; /* NULL: free */
		grant_ref_t refs[BLOCK_FRONT_SEGMENTS];
		unsigned int granted;
		void *list;	      /* a page for segments of an indirect request, */
		grant_ref_t list_ref; /* granted for as long as the ring is there */
	} slots[BLOCK_FRONT_REQUESTS];
};

/*
 * Begin with the device whose directory is `own`, "device/vbd/51712", and wait until it is connected or a system time (0:
 * for ever) has come. The structure is zeroed. 0; -XEN_ETIMEDOUT; -XEN_ENODEV: the back half does not want to; an
 * error of the store, or of memory. For threads; xs: watches are dispatched by another one.
 */
long block_front_open(struct block_front *front, struct xs *xs, const char *own, uint64_t deadline);
/* For threads. What is in flight ends with -XEN_EIO. */
void block_front_close(struct block_front *front);

#endif
