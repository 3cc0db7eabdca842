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
#include "cpu/uaccess.h"
#include "event/event.h"
#include "mm/mm.h"

#define FRAME_SIZE	  56 /* without what is not always there */
#define SELECTORS_OFFSET  16
#define UPCALL_MASK_IN_CS (1UL << 32)
/* From user mode by `syscall`: the selectors and entry_vector are those of the kernel already. */
#define BY_SYSCALL 0x8000
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

/* A trap's frame of `size` bytes at sp: see above. */
static inline __attribute__((always_inline)) int
put_trap_frame(vaddr_t sp, size_t size, const struct cpu_user_regs *regs, uint64_t cs,
	       uint64_t rflags, unsigned int flags, uint32_t error_code)
{
	vaddr_t last = sp + size - 5 * sizeof(uint64_t);
	int error = 0;

	if (unlikely(!guest_block_ok(sp)))
		return -EFAULT;
	guest_access_begin();
	PUT_GUEST_WORD(sp, regs->rcx, error);
	PUT_GUEST_WORD(sp + 8, regs->r11, error);
	if (flags & BOUNCE_ERROR_CODE)
		PUT_GUEST_WORD(last - 8, error_code, error);
	PUT_GUEST_WORD(last, regs->rip, error);
	PUT_GUEST_WORD(last + 8, cs, error);
	PUT_GUEST_WORD(last + 16, rflags, error);
	PUT_GUEST_WORD(last + 24, regs->rsp, error);
	PUT_GUEST_WORD(last + 32, flags & BY_SYSCALL ? FLAT_USER_SS64 : regs->ss, error);
	guest_access_end();
	return error;
}

static __attribute__((noinline, cold)) void no_handler(struct vcpu *v, const char *what)
{
	domain_crash(v->domain, "vCPU %u has no handler for %s", v->id, what);
}

static __attribute__((noinline, cold)) void no_stack(struct vcpu *v, vaddr_t sp, const char *what)
{
	domain_crash(v->domain, "vCPU %u has no stack at %#lx for %s", v->id, sp, what);
}

/* pv_bounce(), to be compiled for the flags that a caller has, all but BOUNCE_MASK_EVENTS: mask_events. */
static inline __attribute__((always_inline)) void
enter_kernel(struct vcpu *v, struct cpu_user_regs *regs, uint64_t entry, unsigned int flags,
	     bool mask_events, uint32_t error_code, const char *what)
{
	uint64_t sp = regs->rsp, cs = flags & BY_SYSCALL ? FLAT_USER_CS64 : regs->cs;
	bool masked = READ_ONCE(v->vcpu_info->evtchn_upcall_mask);
	size_t size = FRAME_SIZE;

	if (unlikely(!entry)) {
		no_handler(v, what);
		return;
	}
	if (!(flags & BY_SYSCALL) && v->pv.kernel_mode) {
		cs &= ~3UL;
	} else {
		sp = v->pv.kernel_sp;
		pv_switch_mode(v, true);
	}

	if (flags & BOUNCE_ERROR_CODE)
		size += sizeof(uint64_t);
	if (flags & BOUNCE_SELECTORS)
		size += sizeof(uint64_t[4]);
	sp = (sp & ~15UL) - size;
	if (unlikely(put_trap_frame(sp, size, regs, cs | (masked ? UPCALL_MASK_IN_CS : 0),
				    rflags_view(v, regs->rflags, masked), flags, error_code)) ||
	    ((flags & BOUNCE_SELECTORS) && put_selectors(sp, regs))) {
		no_stack(v, sp, what);
		return;
	}

	regs->rsp = sp;
	regs->rip = entry;
	regs->rflags &= ~(uint64_t)EFLAGS_CLEARED;
	if (!(flags & BY_SYSCALL)) {
		regs->cs = FLAT_KERNEL_CS;
		regs->ss = FLAT_KERNEL_SS;
		/* rcx and r11 are in the frame: the exit may use sysret. */
		regs->entry_vector = TRAP_syscall;
	}
	if (mask_events)
		v->vcpu_info->evtchn_upcall_mask = 1;
}

void pv_bounce(struct vcpu *v, uint64_t entry, unsigned int flags, uint32_t error_code,
	       const char *what)
{
	enter_kernel(v, &cpu_info()->guest_regs, entry, flags, flags & BOUNCE_MASK_EVENTS,
		     error_code, what);
}

void pv_bounce_with_code(struct vcpu *v, const struct pv_trap *trap, uint32_t error_code,
			 const char *what)
{
	enter_kernel(v, &cpu_info()->guest_regs, trap->eip, BOUNCE_ERROR_CODE, trap->mask_events,
		     error_code, what);
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
		enter_kernel(v, &cpu_info()->guest_regs, v->pv.event.eip, 0, true, 0, "events");
}

/* A kernel that takes no syscalls: to it the instruction is undefined. */
static __attribute__((noinline, cold)) void undefined_syscall(struct vcpu *v,
							      struct cpu_user_regs *regs)
{
	regs->rip -= 2;
	pv_inject_trap(v, TRAP_UD, 0);
}

void pv_syscall_from_user(struct cpu_user_regs *regs, struct vcpu *v)
{
	if (unlikely(!v->pv.syscall.eip)) {
		undefined_syscall(v, regs);
		return;
	}
	enter_kernel(v, regs, v->pv.syscall.eip, BY_SYSCALL, v->pv.syscall.mask_events, 0,
		     "syscall");
}

void pv_syscall32(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;

	if (unlikely(!v->pv.syscall32.eip)) {
		undefined_syscall(v, regs);
		return;
	}
	pv_bounce(v, v->pv.syscall32.eip, v->pv.syscall32.mask_events ? BOUNCE_MASK_EVENTS : 0, 0,
		  "syscall");
}
