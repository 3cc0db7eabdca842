/* SPDX-License-Identifier: MIT */
#include "xl/device.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <public/errno.h>
#include <pv-drivers/xenbus.h>
#include "xl/device_layout.h"

#define STATE(name) (1u << XenbusState##name)

/* The back half has nothing of the device any more. */
#define BACK_ENDED (STATE(Unknown) | STATE(Closed))

/* For messages: "disk xvda of domain 3". */
#define DEVICE_TEXT 64

static void describe(const struct device_id *id, char *text)
{
	char path[STORE_PATH], name[16];

	snprintf(path, sizeof(path), "/libxl/%u/device/vbd/%u/dev", id->domid, id->number);
	if (id->kind == DEVICE_NETWORK)
		snprintf(text, DEVICE_TEXT, "network interface %u of domain %u", id->number,
			 id->domid);
	else if (xs_read(toolstack_store, 0, path, name, sizeof(name)) > 0)
		snprintf(text, DEVICE_TEXT, "disk %s of domain %u", name, id->domid);
	else
		snprintf(text, DEVICE_TEXT, "disk %u of domain %u", id->number, id->domid);
}

/* The state of the back half as soon as it is one of a set, or -XEN_ETIMEDOUT. */
static long wait_for_back(const struct device_id *id, unsigned int states, uint64_t deadline)
{
	struct xenbus_device bus = {0};
	char record[STORE_PATH];
	long error;

	device_record(id, record);
	error = xenbus_open(&bus, toolstack_store, record, XENBUS_FRONT);
	if (error)
		return error;
	error = xenbus_wait(&bus, states, deadline);
	xenbus_close(&bus);
	return error;
}

/* Attach */

/* Why the back half has given up, in its own words: "NUMBER TEXT". */
static void back_error(const struct device_id *id, char *text, size_t size)
{
	char path[STORE_PATH], said[200];
	const char *at = said;

	snprintf(path, sizeof(path), "/local/domain/0/error/backend/%s/%u/%u/error",
		 device_kind_name(id->kind), id->domid, id->number);
	if (xs_read(toolstack_store, 0, path, said, sizeof(said)) <= 0) {
		snprintf(text, size, "its back half gave up without a reason");
		return;
	}
	at += strspn(at, "-0123456789");
	snprintf(text, size, "%s", at + (*at == ' '));
}

/* What was written is taken away again. */
static bool give_up(const struct device_id *id, struct report *report, const char *why)
{
	char text[DEVICE_TEXT];

	describe(id, text);
	device_remove(id);
	report_error(report, NULL, 0, "%s: %s", text, why);
	return false;
}

static bool wait_until_ready(const struct device_id *id, bool let_go, struct report *report)
{
	const unsigned int ready = STATE(InitWait) | STATE(Initialised) | STATE(Connected);
	char why[240];
	long state;

	if (let_go)
		mutex_unlock(&toolstack_lock);
	state = wait_for_back(id, ready | STATE(Closing) | BACK_ENDED,
			      clock_now() + DEVICE_READY_SECONDS * NSEC_PER_SEC);
	if (let_go)
		mutex_lock(&toolstack_lock);
	if (state >= 0 && ready & 1u << state)
		return true;
	if (state == -XEN_ETIMEDOUT) {
		snprintf(why, sizeof(why),
			 "no back half has answered within %d s; are there %s in this dom0?",
			 DEVICE_READY_SECONDS, id->kind == DEVICE_DISK ? "disks" : "networks");
	} else if (state < 0) {
		snprintf(why, sizeof(why), "%s", error_text(state));
	} else {
		back_error(id, why, sizeof(why));
	}
	return give_up(id, report, why);
}

static bool attached(const struct device_id *id, long error, bool let_go, struct report *report)
{
	char text[DEVICE_TEXT];

	if (!error)
		return wait_until_ready(id, let_go, report);
	describe(id, text);
	report_error(report, NULL, 0, "%s: %s", text, error_text(error));
	return false;
}

bool device_attach_disk(domid_t domid, const struct disk_config *disk, bool let_go,
			struct report *report)
{
	const struct device_id id = {.domid = domid, .kind = DEVICE_DISK, .number = disk->number};

	return attached(&id, device_write_disk(&id, disk), let_go, report);
}

