/* SPDX-License-Identifier: MIT */
/*
 * The store's parts and what they know of each other, from the bottom up:
 *
 *   table.c        hash tables
 *   path.c         names of nodes
 *   permission.c   who may do what; what each domain has of the store, and may have
 *   tree.c         the nodes
 *   watch.c        who wants to know of changes
 *   transaction.c  changes that wait to be made together
 *   view.c         the tree as one request sees it: with a transaction's changes, within its sender's rights
 *   request.c      the protocol's requests
 *   control.c      one of them: the administrator's
 *   ring.c         bytes in and out of the page that is shared with a client
 *   connection.c   requests in, answers and events out; whose turn it is
 *   domain.c       domains that come and go
 *   store.c        all of it made, and recounted
 *   service.c      the thread, event channels and mappings: all that needs a hypervisor. The rest is plain C.
 *
 * One thread at a time is in the store. Errors are negative errnos; they reach the client by name. Whatever can
 * fail is done before anything changes: a request that fails, for want of memory too, changes nothing.
 *
 * All of the state hangs on struct store, without a pointer to anything of the hypervisor but through struct
 * connection: what a successor would need is the tree, and of each connection its domain, watches, open
 * transactions and what is not yet sent.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/io/xs_wire.h>
#include "store/table.h"

struct store;
struct connection;
struct view;

/*
 * Names (path.c). A path is its bytes and their number; no terminating 0 is counted on.
 */

#define PATH_BUFFER (XENSTORE_ABS_PATH_MAX + 1)

/* By the document: absolute, of letters, digits and -/_@, no empty part, not too long. */
bool path_valid(const char *path, size_t length);
/* Length of the parent's path; that of "/" is 1, and its own parent. */
size_t path_parent(const char *path, size_t length);
/* Is path other, or below it? */
bool path_is_below(const char *path, size_t length, const char *other, size_t other_length);
/* One level further down from a path's first `from` bytes: the length of that. from < length. */
size_t path_next(const char *path, size_t length, size_t from);

/*
 * Rights (permission.c)
 */

#define ACCESS_READ  1
#define ACCESS_WRITE 2
/* Not in a list: the owner's right, and that of a privileged client. */
#define ACCESS_OWNER 4

struct permission {
	domid_t domain;
	uint8_t access;
};

/* What a domain has of the store. It exists as long as something names it. */
struct account {
	struct table_link link;
	struct store *store;
	unsigned int references;
	domid_t domain;
	unsigned int nodes, watches, transactions;
	size_t bytes;
	struct connection *connection; /* of an introduced domain */
	bool introduced, was_shut_down;
	uint64_t checked;	/* the last of the store's checks that looked at it */
	struct account *target; /* a domain that this one serves: it has that one's rights too */
	/* store_check's own count. */
	unsigned int counted_nodes, counted_watches, counted_transactions;
	size_t counted_bytes;
};

struct account *account_get(struct store *store, domid_t domain);  /* NULL: no memory */
struct account *account_find(struct store *store, domid_t domain); /* no reference; or NULL */
void account_put(struct account *account);

/*
 * A list as SET_PERMS has it: the first entry is the owner and what all others may. Lists never change, but for
 * domains that are gone, and there is one of each content: nodes share them.
 */
struct permissions {
	struct table_link link;
	struct account *owner;
	unsigned int references;
	unsigned int count;
	struct permission list[];
};

/* With a reference. NULL: no memory. count > 0. */
struct permissions *permissions_make(struct store *store, const struct permission *list,
				     unsigned int count);
struct permissions *permissions_get(struct permissions *permissions);
void permissions_put(struct permissions *permissions);
/* The same with another owner. NULL: no memory. */
struct permissions *permissions_owned(struct permissions *permissions, struct account *owner);
/* ACCESS_* that a client has. */
unsigned int permissions_access(const struct permissions *permissions,
				const struct connection *connection);
/* Take a domain that is gone out of all lists. Nothing that it owns may be left but in doomed transactions. */
void permissions_forget(struct store *store, domid_t domain);

/*
 * What a domain may have, unless it is privileged: by the names of the document.
 */
