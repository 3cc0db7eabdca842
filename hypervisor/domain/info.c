/* SPDX-License-Identifier: MIT */
/* What the tools see of a domain: getdomaininfo. */
#include "domain/domain.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "time/time.h"
#include <public/domctl.h>

/* What its vCPUs do, summed up; flags about the domain itself are added. */
static uint32_t sum_vcpus(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	uint32_t flags = XEN_DOMINF_blocked;

	for (unsigned int i = 0; i < d->max_vcpus; i++) {
		struct vcpu *v = d->vcpu[i];
		unsigned long pause = READ_ONCE(v->pause_flags);
		struct vcpu_runstate_info runstate;

		runstate_get(v, &runstate);
		info->cpu_time += runstate.time[RUNSTATE_running];
		if (pause & 1UL << VPF_DOWN)
			continue;
		info->nr_online_vcpus++;
		if (!(pause & 1UL << VPF_BLOCKED))
			flags &= ~XEN_DOMINF_blocked;
		if (READ_ONCE(v->sched.running))
			flags |= XEN_DOMINF_running;
	}
	return info->nr_online_vcpus ? flags : 0;
}

void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	uint32_t flags;

	memset(info, 0, sizeof(*info));
	info->domain = d->id;
	flags = sum_vcpus(d, info);
	if (d->kill_phase == KILL_DONE)
		flags |= XEN_DOMINF_dying;
	if (READ_ONCE(d->shutdown_done))
		flags |= XEN_DOMINF_shutdown;
	if (READ_ONCE(d->control_pauses))
		flags |= XEN_DOMINF_paused;
	if (d->debugger)
		flags |= XEN_DOMINF_debugged;
	if (d->is_xs_domain)
		flags |= XEN_DOMINF_xs_domain;
	flags |= ((uint32_t)READ_ONCE(d->shutdown_code) & XEN_DOMINF_shutdownmask)
		 << XEN_DOMINF_shutdownshift;
	info->flags = flags;
	info->tot_pages = READ_ONCE(d->mm.tot_pages);
	info->max_pages = READ_ONCE(d->mm.max_pages);
	info->outstanding_pages = READ_ONCE(d->mm.claimed);
	/* The frame's number outlives the frame: the tools look at it only while the domain lives. */
	info->shared_info_frame = d->shared_info_mfn;
	info->max_vcpu_id = d->has_vcpus ? d->max_vcpus - 1 : XEN_INVALID_MAX_VCPU_ID;
	info->ssidref = d->ssidref;
	memcpy(info->handle, d->handle, sizeof(info->handle));
	info->gpaddr_bits = 64; /* PV: whatever a machine address has */
}
