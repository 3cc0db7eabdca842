/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/acpi.c
/*
 * ACPI tables made here in a piece of fake memory: good ones, then each kind of damage. Every table
 * that the parser maps is a heap block of just that length, so that a read outside is seen.
 */
#include "unit.h"
#include "boot/boot.h"
#include "console/console.h"

/* ---- fake memory ---- */

const void *acpi_map(paddr_t pa, size_t len);
void acpi_unmap(const void *p, size_t len);

#define BASE 0x7fe0000UL
#define SIZE 0x10000UL

struct boot_info boot_info;

static uint8_t memory[SIZE]; /* at machine address BASE */
static uint8_t low[0x100000];
static void *live[8]; /* what is mapped */
static unsigned int mapped;

const void *acpi_map(paddr_t pa, size_t len)
{
	const uint8_t *from;
	void *copy;

	if (pa + len <= sizeof(low))
		from = low + pa;
	else if (pa >= BASE && pa - BASE < SIZE && len <= SIZE - (pa - BASE))
		from = memory + (pa - BASE);
	else
		return NULL;
	copy = malloc(len);
	memcpy(copy, from, len);
	assert_true(mapped < 8);
	live[mapped++] = copy;
	return copy;
}

void acpi_unmap(const void *p, size_t len)
{
	unsigned int i;

	for (i = 0; i < mapped && live[i] != p; i++)
		;
	assert_true(i < mapped);
	live[i] = live[--mapped];
	free((void *)p);
}

static unsigned int warnings;

__attribute__((format(printf, 1, 2))) void printk(const char *fmt, ...)
{
	if (strncmp(fmt, LOG_WARN, 3) == 0)
		warnings++;
}

/* ---- making tables ---- */

static size_t end; /* of what is used in memory */

static void put(size_t at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		memory[at + i] = (uint8_t)(value >> 8 * i);
}

static void fix_sum(size_t at, size_t len, size_t sum_at)
{
	uint8_t sum = 0;

	memory[at + sum_at] = 0;
	for (size_t i = 0; i < len; i++)
		sum += memory[at + i];
	memory[at + sum_at] = -sum;
}

/* A table with this body; returns its offset. */
static size_t table(const char *signature, const void *body, size_t len)
{
	size_t at = end;

	memset(memory + at, 0, 36);
	memcpy(memory + at, signature, 4);
	put(at + 4, 36 + len, 4);
	memory[at + 8] = 3;
	memcpy(memory + at + 36, body, len);
	fix_sum(at, 36 + len, 9);
	end = at + 36 + len + 5; /* not aligned, on purpose */
	return at;
}

static size_t madt, fadt, dsdt, hpet, root, rsdp;

static const uint8_t madt_body[] = {
    0x00, 0x00, 0xe0, 0xfe, 1,	  0,	0,    0, /* local APIC, flags */
    0,	  8,	0,    0,    1,	  0,	0,    0, /* CPU 0 */
    0,	  8,	1,    2,    1,	  0,	0,    0, /* CPU 1, APIC id 2 */
    0,	  8,	2,    4,    0,	  0,	0,    0, /* disabled */
    0,	  8,	3,    0xff, 1,	  0,	0,    0, /* x2APIC's place holder */
    9,	  16,	0,    0,    0x23, 1,	0,    0,    1,	  0, 0, 0,
    7,	  0,	0,    0, /* x2APIC 0x123, ACPI id 7 */
    9,	  16,	0,    0,    2,	  0,	0,    0,    1,	  0, 0, 0,
    9,	  0,	0,    0,					   /* APIC id 2 again */
    1,	  12,	5,    0,    0,	  0,	0xc0, 0xfe, 0,	  0, 0, 0, /* IO-APIC */
    1,	  12,	6,    0,    0,	  0x10, 0xc0, 0xfe, 24,	  0, 0, 0, /* IO-APIC from GSI 24 */
    2,	  10,	0,    0,    2,	  0,	0,    0,    0,	  0,	   /* IRQ 0 is GSI 2 */
    2,	  10,	0,    9,    9,	  0,	0,    0,    0x0f, 0,	   /* IRQ 9 level low */
    2,	  10,	0,    5,    5,	  0,	0,    0,    0x0d, 0,	   /* IRQ 5 level high */
    4,	  6,	0xff, 0,    0,	  1,				   /* NMI */
    0x7f, 4,	1,    2,					   /* unknown */
};

