/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables: L4 slots 256 to 271 of every address space (mm/layout.h).
 *
 * Guests' L4 tables hold copies of these slots, so the entries of idle_root never change once
 * pagetable_init() is done: every L3 table that will ever be used is there from then on. Tables are
 * never freed. The image's text and constants are read-only in the direct map too, so that no mapping
 * lets them be written; the only other code, the CPUs' syscall stubs, can be reached for writing through
 * the direct map. Only RAM is mapped cached.
 *
 * Locks: table_lock covers all changes of entries except those that percpu_window_pte() hands out,
 * which belong to their CPU; vmap_lock covers the free list of the run-time area. Neither is taken
 * inside the other; the frame allocator's lock is taken inside table_lock.
 */
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/image.h"
#include "lib/lib.h"
#include "mm/mm.h"

#define TABLE_FLAGS (PTE_PRESENT | PTE_RW | PTE_ACCESSED)
/* Bit 12 of a large page's entry is its PAT bit. */
#define LARGE_PAT	    0x1000UL
#define LEVEL_FRAMES(level) (1UL << (9 * ((level)-1)))

uint64_t *idle_root;
bool direct_map_complete;

static spinlock_t table_lock = SPINLOCK_INIT;

/* An L1 table covers the areas of this many CPUs. */
#define CPUS_PER_L1 (512 * PAGE_SIZE / PERCPU_AREA_SIZE)
static uint64_t *percpu_l1[NR_CPUS / CPUS_PER_L1];

static unsigned int slot(vaddr_t va, unsigned int level)
{
	return (va >> (PAGE_SHIFT + 9 * (level - 1))) & 511;
}

static uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(entry & PTE_ADDR_MASK);
}

/* Its L3 table is there if va is ours to map; in other roots than idle_root the hypervisor's slots are not. */
static uint64_t *root_entry(uint64_t *root, vaddr_t va)
{
	unsigned int i = slot(va, 4);
	bool ours = i >= HV_FIRST_SLOT && i <= HV_LAST_SLOT;

	BUG_ON(ours != (root == idle_root) || !(root[i] & PTE_PRESENT));
	return &root[i];
}

static uint64_t *alloc_table(void)
{
	if (!boot_alloc_over)
		return phys_to_virt(boot_alloc(PAGE_SIZE, PAGE_SIZE));
	return alloc_pages(0, ALLOC_ZERO);
}

/* Flags of an entry of level 1. */
static uint64_t pte_flags(unsigned int flags)
{
	uint64_t e = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY;

	/* What guests may read is not in all of their address spaces: vm_assist's m2p_strict. */
	if (cpu_features.pge && !(flags & (MAP_USER | MAP_PRIVATE)))
		e |= PTE_GLOBAL;
	if (cpu_features.nx && !(flags & MAP_EXEC))
		e |= PTE_NX;
	if (flags & MAP_RW)
		e |= PTE_RW;
	if (flags & MAP_USER)
		e |= PTE_USER;
	if (flags & MAP_UNCACHED)
		e |= PTE_PCD | PTE_PWT; /* entry 3 of PAT_VALUE */
	else if (flags & MAP_WC)
		e |= PTE_PAT; /* entry 4 */
	return e;
}

/* The same entry as one of a large page, or of the pages that a large page is split into. */
static uint64_t to_large(uint64_t e)
{
	return (e & PTE_PAT ? e | LARGE_PAT : e) | PTE_PSE;
}

static uint64_t from_large(uint64_t e, unsigned int to_level)
{
	if (to_level > 1)
		return e;
	return (e & ~(PTE_PSE | LARGE_PAT)) | (e & LARGE_PAT ? PTE_PAT : 0);
}

/* Put a table in place of *entry, of this level: empty, or mapping what the large page there mapped. */
static int make_table(uint64_t *entry, unsigned int level, bool user)
{
	uint64_t *table = alloc_table(), old = *entry;

	if (!table)
		return -ENOMEM;
	if (old & PTE_PRESENT) {
		user = old & PTE_USER;
		for (unsigned int i = 0; i < 512; i++)
			table[i] = from_large(old, level - 1) +
				   ((uint64_t)i * LEVEL_FRAMES(level - 1) << PAGE_SHIFT);
	}
	WRITE_ONCE(*entry, virt_to_phys(table) | TABLE_FLAGS | (user ? PTE_USER : 0));
	return 0;
}

