/* SPDX-License-Identifier: MIT */
/*
 * The interface between PV guests and the hypervisor: hypercall numbers, memory-management calls, the
 * structures shared with a guest, and the state in which a guest is started. Binary compatible with
 * Xen 4.17 for 64-bit guests.
 *
 * How calls are made, and how the guest kernel is entered, stands in arch-x86/xen-x86_64.h; errors in
 * errno.h. In the descriptions, "long HYPERVISOR_name(...)" is hypercall __HYPERVISOR_name with its
 * arguments in order. IN is read by the hypervisor, OUT is written by it. Every call may also return
 * -EFAULT (a pointer leads to no memory) and -ENOSYS (not implemented), which the lists of errors do
 * not repeat. Reserved and padding fields must be 0.
 *
 * With __ASSEMBLY__ defined this file, elfnote.h, features.h, version.h, event_channel.h, callback.h and
 * nmi.h define constants only; errno.h works by its second way. The other headers are for C and C++.
 */
#ifndef __XEN_PUBLIC_XEN_H__
#define __XEN_PUBLIC_XEN_H__

#include "xen-compat.h"

#ifndef __ASSEMBLY__
#include <stdint.h>
#endif

#include "arch-x86/xen.h"

#ifndef __ASSEMBLY__
/* Guest handles of plain types. */
DEFINE_XEN_GUEST_HANDLE(char);
__DEFINE_XEN_GUEST_HANDLE(uchar, unsigned char);
DEFINE_XEN_GUEST_HANDLE(int);
__DEFINE_XEN_GUEST_HANDLE(uint, unsigned int);
DEFINE_XEN_GUEST_HANDLE(void);
DEFINE_XEN_GUEST_HANDLE(uint64_t);
DEFINE_XEN_GUEST_HANDLE(xen_pfn_t);
DEFINE_XEN_GUEST_HANDLE(xen_ulong_t);

/* The dimension of an array of variable length at the end of a structure. */
#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L
#define XEN_FLEX_ARRAY_DIM
#elif defined(__GNUC__)
#define XEN_FLEX_ARRAY_DIM 0
#else
#define XEN_FLEX_ARRAY_DIM 1
#endif

/* Constants with the suffix of their type, which assembly does not know. */
#define __xen_mk_uint(x)  x##U
#define __xen_mk_ulong(x) x##UL
#ifndef __xen_mk_ullong
#define __xen_mk_ullong(x) x##ULL
#endif
#define xen_mk_uint(x)	 __xen_mk_uint(x)
#define xen_mk_ulong(x)	 __xen_mk_ulong(x)
#define xen_mk_ullong(x) __xen_mk_ullong(x)

#else

#define xen_mk_uint(x)	 x
#define xen_mk_ulong(x)	 x
#define xen_mk_ullong(x) x

#endif

/*
 * Hypercalls
 * ==========
 */
