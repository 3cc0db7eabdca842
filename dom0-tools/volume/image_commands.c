/* SPDX-License-Identifier: MIT */
/* image: disk images on the volume. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "block/registry.h"
#include "files/files.h"
#include "volume/commands.h"
#include "volume/image.h"
#include "volume/mounted.h"
#include "volume/source.h"
#include "xl/amount.h"
#include "xl/json.h"
#include "xl/keyboard.h"
#include "xl/progress.h"

#define IMAGES "images"

/* What a subcommand was given: options, and up to two words. */
struct request {
	const char *words[2];
	int count;
	bool json, sparse;
};

static int failed(const char *name, const char *why)
{
	printf("image: %s: %s\n", name, why);
	return 1;
}

/* The path on the volume of an image's name, which may be a path below /volume itself. */
static bool image_path(const char *name, char path[SOURCE_PATH])
{
	const char *below = mounted_path(name);
	char normal[FILES_PATH];
	int length;

	if (!mounted_volume) {
		printf("image: there is no volume: see `volume`\n");
		return false;
	}
	if (name[0] == '/' && !below) {
		printf("image: %s is not on the volume: /" VOLUME_FOLDER "/...\n", name);
		return false;
	}
	length = below ? snprintf(path, SOURCE_PATH, "%s", below)
		       : snprintf(path, SOURCE_PATH, IMAGES "/%s", name);
	if (length >= SOURCE_PATH || files_normal_path(path, normal) || !normal[0]) {
		printf("image: %s: that is no name for an image\n", name);
		return false;
	}
	snprintf(path, SOURCE_PATH, "%s", normal);
	return true;
}

/* ---- long work ---- */

struct shown {
	struct progress progress;
	const char *step;
};

static bool on_progress(uint64_t done, uint64_t all, void *context)
{
	struct shown *shown = context;

	progress_step(&shown->progress, shown->step, done, all);
	return key_wait(1) != KEY_CTRL_C;
}

static struct image_work begin(struct shown *shown, const char *step, const char *name)
{
	shown->step = step;
	progress_begin(&shown->progress, isatty(STDOUT_FILENO) ? stdout : NULL, name);
	return (struct image_work){.progress = on_progress, .context = shown};
}

static int end(struct shown *shown, const char *name, long error, const char *why)
{
	progress_end(&shown->progress);
	return error ? failed(name, why) : 0;
}

/* ---- subcommands ---- */

static int create(const struct request *request)
{
	struct image_work work;
	struct shown shown;
	char path[SOURCE_PATH];
	const char *why = NULL;
	uint64_t kib;
	long error;

	if (!amount_parse(request->words[1], &kib) || !kib)
		return failed(request->words[1], "that is no size: a number with m, g or t");
	if (!image_path(request->words[0], path))
		return 1;
	volume_mkdir(mounted_volume, IMAGES);
	work = begin(&shown, "giving it its place", request->words[0]);
	error = image_create(mounted_volume, path, kib << 10, request->sparse, &work, &why);
	return end(&shown, request->words[0], error, why);
}

static int snapshot(const struct request *request)
{
	char base[SOURCE_PATH], path[SOURCE_PATH];
	const char *why = NULL;

	if (!image_path(request->words[0], base) || !image_path(request->words[1], path))
		return 1;
	if (image_snapshot(mounted_volume, base, path, &why))
		return failed(request->words[0], why);
	printf("%s goes on where %s is now; nothing writes to %s as long as it exists.\n",
	       request->words[1], request->words[0], request->words[0]);
	return 0;
}

static int resize(const struct request *request)
{
	char path[SOURCE_PATH];
	const char *why = NULL;
	uint64_t kib;

	if (!amount_parse(request->words[1], &kib))
		return failed(request->words[1], "that is no size: a number with m, g or t");
	if (!image_path(request->words[0], path))
		return 1;
	if (image_resize(mounted_volume, path, kib << 10, &why))
		return failed(request->words[0], why);
	return 0;
}

static int delete (const struct request *request)
{
	char path[SOURCE_PATH];
	const char *why = NULL;

	if (!image_path(request->words[0], path))
		return 1;
	if (image_delete(mounted_volume, path, &why))
		return failed(request->words[0], why);
	if (why)
		printf("image: %s: %s\n", request->words[0], why);
	return 0;
}

/* A file that dom0 has, in place. */
static long read_memory(const struct image_data *data, uint64_t offset, void *bytes, size_t size)
{
	memcpy(bytes, (const char *)data->context + offset, size);
	return 0;
}

static long import_from(const char *path, const struct image_data *from, const char *name,
			struct shown *shown, const char **why)
{
	struct image_work work = begin(shown, "copying", name);

