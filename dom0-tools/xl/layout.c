/* SPDX-License-Identifier: MIT */
#include "xl/layout.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <public/errno.h>
#include "xl/writer.h"

/* An entry that the domain may write: it is the owner. */
static void put_own(struct writer *w, const char *node)
{
	const struct xs_permission own = {.domain = w->domid, .access = 'n'};

	writer_put(w, node, "%s", "");
	writer_allow(w, node, &own, 1);
}

static void write_machine(struct writer *w, const struct domain_config *config)
{
	char node[32];

	for (unsigned int vcpu = 0; vcpu < config->max_vcpus; vcpu++) {
		snprintf(node, sizeof(node), "cpu/%u/availability", vcpu);
		writer_put(w, node, "%s", vcpu < config->vcpus ? "online" : "offline");
	}
	writer_put(w, "memory/static-max", "%llu", (unsigned long long)config->max_memory_kib);
	writer_put(w, "memory/target", "%llu", (unsigned long long)config->memory_kib);
	writer_put(w, "memory/videoram", "%d", 0);
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
	writer_put(w, "control/platform-feature-multiprocessor-suspend", "%d", 1);
	writer_put(w, "control/platform-feature-xs_reset_watches", "%d", 1);
}

static void write_console(struct writer *w, const struct domain_channels *channels)
{
	writer_put(w, "console/backend", "/local/domain/0/backend/console/%u/0", w->domid);
	writer_put(w, "console/backend-id", "%d", 0);
	writer_put(w, "console/limit", "%d", 1048576);
	writer_put(w, "console/type", "xenconsoled");
	writer_put(w, "console/output", "pty");
	writer_put(w, "console/tty", "%s", "");
	writer_put(w, "console/port", "%u", channels->console_port);
	writer_put(w, "console/ring-ref", "%lu", channels->console_mfn);
}

static void write_domain(struct writer *w, const char *uuid, const struct creation *creation,
			 const struct domain_channels *channels)
{
	writer_top(w, "/local/domain/%u", w->domid);
	writer_make_top(w, 0, w->domid);
	writer_put(w, "vm", "/vm/%s", uuid);
	writer_put(w, "name", "%s", creation->config->name);
	writer_put(w, "domid", "%u", w->domid);
	write_machine(w, creation->config);
	write_control(w);
	writer_put(w, "store/port", "%u", channels->store_port);
	writer_put(w, "store/ring-ref", "%lu", channels->store_mfn);
	write_console(w, channels);
}

/* The other half of the console, and what is the toolstack's alone. */
static void write_private(struct writer *w, const char *uuid, const struct creation *creation)
{
	const struct domain_config *config = creation->config;
	struct timeval now;

	writer_top(w, "/local/domain/0/backend/console/%u/0", w->domid);
	writer_make_top(w, 0, w->domid);
	writer_put(w, "frontend", "/local/domain/%u/console", w->domid);
	writer_put(w, "frontend-id", "%u", w->domid);
	writer_put(w, "online", "%d", 1);
	writer_put(w, "state", "%d", 1);
	writer_put(w, "protocol", "vt100");

	gettimeofday(&now, NULL);
	writer_top(w, "/vm/%s", uuid);
	writer_put(w, "uuid", "%s", uuid);
	writer_put(w, "name", "%s", config->name);
	writer_put(w, "start_time", "%llu.%02u", (unsigned long long)now.tv_sec,
		   (unsigned int)(now.tv_usec / 10000));
	writer_put(w, "image/ostype", "linux");
	writer_text(w, "image/kernel", config->kernel);
	writer_text(w, "image/ramdisk", config->ramdisk ? config->ramdisk : "");
	writer_text(w, "image/cmdline", config->cmdline);

	writer_top(w, "/libxl/%u", w->domid);
	writer_put(w, "type", "pv");
	writer_put(w, "watched", "%d", !creation->unwatched);
}

long layout_write(domid_t domid, const struct creation *creation,
		  const struct domain_channels *channels)
{
	struct writer w;
	char text[UUID_TEXT];

	uuid_print(creation->config->uuid, text);
	do {
		writer_begin(&w, domid);
		write_domain(&w, text, creation, channels);
		write_private(&w, text, creation);
	} while (writer_end(&w));
	return w.error ? w.error : saved_config_write(domid, creation->text);
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
	static const char *const kinds[] = {"console", "vbd", "vif"};
	char text[UUID_TEXT];

	remove_path("/local/domain/%u", domid);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		remove_path("/local/domain/0/backend/%s/%u", kinds[i], domid);
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

	writer_put(&w, "name", "Domain-0");
	writer_put(&w, "domid", "%d", 0);
	return w.error;
}