#define __HYPERVISOR_set_trap_table		   0 /* arch-x86/xen.h */
#define __HYPERVISOR_mmu_update			   1
#define __HYPERVISOR_set_gdt			   2  /* arch-x86/xen.h */
#define __HYPERVISOR_stack_switch		   3  /* arch-x86/xen.h */
#define __HYPERVISOR_set_callbacks		   4  /* callback.h: the old form */
#define __HYPERVISOR_fpu_taskswitch		   5  /* arch-x86/xen.h */
#define __HYPERVISOR_sched_op_compat		   6  /* sched.h: the old form */
#define __HYPERVISOR_platform_op		   7  /* platform.h */
#define __HYPERVISOR_set_debugreg		   8  /* arch-x86/xen.h */
#define __HYPERVISOR_get_debugreg		   9  /* arch-x86/xen.h */
#define __HYPERVISOR_update_descriptor		   10 /* arch-x86/xen.h */
#define __HYPERVISOR_memory_op			   12 /* memory.h */
#define __HYPERVISOR_multicall			   13
#define __HYPERVISOR_update_va_mapping		   14
#define __HYPERVISOR_set_timer_op		   15
#define __HYPERVISOR_event_channel_op_compat	   16 /* event_channel.h: the old form */
#define __HYPERVISOR_xen_version		   17 /* version.h */
#define __HYPERVISOR_console_io			   18
#define __HYPERVISOR_physdev_op_compat		   19 /* physdev.h: the old form */
#define __HYPERVISOR_grant_table_op		   20 /* grant_table.h */
#define __HYPERVISOR_vm_assist			   21
#define __HYPERVISOR_update_va_mapping_otherdomain 22
#define __HYPERVISOR_iret			   23 /* arch-x86/xen-x86_64.h */
#define __HYPERVISOR_vcpu_op			   24 /* vcpu.h */
#define __HYPERVISOR_set_segment_base		   25 /* arch-x86/xen-x86_64.h */
#define __HYPERVISOR_mmuext_op			   26
#define __HYPERVISOR_xsm_op			   27
#define __HYPERVISOR_nmi_op			   28 /* nmi.h */
#define __HYPERVISOR_sched_op			   29 /* sched.h */
#define __HYPERVISOR_callback_op		   30 /* callback.h */
#define __HYPERVISOR_xenoprof_op		   31
#define __HYPERVISOR_event_channel_op		   32 /* event_channel.h */
#define __HYPERVISOR_physdev_op			   33 /* physdev.h */
#define __HYPERVISOR_hvm_op			   34
#define __HYPERVISOR_sysctl			   35 /* sysctl.h */
#define __HYPERVISOR_domctl			   36 /* domctl.h */
#define __HYPERVISOR_kexec_op			   37
#define __HYPERVISOR_tmem_op			   38
#define __HYPERVISOR_argo_op			   39
#define __HYPERVISOR_xenpmu_op			   40
#define __HYPERVISOR_dm_op			   41
#define __HYPERVISOR_hypfs_op			   42

/* Numbers for the machine's own calls; on x86 the first is the machine-check call (xen-mca.h). */
#define __HYPERVISOR_arch_0 48
#define __HYPERVISOR_arch_1 49
#define __HYPERVISOR_arch_2 50
#define __HYPERVISOR_arch_3 51
#define __HYPERVISOR_arch_4 52
#define __HYPERVISOR_arch_5 53
#define __HYPERVISOR_arch_6 54
#define __HYPERVISOR_arch_7 55

/*
 * Virtual interrupts
 * ==================
 * Bound to an event channel by EVTCHNOP_bind_virq (event_channel.h). Per vCPU: every vCPU can bind its
 * own, which stays with it. Global: one binding in the whole domain, made on vCPU 0, movable by
 * EVTCHNOP_bind_vcpu.
 */
#define VIRQ_TIMER	0  /* per vCPU: a timer of this vCPU has run out */
#define VIRQ_DEBUG	1  /* per vCPU: please print debug information */
#define VIRQ_CONSOLE	2  /* global, dom0: input on the console */
#define VIRQ_DOM_EXC	3  /* global, dom0: a domain has shut down, crashed or died */
#define VIRQ_TBUF	4  /* global, dom0: trace records are there */
#define VIRQ_DEBUGGER	6  /* global, dom0: a domain has stopped for its debugger */
#define VIRQ_XENOPROF	7  /* per vCPU: a profiler sample */
#define VIRQ_CON_RING	8  /* global, dom0: output in the console's ring */
#define VIRQ_PCPU_STATE 9  /* global, dom0: a physical CPU went on or off line */
#define VIRQ_MEM_EVENT	10 /* global, dom0: a memory event */
#define VIRQ_ARGO	11 /* global: an Argo message */
#define VIRQ_ENOMEM	12 /* global, dom0: memory runs low */
#define VIRQ_XENPMU	13 /* per vCPU: a performance counter */

#define VIRQ_ARCH_0	16 /* x86: global, dom0: machine check */
#define VIRQ_ARCH_1	17
#define VIRQ_ARCH_2	18
#define VIRQ_ARCH_3	19
#define VIRQ_ARCH_4	20
#define VIRQ_ARCH_5	21
#define VIRQ_ARCH_6	22
#define VIRQ_ARCH_7	23

#define NR_VIRQS	24

