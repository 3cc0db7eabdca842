/* SPDX-License-Identifier: MIT */
/* Segment bases, stack_switch, set_gdt, the LDT, and descriptors that the hypervisor must refuse. */
#include "../test.h"

#define GDT_ENTRIES 512

/* Descriptors by their fields: Intel SDM volume 3, 3.4.5. */
#define DATA(base, dpl)	   (0x00c093000000ffffull | (uint64_t)(dpl) << 45 | BASE(base))
#define CODE64(dpl)	   (0x00af9b000000ffffull | (uint64_t)(dpl) << 45)
#define CODE32(dpl)	   (0x00cf9b000000ffffull | (uint64_t)(dpl) << 45)
#define BASE(base)	   (((base)&0xffffffull) << 16 | ((base)&0xff000000ull) << 32)
#define SYSTEM(type, dpl)  (0x0000800000000067ull | (uint64_t)(type) << 40 | (uint64_t)(dpl) << 45)
#define ABSENT(descriptor) ((descriptor) & ~(1ull << 47))

static uint64_t *gdt;

static uint64_t read_fs(void)
{
	uint64_t value;

	__asm__ volatile("movq %%fs:0, %0" : "=r"(value));
	return value;
}

static uint64_t read_gs(unsigned long offset)
{
	uint64_t value;

	__asm__ volatile("movq %%gs:(%1), %0" : "=r"(value) : "r"(offset));
	return value;
}

static void load_fs(void *selector)
{
	__asm__ volatile("movl %0, %%fs" : : "r"((unsigned int)(unsigned long)selector));
}

static void load_ds(void *selector)
{
	__asm__ volatile("movl %0, %%ds" : : "r"((unsigned int)(unsigned long)selector));
}

static int try_fs(unsigned int selector)
{
	int vector = trap_catch(load_fs, (void *)(unsigned long)selector, NULL);

	load_fs(NULL);
	return vector;
}

static void fs_base(void)
{
	static uint64_t here = 0x1234567890abcdef, there = 42;

	EXPECT(hypercall_set_segment_base(SEGBASE_FS, (unsigned long)&here), 0);
	EXPECT(read_fs(), here);
	EXPECT(hypercall_set_segment_base(SEGBASE_FS, (unsigned long)&there), 0);
	EXPECT(read_fs(), there);
	/* It stays over a call and a block. */
	EXPECT(hypercall_sched_op(SCHEDOP_yield, NULL), 0);
	EXPECT(read_fs(), there);
}

static void gs_base(void)
{
	uint64_t first = vcpu_info_here->evtchn_pending_sel;
	static uint64_t user_side = 77;

	/* The user's is another register: ours does not change. */
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_USER, (unsigned long)&user_side), 0);
	EXPECT(read_gs(8), first);
	/* The kernel's, moved and moved back. */
	events_mask();
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_KERNEL, (unsigned long)&user_side), 0);
	EXPECT(read_gs(0), 77);
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_KERNEL,
					  (unsigned long)&shared_info->vcpu_info[0]),
	       0);
	EXPECT(read_gs(8), first);
	events_unmask();
}

static void bases_bad(void)
{
	EXPECT(hypercall_set_segment_base(SEGBASE_FS, NOT_CANONICAL), -EINVAL);
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_USER, NOT_CANONICAL), -EINVAL);
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_KERNEL, NOT_CANONICAL), -EINVAL);
	EXPECT(hypercall_set_segment_base(SEGBASE_FS, 0x0000800000000000), -EINVAL);
	EXPECT(hypercall_set_segment_base(4, 0), -EINVAL);
	EXPECT(hypercall_set_segment_base(~0u, 0), -EINVAL);
	EXPECT(events_masked(), 0);
}

/* A selector for user mode: null and good ones load, others are told. */
static void gs_user_selector(void)
{
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, FLAT_RING3_DS32), 0);
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
	EXPECT(events_masked(), 0);
}

