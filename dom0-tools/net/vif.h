/* SPDX-License-Identifier: MIT */
/* Guests' network interfaces: a service that follows backend/vif in the store and puts each onto its bridge. */
#ifndef NET_VIF_H
#define NET_VIF_H

#include <pv-drivers/xs.h>

/* Begin. xs: a connection of its own, for which a thread is started. 0, -ENOMEM, or an error of the store. */
long vif_start(struct xs *xs);

/* The command: what there is to tell about each. */
int run_vifs(int argc, char **argv);

#endif