/*
 * Page tables
 * ===========
 * A PV guest uses the processor's own 4-level page tables, which hold machine frame numbers. It can
 * read its tables but never write them: each frame has one type at a time - page table of level
 * 1, 2, 3 or 4, descriptor table, or writable memory - which it keeps while something uses it as such,
 * and a frame that is a page table can only be mapped read-only. To put a page table into use:
 *
 *  1. fill a page of one's own with entries; the frames that they name must belong to the caller;
 *     no reserved bits, no PAGE_PSE, and in a top-level table nothing in the hypervisor's slots 256
 *     to 271;
 *  2. make every mapping of that page read-only (update_va_mapping or mmu_update);
 *  3. do so for tables of level 1 first, then of level 2, 3 and 4, each naming tables of the level
 *     below;
 *  4. put it into use, upon which it and all below it are validated: pin it (MMUEXT_PIN_Ln_TABLE),
 *     name it in an entry of a table that is in use, or load it (MMUEXT_NEW_BASEPTR);
 *  5. change entries with mmu_update or update_va_mapping. A plain write to an entry of a level 1
 *     table also works, emulated and slow, once VMASST_TYPE_writable_pagetables is enabled.
 *
 * To take it out of use: unpin it, remove the entries that name it, load another root; then it
 * can be mapped writable again.
 *
 * Bits of an entry: as the processor defines them. The hypervisor sets the user bit in entries of the
 * guest's own where the processor needs it (kernel and user both run in ring 3). Its PAT register
 * holds, from entry 0: WB, WT, UC-, UC, WC, WP, UC, UC; entries choose by PAT (bit 7 in level 1), PCD
 * (bit 4) and PWT (bit 3) as 4 * PAT + 2 * PCD + PWT, so write-combining is PAT alone.
 *
 * long HYPERVISOR_mmu_update(const struct mmu_update reqs[], unsigned int count,
 *                            unsigned int *done_out, unsigned int foreigndom)
 *
 *   IN   reqs        array of requests, done in order; bits 0-1 of ptr choose the command
 *   IN   count       how many there are
 *   OUT  done_out    how many were completed (also on error); may be null
 *   IN   foreigndom  bits 0-15: the domain that owns the frames being mapped (FD): DOMID_SELF usually;
 *                    DOMID_IO for device memory only. Bits 16-31: the domain whose page tables
 *                    change: 0 for the caller, else its number + 1.
 *   returns 0 when all were done; else the error of the first that failed, the rest being not tried
 *     -EINVAL  the frame at ptr is no memory of the table owner's, or the new entry is not allowed
 *     -EPERM   the caller may not act on the other domain or map the device memory
 *     -ESRCH   no such domain
 *     -ENOSYS  unknown command
 *
 *   MMU_NORMAL_PT_UPDATE        ptr: machine address of an entry; val: its new value. A frame that is no
 *                               page table is written as ordinary memory if it is writable.
 *   MMU_PT_UPDATE_PRESERVE_AD   likewise, but the accessed and dirty bits that the processor has set
 *                               meanwhile are kept (atomically)
 *   MMU_PT_UPDATE_NO_TRANSLATE  likewise as NORMAL, val never being translated (it never is for PV)
 *   MMU_MACHPHYS_UPDATE         ptr: machine address within a frame of FD's; val: the frame number in the
 *                               guest's numbering that the machine-to-physical table will show for it
 *
 * Nothing is flushed for the caller, except where the hypervisor itself must; flush with mmuext_op.
 */
#define MMU_NORMAL_PT_UPDATE	   0
#define MMU_MACHPHYS_UPDATE	   1
#define MMU_PT_UPDATE_PRESERVE_AD  2
#define MMU_PT_UPDATE_NO_TRANSLATE 3

