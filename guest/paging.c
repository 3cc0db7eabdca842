/* SPDX-License-Identifier: MIT */
#include <guest/memory.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/start.h>
#include <guest/string.h>

#define ENOMEM	12
#define ENTRIES 512

static unsigned int table_index(unsigned long va, unsigned int level)
{
	return (va >> (PAGE_SHIFT + 9 * (level - 1))) % ENTRIES;
}

unsigned int page_walk(const uint64_t *root, unsigned long va, uint64_t *entry, uint64_t *where)
{
	const uint64_t *table = root;
	unsigned int level = 4;

	while (level > 1 && table[table_index(va, level)] & PTE_P) {
		table = mfn_to_virt(pte_mfn(table[table_index(va, level)]));
		level--;
	}
	if (entry)
		*entry = table[table_index(va, level)];
	if (where)
		*where = virt_to_machine(&table[table_index(va, level)]);
	return level;
}

uint64_t page_lookup(unsigned long va)
{
	uint64_t entry;

	return page_walk(page_root, va, &entry, NULL) == 1 ? entry : 0;
}

static long write_entry(uint64_t where, uint64_t entry, domid_t domain)
{
	struct mmu_update update = {.ptr = where | MMU_NORMAL_PT_UPDATE, .val = entry};

	return hypercall_mmu_update(&update, 1, NULL, domain);
}

/*
 * The machine address of the level-1 entry for va, the tables above it made where they are missing. Events are
 * masked: no other thread may hook in the same missing table.
 */
static long make_tables(uint64_t *root, unsigned long va, uint64_t *where)
{
	while (page_walk(root, va, NULL, where) > 1) {
		uint64_t *table = page_table_alloc();
		long error;

		if (!table)
			return -ENOMEM;
		error = write_entry(*where, pte_make(virt_to_mfn(table), PTE_TABLE), DOMID_SELF);
		if (error) {
			page_table_free(table);
			return error;
		}
	}
	return 0;
}

static long map_entry(uint64_t *root, unsigned long va, uint64_t pte, domid_t domain)
{
	uint64_t where;
	long error;

	if (!(pte & PTE_P) && page_walk(root, va, NULL, NULL) > 1)
		return 0;
	error = make_tables(root, va, &where);
	if (!error)
		error = write_entry(where, pte, domain);
	if (!error && root == page_root) {
		struct mmuext_op flush = {.cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = va};

		error = hypercall_mmuext_op(&flush, 1, NULL, DOMID_SELF);
	}
	return error;
}

long page_map(uint64_t *root, unsigned long va, uint64_t pte, domid_t domain)
{
	bool masked = events_save();
	long error = map_entry(root, va, pte, domain);

	events_restore(masked);
	return error;
}

long page_set(const volatile void *va, uint64_t pte)
{
	return hypercall_update_va_mapping((unsigned long)va, pte, UVMF_INVLPG | UVMF_ALL);
}

long page_read_only(const void *page)
{
	return page_set(page, pte_make(virt_to_mfn(page), PTE_READ_ONLY));
}

long page_writable(const void *page)
{
	return page_set(page, pte_make(virt_to_mfn(page), PTE_DATA));
}

uint64_t *page_table_alloc(void)
{
	uint64_t *table = page_alloc();

	if (table && page_read_only(table)) {
		page_free(table);
		return NULL;
	}
	return table;
}

void page_table_free(uint64_t *table)
{
	if (page_writable(table))
		panic("a page table that is still in use was freed");
	page_free(table);
}

long page_table_set(const uint64_t *table, unsigned int index, uint64_t entry)
{
	return write_entry(virt_to_machine(&table[index]), entry, DOMID_SELF);
}

static long mmuext(unsigned int cmd, unsigned long mfn)
{
	struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

	return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

long page_pin(const void *table, unsigned int level)
{
	return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, virt_to_mfn(table));
}

long page_unpin(const void *table)
{
	return mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(table));
}

long page_root_switch(const uint64_t *root)
{
	return mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(root));
}

long page_user_root_switch(const uint64_t *root)
{
	return mmuext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(root));
}

long tlb_flush(void)
{
	return mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
}

/*
 * Addresses for frames_map: a first fit over one bit a page. 512 MiB at a time: registers and tables of devices,
 * rings of other domains, and a kernel that is being unpacked into one.
 */
#define MAP_PAGES 131072
static uint64_t map_used[MAP_PAGES / 64];

static bool map_is_used(unsigned long page)
{
	return (map_used[page / 64] >> (page % 64)) & 1;
}

static void map_mark(unsigned long page, unsigned long count)
{
	for (; count; page++, count--)
		map_used[page / 64] ^= 1ul << (page % 64);
}

