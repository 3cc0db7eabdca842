/* SPDX-License-Identifier: MIT */
#include "xl/domain_config.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xl/keys.h"

#define DOMAIN_FRAMES (1ull << 40) /* of the widest physical addresses */

static const char *const end_keys[DOMAIN_ENDS] = {"on_poweroff", "on_reboot", "on_watchdog",
						  "on_crash", "on_soft_reset"};
static const char *const action_names[DOMAIN_ACTIONS] = {
    "destroy",		"restart",	    "rename-restart", "preserve",
    "coredump-destroy", "coredump-restart", "soft-reset"};

struct domain_defaults domain_defaults = {.claim = true,
					  .max_grant_frames = -1,
					  .max_maptrack_frames = -1,
					  .max_grant_version = 2,
					  .bridge = "xenbr0"};

const char *domain_end_key(enum domain_end end)
{
	return end_keys[end];
}

const char *domain_action_name(enum domain_action action)
{
	return action_names[action];
}

/* UUIDs */

bool uuid_parse(const char *text, uint8_t uuid[16])
{
	unsigned int digits = 0;

	for (; *text; text++) {
		char digit[2] = {*text, 0};

		if (*text == '-') {
			if (digits != 8 && digits != 12 && digits != 16 && digits != 20)
				return false;
			continue;
		}
		if (!strchr("0123456789abcdefABCDEF", *text) || digits == 32)
			return false;
		uuid[digits / 2] = (uint8_t)(uuid[digits / 2] << 4 | strtoul(digit, NULL, 16));
		digits++;
	}
	return digits == 32;
}

void uuid_print(const uint8_t uuid[16], char text[UUID_TEXT])
{
	for (unsigned int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		snprintf(text, 3, "%02x", uuid[i]);
		text += 2;
	}
}

/* Names: they stand in the store and in columns, and must not be taken for numbers. */
const char *domain_name_problem(const char *name)
{
	if (!*name)
		return "is empty";
	if (strlen(name) >= DOMAIN_NAME_SIZE)
		return "is longer than 127 characters";
	if (strspn(name, "0123456789") == strlen(name))
		return "is a number";
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name == 0x7f || *name == '/')
			return "holds a blank, a control character or a `/'";
	return NULL;
}

void domain_vcpu_cpus(const struct cpu_set *sets, unsigned int count, unsigned int vcpu,
		      struct cpu_set *cpus)
{
	if (count == 1)
		*cpus = sets[0];
	else if (vcpu < count)
		*cpus = sets[vcpu];
	else
		cpu_set_all(cpus);
}

/* The values, by key. Kinds have been checked; a missing key leaves what is there. */

struct taking {
	struct domain_config *domain;
	const struct config *config;
	struct report *report;
};

static void bad(struct taking *t, const struct config_setting *setting, const char *right)
{
	report_error(t->report, setting->file, setting->line, "%s: expected %s, found `%.60s'",
		     setting->key, right,
		     setting->value.kind == CONFIG_LIST ? "[...]" : setting->value.text);
}

static bool take_string(struct taking *t, const char *key, const char **to)
{
	const struct config_setting *setting = config_find(t->config, key);

	if (!setting)
		return false;
	*to = pool_copy(&t->domain->pool, setting->value.text, strlen(setting->value.text));
	return *to;
}

/* False: not set, or reported. */
static bool take_number(struct taking *t, const char *key, long long least, long long most,
			long long *to)
{
	const struct config_setting *setting = config_find(t->config, key);
	char right[64];
	long long number;

	if (!setting)
		return false;
	if (!value_number(&setting->value, &number) || number < least || number > most) {
		snprintf(right, sizeof(right), "a number from %lld to %lld", least, most);
		bad(t, setting, right);
		return false;
	}
	*to = number;
	return true;
}

static void take_unsigned(struct taking *t, const char *key, unsigned int least, unsigned int most,
			  unsigned int *to)
{
	long long number;

	if (take_number(t, key, least, most, &number))
		*to = (unsigned int)number;
}

static void take_int(struct taking *t, const char *key, int least, int most, int *to)
{
	long long number;

	if (take_number(t, key, least, most, &number))
		*to = (int)number;
}

/* The identity */

static void take_name(struct taking *t)
{
	const struct config_setting *setting = config_find(t->config, "name");
	const char *problem;

	if (!setting) {
		report_error(t->report, NULL, 0,
			     "the configuration has no name: expected name=\"NAME\"");
		return;
	}
	problem = domain_name_problem(setting->value.text);
	if (problem)
		report_error(t->report, setting->file, setting->line, "name: `%.60s' %s",
			     setting->value.text, problem);
	else
		take_string(t, "name", &t->domain->name);
}

