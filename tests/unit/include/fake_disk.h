/* SPDX-License-Identifier: MIT */
/*
 * A block device in memory, for tests of what lies above one. It can remember what was written and flushed, in order, so that a
 * test can make the disk as a power cut at any moment would have left it: what was flushed is there, of the rest any part.
 */
#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv-drivers/block.h>
#include <public/errno.h>

struct fake_write {
	uint64_t sector;
	void *before; /* a sector, as it was */
	void *after;
	unsigned int flushes; /* that were done before it */
};

struct fake_disk {
	struct block_device device;
	unsigned char *data;
	bool recording;
	struct fake_write *writes;
	unsigned int write_count, write_room, flushes;
	uint64_t writes_until_error; /* 0: never */
	struct block_request_queue queued;
	bool slow; /* requests wait for fake_disk_step */
};

static inline int fake_record(struct fake_disk *disk, uint64_t sector, const void *data)
{
	struct fake_write *write;

	if (disk->write_count == disk->write_room) {
		disk->write_room = disk->write_room ? 2 * disk->write_room : 1024;
		disk->writes = realloc(disk->writes, disk->write_room * sizeof(*disk->writes));
	}
	write = &disk->writes[disk->write_count++];
	*write = (struct fake_write){.sector = sector,
				     .before = malloc(BLOCK_SECTOR),
				     .after = malloc(BLOCK_SECTOR),
				     .flushes = disk->flushes};
	memcpy(write->before, disk->data + sector * BLOCK_SECTOR, BLOCK_SECTOR);
	memcpy(write->after, data, BLOCK_SECTOR);
	return 0;
}

static inline void fake_write(struct fake_disk *disk, uint64_t sector, const unsigned char *data,
			      uint64_t sectors)
{
	for (uint64_t i = 0; i < sectors; i++) {
		if (disk->recording)
			fake_record(disk, sector + i, data + i * BLOCK_SECTOR);
		memcpy(disk->data + (sector + i) * BLOCK_SECTOR, data + i * BLOCK_SECTOR,
		       BLOCK_SECTOR);
	}
}

static inline int fake_carry_out(struct fake_disk *disk, struct block_request *request)
{
	uint64_t sector = request->sector;

	if (request->operation == BLOCK_FLUSH) {
		disk->flushes++;
		return 0;
	}
	if (request->operation == BLOCK_WRITE && disk->writes_until_error &&
	    --disk->writes_until_error == 0) {
		disk->writes_until_error = 1;
		return -XEN_EIO;
	}
	for (unsigned int i = 0; i < request->count; i++) {
		const struct block_segment *segment = &request->segments[i];
		uint64_t sectors = segment->length / BLOCK_SECTOR;

		/* As a device does, by the machine's address. */
		if (request->operation == BLOCK_READ)
			memcpy((void *)segment->machine, disk->data + sector * BLOCK_SECTOR,
			       segment->length);
		else
			fake_write(disk, sector, (void *)segment->machine, sectors);
		sector += sectors;
	}
	return 0;
}

static inline void fake_submit(struct block_device *device, struct block_request *request)
{
	struct fake_disk *disk = device->driver;

	if (disk->slow)
		block_queue_put(&disk->queued, request);
	else
		block_done(request, fake_carry_out(disk, request));
}

/* The oldest request that waits is carried out. False: there is none. */
static inline bool fake_disk_step(struct fake_disk *disk)
{
	struct block_request *request = block_queue_take(&disk->queued);

	if (request)
		block_done(request, fake_carry_out(disk, request));
	return request != NULL;
}

static const struct block_operations fake_operations = {.submit = fake_submit};

static inline void fake_disk_open(struct fake_disk *disk, uint64_t bytes)
{
	*disk = (struct fake_disk){.data = calloc(1, bytes)};
	disk->device = (struct block_device){
	    .operations = &fake_operations,
	    .name = "fake",
	    .sectors = bytes / BLOCK_SECTOR,
	    .logical_size = BLOCK_SECTOR,
	    .physical_size = 4096,
	    .max_segments = 16,
	    .driver = disk,
	};
}

static inline void fake_disk_forget(struct fake_disk *disk)
{
	for (unsigned int i = 0; i < disk->write_count; i++) {
		free(disk->writes[i].before);
		free(disk->writes[i].after);
	}
	disk->write_count = 0;
	disk->flushes = 0;
}

static inline void fake_disk_close(struct fake_disk *disk)
{
	fake_disk_forget(disk);
	free(disk->writes);
	free(disk->data);
}

static inline void fake_disk_save(const struct fake_disk *disk, const char *path)
{
	FILE *file = fopen(path, "w");
	uint64_t bytes = disk->device.sectors * BLOCK_SECTOR;

	/* Zeros become holes. */
	for (uint64_t at = 0; file && at < bytes; at += 4096) {
		static const unsigned char zeros[4096];

		if (memcmp(disk->data + at, zeros, 4096) == 0 && at + 4096 < bytes)
			continue;
		fseek(file, (long)at, SEEK_SET);
		fwrite(disk->data + at, 1, 4096, file);
	}
	if (!file || fclose(file))
		abort();
}

static inline void fake_disk_load(struct fake_disk *disk, const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file || fread(disk->data, 1, disk->device.sectors * BLOCK_SECTOR, file) == 0 ||
	    fclose(file))
		abort();
}

/*
 * A moment of what was recorded: so many writes have reached the disk's cache, and of flushes those that were done when the last
 * of them came, even if another was under way. Half of the moments are such ones.
 */
static inline unsigned int fake_disk_moment(const struct fake_disk *disk,
					    uint32_t (*random_below)(uint32_t limit))
{
	unsigned int cut = random_below(disk->write_count + 1);

	if (random_below(2))
		while (cut && cut < disk->write_count &&
		       disk->writes[cut].flushes == disk->writes[cut - 1].flushes)
			cut++;
	return cut;
}

/* The disk after a power cut at that moment; `whole`: of each 4 KiB all or nothing was written, else of each sector. */
static inline void fake_disk_cut(struct fake_disk *disk, const unsigned char *before,
				 const struct fake_disk *recorded, unsigned int cut, bool whole,
				 uint32_t (*random_below)(uint32_t limit))
{
	unsigned int flushes = cut ? recorded->writes[cut - 1].flushes : 0,
		     share = random_below(101);
	bool taken = false;

	memcpy(disk->data, before, disk->device.sectors * BLOCK_SECTOR);
	for (unsigned int i = 0; i < cut; i++) {
		const struct fake_write *write = &recorded->writes[i];

		if (!whole || write->sector % 8 == 0)
			taken = random_below(100) < share;
		if (write->flushes < flushes || taken)
			memcpy(disk->data + write->sector * BLOCK_SECTOR, write->after,
			       BLOCK_SECTOR);
	}
}

#endif
