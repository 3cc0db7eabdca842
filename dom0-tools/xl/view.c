/* SPDX-License-Identifier: MIT */
#include "xl/view.h"
#include <inttypes.h>
#include <string.h>
#include <public/sched.h>

#define NSEC_PER_SEC 1000000000u
#define MILLION	     1000000u

const char *view_reason(unsigned int reason)
{
	static const char *const names[] = {
	    [SHUTDOWN_poweroff] = "poweroff", [SHUTDOWN_reboot] = "reboot",
	    [SHUTDOWN_suspend] = "suspend",   [SHUTDOWN_crash] = "crash",
	    [SHUTDOWN_watchdog] = "watchdog", [SHUTDOWN_soft_reset] = "soft_reset"};

	return reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}

void view_state(const struct domain_view *domain, char *text)
{
	text[0] = domain->running ? 'r' : '-';
	text[1] = domain->blocked ? 'b' : '-';
	text[2] = domain->paused ? 'p' : '-';
	text[3] = domain->shutdown ? 's' : '-';
	text[4] = domain->shutdown && domain->reason == SHUTDOWN_crash ? 'c' : '-';
	text[5] = domain->dying ? 'd' : '-';
	text[6] = 0;
}

/* What the columns show for a domain that has no name. */
static const char *shown_name(const struct domain_view *domain)
{
	return domain->name[0] ? domain->name : "(null)";
}

/* list */

static void list_row(FILE *to, const struct domain_view *domain, const struct list_options *options)
{
	uint64_t tenths = domain->cpu_time / (NSEC_PER_SEC / 10);
	char state[7], uuid[UUID_TEXT], time[24];

	view_state(domain, state);
	snprintf(time, sizeof(time), "%" PRIu64 ".%u", tenths / 10, (unsigned int)(tenths % 10));
	fprintf(to, "%-40s %5u %5" PRIu64 " %5u     %s  %8s", shown_name(domain), domain->domid,
		(domain->memory_kib + domain->outstanding_kib) / 1024, domain->vcpus, state, time);
	if (options->verbose) {
		uuid_print(domain->uuid, uuid);
		fprintf(to, " %s", uuid);
		if (domain->shutdown)
			fprintf(to, " %8x", domain->reason);
		else
			fprintf(to, " %8s", "-");
	}
	if (options->verbose || options->context)
		fprintf(to, " %16s", "-");
	if (options->cpupool)
		fprintf(to, " %16s", "Pool-0");
	if (options->numa)
		fprintf(to, " %12s", "any node");
	if (options->claimed)
		fprintf(to, " %8" PRIu64, domain->outstanding_kib / 1024);
	fputc('\n', to);
}

void view_list(FILE *to, const struct domain_view *domains, unsigned int count,
	       const struct list_options *options)
{
	fprintf(to, "Name                                        ID   Mem VCPUs\tState\tTime(s)");
	if (options->verbose)
		fprintf(to, "   UUID                            Reason-Code\tSecurity Label");
	else if (options->context)
		fprintf(to, "   Security Label");
	if (options->cpupool)
		fprintf(to, "         Cpupool");
	if (options->numa)
		fprintf(to, " NODE Affinity");
	if (options->claimed)
		fprintf(to, "  Claimed");
	fputc('\n', to);
	for (unsigned int i = 0; i < count; i++)
		list_row(to, &domains[i], options);
}

/* What every JSON form says of a domain. */
static void domain_json(struct json *json, const struct domain_view *domain)
{
	char uuid[UUID_TEXT], state[7];

	uuid_print(domain->uuid, uuid);
	view_state(domain, state);
	json_unsigned(json, "domid", domain->domid);
	json_string(json, "name", domain->name[0] ? domain->name : NULL);
	json_string(json, "uuid", uuid);
	json_string(json, "state", state);
	json_boolean(json, "running", domain->running);
	json_boolean(json, "blocked", domain->blocked);
	json_boolean(json, "paused", domain->paused);
	json_boolean(json, "shutdown", domain->shutdown);
	json_boolean(json, "dying", domain->dying);
	json_string(json, "shutdown_reason", domain->shutdown ? view_reason(domain->reason) : NULL);
	json_unsigned(json, "memory_kib", domain->memory_kib);
	json_unsigned(json, "max_memory_kib", domain->max_memory_kib);
	json_unsigned(json, "outstanding_kib", domain->outstanding_kib);
	json_unsigned(json, "shared_kib", domain->shared_kib);
	json_unsigned(json, "vcpus", domain->vcpus);
	json_unsigned(json, "max_vcpus", domain->max_vcpus);
	json_thousandths(json, "cpu_seconds", domain->cpu_time / MILLION);
	json_string(json, "cpupool", "Pool-0");
}

