/* SPDX-License-Identifier: MIT */
/* The command `bridges`. What it shows is copied with events masked and printed afterwards. */
#include "net/internal.h"
#include "net/network.h"
#include "xl/json.h"
#include <errno.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTS_SHOWN 256

struct seen_address {
	uint64_t key, age;
	unsigned int port;
	bool fixed;
};

struct seen_port {
	char name[NET_PORT_NAME];
	uint8_t mac[NET_MAC];
	uint16_t mtu;
	bool link, prefer_local;
	uint32_t features;
	struct bridge_options options;
	struct net_counters sent, received;
	uint64_t dropped[BRIDGE_DROPS];
	unsigned int learned;
};

/* A bridge as it was at one moment. */
struct seen {
	char name[BRIDGE_NAME], uplink[UPLINKS];
	bool follow;
	unsigned int ports, addresses;
	struct seen_port port[PORTS_SHOWN];
	struct bridge_port *of[PORTS_SHOWN];
	struct seen_address address[BRIDGE_ADDRESSES];
};

static void see_address(const struct address *address, void *data)
{
	struct seen *seen = data;
	struct seen_address *to = &seen->address[seen->addresses++];

	*to = (struct seen_address){.key = address->key,
				    .fixed = address->fixed,
				    .port = PORTS_SHOWN,
				    .age = address->port->bridge->now - address->seen};
	for (unsigned int i = 0; i < seen->ports; i++)
		if (seen->of[i] == address->port)
			to->port = i;
}

static void see_port(struct seen *seen, struct bridge_port *port)
{
	struct seen_port *to = &seen->port[seen->ports];

	*to = (struct seen_port){.mtu = port->port->mtu,
				 .link = port->port->link,
				 .features = port->port->features,
				 .options = port->options,
				 .sent = port->port->sent,
				 .received = port->port->received,
				 .learned = port->learned};
	memcpy(to->name, port->port->name, NET_PORT_NAME);
	memcpy(to->mac, port->port->mac, NET_MAC);
	memcpy(to->dropped, port->dropped, sizeof(to->dropped));
	seen->of[seen->ports++] = port;
}

static void see(struct bridge *bridge, struct seen *seen)
{
	bool masked = events_save();

	seen->ports = seen->addresses = 0;
	memcpy(seen->name, bridge->name, BRIDGE_NAME);
	memcpy(seen->uplink, bridge->uplink, UPLINKS);
	seen->follow = bridge->follow;
	for (struct bridge_port *port = bridge->ports; port && seen->ports < PORTS_SHOWN;
	     port = port->next)
		see_port(seen, port);
	bridge->now = clock_now();
	addresses_each(bridge, see_address, seen);
	bridge->now = 0;
	events_restore(masked);
}

static const char *mac_text(const uint8_t *mac)
{
	static char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}

static const char *key_text(uint64_t key)
{
	uint8_t mac[8];

	memcpy(mac, &key, sizeof(mac));
	return mac_text(mac);
}

static void print_drops(const struct seen_port *port)
{
	const char *before = "    dropped:";

	for (unsigned int i = 0; i < BRIDGE_DROPS; i++)
		if (port->dropped[i]) {
			printf("%s %" PRIu64 " %s", before, port->dropped[i], bridge_drop_names[i]);
			before = ",";
		}
	if (before[0] == ',')
		printf("\n");
}

/* What the port sends goes to who is there; the user at the console thinks of it the same way. */
static void print_port(const struct seen_port *port)
{
	printf("  %-15s %s  mtu %u  %s", port->name, mac_text(port->mac), port->mtu,
	       port->link ? "up" : "down");
	if (port->options.trunk)
		printf("  trunk");
	if (port->options.vlan)
		printf("  vlan %u", port->options.vlan);
	if (port->options.strict)
		printf("  own address only");
	printf("\n    from it %" PRIu64 " packets %" PRIu64 " bytes, to it %" PRIu64
	       " packets %" PRIu64 " bytes",
	       port->received.packets, port->received.bytes, port->sent.packets, port->sent.bytes);
	printf("; errors %" PRIu64 "/%" PRIu64 ", no room %" PRIu64 "/%" PRIu64 "\n",
	       port->received.errors, port->sent.errors, port->received.dropped,
	       port->sent.dropped);
	print_drops(port);
}

static void print_text(const struct seen *seen)
{
	printf("%s  uplink %s%s, %u port%s, %u address%s\n", seen->name,
	       seen->uplink[0] ? seen->uplink : "none", seen->follow ? " (followed)" : "",
	       seen->ports, seen->ports == 1 ? "" : "s", seen->addresses,
	       seen->addresses == 1 ? "" : "es");
	for (unsigned int i = 0; i < seen->ports; i++)
		print_port(&seen->port[i]);
	for (unsigned int i = 0; i < seen->addresses; i++) {
		const struct seen_address *address = &seen->address[i];

		printf("    %s vlan %u on %s", key_text(address->key),
		       (unsigned int)(address->key >> 48),
		       address->port < seen->ports ? seen->port[address->port].name : "?");
		if (address->fixed)
			printf("\n");
		else
			printf(", %" PRIu64 " s ago\n", address->age / NSEC_PER_SEC);
	}
}

