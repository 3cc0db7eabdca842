/* SPDX-License-Identifier: MIT */
/* The way into the firmware's code and back (firmware.c). */
#include "cpu/asm.h"

/*
 * uint64_t firmware_enter(uint64_t function, const uint64_t args[5], uint64_t *stack)
 * Microsoft's calling convention: arguments in rcx, rdx, r8, r9, then on the stack above 32 bytes for the callee.
 * *stack is where this function's frame is, for firmware_leave:
 *
 *	stack ->	r15 r14 r13 r12 rbx rbp, return address
 */
ENTRY(firmware_enter)
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdx)
	mov	%rsp, %rbp
	and	$~15, %rsp
	sub	$48, %rsp
	mov	%rdi, %rax
	mov	32(%rsi), %rcx
	mov	%rcx, 32(%rsp)
	mov	24(%rsi), %r9
	mov	16(%rsi), %r8
	mov	8(%rsi), %rdx
	mov	(%rsi), %rcx
	call	*%rax
	mov	%rbp, %rsp
	/* After a fault in there the stack pointer is *stack (firmware_fault()). */
.globl firmware_leave
.hidden firmware_leave
firmware_leave:
	cli
	cld
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
END(firmware_enter)
