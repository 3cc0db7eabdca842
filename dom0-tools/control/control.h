/* SPDX-License-Identifier: MIT */
/*
 * What the tools ask of the hypervisor: thin wrappers of domctl, sysctl, memory_op and others, one a call, in
 * the structures of include/public. Each returns 0 or a negative errno, unless said otherwise; documentation
 * of the errors stands with the calls in include/public.
 *
 * None of them keeps state; all may be called by any thread of vCPU 0, with events unmasked.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/domctl.h>
#include <public/grant_table.h>
#include <public/memory.h>
#include <public/sysctl.h>
#include <public/version.h>

/* ---- the life of a domain ---- */

/* *domid IN: the number wanted, 0: any that is free; OUT: its number. It is paused and has no vCPUs yet. */
long control_create_domain(const struct xen_domctl_createdomain *config, domid_t *domid);
/* Returns when it is dead; frames that others still hold on to keep it listed as dying. */
long control_destroy(domid_t domid);
/* Counted: as many unpauses as pauses let it run. A domain is created paused once. */
long control_pause(domid_t domid);
long control_unpause(domid_t domid);
/* Let a domain that has shut down (to suspend) go on. */
long control_resume(domid_t domid);
/* Shut it down from outside. reason: SHUTDOWN_* (sched.h). */
long control_shutdown(domid_t domid, unsigned int reason);
/* Once, before it runs; max is that of createdomain. */
long control_max_vcpus(domid_t domid, unsigned int max);
/* The limit of its memory. */
long control_max_mem(domid_t domid, uint64_t kib);
long control_set_handle(domid_t domid, const xen_domain_handle_t handle);
/* Seconds by which its wall clock differs from UTC. */
long control_set_time_offset(domid_t domid, int64_t seconds);
/* trigger: XEN_DOMCTL_SENDTRIGGER_* */
long control_send_trigger(domid_t domid, uint32_t trigger, uint32_t vcpu);

/* Exactly this domain: -ESRCH if there is none. */
long control_info(domid_t domid, struct xen_domctl_getdomaininfo *info);
/* Those from number `first` on, ascending, at most n. Returns how many were written. */
long control_list(domid_t first, struct xen_domctl_getdomaininfo *info, unsigned int n);

/* ---- vCPUs and scheduling ---- */

/* context NULL: as never initialised. */
long control_set_vcpu_context(domid_t domid, unsigned int vcpu,
			      const struct vcpu_guest_context *context);
long control_get_vcpu_context(domid_t domid, unsigned int vcpu, struct vcpu_guest_context *context);
long control_vcpu_info(domid_t domid, unsigned int vcpu, struct xen_domctl_getvcpuinfo *info);

/* A set of CPUs: CPU n is bit n % 8 of byte n / 8. */
#define CONTROL_CPUS 256
struct control_cpus {
	uint8_t bits[CONTROL_CPUS / 8];
};

/* Where a vCPU may run (hard) and better runs (soft); NULL: leave, or do not tell. */
long control_set_affinity(domid_t domid, unsigned int vcpu, const struct control_cpus *hard,
			  const struct control_cpus *soft);
long control_get_affinity(domid_t domid, unsigned int vcpu, struct control_cpus *hard,
			  struct control_cpus *soft);
/* weight: share relative to others'. cap: most it may use, percent of a CPU, 0: no limit. */
long control_set_scheduling(domid_t domid, unsigned int weight, unsigned int cap);
long control_get_scheduling(domid_t domid, unsigned int *weight, unsigned int *cap);

/* ---- memory ---- */

/*
 * Give the domain n extents of 2^order frames. frames: IN the domain's own number (pfn) of each, OUT its
 * machine frame. Returns how many extents were done, from the first on (fewer than n: no more memory), or an
 * errno when it was none at all.
 */
long control_populate(domid_t domid, xen_pfn_t *frames, unsigned long n, unsigned int order);
/* Take n extents away, by machine frame. Returns how many. */
long control_decrease(domid_t domid, const xen_pfn_t *frames, unsigned long n, unsigned int order);
/* Reserve memory that the domain will be given: `pages` in all. 0 takes the claim back. */
long control_claim(domid_t domid, unsigned long pages);
/* What XENMEM_memory_map will tell the domain: one piece of memory from 0 on, of so many pages. */
long control_set_memory_map(domid_t domid, unsigned long pages);
/* The highest frame number that it uses. *pfn: OUT. */
long control_maximum_pfn(domid_t domid, unsigned long *pfn);

