/* SPDX-License-Identifier: MIT */
/*
 * Grant tables: how a domain lets another map or copy single frames of its memory.
 *
 * Each domain has a table, an array of entries in frames shared with the hypervisor. An entry says which
 * domain may do what with which frame; its index, the grant reference, is what the other domain is
 * told (through the store or on a ring) and passes to the hypervisor. There are two versions of the
 * entry; a domain starts with version 1 and uses one for all its entries.
 *
 * Working with version 1
 *
 * To grant access:
 *  1. write domid and frame;
 *  2. write barrier;
 *  3. write flags, the type in it.
 * To end it:
 *  1. read flags; if GTF_reading or GTF_writing is set, the frame is mapped: it must not be used for
 *     anything else; try again later;
 *  2. replace flags by 0 with an atomic compare-and-exchange against what was read; if that fails,
 *     start again. After success nobody can map the frame any more.
 * To make it read-only: set GTF_readonly by compare-and-exchange while GTF_writing is clear. To make it
 * writable again: clear it atomically.
 *
 * Working with version 2: the bits GTF_reading and GTF_writing stand in the status array
 * (get_status_frames), at the index of the entry. To end access:
 *  1. write 0 to hdr.flags;
 *  2. full barrier;
 *  3. read the status; if it shows use, the frame is still mapped: wait, as no new mapping can come;
 *  4. read barrier before the entry or the frame is used again.
 *
 * To accept a frame (type GTF_accept_transfer, either version): write domid and frame (the guest frame
 * number for the new frame), barrier, flags. When GTF_transfer_committed appears, leave the entry alone
 * until GTF_transfer_completed does, which will be soon; then (read barrier) frame is the machine frame.
 *
 * long HYPERVISOR_grant_table_op(unsigned int cmd, void *args, unsigned int count)
 *   IN     cmd    GNTTABOP_*
 *   INOUT  args   array of count structures of the kind that belongs to cmd
 *   returns 0 if all were looked at, each having its own status (GNTST_*) where it has such a field;
 *     else, the rest being not looked at,
 *     -EINVAL  count is bad for this cmd
 *     -EPERM   not for this caller
 *     -ENOSYS  unknown cmd
 *
 * Where a domain is named, DOMID_SELF is the caller; others need privilege for all but map and copy.
 */
#ifndef __XEN_PUBLIC_GRANT_TABLE_H__
#define __XEN_PUBLIC_GRANT_TABLE_H__

#include "xen.h"

/* The index of an entry. */
typedef uint32_t grant_ref_t;

/* An entry, version 1. */
struct grant_entry_v1 {
	uint16_t flags; /* GTF_*, written by both sides: atomically, except when the type was 0 */
	domid_t domid;	/* who may use it */
	uint32_t frame; /* machine frame of a PV guest; accept_transfer: see above */
};
typedef struct grant_entry_v1 grant_entry_v1_t;

/* The first entries are the tools' to fill in when a domain is made: console and store rings. They
 * survive a change of version. */
#define GNTTAB_NR_RESERVED_ENTRIES 8
#define GNTTAB_RESERVED_CONSOLE	   0
#define GNTTAB_RESERVED_XENSTORE   1

/* The type of an entry. */
#define GTF_invalid	    (0U << 0) /* unused */
#define GTF_permit_access   (1U << 0) /* domid may map and copy the frame */
#define GTF_accept_transfer (2U << 0) /* domid may give a frame */
#define GTF_transitive	    (3U << 0) /* domid may copy what another domain granted us; version 2 */
#define GTF_type_mask	    (3U << 0)

/* With permit_access and transitive. */
#define _GTF_readonly (2)
#define GTF_readonly  (1U << _GTF_readonly) /* reading only */
#define _GTF_reading  (3)
#define GTF_reading   (1U << _GTF_reading) /* set by the hypervisor while mapped */
#define _GTF_writing  (4)
#define GTF_writing   (1U << _GTF_writing) /* set by the hypervisor while mapped writable */
/* With permit_access: cache attributes for the mapping; only a part of the page, version 2. */
#define _GTF_PWT      (5)
#define GTF_PWT	      (1U << _GTF_PWT)
#define _GTF_PCD      (6)
#define GTF_PCD	      (1U << _GTF_PCD)
#define _GTF_PAT      (7)
#define GTF_PAT	      (1U << _GTF_PAT)
#define _GTF_sub_page (8)
#define GTF_sub_page  (1U << _GTF_sub_page)

