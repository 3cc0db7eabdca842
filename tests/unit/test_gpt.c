/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/block/gpt.c
/* Partition tables: a right one is understood, one with anything wrong is refused whole. */
#include "unit.h"
#include "block/gpt.h"
#include "gpt_builder.h"

static struct table table;
static struct gpt_header header;
static struct gpt_partition partitions[GPT_MOST_PARTITIONS];
static unsigned int count;

static const char *check(void)
{
	const char *problem = gpt_check_header(table.header, TABLE_BLOCK, 1, TABLE_BLOCKS, &header);

	count = 0;
	return problem ? problem : gpt_check_entries(&header, table.entries, partitions, &count);
}

static void expect_problem(const char *part)
{
	const char *problem = check();

	assert_non_null(problem);
	if (!strstr(problem, part))
		fail_msg("'%s' says nothing of '%s'", problem, part);
	assert_int_equal(count, 0);
}

/* A field of the header of a right table is set, and the checksums made to fit. */
static void set(unsigned int offset, uint64_t value, unsigned int bytes)
{
	table_make(&table);
	table_put(table.header + offset, value, bytes);
	table_seal(&table);
}

static void test_crc(void **state)
{
	assert_int_equal(gpt_crc32("123456789", 9), 0xcbf43926);
	assert_int_equal(gpt_crc32_more(gpt_crc32("1234", 4), "56789", 5), 0xcbf43926);
}

static void test_right_table(void **state)
{
	table_make(&table);
	assert_null(check());
	assert_int_equal(count, 2);
	assert_int_equal(partitions[0].number, 1);
	assert_int_equal(partitions[0].first, 2048);
	assert_int_equal(partitions[0].last, 4095);
	assert_string_equal(partitions[0].name, "system");
	assert_int_equal(partitions[1].number, 6);
	assert_string_equal(partitions[1].name, "data");
}

static void test_no_table(void **state)
{
	memset(&table, 0, sizeof(table));
	assert_ptr_equal(check(), GPT_NO_TABLE);
}

static void test_damaged(void **state)
{
	table_make(&table);
	table.header[50] ^= 1;
	expect_problem("checksum");
	table_make(&table);
	table.entries[16000] ^= 1;
	expect_problem("checksum");
}

static void test_header_fields(void **state)
{
	set(8, 0x20000, 4);
	expect_problem("revision");
	set(12, 91, 4);
	expect_problem("size");
	set(12, 513, 4);
	expect_problem("size");
	set(12, 0xffffffff, 4);
	expect_problem("size");
	set(24, 2, 8);
	expect_problem("elsewhere");
}

static void test_entries_fields(void **state)
{
	set(84, 0, 4);
	expect_problem("size");
	set(84, 64, 4);
	expect_problem("size");
	set(84, 192, 4);
	expect_problem("size");
	set(84, 0x80000000, 4);
	expect_problem("too many");
	set(80, 0, 4);
	expect_problem("none or too many");
	set(80, 513, 4);
	expect_problem("too many");
	set(80, 0xffffffff, 4);
	expect_problem("too many");
	set(72, 1, 8);
	expect_problem("not on the disk");
	set(72, TABLE_BLOCKS, 8);
	expect_problem("not on the disk");
	set(72, TABLE_BLOCKS - 10, 8);
	expect_problem("not on the disk");
	set(72, UINT64_MAX, 8);
	expect_problem("not on the disk");
	set(72, 3, 8);
	expect_problem("where partitions may be");
	set(40, 33, 8);
	expect_problem("where partitions may be");
	set(40, TABLE_BLOCKS, 8);
	expect_problem("does not fit");
	set(48, TABLE_BLOCKS, 8);
	expect_problem("does not fit");
}

static void test_larger_entries(void **state)
{
	table_make(&table);
	table_put(table.header + 80, 4, 4);
	table_put(table.header + 84, 512, 4);
	/* What was entry 1 of 128 bytes lies within the first one of 512. */
	memcpy(table.entries + 512, table.entries, 128);
	table_put(table.entries + 512 + 32, 5000, 8);
	table_put(table.entries + 512 + 40, 5000, 8);
	memset(table.entries + 128, 0, 384);
	memset(table.entries + 640, 0, 384);
	table_seal(&table);
	assert_null(check());
	assert_int_equal(count, 2);
	assert_int_equal(partitions[1].number, 2);
	assert_int_equal(partitions[1].last, 5000);
}

static void entry(uint64_t first, uint64_t last)
{
	table_make(&table);
	table_entry(&table, 2, first, last, "x");
	table_seal(&table);
}

static void test_bounds_and_overlaps(void **state)
{
	entry(33, 40);
	expect_problem("within");
	entry(50000, TABLE_BLOCKS - 33);
	expect_problem("within");
	entry(50001, 50000);
	expect_problem("within");
	entry(0, UINT64_MAX);
	expect_problem("within");
	entry(UINT64_MAX, UINT64_MAX);
	expect_problem("within");
	entry(4095, 4095);
	expect_problem("overlap");
	entry(34, 2048);
	expect_problem("overlap");
	entry(40, 90000);
	expect_problem("overlap");
	entry(3000, 3001);
	expect_problem("overlap");
	entry(34, 2047);
	assert_null(check());
	assert_int_equal(count, 3);
}

static void test_too_many(void **state)
{
	table_make(&table);
	table_put(table.header + 80, 256, 4);
	table_put(table.header + 40, 66, 8);
	for (unsigned int n = 0; n < 129; n++)
		table_entry(&table, n, 10000 + n, 10000 + n, "x");
	table_seal(&table);
	expect_problem("more than 128");
	memset(table.entries, 0, 128);
	table_seal(&table);
	assert_null(check());
	assert_int_equal(count, 128);
}

/* 36 units without an end, letters of two and three bytes, halves of pairs, and what would steer a terminal. */
static void test_names(void **state)
{
	static const uint16_t units[] = {0xe4, 0x20ac, 0xd83d, 0xde00, 0x1b,
					 0x7f, 0x9b,   0xffff, 'z'};

	table_make(&table);
	for (unsigned int n = 0; n < 36; n++)
		table_put(table.entries + 56 + 2 * n,
			  n < sizeof(units) / sizeof(units[0]) ? units[n] : 0x20ac, 2);
	table_seal(&table);
	assert_null(check());
	assert_memory_equal(partitions[0].name, "\u00e4\u20ac??????z\u20ac", 15);
	assert_int_equal(strlen(partitions[0].name), 2 + 3 + 6 + 1 + 27 * 3);
}

static void test_guid(void **state)
{
	static const uint8_t efi_system[16] = {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
					       0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};
	char text[GPT_GUID_TEXT];

	gpt_guid_text(efi_system, text);
	assert_string_equal(text, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_crc),
	    cmocka_unit_test(test_right_table),
	    cmocka_unit_test(test_no_table),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_header_fields),
	    cmocka_unit_test(test_entries_fields),
	    cmocka_unit_test(test_larger_entries),
	    cmocka_unit_test(test_bounds_and_overlaps),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_guid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
