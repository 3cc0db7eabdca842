/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/mmu.c hypervisor/mm/page_type.c hypervisor/mm/alloc.c hypervisor/mm/frame.c hypervisor/mm/memory_op.c hypervisor/mm/descriptor.c hypervisor/mm/audit.c hypervisor/mm/relinquish.c hypervisor/mm/range_set.c
// flags: -DMM_BUDGET=700 -DFRAMES_PER_CALL=200
/* What a privileged domain does with the memory of another one, and what an ordinary one may not. */
#include "unit.h"
#include "mm_model.h"

static unsigned int pick(unsigned int n)
{
	static uint64_t seed;

	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)((seed >> 33) % n);
}

/* The caller's tables, with one of level 1; and what the other one is to have. */
#define L4	pool[0]
#define L3	pool[1]
#define L2	pool[2]
#define L1	pool[3]
#define DATA	pool[4]
#define ITS_L4	pool_of_other[0]
#define ITS_L3	pool_of_other[1]
#define ITS_L2	pool_of_other[2]
#define ITS_L1	pool_of_other[3]
#define ITS	pool_of_other[4]
#define ITS_TOO pool_of_other[5]

static bool privileged = true;

static int start(void **state)
{
	model_start(privileged);
	fake_preempt = NULL;
	page(L4)[0] = pte(L3, RW);
	page(L3)[0] = pte(L2, RW);
	page(L2)[1] = pte(L1, RW);
	page(L1)[0] = pte(DATA, RW);
	assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, L4, 0), 0);
	check_model();
	return 0;
}

static int start_plain(void **state)
{
	privileged = false;
	start(state);
	privileged = true;
	return 0;
}

static int stop(void **state)
{
	check_model();
	model_end();
	return 0;
}

static uint64_t l1(unsigned int i)
{
	return L1 << 12 | i * 8;
}

static uint64_t its_l1(unsigned int i)
{
	return ITS_L1 << 12 | i * 8;
}

/* mmuext_op on the other one's behalf. */
static long on_other_one(unsigned int cmd, mfn_t mfn, mfn_t from)
{
	struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};
	unsigned int done;

	op.arg2.src_mfn = from;
	return finish_hypercall(do_mmuext_op((vaddr_t)&op, 1, (vaddr_t)&done, other.id));
}

/* mmu_update of the other one's tables. */
static long its_update(uint64_t ptr, uint64_t val, domid_t frames)
{
	return mmu_update(ptr, val, (other.id + 1U) << 16 | frames);
}

/* As a builder does it: pages mapped, filled with data that are to become tables, unmapped. */
static void build_its_tables(void)
{
	static const unsigned int which[] = {0, 1, 2, 3};

	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(mmu_update(l1(10 + i), pte(pool_of_other[which[i]], RW), other.id),
				 0);
	check_model();
	page(ITS_L4)[0] = pte(ITS_L3, RW);
	page(ITS_L3)[0] = pte(ITS_L2, RW);
	page(ITS_L2)[0] = pte(ITS_L1, RW);
	page(ITS_L1)[0] = pte(ITS, RW);
	page(ITS_L1)[1] = pte(ITS_L1, RO);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(mmu_update(l1(10 + i), 0, DOMID_SELF), 0);
	check_model();
}

