/* SPDX-License-Identifier: MIT */
/*
 * Event channels: sending, and the hypercall. bind.c binds and closes ports. How a port that is pending shows in the guest's
 * memory is the business of the ABI in force: here the two-level one, which every domain begins with, with a
 * pending bit and a mask bit for each port in the shared page, and for each vCPU a word that selects among
 * the 64 words of bits (public/xen.h, struct shared_info); in fifo.c the other.
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
void evtchn_set_pending(struct vcpu *v, struct evtchn *chn, evtchn_port_t port)
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
void evtchn_clear_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port)
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
		evtchn_set_pending(v, evtchn_of(v->domain, port), port);
}

void send_guest_global_virq(struct domain *d, unsigned int virq)
{
	struct vcpu *v = d->vcpu[0];
	evtchn_port_t port = v ? READ_ONCE(v->evtchn.virq_port[virq]) : 0;
	struct evtchn *chn;

	if (port) {
		chn = evtchn_of(d, port);
		evtchn_set_pending(notified(d, chn), chn, port);
	}
}

struct vcpu *send_guest_pirq(struct domain *d, evtchn_port_t port)
{
	struct evtchn *chn = evtchn_of(d, port);
	struct vcpu *v = notified(d, chn);

	evtchn_set_pending(v, chn, port);
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
		if (unlikely(!remote_chn || READ_ONCE(remote_chn->remote) != d))
			return 0;
		sched_wake_patiently(remote != d);
		evtchn_set_pending(notified(remote, remote_chn), remote_chn, port);
		sched_wake_patiently(false);
		return 0;
	case ECS_IPI:
		evtchn_set_pending(notified(d, chn), chn, port);
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
	/* Before the bits are read: see evtchn_set_pending(). */
	if (nr)
		set_bit(v->id, &d->evtchn.polling);
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
	evtchn_set_nr_buckets(e, MAX_EVTCHN_BUCKETS);
	/* A sender that saw the two-level ABI in force has set its bit after this: */
	smp_call(cpu_online_mask, nothing, NULL);
	for (evtchn_port_t port = 1; port < min(e->valid, (unsigned int)EVTCHN_2L_NR_CHANNELS);
	     port++) {
		struct evtchn *chn = evtchn_of(d, port);

		WRITE_ONCE(chn->priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
		if (test_and_clear_bit(port, d->shared_info->evtchn_pending) &&
		    chn->state != ECS_FREE)
			evtchn_set_pending(notified(d, chn), chn, port);
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
			evtchn_set_pending(notified(d, chn), chn, first + i);
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
		return evtchn_alloc_unbound(&a->alloc_unbound);
	case EVTCHNOP_bind_interdomain:
		return evtchn_bind_interdomain(&a->bind_interdomain);
	case EVTCHNOP_bind_pirq:
		return evtchn_bind_pirq(&a->bind_pirq);
	case EVTCHNOP_bind_virq:
		return evtchn_bind_virq(&a->bind_virq);
	case EVTCHNOP_bind_ipi:
		return evtchn_bind_ipi(&a->bind_ipi);
	case EVTCHNOP_close:
		return evtchn_close(d, a->close.port);
	case EVTCHNOP_status:
		return evtchn_status(&a->status);
	case EVTCHNOP_bind_vcpu:
		return evtchn_bind_vcpu(&a->bind_vcpu);
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
		if (!evtchn_target_domain(a->alloc_unbound.dom, &d))
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

/* ---- a vCPU's part ---- */

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