/* Scope (\) { Name (_S5, Package () { 5, One, 0, 0 }) } with other things before. */
static const uint8_t dsdt_body[] = {
    0x08, 'A',	'B',  'C',  'D',  0x0a, 1,   '_', 'S', '5',  '_', /* a mere mention */
    0x10, 0x10, '\\', 0x00, 0x08, '_',	'S', '5', '_', 0x12, 0x07, 4, 0x0a, 5, 0x01, 0x00, 0x00};

static void make_fadt(void)
{
	uint8_t body[268 - 36] = {0};
	size_t at;

	at = fadt = table("FACP", body, sizeof(body));
	put(at + 40, BASE + dsdt, 4);
	put(at + 46, 9, 2);
	put(at + 48, 0xb2, 4);
	put(at + 52, 0xf1, 1);
	put(at + 64, 0x604, 4);
	put(at + 68, 0x704, 4);
	put(at + 76, 0x608, 4);
	put(at + 91, 4, 1);
	put(at + 108, 0x32, 1);
	put(at + 112, 1 << 10 | 1 << 8, 4);
	put(at + 116, 1, 1);
	put(at + 120, 0xcf9, 8);
	put(at + 128, 0x0f, 1);
	fix_sum(at, 268, 9);
}

static void make_root(bool xsdt)
{
	uint8_t body[64] = {0};
	size_t entries[] = {fadt, madt, hpet}, size = xsdt ? 8 : 4;

	root = table(xsdt ? "XSDT" : "RSDT", body, size * 3);
	for (size_t i = 0; i < 3; i++)
		put(root + 36 + i * size, BASE + entries[i], size);
	fix_sum(root, 36 + size * 3, 9);
	rsdp = end;
	end += 40;
	memset(memory + rsdp, 0, 36);
	memcpy(memory + rsdp, "RSD PTR ", 8);
	memory[rsdp + 15] = xsdt ? 2 : 0;
	put(rsdp + 16, xsdt ? 0 : BASE + root, 4);
	put(rsdp + 20, 36, 4);
	put(rsdp + 24, xsdt ? BASE + root : 0, 8);
	fix_sum(rsdp, 20, 8);
	fix_sum(rsdp, 36, 32);
	boot_info.rsdp = BASE + rsdp;
}

static void make(bool xsdt)
{
	uint8_t hpet_body[20] = {1, 0xa2, 0x86, 0x80, 0, 64, 0, 0, 0, 0, 0xd0, 0xfe};

	memset(memory, 0xcc, sizeof(memory));
	memset(low, 0, sizeof(low));
	memset(&boot_info, 0, sizeof(boot_info));
	end = 3;
	warnings = 0;
	hpet_body[7] = 0;
	madt = table("APIC", madt_body, sizeof(madt_body));
	dsdt = table("DSDT", dsdt_body, sizeof(dsdt_body));
	hpet = table("HPET", hpet_body, sizeof(hpet_body));
	make_fadt();
	make_root(xsdt);
}

/* Parse; all but the root table is unmapped again. */
static void parse(void)
{
	while (mapped) /* the root table of the time before */
		free(live[--mapped]);
	acpi_init();
	assert_true(mapped <= 1);
}

static int teardown(void **state)
{
	while (mapped)
		free(live[--mapped]);
	return 0;
}

/* ---- tests ---- */

