/* SPDX-License-Identifier: MIT */
/*
 * Direct paging: update_va_mapping, mmu_update, mmuext_op, writes to tables that are emulated, and everything
 * that must be refused. AREA is a part of the address space that belongs to this test.
 */
#include "../test.h"

#define AREA	  0x0000200000000000ul
#define PTE_PAT	  0x080
#define PTE_AVAIL 0xe00
#define HV_SLOT	  256
#define HV_SLOTS  16
#define NOT_RAM	  0x3fffffffful
/* A frame that belongs to the hypervisor: GRUB puts its image at 2 MiB. */
#define HV_FRAME 0x210ul

static uint64_t *page_a, *page_b;
static uint64_t *area_l1;

static volatile uint64_t *at(unsigned long offset)
{
	return (volatile uint64_t *)(AREA + offset);
}

static uint64_t data_entry(const void *page)
{
	return pte_make(virt_to_mfn(page), PTE_DATA);
}

static long set_va(unsigned long va, uint64_t entry)
{
	return hypercall_update_va_mapping(va, entry, UVMF_INVLPG);
}

/* The table of a level that maps va in the current address space. */
static uint64_t *table_for(unsigned long va, unsigned int wanted)
{
	uint64_t *table = page_root;

	for (unsigned int level = 4; level > wanted; level--)
		table = mfn_to_virt(pte_mfn(table[(va >> (PAGE_SHIFT + 9 * (level - 1))) % 512]));
	return table;
}

static void set_up(void)
{
	page_a = page_alloc();
	page_b = page_alloc();
	page_a[0] = 0xaaaa;
	page_b[0] = 0xbbbb;
	EXPECT(page_map(page_root, AREA, data_entry(page_a), DOMID_SELF), 0);
	area_l1 = table_for(AREA, 1);
	EXPECT(*at(0), 0xaaaa);
}

/* update_va_mapping */

static void va_mapping(void)
{
	static const unsigned long flushes[] = {UVMF_INVLPG, UVMF_TLB_FLUSH, UVMF_INVLPG | UVMF_ALL,
						UVMF_TLB_FLUSH | UVMF_ALL};

	for (size_t i = 0; i < COUNT_OF(flushes); i++) {
		EXPECT(hypercall_update_va_mapping(AREA, data_entry(page_b), flushes[i]), 0);
		EXPECT(*at(0), 0xbbbb);
		EXPECT(hypercall_update_va_mapping(AREA, data_entry(page_a), flushes[i]), 0);
		EXPECT(*at(0), 0xaaaa);
	}
	/* Where nothing was mapped no flush is needed. */
	EXPECT(hypercall_update_va_mapping(AREA + PAGE_SIZE, data_entry(page_b), UVMF_NONE), 0);
	EXPECT(*at(PAGE_SIZE), 0xbbbb);
	EXPECT(set_va(AREA + PAGE_SIZE, 0), 0);
	EXPECT(probe_write(at(PAGE_SIZE), 1), 0);
}

static void va_mapping_vcpu_bitmap(void)
{
	unsigned long vcpus = 1, none = 0;

	EXPECT(hypercall_update_va_mapping(AREA, data_entry(page_b),
					   (unsigned long)&vcpus | UVMF_INVLPG),
	       0);
	EXPECT(*at(0), 0xbbbb);
	EXPECT(hypercall_update_va_mapping(AREA, data_entry(page_a),
					   (unsigned long)&vcpus | UVMF_TLB_FLUSH),
	       0);
	EXPECT(*at(0), 0xaaaa);
	EXPECT(hypercall_update_va_mapping(AREA, data_entry(page_a),
					   (unsigned long)&none | UVMF_INVLPG),
	       0);
	/* The entry is written before the bitmap is looked at. */
	EXPECT(hypercall_update_va_mapping(AREA, data_entry(page_a),
					   (NOT_MAPPED & -8ul) | UVMF_INVLPG),
	       -EFAULT);
}

static void va_mapping_bad(void)
{
	uint64_t entry = data_entry(page_a);

	EXPECT(set_va(OF_HYPERVISOR, entry), -EINVAL);
	EXPECT(set_va(HYPERVISOR_VIRT_START, entry), -EINVAL);
	EXPECT(set_va(HYPERVISOR_VIRT_END - PAGE_SIZE, entry), -EINVAL);
	EXPECT(set_va(NOT_CANONICAL, entry), -EINVAL);
	/* No table there. */
	EXPECT(set_va(AREA + (1ul << 39), entry), -EINVAL);
	EXPECT(set_va(AREA + (1ul << 30), entry), -EINVAL);
	EXPECT(set_va(AREA + (1ul << 21), entry), -EINVAL);
	EXPECT(*at(0), 0xaaaa);
}

static void va_mapping_other_domain(void)
{
	EXPECT(hypercall_update_va_mapping_otherdomain(AREA, data_entry(page_a), UVMF_INVLPG, 77),
	       -ESRCH);
	EXPECT(hypercall_update_va_mapping_otherdomain(AREA, data_entry(page_a), UVMF_INVLPG,
						       DOMID_SELF),
	       0);
}

