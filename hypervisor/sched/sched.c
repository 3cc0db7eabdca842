/* SPDX-License-Identifier: MIT */
/*
 * Each CPU has a queue of the vCPUs that could run there, ordered by virtual runtime: how much CPU time
 * each has had. The one that has had least runs next, for a slice; one that wakes is not owed the time
 * it slept, beyond a small credit, so that a sleeper gets the CPU soon and cannot keep it. Before its slice is over
 * the running one goes only if it blocks, or if one that waits has had clearly less (ADVANTAGE): two that have
 * had about the same do not pass the CPU to and fro.
 *
 * One that tells another domain of something (sched_wake_patiently()) has often more to tell: what it wakes on its own CPU,
 * where one of the two has to wait anyway, waits until it blocks, or for ADVANTAGE at most. So a guest that sends packets
 * and a back half that takes them pass many at a switch, and who waits for an answer blocks and has lost nothing.
 *
 * Invariants, under the queue's lock:
 * - a vCPU is in the queue of sched.cpu exactly when it may run (no pause flag), does not run, and is no idle vCPU;
 * - sched.running means that its registers are, or may still be, those of CPU sched.cpu; nobody else may
 *   run it before that CPU has saved them, and that CPU looks again at its pause flags afterwards,
 *   so that a wake-up in between is not lost;
 * - sched.cpu changes only while the vCPU neither runs nor is queued, with the old CPU's lock held, or when it is
 *   taken from one queue with both locks held (lower CPU number first).
 */
#include "sched/internal.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "time/time.h"

#define SLICE  10000000 /* ns that a vCPU runs at most while others wait */
#define CREDIT 5000000	/* ns by which one that wakes may be behind the others */
#define ADVANTAGE \
	500000 /* ns by which one that waits must be behind the running one to replace it at once */

struct run_queue {
	spinlock_t lock;
	struct list queue;
	unsigned int length;
	struct vcpu *running;
	uint64_t min_vruntime; /* least of those that run or wait here; never goes back */
	struct timer slice;
	stime_t slice_end; /* of the running one; 0: nobody waited when the CPU last looked */
	bool over; /* the slice is, or the running one yields; this CPU's alone, without the lock */
	stime_t idle_since, idle_time; /* since: while the running one is the idle vCPU */
};

DEFINE_PER_CPU(struct run_queue, rq); /* not static: the host's test places its copies */
/* CPUs that run their idle vCPU. Read without a lock as a hint: a wrong one costs a wake-up of a busy CPU. */
static cpumask_t idle_cpus;

static bool runnable(const struct vcpu *v)
{
	return READ_ONCE(v->pause_flags) == 0;
}

static bool allowed_on(const struct vcpu *v, unsigned int cpu)
{
	return v->sched.affinity >> cpu & 1;
}

/* Lock the queue that owns v. */
static struct run_queue *lock_queue_of(struct vcpu *v)
{
	for (;;) {
		unsigned int cpu = READ_ONCE(v->sched.cpu);
		struct run_queue *q = &per_cpu(rq, cpu);

		spin_lock(&q->lock);
		if (likely(v->sched.cpu == cpu))
			return q;
		spin_unlock(&q->lock);
	}
}

static enum runstate stopped_state(const struct vcpu *v)
{
	unsigned long flags = READ_ONCE(v->pause_flags) & ~(1UL << VPF_CAPPED);

	if (!flags)
		return VCPU_RUNNABLE;
	return flags == 1UL << VPF_BLOCKED ? VCPU_BLOCKED : VCPU_OFFLINE;
}

/* ---- the queue: under its lock ---- */

static void enqueue(struct run_queue *q, struct vcpu *v)
{
	struct list *pos = q->queue.prev;

	ASSERT(spin_is_locked(&q->lock) && !v->is_idle && list_empty(&v->sched.queue));
	/* From the end: most go to the back. */
	while (pos != &q->queue &&
	       list_entry(pos, struct vcpu, sched.queue)->sched.vruntime > v->sched.vruntime)
		pos = pos->prev;
	list_add(pos, &v->sched.queue);
	q->length++;
}

