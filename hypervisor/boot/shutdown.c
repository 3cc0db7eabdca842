/* SPDX-License-Identifier: MIT */
/*
 * The end of the machine. Each way out ends in hardware that may not obey, so each has a next one,
 * and the last is to stop every CPU for good.
 */
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "lib/option.h"
#include "mm/mm.h"
#include "time/time.h"

#define RESTART_DELAY_MS 5000

/* PM1 control register (ACPI 4.8.3.2), sleep control register (4.8.3.7) */
#define SCI_EN		0x0001
#define SLP_TYP_SHIFT	10
#define SLP_EN		0x2000
#define SLEEP_TYP_SHIFT 2
#define SLEEP_EN	0x20

static bool noreboot;
BOOL_OPTION("noreboot", noreboot);

enum restart_way { RESTART_ACPI, RESTART_KEYBOARD, RESTART_PCI, RESTART_TRIPLE_FAULT };
static enum restart_way first_way = RESTART_ACPI;

static int parse_reboot(const char *value)
{
	while (*value) {
		switch (*value) {
		case 'a':
			first_way = RESTART_ACPI;
			break;
		case 'k':
			first_way = RESTART_KEYBOARD;
			break;
		case 'p':
			first_way = RESTART_PCI;
			break;
		case 't':
			first_way = RESTART_TRIPLE_FAULT;
			break;
		case 'n':
			noreboot = true;
			break;
		case 'w': /* the BIOS's memory test is of no interest to us */
		case 'c':
			break;
		default:
			return -EINVAL;
		}
		value = strchr(value, ',');
		if (!value)
			break;
		value++;
	}
	return 0;
}
CUSTOM_OPTION("reboot", parse_reboot, "acpi, kbd, pci, triple or no");

static bool audit_at_exit;

static int parse_audit(const char *value)
{
	if (strcmp(value, "exit") != 0 && strcmp(value, "no") != 0)
		return -EINVAL;
	audit_at_exit = value[0] == 'e';
	return 0;
}
CUSTOM_OPTION("audit", parse_audit, "exit");

/* Wait with the interval timer's channel 2 alone: works at any time of the boot. */
static void wait_ms(unsigned int ms)
{
	const unsigned int step = 10, count = 1193182 / 1000 * step;

	for (; ms >= step; ms -= step) {
		outb(0x61, (inb(0x61) & ~2) | 1); /* gate on, speaker off */
		outb(0x43, 0xb0); /* channel 2, both bytes, mode 0: output rises at 0 */
		outb(0x42, count & 0xff);
		outb(0x42, count >> 8);
		/* A machine without the chip reads as ones and does not wait: bounded either way. */
		for (unsigned int i = 0; i < 1000000 && !(inb(0x61) & 0x20); i++)
			cpu_relax();
	}
}

static void stop_others(void)
{
	irq_disable();
	if (cpu_online_mask & ~(1UL << smp_processor_id()))
		smp_stop_others();
}

static void __attribute__((noreturn)) halt_for_ever(void)
{
	console_flush();
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void audit(void)
{
	if (audit_at_exit) {
		audit_at_exit = false; /* once, should one way out lead to another */
		mm_audit();
	}
}

static void restart_acpi(void)
{
	if (acpi_info.reset_port) {
		outb(acpi_info.reset_port, acpi_info.reset_value);
	} else if (acpi_info.reset_mmio) {
		volatile uint8_t *reg = ioremap(acpi_info.reset_mmio, 1, MAP_RW | MAP_UNCACHED);

		if (reg)
			*reg = acpi_info.reset_value;
	} else if (acpi_info.reset_pci) {
		outl(0xcf8, 0x80000000U | (acpi_info.reset_pci & ~3U));
		outb(0xcfc + (acpi_info.reset_pci & 3), acpi_info.reset_value);
	} else {
		return;
	}
	wait_ms(100);
}

/* The keyboard controller's pulse on the CPU's reset line. */
static void restart_keyboard(void)
{
	for (unsigned int i = 0; i < 10 && (inb(0x64) & 2); i++)
		wait_ms(10);
	outb(0x64, 0xfe);
	wait_ms(100);
}

/* The chipset's reset control register: a full reset. */
static void restart_pci(void)
{
	uint8_t value = inb(0xcf9) & ~6;

	outb(0xcf9, value | 2);
	wait_ms(10);
	outb(0xcf9, value | 6);
	wait_ms(100);
}

static void restart_triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __packed no_idt = {0, 0};

	__asm__ volatile("lidt %0; int3" ::"m"(no_idt));
}

