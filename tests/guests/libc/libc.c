/* SPDX-License-Identifier: MIT */
/*
 * newlib on the runtime: what goes through guest/libc.c (console, heap, time, locks, a thread's own errno), and
 * that floating point is printed and read right while threads preempt each other. Reports as docs/testing.md
 * has it, by printf.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <guest/clock.h>
#include <guest/heap.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/thread.h>

#define WORKERS	    6
#define SHORT_SLICE 50000 /* ns: preempted everywhere before long */

static int failures;
static char first_failure[200];

#define EXPECT(condition)                                                                     \
	do {                                                                                  \
		if (!(condition) && !failures++)                                              \
			snprintf(first_failure, sizeof(first_failure), "line %d: not so: %s", \
				 __LINE__, #condition);                                       \
	} while (0)

int main(int argc, char **argv);

static void run_workers(void (*function)(void *))
{
	struct thread *threads[WORKERS];

	for (uintptr_t i = 0; i < WORKERS; i++) {
		threads[i] = thread_create("worker", function, (void *)i);
		if (!threads[i])
			panic("no memory for threads");
	}
	for (int i = 0; i < WORKERS; i++)
		thread_join(threads[i]);
}

static void formats(void)
{
	char text[128];

	EXPECT(snprintf(text, sizeof(text), "%.3f|%g|%e|%8.2f|%-6d|%#lx", 3.14159, 1e100, 12345.678,
			-2.5, 42, 0xfeedul) > 0);
	EXPECT(!strcmp(text, "3.142|1e+100|1.234568e+04|   -2.50|42    |0xfeed"));
	snprintf(text, sizeof(text), "%zu %jd %hhd %lld %td", (size_t)1 << 40, (intmax_t)-1, 300,
		 1ll << 60, (ptrdiff_t)-3);
	EXPECT(!strcmp(text, "1099511627776 -1 44 1152921504606846976 -3"));
	snprintf(text, sizeof(text), "%f %f", INFINITY, (double)NAN);
	EXPECT(!strcmp(text, "inf nan"));
	EXPECT(strtod("0x1.8p3", NULL) == 12);
	EXPECT(strtod("1e-3", NULL) == 0.001);
	errno = 0;
	EXPECT(strtol("99999999999999999999", NULL, 10) == 0x7fffffffffffffff && errno == ERANGE);
}

static void format_many(void *argument)
{
	double mine = 1.0 / (double)((uintptr_t)argument + 3);
	char text[64], wanted[64];

	snprintf(wanted, sizeof(wanted), "%.17g", mine);
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "%.17g", mine);
		EXPECT(!strcmp(text, wanted));
		EXPECT(strtod(text, NULL) == mine);
	}
}

static void formats_in_threads(void)
{
	run_workers(format_many);
}

static void own_errno(void *argument)
{
	int mine = 100 + (int)(uintptr_t)argument;

	for (int i = 0; i < 500; i++) {
		errno = mine;
		if (i % 8 == 0)
			thread_yield();
		for (volatile int delay = 0; delay < 100; delay++)
			;
		EXPECT(errno == mine);
	}
}

static void errno_in_threads(void)
{
	errno = 7;
	run_workers(own_errno);
	EXPECT(errno == 7);
}

/* Each block keeps its content, whoever allocates in between. */
static void allocate(void *argument)
{
	unsigned int state = (unsigned int)(uintptr_t)argument + 1;
	unsigned char *blocks[16] = {0};
	size_t sizes[16] = {0};

	for (int i = 0; i < 1500; i++) {
		unsigned int n = (unsigned int)rand_r(&state) % 16;

		for (size_t at = 0; at < sizes[n]; at++)
			if (blocks[n][at] != (unsigned char)(n + (uintptr_t)argument)) {
				EXPECT(!"a block has changed");
				return;
			}
		sizes[n] = (size_t)rand_r(&state) % (i % 50 ? 500 : 40000);
		blocks[n] = realloc(blocks[n], sizes[n] + 1);
		EXPECT(blocks[n]);
		if (!blocks[n])
			return;
		memset(blocks[n], (int)(n + (uintptr_t)argument), sizes[n]);
	}
	for (int n = 0; n < 16; n++)
		free(blocks[n]);
}

static void malloc_in_threads(void)
{
	run_workers(allocate);
}

