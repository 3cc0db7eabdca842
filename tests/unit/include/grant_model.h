/* SPDX-License-Identifier: MIT */
/*
 * Two domains that grant frames to each other and do with the grants what they like, and a model that knows of
 * every mapping that was made. After each operation all references are recounted, and nothing may be within
 * reach of a domain, through its tables or a stale translation, that it was not granted. pick(n) is from
 * the including file.
 */
#ifndef GRANT_MODEL_H
#define GRANT_MODEL_H

#include "fake_mm.h"
#include "grant/grant.h"
#include <public/grant_table.h>
#include <public/memory.h>

static unsigned int pick(unsigned int n);

#define FAIL(...)                                     \
	do {                                          \
		fprintf(stderr, __VA_ARGS__);         \
		fprintf(stderr, " [%s]\n", model_op); \
		abort();                              \
	} while (0)

static const char *model_op = "start";

/* ---- the domains: each has tables with one of level 1, for the lowest 2 MiB ---- */

#define POOL  24
#define SLOTS 12 /* entries of the level 1 table that are played with, from the second on */
#define REFS  10 /* and of the table of grants */

static struct side {
	struct domain *d;
	struct vcpu *v;
	mfn_t l4, l3, l2, l1, pool[POOL];
	bool dead; /* but for what the other one still uses */
} sides[2];

/* What is mapped, as the model knows it. */
#define MAPPINGS 256
static struct mapping {
	bool live, host, device, write;
	unsigned int user, granter; /* sides */
	grant_ref_t ref;
	grant_handle_t handle;
	uint64_t host_addr;
	uint32_t flags;
	mfn_t mfn;
} mappings[MAPPINGS];

/* When a domain's CPUs could last have learnt a translation to a frame. */
static unsigned long reachable_at[2][FAKE_RAM];

static void become(const struct side *s)
{
	fake_act_as(s->d);
}

static uint64_t *l1_of(const struct side *s)
{
	return page(s->l1);
}

static void make_side(unsigned int n, struct domain *d, struct vcpu *v)
{
	struct side *s = &sides[n];

	*s = (struct side){.d = d, .v = v};
	become(s);
	if (grant_init(d))
		FAIL("no memory");
	s->l4 = domain_alloc_frames(d, 0, ALLOC_ZERO);
	s->l3 = domain_alloc_frames(d, 0, ALLOC_ZERO);
	s->l2 = domain_alloc_frames(d, 0, ALLOC_ZERO);
	s->l1 = domain_alloc_frames(d, 0, ALLOC_ZERO);
	page(s->l4)[0] = pte(s->l3, RW);
	page(s->l3)[0] = pte(s->l2, RW);
	page(s->l2)[0] = pte(s->l1, RW);
	for (unsigned int i = 0; i < POOL; i++)
		s->pool[i] = domain_alloc_frames(d, 0, ALLOC_ZERO);
	if (set_vcpu_root(v, s->l4, false))
		FAIL("no root");
}

static void model_start(void)
{
	fake_start(false);
	fake_time = 1;
	memset(fake_flushed, 0, sizeof(fake_flushed));
	memset(mappings, 0, sizeof(mappings));
	memset(reachable_at, 0, sizeof(reachable_at));
	model_op = "test";
	make_side(0, &guest, &vcpu);
	make_side(1, &other, &vcpu_of_other);
	become(&sides[0]);
}

/* ---- the model ---- */

struct count {
	unsigned int refs, typed;
};
static struct count model[FAKE_RAM];

static void count(mfn_t mfn, bool typed)
{
	if (mfn >= FAKE_RAM)
		FAIL("no such frame: %#lx", mfn);
	model[mfn].refs++;
	model[mfn].typed += typed;
}

static bool is_granted(unsigned int user, mfn_t mfn, bool write)
{
	for (unsigned int i = 0; i < MAPPINGS; i++) {
		const struct mapping *m = &mappings[i];

		if (m->live && m->user == user && m->mfn == mfn && (m->write || !write))
			return true;
	}
	return false;
}

static void count_tables(unsigned int n)
{
	const struct side *s = &sides[n];

	if (s->dead)
		return;
	count(s->l4, true); /* the root */
	count(s->l3, true);
	count(s->l2, true);
	count(s->l1, true);
	for (unsigned int i = 0; i < 512; i++) {
		uint64_t e = l1_of(s)[i];
		mfn_t mfn = (e & PTE_ADDR_MASK) >> PAGE_SHIFT;

		if (!(e & PTE_PRESENT))
			continue;
		if (!(e & PTE_USER) || (e & PTE_GLOBAL))
			FAIL("entry %u: %#lx", i, e);
		count(mfn, e & PTE_RW);
		reachable_at[n][mfn] = fake_time;
		if (fr(mfn)->owner != s->d->id && !is_granted(n, mfn, e & PTE_RW))
			FAIL("domain %u maps frame %#lx, which was not granted", s->d->id, mfn);
	}
}

