/* SPDX-License-Identifier: MIT */
/*
 * Event channels, two-level ABI: a pending bit and a mask bit for each port in the shared page, and
 * for each vCPU a word that selects among the 64 words of bits (public/xen.h, struct shared_info).
 *
 * A port's state changes under its domain's event lock (two domains: lower domid first). Sending reads
 * it without the lock: a port that is closed and bound anew meanwhile gets a spurious event, which the
 * ABI allows. Buckets of ports are never freed while the domain lives, so that reading is safe.
 */
#include "event/event.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "irq/irq.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "sched/sched.h"
#include "lib/errno.h"
#include <public/event_channel.h>

#define PORTS_PER_BUCKET 128
_Static_assert(PORTS_PER_BUCKET *NR_EVTCHN_BUCKETS == EVTCHN_2L_NR_CHANNELS,
	       "all ports have a bucket");

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
	evtchn_port_t remote_port; /* interdomain */
	struct domain *remote;
};

/* The channel of a port that exists, or NULL. Any port number, also under speculation. */
static struct evtchn *evtchn_of(struct domain *d, evtchn_port_t port)
{
	unsigned int valid = READ_ONCE(d->evtchn.valid);

	if (port >= valid)
		return NULL;
	port = clamp_index(port, valid);
	return &d->evtchn.bucket[port / PORTS_PER_BUCKET][port % PORTS_PER_BUCKET];
}

/* Is the virtual interrupt one of the machine rather than of each vCPU? (public/xen.h, VIRQ_*) */
static bool virq_is_global(unsigned int virq)
{
	return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
	       virq != VIRQ_XENPMU;
}

/* ---- making a port pending ---- */

static void kick(struct vcpu *v)
{
	if (test_bit(VPF_BLOCKED, &v->pause_flags))
		vcpu_pause_flag_clear(v, VPF_BLOCKED);
	else if (v != current && READ_ONCE(v->sched.running))
		apic_send_ipi(READ_ONCE(v->sched.cpu), VECTOR_KICK);
}

