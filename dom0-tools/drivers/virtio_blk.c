/* SPDX-License-Identifier: MIT */
/*
 * Virtio block devices (VIRTIO 1.2, 5.2): one queue, as dom0 has one vCPU.
 *
 * A request waits in `pending` until the ring has room, then has a slot: its header and status in memory that the device
 * reaches, and the time. The device's answer, by interrupt, ends it. A thread looks for what takes too long, and for a
 * device that asks for it or broke the rules: it is reset, and what it had is given to it once more, or fails when that
 * was the second time. All state is guarded by the mask of events.
 */
#include "block/registry.h"
#include "pci/virtio.h"
#include "drivers.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/thread.h>
#include <public/errno.h>

#define DEVICE_TYPE		 2
#define LEGACY_DEVICE		 0x1001 /* 4.1.2.1: a transitional one has the modern interface too */

#define FEATURE_SIZE_MAX	 (1ull << 1) /* 5.2.3 */
#define FEATURE_SEG_MAX		 (1ull << 2)
#define FEATURE_READ_ONLY	 (1ull << 5)
#define FEATURE_BLK_SIZE	 (1ull << 6)
#define FEATURE_FLUSH		 (1ull << 9)
#define FEATURE_TOPOLOGY	 (1ull << 10)
#define FEATURE_DISCARD		 (1ull << 13)

#define CONFIG_CAPACITY		 0 /* 5.2.4 */
#define CONFIG_SIZE_MAX		 8
#define CONFIG_SEG_MAX		 12
#define CONFIG_BLK_SIZE		 20
#define CONFIG_PHYSICAL		 24 /* logarithm of logical blocks in a physical one */
#define CONFIG_DISCARD_MOST	 36
#define CONFIG_DISCARD_ALIGNMENT 44

#define TYPE_READ		 0 /* 5.2.6 */
#define TYPE_WRITE		 1
#define TYPE_FLUSH		 4
#define TYPE_GET_ID		 8
#define TYPE_DISCARD		 11
#define ID_BYTES		 20

#define STATUS_OK		 0
#define STATUS_UNSUPPORTED	 2
#define STATUS_NONE		 0xff /* written by us, before the device's */

#define QUEUE_ENTRIES		 256
#define SLOTS			 128
#define MOST_SEGMENTS		 64
/* Header and status go along with the data. */
#define FRAMING	      2

#define LOOK_INTERVAL NSEC_PER_SEC
#define ATTEMPTS      2

/* What the device reads and writes of a request besides the data. */
struct shared {
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	struct {
		uint64_t sector;
		uint32_t sectors, flags;
	} discard;
	uint8_t id[ID_BYTES];
	uint8_t status;
	uint8_t unused[11];
};
_Static_assert(sizeof(struct shared) == 64, "a slot's line");

struct slot {
	struct slot *next_free;
	struct block_request *request; /* NULL: the disk is asked for its name */
	struct shared *shared;
	dma_address_t address; /* of it */
	uint64_t deadline;
	uint32_t writable; /* bytes that the device is to write: all of them, when it goes well */
	bool busy;
};

struct virtio_blk {
	struct block_device device;
	struct virtio_device virtio;
	struct virtio_queue queue;
	struct slot slots[SLOTS];
	struct slot *free;
	struct shared *shared;
	struct block_request_queue pending;
	bool stopped;	   /* being reset, or given up */
	bool reset_wanted; /* without waiting for a timeout */
	bool named;
	struct wait_queue changed; /* for the watching thread, and for who asks for the name */
};

/* Of a request: how often it was given to the device. */
static uint64_t *attempts(struct block_request *request)
{
	return &request->scratch[0];
}

/* ---- to the device ---- */

static unsigned int add_data(struct virtio_blk *disk, const struct block_request *request,
			     struct virtio_segment *segments)
{
	unsigned int count = 0;