static void check_uses(unsigned int granter)
{
	const struct domain_grant *t = &sides[granter].d->grant;
	static struct {
		unsigned int uses, writers;
	} found[GRANT_MAX_FRAMES * 512];
	unsigned int in_use = 0;

	memset(found, 0, t->nr_frames * 512 * sizeof(found[0]));
	for (const struct mapping *m = mappings; m < mappings + MAPPINGS; m++) {
		const struct grant_active *a = &t->active[m->ref / 512][m->ref % 512];

		if (!m->live || m->granter != granter)
			continue;
		found[m->ref].uses += m->host + m->device;
		found[m->ref].writers += m->write ? m->host + m->device : 0;
		if (a->mfn != m->mfn || a->user != sides[m->user].d->id)
			FAIL("grant %u: frame %#x of %u", m->ref, a->mfn, a->user);
	}
	for (grant_ref_t ref = 0; ref < t->nr_frames * 512; ref++) {
		const struct grant_active *a = &t->active[ref / 512][ref % 512];

		if (a->uses != found[ref].uses || a->writers != found[ref].writers)
			FAIL("grant %u: used %u and %u times, found %u and %u", ref, a->uses,
			     a->writers, found[ref].uses, found[ref].writers);
		if (a->uses) {
			in_use++;
			count(a->mfn, a->writers);
		}
	}
	if (in_use != t->in_use)
		FAIL("%u grants in use, found %u", t->in_use, in_use);
	for (unsigned int i = 0; i < t->nr_frames; i++)
		if (!(frame_state(fr(virt_to_mfn(t->table[i]))) & FRAME_HV))
			FAIL("a frame of the table is not shared");
}

static void check_frame(mfn_t mfn, uint64_t owned[2])
{
	const struct frame *f = fr(mfn);
	uint64_t s = f->state;

	if (!state_refs(s) && (s & (FRAME_FREE | FRAME_HV)) == 0)
		FAIL("frame %#lx is lost: %#lx", mfn, s);
	if (state_refs(s) && (s & FRAME_ALLOC))
		count(mfn, false);
	if (state_refs(s) && (s & FRAME_HV))
		count(mfn, true);
	if (state_refs(s) && (s & FRAME_PINNED))
		count(mfn, true);
	if (state_refs(s) != model[mfn].refs ||
	    (state_refs(s) && state_type_refs(s) != model[mfn].typed))
		FAIL("frame %#lx: state %#lx, found %u references, %u typed", mfn, s,
		     model[mfn].refs, model[mfn].typed);
	for (unsigned int n = 0; n < 2; n++) {
		bool mine = state_refs(s) && f->owner == sides[n].d->id;

		if (mine && !(s & FRAME_HV))
			owned[n]++;
		/* What it may still reach must be held for it, until a flush. */
		if (!mine && state_refs(s) && reachable_at[n][mfn] > fake_flushed[n] &&
		    !is_granted(n, mfn, false))
			FAIL("domain %u may have a translation to frame %#lx", sides[n].d->id, mfn);
	}
}

static void check_model(void)
{
	uint64_t owned[2] = {0};

	memset(model, 0, sizeof(model));
	for (unsigned int n = 0; n < 2; n++) {
		count_tables(n);
		check_uses(n);
	}
	for (mfn_t mfn = 1; mfn < FAKE_RAM; mfn++)
		check_frame(mfn, owned);
	for (unsigned int n = 0; n < 2; n++) {
		struct domain *d = sides[n].d;

		if (d->mm.tot_pages != owned[n])
			FAIL("domain %u has %lu pages, found %lu", d->id, d->mm.tot_pages,
			     owned[n]);
		if (spin_is_locked(&d->mm.lock) || spin_is_locked(&d->grant.lock))
			FAIL("a lock is held");
	}
	fake_time++;
}

/* ---- operations ---- */

void write_back(const char *p, size_t len);

void write_back(const char *p, size_t len)
{
}

