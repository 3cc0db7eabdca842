/* SPDX-License-Identifier: MIT */
#include "volume/mounted.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/thread.h>
#include "block/registry.h"
#include "block/source.h"
#include "files/files.h"
#include "volume/source.h"

/* What was changed is stable after so long, also when nobody asks for it. */
#define COMMIT_SECONDS 5

struct volume *mounted_volume;
static struct mutex
    changing; /* mounting and unmounting; held by whoever uses the volume, but for files that are open */

/* ---- as a file system of dom0's ---- */

/* Locks; false, and not locked, when there is no volume any more. */
static bool enter(void)
{
	mutex_lock(&changing);
	if (mounted_volume)
		return true;
	mutex_unlock(&changing);
	return false;
}

static long leave(long result)
{
	mutex_unlock(&changing);
	return result;
}

static void describe(const struct volume_status *status, struct file *file)
{
	*file = (struct file){
	    .node = status->node,
	    .size = status->size,
	    .time = status->time,
	    .directory = status->directory,
	};
}

static long fs_find(struct file_system *fs, const char *path, struct file *file)
{
	struct volume_status status;
	long error = enter() ? leave(volume_find(mounted_volume, path, &status)) : -ENOENT;

	if (!error)
		describe(&status, file);
	return error;
}

struct each {
	void (*each)(const char *name, const struct file *file, void *context);
	void *context;
};

static void list_one(const char *name, const struct volume_status *status, void *context)
{
	struct each *each = context;
	struct file file;

	describe(status, &file);
	each->each(name, &file, each->context);
}

static long fs_list(struct file_system *fs, const char *path,
		    void (*each)(const char *name, const struct file *file, void *context),
		    void *context)
{
	struct each all = {.each = each, .context = context};

	return enter() ? leave(volume_list(mounted_volume, path, list_one, &all)) : -ENOENT;
}

static unsigned int flags_of(int flags)
{
	return ((flags & O_ACCMODE) != O_RDONLY ? VOLUME_WRITE : 0) |
	       (flags & O_CREAT ? VOLUME_CREATE : 0) | (flags & O_EXCL ? VOLUME_EXCLUSIVE : 0) |
	       (flags & O_TRUNC ? VOLUME_TRUNCATE : 0);
}

static long fs_open(struct file_system *fs, const char *path, int flags, struct file *file)
{
	struct volume_file *opened;
	struct volume_status status;
	long error =
	    enter() ? leave(volume_open(mounted_volume, path, flags_of(flags), &opened)) : -ENOENT;

	if (error)
		return error;
	volume_file_status(opened, &status);
	describe(&status, file);
	file->handle = opened;
	return 0;
}

static void fs_close(struct file_system *fs, struct file *file)
{
	volume_close(file->handle);
}

static long fs_read(struct file_system *fs, const struct file *file, uint64_t offset, void *buffer,
		    size_t size)
{
	return volume_read(file->handle, offset, buffer, size);
}

static long fs_write(struct file_system *fs, struct file *file, uint64_t offset, const void *data,
		     size_t size)
{
	long error = volume_write(file->handle, offset, data, size);

	if (error)
		return error;
	if (offset + size > file->size)
		file->size = offset + size;
	return (long)size;
}

static long fs_truncate(struct file_system *fs, struct file *file, uint64_t size)
{
	long error = volume_resize(file->handle, size);

	if (!error)
		file->size = size;
	return error;
}

static long fs_sync(struct file_system *fs)
{
	return enter() ? leave(volume_sync(mounted_volume)) : -ENOENT;
}

static long fs_remove(struct file_system *fs, const char *path)
{
	return enter() ? leave(volume_remove(mounted_volume, path)) : -ENOENT;
}

static long fs_rename(struct file_system *fs, const char *from, const char *to)
{
	return enter() ? leave(volume_rename(mounted_volume, from, to)) : -ENOENT;
}

static long fs_make_directory(struct file_system *fs, const char *path)
{
	return enter() ? leave(volume_mkdir(mounted_volume, path)) : -ENOENT;
}

static struct file_system file_system = {
    .find = fs_find,
    .list = fs_list,
    .read = fs_read,
    .open = fs_open,
    .close = fs_close,
    .write = fs_write,
    .truncate = fs_truncate,
    .sync = fs_sync,
    .remove = fs_remove,
    .rename = fs_rename,
    .make_directory = fs_make_directory,
};

