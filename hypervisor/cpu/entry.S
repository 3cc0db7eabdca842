/* SPDX-License-Identifier: MIT */
/*
 * The ways into the hypervisor and out of it.
 *
 * Every entry from guest mode builds the same frame, struct cpu_user_regs, at the same place: at the
 * start of the CPU's struct cpu_info, which ends its stack:
 *
 *	stack top	struct cpu_info: cpu, softirq_pending, vcpu, percpu_offset
 *			es ds fs gs		not saved here; see context.c
 *	TSS.RSP0 ->	ss
 *			rsp
 *			rflags
 *			cs
 *			rip
 *			entry_vector:error_code	one word: the upper and the lower half
 *			rdi rsi rdx rcx rax r8 r9 r10 r11 rbx rbp r12 r13 r14
 *	rsp ->		r15			= struct cpu_info
 *
 * Entries from the hypervisor build it wherever the stack pointer is. The stubs below draw what they
 * found on the stack. No segment register is touched: the guest's FS and GS bases stay in place.
 * Interrupts are off from entry to exit.
 *
 * What a guest leaves in RFLAGS cannot hurt: `syscall` clears what SFMASK names (desc.c); a gate
 * clears TF, NT, RF and IF, and the common paths below DF and AC.
 */
#include "cpu/asm.h"
#include "cpu/x86.h"
#include "mm/layout.h"
#include "asm-offsets.h"
#include <public/arch-x86/xen.h>

#define HYPERVISOR_CS 0xe008

.macro SAVE_REGS
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
.endm

.macro RESTORE_REGS
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
.endm

/*
 * Jump to \softirq or \event if there is something to do before the guest goes on. rsp: the frame.
 * An upcall is due when evtchn_upcall_pending is not 0 and evtchn_upcall_mask, the byte after it, is.
 * Clobbers rax, rcx, rdx.
 */
.macro CHECK_WORK softirq, event
	cmpl	$0, CPU_INFO_softirq_pending(%rsp)
	jne	\softirq
	mov	CPU_INFO_vcpu(%rsp), %rax
	mov	VCPU_vcpu_info(%rax), %rdx
	movzwl	(%rdx), %ecx
	dec	%ecx
	cmp	$0xff, %ecx
	jb	\event
	cmpb	$0, VCPU_nmi_pending(%rax)
	jne	\event
.endm

/*
 * Jump to \iret unless the frame may be left by sysret: nobody has given it another cs or ss, or an
 * rcx or r11 that counts (entry_vector); rip is canonical, since sysret to another address faults
 * in ring 0 on the guest's stack (Intel); and it has neither RF nor TF, which sysret does not
 * treat as iret does. Loads rcx and r11; clobbers rdx.
 */
.macro SYSRET_OR_ELSE iret
	cmpl	$TRAP_syscall, REGS_vector(%rsp)
	jne	\iret
	mov	REGS_rip(%rsp), %rcx
	mov	REGS_rflags(%rsp), %r11
	movabs	$(1 << 47), %rdx
	add	%rcx, %rdx
	shr	$48, %rdx
	jne	\iret
	test	$(EFLAGS_TF | EFLAGS_RF), %r11d
	jne	\iret
.endm

	.section .text.entry, "ax"

/*
 * `syscall`, from the CPU's own stub (desc.c), which has saved rsp and loaded this CPU's stack:
 *
 *			ss			to be written
 *	rsp ->		rsp			the guest's, saved
 *
 * rcx: the guest's rip, r11: its rflags. Of a guest in kernel mode this is a hypercall: rax indexes
 * hypercall_table (pv/hypercall.c), 0 for numbers beyond it also when the CPU speculates past the jump;
 * the arguments are in C's registers but for the fourth, r10. The functions called here keep rbx, rbp
 * and r12 to r15 as C does, so the short way out leaves these alone: no hypercall changes them.
 */
