/* SPDX-License-Identifier: MIT */
/* Grants between two domains: mapped, copied, transferred, in both directions and versions; and the death of either. */
#include "../child.h"
#include "../twin.h"
#include <public/grant_table.h>

#define PAGES 4
#define HOLES 4

static struct twin twin;

/* ---- in either domain: a table, pages to grant, places to map at ---- */

static struct grant_entry_v1 *v1;
static union grant_entry_v2 *v2;
static grant_status_t *status_words;
static unsigned char *page[PAGES];
static void *hole[HOLES]; /* pages of our own that are not mapped */
static grant_handle_t handle[HOLES];

static long op(unsigned int cmd, void *arg)
{
	return hypercall_grant_table_op(cmd, arg, 1);
}

static uint64_t entry_of(const void *va)
{
	uint64_t where = 0;

	page_walk(page_root, (unsigned long)va, NULL, &where);
	return where;
}

/* Once in each domain. */
static long prepare(long a, long b, long c, long d)
{
	xen_pfn_t frame;
	struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
	long rc;

	setup.frame_list.p = &frame;
	rc = op(GNTTABOP_setup_table, &setup);
	if (rc || setup.status)
		return rc ?: setup.status;
	v1 = frames_map(frame, 1, PTE_DATA, DOMID_SELF, NULL);
	v2 = (union grant_entry_v2 *)v1;
	for (unsigned int i = 0; i < PAGES; i++)
		page[i] = page_alloc();
	for (unsigned int i = 0; i < HOLES; i++) {
		hole[i] = page_alloc();
		rc = rc ?: page_set(hole[i], 0);
	}
	return rc;
}

static long grant(long ref, long domain, long n, long flags)
{
	v1[ref].domid = (domid_t)domain;
	v1[ref].frame = (uint32_t)virt_to_mfn(page[n]);
	__atomic_store_n(&v1[ref].flags, (uint16_t)flags, __ATOMIC_SEQ_CST);
	return 0;
}

static long flags_of(long ref, long b, long c, long d)
{
	return v1[ref].flags;
}

static long map(long ref, long domain, long n, long flags)
{
	struct gnttab_map_grant_ref m = {.host_addr = (uint64_t)hole[n],
					 .ref = (grant_ref_t)ref,
					 .dom = (domid_t)domain,
					 .flags = (uint32_t)flags,
					 .status = 99};
	long rc = op(GNTTABOP_map_grant_ref, &m);

	handle[n] = m.handle;
	return rc ?: m.status;
}

static long unmap(long n, long dev_bus_addr, long c, long d)
{
	struct gnttab_unmap_grant_ref u = {.host_addr = (uint64_t)hole[n],
					   .dev_bus_addr = (uint64_t)dev_bus_addr,
					   .handle = handle[n],
					   .status = 99};
	long rc = op(GNTTABOP_unmap_grant_ref, &u);

	return rc ?: u.status;
}

static long write_hole(long n, long at, long value, long d)
{
	((volatile unsigned char *)hole[n])[at] = (unsigned char)value;
	return 0;
}

static long read_hole(long n, long at, long c, long d)
{
	return ((volatile unsigned char *)hole[n])[at];
}

static long write_page(long n, long at, long value, long d)
{
	page[n][at] = (unsigned char)value;
	return 0;
}

static long read_page(long n, long at, long c, long d)
{
	return ((volatile unsigned char *)page[n])[at];
}

/* A page that is to be no page any more: granted, it may still be used. */
static long pin_page(long n, long b, long c, long d)
{
	long rc = page_read_only(page[n]);

	rc = rc ?: page_pin(page[n], 1);
	return rc;
}

static long unpin_page(long n, long b, long c, long d)
{
	return page_unpin(page[n]) ?: page_writable(page[n]);
}

static long give_up_page(long n, long b, long c, long d)
{
	xen_pfn_t list[1] = {virt_to_mfn(page[n])};
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
	long rc = page_set(page[n], 0);

	r.extent_start.p = list;
	return rc ?: hypercall_memory_op(XENMEM_decrease_reservation, &r);
}

