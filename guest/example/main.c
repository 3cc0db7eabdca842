/* SPDX-License-Identifier: MIT */
/*
 * A small guest: where to start from when writing or porting a kernel. It says hello on its console, uses the store,
 * obeys `xl shutdown` and `xl reboot`, and has a little shell, whose first line is the domain's arguments. All below it is guest/ (the machine as a PV guest
 * sees it) and pv-drivers/ (the store's client); docs/porting.md tells how those hang together.
 *
 * Two threads: the first one reads the console, the other one calls what watches of the store fire.
 */
#include "disk.h"
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/thread.h>
#include <public/errno.h>
#include <public/sched.h>
#include <pv-drivers/xs.h>
#include <pv-drivers/xs_ring.h>

#define LINE  128
#define WORDS 4

static struct xs xs;
static bool connected; /* the store is there */
static struct wait_queue typed;

/*
 * The toolstack asks a domain to end by writing a word to control/shutdown. The domain answers by emptying the node,
 * and then does it. Both in one transaction, so that no word is lost that is written meanwhile.
 */
static long take_request(char *word, size_t size)
{
	xs_transaction t;
	long length, error;

	do {
		error = xs_transaction_start(&xs, &t);
		if (error)
			return error;
		length = xs_read(&xs, t, "control/shutdown", word, size);
		if (length > 0)
			error = xs_write(&xs, t, "control/shutdown", "", 0);
		if (length <= 0 || error) {
			xs_transaction_end(&xs, t, false);
			return error ? error : length;
		}
		error = xs_transaction_end(&xs, t, true);
	} while (error == -XEN_EAGAIN);
	return error ? error : length;
}

static void on_shutdown(struct xs_watch *watch, const char *path)
{
	char word[16];

	/* A watch fires once at first, and when we empty the node: nothing to do then. */
	if (take_request(word, sizeof(word)) <= 0)
		return;
	printk("shutdown: asked to %s\n", word);
	if (!strcmp(word, "poweroff") || !strcmp(word, "halt"))
		shutdown(SHUTDOWN_poweroff);
	if (!strcmp(word, "reboot"))
		shutdown(SHUTDOWN_reboot);
	if (!strcmp(word, "crash"))
		shutdown(SHUTDOWN_crash);
	printk("shutdown: this guest cannot %s\n", word);
}

static struct xs_watch shutdown_watch = {.path = "control/shutdown", .fired = on_shutdown};

/* Tell the toolstack what we answer to. A toolstack that made no such nodes lets us write none: no harm. */
static void announce(void)
{
	xs_write(&xs, 0, "control/feature-poweroff", "1", 1);
	xs_write(&xs, 0, "control/feature-reboot", "1", 1);
}

/* Paths that do not begin with '/' are below our own directory, /local/domain/N. */
static void use_store(void)
{
	char value[32];
	long error = xs_printf(&xs, 0, "data/example", "hello at %lu", clock_now());

	if (error) {
		printk("store: data/example: error %ld\n", error);
		return;
	}
	error = xs_read(&xs, 0, "data/example", value, sizeof(value));
	if (error > 0)
		printk("store: data/example is \"%s\"\n", value);
	else
		printk("store: data/example: error %ld\n", error);
}

static void connect_store(void)
{
	long error = xs_connect_ring(&xs);
	uint64_t domid;

	if (!error)
		error = xs_dispatch_thread(&xs, "watches");
	if (!error)
		error = xs_read_number(&xs, 0, "domid", &domid);
	if (error) {
		printk("store: not there, error %ld\n", error);
		return;
	}
	connected = true;
	printk("store: this is domain %lu\n", domid);
	announce();
	error = xs_watch(&xs, &shutdown_watch);
	if (error)
		printk("store: no watch, error %ld\n", error);
}

/*
 * The shell
 */

static void on_input(void)
{
	wake_all(&typed);
}

/* Whatever has been typed; sleeps until it has. Between the look and the sleep no event gets in. */
static size_t read_console(char *buffer, size_t size)
{
	bool masked = events_save();
	size_t count;

	while ((count = console_read(buffer, size)) == 0)
		wait_on(&typed, 0);
	events_restore(masked);
	return count;
}

struct command {
	const char *name, *usage;
	void (*run)(char **words);
};

static void run_help(char **words);

static void run_echo(char **words)
{
	for (unsigned int i = 1; i < WORDS && words[i]; i++)
		printk("%s%s", i > 1 ? " " : "", words[i]);
	printk("\n");
}

static void run_uptime(char **words)
{
	uint64_t now = clock_now();

	printk("up %lu.%03lu s; %lu of %lu pages free\n", now / NSEC_PER_SEC,
	       now % NSEC_PER_SEC / NSEC_PER_MSEC, pages_available(), pages_total());
}

