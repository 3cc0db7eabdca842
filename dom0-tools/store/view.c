/* SPDX-License-Identifier: MIT */
#include "store/internal.h"
#include <errno.h>

/* What is there, without asking for rights. found->permissions NULL: nothing. */
static int look(const struct view *view, const char *path, size_t length, struct content *found)
{
	int error = 0;

	found->value = NULL;
	found->permissions = NULL;
	if (view->transaction) {
		const struct entry *entry =
		    transaction_touch(view->transaction, path, length, &error);

		if (!entry)
			return error;
		if (entry->exists) {
			found->value = entry->value;
			found->permissions = entry->permissions;
		}
	} else {
		const struct node *node = node_find(view->connection->store, path, length);

		if (node) {
			found->value = node->value;
			found->permissions = node->permissions;
		}
	}
	return 0;
}

/* The nearest node above that exists: its length. Some does, the root. */
static int look_above(const struct view *view, const char *path, size_t *length,
		      struct content *found)
{
	int error;

	do {
		if (*length == 1)
			return -ENOENT;
		*length = path_parent(path, *length);
		error = look(view, path, *length, found);
	} while (!error && !found->permissions);
	return error;
}

int view_get(const struct view *view, const char *path, size_t length, unsigned int wanted,
	     struct content *content)
{
	int error = look(view, path, length, content);
	struct content above;

	if (error)
		return error;
	if (content->permissions) {
		unsigned int access = permissions_access(content->permissions, view->connection);

		return (access & wanted) == wanted ? 0 : -EACCES;
	}
	error = look_above(view, path, &length, &above);
	if (error)
		return error;
	wanted &= ACCESS_READ | ACCESS_WRITE;
	if ((permissions_access(above.permissions, view->connection) & wanted) != wanted)
		return -EACCES;
	return -ENOENT;
}

/* May the domain that owns it have so many bytes more? size: of the node, for which there is a limit too. */
static int check_room(const struct view *view, const struct account *owner, size_t size,
		      size_t more)
{
	const struct quota *quota = &view->connection->store->quota;

	if (view->connection->privileged)
		return 0;
	if (size > quota->node_size || owner->bytes + more > quota_memory(view->connection->store))
		return -ENOSPC;
	return 0;
}

static void fire(const struct view *view, const char *path, size_t length,
		 const struct permissions *before, const struct permissions *after)
{
	watch_fire(view->connection->store, path, length, before, after, false);
}

/*
 * Creation: all levels that are missing below the first `above` bytes. What needs memory is done first. With a
 * transaction that leaves entries that were only looked at, which does no harm.
 */
static int create_in_transaction(struct transaction *transaction, const char *path, size_t length,
				 size_t above, struct value *value, struct permissions *permissions)
{
	struct entry *entry;
	int error = 0;

	for (size_t at = above; at < length;) {
		at = path_next(path, length, at);
		entry = transaction_touch(transaction, path, at, &error);
		if (entry)
			error = entry_prepare(transaction, entry);
		if (error)
			return error;
	}
	for (size_t at = above; at < length;) {
		at = path_next(path, length, at);
		entry = transaction_find_entry(transaction, path, at);
		entry_create(transaction, entry, at == length ? value_get(value) : NULL,
			     permissions_get(permissions));
	}
	return 0;
}

static int create_in_tree(struct store *store, const char *path, size_t length, size_t above,
			  struct value *value, struct permissions *permissions)
{
	struct node *chain = NULL, *node;

	for (size_t at = length; at > above; at = path_parent(path, at)) {
		node = node_make(store, path, at, at == length ? value_get(value) : NULL,
				 permissions_get(permissions));
		if (!node)
			break;
		node->next = chain;
		chain = node;
	}
	if (!chain || path_parent(path, chain->length) != above) {
		for (; chain; chain = node) {
			node = chain->next;
			node_free(chain);
		}
		return -ENOMEM;
	}
	store->generation++;
	for (; chain; chain = node) {
		node = chain->next;
		node_insert(chain);
	}
	watch_fire(store, path, length, NULL, permissions, false);
	return 0;
}

