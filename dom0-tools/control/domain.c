/* SPDX-License-Identifier: MIT */
/* The life of domains, their vCPUs and what they may use. */
#include "control/control.h"
#include "control/internal.h"
#include <errno.h>
#include <string.h>
#include <guest/hypercall.h>
#include <public/physdev.h>
#include <public/sched.h>

long control_create_domain(const struct xen_domctl_createdomain *config, domid_t *domid)
{
	struct xen_domctl op = {0};
	long error;

	op.u.createdomain = *config;
	error = domctl(&op, XEN_DOMCTL_createdomain, *domid);
	if (!error)
		*domid = op.domain;
	return error;
}

/* A domctl without arguments. */
static long simple(uint32_t command, domid_t domid)
{
	struct xen_domctl op = {0};

	return domctl(&op, command, domid);
}

long control_destroy(domid_t domid)
{
	long error;

	/* A big domain's end may come in pieces. */
	do {
		error = simple(XEN_DOMCTL_destroydomain, domid);
	} while (error == -EAGAIN);
	return error;
}

long control_pause(domid_t domid)
{
	return simple(XEN_DOMCTL_pausedomain, domid);
}

long control_unpause(domid_t domid)
{
	return simple(XEN_DOMCTL_unpausedomain, domid);
}

long control_resume(domid_t domid)
{
	return simple(XEN_DOMCTL_resumedomain, domid);
}

long control_shutdown(domid_t domid, unsigned int reason)
{
	struct sched_remote_shutdown op = {.domain_id = domid, .reason = reason};

	return hypercall_sched_op(SCHEDOP_remote_shutdown, &op);
}

long control_max_vcpus(domid_t domid, unsigned int max)
{
	struct xen_domctl op = {.u.max_vcpus.max = max};

	return domctl(&op, XEN_DOMCTL_max_vcpus, domid);
}

long control_max_mem(domid_t domid, uint64_t kib)
{
	struct xen_domctl op = {.u.max_mem.max_memkb = kib};

	return domctl(&op, XEN_DOMCTL_max_mem, domid);
}

long control_set_handle(domid_t domid, const xen_domain_handle_t handle)
{
	struct xen_domctl op = {0};

	memcpy(op.u.setdomainhandle.handle, handle, sizeof(op.u.setdomainhandle.handle));
	return domctl(&op, XEN_DOMCTL_setdomainhandle, domid);
}

long control_set_time_offset(domid_t domid, int64_t seconds)
{
	struct xen_domctl op = {.u.settimeoffset.time_offset_seconds = seconds};

	return domctl(&op, XEN_DOMCTL_settimeoffset, domid);
}

long control_send_trigger(domid_t domid, uint32_t trigger, uint32_t vcpu)
{
	struct xen_domctl op = {.u.sendtrigger = {.trigger = trigger, .vcpu = vcpu}};

	return domctl(&op, XEN_DOMCTL_sendtrigger, domid);
}

long control_list(domid_t first, struct xen_domctl_getdomaininfo *info, unsigned int n)
{
	struct xen_sysctl op = {0};
	long error;

	op.u.getdomaininfolist.first_domain = first;
	op.u.getdomaininfolist.max_domains = n;
	set_xen_guest_handle(op.u.getdomaininfolist.buffer, info);
	error = sysctl(&op, XEN_SYSCTL_getdomaininfolist);
	return error ? error : (long)op.u.getdomaininfolist.num_domains;
}

long control_info(domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	struct xen_domctl op = {0};
	long error = domctl(&op, XEN_DOMCTL_getdomaininfo, domid);

	if (error)
		return error;
	*info = op.u.getdomaininfo;
	return info->domain == domid ? 0 : -ESRCH;
}

/* vCPUs */

long control_set_vcpu_context(domid_t domid, unsigned int vcpu,
			      const struct vcpu_guest_context *context)
{
	struct xen_domctl op = {.u.vcpucontext.vcpu = vcpu};

	set_xen_guest_handle(op.u.vcpucontext.ctxt, (struct vcpu_guest_context *)context);
	return domctl(&op, XEN_DOMCTL_setvcpucontext, domid);
}

long control_get_vcpu_context(domid_t domid, unsigned int vcpu, struct vcpu_guest_context *context)
{
	struct xen_domctl op = {.u.vcpucontext.vcpu = vcpu};

	set_xen_guest_handle(op.u.vcpucontext.ctxt, context);
	return domctl(&op, XEN_DOMCTL_getvcpucontext, domid);
}

long control_vcpu_info(domid_t domid, unsigned int vcpu, struct xen_domctl_getvcpuinfo *info)
{
	struct xen_domctl op = {.u.getvcpuinfo.vcpu = vcpu};
	long error = domctl(&op, XEN_DOMCTL_getvcpuinfo, domid);

	if (!error)
		*info = op.u.getvcpuinfo;
	return error;
}

