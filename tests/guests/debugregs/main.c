/* SPDX-License-Identifier: MIT */
/* Debug registers: set and read back, what is refused, breakpoints on code and on data. */
#include "../test.h"

static volatile uint64_t watched;
static volatile unsigned int hits;
static volatile uint64_t hit_dr6, hit_rip;

extern const char break_here[];

static long set(int reg, unsigned long value)
{
	return hypercall_set_debugreg(reg, value);
}

static unsigned long get(int reg)
{
	return (unsigned long)hypercall_get_debugreg(reg);
}

static void read_back(void)
{
	for (int reg = 0; reg < 4; reg++) {
		EXPECT(set(reg, 0x1000ul * (reg + 1)), 0);
		EXPECT(get(reg), 0x1000ul * (reg + 1));
	}
	for (int reg = 0; reg < 4; reg++) {
		EXPECT(set(reg, 0), 0);
		EXPECT(get(reg), 0);
	}
}

static void addresses(void)
{
	for (int reg = 0; reg < 4; reg++) {
		EXPECT(set(reg, NOT_CANONICAL), -EPERM);
		EXPECT(set(reg, OF_HYPERVISOR), -EPERM);
		EXPECT(set(reg, (unsigned long)&watched), 0);
		EXPECT(set(reg, 0), 0);
	}
}

static void bad_numbers(void)
{
	EXPECT(set(8, 0), -ENODEV);
	EXPECT(set(-1, 0), -ENODEV);
	EXPECT(set(100, 0), -ENODEV);
	EXPECT(get(8), -ENODEV);
	EXPECT(get(-1), -ENODEV);
}

/* Status and control have bits that are always set and some that never are. */
static void status_and_control(void)
{
	EXPECT(set(6, 0), 0);
	EXPECT(get(6) & 0xffff0ff0, 0xffff0ff0);
	EXPECT(set(7, 0), 0);
	EXPECT(get(7), 0x400);
	/* General detect would let a guest catch the hypervisor's own use. */
	EXPECT_TRUE(set(7, 0x2000) == -EPERM || !(get(7) & 0x2000));
	EXPECT(set(7, 0), 0);
}

static bool on_debug(struct trap_frame *frame)
{
	hits++;
	hit_dr6 = get(6);
	hit_rip = frame->rip;
	/* RF: go past a code breakpoint. */
	frame->rflags |= 0x10000;
	set(6, 0);
	return true;
}

static void __attribute__((noinline)) run_code(void)
{
	__asm__ volatile("nop\n\t"
			 ".globl break_here\n"
			 "break_here:\n\t"
			 "nop\n\t"
			 "nop");
}

static void code_breakpoint(void)
{
	trap_handler_set(TRAP_DB, on_debug);
	trap_return_by_hypercall(true);
	hits = 0;
	EXPECT(set(6, 0), 0);
	EXPECT(set(0, (unsigned long)break_here), 0);
	EXPECT(set(7, 0x401), 0);
	run_code();
	EXPECT(set(7, 0), 0);
	EXPECT(hits, 1);
	EXPECT(hit_rip, (unsigned long)break_here);
	EXPECT(hit_dr6 & 0xf, 1);
	run_code();
	EXPECT(hits, 1);
	EXPECT(set(0, 0), 0);
	trap_return_by_hypercall(false);
	trap_handler_set(TRAP_DB, NULL);
}

static void data_breakpoint(void)
{
	trap_handler_set(TRAP_DB, on_debug);
	hits = 0;
	EXPECT(set(6, 0), 0);
	EXPECT(set(3, (unsigned long)&watched), 0);
	/* Writes of 8 bytes: R/W3 01, LEN3 10. */
	EXPECT(set(7, 0x400 | 0x40 | 0x90000000), 0);
	watched = 1;
	EXPECT(hits, 1);
	EXPECT(hit_dr6 & 0xf, 8);
	(void)watched;
	EXPECT(hits, 1);
	EXPECT(set(7, 0), 0);
	watched = 2;
	EXPECT(hits, 1);
	EXPECT(set(3, 0), 0);
	trap_handler_set(TRAP_DB, NULL);
}

/* A breakpoint on a buffer that the hypervisor reads for us must not stop it. */
static void breakpoint_on_argument(void)
{
	static char text[] = "a watched line\n";

	trap_handler_set(TRAP_DB, on_debug);
	EXPECT(set(0, (unsigned long)text), 0);
	/* Reads and writes of 1 byte. */
	EXPECT(set(7, 0x401 | 0x30000), 0);
	EXPECT(hypercall_console_io(CONSOLEIO_write, sizeof(text) - 1, text), 0);
	EXPECT(set(7, 0), 0);
	EXPECT(set(0, 0), 0);
	trap_handler_set(TRAP_DB, NULL);
}

static void move_from(void *value)
{
	__asm__ volatile("movq %%dr7, %0" : "=r"(*(uint64_t *)value));
}

static void move_to(void *value)
{
	__asm__ volatile("movq %0, %%dr0" : : "r"(*(uint64_t *)value));
}

/* The instructions do as the hypercalls. */
static void instructions(void)
{
	uint64_t value = 0;

	EXPECT(trap_catch(move_from, &value, NULL), -1);
	EXPECT(value, 0x400);
	value = 0x5000;
	EXPECT(trap_catch(move_to, &value, NULL), -1);
	EXPECT(get(0), 0x5000);
	value = OF_HYPERVISOR;
	EXPECT(trap_catch(move_to, &value, NULL), TRAP_GP);
	EXPECT(get(0), 0x5000);
	EXPECT(set(0, 0), 0);
}

static const struct test tests[] = {
    {"set and get", read_back},
    {"addresses", addresses},
    {"registers that there are not", bad_numbers},
    {"status and control", status_and_control},
    {"breakpoint on code", code_breakpoint},
    {"breakpoint on data", data_breakpoint},
    {"breakpoint on an argument", breakpoint_on_argument},
    {"instructions", instructions},
};

void guest_main(void)
{
	test_main("debugregs", tests, COUNT_OF(tests));
}
