/* SPDX-License-Identifier: MIT */
/*
 * What tests look at from inside a Linux that runs on the hypervisor.
 *	probe memory MIB	fill so much memory, each page in its own way; for each line of input tell whether
 *				it is all as it was; an empty line ends it
 *	probe vdso		read the clocks without a system call, and watch that they never go back
 *	probe count		count to three, for a debugger to see
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE	   4096
#define PAGE_WORDS (PAGE / sizeof(uint64_t))

void count(void);

static int fail(const char *what)
{
	printf("probe: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The word that belongs at a place: no two pages have the same, and none is likely to be there by chance. */
static uint64_t word_at(size_t page, size_t word)
{
	uint64_t x = (page * PAGE_WORDS + word + 1) * 0x9e3779b97f4a7c15;

	return x ^ x >> 29;
}

static size_t wrong_pages(const uint64_t *memory, size_t pages)
{
	size_t wrong = 0;

	for (size_t page = 0; page < pages; page++) {
		size_t word = 0;

		while (word < PAGE_WORDS && memory[page * PAGE_WORDS + word] == word_at(page, word))
			word++;
		wrong += word < PAGE_WORDS;
	}
	return wrong;
}

static int keep_memory(size_t pages)
{
	char line[80];
	uint64_t *memory =
	    mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return fail("mmap");
	for (size_t page = 0; page < pages; page++)
		for (size_t word = 0; word < PAGE_WORDS; word++)
			memory[page * PAGE_WORDS + word] = word_at(page, word);
	do {
		printf("probe: %zu pages, %zu wrong\n", pages, wrong_pages(memory, pages));
		fflush(stdout);
	} while (fgets(line, sizeof(line), stdin) && line[0] != '\n');
	return 0;
}

/* Strict seccomp: any system call but read, write and exit is the end of the process. */
static int read_clocks(void)
{
	static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
	static const char good[] = "probe: 100000 readings without a system call\n";
	struct timespec last[2] = {0}, t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* finds the vDSO */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return fail("prctl");
	for (int i = 0; i < 100000; i++) {
		int c = i & 1;

		if (clock_gettime(clocks[c], &t))
			syscall(SYS_exit, 2);
		if (t.tv_sec < last[c].tv_sec ||
		    (t.tv_sec == last[c].tv_sec && t.tv_nsec < last[c].tv_nsec))
			syscall(SYS_exit, 3);
		last[c] = t;
	}
	syscall(SYS_exit, write(1, good, sizeof(good) - 1) < 0);
	return 1;
}

volatile int counter;

__attribute__((noinline)) void count(void)
{
	for (int i = 0; i < 3; i++)
		counter++;
	printf("probe: counted to %d\n", counter);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "memory") == 0)
		return keep_memory((size_t)atol(argv[2]) << 8);
	if (argc == 2 && strcmp(argv[1], "vdso") == 0)
		return read_clocks();
	if (argc == 2 && strcmp(argv[1], "count") == 0) {
		count();
		return 0;
	}
	printf("usage: probe memory MIB | probe vdso | probe count\n");
	return 2;
}
