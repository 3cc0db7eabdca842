/* SPDX-License-Identifier: MIT */
/*
 * Ports of event channels: how they are found, bound and closed. A port's state changes under its domain's event lock
 * (two domains: lower domid first). Sending (event.c) reads it without the lock: a port that is closed and bound anew
 * meanwhile gets a spurious event, which the ABI allows. Buckets of ports are never freed while the domain lives, so
 * that reading is safe.
 */
#include "event/event.h"
#include "event/port.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "irq/irq.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include <public/event_channel.h>

/* How many free ports that are in a queue still may be passed over in the search for one that isn't. */
#define MAX_BUSY_PORTS 256

/* The port's state becomes s, last: what the state says must be there before. */
static void set_state(struct evtchn *chn, enum evtchn_state s)
{
	__atomic_store_n(&chn->state, s, __ATOMIC_RELEASE);
}

/* Ports of the first nr buckets are handed out from now on; those of others are all free. */
void evtchn_set_nr_buckets(struct domain_evtchn *e, unsigned int nr)
{
	e->nr_buckets = nr;
	for (unsigned int n = TWO_LEVEL_BUCKETS; n < e->valid / PORTS_PER_BUCKET; n++) {
		uint64_t bit = 1UL << (n % 64);

		e->has_free[n / 64] = (e->has_free[n / 64] & ~bit) | (n < nr ? bit : 0);
	}
}

