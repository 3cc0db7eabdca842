/* SPDX-License-Identifier: MIT */
/* block-list and network-list, in Xen's columns. */
#include <stdlib.h>
#include <public/io/xenbus.h>
#include "xl/view.h"

void view_device_header(FILE *to, enum device_kind kind)
{
	if (kind == DEVICE_DISK)
		fprintf(to, "%-5s %-3s %-6s %-5s %-6s %-8s %s\n", "Vdev", "BE", "handle", "state",
			"evt-ch", "ring-ref", "BE-path");
	else
		fprintf(to, "%-3s %-2s %-17s %-6s %-5s %-6s %5s/%-11s %s\n", "Idx", "BE",
			"Mac Addr.", "handle", "state", "evt-ch", "tx-", "rx-ring-ref", "BE-path");
}

void view_device(FILE *to, const struct device_view *device)
{
	if (device->kind == DEVICE_DISK)
		fprintf(to, "%-5u %-3u %-6u %-5d %-6d %-8d %s\n", device->number,
			device->backend_id, device->domid, device->state, device->port,
			device->ring, device->back);
	else
		fprintf(to, "%-3u %-2u %-17s %6u %5d %6d %5d/%-11d %s\n", device->number,
			device->backend_id, device->name, device->number, device->state,
			device->port, device->ring, device->ring_rx, device->back);
}

static const char *state_name(int state)
{
	static const char *const names[] = {"unknown",	   "initialising",  "initwait",
					    "initialised", "connected",	    "closing",
					    "closed",	   "reconfiguring", "reconfigured"};

	return state >= 0 && (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state]
									      : names[0];
}

void view_device_json(struct json *json, const struct device_view *device)
{
	bool disk = device->kind == DEVICE_DISK;

	json_object(json, NULL);
	json_unsigned(json, "domid", device->domid);
	json_unsigned(json, "devid", device->number);
	json_unsigned(json, "backend_id", device->backend_id);
	json_string(json, "backend", device->back);
	json_string(json, "state", state_name(device->state));
	json_signed(json, "evtch", device->port);
	json_signed(json, disk ? "rref" : "rref_tx", device->ring);
	if (disk) {
		json_string(json, "vdev", device->name);
		json_string(json, "target", device->target);
		json_boolean(json, "read_only", device->read_only);
		json_unsigned(json, "sectors", strtoull(device->sectors, NULL, 10));
	} else {
		json_signed(json, "rref_rx", device->ring_rx);
		json_string(json, "mac", device->name);
		json_string(json, "bridge", device->target);
	}
	json_end(json);
}
