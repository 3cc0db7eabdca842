/* SPDX-License-Identifier: MIT */
/*
 * PCI for dom0's drivers: the devices on the buses, their registers, interrupts and the drivers that take them. Section
 * numbers are those of PCI Local Bus 3.0.
 *
 * What devices say in their configuration space is not believed where a wrong value could hurt: capability lists end,
 * regions are mapped only within their BAR. A device that has been given bus mastering can still write to any memory,
 * as long as there is no IOMMU: see pci/dma.h.
 *
 * Functions are for threads unless they say otherwise. Reads and writes of configuration space, and of mapped registers,
 * may be made in any context.
 */
#ifndef PCI_PCI_H
#define PCI_PCI_H

#include "line.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_BARS 6
/* So many interrupts can a device be given. */
#define PCI_VECTORS 64

#define PCI_ANY_ID  0xffff

struct pci_driver;

/* A base address register (6.2.5). size 0: there is none; the upper half of a 64-bit one counts as none. */
struct pci_bar {
	uint64_t address; /* machine address, or port; 0: the firmware gave it none */
	uint64_t size;
	bool is_io;
	bool is_64bit;
	bool prefetchable;
};

enum pci_interrupt_kind {
	PCI_INTERRUPT_NONE,
	PCI_INTERRUPT_MSIX,
	PCI_INTERRUPT_MSI,
	PCI_INTERRUPT_LINE
};

/*
 * Runs from the event handler: events masked, must not block. The result says whether the device had asked for it; it
 * matters with lines, which are shared.
 */
typedef bool pci_interrupt_handler(void *data);

struct pci_vector {
	struct pci_device *device;
	pci_interrupt_handler *handler; /* NULL: not taken */
	void *data;
	int pirq;
	uint32_t port;
	uint64_t count;	       /* how often it came */
	struct line_user line; /* of PCI_INTERRUPT_LINE */
};

struct pci_device {
	struct pci_device *next; /* in the order of the buses */
	uint8_t bus;
	uint8_t devfn;	 /* device << 3 | function */
	char address[8]; /* "00:1f.2" */
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class; /* class << 16 | subclass << 8 | programming interface */
	uint8_t revision;
	uint8_t header; /* 0 device, 1 bridge */
	uint8_t pin;	/* 1 to 4: INTA to INTD; 0: no line */
	unsigned int
	    line; /* the firmware's word for where its line leads: the interrupt line register */
	struct pci_bar bars[PCI_BARS];

	/* The driver that has it, and that one's own. NULL: none. */
	const struct pci_driver *driver;
	void *private;
	/* What the driver wants `lspci` to tell, such as "disk0"; may be NULL. */
	const char *used_as;

	/* Interrupts: pci_interrupts_open. */
	enum pci_interrupt_kind interrupts;
	struct line_route route; /* of its line, when that is used */
	unsigned int vector_count;
	struct pci_vector *vectors;
};

/* ---- drivers ---- */

/* A row that ends a list has all fields 0. Fields that do not matter: PCI_ANY_ID, class_mask 0. */
struct pci_match {
	uint16_t vendor, device;
	uint32_t class, class_mask; /* matches when (device's class & class_mask) == class */
};

struct pci_driver {
	const char *name;
	const struct pci_match *matches;
	/*
	 * Take the device: in a thread, once for each device that matches and has no driver. 0, or a negative errno after
	 * which nothing of it may be left: no interrupt, no DMA, no memory.
	 */
	long (*probe)(struct pci_device *device);
	/*
	 * The machine is about to be switched off or started anew: have the device keep what it has been given. Returns when
	 * it does, or does not answer. NULL: nothing to do.
	 */
	void (*stop)(struct pci_device *device);
};

/* All of them, in the order in which they are asked; ends with NULL. A new driver is a row in pci/drivers.c. */
extern const struct pci_driver *const pci_drivers[];

/*
 * dom0's arguments, before pci_start. pci=nomsi: devices interrupt by their lines only, on machines that lose messages, or to
 * see lines working. What is wrong is told.
 */
