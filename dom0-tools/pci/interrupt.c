/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices: messages (6.8) if the device has them, its line (2.2.6) if not. The hypervisor writes addresses,
 * data and masks of messages; the capability is switched on and off here.
 *
 * A line is shared by all devices that the board wired to it: one event channel for it, and one list of handlers. It stays
 * masked in the interrupt controller until we answer. A line that no handler knows why it came would come again at once,
 * for ever: after some of these it is left unanswered.
 */
#include "internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <public/physdev.h>

#define MSI_CONTROL   2
#define MSI_ENABLE    0x0001
#define MSI_MULTIPLE  0x0070
#define MSIX_CONTROL  2
#define MSIX_ENABLE   0x8000
#define MSIX_MASK_ALL 0x4000
#define MSIX_SIZE     0x07ff
#define MSIX_TABLE    4
#define MSIX_BAR      0x7

/* The interrupt line register: 255 means not connected (6.2.4). */
#define LINES	      16
#define UNCLAIMED_MAX 1000

struct line {
	struct pci_vector *vectors; /* whose handlers are asked */
	unsigned int users;	    /* devices that have it open */
	int pirq;
	evtchn_port_t port;
	unsigned int unclaimed; /* in a row */
};
static struct line lines[LINES];

/* ---- numbers of interrupts ---- */

static long map_message(const struct pci_device *device, unsigned int entry, uint64_t table,
			int *pirq)
{
	struct physdev_map_pirq op = {
	    .domid = DOMID_SELF,
	    .type = MAP_PIRQ_TYPE_MSI_SEG,
	    .index = -1,
	    .pirq = -1,
	    .bus = device->bus,
	    .devfn = device->devfn,
	    .entry_nr = (int)entry,
	    .table_base = table,
	};
	long error = hypercall_physdev_op(PHYSDEVOP_map_pirq, &op);

	*pirq = op.pirq;
	return error;
}

static long map_line(unsigned int number, int *pirq)
{
	struct physdev_setup_gsi setup = {.gsi = (int)number, .triggering = 1, .polarity = 1};
	struct physdev_map_pirq op = {.domid = DOMID_SELF,
				      .type = MAP_PIRQ_TYPE_GSI,
				      .index = (int)number,
				      .pirq = (int)number};
	long error = hypercall_physdev_op(PHYSDEVOP_setup_gsi, &setup);

	/* The firmware's tables may have said how it is triggered. */
	if (error && error != -EEXIST)
		return error;
	error = hypercall_physdev_op(PHYSDEVOP_map_pirq, &op);
	*pirq = op.pirq;
	return error;
}

static void unmap(int pirq)
{
	struct physdev_unmap_pirq op = {.domid = DOMID_SELF, .pirq = pirq};

	hypercall_physdev_op(PHYSDEVOP_unmap_pirq, &op);
}

/* ---- the two kinds of messages ---- */

static void set_bits(const struct pci_device *device, unsigned int reg, uint16_t clear,
		     uint16_t set)
{
	pci_write16(device, reg, (uint16_t)((pci_read16(device, reg) & (uint16_t)~clear) | set));
}

/* Where the device's table of messages is, or 0. */
static uint64_t msix_table(const struct pci_device *device, unsigned int capability)
{
	uint32_t where = pci_read32(device, capability + MSIX_TABLE);
	unsigned int bar = where & MSIX_BAR;

	if (bar >= PCI_BARS || device->bars[bar].is_io || !device->bars[bar].address)
		return 0;
	return device->bars[bar].address + (where & ~(uint32_t)MSIX_BAR);
}

static long open_msix(struct pci_device *device, unsigned int wanted)
{
	unsigned int capability = pci_capability(device, PCI_CAPABILITY_MSIX, 0), size;
	uint64_t table = capability ? msix_table(device, capability) : 0;
	long error = 0;

	if (!table)
		return -ENODEV;
	size = (pci_read16(device, capability + MSIX_CONTROL) & MSIX_SIZE) + 1u;
	if (wanted > size)
		wanted = size;
	set_bits(device, PCI_REG_COMMAND, 0, PCI_COMMAND_MEMORY);
	while (device->vector_count < wanted) {
		error = map_message(device, device->vector_count, table,
				    &device->vectors[device->vector_count].pirq);
		if (error)
			break;
		device->vector_count++;
	}
	if (!device->vector_count)
		return error;
	device->interrupts = PCI_INTERRUPT_MSIX;
	set_bits(device, PCI_REG_COMMAND, 0, PCI_COMMAND_NO_LINE);
	set_bits(device, capability + MSIX_CONTROL, MSIX_MASK_ALL, MSIX_ENABLE);
	return device->vector_count;
}

static long open_msi(struct pci_device *device)
{
	unsigned int capability = pci_capability(device, PCI_CAPABILITY_MSI, 0);
	long error;

	if (!capability)
		return -ENODEV;
	error = map_message(device, 0, 0, &device->vectors[0].pirq);
	if (error)
		return error;
	device->interrupts = PCI_INTERRUPT_MSI;
	device->vector_count = 1;
	set_bits(device, PCI_REG_COMMAND, 0, PCI_COMMAND_NO_LINE);
	set_bits(device, capability + MSI_CONTROL, MSI_MULTIPLE, MSI_ENABLE);
	return 1;
}