static void maps_of_frames(void **state)
{
	uint64_t refs = state_refs(fr(ITS)->state);

	assert_int_equal(mmu_update(l1(5), pte(ITS, RO), other.id), 0);
	assert_int_equal(state_refs(fr(ITS)->state), refs + 1);
	assert_int_equal(state_type_refs(fr(ITS)->state), 0);
	/* As Linux's privcmd asks for it. */
	assert_int_equal(mmu_update(l1(6) | MMU_PT_UPDATE_NO_TRANSLATE, pte(ITS, RW), other.id), 0);
	assert_int_equal(state_refs(fr(ITS)->state), refs + 2);
	assert_int_equal(state_type_refs(fr(ITS)->state), 1);
	check_model();
	/* The owner is the one that is named, and nobody else. */
	assert_int_equal(mmu_update(l1(7), pte(ITS, RO), DOMID_SELF), -EINVAL);
	assert_int_equal(mmu_update(l1(7), pte(ITS, RO), DOMID_IO), -EPERM);
	assert_int_equal(mmu_update(l1(7), pte(DATA, RO), other.id), -EINVAL);
	assert_int_equal(mmu_update(l1(7), pte(3, RO), other.id), -EINVAL);
	assert_int_equal(mmu_update(l1(7), pte(ITS, RO), 4242), -ESRCH);
	/* A device is the caller's to map, not the other one's. */
	assert_int_equal(mmu_update(l1(7), pte(FAKE_RAM + 1, RO), other.id), -EPERM);
	/* Flags change without naming the owner, rights don't. */
	assert_int_equal(mmu_update(l1(5), pte(ITS, RO | PTE_ACCESSED), DOMID_SELF), 0);
	assert_int_equal(mmu_update(l1(5), pte(ITS, RW), DOMID_SELF), -EINVAL);
	assert_int_equal(mmu_update(l1(5), pte(ITS, RW), other.id), 0);
	/* Nor does an entry move without it. */
	assert_int_equal(mmu_update(l1(7), pte(ITS, RW), DOMID_SELF), -EINVAL);
	check_model();
	assert_int_equal(do_update_va_mapping_otherdomain(0x207000, pte(ITS, RW), 0, other.id), 0);
	assert_int_equal(do_update_va_mapping(0x207000, 0, 0), 0);
	/* Only in level 1. */
	assert_int_equal(mmu_update(L2 << 12 | 80, pte(ITS, RW), other.id), -EINVAL);
	assert_int_equal(mmu_update(l1(5), 0, other.id), 0);
	assert_int_equal(mmu_update(l1(6), 0, DOMID_SELF), 0);
	assert_int_equal(state_refs(fr(ITS)->state), refs);
}

/* A table that is validated again holds nothing of another's. */
static void no_pins_with_foreign_entries(void **state)
{
	mfn_t l1 = pool[20];

	page(l1)[7] = pte(ITS, RO);
	assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, l1, 0), -EINVAL);
	page(l1)[7] = 0;
	assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, l1, 0), 0);
	assert_int_equal(mmu_update(l1 << 12 | 56, pte(ITS, RO), other.id), 0);
	/* Linux unpins before it unmaps: the reference goes with the table. */
	assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, l1, 0), 0);
	assert_int_equal(state_refs(fr(ITS)->state), 1);
	assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, l1, 0), -EINVAL);
}

static void tables_of_others(void **state)
{
	build_its_tables();
	assert_int_equal(on_other_one(MMUEXT_PIN_L4_TABLE, ITS_L4, 0), 0);
	check_model();
	assert_int_equal(on_other_one(MMUEXT_PIN_L4_TABLE, ITS_L4, 0), -EINVAL);
	assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, ITS_L4, 0), -EINVAL);
	/* Read, but not written to. */
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(mmu_update(l1(5), pte(pool_of_other[i], RW), other.id), -EBUSY);
		assert_int_equal(mmu_update(l1(5), pte(pool_of_other[i], RO), other.id), 0);
		check_model();
	}
	/* Changed by name only: with its own frames, or the caller's. */
	assert_int_equal(mmu_update(its_l1(9), pte(ITS, RO), DOMID_SELF), -EINVAL);
	assert_int_equal(mmu_update(its_l1(9), pte(ITS, RO), other.id), -EINVAL);
	assert_int_equal(its_update(its_l1(9), pte(ITS_TOO, RW), other.id), 0);
	assert_int_equal(its_update(its_l1(9), pte(DATA, RW), other.id), -EINVAL);
	assert_int_equal(its_update(its_l1(9), pte(ITS, RW), DOMID_SELF), -EINVAL);
	assert_int_equal(its_update(its_l1(9), pte(DATA, RW), DOMID_SELF), 0);
	/* A device on its behalf: that it must be allowed to have. */
	assert_int_equal(its_update(its_l1(9), pte(FAKE_RAM + 1, RW), DOMID_IO), -EPERM);
	assert_int_equal(its_update(its_l1(9), pte(ITS_TOO, RW | PTE_PCD), other.id), 0);
	assert_int_equal(page(ITS_L1)[9], pte(ITS_TOO, RW));
	check_model();
	/* Higher levels take its own tables. */
	assert_int_equal(its_update(ITS_L2 << 12 | 8, pte(L1, RW), DOMID_SELF), -EINVAL);
	assert_int_equal(its_update(ITS_L2 << 12 | 8, pte(pool_of_other[30], RW), other.id), 0);
	check_model();
	/* What is released then is its own, too, also when that takes long. */
	fake_preempt = preempt_often;
	assert_int_equal(its_update(ITS_L4 << 12, 0, other.id), 0);
	assert_int_equal(vcpu.put_pending, 0);
	check_model();
	/* An ordinary page of its is written to as its. */
	assert_int_equal(its_update(ITS_TOO << 12 | 16, 0x1234567, other.id), -EINVAL + EINVAL);
	assert_int_equal(page(ITS_TOO)[2], 0x1234567);
	assert_int_equal(its_update(DATA << 12 | 16, 0x1234567, other.id), -EINVAL);
	assert_int_equal(on_other_one(MMUEXT_UNPIN_TABLE, ITS_L4, 0), 0);
}

