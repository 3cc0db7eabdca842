/* SPDX-License-Identifier: MIT */
/*
 * Virtio devices on PCI, modern interface only. Section numbers are those of Virtual I/O Device (VIRTIO) 1.2.
 *
 * A driver's probe: virtio_open, virtio_negotiate, virtio_interrupts, virtio_queue_open for each queue, virtio_start.
 * When one of them fails, virtio_close undoes all (virtio_open undoes itself). pci->private belongs to the transport.
 *
 * What the device says is checked: its capabilities lie within its BARs; an index of the used ring that was not given out,
 * or out twice, marks the queue as broken, and nothing more is taken from it; a length is cut to what the buffers have.
 * What rings say is never read back for what we need to know ourselves: chains and buffers are kept apart from them.
 *
 * Functions are for threads, but those marked "masked": any context, events masked, which is the lock of a queue.
 */
#ifndef PCI_VIRTIO_H
#define PCI_VIRTIO_H

#include "dma.h"
#include "pci.h"

#define VIRTIO_VENDOR	     0x1af4
#define VIRTIO_PCI_MODERN(n) (0x1040 + (n)) /* 4.1.2: of device type n (5) */

/* 6: bits of all devices. The transport asks for EVENT_INDEX, VERSION_1 and ACCESS_PLATFORM by itself. */
#define VIRTIO_FEATURE_INDIRECT	       (1ull << 28)
#define VIRTIO_FEATURE_EVENT_INDEX     (1ull << 29)
#define VIRTIO_FEATURE_VERSION_1       (1ull << 32)
#define VIRTIO_FEATURE_ACCESS_PLATFORM (1ull << 33)

#define VIRTIO_MAX_QUEUE	       1024 /* entries that a queue is given at most */
#define VIRTIO_MAX_QUEUES	       32   /* of a device */

struct virtio_queue;
struct virtio_device;

/* Run from the event handler, masked. */
typedef void virtio_queue_handler(struct virtio_queue *queue);
typedef void virtio_config_handler(struct virtio_device *device);

/* A region of a BAR that a capability tells of (4.1.4). length 0: there is none. */
struct virtio_region {
	uint8_t bar;
	uint32_t offset, length;
};

struct virtio_device {
	struct pci_device *pci;
	uint64_t features; /* as negotiated */
	void *driver;	   /* the driver's own */

	/* Of the transport. */
	struct virtio_region common_region, notify_region, isr_region, config_region;
	volatile uint8_t *common, *isr, *config;
	uint32_t notify_multiplier;
	virtio_config_handler *config_changed;
	unsigned int queue_vectors; /* for queues, beside the one for changes; 0: one for all */
	struct virtio_queue *queues;
};

/* A buffer, as the device addresses it (dma_map). */
struct virtio_segment {
	dma_address_t address;
	uint32_t length;
};

/* The rings, 2.7.5 to 2.7.8. */
struct virtio_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

struct virtio_available {
	uint16_t flags;
	uint16_t index;
	uint16_t ring[];
};

struct virtio_used_element {
	uint32_t id;
	uint32_t length;
};

struct virtio_used {
	uint16_t flags;
	uint16_t index;
	struct virtio_used_element ring[];
};

/* What is in flight under a head descriptor. */
struct virtio_chain {
	void *token;	   /* NULL: nothing is */
	uint32_t writable; /* bytes that the device may write */
	uint16_t count;	   /* descriptors of the ring that it takes */
};

struct virtio_queue {
	struct virtio_device *device;
	uint16_t index;
	uint16_t size;
	bool broken;  /* the device broke the rules, or was reset: nothing can be added or taken */
	void *driver; /* the driver's own */

	/* Of the transport. */
	struct virtio_queue *next; /* of the device */
	virtio_queue_handler *handler;
	bool event_index;
	uint16_t free_count, free_first;
	uint16_t
	    available_index; /* what the device has been told of, and at which of them it was notified */
	uint16_t notified_index;
	uint16_t used_index; /* what has been taken */
	struct virtio_descriptor *descriptors;
	struct virtio_available *available;
	volatile struct virtio_used *used;
	uint16_t *free_next;
	struct virtio_chain *chains;
	volatile uint16_t *notify;
	/* Tables for indirect descriptors (2.7.5.3), one for each head; NULL: none. */
	struct virtio_descriptor *tables;
	dma_address_t tables_address;
	uint16_t table_size;
	dma_address_t rings_address;
	uint16_t vector;
};