static void dequeue(struct run_queue *q, struct vcpu *v)
{
	ASSERT(spin_is_locked(&q->lock) && q->length);
	list_del(&v->sched.queue);
	q->length--;
}

static struct vcpu *first(struct run_queue *q)
{
	return list_empty(&q->queue) ? NULL : list_entry(q->queue.next, struct vcpu, sched.queue);
}

/* Time as it counts for v. */
static uint64_t weighted(const struct vcpu *v, uint64_t ns)
{
	unsigned int weight = READ_ONCE(v->domain->sched_weight);

	return likely(weight == SCHED_WEIGHT_DEFAULT) ? ns : ns * SCHED_WEIGHT_DEFAULT / weight;
}

/* Charge the running vCPU for the time since it was last charged. */
static void charge(struct run_queue *q, stime_t t)
{
	struct vcpu *v = q->running, *next = first(q);
	uint64_t least;

	if (v->is_idle)
		return;
	if (t > v->sched.started) { /* clocks of two CPUs may differ a little */
		v->sched.vruntime += weighted(v, (uint64_t)(t - v->sched.started));
		if (unlikely(v->domain->cap.percent))
			cap_charge(v->domain, (uint64_t)(t - v->sched.started), t);
		v->sched.started = t;
	}
	least = next ? min(next->sched.vruntime, v->sched.vruntime) : v->sched.vruntime;
	q->min_vruntime = max(q->min_vruntime, least);
}

/* v joins q: whatever it had before, it is not further behind than the credit. */
static void place(struct run_queue *q, struct vcpu *v)
{
	uint64_t least = q->min_vruntime > CREDIT ? q->min_vruntime - CREDIT : 0;

	v->sched.vruntime = max(v->sched.vruntime, least);
}

static bool is_behind(const struct run_queue *q, const struct vcpu *v)
{
	return v->sched.vruntime + ADVANTAGE < q->running->sched.vruntime;
}

/* Should the CPU look at its queue at once? Else it does when the slice ends; the first that waits
 * makes it look too, so that a slice begins to be counted. */
static bool should_look(const struct run_queue *q, const struct vcpu *v)
{
	return q->running->is_idle || !q->slice_end || is_behind(q, v);
}

/* Instead of at once: on this CPU, whose running vCPU goes on. A cap may have armed the timer for an earlier time. */
static void look_later(struct run_queue *q, const struct vcpu *v, stime_t t)
{
	stime_t end = t + (is_behind(q, v) ? ADVANTAGE : SLICE);

	if (q->slice.active && q->slice.expires <= end)
		return;
	q->slice_end = end;
	timer_set(&q->slice, end);
}

/* ---- waking and stopping ---- */

/*
 * Where v should run: where it ran if that CPU is idle, else on an idle CPU, else where fewest wait. Idle CPUs that it
 * prefers come before all others.
 */
static unsigned int choose_cpu(const struct vcpu *v)
{
	cpumask_t allowed = v->sched.affinity & cpu_online_mask;
	cpumask_t idle = READ_ONCE(idle_cpus) & allowed;
	cpumask_t preferred = idle & v->sched.soft_affinity;
	unsigned int best = v->sched.cpu, cpu;

	if (!allowed)
		return best;
	if (preferred)
		idle = preferred;
	if (idle)
		return idle >> best & 1 ? best : lowest_bit(idle);
	if (!(allowed >> best & 1))
		best = lowest_bit(allowed);
	for_each_cpu(cpu, allowed)
	{
		if (READ_ONCE(per_cpu(rq, cpu).length) < READ_ONCE(per_cpu(rq, best).length))
			best = cpu;
	}
	return best;
}

