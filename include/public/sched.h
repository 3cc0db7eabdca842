/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: giving up the CPU, waiting, shutting down.
 *
 * long HYPERVISOR_sched_op(int cmd, void *arg)
 *   IN  cmd  SCHEDOP_*
 *   arg      depends on cmd; null if it has none
 *   returns 0 unless said otherwise; -ENOSYS: unknown cmd
 *
 * long HYPERVISOR_sched_op_compat(int cmd, unsigned long arg): the old form; yield and block as here,
 * shutdown with the reason itself as arg.
 */
#ifndef __XEN_PUBLIC_SCHED_H__
#define __XEN_PUBLIC_SCHED_H__

#include "event_channel.h"

/* Lets others run first. No arg. */
#define SCHEDOP_yield 0

/*
 * Sets the event mask of the calling vCPU to 0 and waits until it has an event to handle; both in one
 * step, so that an event that comes just before is not missed. No arg.
 */
#define SCHEDOP_block 1

/*
 * IN  arg  struct sched_shutdown
 *
 * Stops the whole domain and tells the control tools why; from dom0, powers the machine off or
 * restarts it. With SHUTDOWN_suspend a third argument is the machine frame of start_info, whose
 * contents the tools update; the call returns 1 if the domain goes on as it was (cancelled or copied),
 * and 0 if it runs on elsewhere and has to set up its connections anew. Other reasons do not return.
 */
#define SCHEDOP_shutdown 2

/*
 * IN  arg  struct sched_poll
 *
 * Waits until one of the channels is pending (masked or not), without an upcall, or the time is there.
 * Returns at once if one is pending already. May return early: look at the pending bits.
 *   -EINVAL: more than 128 ports, or a port out of range
 */
#define SCHEDOP_poll 3

/* IN  arg  struct sched_remote_shutdown: marks another domain as shut down. Privileged: -EPERM; -ESRCH. */
#define SCHEDOP_remote_shutdown 4

/* IN  arg  struct sched_shutdown: the reason that a later shutdown will report in place of its own. */
#define SCHEDOP_shutdown_code 5

/*
 * IN  arg  struct sched_watchdog: timers that shut the domain down (SHUTDOWN_watchdog) when they run out
 *   id 0, timeout n      start one for n seconds; returns its id, from 1 on
 *   id k, timeout n      start timer k again
 *   id k, timeout 0      stop it
 *   -ENOSPC: no timer is free; -EINVAL: no such timer
 */
#define SCHEDOP_watchdog 6

/*
 * IN  arg  struct sched_pin_override: fixes the calling vCPU to a physical CPU for a while, and a negative
 * number ends that. dom0 only: -EPERM; -EINVAL: no such CPU; -EBUSY: fixed otherwise.
 */
#define SCHEDOP_pin_override 7

struct sched_shutdown {
	unsigned int reason; /* SHUTDOWN_* */
};
typedef struct sched_shutdown sched_shutdown_t;
DEFINE_XEN_GUEST_HANDLE(sched_shutdown_t);

struct sched_poll {
	XEN_GUEST_HANDLE(evtchn_port_t) ports;
	unsigned int nr_ports;
	uint64_t timeout; /* system time at which to return anyway; 0: never */
};
typedef struct sched_poll sched_poll_t;
DEFINE_XEN_GUEST_HANDLE(sched_poll_t);

struct sched_remote_shutdown {
	domid_t domain_id;
	unsigned int reason; /* SHUTDOWN_* */
};
typedef struct sched_remote_shutdown sched_remote_shutdown_t;
DEFINE_XEN_GUEST_HANDLE(sched_remote_shutdown_t);

struct sched_watchdog {
	uint32_t id;
	uint32_t timeout; /* seconds */
};
typedef struct sched_watchdog sched_watchdog_t;
DEFINE_XEN_GUEST_HANDLE(sched_watchdog_t);

struct sched_pin_override {
	int32_t pcpu;
};
typedef struct sched_pin_override sched_pin_override_t;
DEFINE_XEN_GUEST_HANDLE(sched_pin_override_t);

/* Why a domain stopped. What follows is the control tools' business; for dom0 see SCHEDOP_shutdown. */
#define SHUTDOWN_poweroff   0 /* done: clean up */
#define SHUTDOWN_reboot	    1 /* start again */
#define SHUTDOWN_suspend    2 /* save the state, to go on later or elsewhere */
#define SHUTDOWN_crash	    3 /* the guest has failed */
#define SHUTDOWN_watchdog   4 /* a watchdog ran out */
#define SHUTDOWN_soft_reset 5 /* keep memory and vCPUs, but set all else back as if just created */
#define SHUTDOWN_MAX	    5

#endif /* __XEN_PUBLIC_SCHED_H__ */
