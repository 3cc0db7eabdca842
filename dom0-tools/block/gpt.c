/* SPDX-License-Identifier: MIT */
#include "gpt.h"
#include <stdbool.h>
#include <string.h>

/* Table 5-5, the header, and 5-6, an entry: offsets. */
#define HEADER_SIGNATURE    0
#define HEADER_REVISION	    8
#define HEADER_SIZE	    12
#define HEADER_CRC	    16
#define HEADER_MY_BLOCK	    24
#define HEADER_OTHER	    32
#define HEADER_FIRST_USABLE 40
#define HEADER_LAST_USABLE  48
#define HEADER_ENTRIES_AT   72
#define HEADER_ENTRIES	    80
#define HEADER_ENTRY_BYTES  84
#define HEADER_ENTRIES_CRC  88

#define ENTRY_TYPE	    0
#define ENTRY_GUID	    16
#define ENTRY_FIRST	    32
#define ENTRY_LAST	    40
#define ENTRY_NAME	    56
#define ENTRY_NAME_UNITS    36
#define ENTRY_LEAST_BYTES   128

const char GPT_NO_TABLE[] = "no partition table";

static uint32_t get32(const uint8_t *from)
{
	return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static uint64_t get64(const uint8_t *from)
{
	return get32(from) | (uint64_t)get32(from + 4) << 32;
}

static uint32_t crc_table[256];

/* Element n: what eight steps make of n. Its second element is not 0 when it is there. */
static void make_crc_table(void)
{
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t crc = n;

		for (unsigned int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
		crc_table[n] = crc;
	}
}

uint32_t gpt_crc32_more(uint32_t before, const void *bytes, size_t count)
{
	const uint8_t *from = bytes;
	uint32_t crc = ~before;

	if (!crc_table[1])
		make_crc_table();
	for (; count; count--)
		crc = crc >> 8 ^ crc_table[(crc ^ *from++) & 0xff];
	return ~crc;
}

uint32_t gpt_crc32(const void *bytes, size_t count)
{
	return gpt_crc32_more(0, bytes, count);
}

/* The header's own checksum counts as 0 in it. */
static uint32_t header_crc(const uint8_t *block, uint32_t bytes)
{
	static const uint8_t zero[4];
	uint32_t crc = gpt_crc32(block, HEADER_CRC);

	crc = gpt_crc32_more(crc, zero, sizeof(zero));
	return gpt_crc32_more(crc, block + HEADER_CRC + 4, bytes - HEADER_CRC - 4);
}

static const char *check_bounds(const struct gpt_header *header, uint32_t block_bytes,
				uint64_t blocks)
{
	uint64_t bytes = (uint64_t)header->entries * header->entry_bytes;
	uint64_t length = (bytes + block_bytes - 1) / block_bytes;

	if (header->entry_bytes < ENTRY_LEAST_BYTES ||
	    header->entry_bytes & (header->entry_bytes - 1))
		return "the partition table's entries have an impossible size";
	if (!header->entries || bytes > GPT_MOST_BYTES)
		return "the partition table has none or too many entries";
	if (header->entries_at < 2 || header->entries_at >= blocks ||
	    length > blocks - header->entries_at)
		return "the partition table's entries are not on the disk";
	if (header->first_usable < 2 || header->first_usable > header->last_usable ||
	    header->last_usable >= blocks)
		return "the partition table does not fit the disk";
	/* 5.3.1: none of its own blocks may be in a partition. */
	if (header->entries_at <= header->last_usable &&
	    header->entries_at + length > header->first_usable)
		return "the partition table's entries are where partitions may be";
	return NULL;
}

const char *gpt_check_header(const uint8_t *block, uint32_t block_bytes, uint64_t at,
			     uint64_t blocks, struct gpt_header *header)
{
	uint32_t bytes = get32(block + HEADER_SIZE);

	if (memcmp(block + HEADER_SIGNATURE, "EFI PART", 8) != 0)
		return GPT_NO_TABLE;
	if (get32(block + HEADER_REVISION) >> 16 != 1)
		return "the partition table is of an unknown revision";
	if (bytes < GPT_HEADER_BYTES || bytes > block_bytes)
		return "the partition table's header has an impossible size";
	if (header_crc(block, bytes) != get32(block + HEADER_CRC))
		return "the partition table's header is damaged: its checksum is wrong";
	if (get64(block + HEADER_MY_BLOCK) != at)
		return "the partition table's header is a copy from elsewhere";
	*header = (struct gpt_header){
	    .first_usable = get64(block + HEADER_FIRST_USABLE),
	    .last_usable = get64(block + HEADER_LAST_USABLE),
	    .entries_at = get64(block + HEADER_ENTRIES_AT),
	    .entries = get32(block + HEADER_ENTRIES),
	    .entry_bytes = get32(block + HEADER_ENTRY_BYTES),
	    .entries_crc = get32(block + HEADER_ENTRIES_CRC),
	    .other = get64(block + HEADER_OTHER),
	};
	return check_bounds(header, block_bytes, blocks);
}

/* One character in UTF-8; returns how many bytes. */
static size_t put_character(char *to, uint32_t c)
{
	/* Control characters would go to a terminal; those of no meaning are not text. */
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000) || c >= 0xfffe)
		c = '?';
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | c >> 12);
	to[1] = (char)(0x80 | (c >> 6 & 0x3f));
	to[2] = (char)(0x80 | (c & 0x3f));
	return 3;
}
_Static_assert(GPT_NAME_BYTES > 3 * ENTRY_NAME_UNITS, "a name fits");

