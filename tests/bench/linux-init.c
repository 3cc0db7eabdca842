/* SPDX-License-Identifier: MIT */
/*
 * The first program of a Linux: says when it started, measures what Linux leaves to the hypervisor, and stops.
 *
 * Each figure is the mean of several operations, by the time stamp counter, after a few that warm up.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE_BYTES 4096

static void fail(const char *what)
{
	perror(what);
	printf("BENCH failed\n");
	fflush(stdout);
	for (;;)
		pause();
}

static void syscalls(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++)
		syscall(SYS_getppid);
}

/* A fresh page each time: the fault, its page zeroed, its entry written. Mapping and unmapping are included. */
static void page_faults(unsigned int times)
{
	size_t bytes = (size_t)times * PAGE_BYTES;
	volatile char *area =
	    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		fail("mmap");
	madvise((void *)area, bytes, MADV_NOHUGEPAGE);
	for (unsigned int i = 0; i < times; i++)
		area[(size_t)i * PAGE_BYTES] = 1;
	munmap((void *)area, bytes);
}

/* A byte to another process and back: two system calls each side, and two switches. */
static void ping_pongs(unsigned int times)
{
	int there[2], back[2];
	char byte = 0;
	pid_t child;

	if (pipe(there) || pipe(back))
		fail("pipe");
	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		close(there[1]);
		while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(there[0]);
	for (unsigned int i = 0; i < times; i++) {
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			fail("ping-pong");
	}
	close(there[1]);
	waitpid(child, NULL, 0);
	close(back[0]);
	close(back[1]);
}

static void forks(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		int status;
		pid_t child = fork();

		if (child < 0)
			fail("fork");
		if (child == 0) {
			execl("/init", "/init", "exit", (char *)NULL);
			_exit(1);
		}
		if (waitpid(child, &status, 0) != child || status)
			fail("exec");
	}
}

static void measure(const char *name, void (*operation)(unsigned int times), unsigned int times)
{
	uint64_t start;

	operation(times / 10);
	start = __rdtsc();
	operation(times);
	printf("BENCH %s %llu\n", name, (unsigned long long)(__rdtsc() - start) / times);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint64_t start = __rdtsc();

	if (argc > 1 && strcmp(argv[1], "exit") == 0)
		return 0;
	printf("BENCH init %llu\n", (unsigned long long)start);
	fflush(stdout);
	measure("syscall", syscalls, 2000);
	measure("page-fault", page_faults, 2000);
	measure("ping-pong", ping_pongs, 2000);
	measure("fork-exec", forks, 200);
	printf("BENCH end\n");
	fflush(stdout);
	for (;;)
		pause();
}
