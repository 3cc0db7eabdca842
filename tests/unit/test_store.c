/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/store/table.c dom0-tools/store/path.c dom0-tools/store/permission.c dom0-tools/store/tree.c dom0-tools/store/watch.c dom0-tools/store/transaction.c dom0-tools/store/view.c dom0-tools/store/request.c dom0-tools/store/control.c dom0-tools/store/ring.c dom0-tools/store/connection.c dom0-tools/store/domain.c dom0-tools/store/store.c
/* The store's requests, one by one, through the rings of domains: answers, errors, events. */
#include "unit.h"
#include "store_client.h"

#define dom0 (&clients[0])
#define one  (&clients[1])
#define two  (&clients[2])

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

#define assert_value(client, tx, path, value)                           \
	do {                                                            \
		const char *read_value = client_read(client, tx, path); \
		assert_non_null(read_value);                            \
		assert_string_equal(read_value, value);                 \
	} while (0)

#define assert_names(client, tx, path, bytes)                                              \
	do {                                                                               \
		assert_int_equal(client_strings(client, XS_DIRECTORY, tx, path, NULL), 0); \
		assert_int_equal((client)->answer.len, sizeof(bytes) - 1);                 \
		assert_memory_equal((client)->payload, bytes, sizeof(bytes) - 1);          \
	} while (0)

#define assert_event(client, n, p, t)                              \
	do {                                                       \
		assert_true((n) < (client)->event_count);          \
		assert_string_equal((client)->events[n].path, p);  \
		assert_string_equal((client)->events[n].token, t); \
	} while (0)

/* Nodes */

static void write_makes_what_is_missing_above(void **state)
{
	assert_int_equal(client_write(dom0, 0, "/a/b/c", "value"), 0);
	assert_int_equal(dom0->answer.len, 3);
	assert_string_equal(dom0->payload, "OK");
	assert_value(dom0, 0, "/a/b/c", "value");
	assert_value(dom0, 0, "/a/b", "");
	assert_value(dom0, 0, "/a", "");
	assert_names(dom0, 0, "/a/b", "c\0");
	assert_int_equal(client_write(dom0, 0, "/a/b/d", ""), 0);
	assert_names(dom0, 0, "/a/b", "c\0d\0");
	assert_int_equal(client_write(dom0, 0, "/a/b/c", "a longer value"), 0);
	assert_value(dom0, 0, "/a/b/c", "a longer value");
}

static void values_are_bytes(void **state)
{
	assert_int_equal(client_call(dom0, XS_WRITE, 0, "/v\0x\0\xffy\0", 8), 0);
	assert_int_equal(client_strings(dom0, XS_READ, 0, "/v", NULL), 0);
	assert_int_equal(dom0->answer.len, 5);
	assert_memory_equal(dom0->payload, "x\0\xffy\0", 5);
}

static void mkdir_leaves_what_is_there(void **state)
{
	assert_int_equal(client_write(dom0, 0, "/m", "kept"), 0);
	assert_int_equal(client_strings(dom0, XS_MKDIR, 0, "/m", NULL), 0);
	assert_value(dom0, 0, "/m", "kept");
	assert_int_equal(client_strings(dom0, XS_MKDIR, 0, "/m/n/o", NULL), 0);
	assert_value(dom0, 0, "/m/n/o", "");
}

static void rm_wants_a_parent_only(void **state)
{
	assert_int_equal(client_write(dom0, 0, "/r/s/t", "1"), 0);
	assert_int_equal(client_write(dom0, 0, "/r/s/u/v", "1"), 0);
	assert_int_equal(client_write(dom0, 0, "/r/w", "1"), 0);
	assert_int_equal(client_strings(dom0, XS_RM, 0, "/r/s", NULL), 0);
	assert_null(client_read(dom0, 0, "/r/s/u/v"));
	assert_int_equal(errno, ENOENT);
	assert_names(dom0, 0, "/r", "w\0");
	assert_int_equal(client_strings(dom0, XS_RM, 0, "/r/s", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_RM, 0, "/r/s/t", NULL), -ENOENT);
	assert_int_equal(client_strings(dom0, XS_RM, 0, "/", NULL), -EINVAL);
}

