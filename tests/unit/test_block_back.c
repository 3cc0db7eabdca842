/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/block.c pv-drivers/block_back.c pv-drivers/block_back_ring.c guest/format.c
// flags: -D_GNU_SOURCE -Itests/unit/include/fake-guest -Iguest/include -Ipv-drivers
/*
 * The block back half against a guest that keeps to the protocol, and against guests that do not.
 */
#include "unit.h"
#define WORLD_CHECK(condition) assert_true(condition)
#include "block_world.h"

/* A device that wants addresses, and one that does not. */
static const unsigned int kinds[] = {0, BLOCK_DMA, BLOCK_DMA | BLOCK_FUA};

static void segment(struct blkif_request *request, grant_ref_t ref, unsigned int first,
		    unsigned int last)
{
	request->seg[request->nr_segments++] = (struct blkif_request_segment){
	    .gref = ref, .first_sect = (uint8_t)first, .last_sect = (uint8_t)last};
}

static struct blkif_request *transfer(uint8_t operation, uint64_t id, uint64_t sector,
				      grant_ref_t page)
{
	struct blkif_request *request = world_request(0, operation, id);

	request->sector_number = sector;
	segment(request, page, 0, 7);
	return request;
}

static void expect_answer(uint64_t id, uint8_t operation, int status)
{
	struct blkif_response response;

	assert_true(world_answer(0, &response));
	assert_int_equal(response.id, id);
	assert_int_equal(response.operation, operation);
	assert_int_equal(response.status, status);
}

static void expect_no_answer(void)
{
	struct blkif_response response;

	assert_false(world_answer(0, &response));
}

static void fill(void)
{
	for (unsigned int i = 0; i < sizeof(world.disk); i++)
		world.disk[i] = (uint8_t)(i / BLOCK_SECTOR + i);
	for (unsigned int i = 0; i < PAGES * PAGE_SIZE; i++)
		world.pages[i / PAGE_SIZE][i % PAGE_SIZE] = (uint8_t)(i * 13 + (i >> 12));
}

static void begin(unsigned int kind)
{
	world_begin(kinds[kind], 1, 0);
	world_connect();
	fill();
}

