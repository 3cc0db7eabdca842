/* SPDX-License-Identifier: MIT */
/*
 * dom0's volume: an ext4 file system on a block device, that keeps what was flushed through power cuts and that a Linux
 * machine can read and fill. libext2fs (e2fsprogs) knows the format; the journal, and how blocks get to the disk, are ours
 * (volume/journal.h, volume/transaction.c).
 *
 * For threads; one at a time does something, others wait. Paths are normal ones below the volume's top: no / at the ends, no
 * "." or "..", "" is the top. Symbolic links, devices and the like are not shown. Errors are negative errnos; -EROFS also
 * when damage was found: then nothing is written any more.
 */
#ifndef VOLUME_VOLUME_H
#define VOLUME_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pv-drivers/block.h>

struct volume;
struct volume_file;

/* A message: one sentence without its stop, of at most so many bytes. */
#define VOLUME_PROBLEM 200
#define VOLUME_NAME    255 /* the longest name, without a terminator */

/* The note (volume_set_note) that counts the overlays over a file: unless it is 0 the file is not changed: -EBUSY. */
#define NOTE_OVERLAYS "cerne.overlays"

/*
 * Mount what is on a device, which stays open until unmounted: replay its journal, check its tables. A file system that
 * cannot be written safely is mounted read-only, and `problem` says why; "" if all is well.
 */
long volume_mount(struct block_device *device, bool read_only, struct volume **volume,
		  char problem[VOLUME_PROBLEM]);
/* -EBUSY while files are open. */
long volume_unmount(struct volume *volume);
/* Make an empty file system there; all that was on the device is lost. The label has at most 16 bytes. */
long volume_format(struct block_device *device, const char *label, char problem[VOLUME_PROBLEM]);
/* The label of the ext file system there, terminated, or "" when there is none. */
long volume_label(struct block_device *device, char label[17]);

struct volume_info {
	char label[17];
	const char *device;
	uint64_t size, free; /* bytes */
	uint32_t block_size;
	bool read_only;
	unsigned int replayed; /* blocks that the journal had for us when it was mounted */
};
void volume_describe(struct volume *volume, struct volume_info *info);

/* Everything done so far is stable. */
long volume_sync(struct volume *volume);
/* The same, unless there is nothing to be written; to be called now and then. */
void volume_tick(struct volume *volume);

struct volume_status {
	uint64_t node;
	uint64_t size, allocated; /* bytes */
	int64_t time;		  /* of the last change: seconds since 1970 */
	bool directory;
	bool in_use; /* a block device: it cannot be written, shrunk or removed otherwise */
};
long volume_find(struct volume *volume, const char *path, struct volume_status *status);
/* Call each for what is in a directory, without "." and "..". It may not call the volume. */
long volume_list(struct volume *volume, const char *path,
		 void (*each)(const char *name, const struct volume_status *status, void *context),
		 void *context);

long volume_mkdir(struct volume *volume, const char *path);
/* A file, or an empty directory. -EBUSY: it is open, or there are overlays over it; -ENOTEMPTY */
long volume_remove(struct volume *volume, const char *path);
/* A file of the new name is replaced, at once or not at all. -EXDEV: a directory to another directory. */
long volume_rename(struct volume *volume, const char *from, const char *to);

#define VOLUME_CREATE	 0x1 /* if it does not exist */
#define VOLUME_EXCLUSIVE 0x2 /* with CREATE: -EEXIST if it does */
#define VOLUME_WRITE	 0x4
#define VOLUME_TRUNCATE	 0x8

long volume_open(struct volume *volume, const char *path, unsigned int flags,
		 struct volume_file **file);
void volume_close(struct volume_file *file);
void volume_file_status(struct volume_file *file, struct volume_status *status);
/* How many bytes were read, 0 at the end. */
long volume_read(struct volume_file *file, uint64_t offset, void *data, size_t size);
/* All of it or an error. -ENOSPC; -EBUSY: the file is a block device. */
long volume_write(struct volume_file *file, uint64_t offset, const void *data, size_t size);
/* -EBUSY: smaller, and the file is a block device. What is added reads as zeros. */
long volume_resize(struct volume_file *file, uint64_t size);
/* Give it disk space for a part that reads as zeros still; in steps, each of which calls progress unless that is NULL. */
long volume_allocate(struct volume_file *file, uint64_t offset, uint64_t size,
		     void (*progress)(uint64_t done, uint64_t all, void *context), void *context);

/* A short text that stays with the file (an extended attribute, user.NAME). -ENODATA: there is none. */
long volume_get_note(struct volume_file *file, const char *name, char *text, size_t size);
long volume_set_note(struct volume_file *file, const char *name, const char *text);

#endif
