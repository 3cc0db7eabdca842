/* SPDX-License-Identifier: MIT */
/*
 * Control of domains, for the tools in dom0. Not a stable interface: its version is checked.
 *
 * long HYPERVISOR_domctl(struct xen_domctl *op)
 *   IN     cmd                XEN_DOMCTL_*
 *   IN     interface_version  XEN_DOMCTL_INTERFACE_VERSION
 *   IN     domain             which domain
 *   INOUT  u                  the structure that belongs to cmd
 *   returns 0 unless said otherwise, or
 *     -EPERM   the caller is not privileged
 *     -EACCES  wrong interface_version
 *     -ESRCH   no such domain (or vCPU, for some)
 *     -EINVAL  an argument is malformed, or the domain is the caller where that cannot be
 *     -ENOMEM  no memory
 *     -EOPNOTSUPP  not for this kind of domain
 *     -ENOSYS  unknown cmd, or not implemented
 */
#ifndef __XEN_PUBLIC_DOMCTL_H__
#define __XEN_PUBLIC_DOMCTL_H__

#include "xen.h"
#include "event_channel.h"
#include "grant_table.h"
#include "memory.h"

#define XEN_DOMCTL_INTERFACE_VERSION 0x00000015

/*
 * createdomain: makes a domain without memory or vCPUs running, paused. domain: IN its number, or 0 or one
 * from DOMID_FIRST_RESERVED on for any that is free; OUT its number. -EEXIST: the number is taken.
 */
struct xen_domctl_createdomain {
	uint32_t ssidref;	       /* IN: security label; kept, without meaning here */
	xen_domain_handle_t handle;    /* IN: UUID */
#define _XEN_DOMCTL_CDF_hvm	     0 /* HVM, not PV */
#define XEN_DOMCTL_CDF_hvm	     (1U << _XEN_DOMCTL_CDF_hvm)
#define _XEN_DOMCTL_CDF_hap	     1 /* hardware-assisted paging */
#define XEN_DOMCTL_CDF_hap	     (1U << _XEN_DOMCTL_CDF_hap)
#define _XEN_DOMCTL_CDF_s3_integrity 2 /* measured across sleep */
#define XEN_DOMCTL_CDF_s3_integrity  (1U << _XEN_DOMCTL_CDF_s3_integrity)
#define _XEN_DOMCTL_CDF_oos_off	     3 /* no out-of-sync shadow page tables */
#define XEN_DOMCTL_CDF_oos_off	     (1U << _XEN_DOMCTL_CDF_oos_off)
#define _XEN_DOMCTL_CDF_xs_domain    4 /* the store's domain */
#define XEN_DOMCTL_CDF_xs_domain     (1U << _XEN_DOMCTL_CDF_xs_domain)
#define _XEN_DOMCTL_CDF_iommu	     5 /* may be given devices */
#define XEN_DOMCTL_CDF_iommu	     (1U << _XEN_DOMCTL_CDF_iommu)
#define _XEN_DOMCTL_CDF_nested_virt  6 /* may run a hypervisor */
#define XEN_DOMCTL_CDF_nested_virt   (1U << _XEN_DOMCTL_CDF_nested_virt)
#define XEN_DOMCTL_CDF_vpmu	     (1U << 7) /* performance counters */
#define XEN_DOMCTL_CDF_MAX	     XEN_DOMCTL_CDF_vpmu
	uint32_t flags; /* IN */
#define _XEN_DOMCTL_IOMMU_no_sharept 0
#define XEN_DOMCTL_IOMMU_no_sharept  (1U << _XEN_DOMCTL_IOMMU_no_sharept)
#define XEN_DOMCTL_IOMMU_MAX	     XEN_DOMCTL_IOMMU_no_sharept
	uint32_t iommu_opts; /* IN */
	/* Limits. The last two: negative for the hypervisor's default. */
	uint32_t max_vcpus;	     /* IN */
	uint32_t max_evtchn_port;    /* IN */
	int32_t max_grant_frames;    /* IN */
	int32_t max_maptrack_frames; /* IN */
#define XEN_DOMCTL_GRANT_version_mask 0xf
#define XEN_DOMCTL_GRANT_version(v)   ((v)&XEN_DOMCTL_GRANT_version_mask)
	uint32_t grant_opts;		   /* IN: the highest grant table version */
	uint32_t vmtrace_size;		   /* IN: bytes of trace buffer per vCPU, 0 for none */
	uint32_t cpupool_id;		   /* IN */
	struct xen_arch_domainconfig arch; /* IN */
};

/*
 * pausedomain, unpausedomain (counted), resumedomain (after a shutdown), soft_reset: no arguments.
 * destroydomain: no arguments; what others still use of its memory keeps it, dying, until they let go.
 */

