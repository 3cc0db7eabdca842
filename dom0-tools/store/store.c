/* SPDX-License-Identifier: MIT */
#include "store/internal.h"
#include <stdlib.h>
#include <string.h>

/*
 * What a domain may have. A Linux guest with a few devices has about 100 nodes, 10 watches and, seldom, one
 * transaction.
 */
static const struct quota initial_quota = {
    .nodes = 1000,
    .node_size = 2048,
    .watches = 128,
    .transactions = 10,
    .transaction_nodes = 1024,
    .permissions = 5,
    .requests = 20,
    .events = 64,
    .memory = 512 * 1024,
    .total_memory = 16 * 1024 * 1024,
};

struct store *store_make(const struct store_platform *platform, uint64_t seed)
{
	static const struct permission initial = {.domain = 0, .access = 0};
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->platform = platform;
	store->seed = seed;
	store->quota = initial_quota;
	store->ready_end = &store->ready;
	table_init(&store->nodes);
	table_init(&store->lists);
	table_init(&store->accounts);
	table_init(&store->watches);
	store->generation = 1;
	store->initial = permissions_make(store, &initial, 1);
	if (!store->initial)
		goto no_memory;
	store->introduce = permissions_get(store->initial);
	store->release = permissions_get(store->initial);
	store->root = node_make(store, "/", 1, NULL, permissions_get(store->initial));
	if (!store->root)
		goto no_memory;
	node_insert(store->root);
	return store;
no_memory:
	permissions_put(store->introduce);
	permissions_put(store->release);
	permissions_put(store->initial);
	free(store);
	return NULL;
}

void store_free(struct store *store)
{
	while (store->connections) {
		struct connection *connection = store->connections;

		if (connection->account->connection == connection)
			domain_release(store, connection->account->domain);
		else
			connection_free(connection);
	}
	while (store->root->first_child)
		node_remove(store->root->first_child);
	table_remove(&store->nodes, &store->root->link);
	node_free(store->root);
	permissions_put(store->introduce);
	permissions_put(store->release);
	permissions_put(store->initial);
	table_free(&store->nodes);
	table_free(&store->lists);
	table_free(&store->accounts);
	table_free(&store->watches);
	free(store);
}

/* The check */

static const char *check_node(const struct store *store, struct node *node)
{
	size_t parent = path_parent(node->path, node->length), names = 0;

	if (node_find(store, node->path, node->length) != node)
		return "a node is not found by its path";
	if (!path_valid(node->path, node->length))
		return "a node's path is not valid";
	if (node->parent &&
	    (node->parent->length != parent || memcmp(node->parent->path, node->path, parent) != 0))
		return "a node is below one that is not its parent";
	for (const struct node *child = node->first_child; child; child = child->next) {
		if (child->parent != node)
			return "a child has another parent";
		names += (size_t)(child->length - child->name) + 1;
	}
	if (names != node->names)
		return "the size of a node's names is wrong";
	node->permissions->owner->counted_nodes++;
	node->permissions->owner->counted_bytes += node_cost(node->length, node->value);
	return NULL;
}

static const char *check_connection(const struct connection *connection)
{
	struct account *account = connection->account;
	unsigned int answers = 0, events = 0;

	for (const struct watch *watch = connection->watches; watch; watch = watch->next) {
		account->counted_watches++;
		account->counted_bytes += watch_cost(watch);
		if (watch_find((struct connection *)connection, watch->path, watch->length,
			       watch_token(watch)) != watch)
			return "a watch is not found by its path";
	}
	for (const struct transaction *transaction = connection->transactions; transaction;
	     transaction = transaction->next) {
		account->counted_transactions++;
		account->counted_bytes += transaction->bytes;
	}
	for (const struct message *message = connection->out; message; message = message->next) {
		account->counted_bytes += message->size;
		answers += !message->event;
		events += message->event;
	}
	if (answers != connection->answers || events != connection->events)
		return "messages that wait are counted wrong";
	return NULL;
}

static const char *check_account(const struct account *account)
{
	if (account->counted_nodes != account->nodes)
		return "a domain's nodes are counted wrong";
	if (account->counted_watches != account->watches)
		return "a domain's watches are counted wrong";
	if (account->counted_transactions != account->transactions)
		return "a domain's transactions are counted wrong";
	if (account->counted_bytes != account->bytes)
		return "a domain's memory is counted wrong";
	return NULL;
}

const char *store_check(struct store *store)
{
	const char *problem = NULL;
	struct table_link *link = NULL;
	size_t nodes = 0;

	while ((link = table_walk(&store->accounts, link)) != NULL) {
		struct account *account = TABLE_ENTRY(struct account, link);

		account->counted_nodes = account->counted_watches = 0;
		account->counted_transactions = 0;
		account->counted_bytes = 0;
	}
	for (struct node *node = store->root; node && !problem; node = node_walk(node), nodes++)
		problem = check_node(store, node);
	for (struct connection *connection = store->connections; connection && !problem;
	     connection = connection->next)
		problem = check_connection(connection);
	if (!problem && nodes != store->nodes.count)
		problem = "there are nodes outside of the tree";
	while (!problem && (link = table_walk(&store->accounts, link)) != NULL)
		problem = check_account(TABLE_ENTRY(struct account, link));
	return problem;
}
