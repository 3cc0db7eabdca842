/* SPDX-License-Identifier: MIT */
/*
 * Grant tables, with this domain as granter and as the one it grants to. What is expected was seen on Xen 4.17.
 */
#include "../test.h"
#include <public/grant_table.h>

#define MAX_FRAMES 64
#define NO_DOMAIN  77
/* Bits of an entry that the CPU ignores; Xen marks its own in them. */
#define AVAILABLE 0x7ff0000000000000ul

static struct grant_entry_v1 *v1; /* the first frame of the table, version 1 */
static domid_t self;
static xen_pfn_t frames[MAX_FRAMES + 8];

/* ---- helpers ---- */

static long op(unsigned int cmd, void *arg, unsigned int count)
{
	return hypercall_grant_table_op(cmd, arg, count);
}

static int setup(domid_t dom, unsigned int nr, xen_pfn_t *list)
{
	struct gnttab_setup_table arg = {.dom = dom, .nr_frames = nr, .status = 99};

	set_xen_guest_handle(arg.frame_list, list);
	EXPECT(op(GNTTABOP_setup_table, &arg, 1), 0);
	return arg.status;
}

static struct gnttab_query_size query(domid_t dom)
{
	struct gnttab_query_size arg = {.dom = dom, .status = 99};

	EXPECT(op(GNTTABOP_query_size, &arg, 1), 0);
	return arg;
}

static void grant(grant_ref_t ref, domid_t domid, unsigned long mfn, uint16_t flags)
{
	v1[ref].domid = domid;
	v1[ref].frame = mfn;
	__atomic_store_n(&v1[ref].flags, flags, __ATOMIC_SEQ_CST);
}

static int map_full(struct gnttab_map_grant_ref *arg)
{
	arg->status = 99;
	EXPECT(op(GNTTABOP_map_grant_ref, arg, 1), 0);
	return arg->status;
}

static int map(grant_ref_t ref, uint64_t at, uint32_t flags, grant_handle_t *handle)
{
	struct gnttab_map_grant_ref arg = {
	    .host_addr = at, .flags = flags, .ref = ref, .dom = self, .handle = 0xdead};
	int status = map_full(&arg);

	if (handle)
		*handle = arg.handle;
	return status;
}

static int unmap(uint64_t at, grant_handle_t handle)
{
	struct gnttab_unmap_grant_ref arg = {.host_addr = at, .handle = handle, .status = 99};

	EXPECT(op(GNTTABOP_unmap_grant_ref, &arg, 1), 0);
	return arg.status;
}

/* An address with a level 1 table that maps nothing. */
static unsigned long hole(void)
{
	static unsigned long next;

	if (!next) {
		void *page = page_alloc();

		frames_unmap(frames_map(virt_to_mfn(page), 1, PTE_DATA, DOMID_SELF, NULL), 1);
		page_free(page);
	}
	return MAP_BASE + (128 + next++ % 384) * PAGE_SIZE;
}

static uint64_t entry_of(unsigned long va)
{
	return page_lookup(va);
}

/* The machine address of the level 1 entry of va. */
static uint64_t entry_at(unsigned long va)
{
	uint64_t where;

	EXPECT(page_walk(page_root, va, NULL, &where), 1);
	return where;
}

static struct gnttab_copy_ptr by_ref(grant_ref_t ref, uint16_t offset)
{
	return (struct gnttab_copy_ptr){.u.ref = ref, .domid = self, .offset = offset};
}

static struct gnttab_copy_ptr by_frame(const void *page, uint16_t offset)
{
	return (struct gnttab_copy_ptr){
	    .u.gmfn = virt_to_mfn(page), .domid = DOMID_SELF, .offset = offset};
}

static int copy(struct gnttab_copy_ptr from, struct gnttab_copy_ptr to, uint16_t len,
		uint16_t flags)
{
	struct gnttab_copy arg = {
	    .source = from, .dest = to, .len = len, .flags = flags, .status = 99};

	EXPECT(op(GNTTABOP_copy, &arg, 1), 0);
	return arg.status;
}

/* ---- the table ---- */

static void sizes(void)
{
	struct gnttab_query_size size = query(DOMID_SELF);

	EXPECT(size.status, GNTST_okay);
	EXPECT(size.max_nr_frames, MAX_FRAMES);
	EXPECT_TRUE(size.nr_frames <= 1);
	EXPECT(query(self).status, GNTST_okay);
	EXPECT(query(NO_DOMAIN).status, GNTST_bad_domain);
	EXPECT(query(DOMID_IO).status, GNTST_bad_domain);
	EXPECT(op(GNTTABOP_query_size, &size, 0), -EINVAL);
	EXPECT(op(GNTTABOP_query_size, &size, 2), -EINVAL);
	EXPECT(op(GNTTABOP_query_size, (void *)NOT_MAPPED, 1), -EFAULT);
	EXPECT(op(GNTTABOP_query_size, (void *)OF_HYPERVISOR, 1), -EFAULT);
}

static void set_up(void)
{
	xen_pfn_t again[4] = {0};
	struct gnttab_setup_table arg = {.dom = DOMID_SELF, .nr_frames = 1};

	EXPECT(setup(DOMID_SELF, 1, frames), GNTST_okay);
	EXPECT(setup(self, 1, again), GNTST_okay);
	EXPECT(again[0], frames[0]);
	EXPECT(query(DOMID_SELF).nr_frames, 1);
	EXPECT(setup(DOMID_SELF, 3, again), GNTST_okay);
	EXPECT(again[0], frames[0]);
	EXPECT_TRUE(again[1] && again[2] && again[1] != again[2]);
	EXPECT(query(DOMID_SELF).nr_frames, 3);
	/* Never fewer; no more than may be. */
	again[1] = 5;
	EXPECT(setup(DOMID_SELF, 1, again), GNTST_okay);
	EXPECT(again[1], 5);
	EXPECT(query(DOMID_SELF).nr_frames, 3);
	EXPECT(setup(DOMID_SELF, 0, again), GNTST_okay);
	EXPECT(setup(DOMID_SELF, MAX_FRAMES + 1, frames), GNTST_general_error);
	EXPECT(setup(NO_DOMAIN, 1, again), GNTST_bad_domain);
	EXPECT(query(DOMID_SELF).nr_frames, 3);
	EXPECT(setup(DOMID_SELF, 3, (xen_pfn_t *)NOT_MAPPED), GNTST_bad_virt_addr);
	set_xen_guest_handle(arg.frame_list, (xen_pfn_t *)OF_HYPERVISOR);
	EXPECT(op(GNTTABOP_setup_table, &arg, 1), -EFAULT);
	EXPECT(op(GNTTABOP_setup_table, &arg, 0), -EINVAL);
	EXPECT(op(GNTTABOP_setup_table, &arg, 2), -EINVAL);
	EXPECT(op(GNTTABOP_setup_table, (void *)NOT_MAPPED, 1), -EFAULT);
	v1 = frames_map(frames[0], 1, PTE_DATA, DOMID_SELF, NULL);
	EXPECT_TRUE(v1);
	/* Fresh frames are empty; the frame is there to be written to. */
	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*v1); i++)
		EXPECT(v1[i].flags, 0);
}

