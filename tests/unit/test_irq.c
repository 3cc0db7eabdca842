/* SPDX-License-Identifier: MIT */
// sources: hypervisor/irq/pirq.c hypervisor/irq/msi.c hypervisor/irq/pci.c hypervisor/lib/spinlock.c hypervisor/mm/range_set.c
// flags: -fno-sanitize=object-size
/*
 * Interrupts of devices on a machine of two CPUs: an IO-APIC of 24 lines, a device with MSI and MSI-X, one with
 * maskable MSI, one without any. Wherever the hardware is programmed to send an interrupt at any moment, a vector
 * must be waiting. The source is included for the sake of its per-CPU variable.
 */
#include "unit.h"
#include "boot/boot.h"
#include "domain/domain.h"
#include "irq/irq.c"
#include <public/event_channel.h>

#define CPUS  2
#define LINES 24
#define PORTS 64

struct cpu_info unit_cpu_info;
unsigned long percpu_offset[NR_CPUS];
cpumask_t cpu_online_mask = 3;
unsigned int nr_cpus = CPUS;
struct cpu_features cpu_features = {.phys_bits = 40};
spinlock_t pci_config_lock;

static struct domain domains[2];
static struct vcpu vcpus[2];
static irq_handler_t *handlers[256];
static unsigned int eois, events[PORTS], unmasked;
static bool port_masked;
static stime_t clock_now;
static struct timer *armed;
static unsigned int allocations, fail_allocation_after;
static char second_cpu[4096] __attribute__((aligned(64)));

/* ---- the rest of the hypervisor ---- */

void set_vector_handler(unsigned int vector, irq_handler_t *handler)
{
	handlers[vector] = handler;
}

void apic_eoi(void)
{
	eois++;
}

uint32_t apic_id_of(unsigned int cpu)
{
	return 2 * cpu;
}

struct vcpu *send_guest_pirq(struct domain *d, evtchn_port_t port)
{
	events[port]++;
	return d->vcpu[0];
}

struct vcpu *evtchn_vcpu(struct domain *d, evtchn_port_t port)
{
	return d->vcpu[0];
}

long evtchn_unmask_port(struct domain *d, evtchn_port_t port)
{
	unmasked++;
	return 0;
}

bool evtchn_port_is_masked(struct domain *d, evtchn_port_t port)
{
	return port_masked;
}

stime_t now(void)
{
	return clock_now;
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
	t->fn = fn;
	t->data = data;
}

void timer_set(struct timer *t, stime_t expires)
{
	t->expires = expires;
	armed = t;
}

void timer_stop(struct timer *t)
{
	if (armed == t)
		armed = NULL;
}

void *kzalloc(size_t size)
{
	if (fail_allocation_after && !--fail_allocation_after)
		return NULL;
	allocations++;
	return calloc(1, size);
}

void kfree(void *p)
{
	if (p)
		allocations--;
	free(p);
}

static uint64_t eoi_page[PAGE_SIZE / 8] __attribute__((aligned(4096)));
static unsigned int typed_refs;

int get_frame_and_type(mfn_t mfn, struct domain *d, enum page_type type)
{
	if (mfn != 7 || type != PT_WRITABLE)
		return -EINVAL;
	typed_refs++;
	return 0;
}

void put_frame_and_type(mfn_t mfn)
{
	assert_int_equal(mfn, 7);
	typed_refs--;
}

void *phys_to_virt(paddr_t pa)
{
	return eoi_page;
}

paddr_t virt_to_phys(const void *v)
{
	assert_ptr_equal(v, eoi_page);
	return 7 << PAGE_SHIFT;
}

/* RAM below 1 GiB. */
bool mfn_is_ram(mfn_t mfn)
{
	return mfn < 0x40000;
}

void console_key_register(char key, void (*fn)(char key), const char *help)
{
}

void printk(const char *fmt, ...)
{
}

void guest_log(const char *fmt, ...)
{
}

void panic(const char *fmt, ...)
{
	fail_msg("panic: %s", fmt);
	abort();
}

void smp_poll(void)
{
	fail_msg("a lock was held");
}

/* ---- hardware ---- */

static bool vector_waits(unsigned int cpu, unsigned int vector)
{
	return cpu < CPUS && per_cpu(vector_irq, cpu)[vector];
}

static struct {
	unsigned int vector, cpu, flags;
	bool owned, in_service;
} line[LINES];

unsigned int ioapic_gsi_count(void)
{
	return LINES;
}

