/* SPDX-License-Identifier: MIT */
/* What the files of event/ share: ports, binding (bind.c), what both ABIs have (event.c), the FIFO one's part (fifo.c). */
#ifndef EVENT_PORT_H
#define EVENT_PORT_H

#include "event/event.h"
#include "lib/lib.h"
#include <public/event_channel.h>

#define TWO_LEVEL_BUCKETS (EVTCHN_2L_NR_CHANNELS / PORTS_PER_BUCKET)

enum evtchn_state {
	ECS_FREE,
	ECS_RESERVED,
	ECS_UNBOUND,
	ECS_INTERDOMAIN,
	ECS_VIRQ,
	ECS_IPI,
	ECS_PIRQ
};

struct evtchn {
	uint8_t state;
	uint8_t notify_vcpu;	   /* who gets the upcall; below max_vcpus */
	domid_t remote_domid;	   /* unbound: who may bind */
	uint16_t virq;		   /* or the number of the physical interrupt */
	bool early;		   /* FIFO: pending, but the event array does not reach to it yet */
	uint8_t priority;	   /* FIFO: of its next event */
	evtchn_port_t remote_port; /* interdomain */
	uint8_t last_vcpu,
	    last_priority; /* FIFO: the queue in which it is or was last; see fifo.c */
	struct domain *remote;
};

struct evtchn_bucket {
	uint64_t free[PORTS_PER_BUCKET / 64]; /* bit per port that is not in use; under the lock */
	struct evtchn port[PORTS_PER_BUCKET];
};

/* The channel of a port that exists, or NULL. Any port number, also under speculation. */
static inline struct evtchn *evtchn_of(struct domain *d, evtchn_port_t port)
{
	unsigned int valid = __atomic_load_n(&d->evtchn.valid, __ATOMIC_ACQUIRE);

	if (port >= valid)
		return NULL;
	port = clamp_index(port, valid);
	return &READ_ONCE(d->evtchn.bucket)[port / PORTS_PER_BUCKET]->port[port % PORTS_PER_BUCKET];
}

static inline struct vcpu *notified(struct domain *d, const struct evtchn *chn)
{
	return d->vcpu[clamp_index(READ_ONCE(chn->notify_vcpu), d->max_vcpus)];
}

/* ---- event.c ---- */
/* The port becomes pending in the ABI in force, and v, whom it notifies, is told. Any context. */
void evtchn_set_pending(struct vcpu *v, struct evtchn *chn, evtchn_port_t port);
/* A port that had another use before has no event of that use pending. Under the event lock. */
void evtchn_clear_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port);

/* ---- bind.c: operations of the hypercall, of the current domain; 0 or -errno. No lock held. ---- */
long evtchn_alloc_unbound(struct evtchn_alloc_unbound *op);
long evtchn_bind_interdomain(struct evtchn_bind_interdomain *op);
long evtchn_bind_virq(struct evtchn_bind_virq *op);
long evtchn_bind_ipi(struct evtchn_bind_ipi *op);
long evtchn_bind_pirq(struct evtchn_bind_pirq *op);
long evtchn_bind_vcpu(const struct evtchn_bind_vcpu *op);
long evtchn_status(struct evtchn_status *op);
long evtchn_close(struct domain *d, evtchn_port_t port);
/* id's ports are all closed; arg: of the hypercall, which goes on later. */
long evtchn_reset(domid_t id, vaddr_t arg);
/* The domain that an argument names, if the caller may act for it: itself, or any if privileged. -ESRCH, -EPERM. */
long evtchn_target_domain(domid_t id, struct domain **out);
/* Ports of the first nr buckets are handed out from now on; those of others are all free. Under the event lock. */
void evtchn_set_nr_buckets(struct domain_evtchn *e, unsigned int nr);

/*
 * ---- fifo.c: d->evtchn.fifo is there ----
 * False: the two-level ABI is in force again, nothing was done. v: whom the port notifies. Any context.
 */
bool fifo_set_pending(struct vcpu *v, struct evtchn *chn, evtchn_port_t port);
bool fifo_unmask(struct vcpu *v, struct evtchn *chn, evtchn_port_t port);
/* A word that is not there yet reads as pending or 0. */
bool fifo_read_word(struct domain *d, evtchn_port_t port, event_word_t *word);
void fifo_clear_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port);

/* Under the event lock. Create: -ENOMEM. */
int fifo_create(struct domain *d);
void fifo_enable(struct domain *d);
/* Back to the two-level ABI; all ports are closed. Drops every reference on the guest's frames. */
void fifo_disable(struct domain *d);
/* Both take over a writable type reference on the frame, unless they fail. -EINVAL: v has one. */
int fifo_set_block(struct vcpu *v, mfn_t mfn, unsigned int offset);
/* The event array's next page; *first: the first port in it. -ENOSPC. */
int fifo_add_page(struct domain *d, mfn_t mfn, unsigned int *first);

#endif