/*
 * The entry that maps va: of *level, or of a lower one if a table is already in the way; *level is
 * set to it. Missing tables are made and large pages above *level are split. NULL: out of memory.
 */
static uint64_t *make_entry(uint64_t *root, vaddr_t va, unsigned int *level, bool user)
{
	uint64_t *e = root_entry(root, va);

	for (unsigned int l = 3;; l--) {
		bool table;

		e = &table_of(*e)[slot(va, l)];
		table = l > 1 && (*e & (PTE_PRESENT | PTE_PSE)) == PTE_PRESENT;
		if (!table && l <= *level) {
			*level = l;
			return e;
		}
		if (!table && make_table(e, l, user))
			return NULL;
	}
}

/* The largest page that fits at va. */
static unsigned int best_level(vaddr_t va, mfn_t mfn, size_t nr)
{
	unsigned int level = cpu_features.page1gb ? 3 : 2;

	while (level > 1 &&
	       (((va >> PAGE_SHIFT) | mfn) & (LEVEL_FRAMES(level) - 1) || nr < LEVEL_FRAMES(level)))
		level--;
	return level;
}

/* table_lock held */
static int map_in(uint64_t *root, vaddr_t va, mfn_t mfn, size_t nr, unsigned int flags)
{
	uint64_t e = pte_flags(flags);

	while (nr) {
		unsigned int level = best_level(va, mfn, nr);
		uint64_t *p = make_entry(root, va, &level, flags & MAP_USER);
		uint64_t old;

		if (!p)
			return -ENOMEM;
		old = *p;
		WRITE_ONCE(*p, (level > 1 ? to_large(e) : e) | mfn << PAGE_SHIFT);
		if (old & PTE_PRESENT)
			flush_tlb_one_local(va);
		va += LEVEL_FRAMES(level) << PAGE_SHIFT;
		mfn += LEVEL_FRAMES(level);
		nr -= LEVEL_FRAMES(level);
	}
	return 0;
}

int map_pages(vaddr_t va, mfn_t mfn, size_t nr, unsigned int flags)
{
	int rc;

	spin_lock(&table_lock);
	rc = map_in(idle_root, va, mfn, nr, flags);
	spin_unlock(&table_lock);
	return rc;
}

int map_at_own_address(uint64_t *root, mfn_t mfn, size_t nr, unsigned int flags)
{
	vaddr_t va = mfn << PAGE_SHIFT, last = (mfn + nr - 1) << PAGE_SHIFT;
	int rc = 0;

	spin_lock(&table_lock);
	for (unsigned int i = slot(va, 4); !rc && i <= slot(last, 4); i++)
		if (!(root[i] & PTE_PRESENT))
			rc = make_table(&root[i], 4, false);
	if (!rc)
		rc = map_in(root, va, mfn, nr, flags | MAP_PRIVATE);
	spin_unlock(&table_lock);
	return rc;
}

/* As make_entry(), but never makes a table where nothing is mapped: then *level is that of the hole. */
static uint64_t *find_entry(vaddr_t va, size_t nr, unsigned int *level)
{
	uint64_t *e = root_entry(idle_root, va);

	for (unsigned int l = 3;; l--) {
		e = &table_of(*e)[slot(va, l)];
		*level = l;
		if (!(*e & PTE_PRESENT) || l == 1)
			return e;
		if (*e & PTE_PSE) {
			if (best_level(va, 0, nr) >= l)
				return e;
			if (make_table(e, l, false))
				return NULL;
		}
	}
}

void unmap_pages(vaddr_t va, size_t nr)
{
	spin_lock(&table_lock);
	while (nr) {
		unsigned int level;
		uint64_t *e = find_entry(va, nr, &level);
		size_t n;

		/* Only part of a large page goes and there is no memory to split it: none of our callers'. */
		BUG_ON(!e);
		if (*e & PTE_PRESENT) {
			WRITE_ONCE(*e, 0);
			flush_tlb_one_local(va);
		}
		n = LEVEL_FRAMES(level) - ((va >> PAGE_SHIFT) & (LEVEL_FRAMES(level) - 1));
		n = min(n, nr);
		va += n << PAGE_SHIFT;
		nr -= n;
	}
	spin_unlock(&table_lock);
}

