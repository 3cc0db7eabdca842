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

#endif
