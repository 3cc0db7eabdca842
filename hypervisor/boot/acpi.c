/* SPDX-License-Identifier: MIT */
/*
 * Static ACPI tables (ACPI 6.4, chapter 5). Everything in them is checked before it is used: lengths
 * against the mapping, entries against their table, sums. What is wrong is skipped; what is missing
 * stays 0 in acpi_info. Of the tables in AML only the _S5_ package is looked for.
 */
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* Numbers are little-endian and may lie at any address. */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision, creator_id, creator_revision;
} __packed;

/* Bigger tables exist on no machine; a length above is damage. */
#define TABLE_MAX      (4U << 20)
#define RSDP_V1_LENGTH 20
#define RSDP_V2_LENGTH 36
#define DEFAULT_LAPIC  0xfee00000

struct acpi_info acpi_info;

/* Root table: XSDT or RSDT. */
static const struct acpi_header *root;
static unsigned int root_entry_size;

static uint16_t get16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static uint8_t sum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t s = 0;

	while (len--)
		s += *p++;
	return s;
}

#ifndef UNIT_TEST
/* Memory is in the direct map; tables elsewhere (ACPI data, flash) get a mapping. */
static const void *acpi_map(paddr_t pa, size_t len)
{
	if (len == 0 || pa + len < pa || (pa + len - 1) >> cpu_features.phys_bits)
		return NULL;
	for (unsigned int i = 0; i < memory_map_entries; i++)
		if (memory_map[i].type == 1 && pa >= memory_map[i].start &&
		    pa + len <= memory_map[i].end)
			return phys_to_virt(pa);
	return ioremap(pa, len, 0);
}

static void acpi_unmap(const void *p, size_t len)
{
	if ((vaddr_t)p < DIRECTMAP_VIRT_START)
		iounmap((void *)p, len);
}
#else
/* The test's memory: NULL where there is none. */
const void *acpi_map(paddr_t pa, size_t len);
void acpi_unmap(const void *p, size_t len);
#endif

/* The table at pa, mapped whole, its sum checked; NULL if it is none. Signature NULL: any. */
static const struct acpi_header *map_table(paddr_t pa, const char *signature)
{
	const struct acpi_header *h = pa ? acpi_map(pa, sizeof(*h)) : NULL;
	uint32_t length;
	bool match;

	if (!h)
		return NULL;
	length = get32((const uint8_t *)&h->length);
	match = !signature || memcmp(h->signature, signature, 4) == 0;
	acpi_unmap(h, sizeof(*h));
	if (!match || length < sizeof(*h) || length > TABLE_MAX)
		return NULL;
	h = acpi_map(pa, length);
	if (!h)
		return NULL;
	/* Read again: what the sum covers must be what was mapped. */
	if (get32((const uint8_t *)&h->length) != length || sum(h, length) != 0) {
		printk(LOG_WARN "ACPI: table at %#lx has a wrong checksum\n", pa);
		acpi_unmap(h, length);
		return NULL;
	}
	return h;
}

static uint32_t table_length(const struct acpi_header *h)
{
	return get32((const uint8_t *)&h->length);
}

/* The n-th table with this signature in the root table. */
static const struct acpi_header *find_nth(const char *signature, unsigned int n)
{
	const uint8_t *entry, *end;

	if (!root)
		return NULL;
	entry = (const uint8_t *)(root + 1);
	end = (const uint8_t *)root + table_length(root);
	for (; (size_t)(end - entry) >= root_entry_size; entry += root_entry_size) {
		paddr_t pa = root_entry_size == 8 ? get64(entry) : get32(entry);
		const struct acpi_header *h = map_table(pa, signature);

		if (!h)
			continue;
		if (n-- == 0)
			return h;
		acpi_unmap(h, table_length(h));
	}
	return NULL;
}

const void *acpi_find_table(const char *signature)
{
	return find_nth(signature, 0);
}

static bool rsdp_ok(const uint8_t *p)
{
	return memcmp(p, "RSD PTR ", 8) == 0 && sum(p, RSDP_V1_LENGTH) == 0;
}

/* The structure on a 16-byte boundary of [start, end); 0: not there. */
static paddr_t scan_rsdp(paddr_t start, paddr_t end)
{
	const uint8_t *p = acpi_map(start, end - start);
	paddr_t found = 0;

	if (!p)
		return 0;
	for (paddr_t at = 0; !found && at + RSDP_V1_LENGTH <= end - start; at += 16)
		if (rsdp_ok(p + at))
			found = start + at;
	acpi_unmap(p, end - start);
	return found;
}