/* The builder's CPU, on which the other one never ran, forgets that it could write to what is a table now. */
static void stale_after_building(void **state)
{
	unsigned int flushes;

	build_its_tables();
	assert_true(fr(ITS_L4)->state & FRAME_FOREIGN);
	assert_true(writable_at[0][ITS_L4] > fake_flushed[0]);
	assert_int_equal(on_other_one(MMUEXT_PIN_L4_TABLE, ITS_L4, 0), 0);
	assert_true(fake_flushed[0] >= writable_at[0][ITS_L4]);
	assert_false(fr(ITS_L4)->state & FRAME_FOREIGN);
	check_model();
	/* Once: what was unmapped before that is forgotten as well. */
	flushes = fake_flushes;
	assert_int_equal(on_other_one(MMUEXT_PIN_L1_TABLE, ITS_L1, 0), 0);
	assert_int_equal(fake_flushes, flushes);
	/* What only the owner had mapped is flushed where that runs. */
	fake_act_as(&other);
	assert_int_equal(mmu_update(its_l1(20), pte(ITS_TOO, RW), DOMID_SELF), 0);
	check_model();
	assert_int_equal(mmu_update(its_l1(20), 0, DOMID_SELF), 0);
	check_model();
	flushes = (unsigned int)fake_flushed[0];
	assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, ITS_TOO, 0), 0);
	assert_int_equal(fake_flushed[0], flushes);
	fake_act_as(&guest);
}

/* A frame that the other one frees while it is mapped elsewhere comes back to it flushed and empty. */
static void stale_after_freeing(void **state)
{
	uint64_t list[1] = {ITS};
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
	mfn_t again = 0;

	assert_int_equal(mmu_update(l1(5), pte(ITS, RW), other.id), 0);
	check_model();
	page(ITS)[0] = 0x5ec2e7;
	fake_act_as(&other);
	r.extent_start.p = list;
	assert_int_equal(do_memory_op(XENMEM_decrease_reservation, (vaddr_t)&r), 1);
	fake_act_as(&guest);
	check_model();
	assert_int_equal(other.mm.tot_pages, POOL);
	assert_int_equal(mmu_update(l1(5), 0, DOMID_SELF), 0);
	assert_int_equal(other.mm.tot_pages, POOL - 1);
	check_model();
	for (unsigned int i = 0; i < 20 && again != ITS; i++)
		again = domain_alloc_frames(&other, 0, 0);
	assert_int_equal(again, ITS);
	assert_int_equal(page(ITS)[0], 0);
	assert_true(fake_flushed[0] >= writable_at[0][ITS]);
}

static void given_away(void **state)
{
	assert_int_equal(mmu_update(l1(5), pte(ITS, RW), other.id), 0);
	check_model();
	/* Not while it is mapped. */
	assert_false(steal_frame(&other, ITS));
	assert_int_equal(mmu_update(l1(5), 0, DOMID_SELF), 0);
	assert_true(steal_frame(&other, ITS));
	fake_act_as(&other);
	assert_true(give_stolen_frame(ITS, &other, &guest));
	fake_act_as(&guest);
	assert_true(fake_flushed[0] >= writable_at[0][ITS]);
	check_model();
	/* One that has begun to die gets nothing. */
	other.is_dying = true;
	assert_true(steal_frame(&guest, ITS));
	assert_false(give_stolen_frame(ITS, &guest, &other));
	free_stolen_frame(&guest, ITS);
	check_model();
}

