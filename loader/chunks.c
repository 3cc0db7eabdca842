/* SPDX-License-Identifier: MIT */
#include "loader/loader.h"
#include "loader/internal.h"

uint64_t chunks_pages(const struct chunks *chunks)
{
	const struct chunk *end = chunks->chunk + chunks->count;

	return chunks->count ? end[-1].pfn + end[-1].count : 0;
}

bool chunks_add(struct chunks *chunks, uint64_t mfn, uint64_t count)
{
	struct chunk *next = chunks->chunk + chunks->count;

	if (chunks->count && next[-1].mfn + next[-1].count == mfn) {
		next[-1].count += count;
		return true;
	}
	if (chunks->count == chunks->max)
		return false;
	next->pfn = chunks_pages(chunks);
	next->mfn = mfn;
	next->count = count;
	chunks->count++;
	return true;
}

uint64_t chunks_mfn(struct chunks *chunks, uint64_t pfn)
{
	const struct chunk *c = chunks->chunk;

	if (chunks->last >= chunks->count || pfn < c[chunks->last].pfn)
		chunks->last = 0;
	while (pfn - c[chunks->last].pfn >= c[chunks->last].count)
		chunks->last++;
	return c[chunks->last].mfn + pfn - c[chunks->last].pfn;
}

void chunks_list(const struct chunks *chunks, uint64_t pfn, uint64_t count, uint64_t *mfns)
{
	const struct chunk *c = chunks->chunk;

	while (pfn - c->pfn >= c->count)
		c++;
	for (; count; c++) {
		uint64_t mfn = c->mfn + pfn - c->pfn, end = c->mfn + c->count;

		for (; count && mfn < end; count--, pfn++)
			*mfns++ = mfn++;
	}
}