/* ACPI 5.2.5.1: the first KiB of the extended BIOS data area, then the BIOS's read-only memory. */
static paddr_t bios_rsdp(void)
{
	const uint8_t *p = acpi_map(0x40e, 2);
	paddr_t ebda = p ? (paddr_t)get16(p) << 4 : 0, found = 0;

	if (p)
		acpi_unmap(p, 2);
	if (ebda >= 0x80000 && ebda < 0xa0000)
		found = scan_rsdp(ebda, ebda + 1024);
	return found ? found : scan_rsdp(0xe0000, 0x100000);
}

static void find_root(void)
{
	const uint8_t *p;
	uint64_t xsdt = 0;
	uint32_t rsdt;

	acpi_info.rsdp = boot_info.rsdp;
	if (!acpi_info.rsdp && !boot_info.efi)
		acpi_info.rsdp = bios_rsdp();
	p = acpi_info.rsdp ? acpi_map(acpi_info.rsdp, RSDP_V1_LENGTH) : NULL;
	if (!p)
		return;
	if (!rsdp_ok(p)) {
		printk(LOG_WARN "ACPI: the root pointer is damaged\n");
		acpi_unmap(p, RSDP_V1_LENGTH);
		return;
	}
	rsdt = get32(p + 16);
	if (p[15] >= 2) {
		const uint8_t *v2 = acpi_map(acpi_info.rsdp, RSDP_V2_LENGTH);

		if (v2 && sum(v2, RSDP_V2_LENGTH) == 0)
			xsdt = get64(v2 + 24);
		if (v2)
			acpi_unmap(v2, RSDP_V2_LENGTH);
	}
	acpi_unmap(p, RSDP_V1_LENGTH);
	root_entry_size = 8;
	root = map_table(xsdt, "XSDT");
	if (!root) {
		root_entry_size = 4;
		root = map_table(rsdt, "RSDT");
	}
}

static void add_cpu(uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
	if (!(flags & 1)) /* not enabled */
		return;
	for (unsigned int i = 0; i < acpi_info.cpus; i++)
		if (acpi_info.apic_id[i] == apic_id)
			return;
	if (acpi_info.cpus == ARRAY_SIZE(acpi_info.apic_id)) {
		printk(LOG_WARN "ACPI: CPU with APIC id %u is one too many\n", apic_id);
		return;
	}
	acpi_info.apic_id[acpi_info.cpus] = apic_id;
	acpi_info.acpi_cpu_id[acpi_info.cpus++] = acpi_id;
}

static void add_ioapic(const uint8_t *e)
{
	unsigned int n = acpi_info.ioapics;

	if (n == ARRAY_SIZE(acpi_info.ioapic))
		return;
	acpi_info.ioapic[n].id = e[2];
	acpi_info.ioapic[n].address = get32(e + 4);
	acpi_info.ioapic[n].gsi_base = get32(e + 8);
	acpi_info.ioapics++;
}

static void add_override(const uint8_t *e)
{
	unsigned int n = acpi_info.overrides, flags = get16(e + 8);

	if (n == ARRAY_SIZE(acpi_info.override) || e[2] != 0 || e[3] > 15)
		return;
	/* "Conforms to the bus" is edge, active high on ISA. */
	acpi_info.override[n].irq = e[3];
	acpi_info.override[n].gsi = get32(e + 4);
	acpi_info.override[n].low = (flags & 3) == 3;
	acpi_info.override[n].level = (flags >> 2 & 3) == 3;
	acpi_info.overrides++;
}

/* ACPI 5.2.12 */
static void parse_madt(void)
{
	const struct acpi_header *madt = find_nth("APIC", 0);
	const uint8_t *e, *end;

	acpi_info.lapic = DEFAULT_LAPIC;
	if (!madt || table_length(madt) < 44)
		goto out;
	acpi_info.lapic = get32((const uint8_t *)madt + 36);
	e = (const uint8_t *)madt + 44;
	end = (const uint8_t *)madt + table_length(madt);
	for (; end - e >= 2 && e[1] >= 2 && e[1] <= end - e; e += e[1]) {
		uint8_t type = e[0], len = e[1];

		if (type == 0 && len >= 8 && e[3] != 0xff)
			add_cpu(e[3], e[2], get32(e + 4));
		else if (type == 1 && len >= 12)
			add_ioapic(e);
		else if (type == 2 && len >= 10)
			add_override(e);
		else if (type == 5 && len >= 12)
			acpi_info.lapic = get64(e + 4);
		else if (type == 9 && len >= 16)
			add_cpu(get32(e + 4), get32(e + 12), get32(e + 8));
	}
out:
	if (madt)
		acpi_unmap(madt, table_length(madt));
}

