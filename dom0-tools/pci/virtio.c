/* SPDX-License-Identifier: MIT */
/* The PCI transport of virtio (VIRTIO 1.2, 4.1): finding registers, set-up, interrupts. */
#include "virtio.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/event.h>

/* Capabilities, 4.1.4: struct virtio_pci_cap. */
#define CAP_LENGTH	  2
#define CAP_TYPE	  3
#define CAP_BAR		  4
#define CAP_OFFSET	  8
#define CAP_REGION_LENGTH 12
#define CAP_MULTIPLIER	  16 /* of notifications */
#define CAP_BYTES	  16
#define TYPE_COMMON	  1
#define TYPE_NOTIFY	  2
#define TYPE_ISR	  3
#define TYPE_CONFIG	  4

/* The common configuration, 4.1.4.3: struct virtio_pci_common_cfg. */
#define DEVICE_FEATURE_SELECT 0x00
#define DEVICE_FEATURE	      0x04
#define DRIVER_FEATURE_SELECT 0x08
#define DRIVER_FEATURE	      0x0c
#define CONFIG_VECTOR	      0x10
#define DEVICE_STATUS	      0x14
#define CONFIG_GENERATION     0x15
#define QUEUE_SELECT	      0x16
#define QUEUE_SIZE	      0x18
#define QUEUE_VECTOR	      0x1a
#define QUEUE_ENABLE	      0x1c
#define QUEUE_NOTIFY_OFFSET   0x1e
#define QUEUE_DESCRIPTORS     0x20
#define QUEUE_AVAILABLE	      0x28
#define QUEUE_USED	      0x30
#define COMMON_BYTES	      0x38
#define NO_VECTOR	      0xffff

#define ISR_QUEUE	      1 /* 4.1.4.5 */
#define ISR_CONFIG	      2

#define STATUS_ACKNOWLEDGE    1 /* 2.1 */
#define STATUS_DRIVER	      2
#define STATUS_DRIVER_OK      4
#define STATUS_FEATURES_OK    8
#define STATUS_NEEDS_RESET    64

#define RESET_TIME	      (NSEC_PER_SEC)
/* A configuration that changes at each of so many looks is the device's fault. */
#define CONFIG_LOOKS 16

/* ---- capabilities ---- */

static struct virtio_region *region_of(struct virtio_device *device, uint8_t type)
{
	switch (type) {
	case TYPE_COMMON:
		return &device->common_region;
	case TYPE_NOTIFY:
		return &device->notify_region;
	case TYPE_ISR:
		return &device->isr_region;
	case TYPE_CONFIG:
		return &device->config_region;
	default:
		return NULL;
	}
}

/* A region that lies within a memory BAR; others are as if not there. */
static bool read_region(const struct pci_device *pci, unsigned int at, struct virtio_region *region)
{
	const struct pci_bar *bar;

	region->bar = pci_read8(pci, at + CAP_BAR);
	region->offset = pci_read32(pci, at + CAP_OFFSET);
	region->length = pci_read32(pci, at + CAP_REGION_LENGTH);
	if (region->bar >= PCI_BARS)
		return false;
	bar = &pci->bars[region->bar];
	return !bar->is_io && region->length && region->offset <= bar->size &&
	       region->length <= bar->size - region->offset;
}

/* The first of each type is the one to use (4.1.4.1). */
static void find_regions(struct virtio_device *device)
{
	const struct pci_device *pci = device->pci;
	unsigned int at = 0;

	while ((at = pci_capability(pci, PCI_CAPABILITY_VENDOR, at)) != 0) {
		struct virtio_region *region = region_of(device, pci_read8(pci, at + CAP_TYPE));
		struct virtio_region found;

		if (!region || region->length || at + CAP_BYTES > 256 ||
		    pci_read8(pci, at + CAP_LENGTH) < CAP_BYTES || !read_region(pci, at, &found))
			continue;
		*region = found;
		if (region == &device->notify_region && at + CAP_MULTIPLIER + 4 <= 256)
			device->notify_multiplier = pci_read32(pci, at + CAP_MULTIPLIER);
	}
}

static volatile uint8_t *map_region(struct virtio_device *device,
				    const struct virtio_region *region, uint32_t length,
				    long *error)
{
	return pci_map(device->pci, region->bar, region->offset, length, error);
}

/* Of its own configuration no device has more than this. */
#define CONFIG_BYTES 4096

