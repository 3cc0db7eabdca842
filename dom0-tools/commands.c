/* SPDX-License-Identifier: MIT */
#include "shell.h"
#include "block/commands.h"
#include "block/service.h"
#include "console/console.h"
#include "control/control.h"
#include "xl/xl.h"
#include "files/commands.h"
#include "nbd/source.h"
#include "net/address.h"
#include "net/network.h"
#include "net/vif.h"
#include "pci/commands.h"
#include "power.h"
#include "remote/remote.h"
#include "store/commands.h"
#include "volume/commands.h"
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <guest/clock.h>
#include <guest/heap.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/thread.h>
#include <guest/vcpu.h>
#include <public/sched.h>

static double seconds(uint64_t nanoseconds)
{
	return (double)nanoseconds / NSEC_PER_SEC;
}

static const char *plural(unsigned long count)
{
	return count == 1 ? "" : "s";
}

static int refused(const char *name, long error)
{
	printf("%s: %s\n", name, strerror((int)-error));
	return 1;
}

/* info */

static void show_memory(unsigned long pages)
{
	if (pages % 256 == 0)
		printf("%lu MiB", pages / 256);
	else
		printf("%lu KiB", pages * 4);
}

static void show_hypervisor(void)
{
	char version[32], text[1024];
	struct xen_compile_info built = {0};
	struct xen_sysctl_physinfo machine;
	long error;

	control_version(version, sizeof(version));
	control_text(XENVER_capabilities, text, sizeof(xen_capabilities_info_t));
	printf("hypervisor    %s; runs %s\n", version, text);
	if (hypercall_xen_version(XENVER_compile_info, &built) == 0)
		printf("built         %.32s%sby %.64s\n", built.compile_date,
		       built.compile_date[0] ? " " : "", built.compiler);
	control_text(XENVER_changeset, text, sizeof(xen_changeset_info_t));
	if (text[0])
		printf("changeset     %s\n", text);
	control_text(XENVER_commandline, text, sizeof(xen_commandline_t));
	printf("its options   %s\n", text);
	error = control_physinfo(&machine);
	if (error) {
		printf("machine       unknown: %s\n", strerror((int)-error));
		return;
	}
	printf("machine       %u CPU%s, %u MHz; %" PRIu64 " MiB, %" PRIu64 " MiB free\n",
	       machine.nr_cpus, plural(machine.nr_cpus), machine.cpu_khz / 1000,
	       machine.total_pages / 256, machine.free_pages / 256);
}

void show_info(void)
{
	unsigned int vcpus = vcpu_count();

	show_hypervisor();
	printf("this domain   ");
	show_memory(pages_total());
	printf(", %u vCPU%s%s\n", vcpus, plural(vcpus),
	       is_initial_domain() ? "; the initial domain" : "");
	printf("arguments     %.*s\n", (int)sizeof(start_info->cmd_line),
	       (const char *)start_info->cmd_line);
	if (start_info->mod_len)
		printf("module        %lu bytes at %#lx\n", start_info->mod_len,
		       start_info->mod_start);
	else
		printf("module        none\n");
}

static int run_info(int argc, char **argv)
{
	show_info();
	return 0;
}

/* dmesg */

/* All of the log, to be freed; its length in *length, which is an errno when NULL is returned. */
static char *read_log(long *length)
{
	size_t size = 0, used = 0;
	char *text = NULL, *bigger;
	uint32_t index = 0;
	long count;

	do {
		if (used == size) {
			size = size ? 2 * size : 16384;
			bigger = realloc(text, size);
			if (!bigger) {
				free(text);
				*length = -ENOMEM;
				return NULL;
			}
			text = bigger;
		}
		count = control_log_read(text + used, size - used, &index);
		if (count < 0) {
			free(text);
			*length = count;
			return NULL;
		}
		used += (size_t)count;
	} while (count);
	*length = (long)used;
	return text;
}

/* Read to its end before any of it is printed: what we print may be logged too. */
static int run_dmesg(int argc, char **argv)
{
	char *text;
	long length, error;

	if (argc > 1 && strcmp(argv[1], "-c") != 0) {
		printf("dmesg: there is no option '%s'\n", argv[1]);
		return 1;
	}
	text = read_log(&length);
	if (!text)
		return refused("dmesg", length);
	fwrite(text, 1, (size_t)length, stdout);
	if (length && text[length - 1] != '\n')
		printf("\n");
	free(text);
	error = argc > 1 ? control_log_clear() : 0;
	return error ? refused("dmesg", error) : 0;
}

/* threads */

