/* SPDX-License-Identifier: MIT */
/*
 * Block devices (disks): the protocol between a frontend in a guest and a backend.
 *
 * Requests and responses travel over a ring (io/ring.h) of struct blkif_request and blkif_response. Each
 * request gets one response, with the same id, in any order. Data is in pages of the frontend's,
 * granted to the backend (grant_table.h), which maps or copies them.
 *
 * Agreement goes through the store (states: io/xenbus.h). Numbers are decimal, features 0 or 1; what is
 * not there has the default. In the backend's directory:
 *
 *   sectors                  size of the device, in units of sector-size
 *   sector-size              bytes in a logical sector; 512 unless the frontend said it can do others
 *   physical-sector-size     bytes in a sector of the hardware (default sector-size)
 *   info                     VDISK_* bits
 *   mode                     "r" or "w"
 *   feature-barrier          BLKIF_OP_WRITE_BARRIER works (default 0)
 *   feature-flush-cache      BLKIF_OP_FLUSH_DISKCACHE works (default 0)
 *   feature-discard          BLKIF_OP_DISCARD works (default 0); with discard-granularity (bytes, default
 *                            sector-size), discard-alignment (bytes from the start to the first such
 *                            unit, default 0), discard-secure (default 0); discard-enable 0: the
 *                            administrator does not want it
 *   feature-persistent       the backend keeps grants mapped that come again (default 0)
 *   feature-max-indirect-segments   BLKIF_OP_INDIRECT works with up to so many (default 0)
 *   max-ring-page-order      the ring may have 2^n pages (default 0); also, older, max-ring-pages
 *   multi-queue-max-queues   so many rings at once (default 1)
 *   params, type, physical-device, physical-device-path, direct-io-safe: the backend's own
 *
 * In the frontend's directory:
 *
 *   virtual-device           number that identifies the device to the guest
 *   device-type              "disk", "cdrom", ...
 *   ring-ref                 grant of the ring's page; of a ring of several: ring-ref0, ring-ref1, ...
 *   ring-page-order          the ring has 2^n pages (default 0); also, older, num-ring-pages
 *   event-channel            port that the backend is to bind
 *   protocol                 XEN_IO_PROTO_ABI_* (io/protocols.h)
 *   feature-persistent       the frontend uses the same grants again, all of them writable (default 0)
 *   feature-large-sector-size   it can do a sector-size other than 512 (default 0)
 *   multi-queue-num-queues   so many rings (default 1). From 2 on, ring-ref* and event-channel are not
 *                            here but in queue-0, queue-1, ...
 *   trusted                  0: take care, the backend may be hostile (default 1)
 *
 * Course:
 *  1. the backend publishes its features, and goes to InitWait;
 *  2. the frontend makes ring and channel, publishes them, and goes to Initialised;
 *  3. the backend maps and binds them, publishes sectors, sector-size and info, and goes to Connected;
 *  4. the frontend reads those, and goes to Connected. Now requests may come.
 */
#ifndef __XEN_PUBLIC_IO_BLKIF_H__
#define __XEN_PUBLIC_IO_BLKIF_H__

#include "ring.h"
#include "../grant_table.h"

#ifndef blkif_vdev_t
#define blkif_vdev_t uint16_t
#endif
#define blkif_sector_t uint64_t

/* Read or write the segments, from sector_number on. */
#define BLKIF_OP_READ  0
#define BLKIF_OP_WRITE 1

/* As WRITE (or without segments): after all writes before it are done, before any behind it starts. */
#define BLKIF_OP_WRITE_BARRIER 2

/* All writes answered so far are on stable storage when this is answered. */
#define BLKIF_OP_FLUSH_DISKCACHE 3

#define BLKIF_OP_RESERVED_1	 4

/* struct blkif_request_discard: the sectors' contents are not needed any more. */
#define BLKIF_OP_DISCARD 5

/*
 * struct blkif_request_indirect: READ or WRITE with more segments, which stand in pages of their own as
 * arrays of struct blkif_request_segment, as many as fit in each page.
 */
#define BLKIF_OP_INDIRECT 6

/* Limits of a plain request, and of an indirect one. */
#define BLKIF_MAX_SEGMENTS_PER_REQUEST	     11
#define BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST 8

/* Sectors first_sect to last_sect of a page, both included, counted from the page's start. */
struct blkif_request_segment {
	grant_ref_t gref;
	uint8_t first_sect, last_sect;
};

struct blkif_request {
	uint8_t operation;   /* BLKIF_OP_* */
	uint8_t nr_segments; /* elements of seg */
	blkif_vdev_t handle; /* the device: virtual-device */
	uint64_t id;	     /* the frontend's own, repeated in the response */
	blkif_sector_t sector_number;
	struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};
typedef struct blkif_request blkif_request_t;

/* In the place of a struct blkif_request, as operation tells. */
struct blkif_request_discard {
	uint8_t operation;	      /* BLKIF_OP_DISCARD */
	uint8_t flag;		      /* BLKIF_DISCARD_SECURE or 0 */
#define BLKIF_DISCARD_SECURE (1 << 0) /* nobody can recover it afterwards */
	blkif_vdev_t handle;
	uint64_t id;
	blkif_sector_t sector_number;
	uint64_t nr_sectors;
};
typedef struct blkif_request_discard blkif_request_discard_t;

/* Likewise. */
struct blkif_request_indirect {
	uint8_t operation;    /* BLKIF_OP_INDIRECT */
	uint8_t indirect_op;  /* BLKIF_OP_READ or BLKIF_OP_WRITE */
	uint16_t nr_segments; /* in all pages */
	uint64_t id;
	blkif_sector_t sector_number;
	blkif_vdev_t handle;
	grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};
typedef struct blkif_request_indirect blkif_request_indirect_t;

struct blkif_response {
	uint64_t id;	   /* of the request */
	uint8_t operation; /* of the request; of an indirect one, its indirect_op */
	int16_t status;	   /* BLKIF_RSP_* */
};
typedef struct blkif_response blkif_response_t;

#define BLKIF_RSP_EOPNOTSUPP -2 /* cannot do that; do not ask again */
#define BLKIF_RSP_ERROR	     -1
#define BLKIF_RSP_OKAY	     0

DEFINE_RING_TYPES(blkif, struct blkif_request, struct blkif_response);

/* Bits of the node "info". */
#define VDISK_CDROM	0x1
#define VDISK_REMOVABLE 0x2
#define VDISK_READONLY	0x4

#endif /* __XEN_PUBLIC_IO_BLKIF_H__ */