static void bad_paths_are_refused(void **state)
{
	static const char *const bad[] = {"",	   "//", "/a/",	 "/a//b", "/a b", "/a.b",
					  "/\xe4", "@x", "/a\n", "a//b",  "a/"};
	char path[XENSTORE_ABS_PATH_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(client_write(dom0, 0, bad[i], "x"), -EINVAL);
		assert_int_equal(client_strings(dom0, XS_READ, 0, bad[i], NULL), -EINVAL);
	}
	assert_int_equal(client_write(dom0, 0, "/-_@Az09/@", "x"), 0);
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[XENSTORE_ABS_PATH_MAX] = 0;
	assert_int_equal(client_write(dom0, 0, path, "long"), 0);
	assert_value(dom0, 0, path, "long");
	path[XENSTORE_ABS_PATH_MAX] = 'p';
	path[XENSTORE_ABS_PATH_MAX + 1] = 0;
	assert_int_equal(client_write(dom0, 0, path, "x"), -EINVAL);
	path[0] = 'p';
	path[XENSTORE_REL_PATH_MAX] = 0;
	assert_int_equal(client_write(dom0, 0, path, "x"), 0);
	path[XENSTORE_REL_PATH_MAX] = 'p';
	path[XENSTORE_REL_PATH_MAX + 1] = 0;
	assert_int_equal(client_write(dom0, 0, path, "x"), -EINVAL);
}

static void payloads_must_be_whole(void **state)
{
	assert_int_equal(client_call(dom0, XS_READ, 0, "/", 1), -EINVAL);
	assert_int_equal(client_call(dom0, XS_READ, 0, "", 0), -EINVAL);
	assert_int_equal(client_call(dom0, XS_READ, 0, "/\0x\0", 4), -EINVAL);
	assert_int_equal(client_call(dom0, XS_WRITE, 0, "/nozero", 7), -EINVAL);
	assert_int_equal(client_call(dom0, XS_WATCH, 0, "/\0t", 3), -EINVAL);
	assert_int_equal(client_call(dom0, XS_SET_PERMS, 0, "/\0n0", 4), -EINVAL);
	assert_int_equal(client_call(dom0, XS_SET_PERMS, 0, "/\0", 2), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_SET_PERMS, 0, "/", "x0", NULL), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_SET_PERMS, 0, "/", "n", NULL), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_SET_PERMS, 0, "/", "n65536", NULL), -EINVAL);
	assert_int_equal(client_call(dom0, XS_TYPE_COUNT, 0, "", 1), -ENOSYS);
	assert_int_equal(client_call(dom0, XS_WATCH_EVENT, 0, "", 1), -ENOSYS);
	assert_int_equal(client_call(dom0, XS_ERROR, 0, "", 1), -ENOSYS);
	assert_int_equal(client_call(dom0, XS_INVALID, 0, "", 1), -ENOSYS);
	assert_int_equal(client_call(dom0, XS_SET_TARGET + 1, 0, "", 1), -ENOSYS);
}

static void relative_paths_start_at_the_domain(void **state)
{
	assert_int_equal(client_write(one, 0, "data/x", "mine"), 0);
	assert_value(dom0, 0, "/local/domain/1/data/x", "mine");
	assert_value(one, 0, "/local/domain/1/data/x", "mine");
	assert_int_equal(client_strings(two, XS_GET_DOMAIN_PATH, 0, "1", NULL), 0);
	assert_string_equal(two->payload, "/local/domain/1");
}

