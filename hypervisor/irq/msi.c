/* SPDX-License-Identifier: MIT */
/*
 * Messages: the MSI and MSI-X capabilities (PCI Local Bus 3.0, 6.8.2). dom0 switches a capability on and off
 * and keeps the legacy line apart, as it does on Xen; address, data and masks of entries are written here.
 */
#include "irq/internal.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* MSI: offsets in the capability; with 64-bit addresses what follows the address moves by 4. */
#define MSI_CONTROL	 2
#define MSI_ENABLE	 0x0001
#define MSI_MULTIPLE	 0x0070 /* how many messages are allowed: one */
#define MSI_64BIT	 0x0080
#define MSI_MASKABLE	 0x0100
#define MSI_ADDRESS	 4
#define MSI_ADDRESS_HIGH 8
#define MSI_DATA	 8
#define MSI_MASK	 12

#define MSIX_CONTROL	 2
#define MSIX_SIZE	 0x07ff
#define MSIX_TABLE	 4
#define MSIX_BAR	 0x7
#define ENTRY_BYTES	 16
#define ENTRY_WORDS	 4
#define ENTRY_CONTROL	 3
#define ENTRY_MASKED	 1

#define REG_COMMAND	 0x04
#define COMMAND_MEMORY	 0x2
#define REG_BAR(n)	 (0x10 + 4 * (n))
#define BAR_IO		 0x1
#define BAR_TYPE	 0x6
#define BAR_64BIT	 0x4

/* SDM 3 10.11: to one CPU by its number, fixed delivery, edge. */
#define MESSAGE_ADDRESS(cpu) (0xfee00000U | apic_id_of(cpu) << 12)
#define MESSAGE_AREA	     0xfee00000UL

static spinlock_t setup_lock;

static unsigned int after_address(const struct irq *irq, unsigned int offset)
{
	const struct pci_device *dev = irq->dev;

	return dev->msi + offset + (pci_read16(dev, dev->msi + MSI_CONTROL) & MSI_64BIT ? 4 : 0);
}

void msi_mask(struct irq *irq, bool masked)
{
	if (!irq->maskable)
		return;
	irq->masked = masked;
	if (irq->kind == IRQ_MSIX) {
		irq->entry[ENTRY_CONTROL] = masked ? ENTRY_MASKED : 0;
		/* Read back: the write has arrived, and no message follows it. */
		if (masked)
			(void)irq->entry[ENTRY_CONTROL];
	} else {
		pci_write32(irq->dev, after_address(irq, MSI_MASK), masked ? 1 : 0);
	}
}

static void write_msi(struct irq *irq)
{
	const struct pci_device *dev = irq->dev;
	unsigned int data = after_address(irq, MSI_DATA);

	/* Data first: the new vector is served on both CPUs (irq.c). */
	pci_write16(dev, data, irq->vector);
	if (data != (unsigned int)dev->msi + MSI_DATA)
		pci_write32(dev, dev->msi + MSI_ADDRESS_HIGH, 0);
	pci_write32(dev, dev->msi + MSI_ADDRESS, MESSAGE_ADDRESS(irq->cpu));
}

static void write_msix(struct irq *irq)
{
	/* The device may read an entry in the middle of changes only while it is masked. */
	irq->entry[ENTRY_CONTROL] = ENTRY_MASKED;
	irq->entry[0] = MESSAGE_ADDRESS(irq->cpu);
	irq->entry[1] = 0;
	irq->entry[2] = irq->vector;
	if (!irq->masked)
		irq->entry[ENTRY_CONTROL] = 0;
}

void msi_write(struct irq *irq)
{
	if (irq->kind == IRQ_MSIX)
		write_msix(irq);
	else
		write_msi(irq);
}

/* ---- the table of MSI-X ---- */

/* Where the table is, by the device's own registers; 0: nowhere. */
static paddr_t table_address(const struct pci_device *dev, paddr_t given)
{
	uint32_t where = pci_read32(dev, dev->msix + MSIX_TABLE);
	unsigned int bar = where & MSIX_BAR;
	paddr_t base;

	if (bar > 5)
		return 0;
	base = pci_read32(dev, REG_BAR(bar));
	if (base & BAR_IO)
		return 0;
	if ((base & BAR_TYPE) == BAR_64BIT && bar < 5)
		base |= (paddr_t)pci_read32(dev, REG_BAR(bar + 1)) << 32;
	base &= ~0xfUL;
	/* Virtual functions have no addresses of their own there. */
	if (!base)
		base = given & ~0xfUL;
	return base ? base + (where & ~(uint32_t)MSIX_BAR) : 0;
}

/* Only memory of devices: dom0 chooses the address, and this writes to it. */
static bool is_device_memory(paddr_t pa, size_t bytes)
{
	paddr_t last = pa + bytes - 1;

	if (last < pa || last >> cpu_features.phys_bits)
		return false;
	if (pa >> 20 <= MESSAGE_AREA >> 20 && last >> 20 >= MESSAGE_AREA >> 20)
		return false;
	for (mfn_t mfn = pa >> PAGE_SHIFT; mfn <= last >> PAGE_SHIFT; mfn++)
		if (mfn_is_ram(mfn) || ioapic_exists(mfn << PAGE_SHIFT))
			return false;
	return true;
}