struct quota {
	unsigned int nodes, node_size, watches, transactions, transaction_nodes, permissions;
	unsigned int requests; /* answers that wait for the client to take them */
	unsigned int events;   /* likewise; beyond that, one for each watch */
	unsigned int memory;   /* bytes, all together */
	/* Bytes for all of them: when there are so many that they could have more, each may have its share. */
	unsigned int total_memory;
};

/* Bytes that a domain may have now. */
size_t quota_memory(const struct store *store);

/* By the n-th name and place; NULL: no more. */
unsigned int *quota_entry(struct quota *quota, unsigned int n, const char **name);

/*
 * Nodes (tree.c)
 */

/* Bytes that do not change any more, shared by counting. NULL stands for none. */
struct value {
	unsigned int references;
	uint32_t length;
	char bytes[];
};

struct value *value_make(const void *bytes, size_t length); /* bytes NULL: the caller fills it */
struct value *value_get(struct value *value);
void value_put(struct value *value);

static inline size_t value_length(const struct value *value)
{
	return value ? value->length : 0;
}

struct node {
	struct table_link link;
	struct store *store;
	/* The store's generation when value or permissions were last set, and when a child last came or went. */
	uint64_t generation, children_generation;
	struct node *parent, *next, *previous, *first_child, *last_child;
	size_t names; /* bytes of the children's names, each with a 0 */
	struct value *value;
	struct permissions *permissions;
	uint16_t length; /* of path; there is a 0 after it */
	uint16_t name;	 /* where its last part begins */
	char path[];
};

struct node *node_find(const struct store *store, const char *path, size_t length);
/* Outside of the tree. References to value and permissions are taken over, also on failure (NULL: no memory). */
struct node *node_make(struct store *store, const char *path, size_t length, struct value *value,
		       struct permissions *permissions);
/* Give back one that is outside of the tree. */
void node_free(struct node *node);
/* Put it into the tree; its parent is there. */
void node_insert(struct node *node);
/* Take it and all below it out and free it. Watches are told. */
void node_remove(struct node *node);
/* References are taken over. */
void node_set(struct node *node, struct value *value, struct permissions *permissions);
/* In the order parents, children: the next one; or the next one that is not below. NULL: the end. */
struct node *node_walk(const struct node *node);
struct node *node_walk_beyond(const struct node *node);
/* The children's names, each with a 0. NULL: no memory. */
struct value *node_names(const struct node *node);
/* What a node of this path and value is charged. */
size_t node_cost(size_t path_length, const struct value *value);

/*
 * Watches (watch.c)
 */

struct watch {
	struct table_link link;
	struct watch *next; /* of the connection */
	struct connection *connection;
	uint16_t length;   /* of path, which is absolute (or special) */
	uint16_t relative; /* how much of it the client did not say */
	uint16_t token;	   /* its length */
	int depth;	   /* levels below path that count; -1: all */
	bool missed;	   /* changed, with no room to say where */
	char path[];	   /* 0, token, 0 */
};

/* depth -1: none given. */
int watch_add(struct connection *connection, const char *path, size_t length, size_t relative,
	      const char *token, int depth);
int watch_remove(struct connection *connection, const char *path, size_t length, const char *token);
size_t watch_cost(const struct watch *watch);
const char *watch_token(const struct watch *watch);
void watch_remove_all(struct connection *connection);
struct watch *watch_find(struct connection *connection, const char *path, size_t length,
			 const char *token);
/*
 * Something changed at path. The permissions it had and has now (NULL: none) say who may know. exact: only
 * watches of this very path are meant, as those above are told of the whole.
 */
void watch_fire(struct store *store, const char *path, size_t length,
		const struct permissions *before, const struct permissions *after, bool exact);
#define WATCH_INTRODUCE "@introduceDomain"
#define WATCH_RELEASE	"@releaseDomain"
/* One of these two. */
void watch_fire_special(struct store *store, const char *name, domid_t domain);
/* The permissions of a special name; NULL: it is none. */
struct permissions **watch_special(struct store *store, const char *path, size_t length);

/*
 * Transactions (transaction.c)
 */

