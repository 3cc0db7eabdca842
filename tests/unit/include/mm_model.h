/* SPDX-License-Identifier: MIT */
/*
 * Two guests that do everything to their memory in random order, and a model that after every single operation
 * recounts all references from the tables themselves and asks whether one of them could reach anything that
 * it may not. If the first is privileged it also does all that to the other one's memory, and maps it. Choices come
 * from the including file: pick(n) is a number below n. For fuzzers and tests.
 */
#ifndef MM_MODEL_H
#define MM_MODEL_H

#include "fake_mm.h"
#include "grant/grant.h"
#include <public/memory.h>

static unsigned int pick(unsigned int n);

/* Grant tables are not for this test. */
int grant_frames(struct domain *d, bool status, unsigned int first, unsigned int n, uint64_t *mfn)
{
	return -EINVAL;
}

#define FAIL(...)                                     \
	do {                                          \
		fprintf(stderr, __VA_ARGS__);         \
		fprintf(stderr, " [%s]\n", model_op); \
		abort();                              \
	} while (0)

/* ---- the model ---- */

struct count {
	unsigned int refs, typed, types;
};

static const char *model_op = "start";
static struct count model[FAKE_FRAMES];
/* When each CPU could last have learnt a translation of a frame, a writable one, or a way into it as a table. */
static unsigned long mapped_at[2][FAKE_FRAMES], writable_at[2][FAKE_FRAMES],
    table_at[2][FAKE_FRAMES];
static domid_t owner_at[FAKE_FRAMES];

static void count(mfn_t mfn, unsigned int type)
{
	if (mfn >= FAKE_RAM)
		return;
	model[mfn].refs++;
	if (type) {
		model[mfn].typed++;
		model[mfn].types |= 1U << type;
	}
}

static bool in_use(const struct frame *f)
{
	return (f->state & FRAME_RAM) && state_refs(f->state);
}

/* The rules of one entry in a table of d that the CPU may walk. */
static void check_entry(const struct domain *d, mfn_t table, unsigned int level, unsigned int i,
			uint64_t e)
{
	mfn_t mfn = (e & 0x000ffffffffff000UL) >> 12;
	const struct frame *f = fr(mfn);
	bool foreign = guest.is_privileged && level == PT_L1;

	if (e & 0x000fff0000000000UL)
		FAIL("table %lu entry %u: address %#lx", table, i, e);
	if (!(e & PTE_USER) || (e & PTE_GLOBAL))
		FAIL("table %lu entry %u: flags %#lx", table, i, e);
	if (level > PT_L1 && (e & (PTE_PSE | PTE_PCD | PTE_PWT)))
		FAIL("table %lu of level %u entry %u: flags %#lx", table, level - 1, i, e);
	if (!d->is_privileged && level == PT_L1 && entry_frame(e) &&
	    (e & (PTE_PAT | PTE_PCD | PTE_PWT)))
		FAIL("table %lu entry %u: memory type %#lx", table, i, e);
	if (mfn >= FAKE_RAM) {
		if (level != PT_L1 ||
		    (!d->is_privileged && !range_set_has(&d->mm.io_frames, mfn, mfn)) ||
		    mfn == acpi_info.lapic >> 12)
			FAIL("table %lu entry %u: device %#lx", table, i, e);
		return;
	}
	if (!in_use(f) || (f->owner != d->id && !foreign))
		FAIL("table %lu entry %u: frame %lu is not the guest's", table, i, mfn);
	if (level == PT_L1 && (e & PTE_RW) && state_type(f->state) != PT_WRITABLE)
		FAIL("table %lu entry %u: writes to frame %lu of type %u", table, i, mfn,
		     state_type(f->state));
	if (level > PT_L1 && (state_type(f->state) != level - 1 || !(f->state & FRAME_VALID)) &&
	    !(f->state & FRAME_PARTIAL))
		FAIL("table %lu entry %u: frame %lu is no table below it", table, i, mfn);
}

/* Is there an entry in a table of the one that runs on this CPU that lets it write to the frame? */
static bool written_by[2][FAKE_FRAMES];

