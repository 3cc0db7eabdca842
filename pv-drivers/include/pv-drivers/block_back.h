/* SPDX-License-Identifier: MIT */
/*
 * The back half of a split disk (public/io/blkif.h): takes a guest's requests from its rings and hands them to a block
 * device, whose data goes straight to and from the guest's granted pages.
 *
 * For a device with BLOCK_DMA the grants are mapped for devices only: no page tables change and nothing is flushed. For
 * others they are mapped into this domain for as long as the request lasts. Grants are not kept mapped
 * (feature-persistent is 0): a front half that uses its grants again has to copy all data to and from them.
 *
 * The guest is not trusted. A request is copied out of the ring once and then checked; a ring whose indexes are impossible is
 * not served any more. A guest has at most BLOCK_BACK_SLOTS requests in flight in a ring, and what is allocated for
 * them depends on the number and size of its rings only. All guests that have requests in flight share BLOCK_BACK_SHARED alike, and
 * the rings of a guest, of all its disks, what is its share, at least one request each: more disks and queues get it no more.
 *
 * The functions are what xenbus_back_driver's of the same names need; the caller (a service) finds the block device. All
 * of them are for the service's thread, but where it says otherwise.
 */
#ifndef PV_DRIVERS_BLOCK_BACK_H
#define PV_DRIVERS_BLOCK_BACK_H

#include <pv-drivers/block.h>
#include <pv-drivers/xenbus_back.h>

/* Limits of what a front half may have. */
#define BLOCK_BACK_QUEUES   4
#define BLOCK_BACK_ORDER    4  /* a ring has up to 2^order pages */
#define BLOCK_BACK_SEGMENTS 32 /* in an indirect request; what Linux uses by default */
#define BLOCK_BACK_SLOTS    64 /* requests in flight in a ring */
#define BLOCK_BACK_SHARED   128

/* 0: no limit. Bursts of a tenth of a second are let through. */
struct block_back_limits {
	uint64_t bytes;	   /* in a second, read and written */
	uint64_t requests; /* in a second */
};

struct block_back_counters {
	uint64_t reads, writes, flushes, discards;
	uint64_t read_sectors, written_sectors;
	uint64_t errors;    /* that the device told */
	uint64_t refused;   /* requests that make no sense */
	uint64_t throttled; /* how often a limit made the guest wait */
	uint64_t notified;  /* events sent to the guest */
};

struct block_back_ring;

/* A disk; zeroed before open. */
struct block_back {
	struct xenbus_back *bus;
	struct block_device *device;
	bool read_only;
	bool discard; /* wanted: discard-enable */
	/*
	 * Requests that the device fails (input/output error, no space, no memory) are held, with their memory, and the bus
	 * is kicked; block_back_retry has the device try them again. When the back half disconnects they end with the error.
	 * May be changed at any time, with events masked.
	 */
	bool hold;

	struct block_back_counters counters;
	struct block_back_limits limits;

	/* Inside. */
	struct block_listener listener;
	bool changed; /* the device has, and the front half does not know */
	bool broken;  /* the front half has broken a ring */
	bool told;    /* that it has */
	bool closing;
	unsigned int queues;
	struct block_back_ring *rings; /* queues of them */
	unsigned int in_flight;
	unsigned int held; /* of these: by `hold` */
	/* Of all that are open: the next one, and the one that counts for the guest: its rings with something in flight. */
	struct block_back *next, *first;
	unsigned int active;
	/* Token buckets: what may be used up before the guest waits; they may go below zero. */
	int64_t byte_tokens, request_tokens;
	uint64_t refilled; /* when */
};

/* Write what the front half can use. `bus`, `device`, `read_only` and `discard` are set; the device is open. */
long block_back_open(struct block_back *back, const char **why);
/* Map what the front half has published, and begin. */
long block_back_connect(struct block_back *back, const char **why);
/* False: requests are in flight; xenbus_back_kick is called when the last one ends. */
bool block_back_disconnect(struct block_back *back);
/* Undo open; the device is the caller's to close. */
void block_back_close(struct block_back *back);
/* The device was kicked: tell the front half of a new size, and tools of a broken ring. */
void block_back_update(struct block_back *back);

/* Any context. */
void block_back_set_limits(struct block_back *back, const struct block_back_limits *limits);

/* Give the device again what is held. Any context. */
void block_back_retry(struct block_back *back);

/*
 * For back halves that have no threads of their own to run (tests): do what the thread of all rings would do now.
 * Returns when it would be next, 0: when something happens.
 */
uint64_t block_back_turn(void);

#endif