static int run_threads(int argc, char **argv)
{
	static const char *const states[] = {
	    [THREAD_RUNNING] = "running",   [THREAD_READY] = "ready", [THREAD_WAITING] = "waiting",
	    [THREAD_SLEEPING] = "sleeping", [THREAD_ENDED] = "ended",
	};
	unsigned int count = threads_describe(NULL, 0);
	struct thread_info *threads = calloc(count, sizeof(*threads));
	unsigned int found;

	if (!threads) {
		printf("threads: out of memory\n");
		return 1;
	}
	found = threads_describe(threads, count);
	if (found < count)
		count = found;
	printf("  ID  NAME             STATE      CPU SECONDS   SWITCHES   STACK USED\n");
	for (unsigned int i = 0; i < count; i++) {
		const struct thread_info *thread = &threads[i];

		printf("%4u  %-15s  %-8s  %12.3f  %9" PRIu64 "  %5zu of %5zu\n", thread->id,
		       thread->name, states[thread->state], seconds(thread->run_time),
		       thread->switches, thread->stack_used, thread->stack_size);
	}
	printf("      (idle)                     %12.3f\n", seconds(threads_idle_time()));
	free(threads);
	return 0;
}

/* free */

static void show_amount(const char *what, unsigned long bytes)
{
	printf("%-24s  %8lu KiB\n", what, bytes / 1024);
}

/*
 * Bytes that malloc has given out. newlib's malloc fills in ten ints, whatever its header says of the structure: this one
 * is the eighth.
 */
static unsigned int heap_allocated(void)
{
	struct mallinfo info = mallinfo();
	unsigned int fields[10];

	memcpy(fields, &info, sizeof(fields));
	return fields[7];
}

static int run_free(int argc, char **argv)
{
	struct xen_sysctl_physinfo machine;

	printf("memory of this domain\n");
	show_amount("all", pages_total() * PAGE_SIZE);
	show_amount("image and start of day", (pages_total() - pages_usable()) * PAGE_SIZE);
	show_amount("used since", (pages_usable() - pages_available()) * PAGE_SIZE);
	show_amount("  of that, heap", heap_size());
	/* To the byte: what is not given back must show, however little it is. */
	printf("%-24s  %8u bytes\n", "    of that, allocated", heap_allocated());
	show_amount("free", pages_available() * PAGE_SIZE);
	if (control_physinfo(&machine) == 0) {
		printf("memory of the machine\n");
		show_amount("all", machine.total_pages * PAGE_SIZE);
		show_amount("free", machine.free_pages * PAGE_SIZE);
	}
	return 0;
}

/* Time */

static int run_uptime(int argc, char **argv)
{
	uint64_t now = clock_now(), whole = now / NSEC_PER_SEC;

	printf("up %.3f s (%" PRIu64 " d %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64
	       "), idle %.1f %%\n",
	       seconds(now), whole / 86400, whole / 3600 % 24, whole / 60 % 60, whole % 60,
	       100 * seconds(threads_idle_time()) / seconds(now));
	return 0;
}

static int run_date(int argc, char **argv)
{
	time_t now = time(NULL);
	struct tm split;
	char text[64];

	gmtime_r(&now, &split);
	strftime(text, sizeof(text), "%a %b %e %H:%M:%S UTC %Y", &split);
	printf("%s\n", text);
	return 0;
}

/* The shell itself */

static void show_usage(const struct command *command)
{
	printf("%s%s%s: %s\n", command->name, command->arguments[0] ? " " : "", command->arguments,
	       command->summary);
	if (command->details)
		printf("%s\n", command->details);
}

static int run_help(int argc, char **argv)
{
	const struct command *command;

	if (argc > 1) {
		command = command_find(argv[1]);
		if (!command) {
			printf("help: there is no command '%s'\n", argv[1]);
			return 1;
		}
		show_usage(command);
		return 0;
	}
	for (command = commands; command->name; command++) {
		char usage[32];

		snprintf(usage, sizeof(usage), "%s %s", command->name, command->arguments);
		printf("  %-20s  %s\n", usage, command->summary);
	}
	printf(
	    "`help COMMAND` tells more. Keys: arrows, Home, End, Delete, Tab; Ctrl-A E B F P N,\n"
	    "Ctrl-K U W erase to the end, the start, a word; Ctrl-C gives a line up, Ctrl-L clears.\n");
	return 0;
}

static int run_history(int argc, char **argv)
{
	const char *text;

	for (unsigned int n = LINE_HISTORY; n; n--)
		if ((text = line_recall(&shell_line, n)) != NULL)
			printf("%5u  %s\n", shell_line.entered - n + 1, text);
	return 0;
}

static int run_echo(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		printf("%s%s", i > 1 ? " " : "", argv[i]);
	printf("\n");
	return 0;
}

static int run_clear(int argc, char **argv)
{
	printf("\x1b[H\x1b[2J");
	return 0;
}

