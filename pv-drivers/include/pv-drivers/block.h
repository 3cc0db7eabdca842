/* SPDX-License-Identifier: MIT */
/*
 * Block devices: what drivers of disks, partitions, files and RAM disks offer, what the block front half presents, and
 * what file systems and the block back half use.
 *
 * Sectors are units of BLOCK_SECTOR bytes everywhere, whatever the device's own sectors are. A request belongs to whoever
 * submits it; from block_submit until its done is called it, its segments and their memory are the device's. Devices
 * queue requests through `next` and keep what they like in `scratch`, so no request costs an allocation.
 *
 * Ordering: requests in flight at the same time are carried out in any order. What must come after something else is
 * submitted after that is done. A write that is done may still be lost with the power; once a BLOCK_FLUSH that was
 * submitted after the write's done is done itself it may not. A write with fua is stable when it is done.
 *
 * Context and locking: everything here belongs to vCPU 0. The functions marked "any context" may be called by threads
 * and event handlers, with events masked or not, and never wait; they, and a device's operations, run with events masked:
 * that is the lock of every device's state. The others are for threads.
 *
 * Errors are negated, XEN_E* of public/errno.h. Those of requests:
 *
 *   -XEN_EIO         the device failed, or is gone
 *   -XEN_EINVAL      outside the device, not aligned to its sectors, or too many segments
 *   -XEN_EROFS       write or discard on a read-only device
 *   -XEN_EOPNOTSUPP  discard, or fua, on a device that has none
 *   -XEN_ENOSPC      what is behind the device is full
 *   -XEN_ENOMEM      no memory for what a device needs to carry it out (copy on write, files)
 */
#ifndef PV_DRIVERS_BLOCK_H
#define PV_DRIVERS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <guest/thread.h>

#define BLOCK_SECTOR 512
#define BLOCK_NAME   48

/* Every device takes at least so many segments in a request, and no caller uses more than the maximum. */
#define BLOCK_MIN_SEGMENTS 11
#define BLOCK_MAX_SEGMENTS 256

struct block_device;

/*
 * Memory within one page, which need not be the domain's own. Both addresses lead to the same bytes; those for
 * devices (DMA) are in `machine`. For a device with BLOCK_DMA `data` may be NULL: then nothing is mapped. Offset and
 * length are multiples of the device's logical_size, length is not 0.
 */
struct block_segment {
	void *data;
	uint64_t machine;
	uint32_t length; /* bytes */
};

/* For devices that hand requests on to another one: those that are there now, and who waits for there being none. */
struct block_passed {
	unsigned int count;
	struct wait_queue none;
};

enum block_operation { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD };

struct block_request {
	enum block_operation operation;
	bool fua;	 /* of a write; only for devices with BLOCK_FUA */
	uint64_t sector; /* the first one; a device may change it (a partition: to the disk's) */
	uint64_t
	    sectors; /* how many: the length of all segments; of a discard, how many; of a flush, 0 */
	const struct block_segment *segments;
	unsigned int count; /* of segments; 0 for flush and discard */
	/*
	 * Called once, with 0 or an error, in any context with events masked, also from within block_submit. The request is
	 * the caller's again, and may be submitted anew from there.
	 */
	void (*done)(struct block_request *request, int status);
	void *owner; /* the caller's */

	/*
	 * NULL from the caller. One device at most, of those that hand the request on to each other, may count it, by
	 * block_pass.
	 */
	struct block_passed *passed;
	/* Of the device that has the request. One that hands it on to another gives these away too. */
	struct block_request *next;
	uint64_t scratch[6];
};

struct block_operations {
	/*
	 * Take a request, which has been checked against the device's size, logical_size, max_segments, max_discard and
	 * flags, and later call block_done, also for errors. Any context, events masked. May leave it queued until kick.
	 */
	void (*submit)(struct block_device *device, struct block_request *request);
	/* Start what has been queued: where doorbells are rung. NULL: submit has done so. Any context, events masked. */
	void (*kick)(struct block_device *device);
	/* In a thread, NULL if not needed: before the device's first user, and after its last one. */
	long (*open)(struct block_device *device);
	void (*close)(struct block_device *device);
};

#define BLOCK_READ_ONLY 0x1 /* cannot be written */
#define BLOCK_FUA	0x2 /* takes writes with fua */
#define BLOCK_DMA	0x4 /* uses segments' machine addresses only */
#define BLOCK_REMOVABLE 0x8

