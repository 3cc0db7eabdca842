/* SPDX-License-Identifier: MIT */
// sources: hypervisor/grant/entry.c hypervisor/grant/table.c hypervisor/grant/map.c hypervisor/grant/copy.c hypervisor/grant/transfer.c hypervisor/grant/op.c hypervisor/mm/page_type.c hypervisor/mm/alloc.c hypervisor/mm/frame.c hypervisor/mm/mmu.c hypervisor/mm/memory_op.c hypervisor/mm/descriptor.c hypervisor/mm/relinquish.c hypervisor/mm/range_set.c
/*
 * Grants between two domains, A (side 0) and B: single rules by name, then random lives of both against the model
 * (grant_model.h). What a domain can see of it alone is tested by the guest tests/guests/grants.
 */
#include "unit.h"
#include "grant_model.h"

static uint64_t seed;

static unsigned int pick(unsigned int n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)((seed >> 33) % n);
}

static int start(void **state)
{
	model_start();
	return 0;
}

static int stop(void **state)
{
	check_model();
	model_end();
	return 0;
}

#define A	       0
#define B	       1
#define FRAME(n, i)    (sides[n].pool[i])
#define VA(slot)       ((uint64_t)(slot) << 12)
#define ENTRY(n, slot) (l1_of(&sides[n])[slot])

static void grant(unsigned int n, grant_ref_t ref, mfn_t mfn, uint16_t flags)
{
	*v1_of(n, ref) = (struct grant_entry_v1){flags, sides[!n].d->id, (uint32_t)mfn};
}

static int map(unsigned int user, grant_ref_t ref, unsigned int slot, uint32_t flags,
	       grant_handle_t *handle)
{
	struct gnttab_map_grant_ref op = {.host_addr = VA(slot), .flags = flags, .ref = ref};
	int status = model_map(user, !user, &op);

	*handle = op.handle;
	check_model();
	return status;
}

static int unmap(unsigned int user, unsigned int slot, grant_handle_t handle)
{
	struct gnttab_unmap_grant_ref op = {.host_addr = VA(slot), .handle = handle};
	int status = model_unmap(user, &op);

	check_model();
	return status;
}

static long update(unsigned int n, unsigned int slot, uint64_t val)
{
	struct mmu_update req = {sides[n].l1 << 12 | slot * 8, val};
	unsigned int done;

	become(&sides[n]);
	return finish_hypercall(do_mmu_update((vaddr_t)&req, 1, (vaddr_t)&done, DOMID_SELF));
}

static long pin_l1(unsigned int n, mfn_t mfn)
{
	struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = mfn};

	become(&sides[n]);
	return finish_hypercall(do_mmuext_op((vaddr_t)&op, 1, 0, DOMID_SELF));
}

/* A foreign mapping can neither be copied nor widened by the guest, only dropped; that leaves the grant in use. */
static void entries_of_others(void **state)
{
	mfn_t mfn = FRAME(A, 0);
	grant_handle_t handle;

	assert_int_not_equal(update(B, 3, pte(mfn, RO)), 0);
	grant(A, 5, mfn, GTF_permit_access | GTF_readonly);
	assert_int_equal(map(B, 5, 1, GNTMAP_host_map, &handle), GNTST_general_error);
	assert_int_equal(map(A, 5, 1, GNTMAP_host_map | GNTMAP_readonly, &handle),
			 GNTST_general_error);
	grant(A, 5, mfn, GTF_permit_access);
	assert_int_equal(map(B, 5, 1, GNTMAP_host_map | GNTMAP_readonly, &handle), 0);
	assert_int_equal(ENTRY(B, 1) & PTE_RW, 0);
	assert_int_not_equal(update(B, 2, ENTRY(B, 1)), 0);
	assert_int_not_equal(update(B, 1, ENTRY(B, 1) | PTE_RW), 0);
	assert_int_equal(update(B, 1, ENTRY(B, 1) & ~(uint64_t)PTE_DIRTY), 0);
	check_model();
	assert_int_equal(update(B, 1, 0), 0);
	check_model();
	assert_int_equal(v1_of(A, 5)->flags, GTF_permit_access | GTF_reading);
	assert_int_equal(unmap(B, 1, handle), GNTST_general_error);
	/* Nor can it be put back, so the grant stays in use until B is gone. */
	assert_int_not_equal(update(B, 1, pte(mfn, RO)), 0);
}