/* What an entry may hold. */

static void frames_of_others(void)
{
	/* Not RAM, and no device either for DOMID_SELF to have; beyond what the CPU can address. */
	EXPECT(set_va(AREA, pte_make(1ul << 39, PTE_DATA)) < 0, 1);
	/* The hypervisor's own memory. */
	EXPECT(set_va(AREA, pte_make(HV_FRAME, PTE_DATA)) < 0, 1);
	EXPECT(set_va(AREA, pte_make(HV_FRAME, PTE_READ_ONLY)) < 0, 1);
	EXPECT(set_va(AREA, pte_make(HV_FRAME, PTE_DATA | PTE_US)) < 0, 1);
	EXPECT(*at(0), 0xaaaa);
}

static void attributes(void)
{
	uint64_t entry = data_entry(page_b), seen;

	/* Bits that the guest has for itself are kept. */
	EXPECT(set_va(AREA, entry | PTE_AVAIL), 0);
	EXPECT(area_l1[0] & PTE_AVAIL, PTE_AVAIL);
	EXPECT(pte_mfn(area_l1[0]), virt_to_mfn(page_b));
	/* Bits 52 to 58 too. */
	EXPECT(set_va(AREA, entry | 1ul << 52), 0);
	/* Execution refused. */
	EXPECT(set_va(AREA, entry | PTE_NX), 0);
	EXPECT_TRUE(area_l1[0] & PTE_NX);
	/* Cached in other ways. */
	EXPECT(set_va(AREA, entry | PTE_PCD | PTE_PWT), 0);
	EXPECT(set_va(AREA, entry | PTE_PAT), 0);
	EXPECT(set_va(AREA, entry), 0);
	/* A table tells what was written, whatever the hypervisor adds for itself. */
	seen = area_l1[0];
	EXPECT(seen & (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX), PTE_DATA);
	/* Not present: every other bit is the guest's own. */
	EXPECT(set_va(AREA, 0xfffffffffffffffe & ~PTE_P), 0);
	EXPECT(area_l1[0], 0xfffffffffffffffe);
	EXPECT(set_va(AREA, data_entry(page_a)), 0);
	EXPECT(*at(0), 0xaaaa);
}

/* The hardware sets accessed and dirty in the guest's entry. */
static void accessed_and_dirty(void)
{
	EXPECT(set_va(AREA, pte_make(virt_to_mfn(page_b), PTE_P | PTE_RW)), 0);
	EXPECT(area_l1[0] & (PTE_A | PTE_D), 0);
	EXPECT(*at(0), 0xbbbb);
	EXPECT(area_l1[0] & (PTE_A | PTE_D), PTE_A);
	*at(0) = 0xbbbb;
	EXPECT(area_l1[0] & (PTE_A | PTE_D), PTE_A | PTE_D);
	/* Kept when asked for, lost when not. */
	EXPECT(test_mmu_update(virt_to_machine(area_l1) | MMU_PT_UPDATE_PRESERVE_AD,
			       pte_make(virt_to_mfn(page_b), PTE_P)),
	       0);
	EXPECT(area_l1[0] & (PTE_A | PTE_D | PTE_RW), PTE_A | PTE_D);
	EXPECT(test_mmu_update(virt_to_machine(area_l1) | MMU_NORMAL_PT_UPDATE,
			       pte_make(virt_to_mfn(page_b), PTE_P)),
	       0);
	EXPECT(area_l1[0] & (PTE_A | PTE_D), 0);
	EXPECT(set_va(AREA, data_entry(page_a)), 0);
}

/* Read-only really is. */
static void read_only(void)
{
	EXPECT(set_va(AREA, pte_make(virt_to_mfn(page_b), PTE_READ_ONLY)), 0);
	EXPECT(*at(0), 0xbbbb);
	EXPECT(probe_write(at(0), 1), 0);
	EXPECT(*at(0), 0xbbbb);
	EXPECT(set_va(AREA, data_entry(page_a)), 0);
}

/* mmu_update */

static void update_forms(void)
{
	uint64_t where = virt_to_machine(&area_l1[2]);
	unsigned int done = 99;
	long result;
	struct mmu_update updates[3] = {
	    {where | MMU_NORMAL_PT_UPDATE, data_entry(page_a)},
	    {where | MMU_PT_UPDATE_PRESERVE_AD, data_entry(page_b)},
	    {where | MMU_PT_UPDATE_NO_TRANSLATE, data_entry(page_b)},
	};

	EXPECT(hypercall_mmu_update(updates, 3, &done, DOMID_SELF), 0);
	EXPECT(done, 3);
	EXPECT(*at(2 * PAGE_SIZE), 0xbbbb);
	EXPECT(hypercall_mmu_update(updates, 0, &done, DOMID_SELF), 0);
	EXPECT(done, 0);
	EXPECT(hypercall_mmu_update(updates, 1, NULL, DOMID_SELF), 0);
	/* Real Xen does not mind where it can't say how many were done. */
	result = hypercall_mmu_update(updates, 1, (unsigned int *)NOT_MAPPED, DOMID_SELF);
	EXPECT_TRUE(result == 0 || result == -EFAULT);
	EXPECT(test_mmu_update(where, 0), 0);
}

