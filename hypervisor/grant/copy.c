/* SPDX-License-Identifier: MIT */
/* Copies between a grant and a frame, or two grants. */
#include "grant/internal.h"
#include "cpu/cpu.h"
#include "cpu/uaccess.h"
#include "domain/domain.h"
#include "lib/lib.h"
#include "mm/mm.h"

/*
 * One end of copies: a frame of the caller's, a grant, or a grant of what was granted to the granter. What one element of a list
 * has the next one often has, too, as pieces of packets that fill a page do: an end is held until another is wanted.
 */
struct end {
	bool write;
	bool held; /* if so, it is what these two say, the offset aside: */
	bool by_ref;
	struct gnttab_copy_ptr ptr;
	mfn_t mfn;
	unsigned int uses; /* 0: a frame of the caller's */
	struct grant_use use[2];
};

static void put_end(struct end *e)
{
	if (!e->uses) {
		if (e->write)
			put_writable_frame(e->mfn);
		else
			put_frame(e->mfn);
	}
	while (e->uses)
		grant_unuse(&e->use[--e->uses]);
}

static int get_own_frame(struct domain *d, mfn_t mfn, struct end *e)
{
	e->mfn = mfn;
	if (!e->write)
		return get_frame(mfn, d) ? GNTST_okay : GNTST_bad_page;
	if (likely(!get_frame_and_type(mfn, d, PT_WRITABLE)))
		return GNTST_okay;
	return frame_owner(mfn) == d ? GNTST_general_error : GNTST_bad_page;
}

/* What the granter may use itself, on behalf of us; no further. */
static int get_transitive(struct end *e)
{
	const struct grant_use *first = &e->use[0];
	struct grant_use *u = &e->use[1];
	int status;

	u->granter = domain_find(first->next_granter);
	if (!u->granter || u->granter == first->granter)
		return GNTST_general_error;
	u->ref = first->next_ref;
	u->n = 1;
	u->write = e->write;
	u->copy = true;
	status = grant_use(u, first->granter->id);
	if (status)
		return GNTST_general_error;
	e->uses = 2;
	e->mfn = u->mfn;
	return u->transitive ? GNTST_general_error : GNTST_okay;
}

static int get_grant(struct domain *d, struct domain *granter, const struct gnttab_copy_ptr *ptr,
		     unsigned int len, struct end *e)
{
	struct grant_use *u = &e->use[0];
	int status;

	u->granter = granter;
	u->ref = ptr->u.ref;
	u->n = 1;
	u->write = e->write;
	u->copy = true;
	status = grant_use(u, d->id);
	if (unlikely(status))
		return status;
	e->uses = 1;
	e->mfn = u->mfn;
	if (unlikely(u->transitive)) {
		status = get_transitive(e);
		u = &e->use[1];
	}
	if (!status && (ptr->offset < u->start || ptr->offset + len > u->end))
		status = GNTST_general_error;
	if (unlikely(status))
		put_end(e);
	return status;
}

static bool is_held(const struct end *e, const struct gnttab_copy_ptr *ptr, unsigned int len,
		    bool by_ref)
{
	const struct grant_use *u;

	if (!e->held || e->by_ref != by_ref || e->ptr.domid != ptr->domid)
		return false;
	if (!by_ref)
		return e->ptr.u.gmfn == ptr->u.gmfn;
	u = &e->use[e->uses - 1];
	return e->ptr.u.ref == ptr->u.ref && ptr->offset >= u->start && ptr->offset + len <= u->end;
}

static void drop_end(struct end *e)
{
	if (e->held)
		put_end(e);
	e->held = false;
}

static int get_end(struct domain *d, struct domain *owner, const struct gnttab_copy_ptr *ptr,
		   unsigned int len, bool by_ref, struct end *e)
{
	int status;

	if (is_held(e, ptr, len, by_ref))
		return GNTST_okay;
	drop_end(e);
	e->uses = 0;
	e->by_ref = by_ref;
	e->ptr = *ptr;
	status = by_ref ? get_grant(d, owner, ptr, len, e) : get_own_frame(d, ptr->u.gmfn, e);
	e->held = !status;
	return status;
}

static int copy(const struct gnttab_copy *op, struct end *source, struct end *dest)
{
	bool from_ref = op->flags & GNTCOPY_source_gref, to_ref = op->flags & GNTCOPY_dest_gref;
	struct domain *d = current->domain;
	struct domain *from = domain_find(op->source.domid), *to = domain_find(op->dest.domid);
	int status;

	if (unlikely(!from || !to))
		return GNTST_bad_domain;
	if (unlikely((!from_ref && op->source.domid != DOMID_SELF) ||
		     (!to_ref && op->dest.domid != DOMID_SELF)))
		return GNTST_permission_denied;
	if (unlikely(op->source.offset + op->len > PAGE_SIZE ||
		     op->dest.offset + op->len > PAGE_SIZE))
		return GNTST_bad_copy_arg;
	status = get_end(d, from, &op->source, op->len, from_ref, source);
	if (unlikely(status))
		return status;
	status = get_end(d, to, &op->dest, op->len, to_ref, dest);
	if (unlikely(status))
		return status;
	/* Not memcpy(): both may be the same frame. */
	memmove((char *)mfn_to_virt(dest->mfn) + op->dest.offset,
		(const char *)mfn_to_virt(source->mfn) + op->source.offset, op->len);
	return GNTST_okay;
}

/* So many elements in a row. */
static long copy_some(vaddr_t args, unsigned int count, unsigned int *done)
{
	struct end source = {.write = false}, dest = {.write = true};
	struct gnttab_copy op;
	long rc = -EFAULT;

	for (; count; count--, ++*done, args += sizeof(op)) {
		if (unlikely(copy_from_guest(&op, args, sizeof(op))))
			goto drop;
		op.status = (int16_t)copy(&op, &source, &dest);
		if (unlikely(copy_to_guest(args + offsetof(struct gnttab_copy, status), &op.status,
					   sizeof(op.status))))
			goto drop;
	}
	rc = 0;
drop:
	drop_end(&dest);
	drop_end(&source);
	return rc;
}

long grant_copy_list(vaddr_t args, unsigned int count, unsigned int *done)
{
	long rc = 0;

	while (*done < count && !rc) {
		if (*done && preempt_check())
			return -EINTR;
		rc = copy_some(args + *done * sizeof(struct gnttab_copy),
			       min(count - *done, (unsigned int)BATCH), done);
	}
	return rc;
}