/* UTF-16; characters beyond the basic plane come out as two '?'. */
static void read_name(const uint8_t *from, char *to)
{
	for (unsigned int n = 0; n < ENTRY_NAME_UNITS; n++) {
		uint32_t c = from[2 * n] | (uint32_t)from[2 * n + 1] << 8;

		if (!c)
			break;
		to += put_character(to, c);
	}
	*to = '\0';
}

static bool is_unused(const uint8_t *entry)
{
	static const uint8_t none[16];

	return memcmp(entry + ENTRY_TYPE, none, sizeof(none)) == 0;
}

static bool overlaps_one(const struct gpt_partition *partitions, unsigned int count, uint64_t first,
			 uint64_t last)
{
	for (unsigned int n = 0; n < count; n++)
		if (first <= partitions[n].last && partitions[n].first <= last)
			return true;
	return false;
}

static const char *check_entry(const struct gpt_header *header, const uint8_t *entry,
			       const struct gpt_partition *before, unsigned int count)
{
	uint64_t first = get64(entry + ENTRY_FIRST), last = get64(entry + ENTRY_LAST);

	if (count >= GPT_MOST_PARTITIONS)
		return "the partition table has more than 128 partitions";
	if (first > last || first < header->first_usable || last > header->last_usable)
		return "a partition is not within the part of the disk that is for partitions";
	if (overlaps_one(before, count, first, last))
		return "two partitions overlap";
	return NULL;
}

const char *gpt_check_entries(const struct gpt_header *header, const uint8_t *bytes,
			      struct gpt_partition *partitions, unsigned int *count)
{
	unsigned int found = 0;

	*count = 0;
	if (gpt_crc32(bytes, (size_t)header->entries * header->entry_bytes) != header->entries_crc)
		return "the partition table's entries are damaged: their checksum is wrong";
	for (uint32_t n = 0; n < header->entries; n++) {
		const uint8_t *entry = bytes + (size_t)n * header->entry_bytes;
		struct gpt_partition *partition = &partitions[found];
		const char *problem;

		if (is_unused(entry))
			continue;
		problem = check_entry(header, entry, partitions, found);
		if (problem)
			return problem;
		partition->number = n + 1;
		partition->first = get64(entry + ENTRY_FIRST);
		partition->last = get64(entry + ENTRY_LAST);
		memcpy(partition->type, entry + ENTRY_TYPE, sizeof(partition->type));
		memcpy(partition->guid, entry + ENTRY_GUID, sizeof(partition->guid));
		read_name(entry + ENTRY_NAME, partition->name);
		found++;
	}
	*count = found;
	return NULL;
}

/* The first three fields are numbers, lowest byte first; the rest is bytes. */
void gpt_guid_text(const uint8_t guid[16], char text[GPT_GUID_TEXT])
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	static const char digits[] = "0123456789abcdef";

	for (unsigned int n = 0; n < 16; n++) {
		if (n == 4 || n == 6 || n == 8 || n == 10)
			*text++ = '-';
		*text++ = digits[guid[order[n]] >> 4];
		*text++ = digits[guid[order[n]] & 15];
	}
	*text = '\0';
}
