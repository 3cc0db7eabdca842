/* SPDX-License-Identifier: MIT */
/* The root, and files that the C library has opened in it. */
#include "files/files.h"
#include "files/archive.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <guest/files.h>
#include <guest/start.h>
#include <guest/thread.h>

struct file_system *files_root;

long files_find(const char *path, struct file *file)
{
	char normal[FILES_PATH];
	long error = files_normal_path(path, normal);

	if (error)
		return error;
	return files_root ? files_root->find(files_root, normal, file) : -ENOENT;
}

long files_list(const char *path,
		void (*each)(const char *name, const struct file *file, void *context),
		void *context)
{
	char normal[FILES_PATH];
	long error = files_normal_path(path, normal);

	if (error)
		return error;
	return files_root ? files_root->list(files_root, normal, each, context) : -ENOENT;
}

long files_map(const char *path, const void **data, size_t *size)
{
	struct file file;
	long error = files_find(path, &file);

	if (error)
		return error;
	if (file.directory)
		return -EISDIR;
	if (!files_root->map)
		return -EOPNOTSUPP;
	*data = files_root->map(files_root, &file);
	*size = file.size;
	return 0;
}

/* ---- what the C library has open ---- */

#define OPEN_FILES 32

static struct {
	bool used;
	struct file file;
	uint64_t offset;
} opened[OPEN_FILES];
static struct mutex
    lock; /* of `opened`; two threads that use one file see it as a whole each time */

static long open_file(const char *path, int flags)
{
	struct file file;
	long error = files_find(path, &file), number;

	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EROFS;
	if (error)
		return error;
	if (file.directory)
		return -EISDIR;
	mutex_lock(&lock);
	for (number = 0; number < OPEN_FILES && opened[number].used; number++)
		;
	if (number < OPEN_FILES) {
		opened[number].used = true;
		opened[number].file = file;
		opened[number].offset = 0;
	}
	mutex_unlock(&lock);
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
	if (!take(number))
		return -EBADF;
	opened[number].used = false;
	mutex_unlock(&lock);
	return 0;
}

static long read_file(int number, void *buffer, size_t size)
{
	long count;

	if (!take(number))
		return -EBADF;
	count =
	    files_root->read(files_root, &opened[number].file, opened[number].offset, buffer, size);
	if (count > 0)
		opened[number].offset += (uint64_t)count;
	mutex_unlock(&lock);
	return count;
}

static long write_file(int number, const void *data, size_t size)
{
	return -EBADF; /* opened for reading, if at all */
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