/* What B can still write to, be it by an old translation, A cannot make a page table. */
static void types(void **state)
{
	mfn_t mfn = FRAME(A, 0);
	grant_handle_t handle, second;

	grant(A, 5, mfn, GTF_permit_access);
	assert_int_equal(map(B, 5, 1, GNTMAP_host_map, &handle), 0);
	assert_int_equal(map(B, 5, 2, GNTMAP_host_map | GNTMAP_readonly, &second), 0);
	assert_int_equal(pin_l1(A, mfn), -EINVAL);
	assert_int_equal(update(B, 1, 0), 0);
	assert_int_equal(pin_l1(A, mfn), -EINVAL);
	check_model();
	/* Not by the entry, but by another of the same kind. */
	grant(A, 6, mfn, GTF_permit_access);
	assert_int_equal(map(B, 6, 1, GNTMAP_host_map, &handle), 0);
	fake_flushes = 0;
	assert_int_equal(unmap(B, 1, handle), 0);
	assert_int_equal(fake_flushes, 1);
	assert_int_equal(v1_of(A, 6)->flags, GTF_permit_access);
	assert_int_equal(pin_l1(A, mfn), -EINVAL);
	assert_int_equal(unmap(B, 2, second), 0);
	assert_int_equal(v1_of(A, 5)->flags, GTF_permit_access | GTF_reading | GTF_writing);
}

/* The last use for writing ends, those for reading go on: then the frame may be a table. */
static void readers_of_a_table(void **state)
{
	mfn_t mfn = FRAME(A, 0);
	grant_handle_t reader, writer;

	grant(A, 5, mfn, GTF_permit_access);
	assert_int_equal(map(B, 5, 1, GNTMAP_host_map | GNTMAP_readonly, &reader), 0);
	assert_int_equal(map(B, 5, 2, GNTMAP_host_map, &writer), 0);
	assert_int_equal(v1_of(A, 5)->flags, GTF_permit_access | GTF_reading | GTF_writing);
	assert_int_equal(unmap(B, 2, writer), 0);
	assert_int_equal(v1_of(A, 5)->flags, GTF_permit_access | GTF_reading);
	assert_int_equal(pin_l1(A, mfn), 0);
	assert_int_equal(map(B, 5, 2, GNTMAP_host_map, &writer), GNTST_general_error);
	assert_int_equal(v1_of(A, 5)->flags, GTF_permit_access | GTF_reading);
	assert_int_equal(unmap(B, 1, reader), 0);
	assert_int_equal(v1_of(A, 5)->flags, GTF_permit_access);
	assert_int_equal(unpin_table(sides[A].d, mfn), 0);
}

/* A gives the frame away while B has it mapped: it stays until B lets it go. */
static void given_up(void **state)
{
	uint64_t mfn = FRAME(A, 0), pages = sides[A].d->mm.tot_pages;
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
	grant_handle_t handle;

	grant(A, 5, mfn, GTF_permit_access);
	assert_int_equal(map(B, 5, 1, GNTMAP_host_map, &handle), 0);
	become(&sides[A]);
	r.extent_start.p = &mfn;
	assert_int_equal(do_memory_op(XENMEM_decrease_reservation, (vaddr_t)&r), 1);
	check_model();
	assert_false(fr(mfn)->state & FRAME_FREE);
	assert_int_equal(unmap(B, 1, handle), 0);
	assert_true(fr(mfn)->state & FRAME_FREE);
	assert_int_equal(sides[A].d->mm.tot_pages, pages - 1);
	/* Nor can it be granted any more. */
	assert_int_equal(map(B, 5, 1, GNTMAP_host_map, &handle), GNTST_bad_page);
}

static int copy(unsigned int n, struct gnttab_copy op)
{
	become(&sides[n]);
	op.status = 99;
	assert_int_equal(grant_op(GNTTABOP_copy, &op, 1), 0);
	check_model();
	return op.status;
}

static struct gnttab_copy from_grant(grant_ref_t ref, unsigned int offset, mfn_t to,
				     unsigned int len)
{
	return (struct gnttab_copy){
	    .source = {.u.ref = ref, .domid = sides[A].d->id, .offset = (uint16_t)offset},
	    .dest = {.u.gmfn = to, .domid = DOMID_SELF},
	    .len = (uint16_t)len,
	    .flags = GNTCOPY_source_gref};
}