void network_json_counters(struct json *json, const char *key, const struct net_counters *counters)
{
	json_object(json, key);
	json_unsigned(json, "packets", counters->packets);
	json_unsigned(json, "bytes", counters->bytes);
	json_unsigned(json, "dropped", counters->dropped);
	json_unsigned(json, "errors", counters->errors);
	json_end(json);
}

static void json_port(struct json *json, const struct seen_port *port)
{
	json_object(json, NULL);
	json_string(json, "name", port->name);
	json_string(json, "mac", mac_text(port->mac));
	json_unsigned(json, "mtu", port->mtu);
	json_boolean(json, "link", port->link);
	json_unsigned(json, "features", port->features);
	json_unsigned(json, "vlan", port->options.vlan);
	json_boolean(json, "trunk", port->options.trunk);
	json_boolean(json, "strict", port->options.strict);
	json_unsigned(json, "learned", port->learned);
	network_json_counters(json, "received", &port->received);
	network_json_counters(json, "sent", &port->sent);
	json_object(json, "dropped");
	for (unsigned int i = 0; i < BRIDGE_DROPS; i++)
		json_unsigned(json, bridge_drop_names[i], port->dropped[i]);
	json_end(json);
	json_end(json);
}

static void json_bridge(struct json *json, const struct seen *seen)
{
	json_object(json, NULL);
	json_string(json, "name", seen->name);
	json_string(json, "uplink", seen->uplink[0] ? seen->uplink : NULL);
	json_boolean(json, "follow", seen->follow);
	json_array(json, "ports");
	for (unsigned int i = 0; i < seen->ports; i++)
		json_port(json, &seen->port[i]);
	json_end(json);
	json_array(json, "addresses");
	for (unsigned int i = 0; i < seen->addresses; i++) {
		const struct seen_address *address = &seen->address[i];

		json_object(json, NULL);
		json_string(json, "mac", key_text(address->key));
		json_unsigned(json, "vlan", address->key >> 48);
		json_string(json, "port",
			    address->port < seen->ports ? seen->port[address->port].name : NULL);
		json_boolean(json, "fixed", address->fixed);
		json_unsigned(json, "age", address->fixed ? 0 : address->age / NSEC_PER_SEC);
		json_end(json);
	}
	json_end(json);
	json_end(json);
}

static int show(bool as_json)
{
	struct seen *seen = malloc(sizeof(*seen));
	struct json json;

	if (!seen) {
		printf("bridges: out of memory\n");
		return 1;
	}
	if (as_json) {
		json_start(&json, stdout);
		json_array(&json, NULL);
	}
	for (struct bridge *bridge = bridges; bridge; bridge = bridge->next) {
		see(bridge, seen);
		if (as_json)
			json_bridge(&json, seen);
		else
			print_text(seen);
	}
	if (as_json)
		json_end(&json);
	free(seen);
	return 0;
}

static int report(const char *what, long error)
{
	const char *why = strerror((int)-error);

	if (!error)
		return 0;
	if (error == -EEXIST)
		why = "there is one of this name";
	else if (error == -ENOENT)
		why = "there is no such bridge";
	else if (error == -ENODEV)
		why = "there is no such card";
	else if (error == -EBUSY)
		why = "it is in use";
	printf("bridges: %s: %s\n", what, why);
	return 1;
}

int run_bridges(int argc, char **argv)
{
	if (argc == 1)
		return show(false);
	if (argc == 2 && strcmp(argv[1], "--json") == 0)
		return show(true);
	if (argc == 3 && strcmp(argv[1], "add") == 0)
		return report(argv[2], network_create_bridge(argv[2], &bridge_settings_default));
	if (argc == 3 && strcmp(argv[1], "remove") == 0)
		return report(argv[2], network_remove_bridge(argv[2]));
	if (argc == 4 && strcmp(argv[1], "uplink") == 0)
		return report(argv[2], network_set_uplink(
					   argv[2], strcmp(argv[3], "none") == 0 ? "" : argv[3]));
	if (argc == 4 && strcmp(argv[1], "follow") == 0 &&
	    (strcmp(argv[3], "on") == 0 || strcmp(argv[3], "off") == 0))
		return report(argv[2], network_set_follow(argv[2], strcmp(argv[3], "on") == 0));
	printf(
	    "bridges: say nothing, --json, add NAME, remove NAME, uplink NAME CARD[,CARD...]|none, "
	    "or follow NAME on|off\n");
	return 1;
}