static void stack_switch(void)
{
	EXPECT(hypercall_stack_switch(FLAT_KERNEL_SS, 0), 0);
	EXPECT(hypercall_stack_switch(FLAT_KERNEL_SS, (unsigned long)page_root), 0);
	/* Nothing but a user's trap looks at it. */
	EXPECT(hypercall_stack_switch(FLAT_KERNEL_SS, NOT_CANONICAL), 0);
}

static long set_gdt(const void *page, unsigned int entries)
{
	xen_pfn_t frame = virt_to_mfn(page);

	return hypercall_set_gdt(&frame, entries);
}

static void own_gdt(void)
{
	gdt = page_alloc();
	gdt[1] = DATA(0, 3);
	gdt[2] = CODE64(3);
	gdt[3] = CODE32(3);
	gdt[4] = DATA((unsigned long)&shared_info->vcpu_info[0], 3);
	/* Still writable where it is mapped: no table. */
	EXPECT(set_gdt(gdt, GDT_ENTRIES), -EINVAL);
	EXPECT(page_read_only(gdt), 0);
	EXPECT(set_gdt(gdt, GDT_ENTRIES), 0);
	EXPECT(try_fs(1 << 3 | 3), -1);
	EXPECT(try_fs(4 << 3 | 3), -1);
	EXPECT(try_fs(5 << 3 | 3), TRAP_GP);
	/* The flat ones are there still, and so is the kernel itself. */
	EXPECT(try_fs(FLAT_RING3_DS32), -1);
	EXPECT(try_fs(FLAT_RING3_DS32), -1);
	/* It can't be made writable now. */
	EXPECT_REFUSED(page_writable(gdt));
}

static void gdt_base_is_used(void)
{
	static uint64_t low = 0;
	uint64_t before = read_gs(8);

	/* Bases are 32 bits: only user addresses can be named, so the base itself is looked at. */
	EXPECT(before, vcpu_info_here->evtchn_pending_sel);
	(void)low;
	EXPECT(hypercall_update_descriptor(virt_to_machine(&gdt[6]), DATA(0x12345678, 3)), 0);
	load_fs((void *)(6ul << 3 | 3));
	EXPECT(trap_catch((void (*)(void *))(void *)read_fs, NULL, NULL), TRAP_PF);
	EXPECT(trap_fault_address(), 0x12345678);
	load_fs(NULL);
}

static void gdt_bad(void)
{
	xen_pfn_t frames[16];
	void *data = page_alloc();

	EXPECT(set_gdt(gdt, 16 * 512), -EINVAL);
	EXPECT(set_gdt(gdt, FIRST_RESERVED_GDT_ENTRY + 1), -EINVAL);
	EXPECT(set_gdt(gdt, ~0u), -EINVAL);
	EXPECT(hypercall_set_gdt((void *)NOT_MAPPED, 512), -EFAULT);
	EXPECT(hypercall_set_gdt((void *)OF_HYPERVISOR, 512), -EFAULT);
	frames[0] = ~0ul;
	EXPECT(hypercall_set_gdt(frames, 512), -EINVAL);
	frames[0] = 0x123456789ab;
	EXPECT(hypercall_set_gdt(frames, 512), -EINVAL);
	/* A page table is no descriptor table. */
	EXPECT(set_gdt(page_root, 512), -EINVAL);
	/* The second of two is wrong: nothing has changed, the first is not held. */
	frames[0] = virt_to_mfn(data);
	frames[1] = virt_to_mfn(page_root);
	EXPECT(page_read_only(data), 0);
	EXPECT(hypercall_set_gdt(frames, 1024), -EINVAL);
	EXPECT(page_writable(data), 0);
	EXPECT(try_fs(1 << 3 | 3), -1);
	page_free(data);
}

/* Contents are checked when a frame becomes a table. */
static void gdt_bad_contents(void)
{
	uint64_t *table = page_alloc();
	static const uint64_t bad[] = {SYSTEM(9, 0), SYSTEM(11, 3), SYSTEM(2, 0), SYSTEM(14, 0),
				       SYSTEM(15, 3)};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		EXPECT(page_writable(table), 0);
		table[7] = bad[i];
		EXPECT(page_read_only(table), 0);
		EXPECT(set_gdt(table, 512), -EINVAL);
	}
	EXPECT(page_writable(table), 0);
	EXPECT(try_fs(1 << 3 | 3), -1);
	page_free(table);
}

