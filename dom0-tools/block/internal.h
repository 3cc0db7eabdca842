/* SPDX-License-Identifier: MIT */
/* What the service of guests' disks shows to its command. */
#ifndef BLOCK_INTERNAL_H
#define BLOCK_INTERNAL_H

#include "block/source.h"
#include <pv-drivers/block_back.h>

struct guest_disk {
	struct xenbus_back bus; /* first */
	struct block_back back;
	struct block_source source;
	struct block_listener opening; /* of the source's device, until that is ready */
	char target[256], mode[8];
	bool paused; /* its domain is, since the source failed */
};

/* With on-error=pause: try again what failed, and let the domain run. The service's or the shell's thread. */
void block_service_retry(struct guest_disk *disk);

extern struct xenbus_service block_service;

/* End the service and begin anew, under running guests. 0, or a negated error. */
long block_service_restart(void);

#endif
