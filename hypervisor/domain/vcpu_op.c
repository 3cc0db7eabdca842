/* SPDX-License-Identifier: MIT */
/* vcpu_op (public/vcpu.h): further vCPUs brought up and down, and what is registered for each. */
#include "domain/domain.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "event/event.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include "sched/sched.h"
#include "time/time.h"
#include "lib/errno.h"
#include <public/sched.h>
#include <public/vcpu.h>

static long initialise(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_guest_context *c;
	long rc = -EFAULT;

	if (v->vcpu_info == &dummy_vcpu_info)
		return -EINVAL;
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (!copy_from_guest(c, arg, sizeof(*c))) {
		/* One context for one vCPU: two callers at once must not both see it as new. */
		spin_lock(&v->domain->vcpu_lock);
		rc = v->initialised ? -EEXIST : vcpu_set_context(v, c);
		spin_unlock(&v->domain->vcpu_lock);
	}
	kfree(c);
	return rc;
}

/* ---- what the guest registers ---- */

static long register_vcpu_info(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_register_vcpu_info info;
	long rc;

	if (copy_from_guest(&info, arg, sizeof(info)))
		return -EFAULT;
	spin_lock(&v->domain->vcpu_lock);
	rc = map_vcpu_info(v, info.mfn, info.offset);
	spin_unlock(&v->domain->vcpu_lock);
	return rc;
}

static long register_runstate(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_register_runstate_memory_area area;
	struct vcpu_runstate_info info;

	if (copy_from_guest(&area, arg, sizeof(area)))
		return -EFAULT;
	if (!guest_range_ok((vaddr_t)area.addr.p, sizeof(info)))
		return -EFAULT;
	v->runstate_area = (vaddr_t)area.addr.p;
	if (v == current) {
		update_runstate_area(v);
	} else if (v->runstate_area) {
		runstate_get(v, &info);
		/* A page that is not there yet is no error: it is written when v runs. */
		(void)copy_to_guest(v->runstate_area, &info, sizeof(info));
	}
	return 0;
}

static long register_time(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_register_time_memory_area area;

	if (copy_from_guest(&area, arg, sizeof(area)))
		return -EFAULT;
	if (!guest_range_ok((vaddr_t)area.addr.p, sizeof(struct vcpu_time_info)))
		return -EFAULT;
	v->time_area = (vaddr_t)area.addr.p;
	if (v == current)
		update_vcpu_time(v);
	return 0;
}

static long get_runstate(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_runstate_info info;

	runstate_get(v, &info);
	return copy_to_guest(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

void vcpu_send_nmi(struct vcpu *v)
{
	WRITE_ONCE(v->pv.nmi_pending, true);
	/* Wakes or kicks v as an event does; the exit path looks for the NMI first. */
	if (test_bit(VPF_BLOCKED, &v->pause_flags))
		vcpu_pause_flag_clear(v, VPF_BLOCKED);
	else if (v != current && READ_ONCE(v->sched.running))
		apic_send_ipi(READ_ONCE(v->sched.cpu), VECTOR_KICK);
}

/* The last one that was up ends its domain, since nothing could bring one of them up again. */
static void take_down(struct vcpu *v)
{
	struct domain *d = v->domain;

	vcpu_pause_flag_set(v, VPF_DOWN);
	/* Of two that go down at once the later finds both flags. */
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		if (!test_bit(VPF_DOWN, &d->vcpu[i]->pause_flags))
			return;
	domain_shutdown(d, SHUTDOWN_poweroff);
}

long do_vcpu_op(unsigned int cmd, unsigned int vcpuid, vaddr_t arg)
{
	struct vcpu *v = domain_vcpu(current->domain, vcpuid);
	static unsigned long told;
	long rc;

	if (!v)
		return -ENOENT;
	switch (cmd) {
	case VCPUOP_initialise:
		rc = initialise(v, arg);
		/* Its page tables take long to validate: what was done so far is kept there. */
		if (rc == -EINTR)
			return hypercall_continue(__HYPERVISOR_vcpu_op, 3, (unsigned long)cmd,
						  (unsigned long)vcpuid, arg);
		return rc;
	case VCPUOP_up:
		if (!v->initialised)
			return -EINVAL;
		vcpu_pause_flag_clear(v, VPF_DOWN);
		return 0;
	case VCPUOP_down:
		take_down(v);
		return 0;
	case VCPUOP_is_up:
		return !test_bit(VPF_DOWN, &v->pause_flags);
	case VCPUOP_get_runstate_info:
		return get_runstate(v, arg);
	case VCPUOP_register_runstate_memory_area:
		return register_runstate(v, arg);
	case VCPUOP_register_vcpu_time_memory_area:
		return register_time(v, arg);
	case VCPUOP_register_vcpu_info:
		return register_vcpu_info(v, arg);
	case VCPUOP_send_nmi:
		vcpu_send_nmi(v);
		return 0;
	default:
		rc = vcpu_timer_op(cmd, v, arg);
		if (rc == -ENOSYS && !test_and_set_bit(cmd & 63, &told))
			guest_log("vcpu_op %u is not implemented\n", cmd);
		return rc;
	}
}
