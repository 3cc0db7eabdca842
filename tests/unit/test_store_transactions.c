/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/store/table.c dom0-tools/store/path.c dom0-tools/store/permission.c dom0-tools/store/tree.c dom0-tools/store/watch.c dom0-tools/store/transaction.c dom0-tools/store/view.c dom0-tools/store/request.c dom0-tools/store/control.c dom0-tools/store/ring.c dom0-tools/store/connection.c dom0-tools/store/domain.c dom0-tools/store/store.c
/* Transactions of the store: what they see, what others see of them, and which of them collide. */
#include "unit.h"
#include "store_client.h"

#define dom0 (&clients[0])
#define one  (&clients[1])

static int start(void **state)
{
	world_begin(3);
	client_assert(client_write(dom0, 0, "/t/a", "a") == 0);
	client_assert(client_write(dom0, 0, "/t/b/c", "c") == 0);
	client_assert(client_write(dom0, 0, "/t/b/d", "d") == 0);
	return 0;
}

static int stop(void **state)
{
	world_end();
	return 0;
}

#define assert_value(tx, path, value)                                 \
	do {                                                          \
		const char *read_value = client_read(dom0, tx, path); \
		assert_non_null(read_value);                          \
		assert_string_equal(read_value, value);               \
	} while (0)

#define assert_none(tx, path) \
	assert_int_equal(client_strings(dom0, XS_READ, tx, path, NULL), -ENOENT)

#define assert_names(tx, path, bytes)                                                    \
	do {                                                                             \
		assert_int_equal(client_strings(dom0, XS_DIRECTORY, tx, path, NULL), 0); \
		assert_int_equal(dom0->answer.len, sizeof(bytes) - 1);                   \
		assert_memory_equal(dom0->payload, bytes, sizeof(bytes) - 1);            \
	} while (0)

static int rm(uint32_t tx, const char *path)
{
	return client_strings(dom0, XS_RM, tx, path, NULL);
}

static void nothing_is_seen_before_commit(void **state)
{
	uint32_t tx = client_begin(dom0);

	assert_int_equal(client_write(dom0, tx, "/t/a", "new"), 0);
	assert_int_equal(client_write(dom0, tx, "/t/x/y", "new"), 0);
	assert_int_equal(rm(tx, "/t/b"), 0);
	assert_value(tx, "/t/a", "new");
	assert_value(tx, "/t/x", "");
	assert_value(tx, "/t/x/y", "new");
	assert_none(tx, "/t/b/c");
	assert_names(tx, "/t", "a\0x\0");
	assert_value(0, "/t/a", "a");
	assert_none(0, "/t/x");
	assert_value(0, "/t/b/c", "c");
	assert_names(0, "/t", "a\0b\0");
	assert_int_equal(client_end(dom0, tx, true), 0);
	assert_value(0, "/t/a", "new");
	assert_value(0, "/t/x/y", "new");
	assert_none(0, "/t/b");
	assert_names(0, "/t", "a\0x\0");
	assert_int_equal(client_end(dom0, tx, true), -ENOENT);
	assert_int_equal(client_strings(dom0, XS_READ, tx, "/t/a", NULL), -ENOENT);
}

static void abort_leaves_nothing(void **state)
{
	uint32_t tx = client_begin(dom0);

	assert_int_equal(client_write(dom0, tx, "/t/a", "new"), 0);
	assert_int_equal(client_write(dom0, tx, "/t/x/y", "new"), 0);
	assert_int_equal(rm(tx, "/t/b"), 0);
	assert_int_equal(client_end(dom0, tx, false), 0);
	assert_value(0, "/t/a", "a");
	assert_none(0, "/t/x");
	assert_value(0, "/t/b/c", "c");
}

