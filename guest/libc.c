/* SPDX-License-Identifier: MIT */
/*
 * What newlib asks of the system below it: system calls, locks, a struct _reent (errno and the like) for each
 * thread; and main() on a thread of its own. Linked by guests that use newlib (libc-objects in build.mk).
 */
#include <errno.h>
#include <fcntl.h>
#include <reent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/lock.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/files.h>
#include <guest/heap.h>
#include <guest/start.h>
#include <guest/thread.h>
#include <public/sched.h>

#define USEC_PER_SEC  1000000ul
#define NSEC_PER_USEC 1000ul
#define ARGUMENTS     32

int main(int argc, char **argv);

static struct wait_queue input;
/* A character that select() has taken to know that there is one. Events masked. */
static char ahead;
static bool has_ahead;

/*
 * These set the thread's own errno. newlib's wrappers around them copy a global variable of that name on top
 * unless it is 0, which it stays.
 */

/* Files: 0 is the console's input, 1 and 2 its output; the others are those of guest_files. */

const struct guest_files *guest_files;

/* A result as these functions give it: -1 with errno set for a negative errno. */
static long result(long value)
{
	if (value >= 0)
		return value;
	errno = (int)-value;
	return -1;
}

static bool is_console(int file)
{
	return file >= STDIN_FILENO && file <= STDERR_FILENO;
}

static int own_number(int file)
{
	return file - STDERR_FILENO - 1;
}

_READ_WRITE_RETURN_TYPE write(int file, const void *data, size_t size)
{
	if (file == STDOUT_FILENO || file == STDERR_FILENO) {
		console_write(data, size);
		return (_READ_WRITE_RETURN_TYPE)size;
	}
	if (is_console(file) || !guest_files)
		return (_READ_WRITE_RETURN_TYPE)result(-EBADF);
	return (_READ_WRITE_RETURN_TYPE)result(guest_files->write(own_number(file), data, size));
}

/* What was typed, as it was typed; waits for the first character. */
static size_t read_console(void *buffer, size_t size)
{
	size_t got = 0;
	bool masked = events_save();

	if (size && has_ahead) {
		*(char *)buffer = ahead;
		has_ahead = false;
		got = 1;
	}
	while (size && got == 0 && (got = console_read(buffer, size)) == 0)
		wait_on(&input, 0);
	events_restore(masked);
	return got;
}

_READ_WRITE_RETURN_TYPE read(int file, void *buffer, size_t size)
{
	if (file == STDIN_FILENO)
		return (_READ_WRITE_RETURN_TYPE)read_console(buffer, size);
	if (is_console(file) || !guest_files)
		return (_READ_WRITE_RETURN_TYPE)result(-EBADF);
	return (_READ_WRITE_RETURN_TYPE)result(guest_files->read(own_number(file), buffer, size));
}

/* Wait for input of the console, until a system time (0: for ever); false when there is none by then. */
static bool wait_for_input(uint64_t deadline)
{
	bool masked = events_save(), ready;

	while (!has_ahead && !(has_ahead = console_read(&ahead, 1)) && wait_on(&input, deadline))
		;
	ready = has_ahead;
	events_restore(masked);
	return ready;
}

/* Files other than the console's input never make their reader or writer wait. */
int select(int count, fd_set *reads, fd_set *writes, fd_set *exceptions, struct timeval *timeout)
{
	uint64_t deadline = 0;
	int ready = 0;

	if (timeout)
		deadline = clock_now() + (uint64_t)timeout->tv_sec * NSEC_PER_SEC +
			   (uint64_t)timeout->tv_usec * NSEC_PER_USEC;
	if (exceptions)
		FD_ZERO(exceptions);
	for (int file = 0; file < count; file++) {
		if (reads && FD_ISSET(file, reads) && file != STDIN_FILENO)
			ready++;
		if (writes && FD_ISSET(file, writes))
			ready++;
	}
	if (!reads || count <= STDIN_FILENO || !FD_ISSET(STDIN_FILENO, reads))
		return ready;
	if (wait_for_input(ready ? 1 : deadline))
		return ready + 1;
	FD_CLR(STDIN_FILENO, reads);
	return ready;
}

int close(int file)
{
	if (is_console(file))
		return 0;
	return (int)result(guest_files ? guest_files->close(own_number(file)) : -EBADF);
}

int fstat(int file, struct stat *status)
{
	memset(status, 0, sizeof(*status));
	if (!is_console(file))
		return (int)result(guest_files ? guest_files->status(own_number(file), status)
					       : -EBADF);
	status->st_mode = S_IFCHR;
	return 0;
}

int stat(const char *path, struct stat *status)
{
	memset(status, 0, sizeof(*status));
	return (int)result(guest_files ? guest_files->path_status(path, status) : -ENOENT);
}

int isatty(int file)
{
	if (is_console(file))
		return 1;
	errno = ENOTTY;
	return 0;
}

off_t lseek(int file, off_t offset, int from)
{
	if (is_console(file))
		return result(-ESPIPE);
	return result(guest_files ? guest_files->seek(own_number(file), offset, from) : -EBADF);
}

int open(const char *path, int flags, ...)
{
	long file = guest_files ? guest_files->open(path, flags) : -ENOENT;

	return (int)(file < 0 ? result(file) : file + STDERR_FILENO + 1);
}

int fsync(int file)
{
	if (is_console(file) || !guest_files || !guest_files->sync)
		return (int)result(-EINVAL);
	return (int)result(guest_files->sync(own_number(file)));
}

int ftruncate(int file, off_t size)
{
	if (is_console(file) || !guest_files || !guest_files->truncate)
		return (int)result(-EINVAL);
	return (int)result(guest_files->truncate(own_number(file), size));
}

