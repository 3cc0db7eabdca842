/* SPDX-License-Identifier: MIT */
/*
 * Memory: frame numbers, the page allocator, the domain's own page tables.
 *
 * Three kinds of numbers: a pfn counts the domain's own pages from 0; an mfn is the machine frame behind one;
 * a virtual address is what code uses. The domain's page pfn is mapped at VIRT_BASE + pfn * 4096, once and
 * writable, except for page tables (read-only) and for memory beyond the first GiB, which this runtime leaves
 * unmapped and unused.
 *
 *   0xffffffff80000000  VIRT_BASE: image, start-of-day structures, then all pages, up to 1 GiB
 *   0xffffffffc0000000  MAP_BASE: for mapping machine frames of devices, firmware and other domains
 *   0xffffff8000000000  HEAP_BASE: the C library's heap
 *   0xffffffa000000000  STACK_BASE: stacks of threads
 *
 * Page tables are direct: entries hold machine frames, and the hypervisor checks every change. Threads may call
 * all of this at the same time: what belongs together is done with events masked. Event handlers may not call
 * it, for their time's sake.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#define PAGE_SHIFT     12
#define PAGE_SIZE      4096

#define VIRT_BASE      0xffffffff80000000
#define VIRT_MAX_PAGES 262144
#define MAP_BASE       0xffffffffc0000000
#define HEAP_BASE      0xffffff8000000000
#define HEAP_END       0xffffff9000000000
#define STACK_BASE     0xffffffa000000000

#define PTE_P	       0x001
#define PTE_RW	       0x002
#define PTE_US	       0x004
#define PTE_PWT	       0x008
#define PTE_PCD	       0x010
#define PTE_A	       0x020
#define PTE_D	       0x040
#define PTE_PS	       0x080
#define PTE_G	       0x100
#define PTE_NX	       0x8000000000000000
/* Bits of an entry that hold the frame, 12 to 51. */
#define PTE_FRAME 0x000ffffffffff000

#ifndef __ASSEMBLY__

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>

/* Entry flags of ordinary data and of table pages. */
#define PTE_DATA      (PTE_P | PTE_RW | PTE_A | PTE_D)
#define PTE_READ_ONLY (PTE_P | PTE_A)
#define PTE_TABLE     (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static inline uint64_t pte_make(unsigned long mfn, uint64_t flags)
{
	return (uint64_t)mfn << PAGE_SHIFT | flags;
}

static inline unsigned long pte_mfn(uint64_t pte)
{
	return (pte & PTE_FRAME) >> PAGE_SHIFT;
}

/* Number translation. pfn_to_mfn and virt_to_* are for the domain's own mapped pages. */
extern unsigned long *p2m; /* the list the domain was started with, pfn to mfn */

static inline unsigned long pfn_to_mfn(unsigned long pfn)
{
	return p2m[pfn];
}

/* What the hypervisor's table says; only meaningful if that frame is the domain's. The read may fault. */
static inline unsigned long mfn_to_pfn(unsigned long mfn)
{
	return machine_to_phys_mapping[mfn];
}

static inline void *pfn_to_virt(unsigned long pfn)
{
	return (void *)(VIRT_BASE + (pfn << PAGE_SHIFT));
}

static inline unsigned long virt_to_pfn(const volatile void *virt)
{
	return ((unsigned long)virt - VIRT_BASE) >> PAGE_SHIFT;
}

static inline unsigned long virt_to_mfn(const volatile void *virt)
{
	return pfn_to_mfn(virt_to_pfn(virt));
}

static inline uint64_t virt_to_machine(const volatile void *virt)
{
	return ((uint64_t)virt_to_mfn(virt) << PAGE_SHIFT) |
	       ((unsigned long)virt & (PAGE_SIZE - 1));
}

static inline void *mfn_to_virt(unsigned long mfn)
{
	return pfn_to_virt(mfn_to_pfn(mfn));
}

/* The page allocator: runs of pages, adjacent by pfn and address (not by mfn). */

/* Not zeroed. NULL when there is no such run. */
void *pages_alloc(unsigned long count);
void pages_free(void *pages, unsigned long count);
/* One page, zeroed, or NULL. */
void *page_alloc(void);
void page_free(void *page);
unsigned long pages_total(void);     /* of the domain */
unsigned long pages_usable(void);    /* that this runtime can hand out, used or not */
unsigned long pages_available(void); /* that are free now */

/* Own page tables. */

/* The top-level table that was given at the start of day. */
extern uint64_t *page_root;

/*
 * Walk the tables below the level-4 table root, which must be the domain's own, for an address. Returns the
 * entry found at the lowest level reached: a copy in *entry, its machine address in *where (either may be
 * NULL), its level as the result: 1 when all the tables exist, or the level whose entry is not present.
 */
unsigned int page_walk(const uint64_t *root, unsigned long va, uint64_t *entry, uint64_t *where);

/* The level-1 entry for an address in the current tables, 0 when there is none. */
uint64_t page_lookup(unsigned long va);

/*
 * Map: write a level-1 entry for va below root, allocating the tables that are missing. domain owns the
 * frame: DOMID_SELF, DOMID_IO for device and firmware memory, or another domain's. Returns 0, -ENOMEM, or
 * the hypervisor's errno. An entry of 0 unmaps.
 */
long page_map(uint64_t *root, unsigned long va, uint64_t pte, domid_t domain);

/* Change the existing level-1 entry for va in the current address space and flush it. Hypervisor's errno. */
long page_set(const volatile void *va, uint64_t pte);

/* Make a page of the domain read-only or writable where it is mapped at its own address. */
long page_read_only(const void *page);
long page_writable(const void *page);

/* A zeroed page, read-only, fit to become a page table; NULL without memory. Free: it must be one no more. */
uint64_t *page_table_alloc(void);
void page_table_free(uint64_t *table);

/* Write one entry of a table of this domain, through the hypervisor. */
long page_table_set(const uint64_t *table, unsigned int index, uint64_t entry);

/* Pin a table as level 1 to 4: it is validated now and stays a table until it is unpinned. */
long page_pin(const void *table, unsigned int level);
long page_unpin(const void *table);

/* Load another root for kernel mode, or for user mode (see guest/user.h). */
long page_root_switch(const uint64_t *root);
long page_user_root_switch(const uint64_t *root);

long tlb_flush(void);

/*
 * Map count machine frames from mfn on, adjacent, somewhere above MAP_BASE. flags: PTE_*. NULL on failure,
 * with the hypervisor's errno in *error unless that is NULL. Undone by frames_unmap.
 */
void *frames_map(unsigned long mfn, unsigned long count, uint64_t flags, domid_t domain,
		 long *error);
/*
 * The same for a list of frames. With errors (an element for each, all written) frames that the hypervisor refuses
 * are left out and their errno told there; NULL then only when there are no addresses or tables.
 */
void *frames_map_list(const xen_pfn_t *mfns, unsigned long count, uint64_t flags, domid_t domain,
		      int *errors, long *error);
void frames_unmap(void *va, unsigned long count);

/*
 * Addresses for pages that something else than these functions maps (grants), with the tables above them and nothing
 * mapped, or NULL. Nothing may be mapped there when they are given back.
 */
void *frames_reserve(unsigned long count);
void frames_release(void *va, unsigned long count);

/* Part of the start of day. */
void memory_init(unsigned long stack_top);

#endif
#endif