/* set also gives back what results, hence the copies. */
static long affinity(uint32_t command, domid_t domid, unsigned int vcpu, struct control_cpus *hard,
		     struct control_cpus *soft)
{
	struct xen_domctl op = {.u.vcpuaffinity.vcpu = vcpu};

	if (hard) {
		op.u.vcpuaffinity.flags |= XEN_VCPUAFFINITY_HARD;
		op.u.vcpuaffinity.cpumap_hard.nr_bits = CONTROL_CPUS;
		set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, hard->bits);
	}
	if (soft) {
		op.u.vcpuaffinity.flags |= XEN_VCPUAFFINITY_SOFT;
		op.u.vcpuaffinity.cpumap_soft.nr_bits = CONTROL_CPUS;
		set_xen_guest_handle(op.u.vcpuaffinity.cpumap_soft.bitmap, soft->bits);
	}
	return domctl(&op, command, domid);
}

long control_set_affinity(domid_t domid, unsigned int vcpu, const struct control_cpus *hard,
			  const struct control_cpus *soft)
{
	struct control_cpus hard_copy, soft_copy;

	if (hard)
		hard_copy = *hard;
	if (soft)
		soft_copy = *soft;
	return affinity(XEN_DOMCTL_setvcpuaffinity, domid, vcpu, hard ? &hard_copy : NULL,
			soft ? &soft_copy : NULL);
}

long control_get_affinity(domid_t domid, unsigned int vcpu, struct control_cpus *hard,
			  struct control_cpus *soft)
{
	if (hard)
		memset(hard, 0, sizeof(*hard));
	if (soft)
		memset(soft, 0, sizeof(*soft));
	return affinity(XEN_DOMCTL_getvcpuaffinity, domid, vcpu, hard, soft);
}

/* Weight and cap stand in the same place for both schedulers that have them. */
_Static_assert(sizeof(struct xen_domctl_sched_credit) == sizeof(struct xen_domctl_sched_credit2),
	       "credit and credit2 are told alike");

static long scheduling(struct xen_domctl *op, uint32_t command, domid_t domid)
{
	long error = control_scheduler(&op->u.scheduler_op.sched_id);

	if (error)
		return error;
	op->u.scheduler_op.cmd = command;
	return domctl(op, XEN_DOMCTL_scheduler_op, domid);
}

long control_set_scheduling(domid_t domid, unsigned int weight, unsigned int cap)
{
	struct xen_domctl op = {0};

	if (weight > UINT16_MAX || cap > UINT16_MAX)
		return -EINVAL;
	op.u.scheduler_op.u.credit2.weight = (uint16_t)weight;
	op.u.scheduler_op.u.credit2.cap = (uint16_t)cap;
	return scheduling(&op, XEN_DOMCTL_SCHEDOP_putinfo, domid);
}

long control_get_scheduling(domid_t domid, unsigned int *weight, unsigned int *cap)
{
	struct xen_domctl op = {0};
	long error = scheduling(&op, XEN_DOMCTL_SCHEDOP_getinfo, domid);

	if (!error) {
		*weight = op.u.scheduler_op.u.credit2.weight;
		*cap = op.u.scheduler_op.u.credit2.cap;
	}
	return error;
}

/* Events and permissions */

long control_alloc_unbound(domid_t domid, domid_t remote)
{
	struct evtchn_alloc_unbound op = {.dom = domid, .remote_dom = remote};
	long error = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

	return error ? error : (long)op.port;
}

long control_map_line(domid_t domid, uint32_t line)
{
	struct physdev_map_pirq op = {
	    .domid = domid, .type = MAP_PIRQ_TYPE_GSI, .index = (int)line, .pirq = (int)line};

	return hypercall_physdev_op(PHYSDEVOP_map_pirq, &op);
}

long control_permit_irq(domid_t domid, uint32_t pirq, bool allow)
{
	struct xen_domctl op = {.u.irq_permission = {.pirq = pirq, .allow_access = allow}};

	return domctl(&op, XEN_DOMCTL_irq_permission, domid);
}

long control_permit_iomem(domid_t domid, uint64_t mfn, uint64_t count, bool allow)
{
	struct xen_domctl op = {
	    .u.iomem_permission = {.first_mfn = mfn, .nr_mfns = count, .allow_access = allow}};

	return domctl(&op, XEN_DOMCTL_iomem_permission, domid);
}

long control_permit_ioports(domid_t domid, uint32_t first, uint32_t count, bool allow)
{
	struct xen_domctl op = {
	    .u.ioport_permission = {.first_port = first, .nr_ports = count, .allow_access = allow}};

	return domctl(&op, XEN_DOMCTL_ioport_permission, domid);
}

long control_set_virq_handler(domid_t domid, uint32_t virq)
{
	struct xen_domctl op = {.u.set_virq_handler.virq = virq};

	return domctl(&op, XEN_DOMCTL_set_virq_handler, domid);
}