static void long_lists_come_in_parts(void **state)
{
	char path[64], names[8192] = "", expected[8192];
	size_t size = 0, want = 0;
	char generation[32];

	for (int i = 0; i < 600; i++) {
		want += (size_t)sprintf(expected + want, "child-%05d", i) + 1;
		sprintf(path, "/list/child-%05d", i);
		assert_int_equal(client_write(dom0, 0, path, ""), 0);
	}
	assert_int_equal(client_strings(dom0, XS_DIRECTORY, 0, "/list", NULL), -E2BIG);
	for (bool end = false; !end;) {
		char offset[16];
		size_t head, part;

		sprintf(offset, "%zu", size);
		assert_int_equal(client_strings(dom0, XS_DIRECTORY_PART, 0, "/list", offset, NULL),
				 0);
		head = strlen(dom0->payload) + 1;
		if (size)
			assert_string_equal(dom0->payload, generation);
		strcpy(generation, dom0->payload);
		part = dom0->answer.len - head;
		assert_true(part > 0 && dom0->payload[dom0->answer.len - 1] == 0);
		end = part == 1 || dom0->payload[dom0->answer.len - 2] == 0;
		memcpy(names + size, dom0->payload + head, part - end);
		size += part - end;
	}
	assert_int_equal(size, want);
	assert_memory_equal(names, expected, want);
	assert_int_equal(client_write(dom0, 0, "/list/new", ""), 0);
	assert_int_equal(client_strings(dom0, XS_DIRECTORY_PART, 0, "/list", "0", NULL), 0);
	assert_string_not_equal(dom0->payload, generation);
	assert_int_equal(client_strings(dom0, XS_DIRECTORY_PART, 0, "/list", "999999", NULL),
			 -EINVAL);
	assert_int_equal(client_strings(dom0, XS_DIRECTORY_PART, 0, "/list/new", "0", NULL), 0);
	assert_int_equal(dom0->answer.len, strlen(dom0->payload) + 2);
}

/* Permissions */

static void set_permissions(struct client *client, const char *path, const char *a, const char *b,
			    int result)
{
	assert_int_equal(client_strings(client, XS_SET_PERMS, 0, path, a, b, NULL), result);
}

/* Every access a domain can have to a node, as owner, named, by default: against what each request may then do. */
static void permission_matrix(void **state)
{
	static const char letter[] = "nrwb";

	for (int owner = 0; owner < 3; owner++) {
		for (int others = 0; others < 4; others++) {
			for (int named = 0; named < 5; named++) {
				char first[16], second[16];
				const char *access = named < 4 ? &letter[named] : &letter[others];
				bool all = owner == 1,
				     may_read = all || *access == 'r' || *access == 'b';
				bool may_write = all || *access == 'w' || *access == 'b';

				assert_int_equal(client_write(dom0, 0, "/p/q", "value"), 0);
				assert_int_equal(client_write(dom0, 0, "/p/q/below", "value"), 0);
				sprintf(first, "%c%d", letter[others], owner);
				sprintf(second, "%c1", named < 4 ? letter[named] : 'n');
				assert_int_equal(client_strings(dom0, XS_SET_PERMS, 0, "/p/q",
								first, named < 4 ? second : NULL,
								NULL),
						 0);
				assert_int_equal(client_strings(one, XS_READ, 0, "/p/q", NULL),
						 may_read ? 0 : -EACCES);
				assert_int_equal(client_strings(one, XS_DIRECTORY, 0, "/p/q", NULL),
						 may_read ? 0 : -EACCES);
				assert_int_equal(client_strings(one, XS_GET_PERMS, 0, "/p/q", NULL),
						 may_read ? 0 : -EACCES);
				assert_int_equal(client_write(one, 0, "/p/q", "other"),
						 may_write ? 0 : -EACCES);
				assert_int_equal(client_strings(one, XS_MKDIR, 0, "/p/q", NULL),
						 may_write ? 0 : -EACCES);
				assert_int_equal(client_write(one, 0, "/p/q/new", "n"),
						 may_write ? 0 : -EACCES);
				assert_int_equal(client_strings(one, XS_READ, 0, "/p/q/none", NULL),
						 may_read ? -ENOENT : -EACCES);
				assert_int_equal(client_strings(one, XS_SET_PERMS, 0, "/p/q", first,
								second, NULL),
						 all ? 0 : -EACCES);
				assert_int_equal(client_strings(one, XS_RM, 0, "/p/q", NULL),
						 may_write ? 0 : -EACCES);
				assert_int_equal(client_strings(dom0, XS_RM, 0, "/p", NULL), 0);
			}
		}
	}
}

