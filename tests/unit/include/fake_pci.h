/* SPDX-License-Identifier: MIT */
/* PCI's functions and memory for DMA around a driver of one device, for tests on the host; and choices made at random. */
#ifndef FAKE_PCI_H
#define FAKE_PCI_H

#include "unit.h"
#include "pci/dma.h"
#include "pci/pci.h"

static bool bus_master;
static pci_interrupt_handler *interrupt_handler;
static void *interrupt_data;

/* Addresses are those of the host, so that a sanitizer sees what is wrong with them. */
static unsigned int dma_blocks;

void *dma_alloc(const struct pci_device *device, size_t bytes, dma_address_t *address)
{
	size_t size = (bytes + 4095) & ~4095ul;
	void *memory = aligned_alloc(4096, size);

	(void)device;
	memset(memory, 0, size);
	*address = (dma_address_t)(uintptr_t)memory;
	dma_blocks++;
	return memory;
}

void dma_free(const struct pci_device *device, void *memory, size_t bytes)
{
	(void)device;
	(void)bytes;
	dma_blocks--;
	free(memory);
}

void pci_bus_master(struct pci_device *device, bool on)
{
	(void)device;
	bus_master = on;
}

long pci_interrupts_open(struct pci_device *device, unsigned int wanted)
{
	(void)wanted;
	device->interrupts = PCI_INTERRUPT_MSIX;
	return 1;
}

long pci_interrupt_handle(struct pci_device *device, unsigned int vector,
			  pci_interrupt_handler *handler, void *data)
{
	(void)device;
	assert_int_equal(vector, 0);
	interrupt_handler = handler;
	interrupt_data = data;
	return 0;
}

void pci_interrupts_close(struct pci_device *device)
{
	device->interrupts = PCI_INTERRUPT_NONE;
	interrupt_handler = NULL;
}

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
	return (uint32_t)((random_state >> 33) % limit);
}

#endif
