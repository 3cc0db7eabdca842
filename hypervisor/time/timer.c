/* SPDX-License-Identifier: MIT */
/*
 * Timers: a leftist heap a CPU. Its invariants, below its lock: a node expires no later than its
 * children; rank(left) >= rank(right), where the rank is the number of nodes down the right spine;
 * parent pointers lead back. So merging, and with it everything else, is O(log n), and any timer can
 * be taken out in place.
 *
 * The CPU's hardware timer fires no later than the root expires; it may fire for a timer that has
 * been stopped or moved since, which is cheaper than programming it each time.
 */
#include "time/timer.h"
#include "time/clock.h"
#include "time/time.h"
#include "cpu/cpu.h"
#include "console/console.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "lib/spinlock.h"

#define NEVER INT64_MAX

struct timer_queue {
	spinlock_t lock;
	struct timer *root;
	stime_t programmed; /* when the hardware timer fires */
	unsigned int count;
};
static DEFINE_PER_CPU(struct timer_queue, timer_queue) = {.programmed = NEVER};

static int rank(const struct timer *t)
{
	return t ? t->rank : 0;
}

/* Restore the rank order of t's children; returns t's rank. */
static int settle(struct timer *t)
{
	if (rank(t->left) < rank(t->right)) {
		struct timer *left = t->left;

		t->left = t->right;
		t->right = left;
	}
	return rank(t->right) + 1;
}

/* One heap of two; the depth is bounded by the length of their right spines. Parents stay for the caller. */
static struct timer *merge(struct timer *a, struct timer *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (b->expires < a->expires) {
		struct timer *first = b;

		b = a;
		a = first;
	}
	a->right = merge(a->right, b);
	a->right->parent = a;
	a->rank = settle(a);
	return a;
}

static void heap_insert(struct timer_queue *q, struct timer *t)
{
	t->left = t->right = t->parent = NULL;
	t->rank = 1;
	q->root = merge(q->root, t);
	q->root->parent = NULL;
	q->count++;
}

static void heap_remove(struct timer_queue *q, struct timer *t)
{
	struct timer *parent = t->parent, *sub = merge(t->left, t->right);

	q->count--;
	if (sub)
		sub->parent = parent;
	if (!parent)
		q->root = sub;
	else if (parent->left == t)
		parent->left = sub;
	else
		parent->right = sub;
	/* A shorter subtree can lower the ranks above it; stop where nothing changes. */
	for (; parent; parent = parent->parent) {
		int old = parent->rank;

		parent->rank = settle(parent);
		if (parent->rank == old)
			break;
	}
}

/* The root is due at a time before what the hardware knows: program it, here or by asking its CPU. */
static void queue_program(struct timer_queue *q, unsigned int cpu)
{
	if (!q->root || q->root->expires >= q->programmed)
		return;
	if (cpu != smp_processor_id()) {
		softirq_raise_on(cpu, SOFTIRQ_TIMER);
		return;
	}
	q->programmed = q->root->expires;
	apic_timer_set_tsc(stime_to_tsc(q->programmed));
}

/* The queue that holds t, locked: t may move until the lock is held. */
static struct timer_queue *lock_queue(struct timer *t)
{
	for (;;) {
		unsigned int cpu = READ_ONCE(t->cpu);
		struct timer_queue *q = &per_cpu(timer_queue, cpu);

		spin_lock(&q->lock);
		if (likely(cpu == READ_ONCE(t->cpu)))
			return q;
		spin_unlock(&q->lock);
	}
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
	*t = (struct timer){.fn = fn, .data = data, .cpu = cpu};
}

void timer_set(struct timer *t, stime_t expires)
{
	struct timer_queue *q = lock_queue(t);

	if (t->active)
		heap_remove(q, t);
	t->expires = expires;
	t->active = true;
	heap_insert(q, t);
	if (q->root == t)
		queue_program(q, t->cpu);
	spin_unlock(&q->lock);
}

void timer_stop(struct timer *t)
{
	struct timer_queue *q = lock_queue(t);

	if (t->active) {
		heap_remove(q, t);
		t->active = false;
	}
	spin_unlock(&q->lock);
}

void timer_migrate(struct timer *t, unsigned int cpu)
{
	struct timer_queue *to = &per_cpu(timer_queue, cpu), *from;
	unsigned int old;

	/* Both locks, the lower CPU's first: t is in one of the two heaps for everyone else. */
	for (;;) {
		old = READ_ONCE(t->cpu);
		if (old == cpu)
			return;
		from = &per_cpu(timer_queue, old);
		spin_lock(old < cpu ? &from->lock : &to->lock);
		spin_lock(old < cpu ? &to->lock : &from->lock);
		if (t->cpu == old)
			break;
		spin_unlock(&to->lock);
		spin_unlock(&from->lock);
	}
	if (t->active)
		heap_remove(from, t);
	WRITE_ONCE(t->cpu, cpu);
	if (t->active) {
		heap_insert(to, t);
		if (to->root == t)
			queue_program(to, cpu);
	}
	spin_unlock(&to->lock);
	spin_unlock(&from->lock);
}

/* Expire what is due on this CPU, then set the hardware for the next. */
void timer_softirq(void)
{
	struct timer_queue *q = &this_cpu(timer_queue);
	stime_t t;

	spin_lock(&q->lock);
	q->programmed = NEVER;
	t = now();
	while (q->root && q->root->expires <= t) {
		struct timer *due = q->root;
		void (*fn)(void *) = due->fn;
		void *data = due->data;

		heap_remove(q, due);
		due->active = false;
		spin_unlock(&q->lock);
		fn(data);
		spin_lock(&q->lock);
	}
	queue_program(q, smp_processor_id());
	spin_unlock(&q->lock);
}

void timer_init_cpu(void)
{
	this_cpu(timer_queue) = (struct timer_queue){.programmed = NEVER};
}

void timer_show(char key)
{
	stime_t t = now();
	unsigned int cpu;

	for_each_cpu(cpu, cpu_online_mask)
	{
		struct timer_queue *q = &per_cpu(timer_queue, cpu);
		stime_t next;
		unsigned int n;

		spin_lock(&q->lock);
		n = q->count;
		next = q->root ? q->root->expires - t : 0;
		spin_unlock(&q->lock);
		printk(LOG_ERR "CPU %u: %u timers", cpu, n);
		if (n)
			printk(LOG_ERR ", the next in %ld us", next / 1000);
		printk(LOG_ERR "\n");
	}
}
