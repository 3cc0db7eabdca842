/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/xs.c guest/format.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/* The store's client against a server in good faith, over streams that move 1, 7 or many bytes at a time, and against bad ones. */
#include "unit.h"
#include "xs_server.h"
#include <public/errno.h>

bool (*host_wait)(void) = server_step;

static struct xs xs;

static int start(void **state)
{
	server_start(&xs, *(size_t *)*state);
	return 0;
}

/* Nothing is left of a request, and nobody holds a lock. */
static int stop(void **state)
{
	assert_null(xs.request);
	assert_false(xs.lock.locked || xs.turn.locked);
	return 0;
}

static void values(void **state)
{
	char value[16];
	uint64_t number;

	assert_int_equal(xs_read(&xs, 0, "a", value, sizeof(value)), -XEN_ENOENT);
	assert_string_equal(value, "");
	assert_false(xs_exists(&xs, 0, "a"));
	assert_int_equal(xs_write(&xs, 5, "a", "b\0c", 3), 0);
	assert_int_equal(server.last.type, XS_WRITE);
	assert_int_equal(server.last.tx_id, 5);
	assert_int_equal(xs_read(&xs, 0, "a", value, sizeof(value)), 3);
	assert_memory_equal(value, "b\0c", 4);
	assert_true(xs_exists(&xs, 0, "a"));
	assert_int_equal(xs_write(&xs, 0, "a", "", 0), 0);
	assert_int_equal(xs_read(&xs, 0, "a", value, sizeof(value)), 0);
	/* A value and its zero just fit, or do not. */
	assert_int_equal(xs_printf(&xs, 0, "a", "%s-%d", "fifteen", 1234567), 0);
	assert_int_equal(xs_read(&xs, 0, "a", value, sizeof(value)), 15);
	assert_string_equal(value, "fifteen-1234567");
	assert_int_equal(xs_read(&xs, 0, "a", value, 15), -XEN_ERANGE);
	assert_string_equal(value, "");
	assert_int_equal(xs_read(&xs, 0, "a", value, 0), -XEN_ERANGE);
	assert_int_equal(xs_read_number(&xs, 0, "a", &number), -XEN_EINVAL);
	assert_int_equal(xs_mkdir(&xs, 0, "d"), 0);
	assert_int_equal(server.last.type, XS_MKDIR);
	assert_int_equal(xs_remove(&xs, 0, "d"), 0);
	assert_int_equal(server.last.type, XS_RM);
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		long error;
		uint64_t number;
	} cases[] = {
	    {"0", 0, 0},
	    {"42", 0, 42},
	    {"0x2A", 0, 42},
	    {"18446744073709551615", 0, UINT64_MAX},
	    {"18446744073709551616", -XEN_EINVAL, 0},
	    {"", -XEN_EINVAL, 0},
	    {"0x", -XEN_EINVAL, 0},
	    {"-1", -XEN_EINVAL, 0},
	    {"1 ", -XEN_EINVAL, 0},
	    {"999999999999999999999999999999", -XEN_EINVAL, 0},
	};
	uint64_t number;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		server_set("n", cases[i].text, strlen(cases[i].text));
		assert_int_equal(xs_read_number(&xs, 0, "n", &number), cases[i].error);
		if (!cases[i].error)
			assert_int_equal(number, cases[i].number);
	}
	assert_int_equal(xs_read_number(&xs, 0, "none", &number), -XEN_ENOENT);
}

/* What cannot be sent is refused before a byte of it is. */
static void too_long(void **state)
{
	static char big[XENSTORE_PAYLOAD_MAX];

	assert_int_equal(xs_write(&xs, 0, "a", big, sizeof(big) - 1), -XEN_EINVAL);
	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(xs_printf(&xs, 0, "a", "%s", big), -XEN_EINVAL);
	assert_int_equal(server.requests, 0);
	assert_int_equal(server.in_used, 0);
	big[1023] = 0;
	assert_int_equal(xs_printf(&xs, 0, "a", "%s", big), 0);
}

