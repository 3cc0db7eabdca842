/* SPDX-License-Identifier: MIT */
/* The part of the interface that is the same for all x86 guests. Include xen.h. */

#include "../xen.h"

#ifndef __XEN_PUBLIC_ARCH_X86_XEN_H__
#define __XEN_PUBLIC_ARCH_X86_XEN_H__

#ifndef __x86_64__
#error "these headers describe the interface of 64-bit guests only"
#endif

/*
 * Guest handles: pointers of a guest inside structures that it hands over.
 *
 *	DEFINE_XEN_GUEST_HANDLE(T)      declares the handle types for T and for const T
 *	XEN_GUEST_HANDLE(T)             the type: a structure with the pointer as its one member, p
 *	XEN_GUEST_HANDLE(const_T)       the same for const T
 *	XEN_GUEST_HANDLE_PARAM(T)       as an argument of a call: the same type here
 *	set_xen_guest_handle(h, ptr)    stores ptr in h
 */
#define ___DEFINE_XEN_GUEST_HANDLE(name, type) \
	typedef struct {                       \
		type *p;                       \
	} __guest_handle_##name
#define __DEFINE_XEN_GUEST_HANDLE(name, type)   \
	___DEFINE_XEN_GUEST_HANDLE(name, type); \
	___DEFINE_XEN_GUEST_HANDLE(const_##name, const type)
#define DEFINE_XEN_GUEST_HANDLE(name) __DEFINE_XEN_GUEST_HANDLE(name, name)
#define __XEN_GUEST_HANDLE(name)      __guest_handle_##name
#define XEN_GUEST_HANDLE(name)	      __XEN_GUEST_HANDLE(name)
#define XEN_GUEST_HANDLE_PARAM(name)  XEN_GUEST_HANDLE(name)
#define set_xen_guest_handle_raw(hnd, val) \
	do {                               \
		(hnd).p = val;             \
	} while (0)
#define set_xen_guest_handle(hnd, val) set_xen_guest_handle_raw(hnd, val)

#include "xen-x86_64.h"

#ifndef __ASSEMBLY__
/* A frame number, of machine memory (MFN) or of the guest's own numbering (PFN, GPFN). */
typedef unsigned long xen_pfn_t;
#define PRI_xen_pfn  "lx"
#define PRIu_xen_pfn "lu"
#endif

/* start_info and vcpu_info.evtchn_upcall_mask exist on this machine. */
#define XEN_HAVE_PV_GUEST_ENTRY 1
#define XEN_HAVE_PV_UPCALL_MASK 1

/*
 * long HYPERVISOR_set_gdt(const xen_pfn_t frames[], unsigned int entries)
 *
 * Gives the calling vCPU a descriptor table.
 *   IN  frames   machine frames that hold it, one per 512 entries; none may be mapped writable
 *   IN  entries  how many descriptors are valid, at most FIRST_RESERVED_GDT_ENTRY; the hypervisor's
 *                own follow from that entry on (FLAT_* in xen-x86_64.h)
 *   returns 0; -EINVAL: too many entries, a frame that is not the caller's, is mapped writable, or
 *   holds a descriptor that a guest may not have (gates into the hypervisor, system descriptors, DPL 0
 *   is raised to 3 silently)
 *
 * Until the next set_gdt the frames have the descriptor type: they cannot become writable, and single
 * entries change through update_descriptor. For the LDT see MMUEXT_SET_LDT in xen.h.
 */
#define FIRST_RESERVED_GDT_PAGE	 14
#define FIRST_RESERVED_GDT_BYTE	 (FIRST_RESERVED_GDT_PAGE * 4096)
#define FIRST_RESERVED_GDT_ENTRY (FIRST_RESERVED_GDT_BYTE / 8)

/*
 * long HYPERVISOR_update_descriptor(uint64_t maddr, uint64_t desc)
 *
 *   IN  maddr  machine address of a descriptor, 8-byte aligned, in a frame of the caller's that is in
 *              use as a descriptor table or is ordinary writable memory
 *   IN  desc   its new value, in the format of the processor
 *   returns 0; -EINVAL: wrong frame or alignment, or a descriptor that a guest may not have
 */

/* vCPUs that shared_info has room for; others need VCPUOP_register_vcpu_info (vcpu.h). */
#define XEN_LEGACY_MAX_VCPUS 32

#ifndef __ASSEMBLY__

/* A number of the machine's word size inside structures. */
typedef unsigned long xen_ulong_t;
#define PRI_xen_ulong "lx"

/*
 * long HYPERVISOR_stack_switch(unsigned long ss, unsigned long rsp)
 *
 * The stack on which the kernel is entered from user mode, for the calling vCPU: part of each switch
 * between processes.
 *   returns 0
 */

/*
 * long HYPERVISOR_set_trap_table(const struct trap_info traps[])
 *
 * Sets the handlers of the calling vCPU for the exceptions and software interrupts in the array, which
 * ends with an entry whose address is 0. Vectors that are not named keep their handlers. A null
 * pointer removes all handlers.
 *   returns 0; -EINVAL: an address is not canonical; -EFAULT: the array cannot be read
 *
 * Bits 0-1 of flags: the highest privilege that an `INT n` may come from (0: nobody; 1, 2: kernel;
 * 3: kernel and user); real exceptions are always delivered. Bit 2: mask events on entry.
 * An exception for which there is no handler crashes the domain.
 */
#define TI_GET_DPL(_ti)	      ((_ti)->flags & 3)
#define TI_GET_IF(_ti)	      ((_ti)->flags & 4)
#define TI_SET_DPL(_ti, _dpl) ((_ti)->flags |= (_dpl))
#define TI_SET_IF(_ti, _if)   ((_ti)->flags |= ((!!(_if)) << 2))
struct trap_info {
	uint8_t vector;
	uint8_t flags;
	uint16_t cs; /* a code selector, FLAT_KERNEL_CS for example */
	unsigned long address;
};
typedef struct trap_info trap_info_t;
DEFINE_XEN_GUEST_HANDLE(trap_info_t);

/* A value of the time-stamp counter. */
typedef uint64_t tsc_timestamp_t;

/*
 * The whole state of a vCPU: IN for VCPUOP_initialise (vcpu.h) and XEN_DOMCTL_setvcpucontext, OUT for
 * XEN_DOMCTL_getvcpucontext (domctl.h).
 */
struct vcpu_guest_context {
	struct {
		char x[512];
	} fpu_ctxt; /* as FXSAVE writes it; valid if VGCF_I387_VALID */
#define VGCF_I387_VALID		       (1 << 0)
#define VGCF_IN_KERNEL		       (1 << 2)
#define _VGCF_i387_valid	       0
#define VGCF_i387_valid		       (1 << _VGCF_i387_valid) /* fpu_ctxt is meaningful */
#define _VGCF_in_kernel		       2
#define VGCF_in_kernel		       (1 << _VGCF_in_kernel) /* start in kernel mode */
#define _VGCF_failsafe_disables_events 3
#define VGCF_failsafe_disables_events  (1 << _VGCF_failsafe_disables_events)
#define _VGCF_syscall_disables_events  4
#define VGCF_syscall_disables_events   (1 << _VGCF_syscall_disables_events)
#define _VGCF_online		       5
#define VGCF_online		       (1 << _VGCF_online) /* domctl: up, not down */
	unsigned long flags;				   /* VGCF_* */
	struct cpu_user_regs user_regs;			   /* rip, rsp, rflags... to start with */
	struct trap_info trap_ctxt[256];	/* one per vector, address 0: no handler */
	unsigned long ldt_base, ldt_ents;	/* LDT: page-aligned virtual address, entries */
	unsigned long gdt_frames[16], gdt_ents; /* GDT: as for set_gdt */
	unsigned long kernel_ss, kernel_sp;	/* as for stack_switch */
	/*
	 * ctrlreg[0]: CR0 (TS matters); [1]: user page-table root or 0; [3]: kernel page-table root, both
	 * as xen_pfn_to_cr3() of a machine frame; [4]: CR4 as the guest sees it.
	 */
	unsigned long ctrlreg[8];
	unsigned long debugreg[8];	  /* DR0-DR7 */
	unsigned long event_callback_eip; /* callbacks as for CALLBACKOP_register; 0: none */
	unsigned long failsafe_callback_eip;
	unsigned long syscall_callback_eip;
	unsigned long vm_assist; /* bit n: VMASST_TYPE n is enabled; domain-wide */
	uint64_t fs_base;
	uint64_t gs_base_kernel;
	uint64_t gs_base_user;
};
typedef struct vcpu_guest_context vcpu_guest_context_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_guest_context_t);

