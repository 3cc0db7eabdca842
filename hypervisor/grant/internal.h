/* SPDX-License-Identifier: MIT */
/* Private to grant/. Statuses are GNTST_*. */
#ifndef GRANT_INTERNAL_H
#define GRANT_INTERNAL_H

#include "grant/grant.h"
#include "lib/errno.h"
#include <public/grant_table.h>

/* ---- entry.c ---- */
/* One use of an entry, for n mappings or a copy. */
struct grant_use {
	struct domain *granter; /* in */
	grant_ref_t ref;	/* in */
	uint16_t n;		/* in */
	bool write, copy;	/* in */
	bool transitive;	/* out, with copy: the frame is what the next two name */
	domid_t next_granter;	/* out */
	grant_ref_t next_ref;	/* out */
	uint32_t start, end;	/* out: the bytes of the frame that are granted */
	mfn_t mfn;		/* out */
};
/* Status; with 0 the use lasts until grant_unuse(). */
int grant_use(struct grant_use *u, domid_t user);
void grant_unuse(const struct grant_use *u);

static inline unsigned int nr_entries(const struct domain_grant *t)
{
	return t->nr_frames * (t->version == 1 ? GRANTS_PER_FRAME : GRANTS_PER_FRAME / 2);
}

/* ref is below nr_entries(). */
static inline struct grant_entry_v1 *entry_v1(const struct domain_grant *t, grant_ref_t ref)
{
	return (struct grant_entry_v1 *)t->table[ref / GRANTS_PER_FRAME] + ref % GRANTS_PER_FRAME;
}

static inline union grant_entry_v2 *entry_v2(const struct domain_grant *t, grant_ref_t ref)
{
	return (union grant_entry_v2 *)t->table[ref / (GRANTS_PER_FRAME / 2)] +
	       ref % (GRANTS_PER_FRAME / 2);
}

static inline struct grant_active *active_of(const struct domain_grant *t, grant_ref_t ref)
{
	return &t->active[ref / GRANTS_PER_FRAME][ref % GRANTS_PER_FRAME];
}

#define STATES_PER_FRAME (PAGE_SIZE / sizeof(grant_status_t))

static inline grant_status_t *status_of(const struct domain_grant *t, grant_ref_t ref)
{
	return &t->status[ref / STATES_PER_FRAME][ref % STATES_PER_FRAME];
}

/* Elements of a list between two looks at what else there is to do, and mappings taken away by one flush. */
#define BATCH 32

/* ---- map.c ---- */
/* The elements of a list from *done on: until all are done (0), the list cannot be read, or it is to be
 * preempted (-EINTR). */
long grant_map_list(vaddr_t args, unsigned int count, unsigned int *done);
long grant_unmap_list(vaddr_t args, unsigned int count, bool replace, unsigned int *done);
/* ---- copy.c: likewise ---- */
long grant_copy_list(vaddr_t args, unsigned int count, unsigned int *done);

/* ---- transfer.c: one element; the status is in it ---- */
void grant_transfer(struct gnttab_transfer *op);
void grant_swap(struct gnttab_swap_grant_ref *op);
/* 0 or -errno: it has no status. */
long grant_cache_flush(const struct gnttab_cache_flush *op);

/* ---- table.c ---- */
/* The frames that a domain at its end shares. Lock held, no grant in use. */
void grant_drop_frames(struct domain *d);
/* The whole operation: */
long grant_setup_table(vaddr_t arg);
long grant_query_size(vaddr_t arg);
long grant_set_version(vaddr_t arg);
long grant_get_version(vaddr_t arg);
long grant_get_status_frames(vaddr_t arg);

#endif
