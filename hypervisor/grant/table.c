/* SPDX-License-Identifier: MIT */
/* A domain's table as a whole: its frames, which never become fewer, and its version. */
#include "grant/internal.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* Uses of one frame of the table. */
#define ACTIVE_ORDER 1
_Static_assert(GRANTS_PER_FRAME * sizeof(struct grant_active) == PAGE_SIZE << ACTIVE_ORDER,
	       "active entries of a frame");
_Static_assert(GRANTS_PER_FRAME * sizeof(struct grant_entry_v1) == PAGE_SIZE, "a frame, version 1");
_Static_assert(sizeof(union grant_entry_v2) == 2 * sizeof(struct grant_entry_v1), "half of them");
_Static_assert(GRANT_MAX_STATUS_FRAMES *STATES_PER_FRAME == GRANT_MAX_FRAMES * GRANTS_PER_FRAME / 2,
	       "states of all entries, version 2");

/* ---- frames ---- */

/* A frame of zeros that d may map and write to. */
static void *new_shared_frame(struct domain *d)
{
	mfn_t mfn = alloc_frames(0, ALLOC_ZERO);

	if (mfn == INVALID_MFN)
		return NULL;
	if (share_frame_with_domain(mfn, d, true)) {
		free_hv_frames(mfn, 0);
		return NULL;
	}
	return mfn_to_virt(mfn);
}

/* Version 2: as many status frames as the table has need for. Lock held. */
static int grow_status(struct domain *d)
{
	struct domain_grant *t = &d->grant;
	unsigned int wanted =
	    DIV_ROUND_UP(t->nr_frames * (GRANTS_PER_FRAME / 2), (unsigned int)STATES_PER_FRAME);

	for (; t->nr_status_frames < wanted; t->nr_status_frames++) {
		t->status[t->nr_status_frames] = new_shared_frame(d);
		if (!t->status[t->nr_status_frames])
			return -ENOMEM;
	}
	return 0;
}

static int grow_table(struct domain *d, unsigned int wanted)
{
	struct domain_grant *t = &d->grant;

	if (d->is_dying)
		return -EINVAL;
	while (t->nr_frames < wanted) {
		unsigned int n = t->nr_frames;

		if (!t->active[n])
			t->active[n] = alloc_pages(ACTIVE_ORDER, ALLOC_ZERO);
		if (!t->active[n])
			return -ENOMEM;
		t->table[n] = new_shared_frame(d);
		if (!t->table[n])
			return -ENOMEM;
		t->nr_frames++;
		if (t->version == 2 && grow_status(d)) {
			/* Nobody knows of it yet, so it goes at once. */
			t->nr_frames--;
			unshare_frame(virt_to_mfn(t->table[n]), d);
			return -ENOMEM;
		}
	}
	return 0;
}

int grant_init(struct domain *d)
{
	struct domain_grant *t = &d->grant;
	int rc;

	spin_lock_init(&t->lock);
	t->version = 1;
	t->max_version = 2;
	t->max_frames = GRANT_MAX_FRAMES;
	t->max_mapping_frames = GRANT_MAPPING_FRAMES;
	rc = grow_table(d, 1);
	if (rc)
		grant_destroy(d);
	return rc;
}

void grant_drop_frames(struct domain *d)
{
	struct domain_grant *t = &d->grant;

	for (unsigned int i = 0; i < t->nr_status_frames; i++)
		unshare_frame(virt_to_mfn(t->status[i]), d);
	for (unsigned int i = 0; i < t->nr_frames; i++)
		unshare_frame(virt_to_mfn(t->table[i]), d);
	t->nr_frames = t->nr_status_frames = 0;
}

void grant_release_table(struct domain *d)
{
	spin_lock(&d->grant.lock);
	d->grant.closing = true;
	if (!d->grant.in_use)
		grant_drop_frames(d);
	spin_unlock(&d->grant.lock);
}

