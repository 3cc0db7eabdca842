/* SPDX-License-Identifier: MIT */
/*
 * The two checksums that ext4 uses, in place of libext2fs's own files of that purpose: CRC-32C (polynomial 0x1edc6f41)
 * and CRC-16 (0x8005), both with bits reflected, without inversion at either end.
 */
#include "volume/checksum.h"

#define POLYNOMIAL_32C 0x82f63b78
#define POLYNOMIAL_16  0xa001

/* table[n][byte]: what a byte followed by n zero bytes makes. */
static uint32_t table[8][256];

static void make_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (unsigned int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL_32C : 0);
		table[0][byte] = crc;
	}
	for (unsigned int n = 1; n < 8; n++)
		for (unsigned int byte = 0; byte < 256; byte++)
			table[n][byte] =
			    table[n - 1][byte] >> 8 ^ table[0][table[n - 1][byte] & 0xff];
}

static uint32_t add_word(uint32_t crc, const unsigned char *bytes)
{
	uint64_t word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	word ^= crc;
	crc = 0;
	for (unsigned int n = 0; n < 8; n++)
		crc ^= table[7 - n][word >> 8 * n & 0xff];
	return crc;
}

/* Threads that come here first at the same time write the same numbers. */
uint32_t ext2fs_crc32c_le(uint32_t crc, const unsigned char *bytes, size_t size)
{
	if (!table[7][1])
		make_table();
	for (; size >= 8; bytes += 8, size -= 8)
		crc = add_word(crc, bytes);
	for (; size; bytes++, size--)
		crc = crc >> 8 ^ table[0][(crc ^ *bytes) & 0xff];
	return crc;
}

uint16_t ext2fs_crc16(uint16_t crc, const void *data, unsigned int size)
{
	const unsigned char *bytes = data;

	for (unsigned int i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? POLYNOMIAL_16 : 0));
	}
	return crc;
}