static bool map_take(unsigned long count, unsigned long *first)
{
	bool masked = events_save();
	unsigned long length = 0, page = 0;

	while (page < MAP_PAGES && length < count) {
		if (page % 64 == 0 && map_used[page / 64] == ~0ul) {
			page += 64;
			length = 0;
			continue;
		}
		length = map_is_used(page) ? 0 : length + 1;
		page++;
	}
	*first = page - count;
	if (length == count)
		map_mark(*first, count);
	events_restore(masked);
	return length == count;
}

static void map_give_back(unsigned long va, unsigned long count)
{
	bool masked = events_save();

	map_mark((va - MAP_BASE) / PAGE_SIZE, count);
	events_restore(masked);
}

/* Entries that are written in one hypercall; they stand on the stack. */
#define BATCH 64

/*
 * Write the batch, going on behind each entry that the hypervisor refuses: that one's errno goes to its place in
 * errors (NULL: the first one ends it). Returns the last errno, or 0.
 */
static long write_batch(const struct mmu_update *updates, unsigned int count, domid_t domain,
			int *errors)
{
	unsigned int at = 0;
	long result = 0;

	while (at < count) {
		unsigned int done = 0;
		long error = hypercall_mmu_update(updates + at, count - at, &done, domain);

		if (!error)
			break;
		result = error;
		if (!errors || done >= count - at)
			break;
		at += done;
		errors[at++] = (int)error;
	}
	return result;
}

/* What is to be mapped: frames of a list or, if that is NULL, from a first one on. */
struct frames {
	const xen_pfn_t *list;
	xen_pfn_t first;
	uint64_t flags;
	domid_t domain;
};

static uint64_t frames_entry(const struct frames *frames, unsigned long n)
{
	return pte_make(frames->list ? frames->list[n] : frames->first + n, frames->flags);
}

/* A region of our own: only the tables above it are shared with other threads. frames NULL: unmap. */
static long write_region(unsigned long va, unsigned long count, const struct frames *frames,
			 int *errors)
{
	struct mmu_update updates[BATCH];
	unsigned long n = 0;
	long result = 0;

	while (n < count) {
		unsigned long address = va + n * PAGE_SIZE;
		unsigned long here = ENTRIES - table_index(address, 1);
		unsigned int size;
		uint64_t where;
		bool masked = events_save();
		long error = make_tables(page_root, address, &where);

		events_restore(masked);
		if (error)
			return error;
		if (here > BATCH)
			here = BATCH;
		for (size = 0; size < here && n + size < count; size++) {
			updates[size].ptr = (where + size * sizeof(where)) | MMU_NORMAL_PT_UPDATE;
			updates[size].val = frames ? frames_entry(frames, n + size) : 0;
		}
		error = write_batch(updates, size, frames ? frames->domain : DOMID_SELF,
				    errors ? errors + n : NULL);
		if (error)
			result = error;
		if (error && !errors)
			return error;
		n += size;
	}
	return result;
}

static void *map(const struct frames *frames, unsigned long count, int *errors, long *error)
{
	unsigned long first, va;
	long result = -ENOMEM;

	for (unsigned long i = 0; errors && i < count; i++)
		errors[i] = 0;
	if (count && map_take(count, &first)) {
		va = MAP_BASE + first * PAGE_SIZE;
		result = write_region(va, count, frames, errors);
		if (!result || (errors && result != -ENOMEM))
			return (void *)va;
		frames_unmap((void *)va, count);
	}
	if (error)
		*error = result;
	return NULL;
}

void *frames_map(unsigned long mfn, unsigned long count, uint64_t flags, domid_t domain,
		 long *error)
{
	const struct frames frames = {.first = mfn, .flags = flags, .domain = domain};

	return map(&frames, count, NULL, error);
}

void *frames_map_list(const xen_pfn_t *mfns, unsigned long count, uint64_t flags, domid_t domain,
		      int *errors, long *error)
{
	const struct frames frames = {.list = mfns, .flags = flags, .domain = domain};

	return map(&frames, count, errors, error);
}

void frames_unmap(void *va, unsigned long count)
{
	long error = write_region((unsigned long)va, count, NULL, NULL);

	/* Before the addresses can be used again. */
	if (!error)
		error = tlb_flush();
	if (error)
		panic("cannot unmap %p: %ld", va, error);
	map_give_back((unsigned long)va, count);
}

/* Unmapping what is not mapped makes the tables and nothing else. */
void *frames_reserve(unsigned long count)
{
	unsigned long first, va;

	if (!count || !map_take(count, &first))
		return NULL;
	va = MAP_BASE + first * PAGE_SIZE;
	if (!write_region(va, count, NULL, NULL))
		return (void *)va;
	map_give_back(va, count);
	return NULL;
}

void frames_release(void *va, unsigned long count)
{
	map_give_back((unsigned long)va, count);
}
