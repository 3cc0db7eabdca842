/* SPDX-License-Identifier: MIT */
/*
 * Event channels: ports, how they are bound, and the hypercall. How a port that is pending shows in the guest's
 * memory is the business of the ABI in force: here the two-level one, which every domain begins with, with a
 * pending bit and a mask bit for each port in the shared page, and for each vCPU a word that selects among
 * the 64 words of bits (public/xen.h, struct shared_info); in fifo.c the other.
 *
 * A port's state changes under its domain's event lock (two domains: lower domid first). Sending reads
 * it without the lock: a port that is closed and bound anew meanwhile gets a spurious event, which the
 * ABI allows. Buckets of ports are never freed while the domain lives, so that reading is safe.
 */
#include "event/event.h"
#include "event/port.h"
#include "console/console.h"
#include "cpu/uaccess.h"
#include "domain/domain.h"
#include "irq/irq.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include "sched/sched.h"
#include "lib/errno.h"
#include <public/event_channel.h>

#define TWO_LEVEL_BUCKETS (EVTCHN_2L_NR_CHANNELS / PORTS_PER_BUCKET)
/* How many free ports that are in a queue still may be passed over in the search for one that isn't. */
#define MAX_BUSY_PORTS 256

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
static __attribute__((noinline)) void wake_pollers(struct domain *d, evtchn_port_t port,
						   uint64_t polling)
{
	for (; polling; polling &= polling - 1) {
		struct vcpu *v = d->vcpu[lowest_bit(polling)];
		evtchn_port_t wanted = READ_ONCE(v->evtchn.poll_port);

		if ((wanted == 0 || wanted == port) &&
		    test_and_clear_bit(v->id, &d->evtchn.polling))
			vcpu_pause_flag_clear(v, VPF_BLOCKED);
	}
}

/* ---- the two-level ABI; a domain that left the other may still have ports that it has no bits for ---- */

static bool has_bits(evtchn_port_t port)
{
	return port < EVTCHN_2L_NR_CHANNELS;
}

/* The selector bit and the upcall for a port that is pending and not masked. */
static inline void select_port(struct vcpu *v, evtchn_port_t port)
{
	if (!test_and_set_bit(port / BITS_PER_LONG, &v->vcpu_info->evtchn_pending_sel))
		vcpu_mark_events_pending(v);
}

static void two_level_set_pending(struct vcpu *v, evtchn_port_t port)
{
	struct shared_info *s = v->domain->shared_info;

	if (!has_bits(port) || test_and_set_bit(port, s->evtchn_pending))
		return;
	if (!test_bit(port, s->evtchn_mask))
		select_port(v, port);
}

static void two_level_unmask(struct vcpu *v, evtchn_port_t port)
{
	struct shared_info *s = v->domain->shared_info;

	if (has_bits(port) && test_and_clear_bit(port, s->evtchn_mask) &&
	    test_bit(port, s->evtchn_pending))
		select_port(v, port);
}

/* ---- either ABI ---- */

/* v: whom the port notifies. */
static void set_pending(struct vcpu *v, struct evtchn *chn, evtchn_port_t port)
{
	uint64_t polling;

	if (!READ_ONCE(v->domain->evtchn.fifo) || !fifo_set_pending(v, chn, port))
		two_level_set_pending(v, port);
	/* After the port's bits: see evtchn_poll_begin(). */
	polling = __atomic_load_n(&v->domain->evtchn.polling, __ATOMIC_SEQ_CST);
	if (unlikely(polling))
		wake_pollers(v->domain, port, polling);
}

/* A port that had another use before has no event of that use pending. */
static void clear_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	if (d->evtchn.fifo)
		fifo_clear_pending(d, chn, port);
	if (has_bits(port))
		clear_bit(port, d->shared_info->evtchn_pending);
}

static bool is_pending(struct domain *d, evtchn_port_t port)
{
	event_word_t word;

	if (READ_ONCE(d->evtchn.fifo) && fifo_read_word(d, port, &word))
		return word & 1U << EVTCHN_FIFO_PENDING;
	return has_bits(port) && test_bit(port, d->shared_info->evtchn_pending);
}

