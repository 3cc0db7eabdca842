/* SPDX-License-Identifier: MIT */
#include "console/pump.h"
#include <string.h>

void pump_connect(struct pump *pump, struct xencons_interface *page)
{
	pump->output =
	    (struct byte_ring){page->out, sizeof(page->out), &page->out_prod, &page->out_cons};
	pump->input =
	    (struct byte_ring){page->in, sizeof(page->in), &page->in_prod, &page->in_cons};
}

/* Returns how many bytes were moved. */
static size_t take_output(struct pump *pump, size_t room)
{
	char buffer[PUMP_BYTES];
	long count =
	    byte_ring_take(&pump->output, buffer, room < sizeof(buffer) ? room : sizeof(buffer));

	if (count < 0) {
		pump->broken = true;
		return 0;
	}
	console_log_append(&pump->log, buffer, (size_t)count);
	return (size_t)count;
}

static size_t put_typed(struct pump *pump)
{
	long count = byte_ring_put(&pump->input, pump->typed, pump->typed_used);

	if (count < 0) {
		pump->broken = true;
		return 0;
	}
	pump->typed_used -= (size_t)count;
	memmove(pump->typed, pump->typed + count, pump->typed_used);
	return (size_t)count;
}

bool pump_turn(struct pump *pump, uint64_t now, size_t room, uint64_t *again)
{
	size_t moved;

	*again = 0;
	if (pump->broken)
		return false;
	if (now - pump->period >= PUMP_PERIOD) {
		pump->period = now;
		pump->turns = 0;
	}
	if (pump->turns == PUMP_TURNS) {
		*again = pump->period + PUMP_PERIOD;
		return false;
	}
	pump->turns++;
	moved = take_output(pump, room);
	/* A full turn: there may be more. With less room than that, whoever makes room comes again. */
	if (moved == PUMP_BYTES)
		*again = now;
	return moved + put_typed(pump) > 0;
}

void pump_drain(struct pump *pump)
{
	/* Twice, should a vCPU have been writing still; not for as long as it likes. */
	if (!pump->broken && take_output(pump, PUMP_BYTES))
		take_output(pump, PUMP_BYTES);
}

size_t pump_type(struct pump *pump, const char *text, size_t length)
{
	size_t room = sizeof(pump->typed) - pump->typed_used;

	if (length > room)
		length = room;
	memcpy(pump->typed + pump->typed_used, text, length);
	pump->typed_used += length;
	return length;
}
