/* SPDX-License-Identifier: MIT */
// sources: hypervisor/sched/sched.c hypervisor/sched/cap.c hypervisor/lib/spinlock.c
/*
 * The scheduler on a machine of three CPUs that this file plays: time passes, vCPUs block and wake in an order
 * from a fixed seed, and after each step the invariants at the head of sched.c are checked.
 */
#include "unit.h"
#include "lib/lib.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/bitops.h"
#include "mm/mm.h"
#include "sched/sched.h"
#include "time/time.h"

#define CPUS  3
#define VCPUS 7

struct run_queue;
extern char percpu_rq[];
struct cpu_info unit_cpu_info;
unsigned long percpu_offset[NR_CPUS];
cpumask_t cpu_online_mask = (1 << CPUS) - 1;
unsigned int nr_cpus = CPUS;
struct domain idle_domain;

static struct cpu_info cpus[CPUS];
static char queues[CPUS][4096] __attribute__((aligned(64)));
static struct domain dom = {.sched_weight = SCHED_WEIGHT_DEFAULT};
static struct vcpu vcpus[VCPUS], idles[CPUS];
static struct timer *slice[CPUS], *cap_timer;
static bool booting;
static stime_t time_now;
static void (*handler)(void);
static jmp_buf entered;
static unsigned long switches, preempted;
static int shown[VCPUS];    /* what a vCPU's area says of its state */
static stime_t switch_time; /* what a switch costs */

stime_t now(void)
{
	return time_now;
}

bool scrub_ahead(void)
{
	return false;
}

void softirq_register(unsigned int nr, void (*fn)(void))
{
	handler = fn;
}

void softirq_raise_on(unsigned int cpu, unsigned int nr)
{
	cpus[cpu].softirq_pending |= 1U << nr;
	if (cpu == unit_cpu_info.cpu)
		unit_cpu_info.softirq_pending |= 1U << nr;
}

void softirq_raise(unsigned int nr)
{
	softirq_raise_on(unit_cpu_info.cpu, nr);
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
	t->fn = fn;
	t->data = data;
	t->cpu = cpu;
	t->active = false;
	if (booting)
		slice[cpu] = t;
	else
		cap_timer = t;
}

void timer_set(struct timer *t, stime_t expires)
{
	t->expires = expires;
	t->active = true;
}

void timer_stop(struct timer *t)
{
	t->active = false;
}

void domain_vcpu_stopped(struct domain *d)
{
}

void runstate_change(struct vcpu *v, enum runstate s, stime_t t)
{
	v->runstate.state = s;
}

void bug(const char *file, int line, const char *what)
{
	fail_msg("%s:%d: %s", file, line, what);
	abort();
}

void smp_poll(void)
{
}

void do_softirq(void)
{
}

void update_vcpu_time(struct vcpu *v)
{
	assert_ptr_equal(v, unit_cpu_info.vcpu);
}

/* In its own address space, and telling the truth: of the one that stops, then of the one that runs. */
void update_runstate_area(struct vcpu *v)
{
	assert_ptr_equal(v, unit_cpu_info.vcpu);
	shown[v->id] = v->runstate.state;
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	assert_ptr_equal(prev, unit_cpu_info.vcpu);
	/* Still held by this CPU: nobody else may run it before its registers are saved. */
	assert_true(prev->sched.running && next->sched.running);
	assert_int_equal(next->sched.cpu, unit_cpu_info.cpu);
	/* Its memory gets out of reach: there it must be said already that it has stopped. */
	assert_true(prev->is_idle || shown[prev->id] != VCPU_RUNNING);
	unit_cpu_info.vcpu = next;
	switches++;
	time_now += switch_time;
	assert_true(switches < 10000000); /* else it never ends */
}

void return_to_guest(void)
{
	longjmp(entered, 1);
}

void reset_stack_and_jump(void (*fn)(void))
{
	longjmp(entered, 1);
}

static void on_cpu(unsigned int cpu)
{
	cpus[unit_cpu_info.cpu] = unit_cpu_info;
	unit_cpu_info = cpus[cpu];
}

