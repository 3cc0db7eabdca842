/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/nbd/nbd.c dom0-tools/nbd/negotiation.c dom0-tools/nbd/transfer.c dom0-tools/nbd/log.c dom0-tools/nbd/target.c pv-drivers/block.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/*
 * The client of network disks against a server made up by the test, on connections that break, with a server that crashes
 * and forgets what was not flushed.
 */
#include "unit.h"
#include "nbd_server.h"

static void start(unsigned int kind)
{
	server_start(kind);
	server_connect();
	server_settle();
	assert_true(nbd_is_ready(&client));
	assert_null(client.problem);
}

/* What servers are there: with and without OPT_GO, zeroes, flushes. */
static const unsigned int kinds[] = {SERVER_GO | SERVER_FLUSH | SERVER_TRIM, SERVER_FLUSH,
				     SERVER_FLUSH | SERVER_ZEROES, SERVER_GO,
				     SERVER_GO | SERVER_FLUSH | SERVER_TALKS};

static void test_basics(void **state)
{
	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		static uint8_t text[3 * BLOCK_SECTOR], back[3 * BLOCK_SECTOR];

		start(kinds[k]);
		assert_int_equal(client.device.sectors, SERVER_SECTORS);
		memset(text, 0x5a, sizeof(text));
		memset(back, 0, sizeof(back));
		assert_int_equal(user_do(BLOCK_WRITE, 7, text, 3), 0);
		assert_int_equal(user_do(BLOCK_READ, 7, back, 3), 0);
		assert_memory_equal(text, back, sizeof(text));
		assert_memory_equal(server.volatile_disk + 7 * BLOCK_SECTOR, text, sizeof(text));
		assert_int_equal(user_do(BLOCK_FLUSH, 0, NULL, 0), 0);
		assert_memory_equal(server.stable_disk + 7 * BLOCK_SECTOR, text, sizeof(text));
		assert_int_equal(client.entries_used, 0);
		assert_int_equal(user_do(BLOCK_WRITE, SERVER_SECTORS - 1, text, 2), -XEN_EINVAL);
		assert_int_equal(user_do(BLOCK_DISCARD, 0, NULL, 8),
				 kinds[k] & SERVER_TRIM ? 0 : -XEN_EOPNOTSUPP);
		server_stop();
	}
}

static void test_refusals(void **state)
{
	static const struct {
		unsigned int kind;
		const char *says;
	} cases[] = {{SERVER_GO | SERVER_UNKNOWN, "no export of that name"},
		     {SERVER_GO | SERVER_TLS, "wants TLS"},
		     {SERVER_OLD, "old form"},
		     {SERVER_HTTP, "no NBD server"},
		     {SERVER_GO | SERVER_EMPTY, "empty"},
		     {SERVER_GO | SERVER_BLOCKS, "blocks"}};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		server_start(cases[i].kind);
		server_connect();
		server_settle();
		assert_false(nbd_is_ready(&client));
		assert_non_null(client.problem);
		assert_non_null(strstr(client.problem, cases[i].says));
		assert_true(client.refused);
		assert_false(server.connected);
		server_stop();
	}
}

/* What the server says about a request is what its user hears. */
static void test_errors(void **state)
{
	static uint8_t sector[BLOCK_SECTOR];
	static const int errors[][2] = {
	    {5, -XEN_EIO}, {28, -XEN_ENOSPC}, {1, -XEN_EROFS}, {22, -XEN_EINVAL}, {999, -XEN_EIO}};

	start(kinds[0]);
	for (unsigned int i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		server.error = (uint32_t)errors[i][0];
		assert_int_equal(user_do(BLOCK_READ, 1, sector, 1), errors[i][1]);
		assert_int_equal(user_do(BLOCK_WRITE, 1, sector, 1), errors[i][1]);
	}
	server.error = 0;
	assert_int_equal(user_do(BLOCK_READ, 1, sector, 1), 0);
	assert_int_equal(client.entries_used, 0);
	server_stop();
}

/* A flush of our own that fails is the next flush's error, once. */
static void test_owed(void **state)
{
	static uint8_t bytes[256 * 1024];

	start(kinds[0]);
	server.flush_error = 5;
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(user_do(BLOCK_WRITE, 0, bytes, 512), 0);
	assert_true(client.counters.own_flushes > 0);
	server.flush_error = 0;
	assert_int_equal(user_do(BLOCK_FLUSH, 0, NULL, 0), -XEN_EIO);
	assert_int_equal(user_do(BLOCK_FLUSH, 0, NULL, 0), 0);
	server_stop();
}

static void test_replies_that_lie(void **state)
{
	for (unsigned int lie = 1; lie <= LIES; lie++) {
		static uint8_t sector[BLOCK_SECTOR];

		start(kinds[0]);
		server.lie = lie;
		user_begin(BLOCK_READ, 3, sector, 1);
		server_settle();
		assert_false(server.connected);
		assert_string_equal(client.problem, "the server breaks the protocol's rules");
		server.lie = 0;
		server_connect();
		server_settle();
		assert_int_equal(user_end(), 0);
		server_stop();
	}
}