static long map_table(struct pci_device *dev, paddr_t given)
{
	paddr_t address = table_address(dev, given);
	size_t bytes =
	    ((pci_read16(dev, dev->msix + MSIX_CONTROL) & MSIX_SIZE) + 1UL) * ENTRY_BYTES;

	if (!(pci_read16(dev, REG_COMMAND) & COMMAND_MEMORY))
		return -ENXIO;
	if (!address || !is_device_memory(address, bytes))
		return -EINVAL;
	if (dev->table && dev->table_address == address && dev->table_bytes == bytes)
		return 0;
	/* It moves only while no entry is in use. */
	if (dev->irqs)
		return -EBUSY;
	if (dev->table)
		iounmap((void *)dev->table, dev->table_bytes);
	dev->table = ioremap(address, bytes, MAP_RW | MAP_UNCACHED);
	dev->table_address = address;
	dev->table_bytes = bytes;
	return dev->table ? 0 : -ENOMEM;
}

/* ---- making and ending ---- */

static bool in_use(const struct pci_device *dev, enum irq_kind kind, uint32_t number)
{
	for (const struct irq *irq = dev->irqs; irq; irq = irq->next)
		if (irq->kind == kind && irq->number == number)
			return true;
	return false;
}

static bool kind_in_use(const struct pci_device *dev, enum irq_kind kind)
{
	for (const struct irq *irq = dev->irqs; irq; irq = irq->next)
		if (irq->kind == kind)
			return true;
	return false;
}

static long check(struct pci_device *dev, const struct msi_device *request)
{
	if (!dev || (request->msix ? !dev->msix : !dev->msi))
		return -ENODEV;
	if (!request->msix)
		return 0;
	if (request->entry > (pci_read16(dev, dev->msix + MSIX_CONTROL) & MSIX_SIZE))
		return -EINVAL;
	return map_table(dev, request->table_base);
}

/* irq's lock held. */
static void prepare(struct irq *irq, struct pci_device *dev, uint32_t number)
{
	irq->dev = dev;
	irq->number = number;
	irq->masked = true;
	if (irq->kind == IRQ_MSIX) {
		irq->entry = &dev->table[number * ENTRY_WORDS];
	} else {
		uint16_t control = pci_read16(dev, dev->msi + MSI_CONTROL);

		irq->maskable = control & MSI_MASKABLE;
		pci_write16(dev, dev->msi + MSI_CONTROL, control & ~MSI_MULTIPLE);
		msi_mask(irq, true);
	}
	msi_write(irq);
}

long msi_create(const struct msi_device *request, unsigned int cpu, struct irq **out)
{
	struct pci_device *dev = pci_find(request->segment, request->bus, request->devfn);
	uint32_t number = request->msix ? request->entry : 0;
	enum irq_kind kind = request->msix ? IRQ_MSIX : IRQ_MSI;
	struct irq *irq;
	long rc;

	spin_lock(&setup_lock);
	rc = check(dev, request);
	if (!rc && in_use(dev, kind, number))
		rc = -EEXIST;
	if (!rc) {
		irq = irq_create_msi(kind, cpu);
		if (irq) {
			prepare(irq, dev, number);
			spin_unlock(&irq->lock);
			irq->next = dev->irqs;
			dev->irqs = irq;
			*out = irq;
		} else {
			rc = -ENOSPC;
		}
	}
	spin_unlock(&setup_lock);
	return rc;
}

/* Nobody has bound it. A message that can't be masked is switched off, lest it come to a vector that has gone. */
static void silence(struct irq *irq)
{
	const struct pci_device *dev = irq->dev;
	uint16_t control;

	if (irq->kind == IRQ_MSI && !irq->maskable) {
		control = pci_read16(dev, dev->msi + MSI_CONTROL);
		if (control != 0xffff)
			pci_write16(dev, dev->msi + MSI_CONTROL, control & ~MSI_ENABLE);
		return;
	}
	if (irq->kind == IRQ_MSIX && !(pci_read16(dev, REG_COMMAND) & COMMAND_MEMORY))
		return;
	msi_mask(irq, true);
}

void msi_destroy(struct irq *irq)
{
	struct irq **at;

	spin_lock(&setup_lock);
	for (at = &irq->dev->irqs; *at != irq; at = &(*at)->next)
		;
	*at = irq->next;
	spin_lock(&irq->lock);
	silence(irq);
	spin_unlock(&irq->lock);
	irq_release_msi(irq);
	spin_unlock(&setup_lock);
}

long msix_prepare(uint16_t segment, uint8_t bus, uint8_t devfn)
{
	struct pci_device *dev = pci_find(segment, bus, devfn);
	long rc = 0;

	if (!dev || !dev->msix)
		return -ENODEV;
	spin_lock(&setup_lock);
	if (kind_in_use(dev, IRQ_MSIX))
		rc = -EBUSY;
	spin_unlock(&setup_lock);
	return rc;
}

long msi_restore(uint16_t segment, uint8_t bus, uint8_t devfn)
{
	struct pci_device *dev = pci_find(segment, bus, devfn);
	bool memory;

	if (!dev)
		return -ENODEV;
	spin_lock(&setup_lock);
	memory = pci_read16(dev, REG_COMMAND) & COMMAND_MEMORY;
	for (struct irq *irq = dev->irqs; irq; irq = irq->next) {
		spin_lock(&irq->lock);
		if (irq->kind == IRQ_MSI || memory) {
			msi_write(irq);
			msi_mask(irq, irq->masked);
		}
		spin_unlock(&irq->lock);
	}
	spin_unlock(&setup_lock);
	return 0;
}