void sched_wake(struct vcpu *v)
{
	struct run_queue *q = lock_queue_of(v);
	stime_t t = now();
	unsigned int cpu;
	bool look;

	/* Running: its CPU sees that the flags are clear when it next chooses. */
	if (v->sched.running || !list_empty(&v->sched.queue) || !runnable(v)) {
		spin_unlock(&q->lock);
		return;
	}
	cpu = choose_cpu(v);
	if (cpu != v->sched.cpu) {
		/* Once sched.cpu says so v belongs to the other queue, whose lock is taken only then:
		 * never two at a time here. Others may wake or stop v in between. */
		v->sched.vruntime =
		    0; /* runtimes of two queues don't compare: place() gives it one */
		WRITE_ONCE(v->sched.cpu, cpu);
		spin_unlock(&q->lock);
		q = lock_queue_of(v);
		cpu = v->sched.cpu;
		if (v->sched.running || !list_empty(&v->sched.queue) || !runnable(v)) {
			spin_unlock(&q->lock);
			return;
		}
	}
	charge(q, t);
	place(q, v);
	enqueue(q, v);
	/* The next that wakes looks for another one, also before this CPU has come round. */
	clear_bit(cpu, &idle_cpus);
	runstate_change(v, VCPU_RUNNABLE, t);
	look = should_look(q, v);
	if (look && current->sched.patient && q->running == current && !current->is_idle) {
		look_later(q, v, t);
		look = false;
	}
	spin_unlock(&q->lock);
	if (look)
		softirq_raise_on(cpu, SOFTIRQ_SCHEDULE);
}

void sched_sleep(struct vcpu *v)
{
	struct run_queue *q = lock_queue_of(v);
	unsigned int cpu = v->sched.cpu;
	bool running = v->sched.running;

	if (!runnable(v)) {
		if (!list_empty(&v->sched.queue))
			dequeue(q, v);
		if (!running)
			runstate_change(v, stopped_state(v), now());
	}
	spin_unlock(&q->lock);
	if (running)
		softirq_raise_on(cpu, SOFTIRQ_SCHEDULE);
}

void sched_wait_stopped(struct vcpu *v)
{
	while (__atomic_load_n(&v->sched.running, __ATOMIC_ACQUIRE)) {
		smp_poll();
		cpu_relax();
	}
}

void sched_yield(void)
{
	struct run_queue *q = &this_cpu(rq);
	struct vcpu *next;

	spin_lock(&q->lock);
	next = first(q);
	if (next) {
		charge(q, now());
		/* Behind the one that waits longest, and by so much that it isn't preempted at once. */
		current->sched.vruntime = max(current->sched.vruntime, next->sched.vruntime + 1);
		q->over = true;
		softirq_raise(SOFTIRQ_SCHEDULE);
	}
	spin_unlock(&q->lock);
}

void sched_set_affinity(struct vcpu *v, cpumask_t cpus)
{
	struct run_queue *q = lock_queue_of(v);
	unsigned int cpu = v->sched.cpu;
	bool running = v->sched.running, waits = false;

	WRITE_ONCE(v->sched.affinity, cpus);
	if (!running && !(cpus >> cpu & 1) && !list_empty(&v->sched.queue)) {
		dequeue(q, v);
		waits = true;
	}
	spin_unlock(&q->lock);
	if (waits)
		sched_wake(v); /* where it may */
	if (running && !(cpus >> cpu & 1))
		softirq_raise_on(cpu, SOFTIRQ_SCHEDULE);
}

void sched_set_soft_affinity(struct vcpu *v, cpumask_t cpus)
{
	WRITE_ONCE(v->sched.soft_affinity, cpus);
}

/* ---- choosing ---- */

/* A vCPU that waits on another CPU and may run on this one, moved to this queue; NULL: none. No lock held. */
static struct vcpu *steal(unsigned int here)
{
	struct run_queue *mine = &per_cpu(rq, here), *theirs;
	unsigned int cpu;

