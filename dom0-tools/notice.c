/* SPDX-License-Identifier: MIT */
/*
 * In QEMU, the notice is the item opt/cerne/notice of its firmware configuration device (QEMU's docs/specs/fw_cfg): items are
 * selected by number and read byte by byte; one that is always there lists the others. scripts/run-qemu sets it.
 */
#include "notice.h"
#include "pci/internal.h"
#include "pci/pci.h"
#include <stdio.h>
#include <string.h>

#define NOTICE	  "opt/cerne/notice"
#define LONGEST	  255
#define FILES	  256 /* as many as are looked at */

#define SELECTOR  0x510
#define DATA	  0x511
#define DIRECTORY 0x19

/* Numbers are big-endian. */
struct entry {
	uint8_t size[4];
	uint8_t item[2];
	uint8_t reserved[2];
	char name[56];
};

/* Other machines may have something else at these ports. QEMU's host bridges bear this subsystem. */
static bool is_qemu(void)
{
	const struct pci_device *bridge = pci_devices();

	return bridge && bridge->bus == 0 && bridge->devfn == 0 &&
	       bridge->subsystem_vendor == 0x1af4 && bridge->subsystem == 0x1100;
}

static void read_data(void *to, size_t size)
{
	for (uint8_t *byte = to; size; size--)
		*byte++ = port_read8(DATA);
}

static uint32_t big_endian(const uint8_t bytes[4])
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static bool find_notice(struct entry *entry)
{
	uint8_t count[4];

	port_write16(SELECTOR, DIRECTORY);
	read_data(count, sizeof(count));
	for (uint32_t n = 0; n < big_endian(count) && n < FILES; n++) {
		read_data(entry, sizeof(*entry));
		if (!strncmp(entry->name, NOTICE, sizeof(entry->name)))
			return true;
	}
	return false;
}

void show_notice(void)
{
	struct entry entry;
	char text[LONGEST + 1] = "";
	uint32_t size;

	if (!is_qemu() || !find_notice(&entry))
		return;
	size = big_endian(entry.size);
	port_write16(SELECTOR, (uint16_t)(entry.item[0] << 8 | entry.item[1]));
	read_data(text, size < LONGEST ? size : LONGEST);
	printf("%s\n", text);
}