/* A batch ends at the first one that is wrong, and says how far it came. */
static void update_partial(void)
{
	struct mmu_update updates[4];
	unsigned int done = 99;

	for (unsigned int i = 0; i < 4; i++)
		updates[i] =
		    (struct mmu_update){virt_to_machine(&area_l1[8 + i]), data_entry(page_a)};
	updates[2].val = pte_make(HV_FRAME, PTE_DATA);
	EXPECT(hypercall_mmu_update(updates, 4, &done, DOMID_SELF) < 0, 1);
	EXPECT(done, 2);
	EXPECT_TRUE(area_l1[9] & PTE_P);
	EXPECT(area_l1[10], 0);
	EXPECT(area_l1[11], 0);
	for (unsigned int i = 0; i < 4; i++)
		EXPECT(test_mmu_update(virt_to_machine(&area_l1[8 + i]), 0), 0);
}

static void update_bad(void)
{
	struct mmu_update update = {virt_to_machine(&area_l1[2]), data_entry(page_a)};

	EXPECT(hypercall_mmu_update(&update, 1, NULL, 77), -ESRCH);
	EXPECT(hypercall_mmu_update((void *)NOT_MAPPED, 1, NULL, DOMID_SELF), -EFAULT);
	EXPECT(hypercall_mmu_update((void *)OF_HYPERVISOR, 1, NULL, DOMID_SELF), -EFAULT);
	EXPECT(hypercall_mmu_update((void *)NOT_CANONICAL, 1, NULL, DOMID_SELF), -EFAULT);
	/* Entries are eight bytes apart. */
	EXPECT(test_mmu_update(virt_to_machine(area_l1) + 4, 0) < 0, 1);
	/* Tables of nobody, of the hypervisor, outside memory. */
	EXPECT(test_mmu_update(HV_FRAME << PAGE_SHIFT, 0) < 0, 1);
	EXPECT(test_mmu_update(1ul << 50, 0) < 0, 1);
	EXPECT(test_mmu_update(~7ul, 0) < 0, 1);
	/* The shared page is writable memory of the hypervisor's: not a table. */
	EXPECT(*at(0), 0xaaaa);
}

/* An ordinary page that is not mapped writable anywhere is written as memory. */
static void update_of_data(void)
{
	uint64_t *page = page_alloc();

	EXPECT(test_mmu_update(virt_to_machine(&page[5]), 0x123456789), 0);
	EXPECT(page[5], 0x123456789);
	page_free(page);
}

