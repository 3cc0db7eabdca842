/* SPDX-License-Identifier: MIT */
#include "drivers/ata.h"
#include "drivers/ahci_spec.h"
#include <string.h>

void ata_fill_fis(uint8_t fis[64], const struct ata_command *command)
{
	/* Queued commands have their count in the features and the tag in the count. */
	uint32_t count = command->queued ? (uint32_t)command->tag << 3 : command->blocks;
	uint32_t features = command->queued ? command->blocks : command->features;

	memset(fis, 0, 20);
	fis[0] = 0x27;
	fis[1] = 0x80; /* a command, not control */
	fis[2] = command->code;
	fis[3] = (uint8_t)features;
	fis[4] = (uint8_t)command->block;
	fis[5] = (uint8_t)(command->block >> 8);
	fis[6] = (uint8_t)(command->block >> 16);
	fis[7] = ATA_DEVICE_LBA | (command->queued && command->fua ? ATA_DEVICE_FUA : 0);
	fis[8] = (uint8_t)(command->block >> 24);
	fis[9] = (uint8_t)(command->block >> 32);
	fis[10] = (uint8_t)(command->block >> 40);
	fis[11] = (uint8_t)(features >> 8);
	fis[12] = (uint8_t)count;
	fis[13] = (uint8_t)(count >> 8);
}

static uint16_t word(const uint8_t *page, unsigned int n)
{
	return (uint16_t)(page[2 * n] | page[2 * n + 1] << 8);
}

/* Words 83, 84, 87 and 106 are valid if their upper two bits are 01. */
static uint16_t valid_word(const uint8_t *page, unsigned int n)
{
	uint16_t w = word(page, n);

	return w >> 14 == 1 ? w : 0;
}

/* Text has its bytes swapped, and ends with spaces; what is not printable is not printed. */
static void get_text(char *text, const uint8_t *page, unsigned int first, unsigned int bytes)
{
	unsigned int length = 0;

	for (unsigned int i = 0; i < bytes; i++) {
		uint8_t byte = page[2 * first + (i ^ 1)];

		text[i] = byte >= ' ' && byte < 0x7f ? (char)byte : ' ';
		if (text[i] != ' ')
			length = i + 1;
	}
	text[length] = 0;
}

/* Words 106, 117 and 118. */
static void get_sizes(const uint8_t *page, struct ata_identity *identity)
{
	uint16_t sizes = valid_word(page, 106);

	identity->logical_size = ATA_SECTOR;
	if (sizes & 0x1000)
		identity->logical_size = 2 * (word(page, 117) | (uint32_t)word(page, 118) << 16);
	identity->physical_size = identity->logical_size;
	if ((sizes & 0x2000) && (sizes & 0xf) <= 7)
		identity->physical_size = identity->logical_size << (sizes & 0xf);
}

const char *ata_parse_identify(const uint8_t *page, struct ata_identity *identity)
{
	uint64_t blocks = word(page, 100) | (uint64_t)word(page, 101) << 16 |
			  (uint64_t)word(page, 102) << 32 | (uint64_t)word(page, 103) << 48;
	uint32_t size;

	memset(identity, 0, sizeof(*identity));
	get_text(identity->model, page, 27, 40);
	get_text(identity->serial, page, 10, 20);
	if (word(page, 0) & 0x8000)
		return "it is not a disk";
	if (!(word(page, 49) & 0x100) || !(valid_word(page, 83) & 0x400))
		return "it lacks DMA or addresses of 48 bits";
	get_sizes(page, identity);
	size = identity->logical_size;
	if (size < ATA_SECTOR || size > 4096 || (size & (size - 1)))
		return "its sectors are not of 512 to 4096 bytes";
	if (!blocks || blocks >> 48)
		return "its size makes no sense";
	identity->sectors = blocks * (size / ATA_SECTOR);
	if (word(page, 76) != 0xffff && (word(page, 76) & 0x100))
		identity->queue = (word(page, 75) & 0x1fu) + 1;
	identity->fua = valid_word(page, 84) & 0x40;
	identity->error_log = valid_word(page, 84) & 0x20;
	identity->write_cache = word(page, 85) & 0x20;
	identity->trim = word(page, 169) != 0xffff && (word(page, 169) & 1);
	return NULL;
}

bool ata_same_disk(const struct ata_identity *a, const struct ata_identity *b)
{
	return a->sectors == b->sectors && a->logical_size == b->logical_size &&
	       !strcmp(a->model, b->model) && !strcmp(a->serial, b->serial);
}

int ata_parse_error_log(const uint8_t *page)
{
	uint8_t sum = 0;

	for (unsigned int i = 0; i < 512; i++)
		sum = (uint8_t)(sum + page[i]);
	/* Bit 7: it was not a queued command. */
	return sum || (page[0] & 0x80) ? -1 : page[0] & 0x1f;
}

void ata_fill_trim(uint8_t *page, uint64_t block, uint64_t blocks)
{
	memset(page, 0, ATA_SECTOR);
	for (unsigned int i = 0; i < ATA_TRIM_ENTRIES && blocks; i++) {
		uint64_t n = blocks < ATA_TRIM_BLOCKS ? blocks : ATA_TRIM_BLOCKS;
		uint64_t entry = block | n << 48;

		memcpy(page + 8 * i, &entry, 8);
		block += n;
		blocks -= n;
	}
}
