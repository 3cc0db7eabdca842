/* SPDX-License-Identifier: MIT */
/*
 * The page that is shared with a client. The client may write all of it, at any time: of its indices one copy is
 * taken and checked, ours are kept apart and only ever written there, and bytes are copied out before they are
 * looked at.
 */
#include "store/internal.h"
#include <errno.h>
#include <string.h>

static uint32_t take(const uint32_t *shared)
{
	return __atomic_load_n(shared, __ATOMIC_ACQUIRE);
}

static void give(uint32_t *shared, uint32_t value)
{
	__atomic_store_n(shared, value, __ATOMIC_RELEASE);
}

static uint32_t lesser(size_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

/* How much of `count` bytes from an index on comes before the ring's end. */
static uint32_t before_end(uint32_t index, uint32_t count)
{
	return lesser(count, XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(index));
}

long ring_read(struct connection *connection, void *bytes, size_t count)
{
	struct xenstore_domain_interface *ring = connection->ring;
	uint32_t there = take(&ring->req_prod) - connection->req_cons, first;

	if (there > XENSTORE_RING_SIZE)
		return -EIO;
	there = lesser(count, there);
	if (!there)
		return 0;
	first = before_end(connection->req_cons, there);
	memcpy(bytes, ring->req + MASK_XENSTORE_IDX(connection->req_cons), first);
	memcpy((char *)bytes + first, ring->req, there - first);
	connection->req_cons += there;
	give(&ring->req_cons, connection->req_cons);
	return there;
}

long ring_write(struct connection *connection, const void *bytes, size_t count)
{
	struct xenstore_domain_interface *ring = connection->ring;
	uint32_t used = connection->rsp_prod - take(&ring->rsp_cons), room, first;

	if (used > XENSTORE_RING_SIZE)
		return -EIO;
	room = lesser(count, XENSTORE_RING_SIZE - used);
	if (!room)
		return 0;
	first = before_end(connection->rsp_prod, room);
	memcpy(ring->rsp + MASK_XENSTORE_IDX(connection->rsp_prod), bytes, first);
	memcpy(ring->rsp, (const char *)bytes + first, room - first);
	connection->rsp_prod += room;
	give(&ring->rsp_prod, connection->rsp_prod);
	return room;
}

/* A ring that may have been in use before: its indices are where we go on, bytes in it are still to be taken. */
void ring_open(struct connection *connection)
{
	struct xenstore_domain_interface *ring = connection->ring;

	connection->req_cons = take(&ring->req_cons);
	connection->rsp_prod = take(&ring->rsp_prod);
	connection->error = XENSTORE_ERROR_NONE;
	ring->error = XENSTORE_ERROR_NONE;
	ring->server_features =
	    XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR;
	give(&ring->connection, XENSTORE_CONNECTED);
}

void ring_reset(struct connection *connection)
{
	struct xenstore_domain_interface *ring = connection->ring;

	connection->req_cons = 0;
	connection->rsp_prod = 0;
	ring->req_cons = ring->req_prod = 0;
	ring->rsp_cons = ring->rsp_prod = 0;
	connection->error = XENSTORE_ERROR_NONE;
	ring->error = XENSTORE_ERROR_NONE;
	give(&ring->connection, XENSTORE_CONNECTED);
}

void ring_fail(struct connection *connection, uint32_t error)
{
	connection->error = error;
	give(&connection->ring->error, error);
}

bool ring_wants_reset(const struct connection *connection)
{
	return take(&connection->ring->connection) == XENSTORE_RECONNECT;
}
