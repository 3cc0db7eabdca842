/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/console/log.c dom0-tools/console/pump.c guest/byte_ring.c
// flags: -Iguest/include
/* The console daemon's log and pump: what is kept of a stream, and what a domain may have moved in which time. */
#include "unit.h"
#include "console/pump.h"

static struct console_log stream;

static int empty(void **state)
{
	console_log_free(&stream);
	return 0;
}

/* Byte n of the test's stream. */
static char byte_at(uint64_t n)
{
	return (char)(n * 7 + (n >> 8));
}

static void append(size_t count)
{
	char *bytes = malloc(count + 1);

	for (size_t i = 0; i < count; i++)
		bytes[i] = byte_at(stream.end + i);
	console_log_append(&stream, bytes, count);
	free(bytes);
}

/* All of it from *position on, in pieces. */
static uint64_t check_from(uint64_t position, size_t piece)
{
	char *bytes = malloc(piece);
	uint64_t seen = 0, first = position;
	size_t count;

	while ((count = console_log_copy(&stream, bytes, piece, &position)) != 0) {
		if (!seen)
			first = position - count;
		for (size_t i = 0; i < count; i++)
			assert_int_equal(bytes[i], byte_at(position - count + i));
		seen += count;
	}
	free(bytes);
	assert_int_equal(position, stream.end);
	assert_int_equal(first + seen, stream.end);
	return seen;
}

static void log_keeps_the_end(void **state)
{
	uint64_t total = 0;

	assert_int_equal(check_from(0, 10), 0);
	for (size_t count = 0; total < 3 * CONSOLE_LOG_SIZE; count = (count * 5 + 3) % 3000) {
		append(count);
		total += count;
		assert_int_equal(stream.end, total);
		assert_true(stream.size <= CONSOLE_LOG_SIZE);
		assert_int_equal(check_from(0, 777),
				 total < CONSOLE_LOG_SIZE ? total : CONSOLE_LOG_SIZE);
	}
	assert_int_equal(check_from(stream.end - 5, 3), 5);
	/* Positions that there are not (a log of the same number that is another's): from the oldest. */
	assert_int_equal(check_from(stream.end + 1, 4096), CONSOLE_LOG_SIZE);
	append(5 * CONSOLE_LOG_SIZE + 1);
	assert_int_equal(check_from(0, 4096), CONSOLE_LOG_SIZE);
}

/* All logs together stay below their limit; the last ones are small, but work. */
static void logs_are_bounded(void **state)
{
	static struct console_log logs[400];
	static char bytes[CONSOLE_LOG_SIZE];
	size_t total = 0;

	for (unsigned int i = 0; i < 400; i++) {
		console_log_append(&logs[i], "first", 5);
		console_log_append(&logs[i], bytes, sizeof(bytes));
		assert_int_equal(logs[i].end, sizeof(bytes) + 5);
		total += logs[i].size;
	}
	assert_true(total <= CONSOLE_LOG_TOTAL + 400 * 1024);
	/* One that had to stay small goes round; when there is memory again it grows, in order. */
	append(1000);
	append(1500);
	assert_int_equal(stream.size, 1024);
	assert_int_equal(check_from(0, 100), 1024);
	for (unsigned int i = 0; i < 400; i++)
		console_log_free(&logs[i]);
	append(1000);
	assert_int_equal(stream.size, 2048);
	assert_int_equal(check_from(0, 100), 2024);
}

static struct xencons_interface *page;
static struct pump pump;

static int connect(void **state)
{
	page = calloc(1, sizeof(*page));
	memset(&pump, 0, sizeof(pump));
	pump_connect(&pump, page);
	return 0;
}

static int disconnect(void **state)
{
	console_log_free(&pump.log);
	free(page);
	return 0;
}

static void print(size_t count)
{
	for (size_t i = 0; i < count; i++)
		page->out[MASK_XENCONS_IDX(page->out_prod++, page->out)] = 'x';
}

