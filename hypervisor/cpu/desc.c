/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables and the set-up of a CPU. Each CPU's GDT is a window of 16 pages in its per-CPU
 * area: 0 to 13 show the current vCPU's own descriptors, 14 the hypervisor's, 15 none. Pages that
 * the guest does not supply show zeroes, so a selector into them is refused by the CPU as one of an
 * empty descriptor.
 */
#include "cpu/asm.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/x86.h"
#include "domain/types.h"
#include "lib/lib.h"
#include "mm/mm.h"

#define GDT_HV_PAGE	     FIRST_RESERVED_GDT_PAGE
#define GDT_SLOT(selector)   (((selector)&0xfff) >> 3)
#define WINDOW_PAGES	     16
#define DESCRIPTORS_PER_PAGE (PAGE_SIZE / 8)

/* SDM 3 7.7. Without an I/O bitmap: its base lies beyond the limit. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap_base;
} __packed;
_Static_assert(sizeof(struct tss) == 0x68, "TSS of 64-bit mode");

static uint64_t zero_page[DESCRIPTORS_PER_PAGE] __page_aligned;

static DEFINE_PER_CPU(struct tss, tss);
static DEFINE_PER_CPU(uint64_t *, gdt);		/* page 14 in the direct map */
static DEFINE_PER_CPU(unsigned int, gdt_pages); /* that the window shows of a guest's */
static DEFINE_PER_CPU(unsigned int, ldt_ents);	/* as the LDT descriptor says */

uint32_t trampoline_cr4;

void syscall_entry(void);
void syscall32_entry(void);

static uint64_t window_entry(mfn_t mfn, uint64_t flags)
{
	return mfn << PAGE_SHIFT | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | flags |
	       (cpu_features.nx ? PTE_NX : 0);
}

/* ---- guests' tables ---- */

static void set_window_page(unsigned long offset, uint64_t entry)
{
	unsigned int cpu = smp_processor_id();
	uint64_t *pte = percpu_window_pte(cpu, offset);

	if (*pte == entry)
		return;
	WRITE_ONCE(*pte, entry);
	flush_tlb_one_local(percpu_area(cpu) + offset);
}

void load_guest_gdt(struct vcpu *v)
{
	unsigned int n = DIV_ROUND_UP(v->pv.gdt_ents, DESCRIPTORS_PER_PAGE);
	unsigned int old = this_cpu(gdt_pages);

	/* Writable, because the CPU sets accessed bits through it. */
	for (unsigned int i = 0; i < n; i++)
		set_window_page(PERCPU_GDT_OFFSET + i * PAGE_SIZE,
				window_entry(v->pv.gdt_frames[i], PTE_RW));
	for (unsigned int i = n; i < old; i++)
		set_window_page(PERCPU_GDT_OFFSET + i * PAGE_SIZE,
				window_entry(virt_to_mfn(zero_page), 0));
	this_cpu(gdt_pages) = n;
}