	for (unsigned int n = 0; n < request->count; n++) {
		const struct block_segment *from = &request->segments[n];
		dma_address_t address = dma_map(disk->virtio.pci, from->machine, from->length);

		/* Neighbours are one segment. */
		if (count && segments[count - 1].address + segments[count - 1].length == address)
			segments[count - 1].length += from->length;
		else
			segments[count++] = (struct virtio_segment){address, from->length};
	}
	return count;
}

static void unmap_data(struct virtio_blk *disk, const struct block_request *request)
{
	for (unsigned int n = 0; n < request->count; n++)
		dma_unmap(disk->virtio.pci, request->segments[n].machine,
			  request->segments[n].length);
}

static uint32_t type_of(const struct block_request *request)
{
	switch (request->operation) {
	case BLOCK_READ:
		return TYPE_READ;
	case BLOCK_WRITE:
		return TYPE_WRITE;
	case BLOCK_FLUSH:
		return TYPE_FLUSH;
	default:
		return TYPE_DISCARD;
	}
}

static struct virtio_segment part(const struct slot *slot, size_t offset, uint32_t length)
{
	return (struct virtio_segment){slot->address + offset, length};
}

/* Put a slot's segments into the ring: header, `data` of them, status. There is room. */
static void give(struct virtio_blk *disk, struct slot *slot, struct virtio_segment *segments,
		 unsigned int data, bool device_writes)
{
	segments[0] = part(slot, offsetof(struct shared, header), sizeof(slot->shared->header));
	segments[data + 1] = part(slot, offsetof(struct shared, status), 1);
	slot->writable = 1;
	for (unsigned int n = 1; device_writes && n <= data; n++)
		slot->writable += segments[n].length;
	slot->shared->status = STATUS_NONE;
	slot->deadline = clock_now() + disk_timeout;
	slot->busy = true;
	/* There was room: it can only be broken. The watching thread takes it back. */
	if (virtio_queue_add(&disk->queue, segments, device_writes ? 1 : 1 + data,
			     device_writes ? data + 1 : 1, slot))
		disk->reset_wanted = true;
}

static struct slot *take_slot(struct virtio_blk *disk, uint32_t type)
{
	struct slot *slot = disk->free;

	disk->free = slot->next_free;
	slot->shared->header.type = type;
	slot->shared->header.reserved = 0;
	slot->shared->header.sector = 0;
	return slot;
}

static void put_slot(struct virtio_blk *disk, struct slot *slot)
{
	slot->request = NULL;
	slot->busy = false;
	slot->next_free = disk->free;
	disk->free = slot;
}

static void start(struct virtio_blk *disk, struct block_request *request)
{
	struct virtio_segment segments[MOST_SEGMENTS + FRAMING];
	struct slot *slot = take_slot(disk, type_of(request));
	struct shared *shared = slot->shared;
	unsigned int data = 0;

	slot->request = request;
	if (request->operation == BLOCK_DISCARD) {
		shared->discard.sector = request->sector;
		shared->discard.sectors = (uint32_t)request->sectors;
		shared->discard.flags = 0;
		segments[++data] =
		    part(slot, offsetof(struct shared, discard), sizeof(shared->discard));
	} else if (request->operation != BLOCK_FLUSH) {
		shared->header.sector = request->sector;
		data = add_data(disk, request, segments + 1);
	}
	++*attempts(request);
	give(disk, slot, segments, data, request->operation == BLOCK_READ);
}

/* As many of the waiting ones as fit, in their order. */
static void start_pending(struct virtio_blk *disk)
{
	const struct block_request *next;

	while (!disk->stopped && (next = disk->pending.first) != NULL && disk->free &&
	       virtio_queue_has_room(&disk->queue, next->count + FRAMING + 1))
		start(disk, block_queue_take(&disk->pending));
	virtio_queue_kick(&disk->queue);
}

static void submit(struct block_device *device, struct block_request *request)
{
	struct virtio_blk *disk = device->driver;

	/* 5.2.6.2: without the feature each write is stable when it is done. */
	if (request->operation == BLOCK_FLUSH && !(disk->virtio.features & FEATURE_FLUSH)) {
		block_done(request, 0);
		return;
	}
	*attempts(request) = 0;
	block_queue_put(&disk->pending, request);
}

