/* SPDX-License-Identifier: MIT */
#include "volume/source.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/thread.h>
#include "volume/internal.h"

/* Sectors: a gigabyte. However scattered it lies, that does not keep the device from other requests for long. */
#define MAX_DISCARD (1u << 21)

struct source {
	struct block_device device;
	struct volume *volume;
	struct volume_file *chain[SOURCE_DEPTH]; /* the file, its base, the base's base ... */
	unsigned int depth;
	unsigned int users;
	struct source *next;

	/* With events masked. */
	struct block_request_queue waiting;
	struct wait_queue work;
	struct block_passed passed; /* requests that the disk has as they are */
	bool punching;		    /* places change: the disk is given none */
	bool stop;

	/* Of its thread: the part of a request that is on its way to the disk. */
	struct thread *thread;
	struct block_request part;
	struct block_segment segments[BLOCK_MAX_SEGMENTS];
	bool part_done;
	int part_status;
	struct wait_queue part_waiter;
};

static struct source *sources; /* with `opening` */
static struct mutex opening;

static struct block_device *disk_of(const struct source *source)
{
	return source->volume->device;
}

static uint32_t sectors_per_block(const struct source *source)
{
	return source->volume->disk.block_size / BLOCK_SECTOR;
}

/* ---- requests that the disk can have as they are; events are masked ---- */

/* Where all of a request is, if that is known and one place. */
static bool find_place(const struct source *source, const struct block_request *request,
		       uint64_t *sector)
{
	uint32_t per_block = sectors_per_block(source);
	uint64_t block = request->sector / per_block, in_block = request->sector % per_block;
	uint64_t count = (in_block + request->sectors + per_block - 1) / per_block;
	struct run run;

	if (request->operation == BLOCK_DISCARD)
		return false;
	for (unsigned int level = 0; level < source->depth; level++) {
		if (!file_known_run(source->chain[level], block, &run) || run.count < count)
			return false;
		if (run.state == RUN_WRITTEN) {
			*sector = run.block * per_block + in_block;
			return true;
		}
		if (request->operation == BLOCK_WRITE)
			return false;
	}
	return false;
}

/* Is there anything that a flush has to make stable besides what the disk holds? */
static bool is_settled(const struct volume *volume)
{
	return !volume->cache.dirty_count && !volume->freed_count && !volume->read_only;
}

static void submit(struct block_device *device, struct block_request *request)
{
	struct source *source = device->driver;

	if (request->operation == BLOCK_FLUSH
		? is_settled(source->volume) || device->flags & BLOCK_READ_ONLY
		: !source->punching && find_place(source, request, &request->sector)) {
		block_pass(&source->passed, disk_of(source), request);
		return;
	}
	block_queue_put(&source->waiting, request);
	wake_one(&source->work);
}

static void kick(struct block_device *device)
{
	block_kick(disk_of(device->driver));
}

static const struct block_operations operations = {.submit = submit, .kick = kick};

/* ---- the others, in the thread ---- */

/* Where in a request's memory its next part begins. */
struct cursor {
	const struct block_segment *segment;
	uint32_t offset;
};

static uint32_t take(struct cursor *cursor, struct block_segment *segment, uint64_t most)
{
	uint32_t length = cursor->segment->length - cursor->offset;

	if (length > most)
		length = (uint32_t)most;
	segment->data = (char *)cursor->segment->data + cursor->offset;
	segment->machine = cursor->segment->machine + cursor->offset;
	segment->length = length;
	cursor->offset += length;
	if (cursor->offset == cursor->segment->length) {
		cursor->segment++;
		cursor->offset = 0;
	}
	return length;
}

static void on_part_done(struct block_request *part, int status)
{
	struct source *source = part->owner;

	source->part_status = status;
	source->part_done = true;
	wake_all(&source->part_waiter);
}

static long send_part(struct source *source)
{
	bool masked = events_save();

	source->part_done = false;
	block_submit(disk_of(source), &source->part);
	while (!source->part_done)
		wait_on(&source->part_waiter, 0);
	events_restore(masked);
	return source->part_status;
}

