/* SPDX-License-Identifier: MIT */
// sources: hypervisor/cpu/grace.c hypervisor/cpu/softirq.c hypervisor/lib/spinlock.c
/* Grace periods on a machine of three CPUs that this file plays. */
#include "unit.h"
#include "cpu/cpu.h"
#include "cpu/grace.h"
#include "lib/lib.h"

#define CPUS 3

struct cpu_info unit_cpu_info;
cpumask_t cpu_online_mask = (1 << CPUS) - 1;
static struct cpu_info cpus[CPUS];

void bug(const char *file, int line, const char *what)
{
	fail_msg("%s:%d: %s", file, line, what);
	abort();
}

struct cpu_info *cpu_info_of(unsigned int cpu)
{
	return &cpus[cpu];
}

void apic_send_ipi(unsigned int cpu, unsigned int vector)
{
	assert_int_equal(vector, VECTOR_KICK);
}

void smp_poll(void)
{
}

/* CPU n comes to the end of what it does. */
static void pass(unsigned int n)
{
	unit_cpu_info.cpu = n;
	unit_cpu_info.softirq_pending = cpus[n].softirq_pending;
	cpus[n].softirq_pending = 0;
	do_softirq();
	cpus[n].softirq_pending |= unit_cpu_info.softirq_pending;
	unit_cpu_info.softirq_pending = 0;
}

/* What CPU 0 does in its operation. */
static void begin_on_cpu_0(struct grace *g, void (*fn)(struct grace *g))
{
	unit_cpu_info.cpu = 0;
	after_grace(g, fn);
	cpus[0].softirq_pending |= unit_cpu_info.softirq_pending;
	unit_cpu_info.softirq_pending = 0;
}

static unsigned int over;
static struct grace first, second, third;

static void count(struct grace *g)
{
	over++;
}

static void again(struct grace *g)
{
	over++;
	after_grace(g, count);
}

static int setup(void **state)
{
	grace_init();
	for (unsigned int round = 0; round < 10; round++)
		for (unsigned int n = 0; n < CPUS; n++)
			pass(n);
	memset(cpus, 0, sizeof(cpus));
	over = 0;
	return 0;
}

/* Each CPU has to pass, in whatever order, and once is enough. */
static void test_all_pass(void **state)
{
	begin_on_cpu_0(&first, count);
	pass(2);
	pass(2);
	pass(0);
	pass(2);
	assert_int_equal(over, 0);
	pass(1);
	assert_int_equal(over, 1);
	for (unsigned int n = 0; n < CPUS; n++)
		pass(n);
	assert_int_equal(over, 1);
}

/* One that begins when some CPUs have passed already waits for these once more. */
static void test_next_period(void **state)
{
	begin_on_cpu_0(&first, count);
	pass(1);
	pass(2);
	begin_on_cpu_0(&second, count);
	begin_on_cpu_0(&third, count);
	pass(0);
	assert_int_equal(over, 1);
	pass(0);
	pass(1);
	assert_int_equal(over, 1);
	pass(2);
	assert_int_equal(over, 3);
}

/* From within, and the same one anew. */
static void test_again(void **state)
{
	begin_on_cpu_0(&first, again);
	for (unsigned int n = 0; n < CPUS; n++)
		pass(n);
	assert_int_equal(over, 1);
	for (unsigned int n = 0; n < CPUS; n++)
		pass(n);
	assert_int_equal(over, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_all_pass, setup),
	    cmocka_unit_test_setup(test_next_period, setup),
	    cmocka_unit_test_setup(test_again, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