static void take_uuid(struct taking *t)
{
	const struct config_setting *setting = config_find(t->config, "uuid");

	if (!setting)
		return;
	t->domain->has_uuid = true;
	if (!uuid_parse(setting->value.text, t->domain->uuid))
		bad(t, setting,
		    "32 hexadecimal digits, as in b9deb4f0-64b1-4a16-b1f4-2b1d3a70ba2e");
}

static void take_type(struct taking *t)
{
	const struct config_setting *type = config_find(t->config, "type"),
				    *builder = config_find(t->config, "builder");

	if (type && strcmp(type->value.text, "pv") != 0)
		bad(t, type, "\"pv\", the one kind of guest that there is here");
	if (builder && strcmp(builder->value.text, "generic") != 0)
		bad(t, builder, "\"generic\", the one kind of guest that there is here");
}

/* Memory and CPUs */

static void take_memory(struct taking *t)
{
	const struct config_setting *setting = config_find(t->config, "maxmem");
	long long memory = 128, most;

	take_number(t, "memory", 1, DOMAIN_MEMORY_MIB, &memory);
	most = memory;
	take_number(t, "maxmem", 1, DOMAIN_MEMORY_MIB, &most);
	if (most < memory) {
		report_error(t->report, setting->file, setting->line,
			     "maxmem: expected at least memory, which is %lld MiB, found %lld",
			     memory, most);
		most = memory;
	}
	t->domain->memory_kib = (uint64_t)memory << 10;
	t->domain->max_memory_kib = (uint64_t)most << 10;
}

static void take_vcpus(struct taking *t)
{
	const struct config_setting *setting = config_find(t->config, "maxvcpus");
	struct domain_config *domain = t->domain;

	domain->vcpus = 1;
	domain->max_vcpus = 0;
	take_unsigned(t, "maxvcpus", 1, DOMAIN_VCPUS, &domain->max_vcpus);
	take_unsigned(t, "vcpus", 1, DOMAIN_VCPUS, &domain->vcpus);
	if (!domain->max_vcpus)
		domain->max_vcpus = domain->vcpus;
	if (domain->max_vcpus < domain->vcpus) {
		report_error(t->report, setting->file, setting->line,
			     "maxvcpus: expected at least vcpus, which is %u, found %u",
			     domain->vcpus, domain->max_vcpus);
		domain->vcpus = domain->max_vcpus;
	}
}

static bool take_cpu_set(struct taking *t, const struct config_setting *setting,
			 const struct config_value *value, struct cpu_set *set)
{
	const char *where = "[...]", *right = "a string of CPUs";

	if (value->kind != CONFIG_LIST)
		right = cpu_set_parse(set, value->text, &where);
	if (right)
		report_error(t->report, setting->file, value->line,
			     "%s: expected %s, found `%.40s'", setting->key, right, where);
	return !right;
}

static void take_cpus(struct taking *t, const char *key, struct cpu_set **sets, unsigned int *count)
{
	const struct config_setting *setting = config_find(t->config, key);
	unsigned int items = 1, n = 0;

	if (!setting)
		return;
	if (setting->value.kind == CONFIG_LIST) {
		items = 0;
		for (const struct config_value *item = setting->value.items; item;
		     item = item->next)
			items++;
	}
	if (items > t->domain->max_vcpus)
		report_warning(t->report, setting->file, setting->line,
			       "%s has %u sets, but there are only %u vCPUs", key, items,
			       t->domain->max_vcpus);
	/* One more: what has one set alone is for all vCPUs only if it is no list. */
	*sets = pool_alloc(&t->domain->pool, (items + 1) * sizeof(**sets));
	if (!*sets)
		return;
	if (setting->value.kind != CONFIG_LIST)
		n = take_cpu_set(t, setting, &setting->value, *sets);
	else
		for (const struct config_value *item = setting->value.items; item;
		     item = item->next)
			if (!take_cpu_set(t, setting, item, &(*sets)[n++]))
				return;
	if (setting->value.kind == CONFIG_LIST && items == 1)
		cpu_set_all(&(*sets)[n++]);
	*count = n;
}

/* The kernel */