/* ---- mappings made at run time ---- */

/* Free address space: sorted, disjoint, not touching. */
struct vmap_range {
	vaddr_t start, end;
};
static struct vmap_range vmap_free[64] = {{VMAP_VIRT_START, VMAP_VIRT_END}};
static unsigned int vmap_free_count = 1;
static spinlock_t vmap_lock = SPINLOCK_INIT;

static void vmap_remove(unsigned int i)
{
	vmap_free_count--;
	memmove(&vmap_free[i], &vmap_free[i + 1], (vmap_free_count - i) * sizeof(vmap_free[0]));
}

/* First fit; 0: none. */
static vaddr_t vmap_alloc(size_t bytes)
{
	vaddr_t va = 0;

	spin_lock(&vmap_lock);
	for (unsigned int i = 0; i < vmap_free_count; i++) {
		struct vmap_range *r = &vmap_free[i];

		if (r->end - r->start < bytes)
			continue;
		va = r->start;
		r->start += bytes;
		if (r->start == r->end)
			vmap_remove(i);
		break;
	}
	spin_unlock(&vmap_lock);
	return va;
}

/* When the list is full the addresses are lost, of which there are plenty. */
static void vmap_release(vaddr_t start, size_t bytes)
{
	vaddr_t end = start + bytes;
	unsigned int i = 0;

	spin_lock(&vmap_lock);
	while (i < vmap_free_count && vmap_free[i].end < start)
		i++;
	if (i < vmap_free_count && vmap_free[i].end == start) {
		vmap_free[i].end = end;
		if (i + 1 < vmap_free_count && vmap_free[i + 1].start == end) {
			vmap_free[i].end = vmap_free[i + 1].end;
			vmap_remove(i + 1);
		}
	} else if (i < vmap_free_count && vmap_free[i].start == end) {
		vmap_free[i].start = start;
	} else if (vmap_free_count < ARRAY_SIZE(vmap_free)) {
		memmove(&vmap_free[i + 1], &vmap_free[i],
			(vmap_free_count - i) * sizeof(vmap_free[0]));
		vmap_free[i] = (struct vmap_range){start, end};
		vmap_free_count++;
	}
	spin_unlock(&vmap_lock);
}

/* Pages that hold [pa, pa + len), and one that stays unmapped behind them. */
static size_t vmap_size(paddr_t pa, size_t len)
{
	return ROUND_UP((pa & (PAGE_SIZE - 1)) + len, PAGE_SIZE) + PAGE_SIZE;
}

void *ioremap(paddr_t pa, size_t len, unsigned int flags)
{
	size_t bytes = vmap_size(pa, len);
	vaddr_t va;

	if (!len || len > VMAP_VIRT_END - VMAP_VIRT_START || pa + len < pa || (pa + len - 1) >> 52)
		return NULL;
	va = vmap_alloc(bytes);
	if (!va)
		return NULL;
	if (map_pages(va, pa >> PAGE_SHIFT, (bytes >> PAGE_SHIFT) - 1, flags)) {
		unmap_pages(va, bytes >> PAGE_SHIFT);
		vmap_release(va, bytes);
		return NULL;
	}
	return (void *)(va + (pa & (PAGE_SIZE - 1)));
}

void iounmap(void *p, size_t len)
{
	vaddr_t va = (vaddr_t)p & PAGE_MASK;
	size_t bytes = vmap_size((vaddr_t)p, len);
	cpumask_t others = cpu_online_mask & ~(1UL << smp_processor_id());

	if (!p)
		return;
	unmap_pages(va, bytes >> PAGE_SHIFT);
	/* Before the addresses are used again no CPU may remember what they mapped. */
	if (others)
		flush_tlb_mask(others);
	vmap_release(va, bytes);
}

/* ---- per-CPU areas ---- */

uint64_t *percpu_window_pte(unsigned int cpu, unsigned long offset)
{
	return percpu_l1[cpu / CPUS_PER_L1] +
	       (cpu % CPUS_PER_L1 * PERCPU_AREA_SIZE + offset) / PAGE_SIZE;
}

