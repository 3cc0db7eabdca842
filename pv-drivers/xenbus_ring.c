/* SPDX-License-Identifier: MIT */
#include <pv-drivers/xenbus.h>
#include <guest/event.h>
#include <guest/format.h>
#include <guest/memory.h>
#include <guest/string.h>
#include <public/errno.h>

#define MAX_ORDER 4
_Static_assert(1 << MAX_ORDER == GRANT_PAGES, "a ring's pages are one mapping");

static bool end_grants(struct xenbus_ring *ring, unsigned int count)
{
	bool ended = true;

	for (unsigned int i = 0; i < count; i++) {
		/* Ended already, by an earlier call. */
		if (!ring->refs[i])
			continue;
		if (grant_end(ring->refs[i]))
			ring->refs[i] = 0;
		else
			ended = false;
	}
	return ended;
}

long xenbus_ring_create(struct xenbus_device *device, struct xenbus_ring *ring, unsigned int order,
			event_handler *handler, void *data)
{
	unsigned int count = 1u << order, granted = 0;
	long error = -XEN_EINVAL;

	memset(ring, 0, sizeof(*ring));
	if (order > MAX_ORDER)
		return error;
	ring->order = order;
	ring->pages = pages_alloc(count);
	if (!ring->pages)
		return -XEN_ENOMEM;
	memset(ring->pages, 0, count * PAGE_SIZE);
	while (granted < count) {
		error = grant_access(device->other_domain,
				     virt_to_mfn((char *)ring->pages + granted * PAGE_SIZE), false);
		if (error < 0)
			goto undo;
		ring->refs[granted++] = (grant_ref_t)error;
	}
	ring->port = error = event_alloc_unbound(DOMID_SELF, device->other_domain, handler, data);
	if (error >= 0)
		return 0;
undo:
	/* Nobody was told of them. */
	end_grants(ring, granted);
	pages_free(ring->pages, count);
	ring->pages = NULL;
	return error;
}

/* The name of the node with page n's reference. */
static void ref_name(char *to, size_t size, const char *name, unsigned int order, unsigned int n)
{
	if (order)
		format_string(to, size, "%s%u", name, n);
	else
		format_string(to, size, "%s", name);
}

long xenbus_ring_publish(struct xenbus_device *device, xs_transaction t,
			 const struct xenbus_ring *ring, const char *name, const char *event_name)
{
	char node[32];
	long error = 0;

	if (ring->order)
		error = xenbus_printf(device, t, "ring-page-order", "%u", ring->order);
	for (unsigned int i = 0; !error && i < 1u << ring->order; i++) {
		ref_name(node, sizeof(node), name, ring->order, i);
		error = xenbus_printf(device, t, node, "%u", ring->refs[i]);
	}
	return error ? error : xenbus_printf(device, t, event_name, "%ld", ring->port);
}

bool xenbus_ring_destroy(struct xenbus_ring *ring)
{
	if (!ring->pages)
		return true;
	if (ring->port)
		event_close((evtchn_port_t)ring->port);
	ring->port = 0;
	if (!end_grants(ring, 1u << ring->order))
		return false;
	pages_free(ring->pages, 1ul << ring->order);
	ring->pages = NULL;
	return true;
}

static long read_refs(struct xenbus_device *device, struct xenbus_ring *ring,
		      unsigned int max_order, const char *name)
{
	char node[32];
	uint64_t number;
	long error;

	error = xenbus_read_other_number(device, "ring-page-order", &number);
	if (error == -XEN_ENOENT)
		number = 0;
	else if (error)
		return error;
	if (number > max_order || number > MAX_ORDER)
		return -XEN_EINVAL;
	ring->order = (unsigned int)number;
	for (unsigned int i = 0; i < 1u << ring->order; i++) {
		ref_name(node, sizeof(node), name, ring->order, i);
		error = xenbus_read_other_number(device, node, &number);
		if (error)
			return error;
		if (number > UINT32_MAX)
			return -XEN_EINVAL;
		ring->refs[i] = (grant_ref_t)number;
	}
	return 0;
}

long xenbus_ring_connect(struct xenbus_device *device, struct xenbus_ring *ring,
			 unsigned int max_order, const char *name, const char *event_name,
			 event_handler *handler, void *data)
{
	uint64_t port;
	long error;

	memset(ring, 0, sizeof(*ring));
	error = read_refs(device, ring, max_order, name);
	if (error)
		return error;
	error = xenbus_read_other_number(device, event_name, &port);
	if (error)
		return error;
	if (port > UINT32_MAX)
		return -XEN_EINVAL;
	error =
	    grant_map(&ring->mapping, device->other_domain, ring->refs, 1u << ring->order, true);
	if (error)
		return error;
	ring->pages = ring->mapping.address;
	ring->port =
	    event_bind_interdomain(device->other_domain, (evtchn_port_t)port, handler, data);
	if (ring->port >= 0)
		return 0;
	error = ring->port;
	ring->port = 0;
	grant_unmap(&ring->mapping);
	ring->pages = NULL;
	return error;
}

void xenbus_ring_disconnect(struct xenbus_ring *ring)
{
	if (!ring->pages)
		return;
	event_close((evtchn_port_t)ring->port);
	grant_unmap(&ring->mapping);
	ring->pages = NULL;
}
