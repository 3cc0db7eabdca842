/* SPDX-License-Identifier: MIT */
/*
 * Domains that come and go. When one has gone its number will be used again, so nothing may be left that the next
 * of that number would inherit: what it owned is removed, rights that it was given are taken out of all lists.
 */
#include "store/internal.h"
#include <errno.h>

static bool is_real(domid_t domain)
{
	return domain != 0 && domain < DOMID_FIRST_RESERVED;
}

static struct account *introduced(struct store *store, domid_t domain)
{
	struct account *account = account_find(store, domain);

	return account && account->introduced ? account : NULL;
}

static void set_target(struct account *account, struct account *target)
{
	struct account *before = account->target;

	if (target)
		target->references++;
	account->target = target;
	account_put(before);
}

/* The caller has a reference. */
static void disconnect(struct account *account)
{
	struct connection *connection = account->connection;
	void *data;

	if (!connection)
		return;
	account->connection = NULL;
	data = connection->data;
	connection_free(connection);
	account->store->platform->detach(data);
}

static int connect(struct account *account, unsigned long frame, uint32_t port)
{
	struct store *store = account->store;
	struct xenstore_domain_interface *ring;
	void (*notify)(void *);
	void *data;
	int error = store->platform->attach(account->domain, frame, port, &ring, &notify, &data);

	if (error)
		return error;
	account->connection = connection_make(store, account->domain, ring, notify, data);
	if (!account->connection) {
		store->platform->detach(data);
		return -ENOMEM;
	}
	store->platform->attached(data, account->connection);
	connection_ready(account->connection);
	return 0;
}

/* While it is introduced that is a reference. */
static void set_introduced(struct account *account, bool yes)
{
	if (account->introduced == yes)
		return;
	account->introduced = yes;
	if (yes) {
		account->store->introduced++;
		account->references++;
	} else {
		account->store->introduced--;
		account_put(account);
	}
}

/* A domain that is introduced again (it was resumed, say) gets a new connection. */
int domain_introduce(struct store *store, domid_t domain, unsigned long frame, uint32_t port)
{
	struct account *account;
	int error;

	if (!is_real(domain))
		return -EINVAL;
	account = account_get(store, domain);
	if (!account)
		return -ENOMEM;
	disconnect(account);
	error = connect(account, frame, port);
	set_introduced(account, !error);
	account->was_shut_down = false;
	account_put(account);
	if (!error)
		watch_fire_special(store, WATCH_INTRODUCE, domain);
	return error;
}

/* Special events are dom0's again when their owner has gone. */
static void disown_special(struct store *store, struct permissions **special, domid_t domain)
{
	if ((*special)->owner->domain != domain)
		return;
	permissions_put(*special);
	*special = permissions_get(store->initial);
}

/* Nodes that it owned go with all below them. The root, should dom0 have given it away, is dom0's again. */
static void remove_nodes(struct store *store, domid_t domain)
{
	struct node *node = node_walk(store->root), *next;

	store->generation++;
	if (store->root->permissions->owner->domain == domain)
		node_set(store->root, value_get(store->root->value),
			 permissions_get(store->initial));
	while (node) {
		if (node->permissions->owner->domain == domain) {
			next = node_walk_beyond(node);
			node_remove(node);
		} else {
			next = node_walk(node);
		}
		node = next;
	}
}

static void forget(struct account *account)
{
	struct store *store = account->store;
	domid_t domain = account->domain;
	struct table_link *link = NULL;

	account->references++;
	disconnect(account);
	for (struct connection *other = store->connections; other; other = other->next)
		transaction_doom(other, domain);
	if (account->nodes)
		remove_nodes(store, domain);
	permissions_forget(store, domain);
	disown_special(store, &store->introduce, domain);
	disown_special(store, &store->release, domain);
	set_target(account, NULL);
	do {
		link = table_walk(&store->accounts, link);
		if (link && TABLE_ENTRY(struct account, link)->target == account)
			set_target(TABLE_ENTRY(struct account, link), NULL);
	} while (link);
	set_introduced(account, false);
	account_put(account);
}

int domain_release(struct store *store, domid_t domain)
{
	struct account *account = introduced(store, domain);

	if (!is_real(domain))
		return -EINVAL;
	if (!account)
		return -ENOENT;
	forget(account);
	watch_fire_special(store, WATCH_RELEASE, domain);
	return 0;
}

bool domain_is_introduced(struct store *store, domid_t domain)
{
	return domain == 0 || introduced(store, domain);
}

int domain_resume(struct store *store, domid_t domain)
{
	struct account *account = introduced(store, domain);

	if (!account)
		return -ENOENT;
	account->was_shut_down = false;
	return 0;
}

int domain_set_target(struct store *store, domid_t domain, domid_t target)
{
	struct account *account = introduced(store, domain);
	struct account *served = introduced(store, target);

	if (!account || !served)
		return -ENOENT;
	if (account == served)
		return -EINVAL;
	set_target(account, served);
	return 0;
}

/* The next that has gone or, introduced, has shut down and nobody was told yet; each is asked about once a check. */
static struct account *find_changed(struct store *store, unsigned int *state)
{
	struct table_link *link = NULL;

	while ((link = table_walk(&store->accounts, link)) != NULL) {
		struct account *account = TABLE_ENTRY(struct account, link);

		if (!is_real(account->domain) || account->checked == store->checks)
			continue;
		account->checked = store->checks;
		*state = store->platform->state(account->domain);
		if (*state & DOMAIN_GONE)
			return account;
		if ((*state & DOMAIN_SHUT) && account->introduced && !account->was_shut_down)
			return account;
	}
	return NULL;
}

void domains_check(struct store *store)
{
	struct account *account;
	unsigned int state;

	store->checks++;
	while ((account = find_changed(store, &state)) != NULL) {
		domid_t domain = account->domain;
		bool known = account->introduced;

		if (state & DOMAIN_GONE)
			forget(account);
		else
			account->was_shut_down = true;
		if (known)
			watch_fire_special(store, WATCH_RELEASE, domain);
	}
}