/* The soft interrupt on the CPU at hand: it returns, or enters a vCPU. */
static void run_handler(void)
{
	if (setjmp(entered) == 0)
		handler();
}

/* What the CPUs do until nothing is pending. */
static void settle(void)
{
	bool again;

	do {
		again = false;
		for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
			on_cpu(cpu);
			while (unit_cpu_info.softirq_pending) {
				unit_cpu_info.softirq_pending = 0;
				again = true;
				run_handler();
			}
		}
	} while (again);
}

static void pass(stime_t ns)
{
	time_now += ns;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		if (slice[cpu]->active && slice[cpu]->expires <= time_now) {
			on_cpu(cpu);
			slice[cpu]->active = false;
			slice[cpu]->fn(slice[cpu]->data);
			preempted++;
		}
	}
	settle();
	if (cap_timer && cap_timer->active && cap_timer->expires <= time_now) {
		on_cpu(0);
		cap_timer->active = false;
		cap_timer->fn(cap_timer->data);
		settle();
	}
}

void vcpu_pause_flag_set(struct vcpu *v, unsigned int flag)
{
	if (!test_and_set_bit(flag, &v->pause_flags))
		sched_sleep(v);
}

void vcpu_pause_flag_clear(struct vcpu *v, unsigned int flag)
{
	if (test_and_clear_bit(flag, &v->pause_flags) && v->pause_flags == 0)
		sched_wake(v);
}

static void check(void)
{
	unsigned int running = 0, idle = 0;
	cpumask_t wanted = 0; /* where those that wait may run */

	on_cpu(unit_cpu_info.cpu == 0 ? 0 : unit_cpu_info.cpu);
	for (unsigned int i = 0; i < VCPUS; i++) {
		struct vcpu *v = &vcpus[i];
		bool queued = !list_empty(&v->sched.queue);

		assert_false(queued && v->sched.running);
		if (v->pause_flags == 0)
			assert_true(queued || v->sched.running);
		else
			assert_false(queued || v->sched.running);
		assert_true(v->sched.affinity >> v->sched.cpu & 1 || !v->sched.running);
		assert_true(!v->sched.running || shown[i] == VCPU_RUNNING);
		running += v->sched.running;
		if (queued) {
			assert_true(v->sched.affinity >> v->sched.cpu & 1);
			wanted |= v->sched.affinity;
		}
		assert_int_equal(v->runstate.state, v->sched.running ? VCPU_RUNNING
						    : queued	     ? VCPU_RUNNABLE
								     : VCPU_BLOCKED);
	}
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		if (!cpus[cpu].vcpu->is_idle)
			continue;
		idle++;
		/* Nobody waits while a CPU is idle where he may run. */
		assert_false(wanted >> cpu & 1);
	}
	assert_int_equal(running, CPUS - idle);
}

static void wake(struct vcpu *v)
{
	if (v->pause_flags) {
		v->pause_flags = 0;
		sched_wake(v);
	}
}

static void block(struct vcpu *v)
{
	if (!v->pause_flags) {
		v->pause_flags = 1UL << VPF_BLOCKED;
		sched_sleep(v);
	}
}

static int setup(void **state)
{
	memset(cpus, 0, sizeof(cpus));
	memset(vcpus, 0, sizeof(vcpus));
	memset(idles, 0, sizeof(idles));
	time_now = 1000000000;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		idles[cpu].is_idle = true;
		idles[cpu].domain = &idle_domain;
		idles[cpu].sched.cpu = cpu;
		idles[cpu].sched.running = true;
		list_init(&idles[cpu].sched.queue);
		idle_domain.vcpu[cpu] = &idles[cpu];
		percpu_offset[cpu] = (unsigned long)(queues[cpu] - percpu_rq);
		cpus[cpu].cpu = cpu;
		cpus[cpu].percpu_offset = percpu_offset[cpu];
		cpus[cpu].vcpu = &idles[cpu];
	}
	unit_cpu_info = cpus[0];
	booting = true;
	cap_timer = NULL;
	sched_init();
	for (unsigned int cpu = 1; cpu < CPUS; cpu++)
		sched_init_cpu(cpu, &idles[cpu]);
	for (unsigned int i = 0; i < VCPUS; i++) {
		vcpus[i].id = i;
		vcpus[i].domain = &dom;
		vcpus[i].pause_flags = 1UL << VPF_BLOCKED;
		vcpus[i].runstate.state = VCPU_BLOCKED;
		vcpus[i].sched.affinity = ~0UL;
		list_init(&vcpus[i].sched.queue);
	}
	booting = false;
	switches = preempted = 0;
	switch_time = 0;
	return 0;
}

