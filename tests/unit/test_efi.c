/* SPDX-License-Identifier: MIT */
/* UEFI's memory map and table of services, with what a firmware may have wrong in them; calls of what is there. */
// sources: hypervisor/boot/efi.c
#include "unit.h"
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "lib/errno.h"
#include "mm/mm.h"

#define RUNTIME (1UL << 63 | 8)
#define TABLE	0x5000UL
#define CODE	0x8000UL

struct efi_memory_descriptor efi_memory[MAX_EFI_MEMORY];
unsigned int efi_memory_count;
struct memory_range memory_map[MAX_MEMORY_RANGES];
unsigned int memory_map_entries;

static struct {
	mfn_t mfn;
	size_t nr;
	unsigned int flags;
} mapped[8];
static unsigned int n_mapped;
static uint64_t table[3 + NR_EFI_SERVICES];
static uint64_t called;
static int call_result;
static bool within;

void *kzalloc(size_t size)
{
	static struct efi_memory_descriptor copy[8]; /* of the map: it is kept for ever */

	assert_true(size <= sizeof(copy));
	return copy;
}

void *alloc_pages(unsigned int order, unsigned int flags)
{
	static uint64_t page[512];

	return page;
}

void install_hv_slots(uint64_t *l4)
{
}

int map_at_own_address(uint64_t *root, mfn_t mfn, size_t nr, unsigned int flags)
{
	assert_true(n_mapped < ARRAY_SIZE(mapped));
	mapped[n_mapped].mfn = mfn;
	mapped[n_mapped].nr = nr;
	mapped[n_mapped++].flags = flags;
	return 0;
}

void *ioremap(paddr_t pa, size_t len, unsigned int flags)
{
	assert_int_equal(pa, TABLE);
	assert_int_equal(len, sizeof(table));
	return table;
}

void iounmap(void *p, size_t len)
{
}

void printk(const char *fmt, ...)
{
}

int firmware_call(const uint64_t *root, uint64_t function, const uint64_t args[5], uint64_t *result)
{
	static const uint64_t none[5];
	uint64_t status;

	called = function;
	/* As if another CPU came while this one is in there. */
	if (within) {
		within = false;
		assert_int_equal(efi_call(EFI_GET_TIME, none, &status), -EAGAIN);
	}
	*result = args[0] + 1;
	return call_result;
}

static void describe(unsigned int i, uint32_t type, uint64_t start, uint64_t pages,
		     uint64_t attributes)
{
	efi_memory[i] = (struct efi_memory_descriptor){type, 0, start, 0, pages, attributes};
	efi_memory_count = max(efi_memory_count, i + 1);
}

/* A machine as it should be. */
static int set_up(void **state)
{
	efi_memory_count = n_mapped = 0;
	describe(0, 6, 0x4000, 4, RUNTIME);
	describe(1, 5, CODE, 8, RUNTIME);
	describe(2, 7, 0x100000, 0x1000, 8);
	describe(3, 11, 0xffc00000, 0x400, 1UL << 63 | 1); /* flash memory */
	memory_map[0] = (struct memory_range){0x100000, 0x1100000, E820_RAM};
	memory_map_entries = 1;
	table[0] = 0x56524553544e5552;
	for (unsigned int i = 0; i < NR_EFI_SERVICES; i++)
		table[3 + i] = CODE + 0x100 * i;
	call_result = 0;
	return 0;
}

static void refused(void)
{
	n_mapped = 0;
	efi_init(TABLE);
	assert_false(efi_runtime_works());
	set_up(NULL);
}

/* First: once they work nothing takes that back but a fault. */
static void test_odd(void **state)
{
	efi_memory_count = 0;
	refused();
	describe(1, 5, CODE + 1, 8, RUNTIME);
	refused();
	describe(1, 5, CODE, 0, RUNTIME);
	refused();
	describe(1, 5, CODE, UINT64_MAX, RUNTIME);
	refused();
	describe(3, 11, 1UL << 47, 1, RUNTIME);
	refused();
	describe(3, 11, (1UL << 47) - 0x1000, 2, RUNTIME);
	refused();
	memory_map[0].start = CODE + 0x1000; /* ours to use, and the firmware's */
	refused();
	table[0]++;
	refused();
	describe(0, 6, 0x4000, 1, RUNTIME); /* the table is not in it */
	refused();
}

static void test_calls(void **state)
{
	uint64_t args[5] = {41}, status = 0;

	table[3 + EFI_GET_VARIABLE] = 0x100000; /* no code of the firmware's */
	efi_init(TABLE);
	assert_true(efi_runtime_works());
	assert_int_equal(n_mapped, 3);
	assert_int_equal(mapped[0].mfn, 4);
	assert_int_equal(mapped[0].flags, MAP_RW);
	assert_int_equal(mapped[1].flags, MAP_RW | MAP_EXEC);
	assert_int_equal(mapped[2].nr, 0x400);
	assert_int_equal(mapped[2].flags, MAP_RW | MAP_UNCACHED);
	within = true;
	assert_int_equal(efi_call(EFI_SET_TIME, args, &status), 0);
	assert_int_equal(status, 42);
	assert_int_equal(called, CODE + 0x100);
	assert_int_equal(efi_call(EFI_GET_VARIABLE, args, &status), -EOPNOTSUPP);
	assert_non_null(efi_memory_at(0xffffffff));
	assert_null(efi_memory_at(0x100000000));
	assert_int_equal(efi_memory_at(CODE + 0x7fff)->type, 5);
	/* After a fault nothing is called again. */
	call_result = -EFAULT;
	assert_int_equal(efi_call(EFI_GET_TIME, args, &status), -EOPNOTSUPP);
	call_result = 0;
	called = 0;
	assert_int_equal(efi_call(EFI_GET_TIME, args, &status), -EOPNOTSUPP);
	assert_int_equal(called, 0);
	assert_false(efi_runtime_works());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_odd, set_up),
	    cmocka_unit_test_setup(test_calls, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
