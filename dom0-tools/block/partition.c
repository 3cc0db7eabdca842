/* SPDX-License-Identifier: MIT */
#include "partition.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/event.h>

struct partition {
	struct block_device device;
	struct block_device *disk;
	struct block_listener listener;
	uint64_t start; /* sectors */
};

/* ---- the table ---- */

static long read_blocks(struct block_device *disk, uint64_t block, void *to, uint64_t blocks)
{
	uint64_t sectors = disk->logical_size / BLOCK_SECTOR;

	return block_read(disk, block * sectors, to, blocks * sectors);
}

static uint64_t blocks_of(const struct block_device *disk)
{
	return disk->sectors / (disk->logical_size / BLOCK_SECTOR);
}

static const char *read_entries(struct block_device *disk, const struct gpt_header *header,
				struct gpt_partition *partitions, unsigned int *count)
{
	size_t bytes = (size_t)header->entries * header->entry_bytes;
	uint64_t blocks = (bytes + disk->logical_size - 1) / disk->logical_size;
	uint8_t *entries = malloc(blocks * disk->logical_size);
	const char *problem = "out of memory";

	if (entries && read_blocks(disk, header->entries_at, entries, blocks))
		problem = "the partition table cannot be read";
	else if (entries)
		problem = gpt_check_entries(header, entries, partitions, count);
	free(entries);
	return problem;
}

/* The table whose header is in that block. */
static const char *read_table(struct block_device *disk, uint64_t at, uint8_t *block,
			      struct gpt_partition *partitions, unsigned int *count)
{
	struct gpt_header header;
	const char *problem;

	if (read_blocks(disk, at, block, 1))
		return "the partition table cannot be read";
	problem = gpt_check_header(block, disk->logical_size, at, blocks_of(disk), &header);
	return problem ? problem : read_entries(disk, &header, partitions, count);
}

struct gpt_partition *partitions_read(struct block_device *disk, unsigned int *count,
				      const char **problem)
{
	struct gpt_partition *partitions = calloc(GPT_MOST_PARTITIONS, sizeof(*partitions));
	uint8_t *block = malloc(disk->logical_size);
	uint64_t blocks = blocks_of(disk);

	*count = 0;
	*problem = "out of memory";
	if (partitions && block) {
		*problem =
		    blocks < 3 ? GPT_NO_TABLE : read_table(disk, 1, block, partitions, count);
		/* 5.3.2: the second copy is in the last block. A disk without a table has neither. */
		if (*problem && blocks >= 3 &&
		    !read_table(disk, blocks - 1, block, partitions, count))
			*problem = NULL;
	}
	free(block);
	if (*problem == GPT_NO_TABLE)
		*problem = NULL;
	if (*count)
		return partitions;
	free(partitions);
	return NULL;
}

/* ---- the device ---- */

static void submit(struct block_device *device, struct block_request *request)
{
	struct partition *partition = device->driver;

	/* Checked against our size: what is added stays within the disk's. */
	request->sector += partition->start;
	block_queue(partition->disk, request);
}

static void kick(struct block_device *device)
{
	struct partition *partition = device->driver;

	block_kick(partition->disk);
}

static enum block_access disk_access(const struct block_device *disk)
{
	return disk->flags & BLOCK_READ_ONLY ? BLOCK_OPEN_READ : BLOCK_OPEN_SHARED;
}

static long open_disk(struct block_device *device)
{
	struct partition *partition = device->driver;

	return block_open(partition->disk, disk_access(partition->disk));
}

static void close_disk(struct block_device *device)
{
	struct partition *partition = device->driver;

	block_close(partition->disk, disk_access(partition->disk));
}

static const struct block_operations operations = {submit, kick, open_disk, close_disk};

/* The disk is gone, or became smaller: then what lies beyond its end is refused by the disk. */
static void disk_changed(struct block_listener *listener, struct block_device *disk)
{
	struct partition *partition = listener->data;

	partition->device.flags = disk->flags;
	if (disk->gone && !partition->device.gone)
		block_gone(&partition->device);
}

/* Bytes from the partition's start to the first whole unit of the disk's discards. */
static uint32_t discard_alignment(const struct block_device *disk, uint64_t start)
{
	uint64_t unit = disk->discard_granularity;

	if (!unit)
		return 0;
	return (uint32_t)((unit + disk->discard_alignment % unit - start * BLOCK_SECTOR % unit) %
			  unit);
}

struct block_device *partition_create(struct block_device *disk, const struct gpt_partition *where)
{
	uint64_t sectors = disk->logical_size / BLOCK_SECTOR;
	struct partition *partition = calloc(1, sizeof(*partition));
	struct block_device *device;

	if (!partition)
		return NULL;
	partition->disk = disk;
	partition->start = where->first * sectors;
	device = &partition->device;
	device->operations = &operations;
	device->driver = partition;
	snprintf(device->name, sizeof(device->name), "%.32sp%u", disk->name, where->number);
	device->sectors = (where->last - where->first + 1) * sectors;
	device->logical_size = disk->logical_size;
	device->physical_size = disk->physical_size;
	device->max_segments = disk->max_segments;
	device->discard_granularity = disk->discard_granularity;
	device->discard_alignment = discard_alignment(disk, partition->start);
	device->max_discard = disk->max_discard;
	device->flags = disk->flags;
	partition->listener = (struct block_listener){.changed = disk_changed, .data = partition};
	block_listen(disk, &partition->listener);
	return device;
}
