/* SPDX-License-Identifier: MIT */
/*
 * Contiguous memory. The pages of a run are neighbours by number, and by machine frame too where the domain's memory came
 * in large pieces; where not, the run is exchanged for frames that are (XENMEM_exchange): unmapped, given back, and what
 * comes in return takes their numbers and addresses.
 */
#include "dma.h"
#include <stdbool.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/string.h>
#include <public/memory.h>

#define MOST_PAGES 512 /* the largest extent of an exchange: 2 MiB */
_Static_assert(MOST_PAGES * sizeof(xen_pfn_t) <= PAGE_SIZE, "a page holds the list of frames");

static bool is_contiguous(const void *pages, unsigned long count)
{
	unsigned long pfn = virt_to_pfn(pages);

	for (unsigned long i = 1; i < count; i++)
		if (pfn_to_mfn(pfn + i) != pfn_to_mfn(pfn) + i)
			return false;
	return true;
}

/* The pages' numbers and addresses are those of these frames from now on. They are ours: it cannot fail. */
static void adopt(char *pages, const xen_pfn_t *frames, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		unsigned long va = (unsigned long)(pages + i * PAGE_SIZE);

		p2m[virt_to_pfn(pages) + i] = frames[i];
		if (page_map(page_root, va, pte_make(frames[i], PTE_DATA), DOMID_SELF))
			panic("dma: cannot map frame %#lx again", (unsigned long)frames[i]);
	}
}

/* frames: room for as many as there are pages. False: all is as it was. */
static bool exchange(char *pages, unsigned int order, xen_pfn_t *frames)
{
	unsigned long count = 1ul << order;
	xen_pfn_t out = virt_to_pfn(pages);
	struct xen_memory_exchange op = {
	    .in = {.nr_extents = count, .domid = DOMID_SELF},
	    .out = {.nr_extents = 1, .extent_order = order, .domid = DOMID_SELF},
	};

	set_xen_guest_handle(op.in.extent_start, frames);
	set_xen_guest_handle(op.out.extent_start, &out);
	for (unsigned long i = 0; i < count; i++) {
		frames[i] = pfn_to_mfn(virt_to_pfn(pages) + i);
		if (page_map(page_root, (unsigned long)(pages + i * PAGE_SIZE), 0, DOMID_SELF))
			panic("dma: cannot unmap a page");
	}
	if (hypercall_memory_op(XENMEM_exchange, &op) == 0)
		for (unsigned long i = 0; i < count; i++)
			frames[i] = out + i;
	adopt(pages, frames, count);
	return is_contiguous(pages, count);
}

static unsigned int order_of(size_t bytes)
{
	unsigned int order = 0;

	while ((size_t)PAGE_SIZE << order < bytes)
		order++;
	return order;
}

void *dma_alloc(const struct pci_device *device, size_t bytes, dma_address_t *address)
{
	xen_pfn_t *frames;
	unsigned int order;
	char *pages;

	if (!bytes || bytes > MOST_PAGES * PAGE_SIZE)
		return NULL;
	order = order_of(bytes);
	pages = pages_alloc(1ul << order);
	if (!pages)
		return NULL;
	if (!is_contiguous(pages, 1ul << order)) {
		bool done;

		frames = page_alloc();
		done = frames && exchange(pages, order, frames);
		if (frames)
			page_free(frames);
		if (!done) {
			pages_free(pages, 1ul << order);
			return NULL;
		}
	}
	memset(pages, 0, (size_t)PAGE_SIZE << order);
	*address = dma_map(device, virt_to_machine(pages), (uint32_t)bytes);
	return pages;
}

void dma_free(const struct pci_device *device, void *memory, size_t bytes)
{
	dma_unmap(device, virt_to_machine(memory), (uint32_t)bytes);
	pages_free(memory, 1ul << order_of(bytes));
}
