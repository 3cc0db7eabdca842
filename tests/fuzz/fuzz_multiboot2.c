/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/multiboot2.c hypervisor/boot/memory_map.c
// runs: 100000
#include <stdlib.h>
#include <string.h>
#include "boot/boot.h"
#include "mm/mm.h"

/*
 * Any bytes as Multiboot2 information: nothing beyond them is read, and what is accepted holds
 * together. So that the fuzzer need not learn lengths, the header and an end are put around the input,
 * which is a list of tags: type, length of the data (in units of 8 or 1), how much the size lies, the
 * data. An input that begins with 0xff is the tags as they are.
 */
paddr_t virt_to_phys(const void *v)
{
	return 0x1000;
}

static void check(int ok)
{
	if (!ok)
		abort();
}

static void check_map(void)
{
	bool ram = false;

	check(memory_map_entries <= MAX_MEMORY_RANGES);
	for (unsigned int i = 0; i < memory_map_entries; i++) {
		const struct memory_range *r = &memory_map[i];

		check(r->start < r->end && r->end <= 1UL << 52);
		check(IS_ALIGNED(r->start, PAGE_SIZE) && IS_ALIGNED(r->end, PAGE_SIZE));
		check(r->type >= 1 && r->type <= 5);
		check(!i || r[-1].end < r->start ||
		      (r[-1].end == r->start && r[-1].type != r->type));
		ram = ram || r->type == E820_RAM;
	}
	check(ram);
}

/* dst has room for 16 bytes an input byte. Returns the length, a multiple of 8. */
static size_t build_tags(uint8_t *dst, const uint8_t *data, size_t size)
{
	size_t used = 0;

	if (size && data[0] == 0xff) {
		memset(dst, 0, ROUND_UP(size - 1, 8));
		memcpy(dst, data + 1, size - 1);
		return ROUND_UP(size - 1, 8);
	}
	while (size >= 3) {
		size_t len = data[1] & 0x80 ? (data[1] & 0x7f) * 8UL : data[1],
		       n = min(len, size - 3);
		uint32_t head[2] = {data[0] % 24, 8 + n};

		if (data[2] > 0xf0)
			head[1] += (int8_t)data[2];
		memcpy(dst + used, head, 8);
		memset(dst + used + 8, 0, ROUND_UP(n, 8));
		memcpy(dst + used + 8, data + 3, n);
		used += 8 + ROUND_UP(n, 8);
		data += 3 + n;
		size -= 3 + n;
	}
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info out;
	uint8_t *tags = malloc(16 * size + 16), *info;
	uint32_t total = 8 + build_tags(tags, data, size) + 8, end[2] = {0, 8};
	const char *error;

	info = calloc(1, total);
	memcpy(info, &total, sizeof(total));
	memcpy(info + 8, tags, total - 16);
	memcpy(info + total - 8, end, 8);
	free(tags);
	error = multiboot2_parse(info, total, &out);
	free(info);
	if (error) {
		check(strlen(error) > 10);
		return 0;
	}
	check_map();
	check(out.modules <= MAX_BOOT_MODULES);
	check(strlen(out.cmdline) < sizeof(out.cmdline) && strlen(out.loader) < sizeof(out.loader));
	for (unsigned int i = 0; i < out.modules; i++)
		check(strlen(out.module[i].cmdline) < sizeof(out.module[i].cmdline));
	return 0;
}
