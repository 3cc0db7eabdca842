/* SPDX-License-Identifier: MIT */
/* Mapping of grants: handles, page-table entries, and how both come to an end. */
#include "grant/internal.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* grant_mapping.kind */
#define KIND_MAPPED	   (GNTMAP_device_map | GNTMAP_host_map)
#define KIND_MASK	   (KIND_MAPPED | GNTMAP_readonly | GNTMAP_contains_pte)

#define MAPPINGS_PER_FRAME (PAGE_SIZE / sizeof(struct grant_mapping))
#define MAX_MAPPINGS	   (GRANT_MAPPING_FRAMES * MAPPINGS_PER_FRAME)

/* ---- handles; mm.lock held ---- */

static struct grant_mapping *mapping_at(const struct domain_grant *t, grant_handle_t handle)
{
	return &t->mappings[handle / MAPPINGS_PER_FRAME][handle % MAPPINGS_PER_FRAME];
}

/* One that maps something, or NULL. */
static struct grant_mapping *find_mapping(const struct domain_grant *t, grant_handle_t handle)
{
	struct grant_mapping *m;

	if (unlikely(handle >= t->nr_mappings))
		return NULL;
	m = mapping_at(t, (grant_handle_t)clamp_index(handle, t->nr_mappings));
	return likely(m->kind) ? m : NULL;
}

static struct grant_mapping *new_mapping(struct domain_grant *t, grant_handle_t *handle)
{
	struct grant_mapping **page;

	*handle = t->nr_mappings;
	if (unlikely(*handle == t->max_mapping_frames * MAPPINGS_PER_FRAME))
		return NULL;
	if (!t->mappings) {
		t->mappings = kzalloc(GRANT_MAPPING_FRAMES * sizeof(t->mappings[0]));
		if (!t->mappings)
			return NULL;
	}
	page = &t->mappings[*handle / MAPPINGS_PER_FRAME];
	if (!*page)
		*page = alloc_pages(0, ALLOC_ZERO);
	if (!*page)
		return NULL;
	t->nr_mappings++;
	return mapping_at(t, *handle);
}

static struct grant_mapping *take_mapping(struct domain_grant *t, grant_handle_t *handle)
{
	struct grant_mapping *m;

	if (unlikely(!t->free_mapping))
		return new_mapping(t, handle);
	*handle = t->free_mapping - 1;
	m = mapping_at(t, *handle);
	t->free_mapping = m->ref;
	return m;
}

static void free_mapping(struct domain_grant *t, struct grant_mapping *m, grant_handle_t handle)
{
	m->kind = 0;
	m->ref = t->free_mapping;
	t->free_mapping = handle + 1;
}

/* ---- map ---- */

static uint64_t *find_entry(struct vcpu *v, uint64_t host_addr, unsigned int kind)
{
	return kind & GNTMAP_contains_pte ? l1_entry_by_place(v->domain, host_addr)
					  : l1_entry_by_address(v, host_addr);
}

static uint64_t entry_value(mfn_t mfn, uint32_t flags)
{
	uint64_t available = flags >> _GNTMAP_guest_avail0;
	uint64_t e = mfn << PAGE_SHIFT | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY;

	if (!(flags & GNTMAP_readonly))
		e |= PTE_RW;
	if (cpu_features.nx)
		e |= PTE_NX;
	/* Bits 9 to 11, then 52 to 62. */
	if (unlikely(available))
		e |= (available & 7) << 9 | (available >> 3 & 0x7ff) << 52;
	return e;
}

static unsigned int count_kinds(unsigned int kind)
{
	return !!(kind & GNTMAP_host_map) + !!(kind & GNTMAP_device_map);
}

