/* SPDX-License-Identifier: MIT */
#include "net/vif.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv-drivers/net_back_store.h>
#include <pv-drivers/xenbus_back.h>
#include "net/network.h"

/* Bridge, ip: as long as toolstacks write them. */
#define TEXT   256
#define QUEUES NET_BACK_QUEUES

struct vif {
	struct xenbus_back xenbus;
	struct net_back *back;
	char bridge[TEXT];
};

static struct xenbus_service service;

static struct vif *vif_of(struct xenbus_back *xenbus)
{
	return (struct vif *)xenbus;
}

static struct xenbus_back *create(void)
{
	struct vif *vif = calloc(1, sizeof(*vif));

	return (struct xenbus_back *)vif;
}

static void destroy(struct xenbus_back *xenbus)
{
	free(vif_of(xenbus));
}

/* A key of our own directory; "" if there is none. */
static long read_text(struct xenbus_back *xenbus, const char *name, char *value, size_t size)
{
	char path[XENBUS_PATH + 16];
	long length;

	snprintf(path, sizeof(path), "%s/%s", xenbus->bus.own, name);
	length = xs_read(xenbus->bus.xs, 0, path, value, size);
	if (length >= 0)
		return 0;
	value[0] = 0;
	return length == -ENOENT ? 0 : length;
}

static const char *attach_error(long error)
{
	switch (error) {
	case -ENOENT:
		return "bridge: there is none of this name";
	case -EINVAL:
		return "bridge or ip: not understood";
	case -ENOSPC:
		return "ip: too many addresses";
	case -EEXIST:
		return "mac: another interface of the bridge has it";
	default:
		return "cannot be put onto the bridge";
	}
}

static long join_bridge(struct vif *vif, const char **why)
{
	char ips[TEXT];
	long error;

	*why = "bridge or ip: cannot be read";
	error = read_text(&vif->xenbus, "bridge", vif->bridge, sizeof(vif->bridge));
	if (!error)
		error = read_text(&vif->xenbus, "ip", ips, sizeof(ips));
	if (error)
		return error;
	error = network_attach_guest(net_back_port(vif->back), vif->bridge, ips);
	*why = attach_error(error);
	return error;
}

static long open_vif(struct xenbus_back *xenbus, const char **why)
{
	struct vif *vif = vif_of(xenbus);
	struct net_back_config config = {0};
	long error;

	snprintf(config.name, sizeof(config.name), "vif%u.%u", xenbus->frontend, xenbus->device);
	error = net_back_read_config(&xenbus->bus, &config, why);
	if (error)
		return error;
	vif->back = net_back_create(&config);
	*why = "no memory";
	if (!vif->back)
		return -ENOMEM;
	error = join_bridge(vif, why);
	if (!error) {
		*why = "the store takes no more";
		error = net_back_offer(&xenbus->bus, QUEUES);
		if (!error)
			/* What the scripts of other toolstacks say when they have done this. */
			error = xenbus_printf(&xenbus->bus, 0, "hotplug-status", "connected");
		if (error)
			bridge_detach(net_back_port(vif->back));
	}
	if (error) {
		net_back_destroy(vif->back);
		vif->back = NULL;
	}
	return error;
}

static void close_vif(struct xenbus_back *xenbus)
{
	struct net_back *back = vif_of(xenbus)->back;

	bridge_detach(net_back_port(back));
	/* Before it is gone: run_vifs looks at it from another thread. */
	vif_of(xenbus)->back = NULL;
	net_back_destroy(back);
}

static long connect_vif(struct xenbus_back *xenbus, const char **why)
{
	struct net_back_front front;
	long error = net_back_read_front(&xenbus->bus, QUEUES, &front, why);

	if (error)
		return error;
	*why = "its rings or event channels cannot be used";
	return net_back_connect(vif_of(xenbus)->back, &front);
}

/* Packets that others still hold do not stand in the way: they are not answered any more. */
static bool disconnect_vif(struct xenbus_back *xenbus)
{
	net_back_disconnect(vif_of(xenbus)->back);
	return true;
}

static const struct xenbus_back_driver driver = {
    .type = "vif",
    .create = create,
    .destroy = destroy,
    .open = open_vif,
    .connect = connect_vif,
    .disconnect = disconnect_vif,
    .close = close_vif,
};

long vif_start(struct xs *xs)
{
	long error;

	if (!xs)
		return -ENOMEM;
	error = xs_dispatch_thread(xs, "vif-watch");
	return error ? error : xenbus_service_start(&service, xs, &driver);
}

/* The command */

/* Events are masked while a device is looked at, so that it is written down first. */
struct row {
	char name[NET_PORT_NAME];
	bool link;
	struct net_counters sent, received;
	struct net_back_counters counters;
};

struct table {
	struct row rows[128];
	unsigned int count, all;
};

static bool add_row(struct xenbus_back *xenbus, void *data)
{
	struct vif *vif = vif_of(xenbus);
	struct table *table = data;
	struct net_port *port;
	struct row *row;

	if (!vif->back || table->all++ >= sizeof(table->rows) / sizeof(table->rows[0]))
		return true;
	row = &table->rows[table->count++];
	port = net_back_port(vif->back);
	memcpy(row->name, port->name, sizeof(row->name));
	row->link = port->link;
	row->sent = port->sent;
	row->received = port->received;
	net_back_count(vif->back, &row->counters);
	return true;
}

int run_vifs(int argc, char **argv)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table) {
		printf("vifs: no memory\n");
		return 1;
	}
	xenbus_service_each(&service, add_row, table);
	printf("%-12s %-4s %10s %10s %8s %8s %8s %8s %8s %8s\n", "Interface", "Link", "From guest",
	       "To guest", "Dropped", "Malform.", "Stalls", "Limited", "Events", "Notif.");
	for (unsigned int i = 0; i < table->count; i++) {
		const struct row *row = &table->rows[i];

		printf("%-12s %-4s %10llu %10llu %8llu %8llu %8llu %8llu %8llu %8llu\n", row->name,
		       row->link ? "up" : "down", (unsigned long long)row->received.packets,
		       (unsigned long long)row->sent.packets, (unsigned long long)row->sent.dropped,
		       (unsigned long long)row->counters.malformed,
		       (unsigned long long)row->counters.stalls,
		       (unsigned long long)row->counters.limited,
		       (unsigned long long)row->counters.events,
		       (unsigned long long)row->counters.notifications);
	}
	if (table->all > table->count)
		printf("... and %u more\n", table->all - table->count);
	free(table);
	return 0;
}