/* What one transaction does first, what happens outside, and whether the transaction may then still succeed. */
static void conflicts(void **state)
{
	enum { READ, WRITE, REMOVE, LIST, CREATE, MISS, PERMISSIONS };
	static const struct {
		int op;
		const char *path;
		int other;
		const char *other_path;
		int result;
	} cases[] = {
	    {READ, "/t/a", WRITE, "/t/a", -EAGAIN},
	    {READ, "/t/a", REMOVE, "/t/a", -EAGAIN},
	    {READ, "/t/a", PERMISSIONS, "/t/a", -EAGAIN},
	    {READ, "/t/a", WRITE, "/t/b", 0},
	    {READ, "/t/a", CREATE, "/t/new", 0},
	    {READ, "/t/a", CREATE, "/t/a/new", 0},
	    {READ, "/t/a", READ, "/t/a", 0},
	    {READ, "/t/a", REMOVE, "/t", -EAGAIN},
	    {MISS, "/t/new", CREATE, "/t/new", -EAGAIN},
	    {MISS, "/t/new", CREATE, "/t/other", 0},
	    {WRITE, "/t/a", WRITE, "/t/a", -EAGAIN},
	    {WRITE, "/t/a", REMOVE, "/t/a", -EAGAIN},
	    {WRITE, "/t/a", CREATE, "/t/other", 0},
	    {CREATE, "/t/new", CREATE, "/t/other", 0},
	    {CREATE, "/t/new", CREATE, "/t/new", -EAGAIN},
	    {CREATE, "/t/new/deep", CREATE, "/t/new", -EAGAIN},
	    {CREATE, "/t/b/new", REMOVE, "/t/b", -EAGAIN},
	    {CREATE, "/t/b/new", REMOVE, "/t/b/c", 0},
	    {CREATE, "/t/b/new", PERMISSIONS, "/t/b", -EAGAIN},
	    {LIST, "/t/b", CREATE, "/t/b/new", -EAGAIN},
	    {LIST, "/t/b", REMOVE, "/t/b/c", -EAGAIN},
	    {LIST, "/t/b", WRITE, "/t/b/c", 0},
	    {LIST, "/t/b", CREATE, "/t/b/c/new", 0},
	    {REMOVE, "/t/b", WRITE, "/t/b/c", -EAGAIN},
	    {REMOVE, "/t/b", CREATE, "/t/b/c/new", -EAGAIN},
	    {REMOVE, "/t/b", CREATE, "/t/b/new", -EAGAIN},
	    {REMOVE, "/t/b", REMOVE, "/t/b/c", -EAGAIN},
	    {REMOVE, "/t/b", READ, "/t/b/c", 0},
	    {REMOVE, "/t/b", WRITE, "/t/a", 0},
	    {PERMISSIONS, "/t/b", WRITE, "/t/b", -EAGAIN},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t tx;

		stop(NULL);
		start(NULL);
		tx = client_begin(dom0);
		for (int turn = 0; turn < 2; turn++) {
			const char *path = turn ? cases[i].other_path : cases[i].path;
			uint32_t in = turn ? 0 : tx;

			switch (turn ? cases[i].other : cases[i].op) {
			case READ:
				assert_non_null(client_read(dom0, in, path));
				break;
			case MISS:
				assert_none(in, path);
				break;
			case WRITE:
			case CREATE:
				assert_int_equal(client_write(dom0, in, path, "w"), 0);
				break;
			case REMOVE:
				assert_int_equal(rm(in, path), 0);
				break;
			case LIST:
				assert_int_equal(client_strings(dom0, XS_DIRECTORY, in, path, NULL),
						 0);
				break;
			case PERMISSIONS:
				assert_int_equal(
				    client_strings(dom0, XS_SET_PERMS, in, path, "n1", NULL), 0);
				break;
			}
		}
		if (client_end(dom0, tx, true) != cases[i].result)
			fail_msg("case %zu: not %d", i, cases[i].result);
		assert_null(store_check(store));
	}
}

static void what_was_read_stays_so(void **state)
{
	uint32_t tx = client_begin(dom0);

	assert_value(tx, "/t/a", "a");
	assert_none(tx, "/t/new");
	assert_names(tx, "/t/b", "c\0d\0");
	assert_int_equal(client_write(dom0, 0, "/t/a", "other"), 0);
	assert_int_equal(client_write(dom0, 0, "/t/new", "other"), 0);
	assert_int_equal(rm(0, "/t/b/c"), 0);
	assert_value(tx, "/t/a", "a");
	assert_none(tx, "/t/new");
	assert_names(tx, "/t/b", "c\0d\0");
	assert_int_equal(client_end(dom0, tx, true), -EAGAIN);
}

static void removed_and_made_again(void **state)
{
	uint32_t tx = client_begin(dom0);

	assert_int_equal(rm(tx, "/t/b"), 0);
	assert_int_equal(client_write(dom0, tx, "/t/b/new", "n"), 0);
	assert_names(tx, "/t/b", "new\0");
	assert_names(tx, "/t", "a\0b\0");
	assert_int_equal(rm(tx, "/t/b/new"), 0);
	assert_names(tx, "/t/b", "");
	assert_int_equal(client_write(dom0, tx, "/t/b/c", "again"), 0);
	assert_int_equal(client_end(dom0, tx, true), 0);
	assert_names(0, "/t/b", "c\0");
	assert_value(0, "/t/b/c", "again");
	assert_null(store_check(store));
	/* Made and removed within one: never there. */
	tx = client_begin(dom0);
	assert_int_equal(client_write(dom0, tx, "/t/n/m", "n"), 0);
	assert_int_equal(rm(tx, "/t/n"), 0);
	assert_none(tx, "/t/n/m");
	assert_int_equal(client_end(dom0, tx, true), 0);
	assert_none(0, "/t/n");
}

