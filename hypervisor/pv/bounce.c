/* SPDX-License-Identifier: MIT */
/*
 * Entry into the guest kernel: every exception, event, NMI, failsafe callback and user `syscall`
 * arrives there by pv_bounce(). From user mode the stack is the one that stack_switch named, from kernel
 * mode the current one, aligned to 16 bytes. The frame, from its top (lowest address) on:
 *
 *	rcx
 *	r11
 *	ds es fs gs		failsafe callback only
 *	error code		exceptions that have one
 *	rip
 *	cs | upcall mask << 32	RPL 0 when the kernel was interrupted, though it runs in ring 3
 *	rflags			IF is the inverse of the upcall mask
 *	rsp
 *	ss
 */
#include "pv/internal.h"
#include "cpu/asm.h"
#include "event/event.h"
#include "mm/mm.h"

#define FRAME_SIZE	  56 /* without what is not always there */
#define SELECTORS_OFFSET  16
#define UPCALL_MASK_IN_CS (1UL << 32)
/* What the CPU clears on a trap (SDM 3 6.12.1.3), and AC: it concerns the interrupted code alone. */
#define EFLAGS_CLEARED (EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM | EFLAGS_AC)

static inline uint64_t rflags_view(const struct vcpu *v, uint64_t rflags, bool masked)
{
	rflags &= ~(uint64_t)(EFLAGS_IF | EFLAGS_IOPL);
	if (unlikely(v->domain->mm.vm_assist & (1U << VMASST_TYPE_architectural_iopl)))
		rflags |= (uint64_t)v->pv.iopl << 12;
	return masked ? rflags : rflags | EFLAGS_IF;
}

static __attribute__((noinline, cold)) int put_selectors(vaddr_t sp,
							 const struct cpu_user_regs *regs)
{
	const uint64_t selectors[] = {regs->ds, regs->es, regs->fs, regs->gs};

	return copy_to_guest(sp + SELECTORS_OFFSET, selectors, sizeof(selectors));
}

void pv_bounce(struct vcpu *v, uint64_t entry, unsigned int flags, uint32_t error_code,
	       const char *what)
{
	struct cpu_user_regs *regs = &cpu_info()->guest_regs;
	uint64_t sp;
	bool masked = READ_ONCE(v->vcpu_info->evtchn_upcall_mask);
	uint16_t cs = regs->cs;
	size_t size;

	if (unlikely(!entry)) {
		domain_crash(v->domain, "vCPU %u has no handler for %s", v->id, what);
		return;
	}
	if (v->pv.kernel_mode) {
		cs &= ~3U;
		sp = regs->rsp;
	} else {
		sp = v->pv.kernel_sp;
		pv_toggle_mode(v);
	}

	size = FRAME_SIZE;
	if (flags & BOUNCE_ERROR_CODE)
		size += sizeof(uint64_t);
	if (unlikely(flags & BOUNCE_SELECTORS))
		size += sizeof(uint64_t[4]);
	sp = (sp & ~15UL) - size;
	if (unlikely(put_guest_frame(sp, size, regs, error_code,
				     cs | (masked ? UPCALL_MASK_IN_CS : 0),
				     rflags_view(v, regs->rflags, masked)) ||
		     ((flags & BOUNCE_SELECTORS) && put_selectors(sp, regs)))) {
		domain_crash(v->domain, "vCPU %u has no stack at %#lx for %s", v->id, sp, what);
		return;
	}

	regs->rsp = sp;
	regs->rip = entry;
	regs->cs = FLAT_KERNEL_CS;
	regs->ss = FLAT_KERNEL_SS;
	regs->rflags &= ~(uint64_t)EFLAGS_CLEARED;
	/* rcx and r11 are in the frame: the exit may use sysret. */
	regs->entry_vector = TRAP_syscall;
	if (flags & BOUNCE_MASK_EVENTS)
		v->vcpu_info->evtchn_upcall_mask = 1;
}

void pv_inject_failsafe(struct vcpu *v)
{
	pv_bounce(v, v->pv.failsafe.eip,
		  BOUNCE_SELECTORS | (v->pv.failsafe.mask_events ? BOUNCE_MASK_EVENTS : 0), 0,
		  "the failsafe callback");
}

static void deliver_nmi(struct vcpu *v)
{
	WRITE_ONCE(v->pv.nmi_pending, false);
	if (v->pv.nmi_masked) {
		v->pv.nmi_deferred = true; /* the iret hypercall makes it pending again */
		return;
	}
	v->pv.nmi_masked = true;
	pv_bounce(v, v->pv.trap[TRAP_NMI].eip,
		  v->pv.trap[TRAP_NMI].mask_events ? BOUNCE_MASK_EVENTS : 0, 0, "an NMI");
}

void pv_deliver_events(void)
{
	struct vcpu *v = current;

	if (unlikely(READ_ONCE(v->pv.nmi_pending)))
		deliver_nmi(v);
	/* After an NMI only if its gate leaves events on: then they interrupt its handler. */
	if (event_upcall_due(v) && !v->domain->is_shut_down)
		pv_bounce(v, v->pv.event.eip, BOUNCE_MASK_EVENTS, 0, "events");
}

void pv_syscall_from_user(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	const struct pv_callback *callback =
	    likely(regs->cs != FLAT_USER_CS32) ? &v->pv.syscall : &v->pv.syscall32;

	if (unlikely(!callback->eip)) {
		/* A kernel that takes no syscalls: to it the instruction is undefined. */
		regs->rip -= 2;
		pv_inject_trap(v, TRAP_UD, 0);
		return;
	}
	pv_bounce(v, callback->eip, callback->mask_events ? BOUNCE_MASK_EVENTS : 0, 0, "syscall");
}