void view_list_json(FILE *to, const struct domain_view *domains, unsigned int count)
{
	struct json json;

	json_start(&json, to);
	json_array(&json, NULL);
	for (unsigned int i = 0; i < count; i++) {
		json_object(&json, NULL);
		domain_json(&json, &domains[i]);
		json_end(&json);
	}
	json_end(&json);
}

/* vm-list */

void view_vm_list(FILE *to, const struct domain_view *domains, unsigned int count)
{
	char uuid[UUID_TEXT];

	fprintf(to, "UUID                                  ID    name\n");
	for (unsigned int i = 0; i < count; i++) {
		if (domains[i].domid == 0)
			continue;
		uuid_print(domains[i].uuid, uuid);
		fprintf(to, "%s  %-4u  %s\n", uuid, domains[i].domid, shown_name(&domains[i]));
	}
}

void view_vm_list_json(FILE *to, const struct domain_view *domains, unsigned int count)
{
	char uuid[UUID_TEXT];
	struct json json;

	json_start(&json, to);
	json_array(&json, NULL);
	for (unsigned int i = 0; i < count; i++) {
		if (domains[i].domid == 0)
			continue;
		uuid_print(domains[i].uuid, uuid);
		json_object(&json, NULL);
		json_string(&json, "uuid", uuid);
		json_unsigned(&json, "domid", domains[i].domid);
		json_string(&json, "name", domains[i].name[0] ? domains[i].name : NULL);
		json_end(&json);
	}
	json_end(&json);
}

/* vcpu-list */

#define CPUS_TEXT 128

void view_vcpu_header(FILE *to)
{
	fprintf(
	    to,
	    "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n");
}

void view_vcpu(FILE *to, const struct domain_view *domain, const struct vcpu_view *vcpu,
	       const struct cpu_set *online)
{
	uint64_t tenths = vcpu->cpu_time / (NSEC_PER_SEC / 10);
	char hard[CPUS_TEXT], soft[CPUS_TEXT];

	cpu_set_print(&vcpu->hard, online, hard, sizeof(hard));
	cpu_set_print(&vcpu->soft, online, soft, sizeof(soft));
	fprintf(to, "%-32s %5u %5u ", shown_name(domain), domain->domid, vcpu->vcpu);
	if (vcpu->online)
		fprintf(to, "%5u   %c%c-", vcpu->cpu, vcpu->running ? 'r' : '-',
			vcpu->blocked ? 'b' : '-');
	else
		fprintf(to, "%5c   --p", '-');
	fprintf(to, " %7" PRIu64 ".%u  %s / %s\n", tenths / 10, (unsigned int)(tenths % 10), hard,
		soft);
}

static void cpus_json(struct json *json, const char *key, const struct cpu_set *set,
		      const struct cpu_set *online)
{
	json_array(json, key);
	for (unsigned int cpu = 0; cpu < CPU_SET_SIZE; cpu++)
		if (cpu_set_has(set, cpu) && cpu_set_has(online, cpu))
			json_unsigned(json, NULL, cpu);
	json_end(json);
}

void view_vcpu_json(struct json *json, const struct domain_view *domain,
		    const struct vcpu_view *vcpu, const struct cpu_set *online)
{
	json_object(json, NULL);
	json_unsigned(json, "domid", domain->domid);
	json_string(json, "name", domain->name[0] ? domain->name : NULL);
	json_unsigned(json, "vcpu", vcpu->vcpu);
	json_boolean(json, "online", vcpu->online);
	json_boolean(json, "blocked", vcpu->blocked);
	json_boolean(json, "running", vcpu->running);
	json_unsigned(json, "cpu", vcpu->cpu);
	json_thousandths(json, "cpu_seconds", vcpu->cpu_time / MILLION);
	cpus_json(json, "hard_affinity", &vcpu->hard, online);
	cpus_json(json, "soft_affinity", &vcpu->soft, online);
	json_end(json);
}

/* uptime */

void view_uptime_header(FILE *to)
{
	fprintf(to, "Name                                ID Uptime\n");
}

void view_uptime(FILE *to, const struct domain_view *domain, uint64_t seconds)
{
	uint64_t days = seconds / 86400;

	fprintf(to, "%-33s %4u ", shown_name(domain), domain->domid);
	if (days)
		fprintf(to, "%" PRIu64 " day%s, ", days, days == 1 ? "" : "s");
	fprintf(to, "%2u:%02u:%02u\n", (unsigned int)(seconds / 3600 % 24),
		(unsigned int)(seconds / 60 % 60), (unsigned int)(seconds % 60));
}

