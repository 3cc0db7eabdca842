/* SPDX-License-Identifier: MIT */
/*
 * Memory of domains: how much there is, which frames it is made of, and what the machine has.
 *
 * long HYPERVISOR_memory_op(unsigned int cmd, void *arg)
 *   IN     cmd  XENMEM_*
 *   INOUT  arg  the structure that belongs to it
 *   returns as said below, or
 *     -EINVAL  an argument is malformed
 *     -EPERM   not for this caller
 *     -ESRCH   no such domain
 *     -ENOMEM  no memory
 *     -ENOSYS  unknown cmd, or one for other kinds of guests
 *
 * Where a domain is named, DOMID_SELF is the caller; others need privilege. An extent is a run of 2^order
 * frames, aligned to its size. For PV guests GPFN is a frame number of the guest's own numbering, GMFN
 * and MFN a machine frame.
 */
#ifndef __XEN_PUBLIC_MEMORY_H__
#define __XEN_PUBLIC_MEMORY_H__

#include "xen.h"
#include "physdev.h"

/*
 * INOUT arg: struct xen_memory_reservation
 *
 * increase_reservation  gives the domain new extents; OUT extent_start: their machine frames (may be null)
 * populate_physmap      the same, and enters them in the machine-to-physical table as the frame numbers
 *                       given; IN extent_start: GPFN of each extent, OUT: its machine frame
 * decrease_reservation  takes extents from the domain; IN extent_start: their machine frames. Remove all
 *                       mappings first: frames become free when nothing uses them any more
 *
 * Each returns the number of extents done, which is less than nr_extents when one could not be.
 */
#define XENMEM_increase_reservation 0
#define XENMEM_decrease_reservation 1
#define XENMEM_populate_physmap	    6

/* mem_flags: at most this many bits in the machine address, 0 for any ... */
#define XENMEMF_address_bits(x)	    (x)
#define XENMEMF_get_address_bits(x) ((x)&0xffu)
/* ... from this NUMA node if possible ... */
#define XENMEMF_node(x)	    (((x) + 1) << 8)
#define XENMEMF_get_node(x) ((((x) >> 8) - 1) & 0xffu)
/* ... entries without memory behind them (HVM only) ... */
#define XENMEMF_populate_on_demand (1 << 16)
/* ... from that node or not at all ... */
#define XENMEMF_exact_node_request (1 << 17)
#define XENMEMF_exact_node(n)	   (XENMEMF_node(n) | XENMEMF_exact_node_request)
/* ... the node being one of the guest's own numbering. */
#define XENMEMF_vnode (1 << 18)

struct xen_memory_reservation {
	XEN_GUEST_HANDLE(xen_pfn_t) extent_start;
	xen_ulong_t nr_extents;	   /* IN */
	unsigned int extent_order; /* IN */
	unsigned int mem_flags;	   /* IN: XENMEMF_* */
	domid_t domid;		   /* IN */
};
typedef struct xen_memory_reservation xen_memory_reservation_t;
DEFINE_XEN_GUEST_HANDLE(xen_memory_reservation_t);

/*
 * INOUT arg: struct xen_memory_exchange
 *
 * Gives up the extents of `in` and receives those of `out`, of the same total size, for memory below an
 * address or contiguous for a device.
 *  1. in.domid == out.domid; in.nr_extents << in.extent_order == out.nr_extents << out.extent_order;
 *     the two lists do not overlap.
 *  2. in.extent_start: machine frames to give up, of which no mapping or other use may be left;
 *     in.mem_flags is not used.
 *  3. out.extent_start: IN the GPFN of each new extent, OUT its machine frame.
 *  4. nr_exchanged: 0 IN; OUT the number of `in` extents exchanged. That many are gone, the matching
 *     entries of out.extent_start are written, and the rest is as before.
 * Returns 0 if all were exchanged, else an error (-ENOMEM above all).
 */
#define XENMEM_exchange 11
struct xen_memory_exchange {
	struct xen_memory_reservation in;
	struct xen_memory_reservation out;
	xen_ulong_t nr_exchanged;
};
typedef struct xen_memory_exchange xen_memory_exchange_t;
DEFINE_XEN_GUEST_HANDLE(xen_memory_exchange_t);

/* No arg. Returns the highest machine frame of memory. */
#define XENMEM_maximum_ram_page 2

