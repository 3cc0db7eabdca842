/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/alloc.c hypervisor/mm/page_type.c hypervisor/mm/frame.c hypervisor/mm/mmu.c hypervisor/mm/memory_op.c hypervisor/mm/descriptor.c hypervisor/mm/range_set.c
// flags: -DCLEAN_RESERVE=160 -DCLEAN_FROM_ORDER=5
/* The frame allocator and kzalloc, against a map of who has what. */
#include "unit.h"
#include "fake_mm.h"

static uint64_t seed;

static unsigned int pick(unsigned int n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)((seed >> 33) % n);
}

static int start(void **state)
{
	fake_start(true);
	seed = 1;
	return 0;
}

static void check(uint64_t expected)
{
	uint64_t in_lists;

	assert_true(check_free_lists(&in_lists));
	assert_int_equal(in_lists, expected);
	assert_int_equal(free_frames(), expected);
}

#define ALL (FAKE_RAM - FAKE_RESERVED)

static void all_of_it_once(void **state)
{
	bool seen[FAKE_RAM] = {false};
	mfn_t mfn;

	check(ALL);
	for (unsigned int i = 0; i < ALL; i++) {
		mfn = alloc_frames(0, 0);
		assert_true(mfn >= FAKE_RESERVED && mfn < FAKE_RAM && !seen[mfn]);
		seen[mfn] = true;
	}
	assert_int_equal(alloc_frames(0, 0), INVALID_MFN);
	check(0);
	/* Freed in another order they become big blocks again. */
	for (mfn = FAKE_RESERVED; mfn < FAKE_RAM; mfn += 2)
		free_hv_frames(mfn, 0);
	for (mfn = FAKE_RESERVED + 1; mfn < FAKE_RAM; mfn += 2)
		free_hv_frames(mfn, 0);
	check(ALL);
	mfn = alloc_frames(8, 0);
	assert_true(mfn == 512 || mfn == 256);
}

static void blocks_are_aligned_and_apart(void **state)
{
	static uint8_t owner[FAKE_RAM];
	struct {
		mfn_t mfn;
		unsigned int order;
	} block[64] = {{0}};
	uint64_t used = 0;

	memset(owner, 0, sizeof(owner));
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int b = pick(64), order = pick(7);

		if (block[b].mfn) {
			for (mfn_t m = 0; m < 1UL << block[b].order; m++) {
				assert_int_equal(owner[block[b].mfn + m], b + 1);
				owner[block[b].mfn + m] = 0;
			}
			free_hv_frames(block[b].mfn, block[b].order);
			used -= 1UL << block[b].order;
			block[b].mfn = 0;
		} else {
			mfn_t mfn = alloc_frames(order, pick(2) ? ALLOC_ZERO : 0);

			if (mfn == INVALID_MFN)
				continue;
			assert_int_equal(mfn & ((1UL << order) - 1), 0);
			for (mfn_t m = 0; m < 1UL << order; m++) {
				assert_int_equal(owner[mfn + m], 0);
				owner[mfn + m] = b + 1;
			}
			used += 1UL << order;
			block[b].mfn = mfn;
			block[b].order = order;
		}
		if (i % 64 == 0)
			check(ALL - used);
	}
}

static void address_bits(void **state)
{
	/* 512 frames and more have ten bits: with the page's 22. */
	for (unsigned int bits = 17; bits <= 21; bits++) {
		mfn_t mfn = alloc_frames(0, ALLOC_ADDRESS_BITS(bits));

		assert_true(mfn < 1UL << (bits - 12));
	}
	assert_int_equal(alloc_frames(0, ALLOC_ADDRESS_BITS(12)), INVALID_MFN);
	assert_int_equal(alloc_frames(0, ALLOC_ADDRESS_BITS(5)), INVALID_MFN);
	assert_int_equal(alloc_frames(5, ALLOC_ADDRESS_BITS(17)), INVALID_MFN);
	assert_true(alloc_frames(0, ALLOC_ADDRESS_BITS(255)) >= 512);
	assert_true(alloc_frames(0, ALLOC_BELOW_4G) >= 512);
	assert_int_equal(alloc_frames(MAX_ORDER + 1, 0), INVALID_MFN);
	assert_int_equal(alloc_frames(31, 0), INVALID_MFN);
}

static bool is_clear(mfn_t mfn)
{
	for (unsigned int i = 0; i < 512; i++)
		if (page(mfn)[i])
			return false;
	return true;
}

static void take_all_but(struct domain *d, unsigned int keep)
{
	while (free_frames() > keep)
		assert_int_not_equal(domain_alloc_frames(d, 0, 0), INVALID_MFN);
}