/* getdomaininfo: OUT. A domain with that number or, if there is none, -ESRCH. */
struct xen_domctl_getdomaininfo {
	domid_t domain;
	uint16_t pad1;
#define _XEN_DOMINF_dying	 0 /* being destroyed */
#define XEN_DOMINF_dying	 (1U << _XEN_DOMINF_dying)
#define _XEN_DOMINF_hvm_guest	 1
#define XEN_DOMINF_hvm_guest	 (1U << _XEN_DOMINF_hvm_guest)
#define _XEN_DOMINF_shutdown	 2 /* it has shut down; why: see shutdownshift */
#define XEN_DOMINF_shutdown	 (1U << _XEN_DOMINF_shutdown)
#define _XEN_DOMINF_paused	 3 /* by the tools */
#define XEN_DOMINF_paused	 (1U << _XEN_DOMINF_paused)
#define _XEN_DOMINF_blocked	 4 /* all its vCPUs wait for events */
#define XEN_DOMINF_blocked	 (1U << _XEN_DOMINF_blocked)
#define _XEN_DOMINF_running	 5 /* a vCPU is on a CPU */
#define XEN_DOMINF_running	 (1U << _XEN_DOMINF_running)
#define _XEN_DOMINF_debugged	 6
#define XEN_DOMINF_debugged	 (1U << _XEN_DOMINF_debugged)
#define _XEN_DOMINF_xs_domain	 7
#define XEN_DOMINF_xs_domain	 (1U << _XEN_DOMINF_xs_domain)
#define _XEN_DOMINF_hap		 8
#define XEN_DOMINF_hap		 (1U << _XEN_DOMINF_hap)
#define XEN_DOMINF_shutdownmask	 255 /* SHUTDOWN_* (sched.h) is in this part of the flags ... */
#define XEN_DOMINF_shutdownshift 16  /* ... from this bit on */
	uint32_t flags;
	uint64_aligned_t tot_pages;	    /* memory, in frames: what it has ... */
	uint64_aligned_t max_pages;	    /* ... may have ... */
	uint64_aligned_t outstanding_pages; /* ... has claimed ... */
	uint64_aligned_t shr_pages;	    /* ... shares ... */
	uint64_aligned_t paged_pages;	    /* ... and has paged out */
	uint64_aligned_t shared_info_frame; /* machine frame of shared_info */
	uint64_aligned_t cpu_time;	    /* nanoseconds */
	uint32_t nr_online_vcpus;
#define XEN_INVALID_MAX_VCPU_ID (~0U)
	uint32_t max_vcpu_id; /* the highest vCPU, or XEN_INVALID_MAX_VCPU_ID */
	uint32_t ssidref;
	xen_domain_handle_t handle;
	uint32_t cpupool;
	uint8_t gpaddr_bits; /* width of its physical addresses */
	uint8_t pad2[7];
	struct xen_arch_domainconfig arch_config;
};
typedef struct xen_domctl_getdomaininfo xen_domctl_getdomaininfo_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_getdomaininfo_t);

/*
 * getpageframeinfo3: what frames are, for saving a domain. array: IN machine frames; OUT for each its type
 * in the upper bits: page table of level n (with LPINTAB if pinned), something else, or no such frame.
 */
#define XEN_DOMCTL_PFINFO_LTAB_SHIFT	28
#define XEN_DOMCTL_PFINFO_NOTAB		(0x0U << 28)
#define XEN_DOMCTL_PFINFO_L1TAB		(0x1U << 28)
#define XEN_DOMCTL_PFINFO_L2TAB		(0x2U << 28)
#define XEN_DOMCTL_PFINFO_L3TAB		(0x3U << 28)
#define XEN_DOMCTL_PFINFO_L4TAB		(0x4U << 28)
#define XEN_DOMCTL_PFINFO_LTABTYPE_MASK (0x7U << 28)
#define XEN_DOMCTL_PFINFO_LPINTAB	(0x1U << 31)
#define XEN_DOMCTL_PFINFO_XTAB		(0xfU << 28) /* not a frame of the domain's */
#define XEN_DOMCTL_PFINFO_XALLOC	(0xeU << 28) /* to be allocated, without contents */
#define XEN_DOMCTL_PFINFO_BROKEN	(0xdU << 28) /* bad memory */
#define XEN_DOMCTL_PFINFO_LTAB_MASK	(0xfU << 28)

struct xen_domctl_getpageframeinfo3 {
	uint64_aligned_t num;		      /* IN */
	XEN_GUEST_HANDLE_64(xen_pfn_t) array; /* INOUT */
};

/*
 * shadow_op: finding out which frames a domain writes, while it runs. ENABLE with LOG_DIRTY (or
 * ENABLE_LOGDIRTY) starts it; CLEAN gives the frames (by the guest's own numbers) written since the last
 * CLEAN as a bitmap; PEEK the same without starting anew; OFF ends it. The rest is for HVM.
 */
#define XEN_DOMCTL_SHADOW_OP_OFF	     0
#define XEN_DOMCTL_SHADOW_OP_ENABLE	     32
#define XEN_DOMCTL_SHADOW_OP_CLEAN	     11
#define XEN_DOMCTL_SHADOW_OP_PEEK	     12
#define XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION  30
#define XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION  31
#define XEN_DOMCTL_SHADOW_OP_ENABLE_TEST     1
#define XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY 2

#define XEN_DOMCTL_SHADOW_ENABLE_REFCOUNT    (1 << 1)
#define XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY   (1 << 2)
#define XEN_DOMCTL_SHADOW_ENABLE_TRANSLATE   (1 << 3)
#define XEN_DOMCTL_SHADOW_ENABLE_EXTERNAL    (1 << 4)

/* With CLEAN and PEEK: the last time, so include what the hypervisor itself may be writing. */
#define XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL (1 << 0)

struct xen_domctl_shadow_op_stats {
	uint32_t fault_count;
	uint32_t dirty_count;
};

struct xen_domctl_shadow_op {
	uint32_t op;   /* IN: XEN_DOMCTL_SHADOW_OP_* */
	uint32_t mode; /* IN: ENABLE: XEN_DOMCTL_SHADOW_ENABLE_*; CLEAN, PEEK: _LOGDIRTY_* */
	uint32_t mb;   /* IN of SET_ALLOCATION, OUT of GET_ALLOCATION: MiB */
	XEN_GUEST_HANDLE_64(uint8) dirty_bitmap; /* OUT */
	uint64_aligned_t pages;			 /* INOUT: bits of it */
	struct xen_domctl_shadow_op_stats stats; /* OUT */
};

