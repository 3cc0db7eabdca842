/* SPDX-License-Identifier: MIT */
#include "commands.h"
#include "pci.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The classes that machines have (PCI Code and ID Assignment 1.11, 1.1): class and subclass. */
static const char *class_name(uint32_t class)
{
	static const struct {
		uint16_t class;
		const char *name;
	} names[] = {
	    {0x0100, "SCSI controller"},    {0x0101, "IDE controller"},
	    {0x0106, "SATA controller"},    {0x0107, "SAS controller"},
	    {0x0108, "NVMe controller"},    {0x0200, "Ethernet controller"},
	    {0x0280, "network controller"}, {0x0300, "VGA controller"},
	    {0x0380, "display controller"}, {0x0403, "audio device"},
	    {0x0600, "host bridge"},	    {0x0601, "ISA bridge"},
	    {0x0604, "PCI bridge"},	    {0x0680, "bridge"},
	    {0x0700, "serial controller"},  {0x0880, "system peripheral"},
	    {0x0c03, "USB controller"},	    {0x0c05, "SMBus controller"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].class == class >> 8)
			return names[i].name;
	return "device";
}

static void show_interrupts(const struct pci_device *device)
{
	static const char *const kinds[] = {"none", "MSI-X", "MSI", "line"};
	uint64_t count = 0;

	for (unsigned int n = 0; n < device->vector_count; n++)
		count += device->vectors[n].count;
	printf("        interrupts: %s", kinds[device->interrupts]);
	if (device->interrupts == PCI_INTERRUPT_LINE)
		printf(" %u", device->route.gsi);
	else
		printf(", %u", device->vector_count);
	printf("; %" PRIu64 " so far\n", count);
}

static void show_details(const struct pci_device *device)
{
	printf("        subsystem %04x:%04x, revision %02x\n", device->subsystem_vendor,
	       device->subsystem, device->revision);
	for (unsigned int n = 0; n < PCI_BARS; n++)
		if (device->bars[n].size)
			printf("        BAR %u: %s at %#" PRIx64 ", %" PRIu64 " bytes\n", n,
			       device->bars[n].is_io ? "ports" : "memory", device->bars[n].address,
			       device->bars[n].size);
	if (device->interrupts != PCI_INTERRUPT_NONE)
		show_interrupts(device);
}

int run_lspci(int argc, char **argv)
{
	bool details = argc > 1 && strcmp(argv[1], "-v") == 0;

	if (argc > 1 && !details) {
		printf("lspci: there is no option '%s'\n", argv[1]);
		return 1;
	}
	for (const struct pci_device *device = pci_devices(); device; device = device->next) {
		printf("%s %04x:%04x class %06" PRIx32 " %s", device->address, device->vendor,
		       device->device, device->class, class_name(device->class));
		if (device->driver)
			printf("; driver %s", device->driver->name);
		if (device->used_as)
			printf(", %s", device->used_as);
		printf("\n");
		if (details)
			show_details(device);
	}
	return 0;
}