	volume_mkdir(mounted_volume, IMAGES);
	return image_import(mounted_volume, path, from, &work, why);
}

static int import_file(const struct request *request, const char *path)
{
	struct image_data from = {.read = read_memory};
	const char *why = NULL;
	struct shown shown;
	const void *data;
	size_t size;
	long error = files_map(request->words[1], &data, &size);

	if (error)
		return failed(request->words[1], strerror((int)-error));
	from.context = (void *)(uintptr_t)data;
	from.size = size;
	error = import_from(path, &from, request->words[0], &shown, &why);
	files_unmap(data);
	return end(&shown, request->words[0], error, why);
}

/* From a disk, a partition, or a file of dom0's root. */
static int import(const struct request *request)
{
	char path[SOURCE_PATH];
	struct image_data from;
	struct shown shown;
	const char *why = NULL;
	struct disk *disk;
	long error;

	if (!image_path(request->words[0], path))
		return 1;
	if (mounted_path(request->words[1]))
		return failed(request->words[1],
			      "that is on the volume: `image export` copies images");
	if (request->words[1][0] == '/' && strncmp(request->words[1], "/dev/", 5) != 0)
		return import_file(request, path);
	disk = disk_find(request->words[1], &why);
	if (!disk)
		return failed(request->words[1], why);
	error = block_open(disk->device, BLOCK_OPEN_READ);
	if (error)
		return failed(request->words[1],
			      error == -EBUSY ? "something writes to it" : strerror((int)-error));
	from = image_of_device(disk->device);
	why = NULL;
	error = import_from(path, &from, request->words[0], &shown, &why);
	block_close(disk->device, BLOCK_OPEN_READ);
	return end(&shown, request->words[0], error, why);
}

static int export_to_device(const struct request *request, const char *path,
			    struct block_device *device)
{
	struct image_data to = image_of_device(device);
	struct image_work work;
	struct shown shown;
	const char *why = NULL;
	long error = block_open(device, BLOCK_OPEN_WRITE);

	if (error)
		return failed(request->words[1],
			      error == -EBUSY ? "it is in use" : strerror((int)-error));
	work = begin(&shown, "copying", request->words[0]);
	error = image_export(mounted_volume, path, &to, &work, &why);
	if (!error && (error = block_flush(device)) != 0)
		why = strerror((int)-error);
	block_close(device, BLOCK_OPEN_WRITE);
	return end(&shown, request->words[0], error, why);
}

/* To an image of its own, with the contents of its bases. */
static int export_to_image(const struct request *request, const char *path)
{
	struct block_device *device;
	struct image_data from;
	struct shown shown;
	char to[SOURCE_PATH];
	const char *why = NULL;
	long error;

	if (!image_path(request->words[1], to))
		return 1;
	error = volume_source_open(mounted_volume, path, true, &device, &why);
	if (error)
		return failed(request->words[0], why);
	error = block_open(device, BLOCK_OPEN_READ);
	if (error) {
		volume_source_close(device);
		return failed(request->words[0], "a guest may write to it");
	}
	from = image_of_device(device);
	why = NULL;
	error = import_from(to, &from, request->words[1], &shown, &why);
	block_close(device, BLOCK_OPEN_READ);
	volume_source_close(device);
	return end(&shown, request->words[1], error, why);
}

static int export(const struct request *request)
{
	char path[SOURCE_PATH];
	const char *why;
	struct disk *disk;

	if (!image_path(request->words[0], path))
		return 1;
	disk = mounted_path(request->words[1]) ? NULL : disk_find(request->words[1], &why);
	return disk ? export_to_device(request, path, disk->device)
		    : export_to_image(request, path);
}

/* ---- list and info ---- */

static void write_info(struct json *json, const char *name, const struct image_info *info)
{
	json_object(json, NULL);
	json_string(json, "name", name);
	json_unsigned(json, "bytes", info->size);
	json_unsigned(json, "allocated_bytes", info->allocated);
	json_string(json, "base", info->base[0] ? info->base : NULL);
	json_unsigned(json, "overlays", info->overlays);
	json_boolean(json, "in_use", info->in_use);
	json_boolean(json, "preallocated", info->preallocated);
	json_end(json);
}

static void show_info(const char *name, const struct image_info *info)
{
	printf("%-24s %10" PRIu64 " MiB %10" PRIu64 " MiB  %s%s%s", name, info->size >> 20,
	       info->allocated >> 20, info->in_use ? "in use " : "", info->base[0] ? "over " : "",
	       info->base);
	if (info->overlays)
		printf("%sbelow %u overlay%s", info->base[0] ? ", " : "", info->overlays,
		       info->overlays == 1 ? "" : "s");
	printf("\n");
}

