/* SPDX-License-Identifier: MIT */
/*
 * Control of the hypervisor and what it knows of the machine, for the tools in dom0. Not a stable
 * interface: its version is checked.
 *
 * long HYPERVISOR_sysctl(struct xen_sysctl *op)
 *   IN     cmd                XEN_SYSCTL_*
 *   IN     interface_version  XEN_SYSCTL_INTERFACE_VERSION
 *   INOUT  u                  the structure that belongs to cmd
 *   returns 0 unless said otherwise, or
 *     -EPERM   the caller is not privileged
 *     -EACCES  wrong interface_version
 *     -EINVAL  an argument is malformed
 *     -EOPNOTSUPP  not in this build, or the machine cannot do it
 *     -ENOSYS  unknown cmd, or not implemented
 */
#ifndef __XEN_PUBLIC_SYSCTL_H__
#define __XEN_PUBLIC_SYSCTL_H__

#include "xen.h"
#include "domctl.h"
#include "physdev.h"

#define XEN_SYSCTL_INTERFACE_VERSION 0x00000015

/*
 * readconsole: text from the console's ring. To follow it: incremental 1 and the index given back last
 * time (0 at first).
 */
struct xen_sysctl_readconsole {
	uint8_t clear;	     /* IN: empty the ring after reading */
	uint8_t incremental; /* IN: start at index, not at the oldest character */
	uint8_t pad0, pad1;
	uint32_t index;			  /* INOUT */
	XEN_GUEST_HANDLE_64(char) buffer; /* OUT */
	uint32_t count;			  /* INOUT: room; how many were written */
};

/* tbuf_op: the trace buffers. */
struct xen_sysctl_tbuf_op {
#define XEN_SYSCTL_TBUFOP_get_info     0
#define XEN_SYSCTL_TBUFOP_set_cpu_mask 1
#define XEN_SYSCTL_TBUFOP_set_evt_mask 2
#define XEN_SYSCTL_TBUFOP_set_size     3
#define XEN_SYSCTL_TBUFOP_enable       4
#define XEN_SYSCTL_TBUFOP_disable      5
	uint32_t cmd;		       /* IN */
	struct xenctl_bitmap cpu_mask; /* IN of set_cpu_mask */
	uint32_t evt_mask;	       /* IN of set_evt_mask, OUT of get_info */
	uint64_aligned_t buffer_mfn;   /* OUT of get_info: machine frame */
	uint32_t size;		       /* IN of set_size (pages), OUT of get_info (bytes) */
};

/* physinfo: the machine. */
#define _XEN_SYSCTL_PHYSCAP_hvm		       0 /* HVM guests are possible */
#define XEN_SYSCTL_PHYSCAP_hvm		       (1u << _XEN_SYSCTL_PHYSCAP_hvm)
#define _XEN_SYSCTL_PHYSCAP_pv		       1 /* PV guests are possible */
#define XEN_SYSCTL_PHYSCAP_pv		       (1u << _XEN_SYSCTL_PHYSCAP_pv)
#define _XEN_SYSCTL_PHYSCAP_directio	       2 /* devices can be given to guests */
#define XEN_SYSCTL_PHYSCAP_directio	       (1u << _XEN_SYSCTL_PHYSCAP_directio)
#define _XEN_SYSCTL_PHYSCAP_hap		       3 /* hardware-assisted paging */
#define XEN_SYSCTL_PHYSCAP_hap		       (1u << _XEN_SYSCTL_PHYSCAP_hap)
#define _XEN_SYSCTL_PHYSCAP_shadow	       4 /* shadow page tables */
#define XEN_SYSCTL_PHYSCAP_shadow	       (1u << _XEN_SYSCTL_PHYSCAP_shadow)
#define _XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share 5
#define XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share  (1u << _XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share)
#define XEN_SYSCTL_PHYSCAP_vmtrace	       (1u << 6)
#define XEN_SYSCTL_PHYSCAP_vpmu		       (1u << 7)
#define XEN_SYSCTL_PHYSCAP_gnttab_v1	       (1u << 8) /* grant tables version 1 */
#define XEN_SYSCTL_PHYSCAP_gnttab_v2	       (1u << 9) /* and version 2 */
#define XEN_SYSCTL_PHYSCAP_MAX		       XEN_SYSCTL_PHYSCAP_gnttab_v2