static void gdt_none(void)
{
	EXPECT(hypercall_set_gdt(NULL, 0), 0);
	EXPECT(try_fs(1 << 3 | 3), TRAP_GP);
	EXPECT(page_writable(gdt), 0);
	EXPECT(page_read_only(gdt), 0);
	EXPECT(set_gdt(gdt, GDT_ENTRIES), 0);
	EXPECT(try_fs(1 << 3 | 3), -1);
}

static long put(unsigned int index, uint64_t descriptor)
{
	return hypercall_update_descriptor(virt_to_machine(&gdt[index]), descriptor);
}

static void descriptors_good(void)
{
	EXPECT(put(10, DATA(0, 3)), 0);
	EXPECT(gdt[10], DATA(0, 3));
	EXPECT(put(10, CODE64(3)), 0);
	EXPECT(put(10, CODE32(3)), 0);
	EXPECT(put(10, 0), 0);
	EXPECT(gdt[10], 0);
	/* Not present: nothing else counts. */
	EXPECT(put(10, ABSENT(SYSTEM(12, 3))), 0);
	EXPECT(put(10, ABSENT(SYSTEM(11, 0))), 0);
	EXPECT(put(10, ABSENT(DATA(0, 3))), 0);
	EXPECT(try_fs(10 << 3 | 3), TRAP_NP);
	EXPECT(put(10, 0), 0);
}

/*
 * System descriptors: gates and task states lead into the hypervisor. Real Xen has call gates, whose selector it
 * corrects to RPL 3, and type 0, the other half of those in 64-bit mode; to refuse them is as good.
 */
static void descriptors_system(void)
{
	for (unsigned int type = 0; type < 16; type++) {
		for (unsigned int dpl = 0; dpl < 4; dpl++) {
			long result = put(11, SYSTEM(type, dpl));

			if (type == 12 && result == 0)
				EXPECT(gdt[11] >> 16 & 3, 3);
			else
				EXPECT_TRUE(result == -EINVAL || (type == 0 && result == 0));
		}
	}
	EXPECT(put(11, 0), 0);
}

/* Privileged segments are refused or made unprivileged; in no case does the table hold one. */
static void descriptors_privileged(void)
{
	static const uint64_t kinds[] = {DATA(0, 0), CODE64(0), CODE32(0), CODE64(0) | 1ull << 42};

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		for (uint64_t dpl = 0; dpl < 3; dpl++) {
			long result = put(11, kinds[i] | dpl << 45);

			EXPECT_TRUE(result == -EINVAL || (gdt[11] >> 45 & 3) != 0);
		}
	}
	EXPECT(put(11, 0), 0);
}

static void descriptor_places(void)
{
	uint64_t *data = page_alloc();

	EXPECT(hypercall_update_descriptor(virt_to_machine(&gdt[10]) + 4, DATA(0, 3)), -EINVAL);
	EXPECT(hypercall_update_descriptor(virt_to_machine(&gdt[10]) + 1, DATA(0, 3)), -EINVAL);
	EXPECT(hypercall_update_descriptor(~7ul, DATA(0, 3)), -EINVAL);
	EXPECT(hypercall_update_descriptor(0x123456789ab000, DATA(0, 3)), -EINVAL);
	/* A page table. */
	EXPECT(hypercall_update_descriptor(virt_to_machine(page_root), 0), -EINVAL);
	/* A page of data is as good a place as any. */
	EXPECT(hypercall_update_descriptor(virt_to_machine(&data[3]), DATA(0, 3)), 0);
	EXPECT(data[3], DATA(0, 3));
	page_free(data);
}

/* The page that holds the table is mapped read-only: a write by the guest itself faults. */
static void write_gdt(void *argument)
{
	gdt[1] = 0;
}