/*
 * long HYPERVISOR_mmuext_op(struct mmuext_op ops[], unsigned int count,
 *                           unsigned int *done_out, unsigned int foreigndom)
 *
 *   IN   ops, count  array of operations, done in order
 *   OUT  done_out    how many were completed (also on error); may be null
 *   IN   foreigndom  owner of the frames: DOMID_SELF or, for pinning and unpinning by a privileged
 *                    domain, another
 *   returns 0 or the error of the first that failed, the rest being not tried
 *     -EINVAL  the frame is not the owner's, cannot have the type, is not pinned (UNPIN); an argument
 *              is malformed
 *     -EPERM   not for this caller
 *     -ESRCH   no such domain
 *
 *   PIN_L1_TABLE .. PIN_L4_TABLE   arg1.mfn: validate the frame as a table of that level and hold it so
 *                       until unpinned; -EINVAL if pinned already
 *   UNPIN_TABLE         arg1.mfn: give up the pin
 *   NEW_BASEPTR         arg1.mfn: a level 4 table becomes the kernel's root of this vCPU, loaded at once
 *   NEW_USER_BASEPTR    arg1.mfn: the root for user mode of this vCPU; 0: none
 *   TLB_FLUSH_LOCAL     flush the TLB of the vCPU (not of global pages kept by the hypervisor)
 *   INVLPG_LOCAL        arg1.linear_addr: flush the entry for one address
 *   TLB_FLUSH_MULTI, INVLPG_MULTI   the same on the vCPUs whose bits are set in arg2.vcpumask, an array
 *                       of bytes with one bit for each vCPU of the domain
 *   TLB_FLUSH_ALL, INVLPG_ALL       the same on all vCPUs of the domain
 *   FLUSH_CACHE         write back and empty the caches; needs access to device memory, else -EACCES
 *   FLUSH_CACHE_GLOBAL  the same on all CPUs of the machine
 *   SET_LDT             arg1.linear_addr: page-aligned address of a descriptor table; arg2.nr_ents:
 *                       its length, at most 8192; 0 for none. Its pages take the descriptor type
 *                       when they are first used and may not be mapped writable then.
 *   CLEAR_PAGE          arg1.mfn: fill the caller's frame, writable memory, with zeroes
 *   COPY_PAGE           arg1.mfn, arg2.src_mfn: copy the second into the first
 *   MARK_SUPER, UNMARK_SUPER   no longer supported: -EOPNOTSUPP
 */
#define MMUEXT_PIN_L1_TABLE	  0
#define MMUEXT_PIN_L2_TABLE	  1
#define MMUEXT_PIN_L3_TABLE	  2
#define MMUEXT_PIN_L4_TABLE	  3
#define MMUEXT_UNPIN_TABLE	  4
#define MMUEXT_NEW_BASEPTR	  5
#define MMUEXT_TLB_FLUSH_LOCAL	  6
#define MMUEXT_INVLPG_LOCAL	  7
#define MMUEXT_TLB_FLUSH_MULTI	  8
#define MMUEXT_INVLPG_MULTI	  9
#define MMUEXT_TLB_FLUSH_ALL	  10
#define MMUEXT_INVLPG_ALL	  11
#define MMUEXT_FLUSH_CACHE	  12
#define MMUEXT_SET_LDT		  13
#define MMUEXT_NEW_USER_BASEPTR	  15
#define MMUEXT_CLEAR_PAGE	  16
#define MMUEXT_COPY_PAGE	  17
#define MMUEXT_FLUSH_CACHE_GLOBAL 18
#define MMUEXT_MARK_SUPER	  19
#define MMUEXT_UNMARK_SUPER	  20

#ifndef __ASSEMBLY__
struct mmuext_op {
	unsigned int cmd; /* MMUEXT_* */
	union {
		xen_pfn_t mfn;
		unsigned long linear_addr;
	} arg1;
	union {
		unsigned int nr_ents;
		XEN_GUEST_HANDLE(const_void) vcpumask;
		xen_pfn_t src_mfn;
	} arg2;
};
typedef struct mmuext_op mmuext_op_t;
DEFINE_XEN_GUEST_HANDLE(mmuext_op_t);
#endif

/*
 * long HYPERVISOR_update_va_mapping(unsigned long va, uint64_t val, unsigned long flags)
 * long HYPERVISOR_update_va_mapping_otherdomain(unsigned long va, uint64_t val, unsigned long flags,
 *                                               domid_t domid)
 *
 * Writes the level 1 entry that maps va in the current page tables, and flushes.
 *   IN  va     an address whose level 1 table exists
 *   IN  val    the new entry
 *   IN  flags  one of UVMF_NONE, UVMF_TLB_FLUSH, UVMF_INVLPG; plus, unless NONE, where: UVMF_LOCAL,
 *              UVMF_ALL, or UVMF_MULTI with the address of a bitmap of vCPUs, 4-byte aligned, added
 *   IN  domid  owner of the frame in val (as FD above); the first form: the caller
 *   returns 0; -EINVAL: no such table, or an entry that is not allowed; -EPERM, -ESRCH: as mmu_update
 */
