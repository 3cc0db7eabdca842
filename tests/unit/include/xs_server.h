/* SPDX-License-Identifier: MIT */
/*
 * A store for the client's tests: a flat list of paths, over a transport that moves a few bytes at a time. It does
 * what is asked in good faith, or sends what a test has prepared instead.
 */
#ifndef XS_SERVER_H
#define XS_SERVER_H

#include "unit.h"
#include <pv-drivers/xs.h>

#define SERVER_NODES   600
#define SERVER_WATCHES 8

struct server {
	struct xs_transport transport;
	/* Bytes on their way. */
	char in[65536], out[65536];
	size_t in_used, out_used;
	size_t chunk; /* bytes that the transport moves at most */
	bool broken;
	bool held; /* takes requests, answers nothing */
	struct {
		char path[64], value[1100];
		size_t length;
	} nodes[SERVER_NODES];
	unsigned int nodes_used;
	struct {
		char path[64], token[16];
	} watches[SERVER_WATCHES];
	unsigned int watches_used;
	char permissions[256];
	size_t permissions_length;
	unsigned int conflicts;	       /* transactions that are to end with EAGAIN */
	unsigned int generation_bumps; /* parts of directories after which the first name goes */
	unsigned int generation;
	const char *error; /* the answer to all requests, if not NULL */
	struct xsd_sockmsg last;
	char last_payload[XENSTORE_PAYLOAD_MAX + 1];
	unsigned int requests;
};

static struct server server;

static inline void server_send(uint32_t type, uint32_t id, const void *payload, size_t size)
{
	struct xsd_sockmsg header = {.type = type, .req_id = id, .len = (uint32_t)size};

	assert_true(server.out_used + sizeof(header) + size <= sizeof(server.out));
	memcpy(server.out + server.out_used, &header, sizeof(header));
	memcpy(server.out + server.out_used + sizeof(header), payload, size);
	server.out_used += sizeof(header) + size;
}

static inline void server_event(const char *path, const char *token)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	int length = snprintf(payload, sizeof(payload), "%s%c%s", path, 0, token);

	server_send(XS_WATCH_EVENT, 0, payload, (size_t)length + 1);
}

static inline void server_reply(const void *payload, size_t size)
{
	server_send(server.last.type, server.last.req_id, payload, size);
}

static inline void server_error(const char *name)
{
	server_send(XS_ERROR, server.last.req_id, name, strlen(name) + 1);
}

static inline void server_changed(const char *path)
{
	for (unsigned int i = 0; i < server.watches_used; i++)
		if (!strncmp(path, server.watches[i].path, strlen(server.watches[i].path)))
			server_event(path, server.watches[i].token);
}

static inline int server_find(const char *path)
{
	for (unsigned int i = 0; i < server.nodes_used; i++)
		if (!strcmp(server.nodes[i].path, path))
			return (int)i;
	return -1;
}

static inline void server_set(const char *path, const char *value, size_t length)
{
	int at = server_find(path);

	if (at < 0) {
		assert_true(server.nodes_used < SERVER_NODES);
		at = (int)server.nodes_used++;
		assert_true(strlen(path) < sizeof(server.nodes[at].path));
		strcpy(server.nodes[at].path, path);
	}
	assert_true(length <= sizeof(server.nodes[at].value));
	memcpy(server.nodes[at].value, value, length);
	server.nodes[at].length = length;
	server_changed(path);
}

static inline size_t server_list(const char *path, char *names, size_t size)
{
	size_t used = 0, prefix = strlen(path);

	for (unsigned int i = 0; i < server.nodes_used; i++) {
		const char *name = server.nodes[i].path + prefix + 1;

		if (strncmp(server.nodes[i].path, path, prefix) || name[-1] != '/' ||
		    strchr(name, '/'))
			continue;
		assert_true(used + strlen(name) + 1 < size);
		used += (size_t)sprintf(names + used, "%s", name) + 1;
	}
	return used;
}

/* The first child goes, and with that the offsets of all others change. */
static inline void server_forget_child(const char *path)
{
	unsigned int at = 0;

	while (strncmp(server.nodes[at].path, path, strlen(path)))
		at++;
	server.nodes_used--;
	memmove(&server.nodes[at], &server.nodes[at + 1],
		(server.nodes_used - at) * sizeof(server.nodes[0]));
}