static long grant_op(unsigned int cmd, void *args, unsigned int count_of)
{
	long rc = do_grant_table_op(cmd, (vaddr_t)args, count_of);

	while (rc == CONTINUED) {
		if (fake_continuation.nr != __HYPERVISOR_grant_table_op)
			FAIL("continues as %u", fake_continuation.nr);
		rc = do_grant_table_op((unsigned int)fake_continuation.arg[0],
				       fake_continuation.arg[1],
				       (unsigned int)fake_continuation.arg[2]);
	}
	return rc;
}

static struct grant_entry_v1 *v1_of(unsigned int n, grant_ref_t ref)
{
	return (struct grant_entry_v1 *)sides[n].d->grant.table[ref / 512] + ref % 512;
}

static union grant_entry_v2 *v2_of(unsigned int n, grant_ref_t ref)
{
	return (union grant_entry_v2 *)sides[n].d->grant.table[ref / 256] + ref % 256;
}

/* user maps what granter granted: op.dom and status are filled in. */
static int model_map(unsigned int user, unsigned int granter, struct gnttab_map_grant_ref *op)
{
	struct mapping *m = mappings;

	become(&sides[user]);
	op->dom = sides[granter].d->id;
	op->status = 99;
	if (grant_op(GNTTABOP_map_grant_ref, op, 1))
		FAIL("map failed");
	if (op->status)
		return op->status;
	while (m->live)
		if (++m == mappings + MAPPINGS)
			FAIL("too many mappings");
	*m = (struct mapping){.live = true,
			      .host = op->flags & GNTMAP_host_map,
			      .device = op->flags & GNTMAP_device_map,
			      .write = !(op->flags & GNTMAP_readonly),
			      .user = user,
			      .granter = granter,
			      .ref = op->ref,
			      .handle = op->handle,
			      .host_addr = op->host_addr,
			      .flags = op->flags,
			      .mfn = op->dev_bus_addr >> PAGE_SHIFT};
	for (struct mapping *o = mappings; o < mappings + MAPPINGS; o++)
		if (o != m && o->live && o->user == user && o->handle == m->handle)
			FAIL("handle %u was given out twice", m->handle);
	return 0;
}

/* The mapping that user knows by this handle. */
static struct mapping *mapping_of(unsigned int user, grant_handle_t handle)
{
	for (struct mapping *m = mappings; m < mappings + MAPPINGS; m++)
		if (m->live && m->user == user && m->handle == handle)
			return m;
	return NULL;
}

static int model_unmap(unsigned int user, struct gnttab_unmap_grant_ref *op)
{
	struct mapping *m = mapping_of(user, op->handle);

	become(&sides[user]);
	op->status = 99;
	if (grant_op(GNTTABOP_unmap_grant_ref, op, 1))
		FAIL("unmap failed");
	if (!m && op->status != GNTST_bad_handle)
		FAIL("unmapped what is not mapped: %d", op->status);
	if (op->status)
		return op->status;
	if (op->host_addr)
		m->host = false;
	if (op->dev_bus_addr)
		m->device = false;
	m->live = m->host || m->device;
	return 0;
}

/* ---- random operations ---- */

static mfn_t any_frame(void)
{
	const struct side *s = &sides[pick(2)];

	switch (pick(16)) {
	case 0:
		return pick(FAKE_FRAMES);
	case 1:
		return s->l1;
	case 2:
		return virt_to_mfn(s->d->grant.table[0]);
	default:
		return s->pool[pick(POOL)];
	}
}

static uint64_t any_place(unsigned int n, bool entry)
{
	unsigned int slot = 1 + pick(SLOTS);

	if (!pick(16))
		return entry ? any_frame() << 12 | pick(512) * 8 : (uint64_t)pick(1 << 30) << 12;
	return entry ? sides[n].l1 << 12 | slot * 8 : (uint64_t)slot << 12 | pick(4096);
}

static void random_grant(unsigned int n)
{
	grant_ref_t ref = pick(REFS);
	domid_t domid = sides[pick(8) ? !n : n].d->id;
	mfn_t mfn = pick(8) ? sides[n].pool[pick(POOL)] : any_frame();
	uint16_t flags = pick(6) ? GTF_permit_access : pick(4);

	if (!pick(3))
		flags |= GTF_readonly;
	if (!pick(8))
		flags |= 1U << pick(16);
	if (sides[n].d->grant.version == 1) {
		*v1_of(n, ref) = (struct grant_entry_v1){flags, domid, (uint32_t)mfn};
	} else {
		memset(v2_of(n, ref), 0, sizeof(union grant_entry_v2));
		v2_of(n, ref)->full_page.hdr = (struct grant_entry_header){flags, domid};
		v2_of(n, ref)->full_page.frame = mfn;
		v2_of(n, ref)->sub_page.length = pick(3000);
		if ((flags & 3) == GTF_transitive) {
			v2_of(n, ref)->transitive.trans_domid = sides[pick(2)].d->id;
			v2_of(n, ref)->transitive.gref = pick(REFS);
		}
	}
}

