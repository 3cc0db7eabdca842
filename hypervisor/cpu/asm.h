/* SPDX-License-Identifier: MIT */
/* Macros of the assembly sources. */
#ifndef CPU_ASM_H
#define CPU_ASM_H

#define TRAP_syscall   0x100
#define TRAP_syscall32 0x101

/* In inline assembly: the instruction at fault goes on at resume when it faults (lib/image.h). */
#define FIXUP_ASM(fault, resume)                                                  \
	".pushsection .fixup, \"a\"\n\t.balign 4\n\t.long " fault " - ., " resume \
	" - .\n\t.popsection\n"

#ifdef __ASSEMBLY__
/* Not C: */
/* clang-format off */

#define ENTRY(name) .globl name; .hidden name; .type name, @function; .balign 16; name:
#define END(name) .size name, .- name

/* The instruction at fault goes on at resume when it faults (lib/image.h). */
#define FIXUP(fault, resume) \
	.pushsection .fixup, "a"; .balign 4; .long fault - ., resume - .; .popsection

/*
 * stac and clac: three bytes of nothing, to be patched by smap_patch() (features.c) on CPUs that have
 * SMAP. The last operand is the byte that tells them apart.
 */
#define SMAP_SITE(last) \
	771: .byte 0x0f, 0x1f, 0x00; \
	.pushsection .rodata.smap_sites, "a"; .long 771b - ., last; .popsection
#define STAC SMAP_SITE(0xcb)
#define CLAC SMAP_SITE(0xca)

/* A source's own sites lie between these two, first and last lines of it. */
#define SMAP_SITES_BEGIN(name) \
	.pushsection .rodata.smap_sites, "a"; .balign 8; \
	.globl name##_start; .hidden name##_start; name##_start:; .popsection
#define SMAP_SITES_END(name) \
	.pushsection .rodata.smap_sites, "a"; \
	.globl name##_end; .hidden name##_end; name##_end:; .popsection

/* clang-format on */
#endif
#endif
