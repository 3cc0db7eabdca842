/* SPDX-License-Identifier: MIT */
/* What the files of irq/ share. */
#ifndef IRQ_INTERNAL_H
#define IRQ_INTERNAL_H

#include "irq/irq.h"

enum irq_kind { IRQ_FREE, IRQ_GSI, IRQ_MSI, IRQ_MSIX };

/* A line can be shared by this many domains. */
#define IRQ_MAX_GUESTS 4

/* A domain's number for an interrupt. irq, port: under domain.irq.lock and, while there is one, irq's lock. */
struct pirq {
	struct domain *domain;
	struct irq *irq;    /* NULL: not mapped */
	evtchn_port_t port; /* 0: not bound */
	bool reserved;	    /* by get_free_pirq */
	bool awaited;	    /* its eoi is; under irq's lock */
};

/*
 * An interrupt of the machine. Never freed, so that a CPU that found one in its table of vectors may lock it;
 * those of messages go to a list and come back as others.
 */
struct irq {
	spinlock_t lock;
	uint8_t kind;
	bool level, low;
	bool configured; /* GSI: by setup_gsi */
	bool maskable;
	bool shared; /* all who bound it will share */
	bool storm;  /* masked until the timer fires */
	bool masked; /* message: as last written */

	uint8_t vector, cpu; /* where it goes; vector 0: nowhere */
	/* Where it went before its last move: what is still on its way there is taken as well. 0: nowhere. */
	uint8_t old_vector, old_cpu;
	uint8_t away; /* interrupts in a row that found the vCPU on another CPU */

	uint8_t guests;	 /* in guest[] */
	uint8_t awaited; /* of them, how many have to answer */
	struct pirq *guest[IRQ_MAX_GUESTS];

	uint32_t number; /* GSI, or entry of the MSI-X table */
	uint32_t count;
	stime_t window; /* when count was last a multiple of the storm's threshold */
	struct timer timer;

	/* messages */
	struct pci_device *dev;
	volatile uint32_t *entry; /* MSI-X: its four words */
	struct irq *next;	  /* in the free list, or of the same device */
};

/* ---- irq.c ---- */
struct irq *irq_of_gsi(unsigned int gsi); /* NULL: no such line */
/* A message's irq with a vector, masked, lock held; NULL: no memory or no vector. */
struct irq *irq_create_msi(enum irq_kind kind, unsigned int cpu);
void irq_release_msi(struct irq *irq);
/* domain.irq.lock held. */
long irq_bind(struct irq *irq, struct pirq *p, evtchn_port_t port, bool share);
void irq_unbind(struct irq *irq, struct pirq *p);
bool irq_needs_eoi(const struct irq *irq);
long irq_eoi(struct pirq *p);

/* ---- pci.c ---- */
struct pci_device {
	uint16_t segment;
	uint8_t bus, devfn;
	bool present;
	uint8_t msi, msix;	  /* offsets of the capabilities, 0: none */
	struct irq *irqs;	  /* list of its messages; under the lock of MSI set-up */
	volatile uint32_t *table; /* MSI-X, mapped */
	paddr_t table_address;
	size_t table_bytes;
	struct pci_device *next; /* in the list of all: never removed */
};
struct pci_device *pci_find(uint16_t segment, uint8_t bus, uint8_t devfn);
void pci_init(void);

/* Configuration space, segment 0, first 256 bytes (config.c). reg: aligned to the access's size. */
uint32_t pci_read32(const struct pci_device *dev, unsigned int reg);
uint16_t pci_read16(const struct pci_device *dev, unsigned int reg);
void pci_write32(const struct pci_device *dev, unsigned int reg, uint32_t value);
void pci_write16(const struct pci_device *dev, unsigned int reg, uint16_t value);

/* ---- msi.c ---- */
/* A message for pirq number of d, not bound: *out. Errors as pirq_map_msi(). */
long msi_create(const struct msi_device *request, unsigned int cpu, struct irq **out);
void msi_destroy(struct irq *irq);
/* Under irq's lock. write: let it go to irq's vector and CPU; the old place must still be served. */
void msi_write(struct irq *irq);
void msi_mask(struct irq *irq, bool masked); /* nothing if it can't be */

#endif