static void check_good(void)
{
	assert_int_equal(acpi_info.cpus, 3);
	assert_int_equal(acpi_info.apic_id[0], 0);
	assert_int_equal(acpi_info.apic_id[1], 2);
	assert_int_equal(acpi_info.acpi_cpu_id[1], 1);
	assert_int_equal(acpi_info.apic_id[2], 0x123);
	assert_int_equal(acpi_info.acpi_cpu_id[2], 7);
	assert_int_equal(acpi_info.lapic, 0xfee00000);
	assert_int_equal(acpi_info.ioapics, 2);
	assert_int_equal(acpi_info.ioapic[1].id, 6);
	assert_int_equal(acpi_info.ioapic[1].address, 0xfec01000);
	assert_int_equal(acpi_info.ioapic[1].gsi_base, 24);
	assert_int_equal(acpi_info.overrides, 3);
	assert_int_equal(acpi_info.override[0].gsi, 2);
	assert_false(acpi_info.override[0].level || acpi_info.override[0].low);
	assert_true(acpi_info.override[1].level && acpi_info.override[1].low);
	assert_true(acpi_info.override[2].level && !acpi_info.override[2].low);
	assert_int_equal(acpi_info.hpet, 0xfed00000);
	assert_int_equal(acpi_info.pm_timer_port, 0x608);
	assert_true(acpi_info.pm_timer_32bit);
	assert_int_equal(acpi_info.pm1a_cnt, 0x604);
	assert_int_equal(acpi_info.pm1b_cnt, 0x704);
	assert_int_equal(acpi_info.reset_port, 0xcf9);
	assert_int_equal(acpi_info.reset_value, 0x0f);
	assert_int_equal(acpi_info.sci_irq, 9);
	assert_int_equal(acpi_info.smi_port, 0xb2);
	assert_int_equal(acpi_info.acpi_enable, 0xf1);
	assert_int_equal(acpi_info.rtc_century, 0x32);
	assert_true(acpi_info.s5_valid);
	assert_int_equal(acpi_info.s5_a, 5);
	assert_int_equal(acpi_info.s5_b, 1);
	assert_int_equal(warnings, 0);
}

static void test_good(void **state)
{
	for (int xsdt = 0; xsdt <= 1; xsdt++) {
		const uint8_t *t;

		make(xsdt);
		parse();
		check_good();
		t = acpi_find_table("HPET");
		assert_non_null(t);
		assert_memory_equal(t, "HPET", 4);
		acpi_unmap(t, 56);
		assert_null(acpi_find_table("MCFG"));
	}
}

static void test_bios_scan(void **state)
{
	/* In the BIOS's memory, then in the extended BIOS data area. */
	static const paddr_t places[] = {0xe0000, 0xfffd0, 0x9fc00, 0x9ffd0};

	for (size_t i = 0; i < 4; i++) {
		make(true);
		low[0x40e] = 0xc0;
		low[0x40f] = 0x9f;
		memcpy(low + places[i], memory + rsdp, 36);
		boot_info.rsdp = 0;
		parse();
		assert_int_equal(acpi_info.rsdp, places[i]);
		check_good();
	}
	make(true); /* not on a 16-byte boundary; on UEFI nobody looks */
	memcpy(low + 0xe0008, memory + rsdp, 36);
	boot_info.rsdp = 0;
	parse();
	assert_int_equal(acpi_info.cpus, 0);
	memcpy(low + 0xe0000, memory + rsdp, 36);
	boot_info.efi = true;
	parse();
	assert_int_equal(acpi_info.cpus, 0);
}

/* One bit turned over anywhere: what is damaged is missing, the rest is there, nothing is read outside. */
static void test_bit_flips(void **state)
{
	make(true);
	for (size_t at = 0; at < end; at++) {
		bool madt_hit = at >= madt && at < madt + 36 + sizeof(madt_body);

		memory[at] ^= 1 << at % 8;
		parse();
		if (madt_hit)
			assert_int_equal(acpi_info.cpus, 0);
		if (at >= dsdt && at < dsdt + 36 + sizeof(dsdt_body))
			assert_false(acpi_info.s5_valid);
		if (at >= rsdp && at < rsdp + 20)
			assert_true(acpi_info.cpus == 0);
		memory[at] ^= 1 << at % 8;
	}
	warnings = 0;
	parse();
	check_good();
}

/* Damage that a checksum does not show: any byte to any of some values, in any table. */
static void test_consistent_damage(void **state)
{
	static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff};
	struct {
		size_t at, len;
	} tables[] = {{madt, 36 + sizeof(madt_body)},
		      {fadt, 268},
		      {dsdt, 36 + sizeof(dsdt_body)},
		      {hpet, 56},
		      {root, 60}};

	make(true);
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < tables[i].len; k++)
			for (size_t v = 0; v < sizeof(values); v++) {
				make(true);
				memory[tables[i].at + k] = values[v];
				fix_sum(tables[i].at, tables[i].len, 9);
				parse();
				assert_true(acpi_info.cpus <= 64 && acpi_info.ioapics <= 16 &&
					    acpi_info.overrides <= 32);
				assert_true(acpi_info.s5_a < 8 && acpi_info.s5_b < 8);
			}
}