/* from and to: (domain, reference) or own page, as flags say; offset 8 here and 16 there. */
static long copy(long from_domain, long from, long to_domain, long to)
{
	struct gnttab_copy c = {.len = 4, .status = 99};

	c.source.domid = (domid_t)from_domain;
	c.dest.domid = (domid_t)to_domain;
	c.source.offset = 8;
	c.dest.offset = 16;
	if (from_domain != DOMID_SELF) {
		c.flags |= GNTCOPY_source_gref;
		c.source.u.ref = (grant_ref_t)from;
	} else {
		c.source.u.gmfn = virt_to_mfn(page[from]);
	}
	if (to_domain != DOMID_SELF) {
		c.flags |= GNTCOPY_dest_gref;
		c.dest.u.ref = (grant_ref_t)to;
	} else {
		c.dest.u.gmfn = virt_to_mfn(page[to]);
	}
	return op(GNTTABOP_copy, &c) ?: c.status;
}

static long set_version(long version, long b, long c, long d)
{
	struct gnttab_set_version s = {.version = (uint32_t)version};
	struct gnttab_get_status_frames get = {.dom = DOMID_SELF, .nr_frames = 1};
	xen_pfn_t frame;
	long rc;

	if (status_words)
		frames_unmap(status_words, 1);
	status_words = NULL;
	rc = op(GNTTABOP_set_version, &s);
	if (rc || version != 2)
		return rc;
	get.frame_list.p = &frame;
	rc = op(GNTTABOP_get_status_frames, &get);
	if (!rc && !get.status)
		status_words = frames_map(frame, 1, PTE_DATA, DOMID_SELF, NULL);
	return rc ?: get.status;
}

/* A part of a page, 4 bytes from offset 8 on; or, length 0, all of it. */
static long grant_v2(long ref, long domain, long n, long flags_and_length)
{
	long length = flags_and_length >> 16;

	v2[ref].full_page.hdr.domid = (domid_t)domain;
	v2[ref].full_page.frame = virt_to_mfn(page[n]);
	if (length) {
		v2[ref].sub_page.page_off = 8;
		v2[ref].sub_page.length = (uint16_t)length;
	}
	__atomic_store_n(&v2[ref].hdr.flags,
			 (uint16_t)((flags_and_length & 0xffff) | (length ? GTF_sub_page : 0)),
			 __ATOMIC_SEQ_CST);
	return 0;
}

static long grant_on(long ref, long domain, long their_domain, long their_ref)
{
	memset(&v2[ref], 0, sizeof(v2[ref]));
	v2[ref].hdr.domid = (domid_t)domain;
	v2[ref].transitive.trans_domid = (domid_t)their_domain;
	v2[ref].transitive.gref = (grant_ref_t)their_ref;
	__atomic_store_n(&v2[ref].hdr.flags, GTF_transitive, __ATOMIC_SEQ_CST);
	return 0;
}

static long status_word(long ref, long b, long c, long d)
{
	return status_words[ref];
}

/* Give page n to the domain; it is ours no more. */
static long transfer(long n, long domain, long ref, long d)
{
	struct gnttab_transfer t = {.mfn = virt_to_mfn(page[n]),
				    .domid = (domid_t)domain,
				    .ref = (grant_ref_t)ref,
				    .status = 99};
	long rc = page_set(page[n], 0);

	return rc ?: op(GNTTABOP_transfer, &t) ?: t.status;
}

/* Accept one, and when it is there map it: its first byte, or -flags. */
static long accept(long ref, long domain, long c, long d)
{
	v1[ref].domid = (domid_t)domain;
	v1[ref].frame = 0;
	__atomic_store_n(&v1[ref].flags, GTF_accept_transfer, __ATOMIC_SEQ_CST);
	return 0;
}

static long accepted(long ref, long b, long c, long d)
{
	volatile unsigned char *p;
	long first;

	if (!(v1[ref].flags & GTF_transfer_completed))
		return -v1[ref].flags;
	p = frames_map(v1[ref].frame, 1, PTE_DATA, DOMID_SELF, NULL);
	first = p ? p[0] : -1;
	if (p)
		frames_unmap((void *)p, 1);
	return first;
}