static void commands(void)
{
	struct gnttab_map_grant_ref arg = {0};

	EXPECT(op(13, &arg, 1), -ENOSYS);
	EXPECT(op(999, &arg, 1), -ENOSYS);
	EXPECT(op(GNTTABOP_map_grant_ref, &arg, 0), 0);
	EXPECT(op(GNTTABOP_unmap_grant_ref, NULL, 0), 0);
	EXPECT(op(GNTTABOP_copy, NULL, 0), 0);
	EXPECT(op(13, NULL, 0), -ENOSYS);
	EXPECT(op(GNTTABOP_map_grant_ref, &arg, 0x80000000), -EINVAL);
	EXPECT(op(GNTTABOP_map_grant_ref, &arg, ~0u), -EINVAL);
	EXPECT(op(GNTTABOP_map_grant_ref, (void *)NOT_MAPPED, 1), -EFAULT);
	EXPECT(op(GNTTABOP_unmap_grant_ref, (void *)NOT_MAPPED, 1), -EFAULT);
	EXPECT(op(GNTTABOP_copy, (void *)NOT_MAPPED, 1), -EFAULT);
	EXPECT(op(GNTTABOP_map_grant_ref, (void *)OF_HYPERVISOR, 1), -EFAULT);
}

static void versions(void)
{
	struct gnttab_get_version get = {.dom = DOMID_SELF, .version = 9};

	EXPECT(op(GNTTABOP_get_version, &get, 1), 0);
	EXPECT(get.version, 1);
	get.dom = NO_DOMAIN;
	EXPECT(op(GNTTABOP_get_version, &get, 1), -ESRCH);
	EXPECT(op(GNTTABOP_get_version, (void *)NOT_MAPPED, 1), -EFAULT);
}

static void status_frames_v1(void)
{
	struct gnttab_get_status_frames arg = {.dom = DOMID_SELF, .nr_frames = 1, .status = 99};

	set_xen_guest_handle(arg.frame_list, frames);
	EXPECT(op(GNTTABOP_get_status_frames, &arg, 1), 0);
	EXPECT(arg.status, GNTST_general_error);
	EXPECT(op(GNTTABOP_get_status_frames, &arg, 2), -EINVAL);
}

/* ---- map and unmap ---- */

static void map_read_only(void)
{
	uint64_t *page = page_alloc(), value = 0;
	unsigned long at = hole();
	unsigned long mfn = virt_to_mfn(page);
	struct gnttab_map_grant_ref arg = {
	    .host_addr = at, .flags = GNTMAP_host_map | GNTMAP_readonly, .ref = 9, .dom = self};

	page[7] = 0x1234;
	grant(9, self, mfn, GTF_permit_access | GTF_readonly);
	EXPECT(map_full(&arg), GNTST_okay);
	EXPECT(arg.dev_bus_addr, mfn << PAGE_SHIFT);
	EXPECT(v1[9].flags, GTF_permit_access | GTF_readonly | GTF_reading);
	EXPECT(entry_of(at) & ~(PTE_A | PTE_D | PTE_G | AVAILABLE),
	       pte_make(mfn, PTE_P | PTE_US) | PTE_NX);
	EXPECT(((uint64_t *)at)[7], 0x1234);
	EXPECT_TRUE(!probe_write((void *)at, 1));
	EXPECT(unmap(at, arg.handle), GNTST_okay);
	EXPECT(v1[9].flags, GTF_permit_access | GTF_readonly);
	EXPECT(entry_of(at), 0);
	EXPECT_TRUE(!probe_read((void *)at, &value));
	EXPECT(unmap(at, arg.handle), GNTST_bad_handle);
	grant(9, 0, 0, 0);
	page_free(page);
}

static void map_writable(void)
{
	uint64_t *page = page_alloc();
	unsigned long at = hole();
	grant_handle_t handle;

	grant(9, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(9, at, GNTMAP_host_map | 5 << _GNTMAP_guest_avail0, &handle), GNTST_okay);
	EXPECT(v1[9].flags, GTF_permit_access | GTF_reading | GTF_writing);
	EXPECT(entry_of(at) & (PTE_RW | PTE_US | PTE_P | 0xe00), PTE_RW | PTE_US | PTE_P | 5 << 9);
	((uint64_t *)at)[1] = 0xabc;
	EXPECT(page[1], 0xabc);
	/* It is mapped writable, so it can be no table. */
	EXPECT(page_read_only(page), 0);
	EXPECT_TRUE(page_pin(page, 1));
	EXPECT(page_writable(page), 0);
	EXPECT(unmap(at, handle), GNTST_okay);
	EXPECT(v1[9].flags, GTF_permit_access);
	EXPECT(page_read_only(page), 0);
	EXPECT(page_pin(page, 1), 0);
	EXPECT(page_unpin(page), 0);
	EXPECT(page_writable(page), 0);
	grant(9, 0, 0, 0);
	page_free(page);
}

/* Reading and writing go on as long as there is a mapping of that kind. */
static void map_often(void)
{
	void *page = page_alloc();
	unsigned long at[4] = {hole(), hole(), hole(), hole()};
	grant_handle_t handle[5];

	grant(10, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(10, at[0], GNTMAP_host_map, &handle[0]), GNTST_okay);
	EXPECT(map(10, at[1], GNTMAP_host_map | GNTMAP_readonly, &handle[1]), GNTST_okay);
	EXPECT(map(10, at[2], GNTMAP_host_map | GNTMAP_device_map, &handle[2]), GNTST_okay);
	EXPECT(map(10, 0, GNTMAP_device_map | GNTMAP_readonly, &handle[3]), GNTST_okay);
	EXPECT(v1[10].flags, GTF_permit_access | GTF_reading | GTF_writing);
	/* In use: nobody else may have it, nor is another frame mapped though the entry says so. */
	v1[10].domid = NO_DOMAIN;
	EXPECT(map(10, at[3], GNTMAP_host_map | GNTMAP_readonly, &handle[4]), GNTST_okay);
	EXPECT(unmap(at[3], handle[4]), GNTST_okay);
	v1[10].domid = self;
	v1[10].frame = virt_to_mfn(page_root);
	EXPECT(map(10, at[3], GNTMAP_host_map | GNTMAP_readonly, &handle[4]), GNTST_okay);
	EXPECT(pte_mfn(entry_of(at[3])), virt_to_mfn(page));
	EXPECT(unmap(at[3], handle[4]), GNTST_okay);
	EXPECT(unmap(at[0], handle[0]), GNTST_okay);
	EXPECT(v1[10].flags, GTF_permit_access | GTF_reading | GTF_writing);
	EXPECT(unmap(at[2], handle[2]), GNTST_okay);
	/* The device's mapping is there still. */
	EXPECT(v1[10].flags, GTF_permit_access | GTF_reading | GTF_writing);
	{
		struct gnttab_unmap_grant_ref arg = {.handle = handle[2], .status = 99};

		arg.dev_bus_addr = virt_to_machine(page) + PAGE_SIZE;
		EXPECT(op(GNTTABOP_unmap_grant_ref, &arg, 1), 0);
		EXPECT(arg.status, GNTST_bad_dev_addr);
		arg.dev_bus_addr = virt_to_machine(page);
		EXPECT(op(GNTTABOP_unmap_grant_ref, &arg, 1), 0);
		EXPECT(arg.status, GNTST_okay);
		EXPECT(v1[10].flags, GTF_permit_access | GTF_reading);
		arg.handle = handle[3];
		EXPECT(op(GNTTABOP_unmap_grant_ref, &arg, 1), 0);
		EXPECT(arg.status, GNTST_okay);
	}
	EXPECT(v1[10].flags, GTF_permit_access | GTF_reading);
	EXPECT(unmap(at[1], handle[1]), GNTST_okay);
	EXPECT(v1[10].flags, GTF_permit_access);
	grant(10, 0, 0, 0);
	page_free(page);
}

