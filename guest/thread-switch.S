/* SPDX-License-Identifier: MIT */
/*
 * void thread_switch(uint64_t *save, uint64_t load): go on with another thread, struct switch_frame of thread.c.
 *
 * What a function must preserve is pushed, and what belongs to a thread beside: the state of trap_catch. The
 * floating-point registers are nobody's across a call but for the control words; a thread that was preempted
 * has them all saved below, by its upcall, and may have left values on the x87 stack, which fninit drops.
 */
	.text
	.globl thread_switch
thread_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq trap_catch_rsp(%rip)
	pushq trap_catch_frame(%rip)
	subq $16, %rsp
	stmxcsr (%rsp)
	fnstcw 4(%rsp)
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	fninit
	ldmxcsr (%rsp)
	fldcw 4(%rsp)
	addq $16, %rsp
	popq trap_catch_frame(%rip)
	popq trap_catch_rsp(%rip)
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .note.GNU-stack, "", @progbits
