/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/pagetable.c
#include "unit.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"

/*
 * The hypervisor's page tables, read by a page walk of the test's own and compared with a model: one
 * word a page of a 4 GiB window.
 */
#define ARENA_BASE 0x40000000UL
#define ARENA_SIZE (64UL << 20)
static uint8_t *arena;
static size_t arena_used;
static bool out_of_memory;

struct cpu_features cpu_features;
struct cpu_info unit_cpu_info;
cpumask_t cpu_online_mask = 1;
bool boot_alloc_over;
struct memory_range memory_map[MAX_MEMORY_RANGES];
unsigned int memory_map_entries;
static vaddr_t flushed[64];
static unsigned int flushes;
static cpumask_t flushed_cpus;

void *phys_to_virt(paddr_t pa)
{
	assert_true(pa >= ARENA_BASE && pa < ARENA_BASE + ARENA_SIZE);
	return arena + (pa - ARENA_BASE);
}

paddr_t virt_to_phys(const void *v)
{
	return ARENA_BASE + ((const uint8_t *)v - arena);
}

paddr_t boot_alloc(size_t bytes, size_t align)
{
	paddr_t p = ARENA_BASE + arena_used;

	assert_false(boot_alloc_over);
	arena_used += bytes;
	assert_true(arena_used <= ARENA_SIZE);
	memset(phys_to_virt(p), 0, bytes);
	return p;
}

void *alloc_pages(unsigned int order, unsigned int flags)
{
	void *p = arena + arena_used;

	assert_true(boot_alloc_over);
	if (out_of_memory)
		return NULL;
	arena_used += PAGE_SIZE << order;
	assert_true(arena_used <= ARENA_SIZE);
	return memset(p, 0, PAGE_SIZE << order);
}

void flush_tlb_mask(cpumask_t mask)
{
	flushed_cpus |= mask;
}

void bug(const char *file, int line, const char *what)
{
	fail_msg("%s:%d: %s", file, line, what);
	abort();
}

void flush_tlb_one_local(vaddr_t va)
{
	if (flushes < ARRAY_SIZE(flushed))
		flushed[flushes] = va;
	flushes++;
}

void spin_lock_slow(spinlock_t *l, uint16_t ticket)
{
	fail_msg("a lock is taken twice");
}

/* What the CPU would find at va: the entry of the page as if it were one of 4 KiB; 0: none. *size: of
 * the page that maps it. */
static uint64_t walk(vaddr_t va, uint64_t *size)
{
	const uint64_t *table = idle_root;

	for (int level = 4; level; level--) {
		uint64_t e = table[(va >> (3 + 9 * level)) & 511];

		*size = 1UL << (3 + 9 * level);
		if (!(e & PTE_PRESENT))
			return 0;
		if (level == 1)
			return e;
		if (e & PTE_PSE) {
			uint64_t at = e & PTE_ADDR_MASK & ~0x1fffUL;

			/* Bit 12 is PAT, the bits between it and the address are reserved. */
			assert_true(level < 4 && IS_ALIGNED(at, *size));
			return (at + ((va & (*size - 1)) & PAGE_MASK)) | (e & 0xf7f & ~PTE_PSE) |
			       (e & 0x1000 ? PTE_PAT : 0) | (e & PTE_NX);
		}
		table = phys_to_virt(e & PTE_ADDR_MASK);
	}
	return 0;
}

#define WINDOW	     (VMAP_VIRT_START + (1UL << 38))
#define WINDOW_PAGES (1UL << 20)
static uint64_t *model;

static uint64_t expected(mfn_t mfn, unsigned int flags)
{
	uint64_t e = mfn << PAGE_SHIFT | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL;

	e |= flags & MAP_RW ? PTE_RW : 0;
	e |= flags & MAP_EXEC ? 0 : PTE_NX;
	e |= flags & MAP_UNCACHED ? PTE_PCD | PTE_PWT : flags & MAP_WC ? PTE_PAT : 0;
	return e;
}

static void check_page(unsigned long page)
{
	uint64_t size;

	assert_int_equal(walk(WINDOW + (page << PAGE_SHIFT), &size), model[page]);
}

/* Around the edges of a range, and here and there inside it. */
static void check_range(unsigned long page, size_t nr)
{
	for (unsigned long i = 0; i < 3; i++) {
		check_page((page - i) % WINDOW_PAGES);
		check_page((page + i) % WINDOW_PAGES);
		check_page((page + nr - i) % WINDOW_PAGES);
		check_page((page + nr + i) % WINDOW_PAGES);
	}
	for (unsigned int i = 0; i < 20; i++)
		check_page(page + rand() % nr);
	for (unsigned int i = 0; i < 20; i++)
		check_page(rand() % WINDOW_PAGES);
}

