/* SPDX-License-Identifier: MIT */
/*
 * Use of one entry of a table: what the granter has written is checked, the entry is marked as in use, and
 * the frame is held. The granter may write to the entry meanwhile, on another CPU.
 */
#include "grant/internal.h"
#include "domain/domain.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* A granter that keeps changing the entry under our eyes gets no more tries than this. */
#define TRIES 4

/* Flags and user of an entry, as one word: how both versions begin. */
union head {
	struct grant_entry_header h;
	uint32_t word;
};
_Static_assert(sizeof(union head) == 4, "the head of an entry");

static inline union head read_head(const void *entry)
{
	return (union head){.word = __atomic_load_n((const uint32_t *)entry, __ATOMIC_ACQUIRE)};
}

/*
 * May user do what u says with an entry of this type, which has none of the flags refused? Those for the cache are
 * not looked at: only memory is granted, and it is mapped cached.
 */
static inline bool permits(union head e, uint16_t type, uint16_t refused, const struct grant_use *u,
			   domid_t user)
{
	if (u->write)
		refused |= GTF_readonly;
	return (e.h.flags & (GTF_type_mask | refused)) == type && e.h.domid == user;
}

/* ---- version 1 ---- */

/* 0: marked for reading, and for writing if u does. */
static int mark_v1(struct grant_entry_v1 *e, const struct grant_use *u, domid_t user)
{
	uint32_t *word = (uint32_t *)e;
	union head was = read_head(e), now;

	for (unsigned int i = 0; i < TRIES; i++) {
		/* There are no parts of pages in version 1, but who says so can't mean a mapping. */
		if (!permits(was, GTF_permit_access, u->copy ? 0 : GTF_sub_page, u, user))
			return GNTST_general_error;
		now = was;
		now.h.flags |= u->write ? GTF_reading | GTF_writing : GTF_reading;
		if (likely(__atomic_compare_exchange_n(word, &was.word, now.word, false,
						       __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)))
			return GNTST_okay;
	}
	return GNTST_general_error;
}

/* ---- version 2 ---- */

static bool usable_v2(union head e, const struct grant_use *u, domid_t user)
{
	/* Parts of a page, and what another domain granted, can be copied only. */
	return permits(e, GTF_permit_access, u->copy ? 0 : GTF_sub_page, u, user) ||
	       (u->copy && permits(e, GTF_transitive, 0, u, user));
}

/* bits: those of the state that are not set on behalf of others. */
static int mark_v2(const union grant_entry_v2 *e, grant_status_t *status, uint16_t bits,
		   struct grant_use *u, domid_t user)
{
	union head was = read_head(e), now;

	if (!usable_v2(was, u, user))
		return GNTST_general_error;
	/*
	 * The granter ends access by clearing the flags and then looking at the state (public header): one
	 * of us sees what the other wrote, for both have a full barrier in between.
	 */
	__atomic_fetch_or(status, bits, __ATOMIC_SEQ_CST);
	now = read_head(e);
	if (now.word != was.word && !usable_v2(now, u, user)) {
		__atomic_fetch_and(status, (uint16_t)~bits, __ATOMIC_SEQ_CST);
		return GNTST_general_error;
	}
	u->transitive = (now.h.flags & GTF_type_mask) == GTF_transitive;
	if (u->transitive) {
		u->next_granter = READ_ONCE(e->transitive.trans_domid);
		u->next_ref = READ_ONCE(e->transitive.gref);
	} else if (now.h.flags & GTF_sub_page) {
		u->start = READ_ONCE(e->sub_page.page_off);
		u->end = min(u->start + READ_ONCE(e->sub_page.length), (uint32_t)PAGE_SIZE);
	}
	return GNTST_okay;
}

/* ---- both ---- */

static void unmark(const struct domain_grant *t, grant_ref_t ref, uint16_t bits)
{
	uint16_t *where = t->version == 1 ? &entry_v1(t, ref)->flags : status_of(t, ref);

	__atomic_fetch_and(where, (uint16_t)~bits, __ATOMIC_SEQ_CST);
}

static mfn_t entry_frame_number(const struct domain_grant *t, grant_ref_t ref)
{
	return t->version == 1 ? READ_ONCE(entry_v1(t, ref)->frame)
			       : READ_ONCE(entry_v2(t, ref)->full_page.frame);
}

/* What the entry is to be once it is used: a transitive one has no frame of its own. */
static int hold_transitive(struct grant_active *a, const struct grant_use *u)
{
	/* What it was when it was used first it remains. */
	if (a->uses && (a->mfn != GRANT_NO_FRAME || !u->transitive))
		return GNTST_general_error;
	a->mfn = GRANT_NO_FRAME;
	return GNTST_okay;
}

/* The reference that a holds from now on: it has none yet, or one that does not permit writing. */
static int hold(struct domain *d, struct grant_active *a, const struct grant_use *u)
{
	mfn_t mfn = a->uses ? a->mfn : entry_frame_number(&d->grant, u->ref);

	if (u->write) {
		if (unlikely(!get_writable_frame(mfn, d)))
			return frame_owner(mfn) == d ? GNTST_general_error : GNTST_bad_page;
		if (a->uses)
			put_frame(mfn);
	} else if (unlikely(!get_frame(mfn, d))) {
		return GNTST_bad_page;
	}
	a->mfn = (uint32_t)mfn;
	return GNTST_okay;
}

