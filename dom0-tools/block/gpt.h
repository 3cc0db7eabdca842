/* SPDX-License-Identifier: MIT */
/*
 * GUID partition tables (UEFI 2.10, 5.3). Pure: bytes in, facts out. Nothing of a table is believed before its checksum
 * and its bounds were looked at; a table with any entry that is wrong is refused whole.
 */
#ifndef BLOCK_GPT_H
#define BLOCK_GPT_H

#include <stddef.h>
#include <stdint.h>

#define GPT_HEADER_BYTES    92
#define GPT_MOST_PARTITIONS 128
/* The largest array of entries that is read; what UEFI asks for has 16 KiB. */
#define GPT_MOST_BYTES (64 * 1024)
#define GPT_NAME_BYTES 112
#define GPT_GUID_TEXT  37

/* Blocks are the disk's logical ones. */
struct gpt_header {
	uint64_t first_usable, last_usable;
	uint64_t entries_at; /* block */
	uint32_t entries;    /* how many */
	uint32_t entry_bytes;
	uint32_t entries_crc;
	uint64_t other; /* block of the other copy */
};

struct gpt_partition {
	unsigned int number; /* from 1: its place in the array */
	uint64_t first, last;
	uint8_t type[16], guid[16];
	char name[GPT_NAME_BYTES]; /* UTF-8; what is no character or cannot be printed is '?' */
};

/*
 * Check the header that stands in block `at` of a disk of `blocks` blocks of block_bytes. NULL, or a sentence about what
 * is wrong; GPT_NO_TABLE: nothing there says that it is one.
 */
extern const char GPT_NO_TABLE[];
const char *gpt_check_header(const uint8_t *block, uint32_t block_bytes, uint64_t at,
			     uint64_t blocks, struct gpt_header *header);

/*
 * Check the array of entries, entries * entry_bytes long, and tell the partitions, at most GPT_MOST_PARTITIONS: how many
 * to *count. NULL, or a sentence; then there are none.
 */
const char *gpt_check_entries(const struct gpt_header *header, const uint8_t *bytes,
			      struct gpt_partition *partitions, unsigned int *count);

/* In the usual form of 36 characters (RFC 4122 with UEFI's byte order, appendix A). */
void gpt_guid_text(const uint8_t guid[16], char text[GPT_GUID_TEXT]);

/* The usual CRC-32, of ISO 3309; and one that goes on from the checksum of what came before, 0 at first. */
uint32_t gpt_crc32(const void *bytes, size_t count);
uint32_t gpt_crc32_more(uint32_t before, const void *bytes, size_t count);

#endif