static long its_free_page(long n, long b, long c, long d)
{
	page[n] = page_alloc();
	page[n][0] = (unsigned char)b;
	return 0;
}

/* ---- tests ---- */

#define CALL(function, a, b, c, d) twin_call(&twin, function, a, b, c, d)
#define RW			   GNTMAP_host_map
#define RO			   (GNTMAP_host_map | GNTMAP_readonly)

static void begin(void)
{
	twin_make(&twin);
	EXPECT(CALL(prepare, 0, 0, 0, 0), 0);
}

static void end(void)
{
	EXPECT(twin_destroy(&twin, true), 0);
}

static void mapped_here(void)
{
	begin();
	CALL(grant, 9, 0, 0, GTF_permit_access);
	EXPECT(map(9, twin.id, 0, RW), GNTST_okay);
	write_hole(0, 5, 0x21, 0);
	EXPECT(CALL(read_page, 0, 5, 0, 0), 0x21);
	CALL(write_page, 0, 6, 0x22, 0);
	EXPECT(read_hole(0, 6, 0, 0), 0x22);
	EXPECT(CALL(flags_of, 9, 0, 0, 0), GTF_permit_access | GTF_reading | GTF_writing);
	EXPECT(map(9, twin.id, 1, RO), GNTST_okay);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	EXPECT(CALL(flags_of, 9, 0, 0, 0), GTF_permit_access | GTF_reading);
	EXPECT(unmap(1, 0, 0, 0), GNTST_okay);
	EXPECT(unmap(1, 0, 0, 0), GNTST_bad_handle);
	EXPECT(CALL(flags_of, 9, 0, 0, 0), GTF_permit_access);
	/* Not for us, for reading only, not at all. */
	CALL(grant, 9, 77, 0, GTF_permit_access);
	EXPECT(map(9, twin.id, 0, RW), GNTST_general_error);
	CALL(grant, 9, 0, 0, GTF_permit_access | GTF_readonly);
	EXPECT(map(9, twin.id, 0, RW), GNTST_general_error);
	EXPECT(map(9, twin.id, 0, RO), GNTST_okay);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	CALL(grant, 9, 0, 0, 0);
	EXPECT(map(9, twin.id, 0, RO), GNTST_general_error);
	EXPECT(map(1 << 20, twin.id, 0, RO), GNTST_bad_gntref);
	EXPECT(map(9, 4242, 0, RO), GNTST_bad_domain);
	end();
}

static void mapped_there(void)
{
	begin();
	grant(9, twin.id, 0, GTF_permit_access);
	EXPECT(CALL(map, 9, 0, 0, RW), GNTST_okay);
	CALL(write_hole, 0, 5, 0x31, 0);
	EXPECT(read_page(0, 5, 0, 0), 0x31);
	/* What it was not granted it has no way to. */
	grant(10, 77, 1, GTF_permit_access);
	EXPECT(CALL(map, 10, 0, 1, RW), GNTST_general_error);
	EXPECT(CALL(unmap, 0, 0, 0, 0), GNTST_okay);
	EXPECT(flags_of(9, 0, 0, 0), GTF_permit_access);
	grant(9, 0, 0, 0);
	EXPECT(CALL(map, 9, 0, 0, RW), GNTST_general_error);
	end();
}

/* The entry is changed behind the grant's back: the frame stays the user's until it is put right. */
static void overwritten(void)
{
	unsigned long frame;
	uint64_t entry;

	begin();
	CALL(grant, 9, 0, 0, GTF_permit_access);
	EXPECT(map(9, twin.id, 0, RW), GNTST_okay);
	entry = page_lookup((unsigned long)hole[0]);
	frame = pte_mfn(entry);
	EXPECT(test_mmu_update(entry_of(hole[0]), 0), 0);
	EXPECT(unmap(0, 0, 0, 0), GNTST_general_error);
	EXPECT(CALL(flags_of, 9, 0, 0, 0), GTF_permit_access | GTF_reading | GTF_writing);
	/* We are privileged, so we can put it back ourselves. */
	EXPECT_REFUSED(test_mmu_update(entry_of(hole[0]), pte_make(frame, PTE_DATA)));
	EXPECT(twin_mmu_update(twin.id, entry_of(hole[0]), pte_make(frame, PTE_DATA)), 0);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	EXPECT(CALL(flags_of, 9, 0, 0, 0), GTF_permit_access);
	end();
}

