/* SPDX-License-Identifier: MIT */
/*
 * For tests of the store: a world of up to CLIENTS domains with rings, and clients that speak the protocol through
 * them. A client of domain 0 is connected at once; the others when they are introduced. Included once a program.
 */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store/internal.h"

#define CLIENTS		 16
#define CLIENT_EVENTS	 8192

#define client_assert(x) ((x) ? (void)0 : client_fail(__FILE__, __LINE__, #x))

static void client_fail(const char *file, int line, const char *text)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, text);
	abort();
}

struct client_event {
	char *path, *token;
};

struct client {
	struct xenstore_domain_interface ring;
	domid_t domain;
	struct connection *connection; /* NULL: not introduced, or gone */
	unsigned int state;	       /* what the platform says of it */
	unsigned int notified;
	uint32_t requests; /* sent */
	/* What has been received. */
	unsigned char *in;
	size_t in_size;
	struct client_event events[CLIENT_EVENTS];
	unsigned int event_count;
	/* The last answer; payload has a 0 after it. */
	struct xsd_sockmsg answer;
	char payload[XENSTORE_PAYLOAD_MAX + 1];
	bool answered;
};

static struct store *store;
static struct client clients[CLIENTS];
static int attach_error;
static unsigned int attached_count;
static char printed[256];

static void client_notified(void *data)
{
	((struct client *)data)->notified++;
}

static int fake_attach(domid_t domain, unsigned long frame, uint32_t port,
		       struct xenstore_domain_interface **ring, void (**notify)(void *data),
		       void **data)
{
	if (attach_error || domain >= CLIENTS)
		return attach_error ? attach_error : -ESRCH;
	*ring = &clients[domain].ring;
	*notify = client_notified;
	*data = &clients[domain];
	attached_count++;
	return 0;
}

static void fake_attached(void *data, struct connection *connection)
{
	((struct client *)data)->connection = connection;
}

static void fake_detach(void *data)
{
	((struct client *)data)->connection = NULL;
	attached_count--;
}

static unsigned int fake_state(domid_t domain)
{
	return domain < CLIENTS ? clients[domain].state : DOMAIN_GONE;
}

static void fake_print(const char *text)
{
	snprintf(printed, sizeof(printed), "%s", text);
}

static const struct store_platform fake_platform = {
    .attach = fake_attach,
    .attached = fake_attached,
    .detach = fake_detach,
    .state = fake_state,
    .print = fake_print,
};

static __attribute__((unused)) void client_forget_events(struct client *client)
{
	for (unsigned int i = 0; i < client->event_count; i++) {
		free(client->events[i].path);
		free(client->events[i].token);
	}
	client->event_count = 0;
}

/* Turns until there is nothing to do. Bounded: a store that never rests is wrong. */
static __attribute__((unused)) void run_store(void)
{
	for (unsigned int i = 0; store_step(store); i++)
		client_assert(i < 100000);
}

static void client_take_message(struct client *client, const struct xsd_sockmsg *header,
				const char *payload)
{
	client_assert(header->len <= XENSTORE_PAYLOAD_MAX);
	if (header->type == XS_WATCH_EVENT) {
		struct client_event *event = &client->events[client->event_count++];
		size_t path = strnlen(payload, header->len);

		client_assert(client->event_count < CLIENT_EVENTS);
		client_assert(header->req_id == 0 && header->tx_id == 0);
		client_assert(path + 1 < header->len && payload[header->len - 1] == 0);
		event->path = strdup(payload);
		event->token = strdup(payload + path + 1);
		client_assert(path + strlen(event->token) + 2 == header->len);
		return;
	}
	client->answer = *header;
	memcpy(client->payload, payload, header->len);
	client->payload[header->len] = 0;
	client->answered = true;
}

/* Take all that is in its ring. */
static __attribute__((unused)) void client_receive(struct client *client)
{
	struct xenstore_domain_interface *ring = &client->ring;
	struct xsd_sockmsg header;

	while (ring->rsp_cons != ring->rsp_prod) {
		client->in = realloc(client->in, client->in_size + 1);
		client->in[client->in_size++] =
		    (unsigned char)ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons++)];
		if (client->in_size < sizeof(header))
			continue;
		memcpy(&header, client->in, sizeof(header));
		if (client->in_size < sizeof(header) + header.len)
			continue;
		client_take_message(client, &header, (char *)client->in + sizeof(header));
		client->in_size = 0;
	}
	if (client->connection)
		connection_ready(client->connection);
}

/* Put in as much as there is room for; returns how much. */
static __attribute__((unused)) size_t client_put(struct client *client, const void *bytes,
						 size_t size)
{
	struct xenstore_domain_interface *ring = &client->ring;
	size_t done = 0;

	while (done < size && ring->req_prod - ring->req_cons < XENSTORE_RING_SIZE)
		ring->req[MASK_XENSTORE_IDX(ring->req_prod++)] = ((const char *)bytes)[done++];
	if (client->connection)
		connection_ready(client->connection);
	return done;
}