static int setup(void **state)
{
	arena = aligned_alloc(PAGE_SIZE, ARENA_SIZE);
	model = calloc(WINDOW_PAGES, sizeof(*model));
	cpu_features.nx = cpu_features.pge = cpu_features.page1gb = true;
	boot_alloc_over = true;
	idle_root = alloc_pages(0, 0);
	for (unsigned int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
		idle_root[i] = virt_to_phys(alloc_pages(0, 0)) | PTE_PRESENT | PTE_RW;
	return 0;
}

static int teardown(void **state)
{
	free(arena);
	free(model);
	return 0;
}

static void test_sizes(void **state)
{
	uint64_t size;

	assert_int_equal(map_pages(WINDOW, 0x40000, 0x40000 + 0x200 + 1, MAP_RW), 0);
	for (unsigned long i = 0; i < 0x40201; i++)
		model[i] = expected(0x40000 + i, MAP_RW);
	check_range(0, 0x40201);
	walk(WINDOW, &size);
	assert_int_equal(size, 1 << 30);
	walk(WINDOW + (1 << 30), &size);
	assert_int_equal(size, 1 << 21);
	walk(WINDOW + (1 << 30) + (1 << 21), &size);
	assert_int_equal(size, 1 << 12);
	unmap_pages(WINDOW, 0x40201);
	memset(model, 0, WINDOW_PAGES * sizeof(*model));
	check_range(0, 0x40201);

	/* A CPU without 1 GiB pages. */
	cpu_features.page1gb = false;
	assert_int_equal(map_pages(WINDOW + (2UL << 30), 0x80000, 0x40000, 0), 0);
	walk(WINDOW + (2UL << 30), &size);
	assert_int_equal(size, 1 << 21);
	unmap_pages(WINDOW + (2UL << 30), 0x40000);
	cpu_features.page1gb = true;
}

static void test_attributes(void **state)
{
	for (unsigned int flags = 0; flags < 32; flags++) {
		/* Where no table is yet. */
		vaddr_t large = WINDOW + ((flags + 1UL) << 21);
		uint64_t size;

		if (flags & MAP_USER)
			continue;
		/* Small, and large where the PAT bit is elsewhere; then a piece is taken out of the large one. */
		assert_int_equal(map_pages(WINDOW, 0x12345, 1, flags), 0);
		assert_int_equal(walk(WINDOW, &size), expected(0x12345, flags));
		assert_int_equal(map_pages(large, 0x12400, 512, flags), 0);
		assert_int_equal(walk(large + 0x5000, &size), expected(0x12405, flags));
		assert_int_equal(size, 1 << 21);
		unmap_pages(large + 0x4000, 1);
		assert_int_equal(walk(large + 0x4000, &size), 0);
		assert_int_equal(walk(large + 0x5000, &size), expected(0x12405, flags));
		assert_int_equal(size, 1 << 12);
		unmap_pages(large, 512);
		unmap_pages(WINDOW, 1);
	}
}

static void test_random(void **state)
{
	srand(1);
	for (unsigned int round = 0; round < 3000; round++) {
		static const size_t sizes[] = {1, 3, 512, 700, 5000, 0x40000, 0x50000};
		static const unsigned long aligns[] = {1, 1, 512, 512, 0x40000};
		size_t nr = 1 + rand() % sizes[rand() % ARRAY_SIZE(sizes)];
		unsigned long page = ROUND_DOWN(rand() % (WINDOW_PAGES - nr), aligns[rand() % 5]);
		mfn_t mfn = ROUND_DOWN(rand() % 0x1000000, aligns[rand() % 5]);
		unsigned int flags = rand() % 2 ? MAP_RW : MAP_EXEC;
		vaddr_t va = WINDOW + (page << PAGE_SHIFT);

		if (rand() % 2)
			nr = ROUND_UP(nr, 512);
		if (page + nr > WINDOW_PAGES)
			continue;
		if (rand() % 3)
			assert_int_equal(map_pages(va, mfn, nr, flags), 0);
		else
			unmap_pages(va, nr), mfn = INVALID_MFN;
		for (unsigned long i = 0; i < nr; i++)
			model[page + i] = mfn == INVALID_MFN ? 0 : expected(mfn + i, flags);
		check_range(page, nr);
	}
	unmap_pages(WINDOW, WINDOW_PAGES);
	memset(model, 0, WINDOW_PAGES * sizeof(*model));
	check_range(0, WINDOW_PAGES);
}

/* From the middle of a hole for which there is no table, into what is mapped behind it. */
static void test_unmap_hole(void **state)
{
	vaddr_t at = WINDOW + (8UL << 30);
	uint64_t size;

	map_pages(at + (512 << PAGE_SHIFT), 1, 2, 0);
	unmap_pages(at + (256 << PAGE_SHIFT), 257);
	assert_int_equal(walk(at + (512 << PAGE_SHIFT), &size), 0);
	assert_int_equal(walk(at + (513 << PAGE_SHIFT), &size), expected(2, 0));
}

static void test_flush(void **state)
{
	flushes = 0;
	map_pages(WINDOW, 1, 3, MAP_RW);
	assert_int_equal(flushes, 0); /* what was not there is not remembered */
	map_pages(WINDOW + 0x1000, 7, 1, MAP_RW);
	assert_int_equal(flushes, 1);
	assert_int_equal(flushed[0], WINDOW + 0x1000);
	flushes = 0;
	unmap_pages(WINDOW, 4);
	assert_int_equal(flushes, 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(flushed[i], WINDOW + i * PAGE_SIZE);
}

static void test_no_memory(void **state)
{
	uint64_t size;
	void *p;

	out_of_memory = true;
	assert_int_equal(map_pages(FRAMETABLE_VIRT_START, 0, 1, MAP_RW), -ENOMEM);
	assert_null(ioremap(0xfee00000, 0x1000, MAP_UNCACHED));
	out_of_memory = false;
	/* The addresses were given back. */
	p = ioremap(0xfee00000, 0x1000, MAP_UNCACHED);
	assert_int_equal((vaddr_t)p, VMAP_VIRT_START);
	assert_int_equal(walk((vaddr_t)p, &size), expected(0xfee00, MAP_UNCACHED));
	iounmap(p, 0x1000);
}

static void test_ioremap(void **state)
{
	uint64_t size;
	void *a, *b, *c;

	assert_null(ioremap(0x1000, 0, 0));
	assert_null(ioremap(UINT64_MAX - 0xfff, 0x2000, 0));
	assert_null(ioremap(1UL << 52, 1, 0));
	assert_null(ioremap(0, 1UL << 40, 0));

	a = ioremap(0x1ffe, 4, MAP_RW); /* over a page's end */
	b = ioremap(0x5123, 0x10, MAP_RW | MAP_WC);
	c = ioremap(0x9000, 0x1000, 0);
	assert_int_equal((vaddr_t)a & 0xfff, 0xffe);
	assert_int_equal(walk((vaddr_t)a, &size), expected(1, MAP_RW));
	assert_int_equal(walk((vaddr_t)a + 2, &size), expected(2, MAP_RW));
	assert_int_equal(walk((vaddr_t)b, &size), expected(5, MAP_RW | MAP_WC));
	/* A page between neighbours faults. */
	assert_int_equal(walk((vaddr_t)a + 0x1002, &size), 0);
	assert_int_equal(walk((vaddr_t)b + 0x1000, &size), 0);
	assert_int_equal(walk((vaddr_t)c + 0x1000, &size), 0);

	/* Whatever the order, what is given back becomes one again; other CPUs forget first. */
	cpu_online_mask = 0xd;
	flushed_cpus = 0;
	iounmap(b, 0x10);
	assert_int_equal(flushed_cpus, 0xc);
	assert_int_equal(walk((vaddr_t)b, &size), 0);
	assert_ptr_equal(ioremap(0x5123, 0x10, 0), b);
	iounmap(a, 4);
	iounmap(c, 0x1000);
	iounmap(b, 0x10);
	iounmap(NULL, 0x1000);
	a = ioremap(0, (1UL << 39) - PAGE_SIZE, 0);
	assert_int_equal((vaddr_t)a, VMAP_VIRT_START);
	assert_null(ioremap(0, 1, 0));
	iounmap(a, (1UL << 39) - PAGE_SIZE);
	cpu_online_mask = 1;
}

static void test_percpu(void **state)
{
	for (unsigned int cpu = 0; cpu < 6; cpu++)
		assert_int_equal(percpu_area_map(cpu), 0);
	for (unsigned int cpu = 0; cpu < 6; cpu++) {
		for (unsigned long at = 0; at < PERCPU_AREA_SIZE; at += PAGE_SIZE) {
			bool ist = at == 0x1000 || at == 0x3000 || at == 0x5000;
			bool stack =
			    at > PERCPU_STACK_OFFSET && at < PERCPU_STACK_OFFSET + STACK_SIZE;
			uint64_t size, e = walk(percpu_area(cpu) + at, &size);

			assert_int_equal(*percpu_window_pte(cpu, at), e);
			if (ist || stack)
				assert_int_equal(e & ~PTE_ADDR_MASK, expected(0, MAP_RW));
			else
				assert_int_equal(e, 0);
		}
	}
	*percpu_window_pte(5, PERCPU_GDT_OFFSET + 0x2000) = 0x1234001;
	uint64_t size;
	assert_int_equal(walk(percpu_area(5) + PERCPU_GDT_OFFSET + 0x2000, &size), 0x1234001);
}

static void test_slots(void **state)
{
	uint64_t l4[512];

	memset(l4, 0x11, sizeof(l4));
	install_hv_slots(l4);
	for (unsigned int i = 0; i < 512; i++)
		assert_int_equal(l4[i], i >= 256 && i <= 271 ? idle_root[i] : 0x1111111111111111);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),      cmocka_unit_test(test_attributes),
	    cmocka_unit_test(test_random),     cmocka_unit_test(test_flush),
	    cmocka_unit_test(test_unmap_hole), cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_ioremap),    cmocka_unit_test(test_percpu),
	    cmocka_unit_test(test_slots),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