static void map_refused(void)
{
	void *page = page_alloc();
	unsigned long at = hole(), mfn = virt_to_mfn(page);
	struct gnttab_map_grant_ref arg = {
	    .host_addr = at, .flags = GNTMAP_host_map, .ref = 11, .dom = NO_DOMAIN};
	grant_handle_t handle;

	grant(11, self, mfn, GTF_permit_access | GTF_readonly);
	EXPECT(map_full(&arg), GNTST_bad_domain);
	arg.dom = DOMID_SELF;
	EXPECT(map_full(&arg), GNTST_bad_domain);
	EXPECT(map(11, at, GNTMAP_host_map, NULL), GNTST_general_error);
	EXPECT(v1[11].flags, GTF_permit_access | GTF_readonly);
	EXPECT(map(11, at, 0, NULL), GNTST_bad_gntref);
	EXPECT(map(11, at, GNTMAP_readonly, NULL), GNTST_bad_gntref);
	EXPECT(map(11, at, GNTMAP_application_map, NULL), GNTST_bad_gntref);
	/* Beyond the table's three frames. */
	EXPECT(map(3 * 512, at, GNTMAP_host_map, NULL), GNTST_bad_gntref);
	EXPECT(map(~0u, at, GNTMAP_host_map, NULL), GNTST_bad_gntref);
	/* Not granted at all; to somebody else; not of a kind to map. */
	EXPECT(map(12, at, GNTMAP_host_map, NULL), GNTST_general_error);
	grant(11, NO_DOMAIN, mfn, GTF_permit_access);
	EXPECT(map(11, at, GNTMAP_host_map, NULL), GNTST_general_error);
	grant(11, self, mfn, GTF_accept_transfer);
	EXPECT(map(11, at, GNTMAP_host_map, NULL), GNTST_general_error);
	grant(11, self, mfn, GTF_transitive);
	EXPECT(map(11, at, GNTMAP_host_map, NULL), GNTST_general_error);
	/* A frame that is no memory, or nobody's. */
	grant(11, self, 0xfffffff, GTF_permit_access);
	EXPECT(map(11, at, GNTMAP_host_map, NULL), GNTST_bad_page);
	EXPECT(v1[11].flags, GTF_permit_access);
	grant(11, self, 0xfee00, GTF_permit_access);
	EXPECT(map(11, at, GNTMAP_host_map, NULL), GNTST_bad_page);
	grant(11, self, 0x210, GTF_permit_access);
	EXPECT(map(11, at, GNTMAP_host_map, NULL), GNTST_bad_page);
	/* Page tables: to be read, but not to be written. */
	grant(11, self, virt_to_mfn(page_root), GTF_permit_access);
	EXPECT(map(11, at, GNTMAP_host_map, NULL), GNTST_general_error);
	EXPECT(v1[11].flags, GTF_permit_access);
	EXPECT(map(11, at, GNTMAP_host_map | GNTMAP_readonly, &handle), GNTST_okay);
	EXPECT(((uint64_t *)at)[511], page_root[511]);
	EXPECT(unmap(at, handle), GNTST_okay);
	/* The table of grants itself. */
	grant(11, self, frames[0], GTF_permit_access);
	EXPECT(map(11, at, GNTMAP_host_map, &handle), GNTST_okay);
	EXPECT(unmap(at, handle), GNTST_okay);
	grant(11, 0, 0, 0);
	page_free(page);
}

/* Flags that the granter sets. */
static void map_flags(void)
{
	void *page = page_alloc();
	unsigned long at = hole();
	grant_handle_t handle;

	/* Memory is cached, whatever they say. */
	grant(11, self, virt_to_mfn(page), GTF_permit_access | GTF_PCD | GTF_PWT);
	EXPECT(map(11, at, GNTMAP_host_map, &handle), GNTST_okay);
	EXPECT(v1[11].flags, GTF_permit_access | GTF_PCD | GTF_PWT | GTF_reading | GTF_writing);
	EXPECT(entry_of(at) & (PTE_PCD | PTE_PWT), 0);
	EXPECT(unmap(at, handle), GNTST_okay);
	/* Version 1 knows no parts of pages, but they are not mapped. */
	grant(11, self, virt_to_mfn(page), GTF_permit_access | GTF_sub_page);
	EXPECT(map(11, at, GNTMAP_host_map, NULL), GNTST_general_error);
	EXPECT(copy(by_ref(11, 0), by_frame(page, 0), 8, GNTCOPY_source_gref), GNTST_okay);
	/* Set by us: nobody clears them. */
	grant(11, self, virt_to_mfn(page), GTF_permit_access | GTF_writing);
	EXPECT(map(11, at, GNTMAP_host_map | GNTMAP_readonly, &handle), GNTST_okay);
	EXPECT(v1[11].flags, GTF_permit_access | GTF_reading | GTF_writing);
	EXPECT(unmap(at, handle), GNTST_okay);
	EXPECT(v1[11].flags, GTF_permit_access | GTF_writing);
	/* application_map is for user mode too, which is no different. */
	grant(11, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(11, at, GNTMAP_host_map | GNTMAP_application_map, &handle), GNTST_okay);
	EXPECT(entry_of(at) & (PTE_P | PTE_RW | PTE_US), PTE_P | PTE_RW | PTE_US);
	EXPECT(unmap(at, handle), GNTST_okay);
	grant(11, 0, 0, 0);
	page_free(page);
}

static void map_bad_address(void)
{
	void *page = page_alloc();
	unsigned long at = hole();
	grant_handle_t handle;

	grant(13, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(13, NOT_MAPPED, GNTMAP_host_map, NULL), GNTST_general_error);
	EXPECT(map(13, NOT_CANONICAL, GNTMAP_host_map, NULL), GNTST_general_error);
	EXPECT(map(13, OF_HYPERVISOR, GNTMAP_host_map, NULL), GNTST_general_error);
	EXPECT(map(13, HYPERVISOR_VIRT_START, GNTMAP_host_map, NULL), GNTST_general_error);
	EXPECT(v1[13].flags, GTF_permit_access);
	/* The offset within the page does not matter. */
	EXPECT(map(13, at + 123, GNTMAP_host_map, &handle), GNTST_okay);
	EXPECT(pte_mfn(entry_of(at)), virt_to_mfn(page));
	EXPECT(unmap(at + 123, handle), GNTST_okay);
	grant(13, 0, 0, 0);
	page_free(page);
}

static void map_over(void)
{
	uint64_t *page = page_alloc(), *there = page_alloc();
	unsigned long mfn = virt_to_mfn(there);
	grant_handle_t handle;

	/* What was mapped there is replaced, and lost with the unmapping. */
	page[0] = 1;
	there[0] = 2;
	grant(13, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(13, (unsigned long)there, GNTMAP_host_map, &handle), GNTST_okay);
	tlb_flush();
	EXPECT(there[0], 1);
	EXPECT(unmap((unsigned long)there, handle), GNTST_okay);
	EXPECT(entry_of((unsigned long)there), 0);
	EXPECT(page_set(there, pte_make(mfn, PTE_DATA)), 0);
	EXPECT(there[0], 2);
	grant(13, 0, 0, 0);
	page_free(page);
	page_free(there);
}

