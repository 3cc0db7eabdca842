/* SPDX-License-Identifier: MIT */
/*
 * Configuration space by ports (3.2.2.3.2). A register is selected and then used: events stay masked between the two, as
 * the next thread would select another one. The hypervisor puts back what it found selected.
 */
#include "internal.h"
#include <guest/event.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u

static void select(const struct pci_device *device, unsigned int reg)
{
	port_write32(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)device->bus << 16 |
					 (uint32_t)device->devfn << 8 | (reg & 0xfc));
}

uint8_t pci_read8(const struct pci_device *device, unsigned int reg)
{
	bool masked = events_save();
	uint8_t value;

	select(device, reg);
	value = port_read8((uint16_t)(CONFIG_DATA + reg % 4));
	events_restore(masked);
	return value;
}

uint16_t pci_read16(const struct pci_device *device, unsigned int reg)
{
	bool masked = events_save();
	uint16_t value;

	select(device, reg);
	value = port_read16((uint16_t)(CONFIG_DATA + (reg & 2)));
	events_restore(masked);
	return value;
}

uint32_t pci_read32(const struct pci_device *device, unsigned int reg)
{
	bool masked = events_save();
	uint32_t value;

	select(device, reg);
	value = port_read32(CONFIG_DATA);
	events_restore(masked);
	return value;
}

void pci_write8(const struct pci_device *device, unsigned int reg, uint8_t value)
{
	bool masked = events_save();

	select(device, reg);
	port_write8((uint16_t)(CONFIG_DATA + reg % 4), value);
	events_restore(masked);
}

void pci_write16(const struct pci_device *device, unsigned int reg, uint16_t value)
{
	bool masked = events_save();

	select(device, reg);
	port_write16((uint16_t)(CONFIG_DATA + (reg & 2)), value);
	events_restore(masked);
}

void pci_write32(const struct pci_device *device, unsigned int reg, uint32_t value)
{
	bool masked = events_save();

	select(device, reg);
	port_write32(CONFIG_DATA, value);
	events_restore(masked);
}
