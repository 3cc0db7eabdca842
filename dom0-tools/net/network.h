/* SPDX-License-Identifier: MIT */
/*
 * dom0's network: its cards, and which bridges there are. /etc/xl/bridges in dom0's root has a line for each bridge,
 *
 *	NAME [uplink=CARD[,CARD...]|none] [antispoof=on|off] [storm=PACKETS] [follow=on|off]
 *
 * and without that file there is xenbr0, whose uplink is the first card, net0. Uplinks are trunks: VLANs of guests' ports are
 * tagged there; with several the bridge is a switch between them. antispoof (on): guests' ports send from their own MAC only. storm: packets to groups a second that a guest
 * may send, 0 for no limit. follow (off): guests' links are down while no uplink has one.
 */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "net/bridge.h"

/* Make the bridges. Mistakes in the file are printed; the other lines count. */
void network_start(void);

/*
 * For drivers of cards, from their probe: name the port (net0, net1, ...) and put it onto its bridge. All else of the port is
 * complete. 0 or a negative errno.
 */
long network_add_card(struct net_port *port);

/*
 * Put a guest's port, complete, onto the bridge that its vif= names. bridge: as bridge_parse has it; ips: as bridge_parse_ips
 * has it, "" for all. -ENOENT: there is no such bridge; or an error of these functions or of bridge_attach. Undone by
 * bridge_detach.
 */
long network_attach_guest(struct net_port *port, const char *bridge, const char *ips);

/* Call each for the uplinks of a bridge that are there. It must not change the network. */
void network_each_uplink(const char *bridge, void (*each)(const char *name, bool link, void *data),
			 void *data);

/* An object of an interface's counters, as all commands show them. */
struct json;
void network_json_counters(struct json *json, const char *key, const struct net_counters *counters);

/* The command. */
int run_bridges(int argc, char **argv);

#endif
