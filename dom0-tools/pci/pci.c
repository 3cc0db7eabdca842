/* SPDX-License-Identifier: MIT */
/* The devices that there are, and who drives them. */
#include "internal.h"
#include "acpi/firmware.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <public/physdev.h>

#define SLOTS	     32
#define FUNCTIONS    8
#define MAX_DEVICES  1024 /* a bridge that loops must not eat the memory */

#define CLASS_BRIDGE 0x0604 /* class and subclass: PCI to PCI */
#define CLASS_HOST   0x0600
#define CLASS_VIDEO  0x03 /* class */
#define CLASS_SERIAL 0x0700

static struct pci_device *first, **last = &first;
static unsigned int count;
static bool scanned[256];

struct pci_device *pci_devices(void)
{
	return first;
}

static void announce(const struct pci_device *device)
{
	struct physdev_pci_device_add op = {.bus = device->bus, .devfn = device->devfn};
	long error = hypercall_physdev_op(PHYSDEVOP_pci_device_add, &op);

	if (error)
		printf("pci %s: not announced: %s\n", device->address, strerror((int)-error));
}

/* While it is sized a device does not answer: not for those that the hypervisor's console may be using. */
static bool may_be_sized(const struct pci_device *device)
{
	return device->header == 0 && device->class >> 16 != CLASS_VIDEO &&
	       device->class >> 8 != CLASS_HOST && device->class >> 8 != CLASS_SERIAL;
}

/* The device that answers there joins the list; NULL: none does, or there is no memory for it. */
static struct pci_device *find(uint8_t bus, unsigned int devfn)
{
	struct pci_device look = {.bus = bus, .devfn = (uint8_t)devfn}, *device;

	if (count >= MAX_DEVICES || !pci_describe(&look))
		return NULL;
	device = malloc(sizeof(*device));
	if (!device)
		return NULL;
	*device = look;
	announce(device);
	if (may_be_sized(device))
		pci_size_bars(device);
	*last = device;
	last = &device->next;
	count++;
	return device;
}

/* Buses behind bridges are numbered by the firmware. */
static void scan_bus(uint8_t bus)
{
	if (scanned[bus])
		return;
	scanned[bus] = true;
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		const struct pci_device *device = find(bus, slot * FUNCTIONS);
		unsigned int functions = 1;

		if (device && pci_read8(device, REG_HEADER) & HEADER_FUNCTIONS)
			functions = FUNCTIONS;
		for (unsigned int function = 1; device && function < functions; function++)
			find(bus, slot * FUNCTIONS + function);
	}
	for (const struct pci_device *device = first; device; device = device->next)
		if (device->bus == bus && device->class >> 8 == CLASS_BRIDGE && device->header == 1)
			scan_bus(pci_read8(device, REG_SECONDARY_BUS));
}

static bool matches(const struct pci_match *match, const struct pci_device *device)
{
	return (match->vendor == PCI_ANY_ID || match->vendor == device->vendor) &&
	       (match->device == PCI_ANY_ID || match->device == device->device) &&
	       (device->class & match->class_mask) == match->class;
}

static bool drives(const struct pci_driver *driver, const struct pci_device *device)
{
	for (const struct pci_match *match = driver->matches; match->vendor || match->class_mask;
	     match++)
		if (matches(match, device))
			return true;
	return false;
}

static void find_driver(struct pci_device *device)
{
	for (const struct pci_driver *const *driver = pci_drivers; *driver; driver++) {
		long error;

		if (!drives(*driver, device))
			continue;
		device->driver = *driver;
		error = (*driver)->probe(device);
		if (!error)
			return;
		device->driver = NULL;
		/* The driver has nothing to do there: a controller without disks. */
		if (error == -ENODEV)
			continue;
		printf("pci %s: %s does not take it: %s\n", device->address, (*driver)->name,
		       strerror((int)-error));
	}
}

void pci_stop(void)
{
	for (struct pci_device *device = pci_devices(); device; device = device->next) {
		if (device->driver && device->driver->stop)
			device->driver->stop(device);
	}
}

long pci_start(void)
{
	struct physdev_set_iopl privilege = {.iopl = 1};
	long error = hypercall_physdev_op(PHYSDEVOP_set_iopl, &privilege);

	if (error)
		return error;
	acpi_start();
	scan_bus(0);
	for (struct pci_device *device = first; device; device = device->next)
		find_driver(device);
	return 0;
}

/* ---- memory of devices ---- */

static unsigned long pages_of(uint64_t address, uint64_t length)
{
	return (address % PAGE_SIZE + length + PAGE_SIZE - 1) / PAGE_SIZE;
}

volatile void *pci_map(struct pci_device *device, unsigned int number, uint64_t offset,
		       uint64_t length, long *error)
{
	const struct pci_bar *bar = number < PCI_BARS ? &device->bars[number] : NULL;
	uint64_t address;
	uint8_t *mapped;

	*error = -EINVAL;
	if (!bar || bar->is_io || !length || offset > bar->size || length > bar->size - offset)
		return NULL;
	*error = -ENXIO;
	if (!bar->address)
		return NULL;
	address = bar->address + offset;
	pci_write16(device, PCI_REG_COMMAND,
		    pci_read16(device, PCI_REG_COMMAND) | PCI_COMMAND_MEMORY);
	mapped = frames_map(address / PAGE_SIZE, pages_of(address, length),
			    PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PCD | PTE_PWT, DOMID_IO, error);
	if (!mapped)
		return NULL;
	*error = 0;
	return mapped + address % PAGE_SIZE;
}

void pci_unmap(volatile void *registers, uint64_t length)
{
	uintptr_t address = (uintptr_t)registers;

	frames_unmap((void *)(address & ~(uintptr_t)(PAGE_SIZE - 1)), pages_of(address, length));
}

void pci_bus_master(struct pci_device *device, bool on)
{
	uint16_t command = pci_read16(device, PCI_REG_COMMAND);

	if (on)
		command |= PCI_COMMAND_MASTER;
	else
		command &= (uint16_t)~PCI_COMMAND_MASTER;
	pci_write16(device, PCI_REG_COMMAND, command);
}