bool device_attach_vif(domid_t domid, const struct vif_config *vif, struct report *report)
{
	const struct device_id id = {.domid = domid, .kind = DEVICE_NETWORK, .number = vif->devid};

	return attached(&id, device_write_vif(&id, vif), false, report);
}

/* Detach */

/* Has the guest begun to use it, or could it still? What the guest writes counts only against itself. */
static bool front_in_use(const struct device_id *id)
{
	char path[STORE_PATH];
	uint64_t state;

	snprintf(path, sizeof(path), "/local/domain/%u/device/%s/%u/state", id->domid,
		 device_kind_name(id->kind), id->number);
	return !xs_read_number(toolstack_store, 0, path, &state) &&
	       state > XenbusStateInitialising && state != XenbusStateClosed;
}

/* As soon as both halves have closed. -XEN_ETIMEDOUT: they have not. */
static long close_device(const struct device_id *id, bool gone, unsigned int seconds)
{
	long state, error = device_write_closing(id, gone);

	if (error)
		return error;
	state = wait_for_back(id, BACK_ENDED, clock_now() + seconds * NSEC_PER_SEC);
	return state < 0 ? state : 0;
}

bool device_detach(const struct device_id *id, bool force, struct report *report)
{
	char text[DEVICE_TEXT];
	long error;

	describe(id, text);
	error = close_device(id, !front_in_use(id),
			     force ? DEVICE_FORCE_SECONDS : DEVICE_CLOSE_SECONDS);
	if (error == -XEN_ETIMEDOUT && force) {
		/* Whatever comes of this, it is removed. */
		close_device(id, true, DEVICE_CLOSE_SECONDS);
		error = 0;
	}
	if (!error)
		error = device_remove(id);
	if (error)
		report_error(report, NULL, 0, "%s: %s", text,
			     error == -XEN_ETIMEDOUT
				 ? "the guest still uses it; it has been asked to let go, and "
				   "--force takes it away at once"
				 : error_text(error));
	return !error;
}

void device_end_all(domid_t domid)
{
	uint64_t deadline = clock_now() + DEVICE_CLOSE_SECONDS * NSEC_PER_SEC;
	struct device_list list;

	/* All are told first, so that they close side by side. What no back half has seen needs no closing. */
	for (unsigned int pass = 0; pass < 2; pass++)
		for (unsigned int kind = 0; kind < DEVICE_KINDS; kind++) {
			device_list(domid, (enum device_kind)kind, &list);
			for (unsigned int i = 0; i < list.count; i++) {
				struct device_id id = {.domid = domid,
						       .kind = (enum device_kind)kind,
						       .number = list.views[i].number};

				if (pass == 0 && list.views[i].state != XenbusStateInitialising) {
					device_write_closing(&id, true);
					continue;
				}
				if (pass == 1)
					wait_for_back(&id, BACK_ENDED, deadline);
				device_remove(&id);
			}
			device_list_free(&list);
		}
}

/* List */

static void read_text(const char *top, const char *node, char *value, size_t size)
{
	char path[STORE_PATH];

	snprintf(path, sizeof(path), "%s/%s", top, node);
	if (xs_read(toolstack_store, 0, path, value, size) < 0)
		value[0] = 0;
}

static int read_number(const char *top, const char *node)
{
	char path[STORE_PATH];
	uint64_t number;

	snprintf(path, sizeof(path), "%s/%s", top, node);
	return xs_read_number(toolstack_store, 0, path, &number) || number > INT32_MAX
		   ? -1
		   : (int)number;
}

static void read_device(const struct device_id *id, struct device_view *view)
{
	char record[STORE_PATH], front[STORE_PATH], mode[4];

	*view = (struct device_view){
	    .kind = id->kind, .number = id->number, .domid = id->domid, .backend_id = 0};
	device_record(id, record);
	device_back(id, view->back);
	snprintf(front, sizeof(front), "/local/domain/%u/device/%s/%u", id->domid,
		 device_kind_name(id->kind), id->number);
	view->state = read_number(view->back, "state");
	view->port = read_number(front, "event-channel");
	if (id->kind == DEVICE_DISK) {
		view->ring = read_number(front, "ring-ref");
		/* Rings of several pages have no ring-ref. */
		if (view->ring < 0)
			view->ring = read_number(front, "ring-ref0");
		read_text(record, "dev", view->name, sizeof(view->name));
		read_text(record, "params", view->target, sizeof(view->target));
		read_text(record, "mode", mode, sizeof(mode));
		view->read_only = mode[0] == 'r';
		read_text(view->back, "sectors", view->sectors, sizeof(view->sectors));
	} else {
		view->ring = read_number(front, "tx-ring-ref");
		view->ring_rx = read_number(front, "rx-ring-ref");
		read_text(record, "mac", view->name, sizeof(view->name));
		read_text(record, "bridge", view->target, sizeof(view->target));
	}
}