void vcpu_mark_events_pending(struct vcpu *v)
{
	/* The exchange orders this store before kick() reads whether v blocks; block sets its flag
	 * before it looks for events. One of the two sees the other. */
	if (!__atomic_exchange_n(&v->vcpu_info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
		kick(v);
}

/* End the wait of vCPUs that poll this port, which has become pending. */
static void wake_pollers(struct domain *d, evtchn_port_t port)
{
	uint64_t polling = __atomic_load_n(&d->evtchn.polling, __ATOMIC_SEQ_CST);

	for (; unlikely(polling); polling &= polling - 1) {
		struct vcpu *v = d->vcpu[lowest_bit(polling)];
		evtchn_port_t wanted = READ_ONCE(v->evtchn.poll_port);

		if ((wanted == 0 || wanted == port) &&
		    test_and_clear_bit(v->id, &d->evtchn.polling))
			vcpu_pause_flag_clear(v, VPF_BLOCKED);
	}
}

/* The selector bit and the upcall for a port that is pending and not masked. */
static void select_port(struct vcpu *v, evtchn_port_t port)
{
	if (!test_and_set_bit(port / BITS_PER_LONG, &v->vcpu_info->evtchn_pending_sel))
		vcpu_mark_events_pending(v);
}

static void set_pending(struct vcpu *v, evtchn_port_t port)
{
	struct domain *d = v->domain;

	if (test_and_set_bit(port, d->shared_info->evtchn_pending))
		return;
	if (!test_bit(port, d->shared_info->evtchn_mask))
		select_port(v, port);
	wake_pollers(d, port);
}

static struct vcpu *notified(struct domain *d, const struct evtchn *chn)
{
	return d->vcpu[clamp_index(READ_ONCE(chn->notify_vcpu), d->max_vcpus)];
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq)
{
	evtchn_port_t port = READ_ONCE(v->evtchn.virq_port[virq]);

	if (port)
		set_pending(v, port);
}

void send_guest_global_virq(struct domain *d, unsigned int virq)
{
	struct vcpu *v = d->vcpu[0];
	evtchn_port_t port = v ? READ_ONCE(v->evtchn.virq_port[virq]) : 0;

	if (port)
		set_pending(notified(d, evtchn_of(d, port)), port);
}

struct vcpu *send_guest_pirq(struct domain *d, evtchn_port_t port)
{
	struct vcpu *v = notified(d, evtchn_of(d, port));

	set_pending(v, port);
	return v;
}

struct vcpu *evtchn_vcpu(struct domain *d, evtchn_port_t port)
{
	return notified(d, evtchn_of(d, port));
}

static long evtchn_send(struct domain *d, evtchn_port_t port)
{
	struct evtchn *chn = evtchn_of(d, port), *remote_chn;
	struct domain *remote;

	if (!chn)
		return -EINVAL;
	switch (READ_ONCE(chn->state)) {
	case ECS_INTERDOMAIN:
		remote = READ_ONCE(chn->remote);
		port = READ_ONCE(chn->remote_port);
		remote_chn = remote ? evtchn_of(remote, port) : NULL;
		if (remote_chn)
			set_pending(notified(remote, remote_chn), port);
		return 0;
	case ECS_IPI:
		set_pending(notified(d, chn), port);
		return 0;
	case ECS_UNBOUND: /* nobody listens yet: not an error (public/event_channel.h) */
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- polling ---- */

int evtchn_poll_begin(struct vcpu *v, const evtchn_port_t *ports, unsigned int nr)
{
	struct domain *d = v->domain;

	for (unsigned int i = 0; i < nr; i++)
		if (!evtchn_of(d, ports[i]))
			return -EINVAL;
	WRITE_ONCE(v->evtchn.poll_port, nr == 1 ? ports[0] : 0);
	if (nr)
		set_bit(v->id,
			&d->evtchn.polling); /* before the bits are read: see set_pending() */
	for (unsigned int i = 0; i < nr; i++) {
		if (test_bit(ports[i], d->shared_info->evtchn_pending)) {
			evtchn_poll_end(v);
			return 1;
		}
	}
	return 0;
}

void evtchn_poll_end(struct vcpu *v)
{
	clear_bit(v->id, &v->domain->evtchn.polling);
}

/* ---- binding and closing: under the lock ---- */

/* A free port, its bucket made if needed: -ENOSPC, -ENOMEM. */
static int find_free_port(struct domain *d)
{
	struct domain_evtchn *e = &d->evtchn;
	struct evtchn *bucket;

	for (unsigned int port = 1; port < e->valid; port++)
		if (evtchn_of(d, port)->state == ECS_FREE)
			return (int)port;
	if (e->valid == EVTCHN_2L_NR_CHANNELS)
		return -ENOSPC;
	bucket = kzalloc(PORTS_PER_BUCKET * sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	e->bucket[e->valid / PORTS_PER_BUCKET] = bucket;
	/* Readers without the lock see the bucket before they see that its ports exist. */
	__atomic_store_n(&e->valid, e->valid + PORTS_PER_BUCKET, __ATOMIC_RELEASE);
	return (int)max(e->valid - PORTS_PER_BUCKET, 1U);
}

/* The port's state becomes s, last: what the state says must be there before. */
static void set_state(struct evtchn *chn, enum evtchn_state s)
{
	__atomic_store_n(&chn->state, s, __ATOMIC_RELEASE);
}

/* A port that had another use before has no event of that use pending. */
static void clear_pending(struct domain *d, evtchn_port_t port)
{
	clear_bit(port, d->shared_info->evtchn_pending);
}

/* The domain that an argument names, if the caller may act for it: itself, or any if privileged. */
static long target_domain(domid_t id, struct domain **out)
{
	struct domain *d = domain_by_id(id);

	if (!d)
		return -ESRCH;
	if (d != current->domain && !current->domain->is_privileged)
		return -EPERM;
	*out = d;
	return 0;
}

static long alloc_unbound(struct evtchn_alloc_unbound *op)
{
	struct domain *d;
	struct evtchn *chn;
	long rc = target_domain(op->dom, &d);
	int port;

	if (rc)
		return rc;
	spin_lock(&d->evtchn.lock);
	port = find_free_port(d);
	rc = port;
	if (port > 0) {
		chn = evtchn_of(d, port);
		chn->remote_domid =
		    op->remote_dom == DOMID_SELF ? current->domain->id : op->remote_dom;
		chn->notify_vcpu = 0;
		clear_pending(d, port);
		set_state(chn, ECS_UNBOUND);
		op->port = port;
		rc = 0;
	}
	spin_unlock(&d->evtchn.lock);
	return rc;
}

static void lock_two(struct domain *a, struct domain *b)
{
	struct domain *first = a->id <= b->id ? a : b, *second = first == a ? b : a;

	spin_lock(&first->evtchn.lock);
	if (second != first)
		spin_lock(&second->evtchn.lock);
}

static void unlock_two(struct domain *a, struct domain *b)
{
	spin_unlock(&a->evtchn.lock);
	if (a != b)
		spin_unlock(&b->evtchn.lock);
}

static long bind_interdomain(struct evtchn_bind_interdomain *op)
{
	struct domain *d = current->domain, *remote = domain_by_id(op->remote_dom);
	struct evtchn *chn, *remote_chn;
	int port;
	long rc = -EINVAL;

	if (!remote)
		return -ESRCH;
	lock_two(d, remote);
	remote_chn = evtchn_of(remote, op->remote_port);
	if (!remote_chn || remote_chn->state != ECS_UNBOUND || remote_chn->remote_domid != d->id)
		goto out;
	port = find_free_port(d);
	rc = port;
	if (port < 0)
		goto out;
	chn = evtchn_of(d, port);
	chn->remote = remote;
	chn->remote_port = op->remote_port;
	chn->notify_vcpu = 0;
	remote_chn->remote = d;
	remote_chn->remote_port = port;
	set_state(chn, ECS_INTERDOMAIN);
	set_state(remote_chn, ECS_INTERDOMAIN);
	/* Events that the other side sent while nobody was bound are not lost: the new port starts
	 * pending (public/event_channel.h). */
	set_bit(port, d->shared_info->evtchn_pending);
	if (!test_bit(port, d->shared_info->evtchn_mask))
		select_port(notified(d, chn), port);
	op->local_port = port;
	rc = 0;
out:
	unlock_two(d, remote);
	return rc;
}

static long bind_virq(struct evtchn_bind_virq *op)
{
	struct domain *d = current->domain;
	struct vcpu *v;
	struct evtchn *chn;
	unsigned int virq = op->virq;
	int port;
	long rc;

	if (virq >= NR_VIRQS || (virq_is_global(virq) && op->vcpu != 0))
		return -EINVAL;
	virq = clamp_index(virq, NR_VIRQS);
	v = domain_vcpu(d, op->vcpu);
	if (!v)
		return -ENOENT;
	spin_lock(&d->evtchn.lock);
	rc = -EEXIST;
	if (v->evtchn.virq_port[virq])
		goto out;
	port = find_free_port(d);
	rc = port;
	if (port < 0)
		goto out;
	chn = evtchn_of(d, port);
	chn->notify_vcpu = op->vcpu;
	chn->virq = virq;
	clear_pending(d, port);
	set_state(chn, ECS_VIRQ);
	__atomic_store_n(&v->evtchn.virq_port[virq], (uint16_t)port, __ATOMIC_RELEASE);
	op->port = port;
	rc = 0;
out:
	spin_unlock(&d->evtchn.lock);
	return rc;
}

static long bind_ipi(struct evtchn_bind_ipi *op)
{
	struct domain *d = current->domain;
	struct evtchn *chn;
	int port;
	long rc;

	if (!domain_vcpu(d, op->vcpu))
		return -ENOENT;
	spin_lock(&d->evtchn.lock);
	port = find_free_port(d);
	rc = port;
	if (port > 0) {
		chn = evtchn_of(d, port);
		chn->notify_vcpu = op->vcpu;
		clear_pending(d, port);
		set_state(chn, ECS_IPI);
		op->port = port;
		rc = 0;
	}
	spin_unlock(&d->evtchn.lock);
	return rc;
}

static long bind_pirq(struct evtchn_bind_pirq *op)
{
	struct domain *d = current->domain;
	struct evtchn *chn;
	int port;
	long rc;

	spin_lock(&d->evtchn.lock);
	port = find_free_port(d);
	rc = port;
	if (port > 0) {
		chn = evtchn_of(d, port);
		chn->notify_vcpu = 0;
		chn->virq = (uint16_t)op->pirq;
		clear_pending(d, port);
		set_state(chn, ECS_PIRQ);
		/* It may come at once. */
		rc = pirq_bind(d, op->pirq, port, op->flags & BIND_PIRQ__WILL_SHARE);
		if (rc)
			set_state(chn, ECS_FREE);
		else
			op->port = port;
	}
	spin_unlock(&d->evtchn.lock);
	return rc;
}

/* Under the domain's lock, and the peer's. */
static void close_port(struct domain *d, struct evtchn *chn)
{
	struct evtchn *peer;

	if (chn->state == ECS_VIRQ) {
		/* It may have been moved to another vCPU since it was bound. */
		for (unsigned int i = 0; i < d->max_vcpus; i++) {
			uint16_t bound = d->vcpu[i]->evtchn.virq_port[chn->virq];

			if (bound && evtchn_of(d, bound) == chn)
				WRITE_ONCE(d->vcpu[i]->evtchn.virq_port[chn->virq], 0);
		}
	} else if (chn->state == ECS_INTERDOMAIN) {
		/* The other end can be bound again by this domain. */
		peer = evtchn_of(chn->remote, chn->remote_port);
		set_state(peer, ECS_UNBOUND);
		peer->remote_domid = d->id;
		peer->remote = NULL;
	} else if (chn->state == ECS_PIRQ) {
		pirq_unbind(d, chn->virq);
	}
	set_state(chn, ECS_FREE);
	chn->remote = NULL;
	chn->notify_vcpu = 0;
}

static long evtchn_close(struct domain *d, evtchn_port_t port)
{
	struct evtchn *chn = evtchn_of(d, port);
	struct domain *remote = d;
	long rc = -EINVAL;

	if (!chn)
		return -EINVAL;
	/* The peer may change until both locks are held; then it is looked at again. */
	for (;;) {
		struct domain *now_remote;

		lock_two(d, remote);
		now_remote = chn->state == ECS_INTERDOMAIN ? chn->remote : d;
		if (now_remote == remote || now_remote == d)
			break;
		unlock_two(d, remote);
		remote = now_remote;
	}
	if (chn->state != ECS_FREE && chn->state != ECS_RESERVED) {
		close_port(d, chn);
		clear_pending(d, port);
		rc = 0;
	}
	unlock_two(d, remote);
	return rc;
}

static long evtchn_reset(domid_t id)
{
	struct domain *d;
	long rc = target_domain(id, &d);

	/* Bounded: 4,096 ports. Each is closed by itself, so that no lock is held for long. */
	for (evtchn_port_t port = 1; !rc && port < READ_ONCE(d->evtchn.valid); port++)
		evtchn_close(d, port);
	return rc;
}

static long evtchn_status(struct evtchn_status *op)
{
	struct domain *d;
	struct evtchn *chn;
	long rc = target_domain(op->dom, &d);

	if (rc)
		return rc;
	chn = evtchn_of(d, op->port);
	if (!chn)
		return -EINVAL;
	spin_lock(&d->evtchn.lock);
	switch (chn->state) {
	case ECS_UNBOUND:
		op->status = EVTCHNSTAT_unbound;
		op->u.unbound.dom = chn->remote_domid;
		break;
	case ECS_INTERDOMAIN:
		op->status = EVTCHNSTAT_interdomain;
		op->u.interdomain.dom = chn->remote->id;
		op->u.interdomain.port = chn->remote_port;
		break;
	case ECS_VIRQ:
		op->status = EVTCHNSTAT_virq;
		op->u.virq = chn->virq;
		break;
	case ECS_IPI:
		op->status = EVTCHNSTAT_ipi;
		break;
	case ECS_PIRQ:
		op->status = EVTCHNSTAT_pirq;
		op->u.pirq = chn->virq;
		break;
	default:
		op->status = EVTCHNSTAT_closed;
		break;
	}
	op->vcpu = chn->notify_vcpu;
	spin_unlock(&d->evtchn.lock);
	return 0;
}

static long bind_vcpu(const struct evtchn_bind_vcpu *op)
{
	struct domain *d = current->domain;
	struct evtchn *chn;
	long rc = -EINVAL;

	if (!domain_vcpu(d, op->vcpu))
		return -ENOENT;
	chn = evtchn_of(d, op->port);
	if (!chn)
		return -EINVAL;
	spin_lock(&d->evtchn.lock);
	if (chn->state == ECS_UNBOUND || chn->state == ECS_INTERDOMAIN || chn->state == ECS_PIRQ ||
	    (chn->state == ECS_VIRQ && virq_is_global(chn->virq))) {
		WRITE_ONCE(chn->notify_vcpu, op->vcpu);
		rc = 0;
	}
	spin_unlock(&d->evtchn.lock);
	return rc;
}

long evtchn_unmask_port(struct domain *d, evtchn_port_t port)
{
	struct evtchn *chn = evtchn_of(d, port);

	if (!chn)
		return -EINVAL;
	if (test_and_clear_bit(port, d->shared_info->evtchn_mask) &&
	    test_bit(port, d->shared_info->evtchn_pending))
		select_port(notified(d, chn), port);
	return 0;
}

bool evtchn_port_is_masked(struct domain *d, evtchn_port_t port)
{
	return evtchn_of(d, port) && test_bit(port, d->shared_info->evtchn_mask);
}

/* ---- the hypercall ---- */

union evtchn_arg {
	struct evtchn_alloc_unbound alloc_unbound;
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_bind_virq bind_virq;
	struct evtchn_bind_pirq bind_pirq;
	struct evtchn_bind_ipi bind_ipi;
	struct evtchn_close close;
	struct evtchn_send send;
	struct evtchn_status status;
	struct evtchn_bind_vcpu bind_vcpu;
	struct evtchn_unmask unmask;
	struct evtchn_reset reset;
};

/* Size of each operation's argument; 0: not here. */
static size_t arg_size(unsigned int cmd, bool *out)
{
	*out = cmd == EVTCHNOP_alloc_unbound || cmd == EVTCHNOP_bind_interdomain ||
	       cmd == EVTCHNOP_bind_virq || cmd == EVTCHNOP_bind_pirq || cmd == EVTCHNOP_bind_ipi ||
	       cmd == EVTCHNOP_status;
	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		return sizeof(struct evtchn_alloc_unbound);
	case EVTCHNOP_bind_interdomain:
		return sizeof(struct evtchn_bind_interdomain);
	case EVTCHNOP_bind_pirq:
		return sizeof(struct evtchn_bind_pirq);
	case EVTCHNOP_bind_virq:
		return sizeof(struct evtchn_bind_virq);
	case EVTCHNOP_bind_ipi:
		return sizeof(struct evtchn_bind_ipi);
	case EVTCHNOP_close:
		return sizeof(struct evtchn_close);
	case EVTCHNOP_status:
		return sizeof(struct evtchn_status);
	case EVTCHNOP_bind_vcpu:
		return sizeof(struct evtchn_bind_vcpu);
	case EVTCHNOP_unmask:
		return sizeof(struct evtchn_unmask);
	case EVTCHNOP_reset:
		return sizeof(struct evtchn_reset);
	default:
		return 0;
	}
}

static long perform(unsigned int cmd, union evtchn_arg *a)
{
	struct domain *d = current->domain;

	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		return alloc_unbound(&a->alloc_unbound);
	case EVTCHNOP_bind_interdomain:
		return bind_interdomain(&a->bind_interdomain);
	case EVTCHNOP_bind_pirq:
		return bind_pirq(&a->bind_pirq);
	case EVTCHNOP_bind_virq:
		return bind_virq(&a->bind_virq);
	case EVTCHNOP_bind_ipi:
		return bind_ipi(&a->bind_ipi);
	case EVTCHNOP_close:
		return evtchn_close(d, a->close.port);
	case EVTCHNOP_status:
		return evtchn_status(&a->status);
	case EVTCHNOP_bind_vcpu:
		return bind_vcpu(&a->bind_vcpu);
	case EVTCHNOP_unmask:
		return evtchn_unmask_port(d, a->unmask.port);
	default:
		return evtchn_reset(a->reset.dom);
	}
}

/* The caller could not be told its new port, so it does not have it. */
static void undo(unsigned int cmd, const union evtchn_arg *a)
{
	struct domain *d = current->domain;

	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		if (!target_domain(a->alloc_unbound.dom, &d))
			evtchn_close(d, a->alloc_unbound.port);
		break;
	case EVTCHNOP_bind_interdomain:
		evtchn_close(d, a->bind_interdomain.local_port);
		break;
	case EVTCHNOP_bind_virq:
		evtchn_close(d, a->bind_virq.port);
		break;
	case EVTCHNOP_bind_pirq:
		evtchn_close(d, a->bind_pirq.port);
		break;
	case EVTCHNOP_bind_ipi:
		evtchn_close(d, a->bind_ipi.port);
		break;
	default:
		break;
	}
}

long do_event_channel_op(unsigned int cmd, vaddr_t arg)
{
	union evtchn_arg a;
	struct evtchn_send send;
	static unsigned long told;
	bool out;
	size_t size;
	long rc;

	if (likely(cmd == EVTCHNOP_send)) {
		if (copy_from_guest(&send, arg, sizeof(send)))
			return -EFAULT;
		return evtchn_send(current->domain, send.port);
	}
	size = arg_size(cmd, &out);
	if (!size) {
		if (!test_and_set_bit(cmd & 63, &told))
			guest_log("event_channel_op %u is not implemented\n", cmd);
		return -ENOSYS;
	}
	if (copy_from_guest(&a, arg, size))
		return -EFAULT;
	rc = perform(cmd, &a);
	if (!rc && out && copy_to_guest(arg, &a, size)) {
		undo(cmd, &a);
		rc = -EFAULT;
	}
	return rc;
}

/* ---- a domain's and a vCPU's part ---- */

int evtchn_init(struct domain *d)
{
	int port;

	spin_lock_init(&d->evtchn.lock);
	port = find_free_port(d);
	if (port < 0)
		return port;
	/* Port 0 is never handed out: it means "none". */
	evtchn_of(d, 0)->state = ECS_RESERVED;
	return 0;
}

void evtchn_destroy(struct domain *d)
{
	for (evtchn_port_t port = 1; port < d->evtchn.valid; port++)
		evtchn_close(d, port);
	pirq_destroy(d);
	for (unsigned int i = 0; i < NR_EVTCHN_BUCKETS; i++)
		kfree(d->evtchn.bucket[i]);
	d->evtchn.valid = 0;
}

int map_vcpu_info(struct vcpu *v, mfn_t mfn, unsigned int offset)
{
	struct domain *d = v->domain;
	struct vcpu_info *to;

	if (offset > PAGE_SIZE - sizeof(*to) || !IS_ALIGNED(offset, sizeof(uint64_t)))
		return -ENXIO;
	if (v->vcpu_info_mfn != INVALID_MFN)
		return -EINVAL;
	/* Nobody may be using the old place while its contents move: v runs this, or doesn't run. */
	if (v != current && !test_bit(VPF_DOWN, &v->pause_flags))
		return -EINVAL;
	if (get_frame_and_type(mfn, d, PT_WRITABLE))
		return -EINVAL;

	to = (struct vcpu_info *)((char *)mfn_to_virt(mfn) + offset);
	if (v->vcpu_info == &dummy_vcpu_info) {
		memset(to, 0, sizeof(*to));
		to->evtchn_upcall_mask = 1;
	} else {
		memcpy(to, v->vcpu_info, sizeof(*to));
	}
	v->vcpu_info_mfn = mfn;
	__atomic_store_n(&v->vcpu_info, to, __ATOMIC_SEQ_CST);
	/* An event may have gone to the old place meanwhile: all count as pending, and the guest looks. */
	__atomic_store_n(&to->evtchn_pending_sel, ~0UL, __ATOMIC_SEQ_CST);
	vcpu_mark_events_pending(v);
	return 0;
}

/* v and its domain have stopped. */
void unmap_vcpu_info(struct vcpu *v)
{
	mfn_t mfn = v->vcpu_info_mfn;

	if (mfn == INVALID_MFN)
		return;
	v->vcpu_info = &dummy_vcpu_info;
	v->vcpu_info_mfn = INVALID_MFN;
	put_frame_and_type(mfn);
}

void evtchn_dump(struct domain *d)
{
	static const char *const names[] = {"free", "reserved", "unbound", "interdomain",
					    "virq", "ipi",	"pirq"};

	for (evtchn_port_t port = 1; port < d->evtchn.valid; port++) {
		const struct evtchn *chn = evtchn_of(d, port);

		if (chn->state != ECS_FREE && chn->state < ARRAY_SIZE(names))
			printk("  port %u: %s, vCPU %u, %s%s\n", port, names[chn->state],
			       chn->notify_vcpu,
			       test_bit(port, d->shared_info->evtchn_pending) ? "pending" : "idle",
			       test_bit(port, d->shared_info->evtchn_mask) ? ", masked" : "");
	}
}
