/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: one thin inline wrapper each, named hypercall_<name in the ABI>.
 *
 * Every wrapper returns what the hypervisor returns: zero or a non-negative result, or a negative errno
 * (include/public documents each call). None of them blocks unless its documentation says so; all may be
 * made with events masked and on any stack that is mapped. Pointers are guest virtual addresses.
 *
 * A call goes through the hypercall page, which the hypervisor fills when it loads the image: the code for
 * call N is at hypercall_page + 32 * N. Number in rax is set there; arguments in rdi, rsi, rdx, r10, r8; all
 * of them, rcx and r11 are lost.
 */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include <stdint.h>
#include <public/xen.h>

extern char hypercall_page[4096];

/* The level below the wrappers: call number nr with raw arguments. For calls the wrappers do not know. */
static inline __attribute__((always_inline)) long hypercall5(unsigned int nr, unsigned long a1,
							     unsigned long a2, unsigned long a3,
							     unsigned long a4, unsigned long a5)
{
	register unsigned long r10 __asm__("r10") = a4;
	register unsigned long r8 __asm__("r8") = a5;
	long result;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
			 : [entry] "r"(hypercall_page + nr * 32)
			 : "rcx", "r11", "memory", "cc");
	return result;
}

static inline __attribute__((always_inline)) long
hypercall4(unsigned int nr, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4)
{
	register unsigned long r10 __asm__("r10") = a4;
	long result;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
			 : [entry] "r"(hypercall_page + nr * 32)
			 : "r8", "rcx", "r11", "memory", "cc");
	return result;
}

static inline __attribute__((always_inline)) long hypercall3(unsigned int nr, unsigned long a1,
							     unsigned long a2, unsigned long a3)
{
	long result;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3)
			 : [entry] "r"(hypercall_page + nr * 32)
			 : "r8", "r10", "rcx", "r11", "memory", "cc");
	return result;
}

static inline __attribute__((always_inline)) long hypercall2(unsigned int nr, unsigned long a1,
							     unsigned long a2)
{
	long result;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(a1), "+S"(a2)
			 : [entry] "r"(hypercall_page + nr * 32)
			 : "rdx", "r8", "r10", "rcx", "r11", "memory", "cc");
	return result;
}

static inline __attribute__((always_inline)) long hypercall1(unsigned int nr, unsigned long a1)
{
	long result;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(a1)
			 : [entry] "r"(hypercall_page + nr * 32)
			 : "rsi", "rdx", "r8", "r10", "rcx", "r11", "memory", "cc");
	return result;
}

static inline __attribute__((always_inline)) long hypercall0(unsigned int nr)
{
	long result;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result)
			 : [entry] "r"(hypercall_page + nr * 32)
			 : "rdi", "rsi", "rdx", "r8", "r10", "rcx", "r11", "memory", "cc");
	return result;
}

/* Traps and callbacks. */

/* traps: array that ends with an entry whose address is 0. NULL removes all handlers. */
static inline long hypercall_set_trap_table(const struct trap_info *traps)
{
	return hypercall1(__HYPERVISOR_set_trap_table, (unsigned long)traps);
}

/* The old way to register event, failsafe and syscall entry at once; hypercall_callback_op is the new one. */
static inline long hypercall_set_callbacks(unsigned long event, unsigned long failsafe,
					   unsigned long syscall)
{
	return hypercall3(__HYPERVISOR_set_callbacks, event, failsafe, syscall);
}

/* op: CALLBACKOP_*; arg: struct callback_register or callback_unregister. */
static inline long hypercall_callback_op(int op, const void *arg)
{
	return hypercall2(__HYPERVISOR_callback_op, (unsigned int)op, (unsigned long)arg);
}

static inline long hypercall_nmi_op(unsigned int op, const void *arg)
{
	return hypercall2(__HYPERVISOR_nmi_op, op, (unsigned long)arg);
}

