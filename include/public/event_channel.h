/* SPDX-License-Identifier: MIT */
/*
 * Event channels: a guest's interrupts.
 *
 * A channel ("port") of a domain carries one bit: an event is pending or not. It is connected to a
 * channel of another domain, to a virtual interrupt (VIRQ_*), to a physical one, or to a vCPU of the
 * domain itself (IPI); and it is bound to one vCPU, which is told. How events reach the kernel stands
 * with struct vcpu_info in xen.h (two-level form, in which every domain starts) and below (FIFO form).
 *
 * long HYPERVISOR_event_channel_op(int cmd, void *arg)
 *   IN     cmd  EVTCHNOP_*
 *   INOUT  arg  the structure that belongs to it
 *   returns 0, or
 *     -EINVAL  port out of range or in the wrong state; bad vCPU or interrupt number (-ENOENT for a
 *              vCPU that does not exist)
 *     -EEXIST  bound already
 *     -ENOSPC  all channels are in use
 *     -ENOMEM  no memory
 *     -EPERM   not for this caller
 *     -ESRCH   no such domain
 *     -ENOSYS  unknown cmd
 *
 * Ports count from 1: 0 is never a valid one.
 *
 * long HYPERVISOR_event_channel_op_compat(struct evtchn_op *op): the old form, cmd and arg in one.
 */
#ifndef __XEN_PUBLIC_EVENT_CHANNEL_H__
#define __XEN_PUBLIC_EVENT_CHANNEL_H__

#include "xen.h"

#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq	  1
#define EVTCHNOP_bind_pirq	  2
#define EVTCHNOP_close		  3
#define EVTCHNOP_send		  4
#define EVTCHNOP_status		  5
#define EVTCHNOP_alloc_unbound	  6
#define EVTCHNOP_bind_ipi	  7
#define EVTCHNOP_bind_vcpu	  8
#define EVTCHNOP_unmask		  9
#define EVTCHNOP_reset		  10
#define EVTCHNOP_init_control	  11
#define EVTCHNOP_expand_array	  12
#define EVTCHNOP_set_priority	  13

#ifndef __ASSEMBLY__

typedef uint32_t evtchn_port_t;
DEFINE_XEN_GUEST_HANDLE(evtchn_port_t);

/*
 * alloc_unbound: opens a channel in domain dom that waits to be connected by remote_dom. Either may be
 * DOMID_SELF; dom must be unless the caller is privileged.
 */
struct evtchn_alloc_unbound {
	domid_t dom, remote_dom; /* IN */
	evtchn_port_t port;	 /* OUT: in dom */
};
typedef struct evtchn_alloc_unbound evtchn_alloc_unbound_t;

/*
 * bind_interdomain: opens a channel of the caller's, connected to one that remote_dom (may be DOMID_SELF)
 * has opened for the caller by alloc_unbound. The new channel is pending at once, since the other
 * side may have sent before.
 */
struct evtchn_bind_interdomain {
	domid_t remote_dom;	   /* IN */
	evtchn_port_t remote_port; /* IN */
	evtchn_port_t local_port;  /* OUT */
};
typedef struct evtchn_bind_interdomain evtchn_bind_interdomain_t;

/*
 * bind_virq: opens a channel for a virtual interrupt. A per-vCPU one (xen.h) belongs to the given vCPU for
 * good; a global one needs vcpu 0, and can be moved by bind_vcpu. -EEXIST: bound already.
 */
struct evtchn_bind_virq {
	uint32_t virq;	    /* IN: VIRQ_* */
	uint32_t vcpu;	    /* IN */
	evtchn_port_t port; /* OUT */
};
typedef struct evtchn_bind_virq evtchn_bind_virq_t;

/*
 * bind_pirq: opens a channel for a physical interrupt that the domain owns (physdev.h), bound to vCPU 0
 * at first. It stays unanswered until PHYSDEVOP_eoi, where PHYSDEVOP_irq_status_query says so.
 * -EPERM: not the domain's; -EEXIST: bound already.
 */
struct evtchn_bind_pirq {
	uint32_t pirq; /* IN */
#define BIND_PIRQ__WILL_SHARE 1
	uint32_t flags;	    /* IN: BIND_PIRQ__* */
	evtchn_port_t port; /* OUT */
};
typedef struct evtchn_bind_pirq evtchn_bind_pirq_t;

