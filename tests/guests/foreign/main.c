/* SPDX-License-Identifier: MIT */
/* What the first domain does with the memory of another one, and what that one may not do with its. */
#include "../child.h"
#include "../twin.h"
#include <public/grant_table.h>

static struct twin child;

/* Pages of the child that nothing was put into yet: it takes them from its allocator itself. */
static unsigned char *free_page;

static uint64_t at_start; /* free memory */

/* The machine address of the level-1 entry that maps this. */
static uint64_t entry_of(const void *va)
{
	uint64_t where = 0;

	EXPECT(page_walk(page_root, (unsigned long)va, NULL, &where), 1);
	return where;
}

static uint64_t its_pages(void)
{
	struct xen_domctl_getdomaininfo info;

	return twin_exists(child.id, &info) ? info.tot_pages : 0;
}

/* ---- what the child does ---- */

static long add(long a, long b, long c, long d)
{
	return a + 10 * b + 100 * c + 1000 * d;
}

static long take_page(long a, long b, long c, long d)
{
	free_page = page_alloc();
	memset(free_page, (int)a, PAGE_SIZE);
	return (long)virt_to_pfn(free_page);
}

static long read_page(long at, long b, long c, long d)
{
	return free_page[at];
}

static long unmap_page(long a, long b, long c, long d)
{
	return page_set(free_page, 0);
}

static long give_up_frame(long mfn, long b, long c, long d)
{
	xen_pfn_t list[1] = {(xen_pfn_t)mfn};
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

	r.extent_start.p = list;
	return hypercall_memory_op(XENMEM_decrease_reservation, &r);
}

static long foreign_update(long mfn, long domains, long b, long c)
{
	struct mmu_update update = {.ptr = 0, .val = pte_make((unsigned long)mfn, PTE_READ_ONLY)};

	page_walk(page_root, (unsigned long)free_page, NULL, &update.ptr);
	return hypercall_mmu_update(&update, 1, NULL, (unsigned int)domains);
}

static long foreign_pin(long mfn, long cmd, long c, long d)
{
	return twin_mmuext(0, (unsigned int)cmd, (unsigned long)mfn, 0);
}

static long foreign_memory(long cmd, long domain, long c, long d)
{
	xen_pfn_t list[1] = {5};
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = (domid_t)domain};

	r.extent_start.p = cmd == XENMEM_claim_pages ? NULL : list;
	return hypercall_memory_op((unsigned int)cmd, &r);
}

static long foreign_resource(long domain, long b, long c, long d)
{
	struct xen_mem_acquire_resource r = {.domid = (domid_t)domain, .type = 1};

	return hypercall_memory_op(XENMEM_acquire_resource, &r);
}

static long memory_map(long max, long b, long c, long d)
{
	static char buffer[20 * 4];
	struct xen_memory_map map = {.nr_entries = (unsigned int)max};
	long rc;

	map.buffer.p = buffer;
	rc = hypercall_memory_op(XENMEM_memory_map, &map);
	return rc ? rc : map.nr_entries * 1000 + buffer[16];
}

static long nothing(long a, long b, long c, long d)
{
	return 0;
}

/* ---- tests ---- */

static void a_twin_runs(void)
{
	twin_make(&child);
	EXPECT(twin_call(&child, add, 1, 2, 3, 4), 4321);
	EXPECT(twin_call(&child, take_page, 0x11, 0, 0, 0) > 0, true);
	EXPECT(twin_destroy(&child, true), 0);
}

