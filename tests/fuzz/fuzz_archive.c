/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/files/archive.c dom0-tools/files/path.c
// runs: 20000
/* Root archives: whatever the bytes are, nothing outside them is read, and what is listed is found. */
#include "files/archive.h"
#include <stdlib.h>
#include "archive_maker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct archive archive;
static unsigned int budget;

static void walk(const char *name, const struct file *file, void *context)
{
	char path[FILES_PATH], normal[FILES_PATH];
	struct file found;
	const char *folder = context;
	uint8_t last;

	if (!budget || strlen(name) + strlen(folder) + 2 > sizeof(path))
		return;
	budget--;
	snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] ? "/" : "", name);
	/* Names that nobody can type are not found, but do no harm. */
	if (files_normal_path(path, normal) || strcmp(path, normal))
		return;
	if (archive.fs.find(&archive.fs, normal, &found) || found.directory != file->directory)
		abort();
	if (file->directory)
		archive.fs.list(&archive.fs, normal, walk, normal);
	else if (file->size && archive.fs.read(&archive.fs, file, file->size - 1, &last, 1) != 1)
		abort();
}

/* First byte: 0 or 1, changes (where, what) to a right archive of that form; else the input itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct maker maker;
	uint8_t *copy;

	if (size && data[0] < 2) {
		maker_begin(&maker, data[0]);
		maker_add(&maker, "./etc", 'd', NULL);
		maker_add(&maker, "./etc/xl/one.cfg", 'f', "name = 'one'\n");
		maker_add(&maker, "boot/kernel", 'f', "not much of a kernel");
		maker_add(&maker, "empty", 'f', "");
		maker_end(&maker);
		for (size_t i = 1; i + 2 < size; i += 3)
			maker.data[(data[i] | data[i + 1] << 8) % maker.size] = data[i + 2];
		for (size_t at = 0; data[0] && at + 512 <= maker.size; at += 512)
			if (memcmp(maker.data + at + 257, "ustar", 5) == 0)
				maker_checksum(maker.data + at);
		data = maker.data;
		size = maker.size;
	}
	copy = malloc(size ? size : 1);
	memcpy(copy, data, size);
	budget = 1000;
	if (!archive_open(&archive, copy, size))
		archive.fs.list(&archive.fs, "", walk, (void *)"");
	free(copy);
	return 0;
}