/* All OUT. */
struct xen_sysctl_physinfo {
	uint32_t threads_per_core;
	uint32_t cores_per_socket;
	uint32_t nr_cpus;     /* online */
	uint32_t max_cpu_id;  /* the highest possible number */
	uint32_t nr_nodes;    /* online */
	uint32_t max_node_id; /* the highest possible number */
	uint32_t cpu_khz;
	uint32_t capabilities;	    /* XEN_SYSCTL_PHYSCAP_* */
	uint32_t arch_capabilities; /* 0 */
	uint32_t pad;
	uint64_aligned_t total_pages;	    /* memory, in frames: all ... */
	uint64_aligned_t free_pages;	    /* ... free ... */
	uint64_aligned_t scrub_pages;	    /* ... free, but still to be cleared ... */
	uint64_aligned_t outstanding_pages; /* ... free, but claimed */
	uint64_aligned_t max_mfn;	    /* the highest machine frame */
	uint32_t hw_cap[8];		    /* words of CPUID feature bits */
};

/* sched_id: the scheduler in use. */
struct xen_sysctl_sched_id {
	uint32_t sched_id; /* OUT: XEN_SCHEDULER_* (domctl.h) */
};

/* perfc_op: the hypervisor's own performance counters; sizes alone with null handles. */
#define XEN_SYSCTL_PERFCOP_reset 1
#define XEN_SYSCTL_PERFCOP_query 2
struct xen_sysctl_perfc_desc {
	char name[80];
	uint32_t nr_vals; /* elements of val that belong to it */
};
typedef struct xen_sysctl_perfc_desc xen_sysctl_perfc_desc_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_perfc_desc_t);
typedef uint32_t xen_sysctl_perfc_val_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_perfc_val_t);

struct xen_sysctl_perfc_op {
	uint32_t cmd;					   /* IN: XEN_SYSCTL_PERFCOP_* */
	uint32_t nr_counters;				   /* OUT */
	uint32_t nr_vals;				   /* OUT */
	XEN_GUEST_HANDLE_64(xen_sysctl_perfc_desc_t) desc; /* OUT */
	XEN_GUEST_HANDLE_64(xen_sysctl_perfc_val_t) val;   /* OUT */
};

/* getdomaininfolist: domains from first_domain on, in the order of their numbers. */
struct xen_sysctl_getdomaininfolist {
	domid_t first_domain;					/* IN */
	uint32_t max_domains;					/* IN: room */
	XEN_GUEST_HANDLE_64(xen_domctl_getdomaininfo_t) buffer; /* OUT */
	uint32_t num_domains;					/* OUT */
};

/* debug_keys: as if these keys had been pressed on the hypervisor's console. */
struct xen_sysctl_debug_keys {
	XEN_GUEST_HANDLE_64(const_char) keys; /* IN */
	uint32_t nr_keys;		      /* IN */
};

/* getcpuinfo: how long each CPU has been idle. */
struct xen_sysctl_cpuinfo {
	uint64_aligned_t idletime; /* nanoseconds */
};
typedef struct xen_sysctl_cpuinfo xen_sysctl_cpuinfo_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_cpuinfo_t);
struct xen_sysctl_getcpuinfo {
	uint32_t max_cpus;				/* IN: room */
	XEN_GUEST_HANDLE_64(xen_sysctl_cpuinfo_t) info; /* OUT */
	uint32_t nr_cpus;				/* OUT */
};

/* availheap: free memory whose machine addresses have between min_bitwidth and max_bitwidth bits. */
struct xen_sysctl_availheap {
	uint32_t min_bitwidth;	      /* IN: 0: no such limit */
	uint32_t max_bitwidth;	      /* IN: 0: no such limit */
	int32_t node;		      /* IN: -1: all */
	uint64_aligned_t avail_bytes; /* OUT */
};

/* get_pmstat: statistics of a CPU's performance (PX) and idle (CX) states. -ENODEV: it has none. */
struct pm_px_val {
	uint64_aligned_t freq;	    /* MHz */
	uint64_aligned_t residency; /* nanoseconds */
	uint64_aligned_t count;
};
typedef struct pm_px_val pm_px_val_t;
DEFINE_XEN_GUEST_HANDLE(pm_px_val_t);

struct pm_px_stat {
	uint8_t total;
	uint8_t usable;
	uint8_t last;
	uint8_t cur;
	XEN_GUEST_HANDLE_64(uint64) trans_pt; /* transitions, total * total */
	XEN_GUEST_HANDLE_64(pm_px_val_t) pt;
};

struct pm_cx_stat {
	uint32_t nr; /* INOUT: elements of triggers and residencies, C0 included */
	uint32_t last;
	uint64_aligned_t idle_time;
	XEN_GUEST_HANDLE_64(uint64) triggers;
	XEN_GUEST_HANDLE_64(uint64) residencies;
	uint32_t
	    nr_pc; /* INOUT: elements of pc and cc; those that the CPU lacks stay as they are */
	uint32_t nr_cc;
	XEN_GUEST_HANDLE_64(uint64) pc; /* package states, PC1 first */
	XEN_GUEST_HANDLE_64(uint64) cc; /* core states, CC1 first */
};

