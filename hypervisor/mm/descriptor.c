/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables of guests: the GDT is up to 14 frames that the guest names; the LDT is memory of the
 * guest's, whose pages are mapped into the CPU's LDT window when they are first used. While a frame is
 * part of either it has the descriptor type: validated, and mapped writable by nobody.
 *
 * Both live in windows of the CPU that only the hypervisor can write to (mm/layout.h). An LDT frame is kept
 * typed until the vCPU's LDT or kernel page tables change.
 */
#include "mm/page_type.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/bitops.h"
#include "lib/errno.h"

#define DESCRIPTORS_PER_PAGE (PAGE_SIZE / sizeof(uint64_t))

/* SDM 3 3.4.5 */
#define DESC_SEGMENT (1UL << 44) /* code or data; else a system segment or gate */
#define DESC_DPL     (3UL << 45)
#define DESC_PRESENT (1UL << 47)

/*
 * Code and data segments are harmless in ring 3, whatever their base and limit, and get its privilege
 * level: kernels fill in 0, as on a bare machine. Gates could lead into the hypervisor, and system segments
 * are the hypervisor's to load. What is not present stays so, for the CPU never sets that bit.
 */
static bool admit_descriptor(uint64_t *desc)
{
	if (!(*desc & DESC_PRESENT))
		return true;
	if (!(*desc & DESC_SEGMENT))
		return false;
	*desc |= DESC_DPL;
	return true;
}

bool descriptor_ok(uint64_t desc)
{
	return admit_descriptor(&desc);
}

bool validate_descriptors(uint64_t *page)
{
	for (unsigned int i = 0; i < DESCRIPTORS_PER_PAGE; i++) {
		uint64_t desc = page[i];

		if (!admit_descriptor(&desc))
			return false;
		if (desc != page[i])
			page[i] = desc;
	}
	return true;
}

/* ---- GDT ---- */

static unsigned int gdt_pages(unsigned int entries)
{
	return DIV_ROUND_UP(entries, DESCRIPTORS_PER_PAGE);
}

static void put_gdt(const uint64_t *mfns, unsigned int entries)
{
	for (unsigned int i = 0; i < gdt_pages(entries); i++)
		put_descriptor_frame(&frame_table[mfns[i]]);
}

int set_gdt_frames(struct vcpu *v, const uint64_t *mfns, unsigned int entries)
{
	struct domain *d = v->domain;
	uint64_t old[GDT_FRAMES];
	unsigned int old_entries = v->pv.gdt_ents, i;
	int rc = 0;

	if (entries > GDT_ENTRIES_MAX)
		return -EINVAL;
	spin_lock(&d->mm.lock);
	for (i = 0; i < gdt_pages(entries) && !rc; i++)
		rc = get_descriptor_frame(d, mfns[i]);
	if (rc) {
		put_gdt(mfns, (i - 1) * DESCRIPTORS_PER_PAGE);
	} else {
		memcpy(old, v->pv.gdt_frames, sizeof(old));
		memcpy(v->pv.gdt_frames, mfns, gdt_pages(entries) * sizeof(mfns[0]));
		v->pv.gdt_ents = entries;
		if (v == current)
			load_guest_gdt(v);
		put_gdt(old, old_entries);
	}
	spin_unlock(&d->mm.lock);
	return rc;
}

void release_gdt(struct vcpu *v)
{
	static const uint64_t none[1];

	set_gdt_frames(v, none, 0);
}

long do_set_gdt(vaddr_t frame_list, unsigned int entries)
{
	uint64_t mfns[GDT_FRAMES];

	if (entries > GDT_ENTRIES_MAX)
		return -EINVAL;
	if (copy_from_guest(mfns, frame_list, gdt_pages(entries) * sizeof(mfns[0])))
		return -EFAULT;
	return set_gdt_frames(current, mfns, entries);
}

/* ---- single descriptors ---- */

