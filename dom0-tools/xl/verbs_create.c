/* SPDX-License-Identifier: MIT */
/* create, config-update, console. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <public/errno.h>
#include "console/console.h"
#include "control/control.h"
#include "files/files.h"
#include "xl/amount.h"
#include "xl/create.h"
#include "xl/keyboard.h"
#include "xl/load.h"
#include "xl/watch.h"
#include "xl/xl.h"

enum { ANY_CPUS = 256 };

struct create_options {
	bool console, debug, unwatched, foreground, dry_run, paused, quiet, any_cpus;
	const char *file;
};

/* Is it KEY=VALUE or KEY+=VALUE, and not a file's name? */
static bool is_setting(const char *argument)
{
	const char *equals = strchr(argument, '='), *slash = strchr(argument, '/');

	return equals && (!slash || equals < slash);
}

/* The file, if one is named by an argument or -f, and the settings after it. */
static bool read_config(int argc, char **argv, const char *file, bool quiet, struct config *config)
{
	struct report report = report_to_stderr();
	int i = optind;

	*config = (struct config){0};
	if (!file && i < argc && !is_setting(argv[i]))
		file = argv[i++];
	if (file && !config_load(config, file, quiet, &report))
		return false;
	for (; i < argc; i++)
		if (!config_parse_argument(config, argv[i], &report))
			return false;
	return true;
}

static void show_config(const struct domain_config *domain)
{
	struct domain_view view = {0};
	struct json json;

	snprintf(view.name, sizeof(view.name), "%s", domain->name);
	memcpy(view.uuid, domain->uuid, sizeof(view.uuid));
	json_start(&json, stdout);
	view_long_json(&json, &view, domain);
}

static bool wait_for_end(domid_t domid)
{
	struct domain_view first, now;

	if (domain_read(domid, &first))
		return true;
	for (;;) {
		uint64_t seen = domain_ends_seen();

		if (domain_read(domid, &now) || memcmp(first.uuid, now.uuid, sizeof(now.uuid)) != 0)
			return true;
		while (domain_ends_seen() == seen)
			if (key_wait(clock_now() + NSEC_PER_SEC / 4) == KEY_CTRL_C)
				return false;
	}
}

static int attach(domid_t domid)
{
	long end;

	fflush(stdout);
	end = console_attach(domid);
	if (end == -XEN_ENOENT)
		return failed("domain %u has no console", domid);
	return end < 0 ? failed_with(end, "the console cannot be attached") : XL_OK;
}

/* Where the time went; the last part ends with the domain's first instruction. */
static void show_times(const struct creation *creation, domid_t domid, uint64_t begin)
{
	uint64_t now = clock_now();

	printf("domain %u: %llu us: made %llu, built %llu, in the store %llu, started %llu\n",
	       domid, (unsigned long long)(now - begin) / 1000,
	       (unsigned long long)(creation->made - begin) / 1000,
	       (unsigned long long)(creation->built - creation->made) / 1000,
	       (unsigned long long)(creation->introduced - creation->built) / 1000,
	       (unsigned long long)(now - creation->introduced) / 1000);
}

static int create(struct domain_config *domain, struct config *config,
		  const struct create_options *options)
{
	struct creation creation = {.unwatched = options->unwatched,
				    .progress = !options->quiet,
				    .any_cpus = options->any_cpus};
	struct report report = report_to_stderr();
	uint64_t begin = clock_now();
	domid_t domid = 0;
	bool right;
	long error;

	mutex_lock(&toolstack_lock);
	if (creation_prepare(&creation, domain, config))
		right = domain_create(&creation, &domid, &report);
	else
		right = failed("out of memory") == XL_OK;
	mutex_unlock(&toolstack_lock);
	if (!right)
		return XL_FAILED;
	error = options->paused ? 0 : control_unpause(domid);
	if (error)
		return failed_with(error, "the domain stays paused");
	if (xl_verbose)
		show_times(&creation, domid, begin);
	if (options->console)
		return attach(domid);
	if (options->foreground)
		wait_for_end(domid);
	return XL_OK;
}

