/* SPDX-License-Identifier: MIT */
/*
 * The firmware's tables (5.2). They are the firmware's memory, which no domain writes; still nothing is read beyond the length
 * that a table has, and one with a wrong checksum does not exist.
 */
#include "firmware.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <public/platform.h>

#define ROOT_BYTES     20 /* of the root pointer, up to its first checksum */
#define ROOT_RSDT      16
#define ROOT_XSDT      24
#define ROOT_WHOLE     36
#define ROOT_REVISION  15
#define BIOS_AREA      0xe0000
#define BIOS_BYTES     0x20000

#define HEADER_BYTES   36 /* 5.2.6 */
#define HEADER_LENGTH  4
#define MOST_BYTES     (4u << 20)
#define MOST_TABLES    64

#define MADT_ENTRIES   44 /* 5.2.12 */
#define MADT_OVERRIDE  2
#define OVERRIDE_BYTES 10

struct table {
	const uint8_t *bytes;
	size_t length;
};
static struct table tables[MOST_TABLES];
static unsigned int table_count;
static uint64_t root_pointer;

static uint64_t get(const uint8_t *from, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | from[bytes];
	return value;
}

static bool sums_to_zero(const uint8_t *bytes, size_t count)
{
	uint8_t sum = 0;

	while (count--)
		sum = (uint8_t)(sum + *bytes++);
	return !sum;
}

/* Firmware's memory, to be looked at. NULL: the hypervisor does not let us. */
static const uint8_t *look(uint64_t address, size_t bytes)
{
	unsigned long pages = (address % PAGE_SIZE + bytes + PAGE_SIZE - 1) / PAGE_SIZE;
	const uint8_t *mapped =
	    frames_map(address / PAGE_SIZE, pages, PTE_READ_ONLY, DOMID_IO, NULL);

	return mapped ? mapped + address % PAGE_SIZE : NULL;
}

static void look_away(const uint8_t *mapped, size_t bytes)
{
	uintptr_t address = (uintptr_t)mapped;

	frames_unmap((void *)(address & ~(uintptr_t)(PAGE_SIZE - 1)),
		     (address % PAGE_SIZE + bytes + PAGE_SIZE - 1) / PAGE_SIZE);
}

/* Mapped for good, or NULL. */
static const uint8_t *map_table(uint64_t address, size_t *length)
{
	const uint8_t *table = address ? look(address, HEADER_BYTES) : NULL;

	if (!table)
		return NULL;
	*length = (size_t)get(table + HEADER_LENGTH, 4);
	look_away(table, HEADER_BYTES);
	if (*length < HEADER_BYTES || *length > MOST_BYTES)
		return NULL;
	table = look(address, *length);
	if (table && sums_to_zero(table, *length))
		return table;
	if (table)
		look_away(table, *length);
	return NULL;
}

static void add_tables(const uint8_t *root, size_t length, unsigned int size)
{
	for (size_t at = HEADER_BYTES; at + size <= length && table_count < MOST_TABLES;
	     at += size) {
		struct table *table = &tables[table_count];

		table->bytes = map_table(get(root + at, size), &table->length);
		if (table->bytes)
			table_count++;
	}
}

/* 5.2.5.3: what lists the tables, from the root pointer. */
static void read_root(const uint8_t *pointer)
{
	const uint8_t *root = NULL;
	unsigned int size = 8;
	size_t length;

	if (pointer[ROOT_REVISION] >= 2 && sums_to_zero(pointer, ROOT_WHOLE))
		root = map_table(get(pointer + ROOT_XSDT, 8), &length);
	if (!root) {
		size = 4;
		root = map_table(get(pointer + ROOT_RSDT, 4), &length);
	}
	if (root)
		add_tables(root, length, size);
}

static bool is_root_pointer(const uint8_t *bytes)
{
	return memcmp(bytes, "RSD PTR ", 8) == 0 && sums_to_zero(bytes, ROOT_BYTES);
}

/* 5.2.5.1; the other place, the BIOS's extended data, no firmware of this century uses. */
static void find_in_bios(void)
{
	const uint8_t *area = look(BIOS_AREA, BIOS_BYTES);

	for (size_t at = 0; area && at + ROOT_WHOLE <= BIOS_BYTES; at += 16)
		if (is_root_pointer(area + at)) {
			root_pointer = BIOS_AREA + at;
			read_root(area + at);
			break;
		}
	if (area)
		look_away(area, BIOS_BYTES);
}

/* 5.2.5.2: UEFI's list of tables: 16 bytes of name and 8 of address each. */
static bool find_in_uefi(void)
{
	static const uint8_t acpi2[16] = {0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
					  0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81};
	struct xen_platform_op op = {
	    .cmd = XENPF_firmware_info,
	    .interface_version = XENPF_INTERFACE_VERSION,
	    .u.firmware_info = {.type = XEN_FW_EFI_INFO, .index = XEN_FW_EFI_CONFIG_TABLE},
	};
	const uint8_t *list, *pointer;
	size_t count;

	if (hypercall_platform_op(&op))
		return false;
	count = op.u.firmware_info.u.efi_info.cfg.nent;
	if (!count || count > 1024)
		return true;
	list = look(op.u.firmware_info.u.efi_info.cfg.addr, count * 24);
	for (size_t n = 0; list && n < count; n++) {
		if (memcmp(list + n * 24, acpi2, sizeof(acpi2)) != 0)
			continue;
		pointer = look(get(list + n * 24 + 16, 8), ROOT_WHOLE);
		if (pointer && is_root_pointer(pointer)) {
			root_pointer = get(list + n * 24 + 16, 8);
			read_root(pointer);
		}
		if (pointer)
			look_away(pointer, ROOT_WHOLE);
		break;
	}
	if (list)
		look_away(list, count * 24);
	return true;
}

void acpi_start(void)
{
	if (!find_in_uefi())
		find_in_bios();
}

uint64_t acpi_root_pointer(void)
{
	return root_pointer;
}

const uint8_t *acpi_table(const char *signature, size_t *length)
{
	for (unsigned int n = 0; n < table_count; n++)
		if (memcmp(tables[n].bytes, signature, 4) == 0) {
			*length = tables[n].length;
			return tables[n].bytes;
		}
	return NULL;
}

/* Type and length begin each entry of the table of interrupt controllers. */
void acpi_isa_override(unsigned int irq, struct line_route *route)
{
	size_t length = 0, size;
	const uint8_t *madt = acpi_table("APIC", &length);

	for (size_t at = MADT_ENTRIES; madt && at + OVERRIDE_BYTES <= length; at += size) {
		const uint8_t *entry = madt + at;

		size = entry[1];
		if (size < 2)
			return;
		if (entry[0] != MADT_OVERRIDE || size < OVERRIDE_BYTES || entry[3] != irq)
			continue;
		/* The hypervisor has read it too, and set the line up so. */
		*route = (struct line_route){.gsi = (unsigned int)get(entry + 4, 4),
					     .level = (entry[8] >> 2 & 3) == 3,
					     .low = (entry[8] & 3) == 3,
					     .known = true};
		return;
	}
}
