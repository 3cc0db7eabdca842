/* SPDX-License-Identifier: MIT */
/* What the files of pv/ share among themselves. */
#ifndef PV_INTERNAL_H
#define PV_INTERNAL_H

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "pv/pv.h"

/* ---- entry into the guest kernel (bounce.c) ---- */
#define BOUNCE_MASK_EVENTS 0x1 /* as an interrupt gate: the upcall mask is set */
#define BOUNCE_ERROR_CODE  0x2
#define BOUNCE_SELECTORS   0x4 /* failsafe: ds, es, fs, gs in the frame */
/*
 * Enter current's kernel at an address: a frame on its stack, registers set. The domain is crashed when
 * the stack cannot take the frame or entry is 0; what is then said of the entry is `what`.
 */
void pv_bounce(struct vcpu *v, uint64_t entry, unsigned int flags, uint32_t error_code,
	       const char *what);
/* The same to a trap's handler, with an error code. */
void pv_bounce_with_code(struct vcpu *v, const struct pv_trap *trap, uint32_t error_code,
			 const char *what);

/*
 * current enters its other mode: another page-table root, which there must be, and the GS bases swapped, of which
 * the active mode's is in GS_BASE and the other's in KERNEL_GS_BASE.
 */
#ifndef UNIT_TEST
static inline void pv_switch_mode(struct vcpu *v, bool kernel)
{
	mfn_t root = kernel ? v->kernel_root : v->user_root;

	ASSERT(root != INVALID_MFN);
	v->pv.kernel_mode = kernel;
	__asm__ volatile("swapgs" ::: "memory");
	write_cr3(root << PAGE_SHIFT);
}
#else
void pv_switch_mode(struct vcpu *v, bool kernel);
#endif

static inline void set_cr2_view(struct vcpu *v, vaddr_t cr2)
{
	v->pv.ctrlreg[2] = cr2;
	v->vcpu_info->arch.cr2 = cr2;
}

/* ---- hypercalls of this folder; args as in the public headers ---- */
long do_set_trap_table(vaddr_t traps);
long do_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall);
long do_callback_op(unsigned int cmd, vaddr_t arg);
long do_nmi_op(unsigned int cmd, vaddr_t arg);
long do_stack_switch(unsigned long ss, unsigned long sp);
long do_fpu_taskswitch(int set);
long do_set_segment_base(unsigned int which, unsigned long base);
long do_set_debugreg(int reg, unsigned long value);
long do_get_debugreg(int reg);
long do_iret(void);
/* A read fault of an iretq or lretq that only an emulator's SMAP sees (iret.c): true if carried out. */
bool pv_emulate_far_return(struct vcpu *v, struct cpu_user_regs *regs);
long do_vm_assist(unsigned int cmd, unsigned int type);
long do_xen_version(int cmd, vaddr_t arg);
long do_console_io(unsigned int cmd, unsigned int count, vaddr_t buffer);
long do_physdev_op(int cmd, vaddr_t arg);
long do_physdev_op_compat(vaddr_t arg);
long do_platform_op(vaddr_t arg);
long do_mca(vaddr_t arg);
/* platform_op's part for UEFI (efi.c): 0 or an error; -EAGAIN: the firmware is in use, ask again. */
struct xenpf_efi_runtime_call;
long efi_runtime_call(struct xenpf_efi_runtime_call *op);

/* One line in the log for the first use of a sub-operation that is not implemented; `told` is a
 * word of the caller's with a bit each. Returns -ENOSYS. */
long not_implemented(const char *hypercall, unsigned int cmd, unsigned long *told);

/* ---- what platform_op and mca tell of CPUs (platform.c) ---- */
/* cpu is a guest's number: clamp_index() it for use as an index. */
bool cpu_is_online(unsigned int cpu);
void call_on_cpu(unsigned int cpu, void (*fn)(void *arg), void *arg); /* fn takes no lock */
uint32_t cpuid_family(uint32_t leaf1_eax);
uint32_t cpuid_model(uint32_t leaf1_eax);

/* ---- pieces of instruction emulation: true, or false for #GP ---- */
/* Model-specific registers as a guest kernel sees them (msr.c). */
bool pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
/* May the guest, in its current mode, use these ports at all (ioport.c)? */
bool pv_port_permitted(struct vcpu *v, uint16_t port, unsigned int bytes);
/* Access: what a domain may not touch reads as all ones and ignores writes. bytes: 1, 2, 4. */
uint32_t pv_port_read(const struct domain *d, uint16_t port, unsigned int bytes);
void pv_port_write(const struct domain *d, uint16_t port, unsigned int bytes, uint32_t value);

/* Bits of CR4 that guests see as the hardware has them. */
#define CR4_VISIBLE (CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE)

#endif
