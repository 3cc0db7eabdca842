/* SPDX-License-Identifier: MIT */
/*
 * Every way into the guest kernel: the start of day, traps, events, the failsafe callback, `syscall` from user
 * mode, the first instruction of a further vCPU; and the way back.
 */
#include <public/xen.h>
#include <public/elfnote.h>
#include <guest/memory.h>

#define VECTOR_EVENT 256
#define VECTOR_FAILSAFE 257
#define VECTOR_SYSCALL 258

#define IRET_CALL (hypercall_page + __HYPERVISOR_iret * 32)
#define STACK_SWITCH_CALL (hypercall_page + __HYPERVISOR_stack_switch * 32)

/* What the image tells whoever loads it. */
.macro note type, kind:vararg
	.pushsection .note.Xen, "a", @note
	.balign 4
	.long 4, 2f - 1f, \type
	.asciz "Xen"
1:	\kind
2:	.balign 4
	.popsection
.endm
	note XEN_ELFNOTE_GUEST_OS, .asciz "Cerne guest"
	note XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
	note XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
	note XEN_ELFNOTE_LOADER, .asciz "generic"
	note XEN_ELFNOTE_ENTRY, .quad start
	note XEN_ELFNOTE_VIRT_BASE, .quad VIRT_BASE
	note XEN_ELFNOTE_PADDR_OFFSET, .quad 0
	note XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page
	note XEN_ELFNOTE_L1_MFN_VALID, .quad PTE_P; .quad PTE_P
	note XEN_ELFNOTE_PAE_MODE, .asciz "yes"
	note XEN_ELFNOTE_FEATURES, .asciz "pae_pgdir_above_4gb"
	/* XENFEAT_dom0: it can be the initial domain. */
	note XEN_ELFNOTE_SUPPORTED_FEATURES, .long 1 << 11

/* Filled by the hypervisor; until then `ret`, so that a call too early is harmless. */
	.section .text.hypercall_page, "ax", @progbits
	.balign 4096
	.globl hypercall_page
hypercall_page:
	.fill 4096, 1, 0xc3

	.bss
	.balign 4096
	.globl boot_stack, boot_stack_top
boot_stack:
	.skip 16384
boot_stack_top:

/* rsi: start_info. Events are masked. */
	.section .text.start, "ax", @progbits
	.globl start
start:
	cld
	movq %rsp, %r12
	movq $boot_stack_top, %rsp
	xorl %ebp, %ebp
	movq %rsi, %rdi
	movq %r12, %rsi
	call start_of_day
	ud2

/* A further vCPU: rdi function, rsi argument. */
	.globl vcpu_entry
vcpu_entry:
	cld
	xorl %ebp, %ebp
	movq %rdi, %rax
	movq %rsi, %rdi
	call *%rax
	ud2

	.text

/*
 * What the hypervisor pushes for every trap, event and syscall, top of the stack first:
 *
 *	rcx
 *	r11
 *	error code		only for the vectors that have one
 *	rip
 *	cs			upcall mask in bits 32 to 39; RPL 0 if from kernel mode, 3 from user mode
 *	rflags			IF is the inverse of the upcall mask
 *	rsp
 *	ss
 *
 * The stubs turn that into struct trap_frame: vector and error code always there, all registers below them.
 */
	.balign 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.balign 16
	popq %rcx
	popq %r11
	.if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21))
	pushq $0
	.endif
	pushq $vector
	jmp trap_save
	vector = vector + 1
	.endr

.macro save_registers
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro restore_registers
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm

trap_save:
	save_registers
	cld
	movq %rsp, %rbx
	movq %rsp, %rdi
	andq $-16, %rsp
	call trap_dispatch

/* rbx: the struct trap_frame to go on with. Events are masked. */
trap_return:
	movq %rbx, %rsp
	restore_registers
	addq $16, %rsp
	testb $3, 8(%rsp)
	jnz return_by_hypercall
	testb $1, return_hypercall(%rip)
	jnz return_by_hypercall
	testl $0x200, 16(%rsp)
	jz return_masked
/*
 * To kernel mode with events unmasked, which iretq cannot do: unmask, look, return. From here to the end the
 * registers are those of the interrupted code and rsp points at its iret frame. An event that comes in between
 * is recognised by its rip (event_common) and handled as if it had come at the interrupted instruction, so
 * that frames never pile up.
 */