/* How much would be created, and may the client own so much? */
static int check_creation(const struct view *view, const char *path, size_t length, size_t above,
			  const struct value *value)
{
	const struct account *account = view->connection->account;
	long nodes = account->nodes;
	size_t bytes = value_length(value);

	if (view->transaction)
		nodes += view->transaction->created;
	for (size_t at = above; at < length; nodes++) {
		at = path_next(path, length, at);
		bytes += node_cost(at, NULL);
	}
	if (!view->connection->privileged && nodes > (long)view->connection->store->quota.nodes)
		return -ENOSPC;
	return check_room(view, account, value_length(value), bytes);
}

/* The right to write what is above has been checked. What a domain makes is its own. */
static int create(const struct view *view, const char *path, size_t length, struct value *value)
{
	struct connection *connection = view->connection;
	struct permissions *permissions;
	struct content parent;
	size_t above = length;
	int error = look_above(view, path, &above, &parent);

	if (!error)
		error = check_creation(view, path, length, above, value);
	if (error)
		return error;
	permissions = connection->privileged
			  ? permissions_get(parent.permissions)
			  : permissions_owned(parent.permissions, connection->account);
	if (!permissions)
		return -ENOMEM;
	if (view->transaction)
		error = create_in_transaction(view->transaction, path, length, above, value,
					      permissions);
	else
		error = create_in_tree(connection->store, path, length, above, value, permissions);
	permissions_put(permissions);
	return error;
}

/* References to value and permissions are taken over. */
static void set(const struct view *view, const char *path, size_t length, struct value *value,
		struct permissions *permissions)
{
	struct store *store = view->connection->store;
	struct permissions *before;
	struct node *node;

	if (view->transaction) {
		entry_set(view->transaction,
			  transaction_find_entry(view->transaction, path, length), value,
			  permissions);
		return;
	}
	node = node_find(store, path, length);
	before = permissions_get(node->permissions);
	store->generation++;
	node_set(node, value, permissions);
	fire(view, path, length, before, permissions);
	permissions_put(before);
}

int view_write(const struct view *view, const char *path, size_t length, struct value *value)
{
	struct content content;
	int error = view_get(view, path, length, ACCESS_WRITE, &content);

	if (error == -ENOENT) {
		error = create(view, path, length, value);
	} else if (!error) {
		size_t before = value_length(content.value), after = value_length(value);

		error = check_room(view, content.permissions->owner, after,
				   after > before ? after - before : 0);
		if (!error)
			set(view, path, length, value_get(value),
			    permissions_get(content.permissions));
	}
	value_put(value);
	return error;
}

int view_mkdir(const struct view *view, const char *path, size_t length)
{
	struct content content;
	int error = view_get(view, path, length, ACCESS_WRITE, &content);

	return error == -ENOENT ? create(view, path, length, NULL) : error;
}

int view_remove(const struct view *view, const char *path, size_t length)
{
	struct store *store = view->connection->store;
	struct content content;
	int error;

	if (length == 1)
		return -EINVAL;
	error = view_get(view, path, length, ACCESS_WRITE, &content);
	if (error == -ENOENT) {
		/* Not there: fine, as long as its parent is. */
		error = look(view, path, path_parent(path, length), &content);
		return error || content.permissions ? error : -ENOENT;
	}
	if (error)
		return error;
	if (view->transaction)
		return entry_remove(view->transaction,
				    transaction_find_entry(view->transaction, path, length));
	store->generation++;
	node_remove(node_find(store, path, length));
	return 0;
}

int view_set_permissions(const struct view *view, const char *path, size_t length,
			 struct permissions *permissions)
{
	struct content content;
	int error = view_get(view, path, length, ACCESS_WRITE | ACCESS_OWNER, &content);

	if (error)
		return error;
	if (!view->connection->privileged && permissions->owner != content.permissions->owner)
		return -EPERM;
	set(view, path, length, value_get(content.value), permissions_get(permissions));
	return 0;
}

int view_children(const struct view *view, const char *path, size_t length, struct value **names,
		  uint64_t *generation)
{
	struct content content;
	int error = view_get(view, path, length, ACCESS_READ, &content);

	if (error)
		return error;
	if (view->transaction) {
		struct entry *entry = transaction_find_entry(view->transaction, path, length);

		*names = entry_names(view->transaction, entry, &error);
		*generation = entry->base_children + view->transaction->changes;
		return *names ? 0 : error;
	}
	const struct node *node = node_find(view->connection->store, path, length);

	*names = node_names(node);
	*generation = node->generation > node->children_generation ? node->generation
								   : node->children_generation;
	return *names ? 0 : -ENOMEM;
}
