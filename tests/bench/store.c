/* SPDX-License-Identifier: MIT */
/*
 * What a request to the store costs, in instructions: a child makes requests through rings, as the unit tests do,
 * and its parent steps it through each, from the bytes in the ring to the answer in the ring. On the host, with its
 * C library's memory functions; without event channels and threads.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "store_client.h"

/* To the parent: the next measurement begins, or ends. */
static void mark(void)
{
	__asm__ volatile("int3");
}

static void measure(uint32_t type, uint32_t tx, const void *payload, size_t size)
{
	struct xsd_sockmsg header = {.type = type, .req_id = 1, .tx_id = tx, .len = (uint32_t)size};

	client_put(&clients[1], &header, sizeof(header));
	client_put(&clients[1], payload, size);
	mark();
	while (store_step(store))
		;
	mark();
	client_receive(&clients[1]);
	run_store();
}

static const char *const names[] = {
    "read",
    "write",
    "write, watched by dom0",
    "create, watched",
    "remove, watched",
    "list 40 names",
    "read in a transaction",
    "write in a transaction",
    "commit of that",
};

static void make_requests(void)
{
	char path[64];
	uint32_t tx;

	world_begin(4);
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "/local/domain/1/data/k%d", i);
		client_write(&clients[0], 0, path, "12345");
	}
	measure(XS_READ, 0, "data/k7", 8);
	measure(XS_WRITE, 0, "data/k7\0abcde", 13);
	client_strings(&clients[0], XS_WATCH, 0, "/local/domain/1/data", "t", NULL);
	measure(XS_WRITE, 0, "data/k7\0abcde", 13);
	measure(XS_WRITE, 0, "data/new\0abcde", 14);
	measure(XS_RM, 0, "data/new", 9);
	measure(XS_DIRECTORY, 0, "data", 5);
	tx = client_begin(&clients[1]);
	measure(XS_READ, tx, "data/k7", 8);
	measure(XS_WRITE, tx, "data/k7\0abcde", 13);
	measure(XS_TRANSACTION_END, tx, "T", 2);
	world_end();
}

int main(void)
{
	pid_t child = fork();
	bool measuring = false;
	unsigned int done = 0;
	long count = 0;
	siginfo_t signal;
	int status;

	if (child < 0) {
		perror("fork");
		return 1;
	}
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		make_requests();
		_exit(0);
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		ptrace(PTRACE_GETSIGINFO, child, NULL, &signal);
		if (WSTOPSIG(status) != SIGTRAP)
			break;
		if (signal.si_code != SI_KERNEL) {
			count++;
		} else if (measuring) {
			printf("%-24s %6ld\n", names[done++], count);
			measuring = false;
		} else {
			measuring = true;
			count = 0;
		}
		ptrace(measuring ? PTRACE_SINGLESTEP : PTRACE_CONT, child, NULL, NULL);
	}
	if (done == sizeof(names) / sizeof(names[0]))
		return 0;
	kill(child, SIGKILL);
	fprintf(stderr, "store: the requests could not be stepped through\n");
	return 1;
}