static void kick(struct block_device *device)
{
	start_pending(device->driver);
}

static const struct block_operations operations = {.submit = submit, .kick = kick};

/* ---- from the device ---- */

static int status_of(const struct slot *slot, uint32_t written)
{
	switch (slot->shared->status) {
	case STATUS_OK:
		/* Memory that it did not fill must not pass for data. */
		return written >= slot->writable ? 0 : -XEN_EIO;
	case STATUS_UNSUPPORTED:
		return -XEN_EOPNOTSUPP;
	default:
		return -XEN_EIO;
	}
}

static void finish(struct virtio_blk *disk, struct slot *slot, int status)
{
	struct block_request *request = slot->request;

	put_slot(disk, slot);
	if (request) {
		unmap_data(disk, request);
		block_done(request, status);
	} else {
		disk->named = true;
		wake_all(&disk->changed);
	}
}

static void wake_watch(struct virtio_blk *disk)
{
	disk->reset_wanted = true;
	wake_all(&disk->changed);
}

static void on_queue(struct virtio_queue *queue)
{
	struct virtio_blk *disk = queue->driver;
	struct slot *slot;
	uint32_t written;

	block_batch_begin();
	do {
		virtio_queue_hush(queue);
		while ((slot = virtio_queue_take(queue, &written)) != NULL)
			finish(disk, slot, status_of(slot, written));
	} while (!virtio_queue_listen(queue));
	start_pending(disk);
	block_batch_end();
	if (queue->broken && !disk->stopped)
		wake_watch(disk);
}

static uint64_t capacity(const struct virtio_blk *disk)
{
	uint64_t unit = disk->device.logical_size / BLOCK_SECTOR;

	/* In sectors of 512 (5.2.5), but whole blocks of its own. */
	return virtio_config64(&disk->virtio, CONFIG_CAPACITY) / unit * unit;
}

static void on_config(struct virtio_device *virtio)
{
	struct virtio_blk *disk = virtio->driver;

	if (virtio_needs_reset(virtio))
		wake_watch(disk);
	else if (capacity(disk) != disk->device.sectors)
		block_changed(&disk->device, capacity(disk));
}

/* ---- when it does not answer ---- */

static bool is_late(const struct virtio_blk *disk)
{
	uint64_t now = clock_now();

	for (unsigned int n = 0; n < SLOTS; n++)
		if (disk->slots[n].busy && disk->slots[n].deadline < now)
			return true;
	return false;
}

/* What the device had goes back to where it came from, before what waits; or fails, the second time. */
static void take_all_back(struct virtio_blk *disk)
{
	struct block_request_queue again = {0}, failed = {0};
	struct block_request *request;

	while (virtio_queue_take_back(&disk->queue))
		;
	for (unsigned int n = 0; n < SLOTS; n++) {
		struct slot *slot = &disk->slots[n];

		request = slot->request;
		if (!slot->busy)
			continue;
		if (!request) {
			finish(disk, slot, -XEN_EIO);
			continue;
		}
		put_slot(disk, slot);
		unmap_data(disk, request);
		block_queue_put(*attempts(request) < ATTEMPTS ? &again : &failed, request);
	}
	while ((request = block_queue_take(&disk->pending)) != NULL)
		block_queue_put(&again, request);
	disk->pending = again;
	while ((request = block_queue_take(&failed)) != NULL)
		block_done(request, -XEN_EIO);
}

static void give_up(struct virtio_blk *disk)
{
	struct block_request *request;

	block_gone(&disk->device);
	while ((request = block_queue_take(&disk->pending)) != NULL)
		block_done(request, -XEN_EIO);
}

/* Events are masked; the device's answer to a reset is waited for. */
static void reset(struct virtio_blk *disk)
{
	long error;

	disk->stopped = true;
	disk->reset_wanted = false;
	virtio_stop(&disk->virtio);
	take_all_back(disk);
	error = virtio_restart(&disk->virtio);
	if (error) {
		printk("%s: does not come back from a reset (error %ld): it is gone\n",
		       disk->device.name, error);
		virtio_stop(&disk->virtio);
		give_up(disk);
		return;
	}
	disk->stopped = false;
	virtio_start(&disk->virtio);
	start_pending(disk);
}

