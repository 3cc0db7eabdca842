/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of the machine's devices, for the domains that drive them: IO-APIC lines (GSI) and
 * message-signalled ones (MSI, MSI-X). A domain numbers those it was given by its own PIRQs and binds
 * them to event channels (public/physdev.h, public/event_channel.h).
 *
 * Course of an interrupt: vector -> struct irq -> event channel of each domain that bound it, under the irq's
 * lock alone. A level-triggered line is masked on its way and unmasked when all of them have said
 * PHYSDEVOP_eoi; edges and messages need no answer. The vector sits on the CPU of the vCPU that is told, and
 * follows it.
 *
 * What a domain can do to others with this. Only a privileged domain, and whom it lets, is given interrupts. Its line
 * stays masked until it answers, also for those with whom it shares it; a message that comes oftener than once a microsecond is masked for a while.
 * MSI-X tables and configuration space lie in memory and ports that the privileged domain reaches itself: it
 * could have a device write any message to 0xfee00000, as it could by any DMA, until an IOMMU remaps
 * interrupts. Vectors of the hypervisor's own are harmless when they come unasked: each handler looks for work
 * and finds none.
 *
 * Locks, in this order: domain.evtchn.lock, domain.irq.lock, MSI set-up (msi.c), struct irq.lock, and then
 * leaves: vectors, IO-APIC, PCI configuration, run queues.
 */
#ifndef IRQ_IRQ_H
#define IRQ_IRQ_H

#include "domain/types.h"

/* At boot, after ioapic_init() and when the number of CPUs is known, before dom0 runs. */
void irq_init(void);

/* ---- a domain's numbers (pirq.c); d is the domain that they belong to ---- */
/* What map_pirq is to do; -1 in pirq: any number. */
struct msi_device {
	uint16_t segment;
	uint8_t bus, devfn;
	bool msix;
	uint32_t entry; /* MSI-X */
	paddr_t
	    table_base; /* MSI-X: for devices whose own registers don't tell (virtual functions) */
};
/* 0, -EINVAL, -EPERM (the hypervisor's), -EEXIST (another number), -ENOSPC, -ENOMEM. */
long pirq_map_gsi(struct domain *d, int gsi, int *pirq);
/* The same, and -ENODEV: no such device, or it was not announced, or lacks the capability. */
long pirq_map_msi(struct domain *d, const struct msi_device *dev, int *pirq);
long pirq_unmap(struct domain *d,
		int pirq); /* -EINVAL: not mapped. What was bound to it is silent from now on. */
/* d may bind the line that has this number with the caller (irq_permission). What is bound stays so. -EINVAL: no such
 * number; -ENOMEM, -ENOSPC. */
long pirq_permit(struct domain *d, unsigned int pirq, bool allow);
long pirq_reserve(struct domain *d, bool gsi, uint32_t *pirq);
/* -EINVAL: not bound. Hot. */
long pirq_eoi(struct domain *d, unsigned int pirq);
/* Answer for all whose channel the guest has not masked (physdev's ancient command 4). */
void pirq_eoi_unmasked(struct domain *d);
/* XENIRQSTAT_*, or -EINVAL: no such number. */
long pirq_status(struct domain *d, unsigned int pirq);
/* The guest's page of bits "needs eoi". -EINVAL, -EBUSY. unmask: eoi unmasks the channel too. */
long pirq_set_eoi_page(struct domain *d, mfn_t mfn, bool unmask);

/* ---- for event/, under domain.evtchn.lock ---- */
/* Let the interrupt reach port, from now on. -EINVAL: no such number; -EPERM: not mapped, or not permitted; -EEXIST: bound;
 * -EBUSY: another domain's, or the hypervisor's; -ENOSPC. */
long pirq_bind(struct domain *d, unsigned int pirq, evtchn_port_t port, bool share);
/* No event after this returns. */
void pirq_unbind(struct domain *d, unsigned int pirq);
/* d dies; its ports are closed. */
void pirq_destroy(struct domain *d);

/* ---- IO-APIC lines (irq.c) ---- */
/* Trigger and polarity. -EINVAL: no such line; -EEXIST: done before, or in use by the hypervisor. */
long gsi_setup(unsigned int gsi, bool level, bool low);
/* The same by way of writing a redirection entry's low half: whatever was set before. */
void gsi_set_mode(unsigned int gsi, bool level, bool low);

/* ---- PCI (pci.c, msi.c) ---- */
/* Ports 0xcf8 to 0xcff: whoever uses them holds this, and leaves 0xcf8 as it was found. Leaf. */
extern spinlock_t pci_config_lock;
/* The privileged domain announces its devices; MSI is for those only. */
long pci_device_add(uint16_t segment, uint8_t bus, uint8_t devfn);    /* 0, -ENOMEM */
long pci_device_remove(uint16_t segment, uint8_t bus, uint8_t devfn); /* -ENODEV */
/* Is the area what the firmware's MCFG table says? 0, -ENODEV: no such segment; -EIO: elsewhere. */
long pci_mmcfg_check(uint64_t address, uint16_t segment, uint8_t start_bus, uint8_t end_bus);
/* 0, -ENODEV; -EBUSY: entries of its table are in use. */
long msix_prepare(uint16_t segment, uint8_t bus, uint8_t devfn);
/* Write all messages of a device again. 0, -ENODEV. */
bool pci_device_known(uint16_t segment, uint8_t bus, uint8_t devfn); /* announced */
long msi_restore(uint16_t segment, uint8_t bus, uint8_t devfn);

#endif
