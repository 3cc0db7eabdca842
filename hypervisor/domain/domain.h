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

/* Allocate a domain with its vCPU structures (all down, not initialised), events, timers, shared
 * info frame. No memory yet. NULL: out of memory. */
struct domain *domain_create(domid_t id, unsigned int max_vcpus, bool privileged);
/* The domain with this id, or NULL. DOMID_SELF means current's. No reference is taken: domains other
 * than the caller's and dom0 don't exist yet (reference counts come with domctl). */
struct domain *domain_by_id(domid_t id);
/* vCPU id of d or NULL, index clamped. */
struct vcpu *domain_vcpu(struct domain *d, unsigned int id);

/* The guest broke: print why, its registers and stack, shut the domain down with SHUTDOWN_crash. Any
 * context of a hypercall or exception of a vCPU; the caller goes back to the exit path, which will
 * not return to the guest. */
void domain_crash(struct domain *d, const char *fmt, ...) __printf(2, 3);
/* All vCPUs stop for good; dom0's shutdown ends the machine (poweroff, reboot, or stop by option), from
 * SOFTIRQ_DOMAIN, when no vCPU of it is in the middle of anything. Any context of a hypercall or exception. */
void domain_shutdown(struct domain *d, unsigned int reason);

void vcpu_pause_flag_set(struct vcpu *v, unsigned int flag);   /* sched is told */
void vcpu_pause_flag_clear(struct vcpu *v, unsigned int flag); /* and wakes it if it can run */

/* Create the idle domain and CPU n's idle vCPU. */
struct vcpu *idle_vcpu_create(unsigned int cpu);

/* Bring up context: VCPUOP_initialise's checks and effects on a down vCPU. ctxt is a private copy. */
struct vcpu_guest_context;
int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *ctxt);

/* Install SOFTIRQ_DOMAIN; at boot. */
void domain_init(void);

/* Registers of v as it would go on with them: of the CPU it is current on (must be this one), or saved. */
struct cpu_user_regs *vcpu_regs(struct vcpu *v);

/* Hypercalls that live here. */
long do_sysctl(vaddr_t arg);
long do_sched_op(unsigned int cmd, vaddr_t arg);
long do_vcpu_op(unsigned int cmd, unsigned int vcpuid, vaddr_t arg);

#endif