#define UVMF_NONE	    (xen_mk_ulong(0) << 0) /* flush nothing */
#define UVMF_TLB_FLUSH	    (xen_mk_ulong(1) << 0) /* flush the whole TLB */
#define UVMF_INVLPG	    (xen_mk_ulong(2) << 0) /* flush the entry for va */
#define UVMF_FLUSHTYPE_MASK (xen_mk_ulong(3) << 0)
#define UVMF_MULTI	    (xen_mk_ulong(0) << 2) /* on the vCPUs of the bitmap */
#define UVMF_LOCAL	    (xen_mk_ulong(0) << 2) /* on this vCPU: the bitmap's address is null */
#define UVMF_ALL	    (xen_mk_ulong(1) << 2) /* on all vCPUs of the domain */

/*
 * long HYPERVISOR_console_io(unsigned int cmd, unsigned int count, char buffer[])
 *
 *   CONSOLEIO_write  IN buffer, count: text for the console. Returns 0. Output of domains other than
 *                    dom0 is kept back until its line ends and lacks unprintable characters.
 *   CONSOLEIO_read   dom0 only. OUT buffer: up to count characters of input; returns how many, 0 when
 *                    there are none (VIRQ_CONSOLE tells of new ones).
 *   -EPERM: not for this domain; -ENOSYS: unknown cmd
 */
#define CONSOLEIO_write 0
#define CONSOLEIO_read	1

/*
 * long HYPERVISOR_vm_assist(unsigned int cmd, unsigned int type)
 *
 * Enables or disables a service for the domain. Returns 0; -EINVAL: the type is not known or not for
 * this kind of guest; -ENOSYS: unknown cmd.
 */
#define VMASST_CMD_enable  0
#define VMASST_CMD_disable 1

/* 32-bit guests only; accepted without effect from others: 4 GiB segments, notification of their use. */
#define VMASST_TYPE_4gb_segments	0
#define VMASST_TYPE_4gb_segments_notify 1

/* Plain writes to entries of level 1 tables, which fault as the tables are mapped read-only, are
 * emulated. */
#define VMASST_TYPE_writable_pagetables 2

/* 32-bit guests only: level 3 tables above 4 GiB. */
#define VMASST_TYPE_pae_extended_cr3 3

/* IOPL behaves as in ring 0: iret loads it, frames show it, and the kernel counts as ring 0. */
#define VMASST_TYPE_architectural_iopl 4

/* The copies of vcpu_runstate_info in guest memory carry XEN_RUNSTATE_UPDATE during updates (vcpu.h). */
#define VMASST_TYPE_runstate_update_flag 5

/*
 * The machine-to-physical table is not readable in user mode. Without it, a root has it whenever it
 * is in use as a kernel's root; with it, never while in use as a user's.
 */
#define VMASST_TYPE_m2p_strict 32

/*
 * Domain numbers. From DOMID_FIRST_RESERVED on they have special meanings.
 */
#define DOMID_FIRST_RESERVED xen_mk_uint(0x7FF0)
#define DOMID_SELF	     xen_mk_uint(0x7FF0) /* the caller */
#define DOMID_IO	     xen_mk_uint(0x7FF1) /* owner of device memory */
#define DOMID_XEN	     xen_mk_uint(0x7FF2) /* owner of what the hypervisor shares with dom0 */
#define DOMID_COW	     xen_mk_uint(0x7FF3) /* owner of frames shared copy-on-write */
#define DOMID_INVALID	     xen_mk_uint(0x7FF4) /* no domain */
#define DOMID_IDLE	     xen_mk_uint(0x7FFF) /* the idle domain */
#define DOMID_MASK	     xen_mk_uint(0x7FFF)

#ifndef __ASSEMBLY__

typedef uint16_t domid_t;

/* A request to HYPERVISOR_mmu_update. */
struct mmu_update {
	uint64_t ptr; /* machine address, MMU_* in bits 0-1 */
	uint64_t val;
};
typedef struct mmu_update mmu_update_t;
DEFINE_XEN_GUEST_HANDLE(mmu_update_t);

/*
 * long HYPERVISOR_multicall(struct multicall_entry calls[], unsigned int count)
 *
 * Makes count hypercalls in order, for the price of one entry into the hypervisor.
 *   IN   op      hypercall number
 *   IN   args    its arguments
 *   OUT  result  what it returned; an error does not stop the rest
 *   returns 0; -EINVAL: called from within a multicall. iret has no place in one either.
 */
struct multicall_entry {
	xen_ulong_t op, result;
	xen_ulong_t args[6];
};
typedef struct multicall_entry multicall_entry_t;
DEFINE_XEN_GUEST_HANDLE(multicall_entry_t);

