/* SPDX-License-Identifier: MIT */
/*
 * The requests. Each handler checks, does what can fail, and only then changes anything; it returns 0, with the
 * answer's payload in place (if it says nothing else, "OK"), or an error.
 */
#include <errno.h> /* first: with it the protocol's header has the names of errors */
#include "store/request.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Payloads */

const char *take_string(struct request *request)
{
	const char *text = request->next;
	size_t length = strnlen(text, request->left);

	if (length == request->left)
		return NULL;
	request->next += length + 1;
	request->left -= length + 1;
	return text;
}

int parse_number(const char *text, uint64_t most, uint64_t *number)
{
	uint64_t value = 0;

	if (!text || !*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > most)
			return -EINVAL;
	}
	*number = value;
	return 0;
}

int take_number(struct request *request, uint64_t most, uint64_t *number)
{
	return parse_number(take_string(request), most, number);
}

static int take_domain(struct request *request, domid_t *domain)
{
	uint64_t number;
	int error = take_number(request, UINT16_MAX, &number);

	*domain = error ? 0 : (domid_t)number;
	return error;
}

/*
 * The next string as an absolute path, in store->path: *length of it, of which the client did not say the first
 * *relative bytes. Special names are passed as they are if wanted.
 */
static int take_path(struct request *request, bool special, size_t *length, size_t *relative)
{
	const char *text = take_string(request);
	size_t size = text ? strlen(text) : 0, base = 0;
	char *path = request->store->path;

	if (!size)
		return -EINVAL;
	if (text[0] != '/' && text[0] != '@') {
		if (size > XENSTORE_REL_PATH_MAX)
			return -EINVAL;
		base = request->connection->base_length;
		memcpy(path, request->connection->base, base);
	}
	if (base + size > XENSTORE_ABS_PATH_MAX)
		return -EINVAL;
	memcpy(path + base, text, size + 1);
	*length = base + size;
	*relative = base;
	/* What follows the @ is anything that may stand in a path. */
	if (text[0] == '@') {
		if (!special)
			return -EINVAL;
		path[0] = '/';
	}
	if (!path_valid(path, *length))
		return -EINVAL;
	path[0] = text[0] == '@' ? '@' : '/';
	return 0;
}

/* A path and nothing else. */
static int take_only_path(struct request *request, size_t *length)
{
	size_t relative;
	int error = take_path(request, false, length, &relative);

	return error ? error : request->left ? -EINVAL : 0;
}

/* Answers */

/* A payload of this size, to be filled; NULL: no memory. */
static char *answer_room(struct request *request, size_t size)
{
	struct message *message = request->answer;

	if (size > PAYLOAD_SMALL) {
		message = message_make(size);
		if (!message)
			return NULL;
		free(request->answer);
		request->answer = message;
	}
	message->header.len = (uint32_t)size;
	return message->payload;
}