/*
 * IN arg: struct xen_memory_domain. Return, in frames: what the domain has, what it may have, and the
 * highest GPFN in use.
 */
#define XENMEM_current_reservation 3
#define XENMEM_maximum_reservation 4
#define XENMEM_maximum_gpfn	   14
struct xen_memory_domain {
	domid_t domid; /* IN */
};

/*
 * INOUT arg: struct xen_machphys_mfn_list
 *
 * The machine frames of the machine-to-physical table, one for every 2 MiB of it, 0 where the machine
 * has no memory; for programs that map the table. Returns 0. The compat form is that of the table for
 * 32-bit guests.
 */
#define XENMEM_machphys_mfn_list	5
#define XENMEM_machphys_compat_mfn_list 25
struct xen_machphys_mfn_list {
	unsigned int max_extents;		  /* IN: size of the list */
	XEN_GUEST_HANDLE(xen_pfn_t) extent_start; /* OUT */
	unsigned int nr_extents;		  /* OUT: how many were written */
};
typedef struct xen_machphys_mfn_list xen_machphys_mfn_list_t;
DEFINE_XEN_GUEST_HANDLE(xen_machphys_mfn_list_t);

/* OUT arg: struct xen_machphys_mapping: where the machine-to-physical table is. Returns 0. */
#define XENMEM_machphys_mapping 12
struct xen_machphys_mapping {
	xen_ulong_t v_start, v_end; /* virtual addresses */
	xen_ulong_t max_mfn;	    /* the highest machine frame in it */
};
typedef struct xen_machphys_mapping xen_machphys_mapping_t;
DEFINE_XEN_GUEST_HANDLE(xen_machphys_mapping_t);

/* What add_to_physmap places. */
#define XENMAPSPACE_shared_info	 0
#define XENMAPSPACE_grant_table	 1
#define XENMAPSPACE_gmfn	 2 /* another frame of the domain's */
#define XENMAPSPACE_gmfn_range	 3 /* several; not in a batch */
#define XENMAPSPACE_gmfn_foreign 4 /* a frame of another domain; in a batch only */
#define XENMAPSPACE_dev_mmio	 5 /* Arm only */

/*
 * IN arg: struct xen_add_to_physmap. For guests whose frame numbers the hypervisor translates: what page
 * appears at a frame number. Fails for PV guests.
 */
#define XENMEM_add_to_physmap 7
struct xen_add_to_physmap {
	domid_t domid;	    /* IN */
	uint16_t size;	    /* IN: how many, for gmfn_range */
	unsigned int space; /* IN: XENMAPSPACE_* */
/* In idx, for grant_table: the frames of the status array (grant table version 2). */
#define XENMAPIDX_grant_table_status 0x80000000
	xen_ulong_t idx; /* IN: which page of the space */
	xen_pfn_t gpfn;	 /* IN: where it shall appear */
};
typedef struct xen_add_to_physmap xen_add_to_physmap_t;
DEFINE_XEN_GUEST_HANDLE(xen_add_to_physmap_t);

/* INOUT arg: struct xen_add_to_physmap_batch: the same for many. errs tells the fate of each. */
#define XENMEM_add_to_physmap_batch 23
struct xen_add_to_physmap_batch {
	domid_t domid;	/* IN */
	uint16_t space; /* IN: XENMAPSPACE_* */
	uint16_t size;	/* IN: how many */
	union xen_add_to_physmap_batch_extra {
		domid_t foreign_domid; /* IN, gmfn_foreign: whose frames */
		uint16_t res0;	       /* else: 0 */
	} u;
	XEN_GUEST_HANDLE(xen_ulong_t) idxs; /* IN */
	XEN_GUEST_HANDLE(xen_pfn_t) gpfns;  /* IN */
	XEN_GUEST_HANDLE(int) errs;	    /* OUT */
};
typedef struct xen_add_to_physmap_batch xen_add_to_physmap_batch_t;
DEFINE_XEN_GUEST_HANDLE(xen_add_to_physmap_batch_t);

/* IN arg: struct xen_remove_from_physmap: undoes it, with the same restriction. */
#define XENMEM_remove_from_physmap 15
struct xen_remove_from_physmap {
	domid_t domid;	/* IN */
	xen_pfn_t gpfn; /* IN */
};
typedef struct xen_remove_from_physmap xen_remove_from_physmap_t;
DEFINE_XEN_GUEST_HANDLE(xen_remove_from_physmap_t);

