/* SPDX-License-Identifier: MIT */
/* The page alone holds the state of the ring, so that either end may be replaced. */
#include <pv-drivers/xs_ring.h>
#include <guest/byte_ring.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <public/errno.h>

static struct byte_ring requests, answers;
static evtchn_port_t port;

static long moved(long count)
{
	if (count < 0)
		return -XEN_EIO;
	if (count)
		event_send(port);
	return count;
}

static long write_ring(struct xs_transport *transport, const void *bytes, size_t count)
{
	return moved(byte_ring_put(&requests, bytes, count));
}

static long read_ring(struct xs_transport *transport, void *bytes, size_t count)
{
	return moved(byte_ring_take(&answers, bytes, count));
}

static struct xs_transport transport = {.write = write_ring, .read = read_ring};

static void on_event(evtchn_port_t unused, void *data)
{
	wake_all(transport.wait);
}

long xs_connect_ring(struct xs *xs)
{
	struct xenstore_domain_interface *page;
	long error;

	if (is_initial_domain() || !start_info->store_mfn || !start_info->store_evtchn)
		return -XEN_ENXIO;
	page = mfn_to_virt(start_info->store_mfn);
	requests =
	    (struct byte_ring){page->req, sizeof(page->req), &page->req_prod, &page->req_cons};
	answers =
	    (struct byte_ring){page->rsp, sizeof(page->rsp), &page->rsp_prod, &page->rsp_cons};
	port = start_info->store_evtchn;
	xs_init(xs, &transport);
	error = event_handler_set(port, on_event, NULL);
	if (!error)
		event_unmask(port);
	return error;
}