ENTRY(syscall_entry)
	movq	$FLAT_RING3_SS64, 8(%rsp)
	push	%r11
	push	$FLAT_RING3_CS64
	push	%rcx
	push	$0
	movl	$TRAP_syscall, 4(%rsp)
	SAVE_REGS
	mov	CPU_INFO_vcpu(%rsp), %r11
	cmpb	$0, VCPU_kernel_mode(%r11)
	je	2f
	cmp	$HYPERCALLS, %rax
	jae	3f
	sbb	%r11, %r11
	and	%rax, %r11
	lea	hypercall_table(%rip), %rcx
	mov	(%rcx, %r11, 8), %rax
	mov	%r10, %rcx
	call	*%rax
	mov	%rax, REGS_rax(%rsp)
1:	CHECK_WORK exit_softirq, exit_event
	SYSRET_OR_ELSE exit_iret
	mov	REGS_r10(%rsp), %r10
	mov	REGS_r9(%rsp), %r9
	mov	REGS_r8(%rsp), %r8
	mov	REGS_rax(%rsp), %rax
	mov	REGS_rdx(%rsp), %rdx
	mov	REGS_rsi(%rsp), %rsi
	mov	REGS_rdi(%rsp), %rdi
	mov	REGS_rsp(%rsp), %rsp
	sysretq
2:	mov	%rsp, %rdi
	mov	%r11, %rsi
	call	pv_syscall_from_user
	jmp	1b
3:	mov	%rsp, %rdi
	call	pv_hypercall
	jmp	1b
END(syscall_entry)

/* The same from compatibility mode (AMD). A kernel that calls from there gets what its user would. */
ENTRY(syscall32_entry)
	movq	$FLAT_RING3_SS64, 8(%rsp)
	push	%r11
	push	$FLAT_RING3_CS32
	push	%rcx
	push	$0
	movl	$TRAP_syscall32, 4(%rsp)
	SAVE_REGS
	mov	%rsp, %rdi
	call	pv_syscall32
	jmp	exit_to_guest
END(syscall32_entry)

/* Leave for current's guest, its registers in the frame. rsp: the frame. */
ENTRY(exit_to_guest)
	CHECK_WORK exit_softirq, exit_event
1:	SYSRET_OR_ELSE exit_iret
	mov	REGS_r15(%rsp), %r15
	mov	REGS_r14(%rsp), %r14
	mov	REGS_r13(%rsp), %r13
	mov	REGS_r12(%rsp), %r12
	mov	REGS_rbp(%rsp), %rbp
	mov	REGS_rbx(%rsp), %rbx
	mov	REGS_r10(%rsp), %r10
	mov	REGS_r9(%rsp), %r9
	mov	REGS_r8(%rsp), %r8
	mov	REGS_rax(%rsp), %rax
	mov	REGS_rdx(%rsp), %rdx
	mov	REGS_rsi(%rsp), %rsi
	mov	REGS_rdi(%rsp), %rdi
	mov	REGS_rsp(%rsp), %rsp
	sysretq

exit_softirq:
	call	do_softirq
	jmp	exit_to_guest
exit_event:
	call	pv_deliver_events
	/*
	 * No event is due any more, or the domain has been stopped: that and a crash raise a softirq. What
	 * others may have sent meanwhile comes with an interrupt.
	 */
	cmpl	$0, CPU_INFO_softirq_pending(%rsp)
	je	1b
	jmp	exit_softirq

exit_iret:
	RESTORE_REGS
	add	$8, %rsp
.globl guest_iret
.hidden guest_iret
guest_iret:
	iretq
	FIXUP(guest_iret, iret_fault_entry)
END(exit_to_guest)

/*
 * The iretq above faulted: the frame's selectors or rip are bad. All other registers are the guest's.
 * The CPU aligned rsp before it pushed the fault's frame, so nothing of ours was overwritten; and
 * trap_from_hypervisor() has written the fault's number and error code to their place:
 *
 *			ss rsp rflags cs
 *	rsp ->		rip
 *			entry_vector:error_code		of the iretq's fault
 */
iret_fault_entry:
	sub	$8, %rsp
	SAVE_REGS
	mov	%rsp, %rdi
	call	pv_iret_fault
	jmp	exit_to_guest

/* void return_to_guest(void) */
ENTRY(return_to_guest)
	or	$(STACK_SIZE - 1), %rsp
	sub	$(CPU_INFO_size - 1), %rsp
	jmp	exit_to_guest
END(return_to_guest)