/* Vector first, then CPU: a live line must find its vector in between, too. */
int ioapic_set(unsigned int gsi, unsigned int vector, unsigned int cpu, unsigned int flags)
{
	assert_true(gsi < LINES);
	if (!(flags & IOAPIC_MASKED)) {
		assert_true(vector_waits(line[gsi].cpu, vector));
		assert_true(vector_waits(cpu, vector));
	}
	line[gsi].vector = vector;
	line[gsi].cpu = cpu;
	line[gsi].flags = flags;
	return 0;
}

void ioapic_mask(unsigned int gsi, bool masked)
{
	line[gsi].flags = (line[gsi].flags & ~IOAPIC_MASKED) | (masked ? IOAPIC_MASKED : 0);
	if (!masked)
		assert_true(vector_waits(line[gsi].cpu, line[gsi].vector));
}

bool ioapic_owned(unsigned int gsi)
{
	return line[gsi].owned;
}

bool ioapic_in_service(unsigned int gsi)
{
	return line[gsi].in_service;
}

bool ioapic_exists(paddr_t base)
{
	return base == 0xfec00000;
}

/* As in QEMU: the timer on line 2, 9 by level. */
unsigned int isa_irq_to_gsi(unsigned int irq, bool *level, bool *low)
{
	*level = irq == 9;
	*low = false;
	return irq == 0 ? 2 : irq;
}

static struct {
	uint8_t bus, devfn;
	uint8_t space[256];
} function[3];
static uint32_t table[2048 * 4];
static unsigned int tables_mapped;

static uint8_t *config(const struct pci_device *dev, unsigned int reg)
{
	static uint8_t nothing[4];

	assert_int_equal(dev->segment, 0);
	assert_true(reg < 256);
	for (unsigned int i = 0; i < ARRAY_SIZE(function); i++)
		if (function[i].bus == dev->bus && function[i].devfn == dev->devfn)
			return &function[i].space[reg];
	memset(nothing, 0xff, sizeof(nothing));
	return nothing;
}

uint32_t pci_read32(const struct pci_device *dev, unsigned int reg)
{
	uint32_t value;

	assert_int_equal(reg & 3, 0);
	memcpy(&value, config(dev, reg), 4);
	return value;
}

uint16_t pci_read16(const struct pci_device *dev, unsigned int reg)
{
	uint16_t value;

	assert_int_equal(reg & 1, 0);
	memcpy(&value, config(dev, reg), 2);
	return value;
}

static unsigned int cpu_of(uint32_t address)
{
	assert_int_equal(address & 0xfff00fff, 0xfee00000);
	return (address >> 12 & 0xff) / 2;
}

/* Where MSI of function 0 or 1 goes, both with 64-bit addresses. */
static bool msi_waits(unsigned int n)
{
	uint32_t address;

	memcpy(&address, &function[n].space[0x54], 4);
	return !address || vector_waits(cpu_of(address), function[n].space[0x5c]);
}

/* Device 1's can be masked; 0's is live once it was written for the first time. */
static void check_msi(const struct pci_device *dev)
{
	static bool written;

	if (dev->devfn != function[0].devfn)
		return;
	if (!memcmp(&function[0].space[0x5c], "\0", 1))
		written = false;
	if (written)
		assert_true(msi_waits(0));
	written = msi_waits(0);
}

void pci_write32(const struct pci_device *dev, unsigned int reg, uint32_t value)
{
	assert_int_equal(reg & 3, 0);
	memcpy(config(dev, reg), &value, 4);
	check_msi(dev);
}

void pci_write16(const struct pci_device *dev, unsigned int reg, uint16_t value)
{
	assert_int_equal(reg & 1, 0);
	memcpy(config(dev, reg), &value, 2);
	check_msi(dev);
}

void *ioremap(paddr_t pa, size_t len, unsigned int flags)
{
	assert_int_equal(pa, 0xf0002000);
	assert_true(len <= sizeof(table));
	assert_int_equal(flags, MAP_RW | MAP_UNCACHED);
	tables_mapped++;
	return table;
}

void iounmap(void *p, size_t len)
{
	tables_mapped--;
}

const void *acpi_find_table(const char *signature)
{
	static uint8_t mcfg[44 + 16] = {[4] = 44 + 16, [47] = 0xb0, [55] = 0xff};

	assert_string_equal(signature, "MCFG");
	return mcfg;
}

static void put(unsigned int n, unsigned int reg, uint32_t value)
{
	memcpy(&function[n].space[reg], &value, 4);
}

#define DEV0   0x18
#define DEV1   0x20
#define DEV2   0x28
#define DEV0_B 1

