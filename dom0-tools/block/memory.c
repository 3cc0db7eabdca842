/* SPDX-License-Identifier: MIT */
/* Disks in dom0's memory: empty ones, and files of its root, which lie in memory. */
#include "block/source.h"
#include "files/files.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/thread.h>
#include <public/errno.h>

struct memory_disk {
	struct block_device device;
	char *bytes;
	bool owned;
};

/*
 * Discards: whole disks may be cleared by a request, which must not be done with events masked.
 */
static struct block_request_queue discards;
static struct wait_queue discard_wait;
static struct thread *discard_thread;

static void run_discards(void *unused)
{
	for (;;) {
		struct block_request *request;
		bool masked = events_save();

		while ((request = block_queue_take(&discards)) == NULL)
			wait_on(&discard_wait, 0);
		events_restore(masked);
		memset((char *)request->scratch[0], 0, request->sectors * BLOCK_SECTOR);
		block_done(request, 0);
	}
}

static void submit(struct block_device *device, struct block_request *request)
{
	const struct memory_disk *disk = device->driver;
	char *at = disk->bytes + request->sector * BLOCK_SECTOR;

	if (request->operation == BLOCK_DISCARD) {
		request->scratch[0] = (uint64_t)at;
		block_queue_put(&discards, request);
		wake_all(&discard_wait);
		return;
	}
	for (unsigned int i = 0; i < request->count; i++) {
		const struct block_segment *segment = &request->segments[i];

		if (request->operation == BLOCK_READ)
			memcpy(segment->data, at, segment->length);
		else
			memcpy(at, segment->data, segment->length);
		at += segment->length;
	}
	block_done(request, 0);
}

static const struct block_operations operations = {.submit = submit};

static struct block_device *make(const char *name, char *bytes, uint64_t size)
{
	struct memory_disk *disk = calloc(1, sizeof(*disk));

	if (!disk)
		return NULL;
	disk->bytes = bytes;
	disk->device.operations = &operations;
	disk->device.driver = disk;
	disk->device.sectors = size / BLOCK_SECTOR;
	disk->device.logical_size = BLOCK_SECTOR;
	disk->device.physical_size = PAGE_SIZE;
	disk->device.max_segments = BLOCK_MAX_SEGMENTS;
	snprintf(disk->device.name, sizeof(disk->device.name), "%s", name);
	return &disk->device;
}

static void close_disk(struct block_device *device)
{
	struct memory_disk *disk = device->driver;

	if (disk->owned)
		free(disk->bytes);
	free(disk);
}

/*
 * Empty ones
 */

/* What follows "ram", or NULL. */
static const char *ram_size(const char *target)
{
	if (!strncmp(target, "/dev/", 5))
		target += 5;
	return !strncmp(target, "ram:", 4) || !strncmp(target, "ram/", 4) ? target + 4 : NULL;
}

static bool is_ram(const char *target)
{
	return ram_size(target) != NULL;
}

/* Bytes, 0: it is no size. */
static uint64_t read_size(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	unsigned int shift = *end == 'K' ? 10 : *end == 'G' ? 30 : 20;

	if (end == text || number > UINT64_MAX >> 34)
		return 0;
	if (*end == 'K' || *end == 'M' || *end == 'G')
		end++;
	return *end ? 0 : (uint64_t)number << shift;
}

static long open_ram(const char *target, bool read_only, struct block_device **device,
		     const char **why)
{
	uint64_t size = read_size(ram_size(target));
	char *bytes;

	if (!size) {
		*why = "a disk in memory is written ram:SIZE, for example ram:64M";
		return -XEN_EINVAL;
	}
	*why = "dom0 has not that much memory";
	bytes = size / PAGE_SIZE < pages_available() ? calloc(1, size) : NULL;
	if (!bytes)
		return -XEN_ENOMEM;
	*device = make(target, bytes, size);
	if (!*device) {
		free(bytes);
		return -XEN_ENOMEM;
	}
	((struct memory_disk *)(*device)->driver)->owned = true;
	(*device)->discard_granularity = discard_thread ? BLOCK_SECTOR : 0;
	return 0;
}

/*
 * Files of the root
 */

static bool is_root_file(const char *target)
{
	const void *data;
	size_t size;

	return target[0] == '/' && !files_map(target, &data, &size);
}

static long open_root_file(const char *target, bool read_only, struct block_device **device,
			   const char **why)
{
	const void *data;
	size_t size;

	if (files_map(target, &data, &size))
		return -XEN_ENOENT;
	if (size < BLOCK_SECTOR) {
		*why = "the file is smaller than a sector";
		return -XEN_EINVAL;
	}
	/* Not written: BLOCK_READ_ONLY keeps writes away. */
	*device = make(target, (char *)(uintptr_t)data, size);
	if (!*device) {
		*why = "dom0 is out of memory";
		return -XEN_ENOMEM;
	}
	(*device)->flags = BLOCK_READ_ONLY;
	return 0;
}

void memory_sources_add(void)
{
	static struct block_source_kind ram = {
	    .name = "ram", .is = is_ram, .open = open_ram, .close = close_disk};
	static struct block_source_kind root_file = {
	    .name = "root file", .is = is_root_file, .open = open_root_file, .close = close_disk};

	discard_thread = thread_create("ram-discard", run_discards, NULL);
	block_source_add(&ram);
	block_source_add(&root_file);
}