static void copies(void **state)
{
	memset(page(FRAME(A, 0)), 0x55, PAGE_SIZE);
	grant(A, 5, FRAME(A, 0), GTF_permit_access | GTF_readonly);
	assert_int_equal(copy(B, from_grant(5, 0, FRAME(B, 0), PAGE_SIZE)), 0);
	assert_memory_equal(page(FRAME(A, 0)), page(FRAME(B, 0)), PAGE_SIZE);
	assert_int_equal(v1_of(A, 5)->flags, GTF_permit_access | GTF_readonly);
	/* A's frame by its number is none of B's; A's grant is not for A. */
	assert_int_equal(copy(B, from_grant(5, 0, FRAME(A, 1), 8)), GNTST_bad_page);
	assert_int_equal(copy(A, from_grant(5, 0, FRAME(A, 1), 8)), GNTST_general_error);
	assert_int_equal(page(FRAME(A, 1))[0], 0);
}

/* A list whose elements share ends: each is judged for itself, and in the end nothing is in use. */
static void copies_in_a_row(void **state)
{
	struct gnttab_copy list[70];
	uint8_t *from = (uint8_t *)page(FRAME(A, 0)), *to = (uint8_t *)page(FRAME(A, 1));

	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		from[i] = (uint8_t)(i * 7 + (i >> 8));
	grant(A, 5, FRAME(A, 0), GTF_permit_access | GTF_readonly);
	grant(A, 6, FRAME(A, 1), GTF_permit_access);
	for (unsigned int i = 0; i < 70; i++) {
		unsigned int at = i * 50;

		list[i] = from_grant(5, at, 6, 50);
		list[i].dest.domid = sides[A].d->id;
		list[i].dest.offset = (uint16_t)at;
		list[i].flags |= GNTCOPY_dest_gref;
		list[i].status = 99;
	}
	list[3].source.u.ref = 6; /* within a page */
	list[7].dest.u.ref = 5;	  /* for reading only */
	list[8].dest.u.ref = 7;	  /* not granted */
	list[9].source.domid = DOMID_SELF;
	list[10].source.offset = PAGE_SIZE - 49;
	list[11].source.domid = 77;
	list[12].flags = GNTCOPY_dest_gref; /* a frame of A's, by its number */
	become(&sides[B]);
	assert_int_equal(grant_op(GNTTABOP_copy, list, 70), 0);
	check_model();
	for (unsigned int i = 0; i < 70; i++) {
		static const int16_t bad[] = {GNTST_general_error, GNTST_general_error,
					      GNTST_general_error, GNTST_bad_copy_arg,
					      GNTST_bad_domain,	   GNTST_permission_denied};

		if (i >= 7 && i <= 12) {
			assert_int_equal(list[i].status, bad[i - 7]);
			continue;
		}
		assert_int_equal(list[i].status, GNTST_okay);
		if (i != 3)
			assert_memory_equal(to + i * 50, from + i * 50, 50);
	}
	assert_int_equal(v1_of(A, 5)->flags, GTF_permit_access | GTF_readonly);
	assert_int_equal(v1_of(A, 6)->flags, GTF_permit_access);
}

static void set_version(unsigned int n, unsigned int version)
{
	struct gnttab_set_version op = {version};

	become(&sides[n]);
	assert_int_equal(grant_op(GNTTABOP_set_version, &op, 1), 0);
	assert_int_equal(op.version, version);
}

static void grant_v2(unsigned int n, grant_ref_t ref, mfn_t mfn, uint16_t flags,
		     unsigned int offset, unsigned int length)
{
	union grant_entry_v2 *e = v2_of(n, ref);

	*e = (union grant_entry_v2){
	    .sub_page = {{flags, sides[!n].d->id}, (uint16_t)offset, (uint16_t)length, mfn}};
}

static void parts_of_pages(void **state)
{
	struct gnttab_copy list[3];
	grant_handle_t handle;

	set_version(A, 2);
	memset(page(FRAME(A, 0)), 0x66, PAGE_SIZE);
	grant_v2(A, 5, FRAME(A, 0), GTF_permit_access | GTF_sub_page, 100, 50);
	assert_int_equal(map(B, 5, 1, GNTMAP_host_map | GNTMAP_readonly, &handle),
			 GNTST_general_error);
	assert_int_equal(copy(B, from_grant(5, 100, FRAME(B, 0), 50)), 0);
	assert_int_equal(((char *)page(FRAME(B, 0)))[49], 0x66);
	assert_int_equal(((char *)page(FRAME(B, 0)))[50], 0);
	assert_int_equal(copy(B, from_grant(5, 99, FRAME(B, 1), 50)), GNTST_general_error);
	assert_int_equal(copy(B, from_grant(5, 101, FRAME(B, 1), 50)), GNTST_general_error);
	assert_int_equal(page(FRAME(B, 1))[0], 0);
	assert_int_equal(sides[A].d->grant.status[0][5], 0);
	/* In a list the part is that of each element. */
	list[0] = from_grant(5, 100, FRAME(B, 1), 50);
	list[1] = from_grant(5, 120, FRAME(B, 1), 31);
	list[2] = from_grant(5, 120, FRAME(B, 1), 30);
	assert_int_equal(grant_op(GNTTABOP_copy, list, 3), 0);
	assert_int_equal(list[0].status, GNTST_okay);
	assert_int_equal(list[1].status, GNTST_general_error);
	assert_int_equal(list[2].status, GNTST_okay);
	assert_int_equal(sides[A].d->grant.status[0][5], 0);
}