static void machphys(void)
{
	uint64_t machine = virt_to_machine(page_a);
	unsigned long pfn = virt_to_pfn(page_a);

	EXPECT(mfn_to_pfn(virt_to_mfn(page_a)), pfn);
	EXPECT(test_mmu_update(machine | MMU_MACHPHYS_UPDATE, 0x1234), 0);
	EXPECT(mfn_to_pfn(virt_to_mfn(page_a)), 0x1234);
	EXPECT(test_mmu_update(machine | MMU_MACHPHYS_UPDATE, pfn), 0);
	/* Only of one's own frames. */
	EXPECT(test_mmu_update((HV_FRAME << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE, 0), -EINVAL);
	EXPECT(test_mmu_update((NOT_RAM << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE, 0), -EINVAL);
	EXPECT(probe_write((void *)&machine_to_phys_mapping[0], 0), 0);
}

/* Higher levels */

static uint64_t where_l4(unsigned int slot)
{
	return virt_to_machine(&page_root[slot]);
}

static void hypervisor_slots(void)
{
	uint64_t *l3 = page_table_alloc();
	uint64_t entry = pte_make(virt_to_mfn(l3), PTE_TABLE);

	for (unsigned int slot = HV_SLOT; slot < HV_SLOT + HV_SLOTS; slot++) {
		EXPECT(test_mmu_update(where_l4(slot), entry), -EINVAL);
		EXPECT(test_mmu_update(where_l4(slot), 0), -EINVAL);
	}
	EXPECT(test_mmu_update(where_l4(HV_SLOT - 1), entry), 0);
	EXPECT(test_mmu_update(where_l4(HV_SLOT - 1), 0), 0);
	EXPECT(test_mmu_update(where_l4(HV_SLOT + HV_SLOTS), entry), 0);
	EXPECT(test_mmu_update(where_l4(HV_SLOT + HV_SLOTS), 0), 0);
	page_table_free(l3);
}

/* No large pages. */
static void superpages(void)
{
	uint64_t *l3 = table_for(AREA, 3), *l2 = table_for(AREA, 2);
	/* Frames of this domain, aligned to 2 MiB. */
	unsigned long mfn = (p2m[0] + 511) & -512ul;

	EXPECT(test_mmu_update(virt_to_machine(&l2[5]), pte_make(mfn, PTE_TABLE | PTE_PS)),
	       -EINVAL);
	EXPECT(test_mmu_update(virt_to_machine(&l2[5]), pte_make(0, PTE_TABLE | PTE_PS)), -EINVAL);
	EXPECT(test_mmu_update(virt_to_machine(&l3[5]), pte_make(0, PTE_TABLE | PTE_PS)), -EINVAL);
	EXPECT(test_mmu_update(where_l4(60), pte_make(virt_to_mfn(l3), PTE_TABLE | PTE_PS)),
	       -EINVAL);
	/* The entry that is there, with the bit put in. */
	EXPECT(test_mmu_update(virt_to_machine(&l2[0]), l2[0] | PTE_PS), -EINVAL);
	EXPECT(test_mmu_update(virt_to_machine(&l3[0]), l3[0] | PTE_PS), -EINVAL);
	EXPECT(*at(0), 0xaaaa);
	EXPECT(test_mmuext(MMUEXT_MARK_SUPER, mfn, 0) < 0, 1);
	EXPECT(test_mmuext(MMUEXT_UNMARK_SUPER, mfn, 0) < 0, 1);
}

/* Upper entries with bits that the CPU or the hypervisor reserves. */
static void reserved_bits(void)
{
	uint64_t *l2 = table_for(AREA, 2), *l3 = table_for(AREA, 3), *table = page_table_alloc();
	uint64_t entry = pte_make(virt_to_mfn(table), PTE_TABLE);

	/* Global: real Xen refuses it, Cerne leaves the bit out. */
	EXPECT_TRUE(test_mmu_update(virt_to_machine(&l2[6]), entry | PTE_G) == -EINVAL ||
		    !(l2[6] & PTE_G));
	EXPECT_TRUE(test_mmu_update(virt_to_machine(&l3[6]), entry | PTE_G) < 0);
	EXPECT_TRUE(test_mmu_update(where_l4(61), entry | PTE_G) < 0);
	EXPECT(test_mmu_update(virt_to_machine(&l2[6]), 0), 0);
	/* A frame number beyond all memory. */
	EXPECT(test_mmu_update(virt_to_machine(&l2[6]), entry | 1ul << 51), -EINVAL);
	EXPECT(test_mmu_update(where_l4(61), pte_make(NOT_RAM, PTE_TABLE)), -EINVAL);
	EXPECT(test_mmu_update(where_l4(61), pte_make(HV_FRAME, PTE_TABLE)) < 0, 1);
	/* The one that all would be good with. */
	EXPECT(test_mmu_update(virt_to_machine(&l2[6]), entry), 0);
	EXPECT(test_mmu_update(virt_to_machine(&l2[6]), 0), 0);
	page_table_free(table);
}

/* A frame has one type at a time. */
static void type_conflicts(void)
{
	uint64_t *l2 = table_for(AREA, 2), *l3 = table_for(AREA, 3);
	void *page = page_alloc();

	/* A page that is mapped writable does not become a table; a table does not become another level. */
	EXPECT(test_mmu_update(virt_to_machine(&l2[7]), pte_make(virt_to_mfn(page), PTE_TABLE)),
	       -EINVAL);
	EXPECT(page_pin(page, 1), -EINVAL);
	EXPECT(page_pin(page, 4), -EINVAL);
	EXPECT_TRUE(page_pin(area_l1, 2) < 0);
	EXPECT_TRUE(page_pin(l2, 1) < 0);
	EXPECT_TRUE(page_pin(l3, 4) < 0);
	EXPECT_TRUE(test_mmu_update(virt_to_machine(&l3[7]),
				    pte_make(virt_to_mfn(area_l1), PTE_TABLE)) < 0);
	EXPECT_TRUE(test_mmu_update(where_l4(61), pte_make(virt_to_mfn(area_l1), PTE_TABLE)) < 0);
	/* No table is mapped writable, at whatever level. */
	EXPECT_REFUSED(set_va(AREA, data_entry(area_l1)));
	EXPECT_REFUSED(set_va(AREA, data_entry(l2)));
	EXPECT_REFUSED(set_va(AREA, data_entry(l3)));
	EXPECT_REFUSED(set_va(AREA, data_entry(page_root)));
	/* To look at it is fine. */
	EXPECT(set_va(AREA, pte_make(virt_to_mfn(area_l1), PTE_READ_ONLY)), 0);
	EXPECT(*at(0), area_l1[0]);
	EXPECT(set_va(AREA, data_entry(page_a)), 0);
	page_free(page);
}

/* A table used twice, and how its type ends when the last use does. */
static void shared_table(void)
{
	uint64_t *l2 = table_for(AREA, 2);
	uint64_t entry = pte_make(virt_to_mfn(area_l1), PTE_TABLE);
	uint64_t *table = page_table_alloc();

	EXPECT(test_mmu_update(virt_to_machine(&l2[8]), entry), 0);
	EXPECT(*at(8ul << 21), 0xaaaa);
	EXPECT(test_mmu_update(virt_to_machine(&l2[8]), 0), 0);
	EXPECT(tlb_flush(), 0);
	EXPECT(probe_write(at(8ul << 21), 1), 0);
	EXPECT(*at(0), 0xaaaa);
	EXPECT(test_mmu_update(virt_to_machine(&l2[9]), pte_make(virt_to_mfn(table), PTE_TABLE)),
	       0);
	EXPECT_REFUSED(page_writable(table));
	EXPECT(test_mmu_update(virt_to_machine(&l2[10]), pte_make(virt_to_mfn(table), PTE_TABLE)),
	       0);
	EXPECT(test_mmu_update(virt_to_machine(&l2[9]), 0), 0);
	EXPECT_REFUSED(page_writable(table));
	EXPECT(test_mmu_update(virt_to_machine(&l2[10]), 0), 0);
	EXPECT(page_writable(table), 0);
	EXPECT(page_read_only(table), 0);
	page_table_free(table);
}

/* Pins */

static void pin_and_unpin(void)
{
	uint64_t *tables[5];

	for (unsigned int level = 1; level <= 4; level++) {
		tables[level] = page_table_alloc();
		EXPECT(page_pin(tables[level], level), 0);
		EXPECT(page_pin(tables[level], level), -EINVAL);
		EXPECT_REFUSED(page_writable(tables[level]));
		EXPECT(page_unpin(tables[level]), 0);
		EXPECT(page_unpin(tables[level]), -EINVAL);
		EXPECT(page_writable(tables[level]), 0);
		EXPECT(page_read_only(tables[level]), 0);
	}
	/* A tree that was built as ordinary memory, pinned at its top. */
	for (unsigned int level = 1; level <= 4; level++)
		EXPECT(page_writable(tables[level]), 0);
	tables[1][3] = data_entry(page_b);
	tables[2][3] = pte_make(virt_to_mfn(tables[1]), PTE_TABLE);
	tables[3][3] = pte_make(virt_to_mfn(tables[2]), PTE_TABLE);
	tables[4][3] = pte_make(virt_to_mfn(tables[3]), PTE_TABLE);
	for (unsigned int level = 1; level <= 4; level++)
		EXPECT(page_read_only(tables[level]), 0);
	EXPECT(page_pin(tables[4], 4), 0);
	for (unsigned int level = 1; level <= 4; level++)
		EXPECT_REFUSED(page_writable(tables[level]));
	EXPECT(page_unpin(tables[4]), 0);
	for (unsigned int level = 1; level <= 4; level++) {
		EXPECT(page_writable(tables[level]), 0);
		page_free(tables[level]);
	}
}

/* An entry somewhere in the tree is wrong: nothing of it remains a table. */
static void pin_bad_contents(void)
{
	static const uint64_t bad[] = {
	    HV_FRAME << PAGE_SHIFT | PTE_DATA,
	    NOT_RAM << PAGE_SHIFT | PTE_DATA,
	};
	uint64_t *l1 = page_alloc(), *l2 = page_alloc();

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		l1[0] = data_entry(page_a);
		l1[511] = bad[i];
		memset(l2, 0, PAGE_SIZE);
		l2[511] = pte_make(virt_to_mfn(l1), PTE_TABLE);
		EXPECT(page_read_only(l1), 0);
		EXPECT(page_read_only(l2), 0);
		EXPECT(page_pin(l1, 1) < 0, 1);
		EXPECT(page_pin(l2, 2) < 0, 1);
		EXPECT(page_writable(l1), 0);
		EXPECT(page_writable(l2), 0);
	}
	/* A table that maps itself writable, and one that maps the other writable. */
	memset(l1, 0, PAGE_SIZE);
	l1[0] = data_entry(l1);
	EXPECT(page_read_only(l1), 0);
	EXPECT(page_pin(l1, 1) < 0, 1);
	EXPECT(page_writable(l1), 0);
	l1[0] = pte_make(virt_to_mfn(l1), PTE_READ_ONLY);
	EXPECT(page_read_only(l1), 0);
	EXPECT(page_pin(l1, 1), 0);
	EXPECT(page_unpin(l1), 0);
	EXPECT(page_writable(l1), 0);
	page_free(l1);
	page_free(l2);
}

static void pin_bad_frames(void)
{
	for (unsigned int cmd = MMUEXT_PIN_L1_TABLE; cmd <= MMUEXT_NEW_BASEPTR; cmd++) {
		EXPECT(test_mmuext(cmd, HV_FRAME, 0), -EINVAL);
		EXPECT(test_mmuext(cmd, NOT_RAM, 0), -EINVAL);
		EXPECT(test_mmuext(cmd, ~0ul, 0), -EINVAL);
	}
	EXPECT(*at(0), 0xaaaa);
}

/* The hypervisor's slots of a new top-level table are its own to fill, whatever the guest left there. */
static void top_level(void)
{
	uint64_t *root = page_alloc();

	memcpy(root, page_root, PAGE_SIZE);
	for (unsigned int slot = HV_SLOT; slot < HV_SLOT + HV_SLOTS; slot++)
		root[slot] = 0;
	EXPECT(page_read_only(root), 0);
	EXPECT(page_root_switch(root), 0);
	EXPECT(*at(0), 0xaaaa);
	/* Both are in use or were: the old one is pinned from the start of day. */
	EXPECT_REFUSED(page_writable(root));
	EXPECT(page_root_switch(page_root), 0);
	EXPECT(page_writable(root), 0);
	/* Rubbish in those slots is not looked at. */
	memcpy(root, page_root, PAGE_SIZE);
	for (unsigned int slot = HV_SLOT; slot < HV_SLOT + HV_SLOTS; slot++)
		root[slot] = pte_make(HV_FRAME, PTE_TABLE);
	EXPECT(page_read_only(root), 0);
	EXPECT(page_pin(root, 4), 0);
	EXPECT(page_root_switch(root), 0);
	EXPECT(*at(0), 0xaaaa);
	EXPECT(page_root_switch(page_root), 0);
	EXPECT(page_unpin(root), 0);
	EXPECT(page_writable(root), 0);
	page_free(root);
}

static void switch_bad(void)
{
	void *page = page_alloc();

	EXPECT(page_root_switch(page) < 0, 1);
	EXPECT(test_mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(area_l1), 0) < 0, 1);
	EXPECT(*at(0), 0xaaaa);
	page_free(page);
}

