/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices: messages (6.8) if the device has them, its line (2.2.6) if not. The hypervisor writes addresses,
 * data and masks of messages; the capability is switched on and off here.
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

static void on_message(evtchn_port_t port, void *data)
{
	struct pci_vector *vector = data;

	(void)port;
	vector->count++;
	vector->handler(vector->data);
}

/* ---- the line ---- */

static bool run_line(void *data)
{
	struct pci_vector *vector = data;

	if (!vector->handler || !vector->handler(vector->data))
		return false;
	vector->count++;
	return true;
}

static long open_line(struct pci_device *device)
{
	struct line_route route;

	if (!device->pin || !pci_route(device, &route))
		return -ENODEV;
	device->interrupts = PCI_INTERRUPT_LINE;
	device->vector_count = 1;
	device->vectors[0].line = (struct line_user){.handler = run_line, .data = device->vectors};
	device->route = route;
	set_bits(device, PCI_REG_COMMAND, PCI_COMMAND_NO_LINE, 0);
	return 1;
}

/* ---- dom0's argument ---- */

#define OPTION "pci="

static bool lines_only;

void pci_options(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], OPTION, sizeof(OPTION) - 1) != 0)
			continue;
		if (strcmp(argv[i] + sizeof(OPTION) - 1, "nomsi") == 0)
			lines_only = true;
		else
			printf("%s: there is only %snomsi\n", argv[i], OPTION);
	}
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
	got = lines_only ? -ENODEV : open_msix(device, wanted);
	if (got < 0 && !lines_only)
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
		port = line_join(&vector->line, &device->route);
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
		line_leave(&device->vectors[0].line);
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
