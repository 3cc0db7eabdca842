/* SPDX-License-Identifier: MIT */
/* Files that are open, their blocks and their contents. */
#include "volume/internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <guest/event.h>
#include <guest/memory.h>

/* ---- the known runs ---- */

/* The first one that ends behind a block. */
static unsigned int position(const struct volume_file *file, uint64_t block)
{
	unsigned int low = 0, high = file->run_count;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (file->runs[middle].first + file->runs[middle].count <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool file_known_run(const struct volume_file *file, uint64_t block, struct run *run)
{
	unsigned int at = position(file, block);

	if (at == file->run_count || file->runs[at].first > block)
		return false;
	*run = file->runs[at];
	if (run->state != RUN_HOLE)
		run->block += block - run->first;
	run->count -= block - run->first;
	run->first = block;
	return true;
}

static void drop(struct volume_file *file, unsigned int at)
{
	file->run_count--;
	memmove(&file->runs[at], &file->runs[at + 1],
		(file->run_count - at) * sizeof(file->runs[0]));
}

static void forget(struct volume_file *file, uint64_t first, uint64_t count)
{
	bool masked = events_save();
	unsigned int at = position(file, first);

	while (at < file->run_count && file->runs[at].first < first + count)
		drop(file, at);
	events_restore(masked);
}

static void remember(struct volume_file *file, const struct run *run)
{
	bool masked;
	unsigned int at;

	forget(file, run->first, run->count);
	masked = events_save();
	if (file->run_count == FILE_RUNS) {
		drop(file, file->next_victim);
		file->next_victim = (file->next_victim + 1) % FILE_RUNS;
	}
	at = position(file, run->first);
	memmove(&file->runs[at + 1], &file->runs[at],
		(file->run_count - at) * sizeof(file->runs[0]));
	file->runs[at] = *run;
	file->run_count++;
	events_restore(masked);
}

long file_run(struct volume_file *file, uint64_t block, struct run *run)
{
	long error;

	if (file_known_run(file, block, run))
		return 0;
	error = extents_find(file->volume, file->node, block, run);
	if (!error)
		remember(file, run);
	return error;
}

/* ---- blocks get a place, and count ---- */

static uint64_t unit_of(uint64_t block)
{
	return block / FILE_UNIT * FILE_UNIT;
}

/* Where, in the unit of a block, the blocks begin that are like it and lie together with it. */
static long unit_start(struct volume_file *file, const struct run *run, uint64_t *first)
{
	struct run start;
	long error = file_run(file, unit_of(run->first), &start);

	*first = run->first;
	if (!error && start.state == run->state && start.first + start.count > run->first)
		*first = start.first;
	return error;
}

/* Where the units end that begin before a block: within the run, and not behind the file's end. */
static uint64_t unit_end(struct volume_file *file, const struct run *run, uint64_t end)
{
	uint32_t block_size = file->volume->disk.block_size;
	uint64_t blocks = (file->size + block_size - 1) / block_size, rounded;

	rounded = unit_of(end + FILE_UNIT - 1);
	if (rounded > blocks)
		rounded = blocks > end ? blocks : end;
	return rounded < run->first + run->count ? rounded : run->first + run->count;
}

/* A hole's blocks from `first` on get a place. */
static long allocate(struct volume_file *file, uint64_t first, uint64_t *count)
{
	struct volume *volume = file->volume;
	long error;

	if (!volume_has_room(volume, *count)) {
		/* What is held back may do. */
		error = volume_commit(volume);
		if (error || !volume_has_room(volume, *count))
			return error ? error : -ENOSPC;
	}
	error = volume_begin(volume);
	if (!error)
		error = volume_end(volume, extents_allocate(volume, file->node, first, count));
	forget(file, first, *count);
	return error;
}

static long fill_blocks(struct volume_file *file, const struct run *run, uint64_t first,
			uint64_t end, const struct file_fill *fill)
{
	struct volume_disk *disk = &file->volume->disk;
	void *page;
	long error = 0;

	if (first >= end)
		return 0;
	page = page_alloc();
	if (!page)
		return -ENOMEM;
	for (uint64_t block = first; !error && block < end; block++) {
		if (fill->read)
			error = fill->read(fill->context, block, page);
		if (!error)
			error = disk_write(disk, run->block + (block - run->first), page, 1);
	}
	page_free(page);
	return error;
}

long file_place(struct volume_file *file, uint64_t block, uint64_t wanted,
		const struct file_fill *fill, struct file_place *place)
{
	struct run run, whole;
	uint64_t first, count, end;
	long error = file->volume->read_only ? -EROFS : file_run(file, block, &run);

	if (!error && run.state == RUN_HOLE) {
		error = unit_start(file, &run, &first);
		count = unit_end(file, &run, block + wanted) - first;
		if (!error)
			error = allocate(file, first, &count);
		if (!error)
			error = file_run(file, block, &run);
	}
	if (error)
		return error;
	if (run.state == RUN_HOLE)
		return -EIO;
	*place = (struct file_place){.run = run};
	if (place->run.count > wanted)
		place->run.count = wanted;
	if (run.state == RUN_WRITTEN)
		return 0;
	error = unit_start(file, &run, &first);
	if (!error)
		error = file_run(file, first, &whole);
	if (error)
		return error;
	end = unit_end(file, &run, block + place->run.count);
	place->first = first;
	place->count = end - first;
	error = fill_blocks(file, &whole, first, block, fill);
	return error ? error : fill_blocks(file, &run, block + place->run.count, end, fill);
}

long file_written(struct volume_file *file, const struct file_place *place)
{
	struct volume *volume = file->volume;
	long error;

	if (!place->count)
		return 0;
	error = volume_begin(volume);
	if (!error)
		error = volume_end(volume,
				   extents_convert(volume, file->node, place->first, place->count));
	forget(file, place->first, place->count);
	return error;
}

long file_punch(struct volume_file *file, uint64_t *first, uint64_t end)
{
	struct volume *volume = file->volume;
	uint64_t start = *first;
	struct run run;
	long error = volume->read_only ? -EROFS : file_run(file, start, &run);

	if (error)
		return error;
	if (run.state == RUN_HOLE) {
		*first = run.count < end - start ? start + run.count : end;
		return 0;
	}
	error = volume_begin(volume);
	if (!error)
		error = volume_end(volume, extents_punch(volume, file->node, first, end));
	forget(file, start, end - start);
	return error;
}

/* ---- open files ---- */

struct volume_file *file_of_node(struct volume *volume, ext2_ino_t node)
{
	struct volume_file *file = volume->files;

	while (file && file->node != node)
		file = file->next;
	return file;
}

static long add_file(struct volume *volume, ext2_ino_t node, struct volume_file **added)
{
	struct ext2_inode inode;
	struct volume_file *file;
	long error = inode_read(volume, node, &inode);

	if (error)
		return error;
	if (LINUX_S_ISDIR(inode.i_mode))
		return -EISDIR;
	if (!(inode.i_flags & EXT4_EXTENTS_FL))
		return -EOPNOTSUPP;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->volume = volume;
	file->node = node;
	file->size = EXT2_I_SIZE(&inode);
	file->is_base = inode_is_base(volume, node);
	file->next = volume->files;
	volume->files = file;
	*added = file;
	return 0;
}

static void put_file(struct volume_file *file)
{
	struct volume_file **link = &file->volume->files;

	if (--file->users)
		return;
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	free(file);
}

static long resize(struct volume_file *file, uint64_t size);

static long open_node(struct volume *volume, const char *path, unsigned int flags,
		      struct volume_file **opened)
{
	struct volume_file *file;
	ext2_ino_t node;
	long error = inode_find(volume, path, &node);

	if (!error && flags & VOLUME_CREATE && flags & VOLUME_EXCLUSIVE)
		return -EEXIST;
	if (error == -ENOENT && flags & VOLUME_CREATE)
		error = inode_create(volume, path, &node);
	if (error)
		return error;
	file = file_of_node(volume, node);
	if (!file)
		error = add_file(volume, node, &file);
	if (error)
		return error;
	file->users++;
	if (flags & VOLUME_TRUNCATE && file->size)
		error = resize(file, 0);
	if (error)
		put_file(file);
	else
		*opened = file;
	return error;
}

long volume_open(struct volume *volume, const char *path, unsigned int flags,
		 struct volume_file **file)
{
	long error = 0;

	mutex_lock(&volume->lock);
	if (volume->read_only && flags & (VOLUME_CREATE | VOLUME_WRITE | VOLUME_TRUNCATE))
		error = -EROFS;
	else
		error = open_node(volume, path, flags, file);
	mutex_unlock(&volume->lock);
	return error;
}

void volume_close(struct volume_file *file)
{
	struct volume *volume = file->volume;

	mutex_lock(&volume->lock);
	put_file(file);
	mutex_unlock(&volume->lock);
}

void volume_file_status(struct volume_file *file, struct volume_status *status)
{
	struct ext2_inode inode = {.i_mode = LINUX_S_IFREG};

	mutex_lock(&file->volume->lock);
	inode_read(file->volume, file->node, &inode);
	inode_status(file->volume, file->node, &inode, status);
	status->size = file->size;
	mutex_unlock(&file->volume->lock);
}

/* ---- contents ---- */

/* Some of the bytes from an offset on, within one run; the data in a part of a block goes through a page. */
static long read_some(struct volume_file *file, uint64_t offset, void *data, size_t *size)
{
	struct volume_disk *disk = &file->volume->disk;
	uint32_t in_block = offset % disk->block_size;
	struct run run;
	void *page;
	long error = file_run(file, offset / disk->block_size, &run);

	if (error)
		return error;
	/* Counts of holes are huge. */
	if (run.count < (*size + in_block) / disk->block_size + 1 &&
	    *size > run.count * disk->block_size - in_block)
		*size = run.count * disk->block_size - in_block;
	if (run.state != RUN_WRITTEN) {
		memset(data, 0, *size);
		return 0;
	}
	if (!in_block && *size >= disk->block_size) {
		*size -= *size % disk->block_size;
		return disk_read(disk, run.block, data, *size / disk->block_size);
	}
	if (*size > disk->block_size - in_block)
		*size = disk->block_size - in_block;
	page = page_alloc();
	if (!page)
		return -ENOMEM;
	error = disk_read(disk, run.block, page, 1);
	memcpy(data, (char *)page + in_block, *size);
	page_free(page);
	return error;
}

long volume_read(struct volume_file *file, uint64_t offset, void *data, size_t size)
{
	size_t done = 0;
	long error = 0;

	mutex_lock(&file->volume->lock);
	if (offset >= file->size)
		size = 0;
	else if (size > file->size - offset)
		size = file->size - offset;
	while (!error && done < size) {
		size_t some = size - done;

		error = read_some(file, offset + done, (char *)data + done, &some);
		done += some;
	}
	mutex_unlock(&file->volume->lock);
	return error ? error : (long)size;
}

static errcode_t put_size(struct volume_file *file, uint64_t size)
{
	ext2_filsys fs = file->volume->fs;
	struct ext2_inode inode;
	errcode_t error = ext2fs_read_inode(fs, file->node, &inode);

	if (!error)
		error = ext2fs_inode_size_set(fs, &inode, (ext2_off64_t)size);
	inode.i_mtime = inode.i_ctime = (uint32_t)time(NULL);
	return error ? error : ext2fs_write_inode(fs, file->node, &inode);
}

static long grow(struct volume_file *file, uint64_t size)
{
	long error = volume_begin(file->volume);

	if (!error)
		error = volume_end(file->volume, put_size(file, size));
	if (!error)
		file->size = size;
	return error;
}

/* A part of a block: what it held before is read, or made. */
static long write_part(struct volume_file *file, uint64_t block, uint32_t from, const void *data,
		       uint32_t size)
{
	static const struct file_fill zeros;
	struct volume_disk *disk = &file->volume->disk;
	struct file_place place;
	char *page = page_alloc();
	long error = page ? file_place(file, block, 1, &zeros, &place) : -ENOMEM;

	if (!error && place.run.state == RUN_WRITTEN)
		error = disk_read(disk, place.run.block, page, 1);
	if (!error) {
		memcpy(page + from, data, size);
		error = disk_write(disk, place.run.block, page, 1);
	}
	if (page)
		page_free(page);
	return error ? error : file_written(file, &place);
}

static long write_blocks(struct volume_file *file, uint64_t block, const void *data,
			 uint64_t *count)
{
	static const struct file_fill zeros;
	struct file_place place;
	long error = file_place(file, block, *count, &zeros, &place);

	if (error)
		return error;
	*count = place.run.count;
	error = disk_write(&file->volume->disk, place.run.block, data, *count);
	return error ? error : file_written(file, &place);
}

static long write_some(struct volume_file *file, uint64_t offset, const void *data, size_t *size)
{
	uint32_t block_size = file->volume->disk.block_size, in_block = offset % block_size;
	uint64_t count = *size / block_size;
	long error;

	if (in_block || !count) {
		if (*size > block_size - in_block)
			*size = block_size - in_block;
		return write_part(file, offset / block_size, in_block, data, (uint32_t)*size);
	}
	error = write_blocks(file, offset / block_size, data, &count);
	*size = count * block_size;
	return error;
}

/* Blocks of a file have 32-bit numbers. */
static bool too_big(const struct volume_file *file, uint64_t offset, uint64_t size)
{
	uint64_t most = (uint64_t)UINT32_MAX * file->volume->disk.block_size;

	return offset > most || size > most - offset;
}

long volume_write(struct volume_file *file, uint64_t offset, const void *data, size_t size)
{
	uint64_t before = file->size;
	size_t done = 0;
	long error = 0;

	mutex_lock(&file->volume->lock);
	if (file->device_users || file->is_base)
		error = -EBUSY;
	else if (too_big(file, offset, size))
		error = -EFBIG;
	else if (file->volume->read_only)
		error = -EROFS;
	/* First: there must never be written blocks behind the end. What is not written yet reads as zeros. */
	else if (offset + size > before)
		error = grow(file, offset + size);
	while (!error && done < size) {
		size_t some = size - done;

		error = write_some(file, offset + done, (const char *)data + done, &some);
		if (!error)
			done += some;
	}
	if (error && file->size > before && !file->volume->read_only)
		resize(file, offset + done > before ? offset + done : before);
	mutex_unlock(&file->volume->lock);
	return error;
}

/* What lies behind the end in its last block must be zeros when the file grows again. */
static long clear_tail(struct volume_file *file)
{
	struct volume_disk *disk = &file->volume->disk;
	uint32_t used = file->size % disk->block_size;
	struct run run;
	char *page;
	long error;

	if (!used)
		return 0;
	error = file_run(file, file->size / disk->block_size, &run);
	if (error || run.state != RUN_WRITTEN)
		return error;
	page = page_alloc();
	if (!page)
		return -ENOMEM;
	error = disk_read(disk, run.block, page, 1);
	memset(page + used, 0, disk->block_size - used);
	if (!error)
		error = disk_write(disk, run.block, page, 1);
	page_free(page);
	return error;
}

static long resize(struct volume_file *file, uint64_t size)
{
	long error;

	if (too_big(file, size, 0))
		return -EFBIG;
	if (file->is_base)
		return -EBUSY;
	if (size >= file->size)
		return size == file->size ? 0 : grow(file, size);
	if (file->device_users)
		return -EBUSY;
	error = inode_cut(file->volume, file->node, size);
	forget(file, 0, UINT64_MAX);
	if (error)
		return error;
	file->size = size;
	return clear_tail(file);
}

long volume_resize(struct volume_file *file, uint64_t size)
{
	long error;

	mutex_lock(&file->volume->lock);
	error = file->volume->read_only ? -EROFS : resize(file, size);
	mutex_unlock(&file->volume->lock);
	return error;
}

/* One step: a hole gets a place, or something else is passed over. *first moves on. */
static long allocate_some(struct volume_file *file, uint64_t *first, uint64_t end)
{
	struct run run;
	uint64_t count;
	long error = file_run(file, *first, &run);

	if (error)
		return error;
	count = run.count < end - *first ? run.count : end - *first;
	if (run.state == RUN_HOLE) {
		if (count > FILE_ALLOCATION)
			count = FILE_ALLOCATION;
		error = allocate(file, *first, &count);
	}
	*first += count;
	return error;
}

long volume_allocate(struct volume_file *file, uint64_t offset, uint64_t size,
		     void (*progress)(uint64_t done, uint64_t all, void *context), void *context)
{
	uint32_t block_size = file->volume->disk.block_size;
	uint64_t first = offset / block_size, start = first;
	uint64_t end = (offset + size + block_size - 1) / block_size;
	long error = too_big(file, offset, size) ? -EFBIG : 0;

	while (!error && first < end) {
		mutex_lock(&file->volume->lock);
		error = file->volume->read_only ? -EROFS : allocate_some(file, &first, end);
		mutex_unlock(&file->volume->lock);
		if (!error && progress)
			progress((first - start) * block_size, (end - start) * block_size, context);
	}
	return error;
}

/* ---- notes ---- */

static void note_key(const char *name, char key[64])
{
	snprintf(key, 64, "user.%s", name);
}

static errcode_t open_notes(struct volume *volume, ext2_ino_t node,
			    struct ext2_xattr_handle **notes)
{
	errcode_t error = ext2fs_xattrs_open(volume->fs, node, notes);

	if (error)
		return error;
	error = ext2fs_xattrs_read(*notes);
	if (error)
		ext2fs_xattrs_close(notes);
	return error;
}

static long get_note(struct volume *volume, ext2_ino_t node, const char *name, char *text,
		     size_t size)
{
	struct ext2_xattr_handle *notes;
	char key[64];
	void *value;
	size_t length;
	errcode_t error = open_notes(volume, node, &notes);

	if (error)
		return volume_errno(error);
	note_key(name, key);
	error = ext2fs_xattr_get(notes, key, &value, &length);
	ext2fs_xattrs_close(&notes);
	if (error)
		return error == EXT2_ET_EA_KEY_NOT_FOUND ? -ENODATA : volume_errno(error);
	if (length < size) {
		memcpy(text, value, length);
		text[length] = 0;
	}
	ext2fs_free_mem(&value);
	return length < size ? 0 : -ENAMETOOLONG;
}

bool inode_is_base(struct volume *volume, ext2_ino_t node)
{
	char text[16];

	return !get_note(volume, node, NOTE_OVERLAYS, text, sizeof(text)) && atoi(text) > 0;
}

long volume_get_note(struct volume_file *file, const char *name, char *text, size_t size)
{
	long error;

	mutex_lock(&file->volume->lock);
	error = get_note(file->volume, file->node, name, text, size);
	mutex_unlock(&file->volume->lock);
	return error;
}

static errcode_t set_note(struct volume_file *file, const char *name, const char *text)
{
	struct ext2_xattr_handle *notes;
	char key[64];
	errcode_t error = open_notes(file->volume, file->node, &notes);

	if (error)
		return error;
	note_key(name, key);
	error = ext2fs_xattr_set(notes, key, text, strlen(text));
	ext2fs_xattrs_close(&notes);
	return error;
}

long volume_set_note(struct volume_file *file, const char *name, const char *text)
{
	long error;

	mutex_lock(&file->volume->lock);
	error = volume_has_room(file->volume, 0) ? volume_begin(file->volume) : -ENOSPC;
	if (!error)
		error = volume_end(file->volume, set_note(file, name, text));
	if (!error && strcmp(name, NOTE_OVERLAYS) == 0)
		file->is_base = atoi(text) > 0;
	mutex_unlock(&file->volume->lock);
	return error;
}