/* max_mem: the limit of the domain's memory. */
struct xen_domctl_max_mem {
	uint64_aligned_t max_memkb; /* IN: KiB */
};

/*
 * setvcpucontext, getvcpucontext: the whole state of a vCPU (arch-x86/xen.h). set with a null handle: as
 * never initialised. get: a vCPU that runs is stopped meanwhile. -ENODATA: not initialised.
 */
struct xen_domctl_vcpucontext {
	uint32_t vcpu;					/* IN */
	XEN_GUEST_HANDLE_64(vcpu_guest_context_t) ctxt; /* IN of set, OUT of get */
};

/* getvcpuinfo: what a vCPU does. */
struct xen_domctl_getvcpuinfo {
	uint32_t vcpu;		   /* IN */
	uint8_t online;		   /* OUT: not down */
	uint8_t blocked;	   /* OUT */
	uint8_t running;	   /* OUT */
	uint64_aligned_t cpu_time; /* OUT: nanoseconds */
	uint32_t cpu;		   /* OUT: the CPU where it runs or last did */
};

/* setnodeaffinity (IN), getnodeaffinity (OUT): NUMA nodes where the domain's memory shall be. */
struct xen_domctl_nodeaffinity {
	struct xenctl_bitmap nodemap;
};

/*
 * setvcpuaffinity, getvcpuaffinity: CPUs where a vCPU may run (hard) and better runs (soft). set also gives
 * back what results with the CPUs that there are. FORCE: undo SCHEDOP_pin_override.
 */
struct xen_domctl_vcpuaffinity {
	uint32_t vcpu; /* IN */
#define _XEN_VCPUAFFINITY_HARD	0
#define XEN_VCPUAFFINITY_HARD	(1U << _XEN_VCPUAFFINITY_HARD)
#define _XEN_VCPUAFFINITY_SOFT	1
#define XEN_VCPUAFFINITY_SOFT	(1U << _XEN_VCPUAFFINITY_SOFT)
#define _XEN_VCPUAFFINITY_FORCE 2
#define XEN_VCPUAFFINITY_FORCE	(1U << _XEN_VCPUAFFINITY_FORCE)
	uint32_t flags;			  /* IN */
	struct xenctl_bitmap cpumap_hard; /* INOUT */
	struct xenctl_bitmap cpumap_soft; /* INOUT */
};

/* max_vcpus: makes the vCPUs; max is that of createdomain. */
struct xen_domctl_max_vcpus {
	uint32_t max; /* IN */
};

/* scheduler_op: parameters of the domain, in the terms of the scheduler sched_id. */
#define XEN_SCHEDULER_CREDIT   5
#define XEN_SCHEDULER_CREDIT2  6
#define XEN_SCHEDULER_ARINC653 7
#define XEN_SCHEDULER_RTDS     8
#define XEN_SCHEDULER_NULL     9

struct xen_domctl_sched_credit {
	uint16_t weight; /* share, relative to others' */
	uint16_t cap;	 /* most it may use, percent of a CPU; 0: no limit */
};

struct xen_domctl_sched_credit2 {
	uint16_t weight;
	uint16_t cap;
};

struct xen_domctl_sched_rtds {
	uint32_t period; /* microseconds */
	uint32_t budget;
#define _XEN_DOMCTL_SCHEDRT_extra 0
#define XEN_DOMCTL_SCHEDRT_extra  (1U << _XEN_DOMCTL_SCHEDRT_extra)
	uint32_t flags;
};

typedef struct xen_domctl_schedparam_vcpu {
	union {
		struct xen_domctl_sched_credit credit;
		struct xen_domctl_sched_credit2 credit2;
		struct xen_domctl_sched_rtds rtds;
	} u;
	uint32_t vcpuid;
} xen_domctl_schedparam_vcpu_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_schedparam_vcpu_t);

#define XEN_DOMCTL_SCHEDOP_putinfo     0 /* set, for the whole domain */
#define XEN_DOMCTL_SCHEDOP_getinfo     1
#define XEN_DOMCTL_SCHEDOP_putvcpuinfo 2 /* set, for single vCPUs, if the scheduler can */
#define XEN_DOMCTL_SCHEDOP_getvcpuinfo 3
struct xen_domctl_scheduler_op {
	uint32_t sched_id; /* IN: XEN_SCHEDULER_*; -EINVAL if another is in use */
	uint32_t cmd;	   /* IN: XEN_DOMCTL_SCHEDOP_* */
	union {		   /* INOUT */
		struct xen_domctl_sched_credit credit;
		struct xen_domctl_sched_credit2 credit2;
		struct xen_domctl_sched_rtds rtds;
		struct {
			XEN_GUEST_HANDLE_64(xen_domctl_schedparam_vcpu_t) vcpus;
			uint32_t nr_vcpus; /* IN: elements; OUT: done */
			uint32_t padding;
		} v;
	} u;
};

/* setdomainhandle: the UUID. */
struct xen_domctl_setdomainhandle {
	xen_domain_handle_t handle; /* IN */
};

/* setdebugging: a debugger wants the domain's breakpoints. */
struct xen_domctl_setdebugging {
	uint8_t enable; /* IN */
};

/* irq_permission, iomem_permission, ioport_permission: hardware that the domain may use. */
struct xen_domctl_irq_permission {
	uint32_t pirq;	      /* IN */
	uint8_t allow_access; /* IN: 0 takes it back */
	uint8_t pad[3];
};

