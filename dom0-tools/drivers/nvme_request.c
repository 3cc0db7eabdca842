/* SPDX-License-Identifier: MIT */
/*
 * Block requests become commands. A command names its memory by pages (PRPs, [4.3]): the first may begin anywhere in its
 * page, all others are whole pages, but for the end of the last. Where the request's segments are not like that the command
 * ends, and another one carries on; a segment is a multiple of the namespace's blocks, so that is always possible.
 */
#include "drivers/nvme.h"
#include <guest/event.h>
#include <public/errno.h>

uint32_t nvme_fill_pages(const struct pci_device *pci, const struct block_request *request,
			 struct transfer *t, uint32_t unit, uint32_t max_bytes, uint64_t *first,
			 uint64_t *list, unsigned int *count)
{
	uint32_t bytes = 0;
	uint64_t end = 0;

	for (*count = 0; t->segment < request->count && bytes < max_bytes;) {
		const struct block_segment *s = &request->segments[t->segment];
		uint64_t address = s->machine + t->offset;
		uint32_t length = s->length - t->offset;

		if (!transfer_segment_valid(s, unit))
			return 0;
		if (length > max_bytes - bytes)
			length = max_bytes - bytes;
		if (!*count) {
			*first = dma_map(pci, address, length);
			++*count;
		} else if (end % NVME_PAGE == 0 && address % NVME_PAGE == 0) {
			if (*count > NVME_LIST_PAGES)
				break;
			list[*count - 1] = dma_map(pci, address, length);
			++*count;
		} else if (address != end) {
			break;
		}
		end = address + length;
		bytes += length;
		t->offset += length;
		if (t->offset == s->length) {
			t->segment++;
			t->offset = 0;
		}
	}
	return bytes;
}

static uint64_t *list_of(const struct nvme *c, const struct nvme_slot *slot, uint64_t *address)
{
	uint64_t at = (uint64_t)(slot - c->io.slots) * NVME_LIST_PAGES;

	*address = c->lists_address + at * sizeof(*c->lists);
	return c->lists + at;
}

/* The functions below build the next command of a request in a slot and return 0 or an error. */

static int build_transfer(struct nvme *c, struct nvme_slot *slot, struct block_request *request)
{
	struct transfer *t = transfer_of(request);
	const struct nvme_namespace *n = t->device->driver;
	struct nvme_command *command = &slot->command;
	uint64_t list_address, *list = list_of(c, slot, &list_address);
	uint64_t block = t->sector >> (n->shift - 9);
	unsigned int count;
	uint32_t bytes, blocks;

	bytes = nvme_fill_pages(c->pci, request, t, 1u << n->shift, c->identity.max_bytes,
				&command->prp1, list, &count);
	blocks = bytes >> n->shift;
	if (!blocks || bytes / BLOCK_SECTOR > t->left)
		return -XEN_EINVAL;
	command->prp2 = count < 2 ? 0 : count == 2 ? list[0] : list_address;
	command->opcode = request->operation == BLOCK_WRITE ? NVME_WRITE : NVME_READ;
	command->cdw10 = (uint32_t)block;
	command->cdw11 = (uint32_t)(block >> 32);
	command->cdw12 = (blocks - 1) | (request->fua ? NVME_FUA : 0);
	t->sector += bytes / BLOCK_SECTOR;
	t->left -= bytes / BLOCK_SECTOR;
	return 0;
}

/* One range; a request of more blocks than fit into 32 bits takes several commands. */
static int build_discard(struct nvme *c, struct nvme_slot *slot, struct block_request *request)
{
	struct transfer *t = transfer_of(request);
	const struct nvme_namespace *n = t->device->driver;
	uint64_t list_address, blocks = t->left >> (n->shift - 9);
	struct nvme_range *range = (struct nvme_range *)list_of(c, slot, &list_address);

	if (blocks > UINT32_MAX)
		blocks = UINT32_MAX;
	*range =
	    (struct nvme_range){.blocks = (uint32_t)blocks, .first = t->sector >> (n->shift - 9)};
	slot->command.opcode = NVME_DATASET;
	slot->command.prp1 = list_address;
	slot->command.cdw11 = NVME_DATASET_DEALLOCATE;
	t->sector += blocks << (n->shift - 9);
	t->left -= blocks << (n->shift - 9);
	return 0;
}

static int build(struct nvme *c, struct nvme_slot *slot, struct block_request *request)
{
	const struct nvme_namespace *n = transfer_of(request)->device->driver;

	slot->command.nsid = n->id;
	switch (request->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		return build_transfer(c, slot, request);
	case BLOCK_DISCARD:
		return build_discard(c, slot, request);
	case BLOCK_FLUSH:
		slot->command.opcode = NVME_FLUSH;
		return 0;
	}
	return -XEN_EINVAL;
}

/* The next command of the first request. */
static void send_next(struct nvme *c, struct nvme_slot *slot)
{
	struct block_request *request = c->requests.first;
	struct transfer *t = transfer_of(request);
	int error = build(c, slot, request);

	if (error) {
		nvme_slot_free(&c->io, slot);
		transfer_refuse(&c->requests, error);
		return;
	}
	slot->request = request;
	t->commands++;
	if (!t->left)
		transfer_given(&c->requests);
	c->sent++;
	nvme_queue_send(&c->io, slot);
}

void nvme_send_requests(struct nvme *c)
{
	struct nvme_slot *slot;

	while (c->requests.first && (slot = nvme_slot_take(&c->io)) != NULL)
		send_next(c, slot);
	nvme_queue_ring(c, &c->io);
}

static int error_of(unsigned int status)
{
	switch (status) {
	case NVME_SUCCESS:
		return 0;
	case NVME_INVALID_OPCODE:
		return -XEN_EOPNOTSUPP;
	case NVME_WRITE_PROTECTED:
	case NVME_WRITE_TO_READ_ONLY:
		return -XEN_EROFS;
	case NVME_CAPACITY_EXCEEDED:
		return -XEN_ENOSPC;
	default:
		return -XEN_EIO;
	}
}

/* The controller asks for another try. What the medium cannot do it has tried itself. */
static bool is_passing(unsigned int status)
{
	return status == NVME_ABORTED_BY_REQUEST || status == NVME_INTERRUPTED ||
	       status == NVME_NOT_READY;
}

void nvme_request_completed(struct nvme *c, struct nvme_slot *slot, uint16_t status)
{
	struct block_request *request = slot->request;
	unsigned int code = NVME_STATUS(status);

	if (code == NVME_SUCCESS)
		c->resets = 0;
	else if (is_passing(code) && !(status & NVME_DNR) && slot->tries < NVME_TRIES) {
		nvme_queue_send(&c->io, slot);
		return;
	}
	nvme_slot_free(&c->io, slot);
	transfer_command_ended(&c->requests, request, error_of(code));
}

void nvme_slot_fail(struct nvme *c, struct nvme_slot *slot)
{
	struct block_request *request = slot->request;

	nvme_slot_free(&c->io, slot);
	transfer_command_ended(&c->requests, request, -XEN_EIO);
}

void nvme_requests_fail(struct nvme *c)
{
	while (c->requests.first)
		transfer_refuse(&c->requests, -XEN_EIO);
}
