/* SPDX-License-Identifier: MIT */
// sources: loader/unpack.c
// flags: -isystem $(THIRD_PARTY)/7zip/C -DPIECE=100
// libs: -lz -llzma -llz4 -lzstd
// runs: 3000
/* Compressed kernels: whatever the file holds, it is refused or unpacks to the size that it claims. */
#include "loader/loader.h"
#include "packed.h"

void *unpack_alloc(size_t size)
{
	return calloc(1, size);
}

void unpack_free(void *p)
{
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First byte: 0 to 3, changes (where, what) to a right bzImage of that format; else the input itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t plain[3000], file[8192];
	const void *input = data;
	size_t length = size;
	struct packed packed;
	uint8_t *out;

	if (size && data[0] < PACKERS) {
		for (size_t i = 0; i < sizeof(plain); i++)
			plain[i] = i * i >> 5;
		length = make_bzimage(data[0], plain, sizeof(plain), file, sizeof(file));
		for (size_t i = 1; i + 2 < size; i += 3)
			file[(data[i] | data[i + 1] << 8) % length] = data[i + 2];
		input = file;
	}
	/* Claims of more than 1 MiB get no memory: they are no more interesting than smaller ones, but slower. */
	if (unpack_find(input, length, &packed) || !packed.format || packed.unpacked > 1 << 20)
		return 0;
	out = malloc(packed.unpacked);
	if (!unpack(&packed, out))
		out[packed.unpacked - 1]++;
	free(out);
	return 0;
}
