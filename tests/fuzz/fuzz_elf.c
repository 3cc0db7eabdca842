/* SPDX-License-Identifier: MIT */
// sources: loader/elf.c
// runs: 300000
/* Whatever the file holds, it is refused or its segments stay within what was announced. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "loader/loader.h"
#include "elf_builder.h"

static uint64_t size_in_memory;

static void copy(void *context, uint64_t offset, const void *src, size_t filesz, size_t memsz)
{
	static volatile uint8_t sink __attribute__((unused));

	if (offset > size_in_memory || memsz > size_in_memory - offset || filesz > memsz)
		abort();
	for (size_t i = 0; i < filesz; i++)
		sink += ((const uint8_t *)src)[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is a list of changes (two bytes where, one byte what) to a right image, so that most headers
 * are nearly right; a first byte that is odd means the input itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct test_image image;
	struct elf_image out;
	const void *file = data;
	size_t length = size;

	if (size && !(data[0] & 1)) {
		build_image(&image);
		for (size_t i = 1; i + 2 < size; i += 3)
			((uint8_t *)&image)[(data[i] | data[i + 1] << 8) % sizeof(image)] =
			    data[i + 2];
		file = &image;
		length = sizeof(image);
	}
	if (!elf_parse(file, length, &out)) {
		size_in_memory = out.virt_end - out.virt_start;
		elf_load(&out, copy, NULL);
	}
	return 0;
}