struct xen_domctl_iomem_permission {
	uint64_aligned_t first_mfn; /* IN */
	uint64_aligned_t nr_mfns;   /* IN: not 0 */
	uint8_t allow_access;	    /* IN */
};

struct xen_domctl_ioport_permission {
	uint32_t first_port;  /* IN */
	uint32_t nr_ports;    /* IN */
	uint8_t allow_access; /* IN */
};

/* hypercall_init: makes a frame of the domain's a hypercall page. */
struct xen_domctl_hypercall_init {
	uint64_aligned_t gmfn; /* IN: machine frame */
};

/* settimeoffset: seconds by which the domain's wall clock differs from UTC. */
struct xen_domctl_settimeoffset {
	int64_aligned_t time_offset_seconds; /* IN */
};

/* gethvmcontext, sethvmcontext: HVM only. */
struct xen_domctl_hvmcontext {
	uint32_t size;			   /* INOUT */
	XEN_GUEST_HANDLE_64(uint8) buffer; /* IN of set, OUT of get */
};

/* set_address_size (IN), get_address_size (OUT): bits of the guest's words; for Cerne always 64. */
struct xen_domctl_address_size {
	uint32_t size;
};

/* sendtrigger: sends an event as from a button of the machine. PV: NMI only. */
#define XEN_DOMCTL_SENDTRIGGER_NMI   0
#define XEN_DOMCTL_SENDTRIGGER_RESET 1
#define XEN_DOMCTL_SENDTRIGGER_INIT  2
#define XEN_DOMCTL_SENDTRIGGER_POWER 3
#define XEN_DOMCTL_SENDTRIGGER_SLEEP 4
struct xen_domctl_sendtrigger {
	uint32_t trigger; /* IN: XEN_DOMCTL_SENDTRIGGER_* */
	uint32_t vcpu;	  /* IN */
};

/*
 * assign_device, deassign_device: gives a device to the domain, takes it back. test_assign_device: whether
 * that could be done; for DOMID_INVALID, whether the device is free.
 */
#define XEN_DOMCTL_DEV_PCI 0
#define XEN_DOMCTL_DEV_DT  1 /* Arm only */
struct xen_domctl_assign_device {
	uint32_t dev;	/* IN: XEN_DOMCTL_DEV_* */
	uint32_t flags; /* IN */
#define XEN_DOMCTL_DEV_RDM_RELAXED 1
	union {
		struct {
			uint32_t machine_sbdf; /* IN: segment << 16 | bus << 8 | devfn */
		} pci;
		struct {
			uint32_t size;
			XEN_GUEST_HANDLE_64(char) path;
		} dt;
	} u;
};

/* get_device_group: devices that cannot be told apart from a device, and go with it. */
struct xen_domctl_get_device_group {
	uint32_t machine_sbdf;			/* IN */
	uint32_t max_sdevs;			/* IN: room */
	uint32_t num_sdevs;			/* OUT: how many */
	XEN_GUEST_HANDLE_64(uint32) sdev_array; /* OUT */
};

/* bind_pt_irq, unbind_pt_irq: HVM only: a machine's interrupt becomes one of the guest's. */
enum pt_irq_type {
	PT_IRQ_TYPE_PCI,
	PT_IRQ_TYPE_ISA,
	PT_IRQ_TYPE_MSI,
	PT_IRQ_TYPE_MSI_TRANSLATE,
	PT_IRQ_TYPE_SPI, /* Arm only */
};
struct xen_domctl_bind_pt_irq {
	uint32_t machine_irq; /* IN */
	uint32_t irq_type;    /* IN: enum pt_irq_type */
	union {
		struct {
			uint8_t isa_irq;
		} isa;
		struct {
			uint8_t bus;
			uint8_t device;
			uint8_t intx;
		} pci;
		struct {
			uint8_t gvec;
			uint32_t gflags;
#define XEN_DOMCTL_VMSI_X86_DEST_ID_MASK 0x0000ff
#define XEN_DOMCTL_VMSI_X86_RH_MASK	 0x000100
#define XEN_DOMCTL_VMSI_X86_DM_MASK	 0x000200
#define XEN_DOMCTL_VMSI_X86_DELIV_MASK	 0x007000
#define XEN_DOMCTL_VMSI_X86_TRIG_MASK	 0x008000
#define XEN_DOMCTL_VMSI_X86_UNMASKED	 0x010000
			uint64_aligned_t gtable;
		} msi;
		struct {
			uint16_t spi;
		} spi;
	} u;
};

/*
 * memory_mapping: lets the domain use device memory, and for translated guests maps it. A positive result n
 * means that the first n frames are done and the rest is to be asked for again; -E2BIG: too many at once.
 */
#define DPCI_ADD_MAPPING    1
#define DPCI_REMOVE_MAPPING 0
struct xen_domctl_memory_mapping {
	uint64_aligned_t first_gfn; /* IN */
	uint64_aligned_t first_mfn; /* IN */
	uint64_aligned_t nr_mfns;   /* IN: not 0 */
	uint32_t add_mapping;	    /* IN: DPCI_* */
	uint32_t padding;
};

/* ioport_mapping: HVM only: ports of the machine become ports of the guest's. */
struct xen_domctl_ioport_mapping {
	uint32_t first_gport; /* IN */
	uint32_t first_mport; /* IN */
	uint32_t nr_ports;    /* IN */
	uint32_t add_mapping; /* IN: DPCI_* */
};

