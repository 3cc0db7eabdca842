/* SPDX-License-Identifier: MIT */
/* Verbs that show domains. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <guest/clock.h>
#include <public/errno.h>
#include "control/control.h"
#include "xl/xl.h"

/* Not letters of any option. */
enum { JSON = 256 };

/* All domains, or those that the arguments name; false after saying what is wrong. */
static bool chosen_domains(int argc, char **argv, struct domain_list *list)
{
	long error;

	*list = (struct domain_list){0};
	if (optind == argc) {
		error = domain_list_read(list);
		if (error)
			failed_with(error, "domains cannot be listed");
		return !error;
	}
	list->views = calloc((size_t)(argc - optind), sizeof(*list->views));
	if (!list->views) {
		failed_with(-XEN_ENOMEM, "domains cannot be listed");
		return false;
	}
	for (int i = optind; i < argc; i++)
		if (!find_domain(argv[i], &list->views[list->count++]))
			return false;
	return true;
}

/* list */

static void list_long(const struct domain_list *list)
{
	struct report report = {.say = report_nothing};
	struct domain_config domain;
	struct config config;
	struct json json;
	bool known;

	json_start(&json, stdout);
	json_array(&json, NULL);
	for (unsigned int i = 0; i < list->count; i++) {
		known = saved_config_load((domid_t)list->views[i].domid, &config);
		if (known) {
			known = domain_config_read(&domain, &config, &report);
			view_long_json(&json, &list->views[i], known ? &domain : NULL);
			domain_config_free(&domain);
			config_free(&config);
		} else {
			view_long_json(&json, &list->views[i], NULL);
		}
	}
	json_end(&json);
}

int verb_list(int argc, char **argv)
{
	static const struct option words[] = {{"long", 0, NULL, 'l'},	 {"verbose", 0, NULL, 'v'},
					      {"context", 0, NULL, 'Z'}, {"cpupool", 0, NULL, 'c'},
					      {"numa", 0, NULL, 'n'},	 {"json", 0, NULL, JSON},
					      {NULL, 0, NULL, 0}};
	struct list_options options = {0};
	bool with_configs = false, as_json = false;
	struct domain_list list;
	int c, status = XL_OK;

	while ((c = next_option(argc, argv, "lvZcn", words)) != -1) {
		switch (c) {
		case 'l':
			with_configs = true;
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'Z':
			options.context = true;
			break;
		case 'c':
			options.cpupool = true;
			break;
		case 'n':
			options.numa = true;
			break;
		case JSON:
			as_json = true;
			break;
		default:
			return XL_USAGE;
		}
	}
	if (!chosen_domains(argc, argv, &list))
		status = XL_FAILED;
	else if (with_configs)
		list_long(&list);
	else if (as_json)
		view_list_json(stdout, list.views, list.count);
	else
		view_list(stdout, list.views, list.count, &options);
	domain_list_free(&list);
	return status;
}

/* A verb whose one option is --json: whether that is given, or -1. */
static int json_option(int argc, char **argv)
{
	static const struct option words[] = {{"json", 0, NULL, JSON}, {NULL, 0, NULL, 0}};
	int c, given = 0;

	while ((c = next_option(argc, argv, "", words)) != -1) {
		if (c != JSON)
			return -1;
		given = 1;
	}
	return given;
}

/* All domains, in one of two forms. */
static int list_all(int argc, char **argv,
		    void (*text)(FILE *to, const struct domain_view *domains, unsigned int count),
		    void (*json)(FILE *to, const struct domain_view *domains, unsigned int count))
{
	int as_json = json_option(argc, argv);
	struct domain_list list;
	long error;

	if (as_json < 0 || !arguments_right(argc, argv, 0, 0))
		return XL_USAGE;
	error = domain_list_read(&list);
	if (error)
		failed_with(error, "domains cannot be listed");
	else
		(as_json ? json : text)(stdout, list.views, list.count);
	domain_list_free(&list);
	return error ? XL_FAILED : XL_OK;
}

int verb_vm_list(int argc, char **argv)
{
	return list_all(argc, argv, view_vm_list, view_vm_list_json);
}

static void claims(FILE *to, const struct domain_view *domains, unsigned int count)
{
	view_list(to, domains, count, &(struct list_options){.claimed = true});
}

int verb_claims(int argc, char **argv)
{
	return list_all(argc, argv, claims, view_list_json);
}

/* vcpu-list */

static bool read_vcpu(domid_t domid, unsigned int n, struct vcpu_view *vcpu)
{
	struct xen_domctl_getvcpuinfo info;
	struct control_cpus hard, soft;

	if (control_vcpu_info(domid, n, &info))
		return false;
	*vcpu = (struct vcpu_view){.vcpu = n,
				   .online = info.online,
				   .blocked = info.blocked,
				   .running = info.running,
				   .cpu = info.cpu,
				   .cpu_time = info.cpu_time};
	cpu_set_all(&vcpu->hard);
	cpu_set_all(&vcpu->soft);
	if (!control_get_affinity(domid, n, &hard, &soft)) {
		memcpy(&vcpu->hard, &hard, sizeof(vcpu->hard));
		memcpy(&vcpu->soft, &soft, sizeof(vcpu->soft));
	}
	return true;
}