static bool is_masked(struct domain *d, evtchn_port_t port)
{
	event_word_t word;

	if (READ_ONCE(d->evtchn.fifo) && fifo_read_word(d, port, &word))
		return word & 1U << EVTCHN_FIFO_MASKED;
	return has_bits(port) && test_bit(port, d->shared_info->evtchn_mask);
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq)
{
	evtchn_port_t port = READ_ONCE(v->evtchn.virq_port[virq]);

	if (port)
		set_pending(v, evtchn_of(v->domain, port), port);
}

void send_guest_global_virq(struct domain *d, unsigned int virq)
{
	struct vcpu *v = d->vcpu[0];
	evtchn_port_t port = v ? READ_ONCE(v->evtchn.virq_port[virq]) : 0;
	struct evtchn *chn;

	if (port) {
		chn = evtchn_of(d, port);
		set_pending(notified(d, chn), chn, port);
	}
}

struct vcpu *send_guest_pirq(struct domain *d, evtchn_port_t port)
{
	struct evtchn *chn = evtchn_of(d, port);
	struct vcpu *v = notified(d, chn);

	set_pending(v, chn, port);
	return v;
}

struct vcpu *evtchn_vcpu(struct domain *d, evtchn_port_t port)
{
	return notified(d, evtchn_of(d, port));
}

