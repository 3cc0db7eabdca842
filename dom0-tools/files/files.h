/* SPDX-License-Identifier: MIT */
/*
 * Files of dom0. Its root is read-only: the archive (cpio newc, or tar) that was given to dom0 as its module and
 * stays where it lies in memory. Other file systems have a folder in it (files_mount). C programs reach them through open,
 * read, write, lseek, stat, unlink, rename, mkdir, fsync and stdio.
 *
 * Paths are absolute or relative to the root, with / between names; "." and ".." are resolved as text. Errors are
 * negative errnos. Any thread may call.
 */
#ifndef FILES_FILES_H
#define FILES_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILES_PATH 256 /* the longest path, with its terminator */

struct file {
	uint64_t node; /* its number, in the terms of the file system */
	uint64_t size;
	int64_t time; /* of the last change: seconds since 1970 */
	bool directory;
	void *handle; /* of a file system that has to know what is open */
};

/*
 * A source of files. Paths here are normal: no / at the ends, no "." or "..", "" is the top. What it has that is
 * neither file nor directory it does not show.
 */
struct file_system {
	/* -ENOENT, -ENOTDIR */
	long (*find)(struct file_system *fs, const char *path, struct file *file);
	/* Call each for what is in a directory, in its order; each gets the name alone. -ENOENT, -ENOTDIR */
	long (*list)(struct file_system *fs, const char *path,
		     void (*each)(const char *name, const struct file *file, void *context),
		     void *context);
	/* Up to size bytes from offset on; returns how many, 0 at the end. */
	long (*read)(struct file_system *fs, const struct file *file, uint64_t offset, void *buffer,
		     size_t size);
	/* All of a file, where it lies; NULL if this source cannot (then read it). */
	const void *(*map)(struct file_system *fs, const struct file *file);

	/* The others may be NULL: nothing can be changed. */

	/* flags: those of open(2). Between the two `handle` is the file system's. NULL: find does. */
	long (*open)(struct file_system *fs, const char *path, int flags, struct file *file);
	void (*close)(struct file_system *fs, struct file *file);
	/* How many bytes were written, all but for errors; file->size follows. */
	long (*write)(struct file_system *fs, struct file *file, uint64_t offset, const void *data,
		      size_t size);
	long (*truncate)(struct file_system *fs, struct file *file, uint64_t size);
	long (*sync)(struct file_system *fs);
	long (*remove)(struct file_system *fs, const char *path);
	long (*rename)(struct file_system *fs, const char *from, const char *to);
	long (*make_directory)(struct file_system *fs, const char *path);
};

/* The root. NULL until files_start, or when there is none. */
extern struct file_system *files_root;

/* Take the module as the root, and let the C library open files. What is wrong with it is printed. */
void files_start(void);

/* Give a file system the folder /name, or take it away: NULL. Its files must be closed then. */
void files_mount(const char *name, struct file_system *fs);

long files_find(const char *path, struct file *file);
long files_list(const char *path,
		void (*each)(const char *name, const struct file *file, void *context),
		void *context);
/*
 * All of a file: in place if it lies in memory, which is no copy and valid for ever, or read into the heap. files_unmap
 * when it is not needed any more. -EISDIR for a directory; -ENOMEM
 */
long files_map(const char *path, const void **data, size_t *size);
void files_unmap(const void *data);
/* The named changes. -EROFS where nothing can be changed, -EXDEV between file systems. */
long files_remove(const char *path);
long files_rename(const char *from, const char *to);
long files_make_directory(const char *path);

/* Write the normal form of a path to `normal` (FILES_PATH bytes). -ENAMETOOLONG. */
long files_normal_path(const char *path, char *normal);

#endif