struct xen_sysctl_get_pmstat {
#define PMSTAT_CATEGORY_MASK 0xf0
#define PMSTAT_PX	     0x10
#define PMSTAT_CX	     0x20
#define PMSTAT_get_max_px    (PMSTAT_PX | 0x1)
#define PMSTAT_get_pxstat    (PMSTAT_PX | 0x2)
#define PMSTAT_reset_pxstat  (PMSTAT_PX | 0x3)
#define PMSTAT_get_max_cx    (PMSTAT_CX | 0x1)
#define PMSTAT_get_cxstat    (PMSTAT_CX | 0x2)
#define PMSTAT_reset_cxstat  (PMSTAT_CX | 0x3)
	uint32_t type;	/* IN: PMSTAT_* */
	uint32_t cpuid; /* IN */
	union {
		struct pm_px_stat getpx;
		struct pm_cx_stat getcx;
	} u;
};

/* cpu_hotplug: takes a CPU, or all second threads of cores, on or off line. */
struct xen_sysctl_cpu_hotplug {
	uint32_t cpu; /* IN of ONLINE, OFFLINE */
#define XEN_SYSCTL_CPU_HOTPLUG_ONLINE	   0
#define XEN_SYSCTL_CPU_HOTPLUG_OFFLINE	   1
#define XEN_SYSCTL_CPU_HOTPLUG_SMT_ENABLE  2
#define XEN_SYSCTL_CPU_HOTPLUG_SMT_DISABLE 3
	uint32_t op; /* IN */
};

/* pm_op: power management: frequency governors and others. */
struct xen_userspace {
	uint32_t scaling_setspeed;
};

struct xen_ondemand {
	uint32_t sampling_rate_max;
	uint32_t sampling_rate_min;
	uint32_t sampling_rate;
	uint32_t up_threshold;
};

#define CPUFREQ_NAME_LEN 16
/* Frequencies in kHz. The three numbers are the sizes of the arrays. */
struct xen_get_cpufreq_para {
	uint32_t cpu_num;					   /* INOUT */
	uint32_t freq_num;					   /* INOUT */
	uint32_t gov_num;					   /* INOUT */
	XEN_GUEST_HANDLE_64(uint32) affected_cpus;		   /* OUT */
	XEN_GUEST_HANDLE_64(uint32) scaling_available_frequencies; /* OUT */
	XEN_GUEST_HANDLE_64(char) scaling_available_governors;	   /* OUT */
	char scaling_driver[CPUFREQ_NAME_LEN];
	uint32_t cpuinfo_cur_freq;
	uint32_t cpuinfo_max_freq;
	uint32_t cpuinfo_min_freq;
	uint32_t scaling_cur_freq;
	char scaling_governor[CPUFREQ_NAME_LEN];
	uint32_t scaling_max_freq;
	uint32_t scaling_min_freq;
	union {
		struct xen_userspace userspace;
		struct xen_ondemand ondemand;
	} u; /* of the governor */
	int32_t turbo_enabled;
};

struct xen_set_cpufreq_gov {
	char scaling_governor[CPUFREQ_NAME_LEN];
};

struct xen_set_cpufreq_para {
#define SCALING_MAX_FREQ 1
#define SCALING_MIN_FREQ 2
#define SCALING_SETSPEED 3
#define SAMPLING_RATE	 4
#define UP_THRESHOLD	 5
	uint32_t ctrl_type;
	uint32_t ctrl_value;
};

struct xen_sysctl_pm_op {
#define PM_PARA_CATEGORY_MASK		   0xf0
#define CPUFREQ_PARA			   0x10
#define GET_CPUFREQ_PARA		   (CPUFREQ_PARA | 0x01)
#define SET_CPUFREQ_GOV			   (CPUFREQ_PARA | 0x02)
#define SET_CPUFREQ_PARA		   (CPUFREQ_PARA | 0x03)
#define GET_CPUFREQ_AVGFREQ		   (CPUFREQ_PARA | 0x04)
#define XEN_SYSCTL_pm_op_set_sched_opt_smt 0x21
/* The deepest idle state (cpuid 0), or its sub-state (cpuid 1). */
#define XEN_SYSCTL_pm_op_get_max_cstate		  0x22
#define XEN_SYSCTL_pm_op_set_max_cstate		  0x23
#define XEN_SYSCTL_pm_op_set_vcpu_migration_delay 0x24
#define XEN_SYSCTL_pm_op_get_vcpu_migration_delay 0x25
#define XEN_SYSCTL_pm_op_enable_turbo		  0x26
#define XEN_SYSCTL_pm_op_disable_turbo		  0x27
	uint32_t cmd;	/* IN */
	uint32_t cpuid; /* IN */
	union {
		struct xen_get_cpufreq_para get_para;
		struct xen_set_cpufreq_gov set_gov;
		struct xen_set_cpufreq_para set_para;
		uint64_aligned_t get_avgfreq;
		uint32_t set_sched_opt_smt;
#define XEN_SYSCTL_CX_UNLIMITED 0xffffffff
		uint32_t get_max_cstate;
		uint32_t set_max_cstate;
	} u;
};

