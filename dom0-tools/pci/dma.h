/* SPDX-License-Identifier: MIT */
/*
 * Memory that devices reach by themselves.
 *
 * Every address that is told to a device comes from dma_map: with an IOMMU, which does not exist here yet, this is the
 * one place where it would be programmed. Until then the address of the machine is the device's, and a device that was
 * given bus mastering can reach everything.
 */
#ifndef PCI_DMA_H
#define PCI_DMA_H

#include <stddef.h>
#include <stdint.h>

struct pci_device;

typedef uint64_t dma_address_t;

/*
 * Let the device reach `length` bytes from a machine address on: the address to tell it. The range must not cross a page
 * unless it comes from dma_alloc. Undone by dma_unmap when the device is done with it. Any context.
 */
static inline dma_address_t dma_map(const struct pci_device *device, uint64_t machine,
				    uint32_t length)
{
	(void)device;
	(void)length;
	return machine;
}

static inline void dma_unmap(const struct pci_device *device, dma_address_t address,
			     uint32_t length)
{
	(void)device;
	(void)address;
	(void)length;
}

/*
 * Memory for rings and tables: zeroed, whole pages, contiguous for the device, at most 2 MiB. NULL without memory. Its
 * address for the device goes to *address; the memory is known to it by then. Threads only.
 */
void *dma_alloc(const struct pci_device *device, size_t bytes, dma_address_t *address);
/* The same size as given to dma_alloc. The device must not use it any more. */
void dma_free(const struct pci_device *device, void *memory, size_t bytes);

/* What the CPU wrote before is seen by the device before what it writes after; and the other way round. */
static inline void dma_write_barrier(void)
{
	/* x86 keeps the order of stores to ordinary memory: only the compiler must be told. */
	__asm__ volatile("" ::: "memory");
}

static inline void dma_read_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

static inline void dma_full_barrier(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

#endif
