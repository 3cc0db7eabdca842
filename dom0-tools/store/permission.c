/* SPDX-License-Identifier: MIT */
#include "store/internal.h"
#include <stdlib.h>
#include <string.h>

/* Accounts */

static uint64_t account_hash(const struct store *store, domid_t domain)
{
	return table_hash(&domain, sizeof(domain), store->seed);
}

struct account *account_find(struct store *store, domid_t domain)
{
	struct table_link *link = table_first(&store->accounts, account_hash(store, domain));

	for (; link; link = table_next(link))
		if (TABLE_ENTRY(struct account, link)->domain == domain)
			return TABLE_ENTRY(struct account, link);
	return NULL;
}

struct account *account_get(struct store *store, domid_t domain)
{
	struct account *account = account_find(store, domain);

	if (!account) {
		account = calloc(1, sizeof(*account));
		if (!account)
			return NULL;
		account->store = store;
		account->domain = domain;
		table_insert(&store->accounts, &account->link, account_hash(store, domain));
	}
	account->references++;
	return account;
}

void account_put(struct account *account)
{
	if (!account || --account->references)
		return;
	table_remove(&account->store->accounts, &account->link);
	free(account);
}

/* Lists */

static uint64_t list_hash(const struct store *store, const struct permission *list,
			  unsigned int count)
{
	uint64_t hash = store->seed;

	/* Entry by entry: there is a hole in the structure. */
	for (unsigned int i = 0; i < count; i++) {
		uint32_t entry = (uint32_t)list[i].domain << 8 | list[i].access;

		hash = table_hash(&entry, sizeof(entry), hash);
	}
	return hash;
}

static bool same_list(const struct permissions *permissions, const struct permission *list,
		      unsigned int count)
{
	if (permissions->count != count)
		return false;
	for (unsigned int i = 0; i < count; i++)
		if (permissions->list[i].domain != list[i].domain ||
		    permissions->list[i].access != list[i].access)
			return false;
	return true;
}

static void put_accounts(struct store *store, const struct permission *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		account_put(account_find(store, list[i].domain));
}

struct permissions *permissions_make(struct store *store, const struct permission *list,
				     unsigned int count)
{
	uint64_t hash = list_hash(store, list, count);
	struct table_link *link = table_first(&store->lists, hash);
	struct permissions *permissions;

	for (; link; link = table_next(link))
		if (same_list(TABLE_ENTRY(struct permissions, link), list, count))
			return permissions_get(TABLE_ENTRY(struct permissions, link));
	permissions = malloc(sizeof(*permissions) + count * sizeof(*list));
	if (!permissions)
		return NULL;
	/* Each domain that is named has an account: so it is found out when it is gone. */
	for (unsigned int i = 0; i < count; i++) {
		if (account_get(store, list[i].domain))
			continue;
		put_accounts(store, list, i);
		free(permissions);
		return NULL;
	}
	permissions->owner = account_find(store, list[0].domain);
	permissions->references = 1;
	permissions->count = count;
	memcpy(permissions->list, list, count * sizeof(*list));
	table_insert(&store->lists, &permissions->link, hash);
	return permissions;
}

struct permissions *permissions_get(struct permissions *permissions)
{
	permissions->references++;
	return permissions;
}

void permissions_put(struct permissions *permissions)
{
	struct store *store;

	if (!permissions || --permissions->references)
		return;
	store = permissions->owner->store;
	table_remove(&store->lists, &permissions->link);
	put_accounts(store, permissions->list, permissions->count);
	free(permissions);
}

struct permissions *permissions_owned(struct permissions *permissions, struct account *owner)
{
	struct permission *list;
	struct permissions *owned;

	if (permissions->owner == owner)
		return permissions_get(permissions);
	list = malloc(permissions->count * sizeof(*list));
	if (!list)
		return NULL;
	memcpy(list, permissions->list, permissions->count * sizeof(*list));
	list[0].domain = owner->domain;
	owned = permissions_make(owner->store, list, permissions->count);
	free(list);
	return owned;
}

static bool acts_as(const struct account *account, domid_t domain)
{
	return account->domain == domain || (account->target && account->target->domain == domain);
}

unsigned int permissions_access(const struct permissions *permissions,
				const struct connection *connection)
{
	const struct account *account = connection->account;
	unsigned int access = 0;
	bool named = false;

	if (connection->privileged || acts_as(account, permissions->list[0].domain))
		return ACCESS_READ | ACCESS_WRITE | ACCESS_OWNER;
	for (unsigned int i = 1; i < permissions->count; i++) {
		if (acts_as(account, permissions->list[i].domain)) {
			access |= permissions->list[i].access;
			named = true;
		}
	}
	return named ? access : permissions->list[0].access;
}

/* Take it out where it stands after the owner. True when something was taken. */
static bool forget_in(struct permissions *permissions, domid_t domain)
{
	unsigned int kept = 1;

	for (unsigned int i = 1; i < permissions->count; i++) {
		if (permissions->list[i].domain == domain)
			put_accounts(permissions->owner->store, &permissions->list[i], 1);
		else
			permissions->list[kept++] = permissions->list[i];
	}
	if (kept == permissions->count)
		return false;
	permissions->count = kept;
	return true;
}

/*
 * The lists themselves change, so that all nodes and transactions that share them forget at once and no memory
 * is needed. Two lists may become the same; that only costs the room of one.
 */
void permissions_forget(struct store *store, domid_t domain)
{
	struct table_link *link = table_walk(&store->lists, NULL);
	struct table_link *changed = NULL;

	while (link) {
		struct permissions *permissions = TABLE_ENTRY(struct permissions, link);

		link = table_walk(&store->lists, link);
		if (!forget_in(permissions, domain))
			continue;
		/* To another place in the table, but not while it is being walked. */
		table_remove(&store->lists, &permissions->link);
		permissions->link.next = changed;
		changed = &permissions->link;
	}
	while (changed) {
		struct permissions *permissions = TABLE_ENTRY(struct permissions, changed);

		changed = changed->next;
		table_insert(&store->lists, &permissions->link,
			     list_hash(store, permissions->list, permissions->count));
	}
}

size_t quota_memory(const struct store *store)
{
	size_t share = store->quota.total_memory / (store->introduced ? store->introduced : 1);

	return share < store->quota.memory ? share : store->quota.memory;
}

unsigned int *quota_entry(struct quota *quota, unsigned int n, const char **name)
{
	static const struct {
		const char *name;
		size_t offset;
	} entries[] = {
	    {"nodes", offsetof(struct quota, nodes)},
	    {"node-size", offsetof(struct quota, node_size)},
	    {"watches", offsetof(struct quota, watches)},
	    {"transactions", offsetof(struct quota, transactions)},
	    {"transaction-nodes", offsetof(struct quota, transaction_nodes)},
	    {"permissions", offsetof(struct quota, permissions)},
	    {"outstanding", offsetof(struct quota, requests)},
	    {"events", offsetof(struct quota, events)},
	    {"memory", offsetof(struct quota, memory)},
	    {"total-memory", offsetof(struct quota, total_memory)},
	};

	if (n >= sizeof(entries) / sizeof(entries[0]))
		return NULL;
	*name = entries[n].name;
	return (unsigned int *)((char *)quota + entries[n].offset);
}
