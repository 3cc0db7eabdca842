/* SPDX-License-Identifier: MIT */
/*
 * The command `disktest`: reads all of a device with many requests in flight, or, if told to destroy what it holds, writes
 * a pattern to all of it, flushes, and reads it back. It tells of each part that failed, and the checksum of what was read.
 *
 * The pattern: eight bytes are the number of their place, counted in eights from the device's start, so that data in the
 * wrong place shows.
 */
#include "commands.h"
#include "gpt.h"
#include "registry.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/thread.h>

#define DEPTH		 16 /* requests in flight */
#define PAGES		 8  /* of each */
#define SECTORS		 (PAGES * PAGE_SIZE / BLOCK_SECTOR)
#define WORDS		 (BLOCK_SECTOR / sizeof(uint64_t)) /* in a sector */
#define PROBLEMS_SHOWN	 10
#define PROGRESS_SECONDS 1

struct test;

struct part {
	struct test *test;
	struct block_request request;
	struct block_segment segments[PAGES];
	uint64_t first; /* sector */
	uint64_t count;
	char *data;
	bool done;
	int status;
};

struct test {
	struct block_device *device;
	enum block_operation operation;
	bool verify;
	uint64_t sectors;
	uint64_t problems;
	uint32_t checksum;
	struct part parts[DEPTH];
	struct wait_queue finished;
	uint64_t shown; /* when progress was told the last time */
};

static void on_done(struct block_request *request, int status)
{
	struct part *part = request->owner;

	part->status = status;
	part->done = true;
	wake_all(&part->test->finished);
}

static void fill(struct part *part)
{
	uint64_t *words = (uint64_t *)part->data;

	for (uint64_t n = 0; n < part->count * WORDS; n++)
		words[n] = part->first * WORDS + n;
}

static bool is_filled(const struct part *part)
{
	const uint64_t *words = (const uint64_t *)part->data;

	for (uint64_t n = 0; n < part->count * WORDS; n++)
		if (words[n] != part->first * WORDS + n)
			return false;
	return true;
}

static void submit(struct test *test, struct part *part, uint64_t first)
{
	uint64_t left = test->sectors - first, bytes;

	part->first = first;
	part->count = left < SECTORS ? left : SECTORS;
	part->done = false;
	if (test->operation == BLOCK_WRITE)
		fill(part);
	bytes = part->count * BLOCK_SECTOR;
	part->request = (struct block_request){
	    .operation = test->operation,
	    .sector = first,
	    .sectors = part->count,
	    .segments = part->segments,
	    .count = (unsigned int)((bytes + PAGE_SIZE - 1) / PAGE_SIZE),
	    .done = on_done,
	    .owner = part,
	};
	for (unsigned int n = 0; n < part->request.count; n++) {
		char *page = part->data + n * PAGE_SIZE;
		uint64_t rest = bytes - n * PAGE_SIZE;

		part->segments[n] = (struct block_segment){
		    page, virt_to_machine(page), (uint32_t)(rest < PAGE_SIZE ? rest : PAGE_SIZE)};
	}
	block_submit(test->device, &part->request);
}

static void tell_problem(struct test *test, const struct part *part, const char *what)
{
	if (test->problems++ < PROBLEMS_SHOWN)
		printf("sectors %" PRIu64 " to %" PRIu64 ": %s\n", part->first,
		       part->first + part->count - 1, what);
}

/* A part that has come back. */
static void judge(struct test *test, const struct part *part)
{
	if (part->status) {
		tell_problem(test, part, strerror(-part->status));
		return;
	}
	if (test->operation != BLOCK_READ)
		return;
	test->checksum = gpt_crc32_more(test->checksum, part->data, part->count * BLOCK_SECTOR);
	if (test->verify && !is_filled(part))
		tell_problem(test, part, "what is there is not what was written");
}

static void tell_progress(struct test *test, uint64_t at)
{
	uint64_t now = clock_now();

	if (now - test->shown < PROGRESS_SECONDS * NSEC_PER_SEC)
		return;
	test->shown = now;
	printf("\r%s %3u %%\r", test->operation == BLOCK_WRITE ? "written" : "read   ",
	       (unsigned int)(at * 100 / test->sectors));
	fflush(stdout);
}

static void wait_for(struct test *test, const struct part *part)
{
	bool masked = events_save();

	while (!part->done)
		wait_on(&test->finished, 0);
	events_restore(masked);
}

