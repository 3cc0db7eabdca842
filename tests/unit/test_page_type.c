/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/page_type.c hypervisor/mm/alloc.c hypervisor/mm/frame.c hypervisor/mm/mmu.c hypervisor/mm/memory_op.c hypervisor/mm/descriptor.c hypervisor/mm/relinquish.c hypervisor/mm/audit.c hypervisor/mm/range_set.c
// flags: -DMM_BUDGET=700 -DFRAMES_PER_CALL=200
/* Page types: single rules by name, then random lives of a guest against the model (mm_model.h). */
#include "unit.h"
#include "mm_model.h"

static uint64_t seed;

static unsigned int pick(unsigned int n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)((seed >> 33) % n);
}

static int start(void **state)
{
	model_start(false);
	fake_preempt = NULL;
	return 0;
}

static int stop(void **state)
{
	check_model();
	model_end();
	return 0;
}

#define L4   pool[0]
#define L3   pool[1]
#define L2   pool[2]
#define L1   pool[3]
#define DATA pool[4]

/* One of each, mapping the data page at entry 5 of all. */
static void build(void)
{
	page(L4)[5] = pte(L3, RW);
	page(L3)[5] = pte(L2, RW);
	page(L2)[5] = pte(L1, RW);
	page(L1)[5] = pte(DATA, RW);
	page(DATA)[0] = ~0UL; /* so that it is no table */
}

static long pin(mfn_t mfn, unsigned int level)
{
	return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn, 0);
}

static long unpin(mfn_t mfn)
{
	return mmuext(MMUEXT_UNPIN_TABLE, mfn, 0);
}

static void pin_and_unpin(void **state)
{
	build();
	assert_int_equal(pin(L4, 4), 0);
	check_model();
	assert_int_equal(state_type(fr(L1)->state), PT_L1);
	assert_int_equal(state_type_refs(fr(DATA)->state), 1);
	assert_true(page(L4)[300] == 0 && page(L4)[256] == fake_root[256] &&
		    page(L4)[271] == fake_root[271]);
	assert_int_equal(pin(L4, 4), -EINVAL); /* twice */
	assert_int_equal(unpin(L3), -EINVAL);  /* in use, but not pinned */
	assert_int_equal(unpin(L4), 0);
	assert_int_equal(unpin(L4), -EINVAL);
	for (unsigned int i = 256; i < 272; i++)
		assert_int_equal(page(L4)[i], 0);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(state_type_refs(fr(pool[i])->state), 0);
}

static void wrong_levels(void **state)
{
	build();
	for (unsigned int i = 0; i < 4; i++)
		for (unsigned int level = 1; level <= 4; level++)
			if (level > 4 - i)
				assert_int_equal(pin(pool[i], level), -EINVAL);
	/* An L4 as an L1 table that maps the L3 writable: nothing is wrong with that yet. */
	assert_int_equal(pin(L4, 1), 0);
	assert_int_equal(pin(L3, 3), -EINVAL);
	assert_int_equal(pin(L4, 4), -EINVAL);
	assert_int_equal(unpin(L4), 0);
	assert_int_equal(pin(L4, 4), 0);
}

/* Every bit of an entry, in a table of every level, by validation and by update: the same verdict. */
static void every_bit(void **state)
{
	build();
	for (unsigned int level = 1; level <= 4; level++) {
		mfn_t table = pool[4 - level];
		uint64_t entry = page(table)[5];

		for (unsigned int bit = 0; bit < 64; bit++) {
			uint64_t val = entry ^ 1UL << bit;
			bool address = bit >= 12 && bit < 52;
			long pinned, updated;

			page(table)[5] = val;
			pinned = pin(table, level);
			if (!pinned)
				assert_int_equal(unpin(table), 0);
			page(table)[5] = entry;
			assert_int_equal(pin(table, level), 0);
			updated = mmu_update(table << 12 | 40, val, DOMID_SELF);
			check_model();
			if (!address)
				assert_int_equal(!pinned, !updated);
			if (bit >= 40 && bit < 52)
				assert_int_not_equal(pinned, 0);
			else if ((bit == 7 || bit == 8) && level > 1)
				assert_int_not_equal(pinned, 0);
			else if (!address)
				assert_int_equal(pinned, 0);
			assert_int_equal(unpin(table), 0);
			page(table)[5] = entry;
		}
	}
}