void grant_destroy(struct domain *d)
{
	struct domain_grant *t = &d->grant;

	for (unsigned int i = 0; i < GRANT_MAX_FRAMES; i++)
		if (t->active[i])
			free_pages_virt(t->active[i], ACTIVE_ORDER);
	for (unsigned int i = 0; t->mappings && i < GRANT_MAPPING_FRAMES; i++)
		if (t->mappings[i])
			free_pages_virt(t->mappings[i], 0);
	kfree(t->mappings);
	memset(t, 0, sizeof(*t));
}

/* ---- whose table ---- */

/* Status; with 0 *d is the domain, whose table the caller may set up and look at. */
static int find_table(domid_t id, struct domain **d)
{
	*d = domain_find(id);
	if (!*d)
		return GNTST_bad_domain;
	if (*d != current->domain && !current->domain->is_privileged)
		return GNTST_permission_denied;
	return GNTST_okay;
}

/* ---- operations ---- */

/* The numbers of nr frames to a list in guest memory. */
static int tell_frames(void *const *frames, unsigned int nr, vaddr_t list)
{
	for (unsigned int i = 0; i < nr; i++)
		if (put_guest_u64(list + i * 8UL, virt_to_mfn(frames[i])))
			return GNTST_bad_virt_addr;
	return GNTST_okay;
}

static int setup_table(const struct gnttab_setup_table *op)
{
	struct domain *d;
	int status;

	if (op->nr_frames > GRANT_MAX_FRAMES)
		return GNTST_general_error;
	status = find_table(op->dom, &d);
	if (status)
		return status;
	if (op->nr_frames > d->grant.max_frames)
		return GNTST_general_error;
	spin_lock(&d->grant.lock);
	if (grow_table(d, op->nr_frames))
		status = GNTST_general_error;
	spin_unlock(&d->grant.lock);
	/* The frames that there are stay. */
	return status ?: tell_frames(d->grant.table, op->nr_frames, (vaddr_t)op->frame_list.p);
}

long grant_setup_table(vaddr_t arg)
{
	struct gnttab_setup_table op;

	if (copy_from_guest(&op, arg, sizeof(op)) ||
	    !guest_range_ok((vaddr_t)op.frame_list.p, op.nr_frames * sizeof(xen_pfn_t)))
		return -EFAULT;
	op.status = (int16_t)setup_table(&op);
	return copy_to_guest(arg, &op, sizeof(op));
}

long grant_query_size(vaddr_t arg)
{
	struct gnttab_query_size op;
	struct domain *d;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	op.status = (int16_t)find_table(op.dom, &d);
	if (!op.status) {
		op.nr_frames = READ_ONCE(d->grant.nr_frames);
		op.max_nr_frames = d->grant.max_frames;
	}
	return copy_to_guest(arg, &op, sizeof(op));
}

long grant_get_version(vaddr_t arg)
{
	struct gnttab_get_version op;
	struct domain *d;
	int status;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	status = find_table(op.dom, &d);
	if (status)
		return status == GNTST_bad_domain ? -ESRCH : -EPERM;
	op.version = READ_ONCE(d->grant.version);
	return copy_to_guest(arg, &op, sizeof(op));
}

static int get_status_frames(const struct gnttab_get_status_frames *op)
{
	struct domain *d;
	int status = find_table(op->dom, &d);
	unsigned int there;

	if (status)
		return status;
	spin_lock(&d->grant.lock);
	there = d->grant.version == 2 ? d->grant.nr_status_frames : 0;
	spin_unlock(&d->grant.lock);
	if (op->nr_frames > there || !there)
		return GNTST_general_error;
	return tell_frames((void *const *)d->grant.status, op->nr_frames,
			   (vaddr_t)op->frame_list.p);
}

long grant_get_status_frames(vaddr_t arg)
{
	struct gnttab_get_status_frames op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	op.status = (int16_t)get_status_frames(&op);
	return copy_to_guest(arg, &op, sizeof(op));
}

