/* SPDX-License-Identifier: MIT */
#include <guest/byte_ring.h>
#include <guest/string.h>

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Both indexes, read once: all else is figured from these copies. False: no ring has them. */
static int look(const struct byte_ring *ring, uint32_t *producer, uint32_t *consumer)
{
	*producer = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	*consumer = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	return *producer - *consumer <= ring->size;
}

long byte_ring_put(const struct byte_ring *ring, const void *from, size_t count)
{
	uint32_t producer, consumer, at;
	size_t to_end;

	if (!look(ring, &producer, &consumer))
		return -1;
	at = producer & (ring->size - 1);
	count = smaller(count, ring->size - (producer - consumer));
	to_end = smaller(count, ring->size - at);
	/* The other has taken what was there before it is overwritten. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	memcpy(ring->bytes + at, from, to_end);
	memcpy(ring->bytes, (const char *)from + to_end, count - to_end);
	/* The bytes are there before the index says so. */
	__atomic_store_n(ring->producer, producer + (uint32_t)count, __ATOMIC_RELEASE);
	return (long)count;
}

long byte_ring_take(const struct byte_ring *ring, void *to, size_t count)
{
	uint32_t producer, consumer, at;
	size_t to_end;

	if (!look(ring, &producer, &consumer))
		return -1;
	at = consumer & (ring->size - 1);
	count = smaller(count, producer - consumer);
	to_end = smaller(count, ring->size - at);
	memcpy(to, ring->bytes + at, to_end);
	memcpy((char *)to + to_end, ring->bytes, count - to_end);
	/* All of it is taken before the other may write there again. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(ring->consumer, consumer + (uint32_t)count, __ATOMIC_RELEASE);
	return (long)count;
}

long byte_ring_used(const struct byte_ring *ring)
{
	uint32_t producer, consumer;

	return look(ring, &producer, &consumer) ? (long)(producer - consumer) : -1;
}
