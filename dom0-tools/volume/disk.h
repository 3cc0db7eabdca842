/* SPDX-License-Identifier: MIT */
/*
 * The device below a volume, in blocks of the file system. For threads, one at a time: the volume's lock is held.
 * Errors are negative errnos.
 */
#ifndef VOLUME_DISK_H
#define VOLUME_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <guest/thread.h>
#include <pv-drivers/block.h>

#define DISK_WRITES   8	 /* requests in flight */
#define DISK_SEGMENTS 32 /* blocks in each */

struct disk_write {
	struct block_request request;
	struct block_segment segments[DISK_SEGMENTS];
	bool busy;
};

struct volume_disk {
	struct block_device *device;
	uint32_t block_size; /* bytes: a power of two from 1024 to 4096 */
	uint64_t blocks;

	/* Of disk.c. */
	struct disk_write writes[DISK_WRITES];
	struct disk_write *filling; /* the one that is not submitted yet */
	unsigned int in_flight;
	long error; /* the first one since the last disk_write_end */
	struct wait_queue finished;
};

void disk_init(struct volume_disk *disk, struct block_device *device, uint32_t block_size);

/* -EIO outside the disk. */
long disk_read(struct volume_disk *disk, uint64_t block, void *data, uint64_t count);
long disk_write(struct volume_disk *disk, uint64_t block, const void *data, uint64_t count);
/* What has been written before is stable. */
long disk_flush(struct volume_disk *disk);

/*
 * Many blocks: each is written in any order among the others, with its neighbours at once. `data` lies in one page and
 * must stay as it is until disk_write_end, which waits for all and returns the first error.
 */
void disk_write_one(struct volume_disk *disk, uint64_t block, void *data);
long disk_write_end(struct volume_disk *disk);

#endif
