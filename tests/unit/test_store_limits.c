/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/store/table.c dom0-tools/store/path.c dom0-tools/store/permission.c dom0-tools/store/tree.c dom0-tools/store/watch.c dom0-tools/store/transaction.c dom0-tools/store/view.c dom0-tools/store/request.c dom0-tools/store/control.c dom0-tools/store/ring.c dom0-tools/store/connection.c dom0-tools/store/domain.c dom0-tools/store/store.c
// libs: -Wl,--wrap=malloc -Wl,--wrap=calloc
/* The store and clients that want too much, break the rules or take nothing; and without memory. */
#include "unit.h"
#include "store_client.h"

#define dom0 (&clients[0])
#define one  (&clients[1])
#define two  (&clients[2])

/* Allocations of the store fail from the n-th on, once or for good. */
static long fail_after = -1;
static bool fail_once;
static unsigned long failures;

static bool fails(void)
{
	if (fail_after < 0 || fail_after--)
		return false;
	fail_after = fail_once ? -1 : 0;
	failures++;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

static int start(void **state)
{
	world_begin(4);
	return 0;
}

static int stop(void **state)
{
	world_end();
	return 0;
}

static void set_quota(const char *name, const char *value)
{
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "quota", "set", name, value, NULL), 0);
}

/* Quotas */

static unsigned int create_until_refused(struct client *client, uint32_t tx, int *error)
{
	char path[32];
	unsigned int i = 0;

	do {
		sprintf(path, "data/%u", i);
		*error = client_write(client, tx, path, "");
	} while (!*error && ++i < 10000);
	return i;
}

static void nodes_are_limited(void **state)
{
	unsigned int before = one->connection->account->nodes;
	uint32_t tx;
	int error;

	set_quota("nodes", "50");
	assert_int_equal(create_until_refused(one, 0, &error), 50 - before);
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(client_strings(one, XS_MKDIR, 0, "data/x", NULL), -ENOSPC);
	assert_int_equal(client_write(one, 0, "data/0", "changed"), 0);
	/* Others have theirs, and dom0 may give more. */
	assert_int_equal(client_write(two, 0, "data/x", ""), 0);
	assert_int_equal(client_write(dom0, 0, "/local/domain/1/data/gift", ""), 0);
	assert_int_equal(one->connection->account->nodes, 51);
	assert_int_equal(client_strings(one, XS_RM, 0, "data/gift", NULL), 0);
	assert_int_equal(client_strings(one, XS_RM, 0, "data/0", NULL), 0);
	assert_int_equal(client_write(one, 0, "data/a/b", ""), -ENOSPC);
	assert_null(client_read(one, 0, "data/a")); /* all of it or nothing */
	assert_int_equal(client_write(one, 0, "data/a", ""), 0);
	/* In transactions too, one by one or both at once. */
	assert_int_equal(client_strings(one, XS_RM, 0, "data/a", NULL), 0);
	tx = client_begin(one);
	assert_int_equal(client_write(one, tx, "data/a", ""), 0);
	assert_int_equal(client_write(one, tx, "data/b", ""), -ENOSPC);
	assert_int_equal(client_write(one, 0, "data/c", ""), 0);
	assert_int_equal(client_end(one, tx, true), -ENOSPC);
	assert_null(client_read(one, 0, "data/a"));
	tx = client_begin(one);
	assert_int_equal(client_strings(one, XS_RM, tx, "data/1", NULL), 0);
	assert_int_equal(client_write(one, tx, "data/a", ""), 0);
	assert_int_equal(client_end(one, tx, true), 0);
}

static void sizes_are_limited(void **state)
{
	char value[3000];

	memset(value, 'v', sizeof(value));
	value[2049] = 0;
	assert_int_equal(client_write(one, 0, "data/x", value), -ENOSPC);
	assert_null(client_read(one, 0, "data/x"));
	value[2048] = 0;
	assert_int_equal(client_write(one, 0, "data/x", value), 0);
	value[2048] = 'v';
	assert_int_equal(client_write(one, 0, "data/x", value), -ENOSPC);
	assert_int_equal(client_write(dom0, 0, "/local/domain/1/data/x", value), 0);
	assert_int_equal(client_strings(one, XS_READ, 0, "data/x", NULL), 0);
	assert_int_equal(one->answer.len, 2049);
}