static void death_of_the_owner(void **state)
{
	build_its_tables();
	assert_int_equal(on_other_one(MMUEXT_PIN_L4_TABLE, ITS_L4, 0), 0);
	assert_int_equal(mmu_update(l1(5), pte(ITS, RW), other.id), 0);
	assert_int_equal(mmu_update(l1(6), pte(ITS_L1, RO), other.id), 0);
	check_model();
	kill_domain(&other);
	assert_int_equal(other.mm.tot_pages, 2);
	assert_int_equal(state_type_refs(fr(ITS_L1)->state), 0);
	/* Nothing new begins that would need to be undone again. */
	assert_int_equal(on_other_one(MMUEXT_PIN_L1_TABLE, ITS_L1, 0), -EINVAL);
	assert_int_equal(set_vcpu_root(&vcpu_of_other, ITS_L1, false), -EINVAL);
	assert_int_equal(domain_alloc_frames(&other, 0, 0), INVALID_MFN);
	assert_int_equal(set_claim(&other, 99), -EINVAL);
	check_model();
	assert_int_equal(mmu_update(l1(6), 0, DOMID_SELF), 0);
	assert_int_equal(other.mm.tot_pages, 1);
	assert_int_equal(mmu_update(L2 << 12 | 8, 0, DOMID_SELF), 0);
	assert_int_equal(other.mm.tot_pages, 0);
	assert_true(fr(ITS)->state & FRAME_FREE);
	check_model();
}

/* The whole end of the other one, while another CPU is in the middle of giving it memory. */
static void end_of_other(void)
{
	other.is_dying = true;
	while (domain_relinquish_memory(&other))
		;
}

static void death_during_allocation(void **state)
{
	/* Frames that the other one had last, and must be flushed before they can be given away: so there is a moment. */
	for (unsigned int i = 60; i < 70; i++)
		assert_true(drop_ownership(&guest, pool[i]));
	fake_on_flush = end_of_other;
	assert_int_equal(domain_alloc_frames(&other, 0, 0), INVALID_MFN);
	assert_null(fake_on_flush);
	assert_int_equal(other.mm.tot_pages, 0);
	check_model();
}

static void death_during_transfer(void **state)
{
	assert_true(steal_frame(&guest, pool[50]));
	fake_on_flush = end_of_other;
	assert_true(give_stolen_frame(pool[50], &guest, &other));
	assert_int_equal(other.mm.tot_pages, 0);
	assert_true(fr(pool[50])->state & FRAME_FREE);
	check_model();
}

/* The same with frames that come in exchange for others. */
static void death_during_exchange(void **state)
{
	uint64_t in[2] = {ITS, ITS_TOO}, out[2] = {1, 2};
	struct xen_memory_exchange x = {.in = {.nr_extents = 2, .domid = other.id},
					.out = {.nr_extents = 2, .domid = other.id}};

	for (unsigned int i = 60; i < 80; i++)
		assert_true(drop_ownership(&guest, pool[i]));
	x.in.extent_start.p = in;
	x.out.extent_start.p = out;
	fake_on_flush = end_of_other;
	assert_int_equal(do_memory_op(XENMEM_exchange, (vaddr_t)&x), -EINVAL);
	assert_null(fake_on_flush);
	assert_int_equal(other.mm.tot_pages, 0);
	check_model();
}

static bool preempt_always(void)
{
	return true;
}

/* A validation that begins, and is left, when the end has already passed by its table, which is still in use. */
static void validation_during_death(void **state)
{
	mfn_t low = pool_of_other[0], high[6] = {0};
	struct mmu_update req;

	for (unsigned int i = 0; i < POOL; i++) {
		mfn_t mfn = pool_of_other[i];

		low = min(low, mfn);
		for (unsigned int k = 0; k < 6; k++)
			if (mfn > high[k]) {
				mfn_t was = high[k];

				high[k] = mfn;
				mfn = was;
			}
	}
	page(high[0])[0] = pte(high[1], RW);
	for (unsigned int i = 0; i < 4; i++)
		page(low)[i] = pte(high[2 + i], RW);
	assert_int_equal(on_other_one(MMUEXT_PIN_L4_TABLE, high[0], 0), 0);
	assert_int_equal(mmu_update(l1(5), pte(low, RO), other.id), 0);
	check_model();
	other.is_dying = true;
	assert_int_equal(domain_relinquish_memory(&other), -EINTR);
	assert_true(other.mm.relinquish_next > low && other.mm.relinquish_next < high[5]);
	fake_preempt = preempt_always;
	req = (struct mmu_update){high[1] << 12 | 64, pte(low, RW)};
	do_mmu_update((vaddr_t)&req, 1, 0, (other.id + 1U) << 16 | other.id);
	fake_preempt = NULL;
	check_model();
	while (domain_relinquish_memory(&other))
		;
	assert_int_equal(mmu_update(l1(5), 0, DOMID_SELF), 0);
	assert_int_equal(other.mm.tot_pages, 0);
}