/* A descriptor of two slots (TSS, LDT: SDM 3 7.2.3, 3.5.2). */
static void set_system_descriptor(uint64_t *slot, uint64_t base, uint32_t limit, uint64_t type)
{
	slot[1] = base >> 32;
	slot[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 |
		  (uint64_t)(limit & 0xf0000) << 32 | (base >> 24 & 0xff) << 56;
}

#define TYPE_LDT 0x82
#define TYPE_TSS 0x89

void load_guest_ldt(struct vcpu *v)
{
	vaddr_t window = percpu_area(smp_processor_id()) + PERCPU_LDT_OFFSET;
	unsigned int ents = v->pv.ldt_ents;

	if (!ents && !this_cpu(ldt_ents))
		return;
	for (unsigned int i = 0; i < WINDOW_PAGES; i++) {
		uint64_t entry = 0;

		if (ents && v->pv.ldt_mapped & 1U << i)
			entry = window_entry(v->pv.ldt_frames[i], PTE_RW);
		set_window_page(PERCPU_LDT_OFFSET + i * PAGE_SIZE, entry);
	}
	if (ents) {
		set_system_descriptor(this_cpu(gdt) + GDT_SLOT(LDT_SELECTOR), window, ents * 8 - 1,
				      TYPE_LDT);
		__asm__ volatile("lldt %w0" ::"r"(LDT_SELECTOR) : "memory");
	} else {
		__asm__ volatile("lldt %w0" ::"r"(0) : "memory");
	}
	this_cpu(ldt_ents) = ents;
}

/* ---- set-up ---- */

static void *alloc_page_for(unsigned int cpu)
{
	/* CPU 0's turn is before mm_init(). */
	void *page =
	    cpu ? alloc_pages(0, ALLOC_ZERO) : phys_to_virt(boot_alloc(PAGE_SIZE, PAGE_SIZE));

	if (!page)
		panic("no memory for the descriptor tables of CPU %u", cpu);
	return page;
}

/*
 * The stack's top page a second time below the stack, where cpu_info() looks from an IST stack: only
 * to be read, so that nothing is pushed there by a stack that has overflowed. The GDT window.
 */
static void init_windows(unsigned int cpu)
{
	uint64_t none = window_entry(virt_to_mfn(zero_page), 0);
	uint64_t *top = percpu_window_pte(cpu, PERCPU_STACK_OFFSET + STACK_SIZE - PAGE_SIZE);
	uint64_t *page = alloc_page_for(cpu);

	*percpu_window_pte(cpu, PERCPU_STACK_OFFSET - PAGE_SIZE) = *top & ~(uint64_t)PTE_RW;
	for (unsigned int i = 0; i < WINDOW_PAGES; i++)
		*percpu_window_pte(cpu, PERCPU_GDT_OFFSET + i * PAGE_SIZE) = none;
	*percpu_window_pte(cpu, PERCPU_GDT_OFFSET + GDT_HV_PAGE * PAGE_SIZE) =
	    window_entry(virt_to_mfn(page), PTE_RW);
	this_cpu(gdt) = page;
}

static void init_gdt(unsigned int cpu)
{
	uint64_t *gdt = this_cpu(gdt);
	struct tss *tss = &this_cpu(tss);
	vaddr_t area = percpu_area(cpu);
	struct descriptor_pointer p = {
	    .limit = WINDOW_PAGES * PAGE_SIZE - 1,
	    .base = area + PERCPU_GDT_OFFSET,
	};

	/* Accessed bits set from the start. The places of the ring 3 ones are the ABI's. */
	gdt[GDT_SLOT(HYPERVISOR_CS)] = 0x00af9b000000ffff;
	gdt[GDT_SLOT(HYPERVISOR_DS)] = 0x00cf93000000ffff;
	gdt[GDT_SLOT(FLAT_RING3_CS32)] = 0x00cffb000000ffff;
	gdt[GDT_SLOT(FLAT_RING3_DS32)] = 0x00cff3000000ffff;
	gdt[GDT_SLOT(FLAT_RING3_CS64)] = 0x00affb000000ffff;

	*tss = (struct tss){.iomap_base = sizeof(*tss)};
	tss->rsp[0] = (uint64_t)&cpu_info_of(cpu)->guest_regs.es;
	for (unsigned int i = 0; i < 3; i++)
		tss->ist[i] = area + PERCPU_IST_OFFSET + i * 0x2000 + PAGE_SIZE;
	set_system_descriptor(gdt + GDT_SLOT(TSS_SELECTOR), (uint64_t)tss, sizeof(*tss) - 1,
			      TYPE_TSS);

	__asm__ volatile("lgdt %0\n\t"
			 "mov %w1, %%ss\n\t"
			 "mov %2, %%ds\n\t"
			 "mov %2, %%es\n\t"
			 "mov %2, %%fs\n\t"
			 "mov %2, %%gs\n\t"
			 "pushq %3\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "lldt %w2\n\t"
			 "ltr %w4" ::"m"(p),
			 "r"(HYPERVISOR_DS), "r"(0), "i"(HYPERVISOR_CS), "r"(TSS_SELECTOR)
			 : "rax", "memory");
}

/*
 * `syscall` gives neither a stack nor a register to find one, and no segment register may be used:
 * each CPU has stubs of its own, which find its stack relative to themselves.
 *
 *	48 89 25 rel32		mov %rsp, guest_regs.rsp(%rip)
 *	48 8d 25 rel32		lea guest_regs.rsp(%rip), %rsp
 *	ff 25 rel32		jmp *target(%rip)
 *	target:	.quad
 */
struct syscall_stub {
	uint8_t mov[3];
	int32_t mov_rel;
	uint8_t lea[3];
	int32_t lea_rel;
	uint8_t jmp[2];
	int32_t jmp_rel;
	uint64_t target;
	uint8_t pad[4];
} __packed;

static uint64_t write_stub(unsigned int cpu, struct syscall_stub *stub, uint64_t va,
			   void (*fn)(void))
{
	uint64_t rsp = (uint64_t)&cpu_info_of(cpu)->guest_regs.rsp;

	*stub = (struct syscall_stub){
	    .mov = {0x48, 0x89, 0x25},
	    .mov_rel = (int32_t)(rsp - (va + offsetof(struct syscall_stub, lea))),
	    .lea = {0x48, 0x8d, 0x25},
	    .lea_rel = (int32_t)(rsp - (va + offsetof(struct syscall_stub, jmp))),
	    .jmp = {0xff, 0x25},
	    .jmp_rel = 0,
	    .target = (uint64_t)fn,
	};
	return va;
}

static void init_syscall(unsigned int cpu)
{
	struct syscall_stub *stub = alloc_page_for(cpu);
	uint64_t va = percpu_area(cpu) + PERCPU_STUB_OFFSET;

	/* Read-only and executable here; written through the direct map. */
	*percpu_window_pte(cpu, PERCPU_STUB_OFFSET) =
	    virt_to_phys(stub) | PTE_PRESENT | PTE_ACCESSED;
	wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)HYPERVISOR_CS << 32);
	wrmsr(MSR_LSTAR, write_stub(cpu, stub, va, syscall_entry));
	wrmsr(MSR_CSTAR, write_stub(cpu, stub + 1, va + sizeof(*stub), syscall32_entry));
	wrmsr(MSR_SFMASK, EFLAGS_TF | EFLAGS_IF | EFLAGS_DF | EFLAGS_IOPL | EFLAGS_NT | EFLAGS_RF |
			      EFLAGS_VM | EFLAGS_AC);
	/* A guest's `sysenter` with this at 0 is a #GP (Intel); AMD has none in long mode. */
	wrmsr_safe(MSR_SYSENTER_CS, 0);
	wrmsr_safe(MSR_SYSENTER_ESP, 0);
	wrmsr_safe(MSR_SYSENTER_EIP, 0);
}

static uint32_t wanted_cr4(void)
{
	uint32_t cr4 = CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpu_features.pge)
		cr4 |= CR4_PGE;
	if (cpu_features.xcr0)
		cr4 |= CR4_OSXSAVE;
	if (cpu_features.smep)
		cr4 |= CR4_SMEP;
	if (cpu_features.smap)
		cr4 |= CR4_SMAP;
	if (cpu_features.fsgsbase)
		cr4 |= CR4_FSGSBASE;
	return cr4;
}

void cpu_init(unsigned int cpu)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | (cpu_features.nx ? EFER_NX : 0));
	if (cpu == 0)
		trampoline_cr4 = wanted_cr4();
	init_windows(cpu);
	init_gdt(cpu);
	if (cpu == 0)
		trap_init_final();
	load_idt();
	write_cr4(trampoline_cr4);
	/* Alignment checks are the guest's to choose, by AC. */
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
	wrmsr(MSR_PAT, PAT_VALUE);
	write_dr7(DR7_RESET);
	init_syscall(cpu);
	fpu_init_cpu();
	mce_init_cpu();
}