return_unmasked:
	movb $0, %gs:1
	cmpb $0, %gs:0
	jne event_again
	orb $3, 8(%rsp)
	iretq
event_again:
	movb $1, %gs:1
	jmp event_common
return_unmasked_end:

return_masked:
	orb $3, 8(%rsp)
	iretq

/* The hypercall sets the upcall mask from rflags.IF. Its stub in the page pushes rcx, r11 and rax. */
return_by_hypercall:
	pushq $0
	jmp IRET_CALL

	.globl trap_event_entry
trap_event_entry:
	popq %rcx
	popq %r11
event_common:
	testb $3, 8(%rsp)
	jnz 1f
	cmpq $return_unmasked, (%rsp)
	jb 1f
	cmpq $return_unmasked_end, (%rsp)
	jae 1f
	movq 24(%rsp), %rsp
	andb $0xfc, 8(%rsp)
1:	pushq $0
	pushq $VECTOR_EVENT
	save_registers
	cld
	movq %rsp, %rbx
	andq $-16, %rsp
	call event_upcall
	jmp trap_return

/* Here the hypervisor pushes ds, es, fs and gs between r11 and rip. It has loaded null selectors. */
	.globl trap_failsafe_entry
trap_failsafe_entry:
	popq %rcx
	popq %r11
	popq trap_failsafe_selectors(%rip)
	popq trap_failsafe_selectors + 8(%rip)
	popq trap_failsafe_selectors + 16(%rip)
	popq trap_failsafe_selectors + 24(%rip)
	pushq $0
	pushq $VECTOR_FAILSAFE
	jmp trap_save

	.globl trap_syscall_entry
trap_syscall_entry:
	popq %rcx
	popq %r11
	pushq $0
	pushq $VECTOR_SYSCALL
	jmp trap_save

/*
 * int trap_catch_run(function, argument): -1, or what trap_dispatch puts into rax when it resumes at
 * trap_catch_resume with rsp as left in trap_catch_rsp.
 */
	.globl trap_catch_run, trap_catch_resume
trap_catch_run:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq trap_catch_rsp(%rip)
	movq %rsp, trap_catch_rsp(%rip)
	movq %rdi, %rax
	movq %rsi, %rdi
	call *%rax
	movl $-1, %eax
trap_catch_resume:
	popq trap_catch_rsp(%rip)
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

/* bool probe_read(address, *value), bool probe_write(address, value) */
	.globl probe_read, probe_write
probe_read:
	xorl %eax, %eax
1:	movq (%rdi), %rdx
	movq %rdx, (%rsi)
	incl %eax
2:	ret
	.pushsection .trap_fixup, "a"
	.quad 1b, 2b
	.popsection

probe_write:
	xorl %eax, %eax
1:	movq %rsi, (%rdi)
	incl %eax
2:	ret
	.pushsection .trap_fixup, "a"
	.quad 1b, 2b
	.popsection

/* long user_switch(rip, rsp, argument): leave for user mode; user_leave returns from it. */
	.globl user_switch, user_leave
user_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rdi, %rbx
	movq %rsi, %rbp
	movq %rdx, %r12
	movq %rsp, user_kernel_rsp(%rip)
	movl $FLAT_KERNEL_SS, %edi
	movq %rsp, %rsi
	andq $-16, %rsi
	call STACK_SWITCH_CALL
	pushq $FLAT_USER_SS
	pushq %rbp
	pushq $0x202
	pushq $FLAT_USER_CS
	pushq %rbx
	pushq $0
	movq %r12, %rdi
	xorl %eax, %eax
	xorl %ebx, %ebx
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %esi, %esi
	xorl %ebp, %ebp
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	xorl %r11d, %r11d
	xorl %r12d, %r12d
	xorl %r13d, %r13d
	xorl %r14d, %r14d
	xorl %r15d, %r15d
	jmp IRET_CALL

user_leave:
	movq user_kernel_rsp(%rip), %rsp
	movq %rdi, %rax
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.bss
	.balign 8
	.globl trap_failsafe_selectors, trap_catch_rsp, return_hypercall
trap_failsafe_selectors:
	.skip 32
trap_catch_rsp:
	.skip 8
user_kernel_rsp:
	.skip 8
return_hypercall:
	.skip 1

	.section .note.GNU-stack, "", @progbits
