/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI of event channels (public/event_channel.h): a word of the guest's memory for each port, and for each
 * vCPU 16 queues, in order of priority, of ports that are linked through their words. The guest takes ports out
 * at the head at any time, without a lock; here they are appended.
 *
 * The guest's words are written to, never believed: where a queue ends is kept here (tail), so that no port number
 * and no link is read from its memory, and whatever it writes there confuses its own queues alone. Nothing here
 * loops on what the guest could change: words change by single atomic operations.
 *
 * A link is appended by or-ing the new port into the tail's empty link field. The old value of that same operation
 * tells whether the tail was LINKED, that is, whether the guest has yet to come to it and will see the link.
 * If not, the queue was empty, and the field, which nobody reads in a word that is not LINKED, is cleared again.
 * BUSY is thus never needed.
 *
 * Locks: the queues of a vCPU have one. With any of them held, and enabled seen true under it, the guest's pages
 * stay: fifo_disable() goes through all locks before it lets them go. A port's last_vcpu and last_priority
 * name the only queue whose tail it can be; they change under move_lock and the locks of both queues' vCPUs if
 * last_vcpu changes, else under that vCPU's lock. Two vCPUs' locks: lower number first. All are leaves.
 */
#include "event/port.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "mm/mm.h"

#define PENDING	  (1U << EVTCHN_FIFO_PENDING)
#define MASKED	  (1U << EVTCHN_FIFO_MASKED)
#define LINKED	  (1U << EVTCHN_FIFO_LINKED)
#define LINK_MASK EVTCHN_FIFO_LINK_MASK

static event_word_t word_or(event_word_t *word, event_word_t bits)
{
	return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static event_word_t word_clear(event_word_t *word, event_word_t bits)
{
	return __atomic_fetch_and(word, ~bits, __ATOMIC_SEQ_CST);
}

/* The port's word, or NULL if the array does not reach to it. A queue's lock is held. */
static event_word_t *word_of(const struct evtchn_fifo *f, evtchn_port_t port)
{
	unsigned int nr = __atomic_load_n(&f->nr_words, __ATOMIC_SEQ_CST);

	if (unlikely(port >= nr))
		return NULL;
	port = clamp_index(port, nr);
	return &f->page[port / WORDS_PER_EVENT_PAGE][port % WORDS_PER_EVENT_PAGE];
}

/* ---- making a port pending ---- */

/*
 * Put a port into the queue of its priority of vCPU number `to`, unless it is in one already. True: the vCPU must be
 * told. The locks of `to` and of the port's last vCPU are held.
 */
static bool link_port(struct evtchn_fifo *f, unsigned int to, struct evtchn *chn,
		      evtchn_port_t port, event_word_t *word)
{
	struct fifo_queues *q = &f->queues[to], *last = &f->queues[chn->last_vcpu];
	unsigned int priority = READ_ONCE(chn->priority);
	event_word_t old = word_or(word, LINKED), *tail_word;
	evtchn_port_t tail;

	if (old & LINKED)
		return false;
	if (old & LINK_MASK) /* it is the end of its queue, whatever the guest left there */
		word_clear(word, LINK_MASK);
	if (last->tail[chn->last_priority] == port)
		last->tail[chn->last_priority] = 0;
	chn->last_vcpu = to;
	chn->last_priority = priority;
	tail = q->tail[priority];
	q->tail[priority] = port;

	tail_word = tail ? word_of(f, tail) : NULL;
	if (tail_word) {
		if (word_or(tail_word, port) & LINKED)
			return false; /* behind others, which the vCPU was told of */
		word_clear(tail_word, LINK_MASK);
	}
	__atomic_store_n(&q->block->head[priority], port, __ATOMIC_RELEASE);
	return !(__atomic_fetch_or(&q->block->ready, 1U << priority, __ATOMIC_SEQ_CST) &
		 1U << priority);
}

/* The same for a port that was last in a queue of another vCPU; no lock is held. */
static bool move_port(struct evtchn_fifo *f, unsigned int to, struct evtchn *chn,
		      evtchn_port_t port)
{
	struct fifo_queues *first, *second;
	event_word_t *word;
	bool tell = false;
	unsigned int from;

	spin_lock(&f->move_lock);
	from = chn->last_vcpu;
	first = &f->queues[min(from, to)];
	second = &f->queues[max(from, to)];
	spin_lock(&first->lock);
	if (first != second)
		spin_lock(&second->lock);
	if (f->enabled) {
		word = word_of(f, port);
		if (word)
			tell = link_port(f, to, chn, port, word);
	}
	if (first != second)
		spin_unlock(&second->lock);
	spin_unlock(&first->lock);
	spin_unlock(&f->move_lock);
	return tell;
}

/*
 * An event for a port whose word the guest has not provided. The flag is set before the array's size is looked at
 * again, and expand_array looks at the flag after it has changed the size: one of the two goes on with it.
 * Returns the word if it is there now.
 */
static event_word_t *set_early(const struct evtchn_fifo *f, struct evtchn *chn, evtchn_port_t port)
{
	event_word_t *word;

	__atomic_store_n(&chn->early, true, __ATOMIC_SEQ_CST);
	word = word_of(f, port);
	return word && __atomic_exchange_n(&chn->early, false, __ATOMIC_SEQ_CST) ? word : NULL;
}

/*
 * Change the port's word and link it if it is PENDING and neither MASKED nor LINKED then. False: the two-level ABI is
 * in force.
 */
static inline bool update(struct vcpu *v, struct evtchn *chn, evtchn_port_t port, bool unmask)
{
	struct evtchn_fifo *f = v->domain->evtchn.fifo;
	struct fifo_queues *q = &f->queues[v->id];
	bool tell = false, move = false;
	event_word_t *word, now = 0;

	spin_lock(&q->lock);
	if (unlikely(!f->enabled)) {
		spin_unlock(&q->lock);
		return false;
	}
	word = word_of(f, port);
	if (unlikely(!word) && !unmask)
		word = set_early(f, chn, port);
	if (likely(word))
		now =
		    unmask ? word_clear(word, MASKED) & ~MASKED : word_or(word, PENDING) | PENDING;
	if ((now & (PENDING | MASKED | LINKED)) == PENDING) {
		move = chn->last_vcpu != v->id;
		if (!move)
			tell = link_port(f, v->id, chn, port, word);
	}
	spin_unlock(&q->lock);
	if (unlikely(move))
		tell = move_port(f, v->id, chn, port);
	if (tell)
		vcpu_mark_events_pending(v);
	return true;
}

bool fifo_set_pending(struct vcpu *v, struct evtchn *chn, evtchn_port_t port)
{
	return update(v, chn, port, false);
}

bool fifo_unmask(struct vcpu *v, struct evtchn *chn, evtchn_port_t port)
{
	return update(v, chn, port, true);
}

/* ---- a port's word; any queue's lock will do ---- */

bool fifo_read_word(struct domain *d, evtchn_port_t port, event_word_t *word)
{
	struct evtchn_fifo *f = d->evtchn.fifo;
	const struct evtchn *chn = evtchn_of(d, port);
	const event_word_t *p;
	bool enabled;

	spin_lock(&f->queues[0].lock);
	enabled = f->enabled;
	if (enabled) {
		p = word_of(f, port);
		*word = p ? READ_ONCE(*p) : chn && READ_ONCE(chn->early) ? PENDING : 0;
	}
	spin_unlock(&f->queues[0].lock);
	return enabled;
}

void fifo_clear_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	struct evtchn_fifo *f = d->evtchn.fifo;
	event_word_t *word;

	spin_lock(&f->queues[0].lock);
	__atomic_store_n(&chn->early, false, __ATOMIC_SEQ_CST);
	word = f->enabled ? word_of(f, port) : NULL;
	if (word)
		word_clear(word, PENDING);
	spin_unlock(&f->queues[0].lock);
}