static void no_nx_without_nx(void **state)
{
	cpu_features.nx = false;
	frame_masks_init();
	build();
	page(L1)[5] |= PTE_NX;
	assert_int_equal(pin(L1, 1), -EINVAL);
	page(L1)[5] &= ~PTE_NX;
	page(L2)[5] |= PTE_NX;
	assert_int_equal(pin(L2, 2), -EINVAL);
}

static void linear_tables_are_refused(void **state)
{
	build();
	for (unsigned int level = 2; level <= 4; level++) {
		mfn_t table = pool[4 - level];
		uint64_t was = page(table)[7];

		page(table)[7] = pte(table, RO);
		assert_int_equal(pin(table, level), -EINVAL);
		page(table)[7] = was;
		assert_int_equal(pin(table, level), 0);
		assert_int_equal(mmu_update(table << 12 | 56, pte(table, RO), DOMID_SELF), -EINVAL);
		assert_int_equal(unpin(table), 0);
	}
	/* A level-1 table may map itself and other tables, but not writable. */
	page(L1)[7] = pte(L1, RO);
	page(L1)[8] = pte(L4, RO);
	assert_int_equal(pin(L4, 4), 0);
	assert_int_equal(mmu_update(L1 << 12 | 56, pte(L1, RW), DOMID_SELF), -EBUSY);
	assert_int_equal(mmu_update(L1 << 12 | 64, pte(L4, RW), DOMID_SELF), -EBUSY);
}

static void hypervisor_slots(void **state)
{
	build();
	page(L4)[256] = pte(L3, RW);
	page(L4)[271] = ~0UL;
	assert_int_equal(pin(L4, 4), 0);
	assert_int_equal(page(L4)[256], fake_root[256]);
	for (unsigned int i = 255; i <= 272; i++)
		assert_int_equal(mmu_update(L4 << 12 | i * 8, pte(L3, RW), DOMID_SELF),
				 i == 255 || i == 272 ? 0 : -EINVAL);
	assert_int_equal(mmu_update(L4 << 12 | 256 * 8, 0, DOMID_SELF), -EINVAL);
}

/* A table that is released and used again for data, then by somebody else: flushed in between. */
static void flushes(void **state)
{
	build();
	assert_int_equal(pin(L4, 4), 0);
	assert_int_equal(unpin(L4), 0);
	/* One flush serves all tables that were given up before it. */
	fake_flushes = 0;
	page(L1)[6] = pte(L4, RW);
	page(L1)[7] = pte(L3, RW);
	page(L1)[8] = pte(L2, RW);
	assert_int_equal(pin(L1, 1), 0);
	assert_int_equal(fake_flushes, 1);
	/* Writable pages become tables. */
	assert_int_equal(unpin(L1), 0);
	page(L1)[6] = page(L1)[7] = page(L1)[8] = 0;
	fake_flushes = 0;
	assert_int_equal(pin(L4, 4), 0);
	assert_int_equal(fake_flushes, 1);
}

static void counts_that_are_full(void **state)
{
	uint64_t was;

	build();
	assert_int_equal(pin(L1, 1), 0);
	was = fr(DATA)->state;
	fr(DATA)->state = was + ((1UL << 25) - state_refs(was));
	assert_int_equal(mmu_update(L1 << 12, pte(DATA, RO), DOMID_SELF), -EINVAL);
	assert_false(get_frame(DATA, &guest));
	fr(DATA)->state = was + (FRAME_TYPE_REF << 25);
	assert_int_equal(mmu_update(L1 << 12, pte(DATA, RW), DOMID_SELF), -EBUSY);
	fr(DATA)->state = was;
	was = fr(L1)->state;
	fr(L1)->state = was + (FRAME_TYPE_REF << 25);
	assert_int_equal(mmu_update(L2 << 12, pte(L1, RW), DOMID_SELF), 0); /* no table: memory */
	assert_int_equal(pin(L2, 2), -EINVAL);
	fr(L1)->state = was;
}

static bool preempt_always(void)
{
	return true;
}

