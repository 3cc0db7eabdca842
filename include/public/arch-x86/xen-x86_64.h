/* SPDX-License-Identifier: MIT */
/*
 * The machine-dependent part of the interface for 64-bit guests. Include xen.h.
 *
 * Calling the hypervisor
 * ----------------------
 * Hypercall number n is made by a call to byte 32 * n of the hypercall page, a page of the guest that
 * the hypervisor fills with code: at start of day the one that the guest names in its ELF notes
 * (XEN_ELFNOTE_HYPERCALL_PAGE), later any page through the MSR that CPUID gives (arch-x86/cpuid.h).
 *
 *   IN   RDI, RSI, RDX, R10, R8, R9   arguments 1 to 6
 *   OUT  RAX                          result; errors are negative (errno.h)
 *   lost: RCX, R11, and the argument registers of as many arguments as the call has
 *
 * Only a guest kernel can make hypercalls: in guest user mode `syscall` enters the guest's kernel.
 * A number without a meaning gives -ENOSYS. Arguments that are pointers are virtual addresses of the
 * caller in its current mode; one that cannot be read or written gives -EFAULT.
 *
 * Guest kernel and guest user both run in ring 3, each with its own page-table root (the "mode" of a
 * vCPU). The hypervisor enters the kernel by a bounce: it switches to kernel mode and pushes on the
 * kernel stack (that of stack_switch when coming from user mode, else the current one aligned down to
 * 16 bytes) the frame
 *
 *      SS, RSP, RFLAGS, CS | saved_upcall_mask << 32, RIP, [error code], R11, RCX     <- RSP
 *
 * with the error code for exceptions that have one. The kernel finds CS with RPL 0 if kernel mode
 * was interrupted and 3 if user mode was; RFLAGS.IF is the inverse of the event mask at that time.
 * A handler pops RCX and R11, drops the error code, and returns by HYPERVISOR_iret, or to kernel
 * mode by an `iretq` of its own after setting the RPL of CS to 3.
 */

#include "../xen.h"

#ifndef __XEN_PUBLIC_ARCH_X86_XEN_X86_64_H__
#define __XEN_PUBLIC_ARCH_X86_XEN_X86_64_H__

/*
 * Selectors of the flat segments in the part of every GDT that belongs to the hypervisor. They are
 * there at start of day and after set_gdt, so a guest may live without a GDT of its own.
 */
#define FLAT_RING3_CS32	 0xe023
#define FLAT_RING3_CS64	 0xe033
#define FLAT_RING3_DS32	 0xe02b
#define FLAT_RING3_DS64	 0x0000 /* a null selector */
#define FLAT_RING3_SS32	 0xe02b
#define FLAT_RING3_SS64	 0xe02b

#define FLAT_KERNEL_DS64 FLAT_RING3_DS64
#define FLAT_KERNEL_DS32 FLAT_RING3_DS32
#define FLAT_KERNEL_DS	 FLAT_KERNEL_DS64
#define FLAT_KERNEL_CS64 FLAT_RING3_CS64
#define FLAT_KERNEL_CS32 FLAT_RING3_CS32
#define FLAT_KERNEL_CS	 FLAT_KERNEL_CS64
#define FLAT_KERNEL_SS64 FLAT_RING3_SS64
#define FLAT_KERNEL_SS32 FLAT_RING3_SS32
#define FLAT_KERNEL_SS	 FLAT_KERNEL_SS64

#define FLAT_USER_DS64	 FLAT_RING3_DS64
#define FLAT_USER_DS32	 FLAT_RING3_DS32
#define FLAT_USER_DS	 FLAT_USER_DS64
#define FLAT_USER_CS64	 FLAT_RING3_CS64
#define FLAT_USER_CS32	 FLAT_RING3_CS32
#define FLAT_USER_CS	 FLAT_USER_CS64
#define FLAT_USER_SS64	 FLAT_RING3_SS64
#define FLAT_USER_SS32	 FLAT_RING3_SS32
#define FLAT_USER_SS	 FLAT_USER_SS64

