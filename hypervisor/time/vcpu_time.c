/* SPDX-License-Identifier: MIT */
/* What a vCPU has of time: the records that tell it, its timers, and what its own was spent on. */
#include "time/time.h"
#include "time/clock.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "event/event.h"

#define NS_PER_MS  1000000L
#define PERIOD_MIN NS_PER_MS
#define PERIOD_MAX (1UL << 62)

/*
 * Copy to guest virtual memory as v's kernel sees it; v is current, maybe in user mode, whose page
 * tables need not map the kernel's addresses.
 */
static int copy_to_guest_kernel(struct vcpu *v, vaddr_t to, const void *from, size_t n)
{
	bool user = !v->pv.kernel_mode;
	int rc;

	if (user) {
		v->pv.kernel_mode = true;
		load_guest_cr3(v);
	}
	rc = copy_to_guest(to, from, n);
	if (user) {
		v->pv.kernel_mode = false;
		load_guest_cr3(v);
	}
	return rc;
}

static void update_time_area(struct vcpu *v)
{
	struct vcpu_time_info t = v->vcpu_info->time;
	uint32_t version = (t.version | 1) + 1;

	/* The version protocol of public/xen.h: odd, contents, even. */
	t.version = version - 1;
	if (copy_to_guest_kernel(v, v->time_area, &t.version, sizeof(t.version)) == 0 &&
	    copy_to_guest_kernel(v, v->time_area, &t, sizeof(t)) == 0)
		copy_to_guest_kernel(v, v->time_area, &version, sizeof(version));
}

void update_vcpu_time(struct vcpu *v)
{
	const struct time_scale *s = &this_cpu(time_scale);
	struct vcpu_time_info *t = &v->vcpu_info->time;
	uint32_t version;

	/* The stamps of a scale are its identity; a guest that writes here fools itself alone. */
	if (likely(t->tsc_timestamp == s->tsc_stamp && t->system_time == (uint64_t)s->stime_stamp &&
		   t->tsc_to_system_mul == s->mul && v->time_area == v->time.area_filled))
		return;
	version = READ_ONCE(t->version) | 1;
	WRITE_ONCE(t->version, version);
	barrier();
	t->tsc_timestamp = s->tsc_stamp;
	t->system_time = s->stime_stamp;
	t->tsc_to_system_mul = s->mul;
	t->tsc_shift = s->shift;
	t->flags = s->flags;
	barrier();
	WRITE_ONCE(t->version, version + 1);
	v->time.area_filled = v->time_area;
	if (v->time_area)
		update_time_area(v);
}

static void tick(void *data)
{
	send_guest_vcpu_virq(data, VIRQ_TIMER);
}

/*
 * The period is changed by others (vcpu_op on another vCPU) at any time. Stopping clears it, then
 * takes the timer out; here the timer goes in, then the period is looked at again. So a stop wins.
 */
static void periodic_tick(void *data)
{
	struct vcpu *v = data;
	struct timer *t = &v->time.periodic;
	stime_t period = READ_ONCE(v->time.period), late;

	send_guest_vcpu_virq(v, VIRQ_TIMER);
	if (!period)
		return;
	/* Ticks that were missed are not made up for; the phase stays. */
	late = now() - t->expires;
	timer_set(t, t->expires + (late / period + 1) * period);
	if (!READ_ONCE(v->time.period))
		timer_stop(t);
}

/* sched_op poll ran into its time limit. */
static void poll_expired(void *data)
{
	struct vcpu *v = data;

	evtchn_poll_end(v);
	vcpu_pause_flag_clear(v, VPF_BLOCKED);
}

int vcpu_time_init(struct vcpu *v)
{
	unsigned int cpu = v->sched.cpu;

	timer_init(&v->time.singleshot, tick, v, cpu);
	timer_init(&v->time.periodic, periodic_tick, v, cpu);
	timer_init(&v->time.poll, poll_expired, v, cpu);
	v->time.period = 0;
	return 0;
}

static void stop_periodic(struct vcpu *v)
{
	WRITE_ONCE(v->time.period, 0);
	timer_stop(&v->time.periodic);
}

void vcpu_time_destroy(struct vcpu *v)
{
	timer_stop(&v->time.singleshot);
	stop_periodic(v);
	timer_stop(&v->time.poll);
}

/* Arm current's timer on the CPU that it runs on: no other CPU is disturbed. */
static void set_singleshot(struct vcpu *v, stime_t t)
{
	struct timer *timer = &v->time.singleshot;

	if (unlikely(timer->cpu != smp_processor_id()))
		timer_migrate(timer, smp_processor_id());
	timer_set(timer, t);
}

