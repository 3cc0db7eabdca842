/* SPDX-License-Identifier: MIT */
/*
 * The PCI devices that dom0 has announced. What they can is read from their configuration space when they are
 * announced; an entry stays for good once there, with `present` clear after the device went away, so that
 * whoever found it may use it. Their number is limited, dom0's slip must not eat the memory.
 */
#include "irq/internal.h"
#include "boot/boot.h"
#include "console/console.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"

#define MAX_DEVICES	 4096

#define REG_ID		 0x00
#define REG_STATUS	 0x06
#define STATUS_HAS_LIST	 0x10
#define REG_HEADER	 0x0e /* low byte of the word */
#define REG_CAPABILITIES 0x34
#define CAP_MSI		 0x05
#define CAP_MSIX	 0x11
#define FIRST_CAPABILITY 0x40
#define MAX_CAPABILITIES 48 /* as many as fit: a list that is longer is a ring */

static struct pci_device *devices; /* newest first */
static unsigned int nr_devices;
static spinlock_t list_lock; /* leaf: additions */

/* The firmware's table of memory-mapped configuration space (PCI Firmware 3.0, 4.1.2). */
struct mcfg_area {
	uint64_t address;
	uint16_t segment;
	uint8_t start_bus, end_bus;
	uint32_t reserved;
} __packed;
static struct mcfg_area areas[8];
static unsigned int nr_areas;

static struct pci_device *find(uint16_t segment, uint8_t bus, uint8_t devfn)
{
	struct pci_device *dev = __atomic_load_n(&devices, __ATOMIC_ACQUIRE);

	while (dev && (dev->segment != segment || dev->bus != bus || dev->devfn != devfn))
		dev = dev->next;
	return dev;
}

struct pci_device *pci_find(uint16_t segment, uint8_t bus, uint8_t devfn)
{
	struct pci_device *dev = find(segment, bus, devfn);

	return dev && READ_ONCE(dev->present) ? dev : NULL;
}

bool pci_device_known(uint16_t segment, uint8_t bus, uint8_t devfn)
{
	return pci_find(segment, bus, devfn);
}

static void find_capabilities(struct pci_device *dev)
{
	unsigned int at;

	dev->msi = dev->msix = 0;
	/* Other segments are reached by memory alone, which is not there yet. */
	if (dev->segment || (pci_read32(dev, REG_ID) & 0xffff) == 0xffff ||
	    !(pci_read16(dev, REG_STATUS) & STATUS_HAS_LIST))
		return;
	at = pci_read32(dev, REG_CAPABILITIES) & 0xfc;
	for (unsigned int n = 0; at >= FIRST_CAPABILITY && n < MAX_CAPABILITIES; n++) {
		uint16_t head = pci_read16(dev, at);

		if ((head & 0xff) == CAP_MSI)
			dev->msi = (uint8_t)at;
		else if ((head & 0xff) == CAP_MSIX)
			dev->msix = (uint8_t)at;
		at = head >> 8 & 0xfc;
	}
}

long pci_device_add(uint16_t segment, uint8_t bus, uint8_t devfn)
{
	struct pci_device *dev;
	long rc = 0;

	spin_lock(&list_lock);
	dev = find(segment, bus, devfn);
	if (!dev) {
		dev = nr_devices < MAX_DEVICES ? kzalloc(sizeof(*dev)) : NULL;
		if (dev) {
			nr_devices++;
			dev->segment = segment;
			dev->bus = bus;
			dev->devfn = devfn;
			find_capabilities(dev);
			dev->next = devices;
			__atomic_store_n(&devices, dev, __ATOMIC_RELEASE);
		}
	} else if (!dev->present) {
		find_capabilities(dev);
	}
	if (dev)
		WRITE_ONCE(dev->present, true);
	else
		rc = -ENOMEM;
	spin_unlock(&list_lock);
	return rc;
}

long pci_device_remove(uint16_t segment, uint8_t bus, uint8_t devfn)
{
	struct pci_device *dev = pci_find(segment, bus, devfn);

	if (!dev)
		return -ENODEV;
	WRITE_ONCE(dev->present, false);
	return 0;
}

long pci_mmcfg_check(uint64_t address, uint16_t segment, uint8_t start_bus, uint8_t end_bus)
{
	for (unsigned int i = 0; i < nr_areas; i++)
		if (areas[i].segment == segment && areas[i].start_bus == start_bus &&
		    areas[i].end_bus == end_bus)
			return areas[i].address == address ? 0 : -EIO;
	return -ENODEV;
}

void __init pci_init(void)
{
	const uint8_t *table = acpi_find_table("MCFG");
	uint32_t length;

	if (!table)
		return;
	memcpy(&length, table + 4, sizeof(length));
	/* A header of 36 bytes, 8 reserved, then the areas. */
	for (size_t at = 44; at + sizeof(areas[0]) <= length && nr_areas < ARRAY_SIZE(areas);
	     at += sizeof(areas[0]))
		memcpy(&areas[nr_areas++], table + at, sizeof(areas[0]));
}