static void look(struct virtio_blk *disk)
{
	if (disk->stopped)
		return;
	/* Perhaps it was only the interrupt that did not come. */
	if (is_late(disk))
		on_queue(&disk->queue);
	if (!disk->reset_wanted && !is_late(disk))
		return;
	printk("%s: %s; it is reset\n", disk->device.name,
	       disk->reset_wanted ? "the device broke the rules or asks for it"
				  : "a request takes too long");
	reset(disk);
}

static void watch(void *argument)
{
	struct virtio_blk *disk = argument;

	events_mask();
	while (!disk->device.gone) {
		look(disk);
		if (!disk->reset_wanted)
			wait_on(&disk->changed, clock_now() + LOOK_INTERVAL);
	}
	events_unmask();
}

/* ---- probing ---- */

/* Its name, in ASCII, need not end by 0 (5.2.6). Waits; one that does not answer has none. */
static void ask_name(struct virtio_blk *disk, char *to)
{
	uint64_t end = clock_now() + NSEC_PER_SEC;
	struct virtio_segment segments[1 + FRAMING];
	bool masked = events_save();
	struct slot *slot = take_slot(disk, TYPE_GET_ID);

	memset(slot->shared->id, 0, ID_BYTES);
	segments[1] = part(slot, offsetof(struct shared, id), ID_BYTES);
	give(disk, slot, segments, 1, true);
	virtio_queue_kick(&disk->queue);
	while (!disk->named && wait_on(&disk->changed, end))
		;
	for (unsigned int n = 0; disk->named && n < ID_BYTES && slot->shared->id[n]; n++) {
		char c = (char)slot->shared->id[n];

		to[n] = c >= ' ' && c <= '~' ? c : '?';
	}
	events_restore(masked);
}

static long read_sizes(struct virtio_blk *disk)
{
	const struct virtio_device *virtio = &disk->virtio;
	struct block_device *device = &disk->device;
	uint32_t logical = BLOCK_SECTOR;
	unsigned int exponent = 0;

	if (virtio->features & FEATURE_SIZE_MAX && virtio_config32(virtio, CONFIG_SIZE_MAX) < 4096)
		return -ENOTSUP;
	if (virtio->features & FEATURE_BLK_SIZE)
		logical = virtio_config32(virtio, CONFIG_BLK_SIZE);
	if (logical < BLOCK_SECTOR || logical > 4096 || logical & (logical - 1))
		return -ENOTSUP;
	if (virtio->features & FEATURE_TOPOLOGY)
		exponent = virtio_config8(virtio, CONFIG_PHYSICAL);
	device->logical_size = logical;
	device->physical_size = exponent < 16 ? logical << exponent : logical;
	device->sectors = capacity(disk);
	return 0;
}

static long read_segments(struct virtio_blk *disk)
{
	uint32_t segments = 1;

	if (disk->virtio.features & FEATURE_SEG_MAX)
		segments = virtio_config32(&disk->virtio, CONFIG_SEG_MAX);
	if (segments > MOST_SEGMENTS)
		segments = MOST_SEGMENTS;
	if (segments + FRAMING > disk->queue.size)
		segments = disk->queue.size - FRAMING;
	disk->device.max_segments = segments;
	return segments < BLOCK_MIN_SEGMENTS ? -ENOTSUP : 0;
}

static void read_flags(struct virtio_blk *disk)
{
	const struct virtio_device *virtio = &disk->virtio;
	struct block_device *device = &disk->device;
	uint32_t unit;

	device->flags = BLOCK_DMA;
	if (virtio->features & FEATURE_READ_ONLY)
		device->flags |= BLOCK_READ_ONLY;
	if (!(virtio->features & FEATURE_DISCARD))
		return;
	device->max_discard = virtio_config32(virtio, CONFIG_DISCARD_MOST);
	unit = virtio_config32(virtio, CONFIG_DISCARD_ALIGNMENT);
	if (!device->max_discard)
		return;
	device->discard_granularity = device->logical_size;
	if (unit < (1u << 20) && unit * BLOCK_SECTOR > device->logical_size)
		device->discard_granularity = unit * BLOCK_SECTOR;
}

