/* SPDX-License-Identifier: MIT */
/* sysctl (public/sysctl.h, interface 0x15): what a privileged domain may ask of the whole machine. */
#include "domain/domctl.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/topology.h"
#include "irq/irq.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include "sched/sched.h"
#include "time/time.h"
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
	struct topology t;

	memset(op, 0, sizeof(*op));
	topology_get(&t);
	op->threads_per_core = t.threads_per_core;
	op->cores_per_socket = t.cores_per_socket;
	op->nr_cpus = nr_cpus;
	op->max_cpu_id = nr_cpus - 1;
	op->nr_nodes = 1;
	op->cpu_khz = (uint32_t)tsc_khz;
	op->capabilities =
	    XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
	op->total_pages = total_frames();
	op->free_pages = free_frames();
	op->outstanding_pages = claimed_frames();
	op->max_mfn = max_mfn - 1;
	host_features(op->hw_cap, ARRAY_SIZE(op->hw_cap));
}

/* ---- CPUs and memory ---- */

static long cputopoinfo(struct xen_sysctl_cputopoinfo *op)
{
	vaddr_t to = (vaddr_t)op->cputopo.p;
	struct topology t;

	topology_get(&t);
	for (unsigned int i = 0; to && i < min(op->num_cpus, nr_cpus); i++) {
		struct xen_sysctl_cputopo place = {core_of(&t, i), socket_of(&t, i), 0};

		if (copy_to_guest(to + i * sizeof(place), &place, sizeof(place)))
			return -EFAULT;
	}
	op->num_cpus = nr_cpus;
	return 0;
}

/* The machine is one node. */
static long numainfo(struct xen_sysctl_numainfo *op)
{
	struct xen_sysctl_meminfo memory = {max_mfn << PAGE_SHIFT, free_frames() << PAGE_SHIFT};
	uint32_t distance = 10; /* to itself, as firmware counts (ACPI 5.2.17) */

	if (op->num_nodes) {
		if (op->meminfo.p && copy_to_guest((vaddr_t)op->meminfo.p, &memory, sizeof(memory)))
			return -EFAULT;
		if (op->distance.p &&
		    copy_to_guest((vaddr_t)op->distance.p, &distance, sizeof(distance)))
			return -EFAULT;
	}
	op->num_nodes = 1;
	return 0;
}

static long getcpuinfo(struct xen_sysctl_getcpuinfo *op)
{
	vaddr_t to = (vaddr_t)op->info.p;
	unsigned int n = min(op->max_cpus, nr_cpus);

	for (unsigned int i = 0; i < n; i++) {
		struct xen_sysctl_cpuinfo info = {.idletime = sched_idle_time(i)};

		if (copy_to_guest(to + i * sizeof(info), &info, sizeof(info)))
			return -EFAULT;
	}
	op->nr_cpus = n;
	return 0;
}

/* ---- scheduling ---- */

static unsigned int count_domains(void)
{
	unsigned int n = 0;
	struct domain *d;

	for_each_domain(d) n++;
	return n;
}

/* There is one group, of all CPUs and domains. */
static long cpupool_op(struct xen_sysctl_cpupool_op *op)
{
	switch (op->op) {
	case XEN_SYSCTL_CPUPOOL_OP_INFO:
		if (op->cpupool_id)
			return -ENOENT;
		op->sched_id = XEN_SCHEDULER_CREDIT2;
		op->n_dom = count_domains();
		return bitmap_to_guest(&op->cpumap, cpu_online_mask, nr_cpus);
	case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
		return bitmap_to_guest(&op->cpumap, 0, nr_cpus);
	case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
		if (op->domid == current->domain->id || op->domid >= DOMID_FIRST_RESERVED ||
		    !domain_find((domid_t)op->domid))
			return -EINVAL;
		return op->cpupool_id ? -ENOENT : 0;
	case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
		return op->cpupool_id ? -ENOENT : -ENODEV; /* none is free */
	case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
	case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
		return op->cpupool_id ? -ENOENT : -EBUSY; /* dom0 is there */
	case XEN_SYSCTL_CPUPOOL_OP_CREATE:
		return -EOPNOTSUPP;
	default:
		return -ENOSYS;
	}
}