static int by_number(const void *a, const void *b)
{
	const struct device_view *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

long device_list(domid_t domid, enum device_kind kind, struct device_list *list)
{
	char path[STORE_PATH], *names = malloc(XENSTORE_PAYLOAD_MAX);
	struct device_view *more;
	long bytes;

	*list = (struct device_list){0};
	if (!names)
		return -XEN_ENOMEM;
	snprintf(path, sizeof(path), "/libxl/%u/device/%s", domid, device_kind_name(kind));
	bytes = xs_directory(toolstack_store, 0, path, names, XENSTORE_PAYLOAD_MAX);
	for (const char *name = NULL; bytes > 0 && (name = xs_next_name(names, bytes, name));) {
		struct device_id id = {
		    .domid = domid, .kind = kind, .number = (unsigned int)strtoul(name, NULL, 10)};

		more = realloc(list->views, (list->count + 1) * sizeof(*more));
		if (!more) {
			bytes = -XEN_ENOMEM;
			break;
		}
		list->views = more;
		read_device(&id, &list->views[list->count++]);
	}
	free(names);
	if (list->count)
		qsort(list->views, list->count, sizeof(*list->views), by_number);
	return bytes == -XEN_ENOENT || bytes > 0 ? 0 : bytes;
}

void device_list_free(struct device_list *list)
{
	free(list->views);
	*list = (struct device_list){0};
}

/* MACs */

/* Does any domain have it? */
static bool mac_is_used(const uint8_t mac[6])
{
	struct domain_list domains;
	struct device_list list;
	char text[MAC_TEXT];
	bool used = false;

	mac_print(mac, text);
	domain_list_read(&domains);
	for (unsigned int d = 0; d < domains.count && !used; d++) {
		device_list((domid_t)domains.views[d].domid, DEVICE_NETWORK, &list);
		for (unsigned int i = 0; i < list.count && !used; i++)
			used = !strcmp(list.views[i].name, text);
		device_list_free(&list);
	}
	domain_list_free(&domains);
	return used;
}

/* FNV-1a, which spreads what differs in few bits. */
static uint32_t hash(uint32_t from, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		from = (from ^ bytes[i]) * 16777619;
	return from;
}

static bool is_among(const uint8_t mac[6], const struct vif_config *vifs, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (vifs[i].has_mac && !memcmp(vifs[i].mac, mac, 6))
			return true;
	return false;
}

/* One of 2^24, as good as any other, the same every time; 65536 of them are tried before one is shared. */
static void make_mac(uint32_t seed, unsigned int devid, unsigned int try, uint8_t mac[6])
{
	const uint8_t rest[] = {(uint8_t)devid, (uint8_t)(devid >> 8), (uint8_t)try,
				(uint8_t)(try >> 8)};
	uint32_t found = hash(seed, rest, sizeof(rest));

	found ^= found >> 24;
	mac[0] = 0x00;
	mac[1] = 0x16;
	mac[2] = 0x3e;
	mac[3] = (uint8_t)(found >> 16);
	mac[4] = (uint8_t)(found >> 8);
	mac[5] = (uint8_t)found;
}

void device_make_macs(const uint8_t uuid[16], struct vif_config *vifs, unsigned int count)
{
	uint32_t seed = hash(2166136261, uuid, 16);

	for (unsigned int i = 0; i < count; i++) {
		unsigned int try = 0;

		if (vifs[i].has_mac)
			continue;
		do
			make_mac(seed, vifs[i].devid, try, vifs[i].mac);
		while (try++ < UINT16_MAX &&
		       (is_among(vifs[i].mac, vifs, count) || mac_is_used(vifs[i].mac)));
		vifs[i].has_mac = true;
	}
}
