/* SPDX-License-Identifier: MIT */
/*
 * Where a C library's open, read and so on go for whatever is not the console. A guest that has files sets
 * guest_files before it opens any; without it there are none.
 */
#ifndef GUEST_FILES_H
#define GUEST_FILES_H

#include <stddef.h>
#include <stdint.h>

struct stat;

/* Numbers of files are from 0 on here. Results are as the functions of that name have them, or negative errnos. */
struct guest_files {
	long (*open)(const char *path, int flags);
	long (*close)(int file);
	long (*read)(int file, void *buffer, size_t size);
	long (*write)(int file, const void *data, size_t size);
	long (*seek)(int file, long offset, int from);
	long (*status)(int file, struct stat *status);
	long (*path_status)(const char *path, struct stat *status);
	/* These may be NULL: nothing can be changed. */
	long (*sync)(int file);
	long (*truncate)(int file, long size);
	long (*remove)(const char *path); /* a file, or an empty directory */
	long (*rename)(const char *from, const char *to);
	long (*make_directory)(const char *path);
};
extern const struct guest_files *guest_files;

#endif
