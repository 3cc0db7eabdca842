/* SPDX-License-Identifier: MIT */
#include "xl/host_config.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "xl/keys.h"

static const struct key keys[] = {
    {"autoballoon", TAKES_BOOLEAN_OR_STRING, KEY_USED},
    {"blkdev_start", TAKES_STRING, KEY_ABSENT},
    {"claim_mode", TAKES_BOOLEAN, KEY_USED},
    {"colo.default.proxyscript", TAKES_STRING, KEY_ABSENT},
    {"domid_policy", TAKES_STRING, KEY_USED},
    {"lockfile", TAKES_STRING, KEY_ABSENT},
    {"max_grant_frames", TAKES_NUMBER, KEY_USED},
    {"max_grant_version", TAKES_NUMBER, KEY_USED},
    {"max_maptrack_frames", TAKES_NUMBER, KEY_USED},
    {"output_format", TAKES_STRING, KEY_USED},
    {"remus.default.netbufscript", TAKES_STRING, KEY_ABSENT},
    {"run_hotplug_scripts", TAKES_BOOLEAN, KEY_ABSENT},
    {"vif.default.backend", TAKES_STRING, KEY_ABSENT},
    {"vif.default.bridge", TAKES_STRING, KEY_USED},
    {"vif.default.gatewaydev", TAKES_STRING, KEY_ABSENT},
    {"vif.default.script", TAKES_STRING, KEY_ABSENT},
    {"vm.cpumask", TAKES_STRING_OR_LIST, KEY_USED},
    {"vm.hvm.cpumask", TAKES_STRING_OR_LIST, KEY_HVM},
    {"vm.pv.cpumask", TAKES_STRING_OR_LIST, KEY_USED},
};

static const struct key_table table = {keys, sizeof(keys) / sizeof(keys[0])};

struct reading {
	struct domain_defaults *defaults;
	const struct config *config;
	struct report *report;
};

static void bad(struct reading *r, const struct config_setting *setting, const char *right)
{
	report_error(r->report, setting->file, setting->line, "%s: expected %s, found `%.60s'",
		     setting->key, right,
		     setting->value.kind == CONFIG_LIST ? "[...]" : setting->value.text);
}

/* False: not set, or reported. */
static bool read_number(struct reading *r, const char *key, int least, int most, int *to)
{
	const struct config_setting *setting = config_find(r->config, key);
	char right[64];
	long long number;

	if (!setting)
		return false;
	if (!value_number(&setting->value, &number) || number < least || number > most) {
		snprintf(right, sizeof(right), "a number from %d to %d", least, most);
		bad(r, setting, right);
		return false;
	}
	*to = (int)number;
	return true;
}

static void read_boolean(struct reading *r, const char *key, bool *to)
{
	const struct config_setting *setting = config_find(r->config, key);
	long long number;

	if (setting && value_number(&setting->value, &number))
		*to = number != 0;
}

/* Which of the words is the value: its index, or -1: not set, or reported. */
static int read_word(struct reading *r, const char *key, const char *const *words,
		     const char *right)
{
	const struct config_setting *setting = config_find(r->config, key);

	if (!setting)
		return -1;
	for (int i = 0; words[i]; i++)
		if (!strcmp(setting->value.text, words[i]))
			return i;
	bad(r, setting, right);
	return -1;
}

static void warn(struct reading *r, const char *key, const char *what)
{
	const struct config_setting *setting = config_find(r->config, key);

	report_warning(r->report, setting->file, setting->line, "%s: %s", key, what);
}

static void read_words(struct reading *r)
{
	static const char *const balloon[] = {"off", "0", "auto", "on", "1", NULL},
				 *const policy[] = {"xen", "random", NULL},
				 *const format[] = {"json", "sxp", NULL};
	int word;

	if (read_word(r, "autoballoon", balloon, "\"off\", \"on\" or \"auto\"") >= 3)
		warn(
		    r, "autoballoon",
		    "dom0 has the memory that dom0_mem gives it, and gives none of it to others; ignored");
	if (read_word(r, "output_format", format, "\"json\" or \"sxp\"") == 1)
		warn(r, "output_format", "there is only JSON here, ignored");
	word = read_word(r, "domid_policy", policy, "\"xen\" or \"random\"");
	if (word >= 0)
		r->defaults->random_domid = word == 1;
}

static void read_bridge(struct reading *r)
{
	const struct config_setting *setting = config_find(r->config, "vif.default.bridge");
	char *bridge = r->defaults->bridge;

	if (!setting)
		return;
	if (!*setting->value.text || strlen(setting->value.text) >= sizeof(r->defaults->bridge))
		bad(r, setting, "the name of a bridge");
	else
		snprintf(bridge, sizeof(r->defaults->bridge), "%s", setting->value.text);
}

static bool add_cpus(struct reading *r, const struct config_setting *setting,
		     const struct config_value *value, struct cpu_set *sum)
{
	const char *where = "[...]", *right = "a string of CPUs";
	struct cpu_set set;

	if (value->kind != CONFIG_LIST)
		right = cpu_set_parse(&set, value->text, &where);
	if (right) {
		report_error(r->report, setting->file, value->line,
			     "%s: expected %s, found `%.40s'", setting->key, right, where);
		return false;
	}
	for (unsigned int i = 0; i < sizeof(set.bits); i++)
		sum->bits[i] |= set.bits[i];
	return true;
}

/* A list is all CPUs that are in one of its sets. */
static void read_cpus(struct reading *r, const char *key)
{
	const struct config_setting *setting = config_find(r->config, key);
	struct domain_defaults *defaults = r->defaults;
	struct cpu_set set = {{0}};

	if (!setting)
		return;
	if (setting->value.kind != CONFIG_LIST) {
		if (!add_cpus(r, setting, &setting->value, &set))
			return;
	} else {
		for (const struct config_value *item = setting->value.items; item;
		     item = item->next)
			if (!add_cpus(r, setting, item, &set))
				return;
	}
	if (defaults->has_cpus)
		cpu_set_intersect(&set, &defaults->cpus);
	if (cpu_set_empty(&set)) {
		bad(r, setting, "a CPU that vm.cpumask allows");
		return;
	}
	defaults->has_cpus = true;
	defaults->cpus = set;
}

bool host_config_read(struct domain_defaults *defaults, const struct config *config,
		      struct report *report)
{
	struct reading r = {defaults, config, report};
	unsigned int before = report->errors;
	int version;

	if (!keys_check_by(&table, config, report))
		return false;
	read_boolean(&r, "claim_mode", &defaults->claim);
	read_words(&r);
	read_number(&r, "max_grant_frames", 1, 65536, &defaults->max_grant_frames);
	read_number(&r, "max_maptrack_frames", 0, 65536, &defaults->max_maptrack_frames);
	if (read_number(&r, "max_grant_version", 1, 2, &version))
		defaults->max_grant_version = (unsigned int)version;
	read_bridge(&r);
	read_cpus(&r, "vm.cpumask");
	read_cpus(&r, "vm.pv.cpumask");
	return report->errors == before;
}
