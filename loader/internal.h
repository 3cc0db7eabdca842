/* SPDX-License-Identifier: MIT */
/* What these sources take from where they are built: the hypervisor, dom0 with its C library, or a host. */
#ifndef LOADER_INTERNAL_H
#define LOADER_INTERNAL_H

#ifdef __CERNE__
#include "lib/lib.h"
#else
#include <string.h>
#endif

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>

#define PAGE_BYTES     4096UL
#define UP(n, to)      (((n) + (to)-1) / (to) * (to))
#define PAGES_FOR(n)   (((n) + PAGE_BYTES - 1) / PAGE_BYTES)
#define ELEMENTS(list) (sizeof(list) / sizeof((list)[0]))

static inline bool page_aligned(uint64_t address)
{
	return address % PAGE_BYTES == 0;
}

static inline bool canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* May a kernel have something at [start, end)? Not where the hypervisor is. */
static inline bool guest_addresses(uint64_t start, uint64_t end)
{
	return end >= start && canonical(start) && (end == start || canonical(end - 1)) &&
	       (end <= HYPERVISOR_VIRT_START || start >= HYPERVISOR_VIRT_END);
}

#endif