long do_update_descriptor(uint64_t maddr, uint64_t desc)
{
	struct domain *d = current->domain;
	struct frame *f = frame_of_ram(maddr >> PAGE_SHIFT);
	uint64_t in_use = TYPE_BITS(PT_SEG_DESC) | FRAME_VALID, s;
	long rc = -EINVAL;

	if (!f || (maddr & 7) || !admit_descriptor(&desc))
		return -EINVAL;
	spin_lock(&d->mm.lock);
	s = frame_state(f);
	if (state_refs(s) && frame_is_owned(f, d) && (s & (FRAME_TYPE | FRAME_VALID)) == in_use) {
		WRITE_ONCE(*(uint64_t *)phys_to_virt(maddr), desc);
		rc = 0;
	} else if (!get_frame_and_type(frame_mfn(f), d, PT_WRITABLE)) {
		/* Not in use as a table yet: an ordinary write. */
		WRITE_ONCE(*(uint64_t *)phys_to_virt(maddr), desc);
		put_frame_and_type(frame_mfn(f));
		rc = 0;
	}
	spin_unlock(&d->mm.lock);
	return rc;
}

/* ---- LDT ---- */

static uint64_t *ldt_window_pte(unsigned int page)
{
	return percpu_window_pte(smp_processor_id(), PERCPU_LDT_OFFSET + page * PAGE_SIZE);
}

bool mm_map_ldt_page(struct vcpu *v, unsigned int page)
{
	struct domain *d = v->domain;
	vaddr_t va;
	uint64_t *entry;
	bool ok = false;

	if (page >= DIV_ROUND_UP(v->pv.ldt_ents, DESCRIPTORS_PER_PAGE) ||
	    page >= ARRAY_SIZE(v->pv.ldt_frames) || v->kernel_root == INVALID_MFN)
		return false;
	page = clamp_index(page, ARRAY_SIZE(v->pv.ldt_frames));
	if (v->pv.ldt_mapped & 1U << page)
		return false; /* so that is not what it faulted for */
	va = v->pv.ldt_base + page * PAGE_SIZE;
	if (!guest_range_ok(va, PAGE_SIZE))
		return false;
	spin_lock(&d->mm.lock);
	entry = walk_to_l1(v, v->kernel_root, va);
	if (entry && (READ_ONCE(*entry) & PTE_PRESENT) &&
	    !get_descriptor_frame(d, entry_mfn(*entry))) {
		mfn_t mfn = entry_mfn(*entry);

		v->pv.ldt_frames[page] = mfn;
		v->pv.ldt_mapped |= 1U << page;
		/* Writable, because the CPU sets accessed bits through it. */
		WRITE_ONCE(*ldt_window_pte(page), mfn << PAGE_SHIFT | PTE_PRESENT | PTE_RW |
						      PTE_ACCESSED | PTE_DIRTY |
						      (cpu_features.nx ? PTE_NX : 0));
		ok = true;
	}
	spin_unlock(&d->mm.lock);
	return ok;
}

void invalidate_ldt(struct vcpu *v)
{
	struct domain *d = v->domain;
	uint32_t mapped = v->pv.ldt_mapped;

	if (!mapped)
		return;
	/* Another CPU's window, where v ran last, is loaded anew before it is used again. */
	if (v == current) {
		for (uint32_t left = mapped; left; left &= left - 1) {
			unsigned int page = lowest_bit(left);

			WRITE_ONCE(*ldt_window_pte(page), 0);
			flush_tlb_one_local(percpu_area(smp_processor_id()) + PERCPU_LDT_OFFSET +
					    page * PAGE_SIZE);
		}
	}
	spin_lock(&d->mm.lock);
	v->pv.ldt_mapped = 0;
	for (; mapped; mapped &= mapped - 1)
		put_descriptor_frame(&frame_table[v->pv.ldt_frames[lowest_bit(mapped)]]);
	spin_unlock(&d->mm.lock);
}