long evtchn_send(struct domain *d, evtchn_port_t port)
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
		/* Read while the port was closed and bound anew they may not belong together: never a port of
		 * another one that isn't bound to us. */
		if (likely(remote_chn && READ_ONCE(remote_chn->remote) == d))
			set_pending(notified(remote, remote_chn), remote_chn, port);
		return 0;
	case ECS_IPI:
		set_pending(notified(d, chn), chn, port);
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
		if (is_pending(d, ports[i])) {
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

/* The port's state becomes s, last: what the state says must be there before. */
static void set_state(struct evtchn *chn, enum evtchn_state s)
{
	__atomic_store_n(&chn->state, s, __ATOMIC_RELEASE);
}

/* Ports of the first nr buckets are handed out from now on; those of others are all free. */
static void set_nr_buckets(struct domain_evtchn *e, unsigned int nr)
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
	clear_pending(d, chn, port);
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
static long target_domain(domid_t id, struct domain **out)
{
	struct domain *d = domain_find(id);

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

static long bind_interdomain(struct evtchn_bind_interdomain *op)
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
	set_pending(notified(d, chn), chn, port);
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

static long bind_ipi(struct evtchn_bind_ipi *op)
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

static long bind_pirq(struct evtchn_bind_pirq *op)
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
	clear_pending(d, chn, port);
	give_port(d, chn, port);
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
static long evtchn_reset(domid_t id, vaddr_t arg)
{
	struct domain *d;
	long rc = target_domain(id, &d);
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
		set_nr_buckets(&d->evtchn, TWO_LEVEL_BUCKETS);
	}
	spin_unlock(&d->evtchn.lock);
	/* The domain goes on binding. It may, but not in here for ever. */
	return done ? 0
		    : hypercall_continue(__HYPERVISOR_event_channel_op, 2,
					 (unsigned long)EVTCHNOP_reset, arg);
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
	if (!READ_ONCE(d->evtchn.fifo) || !fifo_unmask(notified(d, chn), chn, port))
		two_level_unmask(notified(d, chn), port);
	return 0;
}

bool evtchn_port_is_masked(struct domain *d, evtchn_port_t port)
{
	return evtchn_of(d, port) && is_masked(d, port);
}

/* ---- the FIFO ABI's own operations ---- */

static void nothing(void *arg)
{
}

/* Buckets for as many ports as the FIFO ABI has. */
static int grow_table(struct domain_evtchn *e)
{
	struct evtchn_bucket **larger, **old = e->bucket;

	larger = kzalloc(MAX_EVTCHN_BUCKETS * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	memcpy(larger, old, TWO_LEVEL_BUCKETS * sizeof(*larger));
	__atomic_store_n(&e->bucket, larger, __ATOMIC_RELEASE);
	/* Whoever reads the old one has done so when each CPU has answered: it waits for nothing in between. */
	smp_call(cpu_online_mask, nothing, NULL);
	kfree(old);
	return 0;
}

/* The domain's first control block: from now on it has the FIFO ABI. Under the lock. */
static int enable_fifo(struct domain *d)
{
	struct domain_evtchn *e = &d->evtchn;
	int rc = 0;

	if (!e->fifo) {
		rc = grow_table(e);
		if (!rc)
			rc = fifo_create(d);
		if (rc)
			return rc;
	}
	fifo_enable(d);
	set_nr_buckets(e, MAX_EVTCHN_BUCKETS);
	/* A sender that saw the two-level ABI in force has set its bit after this: */
	smp_call(cpu_online_mask, nothing, NULL);
	for (evtchn_port_t port = 1; port < min(e->valid, (unsigned int)EVTCHN_2L_NR_CHANNELS);
	     port++) {
		struct evtchn *chn = evtchn_of(d, port);

		WRITE_ONCE(chn->priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
		if (test_and_clear_bit(port, d->shared_info->evtchn_pending) &&
		    chn->state != ECS_FREE)
			set_pending(notified(d, chn), chn, port);
	}
	return 0;
}

static long init_control(struct evtchn_init_control *op)
{
	struct domain *d = current->domain;
	struct vcpu *v = domain_vcpu(d, op->vcpu);
	long rc = 0;

	op->link_bits = EVTCHN_FIFO_LINK_BITS;
	if (!v)
		return -ENOENT;
	if (op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) ||
	    !IS_ALIGNED(op->offset, sizeof(uint64_t)))
		return -EINVAL;
	if (get_frame_and_type(op->control_gfn, d, PT_WRITABLE))
		return -EINVAL;
	spin_lock(&d->evtchn.lock);
	if (!d->evtchn.fifo || !d->evtchn.fifo->enabled)
		rc = enable_fifo(d);
	if (!rc)
		rc = fifo_set_block(v, op->control_gfn, op->offset);
	spin_unlock(&d->evtchn.lock);
	if (rc)
		put_frame_and_type(op->control_gfn);
	return rc;
}

static long expand_array(const struct evtchn_expand_array *op)
{
	struct domain *d = current->domain;
	struct evtchn *chn;
	unsigned int first;
	long rc = -EOPNOTSUPP;

	if (get_frame_and_type(op->array_gfn, d, PT_WRITABLE))
		return d->evtchn.fifo && d->evtchn.fifo->enabled ? -EINVAL : -EOPNOTSUPP;
	spin_lock(&d->evtchn.lock);
	if (d->evtchn.fifo && d->evtchn.fifo->enabled)
		rc = fifo_add_page(d, op->array_gfn, &first);
	/* Events that came before their port had a word. */
	for (evtchn_port_t i = 0; !rc && i < WORDS_PER_EVENT_PAGE; i++) {
		chn = evtchn_of(d, first + i);
		if (chn && __atomic_exchange_n(&chn->early, false, __ATOMIC_SEQ_CST))
			set_pending(notified(d, chn), chn, first + i);
	}
	spin_unlock(&d->evtchn.lock);
	if (rc)
		put_frame_and_type(op->array_gfn);
	return rc;
}

static long set_priority(const struct evtchn_set_priority *op)
{
	struct domain *d = current->domain;
	struct evtchn *chn;
	long rc = -ENOSYS;

	spin_lock(&d->evtchn.lock);
	chn = evtchn_of(d, op->port);
	if (!chn)
		rc = -EINVAL;
	else if (chn->state == ECS_FREE || chn->state == ECS_RESERVED)
		rc = -EACCES;
	else if (d->evtchn.fifo && d->evtchn.fifo->enabled)
		rc = op->priority > EVTCHN_FIFO_PRIORITY_MIN ? -EINVAL : 0;
	if (!rc) /* From its next event on. */
		WRITE_ONCE(chn->priority, op->priority);
	spin_unlock(&d->evtchn.lock);
	return rc;
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
	struct evtchn_init_control init_control;
	struct evtchn_expand_array expand_array;
	struct evtchn_set_priority set_priority;
};

/* Size of each operation's argument; 0: not here. */
static size_t arg_size(unsigned int cmd, bool *out)
{
	*out = cmd == EVTCHNOP_alloc_unbound || cmd == EVTCHNOP_bind_interdomain ||
	       cmd == EVTCHNOP_bind_virq || cmd == EVTCHNOP_bind_pirq || cmd == EVTCHNOP_bind_ipi ||
	       cmd == EVTCHNOP_status || cmd == EVTCHNOP_init_control;
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
	case EVTCHNOP_init_control:
		return sizeof(struct evtchn_init_control);
	case EVTCHNOP_expand_array:
		return sizeof(struct evtchn_expand_array);
	case EVTCHNOP_set_priority:
		return sizeof(struct evtchn_set_priority);
	default:
		return 0;
	}
}

static long perform(unsigned int cmd, union evtchn_arg *a, vaddr_t arg)
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
	case EVTCHNOP_init_control:
		return init_control(&a->init_control);
	case EVTCHNOP_expand_array:
		return expand_array(&a->expand_array);
	case EVTCHNOP_set_priority:
		return set_priority(&a->set_priority);
	default:
		return evtchn_reset(a->reset.dom, arg);
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

/* All but send: apart from it, for what they save on the stack. */
static __attribute__((noinline)) long other_op(unsigned int cmd, vaddr_t arg)
{
	union evtchn_arg a;
	static unsigned long told;
	bool out;
	size_t size;
	long rc;

	size = arg_size(cmd, &out);
	if (!size) {
		if (!test_and_set_bit(cmd & 63, &told))
			guest_log("event_channel_op %u is not implemented\n", cmd);
		return -ENOSYS;
	}
	if (copy_from_guest(&a, arg, size))
		return -EFAULT;
	rc = perform(cmd, &a, arg);
	if (!rc && out && copy_to_guest(arg, &a, size)) {
		undo(cmd, &a);
		rc = -EFAULT;
	}
	return rc;
}

long do_event_channel_op(unsigned int cmd, vaddr_t arg)
{
	evtchn_port_t port;
	int error = 0;

	if (unlikely(cmd != EVTCHNOP_send))
		return other_op(cmd, arg);
	if (unlikely(!guest_block_ok(arg)))
		return -EFAULT;
	guest_access_begin();
	GET_GUEST_WORD(port, arg + offsetof(struct evtchn_send, port), error);
	guest_access_end();
	if (unlikely(error))
		return -EFAULT;
	return evtchn_send(current->domain, port);
}

/* ---- a domain's and a vCPU's part ---- */

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
	__atomic_store_n(&to->evtchn_pending_sel, ~0UL, __ATOMIC_SEQ_CST); /* two-level */
	vcpu_mark_events_pending(v);
	return 0;
}

void unmap_vcpu_info(struct vcpu *v)
{
	mfn_t mfn = v->vcpu_info_mfn;

	v->vcpu_info = &dummy_vcpu_info;
	if (mfn == INVALID_MFN)
		return;
	v->vcpu_info_mfn = INVALID_MFN;
	put_frame_and_type(mfn);
}

void evtchn_dump(struct domain *d)
{
	static const char *const names[] = {"free", "reserved", "unbound", "interdomain",
					    "virq", "ipi",	"pirq"};

	if (d->is_dying) /* nothing is bound, and there may be no shared page */
		return;
	if (d->evtchn.fifo && d->evtchn.fifo->enabled)
		printk(LOG_ERR "  FIFO, %u event words\n", d->evtchn.fifo->nr_words);
	for (evtchn_port_t port = 1; port < d->evtchn.valid; port++) {
		const struct evtchn *chn = evtchn_of(d, port);

		if (chn->state != ECS_FREE && chn->state < ARRAY_SIZE(names))
			printk(LOG_ERR "  port %u: %s, vCPU %u, %s%s\n", port, names[chn->state],
			       chn->notify_vcpu, is_pending(d, port) ? "pending" : "idle",
			       is_masked(d, port) ? ", masked" : "");
	}
}