/* The audit counts what the model counts, and says so when a count is wrong. */
static void audited(void **state)
{
	build_its_tables();
	assert_int_equal(on_other_one(MMUEXT_PIN_L4_TABLE, ITS_L4, 0), 0);
	assert_int_equal(mmu_update(l1(5), pte(ITS, RW), other.id), 0);
	assert_int_equal(mmu_update(l1(6), pte(ITS_L1, RO), other.id), 0);
	assert_int_equal(mm_audit(), 0);
	/* An entry of ours that holds nothing, or a reference that nobody has. */
	page(L1)[7] = pte(ITS, RO);
	assert_int_equal(mm_audit(), 1);
	page(L1)[7] = 0;
	fr(ITS)->state += FRAME_REF;
	assert_int_equal(mm_audit(), 1);
	fr(ITS)->state -= FRAME_REF;
	fr(ITS)->state += FRAME_TYPE_REF;
	assert_int_equal(mm_audit(), 1);
	fr(ITS)->state -= FRAME_TYPE_REF;
	/* The right to write without a reference of that kind; the same in a table of the other one. */
	page(L1)[6] |= PTE_RW;
	assert_true(mm_audit() > 0);
	page(L1)[6] &= ~(uint64_t)PTE_RW;
	page(ITS_L1)[3] = pte(DATA, RW);
	assert_true(mm_audit() > 0);
	page(ITS_L1)[3] = 0;
	/* A pin, an owner, a count of pages. */
	fr(ITS_L4)->state ^= FRAME_PINNED;
	assert_true(mm_audit() > 0);
	fr(ITS_L4)->state ^= FRAME_PINNED;
	fr(ITS)->owner = guest.id;
	assert_int_equal(mm_audit(), 2);
	fr(ITS)->owner = 4242;
	assert_int_equal(mm_audit(), 2);
	fr(ITS)->owner = other.id;
	other.mm.tot_pages++;
	assert_int_equal(mm_audit(), 1);
	other.mm.tot_pages--;
	assert_int_equal(mm_audit(), 0);
}

static void machine_to_physical(void **state)
{
	assert_int_equal(mmu_update(ITS << 12 | MMU_MACHPHYS_UPDATE, 99, other.id), 0);
	assert_int_equal(m2p_get(ITS), 99);
	assert_int_equal(mmu_update(ITS << 12 | MMU_MACHPHYS_UPDATE, 98, DOMID_SELF), -EINVAL);
	assert_int_equal(mmu_update(ITS << 12 | MMU_MACHPHYS_UPDATE, 98, DOMID_IO), -EINVAL);
	assert_int_equal(mmu_update(DATA << 12 | MMU_MACHPHYS_UPDATE, 98, other.id), -EINVAL);
	assert_int_equal(m2p_get(ITS), 99);
}

/* What the hypervisor shows to the tools. */
static void frames_of_the_hypervisor(void **state)
{
	mfn_t shown = alloc_frames(0, ALLOC_ZERO), hidden = alloc_frames(0, ALLOC_ZERO);
	uint64_t s;

	assert_int_equal(share_frame_with_domain(shown, &xen_domain, false), 0);
	s = fr(shown)->state;
	assert_int_equal(mmu_update(l1(5), pte(shown, RO), DOMID_XEN), 0);
	assert_int_equal(mmu_update(l1(6), pte(shown, RW), DOMID_XEN), -EBUSY);
	assert_int_equal(mmu_update(l1(6), pte(hidden, RO), DOMID_XEN), -EINVAL);
	assert_int_equal(mmu_update(l1(6), pte(shown, RO), DOMID_SELF), -EINVAL);
	assert_int_equal(mmu_update(l1(6), pte(DATA, RO), DOMID_XEN), -EINVAL);
	assert_int_equal(mmu_update(l1(6), pte(FAKE_RAM, RO), DOMID_XEN), -EPERM);
	/* Its frames are no tables, and not to be written to in any other way. */
	assert_int_equal(mmu_update(shown << 12, 1, (DOMID_XEN + 1U) << 16 | DOMID_SELF), -EINVAL);
	assert_int_equal(mmu_update(shown << 12 | MMU_MACHPHYS_UPDATE, 1, DOMID_XEN), 0);
	assert_int_equal(mmu_update(l1(5), 0, DOMID_SELF), 0);
	assert_int_equal(fr(shown)->state, s);
	m2p_set(shown, INVALID_M2P_ENTRY);
	fr(shown)->state = FRAME_RAM | FRAME_HV;
	free_hv_frames(shown, 0);
	free_hv_frames(hidden, 0);
}

