/* SPDX-License-Identifier: MIT */
#include "xl/keys.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sorted by name, for people. */
static const struct key keys[] = {
    {"acpi", TAKES_BOOLEAN, KEY_HVM},
    {"acpi_firmware", TAKES_STRING, KEY_HVM},
    {"acpi_laptop_slate", TAKES_BOOLEAN, KEY_HVM},
    {"acpi_s3", TAKES_BOOLEAN, KEY_HVM},
    {"acpi_s4", TAKES_BOOLEAN, KEY_HVM},
    {"altp2m", TAKES_STRING, KEY_HVM},
    {"altp2mhvm", TAKES_BOOLEAN, KEY_HVM},
    {"apic", TAKES_BOOLEAN, KEY_HVM},
    {"bios", TAKES_STRING, KEY_HVM},
    {"bios_path_override", TAKES_STRING, KEY_HVM},
    {"blkdev_start", TAKES_STRING, KEY_ABSENT},
    {"boot", TAKES_STRING, KEY_HVM},
    {"bootloader", TAKES_STRING, KEY_ABSENT},
    {"bootloader_args", TAKES_STRING_OR_LIST, KEY_ABSENT},
    {"builder", TAKES_STRING, KEY_USED},
    {"cap", TAKES_NUMBER, KEY_USED},
    {"channel", TAKES_LIST, KEY_ABSENT},
    {"cmdline", TAKES_STRING, KEY_USED},
    {"cpu_weight", TAKES_NUMBER, KEY_USED},
    {"cpuid", TAKES_STRING_OR_LIST, KEY_ABSENT},
    {"cpus", TAKES_STRING_OR_LIST, KEY_USED},
    {"cpus_soft", TAKES_STRING_OR_LIST, KEY_USED},
    {"device_model_args", TAKES_LIST, KEY_HVM},
    {"device_model_args_hvm", TAKES_LIST, KEY_HVM},
    {"device_model_args_pv", TAKES_LIST, KEY_ABSENT},
    {"device_model_override", TAKES_STRING, KEY_HVM},
    {"device_model_stubdomain_override", TAKES_BOOLEAN, KEY_HVM},
    {"device_model_stubdomain_seclabel", TAKES_STRING, KEY_HVM},
    {"device_model_user", TAKES_STRING, KEY_HVM},
    {"device_model_version", TAKES_STRING, KEY_HVM},
    {"device_tree", TAKES_STRING, KEY_ABSENT},
    {"disk", TAKES_LIST, KEY_USED},
    {"dm_restrict", TAKES_BOOLEAN, KEY_HVM},
    {"driver_domain", TAKES_BOOLEAN, KEY_ABSENT},
    {"dtdev", TAKES_LIST, KEY_ABSENT},
    {"e820_host", TAKES_BOOLEAN, KEY_ABSENT},
    {"extra", TAKES_STRING, KEY_USED},
    {"firmware", TAKES_STRING, KEY_ABSENT},
    {"gfx_passthru", TAKES_BOOLEAN_OR_STRING, KEY_HVM},
    {"gic_version", TAKES_STRING, KEY_ABSENT},
    {"hap", TAKES_BOOLEAN, KEY_HVM},
    {"hdtype", TAKES_STRING, KEY_HVM},
    {"hpet", TAKES_BOOLEAN, KEY_HVM},
    {"init_seclabel", TAKES_STRING, KEY_ABSENT},
    {"iomem", TAKES_LIST, KEY_USED},
    {"ioports", TAKES_LIST, KEY_USED},
    {"irqs", TAKES_LIST, KEY_USED},
    {"kernel", TAKES_STRING, KEY_USED},
    {"keymap", TAKES_STRING, KEY_HVM},
    {"localtime", TAKES_BOOLEAN, KEY_ABSENT},
    {"max_event_channels", TAKES_NUMBER, KEY_USED},
    {"max_grant_frames", TAKES_NUMBER, KEY_USED},
    {"max_grant_version", TAKES_NUMBER, KEY_USED},
    {"max_maptrack_frames", TAKES_NUMBER, KEY_USED},
    {"maxmem", TAKES_NUMBER, KEY_USED},
    {"maxvcpus", TAKES_NUMBER, KEY_USED},
    {"mca_caps", TAKES_LIST, KEY_HVM},
    {"memory", TAKES_NUMBER, KEY_USED},
    {"mmio_hole", TAKES_NUMBER, KEY_HVM},
    {"ms_vm_genid", TAKES_STRING, KEY_HVM},
    {"msr_relaxed", TAKES_BOOLEAN, KEY_ABSENT},
    {"name", TAKES_STRING, KEY_USED},
    {"nestedhvm", TAKES_BOOLEAN, KEY_HVM},
    {"nographic", TAKES_BOOLEAN, KEY_HVM},
    {"nomigrate", TAKES_BOOLEAN, KEY_ABSENT},
    {"nx", TAKES_BOOLEAN, KEY_HVM},
    {"on_crash", TAKES_STRING, KEY_USED},
    {"on_poweroff", TAKES_STRING, KEY_USED},
    {"on_reboot", TAKES_STRING, KEY_USED},
    {"on_soft_reset", TAKES_STRING, KEY_USED},
    {"on_watchdog", TAKES_STRING, KEY_USED},
    {"oos", TAKES_BOOLEAN, KEY_HVM},
    {"opengl", TAKES_BOOLEAN, KEY_HVM},
    {"p9", TAKES_LIST, KEY_ABSENT},
    {"pae", TAKES_BOOLEAN, KEY_HVM},
    {"passthrough", TAKES_STRING, KEY_ABSENT},
    {"pci", TAKES_LIST, KEY_ABSENT},
    {"pci_msitranslate", TAKES_BOOLEAN, KEY_ABSENT},
    {"pci_permissive", TAKES_BOOLEAN, KEY_ABSENT},
    {"pci_power_mgmt", TAKES_BOOLEAN, KEY_HVM},
    {"pci_seize", TAKES_BOOLEAN, KEY_ABSENT},
    {"pool", TAKES_STRING, KEY_ABSENT},
    {"pvcalls", TAKES_LIST, KEY_ABSENT},
    {"pvshim", TAKES_BOOLEAN, KEY_HVM},
    {"pvshim_cmdline", TAKES_STRING, KEY_HVM},
    {"pvshim_extra", TAKES_STRING, KEY_HVM},
    {"pvshim_path", TAKES_STRING, KEY_HVM},
    {"ramdisk", TAKES_STRING, KEY_USED},
    {"rdm", TAKES_STRING, KEY_HVM},
    {"rdm_mem_boundary", TAKES_NUMBER, KEY_HVM},
    {"root", TAKES_STRING, KEY_USED},
    {"rtc_timeoffset", TAKES_NUMBER, KEY_HVM},
    {"sdl", TAKES_BOOLEAN, KEY_HVM},
    {"seclabel", TAKES_STRING, KEY_ABSENT},
    {"serial", TAKES_STRING_OR_LIST, KEY_HVM},
    {"shadow_memory", TAKES_NUMBER, KEY_HVM},
    {"smbios_firmware", TAKES_STRING, KEY_HVM},
    {"soundhw", TAKES_STRING, KEY_HVM},
    {"spice", TAKES_BOOLEAN, KEY_HVM},
    {"spice_clipboard_sharing", TAKES_BOOLEAN, KEY_HVM},
    {"spice_image_compression", TAKES_STRING, KEY_HVM},
    {"spice_streaming_video", TAKES_STRING, KEY_HVM},
    {"spiceagent_mouse", TAKES_BOOLEAN, KEY_HVM},
    {"spicedisable_ticketing", TAKES_BOOLEAN, KEY_HVM},
    {"spicehost", TAKES_STRING, KEY_HVM},
    {"spicepasswd", TAKES_STRING, KEY_HVM},
    {"spiceport", TAKES_NUMBER, KEY_HVM},
    {"spicetls_port", TAKES_NUMBER, KEY_HVM},
    {"spiceusbredirection", TAKES_NUMBER, KEY_HVM},
    {"spicevdagent", TAKES_BOOLEAN, KEY_HVM},
    {"stdvga", TAKES_BOOLEAN, KEY_HVM},
    {"stubdomain_cmdline", TAKES_STRING, KEY_HVM},
    {"stubdomain_kernel", TAKES_STRING, KEY_HVM},
    {"stubdomain_memory", TAKES_NUMBER, KEY_HVM},
    {"stubdomain_ramdisk", TAKES_STRING, KEY_HVM},
    {"tee", TAKES_STRING, KEY_ABSENT},
    {"timer_mode", TAKES_STRING, KEY_HVM},
    {"tsc_mode", TAKES_STRING, KEY_ABSENT},
    {"type", TAKES_STRING, KEY_USED},
    {"usb", TAKES_BOOLEAN, KEY_HVM},
    {"usbctrl", TAKES_LIST, KEY_ABSENT},
    {"usbdev", TAKES_LIST, KEY_ABSENT},
    {"usbdevice", TAKES_STRING_OR_LIST, KEY_HVM},
    {"usbversion", TAKES_NUMBER, KEY_HVM},
    {"uuid", TAKES_STRING, KEY_USED},
    {"vcpus", TAKES_NUMBER, KEY_USED},
    {"vdispl", TAKES_LIST, KEY_ABSENT},
    {"vendor_device", TAKES_STRING, KEY_HVM},
    {"vfb", TAKES_LIST, KEY_ABSENT},
    {"vga", TAKES_STRING, KEY_HVM},
    {"videoram", TAKES_NUMBER, KEY_HVM},
    {"vif", TAKES_LIST, KEY_USED},
    {"viridian", TAKES_BOOLEAN_OR_LIST, KEY_HVM},
    {"vkb", TAKES_LIST, KEY_ABSENT},
    {"vkb_device", TAKES_BOOLEAN, KEY_HVM},
    {"vmtrace_buf_kb", TAKES_NUMBER, KEY_ABSENT},
    {"vnc", TAKES_BOOLEAN, KEY_ABSENT},
    {"vncdisplay", TAKES_NUMBER, KEY_ABSENT},
    {"vnclisten", TAKES_STRING, KEY_ABSENT},
    {"vncpasswd", TAKES_STRING, KEY_ABSENT},
    {"vncunused", TAKES_BOOLEAN, KEY_ABSENT},
    {"vnuma", TAKES_LIST, KEY_HVM},
    {"vpmu", TAKES_BOOLEAN, KEY_ABSENT},
    {"vpt_align", TAKES_BOOLEAN, KEY_HVM},
    {"vsnd", TAKES_LIST, KEY_ABSENT},
    {"vtpm", TAKES_LIST, KEY_ABSENT},
    {"vuart", TAKES_STRING, KEY_ABSENT},
    {"xen_platform_pci", TAKES_BOOLEAN, KEY_HVM},
    {"xend_suspend_evtchn_compat", TAKES_BOOLEAN, KEY_ABSENT},
};