/* The other mmuext operations */

static void flushes(void)
{
	unsigned long vcpus = 1;
	long result;

	EXPECT(test_mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
	EXPECT(test_mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
	EXPECT(test_mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (unsigned long)&vcpus), 0);
	EXPECT(test_mmuext(MMUEXT_INVLPG_LOCAL, AREA, 0), 0);
	EXPECT(test_mmuext(MMUEXT_INVLPG_ALL, AREA, 0), 0);
	EXPECT(test_mmuext(MMUEXT_INVLPG_MULTI, AREA, (unsigned long)&vcpus), 0);
	EXPECT(test_mmuext(MMUEXT_INVLPG_LOCAL, OF_HYPERVISOR, 0), 0);
	EXPECT(test_mmuext(MMUEXT_INVLPG_LOCAL, NOT_CANONICAL, 0), 0);
	/* EINVAL on real Xen. */
	result = test_mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, NOT_MAPPED);
	EXPECT_TRUE(result == -EINVAL || result == -EFAULT);
	result = test_mmuext(MMUEXT_INVLPG_MULTI, AREA, OF_HYPERVISOR);
	EXPECT_TRUE(result == -EINVAL || result == -EFAULT);
}

static void clear_and_copy(void)
{
	uint64_t *from = page_alloc(), *to = page_alloc();

	memset(from, 0x5a, PAGE_SIZE);
	EXPECT(test_mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(to), virt_to_mfn(from)), 0);
	EXPECT(memcmp(from, to, PAGE_SIZE), 0);
	EXPECT(test_mmuext(MMUEXT_CLEAR_PAGE, virt_to_mfn(to), 0), 0);
	for (unsigned int i = 0; i < 512; i++)
		if (!EXPECT(to[i], 0))
			break;
	/* Neither may go to a table, nor come from another's memory. */
	EXPECT(test_mmuext(MMUEXT_CLEAR_PAGE, virt_to_mfn(area_l1), 0), -EINVAL);
	EXPECT(test_mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(area_l1), virt_to_mfn(from)), -EINVAL);
	EXPECT(test_mmuext(MMUEXT_CLEAR_PAGE, HV_FRAME, 0), -EINVAL);
	EXPECT(test_mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(to), HV_FRAME), -EINVAL);
	EXPECT(test_mmuext(MMUEXT_COPY_PAGE, HV_FRAME, virt_to_mfn(from)), -EINVAL);
	EXPECT(test_mmuext(MMUEXT_CLEAR_PAGE, ~0ul, 0), -EINVAL);
	EXPECT(*at(0), 0xaaaa);
	page_free(from);
	page_free(to);
}