/* Lock held. */
static int frames_locked(struct domain *d, bool status, unsigned int end)
{
	struct domain_grant *t = &d->grant;

	if (!status)
		return end > t->max_frames ? -EINVAL : grow_table(d, end);
	return t->version == 2 && end <= t->nr_status_frames ? 0 : -EINVAL;
}

int grant_frames(struct domain *d, bool status, unsigned int first, unsigned int n, uint64_t *mfn)
{
	struct domain_grant *t = &d->grant;
	int rc;

	spin_lock(&t->lock);
	rc = frames_locked(d, status, first + n);
	for (unsigned int i = 0; !rc && i < n; i++)
		mfn[i] = virt_to_mfn(status ? (void *)t->status[first + i] : t->table[first + i]);
	spin_unlock(&t->lock);
	return rc;
}

/* ---- version ---- */

/* A reserved entry of either version, as the other; what that one cannot say is no grant. */

static struct grant_entry_v1 to_v1(const union grant_entry_v2 *e)
{
	uint16_t flags = READ_ONCE(e->hdr.flags), type = flags & GTF_type_mask;
	uint64_t frame = READ_ONCE(e->full_page.frame);

	if ((type != GTF_permit_access && type != GTF_accept_transfer) || (flags & GTF_sub_page) ||
	    frame > UINT32_MAX)
		return (struct grant_entry_v1){0};
	return (struct grant_entry_v1){flags, READ_ONCE(e->hdr.domid), (uint32_t)frame};
}

static union grant_entry_v2 to_v2(const struct grant_entry_v1 *e)
{
	uint16_t flags = READ_ONCE(e->flags), type = flags & GTF_type_mask;

	if (type != GTF_permit_access && type != GTF_accept_transfer)
		return (union grant_entry_v2){0};
	return (union grant_entry_v2){
	    .full_page = {.hdr = {flags, READ_ONCE(e->domid)}, .frame = READ_ONCE(e->frame)}};
}

static void clear_frames(void *const *frames, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		memset(frames[i], 0, PAGE_SIZE);
}

/* All entries but the reserved ones are lost. Lock held, nothing in use. */
static void change_version(struct domain_grant *t, unsigned int version)
{
	struct grant_entry_v1 v1[GNTTAB_NR_RESERVED_ENTRIES];
	union grant_entry_v2 v2[GNTTAB_NR_RESERVED_ENTRIES];

	for (unsigned int i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++)
		if (version == 1)
			v1[i] = to_v1(entry_v2(t, i));
		else
			v2[i] = to_v2(entry_v1(t, i));
	clear_frames(t->table, t->nr_frames);
	clear_frames((void *const *)t->status, t->nr_status_frames);
	if (version == 1)
		memcpy(t->table[0], v1, sizeof(v1));
	else
		memcpy(t->table[0], v2, sizeof(v2));
	t->version = version;
}

static int set_version(struct domain *d, unsigned int version)
{
	struct domain_grant *t = &d->grant;

	if (version == t->version)
		return 0;
	if (t->in_use)
		return -EBUSY;
	/* Only a moment's look, as in Xen; the frames stay ours and the domain's. */
	for (unsigned int i = 0; i < t->nr_status_frames; i++)
		if (shared_frame_is_mapped(virt_to_mfn(t->status[i])))
			return -EBUSY;
	if (version == 2 && grow_status(d))
		return -ENOMEM;
	change_version(t, version);
	return 0;
}

long grant_set_version(vaddr_t arg)
{
	struct domain *d = current->domain;
	struct gnttab_set_version op;
	int rc = -EINVAL;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	spin_lock(&d->grant.lock);
	if (op.version == 1 || op.version == 2)
		rc = op.version <= d->grant.max_version ? set_version(d, op.version) : -ENOSYS;
	op.version = d->grant.version;
	spin_unlock(&d->grant.lock);
	return copy_to_guest(arg, &op, sizeof(op)) ?: rc;
}
