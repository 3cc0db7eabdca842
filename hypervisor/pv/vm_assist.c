/* SPDX-License-Identifier: MIT */
/* vm_assist: behaviour that a guest switches on or off for itself. */
#include "pv/internal.h"

/*
 * 4gb_segments, its notification and pae_extended_cr3 concern 32-bit guests; 64-bit ones may set them and
 * see no difference.
 */
#define TYPES                                                                         \
	(1U << VMASST_TYPE_4gb_segments | 1U << VMASST_TYPE_4gb_segments_notify |     \
	 1U << VMASST_TYPE_writable_pagetables | 1U << VMASST_TYPE_pae_extended_cr3 | \
	 1U << VMASST_TYPE_architectural_iopl | 1U << VMASST_TYPE_runstate_update_flag)

long do_vm_assist(unsigned int cmd, unsigned int type)
{
	struct domain *d = current->domain;

	if (type >= 32 || !(TYPES & 1U << type))
		return -EINVAL;
	switch (cmd) {
	case VMASST_CMD_enable:
		__atomic_fetch_or(&d->mm.vm_assist, 1U << type, __ATOMIC_SEQ_CST);
		return 0;
	case VMASST_CMD_disable:
		__atomic_fetch_and(&d->mm.vm_assist, ~(1U << type), __ATOMIC_SEQ_CST);
		return 0;
	default:
		return -ENOSYS;
	}
}
