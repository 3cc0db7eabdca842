/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues (VIRTIO 1.2, 2.7). Who owns what: descriptors and the available ring are written by us alone, the used
 * ring by the device alone. We read nothing but the used ring and the device's event index, and believe neither: which
 * descriptors belong to a chain stands in `chains` and `free_next`, outside of the shared memory.
 */
#include "virtio.h"
#include <errno.h>
#include <string.h>

#define DESCRIPTOR_NEXT	       1
#define DESCRIPTOR_WRITE       2
#define DESCRIPTOR_INDIRECT    4
#define AVAILABLE_NO_INTERRUPT 1
#define USED_NO_NOTIFY	       1

static size_t available_offset(uint16_t size)
{
	return size * sizeof(struct virtio_descriptor);
}

/* Two more bytes stand behind each ring: the other side's event index (2.7.10). */
static size_t used_offset(uint16_t size)
{
	size_t end = available_offset(size) + sizeof(struct virtio_available) + 2u * size + 2;

	return (end + 3) & ~(size_t)3;
}

size_t virtio_rings_bytes(uint16_t size)
{
	return used_offset(size) + sizeof(struct virtio_used) +
	       size * sizeof(struct virtio_used_element) + 2;
}

/* 2.7.7: at this index of the used ring the device is to interrupt. */
static volatile uint16_t *used_event(struct virtio_queue *queue)
{
	return &queue->available->ring[queue->size];
}

/* 2.7.10: at this index of the available ring the device wants to be notified. */
static uint16_t available_event(const struct virtio_queue *queue)
{
	return *(const volatile uint16_t *)&queue->used->ring[queue->size];
}

void virtio_rings_reset(struct virtio_queue *queue)
{
	memset(queue->descriptors, 0, virtio_rings_bytes(queue->size));
	for (uint16_t i = 0; i < queue->size; i++) {
		queue->chains[i] = (struct virtio_chain){0};
		queue->free_next[i] = (uint16_t)(i + 1);
	}
	queue->free_first = 0;
	queue->free_count = queue->size;
	queue->available_index = queue->notified_index = queue->used_index = 0;
	queue->broken = false;
}

void virtio_rings_init(struct virtio_queue *queue, void *memory, dma_address_t address)
{
	char *base = memory;

	queue->descriptors = memory;
	queue->available = (struct virtio_available *)(base + available_offset(queue->size));
	queue->used = (volatile struct virtio_used *)(base + used_offset(queue->size));
	queue->rings_address = address;
	virtio_rings_reset(queue);
}

/* Entries of the ring that a buffer takes. */
static unsigned int entries_for(const struct virtio_queue *queue, unsigned int segments)
{
	return queue->tables && segments > 1 && segments <= queue->table_size ? 1 : segments;
}

bool virtio_queue_has_room(const struct virtio_queue *queue, unsigned int segments)
{
	return !queue->broken && entries_for(queue, segments) <= queue->free_count;
}

static uint16_t take_free(struct virtio_queue *queue)
{
	uint16_t head = queue->free_first;

	queue->free_first = queue->free_next[head];
	queue->free_count--;
	return head;
}

static void write_descriptor(struct virtio_descriptor *to, const struct virtio_segment *segment,
			     uint16_t flags, uint16_t next)
{
	*to = (struct virtio_descriptor){segment->address, segment->length, flags, next};
}

static uint16_t segment_flags(unsigned int n, unsigned int readable, unsigned int total)
{
	return (uint16_t)((n >= readable ? DESCRIPTOR_WRITE : 0) |
			  (n + 1 < total ? DESCRIPTOR_NEXT : 0));
}

static uint16_t fill_table(struct virtio_queue *queue, const struct virtio_segment *segments,
			   unsigned int readable, unsigned int total)
{
	uint16_t head = take_free(queue);
	struct virtio_descriptor *table = &queue->tables[head * queue->table_size];
	const struct virtio_segment whole = {
	    .address = queue->tables_address + (uint64_t)head * queue->table_size * sizeof(*table),
	    .length = (uint32_t)(total * sizeof(*table)),
	};

	for (unsigned int n = 0; n < total; n++)
		write_descriptor(&table[n], &segments[n], segment_flags(n, readable, total),
				 (uint16_t)(n + 1));
	write_descriptor(&queue->descriptors[head], &whole, DESCRIPTOR_INDIRECT, 0);
	queue->chains[head].count = 1;
	return head;
}

