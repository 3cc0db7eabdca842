/* SPDX-License-Identifier: MIT */
/* The runtime's events, for sources of pv-drivers that are tested on the host: nothing interrupts there. */
#ifndef FAKE_GUEST_EVENT_H
#define FAKE_GUEST_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/event_channel.h>

typedef void event_handler(evtchn_port_t port, void *data);

static inline bool events_save(void)
{
	return false;
}

static inline void events_restore(bool masked)
{
	(void)masked;
}

static inline void events_mask(void)
{
}

static inline void events_unmask(void)
{
}

/* Ports: each test has those that it needs. */
long event_bind_interdomain(domid_t domain, evtchn_port_t remote, event_handler *handler,
			    void *data);
long event_alloc_unbound(domid_t domain, domid_t remote, event_handler *handler, void *data);
long event_send(evtchn_port_t port);
long event_close(evtchn_port_t port);
void event_mask(evtchn_port_t port);
void event_unmask(evtchn_port_t port);

#endif
