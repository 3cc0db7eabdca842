/* SPDX-License-Identifier: MIT */
/* Start of the machine: what GRUB handed over, ACPI tables, the first domain. */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "lib/types.h"

struct boot_module {
	paddr_t start;
	size_t size;
	char cmdline[1024]; /* its words, with a leading "placeholder" dropped */
};
#define MAX_BOOT_MODULES 16

struct boot_info {
	char loader[64];
	char cmdline[2048];
	struct boot_module module[MAX_BOOT_MODULES];
	unsigned int modules;
	paddr_t rsdp; /* machine address of a copy of the RSDP, 0: none */
	bool efi;
	paddr_t efi_system_table; /* of 64-bit UEFI, 0: none */
	struct {
		paddr_t address;
		uint32_t pitch, width, height;
		uint8_t bpp, type; /* Multiboot2: 1 RGB, 2 EGA text, 0xff: none */
		uint8_t red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
	} fb;
};
extern struct boot_info boot_info;

/* UEFI specification 7.2, EFI_MEMORY_DESCRIPTOR: UEFI's own memory map, for efi_init(); empty if it is too long. */
struct efi_memory_descriptor {
	uint32_t type, pad;
	uint64_t start, virt, pages, attributes;
};
#define MAX_EFI_MEMORY 512
extern struct efi_memory_descriptor efi_memory[MAX_EFI_MEMORY];
extern unsigned int efi_memory_count;

/* Multiboot2 information to out and memory_map: pure, host-tested. NULL, or what is wrong as the rest of a sentence.
 * Nothing in out points into info (the RSDP is copied), so info need not be kept. */
const char *multiboot2_parse(const void *info, size_t max, struct boot_info *out);
/* One range into memory_map (memory_map.c). False: more ranges than it holds. */
bool memory_map_add(paddr_t start, uint64_t size, uint32_t type);

/* Command line to options (lib/option.h). */
void option_parse(const char *cmdline);
struct option;
void option_parse_table(const char *cmdline, const struct option *table, size_t n);

/* Start boot_alloc(): reserve the image, boot_info's modules, page 0 and the page for starting CPUs. */
void boot_memory_init(void);
/* Page below 1 MiB for the code that starts the other CPUs, 0 if there is none; never freed. */
paddr_t boot_trampoline_page(void);

/* ACPI tables (acpi.c): find by signature a mapped table whose checksum holds, or NULL. */
const void *acpi_find_table(const char *signature);
void acpi_init(void); /* MADT, FADT, HPET into the structure below */
struct acpi_info {
	paddr_t rsdp;
	unsigned int cpus;
	uint32_t apic_id[64];
	uint32_t acpi_cpu_id[64];
	paddr_t lapic;
	unsigned int ioapics;
	struct {
		uint8_t id;
		paddr_t address;
		uint32_t gsi_base;
	} ioapic[16];
	unsigned int overrides;
	struct {
		uint8_t irq;
		uint32_t gsi;
		bool level, low;
	} override[32];
	paddr_t hpet;
	uint32_t pm_timer_port;
	bool pm_timer_32bit;
	uint32_t pm1a_cnt, pm1b_cnt, reset_port;
	paddr_t reset_mmio;
	uint16_t reset_pci; /* in bus 0: device << 11 | function << 8 | offset; 0: none */
	uint8_t reset_value;
	uint8_t sci_irq;
	/* Power off: sleep types from the _S5_ package. */
	bool s5_valid;
	uint8_t s5_a, s5_b;
	/* Writing acpi_enable to smi_port takes the machine from the firmware to ACPI mode; 0: none. */
	uint8_t acpi_enable;
	uint32_t smi_port;
	/* hw_reduced: no PM1 registers but a sleep control register, 0: none. */
	bool hw_reduced, sleep_is_mmio;
	paddr_t sleep_control;
	uint8_t rtc_century; /* index of the century in CMOS memory, 0: none */
};
extern struct acpi_info acpi_info;

/*
 * What firmware told at boot, for a first domain that asks (firmware.c). The addresses are the machine's; what is
 * there belongs to the firmware, as the memory map says.
 */
struct firmware_info {
	bool efi; /* the fields of UEFI are valid; without, those of a BIOS are */
	uint32_t efi_revision, efi_vendor_revision, efi_runtime_revision;
	uint16_t efi_vendor[64]; /* UTF-16, ends with 0 */
	paddr_t efi_config_tables;
	uint64_t efi_config_table_count;
	uint8_t kbd_shift_flags;
};
extern struct firmware_info firmware_info;
void firmware_info_init(void);

/* UEFI's runtime services (efi.c), in the order of their table: UEFI specification 4.5. */
enum efi_service {
	EFI_GET_TIME,
	EFI_SET_TIME,
	EFI_GET_WAKEUP_TIME,
	EFI_SET_WAKEUP_TIME,
	EFI_SET_VIRTUAL_ADDRESS_MAP,
	EFI_CONVERT_POINTER,
	EFI_GET_VARIABLE,
	EFI_GET_NEXT_VARIABLE_NAME,
	EFI_SET_VARIABLE,
	EFI_GET_NEXT_HIGH_MONOTONIC_COUNT,
	EFI_RESET_SYSTEM,
	EFI_UPDATE_CAPSULE,
	EFI_QUERY_CAPSULE_CAPABILITIES,
	EFI_QUERY_VARIABLE_INFO,
	NR_EFI_SERVICES
};
/* Map what the runtime services need and take their addresses, from the table at a machine address. */
void efi_init(paddr_t runtime_services);
bool efi_runtime_works(void);
/* The entry of UEFI's memory map that covers an address; NULL: none. */
const struct efi_memory_descriptor *efi_memory_at(paddr_t pa);
/*
 * Call a service, whose pointers may be the hypervisor's; at most five arguments. One call at a time is made: -EAGAIN:
 * another CPU makes one, ask again later. -EOPNOTSUPP: the services cannot be used (any more).
 */
int efi_call(enum efi_service service, const uint64_t args[5], uint64_t *status);

/* Build dom0 from module 0 and make its vCPU 0 ready (dom0.c). Ends by boot_fail() for bad images. */
void build_dom0(void);
/* Give the memory of .init sections and of all modules back. The caller must not be __init, nor run on the
 * boot stack. */
void discard_boot_memory(void);

#endif
