/* SPDX-License-Identifier: MIT */
/* Verbs that change the state of a domain that there is, or ask it to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <public/errno.h>
#include <public/sched.h>
#include "control/control.h"
#include "xl/amount.h"
#include "xl/create.h"
#include "xl/keyboard.h"
#include "xl/watch.h"
#include "xl/xl.h"

/* The one domain that is a verb's only argument. */
static bool only_domain(int argc, char **argv, struct domain_view *domain, int *status)
{
	*status = XL_USAGE;
	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 1, 1))
		return false;
	*status = XL_FAILED;
	return find_domain(argv[optind], domain);
}

/* pause, unpause, destroy */

int verb_pause(int argc, char **argv)
{
	struct domain_view domain;
	long error;
	int status;

	if (!only_domain(argc, argv, &domain, &status))
		return status;
	error = control_pause((domid_t)domain.domid);
	return error ? failed_with(error, argv[optind]) : XL_OK;
}

int verb_unpause(int argc, char **argv)
{
	struct domain_view domain;
	long error;
	int status;

	if (!only_domain(argc, argv, &domain, &status))
		return status;
	error = control_unpause((domid_t)domain.domid);
	return error ? failed_with(error, argv[optind]) : XL_OK;
}

int verb_destroy(int argc, char **argv)
{
	struct domain_view domain;
	bool force = false;
	long error;
	int c;

	while ((c = next_option(argc, argv, "f", NULL)) != -1) {
		if (c != 'f')
			return XL_USAGE;
		force = true;
	}
	if (!arguments_right(argc, argv, 1, 1))
		return XL_USAGE;
	if (!find_domain(argv[optind], &domain))
		return XL_FAILED;
	if (domain.domid == 0 && !force) {
		fprintf(stderr, "Not destroying domain 0; use -f to force.\n"
				"This can only be done when using a disaggregated toolstack.\n");
		return XL_FAILED;
	}
	mutex_lock(&toolstack_lock);
	error = domain_end((domid_t)domain.domid);
	mutex_unlock(&toolstack_lock);
	return error ? failed_with(error, argv[optind]) : XL_OK;
}

/* shutdown, reboot */

static bool ask_for(const struct domain_view *domain, const char *request)
{
	long error;

	printf("%s domain %u\n", *request == 'r' ? "Rebooting" : "Shutting down", domain->domid);
	error = domain_store_write((domid_t)domain->domid, "control/shutdown", request);
	if (error < 0)
		failed_with(error, domain->name);
	return error >= 0;
}

/* Has what was asked for happened? gone: only the end of the domain counts. */
static bool is_down(const struct domain_view *domain, bool gone)
{
	struct domain_view now;

	if (domain_read((domid_t)domain->domid, &now) ||
	    memcmp(now.uuid, domain->uuid, sizeof(now.uuid)) != 0) {
		printf("Domain %u has been destroyed.\n", domain->domid);
		return true;
	}
	if (gone || !(now.shutdown || now.dying))
		return false;
	printf("Domain %u has been shut down, reason code %u\n", domain->domid, now.reason);
	return true;
}

/* Sleep until the watcher or the store has seen a domain end; Ctrl-C ends the waiting. */
static bool wait_for_ends(struct domain_list *list, bool gone)
{
	unsigned int left = list->count;

	printf("Waiting for %u domain%s; Ctrl-C stops waiting\n", left, left == 1 ? "" : "s");
	while (left) {
		uint64_t seen = domain_ends_seen();

		left = 0;
		for (unsigned int i = 0; i < list->count; i++)
			if (!is_down(&list->views[i], gone))
				list->views[left++] = list->views[i];
		list->count = left;
		fflush(stdout);
		while (left && domain_ends_seen() == seen)
			if (key_wait(clock_now() + NSEC_PER_SEC / 4) == KEY_CTRL_C)
				return false;
	}
	return true;
}

static int ask_and_wait(int argc, char **argv, const char *request)
{
	static const struct option words[] = {
	    {"all", 0, NULL, 'a'}, {"wait", 0, NULL, 'w'}, {NULL, 0, NULL, 0}};
	struct domain_list list = {0};
	unsigned int wait = 0;
	bool all = false, right = true;
	unsigned int count = 0;
	int c;

	while ((c = next_option(argc, argv, "awF", words)) != -1) {
		if (c == 'a')
			all = true;
		else if (c == 'w')
			wait++;
		else if (c != 'F')
			return XL_USAGE;
	}
	if (!arguments_right(argc, argv, !all, !all))
		return XL_USAGE;
	if (all) {
		if (domain_list_read(&list))
			return failed("domains cannot be listed");
		/* Without domain 0 and those that have ended. */
		for (unsigned int i = 0; i < list.count; i++)
			if (list.views[i].domid && !list.views[i].shutdown && !list.views[i].dying)
				list.views[count++] = list.views[i];
		list.count = count;
	} else {
		list.views = calloc(1, sizeof(*list.views));
		if (!list.views || !find_domain(argv[optind], list.views)) {
			domain_list_free(&list);
			return XL_FAILED;
		}
		list.count = 1;
	}
	for (unsigned int i = 0; i < list.count; i++)
		right &= ask_for(&list.views[i], request);
	if (right && wait)
		right = wait_for_ends(&list, wait > 1 || *request == 'r');
	domain_list_free(&list);
	return right ? XL_OK : XL_FAILED;
}