/*
 * INOUT arg: struct xen_memory_map
 *
 * memory_map          the map of the caller's own frame numbers, if one was set; else -ENOSYS
 * machine_memory_map  that of the machine; dom0 only. A null buffer: only the number of entries.
 *
 * The buffer takes entries as the BIOS function E820 gives them, 20 bytes each without padding: 64-bit
 * start, 64-bit size, 32-bit type (1 memory, 2 reserved, 3 ACPI tables, 4 ACPI NVS, 5 unusable).
 * Return 0.
 */
#define XENMEM_memory_map	  9
#define XENMEM_machine_memory_map 10
struct xen_memory_map {
	unsigned int nr_entries;       /* IN: room; OUT: how many were written */
	XEN_GUEST_HANDLE(void) buffer; /* OUT */
};
typedef struct xen_memory_map xen_memory_map_t;
DEFINE_XEN_GUEST_HANDLE(xen_memory_map_t);

/* IN arg: struct xen_foreign_memory_map: sets what memory_map will give to a domain. Returns 0. */
#define XENMEM_set_memory_map 13
struct xen_foreign_memory_map {
	domid_t domid;
	struct xen_memory_map map;
};
typedef struct xen_foreign_memory_map xen_foreign_memory_map_t;
DEFINE_XEN_GUEST_HANDLE(xen_foreign_memory_map_t);

/* INOUT arg: struct xen_pod_target: memory on demand, of HVM guests only. */
#define XENMEM_set_pod_target 16
#define XENMEM_get_pod_target 17
struct xen_pod_target {
	uint64_t target_pages;	  /* IN */
	uint64_t tot_pages;	  /* OUT */
	uint64_t pod_cache_pages; /* OUT */
	uint64_t pod_entries;	  /* OUT */
	domid_t domid;		  /* IN */
};
typedef struct xen_pod_target xen_pod_target_t;

/* No arg. How many frames sharing between domains saves, and how many are shared: 0 without it. */
#define XENMEM_get_sharing_freed_pages	18
#define XENMEM_get_sharing_shared_pages 19

/* IN arg: struct xen_mem_paging_op: paging out memory of HVM guests. */
#define XENMEM_paging_op	  20
#define XENMEM_paging_op_nominate 0
#define XENMEM_paging_op_evict	  1
#define XENMEM_paging_op_prep	  2
struct xen_mem_paging_op {
	uint8_t op; /* XENMEM_paging_op_* */
	domid_t domain;
	XEN_GUEST_HANDLE_64(const_uint8) buffer; /* prep: contents of the page */
	uint64_aligned_t gfn;
};
typedef struct xen_mem_paging_op xen_mem_paging_op_t;
DEFINE_XEN_GUEST_HANDLE(xen_mem_paging_op_t);

/* INOUT arg: struct xen_mem_access_op: access rights below the page tables of HVM guests. Numbers 2 and 3
 * were used once. */
#define XENMEM_access_op		  21
#define XENMEM_access_op_set_access	  0
#define XENMEM_access_op_get_access	  1
#define XENMEM_access_op_set_access_multi 4

typedef enum {
	XENMEM_access_n,
	XENMEM_access_r,
	XENMEM_access_w,
	XENMEM_access_rw,
	XENMEM_access_x,
	XENMEM_access_rx,
	XENMEM_access_wx,
	XENMEM_access_rwx,
	XENMEM_access_rx2rw,  /* read and execute until written, then read and write */
	XENMEM_access_n2rwx,  /* none until touched, then all, the touch being reported */
	XENMEM_access_default /* what the domain has by default */
} xenmem_access_t;

struct xen_mem_access_op {
	uint8_t op;	/* XENMEM_access_op_* */
	uint8_t access; /* xenmem_access_t */
	domid_t domid;
	uint32_t nr;				   /* how many frames */
	uint64_aligned_t pfn;			   /* the first; ~0: the default */
	XEN_GUEST_HANDLE(const_uint64) pfn_list;   /* set_access_multi: the frames ... */
	XEN_GUEST_HANDLE(const_uint8) access_list; /* ... and the rights of each */
};
typedef struct xen_mem_access_op xen_mem_access_op_t;
DEFINE_XEN_GUEST_HANDLE(xen_mem_access_op_t);