static void events_come_with_commit(void **state)
{
	uint32_t tx;

	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/t", "w", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/t/b/c", "c", NULL), 0);
	client_forget_events(dom0);
	tx = client_begin(dom0);
	assert_int_equal(client_write(dom0, tx, "/t/a", "1"), 0);
	assert_int_equal(client_write(dom0, tx, "/t/a", "2"), 0);
	assert_non_null(client_read(dom0, tx, "/t/b/d"));
	assert_int_equal(client_write(dom0, tx, "/t/n/m", "1"), 0);
	assert_int_equal(rm(tx, "/t/b"), 0);
	assert_int_equal(dom0->event_count, 0);
	assert_int_equal(client_end(dom0, tx, true), 0);
	/* The removal, told to whom it concerns; the change once; what was made, as outside of transactions too. */
	assert_int_equal(dom0->event_count, 5);
	assert_string_equal(dom0->events[0].path, "/t/b/c");
	assert_string_equal(dom0->events[0].token, "c");
	assert_string_equal(dom0->events[1].path, "/t/b");
	assert_string_equal(dom0->events[2].path, "/t/a");
	client_forget_events(dom0);
	tx = client_begin(dom0);
	assert_int_equal(client_write(dom0, tx, "/t/a", "3"), 0);
	assert_int_equal(client_end(dom0, tx, false), 0);
	assert_int_equal(dom0->event_count, 0);
}

static void numbers_are_the_clients_own(void **state)
{
	uint32_t tx = client_begin(dom0), other = client_begin(one);

	assert_int_equal(client_strings(one, XS_READ, tx, "data", NULL), -ENOENT);
	assert_int_equal(client_end(one, tx, true), -ENOENT);
	assert_int_equal(client_strings(dom0, XS_TRANSACTION_START, tx, "", NULL), -EBUSY);
	assert_int_equal(client_end(dom0, 0, true), -ENOENT);
	assert_int_equal(client_strings(dom0, XS_TRANSACTION_END, tx, "X", NULL), -EINVAL);
	assert_int_equal(client_end(dom0, tx, true), 0);
	assert_int_equal(client_end(one, other, true), 0);
	/* Ignored where it means nothing. */
	assert_int_equal(client_strings(one, XS_WATCH, 77, "data", "t", NULL), 0);
}

static void permissions_and_owner(void **state)
{
	uint32_t tx = client_begin(one);

	assert_int_equal(client_write(one, tx, "data/x/y", "1"), 0);
	assert_int_equal(client_strings(one, XS_SET_PERMS, tx, "data/x", "r1", NULL), 0);
	assert_int_equal(client_write(one, tx, "/t/a", "1"), -EACCES);
	assert_int_equal(client_strings(one, XS_SET_PERMS, tx, "data/x", "n2", NULL), -EPERM);
	assert_int_equal(client_end(one, tx, true), 0);
	assert_int_equal(client_strings(&clients[2], XS_READ, 0, "/local/domain/1/data/x", NULL),
			 0);
	assert_int_equal(client_strings(&clients[2], XS_READ, 0, "/local/domain/1/data/x/y", NULL),
			 -EACCES);
	/* Changing the permissions in a transaction that creates counts for the new owner. */
	tx = client_begin(dom0);
	assert_int_equal(client_write(dom0, tx, "/t/given/below", "1"), 0);
	assert_int_equal(client_strings(dom0, XS_SET_PERMS, tx, "/t/given", "n1", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_SET_PERMS, tx, "/t/a", "n2", NULL), 0);
	assert_int_equal(client_end(dom0, tx, true), 0);
	assert_null(store_check(store));
	assert_int_equal(client_write(&clients[2], 0, "/t/a", "1"), 0);
}

static void parts_of_a_list_change_within_one(void **state)
{
	char generation[32];
	uint32_t tx = client_begin(dom0);

	assert_int_equal(client_strings(dom0, XS_DIRECTORY_PART, tx, "/t/b", "0", NULL), 0);
	strcpy(generation, dom0->payload);
	assert_int_equal(client_write(dom0, tx, "/t/b/e", ""), 0);
	assert_int_equal(client_strings(dom0, XS_DIRECTORY_PART, tx, "/t/b", "0", NULL), 0);
	assert_string_not_equal(dom0->payload, generation);
	assert_memory_equal(dom0->payload + strlen(dom0->payload) + 1, "c\0d\0e\0\0", 7);
	assert_int_equal(client_end(dom0, tx, false), 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    test(nothing_is_seen_before_commit),
	    test(abort_leaves_nothing),
	    test(conflicts),
	    test(what_was_read_stays_so),
	    test(removed_and_made_again),
	    test(events_come_with_commit),
	    test(numbers_are_the_clients_own),
	    test(permissions_and_owner),
	    test(parts_of_a_list_change_within_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