static void make_devices(void)
{
	memset(function, 0, sizeof(function));
	memset(table, 0, sizeof(table));
	for (unsigned int n = 0; n < 3; n++) {
		function[n].bus = DEV0_B;
		function[n].devfn = (uint8_t)(DEV0 + 8 * n);
		put(n, 0, 0x10d38086);
	}
	/* 0: MSI at 0x50, MSI-X with 2048 entries at 0x70: memory BAR 0 of 64 bits, table at 0x2000 */
	put(0, 4, 0x00100002);
	put(0, 0x10, 0xf0000004);
	put(0, 0x34, 0x50);
	put(0, 0x50, 0x00a07005); /* asks for more messages than it is allowed later */
	put(0, 0x70, 0x07ff0011);
	put(0, 0x74, 0x2000);
	/* 1: maskable MSI, and a list of capabilities that is a ring */
	put(1, 4, 0x00100002);
	put(1, 0x34, 0x50);
	put(1, 0x50, 0x01805005);
	put(1, 0x60, ~0U);
}

static void be_cpu(unsigned int cpu)
{
	unit_cpu_info.cpu = cpu;
	unit_cpu_info.percpu_offset = percpu_offset[cpu];
}

static int setup(void **state)
{
	percpu_offset[1] = (unsigned long)(second_cpu - (char *)&percpu_vector_irq);
	memset(second_cpu, 0, sizeof(second_cpu));
	memset(percpu_vector_irq, 0, sizeof(percpu_vector_irq));
	be_cpu(0);
	make_devices();
	memset(line, 0, sizeof(line));
	for (unsigned int i = 0; i < LINES; i++)
		line[i].flags = IOAPIC_MASKED;
	line[4].owned = true;
	memset(domains, 0, sizeof(domains));
	memset(vcpus, 0, sizeof(vcpus));
	for (unsigned int i = 0; i < 2; i++) {
		domains[i].id = (domid_t)i;
		domains[i].max_vcpus = 1;
		domains[i].is_privileged = true;
		domains[i].vcpu[0] = &vcpus[i];
		vcpus[i].domain = &domains[i];
	}
	memset(events, 0, sizeof(events));
	memset(eoi_page, 0, sizeof(eoi_page));
	eois = unmasked = strays = typed_refs = 0;
	port_masked = false;
	armed = NULL;
	clock_now = 1000000000;
	irq_init();
	assert_int_equal(pci_device_add(0, DEV0_B, DEV0), 0);
	assert_int_equal(pci_device_add(0, DEV0_B, DEV1), 0);
	assert_int_equal(pci_device_add(0, DEV0_B, DEV2), 0);
	return 0;
}

static int teardown(void **state)
{
	pirq_destroy(&domains[0]);
	pirq_destroy(&domains[1]);
	assert_int_equal(typed_refs, 0);
	for (unsigned int v = 0; v < 256; v++)
		assert_true(!vector_waits(0, v) && !vector_waits(1, v));
	pci_device_remove(0, DEV0_B, DEV0);
	pci_device_remove(0, DEV0_B, DEV1);
	pci_device_remove(0, DEV0_B, DEV2);
	free(gsis);
	return 0;
}

static void come(unsigned int cpu, unsigned int vector)
{
	struct cpu_user_regs regs = {0};

	assert_non_null(handlers[vector]);
	be_cpu(cpu);
	handlers[vector](vector, &regs);
	be_cpu(0);
}

/* The device on a line asks for service; false while the line is masked. */
static bool interrupt(unsigned int gsi)
{
	if (line[gsi].flags & IOAPIC_MASKED)
		return false;
	come(line[gsi].cpu, line[gsi].vector);
	return true;
}

static void message(unsigned int entry)
{
	const uint32_t *e = &table[4 * entry];

	come(cpu_of(e[0]), e[2]);
}

static bool take(evtchn_port_t port)
{
	bool came = events[port] == 1;

	events[port] = 0;
	return came;
}

static long map(struct domain *d, int gsi, int pirq)
{
	return pirq_map_gsi(d, gsi, &pirq);
}

static int map_any(struct domain *d, int gsi)
{
	int pirq = -1;
	long rc = pirq_map_gsi(d, gsi, &pirq);

	return rc ? (int)rc : pirq;
}

static long map_msix(uint8_t devfn, uint32_t entry, int *pirq)
{
	struct msi_device dev = {.bus = DEV0_B, .devfn = devfn, .msix = true, .entry = entry};

	*pirq = -1;
	return pirq_map_msi(&domains[0], &dev, pirq);
}

static long map_msi(uint8_t devfn, int *pirq)
{
	struct msi_device dev = {.bus = DEV0_B, .devfn = devfn};

	*pirq = -1;
	return pirq_map_msi(&domains[0], &dev, pirq);
}

/* ---- lines ---- */

