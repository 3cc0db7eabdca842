/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's part of every address space: L4 slots 256 to 271, the same in all of them. The
 * ABI fixes its ends and the machine-to-physical map at its start (public/arch-x86/xen-x86_64.h).
 *
 *	256  machine-to-physical map, read-only, readable by guests
 *	257  device memory and other mappings made at run time
 *	258  machine-to-physical map, writable, for the hypervisor only
 *	259  per-CPU areas: stacks between guard pages, GDT and LDT windows, syscall stubs
 *	260  frame table
 *	261  the hypervisor's image: link address = load address + IMAGE_VIRT_START
 *	262  to 271: all memory, direct map
 */
#ifndef MM_LAYOUT_H
#define MM_LAYOUT_H

#ifdef __ASSEMBLY__
#define U64(x) x
#else
#define U64(x) x##UL
#endif

#define HV_FIRST_SLOT	      256
#define HV_LAST_SLOT	      271
#define HV_VIRT_START	      U64(0xffff800000000000)
#define HV_VIRT_END	      U64(0xffff880000000000)

#define M2P_RO_VIRT_START     U64(0xffff800000000000)
#define VMAP_VIRT_START	      U64(0xffff808000000000)
#define VMAP_VIRT_END	      U64(0xffff810000000000)
#define M2P_RW_VIRT_START     U64(0xffff810000000000)
#define PERCPU_VIRT_START     U64(0xffff818000000000)
#define FRAMETABLE_VIRT_START U64(0xffff820000000000)
#define IMAGE_VIRT_START      U64(0xffff828000000000)
#define IMAGE_PHYS_START      U64(0x200000) /* where GRUB puts the image */
#define DIRECTMAP_VIRT_START  U64(0xffff830000000000)
#define DIRECTMAP_VIRT_END    U64(0xffff880000000000)

/*
 * Per-CPU area, PERCPU_AREA_SIZE bytes at percpu_area(cpu):
 *	0		guard page
 *	1 page each	IST stacks NMI (page 1), #MC (page 3), #DF and #DB (page 5); guard pages between
 *	page 7		second mapping of the main stack's top page, so that cpu_info() works on the IST
 *			stacks (made by cpu_init())
 *	STACK		main stack, STACK_SIZE, aligned to it; its top holds struct cpu_info
 *	GDT window	16 pages: guest frames 0 to 13, then the hypervisor's two
 *	LDT window	16 pages: the current vCPU's LDT, mapped page by page on first use
 *	STUB		syscall entry stubs, read-only and executable
 */
#define PERCPU_AREA_SHIFT   19
#define PERCPU_AREA_SIZE    U64(0x80000)
#define STACK_SHIFT	    15
#define STACK_SIZE	    U64(0x8000)
#define PERCPU_IST_OFFSET   U64(0x1000) /* + 0x2000 * n, one page each */
#define PERCPU_STACK_OFFSET U64(0x8000) /* its first page is a guard page */
#define PERCPU_GDT_OFFSET   U64(0x20000)
#define PERCPU_LDT_OFFSET   U64(0x30000)
#define PERCPU_STUB_OFFSET  U64(0x40000)

#ifndef __ASSEMBLY__
#include "lib/types.h"

static inline vaddr_t percpu_area(unsigned int cpu)
{
	return PERCPU_VIRT_START + ((vaddr_t)cpu << PERCPU_AREA_SHIFT);
}

#ifndef UNIT_TEST
/* Any machine address of memory (not of devices) to the hypervisor's own mapping of it. */
static inline void *phys_to_virt(paddr_t pa)
{
	return (void *)(DIRECTMAP_VIRT_START + pa);
}

/* v: in the direct map or in the image. */
static inline paddr_t virt_to_phys(const void *v)
{
	vaddr_t va = (vaddr_t)v;

	return va >= DIRECTMAP_VIRT_START ? va - DIRECTMAP_VIRT_START : va - IMAGE_VIRT_START;
}
#else
void *phys_to_virt(paddr_t pa);
paddr_t virt_to_phys(const void *v);
#endif

static inline void *mfn_to_virt(mfn_t mfn)
{
	return phys_to_virt(mfn << PAGE_SHIFT);
}

static inline mfn_t virt_to_mfn(const void *v)
{
	return virt_to_phys(v) >> PAGE_SHIFT;
}

/* Is va (any 64-bit number) canonical? */
static inline bool is_canonical(vaddr_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* May a guest name [va, va + len) as memory of its own? Never the hypervisor's slots; canonical; no
 * wrap-around. A range that runs into the non-canonical hole faults when touched. */
static inline bool guest_range_ok(vaddr_t va, size_t len)
{
	vaddr_t end = va + len;

	return end >= va && (end <= HV_VIRT_START || va >= HV_VIRT_END) && is_canonical(va);
}
#endif

#endif
