/* SPDX-License-Identifier: MIT */
/*
 * UEFI's runtime services. They are called at the addresses where they were loaded: SetVirtualAddressMap() is never
 * called, so that a kernel started after us finds them as we did. An address space of their own maps what the memory
 * map says they need, nothing else below the hypervisor's slots, and is loaded for the call alone; so what is
 * writable and executable there (one that does not tell code from data) is so for nobody else.
 */
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/types.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* UEFI specification 7.2 */
#define EFI_RUNTIME_CODE   5
#define EFI_MEMORY_WC	   0x2UL
#define EFI_MEMORY_WB	   0x8UL
#define EFI_MEMORY_XP	   0x4000UL
#define EFI_MEMORY_RO	   0x20000UL
#define EFI_MEMORY_RUNTIME (1UL << 63)
#define LOWER_HALF	   (1UL << 47)
#define TABLE_HEADER_SIZE  24
#define RUNTIME_SIGNATURE  0x56524553544e5552 /* "RUNTSERV" */

static const struct efi_memory_descriptor *memory;
static unsigned int memory_count;
static uint64_t *root; /* NULL: the services cannot be used */
static uint64_t service_address[NR_EFI_SERVICES];
static bool busy;

static paddr_t end_of(const struct efi_memory_descriptor *e)
{
	return e->start + (e->pages << PAGE_SHIFT);
}

/* Sane numbers, and an address that can be the same in an address space. */
static bool __init descriptor_fits(const struct efi_memory_descriptor *e)
{
	return !(e->start & ~PAGE_MASK) && e->start < LOWER_HALF && e->pages &&
	       e->pages <= (LOWER_HALF - e->start) >> PAGE_SHIFT;
}

const struct efi_memory_descriptor *efi_memory_at(paddr_t pa)
{
	for (unsigned int i = 0; i < memory_count; i++)
		if (pa >= memory[i].start && (pa - memory[i].start) >> PAGE_SHIFT < memory[i].pages)
			return &memory[i];
	return NULL;
}

bool efi_runtime_works(void)
{
	return READ_ONCE(root);
}

static unsigned int __init mapping_of(const struct efi_memory_descriptor *e)
{
	unsigned int flags = 0;

	if (!(e->attributes & EFI_MEMORY_RO))
		flags |= MAP_RW;
	if (e->type == EFI_RUNTIME_CODE && !(e->attributes & EFI_MEMORY_XP))
		flags |= MAP_EXEC;
	if (!(e->attributes & EFI_MEMORY_WB))
		flags |= e->attributes & EFI_MEMORY_WC ? MAP_WC : MAP_UNCACHED;
	return flags;
}

/* NULL, or why not. */
static const char *__init map_services(uint64_t *l4)
{
	for (unsigned int i = 0; i < memory_count; i++) {
		const struct efi_memory_descriptor *e = &memory[i];

		if (!(e->attributes & EFI_MEMORY_RUNTIME))
			continue;
		if (!descriptor_fits(e))
			return "the memory map is odd";
		/* What the firmware keeps is no memory of ours, whoever of the two maps says so. */
		for (unsigned int k = 0; k < memory_map_entries; k++)
			if (memory_map[k].type == E820_RAM && memory_map[k].start < end_of(e) &&
			    e->start < memory_map[k].end)
				return "the memory maps contradict each other";
		if (map_at_own_address(l4, e->start >> PAGE_SHIFT, e->pages, mapping_of(e)))
			return "there is too little memory";
	}
	return NULL;
}

static const char *__init take_services(paddr_t table)
{
	const struct efi_memory_descriptor *place = efi_memory_at(table);
	size_t size = TABLE_HEADER_SIZE + sizeof(service_address);
	const uint64_t *at;
	bool good;

	if (!place || end_of(place) - table < size)
		return "their table is not in the memory map";
	at = ioremap(table, size, 0);
	if (!at)
		return "there is too little memory";
	good = at[0] == RUNTIME_SIGNATURE;
	memcpy(service_address, (const char *)at + TABLE_HEADER_SIZE, sizeof(service_address));
	iounmap((void *)at, size);
	if (!good)
		return "their table has no signature";
	for (unsigned int i = 0; i < NR_EFI_SERVICES; i++) {
		place = efi_memory_at(service_address[i]);
		/* Older firmware ends the table earlier: what is behind it is no address of code. */
		if (!place || place->type != EFI_RUNTIME_CODE)
			service_address[i] = 0;
	}
	return NULL;
}

void __init efi_init(paddr_t runtime_services)
{
	const char *error = "there is too little memory";
	struct efi_memory_descriptor *copy = kzalloc(efi_memory_count * sizeof(*copy));
	uint64_t *l4 = alloc_pages(0, ALLOC_ZERO);

	if (copy && l4) {
		memcpy(copy, efi_memory, efi_memory_count * sizeof(*copy));
		memory = copy;
		memory_count = efi_memory_count;
		install_hv_slots(l4);
		error = map_services(l4) ?: take_services(runtime_services);
	}
	if (error)
		printk(LOG_WARN "UEFI's runtime services are not used: %s\n", error);
	else
		root = l4;
}

int efi_call(enum efi_service service, const uint64_t args[5], uint64_t *status)
{
	int rc;

	if (!efi_runtime_works() || !service_address[service])
		return -EOPNOTSUPP;
	if (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	rc = root ? firmware_call(root, service_address[service], args, status) : -EOPNOTSUPP;
	if (rc == -EFAULT) {
		printk(LOG_ERR "UEFI's runtime services are not used any more\n");
		WRITE_ONCE(root, NULL);
		rc = -EOPNOTSUPP;
	}
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
	return rc;
}
