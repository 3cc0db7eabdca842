/* SPDX-License-Identifier: MIT */
/*
 * Tries every way to get a page table that it can write to, or an entry that the hypervisor would not allow. Should
 * one work it says so ("got through") and stops there. Then it takes its own kernel out of its page tables, and the
 * hypervisor must end the domain and show its registers.
 */
#include "../test.h"

#define AREA	 0x0000200000000000ul
#define HV_FRAME 0x210ul

static uint64_t *l1, *data;
static unsigned int tries;

static void must_fail(const char *what, long result)
{
	tries++;
	if (result >= 0)
		panic("got through: %s", what);
}

/* A write that traps or is refused leaves the entry as it was. */
static void must_not_change(const char *what, volatile uint64_t *entry, uint64_t value)
{
	uint64_t before = *entry;

	tries++;
	probe_write((void *)entry, value);
	if (*entry != before)
		panic("got through: %s", what);
}

static uint64_t *table_for(unsigned long va, unsigned int wanted)
{
	uint64_t *table = page_root;

	for (unsigned int level = 4; level > wanted; level--)
		table = mfn_to_virt(pte_mfn(table[(va >> (PAGE_SHIFT + 9 * (level - 1))) % 512]));
	return table;
}

static void map_tables_writable(void)
{
	for (unsigned int level = 1; level <= 4; level++) {
		uint64_t *table = table_for(AREA, level);
		uint64_t entry = pte_make(virt_to_mfn(table), PTE_DATA);

		must_fail("update_va_mapping of a table",
			  hypercall_update_va_mapping(AREA, entry, UVMF_INVLPG));
		must_fail("mmu_update of a table", test_mmu_update(virt_to_machine(&l1[1]), entry));
		must_fail(
		    "preserving form of a table",
		    test_mmu_update(virt_to_machine(&l1[1]) | MMU_PT_UPDATE_PRESERVE_AD, entry));
		must_fail(
		    "untranslated form of a table",
		    test_mmu_update(virt_to_machine(&l1[1]) | MMU_PT_UPDATE_NO_TRANSLATE, entry));
		must_not_change("direct write of an entry for a table", &l1[1], entry);
		/* The entry that maps it read-only now, with the write bit added. */
		must_not_change(
		    "direct write of its own entry",
		    &table_for((unsigned long)table, 1)[((unsigned long)table >> PAGE_SHIFT) % 512],
		    entry);
		must_fail("a table as its own map",
			  test_mmu_update(virt_to_machine(&table[511]),
					  pte_make(virt_to_mfn(table), PTE_TABLE)));
	}
}

static void write_higher_tables(void)
{
	for (unsigned int level = 2; level <= 4; level++) {
		uint64_t *table = table_for(AREA, level);

		must_not_change("direct write to a higher table", &table[400],
				pte_make(HV_FRAME, PTE_TABLE));
		must_not_change("superpage bit by a direct write",
				&table[(AREA >> (PAGE_SHIFT + 9 * (level - 1))) % 512],
				table[(AREA >> (PAGE_SHIFT + 9 * (level - 1))) % 512] | PTE_PS);
	}
}

/* Every frame of the first 16 MiB is the firmware's or the hypervisor's, none ours. */
static void map_low_memory(void)
{
	for (unsigned long mfn = 0x200; mfn < 0x280; mfn++) {
		must_fail("frame of the hypervisor",
			  hypercall_update_va_mapping(AREA, pte_make(mfn, PTE_DATA), UVMF_INVLPG));
		must_not_change("direct write of a frame of the hypervisor", &l1[1],
				pte_make(mfn, PTE_DATA));
	}
}

/* A page that is still mapped writable as a table, at every level and by every way. */
static void writable_page_as_table(void)
{
	uint64_t mfn = virt_to_mfn(data);

	data[0] = pte_make(HV_FRAME, PTE_DATA);
	for (unsigned int level = 1; level <= 4; level++)
		must_fail("pin of a writable page", page_pin(data, level));
	for (unsigned int level = 2; level <= 4; level++) {
		uint64_t *table = table_for(AREA, level);

		must_fail("writable page as a table",
			  test_mmu_update(virt_to_machine(&table[300]), pte_make(mfn, PTE_TABLE)));
	}
	must_fail("writable page as a root", page_root_switch(data));
	must_fail("writable page as a user's root", page_user_root_switch(data));
	/* Read-only now, but what it holds is bad. */
	if (page_read_only(data))
		panic("cannot make a page read-only");
	for (unsigned int level = 1; level <= 4; level++)
		must_fail("pin of bad contents", page_pin(data, level));
}

/* The hypervisor's own part of the top-level table. */
static void hypervisor_slots(void)
{
	for (unsigned int slot = 256; slot < 272; slot++) {
		must_fail("slot of the hypervisor",
			  test_mmu_update(virt_to_machine(&page_root[slot]), 0));
		must_not_change("direct write of a slot of the hypervisor", &page_root[slot], 0);
	}
}

static void unmap_kernel(void)
{
	/* The table that maps this code: the next fetch finds nothing, and so does the handler's. */
	uint64_t *l2 = table_for((unsigned long)unmap_kernel, 2);
	unsigned int index = ((unsigned long)unmap_kernel >> 21) % 512;

	printk("%u tries refused; unmapping the kernel\n", tries);
	test_mmu_update(virt_to_machine(&l2[index]), 0);
	tlb_flush();
	panic("got through: still running");
}

void guest_main(void)
{
	data = page_alloc();
	if (page_map(page_root, AREA, pte_make(virt_to_mfn(data), PTE_DATA), DOMID_SELF))
		panic("cannot map");
	l1 = table_for(AREA, 1);
	if (page_map(page_root, AREA, 0, DOMID_SELF))
		panic("cannot unmap");
	map_tables_writable();
	write_higher_tables();
	map_low_memory();
	writable_page_as_table();
	hypervisor_slots();
	unmap_kernel();
}