/* A node as a transaction sees it, from its first access on. */
struct entry {
	struct table_link link;
	struct entry *next;	/* in the order of first access */
	uint64_t base;		/* generation of the node that was found, 0: none */
	uint64_t base_children; /* likewise of its children; of meaning when they were asked for */
	bool children_seen;	/* they were */
	bool exists, changed;	/* now, and since */
	struct value *value, *names; /* names: of the children that there were */
	struct permissions *permissions;
	struct node *fresh; /* for a node that is to be created: all that commit needs */
	uint16_t length;
	char path[];
};

struct transaction {
	struct transaction *next; /* of the connection */
	struct connection *connection;
	uint32_t id;
	bool doomed; /* names a domain that is gone as owner: it will not be committed */
	struct table entries;
	struct entry *first, **last;
	unsigned int count;
	uint64_t changes; /* how many names came and went */
	int created;	  /* nodes of the client's own, less those removed */
	size_t bytes;	  /* charged to the client */
};

int transaction_start(struct connection *connection, uint32_t *id);
struct transaction *transaction_find(struct connection *connection, uint32_t id);
/* Ends it in any case. -EAGAIN: something that it saw or changed was changed by others. */
int transaction_end(struct transaction *transaction, bool commit);
void transaction_end_all(struct connection *connection);
/* The entry for a path, made from the tree at the first access. NULL: *error says why. */
struct entry *transaction_touch(struct transaction *transaction, const char *path, size_t length,
				int *error);
struct entry *transaction_find_entry(const struct transaction *transaction, const char *path,
				     size_t length);
/* Like the functions of nodes. prepare: make sure that entry_create cannot fail. */
int entry_prepare(struct transaction *transaction, struct entry *entry);
void entry_create(struct transaction *transaction, struct entry *entry, struct value *value,
		  struct permissions *permissions);
void entry_set(struct transaction *transaction, struct entry *entry, struct value *value,
	       struct permissions *permissions);
int entry_remove(struct transaction *transaction, struct entry *entry);
struct value *entry_names(struct transaction *transaction, struct entry *entry, int *error);
/* Transactions in which the domain owns something come to nothing. */
void transaction_doom(struct connection *connection, domid_t domain);

/*
 * The tree as a request sees it (view.c). A path that is not there is -ENOENT only to those who may look (write)
 * at what is there of it; to others all is -EACCES.
 */

struct view {
	struct connection *connection;
	struct transaction *transaction; /* NULL: the tree itself */
};

/* Value and permissions as seen, no references. */
struct content {
	struct value *value;
	struct permissions *permissions;
};

/* Is it there, with the rights wanted (ACCESS_*)? */
int view_get(const struct view *view, const char *path, size_t length, unsigned int wanted,
	     struct content *content);
/* value: NULL for an empty one; a reference that is taken over in any case. */
int view_write(const struct view *view, const char *path, size_t length, struct value *value);
int view_mkdir(const struct view *view, const char *path, size_t length);
int view_remove(const struct view *view, const char *path, size_t length);
int view_set_permissions(const struct view *view, const char *path, size_t length,
			 struct permissions *permissions);
/* The names, with a reference, and a number that changes when they do. */
int view_children(const struct view *view, const char *path, size_t length, struct value **names,
		  uint64_t *generation);

/*
 * Connections (connection.c)
 */

struct message {
	struct message *next;
	struct watch *watch; /* an event of that one (NULL: it has gone) */
	bool event;
	size_t size, sent; /* in bytes, with the header; size is what the client is charged */
	struct xsd_sockmsg header;
	char payload[];
};

/* What an error's name, "OK" or a number needs: for answers that must not fail. */
#define PAYLOAD_SMALL 16

struct connection {
	struct connection *next;
	struct store *store;
	struct account *account;
	bool privileged;
	char base[24]; /* where its relative paths start: /local/domain/N/ */
	size_t base_length;
	/* The ring. Our own indices are never read back from where the client can write. */
	struct xenstore_domain_interface *ring;
	uint32_t req_cons, rsp_prod;
	void (*notify)(void *data); /* something was taken or put */
	void *data;
	uint32_t error; /* XENSTORE_ERROR_*: no more is done until the client wants a new start */
	/* The request that comes in. */
	size_t received; /* bytes of header, then of payload */
	struct xsd_sockmsg header;
	char payload[XENSTORE_PAYLOAD_MAX + 1]; /* and a 0 */
	/* Going out. */
	struct message *out, **out_end;
	struct message *spare;	      /* the answer when there is no memory for one */
	bool spare_used;	      /* it is on its way */
	unsigned int answers, events; /* of each how many wait */
	bool moved;		      /* bytes went one way or the other in this turn */
	bool missed;		      /* some of its watches have missed something */
	struct watch *watches;
	struct transaction *transactions;
	/* Whose turn it is. */
	struct connection *next_ready;
	bool ready;
};

