/* SPDX-License-Identifier: MIT */
/* The iret hypercall: return from a guest kernel's trap handler to what its frame says. */
#include "pv/internal.h"
#include "cpu/uaccess.h"

/*
 * Flags that a guest may choose. Not IF (always on outside the hypervisor), IOPL, VM and the virtual
 * interrupt flags.
 */
#define EFLAGS_GUEST                                                                        \
	(EFLAGS_CF | 0x4 | 0x10 | 0x40 | 0x80 | EFLAGS_TF | EFLAGS_DF | 0x800 | EFLAGS_NT | \
	 EFLAGS_RF | EFLAGS_AC | EFLAGS_ID)

/* In registers, where this is inlined. */
static inline __attribute__((always_inline)) int read_frame(struct iret_context *frame, vaddr_t sp)
{
	int error = 0;

	if (unlikely(!guest_block_ok(sp)))
		return -EFAULT;
	guest_access_begin();
	GET_GUEST_WORD(frame->rax, sp + offsetof(struct iret_context, rax), error);
	GET_GUEST_WORD(frame->r11, sp + offsetof(struct iret_context, r11), error);
	GET_GUEST_WORD(frame->rcx, sp + offsetof(struct iret_context, rcx), error);
	GET_GUEST_WORD(frame->flags, sp + offsetof(struct iret_context, flags), error);
	GET_GUEST_WORD(frame->rip, sp + offsetof(struct iret_context, rip), error);
	GET_GUEST_WORD(frame->cs, sp + offsetof(struct iret_context, cs), error);
	GET_GUEST_WORD(frame->rflags, sp + offsetof(struct iret_context, rflags), error);
	GET_GUEST_WORD(frame->rsp, sp + offsetof(struct iret_context, rsp), error);
	GET_GUEST_WORD(frame->ss, sp + offsetof(struct iret_context, ss), error);
	guest_access_end();
	return error;
}

/* The handler of an NMI is done; another one that came meanwhile is due. */
static __attribute__((noinline, cold)) void end_nmi(struct vcpu *v)
{
	v->pv.nmi_masked = false;
	if (v->pv.nmi_deferred) {
		v->pv.nmi_deferred = false;
		WRITE_ONCE(v->pv.nmi_pending, true);
	}
}

/*
 * The frame (public/arch-x86/xen-x86_64.h: struct iret_context) is on top of the caller's stack. What
 * it may ask for that the CPU cannot load (a selector, a non-canonical rip) fails at the exit's iretq,
 * which then calls the failsafe callback. Returns the rax of what is returned to.
 */
long do_iret(void)
{
	struct vcpu *v = current;
	struct cpu_user_regs *regs = &cpu_info()->guest_regs;
	struct iret_context frame;

	if (unlikely(read_frame(&frame, regs->rsp))) {
		domain_crash(v->domain, "iret with no frame at %#lx", regs->rsp);
		return 0;
	}
	if ((frame.cs & 3) == 3) {
		if (unlikely(v->user_root == INVALID_MFN)) {
			domain_crash(v->domain, "iret to user mode without user page tables");
			return 0;
		}
		pv_switch_mode(v, false);
	}

	if (unlikely(v->domain->mm.vm_assist & (1U << VMASST_TYPE_architectural_iopl)))
		v->pv.iopl = (frame.rflags >> 12) & 3;
	regs->rip = frame.rip;
	regs->rflags = (frame.rflags & EFLAGS_GUEST) | EFLAGS_FIXED | EFLAGS_IF;
	regs->rsp = frame.rsp;
	/*
	 * As sysret returns: rcx and r11 don't count, and the selectors are the flat ones, which are there since this
	 * hypercall. Only to compatibility mode there is no such way.
	 */
	if (!(frame.flags & VGCF_in_syscall) || unlikely((uint16_t)frame.cs == FLAT_USER_CS32)) {
		regs->cs = (uint16_t)frame.cs | 3;
		regs->ss = (uint16_t)frame.ss | 3;
		regs->entry_vector = 0;
		if (!(frame.flags & VGCF_in_syscall)) {
			regs->r11 = frame.r11;
			regs->rcx = frame.rcx;
		}
	}
	if (unlikely(v->pv.nmi_masked))
		end_nmi(v);
	v->vcpu_info->evtchn_upcall_mask = !(frame.rflags & EFLAGS_IF);
	return (long)frame.rax;
}

/*
 * QEMU before 9.1 lets `iretq` and `lretq` of ring 3 read the stack as the supervisor, which SMAP then
 * refuses: a fault that no CPU has, present and without PFEC_USER on a page of the guest's. Many kernels
 * end their event handlers by iretq, so it is done here in the instruction's place.
 */
bool pv_emulate_far_return(struct vcpu *v, struct cpu_user_regs *regs)
{
	uint64_t frame[5]; /* rip, cs; iretq: rflags, rsp, ss */
	uint8_t code[2];
	bool iretq;

	if (!cpu_features.smap || copy_from_guest(code, regs->rip, sizeof(code)) ||
	    code[0] != 0x48 || (code[1] != 0xcf && code[1] != 0xcb))
		return false;
	iretq = code[1] == 0xcf;
	if (copy_from_guest(frame, regs->rsp, (iretq ? 5 : 2) * sizeof(*frame)))
		return false;
	if ((frame[1] & 3) != 3) {
		pv_inject_trap(v, TRAP_GP, frame[1] & 0xfffc);
		return true;
	}
	regs->rip = frame[0];
	regs->cs = (uint16_t)frame[1];
	if (iretq) {
		regs->rflags = (frame[2] & EFLAGS_GUEST) | EFLAGS_FIXED | EFLAGS_IF;
		regs->rsp = frame[3];
		regs->ss = (uint16_t)frame[4];
	} else {
		regs->rsp += 2 * sizeof(*frame);
	}
	return true;
}
