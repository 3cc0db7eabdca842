/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/pci/header.c
/* What devices say in their configuration space: a device of ours, that may lie, stands behind the registers. */
#include "unit.h"
#include "pci/internal.h"

static uint8_t space[256];
static uint32_t bar_mask[PCI_BARS]; /* which bits of a BAR can be written */
static unsigned int reads;

uint8_t pci_read8(const struct pci_device *device, unsigned int reg)
{
	reads++;
	return space[reg & 255];
}

uint16_t pci_read16(const struct pci_device *device, unsigned int reg)
{
	assert_int_equal(reg & 1, 0);
	assert_in_range(reg, 0, 254);
	reads++;
	return (uint16_t)(space[reg] | space[reg + 1] << 8);
}

uint32_t pci_read32(const struct pci_device *device, unsigned int reg)
{
	assert_int_equal(reg & 3, 0);
	return pci_read16(device, reg) | (uint32_t)pci_read16(device, reg + 2) << 16;
}

void pci_write8(const struct pci_device *device, unsigned int reg, uint8_t value)
{
	space[reg] = value;
}

void pci_write16(const struct pci_device *device, unsigned int reg, uint16_t value)
{
	pci_write8(device, reg, (uint8_t)value);
	pci_write8(device, reg + 1, (uint8_t)(value >> 8));
}

void pci_write32(const struct pci_device *device, unsigned int reg, uint32_t value)
{
	if (reg >= REG_BAR(0) && reg < REG_BAR(PCI_BARS)) {
		uint32_t mask = bar_mask[(reg - REG_BAR(0)) / 4];

		/* Decoding is off while addresses are all ones. */
		assert_false(pci_read16(device, PCI_REG_COMMAND) & 3);
		value = (value & mask) | (pci_read32(device, reg) & ~mask);
	}
	pci_write16(device, reg, (uint16_t)value);
	pci_write16(device, reg + 2, (uint16_t)(value >> 16));
}

static struct pci_device device;

static void fresh(void)
{
	memset(space, 0, sizeof(space));
	memset(bar_mask, 0, sizeof(bar_mask));
	device = (struct pci_device){.bus = 0xab, .devfn = 31 << 3 | 2};
	pci_write16(&device, REG_VENDOR, 0x8086);
	pci_write16(&device, REG_STATUS, STATUS_HAS_LIST);
	space[REG_CAPABILITIES] = 0x40;
}

static void capability(unsigned int at, uint8_t id, uint8_t next)
{
	space[at] = id;
	space[at + 1] = next;
}

static void test_describe(void **state)
{
	fresh();
	pci_write16(&device, REG_DEVICE, 0x2922);
	pci_write32(&device, REG_CLASS, 0x01060102);
	space[REG_HEADER] = 0x80;
	space[REG_PIN] = 7;
	assert_true(pci_describe(&device));
	assert_string_equal(device.address, "ab:1f.2");
	assert_int_equal(device.class, 0x010601);
	assert_int_equal(device.revision, 2);
	assert_int_equal(device.header, 0);
	assert_int_equal(device.pin, 0);
	pci_write16(&device, REG_VENDOR, 0xffff);
	assert_false(pci_describe(&device));
}

static void test_capabilities(void **state)
{
	fresh();
	capability(0x40, PCI_CAPABILITY_MSI, 0x50);
	capability(0x50, PCI_CAPABILITY_VENDOR, 0x63); /* the low two bits do not count */
	capability(0x60, PCI_CAPABILITY_VENDOR, 0);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_MSI, 0), 0x40);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_VENDOR, 0), 0x50);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_VENDOR, 0x50), 0x60);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_VENDOR, 0x60), 0);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_MSIX, 0), 0);
	pci_write16(&device, REG_STATUS, 0);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_MSI, 0), 0);
}

static void test_capabilities_end(void **state)
{
	/* A list that bites its tail, and one that leads into the header. */
	fresh();
	capability(0x40, PCI_CAPABILITY_VENDOR, 0x50);
	capability(0x50, PCI_CAPABILITY_MSI, 0x40);
	reads = 0;
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_MSIX, 0), 0);
	assert_in_range(reads, 1, 5);
	capability(0x50, PCI_CAPABILITY_MSI, 0x10);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_MSIX, 0), 0);
	/* The last one, at the very end. */
	capability(0x50, PCI_CAPABILITY_MSI, 0xfc);
	capability(0xfc, PCI_CAPABILITY_MSIX, 0);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_MSIX, 0), 0xfc);
	/* Whoever asks for all that follow gets each once. */
	capability(0x40, PCI_CAPABILITY_VENDOR, 0x40);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_VENDOR, 0), 0x40);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_VENDOR, 0x40), 0);
	capability(0x40, PCI_CAPABILITY_VENDOR, 0x50);
	capability(0x50, PCI_CAPABILITY_VENDOR, 0x40);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_VENDOR, 0x40), 0x50);
	assert_int_equal(pci_capability(&device, PCI_CAPABILITY_VENDOR, 0x50), 0);
}

static void bar(unsigned int n, uint32_t value, uint32_t mask)
{
	bar_mask[n] = 0xffffffff;
	pci_write32(&device, REG_BAR(n), value);
	bar_mask[n] = mask;
}

static void test_bars(void **state)
{
	fresh();
	bar(0, 0xc041, 0xffe0);		/* 32 ports, no upper half */
	bar(1, 0xfebf1000, 0xfffff000); /* 4 KiB */
	bar(2, 0x0000000c, 0xffffc000); /* 64 bits, 16 KiB, prefetchable, at 0x800000000 */
	bar(3, 0x8, 0xffffffff);
	bar(5, 0x4, 0); /* says 64 bits, and there is no next: nothing */
	pci_write16(&device, PCI_REG_COMMAND, 7);
	pci_size_bars(&device);
	assert_int_equal(pci_read16(&device, PCI_REG_COMMAND), 7);
	assert_true(device.bars[0].is_io);
	assert_int_equal(device.bars[0].address, 0xc040);
	assert_int_equal(device.bars[0].size, 32);
	assert_int_equal(device.bars[1].address, 0xfebf1000);
	assert_int_equal(device.bars[1].size, 4096);
	assert_int_equal(device.bars[2].address, 0x800000000);
	assert_int_equal(device.bars[2].size, 16384);
	assert_true(device.bars[2].is_64bit && device.bars[2].prefetchable);
	assert_int_equal(device.bars[3].size, 0);
	assert_int_equal(device.bars[4].size, 0);
	assert_int_equal(device.bars[5].size, 0);
	/* Back as they were. */
	assert_int_equal(pci_read32(&device, REG_BAR(1)), 0xfebf1000);
	assert_int_equal(pci_read32(&device, REG_BAR(3)), 8);
}

static void test_bars_that_lie(void **state)
{
	fresh();
	bar(0, 0, 0xff0ff000);		     /* bits with a hole: no size */
	bar(1, 0x1000, 0);		     /* an address that cannot be written: no size either */
	bar(2, 0x3000, 0xffffc000 | 0x1000); /* address not aligned to its size */
	pci_size_bars(&device);
	for (unsigned int n = 0; n < PCI_BARS; n++) {
		uint64_t size = device.bars[n].size;

		assert_int_equal(size & (size - 1), 0);
		if (size)
			assert_int_equal(device.bars[n].address & (size - 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_describe),	     cmocka_unit_test(test_capabilities),
	    cmocka_unit_test(test_capabilities_end), cmocka_unit_test(test_bars),
	    cmocka_unit_test(test_bars_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
