/* SPDX-License-Identifier: MIT */
/* Network interfaces and disks, as xl-network-configuration(5) and xl-disk-configuration(5) describe them. Pure. */
#ifndef XL_DEVICE_CONFIG_H
#define XL_DEVICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "xl/pool.h"

enum device_kind { DEVICE_DISK, DEVICE_NETWORK, DEVICE_KINDS };

/* Strings are NULL where nothing was said. */
struct vif_config {
	unsigned int devid;
	bool has_devid, has_mac;
	uint8_t mac[6];
	const char *bridge, *gatewaydev, *type, *model, *vifname, *script, *ip, *backend;
	uint64_t rate_bytes; /* in each interval; 0: no limit */
	uint32_t rate_interval_us;
	unsigned int mtu; /* 0: the bridge's */
	bool trusted;
};

struct disk_config {
	const char *target; /* NULL: an empty drive */
	const char *format; /* raw, qcow, qcow2, vhd, qed */
	const char *vdev;
	uint32_t number; /* of vdev, as the front half's place in the store is named */
	bool read_only, cdrom, direct_io_safe, discard, trusted;
	const char *backend, *backendtype, *script, *specification;
	/* Of this toolstack only. */
	bool pause;	      /* on-error=pause: errors of the source pause the domain */
	bool shared;	      /* access w!: others may write it too */
	uint64_t limit_bytes; /* a second; 0: no limit */
	uint32_t limit_requests;
};

/* What is wrong with a specification. */
struct device_error {
	char text[160];
};

/* `devid`: what it is without devid=. False with the reason in *error; strings are from pool. */
bool vif_config_parse(struct vif_config *vif, const char *text, unsigned int devid,
		      struct pool *pool, struct device_error *error);
bool disk_config_parse(struct disk_config *disk, const char *text, struct pool *pool,
		       struct device_error *error);

/* What this toolstack cannot do of what is specified rightly; false with the reason in *error. */
bool vif_config_check(const struct vif_config *vif, struct device_error *error);
bool disk_config_check(const struct disk_config *disk, struct device_error *error);

/* "00:16:3e:01:02:03" */
#define MAC_TEXT 18
bool mac_parse(const char *text, uint8_t mac[6]);
void mac_print(const uint8_t mac[6], char text[MAC_TEXT]);

/* The number of a guest's disk by its name (xvda1, sdb, hdc, d3p2, 51712); false: it is no such name. */
bool disk_number(const char *vdev, uint32_t *number);

#endif
