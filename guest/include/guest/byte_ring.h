/* SPDX-License-Identifier: MIT */
/*
 * A ring of bytes between two parties that do not trust each other, as those of console and store: bytes, and two
 * indexes that only count up. One party puts and owns the producer's index, the other takes and owns the
 * consumer's. Pure; whoever moves bytes tells the other party by an event afterwards.
 *
 * The other party may write anything anywhere at any time. The worst it does is to spoil what it is told or tells:
 * no access leaves the ring, and an impossible pair of indexes is an error.
 */
#ifndef GUEST_BYTE_RING_H
#define GUEST_BYTE_RING_H

#include <stddef.h>
#include <stdint.h>

struct byte_ring {
	char *bytes;
	uint32_t size; /* a power of two */
	uint32_t *producer, *consumer;
};

/* Put or take as many as there is room for or are there, at most count: how many, or -1 when the indexes are impossible. */
long byte_ring_put(const struct byte_ring *ring, const void *from, size_t count);
long byte_ring_take(const struct byte_ring *ring, void *to, size_t count);

/* How many bytes are in it, or -1. The room is the ring's size less that. */
long byte_ring_used(const struct byte_ring *ring);

#endif
