/* SPDX-License-Identifier: MIT */
/* After the start: what only the start needed becomes free memory. */
#include "boot/boot.h"
#include "cpu/cpu.h"
#include "lib/image.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* What is freed is scrubbed when a domain gets it (domain_alloc_frames). */
static void free_range(paddr_t start, paddr_t end)
{
	for (mfn_t mfn = PFN_UP(start); mfn < PFN_DOWN(end); mfn++)
		free_hv_frames(mfn, 0);
}

/* Modules start on pages, as the Multiboot2 header demands; so the rest of a module's last page is
 * nobody else's. */
static void free_module(struct boot_module *m)
{
	if (IS_ALIGNED(m->start, PAGE_SIZE))
		free_range(m->start, ROUND_UP(m->start + m->size, PAGE_SIZE));
	else
		free_range(m->start, m->start + m->size);
	m->start = 0;
	m->size = 0;
}

void discard_boot_memory(void)
{
	vaddr_t start = (vaddr_t)init_start, end = (vaddr_t)init_end;
	vaddr_t caller = (vaddr_t)__builtin_return_address(0), sp = (vaddr_t)cpu_info();

	BUG_ON((caller >= start && caller < end) || (sp >= start && sp < end));
	unmap_pages(start, (end - start) >> PAGE_SHIFT);
	flush_tlb_mask(cpu_online_mask);
	free_range(virt_to_phys(init_start), virt_to_phys(init_end));
	for (unsigned int i = 0; i < boot_info.modules; i++)
		free_module(&boot_info.module[i]);
}
