/* SPDX-License-Identifier: MIT */
/*
 * Callbacks: where the hypervisor enters the guest kernel other than for exceptions.
 *
 * long HYPERVISOR_callback_op(int cmd, const void *arg)
 *   IN  cmd  CALLBACKOP_*
 *   IN  arg  struct callback_register or callback_unregister
 *   returns 0; -EINVAL: address that is not canonical, or a callback that cannot be unregistered;
 *   -ENOSYS: unknown cmd or type
 * All but NMI are set for the calling vCPU alone. What the kernel finds on its stack stands in
 * arch-x86/xen-x86_64.h; no frame has an error code.
 *
 * long HYPERVISOR_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall)
 *   the old form: event, failsafe and syscall at once, syscall masking no events and failsafe
 *   masking them; returns 0; -EINVAL: an address is not canonical
 */
#ifndef __XEN_PUBLIC_CALLBACK_H__
#define __XEN_PUBLIC_CALLBACK_H__

#include "xen.h"

/* Events (xen.h, struct vcpu_info). Events are masked on entry. */
#define CALLBACKTYPE_event 0

/*
 * The guest's state could not be loaded on the way to it: a segment register or the return address was
 * bad. The frame has, below RCX and R11 (at RSP, in order): RCX, R11, DS, ES, FS, GS, then RIP, CS,
 * RFLAGS, RSP, SS of the code that was to be returned to; the four segment registers hold null now.
 */
#define CALLBACKTYPE_failsafe 1

/* `syscall` in 64-bit user mode. Without one, it ends as an invalid opcode (exception 6). */
#define CALLBACKTYPE_syscall 2

/* Never available to 64-bit guests. */
#define CALLBACKTYPE_sysenter_deprecated 3

/* Non-maskable interrupts (nmi.h). Events are masked on entry. */
#define CALLBACKTYPE_nmi 4

/* `sysenter` in user mode, of 32-bit programs mostly. The frame's RIP, RSP and RFLAGS have no meaning. */
#define CALLBACKTYPE_sysenter 5

/* `syscall` in 32-bit user mode (AMD's processors). */
#define CALLBACKTYPE_syscall32 7

/* Mask events on entry: for failsafe, syscall, syscall32 and sysenter. */
#define _CALLBACKF_mask_events 0
#define CALLBACKF_mask_events  (1U << _CALLBACKF_mask_events)

#define CALLBACKOP_register    0
#define CALLBACKOP_unregister  1

#ifndef __ASSEMBLY__

struct callback_register {
	uint16_t type;	/* CALLBACKTYPE_* */
	uint16_t flags; /* CALLBACKF_* */
	xen_callback_t address;
};
typedef struct callback_register callback_register_t;
DEFINE_XEN_GUEST_HANDLE(callback_register_t);

/* Only NMI can be unregistered. */
struct callback_unregister {
	uint16_t type; /* CALLBACKTYPE_* */
	uint16_t _unused;
};
typedef struct callback_unregister callback_unregister_t;
DEFINE_XEN_GUEST_HANDLE(callback_unregister_t);

#endif /* !__ASSEMBLY__ */

#endif /* __XEN_PUBLIC_CALLBACK_H__ */