/* bind_ipi: opens a channel on which any vCPU of the domain can send to the given one, for good. */
struct evtchn_bind_ipi {
	uint32_t vcpu;	    /* IN */
	evtchn_port_t port; /* OUT */
};
typedef struct evtchn_bind_ipi evtchn_bind_ipi_t;

/* close: closes a channel. The other end, if any, waits to be connected by the caller again. */
struct evtchn_close {
	evtchn_port_t port; /* IN */
};
typedef struct evtchn_close evtchn_close_t;

/*
 * send: makes the other end of a channel pending (of an IPI channel: the channel itself). To an end that
 * nobody has connected yet it succeeds without effect. -EINVAL: a virtual or physical interrupt.
 */
struct evtchn_send {
	evtchn_port_t port; /* IN */
};
typedef struct evtchn_send evtchn_send_t;

/* status: what a channel is. dom may be another's only for privileged callers. */
struct evtchn_status {
	domid_t dom;		 /* IN: DOMID_SELF, or a domain */
	evtchn_port_t port;	 /* IN */
#define EVTCHNSTAT_closed      0 /* not in use */
#define EVTCHNSTAT_unbound     1 /* waits to be connected */
#define EVTCHNSTAT_interdomain 2 /* connected to a domain */
#define EVTCHNSTAT_pirq	       3 /* physical interrupt */
#define EVTCHNSTAT_virq	       4 /* virtual interrupt */
#define EVTCHNSTAT_ipi	       5 /* between vCPUs */
	uint32_t status;	 /* OUT: EVTCHNSTAT_* */
	uint32_t vcpu;		 /* OUT: which is told */
	union {			 /* OUT */
		struct {
			domid_t dom; /* who may connect */
		} unbound;
		struct {
			domid_t dom;
			evtchn_port_t port;
		} interdomain; /* the other end */
		uint32_t pirq;
		uint32_t virq;
	} u;
};
typedef struct evtchn_status evtchn_status_t;

/*
 * bind_vcpu: which vCPU a channel tells: vCPU 0 until this is called, for every new channel. -EINVAL: IPI
 * channels and per-vCPU interrupts, which cannot be moved.
 */
struct evtchn_bind_vcpu {
	evtchn_port_t port; /* IN */
	uint32_t vcpu;	    /* IN */
};
typedef struct evtchn_bind_vcpu evtchn_bind_vcpu_t;

/* unmask: clears the mask of a channel and, if it is pending, tells its vCPU. */
struct evtchn_unmask {
	evtchn_port_t port; /* IN */
};
typedef struct evtchn_unmask evtchn_unmask_t;

/*
 * reset: closes all channels of a domain (DOMID_SELF unless privileged) and, for DOMID_SELF, returns from
 * the FIFO form to the two-level form.
 */
struct evtchn_reset {
	domid_t dom; /* IN */
};
typedef struct evtchn_reset evtchn_reset_t;

/*
 * init_control: registers the control block of one vCPU and, at the first call, switches the domain to the
 * FIFO form. Events that are pending then are lost: call it for all vCPUs before binding anything.
 * -EINVAL: the block crosses its page or is not 8-byte aligned; -ENOENT: no such vCPU; -ENOSYS: there is only
 * the two-level form, go on with that.
 */
struct evtchn_init_control {
	uint64_t control_gfn; /* IN: frame of the control block (machine frame for PV) */
	uint32_t offset;      /* IN: where in it */
	uint32_t vcpu;	      /* IN */
	uint8_t link_bits;    /* OUT: width of the link field, EVTCHN_FIFO_LINK_BITS */
	uint8_t _pad[7];
};
typedef struct evtchn_init_control evtchn_init_control_t;

/*
 * expand_array: adds a page to the end of the event array. -EOPNOTSUPP: the domain has the two-level form;
 * -ENOSPC: the array is complete.
 */
struct evtchn_expand_array {
	uint64_t array_gfn; /* IN: its frame (machine frame for PV), filled with 0 */
};
typedef struct evtchn_expand_array evtchn_expand_array_t;