/* Cache attributes, numbered as the processor does; the operation that used them is gone. */
#define XEN_DOMCTL_MEM_CACHEATTR_UC	0
#define XEN_DOMCTL_MEM_CACHEATTR_WC	1
#define XEN_DOMCTL_MEM_CACHEATTR_WT	4
#define XEN_DOMCTL_MEM_CACHEATTR_WP	5
#define XEN_DOMCTL_MEM_CACHEATTR_WB	6
#define XEN_DOMCTL_MEM_CACHEATTR_UCM	7
#define XEN_DOMCTL_DELETE_MEM_CACHEATTR (~(uint32_t)0)

/* The machine-check state of a vCPU, as it is saved. */
struct hvm_vmce_vcpu {
	uint64_t caps;
	uint64_t mci_ctl2_bank0;
	uint64_t mci_ctl2_bank1;
	uint64_t mcg_ext_ctl;
};

/* set_ext_vcpucontext, get_ext_vcpucontext: state of a vCPU that struct vcpu_guest_context lacks. */
struct xen_domctl_ext_vcpucontext {
	uint32_t vcpu; /* IN */
	uint32_t size; /* IN of set, OUT of get: bytes of what follows that count, and these 8 */
	uint64_aligned_t syscall32_callback_eip;
	uint64_aligned_t sysenter_callback_eip;
	uint16_t syscall32_callback_cs;
	uint16_t sysenter_callback_cs;
	uint8_t syscall32_disables_events;
	uint8_t sysenter_disables_events;
#if defined(__GNUC__)
	union {
		uint64_aligned_t mcg_cap;
		struct hvm_vmce_vcpu vmce;
	};
#else
	struct hvm_vmce_vcpu vmce;
#endif
};

/* set_target: the domain is the device model of another, whose memory it may use. */
struct xen_domctl_set_target {
	domid_t target; /* IN */
};

#define XEN_CPUID_INPUT_UNUSED 0xFFFFFFFF

/*
 * get_cpu_policy, set_cpu_policy: what the domain sees of the processor. get: -ENOBUFS: an array is too
 * small. set: entries replace those of the same leaf or register; -EINVAL: more than the machine can
 * give, the offender being told (all ones: not one in particular).
 */
struct xen_domctl_cpu_policy {
	uint32_t nr_leaves;			      /* INOUT */
	uint32_t nr_msrs;			      /* INOUT */
	XEN_GUEST_HANDLE_64(xen_cpuid_leaf_t) leaves; /* IN of set, OUT of get */
	XEN_GUEST_HANDLE_64(xen_msr_entry_t) msrs;    /* likewise */
	uint32_t err_leaf, err_subleaf, err_msr;      /* OUT of set */
};
typedef struct xen_domctl_cpu_policy xen_domctl_cpu_policy_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_cpu_policy_t);

/* subscribe: this channel of the caller's is sent on when the domain suspends, in place of VIRQ_DOM_EXC. */
struct xen_domctl_subscribe {
	uint32_t port; /* IN */
};

/* debug_op: HVM only: single steps. */
#define XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_OFF 0
#define XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_ON  1
struct xen_domctl_debug_op {
	uint32_t op;   /* IN */
	uint32_t vcpu; /* IN */
};

/* gethvmcontext_partial: HVM only. */
struct xen_domctl_hvmcontext_partial {
	uint32_t type;			   /* IN */
	uint32_t instance;		   /* IN */
	uint64_aligned_t bufsz;		   /* INOUT */
	XEN_GUEST_HANDLE_64(uint8) buffer; /* OUT */
};

/* gettscinfo (OUT), settscinfo (IN): the domain's TSC, as arch-x86/cpuid.h has it. */
struct xen_domctl_tsc_info {
	uint32_t tsc_mode;
	uint32_t gtsc_khz;
	uint32_t incarnation;
	uint32_t pad;
	uint64_aligned_t elapsed_nsec; /* age of the domain */
};

/* gdbsx_guestmemio: reads or writes memory of the guest at a virtual address of its own. */
struct xen_domctl_gdbsx_memio {
	uint64_aligned_t pgd3val; /* IN: 0, or an entry of its kernel's top-level table */
	uint64_aligned_t gva;	  /* IN: the guest's address */
	uint64_aligned_t uva;	  /* IN: the caller's */
	uint32_t len;		  /* IN */
	uint8_t gwr;		  /* IN: 1 writes to the guest */
	uint32_t remain;	  /* OUT: what could not be done */
};

/* gdbsx_pausevcpu, gdbsx_unpausevcpu: a single vCPU. */
struct xen_domctl_gdbsx_pauseunp_vcpu {
	uint32_t vcpu; /* IN */
};

/* gdbsx_domstatus: whether it is paused, and which vCPU met a breakpoint. */
struct xen_domctl_gdbsx_domstatus {
	uint8_t paused;	  /* OUT */
	uint32_t vcpu_id; /* OUT */
	uint32_t vcpu_ev; /* OUT */
};

/* vm_event_op: HVM only: rings on which events in a guest are reported. */
#define XEN_VM_EVENT_ENABLE	       0
#define XEN_VM_EVENT_DISABLE	       1
#define XEN_VM_EVENT_RESUME	       2
#define XEN_VM_EVENT_GET_VERSION       3
#define XEN_DOMCTL_VM_EVENT_OP_PAGING  1
#define XEN_DOMCTL_VM_EVENT_OP_MONITOR 2
#define XEN_DOMCTL_VM_EVENT_OP_SHARING 3
struct xen_domctl_vm_event_op {
	uint32_t op;   /* IN: XEN_VM_EVENT_* */
	uint32_t mode; /* IN: XEN_DOMCTL_VM_EVENT_OP_* */
	union {
		struct {
			uint32_t port; /* OUT */
		} enable;
		uint32_t version; /* OUT */
	} u;
};