	for_each_cpu(cpu, cpu_online_mask & ~((cpumask_t)1 << here))
	{
		struct vcpu *found = NULL;
		struct list *pos;

		theirs = &per_cpu(rq, cpu);
		if (READ_ONCE(theirs->length) == 0)
			continue;
		spin_lock(cpu < here ? &theirs->lock : &mine->lock);
		spin_lock(cpu < here ? &mine->lock : &theirs->lock);
		list_for_each(pos, &theirs->queue)
		{
			struct vcpu *v = list_entry(pos, struct vcpu, sched.queue);

			if (allowed_on(v, here)) {
				found = v;
				break;
			}
		}
		if (found) {
			dequeue(theirs, found);
			WRITE_ONCE(found->sched.cpu, here);
			found->sched.vruntime = 0;
			place(mine, found);
			enqueue(mine, found);
		}
		spin_unlock(&theirs->lock);
		spin_unlock(&mine->lock);
		if (found)
			return found;
	}
	return NULL;
}

/*
 * Some idle CPU that may run one of those that wait here is to come and steal it. Whoever goes idle says so
 * before it looks for something to steal, and here it is the other way round: one of the two sees the other.
 */
static void call_for_help(const struct run_queue *q)
{
	cpumask_t idle, may = 0;
	struct list *pos;

	if (q->length == 0)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	idle = READ_ONCE(idle_cpus);
	if (!idle)
		return;
	list_for_each(pos, &q->queue)
	{
		may |= idle & list_entry(pos, struct vcpu, sched.queue)->sched.affinity;
	}
	if (may)
		softirq_raise_on(lowest_bit(may), SOFTIRQ_SCHEDULE);
}

/* Who runs now: the running one while it may and nobody who waits has had so much less. Under the lock. */
static struct vcpu *choose(struct run_queue *q, struct vcpu *prev)
{
	unsigned int cpu = smp_processor_id();
	uint64_t lead = q->over ? 0 : ADVANTAGE;
	struct vcpu *next = first(q);

	if (!prev->is_idle && runnable(prev) && allowed_on(prev, cpu) &&
	    (!next || prev->sched.vruntime <= next->sched.vruntime + lead))
		return prev;
	return next ? next : idle_domain.vcpu[cpu];
}

/* prev's registers are saved: whoever wakes it may run it elsewhere. It queues if it could go on. */
static void release(struct run_queue *q, struct vcpu *prev)
{
	bool look = false, moves = false;
	enum runstate state;

	if (prev->is_idle)
		return;
	spin_lock(&q->lock);
	__atomic_store_n(&prev->sched.running, false, __ATOMIC_RELEASE);
	if (!allowed_on(prev, smp_processor_id())) {
		moves = true; /* if it can run, to where sched_wake() finds that it may */
	} else if (runnable(prev)) {
		enqueue(q, prev);
		look = should_look(q, prev);
		call_for_help(q);
	}
	/* It may have been woken or paused since schedule() said what it is. */
	state = stopped_state(prev);
	if (prev->runstate.state != (int)state)
		runstate_change(prev, state, now());
	if (unlikely(READ_ONCE(prev->pause_flags) & 1UL << VPF_SHUTDOWN))
		domain_vcpu_stopped(prev->domain);
	spin_unlock(&q->lock);
	if (moves)
		sched_wake(prev);
	if (look)
		softirq_raise(SOFTIRQ_SCHEDULE);
}

/* Run next on this CPU; does not come back. */
static void __attribute__((noreturn))
enter(struct run_queue *q, struct vcpu *prev, struct vcpu *next)
{
	context_switch(prev, next);
	release(q, prev);
	if (next->is_idle)
		reset_stack_and_jump(idle_loop);
	update_vcpu_time(next);
	update_runstate_area(next);
	return_to_guest();
}