static void mapping(void)
{
	unsigned char *page;
	unsigned long pfn, mfn;
	long error = 0;

	twin_make(&child);
	pfn = (unsigned long)twin_call(&child, take_page, 0x22, 0, 0, 0);
	mfn = child.frames[pfn];
	page = twin_map(&child, pfn, 1, PTE_DATA, &error);
	if (!EXPECT_TRUE(page))
		return;
	EXPECT(page[100], 0x22);
	page[100] = 0x33;
	EXPECT(twin_call(&child, read_page, 100, 0, 0, 0), 0x33);
	/* Rights of an entry change only with its owner's name. */
	EXPECT(twin_mmu_update(child.id, entry_of(page), pte_make(mfn, PTE_READ_ONLY)), 0);
	EXPECT_REFUSED(test_mmu_update(entry_of(page), pte_make(mfn, PTE_DATA)));
	EXPECT(twin_mmu_update(child.id, entry_of(page) | MMU_PT_UPDATE_NO_TRANSLATE,
			       pte_make(mfn, PTE_DATA)),
	       0);
	/* Who is named owns it, or it is nobody's to map. */
	EXPECT_REFUSED(
	    twin_mmu_update(child.id, entry_of(page), pte_make(virt_to_mfn(&child), PTE_DATA)));
	EXPECT(twin_mmu_update(4242, entry_of(page), pte_make(mfn, PTE_DATA)), -ESRCH);
	EXPECT(twin_mmu_update(child.id, entry_of(page), pte_make(child.shared_frame, PTE_DATA)),
	       -EINVAL);
	EXPECT(hypercall_update_va_mapping_otherdomain((unsigned long)page, pte_make(mfn, PTE_DATA),
						       UVMF_INVLPG, child.id),
	       0);
	page[100] = 0x44;
	EXPECT(twin_call(&child, read_page, 100, 0, 0, 0), 0x44);
	/* Clearing and copying pages of it. */
	EXPECT(twin_mmuext(child.id, MMUEXT_CLEAR_PAGE, mfn, 0), 0);
	EXPECT(twin_call(&child, read_page, 100, 0, 0, 0), 0);
	EXPECT_REFUSED(twin_mmuext(child.id, MMUEXT_COPY_PAGE, mfn, virt_to_mfn(&child)));
	EXPECT(twin_mmuext(child.id, MMUEXT_NEW_BASEPTR, child.frames[child.pt_first], 0), -EPERM);
	EXPECT(twin_mmuext(child.id, MMUEXT_TLB_FLUSH_ALL, 0, 0), -EPERM);
	frames_unmap(page, 1);
	EXPECT(twin_destroy(&child, true), 0);
}

static void its_tables(void)
{
	unsigned long root, mfn, pfn;
	struct mmu_update update;
	uint64_t(*table)[512];
	long error;

	twin_make(&child);
	root = child.frames[child.pt_first];
	/* Read, not written to. */
	EXPECT_TRUE(!twin_map(&child, child.pt_first, 1, PTE_DATA, &error));
	EXPECT_TRUE(test_refused(error));
	table = twin_map(&child, child.pt_first, 4, PTE_READ_ONLY, &error);
	if (!EXPECT_TRUE(table))
		return;
	EXPECT(pte_mfn(table[0][511]), child.frames[child.pt_first + 1]);
	EXPECT_TRUE(table[0][256] != 0); /* the hypervisor's, since it is in use */
	/* An entry of its own, written from here, with its name. */
	pfn = (unsigned long)twin_call(&child, take_page, 0x55, 0, 0, 0);
	mfn = child.frames[pfn];
	update.ptr = (child.frames[child.pt_first + 3] << PAGE_SHIFT) + (pfn % 512) * 8;
	update.val = pte_make(mfn, PTE_READ_ONLY);
	EXPECT_REFUSED(hypercall_mmu_update(&update, 1, NULL, DOMID_SELF));
	EXPECT_REFUSED(hypercall_mmu_update(&update, 1, NULL, child.id));
	if (pfn < 512) {
		EXPECT(hypercall_mmu_update(&update, 1, NULL, (child.id + 1u) << 16 | child.id), 0);
		EXPECT(table[3][pfn], pte_make(mfn, PTE_READ_ONLY | PTE_US));
	}
	/* A page of ours in its tables: on its behalf only what we name as ours. */
	update.val = pte_make(virt_to_mfn(page_alloc()), PTE_READ_ONLY);
	EXPECT_REFUSED(hypercall_mmu_update(&update, 1, NULL, (child.id + 1u) << 16 | child.id));
	/* The machine-to-physical map of its frames. */
	update.ptr = (uint64_t)mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE;
	update.val = 4711;
	EXPECT_REFUSED(hypercall_mmu_update(&update, 1, NULL, DOMID_SELF));
	EXPECT(hypercall_mmu_update(&update, 1, NULL, child.id), 0);
	EXPECT(machine_to_phys_mapping[mfn], 4711);
	EXPECT_REFUSED(twin_mmuext(child.id, MMUEXT_PIN_L4_TABLE, root, 0));
	frames_unmap(table, 4);
	EXPECT(twin_destroy(&child, true), 0);
}