/* mem_sharing_op: HVM only. */
#define XEN_DOMCTL_MEM_SHARING_CONTROL 0
struct xen_domctl_mem_sharing_op {
	uint8_t op; /* IN: XEN_DOMCTL_MEM_SHARING_* */
	union {
		uint8_t enable; /* IN */
	} u;
};

/* audit_p2m: HVM only: counts errors. */
struct xen_domctl_audit_p2m {
	uint64_t orphans; /* OUT */
	uint64_t m2p_bad; /* OUT */
	uint64_t p2m_bad; /* OUT */
};

/* set_virq_handler: the domain gets a global virtual interrupt in place of dom0. */
struct xen_domctl_set_virq_handler {
	uint32_t virq; /* IN */
};

/*
 * setvcpuextstate, getvcpuextstate: the FPU state that XSAVE keeps. get with a null handle: only size. The
 * buffer: XCR0, the accumulated XCR0, then the state as XSAVE writes it.
 */
struct xen_domctl_vcpuextstate {
	uint32_t vcpu;			    /* IN */
	uint64_aligned_t xfeature_mask;	    /* OUT of get */
	uint64_aligned_t size;		    /* INOUT: bytes */
	XEN_GUEST_HANDLE_64(uint64) buffer; /* IN of set, OUT of get */
};

/* set_access_required: HVM only. */
struct xen_domctl_set_access_required {
	uint8_t access_required; /* IN */
};

/* set_broken_page_p2m: HVM only. */
struct xen_domctl_set_broken_page_p2m {
	uint64_aligned_t pfn; /* IN */
};

/* cacheflush: Arm only. */
struct xen_domctl_cacheflush {
	xen_pfn_t start_pfn, nr_pfns; /* IN */
};

/* get_paging_mempool_size (OUT), set_paging_mempool_size (IN): HVM only. */
struct xen_domctl_paging_mempool {
	uint64_aligned_t size; /* bytes */
};

/*
 * set_vcpu_msrs, get_vcpu_msrs: model-specific registers of a vCPU. get with a null handle: only
 * msr_count; -ENOBUFS: the array is too small, msr_count says how many. set: -EINVAL: one cannot be set,
 * msr_count says which.
 */
struct xen_domctl_vcpu_msr {
	uint32_t index;
	uint32_t reserved; /* 0 */
	uint64_aligned_t value;
};
typedef struct xen_domctl_vcpu_msr xen_domctl_vcpu_msr_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_vcpu_msr_t);

struct xen_domctl_vcpu_msrs {
	uint32_t vcpu;					 /* IN */
	uint32_t msr_count;				 /* INOUT */
	XEN_GUEST_HANDLE_64(xen_domctl_vcpu_msr_t) msrs; /* IN of set, OUT of get */
};

/* setvnumainfo: the NUMA topology that the domain will see (XENMEM_get_vnumainfo). All IN. */
struct xen_domctl_vnuma {
	uint32_t nr_vnodes;
	uint32_t nr_vmemranges;
	uint32_t nr_vcpus;			  /* all that the domain has */
	uint32_t pad;				  /* 0 */
	XEN_GUEST_HANDLE_64(uint) vdistance;	  /* nr_vnodes * nr_vnodes */
	XEN_GUEST_HANDLE_64(uint) vcpu_to_vnode;  /* nr_vcpus */
	XEN_GUEST_HANDLE_64(uint) vnode_to_pnode; /* nr_vnodes: the machine's nodes */
	XEN_GUEST_HANDLE_64(xen_vmemrange_t) vmemrange;
};

/* psr_cmt_op: measuring the domain's use of the cache. */
struct xen_domctl_psr_cmt_op {
#define XEN_DOMCTL_PSR_CMT_OP_DETACH	 0
#define XEN_DOMCTL_PSR_CMT_OP_ATTACH	 1
#define XEN_DOMCTL_PSR_CMT_OP_QUERY_RMID 2
	uint32_t cmd;  /* IN */
	uint32_t data; /* OUT of QUERY_RMID */
};

/* monitor_op: HVM only: which events are reported on the ring "monitor". */
#define XEN_DOMCTL_MONITOR_OP_ENABLE		     0
#define XEN_DOMCTL_MONITOR_OP_DISABLE		     1
#define XEN_DOMCTL_MONITOR_OP_GET_CAPABILITIES	     2
#define XEN_DOMCTL_MONITOR_OP_EMULATE_EACH_REP	     3
#define XEN_DOMCTL_MONITOR_OP_CONTROL_REGISTERS	     4

#define XEN_DOMCTL_MONITOR_EVENT_WRITE_CTRLREG	     0
#define XEN_DOMCTL_MONITOR_EVENT_MOV_TO_MSR	     1
#define XEN_DOMCTL_MONITOR_EVENT_SINGLESTEP	     2
#define XEN_DOMCTL_MONITOR_EVENT_SOFTWARE_BREAKPOINT 3
#define XEN_DOMCTL_MONITOR_EVENT_GUEST_REQUEST	     4
#define XEN_DOMCTL_MONITOR_EVENT_DEBUG_EXCEPTION     5
#define XEN_DOMCTL_MONITOR_EVENT_CPUID		     6
#define XEN_DOMCTL_MONITOR_EVENT_PRIVILEGED_CALL     7
#define XEN_DOMCTL_MONITOR_EVENT_INTERRUPT	     8
#define XEN_DOMCTL_MONITOR_EVENT_DESC_ACCESS	     9
#define XEN_DOMCTL_MONITOR_EVENT_EMUL_UNIMPLEMENTED  10
#define XEN_DOMCTL_MONITOR_EVENT_INGUEST_PAGEFAULT   11
#define XEN_DOMCTL_MONITOR_EVENT_VMEXIT		     12

