/* SPDX-License-Identifier: MIT */
// sources: loader/layout.c loader/elf.c
// runs: 20000
/* Whatever a kernel's headers and notes say: its layout is refused, or all of it is inside the domain's memory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "loader/loader.h"
#include "elf_builder.h"

#define PAGES 8192

static uint64_t used;

static uint64_t mfn_of(void *context, uint64_t pfn)
{
	if (pfn >= used)
		abort();
	return pfn ^ 0x5a5a5;
}

/* Only tables are written: one page of memory would do, but they refer to each other. */
static void *page_of(void *context, uint64_t pfn)
{
	static uint64_t pages[PAGES][512];

	if (pfn >= used)
		abort();
	return pages[pfn];
}

static void inside(uint64_t pfn, uint64_t count)
{
	if (pfn > used || count > used - pfn)
		abort();
}

static void copy(void *context, uint64_t offset, const void *src, size_t filesz, size_t memsz)
{
	const struct layout *l = context;

	inside(layout_pfn(l, l->elf->virt_start + offset), (memsz + 4095) / 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Four bytes: size of the ramdisk, pages, rings; then changes (two bytes where, one what) to a right image. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct layout_memory memory = {.mfn = mfn_of, .page = page_of};
	struct test_image image;
	struct elf_image elf;
	struct layout l;

	if (size < 4)
		return 0;
	build_image(&image);
	for (size_t i = 4; i + 2 < size; i += 3)
		((uint8_t *)&image)[(data[i] | data[i + 1] << 8) % sizeof(image)] = data[i + 2];
	if (elf_parse(&image, sizeof(image), &elf) ||
	    layout_plan(&l, &elf, data[2] * 32 + 1, (size_t)(data[0] | data[1] << 8) << 8,
			data[3] & 1))
		return 0;
	used = l.used_pfns;
	if (used > l.pages)
		return 0;
	inside(l.ramdisk_pfn, (l.ramdisk_size + 4095) / 4096);
	inside(l.p2m_pfn, l.p2m_pages);
	inside(l.start_info_pfn, 1);
	inside(l.stack_pfn, 1);
	elf_load(&elf, copy, &l);
	layout_build_tables(&l, &memory);
	return 0;
}
