/* SPDX-License-Identifier: MIT */
/*
 * What hypervisor this is.
 *
 * long HYPERVISOR_xen_version(int cmd, void *arg)
 *   IN   cmd  XENVER_*
 *   OUT  arg  as below
 *   returns 0 unless said otherwise; -ENOSYS: unknown cmd
 *
 * Domains other than dom0 find text that is not their business empty or replaced by "<denied>".
 */
#ifndef __XEN_PUBLIC_VERSION_H__
#define __XEN_PUBLIC_VERSION_H__

#include "xen.h"

/* No arg. Returns the level of the interface: major version << 16 | minor, 4 << 16 | 17. */
#define XENVER_version 0

/* arg: xen_extraversion_t, the rest of the version, as text. */
#define XENVER_extraversion  1
#define XEN_EXTRAVERSION_LEN (sizeof(xen_extraversion_t))

/* arg: struct xen_compile_info. */
#define XENVER_compile_info 2

/* arg: xen_capabilities_info_t, the kinds of guests, separated by blanks: "xen-3.0-x86_64". */
#define XENVER_capabilities	  3
#define XEN_CAPABILITIES_INFO_LEN (sizeof(xen_capabilities_info_t))

/* arg: xen_changeset_info_t, the source's revision. */
#define XENVER_changeset       4
#define XEN_CHANGESET_INFO_LEN (sizeof(xen_changeset_info_t))

/* arg: struct xen_platform_parameters. */
#define XENVER_platform_parameters 5

/* INOUT arg: struct xen_feature_info. -EINVAL: submap_idx is XENFEAT_NR_SUBMAPS or more. */
#define XENVER_get_features 6
#include "features.h"

/* No arg. Returns the size of a page in bytes. */
#define XENVER_pagesize 7

/* arg: xen_domain_handle_t, the UUID that the tools gave to the caller. */
#define XENVER_guest_handle 8

/* arg: xen_commandline_t, the hypervisor's command line. dom0 only. */
#define XENVER_commandline 9

/*
 * INOUT arg: struct xen_build_id. Returns the length of the build's identification in bytes, also for a null
 * arg; writes it to buf. -EINVAL: len is 0; -ENOBUFS: len is too small; -ENODATA: there is none.
 */
#define XENVER_build_id 10

#ifndef __ASSEMBLY__

typedef char xen_extraversion_t[16];
typedef char xen_capabilities_info_t[1024];
typedef char xen_changeset_info_t[64];
typedef char xen_commandline_t[1024];

struct xen_compile_info {
	char compiler[64];
	char compile_by[16];
	char compile_domain[32];
	char compile_date[32];
};
typedef struct xen_compile_info xen_compile_info_t;

struct xen_platform_parameters {
	xen_ulong_t virt_start; /* where the hypervisor's part of the address space begins */
};
typedef struct xen_platform_parameters xen_platform_parameters_t;

struct xen_feature_info {
	unsigned int submap_idx; /* IN: which 32 bits */
	uint32_t submap;	 /* OUT: bit n: feature 32 * submap_idx + n (features.h) */
};
typedef struct xen_feature_info xen_feature_info_t;

struct xen_build_id {
	uint32_t len; /* IN: size of buf */
	unsigned char buf[XEN_FLEX_ARRAY_DIM];
};
typedef struct xen_build_id xen_build_id_t;

#endif /* !__ASSEMBLY__ */

#endif /* __XEN_PUBLIC_VERSION_H__ */
