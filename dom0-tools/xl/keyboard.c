/* SPDX-License-Identifier: MIT */
#include "xl/keyboard.h"
#include <stdio.h>
#include <unistd.h>
#include <sys/select.h>
#include <guest/clock.h>
#include <guest/thread.h>
#include "shell.h"

static int read_key(uint64_t deadline)
{
	uint64_t now = clock_now(), left = deadline > now ? deadline - now : 0;
	struct timeval timeout = {.tv_sec = (time_t)(left / NSEC_PER_SEC),
				  .tv_usec = (suseconds_t)(left % NSEC_PER_SEC / 1000)};
	unsigned char key;
	fd_set reads;

	FD_ZERO(&reads);
	FD_SET(STDIN_FILENO, &reads);
	if (select(STDIN_FILENO + 1, &reads, NULL, NULL, &timeout) != 1 ||
	    read(STDIN_FILENO, &key, 1) != 1)
		return KEY_NONE;
	return key;
}

/* A visitor over the network has no keys, but may leave. */
static int await_leaving(uint64_t deadline)
{
	thread_sleep_until(deadline);
	return ferror(stdout) ? KEY_CTRL_C : KEY_NONE;
}

int key_wait(uint64_t deadline)
{
	bool running = shell_let_others();
	int key = shell_is_remote() ? await_leaving(deadline) : read_key(deadline);

	shell_go_on(running);
	return key;
}