static void random_steps(bool pins)
{
	srand(1);
	for (unsigned int step = 0; step < 200000; step++) {
		struct vcpu *v = &vcpus[rand() % VCPUS];

		on_cpu(rand() % CPUS);
		switch (rand() % 4) {
		case 0:
			sched_wake_patiently(rand() % 2);
			wake(v);
			sched_wake_patiently(false);
			break;
		case 1:
			block(v);
			break;
		case 2:
			if (!unit_cpu_info.vcpu->is_idle)
				sched_yield();
			break;
		default:
			if (pins && !unit_cpu_info.vcpu->is_idle)
				sched_set_affinity(current,
						   rand() % 3 ? ~0UL : 1UL << rand() % CPUS);
			break;
		}
		/* Half of the time several things happen before the CPUs get to it. */
		if (rand() % 2) {
			settle();
			pass(rand() % 3000000);
			check();
		}
	}
	assert_true(switches > 1000 && preempted > 100);
}

static void test_random(void **state)
{
	random_steps(false);
}

/* The same while vCPUs change where they may run. */
static void test_random_pins(void **state)
{
	random_steps(true);
}

/* One that may not run where it does moves at once. */
static void test_pin(void **state)
{
	unsigned int here, there;

	wake(&vcpus[0]);
	settle();
	here = vcpus[0].sched.cpu;
	there = (here + 1) % CPUS;
	on_cpu(here);
	sched_set_affinity(current, 1UL << there);
	settle();
	assert_true(vcpus[0].sched.running && vcpus[0].sched.cpu == there);
	/* It waits for its CPU rather than run elsewhere. */
	on_cpu(there);
	block(&vcpus[0]);
	settle();
	for (unsigned int i = 1; i < VCPUS; i++)
		wake(&vcpus[i]);
	settle();
	wake(&vcpus[0]);
	settle();
	assert_int_equal(vcpus[0].sched.cpu, there);
	check();
}

/* A vCPU that blocks and is woken before its CPU got to switch goes on. */
static void test_no_lost_wakeup(void **state)
{
	wake(&vcpus[0]);
	settle();
	on_cpu(vcpus[0].sched.cpu);
	block(&vcpus[0]);
	on_cpu((vcpus[0].sched.cpu + 1) % CPUS);
	wake(&vcpus[0]);
	settle();
	assert_true(vcpus[0].sched.running);
	check();
}

/* All busy: each gets about its share of the three CPUs. */
static void test_fair(void **state)
{
	stime_t had[VCPUS] = {0}, total = 0;

	for (unsigned int i = 0; i < VCPUS; i++)
		wake(&vcpus[i]);
	settle();
	for (unsigned int step = 0; step < 100000; step++) {
		for (unsigned int i = 0; i < VCPUS; i++)
			had[i] += vcpus[i].sched.running ? 1000000 : 0;
		pass(1000000);
	}
	for (unsigned int i = 0; i < VCPUS; i++)
		total += had[i];
	assert_int_equal(total, 100000L * 1000000 * CPUS);
	for (unsigned int i = 0; i < VCPUS; i++)
		assert_true(had[i] > total / VCPUS / 2 && had[i] < total / VCPUS * 2);
}

/* Two that share a CPU take turns of a slice, though each switch takes its time, which counts as somebody's. */
static void test_slices(void **state)
{
	switch_time = 3000;
	for (unsigned int i = 0; i < 2; i++) {
		sched_set_affinity(&vcpus[i], 1);
		wake(&vcpus[i]);
	}
	for (unsigned int step = 0; step < 10000; step++)
		pass(1000000);
	assert_true(switches >= 900 && switches <= 1100);
}

/*
 * One that sends events to another domain goes on for a while, though whom it wakes has had less; then that one has its turn, at
 * once if the sender blocks. To an idle CPU it makes no difference.
 */
