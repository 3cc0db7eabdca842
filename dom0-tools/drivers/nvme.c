/* SPDX-License-Identifier: MIT */
/* The life of an NVMe controller: found, started, watched, reset, given up. */
#include "drivers/nvme.h"
#include "block/registry.h"
#include "drivers/registers.h"
#include <guest/clock.h>
#include <guest/event.h>
#include <public/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHUTDOWN_TIMEOUT (5 * NSEC_PER_SEC)

/* Doorbells further apart than this do not lie in the page that is mapped for them. */
#define MAX_STRIDE 1024
#define REGISTERS  (NVME_DOORBELLS + 4 * MAX_STRIDE)

/*
 * Start and stop [3.5, 7.6]
 */

static uint32_t status(const struct nvme *c)
{
	return register_read32(c->registers, NVME_CSTS);
}

/* Wait for CSTS.RDY to become what it should. 0 or -XEN_EIO. */
static long wait_ready(const struct nvme *c, bool ready)
{
	uint64_t deadline = clock_now() + (NVME_CAP_TO(c->capabilities) + 1) * 500 * NSEC_PER_MSEC;

	for (;;) {
		uint32_t now = status(c);

		if (now == NVME_GONE || (ready && (now & NVME_CSTS_CFS)))
			return -XEN_EIO;
		if (ready == (now & NVME_CSTS_RDY))
			return 0;
		if (clock_now() > deadline)
			return -XEN_EIO;
		thread_sleep(NSEC_PER_MSEC);
	}
}

/* Nothing is sent or believed from now on. */
static void close_queues(struct nvme *c, int state)
{
	bool masked = events_save();

	c->state = state;
	c->admin.live = c->io.live = false;
	events_restore(masked);
}

/* After this the controller uses no memory. */
static long disable(struct nvme *c)
{
	uint32_t configuration = register_read32(c->registers, NVME_CC);

	/* Not to be cleared while it has not come to what was set [3.1.5]. */
	if ((configuration & NVME_CC_EN) && !(status(c) & (NVME_CSTS_RDY | NVME_CSTS_CFS)))
		wait_ready(c, true);
	configuration &= ~(NVME_CC_EN | NVME_CC_SHN);
	register_write32(c->registers, NVME_CC, configuration);
	return wait_ready(c, false);
}

/* With nothing under way on the administration queue any more; what was on the other one is kept. */
static long enable(struct nvme *c)
{
	uint32_t size = c->admin.depth - 1u;
	long error;
	bool masked = events_save();

	nvme_queue_clear(&c->admin);
	nvme_queue_clear(&c->io);
	c->admin.free = ~0ul;
	c->event_sent = false;
	events_restore(masked);
	register_write32(c->registers, NVME_AQA, size << 16 | size);
	register_write64(c->registers, NVME_ASQ, c->admin.commands_address);
	register_write64(c->registers, NVME_ACQ, c->admin.completions_address);
	register_write32(c->registers, NVME_CC, NVME_CC_IOSQES | NVME_CC_IOCQES | NVME_CC_EN);
	error = wait_ready(c, true);
	if (!error)
		c->admin.live = true;
	return error;
}

/* Both queues work again: send what the controller had when it was reset, unless it has been tried often enough. */
static void resume(struct nvme *c)
{
	bool masked = events_save();

	c->busy = true;
	c->state = NVME_LIVE;
	c->io.live = true;
	for (unsigned int i = 0; i < NVME_SLOTS; i++) {
		if (!nvme_slot_used(&c->io, i))
			continue;
		if (c->io.slots[i].tries < NVME_TRIES)
			nvme_queue_send(&c->io, &c->io.slots[i]);
		else
			nvme_slot_fail(c, &c->io.slots[i]);
	}
	nvme_send_requests(c);
	c->busy = false;
	events_restore(masked);
	nvme_events_start(c);
}

/* The controller does not work, or is gone. Whatever it still does, it does not get at memory any more. */
static void give_up(struct nvme *c)
{
	bool masked;

	printf("%s: gives no sign of life: its disks are gone\n", c->name);
	pci_bus_master(c->pci, false);
	close_queues(c, NVME_DEAD);
	for (unsigned int i = 0; i < NVME_NAMESPACES; i++) {
		if (c->namespaces[i].id)
			block_gone(&c->namespaces[i].device);
	}
	masked = events_save();
	c->busy = true;
	for (unsigned int i = 0; i < NVME_SLOTS; i++) {
		if (nvme_slot_used(&c->io, i))
			nvme_slot_fail(c, &c->io.slots[i]);
	}
	nvme_requests_fail(c);
	c->busy = false;
	events_restore(masked);
}