/* No table while somebody may write to it, and nobody may once it is one. */
static void no_tables(void)
{
	begin();
	CALL(grant, 9, 0, 1, GTF_permit_access);
	EXPECT(map(9, twin.id, 0, RW), GNTST_okay);
	EXPECT_REFUSED(CALL(pin_page, 1, 0, 0, 0));
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	EXPECT(CALL(pin_page, 1, 0, 0, 0), 0);
	EXPECT_TRUE(map(9, twin.id, 0, RW) < 0);
	EXPECT(map(9, twin.id, 0, RO), GNTST_okay);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	EXPECT(CALL(unpin_page, 1, 0, 0, 0), 0);
	EXPECT(map(9, twin.id, 0, RW), GNTST_okay);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	end();
}

static void given_up_while_mapped(void)
{
	struct xen_domctl_getdomaininfo info;

	begin();
	CALL(write_page, 2, 0, 0x41, 0);
	CALL(grant, 9, 0, 2, GTF_permit_access);
	EXPECT(map(9, twin.id, 0, RW), GNTST_okay);
	EXPECT(CALL(give_up_page, 2, 0, 0, 0), 1);
	EXPECT(read_hole(0, 0, 0, 0), 0x41);
	EXPECT_TRUE(twin_exists(twin.id, &info));
	EXPECT(info.tot_pages, twin.pages);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	EXPECT_TRUE(twin_exists(twin.id, &info));
	EXPECT(info.tot_pages, twin.pages - 1);
	EXPECT_TRUE(map(9, twin.id, 0, RW) < 0);
	end();
}

static void devices(void)
{
	struct gnttab_map_grant_ref m = {
	    .host_addr = (uint64_t)hole[0], .ref = 9, .flags = GNTMAP_host_map | GNTMAP_device_map};

	begin();
	m.dom = twin.id;
	CALL(grant, 9, 0, 0, GTF_permit_access);
	EXPECT(op(GNTTABOP_map_grant_ref, &m), 0);
	EXPECT(m.status, GNTST_okay);
	EXPECT(m.dev_bus_addr >> PAGE_SHIFT, pte_mfn(page_lookup((unsigned long)hole[0])));
	handle[0] = m.handle;
	/* The processor's mapping goes, the device's stays. */
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	EXPECT(CALL(flags_of, 9, 0, 0, 0), GTF_permit_access | GTF_reading | GTF_writing);
	EXPECT_REFUSED(CALL(pin_page, 0, 0, 0, 0));
	{
		struct gnttab_unmap_grant_ref u = {.dev_bus_addr = m.dev_bus_addr,
						   .handle = m.handle};

		EXPECT(op(GNTTABOP_unmap_grant_ref, &u), 0);
		EXPECT(u.status, GNTST_okay);
	}
	EXPECT(CALL(flags_of, 9, 0, 0, 0), GTF_permit_access);
	end();
}

static void copies(void)
{
	begin();
	CALL(write_page, 0, 8, 0x51, 0);
	CALL(grant, 9, 0, 0, GTF_permit_access | GTF_readonly);
	CALL(grant, 10, 0, 1, GTF_permit_access);
	EXPECT(copy(twin.id, 9, DOMID_SELF, 0), GNTST_okay);
	EXPECT(page[0][16], 0x51);
	page[1][8] = 0x52;
	EXPECT(copy(DOMID_SELF, 1, twin.id, 10), GNTST_okay);
	EXPECT(CALL(read_page, 1, 16, 0, 0), 0x52);
	EXPECT(copy(twin.id, 9, twin.id, 10), GNTST_okay);
	EXPECT(CALL(read_page, 1, 16, 0, 0), 0x51);
	EXPECT(copy(DOMID_SELF, 1, twin.id, 9), GNTST_general_error);
	EXPECT(copy(4242, 9, DOMID_SELF, 0), GNTST_bad_domain);
	EXPECT(CALL(flags_of, 9, 0, 0, 0), GTF_permit_access | GTF_readonly);
	/* The other way. */
	grant(9, twin.id, 1, GTF_permit_access | GTF_readonly);
	EXPECT(CALL(copy, 0, 9, DOMID_SELF, 1), GNTST_okay);
	EXPECT(CALL(read_page, 1, 16, 0, 0), 0x52);
	EXPECT(CALL(copy, DOMID_SELF, 1, 0, 9), GNTST_general_error);
	EXPECT(CALL(copy, 0, 11, DOMID_SELF, 1), GNTST_general_error);
	grant(9, 0, 0, 0);
	end();
}

