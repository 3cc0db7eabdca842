/* SPDX-License-Identifier: MIT */
/*
 * What changes when a CPU turns from one vCPU to another. A vCPU that does not run has everything in
 * its struct vcpu, so any CPU may take it next. An idle CPU has idle_root loaded: a domain's page
 * tables may be freed as soon as none of its vCPUs runs, and nobody sends idle CPUs TLB flushes.
 */
#include "cpu/asm.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/x86.h"
#include "domain/types.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"

#define READ_SELECTOR(reg)                                        \
	({                                                        \
		uint32_t s_;                                      \
		__asm__ volatile("mov %%" reg ", %0" : "=r"(s_)); \
		(uint16_t) s_;                                    \
	})

/* Load a selector that a guest chose. If it is refused load 0: 1. */
#define LOAD_SELECTOR(reg, sel)                                          \
	({                                                               \
		int bad_;                                                \
		__asm__ volatile("xor %0, %0\n"                          \
				 "1: mov %1, %%" reg "\n"                \
				 "2:\n\t"                                \
				 ".pushsection .text.fixup, \"ax\"\n"    \
				 "3: xor %0, %0\n\t"                     \
				 "mov %0, %%" reg "\n\t"                 \
				 "mov $1, %0\n\t"                        \
				 "jmp 2b\n\t"                            \
				 ".popsection\n\t" FIXUP_ASM("1b", "3b") \
				 : "=&r"(bad_)                           \
				 : "r"((uint32_t)(sel))                  \
				 : "memory");                            \
		bad_;                                                    \
	})

static uint64_t root_of(const struct vcpu *v)
{
	mfn_t root = v->pv.kernel_mode ? v->kernel_root : v->user_root;

	/* In user mode without a user root: nothing of the guest's is mapped, so it faults at once. */
	return root == INVALID_MFN ? virt_to_phys(idle_root) : root << PAGE_SHIFT;
}

void load_guest_cr3(struct vcpu *v)
{
	write_cr3(root_of(v));
}

static void save_segments(struct vcpu *v)
{
	uint64_t active = rdmsr(MSR_GS_BASE), other = rdmsr(MSR_KERNEL_GS_BASE);

	v->pv.ds = READ_SELECTOR("ds");
	v->pv.es = READ_SELECTOR("es");
	v->pv.fs = READ_SELECTOR("fs");
	v->pv.gs = READ_SELECTOR("gs");
	v->pv.fs_base = rdmsr(MSR_FS_BASE);
	v->pv.gs_base_kernel = v->pv.kernel_mode ? active : other;
	v->pv.gs_base_user = v->pv.kernel_mode ? other : active;
}

/* The GDT and LDT and the root are v's already. Bases that are not canonical become 0. */
static void load_segments(struct vcpu *v)
{
	struct cpu_user_regs *regs = &cpu_info()->guest_regs;
	uint64_t active = v->pv.kernel_mode ? v->pv.gs_base_kernel : v->pv.gs_base_user;
	uint64_t other = v->pv.kernel_mode ? v->pv.gs_base_user : v->pv.gs_base_kernel;
	int bad = 0;

	/* A null selector needs no loading over a null selector; any other may have changed its meaning. */
	if (v->pv.ds | READ_SELECTOR("ds"))
		bad |= LOAD_SELECTOR("ds", v->pv.ds);
	if (v->pv.es | READ_SELECTOR("es"))
		bad |= LOAD_SELECTOR("es", v->pv.es);
	if (v->pv.fs | READ_SELECTOR("fs"))
		bad |= LOAD_SELECTOR("fs", v->pv.fs);
	if (v->pv.gs | READ_SELECTOR("gs"))
		bad |= LOAD_SELECTOR("gs", v->pv.gs);
	/* After the selectors: loading one sets its base from the descriptor. */
	wrmsr(MSR_FS_BASE, is_canonical(v->pv.fs_base) ? v->pv.fs_base : 0);
	wrmsr(MSR_GS_BASE, is_canonical(active) ? active : 0);
	wrmsr(MSR_KERNEL_GS_BASE, is_canonical(other) ? other : 0);
	if (unlikely(bad)) {
		regs->ds = v->pv.ds;
		regs->es = v->pv.es;
		regs->fs = v->pv.fs;
		regs->gs = v->pv.gs;
		pv_inject_failsafe(v);
	}
}

/* pv/ admits only breakpoints on guest addresses. */
static void load_debug_registers(const struct vcpu *v)
{
	write_dr0(v->pv.debugreg[0]);
	write_dr1(v->pv.debugreg[1]);
	write_dr2(v->pv.debugreg[2]);
	write_dr3(v->pv.debugreg[3]);
	write_dr6(DR6_RESET);
	write_dr7(v->pv.debugreg[7] | DR7_RESET);
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	struct cpu_info *info = cpu_info();
	unsigned int cpu = info->cpu;
	uint64_t root;

	if (prev == next)
		return;
	ASSERT(info->vcpu == prev && (next->is_idle || next->sched.cpu == cpu));
	if (!prev->is_idle) {
		prev->regs = info->guest_regs;
		save_segments(prev);
		fpu_save(prev);
		if (prev->pv.debugreg[7] & DR7_ACTIVE)
			write_dr7(DR7_RESET);
	}
	info->vcpu = next;

	/*
	 * A domain's bit in dirty_cpus is set before its root is loaded and cleared after another is:
	 * whoever changes its tables and then reads the mask finds every CPU that may have the old
	 * entry.
	 */
	if (!next->is_idle && (prev->is_idle || prev->domain != next->domain))
		set_bit(cpu, &next->domain->dirty_cpus);
	if (!next->is_idle)
		load_guest_gdt(next);
	root = next->is_idle ? virt_to_phys(idle_root) : root_of(next);
	/*
	 * The same root without a flush only for a vCPU that ran here before: what it flushed on
	 * another CPU alone, another vCPU of its domain may have left in this one's TLB.
	 */
	if (read_cr3() != root || (!next->is_idle && next->ran_on != cpu))
		write_cr3(root);
	next->ran_on = cpu;
	if (!prev->is_idle && (next->is_idle || prev->domain != next->domain))
		clear_bit(cpu, &prev->domain->dirty_cpus);
	if (next->is_idle)
		return;

	info->guest_regs = next->regs;
	load_guest_ldt(next);
	fpu_restore(next);
	if (next->pv.debugreg[7] & DR7_ACTIVE)
		load_debug_registers(next);
	if (cpu_features.rdtscp)
		wrmsr(MSR_TSC_AUX, next->pv.tsc_aux);
	load_segments(next);
}