static void reset(struct nvme *c)
{
	printf("%s: is reset\n", c->name);
	do {
		close_queues(c, NVME_RESETTING);
		if (++c->resets > NVME_RESETS || disable(c)) {
			give_up(c);
			return;
		}
	} while (enable(c) || nvme_create_io_queue(c));
	resume(c);
}

/*
 * Completions and the watch over them
 */

void nvme_completed(struct nvme *c, struct nvme_queue *q, struct nvme_slot *slot, uint16_t field,
		    uint32_t result)
{
	struct nvme_call *call = slot->call;

	if (q == &c->io) {
		nvme_request_completed(c, slot, field);
		return;
	}
	nvme_slot_free(q, slot);
	if (!call)
		return;
	call->result = result;
	call->status = field;
	call->done = true;
	if (call == &c->event)
		nvme_call_thread(c);
	else
		wake_all(&c->call_wait);
}

void nvme_call_thread(struct nvme *c)
{
	c->attention = true;
	wake_all(&c->thread_wait);
	wake_all(&c->call_wait);
}

static void send_requests(struct nvme *c)
{
	if (c->busy || c->state != NVME_LIVE)
		return;
	c->busy = true;
	nvme_send_requests(c);
	c->busy = false;
	if (!c->watched && !nvme_queue_idle(&c->io)) {
		c->watched = true;
		nvme_call_thread(c);
	}
}

static bool on_interrupt(void *data)
{
	struct nvme *c = data;
	bool any;

	c->busy = true;
	block_batch_begin();
	any = nvme_queue_serve(c, &c->admin);
	any |= nvme_queue_serve(c, &c->io);
	block_batch_end();
	c->busy = false;
	send_requests(c);
	return any;
}

/* The id of a command that has taken too long and was not aborted yet, or -1. */
static int find_overdue(const struct nvme *c, uint64_t now)
{
	for (unsigned int i = 0; i < NVME_SLOTS; i++) {
		const struct nvme_slot *slot = &c->io.slots[i];

		if (nvme_slot_used(&c->io, i) && !slot->aborted && now - slot->sent > disk_timeout)
			return (int)i;
	}
	return -1;
}

static bool abort_failed(const struct nvme *c, uint64_t now)
{
	for (unsigned int i = 0; i < NVME_SLOTS; i++) {
		const struct nvme_slot *slot = &c->io.slots[i];

		if (nvme_slot_used(&c->io, i) && slot->aborted &&
		    now - slot->aborted > NVME_ABORT_TIMEOUT)
			return true;
	}
	return false;
}

/* Ask for an end of what takes too long. */
static void abort_overdue(struct nvme *c)
{
	for (unsigned int i = 0; i < NVME_SLOTS && !c->admin.broken; i++) {
		bool masked = events_save();
		int slot = find_overdue(c, clock_now());
		uint16_t id = 0;

		if (slot >= 0) {
			c->io.slots[slot].aborted = clock_now();
			id = c->io.slots[slot].command.cid;
		}
		events_restore(masked);
		if (slot < 0)
			return;
		if (!i)
			printf("%s: a command takes too long; it is aborted\n", c->name);
		nvme_abort(c, id);
	}
}

static bool must_reset(struct nvme *c)
{
	bool masked = events_save(), overdue = abort_failed(c, clock_now());
	uint32_t now = status(c);

	events_restore(masked);
	return overdue || c->admin.broken || c->io.broken || now == NVME_GONE ||
	       (now & NVME_CSTS_CFS);
}

/* Is there something to watch over? Otherwise the next request calls the thread. */
static bool goes_on(struct nvme *c)
{
	bool masked = events_save();
	bool more = !nvme_queue_idle(&c->io) || c->sent != c->sent_seen;

	c->sent_seen = c->sent;
	c->watched = more;
	events_restore(masked);
	return more;
}

uint64_t nvme_watch(struct nvme *c)
{
	uint64_t event, next;
	bool masked = events_save();

	c->attention = false;
	/* Interrupts may get lost, or leave something to do. */
	on_interrupt(c);
	events_restore(masked);
	if (c->state == NVME_DEAD)
		return 0;
	event = nvme_events_handle(c);
	abort_overdue(c);
	if (must_reset(c))
		reset(c);
	next = goes_on(c) ? clock_now() + NVME_WATCH : 0;
	return next && (!event || next < event) ? next : event;
}

static void watch(void *data)
{
	struct nvme *c = data;

	while (c->state != NVME_DEAD) {
		uint64_t next = nvme_watch(c);
		bool masked = events_save();

		while (!c->attention && c->state != NVME_DEAD && wait_on(&c->thread_wait, next))
			;
		events_restore(masked);
	}
}

/*
 * Namespaces
 */