static void test_wrong_lengths(void **state)
{
	static const uint32_t lengths[] = {0, 8, 35, 36, 40, 43, 0x7fffffff, 0xffffffff, SIZE};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		make(true);
		put(madt + 4, lengths[i], 4);
		if (lengths[i] >= 10 && lengths[i] < 100)
			fix_sum(madt, lengths[i], 9);
		parse();
		assert_int_equal(acpi_info.cpus, 0);
		assert_int_equal(acpi_info.lapic, 0xfee00000);
		assert_true(acpi_info.s5_valid);
	}
	make(true); /* an entry of length 0 or 1 ends the walk, one that sticks out too */
	for (uint8_t len = 0; len < 2; len++) {
		memory[madt + 44 + 8 + 1] = len;
		fix_sum(madt, 36 + sizeof(madt_body), 9);
		parse();
		assert_int_equal(acpi_info.cpus, 1);
	}
	memory[madt + 44 + 8 + 1] = 250;
	fix_sum(madt, 36 + sizeof(madt_body), 9);
	parse();
	assert_int_equal(acpi_info.cpus, 1);
}

static void test_too_many(void **state)
{
	static uint8_t body[8 + 300 * 16 + 40 * 12 + 40 * 10];
	size_t at = 8;

	make(true);
	for (uint32_t i = 0; i < 300; i++, at += 16) {
		uint8_t cpu[16] = {9, 16, 0, 0, i, i >> 8, 0, 0, 1, 0, 0, 0, i, i >> 8, 0, 0};

		memcpy(body + at, cpu, 16);
	}
	for (int i = 0; i < 40; i++, at += 12)
		memcpy(body + at, (uint8_t[12]){1, 12, i}, 12);
	for (int i = 0; i < 40; i++, at += 10)
		memcpy(body + at, (uint8_t[10]){2, 10, 0, i % 16, i}, 10);
	madt = table("APIC", body, sizeof(body));
	make_root(true);
	parse();
	assert_int_equal(acpi_info.cpus, 64);
	assert_int_equal(acpi_info.ioapics, 16);
	assert_int_equal(acpi_info.overrides, 32);
}

/* _S5_ in forms that are right, and in ones that must not be taken. */
static void test_s5(void **state)
{
	static const struct {
		uint8_t aml[24];
		int len, a, b; /* a -1: none */
	} forms[] = {
	    {{8, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0}, 12, 0, 0},
	    {{8, '\\', '_', 'S', '5', '_', 0x12, 4, 2, 1, 1}, 11, 1, 1},
	    {{8, '_', 'S', '5', '_', 0x12, 6, 2, 0x0a, 7, 0x0a, 6}, 12, 7, 6},
	    {{8, '_', 'S', '5', '_', 0x12, 0x40, 0, 2, 0, 0}, 11, -1, 0}, /* length too short */
	    {{8, '_', 'S', '5', '_', 0x12, 0x45, 0, 2, 3 - 2, 0}, 11, 1, 0},
	    {{8, '_', 'S', '5', '_', 0x12, 8, 2, 0x0b, 5, 0, 0x0b, 5, 0},
	     13,
	     -1,
	     0}, /* sticks out */
	    {{8, '_', 'S', '5', '_', 0x12, 8, 2, 0x0b, 5, 0, 0x0b, 5, 0}, 14, 5, 5},
	    {{8, '_', 'S', '5', '_', 0x12, 12, 2, 0x0c, 4, 0, 0, 0, 0x0c, 3, 0, 0, 0}, 18, 4, 3},
	    {{8, '_', 'S', '5', '_', 0x12, 3, 1, 1}, 9, -1, 0},		    /* one element */
	    {{8, '_', 'S', '5', '_', 0x12, 5, 2, 0x0a, 8, 0}, 11, -1, 0},   /* 8 is no sleep type */
	    {{8, '_', 'S', '5', '_', 0x12, 5, 2, 0x0d, 'x', 0}, 11, -1, 0}, /* a string */
	    {{8, '_', 'S', '5', '_', 0x12, 3, 2, 0}, 9, -1, 0},		    /* cut */
	    {{8, '_', 'S', '5', '_', 0x12}, 6, -1, 0},
	    {{8, '_', 'S', '5', '_', 0x12, 0xc0}, 7, -1, 0},
	    {{8, '_', 'S', '5', '_'}, 5, -1, 0},
	    {{8, '_', 'S', '5', '_', 0x0a, 5, 0x12, 4, 2, 1, 1}, 12, -1, 0}, /* not a package */
	    {{'_', 'S', '5', '_', 0x12, 4, 2, 1, 1}, 9, -1, 0},		     /* no name */
	    {{8, '_', 'S', '4', '_', 0x12, 4, 2, 1, 1}, 10, -1, 0},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		make(true);
		dsdt = table("DSDT", forms[i].aml, forms[i].len);
		make_fadt();
		make_root(true);
		parse();
		if (acpi_info.s5_valid != (forms[i].a >= 0))
			fail_msg("form %zu: %d", i, acpi_info.s5_valid);
		if (acpi_info.s5_valid) {
			assert_int_equal(acpi_info.s5_a, forms[i].a);
			assert_int_equal(acpi_info.s5_b, forms[i].b);
		}
	}
}