static void errors_by_name(void **state)
{
	char value[8];

	server.error = "EACCES";
	assert_int_equal(xs_write(&xs, 0, "a", "b", 1), -XEN_EACCES);
	server.error = "ENOSPC";
	assert_int_equal(xs_write(&xs, 0, "a", "b", 1), -XEN_ENOSPC);
	server.error = "ESOMETHING";
	assert_int_equal(xs_read(&xs, 0, "a", value, sizeof(value)), -XEN_EINVAL);
}

static void children(void **state)
{
	static char names[16384];
	const char *name = NULL;
	char path[64];
	long bytes;

	assert_int_equal(xs_directory(&xs, 0, "dir", names, sizeof(names)), 0);
	assert_null(xs_next_name(names, 0, NULL));
	server_set("dir/one", "1", 1);
	server_set("dir/two", "2", 1);
	server_set("dir/two/below", "3", 1);
	bytes = xs_directory(&xs, 0, "dir", names, sizeof(names));
	assert_int_equal(bytes, 8);
	assert_string_equal(name = xs_next_name(names, bytes, name), "one");
	assert_string_equal(name = xs_next_name(names, bytes, name), "two");
	assert_null(xs_next_name(names, bytes, name));
	assert_int_equal(xs_directory(&xs, 0, "dir", names, 7), -XEN_ERANGE);
	/* A name without its end is none. */
	assert_null(xs_next_name("abc", 2, NULL));
	assert_null(xs_next_name(names, -XEN_ENOENT, NULL));

	/* Three messages' worth; the list changes after the first and the second. */
	for (unsigned int i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "long/name-of-some-length-%u", i);
		server_set(path, "", 0);
	}
	server.generation_bumps = 2;
	bytes = xs_directory(&xs, 0, "long", names, sizeof(names));
	assert_true(bytes > 2 * XENSTORE_PAYLOAD_MAX);
	name = NULL;
	for (unsigned int i = 2; i < 500; i++) {
		snprintf(path, sizeof(path), "name-of-some-length-%u", i);
		assert_string_equal(name = xs_next_name(names, bytes, name), path);
	}
	assert_null(xs_next_name(names, bytes, name));
	assert_int_equal(xs_directory(&xs, 0, "long", names, (size_t)bytes - 1), -XEN_ERANGE);
}

static void permissions(void **state)
{
	struct xs_permission p[3] = {{0, 'n'}, {7, 'r'}, {65535, 'b'}}, q[3];

	assert_int_equal(xs_set_permissions(&xs, 0, "a", p, 3), 0);
	assert_int_equal(server.permissions_length, 3 + 3 + 7);
	assert_memory_equal(server.permissions, "n0\0r7\0b65535", 13);
	assert_int_equal(xs_get_permissions(&xs, 0, "a", q, 3), 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(p[i].domain, q[i].domain);
		assert_int_equal(p[i].access, q[i].access);
	}
	assert_int_equal(xs_get_permissions(&xs, 0, "a", q, 1), 3);
	server.permissions_length = (size_t)sprintf(server.permissions, "n70000") + 1;
	assert_int_equal(xs_get_permissions(&xs, 0, "a", q, 1), -XEN_EINVAL);
}

static void transactions(void **state)
{
	xs_transaction t;

	server.conflicts = 1;
	assert_int_equal(xs_transaction_start(&xs, &t), 0);
	assert_int_equal(t, 17);
	assert_int_equal(xs_transaction_end(&xs, t, true), -XEN_EAGAIN);
	assert_int_equal(server.last.tx_id, 17);
	assert_int_equal(xs_transaction_start(&xs, &t), 0);
	assert_int_equal(xs_transaction_end(&xs, t, true), 0);
	assert_string_equal(server.last_payload, "T");
	assert_int_equal(xs_transaction_end(&xs, t, false), 0);
	assert_string_equal(server.last_payload, "F");
}

/* Watches: what fired, in order. */

static char fired_paths[64][64];
static struct xs_watch *fired_watches[64];
static unsigned int fired;
static struct xs_watch *to_unwatch;

static void note(struct xs_watch *watch, const char *path)
{
	assert_true(fired < 64);
	fired_watches[fired] = watch;
	snprintf(fired_paths[fired++], 64, "%.63s", path);
	if (watch == to_unwatch)
		assert_int_equal(xs_unwatch(&xs, watch), 0);
}