static void permissions_are_inherited(void **state)
{
	assert_int_equal(client_write(dom0, 0, "/local/domain/1/data/a/b", "x"), 0);
	assert_int_equal(client_strings(dom0, XS_GET_PERMS, 0, "/local/domain/1/data/a", NULL), 0);
	assert_string_equal(dom0->payload, "n1");
	/* What a domain makes where another lets it is its own, with the rest as above. */
	set_permissions(one, "/local/domain/1/data/a", "n1", "b2", 0);
	assert_int_equal(client_write(two, 0, "/local/domain/1/data/a/c/d", "x"), 0);
	assert_int_equal(client_strings(two, XS_GET_PERMS, 0, "/local/domain/1/data/a/c/d", NULL),
			 0);
	assert_memory_equal(two->payload, "n2\0b2\0", 6);
	assert_null(client_read(one, 0, "/local/domain/1/data/a/c/d"));
	assert_int_equal(errno, EACCES);
}

static void only_dom0_gives_nodes_away(void **state)
{
	assert_int_equal(client_write(one, 0, "data/x", "x"), 0);
	set_permissions(one, "/local/domain/1/data/x", "n2", "b1", -EPERM);
	set_permissions(two, "/local/domain/1/data/x", "n2", "b1", -EACCES);
	set_permissions(dom0, "/local/domain/1/data/x", "r2", "b1", 0);
	assert_value(clients + 3, 0, "/local/domain/1/data/x", "x");
	set_permissions(one, "/local/domain/1/data/x", "r2", "b1", -EACCES);
	set_permissions(two, "/local/domain/1/data/x", "n2", "n3", 0);
	assert_int_equal(client_strings(two, XS_GET_PERMS, 0, "/local/domain/1/data/x", NULL), 0);
	assert_int_equal(two->answer.len, 6);
	assert_memory_equal(two->payload, "n2\0n3\0", 6);
}

/* A domain learns nothing of what it may not see, not even whether it is there. */
static void existence_is_not_told(void **state)
{
	assert_int_equal(client_write(dom0, 0, "/secret/name", "x"), 0);
	assert_int_equal(client_strings(one, XS_READ, 0, "/secret/name", NULL), -EACCES);
	assert_int_equal(client_strings(one, XS_READ, 0, "/secret/none", NULL), -EACCES);
	assert_int_equal(client_strings(one, XS_RM, 0, "/secret/none", NULL), -EACCES);
	assert_int_equal(client_strings(one, XS_READ, 0, "none", NULL), -ENOENT);
	assert_int_equal(client_strings(one, XS_READ, 0, "/local/domain/2/none", NULL), -EACCES);
}

static void a_target_lends_its_rights(void **state)
{
	assert_int_equal(client_write(two, 0, "data/x", "x"), 0);
	set_permissions(dom0, "/local/domain/3", "n0", "w2", 0);
	assert_null(client_read(one, 0, "/local/domain/2/data/x"));
	assert_int_equal(client_strings(one, XS_SET_TARGET, 0, "1", "2", NULL), -EACCES);
	assert_int_equal(client_strings(dom0, XS_SET_TARGET, 0, "1", "9", NULL), -ENOENT);
	assert_int_equal(client_strings(dom0, XS_SET_TARGET, 0, "1", "2", NULL), 0);
	assert_value(one, 0, "/local/domain/2/data/x", "x");
	set_permissions(one, "/local/domain/2/data/x", "n2", "r3", 0);
	assert_int_equal(client_write(one, 0, "/local/domain/3", "w"), 0);
	/* No longer when it has gone and another has its number. */
	assert_int_equal(client_strings(dom0, XS_RELEASE, 0, "2", NULL), 0);
	introduce(2);
	assert_int_equal(client_write(two, 0, "data/x", "x"), 0);
	assert_int_equal(client_strings(one, XS_READ, 0, "/local/domain/2/data/x", NULL), -EACCES);
	/* Nor does the next of its own number serve anybody. */
	assert_int_equal(client_strings(dom0, XS_SET_TARGET, 0, "1", "2", NULL), 0);
	assert_value(one, 0, "/local/domain/2/data/x", "x");
	set_permissions(dom0, "/local", "n0", "r1", 0);
	assert_int_equal(client_strings(dom0, XS_RELEASE, 0, "1", NULL), 0);
	introduce(1);
	assert_int_equal(client_strings(one, XS_READ, 0, "/local/domain/2/data/x", NULL), -EACCES);
}

