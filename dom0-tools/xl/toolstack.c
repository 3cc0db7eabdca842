/* SPDX-License-Identifier: MIT */
#include "xl/toolstack.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <public/errno.h>
#include "control/control.h"
#include "xl/layout.h"
#include "xl/load.h"
#include "xl/watch.h"

struct xs *toolstack_store;
struct mutex toolstack_lock;

const char *error_text(long error)
{
	switch (-error) {
	case XEN_EPERM:
		return "not permitted";
	case XEN_ENOENT:
		return "no such file or entry";
	case XEN_ESRCH:
		return "no such domain";
	case XEN_EIO:
		return "the connection to the store is broken";
	case XEN_EAGAIN:
		return "busy, try again";
	case XEN_ENOMEM:
		return "out of memory";
	case XEN_EACCES:
		return "access denied";
	case XEN_EBUSY:
		return "in use";
	case XEN_EEXIST:
		return "exists already";
	case XEN_EINVAL:
		return "the hypervisor or the store finds an argument invalid";
	case XEN_ENOSYS:
	case XEN_EOPNOTSUPP:
		return "not supported by the hypervisor";
	default:
		return "unexpected error";
	}
}

/* Domains */

static void view_of(const struct xen_domctl_getdomaininfo *info, struct domain_view *view)
{
	*view = (struct domain_view){
	    .domid = info->domain,
	    .memory_kib = info->tot_pages * 4,
	    .max_memory_kib = info->max_pages > ~0ull >> 12 ? ~0ull >> 10 : info->max_pages * 4,
	    .outstanding_kib = info->outstanding_pages * 4,
	    .shared_kib = info->shr_pages * 4,
	    .vcpus = info->nr_online_vcpus,
	    .max_vcpus = info->max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : info->max_vcpu_id + 1,
	    .running = info->flags & XEN_DOMINF_running,
	    .blocked = info->flags & XEN_DOMINF_blocked,
	    .paused = info->flags & XEN_DOMINF_paused,
	    .shutdown = info->flags & XEN_DOMINF_shutdown,
	    .dying = info->flags & XEN_DOMINF_dying,
	    .reason = info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask,
	    .cpu_time = info->cpu_time,
	    .cpupool = info->cpupool,
	};
	memcpy(view->uuid, info->handle, sizeof(view->uuid));
	if (domain_store_read(info->domain, "name", view->name, sizeof(view->name)))
		view->name[0] = 0;
}

#define AT_ONCE 32

long domain_list_read(struct domain_list *list)
{
	struct xen_domctl_getdomaininfo *infos = malloc(AT_ONCE * sizeof(*infos));
	struct domain_view *more;
	domid_t first = 0;
	long got = infos ? 0 : -XEN_ENOMEM;

	*list = (struct domain_list){0};
	while (infos && (got = control_list(first, infos, AT_ONCE)) > 0) {
		more = realloc(list->views, (list->count + (unsigned int)got) * sizeof(*more));
		if (!more) {
			got = -XEN_ENOMEM;
			break;
		}
		list->views = more;
		for (long i = 0; i < got; i++)
			view_of(&infos[i], &list->views[list->count++]);
		first = (domid_t)(infos[got - 1].domain + 1);
	}
	free(infos);
	return got < 0 ? got : 0;
}

void domain_list_free(struct domain_list *list)
{
	free(list->views);
	*list = (struct domain_list){0};
}

long domain_read(domid_t domid, struct domain_view *view)
{
	struct xen_domctl_getdomaininfo info;
	long error = control_info(domid, &info);

	if (!error)
		view_of(&info, view);
	return error;
}

long domain_find(const char *who, struct domain_view *view)
{
	struct domain_list list;
	char *end;
	unsigned long number = strtoul(who, &end, 10);
	long error;

	if (*who >= '0' && *who <= '9' && !*end)
		return number < DOMID_FIRST_RESERVED ? domain_read((domid_t)number, view)
						     : -XEN_ESRCH;
	error = domain_list_read(&list);
	if (!error) {
		error = -XEN_ESRCH;
		for (unsigned int i = 0; i < list.count && *who; i++)
			if (!strcmp(list.views[i].name, who)) {
				*view = list.views[i];
				error = 0;
				break;
			}
	}
	domain_list_free(&list);
	return error;
}

static void store_path(char *path, domid_t domid, const char *node)
{
	snprintf(path, STORE_PATH, "/local/domain/%u/%s", domid, node);
}

long domain_store_write(domid_t domid, const char *node, const char *value)
{
	char path[STORE_PATH];

	store_path(path, domid, node);
	return xs_write(toolstack_store, 0, path, value, strlen(value));
}

long domain_store_read(domid_t domid, const char *node, char *value, size_t size)
{
	char path[STORE_PATH];
	long length;

	store_path(path, domid, node);
	length = xs_read(toolstack_store, 0, path, value, size);
	return length < 0 ? length : 0;
}

/* Kept configurations: a value of the store holds less than 4096 bytes, so in parts. */

#define PART 3072

long saved_config_write(domid_t domid, const char *text)
{
	size_t length = strlen(text);
	char path[STORE_PATH];
	long error = 0;

	snprintf(path, sizeof(path), "/libxl/%u/config", domid);
	xs_remove(toolstack_store, 0, path);
	for (unsigned int n = 0; n * PART < length && !error; n++) {
		size_t rest = length - n * PART;

		snprintf(path, sizeof(path), "/libxl/%u/config/%u", domid, n);
		error =
		    xs_write(toolstack_store, 0, path, text + n * PART, rest < PART ? rest : PART);
	}
	return error < 0 ? error : 0;
}

char *saved_config_read(domid_t domid)
{
	char path[STORE_PATH], *text = NULL, *more;
	size_t length = 0;
	long part;

	for (unsigned int n = 0;; n++) {
		more = realloc(text, length + PART + 1);
		if (!more)
			break;
		text = more;
		snprintf(path, sizeof(path), "/libxl/%u/config/%u", domid, n);
		part = xs_read(toolstack_store, 0, path, text + length, PART + 1);
		if (part < 0) {
			text[length] = 0;
			if (n > 0 && part == -XEN_ENOENT)
				return text;
			break;
		}
		length += (size_t)part;
	}
	free(text);
	return NULL;
}

bool saved_config_load(domid_t domid, struct config *config)
{
	struct report report = {.say = report_nothing};
	char *text = saved_config_read(domid);
	bool right;

	*config = (struct config){0};
	if (!text)
		return false;
	right = config_parse(config, "saved configuration", text, strlen(text), &report);
	free(text);
	if (!right)
		config_free(config);
	return right;
}

void toolstack_start(struct xs *store)
{
	long error;

	toolstack_store = store;
	host_config_load();
	if (!store) {
		announce("xl: no memory for a connection to the store");
		return;
	}
	error = layout_write_dom0();
	if (error)
		announce("xl: the store cannot be written: %s", error_text(error));
	error = xs_dispatch_thread(store, "xl-store");
	if (!error)
		error = watcher_start();
	if (error)
		announce("xl: domains that end are not seen: %s", error_text(error));
	autostart();
}
