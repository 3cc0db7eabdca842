/* SPDX-License-Identifier: MIT */
/*
 * The power button as ACPI's fixed hardware has it (4.8.3.1): a bit of the PM1 registers, whose interrupt is the SCI. The
 * hypervisor has put the machine into ACPI mode.
 */
#include "acpi/firmware.h"
#include "pci/internal.h"
#include <errno.h>

/* The FADT, 5.2.9: offsets. */
#define FADT_SCI	      46
#define FADT_PM1A	      56 /* event block, a port */
#define FADT_PM1B	      60
#define FADT_PM1_SIZE	      88 /* bytes of a block: status, then enable, half of it each */
#define FADT_FLAGS	      112
#define FADT_BYTES	      116
#define FLAG_NO_FIXED_BUTTON  (1u << 4) /* PWR_BUTTON */
#define FLAG_HARDWARE_REDUCED (1u << 20)

#define PM1_BUTTON	      0x0100 /* 4.8.3.1, tables 4.11 and 4.12: the same bit of both */

static struct {
	uint16_t block[2]; /* PM1a, PM1b; 0: not there */
	uint16_t enable;   /* offset of the enable register */
	void (*pressed)(void);
	struct line_user line;
} button;

static uint16_t get16(const uint8_t *from)
{
	return (uint16_t)(from[0] | from[1] << 8);
}

static uint32_t get32(const uint8_t *from)
{
	return get16(from) | (uint32_t)get16(from + 2) << 16;
}

/* The SCI is shared with all other events of ACPI's, none of which is enabled here. */
static bool on_sci(void *data)
{
	bool ours = false;

	(void)data;
	for (unsigned int n = 0; n < 2; n++) {
		uint16_t port = button.block[n];

		if (!port || !(port_read16(port) & PM1_BUTTON))
			continue;
		/* Writing a one takes it back. */
		port_write16(port, PM1_BUTTON);
		ours = true;
	}
	if (ours)
		button.pressed();
	return ours;
}

static void enable(uint16_t port)
{
	uint16_t reg = (uint16_t)(port + button.enable);

	if (!port)
		return;
	port_write16(port, PM1_BUTTON);
	/* Nothing else: nobody would answer for it. */
	port_write16(reg, PM1_BUTTON);
}

long acpi_power_button(void (*pressed)(void))
{
	size_t length = 0;
	const uint8_t *fadt = acpi_table("FACP", &length);
	struct line_route route;
	uint32_t flags;
	long error;

	if (!fadt || length < FADT_BYTES)
		return -ENODEV;
	flags = get32(fadt + FADT_FLAGS);
	if (flags & (FLAG_NO_FIXED_BUTTON | FLAG_HARDWARE_REDUCED) || !get32(fadt + FADT_PM1A) ||
	    fadt[FADT_PM1_SIZE] < 4)
		return -ENODEV;
	button.block[0] = (uint16_t)get32(fadt + FADT_PM1A);
	button.block[1] = (uint16_t)get32(fadt + FADT_PM1B);
	button.enable = fadt[FADT_PM1_SIZE] / 2;
	button.pressed = pressed;
	button.line.handler = on_sci;
	/* 5.2.9: level-triggered, active low, unless the table of interrupt controllers says otherwise. */
	route = (struct line_route){.gsi = get16(fadt + FADT_SCI), .level = true, .low = true};
	acpi_isa_override(route.gsi, &route);
	error = line_join(&button.line, &route);
	if (error)
		return error;
	enable(button.block[0]);
	enable(button.block[1]);
	return 0;
}

/* Methods need an interpreter. */
void acpi_prepare_off(void)
{
}
