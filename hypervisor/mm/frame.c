/* SPDX-License-Identifier: MIT */
/*
 * The frame table and the machine-to-physical map: made at boot, sized by the memory that there is.
 * Both are arrays over frame numbers at fixed addresses. Where there is a hole in RAM, the frame table's
 * pages are one shared page of zeros, an entry that stands for nothing; the map has no page at all.
 */
#include "mm/frame.h"
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/errno.h"

#define E820_RAM	      1
#define LARGE_PAGE	      (2UL << 20)
#define FRAMES_PER_LARGE_PAGE (LARGE_PAGE / sizeof(struct frame))
#define FRAMES_PER_PAGE	      (PAGE_SIZE / sizeof(struct frame))
#define M2P_PER_LARGE_PAGE    (LARGE_PAGE / sizeof(uint64_t))

/* Messages to a CPU's local APIC (SDM 3 11.11.1): writing there interrupts it. */
#define MSI_START 0xfee00000UL
#define MSI_END	  0xfef00000UL

mfn_t max_mfn;
uint64_t bad_table_bits, bad_l1_bits;
static uint64_t nr_ram;

bool mfn_is_ram(mfn_t mfn)
{
	return frame_of_ram(mfn) != NULL;
}

uint64_t total_frames(void)
{
	return nr_ram;
}

struct domain io_domain = {.id = DOMID_IO}, xen_domain = {.id = DOMID_XEN};

struct domain *owner_domain(domid_t id)
{
	if (likely(id == current->domain->id))
		return current->domain;
	return id == DOMID_XEN ? &xen_domain : domain_find(id);
}

int find_other_owner(domid_t id, struct domain **d)
{
	/* What of it a domain may map is asked for each frame. */
	if (id == DOMID_IO) {
		*d = &io_domain;
		return 0;
	}
	*d = owner_domain(id);
	if (!*d)
		return -ESRCH;
	return current->domain->is_privileged ? 0 : -EPERM;
}

struct domain *frame_owner(mfn_t mfn)
{
	struct frame *f = frame_of_ram(mfn);

	return f && state_refs(frame_state(f)) ? owner_domain(f->owner) : NULL;
}

void m2p_set(mfn_t mfn, uint64_t pfn)
{
	if (frame_of_ram(mfn))
		WRITE_ONCE(m2p_table[mfn], pfn);
}

void m2p_set_range(mfn_t mfn, uint64_t pfn, uint64_t count)
{
	for (mfn_t end = mfn + count; mfn < end; mfn++, pfn++)
		WRITE_ONCE(m2p_table[mfn], pfn);
}

uint64_t m2p_get(mfn_t mfn)
{
	return frame_of_ram(mfn) ? READ_ONCE(m2p_table[mfn]) : INVALID_M2P_ENTRY;
}

/* ---- devices ---- */

static bool in_page_of(mfn_t mfn, paddr_t address)
{
	return address && mfn == address >> PAGE_SHIFT;
}

bool io_frame_allowed(const struct domain *d, mfn_t mfn)
{
	if (frame_of_ram(mfn) || (!d->is_privileged && !range_set_has(&d->mm.io_frames, mfn, mfn)))
		return false;
	if (mfn >= MSI_START >> PAGE_SHIFT && mfn < MSI_END >> PAGE_SHIFT)
		return false;
	return !in_page_of(mfn, acpi_info.lapic);
}

/* The clock and the interrupt controllers of the machine: AML and Linux's drivers look at them. */
bool io_frame_read_only(mfn_t mfn)
{
	if (in_page_of(mfn, acpi_info.hpet))
		return true;
	for (unsigned int i = 0; i < acpi_info.ioapics; i++)
		if (in_page_of(mfn, acpi_info.ioapic[i].address))
			return true;
	return false;
}

void frame_masks_init(void)
{
	unsigned int bits = cpu_features.phys_bits;

	bad_l1_bits = PTE_ADDR_MASK & ~((1UL << bits) - 1);
	if (!cpu_features.nx)
		bad_l1_bits |= PTE_NX;
	/* No superpages for guests; in level 4 both bits are reserved anyway. */
	bad_table_bits = bad_l1_bits | PTE_PSE | PTE_GLOBAL;
}

void frames_mark_ram(mfn_t start, mfn_t end)
{
	for (mfn_t mfn = start; mfn < end; mfn++)
		frame_table[mfn].state = FRAME_RAM | FRAME_HV;
	nr_ram += end - start;
}

/* ---- start ---- */

/* The n-th range of RAM in whole frames, cut where frame numbers or the direct map end. */
static bool __init ram_range(unsigned int n, mfn_t *start, mfn_t *end)
{
	const struct memory_range *r = &memory_map[n];

	if (r->type != E820_RAM)
		return false;
	*start = PFN_UP(r->start);
	*end = PFN_DOWN(min(r->end, DIRECTMAP_VIRT_END - DIRECTMAP_VIRT_START));
	return *start < *end;
}

/* How many frames of [first, last) are RAM? */
static uint64_t __init ram_within(mfn_t first, mfn_t last)
{
	uint64_t n = 0;
	mfn_t start, end;

	for (unsigned int i = 0; i < memory_map_entries; i++)
		if (ram_range(i, &start, &end) && start < last && end > first)
			n += min(end, last) - max(start, first);
	return n;
}

static void __init map_or_panic(vaddr_t va, paddr_t pa, size_t bytes, unsigned int flags)
{
	if (map_pages(va, pa >> PAGE_SHIFT, PFN_UP(bytes), flags))
		panic("no memory to map the frame table");
}

