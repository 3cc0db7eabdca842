/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net_merge.c pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
// runs: 100000
/*
 * Packets of a connection that are nearly right, as one: whatever is merged must be the same again when it is cut. The first
 * bytes of the input choose packets, the rest changes bytes of them; then sums are made right, so that they keep nothing out.
 */
#include <stdlib.h>
#include <guest/hypercall.h>
#define MODEL_CHECK(condition) ((condition) ? (void)0 : abort())
#include "../unit/include/net_merge_model.h"

#define PACKETS 50
#define PAGES	50

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	(void)op;
	(void)arg;
	(void)count;
	abort();
}

static const uint8_t *input;
static size_t left;

static uint8_t next(void)
{
	return left ? (left--, *input++) : 0;
}

static void change(void)
{
	struct model_packet *packet = &model.in[next() % model.count];
	uint8_t how = next(), tcp;

	if (how == 0)
		packet->valid = !packet->valid;
	else if (how == 1)
		packet->length = 14 + next() * 6u;
	else
		packet->bytes[how % 120] = next();
	tcp = packet->bytes[14] >> 4 == 6 ? 54 : 34;
	if (packet->length >= tcp + 20u)
		model_fill_in(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model_stream stream = {.port = 9};
	unsigned int count, bytes;

	input = data;
	left = size;
	if (!model.pool)
		model.pool = net_pool_create(PACKETS, PAGES);
	MODEL_CHECK(model.pool);
	model.count = 0;
	stream.ipv6 = next() & 1;
	stream.dont_fragment = next() & 1;
	stream.options = next() % 11 * 4;
	stream.sequence = 0xfffff000u + next() * 32u;
	stream.identification = (uint16_t)(0xff00 + next());
	count = 1 + next() % 20;
	bytes = 1 + next() * 5u;
	while (model.count < count)
		model_add(&stream, bytes, 0x10);
	while (left)
		change();
	model_run();
	MODEL_CHECK(net_pool_packets_free(model.pool) == PACKETS);
	MODEL_CHECK(net_pool_pages_free(model.pool) == PAGES);
	return 0;
}
