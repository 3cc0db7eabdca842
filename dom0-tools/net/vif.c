/* SPDX-License-Identifier: MIT */
#include "net/vif.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv-drivers/net_back_store.h>
#include "net/network.h"

#define QUEUES NET_BACK_QUEUES

struct xenbus_service vif_service;

static struct vif *vif_of(struct xenbus_back *xenbus)
{
	return (struct vif *)xenbus;
}

static struct xenbus_back *create(void)
{
	struct vif *vif = calloc(1, sizeof(*vif));

	if (!vif)
		return NULL;
	vif->carrier_told = -1;
	return &vif->xenbus;
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
	char ips[VIF_TEXT];
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

/* What the tools want of the link, and what the front half is told of it. */
static void follow_link(struct vif *vif)
{
	char wanted[8];
	int carrier;

	if (!read_text(&vif->xenbus, VIF_LINK, wanted, sizeof(wanted)))
		net_back_set_link(vif->back, strcmp(wanted, "down") != 0);
	carrier = net_back_carrier(vif->back);
	if (carrier == vif->carrier_told ||
	    xenbus_printf(&vif->xenbus.bus, 0, "carrier", "%d", carrier))
		return;
	vif->carrier_told = carrier;
	/* Linux does not look at the node, but makes itself known to its neighbours again. */
	if (carrier)
		xenbus_back_announce(&vif->xenbus);
}

/* With events masked. */
static void on_carrier_changed(void *data)
{
	xenbus_back_kick(data);
}

static void on_multicast_changed(struct xs_watch *watch, const char *path)
{
	struct vif *vif =
	    (struct vif *)((char *)watch - __builtin_offsetof(struct vif, multicast_watch));

	xenbus_back_kick(&vif->xenbus);
}

static long watch_multicast(struct vif *vif)
{
	struct xs_watch *watch = &vif->multicast_watch;

	snprintf(vif->multicast_path, sizeof(vif->multicast_path), "%s/" NET_BACK_MULTICAST,
		 vif->xenbus.bus.other);
	watch->path = vif->multicast_path;
	watch->fired = on_multicast_changed;
	return xs_watch(vif->xenbus.bus.xs, watch);
}

static long open_vif(struct xenbus_back *xenbus, const char **why)
{
	struct vif *vif = vif_of(xenbus);
	struct net_back_config config = {.carrier_changed = on_carrier_changed, .data = xenbus};
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
		follow_link(vif);
		error = net_back_offer(&xenbus->bus, QUEUES);
		if (!error)
			/* What the scripts of other toolstacks say when they have done this. */
			error = xenbus_printf(&xenbus->bus, 0, "hotplug-status", "connected");
		if (!error)
			error = watch_multicast(vif);
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
	struct vif *vif = vif_of(xenbus);
	struct net_back *back = vif->back;

	xs_unwatch(xenbus->bus.xs, &vif->multicast_watch);
	bridge_detach(net_back_port(back));
	/* Before it is gone: run_vifs looks at it from another thread. */
	vif->back = NULL;
	net_back_destroy(back);
}

static long connect_vif(struct xenbus_back *xenbus, const char **why)
{
	struct net_back_front front;
	long error = net_back_read_front(&xenbus->bus, QUEUES, &front, why);

	if (error)
		return error;
	*why = "its rings or event channels cannot be used";
	follow_link(vif_of(xenbus));
	return net_back_connect(vif_of(xenbus)->back, &front);
}

static void update_vif(struct xenbus_back *xenbus)
{
	struct vif *vif = vif_of(xenbus);

	follow_link(vif);
	net_back_set_multicast_control(vif->back, net_back_read_multicast_control(&xenbus->bus));
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
    .update = update_vif,
    .follows = VIF_LINK,
};

long vif_start(struct xs *xs)
{
	long error;

	if (!xs)
		return -ENOMEM;
	error = xs_dispatch_thread(xs, "vif-watch");
	return error ? error : xenbus_service_start(&vif_service, xs, &driver);
}
