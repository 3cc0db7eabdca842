/* SPDX-License-Identifier: MIT */
// sources: loader/layout.c loader/chunks.c loader/elf.c
/* Layout of a new domain: what its page tables map, checked by walking them; and its frames as runs. */
#include "unit.h"
#include "loader/loader.h"
#include "elf_builder.h"
#include <public/features.h>

#define PAGE	   4096UL
#define PAGES	   4096UL /* of the domain */
#define FIRST_MFN  100000UL
#define PTE_RW	   2
#define FRAME(pte) (((pte)&0x000ffffffffff000UL) >> 12)

static struct test_image image;
static struct elf_image elf;
static struct layout layout;
static uint8_t *pages; /* of the domain, by pfn */

/* Frames are not in the order of pfns. */
static uint64_t mfn_of(void *context, uint64_t pfn)
{
	assert_true(pfn < PAGES);
	return FIRST_MFN + PAGES - 1 - pfn;
}

static uint64_t pfn_of(uint64_t mfn)
{
	assert_true(mfn >= FIRST_MFN && mfn < FIRST_MFN + PAGES);
	return FIRST_MFN + PAGES - 1 - mfn;
}

static void *page_of(void *context, uint64_t pfn)
{
	assert_true(pfn < PAGES);
	return pages + pfn * PAGE;
}

static const struct layout_memory memory = {.mfn = mfn_of, .page = page_of};

/* The level-1 entry for an address, 0: none; every table on the way is one of the layout's. */
static uint64_t walk(uint64_t va)
{
	uint64_t pfn = layout.pt_pfn, entry = 0;

	for (int level = 4; level > 0; level--) {
		const uint64_t *table = page_of(NULL, pfn);

		assert_true(
		    (pfn >= layout.pt_pfn && pfn < layout.pt_pfn + layout.pt_pages) ||
		    (pfn >= layout.p2m_pt_pfn && pfn < layout.p2m_pt_pfn + layout.p2m_pt_pages));
		entry = table[va >> (12 + 9 * (level - 1)) & 511];
		if (!(entry & 1))
			return 0;
		assert_true(entry & 4); /* user: the kernel runs in ring 3 */
		pfn = pfn_of(FRAME(entry));
	}
	return entry;
}

static void plan_and_build(size_t ramdisk, bool rings)
{
	assert_null(elf_parse(&image, sizeof(image), &elf));
	assert_null(layout_plan(&layout, &elf, PAGES, ramdisk, rings));
	assert_true(layout.used_pfns <= PAGES);
	memset(pages, 0xa5, PAGES * PAGE);
	layout_build_tables(&layout, &memory);
}

/* All of the region is mapped in order, tables read-only, and nothing beside it. */
static void check_region(void)
{
	uint64_t count = layout_pfn(&layout, layout.end);

	for (uint64_t pfn = 0; pfn < count; pfn++) {
		uint64_t entry = walk(layout_virt(&layout, pfn));
		bool table =
		    (pfn >= layout.pt_pfn && pfn < layout.pt_pfn + layout.pt_pages) ||
		    (pfn >= layout.p2m_pt_pfn && pfn < layout.p2m_pt_pfn + layout.p2m_pt_pages);

		assert_int_equal(FRAME(entry), mfn_of(NULL, pfn));
		assert_int_equal(!!(entry & PTE_RW), !table);
	}
	assert_int_equal(walk(layout.base - PAGE), 0);
	assert_int_equal(walk(layout.end), 0);
	assert_int_equal(layout.end % (4UL << 20), 0);
	assert_true(layout.end - layout_virt(&layout, layout.stack_pfn + 1) >= 512UL << 10);
}

static void test_simple(void **state)
{
	struct start_info info = {0};

	build_image(&image);
	plan_and_build(10000, true);
	check_region();
	assert_int_equal(layout.ramdisk_pfn, 5);
	assert_int_equal(layout.p2m_pfn, 8);
	assert_int_equal(layout.start_info_pfn, 8 + PAGES * 8 / PAGE);
	assert_int_equal(layout.store_pfn, layout.start_info_pfn + 1);
	assert_int_equal(layout.console_pfn, layout.start_info_pfn + 2);
	assert_int_equal(layout.pt_pfn, layout.start_info_pfn + 3);
	assert_int_equal(layout.stack_pfn, layout.pt_pfn + layout.pt_pages);
	layout_describe(&layout, PAGES, &info);
	assert_string_equal(info.magic, "xen-3.0-x86_64");
	assert_int_equal(info.nr_pages, PAGES);
	assert_int_equal(info.pt_base, layout_virt(&layout, layout.pt_pfn));
	assert_int_equal(info.nr_pt_frames, layout.pt_pages);
	assert_int_equal(info.mfn_list, layout_virt(&layout, 8));
	assert_int_equal(info.mod_start, layout_virt(&layout, 5));
	assert_int_equal(info.mod_len, 10000);
	assert_int_equal(info.flags & SIF_MOD_START_PFN, 0);
}

