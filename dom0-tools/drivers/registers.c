/* SPDX-License-Identifier: MIT */
#include "drivers/registers.h"
#include "pci/pci.h"

uint32_t register_read32(const volatile void *base, uint32_t offset)
{
	return mmio_read32((const volatile char *)base + offset);
}

void register_write32(volatile void *base, uint32_t offset, uint32_t value)
{
	mmio_write32((volatile char *)base + offset, value);
}

uint64_t register_read64(const volatile void *base, uint32_t offset)
{
	uint64_t low = register_read32(base, offset);

	return low | (uint64_t)register_read32(base, offset + 4) << 32;
}

void register_write64(volatile void *base, uint32_t offset, uint64_t value)
{
	register_write32(base, offset, (uint32_t)value);
	register_write32(base, offset + 4, (uint32_t)(value >> 32));
}
