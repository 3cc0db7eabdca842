/* SPDX-License-Identifier: MIT */
#include "files/archive.h"
#include <errno.h>
#include <string.h>

/* An entry: its name without / at the ends and without ./ before it, not terminated. */
struct entry {
	const char *name;
	size_t length;
	const uint8_t *data;
	uint64_t size;
	int64_t time;
	enum { OTHER, REGULAR, DIRECTORY } kind;
};

static bool inside(size_t offset, uint64_t length, size_t size)
{
	return offset <= size && length <= size - offset;
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Take / and ./ from the front of a name and / from its end: ".", "./" and "/" are all the top, "". */
static void set_name(struct entry *entry, const char *name, size_t length)
{
	while (length && (name[0] == '/' || (name[0] == '.' && (length == 1 || name[1] == '/')))) {
		name++;
		length--;
	}
	while (length && name[length - 1] == '/')
		length--;
	entry->name = name;
	entry->length = length;
}

/* ---- cpio, newc: a header of hexadecimal numbers, the name, the data; each starts at a multiple of 4 ---- */

#define CPIO_HEADER 110
enum { CPIO_MODE = 1, CPIO_TIME = 5, CPIO_SIZE = 6, CPIO_NAME_SIZE = 11 };

#define MODE_TYPE      0170000
#define MODE_DIRECTORY 0040000
#define MODE_REGULAR   0100000

static bool is_cpio(const uint8_t *data, size_t size)
{
	return size >= 6 && memcmp(data, "07070", 5) == 0 && (data[5] == '1' || data[5] == '2');
}

/* Field n of the header: 8 digits each, behind the magic. */
static bool cpio_field(const uint8_t *header, unsigned int n, uint32_t *value)
{
	*value = 0;
	for (unsigned int i = 0; i < 8; i++) {
		uint8_t c = header[6 + n * 8 + i];
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return false;
		*value = *value << 4 | digit;
	}
	return true;
}

/*
 * The entry at *offset, which moves behind it; a length of 0 with kind OTHER and offset at the size marks the end.
 * NULL or what is wrong.
 */
static const char *cpio_next(const struct archive *archive, size_t *offset, struct entry *entry,
			     bool *end)
{
	const uint8_t *header = archive->data + *offset;
	uint32_t mode, time, size, name_size;
	size_t name = *offset + CPIO_HEADER, data;

	if (!inside(*offset, CPIO_HEADER, archive->size))
		return "is truncated: it ends inside a header, or without a trailer";
	if (!is_cpio(header, archive->size - *offset))
		return "is damaged: an entry does not begin as one of cpio's newc form";
	if (!cpio_field(header, CPIO_MODE, &mode) || !cpio_field(header, CPIO_TIME, &time) ||
	    !cpio_field(header, CPIO_SIZE, &size) ||
	    !cpio_field(header, CPIO_NAME_SIZE, &name_size))
		return "is damaged: a header holds something that is no number";
	if (name_size == 0 || !inside(name, name_size, archive->size))
		return "is damaged or truncated: a name lies outside it";
	if (archive->data[name + name_size - 1] != 0)
		return "is damaged: a name has no end";
	data = round_up(name + name_size, 4);
	*end = strcmp((const char *)archive->data + name, "TRAILER!!!") == 0;
	if (!*end && !inside(data, size, archive->size))
		return "is damaged or truncated: the contents of a file lie outside it";
	set_name(entry, (const char *)archive->data + name,
		 strlen((const char *)archive->data + name));
	entry->data = archive->data + data;
	entry->size = size;
	entry->time = time;
	entry->kind = (mode & MODE_TYPE) == MODE_DIRECTORY ? DIRECTORY
		      : (mode & MODE_TYPE) == MODE_REGULAR ? REGULAR
							   : OTHER;
	*offset = round_up(data + size, 4);
	return NULL;
}

/* ---- tar, ustar: blocks of 512 bytes; a header, then the data; two blocks of zeros at the end ---- */

#define TAR_BLOCK 512
struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], time[12], checksum[8], type;
	char link[100], magic[6], version[2], owner[32], group[32], major[8], minor[8], prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a header is a block");