static inline void server_directory(const char *path, const char *offset)
{
	static char names[32768];
	size_t used = server_list(path, names, sizeof(names) - 1);
	char part[XENSTORE_PAYLOAD_MAX];
	size_t at, length;

	if (!offset) {
		if (used > XENSTORE_PAYLOAD_MAX)
			server_error("E2BIG");
		else
			server_reply(names, used);
		return;
	}
	names[used++] = 0;
	at = strtoul(offset, NULL, 10);
	assert_true(at < used);
	length = (size_t)sprintf(part, "%u", server.generation) + 1;
	while (at < used && length + strlen(names + at) + 1 <= sizeof(part)) {
		size_t name = strlen(names + at) + 1;

		memcpy(part + length, names + at, name);
		length += name;
		at += name;
	}
	server_reply(part, length);
	if (server.generation_bumps) {
		server.generation_bumps--;
		server.generation++;
		server_forget_child(path);
	}
}

static inline void server_watch(const char *path, const char *token)
{
	assert_true(server.watches_used < SERVER_WATCHES);
	strcpy(server.watches[server.watches_used].path, path);
	strcpy(server.watches[server.watches_used++].token, token);
	server_reply("OK", 3);
	server_event(path, token);
}

static inline void server_unwatch(const char *path, const char *token)
{
	for (unsigned int i = 0; i < server.watches_used; i++) {
		if (strcmp(server.watches[i].path, path) || strcmp(server.watches[i].token, token))
			continue;
		server.watches[i] = server.watches[--server.watches_used];
		server_reply("OK", 3);
		return;
	}
	server_error("ENOENT");
}

static inline void server_do(void)
{
	const char *path = server.last_payload, *second = path + strlen(path) + 1;
	int node = server_find(path);

	if (server.error) {
		server_error(server.error);
		return;
	}
	switch (server.last.type) {
	case XS_READ:
		if (node < 0)
			server_error("ENOENT");
		else
			server_reply(server.nodes[node].value, server.nodes[node].length);
		break;
	case XS_WRITE:
		server_reply("OK", 3);
		server_set(path, second, server.last.len - strlen(path) - 1);
		break;
	case XS_DIRECTORY:
		server_directory(path, NULL);
		break;
	case XS_DIRECTORY_PART:
		server_directory(path, second);
		break;
	case XS_GET_PERMS:
		server_reply(server.permissions, server.permissions_length);
		break;
	case XS_SET_PERMS:
		server.permissions_length = server.last.len - strlen(path) - 1;
		memcpy(server.permissions, second, server.permissions_length);
		server_reply("OK", 3);
		break;
	case XS_WATCH:
		server_watch(path, second);
		break;
	case XS_UNWATCH:
		server_unwatch(path, second);
		break;
	case XS_TRANSACTION_START:
		server_reply("17", 3);
		break;
	case XS_TRANSACTION_END:
		if (server.conflicts && path[0] == 'T') {
			server.conflicts--;
			server_error("EAGAIN");
		} else {
			server_reply("OK", 3);
		}
		break;
	case XS_GET_DOMAIN_PATH:
		server_reply("/local/domain/7", 16);
		break;
	case XS_IS_DOMAIN_INTRODUCED:
		server_reply(path[0] == '7' ? "T" : "F", 2);
		break;
	default:
		server_reply("OK", 3);
	}
}

/* Handle one whole request, if there is one. */
static inline bool server_step(void)
{
	size_t size;

	if (server.held || server.in_used < sizeof(server.last))
		return false;
	memcpy(&server.last, server.in, sizeof(server.last));
	assert_true(server.last.len <= XENSTORE_PAYLOAD_MAX);
	size = sizeof(server.last) + server.last.len;
	if (server.in_used < size)
		return false;
	memcpy(server.last_payload, server.in + sizeof(server.last), server.last.len);
	server.last_payload[server.last.len] = 0;
	memmove(server.in, server.in + size, server.in_used - size);
	server.in_used -= size;
	server.requests++;
	server_do();
	return true;
}

static inline long server_write(struct xs_transport *transport, const void *bytes, size_t count)
{
	if (server.broken)
		return -1;
	/* Room for few bytes until the server has taken them. */
	if (server.in_used >= 100 && server_step())
		return 0;
	if (count > server.chunk)
		count = server.chunk;
	assert_true(server.in_used + count <= sizeof(server.in));
	memcpy(server.in + server.in_used, bytes, count);
	server.in_used += count;
	return (long)count;
}

static inline long server_read(struct xs_transport *transport, void *bytes, size_t count)
{
	if (server.broken)
		return -1;
	if (count > server.chunk)
		count = server.chunk;
	if (count > server.out_used)
		count = server.out_used;
	memcpy(bytes, server.out, count);
	memmove(server.out, server.out + count, server.out_used - count);
	server.out_used -= count;
	return (long)count;
}

static inline void server_start(struct xs *xs, size_t chunk)
{
	memset(&server, 0, sizeof(server));
	server.chunk = chunk;
	server.generation = 1;
	server.transport.write = server_write;
	server.transport.read = server_read;
	xs_init(xs, &server.transport);
}

#endif