/* What the user writes down, the frame being held by u. mm.lock held. */
static int install(struct vcpu *v, struct gnttab_map_grant_ref *op, const struct grant_use *u)
{
	struct domain_grant *t = &v->domain->grant;
	struct grant_mapping *m = take_mapping(t, &op->handle);

	if (unlikely(!m))
		return GNTST_no_space;
	if (op->flags & GNTMAP_host_map) {
		uint64_t *entry = find_entry(v, op->host_addr, op->flags);

		if (unlikely(!entry || !map_granted(v->domain, entry,
						    entry_value(u->mfn, op->flags), u->granter))) {
			free_mapping(t, m, op->handle);
			return GNTST_general_error;
		}
	}
	*m = (struct grant_mapping){
	    .mfn = u->mfn, .granter = u->granter->id, .kind = op->flags & KIND_MASK, .ref = u->ref};
	return GNTST_okay;
}

static inline void map_one(struct vcpu *v, struct gnttab_map_grant_ref *op)
{
	struct grant_use u;

	if (unlikely(!(op->flags & KIND_MAPPED))) {
		op->status = GNTST_bad_gntref;
		return;
	}
	/* By its number, even if it is the caller. */
	u.granter = v->domain;
	if (op->dom != v->domain->id)
		u.granter = op->dom < DOMID_FIRST_RESERVED ? domain_find(op->dom) : NULL;
	if (unlikely(!u.granter)) {
		op->status = GNTST_bad_domain;
		return;
	}
	u.ref = op->ref;
	u.n = count_kinds(op->flags);
	u.write = !(op->flags & GNTMAP_readonly);
	u.copy = false;
	op->status = (int16_t)grant_use(&u, v->domain->id);
	if (unlikely(op->status))
		return;
	spin_lock(&v->domain->mm.lock);
	op->status = (int16_t)install(v, op, &u);
	spin_unlock(&v->domain->mm.lock);
	op->dev_bus_addr = u.mfn << PAGE_SHIFT;
	if (unlikely(op->status))
		grant_unuse(&u);
}

long grant_map_list(vaddr_t args, unsigned int count, unsigned int *done)
{
	/* What is told: two words, although the caller's half of the first is among them. */
	enum { OUT = offsetof(struct gnttab_map_grant_ref, dom) };
	struct gnttab_map_grant_ref op;

	for (; *done < count; ++*done, args += sizeof(op)) {
		if (unlikely(*done && *done % BATCH == 0) && preempt_check())
			return -EINTR;
		if (unlikely(copy_from_guest(&op, args, sizeof(op))))
			return -EFAULT;
		map_one(current, &op);
		if (unlikely(copy_to_guest(args + OUT, (char *)&op + OUT, sizeof(op) - OUT)))
			return -EFAULT;
	}
	return 0;
}

/* ---- unmap ---- */

/* Mappings that are gone, but whose uses last until the TLBs have been flushed. */
struct unmapped {
	unsigned int n;
	bool flush;
	struct grant_use use[BATCH];
};

/* The use by m's mappings of a kind (GNTMAP_device_map and host_map). */
static bool use_of(const struct grant_mapping *m, unsigned int kind, struct grant_use *u)
{
	u->granter = m->granter == current->domain->id ? current->domain : domain_find(m->granter);
	u->ref = m->ref;
	u->n = (uint16_t)count_kinds(kind);
	u->write = !(m->kind & GNTMAP_readonly);
	u->mfn = m->mfn;
	return u->granter;
}

static void end_uses(struct domain *d, struct unmapped *gone)
{
	if (gone->flush)
		tlb_flush_cpus(READ_ONCE(d->dirty_cpus));
	for (unsigned int i = 0; i < gone->n; i++)
		grant_unuse(&gone->use[i]);
	gone->n = 0;
	gone->flush = false;
}

/* replace: the entry that is moved to where the mapping was; NULL: none. mm.lock held. */
static int take_away(struct vcpu *v, const struct gnttab_unmap_grant_ref *op, uint64_t *replace,
		     struct unmapped *gone)
{
	struct domain_grant *t = &v->domain->grant;
	struct grant_mapping *m = find_mapping(t, op->handle);
	unsigned int kind = 0;

