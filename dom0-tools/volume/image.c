/* SPDX-License-Identifier: MIT */
#include "volume/image.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/memory.h>
#include "volume/source.h"

#define PIECE (64u << 10)

static bool is_zero(const unsigned char *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static bool goes_on(const struct image_work *work, uint64_t done, uint64_t all)
{
	return !work || !work->progress || work->progress(done, all, work->context);
}

static const char *reason(long error)
{
	switch (error) {
	case -EEXIST:
		return "there is such a file already";
	case -ENOENT:
		return "there is no such file or folder";
	case -ENOSPC:
		return "the volume is full";
	case -EROFS:
		return "the volume is read-only";
	case -EBUSY:
		return "it is in use";
	case -EISDIR:
		return "that is a folder";
	case -ENOTDIR:
		return "a part of the path is no folder";
	case -EINTR:
		return "interrupted";
	case -EFBIG:
		return "that is more than a file can have";
	case -EOPNOTSUPP:
		return "this is no file of ext4's kind (extents)";
	case -ENOMEM:
		return "dom0 has too little memory";
	default:
		return strerror((int)-error);
	}
}

/* Unless there is a better one. */
static long with_reason(long error, const char **why)
{
	if (error && !*why)
		*why = reason(error);
	return error;
}

/* A new file that came to nothing. */
static long undo(struct volume *volume, const char *path, long error)
{
	if (error)
		volume_remove(volume, path);
	return error;
}

/* ---- create ---- */

static long open_new(struct volume *volume, const char *path, struct volume_file **file)
{
	return volume_open(volume, path, VOLUME_CREATE | VOLUME_EXCLUSIVE | VOLUME_WRITE, file);
}

/* In steps of 1 GiB, between which it can be interrupted. */
static long allocate(struct volume_file *file, uint64_t size, const struct image_work *work)
{
	uint64_t step = 1ull << 30, done = 0;
	long error = 0;

	while (!error && done < size) {
		if (step > size - done)
			step = size - done;
		error = volume_allocate(file, done, step, NULL, NULL);
		done += step;
		if (!error && !goes_on(work, done, size))
			error = -EINTR;
	}
	return error;
}

long image_create(struct volume *volume, const char *path, uint64_t size, bool sparse,
		  const struct image_work *work, const char **why)
{
	struct volume_info info;
	struct volume_file *file;
	long error;

	*why = NULL;
	volume_describe(volume, &info);
	if (!sparse && size > info.free) {
		*why = "the volume has not so much free space (a sparse image needs none)";
		return -ENOSPC;
	}
	error = open_new(volume, path, &file);
	if (error)
		return with_reason(error, why);
	error = volume_resize(file, size);
	if (!error && !sparse)
		error = volume_set_note(file, NOTE_PREALLOCATED, "1");
	if (!error && !sparse)
		error = allocate(file, size, work);
	volume_close(file);
	if (!error)
		error = volume_sync(volume);
	return with_reason(undo(volume, path, error), why);
}

/* ---- overlays ---- */

static unsigned int count_overlays(struct volume_file *file)
{
	char text[16];

	return volume_get_note(file, NOTE_OVERLAYS, text, sizeof(text))
		   ? 0
		   : (unsigned int)strtoul(text, NULL, 10);
}

static long change_overlays(struct volume *volume, const char *path, int by)
{
	struct volume_file *file;
	char text[16];
	long error = volume_open(volume, path, VOLUME_WRITE, &file);

	if (error)
		return error;
	snprintf(text, sizeof(text), "%u", count_overlays(file) + (unsigned int)by);
	error = volume_set_note(file, NOTE_OVERLAYS, text);
	volume_close(file);
	return error;
}

static long make_overlay(struct volume *volume, const char *base, const char *path, uint64_t size)
{
	struct volume_file *file;
	long error = open_new(volume, path, &file);

	if (error)
		return error;
	error = volume_resize(file, size);
	if (!error)
		error = volume_set_note(file, NOTE_BASE, base);
	volume_close(file);
	return undo(volume, path, error);
}

/* How many bases there are below, or an error. */
static long depth_of(struct volume *volume, const char *path)
{
	char name[SOURCE_PATH], base[SOURCE_PATH];
	struct volume_file *file;
	long depth = 0, error = 0;

	snprintf(name, sizeof(name), "%s", path);
	while (!error && depth < SOURCE_DEPTH) {
		error = volume_open(volume, name, 0, &file);
		if (error)
			return error;
		error = volume_get_note(file, NOTE_BASE, base, sizeof(base));
		volume_close(file);
		if (!error) {
			memcpy(name, base, sizeof(name));
			depth++;
		}
	}
	return error && error != -ENODATA ? error : depth;
}

/* First the count, then the overlay: a power cut between leaves a base that is not written, which does no harm. */
long image_snapshot(struct volume *volume, const char *base, const char *path, const char **why)
{
	struct block_device *device;
	long error, depth = depth_of(volume, base);

	*why = NULL;
	if (depth < 0)
		return with_reason(depth, why);
	if (depth + 2 > SOURCE_DEPTH) {
		*why = "there are too many overlays over each other: export it to a new image";
		return -ELOOP;
	}
	error = volume_source_open(volume, base, true, &device, why);
	if (error)
		return error;
	*why = NULL;
	if (device->writers || device->sharers) {
		*why = "a guest may write to it: shut it down or detach the disk first";
		error = -EBUSY;
	}
	if (!error)
		error = change_overlays(volume, base, +1);
	if (!error) {
		error = make_overlay(volume, base, path, device->sectors * BLOCK_SECTOR);
		if (error)
			change_overlays(volume, base, -1);
	}
	volume_source_close(device);
	if (!error)
		error = volume_sync(volume);
	return with_reason(error, why);
}

/* ---- change ---- */

long image_resize(struct volume *volume, const char *path, uint64_t size, const char **why)
{
	struct volume_status status;
	struct volume_file *file;
	long error = volume_open(volume, path, VOLUME_WRITE, &file);

	*why = NULL;
	if (error)
		return with_reason(error, why);
	volume_file_status(file, &status);
	if (count_overlays(file)) {
		*why = "there are overlays over this image (snapshots): it stays as it is";
		error = -EBUSY;
	} else if (size < status.size) {
		*why = "an image can only become larger: what lies behind the end would be lost";
		error = -EINVAL;
	} else {
		error = volume_resize(file, size);
	}
	if (!error)
		error = volume_sync(volume);
	if (!error)
		volume_source_grown(file);
	volume_close(file);
	return with_reason(error, why);
}

long image_delete(struct volume *volume, const char *path, const char **why)
{
	char base[SOURCE_PATH] = "";
	struct volume_file *file;
	long error = volume_open(volume, path, 0, &file);

	*why = NULL;
	if (error)
		return with_reason(error, why);
	if (volume_get_note(file, NOTE_BASE, base, sizeof(base)))
		base[0] = 0;
	if (count_overlays(file)) {
		*why = "there are overlays over this image (snapshots): delete these first";
		error = -EBUSY;
	}
	volume_close(file);
	if (!error)
		error = volume_remove(volume, path);
	if (!error && base[0] && change_overlays(volume, base, -1))
		*why = "it is deleted, but its base counts it still";
	if (!error)
		error = volume_sync(volume);
	return with_reason(error, why);
}

long image_describe(struct volume *volume, const char *path, struct image_info *info,
		    const char **why)
{
	struct volume_status status;
	struct volume_file *file;
	char text[4];
	long error = volume_open(volume, path, 0, &file);

	*why = NULL;
	if (error)
		return with_reason(error, why);
	volume_file_status(file, &status);
	*info = (struct image_info){
	    .size = status.size,
	    .allocated = status.allocated,
	    .overlays = count_overlays(file),
	    .in_use = status.in_use,
	    .preallocated = !volume_get_note(file, NOTE_PREALLOCATED, text, sizeof(text)),
	};
	if (volume_get_note(file, NOTE_BASE, info->base, sizeof(info->base)))
		info->base[0] = 0;
	volume_close(file);
	return 0;
}

/* ---- contents ---- */

/* Pieces from one to the other; those of zeros are left out if `sparse`. */
static long copy(const struct image_data *from, const struct image_data *to, bool sparse,
		 const struct image_work *work)
{
	unsigned char *piece = pages_alloc(PIECE / PAGE_SIZE);
	long error = piece ? 0 : -ENOMEM;

	for (uint64_t offset = 0; !error && offset < from->size; offset += PIECE) {
		size_t size = from->size - offset < PIECE ? from->size - offset : PIECE;

		error = from->read(from, offset, piece, size);
		if (!error && !(sparse && is_zero(piece, size)))
			error = to->write(to, offset, piece, size);
		if (!error && !goes_on(work, offset + size, from->size))
			error = -EINTR;
	}
	if (piece)
		pages_free(piece, PIECE / PAGE_SIZE);
	return error;
}

static long write_file(const struct image_data *data, uint64_t offset, const void *bytes,
		       size_t size)
{
	return volume_write(data->context, offset, bytes, size);
}

long image_import(struct volume *volume, const char *path, const struct image_data *from,
		  const struct image_work *work, const char **why)
{
	struct image_data to = {.size = from->size, .write = write_file};
	struct volume_file *file;
	long error = open_new(volume, path, &file);

	*why = NULL;
	if (error)
		return with_reason(error, why);
	to.context = file;
	error = volume_resize(file, from->size);
	if (!error)
		error = copy(from, &to, true, work);
	volume_close(file);
	if (!error)
		error = volume_sync(volume);
	return with_reason(undo(volume, path, error), why);
}

static long read_device(const struct image_data *data, uint64_t offset, void *bytes, size_t size)
{
	return block_read(data->context, offset / BLOCK_SECTOR, bytes, size / BLOCK_SECTOR);
}

static long write_device(const struct image_data *data, uint64_t offset, const void *bytes,
			 size_t size)
{
	return block_write(data->context, offset / BLOCK_SECTOR, bytes, size / BLOCK_SECTOR);
}

struct image_data image_of_device(struct block_device *device)
{
	return (struct image_data){
	    .size = device->sectors * BLOCK_SECTOR,
	    .read = read_device,
	    .write = write_device,
	    .context = device,
	};
}

long image_export(struct volume *volume, const char *path, const struct image_data *to,
		  const struct image_work *work, const char **why)
{
	struct block_device *device;
	struct image_data from;
	long error = volume_source_open(volume, path, true, &device, why);

	if (error)
		return error;
	*why = NULL;
	from = image_of_device(device);
	if (from.size > to->size) {
		*why = "the image is larger than where it is to go";
		error = -ENOSPC;
	}
	if (!error)
		error = block_open(device, BLOCK_OPEN_READ);
	if (error == -EBUSY)
		*why = "a guest may write to it: shut it down or detach the disk first";
	if (!error) {
		error = copy(&from, to, false, work);
		block_close(device, BLOCK_OPEN_READ);
	}
	volume_source_close(device);
	return with_reason(error, why);
}
