/* SPDX-License-Identifier: MIT */
/* Disks and network interfaces of domains that are there: attached, detached, listed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <public/errno.h>
#include "xl/amount.h"
#include "xl/create.h"
#include "xl/device.h"
#include "xl/xl.h"

/* What is kept of a domain's configuration follows its devices, so that it has them when it is started again. */

static void warn_not_kept(const char *name)
{
	failed(
	    "warning: the configuration of %s could not be kept: what was changed here ends with "
	    "this run of it",
	    name);
}

/* Add a specification. */
static void keep_attached(const struct domain_view *domain, const char *key, const char *text)
{
	const struct config_setting *setting;
	struct config config;
	unsigned int count = 0;
	const char *all = NULL;

	if (!saved_config_load((domid_t)domain->domid, &config))
		return; /* none is kept at all */
	setting = config_find(&config, key);
	for (const struct config_value *item = setting ? setting->value.items : NULL; item;
	     item = item->next)
		count++;
	if (config_list_set(&config, key, count, text))
		all = config_print(&config);
	if (!all || saved_config_write((domid_t)domain->domid, all))
		warn_not_kept(domain->name);
	config_free(&config);
}

/* Which item of the list it is: they have been read in order. -1: it is not there. */
static int item_of(const struct domain_config *read, const struct device_id *id)
{
	for (unsigned int i = 0; i < read->disk_count && id->kind == DEVICE_DISK; i++)
		if (read->disks[i].number == id->number)
			return (int)i;
	for (unsigned int i = 0; i < read->vif_count && id->kind == DEVICE_NETWORK; i++)
		if (read->vifs[i].devid == id->number)
			return (int)i;
	return -1;
}

static void keep_detached(const struct domain_view *domain, const struct device_id *id)
{
	struct report report = {.say = report_nothing};
	struct domain_config read;
	struct config config;
	const char *all = NULL;
	int item;

	if (!saved_config_load((domid_t)domain->domid, &config))
		return;
	if (domain_config_read(&read, &config, &report)) {
		item = item_of(&read, id);
		if (item < 0 ||
		    config_list_remove(&config, id->kind == DEVICE_DISK ? "disk" : "vif",
				       (unsigned int)item))
			all = config_print(&config);
	}
	if (!all || saved_config_write((domid_t)domain->domid, all))
		warn_not_kept(domain->name);
	domain_config_free(&read);
	config_free(&config);
}

/* Arguments */

/* A specification may be one word or several. */
static const char *join(struct pool *pool, int argc, char **argv, int first)
{
	const char *text = argv[first];

	for (int i = first + 1; i < argc && text; i++)
		text = pool_printf(pool, "%s,%s", text, argv[i]);
	return text;
}

/* A domain that can have devices. */
static bool find_guest(const char *who, struct domain_view *domain)
{
	if (!find_domain(who, domain))
		return false;
	if (domain->domid == 0 || domain->dying)
		failed(domain->domid ? "%s is ending"
				     : "%s has its devices by itself: `disks' lists them",
		       domain->name);
	return domain->domid != 0 && !domain->dying;
}

/* Attach */

static int attach_disk(const struct domain_view *domain, const char *text, struct pool *pool)
{
	struct report report = report_to_stderr();
	struct device_error error;
	struct disk_config disk;
	struct json json;
	bool right;

	if (!disk_config_parse(&disk, text, pool, &error) || !disk_config_check(&disk, &error))
		return failed("%s", error.text);
	if (xl_dry_run) {
		json_start(&json, stdout);
		view_disk_config_json(&json, &disk);
		return XL_OK;
	}
	mutex_lock(&toolstack_lock);
	right = device_attach_disk((domid_t)domain->domid, &disk, true, &report);
	if (right)
		keep_attached(domain, "disk", text);
	mutex_unlock(&toolstack_lock);
	return right ? XL_OK : XL_FAILED;
}

int verb_block_attach(int argc, char **argv)
{
	struct domain_view domain;
	struct pool pool = {0};
	const char *text;
	int status;

	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 2, -1))
		return XL_USAGE;
	if (!find_guest(argv[optind], &domain))
		return XL_FAILED;
	text = join(&pool, argc, argv, optind + 1);
	status = text ? attach_disk(&domain, text, &pool) : failed("out of memory");
	pool_free(&pool);
	return status;
}

/* The lowest number that no interface has. */
static unsigned int free_devid(domid_t domid)
{
	struct device_list list;
	unsigned int devid = 0;

	device_list(domid, DEVICE_NETWORK, &list);
	while (devid < list.count && list.views[devid].number == devid)
		devid++;
	device_list_free(&list);
	return devid;
}

static int attach_vif(const struct domain_view *domain, const char *text, struct pool *pool)
{
	struct report report = report_to_stderr();
	struct device_error error;
	struct vif_config vif;
	char mac[MAC_TEXT];
	struct json json;
	const char *kept;
	bool right;

	if (!vif_config_parse(&vif, text, free_devid((domid_t)domain->domid), pool, &error) ||
	    !vif_config_check(&vif, &error))
		return failed("%s", error.text);
	device_make_macs(domain->uuid, &vif, 1);
	if (xl_dry_run) {
		json_start(&json, stdout);
		view_vif_config_json(&json, &vif);
		return XL_OK;
	}
	mac_print(vif.mac, mac);
	kept = pool_printf(pool, "mac=%s,devid=%u,%s", mac, vif.devid, text);
	right = device_attach_vif((domid_t)domain->domid, &vif, &report);
	if (right && kept)
		keep_attached(domain, "vif", kept);
	return right ? XL_OK : XL_FAILED;
}

