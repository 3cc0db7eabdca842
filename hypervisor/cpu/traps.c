/* SPDX-License-Identifier: MIT */
/*
 * The IDT, exceptions of the hypervisor itself, NMI and machine check, dispatch of interrupts.
 * Exceptions of guests go from entry.S to pv/traps.c. One IDT serves all CPUs.
 */
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/x86.h"
#include "domain/types.h"
#include "lib/image.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"

/* SDM 3 6.14.1 */
struct idt_gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
#define GATE_INTERRUPT 0x8e /* present, DPL 0, 64-bit interrupt gate */
#define GATE_DPL3      0x60

static struct idt_gate idt[256] __page_aligned;
static irq_handler_t *vector_handler[256];

extern char trap_stubs[][16]; /* entry.S */
extern char guest_iret[];     /* entry.S */

/* Called by entry.S */
void trap_from_hypervisor(struct cpu_user_regs *regs);
void interrupt_dispatch(struct cpu_user_regs *regs);
void ist_trap_from_guest(struct cpu_user_regs *regs);
void ist_trap_from_hypervisor(struct cpu_user_regs *regs);

static void set_gate(unsigned int vector, uint16_t selector, unsigned int ist)
{
	uint64_t entry = (uint64_t)trap_stubs[vector];
	/* A guest's INT n through a gate of DPL 0 is a #GP, which pv/traps.c makes the guest's trap. */
	bool dpl3 = vector == TRAP_BP || vector == TRAP_OF;

	idt[vector] = (struct idt_gate){
	    .offset_low = (uint16_t)entry,
	    .selector = selector,
	    .ist = (uint8_t)ist,
	    .type = (uint8_t)(GATE_INTERRUPT | (dpl3 ? GATE_DPL3 : 0)),
	    .offset_middle = (uint16_t)(entry >> 16),
	    .offset_high = (uint32_t)(entry >> 32),
	};
}

void load_idt(void)
{
	struct descriptor_pointer p = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt};

	__asm__ volatile("lidt %0" ::"m"(p));
}

void trap_init(void)
{
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	for (unsigned int i = 0; i < 256; i++)
		set_gate(i, cs, 0);
	load_idt();
}

void trap_init_final(void)
{
	for (unsigned int i = 0; i < 256; i++)
		set_gate(i, HYPERVISOR_CS, 0);
	set_gate(TRAP_NMI, HYPERVISOR_CS, IST_NMI);
	set_gate(TRAP_MC, HYPERVISOR_CS, IST_MC);
	set_gate(TRAP_DF, HYPERVISOR_CS, IST_DF);
	set_gate(TRAP_DB, HYPERVISOR_CS, IST_DF);
}

static const char *exception_name(unsigned int vector)
{
	static const char names[][4] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
					"#DF", "#9",  "#TS", "#NP", "#SS", "#GP", "#PF", "#15",
					"#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};

	return vector < ARRAY_SIZE(names) ? names[vector] : "exception";
}

/* An exception that the hypervisor can't have survived. */
static void __attribute__((noreturn)) fatal_trap(const struct cpu_user_regs *regs)
{
	unsigned int vector = regs->entry_vector;
	uint64_t cr2 = read_cr2();

	console_force();
	show_hv_state(regs);
	if (vector == TRAP_PF)
		panic("%s in the hypervisor at %#lx, error code %#x, address %#lx",
		      exception_name(vector), regs->rip, regs->error_code, cr2);
	panic("%s (vector %u) in the hypervisor at %#lx, error code %#x", exception_name(vector),
	      vector, regs->rip, regs->error_code);
}

static const struct fixup *find_fixup(unsigned long rip)
{
	for (const struct fixup *f = fixup_start; f < fixup_end; f++)
		if (fixup_fault(f) == rip)
			return f;
	return NULL;
}

/*
 * Loading one of the guest's selectors, by iretq or in context_switch(), touched a page of its LDT
 * that is not mapped yet. No lock is held at these places.
 */
static bool ldt_window_fault(vaddr_t va)
{
	vaddr_t window = percpu_area(smp_processor_id()) + PERCPU_LDT_OFFSET;

	if (va - window >= 16 * PAGE_SIZE || !current || current->is_idle)
		return false;
	return mm_map_ldt_page(current, (unsigned int)((va - window) >> PAGE_SHIFT));
}