/* The free list is in the order in which entries will be taken: each one's next is known before it is taken. */
static uint16_t fill_chain(struct virtio_queue *queue, const struct virtio_segment *segments,
			   unsigned int readable, unsigned int total)
{
	uint16_t head = queue->free_first;

	for (unsigned int n = 0; n < total; n++) {
		uint16_t at = take_free(queue);

		write_descriptor(&queue->descriptors[at], &segments[n],
				 segment_flags(n, readable, total), queue->free_first);
	}
	queue->chains[head].count = (uint16_t)total;
	return head;
}

long virtio_queue_add(struct virtio_queue *queue, const struct virtio_segment *segments,
		      unsigned int readable, unsigned int writable, void *token)
{
	unsigned int total = readable + writable, entries = entries_for(queue, total);
	uint32_t bytes = 0;
	uint16_t head;

	if (queue->broken)
		return -EIO;
	if (!total || !token || entries > queue->size)
		return -EINVAL;
	if (entries > queue->free_count)
		return -ENOSPC;
	for (unsigned int n = readable; n < total; n++)
		bytes += segments[n].length;
	if (entries < total)
		head = fill_table(queue, segments, readable, total);
	else
		head = fill_chain(queue, segments, readable, total);
	queue->chains[head].token = token;
	queue->chains[head].writable = bytes;
	queue->available->ring[queue->available_index % queue->size] = head;
	queue->available_index++;
	/* 2.7.13.3: the index after what it covers. */
	__atomic_store_n(&queue->available->index, queue->available_index, __ATOMIC_RELEASE);
	return 0;
}

/* 2.7.10.1: was `event` one of the indexes from old to new - 1? All of them wrap at 16 bits. */
static bool covers(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

void virtio_queue_kick(struct virtio_queue *queue)
{
	uint16_t old = queue->notified_index, new = queue->available_index;
	bool wanted;

	if (queue->broken || old == new)
		return;
	queue->notified_index = new;
	/* The index is out before we look whether the device sleeps (2.7.13.4.1). */
	dma_full_barrier();
	if (queue->event_index)
		wanted = covers(available_event(queue), new, old);
	else
		wanted = !(queue->used->flags & USED_NO_NOTIFY);
	if (wanted)
		*queue->notify = queue->index;
}

static void give_back(struct virtio_queue *queue, uint16_t head)
{
	uint16_t last = head;

	for (unsigned int n = 1; n < queue->chains[head].count; n++)
		last = queue->free_next[last];
	queue->free_next[last] = queue->free_first;
	queue->free_first = head;
	queue->free_count = (uint16_t)(queue->free_count + queue->chains[head].count);
	queue->chains[head] = (struct virtio_chain){0};
}

void *virtio_queue_take(struct virtio_queue *queue, uint32_t *written)
{
	uint16_t index = __atomic_load_n(&queue->used->index, __ATOMIC_ACQUIRE);
	const volatile struct virtio_used_element *element;
	uint32_t id, length;
	void *token;

	if (queue->broken || index == queue->used_index)
		return NULL;
	element = &queue->used->ring[queue->used_index % queue->size];
	id = element->id;
	length = element->length;
	/* More done than were given, or one that is not out: the device has lost track, or lies. */
	if ((uint16_t)(index - queue->used_index) > queue->size || id >= queue->size ||
	    !queue->chains[id].token) {
		queue->broken = true;
		return NULL;
	}
	queue->used_index++;
	token = queue->chains[id].token;
	*written = length < queue->chains[id].writable ? length : queue->chains[id].writable;
	give_back(queue, (uint16_t)id);
	return token;
}

void virtio_queue_hush(struct virtio_queue *queue)
{
	/* With event indexes the device is quiet by itself: the index that it looks at lies behind it. */
	if (!queue->event_index)
		queue->available->flags = AVAILABLE_NO_INTERRUPT;
}

bool virtio_queue_listen(struct virtio_queue *queue)
{
	if (queue->event_index)
		*used_event(queue) = queue->used_index;
	else
		queue->available->flags = 0;
	/* What came before the device saw that is found by the look after it (2.7.7.1). */
	dma_full_barrier();
	return queue->broken ||
	       __atomic_load_n(&queue->used->index, __ATOMIC_ACQUIRE) == queue->used_index;
}

void *virtio_queue_take_back(struct virtio_queue *queue)
{
	for (uint16_t head = 0; head < queue->size; head++) {
		void *token = queue->chains[head].token;

		if (!token)
			continue;
		give_back(queue, head);
		return token;
	}
	return NULL;
}