static void memory_is_limited(void **state)
{
	char value[2049], path[64];
	int error = 0, written = 0;

	memset(value, 'v', 2048);
	value[2048] = 0;
	set_quota("memory", "100000");
	for (; !error && written < 1000; written++) {
		sprintf(path, "data/%d", written);
		error = client_write(one, 0, path, value);
	}
	assert_int_equal(error, -ENOSPC);
	assert_in_range(written, 35, 50);
	assert_in_range(one->connection->account->bytes, 95000, 100000);
	/* A long way down costs what its names cost: refused as a whole. */
	strcpy(value, "data");
	for (int i = 0; i < 500; i++)
		strcat(value, "/d");
	assert_int_equal(client_strings(two, XS_MKDIR, 0, value, NULL), -ENOSPC);
	assert_null(client_read(two, 0, "data/d"));
	/* What it has may still be read and removed. */
	assert_int_equal(client_strings(one, XS_READ, 0, "data/1", NULL), 0);
	assert_int_equal(client_strings(one, XS_RM, 0, "data/1", NULL), 0);
	assert_int_equal(client_write(one, 0, "data/1", ""), 0);
	/* One that others may write to: it is the owner that pays. */
	assert_int_equal(client_strings(one, XS_SET_PERMS, 0, "data/1", "n1", "w2", NULL), 0);
	memset(value, 'v', 2048);
	assert_int_equal(client_write(two, 0, "/local/domain/1/data/1", value), 0);
	assert_int_equal(client_write(one, 0, "data/new", value), -ENOSPC);
}

/* Many domains share what there is for all; those that have more keep it, but get no more. */
static void memory_is_shared(void **state)
{
	char value[2049];

	memset(value, 'v', 2048);
	value[2048] = 0;
	set_quota("total-memory", "27000"); /* three domains */
	for (int i = 0; i < 4; i++) {
		char path[32];

		sprintf(path, "data/%d", i);
		assert_int_equal(client_write(one, 0, path, value), i < 3 ? 0 : -ENOSPC);
	}
	assert_in_range(one->connection->account->bytes, 6000, 10000);
	assert_int_equal(client_strings(dom0, XS_RELEASE, 0, "3", NULL), 0);
	assert_int_equal(client_write(one, 0, "data/3", value), 0); /* shares have grown */
	introduce(3);
	assert_int_equal(client_write(one, 0, "data/4", ""), -ENOSPC);
	assert_int_equal(client_write(two, 0, "data/4", value), 0);
	assert_int_equal(client_strings(one, XS_RM, 0, "data/0", NULL), 0);
	assert_int_equal(client_write(one, 0, "data/4", ""), 0);
}

/* Answers that are not taken count, too: no more than fit, and one in any case. */
static void answers_are_memory(void **state)
{
	struct xsd_sockmsg header = {.type = XS_READ, .len = 7};
	char message[sizeof(header) + 7], value[2049];

	memset(value, 'v', 2048);
	value[2048] = 0;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), "data/x", 7);
	assert_int_equal(client_write(one, 0, "data/x", value), 0);
	set_quota("memory", "10000");
	for (int i = 0; i < 20; i++) {
		client_put(one, message, sizeof(message));
		run_store();
	}
	assert_in_range(one->connection->answers, 2, 5);
	set_quota("memory", "1");
	for (int i = 0; i < 200; i++) {
		client_receive(one);
		run_store();
	}
	assert_int_equal(one->connection->answers, 0);
	assert_int_equal(one->ring.req_cons, one->ring.req_prod);
	assert_non_null(client_read(one, 0, "data/x"));
}

