/* SPDX-License-Identifier: MIT */
/*
 * The journal of an ext4 volume, in the format that Linux calls JBD2 ("Journal" in the kernel's documentation of ext4's
 * on-disk format). A transaction is a set of blocks that reach their places together or not at all:
 *
 *	descriptor, blocks ... -> flush -> commit block -> flush -> the blocks go to their places
 *
 * The log is written from its start and, when a transaction no longer fits, emptied: once the blocks are stable in
 * their places nothing in the log is needed. So it never wraps around here; what others left may.
 *
 * For threads, under the volume's lock. Errors are negative errnos.
 */
#ifndef VOLUME_JOURNAL_H
#define VOLUME_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "volume/cache.h"
#include "volume/disk.h"

/* Where the journal's blocks lie, in their order. */
struct journal_run {
	uint64_t block;
	uint32_t count;
};

#define JOURNAL_RUNS	   64
#define JOURNAL_SUPERBLOCK 1024

struct journal {
	struct volume_disk *disk;
	struct journal_run runs[JOURNAL_RUNS]; /* of the caller; zero at the end */

	/* Of journal.c. */
	uint32_t first, length; /* the log is [first, length), in blocks of the journal */
	uint32_t sequence;	/* of the next transaction */
	uint32_t head;		/* where it goes; 0: the log is empty, and its superblock says so */
	uint32_t seed;		/* of checksums */
	void *page;		/* the block that is being made or read */
	union {
		uint32_t words[JOURNAL_SUPERBLOCK / 4]; /* big-endian */
		unsigned char bytes[JOURNAL_SUPERBLOCK];
	} super;
};

/*
 * Read the journal's superblock. On failure *problem is the end of a sentence that begins with "its journal". Whatever
 * the result, journal_close afterwards.
 */
long journal_open(struct journal *journal, struct volume_disk *disk, const char **problem);
void journal_close(struct journal *journal);

bool journal_is_empty(const struct journal *journal);
/*
 * Carry out the transactions that are in the log, and empty it. Everything is checked before the first block is written.
 * *replayed: how many blocks were written.
 */
long journal_recover(struct journal *journal, unsigned int *replayed, const char **problem);

/* Begin to use an empty journal: from now on with checksums and 64-bit block numbers. */
long journal_start(struct journal *journal);
/* The most blocks that a transaction can have. */
uint32_t journal_room(const struct journal *journal);
/* All of the cache's dirty blocks, as one transaction. They are clean afterwards. seconds: since 1970. */
long journal_commit(struct journal *journal, struct cache *cache, uint64_t seconds);
/* Make what was committed stable in its place, and forget it. */
long journal_empty(struct journal *journal);

#endif