struct xen_domctl_monitor_op {
	uint32_t op;	/* IN: XEN_DOMCTL_MONITOR_OP_* */
	uint32_t event; /* IN: XEN_DOMCTL_MONITOR_EVENT_*; OUT of GET_CAPABILITIES: bits */
	union {
		struct {
			uint8_t index;
			uint8_t sync;
			uint8_t onchangeonly;
			uint8_t pad1;
			uint32_t pad2;
			uint64_aligned_t bitmask;
		} mov_to_cr;
		struct {
			uint32_t msr;
			uint8_t onchangeonly;
		} mov_to_msr;
		struct {
			uint8_t sync;
			uint8_t allow_userspace;
		} guest_request;
		struct {
			uint8_t sync;
		} debug_exception;
		struct {
			uint8_t sync;
		} vmexit;
	} u; /* IN of ENABLE */
};

/* psr_alloc: the domain's share of caches and memory bandwidth. */
struct xen_domctl_psr_alloc {
#define XEN_DOMCTL_PSR_SET_L3_CBM    0
#define XEN_DOMCTL_PSR_GET_L3_CBM    1
#define XEN_DOMCTL_PSR_SET_L3_CODE   2
#define XEN_DOMCTL_PSR_SET_L3_DATA   3
#define XEN_DOMCTL_PSR_GET_L3_CODE   4
#define XEN_DOMCTL_PSR_GET_L3_DATA   5
#define XEN_DOMCTL_PSR_SET_L2_CBM    6
#define XEN_DOMCTL_PSR_GET_L2_CBM    7
#define XEN_DOMCTL_PSR_SET_MBA_THRTL 8
#define XEN_DOMCTL_PSR_GET_MBA_THRTL 9
	uint32_t cmd;	 /* IN */
	uint32_t target; /* IN: socket */
	uint64_t data;	 /* IN of SET, OUT of GET */
};

/* vuart_op: Arm only. */
struct xen_domctl_vuart_op {
#define XEN_DOMCTL_VUART_OP_INIT 0
	uint32_t cmd; /* IN */
#define XEN_DOMCTL_VUART_TYPE_VPL011 0
	uint32_t type;	       /* IN */
	uint64_aligned_t gfn;  /* IN */
	domid_t console_domid; /* IN */
	uint8_t pad[2];
	evtchn_port_t evtchn; /* OUT */
};

/* vmtrace_op: HVM only: the processor's instruction trace. */
struct xen_domctl_vmtrace_op {
	uint32_t cmd;		/* IN */
	uint32_t vcpu;		/* IN */
	uint64_aligned_t key;	/* IN */
	uint64_aligned_t value; /* INOUT */
#define XEN_DOMCTL_vmtrace_enable	    1
#define XEN_DOMCTL_vmtrace_disable	    2
#define XEN_DOMCTL_vmtrace_reset_and_enable 3
#define XEN_DOMCTL_vmtrace_output_position  4
#define XEN_DOMCTL_vmtrace_get_option	    5
#define XEN_DOMCTL_vmtrace_set_option	    6
};
typedef struct xen_domctl_vmtrace_op xen_domctl_vmtrace_op_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_vmtrace_op_t);

