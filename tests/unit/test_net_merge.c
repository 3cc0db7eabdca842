/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net_merge.c pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/*
 * Packets of TCP as one: what can be merged is, and cut again it is what it was; what differs in anything is not.
 */
#include "unit.h"
#include <guest/hypercall.h>
#define MODEL_CHECK(condition) assert_true(condition)
#include "net_merge_model.h"

#define ACK 0x10
#define PSH 0x08

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	fail();
	return -1;
}

static const struct model_stream streams[] = {
    {.port = 1000, .options = 12, .sequence = 0xfffff000, .identification = 0xfffe},
    {.port = 1000, .sequence = 7, .dont_fragment = true},
    {.port = 1000, .ipv6 = true, .options = 40, .sequence = 0xffff},
    {.port = 1000, .ipv6 = true},
};
#define STREAMS (sizeof(streams) / sizeof(streams[0]))

static int setup(void **state)
{
	model.pool = net_pool_create(200, 200);
	model.count = 0;
	return model.pool ? 0 : -1;
}

static int teardown(void **state)
{
	assert_true(net_pool_destroy(model.pool));
	return 0;
}

/* A window's worth, as a card gives it. */
static void test_runs(void **state)
{
	for (unsigned int i = 0; i < STREAMS; i++) {
		struct model_stream stream = streams[i];

		model.count = 0;
		for (unsigned int j = 0; j < 30; j++)
			model_add(&stream, 1400, ACK);
		model_add(&stream, 17, ACK | PSH);
		model_run();
		assert_int_equal(model.merged, 31);
		assert_true(model.merge.ended);
		assert_int_equal(model.merge.size, 1400);
		assert_int_equal(model.large[model.merge.transport + 13], ACK | PSH);
	}
}

/* A shorter one is the last, and so is one with PSH; a longer one, or one without data, is another packet. */
static void test_ends(void **state)
{
	static const struct {
		unsigned int data;
		uint8_t flags;
		enum net_merge_result result;
		bool ended;
	} second[] = {
	    {1400, ACK, NET_MERGE_ADDED, false},      {1399, ACK, NET_MERGE_ADDED, true},
	    {1, ACK, NET_MERGE_ADDED, true},	      {1400, ACK | PSH, NET_MERGE_ADDED, true},
	    {1401, ACK, NET_MERGE_END, false},	      {0, ACK, NET_MERGE_END, false},
	    {1400, ACK | 0x01, NET_MERGE_END, false}, {1400, ACK | 0x02, NET_MERGE_END, false},
	    {1400, ACK | 0x04, NET_MERGE_END, false}, {1400, ACK | 0x20, NET_MERGE_END, false},
	    {1400, ACK | 0x40, NET_MERGE_END, false}, {1400, ACK | 0x80, NET_MERGE_END, false},
	    {1400, 0, NET_MERGE_END, false},
	};

	for (unsigned int i = 0; i < STREAMS; i++) {
		for (unsigned int j = 0; j < sizeof(second) / sizeof(second[0]); j++) {
			struct model_stream stream = streams[i];

			model.count = 0;
			model_add(&stream, 1400, ACK);
			model_add(&stream, second[j].data, second[j].flags);
			assert_int_equal(model_run(), second[j].result);
			assert_int_equal(model.merge.ended, second[j].ended);
			assert_int_equal(model.merged, second[j].result == NET_MERGE_ADDED ? 2 : 1);
		}
	}
}

/* IP's length with it. */
static void set_length(struct model_packet *packet, uint32_t length)
{
	bool ipv6 = packet->bytes[12] == 0x86;

	packet->length = length;
	model_put16(packet->bytes + (ipv6 ? 18 : 16), length - (ipv6 ? 54 : 14));
	if (!ipv6)
		model_sum_ipv4(packet);
}

