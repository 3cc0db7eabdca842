/* SPDX-License-Identifier: MIT */
/* The runtime's pages, for sources that are tested on the host: of its heap, each its own machine frame. */
#ifndef FAKE_GUEST_MEMORY_H
#define FAKE_GUEST_MEMORY_H

#include <stdint.h>
#include <stdlib.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096

static inline void *pages_alloc(unsigned long count)
{
	return aligned_alloc(PAGE_SIZE, count * PAGE_SIZE);
}

static inline void pages_free(void *pages, unsigned long count)
{
	(void)count;
	free(pages);
}

static inline uint64_t virt_to_machine(const volatile void *virt)
{
	return (uint64_t)virt;
}

#endif
