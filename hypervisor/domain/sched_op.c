/* SPDX-License-Identifier: MIT */
/* sched_op (public/sched.h): how a vCPU gives up the CPU, and a domain its life. */
#include "domain/domain.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "event/event.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "sched/sched.h"
#include "time/time.h"
#include "lib/errno.h"
#include <public/sched.h>

#define POLL_PORTS_MAX 128
#define NS_PER_SECOND  1000000000L

/* An earlier poll that something else ended may have left its bit and its timer. */
static void end_poll(struct vcpu *v)
{
	if (unlikely(v->time.poll.active))
		timer_stop(&v->time.poll);
	if (unlikely(test_bit(v->id, &v->domain->evtchn.polling)))
		evtchn_poll_end(v);
}

/*
 * Wait for an event. The flag is set before the look at what is pending: who makes an event pending
 * does it in the other order (vcpu_mark_events_pending()), so no wake-up is lost.
 */
static long block(struct vcpu *v)
{
	end_poll(v);
	v->vcpu_info->evtchn_upcall_mask = 0;
	set_bit(VPF_BLOCKED, &v->pause_flags);
	if (event_upcall_due(v) || v->pv.nmi_pending)
		clear_bit(VPF_BLOCKED, &v->pause_flags);
	else
		sched_sleep(v);
	return 0;
}

/* Wait for one of some ports, whether masked or not, or for a point in time. */
static long poll(struct vcpu *v, vaddr_t arg)
{
	evtchn_port_t ports[POLL_PORTS_MAX];
	struct sched_poll op;
	int rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.nr_ports > POLL_PORTS_MAX)
		return -EINVAL;
	if (copy_from_guest(ports, (vaddr_t)op.ports.p, op.nr_ports * sizeof(ports[0])))
		return -EFAULT;

	end_poll(v);
	set_bit(VPF_BLOCKED, &v->pause_flags);
	rc = evtchn_poll_begin(v, ports, op.nr_ports);
	if (rc || event_upcall_due(v) || v->pv.nmi_pending) {
		evtchn_poll_end(v);
		clear_bit(VPF_BLOCKED, &v->pause_flags);
		return rc < 0 ? rc : 0;
	}
	if (op.timeout)
		timer_set(&v->time.poll, (stime_t)op.timeout);
	sched_sleep(v);
	return 0;
}

/* Only for others: who wants to end himself says so by shutdown. */
static long remote_shutdown(vaddr_t arg)
{
	struct sched_remote_shutdown op;
	struct domain *d;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	d = domain_find(op.domain_id);
	if (!d)
		return -ESRCH;
	if (d == current->domain || !current->domain->is_privileged)
		return -EPERM;
	if (op.reason > SHUTDOWN_MAX)
		return -EINVAL;
	domain_shutdown(d, op.reason);
	return 0;
}

static long set_shutdown_code(struct domain *d, vaddr_t arg)
{
	struct sched_shutdown op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.reason > SHUTDOWN_MAX)
		return -EINVAL;
	/* A guest that does this while another vCPU shuts it down may see either reason reported. */
	if (!READ_ONCE(d->is_shut_down))
		WRITE_ONCE(d->shutdown_code, (int)op.reason);
	return 0;
}

/* A watchdog that is free, for op->timeout seconds; its number. Under the lock. */
static long start_watchdog(struct domain *d)
{
	for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
		if (!(d->watchdogs & 1U << i)) {
			d->watchdogs |= 1U << i;
			return i + 1;
		}
	return -ENOSPC;
}

static long watchdog(struct domain *d, vaddr_t arg)
{
	struct sched_watchdog op;
	unsigned int i;
	long rc = 0;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.id > NR_WATCHDOGS || (op.id == 0 && op.timeout == 0))
		return -EINVAL;
	spin_lock(&d->watchdog_lock);
	if (op.id == 0)
		rc = start_watchdog(d);
	else if (!(d->watchdogs & 1U << (op.id - 1)))
		rc = -EINVAL;
	if (rc >= 0) {
		i = clamp_index((rc ? rc : op.id) - 1, NR_WATCHDOGS);
		if (op.timeout) {
			timer_set(&d->watchdog[i], now() + op.timeout * NS_PER_SECOND);
		} else {
			timer_stop(&d->watchdog[i]);
			d->watchdogs &= ~(1U << i);
		}
	}
	spin_unlock(&d->watchdog_lock);
	return rc;
}

/* For firmware calls that must be made on a certain CPU: the caller moves there before it returns. */
static long pin_override(struct vcpu *v, vaddr_t arg)
{
	struct sched_pin_override op;
	cpumask_t mask;

	if (!v->domain->is_privileged)
		return -EPERM;
	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.pcpu < 0) {
		if (!v->sched.unpinned)
			return -EINVAL;
		mask = v->sched.unpinned;
		v->sched.unpinned = 0;
	} else {
		mask = op.pcpu < NR_CPUS ? (cpumask_t)1 << op.pcpu & cpu_online_mask : 0;
		if (!mask)
			return -EINVAL;
		if (v->sched.unpinned)
			return -EBUSY;
		v->sched.unpinned = v->sched.affinity;
	}
	sched_set_affinity(v, mask);
	return 0;
}

long do_sched_op(unsigned int cmd, vaddr_t arg)
{
	struct vcpu *v = current;
	struct sched_shutdown op;
	static unsigned long told;

	switch (cmd) {
	case SCHEDOP_yield:
		sched_yield();
		return 0;
	case SCHEDOP_block:
		return block(v);
	case SCHEDOP_poll:
		return poll(v, arg);
	case SCHEDOP_shutdown:
		if (copy_from_guest(&op, arg, sizeof(op)))
			return -EFAULT;
		if (op.reason > SHUTDOWN_MAX)
			return -EINVAL;
		domain_shutdown(v->domain, op.reason);
		return 0;
	case SCHEDOP_remote_shutdown:
		return remote_shutdown(arg);
	case SCHEDOP_shutdown_code:
		return set_shutdown_code(v->domain, arg);
	case SCHEDOP_watchdog:
		return watchdog(v->domain, arg);
	case SCHEDOP_pin_override:
		return pin_override(v, arg);
	default:
		if (!test_and_set_bit(cmd & 63, &told))
			guest_log("sched_op %u is not implemented\n", cmd);
		return -ENOSYS;
	}
}
