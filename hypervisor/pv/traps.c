/* SPDX-License-Identifier: MIT */
/*
 * Exceptions of guest mode: what the hypervisor settles itself (descriptor windows, writable page
 * tables, privileged instructions, INT n) and the rest, handed to the guest kernel.
 */
#include "pv/internal.h"
#include "lib/lib.h"
#include "mm/mm.h"

#define VECTORS_WITH_ERROR_CODE                                                          \
	(1U << TRAP_DF | 1U << TRAP_TS | 1U << TRAP_NP | 1U << TRAP_SS | 1U << TRAP_GP | \
	 1U << TRAP_PF | 1U << TRAP_AC | 1U << TRAP_CP)
#define ERROR_CODE_EXT 0x1
#define ERROR_CODE_IDT 0x2

void pv_inject_trap(struct vcpu *v, unsigned int vector, uint32_t error_code)
{
	static const char *const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
					    "#NM", "#DF", NULL,	 "#TS", "#NP", "#SS", "#GP",
					    "#PF", NULL,  "#MF", "#AC", "#MC", "#XM"};
	const struct pv_trap *trap = &v->pv.trap[clamp_index(vector, ARRAY_SIZE(v->pv.trap))];
	unsigned int flags = trap->mask_events ? BOUNCE_MASK_EVENTS : 0;

	if (vector < 32 && (VECTORS_WITH_ERROR_CODE & 1U << vector))
		flags |= BOUNCE_ERROR_CODE;
	pv_bounce(v, trap->eip, flags, error_code,
		  vector < ARRAY_SIZE(names) && names[vector] ? names[vector] : "a vector");
}

void pv_inject_page_fault(struct vcpu *v, vaddr_t cr2, uint32_t error_code)
{
	/* "User" is the guest's user mode; its kernel runs in ring 3 as well. */
	error_code = v->pv.kernel_mode ? error_code & ~PFEC_USER : error_code | PFEC_USER;
	set_cr2_view(v, cr2);
	pv_bounce_with_code(v, &v->pv.trap[TRAP_PF], error_code, "#PF");
}

/*
 * The CPU read a descriptor of this guest through this CPU's windows and found no page. In the LDT's:
 * map it on this first use, or let the guest see the fault where its own LDT lies. Beyond its GDT: as if
 * the limit had been met. Such accesses are the CPU's own, so PFEC_USER is clear. True: settled.
 */
static bool descriptor_fault(struct vcpu *v, vaddr_t va, uint32_t error_code)
{
	uint64_t offset = va - percpu_area(smp_processor_id());

	if (error_code & PFEC_USER)
		return false;
	if (offset - PERCPU_LDT_OFFSET < 16 * PAGE_SIZE) {
		offset -= PERCPU_LDT_OFFSET;
		if (!mm_map_ldt_page(v, (unsigned int)(offset >> PAGE_SHIFT)))
			pv_inject_page_fault(v, v->pv.ldt_base + offset, error_code);
		return true;
	}
	if (offset - PERCPU_GDT_OFFSET < GDT_FRAMES * PAGE_SIZE) {
		pv_inject_trap(v, TRAP_GP, (uint32_t)(offset - PERCPU_GDT_OFFSET) & ~7U);
		return true;
	}
	return false;
}

static void page_fault(struct vcpu *v, struct cpu_user_regs *regs)
{
	vaddr_t cr2 = read_cr2();
	uint32_t error_code = regs->error_code;

	if (unlikely(cr2 >= HV_VIRT_START && cr2 < HV_VIRT_END)) {
		if (descriptor_fault(v, cr2, error_code))
			return;
	} else if (error_code == (PFEC_PRESENT | PFEC_WRITE | PFEC_USER) && v->pv.kernel_mode &&
		   mm_emulate_pte_write(v, cr2, regs)) {
		return;
	} else if (unlikely(error_code == PFEC_PRESENT) && pv_emulate_far_return(v, regs)) {
		return;
	}
	pv_inject_page_fault(v, cr2, error_code);
}

void pv_iret_fault(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;

	if (regs->entry_vector != TRAP_PF)
		pv_inject_trap(v, regs->entry_vector, regs->error_code);
	else if (!descriptor_fault(v, read_cr2(), regs->error_code))
		pv_inject_page_fault(v, read_cr2(), regs->error_code);
}

