/* SPDX-License-Identifier: MIT */
/*
 * domctl (public/domctl.h, interface 0x15): what the tools do with domains. One at a time: a second caller
 * tries again from the start, with the way out of the hypervisor in between, so that it can be stopped meanwhile.
 */
#include "domain/domctl.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "irq/irq.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include "sched/sched.h"
#include "time/time.h"

static spinlock_t domctl_lock;

/* settscinfo, tsc_mode */
#define TSC_MODE_DEFAULT	0
#define TSC_MODE_ALWAYS_EMULATE 1
#define TSC_MODE_NEVER_EMULATE	2

/* ---- creation ---- */

#define CDF_ACCEPTED (XEN_DOMCTL_CDF_xs_domain | XEN_DOMCTL_CDF_oos_off)

/* Only what a PV domain can have. */
static long check_creation(const struct xen_domctl_createdomain *c)
{
	if (c->flags & ~(2 * XEN_DOMCTL_CDF_MAX - 1))
		return -EINVAL;
	if (c->flags & ~CDF_ACCEPTED)
		return c->flags & (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_iommu) ? -EOPNOTSUPP
									      : -EINVAL;
	if (c->iommu_opts || (c->arch.emulation_flags & ~XEN_X86_EMU_PIT) || c->arch.misc_flags)
		return -EINVAL;
	if (c->max_vcpus == 0 || c->max_vcpus > MAX_VCPUS || c->max_evtchn_port < 1)
		return -EINVAL;
	if (c->max_grant_frames > GRANT_MAX_FRAMES || c->max_grant_frames == 0 ||
	    c->max_maptrack_frames > GRANT_MAPPING_FRAMES)
		return -EINVAL;
	if (c->grant_opts < 1 || c->grant_opts > 2)
		return -EINVAL;
	if (c->vmtrace_size)
		return -EOPNOTSUPP;
	return c->cpupool_id ? -ENOENT : 0;
}

static void set_limits(struct domain *d, const struct xen_domctl_createdomain *c)
{
	memcpy(d->handle, c->handle, sizeof(d->handle));
	d->ssidref = c->ssidref;
	d->is_xs_domain = c->flags & XEN_DOMCTL_CDF_xs_domain;
	d->mm.max_pages = 0;
	d->grant.max_version = c->grant_opts;
	/* Negative: the default, which is all that there can be. */
	if (c->max_grant_frames > 0)
		d->grant.max_frames = (unsigned int)c->max_grant_frames;
	if (c->max_maptrack_frames >= 0)
		d->grant.max_mapping_frames = (unsigned int)c->max_maptrack_frames;
	evtchn_set_limit(d, c->max_evtchn_port);
}

/* As Xen has it: a number that no domain can have asks for any. */
static long create(struct xen_domctl *op)
{
	domid_t wanted = op->domain < DOMID_FIRST_RESERVED ? op->domain : 0;
	long rc = check_creation(&op->u.createdomain);
	struct domain *d;
	int id;

	if (rc)
		return rc;
	id = domain_take_id(wanted);
	if (id < 0)
		return id;
	d = domain_create((domid_t)id, op->u.createdomain.max_vcpus, false);
	if (!d) {
		domain_give_id((domid_t)id);
		return -ENOMEM;
	}
	set_limits(d, &op->u.createdomain);
	domain_publish(d);
	op->domain = d->id;
	return 0;
}

/* ---- life and death ---- */

static long pause(struct domain *d)
{
	spin_lock(&d->state_lock);
	d->control_pauses++;
	spin_unlock(&d->state_lock);
	domain_pause(d);
	return 0;
}

static long unpause(struct domain *d)
{
	bool was;

	spin_lock(&d->state_lock);
	was = d->control_pauses;
	if (was)
		d->control_pauses--;
	spin_unlock(&d->state_lock);
	if (!was)
		return -EINVAL;
	d->creation_finished = true;
	domain_unpause(d);
	return 0;
}

static long resume(struct domain *d)
{
	domain_pause(d);
	domain_resume(d);
	domain_unpause(d);
	return 0;
}

/* ---- parameters ---- */

static long max_mem(struct domain *d, const struct xen_domctl_max_mem *op)
{
	/* Below what it has now: it keeps that, and gets no more. */
	uint64_t pages = op->max_memkb >> (PAGE_SHIFT - 10);

	spin_lock(&d->mm.page_lock);
	d->mm.max_pages = min(pages, (uint64_t)UINT32_MAX);
	spin_unlock(&d->mm.page_lock);
	return 0;
}

