/* SPDX-License-Identifier: MIT */
/* What both halves of a network interface find in the store about it. Pure. */
#ifndef PV_DRIVERS_NET_MAC_H
#define PV_DRIVERS_NET_MAC_H

#include <stdbool.h>
#include <stdint.h>
#include <pv-drivers/net.h>

/* RFC 791 wants the least; the most is what a packet can have. */
#define NET_MTU_LEAST 68
#define NET_MTU_MOST  65535

/* "00:16:3e:01:02:03". False: it is no address, or one of a group. */
bool net_mac_parse(const char *text, uint8_t mac[NET_MAC]);

#endif
