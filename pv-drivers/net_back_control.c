/* SPDX-License-Identifier: MIT */
/*
 * The control ring: requests of the front half to hash packets, and how to distribute them by that (public/io/netif.h). The thread
 * answers one request of one interface at a time, so that no guest takes it from others; until it finds no more, the
 * ring's events are masked. Copies of a guest's tables are checked here as a whole before any of it counts.
 */
#include "net_back_internal.h"
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/string.h>
#include <public/errno.h>

/* Interfaces with requests to be looked at, in turn. */
static struct net_back *first_due, **last_due = &first_due;

static void set_due(struct net_back *back)
{
	if (back->control.due)
		return;
	back->control.due = true;
	back->control.next_due = NULL;
	*last_due = back;
	last_due = &back->control.next_due;
}

static void remove_due(struct net_back *back)
{
	struct net_back **at = &first_due;

	if (!back->control.due)
		return;
	while (*at != back)
		at = &(*at)->control.next_due;
	*at = back->control.next_due;
	if (last_due == &back->control.next_due)
		last_due = at;
	back->control.due = false;
}

/* Requests */

/* Copies come here, within one page. Used by one request at a time. */
static _Alignas(sizeof(uint32_t) * NET_HASH_MAPPING) uint32_t copied[NET_HASH_MAPPING];
_Static_assert(sizeof(copied) >= NET_HASH_KEY, "a key too");

/* So many bytes, not 0, from the start of the guest's page. */
static bool fetch(struct net_back *back, grant_ref_t ref, uint32_t bytes)
{
	struct gnttab_copy copy = {
	    .source = {.u.ref = ref, .domid = back->front.domain},
	    .dest = {.u.gmfn = virt_to_machine(copied) >> PAGE_SHIFT,
		     .domid = DOMID_SELF,
		     .offset = virt_to_machine(copied) % PAGE_SIZE},
	    .len = (uint16_t)bytes,
	    .flags = GNTCOPY_source_gref,
	};

	back->counters.copies++;
	return !hypercall_grant_table_op(GNTTABOP_copy, &copy, 1) && copy.status == GNTST_okay;
}

