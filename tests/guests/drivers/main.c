/* SPDX-License-Identifier: MIT */
/* The grant helpers of pv-drivers, with this domain as both sides. */
#include "../test.h"
#include <pv-drivers/grant.h>

static domid_t self;

static void *filled_page(uint64_t value)
{
	uint64_t *page = page_alloc();

	if (!page)
		panic("no page");
	page[0] = page[511] = value;
	return page;
}

static void map_two(void)
{
	uint64_t *a = filled_page(1), *b = filled_page(2), *seen;
	struct grant_mapping mapping;
	grant_ref_t refs[2] = {(grant_ref_t)grant_access(self, virt_to_mfn(a), false),
			       (grant_ref_t)grant_access(self, virt_to_mfn(b), false)};

	EXPECT(grant_map(&mapping, self, refs, 2, true), 0);
	seen = mapping.address;
	EXPECT(seen[511], 1);
	EXPECT(seen[512], 2);
	seen[0] = 3;
	EXPECT(a[0], 3);
	EXPECT(grant_end(refs[0]), false);
	EXPECT(grant_end(refs[1]), false);
	grant_unmap(&mapping);
	EXPECT(grant_end(refs[0]), true);
	EXPECT(grant_end(refs[1]), true);
	EXPECT(grant_map(&mapping, self, refs, 2, true), -EINVAL);
	grant_unmap(&mapping);
	page_free(a);
	page_free(b);
}

static void read_only(void)
{
	uint64_t *page = filled_page(1), value;
	grant_ref_t ref = (grant_ref_t)grant_access(self, virt_to_mfn(page), true);
	struct grant_mapping mapping;

	EXPECT_TRUE(grant_map(&mapping, self, &ref, 1, true) < 0);
	EXPECT(grant_map(&mapping, self, &ref, 1, false), 0);
	EXPECT(probe_read(mapping.address, &value), true);
	EXPECT(value, 1);
	EXPECT(probe_write(mapping.address, 2), false);
	grant_unmap(&mapping);
	EXPECT(grant_end(ref), true);
	page_free(page);
}

/* What was granted only in part is given back whole, and its addresses with it. */
static void refused(void)
{
	uint64_t *page = filled_page(1);
	grant_ref_t refs[2] = {(grant_ref_t)grant_access(self, virt_to_mfn(page), false), 400};
	struct grant_mapping mapping;

	EXPECT(grant_map(&mapping, self, refs, 2, true), -EINVAL);
	EXPECT_TRUE(!mapping.address);
	EXPECT(grant_end(refs[0]), true);
	EXPECT(grant_map(&mapping, 77, refs, 1, true), -ESRCH);
	EXPECT(grant_map(&mapping, self, refs, 0, true), -EINVAL);
	EXPECT(grant_map(&mapping, self, refs, GRANT_PAGES + 1, true), -EINVAL);
	page_free(page);
}

#define MANY 1500

/* The table grows by frames; each reference is given out once; what was given back is found again. */
static void many(void)
{
	static bool taken[64 * 512];
	static grant_ref_t refs[MANY];
	unsigned long mfn = virt_to_mfn(filled_page(0));

	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < MANY; i++) {
			long ref = grant_access(77, mfn, false);

			if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref >= 64 * 512 || taken[ref]) {
				EXPECT_TRUE(false);
				return;
			}
			taken[ref] = true;
			refs[i] = (grant_ref_t)ref;
		}
		for (unsigned int i = 0; i < MANY; i++) {
			EXPECT(grant_end(refs[i]), true);
			taken[refs[i]] = false;
		}
	}
}

/* Far more often than there are addresses at a time. */
static void addresses_come_back(void)
{
	uint64_t *page = filled_page(1);
	grant_ref_t refs[GRANT_PAGES];
	struct grant_mapping mapping;
	void *first = NULL;

	for (unsigned int i = 0; i < GRANT_PAGES; i++)
		refs[i] = (grant_ref_t)grant_access(self, virt_to_mfn(page), false);
	for (unsigned int i = 0; i < 1000; i++) {
		if (grant_map(&mapping, self, refs, GRANT_PAGES, true)) {
			EXPECT_TRUE(false);
			break;
		}
		if (!first)
			first = mapping.address;
		EXPECT_TRUE(mapping.address == first);
		grant_unmap(&mapping);
	}
	for (unsigned int i = 0; i < GRANT_PAGES; i++)
		EXPECT(grant_end(refs[i]), true);
}

static const struct test tests[] = {
    {"map-two", map_two}, {"read-only", read_only},	      {"refused", refused},
    {"many", many},	  {"addresses", addresses_come_back},
};

void guest_main(void)
{
	long error = grants_init();

	if (error)
		panic("no grant table: %ld", error);
	test_main("drivers", tests, COUNT_OF(tests));
}
