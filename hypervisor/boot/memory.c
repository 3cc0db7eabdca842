/* SPDX-License-Identifier: MIT */
/*
 * Memory before the frame allocator: the RAM of memory_map minus a list of what is taken. Boot only,
 * one CPU, no locks.
 */
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/percpu.h"
#include "lib/image.h"
#include "lib/lib.h"
#include "mm/mm.h"

#define LOW_END	     0xa0000UL /* of what a CPU can start in */
#define BELOW_4G     0x100000000UL
#define BIG	     0x100000UL
#define LEAST_MEMORY (24UL << 20)

/* head.S leaves this much above the boot stack, zeroed, for cpu_info(). */
_Static_assert(sizeof(struct cpu_info) <= 512, "BOOT_CPU_INFO_SPACE in head.S");

/* Sorted, disjoint, not touching, whole pages. Allocation goes downwards, so that its pieces merge. */
static struct {
	paddr_t start, end;
} taken[64];
static unsigned int taken_count;
static paddr_t trampoline;
bool boot_alloc_over;

void boot_reserve(paddr_t start, paddr_t end, const char *what)
{
	unsigned int first = 0, last;

	start = ROUND_DOWN(start, PAGE_SIZE);
	end = ROUND_UP(end, PAGE_SIZE);
	if (start >= end)
		return;
	while (first < taken_count && taken[first].end < start)
		first++;
	/* [first, last): those that overlap or touch; they become one. */
	for (last = first; last < taken_count && taken[last].start <= end; last++) {
		start = min(start, taken[last].start);
		end = max(end, taken[last].end);
	}
	if (last == first && taken_count == ARRAY_SIZE(taken))
		panic("No room to note that memory is taken (%s)", what);
	memmove(&taken[first + 1], &taken[last], (taken_count - last) * sizeof(taken[0]));
	taken_count += 1 - (last - first);
	taken[first].start = start;
	taken[first].end = end;
}

/* Highest place in [lo, hi) where nothing is taken; 0: none. */
static paddr_t find_in_range(paddr_t lo, paddr_t hi, size_t bytes, size_t align)
{
	unsigned int i = taken_count;

	while (hi > lo && hi - lo >= bytes) {
		paddr_t p = ROUND_DOWN(hi - bytes, align);

		if (p < lo)
			return 0;
		while (i && taken[i - 1].start >= p + bytes)
			i--;
		if (!i || taken[i - 1].end <= p)
			return p;
		hi = taken[i - 1].start;
	}
	return 0;
}

static paddr_t find_below(paddr_t limit, size_t bytes, size_t align)
{
	for (unsigned int i = memory_map_entries; i--;) {
		const struct memory_range *r = &memory_map[i];
		paddr_t p;

		if (r->type != E820_RAM || r->start >= limit)
			continue;
		p = find_in_range(r->start, min(r->end, limit), bytes, align);
		if (p)
			return p;
	}
	return 0;
}

paddr_t boot_alloc(size_t bytes, size_t align)
{
	paddr_t p = 0;

	BUG_ON(boot_alloc_over);
	bytes = ROUND_UP(bytes, PAGE_SIZE);
	align = max(align, (size_t)PAGE_SIZE);
	if (!direct_map_complete || bytes < BIG)
		p = find_below(BELOW_4G, bytes, align);
	if (!p && direct_map_complete)
		p = find_below(UINT64_MAX, bytes, align);
	if (!p)
		panic("Out of memory at boot: %lu KiB were needed", bytes >> 10);
	boot_reserve(p, p + bytes, "allocation");
	memset(phys_to_virt(p), 0, bytes);
	return p;
}

void boot_memory_for_each_free(void (*fn)(paddr_t start, paddr_t end))
{
	unsigned int t = 0;

	boot_alloc_over = true;
	for (unsigned int i = 0; i < memory_map_entries; i++) {
		paddr_t at = memory_map[i].start, end = memory_map[i].end;

		if (memory_map[i].type != E820_RAM)
			continue;
		while (at < end) {
			while (t < taken_count && taken[t].end <= at)
				t++;
			if (t == taken_count || taken[t].start >= end) {
				fn(at, end);
				break;
			}
			if (taken[t].start > at)
				fn(at, taken[t].start);
			at = taken[t].end;
		}
	}
}

paddr_t boot_trampoline_page(void)
{
	return trampoline;
}

void boot_memory_init(void)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < memory_map_entries; i++) {
		if (memory_map[i].type == E820_RAM)
			total += memory_map[i].end - memory_map[i].start;
	}
	if (total < LEAST_MEMORY)
		boot_fail("This machine has %lu MiB of memory; Cerne needs %lu MiB at least",
			  total >> 20, LEAST_MEMORY >> 20);

	/* Page 0 holds the firmware's data, and its number would look like "none". */
	boot_reserve(0, PAGE_SIZE, "page 0");
	boot_reserve(virt_to_phys(image_start), virt_to_phys(image_end), "image");
	for (unsigned int i = 0; i < boot_info.modules; i++)
		boot_reserve(boot_info.module[i].start,
			     boot_info.module[i].start + boot_info.module[i].size, "module");
	trampoline = find_below(LOW_END, PAGE_SIZE, PAGE_SIZE);
	boot_reserve(trampoline, trampoline + PAGE_SIZE, "start of CPUs");
}
