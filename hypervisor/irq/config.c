/* SPDX-License-Identifier: MIT */
/* PCI configuration space by ports (PCI Local Bus 3.0, 3.2.2.3.2): segment 0, the first 256 bytes. */
#include "irq/internal.h"
#include "cpu/x86.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000U

spinlock_t pci_config_lock;

/* Selects the register; returns what dom0 had selected, which is to be put back. */
static uint32_t begin(const struct pci_device *dev, unsigned int reg)
{
	uint32_t old;

	spin_lock(&pci_config_lock);
	old = inl(CONFIG_ADDRESS);
	outl(CONFIG_ADDRESS,
	     CONFIG_ENABLE | (uint32_t)dev->bus << 16 | (uint32_t)dev->devfn << 8 | (reg & 0xfc));
	return old;
}

static void end(uint32_t old)
{
	outl(CONFIG_ADDRESS, old);
	spin_unlock(&pci_config_lock);
}

uint32_t pci_read32(const struct pci_device *dev, unsigned int reg)
{
	uint32_t old = begin(dev, reg), value = inl(CONFIG_DATA);

	end(old);
	return value;
}

uint16_t pci_read16(const struct pci_device *dev, unsigned int reg)
{
	uint32_t old = begin(dev, reg);
	uint16_t value = inw((uint16_t)(CONFIG_DATA + (reg & 2)));

	end(old);
	return value;
}

void pci_write32(const struct pci_device *dev, unsigned int reg, uint32_t value)
{
	uint32_t old = begin(dev, reg);

	outl(CONFIG_DATA, value);
	end(old);
}

void pci_write16(const struct pci_device *dev, unsigned int reg, uint16_t value)
{
	uint32_t old = begin(dev, reg);

	outw((uint16_t)(CONFIG_DATA + (reg & 2)), value);
	end(old);
}
