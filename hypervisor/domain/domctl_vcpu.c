/* SPDX-License-Identifier: MIT */
/* domctl on single vCPUs: their state, where they run, what they do. */
#include "cpu/cpu.h"
#include "cpu/x86.h"
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

static long sendtrigger(struct domain *d, const struct xen_domctl_sendtrigger *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);

	if (!v)
		return -ESRCH;
	switch (op->trigger) {
	case XEN_DOMCTL_SENDTRIGGER_NMI:
		vcpu_send_nmi(v);
		return 0;
	case XEN_DOMCTL_SENDTRIGGER_POWER:
	case XEN_DOMCTL_SENDTRIGGER_SLEEP:
		return -EINVAL; /* a PV guest has no such buttons */
	default:
		return -ENOSYS;
	}
}

/* ---- state that struct vcpu_guest_context has no place for ---- */

static long get_ext_context(struct domain *d, struct xen_domctl_ext_vcpucontext *op)
{
	const struct vcpu *v = find_vcpu(d, op->vcpu);

	if (!v)
		return -ESRCH;
	*op = (struct xen_domctl_ext_vcpucontext){
	    .vcpu = op->vcpu,
	    .size = sizeof(*op),
	    .syscall32_callback_eip = v->pv.syscall32.eip,
	    .sysenter_callback_eip = v->pv.sysenter.eip,
	    .syscall32_callback_cs = FLAT_KERNEL_CS,
	    .sysenter_callback_cs = FLAT_KERNEL_CS,
	    .syscall32_disables_events = v->pv.syscall32.mask_events,
	    .sysenter_disables_events = v->pv.sysenter.mask_events,
	};
	return 0;
}

static long set_ext_context(struct domain *d, const struct xen_domctl_ext_vcpucontext *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);

	if (d == current->domain)
		return -EINVAL;
	if (!v)
		return -ESRCH;
	if (op->size < offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap) ||
	    !is_canonical(op->syscall32_callback_eip) || !is_canonical(op->sysenter_callback_eip))
		return -EINVAL;
	domain_pause(d);
	v->pv.syscall32 =
	    (struct pv_callback){op->syscall32_callback_eip, op->syscall32_disables_events};
	v->pv.sysenter =
	    (struct pv_callback){op->sysenter_callback_eip, op->sysenter_disables_events};
	domain_unpause(d);
	return 0;
}

/* What precedes the XSAVE area in the buffer: XCR0, and all that was ever set in it. */
struct xstate_head {
	uint64_t xcr0, accumulated;
};

static uint64_t xstate_size(void)
{
	return cpu_features.xcr0 ? sizeof(struct xstate_head) + cpu_features.fpu_size : 0;
}

static long getvcpuextstate(struct domain *d, struct xen_domctl_vcpuextstate *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);
	struct xstate_head head;
	vaddr_t to = (vaddr_t)op->buffer.p;
	long rc = 0;

	if (!v)
		return -ESRCH;
	if (!to || (!op->size && !op->xfeature_mask)) {
		op->size = xstate_size();
		op->xfeature_mask = cpu_features.xcr0;
		return 0;
	}
	if (v == current || op->size != xstate_size() || op->xfeature_mask != cpu_features.xcr0)
		return -EINVAL;
	if (!op->size)
		return 0;
	domain_pause(d);
	head = (struct xstate_head){v->pv.xcr0, cpu_features.xcr0};
	if (copy_to_guest(to, &head, sizeof(head)) ||
	    copy_to_guest(to + sizeof(head), v->fpu, cpu_features.fpu_size))
		rc = -EFAULT;
	domain_unpause(d);
	return rc;
}

/* Contents that the CPU does not take become the initial state when they are to be loaded (cpu/fpu.c). */
static long setvcpuextstate(struct domain *d, const struct xen_domctl_vcpuextstate *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);
	vaddr_t from = (vaddr_t)op->buffer.p;
	struct xstate_head head;
	void *area;

	if (d == current->domain || op->size < sizeof(head) || op->size > xstate_size())
		return -EINVAL;
	if (!v)
		return -ESRCH;
	if (copy_from_guest(&head, from, sizeof(head)))
		return -EFAULT;
	if (!pv_xcr0_ok(head.xcr0) || (head.accumulated & ~cpu_features.xcr0))
		return -EINVAL;
	/* Only what the domain has gone beyond the legacy state has an area. */
	area = kzalloc(cpu_features.fpu_size);
	if (!area)
		return -ENOMEM;
	fpu_init_state(area);
	if (copy_from_guest(area, from + sizeof(head), op->size - sizeof(head))) {
		kfree(area);
		return -EFAULT;
	}
	domain_pause(d);
	v->pv.xcr0 = head.xcr0;
	memcpy(v->fpu, area, cpu_features.fpu_size);
	domain_unpause(d);
	kfree(area);
	return 0;
}

