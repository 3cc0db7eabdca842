/* SPDX-License-Identifier: MIT */
/*
 * The CPUs: what the rest may ask of them. Who owns what: entry paths, descriptor tables,
 * exceptions, FPU: entry.S desc.c traps.c fpu.c; interrupts and other CPUs: apic.c ioapic.c smp.c;
 * features: features.c.
 *
 * Model of execution. The hypervisor runs with interrupts off and is not preempted; a CPU takes
 * interrupts (a) in guest mode, (b) while its idle vCPU halts, (c) in preempt_window(). Work that
 * an interrupt finds is marked in softirq_pending and done by do_softirq() on the way back to the
 * guest or in the idle loop; a switch of vCPU happens only there.
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "cpu/percpu.h"

struct vcpu;
struct cpu_user_regs;

/* ---- soft interrupts ---- */
enum {
	SOFTIRQ_TIMER,	  /* time/: expire timers */
	SOFTIRQ_CONSOLE,  /* console/: input arrived */
	SOFTIRQ_GRACE,	  /* cpu/grace.c: this CPU is in the middle of nothing */
	SOFTIRQ_DOMAIN,	  /* domain/: domains shut down */
	SOFTIRQ_SCHEDULE, /* sched/: choose who runs next; last */
	NR_SOFTIRQS
};
/* Mark on this CPU / on another one (which is kicked when it differs). Any context. */
void softirq_raise(unsigned int nr);
void softirq_raise_on(unsigned int cpu, unsigned int nr);
/* Install a handler; at boot only. */
void softirq_register(unsigned int nr, void (*handler)(void));
/* Run what is pending. Interrupts off, no lock held. SOFTIRQ_SCHEDULE runs last. May switch vCPU:
 * then it does not return (the new vCPU's exit path is entered). */
void do_softirq(void);

/* ---- preemption of long work ---- */
/* Interrupts on for a moment; then true if the caller should give up the CPU soon (a softirq is
 * pending, or an event for the current vCPU). Interrupts off again afterwards. No lock held. */
bool preempt_check(void);

/* ---- entry and exit (cpu/entry.S) ---- */
/* Leave the hypervisor into current, whose registers are in cpu_info()->guest_regs: resets the
 * stack and goes through the softirq and event checks of the exit path. */
void return_to_guest(void) __attribute__((noreturn));
/* Reset this CPU's stack and call fn on it. */
void reset_stack_and_jump(void (*fn)(void)) __attribute__((noreturn));

/* ---- start of a CPU ---- */
void cpu_features_init_bsp(void); /* features.c: CPUID, before anything depends on it */
void cpu_init(
    unsigned int cpu); /* desc.c: GDT, IDT, TSS, syscall MSRs, CR0/CR4, SMEP/SMAP on this CPU */
void trap_init(void);  /* traps.c: the IDT's contents, once */
/* CPU 0 moves from the boot stack to its final one (percpu_area(0)) and calls fn there. smp.c */
void percpu_switch_boot_stack(void (*fn)(void)) __attribute__((noreturn));
/* The cpu_info of any CPU whose per-CPU area is mapped. */
struct cpu_info *cpu_info_of(unsigned int cpu);

/* ---- features ---- */
struct cpu_features {
	uint32_t max_leaf, max_ext_leaf;
	char vendor[13];
	unsigned int family, model, stepping;
	unsigned int phys_bits, virt_bits;
	bool nx, smep, smap, pge, pcid, fsgsbase, xsave, xsaveopt, avx, avx512, x2apic,
	    tsc_deadline, invariant_tsc, page1gb, arat, rdtscp, umip, syscall, hypervisor,
	    fpu_pointers_leak; /* AMD: see fpu.c */
	uint64_t xcr0;	       /* states enabled for guests; 0 without XSAVE */
	unsigned int fpu_size; /* bytes of a vCPU's FPU area for xcr0, >= 512 */
};
extern struct cpu_features cpu_features;
extern uint32_t trampoline_cr4; /* CR4 of a CPU in the hypervisor, for APs */

/* ---- guest segments and context: pv/ and the scheduler's switch use these (desc.c, fpu.c) ---- */
/* Switch the hardware to next, away from prev (both may be idle vCPUs); called by sched with
 * interrupts off. Saves prev's registers from cpu_info()->guest_regs, loads next's, address space,
 * GDT/LDT windows, segments, FPU, debug registers. cpu/context.c */
void context_switch(struct vcpu *prev, struct vcpu *next);
/* Load v's page-table root (kernel's or user's by mode). v == current. */
void load_guest_cr3(struct vcpu *v);
/* v's GDT/LDT changed: reload this CPU's windows. v == current. */
void load_guest_gdt(struct vcpu *v);
void load_guest_ldt(struct vcpu *v);
/* FPU area of a new vCPU: size and initial state. */
void fpu_init_state(void *area);
/* What FXSAVE would store of a saved state: 512 bytes. */
void fpu_legacy_state(const void *area, void *fxsave);

/* ---- interrupts (traps.c dispatches; apic.c, ioapic.c, smp.c register) ---- */
#define VECTOR_FIRST_DYNAMIC 0x30
#define VECTOR_LAST_DYNAMIC  0xdf
#define VECTOR_CONSOLE	     0xe8
#define VECTOR_TIMER	     0xf0 /* local APIC timer */
#define VECTOR_FLUSH	     0xf1 /* another CPU's request: TLB flush or function call */
#define VECTOR_KICK	     0xf2 /* look at softirq_pending */
#define VECTOR_LEGACY	     0x20 /* 0x20..0x2f: the masked 8259s' spurious ones */
#define VECTOR_ERROR	     0xfe
#define VECTOR_SPURIOUS	     0xff
typedef void irq_handler_t(unsigned int vector, struct cpu_user_regs *regs);
/* One handler a vector; NULL removes. The handler acknowledges the APIC itself (apic_eoi). */
void set_vector_handler(unsigned int vector, irq_handler_t *handler);

