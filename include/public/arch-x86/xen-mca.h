/* SPDX-License-Identifier: MIT */
/*
 * Machine checks: what dom0 learns of hardware errors.
 *
 * long HYPERVISOR_mca(struct xen_mc *op)
 *   IN     cmd                XEN_MC_fetch...
 *   IN     interface_version  XEN_MCA_INTERFACE_VERSION
 *   INOUT  u                  the structure that belongs to cmd
 *   returns 0; -EPERM: not privileged; -EACCES: wrong interface_version; -EINVAL, -ENODEV; -ENOSYS:
 *   unknown cmd
 *
 * Corrected errors are announced to dom0 by VIRQ_MCA. It fetches records with XEN_MC_NONURGENT until there
 * is no data, and acknowledges each (XEN_MC_ACK with the fetch_id it came with) so that its buffer is
 * free again.
 */

#ifndef __XEN_PUBLIC_ARCH_X86_MCA_H__
#define __XEN_PUBLIC_ARCH_X86_MCA_H__

#include "../xen.h"

#define __HYPERVISOR_mca	  __HYPERVISOR_arch_0

#define XEN_MCA_INTERFACE_VERSION 0x01ecc003

/* xen_mc_fetch.flags, IN: what is wanted ... */
#define XEN_MC_NONURGENT 0x0001 /* a record of a corrected error */
#define XEN_MC_URGENT	 0x0002 /* a record of an uncorrected error */
#define XEN_MC_ACK	 0x0004 /* with one of the above: release record fetch_id */
/* ... and OUT: what was found. */
#define XEN_MC_OK	   0x0
#define XEN_MC_FETCHFAILED 0x1 /* it could not be read */
#define XEN_MC_NODATA	   0x2 /* there is none */
#define XEN_MC_NOMATCH	   0x4 /* a later error has taken its place */
/* xen_mc_notifydomain.flags, OUT. */
#define XEN_MC_CANNOTHANDLE 0x8	 /* the domain has no handler */
#define XEN_MC_NOTDELIVERED 0x10 /* it could not be reached now */

/* In vCPU fields: none. */
#define XEN_MC_VCPUID_INVALID 0xffff

#ifndef __ASSEMBLY__

#define VIRQ_MCA VIRQ_ARCH_0

/* A record is a sequence of parts, each of which starts with its type and size. */
#define MC_TYPE_GLOBAL	 0
#define MC_TYPE_BANK	 1
#define MC_TYPE_EXTENDED 2
#define MC_TYPE_RECOVERY 3

struct mcinfo_common {
	uint16_t type; /* MC_TYPE_* */
	uint16_t size; /* of the part, in bytes */
};
typedef struct mcinfo_common xen_mcinfo_common_t;

/* MC_TYPE_GLOBAL: where and how the error was seen. */
#define MC_FLAG_CORRECTABLE   (1 << 0)
#define MC_FLAG_UNCORRECTABLE (1 << 1)
#define MC_FLAG_RECOVERABLE   (1 << 2)
#define MC_FLAG_POLLED	      (1 << 3)
#define MC_FLAG_RESET	      (1 << 4)
#define MC_FLAG_CMCI	      (1 << 5)
#define MC_FLAG_MCE	      (1 << 6)
struct mcinfo_global {
	xen_mcinfo_common_t common;
	uint16_t mc_domid;    /* domain that was running */
	uint16_t mc_vcpuid;   /* its vCPU */
	uint32_t mc_socketid; /* CPU: socket, core, thread, APIC ID */
	uint16_t mc_coreid;
	uint16_t mc_core_threadid;
	uint32_t mc_apicid;
	uint32_t mc_flags;   /* MC_FLAG_* */
	uint64_t mc_gstatus; /* MCG_STATUS */
};

/* MC_TYPE_BANK: the registers of a bank. */
struct mcinfo_bank {
	xen_mcinfo_common_t common;
	uint16_t mc_bank;
	uint16_t mc_domid; /* owner of the memory at mc_addr, if that is valid */
	uint64_t mc_status;
	uint64_t mc_addr;
	uint64_t mc_misc;
	uint64_t mc_ctrl2;
	uint64_t mc_tsc; /* when */
};

/* MC_TYPE_EXTENDED: further model-specific registers. */
struct mcinfo_msr {
	uint64_t reg;
	uint64_t value;
};
typedef struct mcinfo_msr xen_mcinfo_msr_t;