/*
 * Map frames of a domain (or of what it has: DOMID_IO, DOMID_XEN) at adjacent addresses. NULL when one of them
 * cannot be mapped or there is no room, the errno in *error unless that is NULL. Undone by control_unmap.
 */
void *control_map_foreign(domid_t domid, const xen_pfn_t *mfns, size_t n, bool writable,
			  long *error);
/*
 * The same for as many as can be mapped: errors[i] is 0 or why frame i could not be; there, nothing is mapped.
 * NULL only without room for any.
 */
void *control_map_foreign_some(domid_t domid, const xen_pfn_t *mfns, size_t n, bool writable,
			       int *errors);
/* `count` frames from mfn on. */
void *control_map_foreign_run(domid_t domid, xen_pfn_t mfn, size_t count, bool writable,
			      long *error);
void control_unmap(void *address, size_t n);

/* Pin a page table of another domain's, level 1 to 4, which checks it and all below; and unpin it. */
long control_pin_table(domid_t domid, xen_pfn_t mfn, unsigned int level);
long control_unpin_table(domid_t domid, xen_pfn_t mfn);
/* Enter frames of the domain in the machine-to-physical table. */
long control_set_m2p(domid_t domid, const xen_pfn_t *mfns, const xen_pfn_t *pfns, size_t n);
/* Make a frame of the domain's a hypercall page. */
long control_hypercall_page(domid_t domid, xen_pfn_t mfn);
/* OUT types: the frames with XEN_DOMCTL_PFINFO_* in their upper bits, in place. At most 1024 at a time. */
long control_frame_types(domid_t domid, xen_pfn_t *frames, size_t n);

/* ---- events and grants ---- */

/* A port of `domid`'s to which `remote` may bind. Returns the port. */
long control_alloc_unbound(domid_t domid, domid_t remote);
/*
 * Write entries of the domain's grant table before it starts: frames that `to` may use. For the store and the
 * console: GNTTAB_RESERVED_XENSTORE and GNTTAB_RESERVED_CONSOLE (grant_table.h).
 */
struct control_grant {
	uint32_t reference;
	domid_t to;
	xen_pfn_t frame; /* machine frame of the domain's */
};
long control_seed_grants(domid_t domid, const struct control_grant *grants, size_t n);

/* ---- permissions ---- */

/* Let the domain have an interrupt line under the line's own number; it binds it when that is permitted, too. */
long control_map_line(domid_t domid, uint32_t line);
/* pirq: dom0's number, or that of a line that dom0 does not use itself. */
long control_permit_irq(domid_t domid, uint32_t pirq, bool allow);
long control_permit_iomem(domid_t domid, uint64_t mfn, uint64_t count, bool allow);
long control_permit_ioports(domid_t domid, uint32_t first, uint32_t count, bool allow);
/* The domain gets a global virtual interrupt in place of dom0. */
long control_set_virq_handler(domid_t domid, uint32_t virq);

/* ---- the hypervisor and the machine ---- */

long control_physinfo(struct xen_sysctl_physinfo *info);
/* Returns how many CPUs there are; at most n are described. */
long control_cpu_topology(struct xen_sysctl_cputopo *cpus, unsigned int n);
/* Returns how many nodes there are; at most n are described. distances: n * n, or NULL. */
long control_numa(struct xen_sysctl_meminfo *nodes, uint32_t *distances, unsigned int n);
/* XEN_SCHEDULER_* in *id. */
long control_scheduler(uint32_t *id);
/* Nanoseconds that each CPU has been idle. Returns how many were written. */
long control_cpu_idle(uint64_t *idle, unsigned int n);

/* "4.17.0", or whatever the hypervisor says that it is. */
void control_version(char *text, size_t size);
/* One of the texts of XENVER_*: of that command's size, made to end with a 0; empty if there is none. */
void control_text(int command, char *text, size_t size);

/*
 * What the hypervisor has logged, from *index on, which then is where to go on. Returns the number of
 * characters, 0 at the end.
 */
long control_log_read(char *buffer, size_t size, uint32_t *index);
/* Forget what has been logged up to now. */
long control_log_clear(void);
/* As if these keys had been pressed on the hypervisor's own console. */
long control_debug_keys(const char *keys, size_t count);

#endif
