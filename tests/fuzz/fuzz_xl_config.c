/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/xl/config.c dom0-tools/xl/pool.c dom0-tools/xl/domain_config.c dom0-tools/xl/keys.c dom0-tools/xl/cpu_set.c dom0-tools/xl/device_config.c
// runs: 40000
#include <stdlib.h>
#include <string.h>
#include "xl/config.h"
#include "xl/domain_config.h"

/*
 * Any text as a configuration: it is refused with one message, or what is printed of it reads back as the same; and
 * then its keys are taken, or something is said about them.
 */
static void say(struct report *report, const char *message)
{
	if (!*message || strlen(message) > 600 || strchr(message, '\n'))
		abort();
}

static void take_keys(const struct config *config)
{
	struct report report = {.say = say};
	struct domain_config domain;
	bool right = domain_config_read(&domain, config, &report);

	if (right == (report.errors > 0))
		abort();
	if (right && (!domain.name || !domain.kernel || !domain.vcpus ||
		      domain.vcpus > domain.max_vcpus || domain.memory_kib > domain.max_memory_kib))
		abort();
	domain_config_free(&domain);
}

/* The lists that devices' specifications stand in, changed, are still what can be printed and read. */
static void try_edits(struct config *config)
{
	struct report report = {.say = say};
	struct config again = {0};
	char *text;

	config_list_set(config, "disk", 0, "x");
	config_list_set(config, "disk", 1, "y'\"\\");
	config_list_remove(config, "disk", 0);
	text = config_print(config);
	if (!config_parse(&again, "f", text, strlen(text), &report))
		abort();
	config_free(&again);
}

static void try_text(const char *text, size_t size)
{
	struct report report = {.say = say};
	struct config config = {0}, again = {0};
	char *first, *second;

	if (config_parse(&config, "f", text, size, &report)) {
		if (report.errors)
			abort();
		first = config_print(&config);
		if (!config_parse(&again, "f", first, strlen(first), &report))
			abort();
		second = config_print(&again);
		if (strcmp(first, second))
			abort();
		take_keys(&config);
		try_edits(&config);
	} else if (report.errors != 1) {
		abort();
	}
	config_free(&config);
	config_free(&again);
}

/* One of a specification's parts is what was said, or a default. */
static void try_device(const char *text)
{
	struct device_error error;
	struct pool pool = {0};
	struct disk_config disk;
	struct vif_config vif;
	char mac[MAC_TEXT];
	uint8_t again[6];

	error.text[0] = 0;
	if (disk_config_parse(&disk, text, &pool, &error)) {
		if (!disk.vdev || !*disk.vdev || !disk.format || disk.number > 0x1fffffff ||
		    (!disk.target && !disk.cdrom))
			abort();
		if (disk_config_check(&disk, &error) && (!disk.target || disk.script))
			abort();
	} else if (!error.text[0] && !pool.failed) {
		abort();
	}
	error.text[0] = 0;
	if (vif_config_parse(&vif, text, 3, &pool, &error)) {
		if (vif.devid > 65535 || (vif.mtu && vif.mtu < 68) ||
		    (vif.rate_interval_us != 0) != (vif.rate_bytes != 0))
			abort();
		mac_print(vif.mac, mac);
		if (!mac_parse(mac, again) || memcmp(again, vif.mac, 6) != 0)
			abort();
		vif_config_check(&vif, &error);
	} else if (!error.text[0]) {
		abort();
	}
	pool_free(&pool);
}

/* The text as the one value of a key, between what a domain needs at least. */
static void try_value(const char *key, const char *text)
{
	struct report report = {.say = say};
	struct config_value item = {.kind = CONFIG_STRING, .line = 1, .text = text};
	struct config_setting settings[3] = {
	    {.key = "name",
	     .file = "f",
	     .value = {.kind = CONFIG_STRING, .text = "x"},
	     .next = &settings[1]},
	    {.key = "kernel",
	     .file = "f",
	     .value = {.kind = CONFIG_STRING, .text = "/k"},
	     .next = &settings[2]},
	    {.key = key, .file = "f", .value = {.kind = CONFIG_STRING, .text = text}},
	};
	struct config config = {.settings = settings};
	struct domain_config domain;
	bool list = !strcmp(key, "vif") || !strcmp(key, "disk");

	if (list)
		try_device(text);
	if (list)
		settings[2].value = (struct config_value){.kind = CONFIG_LIST, .items = &item};
	if (domain_config_read(&domain, &config, &report) == (report.errors > 0))
		abort();
	domain_config_free(&domain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"vif", "disk", "cpus", "memory", "uuid", "on_crash"};
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	if (*data % 8 < sizeof(keys) / sizeof(keys[0]))
		try_value(keys[*data % 8], text);
	else
		try_text(text, size - 1);
	free(text);
	return 0;
}