struct mcinfo_extended {
	xen_mcinfo_common_t common;
	uint32_t mc_msrs; /* how many */
	xen_mcinfo_msr_t mc_msr[32];
};

/* MC_TYPE_RECOVERY: what the hypervisor did about it. */
#define REC_ACTION_RECOVERED   (0x1 << 0)
#define REC_ACTION_NONE	       (0x1 << 1)
#define REC_ACTION_NEED_RESET  (0x1 << 2)

#define MC_ACTION_PAGE_OFFLINE (0x1 << 0)
#define MC_ACTION_CPU_OFFLINE  (0x1 << 1)
#define MC_ACTION_CACHE_SHRINK (0x1 << 2)

struct page_offline_action {
	uint64_t mfn;
	uint64_t status;
};
typedef struct page_offline_action xen_page_offline_action_t;

struct cpu_offline_action {
	uint32_t mc_socketid;
	uint16_t mc_coreid;
	uint16_t mc_core_threadid;
};
typedef struct cpu_offline_action xen_cpu_offline_action_t;

#define MAX_UNION_SIZE 16
struct mcinfo_recovery {
	xen_mcinfo_common_t common;
	uint16_t mc_bank;
	uint8_t action_flags; /* REC_ACTION_* */
	uint8_t action_types; /* MC_ACTION_* */
	union {
		xen_page_offline_action_t page_retire;
		xen_cpu_offline_action_t cpu_offline;
		uint8_t pad[MAX_UNION_SIZE];
	} action_info;
};

#define MCINFO_HYPERCALLSIZE	1024
#define MCINFO_MAXSIZE		768

#define MCINFO_FLAGS_UNCOMPLETE 0x1 /* parts are missing for lack of room */
/* A record. */
struct mc_info {
	uint32_t mi_nentries; /* parts */
	uint32_t flags;	      /* MCINFO_FLAGS_* */
	uint64_t mi_data[(MCINFO_MAXSIZE - 1) / 8];
};
typedef struct mc_info mc_info_t;
DEFINE_XEN_GUEST_HANDLE(mc_info_t);

/* Which leaf of CPUID is where in mc_cpu_caps. */
#define __MC_MSR_ARRAYSIZE 8
#define MC_NCAPS	   7
#define MC_CAPS_STD_EDX	   0 /* 1, EDX */
#define MC_CAPS_AMD_EDX	   1 /* 80000001, EDX */
#define MC_CAPS_TM	   2 /* 80860001, EDX */
#define MC_CAPS_LINUX	   3
#define MC_CAPS_STD_ECX	   4 /* 1, ECX */
#define MC_CAPS_VIA	   5 /* c0000001, EDX */
#define MC_CAPS_AMD_ECX	   6 /* 80000001, ECX */

struct mcinfo_logical_cpu {
	uint32_t mc_cpunr;
	uint32_t mc_chipid;
	uint16_t mc_coreid;
	uint16_t mc_threadid;
	uint32_t mc_apicid;
	uint32_t mc_clusterid;
	uint32_t mc_ncores;
	uint32_t mc_ncores_active;
	uint32_t mc_nthreads;
	int32_t mc_cpuid_level;
	uint32_t mc_family;
	uint32_t mc_vendor;
	uint32_t mc_model;
	uint32_t mc_step;
	char mc_vendorid[16];
	char mc_brandid[64];
	uint32_t mc_cpu_caps[MC_NCAPS];
	uint32_t mc_cache_size;
	uint32_t mc_cache_alignment;
	int32_t mc_nmsrvals;
	xen_mcinfo_msr_t mc_msrvalues[__MC_MSR_ARRAYSIZE];
};
typedef struct mcinfo_logical_cpu xen_mc_logical_cpu_t;
DEFINE_XEN_GUEST_HANDLE(xen_mc_logical_cpu_t);

/* Walking the parts of a record (struct mc_info *); lookup: the first of a type, NULL if there is none. */
#define x86_mcinfo_nentries(_mi) (_mi)->mi_nentries
#define x86_mcinfo_first(_mi)	 ((struct mcinfo_common *)(_mi)->mi_data)
#define x86_mcinfo_next(_mic)	 ((struct mcinfo_common *)((uint8_t *)(_mic) + (_mic)->size))
#define x86_mcinfo_lookup(_ret, _mi, _type)                                                   \
	do {                                                                                  \
		const struct mc_info *mcinfo_record_ = (_mi);                                 \
		uint32_t mcinfo_left_ = mcinfo_record_ ? mcinfo_record_->mi_nentries : 0;     \
		struct mcinfo_common *mcinfo_part_ =                                          \
		    mcinfo_left_ ? x86_mcinfo_first(mcinfo_record_) : NULL;                   \
                                                                                              \
		while (mcinfo_part_ && mcinfo_part_->type != (_type))                         \
			mcinfo_part_ = --mcinfo_left_ ? x86_mcinfo_next(mcinfo_part_) : NULL; \
		(_ret) = mcinfo_part_;                                                        \
	} while (0)