int verb_shutdown(int argc, char **argv)
{
	return ask_and_wait(argc, argv, "poweroff");
}

int verb_reboot(int argc, char **argv)
{
	return ask_and_wait(argc, argv, "reboot");
}

/* Signals */

int verb_sysrq(int argc, char **argv)
{
	struct domain_view domain;
	long error;

	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 2, 2))
		return XL_USAGE;
	if (strlen(argv[optind + 1]) != 1)
		return failed("expected one letter, found `%s'", argv[optind + 1]);
	if (!find_domain(argv[optind], &domain))
		return XL_FAILED;
	error = domain_store_write((domid_t)domain.domid, "control/sysrq", argv[optind + 1]);
	return error < 0 ? failed_with(error, argv[optind]) : XL_OK;
}

int verb_trigger(int argc, char **argv)
{
	static const struct {
		const char *name;
		int trigger;
	} triggers[] = {
	    {"nmi", XEN_DOMCTL_SENDTRIGGER_NMI},     {"reset", XEN_DOMCTL_SENDTRIGGER_RESET},
	    {"init", XEN_DOMCTL_SENDTRIGGER_INIT},   {"power", XEN_DOMCTL_SENDTRIGGER_POWER},
	    {"sleep", XEN_DOMCTL_SENDTRIGGER_SLEEP}, {"s3resume", -1}};
	const char *name;
	struct domain_view domain;
	unsigned long vcpu = 0;
	int trigger = -2;
	long error;

	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 2, 3))
		return XL_USAGE;
	name = argv[optind + 1];
	for (size_t i = 0; i < sizeof(triggers) / sizeof(triggers[0]); i++)
		if (!strcmp(triggers[i].name, name))
			trigger = triggers[i].trigger;
	if (trigger == -2) {
		fprintf(stderr, "Invalid trigger \"%s\"\n", name);
		return XL_FAILED;
	}
	if (argc > optind + 2 && !number_parse(argv[optind + 2], DOMAIN_VCPUS - 1, &vcpu))
		return failed("expected the number of a vCPU, found `%s'", argv[optind + 2]);
	if (!find_domain(argv[optind], &domain))
		return XL_FAILED;
	if (trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
		return failed("%s is for HVM domains; a PV domain knows nmi", name);
	error = control_send_trigger((domid_t)domain.domid, (uint32_t)trigger, (uint32_t)vcpu);
	return error ? failed_with(error, argv[optind]) : XL_OK;
}

/* Names */

int verb_rename(int argc, char **argv)
{
	struct domain_view domain;
	const char *name;
	long error;

	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 2, 2))
		return XL_USAGE;
	name = argv[optind + 1];
	if (domain_name_problem(name))
		return failed("the name `%s' %s", name, domain_name_problem(name));
	if (!find_domain(argv[optind], &domain))
		return XL_FAILED;
	mutex_lock(&toolstack_lock);
	error = domain_rename(&domain, name);
	mutex_unlock(&toolstack_lock);
	if (error == -XEN_EEXIST)
		return failed("there is a domain `%s' already", name);
	return error ? failed_with(error, argv[optind]) : XL_OK;
}

/* Memory */

/* The two arguments of mem-set and mem-max. */
static bool domain_and_amount(int argc, char **argv, struct domain_view *domain, uint64_t *kib,
			      int *status)
{
	*status = XL_USAGE;
	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 2, 2))
		return false;
	*status = XL_FAILED;
	if (!amount_parse(argv[optind + 1], kib) || !*kib ||
	    *kib > (uint64_t)DOMAIN_MEMORY_MIB << 10) {
		failed("invalid memory size `%s': expected KiB, or a number with one of t g m k b",
		       argv[optind + 1]);
		return false;
	}
	return find_domain(argv[optind], domain);
}

static uint64_t store_number(const struct domain_view *domain, const char *node, uint64_t otherwise)
{
	char text[32];

	if (domain_store_read((domid_t)domain->domid, node, text, sizeof(text)))
		return otherwise;
	return strtoull(text, NULL, 10);
}

int verb_mem_set(int argc, char **argv)
{
	struct domain_view domain;
	uint64_t kib, most;
	char text[32];
	long error;
	int status;

	if (!domain_and_amount(argc, argv, &domain, &kib, &status))
		return status;
	most = store_number(&domain, "memory/static-max", UINT64_MAX);
	if (kib > most)
		return failed(
		    "memory_dynamic_max must be less than or equal to memory_static_max, which is %llu KiB",
		    (unsigned long long)most);
	/* A domain that grows must be allowed to first; one that shrinks gets its limit at once, as on Xen. */
	error = control_max_mem((domid_t)domain.domid, kib + DOMAIN_SLACK_KIB);
	if (error)
		return failed_with(error, argv[optind]);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)kib);
	error = domain_store_write((domid_t)domain.domid, "memory/target", text);
	return error < 0 ? failed_with(error, argv[optind]) : XL_OK;
}