/* page_offline_op: takes frames start to end out of use, puts them back, or asks. */
struct xen_sysctl_page_offline_op {
#define sysctl_page_offline	  1
#define sysctl_page_online	  2
#define sysctl_query_page_offline 3
	uint32_t cmd;	/* IN */
	uint32_t start; /* IN */
	uint32_t end;	/* IN: included */
	XEN_GUEST_HANDLE(uint32)
	status; /* OUT: PG_OFFLINE_* for each; the owner from OWNER_SHIFT on */
};

#define PG_OFFLINE_STATUS_MASK		  (0xFFUL)
#define PG_OFFLINE_INVALID		  (0x1UL << 0)
#define PG_OFFLINE_OFFLINED		  (0x1UL << 1)
#define PG_OFFLINE_PENDING		  (0x1UL << 2)
#define PG_OFFLINE_FAILED		  (0x1UL << 3)
#define PG_OFFLINE_AGAIN		  (0x1UL << 4)
#define PG_ONLINE_FAILED		  PG_OFFLINE_FAILED
#define PG_ONLINE_ONLINED		  PG_OFFLINE_OFFLINED
#define PG_OFFLINE_STATUS_OFFLINED	  (0x1UL << 1)
#define PG_OFFLINE_STATUS_ONLINE	  (0x1UL << 2)
#define PG_OFFLINE_STATUS_OFFLINE_PENDING (0x1UL << 3)
#define PG_OFFLINE_STATUS_BROKEN	  (0x1UL << 4)
#define PG_OFFLINE_MISC_MASK		  (0xFFUL << 4)
#define PG_OFFLINE_XENPAGE		  (0x1UL << 8)	/* the hypervisor uses it */
#define PG_OFFLINE_DOM0PAGE		  (0x1UL << 9)	/* dom0 uses it */
#define PG_OFFLINE_ANONYMOUS		  (0x1UL << 10) /* it is used, without an owner */
#define PG_OFFLINE_NOT_CONV_RAM		  (0x1UL << 11) /* it is no memory */
#define PG_OFFLINE_OWNED		  (0x1UL << 12) /* a domain uses it */
#define PG_OFFLINE_BROKEN		  (0x1UL << 13)
#define PG_ONLINE_BROKEN		  PG_OFFLINE_BROKEN
#define PG_OFFLINE_OWNER_SHIFT		  16

/* lockprof_op: how long locks of the hypervisor are held and waited for. */
#define XEN_SYSCTL_LOCKPROF_reset 1
#define XEN_SYSCTL_LOCKPROF_query 2
#define LOCKPROF_TYPE_GLOBAL	  0
#define LOCKPROF_TYPE_PERDOM	  1
#define LOCKPROF_TYPE_N		  2
struct xen_sysctl_lockprof_data {
	char name[40];
	int32_t type;		     /* LOCKPROF_TYPE_* */
	int32_t idx;		     /* domain */
	uint64_aligned_t lock_cnt;   /* times taken */
	uint64_aligned_t block_cnt;  /* times waited */
	uint64_aligned_t lock_time;  /* nanoseconds held */
	uint64_aligned_t block_time; /* nanoseconds waited */
};
typedef struct xen_sysctl_lockprof_data xen_sysctl_lockprof_data_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_lockprof_data_t);
struct xen_sysctl_lockprof_op {
	uint32_t cmd;					      /* IN */
	uint32_t max_elem;				      /* IN: room */
	uint32_t nr_elem;				      /* OUT */
	uint64_aligned_t time;				      /* OUT: since the last reset */
	XEN_GUEST_HANDLE_64(xen_sysctl_lockprof_data_t) data; /* OUT */
};

/*
 * cputopoinfo: where each CPU is. With a null handle: how many there are. A buffer that is too small is
 * filled, and the number says how many there are. Numbers of CPUs that are off line are INVALID.
 */
#define XEN_INVALID_CORE_ID   (~0U)
#define XEN_INVALID_SOCKET_ID (~0U)
#define XEN_INVALID_NODE_ID   (~0U)

