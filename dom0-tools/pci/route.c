/* SPDX-License-Identifier: MIT */
/*
 * Where a device's line leads. Only ACPI's methods know for sure, which takes an interpreter; without one the firmware's
 * word in the interrupt line register (6.2.4) is taken: the ISA interrupt to which it routed the line.
 */
#include "internal.h"
#include "acpi/firmware.h"

#define ISA_INTERRUPTS 16

bool pci_route(const struct pci_device *device, struct line_route *route)
{
	if (acpi_route(device, route))
		return true;
	/* 0 is the timer's, from 16 on there is none: nobody set it. */
	if (!device->line || device->line >= ISA_INTERRUPTS)
		return false;
	/* PCI's lines are level-triggered and active low (2.2.6), if the firmware does not say otherwise. */
	*route = (struct line_route){.gsi = device->line, .level = true, .low = true};
	acpi_isa_override(device->line, route);
	return true;
}