static bool create_options(int argc, char **argv, struct create_options *options)
{
	static const struct option words[] = {{"dryrun", 0, NULL, 'n'},
					      {"quiet", 0, NULL, 'q'},
					      {"defconfig", 1, NULL, 'f'},
					      {"vncviewer", 0, NULL, 'V'},
					      {"vncviewer-autopass", 0, NULL, 'A'},
					      {"ignore-global-affinity-masks", 0, NULL, ANY_CPUS},
					      {NULL, 0, NULL, 0}};
	int c;

	*options = (struct create_options){.dry_run = xl_dry_run};
	while ((c = next_option(argc, argv, "cdef:FnpqVA", words)) != -1) {
		switch (c) {
		case 'c':
			options->console = true;
			break;
		case 'd':
			options->debug = true;
			break;
		case 'e':
			options->unwatched = true;
			break;
		case 'f':
			options->file = optarg;
			break;
		case 'F':
			options->foreground = true;
			break;
		case 'n':
			options->dry_run = true;
			break;
		case 'p':
			options->paused = true;
			break;
		case 'q':
			options->quiet = true;
			break;
		case ANY_CPUS:
			options->any_cpus = true;
			break;
		case 'V':
		case 'A':
			failed("-%c is ignored: there is no VNC here", c);
			break;
		default:
			return false;
		}
	}
	return true;
}

int verb_create(int argc, char **argv)
{
	struct report report = report_to_stderr();
	struct create_options options;
	struct domain_config domain;
	struct config config;
	int status = XL_FAILED;

	if (!create_options(argc, argv, &options))
		return XL_USAGE;
	if (optind == argc && !options.file) {
		arguments_right(argc, argv, 1, -1);
		return XL_USAGE;
	}
	if (read_config(argc, argv, options.file, options.quiet || options.dry_run, &config)) {
		if (domain_config_read(&domain, &config, &report)) {
			if (options.dry_run || options.debug)
				show_config(&domain);
			status = options.dry_run ? XL_OK : create(&domain, &config, &options);
		}
		domain_config_free(&domain);
	}
	config_free(&config);
	return status;
}

/* config-update: kept now, used at the next start. */

static int update(const struct domain_view *domain, struct config *config)
{
	struct report report = report_to_stderr();
	struct domain_config read;
	const char *text;
	long error;
	bool right = domain_config_read(&read, config, &report);

	domain_config_free(&read);
	if (!right)
		return XL_FAILED;
	text = config_print(config);
	error = text ? saved_config_write((domid_t)domain->domid, text) : -XEN_ENOMEM;
	return error ? failed_with(error, "the configuration cannot be kept") : XL_OK;
}

int verb_config_update(int argc, char **argv)
{
	static const struct option words[] = {{"defconfig", 1, NULL, 'f'}, {NULL, 0, NULL, 0}};
	struct domain_view domain;
	struct config config;
	const char *file = NULL;
	int c, status = XL_FAILED;

	while ((c = next_option(argc, argv, "df:", words)) != -1) {
		if (c == '?')
			return XL_USAGE;
		if (c == 'f')
			file = optarg;
	}
	if (!arguments_right(argc, argv, 1, -1))
		return XL_USAGE;
	if (!find_domain(argv[optind], &domain))
		return XL_FAILED;
	optind++;
	if (!file && (optind == argc || is_setting(argv[optind]))) {
		/* No file: what there is, with the settings over it. */
		struct report report = report_to_stderr();

		if (!saved_config_load((domid_t)domain.domid, &config))
			return failed("no configuration of %s is kept; name a file", domain.name);
		for (status = XL_OK; optind < argc && status == XL_OK; optind++)
			if (!config_parse_argument(&config, argv[optind], &report))
				status = XL_FAILED;
		if (status == XL_OK)
			status = update(&domain, &config);
	} else if (read_config(argc, argv, file, true, &config)) {
		status = update(&domain, &config);
	}
	config_free(&config);
	return status;
}

/* console */

int verb_console(int argc, char **argv)
{
	struct domain_view domain;
	unsigned long number = 0;
	int c;

	while ((c = next_option(argc, argv, "n:t:", NULL)) != -1) {
		if (c == 'n' && (!number_parse(optarg, 255, &number) || number != 0))
			return failed("expected console number 0, found `%s'", optarg);
		if (c == 't' && strcmp(optarg, "pv") != 0)
			return failed("expected console type `pv', found `%s'", optarg);
		if (c == '?')
			return XL_USAGE;
	}
	if (!arguments_right(argc, argv, 1, 1))
		return XL_USAGE;
	if (!find_domain(argv[optind], &domain))
		return XL_FAILED;
	if (domain.domid == 0)
		return failed("domain 0's console is this one");
	return attach((domid_t)domain.domid);
}
