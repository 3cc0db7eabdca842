/* SPDX-License-Identifier: MIT */
/*
 * Guest user mode. Kernel and user of a guest both run in ring 3, told apart by the page-table root in use: the
 * kernel's root maps everything, the user's root only what user mode may touch. Here user space is the lowest
 * 512 GiB (the level-4 entry 0), which both roots share.
 */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include <stdint.h>
#include <guest/trap.h>

struct user_space {
	uint64_t *root; /* level-4 table for user mode; only entry 0 is used */
	uint64_t *l3;	/* what entry 0 of both roots points to */
};

/* Make an empty user space: 0, -ENOMEM, or the hypervisor's errno. */
long user_space_create(struct user_space *space);

/*
 * Map a page of the domain (or any mfn that it may map) at va, which must be below 512 GiB. flags: PTE_P,
 * PTE_RW, PTE_NX; PTE_US is added. -EINVAL, -ENOMEM or the hypervisor's errno.
 */
long user_space_map(struct user_space *space, unsigned long va, unsigned long mfn, uint64_t flags);

/* Make it the one that user mode and the kernel see. */
long user_space_activate(struct user_space *space);

/* Free its tables; not while it is the active one. The pages mapped in it are the caller's. */
void user_space_destroy(struct user_space *space);

/*
 * Enter user mode at rip with stack rsp and argument in rdi, all other registers zero. Comes back when a trap
 * handler (TRAP_SYSCALL, TRAP_PF, ...) calls user_leave, with its value. One user context at a time, vCPU 0.
 */
long user_run(unsigned long rip, unsigned long rsp, unsigned long argument);
_Noreturn void user_leave(long value);

#endif
