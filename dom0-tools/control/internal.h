/* SPDX-License-Identifier: MIT */
/* Between the files of this folder. */
#ifndef CONTROL_INTERNAL_H
#define CONTROL_INTERNAL_H

#include <guest/hypercall.h>
#include <public/domctl.h>
#include <public/sysctl.h>

static inline long domctl(struct xen_domctl *op, uint32_t command, domid_t domid)
{
	op->cmd = command;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = domid;
	return hypercall_domctl(op);
}

static inline long sysctl(struct xen_sysctl *op, uint32_t command)
{
	op->cmd = command;
	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return hypercall_sysctl(op);
}

#endif
