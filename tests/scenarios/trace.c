/* SPDX-License-Identifier: MIT */
/*
 * What a debugger does, in a Linux that runs on the hypervisor: single steps and the debug registers, through
 * ptrace. trace ROUNDS prints one line and returns 0 if each trap came where it should, and none elsewhere.
 * trace clock prints the monotonic clock in nanoseconds for each line of input until an empty one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DR(n)			  offsetof(struct user, u_debugreg[n])
#define DR7_ENABLE(n)		  (1UL << (2 * (n)))
#define DR7_TYPE(n, type, length) ((unsigned long)((type) | ((length)-1) << 2) << (16 + 4 * (n)))
#define EXECUTE			  0
#define WRITE			  1
#define ACCESS			  3

#define CHECK(condition, ...)                                                 \
	do {                                                                  \
		if (!(condition)) {                                           \
			printf("trace: line %d: %s: ", __LINE__, #condition); \
			printf(__VA_ARGS__);                                  \
			printf("\n");                                         \
			exit(1);                                              \
		}                                                             \
	} while (0)

volatile uint32_t watched, neighbour, stored;
char source[4] = "abc", target[4];
volatile int64_t handled;

/* Instructions with a label on each: the places where a single step has to stop, in their order. */
void stepped(void);
extern char step0[], step1[], step2[], step3[], step4[], step5[], step6[], step7[], step8[],
    step_end[];
__asm__(".globl stepped\n"
	"stepped: int3\n"
	"step0: nop\n"
	"step1: push %rbx\n"
	"step2: mov $110, %eax\n" /* getppid */
	"step3: syscall\n"
	"step4: xor %eax, %eax; \n"
	"step5: cpuid\n"
	"step6: movl $3, %ecx\n"
	"step7: lea source(%rip), %rsi; \n"
	"step8: lea target(%rip), %rdi; \n"
	"step_end: rep movsb\n"
	"pop %rbx\n"
	"ret\n");

/* A jump target for the execution breakpoint, and a store whose end is known. */
extern char at_execute[], after_store[];
static __attribute__((noinline)) void work(void)
{
	__asm__ volatile(".globl at_execute, after_store\n"
			 "at_execute: movl $1, neighbour(%%rip)\n"
			 "incl watched(%%rip)\n"
			 "after_store: movl $2, stored(%%rip)" ::
			     : "memory");
}

static void traced(int rounds)
{
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	for (int i = 0; i < rounds; i++) {
		stepped();
		raise(SIGUSR1); /* the tracer sets the registers */
		work();
		sched_yield();
		raise(SIGUSR2); /* and clears them */
		work();
	}
	_exit(42);
}

static int wait_stop(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child, "%s", strerror(errno));
	CHECK(WIFSTOPPED(status), "status %#x", status);
	return WSTOPSIG(status);
}

static int resume(pid_t child, enum __ptrace_request how)
{
	CHECK(ptrace(how, child, 0, 0) == 0, "%s", strerror(errno));
	return wait_stop(child);
}

static uint64_t rip(pid_t child)
{
	struct user_regs_struct regs;

	CHECK(ptrace(PTRACE_GETREGS, child, 0, &regs) == 0, "%s", strerror(errno));
	return regs.rip;
}

static void set(pid_t child, int nr, unsigned long value)
{
	CHECK(ptrace(PTRACE_POKEUSER, child, DR(nr), value) == 0, "dr%d: %s", nr, strerror(errno));
}

static unsigned long get(pid_t child, int nr)
{
	return (unsigned long)ptrace(PTRACE_PEEKUSER, child, DR(nr), 0);
}