/* local APIC (apic.c) */
void apic_init_bsp(void);
void apic_init_cpu(void);
void apic_eoi(void);
void apic_send_ipi(unsigned int cpu, unsigned int vector); /* cpu: ours, not the APIC's number */
uint32_t apic_id_of(unsigned int cpu);
/* Fire VECTOR_TIMER on this CPU at or soon after TSC value deadline; 0: stop. */
void apic_timer_set_tsc(uint64_t deadline);

/* IO-APIC (ioapic.c): global system interrupts. All masked at boot. */
void ioapic_init(void);
unsigned int ioapic_gsi_count(void);
/* Route gsi to a vector on a CPU. level/low: trigger and polarity. Starts masked. -EINVAL: no such gsi. */
int ioapic_route(unsigned int gsi, unsigned int vector, unsigned int cpu, bool level, bool low);
void ioapic_mask(unsigned int gsi, bool masked);
/* The same for lines that are not the hypervisor's own. While not masked, the vector changes before the CPU:
 * until both have, an interrupt may come to the new vector on the old CPU. */
#define IOAPIC_LEVEL  0x1
#define IOAPIC_LOW    0x2
#define IOAPIC_MASKED 0x4
int ioapic_set(unsigned int gsi, unsigned int vector, unsigned int cpu, unsigned int flags);
bool ioapic_owned(unsigned int gsi); /* routed by ioapic_route() */
/* A level-triggered interrupt of gsi was delivered and its EOI has not arrived ("remote IRR"). */
bool ioapic_in_service(unsigned int gsi);
bool ioapic_exists(paddr_t base);
int ioapic_gsi_of(paddr_t base, unsigned int pin); /* -EINVAL */
/* Read an IO-APIC's redirection-table register pair for physdev apic_read; idx as hardware's. */
int ioapic_read(paddr_t base, unsigned int reg, uint32_t *value);
/* ISA interrupt to gsi with MADT overrides applied. */
unsigned int isa_irq_to_gsi(unsigned int irq, bool *level, bool *low);

/* ---- other CPUs (smp.c) ---- */
extern cpumask_t cpu_online_mask;
extern unsigned int nr_cpus; /* online after boot */
void smp_boot_cpus(void);
/* Answer requests of other CPUs. Called by waiting loops with interrupts off. */
void smp_poll(void);
/* Run fn(arg) on the CPUs of mask (this one included if in it), wait until all did. Interrupts off;
 * callers may hold locks, since waiting CPUs poll; fn takes no lock. */
void smp_call(cpumask_t mask, void (*fn)(void *arg), void *arg);
/* Flush: all non-global entries (and global ones if any) / one address, on the CPUs of mask, and wait. */
void flush_tlb_mask(cpumask_t mask);
void flush_tlb_one_mask(cpumask_t mask, vaddr_t va);
void flush_tlb_local(void);
#ifndef UNIT_TEST
static inline void flush_tlb_one_local(vaddr_t va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}
#else
void flush_tlb_one_local(vaddr_t va);
#endif
/* All other CPUs stop for good (panic, reboot). Any context. */
void smp_stop_others(void);
/* All other CPUs wait, where they would answer smp_poll(), until fn returns (audit). fn takes no lock,
 * but may print. Interrupts off. */
void smp_run_alone(void (*fn)(void *arg), void *arg);

/* ---- the firmware's code (firmware.c) ---- */
/*
 * Call a function of the firmware by Microsoft's convention, in the address space of root, which has the hypervisor's
 * slots, on behalf of current (not idle). *result: its rax. -EFAULT: it faulted, *result is undefined, and what
 * state the firmware is in nobody knows: never call it again.
 */
int firmware_call(const uint64_t *root, uint64_t function, const uint64_t args[5],
		  uint64_t *result);
/* An exception in the hypervisor that no fixup covers: true if it was the firmware's, whose call then ends. */
bool firmware_fault(struct cpu_user_regs *regs);

/* ---- access to the current guest's memory (uaccess.c) ---- */
/*
 * Copy between hypervisor memory and guest virtual memory of current's active address space. Ranges
 * in the hypervisor's slots or non-canonical are refused; a fault inside ends the copy. Return 0 or
 * -EFAULT (destination then partly written). The guest's mapping decides about write permission.
 */
int copy_from_guest(void *dst, vaddr_t src, size_t len);
int copy_to_guest(vaddr_t dst, const void *src, size_t len);
int clear_guest(vaddr_t dst, size_t len);
/* For one word, in one access if it is aligned. */
int get_guest_u32(uint32_t *dst, vaddr_t src);
int put_guest_u32(vaddr_t dst, uint32_t value);
int get_guest_u64(uint64_t *dst, vaddr_t src);
int put_guest_u64(vaddr_t dst, uint64_t value);
/* MSR that may not exist: 0 or -EFAULT. */
int rdmsr_safe(uint32_t msr, uint64_t *value);
int wrmsr_safe(uint32_t msr, uint64_t value);
/* Read from a hypervisor address that may not be mapped (panic's stack scan, tables): 0 or -EFAULT. */
int read_safe(void *dst, const void *src, size_t len);

#endif