static void test_edge(void **state)
{
	struct domain *d = &domains[0];

	assert_int_equal(map(d, 12, 12), 0);
	assert_int_equal(pirq_bind(d, 12, 5, false), 0);
	assert_int_equal(line[12].flags, 0);
	assert_true(interrupt(12) && take(5));
	/* No word of the guest is needed for the next. */
	assert_true(interrupt(12) && take(5));
	assert_int_equal(eois, 2);
	assert_int_equal(pirq_eoi(d, 12), 0);
	pirq_unbind(d, 12);
	assert_true(line[12].flags & IOAPIC_MASKED);
	assert_int_equal(pirq_eoi(d, 12), -EINVAL);
}

static void test_level(void **state)
{
	struct domain *d = &domains[0];

	assert_int_equal(map(d, 20, 20), 0);
	assert_int_equal(pirq_bind(d, 20, 5, false), 0);
	assert_int_equal(line[20].flags, IOAPIC_LEVEL | IOAPIC_LOW);
	assert_true(interrupt(20) && take(5));
	assert_false(interrupt(20));
	assert_int_equal(pirq_eoi(d, 20), 0);
	assert_true(interrupt(20) && take(5));
	/* Closed while in service: the end of service must not let the line loose. */
	pirq_unbind(d, 20);
	assert_int_equal(pirq_eoi(d, 20), -EINVAL);
	assert_true(line[20].flags & IOAPIC_MASKED);
	assert_int_equal(pirq_bind(d, 20, 6, false), 0);
	assert_true(interrupt(20) && take(6) && !take(5));
	/* Unmapped while bound: silent, and the port can still be closed. */
	assert_int_equal(pirq_unmap(d, 20), 0);
	assert_true(line[20].flags & IOAPIC_MASKED);
	assert_int_equal(pirq_eoi(d, 20), -EINVAL);
	assert_int_equal(pirq_bind(d, 20, 7, false), -EPERM);
	pirq_unbind(d, 20);
	assert_int_equal(map(d, 20, 20), 0);
}

/* What was under way when its port closed raises nothing, and is acknowledged. */
static void test_late(void **state)
{
	struct domain *d = &domains[0];
	unsigned int vector;

	assert_int_equal(map(d, 12, 12), 0);
	assert_int_equal(pirq_bind(d, 12, 5, false), 0);
	vector = line[12].vector;
	pirq_unbind(d, 12);
	come(0, vector);
	assert_int_equal(eois, 1);
	assert_int_equal(strays, 1);
	assert_false(take(5));
}

static void test_numbers(void **state)
{
	struct domain *d = &domains[0];
	uint32_t reserved;

	assert_int_equal(pirq_bind(d, 12, 5, false), -EPERM);
	assert_int_equal(pirq_bind(d, LINES + 2 * 184, 5, false), -EINVAL);
	assert_int_equal(pirq_bind(d, ~0U, 5, false), -EINVAL);
	assert_int_equal(map(d, 0, 0), -EPERM);
	assert_int_equal(map(d, -1, 3), -EINVAL);
	assert_int_equal(map(d, LINES, 3), -EINVAL);
	assert_int_equal(map(d, 19, 100000), -EINVAL);
	assert_int_equal(map(d, 8, 8), 0);
	assert_int_equal(map(d, 8, 8), 0);
	assert_int_equal(map_any(d, 8), 8);
	assert_int_equal(map(d, 8, 9), -EEXIST);
	assert_int_equal(map(d, 9, 8), -EEXIST);
	assert_int_equal(map(d, 10, 30), 0);
	assert_int_equal(map_any(d, 10), 30);
	assert_int_equal(pirq_reserve(d, true, &reserved), 0);
	assert_int_equal(reserved, 16);
	assert_int_equal(pirq_reserve(d, true, &reserved), 0);
	assert_int_equal(reserved, 17);
	assert_int_equal(pirq_reserve(d, false, &reserved), 0);
	assert_int_equal(reserved, LINES + 2 * 184 - 1);
	assert_int_equal(map_any(d, 16), 16);
	assert_int_equal(pirq_unmap(d, -1), -EINVAL);
	assert_int_equal(pirq_unmap(d, 1 << 30), -EINVAL);
	assert_int_equal(pirq_unmap(d, 12), -EINVAL);
	assert_int_equal(pirq_unmap(d, 8), 0);
	assert_int_equal(pirq_unmap(d, 8), -EINVAL);
	/* The console's. */
	assert_int_equal(map(d, 4, 4), 0);
	assert_int_equal(pirq_bind(d, 4, 5, true), -EBUSY);
	assert_int_equal(pirq_status(d, 4), XENIRQSTAT_needs_eoi);
	assert_int_equal(pirq_status(d, LINES + 2 * 184), -EINVAL);
}