static void take_kernel(struct taking *t)
{
	struct domain_config *domain = t->domain;
	const char *root = NULL, *extra = NULL;

	if (!take_string(t, "kernel", &domain->kernel) || !*domain->kernel)
		report_error(t->report, NULL, 0,
			     "the configuration has no kernel: expected kernel=\"PATH\"");
	if (take_string(t, "ramdisk", &domain->ramdisk) && !*domain->ramdisk)
		domain->ramdisk = NULL;
	take_string(t, "root", &root);
	take_string(t, "extra", &extra);
	if (take_string(t, "cmdline", &domain->cmdline)) {
		if (root || extra)
			report_warning(t->report, NULL, 0,
				       "root and extra are ignored, since cmdline is set");
	} else if (root) {
		domain->cmdline = pool_printf(&domain->pool, "root=%s%s%s", root, extra ? " " : "",
					      extra ? extra : "");
	} else {
		domain->cmdline = extra ? extra : "";
	}
}

/* Events */

static void take_actions(struct taking *t)
{
	enum domain_action *on = t->domain->on;

	on[END_POWEROFF] = on[END_WATCHDOG] = on[END_CRASH] = ACTION_DESTROY;
	on[END_REBOOT] = ACTION_RESTART;
	on[END_SOFT_RESET] = ACTION_SOFT_RESET;
	for (unsigned int end = 0; end < DOMAIN_ENDS; end++) {
		const struct config_setting *setting = config_find(t->config, end_keys[end]);
		unsigned int action = 0;

		if (!setting)
			continue;
		while (action < DOMAIN_ACTIONS &&
		       strcmp(action_names[action], setting->value.text) != 0)
			action++;
		if (action == DOMAIN_ACTIONS ||
		    (action == ACTION_SOFT_RESET && end != END_SOFT_RESET))
			bad(t, setting,
			    end == END_SOFT_RESET
				? "destroy, restart, rename-restart, preserve, coredump-destroy, "
				  "coredump-restart or soft-reset"
				: "destroy, restart, rename-restart, preserve, coredump-destroy or "
				  "coredump-restart");
		else
			on[end] = action;
	}
}

/* Devices */

static unsigned int list_length(const struct config_setting *setting)
{
	unsigned int length = 0;

	for (const struct config_value *item = setting->value.items; item; item = item->next)
		length++;
	return length;
}

/* Hardware. Numbers are hexadecimal, with or without 0x, but for interrupts. */

static bool hexadecimal(const char **text, uint64_t most, uint64_t *number)
{
	char *end;

	if (!isxdigit((unsigned char)**text))
		return false;
	errno = 0;
	*number = strtoull(*text, &end, 16);
	*text = end;
	return !errno && *number <= most;
}

static bool irq_range(const struct config_value *item, struct hardware_range *range)
{
	long long number;

	if (!value_number(item, &number) || number < 1 || number > 4095)
		return false;
	*range = (struct hardware_range){(uint64_t)number, 1};
	return true;
}

/* "2f8" or "2f8-2ff" */
static bool port_range(const struct config_value *item, struct hardware_range *range)
{
	const char *text = item->text;
	uint64_t last;

	if (item->kind == CONFIG_LIST || !hexadecimal(&text, 0xffff, &range->first))
		return false;
	last = range->first;
	if (*text == '-') {
		text++;
		if (!hexadecimal(&text, 0xffff, &last))
			return false;
	}
	range->count = last - range->first + 1;
	return !*text && last >= range->first;
}

/* "a0,20" or "a0,20@a0"; the place in the guest's own memory is for those that do not see the machine's frames. */
static bool memory_range(const struct config_value *item, struct hardware_range *range)
{
	const char *text = item->text;
	uint64_t place;

	if (item->kind == CONFIG_LIST || !hexadecimal(&text, DOMAIN_FRAMES - 1, &range->first) ||
	    *text++ != ',' || !hexadecimal(&text, DOMAIN_FRAMES - range->first, &range->count) ||
	    !range->count)
		return false;
	if (*text == '@') {
		text++;
		if (!hexadecimal(&text, DOMAIN_FRAMES - 1, &place))
			return false;
	}
	return !*text;
}

static void take_hardware(struct taking *t, const char *key,
			  bool (*read)(const struct config_value *, struct hardware_range *),
			  const char *right, struct hardware *to)
{
	const struct config_setting *setting = config_find(t->config, key);

	if (!setting || !setting->value.items)
		return;
	to->ranges = pool_alloc(&t->domain->pool, list_length(setting) * sizeof(*to->ranges));
	if (!to->ranges)
		return;
	for (const struct config_value *item = setting->value.items; item; item = item->next)
		if (read(item, &to->ranges[to->count]))
			to->count++;
		else
			report_error(t->report, setting->file, item->line,
				     "%s: expected %s, found `%.40s'", key, right,
				     item->kind == CONFIG_LIST ? "[...]" : item->text);
}

