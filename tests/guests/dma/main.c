/* SPDX-License-Identifier: MIT */
/* Memory for devices (dom0-tools/pci/dma.c): contiguous also when the pages that are free are not. */
#include "../test.h"
#include "../../../dom0-tools/pci/dma.c"

#define PAGES 16

static void map_as(unsigned long pfn, unsigned long mfn)
{
	struct mmu_update update = {.ptr = (uint64_t)mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE,
				    .val = pfn};

	p2m[pfn] = mfn;
	EXPECT(hypercall_mmu_update(&update, 1, NULL, DOMID_SELF), 0);
	EXPECT(page_set(pfn_to_virt(pfn), pte_make(mfn, PTE_DATA)), 0);
}

/* The two pages change frames. */
static void swap(char *a, char *b)
{
	unsigned long mfn = virt_to_mfn(a), other = virt_to_mfn(b);

	map_as(virt_to_pfn(a), other);
	map_as(virt_to_pfn(b), mfn);
}

static long reservation(void)
{
	domid_t self = DOMID_SELF;

	return hypercall_memory_op(XENMEM_current_reservation, &self);
}

static void check(const char *memory, dma_address_t address, unsigned long pages)
{
	for (unsigned long n = 0; n < pages; n++) {
		unsigned long pfn = virt_to_pfn(memory) + n;

		EXPECT(pfn_to_mfn(pfn), address / PAGE_SIZE + n);
		EXPECT(mfn_to_pfn(pfn_to_mfn(pfn)), pfn);
		EXPECT(pte_mfn(page_lookup((unsigned long)memory + n * PAGE_SIZE)),
		       address / PAGE_SIZE + n);
	}
}

static bool is_zero(const char *memory, unsigned long bytes)
{
	for (unsigned long n = 0; n < bytes; n++)
		if (memory[n])
			return false;
	return true;
}

static void scattered(void)
{
	unsigned long before = pages_available();
	long reserved = reservation();
	char *run = pages_alloc(PAGES), *memory;
	dma_address_t address = 0;

	memset(run, 0x55, PAGES * PAGE_SIZE);
	for (unsigned int n = 0; n < PAGES / 2; n++)
		swap(run + n * PAGE_SIZE, run + (PAGES - 1 - n) * PAGE_SIZE);
	EXPECT(is_contiguous(run, PAGES), false);
	pages_free(run, PAGES);
	memory = dma_alloc(NULL, (PAGES - 1) * PAGE_SIZE + 1, &address);
	/* The allocator goes on where the free run is; else nothing is tested here. */
	EXPECT_TRUE(memory == run);
	check(memory, address, PAGES);
	EXPECT(is_zero(memory, PAGES * PAGE_SIZE), true);
	dma_free(NULL, memory, (PAGES - 1) * PAGE_SIZE + 1);
	EXPECT(pages_available(), before);
	EXPECT(reservation(), reserved);
}

static void sizes(void)
{
	unsigned long before = pages_available();
	dma_address_t address;
	char *memory;

	EXPECT_TRUE(dma_alloc(NULL, 0, &address) == NULL);
	EXPECT_TRUE(dma_alloc(NULL, MOST_PAGES * PAGE_SIZE + 1, &address) == NULL);
	memory = dma_alloc(NULL, 1, &address);
	check(memory, address, 1);
	dma_free(NULL, memory, 1);
	memory = dma_alloc(NULL, MOST_PAGES * PAGE_SIZE, &address);
	EXPECT_TRUE(memory != NULL);
	check(memory, address, MOST_PAGES);
	dma_free(NULL, memory, MOST_PAGES * PAGE_SIZE);
	EXPECT(pages_available(), before);
}

static const struct test tests[] = {{"scattered", scattered}, {"sizes", sizes}};

void guest_main(void)
{
	test_main("dma", tests, COUNT_OF(tests));
}