static void ext_ops(void **state)
{
	static const unsigned int own[] = {
	    MMUEXT_NEW_BASEPTR,	       MMUEXT_NEW_USER_BASEPTR, MMUEXT_TLB_FLUSH_LOCAL,
	    MMUEXT_TLB_FLUSH_MULTI,    MMUEXT_TLB_FLUSH_ALL,	MMUEXT_INVLPG_LOCAL,
	    MMUEXT_INVLPG_MULTI,       MMUEXT_INVLPG_ALL,	MMUEXT_FLUSH_CACHE,
	    MMUEXT_FLUSH_CACHE_GLOBAL, MMUEXT_SET_LDT,		63};

	for (unsigned int i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		assert_int_equal(on_other_one(own[i], ITS_L4, 0), -EPERM);
	assert_int_equal(on_other_one(MMUEXT_MARK_SUPER, ITS, 0), -EOPNOTSUPP);
	page(ITS)[9] = 9;
	assert_int_equal(on_other_one(MMUEXT_COPY_PAGE, ITS_TOO, ITS), 0);
	assert_int_equal(page(ITS_TOO)[9], 9);
	assert_int_equal(on_other_one(MMUEXT_CLEAR_PAGE, ITS, 0), 0);
	assert_int_equal(page(ITS)[9], 0);
	assert_int_equal(on_other_one(MMUEXT_COPY_PAGE, ITS, DATA), -EINVAL);
	assert_int_equal(on_other_one(MMUEXT_CLEAR_PAGE, DATA, 0), -EINVAL);
	/* Left in the middle and never gone on with: its death undoes that. */
	page(ITS_L4)[0] = pte(ITS_L3, RW);
	for (unsigned int i = 0; i < 20; i++)
		page(ITS_L3)[i] = pte(pool_of_other[30 + i], RW);
	fake_preempt = preempt_often;
	for (unsigned int i = 0; i < 3; i++) {
		struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = ITS_L4};

		do_mmuext_op((vaddr_t)&op, 1, 0, other.id);
		check_model();
	}
}

static long reservation_of(unsigned int cmd, uint64_t *list, unsigned long n, domid_t id)
{
	struct xen_memory_reservation r = {.nr_extents = n, .domid = id};

	r.extent_start.p = list;
	return finish_hypercall(do_memory_op(cmd, (vaddr_t)&r));
}

static void reservations(void **state)
{
	struct xen_memory_domain who = {other.id};
	uint64_t list[40];

	for (unsigned int i = 0; i < 40; i++)
		list[i] = 7000 + i;
	assert_int_equal(do_memory_op(XENMEM_current_reservation, (vaddr_t)&who), POOL);
	assert_int_equal(do_memory_op(XENMEM_maximum_reservation, (vaddr_t)&who), POOL + 20);
	fake_preempt = preempt_often;
	assert_int_equal(reservation_of(XENMEM_populate_physmap, list, 40, other.id), 20);
	assert_int_equal(other.mm.tot_pages, POOL + 20);
	assert_int_equal(guest.mm.tot_pages, POOL);
	assert_int_equal(fr(list[3])->owner, other.id);
	assert_int_equal(m2p_get(list[3]), 7003);
	check_model();
	assert_int_equal(reservation_of(XENMEM_decrease_reservation, list, 20, DOMID_SELF), 0);
	assert_int_equal(reservation_of(XENMEM_decrease_reservation, list, 20, 4242), 0);
	assert_int_equal(reservation_of(XENMEM_decrease_reservation, list, 20, DOMID_XEN), 0);
	assert_int_equal(reservation_of(XENMEM_decrease_reservation, list, 20, other.id), 20);
	assert_int_equal(other.mm.tot_pages, POOL);
	who.domid = 4242;
	assert_int_equal(do_memory_op(XENMEM_current_reservation, (vaddr_t)&who), -ESRCH);
	who.domid = DOMID_IO;
	assert_int_equal(do_memory_op(XENMEM_maximum_gpfn, (vaddr_t)&who), -ESRCH);
	who.domid = other.id;
	fake_shared_info.arch.max_pfn = 4711;
	assert_int_equal(do_memory_op(XENMEM_maximum_gpfn, (vaddr_t)&who), 4710);
	fake_shared_info.arch.max_pfn = 0; /* being restored */
	assert_int_equal(do_memory_op(XENMEM_maximum_gpfn, (vaddr_t)&who), 0);
	other.shared_info = NULL;
	assert_int_equal(do_memory_op(XENMEM_maximum_gpfn, (vaddr_t)&who), 0);
}

