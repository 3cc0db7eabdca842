/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/pci/virtio_queue.c
/* Split virtqueues against a device of ours, which behaves well or lies. */
#include "pci/virtio.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "unit.h"

#define SIZE	   8
#define INDIRECT   4

#define F_NEXT	   1
#define F_WRITE	   2
#define F_INDIRECT 4

static struct virtio_queue queue;
static uint16_t notify;
static void *memory;
static int tokens[64];

static void make(bool tables, bool event_index)
{
	queue = (struct virtio_queue){.size = SIZE, .event_index = event_index};
	memory = aligned_alloc(16, (virtio_rings_bytes(SIZE) + 15) / 16 * 16);
	queue.chains = calloc(SIZE, sizeof(*queue.chains));
	queue.free_next = calloc(SIZE, sizeof(*queue.free_next));
	if (tables) {
		queue.tables = calloc(SIZE * INDIRECT, sizeof(*queue.tables));
		queue.tables_address = (dma_address_t)queue.tables;
		queue.table_size = INDIRECT;
	}
	queue.notify = &notify;
	queue.index = 5;
	virtio_rings_init(&queue, memory, (dma_address_t)memory);
	notify = 0;
}

static void unmake(void)
{
	free(queue.chains);
	free(queue.free_next);
	free(queue.tables);
	free(memory);
}

static long add(unsigned int readable, unsigned int writable, void *token)
{
	struct virtio_segment segments[16];

	for (unsigned int i = 0; i < 16; i++)
		segments[i] = (struct virtio_segment){0x1000 * (i + 1), 100 + i};
	return virtio_queue_add(&queue, segments, readable, writable, token);
}

/* The device says that it is done with a head. */
static void finish(uint32_t id, uint32_t length)
{
	queue.used->ring[queue.used->index % SIZE] = (struct virtio_used_element){id, length};
	queue.used->index++;
}

static uint16_t last_head(void)
{
	return queue.available->ring[(uint16_t)(queue.available->index - 1) % SIZE];
}

static void test_chain(void **state)
{
	const struct virtio_descriptor *d;
	uint32_t written = 99;

	make(false, false);
	assert_int_equal(add(2, 1, &tokens[0]), 0);
	assert_int_equal(queue.available->index, 1);
	d = &queue.descriptors[last_head()];
	assert_int_equal(d->address, 0x1000);
	assert_int_equal(d->length, 100);
	assert_int_equal(d->flags, F_NEXT);
	d = &queue.descriptors[d->next];
	assert_int_equal(d->flags, F_NEXT);
	d = &queue.descriptors[d->next];
	assert_int_equal(d->address, 0x3000);
	assert_int_equal(d->flags, F_WRITE);
	virtio_queue_kick(&queue);
	assert_int_equal(notify, 5);
	assert_null(virtio_queue_take(&queue, &written));
	finish(last_head(), 7);
	assert_ptr_equal(virtio_queue_take(&queue, &written), &tokens[0]);
	assert_int_equal(written, 7);
	assert_int_equal(queue.free_count, SIZE);
	unmake();
}

static void test_indirect(void **state)
{
	uint16_t head;

	make(true, false);
	assert_int_equal(add(1, 3, &tokens[0]), 0);
	head = last_head();
	assert_int_equal(queue.free_count, SIZE - 1);
	assert_int_equal(queue.descriptors[head].flags, F_INDIRECT);
	assert_int_equal(queue.descriptors[head].length, 4 * 16);
	assert_int_equal(queue.descriptors[head].address,
			 queue.tables_address + head * INDIRECT * 16u);
	assert_int_equal(queue.tables[head * INDIRECT].flags, F_NEXT);
	assert_int_equal(queue.tables[head * INDIRECT + 3].flags, F_WRITE);
	/* One alone needs no table, and more than a table holds become a chain. */
	assert_int_equal(add(1, 0, &tokens[1]), 0);
	assert_int_equal(queue.descriptors[last_head()].flags, 0);
	assert_int_equal(add(4, 1, &tokens[2]), 0);
	assert_int_equal(queue.free_count, SIZE - 7);
	unmake();
}

static void test_limits(void **state)
{
	make(false, false);
	assert_int_equal(add(0, 0, &tokens[0]), -EINVAL);
	assert_int_equal(add(1, 0, NULL), -EINVAL);
	assert_int_equal(add(SIZE, 1, &tokens[0]), -EINVAL);
	assert_int_equal(add(SIZE - 1, 0, &tokens[0]), 0);
	assert_false(virtio_queue_has_room(&queue, 2));
	assert_true(virtio_queue_has_room(&queue, 1));
	assert_int_equal(add(1, 1, &tokens[1]), -ENOSPC);
	assert_int_equal(add(1, 0, &tokens[1]), 0);
	assert_int_equal(queue.free_count, 0);
	unmake();
}

static void expect_broken(void)
{
	uint32_t written;

	assert_null(virtio_queue_take(&queue, &written));
	assert_true(queue.broken);
	assert_int_equal(add(1, 0, &tokens[9]), -EIO);
	assert_true(virtio_queue_listen(&queue));
	unmake();
}

static void test_id_out_of_range(void **state)
{
	make(false, false);
	add(1, 1, &tokens[0]);
	finish(SIZE, 0);
	expect_broken();
	make(false, false);
	add(1, 1, &tokens[0]);
	finish(0xffffffff, 0);
	expect_broken();
}

