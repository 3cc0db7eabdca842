/* SPDX-License-Identifier: MIT */
#include "registry.h"
#include "partition.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <guest/thread.h>

/* Disks may be found by several threads. */
static struct mutex lock;
static struct disk *first, **last = &first;
static unsigned int disk_count;

struct disk *disks_first(void)
{
	return first;
}

static struct disk *by_name(const char *name)
{
	for (struct disk *disk = first; disk; disk = disk->next)
		if (strcmp(disk->device->name, name) == 0)
			return disk;
	return NULL;
}

/* The lock is held. */
static struct disk *enter(struct block_device *device, const struct disk *facts)
{
	struct disk *disk = by_name(device->name) ? NULL : malloc(sizeof(*disk));

	if (!disk)
		return NULL;
	*disk = *facts;
	disk->device = device;
	disk->next = NULL;
	*last = disk;
	last = &disk->next;
	return disk;
}

struct disk *disk_register_named(struct block_device *device, const struct disk *facts)
{
	struct disk *disk;

	mutex_lock(&lock);
	disk = enter(device, facts);
	mutex_unlock(&lock);
	return disk;
}

static void enter_partition(struct disk *disk, const struct gpt_partition *partition)
{
	struct block_device *device = partition_create(disk->device, partition);
	struct disk facts = {
	    .driver = "partition",
	    .whole = disk,
	    .number = partition->number,
	    .start = partition->first * (disk->device->logical_size / BLOCK_SECTOR),
	};

	if (!device)
		return;
	snprintf(facts.label, sizeof(facts.label), "%s", partition->name);
	gpt_guid_text(partition->guid, facts.guid);
	if (!enter(device, &facts))
		free(device);
}

struct disk *disk_register(struct block_device *device, const struct disk *facts)
{
	struct gpt_partition *partitions;
	unsigned int count;
	struct disk *disk;

	mutex_lock(&lock);
	snprintf(device->name, sizeof(device->name), "disk%u", disk_count);
	disk = enter(device, facts);
	if (disk) {
		disk_count++;
		partitions = partitions_read(device, &count, &disk->table_error);
		for (unsigned int n = 0; n < count; n++)
			enter_partition(disk, &partitions[n]);
		free(partitions);
	}
	mutex_unlock(&lock);
	return disk;
}

/* ---- by label ---- */

/* The superblock of an ext file system: 1024 bytes in; its magic number and the volume's name in it. */
#define EXT_BYTES      4096
#define EXT_MAGIC      (1024 + 0x38)
#define EXT_LABEL      (1024 + 0x78)
#define EXT_LABEL_SIZE 16

static bool has_ext_label(const struct disk *disk, const char *label)
{
	static const uint8_t magic[2] = {0x53, 0xef};
	char *bytes = malloc(EXT_BYTES);
	bool has = false;

	if (bytes && disk->device->sectors >= EXT_BYTES / BLOCK_SECTOR &&
	    !block_read(disk->device, 0, bytes, EXT_BYTES / BLOCK_SECTOR) &&
	    memcmp(bytes + EXT_MAGIC, magic, sizeof(magic)) == 0)
		has = strlen(label) <= EXT_LABEL_SIZE &&
		      strncmp(bytes + EXT_LABEL, label, EXT_LABEL_SIZE) == 0;
	free(bytes);
	return has;
}

static bool has_label(const struct disk *disk, const char *label)
{
	return disk->whole && strcmp(disk->label, label) == 0;
}

static bool has_guid(const struct disk *disk, const char *guid)
{
	return disk->whole && strcasecmp(disk->guid, guid) == 0;
}

static struct disk *only_one(bool (*has)(const struct disk *disk, const char *value),
			     const char *value, const char **problem)
{
	struct disk *found = NULL;

	*problem = "there is none with that label";
	for (struct disk *disk = first; disk; disk = disk->next) {
		if (disk->device->gone || !has(disk, value))
			continue;
		if (found) {
			*problem = "more than one has that label";
			return NULL;
		}
		found = disk;
	}
	return found;
}

struct disk *disk_find(const char *name, const char **problem)
{
	static const struct {
		const char *prefix;
		bool (*has)(const struct disk *disk, const char *value);
	} ways[] = {{"PARTLABEL=", has_label}, {"PARTUUID=", has_guid}, {"LABEL=", has_ext_label}};

	for (size_t n = 0; n < sizeof(ways) / sizeof(ways[0]); n++) {
		size_t length = strlen(ways[n].prefix);

		if (strncmp(name, ways[n].prefix, length) == 0)
			return only_one(ways[n].has, name + length, problem);
	}
	if (strncmp(name, "/dev/", 5) == 0)
		name += 5;
	*problem = "there is no such disk";
	return by_name(name);
}
