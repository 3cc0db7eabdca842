/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/descriptor.c hypervisor/mm/page_type.c hypervisor/mm/alloc.c hypervisor/mm/frame.c hypervisor/mm/audit.c hypervisor/mm/mmu.c hypervisor/mm/memory_op.c hypervisor/mm/range_set.c
/* Descriptor tables: which descriptors, which frames, and what holds them. */
#include "unit.h"
#include "fake_mm.h"

static mfn_t frame[8];

static int start(void **state)
{
	fake_start(false);
	memset(fake_window, 0, sizeof(fake_window));
	for (unsigned int i = 0; i < ARRAY_SIZE(frame); i++)
		frame[i] = domain_alloc_frames(&guest, 0, ALLOC_ZERO);
	return 0;
}

#define CODE64	  0x00af9b000000ffffUL
#define DATA32	  0x00cf93000000ffffUL
#define DPL(n)	  ((uint64_t)(n) << 45)
#define ABSENT(d) ((d) & ~(1UL << 47))

static void which_descriptors(void **state)
{
	assert_true(descriptor_ok(0));
	for (unsigned int dpl = 0; dpl < 4; dpl++) {
		assert_true(descriptor_ok(CODE64 | DPL(dpl)));
		assert_true(descriptor_ok(DATA32 | DPL(dpl)));
	}
	/* All system types: LDT, TSS, gates (SDM 3 table 3-2). */
	for (uint64_t type = 0; type < 16; type++)
		for (unsigned int dpl = 0; dpl < 4; dpl++) {
			uint64_t d = type << 40 | 1UL << 47 | DPL(dpl) | 0xffff;

			assert_false(descriptor_ok(d));
			assert_true(descriptor_ok(ABSENT(d)));
		}
}

static long set_gdt(unsigned int entries)
{
	return do_set_gdt((vaddr_t)frame, entries);
}

static void gdt(void **state)
{
	page(frame[0])[2] = CODE64;
	page(frame[1])[511] = DATA32 | DPL(1);
	assert_int_equal(set_gdt(513), 0);
	/* Both pages whole, with the privilege level that ring 3 has. */
	assert_int_equal(page(frame[0])[2], CODE64 | DPL(3));
	assert_int_equal(page(frame[1])[511], DATA32 | DPL(3));
	assert_int_equal(vcpu.pv.gdt_ents, 513);
	assert_int_equal(get_frame_and_type(frame[0], &guest, PT_WRITABLE), -EINVAL);
	assert_int_equal(state_type_refs(fr(frame[1])->state), 1);

	/* A new one that is refused changes nothing. */
	page(frame[2])[100] = 0x0000ec0000000000UL; /* call gate */
	assert_int_equal(set_gdt(3 * 512), -EINVAL);
	assert_int_equal(vcpu.pv.gdt_ents, 513);
	assert_int_equal(state_type_refs(fr(frame[0])->state), 1);
	assert_int_equal(state_type_refs(fr(frame[2])->state), 0);
	page(frame[2])[100] = 0;
	assert_int_equal(set_gdt(3 * 512), 0);
	assert_int_equal(state_type_refs(fr(frame[0])->state), 1);

	assert_int_equal(set_gdt(14 * 512 + 1), -EINVAL);
	assert_int_equal(do_set_gdt(8, 512), -EFAULT);
	frame[0] = FAKE_RAM; /* a device */
	assert_int_equal(set_gdt(1), -EINVAL);
	frame[0] = domain_alloc_frames(&other, 0, 0);
	assert_int_equal(set_gdt(1), -EINVAL);
	assert_int_equal(set_gdt(0), 0);
	for (unsigned int i = 1; i < 3; i++)
		assert_int_equal(state_refs(fr(frame[i])->state), 1);
}

static void single_descriptors(void **state)
{
	paddr_t at = frame[0] << 12 | 80;

	assert_int_equal(set_gdt(512), 0);
	assert_int_equal(do_update_descriptor(at, CODE64), 0);
	assert_int_equal(page(frame[0])[10], CODE64 | DPL(3));
	assert_int_equal(do_update_descriptor(at, 0x0000ec0000000000UL), -EINVAL);
	assert_int_equal(do_update_descriptor(at | 4, CODE64), -EINVAL);
	assert_int_equal(do_update_descriptor(frame[3] << 12, DATA32), 0); /* memory */
	assert_int_equal(page(frame[3])[0], DATA32 | DPL(3));
	assert_int_equal(do_update_descriptor(1UL << 50, CODE64), -EINVAL);
	assert_int_equal(do_update_descriptor(domain_alloc_frames(&other, 0, 0) << 12, CODE64),
			 -EINVAL);
	/* A page table is none. */
	assert_int_equal(pin_table(&guest, frame[4], PT_L1), 0);
	assert_int_equal(do_update_descriptor(frame[4] << 12, CODE64), -EINVAL);
	assert_int_equal(page(frame[4])[0], 0);
	release_gdt(&vcpu);
	assert_int_equal(state_refs(fr(frame[0])->state), 1);
}

/* Tables that map frame[5] and frame[6] as the first pages of an LDT at LDT_BASE. */
#define LDT_BASE 0x8000UL

static void ldt(void **state)
{
	uint64_t *window = &fake_window[PERCPU_LDT_OFFSET >> 12];

	page(frame[0])[0] = pte(frame[1], RW);
	page(frame[1])[0] = pte(frame[2], RW);
	page(frame[2])[0] = pte(frame[3], RW);
	page(frame[3])[8] = pte(frame[5], RO);
	page(frame[3])[9] = pte(frame[6], RW); /* writable: can't be descriptors */
	page(frame[3])[11] = pte(frame[4], RO);
	page(frame[5])[0] = CODE64;
	assert_int_equal(set_vcpu_root(&vcpu, frame[0], false), 0);
	vcpu.pv.ldt_base = LDT_BASE;
	vcpu.pv.ldt_ents = 512 * 3;

	assert_true(mm_map_ldt_page(&vcpu, 0));
	assert_int_equal(window[0] >> 12 & 0xffffffffff, frame[5]);
	assert_int_equal(window[0] & PTE_USER, 0);
	assert_int_equal(page(frame[5])[0], CODE64 | DPL(3));
	assert_int_equal(state_type(fr(frame[5])->state), PT_SEG_DESC);
	assert_false(mm_map_ldt_page(&vcpu, 0)); /* mapped: it faulted for something else */
	assert_false(mm_map_ldt_page(&vcpu, 1));
	assert_false(mm_map_ldt_page(&vcpu, 2)); /* not there */
	assert_false(mm_map_ldt_page(&vcpu, 3)); /* beyond the limit, though mapped */
	assert_false(mm_map_ldt_page(&vcpu, ~0U));
	assert_int_equal(window[1], 0);
	assert_int_equal(get_frame_and_type(frame[5], &guest, PT_WRITABLE), -EINVAL);
	assert_int_equal(mm_audit(), 0);

	fake_invalidated = 0;
	invalidate_ldt(&vcpu);
	assert_int_equal(window[0], 0);
	assert_int_equal(fake_invalidated, percpu_area(0) + PERCPU_LDT_OFFSET);
	assert_int_equal(vcpu.pv.ldt_mapped, 0);
	assert_int_equal(state_type_refs(fr(frame[5])->state), 0);
	vcpu.pv.ldt_base = HV_VIRT_START - PAGE_SIZE;
	assert_false(mm_map_ldt_page(&vcpu, 1));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup(t, start)
	const struct CMUnitTest tests[] = {
	    TEST(which_descriptors),
	    TEST(gdt),
	    TEST(single_descriptors),
	    TEST(ldt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
