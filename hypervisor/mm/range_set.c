/* SPDX-License-Identifier: MIT */
#include "mm/range_set.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* The first range that does not end before `first`; or, adjacent, that ends no more than just before it. */
static unsigned int find(const struct range_set *set, uint64_t first, bool adjacent)
{
	uint64_t from = adjacent && first ? first - 1 : first;
	unsigned int i = 0;

	while (i < set->count && set->range[i].last < from)
		i++;
	return i;
}

/* Put n ranges in the place of those from i to before end. There is room. */
static void replace(struct range_set *set, unsigned int i, unsigned int end,
		    const struct range *with, unsigned int n)
{
	memmove(&set->range[i + n], &set->range[end], (set->count - end) * sizeof(*with));
	memcpy(&set->range[i], with, n * sizeof(*with));
	set->count = set->count - (end - i) + n;
}

static int add_locked(struct range_set *set, struct range added)
{
	unsigned int i = find(set, added.first, true), end = i;
	uint64_t to = added.last == UINT64_MAX ? added.last : added.last + 1;

	for (; end < set->count && set->range[end].first <= to; end++) {
		added.first = min(added.first, set->range[end].first);
		added.last = max(added.last, set->range[end].last);
	}
	if (end == i && set->count == RANGE_SET_MAX)
		return -ENOSPC;
	replace(set, i, end, &added, 1);
	return 0;
}

int range_set_add(struct range_set *set, uint64_t first, uint64_t last)
{
	int rc = -ENOMEM;

	spin_lock(&set->lock);
	if (!set->range)
		set->range = kzalloc(RANGE_SET_MAX * sizeof(*set->range));
	if (set->range)
		rc = add_locked(set, (struct range){first, last});
	spin_unlock(&set->lock);
	return rc;
}

int range_set_remove(struct range_set *set, uint64_t first, uint64_t last)
{
	struct range left[2];
	unsigned int i, end, n = 0;
	int rc = 0;

	spin_lock(&set->lock);
	i = end = find(set, first, false);
	while (end < set->count && set->range[end].first <= last)
		end++;
	if (end != i && set->range[i].first < first)
		left[n++] = (struct range){set->range[i].first, first - 1};
	if (end != i && set->range[end - 1].last > last)
		left[n++] = (struct range){last + 1, set->range[end - 1].last};
	if (set->count - (end - i) + n > RANGE_SET_MAX)
		rc = -ENOSPC;
	else if (end != i)
		replace(set, i, end, left, n);
	spin_unlock(&set->lock);
	return rc;
}

bool range_set_has(const struct range_set *set, uint64_t first, uint64_t last)
{
	spinlock_t *lock = (spinlock_t *)&set->lock; /* what is in the set stays as it is */
	unsigned int i;
	bool has;

	/* Nearly nobody has any. */
	if (!READ_ONCE(set->count))
		return false;
	spin_lock(lock);
	i = find(set, first, false);
	has = i < set->count && set->range[i].first <= first && set->range[i].last >= last;
	spin_unlock(lock);
	return has;
}

void range_set_free(struct range_set *set)
{
	kfree(set->range);
	set->range = NULL;
	set->count = 0;
}