static bool run_message(struct pci_vector *vector)
{
	vector->count++;
	return vector->handler(vector->data);
}

static void on_message(evtchn_port_t port, void *data)
{
	(void)port;
	run_message(data);
}

/* ---- lines ---- */

static void answer(int pirq)
{
	struct physdev_eoi op = {.irq = (uint32_t)pirq};

	hypercall_physdev_op(PHYSDEVOP_eoi, &op);
}

static void on_line(evtchn_port_t port, void *data)
{
	struct line *line = data;
	bool claimed = false;

	(void)port;
	for (struct pci_vector *vector = line->vectors; vector; vector = vector->next)
		if (vector->handler(vector->data)) {
			vector->count++;
			claimed = true;
		}
	line->unclaimed = claimed ? 0 : line->unclaimed + 1;
	if (line->unclaimed < UNCLAIMED_MAX)
		answer(line->pirq);
	else
		printk("pci: interrupt line %d is switched off: no driver knows why it came\n",
		       line->pirq);
}

static long open_line(struct pci_device *device)
{
	struct line *line = &lines[device->line % LINES];
	long error = 0;

	/* Line 0 is the timer's: an unset register. */
	if (!device->pin || !device->line || device->line >= LINES)
		return -ENODEV;
	if (!line->users)
		error = map_line(device->line, &line->pirq);
	if (error)
		return error;
	line->users++;
	device->interrupts = PCI_INTERRUPT_LINE;
	device->vector_count = 1;
	device->vectors[0].pirq = line->pirq;
	set_bits(device, PCI_REG_COMMAND, PCI_COMMAND_NO_LINE, 0);
	return 1;
}

static long join_line(struct line *line, struct pci_vector *vector)
{
	bool masked = events_save();
	long port = (long)line->port;

	vector->next = line->vectors;
	line->vectors = vector;
	if (!port) {
		port = event_bind_pirq((uint32_t)line->pirq, true, on_line, line);
		if (port < 0)
			line->vectors = vector->next;
		else
			line->port = (evtchn_port_t)port;
	}
	events_restore(masked);
	return port < 0 ? port : 0;
}

static void leave_line(struct line *line, struct pci_vector *vector)
{
	bool masked = events_save();
	struct pci_vector **at = &line->vectors;

	while (*at && *at != vector)
		at = &(*at)->next;
	if (*at)
		*at = vector->next;
	if (!--line->users) {
		if (line->port)
			event_close(line->port);
		unmap(line->pirq);
		*line = (struct line){0};
	}
	events_restore(masked);
}

/* ---- for drivers ---- */

long pci_interrupts_open(struct pci_device *device, unsigned int wanted)
{
	long got;

	if (!wanted || wanted > PCI_VECTORS || device->interrupts != PCI_INTERRUPT_NONE)
		return -EINVAL;
	device->vectors = calloc(wanted, sizeof(*device->vectors));
	if (!device->vectors)
		return -ENOMEM;
	for (unsigned int n = 0; n < wanted; n++)
		device->vectors[n].device = device;
	got = open_msix(device, wanted);
	if (got < 0)
		got = open_msi(device);
	if (got < 0)
		got = open_line(device);
	if (got < 0) {
		free(device->vectors);
		device->vectors = NULL;
	}
	return got;
}

long pci_interrupt_handle(struct pci_device *device, unsigned int number,
			  pci_interrupt_handler *handler, void *data)
{
	struct pci_vector *vector;
	long port;

	if (number >= device->vector_count || device->vectors[number].handler)
		return -EINVAL;
	vector = &device->vectors[number];
	vector->handler = handler;
	vector->data = data;
	if (device->interrupts == PCI_INTERRUPT_LINE) {
		port = join_line(&lines[device->line], vector);
	} else {
		port = event_bind_pirq((uint32_t)vector->pirq, false, on_message, vector);
		if (port > 0)
			vector->port = (uint32_t)port;
	}
	if (port < 0)
		vector->handler = NULL;
	return port < 0 ? port : 0;
}

static void close_messages(struct pci_device *device)
{
	for (unsigned int n = 0; n < device->vector_count; n++) {
		if (device->vectors[n].port)
			event_close(device->vectors[n].port);
		unmap(device->vectors[n].pirq);
	}
}

void pci_interrupts_close(struct pci_device *device)
{
	switch (device->interrupts) {
	case PCI_INTERRUPT_NONE:
		return;
	case PCI_INTERRUPT_LINE:
		set_bits(device, PCI_REG_COMMAND, 0, PCI_COMMAND_NO_LINE);
		leave_line(&lines[device->line], &device->vectors[0]);
		break;
	case PCI_INTERRUPT_MSI:
		set_bits(device, pci_capability(device, PCI_CAPABILITY_MSI, 0) + MSI_CONTROL,
			 MSI_ENABLE, 0);
		close_messages(device);
		break;
	case PCI_INTERRUPT_MSIX:
		close_messages(device);
		set_bits(device, pci_capability(device, PCI_CAPABILITY_MSIX, 0) + MSIX_CONTROL,
			 MSIX_ENABLE, 0);
		break;
	}
	free(device->vectors);
	device->vectors = NULL;
	device->vector_count = 0;
	device->interrupts = PCI_INTERRUPT_NONE;
}
