/* SPDX-License-Identifier: MIT */
/* sched_op (public/sched.h): how a vCPU gives up the CPU, and a domain its life. */
#include "domain/domain.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "event/event.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "sched/sched.h"
#include "time/timer.h"
#include "lib/errno.h"
#include <public/sched.h>

#define POLL_PORTS_MAX 128

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
	default:
		if (!test_and_set_bit(cmd & 63, &told))
			guest_log("sched_op %u is not implemented\n", cmd);
		return -ENOSYS;
	}
}
