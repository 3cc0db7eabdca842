/* SPDX-License-Identifier: MIT */
/* What is in a journal's blocks. All numbers are big-endian. Of journal.c and recover.c alone. */
#ifndef VOLUME_JOURNAL_FORMAT_H
#define VOLUME_JOURNAL_FORMAT_H

#include <stdint.h>
#include "volume/journal.h"

#define JOURNAL_MAGIC 0xc03b3998

/* Each block but the logged ones begins with three words: the magic, a type, the transaction's sequence. */
#define JOURNAL_HEADER 12
enum {
	JOURNAL_DESCRIPTOR = 1,
	JOURNAL_COMMIT = 2,
	JOURNAL_SUPER_1 = 3,
	JOURNAL_SUPER_2 = 4,
	JOURNAL_REVOKE = 5
};

/* Words of the superblock. */
enum {
	SUPER_BLOCK_SIZE = 3,
	SUPER_LENGTH = 4,
	SUPER_FIRST = 5,
	SUPER_SEQUENCE = 6,
	SUPER_START = 7, /* 0: the log is empty */
	SUPER_ERROR = 8,
	SUPER_COMPAT = 9,
	SUPER_INCOMPAT = 10,
	SUPER_RO_COMPAT = 11,
	SUPER_UUID = 12,	  /* four words */
	SUPER_CHECKSUM_TYPE = 20, /* its first byte */
	SUPER_FAST_BLOCKS = 21,
	SUPER_CHECKSUM = 63,
};
#define CHECKSUM_TYPE_CRC32C  4

#define INCOMPAT_REVOKE	      0x01
#define INCOMPAT_64BIT	      0x02
#define INCOMPAT_ASYNC_COMMIT 0x04
#define INCOMPAT_CHECKSUM_2   0x08
#define INCOMPAT_CHECKSUM_3   0x10
#define INCOMPAT_FAST_COMMIT  0x20

/* Tags follow a descriptor's header. With CHECKSUM_3: block, flags, high half, checksum: 4 bytes each. */
#define TAG_3	      16
#define TAG_ESCAPED   0x1 /* the block began with the magic, which is zeroed in the log */
#define TAG_SAME_UUID 0x2 /* no UUID follows the tag */
#define TAG_LAST      0x8
#define UUID_SIZE     16
/* The checksum at the end of descriptors and revocations; one field of a commit block. */
#define TAIL		4
#define COMMIT_CHECKSUM 16
#define COMMIT_SECONDS	48

/* A word of a block, by its offset in bytes. */
static inline uint32_t journal_word(const void *block, uint32_t offset)
{
	uint32_t word;

	__builtin_memcpy(&word, (const char *)block + offset, sizeof(word));
	return __builtin_bswap32(word);
}

static inline void journal_set_word(void *block, uint32_t offset, uint32_t value)
{
	value = __builtin_bswap32(value);
	__builtin_memcpy((char *)block + offset, &value, sizeof(value));
}

static inline uint32_t journal_super(const struct journal *journal, unsigned int word)
{
	return __builtin_bswap32(journal->super.words[word]);
}

static inline void journal_set_super(struct journal *journal, unsigned int word, uint32_t value)
{
	journal->super.words[word] = __builtin_bswap32(value);
}

/* The block of the disk that is block n of the journal. -EIO: there is none. */
long journal_map(const struct journal *journal, uint32_t n, uint64_t *block);
long journal_write_super(struct journal *journal);
/* Of a logged block, as it is in the log. */
uint32_t journal_data_checksum(const struct journal *journal, uint32_t sequence, const void *data);
/* Of a block with a checksum of its own at an offset, which counts as 0. */
uint32_t journal_block_checksum(const struct journal *journal, void *block, uint32_t offset);

#endif