/* ---- set-up (3.1.1) ---- */

/*
 * Find the device's registers and reset it; device is zeroed. -ENODEV: it has only the interface of before 1.0; -EIO: it
 * is not as it must be; -ETIMEDOUT: it does not come out of reset.
 */
long virtio_open(struct virtio_device *device, struct pci_device *pci);

/* Accept those of the wanted features that it offers: device->features. -ENOTSUP: no agreement. */
long virtio_negotiate(struct virtio_device *device, uint64_t wanted);

/*
 * Get interrupts: with MSI-X one for changes of the configuration and one for each of `queues` queues, if there are that
 * many; queues share what there is. config_changed may be NULL.
 */
long virtio_interrupts(struct virtio_device *device, unsigned int queues,
		       virtio_config_handler *config_changed);

/*
 * Make queue number index, with at most `most` entries (a power of two). indirect: if not 0 and the feature has been
 * negotiated, buffers of two and more segments take one entry, by tables of so many. queue is zeroed. The handler runs
 * when buffers may have come back. -ENOENT: the device has no such queue.
 */
long virtio_queue_open(struct virtio_device *device, struct virtio_queue *queue, uint16_t index,
		       uint16_t most, uint16_t indirect, virtio_queue_handler *handler);

/* The device may work from here on. Buffers may have been added before. */
void virtio_start(struct virtio_device *device);

/* Stop the device: what it had is ours again. Masked too; waits for no event, but for the device's answer. */
void virtio_stop(struct virtio_device *device);

/*
 * After virtio_stop, when all chains have been taken back by virtio_queue_take_back: set it up as it was before, queues
 * and interrupts too. Not started yet. A negative errno: it does not answer, or not as before.
 */
long virtio_restart(struct virtio_device *device);

/* Stop it and give everything back: queues, interrupts, mappings. */
void virtio_close(struct virtio_device *device);

/* Registers of the device's own configuration (4.1.4.6); 0 where it has none. Any context. */
uint8_t virtio_config8(const struct virtio_device *device, uint32_t offset);
uint16_t virtio_config16(const struct virtio_device *device, uint32_t offset);
uint32_t virtio_config32(const struct virtio_device *device, uint32_t offset);
uint64_t virtio_config64(const struct virtio_device *device, uint32_t offset);

/* Does the device say that it needs a reset (2.1)? Any context. */
bool virtio_needs_reset(const struct virtio_device *device);

/* ---- queues ---- */

/*
 * Give the device a buffer: first `readable` segments that it reads, then `writable` ones that it writes. token, not
 * NULL, comes back from virtio_queue_take. -ENOSPC: as much is in flight as the queue holds; -EINVAL: no segment, or more
 * than the queue can ever take; -EIO: it is broken. Masked.
 */
long virtio_queue_add(struct virtio_queue *queue, const struct virtio_segment *segments,
		      unsigned int readable, unsigned int writable, void *token);

/* Would a buffer of so many segments find room? Masked. */
bool virtio_queue_has_room(const struct virtio_queue *queue, unsigned int segments);

/* Tell the device what was added since the last time, if it wants to know. Masked. */
void virtio_queue_kick(struct virtio_queue *queue);

/* The next buffer that the device is done with, or NULL; how many bytes it says it wrote to *written. Masked. */
void *virtio_queue_take(struct virtio_queue *queue, uint32_t *written);

/*
 * Handlers: take all there is until virtio_queue_listen says true: the device will interrupt for the next one. Between
 * virtio_queue_hush and it, the device need not interrupt. Masked.
 */
void virtio_queue_hush(struct virtio_queue *queue);
bool virtio_queue_listen(struct virtio_queue *queue);

/* After virtio_stop: the tokens that were in flight, one a call, then NULL. Masked. */
void *virtio_queue_take_back(struct virtio_queue *queue);

/* ---- between virtio.c and virtio_queue.c, and for tests ---- */

/* Bytes of the rings of a queue of this size. */
size_t virtio_rings_bytes(uint16_t size);
/* Lay the rings out in zeroed memory. size, chains, free_next and tables are set. */
void virtio_rings_init(struct virtio_queue *queue, void *memory, dma_address_t address);
/* As new, with the same memory. */
void virtio_rings_reset(struct virtio_queue *queue);

#endif