static int map_stack_page(unsigned int cpu, unsigned long offset)
{
	uint64_t *page = alloc_table(), *e = percpu_window_pte(cpu, offset);

	if (!page)
		return -ENOMEM;
	WRITE_ONCE(*e, virt_to_phys(page) | pte_flags(MAP_RW));
	return 0;
}

int percpu_area_map(unsigned int cpu)
{
	unsigned int level = 1;
	uint64_t *e;

	spin_lock(&table_lock);
	e = make_entry(idle_root, percpu_area(cpu), &level, false);
	spin_unlock(&table_lock);
	if (!e)
		return -ENOMEM;
	percpu_l1[cpu / CPUS_PER_L1] = (uint64_t *)((vaddr_t)e & PAGE_MASK);

	for (unsigned int n = 0; n < 3; n++) {
		if (map_stack_page(cpu, PERCPU_IST_OFFSET + 0x2000 * n))
			return -ENOMEM;
	}
	for (unsigned long at = PAGE_SIZE; at < STACK_SIZE; at += PAGE_SIZE) {
		if (map_stack_page(cpu, PERCPU_STACK_OFFSET + at))
			return -ENOMEM;
	}
	return 0;
}

/* ---- the start ---- */

static void __init map_range(vaddr_t va, paddr_t pa, paddr_t end, unsigned int flags)
{
	if (pa < end && map_pages(va, pa >> PAGE_SHIFT, (end - pa) >> PAGE_SHIFT, flags))
		panic("Out of memory for the hypervisor's page tables");
}

static void __init map_image(const char *start, const char *end, unsigned int flags)
{
	map_range((vaddr_t)start, virt_to_phys(start), virt_to_phys(end), flags);
}

static void __init map_directly(paddr_t start, paddr_t end, unsigned int flags)
{
	map_range(DIRECTMAP_VIRT_START + start, start, end, flags);
}

static void __init map_ram(paddr_t start, paddr_t end)
{
	paddr_t ro_start = max(start, virt_to_phys(text_start));
	paddr_t ro_end = min(end, virt_to_phys(rodata_end));

	if (ro_start >= ro_end) {
		map_directly(start, end, MAP_RW);
		return;
	}
	map_directly(start, ro_start, MAP_RW);
	map_directly(ro_start, ro_end, 0);
	map_directly(ro_end, end, MAP_RW);
}

/* L3 tables of all slots that will ever map something. RAM is not added later, so the direct map's
 * are known. */
static void __init make_root(void)
{
	paddr_t ram_end = 0;
	unsigned int last;

	for (unsigned int i = 0; i < memory_map_entries; i++) {
		if (memory_map[i].type == E820_RAM)
			ram_end = memory_map[i].end;
	}
	last = slot(DIRECTMAP_VIRT_START + ram_end - 1, 4);
	idle_root = alloc_table();
	for (unsigned int i = HV_FIRST_SLOT; i <= last; i++)
		idle_root[i] = virt_to_phys(alloc_table()) | TABLE_FLAGS;
	/* The only one that guests may read, and nobody writes through. */
	idle_root[HV_FIRST_SLOT] ^= PTE_RW | PTE_USER;
}

void __init pagetable_init(void)
{
	make_root();
	map_image(text_start, text_end, MAP_EXEC);
	map_image(rodata_start, rodata_end, 0);
	map_image(data_start, data_end, MAP_RW);
	map_image(init_start, init_text_end, MAP_EXEC);
	map_image(init_text_end, init_end, MAP_RW);
	map_image(init_end, image_end, 0);
	for (unsigned int i = 0; i < memory_map_entries; i++) {
		if (memory_map[i].type == E820_RAM)
			map_ram(memory_map[i].start, memory_map[i].end);
	}
	if (percpu_area_map(0))
		panic("Out of memory for the stacks");

	wrmsr(MSR_PAT, PAT_VALUE);
	write_cr0(read_cr0() | CR0_WP);
	write_cr3(virt_to_phys(idle_root));
	direct_map_complete = true;
}

void install_hv_slots(uint64_t *l4)
{
	memcpy(l4 + HV_FIRST_SLOT, idle_root + HV_FIRST_SLOT,
	       (HV_LAST_SLOT - HV_FIRST_SLOT + 1) * sizeof(*l4));
}
