/* SPDX-License-Identifier: MIT */
/* The root, and files that the C library has opened in it. */
#include "files/files.h"
#include "files/archive.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <guest/files.h>
#include <guest/start.h>
#include <guest/thread.h>

struct file_system *files_root;

/* ---- which file system a path leads to ---- */

static struct {
	const char *name;
	struct file_system *fs;
} mounted; /* one suffices */

void files_mount(const char *name, struct file_system *fs)
{
	mounted.name = name;
	mounted.fs = fs;
}

/* The path there goes to `rest`, FILES_PATH bytes. */
static long resolve(const char *path, struct file_system **fs, char *rest)
{
	size_t length = mounted.fs ? strlen(mounted.name) : 0;
	long error = files_normal_path(path, rest);

	if (error)
		return error;
	*fs = files_root;
	if (length && strncmp(rest, mounted.name, length) == 0 &&
	    (rest[length] == '/' || rest[length] == 0)) {
		*fs = mounted.fs;
		length += rest[length] == '/';
		memmove(rest, rest + length, strlen(rest + length) + 1);
	}
	return *fs ? 0 : -ENOENT;
}

static bool is_top(struct file_system *fs, const char *rest)
{
	return fs == files_root && !rest[0];
}

long files_find(const char *path, struct file *file)
{
	char rest[FILES_PATH];
	struct file_system *fs;
	long error = resolve(path, &fs, rest);

	return error ? error : fs->find(fs, rest, file);
}

long files_list(const char *path,
		void (*each)(const char *name, const struct file *file, void *context),
		void *context)
{
	static const struct file folder = {.directory = true};
	char rest[FILES_PATH];
	struct file_system *fs;
	long error = resolve(path, &fs, rest);

	if (!error)
		error = fs->list(fs, rest, each, context);
	if (!error && is_top(fs, rest) && mounted.fs)
		each(mounted.name, &folder, context);
	return error;
}

static bool is_in_archive(const void *data)
{
	return (unsigned long)data - start_info->mod_start < start_info->mod_len;
}

static long read_all(struct file_system *fs, const char *path, struct file *file, const void **data)
{
	char *copy;
	long error = fs->open ? fs->open(fs, path, O_RDONLY, file) : 0;
	long count = 0;

	if (error)
		return error;
	copy = malloc(file->size + 1);
	if (copy)
		count = fs->read(fs, file, 0, copy, file->size);
	if (fs->close)
		fs->close(fs, file);
	error = !copy ? -ENOMEM : count < 0 ? count : (uint64_t)count != file->size ? -EIO : 0;
	if (error)
		free(copy);
	else
		*data = copy;
	return error;
}

long files_map(const char *path, const void **data, size_t *size)
{
	char rest[FILES_PATH];
	struct file_system *fs;
	struct file file;
	long error = resolve(path, &fs, rest);

	if (!error)
		error = fs->find(fs, rest, &file);
	if (error)
		return error;
	if (file.directory)
		return -EISDIR;
	*size = file.size;
	if (!fs->map)
		return read_all(fs, rest, &file, data);
	*data = fs->map(fs, &file);
	return 0;
}

void files_unmap(const void *data)
{
	if (!is_in_archive(data))
		free((void *)(uintptr_t)data);
}

long files_remove(const char *path)
{
	char rest[FILES_PATH];
	struct file_system *fs;
	long error = resolve(path, &fs, rest);

	return error ? error : fs->remove ? fs->remove(fs, rest) : -EROFS;
}

long files_rename(const char *from, const char *to)
{
	char rest[FILES_PATH], other[FILES_PATH];
	struct file_system *fs, *other_fs;
	long error = resolve(from, &fs, rest);

	if (!error)
		error = resolve(to, &other_fs, other);
	if (error)
		return error;
	if (fs != other_fs)
		return -EXDEV;
	return fs->rename ? fs->rename(fs, rest, other) : -EROFS;
}

long files_make_directory(const char *path)
{
	char rest[FILES_PATH];
	struct file_system *fs;
	long error = resolve(path, &fs, rest);

	return error ? error : fs->make_directory ? fs->make_directory(fs, rest) : -EROFS;
}

/* ---- what the C library has open ---- */

#define OPEN_FILES 32

static struct {
	struct file_system *fs;
	struct file file;
	uint64_t offset;
	int flags;
	bool used;
} opened[OPEN_FILES];
static struct mutex
    lock; /* of `opened`; two threads that use one file see it as a whole each time */

static long find_or_open(struct file_system *fs, const char *rest, int flags, struct file *file)
{
	long error;

	if (fs->open)
		return fs->open(fs, rest, flags, file);
	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EROFS;
	error = fs->find(fs, rest, file);
	return error ? error : file->directory ? -EISDIR : 0;
}