static void random_map(unsigned int n)
{
	struct gnttab_map_grant_ref op = {.ref = pick(32) ? pick(REFS) : pick(2000)};

	op.flags = pick(8) ? GNTMAP_host_map : pick(32);
	if (!pick(4))
		op.flags |= GNTMAP_device_map;
	if (!pick(3))
		op.flags |= GNTMAP_readonly;
	if (!pick(3))
		op.flags |= GNTMAP_contains_pte;
	if (!pick(6))
		op.flags |= pick(65536) << 16;
	op.host_addr = any_place(n, op.flags & GNTMAP_contains_pte);
	model_map(n, pick(5) ? !n : n, &op);
}

static struct mapping *any_mapping(unsigned int user)
{
	struct mapping *m = &mappings[pick(16)];

	return m->live && m->user == user ? m : NULL;
}

static void random_unmap(unsigned int n)
{
	const struct mapping *m = any_mapping(n);
	struct gnttab_unmap_grant_ref op = {.handle = m && pick(16) ? m->handle : pick(20)};

	if (m && pick(8)) {
		op.host_addr = m->host && pick(8) ? m->host_addr : 0;
		op.dev_bus_addr = m->device && pick(3) ? m->mfn << 12 : 0;
	} else {
		m = mapping_of(n, op.handle);
		op.host_addr = m && m->host ? any_place(n, m->flags & GNTMAP_contains_pte) : 0;
	}
	model_unmap(n, &op);
}

static void random_replace(unsigned int n)
{
	struct gnttab_unmap_and_replace op = {.new_addr = pick(4) ? any_place(n, false) : 0};
	struct mapping *m = any_mapping(n);

	if (!m || !m->host)
		return;
	op.handle = m->handle;
	op.host_addr = pick(8) ? m->host_addr : any_place(n, m->flags & GNTMAP_contains_pte);
	op.status = 99;
	if (grant_op(GNTTABOP_unmap_and_replace, &op, 1))
		FAIL("replace failed");
	if (!op.status && op.host_addr) {
		m->host = false;
		m->live = m->device;
	}
}

static void random_copy(unsigned int n)
{
	struct gnttab_copy op[3];

	for (unsigned int i = 0; i < 3; i++) {
		op[i] = (struct gnttab_copy){.len = pick(5000), .flags = pick(4)};
		op[i].source.domid = op[i].flags & 1 ? sides[pick(2)].d->id : DOMID_SELF;
		op[i].dest.domid = op[i].flags & 2 ? sides[pick(2)].d->id : DOMID_SELF;
		op[i].source.offset = pick(100);
		op[i].dest.offset = pick(100);
		/* A table of ours must not be written to, nor would that be found: it is not. */
		op[i].source.u.gmfn = op[i].flags & 1 ? pick(REFS) : any_frame();
		op[i].dest.u.gmfn = op[i].flags & 2 ? pick(REFS) : any_frame();
	}
	grant_op(GNTTABOP_copy, op, 3);
}

static void random_update(unsigned int n)
{
	struct mmu_update req = {any_place(n, true), pte(any_frame(), pick(2) ? RO : RW)};
	unsigned int done;

	if (!pick(3))
		req.val = 0;
	/* Bits that may change while the mapping stays. */
	else if (pick(3) && (req.ptr >> 12) == sides[n].l1)
		req.val = l1_of(&sides[n])[(req.ptr & 4095) / 8] ^ (pick(2) ? PTE_DIRTY : PTE_RW);
	finish_hypercall(do_mmu_update((vaddr_t)&req, 1, (vaddr_t)&done, DOMID_SELF));
}

/* A frame that is no longer the domain's, whether anybody still uses it or not. */
static void forget_frame(unsigned int n, mfn_t mfn)
{
	for (unsigned int i = 0; i < POOL; i++)
		if (sides[n].pool[i] == mfn) {
			mfn_t fresh = domain_alloc_frames(sides[n].d, 0, ALLOC_ZERO);

			if (fresh != INVALID_MFN)
				sides[n].pool[i] = fresh;
		}
}

static void random_decrease(unsigned int n)
{
	uint64_t mfn = sides[n].pool[pick(POOL)];
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

	r.extent_start.p = &mfn;
	if (do_memory_op(XENMEM_decrease_reservation, (vaddr_t)&r) == 1)
		forget_frame(n, mfn);
}