struct xen_sysctl_cputopo {
	uint32_t core;
	uint32_t socket;
	uint32_t node;
};
typedef struct xen_sysctl_cputopo xen_sysctl_cputopo_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_cputopo_t);

struct xen_sysctl_cputopoinfo {
	uint32_t num_cpus;				   /* INOUT */
	XEN_GUEST_HANDLE_64(xen_sysctl_cputopo_t) cputopo; /* OUT */
};

/* numainfo: the nodes' memory and distances, in the same manner. */
#define XEN_INVALID_MEM_SZ    (~0U)
#define XEN_INVALID_NODE_DIST (~0U)

struct xen_sysctl_meminfo {
	uint64_t memsize; /* bytes */
	uint64_t memfree;
};
typedef struct xen_sysctl_meminfo xen_sysctl_meminfo_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_meminfo_t);

struct xen_sysctl_numainfo {
	uint32_t num_nodes;				   /* INOUT */
	XEN_GUEST_HANDLE_64(xen_sysctl_meminfo_t) meminfo; /* OUT */
	XEN_GUEST_HANDLE_64(uint32) distance; /* OUT: from i to j at i * num_nodes (OUT) + j */
};

/*
 * cpupool_op: groups of CPUs, each with a scheduler and domains of its own.
 *   CREATE      IN cpupool_id (PAR_ANY: any), sched_id; OUT cpupool_id
 *   DESTROY     IN cpupool_id; it must be empty
 *   INFO        IN cpupool_id; OUT the first group with that number or a higher one: cpupool_id,
 *               sched_id, n_dom, cpumap; -ENOENT at the end
 *   ADDCPU      IN cpupool_id, cpu (PAR_ANY: any that is free)
 *   RMCPU       IN cpupool_id, cpu (PAR_ANY: the last)
 *   MOVEDOMAIN  IN cpupool_id, domid
 *   FREEINFO    OUT cpumap: CPUs in no group
 * -ENOENT: no such group; -EEXIST: taken; -EBUSY: it still has domains; -ENODEV: the CPU is not free, or not
 * in this group; -EINVAL: no such CPU or domain; -EADDRINUSE: a vCPU is fixed there; -EAGAIN: soon;
 * -EADDRNOTAVAIL: a removal that met -EAGAIN must be finished first.
 */
#define XEN_SYSCTL_CPUPOOL_OP_CREATE	 1
#define XEN_SYSCTL_CPUPOOL_OP_DESTROY	 2
#define XEN_SYSCTL_CPUPOOL_OP_INFO	 3
#define XEN_SYSCTL_CPUPOOL_OP_ADDCPU	 4
#define XEN_SYSCTL_CPUPOOL_OP_RMCPU	 5
#define XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN 6
#define XEN_SYSCTL_CPUPOOL_OP_FREEINFO	 7
#define XEN_SYSCTL_CPUPOOL_PAR_ANY	 0xFFFFFFFF
struct xen_sysctl_cpupool_op {
	uint32_t op;
	uint32_t cpupool_id;
	uint32_t sched_id;
	uint32_t domid;
	uint32_t cpu;
	uint32_t n_dom;
	struct xenctl_bitmap cpumap;
};

/* A timetable for the scheduler ARINC 653. */
#define ARINC653_MAX_DOMAINS_PER_SCHEDULE 64
struct xen_sysctl_arinc653_schedule {
	uint64_aligned_t major_frame; /* nanoseconds */
	uint8_t num_sched_entries;
	struct {
		xen_domain_handle_t dom_handle; /* UUID of the domain */
		uint32_t vcpu_id;
		uint64_aligned_t runtime; /* nanoseconds in each major frame */
	} sched_entries[ARINC653_MAX_DOMAINS_PER_SCHEDULE];
};
typedef struct xen_sysctl_arinc653_schedule xen_sysctl_arinc653_schedule_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_arinc653_schedule_t);

/* Parameters of the schedulers credit and credit2, and their limits. */
#define XEN_SYSCTL_SCHED_RATELIMIT_MAX 500000
#define XEN_SYSCTL_SCHED_RATELIMIT_MIN 100

struct xen_sysctl_credit_schedule {
#define XEN_SYSCTL_CSCHED_TSLICE_MAX 1000
#define XEN_SYSCTL_CSCHED_TSLICE_MIN 1
	uint32_t tslice_ms;    /* how long a vCPU runs at most before others get a turn */
	uint32_t ratelimit_us; /* how long at least; 0: no limit */
#define XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US (100 * 1000)
	uint32_t vcpu_migr_delay_us; /* how long it does not move after having run */
};

struct xen_sysctl_credit2_schedule {
	uint32_t ratelimit_us;
};

