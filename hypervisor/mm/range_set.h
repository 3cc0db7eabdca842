/* SPDX-License-Identifier: MIT */
/*
 * A set of numbers as disjoint ranges, of which there can be so many: what of the machine a domain may use. Zeroed it is
 * empty. The lock is a leaf but for the allocator's. Who frees it is the last to use it.
 */
#ifndef MM_RANGE_SET_H
#define MM_RANGE_SET_H

#include "lib/types.h"
#include "lib/spinlock.h"

#define RANGE_SET_MAX 64

struct range {
	uint64_t first, last;
};

struct range_set {
	spinlock_t lock;
	unsigned int count;
	struct range *range; /* ascending, never adjacent; NULL until the first one comes */
};

/* Both: first <= last. 0, -ENOMEM, -ENOSPC: too many ranges; then nothing is changed. */
int range_set_add(struct range_set *set, uint64_t first, uint64_t last);
int range_set_remove(struct range_set *set, uint64_t first, uint64_t last);
/* Are all from first to last in it? */
bool range_set_has(const struct range_set *set, uint64_t first, uint64_t last);
void range_set_free(struct range_set *set);

static inline int range_set_change(struct range_set *set, uint64_t first, uint64_t last, bool in)
{
	return in ? range_set_add(set, first, last) : range_set_remove(set, first, last);
}

#endif
