/* SPDX-License-Identifier: MIT */
#include "xl/create.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <guest/clock.h>
#include <public/errno.h>
#include "control/control.h"
#include "xl/build.h"
#include "xl/device.h"
#include "xl/layout.h"
#include "xl/random.h"

/* Why it cannot be done, in one sentence. */
static bool refuse(struct report *report, long error, const char *what)
{
	report_error(report, NULL, 0, "%s: %s", what, error_text(error));
	return false;
}

/* Before anything is made */

static bool name_is_free(const char *name)
{
	struct domain_view other;

	return domain_find(name, &other) != 0;
}

static bool enough_memory(const struct domain_config *config, struct report *report)
{
	struct xen_sysctl_physinfo machine;
	uint64_t need = config->memory_kib, free_kib;
	long error = control_physinfo(&machine);

	if (error)
		return refuse(report, error, "the machine's memory is not known");
	free_kib = (machine.free_pages - machine.outstanding_pages) * 4;
	if (need <= free_kib)
		return true;
	report_error(
	    report, NULL, 0,
	    "not enough memory for %s: it needs %llu MiB, %llu MiB are free, %llu MiB are missing",
	    config->name, (unsigned long long)need >> 10, (unsigned long long)free_kib >> 10,
	    ((unsigned long long)(need - free_kib) + 1023) >> 10);
	return false;
}

/* The domain without contents */

/* Domids that the ABI reserves come after these. */
#define DOMIDS 0x7ff0

/* By domid_policy: any number that is free, or the next one. */
static long make_numbered(struct xen_domctl_createdomain *op, domid_t *domid)
{
	long error = -XEN_EEXIST;

	for (unsigned int tries = 0;
	     domain_defaults.random_domid && tries < 64 && error == -XEN_EEXIST; tries++) {
		*domid = (domid_t)(1 + random_number() % (DOMIDS - 1));
		error = control_create_domain(op, domid);
	}
	if (error != -XEN_EEXIST)
		return error;
	*domid = 0;
	return control_create_domain(op, domid);
}

static bool make(const struct domain_config *config, domid_t *domid, struct report *report)
{
	struct xen_domctl_createdomain op = {
	    .max_vcpus = config->max_vcpus,
	    .max_evtchn_port = config->max_event_channels,
	    .max_grant_frames = config->max_grant_frames,
	    .max_maptrack_frames = config->max_maptrack_frames,
	    .grant_opts = XEN_DOMCTL_GRANT_version(config->max_grant_version),
	    .arch.misc_flags = 0,
	};
	long error;

	memcpy(op.handle, config->uuid, sizeof(op.handle));
	error = make_numbered(&op, domid);
	if (error)
		return refuse(report, error, "the hypervisor makes no domain");
	error = control_max_vcpus(*domid, config->max_vcpus);
	if (!error)
		error = control_max_mem(*domid, config->memory_kib + DOMAIN_SLACK_KIB);
	if (error) {
		control_destroy(*domid);
		return refuse(report, error, "the domain's vCPUs and memory cannot be set up");
	}
	/* What is free now nobody else gets while the domain is built. */
	error = domain_defaults.claim ? control_claim(*domid, config->memory_kib / 4) : 0;
	if (!error)
		return true;
	control_destroy(*domid);
	return refuse(report, error, "the domain's memory cannot be claimed");
}

/* Where vCPU n runs, of the CPUs that are allowed. NULL when nothing was said, unless something is to be said always. */
static const struct control_cpus *cpus_for(const struct cpu_set *sets, unsigned int count,
					   unsigned int n, const struct cpu_set *allowed,
					   bool always, struct control_cpus *cpus)
{
	struct cpu_set set;

	if (!count && !always)
		return NULL;
	domain_vcpu_cpus(sets, count, n, &set);
	cpu_set_intersect(&set, allowed);
	memcpy(cpus, &set, sizeof(*cpus));
	return cpus;
}

