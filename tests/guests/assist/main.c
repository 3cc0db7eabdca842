/* SPDX-License-Identifier: MIT */
/* vm_assist: every type on and off, bad ones, and that runstate_update_flag does what it says elsewhere (vcpu). */
#include "../test.h"

static void every_type(void)
{
	static const unsigned int types[] = {
	    VMASST_TYPE_4gb_segments,	     VMASST_TYPE_4gb_segments_notify,
	    VMASST_TYPE_writable_pagetables, VMASST_TYPE_pae_extended_cr3,
	    VMASST_TYPE_architectural_iopl,  VMASST_TYPE_runstate_update_flag,
	    VMASST_TYPE_m2p_strict,
	};
	/* Types for 32-bit guests are not there for others: both answers are met in the field. */
	static const bool for_32_bit[] = {true, true, false, true, false, false, false};

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		long on = hypercall_vm_assist(VMASST_CMD_enable, types[i]);
		long off = hypercall_vm_assist(VMASST_CMD_disable, types[i]);

		printk("type %u: %ld %ld\n", types[i], on, off);
		EXPECT_TRUE(on == 0 || (for_32_bit[i] && on == -EINVAL));
		EXPECT(off, on);
	}
}

static void twice(void)
{
	EXPECT(hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
	EXPECT(hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
	EXPECT(hypercall_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
	EXPECT(hypercall_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
}

static void bad(void)
{
	static const unsigned int types[] = {6, 31, 33, 63, 64, 1000, ~0u};

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		EXPECT(hypercall_vm_assist(VMASST_CMD_enable, types[i]), -EINVAL);
		EXPECT(hypercall_vm_assist(VMASST_CMD_disable, types[i]), -EINVAL);
	}
	EXPECT(hypercall_vm_assist(2, VMASST_TYPE_writable_pagetables), -ENOSYS);
	EXPECT(hypercall_vm_assist(~0u, VMASST_TYPE_writable_pagetables), -ENOSYS);
}

/* An entry of one of our tables, the one that maps `page`. */
static volatile uint64_t *entry_of(const void *page)
{
	const uint64_t *table = page_root;

	for (unsigned int level = 4; level > 1; level--) {
		unsigned int shift = PAGE_SHIFT + 9 * (level - 1);

		table = mfn_to_virt(pte_mfn(table[((unsigned long)page >> shift) % 512]));
	}
	return (volatile uint64_t *)&table[((unsigned long)page >> PAGE_SHIFT) % 512];
}

static void write_entry(void *page)
{
	*entry_of(page) = pte_make(virt_to_mfn(page), PTE_DATA);
}

/* With it, a write to a page table is carried out; that it works without too is real Xen's, and ours. */
static void writable_pagetables(void)
{
	void *page = page_alloc();

	EXPECT(hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
	EXPECT(trap_catch(write_entry, page, NULL), -1);
	EXPECT(hypercall_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
	EXPECT(trap_catch(write_entry, page, NULL), -1);
	page_free(page);
}

static const struct test tests[] = {
    {"every type", every_type},
    {"twice", twice},
    {"bad types and commands", bad},
    {"writable page tables", writable_pagetables},
};

void guest_main(void)
{
	test_main("assist", tests, COUNT_OF(tests));
}