/* scheduler_op: sets or gets them, for a group of CPUs. */
#define XEN_SYSCTL_SCHEDOP_putinfo 0
#define XEN_SYSCTL_SCHEDOP_getinfo 1
struct xen_sysctl_scheduler_op {
	uint32_t cpupool_id; /* IN */
	uint32_t sched_id;   /* IN: XEN_SCHEDULER_* (domctl.h) */
	uint32_t cmd;	     /* IN: XEN_SYSCTL_SCHEDOP_* */
	union {
		struct xen_sysctl_sched_arinc653 {
			XEN_GUEST_HANDLE_64(xen_sysctl_arinc653_schedule_t) schedule;
		} sched_arinc653;
		struct xen_sysctl_credit_schedule sched_credit;
		struct xen_sysctl_credit2_schedule sched_credit2;
	} u; /* IN of putinfo, OUT of getinfo */
};

/*
 * coverage_op: coverage counters of an instrumented hypervisor. The data of GCC's: the magic number, then
 * for each file its name and a zero byte, a 32-bit size, the contents. That of LLVM: as it is.
 */
#define XEN_GCOV_FORMAT_MAGIC	     0x58434f56
#define XEN_SYSCTL_COVERAGE_get_size 0
#define XEN_SYSCTL_COVERAGE_read     1
#define XEN_SYSCTL_COVERAGE_reset    2
struct xen_sysctl_coverage_op {
	uint32_t cmd;			  /* IN */
	uint32_t size;			  /* INOUT */
	XEN_GUEST_HANDLE_64(char) buffer; /* OUT */
};

/* psr_cmt_op: what the machine can measure of cache use. */
#define XEN_SYSCTL_PSR_CMT_get_total_rmid	   0
#define XEN_SYSCTL_PSR_CMT_get_l3_upscaling_factor 1
#define XEN_SYSCTL_PSR_CMT_get_l3_cache_size	   2 /* KiB */
#define XEN_SYSCTL_PSR_CMT_enabled		   3
#define XEN_SYSCTL_PSR_CMT_get_l3_event_mask	   4
struct xen_sysctl_psr_cmt_op {
	uint32_t cmd;	/* IN */
	uint32_t flags; /* 0 */
	union {
		uint64_t data; /* OUT */
		struct {
			uint32_t cpu; /* IN */
			uint32_t rsvd;
		} l3_cache;
	} u;
};

/* pcitopoinfo: the NUMA node of PCI devices; INVALID_NODE_ID: not known; INVALID_DEV: no such device. */
#define XEN_INVALID_DEV (XEN_INVALID_NODE_ID - 1)
struct xen_sysctl_pcitopoinfo {
	uint32_t num_devs;				/* INOUT: how many; how many were done */
	XEN_GUEST_HANDLE_64(physdev_pci_device_t) devs; /* IN */
	XEN_GUEST_HANDLE_64(uint32) nodes;		/* OUT */
};

/* psr_alloc: what the machine can divide of caches and memory bandwidth. */
#define XEN_SYSCTL_PSR_get_l3_info  0
#define XEN_SYSCTL_PSR_get_l2_info  1
#define XEN_SYSCTL_PSR_get_mba_info 2
struct xen_sysctl_psr_alloc {
	uint32_t cmd;	 /* IN */
	uint32_t target; /* IN: socket */
	union {
		struct {
			uint32_t cbm_len; /* bits in a capacity mask */
			uint32_t cos_max; /* the highest class of service */
#define XEN_SYSCTL_PSR_CAT_L3_CDP (1u << 0)
			uint32_t flags;
		} cat_info;
		struct {
			uint32_t thrtl_max;
			uint32_t cos_max;
#define XEN_SYSCTL_PSR_MBA_LINEAR (1u << 0)
			uint32_t flags;
		} mba_info;
	} u; /* OUT */
};

/* get_cpu_levelling_caps: how far CPUID, as PV guests execute it, can be changed: the leaves' parts. */
struct xen_sysctl_cpu_levelling_caps {
#define XEN_SYSCTL_CPU_LEVELCAP_faulting    (1ul << 0) /* it can be trapped */
#define XEN_SYSCTL_CPU_LEVELCAP_ecx	    (1ul << 1) /* 1, ECX */
#define XEN_SYSCTL_CPU_LEVELCAP_edx	    (1ul << 2) /* 1, EDX */
#define XEN_SYSCTL_CPU_LEVELCAP_extd_ecx    (1ul << 3) /* 80000001, ECX */
#define XEN_SYSCTL_CPU_LEVELCAP_extd_edx    (1ul << 4) /* 80000001, EDX */
#define XEN_SYSCTL_CPU_LEVELCAP_xsave_eax   (1ul << 5) /* d, 1, EAX */
#define XEN_SYSCTL_CPU_LEVELCAP_thermal_ecx (1ul << 6) /* 6, ECX */
#define XEN_SYSCTL_CPU_LEVELCAP_l7s0_eax    (1ul << 7) /* 7, 0, EAX */
#define XEN_SYSCTL_CPU_LEVELCAP_l7s0_ebx    (1ul << 8) /* 7, 0, EBX */
	uint32_t caps;				       /* OUT */
};

