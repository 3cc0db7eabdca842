/* SPDX-License-Identifier: MIT */
/* The format of a core: Xen's dump-core-format.txt, version 0.1. Pure. */
#ifndef XL_CORE_FILE_H
#define XL_CORE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/version.h>

struct core_page {
	uint64_t pfn, mfn;
};

/* What the notes say of the hypervisor. */
struct core_version {
	uint64_t major, minor;
	char extra[XEN_EXTRAVERSION_LEN];
	struct xen_compile_info compile;
	char capabilities[1024];
	char changeset[64];
	uint64_t virt_start, page_size;
};

/* Bytes of a core of so many vCPUs and pages. */
size_t core_file_size(unsigned int vcpus, size_t pages);

/*
 * Where its parts go in a file of that size, whose headers this writes: vcpus' contexts, the page of shared_info, the table of pages (to
 * be filled in ascending order of pfn) and their contents.
 */
struct core_parts {
	struct vcpu_guest_context *vcpus;
	void *shared_info;
	struct core_page *table;
	uint8_t *pages;
};
struct core_parts core_file_begin(void *file, unsigned int vcpus, size_t pages,
				  const struct core_version *version);

#endif