#define ALL CONSOLE_LOG_SIZE

static void output(void **state)
{
	uint64_t again;

	assert_false(pump_turn(&pump, 1, ALL, &again));
	print(10);
	assert_true(pump_turn(&pump, 2, ALL, &again));
	assert_int_equal(again, 0);
	assert_int_equal(pump.log.end, 10);
	assert_int_equal(page->out_cons, 10);
	/* As much as there is room for, and no word of coming again: room brings that. */
	print(10);
	assert_true(pump_turn(&pump, 3, 4, &again));
	assert_int_equal(pump.log.end, 14);
	assert_false(pump_turn(&pump, 4, 0, &again));
	assert_int_equal(again, 0);
	pump_drain(&pump);
	assert_int_equal(pump.log.end, 20);
}

/* In every period so many turns, so many bytes at most; then again when the next one begins. */
static void rate(void **state)
{
	const uint64_t start = 1000 * PUMP_PERIOD;
	uint64_t again, now = start;
	unsigned int turns = 0;

	for (;;) {
		print(sizeof(page->out));
		if (!pump_turn(&pump, now, ALL, &again))
			break;
		assert_int_equal(again, now);
		turns++;
		now += PUMP_PERIOD / 100;
	}
	assert_int_equal(turns, PUMP_TURNS);
	assert_int_equal(again, start + PUMP_PERIOD);
	assert_int_equal(pump.log.end, PUMP_TURNS * PUMP_BYTES);
	/* Events alone are counted, too. */
	assert_false(pump_turn(&pump, again - 1, ALL, &now));
	assert_true(pump_turn(&pump, again, ALL, &now));
	for (unsigned int i = 1; i < PUMP_TURNS; i++)
		assert_false(pump_turn(&pump, again, ALL, &now));
	print(1);
	assert_false(pump_turn(&pump, again, ALL, &now));
	assert_int_equal(now, again + PUMP_PERIOD);
}

static void input(void **state)
{
	char text[2000];
	uint64_t again;

	memset(text, 'k', sizeof(text));
	assert_int_equal(pump_type(&pump, "hello", 5), 5);
	assert_true(pump_turn(&pump, 1, ALL, &again));
	assert_memory_equal(page->in, "hello", 5);
	assert_int_equal(page->in_prod, 5);
	assert_int_equal(pump.typed_used, 0);
	/* The ring is full, then what waits for it; then nothing more is taken, until the domain reads. */
	page->in_prod += 1000;
	assert_int_equal(pump_type(&pump, text, sizeof(text)), sizeof(pump.typed));
	assert_true(pump_turn(&pump, 2, ALL, &again));
	assert_int_equal(page->in_prod, sizeof(page->in));
	assert_int_equal(pump_type(&pump, text, sizeof(text)), 19);
	assert_false(pump_turn(&pump, 3, ALL, &again));
	page->in_cons += 300;
	assert_true(pump_turn(&pump, 4, ALL, &again));
	assert_int_equal(pump.typed_used, 0);
}

static void broken(void **state)
{
	uint64_t again;

	print(sizeof(page->out) + 1);
	assert_false(pump_turn(&pump, 1, ALL, &again));
	assert_true(pump.broken);
	page->out_prod = page->out_cons = 0;
	print(1);
	assert_false(pump_turn(&pump, 2 * PUMP_PERIOD, ALL, &again));
	pump_drain(&pump);
	assert_int_equal(pump.log.end, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(log_keeps_the_end, empty, empty),
	    cmocka_unit_test_setup_teardown(logs_are_bounded, empty, empty),
	    cmocka_unit_test_setup_teardown(output, connect, disconnect),
	    cmocka_unit_test_setup_teardown(rate, connect, disconnect),
	    cmocka_unit_test_setup_teardown(input, connect, disconnect),
	    cmocka_unit_test_setup_teardown(broken, connect, disconnect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