/*
 * Time
 * ====
 * System time counts nanoseconds since the hypervisor's clock started. A vCPU computes it from the TSC
 * with its record vcpu_info.time, which the hypervisor updates from time to time:
 *
 *  1. read version; if it is odd an update is going on: start again;
 *  2. read barrier; read the fields, and the TSC (ordered); read barrier;
 *  3. read version again; if it has changed, start again;
 *  4. delta = TSC - tsc_timestamp; shift it left by tsc_shift (right, if negative);
 *     system time = system_time + (delta * tsc_to_system_mul >> 32), the product having 96 bits.
 *
 * TSC frequency in Hz: ((10^9 << 32) / tsc_to_system_mul) >> tsc_shift (left, if negative).
 *
 * long HYPERVISOR_set_timer_op(uint64_t timeout)
 *   IN  timeout  system time at which the calling vCPU gets VIRQ_TIMER, once; a time in the past gives it
 *                at once; 0 cancels
 *   returns 0
 */
struct vcpu_time_info {
	uint32_t version;
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags; /* XEN_PVCLOCK_* */
	uint8_t pad1[2];
};
typedef struct vcpu_time_info vcpu_time_info_t;

#define XEN_PVCLOCK_TSC_STABLE_BIT (1 << 0) /* time taken on different vCPUs never goes backwards */
#define XEN_PVCLOCK_GUEST_STOPPED  (1 << 1) /* the guest was stopped for a while */

/*
 * What the hypervisor and one vCPU share; in shared_info, or where VCPUOP_register_vcpu_info puts it.
 *
 * Events arrive so (two-level form; that of FIFO stands in event_channel.h). For event channel p the
 * hypervisor
 *  1. sets bit p of shared_info.evtchn_pending, atomically; was it set, nothing more happens;
 *  2. if bit p of shared_info.evtchn_mask is clear, sets bit p / 64 of evtchn_pending_sel of the vCPU to
 *     which p is bound; was it set, nothing more happens;
 *  3. sets evtchn_upcall_pending of that vCPU, and wakes it if it is blocked;
 *  4. if evtchn_upcall_mask is 0, enters the kernel at its event callback (callback.h) when the vCPU is
 *     next about to run guest code, having set evtchn_upcall_mask to 1; its previous value stands in
 *     the frame.
 * The guest
 *  5. clears evtchn_upcall_pending, then takes evtchn_pending_sel, leaving 0 (one atomic exchange);
 *  6. for each bit set there, handles the channels with pending & ~mask: clears the pending bit
 *     (atomically), then calls the handler, so that an event during it is not lost;
 *  7. to go on with events unmasked, clears evtchn_upcall_mask, and then looks at evtchn_upcall_pending
 *     again: writing the mask calls nobody. HYPERVISOR_iret does both in one.
 *
 * A vCPU writes its own two bytes without locked instructions; the hypervisor reads the mask on the CPU
 * that runs the vCPU. To unmask channel p, clear its bit of evtchn_mask and, if it is pending, do step 2
 * and 3 oneself for the own vCPU; or call EVTCHNOP_unmask, which works for all.
 */
struct vcpu_info {
	uint8_t evtchn_upcall_pending;	/* not 0: an event is waiting */
	uint8_t evtchn_upcall_mask;	/* not 0: do not enter the kernel for events */
	xen_ulong_t evtchn_pending_sel; /* bit n: look at word n of shared_info.evtchn_pending */
	struct arch_vcpu_info arch;
	vcpu_time_info_t time;
};
typedef struct vcpu_info vcpu_info_t;

/*
 * What the hypervisor and a domain share. One page of its own; start_info.shared_info is its machine
 * address, which the guest maps where it likes.
 *
 * The wall clock: wc_sec (upper half wc_sec_hi) and wc_nsec give the time since 1970 at which system
 * time was 0; add the system time. wc_version is used as vcpu_time_info.version.
 */
struct shared_info {
	struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
	xen_ulong_t evtchn_pending[sizeof(xen_ulong_t) * 8]; /* bit p: channel p has an event */
	xen_ulong_t evtchn_mask[sizeof(xen_ulong_t) * 8];    /* bit p: do not tell of it */
	uint32_t wc_version;
	uint32_t wc_sec;
	uint32_t wc_nsec;
	uint32_t wc_sec_hi;
#define xen_wc_sec_hi wc_sec_hi
	struct arch_shared_info arch;
};
typedef struct shared_info shared_info_t;