static __attribute__((unused)) void client_send(struct client *client, uint32_t type, uint32_t tx,
						const void *payload, size_t size)
{
	struct xsd_sockmsg header = {
	    .type = type, .req_id = ++client->requests, .tx_id = tx, .len = (uint32_t)size};
	char message[sizeof(header) + XENSTORE_PAYLOAD_MAX];
	size_t done = 0;

	client_assert(size <= XENSTORE_PAYLOAD_MAX);
	memcpy(message, &header, sizeof(header));
	if (size)
		memcpy(message + sizeof(header), payload, size);
	while (done < sizeof(header) + size) {
		size_t count = client_put(client, message + done, sizeof(header) + size - done);

		client_assert(count);
		done += count;
		run_store();
	}
}

/* A request and its answer: 0 or a negative errno; the payload is in client->payload. */
static __attribute__((unused)) int client_call(struct client *client, uint32_t type, uint32_t tx,
					       const void *payload, size_t size)
{
	client->answered = false;
	client_send(client, type, tx, payload, size);
	for (unsigned int i = 0; !client->answered; i++) {
		client_assert(i < 10000);
		client_receive(client);
		run_store();
	}
	client_receive(client);
	run_store();
	client_assert(client->answer.req_id == client->requests && client->answer.tx_id == tx);
	if (client->answer.type != XS_ERROR) {
		client_assert(client->answer.type == type);
		return 0;
	}
	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (!strcmp(xsd_errors[i].errstring, client->payload))
			return -xsd_errors[i].errnum;
	client_fail(__FILE__, __LINE__, client->payload);
	return 0;
}

/* Strings, each with its 0: client_strings(c, XS_WATCH, 0, "/path", "token", NULL). */
static __attribute__((unused, sentinel)) int client_strings(struct client *client, uint32_t type,
							    uint32_t tx, ...)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	const char *text;
	size_t size = 0;
	va_list arguments;

	va_start(arguments, tx);
	while ((text = va_arg(arguments, const char *)) != NULL) {
		client_assert(size + strlen(text) + 1 <= sizeof(payload));
		memcpy(payload + size, text, strlen(text) + 1);
		size += strlen(text) + 1;
	}
	va_end(arguments);
	return client_call(client, type, tx, payload, size);
}

static __attribute__((unused)) int client_write(struct client *client, uint32_t tx,
						const char *path, const char *value)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	size_t size = strlen(path) + 1;

	client_assert(size + strlen(value) <= sizeof(payload));
	memcpy(payload, path, size);
	memcpy(payload + size, value, strlen(value));
	return client_call(client, XS_WRITE, tx, payload, size + strlen(value));
}

/* The value, in the client's buffer, or NULL with the error in errno. */
static __attribute__((unused)) const char *client_read(struct client *client, uint32_t tx,
						       const char *path)
{
	int error = client_strings(client, XS_READ, tx, path, NULL);

	errno = -error;
	return error ? NULL : client->payload;
}

static __attribute__((unused)) uint32_t client_begin(struct client *client)
{
	client_assert(client_strings(client, XS_TRANSACTION_START, 0, "", NULL) == 0);
	return (uint32_t)strtoul(client->payload, NULL, 10);
}

static __attribute__((unused)) int client_end(struct client *client, uint32_t tx, bool commit)
{
	return client_strings(client, XS_TRANSACTION_END, tx, commit ? "T" : "F", NULL);
}

/* As the toolstack does it: the domain's folder, read by it, and a part that is its own; then the introduction. */
static __attribute__((unused)) void introduce(domid_t domain)
{
	char path[64], owner[16], reader[16], number[16];

	clients[domain].state = 0;
	memset(&clients[domain].ring, 0, sizeof(clients[domain].ring));
	clients[domain].in_size = 0;
	snprintf(path, sizeof(path), "/local/domain/%u", domain);
	snprintf(owner, sizeof(owner), "n%u", domain);
	snprintf(reader, sizeof(reader), "r%u", domain);
	snprintf(number, sizeof(number), "%u", domain);
	client_assert(client_write(&clients[0], 0, path, "") == 0);
	client_assert(client_strings(&clients[0], XS_SET_PERMS, 0, path, "n0", reader, NULL) == 0);
	strcat(path, "/data");
	client_assert(client_write(&clients[0], 0, path, "") == 0);
	client_assert(client_strings(&clients[0], XS_SET_PERMS, 0, path, owner, NULL) == 0);
	client_assert(client_strings(&clients[0], XS_INTRODUCE, 0, number, "1", "1", NULL) == 0);
	client_assert(clients[domain].connection);
}

static __attribute__((unused)) void world_begin(unsigned int domains)
{
	memset(clients, 0, sizeof(clients));
	attach_error = 0;
	store = store_make(&fake_platform, 0x5eed);
	client_assert(store);
	for (domid_t i = 0; i < CLIENTS; i++) {
		clients[i].domain = i;
		clients[i].state = DOMAIN_GONE;
	}
	clients[0].state = 0;
	clients[0].connection =
	    connection_make(store, 0, &clients[0].ring, client_notified, &clients[0]);
	client_assert(clients[0].connection);
	for (domid_t i = 1; i < domains; i++)
		introduce(i);
}

static __attribute__((unused)) void world_end(void)
{
	const char *problem = store_check(store);

	if (problem)
		client_fail(__FILE__, __LINE__, problem);
	store_free(store);
	client_assert(attached_count == 0);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		client_forget_events(&clients[i]);
		free(clients[i].in);
	}
}

#endif
