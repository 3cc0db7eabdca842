/* SPDX-License-Identifier: MIT */
/* IO-APICs (82093AA data sheet) and the two 8259s, which are only silenced. */
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/x86.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "lib/spinlock.h"
#include "mm/mm.h"

#define IOREGSEL	     0
#define IOWIN		     4 /* 0x10 bytes */
#define REG_VERSION	     1
#define REG_REDIRECTION(pin) (0x10 + 2 * (pin))
#define REDIRECTION_LOW	     0x2000
#define REDIRECTION_IRR	     0x4000
#define REDIRECTION_LEVEL    0x8000
#define REDIRECTION_MASKED   0x10000

struct ioapic {
	volatile uint32_t *regs;
	paddr_t base;
	unsigned int gsi_base, pins;
	struct pin {
		uint32_t low; /* what the entry's low half was last written with */
		bool owned;   /* by ioapic_route() */
	} * pin;
};

static struct ioapic ioapics[ARRAY_SIZE(acpi_info.ioapic)];
static unsigned int nr_ioapics;
static unsigned int gsi_count;
static spinlock_t lock; /* leaf: the select register and read-modify-write of entries */

static uint32_t reg_read(const struct ioapic *io, unsigned int reg)
{
	io->regs[IOREGSEL] = reg;
	return io->regs[IOWIN];
}

static void reg_write(const struct ioapic *io, unsigned int reg, uint32_t value)
{
	io->regs[IOREGSEL] = reg;
	io->regs[IOWIN] = value;
}

static void low_write(const struct ioapic *io, unsigned int pin, uint32_t value)
{
	io->pin[pin].low = value;
	reg_write(io, REG_REDIRECTION(pin), value);
}

static struct ioapic *find(unsigned int gsi, unsigned int *pin)
{
	for (unsigned int i = 0; i < nr_ioapics; i++)
		if (gsi - ioapics[i].gsi_base < ioapics[i].pins) {
			*pin = gsi - ioapics[i].gsi_base;
			return &ioapics[i];
		}
	return NULL;
}

/* Vectors VECTOR_LEGACY to +15, all masked (8259A data sheet). */
void silence_8259s(void)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, VECTOR_LEGACY);
	outb(0xa1, VECTOR_LEGACY + 8);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void ioapic_init(void)
{
	for (unsigned int i = 0; i < acpi_info.ioapics && i < ARRAY_SIZE(ioapics); i++) {
		struct ioapic *io = &ioapics[nr_ioapics];

		io->base = acpi_info.ioapic[i].address;
		io->gsi_base = acpi_info.ioapic[i].gsi_base;
		io->regs = ioremap(io->base, 0x20, MAP_RW | MAP_UNCACHED);
		if (!io->regs || reg_read(io, REG_VERSION) == 0xffffffff) {
			printk(LOG_WARN "IO-APIC at %#lx can't be used\n", io->base);
			continue;
		}
		io->pins = (reg_read(io, REG_VERSION) >> 16 & 0xff) + 1;
		io->pin = kzalloc(io->pins * sizeof(*io->pin));
		if (!io->pin)
			panic("no memory for an IO-APIC");
		for (unsigned int pin = 0; pin < io->pins; pin++) {
			low_write(io, pin, REDIRECTION_MASKED);
			reg_write(io, REG_REDIRECTION(pin) + 1, 0);
		}
		gsi_count = max(gsi_count, io->gsi_base + io->pins);
		nr_ioapics++;
	}
	printk(LOG_INFO "IO-APIC: %u, %u interrupts\n", nr_ioapics, gsi_count);
}

unsigned int ioapic_gsi_count(void)
{
	return gsi_count;
}

int ioapic_set(unsigned int gsi, unsigned int vector, unsigned int cpu, unsigned int flags)
{
	unsigned int pin;
	struct ioapic *io = find(gsi, &pin);

	if (!io)
		return -EINVAL;
	spin_lock(&lock);
	low_write(io, pin,
		  vector | (flags & IOAPIC_LOW ? REDIRECTION_LOW : 0) |
		      (flags & IOAPIC_LEVEL ? REDIRECTION_LEVEL : 0) |
		      (flags & IOAPIC_MASKED ? REDIRECTION_MASKED : 0));
	reg_write(io, REG_REDIRECTION(pin) + 1, apic_id_of(cpu) << 24);
	spin_unlock(&lock);
	return 0;
}

int ioapic_route(unsigned int gsi, unsigned int vector, unsigned int cpu, bool level, bool low)
{
	unsigned int pin;
	struct ioapic *io = find(gsi, &pin);

	if (!io)
		return -EINVAL;
	io->pin[pin].owned = true;
	return ioapic_set(gsi, vector, cpu,
			  (level ? IOAPIC_LEVEL : 0) | (low ? IOAPIC_LOW : 0) | IOAPIC_MASKED);
}

bool ioapic_owned(unsigned int gsi)
{
	unsigned int pin;
	const struct ioapic *io = find(gsi, &pin);

	return io && io->pin[pin].owned;
}

/* No reading back: a line that comes once more before its mask has arrived does no harm. */
void ioapic_mask(unsigned int gsi, bool masked)
{
	unsigned int pin;
	struct ioapic *io = find(gsi, &pin);

	if (!io)
		return;
	spin_lock(&lock);
	low_write(io, pin,
		  (io->pin[pin].low & ~(uint32_t)REDIRECTION_MASKED) |
		      (masked ? REDIRECTION_MASKED : 0));
	spin_unlock(&lock);
}

bool ioapic_in_service(unsigned int gsi)
{
	unsigned int pin;
	const struct ioapic *io = find(gsi, &pin);
	uint32_t entry;

	if (!io)
		return false;
	spin_lock(&lock);
	entry = reg_read(io, REG_REDIRECTION(pin));
	spin_unlock(&lock);
	return entry & REDIRECTION_IRR;
}

bool ioapic_exists(paddr_t base)
{
	for (unsigned int i = 0; i < nr_ioapics; i++)
		if (ioapics[i].base == base)
			return true;
	return false;
}

/* Under no lock: pins are not added after boot. */
int ioapic_gsi_of(paddr_t base, unsigned int pin)
{
	for (unsigned int i = 0; i < nr_ioapics; i++)
		if (ioapics[i].base == base && pin < ioapics[i].pins)
			return (int)(ioapics[i].gsi_base + pin);
	return -EINVAL;
}

int ioapic_read(paddr_t base, unsigned int reg, uint32_t *value)
{
	for (unsigned int i = 0; i < nr_ioapics; i++)
		if (ioapics[i].base == base && reg <= 0xff) {
			spin_lock(&lock);
			*value = reg_read(&ioapics[i], reg);
			spin_unlock(&lock);
			return 0;
		}
	return -EINVAL;
}

unsigned int isa_irq_to_gsi(unsigned int irq, bool *level, bool *low)
{
	*level = false;
	*low = false;
	for (unsigned int i = 0; i < acpi_info.overrides; i++)
		if (acpi_info.override[i].irq == irq) {
			*level = acpi_info.override[i].level;
			*low = acpi_info.override[i].low;
			return acpi_info.override[i].gsi;
		}
	return irq;
}
