/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/block.c pv-drivers/block_back.c pv-drivers/block_back_ring.c guest/format.c
// flags: -D_GNU_SOURCE -Itests/unit/include/fake-guest -Iguest/include -Ipv-drivers
// runs: 20000
/*
 * A guest that puts any bytes into its rings, moves the indexes as it likes, changes pages while they are looked at, and
 * goes away at any time. The world (block_world.h) notices when a page is used that is not mapped, or is left mapped.
 */
#include <assert.h>
#define WORLD_CHECK(condition)                                       \
	do {                                                         \
		if (!(condition)) {                                  \
			fprintf(stderr, "failed: %s\n", #condition); \
			abort();                                     \
		}                                                    \
	} while (0)
#include "block_world.h"

static const uint8_t *bytes;
static size_t left;

static uint8_t next(void)
{
	if (!left)
		return 0;
	left--;
	return *bytes++;
}

static void take(void *to, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = next();
}

/* Mostly sensible, so that it gets somewhere. */
static void plausible(unsigned int queue)
{
	uint8_t kind = next();
	struct blkif_request *request = world_request(queue, kind % 8, next());

	request->sector_number = next() * 5u;
	if (request->operation == BLKIF_OP_INDIRECT) {
		struct blkif_request_indirect *indirect = (void *)request;

		memset(indirect, 0, sizeof(*indirect));
		indirect->operation = BLKIF_OP_INDIRECT;
		indirect->indirect_op = next() % 3;
		indirect->nr_segments = next() % 40;
		indirect->sector_number = next() * 5u;
		indirect->indirect_grefs[0] = next() % (PAGES + 1);
	} else if (request->operation == BLKIF_OP_DISCARD) {
		((struct blkif_request_discard *)request)->nr_sectors = next() * 5u;
	} else {
		request->nr_segments = kind / 8 % 13;
		for (unsigned int i = 0; i < 11; i++)
			request->seg[i] = (struct blkif_request_segment){
			    .gref = next() % (PAGES + 2), .last_sect = 7};
	}
}

static void wild(unsigned int queue)
{
	struct blkif_front_ring *front = &world.front[queue];

	take(RING_GET_REQUEST(front, front->req_prod_pvt), sizeof(struct blkif_request));
	front->req_prod_pvt++;
}

static void scribble(void)
{
	uint8_t page = next() % PAGES, offset = next();

	for (unsigned int i = 0; i < 16; i++)
		world.pages[page][offset * 16u % PAGE_SIZE + i] = next();
}

static void segments(void)
{
	struct blkif_request_segment *list = (void *)world.pages[next() % PAGES];

	for (unsigned int i = 0; i < 40; i++)
		list[i] = (struct blkif_request_segment){.gref = next() % (PAGES + 1),
							 .last_sect = next() % 9};
}

/* In the middle of the back half's look at it. */
static void meanwhile(void)
{
	static bool inside;

	if (inside || !(next() & 1))
		return;
	inside = true;
	scribble();
	world.refuses[next() % PAGES] ^= true;
	for (unsigned int i = 0; i < 64; i++)
		world.ring_pages[0][next() * 16u % PAGE_SIZE] ^= (char)next();
	inside = false;
}

static void reconnect(void)
{
	const char *why = NULL;

	while (!block_back_disconnect(&world.back)) {
		WORLD_CHECK(world.held_count);
		world_finish(next() % world.held_count);
	}
	WORLD_CHECK(world_nothing_mapped());
	if (block_back_connect(&world.back, &why)) {
		/* Indexes as they are cannot be used: as a guest that begins anew would. */
		for (unsigned int q = 0; q < world.queues; q++)
			XEN_FRONT_RING_INIT(&world.front[q],
					    (struct blkif_sring *)world.ring_pages[q],
					    PAGE_SIZE << world.order);
		world_connect();
	}
}

static void drain(unsigned int queue)
{
	struct blkif_response response;

	for (unsigned int i = 0; i < 600 && world_answer(queue, &response); i++)
		;
}

static void act(void)
{
	uint8_t what = next();
	unsigned int queue = what / 16 % world.queues;

	switch (what % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
		plausible(queue);
		break;
	case 4:
		wild(queue);
		break;
	case 5:
	case 6:
		world_push(queue);
		break;
	case 7:
		world_event(queue);
		break;
	case 8:
		if (world.held_count)
			world_finish(next() % world.held_count);
		break;
	case 9:
		world_finish_all();
		break;
	case 10:
		scribble();
		segments();
		break;
	case 11:
		world.front[queue].sring->req_prod += (RING_IDX)(int8_t)next();
		break;
	case 12:
		world.error = next() & 1 ? -XEN_EIO : 0;
		world.hold = next() & 1;
		world.back.hold = next() & 1;
		if (next() & 1)
			block_back_retry(&world.back);
		break;
	case 13:
		world.now += next() * 100000ul;
		block_back_turn();
		break;
	case 14:
		drain(queue);
		break;
	case 15:
		if (next() % 4 == 0)
			reconnect();
		else
			block_back_update(&world.back);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct block_back_limits limits = {0};
	uint8_t how;

	bytes = data;
	left = size;
	how = next();
	world_begin(how & 1 ? BLOCK_DMA : 0, 1 + how / 2 % 2, how / 4 % 3);
	world.back.read_only = how & 0x20;
	world.device.max_discard = how & 0x40 ? 16 : 0;
	if (how & 0x80)
		limits.requests = 1 + next();
	world.before_map = meanwhile;
	block_back_set_limits(&world.back, &limits);
	world_connect();
	while (left)
		act();
	world_end();
	return 0;
}
