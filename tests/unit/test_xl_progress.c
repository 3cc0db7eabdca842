/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/xl/progress.c
// flags: -Iguest/include -D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__
/* What a person sees of a long step. */
#include "unit.h"
#include <guest/clock.h>
#include "xl/progress.h"

static uint64_t now;
static char *seen;
static size_t seen_size;

uint64_t clock_now(void)
{
	return now;
}

static void at(struct progress *p, unsigned int milliseconds, uint64_t done)
{
	now = 5 * NSEC_PER_SEC + milliseconds * 1000000UL;
	progress_step(p, "unpacking the kernel", done, 2000);
}

static void test_short_is_silent(void **state)
{
	FILE *out = open_memstream(&seen, &seen_size);
	struct progress p;

	now = 5 * NSEC_PER_SEC;
	progress_begin(&p, out, "Domain 3");
	for (unsigned int i = 0; i < 500; i++)
		at(&p, i, i);
	progress_end(&p);
	fclose(out);
	assert_string_equal(seen, "");
	free(seen);
}

/* A line now and then, drawn over the one before, and gone at the end. */
static void test_long_is_one_line(void **state)
{
	FILE *out = open_memstream(&seen, &seen_size);
	struct progress p;

	now = 5 * NSEC_PER_SEC;
	progress_begin(&p, out, "Domain 3");
	at(&p, 10, 0);
	at(&p, 510, 500);
	at(&p, 520, 510);
	at(&p, 600, 700);
	at(&p, 710, 1999);
	now += NSEC_PER_SEC;
	progress_step(&p, "memory", 0, 0);
	progress_end(&p);
	progress_end(&p);
	fclose(out);
	assert_string_equal(seen, "\r\033[KDomain 3: unpacking the kernel, 25 %"
				  "\r\033[KDomain 3: unpacking the kernel, 99 %"
				  "\r\033[KDomain 3: memory, 0 %"
				  "\r\033[K");
	free(seen);
}

static void test_not_a_terminal(void **state)
{
	struct progress p;

	now = 5 * NSEC_PER_SEC;
	progress_begin(&p, NULL, "Domain 3");
	at(&p, 5000, 1);
	progress_end(&p);
	assert_false(p.shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_short_is_silent),
	    cmocka_unit_test(test_long_is_one_line),
	    cmocka_unit_test(test_not_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
