/* SPDX-License-Identifier: MIT */
/* memory_op: what the domain has, giving frames back, taking new ones, exchanging, the machine's tables. */
#include "../test.h"

static long reservation(unsigned int op, xen_pfn_t *frames, unsigned long count, unsigned int order,
			domid_t domain)
{
	struct xen_memory_reservation arg = {
	    .nr_extents = count, .extent_order = order, .domid = domain};

	set_xen_guest_handle(arg.extent_start, frames);
	return hypercall_memory_op(op, &arg);
}

static long current_pages(void)
{
	domid_t self = DOMID_SELF;

	return hypercall_memory_op(XENMEM_current_reservation, &self);
}

static void amounts(void)
{
	domid_t domain = DOMID_SELF;
	long current = current_pages();
	long maximum = hypercall_memory_op(XENMEM_maximum_reservation, &domain);

	EXPECT_TRUE(current >= (long)start_info->nr_pages);
	EXPECT_TRUE(maximum >= current || maximum == -1);
	domain = 77;
	EXPECT(hypercall_memory_op(XENMEM_current_reservation, &domain), -ESRCH);
	EXPECT(hypercall_memory_op(XENMEM_maximum_reservation, &domain), -ESRCH);
	EXPECT_TRUE(hypercall_memory_op(XENMEM_maximum_ram_page, NULL) >=
		    (long)virt_to_mfn(page_root));
}

/* Take a page out of the address space and give its frame back. */
static unsigned long give_up(void *page)
{
	unsigned long mfn = virt_to_mfn(page);
	xen_pfn_t frame = mfn;

	EXPECT(page_set(page, 0), 0);
	EXPECT(reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF), 1);
	return mfn;
}

/* A new frame for a page of which the old one was given up. */
static void take(void *page)
{
	xen_pfn_t frame = virt_to_pfn(page);

	EXPECT(reservation(XENMEM_populate_physmap, &frame, 1, 0, DOMID_SELF), 1);
	p2m[virt_to_pfn(page)] = frame;
	EXPECT(mfn_to_pfn(frame), virt_to_pfn(page));
	EXPECT(page_set(page, pte_make(frame, PTE_DATA)), 0);
}

static void decrease_and_populate(void)
{
	uint64_t *page = page_alloc();
	long before = current_pages();
	unsigned long mfn;

	page[0] = 0x5ec2e7;
	mfn = give_up(page);
	EXPECT(current_pages(), before - 1);
	/* It is ours no longer. */
	EXPECT(page_set(page, pte_make(mfn, PTE_DATA)) < 0, 1);
	EXPECT(page_set(page, pte_make(mfn, PTE_READ_ONLY)) < 0, 1);
	take(page);
	EXPECT(current_pages(), before);
	page[0] = 1;
	EXPECT(page[0], 1);
	page_free(page);
}

static void increase(void)
{
	uint64_t *page = page_alloc();
	xen_pfn_t frame = 0;

	give_up(page);
	EXPECT(reservation(XENMEM_increase_reservation, &frame, 1, 0, DOMID_SELF), 1);
	EXPECT_TRUE(frame);
	EXPECT(
	    test_mmu_update((uint64_t)frame << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, virt_to_pfn(page)),
	    0);
	p2m[virt_to_pfn(page)] = frame;
	EXPECT(page_set(page, pte_make(frame, PTE_DATA)), 0);
	page[5] = 5;
	EXPECT(page[5], 5);
	page_free(page);
}

/* A frame comes without what it held for anybody before, or with what its owner left: never another's. */
static void frames_still_mapped(void)
{
	uint64_t *page = page_alloc();
	xen_pfn_t frame = virt_to_mfn(page);
	long before = current_pages(), count;

	page[0] = 0x1234;
	/* Mapped still: the domain may give it up, and it stays until it is unmapped. */
	count = reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF);
	EXPECT_TRUE(count == 1 || count == 0);
	EXPECT(page[0], 0x1234);
	page[0] = 0x4321;
	EXPECT(page_set(page, 0), 0);
	if (count == 1) {
		EXPECT(current_pages(), before - 1);
		take(page);
	} else {
		EXPECT(page_set(page, pte_make(frame, PTE_DATA)), 0);
	}
	page_free(page);
}

