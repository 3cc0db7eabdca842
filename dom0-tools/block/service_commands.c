/* SPDX-License-Identifier: MIT */
/* `block`: guests' disks as dom0 serves them. */
#include "block/internal.h"
#include "block/service.h"
#include "xl/json.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A copy: the list changes when domains come and go. */
struct row {
	unsigned int domid, device, queues, in_flight, held;
	enum xenbus_back_phase phase;
	char target[64], kind[16], name[BLOCK_NAME];
	bool read_only;
	uint64_t sectors;
	struct block_back_counters counters;
	struct block_back_limits limits;
};

struct rows {
	struct row *rows;
	unsigned int room, count;
};

static void copy_text(char *to, size_t size, const char *from)
{
	size_t length = strlen(from);

	if (length > size - 1)
		length = size - 1;
	memcpy(to, from, length);
	to[length] = 0;
}

static bool add_row(struct xenbus_back *back, void *data)
{
	const struct guest_disk *disk = (const struct guest_disk *)back;
	struct rows *rows = data;
	struct row *row;

	if (rows->count++ >= rows->room)
		return true;
	row = &rows->rows[rows->count - 1];
	row->domid = back->frontend;
	row->device = back->device;
	row->phase = back->phase;
	row->queues = disk->back.queues;
	row->in_flight = disk->back.in_flight;
	row->held = disk->back.held;
	row->read_only = disk->back.read_only;
	row->counters = disk->back.counters;
	row->limits = disk->back.limits;
	copy_text(row->target, sizeof(row->target), disk->target);
	if (disk->source.device) {
		copy_text(row->kind, sizeof(row->kind), disk->source.kind->name);
		copy_text(row->name, sizeof(row->name), disk->source.device->name);
		row->sectors = disk->source.device->sectors;
	}
	return true;
}

/* False without memory. */
static bool read_rows(struct rows *rows)
{
	rows->room = 0;
	rows->rows = NULL;
	do {
		rows->room = rows->room ? 2 * rows->room : 16;
		free(rows->rows);
		rows->rows = calloc(rows->room, sizeof(*rows->rows));
		if (!rows->rows) {
			printf("block: out of memory\n");
			return false;
		}
		rows->count = 0;
		xenbus_service_each(&block_service, add_row, rows);
	} while (rows->count > rows->room);
	return true;
}

static const char *phase_name(enum xenbus_back_phase phase)
{
	static const char *const names[] = {
	    [XENBUS_BACK_NEW] = "new",
	    [XENBUS_BACK_WAITING] = "waiting",
	    [XENBUS_BACK_CONNECTED] = "connected",
	    [XENBUS_BACK_LEAVING] = "leaving",
	    [XENBUS_BACK_CLOSED] = "closed",
	    [XENBUS_BACK_FAILED] = "failed",
	};

	return names[phase];
}

static void show_table(const struct rows *rows)
{
	printf("%5s %6s %-9s %-24s %4s %9s %9s %8s %11s %11s %7s %7s\n", "Domid", "Vdev", "State",
	       "Target", "Mode", "Reads", "Writes", "Flushes", "Read KiB", "Written KiB", "Errors",
	       "Refused");
	for (unsigned int i = 0; i < rows->count; i++) {
		const struct row *row = &rows->rows[i];
		const struct block_back_counters *c = &row->counters;

		printf("%5u %6u %-9s %-24s %4s %9" PRIu64 " %9" PRIu64 " %8" PRIu64 " %11" PRIu64
		       " %11" PRIu64 " %7" PRIu64 " %7" PRIu64 "\n",
		       row->domid, row->device, phase_name(row->phase), row->target,
		       row->read_only ? "r" : "w", c->reads, c->writes, c->flushes,
		       c->read_sectors / 2, c->written_sectors / 2, c->errors, c->refused);
	}
}

static void write_row(struct json *json, const struct row *row)
{
	const struct block_back_counters *c = &row->counters;

	json_object(json, NULL);
	json_unsigned(json, "domid", row->domid);
	json_unsigned(json, "vdev", row->device);
	json_string(json, "state", phase_name(row->phase));
	json_string(json, "target", row->target);
	json_string(json, "kind", row->kind);
	json_string(json, "device", row->name);
	json_unsigned(json, "sectors", row->sectors);
	json_boolean(json, "read_only", row->read_only);
	json_unsigned(json, "queues", row->queues);
	json_unsigned(json, "in_flight", row->in_flight);
	json_unsigned(json, "held", row->held);
	json_unsigned(json, "limit_bytes", row->limits.bytes);
	json_unsigned(json, "limit_requests", row->limits.requests);
	json_unsigned(json, "reads", c->reads);
	json_unsigned(json, "writes", c->writes);
	json_unsigned(json, "flushes", c->flushes);
	json_unsigned(json, "discards", c->discards);
	json_unsigned(json, "read_sectors", c->read_sectors);
	json_unsigned(json, "written_sectors", c->written_sectors);
	json_unsigned(json, "errors", c->errors);
	json_unsigned(json, "refused", c->refused);
	json_unsigned(json, "throttled", c->throttled);
	json_unsigned(json, "notified", c->notified);
	json_end(json);
}