static bool pin_vcpus(const struct creation *creation, domid_t domid, struct report *report)
{
	const struct domain_config *config = creation->config;
	bool masked = domain_defaults.has_cpus && !creation->any_cpus;
	struct control_cpus hard_cpus, soft_cpus;
	struct xen_sysctl_physinfo machine;
	struct cpu_set online, allowed;
	long error;

	if (!config->hard_count && !config->soft_count && !masked)
		return true;
	error = control_physinfo(&machine);
	if (error)
		return refuse(report, error, "the machine's CPUs are not known");
	cpu_set_first(&online, machine.max_cpu_id + 1);
	allowed = online;
	if (masked)
		cpu_set_intersect(&allowed, &domain_defaults.cpus);
	for (unsigned int n = 0; n < config->max_vcpus; n++) {
		const struct control_cpus *hard =
		    cpus_for(config->hard, config->hard_count, n, &allowed, masked, &hard_cpus);
		const struct control_cpus *soft =
		    cpus_for(config->soft, config->soft_count, n, &online, false, &soft_cpus);

		error = control_set_affinity(domid, n, hard, soft);
		if (error) {
			report_error(
			    report, NULL, 0,
			    "cpus: vCPU %u cannot run there: %s; this machine has CPUs 0 to %u%s",
			    n, error_text(error), machine.max_cpu_id,
			    masked ? ", and xl.conf does not allow all of them" : "");
			return false;
		}
	}
	return true;
}

static bool set_sharing(const struct domain_config *config, domid_t domid, struct report *report)
{
	long error;

	if (config->weight == 256 && config->cap == 0)
		return true;
	error = control_set_scheduling(domid, config->weight, config->cap);
	return !error || refuse(report, error, "cpu_weight and cap cannot be set");
}

/* Ports to which the daemons here bind. */
static bool make_channels(domid_t domid, struct domain_channels *channels, struct report *report)
{
	long store = control_alloc_unbound(domid, 0),
	     console = store < 0 ? 0 : control_alloc_unbound(domid, 0);

	if (store < 0 || console < 0)
		return refuse(report, store < 0 ? store : console,
			      "the domain gets no event channels");
	channels->store_port = (unsigned int)store;
	channels->console_port = (unsigned int)console;
	return true;
}

static bool introduce(domid_t domid, const struct creation *creation,
		      const struct domain_channels *channels, struct report *report)
{
	long error = layout_write(domid, creation, channels);

	if (error)
		return refuse(report, error, "the store cannot be written");
	error = xs_introduce(toolstack_store, domid, channels->store_mfn, channels->store_port);
	return !error || refuse(report, error, "the store does not take the domain");
}

/* Back halves are ready before the guest's first instruction, as on Xen. */
static bool attach_devices(const struct domain_config *config, domid_t domid, struct report *report)
{
	for (unsigned int i = 0; i < config->disk_count; i++)
		if (!device_attach_disk(domid, &config->disks[i], false, report))
			return false;
	for (unsigned int i = 0; i < config->vif_count; i++)
		if (!device_attach_vif(domid, &config->vifs[i], report))
			return false;
	return true;
}

/* MACs and numbers that interfaces have got are kept, so that they stay when the domain is started again. */
static bool keep_vifs(struct domain_config *domain, struct config *config)
{
	const struct config_value *item;
	const char *text;
	char mac[MAC_TEXT];

	device_make_macs(domain->uuid, domain->vifs, domain->vif_count);
	for (unsigned int i = 0; i < domain->vif_count; i++) {
		const struct vif_config *vif = &domain->vifs[i];

		item = config_find(config, "vif")->value.items;
		for (unsigned int n = 0; n < i; n++)
			item = item->next;
		mac_print(vif->mac, mac);
		text = pool_printf(&config->pool, "mac=%s,devid=%u%s%s", mac, vif->devid,
				   *item->text ? "," : "", item->text);
		if (!text || !config_list_set(config, "vif", i, text))
			return false;
	}
	return true;
}

bool creation_prepare(struct creation *creation, struct domain_config *domain,
		      struct config *config)
{
	struct report report = {.say = report_nothing};
	char text[UUID_TEXT], setting[UUID_TEXT + 8];

	if (!domain->has_uuid) {
		uuid_make(domain->uuid);
		domain->has_uuid = true;
		uuid_print(domain->uuid, text);
		snprintf(setting, sizeof(setting), "uuid='%s'", text);
		if (!config_parse_argument(config, setting, &report))
			return false;
	}
	if (!keep_vifs(domain, config))
		return false;
	creation->config = domain;
	creation->text = config_print(config);
	return creation->text;
}

static bool permit_irqs(const struct hardware *irqs, domid_t domid, struct report *report)
{
	for (unsigned int i = 0; i < irqs->count; i++) {
		uint32_t line = (uint32_t)irqs->ranges[i].first;
		long error = control_map_line(domid, line);

		if (!error)
			error = control_permit_irq(domid, line, true);
		if (error) {
			report_error(report, NULL, 0, "irqs: line %u cannot be given: %s", line,
				     error_text(error));
			return false;
		}
	}
	return true;
}

/* The machine's own hardware. */
static bool permit_hardware(const struct domain_config *config, domid_t domid,
			    struct report *report)
{
	const struct hardware_range *range;
	long error = 0;

