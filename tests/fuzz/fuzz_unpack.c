/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/unpack.c
// flags: -isystem $(THIRD_PARTY)/7zip/C
// libs: -lz -llzma -llz4 -lzstd
// runs: 3000
/* Compressed kernels: whatever the file holds, it is refused or unpacks to the size that it claims. */
#include "boot/boot.h"
#include "mm/mm.h"
#include "packed.h"

void *kzalloc(size_t size)
{
	return calloc(1, size);
}

void kfree(void *p)
{
	free(p);
}

/* Claims of more than 1 MiB get no memory: they are no more interesting than smaller ones, but slower. */
void *alloc_pages(unsigned int order, unsigned int flags)
{
	return order > 8 ? NULL : malloc(PAGE_SIZE << order);
}

void free_pages_virt(void *p, unsigned int order)
{
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First byte: 0 to 3, changes (where, what) to a right bzImage of that format; else the input itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t plain[3000], file[8192];
	const void *input = data;
	size_t length = size, out_size;
	void *out;

	if (size && data[0] < PACKERS) {
		for (size_t i = 0; i < sizeof(plain); i++)
			plain[i] = i * i >> 5;
		length = make_bzimage(data[0], plain, sizeof(plain), file, sizeof(file));
		for (size_t i = 1; i + 2 < size; i += 3)
			file[(data[i] | data[i + 1] << 8) % length] = data[i + 2];
		input = file;
	}
	if (!unpack_kernel(input, length, &out, &out_size) && out) {
		((uint8_t *)out)[out_size - 1]++;
		unpack_free(out, out_size);
	}
	return 0;
}
