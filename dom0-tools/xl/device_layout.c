/* SPDX-License-Identifier: MIT */
#include "xl/device_layout.h"
#include <stdio.h>
#include <stdlib.h>
#include <public/errno.h>
#include <public/io/xenbus.h>
#include "xl/domain_config.h"
#include "xl/writer.h"

/* All back halves are in this domain. */
#define BACK_DOMAIN 0u

const char *device_kind_name(enum device_kind kind)
{
	return kind == DEVICE_DISK ? "vbd" : "vif";
}

void device_record(const struct device_id *id, char *path)
{
	snprintf(path, STORE_PATH, "/libxl/%u/device/%s/%u", id->domid, device_kind_name(id->kind),
		 id->number);
}

void device_back(const struct device_id *id, char *path)
{
	snprintf(path, STORE_PATH, "/local/domain/%u/backend/%s/%u/%u", BACK_DOMAIN,
		 device_kind_name(id->kind), id->domid, id->number);
}

static void top_record(struct writer *w, const struct device_id *id)
{
	writer_top(w, "/libxl/%u/device/%s/%u", id->domid, device_kind_name(id->kind), id->number);
}

static void top_back(struct writer *w, const struct device_id *id)
{
	writer_top(w, "/local/domain/%u/backend/%s/%u/%u", BACK_DOMAIN, device_kind_name(id->kind),
		   id->domid, id->number);
}

static void top_front(struct writer *w, const struct device_id *id)
{
	writer_top(w, "/local/domain/%u/device/%s/%u", id->domid, device_kind_name(id->kind),
		   id->number);
}

/* What there is of the device, so that it is not made twice. */
static bool exists(struct writer *w, const struct device_id *id)
{
	char path[STORE_PATH];

	top_record(w, id);
	return writer_read(w, "backend", path, sizeof(path));
}

/* Names for both directories; in the front half's these are the guest's to change. */
static void put_record(struct writer *w, const struct device_id *id)
{
	const char *kind = device_kind_name(id->kind);

	top_record(w, id);
	writer_put(w, "frontend", "/local/domain/%u/device/%s/%u", id->domid, kind, id->number);
	writer_put(w, "backend", "/local/domain/%u/backend/%s/%u/%u", BACK_DOMAIN, kind, id->domid,
		   id->number);
	writer_put(w, "backend-id", "%u", BACK_DOMAIN);
}

static void put_front(struct writer *w, const struct device_id *id)
{
	top_front(w, id);
	writer_make_top(w, id->domid, BACK_DOMAIN);
	writer_put(w, "backend", "/local/domain/%u/backend/%s/%u/%u", BACK_DOMAIN,
		   device_kind_name(id->kind), id->domid, id->number);
	writer_put(w, "backend-id", "%u", BACK_DOMAIN);
	writer_put(w, "state", "%d", XenbusStateInitialising);
}

static void put_back(struct writer *w, const struct device_id *id)
{
	writer_put(w, "frontend", "/local/domain/%u/device/%s/%u", id->domid,
		   device_kind_name(id->kind), id->number);
	writer_put(w, "frontend-id", "%u", id->domid);
	writer_put(w, "online", "%d", 1);
	writer_put(w, "state", "%d", XenbusStateInitialising);
}

/* Disks */

/* What the back half is told; the record has the same. */
static void put_disk(struct writer *w, const struct disk_config *disk)
{
	writer_text(w, "params", disk->target);
	writer_put(w, "type", "phy");
	writer_put(w, "dev", "%s", disk->vdev);
	writer_put(w, "mode", "%s", disk->read_only ? "r" : disk->shared ? "w!" : "w");
	writer_put(w, "device-type", "%s", disk->cdrom ? "cdrom" : "disk");
	writer_put(w, "removable", "%d", disk->cdrom);
	writer_put(w, "bootable", "%d", 1);
	writer_put(w, "specification", "xen");
	writer_put(w, "discard-enable", "%d", disk->discard && !disk->read_only);
	writer_put(w, "direct-io-safe", "%d", disk->direct_io_safe);
	if (disk->pause)
		writer_text(w, "on-error", "pause");
	if (disk->limit_bytes)
		writer_put(w, "limit-bytes", "%llu", (unsigned long long)disk->limit_bytes);
	if (disk->limit_requests)
		writer_put(w, "limit-requests", "%lu", (unsigned long)disk->limit_requests);
}

