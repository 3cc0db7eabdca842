/* SPDX-License-Identifier: MIT */
/* What the firmware left in memory for operating systems: read once, kept for the first domain. */
#include "boot/boot.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* UEFI specification 4.2 and 4.3: the table's header, then the fields. */
#define EFI_SYSTEM_TABLE_SIGNATURE 0x5453595320494249 /* "IBI SYST" */
struct efi_table_header {
	uint64_t signature;
	uint32_t revision, size, crc32, reserved;
};

struct efi_system_table {
	struct efi_table_header header;
	uint64_t vendor; /* addresses, all of them physical: virtual ones were never set */
	uint32_t vendor_revision, pad;
	uint64_t console_in_handle, console_in, console_out_handle, console_out;
	uint64_t error_out_handle, error_out;
	uint64_t runtime_services, boot_services;
	uint64_t config_table_count, config_tables;
};

/* The BIOS data area's byte with the shift keys, which interrupt 0x16 function 2 returns. */
#define BDA_SHIFT_FLAGS 0x417

struct firmware_info firmware_info;

/* A copy of what is at a physical address; false: nothing can be there. */
static bool __init read_physical(void *to, paddr_t from, size_t size)
{
	void *mapped = from ? ioremap(from, size, 0) : NULL;

	if (!mapped)
		return false;
	memcpy(to, mapped, size);
	iounmap(mapped, size);
	return true;
}

static void __init read_vendor(paddr_t from)
{
	const unsigned int max = ARRAY_SIZE(firmware_info.efi_vendor) - 1;

	/* A character at a time: what follows the string may be the end of memory. */
	for (unsigned int i = 0; i < max; i++) {
		uint16_t c;

		if (!read_physical(&c, from + i * sizeof(c), sizeof(c)) || c == 0)
			return;
		firmware_info.efi_vendor[i] = c;
	}
}

static void __init read_efi(void)
{
	struct efi_system_table table;
	struct efi_table_header runtime;

	if (!read_physical(&table, boot_info.efi_system_table, sizeof(table)) ||
	    table.header.signature != EFI_SYSTEM_TABLE_SIGNATURE)
		return;
	firmware_info.efi = true;
	firmware_info.efi_revision = table.header.revision;
	firmware_info.efi_vendor_revision = table.vendor_revision;
	firmware_info.efi_config_tables = table.config_tables;
	firmware_info.efi_config_table_count = table.config_table_count;
	if (read_physical(&runtime, table.runtime_services, sizeof(runtime))) {
		firmware_info.efi_runtime_revision = runtime.revision;
		efi_init(table.runtime_services);
	}
	if (table.vendor)
		read_vendor(table.vendor);
}

void __init firmware_info_init(void)
{
	if (boot_info.efi)
		read_efi();
	else
		read_physical(&firmware_info.kbd_shift_flags, BDA_SHIFT_FLAGS, 1);
}