static void map_entry(void)
{
	uint64_t *page = page_alloc();
	unsigned long at = hole();
	uint64_t where = entry_at(at);
	uint32_t flags = GNTMAP_host_map | GNTMAP_contains_pte;
	grant_handle_t handle;

	grant(14, self, virt_to_mfn(page), GTF_permit_access);
	page[3] = 0x77;
	EXPECT(map(14, where, flags, &handle), GNTST_okay);
	EXPECT(((uint64_t *)at)[3], 0x77);
	EXPECT(entry_of(at) & PTE_RW, PTE_RW);
	/* It is known by its entry. */
	EXPECT(unmap(at, handle), GNTST_general_error);
	EXPECT(unmap(where, handle), GNTST_okay);
	EXPECT(entry_of(at), 0);
	EXPECT(map(14, where, flags | GNTMAP_application_map | GNTMAP_readonly, &handle),
	       GNTST_okay);
	EXPECT(entry_of(at) & (PTE_RW | PTE_US), PTE_US);
	EXPECT(unmap(where, handle), GNTST_okay);
	/* Not in a table of level 1; not aligned; not ours; not there. */
	EXPECT(map(14, virt_to_machine(page_root), flags, NULL), GNTST_general_error);
	EXPECT(map(14, virt_to_machine(page), flags, NULL), GNTST_general_error);
	EXPECT(map(14, where + 4, flags, NULL), GNTST_general_error);
	EXPECT(map(14, 0x210000, flags, NULL), GNTST_general_error);
	EXPECT(map(14, 0xfffffffff000, flags, NULL), GNTST_general_error);
	EXPECT(v1[14].flags, GTF_permit_access);
	grant(14, 0, 0, 0);
	page_free(page);
}

static void unmap_refused(void)
{
	void *page = page_alloc();
	unsigned long at = hole(), other = hole();
	grant_handle_t handle;

	grant(15, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(15, at, GNTMAP_host_map, &handle), GNTST_okay);
	EXPECT(unmap(at, handle + 1), GNTST_bad_handle);
	EXPECT(unmap(at, ~0u), GNTST_bad_handle);
	EXPECT(unmap(other, handle), GNTST_general_error);
	EXPECT(unmap(NOT_MAPPED, handle), GNTST_general_error);
	EXPECT(unmap(OF_HYPERVISOR, handle), GNTST_general_error);
	/* Where another frame is mapped; the same, but not as it was granted. */
	EXPECT(unmap((unsigned long)page_root, handle), GNTST_general_error);
	EXPECT(page_read_only(page), 0);
	EXPECT(unmap((unsigned long)page, handle), GNTST_general_error);
	EXPECT(page_writable(page), 0);
	/* Nothing to do. */
	EXPECT(unmap(0, handle), GNTST_okay);
	EXPECT(v1[15].flags, GTF_permit_access | GTF_reading | GTF_writing);
	EXPECT(unmap(at, handle), GNTST_okay);
	EXPECT(unmap(0, handle), GNTST_bad_handle);
	EXPECT(v1[15].flags, GTF_permit_access);
	grant(15, 0, 0, 0);
	page_free(page);
}

/* The granter may take the grant back at any time; what is mapped stays. */
static void revoked(void)
{
	uint64_t *page = page_alloc();
	unsigned long at = hole(), other = hole();
	grant_handle_t handle, second;

	grant(15, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(15, at, GNTMAP_host_map, &handle), GNTST_okay);
	v1[15].flags = 0;
	page[0] = 4;
	EXPECT(*(uint64_t *)at, 4);
	EXPECT(map(15, other, GNTMAP_host_map | GNTMAP_readonly, &second), GNTST_okay);
	EXPECT(unmap(other, second), GNTST_okay);
	EXPECT(unmap(at, handle), GNTST_okay);
	EXPECT(v1[15].flags, 0);
	page_free(page);
}

static void batches(void)
{
	enum { COUNT = 100 };
	static struct gnttab_map_grant_ref in[COUNT];
	static struct gnttab_unmap_grant_ref out[COUNT];
	unsigned long *pages[COUNT];

	for (unsigned int i = 0; i < COUNT; i++) {
		pages[i] = page_alloc();
		pages[i][0] = i;
		grant(100 + i, self, virt_to_mfn(pages[i]), GTF_permit_access);
		in[i] = (struct gnttab_map_grant_ref){.host_addr = hole(),
						      .flags = GNTMAP_host_map,
						      .ref = 100 + i,
						      .dom = self,
						      .status = 99};
	}
	/* A bad one in between stops nobody. */
	in[50].ref = 99;
	EXPECT(op(GNTTABOP_map_grant_ref, in, COUNT), 0);
	for (unsigned int i = 0; i < COUNT; i++) {
		EXPECT(in[i].status, i == 50 ? GNTST_general_error : GNTST_okay);
		if (i != 50)
			EXPECT(*(unsigned long *)in[i].host_addr, i);
		out[i] = (struct gnttab_unmap_grant_ref){
		    .host_addr = in[i].host_addr, .handle = in[i].handle, .status = 99};
	}
	out[50].handle = ~0u;
	EXPECT(op(GNTTABOP_unmap_grant_ref, out, COUNT), 0);
	for (unsigned int i = 0; i < COUNT; i++) {
		EXPECT(out[i].status, i == 50 ? GNTST_bad_handle : GNTST_okay);
		EXPECT(v1[100 + i].flags, GTF_permit_access);
		EXPECT(entry_of(out[i].host_addr), 0);
		grant(100 + i, 0, 0, 0);
		page_free(pages[i]);
	}
}

static void replace(void)
{
	uint64_t *page = page_alloc(), *other = page_alloc();
	unsigned long at = hole();
	unsigned long mfn = virt_to_mfn(other);
	struct gnttab_unmap_and_replace arg = {.host_addr = at, .new_addr = (unsigned long)other};

	page[0] = 1;
	other[0] = 2;
	grant(15, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(15, at, GNTMAP_host_map, &arg.handle), GNTST_okay);
	arg.new_addr = NOT_MAPPED;
	arg.status = 99;
	EXPECT(op(GNTTABOP_unmap_and_replace, &arg, 1), 0);
	EXPECT(arg.status, GNTST_general_error);
	EXPECT(*(uint64_t *)at, 1);
	/* Xen takes the other's entry away nevertheless. */
	arg.new_addr = (unsigned long)other;
	arg.host_addr = NOT_MAPPED;
	EXPECT(op(GNTTABOP_unmap_and_replace, &arg, 1), 0);
	EXPECT(arg.status, GNTST_general_error);
	EXPECT(page_set(other, pte_make(mfn, PTE_DATA)), 0);
	EXPECT(other[0], 2);
	arg.host_addr = at;
	EXPECT(op(GNTTABOP_unmap_and_replace, &arg, 1), 0);
	EXPECT(arg.status, GNTST_okay);
	EXPECT(*(uint64_t *)at, 2);
	EXPECT(entry_of((unsigned long)other), 0);
	EXPECT(v1[15].flags, GTF_permit_access);
	EXPECT(op(GNTTABOP_unmap_and_replace, &arg, 1), 0);
	EXPECT(arg.status, GNTST_bad_handle);
	EXPECT(page_set((void *)at, 0), 0);
	EXPECT(page_set(other, pte_make(mfn, PTE_DATA)), 0);
	grant(15, 0, 0, 0);
	page_free(page);
	page_free(other);
}

/* ---- copy ---- */

