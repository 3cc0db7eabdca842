/* SPDX-License-Identifier: MIT */
/* A domain's configuration in the form and with the names that `xl list -l` has on Xen; nothing is left out. */
#include <string.h>
#include "xl/view.h"

/* Booleans that may be left to a default are words there. */
static const char *word(bool value)
{
	return value ? "True" : "False";
}

static void create_info(struct json *json, const struct domain_view *domain)
{
	char uuid[UUID_TEXT];

	uuid_print(domain->uuid, uuid);
	json_object(json, "c_info");
	json_string(json, "type", "pv");
	json_string(json, "name", domain->name[0] ? domain->name : NULL);
	json_string(json, "uuid", uuid);
	json_end(json);
}

static void affinity(struct json *json, const char *key, const struct cpu_set *sets,
		     unsigned int count, unsigned int vcpus)
{
	struct cpu_set cpus;

	json_array(json, key);
	for (unsigned int vcpu = 0; count && vcpu < vcpus; vcpu++) {
		domain_vcpu_cpus(sets, count, vcpu, &cpus);
		json_array(json, NULL);
		for (unsigned int cpu = 0; cpu < CPU_SET_SIZE; cpu++)
			if (cpu_set_has(&cpus, cpu))
				json_unsigned(json, NULL, cpu);
		json_end(json);
	}
	json_end(json);
}

static void hardware(struct json *json, const char *key, const char *first,
		     const struct hardware *what)
{
	json_array(json, key);
	for (unsigned int i = 0; i < what->count; i++) {
		json_object(json, NULL);
		json_unsigned(json, first, what->ranges[i].first);
		json_unsigned(json, "number", what->ranges[i].count);
		json_end(json);
	}
	json_end(json);
}

static void build_info(struct json *json, const struct domain_config *config)
{
	json_object(json, "b_info");
	json_unsigned(json, "max_vcpus", config->max_vcpus);
	json_array(json, "avail_vcpus");
	for (unsigned int vcpu = 0; vcpu < config->vcpus; vcpu++)
		json_unsigned(json, NULL, vcpu);
	json_end(json);
	affinity(json, "vcpu_hard_affinity", config->hard, config->hard_count, config->max_vcpus);
	affinity(json, "vcpu_soft_affinity", config->soft, config->soft_count, config->max_vcpus);
	json_unsigned(json, "max_memkb", config->max_memory_kib);
	json_unsigned(json, "target_memkb", config->memory_kib);
	json_object(json, "sched_params");
	json_unsigned(json, "weight", config->weight);
	json_unsigned(json, "cap", config->cap);
	json_end(json);
	json_string(json, "claim_mode", word(domain_defaults.claim));
	json_unsigned(json, "event_channels", config->max_event_channels);
	hardware(json, "ioports", "first", &config->ioports);
	json_array(json, "irqs");
	for (unsigned int i = 0; i < config->irqs.count; i++)
		json_unsigned(json, NULL, config->irqs.ranges[i].first);
	json_end(json);
	hardware(json, "iomem", "start", &config->iomem);
	json_string(json, "kernel", config->kernel);
	json_string(json, "cmdline", config->cmdline);
	json_string(json, "ramdisk", config->ramdisk);
	json_signed(json, "max_grant_frames", config->max_grant_frames);
	json_signed(json, "max_maptrack_frames", config->max_maptrack_frames);
	json_unsigned(json, "max_grant_version", config->max_grant_version);
	json_object(json, "type.pv");
	json_end(json);
	json_end(json);
}

void view_disk_config_json(struct json *json, const struct disk_config *disk)
{
	json_object(json, NULL);
	json_string(json, "pdev_path", disk->target);
	json_string(json, "vdev", disk->vdev);
	json_string(json, "format", disk->format);
	json_string(json, "backend", disk->backendtype);
	json_string(json, "backend_domname", disk->backend);
	json_string(json, "script", disk->script);
	json_unsigned(json, "readwrite", !disk->read_only);
	json_unsigned(json, "is_cdrom", disk->cdrom);
	json_string(json, "direct_io_safe", word(disk->direct_io_safe));
	json_string(json, "discard_enable", word(disk->discard));
	json_string(json, "trusted", word(disk->trusted));
	json_end(json);
}

void view_vif_config_json(struct json *json, const struct vif_config *vif)
{
	char mac[MAC_TEXT];

	mac_print(vif->mac, mac);
	json_object(json, NULL);
	json_unsigned(json, "devid", vif->devid);
	json_string(json, "mac", vif->has_mac ? mac : NULL);
	json_string(json, "bridge", vif->bridge);
	json_string(json, "gatewaydev", vif->gatewaydev);
	json_string(json, "ifname", vif->vifname);
	json_string(json, "ip", vif->ip);
	json_string(json, "script", vif->script);
	json_string(json, "model", vif->model);
	json_string(json, "nictype", vif->type);
	json_string(json, "backend_domname", vif->backend);
	json_unsigned(json, "mtu", vif->mtu);
	json_unsigned(json, "rate_bytes_per_interval", vif->rate_bytes);
	json_unsigned(json, "rate_interval_usecs", vif->rate_interval_us);
	json_string(json, "trusted", word(vif->trusted));
	json_end(json);
}

static void devices(struct json *json, const struct domain_config *config)
{
	json_array(json, "disks");
	for (unsigned int i = 0; i < config->disk_count; i++)
		view_disk_config_json(json, &config->disks[i]);
	json_end(json);
	json_array(json, "nics");
	for (unsigned int i = 0; i < config->vif_count; i++)
		view_vif_config_json(json, &config->vifs[i]);
	json_end(json);
}

/* "rename_restart": the names of the JSON form have no '-'. */
static void action(struct json *json, const struct domain_config *config, enum domain_end end)
{
	char name[32];

	snprintf(name, sizeof(name), "%s", domain_action_name(config->on[end]));
	for (char *at = name; *at; at++)
		if (*at == '-')
			*at = '_';
	json_string(json, domain_end_key(end), name);
}

void view_long_json(struct json *json, const struct domain_view *domain,
		    const struct domain_config *config)
{
	json_object(json, NULL);
	json_unsigned(json, "domid", domain->domid);
	json_object(json, "config");
	create_info(json, domain);
	if (config) {
		build_info(json, config);
		devices(json, config);
		for (unsigned int end = 0; end < DOMAIN_ENDS; end++)
			action(json, config, end);
	} else {
		json_object(json, "b_info");
		json_unsigned(json, "max_vcpus", domain->max_vcpus);
		json_unsigned(json, "max_memkb", domain->max_memory_kib);
		json_unsigned(json, "target_memkb", domain->memory_kib);
		json_object(json, "type.pv");
		json_end(json);
		json_end(json);
	}
	json_end(json);
	json_end(json);
}