static long make_slots(struct virtio_blk *disk)
{
	dma_address_t address;

	disk->shared = dma_alloc(disk->virtio.pci, SLOTS * sizeof(*disk->shared), &address);
	if (!disk->shared)
		return -ENOMEM;
	for (unsigned int n = 0; n < SLOTS; n++) {
		disk->slots[n].shared = &disk->shared[n];
		disk->slots[n].address = address + n * sizeof(*disk->shared);
		put_slot(disk, &disk->slots[n]);
	}
	return 0;
}

static long set_up(struct virtio_blk *disk)
{
	struct virtio_device *virtio = &disk->virtio;
	struct thread *thread;
	long error =
	    virtio_negotiate(virtio, FEATURE_SIZE_MAX | FEATURE_SEG_MAX | FEATURE_READ_ONLY |
					 FEATURE_BLK_SIZE | FEATURE_FLUSH | FEATURE_TOPOLOGY |
					 FEATURE_DISCARD | VIRTIO_FEATURE_INDIRECT);

	if (!error)
		error = read_sizes(disk);
	if (!error)
		error = virtio_interrupts(virtio, 1, on_config);
	if (!error)
		error = virtio_queue_open(virtio, &disk->queue, 0, QUEUE_ENTRIES,
					  MOST_SEGMENTS + FRAMING, on_queue);
	if (!error)
		error = read_segments(disk);
	if (!error)
		error = make_slots(disk);
	if (error)
		return error;
	read_flags(disk);
	thread = thread_create("virtio-blk", watch, disk);
	if (!thread)
		return -ENOMEM;
	thread_detach(thread);
	virtio_start(virtio);
	return 0;
}

static void offer(struct virtio_blk *disk)
{
	struct pci_device *pci = disk->virtio.pci;
	struct disk facts = {.driver = "virtio-blk", .model = "virtio"};
	struct disk *entry;

	snprintf(facts.place, sizeof(facts.place), "%s", pci->address);
	ask_name(disk, facts.serial);
	entry = disk_register(&disk->device, &facts);
	if (entry)
		pci->used_as = entry->device->name;
}

static long probe(struct pci_device *pci)
{
	struct virtio_blk *disk = calloc(1, sizeof(*disk));
	long error;

	if (!disk)
		return -ENOMEM;
	disk->virtio.driver = disk;
	disk->queue.driver = disk;
	disk->device.operations = &operations;
	disk->device.driver = disk;
	error = virtio_open(&disk->virtio, pci);
	if (error) {
		free(disk);
		return error;
	}
	error = set_up(disk);
	if (error) {
		virtio_close(&disk->virtio);
		if (disk->shared)
			dma_free(pci, disk->shared, SLOTS * sizeof(*disk->shared));
		free(disk);
		return error;
	}
	offer(disk);
	return 0;
}

/* What it was given is stable then, and it reaches no memory any more. It has the time that any request has. */
static void stop(struct pci_device *pci)
{
	const struct virtio_device *virtio = pci->private;
	struct virtio_blk *disk = virtio->driver;
	bool masked;

	block_flush(&disk->device);
	masked = events_save();
	if (!disk->stopped)
		virtio_stop(&disk->virtio);
	disk->stopped = true;
	events_restore(masked);
}

static const struct pci_match matches[] = {
    {VIRTIO_VENDOR, VIRTIO_PCI_MODERN(DEVICE_TYPE), 0, 0},
    {VIRTIO_VENDOR, LEGACY_DEVICE, 0, 0},
    {0},
};

const struct pci_driver virtio_blk_driver = {
    .name = "virtio-blk", .matches = matches, .probe = probe, .stop = stop};