static void copies(void)
{
	char *from = page_alloc(), *to = page_alloc();

	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		from[i] = (char)(i * 7 + i / 256);
	grant(20, self, virt_to_mfn(from), GTF_permit_access | GTF_readonly);
	grant(21, self, virt_to_mfn(to), GTF_permit_access);
	EXPECT(copy(by_ref(20, 0), by_frame(to, 0), PAGE_SIZE, GNTCOPY_source_gref), GNTST_okay);
	EXPECT(memcmp(from, to, PAGE_SIZE), 0);
	memset(to, 0, PAGE_SIZE);
	EXPECT(copy(by_frame(from, 100), by_ref(21, 3), 1000, GNTCOPY_dest_gref), GNTST_okay);
	EXPECT(memcmp(from + 100, to + 3, 1000), 0);
	EXPECT(to[2], 0);
	EXPECT(to[1003], 0);
	memset(to, 0, PAGE_SIZE);
	EXPECT(copy(by_ref(20, 4095), by_ref(21, 0), 1, GNTCOPY_source_gref | GNTCOPY_dest_gref),
	       GNTST_okay);
	EXPECT(to[0], from[4095]);
	EXPECT(copy(by_frame(from, 0), by_frame(to, 0), PAGE_SIZE, 0), GNTST_okay);
	EXPECT(memcmp(from, to, PAGE_SIZE), 0);
	EXPECT(copy(by_frame(from, 4096), by_frame(to, 0), 0, 0), GNTST_okay);
	EXPECT(copy(by_frame(from, 4097), by_frame(to, 0), 0, 0), GNTST_bad_copy_arg);
	EXPECT(v1[20].flags, GTF_permit_access | GTF_readonly);
	EXPECT(v1[21].flags, GTF_permit_access);
	/* Out of the page. */
	EXPECT(copy(by_ref(20, 1), by_frame(to, 0), PAGE_SIZE, GNTCOPY_source_gref),
	       GNTST_bad_copy_arg);
	EXPECT(copy(by_ref(20, 0), by_frame(to, 1), PAGE_SIZE, GNTCOPY_source_gref),
	       GNTST_bad_copy_arg);
	EXPECT(copy(by_ref(20, 0xffff), by_frame(to, 0), 1, GNTCOPY_source_gref),
	       GNTST_bad_copy_arg);
	EXPECT(copy(by_ref(20, 0), by_frame(to, 0), 0xffff, GNTCOPY_source_gref),
	       GNTST_bad_copy_arg);
	/* Not to be written to; no grant; no table; somebody else's. */
	EXPECT(copy(by_frame(to, 0), by_ref(20, 0), 1, GNTCOPY_dest_gref), GNTST_general_error);
	EXPECT(copy(by_ref(19, 0), by_frame(to, 0), 1, GNTCOPY_source_gref), GNTST_general_error);
	EXPECT(copy(by_ref(~0u, 0), by_frame(to, 0), 1, GNTCOPY_source_gref), GNTST_bad_gntref);
	grant(20, NO_DOMAIN, virt_to_mfn(from), GTF_permit_access);
	EXPECT(copy(by_ref(20, 0), by_frame(to, 0), 1, GNTCOPY_source_gref), GNTST_general_error);
	grant(20, 0, 0, 0);
	grant(21, 0, 0, 0);
	page_free(from);
	page_free(to);
}

static void copy_refused(void)
{
	void *from = page_alloc(), *to = page_alloc();
	struct gnttab_copy_ptr bad = by_frame(from, 0);

	bad.domid = NO_DOMAIN;
	EXPECT(copy(bad, by_frame(to, 0), 1, 0), GNTST_bad_domain);
	EXPECT(copy(by_frame(to, 0), bad, 1, 0), GNTST_bad_domain);
	EXPECT(copy(bad, by_frame(to, 0), 1, GNTCOPY_source_gref), GNTST_bad_domain);
	/* By number, a frame is its own domain's only under the name DOMID_SELF. */
	bad = by_frame(from, 0);
	bad.domid = self;
	EXPECT(copy(bad, by_frame(to, 0), 1, 0), GNTST_permission_denied);
	EXPECT(copy(by_frame(to, 0), bad, 1, 0), GNTST_permission_denied);
	bad = by_ref(20, 0);
	bad.domid = DOMID_SELF;
	grant(20, self, virt_to_mfn(from), GTF_permit_access);
	EXPECT(copy(bad, by_frame(to, 0), 1, GNTCOPY_source_gref), GNTST_okay);
	bad = by_frame(from, 0);
	bad.u.gmfn = 0xfffffff;
	EXPECT(copy(bad, by_frame(to, 0), 1, 0), GNTST_bad_page);
	EXPECT(copy(by_frame(to, 0), bad, 1, 0), GNTST_bad_page);
	bad.u.gmfn = 0x210;
	EXPECT(copy(bad, by_frame(to, 0), 1, 0), GNTST_bad_page);
	EXPECT(copy(by_frame(to, 0), bad, 1, 0), GNTST_bad_page);
	bad.u.gmfn = virt_to_mfn(page_root);
	EXPECT(copy(bad, by_frame(to, 0), 1, 0), GNTST_okay);
	EXPECT(copy(by_frame(to, 0), bad, 1, 0), GNTST_general_error);
	grant(21, self, virt_to_mfn(page_root), GTF_permit_access);
	EXPECT(copy(by_frame(to, 0), by_ref(21, 0), 1, GNTCOPY_dest_gref), GNTST_general_error);
	EXPECT(v1[21].flags, GTF_permit_access);
	/* Flags that mean nothing. */
	EXPECT(copy(by_frame(from, 0), by_frame(to, 0), 1, 0x80), GNTST_okay);
	grant(20, 0, 0, 0);
	grant(21, 0, 0, 0);
	page_free(from);
	page_free(to);
}

static void copy_batch(void)
{
	enum { COUNT = 200 };
	static struct gnttab_copy arg[COUNT];
	unsigned char *from = page_alloc(), *to = page_alloc();

	grant(22, self, virt_to_mfn(from), GTF_permit_access);
	for (unsigned int i = 0; i < COUNT; i++) {
		from[i] = i;
		arg[i] = (struct gnttab_copy){.source = by_ref(i == 77 ? 19 : 22, i),
					      .dest = by_frame(to, i),
					      .len = 1,
					      .flags = GNTCOPY_source_gref,
					      .status = 99};
	}
	EXPECT(op(GNTTABOP_copy, arg, COUNT), 0);
	for (unsigned int i = 0; i < COUNT; i++) {
		EXPECT(arg[i].status, i == 77 ? GNTST_general_error : GNTST_okay);
		EXPECT(to[i], i == 77 ? 0 : i);
	}
	EXPECT(v1[22].flags, GTF_permit_access);
	grant(22, 0, 0, 0);
	page_free(from);
	page_free(to);
}

/* ---- other operations ---- */

static int swap(grant_ref_t a, grant_ref_t b)
{
	struct gnttab_swap_grant_ref arg = {.ref_a = a, .ref_b = b, .status = 99};

	EXPECT(op(GNTTABOP_swap_grant_ref, &arg, 1), 0);
	return arg.status;
}

static void swaps(void)
{
	void *page = page_alloc();
	unsigned long at = hole();
	grant_handle_t handle;

	grant(30, self, virt_to_mfn(page), GTF_permit_access);
	grant(31, NO_DOMAIN, 0, GTF_accept_transfer);
	EXPECT(swap(30, 31), GNTST_okay);
	EXPECT(v1[31].flags, GTF_permit_access);
	EXPECT(v1[31].frame, virt_to_mfn(page));
	EXPECT(v1[30].domid, NO_DOMAIN);
	EXPECT(swap(30, 30), GNTST_okay);
	EXPECT(swap(30, 3 * 512), GNTST_bad_gntref);
	EXPECT(swap(~0u, 30), GNTST_bad_gntref);
	EXPECT(swap(~0u, ~0u), GNTST_bad_gntref);
	EXPECT(map(31, at, GNTMAP_host_map, &handle), GNTST_okay);
	EXPECT(swap(30, 31), GNTST_eagain);
	EXPECT(swap(31, 30), GNTST_eagain);
	EXPECT(swap(31, 31), GNTST_okay);
	EXPECT(unmap(at, handle), GNTST_okay);
	grant(30, 0, 0, 0);
	grant(31, 0, 0, 0);
	page_free(page);
}

static int transfer(unsigned long mfn, domid_t domid, grant_ref_t ref)
{
	struct gnttab_transfer arg = {.mfn = mfn, .domid = domid, .ref = ref, .status = 99};

	EXPECT(op(GNTTABOP_transfer, &arg, 1), 0);
	return arg.status;
}

