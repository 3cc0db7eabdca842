/* SPDX-License-Identifier: MIT */
/*
 * Registers of a device's mapped memory. These are functions of their own, not inline ones, so that tests on the host put
 * a made-up device in their place (registers.c is not linked there). Any context.
 */
#ifndef DRIVERS_REGISTERS_H
#define DRIVERS_REGISTERS_H

#include <stdint.h>

uint32_t register_read32(const volatile void *base, uint32_t offset);
void register_write32(volatile void *base, uint32_t offset, uint32_t value);
/* As two halves, the lower one first: what every controller accepts. */
uint64_t register_read64(const volatile void *base, uint32_t offset);
void register_write64(volatile void *base, uint32_t offset, uint64_t value);

#endif