static void not_for_the_child(void)
{
	unsigned long mine = virt_to_mfn(&child);

	twin_make(&child);
	twin_call(&child, take_page, 0, 0, 0, 0);
	EXPECT(twin_call(&child, foreign_update, (long)mine, 0, 0, 0), -EPERM);
	EXPECT(twin_call(&child, foreign_update, (long)mine, DOMID_XEN, 0, 0), -EPERM);
	EXPECT(twin_call(&child, foreign_update, (long)mine, DOMID_IO, 0, 0), -EPERM);
	EXPECT(twin_call(&child, foreign_update, (long)mine, 1 << 16 | DOMID_SELF, 0, 0), -EPERM);
	EXPECT(twin_call(&child, foreign_update, (long)mine, 4242, 0, 0), -ESRCH);
	EXPECT_REFUSED(twin_call(&child, foreign_update, (long)mine, DOMID_SELF, 0, 0));
	EXPECT(twin_call(&child, foreign_pin, (long)mine, MMUEXT_PIN_L1_TABLE, 0, 0), -EPERM);
	EXPECT(twin_call(&child, foreign_pin, (long)mine, MMUEXT_CLEAR_PAGE, 0, 0), -EPERM);
	EXPECT(twin_call(&child, foreign_memory, XENMEM_decrease_reservation, 0, 0, 0), -EPERM);
	EXPECT(twin_call(&child, foreign_memory, XENMEM_populate_physmap, 0, 0, 0), -EPERM);
	EXPECT(twin_call(&child, foreign_memory, XENMEM_claim_pages, child.id, 0, 0), -EPERM);
	EXPECT(twin_call(&child, foreign_resource, 0, 0, 0, 0), -EPERM);
	/* A device, or what is no memory at all. */
	EXPECT_TRUE(twin_call(&child, foreign_update, 0xfee00, DOMID_SELF, 0, 0) < 0);
	EXPECT_TRUE(twin_call(&child, foreign_update, 0xb8, DOMID_IO, 0, 0) < 0);
	EXPECT(twin_destroy(&child, true), 0);
}

static void reservations(void)
{
	struct __attribute__((packed)) {
		uint64_t start, size;
		uint32_t type;
	} ranges[2] = {{0, 0x100000, 1}, {0x100000, 0x200000, 2}};
	struct xen_foreign_memory_map map = {.map.nr_entries = 2};
	struct xen_memory_domain who;
	struct xen_memory_reservation r = {.nr_extents = 1};
	xen_pfn_t list[1] = {77};

	twin_make(&child);
	who.domid = r.domid = map.domid = child.id;
	EXPECT(hypercall_memory_op(XENMEM_current_reservation, &who), child.pages);
	EXPECT(hypercall_memory_op(XENMEM_maximum_reservation, &who), child.pages);
	r.extent_start.p = list;
	/* It has all that it may have. */
	EXPECT(hypercall_memory_op(XENMEM_populate_physmap, &r), 0);
	EXPECT(twin_call(&child, memory_map, 4, 0, 0, 0), -ENOSYS);
	map.map.buffer.p = ranges;
	EXPECT(hypercall_memory_op(XENMEM_set_memory_map, &map), 0);
	EXPECT(twin_call(&child, memory_map, 4, 0, 0, 0), 2001);
	EXPECT(twin_call(&child, memory_map, 1, 0, 0, 0), 1001);
	map.map.nr_entries = 129;
	EXPECT(hypercall_memory_op(XENMEM_set_memory_map, &map), -EINVAL);
	who.domid = 4242;
	EXPECT(hypercall_memory_op(XENMEM_current_reservation, &who), -ESRCH);
	EXPECT(twin_destroy(&child, true), 0);
}