/* Wide tables: the first pin is left half-way; everything that could meet it meets it. */
static void build_wide(void)
{
	build();
	for (unsigned int i = 0; i < 8; i++) {
		page(L2)[10 + i] = pte(pool[10 + i], RW);
		page(pool[10 + i])[i] = pte(DATA, RW);
	}
}

static long start_pin(mfn_t mfn, unsigned int level)
{
	struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE + level - 1};

	op.arg1.mfn = mfn;
	return do_mmuext_op((vaddr_t)&op, 1, 0, DOMID_SELF);
}

static void preempted_validation(void **state)
{
	struct mmu_update req = {L4 << 12, 0};
	struct mmuext_op unpin_op = {.cmd = MMUEXT_UNPIN_TABLE};

	build_wide();
	fake_preempt = preempt_always;
	assert_int_equal(start_pin(L4, 4), CONTINUED);
	check_model();
	assert_true(fr(L4)->state & FRAME_PARTIAL);
	assert_true(fr(L2)->state & FRAME_PARTIAL);
	assert_int_equal(state_type_refs(fr(L4)->state), 0);
	/* Nobody may write to it, nor change its entries. */
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, DOMID_SELF), -EBUSY);
	assert_int_equal(get_frame_and_type(L4, &guest, PT_WRITABLE), -EINVAL);
	assert_int_equal(unpin(L4), -EINVAL);
	/* It goes on and ends. */
	assert_int_equal(pin(L4, 4), 0);
	check_model();
	/* The release as well: the pin stays until all is undone, and can be revived. */
	unpin_op.arg1.mfn = L4;
	assert_int_equal(do_mmuext_op((vaddr_t)&unpin_op, 1, 0, DOMID_SELF), CONTINUED);
	check_model();
	assert_true(fr(L4)->state & FRAME_PINNED);
	assert_true(fr(L4)->state & FRAME_PARTIAL);
	assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, L4, 0), 0);
	check_model();
	assert_int_equal(unpin(L4), 0);
	assert_int_equal(state_type_refs(fr(L4)->state), 1);
}

static void preempted_failure(void **state)
{
	build_wide();
	page(L2)[100] = pte(L3, RW); /* no level-1 table */
	fake_preempt = preempt_always;
	assert_int_equal(pin(L4, 4), -EINVAL);
	check_model();
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(state_type_refs(fr(pool[i])->state), 0);
	assert_false(fr(L4)->state & FRAME_PARTIAL);
	page(L2)[100] = 0;
	assert_int_equal(pin(L4, 4), 0);
}

/* What is left half-way gives way to another type, and to the end of the domain. */
static void abandoned_validation(void **state)
{
	build_wide();
	fake_preempt = preempt_always;
	assert_int_equal(start_pin(L4, 4), CONTINUED);
	assert_int_equal(pin(L2, 1), 0);
	check_model();
	assert_int_equal(state_type(fr(L2)->state), PT_L1);
	assert_int_equal(pin(L4, 4), -EINVAL);
	assert_int_equal(unpin(L2), 0);
	assert_int_equal(start_pin(L4, 4), CONTINUED);
}

/* A frame that is given up while it is in use is freed by its last user. */
static void freed_by_last_user(void **state)
{
	uint64_t extent = L1, before = guest.mm.tot_pages;
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

	build();
	assert_int_equal(pin(L4, 4), 0);
	r.extent_start.p = &extent;
	assert_int_equal(do_memory_op(XENMEM_decrease_reservation, (vaddr_t)&r), 1);
	check_model();
	assert_int_equal(guest.mm.tot_pages, before);
	assert_int_equal(do_memory_op(XENMEM_decrease_reservation, (vaddr_t)&r), 0);
	extent = DATA;
	assert_int_equal(do_memory_op(XENMEM_decrease_reservation, (vaddr_t)&r), 1);
	assert_int_equal(unpin(L4), 0);
	assert_int_equal(guest.mm.tot_pages, before - 2);
	assert_true(fr(L1)->state & FRAME_FREE);
	assert_true(fr(DATA)->state & FRAME_FREE);
}