int unlink(const char *path)
{
	return (int)result(guest_files && guest_files->remove ? guest_files->remove(path) : -EROFS);
}

int rmdir(const char *path)
{
	return unlink(path);
}

int rename(const char *from, const char *to)
{
	return (int)result(guest_files && guest_files->rename ? guest_files->rename(from, to)
							      : -EROFS);
}

int mkdir(const char *path, mode_t mode)
{
	return (int)result(guest_files && guest_files->make_directory
			       ? guest_files->make_directory(path)
			       : -EROFS);
}

void *sbrk(ptrdiff_t bytes)
{
	void *before = heap_move_end(bytes);

	if (before)
		return before;
	errno = ENOMEM;
	return (void *)-1;
}

/* The domain is the one process. */

pid_t getpid(void)
{
	return 1;
}

int kill(pid_t process, int signal)
{
	panic("ended by signal %d", signal);
}

void _exit(int status)
{
	if (status)
		panic("ended with status %d", status);
	shutdown(SHUTDOWN_poweroff);
}

/* Time */

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
	uint64_t now = clock_wall_base() + clock_now();

	time->tv_sec = (time_t)(now / NSEC_PER_SEC);
	time->tv_usec = (suseconds_t)(now % NSEC_PER_SEC / NSEC_PER_USEC);
	return 0;
}

clock_t times(struct tms *times)
{
	uint64_t now = clock_now();

	*times = (struct tms){0};
	times->tms_utime = (clock_t)((now - threads_idle_time()) / (NSEC_PER_SEC / CLOCKS_PER_SEC));
	return (clock_t)(now / (NSEC_PER_SEC / CLOCKS_PER_SEC));
}

int usleep(useconds_t microseconds)
{
	thread_sleep(microseconds * NSEC_PER_USEC);
	return 0;
}

unsigned int sleep(unsigned int seconds)
{
	thread_sleep(seconds * NSEC_PER_SEC);
	return 0;
}

/* Locks: newlib's two kinds in one; only the recursive ones ever count beyond 1. */

struct __lock {
	struct mutex mutex;
	unsigned int depth;
};

struct __lock __lock___sinit_recursive_mutex, __lock___sfp_recursive_mutex,
    __lock___atexit_recursive_mutex, __lock___at_quick_exit_mutex, __lock___malloc_recursive_mutex,
    __lock___env_recursive_mutex, __lock___tz_mutex, __lock___dd_hash_mutex,
    __lock___arc4random_mutex;

void __retarget_lock_init(_LOCK_T *lock)
{
	*lock = calloc(1, sizeof(**lock));
	if (!*lock)
		panic("no memory for a lock");
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
	__retarget_lock_init(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
	free(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
	free(lock);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
	mutex_lock(&lock->mutex);
	lock->depth = 1;
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
	if (mutex_is_mine(&lock->mutex))
		lock->depth++;
	else
		__retarget_lock_acquire(lock);
}

int __retarget_lock_try_acquire(_LOCK_T lock)
{
	if (!mutex_try_lock(&lock->mutex))
		return 0;
	lock->depth = 1;
	return 1;
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
	if (!mutex_is_mine(&lock->mutex))
		return __retarget_lock_try_acquire(lock);
	lock->depth++;
	return 1;
}

void __retarget_lock_release(_LOCK_T lock)
{
	mutex_unlock(&lock->mutex);
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
	if (--lock->depth == 0)
		mutex_unlock(&lock->mutex);
}

/* Threads: the first one has newlib's global structure. */

static void reent_create(void *memory)
{
	struct _reent *reent = memory;

	_REENT_INIT_PTR_ZEROED(reent);
}

static void reent_activate(void *memory)
{
	_impure_ptr = memory ? memory : _GLOBAL_REENT;
}

static void reent_destroy(void *memory)
{
	struct _reent *reent = memory;
	struct _Bigint *power = _REENT_MP_P5S(reent), *next;

	/* The powers of five that conversions keep are left out by newlib's own clean-up. */
	for (; power; power = next) {
		next = power->_next;
		free(power);
	}
	_reclaim_reent(reent);
}

static const struct thread_local_memory reents = {
    .size = sizeof(struct _reent),
    .create = reent_create,
    .activate = reent_activate,
    .destroy = reent_destroy,
};

static void on_input(void)
{
	wake_all(&input);
}

bool console_has_input(void)
{
	bool masked = events_save(), ready;

	if (!has_ahead)
		has_ahead = console_read(&ahead, 1) != 0;
	ready = has_ahead;
	events_restore(masked);
	return ready;
}

struct wait_queue *console_typed(void)
{
	return &input;
}

/* The domain's command line, a word an argument, after a name as C programs expect it. */
static int split_arguments(char **argv)
{
	static char words[sizeof(start_info->cmd_line) + 1];
	char *rest = words;
	int argc = 1;

	memcpy(words, start_info->cmd_line, sizeof(start_info->cmd_line));
	argv[0] = (char *)"guest";
	while (argc < ARGUMENTS && (argv[argc] = strtok_r(NULL, " \t", &rest)) != NULL)
		argc++;
	argv[argc] = NULL;
	return argc;
}

static void run_main(void *unused)
{
	static char *argv[ARGUMENTS + 1];

	exit(main(split_arguments(argv), argv));
}

void guest_main(void)
{
	struct thread *thread;
	long error;

	thread_local_memory = &reents;
	error = threads_init("start");
	if (error)
		panic("no timer: %ld", error);
	error = console_notify(on_input);
	if (error)
		printk("no console input: %ld\n", error);
	thread = thread_create("main", run_main, NULL);
	if (!thread)
		panic("no memory for the first thread");
	thread_join(thread);
}