static bool is_tar(const uint8_t *data, size_t size)
{
	const struct tar_header *header = (const void *)data;

	return size >= TAR_BLOCK && memcmp(header->magic, "ustar", 5) == 0;
}

/* Octal digits, ended by a blank or a 0 or the field's end. */
static bool tar_number(const char *field, size_t size, uint64_t *value)
{
	size_t i = 0;

	*value = 0;
	while (i < size && field[i] == ' ')
		i++;
	if (i == size || field[i] < '0' || field[i] > '7')
		return false;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		*value = *value << 3 | (uint64_t)(field[i] - '0');
	return i == size || field[i] == ' ' || field[i] == 0;
}

/* The sum of the header's bytes, those of the sum itself taken as blanks. */
static bool tar_checksum_right(const struct tar_header *header)
{
	const uint8_t *bytes = (const void *)header;
	uint64_t sum = 8 * ' ', wanted;

	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (i < offsetof(struct tar_header, checksum) ||
		    i >= offsetof(struct tar_header, type))
			sum += bytes[i];
	return tar_number(header->checksum, sizeof(header->checksum), &wanted) && sum == wanted;
}

static bool is_zero(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i])
			return false;
	return true;
}

static const char *tar_next(const struct archive *archive, size_t *offset, struct entry *entry,
			    bool *end)
{
	const struct tar_header *header = (const void *)(archive->data + *offset);
	uint64_t size, time;

	if (!inside(*offset, TAR_BLOCK, archive->size))
		return "is truncated: it ends inside a header, or without its last blocks";
	*end = is_zero(archive->data + *offset, TAR_BLOCK);
	if (*end)
		return NULL;
	if (!is_tar((const void *)header, TAR_BLOCK) || !tar_checksum_right(header))
		return "is damaged: a header of tar's is not one, or its checksum is wrong";
	if (!tar_number(header->size, sizeof(header->size), &size) ||
	    !tar_number(header->time, sizeof(header->time), &time))
		return "is damaged: a header holds something that is no number";
	if (!inside(*offset + TAR_BLOCK, size, archive->size))
		return "is damaged or truncated: the contents of a file lie outside it";
	if (header->type == 'L' || header->type == 'x' || header->prefix[0])
		return "has long names or attributes: make it by tar --format=ustar with names "
		       "of at most 100 characters, or by cpio -H newc";
	set_name(entry, header->name, strnlen(header->name, sizeof(header->name)));
	entry->data = archive->data + *offset + TAR_BLOCK;
	entry->size = size;
	entry->time = (int64_t)time;
	entry->kind = header->type == '5'			 ? DIRECTORY
		      : header->type == '0' || header->type == 0 ? REGULAR
								 : OTHER;
	*offset = *offset + TAR_BLOCK + round_up(size, TAR_BLOCK);
	return NULL;
}

/* ---- both ---- */

static const char *next(const struct archive *archive, size_t *offset, struct entry *entry,
			bool *end)
{
	return archive->tar ? tar_next(archive, offset, entry, end)
			    : cpio_next(archive, offset, entry, end);
}

/* The next entry after archive_open has seen them all: false at the end. */
static bool walk(const struct archive *archive, size_t *offset, struct entry *entry)
{
	bool end;

	return *offset < archive->end && !next(archive, offset, entry, &end);
}

static bool name_is(const struct entry *entry, const char *path, size_t length)
{
	return entry->length == length && memcmp(entry->name, path, length) == 0;
}

/* Is the entry somewhere below the directory `path`? What its name is from there on. */
static bool is_below(const struct entry *entry, const char *path, size_t length, const char **rest,
		     size_t *rest_length)
{
	size_t skip = length ? length + 1 : 0;

	if (entry->length <= skip || memcmp(entry->name, path, length) != 0 ||
	    (length && entry->name[length] != '/'))
		return false;
	*rest = entry->name + skip;
	*rest_length = entry->length - skip;
	return true;
}

static void describe(const struct archive *archive, const struct entry *entry, struct file *file)
{
	file->directory = entry->kind == DIRECTORY;
	file->node = file->directory ? 0 : (uint64_t)(entry->data - archive->data);
	file->size = file->directory ? 0 : entry->size;
	file->time = entry->time;
}