static uint32_t set_algorithm(struct net_hash *hash, uint32_t algorithm)
{
	if (algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE &&
	    algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash->algorithm = algorithm;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_types(struct net_hash *hash, uint32_t types)
{
	if (types & ~(uint32_t)NET_HASH_TYPES)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash->types = types;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_key(struct net_back *back, grant_ref_t ref, uint32_t size)
{
	if (size > NET_HASH_KEY)
		return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
	if (size && !fetch(back, ref, size))
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	memset(back->hash.key, 0, sizeof(back->hash.key));
	memcpy(back->hash.key, copied, size);
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping_size(struct net_hash *hash, uint32_t size)
{
	if (size > NET_HASH_MAPPING)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash->mapping_size = size;
	memset(hash->mapping, 0, sizeof(hash->mapping));
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping(struct net_back *back, grant_ref_t ref, uint32_t count, uint32_t first)
{
	struct net_hash *hash = &back->hash;

	if (count > NET_HASH_MAPPING)
		return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
	if (count > hash->mapping_size || first > hash->mapping_size - count)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	if (count && !fetch(back, ref, count * sizeof(copied[0])))
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	for (uint32_t i = 0; i < count; i++)
		if (copied[i] >= back->front.queues)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	memcpy(hash->mapping + first, copied, count * sizeof(copied[0]));
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static struct xen_netif_ctrl_response answer(struct net_back *back,
					     const struct xen_netif_ctrl_request *request)
{
	struct xen_netif_ctrl_response response = {.id = request->id, .type = request->type};
	const uint32_t *data = request->data;
	struct net_hash *hash = &back->hash;
	bool hashing = hash->algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE;

	switch (request->type) {
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		response.status = set_algorithm(hash, data[0]);
		break;
	case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
		response.status =
		    hashing ? XEN_NETIF_CTRL_STATUS_SUCCESS : XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
		response.data = hashing ? NET_HASH_TYPES : 0;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		response.status =
		    hashing ? set_types(hash, data[0]) : XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		response.status = set_key(back, data[0], data[1]);
		break;
	case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
		response.status = XEN_NETIF_CTRL_STATUS_SUCCESS;
		response.data = NET_HASH_MAPPING;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		response.status = set_mapping_size(hash, data[0]);
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		response.status = set_mapping(back, data[0], data[1], data[2]);
		break;
	default:
		/* Grants that are kept mapped too. */
		response.status = XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	}
	return response;
}

/* The ring */

/* Is there a request? Arms the guest's notification if not. False also if the index cannot be. */
static bool has_request(struct net_back *back)
{
	xen_netif_ctrl_back_ring_t *ring = &back->control.ring;
	RING_IDX end;
	int more;

	RING_FINAL_CHECK_FOR_REQUESTS(ring, more);
	if (!more)
		return false;
	end = __atomic_load_n(&ring->sring->req_prod, __ATOMIC_ACQUIRE);
	/* All that was taken has been answered, so that this finds also one that goes back behind it. */
	if (!RING_REQUEST_PROD_OVERFLOW(ring, end))
		return end != ring->req_cons;
	net_back_break(back, "more control requests than their ring has room for");
	return false;
}

static void serve(struct net_back *back)
{
	xen_netif_ctrl_back_ring_t *ring = &back->control.ring;
	struct xen_netif_ctrl_request request;
	bool notify;

	RING_COPY_REQUEST(ring, ring->req_cons, &request);
	ring->req_cons++;
	*RING_GET_RESPONSE(ring, ring->rsp_prod_pvt) = answer(back, &request);
	ring->rsp_prod_pvt++;
	RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(ring, notify);
	if (notify) {
		back->counters.notifications++;
		event_send(back->control.port);
	}
}

bool net_back_control_round(void)
{
	struct net_back *back = first_due;

	if (!back)
		return false;
	remove_due(back);
	if (back->broken)
		return true;
	if (has_request(back)) {
		serve(back);
		set_due(back);
	} else if (!back->broken) {
		event_unmask(back->control.port);
	}
	return true;
}

static void on_event(evtchn_port_t port, void *data)
{
	struct net_back *back = data;

	back->counters.events++;
	event_mask(port);
	set_due(back);
	net_back_wake();
}

/* Connecting */

void net_back_control_disconnect(struct net_back *back)
{
	struct net_back_control *control = &back->control;

	remove_due(back);
	if (control->port)
		event_close(control->port);
	control->port = 0;
	grant_unmap(&control->page);
}

long net_back_control_connect(struct net_back *back)
{
	struct net_back_control *control = &back->control;
	const struct net_back_front *front = &back->front;
	xen_netif_ctrl_sring_t *shared;
	long port, error;

	memset(&back->hash, 0, sizeof(back->hash));
	if (!front->control)
		return 0;
	error = grant_map(&control->page, front->domain, &front->control_ring, 1, true);
	if (error)
		return error;
	shared = control->page.address;
	/* Where an earlier back half has stopped, as with the other rings; what it was told is lost. */
	BACK_RING_ATTACH(&control->ring, shared,
			 __atomic_load_n(&shared->rsp_prod, __ATOMIC_ACQUIRE), PAGE_SIZE);
	port = -XEN_EINVAL;
	if (!RING_REQUEST_PROD_OVERFLOW(&control->ring, *(volatile RING_IDX *)&shared->req_prod))
		port = event_bind_interdomain(front->domain, front->control_event, on_event, back);
	if (port < 0) {
		net_back_control_disconnect(back);
		return port;
	}
	control->port = (evtchn_port_t)port;
	/* What was asked before we came. */
	event_mask(control->port);
	set_due(back);
	net_back_wake();
	return 0;
}