/*
 * The machine-dependent part of shared_info: where the domain keeps its table from its own frame
 * numbers to machine frames (p2m), for the programs that save and restore the domain; and the reasons
 * of an NMI.
 *
 * Two forms of the table exist. The tree: pfn_to_mfn_frame_list_list is the machine frame of a page that
 * lists machine frames of pages that list the machine frames of the pages that hold the table. The
 * list: p2m_cr3, if not 0, is a page-table root (kept as in CR3) in which the table is an array at
 * the virtual address p2m_vaddr. A guest offers the list only if SIF_VIRT_P2M_4TOOLS is set in
 * start_info.flags. To change how the list is mapped, a guest
 *  1. adds 1 to p2m_generation, which becomes odd, and orders that before the change (write barrier);
 *  2. changes the mappings;
 *  3. orders them before (write barrier) adding 1 again.
 * A reader retries while the number is odd or differs from what it was before reading. Single entries of
 * the array are written atomically and need no such steps.
 */
struct arch_shared_info {
	unsigned long max_pfn;		      /* entries in the table */
	xen_pfn_t pfn_to_mfn_frame_list_list; /* 0: not set up; ~0: not used, see p2m_cr3 */
	unsigned long nmi_reason;	      /* XEN_NMIREASON_* (nmi.h) */
	unsigned long p2m_cr3;
	unsigned long p2m_vaddr;
	unsigned long p2m_generation; /* starts at 0 */
};
typedef struct arch_shared_info arch_shared_info_t;