static void transfers(void)
{
	void *page = page_alloc();
	unsigned long mfn = virt_to_mfn(page);

	EXPECT(transfer(0xfffffff, NO_DOMAIN, 1), GNTST_bad_page);
	EXPECT(transfer(0x210, NO_DOMAIN, 1), GNTST_bad_page);
	EXPECT(transfer(mfn, NO_DOMAIN, 1), GNTST_bad_page); /* in use */
	EXPECT(transfer(mfn, self, 1), GNTST_bad_page);
	EXPECT(transfer(mfn, DOMID_SELF, 1), GNTST_bad_page);
	EXPECT(page_set(page, 0), 0);
	EXPECT(transfer(mfn, NO_DOMAIN, 1), GNTST_bad_domain);
	/* It is lost nevertheless. */
	EXPECT_REFUSED(page_set(page, pte_make(mfn, PTE_DATA)));
}

static void transfer_to_self(void)
{
	void *page = page_alloc();
	unsigned long mfn = virt_to_mfn(page);

	grant(32, self, virt_to_pfn(page), GTF_accept_transfer);
	EXPECT(page_set(page, 0), 0);
	EXPECT(transfer(mfn, DOMID_SELF, 32), GNTST_bad_domain);
	EXPECT(v1[32].flags, GTF_accept_transfer);
	EXPECT_REFUSED(page_set(page, pte_make(mfn, PTE_DATA)));
	grant(32, 0, 0, 0);
}

static long flush(uint64_t address, uint16_t offset, uint16_t length, uint32_t what)
{
	struct gnttab_cache_flush arg = {
	    .a.dev_bus_addr = address, .offset = offset, .length = length, .op = what};

	return op(GNTTABOP_cache_flush, &arg, 1);
}

static void cache_flushes(void)
{
	void *page = page_alloc();
	uint64_t address = virt_to_machine(page);

	EXPECT(flush(address, 0, 64, GNTTAB_CACHE_CLEAN), 0);
	EXPECT(flush(address, 0, 4096, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL), 0);
	EXPECT(flush(address, 64, 0, GNTTAB_CACHE_INVAL), 0);
	EXPECT(flush(address, 0, 64, GNTTAB_CACHE_INVAL), -EOPNOTSUPP);
	EXPECT(flush(address, 0, 4097, GNTTAB_CACHE_CLEAN), -EINVAL);
	EXPECT(flush(address, 4096, 1, GNTTAB_CACHE_CLEAN), -EINVAL);
	EXPECT(flush(address, 4000, 97, GNTTAB_CACHE_CLEAN), -EINVAL);
	EXPECT(flush(address, 0, 0, GNTTAB_CACHE_CLEAN), 0);
	EXPECT(flush(address, 0, 64, 0), 0);
	EXPECT(flush(address, 0, 64, 4), -EINVAL);
	EXPECT(flush(0xfffffffff000, 0, 64, GNTTAB_CACHE_CLEAN), -EINVAL);
	EXPECT(flush(0x210000, 0, 64, GNTTAB_CACHE_CLEAN), -EPERM);
	EXPECT(flush(1, 0, 64, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_SOURCE_GREF), -EINVAL);
	page_free(page);
}

static long acquire(domid_t domid, unsigned int id, uint64_t frame, unsigned int nr,
		    xen_pfn_t *list)
{
	struct xen_mem_acquire_resource arg = {.domid = domid,
					       .type = XENMEM_resource_grant_table,
					       .id = id,
					       .nr_frames = nr,
					       .frame = frame};

	set_xen_guest_handle(arg.frame_list, list);
	return hypercall_memory_op(XENMEM_acquire_resource, &arg);
}

/* It is for the tools of others' domains, of which there is none here. */
static void resources(void)
{
	xen_pfn_t list[4] = {0};

	EXPECT(acquire(DOMID_SELF, XENMEM_resource_grant_table_id_shared, 0, 1, list), -ESRCH);
	EXPECT(acquire(NO_DOMAIN, XENMEM_resource_grant_table_id_shared, 0, 1, list), -ESRCH);
	EXPECT(acquire(self, XENMEM_resource_grant_table_id_shared, 0, 1, list), -EPERM);
	EXPECT(acquire(NO_DOMAIN, 2, 0, 1, list), -ESRCH);
}

/* ---- version 2 ---- */

static union grant_entry_v2 *v2;
static grant_status_t *status;

static long set_version(uint32_t version, uint32_t *now)
{
	struct gnttab_set_version arg = {.version = version};
	long result = op(GNTTABOP_set_version, &arg, 1);

	*now = arg.version;
	return result;
}

static void set_versions(void)
{
	void *page = page_alloc();
	unsigned long at = hole();
	uint32_t now;
	grant_handle_t handle;

	EXPECT(set_version(0, &now), -EINVAL);
	EXPECT(set_version(3, &now), -EINVAL);
	EXPECT(set_version(1, &now), 0);
	EXPECT(now, 1);
	grant(1, self, virt_to_mfn(page), GTF_permit_access | GTF_readonly);
	grant(40, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(40, at, GNTMAP_host_map, &handle), GNTST_okay);
	EXPECT(set_version(2, &now), -EBUSY);
	EXPECT(now, 1);
	EXPECT(unmap(at, handle), GNTST_okay);
	EXPECT(op(GNTTABOP_set_version, NULL, 1), -EFAULT);
	EXPECT(set_version(2, &now), 0);
	EXPECT(now, 2);
	v2 = (union grant_entry_v2 *)v1;
	EXPECT(v2[1].hdr.flags, GTF_permit_access | GTF_readonly);
	EXPECT(v2[1].hdr.domid, self);
	EXPECT(v2[1].full_page.frame, virt_to_mfn(page));
	for (unsigned int i = 8; i < 256; i++)
		EXPECT(v2[i].hdr.flags, 0);
	EXPECT(set_version(2, &now), 0);
	EXPECT(now, 2);
	page_free(page);
}

static void status_frames(void)
{
	xen_pfn_t list[9] = {0};
	struct gnttab_get_status_frames arg = {.dom = DOMID_SELF, .nr_frames = 1, .status = 99};

	set_xen_guest_handle(arg.frame_list, list);
	EXPECT(op(GNTTABOP_get_status_frames, &arg, 1), 0);
	EXPECT(arg.status, GNTST_okay);
	EXPECT_TRUE(list[0]);
	status = frames_map(list[0], 1, PTE_DATA, DOMID_SELF, NULL);
	if (!EXPECT_TRUE(status))
		status = frames_map(list[0], 1, PTE_READ_ONLY, DOMID_SELF, NULL);
	EXPECT_TRUE(status);
	arg.nr_frames = 2;
	EXPECT(op(GNTTABOP_get_status_frames, &arg, 1), 0);
	EXPECT(arg.status, GNTST_general_error);
	arg.nr_frames = 1;
	arg.dom = NO_DOMAIN;
	EXPECT(op(GNTTABOP_get_status_frames, &arg, 1), 0);
	EXPECT(arg.status, GNTST_bad_domain);
	arg.dom = DOMID_SELF;
	set_xen_guest_handle(arg.frame_list, (uint64_t *)NOT_MAPPED);
	EXPECT(op(GNTTABOP_get_status_frames, &arg, 1), 0);
	EXPECT(arg.status, GNTST_bad_virt_addr);
}

static void grant2(grant_ref_t ref, unsigned long mfn, uint16_t flags)
{
	v2[ref].full_page.pad0 = 0;
	v2[ref].full_page.frame = mfn;
	v2[ref].hdr.domid = self;
	__atomic_store_n(&v2[ref].hdr.flags, flags, __ATOMIC_SEQ_CST);
}

