/* SPDX-License-Identifier: MIT */
/*
 * Archives in memory, cpio (newc) or tar (ustar): what is in them, found by walking along them. Pure: built and
 * fuzzed on the host. archive_open looks at every header once and checks that all lies inside; what follows
 * relies on that, and on the memory not changing.
 */
#ifndef FILES_ARCHIVE_H
#define FILES_ARCHIVE_H

#include "files/files.h"

struct archive {
	struct file_system fs; /* first: a file system is one of its own */
	const uint8_t *data;
	size_t size;
	size_t end; /* offset behind the last entry */
	bool tar;
};

/* NULL, or what is wrong with it: the end of a sentence that begins with "the root archive ". */
const char *archive_open(struct archive *archive, const void *data, size_t size);

#endif