/* set_priority: the queue of a channel. -ENOSYS: the domain has the two-level form; -EACCES: a closed channel. */
struct evtchn_set_priority {
	evtchn_port_t port; /* IN */
	uint32_t priority;  /* IN: EVTCHN_FIFO_PRIORITY_MAX to _MIN */
};
typedef struct evtchn_set_priority evtchn_set_priority_t;

/* The argument of event_channel_op_compat. */
struct evtchn_op {
	uint32_t cmd; /* EVTCHNOP_* */
	union {
		evtchn_alloc_unbound_t alloc_unbound;
		evtchn_bind_interdomain_t bind_interdomain;
		evtchn_bind_virq_t bind_virq;
		evtchn_bind_pirq_t bind_pirq;
		evtchn_bind_ipi_t bind_ipi;
		evtchn_close_t close;
		evtchn_send_t send;
		evtchn_status_t status;
		evtchn_bind_vcpu_t bind_vcpu;
		evtchn_unmask_t unmask;
	} u;
};
typedef struct evtchn_op evtchn_op_t;
DEFINE_XEN_GUEST_HANDLE(evtchn_op_t);

#endif /* !__ASSEMBLY__ */

/* Two-level form: how many channels shared_info has bits for. */
#define EVTCHN_2L_NR_CHANNELS (sizeof(xen_ulong_t) * sizeof(xen_ulong_t) * 64)

/*
 * FIFO form
 * ---------
 * The domain has an event array, an event_word_t for each channel, made of the pages given by
 * expand_array, and each vCPU a control block with a queue per priority. A queue is a list: head[q] is
 * the first channel in it (0: empty), and the link field of each word the next one (0: the end).
 *
 * For an event on channel p the hypervisor
 *  1. sets PENDING in p's word; goes on only if MASKED and LINKED are clear;
 *  2. sets LINKED, and appends p to the queue of its priority of the vCPU it is bound to: by writing p
 *     into the link field of the last word in the queue if that is still LINKED, else into head[q];
 *  3. if the queue was empty, sets bit q of ready and tells the vCPU (evtchn_upcall_pending, upcall) as
 *     in the two-level form.
 * The guest, when called,
 *  4. takes ready (atomic exchange with 0) and keeps its bits; goes on with the lowest q set;
 *  5. with head = its own copy of q's head, or control block head[q] (after a read barrier) if the copy
 *     is 0: takes p = head; clears LINKED and the link field of p's word in one atomic operation, whose
 *     old link is the new head; if that is 0, the queue is empty and bit q is done with;
 *  6. if p's word is PENDING and not MASKED, handles p (clearing PENDING atomically first);
 *  7. adds what has appeared in ready meanwhile, and continues with 5.
 *
 * To mask p: set MASKED atomically. To unmask: clear MASKED (unless BUSY, retry); if PENDING is set then,
 * call EVTCHNOP_unmask. BUSY is the hypervisor's: it may be set while p's link field is changing.
 */
#define EVTCHN_FIFO_PRIORITY_MAX     0
#define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define EVTCHN_FIFO_PRIORITY_MIN     15

#define EVTCHN_FIFO_MAX_QUEUES	     (EVTCHN_FIFO_PRIORITY_MIN + 1)

/* Bits of an event word; the link field is bits 0 to EVTCHN_FIFO_LINK_BITS - 1. */
#define EVTCHN_FIFO_PENDING	31
#define EVTCHN_FIFO_MASKED	30
#define EVTCHN_FIFO_LINKED	29
#define EVTCHN_FIFO_BUSY	28

#define EVTCHN_FIFO_LINK_BITS	17
#define EVTCHN_FIFO_LINK_MASK	((1 << EVTCHN_FIFO_LINK_BITS) - 1)

#define EVTCHN_FIFO_NR_CHANNELS (1 << EVTCHN_FIFO_LINK_BITS)

#ifndef __ASSEMBLY__
typedef uint32_t event_word_t;

struct evtchn_fifo_control_block {
	uint32_t ready; /* bit q: queue q has something new */
	uint32_t _rsvd;
	uint32_t head[EVTCHN_FIFO_MAX_QUEUES];
};
typedef struct evtchn_fifo_control_block evtchn_fifo_control_block_t;
#endif

#endif /* __XEN_PUBLIC_EVENT_CHANNEL_H__ */
