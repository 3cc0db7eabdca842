/* SPDX-License-Identifier: MIT */
/*
 * Virtual CPUs.
 *
 * long HYPERVISOR_vcpu_op(int cmd, unsigned int vcpu, void *arg)
 *   IN  cmd   VCPUOP_*
 *   IN  vcpu  which one of the caller's
 *   arg       depends on cmd; null if it has none
 *
 * returns 0 unless said otherwise; -ENOENT: there is no such vCPU; -EINVAL: an operation that belongs to
 * the calling vCPU alone was asked for another, or an argument is malformed; -ENOSYS: unknown cmd
 */
#ifndef __XEN_PUBLIC_VCPU_H__
#define __XEN_PUBLIC_VCPU_H__

#include "xen.h"

/*
 * IN  arg  struct vcpu_guest_context (arch-x86/xen.h)
 *
 * Gives a vCPU its first state; it does not run yet. Its page-table root, its descriptor tables and all
 * that it uses must be valid already.
 *   -EEXIST: it has been initialised before; -EINVAL: the state is not allowed
 */
#define VCPUOP_initialise 0

/* Lets a vCPU run. -EINVAL: it has not been initialised. */
#define VCPUOP_up 1

/*
 * Stops a vCPU until VCPUOP_up. For another vCPU this returns before it has stopped; it keeps its
 * page-table root and descriptor tables, so move it to lasting ones first. When no vCPU is left up, the
 * domain shuts down (SHUTDOWN_poweroff).
 */
#define VCPUOP_down 2

/* Returns 1 if the vCPU is up, 0 if not. */
#define VCPUOP_is_up 3

/* OUT  arg  struct vcpu_runstate_info: what the vCPU does and has done. */
#define VCPUOP_get_runstate_info 4
struct vcpu_runstate_info {
	int state;		   /* RUNSTATE_* */
	uint64_t state_entry_time; /* since when: system time */
/* In the copy in guest memory, with VMASST_TYPE_runstate_update_flag: bit of state_entry_time that is
 * set while the record is being written; read again until it is clear before and after. */
#define XEN_RUNSTATE_UPDATE (xen_mk_ullong(1) << 63)
	uint64_t time[4]; /* nanoseconds spent in each state; their sum is the vCPU's age */
};
typedef struct vcpu_runstate_info vcpu_runstate_info_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_runstate_info_t);

#define RUNSTATE_running  0 /* on a physical CPU */
#define RUNSTATE_runnable 1 /* waiting for a physical CPU */
#define RUNSTATE_blocked  2 /* waiting for an event */
#define RUNSTATE_offline  3 /* neither: down or paused */

/*
 * IN  arg  struct vcpu_register_runstate_memory_area: where to keep a copy of the record
 *
 * The hypervisor writes the copy at the virtual address addr.v whenever it puts the vCPU on a physical
 * CPU, so the vCPU itself reads RUNSTATE_running there, whenever it takes it off one, so others see why it
 * does not run, and once at registration. The address must be
 * mapped writable at those times in the address space then in use; if it is not, the update is
 * lost. A null address ends it. One copy per vCPU.
 */
#define VCPUOP_register_runstate_memory_area 5
struct vcpu_register_runstate_memory_area {
	union {
		XEN_GUEST_HANDLE(vcpu_runstate_info_t) h;
		struct vcpu_runstate_info *v;
		uint64_t p;
	} addr;
};
typedef struct vcpu_register_runstate_memory_area vcpu_register_runstate_memory_area_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_runstate_memory_area_t);

/*
 * Periodic timer of a vCPU: raises VIRQ_TIMER every period_ns. A new vCPU has none.
 *   set:  IN arg struct vcpu_set_periodic_timer; -EINVAL: shorter than 1 ms or far too long
 *   stop: no arg
 */
#define VCPUOP_set_periodic_timer  6
#define VCPUOP_stop_periodic_timer 7
struct vcpu_set_periodic_timer {
	uint64_t period_ns;
};
typedef struct vcpu_set_periodic_timer vcpu_set_periodic_timer_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_set_periodic_timer_t);

/*
 * Single-shot timer of the calling vCPU: raises VIRQ_TIMER once, at system time timeout_abs_ns (at once if
 * that is past). It is the timer that set_timer_op sets too (xen.h).
 *   set:  IN arg struct vcpu_set_singleshot_timer
 *         -ETIME: VCPU_SSHOTTMR_future and the time is past
 *   stop: no arg
 */
#define VCPUOP_set_singleshot_timer  8
#define VCPUOP_stop_singleshot_timer 9
struct vcpu_set_singleshot_timer {
	uint64_t timeout_abs_ns;
	uint32_t flags; /* VCPU_SSHOTTMR_* */
};
typedef struct vcpu_set_singleshot_timer vcpu_set_singleshot_timer_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_set_singleshot_timer_t);

#define _VCPU_SSHOTTMR_future (0)
#define VCPU_SSHOTTMR_future  (1U << _VCPU_SSHOTTMR_future) /* fail with -ETIME if past */

/*
 * IN  arg  struct vcpu_register_vcpu_info
 *
 * Moves the vCPU's struct vcpu_info out of shared_info into memory of the guest's own, with its contents;
 * from then on only that copy counts. Needed for vCPUs from XEN_LEGACY_MAX_VCPUS on before they are
 * brought up. An event is marked pending, as one may have come during the move. The frame stays referenced
 * by the hypervisor.
 *   -EINVAL: done before; another vCPU that is up; or the frame is not the caller's own writable memory.
 *   -ENXIO: the structure would cross its page
 */
#define VCPUOP_register_vcpu_info 10
struct vcpu_register_vcpu_info {
	uint64_t mfn;	 /* machine frame */
	uint32_t offset; /* in it */
	uint32_t rsvd;
};
typedef struct vcpu_register_vcpu_info vcpu_register_vcpu_info_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_vcpu_info_t);

/* Sends an NMI to the vCPU. */
#define VCPUOP_send_nmi 11

/*
 * OUT  arg  struct vcpu_get_physid: which physical CPU the vCPU is fixed to
 *   -EINVAL: it is not fixed to one (dom0 with fixed vCPUs only)
 */
#define VCPUOP_get_physid 12
struct vcpu_get_physid {
	uint64_t phys_id; /* bits 0-31: APIC ID, 32-63: ACPI's processor ID */
};
typedef struct vcpu_get_physid vcpu_get_physid_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_get_physid_t);
#define xen_vcpu_physid_to_x86_apicid(physid) ((uint32_t)(physid))
#define xen_vcpu_physid_to_x86_acpiid(physid) ((uint32_t)((physid) >> 32))

/*
 * IN  arg  struct vcpu_register_time_memory_area: where to keep a second copy of the time record
 *
 * The copy of vcpu_info.time at the virtual address addr.v, written when the original is and read by the
 * same steps (xen.h). Meant for memory that user programs may read. A null address ends it.
 */
#define VCPUOP_register_vcpu_time_memory_area 13
DEFINE_XEN_GUEST_HANDLE(vcpu_time_info_t);
struct vcpu_register_time_memory_area {
	union {
		XEN_GUEST_HANDLE(vcpu_time_info_t) h;
		struct vcpu_time_info *v;
		uint64_t p;
	} addr;
};
typedef struct vcpu_register_time_memory_area vcpu_register_time_memory_area_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_time_memory_area_t);

#endif /* __XEN_PUBLIC_VCPU_H__ */
