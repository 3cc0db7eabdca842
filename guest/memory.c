/* SPDX-License-Identifier: MIT */
/*
 * The page allocator: a bitmap of the pages that VIRT_BASE maps, a set bit for a page in use. Runs are found
 * first fit from where the last search ended.
 */
#include <guest/memory.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/start.h>
#include <guest/string.h>

#define PAGES_PER_TABLE 512

unsigned long *p2m;
uint64_t *page_root;

extern char image_end[];

static uint64_t used[VIRT_MAX_PAGES / 64];
static unsigned long limit;	/* pages below it are mapped or used for good */
static unsigned long available; /* clear bits below limit */
static unsigned long usable;	/* what available was before anything was handed out */
static unsigned long hint;	/* where the next search begins */

static bool is_used(unsigned long pfn)
{
	return (used[pfn / 64] >> (pfn % 64)) & 1;
}

static void mark(unsigned long pfn, unsigned long count, bool in_use)
{
	for (; count; pfn++, count--) {
		uint64_t bit = 1ul << (pfn % 64);

		ASSERT(is_used(pfn) != in_use);
		used[pfn / 64] ^= bit;
	}
}

/* First run of count free pages in [from, to), or 0: page 0 is always part of the image. */
static unsigned long find(unsigned long from, unsigned long to, unsigned long count)
{
	unsigned long length = 0;

	for (unsigned long pfn = from; pfn < to; pfn++) {
		if (pfn % 64 == 0 && used[pfn / 64] == ~0ul) {
			pfn += 63;
			length = 0;
			continue;
		}
		length = is_used(pfn) ? 0 : length + 1;
		if (length == count)
			return pfn + 1 - count;
	}
	return 0;
}

void *pages_alloc(unsigned long count)
{
	bool masked = events_save();
	unsigned long pfn = 0;

	if (count && count <= available) {
		pfn = find(hint, limit, count);
		if (!pfn)
			pfn = find(0, limit, count);
	}
	if (pfn) {
		mark(pfn, count, true);
		available -= count;
		hint = pfn + count;
	}
	events_restore(masked);
	return pfn ? pfn_to_virt(pfn) : NULL;
}

void pages_free(void *pages, unsigned long count)
{
	unsigned long pfn = virt_to_pfn(pages);
	bool masked = events_save();

	ASSERT(pfn + count <= limit);
	mark(pfn, count, false);
	available += count;
	if (pfn < hint)
		hint = pfn;
	events_restore(masked);
}

void *page_alloc(void)
{
	void *page = pages_alloc(1);

	if (page)
		memset(page, 0, PAGE_SIZE);
	return page;
}

void page_free(void *page)
{
	pages_free(page, 1);
}

unsigned long pages_total(void)
{
	return start_info->nr_pages;
}

unsigned long pages_usable(void)
{
	return usable;
}

unsigned long pages_available(void)
{
	return available;
}

static unsigned long max(unsigned long a, unsigned long b)
{
	return a > b ? a : b;
}

/* Where a page that the domain was given to share ends; 0 for none. */
static unsigned long end_of_page(unsigned long mfn)
{
	return mfn ? (unsigned long)mfn_to_virt(mfn) + PAGE_SIZE : 0;
}

/* First page after everything that was put into memory for the start of day. */
static unsigned long first_free(unsigned long stack_top)
{
	unsigned long end = max((unsigned long)image_end, stack_top);

	end = max(end, start_info->pt_base + start_info->nr_pt_frames * PAGE_SIZE);
	end = max(end, start_info->mfn_list + start_info->nr_pages * sizeof(p2m[0]));
	end = max(end, start_info->mod_start + start_info->mod_len);
	end = max(end, (unsigned long)start_info + PAGE_SIZE);
	if (!is_initial_domain()) {
		end = max(end, end_of_page(start_info->console.domU.mfn));
		end = max(end, end_of_page(start_info->store_mfn));
	}
	return (end - VIRT_BASE + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* First page that the given page tables do not map. */
static unsigned long first_unmapped(unsigned long pfn)
{
	while (pfn < start_info->nr_pages && page_lookup((unsigned long)pfn_to_virt(pfn)) & PTE_P)
		pfn++;
	return pfn;
}

static void add_pages(unsigned long first, unsigned long end)
{
	mark(first, end - first, false);
	available += end - first;
	limit = end;
}

/*
 * Map the pages from `first` on, a level-1 table of 2 MiB at a time; each table is a page that was mapped
 * before. Filled while still an ordinary page, made read-only, then hooked in: one validation a table.
 */
static void map_rest(unsigned long first, unsigned long end)
{
	for (unsigned long pfn = first; pfn < end;) {
		unsigned long va = (unsigned long)pfn_to_virt(pfn);
		unsigned long next = (pfn / PAGES_PER_TABLE + 1) * PAGES_PER_TABLE;
		uint64_t *table, where;
		unsigned int level = page_walk(page_root, va, NULL, &where);
		struct mmu_update update;

		if (next > end)
			next = end;
		if (level != 2 || pfn % PAGES_PER_TABLE) {
			/* The loader's last table has room left, or this one does not end at a table. */
			if (page_map(page_root, va, pte_make(p2m[pfn], PTE_DATA), DOMID_SELF))
				panic("cannot map page %lu of the domain", pfn);
			add_pages(pfn, pfn + 1);
			pfn++;
			continue;
		}
		table = page_alloc();
		if (!table)
			panic("too little memory for page tables");
		for (unsigned long i = pfn; i < next; i++)
			table[i % PAGES_PER_TABLE] = pte_make(p2m[i], PTE_DATA);
		if (page_read_only(table))
			panic("cannot make a page table read-only");
		update.ptr = where | MMU_NORMAL_PT_UPDATE;
		update.val = pte_make(virt_to_mfn(table), PTE_TABLE);
		if (hypercall_mmu_update(&update, 1, NULL, DOMID_SELF))
			panic("cannot map pages %lu to %lu of the domain", pfn, next);
		add_pages(pfn, next);
		pfn = next;
	}
}

void memory_init(unsigned long stack_top)
{
	unsigned long end = start_info->nr_pages, first, mapped;

	p2m = (unsigned long *)start_info->mfn_list;
	page_root = (uint64_t *)start_info->pt_base;
	if (end > VIRT_MAX_PAGES)
		end = VIRT_MAX_PAGES;
	memset(used, 0xff, sizeof(used));
	first = first_free(stack_top);
	if (first >= end)
		panic("the start of day takes %lu of %lu pages: too little memory", first, end);
	mapped = first_unmapped(first);
	if (mapped > end)
		mapped = end;
	add_pages(first, mapped);
	map_rest(mapped, end);
	usable = available;
}
