/* SPDX-License-Identifier: MIT */
/* Between the parts of pci/. */
#ifndef PCI_INTERNAL_H
#define PCI_INTERNAL_H

#include "pci.h"

/* Registers of the header, 6.1 and 6.2 (bridges: PCI-to-PCI Bridge Architecture 1.2, 3.2). */
#define REG_VENDOR	   0x00
#define REG_DEVICE	   0x02
#define REG_STATUS	   0x06
#define STATUS_HAS_LIST	   0x0010
#define REG_CLASS	   0x08 /* revision in the low byte */
#define REG_HEADER	   0x0e
#define HEADER_TYPE	   0x7f
#define HEADER_FUNCTIONS   0x80
#define REG_BAR(n)	   (0x10 + 4 * (n))
#define REG_SECONDARY_BUS  0x19
#define REG_SUBSYSTEM	   0x2c
#define REG_CAPABILITIES   0x34
#define REG_LINE	   0x3c
#define REG_PIN		   0x3d

#define CAPABILITIES_FIRST 0x40 /* behind the header */

#define BAR_IO		   0x1
#define BAR_TYPE	   0x6
#define BAR_64BIT	   0x4
#define BAR_PREFETCHABLE   0x8

/* Ports of the machine. The kernel's privilege level allows them: pci_start. */
static inline uint8_t port_read8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t port_read16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t port_read32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void port_write8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline void port_write16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static inline void port_write32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

/* Where the device's line leads. False: nobody knows. */
bool pci_route(const struct pci_device *device, struct line_route *route);

/* Fill in what the header of a device says; its bus and devfn are set. False: nothing is there. */
bool pci_describe(struct pci_device *device);

/* Ask a device how large its BARs are. Its decoding is off meanwhile. */
void pci_size_bars(struct pci_device *device);

#endif
