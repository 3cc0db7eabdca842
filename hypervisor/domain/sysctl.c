/* SPDX-License-Identifier: MIT */
/* sysctl (public/sysctl.h, interface 0x15): what a privileged domain may ask of the whole machine. */
#include "domain/domain.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "time/time.h"
#include "lib/errno.h"
#include <public/domctl.h>
#include <public/sysctl.h>

#define CHUNK 256

/* The console ring, from op->index on if incremental, into the guest's buffer; a piece at a time. */
static long readconsole(struct xen_sysctl_readconsole *op)
{
	vaddr_t to = (vaddr_t)op->buffer.p;
	uint32_t index = op->incremental ? op->index : 0, left = op->count;
	char piece[CHUNK];

	while (left) {
		size_t n = console_ring_read(&index, piece, min(left, (uint32_t)CHUNK));

		if (n == 0)
			break;
		if (copy_to_guest(to, piece, n))
			return -EFAULT;
		to += n;
		left -= n;
	}
	op->count -= left;
	op->index = index;
	if (op->clear)
		console_ring_clear();
	return 0;
}

static long debug_keys(const struct xen_sysctl_debug_keys *op)
{
	vaddr_t from = (vaddr_t)op->keys.p;
	char key;

	if (op->nr_keys > CHUNK)
		return -E2BIG;
	for (uint32_t i = 0; i < op->nr_keys; i++) {
		if (copy_from_guest(&key, from + i, 1))
			return -EFAULT;
		console_debug_key(key);
	}
	return 0;
}

static void physinfo(struct xen_sysctl_physinfo *op)
{
	memset(op, 0, sizeof(*op));
	op->threads_per_core = op->cores_per_socket = 1;
	op->nr_cpus = nr_cpus;
	op->max_cpu_id = nr_cpus - 1;
	op->nr_nodes = 1;
	op->cpu_khz = (uint32_t)tsc_khz;
	op->capabilities = XEN_SYSCTL_PHYSCAP_pv;
	op->total_pages = total_frames();
	op->free_pages = free_frames();
	op->outstanding_pages = claimed_frames();
}

/* At most so many domains in one go; the caller asks for the rest, from the last one's number on. */
#define MAX_INFOS 1024

static long getdomaininfolist(struct xen_sysctl_getdomaininfolist *op)
{
	vaddr_t to = (vaddr_t)op->buffer.p;
	uint32_t wanted = min(op->max_domains, (uint32_t)MAX_INFOS), n = 0;
	struct xen_domctl_getdomaininfo info;

	for (struct domain *d = domain_next(op->first_domain); d && n < wanted;
	     d = domain_next(d->id + 1U), n++) {
		domain_info(d, &info);
		if (copy_to_guest(to + n * sizeof(info), &info, sizeof(info)))
			return -EFAULT;
	}
	op->num_domains = n;
	return 0;
}

long do_sysctl(vaddr_t arg)
{
	struct xen_sysctl op;
	static unsigned long told;
	long rc = 0;

	if (!current->domain->is_privileged)
		return -EPERM;
	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
		return -EACCES;
	switch (op.cmd) {
	case XEN_SYSCTL_readconsole:
		rc = readconsole(&op.u.readconsole);
		break;
	case XEN_SYSCTL_debug_keys:
		return debug_keys(&op.u.debug_keys);
	case XEN_SYSCTL_physinfo:
		physinfo(&op.u.physinfo);
		break;
	case XEN_SYSCTL_getdomaininfolist:
		rc = getdomaininfolist(&op.u.getdomaininfolist);
		break;
	case XEN_SYSCTL_availheap:
		op.u.availheap.avail_bytes = free_frames() << PAGE_SHIFT;
		break;
	default:
		if (!test_and_set_bit(op.cmd & 63, &told))
			guest_log("sysctl %u is not implemented\n", op.cmd);
		return -ENOSYS;
	}
	if (!rc && copy_to_guest(arg, &op, sizeof(op)))
		rc = -EFAULT;
	return rc;
}