static void version_2(void)
{
	struct xen_mem_acquire_resource r = {.type = XENMEM_resource_grant_table,
					     .id = XENMEM_resource_grant_table_id_status,
					     .nr_frames = 1};
	xen_pfn_t frame;
	volatile grant_status_t *seen;

	begin();
	EXPECT(CALL(set_version, 2, 0, 0, 0), 0);
	CALL(grant_v2, 9, 0, 0, GTF_permit_access);
	r.domid = twin.id;
	r.frame_list.p = &frame;
	EXPECT(hypercall_memory_op(XENMEM_acquire_resource, &r), 0);
	seen = frames_map(frame, 1, PTE_READ_ONLY, twin.id, NULL);
	EXPECT(map(9, twin.id, 0, RW), GNTST_okay);
	EXPECT(CALL(status_word, 9, 0, 0, 0), GTF_reading | GTF_writing);
	EXPECT(seen[9], GTF_reading | GTF_writing);
	EXPECT(CALL(set_version, 1, 0, 0, 0), -EBUSY);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	EXPECT(seen[9], 0);
	/* Its status words are in use here, so they stay. */
	EXPECT(CALL(set_version, 1, 0, 0, 0), -EBUSY);
	frames_unmap((void *)seen, 1);
	EXPECT(CALL(set_version, 2, 0, 0, 0), 0);
	/* A part of a page is copied, within its bounds, and not mapped. */
	CALL(write_page, 0, 8, 0x61, 0);
	CALL(grant_v2, 10, 0, 0, GTF_permit_access | 4 << 16);
	EXPECT(map(10, twin.id, 0, RO), GNTST_general_error);
	EXPECT(copy(twin.id, 10, DOMID_SELF, 0), GNTST_okay);
	EXPECT(page[0][16], 0x61);
	CALL(grant_v2, 10, 0, 0, GTF_permit_access | 3 << 16);
	EXPECT(copy(twin.id, 10, DOMID_SELF, 0), GNTST_general_error);
	/* What we granted to it, it grants back to us: for copies. */
	page[3][8] = 0x62;
	grant(20, twin.id, 3, GTF_permit_access | GTF_readonly);
	CALL(grant_on, 11, 0, 0, 20);
	EXPECT(copy(twin.id, 11, DOMID_SELF, 0), GNTST_okay);
	EXPECT(page[0][16], 0x62);
	EXPECT(copy(DOMID_SELF, 0, twin.id, 11), GNTST_general_error);
	EXPECT(map(11, twin.id, 0, RO), GNTST_general_error);
	/* Not what is its own, nor what is granted to somebody else. */
	CALL(grant_on, 11, 0, twin.id, 9);
	EXPECT(copy(twin.id, 11, DOMID_SELF, 0), GNTST_general_error);
	grant(20, 77, 3, GTF_permit_access);
	CALL(grant_on, 11, 0, 0, 20);
	EXPECT(copy(twin.id, 11, DOMID_SELF, 0), GNTST_general_error);
	CALL(grant_on, 11, 0, 4242, 20);
	EXPECT(copy(twin.id, 11, DOMID_SELF, 0), GNTST_general_error);
	EXPECT(CALL(set_version, 1, 0, 0, 0), 0);
	end();
}

