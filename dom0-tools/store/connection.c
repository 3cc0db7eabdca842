/* SPDX-License-Identifier: MIT */
/*
 * A connection gets its turn when it may have sent something, taken something, or has something to be told. A turn
 * is at most one request, however fast a client sends, and never waits. What a client leaves in its ring stays
 * with us, within bounds: so many answers, then no more requests are taken; so many events, then a watch only
 * remembers that it has missed some, and says so with its own path when there is room.
 */
#include "store/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* dom0's own clients may be late too. */
#define EVENTS_PRIVILEGED 4096

struct message *message_make(size_t size)
{
	struct message *message = malloc(sizeof(*message) + size);

	if (!message)
		return NULL;
	memset(message, 0, sizeof(*message));
	return message;
}

static void free_message(struct connection *connection, struct message *message)
{
	connection->account->bytes -= message->size;
	if (message == connection->spare)
		connection->spare_used = false;
	else
		free(message);
}

static void queue(struct connection *connection, struct message *message)
{
	message->next = NULL;
	message->sent = 0;
	message->size = sizeof(message->header) + message->header.len;
	connection->account->bytes += message->size;
	*connection->out_end = message;
	connection->out_end = &message->next;
	if (message->event)
		connection->events++;
	else
		connection->answers++;
	connection_ready(connection);
}

/* Take the message at *at out of the queue and give it back. */
static void drop(struct connection *connection, struct message **at)
{
	struct message *message = *at;

	*at = message->next;
	if (!message->next)
		connection->out_end = at;
	if (message->event)
		connection->events--;
	else
		connection->answers--;
	free_message(connection, message);
}

void connection_answer(struct connection *connection, struct message *message)
{
	queue(connection, message);
}

/* Events */

static bool has_room_for_event(const struct connection *connection)
{
	const struct quota *quota = &connection->store->quota;

	if (connection->privileged)
		return connection->events < EVENTS_PRIVILEGED;
	/* One always has, or a domain that has used up its memory would hear nothing for ever. */
	return !connection->events ||
	       (connection->events < quota->events &&
		connection->account->bytes <= quota_memory(connection->store));
}

/* The client has not heard of it yet, so that it need not be told twice. */
static bool is_queued(const struct connection *connection, const struct watch *watch,
		      const char *path, size_t length)
{
	for (const struct message *message = connection->out; message; message = message->next)
		if (message->watch == watch && !message->sent &&
		    message->header.len == length + watch->token + 2u &&
		    !memcmp(message->payload, path, length))
			return true;
	return false;
}

static struct message *make_event(struct watch *watch, const char *path, size_t length)
{
	size_t size = length + watch->token + 2;
	struct message *message;

	if (size > XENSTORE_PAYLOAD_MAX)
		return NULL;
	message = message_make(size);
	if (!message)
		return NULL;
	message->event = true;
	message->watch = watch;
	message->header.type = XS_WATCH_EVENT;
	message->header.len = (uint32_t)size;
	memcpy(message->payload, path, length);
	message->payload[length] = 0;
	memcpy(message->payload + length + 1, watch_token(watch), watch->token + 1u);
	return message;
}

void connection_event(struct watch *watch, const char *path, size_t length)
{
	struct connection *connection = watch->connection;
	struct message *message = NULL;

	/* A relative watch is told relative paths. */
	path += watch->relative;
	length -= watch->relative;
	if (watch->missed || is_queued(connection, watch, path, length))
		return;
	if (has_room_for_event(connection))
		message = make_event(watch, path, length);
	if (message) {
		queue(connection, message);
	} else {
		watch->missed = true;
		connection->missed = true;
	}
}

/* All earlier events have gone out. */
static void tell_missed(struct connection *connection)
{
	connection->missed = false;
	for (struct watch *watch = connection->watches; watch; watch = watch->next) {
		if (!watch->missed)
			continue;
		watch->missed = false;
		connection_event(watch, watch->path, watch->length);
	}
}

void connection_forget_events(struct watch *watch)
{
	struct connection *connection = watch->connection;
	struct message **at = &connection->out;

	while (*at) {
		struct message *message = *at;

		if (message->watch == watch && !message->sent) {
			drop(connection, at);
			continue;
		}
		/* What has begun to be sent must be finished. */
		if (message->watch == watch)
			message->watch = NULL;
		at = &message->next;
	}
}

/* In and out */

static void forget_all(struct connection *connection)
{
	while (connection->out)
		drop(connection, &connection->out);
	watch_remove_all(connection);
	transaction_end_all(connection);
	connection->received = 0;
	connection->missed = false;
}