/* A grants to B what B granted to A. */
static void transitive(void **state)
{
	union grant_entry_v2 *e;

	set_version(A, 2);
	e = v2_of(A, 5);
	memset(page(FRAME(B, 3)), 0x77, PAGE_SIZE);
	grant(B, 6, FRAME(B, 3), GTF_permit_access | GTF_readonly);
	*e = (union grant_entry_v2){
	    .transitive = {{GTF_transitive, sides[B].d->id}, sides[B].d->id, 0, 6}};
	assert_int_equal(copy(B, from_grant(5, 0, FRAME(B, 0), 16)), 0);
	assert_int_equal(((char *)page(FRAME(B, 0)))[15], 0x77);
	assert_int_equal(v1_of(B, 6)->flags, GTF_permit_access | GTF_readonly);
	assert_int_equal(sides[A].d->grant.status[0][5], 0);
	/* Not granted, to A or at all; not back to itself. */
	v1_of(B, 6)->domid = sides[B].d->id;
	assert_int_equal(copy(B, from_grant(5, 0, FRAME(B, 0), 16)), GNTST_general_error);
	e->transitive.gref = 99999;
	assert_int_equal(copy(B, from_grant(5, 0, FRAME(B, 0), 16)), GNTST_general_error);
	e->transitive.trans_domid = sides[A].d->id;
	assert_int_equal(copy(B, from_grant(5, 0, FRAME(B, 0), 16)), GNTST_general_error);
	assert_int_equal(sides[A].d->grant.status[0][5], 0);
}

