/* SPDX-License-Identifier: MIT */
/*
 * I/O ports of guests. Whether the current mode may use a port at all is the guest kernel's matter
 * (set_iopl, set_iobitmap): without permission the instruction is #GP. Whether there is anything behind
 * the port is ours: dom0 reaches the hardware, except what the hypervisor drives itself; another domain the ports
 * that the tools permit it. For whom a port is not there it does not exist.
 */
#include "pv/internal.h"
#include "boot/boot.h"
#include "console/console.h"
#include "irq/irq.h"
#include "lib/errno.h"
#include "lib/lib.h"

#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND   0x43
#define PM1_SLP_EN    0x2000 /* ACPI 4.8.4.2.1 */

/* The interrupt controllers, masked for good; the timer's channels that a kernel could want as its own. */
static const struct {
	uint16_t first, last;
} owned[] = {
    {0x20, 0x21},
    {0xa0, 0xa1},
    {0x40, 0x41},
};

static bool owned_by_hypervisor(unsigned int port)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(owned); i++)
		if (port >= owned[i].first && port <= owned[i].last)
			return true;
	return console_owns_port((uint16_t)port);
}

long pv_ports_permit(struct domain *d, uint64_t first, uint64_t count, bool allow)
{
	if (first + count > 0x10000)
		return -EINVAL;
	return count ? range_set_change(&d->ports, first, first + count - 1, allow) : 0;
}

static bool reaches_hardware(const struct domain *d, unsigned int port, unsigned int bytes)
{
	if (port + bytes > 0x10000 ||
	    (!d->is_privileged && !range_set_has(&d->ports, port, port + bytes - 1)))
		return false;
	for (unsigned int i = 0; i < bytes; i++)
		if (owned_by_hypervisor(port + i))
			return false;
	return true;
}

/* The hypervisor uses PCI's configuration ports itself: one access at a time. */
static bool is_pci_config(uint16_t port)
{
	return (port & ~7U) == 0xcf8;
}

static uint32_t in(uint16_t port, unsigned int bytes)
{
	switch (bytes) {
	case 1:
		return inb(port);
	case 2:
		return inw(port);
	default:
		return inl(port);
	}
}

static void out(uint16_t port, unsigned int bytes, uint32_t value)
{
	switch (bytes) {
	case 1:
		outb(port, (uint8_t)value);
		break;
	case 2:
		outw(port, (uint16_t)value);
		break;
	default:
		outl(port, value);
		break;
	}
}

uint32_t pv_port_read(const struct domain *d, uint16_t port, unsigned int bytes)
{
	uint32_t value;

	if (!reaches_hardware(d, port, bytes))
		return UINT32_MAX;
	if (likely(!is_pci_config(port)))
		return in(port, bytes);
	spin_lock(&pci_config_lock);
	value = in(port, bytes);
	spin_unlock(&pci_config_lock);
	return value;
}

/* Sleep states are entered by hypercall alone, so that the hypervisor ends in order. */
static bool enters_sleep(uint16_t port, uint32_t value)
{
	return (port == acpi_info.pm1a_cnt || port == acpi_info.pm1b_cnt) && value & PM1_SLP_EN;
}

void pv_port_write(const struct domain *d, uint16_t port, unsigned int bytes, uint32_t value)
{
	if (!reaches_hardware(d, port, bytes) || enters_sleep(port, value))
		return;
	/* Of the timer dom0 has channel 2, the speaker's. */
	if (port == PIT_COMMAND && (value & 0xff) >> 6 != 2)
		return;
	if (likely(!is_pci_config(port))) {
		out(port, bytes, value);
		return;
	}
	spin_lock(&pci_config_lock);
	out(port, bytes, value);
	spin_unlock(&pci_config_lock);
}

/* The bitmap is the kernel's memory: seen in its page tables even when its user asks. */
static bool bitmap_permits(struct vcpu *v, unsigned int port, unsigned int bytes)
{
	bool user = !v->pv.kernel_mode;
	uint8_t bits[2] = {0xff, 0xff};
	int rc;

	if (port + bytes > v->pv.iobmp_bits)
		return false;
	if (user) {
		v->pv.kernel_mode = true;
		load_guest_cr3(v);
	}
	/* The second byte only when it is needed: it may lie beyond the end. */
	rc = copy_from_guest(bits, v->pv.iobmp + port / 8, (port % 8 + bytes > 8) ? 2 : 1);
	if (user) {
		v->pv.kernel_mode = false;
		load_guest_cr3(v);
	}
	if (rc)
		return false;
	return !(((unsigned int)bits[0] | (unsigned int)bits[1] << 8) >> port % 8 &
		 ((1U << bytes) - 1));
}

bool pv_port_permitted(struct vcpu *v, uint16_t port, unsigned int bytes)
{
	if (v->pv.iopl >= (v->pv.kernel_mode ? 1U : 3U))
		return true;
	return unlikely(v->pv.iobmp_bits) && bitmap_permits(v, port, bytes);
}