/* Sectors from the cursor on, from or to the disk. */
static long transfer(struct source *source, enum block_operation operation, struct cursor *cursor,
		     uint64_t sector, uint64_t sectors)
{
	uint64_t bytes = sectors * BLOCK_SECTOR;
	long error = 0;

	while (bytes && !error) {
		uint64_t part = 0;

		source->part = (struct block_request){
		    .operation = operation,
		    .sector = sector,
		    .segments = source->segments,
		    .done = on_part_done,
		    .owner = source,
		};
		while (part < bytes && source->part.count < disk_of(source)->max_segments &&
		       source->part.count < BLOCK_MAX_SEGMENTS)
			part += take(cursor, &source->segments[source->part.count++], bytes - part);
		source->part.sectors = part / BLOCK_SECTOR;
		sector += part / BLOCK_SECTOR;
		bytes -= part;
		error = send_part(source);
	}
	return error;
}

static void clear(struct cursor *cursor, uint64_t sectors)
{
	struct block_segment segment;

	for (uint64_t bytes = sectors * BLOCK_SECTOR; bytes; bytes -= segment.length) {
		take(cursor, &segment, bytes);
		memset(segment.data, 0, segment.length);
	}
}

/* How many of `sectors` from one on lie in a run, which begins with that one's block. */
static uint64_t in_run(const struct source *source, const struct run *run, uint64_t sector,
		       uint64_t sectors)
{
	uint32_t per_block = sectors_per_block(source);
	uint64_t in_block = sector % per_block;

	/* Counts of holes are huge. */
	if (run->count > sectors / per_block + 1 || run->count * per_block - in_block > sectors)
		return sectors;
	return run->count * per_block - in_block;
}

/* The run that has the contents of a block: that of the first file of the chain in which it was written, or a hole. */
static long find_contents(struct source *source, uint64_t block, unsigned int from, struct run *run)
{
	uint64_t most = UINT64_MAX;
	long error = 0;

	*run = (struct run){.first = block, .count = most, .state = RUN_HOLE};
	for (unsigned int level = from; level < source->depth; level++) {
		error = file_run(source->chain[level], block, run);
		if (error)
			return error;
		if (run->count > most)
			run->count = most;
		if (run->state == RUN_WRITTEN)
			return 0;
		most = run->count;
	}
	run->state = RUN_HOLE;
	return 0;
}

static long read_piece(struct source *source, struct cursor *cursor, uint64_t sector,
		       uint64_t *sectors)
{
	uint32_t per_block = sectors_per_block(source);
	struct run run;
	long error;

	mutex_lock(&source->volume->lock);
	error = find_contents(source, sector / per_block, 0, &run);
	mutex_unlock(&source->volume->lock);
	if (error)
		return error;
	*sectors = in_run(source, &run, sector, *sectors);
	if (run.state == RUN_WRITTEN)
		return transfer(source, BLOCK_READ, cursor,
				run.block * per_block + sector % per_block, *sectors);
	clear(cursor, *sectors);
	return 0;
}

/* What a block holds that was never written in the file itself. */
static long read_below(void *context, uint64_t block, void *data)
{
	struct source *source = context;
	struct run run;
	long error = find_contents(source, block, 1, &run);

	if (error)
		return error;
	if (run.state == RUN_WRITTEN)
		return disk_read(&source->volume->disk, run.block, data, 1);
	memset(data, 0, source->volume->disk.block_size);
	return 0;
}

/* All of a block, some sectors of which are going to be written. */
static long make_block(struct source *source, uint64_t block, uint64_t to)
{
	void *page = page_alloc();
	long error = page ? read_below(source, block, page) : -ENOMEM;

	if (!error)
		error = disk_write(&source->volume->disk, to, page, 1);
	if (page)
		page_free(page);
	return error;
}

/* With the lock: into blocks that were not written before. */
static long write_new(struct source *source, struct cursor *cursor, uint64_t sector,
		      uint64_t *sectors)
{
	const struct file_fill fill = {.read = read_below, .context = source};
	uint32_t per_block = sectors_per_block(source);
	uint64_t block = sector / per_block, in_block = sector % per_block;
	uint64_t whole = in_block ? 0 : *sectors / per_block;
	struct file_place place;
	long error = file_place(source->chain[0], block, whole ? whole : 1, &fill, &place);

	if (error)
		return error;
	if (!whole && place.count)
		error = make_block(source, block, place.run.block);
	*sectors = in_run(source, &place.run, sector, *sectors);
	if (!error)
		error = transfer(source, BLOCK_WRITE, cursor,
				 place.run.block * per_block + in_block, *sectors);
	return error ? error : file_written(source->chain[0], &place);
}