/* Generic address structures (ACPI 5.2.3.2) */
#define SPACE_MEMORY 0
#define SPACE_IO     1
#define SPACE_PCI    2

struct fadt {
	const uint8_t *p;
	uint32_t length;
};

/* Fields beyond the table's end read as 0: older revisions are shorter. */
static uint64_t field(const struct fadt *f, unsigned int offset, unsigned int size)
{
	if (offset + size > f->length)
		return 0;
	return size == 1   ? f->p[offset]
	       : size == 2 ? get16(f->p + offset)
	       : size == 4 ? get32(f->p + offset)
			   : get64(f->p + offset);
}

/* An I/O port from the extended field when it names one, else from the old one. */
static uint32_t port_field(const struct fadt *f, unsigned int old, unsigned int extended)
{
	uint64_t port = field(f, extended + 4, 8);

	if (port && port <= 0xffff && field(f, extended, 1) == SPACE_IO)
		return port;
	port = field(f, old, 4);
	return port <= 0xffff ? port : 0;
}

static void parse_reset(const struct fadt *f)
{
	uint64_t address = field(f, 120, 8);

	if (!(field(f, 112, 4) >> 10 & 1)) /* RESET_REG_SUP */
		return;
	acpi_info.reset_value = field(f, 128, 1);
	switch (field(f, 116, 1)) {
	case SPACE_IO:
		acpi_info.reset_port = address <= 0xffff ? address : 0;
		break;
	case SPACE_MEMORY:
		acpi_info.reset_mmio = address;
		break;
	case SPACE_PCI: /* bus 0; device, function and offset in 16 bits each */
		if ((address >> 32 & 0xffff) < 32 && (address >> 16 & 0xffff) < 8 &&
		    (address & 0xffff) < 256)
			acpi_info.reset_pci = (address >> 32 & 31) << 11 |
					      (address >> 16 & 7) << 8 | (address & 0xff);
		break;
	default:
		break;
	}
}

/* NameOp "_S5_" PackageOp PkgLength NumElements Integer Integer... (ACPI 20.2): at least two. */
static bool parse_s5(const uint8_t *p, const uint8_t *end, uint8_t type[2])
{
	const uint8_t *package_end;
	unsigned int more;
	size_t length;

	if (end - p < 1 || *p++ != 0x12)
		return false;
	if (end - p < 1)
		return false;
	package_end = p;
	more = p[0] >> 6;
	if ((size_t)(end - p) < 1 + more)
		return false;
	length = more ? p[0] & 0x0f : p[0] & 0x3f;
	for (unsigned int i = 1; i <= more; i++)
		length |= (size_t)p[i] << (8 * i - 4);
	if (length > (size_t)(end - package_end) || length < 1 + more + 1)
		return false;
	package_end += length;
	p += 1 + more;
	if (*p++ < 2)
		return false;
	for (int i = 0; i < 2; i++) {
		unsigned int size;

		if (p >= package_end)
			return false;
		switch (*p) {
		case 0x00: /* ZeroOp */
		case 0x01: /* OneOp */
			type[i] = *p++;
			continue;
		case 0x0a: /* byte, word, double and quad word */
		case 0x0b:
		case 0x0c:
		case 0x0e:
			size = *p == 0x0e ? 8 : 1U << (*p - 0x0a);
			break;
		default:
			return false;
		}
		if ((size_t)(package_end - p) < 1 + size)
			return false;
		type[i] = p[1];
		p += 1 + size;
	}
	return type[0] < 8 && type[1] < 8;
}

static bool scan_s5(const struct acpi_header *h)
{
	const uint8_t *p = (const uint8_t *)(h + 1), *end = (const uint8_t *)h + table_length(h);
	uint8_t type[2];

	for (const uint8_t *q = p; end - q >= 4; q++) {
		if (q[0] != '_' || memcmp(q, "_S5_", 4) != 0)
			continue;
		/* The name is given to something here, in the current or in the root scope. */
		if (!(q - p >= 1 && q[-1] == 0x08) &&
		    !(q - p >= 2 && q[-1] == '\\' && q[-2] == 0x08))
			continue;
		if (!parse_s5(q + 4, end, type))
			continue;
		acpi_info.s5_valid = true;
		acpi_info.s5_a = type[0];
		acpi_info.s5_b = type[1];
		return true;
	}
	return false;
}

