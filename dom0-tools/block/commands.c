/* SPDX-License-Identifier: MIT */
#include "commands.h"
#include "registry.h"
#include "xl/json.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* In the largest unit of which there is at least one, with one decimal. */
static void size_text(uint64_t sectors, char *to, size_t room)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
	uint64_t tenths = sectors * 5; /* of KiB */
	size_t unit = 0;

	while (tenths >= 10240 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		tenths /= 1024;
		unit++;
	}
	snprintf(to, room, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
}

static const char *use(const struct block_device *device)
{
	if (device->gone)
		return "gone";
	if (device->writers || device->sharers)
		return "written";
	return device->readers ? "read" : "-";
}

static void show_disk(const struct disk *disk)
{
	const struct block_device *device = disk->device;
	char size[32];

	size_text(device->sectors, size, sizeof(size));
	printf("%-10s  %11s  %-2s  %-8s", device->name, size,
	       device->flags & BLOCK_READ_ONLY ? "ro" : "rw", use(device));
	if (disk->whole)
		printf("%s", disk->label);
	else
		printf("%s%s%s%s%s%s%s", disk->driver, disk->place[0] ? " at " : "", disk->place,
		       disk->model[0] ? ", " : "", disk->model, disk->serial[0] ? " " : "",
		       disk->serial);
	printf("\n");
	if (disk->table_error)
		printf("%-10s  no partitions: %s\n", "", disk->table_error);
}

static void write_disk(struct json *json, const struct disk *disk)
{
	const struct block_device *device = disk->device;

	json_object(json, NULL);
	json_string(json, "name", device->name);
	json_string(json, "driver", disk->driver);
	json_unsigned(json, "bytes", device->sectors * BLOCK_SECTOR);
	json_unsigned(json, "logical_block", device->logical_size);
	json_unsigned(json, "physical_block", device->physical_size);
	json_boolean(json, "read_only", device->flags & BLOCK_READ_ONLY);
	json_boolean(json, "discard", device->discard_granularity);
	json_boolean(json, "gone", device->gone);
	json_unsigned(json, "readers", device->readers);
	json_unsigned(json, "writers", device->writers + device->sharers);
	if (disk->whole) {
		json_string(json, "disk", disk->whole->device->name);
		json_unsigned(json, "partition", disk->number);
		json_unsigned(json, "start_bytes", disk->start * BLOCK_SECTOR);
		json_string(json, "label", disk->label);
		json_string(json, "guid", disk->guid);
	} else {
		json_string(json, "place", disk->place);
		json_string(json, "model", disk->model);
		json_string(json, "serial", disk->serial);
		json_string(json, "partition_table_error", disk->table_error);
	}
	json_end(json);
}

static void write_disks(void)
{
	struct json json;

	json_start(&json, stdout);
	json_array(&json, NULL);
	for (const struct disk *disk = disks_first(); disk; disk = disk->next)
		write_disk(&json, disk);
	json_end(&json);
}

int run_disks(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--json") == 0) {
		write_disks();
		return 0;
	}
	if (argc > 1) {
		printf("disks: there is no option '%s'\n", argv[1]);
		return 1;
	}
	if (!disks_first()) {
		printf("There are no disks.\n");
		return 0;
	}
	printf("NAME               SIZE      USE     \n");
	for (const struct disk *disk = disks_first(); disk; disk = disk->next)
		show_disk(disk);
	return 0;
}