struct xen_domctl {
	uint32_t cmd;
#define XEN_DOMCTL_createdomain		   1
#define XEN_DOMCTL_destroydomain	   2
#define XEN_DOMCTL_pausedomain		   3
#define XEN_DOMCTL_unpausedomain	   4
#define XEN_DOMCTL_getdomaininfo	   5
#define XEN_DOMCTL_setvcpuaffinity	   9
#define XEN_DOMCTL_shadow_op		   10
#define XEN_DOMCTL_max_mem		   11
#define XEN_DOMCTL_setvcpucontext	   12
#define XEN_DOMCTL_getvcpucontext	   13
#define XEN_DOMCTL_getvcpuinfo		   14
#define XEN_DOMCTL_max_vcpus		   15
#define XEN_DOMCTL_scheduler_op		   16
#define XEN_DOMCTL_setdomainhandle	   17
#define XEN_DOMCTL_setdebugging		   18
#define XEN_DOMCTL_irq_permission	   19
#define XEN_DOMCTL_iomem_permission	   20
#define XEN_DOMCTL_ioport_permission	   21
#define XEN_DOMCTL_hypercall_init	   22
#define XEN_DOMCTL_settimeoffset	   24
#define XEN_DOMCTL_getvcpuaffinity	   25
#define XEN_DOMCTL_real_mode_area	   26 /* no longer exists */
#define XEN_DOMCTL_resumedomain		   27
#define XEN_DOMCTL_sendtrigger		   28
#define XEN_DOMCTL_subscribe		   29
#define XEN_DOMCTL_gethvmcontext	   33
#define XEN_DOMCTL_sethvmcontext	   34
#define XEN_DOMCTL_set_address_size	   35
#define XEN_DOMCTL_get_address_size	   36
#define XEN_DOMCTL_assign_device	   37
#define XEN_DOMCTL_bind_pt_irq		   38
#define XEN_DOMCTL_memory_mapping	   39
#define XEN_DOMCTL_ioport_mapping	   40
#define XEN_DOMCTL_set_ext_vcpucontext	   42
#define XEN_DOMCTL_get_ext_vcpucontext	   43
#define XEN_DOMCTL_set_opt_feature	   44 /* no longer exists */
#define XEN_DOMCTL_test_assign_device	   45
#define XEN_DOMCTL_set_target		   46
#define XEN_DOMCTL_deassign_device	   47
#define XEN_DOMCTL_unbind_pt_irq	   48
#define XEN_DOMCTL_get_device_group	   50
#define XEN_DOMCTL_debug_op		   54
#define XEN_DOMCTL_gethvmcontext_partial   55
#define XEN_DOMCTL_vm_event_op		   56
#define XEN_DOMCTL_mem_sharing_op	   57
#define XEN_DOMCTL_gettscinfo		   59
#define XEN_DOMCTL_settscinfo		   60
#define XEN_DOMCTL_getpageframeinfo3	   61
#define XEN_DOMCTL_setvcpuextstate	   62
#define XEN_DOMCTL_getvcpuextstate	   63
#define XEN_DOMCTL_set_access_required	   64
#define XEN_DOMCTL_audit_p2m		   65
#define XEN_DOMCTL_set_virq_handler	   66
#define XEN_DOMCTL_set_broken_page_p2m	   67
#define XEN_DOMCTL_setnodeaffinity	   68
#define XEN_DOMCTL_getnodeaffinity	   69
#define XEN_DOMCTL_cacheflush		   71
#define XEN_DOMCTL_get_vcpu_msrs	   72
#define XEN_DOMCTL_set_vcpu_msrs	   73
#define XEN_DOMCTL_setvnumainfo		   74
#define XEN_DOMCTL_psr_cmt_op		   75
#define XEN_DOMCTL_monitor_op		   77
#define XEN_DOMCTL_psr_alloc		   78
#define XEN_DOMCTL_soft_reset		   79
#define XEN_DOMCTL_vuart_op		   81
#define XEN_DOMCTL_get_cpu_policy	   82
#define XEN_DOMCTL_set_cpu_policy	   83
#define XEN_DOMCTL_vmtrace_op		   84
#define XEN_DOMCTL_get_paging_mempool_size 85
#define XEN_DOMCTL_set_paging_mempool_size 86
#define XEN_DOMCTL_gdbsx_guestmemio	   1000
#define XEN_DOMCTL_gdbsx_pausevcpu	   1001
#define XEN_DOMCTL_gdbsx_unpausevcpu	   1002
#define XEN_DOMCTL_gdbsx_domstatus	   1003
	uint32_t interface_version;
	domid_t domain;
	uint16_t _pad[3];
	union {
		struct xen_domctl_createdomain createdomain;
		struct xen_domctl_getdomaininfo getdomaininfo;
		struct xen_domctl_getpageframeinfo3 getpageframeinfo3;
		struct xen_domctl_nodeaffinity nodeaffinity;
		struct xen_domctl_vcpuaffinity vcpuaffinity;
		struct xen_domctl_shadow_op shadow_op;
		struct xen_domctl_max_mem max_mem;
		struct xen_domctl_vcpucontext vcpucontext;
		struct xen_domctl_getvcpuinfo getvcpuinfo;
		struct xen_domctl_max_vcpus max_vcpus;
		struct xen_domctl_scheduler_op scheduler_op;
		struct xen_domctl_setdomainhandle setdomainhandle;
		struct xen_domctl_setdebugging setdebugging;
		struct xen_domctl_irq_permission irq_permission;
		struct xen_domctl_iomem_permission iomem_permission;
		struct xen_domctl_ioport_permission ioport_permission;
		struct xen_domctl_hypercall_init hypercall_init;
		struct xen_domctl_settimeoffset settimeoffset;
		struct xen_domctl_tsc_info tsc_info;
		struct xen_domctl_hvmcontext hvmcontext;
		struct xen_domctl_hvmcontext_partial hvmcontext_partial;
		struct xen_domctl_address_size address_size;
		struct xen_domctl_sendtrigger sendtrigger;
		struct xen_domctl_get_device_group get_device_group;
		struct xen_domctl_assign_device assign_device;
		struct xen_domctl_bind_pt_irq bind_pt_irq;
		struct xen_domctl_memory_mapping memory_mapping;
		struct xen_domctl_ioport_mapping ioport_mapping;
		struct xen_domctl_ext_vcpucontext ext_vcpucontext;
		struct xen_domctl_set_target set_target;
		struct xen_domctl_subscribe subscribe;
		struct xen_domctl_debug_op debug_op;
		struct xen_domctl_vm_event_op vm_event_op;
		struct xen_domctl_mem_sharing_op mem_sharing_op;
		struct xen_domctl_cpu_policy cpu_policy;
		struct xen_domctl_vcpuextstate vcpuextstate;
		struct xen_domctl_vcpu_msrs vcpu_msrs;
		struct xen_domctl_set_access_required access_required;
		struct xen_domctl_audit_p2m audit_p2m;
		struct xen_domctl_set_virq_handler set_virq_handler;
		struct xen_domctl_gdbsx_memio gdbsx_guest_memio;
		struct xen_domctl_set_broken_page_p2m set_broken_page_p2m;
		struct xen_domctl_cacheflush cacheflush;
		struct xen_domctl_gdbsx_pauseunp_vcpu gdbsx_pauseunp_vcpu;
		struct xen_domctl_gdbsx_domstatus gdbsx_domstatus;
		struct xen_domctl_vnuma vnuma;
		struct xen_domctl_psr_cmt_op psr_cmt_op;
		struct xen_domctl_monitor_op monitor_op;
		struct xen_domctl_psr_alloc psr_alloc;
		struct xen_domctl_vuart_op vuart_op;
		struct xen_domctl_vmtrace_op vmtrace_op;
		struct xen_domctl_paging_mempool paging_mempool;
		uint8_t pad[128];
	} u;
};
typedef struct xen_domctl xen_domctl_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_t);

#endif /* __XEN_PUBLIC_DOMCTL_H__ */
