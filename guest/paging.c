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

/* Events are masked: no other thread may hook in the same missing table. */
static long map_entry(uint64_t *root, unsigned long va, uint64_t pte, domid_t domain)
{
	uint64_t where;
	long error;

	while (page_walk(root, va, NULL, &where) > 1) {
		uint64_t *table;

		if (!(pte & PTE_P))
			return 0;
		table = page_table_alloc();
		if (!table)
			return -ENOMEM;
		error = write_entry(where, pte_make(virt_to_mfn(table), PTE_TABLE), DOMID_SELF);
		if (error) {
			page_table_free(table);
			return error;
		}
	}
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
 * Addresses for frames_map: a first fit over one bit a page. 64 MiB at a time is plenty for tables and
 * registers of devices.
 */
#define MAP_PAGES 16384
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

	for (; page < MAP_PAGES && length < count; page++)
		length = map_is_used(page) ? 0 : length + 1;
	*first = page - count;
	if (length == count)
		map_mark(*first, count);
	events_restore(masked);
	return length == count;
}

void *frames_map(unsigned long mfn, unsigned long count, uint64_t flags, domid_t domain,
		 long *error)
{
	unsigned long first, va;
	long result = -ENOMEM;

	if (count == 0 || !map_take(count, &first))
		goto none;
	va = MAP_BASE + first * PAGE_SIZE;
	for (unsigned long i = 0; i < count; i++) {
		result = page_map(page_root, va + i * PAGE_SIZE, pte_make(mfn + i, flags), domain);
		if (result)
			goto unmap;
	}
	return (void *)va;

unmap:
	frames_unmap((void *)va, count);
none:
	if (error)
		*error = result;
	return NULL;
}

void frames_unmap(void *va, unsigned long count)
{
	unsigned long address = (unsigned long)va;
	bool masked;

	for (unsigned long i = 0; i < count; i++)
		if (page_map(page_root, address + i * PAGE_SIZE, 0, DOMID_SELF))
			panic("cannot unmap %#lx", address + i * PAGE_SIZE);
	masked = events_save();
	map_mark((address - MAP_BASE) / PAGE_SIZE, count);
	events_restore(masked);
}
