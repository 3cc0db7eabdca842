/* SPDX-License-Identifier: MIT */
/*
 * Blocks of a volume's metadata in memory. What libext2fs writes stays here, and nowhere else, until the transaction that
 * it belongs to is in the journal. Blocks with files' data never come here.
 *
 * For threads, under the volume's lock. Errors are negative errnos.
 */
#ifndef VOLUME_CACHE_H
#define VOLUME_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include "volume/disk.h"

#define CACHE_HASH 256

struct buffer {
	uint64_t block;
	void *data;		    /* a page */
	struct buffer *chain;	    /* others of the same hash */
	struct buffer *next, *prev; /* in `clean` or `dirty` */
	bool dirty;
};

struct cache {
	struct volume_disk *disk;
	unsigned int limit; /* buffers, unless more than that are dirty */
	bool write_through; /* no transactions: what is written goes to the disk at once */

	/* Of cache.c. Both lists are circular, the longest unused or the first made dirty first. */
	struct buffer clean, dirty;
	unsigned int count, dirty_count;
	struct buffer *spare; /* in neither list */
	struct buffer *hash[CACHE_HASH];
};

void cache_init(struct cache *cache, struct volume_disk *disk, unsigned int limit);
/* Forget everything, dirty or not, and free it. */
void cache_clear(struct cache *cache);

/* Bytes from an offset of the disk; they may cross blocks. -EIO, -ENOMEM */
long cache_read(struct cache *cache, uint64_t offset, void *data, uint64_t size);
long cache_write(struct cache *cache, uint64_t offset, const void *data, uint64_t size);

/* The dirty blocks are in their places on the disk, or in a journal: they are clean. */
void cache_clean(struct cache *cache);

#endif