static void transfers(void)
{
	struct xen_domctl op_max = {.u.max_mem.max_memkb = (1024 + 8) * 4};
	struct xen_memory_domain self = {DOMID_SELF};
	long pages = hypercall_memory_op(XENMEM_current_reservation, &self);

	begin();
	its_free_page(2, 0x71, 0, 0);
	/* It has no room, and has not said that it would take it: gone all the same. */
	EXPECT(transfer(2, twin.id, 9, 0), GNTST_general_error);
	EXPECT(hypercall_memory_op(XENMEM_current_reservation, &self), pages - 1);
	EXPECT(twin_domctl(XEN_DOMCTL_max_mem, twin.id, &op_max), 0);
	its_free_page(2, 0x72, 0, 0);
	CALL(accept, 9, 0, 0, 0);
	EXPECT(transfer(2, twin.id, 9, 0), GNTST_okay);
	EXPECT(CALL(accepted, 9, 0, 0, 0), 0x72);
	EXPECT(hypercall_memory_op(XENMEM_current_reservation, &self), pages - 2);
	/* And back: we may have as many as we had. */
	CALL(its_free_page, 3, 0x73, 0, 0);
	accept(12, twin.id, 0, 0);
	EXPECT(CALL(transfer, 3, 0, 12, 0), GNTST_okay);
	EXPECT(accepted(12, 0, 0, 0), 0x73);
	EXPECT(hypercall_memory_op(XENMEM_current_reservation, &self), pages - 1);
	/* A page that is granted and mapped does not change hands. */
	CALL(grant, 13, 0, 0, GTF_permit_access);
	EXPECT(map(13, twin.id, 0, RW), GNTST_okay);
	EXPECT(CALL(transfer, 0, 0, 12, 0), GNTST_bad_page);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	end();
}

static void death_of_the_granter(void)
{
	struct xen_domctl_getdomaininfo info;

	begin();
	CALL(write_page, 0, 0, 0x81, 0);
	CALL(grant, 9, 0, 0, GTF_permit_access);
	CALL(grant, 10, 0, 1, GTF_permit_access);
	EXPECT(map(9, twin.id, 0, RW), GNTST_okay);
	EXPECT(map(10, twin.id, 1, RO), GNTST_okay);
	EXPECT(twin_destroy(&twin, false), 0);
	EXPECT_TRUE(twin_exists(twin.id, &info));
	EXPECT_TRUE(info.flags & XEN_DOMINF_dying);
	EXPECT_TRUE(info.tot_pages >= 2);
	EXPECT(read_hole(0, 0, 0, 0), 0x81);
	write_hole(0, 0, 0x82, 0);
	EXPECT_TRUE(map(10, twin.id, 2, RW) < 0);
	EXPECT_TRUE(copy(DOMID_SELF, 0, twin.id, 12) < 0);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	EXPECT_TRUE(twin_exists(twin.id, &info));
	EXPECT(unmap(1, 0, 0, 0), GNTST_okay);
	EXPECT_TRUE(child_wait_gone(twin.id));
	EXPECT(map(9, twin.id, 0, RW), GNTST_bad_domain);
}

static void death_of_the_user(void)
{
	begin();
	grant(9, twin.id, 0, GTF_permit_access);
	grant(10, twin.id, 1, GTF_permit_access | GTF_readonly);
	EXPECT(CALL(map, 9, 0, 0, RW), GNTST_okay);
	EXPECT(CALL(map, 9, 0, 1, RW | GNTMAP_device_map), GNTST_okay);
	EXPECT(CALL(map, 10, 0, 2, RO), GNTST_okay);
	EXPECT(flags_of(9, 0, 0, 0), GTF_permit_access | GTF_reading | GTF_writing);
	EXPECT(set_version(2, 0, 0, 0), -EBUSY);
	end();
	EXPECT(flags_of(9, 0, 0, 0), GTF_permit_access);
	EXPECT(flags_of(10, 0, 0, 0), GTF_permit_access | GTF_readonly);
	/* The pages are ours alone again. */
	EXPECT(pin_page(0, 0, 0, 0), 0);
	EXPECT(unpin_page(0, 0, 0, 0), 0);
	EXPECT(set_version(2, 0, 0, 0), 0);
	EXPECT(set_version(1, 0, 0, 0), 0);
}