static void claims(void)
{
	struct xen_memory_reservation r = {.nr_extents = 1024 + 256};
	struct xen_domctl op = {.u.max_mem.max_memkb = 8 << 10};
	struct xen_domctl_getdomaininfo info;

	twin_make(&child);
	r.domid = child.id;
	EXPECT(hypercall_memory_op(XENMEM_claim_pages, &r), -EINVAL); /* over its limit */
	EXPECT(twin_domctl(XEN_DOMCTL_max_mem, child.id, &op), 0);
	EXPECT(hypercall_memory_op(XENMEM_claim_pages, &r), 0);
	EXPECT_TRUE(twin_exists(child.id, &info));
	EXPECT(info.outstanding_pages, 256);
	EXPECT(hypercall_memory_op(XENMEM_claim_pages, &r), -EINVAL);
	r.nr_extents = 0;
	EXPECT(hypercall_memory_op(XENMEM_claim_pages, &r), 0);
	EXPECT_TRUE(twin_exists(child.id, &info));
	EXPECT(info.outstanding_pages, 0);
	r.nr_extents = 1024 + 256;
	EXPECT(hypercall_memory_op(XENMEM_claim_pages, &r), 0);
	/* It goes with the domain: seen in the memory that is there for others (at the end). */
	EXPECT(twin_destroy(&child, true), 0);
}

/* Frames freed while they are mapped here, in every order. */
static void frames_that_go(void)
{
	unsigned long pfn, mfn;
	volatile unsigned char *page;
	uint64_t pages;

	twin_make(&child);
	pfn = (unsigned long)twin_call(&child, take_page, 0x66, 0, 0, 0);
	mfn = child.frames[pfn];
	page = twin_map(&child, pfn, 1, PTE_DATA, NULL);
	if (!EXPECT_TRUE(page))
		return;
	pages = its_pages();
	EXPECT(page[5], 0x66);
	EXPECT(twin_call(&child, unmap_page, 0, 0, 0, 0), 0);
	EXPECT(twin_call(&child, give_up_frame, (long)mfn, 0, 0, 0), 1);
	EXPECT(its_pages(), pages); /* as long as we have it */
	EXPECT(page[5], 0x66);
	EXPECT(twin_call(&child, give_up_frame, (long)mfn, 0, 0, 0), 0);
	frames_unmap((void *)page, 1);
	EXPECT(its_pages(), pages - 1);
	EXPECT(twin_destroy(&child, true), 0);
}

/* A translation that we still remember must not outlive what it was good for. */
static void *stale_page;

static void write_stale(void *unused)
{
	*(volatile unsigned char *)stale_page = 0x99;
}

/* The page mapped and used, then taken away without a flush. */
static void make_stale(unsigned long pfn)
{
	stale_page = twin_map(&child, pfn, 1, PTE_DATA, NULL);
	EXPECT_TRUE(stale_page);
	write_stale(NULL);
	EXPECT(test_mmu_update(entry_of(stale_page), 0), 0);
}