static void transfers(void **state)
{
	struct gnttab_transfer op = {.mfn = FRAME(A, 0), .domid = sides[B].d->id, .ref = 4};
	uint64_t a = sides[A].d->mm.tot_pages, b = sides[B].d->mm.tot_pages;

	page(op.mfn)[7] = 0x1234;
	grant(B, 4, 0x99, GTF_accept_transfer);
	become(&sides[A]);
	fake_flushes = 0;
	assert_int_equal(grant_op(GNTTABOP_transfer, &op, 1), 0);
	assert_int_equal(op.status, GNTST_okay);
	assert_int_equal(v1_of(B, 4)->flags,
			 GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
	assert_int_equal(v1_of(B, 4)->frame, op.mfn);
	assert_int_equal(fr(op.mfn)->owner, sides[B].d->id);
	assert_int_equal(page(op.mfn)[7], 0x1234);
	assert_int_equal(fake_flushes, 1);
	assert_int_equal(sides[A].d->mm.tot_pages, a - 1);
	assert_int_equal(sides[B].d->mm.tot_pages, b + 1);
	check_model();
	/* It is A's no longer; nobody waits for another, which is lost. */
	assert_int_equal(grant_op(GNTTABOP_transfer, &op, 1), 0);
	assert_int_equal(op.status, GNTST_bad_page);
	op.mfn = FRAME(A, 1);
	assert_int_equal(grant_op(GNTTABOP_transfer, &op, 1), 0);
	assert_int_equal(op.status, GNTST_general_error);
	assert_true(fr(FRAME(A, 1))->state & FRAME_FREE);
}

static bool always(void)
{
	return true;
}

/* Lists go on where they were preempted, and uses have ended by then. */
static void preempted(void **state)
{
	enum { COUNT = 100 };
	static struct gnttab_map_grant_ref in[COUNT];
	static struct gnttab_unmap_grant_ref out[COUNT];

	grant(A, 5, FRAME(A, 0), GTF_permit_access);
	for (unsigned int i = 0; i < COUNT; i++)
		in[i] = (struct gnttab_map_grant_ref){.host_addr = VA(1 + i),
						      .flags = GNTMAP_host_map,
						      .ref = 5,
						      .dom = sides[A].d->id,
						      .status = 99};
	become(&sides[B]);
	fake_preempt = always;
	fake_continuations = 0;
	assert_int_equal(grant_op(GNTTABOP_map_grant_ref, in, COUNT), 0);
	assert_int_equal(fake_continuations, 3);
	for (unsigned int i = 0; i < COUNT; i++) {
		assert_int_equal(in[i].status, 0);
		out[i] = (struct gnttab_unmap_grant_ref){
		    .host_addr = in[i].host_addr, .handle = in[i].handle, .status = 99};
	}
	assert_int_equal(sides[A].d->grant.active[0][5].uses, COUNT);
	fake_continuations = fake_flushes = 0;
	assert_int_equal(grant_op(GNTTABOP_unmap_grant_ref, out, COUNT), 0);
	assert_int_equal(fake_continuations, 3);
	assert_int_equal(fake_flushes, 4);
	for (unsigned int i = 0; i < COUNT; i++)
		assert_int_equal(out[i].status, 0);
	fake_preempt = NULL;
	/* Nothing but errors is work as well. */
	fake_preempt = always;
	fake_continuations = 0;
	assert_int_equal(grant_op(GNTTABOP_unmap_grant_ref, out, COUNT), 0);
	assert_int_equal(fake_continuations, 3);
	fake_preempt = NULL;
}

/* The granter dies first: its frames go with the last use. */
static void granter_dies(void **state)
{
	mfn_t mfn = FRAME(A, 0);
	grant_handle_t handle;

	grant(A, 5, mfn, GTF_permit_access);
	assert_int_equal(map(B, 5, 1, GNTMAP_host_map, &handle), 0);
	sides[A].d->is_dying = true;
	become(&sides[B]);
	while (domain_relinquish_memory(sides[A].d))
		;
	assert_false(fr(mfn)->state & FRAME_FREE);
	assert_int_equal(sides[A].d->mm.tot_pages, 1);
	{
		struct gnttab_unmap_grant_ref op = {.host_addr = VA(1), .handle = handle};

		assert_int_equal(model_unmap(B, &op), 0);
	}
	assert_true(fr(mfn)->state & FRAME_FREE);
	assert_int_equal(sides[A].d->mm.tot_pages, 0);
}

static int stop_unchecked(void **state)
{
	model_end();
	return 0;
}

/* More handles than one frame of records holds, given back and taken again. */
static void many_handles(void **state)
{
	enum { COUNT = 1000 };
	static grant_handle_t handles[COUNT];
	struct gnttab_map_grant_ref op = {
	    .flags = GNTMAP_device_map, .ref = 5, .dom = sides[A].d->id};

	grant(A, 5, FRAME(A, 0), GTF_permit_access);
	become(&sides[B]);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < COUNT; i++) {
			assert_int_equal(grant_op(GNTTABOP_map_grant_ref, &op, 1), 0);
			assert_int_equal(op.status, 0);
			handles[i] = op.handle;
		}
		assert_int_equal(sides[A].d->grant.active[0][5].uses, COUNT);
		assert_int_equal(sides[B].d->grant.nr_mappings, COUNT);
		for (unsigned int i = 0; i < COUNT; i++) {
			struct gnttab_unmap_grant_ref un = {
			    .dev_bus_addr = FRAME(A, 0) << PAGE_SHIFT, .handle = handles[i]};

			assert_int_equal(grant_op(GNTTABOP_unmap_grant_ref, &un, 1), 0);
			assert_int_equal(un.status, 0);
			assert_int_equal(grant_op(GNTTABOP_unmap_grant_ref, &un, 1), 0);
			assert_int_equal(un.status, GNTST_bad_handle);
		}
	}
}

static void random_lives(void **state)
{
	for (unsigned int life = 1; life <= 100; life++) {
		seed = life;
		model_start();
		for (unsigned int i = 0; i < 300; i++) {
			one_operation();
			check_model();
		}
		model_end();
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
	    TEST(entries_of_others),
	    TEST(types),
	    TEST(readers_of_a_table),
	    TEST(given_up),
	    TEST(copies),
	    TEST(copies_in_a_row),
	    TEST(parts_of_pages),
	    TEST(transitive),
	    TEST(transfers),
	    TEST(preempted),
	    cmocka_unit_test_setup_teardown(granter_dies, start, stop_unchecked),
	    TEST(many_handles),
	    cmocka_unit_test(random_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