/*
 * Virtual addresses that belong to the hypervisor: slots 256 to 271 of each top-level page table. A
 * guest has no access there, except reading the machine-to-physical table: an array of unsigned
 * long, indexed by machine frame, of the guest frame numbers that the owner of the frame set with
 * MMU_MACHPHYS_UPDATE. It spans at most MACH2PHYS_VIRT_START to MACH2PHYS_VIRT_END;
 * XENMEM_machphys_mapping tells how much of it there is. An entry whose frame does not exist may
 * fault on reading.
 */
#define __HYPERVISOR_VIRT_START 0xFFFF800000000000
#define __HYPERVISOR_VIRT_END	0xFFFF880000000000
#define __MACH2PHYS_VIRT_START	0xFFFF800000000000
#define __MACH2PHYS_VIRT_END	0xFFFF804000000000

#ifndef HYPERVISOR_VIRT_START
#define HYPERVISOR_VIRT_START xen_mk_ulong(__HYPERVISOR_VIRT_START)
#define HYPERVISOR_VIRT_END   xen_mk_ulong(__HYPERVISOR_VIRT_END)
#endif

#define MACH2PHYS_VIRT_START xen_mk_ulong(__MACH2PHYS_VIRT_START)
#define MACH2PHYS_VIRT_END   xen_mk_ulong(__MACH2PHYS_VIRT_END)
#define MACH2PHYS_NR_ENTRIES ((MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) >> 3)
#ifndef machine_to_phys_mapping
#define machine_to_phys_mapping ((unsigned long *)HYPERVISOR_VIRT_START)
#endif

/*
 * long HYPERVISOR_set_segment_base(unsigned int which, unsigned long base)
 *
 *   IN  which  SEGBASE_*
 *   IN  base   for SEGBASE_FS, _GS_USER, _GS_KERNEL: the base of FS; of GS in user mode; of GS in
 *              kernel mode; a canonical address. For SEGBASE_GS_USER_SEL: bits 0-15 are a selector,
 *              loaded into GS of user mode (and its base with it); a selector that cannot be loaded
 *              leaves a null one.
 *   returns 0; -EINVAL: which is unknown or base is not canonical
 */
#define SEGBASE_FS	    0
#define SEGBASE_GS_USER	    1
#define SEGBASE_GS_KERNEL   2
#define SEGBASE_GS_USER_SEL 3

/*
 * long HYPERVISOR_iret(void): return from a trap, exception, event or system call.
 *
 * Has no arguments; the vCPU's state is on the kernel stack as a struct iret_context. The code in the
 * hypercall page pushes rcx, r11 and rax itself: the kernel puts those three registers back, leaves
 * flags, rip, cs, rflags, rsp, ss at RSP, and jumps (not calls) to the page. Then:
 *
 *  1. RPL of cs 3: the vCPU leaves for user mode. Any other RPL: it stays in kernel mode.
 *  2. The event mask (vcpu_info.evtchn_upcall_mask) becomes the inverse of IF in rflags; IF itself
 *     stays set, IOPL is not the guest's to change.
 *  3. With VGCF_in_syscall in flags: restores RAX, RIP, RFLAGS and RSP and returns as sysret does
 *     (RCX = RIP, R11 = RFLAGS, flat user segments). Without: restores RAX, R11, RCX, CS:RIP, RFLAGS
 *     and SS:RSP.
 *  4. The other registers keep what they held at the call.
 *
 * Never returns to the caller. If the frame cannot be read, or step 1 asks for user mode and no
 * user page-table root was set, the domain is crashed. If the state cannot be loaded (bad selector,
 * address that is not canonical), the failsafe callback or a general protection fault is delivered.
 */
#define _VGCF_in_syscall 8
#define VGCF_in_syscall	 (1 << _VGCF_in_syscall)
#define VGCF_IN_SYSCALL	 VGCF_in_syscall

#ifndef __ASSEMBLY__

struct iret_context {
	uint64_t rax, r11, rcx, flags; /* flags: VGCF_in_syscall or 0 */
	uint64_t rip, cs, rflags, rsp, ss;
};