static void fail(struct connection *connection, uint32_t error)
{
	forget_all(connection);
	ring_fail(connection, error);
	connection->moved = true;
}

void connection_reset(struct connection *connection)
{
	forget_all(connection);
	ring_reset(connection);
	connection->moved = true;
}

static void send(struct connection *connection)
{
	if (!connection->events && connection->missed)
		tell_missed(connection);
	while (connection->out && !connection->error) {
		struct message *message = connection->out;
		long count = ring_write(connection, (const char *)&message->header + message->sent,
					message->size - message->sent);

		if (count < 0)
			fail(connection, XENSTORE_ERROR_RINGIDX);
		if (count <= 0)
			return;
		connection->moved = true;
		message->sent += (size_t)count;
		if (message->sent == message->size)
			drop(connection, &connection->out);
		if (!connection->events && connection->missed)
			tell_missed(connection);
	}
}

/* Go on with what has `size` bytes and of which `have` are there already. True when it is complete. */
static bool receive_into(struct connection *connection, void *bytes, size_t have, size_t size)
{
	while (have < size) {
		long count = ring_read(connection, (char *)bytes + have, size - have);

		if (count < 0)
			fail(connection, XENSTORE_ERROR_RINGIDX);
		if (count <= 0)
			return false;
		connection->moved = true;
		have += (size_t)count;
		connection->received += (size_t)count;
	}
	return true;
}

/* True when a whole request is there. */
static bool receive(struct connection *connection)
{
	const size_t head = sizeof(connection->header);
	uint32_t size;

	if (connection->received < head &&
	    !receive_into(connection, &connection->header, connection->received, head))
		return false;
	size = connection->header.len;
	if (size > XENSTORE_PAYLOAD_MAX) {
		fail(connection, XENSTORE_ERROR_PROTO);
		return false;
	}
	if (!receive_into(connection, connection->payload, connection->received - head, size))
		return false;
	connection->payload[size] = 0;
	connection->received = 0;
	return true;
}

static bool takes_requests(const struct connection *connection)
{
	if (connection->error || connection->spare_used)
		return false;
	/* Answers are bounded in number and, but for one, by what the domain may have in all. */
	return !connection->answers ||
	       (connection->answers < connection->store->quota.requests &&
		(connection->privileged ||
		 connection->account->bytes <= quota_memory(connection->store)));
}

static void take_turn(struct connection *connection)
{
	bool again = false;

	connection->moved = false;
	if (ring_wants_reset(connection))
		connection_reset(connection);
	send(connection);
	if (takes_requests(connection) && receive(connection)) {
		request_run(connection);
		send(connection);
		again = true;
	}
	if (connection->moved)
		connection->notify(connection->data);
	if (again)
		connection_ready(connection);
}

/* Turns */

void connection_ready(struct connection *connection)
{
	struct store *store = connection->store;

	if (connection->ready)
		return;
	connection->ready = true;
	connection->next_ready = NULL;
	*store->ready_end = connection;
	store->ready_end = &connection->next_ready;
}

static void not_ready(struct connection *connection)
{
	struct store *store = connection->store;
	struct connection **at = &store->ready;

	if (!connection->ready)
		return;
	while (*at != connection)
		at = &(*at)->next_ready;
	*at = connection->next_ready;
	if (!*at)
		store->ready_end = at;
	connection->ready = false;
}

bool store_step(struct store *store)
{
	struct connection *connection = store->ready;

	if (!connection)
		return false;
	not_ready(connection);
	take_turn(connection);
	return true;
}

struct connection *connection_make(struct store *store, domid_t domain,
				   struct xenstore_domain_interface *ring,
				   void (*notify)(void *data), void *data)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->account = account_get(store, domain);
	connection->spare = message_make(PAYLOAD_SMALL);
	if (!connection->account || !connection->spare) {
		account_put(connection->account);
		free(connection->spare);
		free(connection);
		return NULL;
	}
	connection->store = store;
	connection->privileged = domain == 0;
	connection->base_length = (size_t)snprintf(connection->base, sizeof(connection->base),
						   "/local/domain/%u/", domain);
	connection->ring = ring;
	connection->notify = notify;
	connection->data = data;
	connection->out_end = &connection->out;
	connection->next = store->connections;
	store->connections = connection;
	ring_open(connection);
	return connection;
}

void connection_free(struct connection *connection)
{
	struct connection **at = &connection->store->connections;

	forget_all(connection);
	not_ready(connection);
	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	account_put(connection->account);
	free(connection->spare);
	free(connection);
}
