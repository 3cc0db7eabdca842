/* SPDX-License-Identifier: MIT */
/*
 * Event channels (public/event_channel.h): bind.c has the ports, event.c sending and the two-level ABI, fifo.c the
 * other one.
 * Lock: domain.evtchn.lock, one a domain; for two domains in ascending order of domid. Sending takes no
 * lock on the receiver beyond reading the channel's state, but for a FIFO's queue.
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "domain/types.h"

/* -ENOMEM. */
int evtchn_init(struct domain *d);
/* Ports above this one are never given to d, which has none yet. */
void evtchn_set_limit(struct domain *d, evtchn_port_t max_port);
/* Close every port of a dying domain, whose vCPUs have stopped, and drop its hold on the guest's frames. -EINTR: call
 * again. */
int evtchn_close_all(struct domain *d);
/* What is left, when nobody can find d any more; also of a domain that never ran. */
void evtchn_free(struct domain *d);

/* Is the virtual interrupt one of the machine rather than of each vCPU? (public/xen.h, VIRQ_*) */
static inline bool virq_is_global(unsigned int virq)
{
	return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
	       virq != VIRQ_XENPMU;
}

long do_event_channel_op(unsigned int cmd, vaddr_t arg);

/* Raise a per-vCPU virtual interrupt, or a global one (delivered to the vCPU that bound it). */
void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq);
void send_guest_global_virq(struct domain *d, unsigned int virq);
/* For irq/: a physical interrupt came for a port that is bound to it; returns the vCPU that is told. */
struct vcpu *send_guest_pirq(struct domain *d, evtchn_port_t port);
/* As EVTCHNOP_send by d. */
long evtchn_send(struct domain *d, evtchn_port_t port);
/* The vCPU that a port tells. */
struct vcpu *evtchn_vcpu(struct domain *d, evtchn_port_t port);
/* As EVTCHNOP_unmask. */
long evtchn_unmask_port(struct domain *d, evtchn_port_t port);
bool evtchn_port_is_masked(struct domain *d, evtchn_port_t port);

/* Is an upcall due for v (pending and not masked)? Hot: exit path. */
static inline bool event_upcall_due(const struct vcpu *v)
{
	return READ_ONCE(v->vcpu_info->evtchn_upcall_pending) &&
	       !READ_ONCE(v->vcpu_info->evtchn_upcall_mask);
}

/* Mark an upcall pending for v and wake or kick it. */
void vcpu_mark_events_pending(struct vcpu *v);

/* VCPUOP_register_vcpu_info: move v's vcpu_info into a frame of the domain. 0 or -errno. */
int map_vcpu_info(struct vcpu *v, mfn_t mfn, unsigned int offset);
/* In the domain's end, when nobody sends it events any more: v has no place of its own then. */
void unmap_vcpu_info(struct vcpu *v);

/*
 * sched_op poll. Begin: from now on the current vCPU is woken by any of the ports (nr = 0: by none).
 * Returns 1 when one is pending already (then polling has ended), 0 when not, -EINVAL for a bad port.
 */
int evtchn_poll_begin(struct vcpu *v, const evtchn_port_t *ports, unsigned int nr);
void evtchn_poll_end(struct vcpu *v);

/* For the debug key: one line a bound port. */
void evtchn_dump(struct domain *d);

#endif
