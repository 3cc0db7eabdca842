/* SPDX-License-Identifier: MIT */
#include "loader/loader.h"
#include "loader/internal.h"

#define REGION_ALIGN   (4UL << 20)
#define REGION_PADDING (512UL << 10)

#define PTE_BITS_RO    0x065 /* present, user, accessed, dirty */
#define PTE_BITS_RW    0x067 /* and writable */
#define PTE_FRAME_BITS 0x000ffffffffff000
#define ENTRIES	       512

/* How many entries of a table whose entries span 2^shift bytes does a range need? */
static uint64_t spanned(uint64_t start, uint64_t end, unsigned int shift)
{
	return ((end - 1) >> shift) - (start >> shift) + 1;
}

static uint64_t tables_below_l4(uint64_t start, uint64_t end)
{
	return spanned(start, end, 21) + spanned(start, end, 30) + spanned(start, end, 39);
}

static void plan_region(struct layout *l, bool rings)
{
	const struct elf_note_info *notes = &l->elf->notes;
	uint64_t pfn = PAGES_FOR(l->elf->virt_end - l->base);

	if (!notes->mod_start_pfn_ok) {
		l->ramdisk_pfn = pfn;
		pfn += PAGES_FOR(l->ramdisk_size);
	}
	l->p2m_pages = PAGES_FOR(l->pages * sizeof(uint64_t));
	if (!notes->has_init_p2m) {
		l->p2m_pfn = pfn;
		pfn += l->p2m_pages;
	}
	l->start_info_pfn = pfn++;
	if (rings) {
		l->store_pfn = pfn++;
		l->console_pfn = pfn++;
	}
	l->pt_pfn = pfn;
	/* The tables are in the region that they map: grow until they fit. */
	for (l->pt_pages = 1;;) {
		uint64_t needed;

		l->stack_pfn = l->pt_pfn + l->pt_pages;
		l->end = layout_virt(l, l->stack_pfn + 1);
		l->end = UP(l->end + REGION_PADDING, REGION_ALIGN);
		needed = 1 + tables_below_l4(l->base, l->end);
		if (needed == l->pt_pages || l->end < l->base) /* the latter is refused below */
			break;
		l->pt_pages = needed;
	}
}

static void plan_outside(struct layout *l)
{
	const struct elf_note_info *notes = &l->elf->notes;
	uint64_t list = notes->init_p2m, pfn = layout_pfn(l, l->end);

	if (notes->mod_start_pfn_ok) {
		l->ramdisk_pfn = pfn;
		pfn += PAGES_FOR(l->ramdisk_size);
	}
	if (notes->has_init_p2m) {
		l->p2m_pfn = pfn;
		l->p2m_pt_pfn = pfn + l->p2m_pages;
		l->p2m_pt_pages = tables_below_l4(list, list + l->p2m_pages * PAGE_BYTES);
		pfn = l->p2m_pt_pfn + l->p2m_pt_pages;
	}
	l->used_pfns = pfn;
}

const char *layout_plan(struct layout *l, const struct elf_image *elf, uint64_t pages,
			size_t ramdisk_size, bool rings)
{
	uint64_t list, list_end;

	memset(l, 0, sizeof(*l));
	l->elf = elf;
	l->ramdisk_size = ramdisk_size;
	l->pages = pages;
	l->base = elf->notes.virt_base;
	plan_region(l, rings);
	if (l->end < l->base || !guest_addresses(l->base, l->end))
		return "its segments leave no room below the hypervisor's address range";
	plan_outside(l);
	list = elf->notes.init_p2m;
	list_end = list + l->p2m_pages * PAGE_BYTES;
	if (elf->notes.has_init_p2m &&
	    (!guest_addresses(list, list_end) || (list < l->end && l->base < list_end)))
		return "its address for the frame list overlaps its segments or the hypervisor";
	return NULL;
}

/* ---- page tables ---- */

struct tables {
	const struct layout *layout;
	const struct layout_memory *memory;
	uint64_t next_pfn;  /* the next page for a table */
	uint64_t *table[5]; /* in use for the current address, by level; 4 is the top */
};