static void test_first_domain(void **state)
{
	build_image(&image);
	plan_and_build(0, false);
	check_region();
	assert_int_equal(layout.pt_pfn, layout.start_info_pfn + 1);
	assert_int_equal(layout.store_pfn | layout.console_pfn, 0);
}

/* A list at an address of its own, and the ramdisk by frame number. `list` may share tables with the region. */
static void check_outside(uint64_t list)
{
	struct start_info info = {0};

	build_image(&image);
	number_note(&image, 3, XEN_ELFNOTE_INIT_P2M, list);
	number_note(&image, 4, XEN_ELFNOTE_MOD_START_PFN, 1);
	plan_and_build(10000, true);
	for (uint64_t pfn = 0; pfn < layout_pfn(&layout, layout.end); pfn++)
		assert_int_equal(FRAME(walk(layout_virt(&layout, pfn))), mfn_of(NULL, pfn));
	for (uint64_t i = 0; i < layout.p2m_pages; i++)
		assert_int_equal(FRAME(walk(list + i * PAGE)), mfn_of(NULL, layout.p2m_pfn + i));
	assert_int_equal(layout.ramdisk_pfn, layout_pfn(&layout, layout.end));
	assert_int_equal(layout.p2m_pfn, layout.ramdisk_pfn + 3);
	assert_int_equal(layout.used_pfns, layout.p2m_pt_pfn + layout.p2m_pt_pages);
	layout_describe(&layout, PAGES, &info);
	assert_int_equal(info.mfn_list, list);
	assert_int_equal(info.first_p2m_pfn, layout.p2m_pfn);
	assert_int_equal(info.nr_p2m_frames, layout.p2m_pages + layout.p2m_pt_pages);
	assert_int_equal(info.mod_start, layout.ramdisk_pfn);
	assert_true(info.flags & SIF_MOD_START_PFN);
}

static void test_outside(void **state)
{
	check_outside(0x8000000000);	      /* Linux's */
	check_outside(0x8000000000 - 0x3000); /* over the end of all its tables */
	check_outside(BASE - 0x8000);	  /* below the region: one level-2 table is not shared */
	check_outside(BASE + 0x10000000); /* in the same table of level 2 */
	check_outside(BASE - 0x40000000); /* in the same table of level 3 */
}

static void test_refused(void **state)
{
	build_image(&image);
	number_note(&image, 3, XEN_ELFNOTE_INIT_P2M, BASE + 0x3000);
	assert_null(elf_parse(&image, sizeof(image), &elf));
	assert_non_null(strstr(layout_plan(&layout, &elf, PAGES, 0, true), "overlaps"));
	/* A ramdisk that reaches around the end of all addresses, or into the hypervisor. */
	build_image(&image);
	assert_null(elf_parse(&image, sizeof(image), &elf));
	assert_non_null(strstr(layout_plan(&layout, &elf, PAGES, 2UL << 30, true), "no room"));
}

static void test_chunks(void **state)
{
	struct chunk room[3];
	struct chunks chunks = {.chunk = room, .max = 3};
	uint64_t mfns[40];

	assert_int_equal(chunks_pages(&chunks), 0);
	assert_true(chunks_add(&chunks, 1000, 16));
	assert_true(chunks_add(&chunks, 1016, 4));
	assert_int_equal(chunks.count, 1);
	assert_true(chunks_add(&chunks, 500, 8));
	assert_true(chunks_add(&chunks, 2000, 1));
	assert_false(chunks_add(&chunks, 3000, 1));
	assert_true(chunks_add(&chunks, 2001, 7));
	assert_int_equal(chunks_pages(&chunks), 36);
	assert_int_equal(chunks_mfn(&chunks, 35), 2007);
	assert_int_equal(chunks_mfn(&chunks, 0), 1000);
	assert_int_equal(chunks_mfn(&chunks, 19), 1019);
	assert_int_equal(chunks_mfn(&chunks, 20), 500);
	assert_int_equal(chunks_mfn(&chunks, 28), 2000);
	for (uint64_t first = 0; first < 36; first++) {
		for (uint64_t count = 0; first + count <= 36; count++) {
			mfns[count] = 4711;
			chunks_list(&chunks, first, count, mfns);
			assert_int_equal(mfns[count], 4711);
			for (uint64_t i = 0; i < count; i++)
				assert_int_equal(mfns[i], chunks_mfn(&chunks, first + i));
		}
	}
}

static int set_up(void **state)
{
	pages = malloc(PAGES * PAGE);
	return !pages;
}

static int tear_down(void **state)
{
	free(pages);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_simple),  cmocka_unit_test(test_first_domain),
	    cmocka_unit_test(test_outside), cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_chunks),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
