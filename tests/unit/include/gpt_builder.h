/* SPDX-License-Identifier: MIT */
/* Partition tables for tests: a right one, to be spoiled. Includer provides block/gpt.h. */
#ifndef GPT_BUILDER_H
#define GPT_BUILDER_H

#include <stdint.h>
#include <string.h>

#define TABLE_BLOCK   512
#define TABLE_BLOCKS  100000
#define TABLE_ENTRIES 128
#define TABLE_ENTRY   128

struct table {
	uint8_t header[TABLE_BLOCK];
	uint8_t entries[GPT_MOST_BYTES];
};

static inline void table_put(uint8_t *to, uint64_t value, unsigned int bytes)
{
	for (unsigned int n = 0; n < bytes; n++)
		to[n] = (uint8_t)(value >> 8 * n);
}

static inline uint64_t table_get(const uint8_t *from, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | from[bytes];
	return value;
}

/* Checksums that fit what is there now. */
static inline void table_seal(struct table *table)
{
	uint64_t size = table_get(table->header + 12, 4);
	uint64_t bytes = table_get(table->header + 80, 4) * table_get(table->header + 84, 4);

	if (bytes <= sizeof(table->entries))
		table_put(table->header + 88, gpt_crc32(table->entries, bytes), 4);
	table_put(table->header + 16, 0, 4);
	if (size <= TABLE_BLOCK)
		table_put(table->header + 16, gpt_crc32(table->header, size), 4);
}

static inline void table_entry(struct table *table, unsigned int n, uint64_t first, uint64_t last,
			       const char *name)
{
	uint8_t *entry = table->entries + n * TABLE_ENTRY;

	memset(entry, (int)(0x10 + n), 32);
	table_put(entry + 32, first, 8);
	table_put(entry + 40, last, 8);
	for (unsigned int i = 0; i < 36 && name[i]; i++)
		entry[56 + 2 * i] = (uint8_t)name[i];
}

static inline void table_make(struct table *table)
{
	memset(table, 0, sizeof(*table));
	memcpy(table->header, "EFI PART", 8);
	table_put(table->header + 8, 0x10000, 4);
	table_put(table->header + 12, 92, 4);
	table_put(table->header + 24, 1, 8);
	table_put(table->header + 32, TABLE_BLOCKS - 1, 8);
	table_put(table->header + 40, 34, 8);
	table_put(table->header + 48, TABLE_BLOCKS - 34, 8);
	table_put(table->header + 72, 2, 8);
	table_put(table->header + 80, TABLE_ENTRIES, 4);
	table_put(table->header + 84, TABLE_ENTRY, 4);
	table_entry(table, 0, 2048, 4095, "system");
	table_entry(table, 5, 4096, 9999, "data");
	table_seal(table);
}

#endif