/* Until there is no more; and then there is again. */
static void out_of_memory(void)
{
	void *last = NULL, **block;
	unsigned long before;
	unsigned int count = 0;

	errno = 0;
	while ((block = malloc(100000)) != NULL) {
		*block = last;
		last = block;
		count++;
	}
	EXPECT(errno == ENOMEM);
	EXPECT(count > 20);
	before = pages_available();
	while ((block = last) != NULL) {
		last = *block;
		free(block);
	}
	/* The heap's end went down again. */
	EXPECT(pages_available() > before + count * 20);
	EXPECT(malloc(0xffffffffffff) == NULL);
}

/* A leak of a thread's C library would show in the heap or in the pages. */
static void use_library(void *argument)
{
	char *copy = strdup("some words of one thread");
	time_t now = time(NULL);
	char *rest = copy;

	EXPECT(copy && strtok(rest, " "));
	EXPECT(gmtime(&now));
	EXPECT(strerror(ENOENT));
	errno = ENOENT;
	/* dtoa keeps its numbers for the thread. */
	format_many(argument);
	free(copy);
}

static void threads_give_back(void)
{
	unsigned long pages;

	for (int i = 0; i < 10; i++)
		run_workers(use_library);
	pages = pages_available();
	for (int i = 0; i < 100; i++)
		run_workers(use_library);
	/* How they preempt each other decides what is in use at once; a leak would be a dozen pages. */
	EXPECT(pages_available() + 3 >= pages);
}

/* Lines from several threads stay whole: the scenario's reader sees `line ... end` only. */
static void print_lines(void *argument)
{
	for (int i = 0; i < 20; i++)
		printf("line of thread %u number %d, pi is %.10f end\n",
		       (unsigned int)(uintptr_t)argument, i, 3.14159265358979);
}

static void streams(void)
{
	run_workers(print_lines);
	EXPECT(isatty(0) && isatty(1) && isatty(2) && !isatty(3));
	EXPECT(write(7, "x", 1) == -1 && errno == EBADF);
	EXPECT(fopen("/nothing", "r") == NULL && errno == ENOENT);
	EXPECT(lseek(1, 0, SEEK_SET) == -1 && errno == ESPIPE);
	EXPECT(fprintf(stderr, "to stderr\n") == 10);
}

static void times(void)
{
	uint64_t before = clock_now();
	struct timeval a, b;
	clock_t used = clock();
	time_t now;

	EXPECT(gettimeofday(&a, NULL) == 0);
	usleep(30000);
	EXPECT(gettimeofday(&b, NULL) == 0);
	EXPECT((b.tv_sec - a.tv_sec) * 1000000 + b.tv_usec - a.tv_usec >= 30000);
	EXPECT(clock_now() - before >= 30 * NSEC_PER_MSEC);
	now = time(NULL);
	/* Later than this was written, and before time_t was ever a problem. */
	EXPECT(now > 1700000000 && now < 7000000000);
	while (clock() - used < CLOCKS_PER_SEC / 20)
		;
	EXPECT(clock_now() - before >= 50 * NSEC_PER_MSEC);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void odds_and_ends(void)
{
	int numbers[] = {5, 3, 9, -1, 7}, a, b;

	qsort(numbers, 5, sizeof(int), compare);
	EXPECT(numbers[0] == -1 && numbers[4] == 9);
	EXPECT(sscanf("12 0x1f", "%d %x", &a, (unsigned int *)&b) == 2 && a == 12 && b == 31);
	EXPECT(getpid() == 1);
	EXPECT(getenv("HOME") == NULL && setenv("HOME", "here", 1) == 0 && getenv("HOME"));
	EXPECT(heap_move_end(0) != NULL && heap_move_end(-(1l << 40)) == NULL);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
    {"formats", formats},
    {"formats-in-threads", formats_in_threads},
    {"errno-in-threads", errno_in_threads},
    {"malloc-in-threads", malloc_in_threads},
    {"out-of-memory", out_of_memory},
    {"threads-give-back", threads_give_back},
    {"streams", streams},
    {"times", times},
    {"odds-and-ends", odds_and_ends},
};

int main(int argc, char **argv)
{
	int passed = 0, failed = 0;

	thread_slice = SHORT_SLICE;
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		failures = 0;
		tests[i].run();
		if (failures)
			printf("TEST %s: FAIL %s\n", tests[i].name, first_failure);
		else
			printf("TEST %s: PASS\n", tests[i].name);
		failures ? failed++ : passed++;
	}
	printf("GUEST libc: %d passed, %d failed, 0 skipped\n", passed, failed);
	return 0;
}
