/* SPDX-License-Identifier: MIT */
/* Guests' disks that are disks or partitions of dom0's (registry.h). */
#include "block/registry.h"
#include "block/source.h"
#include <string.h>
#include <public/errno.h>

/* Below /dev, or no path at all. */
static bool is_disk(const char *target)
{
	return target[0] != '/' || !strncmp(target, "/dev/", 5);
}

static long open_disk(const char *target, bool read_only, struct block_device **device,
		      const char **why)
{
	const struct disk *disk = disk_find(target, why);

	if (!disk)
		return -XEN_ENOENT;
	*device = disk->device;
	return 0;
}

void disk_sources_add(void)
{
	static struct block_source_kind disk = {.name = "disk", .is = is_disk, .open = open_disk};

	block_source_add(&disk);
}
