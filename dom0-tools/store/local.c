/* SPDX-License-Identifier: MIT */
/*
 * dom0's own connections: rings like those of other domains, but in dom0's memory, and a call in place of an event
 * channel. Thus the store has one way in only.
 */
#include "store/service.h"
#include "store/store.h"
#include <stdlib.h>
#include <guest/byte_ring.h>
#include <public/errno.h>

struct local {
	struct xs xs;
	struct xs_transport transport;
	struct byte_ring requests, answers;
	struct door door;
	struct xenstore_domain_interface ring;
};

static long moved(struct local *local, long count)
{
	if (count < 0)
		return -XEN_EIO;
	if (count)
		door_knock(&local->door);
	return count;
}

static struct local *local_of(struct xs_transport *transport)
{
	return (struct local *)((char *)transport - offsetof(struct local, transport));
}

static long write_ring(struct xs_transport *transport, const void *bytes, size_t count)
{
	struct local *local = local_of(transport);

	return moved(local, byte_ring_put(&local->requests, bytes, count));
}

static long read_ring(struct xs_transport *transport, void *bytes, size_t count)
{
	struct local *local = local_of(transport);

	return moved(local, byte_ring_take(&local->answers, bytes, count));
}

static void notify(void *data)
{
	wake_all(((struct local *)data)->transport.wait);
}

struct xs *store_connect(void)
{
	struct local *local = calloc(1, sizeof(*local));
	struct xenstore_domain_interface *ring;

	if (!local)
		return NULL;
	ring = &local->ring;
	local->requests =
	    (struct byte_ring){ring->req, sizeof(ring->req), &ring->req_prod, &ring->req_cons};
	local->answers =
	    (struct byte_ring){ring->rsp, sizeof(ring->rsp), &ring->rsp_prod, &ring->rsp_cons};
	local->transport.write = write_ring;
	local->transport.read = read_ring;
	xs_init(&local->xs, &local->transport);
	if (service_connect(&local->door, ring, notify, local) != 0) {
		free(local);
		return NULL;
	}
	return &local->xs;
}