/* top */

struct states {
	unsigned int running, blocked, paused, crashed, dying, shutdown;
};

/* Each domain counts once, as what it is foremost. */
static struct states count_states(const struct top_view *top)
{
	struct states states = {0};

	for (unsigned int i = 0; i < top->count; i++) {
		const struct domain_view *domain = &top->domains[i];

		if (domain->dying)
			states.dying++;
		else if (domain->shutdown && domain->reason == SHUTDOWN_crash)
			states.crashed++;
		else if (domain->shutdown)
			states.shutdown++;
		else if (domain->paused)
			states.paused++;
		else if (domain->blocked)
			states.blocked++;
		else
			states.running++;
	}
	return states;
}

/* Parts of `whole` in tenths of a percent. */
static uint64_t per_mille(uint64_t part, uint64_t whole)
{
	return whole ? part * 1000 / whole : 0;
}

/* The share of one CPU that a domain has had since the last screen. */
static uint64_t cpu_per_mille(const struct top_view *top, unsigned int i)
{
	uint64_t now = top->domains[i].cpu_time;

	if (!top->cpu_before || now < top->cpu_before[i])
		return 0;
	return per_mille(now - top->cpu_before[i], top->elapsed);
}

static void top_row(FILE *to, const struct top_view *top, unsigned int i, const char *end)
{
	const struct domain_view *domain = &top->domains[i];
	uint64_t cpu = cpu_per_mille(top, i),
		 memory = per_mille(domain->memory_kib, top->total_kib),
		 most = per_mille(domain->max_memory_kib, top->total_kib);
	char state[7], limit[40];

	view_state(domain, state);
	if (domain->max_memory_kib >= top->total_kib)
		snprintf(limit, sizeof(limit), "%10s %9s", "no limit", "n/a");
	else
		snprintf(limit, sizeof(limit), "%10" PRIu64 " %7u.%u", domain->max_memory_kib,
			 (unsigned int)(most / 10), (unsigned int)(most % 10));
	fprintf(to, top->full_names ? "%10s" : "%10.10s", shown_name(domain));
	fprintf(to, " %6s %10" PRIu64 " %4u.%u %10" PRIu64 " %4u.%u %s %5u%s", state,
		domain->cpu_time / NSEC_PER_SEC, (unsigned int)(cpu / 10), (unsigned int)(cpu % 10),
		domain->memory_kib, (unsigned int)(memory / 10), (unsigned int)(memory % 10), limit,
		domain->vcpus, end);
}

void view_top(FILE *to, const struct top_view *top, const char *end)
{
	struct states states = count_states(top);
	unsigned int rows = top->rows && top->rows < top->count ? top->rows : top->count;

	fprintf(to, "xentop - %s   Xen %s%s", top->time, top->version, end);
	fprintf(
	    to,
	    "%u domains: %u running, %u blocked, %u paused, %u crashed, %u dying, %u shutdown%s",
	    top->count, states.running, states.blocked, states.paused, states.crashed, states.dying,
	    states.shutdown, end);
	fprintf(to,
		"Mem: %" PRIu64 "k total, %" PRIu64 "k used, %" PRIu64
		"k free    CPUs: %u @ %uMHz%s",
		top->total_kib, top->total_kib - top->free_kib, top->free_kib, top->cpus,
		top->cpu_khz / 1000, end);
	fprintf(to, "%10s %6s %10s %6s %10s %6s %10s %9s %5s%s", "NAME", "STATE", "CPU(sec)",
		"CPU(%)", "MEM(k)", "MEM(%)", "MAXMEM(k)", "MAXMEM(%)", "VCPUS", end);
	for (unsigned int i = 0; i < rows; i++)
		top_row(to, top, i, end);
}

void view_top_json(FILE *to, const struct top_view *top)
{
	struct json json;

	json_start(&json, to);
	json_object(&json, NULL);
	json_unsigned(&json, "total_memory_kib", top->total_kib);
	json_unsigned(&json, "free_memory_kib", top->free_kib);
	json_unsigned(&json, "cpus", top->cpus);
	json_thousandths(&json, "elapsed_seconds", top->elapsed / MILLION);
	json_array(&json, "domains");
	for (unsigned int i = 0; i < top->count; i++) {
		json_object(&json, NULL);
		domain_json(&json, &top->domains[i]);
		json_thousandths(&json, "cpu_percent", cpu_per_mille(top, i) * 100);
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
}