/* A use of a begins that the entry must permit first; bits are those that its state does not show yet. */
static int begin(struct domain *d, struct grant_active *a, struct grant_use *u, domid_t user,
		 uint16_t bits)
{
	struct domain_grant *t = &d->grant;
	int status = t->version == 1
			 ? mark_v1(entry_v1(t, u->ref), u, user)
			 : mark_v2(entry_v2(t, u->ref), status_of(t, u->ref), bits, u, user);

	if (unlikely(status))
		return status;
	if (unlikely(u->transitive || (a->uses && a->mfn == GRANT_NO_FRAME)))
		status = hold_transitive(a, u);
	else if (bits)
		status = hold(d, a, u);
	if (unlikely(status))
		unmark(t, u->ref, bits);
	return status;
}

/*
 * What is asked for nearly always, in few instructions: a whole page by version 1, used by nobody yet. False: it is not
 * that, or fails, and nothing has changed.
 */
static inline bool use_first_v1(struct domain *d, struct grant_active *a, struct grant_use *u,
				domid_t user)
{
	struct grant_entry_v1 *e = entry_v1(&d->grant, u->ref);
	union head mask = {{GTF_type_mask | GTF_sub_page, (domid_t)~0}};
	union head wanted = {{GTF_permit_access, user}}, was = read_head(e);
	uint16_t bits = GTF_reading;
	mfn_t mfn;

	if (u->write) {
		mask.h.flags |= GTF_readonly;
		bits |= GTF_writing;
	}
	if (unlikely((was.word & mask.word) != wanted.word))
		return false;
	if (unlikely(!__atomic_compare_exchange_n((uint32_t *)e, &was.word, was.word | bits, false,
						  __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)))
		return false;
	mfn = READ_ONCE(e->frame);
	if (unlikely(!(u->write ? get_writable_frame(mfn, d) : get_frame(mfn, d)))) {
		unmark(&d->grant, u->ref, bits);
		return false;
	}
	a->mfn = (uint32_t)mfn;
	a->user = user;
	a->partial = false;
	a->uses = u->n;
	a->writers = u->write ? u->n : 0;
	d->grant.in_use++;
	u->mfn = mfn;
	return true;
}

static __attribute__((noinline)) int use_checked(struct domain *d, struct grant_active *a,
						 struct grant_use *u, domid_t user)
{
	struct domain_grant *t = &d->grant;
	uint16_t bits = 0;
	int status = GNTST_okay;

	/* Its grants in use go on, no more begin. */
	if (unlikely(d->is_dying))
		return GNTST_bad_domain;
	/* In use, it is whose it was; a part of the page stands for no mapping. */
	if (a->uses && unlikely(a->user != user || (a->partial && !u->copy)))
		return GNTST_general_error;
	bits |= a->uses ? 0 : GTF_reading;
	bits |= u->write && !a->writers ? GTF_writing : 0;
	if (likely(bits) || a->partial)
		status = begin(d, a, u, user, bits);
	if (unlikely(status))
		return status;
	if (!a->uses) {
		a->user = user;
		a->partial = u->transitive || u->end - u->start != PAGE_SIZE;
		t->in_use++;
	}
	a->uses += u->n;
	if (u->write)
		a->writers += u->n;
	u->mfn = a->mfn;
	/* A frame that is held keeps its domain. Where there is none the use does so itself. */
	if (unlikely(a->mfn == GRANT_NO_FRAME))
		domain_hold(d);
	return GNTST_okay;
}

static inline int use_locked(struct domain *d, struct grant_use *u, domid_t user)
{
	struct domain_grant *t = &d->grant;
	struct grant_active *a;

	if (unlikely(u->ref >= nr_entries(t)))
		return GNTST_bad_gntref;
	u->ref = (grant_ref_t)clamp_index(u->ref, nr_entries(t));
	a = active_of(t, u->ref);
	u->transitive = false;
	u->start = 0;
	u->end = PAGE_SIZE;

	if (likely(!a->uses && t->version == 1) && likely(use_first_v1(d, a, u, user)))
		return GNTST_okay;
	return use_checked(d, a, u, user);
}

int grant_use(struct grant_use *u, domid_t user)
{
	struct domain *d = u->granter;
	int status;

	spin_lock(&d->grant.lock);
	status = use_locked(d, u, user);
	spin_unlock(&d->grant.lock);
	return status;
}

/* a loses its last use for writing, or its last one. */
static void release(const struct grant_active *a, uint16_t bits)
{
	if (!(bits & GTF_writing))
		put_frame(a->mfn);
	else if (a->uses)
		end_writing(a->mfn);
	else
		put_writable_frame(a->mfn);
}

void grant_unuse(const struct grant_use *u)
{
	struct domain_grant *t = &u->granter->grant;
	struct grant_active *a;
	uint16_t bits = 0;
	bool closing, no_frame;

	spin_lock(&t->lock);
	closing = t->closing;
	/* The frame may be what keeps it. */
	if (unlikely(closing))
		domain_hold(u->granter);
	a = active_of(t, u->ref);
	no_frame = a->mfn == GRANT_NO_FRAME;
	a->uses -= u->n;
	if (u->write) {
		a->writers -= u->n;
		bits = a->writers ? 0 : GTF_writing;
	}
	if (!a->uses) {
		t->in_use--;
		bits |= GTF_reading;
	}
	if (bits && likely(!no_frame))
		release(a, bits);
	/* Last: who sees it may use the frame for something else at once. */
	if (bits)
		unmark(t, u->ref, bits);
	if (unlikely(closing) && !t->in_use)
		grant_drop_frames(u->granter);
	spin_unlock(&t->lock);
	if (unlikely(closing))
		domain_put(u->granter);
	if (unlikely(no_frame))
		domain_put(u->granter);
}