/* A domain without privilege binds a line that was mapped for it and permitted: both, and no other. */
static void test_permission(void **state)
{
	struct domain *first = &domains[0], *d = &domains[1];

	unit_cpu_info.vcpu = &vcpus[0];
	d->is_privileged = false;
	assert_int_equal(pirq_bind(d, 8, 5, true), -EPERM);
	assert_int_equal(pirq_bind(d, LINES + 32, 5, true), -EINVAL);
	assert_int_equal(pirq_eoi(d, 8), -EINVAL);
	assert_int_equal(map(d, 8, 8), 0);
	assert_int_equal(map(d, 9, 9), 0);
	assert_int_equal(pirq_bind(d, 8, 5, true), -EPERM);
	assert_int_equal(pirq_permit(d, LINES, true), -EINVAL);
	assert_int_equal(pirq_permit(d, ~0U, true), -EINVAL);
	/* The number is the caller's: its 30 is line 8. */
	assert_int_equal(map(first, 8, 30), 0);
	assert_int_equal(pirq_permit(d, 30, true), 0);
	assert_int_equal(pirq_bind(d, 8, 5, true), 0);
	assert_int_equal(pirq_bind(d, 9, 6, true), -EPERM);
	assert_int_equal(pirq_permit(d, 9, true), 0);
	assert_int_equal(pirq_permit(d, 9, false), 0);
	assert_int_equal(pirq_bind(d, 9, 6, true), -EPERM);
	pirq_destroy(d);
	/* Nothing begins with one that dies. */
	d->is_dying = true;
	assert_int_equal(map(d, 8, 8), -ENOMEM);
	range_set_free(&d->irq.lines);
	pirq_destroy(first);
}

static void test_setup(void **state)
{
	struct domain *d = &domains[0];

	assert_int_equal(gsi_setup(0, false, false), -EEXIST);
	assert_int_equal(gsi_setup(4, false, false), -EEXIST);
	assert_int_equal(gsi_setup(LINES, true, true), -EINVAL);
	assert_int_equal(gsi_setup(20, false, false), 0);
	assert_int_equal(gsi_setup(20, true, true), -EEXIST);
	assert_int_equal(map(d, 20, 20), 0);
	assert_int_equal(pirq_bind(d, 20, 5, false), 0);
	assert_int_equal(line[20].flags, 0);
	gsi_set_mode(20, true, true); /* not while it is bound */
	assert_true(interrupt(20) && interrupt(20));
	pirq_unbind(d, 20);
	gsi_set_mode(20, true, true);
	assert_int_equal(pirq_bind(d, 20, 5, false), 0);
	assert_int_equal(line[20].flags, IOAPIC_LEVEL | IOAPIC_LOW);
	/* What the firmware said of ISA's. */
	assert_int_equal(map(d, 9, 9), 0);
	assert_int_equal(pirq_bind(d, 9, 6, false), 0);
	assert_int_equal(line[9].flags, IOAPIC_LEVEL);
}

static void test_shared(void **state)
{
	struct domain *a = &domains[0], *b = &domains[1];

	assert_int_equal(map(a, 20, 20), 0);
	assert_int_equal(map(b, 20, 21), 0);
	assert_int_equal(pirq_bind(a, 20, 5, false), 0);
	assert_int_equal(pirq_bind(b, 21, 6, true), -EBUSY);
	pirq_unbind(a, 20);
	assert_int_equal(pirq_bind(a, 20, 5, true), 0);
	assert_int_equal(pirq_bind(b, 21, 6, false), -EBUSY);
	assert_int_equal(pirq_bind(b, 21, 6, true), 0);
	assert_int_equal(pirq_bind(b, 21, 7, true), -EEXIST);
	assert_int_equal(pirq_status(a, 20), XENIRQSTAT_needs_eoi | XENIRQSTAT_shared);
	assert_true(interrupt(20) && take(5) && take(6));
	/* Both have to answer; twice from one is not enough. */
	assert_int_equal(pirq_eoi(a, 20), 0);
	assert_int_equal(pirq_eoi(a, 20), 0);
	assert_false(interrupt(20));
	assert_int_equal(pirq_eoi(b, 21), 0);
	assert_true(interrupt(20));
	/* Whoever leaves owes nothing any more. */
	assert_int_equal(pirq_eoi(b, 21), 0);
	assert_false(interrupt(20));
	pirq_unbind(a, 20);
	take(5);
	take(6);
	assert_true(interrupt(20) && take(6) && !take(5));
	/* A domain that has ended is not told, and its line is quiet. */
	assert_int_equal(pirq_eoi(b, 21), 0);
	b->is_shut_down = true;
	assert_true(interrupt(20) && !take(6));
	assert_false(interrupt(20));
}

