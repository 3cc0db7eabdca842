/* SPDX-License-Identifier: MIT */
/*
 * Where another CPU starts, in real mode at a page below 1 MiB to which smp.c copies what lies between
 * trampoline_start and trampoline_end: straight to 64-bit mode on the boot page tables, which map
 * the page at its own address and the image at its link address, then to ap_entry.
 */
#include "cpu/asm.h"
#include "cpu/x86.h"

	.section .init.data, "aw"
	.balign	16
	.globl	trampoline_start, trampoline_end, trampoline_vars
	.hidden	trampoline_start, trampoline_end, trampoline_vars

	.code16
trampoline_start:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	gdt_pointer - trampoline_start
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	movl	cr3 - trampoline_start, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	movl	efer - trampoline_start, %eax
	xor	%edx, %edx
	wrmsr
	/* Paging and protection at once, caches on (INIT sets CD and NW). */
	mov	$(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG), %eax
	mov	%eax, %cr0
	ljmpl	*far_pointer - trampoline_start

	.code64
long_mode:
	xor	%eax, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	jmp	*entry(%rip)

	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff

	.balign	8
	/* struct trampoline_vars of smp.c; filled in there */
trampoline_vars:
cr3:		.long 0
efer:		.long 0
entry:		.quad 0
	/* Offsets in the page, to which its address is added. */
far_pointer:	.long long_mode - trampoline_start
		.word 8
gdt_pointer:	.word 15
		.long gdt - trampoline_start
trampoline_end:

	.text
/* From the boot page tables to the final ones and the CPU's own stack. */
ENTRY(ap_entry)
	mov	ap_root(%rip), %rax
	mov	%rax, %cr3
	mov	ap_stack(%rip), %rsp
	xor	%ebp, %ebp
	jmp	ap_start
END(ap_entry)

	.section .note.GNU-stack, "", @progbits