static uint64_t mfn_of(const struct tables *t, uint64_t pfn)
{
	return t->memory->mfn(t->memory->context, pfn);
}

static uint64_t *page_of(const struct tables *t, uint64_t pfn)
{
	return t->memory->page(t->memory->context, pfn);
}

static uint64_t *new_table(struct tables *t, uint64_t *mfn)
{
	uint64_t *table = page_of(t, t->next_pfn);

	*mfn = mfn_of(t, t->next_pfn++);
	memset(table, 0, PAGE_BYTES);
	return table;
}

static bool is_table(const struct layout *l, uint64_t pfn)
{
	return (pfn >= l->pt_pfn && pfn < l->pt_pfn + l->pt_pages) ||
	       (pfn >= l->p2m_pt_pfn && pfn < l->p2m_pt_pfn + l->p2m_pt_pages);
}

/* A table made before, by its frame: needed a few times at most, where two ranges meet in one table. */
static uint64_t *find_table(const struct tables *t, uint64_t mfn)
{
	uint64_t pfn = t->layout->pt_pfn;

	while (mfn_of(t, pfn) != mfn || !is_table(t->layout, pfn))
		pfn++;
	return page_of(t, pfn);
}

static unsigned int table_shift(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

/* Go down to level 1 for an address: all the way, or where it begins a new entry. */
static void descend(struct tables *t, uint64_t va, bool all)
{
	for (unsigned int level = 4; level > 1; level--) {
		unsigned int shift = table_shift(level);
		uint64_t *entry = &t->table[level][va >> shift & (ENTRIES - 1)], mfn;

		if (!all && va & ((1UL << shift) - 1))
			continue;
		if (*entry) {
			t->table[level - 1] = find_table(t, (*entry & PTE_FRAME_BITS) >> 12);
		} else {
			t->table[level - 1] = new_table(t, &mfn);
			*entry = mfn << 12 | PTE_BITS_RW;
		}
	}
}

static void map_range(struct tables *t, uint64_t va, uint64_t pfn, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++, pfn++, va += PAGE_BYTES) {
		unsigned int index = va >> 12 & (ENTRIES - 1);

		if (i == 0 || index == 0)
			descend(t, va, i == 0);
		t->table[1][index] =
		    mfn_of(t, pfn) << 12 | (is_table(t->layout, pfn) ? PTE_BITS_RO : PTE_BITS_RW);
	}
}

void layout_build_tables(const struct layout *l, const struct layout_memory *memory)
{
	struct tables t = {.layout = l, .memory = memory, .next_pfn = l->pt_pfn};
	uint64_t mfn;

	t.table[4] = new_table(&t, &mfn);
	map_range(&t, l->base, 0, layout_pfn(l, l->end));
	if (l->elf->notes.has_init_p2m) {
		t.next_pfn = l->p2m_pt_pfn;
		map_range(&t, l->elf->notes.init_p2m, l->p2m_pfn, l->p2m_pages);
	}
}

void layout_describe(const struct layout *l, uint64_t pages, struct start_info *info)
{
	memcpy(info->magic, "xen-3.0-x86_64", sizeof("xen-3.0-x86_64"));
	info->nr_pages = pages;
	info->flags = SIF_VIRT_P2M_4TOOLS;
	info->pt_base = layout_virt(l, l->pt_pfn);
	info->nr_pt_frames = l->pt_pages;
	info->mfn_list = layout_virt(l, l->p2m_pfn);
	if (l->elf->notes.has_init_p2m) {
		info->mfn_list = l->elf->notes.init_p2m;
		info->first_p2m_pfn = l->p2m_pfn;
		info->nr_p2m_frames = l->p2m_pages + l->p2m_pt_pages;
	}
	if (l->ramdisk_size) {
		info->mod_len = l->ramdisk_size;
		info->mod_start = layout_virt(l, l->ramdisk_pfn);
		if (l->elf->notes.mod_start_pfn_ok) {
			info->mod_start = l->ramdisk_pfn;
			info->flags |= SIF_MOD_START_PFN;
		}
	}
}