static long write_piece(struct source *source, struct cursor *cursor, uint64_t sector,
			uint64_t *sectors)
{
	uint32_t per_block = sectors_per_block(source);
	struct run run;
	long error;

	mutex_lock(&source->volume->lock);
	error = file_run(source->chain[0], sector / per_block, &run);
	if (!error && run.state != RUN_WRITTEN) {
		error = write_new(source, cursor, sector, sectors);
		mutex_unlock(&source->volume->lock);
		return error;
	}
	mutex_unlock(&source->volume->lock);
	if (error)
		return error;
	/* Places of a file that is a device change by its discards only, which are this thread's too. */
	*sectors = in_run(source, &run, sector, *sectors);
	return transfer(source, BLOCK_WRITE, cursor, run.block * per_block + sector % per_block,
			*sectors);
}

static long transfer_all(struct source *source, const struct block_request *request)
{
	struct cursor cursor = {.segment = request->segments};
	uint64_t sector = request->sector, left = request->sectors;
	long error = 0;

	while (left && !error) {
		uint64_t sectors = left;

		error = request->operation == BLOCK_WRITE
			    ? write_piece(source, &cursor, sector, &sectors)
			    : read_piece(source, &cursor, sector, &sectors);
		sector += sectors;
		left -= sectors;
	}
	return error;
}

static long flush(struct source *source)
{
	long error = volume_sync(source->volume);

	/* Since a failure nothing more reaches the file system, and what was not stable then never will. */
	return error == -EROFS ? -EIO : error;
}

/*
 * The blocks may be another file's as soon as they are free: no read or write may be on its way there then, and none is sent there
 * until they are forgotten. What comes meanwhile waits for this thread.
 */
static long punch(struct source *source, uint64_t first, uint64_t end)
{
	struct mutex *lock = &source->volume->lock;
	long error = 0;

	source->punching = true;
	block_wait_passed(&source->passed);
	while (first < end && !error) {
		mutex_lock(lock);
		error = file_punch(source->chain[0], &first, end);
		mutex_unlock(lock);
	}
	source->punching = false;
	return error;
}

/* Of what a discard covers, whole units: they are what is given a place at once. At the end that is less. */
static long discard(struct source *source, const struct block_request *request)
{
	uint64_t unit = (uint64_t)FILE_UNIT * sectors_per_block(source);
	uint64_t end = request->sector + request->sectors;
	uint64_t first_unit = (request->sector + unit - 1) / unit;
	uint64_t end_unit = end == source->device.sectors ? (end + unit - 1) / unit : end / unit;
	long error = 0;

	if (first_unit < end_unit)
		error = punch(source, first_unit * FILE_UNIT, end_unit * FILE_UNIT);
	return error == -EROFS ? -EIO : error;
}

static long carry_out(struct source *source, const struct block_request *request)
{
	switch (request->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		return transfer_all(source, request);
	case BLOCK_FLUSH:
		return flush(source);
	case BLOCK_DISCARD:
		return discard(source, request);
	}
	return -EINVAL;
}

bool volume_source_step(struct block_device *device)
{
	struct source *source = device->driver;
	bool masked = events_save();
	struct block_request *request = block_queue_take(&source->waiting);

	events_restore(masked);
	if (request)
		block_done(request, (int)carry_out(source, request));
	return request != NULL;
}

static void work(void *argument)
{
	struct source *source = argument;
	bool masked;

	for (;;) {
		while (volume_source_step(&source->device))
			;
		masked = events_save();
		while (!source->waiting.first && !source->stop)
			wait_on(&source->work, 0);
		if (!source->waiting.first)
			break;
		events_restore(masked);
	}
	events_restore(masked);
}

/* ---- opening ---- */

static void close_chain(struct source *source)
{
	while (source->depth) {
		struct volume_file *file = source->chain[--source->depth];

		mutex_lock(&source->volume->lock);
		file->device_users--;
		mutex_unlock(&source->volume->lock);
		volume_close(file);
	}
}

static long open_link(struct source *source, const char *path)
{
	struct volume_file *file;
	long error;

	if (source->depth == SOURCE_DEPTH)
		return -ELOOP;
	error = volume_open(source->volume, path, 0, &file);
	if (error)
		return error;
	mutex_lock(&source->volume->lock);
	file->device_users++;
	mutex_unlock(&source->volume->lock);
	source->chain[source->depth++] = file;
	return 0;
}

