/* SPDX-License-Identifier: MIT */
#include "xl/xl.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <public/errno.h>
#include "xl/amount.h"

bool xl_verbose, xl_dry_run;

static const struct verb *current;

const struct verb xl_verbs[] = {
    {"block-attach", "DOMAIN DISK...", "give a domain another disk",
     "DISK: as in a configuration (docs/xl.md), in one word or several: target=/images/a.img vdev=xvdb",
     verb_block_attach, VERB_DEVICE},
    {"block-detach", "[--force] DOMAIN DISK", "take a disk from a domain",
     "  --force  after five seconds, though the domain may be using it\n"
     "DISK: its name there (xvdb) or its number.",
     verb_block_detach, VERB_DEVICE},
    {"block-list", "DOMAIN...", "list domains' disks", "  --json  as JSON", verb_block_list,
     VERB_DEVICE},
    {"cd-eject", "DOMAIN DISK", "for HVM domains: not here", NULL, verb_cd, VERB_DEVICE},
    {"cd-insert", "DOMAIN DISK TARGET", "for HVM domains: not here", NULL, verb_cd, VERB_DEVICE},
    {"claims", "", "list domains with the memory that is claimed for them", "  --json  as JSON",
     verb_claims, VERB_DOMAIN},
    {"config-update", "DOMAIN [CONFIGFILE] [KEY=VALUE...]",
     "change the configuration that a domain will restart with",
     "  -f, --defconfig=FILE  the configuration, if it is not the second argument",
     verb_config_update, VERB_DOMAIN},
    {"console", "[-n NUMBER] [-t pv] DOMAIN", "attach to a domain's console",
     "  -n NUMBER  which console; there is number 0\n"
     "  -t TYPE    its type; there is `pv'\n"
     "Ctrl-] leaves it.",
     verb_console, VERB_COMMON},
    {"create", "[OPTIONS] CONFIGFILE [KEY=VALUE...]", "create a domain from a configuration",
     "  -c             attach to its console at once\n"
     "  -d             show the configuration as JSON, and create it\n"
     "  -e             do not watch it: its on_... actions are not done\n"
     "  -f, --defconfig=FILE  the configuration, if it is not an argument\n"
     "  -F             wait until it has ended\n"
     "  -n, --dryrun   show the configuration as JSON, and create nothing\n"
     "  -p             leave it paused\n"
     "  -q, --quiet    say nothing when all is well\n"
     "  --ignore-global-affinity-masks  use CPUs that xl.conf does not allow too\n"
     "KEY=VALUE settings override those of the file; quote them for the shell: 'cpus=\"0-1\"; memory=64'.",
     verb_create, VERB_COMMON},
    {"debug-keys", "KEYS", "press keys of the hypervisor's console", NULL, verb_debug_keys,
     VERB_HOST},
    {"destroy", "[-f] DOMAIN", "end a domain at once",
     "  -f  allow domain 0, which the hypervisor refuses for the domain that asks", verb_destroy,
     VERB_COMMON},
    {"dmesg", "[-c]", "what the hypervisor has logged",
     "  -c, --clear  clear the log after showing it", verb_dmesg, VERB_HOST},
    {"domid", "NAME", "the number of a domain", NULL, verb_domid, VERB_DOMAIN},
    {"domname", "NUMBER", "the name of a domain", NULL, verb_domname, VERB_DOMAIN},
    {"dump-core", "[DOMAIN [FILE]]", "keep a core of a domain in memory, or list those kept",
     "  --json  as JSON (the list)", verb_dump_core, VERB_DOMAIN},
    {"help", "[--long | VERB]", "list the verbs, or tell about one", NULL, verb_help, VERB_COMMON},
    {"info", "[-n]", "the machine and the hypervisor",
     "  -n, --numa  with the NUMA nodes\n"
     "  --json      as JSON",
     verb_info, VERB_COMMON},
    {"list", "[OPTIONS] [DOMAIN...]", "list domains",
     "  -c, --cpupool  with their CPU pools\n"
     "  -l, --long     with their configurations, as JSON\n"
     "  -n, --numa     with their NUMA affinity\n"
     "  -v, --verbose  with UUIDs, shutdown reasons and security labels\n"
     "  -Z, --context  with security labels\n"
     "  --json         the table as JSON",
     verb_list, VERB_COMMON},
    {"mem-max", "DOMAIN MEMORY", "set the most memory that a domain may have",
     "MEMORY: KiB, or a number with one of t g m k b", verb_mem_max, VERB_DOMAIN},
    {"mem-set", "DOMAIN MEMORY", "ask a domain to use so much memory",
     "MEMORY: KiB, or a number with one of t g m k b", verb_mem_set, VERB_DOMAIN},
    {"network-attach", "DOMAIN [KEY=VALUE...]", "give a domain another network interface",
     "KEY=VALUE: as in a configuration (docs/xl.md): bridge=xenbr1 mac=00:16:3e:01:02:03",
     verb_network_attach, VERB_DEVICE},
    {"network-detach", "[--force] DOMAIN NUMBER|MAC", "take a network interface from a domain",
     "  --force  after five seconds, though the domain may be using it", verb_network_detach,
     VERB_DEVICE},
    {"network-list", "DOMAIN...", "list domains' network interfaces", "  --json  as JSON",
     verb_network_list, VERB_DEVICE},
    {"pause", "DOMAIN", "stop a domain's CPUs", NULL, verb_pause, VERB_COMMON},
    {"reboot", "[-a | DOMAIN] [-w] [-F]", "ask a domain to restart",
     "  -a, --all   all domains but this one\n"
     "  -F          ignored: there are no ACPI events for PV domains\n"
     "  -w, --wait  wait until it is done",
     verb_reboot, VERB_COMMON},
    {"rename", "DOMAIN NAME", "give a domain another name", NULL, verb_rename, VERB_DOMAIN},
    {"sched-credit2", "[-d DOMAIN] [-w WEIGHT] [-c CAP]", "show or set how CPU time is shared",
     "  -d, --domain=DOMAIN  which domain\n"
     "  -w, --weight=WEIGHT  its share relative to others', 1 to 65535; 256 is usual\n"
     "  -c, --cap=PERCENT    the most of CPU time that it gets, of one CPU; 0: no limit\n"
     "  --json               as JSON",
     verb_sched_credit2, VERB_SCHEDULER},
    {"shutdown", "[-a | DOMAIN] [-w] [-F]", "ask a domain to switch itself off",
     "  -a, --all   all domains but this one\n"
     "  -F          ignored: there are no ACPI events for PV domains\n"
     "  -w, --wait  wait until it has shut down; twice: until it is gone",
     verb_shutdown, VERB_COMMON},
    {"sysrq", "DOMAIN LETTER", "send a domain a Linux SysRq key", NULL, verb_sysrq, VERB_DOMAIN},
    {"top", "[-b] [-d SECONDS] [-f] [-i TIMES]", "watch domains live",
     "  -b, --batch         print screen after screen\n"
     "  -d, --delay=SECONDS between screens (3)\n"
     "  -f, --full-name     names are not cut\n"
     "  -i, --iterations=N  so many screens\n"
     "  --json              as JSON, one object a screen\n"
     "Keys: q quits, d sets the delay, s sorts by the next column.",
     verb_top, VERB_HOST},
    {"trigger", "DOMAIN nmi|reset|init|power|sleep|s3resume [VCPU]",
     "send a domain a signal; PV domains know nmi", NULL, verb_trigger, VERB_DOMAIN},
    {"unpause", "DOMAIN", "let a domain's CPUs run again", NULL, verb_unpause, VERB_COMMON},
    {"uptime", "[-s] [DOMAIN...]", "for how long domains have been up",
     "  -s, --short  one line each, with the time of day\n"
     "  --json       as JSON",
     verb_uptime, VERB_DOMAIN},
    {"vcpu-list", "[DOMAIN...]", "list domains' CPUs", "  --json  as JSON", verb_vcpu_list,
     VERB_DOMAIN},
    {"vcpu-pin", "[-f] DOMAIN VCPU|all HARD [SOFT]",
     "set where a domain's CPUs may, and better do, run",
     "  -f, --force  undo what the domain itself has pinned\n"
     "  --ignore-global-affinity-masks  use CPUs that xl.conf does not allow too\n"
     "HARD, SOFT: sets of CPUs as in \"0-3,^1\" or all; - leaves what is.",
     verb_vcpu_pin, VERB_DOMAIN},
    {"vcpu-set", "DOMAIN COUNT", "ask a domain to use so many CPUs", NULL, verb_vcpu_set,
     VERB_DOMAIN},
    {"vm-list", "", "list domains but this one, by UUID", "  --json  as JSON", verb_vm_list,
     VERB_DOMAIN},
    {NULL, NULL, NULL, NULL, NULL, VERB_COMMON},
};

