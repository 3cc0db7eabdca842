/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/gunzip.c
// libs: -lz
/* Compressed modules: right ones unpack, damaged ones are refused, and memory balances in both cases. */
#include "unit.h"
#include "boot/boot.h"
#include "mm/mm.h"
#include <zlib.h>

static long allocated;
static long fail_after = -1;

static bool failing(void)
{
	return fail_after >= 0 && fail_after-- == 0;
}

void *kzalloc(size_t size)
{
	if (failing())
		return NULL;
	allocated++;
	return calloc(1, size);
}

void kfree(void *p)
{
	if (p)
		allocated--;
	free(p);
}

void *alloc_pages(unsigned int order, unsigned int flags)
{
	if (failing())
		return NULL;
	allocated++;
	return malloc(PAGE_SIZE << order);
}

void free_pages_virt(void *p, unsigned int order)
{
	allocated--;
	free(p);
}

static uint8_t plain[70000], packed[80000];
static size_t packed_size;

static size_t pack(const void *data, size_t size, uint8_t *to, size_t max)
{
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)data;
	z.avail_in = size;
	z.next_out = to;
	z.avail_out = max;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return max - z.avail_out;
}

static int setup(void **state)
{
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = i * i >> 7;
	packed_size = pack(plain, sizeof(plain), packed, sizeof(packed));
	allocated = 0;
	fail_after = -1;
	return 0;
}

static const char *unpack(size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	void *out = NULL;
	size_t out_size = 0;
	const char *error;

	memcpy(exact, packed, size);
	error = gunzip(exact, size, &out, &out_size);
	free(exact);
	if (!error) {
		assert_int_equal(out_size, sizeof(plain));
		assert_memory_equal(out, plain, sizeof(plain));
		gunzip_free(out, out_size);
	}
	assert_int_equal(allocated, 0);
	return error;
}

static void test_right(void **state)
{
	assert_true(is_gzip(packed, packed_size));
	assert_false(is_gzip(packed, 1));
	assert_false(is_gzip(plain, sizeof(plain)));
	assert_null(unpack(packed_size));
}

static void test_cut(void **state)
{
	for (size_t n = 0; n < packed_size; n += n < 40 ? 1 : 97)
		assert_non_null(unpack(n));
}

static void test_damaged(void **state)
{
	for (size_t at = 0; at < packed_size; at += 61) {
		packed[at] ^= 0x10;
		if (at != 4) /* the time stamp: no part of what is checked */
			assert_true(at < 10 || unpack(packed_size));
		packed[at] ^= 0x10;
	}
	packed[packed_size - 8] ^= 1; /* checksum */
	assert_non_null(unpack(packed_size));
	packed[packed_size - 8] ^= 1;
}

/* The size that the trailer claims is not believed. */
static void test_wrong_size(void **state)
{
	packed[packed_size - 4] ^= 1;
	assert_non_null(unpack(packed_size));
	packed[packed_size - 4] ^= 1;
	packed[packed_size - 1] = 0x7f;
	assert_non_null(unpack(packed_size));
	packed[packed_size - 1] = 0;
	memset(packed + packed_size - 4, 0, 4);
	assert_non_null(unpack(packed_size));
}

static void test_no_memory(void **state)
{
	for (long n = 0; n < 2; n++) {
		fail_after = n;
		assert_non_null(strstr(unpack(packed_size), "memory"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_right, setup),
	    cmocka_unit_test_setup(test_cut, setup),
	    cmocka_unit_test_setup(test_damaged, setup),
	    cmocka_unit_test_setup(test_wrong_size, setup),
	    cmocka_unit_test_setup(test_no_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