static void shared_frames(void **state)
{
	mfn_t page_rw = alloc_frames(0, ALLOC_ZERO), page_ro = alloc_frames(0, ALLOC_ZERO);
	uint64_t pages = guest.mm.tot_pages;

	assert_int_equal(mmu_update(L1 << 12, 0, DOMID_SELF), 0);
	assert_int_equal(share_frame_with_domain(page_rw, &guest, true), 0);
	assert_int_equal(share_frame_with_domain(page_ro, &guest, false), 0);
	assert_int_equal(share_frame_with_domain(L1, &guest, true), -EINVAL);
	assert_int_equal(pin(L1, 1), 0);
	assert_int_equal(mmu_update(L1 << 12, pte(page_rw, RW), DOMID_SELF), 0);
	assert_int_equal(mmu_update(L1 << 12 | 8, pte(page_ro, RO), DOMID_SELF), 0);
	assert_int_equal(mmu_update(L1 << 12 | 16, pte(page_ro, RW), DOMID_SELF), -EBUSY);
	check_model();
	assert_int_equal(pin(page_rw, 1), -EINVAL);
	assert_int_equal(guest.mm.tot_pages, pages);
	unshare_frame(page_rw, &guest);
	unshare_frame(page_ro, &guest);
	check_model();
	assert_int_equal(unpin(L1), 0);
	assert_true(fr(page_rw)->state & FRAME_FREE);
	assert_true(fr(page_ro)->state & FRAME_FREE);
	assert_int_equal(guest.mm.tot_pages, pages);
}

static void roots(void **state)
{
	build();
	vcpu.pv.kernel_mode = true;
	assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, L3, 0), -EINVAL);
	assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, L4, 0), 0);
	assert_int_equal(mmuext(MMUEXT_NEW_USER_BASEPTR, L4, 0), 0);
	assert_int_equal(state_type_refs(fr(L4)->state), 2);
	assert_int_equal(guest_walk(&vcpu, 5UL << 39 | 5UL << 30 | 5UL << 21 | 5UL << 12),
			 pte(DATA, RW));
	assert_int_equal(guest_walk(&vcpu, 5UL << 39 | 5UL << 30), 0);
	assert_int_equal(guest_walk(&vcpu, 0xffff800000000000UL), 0);
	assert_int_equal(mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
	assert_int_equal(vcpu.user_root, INVALID_MFN);
	assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, 0, 0), -EINVAL);
	drop_vcpu_roots(&vcpu);
	assert_int_equal(fr(L4)->state & FRAME_TYPE_REFS, 0);
}

static void random_lives(void **state)
{
	for (unsigned int life = 0; life < 24; life++) {
		seed = life;
		model_start(life & 1);
		for (unsigned int i = 0; i < 1200; i++) {
			one_operation();
			check_model();
			if (i % 256 == 0 && mm_audit()) {
				fake_loud = true;
				mm_audit();
				fail();
			}
		}
		model_end();
		assert_int_equal(mm_audit(), 0);
	}
}

/* The audit finds what the counts lie about. */
static void audit_finds(void **state)
{
	build();
	assert_int_equal(pin(L4, 4), 0);
	assert_int_equal(mm_audit(), 0);
	fr(DATA)->state += FRAME_REF;
	assert_int_equal(mm_audit(), 1);
	fr(DATA)->state += FRAME_TYPE_REF - FRAME_REF;
	assert_int_equal(mm_audit(), 1);
	fr(DATA)->state -= FRAME_TYPE_REF;
	page(L4)[260]++;
	assert_int_equal(mm_audit(), 1);
	page(L4)[260]--;
	page(L1)[9] = pte(L2, RW); /* a table that is mapped writable */
	assert_true(mm_audit() >= 3);
	page(L1)[9] = 0;
	guest.mm.tot_pages++;
	assert_int_equal(mm_audit(), 1);
	guest.mm.tot_pages--;
	assert_int_equal(mm_audit(), 0);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, start, stop)
	const struct CMUnitTest tests[] = {
	    TEST(pin_and_unpin),
	    TEST(wrong_levels),
	    TEST(every_bit),
	    TEST(no_nx_without_nx),
	    TEST(linear_tables_are_refused),
	    TEST(hypervisor_slots),
	    TEST(flushes),
	    TEST(counts_that_are_full),
	    TEST(preempted_validation),
	    TEST(preempted_failure),
	    TEST(abandoned_validation),
	    TEST(freed_by_last_user),
	    TEST(shared_frames),
	    TEST(roots),
	    TEST(audit_finds),
	    cmocka_unit_test(random_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