static void tools_requests_are_dom0s(void **state)
{
	assert_int_equal(client_strings(one, XS_INTRODUCE, 0, "5", "1", "1", NULL), -EACCES);
	assert_int_equal(client_strings(one, XS_RELEASE, 0, "2", NULL), -EACCES);
	assert_int_equal(client_strings(one, XS_RESUME, 0, "2", NULL), -EACCES);
	assert_int_equal(client_strings(one, XS_CONTROL, 0, "print", "x", NULL), -EACCES);
	assert_int_equal(client_strings(one, XS_IS_DOMAIN_INTRODUCED, 0, "2", NULL), 0);
	assert_string_equal(one->payload, "T");
}

/* Watches */

static void watches_fire_below_and_at_once(void **state)
{
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w", "t1", NULL), 0);
	assert_int_equal(dom0->event_count, 1);
	assert_event(dom0, 0, "/w", "t1");
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w", "t1", NULL), -EEXIST);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w", "t2", NULL), 0);
	client_forget_events(dom0);
	assert_int_equal(client_write(dom0, 0, "/w/x/y", "1"), 0);
	assert_int_equal(dom0->event_count, 2);
	assert_string_equal(dom0->events[0].path, "/w/x/y");
	assert_string_equal(dom0->events[1].path, "/w/x/y");
	client_forget_events(dom0);
	assert_int_equal(client_strings(dom0, XS_UNWATCH, 0, "/w", "t2", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_UNWATCH, 0, "/w", "t2", NULL), -ENOENT);
	/* Not of a neighbour whose name begins alike, nor of what is above. */
	assert_int_equal(client_write(dom0, 0, "/ww", "1"), 0);
	assert_int_equal(client_write(dom0, 0, "/", "1"), 0);
	assert_int_equal(dom0->event_count, 0);
	assert_int_equal(client_strings(dom0, XS_SET_PERMS, 0, "/w/x", "n1", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_MKDIR, 0, "/w/z", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_MKDIR, 0, "/w/z", NULL), 0); /* nothing new */
	assert_int_equal(client_strings(dom0, XS_RM, 0, "/w/z", NULL), 0);
	assert_int_equal(dom0->event_count, 3);
	assert_event(dom0, 0, "/w/x", "t1");
	assert_event(dom0, 1, "/w/z", "t1");
	assert_event(dom0, 2, "/w/z", "t1");
}

static void removal_tells_watches_below(void **state)
{
	assert_int_equal(client_write(dom0, 0, "/w/x/y", "1"), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w/x/y", "deep", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w/x/none", "none", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w/x", "mid", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/", "top", NULL), 0);
	client_forget_events(dom0);
	assert_int_equal(client_strings(dom0, XS_RM, 0, "/w", NULL), 0);
	assert_int_equal(dom0->event_count, 3);
	assert_event(dom0, 0, "/w/x/y", "deep");
	assert_event(dom0, 1, "/w/x", "mid");
	assert_event(dom0, 2, "/w", "top");
}

static void relative_watches_hear_relative_paths(void **state)
{
	assert_int_equal(client_strings(one, XS_WATCH, 0, "data", "rel", NULL), 0);
	assert_int_equal(client_strings(one, XS_WATCH, 0, "/local/domain/1/data", "abs", NULL), 0);
	assert_event(one, 0, "data", "rel");
	client_forget_events(one);
	assert_int_equal(client_write(dom0, 0, "/local/domain/1/data/k", "1"), 0);
	client_receive(one);
	assert_int_equal(one->event_count, 2);
	for (unsigned int i = 0; i < 2; i++)
		assert_string_equal(one->events[i].path, !strcmp(one->events[i].token, "rel")
							     ? "data/k"
							     : "/local/domain/1/data/k");
}