static void stale_translations(void)
{
	unsigned long pfn;
	unsigned char *zeroes;
	xen_pfn_t list[1];
	struct xen_memory_reservation r = {.nr_extents = 1};
	unsigned int tries = 0;

	twin_make(&child);
	/* A page that becomes a table of the child's, on whose CPUs nothing was ever mapped. */
	pfn = (unsigned long)twin_call(&child, take_page, 0, 0, 0, 0);
	EXPECT(twin_call(&child, unmap_page, 0, 0, 0, 0), 0);
	make_stale(pfn);
	EXPECT(twin_mmuext(child.id, MMUEXT_CLEAR_PAGE, child.frames[pfn], 0), 0);
	EXPECT(twin_mmuext(child.id, MMUEXT_PIN_L1_TABLE, child.frames[pfn], 0), 0);
	EXPECT(trap_of(write_stale), 14);
	zeroes = twin_map(&child, pfn, 1, PTE_READ_ONLY, NULL);
	EXPECT(zeroes[0], 0);
	frames_unmap(zeroes, 1);
	EXPECT(twin_mmuext(child.id, MMUEXT_UNPIN_TABLE, child.frames[pfn], 0), 0);
	frames_unmap(stale_page, 1);

	/* A page that the child frees, and is given again. */
	pfn = (unsigned long)twin_call(&child, take_page, 0, 0, 0, 0);
	EXPECT(twin_call(&child, unmap_page, 0, 0, 0, 0), 0);
	stale_page = twin_map(&child, pfn, 1, PTE_DATA, NULL);
	write_stale(NULL);
	EXPECT(twin_call(&child, give_up_frame, (long)child.frames[pfn], 0, 0, 0), 1);
	EXPECT(test_mmu_update(entry_of(stale_page), 0), 0);
	r.domid = child.id;
	r.extent_start.p = list;
	do {
		list[0] = pfn;
		if (hypercall_memory_op(XENMEM_populate_physmap, &r) != 1)
			break;
	} while (list[0] != child.frames[pfn] && ++tries < 100);
	EXPECT(list[0], child.frames[pfn]);
	EXPECT(trap_of(write_stale), 14);
	zeroes = twin_map(&child, pfn, 1, PTE_READ_ONLY, NULL);
	EXPECT(zeroes[0], 0);
	frames_unmap(zeroes, 1);
	frames_unmap(stale_page, 1);
	EXPECT(twin_destroy(&child, true), 0);
}

/* What the child leaves behind others get as zeroes. */
static xen_pfn_t left_behind[1024];

static bool was_its(xen_pfn_t mfn)
{
	for (unsigned int i = 0; i < COUNT_OF(left_behind); i++)
		if (left_behind[i] == mfn)
			return true;
	return false;
}

static void scrubbing(void)
{
	static xen_pfn_t list[2048];
	struct xen_memory_reservation r = {.nr_extents = 2048, .domid = DOMID_SELF};
	unsigned long pfn, secret, got, again = 0;
	bool seen = false;

	twin_make(&child);
	pfn = (unsigned long)twin_call(&child, take_page, 0x77, 0, 0, 0);
	secret = child.frames[pfn];
	memcpy(left_behind, child.frames, sizeof(left_behind));
	EXPECT(twin_destroy(&child, true), 0);
	r.extent_start.p = list;
	got = (unsigned long)hypercall_memory_op(XENMEM_increase_reservation, &r);
	for (unsigned long i = 0; i < got; i++) {
		const unsigned long *page;

		if (!was_its(list[i]))
			continue;
		page = frames_map(list[i], 1, PTE_READ_ONLY, DOMID_SELF, NULL);
		if (!EXPECT_TRUE(page))
			break;
		again++;
		seen |= list[i] == secret;
		for (unsigned int k = 0; k < PAGE_SIZE / sizeof(*page); k++)
			if (page[k] && !EXPECT(page[k], 0))
				break;
		frames_unmap((void *)page, 1);
	}
	r.nr_extents = got;
	EXPECT(hypercall_memory_op(XENMEM_decrease_reservation, &r), got);
	EXPECT_TRUE(seen && again > 1000);
}

