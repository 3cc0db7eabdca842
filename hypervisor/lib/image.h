/* SPDX-License-Identifier: MIT */
/*
 * What the linker (hypervisor.lds.S) lays out, in ascending order. Every region starts on a page:
 *
 *	text	 read-only, executable
 *	rodata	 read-only: constants, option table, fixup table
 *	data	 read-write: variables, CPU 0's copy of the per-CPU variables, zeroed variables
 *	init	 code and data of the start, given back by discard_boot_memory()
 *	symbols	 read-only: names of functions, for backtraces
 *
 * From pagetable_init() on text and rodata can be written through no mapping: patch code before.
 */
#ifndef LIB_IMAGE_H
#define LIB_IMAGE_H

#include "lib/types.h"
#include "lib/option.h"

extern char image_start[], image_end[];
extern char text_start[], text_end[];
extern char rodata_start[], rodata_end[];
extern char data_start[], data_end[];
extern char percpu_start[], percpu_end[];
extern char bss_start[], bss_end[];
extern char init_start[], init_text_end[], init_end[];

extern const struct option options_start[], options_end[];

/*
 * Instructions that may fault, and where to go on: section .fixup. Each member is relative to its own
 * address, so that the table is position independent. In assembly:
 *	.pushsection .fixup, "a"; .balign 4; .long 1b - ., 2b - .; .popsection
 */
struct fixup {
	int32_t fault, resume;
};
extern const struct fixup fixup_start[], fixup_end[];

static inline unsigned long fixup_fault(const struct fixup *f)
{
	return (unsigned long)&f->fault + (long)f->fault;
}

static inline unsigned long fixup_resume(const struct fixup *f)
{
	return (unsigned long)&f->resume + (long)f->resume;
}

/*
 * Functions in ascending order: symbol_offset[i] is an address relative to image_start; its name is the
 * i-th string of symbol_names (each ends with a NUL). Made by the build from a first link.
 */
extern const uint32_t symbol_count;
extern const uint32_t symbol_offset[];
extern const char symbol_names[];

/*
 * The page tables of head.S, until discard_boot_memory(): the first 4 GiB at their own address and in
 * the direct map, the first 1 GiB at the image's place; everything writable and executable. A CPU
 * that starts (smp.c) goes through them on its way to idle_root.
 */
extern uint64_t boot_l4[];

#endif
