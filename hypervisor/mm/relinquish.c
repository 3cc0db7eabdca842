/* SPDX-License-Identifier: MIT */
/*
 * The end of a domain's memory. Its vCPUs have stopped and their own references are dropped first; then
 * every frame of the frame table that is the domain's is visited once, and what the domain itself
 * holds there goes: pins, preempted validations, ownership. Page tables hold what they map until the
 * last thing that holds them is gone, so all frames are free when the pass ends, whatever the order.
 */
#include "mm/page_type.h"
#include "lib/errno.h"

/* Frames that are looked at in one go, with the lock held; one that is the domain's is as much work as some others. */
#ifndef FRAMES_PER_CALL
#define FRAMES_PER_CALL 16384
#endif
#define COST_OF_OWN 16

static int put_slot(struct domain *d, mfn_t *slot, mfn_t none)
{
	int rc;

	if (*slot == none)
		return 0;
	rc = put_table(d, &frame_table[*slot], 0);
	if (!rc)
		*slot = none;
	return rc;
}

static int release_vcpus(struct domain *d)
{
	int rc = 0;

	for (unsigned int i = 0; i < d->max_vcpus && !rc; i++) {
		struct vcpu *v = d->vcpu[i];

		if (v->put_pending)
			rc = put_some(v);
		spin_lock(&d->mm.lock);
		d->mm.budget = MM_BUDGET;
		rc = rc ?: put_slot(d, &v->kernel_root, INVALID_MFN);
		rc = rc ?: put_slot(d, &v->user_root, INVALID_MFN);
		spin_unlock(&d->mm.lock);
		if (!rc) {
			release_gdt(v);
			invalidate_ldt(v);
		}
	}
	return rc;
}

/* What d itself holds of one of its frames. */
static int release_own(struct domain *d, struct frame *f)
{
	int rc = 0;

	if (frame_state(f) & FRAME_PINNED)
		rc = put_table(d, f, FRAME_PINNED);
	if (!rc && (frame_state(f) & FRAME_PARTIAL) && !state_type_refs(frame_state(f)))
		rc = abandon_validation(d, f);
	if (!rc)
		drop_ownership(d, frame_mfn(f));
	return rc;
}

/* *work grows by what it was. */
static int release_frame(struct domain *d, struct frame *f, unsigned int *work)
{
	uint64_t s = frame_state(f);
	int rc;

	++*work;
	if (s & FRAME_FREE) {
		forget_last_owner(f, d->id);
		return 0;
	}
	/* A reference of our own while we look: all of d's may be gone before we are done, and a peer's too. */
	do {
		if (!(s & FRAME_RAM) || !state_refs(s) || !frame_is_owned(f, d))
			return 0;
	} while (!frame_exchange(f, &s, s + FRAME_REF));
	*work += COST_OF_OWN;
	rc = frame_is_owned(f, d) ? release_own(d, f) : 0;
	put_frame(frame_mfn(f));
	return rc;
}

/* As many as may be done at once, from relinquish_next on, which is 0 at first. */
static int release_frames(struct domain *d)
{
	mfn_t from = max(d->mm.relinquish_next, ~d->mm.frames_from), to = d->mm.frames_to;
	unsigned int work = 0;
	int rc = 0;

	spin_lock(&d->mm.lock);
	d->mm.budget = MM_BUDGET;
	while (from < to && work < FRAMES_PER_CALL && !rc) {
		rc = release_frame(d, &frame_table[from], &work);
		if (!rc)
			from++;
	}
	spin_unlock(&d->mm.lock);
	d->mm.relinquish_next = from;
	return from < to ? -EINTR : 0;
}

int domain_relinquish_memory(struct domain *d)
{
	int rc = release_vcpus(d);

	if (rc)
		return rc;
	if (!d->mm.relinquish_next) {
		set_claim(d, 0);
		free_memory_map(d);
		wait_for_frees();
	}
	return release_frames(d);
}
