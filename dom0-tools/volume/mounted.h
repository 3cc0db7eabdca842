/* SPDX-License-Identifier: MIT */
/*
 * The volume that dom0 has mounted, as the folder /volume of its files (files/files.h). For threads.
 *
 *	/volume/images/   disk images: the commands look there for names without a /
 *	/volume/xl/       configurations; those in auto/ are started with dom0
 */
#ifndef VOLUME_MOUNTED_H
#define VOLUME_MOUNTED_H

#include "volume/volume.h"

#define VOLUME_FOLDER "volume" /* below dom0's root */
#define VOLUME_LABEL  "cerne"

/* NULL: there is none. It stays until mounted_unmount. */
extern struct volume *mounted_volume;

/*
 * At dom0's start, when its disks are known: mount what dom0's argument volume=DISK names, or else the partition with the label
 * "cerne", or the disk with a file system of that label. volume=none: nothing. What happened is told; silence if there is none.
 */
void mounted_start(int argc, char **argv);
/* The same for a device; messages to the one who asked. */
long mounted_mount(struct block_device *device, bool read_only, char problem[VOLUME_PROBLEM]);
long mounted_unmount(void);

/* What follows /volume/ in a path; NULL: it leads elsewhere. */
const char *mounted_path(const char *path);

#endif