/* A page table in use can't be given up for good while it is one. */
static void give_up_a_table(void)
{
	uint64_t *table = page_table_alloc();
	xen_pfn_t frame = virt_to_mfn(table);
	long count;

	EXPECT(page_pin(table, 1), 0);
	EXPECT(page_set(table, 0), 0);
	count = reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF);
	EXPECT_TRUE(count == 0 || count == 1);
	if (count == 1)
		/* The pin went with it, or holds it still. */
		test_mmuext(MMUEXT_UNPIN_TABLE, frame, 0);
	else
		EXPECT(test_mmuext(MMUEXT_UNPIN_TABLE, frame, 0), 0);
	if (count == 1)
		take(table);
	else
		EXPECT(page_set(table, pte_make(frame, PTE_DATA)), 0);
	page_free(table);
}

static void decrease_bad(void)
{
	xen_pfn_t frame = 0x210;

	/* Frames that are not ours: none is given up. */
	EXPECT(reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF), 0);
	frame = ~0ul;
	EXPECT(reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF), 0);
	frame = virt_to_mfn(page_root);
	EXPECT(reservation(XENMEM_decrease_reservation, &frame, 0, 0, DOMID_SELF), 0);
	/* The result counts extents; real Xen says 0 to this too. */
	EXPECT(reservation(XENMEM_decrease_reservation, &frame, 1, 0, 77) <= 0, 1);
	EXPECT(reservation(XENMEM_decrease_reservation, (xen_pfn_t *)NOT_MAPPED, 1, 0, DOMID_SELF),
	       0);
	EXPECT(reservation(XENMEM_decrease_reservation, (xen_pfn_t *)NOT_CANONICAL, 1, 0,
			   DOMID_SELF) <= 0,
	       1);
	EXPECT(reservation(XENMEM_decrease_reservation, &frame, 1ul << 60, 0, DOMID_SELF) <= 0, 1);
}

static void populate_bad(void)
{
	xen_pfn_t frame = start_info->nr_pages + 5;

	EXPECT(reservation(XENMEM_populate_physmap, &frame, 1, 0, 77) <= 0, 1);
	EXPECT(reservation(XENMEM_populate_physmap, &frame, 1, 30, DOMID_SELF) <= 0, 1);
	EXPECT(reservation(XENMEM_populate_physmap, &frame, 1, ~0u, DOMID_SELF) <= 0, 1);
	EXPECT(reservation(XENMEM_populate_physmap, (xen_pfn_t *)NOT_MAPPED, 1, 0, DOMID_SELF), 0);
	EXPECT(reservation(XENMEM_populate_physmap, (xen_pfn_t *)OF_HYPERVISOR, 1, 0, DOMID_SELF) <=
		   0,
	       1);
	EXPECT(reservation(XENMEM_populate_physmap, &frame, 1ul << 60, 0, DOMID_SELF) <= 0, 1);
}

/* Several at once, of which the third is not ours: two are done. */
static void partial(void)
{
	void *pages[4];
	xen_pfn_t frames[4];
	long before = current_pages();

	for (int i = 0; i < 4; i++) {
		pages[i] = page_alloc();
		frames[i] = virt_to_mfn(pages[i]);
		EXPECT(page_set(pages[i], 0), 0);
	}
	frames[2] = 0x210;
	EXPECT(reservation(XENMEM_decrease_reservation, frames, 4, 0, DOMID_SELF), 2);
	EXPECT(current_pages(), before - 2);
	for (int i = 0; i < 2; i++)
		take(pages[i]);
	for (int i = 2; i < 4; i++)
		EXPECT(page_set(pages[i], pte_make(virt_to_mfn(pages[i]), PTE_DATA)), 0);
	for (int i = 0; i < 4; i++)
		page_free(pages[i]);
}