static void test_patient(void **state)
{
	for (unsigned int i = 0; i < 2; i++)
		sched_set_affinity(&vcpus[i], 1);
	for (unsigned int blocks = 0; blocks < 2; blocks++) {
		wake(&vcpus[0]);
		settle();
		pass(20000000);
		on_cpu(0);
		sched_wake_patiently(true);
		wake(&vcpus[1]);
		sched_wake_patiently(false);
		settle();
		pass(400000);
		assert_true(vcpus[0].sched.running);
		on_cpu(0);
		if (blocks)
			block(&vcpus[0]);
		settle();
		assert_int_equal(vcpus[1].sched.running, blocks);
		pass(101000);
		assert_true(vcpus[1].sched.running);
		block(&vcpus[0]);
		block(&vcpus[1]);
		settle();
	}
	/* What it wakes otherwise does not wait. */
	wake(&vcpus[0]);
	settle();
	pass(20000000);
	on_cpu(0);
	wake(&vcpus[1]);
	settle();
	assert_true(vcpus[1].sched.running);
	on_cpu(0);
	sched_wake_patiently(true);
	sched_set_affinity(&vcpus[2], 2);
	wake(&vcpus[2]);
	sched_wake_patiently(false);
	settle();
	assert_true(vcpus[2].sched.running);
	block(&vcpus[0]);
	block(&vcpus[1]);
	settle();
	on_cpu(0);
	assert_true(current->is_idle);
	sched_wake_patiently(true);
	wake(&vcpus[0]);
	sched_wake_patiently(false);
	settle();
	assert_true(vcpus[0].sched.running);
}

/* The cap's own end of a slice stays where it is. */
static void test_patient_cap(void **state)
{
	static struct domain capped;
	unsigned int had = 0;

	memset(&capped, 0, sizeof(capped));
	capped.max_vcpus = 1;
	capped.vcpu[0] = &vcpus[0];
	sched_init_domain(&capped);
	vcpus[0].domain = &capped;
	for (unsigned int i = 0; i < 2; i++)
		sched_set_affinity(&vcpus[i], 1);
	on_cpu(0);
	sched_set_cap(&capped, 20);
	wake(&vcpus[0]);
	settle();
	for (unsigned int step = 0; step < 100000; step++) {
		on_cpu(0);
		if (vcpus[0].sched.running) {
			had++;
			sched_wake_patiently(true);
			wake(&vcpus[1]);
			sched_wake_patiently(false);
		}
		block(&vcpus[1]);
		pass(100000);
	}
	assert_true(had > 18000 && had < 22000);
}

/* One that yields is passed over once: with two that have had about the same the switches don't go on by themselves. */
static void test_yields(void **state)
{
	switch_time = 3000;
	for (unsigned int i = 0; i < 2; i++) {
		sched_set_affinity(&vcpus[i], 1);
		wake(&vcpus[i]);
	}
	settle();
	for (unsigned int step = 0; step < 1000; step++) {
		unsigned long before = switches;

		on_cpu(0);
		sched_yield();
		settle();
		assert_int_equal(switches, before + 1);
		pass(step % 7 * 500);
	}
}

/* Two that share a CPU have it in the ratio of their domains' weights. */
static void test_weight(void **state)
{
	static struct domain heavy = {.sched_weight = 3 * SCHED_WEIGHT_DEFAULT};
	stime_t had[2] = {0};

	vcpus[1].domain = &heavy;
	for (unsigned int i = 0; i < 2; i++) {
		sched_set_affinity(&vcpus[i], 1);
		wake(&vcpus[i]);
	}
	settle();
	for (unsigned int step = 0; step < 10000; step++) {
		for (unsigned int i = 0; i < 2; i++)
			had[i] += vcpus[i].sched.running ? 1 : 0;
		pass(1000000);
	}
	assert_int_equal(had[0] + had[1], 10000);
	assert_true(had[1] > 7200 && had[1] < 7800);
}