/* Stack on which the hypervisor enters the guest kernel from guest user mode. */
static inline long hypercall_stack_switch(unsigned long ss, unsigned long rsp)
{
	return hypercall2(__HYPERVISOR_stack_switch, ss, rsp);
}

/* CPU state. hypercall_iret is no C function: see trap_return in entry.S. */

/* frames: machine frames of the descriptor table; entries: how many descriptors are valid. */
static inline long hypercall_set_gdt(const xen_pfn_t *frames, unsigned int entries)
{
	return hypercall2(__HYPERVISOR_set_gdt, (unsigned long)frames, entries);
}

/* maddr: machine address of the descriptor. */
static inline long hypercall_update_descriptor(uint64_t maddr, uint64_t descriptor)
{
	return hypercall2(__HYPERVISOR_update_descriptor, maddr, descriptor);
}

/* which: SEGBASE_* */
static inline long hypercall_set_segment_base(unsigned int which, unsigned long base)
{
	return hypercall2(__HYPERVISOR_set_segment_base, which, base);
}

/* set: not 0 sets CR0.TS, 0 clears it. */
static inline long hypercall_fpu_taskswitch(int set)
{
	return hypercall1(__HYPERVISOR_fpu_taskswitch, (unsigned int)set);
}

static inline long hypercall_set_debugreg(int reg, unsigned long value)
{
	return hypercall2(__HYPERVISOR_set_debugreg, (unsigned int)reg, value);
}

static inline long hypercall_get_debugreg(int reg)
{
	return hypercall1(__HYPERVISOR_get_debugreg, (unsigned int)reg);
}

static inline long hypercall_vm_assist(unsigned int cmd, unsigned int type)
{
	return hypercall2(__HYPERVISOR_vm_assist, cmd, type);
}

/* Memory. */

/* done: how many updates were made, may be NULL. foreigndom: DOMID_SELF unless frames of another's. */
static inline long hypercall_mmu_update(const struct mmu_update *updates, unsigned int count,
					unsigned int *done, unsigned int foreigndom)
{
	return hypercall4(__HYPERVISOR_mmu_update, (unsigned long)updates, count,
			  (unsigned long)done, foreigndom);
}

static inline long hypercall_mmuext_op(const struct mmuext_op *ops, unsigned int count,
				       unsigned int *done, unsigned int foreigndom)
{
	return hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)ops, count, (unsigned long)done,
			  foreigndom);
}

/* flags: UVMF_*, a pointer to a vCPU bitmap added for UVMF_MULTI. */
static inline long hypercall_update_va_mapping(unsigned long va, uint64_t pte, unsigned long flags)
{
	return hypercall3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

static inline long hypercall_update_va_mapping_otherdomain(unsigned long va, uint64_t pte,
							   unsigned long flags, domid_t domid)
{
	return hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, va, pte, flags, domid);
}

/* op: XENMEM_* */
static inline long hypercall_memory_op(unsigned int op, void *arg)
{
	return hypercall2(__HYPERVISOR_memory_op, op, (unsigned long)arg);
}

/* op: GNTTABOP_*; args: array of count structures. */
static inline long hypercall_grant_table_op(unsigned int op, void *args, unsigned int count)
{
	return hypercall3(__HYPERVISOR_grant_table_op, op, (unsigned long)args, count);
}

/* Scheduling, events, time. */

/* op: SCHEDOP_*. SCHEDOP_block and SCHEDOP_poll block. */
static inline long hypercall_sched_op(int op, void *arg)
{
	return hypercall2(__HYPERVISOR_sched_op, (unsigned int)op, (unsigned long)arg);
}

/* op: EVTCHNOP_* */
static inline long hypercall_event_channel_op(int op, void *arg)
{
	return hypercall2(__HYPERVISOR_event_channel_op, (unsigned int)op, (unsigned long)arg);
}