static void watches_hear_what_may_be_read(void **state)
{
	assert_int_equal(client_strings(one, XS_WATCH, 0, "/", "all", NULL), 0);
	client_receive(one);
	client_forget_events(one);
	assert_int_equal(client_write(dom0, 0, "/hidden", "1"), 0);
	assert_int_equal(client_strings(dom0, XS_RM, 0, "/hidden", NULL), 0);
	client_receive(one);
	assert_int_equal(one->event_count, 0);
	assert_int_equal(client_write(dom0, 0, "/shown", "1"), 0);
	set_permissions(dom0, "/shown", "n0", "r1", 0); /* may now be read */
	assert_int_equal(client_write(dom0, 0, "/shown", "2"), 0);
	set_permissions(dom0, "/shown", "n0", "n1", 0); /* could be read up to now */
	assert_int_equal(client_write(dom0, 0, "/shown", "3"), 0);
	set_permissions(dom0, "/shown", "r0", "r2", 0);
	assert_int_equal(client_strings(dom0, XS_RM, 0, "/shown", NULL), 0);
	client_receive(one);
	/* Not of the value written while it was shut. */
	assert_int_equal(one->event_count, 5);
	assert_event(one, 0, "/shown", "all");
}

static void depth_limits_a_watch(void **state)
{
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w", "0", "0", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w", "1", "1", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "/w", "x", "x", NULL), -EINVAL);
	client_forget_events(dom0);
	assert_int_equal(client_write(dom0, 0, "/w", "1"), 0);
	assert_int_equal(dom0->event_count, 2);
	assert_int_equal(client_write(dom0, 0, "/w/x", "1"), 0);
	assert_int_equal(dom0->event_count, 3);
	assert_event(dom0, 2, "/w/x", "1");
	assert_int_equal(client_write(dom0, 0, "/w/x/y", "1"), 0);
	assert_int_equal(dom0->event_count, 3);
}

static void special_events(void **state)
{
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "@introduceDomain", "i", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "@releaseDomain", "r", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "@releaseDomain", "rd", "1", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "@releaseDomain/5", "r5", NULL), 0);
	assert_int_equal(client_strings(one, XS_WATCH, 0, "@introduceDomain", "i", NULL), 0);
	client_receive(one);
	assert_event(one, 0, "@introduceDomain", "i"); /* at once, for it is told to itself */
	client_forget_events(one);
	client_forget_events(dom0);
	introduce(5);
	client_receive(one);
	assert_int_equal(one->event_count, 0);
	assert_int_equal(dom0->event_count, 1);
	assert_event(dom0, 0, "@introduceDomain", "i");
	set_permissions(one, "@introduceDomain", "n0", "r1", -EACCES);
	assert_int_equal(client_strings(one, XS_GET_PERMS, 0, "@introduceDomain", NULL), -EACCES);
	set_permissions(dom0, "@introduceDomain", "n0", "r1", 0);
	assert_int_equal(client_strings(one, XS_GET_PERMS, 0, "@introduceDomain", NULL), 0);
	assert_memory_equal(one->payload, "n0\0r1\0", 6);
	introduce(6);
	client_receive(one);
	assert_int_equal(one->event_count, 1);
	client_forget_events(dom0);
	assert_int_equal(client_strings(dom0, XS_RELEASE, 0, "5", NULL), 0);
	assert_int_equal(dom0->event_count, 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_string_equal(dom0->events[i].path, !strcmp(dom0->events[i].token, "r")
							      ? "@releaseDomain"
							      : "@releaseDomain/5");
	/* Nodes of that kind there are none. */
	assert_int_equal(client_strings(dom0, XS_READ, 0, "@releaseDomain", NULL), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_GET_PERMS, 0, "@other", NULL), -ENOENT);
}

static void reset_ends_watches_and_transactions(void **state)
{
	uint32_t tx;

	assert_int_equal(client_strings(one, XS_WATCH, 0, "data", "t", NULL), 0);
	tx = client_begin(one);
	assert_int_equal(client_write(one, tx, "data/x", "1"), 0);
	client_receive(one);
	client_forget_events(one);
	assert_int_equal(client_strings(one, XS_RESET_WATCHES, 0, "", NULL), 0);
	assert_int_equal(client_end(one, tx, true), -ENOENT);
	assert_int_equal(client_write(one, 0, "data/y", "1"), 0);
	assert_int_equal(one->event_count, 0);
	assert_null(client_read(one, 0, "data/x"));
}

/* Domains */

