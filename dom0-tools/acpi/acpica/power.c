/* SPDX-License-Identifier: MIT */
/* The power button and the machine's end, by ACPICA. The last write, which switches it off, is the hypervisor's. */
#include "acpica.h"
#include "acpi/firmware.h"
#include <errno.h>
#include <stdio.h>

static void (*on_press)(void);

/* Events are masked. */
static u32 pressed(void *context)
{
	on_press();
	return ACPI_INTERRUPT_HANDLED;
}

long acpi_power_button(void (*handler)(void))
{
	acpi_status status;

	if (!acpica_start() || acpi_gbl_reduced_hardware ||
	    acpi_gbl_FADT.flags & ACPI_FADT_POWER_BUTTON)
		return -ENODEV;
	on_press = handler;
	status = acpi_install_fixed_event_handler(ACPI_EVENT_POWER_BUTTON, pressed, NULL);
	if (ACPI_FAILURE(status))
		printf("ACPI's power button: %s\n", acpi_format_exception(status));
	return ACPI_SUCCESS(status) ? 0 : -EIO;
}

void acpi_prepare_off(void)
{
	acpi_status status;

	if (!acpica_start())
		return;
	status = acpi_enter_sleep_state_prep(ACPI_STATE_S5);
	if (ACPI_FAILURE(status))
		printf("ACPI's methods for switching off: %s\n", acpi_format_exception(status));
}