static void exchange(void)
{
	uint64_t *page = page_alloc();
	xen_pfn_t in = virt_to_mfn(page), out = virt_to_pfn(page);
	struct xen_memory_exchange op = {
	    .in = {.nr_extents = 1, .domid = DOMID_SELF},
	    .out = {.nr_extents = 1, .domid = DOMID_SELF},
	};
	long before = current_pages(), result;

	set_xen_guest_handle(op.in.extent_start, &in);
	set_xen_guest_handle(op.out.extent_start, &out);
	EXPECT(page_set(page, 0), 0);
	result = hypercall_memory_op(XENMEM_exchange, &op);
	EXPECT_TRUE(result == 0 || result == -ENOMEM);
	if (result == 0) {
		EXPECT(op.nr_exchanged, 1);
		p2m[virt_to_pfn(page)] = out;
		EXPECT(mfn_to_pfn(out), virt_to_pfn(page));
	}
	EXPECT(page_set(page, pte_make(virt_to_mfn(page), PTE_DATA)), 0);
	EXPECT(current_pages(), before);
	page_free(page);
}

static void exchange_bad(void)
{
	xen_pfn_t in = 0x210, out = 1;
	struct xen_memory_exchange op = {
	    .in = {.nr_extents = 1, .domid = DOMID_SELF},
	    .out = {.nr_extents = 1, .domid = DOMID_SELF},
	};
	long before = current_pages();

	set_xen_guest_handle(op.in.extent_start, &in);
	set_xen_guest_handle(op.out.extent_start, &out);
	EXPECT(hypercall_memory_op(XENMEM_exchange, &op), -EINVAL);
	in = virt_to_mfn(page_root);
	/* Sizes that do not agree. */
	op.out.nr_extents = 2;
	EXPECT(hypercall_memory_op(XENMEM_exchange, &op), -EINVAL);
	op.out.nr_extents = 1;
	op.out.domid = 77;
	EXPECT(hypercall_memory_op(XENMEM_exchange, &op), -EINVAL);
	op.out.domid = DOMID_SELF;
	op.nr_exchanged = 2;
	EXPECT(hypercall_memory_op(XENMEM_exchange, &op), -EINVAL);
	op.nr_exchanged = 0;
	op.in.extent_order = op.out.extent_order = 60;
	EXPECT(hypercall_memory_op(XENMEM_exchange, &op) < 0, 1);
	EXPECT(hypercall_memory_op(XENMEM_exchange, (void *)NOT_MAPPED), -EFAULT);
	EXPECT(current_pages(), before);
}

static void machphys(void)
{
	struct xen_machphys_mapping mapping = {0};
	xen_pfn_t extents[8] = {0};
	struct xen_machphys_mfn_list list = {.max_extents = COUNT_OF(extents)};

	EXPECT(hypercall_memory_op(XENMEM_machphys_mapping, &mapping), 0);
	EXPECT(mapping.v_start, MACH2PHYS_VIRT_START);
	EXPECT_TRUE(mapping.v_end > mapping.v_start && mapping.v_end <= HYPERVISOR_VIRT_END);
	EXPECT_TRUE(mapping.max_mfn >= virt_to_mfn(page_root));
	set_xen_guest_handle(list.extent_start, extents);
	EXPECT(hypercall_memory_op(XENMEM_machphys_mfn_list, &list), 0);
	EXPECT_TRUE(list.nr_extents >= 1 && list.nr_extents <= COUNT_OF(extents));
	EXPECT_TRUE(extents[0]);
	set_xen_guest_handle(list.extent_start, (xen_pfn_t *)NOT_MAPPED);
	EXPECT(hypercall_memory_op(XENMEM_machphys_mfn_list, &list), -EFAULT);
}

