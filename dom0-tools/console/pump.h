/* SPDX-License-Identifier: MIT */
/*
 * The back half of one domain's console: output goes from the ring to the log, what was typed into the ring. Pure. The
 * domain may write anything into the page at any time (guest/byte_ring.h); it spoils its own console.
 *
 * It gets PUMP_TURNS turns of at most PUMP_BYTES in each period, so that a domain that prints as fast as it can costs
 * a bounded share of this one's time.
 */
#ifndef CONSOLE_PUMP_H
#define CONSOLE_PUMP_H

#include "console/log.h"
#include <stdbool.h>
#include <guest/byte_ring.h>
#include <guest/clock.h>
#include <public/io/console.h>

#define PUMP_BYTES  2048
#define PUMP_TURNS  8
#define PUMP_PERIOD (50 * NSEC_PER_MSEC)

struct pump {
	struct byte_ring output, input;
	struct console_log log;
	char typed[256]; /* waits for room in the ring */
	size_t typed_used;
	uint64_t period; /* when it began */
	unsigned int turns;
	bool broken; /* impossible indexes: no more is moved */
};

void pump_connect(struct pump *pump, struct xencons_interface *page);

/*
 * One turn. now: the time. room: so much output may be taken. *again: when to come again though the domain sends no
 * event, now included; 0: not at all. Returns whether the domain is to be told, since something has moved.
 */
bool pump_turn(struct pump *pump, uint64_t now, size_t room, uint64_t *again);

/* All the output that is there, whatever the period: the domain has ended. */
void pump_drain(struct pump *pump);

/* Queue what was typed; returns how much there was room for. */
size_t pump_type(struct pump *pump, const char *text, size_t length);

#endif
