/* SPDX-License-Identifier: MIT */
/* What ATA disks are told and what they say of themselves (ACS-3, SATA 3.1). Pure: no hardware, no state. */
#ifndef DRIVERS_ATA_H
#define DRIVERS_ATA_H

#include <stdbool.h>
#include <stdint.h>

/* A command in the driver's terms; blocks are the disk's own. */
struct ata_command {
	uint8_t code;
	bool queued; /* NCQ */
	bool fua;    /* of queued ones */
	uint8_t tag;
	uint16_t features;
	uint64_t block;	 /* 48 bits */
	uint32_t blocks; /* up to 65536 */
};

/* The 20 bytes of a register FIS, host to device (SATA 10.5.5). */
void ata_fill_fis(uint8_t fis[64], const struct ata_command *command);

#define ATA_SECTOR 512

struct ata_identity {
	char model[41];
	char serial[21];
	uint64_t sectors; /* of 512 bytes */
	uint32_t logical_size, physical_size;
	unsigned int queue; /* depth with NCQ, 0: none */
	bool fua;
	bool write_cache;
	bool trim;
	bool error_log; /* general purpose logging */
};

/* From the 512 bytes of IDENTIFY DEVICE. NULL, or why the disk cannot be used. */
const char *ata_parse_identify(const uint8_t *page, struct ata_identity *identity);
/* The same disk, after a reset? */
bool ata_same_disk(const struct ata_identity *a, const struct ata_identity *b);

/* The tag of the queued command that failed, from the 512 bytes of log 10h; -1: it does not say. */
int ata_parse_error_log(const uint8_t *page);

/* Entries of DATA SET MANAGEMENT, 512 bytes, for at most so many blocks. */
#define ATA_TRIM_ENTRIES 64
#define ATA_TRIM_BLOCKS	 0xffff /* in an entry */
#define ATA_TRIM_MAX	 ((uint64_t)ATA_TRIM_ENTRIES * ATA_TRIM_BLOCKS)
void ata_fill_trim(uint8_t *page, uint64_t block, uint64_t blocks);

#endif