static void test_lost_connection(void **state)
{
	static uint8_t text[BLOCK_SECTOR] = "was answered, not flushed", back[BLOCK_SECTOR];

	start(kinds[0]);
	assert_int_equal(user_do(BLOCK_WRITE, 9, text, 1), 0);
	server_crash();
	assert_memory_not_equal(server.volatile_disk + 9 * BLOCK_SECTOR, text, BLOCK_SECTOR);
	user_begin(BLOCK_READ, 9, back, 1);
	server_connect();
	server_settle();
	assert_int_equal(user_end(), 0);
	assert_memory_equal(text, back, BLOCK_SECTOR);
	assert_int_equal(user_do(BLOCK_FLUSH, 0, NULL, 0), 0);
	server_crash();
	assert_memory_equal(server.stable_disk + 9 * BLOCK_SECTOR, text, BLOCK_SECTOR);
	server_stop();
}

/* Without a server requests wait, and then they fail, until there is one again; what was answered is not forgotten. */
static void test_patience(void **state)
{
	static uint8_t text[BLOCK_SECTOR] = "kept", back[BLOCK_SECTOR];

	start(kinds[0]);
	assert_int_equal(user_do(BLOCK_WRITE, 5, text, 1), 0);
	server_crash();
	user_begin(BLOCK_READ, 5, back, 1);
	server.now += client.patience - 1000;
	nbd_tick(&client, server.now);
	assert_true(user_waits());
	server.now += 2000;
	nbd_tick(&client, server.now);
	assert_int_equal(user_end(), -XEN_EIO);
	user_begin(BLOCK_FLUSH, 0, NULL, 0);
	nbd_run(&client, server.now);
	assert_int_equal(user_end(), -XEN_EIO);
	server_connect();
	server_settle();
	assert_int_equal(user_do(BLOCK_READ, 5, back, 1), 0);
	assert_memory_equal(text, back, BLOCK_SECTOR);
	server_stop();
}

static void test_silence(void **state)
{
	static uint8_t back[BLOCK_SECTOR];

	start(kinds[0]);
	server.silent = true;
	user_begin(BLOCK_READ, 5, back, 1);
	server_settle();
	server.now += NBD_REPLY_SECONDS * 1000000000ull;
	nbd_tick(&client, server.now);
	assert_true(server.connected);
	server.now += 1000;
	nbd_tick(&client, server.now);
	assert_false(server.connected);
	/* Silent from the first word on. */
	server_connect();
	server.now += 11 * 1000000000ull;
	nbd_tick(&client, server.now);
	assert_false(server.connected);
	server.silent = false;
	server_connect();
	server_settle();
	assert_int_equal(user_end(), 0);
	server_stop();
}

/* A request that ends every connection is given up. */
static void test_poison(void **state)
{
	static uint8_t back[BLOCK_SECTOR];
	unsigned int connections = 0;

	start(kinds[0]);
	server.hates_sector = 11;
	user_begin(BLOCK_READ, 11, back, 1);
	server_settle();
	while (user_waits() && connections++ < 100) {
		assert_false(server.connected);
		server_connect();
		server_settle();
	}
	assert_int_equal(user_end(), -XEN_EIO);
	assert_int_equal(connections, 9);
	assert_int_equal(user_do(BLOCK_READ, 12, back, 1), 0);
	server_stop();
}

static void test_changed_export(void **state)
{
	start(kinds[0]);
	server_lose();
	server.sectors += 100;
	server_connect();
	server_settle();
	assert_true(nbd_is_ready(&client));
	assert_int_equal(client.device.sectors, SERVER_SECTORS + 100);
	server_lose();
	server.sectors -= 1;
	server_connect();
	server_settle();
	assert_string_equal(client.problem, "the export has become smaller");
	server.sectors += 1;
	server.kind |= SERVER_READ_ONLY;
	server_connect();
	server_settle();
	assert_string_equal(client.problem, "the export has become read-only");
	server_stop();
}

/*
 * Anything in any order: requests on sectors of which no other is under way, bytes in pieces, lost connections and
 * crashes of the server. What is read is what was last written; what was flushed is there after a crash of both.
 */
static void random_life(unsigned int seed, unsigned int kind, unsigned int steps)
{
	start(kind);
	model_start(seed);
	while (steps--)
		model_step();
	model_finish();
	server_stop();
}

static void test_random_life(void **state)
{
	const char *rounds = getenv("NBD_ROUNDS");
	unsigned int count = rounds ? (unsigned int)atoi(rounds) : 40;

	for (unsigned int seed = 1; seed <= count; seed++)
		random_life(seed, kinds[seed % 5], 6000);
}

static void test_targets(void **state)
{
	static const struct {
		const char *text, *host, *export_name;
		unsigned int port;
	} good[] = {{"nbd://store", "store", "", 10809},
		    {"nbd://10.0.2.2:99/disk%201", "10.0.2.2", "disk 1", 99},
		    {"nbd://a/b/c", "a", "b/c", 10809}};
	static const char *const bad[] = {"nbd:store",	 "nbd://",     "nbd:///x",
					  "nbd://a:0/x", "nbd://a:/x", "nbd://a:65536/x",
					  "nbd://:1/x",	 "nbd://a/%4", "nbd://a/%00"};
	struct nbd_target target;

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_null(nbd_parse_target(good[i].text, &target));
		assert_string_equal(target.host, good[i].host);
		assert_string_equal(target.export_name, good[i].export_name);
		assert_int_equal(target.port, good[i].port);
	}
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(nbd_parse_target(bad[i], &target));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_basics),	     cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_errors),	     cmocka_unit_test(test_owed),
	    cmocka_unit_test(test_replies_that_lie), cmocka_unit_test(test_lost_connection),
	    cmocka_unit_test(test_patience),	     cmocka_unit_test(test_silence),
	    cmocka_unit_test(test_poison),	     cmocka_unit_test(test_changed_export),
	    cmocka_unit_test(test_random_life),	     cmocka_unit_test(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
