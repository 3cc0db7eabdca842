/* SPDX-License-Identifier: MIT */
/* What dom0 knows from ACPI (6.5, section numbers too). Without tables all of this does nothing. For threads. */
#ifndef ACPI_ACPI_H
#define ACPI_ACPI_H

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

/* Does the firmware say where an ISA interrupt leads (5.2.12.5)? Then it is put into *route. */
void acpi_isa_override(unsigned int irq, struct line_route *route);

/*
 * From now on call pressed, with events masked, when the machine's power button is pressed (4.8.3.1, the fixed one). 0, or a
 * negative errno: -ENODEV if there is none.
 */
long acpi_power_button(void (*pressed)(void));

#endif
