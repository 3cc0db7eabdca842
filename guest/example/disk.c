/* SPDX-License-Identifier: MIT */
/*
 * Disks: what a front half (pv-drivers/block_front.h) looks like to whoever uses it. A domain's disks are the directories
 * below device/vbd of its part of the store; each is opened when a command first sees it.
 */
#include "disk.h"
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/format.h>
#include <guest/memory.h>
#include <guest/string.h>
#include <pv-drivers/block_front.h>
#include <pv-drivers/grant.h>

#define DISKS	4
#define TIMEOUT (10 * NSEC_PER_SEC)
/* Bytes that are read or written at a time. */
#define PIECE (32 * PAGE_SIZE)

static struct disk {
	char name[16]; /* "51712"; empty: none */
	struct block_front front;
} disks[DISKS];

static char *buffer;

static struct disk *find(const char *name)
{
	for (unsigned int i = 0; i < DISKS; i++)
		if (disks[i].name[0] && !strcmp(disks[i].name, name))
			return &disks[i];
	return NULL;
}

static void open_disk(struct xs *xs, const char *name)
{
	char own[32];
	long error;

	for (unsigned int i = 0; i < DISKS; i++) {
		struct disk *disk = &disks[i];

		if (disk->name[0])
			continue;
		memset(disk, 0, sizeof(*disk));
		format_string(own, sizeof(own), "device/vbd/%s", name);
		error = block_front_open(&disk->front, xs, own, clock_now() + TIMEOUT);
		if (error)
			printk("disk %s: error %ld\n", name, error);
		else
			format_string(disk->name, sizeof(disk->name), "%s", name);
		return;
	}
	printk("disk %s: no more than %d\n", name, DISKS);
}

/* Those that are new, and away with those that are gone. */
static void look(struct xs *xs)
{
	char names[128];
	long length = xs_directory(xs, 0, "device/vbd", names, sizeof(names));

	for (unsigned int i = 0; i < DISKS; i++) {
		if (disks[i].name[0] && disks[i].front.device.gone) {
			block_front_close(&disks[i].front);
			disks[i].name[0] = 0;
		}
	}
	for (const char *name = NULL; length > 0 && (name = xs_next_name(names, length, name));)
		if (!find(name))
			open_disk(xs, name);
}

static void list(void)
{
	for (unsigned int i = 0; i < DISKS; i++) {
		const struct block_device *device = &disks[i].front.device;

		if (disks[i].name[0])
			printk("disk %s: %lu sectors%s%s\n", disks[i].name, device->sectors,
			       device->flags & BLOCK_READ_ONLY ? ", read-only" : "",
			       device->discard_granularity ? ", discard" : "");
	}
}

static bool read_number(const char *text, uint64_t *number)
{
	*number = 0;
	for (; text && *text >= '0' && *text <= '9'; text++)
		*number = *number * 10 + (uint64_t)(*text - '0');
	return text && !*text;
}

/* FNV-1a over all of it: easily done elsewhere too. */
static void sum(struct disk *disk)
{
	struct block_device *device = &disk->front.device;
	uint64_t hash = 0xcbf29ce484222325, sectors;
	long error = 0;

	for (uint64_t at = 0; at < device->sectors && !error; at += sectors) {
		sectors = device->sectors - at;
		if (sectors > PIECE / BLOCK_SECTOR)
			sectors = PIECE / BLOCK_SECTOR;
		error = block_read(device, at, buffer, sectors);
		for (size_t i = 0; i < sectors * BLOCK_SECTOR && !error; i++)
			hash = (hash ^ (uint8_t)buffer[i]) * 0x100000001b3;
	}
	if (error)
		printk("disk %s: error %ld\n", disk->name, error);
	else
		printk("disk %s: sum %016lx\n", disk->name, hash);
}

/* words: FIRST, COUNT, BYTE */
static void fill(struct disk *disk, char *words)
{
	struct block_device *device = &disk->front.device;
	uint64_t first, count, byte, sectors;
	char *w[3] = {NULL};
	long error = 0;

	for (unsigned int i = 0; i < 3 && *words; i++) {
		w[i] = words;
		while (*words && *words != ' ')
			words++;
		if (*words)
			*words++ = 0;
	}
	if (!read_number(w[0], &first) || !read_number(w[1], &count) || !read_number(w[2], &byte)) {
		printk("disk write NAME FIRST COUNT BYTE: sectors, and what to fill them with\n");
		return;
	}
	memset(buffer, (int)byte, PIECE);
	for (uint64_t done = 0; done < count && !error; done += sectors) {
		sectors = count - done < PIECE / BLOCK_SECTOR ? count - done : PIECE / BLOCK_SECTOR;
		error = block_write(device, first + done, buffer, sectors);
	}
	if (!error)
		error = block_flush(device);
	printk("disk %s: %s, status %ld\n", disk->name, error ? "error" : "written", error);
}

void disk_command(struct xs *xs, char **words)
{
	struct disk *disk;

	if (!buffer)
		buffer = grants_init() ? NULL : pages_alloc(PIECE / PAGE_SIZE);
	if (!buffer) {
		printk("disk: no memory\n");
		return;
	}
	look(xs);
	if (!words[1] || !strcmp(words[1], "list")) {
		list();
		return;
	}
	disk = words[2] ? find(words[2]) : NULL;
	if (!disk)
		printk("disk: which? `disk list` shows them\n");
	else if (!strcmp(words[1], "sum"))
		sum(disk);
	else if (!strcmp(words[1], "write"))
		fill(disk, words[3] ? words[3] : "");
	else
		printk("disk: list | sum NAME | write NAME FIRST COUNT BYTE\n");
}