/* op: VCPUOP_* */
static inline long hypercall_vcpu_op(int op, unsigned int vcpu, void *arg)
{
	return hypercall3(__HYPERVISOR_vcpu_op, (unsigned int)op, vcpu, (unsigned long)arg);
}

/* deadline: system time in nanoseconds at which VIRQ_TIMER is raised; 0 stops the timer. */
static inline long hypercall_set_timer_op(uint64_t deadline)
{
	return hypercall1(__HYPERVISOR_set_timer_op, deadline);
}

/* Many calls in one. The result of each is left in its entry. */
static inline long hypercall_multicall(struct multicall_entry *calls, unsigned int count)
{
	return hypercall2(__HYPERVISOR_multicall, (unsigned long)calls, count);
}

/* Information, console, devices, control. */

/* cmd: XENVER_* */
static inline long hypercall_xen_version(int cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_xen_version, (unsigned int)cmd, (unsigned long)arg);
}

/* cmd: CONSOLEIO_*; reading returns the number of characters. */
static inline long hypercall_console_io(unsigned int cmd, unsigned int count, char *buffer)
{
	return hypercall3(__HYPERVISOR_console_io, cmd, count, (unsigned long)buffer);
}

/* op: PHYSDEVOP_* */
static inline long hypercall_physdev_op(int op, void *arg)
{
	return hypercall2(__HYPERVISOR_physdev_op, (unsigned int)op, (unsigned long)arg);
}

/* op: struct xen_platform_op with the interface version filled in. */
static inline long hypercall_platform_op(void *op)
{
	return hypercall1(__HYPERVISOR_platform_op, (unsigned long)op);
}

/* op: struct xen_sysctl with the interface version filled in. */
static inline long hypercall_sysctl(void *op)
{
	return hypercall1(__HYPERVISOR_sysctl, (unsigned long)op);
}

/* op: struct xen_domctl with the interface version filled in. */
static inline long hypercall_domctl(void *op)
{
	return hypercall1(__HYPERVISOR_domctl, (unsigned long)op);
}

static inline long hypercall_xsm_op(void *op)
{
	return hypercall1(__HYPERVISOR_xsm_op, (unsigned long)op);
}

static inline long hypercall_kexec_op(unsigned long op, void *arg)
{
	return hypercall2(__HYPERVISOR_kexec_op, op, (unsigned long)arg);
}

static inline long hypercall_argo_op(unsigned int op, void *arg1, void *arg2, unsigned long arg3,
				     unsigned long arg4)
{
	return hypercall5(__HYPERVISOR_argo_op, op, (unsigned long)arg1, (unsigned long)arg2, arg3,
			  arg4);
}

static inline long hypercall_xenpmu_op(unsigned int op, void *arg)
{
	return hypercall2(__HYPERVISOR_xenpmu_op, op, (unsigned long)arg);
}

static inline long hypercall_hypfs_op(unsigned int op, const char *path, unsigned long path_size,
				      void *data, unsigned long data_size)
{
	return hypercall5(__HYPERVISOR_hypfs_op, op, (unsigned long)path, path_size,
			  (unsigned long)data, data_size);
}

/* Machine check: the first of the architecture's own numbers. */
static inline long hypercall_mca(void *op)
{
	return hypercall1(__HYPERVISOR_arch_0, (unsigned long)op);
}

/* The oldest forms of three calls, for tests; new code has no use for them. */
static inline long hypercall_sched_op_compat(int op, unsigned long arg)
{
	return hypercall2(__HYPERVISOR_sched_op_compat, (unsigned int)op, arg);
}

static inline long hypercall_event_channel_op_compat(void *op)
{
	return hypercall1(__HYPERVISOR_event_channel_op_compat, (unsigned long)op);
}

static inline long hypercall_physdev_op_compat(void *op)
{
	return hypercall1(__HYPERVISOR_physdev_op_compat, (unsigned long)op);
}

#endif