/* With accept_transfer, set by the hypervisor. */
#define _GTF_transfer_committed (2)
#define GTF_transfer_committed	(1U << _GTF_transfer_committed)
#define _GTF_transfer_completed (3)
#define GTF_transfer_completed	(1U << _GTF_transfer_completed)

/* What both versions begin with. */
struct grant_entry_header {
	uint16_t flags;
	domid_t domid;
};
typedef struct grant_entry_header grant_entry_header_t;

/* An entry, version 2. */
union grant_entry_v2 {
	grant_entry_header_t hdr;
	/* permit_access without sub_page, accept_transfer */
	struct {
		grant_entry_header_t hdr;
		uint32_t pad0;
		uint64_t frame;
	} full_page;
	/* permit_access with sub_page: length bytes from page_off on may be copied, not mapped */
	struct {
		grant_entry_header_t hdr;
		uint16_t page_off;
		uint16_t length;
		uint64_t frame;
	} sub_page;
	/* transitive: what trans_domid granted to us under gref; may be copied, not mapped */
	struct {
		grant_entry_header_t hdr;
		domid_t trans_domid;
		uint16_t pad0;
		grant_ref_t gref;
	} transitive;
	uint32_t __spacer[4];
};
typedef union grant_entry_v2 grant_entry_v2_t;

/* An element of the status array, version 2: GTF_reading, GTF_writing. */
typedef uint16_t grant_status_t;

#define GNTTABOP_map_grant_ref	   0
#define GNTTABOP_unmap_grant_ref   1
#define GNTTABOP_setup_table	   2
#define GNTTABOP_dump_table	   3
#define GNTTABOP_transfer	   4
#define GNTTABOP_copy		   5
#define GNTTABOP_query_size	   6
#define GNTTABOP_unmap_and_replace 7
#define GNTTABOP_set_version	   8
#define GNTTABOP_get_status_frames 9
#define GNTTABOP_get_version	   10
#define GNTTABOP_swap_grant_ref	   11
#define GNTTABOP_cache_flush	   12

/* Names a mapping, for whoever made it. */
typedef uint32_t grant_handle_t;

/* flags of map_grant_ref */
#define _GNTMAP_device_map	(0)
#define GNTMAP_device_map	(1 << _GNTMAP_device_map) /* for devices */
#define _GNTMAP_host_map	(1)
#define GNTMAP_host_map		(1 << _GNTMAP_host_map) /* for the processor, at host_addr */
#define _GNTMAP_readonly	(2)
#define GNTMAP_readonly		(1 << _GNTMAP_readonly) /* for reading only */
#define _GNTMAP_application_map (3)
#define GNTMAP_application_map	(1 << _GNTMAP_application_map) /* for user mode too */
#define _GNTMAP_contains_pte	(4)
#define GNTMAP_contains_pte	(1 << _GNTMAP_contains_pte) /* host_addr names an entry, see below */
/* Available bits of the page-table entry, set so (XENFEAT_gnttab_map_avail_bits). */
#define _GNTMAP_guest_avail0	(16)
#define GNTMAP_guest_avail_mask ((uint32_t)~0 << _GNTMAP_guest_avail0)

/*
 * map_grant_ref: maps what domain dom granted to the caller under ref.
 *
 * host_addr is the virtual address to map at, whose level 1 table must exist, or with contains_pte the
 * machine address of the level 1 entry to write, which must be in a table of the caller's. A mapping
 * must be taken away by unmap_grant_ref: overwriting the entry leaves the grant in use.
 */
