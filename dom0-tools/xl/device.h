/* SPDX-License-Identifier: MIT */
/*
 * Disks and network interfaces of domains: what the store says of them, and waiting for their back halves. toolstack_lock is
 * held by the callers, but for device_list.
 *
 * A device is known by its record, /libxl/DOMAIN/device/KIND/NUMBER, to which no guest can write; what a guest has
 * written (below /local/domain/DOMAIN) decides nothing here. The record says where both halves are, and keeps a copy of what
 * the back half was told.
 */
#ifndef XL_DEVICE_H
#define XL_DEVICE_H

#include "xl/device_config.h"
#include "xl/toolstack.h"
#include "xl/view.h"

/* How long a back half may take to be ready, and both halves to let go; the front half if it is not going to be waited for longer. */
#define DEVICE_READY_SECONDS 10
#define DEVICE_CLOSE_SECONDS 10
#define DEVICE_FORCE_SECONDS 5

struct device_id {
	domid_t domid;
	enum device_kind kind;
	unsigned int number;
};

/*
 * Make a device of a domain and wait until its back half is ready for the guest. False with what is wrong reported; then
 * there is no such device. A vif has its number and its MAC. let_go: toolstack_lock is let go of while it waits, for the domain
 * is complete, and a disk may be somewhere that does not answer.
 */
bool device_attach_disk(domid_t domid, const struct disk_config *disk, bool let_go,
			struct report *report);
bool device_attach_vif(domid_t domid, const struct vif_config *vif, struct report *report);

/*
 * Ask the guest to let go, and remove the device when it has. With force it is removed whatever the guest does, after some
 * seconds: a guest that closes sees errors, in one from which a disk vanishes all waits that use it. False with
 * what is wrong reported: it is still there, and goes on being asked for.
 */
bool device_detach(const struct device_id *id, bool force, struct report *report);

/*
 * The end of all devices of a domain that is gone: its halves are closed, so that what a disk was made of can be
 * used again when this returns, unless a back half does not answer.
 */
void device_end_all(domid_t domid);

/* What there is, ascending by number. To be freed, also after an error. */
struct device_list {
	struct device_view *views;
	unsigned int count;
};

long device_list(domid_t domid, enum device_kind kind, struct device_list *list);
void device_list_free(struct device_list *list);

/*
 * Give those of a domain's vifs a MAC that have none: 00:16:3e and what the domain's UUID and the vif's number make of it,
 * so that it stays; those in use are avoided.
 */
void device_make_macs(const uint8_t uuid[16], struct vif_config *vifs, unsigned int count);

#endif