static void memory_maps(void **state)
{
	struct __packed {
		uint64_t start, size;
		uint32_t type;
	} entry[2] = {{0, 0x100000, 1}, {0x100000, 0x1000, 2}}, back[4];
	struct xen_foreign_memory_map set = {.domid = other.id, .map.nr_entries = 2};
	struct xen_memory_map map = {.nr_entries = 4};

	set.map.buffer.p = entry;
	map.buffer.p = back;
	fake_act_as(&other);
	assert_int_equal(do_memory_op(XENMEM_memory_map, (vaddr_t)&map), -ENOSYS);
	fake_act_as(&guest);
	assert_int_equal(do_memory_op(XENMEM_set_memory_map, (vaddr_t)&set), 0);
	assert_int_equal(do_memory_op(XENMEM_memory_map, (vaddr_t)&map), -ENOSYS);
	fake_act_as(&other);
	assert_int_equal(do_memory_op(XENMEM_memory_map, (vaddr_t)&map), 0);
	assert_int_equal(map.nr_entries, 2);
	assert_memory_equal(back, entry, sizeof(entry));
	map.nr_entries = 1;
	back[1].size = 77;
	assert_int_equal(do_memory_op(XENMEM_memory_map, (vaddr_t)&map), 0);
	assert_int_equal(map.nr_entries, 1);
	assert_int_equal(back[1].size, 77);
	/* Its own, too; but not another's. */
	set.domid = DOMID_SELF;
	set.map.nr_entries = 1;
	assert_int_equal(do_memory_op(XENMEM_set_memory_map, (vaddr_t)&set), 0);
	set.domid = guest.id;
	assert_int_equal(do_memory_op(XENMEM_set_memory_map, (vaddr_t)&set), -EPERM);
	fake_act_as(&guest);
	set.domid = 4242;
	assert_int_equal(do_memory_op(XENMEM_set_memory_map, (vaddr_t)&set), -ESRCH);
	set.domid = other.id;
	set.map.nr_entries = 129;
	assert_int_equal(do_memory_op(XENMEM_set_memory_map, (vaddr_t)&set), -EINVAL);
	set.map.nr_entries = 1;
	set.map.buffer.p = (void *)8;
	assert_int_equal(do_memory_op(XENMEM_set_memory_map, (vaddr_t)&set), -EFAULT);
	/* A dying one's is gone, and none comes any more (the model would find the memory lost). */
	kill_domain(&other);
	set.map.buffer.p = entry;
	assert_int_equal(do_memory_op(XENMEM_set_memory_map, (vaddr_t)&set), 0);
	assert_null(other.mm.memory_map);
}

static long claim_for(domid_t id, uint64_t pages)
{
	struct xen_memory_reservation r = {.nr_extents = pages, .domid = id};

	return do_memory_op(XENMEM_claim_pages, (vaddr_t)&r);
}

static void claims(void **state)
{
	struct xen_memory_reservation r = {.nr_extents = 99, .extent_order = 1, .domid = other.id};
	uint64_t free = free_frames(), n = 0;
	mfn_t mfn;

	other.mm.max_pages = FAKE_FRAMES;
	guest.mm.max_pages = FAKE_FRAMES;
	assert_int_equal(do_memory_op(XENMEM_claim_pages, (vaddr_t)&r), -EINVAL);
	assert_int_equal(claim_for(4242, POOL + 10), -EINVAL);
	assert_int_equal(claim_for(other.id, POOL), -EINVAL);
	assert_int_equal(claim_for(other.id, FAKE_FRAMES + 1), -EINVAL);
	assert_int_equal(claim_for(other.id, POOL + free + 1), -ENOMEM);
	assert_int_equal(claim_for(other.id, POOL + 100), 0);
	assert_int_equal(claimed_frames(), 100);
	assert_int_equal(claim_for(other.id, POOL + 200), -EINVAL);
	check_model();
	/* Everybody else, the hypervisor too, can have the rest and no more. */
	while ((mfn = domain_alloc_frames(&guest, 0, 0)) != INVALID_MFN)
		n++;
	assert_int_equal(n, free - 100);
	assert_int_equal(alloc_frames(0, 0), INVALID_MFN);
	check_model();
	/* What it gets counts, and what it gives back as well. */
	mfn = domain_alloc_frames(&other, 0, 0);
	assert_int_not_equal(mfn, INVALID_MFN);
	assert_int_equal(claimed_frames(), 99);
	assert_true(drop_ownership(&other, mfn));
	assert_int_equal(claimed_frames(), 100);
	assert_int_equal(alloc_frames(0, 0), INVALID_MFN);
	for (n = 0; domain_alloc_frames(&other, 0, 0) != INVALID_MFN; n++)
		;
	assert_int_equal(n, 100);
	assert_int_equal(claimed_frames(), 0);
	check_model();
	/* Taken back, and gone with the domain. */
	other.mm.max_pages = FAKE_FRAMES;
	for (unsigned int i = 10; i < 20; i++)
		assert_true(drop_ownership(&guest, pool[i]));
	assert_int_equal(claim_for(other.id, other.mm.tot_pages + 5), 0);
	assert_int_equal(claim_for(other.id, 0), 0);
	assert_int_equal(claimed_frames(), 0);
	assert_int_equal(claim_for(other.id, other.mm.tot_pages + 5), 0);
	kill_domain(&other);
	assert_int_equal(claimed_frames(), 0);
}

