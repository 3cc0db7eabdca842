/* SPDX-License-Identifier: MIT */
/* ACPICA's own headers, which name things as Linux does. */
#ifndef ACPI_ACPICA_ACPICA_H
#define ACPI_ACPICA_ACPICA_H

#include <acpi/acpi.h>
#include <stdbool.h>

/*
 * Load the firmware's tables, once; true when they are there. Hardware's events are ACPICA's from then on, all of them switched off.
 * Any thread may call it.
 */
bool acpica_start(void);

#endif