static int run_sleep(int argc, char **argv)
{
	char *end = NULL;
	double time = argc > 1 ? strtod(argv[1], &end) : 0;
	bool running;

	if (argc < 2 || end == argv[1] || *end || !(time >= 0 && time <= 1e6)) {
		printf("sleep: how many seconds?\n");
		return 1;
	}
	running = shell_let_others();
	thread_sleep((uint64_t)(time * NSEC_PER_SEC));
	shell_go_on(running);
	return 0;
}

/* The hypervisor and the machine */

static int run_time(int argc, char **argv)
{
	const struct command *command = argc > 1 ? command_find(argv[1]) : NULL;
	uint64_t start;
	int status;

	if (!command || argc - 2 > command->most) {
		printf("time: %s\n", command ? "too many arguments" : "which command?");
		return 1;
	}
	start = clock_now();
	status = command->run(argc - 1, argv + 1);
	fflush(stdout);
	printf("%.9f s, from %.9f on\n", seconds(clock_now() - start), seconds(start));
	return status;
}

static int run_debug_keys(int argc, char **argv)
{
	long error;

	if (argc < 2) {
		printf("debug-keys: which?\n");
		return 1;
	}
	fflush(stdout);
	error = control_debug_keys(argv[1], strlen(argv[1]));
	return error ? refused("debug-keys", error) : 0;
}

static int run_poweroff(int argc, char **argv)
{
	power_end(SHUTDOWN_poweroff);
}

static int run_reboot(int argc, char **argv)
{
	power_end(SHUTDOWN_reboot);
}