/*
 * The x86 part of struct xen_domctl_createdomain (domctl.h): IN when a domain is created. Its layout is
 * part of XEN_DOMCTL_INTERFACE_VERSION.
 */
struct xen_arch_domainconfig {
/* Devices that the hypervisor emulates for HVM guests; 0 for PV, which may have PIT. */
#define _XEN_X86_EMU_LAPIC    0
#define XEN_X86_EMU_LAPIC     (1U << _XEN_X86_EMU_LAPIC)
#define _XEN_X86_EMU_HPET     1
#define XEN_X86_EMU_HPET      (1U << _XEN_X86_EMU_HPET)
#define _XEN_X86_EMU_PM	      2
#define XEN_X86_EMU_PM	      (1U << _XEN_X86_EMU_PM)
#define _XEN_X86_EMU_RTC      3
#define XEN_X86_EMU_RTC	      (1U << _XEN_X86_EMU_RTC)
#define _XEN_X86_EMU_IOAPIC   4
#define XEN_X86_EMU_IOAPIC    (1U << _XEN_X86_EMU_IOAPIC)
#define _XEN_X86_EMU_PIC      5
#define XEN_X86_EMU_PIC	      (1U << _XEN_X86_EMU_PIC)
#define _XEN_X86_EMU_VGA      6
#define XEN_X86_EMU_VGA	      (1U << _XEN_X86_EMU_VGA)
#define _XEN_X86_EMU_IOMMU    7
#define XEN_X86_EMU_IOMMU     (1U << _XEN_X86_EMU_IOMMU)
#define _XEN_X86_EMU_PIT      8
#define XEN_X86_EMU_PIT	      (1U << _XEN_X86_EMU_PIT)
#define _XEN_X86_EMU_USE_PIRQ 9
#define XEN_X86_EMU_USE_PIRQ  (1U << _XEN_X86_EMU_USE_PIRQ)
#define _XEN_X86_EMU_VPCI     10
#define XEN_X86_EMU_VPCI      (1U << _XEN_X86_EMU_VPCI)
#define XEN_X86_EMU_ALL                                                               \
	(XEN_X86_EMU_LAPIC | XEN_X86_EMU_HPET | XEN_X86_EMU_PM | XEN_X86_EMU_RTC |    \
	 XEN_X86_EMU_IOAPIC | XEN_X86_EMU_PIC | XEN_X86_EMU_VGA | XEN_X86_EMU_IOMMU | \
	 XEN_X86_EMU_PIT | XEN_X86_EMU_USE_PIRQ | XEN_X86_EMU_VPCI)
	uint32_t emulation_flags;

/* A model-specific register that the hypervisor does not know reads as 0 and ignores writes, in place of
 * a general protection fault. */
#define XEN_X86_MSR_RELAXED (1u << 0)
	uint32_t misc_flags;
};
#define XEN_X86_MISC_FLAGS_MAX XEN_X86_MSR_RELAXED