static void transactions_are_limited(void **state)
{
	uint32_t tx[10];
	char path[32];
	int error = 0;
	unsigned int i;

	for (i = 0; i < 10; i++)
		tx[i] = client_begin(one);
	assert_int_equal(client_strings(one, XS_TRANSACTION_START, 0, "", NULL), -ENOSPC);
	for (i = 1; i < 10; i++)
		assert_int_equal(client_end(one, tx[i], i & 1), 0);
	/* Looking costs too. */
	for (i = 0; !error && i < 2000; i++) {
		sprintf(path, "data/%u", i);
		if (!client_read(one, tx[0], path) && errno != ENOENT)
			error = -errno;
	}
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(client_end(one, tx[0], false), 0);
	set_quota("transaction-nodes", "20");
	tx[0] = client_begin(one);
	assert_in_range(create_until_refused(one, tx[0], &error), 10, 20);
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(client_end(one, tx[0], true), 0);
}

/* Rewriting within a transaction neither leaks nor adds up. */
static void rewriting_costs_once(void **state)
{
	char value[1025];
	uint32_t tx = client_begin(one);
	size_t bytes = 0;

	memset(value, 'v', 1024);
	value[1024] = 0;
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(client_write(one, tx, "data/x", value), 0);
		if (i == 10)
			bytes = one->connection->account->bytes;
	}
	assert_int_equal(one->connection->account->bytes, bytes);
	assert_int_equal(client_end(one, tx, true), 0);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(client_write(one, 0, "data/x", value), 0);
}

static void watches_are_limited(void **state)
{
	char token[4000];
	int error = 0, added = 0;

	for (; !error && added < 1000; added++) {
		sprintf(token, "t%d", added);
		error = client_strings(one, XS_WATCH, 0, "data", token, NULL);
	}
	assert_int_equal(error, -E2BIG);
	assert_int_equal(added, 129);
	assert_int_equal(client_strings(one, XS_RESET_WATCHES, 0, "", NULL), 0);
	memset(token, 't', sizeof(token));
	token[3999] = 0;
	set_quota("memory", "50000");
	for (added = 0, error = 0; !error && added < 1000; added++) {
		token[added] = 'x';
		error = client_strings(one, XS_WATCH, 0, "data", token, NULL);
	}
	assert_int_equal(error, -ENOSPC);
	assert_in_range(added, 5, 12);
}

static void permission_lists_are_limited(void **state)
{
	assert_int_equal(
	    client_strings(one, XS_SET_PERMS, 0, "data", "n1", "r2", "r3", "r4", "r5", NULL), 0);
	assert_int_equal(
	    client_strings(one, XS_SET_PERMS, 0, "data", "n1", "r2", "r3", "r4", "r5", "r6", NULL),
	    -ENOSPC);
	assert_int_equal(client_strings(dom0, XS_SET_PERMS, 0, "/local/domain/1/data", "n1", "r2",
					"r3", "r4", "r5", "r6", NULL),
			 0);
}

/* Clients that do not take what they are sent */

static void events_for_a_sleeper_are_bounded(void **state)
{
	struct account *account = one->connection->account;
	char path[64];
	bool seen_root = false;

	assert_int_equal(client_strings(one, XS_WATCH, 0, "data", "all", NULL), 0);
	assert_int_equal(client_strings(one, XS_WATCH, 0, "data/1", "some", NULL), 0);
	client_receive(one);
	client_forget_events(one);
	for (int i = 0; i < 5000; i++) {
		sprintf(path, "/local/domain/1/data/%d", i % 2500);
		assert_int_equal(client_write(dom0, 0, path, "x"), 0);
		assert_true(one->connection->events <= store->quota.events);
	}
	assert_in_range(account->bytes, 1, 2500 * 300 + 64 * 100);
	/* When it wakes it hears of those that had room, and of the rest as a whole. */
	for (int i = 0; i < 1000; i++) {
		client_receive(one);
		run_store();
	}
	assert_in_range(one->event_count, 64, 128);
	for (unsigned int i = 64; i < one->event_count; i++)
		seen_root |= !strcmp(one->events[i].path, "data");
	assert_true(seen_root);
	/* And again of each. */
	client_forget_events(one);
	assert_int_equal(client_write(dom0, 0, "/local/domain/1/data/1", "y"), 0);
	client_receive(one);
	assert_int_equal(one->event_count, 2);
}

