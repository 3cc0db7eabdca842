/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/console/log.c dom0-tools/console/pump.c guest/byte_ring.c
// flags: -Iguest/include
// runs: 100000
#include <stdlib.h>
#include <string.h>
#include "console/pump.h"

/*
 * A domain that writes anything into its console's page between the daemon's turns: indexes, texts, both. Nothing is
 * touched but the page, the log stays within its bound, and no more is moved in a period than may be.
 *
 * Each step of the input is four bytes: what to do, and with what.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void step(struct pump *pump, struct xencons_interface *page, const uint8_t *in,
		 uint64_t *now)
{
	uint32_t value = (uint32_t)(in[1] | in[2] << 8 | (int8_t)in[3] * 65536);
	uint32_t *const indexes[] = {&page->in_cons, &page->in_prod, &page->out_cons,
				     &page->out_prod};
	char text[600];
	uint64_t again, moved = pump->log.end, position;

	switch (in[0] % 8) {
	case 0:
	case 1:
		*indexes[in[0] / 8 % 4] += value;
		break;
	case 2:
		*indexes[in[0] / 8 % 4] = value;
		break;
	case 3:
		memset(page->out, in[1], sizeof(page->out));
		break;
	case 4:
		memset(text, in[1], sizeof(text));
		if (pump_type(pump, text, value % sizeof(text)) > sizeof(pump->typed))
			abort();
		break;
	case 5:
		*now += value % (2 * PUMP_PERIOD);
		break;
	case 6:
		position = value;
		console_log_copy(&pump->log, text, in[1], &position);
		if (position < pump->log.begin || position > pump->log.end)
			abort();
		break;
	default:
		pump_turn(pump, *now, in[0] & 8 ? value : CONSOLE_LOG_SIZE, &again);
		if (pump->log.end - moved > PUMP_BYTES ||
		    (pump->turns > PUMP_TURNS || (again && again < *now)))
			abort();
	}
	if (pump->log.size > CONSOLE_LOG_SIZE || pump->log.end - pump->log.begin > pump->log.size ||
	    pump->typed_used > sizeof(pump->typed))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Memory of its own, so that a step beyond is noticed. */
	struct xencons_interface *page = calloc(1, sizeof(*page));
	struct pump pump = {0};
	uint64_t now = PUMP_PERIOD;

	pump_connect(&pump, page);
	for (size_t at = 0; at + 4 <= size; at += 4)
		step(&pump, page, data + at, &now);
	pump_drain(&pump);
	console_log_free(&pump.log);
	free(page);
	return 0;
}