static void test_id_not_out(void **state)
{
	uint32_t written;
	uint16_t head;

	make(false, false);
	add(1, 1, &tokens[0]);
	head = last_head();
	/* The second descriptor of a chain is no head. */
	finish(queue.descriptors[head].next, 0);
	expect_broken();
	make(false, false);
	add(1, 1, &tokens[0]);
	head = last_head();
	finish(head, 0);
	assert_non_null(virtio_queue_take(&queue, &written));
	finish(head, 0);
	expect_broken();
}

static void test_index_jumps(void **state)
{
	make(false, false);
	add(1, 1, &tokens[0]);
	finish(last_head(), 0);
	queue.used->index = (uint16_t)(queue.used_index + SIZE + 1);
	expect_broken();
	make(false, false);
	add(1, 1, &tokens[0]);
	finish(last_head(), 0);
	queue.used->index = (uint16_t)(queue.used_index - 1);
	expect_broken();
}

static void test_length_is_cut(void **state)
{
	uint32_t written;

	make(false, false);
	add(1, 2, &tokens[0]); /* 101 and 102 bytes that it may write */
	finish(last_head(), 0xffffffff);
	assert_non_null(virtio_queue_take(&queue, &written));
	assert_int_equal(written, 203);
	unmake();
}

/* The device writes over all of the descriptors and the available ring: what we know does not stand there. */
static void test_rings_overwritten(void **state)
{
	uint32_t written;
	uint16_t heads[2];

	make(false, false);
	add(2, 1, &tokens[0]);
	heads[0] = last_head();
	add(1, 3, &tokens[1]);
	heads[1] = last_head();
	memset(queue.descriptors, 0xff, SIZE * sizeof(*queue.descriptors));
	memset(queue.available->ring, 0xff, SIZE * sizeof(uint16_t));
	finish(heads[1], 1);
	finish(heads[0], 1);
	assert_ptr_equal(virtio_queue_take(&queue, &written), &tokens[1]);
	assert_ptr_equal(virtio_queue_take(&queue, &written), &tokens[0]);
	assert_int_equal(queue.free_count, SIZE);
	for (unsigned int i = 0; i < SIZE; i++)
		assert_int_equal(add(1, 0, &tokens[i]), 0);
	unmake();
}

static void test_event_index(void **state)
{
	volatile uint16_t *wants;
	uint32_t written;

	make(false, true);
	wants = (volatile uint16_t *)&queue.used->ring[SIZE];
	*wants = 0;
	add(1, 0, &tokens[0]);
	virtio_queue_kick(&queue);
	assert_int_equal(notify, 5);
	/* It still works on the first one and does not want to be told of the second, but of the third. */
	notify = 0;
	*wants = 2;
	add(1, 0, &tokens[1]);
	virtio_queue_kick(&queue);
	assert_int_equal(notify, 0);
	add(1, 0, &tokens[2]);
	virtio_queue_kick(&queue);
	assert_int_equal(notify, 5);
	/* Nothing new: nothing to tell. */
	notify = 0;
	virtio_queue_kick(&queue);
	assert_int_equal(notify, 0);
	assert_true(virtio_queue_listen(&queue));
	finish(queue.available->ring[0], 0);
	assert_false(virtio_queue_listen(&queue));
	assert_non_null(virtio_queue_take(&queue, &written));
	assert_true(virtio_queue_listen(&queue));
	assert_int_equal(queue.available->ring[SIZE], 1);
	unmake();
}

static void test_flags_without_event_index(void **state)
{
	make(false, false);
	virtio_queue_hush(&queue);
	assert_int_equal(queue.available->flags, 1);
	assert_true(virtio_queue_listen(&queue));
	assert_int_equal(queue.available->flags, 0);
	queue.used->flags = 1;
	add(1, 0, &tokens[0]);
	virtio_queue_kick(&queue);
	assert_int_equal(notify, 0);
	unmake();
}

static void test_take_back(void **state)
{
	unsigned int seen = 0;
	int *token;

	make(true, true);
	add(1, 2, &tokens[0]);
	add(1, 0, &tokens[1]);
	add(5, 0, &tokens[2]);
	queue.broken = true;
	while ((token = virtio_queue_take_back(&queue)) != NULL)
		seen |= 1u << (token - tokens);
	assert_int_equal(seen, 7);
	assert_int_equal(queue.free_count, SIZE);
	virtio_rings_reset(&queue);
	assert_int_equal(add(1, 2, &tokens[0]), 0);
	assert_int_equal(queue.available->index, 1);
	unmake();
}

/* Round the 16 bits of all indexes, a few in flight, in an order of the device's own. */
static void test_wrap(void **state)
{
	uint16_t flying[3];
	unsigned int in = 0;
	uint32_t written;

	make(true, true);
	for (unsigned int i = 0; i < 3; i++, in++) {
		assert_int_equal(add(1, 1, &tokens[i]), 0);
		flying[i] = last_head();
	}
	for (; in < 200000; in++) {
		unsigned int which = in * 7 % 3;
		int *token;

		finish(flying[which], 1);
		token = virtio_queue_take(&queue, &written);
		assert_non_null(token);
		assert_int_equal(add(1, 1 + in % 4, token), 0);
		flying[which] = last_head();
		virtio_queue_kick(&queue);
	}
	assert_false(queue.broken);
	unmake();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chain),	  cmocka_unit_test(test_indirect),
	    cmocka_unit_test(test_limits),	  cmocka_unit_test(test_id_out_of_range),
	    cmocka_unit_test(test_id_not_out),	  cmocka_unit_test(test_index_jumps),
	    cmocka_unit_test(test_length_is_cut), cmocka_unit_test(test_rings_overwritten),
	    cmocka_unit_test(test_event_index),	  cmocka_unit_test(test_flags_without_event_index),
	    cmocka_unit_test(test_take_back),	  cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