static long map_regions(struct virtio_device *device)
{
	long error = 0;

	if (device->common_region.length < COMMON_BYTES || !device->notify_region.length ||
	    !device->isr_region.length)
		return -ENODEV;
	if (device->config_region.length > CONFIG_BYTES)
		device->config_region.length = CONFIG_BYTES;
	device->common = map_region(device, &device->common_region, COMMON_BYTES, &error);
	if (device->common)
		device->isr = map_region(device, &device->isr_region, 1, &error);
	if (device->isr && device->config_region.length)
		device->config = map_region(device, &device->config_region,
					    device->config_region.length, &error);
	return error;
}

static void unmap_regions(struct virtio_device *device)
{
	if (device->common)
		pci_unmap(device->common, COMMON_BYTES);
	if (device->isr)
		pci_unmap(device->isr, 1);
	if (device->config)
		pci_unmap(device->config, device->config_region.length);
	device->common = device->isr = device->config = NULL;
}

/* ---- status and features ---- */

static uint8_t status(const struct virtio_device *device)
{
	return mmio_read8(device->common + DEVICE_STATUS);
}

static void add_status(struct virtio_device *device, uint8_t bits)
{
	mmio_write8(device->common + DEVICE_STATUS, status(device) | bits);
}

bool virtio_needs_reset(const struct virtio_device *device)
{
	return status(device) & STATUS_NEEDS_RESET;
}

/* 4.1.4.3.2: the reset is over when the status reads 0. */
static long reset(struct virtio_device *device)
{
	uint64_t end = clock_now() + RESET_TIME;

	mmio_write8(device->common + DEVICE_STATUS, 0);
	while (status(device))
		if (clock_now() > end)
			return -ETIMEDOUT;
	return 0;
}

static uint64_t offered(const struct virtio_device *device)
{
	uint64_t features;

	mmio_write32(device->common + DEVICE_FEATURE_SELECT, 0);
	features = mmio_read32(device->common + DEVICE_FEATURE);
	mmio_write32(device->common + DEVICE_FEATURE_SELECT, 1);
	return features | (uint64_t)mmio_read32(device->common + DEVICE_FEATURE) << 32;
}

static long agree(struct virtio_device *device)
{
	mmio_write32(device->common + DRIVER_FEATURE_SELECT, 0);
	mmio_write32(device->common + DRIVER_FEATURE, (uint32_t)device->features);
	mmio_write32(device->common + DRIVER_FEATURE_SELECT, 1);
	mmio_write32(device->common + DRIVER_FEATURE, (uint32_t)(device->features >> 32));
	add_status(device, STATUS_FEATURES_OK);
	return status(device) & STATUS_FEATURES_OK ? 0 : -ENOTSUP;
}

long virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
	wanted |=
	    VIRTIO_FEATURE_VERSION_1 | VIRTIO_FEATURE_EVENT_INDEX | VIRTIO_FEATURE_ACCESS_PLATFORM;
	device->features = offered(device) & wanted;
	if (!(device->features & VIRTIO_FEATURE_VERSION_1))
		return -ENOTSUP;
	return agree(device);
}

long virtio_open(struct virtio_device *device, struct pci_device *pci)
{
	long error;

	device->pci = pci;
	find_regions(device);
	error = map_regions(device);
	if (!error)
		error = reset(device);
	if (error) {
		unmap_regions(device);
		return error;
	}
	pci_bus_master(pci, true);
	add_status(device, STATUS_ACKNOWLEDGE);
	add_status(device, STATUS_DRIVER);
	return 0;
}

/* ---- interrupts ---- */

static void run_queues(const struct virtio_device *device, unsigned int vector)
{
	for (struct virtio_queue *queue = device->queues; queue; queue = queue->next)
		if (queue->vector == vector && queue->handler)
			queue->handler(queue);
}

static bool on_queues(void *data)
{
	const struct pci_vector *vector = data;
	const struct virtio_device *device = vector->device->private;

	run_queues(device, (unsigned int)(vector - vector->device->vectors));
	return true;
}

static bool on_config(void *data)
{
	struct virtio_device *device = data;

	if (!device->queue_vectors)
		run_queues(device, 0);
	if (device->config_changed)
		device->config_changed(device);
	return true;
}

/* Reading the register takes the line back (4.1.4.5). */
static bool on_line(void *data)
{
	struct virtio_device *device = data;
	uint8_t why = mmio_read8(device->isr);

	if (why & ISR_QUEUE)
		run_queues(device, NO_VECTOR);
	if (why & ISR_CONFIG && device->config_changed)
		device->config_changed(device);
	return why;
}

