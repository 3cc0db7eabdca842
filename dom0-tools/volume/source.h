/* SPDX-License-Identifier: MIT */
/*
 * Files of a volume as block devices. A request for blocks whose place is known goes on to the disk as it is, in whatever
 * context it came: nothing is copied. What needs more than that, a look into the file system or a place for new blocks, is
 * done by a thread of the device's.
 *
 * A file may be an overlay over another one, its base (the note "cerne.base" has its path), which may be one in turn: what was
 * never written in the overlay is read from the base. The extents of the overlay's file are the map of what was written, so it
 * survives a power cut as any file does. As long as it has overlays ("cerne.overlays" counts them) a base cannot be written.
 *
 * A write is done before the file system knows of its blocks for good; a flush waits for that.
 *
 * A discard gives blocks back to the file system, in units of 64 KiB: the file has a hole there, which reads as zeros, or as what the
 * base has. A file with the note "cerne.preallocated" keeps its blocks: its device has no discard.
 */
#ifndef VOLUME_SOURCE_H
#define VOLUME_SOURCE_H

#include <stdbool.h>
#include "volume/volume.h"

#define NOTE_BASE	  "cerne.base"
#define NOTE_PREALLOCATED "cerne.preallocated"
#define SOURCE_DEPTH	  8 /* files in such a chain */
#define SOURCE_PATH	  256

/*
 * The device of a file; the same one for all who open it. It stays until each has closed it. While there is one the file is not
 * removed, shrunk or written otherwise. On failure a sentence in *why. For threads.
 */
long volume_source_open(struct volume *volume, const char *path, bool read_only,
			struct block_device **device, const char **why);
void volume_source_close(struct block_device *device);
/* A file has become larger: its device, if it has one, tells its users. */
void volume_source_grown(struct volume_file *file);

/* Do one thing that waits for the device's thread; false: there is none. For tests without threads. */
bool volume_source_step(struct block_device *device);

#endif