/* Room for more ports. */
static int add_bucket(struct domain_evtchn *e)
{
	unsigned int n = e->valid / PORTS_PER_BUCKET;
	struct evtchn_bucket *bucket;

	if (n >= e->nr_buckets || n * PORTS_PER_BUCKET > e->max_port)
		return -ENOSPC;
	bucket = kzalloc(sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	/* Ports beyond the domain's limit never are. */
	for (unsigned int i = 0; i < PORTS_PER_BUCKET && n * PORTS_PER_BUCKET + i <= e->max_port;
	     i++)
		bucket->free[i / 64] |= 1UL << (i % 64);
	e->bucket[n] = bucket;
	e->has_free[n / 64] |= 1UL << (n % 64);
	/* Readers without the lock see the bucket before they see that its ports exist. */
	__atomic_store_n(&e->valid, e->valid + PORTS_PER_BUCKET, __ATOMIC_RELEASE);
	return 0;
}

/*
 * The first port of a bucket that is free and, in the FIFO ABI, not in a queue still: whoever has that queue may be
 * gone and would keep the port's new events. *busy: one that is; *tries: how many may yet be looked at.
 */
static int free_port_in(struct domain *d, unsigned int n, int *busy, unsigned int *tries)
{
	struct evtchn_bucket *bucket = d->evtchn.bucket[n];

	for (unsigned int w = 0; w < ARRAY_SIZE(bucket->free); w++) {
		for (uint64_t left = bucket->free[w]; left && *tries;
		     left &= left - 1, (*tries)--) {
			evtchn_port_t port = n * PORTS_PER_BUCKET + w * 64 + lowest_bit(left);
			event_word_t word;

			if (!d->evtchn.fifo || !fifo_read_word(d, port, &word) ||
			    !(word & 1U << EVTCHN_FIFO_LINKED))
				return (int)port;
			if (*busy < 0)
				*busy = (int)port;
		}
	}
	return -1;
}

static int find_free_port(struct domain *d)
{
	struct domain_evtchn *e = &d->evtchn;
	unsigned int tries = MAX_BUSY_PORTS;
	int busy = -1, port, rc;

	for (unsigned int w = 0; w < ARRAY_SIZE(e->has_free); w++) {
		for (uint64_t left = e->has_free[w]; left && tries; left &= left - 1) {
			port = free_port_in(d, w * 64 + lowest_bit(left), &busy, &tries);
			if (port >= 0)
				return port;
		}
	}
	rc = add_bucket(e);
	if (rc)
		return busy >= 0 ? busy : rc;
	return free_port_in(d, e->valid / PORTS_PER_BUCKET - 1, &busy, &(unsigned int){1});
}

/* Take a free port, with nothing left of an earlier use: -ENOSPC, -ENOMEM, -EINVAL if d is dying. The caller sets its state. */
static int take_port(struct domain *d)
{
	struct domain_evtchn *e = &d->evtchn;
	int port = find_free_port(d);
	struct evtchn_bucket *bucket;
	struct evtchn *chn;
	unsigned int n;

	if (unlikely(d->is_dying))
		return -EINVAL;
	if (port < 0)
		return port;
	n = port / PORTS_PER_BUCKET;
	bucket = e->bucket[n];
	bucket->free[port % PORTS_PER_BUCKET / 64] &= ~(1UL << (port % 64));
	if (!bucket->free[0] && !bucket->free[1])
		e->has_free[n / 64] &= ~(1UL << (n % 64));
	e->open++;
	chn = evtchn_of(d, port);
	WRITE_ONCE(chn->notify_vcpu, 0);
	WRITE_ONCE(chn->priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
	evtchn_clear_pending(d, chn, port);
	return port;
}

static void give_port(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	unsigned int n = port / PORTS_PER_BUCKET;

	set_state(chn, ECS_FREE);
	chn->remote = NULL;
	WRITE_ONCE(chn->notify_vcpu, 0);
	d->evtchn.bucket[n]->free[port % PORTS_PER_BUCKET / 64] |= 1UL << (port % 64);
	d->evtchn.has_free[n / 64] |= 1UL << (n % 64);
	d->evtchn.open--;
}

/* The domain that an argument names, if the caller may act for it: itself, or any if privileged. */
long evtchn_target_domain(domid_t id, struct domain **out)
{
	struct domain *d = domain_find(id);

	if (!d)
		return -ESRCH;
	if (d != current->domain && !current->domain->is_privileged)
		return -EPERM;
	*out = d;
	return 0;
}

long evtchn_alloc_unbound(struct evtchn_alloc_unbound *op)
{
	struct domain *d;
	struct evtchn *chn;
	long rc = evtchn_target_domain(op->dom, &d);
	int port;

	if (rc)
		return rc;
	spin_lock(&d->evtchn.lock);
	port = take_port(d);
	rc = port;
	if (port > 0) {
		chn = evtchn_of(d, port);
		chn->remote_domid =
		    op->remote_dom == DOMID_SELF ? current->domain->id : op->remote_dom;
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

long evtchn_bind_interdomain(struct evtchn_bind_interdomain *op)
{
	struct domain *d = current->domain, *remote = domain_find(op->remote_dom);
	struct evtchn *chn, *remote_chn;
	int port;
	long rc = -EINVAL;

	if (!remote)
		return -ESRCH;
	lock_two(d, remote);
	remote_chn = evtchn_of(remote, op->remote_port);
	if (!remote_chn || remote_chn->state != ECS_UNBOUND || remote_chn->remote_domid != d->id)
		goto out;
	port = take_port(d);
	rc = port;
	if (port < 0)
		goto out;
	chn = evtchn_of(d, port);
	chn->remote = remote;
	chn->remote_port = op->remote_port;
	remote_chn->remote = d;
	remote_chn->remote_port = port;
	set_state(chn, ECS_INTERDOMAIN);
	set_state(remote_chn, ECS_INTERDOMAIN);
	/* Events that the other side sent while nobody was bound are not lost: the new port starts
	 * pending (public/event_channel.h). */
	evtchn_set_pending(notified(d, chn), chn, port);
	op->local_port = port;
	rc = 0;
out:
	unlock_two(d, remote);
	return rc;
}

long evtchn_bind_virq(struct evtchn_bind_virq *op)
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
	port = take_port(d);
	rc = port;
	if (port < 0)
		goto out;
	chn = evtchn_of(d, port);
	chn->notify_vcpu = op->vcpu;
	chn->virq = virq;
	set_state(chn, ECS_VIRQ);
	__atomic_store_n(&v->evtchn.virq_port[virq], (evtchn_port_t)port, __ATOMIC_RELEASE);
	op->port = port;
	rc = 0;
out:
	spin_unlock(&d->evtchn.lock);
	return rc;
}

long evtchn_bind_ipi(struct evtchn_bind_ipi *op)
{
	struct domain *d = current->domain;
	struct evtchn *chn;
	int port;
	long rc;

	if (!domain_vcpu(d, op->vcpu))
		return -ENOENT;
	spin_lock(&d->evtchn.lock);
	port = take_port(d);
	rc = port;
	if (port > 0) {
		chn = evtchn_of(d, port);
		chn->notify_vcpu = op->vcpu;
		set_state(chn, ECS_IPI);
		op->port = port;
		rc = 0;
	}
	spin_unlock(&d->evtchn.lock);
	return rc;
}

long evtchn_bind_pirq(struct evtchn_bind_pirq *op)
{
	struct domain *d = current->domain;
	struct evtchn *chn;
	int port;
	long rc;

	spin_lock(&d->evtchn.lock);
	port = take_port(d);
	rc = port;
	if (port > 0) {
		chn = evtchn_of(d, port);
		chn->notify_vcpu = 0;
		chn->virq = (uint16_t)op->pirq;
		set_state(chn, ECS_PIRQ);
		/* It may come at once. */
		rc = pirq_bind(d, op->pirq, port, op->flags & BIND_PIRQ__WILL_SHARE);
		if (rc)
			give_port(d, chn, port);
		else
			op->port = port;
	}
	spin_unlock(&d->evtchn.lock);
	return rc;
}

/* Under the domain's lock, and the peer's. */
static void close_port(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	struct evtchn *peer;

	if (chn->state == ECS_VIRQ) {
		/* It may have been moved to another vCPU since it was bound. */
		for (unsigned int i = 0; i < d->max_vcpus; i++)
			if (d->vcpu[i]->evtchn.virq_port[chn->virq] == port)
				WRITE_ONCE(d->vcpu[i]->evtchn.virq_port[chn->virq], 0);
	} else if (chn->state == ECS_INTERDOMAIN) {
		/* The other end can be bound again by this domain. */
		peer = evtchn_of(chn->remote, chn->remote_port);
		set_state(peer, ECS_UNBOUND);
		peer->remote_domid = d->id;
		peer->remote = NULL;
	} else if (chn->state == ECS_PIRQ) {
		pirq_unbind(d, chn->virq);
	}
	/* What it was to tell is of no interest any more; a sender that is late makes a spurious event. */
	evtchn_clear_pending(d, chn, port);
	give_port(d, chn, port);
}

long evtchn_close(struct domain *d, evtchn_port_t port)
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
		close_port(d, chn, port);
		rc = 0;
	}
	unlock_two(d, remote);
	return rc;
}

/*
 * Close the ports of bucket n, each by itself, so that no lock is held for long. Not under the lock: others may bind
 * and close meanwhile. Was there any?
 */
static bool close_bucket(struct domain *d, unsigned int n)
{
	const struct evtchn_bucket *bucket = d->evtchn.bucket[n];
	bool any = false;

	for (unsigned int w = 0; w < ARRAY_SIZE(bucket->free); w++)
		for (uint64_t left = ~READ_ONCE(bucket->free[w]); left; left &= left - 1)
			any |= !evtchn_close(d, n * PORTS_PER_BUCKET + w * 64 + lowest_bit(left));
	return any;
}

/*
 * All ports are closed and the two-level ABI is in force, as when the domain was new. With the FIFO ABI there can be
 * many ports: in between others get their turn, and the call starts again, over buckets that are closed by then.
 */
long evtchn_reset(domid_t id, vaddr_t arg)
{
	struct domain *d;
	long rc = evtchn_target_domain(id, &d);
	bool done;

	if (rc)
		return rc;
	for (unsigned int n = 0; n < READ_ONCE(d->evtchn.valid) / PORTS_PER_BUCKET; n++) {
		/* The next start of the call gets further than this one. */
		if (close_bucket(d, n) && preempt_check())
			return hypercall_continue(__HYPERVISOR_event_channel_op, 2,
						  (unsigned long)EVTCHNOP_reset, arg);
	}
	spin_lock(&d->evtchn.lock);
	done = d->evtchn.open == 0;
	if (done && d->evtchn.fifo) {
		fifo_disable(d);
		evtchn_set_nr_buckets(&d->evtchn, TWO_LEVEL_BUCKETS);
	}
	spin_unlock(&d->evtchn.lock);
	/* The domain goes on binding. It may, but not in here for ever. */
	return done ? 0
		    : hypercall_continue(__HYPERVISOR_event_channel_op, 2,
					 (unsigned long)EVTCHNOP_reset, arg);
}

long evtchn_status(struct evtchn_status *op)
{
	struct domain *d;
	struct evtchn *chn;
	long rc = evtchn_target_domain(op->dom, &d);

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

long evtchn_bind_vcpu(const struct evtchn_bind_vcpu *op)
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

/* ---- a domain's part ---- */

int evtchn_init(struct domain *d)
{
	struct domain_evtchn *e = &d->evtchn;
	int rc;

	spin_lock_init(&e->lock);
	e->nr_buckets = TWO_LEVEL_BUCKETS;
	e->max_port = EVTCHN_FIFO_NR_CHANNELS - 1;
	e->bucket = kzalloc(TWO_LEVEL_BUCKETS * sizeof(*e->bucket));
	if (!e->bucket)
		return -ENOMEM;
	rc = add_bucket(e);
	if (rc) {
		kfree(e->bucket);
		e->bucket = NULL;
		return rc;
	}
	/* Port 0 is never handed out: it means "none". */
	evtchn_of(d, 0)->state = ECS_RESERVED;
	e->bucket[0]->free[0] &= ~1UL;
	return 0;
}

void evtchn_set_limit(struct domain *d, evtchn_port_t max_port)
{
	struct domain_evtchn *e = &d->evtchn;

	e->max_port = min(max_port, EVTCHN_FIFO_NR_CHANNELS - 1U);
	for (unsigned int port = e->max_port + 1; port < PORTS_PER_BUCKET; port++)
		e->bucket[0]->free[port / 64] &= ~(1UL << (port % 64));
}

int evtchn_close_all(struct domain *d)
{
	struct domain_evtchn *e = &d->evtchn;

	for (unsigned int n = 0; n < READ_ONCE(e->valid) / PORTS_PER_BUCKET; n++)
		if (close_bucket(d, n) && preempt_check())
			return -EINTR;
	spin_lock(&e->lock);
	if (e->fifo)
		fifo_disable(d);
	spin_unlock(&e->lock);
	return 0;
}

void evtchn_free(struct domain *d)
{
	struct domain_evtchn *e = &d->evtchn;

	for (unsigned int n = 0; n < e->valid / PORTS_PER_BUCKET; n++)
		kfree(e->bucket[n]);
	kfree(e->bucket);
	kfree(e->fifo);
}
