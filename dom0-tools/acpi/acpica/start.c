/* SPDX-License-Identifier: MIT */
/* ACPICA begins: the order of its reference, 4.1. The hypervisor has put the machine into ACPI mode already. */
#include "acpica.h"
#include <stdio.h>
#include <guest/thread.h>

#define MODE_APIC 1 /* 5.8.1, _PIC: the operating system uses the IO-APICs */

static acpi_status load(void)
{
	acpi_status status = acpi_initialize_subsystem();

	if (ACPI_SUCCESS(status))
		status = acpi_initialize_tables(NULL, 16, TRUE);
	if (ACPI_SUCCESS(status))
		status = acpi_load_tables();
	if (ACPI_SUCCESS(status))
		status = acpi_enable_subsystem(ACPI_NO_ACPI_ENABLE);
	if (ACPI_SUCCESS(status))
		status = acpi_initialize_objects(ACPI_FULL_INITIALIZATION);
	return status;
}

static bool start(void)
{
	union acpi_object mode = {.integer = {.type = ACPI_TYPE_INTEGER, .value = MODE_APIC}};
	struct acpi_object_list arguments = {1, &mode};
	acpi_status status = load();

	if (ACPI_FAILURE(status)) {
		printf("ACPI's tables cannot be used: %s\n", acpi_format_exception(status));
		return false;
	}
	/* Machines without it have one way only. */
	acpi_evaluate_object(NULL, "\\_PIC", &arguments, NULL);
	return true;
}

bool acpica_start(void)
{
	static struct mutex lock;
	static bool tried, ready;

	mutex_lock(&lock);
	if (!tried)
		ready = start();
	tried = true;
	mutex_unlock(&lock);
	return ready;
}