static void __attribute__((noreturn)) restart_now(void)
{
	static void (*const ways[])(void) = {restart_acpi, restart_keyboard, restart_pci,
					     restart_triple_fault};

	console_flush();
	ways[first_way]();
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++)
		ways[i]();
	halt_for_ever();
}

/* The last words of a machine that stays as it is. */
static void __attribute__((noreturn)) stop(const char *why)
{
	printk(LOG_ERR "Stopped (%s): switch the machine off or reset it\n", why);
	stop_others();
	halt_for_ever();
}

void machine_restart(void)
{
	irq_disable();
	audit();
	if (noreboot)
		stop("noreboot");
	printk(LOG_ERR "Restarting\n");
	stop_others();
	restart_now();
}

/* Into ACPI mode, if the firmware still has the machine (dom0 may never have asked). */
static void enable_acpi(void)
{
	if (inw(acpi_info.pm1a_cnt) & SCI_EN || !acpi_info.smi_port || !acpi_info.acpi_enable)
		return;
	outb(acpi_info.smi_port, acpi_info.acpi_enable);
	for (unsigned int i = 0; i < 300 && !(inw(acpi_info.pm1a_cnt) & SCI_EN); i++)
		wait_ms(10);
}

static void set_pm1(uint32_t port, uint8_t type)
{
	uint16_t value = inw(port) & ~(7U << SLP_TYP_SHIFT | SLP_EN);

	outw(port, value | type << SLP_TYP_SHIFT);
	outw(port, value | type << SLP_TYP_SHIFT | SLP_EN);
}

static void power_off_acpi(void)
{
	uint8_t sleep = acpi_info.s5_a << SLEEP_TYP_SHIFT | SLEEP_EN;

	if (!acpi_info.s5_valid)
		return;
	if (acpi_info.hw_reduced && acpi_info.sleep_control) {
		if (acpi_info.sleep_is_mmio) {
			volatile uint8_t *reg =
			    ioremap(acpi_info.sleep_control, 1, MAP_RW | MAP_UNCACHED);

			if (reg)
				*reg = sleep;
		} else {
			outb(acpi_info.sleep_control, sleep);
		}
	} else if (acpi_info.pm1a_cnt) {
		enable_acpi();
		set_pm1(acpi_info.pm1a_cnt, acpi_info.s5_a);
		if (acpi_info.pm1b_cnt)
			set_pm1(acpi_info.pm1b_cnt, acpi_info.s5_b);
	}
	wait_ms(1000);
}

void machine_power_off(void)
{
	irq_disable();
	audit();
	printk(LOG_ERR "Switching off\n");
	stop_others();
	console_flush();
	power_off_acpi();
	stop("this machine has no power switch that works");
}

void machine_halt(void)
{
	irq_disable();
	audit();
	stop("halt");
}

void machine_crashed(void)
{
	irq_disable();
	audit();
	machine_give_up();
}

void machine_give_up(void)
{
	if (noreboot)
		stop("noreboot");
	printk(LOG_ERR "Restarting in %u seconds; noreboot prevents this\n",
	       RESTART_DELAY_MS / 1000);
	stop_others();
	console_flush();
	wait_ms(RESTART_DELAY_MS);
	restart_now();
}

void boot_fail(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	format_va(text, sizeof(text), fmt, ap);
	va_end(ap);
	printk(LOG_ERR "%s\n", text);
	machine_give_up();
}