static long scheduler_op(struct xen_sysctl_scheduler_op *op)
{
	if (op->cpupool_id)
		return -ESRCH;
	if (op->sched_id != XEN_SCHEDULER_CREDIT2)
		return -EINVAL;
	switch (op->cmd) {
	case XEN_SYSCTL_SCHEDOP_getinfo:
		op->u.sched_credit2.ratelimit_us = 0;
		return 0;
	case XEN_SYSCTL_SCHEDOP_putinfo:
		return op->u.sched_credit2.ratelimit_us ? -EOPNOTSUPP : 0;
	default:
		return -EINVAL;
	}
}

/* ---- domains ---- */

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

#define PCI_DEVICES_AT_ONCE 256

/* There is one node. Who asks for more devices goes on from where num_devs tells. */
static long pcitopoinfo(struct xen_sysctl_pcitopoinfo *op)
{
	vaddr_t devs = (vaddr_t)op->devs.p, nodes = (vaddr_t)op->nodes.p;
	uint32_t n = min(op->num_devs, (uint32_t)PCI_DEVICES_AT_ONCE);

	if (!devs || !nodes)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		struct physdev_pci_device dev;
		uint32_t node;

		if (copy_from_guest(&dev, devs + i * sizeof(dev), sizeof(dev)))
			return -EFAULT;
		node = pci_device_known(dev.seg, dev.bus, dev.devfn) ? 0 : XEN_INVALID_DEV;
		if (copy_to_guest(nodes + i * sizeof(node), &node, sizeof(node)))
			return -EFAULT;
	}
	op->num_devs = n;
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
	case XEN_SYSCTL_cputopoinfo:
		rc = cputopoinfo(&op.u.cputopoinfo);
		break;
	case XEN_SYSCTL_pcitopoinfo:
		rc = pcitopoinfo(&op.u.pcitopoinfo);
		break;
	case XEN_SYSCTL_numainfo:
		rc = numainfo(&op.u.numainfo);
		break;
	case XEN_SYSCTL_getcpuinfo:
		rc = getcpuinfo(&op.u.getcpuinfo);
		break;
	case XEN_SYSCTL_sched_id:
		op.u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
		break;
	case XEN_SYSCTL_scheduler_op:
		rc = scheduler_op(&op.u.scheduler_op);
		break;
	case XEN_SYSCTL_cpupool_op:
		rc = cpupool_op(&op.u.cpupool_op);
		break;
	case XEN_SYSCTL_get_cpu_featureset:
		rc = cpu_policy_features(&op.u.cpu_featureset);
		break;
	case XEN_SYSCTL_get_cpu_policy:
		rc = cpu_policy_of_machine(&op.u.cpu_policy);
		break;
	case XEN_SYSCTL_get_cpu_levelling_caps:
		op.u.cpu_levelling_caps.caps = 0; /* the plain instruction is never trapped */
		break;
	/* What this build does not have, as Xen says it without them. */
	case XEN_SYSCTL_perfc_op:
	case XEN_SYSCTL_lockprof_op:
	case XEN_SYSCTL_coverage_op:
	case XEN_SYSCTL_livepatch_op:
	case XEN_SYSCTL_psr_cmt_op:
	case XEN_SYSCTL_psr_alloc:
		return -EOPNOTSUPP;
	case XEN_SYSCTL_get_pmstat:
		return -ENODEV; /* no CPU's states are under the hypervisor's control */
	default:
		if (!test_and_set_bit(op.cmd & 63, &told))
			guest_log("sysctl %u is not implemented\n", op.cmd);
		return -ENOSYS;
	}
	if (!rc && copy_to_guest(arg, &op, sizeof(op)))
		rc = -EFAULT;
	return rc;
}
