/* SPDX-License-Identifier: MIT */
// sources: hypervisor/cpu/softirq.c
/* Soft interrupts: order, repetition, kicks. */
#include "unit.h"
#include "cpu/cpu.h"
#include "lib/lib.h"

struct cpu_info unit_cpu_info;

void bug(const char *file, int line, const char *what)
{
	fail_msg("%s:%d: %s", file, line, what);
	abort();
}

static struct cpu_info other;
static unsigned int kicks, kicked_cpu;
static unsigned int ran[16], n_ran;
static bool again;

struct cpu_info *cpu_info_of(unsigned int cpu)
{
	return cpu ? &other : &unit_cpu_info;
}

void apic_send_ipi(unsigned int cpu, unsigned int vector)
{
	assert_int_equal(vector, VECTOR_KICK);
	kicked_cpu = cpu;
	kicks++;
}

static void timer(void)
{
	ran[n_ran++] = SOFTIRQ_TIMER;
}

static void console(void)
{
	ran[n_ran++] = SOFTIRQ_CONSOLE;
	if (again) {
		again = false;
		softirq_raise(SOFTIRQ_TIMER);
		softirq_raise(SOFTIRQ_SCHEDULE);
	}
}

static void schedule(void)
{
	ran[n_ran++] = SOFTIRQ_SCHEDULE;
}

static int setup(void **state)
{
	memset(&unit_cpu_info, 0, sizeof(unit_cpu_info));
	memset(&other, 0, sizeof(other));
	kicks = n_ran = 0;
	again = false;
	softirq_register(SOFTIRQ_TIMER, timer);
	softirq_register(SOFTIRQ_CONSOLE, console);
	softirq_register(SOFTIRQ_SCHEDULE, schedule);
	return 0;
}

static void test_schedule_runs_last(void **state)
{
	softirq_raise(SOFTIRQ_SCHEDULE);
	softirq_raise(SOFTIRQ_CONSOLE);
	softirq_raise(SOFTIRQ_TIMER);
	do_softirq();
	assert_int_equal(n_ran, 3);
	assert_int_equal(ran[2], SOFTIRQ_SCHEDULE);
	assert_int_equal(unit_cpu_info.softirq_pending, 0);
}

static void test_raised_meanwhile_runs_too(void **state)
{
	again = true;
	softirq_raise(SOFTIRQ_CONSOLE);
	do_softirq();
	assert_int_equal(n_ran, 3);
	assert_int_equal(ran[0], SOFTIRQ_CONSOLE);
	assert_int_equal(ran[1], SOFTIRQ_TIMER);
	assert_int_equal(ran[2], SOFTIRQ_SCHEDULE);
}

static void test_raised_twice_runs_once(void **state)
{
	softirq_raise(SOFTIRQ_TIMER);
	softirq_raise(SOFTIRQ_TIMER);
	do_softirq();
	assert_int_equal(n_ran, 1);
}

/* One without a handler is dropped, not asked for for ever. */
static void test_no_handler(void **state)
{
	softirq_register(SOFTIRQ_TIMER, NULL);
	softirq_raise(SOFTIRQ_TIMER);
	do_softirq();
	assert_int_equal(n_ran, 0);
	assert_int_equal(unit_cpu_info.softirq_pending, 0);
}

static void test_other_cpu_is_kicked_once(void **state)
{
	softirq_raise_on(3, SOFTIRQ_SCHEDULE);
	softirq_raise_on(3, SOFTIRQ_SCHEDULE);
	assert_int_equal(other.softirq_pending, 1U << SOFTIRQ_SCHEDULE);
	assert_int_equal(kicks, 1);
	assert_int_equal(kicked_cpu, 3);
	assert_int_equal(unit_cpu_info.softirq_pending, 0);
	softirq_raise_on(3, SOFTIRQ_TIMER);
	assert_int_equal(kicks, 2);
}

static void test_own_cpu_is_not_kicked(void **state)
{
	softirq_raise_on(0, SOFTIRQ_TIMER);
	assert_int_equal(kicks, 0);
	assert_int_equal(unit_cpu_info.softirq_pending, 1U << SOFTIRQ_TIMER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_schedule_runs_last, setup),
	    cmocka_unit_test_setup(test_raised_meanwhile_runs_too, setup),
	    cmocka_unit_test_setup(test_raised_twice_runs_once, setup),
	    cmocka_unit_test_setup(test_no_handler, setup),
	    cmocka_unit_test_setup(test_other_cpu_is_kicked_once, setup),
	    cmocka_unit_test_setup(test_own_cpu_is_not_kicked, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