/* All of it once. Parts are looked at in their order, so that the checksum is that of the whole. */
static void pass(struct test *test, enum block_operation operation)
{
	uint64_t next = 0, flying = 0, turn = 0;

	test->operation = operation;
	test->shown = clock_now();
	for (; next < test->sectors && flying < DEPTH; next += SECTORS)
		submit(test, &test->parts[flying++], next);
	for (; flying; turn = (turn + 1) % DEPTH) {
		struct part *part = &test->parts[turn];

		wait_for(test, part);
		judge(test, part);
		tell_progress(test, part->first + part->count);
		flying--;
		if (next < test->sectors) {
			submit(test, part, next);
			next += SECTORS;
			flying++;
		}
	}
}

static void run_test(struct test *test, bool destroy)
{
	uint64_t start = clock_now(), milliseconds;
	long error = 0;

	if (destroy) {
		pass(test, BLOCK_WRITE);
		error = block_flush(test->device);
		if (error) {
			test->problems++;
			printf("flush: %s\n", strerror((int)-error));
		}
		test->verify = true;
	}
	pass(test, BLOCK_READ);
	milliseconds = (clock_now() - start) / NSEC_PER_MSEC;
	printf("%s: %" PRIu64 " sectors %s in %" PRIu64 ".%03u s, CRC-32 %08" PRIx32 ", %" PRIu64
	       " problem%s\n",
	       test->device->name, test->sectors, destroy ? "written and read" : "read",
	       milliseconds / 1000, (unsigned int)(milliseconds % 1000), test->checksum,
	       test->problems, test->problems == 1 ? "" : "s");
}

static struct test *make_test(struct block_device *device, uint64_t sectors)
{
	struct test *test = calloc(1, sizeof(*test));

	if (!test)
		return NULL;
	test->device = device;
	test->sectors = sectors;
	for (unsigned int n = 0; n < DEPTH; n++) {
		test->parts[n].test = test;
		test->parts[n].data = pages_alloc(PAGES);
	}
	return test;
}

static bool has_memory(const struct test *test)
{
	for (unsigned int n = 0; test && n < DEPTH; n++)
		if (!test->parts[n].data)
			return false;
	return test;
}

static void free_test(struct test *test)
{
	for (unsigned int n = 0; test && n < DEPTH; n++)
		if (test->parts[n].data)
			pages_free(test->parts[n].data, PAGES);
	free(test);
}

/* 0, or 1 with the reason told. */
static int test_disk(const struct disk *disk, uint64_t sectors, bool destroy)
{
	enum block_access access = destroy ? BLOCK_OPEN_WRITE : BLOCK_OPEN_READ;
	struct test *test = NULL;
	long error = block_open(disk->device, access);
	int status = 1;

	if (error) {
		printf("disktest: %s: %s\n", disk->device->name, strerror((int)-error));
		return 1;
	}
	test = make_test(disk->device, sectors);
	if (has_memory(test)) {
		run_test(test, destroy);
		status = test->problems ? 1 : 0;
	} else {
		printf("disktest: out of memory\n");
	}
	free_test(test);
	block_close(disk->device, access);
	return status;
}

int run_disktest(int argc, char **argv)
{
	bool destroy = argc > 1 && strcmp(argv[1], "--destroy") == 0;
	const char *name = argv[destroy ? 2 : 1], *number = NULL, *problem;
	const struct disk *disk;
	uint64_t sectors;
	char *end = NULL;

	if (!name) {
		printf("disktest: which disk?\n");
		return 1;
	}
	disk = disk_find(name, &problem);
	if (!disk) {
		printf("disktest: %s: %s\n", name, problem);
		return 1;
	}
	sectors = disk->device->sectors;
	number = argv[destroy ? 3 : 2];
	if (number) {
		uint64_t unit = disk->device->logical_size / BLOCK_SECTOR;

		sectors = strtoull(number, &end, 10);
		if (*end || end == number || !sectors || sectors > disk->device->sectors ||
		    sectors % unit) {
			printf("disktest: '%s' is no number of sectors of %s, which has %" PRIu64
			       "\n",
			       number, disk->device->name, disk->device->sectors);
			return 1;
		}
	}
	if (!sectors) {
		printf("disktest: %s is empty\n", disk->device->name);
		return 1;
	}
	return test_disk(disk, sectors, destroy);
}
