/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/acpi.c
// runs: 200000
/*
 * ACPI tables: the input is the machine's memory from 1 MiB on, the root pointer at its start. Sums are
 * put right for what looks like a table, since guessing them would keep the fuzzer outside.
 */
#include <stdlib.h>
#include <string.h>
#include "boot/boot.h"

#define BASE 0x100000UL

const void *acpi_map(paddr_t pa, size_t len);
void acpi_unmap(const void *p, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct boot_info boot_info;

static const uint8_t *memory;
static size_t memory_size;
static void *live[8]; /* what is mapped */
static unsigned int mapped;

static void fix(uint8_t *p, size_t len, size_t sum_at)
{
	uint8_t sum = 0;

	p[sum_at] = 0;
	for (size_t i = 0; i < len; i++)
		sum += p[i];
	p[sum_at] = -sum;
}

/* A copy of just that length: a read outside is seen. Its sum is right. */
const void *acpi_map(paddr_t pa, size_t len)
{
	uint8_t *copy;
	uint32_t length;

	if (pa < BASE || pa - BASE > memory_size || len > memory_size - (pa - BASE))
		return NULL;
	copy = malloc(len);
	memcpy(copy, memory + (pa - BASE), len);
	if (len >= 20 && memcmp(copy, "RSD PTR ", 8) == 0) {
		fix(copy, 20, 8);
		if (len >= 36)
			fix(copy, 36, 32);
	} else if (len >= 36) {
		memcpy(&length, copy + 4, 4);
		if (length == len)
			fix(copy, len, 9);
	}
	if (mapped == sizeof(live) / sizeof(live[0]))
		abort();
	live[mapped++] = copy;
	return copy;
}

void acpi_unmap(const void *p, size_t len)
{
	unsigned int i;

	for (i = 0; live[i] != p; i++)
		if (i == mapped)
			abort();
	live[i] = live[--mapped];
	free((void *)p);
}

void printk(const char *fmt, ...);
void printk(const char *fmt, ...)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const signatures[] = {"APIC", "FACP", "HPET", "SSDT", "MCFG"};
	const void *root_table;
	uint32_t length;

	memory = data;
	memory_size = size;
	memset(&boot_info, 0, sizeof(boot_info));
	boot_info.rsdp = BASE;
	boot_info.efi = true;
	acpi_init();
	if (mapped > 1 || acpi_info.cpus > 64 || acpi_info.ioapics > 16 ||
	    acpi_info.overrides > 32 || acpi_info.s5_a > 7 || acpi_info.s5_b > 7)
		abort();
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		root_table = acpi_find_table(signatures[i]);
		if (!root_table)
			continue;
		memcpy(&length, (const char *)root_table + 4, 4);
		acpi_unmap(root_table, length);
	}
	if (mapped > 1) /* the root table stays */
		abort();
	while (mapped)
		free(live[--mapped]);
	return 0;
}