static void gdt_is_read_only(void)
{
	EXPECT(trap_of(write_gdt), TRAP_PF);
	EXPECT(gdt[1], DATA(0, 3) | 1ull << 40);
}

static long set_ldt(const void *address, unsigned int entries)
{
	return test_mmuext(MMUEXT_SET_LDT, (unsigned long)address, entries);
}

static void ldt(void)
{
	uint64_t *table = page_alloc();
	int vector;

	table[1] = DATA(0, 3);
	table[2] = SYSTEM(9, 3);
	EXPECT(page_read_only(table), 0);
	/* Contents are looked at only when a selector is loaded: a fault of the table on real Xen. */
	EXPECT(set_ldt(table, 512), 0);
	vector = try_fs(1 << 3 | 4 | 3);
	EXPECT_TRUE(vector == TRAP_GP || vector == TRAP_PF);
	EXPECT(set_ldt(NULL, 0), 0);
	EXPECT(page_writable(table), 0);
	table[2] = 0;
	EXPECT(page_read_only(table), 0);
	EXPECT(set_ldt(table, 512), 0);
	EXPECT(try_fs(1 << 3 | 4 | 3), -1);
	EXPECT(try_fs(2 << 3 | 4 | 3), TRAP_GP);
	/* Used now: its frame is a descriptor table. */
	EXPECT_REFUSED(page_writable(table));
	EXPECT(hypercall_update_descriptor(virt_to_machine(&table[2]), DATA(0, 3)), 0);
	EXPECT(try_fs(2 << 3 | 4 | 3), -1);
	EXPECT(set_ldt(NULL, 0), 0);
	EXPECT(try_fs(1 << 3 | 4 | 3), TRAP_GP);
	EXPECT(page_writable(table), 0);
	page_free(table);
}

static void ldt_bad(void)
{
	int vector;

	EXPECT(set_ldt(gdt, 8193), -EINVAL);
	EXPECT(set_ldt(gdt, ~0u), -EINVAL);
	EXPECT(set_ldt((char *)gdt + 8, 16), -EINVAL);
	EXPECT(set_ldt((void *)OF_HYPERVISOR, 16), -EINVAL);
	EXPECT(set_ldt((void *)NOT_CANONICAL, 16), -EINVAL);
	/* Nothing is mapped there: found out when it is used (real Xen makes it a page fault of the table). */
	EXPECT(set_ldt((void *)(NOT_MAPPED & -PAGE_SIZE), 16), 0);
	vector = try_fs(1 << 3 | 4 | 3);
	EXPECT_TRUE(vector == TRAP_GP || vector == TRAP_PF);
	/* Memory that is writable can't be one. */
	gdt_none();
	EXPECT(set_ldt(NULL, 0), 0);
}

/* Data segments other than null load and are kept. */
static void data_segments(void)
{
	unsigned int selector;

	EXPECT(trap_catch(load_ds, (void *)(unsigned long)(1 << 3 | 3), NULL), -1);
	EXPECT(hypercall_sched_op(SCHEDOP_yield, NULL), 0);
	__asm__ volatile("movl %%ds, %0" : "=r"(selector));
	EXPECT(selector, 1 << 3 | 3);
	load_ds(NULL);
}

static const struct test tests[] = {
    {"base of FS", fs_base},
    {"bases of GS", gs_base},
    {"bad bases", bases_bad},
    {"selector of GS for user mode", gs_user_selector},
    {"stack_switch", stack_switch},
    {"a GDT of one's own", own_gdt},
    {"its bases are used", gdt_base_is_used},
    {"bad GDTs", gdt_bad},
    {"GDT with bad contents", gdt_bad_contents},
    {"no GDT", gdt_none},
    {"good descriptors", descriptors_good},
    {"system descriptors", descriptors_system},
    {"privileged descriptors", descriptors_privileged},
    {"places for descriptors", descriptor_places},
    {"the GDT is read-only", gdt_is_read_only},
    {"data segments", data_segments},
    {"LDT", ldt},
    {"bad LDTs", ldt_bad},
};

void guest_main(void)
{
	test_main("segments", tests, COUNT_OF(tests));
}
