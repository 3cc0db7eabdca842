/* SPDX-License-Identifier: MIT */
/* What domctl (public/domctl.h) asks about a domain's frames. */
#include "mm/page_type.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "pv/pv.h"
#include <public/domctl.h>

#define INFO_MAX     1024
#define INFO_AT_ONCE 64
#define MAPPING_MAX  64

/* A frame that another CPU may be changing: a moment's look. */
static uint32_t frame_info(struct domain *d, mfn_t mfn)
{
	struct frame *f = frame_of_ram(mfn);
	uint32_t info = XEN_DOMCTL_PFINFO_NOTAB;
	uint64_t s;

	if (!f || !get_frame(mfn, d))
		return XEN_DOMCTL_PFINFO_XTAB;
	s = frame_state(f);
	if (is_table_type(state_type(s)) && state_type_refs(s))
		info = (state_type(s) - PT_L1 + 1) << XEN_DOMCTL_PFINFO_LTAB_SHIFT;
	if (s & FRAME_PINNED)
		info |= XEN_DOMCTL_PFINFO_LPINTAB;
	/* What the hypervisor shares with the domain is none of its memory. */
	if (s & FRAME_HV)
		info = XEN_DOMCTL_PFINFO_XTAB;
	put_frame(mfn);
	return info;
}

static long getpageframeinfo3(struct domain *d, const struct xen_domctl_getpageframeinfo3 *op)
{
	vaddr_t array = (vaddr_t)op->array.p;
	uint64_t list[INFO_AT_ONCE];

	if (op->num > INFO_MAX)
		return -E2BIG;
	for (uint64_t done = 0, n; done < op->num; done += n, array += n * sizeof(list[0])) {
		n = min(op->num - done, (uint64_t)INFO_AT_ONCE);
		if (copy_from_guest(list, array, n * sizeof(list[0])))
			return -EFAULT;
		for (unsigned int i = 0; i < n; i++)
			list[i] = frame_info(d, list[i]);
		if (copy_to_guest(array, list, n * sizeof(list[0])))
			return -EFAULT;
	}
	return 0;
}

/* There is no log of dirty frames yet, so it is never on either. */
static long shadow_op(const struct domain *d, const struct xen_domctl_shadow_op *op)
{
	if (d == current->domain)
		return -EINVAL;
	switch (op->op) {
	case XEN_DOMCTL_SHADOW_OP_OFF:
	case XEN_DOMCTL_SHADOW_OP_CLEAN:
	case XEN_DOMCTL_SHADOW_OP_PEEK:
		return -EINVAL;
	case XEN_DOMCTL_SHADOW_OP_ENABLE:
	case XEN_DOMCTL_SHADOW_OP_ENABLE_TEST:
	case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
	case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
	case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

/* A PV guest maps by machine address, so there is nothing to do but to see whether it may. */
static long memory_mapping(const struct domain *d, const struct xen_domctl_memory_mapping *op)
{
	mfn_t last = op->first_mfn + op->nr_mfns - 1;

	if (last < op->first_mfn || last >> (cpu_features.phys_bits - PAGE_SHIFT) ||
	    op->first_gfn + op->nr_mfns - 1 < op->first_gfn)
		return -EINVAL;
	if (op->nr_mfns > MAPPING_MAX)
		return -E2BIG;
	for (mfn_t mfn = op->first_mfn; mfn <= last; mfn++)
		if (!io_frame_allowed(current->domain, mfn) || !io_frame_allowed(d, mfn))
			return -EPERM;
	return 0;
}

/* What is mapped already stays so. */
static long iomem_permission(struct domain *d, const struct xen_domctl_iomem_permission *op)
{
	mfn_t last = op->first_mfn + op->nr_mfns - 1;

	if (!op->nr_mfns || last < op->first_mfn || last >> (cpu_features.phys_bits - PAGE_SHIFT))
		return -EINVAL;
	return range_set_change(&d->mm.io_frames, op->first_mfn, last, op->allow_access);
}

long mm_domctl(const struct xen_domctl *op, struct domain *d)
{
	switch (op->cmd) {
	case XEN_DOMCTL_getpageframeinfo3:
		return getpageframeinfo3(d, &op->u.getpageframeinfo3);
	case XEN_DOMCTL_shadow_op:
		return shadow_op(d, &op->u.shadow_op);
	case XEN_DOMCTL_iomem_permission:
		return iomem_permission(d, &op->u.iomem_permission);
	default:
		return memory_mapping(d, &op->u.memory_mapping);
	}
}