static void test_eoi_page(void **state)
{
	struct domain *d = &domains[0];

	assert_int_equal(map(d, 20, 40), 0);
	assert_int_equal(map(d, 12, 12), 0);
	assert_int_equal(pirq_bind(d, 40, 5, false), 0);
	assert_int_equal(pirq_set_eoi_page(d, 8, false), -EINVAL);
	eoi_page[0] = 1UL << 12;
	assert_int_equal(pirq_set_eoi_page(d, 7, true), 0);
	assert_int_equal(eoi_page[0], 1UL << 40 | 1UL << 12);
	assert_int_equal(pirq_set_eoi_page(d, 7, false), -EBUSY);
	assert_int_equal(pirq_bind(d, 12, 6, false), 0);
	assert_int_equal(eoi_page[0], 1UL << 40);
	assert_true(interrupt(20));
	assert_int_equal(pirq_eoi(d, 40), 0);
	assert_int_equal(unmasked, 1);
	/* The ancient way: all that the guest has not masked. */
	assert_true(interrupt(20));
	port_masked = true;
	pirq_eoi_unmasked(d);
	assert_false(interrupt(20));
	port_masked = false;
	pirq_eoi_unmasked(d);
	assert_true(interrupt(20));
}

/* ---- moving ---- */

static void test_follow(void **state)
{
	struct domain *d = &domains[0];
	unsigned int old, n;

	assert_int_equal(map(d, 12, 12), 0);
	assert_int_equal(pirq_bind(d, 12, 5, false), 0);
	old = line[12].vector;
	vcpus[0].sched.cpu = 1;
	/* The number is another's on the other CPU. */
	per_cpu(vector_irq, 1)[old] = &gsis[3];
	/* The next one is in use here, where the interrupt comes from. */
	per_cpu(vector_irq, 0)[old + 1] = &gsis[5];
	for (n = 0; line[12].cpu == 0 && n < 100; n++)
		assert_true(interrupt(12));
	assert_int_equal(n, AWAY_TO_MOVE);
	assert_int_equal(line[12].cpu, 1);
	assert_true(line[12].vector != old && line[12].vector != old + 1);
	assert_ptr_equal(per_cpu(vector_irq, 0)[old + 1], &gsis[5]);
	per_cpu(vector_irq, 0)[old + 1] = NULL;
	/* What was under way to the old place is still taken; when one has come to the new one, no more. */
	events[5] = 0;
	come(0, old);
	assert_true(take(5));
	come(0, line[12].vector);
	assert_true(take(5));
	assert_true(interrupt(12) && take(5));
	assert_false(vector_waits(0, old) || vector_waits(0, line[12].vector));
	come(0, old);
	assert_false(take(5));
	/* And back, with the same number, which is free. */
	vcpus[0].sched.cpu = 0;
	old = line[12].vector;
	for (n = 0; n < AWAY_TO_MOVE; n++)
		assert_true(interrupt(12));
	assert_int_equal(line[12].cpu, 0);
	assert_int_equal(line[12].vector, old);
	per_cpu(vector_irq, 1)[0x30] = NULL;
}

/* A line moves only while it is masked, and not before its EOI has arrived. */
static void test_follow_level(void **state)
{
	struct domain *d = &domains[0];

	assert_int_equal(map(d, 20, 20), 0);
	assert_int_equal(pirq_bind(d, 20, 5, false), 0);
	vcpus[0].sched.cpu = 1;
	line[20].in_service = true;
	for (unsigned int n = 0; n < 2 * AWAY_TO_MOVE; n++) {
		assert_true(interrupt(20));
		assert_int_equal(pirq_eoi(d, 20), 0);
		assert_int_equal(line[20].cpu, 0);
	}
	line[20].in_service = false;
	assert_true(interrupt(20));
	assert_int_equal(line[20].cpu, 0);
	assert_int_equal(pirq_eoi(d, 20), 0);
	assert_int_equal(line[20].cpu, 1);
	assert_true(interrupt(20));
	/* Its vCPU is elsewhere for long, but back when the answer comes. */
	assert_int_equal(pirq_eoi(d, 20), 0);
	vcpus[0].sched.cpu = 0;
	line[20].in_service = true;
	for (unsigned int n = 0; n < AWAY_TO_MOVE; n++) {
		assert_true(interrupt(20));
		assert_int_equal(pirq_eoi(d, 20), 0);
	}
	line[20].in_service = false;
	assert_true(interrupt(20));
	vcpus[0].sched.cpu = 1;
	assert_int_equal(pirq_eoi(d, 20), 0);
	for (unsigned int n = 0; n < 3; n++) {
		assert_true(interrupt(20));
		assert_int_equal(strays, 0);
		assert_int_equal(pirq_eoi(d, 20), 0);
	}
	/* Unbound in the middle: both places are given back (teardown looks). */
}