int verb_network_attach(int argc, char **argv)
{
	struct domain_view domain;
	struct pool pool = {0};
	const char *text;
	int status;

	if (next_option(argc, argv, "", NULL) != -1 || !arguments_right(argc, argv, 1, -1))
		return XL_USAGE;
	if (!find_guest(argv[optind], &domain))
		return XL_FAILED;
	text = argc > optind + 1 ? join(&pool, argc, argv, optind + 1) : "";
	mutex_lock(&toolstack_lock);
	status = text ? attach_vif(&domain, text, &pool) : failed("out of memory");
	mutex_unlock(&toolstack_lock);
	pool_free(&pool);
	return status;
}

/* Detach */

/* A device by its number, or by what the guest calls it: xvda, a MAC. False: said so. */
static bool find_device(const struct domain_view *domain, enum device_kind kind, const char *name,
			struct device_id *id)
{
	struct device_list list;
	uint32_t number = 0;
	uint8_t mac[6];
	char text[MAC_TEXT] = "";
	bool is_number, found = false;
	unsigned long plain;

	is_number = kind == DEVICE_DISK && disk_number(name, &number);
	if (!is_number && number_parse(name, UINT32_MAX, &plain)) {
		number = (uint32_t)plain;
		is_number = true;
	}
	if (kind == DEVICE_NETWORK && mac_parse(name, mac))
		mac_print(mac, text);
	device_list((domid_t)domain->domid, kind, &list);
	for (unsigned int i = 0; i < list.count && !found; i++) {
		found = (is_number && list.views[i].number == number) ||
			(*text && !strcmp(list.views[i].name, text));
		*id = (struct device_id){
		    .domid = (domid_t)domain->domid, .kind = kind, .number = list.views[i].number};
	}
	device_list_free(&list);
	if (!found)
		failed("%s has no %s `%s'; `xl %s-list %s' shows those that it has", domain->name,
		       kind == DEVICE_DISK ? "disk" : "network interface", name,
		       kind == DEVICE_DISK ? "block" : "network", domain->name);
	return found;
}

static int detach(int argc, char **argv, enum device_kind kind)
{
	static const struct option words[] = {{"force", 0, NULL, 'f'}, {NULL, 0, NULL, 0}};
	struct report report = report_to_stderr();
	struct domain_view domain;
	struct device_id id;
	bool force = false, right;
	int c;

	while ((c = next_option(argc, argv, "f", words)) != -1) {
		if (c != 'f')
			return XL_USAGE;
		force = true;
	}
	if (!arguments_right(argc, argv, 2, 2))
		return XL_USAGE;
	if (!find_guest(argv[optind], &domain))
		return XL_FAILED;
	mutex_lock(&toolstack_lock);
	right =
	    find_device(&domain, kind, argv[optind + 1], &id) && device_detach(&id, force, &report);
	if (right)
		keep_detached(&domain, &id);
	mutex_unlock(&toolstack_lock);
	return right ? XL_OK : XL_FAILED;
}

int verb_block_detach(int argc, char **argv)
{
	return detach(argc, argv, DEVICE_DISK);
}

int verb_network_detach(int argc, char **argv)
{
	return detach(argc, argv, DEVICE_NETWORK);
}

/* List */

static int show_devices(const char *who, enum device_kind kind, struct json *json)
{
	struct domain_view domain;
	struct device_list list;
	long error;

	if (!find_domain(who, &domain))
		return XL_FAILED;
	error = device_list((domid_t)domain.domid, kind, &list);
	for (unsigned int i = 0; i < list.count && !error; i++)
		if (json)
			view_device_json(json, &list.views[i]);
		else
			view_device(stdout, &list.views[i]);
	device_list_free(&list);
	return error ? failed_with(error, who) : XL_OK;
}

static int list_devices(int argc, char **argv, enum device_kind kind)
{
	static const struct option words[] = {{"json", 0, NULL, 'j'}, {NULL, 0, NULL, 0}};
	bool as_json = false;
	int c, status = XL_OK;
	struct json json;

	while ((c = next_option(argc, argv, "", words)) != -1) {
		if (c != 'j')
			return XL_USAGE;
		as_json = true;
	}
	if (!arguments_right(argc, argv, 1, -1))
		return XL_USAGE;
	json_start(&json, stdout);
	if (as_json)
		json_array(&json, NULL);
	else
		view_device_header(stdout, kind);
	for (int i = optind; i < argc; i++)
		if (show_devices(argv[i], kind, as_json ? &json : NULL) != XL_OK)
			status = XL_FAILED;
	if (as_json)
		json_end(&json);
	return status;
}

int verb_block_list(int argc, char **argv)
{
	return list_devices(argc, argv, DEVICE_DISK);
}

int verb_network_list(int argc, char **argv)
{
	return list_devices(argc, argv, DEVICE_NETWORK);
}

/* Drives with a medium that changes are emulated ones. */
int verb_cd(int argc, char **argv)
{
	return failed("only HVM domains have drives whose medium can be changed; use block-detach "
		      "and block-attach");
}
