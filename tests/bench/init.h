/* SPDX-License-Identifier: MIT */
/* What the first programs of benchmarked Linux domains have in common. */
#ifndef BENCH_INIT_H
#define BENCH_INIT_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Say so, and stand still: the script waits for what the program prints. */
static inline void fail(const char *what)
{
	printf("BENCH failed: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	for (;;)
		pause();
}

/* Those that /modules lists, in this order. */
static inline void load_modules(void)
{
	char name[128], file[160];
	FILE *list = fopen("/modules", "r");

	if (!list)
		fail("/modules");
	while (fscanf(list, "%127s", name) == 1) {
		int fd;

		snprintf(file, sizeof(file), "/lib/%s.ko", name);
		fd = open(file, O_RDONLY);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			fail(file);
		close(fd);
	}
	fclose(list);
}

#endif
