/* SPDX-License-Identifier: MIT */
#include <guest/heap.h>
#include <guest/event.h>
#include <guest/start.h>

#define EINVAL 22

static uint64_t end = HEAP_BASE;	/* what was asked for */
static uint64_t mapped_end = HEAP_BASE; /* the pages behind it */
static uint64_t data_flags;

uint64_t pte_data_flags(void)
{
	static char probe[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

	if (!data_flags) {
		long error = page_set(probe, pte_make(virt_to_mfn(probe), PTE_DATA | PTE_NX));

		data_flags = error ? PTE_DATA : PTE_DATA | PTE_NX;
	}
	return data_flags;
}

static bool grow(uint64_t to)
{
	while (mapped_end < to) {
		void *page = page_alloc();

		if (!page)
			return false;
		if (page_map(page_root, mapped_end, pte_make(virt_to_mfn(page), pte_data_flags()),
			     DOMID_SELF)) {
			page_free(page);
			return false;
		}
		mapped_end += PAGE_SIZE;
	}
	return true;
}

static void shrink(uint64_t to)
{
	while (mapped_end > to) {
		uint64_t entry = page_lookup(mapped_end - PAGE_SIZE);

		if (page_map(page_root, mapped_end - PAGE_SIZE, 0, DOMID_SELF))
			panic("cannot unmap a page of the heap");
		page_free(mfn_to_virt(pte_mfn(entry)));
		mapped_end -= PAGE_SIZE;
	}
}

static uint64_t page_up(uint64_t address)
{
	return (address + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ul);
}

void *heap_move_end(ptrdiff_t bytes)
{
	bool masked = events_save();
	uint64_t before = end, after = end + (uint64_t)bytes;
	bool done = after >= HEAP_BASE && after <= HEAP_END;

	if (done && !grow(page_up(after))) {
		shrink(page_up(before));
		done = false;
	}
	if (done) {
		shrink(page_up(after));
		end = after;
	}
	events_restore(masked);
	return done ? (void *)before : NULL;
}

size_t heap_size(void)
{
	return mapped_end - HEAP_BASE;
}