/* ---- messages ---- */

static void test_msix(void **state)
{
	int p, q;

	assert_int_equal(map_msix(DEV0, 2048, &p), -EINVAL);
	assert_int_equal(map_msix(DEV1, 0, &p), -ENODEV);
	assert_int_equal(map_msix(0x77, 0, &p), -ENODEV);
	assert_int_equal(map_msix(DEV0, 3, &p), 0);
	assert_int_equal(p, LINES + 2 * 184 - 1);
	assert_int_equal(table[15], 1);
	assert_int_equal(map_msix(DEV0, 3, &q), -EEXIST);
	assert_int_equal(msix_prepare(0, DEV0_B, DEV0), -EBUSY);
	assert_int_equal(pirq_bind(&domains[0], (unsigned int)p, 5, false), 0);
	assert_int_equal(table[15], 0);
	message(3);
	assert_true(take(5));
	/* The device forgets, and is told again. */
	memset(table, 0, sizeof(table));
	assert_int_equal(msi_restore(0, DEV0_B, DEV0), 0);
	message(3);
	assert_true(take(5));
	/* It follows its vCPU. */
	vcpus[0].sched.cpu = 1;
	for (unsigned int n = 0; n < AWAY_TO_MOVE; n++)
		message(3);
	assert_int_equal(cpu_of(table[12]), 1);
	assert_int_equal(table[15], 0);
	message(3);
	pirq_unbind(&domains[0], (unsigned int)p);
	assert_int_equal(table[15], 1);
	assert_int_equal(pirq_unmap(&domains[0], p), 0);
	assert_int_equal(msix_prepare(0, DEV0_B, DEV0), 0);
	assert_int_equal(msix_prepare(0, DEV0_B, DEV1), -ENODEV);
	assert_int_equal(map_msix(DEV0, 3, &q), 0);
	assert_int_equal(q, p);
}

/* Every vector of both CPUs, and not one more. */
static void test_exhaustion(void **state)
{
	unsigned int n, vectors = VECTOR_LAST_DYNAMIC - VECTOR_FIRST_DYNAMIC + 1;
	int p;

	for (n = 0; map_msix(DEV0, n, &p) == 0; n++)
		assert_int_equal(cpu_of(table[4 * n]), n / vectors);
	assert_int_equal(n, 2 * vectors);
	assert_int_equal(map_msix(DEV0, n, &p), -ENOSPC);
	assert_int_equal(map(&domains[0], 12, 12), 0);
	assert_int_equal(pirq_bind(&domains[0], 12, 5, false), -ENOSPC);
	/* The last that came, by its number, goes: there is room for one. */
	assert_int_equal(pirq_unmap(&domains[0], LINES + 2 * 184 - 1), 0);
	assert_int_equal(pirq_bind(&domains[0], 12, 5, false), 0);
	pirq_destroy(&domains[0]);
	fail_allocation_after = 1;
	assert_int_equal(map(&domains[0], 12, 12), -ENOMEM);
	fail_allocation_after = 0;
}

static void test_msi(void **state)
{
	int p, q;
	uint16_t data;

	assert_int_equal(map_msi(DEV2, &p), -ENODEV);
	assert_int_equal(map_msi(DEV0, &p), 0);
	assert_true(msi_waits(0));
	assert_int_equal(map_msi(DEV0, &q), -EEXIST);
	/* One message only is allowed. */
	assert_int_equal(function[0].space[0x52] & 0x70, 0);
	assert_int_equal(pirq_bind(&domains[0], (unsigned int)p, 5, false), 0);
	function[0].space[0x52] |= 1; /* the guest's part */
	vcpus[0].sched.cpu = 1;
	for (unsigned int n = 0; n < AWAY_TO_MOVE; n++)
		come(0, function[0].space[0x5c]);
	memcpy(&data, &function[0].space[0x5c], 2);
	assert_int_equal(function[0].space[0x55], 0x20); /* CPU 1's number in the address */
	come(1, data);
	/* It can't be masked: it may come unasked while unbound, and is switched off with its vector. */
	pirq_unbind(&domains[0], (unsigned int)p);
	come(1, data);
	assert_int_equal(strays, 0);
	assert_int_equal(pirq_unmap(&domains[0], p), 0);
	assert_int_equal(function[0].space[0x52] & 1, 0);
	come(1, data);
	assert_int_equal(strays, 1);

	assert_int_equal(map_msi(DEV1, &p), 0);
	assert_int_equal(function[1].space[0x60], 1);
	assert_int_equal(pirq_bind(&domains[0], (unsigned int)p, 6, false), 0);
	assert_int_equal(function[1].space[0x60], 0);
	/* The device is taken away, and comes back. */
	assert_int_equal(pci_device_remove(0, DEV0_B, DEV1), 0);
	assert_int_equal(pci_device_remove(0, DEV0_B, DEV1), -ENODEV);
	assert_int_equal(map_msi(DEV1, &q), -ENODEV);
	assert_int_equal(msi_restore(0, DEV0_B, DEV1), -ENODEV);
	assert_int_equal(pirq_unmap(&domains[0], p), 0);
	assert_int_equal(pci_device_add(0, DEV0_B, DEV1), 0);
	assert_int_equal(map_msi(DEV1, &q), 0);
}