struct gnttab_map_grant_ref {
	uint64_t host_addr;    /* IN */
	uint32_t flags;	       /* IN: GNTMAP_* */
	grant_ref_t ref;       /* IN */
	domid_t dom;	       /* IN */
	int16_t status;	       /* OUT: GNTST_* */
	grant_handle_t handle; /* OUT */
	uint64_t dev_bus_addr; /* OUT: machine address of the frame, for devices */
};
typedef struct gnttab_map_grant_ref gnttab_map_grant_ref_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_map_grant_ref_t);

/* unmap_grant_ref: takes mappings away and flushes them, also from the TLBs of other vCPUs. */
struct gnttab_unmap_grant_ref {
	uint64_t host_addr;    /* IN: as given to map; 0: leave the processor's mapping */
	uint64_t dev_bus_addr; /* IN: as given by map; 0: leave the devices' mapping */
	grant_handle_t handle; /* IN */
	int16_t status;	       /* OUT: GNTST_* */
};
typedef struct gnttab_unmap_grant_ref gnttab_unmap_grant_ref_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_unmap_grant_ref_t);

/*
 * setup_table: makes the table at least nr_frames frames large and tells which machine frames those are.
 * count must be 1. A PV guest maps them itself. The table never shrinks.
 */
struct gnttab_setup_table {
	domid_t dom;				/* IN */
	uint32_t nr_frames;			/* IN */
	int16_t status;				/* OUT: GNTST_*; general_error: more than may be */
	XEN_GUEST_HANDLE(xen_pfn_t) frame_list; /* OUT: nr_frames elements */
};
typedef struct gnttab_setup_table gnttab_setup_table_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_setup_table_t);

/* dump_table: prints a domain's entries on the console, for debugging. */
struct gnttab_dump_table {
	domid_t dom;	/* IN */
	int16_t status; /* OUT: GNTST_* */
};
typedef struct gnttab_dump_table gnttab_dump_table_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_dump_table_t);

/*
 * transfer: gives a frame, of which no mapping or other use may be left, to domain domid, which accepts
 * it under ref. Whatever the status, the frame is lost to the caller, unless it is bad_page.
 */
struct gnttab_transfer {
	xen_pfn_t mfn;	 /* IN: machine frame */
	domid_t domid;	 /* IN */
	grant_ref_t ref; /* IN */
	int16_t status;	 /* OUT: GNTST_* */
};
typedef struct gnttab_transfer gnttab_transfer_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_transfer_t);

/*
 * copy: copies len bytes within one page to within one page. Each end is a grant of domain domid to the
 * caller (flag gref), or a machine frame of the caller's own.
 */
#define _GNTCOPY_source_gref (0)
#define GNTCOPY_source_gref  (1 << _GNTCOPY_source_gref)
#define _GNTCOPY_dest_gref   (1)
#define GNTCOPY_dest_gref    (1 << _GNTCOPY_dest_gref)

struct gnttab_copy {
	struct gnttab_copy_ptr {
		union {
			grant_ref_t ref;
			xen_pfn_t gmfn;
		} u;
		domid_t domid;
		uint16_t offset;
	} source, dest; /* IN */
	uint16_t len;	/* IN */
	uint16_t flags; /* IN: GNTCOPY_* */
	int16_t status; /* OUT: GNTST_* */
};
typedef struct gnttab_copy gnttab_copy_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_copy_t);

/* query_size: how large the table is, and how large it may become. count must be 1. */
struct gnttab_query_size {
	domid_t dom;		/* IN */
	uint32_t nr_frames;	/* OUT */
	uint32_t max_nr_frames; /* OUT */
	int16_t status;		/* OUT: GNTST_* */
};
typedef struct gnttab_query_size gnttab_query_size_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_query_size_t);

/*
 * unmap_and_replace: as unmap_grant_ref for the processor's mapping, but host_addr then maps what
 * new_addr did, whose entry becomes empty, with no moment in which host_addr maps nothing.
 */
struct gnttab_unmap_and_replace {
	uint64_t host_addr;    /* IN */
	uint64_t new_addr;     /* IN */
	grant_handle_t handle; /* IN */
	int16_t status;	       /* OUT: GNTST_* */
};
typedef struct gnttab_unmap_and_replace gnttab_unmap_and_replace_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_unmap_and_replace_t);

