/* SPDX-License-Identifier: MIT */
/*
 * A second store, as simple as can be: an array of paths. Operations are made on both and must agree in answers,
 * errors, events and, at the end, in everything. Of transactions the model knows nothing but what they promise: one
 * that commits is as if all its requests had been made just then, with the answers that they got; one that does not
 * was disturbed by somebody. Choices come from model_choose, which the including program defines.
 */
#ifndef STORE_MODEL_H
#define STORE_MODEL_H

#include "store_client.h"

#define MODEL_CLIENTS	   4
#define MODEL_NODES	   600
#define MODEL_PATH	   128
#define MODEL_PERMISSIONS  4
#define MODEL_WATCHES	   40
#define MODEL_TRANSACTIONS 3
#define MODEL_LOG	   40
#define MODEL_ANSWER	   1024

static unsigned int model_choose(unsigned int n);

struct model_node {
	char path[MODEL_PATH];
	char value[16];
	unsigned int count;
	struct permission list[MODEL_PERMISSIONS];
	bool written; /* by the operation at hand */
};

struct model_tree {
	struct model_node nodes[MODEL_NODES];
	unsigned int count;
};

/* A request: what it needs, and what came of it. */
struct model_request {
	uint32_t type;
	char path[MODEL_PATH]; /* absolute */
	bool relative;	       /* sent without the domain's own path */
	char value[16];
	unsigned int count;
	struct permission list[MODEL_PERMISSIONS];
	int error;
	char answer[MODEL_ANSWER];
	size_t length;
};

struct model_transaction {
	uint32_t id; /* 0: none */
	unsigned long started;
	bool
	    released; /* a domain went meanwhile: its rights went too, from what was already answered */
	struct model_request log[MODEL_LOG];
	unsigned int requests;
};

struct model_watch {
	int client;
	char path[MODEL_PATH], token[8];
	bool relative;
};

static struct model_tree model, model_before;
static struct model_transaction model_transactions[MODEL_CLIENTS][MODEL_TRANSACTIONS];
static struct model_watch model_watches[MODEL_WATCHES];
static unsigned int model_watch_count;
static unsigned long model_changes; /* how often the tree changed */

/* Expected events: "client token path" lines. */
static char *model_events[CLIENT_EVENTS];
static unsigned int model_event_count;

/* The tree */

static struct model_node *model_find(struct model_tree *tree, const char *path)
{
	for (unsigned int i = 0; i < tree->count; i++)
		if (!strcmp(tree->nodes[i].path, path))
			return &tree->nodes[i];
	return NULL;
}

static void model_parent(const char *path, char *parent)
{
	memmove(parent, path, strlen(path) + 1);
	*strrchr(parent, '/') = 0;
	if (!*parent)
		strcpy(parent, "/");
}

static bool model_below(const char *path, const char *top)
{
	size_t length = strlen(top);

	return !strcmp(top, "/") ||
	       (!strncmp(path, top, length) && (path[length] == '/' || !path[length]));
}

static unsigned int model_rights(int client, const struct model_node *node)
{
	if (client == 0 || node->list[0].domain == client)
		return 7;
	for (unsigned int i = 1; i < node->count; i++)
		if (node->list[i].domain == client)
			return node->list[i].access;
	return node->list[0].access;
}

static struct model_node *model_add(const char *path)
{
	struct model_node *node = &model.nodes[model.count++];

	client_assert(model.count < MODEL_NODES);
	memset(node, 0, sizeof(*node));
	strcpy(node->path, path);
	return node;
}

static void model_delete(const char *path)
{
	char top[MODEL_PATH]; /* the path may be one of the nodes' */
	unsigned int kept = 0;

	strcpy(top, path);
	for (unsigned int i = 0; i < model.count; i++)
		if (!model_below(model.nodes[i].path, top))
			model.nodes[kept++] = model.nodes[i];
	model.count = kept;
}