/* Where the table is said to be, nothing of ours may be. */
static void test_table_address(void **state)
{
	static const uint32_t bad[] = {
	    0x00100000, /* RAM */
	    0x3fffc000, /* its end lies there */
	    0xfec00000 - 0x4000, 0xfee00000 - 0x2000, 0xfe000000 + 0xdfa000, 0xf0000001, /* ports */
	};
	struct msi_device dev = {.bus = DEV0_B, .devfn = DEV0, .msix = true};
	int p;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		put(0, 0x10, bad[i]);
		assert_int_equal(map_msix(DEV0, 0, &p), -EINVAL);
	}
	put(0, 0x10, 0xf0000004);
	put(0, 0x14, 0x100); /* beyond what the CPU can address */
	assert_int_equal(map_msix(DEV0, 0, &p), -EINVAL);
	put(0, 0x14, 0);
	put(0, 0x74, 0x2006); /* no such BAR */
	assert_int_equal(map_msix(DEV0, 0, &p), -EINVAL);
	put(0, 0x74, 0x2000);
	put(0, 4, 0x00100000); /* memory is off */
	assert_int_equal(map_msix(DEV0, 0, &p), -ENXIO);
	put(0, 4, 0x00100002);
	/* No address of its own: the one that is given. */
	put(0, 0x10, 0);
	p = -1;
	assert_int_equal(pirq_map_msi(&domains[0], &dev, &p), -EINVAL);
	dev.table_base = 0xf0000000;
	assert_int_equal(pirq_map_msi(&domains[0], &dev, &p), 0);
	/* It may not move under an entry that is in use. */
	put(0, 0x10, 0xe0000000);
	assert_int_equal(map_msix(DEV0, 1, &p), -EBUSY);
	assert_int_equal(tables_mapped, 1);
}

static void test_mmcfg(void **state)
{
	assert_int_equal(pci_mmcfg_check(0xb0000000, 0, 0, 0xff), 0);
	assert_int_equal(pci_mmcfg_check(0xb1000000, 0, 0, 0xff), -EIO);
	assert_int_equal(pci_mmcfg_check(0xb0000000, 1, 0, 0xff), -ENODEV);
}

/* ---- storms ---- */

static void test_storm(void **state)
{
	struct domain *d = &domains[0];
	unsigned int n;

	assert_int_equal(map(d, 12, 12), 0);
	assert_int_equal(pirq_bind(d, 12, 5, false), 0);
	/* Slower than that for as long as you like. */
	for (n = 0; n < 3 * STORM_COUNT; n++) {
		clock_now += STORM_TIME / STORM_COUNT + 1;
		assert_true(interrupt(12));
	}
	for (n = 0; interrupt(12) && n < 10 * STORM_COUNT; n++)
		clock_now += 500;
	assert_int_equal(n, STORM_COUNT);
	assert_non_null(armed);
	assert_true(armed->expires > clock_now);
	events[5] = 0;
	armed->fn(armed->data);
	/* An edge may have been lost. */
	assert_true(take(5));
	assert_true(interrupt(12) && take(5));
	/* Closed in a storm: the timer must not let it loose. */
	while (interrupt(12))
		;
	pirq_unbind(d, 12);
	armed->fn(armed->data);
	assert_false(interrupt(12));
	assert_int_equal(pirq_bind(d, 12, 6, false), 0);
	armed->fn(armed->data);
	assert_false(take(6));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_edge),	      TEST(test_level),	     TEST(test_late),
	    TEST(test_numbers),	      TEST(test_setup),	     TEST(test_shared),
	    TEST(test_eoi_page),      TEST(test_follow),     TEST(test_follow_level),
	    TEST(test_msix),	      TEST(test_exhaustion), TEST(test_msi),
	    TEST(test_table_address), TEST(test_mmcfg),	     TEST(test_storm),
	    TEST(test_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