static long open_chain(struct source *source, const char *path, const char **why)
{
	char name[SOURCE_PATH];
	long error = open_link(source, path);

	*why = "there is no such file";
	while (!error) {
		error = volume_get_note(source->chain[source->depth - 1], NOTE_BASE, name,
					sizeof(name));
		if (error == -ENODATA)
			return 0;
		*why = "a base of this image is missing or cannot be read";
		if (!error)
			error = open_link(source, name);
	}
	if (error == -EISDIR)
		*why = "that is a directory";
	close_chain(source);
	return error;
}

/* It is to keep its place, so that its guest never lacks space. */
static bool is_preallocated(struct volume_file *file)
{
	char text[4];

	return volume_get_note(file, NOTE_PREALLOCATED, text, sizeof(text)) == 0;
}

static void describe(struct source *source, const char *path, bool read_only)
{
	struct block_device *disk = disk_of(source);
	const char *name = strrchr(path, '/');

	source->device = (struct block_device){
	    .operations = &operations,
	    .sectors =
		source->chain[0]->size / disk->logical_size * (disk->logical_size / BLOCK_SECTOR),
	    .logical_size = disk->logical_size,
	    .physical_size = source->volume->disk.block_size,
	    .max_segments = disk->max_segments,
	    .flags = read_only ? BLOCK_READ_ONLY : 0,
	    .driver = source,
	};
	if (!is_preallocated(source->chain[0])) {
		source->device.discard_granularity = FILE_UNIT * source->volume->disk.block_size;
		source->device.max_discard = MAX_DISCARD;
	}
	snprintf(source->device.name, sizeof(source->device.name), "%s", name ? name + 1 : path);
}

static long add_source(struct volume *volume, const char *path, bool read_only,
		       struct source **added, const char **why)
{
	struct source *source = calloc(1, sizeof(*source));
	long error;

	if (!source)
		return -ENOMEM;
	source->volume = volume;
	error = open_chain(source, path, why);
	if (!error) {
		/* Who only reads does not decide for those who open it later. */
		read_only = volume->read_only || source->chain[0]->is_base;
		describe(source, path, read_only);
		source->thread = thread_create(source->device.name, work, source);
		if (!source->thread) {
			close_chain(source);
			error = -ENOMEM;
		}
	}
	if (error) {
		free(source);
		return error;
	}
	source->next = sources;
	sources = source;
	*added = source;
	return 0;
}

static struct source *find_source(struct volume *volume, const char *path)
{
	struct source *source = sources;
	ext2_ino_t node;
	long error;

	mutex_lock(&volume->lock);
	error = inode_find(volume, path, &node);
	mutex_unlock(&volume->lock);
	if (error)
		return NULL;
	while (source && (source->volume != volume || source->chain[0]->node != node))
		source = source->next;
	return source;
}

long volume_source_open(struct volume *volume, const char *path, bool read_only,
			struct block_device **device, const char **why)
{
	struct source *source;
	long error = 0;

	*why = "dom0 has too little memory for it";
	mutex_lock(&opening);
	source = find_source(volume, path);
	if (!source)
		error = add_source(volume, path, read_only, &source, why);
	if (!error) {
		source->users++;
		*device = &source->device;
	}
	mutex_unlock(&opening);
	/* A snapshot may have been made while it was open for reading. */
	if (!error && !read_only &&
	    (source->device.flags & BLOCK_READ_ONLY || source->chain[0]->is_base)) {
		*why = volume->read_only
			   ? "the volume is read-only"
			   : "there are overlays over this image (snapshots): it can only be read";
		volume_source_close(*device);
		error = -EROFS;
	}
	return error;
}

static void stop(struct source *source)
{
	bool masked = events_save();

	source->stop = true;
	wake_all(&source->work);
	events_restore(masked);
	thread_join(source->thread);
	close_chain(source);
	free(source);
}

void volume_source_close(struct block_device *device)
{
	struct source *source = device->driver, **link = &sources;
	bool last;

	mutex_lock(&opening);
	last = --source->users == 0;
	if (last) {
		while (*link != source)
			link = &(*link)->next;
		*link = source->next;
	}
	mutex_unlock(&opening);
	if (last)
		stop(source);
}

void volume_source_grown(struct volume_file *file)
{
	struct source *source;
	uint32_t unit;

	mutex_lock(&opening);
	for (source = sources; source && source->chain[0] != file; source = source->next)
		;
	if (source) {
		unit = source->device.logical_size;
		block_changed(&source->device, file->size / unit * (unit / BLOCK_SECTOR));
	}
	mutex_unlock(&opening);
}