/* The part of the frame table for [first, last), a page for each 1 MiB with RAM in it. */
static void __init make_frame_pages(mfn_t first, mfn_t last, paddr_t hole)
{
	for (mfn_t mfn = first, next; mfn < last; mfn = next) {
		vaddr_t va = FRAMETABLE_VIRT_START + mfn * sizeof(struct frame);

		next = mfn + FRAMES_PER_PAGE;
		if (!ram_within(mfn, next)) {
			map_or_panic(va, hole, PAGE_SIZE, 0);
			continue;
		}
		while (next < last && ram_within(next, next + FRAMES_PER_PAGE))
			next += FRAMES_PER_PAGE;
		map_or_panic(va, boot_alloc((next - mfn) / FRAMES_PER_PAGE * PAGE_SIZE, PAGE_SIZE),
			     (next - mfn) / FRAMES_PER_PAGE * PAGE_SIZE, MAP_RW);
	}
}

static void __init make_frame_table(void)
{
	paddr_t hole = boot_alloc(PAGE_SIZE, PAGE_SIZE);

	for (mfn_t mfn = 0; mfn < max_mfn; mfn += FRAMES_PER_LARGE_PAGE) {
		mfn_t last = mfn + FRAMES_PER_LARGE_PAGE;

		if (last <= max_mfn && ram_within(mfn, last) >= FRAMES_PER_LARGE_PAGE / 2)
			map_or_panic(FRAMETABLE_VIRT_START + mfn * sizeof(struct frame),
				     boot_alloc(LARGE_PAGE, LARGE_PAGE), LARGE_PAGE, MAP_RW);
		else
			make_frame_pages(mfn, ROUND_UP(min(last, max_mfn), FRAMES_PER_PAGE), hole);
	}
}

/* In pieces of 2 MiB, since machphys_mfn_list shows it as such; the last one no longer than needed. */
static void __init make_m2p(void)
{
	for (mfn_t mfn = 0; mfn < max_mfn; mfn += M2P_PER_LARGE_PAGE) {
		mfn_t last = min(mfn + M2P_PER_LARGE_PAGE, max_mfn);
		size_t bytes = ROUND_UP((last - mfn) * sizeof(uint64_t), PAGE_SIZE);
		size_t offset = mfn * sizeof(uint64_t);
		paddr_t pa;

		if (!ram_within(mfn, last))
			continue;
		pa = boot_alloc(bytes, LARGE_PAGE);
		memset(phys_to_virt(pa), 0xff, bytes); /* INVALID_M2P_ENTRY */
		map_or_panic(M2P_RW_VIRT_START + offset, pa, bytes, MAP_RW);
		map_or_panic(M2P_RO_VIRT_START + offset, pa, bytes, MAP_USER);
	}
}

/* The tools may map it as DOMID_XEN's, read-only. It is never given back. */
static void __init share_m2p(void)
{
	for (unsigned long piece = 0; piece < DIV_ROUND_UP(max_mfn, M2P_PER_LARGE_PAGE); piece++) {
		mfn_t first = m2p_piece(piece);
		unsigned long bytes =
		    min(M2P_PER_LARGE_PAGE, max_mfn - piece * M2P_PER_LARGE_PAGE) *
		    sizeof(uint64_t);

		for (mfn_t mfn = first; first && mfn < first + PFN_UP(bytes); mfn++)
			if (share_frame_with_domain(mfn, &xen_domain, false))
				panic("the machine-to-physical map is not the hypervisor's");
	}
}

static mfn_t marked __initdata; /* RAM below has its state: free, or the hypervisor's */

/* What is not free, up to `end`, is the hypervisor's. Each entry is written once: there are many. */
static void __init mark_rest(mfn_t upto)
{
	mfn_t start, end;

	for (unsigned int i = 0; i < memory_map_entries; i++)
		if (ram_range(i, &start, &end) && start < upto && end > marked)
			frames_mark_ram(max(start, marked), min(end, upto));
	marked = upto;
}

static void __init free_range(paddr_t start, paddr_t end)
{
	/* Frame 0 stands for nothing in many places: it is not handed out. */
	mfn_t first = max(PFN_UP(start), 1UL), last = PFN_DOWN(min(end, max_mfn << PAGE_SHIFT));

	if (first >= last)
		return;
	mark_rest(first);
	frames_free_at_boot(first, last);
	nr_ram += last - first;
	marked = last;
}

void __init mm_init(void)
{
	mfn_t start, end;

	for (unsigned int i = 0; i < memory_map_entries; i++)
		if (ram_range(i, &start, &end))
			max_mfn = max(max_mfn, end);
	frame_masks_init();
	make_frame_table();
	make_m2p();
	boot_memory_for_each_free(free_range);
	mark_rest(max_mfn);
	share_m2p();
	printk(LOG_INFO "Memory: %lu KiB of RAM, %lu KiB free\n", nr_ram * 4, free_frames() * 4);
}

/* The first frame of a 2 MiB piece of the machine-to-physical map, 0 for a hole. */
mfn_t m2p_piece(unsigned long piece)
{
	uint64_t entry = idle_root[(M2P_RW_VIRT_START >> 39) & 511];

	for (unsigned int shift = 30; entry & PTE_PRESENT; shift -= 9) {
		const uint64_t *table = mfn_to_virt((entry & PTE_ADDR_MASK) >> PAGE_SHIFT);

		entry = table[(piece << 21 >> shift) & 511];
		if (shift == PAGE_SHIFT || (entry & PTE_PSE))
			break;
	}
	return entry & PTE_PRESENT ? (entry & PTE_ADDR_MASK) >> PAGE_SHIFT : 0;
}