/*
 * INT n: the gates are closed to guests, so it arrives as #GP with the IDT bit in the error code. The
 * vector is taken from the instruction (CD n), because emulators exist that get the error code wrong
 * (16 n + 2 in place of 8 n + 2). True if this was an INT n.
 */
static bool software_interrupt(struct vcpu *v, struct cpu_user_regs *regs)
{
	const struct pv_trap *trap;
	uint8_t code[2];
	unsigned int vector;

	if (copy_from_guest(code, regs->rip, sizeof(code)) || code[0] != 0xcd)
		return false;
	vector = code[1];
	trap = &v->pv.trap[clamp_index(vector, ARRAY_SIZE(v->pv.trap))];
	if (trap->eip && trap->dpl >= (v->pv.kernel_mode ? 1 : 3)) {
		regs->rip += sizeof(code);
		pv_bounce(v, trap->eip, trap->mask_events ? BOUNCE_MASK_EVENTS : 0, 0, "INT n");
	} else {
		pv_inject_trap(v, TRAP_GP, vector << 3 | ERROR_CODE_IDT);
	}
	return true;
}

/*
 * SYSENTER (0f 34) of 32-bit user code on Intel's CPUs: the CPU's own entry is closed (no selector in
 * MSR_SYSENTER_CS), so it is #GP. The callback's frame tells rip and rsp as they are.
 */
static bool sysenter(struct vcpu *v, struct cpu_user_regs *regs)
{
	uint8_t code[2];

	if (v->pv.kernel_mode || !v->pv.sysenter.eip ||
	    copy_from_guest(code, regs->rip, sizeof(code)) || code[0] != 0x0f || code[1] != 0x34)
		return false;
	pv_bounce(v, v->pv.sysenter.eip, v->pv.sysenter.mask_events ? BOUNCE_MASK_EVENTS : 0, 0,
		  "sysenter");
	return true;
}

static void general_protection(struct vcpu *v, struct cpu_user_regs *regs)
{
	uint32_t error_code = regs->error_code;

	if (error_code == 0) {
		if (pv_emulate_privileged(regs) || sysenter(v, regs))
			return;
	} else if ((error_code & (ERROR_CODE_EXT | ERROR_CODE_IDT)) == ERROR_CODE_IDT) {
		if (software_interrupt(v, regs))
			return;
	}
	pv_inject_trap(v, TRAP_GP, error_code);
}

/* The guest's TS: cleared before the trap, so that its handler can use the FPU at once. */
static void device_not_available(struct vcpu *v)
{
	bool wanted = v->pv.ctrlreg[0] & CR0_TS;

	v->pv.ctrlreg[0] &= ~(uint64_t)CR0_TS;
	__asm__ volatile("clts");
	if (wanted)
		pv_inject_trap(v, TRAP_NM, 0);
}

static void debug(struct vcpu *v)
{
	uint64_t dr6 = read_dr6();

	write_dr6(DR6_RESET);
	/* Bits set by the event add up until the guest clears them; those that are 1 by default (RTM) go to 0. */
	v->pv.debugreg[6] |= dr6 & ~(uint64_t)DR6_RESET;
	v->pv.debugreg[6] &= dr6 | ~(uint64_t)DR6_RESET;
	pv_inject_trap(v, TRAP_DB, 0);
}

void trap_from_guest(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	unsigned int vector = regs->entry_vector;

	if (likely(vector == TRAP_PF)) {
		page_fault(v, regs);
		return;
	}
	switch (vector) {
	case TRAP_GP:
		general_protection(v, regs);
		break;
	case TRAP_UD:
		if (!pv_emulate_forced(regs))
			pv_inject_trap(v, TRAP_UD, 0);
		break;
	case TRAP_NM:
		device_not_available(v);
		break;
	case TRAP_DB:
		debug(v);
		break;
	case TRAP_BP:
		if (unlikely(v->domain->debugger) && v->pv.kernel_mode)
			domain_pause_for_debugger(v->domain);
		else
			pv_inject_trap(v, TRAP_BP, 0);
		break;
	default:
		pv_inject_trap(v, vector, regs->error_code);
		break;
	}
}