static void note_mapping(unsigned int cpu, mfn_t mfn, bool write)
{
	if (mfn >= FAKE_RAM)
		return;
	mapped_at[cpu][mfn] = fake_time;
	written_by[cpu][mfn] |= write;
}

static void count_frame(mfn_t mfn)
{
	const struct frame *f = fr(mfn);
	uint64_t s = f->state;
	unsigned int type = state_type(s), end = s & FRAME_PARTIAL ? f->index : 512;
	const struct domain *d = f->owner == guest.id ? &guest : &other;
	unsigned int cpu = d == &other;

	if (!in_use(f))
		return;
	if (s & FRAME_ALLOC)
		count(mfn, 0);
	if (s & FRAME_PINNED)
		count(mfn, type);
	if (s & FRAME_HV)
		count(mfn, type);
	if ((s & FRAME_PARTIAL) && !state_type_refs(s))
		count(mfn, 0);
	if (!is_table_type(type) || !(s & (FRAME_VALID | FRAME_PARTIAL)))
		return;
	for (unsigned int i = 0; i < end; i++) {
		uint64_t e = page(mfn)[i];

		if (type == PT_L4 && i >= 256 && i < 272) {
			if ((s & FRAME_VALID) && e != fake_root[i])
				FAIL("root %lu slot %u: %#lx", mfn, i, e);
			continue;
		}
		if (!(e & 1))
			continue;
		check_entry(d, mfn, type, i, e);
		if (type == PT_L1)
			note_mapping(cpu, (e & 0x000ffffffffff000UL) >> 12, e & PTE_RW);
		count((e & 0x000ffffffffff000UL) >> 12, type > PT_L1 ? type - 1
							: e & PTE_RW ? PT_WRITABLE
								     : 0);
	}
}

static void count_vcpu(const struct vcpu *v)
{
	if (v->kernel_root != INVALID_MFN)
		count(v->kernel_root, PT_L4);
	if (v->user_root != INVALID_MFN)
		count(v->user_root, PT_L4);
	if (v->put_pending)
		count(v->put_pending, state_type(fr(v->put_pending)->state));
	for (unsigned int i = 0; i < (v->pv.gdt_ents + 511) / 512; i++)
		count(v->pv.gdt_frames[i], PT_SEG_DESC);
	for (unsigned int i = 0; i < 16; i++)
		if (v->pv.ldt_mapped >> i & 1)
			count(v->pv.ldt_frames[i], PT_SEG_DESC);
}

static void check_descriptors(mfn_t mfn)
{
	for (unsigned int i = 0; i < 512; i++) {
		uint64_t d = page(mfn)[i];

		if ((d >> 47 & 1) && (!(d >> 44 & 1) || (d >> 45 & 3) != 3))
			FAIL("frame %lu: descriptor %#lx", mfn, d);
	}
}

/* No TLB may hold what was allowed when the frame was something else, or another's. */
static void check_translations(mfn_t mfn, unsigned int cpu)
{
	const struct frame *f = fr(mfn);
	const struct domain *d = cpu ? &other : &guest;
	unsigned int type = state_type(f->state);
	bool special = state_type_refs(f->state) && type > PT_WRITABLE && type != PT_READ_ONLY;
	bool writable = state_type_refs(f->state) && type == PT_WRITABLE;
	bool moved = in_use(f) && f->owner != owner_at[mfn];

	if ((special || moved) && writable_at[cpu][mfn] > fake_flushed[cpu])
		FAIL("frame %lu: CPU %u: old writable translations, type %u", mfn, cpu, type);
	if (moved && f->owner != d->id && mapped_at[cpu][mfn] > fake_flushed[cpu] &&
	    mapped_at[cpu][mfn] != fake_time)
		FAIL("frame %lu: CPU %u: translations from another life", mfn, cpu);
	if ((writable || moved) && table_at[cpu][mfn] > fake_flushed[cpu])
		FAIL("frame %lu: writable, and CPU %u may walk it", mfn, cpu);
	if (writable && written_by[cpu][mfn])
		writable_at[cpu][mfn] = fake_time;
	if (special && type != PT_SEG_DESC && f->owner == d->id)
		table_at[cpu][mfn] = fake_time;
}