/* NULL: no memory. The ring stays the caller's, and is written until connection_free. */
struct connection *connection_make(struct store *store, domid_t domain,
				   struct xenstore_domain_interface *ring,
				   void (*notify)(void *data), void *data);
void connection_free(struct connection *connection);
/* All that it had is forgotten, the ring empty. */
void connection_reset(struct connection *connection);
/* There may be something to do for it: it gets its turn. */
void connection_ready(struct connection *connection);
/* One connection's turn: at most one request. False: nobody has anything to do. */
bool store_step(struct store *store);

/* size: of the payload. NULL: no memory. */
struct message *message_make(size_t size);
void connection_answer(struct connection *connection, struct message *message);
void connection_event(struct watch *watch, const char *path, size_t length);
/* Events of a watch that is going. */
void connection_forget_events(struct watch *watch);

/* ring.c: bytes moved. Only an impossible index is an error: -EIO. */
long ring_read(struct connection *connection, void *bytes, size_t count);
long ring_write(struct connection *connection, const void *bytes, size_t count);
void ring_open(struct connection *connection);
void ring_reset(struct connection *connection);
void ring_fail(struct connection *connection, uint32_t error);
bool ring_wants_reset(const struct connection *connection);

/* request.c: carry out the one that has come in, and answer. */
void request_run(struct connection *connection);

/*
 * Domains (domain.c)
 */

/* What the store wants from whatever it runs on. */
struct store_platform {
	/*
	 * Connect to a domain's ring: the page, what to call after it was changed, and its argument, which
	 * detach gets too. Events of the port lead to connection_ready. 0 or an error.
	 */
	int (*attach)(domid_t domain, unsigned long frame, uint32_t port,
		      struct xenstore_domain_interface **ring, void (**notify)(void *data),
		      void **data);
	void (*attached)(void *data, struct connection *connection);
	void (*detach)(void *data);
	/* Bits of DOMAIN_*; 0: it exists and runs. */
	unsigned int (*state)(domid_t domain);
	void (*print)(const char *text);
};
#define DOMAIN_GONE 1 /* there is none, or it is dying */
#define DOMAIN_SHUT 2 /* shut down or crashed */

int domain_introduce(struct store *store, domid_t domain, unsigned long frame, uint32_t port);
int domain_release(struct store *store, domid_t domain);
bool domain_is_introduced(struct store *store, domid_t domain);
int domain_resume(struct store *store, domid_t domain);
int domain_set_target(struct store *store, domid_t domain, domid_t target);
/* Some domain may have died or shut down: look at all that the store knows. */
void domains_check(struct store *store);

struct store {
	const struct store_platform *platform;
	uint64_t seed;	     /* of all hashes */
	uint64_t generation; /* counts changes; 0 is none */
	struct quota quota;
	bool log; /* of all requests */
	struct table nodes, lists, accounts, watches;
	struct node *root;
	struct permissions *initial;		 /* what there is at first: dom0's, nobody else's */
	struct permissions *introduce, *release; /* who may know of special events */
	uint64_t checks;			 /* how often domains were looked at */
	unsigned int introduced;		 /* how many domains are */
	struct connection *connections;
	struct connection *ready, **ready_end;
	uint32_t last_transaction;
	char path[PATH_BUFFER];	 /* that the request at hand names */
	char child[PATH_BUFFER]; /* of that one */
};

/* An empty store. NULL: no memory. */
struct store *store_make(const struct store_platform *platform, uint64_t seed);
void store_free(struct store *store);
/* Recount all that is counted; NULL, or what is wrong. For tests and CONTROL check. */
const char *store_check(struct store *store);

#endif