static long config_vector(struct virtio_device *device)
{
	if (device->pci->interrupts != PCI_INTERRUPT_MSIX)
		return 0;
	mmio_write16(device->common + CONFIG_VECTOR, 0);
	return mmio_read16(device->common + CONFIG_VECTOR) == 0 ? 0 : -ENOSPC;
}

long virtio_interrupts(struct virtio_device *device, unsigned int queues,
		       virtio_config_handler *config_changed)
{
	struct pci_device *pci = device->pci;
	long got, error = 0;

	device->config_changed = config_changed;
	pci->private = device;
	got = pci_interrupts_open(pci, queues + 1 < PCI_VECTORS ? queues + 1 : PCI_VECTORS);
	if (got < 0)
		return got;
	if (pci->interrupts != PCI_INTERRUPT_MSIX)
		return pci_interrupt_handle(pci, 0, on_line, device);
	device->queue_vectors = (unsigned int)got - 1;
	error = pci_interrupt_handle(pci, 0, on_config, device);
	for (unsigned int n = 1; !error && n < pci->vector_count; n++)
		error = pci_interrupt_handle(pci, n, on_queues, &pci->vectors[n]);
	return error ? error : config_vector(device);
}

/* ---- queues ---- */

static void write64(struct virtio_device *device, unsigned int reg, uint64_t value)
{
	mmio_write32(device->common + reg, (uint32_t)value);
	mmio_write32(device->common + reg + 4, (uint32_t)(value >> 32));
}

static uint16_t vector_for(const struct virtio_device *device, uint16_t index)
{
	if (device->pci->interrupts != PCI_INTERRUPT_MSIX)
		return NO_VECTOR;
	return device->queue_vectors ? (uint16_t)(1 + index % device->queue_vectors) : 0;
}

/* Tell the device where the queue is. */
static long attach(struct virtio_queue *queue)
{
	struct virtio_device *device = queue->device;
	uint64_t rings = queue->rings_address;

	mmio_write16(device->common + QUEUE_SELECT, queue->index);
	mmio_write16(device->common + QUEUE_SIZE, queue->size);
	if (queue->vector != NO_VECTOR) {
		mmio_write16(device->common + QUEUE_VECTOR, queue->vector);
		if (mmio_read16(device->common + QUEUE_VECTOR) != queue->vector)
			return -ENOSPC;
	}
	write64(device, QUEUE_DESCRIPTORS, rings);
	write64(device, QUEUE_AVAILABLE,
		rings + (uint64_t)((char *)queue->available - (char *)queue->descriptors));
	write64(device, QUEUE_USED,
		rings + (uint64_t)((volatile char *)queue->used - (char *)queue->descriptors));
	mmio_write16(device->common + QUEUE_ENABLE, 1);
	return 0;
}

/* What is in memory; freed by virtio_close, also when only a part is there. */
static long allocate(struct virtio_queue *queue, uint16_t indirect)
{
	struct virtio_device *device = queue->device;
	dma_address_t address;
	void *rings = dma_alloc(device->pci, virtio_rings_bytes(queue->size), &address);

	if (!rings)
		return -ENOMEM;
	queue->descriptors = rings;
	queue->chains = calloc(queue->size, sizeof(*queue->chains));
	queue->free_next = calloc(queue->size, sizeof(*queue->free_next));
	if (!queue->chains || !queue->free_next)
		return -ENOMEM;
	if (indirect && device->features & VIRTIO_FEATURE_INDIRECT) {
		queue->table_size = indirect;
		queue->tables =
		    dma_alloc(device->pci, (size_t)queue->size * indirect * sizeof(*queue->tables),
			      &queue->tables_address);
		if (!queue->tables)
			return -ENOMEM;
	}
	virtio_rings_init(queue, rings, address);
	return 0;
}

static long map_notify(struct virtio_queue *queue)
{
	struct virtio_device *device = queue->device;
	const struct virtio_region *region = &device->notify_region;
	uint64_t offset =
	    (uint64_t)mmio_read16(device->common + QUEUE_NOTIFY_OFFSET) * device->notify_multiplier;
	long error;

	if (offset + sizeof(uint16_t) > region->length)
		return -EIO;
	queue->notify =
	    pci_map(device->pci, region->bar, region->offset + offset, sizeof(uint16_t), &error);
	return queue->notify ? 0 : error;
}