static unsigned int dispatch_all(void)
{
	fired = 0;
	while (xs_dispatch(&xs, 1))
		;
	return fired;
}

static void watches(void **state)
{
	struct xs_watch a = {.path = "a", .fired = note}, b = {.path = "b", .fired = note};

	assert_int_equal(xs_watch(&xs, &a), 0);
	assert_int_equal(xs_watch(&xs, &b), 0);
	assert_int_equal(dispatch_all(), 2);
	assert_ptr_equal(fired_watches[0], &a);
	assert_string_equal(fired_paths[1], "b");
	/* Kept while nobody dispatches, in order; the same twice counts once. */
	assert_int_equal(xs_write(&xs, 0, "a/x", "1", 1), 0);
	assert_int_equal(xs_write(&xs, 0, "b", "1", 1), 0);
	assert_int_equal(xs_write(&xs, 0, "a/x", "2", 1), 0);
	assert_int_equal(dispatch_all(), 2);
	assert_ptr_equal(fired_watches[0], &a);
	assert_string_equal(fired_paths[0], "a/x");
	assert_ptr_equal(fired_watches[1], &b);
	/* One that is taken away does not fire, though its change has been received. */
	assert_int_equal(xs_write(&xs, 0, "b", "2", 1), 0);
	assert_int_equal(xs_unwatch(&xs, &b), 0);
	assert_int_equal(dispatch_all(), 0);
	assert_int_equal(xs_unwatch(&xs, &b), -XEN_ENOENT);
	/* From within. */
	to_unwatch = &a;
	server_set("a", "3", 1);
	server_set("a", "4", 1);
	assert_int_equal(dispatch_all(), 1);
	to_unwatch = NULL;
	assert_null(xs.watches);
	/* Refused: not there, then. */
	server.error = "EINVAL";
	assert_int_equal(xs_watch(&xs, &a), -XEN_EINVAL);
	assert_null(xs.watches);
	assert_false(xs_dispatch(&xs, 1));
}

/* More changes than there is room for: the watch's own path says so, and others get theirs. */
static void watch_overflow(void **state)
{
	struct xs_watch a = {.path = "a", .fired = note}, b = {.path = "b", .fired = note};
	char path[64];

	assert_int_equal(xs_watch(&xs, &a), 0);
	assert_int_equal(xs_watch(&xs, &b), 0);
	dispatch_all();
	for (unsigned int i = 0; i < 60; i++) {
		snprintf(path, sizeof(path), "a/%048u", i);
		server_set(path, "", 0);
	}
	server_set("b", "", 0);
	/* A request in between makes the client receive it all. */
	assert_true(xs_exists(&xs, 0, "b"));
	assert_true(a.missed && xs.events_used > XS_EVENTS / 2);
	dispatch_all();
	assert_true(fired > 30 && fired < 60);
	assert_string_equal(fired_paths[fired - 1], fired_watches[fired - 1]->path);
	assert_string_equal(fired_paths[fired - 2], fired_watches[fired - 2]->path);
	assert_ptr_not_equal(fired_watches[fired - 1], fired_watches[fired - 2]);
	assert_int_equal(dispatch_all(), 0);
}

static void for_tools(void **state)
{
	const char *words[] = {"check", "all"};
	char text[32];

	assert_int_equal(xs_domain_path(&xs, 7, text, sizeof(text)), 15);
	assert_string_equal(text, "/local/domain/7");
	assert_int_equal(xs_introduce(&xs, 7, 0x1234, 3), 0);
	assert_int_equal(server.last.len, 9);
	assert_memory_equal(server.last_payload, "7\0004660\0003", 9);
	assert_int_equal(xs_is_introduced(&xs, 7), 1);
	assert_int_equal(xs_is_introduced(&xs, 8), 0);
	assert_int_equal(xs_set_target(&xs, 7, 8), 0);
	assert_memory_equal(server.last_payload, "7\0008", 4);
	assert_int_equal(xs_release(&xs, 7), 0);
	assert_int_equal(xs_resume(&xs, 7), 0);
	assert_int_equal(xs_reset_watches(&xs), 0);
	assert_int_equal(xs_control(&xs, words, 2, text, sizeof(text)), 2);
	assert_memory_equal(server.last_payload, "check\0all", 10);
}