/* What CPUID gives for a leaf, as the processor policies of domctl and sysctl exchange it. */
typedef struct xen_cpuid_leaf {
#define XEN_CPUID_NO_SUBLEAF 0xffffffffu /* in subleaf: the leaf has none */
	uint32_t leaf, subleaf;
	uint32_t a, b, c, d;
} xen_cpuid_leaf_t;
DEFINE_XEN_GUEST_HANDLE(xen_cpuid_leaf_t);

/* The value of a model-specific register, likewise. */
typedef struct xen_msr_entry {
	uint32_t idx;
	uint32_t flags; /* 0 */
	uint64_t val;
} xen_msr_entry_t;
DEFINE_XEN_GUEST_HANDLE(xen_msr_entry_t);

#endif /* !__ASSEMBLY__ */

/*
 * long HYPERVISOR_fpu_taskswitch(int set)
 *
 * Sets (set != 0) or clears CR0.TS for the calling vCPU. While it is set, the first FPU instruction
 * raises exception 7, on whose delivery the hypervisor clears it.
 *   returns 0
 */

/*
 * long HYPERVISOR_set_debugreg(int reg, unsigned long value)
 *   IN  reg    0-7
 *   IN  value  for 0-3 an address of the guest's; for 7 no breakpoint on I/O ports, no global detect
 *   returns 0; -ENODEV: no such register; -EPERM: the value is not allowed, an address of the
 *   hypervisor's for example
 *
 * unsigned long HYPERVISOR_get_debugreg(int reg)
 *   returns what debug register reg holds; (unsigned long)-EINVAL for a bad reg, which cannot be told
 *   from a register that holds that number
 */

/*
 * CPUID for PV guests: with this prefix the hypervisor answers, without it (unless CPUID faulting is
 * there) the processor does. The prefix is an invalid opcode and the letters "xen".
 */
#ifdef __ASSEMBLY__
/* clang-format off */
#define XEN_EMULATE_PREFIX .byte 0x0f,0x0b,0x78,0x65,0x6e ;
#define XEN_CPUID          XEN_EMULATE_PREFIX cpuid
/* clang-format on */
#else
#define XEN_EMULATE_PREFIX ".byte 0x0f,0x0b,0x78,0x65,0x6e ; "
#define XEN_CPUID	   XEN_EMULATE_PREFIX "cpuid"
#endif

/* HVM guests only: the I/O port whose output goes to the hypervisor's console. */
#define XEN_HVM_DEBUGCONS_IOPORT 0xe9

#endif /* __XEN_PUBLIC_ARCH_X86_XEN_H__ */