const char *mounted_path(const char *path)
{
	static const char top[] = "/" VOLUME_FOLDER "/";

	return strncmp(path, top, sizeof(top) - 1) == 0 ? path + sizeof(top) - 1 : NULL;
}

/* ---- guests' disks ---- */

static bool is_image(const char *target)
{
	return mounted_path(target) != NULL;
}

static long open_image(const char *target, bool read_only, struct block_device **device,
		       const char **why)
{
	*why = "there is no volume";
	return enter() ? leave(volume_source_open(mounted_volume, mounted_path(target), read_only,
						  device, why))
		       : -ENOENT;
}

/* ---- mounting ---- */

/* While there is a volume; with `changing` it is not taken away under it. */
static void commit_now_and_then(void *unused)
{
	for (;;) {
		thread_sleep(COMMIT_SECONDS * NSEC_PER_SEC);
		mutex_lock(&changing);
		if (mounted_volume)
			volume_tick(mounted_volume);
		mutex_unlock(&changing);
	}
}

static long start_thread(void)
{
	static struct thread *thread;

	if (!thread) {
		thread = thread_create("volume", commit_now_and_then, NULL);
		if (thread)
			thread_detach(thread);
	}
	return thread ? 0 : -ENOMEM;
}

long mounted_mount(struct block_device *device, bool read_only, char problem[VOLUME_PROBLEM])
{
	long error;

	mutex_lock(&changing);
	if (mounted_volume) {
		snprintf(problem, VOLUME_PROBLEM,
			 "there is a volume already: `volume unmount` first");
		error = -EBUSY;
	} else {
		error = volume_mount(device, read_only, &mounted_volume, problem);
	}
	if (!error) {
		files_mount(VOLUME_FOLDER, &file_system);
		start_thread();
	}
	mutex_unlock(&changing);
	return error;
}

long mounted_unmount(void)
{
	struct volume *volume;
	long error = -ENOENT;

	mutex_lock(&changing);
	volume = mounted_volume;
	if (volume) {
		files_mount(VOLUME_FOLDER, NULL);
		error = volume_unmount(volume);
		if (error == -EBUSY)
			files_mount(VOLUME_FOLDER, &file_system);
		else
			mounted_volume = NULL;
	}
	mutex_unlock(&changing);
	return error;
}

static struct block_device *find_device(int argc, char **argv, const char **name,
					const char **problem)
{
	static const char *const places[] = {"PARTLABEL=" VOLUME_LABEL, "LABEL=" VOLUME_LABEL};
	struct disk *disk = NULL;

	*name = NULL;
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "volume=", 7) == 0)
			*name = argv[i] + 7;
	if (*name && strcmp(*name, "none") == 0) {
		*name = NULL;
		return NULL;
	}
	if (*name) {
		disk = disk_find(*name, problem);
		return disk ? disk->device : NULL;
	}
	for (size_t i = 0; !disk && i < sizeof(places) / sizeof(places[0]); i++) {
		disk = disk_find(places[i], problem);
		/* Which one is meant is for a person to say: a guest can give its own disk any label. */
		if (!disk && strstr(*problem, "more than one")) {
			*name = places[i];
			break;
		}
	}
	return disk ? disk->device : NULL;
}

void mounted_start(int argc, char **argv)
{
	static struct block_source_kind image = {
	    .name = "image",
	    .is = is_image,
	    .open = open_image,
	    .close = volume_source_close,
	};
	char problem[VOLUME_PROBLEM];
	const char *name, *why = NULL;
	struct block_device *device = find_device(argc, argv, &name, &why);
	struct volume_info info;

	block_source_add(&image);
	if (!device) {
		if (name)
			printf("No volume: %s: %s\n", name, why);
		return;
	}
	if (mounted_mount(device, false, problem)) {
		printf("No volume: %s: %s.\n", device->name, problem);
		return;
	}
	volume_describe(mounted_volume, &info);
	printf("Volume: %s, %llu MiB, %llu MiB free%s%s%s\n", info.device,
	       (unsigned long long)info.size >> 20, (unsigned long long)info.free >> 20,
	       info.replayed ? "; its journal was replayed" : "", problem[0] ? "; read-only: " : "",
	       problem);
}
