/* SPDX-License-Identifier: MIT */
/* What dom0 knows from ACPI (6.5, section numbers too). Without tables all of this does nothing. For threads. */
#ifndef ACPI_FIRMWARE_H
#define ACPI_FIRMWARE_H

#include "pci/line.h"
#include <stddef.h>
#include <stdint.h>

/* Find the firmware's tables: once, before all else here. Ports of the machine can be used by then. */
void acpi_start(void);

/*
 * The first table with this signature of four letters, whole and with the right checksum, or NULL. It stays where it is;
 * its length to *length.
 */
const uint8_t *acpi_table(const char *signature, size_t *length);

/* The machine address of the firmware's root pointer; 0: none was found. */
uint64_t acpi_root_pointer(void);

struct pci_device;

/*
 * Where a device's line leads, by ACPI's methods. False: they do not tell, or dom0 was built without an interpreter for them
 * (ACPI=0).
 */
bool acpi_route(const struct pci_device *device, struct line_route *route);

/* Does the firmware say where an ISA interrupt leads (5.2.12.5)? Then it is put into *route. */
void acpi_isa_override(unsigned int irq, struct line_route *route);

/*
 * From now on call pressed, with events masked, when the machine's power button is pressed (4.8.3.1, the fixed one). 0, or a
 * negative errno: -ENODEV if there is none.
 */
long acpi_power_button(void (*pressed)(void));

/* The machine is about to be switched off: the firmware's methods for that are run (7.4.1, _PTS). */
void acpi_prepare_off(void);

#endif
