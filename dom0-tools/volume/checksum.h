/* SPDX-License-Identifier: MIT */
/* CRC-32C and CRC-16 under the names by which libext2fs calls them; the first is used by the journal too. Any context. */
#ifndef VOLUME_CHECKSUM_H
#define VOLUME_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint32_t ext2fs_crc32c_le(uint32_t crc, const unsigned char *bytes, size_t size);
uint16_t ext2fs_crc16(uint16_t crc, const void *data, unsigned int size);

#endif