static const struct key_table domain_keys = {keys, sizeof(keys) / sizeof(keys[0])};

static const struct key *find_in(const struct key_table *table, const char *name)
{
	for (unsigned int i = 0; i < table->count; i++)
		if (!strcmp(table->keys[i].name, name))
			return &table->keys[i];
	return NULL;
}

const struct key *key_find(const char *name)
{
	return find_in(&domain_keys, name);
}

bool value_number(const struct config_value *value, long long *number)
{
	char *end;

	if (value->kind == CONFIG_LIST || !*value->text)
		return false;
	errno = 0;
	*number = strtoll(value->text, &end, 0);
	return !*end && !errno;
}

/* What the key takes, for messages; NULL when the value is of that kind. */
static const char *wrong_kind(const struct key *key, const struct config_value *value)
{
	bool list = value->kind == CONFIG_LIST;
	long long number;

	switch (key->takes) {
	case TAKES_STRING:
		return list ? "a string" : NULL;
	case TAKES_NUMBER:
		return value_number(value, &number) ? NULL : "a number";
	case TAKES_BOOLEAN:
		return value_number(value, &number) ? NULL
						    : "a number, 0 for false, any other for true";
	case TAKES_LIST:
		return list ? NULL : "a list";
	case TAKES_BOOLEAN_OR_STRING:
		return list ? "a number or a string" : NULL;
	case TAKES_BOOLEAN_OR_LIST:
		return list || value_number(value, &number) ? NULL : "a number or a list";
	case TAKES_STRING_OR_LIST:
		break;
	}
	return NULL;
}

