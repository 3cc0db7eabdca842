/* SPDX-License-Identifier: MIT */
#include "xl/watch.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <public/errno.h>
#include <public/sched.h>
#include "control/control.h"
#include "shell.h"
#include "xl/core.h"
#include "xl/create.h"

/* Between two starts of a domain that restarts: a guest that dies at once shall not keep the machine busy. */
#define RESTART_INTERVAL (2 * NSEC_PER_SEC)

/* A domain that has shut down. It stays known while it is there, so that it is dealt with once. */
struct ended {
	struct ended *next;
	unsigned int domid;
	uint8_t uuid[16];
	bool done;    /* or to be left alone */
	uint64_t due; /* when to deal with it, as system time */
	bool listed;
};

/* Events masked, or of the watcher's thread alone. */
static volatile uint64_t ends;
static struct wait_queue wake;
static struct ended *all_ended;

uint64_t domain_ends_seen(void)
{
	return ends;
}

void announce(const char *format, ...)
{
	char text[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	shell_announce(text);
}

static void announce_report(struct report *report, const char *message)
{
	announce("xl: %s", message);
}

/* How it ended, and what is to be done */

static const char *how(unsigned int reason)
{
	switch (reason) {
	case SHUTDOWN_poweroff:
		return "has shut down";
	case SHUTDOWN_reboot:
		return "wants to reboot";
	case SHUTDOWN_crash:
		return "has crashed";
	case SHUTDOWN_watchdog:
		return "was ended by its watchdog";
	case SHUTDOWN_soft_reset:
		return "wants a soft reset";
	default:
		return "has ended";
	}
}

static enum domain_end end_of(unsigned int reason)
{
	switch (reason) {
	case SHUTDOWN_reboot:
		return END_REBOOT;
	case SHUTDOWN_crash:
		return END_CRASH;
	case SHUTDOWN_watchdog:
		return END_WATCHDOG;
	case SHUTDOWN_soft_reset:
		return END_SOFT_RESET;
	default:
		return END_POWEROFF;
	}
}

static bool is_watched(const struct domain_view *domain)
{
	char path[STORE_PATH], value[8];

	snprintf(path, sizeof(path), "/libxl/%u/watched", domain->domid);
	return xs_read(toolstack_store, 0, path, value, sizeof(value)) > 0 && !strcmp(value, "1");
}

/* Nanoseconds that have passed since it was created. */
static uint64_t age(const struct domain_view *domain)
{
	char path[STORE_PATH], uuid[UUID_TEXT], text[32], *end;
	struct timeval now;
	uint64_t start, at;

	uuid_print(domain->uuid, uuid);
	snprintf(path, sizeof(path), "/vm/%s/start_time", uuid);
	if (xs_read(toolstack_store, 0, path, text, sizeof(text)) <= 0)
		return RESTART_INTERVAL;
	gettimeofday(&now, NULL);
	start = strtoull(text, &end, 10) * 100 + (*end == '.' ? strtoull(end + 1, NULL, 10) : 0);
	at = (uint64_t)now.tv_sec * 100 + (uint64_t)now.tv_usec / 10000;
	return at > start ? (at - start) * (NSEC_PER_SEC / 100) : 0;
}

static void start_again(const struct domain_config *config, const char *text)
{
	struct report report = {.say = announce_report};
	struct creation creation = {.config = config, .text = text};
	domid_t domid;
	long error;

	if (!domain_create(&creation, &domid, &report)) {
		announce("xl: %s could not be started again", config->name);
		return;
	}
	error = control_unpause(domid);
	if (error)
		announce("xl: %s (domain %u) stays paused: %s", config->name, domid,
			 error_text(error));
}

static void carry_out(const struct domain_view *domain, enum domain_action action,
		      const struct domain_config *config, const char *text)
{
	bool again = action == ACTION_RESTART || action == ACTION_COREDUMP_RESTART ||
		     action == ACTION_RENAME_RESTART;
	struct report report = {.say = announce_report};
	domid_t domid = (domid_t)domain->domid;
	long error = 0;

	announce("xl: %s (domain %u) %s: %s", domain->name, domid, how(domain->reason),
		 domain_action_name(action));
	if (action == ACTION_COREDUMP_DESTROY || action == ACTION_COREDUMP_RESTART)
		core_keep(domain, NULL, &report);
	if (action == ACTION_SOFT_RESET)
		announce("xl: a PV guest cannot be reset; %s is destroyed", domain->name);
	if (action == ACTION_PRESERVE) {
		domain_unwatch(domid);
		return;
	}
	if (action == ACTION_RENAME_RESTART)
		error = domain_preserve(domain);
	else
		error = domain_end(domid);
	if (error)
		announce("xl: %s (domain %u) cannot be dealt with: %s", domain->name, domid,
			 error_text(error));
	else if (again)
		start_again(config, text);
}

/* Returns when to look at it again, 0 when it is done. */
static uint64_t deal_with(const struct domain_view *domain)
{
	struct report report = {.say = report_nothing};
	struct domain_config config;
	enum domain_action action;
	struct config settings;
	uint64_t later = 0, lived;
	bool right;
	char *text;

	if (!is_watched(domain) || !saved_config_load((domid_t)domain->domid, &settings))
		return 0;
	right = domain_config_read(&config, &settings, &report);
	text = right ? config_print(&settings) : NULL;
	if (text) {
		action = config.on[end_of(domain->reason)];
		lived = age(domain);
		if ((action == ACTION_RESTART || action == ACTION_COREDUMP_RESTART ||
		     action == ACTION_RENAME_RESTART) &&
		    lived < RESTART_INTERVAL)
			later = clock_now() + RESTART_INTERVAL - lived;
		else
			carry_out(domain, action, &config, text);
	}
	domain_config_free(&config);
	config_free(&settings);
	return later;
}

/* The domains */

static struct ended *known(const struct domain_view *domain)
{
	struct ended *e;

	for (e = all_ended; e; e = e->next)
		if (e->domid == domain->domid && !memcmp(e->uuid, domain->uuid, sizeof(e->uuid)))
			return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->domid = domain->domid;
	memcpy(e->uuid, domain->uuid, sizeof(e->uuid));
	e->next = all_ended;
	all_ended = e;
	return e;
}

static void look_at(const struct domain_view *domain)
{
	struct domain_view now;
	struct ended *e;

	if (!domain->shutdown || domain->dying || domain->reason == SHUTDOWN_suspend)
		return;
	e = known(domain);
	if (!e)
		return;
	e->listed = true;
	if (e->done || (e->due && clock_now() < e->due))
		return;
	mutex_lock(&toolstack_lock);
	/* Someone may have destroyed it while we waited. */
	if (!domain_read((domid_t)domain->domid, &now) && now.shutdown && !now.dying &&
	    !memcmp(now.uuid, domain->uuid, sizeof(now.uuid)))
		e->due = deal_with(&now);
	else
		e->due = 0;
	mutex_unlock(&toolstack_lock);
	e->done = !e->due;
}

static void forget_unlisted(void)
{
	struct ended **link = &all_ended, *e;

	while ((e = *link) != NULL) {
		if (e->listed) {
			link = &e->next;
			continue;
		}
		*link = e->next;
		free(e);
	}
}

/* Returns when to look again at the latest; 0: only when something has ended. */
static uint64_t look_at_all(void)
{
	struct domain_list list;
	uint64_t next = 0;

	for (struct ended *e = all_ended; e; e = e->next)
		e->listed = false;
	if (domain_list_read(&list)) {
		domain_list_free(&list);
		return clock_now() + NSEC_PER_SEC;
	}
	for (unsigned int i = 0; i < list.count; i++)
		look_at(&list.views[i]);
	domain_list_free(&list);
	forget_unlisted();
	for (struct ended *e = all_ended; e; e = e->next)
		if (e->due && (!next || e->due < next))
			next = e->due;
	return next;
}

static void watch(void *unused)
{
	for (;;) {
		uint64_t seen = ends, next = look_at_all();
		bool masked = events_save();

		if (ends == seen)
			wait_on(&wake, next);
		events_restore(masked);
	}
}

static void on_release(struct xs_watch *released, const char *path)
{
	bool masked = events_save();

	ends++;
	wake_all(&wake);
	events_restore(masked);
}

long watcher_start(void)
{
	static struct xs_watch released = {.path = "@releaseDomain", .fired = on_release};
	long error = xs_watch(toolstack_store, &released);
	struct thread *thread;

	if (error)
		return error;
	thread = thread_create("xl-watch", watch, NULL);
	if (!thread)
		return -XEN_ENOMEM;
	thread_detach(thread);
	return 0;
}