static int answer_bytes(struct request *request, const void *bytes, size_t size)
{
	char *room;

	if (size > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	room = answer_room(request, size);
	if (!room)
		return -ENOMEM;
	if (size)
		memcpy(room, bytes, size);
	return 0;
}

int answer_text(struct request *request, const char *text)
{
	return answer_bytes(request, text, strlen(text) + 1);
}

/* Nodes */

static int do_read(struct request *request)
{
	struct content content;
	size_t length;
	int error = take_only_path(request, &length);

	if (!error)
		error =
		    view_get(&request->view, request->store->path, length, ACCESS_READ, &content);
	if (error)
		return error;
	return answer_bytes(request, content.value ? content.value->bytes : "",
			    value_length(content.value));
}

static int do_write(struct request *request)
{
	struct value *value = NULL;
	size_t length, relative;
	int error = take_path(request, false, &length, &relative);

	if (error)
		return error;
	if (request->left) {
		value = value_make(request->next, request->left);
		if (!value)
			return -ENOMEM;
	}
	return view_write(&request->view, request->store->path, length, value);
}

static int do_mkdir(struct request *request)
{
	size_t length;
	int error = take_only_path(request, &length);

	return error ? error : view_mkdir(&request->view, request->store->path, length);
}

static int do_rm(struct request *request)
{
	size_t length;
	int error = take_only_path(request, &length);

	return error ? error : view_remove(&request->view, request->store->path, length);
}

static int do_directory(struct request *request)
{
	struct value *names;
	uint64_t generation;
	size_t length;
	int error = take_only_path(request, &length);

	if (!error)
		error = view_children(&request->view, request->store->path, length, &names,
				      &generation);
	if (error)
		return error;
	error = answer_bytes(request, names->bytes, names->length);
	value_put(names);
	return error;
}

/* The whole names that fit from `from` on; an empty one more when these are the last. */
static int answer_part(struct request *request, const struct value *names, uint64_t from,
		       uint64_t generation)
{
	char number[24], *room;
	size_t head = (size_t)snprintf(number, sizeof(number), "%" PRIu64, generation) + 1;
	size_t most = XENSTORE_PAYLOAD_MAX - head - 1, size = 0, next;
	bool end;

	while (from + size < names->length) {
		next = size + strnlen(names->bytes + from + size, names->length - from - size) + 1;
		if (next > most)
			break;
		size = next;
	}
	end = from + size >= names->length;
	room = answer_room(request, head + size + end);
	if (!room)
		return -ENOMEM;
	memcpy(room, number, head);
	memcpy(room + head, names->bytes + from, size);
	if (end)
		room[head + size] = 0;
	return 0;
}

static int do_directory_part(struct request *request)
{
	struct value *names;
	uint64_t generation, from;
	size_t length, relative;
	int error = take_path(request, false, &length, &relative);

	if (!error)
		error = take_number(request, UINT32_MAX, &from);
	if (!error && request->left)
		error = -EINVAL;
	if (!error)
		error = view_children(&request->view, request->store->path, length, &names,
				      &generation);
	if (error)
		return error;
	error = from > names->length ? -EINVAL : answer_part(request, names, from, generation);
	value_put(names);
	return error;
}

/* Permissions */

static const char letters[4] = {
    [0] = 'n', [ACCESS_READ] = 'r', [ACCESS_WRITE] = 'w', [ACCESS_READ | ACCESS_WRITE] = 'b'};

static int do_get_perms(struct request *request)
{
	struct store *store = request->store;
	const struct permissions *permissions;
	struct permissions **special;
	struct content content;
	size_t length, relative, size = 0;
	char text[8], *room;
	int error = take_path(request, true, &length, &relative);

	if (!error && request->left)
		error = -EINVAL;
	if (error)
		return error;
	special = watch_special(store, store->path, length);
	if (special && (permissions_access(*special, request->connection) & ACCESS_READ))
		permissions = *special;
	else if (store->path[0] == '@')
		return special ? -EACCES : -ENOENT;
	else if ((error = view_get(&request->view, store->path, length, ACCESS_READ, &content)))
		return error;
	else
		permissions = content.permissions;
	for (unsigned int i = 0; i < permissions->count; i++)
		size +=
		    (size_t)snprintf(text, sizeof(text), "n%u", permissions->list[i].domain) + 1;
	if (size > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	room = answer_room(request, size);
	if (!room)
		return -ENOMEM;
	for (unsigned int i = 0; i < permissions->count; i++)
		room += sprintf(room, "%c%u", letters[permissions->list[i].access],
				permissions->list[i].domain) +
			1;
	return 0;
}

static int parse_permission(const char *text, struct permission *permission)
{
	uint64_t domain;

	for (unsigned int access = 0; access < sizeof(letters); access++) {
		if (text[0] != letters[access])
			continue;
		permission->access = (uint8_t)access;
		if (parse_number(text + 1, UINT16_MAX, &domain) != 0)
			return -EINVAL;
		permission->domain = (domid_t)domain;
		return 0;
	}
	return -EINVAL;
}

/* The rest of the payload as a list. NULL: *error says why. */
static struct permissions *take_permissions(struct request *request, int *error)
{
	struct permissions *permissions = NULL;
	struct permission *list;
	unsigned int count = 0, n = 0;
	const char *text;

	for (size_t i = 0; i < request->left; i++)
		count += !request->next[i];
	*error = -EINVAL;
	if (!count || request->next[request->left - 1])
		return NULL;
	*error = -ENOSPC;
	if (!request->connection->privileged && count > request->store->quota.permissions)
		return NULL;
	*error = -ENOMEM;
	list = calloc(count, sizeof(*list));
	if (!list)
		return NULL;
	while ((text = take_string(request)) != NULL) {
		*error = parse_permission(text, &list[n++]);
		if (*error)
			goto done;
	}
	permissions = permissions_make(request->store, list, count);
	*error = permissions ? 0 : -ENOMEM;
done:
	free(list);
	return permissions;
}

static int do_set_perms(struct request *request)
{
	struct store *store = request->store;
	struct permissions *permissions, **special;
	size_t length, relative;
	int error = take_path(request, true, &length, &relative);

	if (error)
		return error;
	permissions = take_permissions(request, &error);
	if (!permissions)
		return error;
	special = watch_special(store, store->path, length);
	if (special && request->connection->privileged) {
		permissions_put(*special);
		*special = permissions_get(permissions);
	} else if (store->path[0] == '@') {
		error = special ? -EACCES : -ENOENT;
	} else {
		error = view_set_permissions(&request->view, store->path, length, permissions);
	}
	permissions_put(permissions);
	return error;
}

/* Watches */

static int do_watch(struct request *request)
{
	struct store *store = request->store;
	size_t length, relative;
	const char *token;
	uint64_t depth = 0;
	bool limited = false;
	int error = take_path(request, true, &length, &relative);

	if (error)
		return error;
	token = take_string(request);
	if (!token)
		return -EINVAL;
	if (request->left) {
		error = take_number(request, XENSTORE_ABS_PATH_MAX, &depth);
		limited = true;
	}
	if (error || request->left)
		return -EINVAL;
	error = watch_add(request->connection, store->path, length, relative, token,
			  limited ? (int)depth : -1);
	if (!error)
		request->added = watch_find(request->connection, store->path, length, token);
	return error;
}

static int do_unwatch(struct request *request)
{
	size_t length, relative;
	const char *token;
	int error = take_path(request, true, &length, &relative);

	if (error)
		return error;
	token = take_string(request);
	if (!token)
		return -EINVAL;
	return watch_remove(request->connection, request->store->path, length, token);
}

static int do_reset_watches(struct request *request)
{
	watch_remove_all(request->connection);
	transaction_end_all(request->connection);
	return 0;
}

/* Transactions */

static int do_transaction_start(struct request *request)
{
	char text[PAYLOAD_SMALL];
	uint32_t id;
	int error;

	if (request->view.transaction)
		return -EBUSY;
	error = transaction_start(request->connection, &id);
	if (error)
		return error;
	snprintf(text, sizeof(text), "%" PRIu32, id);
	return answer_text(request, text); /* small: cannot fail */
}

static int do_transaction_end(struct request *request)
{
	const char *how = take_string(request);

	if (!request->view.transaction)
		return -ENOENT;
	if (!how || request->left || (strcmp(how, "T") != 0 && strcmp(how, "F") != 0))
		return -EINVAL;
	return transaction_end(request->view.transaction, how[0] == 'T');
}

/* Domains */

static int do_introduce(struct request *request)
{
	uint64_t frame, port;
	const char *text;
	bool negative;
	domid_t domain;
	int error = take_domain(request, &domain);

	if (error)
		return error;
	/* By the document it is signed; then the upper half of the numbers is negative. */
	text = take_string(request);
	negative = text && text[0] == '-';
	if (parse_number(negative ? text + 1 : text, UINT64_MAX >> 4, &frame) != 0 ||
	    take_number(request, UINT32_MAX, &port) != 0)
		return -EINVAL;
	return domain_introduce(request->store, domain, negative ? -frame : frame, (uint32_t)port);
}

static int do_release(struct request *request)
{
	domid_t domain;
	int error = take_domain(request, &domain);

	return error ? error : domain_release(request->store, domain);
}

static int do_get_domain_path(struct request *request)
{
	char text[32];
	domid_t domain;
	int error = take_domain(request, &domain);

	if (error)
		return error;
	snprintf(text, sizeof(text), "/local/domain/%u", domain);
	return answer_text(request, text);
}

static int do_is_domain_introduced(struct request *request)
{
	domid_t domain;
	int error = take_domain(request, &domain);

	if (error)
		return error;
	return answer_text(request, domain_is_introduced(request->store, domain) ? "T" : "F");
}

static int do_resume(struct request *request)
{
	domid_t domain;
	int error = take_domain(request, &domain);

	return error ? error : domain_resume(request->store, domain);
}

static int do_set_target(struct request *request)
{
	domid_t domain, target;
	int error = take_domain(request, &domain);

	if (!error)
		error = take_domain(request, &target);
	return error ? error : domain_set_target(request->store, domain, target);
}

/* Which is which */

static const struct {
	const char *name;
	int (*run)(struct request *request);
	bool privileged;     /* for dom0 only */
	bool in_transaction; /* tx_id means something */
} requests[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {"CONTROL", do_control, true, false},
    [XS_DIRECTORY] = {"DIRECTORY", do_directory, false, true},
    [XS_READ] = {"READ", do_read, false, true},
    [XS_GET_PERMS] = {"GET_PERMS", do_get_perms, false, true},
    [XS_WATCH] = {"WATCH", do_watch, false, false},
    [XS_UNWATCH] = {"UNWATCH", do_unwatch, false, false},
    [XS_TRANSACTION_START] = {"TRANSACTION_START", do_transaction_start, false, true},
    [XS_TRANSACTION_END] = {"TRANSACTION_END", do_transaction_end, false, true},
    [XS_INTRODUCE] = {"INTRODUCE", do_introduce, true, false},
    [XS_RELEASE] = {"RELEASE", do_release, true, false},
    [XS_GET_DOMAIN_PATH] = {"GET_DOMAIN_PATH", do_get_domain_path, false, false},
    [XS_WRITE] = {"WRITE", do_write, false, true},
    [XS_MKDIR] = {"MKDIR", do_mkdir, false, true},
    [XS_RM] = {"RM", do_rm, false, true},
    [XS_SET_PERMS] = {"SET_PERMS", do_set_perms, false, true},
    [XS_IS_DOMAIN_INTRODUCED] = {"IS_DOMAIN_INTRODUCED", do_is_domain_introduced, false, false},
    [XS_RESUME] = {"RESUME", do_resume, true, false},
    [XS_SET_TARGET] = {"SET_TARGET", do_set_target, true, false},
    [XS_RESET_WATCHES] = {"RESET_WATCHES", do_reset_watches, false, false},
    [XS_DIRECTORY_PART] = {"DIRECTORY_PART", do_directory_part, false, true},
};

static int run(struct request *request)
{
	const struct xsd_sockmsg *header = &request->connection->header;

	if (header->type >= XS_TYPE_COUNT || !requests[header->type].run)
		return -ENOSYS;
	if (requests[header->type].privileged && !request->connection->privileged)
		return -EACCES;
	if (requests[header->type].in_transaction && header->tx_id) {
		request->view.transaction = transaction_find(request->connection, header->tx_id);
		if (!request->view.transaction)
			return -ENOENT;
	}
	return requests[header->type].run(request);
}

static const char *error_name(int error)
{
	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (xsd_errors[i].errnum == -error)
			return xsd_errors[i].errstring;
	return "EINVAL";
}

/* For CONTROL log: who asked what, with the first string of it, and what came of it. */
static void log_request(const struct connection *connection, int error)
{
	const struct xsd_sockmsg *header = &connection->header;
	bool known = header->type < XS_TYPE_COUNT && requests[header->type].run;
	char text[160];
	size_t used;

	used = (size_t)snprintf(text, sizeof(text), "%u %s %u ", connection->account->domain,
				known ? requests[header->type].name : "unknown", header->tx_id);
	for (uint32_t i = 0; i < header->len && connection->payload[i] && used < 140; i++) {
		char c = connection->payload[i];

		text[used++] = c > ' ' && c < 0x7f ? c : '?';
	}
	snprintf(text + used, sizeof(text) - used, " %s", error ? error_name(error) : "OK");
	connection->store->platform->print(text);
}

void request_run(struct connection *connection)
{
	struct request request = {
	    .connection = connection,
	    .store = connection->store,
	    .view = {.connection = connection},
	    .next = connection->payload,
	    .left = connection->header.len,
	    .answer = message_make(PAYLOAD_SMALL),
	};
	struct xsd_sockmsg *header;
	int error = -ENOMEM;

	if (request.answer) {
		answer_text(&request, "OK");
		error = run(&request);
	} else {
		request.answer = connection->spare;
		connection->spare_used = true;
	}
	header = &request.answer->header;
	header->type = error ? XS_ERROR : connection->header.type;
	header->req_id = connection->header.req_id;
	header->tx_id = connection->header.tx_id;
	/* If an answer was made before the error it has at least the room of a small one. */
	if (error)
		answer_text(&request, error_name(error));
	if (connection->store->log)
		log_request(connection, error);
	connection_answer(connection, request.answer);
	if (request.added)
		connection_event(request.added, request.added->path, request.added->length);
}
