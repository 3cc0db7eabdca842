/* SPDX-License-Identifier: MIT */
/* What a device's header tells. Only through pci_read* and pci_write*: tests put a device of theirs behind them. */
#include "internal.h"
#include <stdio.h>

static const char digits[] = "0123456789abcdef";

static void write_address(struct pci_device *device)
{
	char *to = device->address;

	*to++ = digits[device->bus >> 4];
	*to++ = digits[device->bus & 15];
	*to++ = ':';
	*to++ = digits[device->devfn >> 7];
	*to++ = digits[device->devfn >> 3 & 15];
	*to++ = '.';
	*to++ = digits[device->devfn & 7];
	*to = '\0';
}

bool pci_describe(struct pci_device *device)
{
	uint32_t class;

	device->vendor = pci_read16(device, REG_VENDOR);
	if (device->vendor == 0xffff || device->vendor == 0)
		return false;
	write_address(device);
	device->device = pci_read16(device, REG_DEVICE);
	class = pci_read32(device, REG_CLASS);
	device->class = class >> 8;
	device->revision = (uint8_t) class;
	device->header = pci_read8(device, REG_HEADER) & HEADER_TYPE;
	device->line = pci_read8(device, REG_LINE);
	device->pin = pci_read8(device, REG_PIN);
	if (device->pin > 4)
		device->pin = 0;
	if (device->header == 0) {
		device->subsystem_vendor = pci_read16(device, REG_SUBSYSTEM);
		device->subsystem = pci_read16(device, REG_SUBSYSTEM + 2);
	}
	return true;
}

unsigned int pci_capability(const struct pci_device *device, uint8_t id, unsigned int after)
{
	unsigned int at;

	if (!(pci_read16(device, REG_STATUS) & STATUS_HAS_LIST))
		return 0;
	at = pci_read8(device, REG_CAPABILITIES) & 0xfcu;
	/* Until `after` has come, what is found is skipped. A register that comes again: the list is a ring. */
	for (uint64_t seen = 0; at >= CAPABILITIES_FIRST && !(seen >> at / 4 & 1);) {
		uint16_t head = pci_read16(device, at);

		seen |= 1ull << at / 4;
		if (at == after)
			after = 0;
		else if (!after && (head & 0xff) == id)
			return at;
		at = head >> 8 & 0xfcu;
	}
	return 0;
}

/* 6.2.5.1: of all ones that are written the bits below the size stay 0. */
static uint32_t ask_size(const struct pci_device *device, unsigned int bar, uint32_t value)
{
	uint32_t answer;

	pci_write32(device, REG_BAR(bar), 0xffffffff);
	answer = pci_read32(device, REG_BAR(bar));
	pci_write32(device, REG_BAR(bar), value);
	return answer;
}

/* One BAR, and how many registers it took. */
static unsigned int size_bar(struct pci_device *device, unsigned int n)
{
	struct pci_bar *bar = &device->bars[n];
	uint32_t low = pci_read32(device, REG_BAR(n)), low_size = ask_size(device, n, low),
		 high = 0;
	uint64_t size;

	if (low & BAR_IO) {
		/* Ports have 16 bits, and the upper half need not exist. */
		size = (low_size & 0xfffcu) | 0xffffffffffff0000;
		*bar = (struct pci_bar){.address = low & 0xfffcu, .is_io = true, .size = -size};
		if (!(low_size & 0xfffcu))
			bar->size = 0;
		return 1;
	}
	bar->is_io = false;
	bar->is_64bit = (low & BAR_TYPE) == BAR_64BIT && n + 1 < PCI_BARS;
	bar->prefetchable = low & BAR_PREFETCHABLE;
	size = (low_size & ~0xfu) | 0xffffffff00000000;
	if (bar->is_64bit) {
		high = pci_read32(device, REG_BAR(n + 1));
		size = (low_size & ~0xfu) | (uint64_t)ask_size(device, n + 1, high) << 32;
	} else if (!(low_size & ~0xfu)) {
		size = 0;
	}
	bar->address = (low & ~0xfu) | (uint64_t)high << 32;
	bar->size = -size;
	/* A size is a power of two, and the region is aligned to it: else it is no region. */
	if (bar->size & (bar->size - 1) || bar->address & (bar->size - 1))
		bar->size = 0;
	return bar->is_64bit ? 2 : 1;
}

void pci_size_bars(struct pci_device *device)
{
	uint16_t command = pci_read16(device, PCI_REG_COMMAND);

	pci_write16(device, PCI_REG_COMMAND,
		    command & (uint16_t) ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (unsigned int n = 0; n < PCI_BARS;)
		n += size_bar(device, n);
	pci_write16(device, PCI_REG_COMMAND, command);
}