static void the_same_event_waits_once(void **state)
{
	char path[64];

	assert_int_equal(client_strings(one, XS_WATCH, 0, "data", "t", NULL), 0);
	client_receive(one);
	for (int i = 0; i < 1000; i++) {
		sprintf(path, "/local/domain/1/data/%d", i % 40);
		assert_int_equal(client_write(dom0, 0, path, "x"), 0);
	}
	/* What the ring holds, and each of the rest. */
	assert_in_range(one->connection->events, 10, 41);
	assert_false(one->connection->missed);
}

static void unwatch_takes_events_back(void **state)
{
	char path[64];

	assert_int_equal(client_strings(one, XS_WATCH, 0, "data", "t", NULL), 0);
	client_receive(one);
	for (int i = 0; i < 60; i++) {
		sprintf(path, "/local/domain/1/data/%d", i);
		assert_int_equal(client_write(dom0, 0, path, "x"), 0);
	}
	assert_true(one->connection->events > 10);
	assert_int_equal(client_strings(one, XS_UNWATCH, 0, "data", "t", NULL), 0);
	assert_int_equal(one->connection->events, 0);
	client_forget_events(one);
	assert_int_equal(client_write(dom0, 0, "/local/domain/1/data/1", "x"), 0);
	client_receive(one);
	assert_int_equal(one->event_count, 0);
}

/* An event with this path would be longer than a message may be. */
static void an_event_too_long_names_the_watch(void **state)
{
	static char path[XENSTORE_ABS_PATH_MAX + 1], token[2000];

	memset(token, 't', sizeof(token) - 1);
	memset(path, 'p', sizeof(path) - 1);
	memcpy(path, "/w/", 3);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w", token, NULL), 0);
	client_forget_events(dom0);
	assert_int_equal(client_write(dom0, 0, path, "x"), 0);
	assert_int_equal(dom0->event_count, 1);
	assert_string_equal(dom0->events[0].path, "/w");
}

/* Requests without an end, answers not taken: a bounded number is served, and others are served as ever. */
static void a_flood_of_requests_waits(void **state)
{
	struct xsd_sockmsg header = {.type = XS_READ, .len = 7};
	char message[sizeof(header) + 7], value[2001];
	size_t sent = 0;

	memset(value, 'v', 2000);
	value[2000] = 0;
	assert_int_equal(client_write(one, 0, "data/x", value), 0);
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), "data/x", 7);
	for (int i = 0; i < 2000; i++) {
		sent += client_put(one, message + sent % sizeof(message),
				   sizeof(message) - sent % sizeof(message));
		run_store();
		assert_true(one->connection->answers <= store->quota.requests);
	}
	assert_in_range(sent / sizeof(message), 20, 20 + 2 + XENSTORE_RING_SIZE / sizeof(message));
	assert_int_equal(client_write(two, 0, "data/x", "served"), 0);
	for (int i = 0; i < 2000; i++) {
		client_receive(one);
		run_store();
	}
	assert_int_equal(one->connection->answers, 0);
	assert_int_equal(one->ring.req_cons, one->ring.req_prod);
}

/* One turn is one request. */
static void turns_are_taken_in_turn(void **state)
{
	struct xsd_sockmsg header = {.type = XS_READ, .len = 5};
	char message[sizeof(header) + 5];

	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), "data", 5);
	for (int i = 0; i < 40; i++)
		client_put(one, message, sizeof(message));
	client_put(two, message, sizeof(message));
	assert_true(store_step(store));
	assert_int_equal(one->ring.req_cons % sizeof(message),
			 two->ring.req_cons % sizeof(message));
	assert_true(store_step(store));
	assert_int_equal(two->ring.req_cons, two->ring.req_prod);
	assert_in_range(one->ring.req_prod - one->ring.req_cons, 38 * sizeof(message),
			40 * sizeof(message));
}