void trap_from_hypervisor(struct cpu_user_regs *regs)
{
	const struct fixup *f = find_fixup(regs->rip);

	if (!f && firmware_fault(regs))
		return;
	if (!f)
		fatal_trap(regs);
	if (regs->entry_vector == TRAP_PF && ldt_window_fault(read_cr2()))
		return;
	if (regs->rip == (unsigned long)guest_iret) {
		struct cpu_user_regs *guest = &cpu_info()->guest_regs;

		guest->entry_vector = regs->entry_vector;
		guest->error_code = regs->error_code;
	}
	regs->rip = fixup_resume(f);
}

/* ---- machine check (SDM 3 15) ---- */

void mce_init_cpu(void)
{
	uint64_t cap;

	if (!(read_cr4() & CR4_MCE) || rdmsr_safe(MSR_MCG_CAP, &cap))
		return;
	if (cap & 0x100) /* MCG_CTL exists */
		wrmsr_safe(MSR_MCG_CTL, ~0UL);
	for (unsigned int i = 0; i < (cap & 0xff); i++) {
		wrmsr_safe(MSR_MC0_CTL + 4 * i, ~0UL);
		wrmsr_safe(MSR_MC0_STATUS + 4 * i, 0);
	}
}

static void __attribute__((noreturn)) machine_check(const struct cpu_user_regs *regs)
{
	uint64_t cap = 0, global = 0, status;

	console_force();
	rdmsr_safe(MSR_MCG_CAP, &cap);
	rdmsr_safe(MSR_MCG_STATUS, &global);
	printk(LOG_ERR "machine check on CPU %u, MCG_STATUS %#lx\n", smp_processor_id(), global);
	for (unsigned int i = 0; i < (cap & 0xff); i++)
		if (!rdmsr_safe(MSR_MC0_STATUS + 4 * i, &status) && status >> 63)
			printk(LOG_ERR "  bank %u: status %#lx\n", i, status);
	if (!(regs->cs & 3))
		show_hv_state(regs);
	panic("machine check");
}

/* ---- what arrives on the IST stacks ---- */

static unsigned int unknown_nmis;

/* On the main stack already. No lock is held, since the CPU was in guest mode. */
void ist_trap_from_guest(struct cpu_user_regs *regs)
{
	switch (regs->entry_vector) {
	case TRAP_DB:
		trap_from_guest(regs);
		return;
	case TRAP_NMI:
		smp_nmi();
		if (__atomic_fetch_add(&unknown_nmis, 1, __ATOMIC_RELAXED) == 0)
			printk(LOG_WARN
			       "an NMI of unknown origin on CPU %u; further ones are ignored\n",
			       smp_processor_id());
		return;
	case TRAP_MC:
		machine_check(regs);
	default:
		fatal_trap(regs);
	}
}

/*
 * On the IST stack, in the middle of anything: no lock, nothing that may fault. A #DB here is a
 * guest's data breakpoint that a copy to or from its memory hit, or its single step or breakpoint
 * held up by `mov ss` over its `syscall`: not for the hypervisor, and lost for the guest.
 */
void ist_trap_from_hypervisor(struct cpu_user_regs *regs)
{
	switch (regs->entry_vector) {
	case TRAP_DB:
		write_dr6(DR6_RESET);
		regs->rflags = (regs->rflags & ~(uint64_t)EFLAGS_TF) | EFLAGS_RF;
		return;
	case TRAP_NMI:
		smp_nmi();
		__atomic_fetch_add(&unknown_nmis, 1, __ATOMIC_RELAXED);
		return;
	case TRAP_MC:
		machine_check(regs);
	default:
		fatal_trap(regs);
	}
}

/* ---- interrupts ---- */

void set_vector_handler(unsigned int vector, irq_handler_t *handler)
{
	__atomic_store_n(&vector_handler[vector], handler, __ATOMIC_RELEASE);
}

void interrupt_dispatch(struct cpu_user_regs *regs)
{
	unsigned int vector = regs->entry_vector;
	irq_handler_t *handler = __atomic_load_n(&vector_handler[vector], __ATOMIC_ACQUIRE);

	if (likely(handler)) {
		handler(vector, regs);
		return;
	}
	/* The 8259s' spurious interrupts and the local APIC's are not to be acknowledged. */
	if ((vector & ~0xfU) == VECTOR_LEGACY || vector == VECTOR_SPURIOUS)
		return;
	printk(LOG_WARN "interrupt vector %#x on CPU %u has no handler\n", vector,
	       smp_processor_id());
	if (apic_ready())
		apic_eoi();
}