/* What a merge cannot begin with: data that is too short or pushed, sums that nobody checked, headers that end nowhere. */
static void test_beginnings(void **state)
{
	for (unsigned int i = 0; i < STREAMS; i++) {
		for (unsigned int how = 0; how < 10; how++) {
			struct model_stream stream = streams[i];
			struct model_packet *first;
			unsigned int tcp = stream.ipv6 ? 54 : 34;

			model.count = 0;
			first =
			    model_add(&stream, how == 1 ? 47 : 1400, how == 2 ? ACK | PSH : ACK);
			model_add(&stream, 40, ACK);
			if (how == 3)
				first->valid = false;
			else if (how == 4)
				first->bytes[tcp + 12] = 0x40;
			else if (how == 5)
				first->bytes[tcp + 12] = 0xf0;
			if (how == 5)
				set_length(first, tcp + 60 + 47);
			else if (how == 6)
				set_length(first, tcp + 19);
			else if (how == 7)
				first->length++; /* padding that IP does not count */
			else if (how == 8)
				first->bytes[13] ^= 0x40;
			else if (how == 9 && !stream.ipv6)
				first->bytes[24] ^= 1;
			else if (how == 9)
				first->bytes[19]++;
			model_run();
			assert_int_equal(model.merged, how ? 1 : 2);
		}
	}
}

/* One bit of a header that is different, sums put right: only where it can be put back by the cutting does it not matter. */
static void test_each_bit(void **state)
{
	for (unsigned int i = 0; i < STREAMS; i++) {
		unsigned int tcp = streams[i].ipv6 ? 54 : 34, end = tcp + 20 + streams[i].options;

		for (unsigned int bit = 0; bit < end * 8; bit++) {
			struct model_stream stream = streams[i];
			struct model_packet *second;
			unsigned int byte = bit / 8;
			bool pushed = byte == tcp + 13 && bit % 8 == 3;
			bool identified = stream.dont_fragment && (byte == 18 || byte == 19);

			model.count = 0;
			model_add(&stream, 1400, ACK);
			second = model_add(&stream, 1400, ACK);
			second->bytes[byte] ^= (uint8_t)(1 << bit % 8);
			/* TCP's sum is the card's to check. */
			if (byte == tcp + 16 || byte == tcp + 17)
				continue;
			if (byte >= tcp)
				model_fill_in(second);
			else if (!stream.ipv6 && byte >= 14 && byte != 24 && byte != 25)
				model_sum_ipv4(second);
			assert_int_equal(model_run() == NET_MERGE_ADDED, pushed || identified);
		}
	}
}

/* Of other connections, or of none: they are in nobody's way. */
static void test_others(void **state)
{
	for (unsigned int i = 0; i < STREAMS; i++) {
		struct model_stream stream = streams[i], other = streams[i];
		struct model_stream unlike = streams[(i + 2) % STREAMS];

		other.port++;
		model.count = 0;
		model_add(&stream, 1400, ACK);
		model_add(&other, 1400, ACK);
		assert_int_equal(model_run(), NET_MERGE_OTHER);
		model.count = 1;
		model_add(&unlike, 1400, ACK);
		assert_int_equal(model_run(), NET_MERGE_OTHER);
		model.count = 1;
		model_add(&stream, 1400, ACK)->bytes[stream.ipv6 ? 20 : 23] = 17;
		assert_int_equal(model_run(), NET_MERGE_OTHER);
		model.count = 1;
		model_add(&stream, 1400, ACK)->length = 30;
		assert_int_equal(model_run(), NET_MERGE_OTHER);
	}
}

/* Lost, or in the wrong order: what is not the next one ends it. */
static void test_order(void **state)
{
	for (unsigned int i = 0; i < STREAMS; i++) {
		struct model_stream stream = streams[i];

		model.count = 0;
		model_add(&stream, 1400, ACK);
		model_add(&stream, 1400, ACK);
		stream.sequence += 1400;
		model_add(&stream, 1400, ACK);
		assert_int_equal(model_run(), NET_MERGE_END);
		assert_int_equal(model.merged, 2);
		model.in[1] = model.in[0];
		assert_int_equal(model_run(), NET_MERGE_END);
		assert_int_equal(model.merged, 1);
	}
}

/* Up to what IP can say, and no byte more. */
static void test_largest(void **state)
{
	for (unsigned int i = 0; i < STREAMS; i++) {
		for (unsigned int last = 0; last < 2; last++) {
			struct model_stream stream = streams[i];
			unsigned int headers = (stream.ipv6 ? 60 : 40) + stream.options;
			unsigned int left = 65535 - headers, size = 1000;

			model.count = 0;
			for (; left > size; left -= size)
				model_add(&stream, size, ACK);
			model_add(&stream, left + last, ACK);
			assert_int_equal(model_run(), last ? NET_MERGE_END : NET_MERGE_ADDED);
			assert_int_equal(model.merged, model.count - last);
			assert_true(last || model.merge.length == 65535 + 14);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_runs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_beginnings, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_each_bit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_others, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_largest, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
