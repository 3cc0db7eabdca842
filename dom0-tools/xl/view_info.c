/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include "xl/view.h"

static void text(FILE *to, const char *name, const char *value)
{
	fprintf(to, "%-23s: %s\n", name, value);
}

static void number(FILE *to, const char *name, uint64_t value)
{
	fprintf(to, "%-23s: %" PRIu64 "\n", name, value);
}

static void machine(FILE *to, const struct info_view *info)
{
	text(to, "host", info->host);
	text(to, "release", info->release);
	text(to, "version", info->version);
	text(to, "machine", info->machine);
	number(to, "nr_cpus", info->cpus);
	number(to, "max_cpu_id", info->max_cpu_id);
	number(to, "nr_nodes", info->nodes);
	number(to, "cores_per_socket", info->cores_per_socket);
	number(to, "threads_per_core", info->threads_per_core);
	fprintf(to, "%-23s: %u.%03u\n", "cpu_mhz", info->cpu_khz / 1000, info->cpu_khz % 1000);
	fprintf(to, "%-23s: ", "hw_caps");
	for (unsigned int i = 0; i < 8; i++)
		fprintf(to, "%08" PRIx32 "%s", info->hw_caps[i], i < 7 ? ":" : "\n");
	fprintf(to, "%-23s:%s%s%s%s%s%s%s\n", "virt_caps", info->pv ? " pv" : "",
		info->hvm ? " hvm" : "", info->directio ? " directio" : "", info->hap ? " hap" : "",
		info->shadow ? " shadow" : "", info->grants_v1 ? " gnttab-v1" : "",
		info->grants_v2 ? " gnttab-v2" : "");
	number(to, "total_memory", info->total_kib / 1024);
	number(to, "free_memory", info->free_kib / 1024);
	number(to, "sharing_freed_memory", 0);
	number(to, "sharing_used_memory", 0);
	number(to, "outstanding_claims", info->outstanding_kib / 1024);
	number(to, "free_cpus", 0);
}

void view_info(FILE *to, const struct info_view *info)
{
	machine(to, info);
	number(to, "xen_major", info->major);
	number(to, "xen_minor", info->minor);
	text(to, "xen_extra", info->extra);
	fprintf(to, "%-23s: %u.%u%s\n", "xen_version", info->major, info->minor, info->extra);
	text(to, "xen_caps", info->caps);
	text(to, "xen_scheduler", info->scheduler);
	number(to, "xen_pagesize", info->page_size);
	fprintf(to, "%-23s: virt_start=0x%" PRIx64 "\n", "platform_params", info->virt_start);
	text(to, "xen_changeset", info->changeset);
	text(to, "xen_commandline", info->command_line);
	text(to, "cc_compiler", info->compiler);
	text(to, "cc_compile_by", info->compile_by);
	text(to, "cc_compile_domain", info->compile_domain);
	text(to, "cc_compile_date", info->compile_date);
	text(to, "build_id", info->build_id);
	number(to, "xend_config_format", 4);
}

static void machine_json(struct json *json, const struct info_view *info)
{
	json_string(json, "host", info->host);
	json_string(json, "release", info->release);
	json_string(json, "version", info->version);
	json_string(json, "machine", info->machine);
	json_unsigned(json, "nr_cpus", info->cpus);
	json_unsigned(json, "max_cpu_id", info->max_cpu_id);
	json_unsigned(json, "nr_nodes", info->nodes);
	json_unsigned(json, "cores_per_socket", info->cores_per_socket);
	json_unsigned(json, "threads_per_core", info->threads_per_core);
	json_unsigned(json, "cpu_khz", info->cpu_khz);
	json_array(json, "hw_caps");
	for (unsigned int i = 0; i < 8; i++)
		json_unsigned(json, NULL, info->hw_caps[i]);
	json_end(json);
	json_object(json, "virt_caps");
	json_boolean(json, "pv", info->pv);
	json_boolean(json, "hvm", info->hvm);
	json_boolean(json, "directio", info->directio);
	json_boolean(json, "hap", info->hap);
	json_boolean(json, "shadow", info->shadow);
	json_boolean(json, "gnttab_v1", info->grants_v1);
	json_boolean(json, "gnttab_v2", info->grants_v2);
	json_end(json);
	json_unsigned(json, "total_memory_kib", info->total_kib);
	json_unsigned(json, "free_memory_kib", info->free_kib);
	json_unsigned(json, "scrub_memory_kib", info->scrub_kib);
	json_unsigned(json, "outstanding_claims_kib", info->outstanding_kib);
}

void view_info_json(FILE *to, const struct info_view *info)
{
	struct json json;

	json_start(&json, to);
	json_object(&json, NULL);
	machine_json(&json, info);
	json_unsigned(&json, "xen_major", info->major);
	json_unsigned(&json, "xen_minor", info->minor);
	json_string(&json, "xen_extra", info->extra);
	json_string(&json, "xen_caps", info->caps);
	json_string(&json, "xen_scheduler", info->scheduler);
	json_unsigned(&json, "xen_pagesize", info->page_size);
	json_unsigned(&json, "virt_start", info->virt_start);
	json_string(&json, "xen_changeset", info->changeset);
	json_string(&json, "xen_commandline", info->command_line);
	json_string(&json, "cc_compiler", info->compiler);
	json_string(&json, "cc_compile_by", info->compile_by);
	json_string(&json, "cc_compile_domain", info->compile_domain);
	json_string(&json, "cc_compile_date", info->compile_date);
	json_string(&json, "build_id", info->build_id);
	json_end(&json);
}
