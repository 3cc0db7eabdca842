/* SPDX-License-Identifier: MIT */
/*
 * A transaction keeps, for each node that it has looked at, what it saw at first and what it has made of it; the
 * tree itself does not change before commit. Commit succeeds if every node is still the one that was seen (its
 * generation says so) and, where the children were asked for, has the same ones. Thus it is as if all had happened
 * at once, then; two transactions that make different children of one node do not disturb each other.
 */
#include "store/internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct transaction *transaction_find(struct connection *connection, uint32_t id)
{
	struct transaction *transaction = connection->transactions;

	while (transaction && transaction->id != id)
		transaction = transaction->next;
	return transaction;
}

/* bytes: a difference, in the arithmetic of size_t. */
static void charge(struct transaction *transaction, size_t bytes)
{
	transaction->bytes += bytes;
	transaction->connection->account->bytes += bytes;
}

static bool has_room(const struct connection *connection, size_t bytes)
{
	return connection->privileged ||
	       connection->account->bytes + bytes <= quota_memory(connection->store);
}

int transaction_start(struct connection *connection, uint32_t *id)
{
	struct store *store = connection->store;
	struct transaction *transaction;

	if (!connection->privileged &&
	    (connection->account->transactions >= store->quota.transactions ||
	     !has_room(connection, sizeof(*transaction))))
		return -ENOSPC;
	transaction = calloc(1, sizeof(*transaction));
	if (!transaction)
		return -ENOMEM;
	do
		transaction->id = ++store->last_transaction;
	while (transaction->id == 0 || transaction_find(connection, transaction->id));
	transaction->connection = connection;
	transaction->last = &transaction->first;
	table_init(&transaction->entries);
	transaction->next = connection->transactions;
	connection->transactions = transaction;
	connection->account->transactions++;
	charge(transaction, sizeof(*transaction));
	*id = transaction->id;
	return 0;
}

static void free_entry(struct entry *entry)
{
	value_put(entry->value);
	value_put(entry->names);
	permissions_put(entry->permissions);
	if (entry->fresh)
		node_free(entry->fresh);
	free(entry);
}

static void free_transaction(struct transaction *transaction)
{
	struct connection *connection = transaction->connection;
	struct transaction **at = &connection->transactions;
	struct entry *entry, *next;

	while (*at != transaction)
		at = &(*at)->next;
	*at = transaction->next;
	for (entry = transaction->first; entry; entry = next) {
		next = entry->next;
		free_entry(entry);
	}
	table_free(&transaction->entries);
	connection->account->transactions--;
	connection->account->bytes -= transaction->bytes;
	free(transaction);
}

void transaction_end_all(struct connection *connection)
{
	while (connection->transactions)
		free_transaction(connection->transactions);
}

/* Entries */

struct entry *transaction_find_entry(const struct transaction *transaction, const char *path,
				     size_t length)
{
	uint64_t hash = table_hash(path, length, transaction->connection->store->seed);
	struct table_link *link = table_first(&transaction->entries, hash);

	for (; link; link = table_next(link)) {
		struct entry *entry = TABLE_ENTRY(struct entry, link);

		if (entry->length == length && !memcmp(entry->path, path, length))
			return entry;
	}
	return NULL;
}

struct entry *transaction_touch(struct transaction *transaction, const char *path, size_t length,
				int *error)
{
	struct connection *connection = transaction->connection;
	struct entry *entry = transaction_find_entry(transaction, path, length);
	size_t size = sizeof(*entry) + length + 1;
	const struct node *node;

	if (entry)
		return entry;
	*error = -ENOSPC;
	if (!connection->privileged &&
	    transaction->count >= connection->store->quota.transaction_nodes)
		return NULL;
	node = node_find(connection->store, path, length);
	/* A value that is shared with the tree counts too: the tree's may be replaced. */
	if (node)
		size += value_length(node->value);
	if (!has_room(connection, size))
		return NULL;
	*error = -ENOMEM;
	entry = calloc(1, sizeof(*entry) + length + 1);
	if (!entry)
		return NULL;
	entry->length = (uint16_t)length;
	memcpy(entry->path, path, length);
	if (node) {
		entry->exists = true;
		entry->base = node->generation;
		entry->value = value_get(node->value);
		entry->permissions = permissions_get(node->permissions);
	}
	table_insert(&transaction->entries, &entry->link,
		     table_hash(path, length, connection->store->seed));
	*transaction->last = entry;
	transaction->last = &entry->next;
	transaction->count++;
	charge(transaction, size);
	return entry;
}