/* Messages */

static void vfailed(const char *format, va_list arguments)
{
	fprintf(stderr, "xl %s: ", current->name);
	vfprintf(stderr, format, arguments);
}

int failed(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfailed(format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return XL_FAILED;
}

int failed_with(long error, const char *what)
{
	return failed("%s: %s", what, error_text(error));
}

static void say(struct report *report, const char *message)
{
	fprintf(stderr, "%s\n", message);
}

struct report report_to_stderr(void)
{
	return (struct report){.say = say};
}

/* Help */

static void show_verb(const struct verb *verb)
{
	printf("Usage: xl %s %s\n\n%c%s.\n", verb->name, verb->arguments,
	       verb->summary[0] - 'a' + 'A', verb->summary + 1);
	if (verb->options)
		printf("\n%s\n", verb->options);
}

static void show_group(unsigned int group, bool common_too)
{
	for (const struct verb *verb = xl_verbs; verb->name; verb++)
		if (verb->group == group || (common_too && verb->group == VERB_COMMON))
			printf(" %-19s %s\n", verb->name, verb->summary);
}

static void show_all(bool full)
{
	printf("Usage xl [-vfNtT] <subcommand> [args]\n\n");
	if (!full) {
		printf("xl common subcommands:\n\n");
		show_group(VERB_COMMON, false);
		printf(
		    "\n<Domain> can either be the Domain Name or Id.\n"
		    "`xl help --long' lists all subcommands, `xl <subcommand> --help' tells about one.\n");
		return;
	}
	printf("xl full list of subcommands:\n\nDomains:\n");
	show_group(VERB_DOMAIN, true);
	printf("\nDisks and networks of domains:\n");
	show_group(VERB_DEVICE, false);
	printf("\nThe host:\n");
	show_group(VERB_HOST, false);
	printf("\nThe scheduler:\n");
	show_group(VERB_SCHEDULER, false);
}

/* Verbs */

static const struct verb *verb_find(const char *name)
{
	for (const struct verb *verb = xl_verbs; verb->name; verb++)
		if (!strcmp(verb->name, name))
			return verb;
	return NULL;
}

static int unknown_verb(const char *name)
{
	const struct verb *nearest = NULL;
	unsigned int distance, least = 3;

	for (const struct verb *verb = xl_verbs; verb->name; verb++) {
		distance = text_distance(name, verb->name);
		if (distance < least) {
			least = distance;
			nearest = verb;
		}
	}
	fprintf(stderr, "command not implemented: `%s'", name);
	if (nearest)
		fprintf(stderr, "; did you mean `xl %s'?\n", nearest->name);
	else
		fprintf(stderr, "; `xl help --long' lists those that are\n");
	return XL_FAILED;
}

int verb_help(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2 || !strcmp(argv[1], "--long") || !strcmp(argv[1], "-l")) {
		show_all(argc >= 2);
		return XL_OK;
	}
	verb = verb_find(argv[1]);
	if (!verb)
		return unknown_verb(argv[1]);
	show_verb(verb);
	return XL_OK;
}

