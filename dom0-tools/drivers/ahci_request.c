/* SPDX-License-Identifier: MIT */
/* Block requests become commands of a port, and how those end. */
#include "drivers/ahci.h"
#include <guest/event.h>
#include <public/errno.h>

/*
 * Building
 */

uint32_t ahci_fill_regions(const struct pci_device *pci, const struct block_request *request,
			   struct transfer *t, uint32_t unit, bool wide,
			   struct ahci_region *regions, uint32_t *count)
{
	uint32_t bytes = 0;
	uint64_t end = 0;

	*count = 0;
	for (; t->segment < request->count; t->segment++) {
		const struct block_segment *s = &request->segments[t->segment];

		if (!transfer_segment_valid(s, unit) || (!wide && s->machine >> 32))
			return 0;
		if (*count && s->machine == end) {
			regions[*count - 1].length += s->length;
		} else if (*count == AHCI_REGIONS) {
			break;
		} else {
			regions[*count] =
			    (struct ahci_region){.address = dma_map(pci, s->machine, s->length),
						 .length = s->length - 1};
			++*count;
		}
		end = s->machine + s->length;
		bytes += s->length;
	}
	return bytes;
}

static bool is_transfer(const struct block_request *request)
{
	return request->operation == BLOCK_READ || request->operation == BLOCK_WRITE;
}

/* The next command of a request, into a slot. 0 or an error. */
static int build(struct ahci_port *port, unsigned int slot, struct block_request *request)
{
	struct ahci_slot *s = &port->slots[slot];
	struct transfer *t = transfer_of(request);
	unsigned int per_block = port->device.logical_size / BLOCK_SECTOR;
	uint64_t blocks = 0;

	*s = (struct ahci_slot){.request = request, .block = t->sector / per_block};
	if (is_transfer(request)) {
		blocks =
		    ahci_fill_regions(port->controller->pci, request, t, port->device.logical_size,
				      port->controller->capabilities & AHCI_CAP_64BIT,
				      port->tables[slot].regions, &s->regions) /
		    port->device.logical_size;
		if (!blocks || blocks * per_block > t->left)
			return -XEN_EINVAL;
		s->blocks = (uint32_t)blocks;
	} else if (request->operation == BLOCK_DISCARD) {
		blocks = t->left / per_block < ATA_TRIM_MAX ? t->left / per_block : ATA_TRIM_MAX;
		s->blocks = (uint32_t)blocks;
	}
	t->sector += blocks * per_block;
	t->left -= blocks * per_block;
	return 0;
}

/*
 * Sending
 */

/* Which command a slot's request is. */
static struct ata_command command_of(const struct ahci_port *port, unsigned int slot, bool queued)
{
	const struct ahci_slot *s = &port->slots[slot];
	struct ata_command command = {.queued = queued,
				      .tag = (uint8_t)slot,
				      .block = s->block,
				      .blocks = s->blocks,
				      .fua = s->request->fua};

	switch (s->request->operation) {
	case BLOCK_READ:
		command.code = queued ? ATA_READ_QUEUED : ATA_READ_DMA_EXT;
		break;
	case BLOCK_WRITE:
		command.code = queued	     ? ATA_WRITE_QUEUED
			       : command.fua ? ATA_WRITE_DMA_FUA
					     : ATA_WRITE_DMA_EXT;
		break;
	case BLOCK_FLUSH:
		command = (struct ata_command){.code = ATA_FLUSH_EXT};
		break;
	case BLOCK_DISCARD:
		command = (struct ata_command){
		    .code = ATA_DATASET, .features = ATA_DATASET_TRIM, .blocks = 1};
		break;
	}
	return command;
}

/* What is discarded is said in the page, which is free: this command is alone. */
static void fill_list(struct ahci_port *port, unsigned int slot)
{
	struct ahci_slot *s = &port->slots[slot];

	ata_fill_trim(port->page, s->block, s->blocks);
	port->tables[slot].regions[0] =
	    (struct ahci_region){.address = port->page_address, .length = ATA_SECTOR - 1};
	s->regions = 1;
}

static void send(struct ahci_port *port, unsigned int slot, bool queued)
{
	struct ahci_slot *s = &port->slots[slot];
	struct ata_command command = command_of(port, slot, queued);

	if (s->request->operation == BLOCK_DISCARD)
		fill_list(port, slot);
	ata_fill_fis(port->tables[slot].fis, &command);
	ahci_fill_header(port, slot, slot, s->request->operation != BLOCK_READ && s->regions,
			 s->regions);
	s->sent = clock_now();
	s->tries++;
	port->sent++;
	port->again &= ~(1u << slot);
	port->ready |= 1u << slot;
	port->alone = !queued;
}

static void ring(struct ahci_port *port)
{
	if (!port->ready)
		return;
	dma_write_barrier();
	if (!port->alone)
		ahci_write(port, AHCI_PORT_SACT, port->ready);
	ahci_write(port, AHCI_PORT_CI, port->ready);
	port->ready = 0;
}

