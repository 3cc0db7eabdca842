/* SPDX-License-Identifier: MIT */
// flags: -fno-sanitize=object-size
/*
 * The timer heaps against a plain list: what fires, when, in which order, and what the hardware is
 * programmed to. Two CPUs, one of them this one at a time. The source is included for the sake of
 * its per-CPU variable.
 */
#include "unit.h"
#include "cpu/cpu.h"
#include "time/clock.h"
#include "time/time.h"
#include "time/timer.c"

#define CPUS   2
#define TIMERS 60

struct cpu_info unit_cpu_info;
unsigned long percpu_offset[NR_CPUS];
cpumask_t cpu_online_mask = 3;

/* ---- the rest of the hypervisor ---- */

static stime_t clock_now;
static stime_t hardware[CPUS] = {INT64_MAX, INT64_MAX}; /* when each CPU's timer fires */
static bool softirq[CPUS];

stime_t now(void)
{
	return clock_now;
}

uint64_t stime_to_tsc(stime_t t)
{
	return (uint64_t)t;
}

void apic_timer_set_tsc(uint64_t deadline)
{
	hardware[unit_cpu_info.cpu] = (stime_t)deadline;
}

void softirq_raise_on(unsigned int cpu, unsigned int nr)
{
	assert_int_equal(nr, SOFTIRQ_TIMER);
	softirq[cpu] = true;
}

void spin_lock_slow(spinlock_t *l, uint16_t ticket)
{
	fail_msg("a lock was held");
}

void printk(const char *fmt, ...)
{
}

/* Per-CPU variables of the host build lie in one place: CPU 1's are so much further. */
static char second_cpu[4096] __attribute__((aligned(64)));

static void be_cpu(unsigned int cpu)
{
	unit_cpu_info.cpu = cpu;
	unit_cpu_info.percpu_offset = percpu_offset[cpu];
}

/* ---- the model ---- */

static struct model {
	struct timer timer;
	stime_t expires; /* INT64_MAX: not armed */
	unsigned int fired;
} model[TIMERS];
static stime_t last_expired;

static void fire(void *data)
{
	struct model *m = data;

	assert_false(m->timer.active);
	assert_true(m->expires <= clock_now);
	assert_int_equal(m->timer.cpu, unit_cpu_info.cpu);
	assert_true(m->expires >= last_expired);
	last_expired = m->expires;
	m->expires = INT64_MAX;
	m->fired++;
}

static void check_node(const struct timer *t, const struct timer *parent, unsigned int *nodes)
{
	int left, right;

	if (!t)
		return;
	(*nodes)++;
	assert_true(t->active);
	assert_ptr_equal(t->parent, parent);
	if (parent)
		assert_true(parent->expires <= t->expires);
	left = t->left ? t->left->rank : 0;
	right = t->right ? t->right->rank : 0;
	assert_true(left >= right);
	assert_int_equal(t->rank, right + 1);
	check_node(t->left, t, nodes);
	check_node(t->right, t, nodes);
}

/* The heaps hold exactly the armed timers, and each CPU will look in time. */
static void check_all(void)
{
	unsigned int armed = 0, nodes = 0;

	for (int i = 0; i < TIMERS; i++) {
		struct timer *t = &model[i].timer;

		assert_int_equal(t->active, model[i].expires != INT64_MAX);
		if (!t->active)
			continue;
		armed++;
		assert_int_equal(t->expires, model[i].expires);
		assert_true(hardware[t->cpu] <= t->expires || softirq[t->cpu]);
		if (!t->parent)
			check_node(t, NULL, &nodes);
	}
	assert_int_equal(nodes, armed);
}

static void run_softirq(unsigned int cpu)
{
	be_cpu(cpu);
	softirq[cpu] = false;
	hardware[cpu] = INT64_MAX;
	last_expired = INT64_MIN;
	timer_softirq();
	for (int i = 0; i < TIMERS; i++)
		if (model[i].timer.cpu == cpu)
			assert_true(model[i].expires > clock_now);
}

static int setup(void **state)
{
	percpu_offset[1] = second_cpu - (char *)&percpu_timer_queue;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		be_cpu(cpu);
		timer_init_cpu();
		hardware[cpu] = INT64_MAX;
		softirq[cpu] = false;
	}
	clock_now = 1000;
	for (int i = 0; i < TIMERS; i++) {
		timer_init(&model[i].timer, fire, &model[i], i % CPUS);
		model[i].expires = INT64_MAX;
		model[i].fired = 0;
	}
	return 0;
}

static void arm(int i, stime_t expires)
{
	model[i].expires = expires;
	timer_set(&model[i].timer, expires);
}

static void test_random(void **state)
{
	srand(7);
	for (int step = 0; step < 60000; step++) {
		int i = rand() % TIMERS;

		be_cpu(rand() % CPUS);
		switch (rand() % 6) {
		case 0:
		case 1:
		case 2:
			arm(i, clock_now - 50 + rand() % 500);
			break;
		case 3:
			timer_stop(&model[i].timer);
			model[i].expires = INT64_MAX;
			break;
		case 4:
			timer_migrate(&model[i].timer, rand() % CPUS);
			break;
		default:
			clock_now += rand() % 40;
			for (unsigned int cpu = 0; cpu < CPUS; cpu++)
				if (hardware[cpu] <= clock_now || softirq[cpu])
					run_softirq(cpu);
			break;
		}
		check_all();
	}
}

static void test_hardware_is_left_alone(void **state)
{
	be_cpu(0);
	arm(0, 5000);
	assert_int_equal(hardware[0], 5000);
	hardware[0] = 1; /* a programming would show */
	arm(0, 5500);	 /* the first, but later than the hardware fires anyway */
	assert_int_equal(hardware[0], 1);
	arm(0, 5000);
	assert_int_equal(hardware[0], 1);
	hardware[0] = 5000;
	arm(2, 6000); /* not the first */
	assert_int_equal(hardware[0], 5000);
	hardware[0] = 1; /* would show */
	arm(0, 7000);
	timer_stop(&model[2].timer);
	model[2].expires = INT64_MAX;
	assert_int_equal(hardware[0], 1);
	arm(4, 4000);
	assert_int_equal(hardware[0], 4000);
	arm(1, 3000); /* another CPU's */
	assert_true(softirq[1]);
	assert_int_equal(hardware[0], 4000);
}

static void test_past_and_far(void **state)
{
	be_cpu(0);
	arm(0, -5);
	arm(2, INT64_MAX - 1);
	assert_true(hardware[0] <= clock_now);
	run_softirq(0);
	assert_int_equal(model[0].fired, 1);
	assert_int_equal(model[2].fired, 0);
	assert_int_equal(hardware[0], INT64_MAX - 1);
}

static void rearm(void *data)
{
	struct model *m = data;

	m->fired++;
	m->expires = clock_now + 10;
	timer_set(&m->timer, m->expires);
}

static void test_rearmed_by_its_function(void **state)
{
	be_cpu(0);
	timer_init(&model[0].timer, rearm, &model[0], 0);
	arm(0, 1000);
	run_softirq(0);
	assert_int_equal(model[0].fired, 1);
	assert_int_equal(hardware[0], 1010);
	check_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_random, setup),
	    cmocka_unit_test_setup(test_hardware_is_left_alone, setup),
	    cmocka_unit_test_setup(test_past_and_far, setup),
	    cmocka_unit_test_setup(test_rearmed_by_its_function, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
