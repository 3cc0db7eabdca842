/* SPDX-License-Identifier: MIT */
#include "nbd/internal.h"
#include <guest/event.h>
#include <public/errno.h>

#define SECOND 1000000000ull
/* From a connection to the end of the negotiation, and from each word of the server to the next. */
#define NEGOTIATE_SECONDS 10

static void submit(struct block_device *device, struct block_request *request)
{
	struct nbd *nbd = device->driver;

	block_queue_put(&nbd->submitted, request);
	nbd->transport->wake(nbd);
}

static const struct block_operations operations = {.submit = submit};

void nbd_init(struct nbd *nbd, uint8_t *log)
{
	nbd->log = log;
	nbd->device.operations = &operations;
	nbd->device.driver = nbd;
	nbd->device.logical_size = BLOCK_SECTOR;
}

void nbd_expect(struct nbd *nbd, uint32_t bytes)
{
	nbd->have = 0;
	nbd->want = bytes;
}

void nbd_lost(struct nbd *nbd, uint64_t now)
{
	if (nbd->state == NBD_READY)
		nbd->down_since = now;
	nbd->state = NBD_DOWN;
	nbd->skip = nbd->rest = 0;
	nbd_transfer_stop(nbd);
}

void nbd_give_up(struct nbd *nbd, const char *problem, bool refused)
{
	nbd->problem = problem;
	nbd->refused = refused;
	nbd->transport->drop(nbd);
	nbd_lost(nbd, nbd->now);
}

void nbd_connected(struct nbd *nbd, uint64_t now)
{
	nbd->now = nbd->heard = now;
	nbd_negotiate(nbd);
	nbd_run(nbd, now);
}

static void take_submitted(struct nbd *nbd)
{
	bool masked = events_save();
	struct block_request *request;

	while ((request = block_queue_take(&nbd->submitted)))
		block_queue_put(&nbd->waiting, request);
	events_restore(masked);
}

void nbd_run(struct nbd *nbd, uint64_t now)
{
	nbd->now = now;
	take_submitted(nbd);
	if (nbd->failing)
		nbd_transfer_fail(nbd);
	if (nbd->state == NBD_DOWN)
		return;
	nbd_transfer_run(nbd);
	nbd->transport->push(nbd);
}

static size_t take_head(struct nbd *nbd, const uint8_t *bytes, size_t length)
{
	size_t piece = nbd->want - nbd->have;

	if (piece > length)
		piece = length;
	memcpy(nbd->in + nbd->have, bytes, piece);
	nbd->have += (uint32_t)piece;
	if (nbd->have < nbd->want)
		return piece;
	if (nbd->state < NBD_REPLAYING)
		nbd_negotiate_head(nbd);
	else
		nbd_transfer_head(nbd);
	return piece;
}

void nbd_received(struct nbd *nbd, const void *data, size_t length, uint64_t now)
{
	const uint8_t *bytes = data;

	nbd->now = nbd->heard = now;
	while (length && nbd->state != NBD_DOWN) {
		size_t piece;

		if (nbd->skip) {
			piece = nbd->skip < length ? nbd->skip : length;
			nbd->skip -= (uint32_t)piece;
		} else if (nbd->reading) {
			piece = nbd_transfer_data(nbd, bytes, length);
		} else {
			piece = take_head(nbd, bytes, length);
		}
		bytes += piece;
		length -= piece;
	}
	nbd_run(nbd, now);
}

void nbd_tick(struct nbd *nbd, uint64_t now)
{
	bool late;

	nbd->now = now;
	late = nbd->state != NBD_DOWN && nbd->state != NBD_READY &&
	       now > nbd->heard + NEGOTIATE_SECONDS * SECOND;

	if (late || (nbd->state == NBD_READY && nbd_transfer_is_stuck(nbd, now))) {
		nbd->problem = "the server does not answer";
		nbd->refused = false;
		nbd->transport->drop(nbd);
		nbd_lost(nbd, now);
	}
	if (nbd->state != NBD_READY && nbd->known && nbd->patience &&
	    now > nbd->down_since + nbd->patience)
		nbd->failing = true;
	nbd_run(nbd, now);
}

/* NBD_CMD_DISC has no answer. */
void nbd_say_goodbye(struct nbd *nbd)
{
	uint8_t request[28] = {0x25, 0x60, 0x95, 0x13, 0, 0, 0, NBD_CMD_DISC};

	if (nbd->state != NBD_READY)
		return;
	nbd->transport->send(nbd, request, sizeof(request), false);
	nbd->transport->push(nbd);
}
