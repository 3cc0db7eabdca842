/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/nbd/nbd.c dom0-tools/nbd/negotiation.c dom0-tools/nbd/transfer.c dom0-tools/nbd/log.c dom0-tools/nbd/target.c pv-drivers/block.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
// runs: 20000
/*
 * The client of network disks against a server that says anything: each request is answered once at most, and memory is
 * written where a request wanted it only. First byte: 1 lets a good negotiation come first, and replies name requests.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <public/errno.h>
#include "nbd/internal.h"

static struct nbd client;
static uint8_t client_log[NBD_LOG_SIZE];
static bool connected;

static size_t take(struct nbd *nbd, const void *bytes, size_t length, bool stays)
{
	assert(connected);
	return length;
}

static void push(struct nbd *nbd)
{
}

static void drop(struct nbd *nbd)
{
	connected = false;
}

static const struct nbd_transport transport = {
    .send = take, .push = push, .drop = drop, .wake = push};

#define REQUESTS 8
static struct block_request requests[REQUESTS];
static struct block_segment segments[REQUESTS];
static uint8_t data[REQUESTS][3 * BLOCK_SECTOR];
static bool waits[REQUESTS];

static void done(struct block_request *request, int status)
{
	assert(waits[request - requests]);
	waits[request - requests] = false;
}

static void submit_all(void)
{
	static const enum block_operation operations[] = {BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH,
							  BLOCK_READ};

	for (unsigned int i = 0; i < REQUESTS; i++) {
		if (waits[i])
			continue;
		memset(data[i], 0xa5, sizeof(data[i]));
		segments[i] =
		    (struct block_segment){.data = data[i] + BLOCK_SECTOR, .length = BLOCK_SECTOR};
		requests[i] = (struct block_request){.operation = operations[i % 4],
						     .sector = i,
						     .sectors = 1,
						     .segments = &segments[i],
						     .count = 1,
						     .done = done};
		if (requests[i].operation == BLOCK_FLUSH)
			requests[i].sectors = requests[i].count = 0;
		waits[i] = true;
		block_submit(&client.device, &requests[i]);
	}
}

static void connect_client(void)
{
	connected = true;
	nbd_connected(&client, 1);
}

static void negotiate(void)
{
	uint8_t bytes[18 + 20 + 12 + 20] = "NBDMAGICIHAVEOPT\0\3";

	put64(bytes + 18, 0x0003e889045565a9);
	put32(bytes + 26, 7);
	put32(bytes + 30, 3);
	put32(bytes + 34, 12);
	put64(bytes + 40, 1 << 20);
	put16(bytes + 48, 1 | NBD_FLAG_SEND_FLUSH);
	put64(bytes + 50, 0x0003e889045565a9);
	put32(bytes + 58, 7);
	put32(bytes + 62, 1);
	nbd_received(&client, bytes, sizeof(bytes), 1);
	assert(client.state >= NBD_REPLAYING);
}

/* Replies to what is under way, as the input chooses. */
static void reply(const uint8_t *in)
{
	struct nbd_slot *slot = &client.slots[in[0] % (NBD_SLOTS + 1)];
	uint8_t bytes[16 + BLOCK_SECTOR];

	put32(bytes, in[1] < 4 ? in[1] : 0x67446698);
	put32(bytes + 4, in[2] < 16 ? in[2] : 0);
	put32(bytes + 8, slot->generation + (in[3] == 1));
	put32(bytes + 12, in[0]);
	memset(bytes + 16, in[3], BLOCK_SECTOR);
	nbd_received(&client, bytes, in[3] & 1 ? sizeof(bytes) : 16, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t size)
{
	bool structured = size && in[0] == 1;

	memset(&client, 0, sizeof(client));
	memset(waits, 0, sizeof(waits));
	client.transport = &transport;
	client.patience = 1000;
	strcpy(client.export_name, "x");
	nbd_init(&client, client_log);
	connect_client();
	if (structured) {
		negotiate();
		submit_all();
		for (in++, size--; size >= 4; in += 4, size -= 4) {
			reply(in);
			if (!connected) {
				connect_client();
				negotiate();
			}
			submit_all();
		}
	}
	if (connected && size)
		nbd_received(&client, in, size, 2);
	if (connected)
		nbd_lost(&client, 3);
	/* Whatever was said: with its patience gone everything has ended. */
	nbd_tick(&client, 100000);
	for (unsigned int i = 0; i < REQUESTS; i++) {
		assert(!waits[i] || !client.known);
		assert(data[i][0] == data[i][2 * BLOCK_SECTOR]);
	}
	return 0;
}
