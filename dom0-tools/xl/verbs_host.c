/* SPDX-License-Identifier: MIT */
/* Verbs about the machine, the hypervisor and its scheduler. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/hypercall.h>
#include "control/control.h"
#include "xl/amount.h"
#include "xl/xl.h"

enum { JSON = 256 };

/* info */

static void read_machine(struct info_view *info)
{
	static const char *const schedulers[] = {[XEN_SCHEDULER_CREDIT] = "credit",
						 [XEN_SCHEDULER_CREDIT2] = "credit2",
						 [XEN_SCHEDULER_ARINC653] = "arinc653",
						 [XEN_SCHEDULER_RTDS] = "rtds",
						 [XEN_SCHEDULER_NULL] = "null"};
	struct xen_sysctl_physinfo machine = {0};
	uint32_t scheduler = 0;

	if (control_physinfo(&machine))
		return;
	info->cpus = machine.nr_cpus;
	info->max_cpu_id = machine.max_cpu_id;
	info->nodes = machine.nr_nodes;
	info->cores_per_socket = machine.cores_per_socket;
	info->threads_per_core = machine.threads_per_core;
	info->cpu_khz = machine.cpu_khz;
	memcpy(info->hw_caps, machine.hw_cap, sizeof(info->hw_caps));
	info->hvm = machine.capabilities & XEN_SYSCTL_PHYSCAP_hvm;
	info->pv = machine.capabilities & XEN_SYSCTL_PHYSCAP_pv;
	info->directio = machine.capabilities & XEN_SYSCTL_PHYSCAP_directio;
	info->hap = machine.capabilities & XEN_SYSCTL_PHYSCAP_hap;
	info->shadow = machine.capabilities & XEN_SYSCTL_PHYSCAP_shadow;
	info->grants_v1 = machine.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v1;
	info->grants_v2 = machine.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v2;
	info->total_kib = machine.total_pages * 4;
	info->free_kib = (machine.free_pages - machine.outstanding_pages) * 4;
	info->scrub_kib = machine.scrub_pages * 4;
	info->outstanding_kib = machine.outstanding_pages * 4;
	if (!control_scheduler(&scheduler) &&
	    scheduler < sizeof(schedulers) / sizeof(schedulers[0]) && schedulers[scheduler])
		snprintf(info->scheduler, sizeof(info->scheduler), "%s", schedulers[scheduler]);
}

static void read_hypervisor(struct info_view *info)
{
	char version[32], text[1024];
	struct xen_compile_info built = {0};
	struct xen_platform_parameters parameters = {0};

	control_version(version, sizeof(version));
	sscanf(version, "%u.%u", &info->major, &info->minor);
	control_text(XENVER_extraversion, text, XEN_EXTRAVERSION_LEN);
	snprintf(info->extra, sizeof(info->extra), "%s", text);
	control_text(XENVER_capabilities, info->caps, sizeof(info->caps));
	control_text(XENVER_changeset, info->changeset, sizeof(info->changeset));
	control_text(XENVER_commandline, info->command_line, sizeof(info->command_line));
	if (!hypercall_xen_version(XENVER_platform_parameters, &parameters))
		info->virt_start = parameters.virt_start;
	info->page_size = 4096;
	if (!hypercall_xen_version(XENVER_compile_info, &built)) {
		snprintf(info->compiler, sizeof(info->compiler), "%.63s", built.compiler);
		snprintf(info->compile_by, sizeof(info->compile_by), "%.15s", built.compile_by);
		snprintf(info->compile_domain, sizeof(info->compile_domain), "%.31s",
			 built.compile_domain);
		snprintf(info->compile_date, sizeof(info->compile_date), "%.31s",
			 built.compile_date);
	}
	snprintf(info->host, sizeof(info->host), "cerne");
	snprintf(info->release, sizeof(info->release), "%s", version);
	snprintf(info->version, sizeof(info->version), "Cerne dom0");
	snprintf(info->machine, sizeof(info->machine), "x86_64");
}

#define NODES 8

/* The table of NUMA nodes as `xl info -n` prints it. */
static void show_numa(void)
{
	struct xen_sysctl_meminfo nodes[NODES];
	uint32_t distances[NODES * NODES];
	long count = control_numa(nodes, distances, NODES);

	if (count > NODES)
		count = NODES;
	printf("numa_info              :\nnode:    memsize    memfree    distances\n");
	for (long i = 0; i < count; i++) {
		printf("%4ld:    %6llu     %6llu      ", i,
		       (unsigned long long)nodes[i].memsize >> 20,
		       (unsigned long long)nodes[i].memfree >> 20);
		for (long j = 0; j < count; j++)
			printf("%u%s", distances[i * NODES + j], j + 1 < count ? "," : "\n");
	}
}

int verb_info(int argc, char **argv)
{
	static const struct option words[] = {
	    {"numa", 0, NULL, 'n'}, {"json", 0, NULL, JSON}, {NULL, 0, NULL, 0}};
	bool numa = false, as_json = false;
	struct info_view *info;
	int c;

	while ((c = next_option(argc, argv, "n", words)) != -1) {
		if (c == 'n')
			numa = true;
		else if (c == JSON)
			as_json = true;
		else
			return XL_USAGE;
	}
	if (!arguments_right(argc, argv, 0, 0))
		return XL_USAGE;
	info = calloc(1, sizeof(*info));
	if (!info)
		return failed("out of memory");
	read_machine(info);
	read_hypervisor(info);
	if (as_json)
		view_info_json(stdout, info);
	else
		view_info(stdout, info);
	if (numa && !as_json)
		show_numa();
	free(info);
	return XL_OK;
}