static void shutdown_is_told_once(void **state)
{
	assert_int_equal(client_strings(dom0, XS_WATCH, 0, "@releaseDomain", "r", NULL), 0);
	client_forget_events(dom0);
	domains_check(store);
	run_store();
	client_receive(dom0);
	assert_int_equal(dom0->event_count, 0);
	one->state = DOMAIN_SHUT;
	for (unsigned int i = 0; i < 3; i++) {
		domains_check(store);
		run_store();
		client_receive(dom0);
		assert_int_equal(dom0->event_count, 1);
	}
	assert_non_null(client_read(one, 0, "data")); /* it is connected still */
	assert_int_equal(client_strings(dom0, XS_RESUME, 0, "1", NULL), 0);
	domains_check(store);
	run_store();
	client_receive(dom0);
	assert_int_equal(dom0->event_count, 2);
	one->state = DOMAIN_GONE;
	domains_check(store);
	run_store();
	client_receive(dom0);
	assert_int_equal(dom0->event_count, 3);
	assert_null(one->connection);
	assert_int_equal(client_strings(dom0, XS_IS_DOMAIN_INTRODUCED, 0, "1", NULL), 0);
	assert_string_equal(dom0->payload, "F");
	assert_int_equal(client_strings(dom0, XS_RESUME, 0, "1", NULL), -ENOENT);
}

/* Nothing of a domain is left for the next of its number: nodes, rights in lists, special events, transactions. */
static void a_number_used_again_inherits_nothing(void **state)
{
	uint32_t tx;

	assert_int_equal(client_write(one, 0, "data/own", "1"), 0);
	assert_int_equal(client_write(dom0, 0, "/else/own/below", "1"), 0);
	set_permissions(dom0, "/else/own", "n1", NULL, 0);
	assert_int_equal(client_write(dom0, 0, "/else/shared", "secret"), 0);
	assert_int_equal(
	    client_strings(dom0, XS_SET_PERMS, 0, "/else/shared", "n0", "b1", "r2", NULL), 0);
	set_permissions(dom0, "@releaseDomain", "n1", "r2", 0);
	tx = client_begin(dom0);
	assert_int_equal(client_write(dom0, tx, "/else/late", "1"), 0);
	assert_int_equal(client_strings(dom0, XS_SET_PERMS, tx, "/else/late", "n1", NULL), 0);
	one->state = DOMAIN_GONE;
	domains_check(store);
	assert_int_equal(client_strings(dom0, XS_GET_PERMS, 0, "/else/shared", NULL), 0);
	assert_int_equal(dom0->answer.len, 6);
	assert_memory_equal(dom0->payload, "n0\0r2\0", 6);
	assert_null(client_read(dom0, 0, "/local/domain/1/data"));
	assert_null(client_read(dom0, 0, "/else/own"));
	assert_value(dom0, 0, "/local/domain/1", "");
	assert_int_equal(client_end(dom0, tx, true), -EAGAIN);
	introduce(1);
	assert_int_equal(client_strings(one, XS_READ, 0, "/else/shared", NULL), -EACCES);
	assert_int_equal(client_strings(one, XS_GET_PERMS, 0, "@releaseDomain", NULL), -EACCES);
	assert_null(client_read(one, 0, "data/own"));
}

/* Nor of one that was never introduced: it had rights and has gone. */
static void rights_of_unknown_domains_end(void **state)
{
	clients[9].state = 0;
	assert_int_equal(client_write(dom0, 0, "/x", "secret"), 0);
	set_permissions(dom0, "/x", "n0", "r9", 0);
	domains_check(store);
	assert_int_equal(client_strings(dom0, XS_GET_PERMS, 0, "/x", NULL), 0);
	assert_memory_equal(dom0->payload, "n0\0r9\0", 6);
	clients[9].state = DOMAIN_GONE;
	domains_check(store);
	introduce(9);
	assert_int_equal(client_strings(&clients[9], XS_READ, 0, "/x", NULL), -EACCES);
}

static void the_root_survives_its_owner(void **state)
{
	set_permissions(dom0, "/", "n1", NULL, 0);
	assert_int_equal(client_write(one, 0, "/mine", "1"), 0);
	assert_int_equal(client_strings(one, XS_RM, 0, "/", NULL), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_RELEASE, 0, "1", NULL), 0);
	assert_null(client_read(dom0, 0, "/mine"));
	assert_int_equal(client_strings(dom0, XS_GET_PERMS, 0, "/", NULL), 0);
	assert_string_equal(dom0->payload, "n0");
	assert_non_null(client_read(dom0, 0, "/local/domain/2/data"));
}

