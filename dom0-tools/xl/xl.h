/* SPDX-License-Identifier: MIT */
/* The command xl: its verbs, and what they have in common. */
#ifndef XL_XL_H
#define XL_XL_H

#include <getopt.h>
#include <stdbool.h>
#include "xl/toolstack.h"

/* Exit statuses. */
#define XL_OK	  0
#define XL_FAILED 1
#define XL_USAGE  2

struct verb {
	const char *name, *arguments, *summary;
	const char *options; /* lines of its own help, or NULL */
	int (*run)(int argc, char **argv);
	enum { VERB_COMMON, VERB_DOMAIN, VERB_DEVICE, VERB_HOST, VERB_SCHEDULER } group;
};

/* Sorted by name; ends with a name of NULL. */
extern const struct verb xl_verbs[];

/* The global options. */
extern bool xl_verbose, xl_dry_run;

/* The whole command, "xl" being argv[0]. */
int xl_main(int argc, char **argv);

/*
 * The next option by getopt_long's rules (options and arguments in any order), -1 when only arguments are left, from
 * optind on; '?' after having said what is wrong.
 */
int next_option(int argc, char **argv, const char *letters, const struct option *words);
/* Are there so many arguments left? Otherwise says how the verb is used. */
bool arguments_right(int argc, char **argv, int least, int most);

/* "xl VERB: MESSAGE" to stderr; returns XL_FAILED. */
int failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with what an error means. */
int failed_with(long error, const char *what);

/* Find a domain, or say that there is none such. */
bool find_domain(const char *who, struct domain_view *view);

/* One that prints to stderr. */
struct report report_to_stderr(void);

int verb_block_attach(int argc, char **argv);
int verb_block_detach(int argc, char **argv);
int verb_block_list(int argc, char **argv);
int verb_cd(int argc, char **argv);
int verb_claims(int argc, char **argv);
int verb_config_update(int argc, char **argv);
int verb_console(int argc, char **argv);
int verb_create(int argc, char **argv);
int verb_debug_keys(int argc, char **argv);
int verb_destroy(int argc, char **argv);
int verb_dmesg(int argc, char **argv);
int verb_domid(int argc, char **argv);
int verb_domname(int argc, char **argv);
int verb_dump_core(int argc, char **argv);
int verb_help(int argc, char **argv);
int verb_info(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_mem_max(int argc, char **argv);
int verb_mem_set(int argc, char **argv);
int verb_network_attach(int argc, char **argv);
int verb_network_detach(int argc, char **argv);
int verb_network_list(int argc, char **argv);
int verb_pause(int argc, char **argv);
int verb_reboot(int argc, char **argv);
int verb_rename(int argc, char **argv);
int verb_sched_credit2(int argc, char **argv);
int verb_shutdown(int argc, char **argv);
int verb_sysrq(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_trigger(int argc, char **argv);
int verb_unpause(int argc, char **argv);
int verb_uptime(int argc, char **argv);
int verb_vcpu_list(int argc, char **argv);
int verb_vcpu_pin(int argc, char **argv);
int verb_vcpu_set(int argc, char **argv);
int verb_vm_list(int argc, char **argv);

#endif