static void mmuext_bad(void)
{
	struct mmuext_op ops[2] = {{.cmd = MMUEXT_TLB_FLUSH_LOCAL}, {.cmd = 14}};
	unsigned int done = 99;

	EXPECT(test_mmuext(14, 0, 0), -ENOSYS);
	EXPECT(test_mmuext(21, 0, 0), -ENOSYS);
	EXPECT(test_mmuext(~0u, 0, 0), -ENOSYS);
	EXPECT(hypercall_mmuext_op(ops, 2, &done, DOMID_SELF), -ENOSYS);
	EXPECT(done, 1);
	EXPECT(hypercall_mmuext_op(ops, 0, &done, DOMID_SELF), 0);
	EXPECT(done, 0);
	EXPECT(hypercall_mmuext_op(ops, 1, NULL, 77), -ESRCH);
	EXPECT(hypercall_mmuext_op((void *)NOT_MAPPED, 1, NULL, DOMID_SELF), -EFAULT);
	EXPECT(hypercall_mmuext_op((void *)OF_HYPERVISOR, 1, NULL, DOMID_SELF), -EFAULT);
}

/* Writes to tables by ordinary instructions */

static void write_entry(void *value)
{
	*(volatile uint64_t *)&area_l1[20] = *(uint64_t *)value;
}

