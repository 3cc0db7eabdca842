/* SPDX-License-Identifier: MIT */
/* vm_assist: behaviour that a guest switches on or off for itself. */
#include "pv/internal.h"

/*
 * 4gb_segments, its notification and pae_extended_cr3 concern 32-bit guests; 64-bit ones may set them and
 * see no difference. m2p_strict counts when a user root is set (mm/page_type.c).
 */
#define TYPES                                                                              \
	(1UL << VMASST_TYPE_4gb_segments | 1UL << VMASST_TYPE_4gb_segments_notify |        \
	 1UL << VMASST_TYPE_writable_pagetables | 1UL << VMASST_TYPE_pae_extended_cr3 |    \
	 1UL << VMASST_TYPE_architectural_iopl | 1UL << VMASST_TYPE_runstate_update_flag | \
	 1UL << VMASST_TYPE_m2p_strict)

void pv_set_vm_assist(struct domain *d, uint64_t types)
{
	WRITE_ONCE(d->mm.vm_assist, types & TYPES);
}

long do_vm_assist(unsigned int cmd, unsigned int type)
{
	struct domain *d = current->domain;

	if (type >= 64 || !(TYPES & 1UL << type))
		return -EINVAL;
	switch (cmd) {
	case VMASST_CMD_enable:
		__atomic_fetch_or(&d->mm.vm_assist, 1UL << type, __ATOMIC_SEQ_CST);
		return 0;
	case VMASST_CMD_disable:
		__atomic_fetch_and(&d->mm.vm_assist, ~(1UL << type), __ATOMIC_SEQ_CST);
		return 0;
	default:
		return -ENOSYS;
	}
}
