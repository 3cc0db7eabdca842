/* SPDX-License-Identifier: MIT */
/* Addresses to names of functions, from the table that the build makes (lib/image.h). */
#include "console/console.h"
#include "lib/image.h"
#include "lib/lib.h"

bool symbol_by_number(uint32_t number, const char **name, unsigned long *addr)
{
	const char *at = symbol_names;

	if (number >= symbol_count)
		return false;
	for (uint32_t i = 0; i < number; i++)
		at += strlen(at) + 1;
	*name = at;
	*addr = (unsigned long)image_start + symbol_offset[clamp_index(number, symbol_count)];
	return true;
}

void symbol_format(char *buf, size_t size, unsigned long addr)
{
	unsigned long base = (unsigned long)image_start;
	uint32_t low = 0, high = symbol_count, offset, end;
	const char *name = symbol_names;

	if (symbol_count == 0 || addr < base + symbol_offset[0] ||
	    addr >= (unsigned long)image_end) {
		format(buf, size, "%016lx", addr);
		return;
	}
	offset = addr - base;
	/* symbol_offset[low] <= offset < symbol_offset[high], where [symbol_count] is infinite. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (symbol_offset[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	for (uint32_t i = 0; i < low; i++)
		name += strlen(name) + 1;
	end = high < symbol_count ? symbol_offset[high] : (unsigned long)text_end - base;
	format(buf, size, "%s+%#x/%#x", name, offset - symbol_offset[low],
	       end - symbol_offset[low]);
}
