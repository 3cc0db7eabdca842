/* SPDX-License-Identifier: MIT */
/*
 * What guests' disks are made of: `target` of a disk's configuration, `params` in the store, names a device of dom0's, a
 * file, or memory. Each kind of source is entered here by whoever has it. For threads.
 */
#ifndef BLOCK_SOURCE_H
#define BLOCK_SOURCE_H

#include <pv-drivers/block.h>

/*
 * Kinds are asked in the order in which they were entered, and the first one that says that the target is one of its is
 * the one that counts.
 */
struct block_source_kind {
	const char *name; /* as `block list` shows it */
	bool (*is)(const char *target);
	/*
	 * Find or make the device. read_only: it will not be written. 0, or an error (XEN_E*) with a sentence in *why, static or
	 * the kind's until its next call. Who uses a device already is none of its business: block_open decides that.
	 */
	long (*open)(const char *target, bool read_only, struct block_device **device,
		     const char **why);
	/*
	 * NULL, or: is what was opened a disk by now? 0; -XEN_EAGAIN: not yet, ask again when the device's listeners are told; or
	 * an error with a sentence in *why: it will never be. Before it was 0 the device has no users.
	 */
	long (*ready)(struct block_device *device, const char **why);
	/* It is not used any more, by who opened it. NULL: nothing to do. */
	void (*close)(struct block_device *device);
	struct block_source_kind *next;
};

void block_source_add(struct block_source_kind *kind);

/* One that is open. Zeroed: none. */
struct block_source {
	const struct block_source_kind *kind;
	struct block_device *device; /* NULL: it is not open */
	enum block_access access;
	bool used; /* block_open */
};

/*
 * 0, or an error with a sentence in *why. -XEN_EAGAIN: it takes time. block_source_ready then, whenever the device's listeners are
 * told; its other errors leave the source to be closed.
 */
long block_source_open(struct block_source *source, const char *target, enum block_access access,
		       const char **why);
long block_source_ready(struct block_source *source, const char **why);
void block_source_close(struct block_source *source);

/*
 * Kinds of memory (memory.c): "ram:64M", also written /dev/ram:64M, /dev/ram/64M or ram/64M, a new empty disk of that
 * size (K, M, G; MiB without) that is gone when it is closed; and a file of dom0's read-only root.
 */
void memory_sources_add(void);

/* Disks and partitions by the names that `disks` shows (disk_source.c), "/dev/" before them or not. Last: what no other kind knows. */
void disk_sources_add(void);

#endif