static long max_vcpus(struct domain *d, const struct xen_domctl_max_vcpus *op)
{
	if (d == current->domain || op->max != d->max_vcpus)
		return -EINVAL;
	d->has_vcpus = true;
	return 0;
}

static long hypercall_init(struct domain *d, const struct xen_domctl_hypercall_init *op)
{
	if (!get_writable_frame(op->gmfn, d))
		return -EACCES;
	hypercall_page_init(mfn_to_virt(op->gmfn));
	put_writable_frame(op->gmfn);
	return 0;
}

static long settimeoffset(struct domain *d, const struct xen_domctl_settimeoffset *op)
{
	d->time.time_offset_seconds = op->time_offset_seconds;
	if (!d->is_dying)
		update_wallclock(d);
	return 0;
}

static long subscribe(struct domain *d, const struct xen_domctl_subscribe *op)
{
	d->suspend_port = op->port;
	return 0;
}

/* The machine is one node. */
static long setnodeaffinity(const struct xen_domctl_nodeaffinity *op)
{
	uint64_t nodes;
	long rc = bitmap_from_guest(&op->nodemap, &nodes);

	if (rc)
		return rc;
	return nodes & 1 ? 0 : -EINVAL;
}

/* In the terms of Xen's scheduler credit2, which ours resembles most. */
static long scheduler_op(struct domain *d, struct xen_domctl_scheduler_op *op, bool *copy_back)
{
	if (op->sched_id != XEN_SCHEDULER_CREDIT2)
		return -EINVAL;
	switch (op->cmd) {
	case XEN_DOMCTL_SCHEDOP_getinfo:
		op->u.credit2.weight = (uint16_t)d->sched_weight;
		op->u.credit2.cap = (uint16_t)d->cap.percent;
		*copy_back = true;
		return 0;
	case XEN_DOMCTL_SCHEDOP_putinfo:
		if (op->u.credit2.weight) /* 0: as it is */
			WRITE_ONCE(d->sched_weight, op->u.credit2.weight);
		if (op->u.credit2.cap != d->cap.percent && !d->is_dying)
			sched_set_cap(d, op->u.credit2.cap);
		return 0;
	default:
		return -EINVAL;
	}
}

/*
 * The TSC is always the machine's own. It can be as steady as the guest was promised only while the machine is the same,
 * which it is: what a saved domain brings of another's frequency is refused.
 */
static long gettscinfo(const struct domain *d, struct xen_domctl_tsc_info *op)
{
	*op = (struct xen_domctl_tsc_info){.tsc_mode = d->tsc_mode,
					   .gtsc_khz = (uint32_t)tsc_khz,
					   .incarnation = d->tsc_incarnation,
					   .elapsed_nsec = (uint64_t)now()};
	return 0;
}

static long settscinfo(struct domain *d, const struct xen_domctl_tsc_info *op)
{
	if (d == current->domain || op->tsc_mode > TSC_MODE_NEVER_EMULATE)
		return -EINVAL;
	if (op->tsc_mode == TSC_MODE_ALWAYS_EMULATE ||
	    (op->gtsc_khz && op->gtsc_khz != tsc_khz && op->tsc_mode == TSC_MODE_DEFAULT))
		guest_log("Domain %u: its TSC is the machine's: no emulation\n", d->id);
	d->tsc_mode = op->tsc_mode;
	d->tsc_incarnation = op->incarnation;
	return 0;
}

/* ---- the call ---- */

