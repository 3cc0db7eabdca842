/* SPDX-License-Identifier: MIT */
/* ACPICA's own headers, which name things as Linux does. */
#ifndef ACPI_ACPICA_ACPICA_H
#define ACPI_ACPICA_ACPICA_H

#include <acpi/acpi.h>

#endif
