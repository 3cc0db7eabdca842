/* SPDX-License-Identifier: MIT */
/*
 * What a PV guest sees: hypercall dispatch, trap and event delivery, return to guest mode, emulated
 * instructions.
 */
#ifndef PV_PV_H
#define PV_PV_H

#include "domain/types.h"

/* Fill a frame with the hypercall page's stubs (public/xen.h: 32 bytes each). */
void hypercall_page_init(void *page);

/*
 * Handlers by number, NULL where there is none: arguments as in rdi, rsi, rdx, r10, r8, r9; what they
 * return goes to rax. entry.S calls them itself (its fast way is counted in instructions);
 * pv_hypercall() does the same from the registers, and answers the numbers that have no handler.
 */
#define NR_HYPERCALLS 56
typedef long hypercall_fn(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long,
			  unsigned long);
extern hypercall_fn *const hypercall_table[NR_HYPERCALLS];
void pv_hypercall(struct cpu_user_regs *regs);
/*
 * Long hypercalls continue by re-execution: set the current vCPU's registers so that on its next
 * run it issues hypercall nr with these arguments, and return what the handler must return. Also
 * right inside a multicall (the entry is rewritten). Arguments that are not given keep their value.
 */
long hypercall_continue(unsigned int nr, unsigned int nargs, ...);
bool in_multicall(void);

/* From entry.S: `syscall` of the guest's user mode (v: current) in 64-bit mode, and of either mode in compatibility mode;
 * exceptions of guest mode, regs->entry_vector and error_code as the CPU gave them. */
void pv_syscall_from_user(struct cpu_user_regs *regs, struct vcpu *v);
void pv_syscall32(struct cpu_user_regs *regs);
void trap_from_guest(struct cpu_user_regs *regs);
/*
 * For both: while regs->entry_vector is TRAP_syscall (0x100) the exit path may use sysret, which
 * gives the guest rcx = rip, r11 = rflags, flat 64-bit cs and ss. Whoever sets another cs or ss, or
 * an rcx or r11 that counts (iret hypercall), sets regs->entry_vector = 0: the exit is by iretq then.
 */
/* The CPU refused what the exit's iretq was to load: the guest gets that exception (entry_vector,
 * error_code), with what was to be loaded as the interrupted state. (cpu/traps.c) */
void pv_iret_fault(struct cpu_user_regs *regs);
/* A segment load of the guest's failed in the hypervisor: queue its failsafe callback. v == current;
 * the selectors to be pushed are in the registers' ds, es, fs, gs. (cpu/context.c) */
void pv_inject_failsafe(struct vcpu *v);

/* Queue an exception for the current vCPU: a frame on its kernel stack, registers at its handler.
 * Crashes the domain when it has no handler or stack. */
void pv_inject_trap(struct vcpu *v, unsigned int vector, uint32_t error_code);
void pv_inject_page_fault(struct vcpu *v, vaddr_t cr2, uint32_t error_code);
/* Exit path (entry.S): deliver an event upcall or NMI that is due. */
void pv_deliver_events(void);

/* #GP and #UD from guest mode: true if emulated. */
bool pv_emulate_privileged(struct cpu_user_regs *regs);
bool pv_emulate_forced(struct cpu_user_regs *regs);
/* CPUID as a guest may see it. */
void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4]);
/* The same as far as it does not depend on who asks: what a domain gets at most. False: no leaf of the CPU's. */
bool pv_cpuid_default(uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* ---- processor policies (cpu_policy.c): what the tools are told and set of CPUID ---- */
/* What was set for d in place of the default. */
void cpu_policy_apply(const struct domain *d, uint32_t leaf, uint32_t sub, uint32_t out[4]);
void cpu_policy_free(struct domain *d);
struct xen_sysctl_cpu_policy;
struct xen_sysctl_cpu_featureset;
struct xen_domctl_cpu_policy;
long cpu_policy_of_machine(struct xen_sysctl_cpu_policy *op);
long cpu_policy_features(struct xen_sysctl_cpu_featureset *op);
long cpu_policy_get(const struct domain *d, struct xen_domctl_cpu_policy *op);
/* -EINVAL: more than the machine has; op tells which leaf or register. d is paused. */
long cpu_policy_set(struct domain *d, struct xen_domctl_cpu_policy *op);
/* The first n words of the host's features, in the order of the tools' sets. */
void host_features(uint32_t *words, unsigned int n);

/* May a guest have these in its debug registers (0 to 3 and 7; 6 is made to fit)? */
bool pv_debugregs_ok(const uint64_t dr[8]);

/* All of d's vm_assist at once: bits per VMASST_TYPE_*, those that there are. */
void pv_set_vm_assist(struct domain *d, uint64_t types);

/* May a guest have this in XCR0? */
bool pv_xcr0_ok(uint64_t xcr0);

/* State of a vCPU whose kernel has set nothing. */
void vcpu_pv_init(struct vcpu *v);

/* ioport.c: d may use these ports, or may no more. -EINVAL: there are no such ports; -ENOMEM, -ENOSPC. */
long pv_ports_permit(struct domain *d, uint64_t first, uint64_t count, bool allow);

#endif
