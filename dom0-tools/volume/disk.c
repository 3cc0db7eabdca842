/* SPDX-License-Identifier: MIT */
#include "volume/disk.h"
#include <errno.h>
#include <string.h>
#include <guest/event.h>
#include <guest/memory.h>

void disk_init(struct volume_disk *disk, struct block_device *device, uint32_t block_size)
{
	memset(disk, 0, sizeof(*disk));
	disk->device = device;
	disk->block_size = block_size;
	disk->blocks = device->sectors / (block_size / BLOCK_SECTOR);
}

static uint64_t to_sectors(const struct volume_disk *disk, uint64_t blocks)
{
	return blocks * (disk->block_size / BLOCK_SECTOR);
}

static bool inside(const struct volume_disk *disk, uint64_t block, uint64_t count)
{
	return block <= disk->blocks && count <= disk->blocks - block;
}

long disk_read(struct volume_disk *disk, uint64_t block, void *data, uint64_t count)
{
	if (!inside(disk, block, count))
		return -EIO;
	return block_read(disk->device, to_sectors(disk, block), data, to_sectors(disk, count));
}

long disk_write(struct volume_disk *disk, uint64_t block, const void *data, uint64_t count)
{
	if (!inside(disk, block, count))
		return -EIO;
	return block_write(disk->device, to_sectors(disk, block), data, to_sectors(disk, count));
}

long disk_flush(struct volume_disk *disk)
{
	return block_flush(disk->device);
}

/* In any context, events masked. */
static void on_written(struct block_request *request, int status)
{
	struct volume_disk *disk = request->owner;
	struct disk_write *write =
	    (struct disk_write *)((char *)request - offsetof(struct disk_write, request));

	if (status && !disk->error)
		disk->error = status;
	write->busy = false;
	disk->in_flight--;
	wake_all(&disk->finished);
}

static void send(struct volume_disk *disk)
{
	struct disk_write *write = disk->filling;
	bool masked;

	if (!write)
		return;
	disk->filling = NULL;
	write->request.sectors = to_sectors(disk, write->request.count);
	masked = events_save();
	disk->in_flight++;
	block_submit(disk->device, &write->request);
	events_restore(masked);
}

static struct disk_write *find_free(struct volume_disk *disk)
{
	for (unsigned int i = 0; i < DISK_WRITES; i++)
		if (!disk->writes[i].busy)
			return &disk->writes[i];
	return NULL;
}

/* A request that starts with this block. Waits while all are in flight. */
static struct disk_write *begin(struct volume_disk *disk, uint64_t block)
{
	bool masked = events_save();
	struct disk_write *write;

	while ((write = find_free(disk)) == NULL)
		wait_on(&disk->finished, 0);
	write->busy = true;
	events_restore(masked);
	write->request = (struct block_request){
	    .operation = BLOCK_WRITE,
	    .sector = to_sectors(disk, block),
	    .segments = write->segments,
	    .done = on_written,
	    .owner = disk,
	};
	return write;
}

static bool continues(const struct volume_disk *disk, const struct disk_write *write,
		      uint64_t block)
{
	unsigned int most =
	    disk->device->max_segments < DISK_SEGMENTS ? disk->device->max_segments : DISK_SEGMENTS;

	return write->request.count < most &&
	       write->request.sector + to_sectors(disk, write->request.count) ==
		   to_sectors(disk, block);
}

void disk_write_one(struct volume_disk *disk, uint64_t block, void *data)
{
	struct block_segment *segment;

	if (!inside(disk, block, 1)) {
		if (!disk->error)
			disk->error = -EIO;
		return;
	}
	if (disk->filling && !continues(disk, disk->filling, block))
		send(disk);
	if (!disk->filling)
		disk->filling = begin(disk, block);
	segment = &disk->filling->segments[disk->filling->request.count++];
	segment->data = data;
	segment->machine = ((uint64_t)pte_mfn(page_lookup((unsigned long)data)) << PAGE_SHIFT) +
			   (unsigned long)data % PAGE_SIZE;
	segment->length = disk->block_size;
}

long disk_write_end(struct volume_disk *disk)
{
	bool masked;
	long error;

	send(disk);
	masked = events_save();
	while (disk->in_flight)
		wait_on(&disk->finished, 0);
	error = disk->error;
	disk->error = 0;
	events_restore(masked);
	return error;
}
