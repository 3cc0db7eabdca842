/* SPDX-License-Identifier: MIT */
#include "xl/load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/control.h"
#include "files/files.h"
#include "xl/create.h"
#include "xl/host_config.h"
#include "xl/watch.h"

/* Configurations are short; what is longer is something else. */
#define CONFIG_SIZE 65536
#define DIRECTORY   "/etc/xl"
/* The same on dom0's volume. */
#define VOLUME "/volume/xl"
#define AUTO   "/auto"
#define HOST   DIRECTORY "/xl.conf"

static long find_file(const char *path, char *found, const void **data, size_t *size)
{
	static const char *const forms[] = {"%s", DIRECTORY "/%s", DIRECTORY "/%s.cfg",
					    VOLUME "/%s", VOLUME "/%s.cfg"};
	long error = 0;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (i && strchr(path, '/'))
			break;
		snprintf(found, FILES_PATH, forms[i], path);
		error = files_map(found, data, size);
		if (!error)
			return 0;
	}
	snprintf(found, FILES_PATH, "%s", path);
	return error;
}

bool config_load(struct config *config, const char *path, bool quiet, struct report *report)
{
	char found[FILES_PATH];
	const void *data;
	size_t size;
	bool right = false;
	long error = find_file(path, found, &data, &size);

	if (error) {
		report_error(report, NULL, 0, "the configuration `%s' cannot be read: %s", path,
			     strerror((int)-error));
		return false;
	}
	if (size > CONFIG_SIZE) {
		report_error(report, NULL, 0, "`%s' is no configuration: it has more than 64 KiB",
			     found);
	} else {
		if (!quiet)
			printf("Parsing config from %s\n", found);
		right = config_parse(config, found, data, size, report);
	}
	files_unmap(data);
	return right;
}

/* At boot */

static void say(struct report *report, const char *message)
{
	announce("xl: %s", message);
}

void host_config_load(void)
{
	struct report report = {.say = say};
	struct config config = {0};
	struct file file;

	if (files_find(HOST, &file))
		return;
	if (!config_load(&config, HOST, true, &report) ||
	    !host_config_read(&domain_defaults, &config, &report))
		announce("xl: not all of " HOST " is used");
	config_free(&config);
}

static void start(const char *path)
{
	struct report report = {.say = say};
	struct creation creation = {0};
	struct domain_config domain;
	struct config config = {0};
	domid_t domid;
	bool right = false;

	if (config_load(&config, path, true, &report)) {
		right = domain_config_read(&domain, &config, &report);
		mutex_lock(&toolstack_lock);
		right = right && creation_prepare(&creation, &domain, &config);
		right =
		    right && domain_create(&creation, &domid, &report) && !control_unpause(domid);
		mutex_unlock(&toolstack_lock);
		if (right)
			announce("xl: started %s (domain %u)", domain.name, domid);
		domain_config_free(&domain);
	}
	config_free(&config);
	if (!right)
		announce("xl: %s was not started", path);
}

struct names {
	const char *folder;
	struct pool pool;
	char **list;
	unsigned int count;
};

static void add_name(const char *name, const struct file *file, void *context)
{
	struct names *names = context;
	size_t length = strlen(name);
	char **more;

	if (file->directory || length < 5 || strcmp(name + length - 4, ".cfg") != 0)
		return;
	more = realloc(names->list, (names->count + 1) * sizeof(*more));
	if (!more) {
		names->pool.failed = true;
		return;
	}
	names->list = more;
	more[names->count] = pool_printf(&names->pool, "%s/%s", names->folder, name);
	if (more[names->count])
		names->count++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void start_folder(const char *folder)
{
	struct names names = {.folder = folder};

	/* Without the folder there is nothing to start. */
	if (!files_list(folder, add_name, &names)) {
		if (names.pool.failed)
			announce("xl: out of memory: not all of %s is started", folder);
		qsort(names.list, names.count, sizeof(*names.list), by_name);
		for (unsigned int i = 0; i < names.count; i++)
			start(names.list[i]);
	}
	free(names.list);
	pool_free(&names.pool);
}

void autostart(void)
{
	start_folder(DIRECTORY AUTO);
	start_folder(VOLUME AUTO);
}
