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

/*
 * stac and clac: three bytes of nothing, to be patched by smap_patch() (features.c) on CPUs that have
 * SMAP. The last operand is the byte that tells them apart.
 */
#define SMAP_SITE_ASM(last)                                                                            \
	"771: .byte 0x0f, 0x1f, 0x00\n\t.pushsection .init.smap_sites, \"a\"\n\t.long 771b - ., " last \
	"\n\t.popsection\n"
#define STAC_ASM SMAP_SITE_ASM("0xcb")
#define CLAC_ASM SMAP_SITE_ASM("0xca")

#ifdef __ASSEMBLY__
/* Not C: */
/* clang-format off */

#define ENTRY(name) .globl name; .hidden name; .type name, @function; .balign 16; name:
#define END(name) .size name, .- name

/* The instruction at fault goes on at resume when it faults (lib/image.h). */
#define FIXUP(fault, resume) \
	.pushsection .fixup, "a"; .balign 4; .long fault - ., resume - .; .popsection

#define SMAP_SITE(last) \
	771: .byte 0x0f, 0x1f, 0x00; \
	.pushsection .init.smap_sites, "a"; .long 771b - ., last; .popsection
#define STAC SMAP_SITE(0xcb)
#define CLAC SMAP_SITE(0xca)

/* clang-format on */
#endif
#endif