/* d: op->domain's; not the caller's where that would stop the caller for ever. */
static long on_domain(struct xen_domctl *op, struct domain *d, bool *copy_back)
{
	static unsigned long told;

	switch (op->cmd) {
	case XEN_DOMCTL_destroydomain:
		return d == current->domain ? -EINVAL : domain_kill(d);
	case XEN_DOMCTL_pausedomain:
		return d == current->domain ? -EINVAL : pause(d);
	case XEN_DOMCTL_unpausedomain:
		return unpause(d);
	case XEN_DOMCTL_resumedomain:
		return d == current->domain ? -EINVAL : resume(d);
	case XEN_DOMCTL_max_mem:
		return max_mem(d, &op->u.max_mem);
	case XEN_DOMCTL_max_vcpus:
		return max_vcpus(d, &op->u.max_vcpus);
	case XEN_DOMCTL_setdomainhandle:
		memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
		return 0;
	case XEN_DOMCTL_setdebugging:
		if (d == current->domain)
			return -EINVAL;
		d->debugger = op->u.setdebugging.enable;
		return 0;
	case XEN_DOMCTL_hypercall_init:
		return hypercall_init(d, &op->u.hypercall_init);
	case XEN_DOMCTL_settimeoffset:
		return settimeoffset(d, &op->u.settimeoffset);
	case XEN_DOMCTL_subscribe:
		return subscribe(d, &op->u.subscribe);
	case XEN_DOMCTL_set_virq_handler:
		return set_global_virq_handler(d, op->u.set_virq_handler.virq);
	case XEN_DOMCTL_set_address_size:
		return op->u.address_size.size == 64 ? 0 : -EINVAL;
	case XEN_DOMCTL_get_address_size:
		op->u.address_size.size = 64;
		*copy_back = true;
		return 0;
	case XEN_DOMCTL_get_cpu_policy:
		*copy_back = true;
		return cpu_policy_get(d, &op->u.cpu_policy);
	case XEN_DOMCTL_set_cpu_policy:
		*copy_back = true;
		if (d == current->domain)
			return -EINVAL;
		return d->creation_finished ? -EEXIST : cpu_policy_set(d, &op->u.cpu_policy);
	case XEN_DOMCTL_scheduler_op:
		return scheduler_op(d, &op->u.scheduler_op, copy_back);
	case XEN_DOMCTL_gettscinfo:
		*copy_back = true;
		return gettscinfo(d, &op->u.tsc_info);
	case XEN_DOMCTL_settscinfo:
		return settscinfo(d, &op->u.tsc_info);
	case XEN_DOMCTL_irq_permission:
		return pirq_permit(d, op->u.irq_permission.pirq, op->u.irq_permission.allow_access);
	case XEN_DOMCTL_ioport_permission:
		return pv_ports_permit(d, op->u.ioport_permission.first_port,
				       op->u.ioport_permission.nr_ports,
				       op->u.ioport_permission.allow_access);
	case XEN_DOMCTL_setnodeaffinity:
		return setnodeaffinity(&op->u.nodeaffinity);
	case XEN_DOMCTL_getnodeaffinity:
		return bitmap_to_guest(&op->u.nodeaffinity.nodemap, 1, 1);
	case XEN_DOMCTL_getpageframeinfo3:
	case XEN_DOMCTL_shadow_op:
	case XEN_DOMCTL_memory_mapping:
	case XEN_DOMCTL_iomem_permission:
		return mm_domctl(op, d);
	default:
		break;
	}
	if (is_vcpu_op(op->cmd))
		return vcpu_domctl(op, d, copy_back);
	if (!test_and_set_bit(op->cmd & 63, &told))
		guest_log("domctl %u is not implemented\n", op->cmd);
	return -ENOSYS;
}

static long perform(struct xen_domctl *op, bool *copy_back)
{
	struct domain *d;

	if (op->cmd == XEN_DOMCTL_createdomain) {
		*copy_back = true;
		return create(op);
	}
	if (op->cmd == XEN_DOMCTL_getdomaininfo) {
		/* The first from this number on: so the tools go through all. */
		d = op->domain < DOMID_FIRST_RESERVED ? domain_next(op->domain) : NULL;
		if (!d)
			return op->domain < DOMID_FIRST_RESERVED ? -ESRCH : -EINVAL;
		domain_info(d, &op->u.getdomaininfo);
		op->domain = d->id;
		*copy_back = true;
		return 0;
	}
	d = domain_find(op->domain);
	return d ? on_domain(op, d, copy_back) : -ESRCH;
}

long do_domctl(vaddr_t arg)
{
	struct xen_domctl op;
	bool copy_back = false;
	long rc;

	if (!current->domain->is_privileged)
		return -EPERM;
	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return -EACCES;
	if (!spin_trylock(&domctl_lock))
		return hypercall_continue(__HYPERVISOR_domctl, 1, arg);
	rc = perform(&op, &copy_back);
	spin_unlock(&domctl_lock);
	if (rc == -EINTR)
		return hypercall_continue(__HYPERVISOR_domctl, 1, arg);
	/* Some tell what was wrong, or how much room it takes. */
	if (copy_back && copy_to_guest(arg, &op, sizeof(op)))
		rc = -EFAULT;
	return rc;
}