/* What memory held when the machine started only a privileged domain may see. */
static void contents_before_the_start(void **state)
{
	memset(fake_memory, 0x5a, sizeof(fake_memory));
	fake_flushes = 0;
	assert_true(is_clear(domain_alloc_frames(&other, 0, 0)));
	assert_true(is_clear(domain_alloc_frames(&other, 3, 0) + 7));
	assert_int_equal(page(domain_alloc_frames(&guest, 0, 0))[9], 0x5a5a5a5a5a5a5a5a);
	assert_true(is_clear(domain_alloc_frames(&guest, 0, ALLOC_ZERO)));
	assert_int_equal(fake_flushes, 0);
}

static unsigned int steps(void)
{
	unsigned int n = 0;

	while (scrub_ahead())
		n++;
	return n;
}

static unsigned int count_clear(void)
{
	unsigned int n = 0;

	for (mfn_t mfn = FAKE_RESERVED; mfn < FAKE_RAM; mfn++)
		n += is_clear(mfn);
	return n;
}

/* So many and no more, those that are given out next, once; who gets them finds them clean without more work. */
static void scrubbed_ahead(void **state)
{
	mfn_t mfn;

	memset(fake_memory, 0x5a, sizeof(fake_memory));
	assert_false(scrub_ahead());
	assert_int_equal(count_clear(), 0);
	scrub_ahead_begin();
	assert_in_range(steps(), 160, 160 + 4);
	assert_int_equal(count_clear(), 160);
	assert_int_equal(steps(), 0);
	check(ALL);
	for (unsigned int i = 0; i < 5; i++) {
		mfn = domain_alloc_frames(&other, 5, 0);
		assert_true(is_clear(mfn) && is_clear(mfn + 31));
		memset(page(mfn), 1, 32 * PAGE_SIZE);
	}
	assert_int_equal(count_clear(), 0);
	/* As much again, for the next. */
	assert_in_range(steps(), 160, 160 + 4);
	assert_int_equal(count_clear(), 160);
	/* Contents that it cannot have show that it is not cleared once more. */
	for (mfn = FAKE_RESERVED; mfn < FAKE_RAM; mfn++)
		if (is_clear(mfn))
			page(mfn)[9] = 0x77;
	assert_int_equal(page(domain_alloc_frames(&other, 5, 0))[9], 0x77);
	assert_int_equal(page(alloc_frames(5, ALLOC_ZERO))[9], 0x77);
	/* What the hypervisor had is not clean any more. */
	mfn = alloc_frames(5, 0);
	free_hv_frames(mfn, 5);
	steps();
	assert_true(is_clear(mfn));
}

static mfn_t free_while_flushing;

static void free_meanwhile(void)
{
	assert_true(drop_ownership(&guest, free_while_flushing));
}

/* A frame that a domain had is flushed before; one that comes while others are flushed has to wait. */
static void flushed_before_scrubbed_ahead(void **state)
{
	mfn_t mfn = domain_alloc_frames(&guest, 5, 0);

	scrub_ahead_begin();
	steps();
	for (mfn_t m = mfn + 1; m < mfn + 32; m++) {
		page(m)[9] = 0x1234;
		assert_true(drop_ownership(&guest, m));
	}
	fake_flushes = 0;
	free_while_flushing = mfn;
	fake_on_flush = free_meanwhile;
	assert_true(scrub_ahead());
	assert_int_equal(fake_flushes, 1);
	assert_false(is_clear(mfn));
	assert_true(scrub_ahead());
	assert_int_equal(fake_flushes, 2);
	steps();
	assert_int_equal(fake_flushes, 2);
	for (mfn_t m = mfn; m < mfn + 32; m++)
		assert_true(is_clear(m));
	assert_int_equal(domain_alloc_frames(&other, 5, 0), mfn);
	assert_int_equal(fake_flushes, 2);
}

static void end_of_the_walk(void)
{
	steps();
}

/* Another CPU comes to the end, of all there is, between this one's look at whether there is more to do and its step. */
static void scrubbed_ahead_by_two(void **state)
{
	mfn_t used = domain_alloc_frames(&guest, 5, 0), mfn;

	alloc_frames(5, 0);
	mfn = domain_alloc_frames(&guest, 5, 0);
	assert_int_equal(used, mfn + 32);
	page(used)[9] = 0x1234;
	while (alloc_frames(0, 0) != INVALID_MFN)
		;
	scrub_ahead_begin();
	steps();
	for (mfn_t m = mfn; m < mfn + 32; m++)
		assert_true(drop_ownership(&guest, m));
	fake_flushes = 0;
	fake_on_flush = end_of_the_walk;
	assert_true(scrub_ahead());
	assert_in_range(fake_flushes, 1, 2);
	assert_true(is_clear(mfn));
	assert_int_equal(page(used)[9], 0x1234);
	assert_int_equal(steps(), 0);
	check(32);
}