/* get_cpu_featureset: words of CPUID feature bits: the processor's, those in use, those for guests. With a
 * null handle: how many words. */
struct xen_sysctl_cpu_featureset {
#define XEN_SYSCTL_cpu_featureset_raw	  0
#define XEN_SYSCTL_cpu_featureset_host	  1
#define XEN_SYSCTL_cpu_featureset_pv	  2
#define XEN_SYSCTL_cpu_featureset_hvm	  3
#define XEN_SYSCTL_cpu_featureset_pv_max  4
#define XEN_SYSCTL_cpu_featureset_hvm_max 5
	uint32_t index;			      /* IN */
	uint32_t nr_features;		      /* INOUT */
	XEN_GUEST_HANDLE_64(uint32) features; /* OUT */
};

/*
 * livepatch_op: changing the code of the hypervisor while it runs. UPLOAD an ELF image under a name; GET its
 * state until rc is not -EAGAIN; ACTION, which goes on by itself; GET again.
 */
#define LIVEPATCH_PAYLOAD_VERSION 2
#define XEN_LIVEPATCH_NAME_SIZE	  128
struct xen_livepatch_name {
	XEN_GUEST_HANDLE_64(char) name; /* IN: ends with a zero byte */
	uint16_t size;			/* IN: the byte included */
	uint16_t pad[3];		/* 0 */
};

#define XEN_SYSCTL_LIVEPATCH_UPLOAD 0
struct xen_sysctl_livepatch_upload {
	struct xen_livepatch_name name;
	uint64_t size;			    /* IN */
	XEN_GUEST_HANDLE_64(uint8) payload; /* IN */
};

#define XEN_SYSCTL_LIVEPATCH_GET 1
struct xen_livepatch_status {
#define LIVEPATCH_STATE_CHECKED 1 /* uploaded and found good */
#define LIVEPATCH_STATE_APPLIED 2
	uint32_t state; /* OUT */
	int32_t rc;	/* OUT: of the last action: 0 or a negative error */
};
typedef struct xen_livepatch_status xen_livepatch_status_t;
DEFINE_XEN_GUEST_HANDLE(xen_livepatch_status_t);

struct xen_sysctl_livepatch_get {
	struct xen_livepatch_name name;
	struct xen_livepatch_status status;
};

/* Returns how many were written. version changes with the list: start again then. */
#define XEN_SYSCTL_LIVEPATCH_LIST 2
struct xen_sysctl_livepatch_list {
	uint32_t version;				    /* OUT */
	uint32_t idx;					    /* IN: the first */
	uint32_t nr;					    /* INOUT: how many; how many are left */
	uint32_t pad;					    /* 0 */
	uint32_t name_total_size;			    /* OUT */
	uint32_t metadata_total_size;			    /* OUT */
	XEN_GUEST_HANDLE_64(xen_livepatch_status_t) status; /* OUT */
	XEN_GUEST_HANDLE_64(char) name;			    /* OUT: one after the other */
	XEN_GUEST_HANDLE_64(uint32) len;		    /* OUT: their lengths */
	XEN_GUEST_HANDLE_64(char) metadata;		    /* OUT: likewise */
	XEN_GUEST_HANDLE_64(uint32) metadata_len;	    /* OUT */
};

#define XEN_SYSCTL_LIVEPATCH_ACTION 3
struct xen_sysctl_livepatch_action {
	struct xen_livepatch_name name;
#define LIVEPATCH_ACTION_UNLOAD	 1
#define LIVEPATCH_ACTION_REVERT	 2
#define LIVEPATCH_ACTION_APPLY	 3
#define LIVEPATCH_ACTION_REPLACE 4
	uint32_t cmd;			       /* IN */
	uint32_t timeout;		       /* IN: nanoseconds; 0: the default */
#define LIVEPATCH_ACTION_APPLY_NODEPS (1 << 0) /* it need not follow the patch before */
	uint32_t flags;			       /* IN */
	uint32_t pad;			       /* 0 */
};

struct xen_sysctl_livepatch_op {
	uint32_t cmd; /* IN: XEN_SYSCTL_LIVEPATCH_* */
	uint32_t pad; /* 0 */
	union {
		struct xen_sysctl_livepatch_upload upload;
		struct xen_sysctl_livepatch_list list;
		struct xen_sysctl_livepatch_get get;
		struct xen_sysctl_livepatch_action action;
	} u;
};