/* Rings */

static void check_broken(struct client *client, uint32_t error)
{
	connection_ready(client->connection);
	run_store();
	assert_int_equal(client->ring.error, error);
	assert_int_equal(client->connection->error, error);
	assert_null(client->connection->watches);
	assert_null(client->connection->transactions);
	assert_null(store_check(store));
	/* Whatever it does now is of no interest ... */
	client->ring.req_prod += 16;
	connection_ready(client->connection);
	run_store();
	assert_int_equal(client_write(two, 0, "data/still", "there"), 0);
	/* ... but for wanting a new start. */
	client->ring.connection = XENSTORE_RECONNECT;
	connection_ready(client->connection);
	run_store();
	assert_int_equal(client->ring.connection, XENSTORE_CONNECTED);
	assert_int_equal(client->ring.error, XENSTORE_ERROR_NONE);
	client->in_size = 0;
	assert_non_null(client_read(client, 0, "data"));
}

static void impossible_indices(void **state)
{
	static const uint32_t ahead[] = {XENSTORE_RING_SIZE + 1, 0x7fffffff, 0x80000000,
					 0xffffffff};

	for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		assert_int_equal(client_strings(one, XS_WATCH, 0, "data", "t", NULL), 0);
		client_begin(one);
		one->ring.req_prod = one->ring.req_cons + ahead[i];
		check_broken(one, XENSTORE_ERROR_RINGIDX);
		one->ring.rsp_cons = one->ring.rsp_prod + ahead[i];
		if (one->ring.rsp_prod - one->ring.rsp_cons <= XENSTORE_RING_SIZE)
			one->ring.rsp_cons = one->ring.rsp_prod + 1;
		client_put(one, "\2\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0data", 21);
		check_broken(one, XENSTORE_ERROR_RINGIDX);
	}
}

/* Ours are not read back from where the client can write. */
static void indices_of_ours_that_it_changes(void **state)
{
	uint32_t rsp_prod = one->ring.rsp_prod;

	client_put(one, "\2\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0data", 21);
	one->ring.req_cons += 77;
	one->ring.rsp_prod -= 5;
	one->ring.server_features = 0xffffffff;
	one->ring.error = 99;
	run_store();
	assert_int_equal(one->ring.error, 99);
	assert_int_equal(one->ring.req_cons, one->ring.req_prod);
	assert_int_equal(one->ring.rsp_prod, rsp_prod + 16);
}

static void messages_that_are_too_long(void **state)
{
	struct xsd_sockmsg header = {.type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1};

	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_strings(one, XS_WATCH, 0, "data", "t", NULL), 0);
		client_begin(one);
		client_put(one, &header, sizeof(header));
		check_broken(one, XENSTORE_ERROR_PROTO);
		header.len = 0xffffffff;
	}
}

static void a_new_start_forgets_all(void **state)
{
	uint32_t tx = client_begin(one);
	struct xsd_sockmsg header = {.type = XS_WRITE, .len = 100};

	assert_int_equal(client_strings(one, XS_WATCH, 0, "data", "t", NULL), 0);
	assert_int_equal(client_write(one, tx, "data/x", "x"), 0);
	client_receive(one);
	client_forget_events(one);
	client_put(one, &header, sizeof(header)); /* the rest never comes */
	run_store();
	one->ring.connection = XENSTORE_RECONNECT;
	memset(one->ring.req, 'x', sizeof(one->ring.req));
	connection_ready(one->connection);
	run_store();
	assert_int_equal(one->ring.connection, XENSTORE_CONNECTED);
	assert_int_equal(one->ring.req_prod, one->ring.req_cons);
	assert_int_equal(one->ring.rsp_prod, one->ring.rsp_cons);
	one->in_size = 0;
	assert_int_equal(client_end(one, tx, true), -ENOENT);
	assert_int_equal(client_write(one, 0, "data/x", "x"), 0);
	assert_int_equal(one->event_count, 0);
}

