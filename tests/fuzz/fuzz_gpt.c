/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/block/gpt.c
// runs: 8000
/*
 * Partition tables: whatever the bytes are, nothing outside them is read, and the partitions that come out are on the disk
 * and apart from each other. First byte: 0 or 1, changes (where, what) to a right table, whose checksums are made to fit if
 * it is 1; else the input itself, header first.
 */
#include "block/gpt.h"
#include <stdint.h>
#include <stdlib.h>
#include "gpt_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct table table;
static struct gpt_partition partitions[GPT_MOST_PARTITIONS];

static void change(const uint8_t *data, size_t size)
{
	for (; size >= 3; data += 3, size -= 3) {
		size_t where = data[0] | (size_t)data[1] << 8;

		/* Mostly in the header and the first entries. */
		if (where < 0x4000)
			table.header[where % 92] = data[2];
		else
			table.entries[where % (where < 0xf000 ? 1024 : sizeof(table.entries))] =
			    data[2];
	}
}

static void check_all(const struct gpt_header *header, unsigned int count)
{
	if (count > GPT_MOST_PARTITIONS)
		abort();
	for (unsigned int n = 0; n < count; n++) {
		const struct gpt_partition *p = &partitions[n];

		if (p->first > p->last || p->first < header->first_usable ||
		    p->last >= TABLE_BLOCKS || strlen(p->name) >= GPT_NAME_BYTES)
			abort();
		for (unsigned int k = 0; k < n; k++)
			if (p->first <= partitions[k].last && partitions[k].first <= p->last)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gpt_header header;
	unsigned int count = 0;
	uint8_t *entries;
	size_t bytes;

	if (!size)
		return 0;
	if (data[0] < 2) {
		table_make(&table);
		change(data + 1, size - 1);
		if (data[0])
			table_seal(&table);
	} else {
		memset(&table, 0, sizeof(table));
		memcpy(&table, data + 1, size - 1 < sizeof(table) ? size - 1 : sizeof(table));
	}
	if (gpt_check_header(table.header, TABLE_BLOCK, 1, TABLE_BLOCKS, &header))
		return 0;
	/* Exactly as large as it says: the sanitizer sees who reads on. */
	bytes = (size_t)header.entries * header.entry_bytes;
	if (bytes > sizeof(table.entries))
		abort();
	entries = malloc(bytes);
	memcpy(entries, table.entries, bytes);
	if (!gpt_check_entries(&header, entries, partitions, &count))
		check_all(&header, count);
	else if (count)
		abort();
	free(entries);
	return 0;
}