int entry_prepare(struct transaction *transaction, struct entry *entry)
{
	size_t cost = node_cost(entry->length, NULL);

	if (entry->base || entry->fresh)
		return 0;
	if (!has_room(transaction->connection, cost))
		return -ENOSPC;
	entry->fresh =
	    node_make(transaction->connection->store, entry->path, entry->length, NULL, NULL);
	if (!entry->fresh)
		return -ENOMEM;
	charge(transaction, cost);
	return 0;
}

static bool is_own(const struct transaction *transaction, const struct entry *entry)
{
	return entry->permissions && entry->permissions->owner == transaction->connection->account;
}

void entry_set(struct transaction *transaction, struct entry *entry, struct value *value,
	       struct permissions *permissions)
{
	charge(transaction, value_length(value) - value_length(entry->value));
	value_put(entry->value);
	permissions_put(entry->permissions);
	entry->value = value;
	entry->permissions = permissions;
	entry->changed = true;
}

void entry_create(struct transaction *transaction, struct entry *entry, struct value *value,
		  struct permissions *permissions)
{
	entry_set(transaction, entry, value, permissions);
	entry->exists = true;
	transaction->changes++;
	if (is_own(transaction, entry))
		transaction->created++;
}

static void forget_content(struct transaction *transaction, struct entry *entry)
{
	if (is_own(transaction, entry))
		transaction->created--;
	charge(transaction, -value_length(entry->value));
	value_put(entry->value);
	permissions_put(entry->permissions);
	entry->value = NULL;
	entry->permissions = NULL;
	entry->exists = false;
	entry->changed = true;
	transaction->changes++;
}

/* The entry's children in the tree count as seen: it is they that are meant. */
static void see_children(struct entry *entry, const struct node *node)
{
	if (entry->children_seen)
		return;
	entry->children_seen = true;
	entry->base_children = node ? node->children_generation : 0;
}

/*
 * All that is below in the tree, and all that the transaction has put there, is gone. Every node is looked at,
 * so that commit finds out whether others have changed it.
 */
int entry_remove(struct transaction *transaction, struct entry *entry)
{
	const struct node *top =
	    node_find(transaction->connection->store, entry->path, entry->length);
	const struct node *end = top ? node_walk_beyond(top) : NULL;
	int error = 0;

	for (const struct node *node = top; node && node != end; node = node_walk(node)) {
		struct entry *below =
		    transaction_touch(transaction, node->path, node->length, &error);

		if (!below)
			return error;
		see_children(below, node);
	}
	for (struct entry *below = transaction->first; below; below = below->next)
		if (below->exists &&
		    path_is_below(below->path, below->length, entry->path, entry->length))
			forget_content(transaction, below);
	return 0;
}

/* Names */

/* Is it there now, created by the transaction or created anew, and a child of this one? */
static bool is_new_child(const struct entry *entry, const struct entry *parent)
{
	return entry->exists && !entry->base && entry->length > 1 &&
	       path_parent(entry->path, entry->length) == parent->length &&
	       !memcmp(entry->path, parent->path, parent->length);
}

static const char *name_of(const struct entry *entry)
{
	size_t parent = path_parent(entry->path, entry->length);

	return entry->path + (parent > 1 ? parent + 1 : 1);
}

/* Has the transaction removed the child of this name? */
static bool is_removed(const struct transaction *transaction, const struct entry *parent,
		       const char *name)
{
	char *path = transaction->connection->store->child;
	size_t length = parent->length;
	const struct entry *child;

	memcpy(path, parent->path, length);
	if (length > 1)
		path[length++] = '/';
	memcpy(path + length, name, strlen(name) + 1);
	child = transaction_find_entry(transaction, path, length + strlen(name));
	return child && child->base && !child->exists;
}

/* Those that it has not removed of what it found, then those that it has added. to: NULL to know the size. */
static size_t collect_names(const struct transaction *transaction, const struct entry *entry,
			    char *to)
{
	size_t size = 0, length;
	const char *name;

	for (size_t at = 0; at < value_length(entry->names); at += length) {
		name = entry->names->bytes + at;
		length = strlen(name) + 1;

		if (!is_removed(transaction, entry, name)) {
			if (to)
				memcpy(to + size, name, length);
			size += length;
		}
	}
	for (const struct entry *child = transaction->first; child; child = child->next) {
		if (!is_new_child(child, entry))
			continue;
		name = name_of(child);
		if (to)
			memcpy(to + size, name, strlen(name) + 1);
		size += strlen(name) + 1;
	}
	return size;
}

