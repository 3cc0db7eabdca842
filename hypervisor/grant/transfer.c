/* SPDX-License-Identifier: MIT */
/* Frames that change hands, entries that change places, and the caches. */
#include "grant/internal.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* ---- transfer ---- */

/* Where the entry says that something was accepted, and where the frame's number goes. Lock held. */
static struct grant_entry_header *header_of(const struct domain_grant *t, grant_ref_t ref)
{
	return t->version == 1 ? (struct grant_entry_header *)entry_v1(t, ref)
			       : &entry_v2(t, ref)->hdr;
}

/* Does the owner of the table accept a frame from this domain? Then it must leave the entry alone from now on. */
static bool commit(struct domain_grant *t, grant_ref_t ref, domid_t from)
{
	union {
		struct grant_entry_header h;
		uint32_t word;
	} was = {.h = {GTF_accept_transfer, from}}, now = was;

	now.h.flags |= GTF_transfer_committed;
	return __atomic_compare_exchange_n((uint32_t *)header_of(t, ref), &was.word, now.word,
					   false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void complete(struct domain_grant *t, grant_ref_t ref, mfn_t mfn)
{
	if (t->version == 1)
		WRITE_ONCE(entry_v1(t, ref)->frame, (uint32_t)mfn);
	else
		WRITE_ONCE(entry_v2(t, ref)->full_page.frame, mfn);
	__atomic_fetch_or(&header_of(t, ref)->flags, GTF_transfer_completed, __ATOMIC_SEQ_CST);
}

static int transfer_stolen(struct domain *d, struct domain *to, const struct gnttab_transfer *op)
{
	struct domain_grant *t = &to->grant;
	int status = GNTST_general_error;

	spin_lock(&t->lock);
	if (op->ref < nr_entries(t)) {
		grant_ref_t ref = (grant_ref_t)clamp_index(op->ref, nr_entries(t));

		if (t->version == 1 && op->mfn > UINT32_MAX)
			status = GNTST_address_too_big;
		else if (commit(t, ref, d->id) && give_stolen_frame(op->mfn, d, to)) {
			complete(t, ref, op->mfn);
			status = GNTST_okay;
		}
	}
	spin_unlock(&t->lock);
	return status;
}

void grant_transfer(struct gnttab_transfer *op)
{
	struct domain *d = current->domain, *to;

	if (!steal_frame(d, op->mfn)) {
		op->status = GNTST_bad_page;
		return;
	}
	to = op->domid < DOMID_FIRST_RESERVED ? domain_find(op->domid) : NULL;
	op->status = to && to != d ? (int16_t)transfer_stolen(d, to, op) : GNTST_bad_domain;
	/* Whatever the reason, the caller has lost it. */
	if (op->status)
		free_stolen_frame(d, op->mfn);
}

/* ---- swap ---- */

static int swap(struct domain_grant *t, grant_ref_t a, grant_ref_t b)
{
	if (a >= nr_entries(t) || b >= nr_entries(t))
		return GNTST_bad_gntref;
	if (a == b)
		return GNTST_okay;
	if (active_of(t, a)->uses || active_of(t, b)->uses)
		return GNTST_eagain;
	if (t->version == 1) {
		struct grant_entry_v1 e = *entry_v1(t, a);

		*entry_v1(t, a) = *entry_v1(t, b);
		*entry_v1(t, b) = e;
	} else {
		union grant_entry_v2 e = *entry_v2(t, a);

		*entry_v2(t, a) = *entry_v2(t, b);
		*entry_v2(t, b) = e;
	}
	return GNTST_okay;
}

void grant_swap(struct gnttab_swap_grant_ref *op)
{
	struct domain_grant *t = &current->domain->grant;

	spin_lock(&t->lock);
	op->status = (int16_t)swap(t, op->ref_a, op->ref_b);
	spin_unlock(&t->lock);
}

/* ---- caches ---- */

#ifndef UNIT_TEST
static void write_back(const char *p, size_t len)
{
	for (const char *end = p + len; p < end; p += 64)
		__asm__ volatile("clflush %0" ::"m"(*p) : "memory");
	__asm__ volatile("mfence" ::: "memory");
}
#else
void write_back(const char *p, size_t len);
#endif

long grant_cache_flush(const struct gnttab_cache_flush *op)
{
	struct domain *d = current->domain;
	mfn_t mfn = op->a.dev_bus_addr >> PAGE_SHIFT;

	if ((op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL)) ||
	    op->offset + op->length > PAGE_SIZE)
		return -EINVAL;
	if (!op->length || !op->op)
		return 0;
	if (!mfn_is_ram(mfn))
		return -EINVAL;
	if (!get_frame(mfn, d))
		return -EPERM;
	if (op->op & GNTTAB_CACHE_CLEAN) {
		unsigned int before = op->offset % 64;

		write_back((const char *)mfn_to_virt(mfn) + op->offset - before,
			   op->length + before);
	}
	put_frame(mfn);
	/* Lines are written back before they are dropped: an x86 CPU does not forget what was written. */
	return op->op & GNTTAB_CACHE_CLEAN ? 0 : -EOPNOTSUPP;
}