static void machine_map(void)
{
	static struct {
		uint64_t start, size;
		uint32_t type;
	} __attribute__((packed)) entries[128];
	struct xen_memory_map map = {.nr_entries = COUNT_OF(entries)};
	uint64_t ram = 0;
	long result;

	if (!is_initial_domain()) {
		test_skip("not the initial domain");
		return;
	}
	set_xen_guest_handle(map.buffer, (void *)entries);
	EXPECT(hypercall_memory_op(XENMEM_machine_memory_map, &map), 0);
	EXPECT_TRUE(map.nr_entries > 2 && map.nr_entries <= COUNT_OF(entries));
	for (unsigned int i = 0; i < map.nr_entries; i++) {
		if (entries[i].type == 1)
			ram += entries[i].size;
		if (i)
			EXPECT_TRUE(entries[i].start >= entries[i - 1].start + entries[i - 1].size);
	}
	EXPECT_TRUE(ram / PAGE_SIZE > start_info->nr_pages);
	/* A small buffer gets as much as fits, or an error. */
	map.nr_entries = 1;
	result = hypercall_memory_op(XENMEM_machine_memory_map, &map);
	EXPECT_TRUE((result == 0 && map.nr_entries == 1) || result == -EINVAL);
	set_xen_guest_handle(map.buffer, (void *)NOT_MAPPED);
	map.nr_entries = COUNT_OF(entries);
	EXPECT(hypercall_memory_op(XENMEM_machine_memory_map, &map), -EFAULT);
}

/* The first domain has none of its own unless somebody sets one. */
static void own_map(void)
{
	uint64_t entries[60];
	struct xen_memory_map map = {.nr_entries = 16};

	set_xen_guest_handle(map.buffer, (void *)entries);
	EXPECT(hypercall_memory_op(XENMEM_memory_map, &map), -ENOSYS);
}

static void bad_pointers(void)
{
	static const unsigned int commands[] = {
	    XENMEM_increase_reservation, XENMEM_decrease_reservation,
	    XENMEM_populate_physmap,	 XENMEM_exchange,
	    XENMEM_current_reservation,	 XENMEM_maximum_reservation,
	    XENMEM_machphys_mapping,	 XENMEM_machphys_mfn_list,
	    XENMEM_machine_memory_map,
	};

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (commands[i] == XENMEM_increase_reservation ||
		    commands[i] == XENMEM_decrease_reservation ||
		    commands[i] == XENMEM_populate_physmap) {
			/* The result counts extents: none was done. */
			EXPECT(hypercall_memory_op(commands[i], (void *)NOT_MAPPED) <= 0, 1);
			EXPECT(hypercall_memory_op(commands[i], (void *)OF_HYPERVISOR) <= 0, 1);
			continue;
		}
		EXPECT(hypercall_memory_op(commands[i], (void *)NOT_MAPPED), -EFAULT);
		EXPECT(hypercall_memory_op(commands[i], (void *)OF_HYPERVISOR), -EFAULT);
		EXPECT(hypercall_memory_op(commands[i], (void *)NOT_CANONICAL), -EFAULT);
	}
}

static void unknown_commands(void)
{
	uint64_t argument[8] = {0};

	EXPECT(hypercall_memory_op(8, argument), -ENOSYS);
	EXPECT(hypercall_memory_op(29, argument), -ENOSYS);
	EXPECT(hypercall_memory_op(63, argument), -ENOSYS);
}

static const struct test tests[] = {
    {"amounts", amounts},
    {"decrease and populate", decrease_and_populate},
    {"increase", increase},
    {"give up a frame that is mapped", frames_still_mapped},
    {"give up a page table", give_up_a_table},
    {"decrease, bad arguments", decrease_bad},
    {"populate, bad arguments", populate_bad},
    {"a bad one among several", partial},
    {"exchange", exchange},
    {"exchange, bad arguments", exchange_bad},
    {"machine-to-physical map", machphys},
    {"map of the machine", machine_map},
    {"map of the domain", own_map},
    {"bad pointers", bad_pointers},
    {"unknown commands", unknown_commands},
};

void guest_main(void)
{
	test_main("memory", tests, COUNT_OF(tests));
}