static void random_transfer(unsigned int n)
{
	struct gnttab_transfer op = {.mfn = any_frame(), .ref = pick(REFS)};

	op.domid = sides[pick(4) ? !n : n].d->id;
	if (sides[!n].d->grant.version == 1 && pick(2))
		*v1_of(!n, op.ref) =
		    (struct grant_entry_v1){GTF_accept_transfer, sides[n].d->id, 0};
	if (grant_op(GNTTABOP_transfer, &op, 1))
		FAIL("transfer failed");
	if (op.status == GNTST_bad_page)
		return;
	/* It is gone from here; perhaps it is there. */
	forget_frame(n, op.mfn);
	if (op.status == 0)
		sides[!n].pool[pick(POOL)] = op.mfn;
}

static void random_table(unsigned int n)
{
	uint64_t list[GRANT_MAX_FRAMES];
	struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = pick(4)};
	struct gnttab_get_status_frames status = {.dom = DOMID_SELF, .nr_frames = pick(3)};
	struct gnttab_set_version version = {.version = pick(4)};
	struct gnttab_swap_grant_ref swap = {pick(REFS), pick(REFS), 0};

	switch (pick(4)) {
	case 0:
		setup.frame_list.p = list;
		grant_op(GNTTABOP_setup_table, &setup, 1);
		break;
	case 1:
		status.frame_list.p = list;
		grant_op(GNTTABOP_get_status_frames, &status, 1);
		break;
	case 2:
		grant_op(GNTTABOP_set_version, &version, 1);
		break;
	default:
		grant_op(GNTTABOP_swap_grant_ref, &swap, 1);
		break;
	}
	/* The model's domains know no privilege, so what is another's is not to be had. */
	setup.dom = sides[!n].d->id;
	setup.status = 0;
	grant_op(GNTTABOP_setup_table, &setup, 1);
	if (setup.status != GNTST_permission_denied)
		FAIL("set up another's table: %d", setup.status);
}

/* Only what the other one uses of it may be left. */
static void relinquish(unsigned int n)
{
	struct side *s = &sides[n];
	uint32_t next = 0;

	s->d->is_dying = true;
	while (domain_relinquish_memory(s->d))
		;
	while (grant_release_mappings(s->d, &next))
		;
	s->dead = true;
	for (struct mapping *m = mappings; m < mappings + MAPPINGS; m++)
		if (m->user == n)
			m->live = false;
}

static void one_operation(void)
{
	unsigned int n = pick(2);

	if (sides[n].dead)
		n = !n;
	become(&sides[n]);
	if (!pick(200) && !sides[0].dead && !sides[1].dead) {
		model_op = "death";
		relinquish(!n);
		return;
	}
	switch (pick(16)) {
	case 0 ... 3:
		model_op = "grant";
		random_grant(n);
		break;
	case 4 ... 7:
		model_op = "map";
		random_map(n);
		break;
	case 8 ... 10:
		model_op = "unmap";
		random_unmap(n);
		break;
	case 11:
		model_op = "replace";
		random_replace(n);
		break;
	case 12:
		model_op = "copy";
		random_copy(n);
		break;
	case 13:
		model_op = "update";
		random_update(n);
		break;
	case 14:
		model_op = "transfer or decrease";
		if (pick(3))
			random_transfer(n);
		else
			random_decrease(n);
		break;
	default:
		model_op = "table";
		random_table(n);
		break;
	}
}

static void model_end(void)
{
	unsigned int first = pick(2);

	/* The granter first or last. */
	model_op = "end";
	for (unsigned int i = 0; i < 2; i++, first = !first) {
		if (sides[first].dead)
			continue;
		become(&sides[first]);
		relinquish(first);
	}
	for (unsigned int n = 0; n < 2; n++) {
		if (sides[n].d->grant.in_use)
			FAIL("%u grants are in use", sides[n].d->grant.in_use);
		grant_release_table(sides[n].d);
		grant_destroy(sides[n].d);
	}
	for (mfn_t mfn = FAKE_RESERVED; mfn < FAKE_RAM; mfn++)
		if (state_refs(fr(mfn)->state))
			FAIL("frame %#lx is left: %#lx", mfn, fr(mfn)->state);
	for (unsigned int n = 0; n < 2; n++)
		if (sides[n].d->mm.tot_pages)
			FAIL("%lu pages are left", sides[n].d->mm.tot_pages);
}

#endif