/* There is one that a guest can set and that is not elsewhere. */
static long get_vcpu_msrs(struct domain *d, struct xen_domctl_vcpu_msrs *op)
{
	const struct vcpu *v = find_vcpu(d, op->vcpu);
	struct xen_domctl_vcpu_msr msr = {.index = MSR_TSC_AUX};
	vaddr_t to = (vaddr_t)op->msrs.p;
	uint32_t room = op->msr_count;

	if (v == current)
		return -EINVAL;
	if (!v)
		return -ESRCH;
	op->msr_count = !to || v->pv.tsc_aux ? 1 : 0;
	if (!to || !op->msr_count)
		return 0;
	msr.value = v->pv.tsc_aux;
	if (room < 1)
		return -ENOBUFS;
	return copy_to_guest(to, &msr, sizeof(msr)) ? -EFAULT : 0;
}

static bool set_msr(struct vcpu *v, const struct xen_domctl_vcpu_msr *msr)
{
	if (msr->reserved)
		return false;
	if (msr->index != MSR_TSC_AUX)
		return msr->value == 0; /* of those that are 0 here for ever */
	if (msr->value > UINT32_MAX || (msr->value && !cpu_features.rdtscp))
		return false;
	v->pv.tsc_aux = (uint32_t)msr->value;
	return true;
}

#define MSRS_MAX 64

/* msr_count: how many were set, if one could not be. */
static long set_vcpu_msrs(struct domain *d, struct xen_domctl_vcpu_msrs *op)
{
	struct vcpu *v = find_vcpu(d, op->vcpu);
	struct xen_domctl_vcpu_msr msr;
	uint32_t i;
	long rc = 0;

	if (d == current->domain || op->msr_count > MSRS_MAX)
		return -EINVAL;
	if (!v)
		return -ESRCH;
	domain_pause(d);
	for (i = 0; i < op->msr_count && !rc; i++) {
		if (copy_from_guest(&msr, (vaddr_t)op->msrs.p + i * sizeof(msr), sizeof(msr)))
			rc = -EFAULT;
		else if (!set_msr(v, &msr))
			rc = -EINVAL;
	}
	domain_unpause(d);
	if (rc)
		op->msr_count = i - 1;
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
	case XEN_DOMCTL_sendtrigger:
	case XEN_DOMCTL_get_ext_vcpucontext:
	case XEN_DOMCTL_set_ext_vcpucontext:
	case XEN_DOMCTL_getvcpuextstate:
	case XEN_DOMCTL_setvcpuextstate:
	case XEN_DOMCTL_get_vcpu_msrs:
	case XEN_DOMCTL_set_vcpu_msrs:
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
	case XEN_DOMCTL_sendtrigger:
		return sendtrigger(d, &op->u.sendtrigger);
	case XEN_DOMCTL_get_ext_vcpucontext:
		*copy_back = true;
		return get_ext_context(d, &op->u.ext_vcpucontext);
	case XEN_DOMCTL_set_ext_vcpucontext:
		return set_ext_context(d, &op->u.ext_vcpucontext);
	case XEN_DOMCTL_getvcpuextstate:
		*copy_back = true;
		return getvcpuextstate(d, &op->u.vcpuextstate);
	case XEN_DOMCTL_setvcpuextstate:
		return setvcpuextstate(d, &op->u.vcpuextstate);
	case XEN_DOMCTL_get_vcpu_msrs:
		*copy_back = true;
		return get_vcpu_msrs(d, &op->u.vcpu_msrs);
	case XEN_DOMCTL_set_vcpu_msrs:
		*copy_back = true;
		return set_vcpu_msrs(d, &op->u.vcpu_msrs);
	default:
		return -ENOSYS;
	}
}