/* The word that getopt_long did not know: the one that it has just passed, or still is at. */
static const char *unknown_option(int argc, char **argv)
{
	if (optind > 1 && argv[optind - 1][0] == '-')
		return argv[optind - 1];
	return optind < argc ? argv[optind] : "?";
}

int next_option(int argc, char **argv, const char *letters, const struct option *words)
{
	static const struct option none[] = {{NULL, 0, NULL, 0}};
	int c;

	opterr = 0;
	optopt = '?';
	c = getopt_long(argc, argv, letters, words ? words : none, NULL);
	if (c != '?' && c != ':')
		return c;
	if (optopt != '?' && optopt != ':' && strchr(letters, optopt))
		fprintf(stderr, "xl %s: option -%c needs a value\n", current->name, optopt);
	else
		fprintf(stderr, "xl %s: there is no option `%s'\n", current->name,
			unknown_option(argc, argv));
	fprintf(stderr, "`xl %s --help' shows those that there are.\n", current->name);
	return '?';
}

bool arguments_right(int argc, char **argv, int least, int most)
{
	int count = argc - optind;

	if (count >= least && (most < 0 || count <= most))
		return true;
	if (count < least)
		fprintf(stderr, "'xl %s' requires at least %d argument%s.\n\n", current->name,
			least, least == 1 ? "" : "s");
	else
		fprintf(stderr, "xl %s: `%s' is one argument too many.\n\n", current->name,
			argv[optind + most]);
	fprintf(stderr, "Usage: xl %s %s\n", current->name, current->arguments);
	return false;
}

bool find_domain(const char *who, struct domain_view *view)
{
	long error = domain_find(who, view);

	if (error == -XEN_ESRCH)
		fprintf(stderr, "%s is an invalid domain identifier: there is no such domain\n",
			who);
	else if (error)
		failed_with(error, who);
	return !error;
}

/* The options before the verb: how many words they are, or -1. */
static int global_options(int argc, char **argv)
{
	int n;

	xl_verbose = xl_dry_run = false;
	for (n = 1; n < argc && argv[n][0] == '-' && argv[n][1]; n++)
		for (const char *letter = argv[n] + 1; *letter; letter++) {
			if (*letter == 'v')
				xl_verbose = true;
			else if (*letter == 'N')
				xl_dry_run = true;
			else if (!strchr("ftT", *letter)) {
				fprintf(stderr,
					"xl: there is no option `%s' before the subcommand\n",
					argv[n]);
				return -1;
			}
		}
	return n;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

int xl_main(int argc, char **argv)
{
	int first;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		show_all(false);
		return XL_OK;
	}
	first = global_options(argc, argv);
	if (first < 0)
		return XL_USAGE;
	if (first == argc) {
		show_all(false);
		return XL_FAILED;
	}
	current = verb_find(argv[first]);
	if (!current)
		return unknown_verb(argv[first]);
	argc -= first;
	argv += first;
	if (asks_for_help(argc, argv)) {
		show_verb(current);
		return XL_OK;
	}
	if (!toolstack_store)
		return failed("the store is not running");
	optind = 0; /* begin anew */
	return current->run(argc, argv);
}
