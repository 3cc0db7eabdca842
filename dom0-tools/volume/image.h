/* SPDX-License-Identifier: MIT */
/*
 * Disk images: files of a volume that guests have as disks (volume/source.h). For threads. Errors are negative errnos, with a
 * sentence in *why; work that takes long calls progress now and then, unless that is NULL, and ends when it returns false
 * (-EINTR); what it had made is removed.
 */
#ifndef VOLUME_IMAGE_H
#define VOLUME_IMAGE_H

#include "volume/volume.h"

struct image_work {
	bool (*progress)(uint64_t done, uint64_t all, void *context);
	void *context;
};

/* Of `size` bytes, that read as zeros. It has its place on the disk, or, sparse, gets it when it is written. */
long image_create(struct volume *volume, const char *path, uint64_t size, bool sparse,
		  const struct image_work *work, const char **why);
/* An overlay over `base`, as large; from now on nobody writes to the base. */
long image_snapshot(struct volume *volume, const char *base, const char *path, const char **why);
/* Only larger: what is behind the end is the guest's to lose, on a Linux machine. A guest that uses it is told. */
long image_resize(struct volume *volume, const char *path, uint64_t size, const char **why);
long image_delete(struct volume *volume, const char *path, const char **why);

/* Where an image's contents come from, or go to. */
struct image_data {
	uint64_t size;
	/* Bytes at an offset; both are multiples of 4096, but for the end. 0 or an error. */
	long (*read)(const struct image_data *data, uint64_t offset, void *bytes, size_t size);
	long (*write)(const struct image_data *data, uint64_t offset, const void *bytes,
		      size_t size);
	void *context;
};
/* A new image with these contents; where they are zeros it is sparse. */
long image_import(struct volume *volume, const char *path, const struct image_data *from,
		  const struct image_work *work, const char **why);
/* All that a guest would read from the image. */
long image_export(struct volume *volume, const char *path, const struct image_data *to,
		  const struct image_work *work, const char **why);
/* A block device as such, to be used between block_open and block_close. */
struct image_data image_of_device(struct block_device *device);

struct image_info {
	uint64_t size, allocated;
	char base[256];
	unsigned int overlays;
	bool in_use;
	bool preallocated; /* it keeps its place: discards are not offered */
};
long image_describe(struct volume *volume, const char *path, struct image_info *info,
		    const char **why);

#endif