/* The nearest that exists of a path and those above it. */
static struct model_node *model_nearest(const char *path)
{
	char at[MODEL_PATH];
	struct model_node *node;

	strcpy(at, path);
	while (!(node = model_find(&model, at)))
		model_parent(at, at);
	return node;
}

/* The error for a client that wants these rights, 0 if it has them. */
static int model_access(int client, const char *path, unsigned int wanted)
{
	struct model_node *node = model_nearest(path);
	bool there = !strcmp(node->path, path);

	if ((model_rights(client, node) & (there ? wanted : wanted & 3)) !=
	    (there ? wanted : wanted & 3))
		return -EACCES;
	return there ? 0 : -ENOENT;
}

static void model_create(int client, const char *path)
{
	char parent[MODEL_PATH];
	struct model_node *node, *above;

	model_parent(path, parent);
	if (!model_find(&model, parent))
		model_create(client, parent);
	node = model_add(path);
	above = model_find(&model, parent);
	node->count = above->count;
	memcpy(node->list, above->list, sizeof(node->list));
	if (client)
		node->list[0].domain = (domid_t)client;
}

static size_t model_print_permissions(const struct model_node *node, char *to)
{
	size_t size = 0;

	for (unsigned int i = 0; i < node->count; i++)
		size += (size_t)sprintf(to + size, "%c%u", "nrwb"[node->list[i].access],
					node -> list[i].domain) +
			1;
	return size;
}

static int model_compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in alphabetical order: the store's order is no promise. */
static size_t model_sort_names(char *names, size_t size)
{
	const char *list[MODEL_NODES];
	char sorted[MODEL_ANSWER];
	unsigned int count = 0;
	size_t used = 0;

	for (size_t at = 0; at < size; at += strlen(names + at) + 1)
		list[count++] = names + at;
	qsort(list, count, sizeof(list[0]), model_compare_names);
	for (unsigned int i = 0; i < count; i++) {
		strcpy(sorted + used, list[i]);
		used += strlen(list[i]) + 1;
	}
	memcpy(names, sorted, used);
	return used;
}

static size_t model_print_names(const char *path, char *to)
{
	char parent[MODEL_PATH];
	size_t size = 0;

	for (unsigned int i = 0; i < model.count; i++) {
		const char *child = model.nodes[i].path;

		if (!strcmp(child, "/"))
			continue;
		model_parent(child, parent);
		if (!strcmp(parent, path))
			size += (size_t)sprintf(to + size, "%s", strrchr(child, '/') + 1) + 1;
	}
	return model_sort_names(to, size);
}

/* Make a request on the model. */
static void model_do(int client, struct model_request *request)
{
	static const unsigned int rights[XS_TYPE_COUNT] = {
	    [XS_READ] = 1,  [XS_DIRECTORY] = 1, [XS_GET_PERMS] = 1, [XS_WRITE] = 2,
	    [XS_MKDIR] = 2, [XS_RM] = 2,	[XS_SET_PERMS] = 6,
	};
	int error = model_access(client, request->path, rights[request->type]);
	bool missing = error == -ENOENT;
	struct model_node *node;
	char parent[MODEL_PATH];

	request->length = 3;
	strcpy(request->answer, "OK");
	if (missing && (request->type == XS_WRITE || request->type == XS_MKDIR)) {
		model_create(client, request->path);
		error = 0;
	}
	node = model_find(&model, request->path);
	switch (error ? XS_ERROR : request->type) {
	case XS_READ:
		request->length = strlen(node->value);
		memcpy(request->answer, node->value, request->length);
		break;
	case XS_DIRECTORY:
		request->length = model_print_names(request->path, request->answer);
		break;
	case XS_GET_PERMS:
		request->length = model_print_permissions(node, request->answer);
		break;
	case XS_WRITE:
		strcpy(node->value, request->value);
		node->written = true;
		break;
	case XS_MKDIR:
		node->written = node->written || missing;
		break;
	case XS_SET_PERMS:
		if (client && request->list[0].domain != node->list[0].domain) {
			error = -EPERM;
			break;
		}
		node->count = request->count;
		memcpy(node->list, request->list, sizeof(node->list));
		node->written = true;
		break;
	default:
		break;
	}
	if (request->type == XS_RM && !strcmp(request->path, "/")) {
		error = -EINVAL;
	} else if (request->type == XS_RM && (!error || missing)) {
		model_parent(request->path, parent);
		error = model_find(&model, parent) ? 0 : -ENOENT;
		if (!error)
			model_delete(request->path);
	}
	request->error = error;
}