static void check_owned(const struct domain *d)
{
	uint64_t owned = 0;

	for (mfn_t mfn = 0; mfn < FAKE_RAM; mfn++)
		if (in_use(fr(mfn)) && fr(mfn)->owner == d->id && !(fr(mfn)->state & FRAME_HV))
			owned++;
	if (owned != d->mm.tot_pages)
		FAIL("domain %u has %lu pages, found %lu", d->id, d->mm.tot_pages, owned);
	/* What keeps the owner of a frame in existence. */
	if (d->refs != !!owned)
		FAIL("domain %u has %u references and %lu pages", d->id, d->refs, owned);
	if (spin_is_locked(&d->mm.lock))
		FAIL("the lock is held");
}

static void check_model(void)
{
	uint64_t in_lists = 0, free = 0;

	memset(model, 0, sizeof(model));
	memset(written_by, 0, sizeof(written_by));
	for (mfn_t mfn = 0; mfn < FAKE_RAM; mfn++)
		count_frame(mfn);
	count_vcpu(&vcpu);
	count_vcpu(&vcpu_of_other);
	for (mfn_t mfn = 0; mfn < FAKE_RAM; mfn++) {
		const struct frame *f = fr(mfn);
		uint64_t s = f->state;

		if (s & FRAME_FREE)
			free++;
		if (state_refs(s) != model[mfn].refs)
			FAIL("frame %lu: state %#lx, found %u references", mfn, s, model[mfn].refs);
		if (!in_use(f))
			continue;
		if ((s & FRAME_FAILED) && !(s & FRAME_PARTIAL))
			FAIL("frame %lu: state %#lx", mfn, s);
		if (state_type_refs(s) != model[mfn].typed)
			FAIL("frame %lu: state %#lx, found type count %u", mfn, s,
			     model[mfn].typed);
		if (model[mfn].types & ~(1U << state_type(s)))
			FAIL("frame %lu: state %#lx, found types %#x", mfn, s, model[mfn].types);
		if (state_type_refs(s) && state_type(s) == PT_SEG_DESC)
			check_descriptors(mfn);
		check_translations(mfn, 0);
		check_translations(mfn, 1);
		owner_at[mfn] = f->owner;
	}
	check_owned(&guest);
	check_owned(&other);
	if (!check_free_lists(&in_lists) || in_lists != free)
		FAIL("free lists: %lu, found %lu", in_lists, free);
	if (claimed_frames() > free || claimed_frames() != guest.mm.claimed + other.mm.claimed)
		FAIL("%lu frames are claimed", claimed_frames());
	fake_time++;
}

/* ---- the guest ---- */

#define POOL 96 /* frames that it uses; few, so that they meet */
static mfn_t pool[POOL], pool_of_other[POOL];
static bool on_other; /* this operation is about the other one's memory */

static mfn_t *its_pool(void)
{
	return on_other ? pool_of_other : pool;
}

/* The domain it is about, as its caller names it. */
static domid_t its_id(void)
{
	return on_other && current->domain == &guest ? other.id : DOMID_SELF;
}

static mfn_t any_frame(void)
{
	switch (pick(40)) {
	case 0:
		return FAKE_RAM + pick(FAKE_DEVICES);
	case 1:
		return pick(FAKE_FRAMES); /* not its own, perhaps */
	case 2:
		return 1UL << (20 + pick(32));
	case 3:
		return pool_of_other[pick(POOL)];
	default:
		return its_pool()[pick(POOL)];
	}
}

/* Frames used as one level mostly lie together, so that trees come to be. */
static mfn_t frame_for(unsigned int level)
{
	if (!pick(8))
		return any_frame();
	return its_pool()[level * POOL / 5 + pick(POOL / 5)];
}

static uint64_t any_entry(unsigned int level)
{
	uint64_t e = frame_for(level - 1) << 12 | PTE_PRESENT | PTE_USER;

	if (level > 1 ? pick(8) : pick(2))
		e |= PTE_RW;
	switch (pick(24)) {
	case 0:
		return e & ~1UL;
	case 1:
		return e ^ 1UL << pick(64);
	case 2:
		return e & ~4UL;
	case 3:
		return e | PTE_GLOBAL | (uint64_t)pick(8) << 9 | (uint64_t)pick(256) << 52;
	case 4:
		return e | PTE_PCD | PTE_PWT;
	default:
		return pick(3) ? e : 0;
	}
}