/* void reset_stack_and_jump(void (*fn)(void)); the word at rsp stands for the return address. */
ENTRY(reset_stack_and_jump)
	or	$(STACK_SIZE - 1), %rsp
	sub	$(CPU_INFO_size - 1), %rsp
	xor	%ebp, %ebp
	jmp	*%rdi
END(reset_stack_and_jump)

/* void switch_stack_and_jump(void *sp, void (*fn)(void)) */
ENTRY(switch_stack_and_jump)
	mov	%rdi, %rsp
	xor	%ebp, %ebp
	jmp	*%rsi
END(switch_stack_and_jump)

/*
 * Exceptions.
 *
 *			ss rsp rflags cs rip	pushed by the CPU
 *	rsp ->		entry_vector:error_code	pushed by it or by the stub
 */
exception_common:
	cld
	CLAC
	testb	$3, 16(%rsp)
	je	1f
	SAVE_REGS
	mov	%rsp, %rdi
	call	trap_from_guest
	jmp	exit_to_guest
1:	SAVE_REGS
	mov	%rsp, %rdi
	call	trap_from_hypervisor
return_from_trap:
	RESTORE_REGS
	add	$8, %rsp
	iretq

/* Interrupts, with the same stack. */
interrupt_common:
	cld
	CLAC
	testb	$3, 16(%rsp)
	je	1f
	SAVE_REGS
	mov	%rsp, %rdi
	call	interrupt_dispatch
	jmp	exit_to_guest
1:	SAVE_REGS
	mov	%rsp, %rdi
	call	interrupt_dispatch
	jmp	return_from_trap

/*
 * NMI, #DB, #DF, #MC: on a stack of their own, because they can arrive in the hypervisor while rsp is
 * still, or already, the guest's: NMI and #MC at any time; #DB after `mov ss` with a data breakpoint
 * and `syscall`. From guest mode the frame moves to the main stack and things go on as usual there.
 *
 * The IST stacks lie in the first STACK_SIZE bytes of the per-CPU area, the main stack in the second.
 */
ist_common:
	cld
	CLAC
	testb	$3, 16(%rsp)
	je	1f
	push	%rdi
	mov	%rsp, %rdi
	or	$(STACK_SIZE - 1), %rsp
	lea	1 + STACK_SIZE - CPU_INFO_size + REGS_end(%rsp), %rsp
	push	48(%rdi)		/* ss */
	push	40(%rdi)
	push	32(%rdi)
	push	24(%rdi)
	push	16(%rdi)		/* rip */
	push	8(%rdi)			/* entry_vector, error_code */
	mov	(%rdi), %rdi
	SAVE_REGS
	cmpl	$TRAP_NMI, REGS_vector(%rsp)
	jne	2f
	/* NMIs are blocked until an iretq: do one now, the way out may be another. */
	mov	%rsp, %rcx
	mov	%ss, %eax
	push	%rax
	push	%rcx
	pushf
	push	$HYPERVISOR_CS
	lea	2f(%rip), %rax
	push	%rax
	iretq
2:	mov	%rsp, %rdi
	call	ist_trap_from_guest
	jmp	exit_to_guest
1:	SAVE_REGS
	mov	%rsp, %rdi
	call	ist_trap_from_hypervisor
	jmp	return_from_trap

/*
 * The stubs, 16 bytes each: vector n starts at trap_stubs + 16 * n. Exceptions with an error code
 * (SDM 3 6.13) find it on the stack, the others push 0.
 */
.macro STUB vector, common
	.balign	16
	.if !(\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21 || \vector == 29 || \vector == 30)
	push	$0
	.endif
	movl	$\vector, 4(%rsp)
	jmp	\common
.endm

ENTRY(trap_stubs)
	.set	vector, 0
	.rept	32
	.if vector == TRAP_NMI || vector == TRAP_DB || vector == TRAP_DF || vector == TRAP_MC
	STUB	vector, ist_common
	.else
	STUB	vector, exception_common
	.endif
	.set	vector, vector + 1
	.endr
	.rept	224
	STUB	vector, interrupt_common
	.set	vector, vector + 1
	.endr
END(trap_stubs)

	.section .note.GNU-stack, "", @progbits