/* Events: by comparing the tree before and after. */

static void model_tell(const struct model_watch *watch, const char *path)
{
	char line[2 * MODEL_PATH];
	size_t skip =
	    watch->relative ? (size_t)sprintf(line, "/local/domain/%d/", watch->client) : 0;

	sprintf(line, "%d %s %s", watch->client, watch->token, path + skip);
	model_events[model_event_count++] = strdup(line);
}

static void model_fire(const char *path, bool exact)
{
	const struct model_node *before = model_find(&model_before, path),
				*after = model_find(&model, path);

	for (unsigned int i = 0; i < model_watch_count; i++) {
		const struct model_watch *watch = &model_watches[i];
		bool may = (before && (model_rights(watch->client, before) & 1)) ||
			   (after && (model_rights(watch->client, after) & 1));

		if (may && (exact ? !strcmp(watch->path, path) : model_below(path, watch->path)))
			model_tell(watch, path);
	}
}

/* implied: those made on the way to another count as changes of their own (in transactions). */
static void model_fire_all(bool implied)
{
	char parent[MODEL_PATH];

	for (unsigned int i = 0; i < model_before.count; i++) {
		const char *path = model_before.nodes[i].path;

		if (model_find(&model, path))
			continue;
		model_parent(path, parent);
		model_fire(path, !model_find(&model, parent));
	}
	for (unsigned int i = 0; i < model.count; i++) {
		struct model_node *node = &model.nodes[i];

		if (node->written || (implied && !model_find(&model_before, node->path)))
			model_fire(node->path, false);
		node->written = false;
	}
}

static void model_begin_change(void)
{
	model_before = model;
	for (unsigned int i = 0; i < model.count; i++)
		model.nodes[i].written = false;
}

static int model_compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What all clients were told is what was expected. Forgets both. */
static void model_check_events(void)
{
	static char *told[CLIENT_EVENTS];
	unsigned int count = 0;
	char line[2 * MODEL_PATH];

	for (int turn = 0; turn < 50; turn++) {
		run_store();
		for (int c = 0; c < MODEL_CLIENTS; c++)
			client_receive(&clients[c]);
	}
	for (int c = 0; c < MODEL_CLIENTS; c++) {
		for (unsigned int i = 0; i < clients[c].event_count; i++) {
			sprintf(line, "%d %s %s", c, clients[c].events[i].token,
				clients[c].events[i].path);
			told[count++] = strdup(line);
		}
		client_forget_events(&clients[c]);
	}
	qsort(told, count, sizeof(told[0]), model_compare_lines);
	qsort(model_events, model_event_count, sizeof(model_events[0]), model_compare_lines);
	for (unsigned int i = 0; i < count || i < model_event_count; i++) {
		if (i >= count || i >= model_event_count || strcmp(told[i], model_events[i]) != 0) {
			fprintf(stderr, "event told: %s, expected: %s\n",
				i < count ? told[i] : "none",
				i < model_event_count ? model_events[i] : "none");
			abort();
		}
	}
	for (unsigned int i = 0; i < count; i++) {
		free(told[i]);
		free(model_events[i]);
	}
	model_event_count = 0;
}

/* Requests on the store */