static unsigned int any_index(void)
{
	static const unsigned int some[] = {0, 5, 255, 511};

	return pick(4) ? some[pick(4)] : pick(512);
}

/* What the guest could have done through a writable mapping of the frame. */
static bool guest_may_write(mfn_t mfn)
{
	const struct frame *f = mfn < FAKE_RAM ? fr(mfn) : NULL;

	if (!f || !in_use(f) || f->owner != (on_other ? other.id : guest.id))
		return false;
	return !(state_type_refs(f->state) && state_type(f->state) != PT_WRITABLE) &&
	       !(f->state & FRAME_PARTIAL);
}

static void write_frame(void)
{
	unsigned int level = 1 + pick(4);
	mfn_t mfn = frame_for(level);

	if (!guest_may_write(mfn))
		return;
	if (!pick(4))
		memset(page(mfn), 0, PAGE_SIZE);
	for (unsigned int n = 1 + pick(4); n; n--)
		page(mfn)[any_index()] = any_entry(level);
	/* So that the model sees it as a write: through a mapping, whenever that was. */
}

static long mmuext(unsigned int cmd, uint64_t arg1, uint64_t arg2)
{
	struct mmuext_op op = {.cmd = cmd, .arg1.mfn = arg1};
	unsigned int done = 99;

	op.arg2.src_mfn = arg2;
	return finish_hypercall(do_mmuext_op((vaddr_t)&op, 1, (vaddr_t)&done, its_id()));
}

static long mmu_update(uint64_t ptr, uint64_t val, unsigned int who)
{
	struct mmu_update req = {ptr, val};
	unsigned int done = 99;

	return finish_hypercall(do_mmu_update((vaddr_t)&req, 1, (vaddr_t)&done, who));
}

static void update_one(void)
{
	unsigned int level = 1 + pick(4);
	uint64_t at = frame_for(level) << 12 | any_index() * 8 | (pick(32) ? 0 : pick(8));
	unsigned int who = pick(16) ? its_id() : pick(2) ? DOMID_IO : pick(65536);
	uint64_t val = any_entry(level);

	/* A frame of the other domain than the one whose table it is. */
	if (level == 1 && !pick(3)) {
		mfn_t mfn = (on_other ? pool : pool_of_other)[pick(POOL)];

		val = mfn << 12 | (val & 0xfff0000000000fffUL);
		who = on_other ? guest.id : other.id;
	}
	if (on_other)
		who |= (other.id + 1U) << 16;
	mmu_update(at | (pick(4) ? 0 : 2), val, who);
}

static void update_many(void)
{
	struct mmu_update req[80];
	unsigned int n = 1 + pick(80), done;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int level = 1 + pick(4);

		req[i].ptr = frame_for(level) << 12 | any_index() * 8;
		req[i].val = any_entry(level);
	}
	/* Those that fail end the list; go on behind them as Linux does not, but we want many. */
	for (unsigned int at = 0; at < n;) {
		unsigned int who = on_other ? (other.id + 1U) << 16 | other.id : DOMID_SELF;
		long rc =
		    finish_hypercall(do_mmu_update((vaddr_t)&req[at], n - at, (vaddr_t)&done, who));

		if (rc == 0)
			break;
		check_model();
		at += done + 1;
	}
}

static void memory_op(unsigned int cmd, mfn_t mfn, unsigned int order)
{
	uint64_t extent[4] = {mfn, any_frame(), any_frame(), any_frame()};
	struct xen_memory_reservation r = {
	    .nr_extents = 1 + pick(4), .extent_order = order, .domid = its_id()};

	r.extent_start.p = extent;
	if (cmd != XENMEM_decrease_reservation && !pick(3))
		r.mem_flags = XENMEMF_address_bits(20 + pick(3));
	finish_hypercall(do_memory_op(cmd, (vaddr_t)&r));
	/* Frames that came or went: the pool names new ones. */
	for (unsigned int i = 0; i < r.nr_extents; i++)
		if (cmd != XENMEM_decrease_reservation && extent[i] < FAKE_RAM)
			its_pool()[pick(POOL)] = extent[i];
}

