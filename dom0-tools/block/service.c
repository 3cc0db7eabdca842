/* SPDX-License-Identifier: MIT */
#include "block/service.h"
#include "block/internal.h"
#include "control/control.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/event.h>
#include <public/errno.h>

struct xenbus_service block_service;

static struct xenbus_back *create(void)
{
	struct guest_disk *disk = calloc(1, sizeof(*disk));

	/* The bus is its first member. */
	/* cppcheck-suppress memleak */
	return disk ? &disk->bus : NULL;
}

static struct guest_disk *disk_of(struct xenbus_back *back)
{
	return (struct guest_disk *)back;
}

static void destroy(struct xenbus_back *back)
{
	free(back);
}

static long read_text(struct xenbus_back *back, const char *name, char *value, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", back->bus.own, name);
	return xs_read(back->bus.xs, 0, path, value, size);
}

static uint64_t read_number(struct xenbus_back *back, const char *name)
{
	uint64_t value;

	return xenbus_read_number(&back->bus, name, &value) ? 0 : value;
}

static enum block_access access_of(const char *mode)
{
	if (mode[0] != 'w')
		return BLOCK_OPEN_READ;
	return mode[1] == '!' ? BLOCK_OPEN_SHARED : BLOCK_OPEN_WRITE;
}

static void on_opening(struct block_listener *listener, struct block_device *device)
{
	xenbus_back_kick(listener->data);
}

static void stop_opening(struct guest_disk *disk)
{
	block_unlisten(disk->source.device, &disk->opening);
	block_source_close(&disk->source);
}

/* Open the source, or go on with that. */
static long open_source(struct guest_disk *disk, enum block_access access, const char **why)
{
	long error;

	if (disk->source.device) {
		error = block_source_ready(&disk->source, why);
		if (error && error != -XEN_EAGAIN)
			stop_opening(disk);
		else if (!error)
			block_unlisten(disk->source.device, &disk->opening);
		return error;
	}
	error = block_source_open(&disk->source, disk->target, access, why);
	if (error != -XEN_EAGAIN)
		return error;
	disk->opening.changed = on_opening;
	disk->opening.data = &disk->bus;
	block_listen(disk->source.device, &disk->opening);
	/* It may have been told before anybody listened. */
	xenbus_back_kick(&disk->bus);
	return error;
}

/* What the disk is: a tool may have taken it away and made another one while it was being opened. */
static long read_target(struct guest_disk *disk, const char **why)
{
	char target[sizeof(disk->target)], mode[sizeof(disk->mode)] = "";
	long error = read_text(&disk->bus, "params", target, sizeof(target));

	*why = "the store does not say what the disk is (params, mode)";
	if (error >= 0)
		error = read_text(&disk->bus, "mode", mode, sizeof(mode));
	if (disk->source.device &&
	    (error < 0 || strcmp(target, disk->target) != 0 || strcmp(mode, disk->mode) != 0))
		stop_opening(disk);
	if (error < 0)
		return error;
	memcpy(disk->target, target, sizeof(target));
	memcpy(disk->mode, mode, sizeof(mode));
	return 0;
}

static long open_disk(struct xenbus_back *back, const char **why)
{
	struct guest_disk *disk = disk_of(back);
	struct block_back_limits limits = {.bytes = read_number(back, "limit-bytes"),
					   .requests = read_number(back, "limit-requests")};
	char on_error[8] = "";
	enum block_access access;
	long error = read_target(disk, why);

	if (error)
		return error;
	access = access_of(disk->mode);
	error = open_source(disk, access, why);
	if (error)
		return error;
	read_text(back, "on-error", on_error, sizeof(on_error));
	disk->back.hold = !strcmp(on_error, "pause");
	disk->back.bus = back;
	disk->back.device = disk->source.device;
	disk->back.read_only = access == BLOCK_OPEN_READ;
	/* Unless the administrator has said no. */
	disk->back.discard = xenbus_read_number(&back->bus, "discard-enable", &(uint64_t){0}) ||
			     read_number(back, "discard-enable");
	error = block_back_open(&disk->back, why);
	if (error) {
		disk->back.device = NULL;
		block_source_close(&disk->source);
	} else {
		block_back_set_limits(&disk->back, &limits);
	}
	return error;
}

static void close_disk(struct xenbus_back *back)
{
	struct guest_disk *disk = disk_of(back);

	if (disk->paused)
		control_unpause(disk->bus.frontend);
	disk->paused = false;
	if (!disk->back.device) {
		stop_opening(disk);
		return;
	}
	block_back_close(&disk->back);
	disk->back.device = NULL;
	block_source_close(&disk->source);
}

static long connect_disk(struct xenbus_back *back, const char **why)
{
	return block_back_connect(&disk_of(back)->back, why);
}

static bool disconnect_disk(struct xenbus_back *back)
{
	return block_back_disconnect(&disk_of(back)->back);
}

/* The domain's other disks stand still with it, so that nothing of it is lost or out of order. */
static void pause_domain(struct guest_disk *disk)
{
	domid_t domid = disk->bus.frontend;

	if (control_pause(domid))
		return;
	disk->paused = true;
	printf(
	    "Domain %u is paused: its disk %u (%s) has failed; `block retry %u %u` tries again\n",
	    domid, disk->bus.device, disk->target, domid, disk->bus.device);
}

void block_service_retry(struct guest_disk *disk)
{
	bool paused = disk->paused;

	disk->paused = false;
	block_back_retry(&disk->back);
	if (paused)
		control_unpause(disk->bus.frontend);
}

static void update_disk(struct xenbus_back *back)
{
	struct guest_disk *disk = disk_of(back);

	block_back_update(&disk->back);
	if (disk->back.held && !disk->paused)
		pause_domain(disk);
}

static const struct xenbus_back_driver driver = {
    .type = "vbd",
    .create = create,
    .destroy = destroy,
    .open = open_disk,
    .connect = connect_disk,
    .disconnect = disconnect_disk,
    .close = close_disk,
    .update = update_disk,
};

long block_service_start(struct xs *xs)
{
	long error;

	if (!xs)
		return -XEN_ENOMEM;
	error = xs_dispatch_thread(xs, "disks-watch");
	return error ? error : xenbus_service_start(&block_service, xs, &driver);
}

long block_service_restart(void)
{
	struct xs *xs = block_service.xs;

	xenbus_service_stop(&block_service);
	memset(&block_service, 0, sizeof(block_service));
	return xenbus_service_start(&block_service, xs, &driver);
}