static void put_disk_front(struct writer *w, const struct device_id *id,
			   const struct disk_config *disk)
{
	put_front(w, id);
	writer_put(w, "virtual-device", "%u", id->number);
	writer_put(w, "device-type", "%s", disk->cdrom ? "cdrom" : "disk");
	writer_put(w, "trusted", "%d", disk->trusted);
}

long device_write_disk(const struct device_id *id, const struct disk_config *disk)
{
	struct writer w;

	do {
		writer_begin(&w, id->domid);
		if (exists(&w, id))
			w.error = -XEN_EEXIST;
		put_record(&w, id);
		put_disk(&w, disk);
		put_disk_front(&w, id, disk);
		top_back(&w, id);
		writer_make_top(&w, BACK_DOMAIN, id->domid);
		put_disk(&w, disk);
		put_back(&w, id);
	} while (writer_end(&w));
	return w.error;
}

/* Network interfaces */

static void put_mac(struct writer *w, const struct vif_config *vif)
{
	char mac[MAC_TEXT];

	mac_print(vif->mac, mac);
	writer_put(w, "mac", "%s", mac);
}

static void put_vif(struct writer *w, const struct device_id *id, const struct vif_config *vif)
{
	writer_put(w, "type", "vif");
	writer_put(w, "handle", "%u", id->number);
	put_mac(w, vif);
	writer_text(w, "bridge", vif->bridge ? vif->bridge : domain_defaults.bridge);
	if (vif->vifname)
		writer_text(w, "vifname", vif->vifname);
	if (vif->ip)
		writer_text(w, "ip", vif->ip);
	if (vif->rate_bytes)
		writer_put(w, "rate", "%llu,%lu", (unsigned long long)vif->rate_bytes,
			   (unsigned long)vif->rate_interval_us);
	if (vif->mtu)
		writer_put(w, "mtu", "%u", vif->mtu);
}

static void put_vif_front(struct writer *w, const struct device_id *id,
			  const struct vif_config *vif)
{
	put_front(w, id);
	writer_put(w, "handle", "%u", id->number);
	put_mac(w, vif);
	if (vif->mtu)
		writer_put(w, "mtu", "%u", vif->mtu);
	writer_put(w, "trusted", "%d", vif->trusted);
}

long device_write_vif(const struct device_id *id, const struct vif_config *vif)
{
	struct writer w;

	do {
		writer_begin(&w, id->domid);
		if (exists(&w, id))
			w.error = -XEN_EEXIST;
		put_record(&w, id);
		put_vif(&w, id, vif);
		put_vif_front(&w, id, vif);
		top_back(&w, id);
		writer_make_top(&w, BACK_DOMAIN, id->domid);
		put_vif(&w, id, vif);
		put_back(&w, id);
	} while (writer_end(&w));
	return w.error;
}

/* The end */

/* A back half that has closed stays so; one that is gone is not made again. */
static void close_back(struct writer *w, const struct device_id *id)
{
	char text[16];

	top_back(w, id);
	if (!writer_read(w, "state", text, sizeof(text)))
		return;
	writer_put(w, "online", "%d", 0);
	if (strtoul(text, NULL, 10) != XenbusStateClosed)
		writer_put(w, "state", "%d", XenbusStateClosing);
}

long device_write_closing(const struct device_id *id, bool gone)
{
	struct writer w;

	do {
		writer_begin(&w, id->domid);
		if (!exists(&w, id) && !w.error)
			w.error = -XEN_ENOENT;
		if (gone) {
			top_front(&w, id);
			writer_remove(&w, "");
		}
		close_back(&w, id);
	} while (writer_end(&w));
	return w.error;
}

long device_remove(const struct device_id *id)
{
	struct writer w;

	do {
		writer_begin(&w, id->domid);
		top_front(&w, id);
		writer_remove(&w, "");
		top_back(&w, id);
		writer_remove(&w, "");
		/* What went wrong with a device that is no more is of no interest. */
		writer_top(&w, "/local/domain/%u/error/backend/%s/%u/%u", BACK_DOMAIN,
			   device_kind_name(id->kind), id->domid, id->number);
		writer_remove(&w, "");
		top_record(&w, id);
		writer_remove(&w, "");
	} while (writer_end(&w));
	return w.error;
}