static void exchange(void)
{
	uint64_t in[8], out[8];
	struct xen_memory_exchange x = {0};
	unsigned int order = pick(3);

	for (unsigned int i = 0; i < 8; i++) {
		in[i] = any_frame();
		out[i] = i;
	}
	x.in.domid = x.out.domid = its_id();
	x.in.extent_start.p = in;
	x.out.extent_start.p = out;
	x.in.nr_extents = 8;
	x.out.nr_extents = 8 >> order;
	x.out.extent_order = order;
	finish_hypercall(do_memory_op(XENMEM_exchange, (vaddr_t)&x));
	for (unsigned int i = 0; i < x.nr_exchanged >> order; i++)
		its_pool()[pick(POOL)] = out[i];
}

static uint64_t any_descriptor(void)
{
	uint64_t d = 0x00af9b000000ffffUL;

	switch (pick(6)) {
	case 0:
		return d ^ 1UL << pick(64);
	case 1:
		return 0;
	default:
		return d | (uint64_t)pick(4) << 45;
	}
}

static void descriptors(void)
{
	uint64_t frames[GDT_FRAMES];
	mfn_t mfn = its_pool()[pick(8)];

	switch (pick(5)) {
	case 0:
		for (unsigned int i = 0; i < GDT_FRAMES; i++)
			frames[i] = its_pool()[pick(8)];
		do_set_gdt((vaddr_t)frames, pick(1500));
		break;
	case 1:
		do_update_descriptor(mfn << 12 | pick(512) * 8, any_descriptor());
		break;
	case 2:
		if (guest_may_write(mfn)) {
			memset(page(mfn), 0, PAGE_SIZE);
			page(mfn)[pick(512)] = any_descriptor();
		}
		break;
	case 3:
		mmuext(MMUEXT_SET_LDT, (uint64_t)pick(4) << 12, pick(3000));
		break;
	default:
		mm_map_ldt_page(current, pick(20));
		break;
	}
}

static void update_va(void)
{
	vaddr_t va = (vaddr_t)any_index() << 39 | (vaddr_t)any_index() << 30 |
		     (vaddr_t)any_index() << 21 | (vaddr_t)any_index() << 12;

	if (va >> 47)
		va |= 0xffffUL << 48;
	if (current->kernel_root == INVALID_MFN)
		return;
	if (pick(3))
		do_update_va_mapping(va, any_entry(1), pick(3) | (pick(4) ? 0 : UVMF_ALL));
	else
		do_update_va_mapping_otherdomain(va, any_entry(1), pick(3) | UVMF_ALL,
						 pick(2) ? other.id : guest.id);
}

/* Start something long and leave it where it was preempted. */
static void abandon(void)
{
	struct mmuext_op op = {.cmd = pick(2) ? MMUEXT_PIN_L4_TABLE : MMUEXT_UNPIN_TABLE};

	op.arg1.mfn = frame_for(4);
	do_mmuext_op((vaddr_t)&op, 1, 0, its_id());
}

static bool other_is_gone;

static void claim(void)
{
	struct xen_memory_reservation r = {.nr_extents = pick(3) ? 80 + pick(200) : 0,
					   .domid = pick(2) ? guest.id : other.id};

	do_memory_op(XENMEM_claim_pages, (vaddr_t)&r);
}

/* All that a domain has is given back, but what the one that is left still uses. */
static void kill_domain(struct domain *d)
{
	unsigned int calls = 0;

	d->is_dying = true;
	while (domain_relinquish_memory(d)) {
		if (++calls > 100000)
			FAIL("it never ends");
		check_model();
	}
}