static void free_queue(struct virtio_queue *queue)
{
	const struct pci_device *pci = queue->device->pci;

	if (queue->notify)
		pci_unmap(queue->notify, sizeof(uint16_t));
	if (queue->descriptors)
		dma_free(pci, queue->descriptors, virtio_rings_bytes(queue->size));
	if (queue->tables)
		dma_free(pci, queue->tables,
			 (size_t)queue->size * queue->table_size * sizeof(*queue->tables));
	free(queue->chains);
	free(queue->free_next);
}

long virtio_queue_open(struct virtio_device *device, struct virtio_queue *queue, uint16_t index,
		       uint16_t most, uint16_t indirect, virtio_queue_handler *handler)
{
	uint16_t size;
	bool masked;
	long error;

	queue->device = device;
	queue->index = index;
	queue->handler = handler;
	queue->event_index = device->features & VIRTIO_FEATURE_EVENT_INDEX;
	queue->vector = vector_for(device, index);
	mmio_write16(device->common + QUEUE_SELECT, index);
	size = mmio_read16(device->common + QUEUE_SIZE);
	if (!size)
		return -ENOENT;
	if (size & (size - 1))
		return -EIO;
	if (most > VIRTIO_MAX_QUEUE)
		most = VIRTIO_MAX_QUEUE;
	queue->size = size < most ? size : most;
	error = map_notify(queue);
	if (!error)
		error = allocate(queue, indirect);
	if (!error)
		error = attach(queue);
	if (error) {
		/* The device does not know of the memory, or is reset by who gives up. */
		virtio_stop(device);
		free_queue(queue);
		return error;
	}
	masked = events_save();
	queue->next = device->queues;
	device->queues = queue;
	events_restore(masked);
	return 0;
}

/* ---- start and end ---- */

void virtio_start(struct virtio_device *device)
{
	bool masked = events_save();

	add_status(device, STATUS_DRIVER_OK);
	for (struct virtio_queue *queue = device->queues; queue; queue = queue->next)
		virtio_queue_kick(queue);
	events_restore(masked);
}

void virtio_stop(struct virtio_device *device)
{
	/* One that does not answer can at least not reach memory any more. */
	if (reset(device))
		pci_bus_master(device->pci, false);
	for (struct virtio_queue *queue = device->queues; queue; queue = queue->next)
		queue->broken = true;
}

long virtio_restart(struct virtio_device *device)
{
	long error = reset(device);
	bool masked;

	if (error)
		return error;
	pci_bus_master(device->pci, true);
	add_status(device, STATUS_ACKNOWLEDGE);
	add_status(device, STATUS_DRIVER);
	if ((offered(device) & device->features) != device->features)
		return -ENOTSUP;
	error = agree(device);
	if (!error)
		error = config_vector(device);
	masked = events_save();
	for (struct virtio_queue *queue = device->queues; !error && queue; queue = queue->next) {
		virtio_rings_reset(queue);
		error = attach(queue);
		if (error)
			queue->broken = true;
	}
	events_restore(masked);
	return error;
}

void virtio_close(struct virtio_device *device)
{
	virtio_stop(device);
	pci_bus_master(device->pci, false);
	pci_interrupts_close(device->pci);
	for (struct virtio_queue *queue = device->queues, *next; queue; queue = next) {
		next = queue->next;
		free_queue(queue);
	}
	device->queues = NULL;
	unmap_regions(device);
}

/* ---- the device's own configuration ---- */

static bool has_config(const struct virtio_device *device, uint32_t offset, uint32_t bytes)
{
	return device->config && offset <= device->config_region.length &&
	       bytes <= device->config_region.length - offset;
}

uint8_t virtio_config8(const struct virtio_device *device, uint32_t offset)
{
	return has_config(device, offset, 1) ? mmio_read8(device->config + offset) : 0;
}

uint16_t virtio_config16(const struct virtio_device *device, uint32_t offset)
{
	return has_config(device, offset, 2) ? mmio_read16(device->config + offset) : 0;
}

uint32_t virtio_config32(const struct virtio_device *device, uint32_t offset)
{
	return has_config(device, offset, 4) ? mmio_read32(device->config + offset) : 0;
}

/* Two halves that belong together: the generation was the same before and after (2.5.3). */
uint64_t virtio_config64(const struct virtio_device *device, uint32_t offset)
{
	uint64_t value = 0;

	for (unsigned int n = 0; n < CONFIG_LOOKS; n++) {
		uint8_t generation = mmio_read8(device->common + CONFIG_GENERATION);

		value = virtio_config32(device, offset) |
			(uint64_t)virtio_config32(device, offset + 4) << 32;
		if (mmio_read8(device->common + CONFIG_GENERATION) == generation)
			break;
	}
	return value;
}