/* A child that dies while we have pages of it mapped, its shared ones too. */
static void death_with_mappings(void)
{
	struct xen_domctl_getdomaininfo info;
	struct xen_mem_acquire_resource resource = {.type = XENMEM_resource_grant_table,
						    .nr_frames = 1};
	xen_pfn_t grant_frame;
	volatile unsigned char *page, *table;
	struct shared_info *shared;
	struct grant_entry_v1 *grants;
	unsigned long pfn, root;

	twin_make(&child);
	pfn = (unsigned long)twin_call(&child, take_page, 0x88, 0, 0, 0);
	EXPECT_TRUE(twin_exists(child.id, &info));
	page = twin_map(&child, pfn, 1, PTE_DATA, NULL);
	table = twin_map(&child, child.pt_first, 1, PTE_READ_ONLY, NULL);
	shared = frames_map(info.shared_info_frame, 1, PTE_DATA, child.id, NULL);
	resource.domid = child.id;
	resource.frame_list.p = &grant_frame;
	EXPECT(hypercall_memory_op(XENMEM_acquire_resource, &resource), 0);
	grants = frames_map(grant_frame, 1, PTE_DATA, child.id, NULL);
	if (!EXPECT_TRUE(page && table && shared && grants))
		return;
	grants[7].frame = 0x1234;
	root = child.frames[child.pt_first];
	EXPECT(twin_destroy(&child, false), 0);
	EXPECT_TRUE(twin_exists(child.id, &info));
	EXPECT_TRUE(info.flags & XEN_DOMINF_dying);
	EXPECT(info.tot_pages, 4);
	EXPECT(page[9], 0x88);
	EXPECT(grants[7].frame, 0x1234);
	EXPECT_TRUE(shared->wc_version != 0);
	/* Nothing new begins. */
	EXPECT_REFUSED(twin_mmuext(child.id, MMUEXT_PIN_L4_TABLE, root, 0));
	EXPECT_TRUE(hypercall_memory_op(XENMEM_acquire_resource, &resource) < 0);
	frames_unmap((void *)page, 1);
	frames_unmap(shared, 1);
	frames_unmap((void *)table, 1);
	EXPECT_TRUE(twin_exists(child.id, &info));
	EXPECT(info.tot_pages, 1);
	frames_unmap(grants, 1);
	EXPECT_TRUE(child_wait_gone(child.id));
	EXPECT_TRUE(free_bytes_again(at_start));
}

static void frame_info(void)
{
	uint64_t list[5];
	struct xen_domctl op = {.u.getpageframeinfo3.num = 5};
	unsigned long pfn;

	twin_make(&child);
	pfn = (unsigned long)twin_call(&child, take_page, 0, 0, 0, 0);
	list[0] = child.frames[child.pt_first];
	list[1] = child.frames[child.pt_first + 3];
	list[2] = child.frames[pfn];
	list[3] = virt_to_mfn(&child);
	list[4] = 1ul << 50;
	op.u.getpageframeinfo3.array.p = list;
	EXPECT(twin_domctl(XEN_DOMCTL_getpageframeinfo3, child.id, &op), 0);
	EXPECT(list[0], XEN_DOMCTL_PFINFO_L4TAB | XEN_DOMCTL_PFINFO_LPINTAB);
	EXPECT(list[1], XEN_DOMCTL_PFINFO_L1TAB);
	EXPECT(list[2], XEN_DOMCTL_PFINFO_NOTAB);
	EXPECT(list[3], XEN_DOMCTL_PFINFO_XTAB);
	EXPECT(list[4], XEN_DOMCTL_PFINFO_XTAB);
	op.u.getpageframeinfo3.num = 1025;
	EXPECT(twin_domctl(XEN_DOMCTL_getpageframeinfo3, child.id, &op), -E2BIG);
	op.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_OFF;
	EXPECT(twin_domctl(XEN_DOMCTL_shadow_op, child.id, &op), -EINVAL);
	op.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY;
	EXPECT(twin_domctl(XEN_DOMCTL_shadow_op, child.id, &op), -EOPNOTSUPP);
	EXPECT(twin_destroy(&child, true), 0);
}

static void machine_to_physical(void)
{
	static xen_pfn_t frames[64];
	struct xen_machphys_mfn_list list = {.max_extents = 64};
	const unsigned long *map;
	long error = 0;

	list.extent_start.p = frames;
	EXPECT(hypercall_memory_op(XENMEM_machphys_mfn_list, &list), 0);
	if (!EXPECT_TRUE(list.nr_extents > 0 && frames[0]))
		return;
	EXPECT_TRUE(!frames_map(frames[0], 1, PTE_DATA, DOMID_XEN, &error));
	EXPECT_TRUE(test_refused(error));
	EXPECT_TRUE(!frames_map(frames[0], 1, PTE_READ_ONLY, DOMID_SELF, &error));
	map = frames_map(frames[0], 1, PTE_READ_ONLY, DOMID_XEN, &error);
	if (!EXPECT_TRUE(map))
		return;
	for (unsigned int i = 1; i < 512; i++)
		if (map[i] != machine_to_phys_mapping[i] &&
		    !EXPECT(map[i], machine_to_phys_mapping[i]))
			break;
	frames_unmap((void *)map, 1);
	/* What is not shown. */
	EXPECT_TRUE(!frames_map(0x100, 1, PTE_READ_ONLY, DOMID_XEN, &error));
}

