/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU data. The top of each CPU's stack block holds struct cpu_info, found by masking the stack
 * pointer: no segment register is needed, so the guest's FS and GS bases stay in place while the
 * hypervisor runs. The IST stacks lie in the block before it, whose top page is a second mapping of the
 * main stack's, so cpu_info() is right on them too.
 */
#ifndef CPU_PERCPU_H
#define CPU_PERCPU_H

#include "lib/types.h"
#include "mm/layout.h"
#include <public/xen.h>

struct vcpu;

struct cpu_info {
	struct cpu_user_regs guest_regs; /* of the vCPU that entered; see cpu/entry.S */
	unsigned int cpu;
	/* Bit per SOFTIRQ_*; set by anyone atomically, cleared here. */
	unsigned int softirq_pending;
	struct vcpu *vcpu; /* current: never NULL once the CPU is up: its idle vCPU at least */
	unsigned long percpu_offset; /* added to the address of a DEFINE_PER_CPU variable */
	unsigned long reserved;	     /* guest_regs.es must be 16-byte aligned: TSS.RSP0 */
};

#ifndef UNIT_TEST
static inline struct cpu_info *cpu_info(void)
{
	unsigned long sp;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	return (struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1) - 1;
}
#define DEFINE_PER_CPU(type, name) \
	__attribute__((section(".data.percpu"))) __typeof__(type) percpu_##name
#else
#ifndef UNIT_CPU /* _Thread_local: each thread of the test is a CPU */
#define UNIT_CPU
#endif
extern UNIT_CPU struct cpu_info unit_cpu_info;
static inline struct cpu_info *cpu_info(void)
{
	return &unit_cpu_info;
}
#define DEFINE_PER_CPU(type, name) __typeof__(type) percpu_##name
#endif

#define DECLARE_PER_CPU(type, name) extern __typeof__(type) percpu_##name

/* Offsets of each CPU's copy of .data.percpu; filled in before the CPU starts (cpu/smp.c). */
extern unsigned long percpu_offset[NR_CPUS];

/* This CPU's and another CPU's instance: lvalues. */
#define this_cpu(name) \
	(*(__typeof__(percpu_##name) *)((char *)&percpu_##name + cpu_info()->percpu_offset))
#define per_cpu(name, cpu) \
	(*(__typeof__(percpu_##name) *)((char *)&percpu_##name + percpu_offset[cpu]))

static inline unsigned int smp_processor_id(void)
{
	return cpu_info()->cpu;
}

#define current (cpu_info()->vcpu)

#endif