void pci_options(int argc, char **argv);

/* Find all devices, announce them to the hypervisor and give each to a driver. Once. 0 or a negative errno. */
long pci_start(void);

/* Before the machine ends: stop all devices that have something to keep. */
void pci_stop(void);

/* The first of all devices, or NULL. The list does not change after pci_start. */
struct pci_device *pci_devices(void);

/* ---- configuration space, its first 256 bytes; reg is aligned to the size ---- */

uint8_t pci_read8(const struct pci_device *device, unsigned int reg);
uint16_t pci_read16(const struct pci_device *device, unsigned int reg);
uint32_t pci_read32(const struct pci_device *device, unsigned int reg);
void pci_write8(const struct pci_device *device, unsigned int reg, uint8_t value);
void pci_write16(const struct pci_device *device, unsigned int reg, uint16_t value);
void pci_write32(const struct pci_device *device, unsigned int reg, uint32_t value);

#define PCI_REG_COMMAND	      0x04 /* 6.2.2 */
#define PCI_COMMAND_IO	      0x0001
#define PCI_COMMAND_MEMORY    0x0002
#define PCI_COMMAND_MASTER    0x0004
#define PCI_COMMAND_NO_LINE   0x0400 /* interrupt disable */

#define PCI_CAPABILITY_MSI    0x05
#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_MSIX   0x11

/*
 * Capabilities (6.7): the register where the next one with this id begins after `after` (0: the first), or 0. The walk
 * ends whatever the device says.
 */
unsigned int pci_capability(const struct pci_device *device, uint8_t id, unsigned int after);

/* ---- memory of the device ---- */

/*
 * Map length bytes from offset on of a memory BAR, uncached, and switch memory decoding on. *error is 0, or NULL is
 * returned and it is a negative errno: -EINVAL no memory BAR, or not within it; -ENXIO the firmware gave it no address; else the hypervisor's.
 */
volatile void *pci_map(struct pci_device *device, unsigned int bar, uint64_t offset,
		       uint64_t length, long *error);
/* What pci_map returned, and the length given to it. */
void pci_unmap(volatile void *registers, uint64_t length);

/* Registers of devices: one access of that size each, little endian as is x86. */
static inline uint8_t mmio_read8(const volatile void *address)
{
	return *(const volatile uint8_t *)address;
}

static inline uint16_t mmio_read16(const volatile void *address)
{
	return *(const volatile uint16_t *)address;
}

static inline uint32_t mmio_read32(const volatile void *address)
{
	return *(const volatile uint32_t *)address;
}

static inline uint64_t mmio_read64(const volatile void *address)
{
	return *(const volatile uint64_t *)address;
}

static inline void mmio_write8(volatile void *address, uint8_t value)
{
	*(volatile uint8_t *)address = value;
}

static inline void mmio_write16(volatile void *address, uint16_t value)
{
	*(volatile uint16_t *)address = value;
}

static inline void mmio_write32(volatile void *address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

static inline void mmio_write64(volatile void *address, uint64_t value)
{
	*(volatile uint64_t *)address = value;
}

/* Let the device use memory by itself, or no more. */
void pci_bus_master(struct pci_device *device, bool on);

/* ---- interrupts ---- */

/*
 * Get at most `wanted` interrupts (1 to PCI_VECTORS): MSI-X, or one by MSI, or (always with pci=nomsi) one by the device's line. How many there
 * are now, 1 or more, or a negative errno. device->interrupts says of which kind. Registers of MSI-X are memory of a BAR:
 * decoding is switched on. None is delivered before its handler is set.
 */
long pci_interrupts_open(struct pci_device *device, unsigned int wanted);

/* Let interrupt `vector` run the handler. 0 or a negative errno. */
long pci_interrupt_handle(struct pci_device *device, unsigned int vector,
			  pci_interrupt_handler *handler, void *data);

/* Give all of them back; no handler runs after it. The device should have been quieted before. */
void pci_interrupts_close(struct pci_device *device);

#endif