static void test_s5_in_ssdt(void **state)
{
	static const uint8_t aml[] = {8, '_', 'S', '5', '_', 0x12, 4, 2, 1, 0};
	size_t first, second;

	make(true);
	dsdt = table("DSDT", "nothing", 7);
	make_fadt();
	first = table("SSDT", "nothing here", 12);
	second = table("SSDT", aml, sizeof(aml));
	madt = first;
	hpet = second;
	make_root(true);
	parse();
	assert_true(acpi_info.s5_valid);
	assert_int_equal(acpi_info.s5_a, 1);
}

/* Address registers in other spaces than I/O ports, extended fields, short and reduced tables. */
static void test_fadt_forms(void **state)
{
	make(true);
	put(fadt + 116, 0, 1);
	put(fadt + 120, 0x123456789aUL, 8);
	put(fadt + 172, 1, 1); /* extended PM1a control: other port */
	put(fadt + 176, 0x1804, 8);
	put(fadt + 184, 0,
	    1); /* extended PM1b control in memory: not supported, the old field holds */
	put(fadt + 188, 0xfed80000, 8);
	fix_sum(fadt, 268, 9);
	parse();
	assert_int_equal(acpi_info.reset_port, 0);
	assert_int_equal(acpi_info.reset_mmio, 0x123456789a);
	assert_int_equal(acpi_info.pm1a_cnt, 0x1804);
	assert_int_equal(acpi_info.pm1b_cnt, 0x704);

	put(fadt + 116, 2, 1);
	put(fadt + 120, 0x0000001f00030064UL, 8);
	fix_sum(fadt, 268, 9);
	parse();
	assert_int_equal(acpi_info.reset_pci, 0x1f << 11 | 3 << 8 | 0x64);
	assert_int_equal(acpi_info.reset_mmio, 0);

	put(fadt + 112, 1 << 20, 4); /* reduced hardware, no reset register */
	put(fadt + 244, 0, 1);
	put(fadt + 248, 0xfed10000, 8);
	fix_sum(fadt, 268, 9);
	parse();
	assert_true(acpi_info.hw_reduced && acpi_info.sleep_is_mmio);
	assert_int_equal(acpi_info.sleep_control, 0xfed10000);
	assert_int_equal(acpi_info.pm1a_cnt, 0);
	assert_int_equal(acpi_info.pm_timer_port, 0);
	assert_int_equal(acpi_info.reset_pci, 0);

	make(true); /* revision 1: ends before the flags' extensions */
	put(fadt + 4, 116, 4);
	fix_sum(fadt, 116, 9);
	parse();
	assert_int_equal(acpi_info.reset_port, 0);
	assert_int_equal(acpi_info.pm1a_cnt, 0x604);
	assert_true(acpi_info.s5_valid);
}

static void test_no_tables(void **state)
{
	make(true);
	boot_info.rsdp = 0;
	parse();
	assert_int_equal(acpi_info.cpus, 0);
	assert_null(acpi_find_table("APIC"));
	boot_info.rsdp = 0x1234567000; /* nothing there */
	parse();
	assert_null(acpi_find_table("APIC"));
	make(false); /* an RSDP of version 2 whose second sum is wrong falls back to the RSDT */
	memory[rsdp + 15] = 2;
	fix_sum(rsdp, 20, 8);
	parse();
	assert_int_equal(acpi_info.cpus, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bios_scan),
	    cmocka_unit_test(test_bit_flips),
	    cmocka_unit_test(test_consistent_damage),
	    cmocka_unit_test(test_wrong_lengths),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_s5),
	    cmocka_unit_test(test_s5_in_ssdt),
	    cmocka_unit_test(test_fadt_forms),
	    cmocka_unit_test(test_no_tables),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
