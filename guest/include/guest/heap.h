/* SPDX-License-Identifier: MIT */
/* The heap: an area at HEAP_BASE that grows and shrinks by pages, for a C library's malloc. */
#ifndef GUEST_HEAP_H
#define GUEST_HEAP_H

#include <stddef.h>
#include <guest/memory.h>

/* Move the end by so many bytes; returns where it was, or NULL without memory. What is gained is zeroed. */
void *heap_move_end(ptrdiff_t bytes);

/* Bytes of memory that it has now. */
size_t heap_size(void);

/* Data that is never executed, where the CPU can tell: PTE_DATA with PTE_NX if the hypervisor takes that. */
uint64_t pte_data_flags(void);

#endif