static void resources(void)
{
	struct xen_mem_acquire_resource r = {.type = XENMEM_resource_grant_table};
	static xen_pfn_t list[64];

	twin_make(&child);
	r.domid = child.id;
	EXPECT(hypercall_memory_op(XENMEM_acquire_resource, &r), 0);
	EXPECT_TRUE(r.nr_frames > 0 && r.nr_frames <= 64);
	r.frame_list.p = list;
	r.nr_frames = 4;
	EXPECT(hypercall_memory_op(XENMEM_acquire_resource, &r), 0);
	for (unsigned int i = 0; i < 4; i++) {
		struct grant_entry_v1 *grants = frames_map(list[i], 1, PTE_DATA, child.id, NULL);

		EXPECT_TRUE(grants);
		if (grants)
			frames_unmap(grants, 1);
	}
	r.frame = 64;
	EXPECT(hypercall_memory_op(XENMEM_acquire_resource, &r), -EINVAL);
	r.frame = 0;
	r.id = XENMEM_resource_grant_table_id_status; /* of version 2 only */
	EXPECT(hypercall_memory_op(XENMEM_acquire_resource, &r), -EINVAL);
	r.domid = 0;
	EXPECT(hypercall_memory_op(XENMEM_acquire_resource, &r), -EPERM);
	r.domid = 4242;
	EXPECT(hypercall_memory_op(XENMEM_acquire_resource, &r), -ESRCH);
	EXPECT(twin_destroy(&child, true), 0);
}

/* ---- races: another vCPU maps what dies here ---- */

static volatile bool race_ends;
static volatile unsigned int racing;
static volatile unsigned long race_frame, race_maps;
static volatile domid_t race_domain;
static uint64_t race_entry; /* of a page that has nothing mapped */

static void race_on_vcpu(void *unused)
{
	unsigned long refused = 0;

	racing = 1;
	while (!race_ends) {
		unsigned long mfn = race_frame;
		domid_t domain = race_domain;

		if (twin_mmu_update(
			domain, race_entry,
			pte_make(mfn, (race_maps + refused) & 1 ? PTE_DATA : PTE_READ_ONLY)))
			refused++;
		else
			race_maps++;
		twin_mmuext(domain, MMUEXT_PIN_L1_TABLE, mfn, 0);
		twin_mmuext(domain, MMUEXT_UNPIN_TABLE, mfn, 0);
		test_mmu_update(race_entry, 0);
	}
	racing = 0;
	hypercall_vcpu_op(VCPUOP_down, 1, NULL);
}

static void races_with_death(void)
{
	unsigned long rounds = test_argument("rounds", 30);
	void *page;

	if (hypercall_vcpu_op(VCPUOP_is_up, 1, NULL) < 0) {
		test_skip("one vCPU");
		return;
	}
	race_ends = false;
	race_frame = 0;
	race_domain = DOMID_SELF;
	page = page_alloc();
	race_entry = entry_of(page);
	EXPECT(test_mmu_update(race_entry, 0), 0);
	if (!EXPECT(vcpu_start(1, race_on_vcpu, NULL, test_stack()), 0))
		return;
	for (unsigned long i = 0; i < rounds; i++) {
		if (!EXPECT(twin_create(&child, 1024, 1), 0))
			break;
		if (i & 1)
			EXPECT_TRUE(twin_start(&child));
		race_domain = child.id;
		race_frame = child.frames[i % 2 ? child.pt_first + 3 : 300 + i];
		if (i & 1)
			EXPECT(twin_call(&child, nothing, 0, 0, 0, 0), 0);
		EXPECT(twin_destroy(&child, false), 0);
	}
	race_ends = true;
	while (racing)
		cpu_relax();
	printk("%lu mappings meanwhile\n", race_maps);
	EXPECT_TRUE(race_maps > rounds);
	EXPECT(test_mmu_update(race_entry, pte_make(virt_to_mfn(page), PTE_DATA)), 0);
	tlb_flush();
	page_free(page);
}