static void introductions_that_fail(void **state)
{
	assert_int_equal(client_strings(dom0, XS_INTRODUCE, 0, "0", "1", "1", NULL), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_INTRODUCE, 0, "32752", "1", "1", NULL), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_INTRODUCE, 0, "5", "x", "1", NULL), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_INTRODUCE, 0, "5", "1", NULL), -EINVAL);
	attach_error = -EIO;
	assert_int_equal(client_strings(dom0, XS_INTRODUCE, 0, "5", "1", "1", NULL), -EIO);
	assert_int_equal(client_strings(dom0, XS_INTRODUCE, 0, "1", "1", "1", NULL), -EIO);
	attach_error = 0;
	assert_int_equal(client_strings(dom0, XS_IS_DOMAIN_INTRODUCED, 0, "1", NULL), 0);
	assert_string_equal(dom0->payload, "F");
	assert_int_equal(client_strings(dom0, XS_INTRODUCE, 0, "1", "1", "1", NULL), 0);
	assert_non_null(client_read(one, 0, "data"));
	assert_int_equal(client_strings(dom0, XS_RELEASE, 0, "0", NULL), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_RELEASE, 0, "12", NULL), -ENOENT);
}

/* CONTROL */

static void control_commands(void **state)
{
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "check", NULL), 0);
	assert_string_equal(dom0->payload, "OK");
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "help", NULL), 0);
	assert_non_null(strstr(dom0->payload, "quota"));
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "print", "a text", NULL), 0);
	assert_string_equal(printed, "a text");
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "memreport", NULL), 0);
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "quota", "set", "watches", "1", NULL),
			 0);
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "quota", "set", "other", "1", NULL),
			 -EINVAL);
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "quota", NULL), 0);
	assert_non_null(strstr(dom0->payload, "watches: 1\n"));
	assert_int_equal(client_strings(one, XS_WATCH, 0, "a", "a", NULL), 0);
	assert_int_equal(client_strings(one, XS_WATCH, 0, "b", "b", NULL), -E2BIG);
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "quota", "1", NULL), 0);
	assert_non_null(strstr(dom0->payload, "watches: 1\n"));
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "log", "on", NULL), 0);
	assert_int_equal(client_strings(one, XS_READ, 0, "data/no ne\n", NULL), -EINVAL);
	assert_string_equal(printed, "1 READ 0 data/no?ne? EINVAL");
	assert_int_equal(client_call(one, XS_INVALID, 0, "", 0), -ENOSYS);
	assert_string_equal(printed, "1 unknown 0  ENOSYS");
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "log", "off", NULL), 0);
	assert_string_equal(printed, "1 unknown 0  ENOSYS");
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "log", "x", NULL), -EINVAL);
	assert_int_equal(client_strings(dom0, XS_CONTROL, 0, "live-update", NULL), -EINVAL);
	assert_int_equal(client_call(dom0, XS_CONTROL, 0, "", 0), -EINVAL);
}

#define test(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    test(write_makes_what_is_missing_above),
	    test(values_are_bytes),
	    test(mkdir_leaves_what_is_there),
	    test(rm_wants_a_parent_only),
	    test(bad_paths_are_refused),
	    test(payloads_must_be_whole),
	    test(relative_paths_start_at_the_domain),
	    test(long_lists_come_in_parts),
	    test(permission_matrix),
	    test(permissions_are_inherited),
	    test(only_dom0_gives_nodes_away),
	    test(existence_is_not_told),
	    test(a_target_lends_its_rights),
	    test(tools_requests_are_dom0s),
	    test(watches_fire_below_and_at_once),
	    test(removal_tells_watches_below),
	    test(relative_watches_hear_relative_paths),
	    test(watches_hear_what_may_be_read),
	    test(depth_limits_a_watch),
	    test(special_events),
	    test(reset_ends_watches_and_transactions),
	    test(shutdown_is_told_once),
	    test(a_number_used_again_inherits_nothing),
	    test(rights_of_unknown_domains_end),
	    test(the_root_survives_its_owner),
	    test(introductions_that_fail),
	    test(control_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