static void show_json(const struct rows *rows)
{
	struct json json;

	json_start(&json, stdout);
	json_array(&json, NULL);
	for (unsigned int i = 0; i < rows->count; i++)
		write_row(&json, &rows->rows[i]);
	json_end(&json);
}

static int run_list(int argc, char **argv)
{
	bool json = argc > 0 && !strcmp(argv[0], "--json");
	struct rows rows;

	if (argc > (json ? 1 : 0)) {
		printf("block list: there is no option '%s'\n", argv[json ? 1 : 0]);
		return 1;
	}
	if (!read_rows(&rows))
		return 1;
	if (json)
		show_json(&rows);
	else
		show_table(&rows);
	free(rows.rows);
	return 0;
}

struct new_limits {
	unsigned long domid, device;
	bool has_bytes, has_requests, found;
	struct block_back_limits limits;
	char own[XENBUS_PATH];
};

static bool set_limits(struct xenbus_back *back, void *data)
{
	struct guest_disk *disk = (struct guest_disk *)back;
	struct new_limits *new = data;

	if (back->frontend != new->domid || back->device != new->device)
		return true;
	if (!new->has_bytes)
		new->limits.bytes = disk->back.limits.bytes;
	if (!new->has_requests)
		new->limits.requests = disk->back.limits.requests;
	block_back_set_limits(&disk->back, &new->limits);
	new->found = true;
	memcpy(new->own, back->bus.own, sizeof(new->own));
	return false;
}

static bool read_unsigned(const char *text, unsigned long *number)
{
	char *end;

	*number = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end;
}

/* A rate, with K, M or G (of 1024) behind it. */
static bool read_rate(const char *text, uint64_t *rate)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	unsigned int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

	if (*text < '0' || *text > '9' || number > UINT64_MAX >> 31)
		return false;
	*rate = (uint64_t)number << shift;
	return !end[shift != 0];
}

/* So that they hold for a service that is started anew. */
static void keep_limits(const struct new_limits *new)
{
	char path[XENBUS_PATH + 16];

	snprintf(path, sizeof(path), "%s/limit-bytes", new->own);
	xs_printf(block_service.xs, 0, path, "%" PRIu64, new->limits.bytes);
	snprintf(path, sizeof(path), "%s/limit-requests", new->own);
	xs_printf(block_service.xs, 0, path, "%" PRIu64, new->limits.requests);
}

static int run_limit(int argc, char **argv)
{
	struct new_limits new = {.found = false};
	bool good =
	    argc >= 3 && read_unsigned(argv[0], &new.domid) && read_unsigned(argv[1], &new.device);

	for (int i = 2; good && i < argc; i++) {
		if (!strncmp(argv[i], "bytes=", 6))
			good = new.has_bytes = read_rate(argv[i] + 6, &new.limits.bytes);
		else if (!strncmp(argv[i], "requests=", 9))
			good = new.has_requests = read_rate(argv[i] + 9, &new.limits.requests);
		else
			good = false;
	}
	if (!good) {
		printf(
		    "block limit: say which domain and device (numbers, as `block list` shows them) "
		    "and bytes=N or requests=N a second; 0 is no limit\n");
		return 1;
	}
	xenbus_service_each(&block_service, set_limits, &new);
	if (!new.found) {
		printf("block limit: domain %lu has no disk %lu\n", new.domid, new.device);
		return 1;
	}
	keep_limits(&new);
	return 0;
}

struct which {
	unsigned long domid, device;
	bool found;
};

static bool retry(struct xenbus_back *back, void *data)
{
	struct which *which = data;

	if (back->frontend != which->domid || back->device != which->device)
		return true;
	block_service_retry((struct guest_disk *)back);
	which->found = true;
	return false;
}

static int run_retry(int argc, char **argv)
{
	struct which which = {.found = false};

	if (argc != 2 || !read_unsigned(argv[0], &which.domid) ||
	    !read_unsigned(argv[1], &which.device)) {
		printf("block retry: say which domain and device (numbers, as `block list` shows "
		       "them)\n");
		return 1;
	}
	xenbus_service_each(&block_service, retry, &which);
	if (!which.found)
		printf("block retry: domain %lu has no disk %lu\n", which.domid, which.device);
	return !which.found;
}

static int run_restart(int argc, char **argv)
{
	long error = block_service_restart();

	if (error)
		printf("block restart: error %ld\n", error);
	return error != 0;
}

int run_block(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "list"))
		return run_list(argc > 2 ? argc - 2 : 0, argv + 2);
	if (!strcmp(argv[1], "limit"))
		return run_limit(argc - 2, argv + 2);
	if (!strcmp(argv[1], "retry"))
		return run_retry(argc - 2, argv + 2);
	if (!strcmp(argv[1], "restart") && argc == 2)
		return run_restart(argc, argv);
	printf("block: there is no '%s'; see `help block`\n", argv[1]);
	return 1;
}