/* ---- a large domain is made and ended while others want the CPU, too ---- */

static volatile uint64_t tick_deadline, tick_latest;
static volatile unsigned int ticks;

static void next_tick(void)
{
	struct vcpu_set_singleshot_timer timer;

	tick_deadline = timer.timeout_abs_ns = clock_now() + 100000;
	timer.flags = 0;
	hypercall_vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer);
}

static void on_tick(evtchn_port_t port, void *data)
{
	uint64_t now = clock_now();

	ticks++;
	if (now > tick_deadline && now - tick_deadline > tick_latest)
		tick_latest = now - tick_deadline;
	next_tick();
}

/* How late a timer was at most since the last time; in microseconds. */
static unsigned long lateness(void)
{
	unsigned long latest = tick_latest / 1000;

	tick_latest = 0;
	return latest;
}

static void large_domain(void)
{
	static xen_pfn_t list[256];
	unsigned long megabytes = test_argument("megabytes", 32), done = 0;
	struct xen_memory_reservation r = {.extent_order = 9};
	long id = child_create(1), port;
	uint64_t began, between, ended;
	unsigned long late[2];

	if (!EXPECT_TRUE(id > 0))
		return;
	domctl_op.u.max_mem.max_memkb = megabytes << 10;
	EXPECT(domctl(XEN_DOMCTL_max_mem, (domid_t)id), 0);
	port = event_bind_virq(VIRQ_TIMER, on_tick, NULL);
	EXPECT_TRUE(port > 0);
	next_tick();
	lateness();
	began = clock_now();
	r.domid = (domid_t)id;
	r.extent_start.p = list;
	while (done < megabytes / 2) {
		long got;

		r.nr_extents = megabytes / 2 - done < 256 ? megabytes / 2 - done : 256;
		for (unsigned long i = 0; i < r.nr_extents; i++)
			list[i] = (done + i) * 512;
		got = hypercall_memory_op(XENMEM_populate_physmap, &r);
		if (!EXPECT(got, r.nr_extents))
			break;
		done += (unsigned long)got;
	}
	late[0] = lateness();
	between = clock_now();
	EXPECT_TRUE(child_destroy((domid_t)id));
	late[1] = lateness();
	ended = clock_now();
	event_close((evtchn_port_t)port);
	EXPECT_TRUE(ticks > 1);
	printk(
	    "%lu MiB given in %lu us, taken back in %lu us; timers at most %lu and %lu us late\n",
	    done * 2, (unsigned long)(between - began) / 1000,
	    (unsigned long)(ended - between) / 1000, late[0], late[1]);
}

static void nothing_is_lost(void)
{
	EXPECT_TRUE(free_bytes_again(at_start));
}

static const struct test tests[] = {
    {"a child runs", a_twin_runs},	{"foreign mappings", mapping},
    {"foreign tables", its_tables},	{"not for the child", not_for_the_child},
    {"reservations", reservations},	{"claims", claims},
    {"frames that go", frames_that_go}, {"stale translations", stale_translations},
    {"scrubbing", scrubbing},		{"death with mappings", death_with_mappings},
    {"frame info", frame_info},		{"machine to physical", machine_to_physical},
    {"resources", resources},		{"races with death", races_with_death},
    {"large domain", large_domain},	{"nothing is lost", nothing_is_lost},
};

void guest_main(void)
{
	if (!is_initial_domain())
		twin_main();
	at_start = free_bytes();
	test_main("foreign", tests, COUNT_OF(tests));
}