static void model_send(int client, uint32_t tx, struct model_request *request)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	size_t skip = request->relative ? (size_t)sprintf(payload, "/local/domain/%d/", client) : 0;
	size_t size = (size_t)sprintf(payload, "%s", request->path + skip) + 1;

	if (request->type == XS_WRITE)
		size += (size_t)sprintf(payload + size, "%s", request->value);
	for (unsigned int i = 0; request->type == XS_SET_PERMS && i < request->count; i++)
		size += (size_t)sprintf(payload + size, "%c%u", "nrwb"[request->list[i].access],
					request -> list[i].domain) +
			1;
	request->error = client_call(&clients[client], request->type, tx, payload, size);
	client_assert(request->error || clients[client].answer.len <= MODEL_ANSWER);
	request->length = request->error ? 0 : clients[client].answer.len;
	memcpy(request->answer, clients[client].payload, request->length);
	if (!request->error && request->type == XS_DIRECTORY)
		request->length = model_sort_names(request->answer, request->length);
}

static void model_agree(int client, const struct model_request *got,
			const struct model_request *wanted)
{
	if (got->error == wanted->error &&
	    (got->error ||
	     (got->length == wanted->length && !memcmp(got->answer, wanted->answer, got->length))))
		return;
	fprintf(stderr,
		"client %d, type %u, %s: error %d, expected %d; answer %.*s, expected %.*s\n",
		client, got->type, got->path, got->error, wanted->error, (int)got->length,
		got->answer, (int)wanted->length, wanted->answer);
	abort();
}

static void model_request_now(int client, struct model_request *request)
{
	struct model_request wanted = *request;

	model_begin_change();
	model_send(client, 0, request);
	model_do(client, &wanted);
	model_agree(client, request, &wanted);
	if (!wanted.error && (wanted.type == XS_WRITE || wanted.type == XS_RM ||
			      wanted.type == XS_SET_PERMS || wanted.type == XS_MKDIR))
		model_changes++;
	model_fire_all(false);
	model_check_events();
}

static void model_commit(int client, struct model_transaction *transaction)
{
	int error = client_end(&clients[client], transaction->id, true);
	unsigned int i;

	if (error == -EAGAIN) {
		client_assert(model_changes != transaction->started);
	} else {
		client_assert(error == 0);
		model_begin_change();
		for (i = 0; i < transaction->requests; i++) {
			struct model_request wanted = transaction->log[i];

			model_do(client, &wanted);
			if (!transaction->released)
				model_agree(client, &transaction->log[i], &wanted);
		}
		model_fire_all(true);
		model_changes++;
	}
	model_check_events();
	transaction->id = 0;
}

/* Domains */

static void model_forget_client(int client)
{
	unsigned int kept = 0;

	memset(model_transactions[client], 0, sizeof(model_transactions[client]));
	for (unsigned int i = 0; i < model_watch_count; i++)
		if (model_watches[i].client != client)
			model_watches[kept++] = model_watches[i];
	model_watch_count = kept;
}

static void model_forget_domain(domid_t domain)
{
	unsigned int i = 0;

	for (i = 0; i < model.count; i++) {
		struct model_node *node = &model.nodes[i];
		unsigned int kept = 1;

		for (unsigned int k = 1; k < node->count; k++)
			if (node->list[k].domain != domain)
				node->list[kept++] = node->list[k];
		node->count = kept;
	}
	for (i = 0; i < model.count;) {
		if (model.nodes[i].list[0].domain == domain) {
			model_delete(model.nodes[i].path);
			i = 0;
		} else {
			i++;
		}
	}
}

static void model_simple(int client, uint32_t type, const char *path, const char *value,
			 struct permission first, struct permission second)
{
	struct model_request request = {.type = type, .count = 2, .list = {first, second}};

	strcpy(request.path, path);
	strcpy(request.value, value);
	model_request_now(client, &request);
}