/* INOUT arg: struct xen_mem_sharing_op: sharing memory between HVM guests. */
#define XENMEM_sharing_op		   22
#define XENMEM_sharing_op_nominate_gfn	   0
#define XENMEM_sharing_op_nominate_gref	   1
#define XENMEM_sharing_op_share		   2
#define XENMEM_sharing_op_debug_gfn	   3
#define XENMEM_sharing_op_debug_mfn	   4
#define XENMEM_sharing_op_debug_gref	   5
#define XENMEM_sharing_op_add_physmap	   6
#define XENMEM_sharing_op_audit		   7
#define XENMEM_sharing_op_range_share	   8
#define XENMEM_sharing_op_fork		   9
#define XENMEM_sharing_op_fork_reset	   10

#define XENMEM_SHARING_OP_S_HANDLE_INVALID (-10)
#define XENMEM_SHARING_OP_C_HANDLE_INVALID (-9)

/* A frame number field that holds a grant reference instead. */
#define XENMEM_SHARING_OP_FIELD_IS_GREF_FLAG (xen_mk_ullong(1) << 62)
#define XENMEM_SHARING_OP_FIELD_MAKE_GREF(field, val) \
	(field) = (XENMEM_SHARING_OP_FIELD_IS_GREF_FLAG | val)
#define XENMEM_SHARING_OP_FIELD_IS_GREF(field)	((field)&XENMEM_SHARING_OP_FIELD_IS_GREF_FLAG)
#define XENMEM_SHARING_OP_FIELD_GET_GREF(field) ((field) & (~XENMEM_SHARING_OP_FIELD_IS_GREF_FLAG))

struct xen_mem_sharing_op {
	uint8_t op; /* XENMEM_sharing_op_* */
	domid_t domain;
	union {
		struct mem_sharing_op_nominate {
			union {
				uint64_aligned_t gfn; /* IN */
				uint32_t grant_ref;   /* IN */
			} u;
			uint64_aligned_t handle; /* OUT */
		} nominate;
		struct mem_sharing_op_share {
			uint64_aligned_t source_gfn;	/* IN */
			uint64_aligned_t source_handle; /* IN */
			uint64_aligned_t client_gfn;	/* IN */
			uint64_aligned_t client_handle; /* IN */
			domid_t client_domain;		/* IN */
		} share;
		struct mem_sharing_op_range {
			uint64_aligned_t first_gfn; /* IN */
			uint64_aligned_t last_gfn;  /* IN */
			uint64_aligned_t opaque;    /* 0 */
			domid_t client_domain;	    /* IN */
			uint16_t _pad[3];	    /* 0 */
		} range;
		struct mem_sharing_op_debug {
			union {
				uint64_aligned_t gfn; /* IN */
				uint64_aligned_t mfn; /* IN */
				uint32_t gref;	      /* IN */
			} u;
		} debug;
		struct mem_sharing_op_fork {
			domid_t parent_domain; /* IN */
#define XENMEM_FORK_WITH_IOMMU_ALLOWED (1u << 0)
#define XENMEM_FORK_BLOCK_INTERRUPTS   (1u << 1)
#define XENMEM_FORK_RESET_STATE	       (1u << 2)
#define XENMEM_FORK_RESET_MEMORY       (1u << 3)
			uint16_t flags; /* IN: XENMEM_FORK_* */
			uint32_t pad;	/* 0 */
		} fork;
	} u;
};
typedef struct xen_mem_sharing_op xen_mem_sharing_op_t;
DEFINE_XEN_GUEST_HANDLE(xen_mem_sharing_op_t);

/*
 * IN arg: struct xen_memory_reservation; extent_start null, extent_order and mem_flags 0. Privileged.
 *
 * Reserves memory for a domain that will be given it later, without choosing frames: the domain's total
 * will reach nr_extents frames for certain. 0 takes the claim back. One claim per domain; it ends
 * when it is fulfilled. Returns 0; -ENOMEM: there is not so much.
 */
#define XENMEM_claim_pages 24

/*
 * INOUT arg: struct xen_reserved_device_memory_map
 *
 * Areas that devices need at addresses of their own, so that no memory may be placed there in a guest.
 * Returns 0; -ERANGE: the buffer is too small, and nr_entries says how many there are.
 */