/*
 * The registers of a vCPU as operations exchange them. Users of GCC or Clang with GNU extensions find
 * each general register under its 64-bit name and its 32-bit name (rax and eax, both 64 bits wide, and
 * _eax, 32 bits wide); programs that define __XEN_TOOLS__ find all the sub-registers of their true
 * width (rax, eax, ax, al, ah); strict C and C++ have the 64-bit names only.
 */
#if defined(__XEN_TOOLS__)
#define __DECL_REG_LOHI(which)            \
	union {                           \
		uint64_t r##which##x;     \
		uint32_t e##which##x;     \
		uint16_t which##x;        \
		struct {                  \
			uint8_t which##l; \
			uint8_t which##h; \
		};                        \
	}
#define __DECL_REG_LO8(name)      \
	union {                   \
		uint64_t r##name; \
		uint32_t e##name; \
		uint16_t name;    \
		uint8_t name##l;  \
	}
#define __DECL_REG_LO16(name)     \
	union {                   \
		uint64_t r##name; \
		uint32_t e##name; \
		uint16_t name;    \
	}
#define __DECL_REG_HI(num)          \
	union {                     \
		uint64_t r##num;    \
		uint32_t r##num##d; \
		uint16_t r##num##w; \
		uint8_t r##num##b;  \
	}
#elif defined(__GNUC__) && !defined(__STRICT_ANSI__)
#define __DECL_REG(name)                   \
	union {                            \
		uint64_t r##name, e##name; \
		uint32_t _e##name;         \
	}
#else
#define __DECL_REG(name) uint64_t r##name
#endif

#ifndef __DECL_REG_LOHI
#define __DECL_REG_LOHI(name) __DECL_REG(name##x)
#define __DECL_REG_LO8	      __DECL_REG
#define __DECL_REG_LO16	      __DECL_REG
#define __DECL_REG_HI(num)    uint64_t r##num
#endif

struct cpu_user_regs {
	__DECL_REG_HI(15);
	__DECL_REG_HI(14);
	__DECL_REG_HI(13);
	__DECL_REG_HI(12);
	__DECL_REG_LO8(bp);
	__DECL_REG_LOHI(b);
	__DECL_REG_HI(11);
	__DECL_REG_HI(10);
	__DECL_REG_HI(9);
	__DECL_REG_HI(8);
	__DECL_REG_LOHI(a);
	__DECL_REG_LOHI(c);
	__DECL_REG_LOHI(d);
	__DECL_REG_LO8(si);
	__DECL_REG_LO8(di);
	uint32_t error_code;   /* the hypervisor's own */
	uint32_t entry_vector; /* the hypervisor's own */
	__DECL_REG_LO16(ip);
	uint16_t cs, _pad0[1];
	uint8_t saved_upcall_mask; /* vcpu_info.evtchn_upcall_mask when the frame was made */
	uint8_t _pad1[3];
	__DECL_REG_LO16(flags); /* IF is the inverse of saved_upcall_mask */
	__DECL_REG_LO8(sp);
	uint16_t ss, _pad2[3];
	uint16_t es, _pad3[3];
	uint16_t ds, _pad4[3];
	uint16_t fs, _pad5[3];
	uint16_t gs, _pad6[3];
};
typedef struct cpu_user_regs cpu_user_regs_t;
DEFINE_XEN_GUEST_HANDLE(cpu_user_regs_t);

#undef __DECL_REG
#undef __DECL_REG_LOHI
#undef __DECL_REG_LO8
#undef __DECL_REG_LO16
#undef __DECL_REG_HI

/* Between a page-table root's machine frame and the form in which ctrlreg[] and p2m_cr3 hold it. */
#define xen_pfn_to_cr3(pfn) ((unsigned long)(pfn) << 12)
#define xen_cr3_to_pfn(cr3) ((unsigned long)(cr3) >> 12)

/* The machine-dependent part of struct vcpu_info. */
struct arch_vcpu_info {
	unsigned long cr2; /* faulting address of the page fault delivered last */
	unsigned long pad;
};
typedef struct arch_vcpu_info arch_vcpu_info_t;

/* The address of a callback (callback.h). */
typedef unsigned long xen_callback_t;

#endif /* !__ASSEMBLY__ */

#endif /* __XEN_PUBLIC_ARCH_X86_XEN_X86_64_H__ */