/* A domain with a cap uses no more, whether others wait or not, and with as many vCPUs as it likes; and no less. */
static void test_cap(void **state)
{
	static struct domain capped = {.max_vcpus = 2};
	static const unsigned int percents[] = {50, 10, 120, 0};

	memset(&capped, 0, sizeof(capped));
	capped.max_vcpus = 2;
	capped.vcpu[0] = &vcpus[0];
	capped.vcpu[1] = &vcpus[1];
	sched_init_domain(&capped);
	vcpus[0].domain = vcpus[1].domain = &capped;
	for (unsigned int i = 0; i < 3; i++)
		wake(&vcpus[i]);
	settle();
	for (unsigned int i = 0; i < ARRAY_SIZE(percents); i++) {
		unsigned int had = 0, other = 0, wanted = percents[i] ? percents[i] * 100 : 20000;

		on_cpu(0);
		sched_set_cap(&capped, percents[i]);
		for (unsigned int step = 0; step < 10000; step++) {
			had += vcpus[0].sched.running + vcpus[1].sched.running;
			other += vcpus[2].sched.running;
			pass(1000000);
		}
		assert_true(had > wanted * 9 / 10 && had < wanted * 11 / 10);
		assert_int_equal(other, 10000); /* nobody else's business */
	}
	/* One that is blocked stays so. */
	sched_set_cap(&capped, 10);
	for (unsigned int step = 0; step < 1000; step++) {
		on_cpu(0);
		if (step == 500)
			vcpu_pause_flag_set(&vcpus[1], VPF_BLOCKED);
		pass(1000000);
		assert_true(step < 500 || !vcpus[1].sched.running);
	}
}

/* One that waits, and may not run there any more, moves; it is run where it may, and prefers what it is told. */
static void test_affinity_of_others(void **state)
{
	for (unsigned int i = 0; i < 2; i++) {
		sched_set_affinity(&vcpus[i], 1);
		wake(&vcpus[i]);
	}
	settle();
	on_cpu(1);
	for (unsigned int i = 0; i < 2; i++)
		if (!vcpus[i].sched.running)
			sched_set_affinity(&vcpus[i], 2);
	settle();
	assert_true(vcpus[0].sched.running && vcpus[1].sched.running);
	check();
	sched_set_soft_affinity(&vcpus[2], 4);
	wake(&vcpus[2]);
	settle();
	assert_int_equal(vcpus[2].sched.cpu, 2);
}

/* A CPU is idle while it runs nobody, and what it counts goes on meanwhile. */
static void test_idle_time(void **state)
{
	stime_t before = sched_idle_time(0);

	pass(5000000);
	assert_int_equal(sched_idle_time(0) - before, 5000000);
	sched_set_affinity(&vcpus[0], 1);
	wake(&vcpus[0]);
	settle();
	before = sched_idle_time(0);
	pass(5000000);
	assert_int_equal(sched_idle_time(0), before);
}

/* One that wakes among busy ones runs at once, and cannot keep the CPU. */
static void test_wakeup_preempts(void **state)
{
	for (unsigned int i = 1; i < VCPUS; i++)
		wake(&vcpus[i]);
	settle();
	for (unsigned int step = 0; step < 100; step++)
		pass(1000000);
	wake(&vcpus[0]);
	settle();
	assert_true(vcpus[0].sched.running);
	for (unsigned int step = 0; step < 40; step++)
		pass(1000000);
	check();
	assert_true(switches > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_random, setup),
	    cmocka_unit_test_setup(test_random_pins, setup),
	    cmocka_unit_test_setup(test_pin, setup),
	    cmocka_unit_test_setup(test_no_lost_wakeup, setup),
	    cmocka_unit_test_setup(test_fair, setup),
	    cmocka_unit_test_setup(test_slices, setup),
	    cmocka_unit_test_setup(test_yields, setup),
	    cmocka_unit_test_setup(test_patient, setup),
	    cmocka_unit_test_setup(test_patient_cap, setup),
	    cmocka_unit_test_setup(test_weight, setup),
	    cmocka_unit_test_setup(test_cap, setup),
	    cmocka_unit_test_setup(test_affinity_of_others, setup),
	    cmocka_unit_test_setup(test_idle_time, setup),
	    cmocka_unit_test_setup(test_wakeup_preempts, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