	for (unsigned int i = 0; i < config->ioports.count && !error; i++) {
		range = &config->ioports.ranges[i];
		error = control_permit_ioports(domid, (uint32_t)range->first,
					       (uint32_t)range->count, true);
	}
	if (error)
		return refuse(report, error, "ioports cannot be given");
	for (unsigned int i = 0; i < config->iomem.count && !error; i++) {
		range = &config->iomem.ranges[i];
		error = control_permit_iomem(domid, range->first, range->count, true);
	}
	if (error)
		return refuse(report, error, "iomem cannot be given");
	return permit_irqs(&config->irqs, domid, report);
}

/* All that comes after the domain is there: settings, contents, its place in the store. */
static bool fill(struct creation *creation, domid_t domid, struct report *report)
{
	const struct domain_config *config = creation->config;
	struct domain_channels channels = {0};

	if (!pin_vcpus(creation, domid, report) || !set_sharing(config, domid, report) ||
	    !permit_hardware(config, domid, report) || !make_channels(domid, &channels, report))
		return false;
	creation->made = clock_now();
	if (!build_domain(config, domid, creation->progress, &channels, report))
		return false;
	creation->built = clock_now();
	if (!introduce(domid, creation, &channels, report))
		return false;
	creation->introduced = clock_now();
	return attach_devices(config, domid, report);
}

bool domain_create(struct creation *creation, domid_t *domid, struct report *report)
{
	const struct domain_config *config = creation->config;

	if (!name_is_free(config->name)) {
		report_error(report, NULL, 0, "Domain with name \"%s\" already exists.",
			     config->name);
		return false;
	}
	if (!enough_memory(config, report))
		return false;
	if (!make(config, domid, report))
		return false;
	if (fill(creation, *domid, report))
		return true;
	domain_end(*domid);
	return false;
}

/* The end */

long domain_end(domid_t domid)
{
	struct xen_domctl_getdomaininfo info;
	long error = control_info(domid, &info);

	if (!error)
		error = control_destroy(domid);
	if (error && error != -XEN_ESRCH)
		return error;
	device_end_all(domid);
	layout_remove(domid, error ? NULL : (const uint8_t *)info.handle);
	xs_release(toolstack_store, domid);
	return error;
}

/* Names */

/* The kept configuration gets the new name too. */
static void save_name(domid_t domid, const char *name)
{
	struct report report = {.say = report_nothing};
	struct config config;
	char setting[DOMAIN_NAME_SIZE + 16], *text;

	if (!saved_config_load(domid, &config))
		return;
	snprintf(setting, sizeof(setting), "name=\"%s\"", name);
	if (config_parse(&config, "", setting, strlen(setting), &report)) {
		text = config_print(&config);
		if (text)
			saved_config_write(domid, text);
	}
	config_free(&config);
}

long domain_rename(const struct domain_view *domain, const char *name)
{
	struct domain_view other;
	long error;

	if (!strcmp(domain->name, name))
		return 0;
	if (domain_find(name, &other) == 0)
		return -XEN_EEXIST;
	error = layout_write_name((domid_t)domain->domid, domain->uuid, name);
	if (!error)
		save_name((domid_t)domain->domid, name);
	return error;
}

void domain_unwatch(domid_t domid)
{
	char path[STORE_PATH];

	snprintf(path, sizeof(path), "/libxl/%u/watched", domid);
	xs_write(toolstack_store, 0, path, "0", 1);
}

long domain_preserve(const struct domain_view *domain)
{
	char name[DOMAIN_NAME_SIZE + 24], stamp[24], path[STORE_PATH], text[UUID_TEXT];
	struct domain_view renamed = *domain;
	time_t now = time(NULL);
	struct tm split;
	long error;

	gmtime_r(&now, &split);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &split);
	/* Cut, if need be, so that it still is a name. */
	snprintf(name, sizeof(name), "%.*s-%s", DOMAIN_NAME_SIZE - 1 - (int)sizeof(stamp),
		 domain->name, stamp);
	uuid_make(renamed.uuid);
	error = control_set_handle((domid_t)domain->domid, renamed.uuid);
	if (error)
		return error;
	uuid_print(domain->uuid, text);
	snprintf(path, sizeof(path), "/vm/%s", text);
	xs_remove(toolstack_store, 0, path);
	uuid_print(renamed.uuid, text);
	snprintf(path, sizeof(path), "/vm/%s", text);
	error = domain_store_write((domid_t)domain->domid, "vm", path);
	domain_unwatch((domid_t)domain->domid);
	return error < 0 ? error : domain_rename(&renamed, name);
}
