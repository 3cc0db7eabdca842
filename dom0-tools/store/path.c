/* SPDX-License-Identifier: MIT */
#include "store/internal.h"
#include <string.h>

static bool is_allowed(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '/' || c == '_' || c == '@';
}

bool path_valid(const char *path, size_t length)
{
	if (length == 0 || length > XENSTORE_ABS_PATH_MAX || path[0] != '/')
		return false;
	if (length > 1 && path[length - 1] == '/')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_allowed(path[i]) || (i && path[i] == '/' && path[i - 1] == '/'))
			return false;
	return true;
}

size_t path_parent(const char *path, size_t length)
{
	while (length > 1 && path[length - 1] != '/')
		length--;
	return length > 1 ? length - 1 : 1;
}

size_t path_next(const char *path, size_t length, size_t from)
{
	from = from > 1 ? from + 1 : 1;
	while (from < length && path[from] != '/')
		from++;
	return from;
}

bool path_is_below(const char *path, size_t length, const char *other, size_t other_length)
{
	if (length < other_length || memcmp(path, other, other_length) != 0)
		return false;
	return length == other_length || other_length == 1 || path[other_length] == '/';
}