static bool take_vif(struct taking *t, const struct config_value *item, struct device_error *error)
{
	struct domain_config *domain = t->domain;
	struct vif_config *vif = &domain->vifs[domain->vif_count];

	if (!vif_config_parse(vif, item->text, domain->vif_count, &domain->pool, error) ||
	    !vif_config_check(vif, error))
		return false;
	for (unsigned int i = 0; i < domain->vif_count; i++)
		if (domain->vifs[i].devid == vif->devid) {
			snprintf(error->text, sizeof(error->text),
				 "devid %u is that of another interface", vif->devid);
			return false;
		}
	domain->vif_count++;
	return true;
}

static bool take_disk(struct taking *t, const struct config_value *item, struct device_error *error)
{
	struct domain_config *domain = t->domain;
	struct disk_config *disk = &domain->disks[domain->disk_count];

	if (!disk_config_parse(disk, item->text, &domain->pool, error) ||
	    !disk_config_check(disk, error))
		return false;
	for (unsigned int i = 0; i < domain->disk_count; i++)
		if (domain->disks[i].number == disk->number) {
			snprintf(error->text, sizeof(error->text), "%.40s is another disk already",
				 disk->vdev);
			return false;
		}
	domain->disk_count++;
	return true;
}

/* Each item of a list of specifications. */
static void take_devices(struct taking *t, const struct config_setting *setting,
			 bool (*take)(struct taking *, const struct config_value *,
				      struct device_error *))
{
	struct device_error error;

	for (const struct config_value *item = setting->value.items; item; item = item->next)
		if (item->kind != CONFIG_STRING)
			report_error(t->report, setting->file, item->line,
				     "%s: expected a string for each device", setting->key);
		else if (!take(t, item, &error))
			report_error(t->report, setting->file, item->line, "%s: %s", setting->key,
				     error.text);
}

static void take_vifs(struct taking *t)
{
	const struct config_setting *setting = config_find(t->config, "vif");
	struct domain_config *domain = t->domain;

	if (!setting || !setting->value.items)
		return;
	domain->vifs = pool_alloc(&domain->pool, list_length(setting) * sizeof(*domain->vifs));
	if (domain->vifs)
		take_devices(t, setting, take_vif);
}

static void take_disks(struct taking *t)
{
	const struct config_setting *setting = config_find(t->config, "disk");
	struct domain_config *domain = t->domain;

	if (!setting || !setting->value.items)
		return;
	domain->disks = pool_alloc(&domain->pool, list_length(setting) * sizeof(*domain->disks));
	if (domain->disks)
		take_devices(t, setting, take_disk);
}

bool domain_config_read(struct domain_config *domain, const struct config *config,
			struct report *report)
{
	struct taking t = {.domain = domain, .config = config, .report = report};
	unsigned int before = report->errors;

	*domain = (struct domain_config){.weight = 256,
					 .max_grant_frames = domain_defaults.max_grant_frames,
					 .max_maptrack_frames = domain_defaults.max_maptrack_frames,
					 .max_grant_version = domain_defaults.max_grant_version,
					 .max_event_channels = 1023,
					 .cmdline = ""};
	if (!keys_check(config, report))
		return false;
	take_name(&t);
	take_uuid(&t);
	take_type(&t);
	take_memory(&t);
	take_vcpus(&t);
	take_cpus(&t, "cpus", &domain->hard, &domain->hard_count);
	take_cpus(&t, "cpus_soft", &domain->soft, &domain->soft_count);
	take_unsigned(&t, "cpu_weight", 1, 65535, &domain->weight);
	take_unsigned(&t, "cap", 0, 65535, &domain->cap);
	take_kernel(&t);
	take_actions(&t);
	take_int(&t, "max_grant_frames", 1, 65536, &domain->max_grant_frames);
	take_int(&t, "max_maptrack_frames", 0, 65536, &domain->max_maptrack_frames);
	take_unsigned(&t, "max_grant_version", 1, 2, &domain->max_grant_version);
	take_unsigned(&t, "max_event_channels", 1, 131071, &domain->max_event_channels);
	take_hardware(&t, "irqs", irq_range, "the number of an interrupt line, 1 to 4095",
		      &domain->irqs);
	take_hardware(&t, "ioports", port_range,
		      "ports in hexadecimal, as in \"2f8-2ff\" or \"2f8\"", &domain->ioports);
	take_hardware(&t, "iomem", memory_range,
		      "the first page and the number of pages in hexadecimal, as in \"a0,20\"",
		      &domain->iomem);
	take_vifs(&t);
	take_disks(&t);
	if (domain->pool.failed)
		report_error(report, NULL, 0, "out of memory");
	return report->errors == before;
}

void domain_config_free(struct domain_config *domain)
{
	pool_free(&domain->pool);
}