static void model_introduce(int domain)
{
	char path[MODEL_PATH], number[16];
	struct permission none = {0, 0}, reader = {(domid_t)domain, ACCESS_READ},
			  owner = {(domid_t)domain, 0};

	sprintf(path, "/local/domain/%d", domain);
	model_simple(0, XS_WRITE, path, "", none, none);
	model_simple(0, XS_SET_PERMS, path, "", none, reader);
	strcat(path, "/data");
	model_simple(0, XS_WRITE, path, "", none, none);
	model_simple(0, XS_SET_PERMS, path, "", owner, (struct permission){3, ACCESS_READ});
	memset(&clients[domain].ring, 0, sizeof(clients[domain].ring));
	clients[domain].in_size = 0;
	clients[domain].state = 0;
	sprintf(number, "%d", domain);
	client_assert(client_strings(&clients[0], XS_INTRODUCE, 0, number, "1", "1", NULL) == 0);
	model_check_events();
}

static void model_kill(int domain)
{
	model_begin_change();
	clients[domain].state = DOMAIN_GONE;
	domains_check(store);
	model_forget_client(domain);
	model_forget_domain((domid_t)domain);
	model_fire_all(false);
	model_check_events();
	model_changes++;
	for (int c = 0; c < MODEL_CLIENTS; c++)
		for (int t = 0; t < MODEL_TRANSACTIONS; t++)
			model_transactions[c][t].released = true;
	model_introduce(domain);
}

/* One operation, chosen. */

static void model_choose_path(int client, struct model_request *request)
{
	static const char *const names[] = {"a", "b", "c", "data"};
	unsigned int domain = model_choose(MODEL_CLIENTS), depth = model_choose(5);
	char *path = request->path;

	switch (model_choose(4)) {
	case 0:
		strcpy(path, "");
		break;
	case 1:
		strcpy(path, "/shared");
		break;
	default:
		sprintf(path, "/local/domain/%u", model_choose(3) ? (unsigned int)client : domain);
		strcat(path, "/data");
		/* the number after "/local/domain/" */
		request->relative = model_choose(2) && path[14] - '0' == client;
		break;
	}
	while (depth--) {
		strcat(path, "/");
		strcat(path, names[model_choose(4)]);
	}
	if (!*path)
		strcpy(path, "/");
}

static void model_choose_request(int client, struct model_request *request)
{
	static const uint32_t types[] = {XS_READ,  XS_DIRECTORY, XS_GET_PERMS,
					 XS_WRITE, XS_WRITE,	 XS_WRITE,
					 XS_MKDIR, XS_RM,	 XS_SET_PERMS};

	memset(request, 0, sizeof(*request));
	request->type = types[model_choose(sizeof(types) / sizeof(types[0]))];
	model_choose_path(client, request);
	sprintf(request->value, "%u", model_choose(100));
	request->count = 1 + model_choose(MODEL_PERMISSIONS);
	for (unsigned int i = 0; i < request->count; i++) {
		request->list[i].domain =
		    (domid_t)(i || !client ? model_choose(MODEL_CLIENTS) : (unsigned int)client);
		request->list[i].access = (uint8_t)model_choose(4);
		/* A domain that is named twice has the rights of both: the model knows of the first. */
		for (unsigned int k = 1; k < i; k++)
			if (request->list[k].domain == request->list[i].domain)
				request->list[i].access = request->list[k].access;
	}
	/* The root stays dom0's, lest a domain's end ends all. */
	if (request->type == XS_SET_PERMS && !strchr(request->path + 1, '/'))
		request->list[0].domain = 0;
}