/* Can the disk take a command of this kind now? */
static bool takes(const struct ahci_port *port, bool queued)
{
	return queued ? !port->alone : port->used == port->again;
}

static bool is_queued(const struct ahci_port *port, const struct block_request *request)
{
	return port->identity.queue && is_transfer(request) && !port->singly;
}

static void send_again(struct ahci_port *port)
{
	while (port->again) {
		unsigned int slot = (unsigned int)__builtin_ctz(port->again);
		bool queued = is_queued(port, port->slots[slot].request);

		if (!takes(port, queued))
			return;
		send(port, slot, queued);
	}
	if (!port->used)
		port->singly = false;
}

static void send_next(struct ahci_port *port, unsigned int slot, bool queued)
{
	struct block_request *request = port->requests.first;
	struct transfer *t = transfer_of(request);
	int error = build(port, slot, request);

	if (error) {
		port->slots[slot].request = NULL;
		transfer_refuse(&port->requests, error);
		return;
	}
	port->used |= 1u << slot;
	t->commands++;
	if (!t->left)
		transfer_given(&port->requests);
	send(port, slot, queued);
}

/* Slots that the port has and, for queued commands, tags that the disk has. */
static unsigned int slot_count(const struct ahci_port *port)
{
	unsigned int slots = AHCI_CAP_SLOTS(port->controller->capabilities);

	return port->identity.queue && port->identity.queue < slots ? port->identity.queue : slots;
}

void ahci_send_requests(struct ahci_port *port)
{
	unsigned int slots = slot_count(port);

	send_again(port);
	while (!port->again && !port->singly && port->requests.first && port->used != ~0u) {
		bool queued = is_queued(port, port->requests.first);
		unsigned int slot = (unsigned int)__builtin_ctz(~port->used);

		if (slot >= slots || !takes(port, queued))
			break;
		send_next(port, slot, queued);
	}
	ring(port);
}

/*
 * Ends
 */

void ahci_slot_end(struct ahci_port *port, unsigned int slot, int status)
{
	struct block_request *request = port->slots[slot].request;

	port->vain = 0;
	port->slots[slot].request = NULL;
	port->used &= ~(1u << slot);
	port->again &= ~(1u << slot);
	transfer_command_ended(&port->requests, request, status);
}

void ahci_requests_fail(struct ahci_port *port)
{
	while (port->requests.first)
		transfer_refuse(&port->requests, -XEN_EIO);
}

/* A queued command has ended when both bits are clear, another one when that of PxCI is; its other one was never set. */
static void take_ended(struct ahci_port *port)
{
	uint32_t has = ahci_read(port, AHCI_PORT_SACT) | ahci_read(port, AHCI_PORT_CI);
	uint32_t ended = port->used & ~port->again & ~port->ready & ~has;

	dma_read_barrier();
	while (ended) {
		unsigned int slot = (unsigned int)__builtin_ctz(ended);

		ended &= ended - 1;
		port->alone = false;
		port->timeouts = 0;
		ahci_slot_end(port, slot, 0);
	}
}

/* What the port has to say. Every change of the link may be another disk: nothing is sent until that is known. */
static void look(struct ahci_port *port)
{
	uint32_t interrupts = ahci_read(port, AHCI_PORT_IS);
	uint32_t errors = interrupts & (AHCI_INTERRUPT_TASK | AHCI_INTERRUPT_BUS);

	ahci_write(port, AHCI_PORT_IS, interrupts);
	/* Of queued commands only those that went well have ended; of the others there was one, and it did not. */
	if (!errors || !port->alone)
		take_ended(port);
	if (errors || (interrupts & AHCI_INTERRUPT_LINK)) {
		port->error_interrupts = interrupts;
		port->error_task = ahci_read(port, AHCI_PORT_TFD);
		port->state = AHCI_RECOVERING;
		ahci_write(port, AHCI_PORT_IE, 0);
		ahci_call_thread(port);
	}
}

static void send_requests(struct ahci_port *port)
{
	if (port->busy || port->state != AHCI_LIVE)
		return;
	port->busy = true;
	ahci_send_requests(port);
	port->busy = false;
	if (!port->watched && port->used) {
		port->watched = true;
		ahci_call_thread(port);
	}
}

void ahci_serve(struct ahci_port *port)
{
	if (port->state != AHCI_LIVE)
		return;
	port->busy = true;
	block_batch_begin();
	look(port);
	block_batch_end();
	port->busy = false;
	send_requests(port);
}

static void submit(struct block_device *device, struct block_request *request)
{
	struct ahci_port *port = device->driver;

	if (port->state == AHCI_DEAD)
		block_done(request, -XEN_EIO);
	else if (request->operation == BLOCK_FLUSH && !port->identity.write_cache)
		block_done(request, 0);
	else
		transfer_queue(&port->requests, device, request);
}

static void kick(struct block_device *device)
{
	send_requests(device->driver);
}

const struct block_operations ahci_operations = {.submit = submit, .kick = kick};
