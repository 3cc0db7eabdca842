/* SPDX-License-Identifier: MIT */
// sources: hypervisor/lib/spinlock.c hypervisor/console/ring.c hypervisor/lib/format.c hypervisor/lib/string.c
// flags: -DUNIT_CPU=_Thread_local
/* All other CPUs are stopped while they print or wait to print. Each thread is a CPU. */
#include "../../hypervisor/console/console.c" /* its lock is looked at */
#include "../../hypervisor/cpu/smp.c"	      /* and which CPUs wait */
#include "unit.h"
#include <threads.h>
#include <unistd.h>

enum { AUDITS, WAITS, PRINTS, CPUS };

_Thread_local struct cpu_info unit_cpu_info;
static unsigned int lines;
static bool over;

void bug(const char *file, int line, const char *what)
{
	fail_msg("%s:%d: %s", file, line, what);
	abort();
}

stime_t now(void)
{
	return 0;
}

void apic_send_ipi(unsigned int cpu, unsigned int vector)
{
	assert_int_equal(vector, VECTOR_FLUSH);
}

void video_write(const char *text, size_t n)
{
}

static unsigned int tickets(void)
{
	return (uint16_t)(__atomic_load_n(&lock.next, __ATOMIC_SEQ_CST) -
			  __atomic_load_n(&lock.head, __ATOMIC_SEQ_CST));
}

/* PRINTS is at it until the one that waits for its turn has been stopped, or both others wait for it. */
void serial_write(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	while (smp_processor_id() == PRINTS && tickets() < CPUS &&
	       !__atomic_load_n(&waiting, __ATOMIC_SEQ_CST))
		;
}

static int run_cpu(void *number)
{
	unit_cpu_info.cpu = (unsigned int)(uintptr_t)number;
	while (unit_cpu_info.cpu == WAITS && tickets() == 0)
		;
	printk("CPU %u\n", unit_cpu_info.cpu);
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST))
		smp_poll(); /* as by interrupt */
	return 0;
}

static void report(void *arg)
{
	printk("found something\n");
}

/* What runs alone may print, whoever was stopped while it waited for the console. */
static void prints_alone(void **state)
{
	thrd_t thread[CPUS];

	cpu_online_mask = (1 << CPUS) - 1;
	for (uintptr_t n = WAITS; n < CPUS; n++)
		assert_int_equal(thrd_create(&thread[n], run_cpu, (void *)n), thrd_success);
	while (tickets() < 2)
		;
	alarm(20); /* a hang ends the program */
	smp_run_alone(report, NULL);
	alarm(0);
	__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
	for (unsigned int n = WAITS; n < CPUS; n++)
		thrd_join(thread[n], NULL);
	assert_int_equal(lines, CPUS);
	assert_int_equal(tickets(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(prints_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