struct value *entry_names(struct transaction *transaction, struct entry *entry, int *error)
{
	struct connection *connection = transaction->connection;
	const struct node *node = node_find(connection->store, entry->path, entry->length);
	struct value *names;

	*error = -ENOMEM;
	if (entry->base && !entry->names && node) {
		if (!has_room(connection, node->names)) {
			*error = -ENOSPC;
			return NULL;
		}
		entry->names = node_names(node);
		if (!entry->names)
			return NULL;
		charge(transaction, node->names);
		see_children(entry, node);
	}
	names = value_make(NULL, collect_names(transaction, entry, NULL));
	if (names)
		collect_names(transaction, entry, names->bytes);
	return names;
}

/* Commit */

static bool is_undisturbed(const struct transaction *transaction)
{
	const struct store *store = transaction->connection->store;

	for (const struct entry *entry = transaction->first; entry; entry = entry->next) {
		const struct node *node = node_find(store, entry->path, entry->length);

		if ((node ? node->generation : 0) != entry->base)
			return false;
		if (node && entry->children_seen &&
		    node->children_generation != entry->base_children)
			return false;
	}
	return true;
}

/* A new node, after those above it that are new too. */
static void commit_creation(struct transaction *transaction, const struct entry *entry)
{
	struct store *store = transaction->connection->store;

	for (size_t at = 1; at < entry->length;) {
		struct entry *level;
		struct node *node;

		at = path_next(entry->path, entry->length, at);
		level = transaction_find_entry(transaction, entry->path, at);
		if (!level || !level->fresh || !level->exists)
			continue;
		node = level->fresh;
		level->fresh = NULL;
		node->value = value_get(level->value);
		node->permissions = permissions_get(level->permissions);
		node_insert(node);
	}
	watch_fire(store, entry->path, entry->length, NULL, entry->permissions, false);
}

/* Those below another that is removed go with it. */
static void commit_removal(struct transaction *transaction, const struct entry *entry)
{
	struct store *store = transaction->connection->store;
	size_t above = path_parent(entry->path, entry->length);
	const struct entry *parent = transaction_find_entry(transaction, entry->path, above);
	struct node *node;

	if (parent && !parent->exists)
		return;
	node = node_find(store, entry->path, entry->length);
	if (node)
		node_remove(node);
}

static void commit_change(struct transaction *transaction, const struct entry *entry)
{
	struct store *store = transaction->connection->store;
	struct node *node = node_find(store, entry->path, entry->length);
	struct permissions *before = permissions_get(node->permissions);

	node_set(node, value_get(entry->value), permissions_get(entry->permissions));
	watch_fire(store, entry->path, entry->length, before, entry->permissions, false);
	permissions_put(before);
}

static int commit(struct transaction *transaction)
{
	struct connection *connection = transaction->connection;
	struct store *store = connection->store;
	const struct entry *entry;

	if (transaction->doomed || !is_undisturbed(transaction))
		return -EAGAIN;
	if (!connection->privileged && transaction->created > 0 &&
	    connection->account->nodes + (unsigned int)transaction->created > store->quota.nodes)
		return -ENOSPC;
	/* From here on nothing fails. What was removed goes first: it may have been made anew. */
	store->generation++;
	for (entry = transaction->first; entry; entry = entry->next)
		if (entry->changed && entry->base && !entry->exists)
			commit_removal(transaction, entry);
	for (entry = transaction->first; entry; entry = entry->next)
		if (entry->changed && entry->base && entry->exists)
			commit_change(transaction, entry);
	for (entry = transaction->first; entry; entry = entry->next)
		if (entry->changed && !entry->base && entry->exists)
			commit_creation(transaction, entry);
	return 0;
}

int transaction_end(struct transaction *transaction, bool wanted)
{
	int error = wanted ? commit(transaction) : 0;

	free_transaction(transaction);
	return error;
}

void transaction_doom(struct connection *connection, domid_t domain)
{
	struct transaction *transaction = connection->transactions;

	for (; transaction; transaction = transaction->next)
		for (const struct entry *entry = transaction->first; entry; entry = entry->next)
			if (entry->permissions && entry->permissions->owner->domain == domain)
				transaction->doomed = true;
}