static void write_low_half(void *value)
{
	*(volatile uint32_t *)&area_l1[20] = *(uint32_t *)value;
}

static void direct_write(void)
{
	uint64_t entry = data_entry(page_b), old;

	EXPECT(trap_catch(write_entry, &entry, NULL), -1);
	EXPECT(*at(20 * PAGE_SIZE), 0xbbbb);
	entry = 0;
	EXPECT(trap_catch(write_entry, &entry, NULL), -1);
	EXPECT(area_l1[20], 0);
	/* The exchanges that kernels use. */
	entry = data_entry(page_a);
	__asm__ volatile("xchgq %0, %1" : "+r"(entry), "+m"(area_l1[20]) : : "memory");
	EXPECT(entry, 0);
	EXPECT(pte_mfn(area_l1[20]), virt_to_mfn(page_a));
	EXPECT(test_mmuext(MMUEXT_INVLPG_LOCAL, AREA + 20 * PAGE_SIZE, 0), 0);
	EXPECT(*at(20 * PAGE_SIZE), 0xaaaa);
	old = area_l1[20];
	EXPECT(__sync_val_compare_and_swap(&area_l1[20], old, data_entry(page_b)), old);
	EXPECT(pte_mfn(area_l1[20]), virt_to_mfn(page_b));
	/* A compare that fails leaves it alone. */
	EXPECT_TRUE(__sync_val_compare_and_swap(&area_l1[20], 0x1230, 0) != 0x1230);
	EXPECT(pte_mfn(area_l1[20]), virt_to_mfn(page_b));
	entry = 0;
	EXPECT(trap_catch(write_entry, &entry, NULL), -1);
	EXPECT(set_va(AREA + 20 * PAGE_SIZE, 0), 0);
}

/* A write of what may not be there is a page fault, and the entry stays. */
static void direct_write_bad(void)
{
	static const uint64_t bad[] = {HV_FRAME << PAGE_SHIFT | PTE_DATA,
				       NOT_RAM << PAGE_SHIFT | PTE_DATA};
	uint64_t entry;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		entry = bad[i];
		EXPECT(trap_catch(write_entry, &entry, NULL), TRAP_PF);
		EXPECT(trap_fault_address(), (unsigned long)&area_l1[20]);
		EXPECT(area_l1[20], 0);
	}
	entry = data_entry(area_l1);
	EXPECT(trap_catch(write_entry, &entry, NULL), TRAP_PF);
	EXPECT(area_l1[20], 0);
	/* Half an entry, with the present bit cleared: done, or refused as a whole. */
	EXPECT(set_va(AREA + 20 * PAGE_SIZE, data_entry(page_b)), 0);
	entry = 0;
	if (trap_catch(write_low_half, &entry, NULL) == -1)
		EXPECT(area_l1[20] & 0xffffffff, 0);
	else
		EXPECT(pte_mfn(area_l1[20]), virt_to_mfn(page_b));
	EXPECT(set_va(AREA + 20 * PAGE_SIZE, 0), 0);
}

/* Only level 1 is written in this way; the other levels fault. */
static void direct_write_higher(void)
{
	uint64_t *l2 = table_for(AREA, 2);

	EXPECT(probe_write(&l2[11], 0), 0);
	EXPECT(probe_write(&page_root[62], 0), 0);
	EXPECT(probe_write(&l2[0], 0), 0);
	EXPECT(*at(0), 0xaaaa);
}

/* A table that is an entry of itself, read-only: allowed by real Xen if so configured. */
static void linear(void)
{
	long result =
	    test_mmu_update(where_l4(62), pte_make(virt_to_mfn(page_root), PTE_P | PTE_US | PTE_A));

	if (result == -EINVAL) {
		test_skip("linear page tables are refused");
		return;
	}
	EXPECT(result, 0);
	/* Writable it never is. */
	EXPECT(test_mmu_update(where_l4(63), pte_make(virt_to_mfn(page_root), PTE_TABLE)) < 0, 1);
	EXPECT(probe_write((void *)(62ul << 39 | 62ul << 30 | 62ul << 21 | 62ul << 12), 0), 0);
	EXPECT(test_mmu_update(where_l4(62), 0), 0);
}

/* Device memory: the first domain may map it as DOMID_IO's, other frames not as that. */
static void device_memory(void)
{
	/* The local APIC is the hypervisor's; PCI memory below it is not. */
	EXPECT(page_map(page_root, AREA + 30 * PAGE_SIZE, pte_make(0xfed40, PTE_DATA | PTE_PCD),
			DOMID_IO),
	       0);
	EXPECT(set_va(AREA + 30 * PAGE_SIZE, 0), 0);
	EXPECT_TRUE(page_map(page_root, AREA + 30 * PAGE_SIZE,
			     pte_make(0xfee00, PTE_DATA | PTE_PCD), DOMID_IO) < 0);
	EXPECT_TRUE(
	    page_map(page_root, AREA + 30 * PAGE_SIZE, pte_make(HV_FRAME, PTE_DATA), DOMID_IO) < 0);
	EXPECT_TRUE(page_map(page_root, AREA + 30 * PAGE_SIZE, pte_make(HV_FRAME, PTE_DATA),
			     DOMID_XEN) < 0);
	EXPECT(page_map(page_root, AREA + 30 * PAGE_SIZE, data_entry(page_a), 77), -ESRCH);
	EXPECT(area_l1[30], 0);
}