static void find_s5(paddr_t dsdt)
{
	const struct acpi_header *h = map_table(dsdt, "DSDT");
	bool found = h && scan_s5(h);

	if (h)
		acpi_unmap(h, table_length(h));
	for (unsigned int n = 0; !found && (h = find_nth("SSDT", n)) != NULL; n++) {
		found = scan_s5(h);
		acpi_unmap(h, table_length(h));
	}
}

/* ACPI 5.2.9 */
static void parse_fadt(void)
{
	const struct acpi_header *h = find_nth("FACP", 0);
	struct fadt f;
	uint32_t flags;
	paddr_t dsdt;

	if (!h)
		return;
	f.p = (const uint8_t *)h;
	f.length = table_length(h);
	flags = field(&f, 112, 4);
	acpi_info.hw_reduced = flags >> 20 & 1;
	acpi_info.sci_irq = field(&f, 46, 2);
	acpi_info.rtc_century = field(&f, 108, 1) & 0x7f;
	parse_reset(&f);
	if (acpi_info.hw_reduced) {
		acpi_info.sleep_is_mmio = field(&f, 244, 1) == SPACE_MEMORY;
		if (acpi_info.sleep_is_mmio || field(&f, 244, 1) == SPACE_IO)
			acpi_info.sleep_control = field(&f, 248, 8);
		if (!acpi_info.sleep_is_mmio && acpi_info.sleep_control > 0xffff)
			acpi_info.sleep_control = 0;
	} else {
		if (field(&f, 91, 1) == 4)
			acpi_info.pm_timer_port = port_field(&f, 76, 208);
		acpi_info.pm_timer_32bit = flags >> 8 & 1;
		acpi_info.pm1a_cnt = port_field(&f, 64, 172);
		acpi_info.pm1b_cnt = port_field(&f, 68, 184);
		acpi_info.smi_port = field(&f, 48, 4) <= 0xffff ? field(&f, 48, 4) : 0;
		acpi_info.acpi_enable = field(&f, 52, 1);
	}
	dsdt = field(&f, 140, 8);
	if (!dsdt)
		dsdt = field(&f, 40, 4);
	find_s5(dsdt);
	acpi_unmap(h, f.length);
}

/* IA-PC HPET specification, 3.2.4 */
static void parse_hpet(void)
{
	const struct acpi_header *h = find_nth("HPET", 0);

	if (!h)
		return;
	if (table_length(h) >= 56 && ((const uint8_t *)h)[40] == SPACE_MEMORY)
		acpi_info.hpet = get64((const uint8_t *)h + 44);
	acpi_unmap(h, table_length(h));
}

/* What a person who looks into a machine's troubles asks for. */
static void tell_details(void)
{
	printk(LOG_DEBUG "ACPI: root pointer %#lx, local APIC %#lx, HPET %#lx, PM timer port %#x\n",
	       acpi_info.rsdp, acpi_info.lapic, acpi_info.hpet, acpi_info.pm_timer_port);
	for (unsigned int i = 0; i < acpi_info.ioapics; i++)
		printk(LOG_DEBUG "ACPI: IO-APIC %u at %#lx, from GSI %u\n", acpi_info.ioapic[i].id,
		       acpi_info.ioapic[i].address, acpi_info.ioapic[i].gsi_base);
	for (unsigned int i = 0; i < acpi_info.overrides; i++)
		printk(LOG_DEBUG "ACPI: IRQ %u is GSI %u, %s, active %s\n",
		       acpi_info.override[i].irq, acpi_info.override[i].gsi,
		       acpi_info.override[i].level ? "level" : "edge",
		       acpi_info.override[i].low ? "low" : "high");
	printk(LOG_DEBUG
	       "ACPI: power off by port %#x, types %u and %u; reset by port %#x, value %#x\n",
	       acpi_info.pm1a_cnt, acpi_info.s5_a, acpi_info.s5_b, acpi_info.reset_port,
	       acpi_info.reset_value);
}

void acpi_init(void)
{
	acpi_info = (struct acpi_info){.lapic = DEFAULT_LAPIC};
	root = NULL;
	find_root();
	if (!root) {
		printk(LOG_WARN "ACPI: no tables; one CPU, no power off\n");
		return;
	}
	parse_madt();
	parse_fadt();
	parse_hpet();
	printk(LOG_INFO "ACPI: %u CPUs, %u IO-APICs%s%s%s\n", acpi_info.cpus, acpi_info.ioapics,
	       acpi_info.hpet ? ", HPET" : "", acpi_info.pm_timer_port ? ", PM timer" : "",
	       acpi_info.s5_valid ? ", power off" : "");
	tell_details();
}
