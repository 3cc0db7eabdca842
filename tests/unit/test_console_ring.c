/* SPDX-License-Identifier: MIT */
// sources: hypervisor/console/ring.c hypervisor/console/serial.c hypervisor/lib/number.c
/* The ring of past text against a flat record of it; log levels, rate limits, values of com1=. */
#include "unit.h"
#include "console/ring.h"
#include "console/internal.h"

static char record[1 << 20]; /* everything ever appended */

static void make(struct console_ring *r, char *buf, uint32_t size, uint32_t start)
{
	*r = (struct console_ring){.buf = buf, .size = size, .produced = start, .oldest = start};
}

/* All of r, read from an index in pieces of some size, must be the end of what was appended. */
static void check(struct console_ring *r, size_t appended, size_t piece)
{
	char got[256];
	size_t total = 0, kept = r->produced - r->oldest;
	uint32_t index = r->oldest;

	assert_true(kept <= r->size);
	for (;;) {
		size_t n = ring_copy(r, &index, got + total, piece);

		if (n == 0)
			break;
		total += n;
	}
	assert_int_equal(total, kept);
	assert_int_equal(index, r->produced);
	assert_memory_equal(got, record + appended - kept, kept);
}

static void test_random_appends(void **state)
{
	/* Indices that wrap in the middle of it, too. */
	for (uint32_t start = 0; start <= 1; start++) {
		char buf[64], bigger[256];
		struct console_ring r;
		size_t appended = 0;

		make(&r, buf, sizeof(buf), start ? 0xfffffff0U : 0);
		srand(1);
		for (int i = 0; i < 5000; i++) {
			size_t n = rand() % (i % 10 == 0 ? 150 : 20);

			for (size_t k = 0; k < n; k++)
				record[appended + k] = 'a' + rand() % 26;
			ring_append(&r, record + appended, n);
			appended += n;
			check(&r, appended, 1 + rand() % 40);
			if (i == 2500) {
				ring_grow(&r, bigger, sizeof(bigger));
				check(&r, appended, 17);
			}
			if (i % 700 == 699) {
				ring_clear(&r);
				check(&r, appended, 5);
			}
		}
		assert_int_equal(r.produced - r.oldest <= 256, 1);
	}
}

static void test_old_and_foreign_indices(void **state)
{
	char buf[16], got[64];
	struct console_ring r;
	uint32_t index = 3;

	make(&r, buf, sizeof(buf), 0);
	ring_append(&r, "0123456789abcdefghij", 20);
	assert_int_equal(ring_copy(&r, &index, got, 64),
			 16); /* byte 3 is gone: from the oldest on */
	assert_memory_equal(got, "456789abcdefghij", 16);
	assert_int_equal(index, 20);
	index = 18;
	assert_int_equal(ring_copy(&r, &index, got, 64), 2);
	assert_memory_equal(got, "ij", 2);
	index = 1000; /* never produced */
	assert_int_equal(ring_copy(&r, &index, got, 4), 4);
	assert_memory_equal(got, "4567", 4);
	ring_clear(&r);
	index = 0;
	assert_int_equal(ring_copy(&r, &index, got, 64), 0);
	assert_int_equal(index, 20);
}

static void test_levels(void **state)
{
	struct log_levels l = {9, 9};

	assert_int_equal(parse_log_levels("none", &l), 0);
	assert_true(l.lower == 0 && l.upper == 0);
	assert_int_equal(parse_log_levels("all", &l), 0);
	assert_true(l.lower == 4 && l.upper == 4);
	assert_int_equal(parse_log_levels("error/info", &l), 0);
	assert_true(l.lower == 1 && l.upper == 3);
	assert_int_equal(parse_log_levels("debug/none", &l), 0);
	assert_true(l.lower == 4 && l.upper == 4);
	l = (struct log_levels){7, 7};
	for (const char *const *bad = (const char *const[]){"", "loud", "none/", "/all", "warn",
							    "info/loud", "no", "all/all/all", NULL};
	     *bad; bad++)
		assert_int_not_equal(parse_log_levels(*bad, &l), 0);
	assert_true(l.lower == 7 && l.upper == 7);
}

static void test_ratelimit(void **state)
{
	struct ratelimit r = {0};
	unsigned int missed, passed = 0;

	for (int i = 0; i < 100; i++)
		passed += ratelimit_pass(&r, 1000 + i, &missed);
	assert_int_equal(passed, RATELIMIT_BURST);
	assert_false(ratelimit_pass(&r, RATELIMIT_INTERVAL - 1, &missed));
	assert_true(ratelimit_pass(&r, RATELIMIT_INTERVAL + 1000, &missed));
	assert_int_equal(missed, 100 - RATELIMIT_BURST + 1);
	assert_true(ratelimit_pass(&r, RATELIMIT_INTERVAL + 1001, &missed));
	assert_int_equal(missed, 0);
}

static bool same(const struct uart_config *a, const struct uart_config *b)
{
	return a->baud == b->baud && a->base_baud == b->base_baud && a->line == b->line &&
	       a->io == b->io && a->irq == b->irq;
}

static void test_uart_values(void **state)
{
	static const struct uart_config start = {115200, 115200, 0x03, 0x3f8, 4};
	static const struct {
		const char *value;
		struct uart_config c;
	} good[] = {
	    {"115200", {115200, 115200, 0x03, 0x3f8, 4}},
	    {"115200,8n1", {115200, 115200, 0x03, 0x3f8, 4}},
	    {"9600,7e2", {9600, 115200, 0x1e, 0x3f8, 4}},
	    {"38400/1843200,8o1,0x2f8,3", {38400, 1843200, 0x0b, 0x2f8, 3}},
	    {"auto,,0xe000,0", {0, 115200, 0x03, 0xe000, 0}},
	    {"auto", {0, 115200, 0x03, 0x3f8, 4}},
	    {"57600,5s1,,10", {57600, 115200, 0x38, 0x3f8, 10}},
	};
	static const char *const bad[] = {
	    "",
	    "fast",
	    "0",
	    "115200,",
	    "115200x",
	    "230400",
	    "115200,9n1",
	    "115200,8x1",
	    "115200,8n3",
	    "115200,8n",
	    "115200,8",
	    "115200,8n1,",
	    "115200,8n1,pci",
	    "115200,8n1,0x10000",
	    "115200,8n1,0x3f8,16",
	    "115200,8n1,0x3f8,4,",
	    "115200,8n1x",
	    "99999999999999999999",
	    "1/115200",
	    "autobahn",
	    "115200,8n1,0x3f8,4x",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct uart_config c = start;

		assert_int_equal(uart_parse(good[i].value, &c), 0);
		assert_true(same(&c, &good[i].c));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct uart_config c = start;
		int rc = uart_parse(bad[i], &c);

		if (rc == 0)
			fail_msg("'%s' was accepted", bad[i]);
		assert_true(same(&c, &start));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_appends), cmocka_unit_test(test_old_and_foreign_indices),
	    cmocka_unit_test(test_levels),	   cmocka_unit_test(test_ratelimit),
	    cmocka_unit_test(test_uart_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