static void submit(struct block_device *device, struct block_request *request)
{
	struct nvme *c = ((struct nvme_namespace *)device->driver)->controller;

	if (c->state == NVME_DEAD)
		block_done(request, -XEN_EIO);
	else if (request->operation == BLOCK_FLUSH && !c->identity.write_cache)
		block_done(request, 0);
	else
		transfer_queue(&c->requests, device, request);
}

static void kick(struct block_device *device)
{
	send_requests(((struct nvme_namespace *)device->driver)->controller);
}

static const struct block_operations operations = {.submit = submit, .kick = kick};

static struct nvme_namespace *find_namespace(struct nvme *c, uint32_t id)
{
	for (unsigned int i = 0; i < NVME_NAMESPACES; i++) {
		if (c->namespaces[i].id == id)
			return &c->namespaces[i];
	}
	return NULL;
}

static void add_namespace(struct nvme *c, uint32_t id, const struct nvme_format *format)
{
	struct nvme_namespace *n = find_namespace(c, 0);
	uint32_t size = 1u << format->shift;

	if (!n || c->found) {
		printf("%s: namespace %u is not used: %s\n", c->name, (unsigned int)id,
		       n ? "it came later, restart to use it" : "there are too many");
		return;
	}
	*n = (struct nvme_namespace){.controller = c, .id = id, .shift = format->shift};
	n->device = (struct block_device){.operations = &operations,
					  .sectors = format->sectors,
					  .logical_size = size,
					  .physical_size = size,
					  .max_segments = BLOCK_MAX_SEGMENTS,
					  .discard_granularity = c->identity.dataset ? size : 0,
					  .flags = BLOCK_FUA | BLOCK_DMA |
						   (format->read_only ? BLOCK_READ_ONLY : 0),
					  .driver = n};
}

static void change_namespace(struct nvme *c, struct nvme_namespace *n,
			     const struct nvme_format *format)
{
	if (n->device.gone || format->sectors == n->device.sectors)
		return;
	printf("%s: %s has now %llu sectors\n", c->name, n->device.name,
	       (unsigned long long)format->sectors);
	if (format->sectors && format->shift == n->shift)
		block_changed(&n->device, format->sectors);
	else
		block_gone(&n->device);
}

void nvme_namespace_update(struct nvme *c, uint32_t id)
{
	struct nvme_namespace *n = find_namespace(c, id);
	struct nvme_format format;
	const char *problem;

	if (nvme_identify(c, NVME_IDENTIFY_NAMESPACE, id))
		return;
	problem = nvme_parse_namespace(c->page, &format);
	if (problem)
		printf("%s: namespace %u cannot be used: %s\n", c->name, (unsigned int)id, problem);
	if (n)
		change_namespace(c, n, &format);
	else if (format.sectors && !problem)
		add_namespace(c, id, &format);
}

/* With the thread running: it looks after the first commands, too. */
static void register_namespaces(struct nvme *c)
{
	for (unsigned int i = 0; i < NVME_NAMESPACES; i++) {
		struct disk facts = {.driver = "nvme"};
		struct nvme_namespace *n = &c->namespaces[i];

		if (!n->id)
			continue;
		snprintf(facts.place, sizeof(facts.place), "%s", c->pci->address);
		snprintf(facts.model, sizeof(facts.model), "%s", c->identity.model);
		snprintf(facts.serial, sizeof(facts.serial), "%s", c->identity.serial);
		if (disk_register(&n->device, &facts))
			disk_note_use(c->used_as, sizeof(c->used_as), n->device.name);
	}
}

/* The list came with version 1.1; before that they are numbered from 1. */
static void find_namespaces(struct nvme *c)
{
	uint32_t ids[NVME_NAMESPACES + 1] = {0};

	if (!nvme_identify(c, NVME_IDENTIFY_ACTIVE, 0)) {
		memcpy(ids, c->page, sizeof(ids));
	} else {
		for (uint32_t i = 0; i <= NVME_NAMESPACES && i < c->identity.namespaces; i++)
			ids[i] = i + 1;
	}
	for (unsigned int i = 0; i <= NVME_NAMESPACES && ids[i]; i++)
		nvme_namespace_update(c, ids[i]);
}

/*
 * Found
 */

static const char *check_capabilities(const struct nvme *c)
{
	uint64_t cap = c->capabilities;

	if (cap == ~0ul)
		return "it does not answer";
	if (!(NVME_CAP_CSS(cap) & 1))
		return "it lacks the NVM command set";
	if (NVME_CAP_MPSMIN(cap))
		return "its pages are larger than 4096 bytes";
	if (!NVME_CAP_MQES(cap) || c->stride > MAX_STRIDE)
		return "its queues are out of the ordinary";
	return NULL;
}

