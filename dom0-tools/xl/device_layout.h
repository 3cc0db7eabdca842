/* SPDX-License-Identifier: MIT */
/* What the store says of a device: both halves' directories and the toolstack's record, as libxl writes them. */
#ifndef XL_DEVICE_LAYOUT_H
#define XL_DEVICE_LAYOUT_H

#include "xl/device.h"

/* "vbd", "vif" */
const char *device_kind_name(enum device_kind kind);

/* The record's directory; path has room for STORE_PATH. */
void device_record(const struct device_id *id, char *path);
/* The back half's. */
void device_back(const struct device_id *id, char *path);

/* All at once. -XEN_EEXIST: there is one with that number. */
long device_write_disk(const struct device_id *id, const struct disk_config *disk);
long device_write_vif(const struct device_id *id, const struct vif_config *vif);

/*
 * Tell both halves to close. With `gone` the front half does not count any more and its directory is removed: the
 * back half need not wait for it. -XEN_ENOENT: there is no such device.
 */
long device_write_closing(const struct device_id *id, bool gone);

/* Remove everything about it. */
long device_remove(const struct device_id *id);

#endif
