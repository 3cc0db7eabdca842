/* SPDX-License-Identifier: MIT */
/*
 * The first program of a Linux that has a disk: loads the modules that /modules lists, waits for /dev/xvda, and does operations
 * on it, with marks (mark.h) around each kind. Direct I/O: each operation is a request of the front half's.
 */
#define _GNU_SOURCE
#include "init.h"
#include "mark.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DISK_BYTES (128ull << 20)
#define TIMES	   416
#define DEPTH	   32

static char *buffer;
static int disk;

static int open_disk(void)
{
	const struct timespec pause_a_little = {.tv_nsec = 10000000};

	for (unsigned int i = 0; i < 1000; i++) {
		int fd = open("/dev/xvda", O_RDWR | O_DIRECT);

		if (fd >= 0)
			return fd;
		nanosleep(&pause_a_little, NULL);
	}
	fail("/dev/xvda");
	return -1;
}

/* The same places in each run. */
static off_t random_place(void)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (off_t)(state % (DISK_BYTES / 4096) * 4096);
}

static void read_random(unsigned int i)
{
	if (pread(disk, buffer, 4096, random_place()) != 4096)
		fail("read");
}

static void write_random(unsigned int i)
{
	if (pwrite(disk, buffer, 4096, random_place()) != 4096)
		fail("write");
}

static void read_sequential(unsigned int i)
{
	if (pread(disk, buffer, 65536, (off_t)i * 65536) != 65536)
		fail("read");
}

static void write_sequential(unsigned int i)
{
	if (pwrite(disk, buffer, 65536, (off_t)i * 65536) != 65536)
		fail("write");
}

static void flush(unsigned int i)
{
	if (fdatasync(disk))
		fail("flush");
}

static aio_context_t context;

/* Submit all that there are, and wait for all: DEPTH operations. */
static void many(int opcode)
{
	static struct iocb blocks[DEPTH], *list[DEPTH];
	static struct io_event events[DEPTH];

	for (unsigned int i = 0; i < DEPTH; i++) {
		blocks[i] = (struct iocb){
		    .aio_fildes = (uint32_t)disk,
		    .aio_lio_opcode = (uint16_t)opcode,
		    .aio_buf = (uint64_t)buffer + i * 4096,
		    .aio_nbytes = 4096,
		    .aio_offset = random_place(),
		};
		list[i] = &blocks[i];
	}
	if (syscall(SYS_io_submit, context, DEPTH, list) != DEPTH ||
	    syscall(SYS_io_getevents, context, DEPTH, DEPTH, events, NULL) != DEPTH)
		fail("aio");
}

static void read_many(unsigned int i)
{
	if (i % DEPTH == 0)
		many(IOCB_CMD_PREAD);
}

static void write_many(unsigned int i)
{
	if (i % DEPTH == 0)
		many(IOCB_CMD_PWRITE);
}

/* Marks 2n and 2n + 1 around them. */
#define MEASURE(n, operation)                            \
	do {                                             \
		for (unsigned int i = 0; i < 64; i++)    \
			operation(i);                    \
		bench_mark(2 * (n));                     \
		for (unsigned int i = 0; i < TIMES; i++) \
			operation(i);                    \
		bench_mark(2 * (n) + 1);                 \
	} while (0)
_Static_assert(TIMES % DEPTH == 0, "whole rounds");

int main(void)
{
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	disk = open_disk();
	if (posix_memalign((void **)&buffer, 4096, DEPTH * 4096) ||
	    syscall(SYS_io_setup, DEPTH, &context))
		fail("memory");
	memset(buffer, 0x5a, DEPTH * 4096);
	MEASURE(1, read_random);
	MEASURE(2, write_random);
	MEASURE(3, read_sequential);
	MEASURE(4, write_sequential);
	MEASURE(5, flush);
	MEASURE(6, read_many);
	MEASURE(7, write_many);
	printf("BENCH end\n");
	fflush(stdout);
	for (;;)
		pause();
}
