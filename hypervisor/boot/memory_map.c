/* SPDX-License-Identifier: MIT */
/*
 * The machine's memory map, made clean while it is read: sorted, disjoint, on page boundaries,
 * neighbours of one type merged. Where ranges overlap the more reserved type wins, and a page that
 * is only partly RAM is no RAM: a wrong map may cost memory, it may not have us write to a device.
 */
#include "boot/boot.h"
#include "lib/lib.h"
#include "mm/mm.h"

struct memory_range memory_map[MAX_MEMORY_RANGES];
unsigned int memory_map_entries;

/* Beyond 52 bits there are no addresses (SDM 3 4.1.4). */
#define PADDR_END      (1UL << 52)
#define DIRECTMAP_SIZE (DIRECTMAP_VIRT_END - DIRECTMAP_VIRT_START)

/* How reserved a type is. */
static unsigned int rank(uint32_t type)
{
	switch (type) {
	case E820_RAM:
		return 0;
	case E820_ACPI:
		return 1;
	case E820_NVS:
		return 2;
	case E820_UNUSABLE:
		return 4;
	default:
		return 3;
	}
}

static bool insert(unsigned int at, paddr_t start, paddr_t end, uint32_t type)
{
	if (memory_map_entries == MAX_MEMORY_RANGES)
		return false;
	memmove(&memory_map[at + 1], &memory_map[at],
		(memory_map_entries - at) * sizeof(memory_map[0]));
	memory_map[at] = (struct memory_range){start, end, type};
	memory_map_entries++;
	return true;
}

static void merge(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < memory_map_entries; i++) {
		const struct memory_range *r = &memory_map[i];

		if (r->start == r->end)
			continue;
		if (n && memory_map[n - 1].end == r->start && memory_map[n - 1].type == r->type)
			memory_map[n - 1].end = r->end;
		else
			memory_map[n++] = *r;
	}
	memory_map_entries = n;
}

/* [*start, end) of type meets range i, which ends after *start: settle what lies before i's end. */
static bool settle(unsigned int i, paddr_t *start, paddr_t end, uint32_t type)
{
	struct memory_range *r = &memory_map[i];
	paddr_t stop = min(end, r->end);

	if (*start < r->start) {
		stop = min(end, r->start);
		if (!insert(i, *start, stop, type))
			return false;
	} else if (rank(r->type) < rank(type)) {
		/* The new type takes [*start, stop) out of r, which may keep a piece on each side. */
		struct memory_range old = *r;

		r->end = *start;
		if (!insert(i + 1, *start, stop, type))
			return false;
		if (stop < old.end && !insert(i + 2, stop, old.end, old.type))
			return false;
	}
	*start = stop;
	return true;
}

bool memory_map_add(paddr_t start, uint64_t size, uint32_t type)
{
	paddr_t end = size > PADDR_END - min(start, PADDR_END) ? PADDR_END : start + size;

	if (type == 0 || type > E820_UNUSABLE)
		type = E820_RESERVED;
	if (start >= end)
		return true;
	if (type == E820_RAM) {
		start = ROUND_UP(start, PAGE_SIZE);
		end = min(ROUND_DOWN(end, PAGE_SIZE), DIRECTMAP_SIZE);
	} else {
		start = ROUND_DOWN(start, PAGE_SIZE);
		end = ROUND_UP(end, PAGE_SIZE);
	}

	while (start < end) {
		unsigned int i = 0;

		while (i < memory_map_entries && memory_map[i].end <= start)
			i++;
		if (i == memory_map_entries) {
			if (!insert(i, start, end, type))
				return false;
			break;
		}
		if (!settle(i, &start, end, type))
			return false;
	}
	merge();
	return true;
}