static void map_v2(void)
{
	uint64_t *page = page_alloc();
	unsigned long at = hole(), other = hole();
	grant_handle_t handle, second;

	page[0] = 9;
	grant2(50, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(50, at, GNTMAP_host_map, &handle), GNTST_okay);
	EXPECT(v2[50].hdr.flags, GTF_permit_access);
	EXPECT(status[50], GTF_reading | GTF_writing);
	EXPECT(map(50, other, GNTMAP_host_map | GNTMAP_readonly, &second), GNTST_okay);
	EXPECT(*(uint64_t *)at, 9);
	EXPECT(unmap(at, handle), GNTST_okay);
	EXPECT(status[50], GTF_reading);
	EXPECT(unmap(other, second), GNTST_okay);
	EXPECT(status[50], 0);
	grant2(50, virt_to_mfn(page), GTF_permit_access | GTF_readonly);
	EXPECT(map(50, at, GNTMAP_host_map, &handle), GNTST_general_error);
	EXPECT(status[50], 0);
	/* Half the entries that version 1 has. */
	EXPECT(map(3 * 256, at, GNTMAP_host_map, NULL), GNTST_bad_gntref);
	EXPECT(map(3 * 256 - 1, at, GNTMAP_host_map, NULL), GNTST_general_error);
	/* A part of a page can't be mapped, nor can what is another's. */
	grant2(50, virt_to_mfn(page), GTF_permit_access | GTF_sub_page);
	EXPECT(map(50, at, GNTMAP_host_map, NULL), GNTST_general_error);
	grant2(50, virt_to_mfn(page), GTF_transitive);
	EXPECT(map(50, at, GNTMAP_host_map, NULL), GNTST_general_error);
	EXPECT(status[50], 0);
	grant2(50, 0, 0);
	page_free(page);
}

static void copy_v2(void)
{
	unsigned char *from = page_alloc(), *to = page_alloc();

	memset(from, 5, PAGE_SIZE);
	grant2(51, virt_to_mfn(from), GTF_permit_access | GTF_sub_page);
	v2[51].sub_page.page_off = 100;
	v2[51].sub_page.length = 50;
	EXPECT(copy(by_ref(51, 100), by_frame(to, 0), 50, GNTCOPY_source_gref), GNTST_okay);
	EXPECT(to[49], 5);
	EXPECT(to[50], 0);
	EXPECT(copy(by_ref(51, 99), by_frame(to, 0), 2, GNTCOPY_source_gref), GNTST_general_error);
	EXPECT(copy(by_ref(51, 149), by_frame(to, 0), 2, GNTCOPY_source_gref), GNTST_general_error);
	EXPECT(copy(by_frame(to, 0), by_ref(51, 149), 1, GNTCOPY_dest_gref), GNTST_okay);
	v2[51].sub_page.page_off = 4000;
	v2[51].sub_page.length = 5000;
	EXPECT(copy(by_ref(51, 4000), by_frame(to, 0), 96, GNTCOPY_source_gref), GNTST_okay);
	EXPECT(status[51], 0);
	grant2(51, virt_to_mfn(from), GTF_permit_access);
	EXPECT(copy(by_ref(51, 0), by_frame(to, 0), PAGE_SIZE, GNTCOPY_source_gref), GNTST_okay);
	EXPECT(to[4095], 5);
	EXPECT(copy(by_frame(from, 0), by_ref(51, 0), PAGE_SIZE, GNTCOPY_dest_gref), GNTST_okay);
	EXPECT(status[51], 0);
	/* What is granted on must be another domain's. */
	grant2(52, 0, GTF_transitive);
	v2[52].transitive.trans_domid = self;
	v2[52].transitive.gref = 51;
	memset(to, 0, PAGE_SIZE);
	EXPECT(copy(by_ref(52, 0), by_frame(to, 0), 10, GNTCOPY_source_gref), GNTST_general_error);
	EXPECT(to[0], 0);
	EXPECT(copy(by_frame(to, 0), by_ref(52, 0), 10, GNTCOPY_dest_gref), GNTST_general_error);
	v2[52].transitive.gref = 52;
	EXPECT(copy(by_ref(52, 0), by_frame(to, 0), 10, GNTCOPY_source_gref), GNTST_general_error);
	v2[52].transitive.gref = ~0u;
	EXPECT(copy(by_ref(52, 0), by_frame(to, 0), 10, GNTCOPY_source_gref), GNTST_general_error);
	v2[52].transitive.trans_domid = NO_DOMAIN;
	EXPECT(copy(by_ref(52, 0), by_frame(to, 0), 10, GNTCOPY_source_gref), GNTST_general_error);
	EXPECT(status[51], 0);
	EXPECT(status[52], 0);
	grant2(51, 0, 0);
	grant2(52, 0, 0);
	page_free(from);
	page_free(to);
}

static void swap_v2(void)
{
	grant2(60, 1, GTF_accept_transfer);
	grant2(61, 2, GTF_permit_access);
	EXPECT(swap(60, 61), GNTST_okay);
	EXPECT(v2[60].full_page.frame, 2);
	EXPECT(v2[61].hdr.flags, GTF_accept_transfer);
	grant2(60, 0, 0);
	grant2(61, 0, 0);
}

static void back_to_v1(void)
{
	uint32_t now;

	/* While the status is mapped it stays. */
	EXPECT(set_version(1, &now), -EBUSY);
	if (status)
		frames_unmap(status, 1);
	EXPECT(set_version(1, &now), 0);
	EXPECT(now, 1);
	EXPECT(v1[1].flags, GTF_permit_access | GTF_readonly);
	for (unsigned int i = 8; i < 512; i++)
		EXPECT(v1[i].flags, 0);
	grant(1, 0, 0, 0);
	map_writable();
}

/* The guest writes the entry itself: the mapping is gone, the grant is in use for good. */
static void overwritten(void)
{
	uint64_t *page = page_alloc();
	unsigned long at = hole();
	grant_handle_t handle;

	grant(70, self, virt_to_mfn(page), GTF_permit_access);
	EXPECT(map(70, at, GNTMAP_host_map, &handle), GNTST_okay);
	EXPECT(page_set((void *)at, 0), 0);
	EXPECT(v1[70].flags, GTF_permit_access | GTF_reading | GTF_writing);
	EXPECT(unmap(at, handle), GNTST_general_error);
	EXPECT(v1[70].flags, GTF_permit_access | GTF_reading | GTF_writing);
	/* Put back as it was, it can be unmapped. */
	EXPECT(page_set((void *)at, pte_make(virt_to_mfn(page), PTE_DATA | PTE_US)), 0);
	EXPECT(unmap(at, handle), GNTST_okay);
	EXPECT(v1[70].flags, GTF_permit_access);
	grant(70, 0, 0, 0);
	page_free(page);
}

static void grow(void)
{
	EXPECT(setup(DOMID_SELF, MAX_FRAMES, frames), GNTST_okay);
	EXPECT(query(DOMID_SELF).nr_frames, MAX_FRAMES);
	for (unsigned int i = 1; i < MAX_FRAMES; i++)
		EXPECT_TRUE(frames[i] && frames[i] != frames[i - 1]);
	EXPECT(map(MAX_FRAMES * 512 - 1, hole(), GNTMAP_host_map, NULL), GNTST_general_error);
	EXPECT(map(MAX_FRAMES * 512, hole(), GNTMAP_host_map, NULL), GNTST_bad_gntref);
}

/* ---- several vCPUs ---- */

#define RACERS	   4
#define RACE_SLOTS 4
#define RACE_REF   200

static struct {
	void *page;			  /* granted to us by RACE_REF + slot */
	unsigned long place[RACERS];	  /* where each vCPU maps it */
	volatile uint32_t handle[RACERS]; /* plus 1; 0: not mapped */
} race[RACE_SLOTS];
static volatile unsigned int maps, unmaps, arrived, racing;
static unsigned long rounds;

