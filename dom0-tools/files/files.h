/* SPDX-License-Identifier: MIT */
/*
 * Files of dom0. Its root is read-only: the archive (cpio newc, or tar) that was given to dom0 as its module and
 * stays where it lies in memory. C programs reach it through open, read, lseek, stat and stdio.
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
};

/* The root. NULL until files_start, or when there is none. */
extern struct file_system *files_root;

/* Take the module as the root, and let the C library open files. What is wrong with it is printed. */
void files_start(void);

long files_find(const char *path, struct file *file);
long files_list(const char *path,
		void (*each)(const char *name, const struct file *file, void *context),
		void *context);
/* All of a file in place: no copy, and valid for ever. -EISDIR for a directory. */
long files_map(const char *path, const void **data, size_t *size);

/* Write the normal form of a path to `normal` (FILES_PATH bytes). -ENAMETOOLONG. */
long files_normal_path(const char *path, char *normal);

#endif
