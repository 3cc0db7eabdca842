/* SPDX-License-Identifier: MIT */
/* domctl on single vCPUs: their state, where they run, what they do. */
#include "cpu/cpu.h"
#include "domain/domctl.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include "sched/sched.h"
#include "time/time.h"

/* The tools see no vCPU before they have asked for them (max_vcpus). */
static struct vcpu *find_vcpu(struct domain *d, uint32_t id)
{
	return d->has_vcpus ? domain_vcpu(d, id) : NULL;
}

/* ---- context ---- */

static long set_context(struct vcpu *v, struct vcpu_guest_context *c)
{
	struct domain *d = v->domain;
	long rc;

	spin_lock(&d->vcpu_lock);
	rc = d->is_dying ? -ESRCH : vcpu_set_context(v, c);
	spin_unlock(&d->vcpu_lock);
	if (rc)
		return rc;
	if (v->id == 0)
		pv_set_vm_assist(d, c->vm_assist);
	if (c->flags & VGCF_online)
		vcpu_pause_flag_clear(v, VPF_DOWN);
	else
		vcpu_pause_flag_set(v, VPF_DOWN);
	return 0;
}

static long setvcpucontext(struct domain *d, const struct xen_domctl_vcpucontext *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);
	struct vcpu_guest_context *c;
	long rc = -EFAULT;

	if (d == current->domain || !v)
		return -EINVAL;
	if (!op->ctxt.p) {
		domain_pause(d);
		vcpu_reset(v);
		domain_unpause(d);
		return 0;
	}
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (!copy_from_guest(c, (vaddr_t)op->ctxt.p, sizeof(*c))) {
		domain_pause(d);
		rc = set_context(v, c);
		domain_unpause(d);
	}
	kfree(c);
	return rc;
}

static long getvcpucontext(struct domain *d, const struct xen_domctl_vcpucontext *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);
	struct vcpu_guest_context *c;
	long rc;

	if (!v)
		return -ESRCH;
	if (v == current)
		return -EINVAL;
	if (!v->initialised)
		return -ENODATA;
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	domain_pause(d);
	vcpu_get_context(v, c);
	domain_unpause(d);
	rc = copy_to_guest((vaddr_t)op->ctxt.p, c, sizeof(*c)) ? -EFAULT : 0;
	kfree(c);
	return rc;
}

/* ---- what it does, and where ---- */

static long getvcpuinfo(struct domain *d, struct xen_domctl_getvcpuinfo *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);
	struct vcpu_runstate_info runstate;

	if (!v)
		return -ESRCH;
	runstate_get(v, &runstate);
	op->online = !test_bit(VPF_DOWN, &v->pause_flags);
	op->blocked = test_bit(VPF_BLOCKED, &v->pause_flags);
	op->running = READ_ONCE(v->sched.running);
	op->cpu_time = runstate.time[RUNSTATE_running];
	op->cpu = READ_ONCE(v->sched.cpu);
	return 0;
}

/* SCHEDOP_pin_override keeps what was there for later: so is a new hard affinity, unless that is to be undone. */
static long set_hard_affinity(struct vcpu *v, struct xen_domctl_vcpuaffinity *op)
{
	cpumask_t mask;
	long rc = bitmap_from_guest(&op->cpumap_hard, &mask);

	if (rc)
		return rc;
	if (!(mask & cpu_online_mask))
		return -EINVAL;
	if (v->sched.unpinned && !(op->flags & XEN_VCPUAFFINITY_FORCE))
		return -EBUSY;
	v->sched.unpinned = 0;
	sched_set_affinity(v, mask);
	return bitmap_to_guest(&op->cpumap_hard, mask & cpu_online_mask, nr_cpus);
}

static long set_soft_affinity(struct vcpu *v, struct xen_domctl_vcpuaffinity *op)
{
	cpumask_t mask;
	long rc = bitmap_from_guest(&op->cpumap_soft, &mask);

	if (rc)
		return rc;
	if (!mask)
		return -EINVAL;
	sched_set_soft_affinity(v, mask);
	return bitmap_to_guest(&op->cpumap_soft, mask & v->sched.affinity & cpu_online_mask,
			       nr_cpus);
}

static long setvcpuaffinity(struct domain *d, struct xen_domctl_vcpuaffinity *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);
	long rc = 0;

	if (!v)
		return -ESRCH;
	if (!(op->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) ||
	    op->flags & ~(XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT | XEN_VCPUAFFINITY_FORCE))
		return -EINVAL;
	if (op->flags & XEN_VCPUAFFINITY_HARD)
		rc = set_hard_affinity(v, op);
	if (!rc && (op->flags & XEN_VCPUAFFINITY_SOFT))
		rc = set_soft_affinity(v, op);
	return rc;
}

static long getvcpuaffinity(struct domain *d, const struct xen_domctl_vcpuaffinity *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);
	long rc = 0;

	if (!v)
		return -ESRCH;
	if (op->flags & XEN_VCPUAFFINITY_HARD)
		rc = bitmap_to_guest(&op->cpumap_hard, v->sched.affinity, nr_cpus);
	if (!rc && (op->flags & XEN_VCPUAFFINITY_SOFT))
		rc = bitmap_to_guest(&op->cpumap_soft, v->sched.soft_affinity, nr_cpus);
	return rc;
}

/* ---- the calls ---- */

bool is_vcpu_op(uint32_t cmd)
{
	switch (cmd) {
	case XEN_DOMCTL_setvcpucontext:
	case XEN_DOMCTL_getvcpucontext:
	case XEN_DOMCTL_getvcpuinfo:
	case XEN_DOMCTL_setvcpuaffinity:
	case XEN_DOMCTL_getvcpuaffinity:
		return true;
	default:
		return false;
	}
}

long vcpu_domctl(struct xen_domctl *op, struct domain *d, bool *copy_back)
{
	switch (op->cmd) {
	case XEN_DOMCTL_setvcpucontext:
		return setvcpucontext(d, &op->u.vcpucontext);
	case XEN_DOMCTL_getvcpucontext:
		return getvcpucontext(d, &op->u.vcpucontext);
	case XEN_DOMCTL_getvcpuinfo:
		*copy_back = true;
		return getvcpuinfo(d, &op->u.getvcpuinfo);
	case XEN_DOMCTL_setvcpuaffinity:
		return setvcpuaffinity(d, &op->u.vcpuaffinity);
	case XEN_DOMCTL_getvcpuaffinity:
		return getvcpuaffinity(d, &op->u.vcpuaffinity);
	default:
		return -ENOSYS;
	}
}