/*
 * get_cpu_policy: what the processor is (raw), what is used of it (host), what guests can have at most (max)
 * and get unless told otherwise (default). With null handles: only the numbers. -ENOBUFS: too small.
 */
struct xen_sysctl_cpu_policy {
#define XEN_SYSCTL_cpu_policy_raw	  0
#define XEN_SYSCTL_cpu_policy_host	  1
#define XEN_SYSCTL_cpu_policy_pv_max	  2
#define XEN_SYSCTL_cpu_policy_hvm_max	  3
#define XEN_SYSCTL_cpu_policy_pv_default  4
#define XEN_SYSCTL_cpu_policy_hvm_default 5
	uint32_t index;				      /* IN */
	uint32_t nr_leaves;			      /* INOUT */
	uint32_t nr_msrs;			      /* INOUT */
	uint32_t _rsvd;				      /* 0 */
	XEN_GUEST_HANDLE_64(xen_cpuid_leaf_t) leaves; /* OUT */
	XEN_GUEST_HANDLE_64(xen_msr_entry_t) msrs;    /* OUT */
};
typedef struct xen_sysctl_cpu_policy xen_sysctl_cpu_policy_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_cpu_policy_t);

struct xen_sysctl {
	uint32_t cmd;
#define XEN_SYSCTL_readconsole		  1
#define XEN_SYSCTL_tbuf_op		  2
#define XEN_SYSCTL_physinfo		  3
#define XEN_SYSCTL_sched_id		  4
#define XEN_SYSCTL_perfc_op		  5
#define XEN_SYSCTL_getdomaininfolist	  6
#define XEN_SYSCTL_debug_keys		  7
#define XEN_SYSCTL_getcpuinfo		  8
#define XEN_SYSCTL_availheap		  9
#define XEN_SYSCTL_get_pmstat		  10
#define XEN_SYSCTL_cpu_hotplug		  11
#define XEN_SYSCTL_pm_op		  12
#define XEN_SYSCTL_page_offline_op	  14
#define XEN_SYSCTL_lockprof_op		  15
#define XEN_SYSCTL_cputopoinfo		  16
#define XEN_SYSCTL_numainfo		  17
#define XEN_SYSCTL_cpupool_op		  18
#define XEN_SYSCTL_scheduler_op		  19
#define XEN_SYSCTL_coverage_op		  20
#define XEN_SYSCTL_psr_cmt_op		  21
#define XEN_SYSCTL_pcitopoinfo		  22
#define XEN_SYSCTL_psr_alloc		  23
#define XEN_SYSCTL_get_cpu_levelling_caps 25
#define XEN_SYSCTL_get_cpu_featureset	  26
#define XEN_SYSCTL_livepatch_op		  27
#define XEN_SYSCTL_get_cpu_policy	  29
	uint32_t interface_version;
	union {
		struct xen_sysctl_readconsole readconsole;
		struct xen_sysctl_tbuf_op tbuf_op;
		struct xen_sysctl_physinfo physinfo;
		struct xen_sysctl_cputopoinfo cputopoinfo;
		struct xen_sysctl_pcitopoinfo pcitopoinfo;
		struct xen_sysctl_numainfo numainfo;
		struct xen_sysctl_sched_id sched_id;
		struct xen_sysctl_perfc_op perfc_op;
		struct xen_sysctl_getdomaininfolist getdomaininfolist;
		struct xen_sysctl_debug_keys debug_keys;
		struct xen_sysctl_getcpuinfo getcpuinfo;
		struct xen_sysctl_availheap availheap;
		struct xen_sysctl_get_pmstat get_pmstat;
		struct xen_sysctl_cpu_hotplug cpu_hotplug;
		struct xen_sysctl_pm_op pm_op;
		struct xen_sysctl_page_offline_op page_offline;
		struct xen_sysctl_lockprof_op lockprof_op;
		struct xen_sysctl_cpupool_op cpupool_op;
		struct xen_sysctl_scheduler_op scheduler_op;
		struct xen_sysctl_coverage_op coverage_op;
		struct xen_sysctl_psr_cmt_op psr_cmt_op;
		struct xen_sysctl_psr_alloc psr_alloc;
		struct xen_sysctl_cpu_levelling_caps cpu_levelling_caps;
		struct xen_sysctl_cpu_featureset cpu_featureset;
		struct xen_sysctl_livepatch_op livepatch;
		struct xen_sysctl_cpu_policy cpu_policy;
		uint8_t pad[128];
	} u;
};
typedef struct xen_sysctl xen_sysctl_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_t);

#endif /* __XEN_PUBLIC_SYSCTL_H__ */