const struct command commands[] = {
    {"block", "[list [--json]]", "guests' disks, as they are served",
     "block limit DOMID VDEV [bytes=N] [requests=N] sets how much a second a guest may do (0: no limit);\n"
     "block retry DOMID VDEV tries again what failed, where on-error=pause has paused the domain for it;\n"
     "block restart ends the service and begins it anew, under running guests.",
     run_block, 5},
    {"bridges", "[--json]", "networks: bridges, their ports and addresses",
     "bridges add NAME, bridges remove NAME, bridges uplink NAME CARD[,CARD]|none change them until the\n"
     "machine's end; with bridges follow NAME on guests' links are down while no uplink has one.\n"
     "/etc/xl/bridges has them from the start (docs/xl.md).",
     run_bridges, 3},
    {"cat", "FILE...", "print files", NULL, run_cat, LINE_SIZE},
    {"clear", "", "clear the screen", NULL, run_clear, 0},
    {"console-log", "[DOMAIN|hypervisor]", "what a domain has printed, also after its end",
     "DOMAIN is a number or a name. Without one, the consoles that are known.", run_console_log, 1},
    {"cp", "FILE FILE|FOLDER", "copy a file", NULL, run_cp, 2},
    {"date", "", "the time of day, UTC", NULL, run_date, 0},
    {"debug-keys", "KEYS", "press keys of the hypervisor's console",
     "`debug-keys h` lists them; what they print may need dmesg to be seen.", run_debug_keys, 1},
    {"disks", "[--json]", "disks and their partitions", NULL, run_disks, 1},
    {"disktest", "[--destroy] DISK [SECTORS]", "read all of a disk, or its first sectors",
     "--destroy: writes a pattern to it before, and compares: WHAT IT HOLDS IS LOST.\n"
     "DISK: a name that `disks` shows, PARTLABEL=..., PARTUUID=... or LABEL=...",
     run_disktest, 3},
    {"dmesg", "[-c]", "what the hypervisor has logged",
     "With -c the log is cleared after it has been shown.", run_dmesg, 1},
    {"echo", "[WORD...]", "print words",
     "Words end at blanks but for those in '...' or \"...\" and after \\.", run_echo, LINE_SIZE},
    {"free", "", "memory, used and free", NULL, run_free, 0},
    {"help", "[COMMAND]", "list the commands, or tell about one", NULL, run_help, 1},
    {"history", "", "the last lines typed", NULL, run_history, 0},
    {"image", "SUBCOMMAND...", "disk images on the volume",
     "create, list, info, resize, snapshot, import, export, delete: `image` tells what each takes. A name without a /\n"
     "is that of a file in /volume/images. SIZE: a number with m, g or t.",
     run_image, LINE_SIZE},
    {"info", "", "hypervisor, machine, and what this domain was given", NULL, run_info, 0},
    {"ip", "[--json|dhcp|ADDRESS/BITS|off] [gw=ADDRESS] [dns=ADDRESS] [bridge=NAME]",
     "dom0's own address: show it, ask for one, set one",
     "It has none until it is told to: here, by dom0's argument ip=, or by the file /etc/xl/ip (docs/xl.md).",
     run_ip, 4},
    {"ls", "[-l] [PATH]", "list files", "With -l sizes and times too.", run_ls, 2},
    {"lspci", "[-v]", "the machine's PCI devices, and who drives them",
     "With -v their memory and interrupts too.", run_lspci, 1},
    {"mkdir", "FOLDER...", "make folders on the volume", NULL, run_mkdir, LINE_SIZE},
    {"mv", "FILE FILE|FOLDER", "rename or move a file on the volume", NULL, run_mv, 2},
    {"nbd", "[--json]", "list guests' disks on network block device servers", NULL, run_nbd, 1},
    {"nslookup", "NAME", "the address of a host", NULL, run_nslookup, 1},
    {"ping", "[-c COUNT] HOST", "is a host there, and how far away?", NULL, run_ping, 3},
    {"poweroff", "", "switch the machine off", NULL, run_poweroff, 0},
    {"reboot", "", "restart the machine", NULL, run_reboot, 0},
    {"remote", "[on KEY [PORT] | off]", "the shell over the network, for who has the key",
     "KEY: hexadecimal digits, as `openssl rand -hex 32` prints them; /etc/xl/remote may have it instead. The client is\n"
     "openssl s_client -quiet -connect ADDRESS:PORT -psk_identity cerne -psk KEY (docs/xl.md).",
     run_remote, 3},
    {"rm", "FILE...", "remove files and empty folders of the volume", NULL, run_rm, LINE_SIZE},
    {"sleep", "SECONDS", "wait", NULL, run_sleep, 1},
    {"threads", "", "the threads of this domain", NULL, run_threads, 0},
    {"time", "COMMAND...", "how long a command takes, and since when: from the machine's start",
     NULL, run_time, LINE_SIZE},
    {"uptime", "", "for how long the machine has been up", NULL, run_uptime, 0},
    {"vifs", "[--json]", "guests' network interfaces, and what went through them",
     "Malformed: packets that a guest described wrongly. Stalls: times that it took none for too long.\n"
     "Limited: times that its rate made it wait. Link: down while the guest is not connected, off\n"
     "when it was taken down: vifs link DOMAIN NUMBER|MAC up|down.",
     run_vifs, 4},
    {"volume", "[SUBCOMMAND]", "dom0's volume, the folder /volume",
     "mount DISK [-r]; unmount; sync; format DISK [-L LABEL] [-y]: all on it is lost. DISK: as `disks` shows it, PARTLABEL=... or\n"
     "LABEL=.... Without a subcommand: which volume there is; --json.",
     run_volume, LINE_SIZE},
    {"xenstore-chmod", "[-r] [-u] KEY PERM...", "set who may do what with a key of the store",
     "A permission is a letter (n none, r read, w write, b both) and a domain's number;\n"
     "the first is the owner's, its letter for all others. -r: and below; -u: and above.",
     run_xenstore_chmod, LINE_SIZE},
    {"xenstore-control", "COMMAND [WORD...]", "the store itself: help, check, log, quota",
     "log on, log off: show all requests. quota: the limits of each domain; quota DOMAIN: what one has; quota set NAME NUMBER.",
     run_xenstore_control, LINE_SIZE},
    {"xenstore-exists", "KEY...", "is there such a key in the store?", NULL, run_xenstore_exists,
     LINE_SIZE},
    {"xenstore-list", "[-p] KEY...", "the names below a key of the store", "-p: with their paths.",
     run_xenstore_list, LINE_SIZE},
    {"xenstore-ls", "[-f] [-p] [KEY...]", "all that is below a key of the store",
     "-f: with paths, in place of a tree; -p: permissions too.", run_xenstore_ls, LINE_SIZE},
    {"xenstore-read", "[-p] [-R] KEY...", "values of the store",
     "-p: with the keys before them; -R: as they are, without \\xNN.", run_xenstore_read,
     LINE_SIZE},
    {"xenstore-rm", "[-t] KEY...", "remove keys of the store and all below",
     "-t: and what is then empty above.", run_xenstore_rm, LINE_SIZE},
    {"xenstore-watch", "[-n NR] KEY...", "show changes at or below keys of the store",
     "-n: until so many were shown. Ctrl-C ends it.", run_xenstore_watch, LINE_SIZE},
    {"xenstore-write", "[-R] KEY VALUE...", "set values of the store, all at once",
     "-R: take values as they are, \\xNN too.", run_xenstore_write, LINE_SIZE},
    {"xl", "SUBCOMMAND...", "create, watch and change domains",
     "`xl help --long` lists its subcommands, `xl SUBCOMMAND --help` tells about one.", xl_main,
     LINE_SIZE},
    {NULL, NULL, NULL, NULL, NULL, 0},
};