/* A stale translation does not outlive the reference: unmapped, the frame may become a table at once. */
static void stale_translation(void)
{
	for (int i = 0; i < 50; i++) {
		uint64_t *page = page_alloc();

		EXPECT(set_va(AREA + 40 * PAGE_SIZE, data_entry(page)), 0);
		*at(40 * PAGE_SIZE) = 0;
		/* No flush asked for. */
		EXPECT(hypercall_update_va_mapping(AREA + 40 * PAGE_SIZE, 0, UVMF_NONE), 0);
		EXPECT(page_read_only(page), 0);
		EXPECT(page_pin(page, 1), 0);
		EXPECT(probe_write(at(40 * PAGE_SIZE), pte_make(HV_FRAME, PTE_DATA)), 0);
		EXPECT(page[0], 0);
		EXPECT(page_unpin(page), 0);
		EXPECT(page_writable(page), 0);
		page_free(page);
	}
}

/* The runtime's mapping of a list, with frames in it that nobody may map: those alone are left out. */
static void frames_of_a_list(void)
{
	enum { COUNT = 600, BAD_1 = 3, BAD_2 = 64, BAD_3 = 599 }; /* over more than one table */
	static xen_pfn_t frames[COUNT];
	static int errors[COUNT];
	volatile uint64_t *page = page_alloc(), *there;
	unsigned int wrong = 0;
	uint64_t value;
	long error = 0;

	page[0] = 4711;
	for (unsigned int i = 0; i < COUNT; i++)
		frames[i] = virt_to_mfn(page);
	there = frames_map_list(frames, COUNT, PTE_DATA, DOMID_SELF, NULL, &error);
	EXPECT_TRUE(there);
	for (unsigned int i = 0; i < COUNT; i++)
		wrong += there[i * (PAGE_SIZE / 8)] != 4711;
	EXPECT(wrong, 0);
	frames_unmap((void *)there, COUNT);
	EXPECT_TRUE(!probe_read(there, &value));

	/* A page table is never mapped writable. */
	frames[BAD_1] = frames[BAD_2] = frames[BAD_3] = virt_to_mfn(page_root);
	EXPECT_TRUE(!frames_map_list(frames, COUNT, PTE_DATA, DOMID_SELF, NULL, &error));
	EXPECT(error, -EBUSY);
	there = frames_map_list(frames, COUNT, PTE_DATA, DOMID_SELF, errors, NULL);
	EXPECT_TRUE(there);
	for (unsigned int i = 0; i < COUNT; i++) {
		bool bad = i == BAD_1 || i == BAD_2 || i == BAD_3;

		wrong += errors[i] != (bad ? -EBUSY : 0);
		wrong += probe_read(&there[i * (PAGE_SIZE / 8)], &value) == bad;
	}
	EXPECT(wrong, 0);
	frames_unmap((void *)there, COUNT);
	page_free((void *)page);
}

static const struct test tests[] = {
    {"set up", set_up},
    {"update_va_mapping", va_mapping},
    {"update_va_mapping with a bitmap of vCPUs", va_mapping_vcpu_bitmap},
    {"update_va_mapping, bad arguments", va_mapping_bad},
    {"update_va_mapping_otherdomain", va_mapping_other_domain},
    {"frames of others", frames_of_others},
    {"attributes of an entry", attributes},
    {"accessed and dirty", accessed_and_dirty},
    {"read-only", read_only},
    {"mmu_update, every form", update_forms},
    {"mmu_update, a bad one in a batch", update_partial},
    {"mmu_update, bad arguments", update_bad},
    {"mmu_update of what is no table", update_of_data},
    {"machine-to-physical map", machphys},
    {"the hypervisor's slots", hypervisor_slots},
    {"superpages", superpages},
    {"reserved bits", reserved_bits},
    {"conflicts of type", type_conflicts},
    {"a table used twice", shared_table},
    {"pin and unpin", pin_and_unpin},
    {"pin tables with bad contents", pin_bad_contents},
    {"pin frames of others", pin_bad_frames},
    {"top-level tables", top_level},
    {"switch to what is no root", switch_bad},
    {"flushes", flushes},
    {"clear and copy", clear_and_copy},
    {"mmuext_op, bad arguments", mmuext_bad},
    {"write to a table", direct_write},
    {"write something bad to a table", direct_write_bad},
    {"write to higher tables", direct_write_higher},
    {"linear page tables", linear},
    {"device memory", device_memory},
    {"stale translations", stale_translation},
    {"frames of a list, some refused", frames_of_a_list},
};

void guest_main(void)
{
	test_main("pagetables", tests, COUNT_OF(tests));
}
