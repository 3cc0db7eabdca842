/* SPDX-License-Identifier: MIT */
#include "xl/layout.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <public/errno.h>

/* A transaction being filled: the first error stops it. */
struct writer {
	xs_transaction t;
	domid_t domid;
	char top[STORE_PATH / 2]; /* below which paths are relative */
	long error;
};

static void path_of(const struct writer *w, const char *node, char *path)
{
	snprintf(path, STORE_PATH, "%s%s%s", w->top, *node ? "/" : "", node);
}

static void put(struct writer *w, const char *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void put(struct writer *w, const char *node, const char *format, ...)
{
	char path[STORE_PATH];
	va_list arguments;

	if (w->error)
		return;
	path_of(w, node, path);
	va_start(arguments, format);
	w->error = xs_vprintf(toolstack_store, w->t, path, format, arguments);
	va_end(arguments);
}

/* Text that may be longer than a formatted value. */
static void put_text(struct writer *w, const char *node, const char *text)
{
	char path[STORE_PATH];
	long error;

	if (w->error)
		return;
	path_of(w, node, path);
	error = xs_write(toolstack_store, w->t, path, text, strlen(text));
	w->error = error < 0 ? error : 0;
}

/* Entries made below a node get its rights, so they are set before those are made. */
static void allow(struct writer *w, const char *node, const struct xs_permission *permissions,
		  unsigned int count)
{
	char path[STORE_PATH];

	if (w->error)
		return;
	path_of(w, node, path);
	w->error = xs_set_permissions(toolstack_store, w->t, path, permissions, count);
}

/* An entry that the domain may write: it is the owner. */
static void put_own(struct writer *w, const char *node)
{
	const struct xs_permission own = {.domain = w->domid, .access = 'n'};

	put(w, node, "%s", "");
	allow(w, node, &own, 1);
}

static void put_top(struct writer *w)
{
	const struct xs_permission readable[] = {{.domain = 0, .access = 'n'},
						 {.domain = w->domid, .access = 'r'}};

	put(w, "", "%s", "");
	allow(w, "", readable, 2);
}

static void write_machine(struct writer *w, const struct domain_config *config)
{
	char node[32];

	for (unsigned int vcpu = 0; vcpu < config->max_vcpus; vcpu++) {
		snprintf(node, sizeof(node), "cpu/%u/availability", vcpu);
		put(w, node, "%s", vcpu < config->vcpus ? "online" : "offline");
	}
	put(w, "memory/static-max", "%llu", (unsigned long long)config->max_memory_kib);
	put(w, "memory/target", "%llu", (unsigned long long)config->memory_kib);
	put(w, "memory/videoram", "%d", 0);
}

static void write_control(struct writer *w)
{
	static const char *const own[] = {"device/suspend/event-channel",
					  "control/shutdown",
					  "control/sysrq",
					  "control/feature-poweroff",
					  "control/feature-reboot",
					  "control/feature-suspend",
					  "data",
					  "drivers",
					  "feature",
					  "attr",
					  "error"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		put_own(w, own[i]);
	put(w, "control/platform-feature-multiprocessor-suspend", "%d", 1);
	put(w, "control/platform-feature-xs_reset_watches", "%d", 1);
}

static void write_console(struct writer *w, const struct domain_channels *channels)
{
	put(w, "console/backend", "/local/domain/0/backend/console/%u/0", w->domid);
	put(w, "console/backend-id", "%d", 0);
	put(w, "console/limit", "%d", 1048576);
	put(w, "console/type", "xenconsoled");
	put(w, "console/output", "pty");
	put(w, "console/tty", "%s", "");
	put(w, "console/port", "%u", channels->console_port);
	put(w, "console/ring-ref", "%lu", channels->console_mfn);
}

static void write_domain(struct writer *w, const char *uuid, const struct creation *creation,
			 const struct domain_channels *channels)
{
	snprintf(w->top, sizeof(w->top), "/local/domain/%u", w->domid);
	put_top(w);
	put(w, "vm", "/vm/%s", uuid);
	put(w, "name", "%s", creation->config->name);
	put(w, "domid", "%u", w->domid);
	write_machine(w, creation->config);
	write_control(w);
	put(w, "store/port", "%u", channels->store_port);
	put(w, "store/ring-ref", "%lu", channels->store_mfn);
	write_console(w, channels);
}

/* The other half of the console, and what is the toolstack's alone. */
static void write_private(struct writer *w, const char *uuid, const struct creation *creation)
{
	const struct xs_permission readable[] = {{.domain = 0, .access = 'n'},
						 {.domain = w->domid, .access = 'r'}};
	const struct domain_config *config = creation->config;
	struct timeval now;

	snprintf(w->top, sizeof(w->top), "/local/domain/0/backend/console/%u/0", w->domid);
	put(w, "", "%s", "");
	allow(w, "", readable, 2);
	put(w, "frontend", "/local/domain/%u/console", w->domid);
	put(w, "frontend-id", "%u", w->domid);
	put(w, "online", "%d", 1);
	put(w, "state", "%d", 1);
	put(w, "protocol", "vt100");

	gettimeofday(&now, NULL);
	snprintf(w->top, sizeof(w->top), "/vm/%s", uuid);
	put(w, "uuid", "%s", uuid);
	put(w, "name", "%s", config->name);
	put(w, "start_time", "%llu.%02u", (unsigned long long)now.tv_sec,
	    (unsigned int)(now.tv_usec / 10000));
	put(w, "image/ostype", "linux");
	put_text(w, "image/kernel", config->kernel);
	put_text(w, "image/ramdisk", config->ramdisk ? config->ramdisk : "");
	put_text(w, "image/cmdline", config->cmdline);

	snprintf(w->top, sizeof(w->top), "/libxl/%u", w->domid);
	put(w, "type", "pv");
	put(w, "watched", "%d", !creation->unwatched);
}

long layout_write(domid_t domid, const struct creation *creation,
		  const struct domain_channels *channels)
{
	struct writer w = {.domid = domid};
	char text[UUID_TEXT];
	long error;

	uuid_print(creation->config->uuid, text);
	do {
		w.error = xs_transaction_start(toolstack_store, &w.t);
		if (w.error)
			return w.error;
		write_domain(&w, text, creation, channels);
		write_private(&w, text, creation);
		error = xs_transaction_end(toolstack_store, w.t, !w.error);
	} while (!w.error && error == -XEN_EAGAIN);
	if (!w.error && !error)
		error = saved_config_write(domid, creation->text);
	return w.error ? w.error : error;
}

static void remove_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void remove_path(const char *format, ...)
{
	char path[STORE_PATH];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	xs_remove(toolstack_store, 0, path);
}

void layout_remove(domid_t domid, const uint8_t *uuid)
{
	char text[UUID_TEXT];

	remove_path("/local/domain/%u", domid);
	remove_path("/local/domain/0/backend/console/%u", domid);
	remove_path("/libxl/%u", domid);
	if (uuid) {
		uuid_print(uuid, text);
		remove_path("/vm/%s", text);
	}
}

long layout_write_name(domid_t domid, const uint8_t uuid[16], const char *name)
{
	char path[STORE_PATH], text[UUID_TEXT];
	long error = domain_store_write(domid, "name", name);

	if (error < 0)
		return error;
	uuid_print(uuid, text);
	snprintf(path, sizeof(path), "/vm/%s/name", text);
	error = xs_write(toolstack_store, 0, path, name, strlen(name));
	return error < 0 ? error : 0;
}

long layout_write_dom0(void)
{
	struct writer w = {.domid = 0, .top = "/local/domain/0"};

	put(&w, "name", "Domain-0");
	put(&w, "domid", "%d", 0);
	return w.error;
}