static void check(const struct key_table *table, const struct config_setting *setting,
		  struct report *report)
{
	const struct key *key = find_in(table, setting->key);
	const char *right;

	if (!key) {
		report_warning(report, setting->file, setting->line, "unknown key `%s', ignored",
			       setting->key);
		return;
	}
	right = wrong_kind(key, &setting->value);
	if (right)
		report_error(report, setting->file, setting->line,
			     "%s: expected %s, found %s%.60s%s", key->name, right,
			     setting->value.kind == CONFIG_LIST ? "a list" : "`",
			     setting->value.kind == CONFIG_LIST ? "" : setting->value.text,
			     setting->value.kind == CONFIG_LIST ? "" : "'");
	else if (key->support == KEY_HVM)
		report_warning(report, setting->file, setting->line,
			       "%s is not for PV guests, ignored", key->name);
	else if (key->support == KEY_ABSENT)
		report_warning(report, setting->file, setting->line,
			       "%s is not supported here, ignored", key->name);
}

bool keys_check_by(const struct key_table *table, const struct config *config,
		   struct report *report)
{
	unsigned int before = report->errors;

	for (const struct config_setting *setting = config->settings; setting;
	     setting = setting->next)
		check(table, setting, report);
	return report->errors == before;
}

bool keys_check(const struct config *config, struct report *report)
{
	return keys_check_by(&domain_keys, config, report);
}