/* Bad servers. */

static bool (*bad)(void);

static bool bad_step(void)
{
	struct xsd_sockmsg request;

	if (server.in_used < sizeof(request))
		return server_step();
	memcpy(&server.last, server.in, sizeof(server.last));
	server.in_used = 0;
	return bad();
}

static bool too_long_answer(void)
{
	struct xsd_sockmsg header = {XS_READ, server.last.req_id, 0, XENSTORE_PAYLOAD_MAX + 1};

	memcpy(server.out, &header, sizeof(header));
	server.out_used = sizeof(header);
	return true;
}

static bool other_type(void)
{
	server_send(XS_WRITE, server.last.req_id, "OK", 3);
	return true;
}

static bool event_without_token(void)
{
	server_send(XS_WATCH_EVENT, 0, "path", 5);
	return true;
}

static bool event_without_end(void)
{
	server_send(XS_WATCH_EVENT, 0, "p\0001", 3);
	return true;
}

static bool empty_event(void)
{
	server_send(XS_WATCH_EVENT, 0, "", 0);
	return true;
}

static bool hang_up(void)
{
	server.broken = true;
	return true;
}

/* Any of these ends the connection, for the one that waits and for all that follow. */
static void bad_servers(void **state)
{
	bool (*const all[])(void) = {too_long_answer,	other_type,  event_without_token,
				     event_without_end, empty_event, hang_up};
	char value[8];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		server_start(&xs, server.chunk);
		bad = all[i];
		host_wait = bad_step;
		assert_int_equal(xs_read(&xs, 0, "a", value, sizeof(value)), -XEN_EIO);
		host_wait = server_step;
		assert_int_equal(xs_write(&xs, 0, "a", "b", 1), -XEN_EIO);
		assert_false(xs_dispatch(&xs, 0));
	}
}

/* Answers to nobody and events for nobody are passed over. */
static bool stray(void)
{
	server_event("a", "1");
	server_event("a", "zzz");
	server_event("a", "123456789abcdef");
	server_send(XS_READ, server.last.req_id + 1, "no", 2);
	server_send(XS_ERROR, server.last.req_id - 1, "EIO", 4);
	server_send(XS_READ, server.last.req_id, "yes", 3);
	return true;
}

static void strays(void **state)
{
	char value[8];

	bad = stray;
	host_wait = bad_step;
	assert_int_equal(xs_read(&xs, 0, "a", value, sizeof(value)), 3);
	assert_string_equal(value, "yes");
	host_wait = server_step;
	assert_false(xs_dispatch(&xs, 1));
}

/* Lists in parts that make no sense. */
static unsigned int part;

static bool bad_part(void)
{
	static const struct {
		const char *bytes;
		size_t size;
	} parts[] = {
	    {"123", 3}, {"1\0", 2}, {"1\0half", 6}, {"1234567890123456789012345\0a\0", 28}};

	if (server.last.type == XS_DIRECTORY)
		server_error("E2BIG");
	else
		server_reply(parts[part].bytes, parts[part].size);
	return true;
}

static void bad_parts(void **state)
{
	char names[64];

	for (part = 0; part < 4; part++) {
		server_start(&xs, server.chunk);
		bad = bad_part;
		host_wait = bad_step;
		assert_int_equal(xs_directory(&xs, 0, "a", names, sizeof(names)), -XEN_EIO);
	}
	host_wait = server_step;
}

#define TEST(function, size)                                                                   \
	{                                                                                      \
#function " in pieces of " #size, function, start, stop, (void *)&chunk_##size \
	}
#define TESTS(size)                                                                                \
	TEST(values, size), TEST(numbers, size), TEST(too_long, size), TEST(errors_by_name, size), \
	    TEST(children, size), TEST(permissions, size), TEST(transactions, size),               \
	    TEST(watches, size), TEST(watch_overflow, size), TEST(for_tools, size),                \
	    TEST(bad_servers, size), TEST(strays, size), TEST(bad_parts, size)

int main(void)
{
	static const size_t chunk_1 = 1, chunk_7 = 7, chunk_65536 = 65536;
	const struct CMUnitTest tests[] = {TESTS(1), TESTS(7), TESTS(65536)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
