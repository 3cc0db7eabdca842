/* SPDX-License-Identifier: MIT */
/* The data structures of Identify [5.15.2]. */
#include "drivers/nvme.h"
#include <string.h>

/* A controller without a limit, or with a higher one, gets commands of what one list holds. */
#define MAX_BYTES (NVME_LIST_PAGES * NVME_PAGE)

static uint64_t get(const uint8_t *page, unsigned int offset, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, page + offset, bytes);
	return value;
}

/* Text that ends with spaces; what is not printable is not printed. */
static void get_text(char *text, const uint8_t *page, unsigned int offset, unsigned int bytes)
{
	unsigned int length = 0;

	for (unsigned int i = 0; i < bytes; i++) {
		uint8_t byte = page[offset + i];

		text[i] = byte >= ' ' && byte < 0x7f ? (char)byte : ' ';
		if (text[i] != ' ')
			length = i + 1;
	}
	text[length] = 0;
}

bool nvme_parse_controller(const uint8_t *page, struct nvme_identity *identity)
{
	unsigned int mdts = page[77], sqes = page[512], cqes = page[513];

	get_text(identity->serial, page, 4, sizeof(identity->serial) - 1);
	get_text(identity->model, page, 24, sizeof(identity->model) - 1);
	/* A power of two of the smallest page, which is 4096 (nvme.c). 0: no limit. */
	identity->max_bytes =
	    mdts && mdts < 7 && (NVME_PAGE << mdts) < MAX_BYTES ? NVME_PAGE << mdts : MAX_BYTES;
	identity->namespaces = (uint32_t)get(page, 516, 4);
	identity->namespace_events = get(page, 92, 4) & NVME_EVENT_NAMESPACES;
	identity->dataset = get(page, 520, 2) & 0x4;
	identity->write_cache = page[525] & 0x1;
	/* Entries of 64 and 16 bytes must be possible. */
	return (sqes & 0xf) <= 6 && (sqes >> 4) >= 6 && (cqes & 0xf) <= 4 && (cqes >> 4) >= 4 &&
	       identity->namespaces;
}

const char *nvme_parse_namespace(const uint8_t *page, struct nvme_format *format)
{
	uint64_t blocks = get(page, 0, 8);
	unsigned int formats = page[25], index = (page[26] & 0xf) | (page[26] >> 1 & 0x30);
	uint64_t lba;

	*format = (struct nvme_format){.sectors = 0};
	if (!blocks)
		return NULL;
	if (index > formats || index >= 64)
		return "its format is not one that it has";
	lba = get(page, 128 + 4 * index, 4);
	if (lba & 0xffff)
		return "it is formatted with metadata";
	format->shift = lba >> 16 & 0xff;
	if (format->shift < 9 || format->shift > 12)
		return "its blocks are not of 512 to 4096 bytes";
	if (blocks > (1ul << 63) >> format->shift)
		return "its size makes no sense";
	if (page[29] & 0x7)
		return "it is formatted with protection information";
	format->sectors = blocks << (format->shift - 9);
	format->read_only = page[99] & 0x1;
	return NULL;
}