/* Both at once: it dies with what it maps of ours, we hold what it grants. */
static void death_of_both_kinds(void)
{
	begin();
	grant(9, twin.id, 0, GTF_permit_access);
	EXPECT(CALL(map, 9, 0, 0, RW), GNTST_okay);
	CALL(grant, 9, 0, 0, GTF_permit_access);
	EXPECT(map(9, twin.id, 0, RW), GNTST_okay);
	EXPECT(CALL(set_version, 2, 0, 0, 0), -EBUSY);
	EXPECT(twin_destroy(&twin, false), 0);
	EXPECT(flags_of(9, 0, 0, 0), GTF_permit_access);
	EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	EXPECT_TRUE(child_wait_gone(twin.id));
	grant(9, 0, 0, 0);
}

/* ---- races: another vCPU maps and copies while the twin dies ---- */

static volatile bool race_ends;
static volatile unsigned int racing;
static volatile domid_t race_domain;
static volatile unsigned long race_maps, race_copies;

static void race_on_vcpu(void *unused)
{
	racing = 1;
	while (!race_ends) {
		domid_t domain = race_domain;
		bool mapped = map(9, domain, 0, race_maps & 1 ? RW : RO) == 0;

		race_copies += copy(domain, 10, DOMID_SELF, 0) == 0;
		if (!mapped)
			continue;
		race_maps++;
		write_hole(1, 0, 0, 0);
		EXPECT(unmap(0, 0, 0, 0), GNTST_okay);
	}
	racing = 0;
	hypercall_vcpu_op(VCPUOP_down, 1, NULL);
}

static void races_with_death(void)
{
	unsigned long rounds = test_argument("rounds", 30);

	if (hypercall_vcpu_op(VCPUOP_is_up, 1, NULL) < 0) {
		test_skip("one vCPU");
		return;
	}
	race_domain = DOMID_IO;
	EXPECT(page_set(hole[1], pte_make(virt_to_mfn(hole[1]), PTE_DATA)), 0);
	if (!EXPECT(vcpu_start(1, race_on_vcpu, NULL, test_stack()), 0))
		return;
	for (unsigned long i = 0; i < rounds; i++) {
		unsigned long before = race_maps;
		uint64_t end = clock_now() + NSEC_PER_SEC;

		begin();
		CALL(grant, 9, 0, 0, GTF_permit_access);
		CALL(grant, 10, 0, 1, GTF_permit_access);
		race_domain = twin.id;
		while (race_maps == before && clock_now() < end)
			cpu_relax();
		EXPECT(twin_destroy(&twin, false), 0);
	}
	race_ends = true;
	while (racing)
		cpu_relax();
	printk("%lu mappings and %lu copies meanwhile\n", race_maps, race_copies);
	EXPECT_TRUE(race_maps >= rounds);
}

static uint64_t at_start;

static void nothing_is_lost(void)
{
	EXPECT_TRUE(free_bytes_again(at_start));
}

static const struct test tests[] = {
    {"mapped here", mapped_here},
    {"mapped there", mapped_there},
    {"overwritten", overwritten},
    {"no tables", no_tables},
    {"given up while mapped", given_up_while_mapped},
    {"devices", devices},
    {"copies", copies},
    {"version 2", version_2},
    {"death of the granter", death_of_the_granter},
    {"death of the user", death_of_the_user},
    {"death of both kinds", death_of_both_kinds},
    {"races with death", races_with_death},
    {"nothing is lost", nothing_is_lost},
    {"transfers", transfers},
};

void guest_main(void)
{
	if (!is_initial_domain())
		twin_main();
	if (prepare(0, 0, 0, 0))
		panic("no grant table");
	/* Handles and the second version's frames stay once they were made. */
	map(9, 0, 0, RW);
	set_version(2, 0, 0, 0);
	set_version(1, 0, 0, 0);
	grant(9, 0, 0, GTF_permit_access);
	map(9, 0, 0, RW);
	unmap(0, 0, 0, 0);
	at_start = free_bytes();
	test_main("grants-two", tests, COUNT_OF(tests));
}