/* A message may come in any pieces, and the ring may be anywhere. */
static void messages_in_pieces(void **state)
{
	struct xsd_sockmsg header = {.type = XS_WRITE, .req_id = 7, .len = 2007};
	char message[sizeof(header) + 2007], expected[2001];

	memset(expected, 'v', 2000);
	expected[2000] = 0;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), "data/x", 7);
	memcpy(message + sizeof(header) + 7, expected, 2000);
	for (size_t piece = 1; piece < 1024; piece = piece * 3 + 1) {
		one->answered = false;
		for (size_t done = 0; done < sizeof(message);) {
			size_t size =
			    sizeof(message) - done < piece ? sizeof(message) - done : piece;

			done += client_put(one, message + done, size);
			run_store();
		}
		client_receive(one);
		assert_true(one->answered && one->answer.type == XS_WRITE &&
			    one->answer.req_id == 7);
		assert_string_equal(client_read(one, 0, "data/x"), expected);
	}
}

/* A domain comes with bytes in its ring, anywhere in it: they are what it has asked already. */
static void a_ring_that_was_in_use(void **state)
{
	assert_int_equal(client_strings(dom0, XS_RELEASE, 0, "1", NULL), 0);
	one->ring.req_cons = one->ring.req_prod = 0xfffffff8;
	one->ring.rsp_cons = one->ring.rsp_prod = 0xfffffffd;
	client_put(one, "\2\0\0\0\3\0\0\0\0\0\0\0\5\0\0\0data", 21);
	assert_int_equal(client_strings(dom0, XS_INTRODUCE, 0, "1", "1", "1", NULL), 0);
	run_store();
	client_receive(one);
	assert_true(one->answered && one->answer.req_id == 3);
}

/* Without memory */

/* Things of every kind, whatever their answers are. */
static void do_something(uint32_t tx)
{
	char number[16];

	client_write(one, tx, "data/a/b/c", "a value");
	client_write(one, tx, "data/a/b/c", "another value");
	client_strings(one, XS_DIRECTORY, tx, "data", NULL);
	client_strings(one, XS_READ, tx, "data/a/b/c", NULL);
	client_strings(one, XS_SET_PERMS, tx, "data/a", "r1", "b2", NULL);
	client_strings(one, XS_GET_PERMS, tx, "data/a", NULL);
	client_strings(one, XS_DIRECTORY_PART, tx, "data/a", "0", NULL);
	client_strings(one, XS_WATCH, tx, "data", "t", NULL);
	client_strings(two, XS_WATCH, 0, "/local/domain/1", "t", NULL);
	client_write(two, 0, "/local/domain/1/data/a/two", "x");
	client_strings(one, XS_RM, tx, "data/a/b", NULL);
	client_strings(one, XS_UNWATCH, tx, "data", "t", NULL);
	if (!tx && client_strings(one, XS_TRANSACTION_START, 0, "", NULL) == 0) {
		uint32_t id = (uint32_t)strtoul(one->payload, NULL, 10);

		do_something(id);
		snprintf(number, sizeof(number), "%u", id);
		client_end(one, id, true);
	}
	if (!tx) {
		client_strings(dom0, XS_RELEASE, 0, "3", NULL);
		client_strings(dom0, XS_INTRODUCE, 0, "3", "1", "1", NULL);
	}
}

/*
 * Let each allocation fail in turn, once or with all after it: no answer is missing, all is counted right, what
 * failed has changed nothing, and once there is memory again all works.
 */
static void without_memory(void **state)
{
	unsigned long before;

	for (int once = 0; once < 2; once++) {
		for (long n = 0;; n++) {
			stop(NULL);
			start(NULL);
			before = failures;
			fail_once = once;
			fail_after = n;
			do_something(0);
			fail_after = -1;
			assert_null(store_check(store));
			client_receive(one);
			client_receive(two);
			run_store();
			assert_int_equal(client_write(one, 0, "data/after", "x"), 0);
			assert_int_equal(client_strings(dom0, XS_RELEASE, 0, "1", NULL), 0);
			if (failures == before)
				break;
		}
	}
	assert_true(failures > 100);
}