static int quiet_unmap(unsigned long at, grant_handle_t handle)
{
	struct gnttab_unmap_grant_ref arg = {.host_addr = at, .handle = handle, .status = 99};

	return op(GNTTABOP_unmap_grant_ref, &arg, 1) ? 99 : arg.status;
}

/* Map one at our place, or unmap one that we or another vCPU mapped: then both may try. */
static void map_or_unmap(unsigned int vcpu, uint64_t *state)
{
	unsigned int slot = test_random(state) % RACE_SLOTS;
	unsigned int whose = test_random(state) % 2 ? vcpu : test_random(state) % RACERS;
	uint32_t handle = race[slot].handle[whose];

	if (handle) {
		if (quiet_unmap(race[slot].place[whose], handle - 1) == 0) {
			__atomic_fetch_add(&unmaps, 1, __ATOMIC_SEQ_CST);
			__atomic_compare_exchange_n(&race[slot].handle[whose], &handle, 0, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		}
	} else if (whose == vcpu) {
		struct gnttab_map_grant_ref arg = {.host_addr = race[slot].place[vcpu],
						   .flags = GNTMAP_host_map,
						   .ref = RACE_REF + slot,
						   .dom = self};

		if (test_random(state) % 2)
			arg.flags |= GNTMAP_readonly;
		if (op(GNTTABOP_map_grant_ref, &arg, 1) || arg.status)
			return;
		__atomic_fetch_add(&maps, 1, __ATOMIC_SEQ_CST);
		race[slot].handle[vcpu] = arg.handle + 1;
	}
}

/* Take the grant back as the public header says, or give it again. */
static void revoke_or_grant(uint64_t *state)
{
	struct grant_entry_v1 *e = &v1[RACE_REF + test_random(state) % RACE_SLOTS];
	uint16_t flags = e->flags;

	if (!(flags & (GTF_reading | GTF_writing)))
		__atomic_compare_exchange_n(&e->flags, &flags, flags ? 0 : GTF_permit_access, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void race_on(unsigned int vcpu)
{
	uint64_t state = 0x9e3779b97f4a7c15 * (vcpu + 1);
	static struct gnttab_copy copies[RACERS];

	for (unsigned long i = 0; i < rounds; i++) {
		if (i % 4 == 0)
			revoke_or_grant(&state);
		if (i % 8 == 0) {
			copies[vcpu] =
			    (struct gnttab_copy){.source = by_ref(RACE_REF + i / 8 % RACE_SLOTS, 0),
						 .dest = by_ref(RACE_REF, 2048),
						 .len = 64,
						 .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
			op(GNTTABOP_copy, &copies[vcpu], 1);
		}
		map_or_unmap(vcpu, &state);
	}
}

static void race_elsewhere(void *argument)
{
	race_on((unsigned long)argument);
	__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
	while (racing)
		cpu_relax();
	for (;;)
		hypercall_vcpu_op(VCPUOP_down, (unsigned long)argument, NULL);
}

/* A vCPU that was late may have unmapped by an old handle what another had mapped at that place. */
static void clean_up(unsigned int slot, unsigned int vcpu)
{
	uint32_t handle = race[slot].handle[vcpu];
	unsigned long at = race[slot].place[vcpu];
	uint64_t entry = pte_make(virt_to_mfn(race[slot].page), PTE_READ_ONLY | PTE_US);

	if (!handle)
		return;
	for (unsigned int try = 0; try < 3; try++) {
		int result = quiet_unmap(at, handle - 1);

		unmaps += result == 0;
		if (result != GNTST_general_error)
			break;
		EXPECT(page_set((void *)at, try ? entry | PTE_RW : entry), 0);
	}
	page_set((void *)at, 0);
}

static void races(void)
{
	unsigned int count = vcpu_count();

	if (count > RACERS)
		count = RACERS;
	if (count < 2) {
		test_skip("one vCPU only");
		return;
	}
	rounds = test_argument("rounds", 20000);
	for (unsigned int slot = 0; slot < RACE_SLOTS; slot++) {
		race[slot].page = page_alloc();
		for (unsigned int vcpu = 0; vcpu < RACERS; vcpu++)
			race[slot].place[vcpu] = hole();
		grant(RACE_REF + slot, self, virt_to_mfn(race[slot].page), GTF_permit_access);
	}
	racing = 1;
	for (unsigned long vcpu = 1; vcpu < count; vcpu++)
		EXPECT(vcpu_start(vcpu, race_elsewhere, (void *)vcpu, test_stack()), 0);
	race_on(0);
	while (arrived != count - 1)
		cpu_relax();
	for (unsigned int slot = 0; slot < RACE_SLOTS; slot++)
		for (unsigned int vcpu = 0; vcpu < RACERS; vcpu++)
			clean_up(slot, vcpu);
	racing = 0;
	printk("%u maps\n", maps);
	/* Each mapping was taken away once, and nothing is in use. */
	EXPECT(unmaps, maps);
	for (unsigned int slot = 0; slot < RACE_SLOTS; slot++) {
		EXPECT(v1[RACE_REF + slot].flags & (GTF_reading | GTF_writing), 0);
		EXPECT(page_read_only(race[slot].page), 0);
		memset(v1 + RACE_REF + slot, 0, sizeof(*v1));
	}
}

/* For the audit that follows: a mapping, one of which the entry is gone, and a device's. */
static void left_in_use(void)
{
	unsigned long at = hole();

	grant(80, self, virt_to_mfn(page_alloc()), GTF_permit_access);
	EXPECT(map(80, hole(), GNTMAP_host_map, NULL), GNTST_okay);
	EXPECT(map(80, hole(), GNTMAP_host_map | GNTMAP_readonly, NULL), GNTST_okay);
	grant(81, self, virt_to_mfn(page_alloc()), GTF_permit_access | GTF_readonly);
	EXPECT(map(81, at, GNTMAP_host_map | GNTMAP_readonly, NULL), GNTST_okay);
	EXPECT(page_set((void *)at, 0), 0);
	grant(82, self, virt_to_mfn(page_alloc()), GTF_permit_access);
	EXPECT(map(82, 0, GNTMAP_device_map, NULL), GNTST_okay);
}

static const struct test tests[] = {
    {"sizes", sizes},
    {"set-up", set_up},
    {"commands", commands},
    {"versions", versions},
    {"status-frames-of-version-1", status_frames_v1},
    {"map-read-only", map_read_only},
    {"map-writable", map_writable},
    {"map-often", map_often},
    {"map-refused", map_refused},
    {"map-flags", map_flags},
    {"map-bad-address", map_bad_address},
    {"map-over", map_over},
    {"map-entry", map_entry},
    {"unmap-refused", unmap_refused},
    {"revoked", revoked},
    {"batches", batches},
    {"replace", replace},
    {"copies", copies},
    {"copy-refused", copy_refused},
    {"copy-batch", copy_batch},
    {"swaps", swaps},
    {"transfers", transfers},
    {"transfer-to-self", transfer_to_self},
    {"cache-flushes", cache_flushes},
    {"resources", resources},
    {"overwritten", overwritten},
    {"set-versions", set_versions},
    {"status-frames", status_frames},
    {"map-v2", map_v2},
    {"copy-v2", copy_v2},
    {"swap-v2", swap_v2},
    {"back-to-v1", back_to_v1},
    {"grow", grow},
    {"races", races},
    {"left-in-use", left_in_use},
};

void guest_main(void)
{
	/* dom0, wherever it runs as a test guest. */
	self = 0;
	test_main("grants", tests, COUNT_OF(tests));
}
