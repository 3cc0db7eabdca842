/* SPDX-License-Identifier: MIT */
#include "block/source.h"
#include <stddef.h>
#include <public/errno.h>

static struct block_source_kind *kinds;

void block_source_add(struct block_source_kind *kind)
{
	struct block_source_kind **end = &kinds;

	while (*end)
		end = &(*end)->next;
	kind->next = NULL;
	*end = kind;
}

static const char *why_not(long error)
{
	switch (error) {
	case -XEN_EBUSY:
		return "the disk is in use";
	case -XEN_EROFS:
		return "the disk can only be read: say so (access ro)";
	case -XEN_EIO:
		return "the disk has failed or is gone";
	default:
		return "the disk cannot be opened";
	}
}

long block_source_open(struct block_source *source, const char *target, enum block_access access,
		       const char **why)
{
	const struct block_source_kind *kind = kinds;
	long error;

	while (kind && !kind->is(target))
		kind = kind->next;
	if (!kind) {
		*why = "there is no such disk or file";
		return -XEN_ENOENT;
	}
	*why = "the disk cannot be opened";
	*source = (struct block_source){.kind = kind, .access = access};
	error = kind->open(target, access == BLOCK_OPEN_READ, &source->device, why);
	if (error) {
		source->device = NULL;
		return error;
	}
	error = block_source_ready(source, why);
	if (error && error != -XEN_EAGAIN)
		block_source_close(source);
	return error;
}

long block_source_ready(struct block_source *source, const char **why)
{
	const struct block_source_kind *kind = source->kind;
	long error = kind->ready ? kind->ready(source->device, why) : 0;

	if (error)
		return error;
	error = block_open(source->device, source->access);
	if (error)
		*why = why_not(error);
	source->used = !error;
	return error;
}

void block_source_close(struct block_source *source)
{
	struct block_device *device = source->device;

	/* First: who lists disks must not look at one that is being freed. */
	source->device = NULL;
	if (source->used)
		block_close(device, source->access);
	if (source->kind->close)
		source->kind->close(device);
	source->used = false;
}