static inline void one_operation(void)
{
	unsigned int level = 1 + pick(4);

	/* Its end is under way, a step at a time. */
	if (other.is_dying && !other_is_gone && !pick(3)) {
		model_op = "a step of its death";
		other_is_gone = !domain_relinquish_memory(&other);
		return;
	}
	/* A quarter is about the other's memory: done by itself, or on its behalf. */
	on_other = !pick(4);
	fake_act_as(on_other && !other.is_dying && (!guest.is_privileged || pick(2)) ? &other
										     : &guest);
	switch (pick(26)) {
	default:
		model_op = "write";
		write_frame();
		break;
	case 6 ... 9:
		model_op = "mmu_update";
		update_one();
		break;
	case 10:
		model_op = "mmu_update of many";
		update_many();
		break;
	case 11:
	case 12:
		model_op = "pin";
		mmuext(MMUEXT_PIN_L1_TABLE + level - 1, frame_for(level), 0);
		break;
	case 13:
	case 14:
		model_op = "unpin";
		mmuext(MMUEXT_UNPIN_TABLE, frame_for(level), 0);
		break;
	case 15:
		model_op = "new_baseptr";
		mmuext(MMUEXT_NEW_BASEPTR, frame_for(4), 0);
		break;
	case 16:
		model_op = "new_user_baseptr";
		mmuext(MMUEXT_NEW_USER_BASEPTR, pick(3) ? frame_for(4) : 0, 0);
		break;
	case 17:
		model_op = "update_va_mapping";
		update_va();
		break;
	case 18:
		model_op = "decrease or increase";
		if (pick(2))
			memory_op(XENMEM_decrease_reservation, any_frame(), 0);
		else
			memory_op(pick(2) ? XENMEM_increase_reservation : XENMEM_populate_physmap,
				  pick(1000), pick(3));
		break;
	case 19:
		model_op = "exchange";
		exchange();
		break;
	case 20:
		model_op = "descriptors";
		descriptors();
		break;
	case 21:
		model_op = "clear or copy";
		mmuext(pick(2) ? MMUEXT_CLEAR_PAGE : MMUEXT_COPY_PAGE, any_frame(), any_frame());
		break;
	case 22:
		model_op = "abandoned";
		abandon();
		break;
	case 23:
		model_op = "machphys";
		mmu_update(any_frame() << 12 | MMU_MACHPHYS_UPDATE, pick(1000), its_id());
		break;
	case 24:
		model_op = "claim";
		claim();
		break;
	case 25:
		model_op = "death of the other";
		if (!pick(8))
			other.is_dying = true;
		break;
	}
	on_other = false;
	fake_act_as(&guest);
}

static bool preempt_often(void)
{
	return pick(2);
}

static void model_start(bool privileged)
{
	fake_start(privileged);
	fake_time = 1;
	memset(fake_flushed, 0, sizeof(fake_flushed));
	memset(mapped_at, 0, sizeof(mapped_at));
	memset(writable_at, 0, sizeof(writable_at));
	memset(table_at, 0, sizeof(table_at));
	acpi_info.lapic = (paddr_t)(FAKE_RAM + 3) << 12;
	guest.mm.max_pages = other.mm.max_pages = POOL + 20;
	other_is_gone = false;
	/* Every second frame is the other domain's. */
	for (unsigned int i = 0; i < POOL; i++) {
		pool[i] = domain_alloc_frames(&guest, 0, ALLOC_ZERO);
		pool_of_other[i] = domain_alloc_frames(&other, 0, ALLOC_ZERO);
	}
	for (mfn_t mfn = 0; mfn < FAKE_RAM; mfn++)
		owner_at[mfn] = in_use(fr(mfn)) ? fr(mfn)->owner : 0xffff;
	fake_preempt = preempt_often;
	model_op = "start";
	check_model();
}

/* Everything back, whoever goes first: no frame may be left with anyone. */
static void model_end(void)
{
	struct domain *first = pick(2) ? &guest : &other;

	model_op = "relinquish";
	kill_domain(first);
	kill_domain(first == &guest ? &other : &guest);
	for (mfn_t mfn = 0; mfn < FAKE_RAM; mfn++)
		if (in_use(fr(mfn)))
			FAIL("frame %lu is left: %#lx", mfn, fr(mfn)->state);
	check_model();
}

#endif