/* What one domain had another gets scrubbed and flushed; itself gets it back as it is. */
static void contents_stay_private(void **state)
{
	mfn_t mfn;

	take_all_but(&guest, 1);
	mfn = domain_alloc_frames(&guest, 0, 0);
	page(mfn)[9] = 0x1234;
	fake_flushes = 0;
	assert_true(drop_ownership(&guest, mfn));
	page(mfn)[9] = 0x1234; /* the debug build poisons it */
	assert_int_equal(domain_alloc_frames(&guest, 0, 0), mfn);
	assert_int_equal(page(mfn)[9], 0x1234);
	assert_int_equal(fake_flushes, 0);

	assert_true(drop_ownership(&guest, mfn));
	assert_int_equal(domain_alloc_frames(&other, 0, 0), mfn);
	assert_true(is_clear(mfn));
	assert_int_equal(fake_flushes, 1);

	/* Through the hypervisor's hands, and after the end of the domain. */
	page(mfn)[9] = 0x1234;
	assert_true(drop_ownership(&other, mfn));
	assert_int_equal(alloc_frames(0, 0), mfn);
	assert_int_equal(fake_flushes, 2);
	free_hv_frames(mfn, 0);
	page(mfn)[9] = 0x1234;
	assert_int_equal(domain_alloc_frames(&other, 0, 0), mfn);
	assert_true(is_clear(mfn));
	assert_true(drop_ownership(&other, mfn));
	page(mfn)[9] = 0x1234;
	forget_last_owner(fr(mfn), other.id);
	assert_int_equal(domain_alloc_frames(&other, 0, 0), mfn);
	assert_true(is_clear(mfn));
}

static void limits(void **state)
{
	guest.mm.max_pages = 10;
	assert_int_equal(domain_alloc_frames(&guest, 4, 0), INVALID_MFN);
	assert_int_not_equal(domain_alloc_frames(&guest, 3, 0), INVALID_MFN);
	assert_int_equal(domain_alloc_frames(&guest, 2, 0), INVALID_MFN);
	assert_int_not_equal(domain_alloc_frames(&guest, 1, 0), INVALID_MFN);
	assert_int_equal(domain_alloc_frames(&guest, 0, 0), INVALID_MFN);
	assert_int_equal(guest.mm.tot_pages, 10);
	guest.mm.max_pages = ~0UL;
	assert_int_equal(domain_alloc_frames(&guest, 10, 0), INVALID_MFN);
	assert_int_equal(guest.mm.tot_pages, 10);
	assert_int_equal(domain_alloc_frames(&guest, 64, 0), INVALID_MFN);
}

static void small_objects(void **state)
{
	struct {
		uint8_t *p;
		size_t size;
	} object[200] = {{0}};

	for (unsigned int i = 0; i < 30000; i++) {
		unsigned int n = pick(200);
		size_t size = pick(8) ? 1 + pick(300) : 1 + pick(10000);

		if (object[n].p) {
			for (size_t b = 0; b < object[n].size; b++)
				assert_int_equal(object[n].p[b], n);
			kfree(object[n].p);
			object[n].p = NULL;
			continue;
		}
		object[n].p = kzalloc(size);
		assert_non_null(object[n].p);
		object[n].size = size;
		assert_int_equal((uintptr_t)object[n].p & (size >= 64 ? 63 : 15), 0);
		for (size_t b = 0; b < size; b++)
			assert_int_equal(object[n].p[b], 0);
		memset(object[n].p, (int)n, size);
	}
	for (unsigned int n = 0; n < 200; n++)
		kfree(object[n].p);
	check(ALL);
	kfree(NULL);
	while (kzalloc(2000))
		;
	assert_null(kzalloc(1));
	assert_null(kzalloc(~0UL));
	assert_null(alloc_pages(0, 0));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup(t, start)
	const struct CMUnitTest tests[] = {
	    TEST(all_of_it_once),
	    TEST(blocks_are_aligned_and_apart),
	    TEST(address_bits),
	    TEST(contents_stay_private),
	    TEST(contents_before_the_start),
	    TEST(scrubbed_ahead),
	    TEST(flushed_before_scrubbed_ahead),
	    TEST(scrubbed_ahead_by_two),
	    TEST(limits),
	    TEST(small_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
