/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/store/table.c dom0-tools/store/path.c dom0-tools/store/permission.c dom0-tools/store/tree.c dom0-tools/store/watch.c dom0-tools/store/transaction.c dom0-tools/store/view.c dom0-tools/store/request.c dom0-tools/store/control.c dom0-tools/store/ring.c dom0-tools/store/connection.c dom0-tools/store/domain.c dom0-tools/store/store.c
/* Random operations of several domains on the store, against the model of store_model.h. */
#include "unit.h"
#include "store_model.h"

static uint64_t seed;

static unsigned int model_choose(unsigned int n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)(seed >> 33) % n;
}

static void random_operations(void **state)
{
	for (unsigned int run = 0; run < 30; run++) {
		seed = run;
		model_start();
		for (unsigned int i = 0; i < 600; i++)
			model_operation();
		model_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