/*
 * Start of day
 * ============
 * A guest image is an ELF file with notes (elfnote.h). It starts
 *  - in kernel mode at XEN_ELFNOTE_ENTRY, events masked, interrupts flag set, flat segments,
 *    no trap table, no callbacks;
 *  - RSI: virtual address of its start_info; RSP: end of a stack of one page; other general registers 0.
 *
 * Its address space is one contiguous region from XEN_ELFNOTE_VIRT_BASE on, its page n being the
 * guest's frame n, in this order, each part on a page boundary:
 *  1. the image;
 *  2. the first module (ramdisk), if there is one and the image does not have
 *     XEN_ELFNOTE_MOD_START_PFN: mod_start, mod_len;
 *  3. the frame list (p2m): nr_pages machine frame numbers, entry n for frame n: mfn_list. With
 *     XEN_ELFNOTE_INIT_P2M it is mapped at that address instead;
 *  4. start_info (dom0: the console description in the same page);
 *  5. not for dom0: the page of the store ring, then that of the console ring;
 *  6. the page tables themselves, nr_pt_frames pages, the root first: pt_base;
 *  7. the stack.
 * At least 512 KiB above the stack are mapped too; the region ends at a multiple of 4 MiB. All is
 * mapped writable, except the page tables, which are read-only, pinned at level 4. Memory
 * beyond the region is the guest's as the frame list says, but not mapped.
 */
struct start_info {
	/* Valid at start and after a resume. */
	char magic[32];		   /* "xen-3.0-x86_64" */
	unsigned long nr_pages;	   /* memory of the domain, in pages */
	unsigned long shared_info; /* machine address of struct shared_info */
	uint32_t flags;		   /* SIF_* */
	xen_pfn_t store_mfn;	   /* machine frame of the store ring (io/xs_wire.h); dom0: 0 */
	uint32_t store_evtchn;	   /* its event channel */
	union {
		struct {
			xen_pfn_t mfn;	 /* machine frame of the console ring (io/console.h) */
			uint32_t evtchn; /* its event channel */
		} domU;
		struct {
			uint32_t info_off;  /* struct dom0_vga_console_info: offset from here */
			uint32_t info_size; /* its size; 0: there is none */
		} dom0;
	} console;
	/* Valid at start only. Addresses are virtual. */
	unsigned long pt_base;	    /* page-table root */
	unsigned long nr_pt_frames; /* page tables, in pages */
	unsigned long mfn_list;	    /* the frame list */
	unsigned long
	    mod_start;	       /* the module, or its first frame with SIF_MOD_START_PFN; 0: none */
	unsigned long mod_len; /* its size in bytes */
#define MAX_GUEST_CMDLINE 1024
	int8_t cmd_line[MAX_GUEST_CMDLINE]; /* ends with a zero byte */
	unsigned long first_p2m_pfn;	    /* with XEN_ELFNOTE_INIT_P2M: first frame of the list */
	unsigned long nr_p2m_frames;	    /* and how many, page tables for it included */
};
typedef struct start_info start_info_t;

/* start_info.flags */
#define SIF_PRIVILEGED	    (1 << 0)	/* may use the control interfaces */
#define SIF_INITDOMAIN	    (1 << 1)	/* is dom0 */
#define SIF_MULTIBOOT_MOD   (1 << 2)	/* the module holds a struct xen_multiboot_mod_list[] */
#define SIF_MOD_START_PFN   (1 << 3)	/* mod_start is a frame number; the module is not mapped */
#define SIF_VIRT_P2M_4TOOLS (1 << 4)	/* the tools understand p2m_cr3 (struct arch_shared_info) */
#define SIF_PM_MASK	    (0xFF << 8) /* power management: bits of the hypervisor's for dom0 */

/*
 * At the start of a module with SIF_MULTIBOOT_MOD: an array that describes modules packed into this
 * one; it ends with an entry whose mod_start is 0. Addresses count from the start of the module.
 */
struct xen_multiboot_mod_list {
	uint32_t mod_start; /* first byte */
	uint32_t mod_end;   /* last byte */
	uint32_t cmdline;   /* its command line, ended by a zero byte */
	uint32_t pad;
};

