/* SPDX-License-Identifier: MIT */
/* `vifs`: guests' network interfaces as dom0 serves them. What is shown is copied with events masked and printed afterwards. */
#include "net/vif.h"
#include "net/network.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xl/device_config.h"
#include "xl/json.h"
#include "xl/toolstack.h"

struct row {
	unsigned int domid, device;
	char name[NET_PORT_NAME], bridge[VIF_TEXT], mac[MAC_TEXT];
	uint16_t mtu;
	bool link;
	struct net_counters sent, received;
	struct net_back_status status;
	struct net_back_counters counters;
};

struct rows {
	struct row *rows;
	unsigned int room, count;
};

static bool add_row(struct xenbus_back *xenbus, void *data)
{
	const struct vif *vif = (const struct vif *)xenbus;
	const struct net_port *port;
	struct rows *rows = data;
	struct row *row;

	if (!vif->back || rows->count++ >= rows->room)
		return true;
	row = &rows->rows[rows->count - 1];
	port = net_back_port(vif->back);
	row->domid = xenbus->frontend;
	row->device = xenbus->device;
	memcpy(row->name, port->name, sizeof(row->name));
	memcpy(row->bridge, vif->bridge, sizeof(row->bridge));
	mac_print(port->mac, row->mac);
	row->mtu = port->mtu;
	row->link = port->link;
	row->sent = port->sent;
	row->received = port->received;
	net_back_look(vif->back, &row->status);
	net_back_count(vif->back, &row->counters);
	return true;
}

/* False without memory. */
static bool read_rows(struct rows *rows)
{
	rows->room = 0;
	rows->rows = NULL;
	do {
		rows->room = rows->room ? 2 * rows->room : 16;
		free(rows->rows);
		rows->rows = calloc(rows->room, sizeof(*rows->rows));
		if (!rows->rows)
			return false;
		rows->count = 0;
		xenbus_service_each(&vif_service, add_row, rows);
	} while (rows->count > rows->room);
	return true;
}

static const char *link_text(const struct row *row)
{
	if (row->link)
		return "up";
	return row->status.carrier ? "down" : "off";
}

static void show_table(const struct rows *rows)
{
	printf("%-12s %-4s %10s %10s %8s %8s %8s %8s %8s %8s\n", "Interface", "Link", "From guest",
	       "To guest", "Dropped", "Malform.", "Stalls", "Limited", "Events", "Notif.");
	for (unsigned int i = 0; i < rows->count; i++) {
		const struct row *row = &rows->rows[i];

		printf("%-12s %-4s %10" PRIu64 " %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64
		       " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n",
		       row->name, link_text(row), row->received.packets, row->sent.packets,
		       row->sent.dropped, row->counters.malformed, row->counters.stalls,
		       row->counters.limited, row->counters.events, row->counters.notifications);
	}
}

/* Those by which the guest has its packets distributed; public/io/netif.h numbers them in this order. */
static void write_hashes(struct json *json, uint32_t types)
{
	static const char *const names[] = {"ipv4", "ipv4-tcp", "ipv6", "ipv6-tcp"};

	json_array(json, "hashes");
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (types & 1u << i)
			json_string(json, NULL, names[i]);
	json_end(json);
}

static void write_row(struct json *json, const struct row *row)
{
	json_object(json, NULL);
	json_string(json, "name", row->name);
	json_unsigned(json, "domid", row->domid);
	json_unsigned(json, "devid", row->device);
	json_string(json, "mac", row->mac);
	json_unsigned(json, "mtu", row->mtu);
	json_string(json, "bridge", row->bridge[0] ? row->bridge : NULL);
	json_boolean(json, "connected", row->status.connected);
	json_boolean(json, "link", row->link);
	json_boolean(json, "carrier", row->status.carrier);
	json_boolean(json, "taken_down", row->status.down);
	json_unsigned(json, "queues", row->status.queues);
	write_hashes(json, row->status.hash_types);
	json_boolean(json, "multicast_control", row->status.multicast_control);
	json_unsigned(json, "multicast_groups", row->status.groups);
	network_json_counters(json, "received", &row->received);
	network_json_counters(json, "sent", &row->sent);
	json_unsigned(json, "malformed", row->counters.malformed);
	json_unsigned(json, "stalls", row->counters.stalls);
	json_unsigned(json, "limited", row->counters.limited);
	json_unsigned(json, "events", row->counters.events);
	json_unsigned(json, "notifications", row->counters.notifications);
	json_unsigned(json, "copies", row->counters.copies);
	json_end(json);
}

static int show(bool as_json)
{
	struct rows rows;
	struct json json;

	if (!read_rows(&rows)) {
		printf("vifs: out of memory\n");
		return 1;
	}
	if (as_json) {
		json_start(&json, stdout);
		json_array(&json, NULL);
		for (unsigned int i = 0; i < rows.count; i++)
			write_row(&json, &rows.rows[i]);
		json_end(&json);
	} else {
		show_table(&rows);
	}
	free(rows.rows);
	return 0;
}

/* Links */

struct search {
	unsigned int domid;
	const char *who; /* its number or MAC */
	bool up, found;
	char path[XENBUS_PATH + 8];
};

static bool is_named(const struct vif *vif, const char *who)
{
	char number[12], mac[MAC_TEXT];
	uint8_t bytes[6];

	snprintf(number, sizeof(number), "%u", vif->xenbus.device);
	if (strcmp(who, number) == 0)
		return true;
	mac_print(net_back_port(vif->back)->mac, mac);
	return mac_parse(who, bytes) && memcmp(bytes, net_back_port(vif->back)->mac, 6) == 0;
}

/* At once, so that no packet passes when the command has ended; the service sees to the rest when the node changes. */
static bool set_link(struct xenbus_back *xenbus, void *data)
{
	struct vif *vif = (struct vif *)xenbus;
	struct search *search = data;

	if (xenbus->frontend != search->domid || !vif->back || !is_named(vif, search->who))
		return true;
	net_back_set_link(vif->back, search->up);
	snprintf(search->path, sizeof(search->path), "%s/" VIF_LINK, xenbus->bus.own);
	search->found = true;
	return false;
}

static int change_link(const char *domain, const char *who, bool up)
{
	const char *text = up ? "up" : "down";
	struct search search = {.who = who, .up = up};
	struct domain_view view;
	long error = domain_find(domain, &view);

	if (error) {
		printf("vifs: %s: %s\n", domain,
		       error == -ESRCH ? "there is no such domain; `xl list` shows those there are"
				       : strerror((int)-error));
		return 1;
	}
	search.domid = (unsigned int)view.domid;
	xenbus_service_each(&vif_service, set_link, &search);
	if (!search.found) {
		printf(
		    "vifs: %s has no interface `%s'; `xl network-list %s' shows those that it has\n",
		    domain, who, domain);
		return 1;
	}
	error = xs_write(vif_service.xs, 0, search.path, text, strlen(text));
	if (error)
		printf("vifs: the guest could not be told: %s\n", strerror((int)-error));
	return error ? 1 : 0;
}

int run_vifs(int argc, char **argv)
{
	if (argc == 1)
		return show(false);
	if (argc == 2 && strcmp(argv[1], "--json") == 0)
		return show(true);
	if (argc == 5 && strcmp(argv[1], "link") == 0 &&
	    (strcmp(argv[4], "up") == 0 || strcmp(argv[4], "down") == 0))
		return change_link(argv[2], argv[3], strcmp(argv[4], "up") == 0);
	printf("vifs: say nothing, --json, or link DOMAIN NUMBER|MAC up|down\n");
	return 1;
}
