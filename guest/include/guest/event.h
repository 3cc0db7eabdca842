/* SPDX-License-Identifier: MIT */
/*
 * Event channels, two-level ABI: a port is bound to a source (virtual interrupt, inter-processor interrupt,
 * another domain) and has a handler, which the event upcall runs.
 *
 * Handlers run with events masked (so never nested), on the stack of whatever was interrupted, with its
 * floating-point registers saved. They must not block. An upcall runs the handlers of all ports that are
 * pending and not masked for its vCPU, then, with threads, may switch to another thread.
 */
#ifndef GUEST_EVENT_H
#define GUEST_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/event_channel.h>

/* How many ports have a handler slot; binding to a higher one fails with -ENOSPC. */
#define EVENT_PORTS 1024

typedef void event_handler(evtchn_port_t port, void *data);

/*
 * Bind and handle. Each returns the port, bound to the calling vCPU and unmasked, or a negative errno of
 * EVTCHNOP_bind_*. Call event_close to undo.
 */
long event_bind_virq(unsigned int virq, event_handler *handler, void *data);
long event_bind_ipi(unsigned int vcpu, event_handler *handler, void *data);
long event_bind_interdomain(domid_t domain, evtchn_port_t remote, event_handler *handler,
			    void *data);
/*
 * A physical interrupt that the domain owns (PHYSDEVOP_map_pirq). What PHYSDEVOP_irq_status_query says needs it the
 * handler answers by PHYSDEVOP_eoi. share: other domains may bind the same interrupt.
 */
long event_bind_pirq(uint32_t pirq, bool share, event_handler *handler, void *data);
/* A port that `remote` may bind to. domain: usually DOMID_SELF. */
long event_alloc_unbound(domid_t domain, domid_t remote, event_handler *handler, void *data);

/* Give a port that exists its handler (NULL: pending bits are cleared and forgotten). 0 or -ENOSPC. */
long event_handler_set(evtchn_port_t port, event_handler *handler, void *data);

long event_send(evtchn_port_t port);
long event_close(evtchn_port_t port);

/* A masked port collects its event; unmasking delivers it. */
void event_mask(evtchn_port_t port);
void event_unmask(evtchn_port_t port);

static inline bool event_bit(const volatile unsigned long *words, evtchn_port_t port)
{
	return (words[port / 64] >> (port % 64)) & 1;
}

/*
 * The vCPU's own mask. GS base of every vCPU is the address of its struct vcpu_info, so these are single
 * instructions.
 */
#define vcpu_info_here ((volatile struct vcpu_info __seg_gs *)0)

static inline bool events_masked(void)
{
	return vcpu_info_here->evtchn_upcall_mask;
}

static inline void events_mask(void)
{
	vcpu_info_here->evtchn_upcall_mask = 1;
	__asm__ volatile("" ::: "memory");
}

/* Deliver what came in while events were masked. Called by events_unmask. */
void events_deliver(void);

static inline void events_unmask(void)
{
	__asm__ volatile("" ::: "memory");
	vcpu_info_here->evtchn_upcall_mask = 0;
	__asm__ volatile("" ::: "memory");
	if (vcpu_info_here->evtchn_upcall_pending)
		events_deliver();
}

/* The pair for sections that may be entered with events masked or not. */
static inline bool events_save(void)
{
	bool masked = events_masked();

	events_mask();
	return masked;
}

static inline void events_restore(bool masked)
{
	if (!masked)
		events_unmask();
}

/*
 * Sleep until an event is pending; its handler has run when this returns. Call with events masked, after
 * looking for work and finding none: no event gets lost in between. Returns with events masked.
 */
void events_wait(void);

/* Called at the end of each upcall, on whatever vCPU, with events masked; the thread scheduler's place. */
extern void (*event_upcall_end)(void);

/* Mask all ports and forget what was pending: part of the start of day. */
void events_init(void);

#endif
