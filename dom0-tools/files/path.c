/* SPDX-License-Identifier: MIT */
#include "files/files.h"
#include <errno.h>
#include <string.h>

/* Name by name: "." adds nothing, ".." takes the last one away (there is nothing above the top). */
long files_normal_path(const char *path, char *normal)
{
	size_t length = 0;

	while (*path) {
		size_t name = strcspn(path, "/");

		if (name == 2 && path[0] == '.' && path[1] == '.') {
			while (length && normal[length - 1] != '/')
				length--;
			length -= length > 0; /* its slash */
		} else if (name && !(name == 1 && path[0] == '.')) {
			if (length + name + 2 > FILES_PATH)
				return -ENAMETOOLONG;
			if (length)
				normal[length++] = '/';
			memcpy(normal + length, path, name);
			length += name;
		}
		path += name;
		path += *path == '/';
	}
	normal[length] = 0;
	return 0;
}