#define XENMEM_reserved_device_memory_map 27
struct xen_reserved_device_memory {
	xen_pfn_t start_pfn;
	xen_ulong_t nr_pages;
};
typedef struct xen_reserved_device_memory xen_reserved_device_memory_t;
DEFINE_XEN_GUEST_HANDLE(xen_reserved_device_memory_t);

struct xen_reserved_device_memory_map {
#define XENMEM_RDM_ALL 1	 /* of all devices, not of the one in dev */
	uint32_t flags;		 /* IN */
	unsigned int nr_entries; /* INOUT */
	XEN_GUEST_HANDLE(xen_reserved_device_memory_t) buffer; /* OUT */
	union {
		physdev_pci_device_t pci;
	} dev; /* IN */
};
typedef struct xen_reserved_device_memory_map xen_reserved_device_memory_map_t;
DEFINE_XEN_GUEST_HANDLE(xen_reserved_device_memory_map_t);

/*
 * INOUT arg: struct xen_mem_acquire_resource
 *
 * The frames that make up a resource of another domain, to be mapped by the tools. With frame_list null
 * and nr_frames 0: OUT nr_frames is the size of the resource. A PV caller receives machine frames,
 * which it maps with the resource's owner or DOMID_SELF as foreign domain, as the kind requires.
 * Returns 0.
 */
#define XENMEM_acquire_resource 28
struct xen_mem_acquire_resource {
	domid_t domid;		       /* IN */
#define XENMEM_resource_ioreq_server 0 /* HVM only */
#define XENMEM_resource_grant_table  1
#define XENMEM_resource_vmtrace_buf  2
	uint16_t type; /* IN */
#define XENMEM_resource_grant_table_id_shared 0
#define XENMEM_resource_grant_table_id_status 1
	uint32_t id; /* IN: which; grant tables: the above; else 0 or the number of the server */
	uint32_t nr_frames; /* INOUT */
	uint32_t pad;	    /* 0 */
	uint64_t frame;	    /* IN: the first frame of the resource that is wanted */
#define XENMEM_resource_ioreq_server_frame_bufioreq 0
#define XENMEM_resource_ioreq_server_frame_ioreq(n) (1 + (n))
	XEN_GUEST_HANDLE(xen_pfn_t) frame_list; /* OUT (IN for callers with translated frames) */
};
typedef struct xen_mem_acquire_resource xen_mem_acquire_resource_t;
DEFINE_XEN_GUEST_HANDLE(xen_mem_acquire_resource_t);

/*
 * INOUT arg: struct xen_vnuma_topology_info: the NUMA topology that a domain was given. The three numbers
 * are the sizes of the arrays IN, those needed OUT.
 * Returns 0; -ENOBUFS: an array is too small; -EOPNOTSUPP: the domain has no topology.
 */
#define XENMEM_get_vnumainfo 26

struct xen_vmemrange {
	uint64_t start, end; /* addresses of the guest's own */
	unsigned int flags;  /* 0 */
	unsigned int nid;    /* its node */
};
typedef struct xen_vmemrange xen_vmemrange_t;
DEFINE_XEN_GUEST_HANDLE(xen_vmemrange_t);

struct xen_vnuma_topology_info {
	domid_t domid; /* IN */
	uint16_t pad;
	unsigned int nr_vnodes;	    /* INOUT */
	unsigned int nr_vcpus;	    /* INOUT */
	unsigned int nr_vmemranges; /* INOUT */
	union {
		XEN_GUEST_HANDLE(uint) h; /* OUT: nr_vnodes * nr_vnodes distances */
		uint64_t pad;
	} vdistance;
	union {
		XEN_GUEST_HANDLE(uint) h; /* OUT: the node of each vCPU */
		uint64_t pad;
	} vcpu_to_vnode;
	union {
		XEN_GUEST_HANDLE(xen_vmemrange_t) h; /* OUT */
		uint64_t pad;
	} vmemrange;
};
typedef struct xen_vnuma_topology_info xen_vnuma_topology_info_t;
DEFINE_XEN_GUEST_HANDLE(xen_vnuma_topology_info_t);

#endif /* __XEN_PUBLIC_MEMORY_H__ */