/* Work as fast as possible, and tell how much was done in each second of the machine's time. */
static void run_spin(char **words)
{
	unsigned int seconds = 0;

	for (const char *c = words[1] ? words[1] : "10"; *c >= '0' && *c <= '9'; c++)
		seconds = seconds * 10 + (unsigned int)(*c - '0');
	for (unsigned int i = 1; i <= seconds; i++) {
		uint64_t end = clock_now() + NSEC_PER_SEC;
		unsigned long rounds = 0;

		while (clock_now() < end)
			rounds++;
		printk("spin: second %u, %lu rounds\n", i, rounds);
	}
	printk("spin: done\n");
}

static void run_store(char **words)
{
	char value[1024];
	long result = -XEN_EINVAL;

	if (!connected) {
		printk("store: not there\n");
		return;
	}
	if (words[1] && words[2] && !strcmp(words[1], "read")) {
		result = xs_read(&xs, 0, words[2], value, sizeof(value));
		if (result >= 0)
			printk("%s\n", value);
	} else if (words[1] && words[2] && !strcmp(words[1], "list")) {
		result = xs_directory(&xs, 0, words[2], value, sizeof(value));
		for (const char *name = NULL; (name = xs_next_name(value, result, name)) != NULL;)
			printk("%s\n", name);
	} else if (words[1] && words[2] && words[3] && !strcmp(words[1], "write")) {
		result = xs_write(&xs, 0, words[2], words[3], strlen(words[3]));
	}
	if (result < 0)
		printk("store: error %ld\n", result);
}

static void run_disk(char **words)
{
	if (connected)
		disk_command(&xs, words);
	else
		printk("store: not there\n");
}

static void run_crash(char **words)
{
	panic("asked to crash");
}

static void run_poweroff(char **words)
{
	shutdown(SHUTDOWN_poweroff);
}

static void run_reboot(char **words)
{
	shutdown(SHUTDOWN_reboot);
}

static const struct command commands[] = {
    {"help", "", run_help},
    {"echo", "[WORD...]", run_echo},
    {"uptime", "", run_uptime},
    {"spin", "[SECONDS]", run_spin},
    {"store", "read PATH | list PATH | write PATH VALUE", run_store},
    {"disk", "list | sum NAME | write NAME FIRST COUNT BYTE", run_disk},
    {"crash", "", run_crash},
    {"poweroff", "", run_poweroff},
    {"reboot", "", run_reboot},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void run_help(char **words)
{
	for (unsigned int i = 0; i < COMMANDS; i++)
		printk("  %s %s\n", commands[i].name, commands[i].usage);
}

/* Cut the line into words, in place; the last one keeps the rest of it. */
static void run_line(char *line)
{
	char *words[WORDS + 1] = {NULL};
	unsigned int count = 0;

	while (count < WORDS) {
		while (*line == ' ')
			line++;
		if (!*line)
			break;
		words[count++] = line;
		while (count < WORDS && *line && *line != ' ')
			line++;
		if (count < WORDS && *line)
			*line++ = 0;
	}
	if (!count)
		return;
	for (unsigned int i = 0; i < COMMANDS; i++) {
		if (!strcmp(commands[i].name, words[0])) {
			commands[i].run(words);
			return;
		}
	}
	printk("%s: unknown command; `help` lists them\n", words[0]);
}

static _Noreturn void shell(void)
{
	char line[LINE], keys[32];
	size_t length = 0;

	/* The domain's arguments are the first command. */
	memcpy(line, start_info->cmd_line, sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	run_line(line);
	printk("example> ");
	for (;;) {
		size_t count = read_console(keys, sizeof(keys));

		for (size_t i = 0; i < count; i++) {
			if (keys[i] == '\r' || keys[i] == '\n') {
				printk("\n");
				line[length] = 0;
				length = 0;
				run_line(line);
				printk("example> ");
			} else if ((keys[i] == '\b' || keys[i] == 0x7f) && length) {
				length--;
				printk("\b \b");
			} else if (keys[i] >= ' ' && keys[i] < 0x7f && length < LINE - 1) {
				line[length++] = keys[i];
				console_write(&keys[i], 1);
			}
		}
	}
}

void guest_main(void)
{
	long error = threads_init("shell");

	if (error)
		panic("no timer, error %ld", error);
	error = console_notify(on_input);
	if (error)
		printk("console: no input, error %ld\n", error);
	printk("Hello from the example guest, with %lu KiB of memory\n", pages_total() * 4);
	connect_store();
	if (connected)
		use_store();
	shell();
}