/* A write that fails leaves the old value, a creation nothing, a commit's failure nothing of it. */
static void failure_changes_nothing(void **state)
{
	for (long n = 0;; n++) {
		unsigned long before = failures;
		uint32_t tx;
		int error;

		stop(NULL);
		start(NULL);
		assert_int_equal(client_write(one, 0, "data/x", "old"), 0);
		fail_once = true;
		fail_after = n;
		error = client_write(one, 0, "data/x", "new");
		fail_after = -1;
		assert_string_equal(client_read(one, 0, "data/x"), error ? "old" : "new");
		fail_after = n;
		error = client_write(one, 0, "data/p/q/r", "new");
		fail_after = -1;
		assert_int_equal(!client_read(one, 0, "data/p"), error != 0);
		fail_after = n;
		error = client_strings(one, XS_SET_PERMS, 0, "data/x", "n1", "r2", NULL);
		fail_after = -1;
		assert_int_equal(client_strings(two, XS_READ, 0, "/local/domain/1/data/x", NULL),
				 error ? -EACCES : 0);
		/* In a transaction, what failed is not done when the rest is. */
		tx = client_begin(one);
		assert_int_equal(client_write(one, tx, "data/done", "1"), 0);
		fail_after = n;
		error = client_write(one, tx, "data/t/u", "new");
		fail_after = -1;
		assert_int_equal(!client_read(one, tx, "data/t"), error != 0);
		assert_int_equal(client_end(one, tx, true), 0);
		assert_int_equal(!client_read(one, 0, "data/t"), error != 0);
		assert_non_null(client_read(one, 0, "data/done"));
		tx = client_begin(one);
		assert_int_equal(client_write(one, tx, "data/v/w", "1"), 0);
		fail_after = n;
		error = client_end(one, tx, true);
		fail_after = -1;
		assert_int_equal(!client_read(one, 0, "data/v"), error != 0);
		assert_null(store_check(store));
		if (failures == before)
			break;
	}
}

/* An event for which there was no memory is not lost: the watch's own path comes later. */
static void an_event_without_memory_comes_later(void **state)
{
	assert_int_equal(client_strings(one, XS_WATCH, 0, "data", "t", NULL), 0);
	fail_once = true;
	for (long n = 0; !one->connection->missed; n++) {
		client_receive(one);
		client_forget_events(one);
		fail_after = n;
		client_write(dom0, 0, "/local/domain/1/data/x", "1");
		fail_after = -1;
		assert_true(n < 100);
	}
	client_receive(one);
	assert_int_equal(one->event_count, 0);
	run_store();
	client_receive(one);
	assert_int_equal(one->event_count, 1);
	assert_string_equal(one->events[0].path, "data");
}

static void no_store_without_memory(void **state)
{
	struct store *made;
	long n = 0;

	do {
		fail_after = n++;
		made = store_make(&fake_platform, 1);
		fail_after = -1;
	} while (!made);
	assert_true(n > 3);
	store_free(made);
}

#define test(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    test(nodes_are_limited),
	    test(sizes_are_limited),
	    test(memory_is_limited),
	    test(memory_is_shared),
	    test(answers_are_memory),
	    test(transactions_are_limited),
	    test(rewriting_costs_once),
	    test(watches_are_limited),
	    test(permission_lists_are_limited),
	    test(events_for_a_sleeper_are_bounded),
	    test(the_same_event_waits_once),
	    test(unwatch_takes_events_back),
	    test(an_event_too_long_names_the_watch),
	    test(a_flood_of_requests_waits),
	    test(turns_are_taken_in_turn),
	    test(impossible_indices),
	    test(indices_of_ours_that_it_changes),
	    test(messages_that_are_too_long),
	    test(a_new_start_forgets_all),
	    test(messages_in_pieces),
	    test(a_ring_that_was_in_use),
	    test(without_memory),
	    test(failure_changes_nothing),
	    test(an_event_without_memory_comes_later),
	    test(no_store_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