/* ---- set-up: under the event lock ---- */

int fifo_create(struct domain *d)
{
	struct evtchn_fifo *f = kzalloc(sizeof(*f) + d->max_vcpus * sizeof(f->queues[0]));

	if (!f)
		return -ENOMEM;
	for (unsigned int i = 0; i < d->max_vcpus; i++) {
		f->queues[i].block = &f->queues[i].early;
		f->queues[i].block_mfn = INVALID_MFN;
	}
	__atomic_store_n(&d->evtchn.fifo, f, __ATOMIC_RELEASE);
	return 0;
}

void fifo_enable(struct domain *d)
{
	__atomic_store_n(&d->evtchn.fifo->enabled, true, __ATOMIC_SEQ_CST);
}

void fifo_disable(struct domain *d)
{
	struct evtchn_fifo *f = d->evtchn.fifo;
	unsigned int pages = f->nr_words / WORDS_PER_EVENT_PAGE;

	__atomic_store_n(&f->enabled, false, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < d->max_vcpus; i++) {
		struct fifo_queues *q = &f->queues[i];
		mfn_t mfn;

		/* Once the lock was held here, nobody who saw the ABI enabled under it is still at work. */
		spin_lock(&q->lock);
		mfn = q->block_mfn;
		q->block = &q->early;
		q->block_mfn = INVALID_MFN;
		memset(&q->early, 0, sizeof(q->early));
		memset(q->tail, 0, sizeof(q->tail));
		spin_unlock(&q->lock);
		if (mfn != INVALID_MFN)
			put_frame_and_type(mfn);
	}
	WRITE_ONCE(f->nr_words, 0);
	for (unsigned int i = 0; i < pages; i++)
		put_frame_and_type(virt_to_mfn(f->page[i]));
}

int fifo_set_block(struct vcpu *v, mfn_t mfn, unsigned int offset)
{
	struct fifo_queues *q = &v->domain->evtchn.fifo->queues[v->id];
	struct evtchn_fifo_control_block *block =
	    (struct evtchn_fifo_control_block *)((char *)mfn_to_virt(mfn) + offset);
	uint32_t ready;

	if (q->block_mfn != INVALID_MFN)
		return -EINVAL;
	spin_lock(&q->lock);
	/* Ports that were linked before the guest could look. Its page is not touched beyond that. */
	ready = q->early.ready;
	for (uint32_t left = ready; left; left &= left - 1)
		WRITE_ONCE(block->head[lowest_bit(left)], q->early.head[lowest_bit(left)]);
	if (ready)
		__atomic_fetch_or(&block->ready, ready, __ATOMIC_SEQ_CST);
	q->block = block;
	q->block_mfn = mfn;
	spin_unlock(&q->lock);
	if (ready)
		vcpu_mark_events_pending(v);
	return 0;
}

int fifo_add_page(struct domain *d, mfn_t mfn, unsigned int *first)
{
	struct evtchn_fifo *f = d->evtchn.fifo;

	*first = f->nr_words;
	if (*first == EVTCHN_FIFO_NR_CHANNELS)
		return -ENOSPC;
	f->page[*first / WORDS_PER_EVENT_PAGE] = mfn_to_virt(mfn);
	/* Readers under a queue's lock alone see the page before they see that it is there. */
	__atomic_store_n(&f->nr_words, *first + WORDS_PER_EVENT_PAGE, __ATOMIC_SEQ_CST);
	return 0;
}
