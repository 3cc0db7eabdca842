/* SPDX-License-Identifier: MIT */
#include "volume/commands.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "block/registry.h"
#include "volume/mounted.h"
#include "xl/json.h"
#include "xl/keyboard.h"

static int usage(const char *wrong, const char *what)
{
	printf(
	    "volume: %s%s%s; usage: volume [--json] | mount DISK [-r] | unmount | sync | format DISK [-L LABEL] [-y]\n",
	    wrong, what ? " " : "", what ? what : "");
	return 1;
}

static int show(bool as_json)
{
	struct volume_info info;
	struct json json;

	if (!mounted_volume) {
		if (as_json)
			printf("null\n");
		else
			printf(
			    "There is no volume: `volume mount DISK`, or `volume format DISK` to make one.\n");
		return as_json ? 0 : 1;
	}
	volume_describe(mounted_volume, &info);
	if (!as_json) {
		printf("volume        %s on %s, /" VOLUME_FOLDER "%s\n",
		       info.label[0] ? info.label : "(no label)", info.device,
		       info.read_only ? "; read-only" : "");
		printf("size          %" PRIu64 " MiB, %" PRIu64 " MiB free; blocks of %u bytes\n",
		       info.size >> 20, info.free >> 20, info.block_size);
		return 0;
	}
	json_start(&json, stdout);
	json_object(&json, NULL);
	json_string(&json, "device", info.device);
	json_string(&json, "label", info.label);
	json_string(&json, "folder", "/" VOLUME_FOLDER);
	json_unsigned(&json, "bytes", info.size);
	json_unsigned(&json, "free_bytes", info.free);
	json_unsigned(&json, "block_bytes", info.block_size);
	json_boolean(&json, "read_only", info.read_only);
	json_unsigned(&json, "replayed_blocks", info.replayed);
	json_end(&json);
	return 0;
}

static struct block_device *find_disk(const char *name)
{
	const char *problem;
	struct disk *disk = disk_find(name, &problem);

	if (!disk)
		printf("volume: %s: %s\n", name, problem);
	return disk ? disk->device : NULL;
}

static int mount_disk(int argc, char **argv)
{
	bool read_only = argc > 1 && strcmp(argv[1], "-r") == 0;
	struct block_device *device;
	char problem[VOLUME_PROBLEM];

	if (argc < 1 || argc > 2 || (argc == 2 && !read_only))
		return usage("mount needs a disk", NULL);
	device = find_disk(argv[0]);
	if (!device)
		return 1;
	if (mounted_mount(device, read_only, problem)) {
		printf("volume: %s: %s\n", device->name, problem);
		return 1;
	}
	if (problem[0])
		printf("volume: %s: read-only: %s\n", device->name, problem);
	return show(false);
}

static int unmount(void)
{
	long error = mounted_unmount();

	if (error)
		printf("volume: %s\n", error == -ENOENT ? "there is none"
				       : error == -EBUSY
					   ? "files on it are open, or images are used by guests"
					   : strerror((int)-error));
	return error != 0;
}

static int sync_volume(void)
{
	long error = mounted_volume ? volume_sync(mounted_volume) : -ENOENT;

	if (error)
		printf("volume: %s\n", error == -ENOENT ? "there is none" : strerror((int)-error));
	return error != 0;
}

/* Was `y` typed? Any other key is a no. */
static bool confirmed(struct block_device *device)
{
	char label[17];
	int key;

	volume_label(device, label);
	printf("All that is on %s (%" PRIu64 " MiB%s%s) will be lost. Go on (y/n)? ", device->name,
	       device->sectors / 2048, label[0] ? ", the file system " : "", label);
	fflush(stdout);
	key = key_wait(0);
	printf("%c\n", key == 'y' ? 'y' : 'n');
	return key == 'y';
}

static int format(int argc, char **argv)
{
	const char *label = VOLUME_LABEL, *name = NULL;
	struct block_device *device;
	char problem[VOLUME_PROBLEM];
	bool yes = false;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-y") == 0)
			yes = true;
		else if (strcmp(argv[i], "-L") == 0 && i + 1 < argc)
			label = argv[++i];
		else if (argv[i][0] == '-' || name)
			return usage("format does not know", argv[i]);
		else
			name = argv[i];
	}
	if (!name)
		return usage("format needs a disk", NULL);
	if (strlen(label) > 16) {
		printf("volume: a label has at most 16 bytes\n");
		return 1;
	}
	device = find_disk(name);
	if (!device || (!yes && !confirmed(device)))
		return 1;
	if (volume_format(device, label, problem)) {
		printf("volume: %s: %s\n", device->name, problem);
		return 1;
	}
	printf("There is an empty volume on %s now: `volume mount %s`.\n", device->name,
	       device->name);
	return 0;
}

int run_volume(int argc, char **argv)
{
	if (argc == 1)
		return show(false);
	if (strcmp(argv[1], "--json") == 0 && argc == 2)
		return show(true);
	if (strcmp(argv[1], "mount") == 0)
		return mount_disk(argc - 2, argv + 2);
	if (strcmp(argv[1], "unmount") == 0 && argc == 2)
		return unmount();
	if (strcmp(argv[1], "sync") == 0 && argc == 2)
		return sync_volume();
	if (strcmp(argv[1], "format") == 0)
		return format(argc - 2, argv + 2);
	return usage("what is", argv[1]);
}
