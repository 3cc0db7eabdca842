/* SPDX-License-Identifier: MIT */
// sources: guest/byte_ring.c
// flags: -Iguest/include
/* The byte ring of console and store: against a queue, across the wrap of the indexes, and with a peer that lies. */
#include "unit.h"
#include <guest/byte_ring.h>

#define SIZE 64

static char *bytes; /* on the heap, so that a step beyond is noticed */
static uint32_t producer, consumer;
static struct byte_ring ring;

static int start(void **state)
{
	bytes = malloc(SIZE);
	memset(bytes, '-', SIZE);
	ring = (struct byte_ring){bytes, SIZE, &producer, &consumer};
	producer = consumer = 0;
	return 0;
}

static int stop(void **state)
{
	free(bytes);
	return 0;
}

static void full_and_empty(void **state)
{
	char text[2 * SIZE], back[2 * SIZE];

	memset(text, 'x', sizeof(text));
	assert_int_equal(byte_ring_take(&ring, back, sizeof(back)), 0);
	assert_int_equal(byte_ring_put(&ring, text, sizeof(text)), SIZE);
	assert_int_equal(byte_ring_used(&ring), SIZE);
	assert_int_equal(byte_ring_put(&ring, text, 1), 0);
	assert_int_equal(byte_ring_take(&ring, back, sizeof(back)), SIZE);
	assert_memory_equal(text, back, SIZE);
	assert_int_equal(byte_ring_used(&ring), 0);
	assert_int_equal(byte_ring_put(&ring, text, 0), 0);
}

/* Ten thousand numbered bytes in pieces of all sizes, from just before the indexes wrap. */
static void order(void **state)
{
	unsigned int put = 0, taken = 0;

	producer = consumer = UINT32_MAX - 1000;
	for (unsigned int round = 0; taken < 10000; round++) {
		char piece[SIZE];
		size_t size = round * 7 % SIZE;
		long moved;

		for (size_t i = 0; i < size; i++)
			piece[i] = (char)(put + i);
		moved = byte_ring_put(&ring, piece, size);
		assert_true(moved >= 0 && (size_t)moved <= size);
		put += (unsigned int)moved;
		moved = byte_ring_take(&ring, piece, round * 5 % SIZE);
		assert_true(moved >= 0);
		for (long i = 0; i < moved; i++)
			assert_int_equal(piece[i], (char)taken++);
		assert_int_equal(byte_ring_used(&ring), put - taken);
	}
	assert_true(consumer < UINT32_MAX - 1000);
}

static void impossible_indexes(void **state)
{
	static const uint32_t distances[] = {SIZE + 1, 2 * SIZE, 0x80000000, UINT32_MAX};
	char text[SIZE];

	for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
		consumer = 5;
		producer = consumer + distances[i];
		assert_int_equal(byte_ring_put(&ring, text, SIZE), -1);
		assert_int_equal(byte_ring_take(&ring, text, SIZE), -1);
		assert_int_equal(byte_ring_used(&ring), -1);
		assert_int_equal(consumer, 5);
		assert_int_equal(producer, consumer + distances[i]);
	}
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(bytes[i], '-');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(full_and_empty, start, stop),
	    cmocka_unit_test_setup_teardown(order, start, stop),
	    cmocka_unit_test_setup_teardown(impossible_indexes, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
