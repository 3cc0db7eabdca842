/* SPDX-License-Identifier: MIT */
/* What the store says of a domain, in the places and with the rights of xenstore-paths(7). */
#ifndef XL_LAYOUT_H
#define XL_LAYOUT_H

#include "xl/create.h"

/* How the domain reaches the store's and the console's daemon. */
struct domain_channels {
	unsigned long store_mfn, console_mfn;
	unsigned int store_port, console_port;
};

/* All at once. */
long layout_write(domid_t domid, const struct creation *creation,
		  const struct domain_channels *channels);
/* uuid NULL: not known, then /vm is left. */
void layout_remove(domid_t domid, const uint8_t *uuid);

/* Domain 0's own entries. */
long layout_write_dom0(void);

/* Name and /vm's name. */
long layout_write_name(domid_t domid, const uint8_t uuid[16], const char *name);

#endif