static void check_steps(pid_t child)
{
	char *const places[] = {step1, step2, step3, step4, step5, step6, step7, step8, step_end};
	int sig = resume(child, PTRACE_CONT);

	CHECK(sig == SIGTRAP && rip(child) == (uint64_t)step0, "signal %d at %#lx", sig,
	      rip(child));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		sig = resume(child, PTRACE_SINGLESTEP);
		CHECK(sig == SIGTRAP && rip(child) == (uint64_t)places[i],
		      "signal %d at %#lx instead of step %zu (%p)", sig, rip(child), i + 1,
		      places[i]);
		/* A step over a system call is told by Linux at its end, not by the processor. */
		CHECK(get(child, 6) & 1UL << 14 || places[i] == step4, "dr6 %#lx", get(child, 6));
		set(child, 6, 0);
	}
	/* A repeated instruction stops after each round. */
	for (int left = 2; left >= 0; left--) {
		sig = resume(child, PTRACE_SINGLESTEP);
		uint64_t expected = (uint64_t)step_end + (left ? 0 : 2);
		CHECK(sig == SIGTRAP && rip(child) == expected, "signal %d at %#lx, %d left", sig,
		      rip(child), left);
	}
	set(child, 6, 0);
}

static void expect_trap(pid_t child, const char *place, int nr)
{
	int sig = resume(child, PTRACE_CONT);

	CHECK(sig == SIGTRAP && rip(child) == (uint64_t)place,
	      "signal %d at %#lx instead of %p, dr6 %#lx", sig, rip(child), place, get(child, 6));
	CHECK((get(child, 6) & 15) == 1UL << nr, "dr6 %#lx", get(child, 6));
	set(child, 6, 0);
}

static void check_breakpoints(pid_t child)
{
	unsigned long dr7 = DR7_ENABLE(0) | DR7_TYPE(0, WRITE, 4) | DR7_ENABLE(1) |
			    DR7_TYPE(1, EXECUTE, 1) | DR7_ENABLE(3) | DR7_TYPE(3, ACCESS, 4);
	int sig = resume(child, PTRACE_CONT);

	CHECK(sig == SIGUSR1, "signal %d at %#lx", sig, rip(child));
	set(child, 0, (unsigned long)&watched);
	set(child, 1, (unsigned long)at_execute);
	set(child, 3, (unsigned long)&stored);
	set(child, 7, dr7);
	CHECK((get(child, 7) & 0xffff00ff) == dr7, "dr7 %#lx", get(child, 7));
	expect_trap(child, at_execute, 1);
	expect_trap(child, after_store, 0);
	sig = resume(child, PTRACE_CONT);
	CHECK(sig == SIGTRAP && (get(child, 6) & 15) == 8, "signal %d at %#lx, dr6 %#lx", sig,
	      rip(child), get(child, 6));
	set(child, 6, 0);
	sig = resume(child, PTRACE_CONT);
	CHECK(sig == SIGUSR2, "signal %d at %#lx, dr6 %#lx", sig, rip(child), get(child, 6));
	set(child, 7, 0);
}

/* A process that steps itself: the flag is set by POPF, and the handler counts the traps. */
static void count(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	handled += info->si_code == TRAP_TRACE || info->si_code == TRAP_BRKPT;
}

static void check_own_steps(void)
{
	struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};

	CHECK(sigaction(SIGTRAP, &action, NULL) == 0, "%s", strerror(errno));
	handled = 0;
	__asm__ volatile("sub $128, %%rsp; pushf; orl $0x100, (%%rsp); popf; nop; nop; nop\n"
			 "pushf; andl $~0x100, (%%rsp); popf; add $128, %%rsp" ::
			     : "memory", "cc");
	/* Three NOPs, PUSHF, AND, and the POPF that ends it. */
	CHECK(handled == 6, "%ld traps", (long)handled);
	signal(SIGTRAP, SIG_DFL);
}

static int tell_time(void)
{
	char line[80];
	struct timespec now;

	while (fgets(line, sizeof(line), stdin) && line[0] != '\n') {
		clock_gettime(CLOCK_MONOTONIC, &now);
		printf("clock=%ld\n", now.tv_sec * 1000000000 + now.tv_nsec);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "clock") == 0)
		return tell_time();

	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	int status;
	pid_t child = fork();

	CHECK(child >= 0, "%s", strerror(errno));
	if (child == 0)
		traced(rounds);
	int sig = wait_stop(child);
	CHECK(sig == SIGSTOP, "signal %d", sig);
	for (int i = 0; i < rounds; i++) {
		check_steps(child);
		check_breakpoints(child);
		check_own_steps();
	}
	CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0, "%s", strerror(errno));
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42,
	      "status %#x", status);
	printf("trace: %d rounds passed\n", rounds);
	return 0;
}