/* Who wants to know that a device has changed: its size, its flags, or that it is gone. */
struct block_listener {
	/* In any context, events masked: must not wait. */
	void (*changed)(struct block_listener *listener, struct block_device *device);
	void *data;
	struct block_listener *next; /* the device's */
};

struct block_device {
	/* Of the driver, set before anybody sees the device, then changed only through block_changed. */
	const struct block_operations *operations;
	char name[BLOCK_NAME];
	uint64_t sectors;
	uint32_t logical_size; /* bytes: 512, or more: a power of two up to 4096 */
	uint32_t physical_size;
	uint32_t max_segments;
	uint32_t discard_granularity; /* bytes; 0: no discard */
	uint32_t discard_alignment;   /* bytes from the start to the first such unit */
	uint64_t max_discard;	      /* sectors in a discard; 0: no limit */
	unsigned int flags;	      /* BLOCK_* */
	void *driver;

	/* Of block.c. */
	bool gone;
	unsigned int readers, writers, sharers;
	struct block_listener *listeners;
};

/*
 * Requests. Any context.
 */

/* Check a request and hand it to the device, which starts at once. Whatever is wrong is told through its done. */
void block_submit(struct block_device *device, struct block_request *request);
/* The same for one of many: the device may wait with it until block_kick, which the caller must call before it waits. */
void block_queue(struct block_device *device, struct block_request *request);
void block_kick(struct block_device *device);

/* For devices: a request is finished, with 0 or an error. The request must not be touched any more. */
void block_done(struct block_request *request, int status);

/*
 * For devices: hand a request on to another one, as block_queue, and count it until it is done. Events are masked. For threads:
 * wait until none is there; who hands on more meanwhile keeps the other waiting.
 */
void block_pass(struct block_passed *passed, struct block_device *to,
		struct block_request *request);
void block_wait_passed(struct block_passed *passed);

/* For devices: a queue of requests, first in first out, linked through `next`. Zeroed: empty. Events are masked. */
struct block_request_queue {
	struct block_request *first, **end;
};
void block_queue_put(struct block_request_queue *queue, struct block_request *request);
/* NULL: it is empty. */
struct block_request *block_queue_take(struct block_request_queue *queue);

/*
 * Batches. What a user does once for many finished requests (unmapping, answering) it puts off in done, by block_defer, to
 * the end of the batch in which it is; outside one it is done at once. A driver whose interrupt may finish several
 * requests makes that a batch. They may be nested; the outermost counts. Events are masked from begin to end.
 */
struct block_deferred {
	void (*run)(struct block_deferred *deferred);
	struct block_deferred *next; /* of block.c */
	bool queued;
};

void block_batch_begin(void);
void block_batch_end(void);
/* Call run once, at the end of the batch. Deferred already: nothing more happens. */
void block_defer(struct block_deferred *deferred);

/*
 * Users. For threads.
 */

enum block_access {
	BLOCK_OPEN_READ,   /* no writer beside it */
	BLOCK_OPEN_WRITE,  /* nobody beside it */
	BLOCK_OPEN_SHARED, /* to write beside other such users, all of whom know what they do */
};

/* 0; -XEN_EBUSY: used in a way that excludes this; -XEN_EROFS; -XEN_EIO: it is gone; or what the device says. */
long block_open(struct block_device *device, enum block_access access);
void block_close(struct block_device *device, enum block_access access);

/* Be called at each change from now on. Any context. */
void block_listen(struct block_device *device, struct block_listener *listener);
void block_unlisten(struct block_device *device, struct block_listener *listener);

/*
 * For drivers, any context: set a new size and tell the listeners. block_gone: the device is there no more; from now on
 * requests end with -XEN_EIO without reaching it, and those that it has are its to end. Its memory may be freed, by a
 * thread, when it has no users (block_used).
 */
void block_changed(struct block_device *device, uint64_t sectors);
void block_gone(struct block_device *device);
static inline bool block_used(const struct block_device *device)
{
	return device->readers || device->writers || device->sharers;
}

/*
 * Synchronous helpers, for threads: they wait until everything is done and return 0 or the first error. data: any memory
 * that is mapped, at any address; what is not aligned to the device's sectors, or straddles a page, is copied through a
 * page. Writes are not stable before block_flush.
 */
long block_read(struct block_device *device, uint64_t sector, void *data, uint64_t sectors);
long block_write(struct block_device *device, uint64_t sector, const void *data, uint64_t sectors);
long block_flush(struct block_device *device);
long block_discard(struct block_device *device, uint64_t sector, uint64_t sectors);

#endif