/* Names first: while a directory is listed nothing can be asked of the volume. */
struct names {
	char **list;
	unsigned int count;
	bool failed;
};

static void add_name(const char *name, const struct volume_status *status, void *context)
{
	struct names *names = context;
	char **more;

	if (status->directory)
		return;
	more = realloc(names->list, (names->count + 1) * sizeof(*more));
	if (more)
		names->list = more;
	if (more && (more[names->count] = strdup(name)) != NULL)
		names->count++;
	else
		names->failed = true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns how many bytes it may still take: it is below its size. */
static uint64_t show_one(const char *name, struct json *json)
{
	struct image_info info;
	char path[SOURCE_PATH];
	const char *why;

	snprintf(path, sizeof(path), IMAGES "/%s", name);
	if (image_describe(mounted_volume, path, &info, &why))
		return 0;
	if (json)
		write_info(json, name, &info);
	else
		show_info(name, &info);
	/* Nothing is written to a base. */
	return info.overlays || info.allocated > info.size ? 0 : info.size - info.allocated;
}

static void show_room(uint64_t missing)
{
	struct volume_info info;

	volume_describe(mounted_volume, &info);
	printf("%" PRIu64 " MiB free; images may take %" PRIu64 " MiB more as they are written%s\n",
	       info.free >> 20, missing >> 20, missing > info.free ? ": too little is free" : "");
}

static int list(const struct request *request)
{
	struct names names = {.count = 0};
	uint64_t missing = 0;
	struct json json;
	long error;

	if (!mounted_volume)
		return failed("list", "there is no volume: see `volume`");
	error = volume_list(mounted_volume, IMAGES, add_name, &names);
	if (names.count)
		qsort(names.list, names.count, sizeof(*names.list), by_name);
	if (request->json) {
		json_start(&json, stdout);
		json_array(&json, NULL);
	} else if (names.count) {
		printf("%-24s %14s %14s\n", "NAME", "SIZE", "ON DISK");
	}
	for (unsigned int i = 0; i < names.count; i++) {
		missing += show_one(names.list[i], request->json ? &json : NULL);
		free(names.list[i]);
	}
	free(names.list);
	if (request->json)
		json_end(&json);
	else if (names.count)
		show_room(missing);
	if (names.failed)
		return failed("list", "out of memory: there are more");
	return error && error != -ENOENT ? failed("list", strerror((int)-error)) : 0;
}

static int info(const struct request *request)
{
	struct image_info found;
	char path[SOURCE_PATH];
	struct json json;
	const char *why;

	if (!image_path(request->words[0], path))
		return 1;
	if (image_describe(mounted_volume, path, &found, &why))
		return failed(request->words[0], why);
	if (request->json) {
		json_start(&json, stdout);
		write_info(&json, request->words[0], &found);
	} else {
		show_info(request->words[0], &found);
	}
	return 0;
}

static const struct {
	const char *name;
	int words;
	const char *usage;
	int (*run)(const struct request *request);
} subcommands[] = {
    {"create", 2, "NAME SIZE [--sparse]", create},
    {"list", 0, "[--json]", list},
    {"info", 1, "NAME [--json]", info},
    {"resize", 2, "NAME SIZE", resize},
    {"snapshot", 2, "NAME NEW", snapshot},
    {"import", 2, "NAME DISK-OR-FILE", import},
    {"export", 2, "NAME DISK-OR-NAME", export},
    {"delete", 1, "NAME", delete},
};

static int usage(void)
{
	printf("image: which of these?\n");
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		printf("  image %-8s  %s\n", subcommands[i].name, subcommands[i].usage);
	return 1;
}

int run_image(int argc, char **argv)
{
	struct request request = {.count = 0};
	size_t n, count = sizeof(subcommands) / sizeof(subcommands[0]);

	for (n = 0; argc > 1 && n < count && strcmp(argv[1], subcommands[n].name) != 0; n++)
		;
	if (argc < 2 || n == count)
		return usage();
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0 && strstr(subcommands[n].usage, "--json"))
			request.json = true;
		else if (strcmp(argv[i], "--sparse") == 0 && subcommands[n].run == create)
			request.sparse = true;
		else if (argv[i][0] == '-' || request.count == subcommands[n].words)
			return failed(argv[i], "that was not expected: see `image`");
		else
			request.words[request.count++] = argv[i];
	}
	if (request.count < subcommands[n].words) {
		printf("image: usage: image %s %s\n", subcommands[n].name, subcommands[n].usage);
		return 1;
	}
	return subcommands[n].run(&request);
}