long do_set_timer_op(stime_t timeout)
{
	struct vcpu *v = current;

	if (timeout == 0) {
		timer_stop(&v->time.singleshot);
		return 0;
	}
	/*
	 * Beyond the end of time: a guest's idea of "never", or the sum of now and a moment already
	 * past, taken as unsigned. An early tick harms neither, none at all would harm the second.
	 */
	if (unlikely(timeout < 0))
		timeout = now() + 100 * NS_PER_MS;
	set_singleshot(v, timeout);
	return 0;
}

static long set_periodic_timer(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_set_periodic_timer set;

	if (copy_from_guest(&set, arg, sizeof(set)))
		return -EFAULT;
	if (set.period_ns < PERIOD_MIN || set.period_ns > PERIOD_MAX)
		return -EINVAL;
	WRITE_ONCE(v->time.period, (stime_t)set.period_ns);
	timer_set(&v->time.periodic, now() + (stime_t)set.period_ns);
	return 0;
}

static long set_singleshot_timer(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_set_singleshot_timer set;

	if (v != current)
		return -EINVAL;
	if (copy_from_guest(&set, arg, sizeof(set)))
		return -EFAULT;
	if (set.timeout_abs_ns > INT64_MAX)
		set.timeout_abs_ns = INT64_MAX; /* never, or near enough */
	if ((set.flags & VCPU_SSHOTTMR_future) && (stime_t)set.timeout_abs_ns < now())
		return -ETIME;
	set_singleshot(v, (stime_t)set.timeout_abs_ns);
	return 0;
}

long vcpu_timer_op(unsigned int cmd, struct vcpu *v, vaddr_t arg)
{
	switch (cmd) {
	case VCPUOP_set_periodic_timer:
		return set_periodic_timer(v, arg);
	case VCPUOP_stop_periodic_timer:
		stop_periodic(v);
		return 0;
	case VCPUOP_set_singleshot_timer:
		return set_singleshot_timer(v, arg);
	case VCPUOP_stop_singleshot_timer:
		if (v != current)
			return -EINVAL;
		timer_stop(&v->time.singleshot);
		return 0;
	default:
		return -ENOSYS;
	}
}

/*
 * The record's writer is alone (queue lock); readers take none. So it is marked as in motion the way
 * the ABI marks it for guests: XEN_RUNSTATE_UPDATE in state_entry_time.
 */
void runstate_change(struct vcpu *v, enum runstate s, stime_t t)
{
	struct vcpu_runstate_info *r = &v->runstate;
	uint64_t entered = r->state_entry_time;

	WRITE_ONCE(r->state_entry_time, entered | XEN_RUNSTATE_UPDATE);
	barrier();
	if ((uint64_t)t > entered)
		r->time[r->state] += (uint64_t)t - entered;
	r->state = s;
	barrier();
	WRITE_ONCE(r->state_entry_time, (uint64_t)t);
}

void runstate_get(struct vcpu *v, struct vcpu_runstate_info *out)
{
	const struct vcpu_runstate_info *r = &v->runstate;
	uint64_t before;
	stime_t t;

	do {
		while ((before = READ_ONCE(r->state_entry_time)) & XEN_RUNSTATE_UPDATE)
			cpu_relax();
		barrier();
		*out = *r;
		barrier();
	} while (READ_ONCE(r->state_entry_time) != before);
	/* The state that it is in counts up to this moment. */
	t = now();
	if ((uint64_t)t > before)
		out->time[out->state] += (uint64_t)t - before;
}

void update_runstate_area(struct vcpu *v)
{
	struct vcpu_runstate_info r = v->runstate;
	vaddr_t entry = v->runstate_area + offsetof(struct vcpu_runstate_info, state_entry_time);
	uint64_t entered = r.state_entry_time;

	if (!v->runstate_area)
		return;
	if (!(v->domain->mm.vm_assist >> VMASST_TYPE_runstate_update_flag & 1)) {
		copy_to_guest_kernel(v, v->runstate_area, &r, sizeof(r));
		return;
	}
	/* Marked, filled, unmarked: readers on other vCPUs see no half of it. */
	r.state_entry_time |= XEN_RUNSTATE_UPDATE;
	if (copy_to_guest_kernel(v, entry, &r.state_entry_time, sizeof(r.state_entry_time)) == 0 &&
	    copy_to_guest_kernel(v, v->runstate_area, &r, sizeof(r)) == 0)
		copy_to_guest_kernel(v, entry, &entered, sizeof(entered));
}