/* The screen that dom0 may take over: start_info.console.dom0. */
typedef struct dom0_vga_console_info {
	uint8_t video_type; /* XEN_VGATYPE_* */
#define XEN_VGATYPE_TEXT_MODE_3 0x03
#define XEN_VGATYPE_VESA_LFB	0x23
#define XEN_VGATYPE_EFI_LFB	0x70
	union {
		struct {
			uint16_t font_height;	     /* pixels */
			uint16_t cursor_x, cursor_y; /* column, row */
			uint16_t rows, columns;
		} text_mode_3;
		struct {
			uint16_t width, height; /* pixels */
			uint16_t bytes_per_line;
			uint16_t bits_per_pixel;
			uint32_t lfb_base; /* machine address of the frame buffer, low half */
			uint32_t lfb_size; /* its size in units of 64 KiB */
			uint8_t red_pos, red_size; /* where each colour is in a pixel, bits */
			uint8_t green_pos, green_size;
			uint8_t blue_pos, blue_size;
			uint8_t rsvd_pos, rsvd_size;
			uint32_t gbl_caps;   /* capabilities as VESA function 4f00 gives them */
			uint16_t mode_attrs; /* mode attributes as VESA function 4f01 gives them */
			uint16_t pad;
			uint32_t ext_lfb_base; /* high half of the address; present if info_size
						* says so */
		} vesa_lfb;
	} u;
} dom0_vga_console_info_t;
#define xen_vga_console_info   dom0_vga_console_info
#define xen_vga_console_info_t dom0_vga_console_info_t

/* The identity (UUID) that the tools gave to a domain. */
typedef uint8_t xen_domain_handle_t[16];

__DEFINE_XEN_GUEST_HANDLE(uint8, uint8_t);
__DEFINE_XEN_GUEST_HANDLE(uint16, uint16_t);
__DEFINE_XEN_GUEST_HANDLE(uint32, uint32_t);
__DEFINE_XEN_GUEST_HANDLE(uint64, uint64_t);

/*
 * An UUID as bytes, most significant first: 00112233-4455-6677-8899-aabbccddeeff is
 * XEN_DEFINE_UUID(0x00112233, 0x4455, 0x6677, 0x8899, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff).
 */
typedef struct {
	uint8_t a[16];
} xen_uuid_t;

#define XEN_DEFINE_UUID_(a, b, c, d, e1, e2, e3, e4, e5, e6)                         \
	{                                                                            \
		{                                                                    \
			((a) >> 24) & 0xFF, ((a) >> 16) & 0xFF, ((a) >> 8) & 0xFF,   \
			    ((a) >> 0) & 0xFF, ((b) >> 8) & 0xFF, ((b) >> 0) & 0xFF, \
			    ((c) >> 8) & 0xFF, ((c) >> 0) & 0xFF, ((d) >> 8) & 0xFF, \
			    ((d) >> 0) & 0xFF, e1, e2, e3, e4, e5, e6                \
		}                                                                    \
	}

#if defined(__STDC_VERSION__) ? __STDC_VERSION__ >= 199901L : defined(__GNUC__)
#define XEN_DEFINE_UUID(a, b, c, d, e1, e2, e3, e4, e5, e6) \
	((xen_uuid_t)XEN_DEFINE_UUID_(a, b, c, d, e1, e2, e3, e4, e5, e6))
#else
#define XEN_DEFINE_UUID(a, b, c, d, e1, e2, e3, e4, e5, e6) \
	XEN_DEFINE_UUID_(a, b, c, d, e1, e2, e3, e4, e5, e6)
#endif

#endif /* !__ASSEMBLY__ */

/* For the control interfaces (domctl.h, sysctl.h): types of one layout for 32- and 64-bit callers. */
#ifndef int64_aligned_t
#define int64_aligned_t int64_t
#endif
#ifndef uint64_aligned_t
#define uint64_aligned_t uint64_t
#endif
#ifndef XEN_GUEST_HANDLE_64
#define XEN_GUEST_HANDLE_64(name) XEN_GUEST_HANDLE(name)
#endif

#ifndef __ASSEMBLY__
/* A bitmap of the caller's: bit n in bit n % 8 of byte n / 8. */
struct xenctl_bitmap {
	XEN_GUEST_HANDLE_64(uint8) bitmap;
	uint32_t nr_bits;
};
typedef struct xenctl_bitmap xenctl_bitmap_t;
#endif

#endif /* __XEN_PUBLIC_XEN_H__ */
