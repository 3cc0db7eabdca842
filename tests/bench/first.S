/* SPDX-License-Identifier: MIT */
/*
 * A guest that tells when its first instruction ran: the time stamp counter, then "BENCH first NUMBER" on the
 * console, then power off.
 */
#include <public/xen.h>
#include <public/elfnote.h>

/* public/sched.h is for C only. */
#define SCHEDOP_shutdown 2
#define SHUTDOWN_poweroff 0

.macro note type, kind:vararg
	.pushsection .note.Xen, "a", @note
	.balign 4
	.long 4, 2f - 1f, \type
	.asciz "Xen"
1:	\kind
2:	.balign 4
	.popsection
.endm
	note XEN_ELFNOTE_GUEST_OS, .asciz "first"
	note XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
	note XEN_ELFNOTE_LOADER, .asciz "generic"
	note XEN_ELFNOTE_ENTRY, .quad start
	note XEN_ELFNOTE_VIRT_BASE, .quad 0xffffffff80000000
	note XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page
	note XEN_ELFNOTE_PAE_MODE, .asciz "yes"
	note XEN_ELFNOTE_SUPPORTED_FEATURES, .long 1 << 11

	.section .text.hypercall_page, "ax", @progbits
	.balign 4096
hypercall_page:
	.skip 4096

	.section .text.start, "ax", @progbits
	.globl start
start:
	rdtsc
	cld
	shlq $32, %rdx
	orq %rdx, %rax
	movl $10, %ecx
	leaq digits_end(%rip), %rsi
1:	xorl %edx, %edx
	divq %rcx
	addb $0x30, %dl
	decq %rsi
	movb %dl, (%rsi)
	testq %rax, %rax
	jnz 1b
	movl $CONSOLEIO_write, %edi
	movl $(message_end - message), %esi
	leaq message(%rip), %rdx
	call hypercall_page + __HYPERVISOR_console_io * 32
	movl $SCHEDOP_shutdown, %edi
	leaq reason(%rip), %rsi
	call hypercall_page + __HYPERVISOR_sched_op * 32
	ud2

	.data
message:
	.ascii "BENCH first "
	.fill 20, 1, 0x20
digits_end:
	.ascii "\nBENCH end\n"
message_end:
	.balign 4
reason:
	.long SHUTDOWN_poweroff

	.section .note.GNU-stack, "", @progbits
