/* SPDX-License-Identifier: MIT */
/*
 * Domains and vCPUs: creation, life cycle, who is who. The idle domain's vCPUs (one a CPU) are what
 * runs when nobody else does; it owns no memory.
 */
#ifndef DOMAIN_DOMAIN_H
#define DOMAIN_DOMAIN_H

#include "domain/types.h"

extern struct domain *dom0;
extern struct domain idle_domain;

/* ---- creation ---- */
/*
 * Allocate a domain with its vCPU structures (all down, not initialised), events, timers, shared info frame and a
 * grant table of one frame. No memory yet. Its id is one from domain_take_id(). It is paused once, by the tools, and
 * nobody finds it until domain_publish(). NULL: out of memory.
 */
struct domain *domain_create(domid_t id, unsigned int max_vcpus, bool privileged);
void domain_publish(struct domain *d);
/* An id that no domain has: wanted, or with 0 any, each in turn. -EEXIST; -ENOMEM: all are taken. */
int domain_take_id(domid_t wanted);
void domain_give_id(
    domid_t id); /* of a domain that was never created; the last reference does it for others */

/* ---- who is who ----
 *
 * A domain exists while it has references: one from its creation to the end of domain_kill(), one while it owns
 * frames (mm/), and those of whoever keeps a pointer to it for longer. The last one to go frees it after a grace
 * period; only then its id is free. A frame's owner, and whom a grant in use belongs to, thus exist.
 */
/*
 * The domain with this id, or NULL; DOMID_SELF means current's. Without a reference: it stays until this CPU next runs
 * soft interrupts, that is to the end of a hypercall or its next preemption. It may be dying, and die meanwhile:
 * what begins something with it looks at is_dying under the lock of what it begins.
 */
struct domain *domain_find(domid_t id);
/* The same with a reference, for keeping; domain_put() it. */
struct domain *domain_get(domid_t id);
/* One more, for who has found it: false if it has none any more and is on its way out. Or for who has one already. */
bool domain_try_hold(struct domain *d);
void domain_hold(struct domain *d);
void domain_put(struct domain *d); /* any context, locks held or not */
/* The domain with the least id from this one on, as domain_find(); NULL: none. */
struct domain *domain_next(unsigned int id);
#define for_each_domain(d) for ((d) = domain_next(0); (d); (d) = domain_next((d)->id + 1U))
/* vCPU id of d or NULL, index clamped. */
struct vcpu *domain_vcpu(struct domain *d, unsigned int id);

/* ---- stopping and going on ---- */
/* Counted; pause waits until no vCPU of d but current runs. In a hypercall, with the lock of domctl. */
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
/* A breakpoint of the debugger that is attached to d (setdebugging): it is told by VIRQ_DEBUGGER, and unpauses d as the
 * tools do. Does not wait. */
void domain_pause_for_debugger(struct domain *d);

/* The guest broke: print why, its registers and stack, shut the domain down with SHUTDOWN_crash. Any
 * context of a hypercall or exception of a vCPU; the caller goes back to the exit path, which will
 * not return to the guest. */
void domain_crash(struct domain *d, const char *fmt, ...) __printf(2, 3);
/* All vCPUs stop, until domain_resume(). When they have the tools are told (VIRQ_DOM_EXC); dom0's shutdown ends the
 * machine (poweroff, reboot, or stop by option). Both from SOFTIRQ_DOMAIN. Any context of a hypercall or exception. */
void domain_shutdown(struct domain *d, unsigned int reason);
/* After a shutdown. d is paused. */
void domain_resume(struct domain *d);
/* A vCPU of d, which is shutting down, has stopped. From sched/, its lock held. */
void domain_vcpu_stopped(struct domain *d);

/*
 * End d for good, a step at a time: -EINTR: call again. 0: its own reference is gone too, and the tools are told. d is
 * not current's; one at a time (domctl's lock). kill.c
 */
int domain_kill(struct domain *d);

/* ---- global virtual interrupts (virq.c) ---- */
/* To the domain that handles this one: dom0 unless another was set. */
void send_global_virq(unsigned int virq);
/* -EINVAL: no such one, or it isn't global. */
int set_global_virq_handler(struct domain *d, unsigned int virq);
void clear_global_virq_handlers(struct domain *d);

void vcpu_pause_flag_set(struct vcpu *v, unsigned int flag);   /* sched is told */
void vcpu_pause_flag_clear(struct vcpu *v, unsigned int flag); /* and wakes it if it can run */

/* Create the idle domain and CPU n's idle vCPU. */
struct vcpu *idle_vcpu_create(unsigned int cpu);

/* What getdomaininfo tells. info.c */
struct xen_domctl_getdomaininfo;
void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/*
 * Give v, which does not run, this context, a private copy; one that was initialised before keeps its tables. 0,
 * -EINVAL, -EOPNOTSUPP: other tables, -EINTR: call again. (vcpu_context.c)
 */
struct vcpu_guest_context;
int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *ctxt);
/* The other way. v does not run. */
void vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *ctxt);
/* As if v had never been initialised. It does not run. */
void vcpu_reset(struct vcpu *v);

/* Install SOFTIRQ_DOMAIN; at boot. */
void domain_init(void);

void vcpu_send_nmi(struct vcpu *v);

/* Registers of v as it would go on with them: of the CPU it is current on (must be this one), or saved. */
struct cpu_user_regs *vcpu_regs(struct vcpu *v);

/* Hypercalls that live here. */
long do_sysctl(vaddr_t arg);
long do_domctl(vaddr_t arg);
long do_sched_op(unsigned int cmd, vaddr_t arg);
long do_vcpu_op(unsigned int cmd, unsigned int vcpuid, vaddr_t arg);

#endif