/* The log */

/* All of it is read before any of it is shown: what we print may be logged too. */
int verb_dmesg(int argc, char **argv)
{
	static const struct option words[] = {{"clear", 0, NULL, 'c'}, {NULL, 0, NULL, 0}};
	size_t size = 16384, used = 0;
	char *text = NULL, *more;
	bool clear = false;
	uint32_t index = 0;
	long count = 0;
	int c;

	while ((c = next_option(argc, argv, "c", words)) != -1) {
		if (c != 'c')
			return XL_USAGE;
		clear = true;
	}
	if (!arguments_right(argc, argv, 0, 0))
		return XL_USAGE;
	for (;; size *= 2) {
		more = realloc(text, size);
		if (!more) {
			free(text);
			return failed("out of memory");
		}
		text = more;
		while (used < size &&
		       (count = control_log_read(text + used, size - used, &index)) > 0)
			used += (size_t)count;
		if (used < size)
			break;
	}
	if (count < 0) {
		free(text);
		return failed_with(count, "the log cannot be read");
	}
	fwrite(text, 1, used, stdout);
	if (used && text[used - 1] != '\n')
		printf("\n");
	free(text);
	count = clear ? control_log_clear() : 0;
	return count ? failed_with(count, "the log cannot be cleared") : XL_OK;
}

int verb_debug_keys(int argc, char **argv)
{
	long error;

	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 1, 1))
		return XL_USAGE;
	fflush(stdout);
	error = control_debug_keys(argv[optind], strlen(argv[optind]));
	return error ? failed_with(error, "the keys cannot be sent") : XL_OK;
}

/* The scheduler */

static bool show_sharing(struct json *json, const struct domain_view *domain)
{
	unsigned int weight, cap;
	long error = control_get_scheduling((domid_t)domain->domid, &weight, &cap);

	if (error) {
		failed_with(error, domain->name);
		return false;
	}
	if (!json) {
		printf("%-33s %4u %6u %4u\n", domain->name, domain->domid, weight, cap);
		return true;
	}
	json_object(json, NULL);
	json_unsigned(json, "domid", domain->domid);
	json_string(json, "name", domain->name);
	json_unsigned(json, "weight", weight);
	json_unsigned(json, "cap", cap);
	json_end(json);
	return true;
}

/* One domain (NULL: all). */
static int show_all_sharing(const struct domain_view *one, bool as_json)
{
	struct domain_list list = {0};
	struct json json;
	bool right = true;
	long error;

	error = one ? 0 : domain_list_read(&list);
	if (error)
		return failed_with(error, "domains cannot be listed");
	json_start(&json, stdout);
	if (as_json)
		json_array(&json, NULL);
	else if (!one)
		printf("Cpupool Pool-0:\n");
	if (!as_json)
		printf("Name                                ID Weight  Cap\n");
	if (one)
		right = show_sharing(as_json ? &json : NULL, one);
	for (unsigned int i = 0; i < list.count; i++)
		right &= show_sharing(as_json ? &json : NULL, &list.views[i]);
	if (as_json)
		json_end(&json);
	domain_list_free(&list);
	return right ? XL_OK : XL_FAILED;
}

static int set_sharing(const struct domain_view *domain, const char *weight_text,
		       const char *cap_text)
{
	unsigned long weight, cap;
	unsigned int old_weight, old_cap;
	long error = control_get_scheduling((domid_t)domain->domid, &old_weight, &old_cap);

	if (error)
		return failed_with(error, domain->name);
	weight = old_weight;
	cap = old_cap;
	if (weight_text && (!number_parse(weight_text, 65535, &weight) || !weight))
		return failed("weight: expected a number from 1 to 65535, found `%s'", weight_text);
	if (cap_text && !number_parse(cap_text, 65535, &cap))
		return failed("cap: expected a number from 0 to 65535, found `%s'", cap_text);
	error =
	    control_set_scheduling((domid_t)domain->domid, (unsigned int)weight, (unsigned int)cap);
	return error ? failed_with(error, domain->name) : XL_OK;
}

int verb_sched_credit2(int argc, char **argv)
{
	static const struct option words[] = {{"domain", 1, NULL, 'd'},
					      {"weight", 1, NULL, 'w'},
					      {"cap", 1, NULL, 'c'},
					      {"json", 0, NULL, JSON},
					      {NULL, 0, NULL, 0}};
	const char *who = NULL, *weight = NULL, *cap = NULL;
	struct domain_view domain;
	bool as_json = false;
	int c;

	while ((c = next_option(argc, argv, "d:w:c:", words)) != -1) {
		switch (c) {
		case 'd':
			who = optarg;
			break;
		case 'w':
			weight = optarg;
			break;
		case 'c':
			cap = optarg;
			break;
		case JSON:
			as_json = true;
			break;
		default:
			return XL_USAGE;
		}
	}
	if (!arguments_right(argc, argv, 0, 0))
		return XL_USAGE;
	if (!who && (weight || cap)) {
		fprintf(stderr, "Must specify a domain.\n");
		return XL_FAILED;
	}
	if (who && !find_domain(who, &domain))
		return XL_FAILED;
	if (weight || cap)
		return set_sharing(&domain, weight, cap);
	return show_all_sharing(who ? &domain : NULL, as_json);
}