int verb_mem_max(int argc, char **argv)
{
	struct domain_view domain;
	uint64_t kib, target;
	long error;
	int status;

	if (!domain_and_amount(argc, argv, &domain, &kib, &status))
		return status;
	target = store_number(&domain, "memory/target", 0);
	if (kib < target)
		return failed("%s's limit cannot be below its target, which is %llu KiB",
			      argv[optind], (unsigned long long)target);
	error = control_max_mem((domid_t)domain.domid, kib + DOMAIN_SLACK_KIB);
	return error ? failed_with(error, argv[optind]) : XL_OK;
}

/* vCPUs */

int verb_vcpu_set(int argc, char **argv)
{
	struct domain_view domain;
	unsigned long count;
	char node[32];
	long error;

	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 2, 2))
		return XL_USAGE;
	if (!number_parse(argv[optind + 1], DOMAIN_VCPUS, &count))
		return failed("invalid VCPU count `%s'", argv[optind + 1]);
	if (!find_domain(argv[optind], &domain))
		return XL_FAILED;
	if (count > domain.max_vcpus)
		return failed("%s has %u vCPUs at most, set by maxvcpus when it was created",
			      argv[optind], domain.max_vcpus);
	/* As documented: less than one is quietly ignored. */
	for (unsigned int n = 0; count && n < domain.max_vcpus; n++) {
		snprintf(node, sizeof(node), "cpu/%u/availability", n);
		error = domain_store_write((domid_t)domain.domid, node,
					   n < count ? "online" : "offline");
		if (error < 0)
			return failed_with(error, argv[optind]);
	}
	return XL_OK;
}

enum { ANY_CPUS = 256 };

/* A set for the hypervisor, or NULL for "-". False after saying what is wrong. */
static bool cpus_argument(const char *text, const struct cpu_set *allowed,
			  struct control_cpus *cpus, const struct control_cpus **chosen)
{
	struct cpu_set set;
	const char *where, *wrong;

	*chosen = NULL;
	if (!strcmp(text, "-"))
		return true;
	wrong = cpu_set_parse(&set, text, &where);
	if (wrong) {
		failed("expected %s, found `%s'", wrong, where);
		return false;
	}
	cpu_set_intersect(&set, allowed);
	if (cpu_set_empty(&set)) {
		failed("none of the CPUs `%s' is there, or allowed by xl.conf", text);
		return false;
	}
	memcpy(cpus, &set, sizeof(*cpus));
	*chosen = cpus;
	return true;
}

int verb_vcpu_pin(int argc, char **argv)
{
	static const struct option words[] = {{"force", 0, NULL, 'f'},
					      {"ignore-global-affinity-masks", 0, NULL, ANY_CPUS},
					      {NULL, 0, NULL, 0}};
	bool masked = domain_defaults.has_cpus;
	struct control_cpus hard_cpus, soft_cpus;
	const struct control_cpus *hard, *soft;
	struct xen_sysctl_physinfo machine;
	struct domain_view domain;
	unsigned long first = 0, last;
	struct cpu_set online, allowed;
	long error;
	int c;

	while ((c = next_option(argc, argv, "f", words)) != -1) {
		if (c == ANY_CPUS)
			masked = false;
		else if (c != 'f')
			return XL_USAGE;
	}
	if (!arguments_right(argc, argv, 3, 4))
		return XL_USAGE;
	if (!find_domain(argv[optind], &domain))
		return XL_FAILED;
	if (!strcmp(argv[optind + 1], "all"))
		last = domain.max_vcpus - 1;
	else if (number_parse(argv[optind + 1], domain.max_vcpus - 1, &first))
		last = first;
	else
		return failed("Invalid argument %s as VCPU: %s has %u", argv[optind + 1],
			      argv[optind], domain.max_vcpus);
	error = control_physinfo(&machine);
	if (error)
		return failed_with(error, "the machine's CPUs are not known");
	cpu_set_first(&online, machine.max_cpu_id + 1);
	allowed = online;
	if (masked)
		cpu_set_intersect(&allowed, &domain_defaults.cpus);
	if (!cpus_argument(argv[optind + 2], &allowed, &hard_cpus, &hard) ||
	    !cpus_argument(argc > optind + 3 ? argv[optind + 3] : "-", &online, &soft_cpus, &soft))
		return XL_FAILED;
	for (unsigned long n = first; n <= last; n++) {
		error = control_set_affinity((domid_t)domain.domid, (unsigned int)n, hard, soft);
		if (error)
			return failed_with(error, argv[optind]);
	}
	return XL_OK;
}