static void model_watch_operation(int client)
{
	struct model_request where;
	struct model_watch *watch = NULL;
	char token[8];
	size_t skip;
	int error;

	memset(&where, 0, sizeof(where));
	model_choose_path(client, &where);
	skip = where.relative ? (size_t)sprintf(token, "/") + strlen("local/domain/0/") : 0;
	sprintf(token, "t%u", model_choose(3));
	for (unsigned int i = 0; i < model_watch_count; i++)
		if (model_watches[i].client == client &&
		    !strcmp(model_watches[i].path, where.path) &&
		    !strcmp(model_watches[i].token, token))
			watch = &model_watches[i];
	if (!watch && model_watch_count == MODEL_WATCHES)
		return;
	if (model_choose(4) == 0) {
		error =
		    client_strings(&clients[client], XS_UNWATCH, 0, where.path + skip, token, NULL);
		client_assert(error == (watch ? 0 : -ENOENT));
		if (watch)
			*watch = model_watches[--model_watch_count];
	} else {
		error =
		    client_strings(&clients[client], XS_WATCH, 0, where.path + skip, token, NULL);
		client_assert(error == (watch ? -EEXIST : 0));
		if (!watch) {
			watch = &model_watches[model_watch_count++];
			watch->client = client;
			strcpy(watch->path, where.path);
			strcpy(watch->token, token);
			watch->relative = where.relative;
			model_tell(watch, watch->path);
		}
	}
	model_check_events();
}

static void model_transaction_operation(int client)
{
	struct model_transaction *transaction =
	    &model_transactions[client][model_choose(MODEL_TRANSACTIONS)];
	struct model_request *request = &transaction->log[transaction->requests];

	if (!transaction->id) {
		transaction->requests = 0;
		transaction->released = false;
		transaction->started = model_changes;
		transaction->id = client_begin(&clients[client]);
	} else if (transaction->requests == MODEL_LOG || model_choose(6) == 0) {
		if (model_choose(4)) {
			model_commit(client, transaction);
			return;
		}
		client_assert(client_end(&clients[client], transaction->id, false) == 0);
		transaction->id = 0;
	} else {
		model_choose_request(client, request);
		model_send(client, transaction->id, request);
		transaction->requests++;
	}
	model_check_events();
}

static __attribute__((unused)) void model_operation(void)
{
	int client = (int)model_choose(MODEL_CLIENTS);
	struct model_request request;

	switch (model_choose(16)) {
	case 0:
	case 1:
		model_watch_operation(client);
		break;
	case 2:
		if (client && !model_choose(4))
			model_kill(client);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		model_transaction_operation(client);
		break;
	default:
		model_choose_request(client, &request);
		model_request_now(client, &request);
	}
}

/* Both hold the same, and the store has counted right. */
static __attribute__((unused)) void model_check(void)
{
	const char *problem = store_check(store);

	if (problem)
		client_fail(__FILE__, __LINE__, problem);
	client_assert(store->nodes.count == model.count);
	for (unsigned int i = 0; i < model.count; i++) {
		const struct model_node *node = &model.nodes[i];
		const struct node *theirs = node_find(store, node->path, strlen(node->path));

		client_assert(theirs && value_length(theirs->value) == strlen(node->value));
		client_assert(!theirs->value ||
			      !memcmp(theirs->value->bytes, node->value, strlen(node->value)));
		client_assert(theirs->permissions->count == node->count);
		for (unsigned int k = 0; k < node->count; k++)
			client_assert(theirs->permissions->list[k].domain == node->list[k].domain &&
				      theirs->permissions->list[k].access == node->list[k].access);
	}
}

static __attribute__((unused)) void model_start(void)
{
	struct model_node *root;

	world_begin(1);
	memset(&model, 0, sizeof(model));
	memset(model_transactions, 0, sizeof(model_transactions));
	model_watch_count = 0;
	model_changes = 0;
	root = model_add("/");
	root->count = 1;
	for (int domain = 1; domain < MODEL_CLIENTS; domain++) {
		clients[domain].state = 0;
		model_introduce(domain);
	}
	model_simple(0, XS_WRITE, "/shared", "", (struct permission){0, 0},
		     (struct permission){0, 0});
	model_simple(0, XS_SET_PERMS, "/shared", "",
		     (struct permission){0, ACCESS_READ | ACCESS_WRITE},
		     (struct permission){1, ACCESS_READ});
}

static __attribute__((unused)) void model_end(void)
{
	model_check();
	world_end();
}

#endif