/* prev goes back into the queue, if it could go on, only when its registers are saved: it counts as one that waits. */
static void count_slice(struct run_queue *q, struct vcpu *prev, struct vcpu *next, stime_t t)
{
	bool waits = q->length || (prev != next && !prev->is_idle && runnable(prev));
	stime_t end;

	if (next->is_idle || !waits)
		q->slice_end = 0;
	else if (!q->slice_end || q->over || next != prev)
		q->slice_end = t + SLICE;
	q->over = false;
	end = q->slice_end;
	if (unlikely(next->domain->cap.percent)) {
		/* At least so often, since its other vCPUs use it up, too. */
		stime_t left = t + min((stime_t)SLICE, cap_left(next->domain, t));

		end = end ? min(end, left) : left;
	}
	if (end)
		timer_set(&q->slice, end);
	else
		timer_stop(&q->slice);
}

static void schedule(void)
{
	struct run_queue *q = &this_cpu(rq);
	unsigned int cpu = smp_processor_id();
	struct vcpu *prev = current, *next;
	stime_t t = now();

	if ((prev->is_idle || !runnable(prev) || !allowed_on(prev, cpu)) &&
	    READ_ONCE(q->length) == 0) {
		set_bit(cpu, &idle_cpus);
		(void)steal(cpu);
	}
	spin_lock(&q->lock);
	charge(q, t);
	if (unlikely(prev->domain->cap.percent) && !cap_left(prev->domain, t)) {
		spin_unlock(&q->lock);
		cap_stop(prev->domain);
		spin_lock(&q->lock);
	}
	next = choose(q, prev);
	if (next != prev) {
		if (!next->is_idle) {
			dequeue(q, next);
			next->sched.started = t;
			runstate_change(next, VCPU_RUNNING, t);
		}
		if (prev->is_idle) {
			q->idle_time += t - q->idle_since;
		} else {
			runstate_change(prev, stopped_state(prev), t);
			if (next->is_idle)
				q->idle_since = t;
		}
		next->sched.running = true;
		q->running = next;
	}
	if (next->is_idle)
		set_bit(cpu, &idle_cpus);
	else
		clear_bit(cpu, &idle_cpus);
	count_slice(q, prev, next, t);
	call_for_help(q);
	spin_unlock(&q->lock);
	if (next == prev)
		return;
	/* While its memory is in reach. Others of its domain see that it is of no use to wait for it. */
	if (!prev->is_idle)
		update_runstate_area(prev);
	enter(q, prev, next);
}

stime_t sched_idle_time(unsigned int cpu)
{
	struct run_queue *q = &per_cpu(rq, cpu);
	stime_t sum;

	spin_lock(&q->lock);
	sum = q->idle_time;
	if (q->running->is_idle)
		sum += now() - q->idle_since;
	spin_unlock(&q->lock);
	return sum;
}

static void slice_over(void *data)
{
	this_cpu(rq).over = true;
	softirq_raise(SOFTIRQ_SCHEDULE);
}

/* When a CPU has work, memory is left to those who work with it, and the flush before scrubbing would interrupt them. */
static bool work_ahead(void)
{
	return READ_ONCE(idle_cpus) == READ_ONCE(cpu_online_mask) && scrub_ahead();
}

void idle_loop(void)
{
	for (;;) {
		irq_disable();
		do_softirq();
		/* `sti` holds interrupts off for one more instruction: none is taken between the look
		 * at what is pending and the halt (SDM 2, STI). */
		if (work_ahead())
			__asm__ volatile("sti; nop" ::: "memory");
		else if (READ_ONCE(cpu_info()->softirq_pending) == 0)
			__asm__ volatile("sti; hlt" ::: "memory");
	}
}

void sched_init_cpu(unsigned int cpu, struct vcpu *idle)
{
	struct run_queue *q = &per_cpu(rq, cpu);

	spin_lock_init(&q->lock);
	list_init(&q->queue);
	q->length = 0;
	q->running = idle;
	q->min_vruntime = 0;
	timer_init(&q->slice, slice_over, NULL, cpu);
	set_bit(cpu, &idle_cpus);
}

void sched_init(void)
{
	softirq_register(SOFTIRQ_SCHEDULE, schedule);
	sched_init_cpu(0, idle_domain.vcpu[0]);
}
