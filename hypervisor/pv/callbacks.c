/* SPDX-License-Identifier: MIT */
/* Where the guest kernel wants to be entered: set_trap_table, set_callbacks, callback_op, nmi_op. */
#include "pv/internal.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include <public/callback.h>
#include <public/nmi.h>

#define TRAP_FLAG_DPL 0x3
#define TRAP_FLAG_IF  0x4 /* public/arch-x86/xen.h: TI_SET_IF */

/* A table ends with address 0; entries before a bad one stay set. NULL: forget all. */
long do_set_trap_table(vaddr_t traps)
{
	struct vcpu *v = current;
	struct trap_info t;

	if (!traps) {
		memset(v->pv.trap, 0, sizeof(v->pv.trap));
		return 0;
	}
	for (;; traps += sizeof(t)) {
		if (preempt_check())
			return hypercall_continue(__HYPERVISOR_set_trap_table, 1, traps);
		if (copy_from_guest(&t, traps, sizeof(t)))
			return -EFAULT;
		if (!t.address)
			return 0;
		if (!is_canonical(t.address))
			return -EINVAL;
		v->pv.trap[t.vector] = (struct pv_trap){
		    .eip = t.address,
		    .cs = t.cs | 3,
		    .dpl = t.flags & TRAP_FLAG_DPL,
		    .mask_events = t.flags & TRAP_FLAG_IF,
		};
	}
}

/* The NMI handler is vector 2 of the trap table, however it is registered. */
static long register_nmi(struct vcpu *v, uint64_t address)
{
	v->pv.trap[TRAP_NMI] =
	    (struct pv_trap){.eip = address, .cs = FLAT_KERNEL_CS, .mask_events = true};
	return 0;
}

static long unregister_nmi(struct vcpu *v)
{
	v->pv.trap[TRAP_NMI] = (struct pv_trap){0};
	return 0;
}

static long register_callback(struct vcpu *v, unsigned int type, unsigned int flags,
			      uint64_t address)
{
	struct pv_callback callback = {address, flags & CALLBACKF_mask_events};

	if (!is_canonical(address))
		return -EINVAL;
	switch (type) {
	case CALLBACKTYPE_event:
		callback.mask_events = true;
		v->pv.event = callback;
		return 0;
	case CALLBACKTYPE_failsafe:
		v->pv.failsafe = callback;
		return 0;
	case CALLBACKTYPE_syscall:
		v->pv.syscall = callback;
		return 0;
	case CALLBACKTYPE_syscall32:
		v->pv.syscall32 = callback;
		return 0;
	case CALLBACKTYPE_sysenter:
		v->pv.sysenter = callback;
		return 0;
	case CALLBACKTYPE_nmi:
		return register_nmi(v, address);
	default:
		return -ENOSYS;
	}
}

static long unregister_callback(struct vcpu *v, unsigned int type)
{
	switch (type) {
	case CALLBACKTYPE_event:
	case CALLBACKTYPE_failsafe:
	case CALLBACKTYPE_syscall:
	case CALLBACKTYPE_syscall32:
	case CALLBACKTYPE_sysenter:
		return -EINVAL; /* a kernel cannot be without */
	case CALLBACKTYPE_nmi:
		return unregister_nmi(v);
	default:
		return -ENOSYS;
	}
}

long do_callback_op(unsigned int cmd, vaddr_t arg)
{
	struct vcpu *v = current;
	struct callback_register reg;
	struct callback_unregister unreg;

	switch (cmd) {
	case CALLBACKOP_register:
		if (copy_from_guest(&reg, arg, sizeof(reg)))
			return -EFAULT;
		return register_callback(v, reg.type, reg.flags, reg.address);
	case CALLBACKOP_unregister:
		if (copy_from_guest(&unreg, arg, sizeof(unreg)))
			return -EFAULT;
		return unregister_callback(v, unreg.type);
	default:
		return -ENOSYS;
	}
}

long do_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall)
{
	struct vcpu *v = current;

	if (!is_canonical(event) || !is_canonical(failsafe) || !is_canonical(syscall))
		return -EINVAL;
	register_callback(v, CALLBACKTYPE_event, 0, event);
	register_callback(v, CALLBACKTYPE_failsafe, 0, failsafe);
	register_callback(v, CALLBACKTYPE_syscall, 0, syscall);
	return 0;
}

long do_nmi_op(unsigned int cmd, vaddr_t arg)
{
	struct xennmi_callback callback;

	switch (cmd) {
	case XENNMI_register_callback:
		if (copy_from_guest(&callback, arg, sizeof(callback)))
			return -EFAULT;
		if (!is_canonical(callback.handler_address))
			return -EINVAL;
		return register_nmi(current, callback.handler_address);
	case XENNMI_unregister_callback:
		return unregister_nmi(current);
	default:
		return -ENOSYS;
	}
}