static void plain_caller(void **state)
{
	struct xen_mem_acquire_resource resource = {.domid = other.id,
						    .type = XENMEM_resource_grant_table};
	struct xen_memory_domain who = {other.id};
	uint64_t list[1] = {ITS};

	assert_int_equal(mmu_update(l1(5), pte(ITS, RO), other.id), -EPERM);
	assert_int_equal(mmu_update(l1(5), 0, other.id), -EPERM);
	assert_int_equal(mmu_update(l1(5), pte(DATA, RO), (other.id + 1U) << 16 | DOMID_SELF),
			 -EPERM);
	assert_int_equal(mmu_update(l1(5), pte(DATA, RO), 4242), -ESRCH);
	assert_int_equal(mmu_update(l1(5), pte(DATA, RO), DOMID_XEN), -EPERM);
	assert_int_equal(on_other_one(MMUEXT_PIN_L1_TABLE, ITS, 0), -EPERM);
	assert_int_equal(do_update_va_mapping_otherdomain(0x205000, pte(ITS, RO), 0, other.id),
			 -EPERM);
	assert_int_equal(reservation_of(XENMEM_decrease_reservation, list, 1, other.id), -EPERM);
	assert_int_equal(reservation_of(XENMEM_decrease_reservation, list, 1, 4242), 0);
	assert_int_equal(do_memory_op(XENMEM_current_reservation, (vaddr_t)&who), -EPERM);
	assert_int_equal(claim_for(other.id, POOL + 3), -EPERM);
	assert_int_equal(claim_for(guest.id, POOL + 3), -EPERM);
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&resource), -EPERM);
	resource.domid = 4242;
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&resource), -ESRCH);
}

static void resources(void **state)
{
	struct xen_mem_acquire_resource r = {.domid = other.id,
					     .type = XENMEM_resource_grant_table};
	uint64_t list[2];

	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), 0);
	assert_int_equal(r.nr_frames, GRANT_MAX_FRAMES);
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), -EINVAL);
	r.id = XENMEM_resource_grant_table_id_status;
	r.nr_frames = 0;
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), 0);
	assert_int_equal(r.nr_frames, GRANT_MAX_STATUS_FRAMES);
	r.id = 2;
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), -EINVAL);
	r.id = 0;
	r.type = XENMEM_resource_ioreq_server;
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), -EINVAL);
	r.type = XENMEM_resource_grant_table;
	r.frame_list.p = list;
	r.frame = 1UL << 32;
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), -EINVAL);
	r.frame = UINT32_MAX;
	r.nr_frames = 1;
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), -EINVAL);
	r.frame = 0;
	r.pad = 1;
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), -EINVAL);
	r.pad = 0;
	r.domid = guest.id;
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), -EPERM);
	r.domid = DOMID_SELF;
	assert_int_equal(do_memory_op(XENMEM_acquire_resource, (vaddr_t)&r), -ESRCH);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
	    TEST(maps_of_frames),
	    TEST(no_pins_with_foreign_entries),
	    TEST(tables_of_others),
	    TEST(stale_after_building),
	    TEST(stale_after_freeing),
	    TEST(given_away),
	    TEST(death_of_the_owner),
	    TEST(death_during_allocation),
	    TEST(death_during_transfer),
	    TEST(death_during_exchange),
	    TEST(validation_during_death),
	    TEST(audited),
	    TEST(machine_to_physical),
	    TEST(frames_of_the_hypervisor),
	    TEST(ext_ops),
	    TEST(reservations),
	    TEST(memory_maps),
	    TEST(claims),
	    cmocka_unit_test_setup_teardown(plain_caller, start_plain, stop),
	    TEST(resources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
