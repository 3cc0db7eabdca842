/* SPDX-License-Identifier: MIT */
/* Floating-point and vector registers: initial state, kept over calls, blocks and switches, TS, x87 errors. */
#include "../test.h"

#define ROUNDS 200

struct fx {
	_Alignas(64) uint8_t bytes[4096];
};

static void load_pattern(uint64_t pattern)
{
	uint64_t value[2] = {pattern, ~pattern};

	__asm__ volatile("movups %0, %%xmm0\n\t"
			 "movups %0, %%xmm7\n\t"
			 "movups %0, %%xmm15\n\t"
			 "fninit\n\t"
			 "fildq %0"
			 :
			 : "m"(value));
}

static bool has_pattern(uint64_t pattern)
{
	uint64_t value[3][2];
	int64_t integer;

	__asm__ volatile("movups %%xmm0, %0\n\t"
			 "movups %%xmm7, %1\n\t"
			 "movups %%xmm15, %2\n\t"
			 "fld %%st(0)\n\t"
			 "fistpq %3"
			 : "=m"(value[0]), "=m"(value[1]), "=m"(value[2]), "=m"(integer));
	for (int i = 0; i < 3; i++)
		if (value[i][0] != pattern || value[i][1] != ~pattern)
			return false;
	return integer == (int64_t)pattern;
}

static void initial_state(void)
{
	uint16_t control;
	uint32_t mxcsr;

	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(control), "=m"(mxcsr));
	EXPECT(control, 0x37f);
	EXPECT(mxcsr & 0xffc0, 0x1f80);
}

static void kept_over_calls(void)
{
	load_pattern(0x123456789abcdef);
	EXPECT(hypercall_xen_version(XENVER_version, NULL), 4 << 16 | 17);
	EXPECT_TRUE(has_pattern(0x123456789abcdef));
	for (int i = 0; i < 10; i++)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	EXPECT_TRUE(has_pattern(0x123456789abcdef));
}

static void on_timer(evtchn_port_t port, void *data)
{
}

static void kept_over_block(void)
{
	long port = event_bind_virq(VIRQ_TIMER, on_timer, NULL);

	load_pattern(0x7777777777777777);
	for (int i = 0; i < 5; i++) {
		/* Masked first, or the event may come before the block. */
		events_mask();
		EXPECT(clock_timer_set(clock_now() + NSEC_PER_MSEC), 0);
		hypercall_sched_op(SCHEDOP_block, NULL);
	}
	EXPECT_TRUE(has_pattern(0x7777777777777777));
	EXPECT(event_close(port), 0);
}

/* Two vCPUs, on one CPU if the scenario says so, each with its own values, yielding to each other. */
static volatile unsigned int other_rounds, other_wrong, other_first;

static void other(void *argument)
{
	uint16_t control;

	__asm__ volatile("fnstcw %0" : "=m"(control));
	other_first = control;
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		load_pattern(0x2000000000000000 + i);
		hypercall_sched_op(SCHEDOP_yield, NULL);
		for (volatile int spin = 0; spin < 100; spin = spin + 1)
			;
		if (!has_pattern(0x2000000000000000 + i))
			other_wrong++;
		other_rounds = i;
	}
	for (;;)
		hypercall_vcpu_op(VCPUOP_down, 1, NULL);
}

static void two_vcpus(void)
{
	unsigned int wrong = 0;
	uint64_t end = clock_now() + 20 * NSEC_PER_SEC;

	if (vcpu_count() < 2) {
		test_skip("one vCPU");
		return;
	}
	EXPECT(vcpu_start(1, other, NULL, test_stack()), 0);
	for (uint64_t i = 1; other_rounds < ROUNDS && clock_now() < end; i++) {
		load_pattern(0x1000000000000000 + i);
		hypercall_sched_op(SCHEDOP_yield, NULL);
		if (!has_pattern(0x1000000000000000 + i))
			wrong++;
	}
	EXPECT(other_rounds, ROUNDS);
	EXPECT(other_wrong, 0);
	EXPECT(wrong, 0);
	EXPECT(other_first, 0x37f);
}

static void run_fp(void *argument)
{
	__asm__ volatile("fnop");
}

static void run_sse(void *argument)
{
	__asm__ volatile("xorps %xmm1, %xmm1");
}

/* With TS set each use is #NM, and the registers are not lost by it. */
static void task_switched(void)
{
	load_pattern(0x5555);
	EXPECT(hypercall_fpu_taskswitch(1), 0);
	EXPECT(trap_of(run_fp), TRAP_NM);
	EXPECT_TRUE(has_pattern(0x5555));
	EXPECT(hypercall_fpu_taskswitch(1), 0);
	EXPECT(trap_of(run_sse), TRAP_NM);
	EXPECT_TRUE(has_pattern(0x5555));
	EXPECT(hypercall_fpu_taskswitch(1), 0);
	EXPECT(hypercall_sched_op(SCHEDOP_yield, NULL), 0);
	EXPECT(trap_of(run_fp), TRAP_NM);
	/* Any value but 0 sets it. */
	EXPECT(hypercall_fpu_taskswitch(-5), 0);
	EXPECT(trap_of(run_fp), TRAP_NM);
	EXPECT(hypercall_fpu_taskswitch(0), 0);
	EXPECT(trap_of(run_fp), -1);
}

static void divide_by_zero(void *argument)
{
	uint16_t control = 0x37b;

	__asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(control));
}

static void x87_error(void)
{
	EXPECT(trap_of(divide_by_zero), TRAP_MF);
	__asm__ volatile("fninit");
}

static const struct test tests[] = {
    {"initial state", initial_state},	    {"kept over hypercalls", kept_over_calls},
    {"kept over a block", kept_over_block}, {"two vCPUs", two_vcpus},
    {"task switched", task_switched},	    {"x87 error", x87_error},
};

void guest_main(void)
{
	test_main("fpu", tests, COUNT_OF(tests));
}