static long open_file(const char *path, int flags)
{
	char rest[FILES_PATH];
	struct file_system *fs;
	struct file file;
	long error = resolve(path, &fs, rest), number;

	if (!error)
		error = find_or_open(fs, rest, flags, &file);
	if (error)
		return error;
	mutex_lock(&lock);
	for (number = 0; number < OPEN_FILES && opened[number].used; number++)
		;
	if (number < OPEN_FILES) {
		opened[number].used = true;
		opened[number].fs = fs;
		opened[number].file = file;
		opened[number].offset = 0;
		opened[number].flags = flags;
	}
	mutex_unlock(&lock);
	if (number == OPEN_FILES && fs->close)
		fs->close(fs, &file);
	return number < OPEN_FILES ? number : -EMFILE;
}

/* Locks; false, and not locked, when there is no such file. */
static bool take(int number)
{
	if (number < 0 || number >= OPEN_FILES)
		return false;
	mutex_lock(&lock);
	if (opened[number].used)
		return true;
	mutex_unlock(&lock);
	return false;
}

static long close_file(int number)
{
	struct file_system *fs;

	if (!take(number))
		return -EBADF;
	fs = opened[number].fs;
	if (fs->close)
		fs->close(fs, &opened[number].file);
	opened[number].used = false;
	mutex_unlock(&lock);
	return 0;
}

static long read_file(int number, void *buffer, size_t size)
{
	struct file_system *fs;
	long count = -EBADF;

	if (!take(number))
		return -EBADF;
	fs = opened[number].fs;
	if ((opened[number].flags & O_ACCMODE) != O_WRONLY)
		count = fs->read(fs, &opened[number].file, opened[number].offset, buffer, size);
	if (count > 0)
		opened[number].offset += (uint64_t)count;
	mutex_unlock(&lock);
	return count;
}

static long write_file(int number, const void *data, size_t size)
{
	struct file_system *fs;
	long count = -EBADF;

	if (!take(number))
		return -EBADF;
	fs = opened[number].fs;
	if (opened[number].flags & O_APPEND)
		opened[number].offset = opened[number].file.size;
	if ((opened[number].flags & O_ACCMODE) != O_RDONLY && fs->write)
		count = fs->write(fs, &opened[number].file, opened[number].offset, data, size);
	if (count > 0)
		opened[number].offset += (uint64_t)count;
	mutex_unlock(&lock);
	return count;
}

static long truncate_file(int number, long size)
{
	struct file_system *fs;
	long error = -EBADF;

	if (size < 0)
		return -EINVAL;
	if (!take(number))
		return -EBADF;
	fs = opened[number].fs;
	if ((opened[number].flags & O_ACCMODE) != O_RDONLY && fs->truncate)
		error = fs->truncate(fs, &opened[number].file, (uint64_t)size);
	mutex_unlock(&lock);
	return error;
}

static long sync_file(int number)
{
	struct file_system *fs;
	long error;

	if (!take(number))
		return -EBADF;
	fs = opened[number].fs;
	error = fs->sync ? fs->sync(fs) : 0;
	mutex_unlock(&lock);
	return error;
}

static long seek_file(int number, long offset, int from)
{
	uint64_t base = 0;
	long result = -EINVAL;

	if (!take(number))
		return -EBADF;
	if (from == SEEK_CUR)
		base = opened[number].offset;
	else if (from == SEEK_END)
		base = opened[number].file.size;
	if ((from == SEEK_SET || from == SEEK_CUR || from == SEEK_END) &&
	    !__builtin_add_overflow((long)base, offset, &result)) {
		if (result >= 0)
			opened[number].offset = (uint64_t)result;
		else
			result = -EINVAL;
	}
	mutex_unlock(&lock);
	return result;
}

static void fill_status(const struct file *file, struct stat *status)
{
	status->st_mode = file->directory ? S_IFDIR | 0555 : S_IFREG | 0444;
	status->st_nlink = 1;
	status->st_ino = (ino_t)file->node;
	status->st_size = (off_t)file->size;
	status->st_mtime = (time_t)file->time;
}

static long status_of_file(int number, struct stat *status)
{
	if (!take(number))
		return -EBADF;
	fill_status(&opened[number].file, status);
	mutex_unlock(&lock);
	return 0;
}

static long status_of_path(const char *path, struct stat *status)
{
	struct file file;
	long error = files_find(path, &file);

	if (!error)
		fill_status(&file, status);
	return error;
}

static const struct guest_files calls = {
    .open = open_file,
    .close = close_file,
    .read = read_file,
    .write = write_file,
    .seek = seek_file,
    .status = status_of_file,
    .path_status = status_of_path,
    .sync = sync_file,
    .truncate = truncate_file,
    .remove = files_remove,
    .rename = files_rename,
    .make_directory = files_make_directory,
};

void files_start(void)
{
	static struct archive archive;
	const char *problem;

	guest_files = &calls;
	if (!start_info->mod_len) {
		printf(
		    "There are no files: this domain was given no root archive as its module.\n");
		return;
	}
	problem = archive_open(&archive, (const void *)start_info->mod_start, start_info->mod_len);
	if (problem)
		printf("There are no files: the root archive %s.\n", problem);
	else
		files_root = &archive.fs;
}
