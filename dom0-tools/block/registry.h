/* SPDX-License-Identifier: MIT */
/*
 * dom0's block devices by name: disks, in the order in which drivers report them (disk0, disk1, ...), their partitions
 * (disk0p1, ...), and whatever else is given a name here. An entry stays for good; a device that is gone keeps its name
 * until the machine restarts, so that nobody gets another disk under the name of his own.
 *
 * For threads.
 */
#ifndef BLOCK_REGISTRY_H
#define BLOCK_REGISTRY_H

#include <pv-drivers/block.h>

#define DISK_TEXT  48  /* of a fact, with its end */
#define DISK_LABEL 112 /* a partition's name: 36 characters of up to 3 bytes in UTF-8 */
#define DISK_GUID  37

/* What is known about one of them. Texts may be empty. */
struct disk {
	struct disk *next;
	struct block_device *device;
	struct disk *whole; /* of a partition: its disk, else NULL */
	char driver[16];    /* "virtio-blk", "nvme", "ahci"; "partition" */
	char place[16];	    /* where it is: "00:04.0" */
	char model[DISK_TEXT];
	char serial[DISK_TEXT];
	/* Of partitions. */
	unsigned int number;
	uint64_t start;		/* sectors, on its disk */
	char label[DISK_LABEL]; /* its name in the partition table */
	char guid[DISK_GUID];
	/* What is wrong with its partition table, as a sentence, or NULL. */
	const char *table_error;
};

/*
 * A driver has found a disk, which works by now, interrupts too: gives device->name, reads its partition table and enters
 * it with all partitions. facts: driver, place, model and serial are copied. The entry, or NULL without memory; a bad
 * table is no error here.
 */
struct disk *disk_register(struct block_device *device, const struct disk *facts);

/* Enter a device that has a name already. NULL: without memory, or the name is taken. */
struct disk *disk_register_named(struct block_device *device, const struct disk *facts);

/* The first of all, or NULL. */
struct disk *disks_first(void);

/*
 * Find a device as users write it: a name, "/dev/" before it or not; "PARTLABEL=..." and "PARTUUID=..." as in the
 * partition table; "LABEL=..." as in an ext file system. NULL with one sentence about it in *problem: not there, or more
 * than one.
 */
struct disk *disk_find(const char *name, const char **problem);

#endif