/*
 * set_version: 1 or 2; count should be 1. Entries but the reserved ones are lost. -EBUSY: grants are in use, or the
 * status array is mapped.
 */
struct gnttab_set_version {
	uint32_t version; /* INOUT: what is wanted; what is in effect now */
};
typedef struct gnttab_set_version gnttab_set_version_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_set_version_t);

/* get_status_frames: the machine frames of the status array, version 2. count must be 1. */
struct gnttab_get_status_frames {
	uint32_t nr_frames;		       /* IN: how many are wanted */
	domid_t dom;			       /* IN */
	int16_t status;			       /* OUT: GNTST_* */
	XEN_GUEST_HANDLE(uint64_t) frame_list; /* OUT */
};
typedef struct gnttab_get_status_frames gnttab_get_status_frames_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_get_status_frames_t);

/* get_version: which version a domain uses. count should be 1. */
struct gnttab_get_version {
	domid_t dom; /* IN */
	uint16_t pad;
	uint32_t version; /* OUT */
};
typedef struct gnttab_get_version gnttab_get_version_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_get_version_t);

/* swap_grant_ref: exchanges two entries of the caller's that nobody has mapped. */
struct gnttab_swap_grant_ref {
	grant_ref_t ref_a; /* IN */
	grant_ref_t ref_b; /* IN */
	int16_t status;	   /* OUT: GNTST_* */
};
typedef struct gnttab_swap_grant_ref gnttab_swap_grant_ref_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_swap_grant_ref_t);

/* cache_flush: writes back or drops what the caches hold of a part of a mapped page. */
struct gnttab_cache_flush {
	union {
		uint64_t dev_bus_addr;
		grant_ref_t ref;
	} a;		 /* IN: machine address, or a grant with SOURCE_GREF */
	uint16_t offset; /* IN: within the page */
	uint16_t length; /* IN */
#define GNTTAB_CACHE_CLEAN	 (1u << 0)
#define GNTTAB_CACHE_INVAL	 (1u << 1)
#define GNTTAB_CACHE_SOURCE_GREF (1u << 31)
	uint32_t op; /* IN: GNTTAB_CACHE_* */
};
typedef struct gnttab_cache_flush gnttab_cache_flush_t;
DEFINE_XEN_GUEST_HANDLE(gnttab_cache_flush_t);

/* The status of one operation. */
#define GNTST_okay		(0)
#define GNTST_general_error	(-1)  /* none of the others */
#define GNTST_bad_domain	(-2)  /* no such domain */
#define GNTST_bad_gntref	(-3)  /* no such grant, or not such a one */
#define GNTST_bad_handle	(-4)  /* no such mapping */
#define GNTST_bad_virt_addr	(-5)  /* cannot map there */
#define GNTST_bad_dev_addr	(-6)  /* not mapped there for devices */
#define GNTST_no_device_space	(-7)  /* the IOMMU has no room */
#define GNTST_permission_denied (-8)  /* not for this caller */
#define GNTST_bad_page		(-9)  /* such a frame cannot be used so */
#define GNTST_bad_copy_arg	(-10) /* would leave the page */
#define GNTST_address_too_big	(-11) /* the frame is too high for its new owner */
#define GNTST_eagain		(-12) /* not now: try again */
#define GNTST_no_space		(-13) /* no handle is free */

/* Texts for -status. */
/* clang-format off */
#define GNTTABOP_error_msgs {                           \
	"okay",                                         \
	"undefined error",                              \
	"unrecognised domain id",                       \
	"invalid grant reference",                      \
	"invalid mapping handle",                       \
	"invalid virtual address",                      \
	"invalid device address",                       \
	"no spare translation slot in the I/O MMU",     \
	"permission denied",                            \
	"bad page",                                     \
	"copy arguments cross page boundary",           \
	"page address size too large",                  \
	"operation not done; try again",                \
	"out of space",                                 \
}
/* clang-format on */

#endif /* __XEN_PUBLIC_GRANT_TABLE_H__ */
