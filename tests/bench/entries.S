/* SPDX-License-Identifier: MIT */
/*
 * Entry points of the benchmark guest with as little in them as there can be, so that what is counted is the
 * hypervisor's. Each starts with what the hypervisor pushes: rcx, r11, an error code for #PF, then the iret frame.
 */
#include <public/xen.h>

#define IRET_CALL (hypercall_page + __HYPERVISOR_iret * 32)

	.text
/* #PF at a three-byte instruction: go on after it, by iretq. The gate does not mask events. */
	.globl fault_by_iretq
fault_by_iretq:
	popq %rcx
	popq %r11
	addq $8, %rsp
	addq $3, (%rsp)
	orb $3, 8(%rsp)
	iretq

/* The same by the hypercall; from kernel or user mode. The error code's place takes the call's flags. */
	.globl fault_by_hypercall
fault_by_hypercall:
	popq %rcx
	popq %r11
	movq $0, (%rsp)
	addq $3, 8(%rsp)
	jmp IRET_CALL

/* `syscall` from user mode: straight back, unless rdi is 1, which ends the user's run. */
	.globl syscall_entry
syscall_entry:
	popq %rcx
	popq %r11
	cmpl $1, %edi
	je 1f
	pushq $VGCF_in_syscall
	jmp IRET_CALL
1:	movq %rsi, %rdi
	jmp user_leave

/* Event: note the time, take everything pending, back by the hypercall, which unmasks. */
	.globl event_entry
event_entry:
	pushq %rax
	pushq %rdx
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, event_time(%rip)
	movb $0, %gs:0
	movq $0, %gs:8
	movq event_word(%rip), %rax
	movq $0, (%rax)
	popq %rdx
	popq %rax
	popq %rcx
	popq %r11
	pushq $0
	jmp IRET_CALL

/* User mode: rdi counts down; the least time of a syscall, or of a fault at address 8, goes to rsi. */
	.section .text.user, "ax", @progbits
	.balign 4096
	.globl user_page, user_syscalls, user_faults
user_page:
user_syscalls:
	movq %rdi, %rbx
	movq $-1, %rbp
1:	rdtsc
	shlq $32, %rdx
	leaq (%rax, %rdx), %r12
	xorl %edi, %edi
	syscall
	rdtsc
	shlq $32, %rdx
	addq %rdx, %rax
	subq %r12, %rax
	cmpq %rbp, %rax
	cmovbq %rax, %rbp
	decq %rbx
	jnz 1b
	movq %rbp, %rsi
	movl $1, %edi
	syscall
	ud2

user_faults:
	movq %rdi, %rbx
	movq $-1, %rbp
	xorl %r8d, %r8d
1:	rdtsc
	shlq $32, %rdx
	leaq (%rax, %rdx), %r12
	movb (%r8), %al
	rdtsc
	shlq $32, %rdx
	addq %rdx, %rax
	subq %r12, %rax
	cmpq %rbp, %rax
	cmovbq %rax, %rbp
	decq %rbx
	jnz 1b
	movq %rbp, %rsi
	movl $1, %edi
	syscall
	ud2
	.balign 4096

	.bss
	.balign 8
	.globl event_time, event_word
event_time:
	.skip 8
event_word:
	.skip 8

	.section .note.GNU-stack, "", @progbits
