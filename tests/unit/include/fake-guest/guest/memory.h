/* SPDX-License-Identifier: MIT */
/* The runtime's pages, for sources that are tested on the host: of its heap, each its own machine frame. */
#ifndef FAKE_GUEST_MEMORY_H
#define FAKE_GUEST_MEMORY_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

static inline void *page_alloc(void)
{
	void *page = pages_alloc(1);

	return page ? memset(page, 0, PAGE_SIZE) : NULL;
}

static inline void page_free(void *page)
{
	free(page);
}

/* As if all that the host has were mapped where it is. */
static inline uint64_t page_lookup(unsigned long va)
{
	return va & ~(uint64_t)(PAGE_SIZE - 1);
}

static inline unsigned long pte_mfn(uint64_t pte)
{
	return pte >> PAGE_SHIFT;
}

static inline unsigned long virt_to_mfn(const volatile void *virt)
{
	return (unsigned long)virt >> PAGE_SHIFT;
}

static inline uint64_t virt_to_machine(const volatile void *virt)
{
	return (uint64_t)virt;
}

/* Addresses for grants: each test that has any. */
void *frames_reserve(unsigned long count);
void frames_release(void *va, unsigned long count);

#endif
