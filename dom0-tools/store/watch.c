/* SPDX-License-Identifier: MIT */
/*
 * Watches are found by their path: an event looks for those of its own path and of each above it, whatever the
 * number of others.
 */
#include "store/internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash(const struct store *store, const char *path, size_t length)
{
	return table_hash(path, length, store->seed);
}

const char *watch_token(const struct watch *watch)
{
	return watch->path + watch->length + 1;
}

size_t watch_cost(const struct watch *watch)
{
	return sizeof(*watch) + watch->length + watch->token + 2u;
}

struct watch *watch_find(struct connection *connection, const char *path, size_t length,
			 const char *token)
{
	struct store *store = connection->store;
	struct table_link *link = table_first(&store->watches, hash(store, path, length));

	for (; link; link = table_next(link)) {
		struct watch *watch = TABLE_ENTRY(struct watch, link);

		if (watch->connection == connection && watch->length == length &&
		    !memcmp(watch->path, path, length) && !strcmp(watch_token(watch), token))
			return watch;
	}
	return NULL;
}

int watch_add(struct connection *connection, const char *path, size_t length, size_t relative,
	      const char *token, int depth)
{
	const struct quota *quota = &connection->store->quota;
	struct account *account = connection->account;
	size_t token_length = strlen(token);
	struct watch *watch;

	if (watch_find(connection, path, length, token))
		return -EEXIST;
	if (!connection->privileged && account->watches >= quota->watches)
		return -E2BIG;
	watch = malloc(sizeof(*watch) + length + token_length + 2);
	if (!watch)
		return -ENOMEM;
	memset(watch, 0, sizeof(*watch));
	watch->connection = connection;
	watch->length = (uint16_t)length;
	watch->relative = (uint16_t)relative;
	watch->token = (uint16_t)token_length;
	watch->depth = depth;
	if (!connection->privileged &&
	    account->bytes + watch_cost(watch) > quota_memory(connection->store)) {
		free(watch);
		return -ENOSPC;
	}
	memcpy(watch->path, path, length);
	watch->path[length] = 0;
	memcpy(watch->path + length + 1, token, token_length + 1);
	account->watches++;
	account->bytes += watch_cost(watch);
	watch->next = connection->watches;
	connection->watches = watch;
	table_insert(&connection->store->watches, &watch->link,
		     hash(connection->store, path, length));
	return 0;
}

static void drop(struct watch **at)
{
	struct watch *watch = *at;
	struct account *account = watch->connection->account;

	connection_forget_events(watch);
	*at = watch->next;
	table_remove(&watch->connection->store->watches, &watch->link);
	account->watches--;
	account->bytes -= watch_cost(watch);
	free(watch);
}

int watch_remove(struct connection *connection, const char *path, size_t length, const char *token)
{
	struct watch *watch = watch_find(connection, path, length, token);
	struct watch **at = &connection->watches;

	if (!watch)
		return -ENOENT;
	while (*at != watch)
		at = &(*at)->next;
	drop(at);
	return 0;
}

void watch_remove_all(struct connection *connection)
{
	while (connection->watches)
		drop(&connection->watches);
}

/* Are so many levels below the watch's path still meant? */
static bool depth_fits(const struct watch *watch, const char *path, size_t length)
{
	int levels = 0;

	if (watch->depth < 0)
		return true;
	for (size_t at = watch->length; at < length; levels++)
		at = path_next(path, length, at);
	return levels <= watch->depth;
}

static bool may_know(const struct watch *watch, const struct permissions *permissions)
{
	return permissions && (permissions_access(permissions, watch->connection) & ACCESS_READ);
}

/* The watches of the path that is the first `at` bytes of what changed. */
static void fire_at(struct store *store, const char *path, size_t length, size_t at,
		    const struct permissions *before, const struct permissions *after)
{
	struct table_link *link = table_first(&store->watches, hash(store, path, at));

	for (; link; link = table_next(link)) {
		struct watch *watch = TABLE_ENTRY(struct watch, link);

		if (watch->length == at && !memcmp(watch->path, path, at) &&
		    depth_fits(watch, path, length) &&
		    (may_know(watch, before) || may_know(watch, after)))
			connection_event(watch, path, length);
	}
}

void watch_fire(struct store *store, const char *path, size_t length,
		const struct permissions *before, const struct permissions *after, bool exact)
{
	size_t at = length;

	fire_at(store, path, length, at, before, after);
	while (!exact && at > 1) {
		at = path_parent(path, at);
		fire_at(store, path, length, at, before, after);
	}
}

struct permissions **watch_special(struct store *store, const char *path, size_t length)
{
	if (length == strlen(WATCH_INTRODUCE) && !memcmp(path, WATCH_INTRODUCE, length))
		return &store->introduce;
	if (length == strlen(WATCH_RELEASE) && !memcmp(path, WATCH_RELEASE, length))
		return &store->release;
	return NULL;
}

/*
 * Watches of the name alone hear the name alone, unless they gave depth 1; those of name and domain hear both.
 */
void watch_fire_special(struct store *store, const char *name, domid_t domain)
{
	char path[32];
	size_t length = strlen(name), full;
	const struct permissions *permissions = *watch_special(store, name, length);
	struct table_link *link = table_first(&store->watches, hash(store, name, length));

	full = (size_t)snprintf(path, sizeof(path), "%s/%u", name, domain);
	for (; link; link = table_next(link)) {
		struct watch *watch = TABLE_ENTRY(struct watch, link);

		if (watch->length == length && !memcmp(watch->path, name, length) &&
		    may_know(watch, permissions))
			connection_event(watch, path, watch->depth == 1 ? full : length);
	}
	fire_at(store, path, full, full, permissions, NULL);
}