static long make(struct nvme *c)
{
	uint32_t most = NVME_CAP_MQES(c->capabilities) + 1;
	uint16_t depth = (uint16_t)(most < NVME_DEPTH ? most : NVME_DEPTH);
	long error = nvme_queue_make(c, &c->admin, 0, depth);

	if (!error)
		error = nvme_queue_make(c, &c->io, 1, depth);
	c->page = dma_alloc(c->pci, NVME_PAGE, &c->page_address);
	c->lists =
	    dma_alloc(c->pci, NVME_SLOTS * NVME_LIST_PAGES * sizeof(*c->lists), &c->lists_address);
	return c->page && c->lists ? error : -XEN_ENOMEM;
}

static long start(struct nvme *c)
{
	long error = disable(c);

	if (error)
		return error;
	pci_bus_master(c->pci, true);
	error = enable(c);
	if (!error)
		error = nvme_identify(c, NVME_IDENTIFY_CONTROLLER, 0);
	if (!error && !nvme_parse_controller(c->page, &c->identity))
		error = -XEN_EIO;
	if (!error)
		error = nvme_create_io_queue(c);
	return error;
}

static void free_queue(struct nvme *c, struct nvme_queue *q)
{
	if (q->commands)
		dma_free(c->pci, q->commands, NVME_DEPTH * sizeof(*q->commands));
	if (q->completions)
		dma_free(c->pci, (void *)(uintptr_t)q->completions, NVME_PAGE);
}

/* Nothing of it was shown to anybody. */
static void destroy(struct nvme *c)
{
	pci_bus_master(c->pci, false);
	pci_interrupts_close(c->pci);
	free_queue(c, &c->admin);
	free_queue(c, &c->io);
	if (c->page)
		dma_free(c->pci, c->page, NVME_PAGE);
	if (c->lists)
		dma_free(c->pci, c->lists, NVME_SLOTS * NVME_LIST_PAGES * sizeof(*c->lists));
	if (c->registers)
		pci_unmap(c->registers, REGISTERS);
	free(c);
}

static long set_up(struct nvme *c)
{
	const char *problem;
	long error;

	c->registers = pci_map(c->pci, 0, 0, REGISTERS, &error);
	if (!c->registers)
		return error;
	c->capabilities = register_read64(c->registers, NVME_CAP);
	c->stride = 4u << NVME_CAP_DSTRD(c->capabilities);
	problem = check_capabilities(c);
	if (problem) {
		printf("%s: the controller cannot be used: %s\n", c->name, problem);
		return -XEN_EOPNOTSUPP;
	}
	error = make(c);
	if (error)
		return error;
	error = pci_interrupts_open(c->pci, 1);
	if (error > 0)
		error = pci_interrupt_handle(c->pci, 0, on_interrupt, c);
	return error ? error : start(c);
}

static long probe(struct pci_device *pci)
{
	static unsigned int controllers;
	struct nvme *c = calloc(1, sizeof(*c));
	struct thread *thread;
	long error;

	if (!c)
		return -XEN_ENOMEM;
	c->pci = pci;
	snprintf(c->name, sizeof(c->name), "nvme%u", controllers++);
	error = set_up(c);
	if (error) {
		printf("%s: the controller at %s does not start: error %ld\n", c->name,
		       pci->address, error);
		destroy(c);
		return error;
	}
	pci->private = c;
	pci->used_as = c->used_as;
	resume(c);
	find_namespaces(c);
	thread = thread_create(c->name, watch, c);
	if (!thread) {
		give_up(c);
		return 0;
	}
	thread_detach(thread);
	c->found = true;
	register_namespaces(c);
	return 0;
}

/* A normal shutdown [7.6.2]: the controller keeps what is in its cache. Nothing is sent to it any more. */
static void stop(struct pci_device *pci)
{
	struct nvme *c = pci->private;
	uint64_t deadline = clock_now() + SHUTDOWN_TIMEOUT;
	uint32_t configuration;

	if (c->state == NVME_DEAD)
		return;
	close_queues(c, NVME_RESETTING);
	configuration = register_read32(c->registers, NVME_CC) & ~NVME_CC_SHN;
	register_write32(c->registers, NVME_CC, configuration | NVME_CC_SHN_NORMAL);
	while (NVME_CSTS_SHST(status(c)) != NVME_CSTS_SHUT && clock_now() < deadline)
		thread_sleep(NSEC_PER_MSEC);
}

static const struct pci_match matches[] = {
    {.vendor = PCI_ANY_ID, .device = PCI_ANY_ID, .class = 0x010802, .class_mask = 0xffffff}, {0}};

const struct pci_driver nvme_driver = {
    .name = "nvme", .matches = matches, .probe = probe, .stop = stop};