_Static_assert(CPU_SET_SIZE == CONTROL_CPUS, "the two forms of sets of CPUs are alike");

int verb_vcpu_list(int argc, char **argv)
{
	int as_json = json_option(argc, argv), status = XL_FAILED;
	struct xen_sysctl_physinfo machine;
	struct domain_list list;
	struct cpu_set online;
	struct vcpu_view vcpu;
	struct json json;

	if (as_json < 0)
		return XL_USAGE;
	cpu_set_first(&online, control_physinfo(&machine) ? CPU_SET_SIZE : machine.max_cpu_id + 1);
	if (chosen_domains(argc, argv, &list)) {
		status = XL_OK;
		json_start(&json, stdout);
		if (as_json)
			json_array(&json, NULL);
		else
			view_vcpu_header(stdout);
		for (unsigned int i = 0; i < list.count; i++)
			for (unsigned int n = 0; n < list.views[i].max_vcpus; n++) {
				if (!read_vcpu((domid_t)list.views[i].domid, n, &vcpu))
					continue;
				if (as_json)
					view_vcpu_json(&json, &list.views[i], &vcpu, &online);
				else
					view_vcpu(stdout, &list.views[i], &vcpu, &online);
			}
		if (as_json)
			json_end(&json);
	}
	domain_list_free(&list);
	return status;
}

/* uptime */

/* Seconds since a domain began; domain 0 began with the machine. */
static uint64_t domain_uptime(const struct domain_view *domain)
{
	char path[STORE_PATH], uuid[UUID_TEXT], text[32];
	struct timeval now;
	uint64_t start;

	if (domain->domid == 0)
		return clock_now() / NSEC_PER_SEC;
	uuid_print(domain->uuid, uuid);
	snprintf(path, sizeof(path), "/vm/%s/start_time", uuid);
	if (xs_read(toolstack_store, 0, path, text, sizeof(text)) < 0)
		return 0;
	start = strtoull(text, NULL, 10);
	gettimeofday(&now, NULL);
	return (uint64_t)now.tv_sec > start ? (uint64_t)now.tv_sec - start : 0;
}

static void uptime_json(const struct domain_list *list)
{
	struct json json;

	json_start(&json, stdout);
	json_array(&json, NULL);
	for (unsigned int i = 0; i < list->count; i++) {
		json_object(&json, NULL);
		json_unsigned(&json, "domid", list->views[i].domid);
		json_string(&json, "name", list->views[i].name);
		json_unsigned(&json, "uptime_seconds", domain_uptime(&list->views[i]));
		json_end(&json);
	}
	json_end(&json);
}

int verb_uptime(int argc, char **argv)
{
	static const struct option words[] = {
	    {"short", 0, NULL, 's'}, {"json", 0, NULL, JSON}, {NULL, 0, NULL, 0}};
	bool brief = false, as_json = false;
	struct domain_list list;
	int c, status = XL_OK;

	while ((c = next_option(argc, argv, "s", words)) != -1) {
		if (c == 's')
			brief = true;
		else if (c == JSON)
			as_json = true;
		else
			return XL_USAGE;
	}
	if (!chosen_domains(argc, argv, &list)) {
		status = XL_FAILED;
	} else if (as_json) {
		uptime_json(&list);
	} else {
		if (!brief)
			view_uptime_header(stdout);
		for (unsigned int i = 0; i < list.count; i++)
			view_uptime(stdout, &list.views[i], domain_uptime(&list.views[i]));
	}
	domain_list_free(&list);
	return status;
}

/* Names and numbers */

int verb_domid(int argc, char **argv)
{
	struct domain_view view;

	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 1, 1))
		return XL_USAGE;
	if (domain_find(argv[optind], &view)) {
		fprintf(stderr,
			"Can't get domid of domain name '%s', maybe this domain does not exist.\n",
			argv[optind]);
		return XL_FAILED;
	}
	printf("%u\n", view.domid);
	return XL_OK;
}

int verb_domname(int argc, char **argv)
{
	struct domain_view view;

	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 1, 1))
		return XL_USAGE;
	if (strspn(argv[optind], "0123456789") != strlen(argv[optind])) {
		fprintf(stderr, "Invalid domain id: %s\n", argv[optind]);
		return XL_FAILED;
	}
	if (domain_find(argv[optind], &view) || !view.name[0]) {
		fprintf(
		    stderr,
		    "Can't get domain name of domain id '%s', maybe this domain does not exist.\n",
		    argv[optind]);
		return XL_FAILED;
	}
	printf("%s\n", view.name);
	return XL_OK;
}