/* A record. */
#define XEN_MC_fetch 1
struct xen_mc_fetch {
	uint32_t flags; /* INOUT */
	uint32_t _pad0;
	uint64_t fetch_id;		  /* OUT; IN with XEN_MC_ACK */
	XEN_GUEST_HANDLE(mc_info_t) data; /* OUT */
};
typedef struct xen_mc_fetch xen_mc_fetch_t;
DEFINE_XEN_GUEST_HANDLE(xen_mc_fetch_t);

/* Tell a domain of an error. */
#define XEN_MC_notifydomain 2
struct xen_mc_notifydomain {
	uint16_t mc_domid;  /* IN */
	uint16_t mc_vcpuid; /* IN */
	uint32_t flags;	    /* OUT */
};
typedef struct xen_mc_notifydomain xen_mc_notifydomain_t;
DEFINE_XEN_GUEST_HANDLE(xen_mc_notifydomain_t);

/* The machine's CPUs. With a null handle: how many there are. */
#define XEN_MC_physcpuinfo 3
struct xen_mc_physcpuinfo {
	uint32_t ncpus; /* INOUT: room; how many */
	uint32_t _pad0;
	XEN_GUEST_HANDLE(xen_mc_logical_cpu_t) info; /* OUT */
};
typedef struct xen_mc_physcpuinfo xen_mc_physcpuinfo_t;

/* For tests: write machine-check registers of a CPU, or make reads of them give these values. */
#define XEN_MC_msrinject  4
#define MC_MSRINJ_MAXMSRS 8
struct xen_mc_msrinject {
	uint32_t mcinj_cpunr; /* IN */
	uint32_t mcinj_flags; /* IN: MC_MSRINJ_F_* */
	uint32_t mcinj_count; /* IN: elements used */
	domid_t mcinj_domid;  /* IN: with GPADDR */
	uint16_t _pad0;
	xen_mcinfo_msr_t mcinj_msr[MC_MSRINJ_MAXMSRS];
};
typedef struct xen_mc_msrinject xen_mc_msrinject_t;

#define MC_MSRINJ_F_INTERPOSE 0x1 /* do not touch the hardware */
#define MC_MSRINJ_F_GPADDR    0x2 /* addresses are mcinj_domid's own */

/* For tests: raise a machine check on a CPU. */
#define XEN_MC_mceinject 5
struct xen_mc_mceinject {
	unsigned int mceinj_cpunr; /* IN */
};
typedef struct xen_mc_mceinject xen_mc_mceinject_t;

/* For tests: raise a machine check or a corrected-error interrupt on several. */
#define XEN_MC_inject_v2	    6
#define XEN_MC_INJECT_TYPE_MASK	    0x7
#define XEN_MC_INJECT_TYPE_MCE	    0x0
#define XEN_MC_INJECT_TYPE_CMCI	    0x1
#define XEN_MC_INJECT_TYPE_LMCE	    0x2
#define XEN_MC_INJECT_CPU_BROADCAST 0x8
struct xen_mc_inject_v2 {
	uint32_t flags; /* IN: XEN_MC_INJECT_* */
	xenctl_bitmap_t cpumap;
};
typedef struct xen_mc_inject_v2 xen_mc_inject_v2_t;

struct xen_mc {
	uint32_t cmd;
	uint32_t interface_version;
	union {
		xen_mc_fetch_t mc_fetch;
		xen_mc_notifydomain_t mc_notifydomain;
		xen_mc_physcpuinfo_t mc_physcpuinfo;
		xen_mc_msrinject_t mc_msrinject;
		xen_mc_mceinject_t mc_mceinject;
		xen_mc_inject_v2_t mc_inject_v2;
	} u;
};
typedef struct xen_mc xen_mc_t;
DEFINE_XEN_GUEST_HANDLE(xen_mc_t);

#endif /* !__ASSEMBLY__ */

#endif /* __XEN_PUBLIC_ARCH_X86_MCA_H__ */
