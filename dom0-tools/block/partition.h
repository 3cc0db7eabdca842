/* SPDX-License-Identifier: MIT */
/* Partitions of disks. For threads. */
#ifndef BLOCK_PARTITION_H
#define BLOCK_PARTITION_H

#include "gpt.h"
#include <pv-drivers/block.h>

/*
 * Read the partition table of a disk, or its second copy when the first is bad: the partitions, to be freed, and how many
 * to *count. NULL with *problem NULL: the disk has no table, or no partitions; else a sentence about what is wrong.
 */
struct gpt_partition *partitions_read(struct block_device *disk, unsigned int *count,
				      const char **problem);

/*
 * A device for sectors of a disk, named after it, or NULL without memory. Its users are users of the disk too: nobody can
 * write to the whole disk meanwhile.
 */
struct block_device *partition_create(struct block_device *disk,
				      const struct gpt_partition *partition);

#endif
