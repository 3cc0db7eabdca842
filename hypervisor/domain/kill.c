/* SPDX-License-Identifier: MIT */
/*
 * The end of a domain, in phases, each of which can be left in the middle and gone on with:
 *
 *   STOP	no vCPU runs any more, no timer of it is set; nothing new begins with the domain (is_dying).
 *   EVENTS	its ports are closed, those of peers become unbound; it gets no interrupts.
 *   QUIET	a grace period: whoever sent an event before that is through with the shared pages.
 *   VCPUS	what the vCPUs hold in frames of the domain, and the shared info frame.
 *   MEMORY	page tables, pins, ownership of all frames.
 *   GRANTS	its mappings of others' grants end: no page table has them any more. Its own grant table goes,
 *		now or with the last use of a grant of it.
 *
 * What others still use (a frame that they map, a grant) stays, and with it the domain, which then has no
 * reference but its frames' (domain.h). The last one frees it.
 */
#include "domain/domain.h"
#include "cpu/cpu.h"
#include "event/event.h"
#include "grant/grant.h"
#include "irq/irq.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "sched/sched.h"
#include "time/time.h"
#include <public/xen.h>

static void stop(struct domain *d)
{
	spin_lock(&d->state_lock);
	WRITE_ONCE(d->is_dying, true);
	spin_unlock(&d->state_lock);
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		vcpu_pause_flag_set(d->vcpu[i], VPF_DYING);
	for (unsigned int i = 0; i < d->max_vcpus; i++) {
		sched_wait_stopped(d->vcpu[i]);
		vcpu_time_destroy(d->vcpu[i]);
	}
	for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
		timer_stop(&d->watchdog[i]);
	clear_global_virq_handlers(d);
	/* Who looked at is_dying under one of these locks before has done what depended on it. */
	spin_lock(&d->evtchn.lock);
	spin_unlock(&d->evtchn.lock);
	spin_lock(&d->mm.page_lock);
	spin_unlock(&d->mm.page_lock);
}

static void now_quiet(struct grace *g)
{
	struct domain *d = (struct domain *)((char *)g - offsetof(struct domain, grace));

	__atomic_store_n(&d->quiet, true, __ATOMIC_RELEASE);
}

static void release_vcpus(struct domain *d)
{
	struct shared_info *shared = d->shared_info;

	sched_destroy_domain(d);
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		unmap_vcpu_info(d->vcpu[i]);
	if (shared) {
		d->shared_info = NULL;
		unshare_frame(virt_to_mfn(shared), d);
	}
}

/* One phase, or as much of it as may be done at once: -EINTR. */
static int one_phase(struct domain *d)
{
	switch (d->kill_phase) {
	case KILL_STOP:
		stop(d);
		return 0;
	case KILL_EVENTS:
		if (evtchn_close_all(d))
			return -EINTR;
		pirq_destroy(d);
		after_grace(&d->grace, now_quiet);
		return 0;
	case KILL_QUIET:
		return __atomic_load_n(&d->quiet, __ATOMIC_ACQUIRE) ? 0 : -EINTR;
	case KILL_VCPUS:
		release_vcpus(d);
		return 0;
	case KILL_MEMORY:
		return domain_relinquish_memory(d);
	case KILL_GRANTS:
		if (grant_release_mappings(d, &d->kill_next))
			return -EINTR;
		grant_release_table(d);
		return 0;
	default:
		return 0;
	}
}

int domain_kill(struct domain *d)
{
	if (d->kill_phase == KILL_NOT)
		d->kill_phase = KILL_STOP;
	while (d->kill_phase != KILL_DONE) {
		int rc = one_phase(d);

		if (!rc)
			d->kill_phase++;
		else if (rc != -EINTR || d->kill_phase == KILL_QUIET || preempt_check())
			return rc;
		if (d->kill_phase == KILL_DONE) {
			domain_put(d);
			send_global_virq(VIRQ_DOM_EXC);
		}
	}
	return 0;
}