/* The last entry of a name counts, as when an archive is unpacked. Folders need no entry of their own. */
static long archive_find(struct file_system *fs, const char *path, struct file *file)
{
	const struct archive *archive = (const struct archive *)fs;
	size_t length = strlen(path), offset = 0, rest_length;
	bool found = length == 0, folder_above = false;
	struct entry entry;
	const char *rest;

	*file = (struct file){.directory = found};
	while (walk(archive, &offset, &entry)) {
		if (entry.kind == OTHER)
			continue;
		if (name_is(&entry, path, length)) {
			describe(archive, &entry, file);
			found = true;
		} else if (!found && is_below(&entry, path, length, &rest, &rest_length)) {
			*file = (struct file){.directory = true, .time = entry.time};
			found = true;
		} else if (entry.kind == REGULAR && entry.length < length &&
			   path[entry.length] == '/' &&
			   memcmp(entry.name, path, entry.length) == 0) {
			folder_above = true; /* that is no folder */
		}
	}
	return found ? 0 : folder_above ? -ENOTDIR : -ENOENT;
}

/* Has a name already been told, by an entry before `limit`? The first of a folder's contents tells of it. */
static bool told_before(const struct archive *archive, size_t limit, const char *path,
			size_t length, const char *name, size_t name_length)
{
	size_t offset = 0, rest_length;
	struct entry entry;
	const char *rest;

	while (offset < limit && walk(archive, &offset, &entry))
		if (entry.kind != OTHER && is_below(&entry, path, length, &rest, &rest_length) &&
		    rest_length >= name_length && memcmp(rest, name, name_length) == 0 &&
		    (rest_length == name_length || rest[name_length] == '/'))
			return true;
	return false;
}

static long archive_list(struct file_system *fs, const char *path,
			 void (*each)(const char *name, const struct file *file, void *context),
			 void *context)
{
	const struct archive *archive = (const struct archive *)fs;
	size_t length = strlen(path), offset = 0, before, rest_length;
	struct entry entry;
	const char *rest;
	struct file file;
	long error = archive_find(fs, path, &file);

	if (error)
		return error;
	if (!file.directory)
		return -ENOTDIR;
	for (before = 0; walk(archive, &offset, &entry); before = offset) {
		char whole[FILES_PATH];
		const char *slash;
		size_t name_length, whole_length;

		if (entry.kind == OTHER || !is_below(&entry, path, length, &rest, &rest_length))
			continue;
		slash = memchr(rest, '/', rest_length);
		name_length = slash ? (size_t)(slash - rest) : rest_length;
		whole_length = (size_t)(rest - entry.name) + name_length;
		if (whole_length >= sizeof(whole) ||
		    told_before(archive, before, path, length, rest, name_length))
			continue;
		memcpy(whole, entry.name, whole_length);
		whole[whole_length] = 0;
		if (!archive_find(fs, whole, &file))
			each(whole + whole_length - name_length, &file, context);
	}
	return 0;
}

static const void *archive_map(struct file_system *fs, const struct file *file)
{
	return ((const struct archive *)fs)->data + file->node;
}

static long archive_read(struct file_system *fs, const struct file *file, uint64_t offset,
			 void *buffer, size_t size)
{
	if (offset >= file->size)
		return 0;
	if (size > file->size - offset)
		size = file->size - offset;
	memcpy(buffer, (const uint8_t *)archive_map(fs, file) + offset, size);
	return (long)size;
}

const char *archive_open(struct archive *archive, const void *data, size_t size)
{
	struct entry entry;
	size_t offset = 0;
	bool end = false;
	const char *problem;

	*archive = (struct archive){
	    .fs = {.find = archive_find,
		   .list = archive_list,
		   .read = archive_read,
		   .map = archive_map},
	    .data = data,
	    .size = size,
	    .tar = is_tar(data, size),
	};
	if (!archive->tar && !is_cpio(data, size))
		return size >= 2 && archive->data[0] == 0x1f && archive->data[1] == 0x8b
			   ? "is compressed: give it as it was before gzip"
			   : "is neither cpio (newc) nor tar (ustar)";
	while (!end) {
		archive->end = offset;
		problem = next(archive, &offset, &entry, &end);
		if (problem)
			return problem;
	}
	return NULL;
}