	if (unlikely(!m))
		return GNTST_bad_handle;
	if (op->dev_bus_addr && (m->kind & GNTMAP_device_map)) {
		if (unlikely(op->dev_bus_addr != (paddr_t)m->mfn << PAGE_SHIFT))
			return GNTST_bad_dev_addr;
		kind |= GNTMAP_device_map;
	}
	if (op->host_addr && (m->kind & GNTMAP_host_map)) {
		uint64_t *entry = find_entry(v, op->host_addr, m->kind);
		uint64_t val = (uint64_t)m->mfn << PAGE_SHIFT | PTE_PRESENT;

		if (!(m->kind & GNTMAP_readonly))
			val |= PTE_RW;
		if (unlikely(!entry || !unmap_granted(entry, val, replace)))
			return GNTST_general_error;
		kind |= GNTMAP_host_map;
		gone->flush = true;
	}
	if (kind && use_of(m, kind, &gone->use[gone->n]))
		gone->n++;
	m->kind &= ~kind;
	if (!(m->kind & KIND_MAPPED))
		free_mapping(t, m, op->handle);
	return GNTST_okay;
}

static void unmap_one(struct vcpu *v, struct gnttab_unmap_grant_ref *op, struct unmapped *gone)
{
	spin_lock(&v->domain->mm.lock);
	op->status = (int16_t)take_away(v, op, NULL, gone);
	spin_unlock(&v->domain->mm.lock);
}

static void replace_one(struct vcpu *v, struct gnttab_unmap_and_replace *op, struct unmapped *gone)
{
	struct gnttab_unmap_grant_ref unmap = {.host_addr = op->host_addr, .handle = op->handle};
	uint64_t *from = NULL;

	spin_lock(&v->domain->mm.lock);
	if (op->new_addr)
		from = l1_entry_by_address(v, op->new_addr);
	if (!find_mapping(&v->domain->grant, op->handle))
		op->status = GNTST_bad_handle;
	else if (op->new_addr && !from)
		op->status = GNTST_general_error;
	else
		op->status = (int16_t)take_away(v, &unmap, from, gone);
	spin_unlock(&v->domain->mm.lock);
}

_Static_assert(sizeof(struct gnttab_unmap_grant_ref) == sizeof(struct gnttab_unmap_and_replace),
	       "both in one list");

long grant_unmap_list(vaddr_t args, unsigned int count, bool replace, unsigned int *done)
{
	struct vcpu *v = current;
	struct unmapped gone;
	long rc = 0;

	gone.n = 0;
	gone.flush = false;
	for (; *done < count; ++*done) {
		union {
			struct gnttab_unmap_grant_ref unmap;
			struct gnttab_unmap_and_replace replace;
		} op;
		vaddr_t at = args + *done * sizeof(op);
		int16_t *status = replace ? &op.replace.status : &op.unmap.status;

		if (unlikely(*done && *done % BATCH == 0)) {
			end_uses(v->domain, &gone);
			if (preempt_check()) {
				rc = -EINTR;
				break;
			}
		}
		rc = copy_from_guest(&op, at, sizeof(op));
		if (unlikely(rc))
			break;
		if (replace)
			replace_one(v, &op.replace, &gone);
		else
			unmap_one(v, &op.unmap, &gone);
		rc = copy_to_guest(at + (vaddr_t)((char *)status - (char *)&op), status,
				   sizeof(*status));
		if (unlikely(rc))
			break;
	}
	end_uses(v->domain, &gone);
	return rc;
}

int grant_release_mappings(struct domain *d, uint32_t *next)
{
	struct domain_grant *t = &d->grant;
	struct unmapped gone = {.flush = true};
	unsigned int looked = 0;

	for (; *next < t->nr_mappings && gone.n < BATCH && looked < 1024; ++*next, looked++) {
		struct grant_mapping *m = mapping_at(t, *next);
		unsigned int kind = m->kind & KIND_MAPPED;

		if (!kind)
			continue;
		if (use_of(m, kind, &gone.use[gone.n]))
			gone.n++;
		free_mapping(t, m, *next);
	}
	end_uses(d, &gone);
	return *next < t->nr_mappings ? -EINTR : 0;
}
