/* SPDX-License-Identifier: MIT */
#include "store/internal.h"
#include <stdlib.h>
#include <string.h>

/* Values */

struct value *value_make(const void *bytes, size_t length)
{
	struct value *value = malloc(sizeof(*value) + length);

	if (!value)
		return NULL;
	value->references = 1;
	value->length = (uint32_t)length;
	if (bytes)
		memcpy(value->bytes, bytes, length);
	return value;
}

struct value *value_get(struct value *value)
{
	if (value)
		value->references++;
	return value;
}

void value_put(struct value *value)
{
	if (value && --value->references == 0)
		free(value);
}

/* Nodes */

/* What a node costs beside path and value: itself and, as if it had one of its own, a list of permissions. */
#define NODE_OVERHEAD (sizeof(struct node) + sizeof(struct permissions) + 16)

size_t node_cost(size_t path_length, const struct value *value)
{
	return NODE_OVERHEAD + path_length + 1 + (value ? sizeof(*value) + value->length : 0);
}

static void charge(struct node *node)
{
	node->permissions->owner->nodes++;
	node->permissions->owner->bytes += node_cost(node->length, node->value);
}

static void discharge(struct node *node)
{
	node->permissions->owner->nodes--;
	node->permissions->owner->bytes -= node_cost(node->length, node->value);
}

struct node *node_find(const struct store *store, const char *path, size_t length)
{
	struct table_link *link = table_first(&store->nodes, table_hash(path, length, store->seed));

	for (; link; link = table_next(link)) {
		struct node *node = TABLE_ENTRY(struct node, link);

		if (node->length == length && !memcmp(node->path, path, length))
			return node;
	}
	return NULL;
}

struct node *node_make(struct store *store, const char *path, size_t length, struct value *value,
		       struct permissions *permissions)
{
	struct node *node = malloc(sizeof(*node) + length + 1);
	size_t name = path_parent(path, length);

	if (!node) {
		value_put(value);
		permissions_put(permissions);
		return NULL;
	}
	memset(node, 0, sizeof(*node));
	node->store = store;
	node->value = value;
	node->permissions = permissions;
	node->length = (uint16_t)length;
	node->name = (uint16_t)(name > 1 ? name + 1 : 1);
	memcpy(node->path, path, length);
	node->path[length] = 0;
	return node;
}

void node_free(struct node *node)
{
	value_put(node->value);
	permissions_put(node->permissions);
	free(node);
}

static size_t name_size(const struct node *node)
{
	return (size_t)(node->length - node->name) + 1;
}

void node_insert(struct node *node)
{
	struct store *store = node->store;
	struct node *parent = NULL;

	if (node->length > 1)
		parent = node_find(store, node->path, path_parent(node->path, node->length));
	node->generation = node->children_generation = store->generation;
	node->parent = parent;
	node->next = NULL;
	node->previous = parent ? parent->last_child : NULL;
	if (parent) {
		if (node->previous)
			node->previous->next = node;
		else
			parent->first_child = node;
		parent->last_child = node;
		parent->names += name_size(node);
		parent->children_generation = store->generation;
	}
	table_insert(&store->nodes, &node->link, table_hash(node->path, node->length, store->seed));
	charge(node);
}

static void unlink_from_parent(struct node *node)
{
	struct node *parent = node->parent;

	if (node->previous)
		node->previous->next = node->next;
	else
		parent->first_child = node->next;
	if (node->next)
		node->next->previous = node->previous;
	else
		parent->last_child = node->previous;
	parent->names -= name_size(node);
	parent->children_generation = node->store->generation;
}

/* Depth is up to the client, so there is no recursion: down to a leaf, take it away, on from its parent. */
void node_remove(struct node *node)
{
	struct store *store = node->store;
	struct node *top = node, *above = node->parent;

	while (node != above) {
		struct node *parent = node->parent;

		if (node->first_child) {
			node = node->first_child;
			continue;
		}
		watch_fire(store, node->path, node->length, node->permissions, NULL, node != top);
		unlink_from_parent(node);
		table_remove(&store->nodes, &node->link);
		discharge(node);
		node_free(node);
		node = parent;
	}
}

void node_set(struct node *node, struct value *value, struct permissions *permissions)
{
	discharge(node);
	value_put(node->value);
	permissions_put(node->permissions);
	node->value = value;
	node->permissions = permissions;
	node->generation = node->store->generation;
	charge(node);
}

struct node *node_walk_beyond(const struct node *node)
{
	while (node && !node->next)
		node = node->parent;
	return node ? node->next : NULL;
}

struct node *node_walk(const struct node *node)
{
	return node->first_child ? node->first_child : node_walk_beyond(node);
}

struct value *node_names(const struct node *node)
{
	struct value *names = value_make(NULL, node->names);
	size_t used = 0;

	if (!names)
		return NULL;
	for (const struct node *child = node->first_child; child; child = child->next) {
		memcpy(names->bytes + used, child->path + child->name, name_size(child));
		used += name_size(child);
	}
	return names;
}