static void reads_and_writes(void **state)
{
	for (unsigned int kind = 0; kind < 3; kind++) {
		struct blkif_request *request;

		begin(kind);
		assert_int_equal(world.sectors_told, SECTORS);
		request = world_request(0, BLKIF_OP_READ, 77);
		request->sector_number = 9;
		segment(request, 3, 0, 7);
		segment(request, 5, 2, 4);
		request = transfer(BLKIF_OP_WRITE, 78, 100, 6);
		/* One hypercall for the pages of both, one to give them back, one event. */
		assert_true(world_push(0));
		assert_int_equal(world.map_calls, 1);
		assert_int_equal(world.unmap_calls, 1);
		assert_int_equal(world.host_maps, kind ? 0 : 3);
		assert_int_equal(world.sent[0], 1);
		assert_int_equal(world.kicks, 1);
		assert_true(world_nothing_mapped());
		assert_memory_equal(world.pages[3], world.disk + 9 * 512, 4096);
		assert_memory_equal(world.pages[5] + 1024, world.disk + 17 * 512, 3 * 512);
		assert_memory_equal(world.disk + 100 * 512, world.pages[6], 4096);
		expect_answer(78, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
		expect_answer(77, BLKIF_OP_READ, BLKIF_RSP_OKAY);
		expect_no_answer();
		assert_int_equal(world.back.counters.read_sectors, 11);
		assert_int_equal(world.back.counters.written_sectors, 8);
		world_end();
	}
}

static struct blkif_request_indirect *indirect_request(uint8_t operation, uint64_t sector,
						       unsigned int count)
{
	struct blkif_request_indirect *indirect = (void *)world_request(0, BLKIF_OP_INDIRECT, 5);
	struct blkif_request_segment *list = (void *)world.pages[0];

	indirect->indirect_op = operation;
	indirect->nr_segments = (uint16_t)count;
	indirect->sector_number = sector;
	indirect->indirect_grefs[0] = 0;
	for (unsigned int i = 0; i < count && i < 512; i++)
		list[i] = (struct blkif_request_segment){.gref = 1 + i, .last_sect = 7};
	return indirect;
}

static void indirect(void **state)
{
	for (unsigned int kind = 0; kind < 2; kind++) {
		begin(kind);
		indirect_request(BLKIF_OP_READ, 40, BLOCK_BACK_SEGMENTS);
		world_push(0);
		assert_int_equal(world.copy_calls, 1);
		assert_memory_equal(world.pages[1], world.disk + 40 * 512,
				    BLOCK_BACK_SEGMENTS * 4096);
		expect_answer(5, BLKIF_OP_READ, BLKIF_RSP_OKAY);
		world_end();
	}
}

/* Each of these is answered with an error; nothing of it reaches the disk, and nothing stays mapped. */
static void malformed(void **state)
{
	static const struct {
		uint8_t operation, segments, first, last;
		grant_ref_t ref;
		uint64_t sector;
		int status;
	} bad[] = {
	    {BLKIF_OP_READ, 0, 0, 7, 1, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_WRITE, 12, 0, 7, 1, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_WRITE, 255, 0, 7, 1, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_READ, 1, 4, 3, 1, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_READ, 1, 0, 8, 1, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_READ, 1, 0, 255, 1, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_READ, 1, 255, 255, 1, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_READ, 1, 0, 7, PAGES, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_WRITE, 1, 0, 7, UINT32_MAX, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_READ, 1, 0, 7, 1, SECTORS - 7, BLKIF_RSP_ERROR},
	    {BLKIF_OP_WRITE, 1, 0, 0, 1, SECTORS, BLKIF_RSP_ERROR},
	    {BLKIF_OP_WRITE, 1, 0, 7, 1, UINT64_MAX - 3, BLKIF_RSP_ERROR},
	    {BLKIF_OP_WRITE, 1, 0, 7, 1, UINT64_MAX / 512, BLKIF_RSP_ERROR},
	    {BLKIF_OP_WRITE_BARRIER, 1, 4, 3, 1, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_WRITE_BARRIER, 1, 0, 7, PAGES, 0, BLKIF_RSP_ERROR},
	    {BLKIF_OP_RESERVED_1, 1, 0, 7, 1, 0, BLKIF_RSP_EOPNOTSUPP},
	    {7, 1, 0, 7, 1, 0, BLKIF_RSP_EOPNOTSUPP},
	    {255, 0, 0, 7, 1, 0, BLKIF_RSP_EOPNOTSUPP},
	};

	for (unsigned int kind = 0; kind < 2; kind++) {
		begin(kind);
		for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			struct blkif_request *request = world_request(0, bad[i].operation, i);

			request->sector_number = bad[i].sector;
			segment(request, bad[i].ref, bad[i].first, bad[i].last);
			request->nr_segments = bad[i].segments;
			world_push(0);
			expect_answer(i, bad[i].operation, bad[i].status);
			assert_true(world_nothing_mapped());
		}
		assert_int_equal(world.submitted, 0);
		assert_int_equal(world.back.counters.refused, sizeof(bad) / sizeof(bad[0]));
		/* And the next guest request is served. */
		transfer(BLKIF_OP_WRITE, 99, 0, 1);
		world_push(0);
		expect_answer(99, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
		world_end();
	}
}

static void malformed_indirect(void **state)
{
	begin(1);
	for (unsigned int i = 0; i < 6; i++) {
		struct blkif_request_indirect *request = indirect_request(BLKIF_OP_WRITE, 0,
									  i == 0   ? 0
									  : i == 1 ? 33
										   : 4);
		struct blkif_request_segment *list = (void *)world.pages[0];

		if (i == 2)
			request->indirect_op = BLKIF_OP_DISCARD;
		if (i == 3)
			request->indirect_grefs[0] = PAGES;
		if (i == 4)
			list[3].last_sect = 9;
		if (i == 5)
			world.refuses[3] = true;
		world_push(0);
		expect_answer(5, i == 2 ? BLKIF_OP_DISCARD : BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
		assert_true(world_nothing_mapped());
	}
	assert_int_equal(world.submitted, 0);
	world_end();
}

static void read_only(void **state)
{
	world_begin(BLOCK_DMA | BLOCK_READ_ONLY, 1, 0);
	world_connect();
	transfer(BLKIF_OP_WRITE, 1, 0, 1);
	transfer(BLKIF_OP_WRITE_BARRIER, 2, 0, 1);
	transfer(BLKIF_OP_READ, 3, 0, 1);
	world_push(0);
	world_event(0);
	expect_answer(1, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
	expect_answer(2, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_ERROR);
	expect_answer(3, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	assert_string_equal(world.order_of_things, "R");
	world_end();
}

static struct blkif_request_discard *discard_request(uint64_t sector, uint64_t sectors)
{
	struct blkif_request_discard *request = (void *)world_request(0, BLKIF_OP_DISCARD, 8);

	request->sector_number = sector;
	request->nr_sectors = sectors;
	return request;
}

static void discards(void **state)
{
	static const uint8_t zeros[64 * 512];

	begin(1);
	world.device.max_discard = 10;
	discard_request(16, 64);
	world_push(0);
	expect_answer(8, BLKIF_OP_DISCARD, BLKIF_RSP_OKAY);
	assert_int_equal(world.submitted, 7);
	assert_memory_equal(world.disk + 16 * 512, zeros, sizeof(zeros));
	assert_int_not_equal(world.disk[80 * 512 + 1], 0);
	/* Not begun if it cannot be ended. */
	discard_request(SECTORS - 20, 21);
	discard_request(0, 0);
	discard_request(8, UINT64_MAX);
	discard_request(0, 8)->flag = BLKIF_DISCARD_SECURE;
	world_push(0);
	world_event(0);
	expect_answer(8, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP);
	for (unsigned int i = 0; i < 3; i++)
		expect_answer(8, BLKIF_OP_DISCARD, BLKIF_RSP_ERROR);
	assert_int_equal(world.submitted, 7);
	world_end();
}

/* Writes before, the barrier alone, writes after; stable by fua or by a second flush. */
static void barriers(void **state)
{
	static const char *const things[] = {"WFWFW", "WFWFW", "WFUW"};

	for (unsigned int kind = 0; kind < 3; kind++) {
		begin(kind);
		world.hold = true;
		transfer(BLKIF_OP_WRITE, 1, 0, 1);
		transfer(BLKIF_OP_WRITE_BARRIER, 2, 8, 2);
		transfer(BLKIF_OP_WRITE, 3, 16, 3);
		world_push(0);
		/* Only what is before it. */
		assert_string_equal(world.order_of_things, "W");
		while (world.held_count)
			world_finish_all();
		assert_string_equal(world.order_of_things, things[kind]);
		expect_answer(1, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
		expect_answer(2, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
		expect_answer(3, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
		assert_memory_equal(world.disk, world.pages[1], 3 * 4096);
		world_end();
	}
}

/* A barrier without data is a flush; a flush that fails fails the request. */
static void flushes(void **state)
{
	begin(1);
	world_request(0, BLKIF_OP_WRITE_BARRIER, 1);
	world_request(0, BLKIF_OP_FLUSH_DISKCACHE, 2);
	world_push(0);
	world_event(0);
	expect_answer(1, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
	expect_answer(2, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
	assert_string_equal(world.order_of_things, "FF");
	world.error = -XEN_EIO;
	transfer(BLKIF_OP_WRITE_BARRIER, 3, 0, 1);
	world_push(0);
	expect_answer(3, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_ERROR);
	/* The write was not tried. */
	assert_string_equal(world.order_of_things, "FFF");
	assert_int_equal(world.back.counters.errors, 1);
	world_end();
}

/* With `hold` what the device fails is tried again when somebody says so, step by step; or ends, as the back half closes. */
static void held_back(void **state)
{
	for (unsigned int kind = 0; kind < 3; kind++) {
		begin(kind);
		world.back.hold = true;
		world.error = -XEN_EIO;
		transfer(BLKIF_OP_WRITE_BARRIER, 1, 8, 2);
		world_push(0);
		expect_no_answer();
		assert_int_equal(world.back.held, 1);
		assert_int_equal(world.kicked, 1);
		/* The flush before the write again, in vain; then flush and write, and what the device does not have of it. */
		block_back_retry(&world.back);
		assert_int_equal(world.back.held, 1);
		assert_string_equal(world.order_of_things, "FF");
		world.error = 0;
		block_back_retry(&world.back);
		assert_int_equal(world.back.held, 0);
		expect_answer(1, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
		assert_string_equal(world.order_of_things, kind == 2 ? "FFFU" : "FFFWF");
		assert_memory_equal(world.disk + 8 * BLOCK_SECTOR, world.pages[2], PAGE_SIZE);
		/* What makes no sense is answered. */
		world.error = -XEN_EOPNOTSUPP;
		transfer(BLKIF_OP_READ, 2, 8, 2);
		world_push(0);
		expect_answer(2, BLKIF_OP_READ, BLKIF_RSP_EOPNOTSUPP);
		world.error = -XEN_ENOSPC;
		transfer(BLKIF_OP_WRITE, 3, 8, 2);
		world_push(0);
		expect_no_answer();
		world.hold = true;
		transfer(BLKIF_OP_READ, 4, 8, 3);
		world_push(0);
		assert_false(block_back_disconnect(&world.back));
		expect_answer(3, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
		assert_int_equal(world.mapped[2], 0);
		/* What fails from now on is not held. */
		world_finish_all();
		expect_answer(4, BLKIF_OP_READ, BLKIF_RSP_ERROR);
		world_end();
	}
}

static void change_everything(void)
{
	struct blkif_request *request = RING_GET_REQUEST(&world.front[0], 0);
	struct blkif_request_segment *list = (void *)world.pages[0];

	memset(request, 0xff, sizeof(*request));
	for (unsigned int i = 0; i < 8; i++)
		list[i] = (struct blkif_request_segment){
		    .gref = PAGES + 1, .first_sect = 7, .last_sect = 200};
}

/* What the guest changes after it has been looked at changes nothing. */
static void changed_in_flight(void **state)
{
	begin(1);
	world.before_map = change_everything;
	transfer(BLKIF_OP_READ, 4, 12, 9);
	world_push(0);
	expect_answer(4, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	assert_memory_equal(world.pages[9], world.disk + 12 * 512, 4096);
	indirect_request(BLKIF_OP_READ, 30, 8);
	world_push(0);
	expect_answer(5, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	assert_memory_equal(world.pages[1], world.disk + 30 * 512, 8 * 4096);
	world_end();
}

/* Indexes that are impossible end the ring, and nothing else: what is in flight is finished. */
static void broken_rings(void **state)
{
	static const int32_t jumps[] = {33, 1 << 20, INT32_MIN, -1, -2};

	for (unsigned int i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		begin(1);
		world.hold = true;
		transfer(BLKIF_OP_WRITE, 1, 0, 1);
		transfer(BLKIF_OP_WRITE, 2, 8, 2);
		world_push(0);
		assert_int_equal(world.submitted, 2);
		world.front[0].sring->req_prod += (RING_IDX)jumps[i];
		world_event(0);
		assert_true(world.back.broken);
		assert_true(world.masked[0]);
		assert_int_equal(world.kicked, 1);
		block_back_update(&world.back);
		assert_non_null(strstr(world.failure, "broke its ring"));
		world_finish_all();
		assert_true(world_nothing_mapped());
		/* It stays so, whatever the guest does. */
		world.front[0].sring->req_prod = 3;
		world_event(0);
		world.masked[0] = false;
		world_event(0);
		assert_int_equal(world.submitted, 2);
		world_end();
	}
}

/* A full ring is no broken ring, and its order does not matter. */
static void full_rings(void **state)
{
	for (unsigned int order = 0; order <= BLOCK_BACK_ORDER; order++) {
		unsigned int entries, answers = 0;
		struct blkif_response response;

		world_begin(BLOCK_DMA, 1, order);
		world_connect();
		fill();
		world.hold = true;
		entries = RING_SIZE(&world.front[0]);
		assert_int_equal(entries, 32u << order);
		for (unsigned int round = 0; round < 3; round++) {
			for (unsigned int i = 0; i < entries; i++)
				transfer(BLKIF_OP_WRITE, i, i % 100 * 8, i % PAGES);
			world_push(0);
			while (world.held_count || block_back_turn()) {
				assert_true(world.held_count <= BLOCK_BACK_SLOTS);
				world_finish_all();
			}
			while (world_answer(0, &response))
				answers++;
			assert_int_equal(answers, entries * (round + 1));
		}
		world_end();
	}
}

/* A guest whose disk is taken away, or that dies, in the middle. */
static void vanishing(void **state)
{
	for (unsigned int kind = 0; kind < 2; kind++) {
		begin(kind);
		world.hold = true;
		for (unsigned int i = 0; i < 5; i++)
			transfer(i == 3 ? BLKIF_OP_WRITE_BARRIER : BLKIF_OP_READ, i, i * 8, i + 1);
		world_push(0);
		assert_int_equal(world.held_count, 3);
		assert_false(block_back_disconnect(&world.back));
		/* Neither new requests nor events count from now on. */
		transfer(BLKIF_OP_READ, 9, 0, 9);
		world_push(0);
		world_event(0);
		assert_int_equal(world.submitted, 3);
		assert_int_equal(world.kicked, 0);
		world_finish(0);
		assert_false(block_back_disconnect(&world.back));
		assert_int_equal(world.mapped[4] + world.mapped[2] + world.mapped[3], 3);
		world_finish_all();
		assert_int_equal(world.kicked, 1);
		assert_true(world_nothing_mapped());
		assert_true(block_back_disconnect(&world.back));
		/* What was in flight has been answered, for who goes on with another back half. */
		for (unsigned int i = 0; i < 4; i++) {
			struct blkif_response response;

			assert_true(world_answer(0, &response));
			assert_int_equal(response.status,
					 response.id == 3 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
		}
		expect_no_answer();
		/* Which takes up what has not been taken. */
		world.hold = false;
		world_connect();
		expect_answer(9, BLKIF_OP_READ, BLKIF_RSP_OKAY);
		expect_answer(4, BLKIF_OP_READ, BLKIF_RSP_OKAY);
		world_end();
	}
}

static void reconnect_to_nonsense(void **state)
{
	const char *why = NULL;

	world_begin(BLOCK_DMA, 1, 0);
	world.front[0].sring->req_prod = 1000;
	assert_int_equal(block_back_connect(&world.back, &why), -XEN_EIO);
	assert_non_null(why);
	world.front[0].sring->req_prod = 0;
	world.protocol = "x86_32-abi";
	assert_int_equal(block_back_connect(&world.back, &why), -XEN_EOPNOTSUPP);
	assert_non_null(strstr(why, "x86_64-abi"));
	world.protocol = "x86_64-abi";
	world.queues = BLOCK_BACK_QUEUES + 1;
	assert_int_equal(block_back_connect(&world.back, &why), -XEN_EINVAL);
	world.queues = 0;
	assert_int_equal(block_back_connect(&world.back, &why), -XEN_EINVAL);
	world.queues = 1;
	world_connect();
	world_end();
}

/* Rings that have something in flight share; one that is alone may have all its slots. */
static void shares(void **state)
{
	unsigned int of[BLOCK_BACK_QUEUES] = {0};

	world_begin(BLOCK_DMA, BLOCK_BACK_QUEUES, 2);
	world_connect();
	fill();
	world.hold = true;
	for (unsigned int queue = 0; queue < BLOCK_BACK_QUEUES; queue++) {
		for (unsigned int i = 0; i < 100; i++) {
			struct blkif_request *request = world_request(queue, BLKIF_OP_READ, i);

			request->sector_number = i * 8;
			segment(request, i % PAGES, 0, 7);
		}
		world_push(queue);
		while (block_back_turn())
			;
		of[queue] = world.held_count;
	}
	assert_int_equal(of[0], 64);
	assert_int_equal(of[1], 128);
	/* Two have 64 of 128 each: the third may have a third of that, the fourth a fourth. */
	assert_int_equal(of[2] - of[1], 128 / 3);
	assert_int_equal(of[3] - of[2], 128 / 4);
	while (world.held_count || block_back_turn())
		world_finish_all();
	assert_int_equal(world.submitted, 400);
	world_end();
}

/*
 * Guests.
 */

/* The request that the disk has had for the longest is done. */
static void finish_oldest(void)
{
	struct block_request *first = world.held[0];

	memmove(world.held, world.held + 1, --world.held_count * sizeof(world.held[0]));
	world_move(first);
	block_batch_begin();
	block_done(first, 0);
	block_batch_end();
}

/* Answers that a queue's guest takes, having put in requests until `depth` of them are there. */
static unsigned int keep_busy(unsigned int queue, unsigned int depth)
{
	struct blkif_front_ring *front = &world.front[queue];
	struct blkif_response response;
	unsigned int answers = 0;

	while (world_answer(queue, &response))
		answers++;
	while (front->req_prod_pvt - front->rsp_cons < depth && !RING_FULL(front)) {
		struct blkif_request *request = world_request(queue, BLKIF_OP_READ, 1);

		request->sector_number = 0;
		segment(request, queue, 0, 7);
	}
	world_push(queue);
	while (block_back_turn() == world.now)
		;
	return answers;
}

/* Of what a disk does that is done with requests in their order: the other guest's share in percent. */
static unsigned int share_of_other(unsigned int depth)
{
	unsigned int answers = 0, rounds = 20000;

	for (unsigned int i = 0; i < rounds; i++) {
		for (unsigned int queue = 0; queue < BLOCK_BACK_QUEUES - 1; queue++)
			keep_busy(queue, 1000);
		answers += keep_busy(BLOCK_BACK_QUEUES - 1, depth);
		finish_oldest();
	}
	return 100 * answers / rounds;
}

/*
 * A guest with three rings that are always full, and one with one: that one has half of the disk if it wants as much; if it asks
 * for one thing at a time it waits for no more than the first one's share.
 */
static void guests(void **state)
{
	world_begin(BLOCK_DMA, BLOCK_BACK_QUEUES, 2);
	world.queues = BLOCK_BACK_QUEUES - 1;
	world_connect();
	world_open_other(OTHER);
	world.hold = true;
	assert_in_range(share_of_other(1000), 45, 55);
	assert_in_range(share_of_other(1), 1, 5);
	while (world.held_count || block_back_turn())
		world_finish_all();
	world_close_other();
	world_end();
}

/* Disks of a guest share; the one that counts for all of them may be the first to go. */
static void disks_of_a_guest(void **state)
{
	const char *why = NULL;

	world_begin(BLOCK_DMA, BLOCK_BACK_QUEUES, 2);
	world.queues = 1;
	world_connect();
	world_open_other(GUEST);
	assert_ptr_equal(world.other.first, &world.back);
	world.hold = true;
	keep_busy(0, 64);
	keep_busy(BLOCK_BACK_QUEUES - 1, 64);
	assert_int_equal(world.held_count, 128);
	assert_int_equal(world.back.active, 2);
	for (unsigned int i = 0; i < 64; i++)
		finish_oldest();
	assert_int_equal(world.back.active, 1);
	assert_true(block_back_disconnect(&world.back));
	block_back_close(&world.back);
	assert_ptr_equal(world.other.first, &world.other);
	assert_int_equal(world.other.active, 1);
	world_finish_all();
	assert_int_equal(world.other.active, 0);
	world_close_other();
	world.queues = 1;
	assert_int_equal(block_back_open(&world.back, &why), 0);
	world_connect();
	world.queues = BLOCK_BACK_QUEUES;
	world_end();
}

/* Who sends events and has nothing to say is not heard for a while, and loses nothing by that. */
static void floods(void **state)
{
	begin(1);
	for (unsigned int i = 0; i < 1000 && !world.masked[0]; i++)
		world_event(0);
	assert_true(world.masked[0]);
	assert_true(block_back_turn() > world.now);
	transfer(BLKIF_OP_READ, 1, 0, 1);
	world_push(0);
	expect_no_answer();
	world.now += NSEC_PER_MSEC;
	block_back_turn();
	assert_false(world.masked[0]);
	expect_answer(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	world_end();
}

/* Requests without end do not keep the handler: after 64 of them it is others' turn. */
static unsigned int refilled;

static void refill(void)
{
	struct blkif_response response;

	if (refilled++ >= 50)
		return;
	while (world_answer(0, &response))
		;
	while (!RING_FULL(&world.front[0]))
		transfer(BLKIF_OP_READ, 1, 0, 1);
	RING_PUSH_REQUESTS(&world.front[0]);
}

static void turns(void **state)
{
	begin(1);
	refilled = 0;
	world.before_map = refill;
	transfer(BLKIF_OP_READ, 1, 0, 1);
	world_push(0);
	assert_in_range(world.submitted, 64, 64);
	assert_int_equal(block_back_turn(), world.now);
	assert_in_range(world.submitted, 128, 128);
	while (block_back_turn())
		;
	world_end();
}

/* Requests that are done in a time, of a guest that always has one waiting. */
static unsigned int served_in(uint64_t nanoseconds, unsigned int segments)
{
	uint64_t end = world.now + nanoseconds;
	unsigned int before = world.submitted;

	while (world.now < end) {
		struct blkif_response response;
		uint64_t next;

		while (world_answer(0, &response))
			;
		while (!RING_FULL(&world.front[0])) {
			struct blkif_request *request = transfer(BLKIF_OP_READ, 1, 0, 1);

			while (request->nr_segments < segments)
				segment(request, 2, 0, 7);
		}
		world_push(0);
		next = block_back_turn();
		/* A little late, as threads are. */
		if (next > world.now)
			world.now = next + 1000;
		else
			world.now += 10000;
	}
	return world.submitted - before;
}

static void limits(void **state)
{
	struct block_back_limits limits = {.requests = 500};

	begin(1);
	block_back_set_limits(&world.back, &limits);
	assert_in_range(served_in(4 * NSEC_PER_SEC, 1), 1990, 2060);
	limits = (struct block_back_limits){.requests = 7};
	block_back_set_limits(&world.back, &limits);
	assert_in_range(served_in(10 * NSEC_PER_SEC, 1), 68, 72);
	/* 1 MiB a second in requests of 32 KiB; what is in the ring yet is smaller. */
	limits = (struct block_back_limits){.requests = 0};
	block_back_set_limits(&world.back, &limits);
	served_in(NSEC_PER_MSEC, 8);
	limits = (struct block_back_limits){.bytes = 1 << 20};
	block_back_set_limits(&world.back, &limits);
	assert_in_range(served_in(10 * NSEC_PER_SEC, 8), 318, 326);
	assert_true(world.back.counters.throttled > 0);
	/* After a rest no more than a tenth of a second's worth comes at once. */
	world.now += 3600 * NSEC_PER_SEC;
	assert_in_range(served_in(NSEC_PER_SEC, 8), 32, 37);
	limits = (struct block_back_limits){.bytes = 0};
	block_back_set_limits(&world.back, &limits);
	assert_true(served_in(NSEC_PER_SEC / 100, 8) > 1000);
	world_end();
}

static void resized(void **state)
{
	begin(1);
	block_changed(&world.device, SECTORS / 2);
	assert_int_equal(world.kicked, 1);
	block_back_update(&world.back);
	assert_int_equal(world.sectors_told, SECTORS / 2);
	assert_int_equal(world.announced, 1);
	block_back_update(&world.back);
	assert_int_equal(world.announced, 1);
	transfer(BLKIF_OP_READ, 1, SECTORS / 2, 1);
	world_push(0);
	expect_answer(1, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	/* A disk that is pulled out. */
	block_gone(&world.device);
	transfer(BLKIF_OP_READ, 2, 0, 1);
	world_push(0);
	expect_answer(2, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_and_writes),
	    cmocka_unit_test(indirect),
	    cmocka_unit_test(malformed),
	    cmocka_unit_test(malformed_indirect),
	    cmocka_unit_test(read_only),
	    cmocka_unit_test(discards),
	    cmocka_unit_test(barriers),
	    cmocka_unit_test(flushes),
	    cmocka_unit_test(held_back),
	    cmocka_unit_test(changed_in_flight),
	    cmocka_unit_test(broken_rings),
	    cmocka_unit_test(full_rings),
	    cmocka_unit_test(vanishing),
	    cmocka_unit_test(reconnect_to_nonsense),
	    cmocka_unit_test(shares),
	    cmocka_unit_test(guests),
	    cmocka_unit_test(disks_of_a_guest),
	    cmocka_unit_test(floods),
	    cmocka_unit_test(turns),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(resized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
