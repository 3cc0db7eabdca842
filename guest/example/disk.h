/* SPDX-License-Identifier: MIT */
/* The example guest's disks, each through a block front half. */
#ifndef EXAMPLE_DISK_H
#define EXAMPLE_DISK_H

#include <pv-drivers/xs.h>

/* The command `disk`: words[1] is what to do. For threads; watches of xs are dispatched by another one. */
void disk_command(struct xs *xs, char **words);

#endif
