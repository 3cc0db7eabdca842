/* SPDX-License-Identifier: MIT */
// sources: loader/unpack.c
// flags: -isystem $(THIRD_PARTY)/7zip/C -DPIECE=1000
// libs: -lz -llzma -llz4 -lzstd
/* Compressed kernels: right ones unpack, damaged ones are refused, and memory balances in both cases. */
#include "unit.h"
#include "loader/loader.h"
#include "packed.h"

static long allocated;
static long fail_after = -1;
static size_t told, told_of;
static unsigned int tellings;

static bool failing(void)
{
	return fail_after >= 0 && fail_after-- == 0;
}

void *unpack_alloc(size_t size)
{
	if (failing())
		return NULL;
	allocated++;
	return calloc(1, size);
}

void unpack_free(void *p)
{
	if (p)
		allocated--;
	free(p);
}

/* Short of the end, which the caller sees. Never back, but for files of several blocks, which are begun anew. */
static void progress(void *context, size_t done)
{
	const struct packed *packed = context;

	assert_true((done >= told || done == 0) && done < packed->size);
	told = done;
	told_of = packed->size;
	tellings++;
}

/* All of it, as a caller does: *out is NULL, and nothing is wrong, when the data are not packed. */
static const char *unpack_kernel(const void *data, size_t size, void **out, size_t *out_size)
{
	struct packed packed;
	const char *error = unpack_find(data, size, &packed);

	*out = NULL;
	*out_size = packed.unpacked;
	if (error || !packed.format)
		return error;
	*out = malloc(packed.unpacked);
	assert_non_null(*out);
	packed.progress = progress;
	packed.context = &packed;
	told = tellings = 0;
	error = unpack(&packed, *out);
	if (error)
		free(*out);
	return error;
}

static uint8_t plain[70000], file[120000];
static size_t file_size;

static int setup(void **state)
{
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = i * i >> 7;
	allocated = 0;
	fail_after = -1;
	return 0;
}

/* The first `size` bytes of the file, behind which the sanitizer watches. */
static const char *unpack_file(size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	void *out = NULL;
	size_t out_size = 0;
	const char *error;

	memcpy(exact, file, size);
	error = unpack_kernel(exact, size, &out, &out_size);
	free(exact);
	if (!error && out) {
		assert_int_equal(out_size, sizeof(plain));
		assert_memory_equal(out, plain, sizeof(plain));
		free(out);
	}
	assert_int_equal(allocated, 0);
	return error;
}

static void test_right(void **state)
{
	for (unsigned int f = 0; f < PACKERS; f++) {
		file_size = make_bzimage(f, plain, sizeof(plain), file, sizeof(file));
		assert_null(unpack_file(file_size));
	}
	file_size = pack(PACK_GZIP, plain, sizeof(plain), file, sizeof(file));
	assert_null(unpack_file(file_size));
}

/* A piece at a time; LZ4's are its blocks, of which there is one here, and Zstandard says nothing. */
static void test_progress(void **state)
{
	for (unsigned int f = 0; f < PACKERS; f++) {
		file_size = make_bzimage(f, plain, sizeof(plain), file, sizeof(file));
		assert_null(unpack_file(file_size));
		if (f == PACK_GZIP || f == PACK_XZ) {
			assert_int_equal(tellings, (told_of + 999) / 1000);
			assert_true(tellings > 3);
		} else {
			assert_int_equal(tellings, f == PACK_LZ4);
		}
	}
}

/* Files of several blocks, as xz makes with several threads; each kind of checksum, and damage that only it shows. */
static void test_xz_blocks(void **state)
{
	static const lzma_check checks[] = {LZMA_CHECK_NONE, LZMA_CHECK_CRC32, LZMA_CHECK_CRC64,
					    LZMA_CHECK_SHA256};
	const size_t half = sizeof(plain) / 2;

	for (unsigned int i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		lzma_stream xz = LZMA_STREAM_INIT;
		uint32_t n = sizeof(plain), length;
		size_t size = make_bzimage(PACK_XZ, plain, sizeof(plain), file, sizeof(file));

		assert_int_equal(lzma_easy_encoder(&xz, 6, checks[i]), LZMA_OK);
		xz.next_in = plain;
		xz.avail_in = half;
		xz.next_out = file + PAYLOAD;
		xz.avail_out = sizeof(file) - PAYLOAD;
		assert_int_equal(lzma_code(&xz, LZMA_FULL_FLUSH), LZMA_STREAM_END);
		xz.avail_in = sizeof(plain) - half;
		assert_int_equal(lzma_code(&xz, LZMA_FINISH), LZMA_STREAM_END);
		length = (uint32_t)xz.total_out + 4;
		memcpy(file + PAYLOAD + xz.total_out, &n, 4);
		memcpy(file + 0x24c, &length, 4);
		size = PAYLOAD + length;
		lzma_end(&xz);
		assert_null(unpack_file(size));
		if (checks[i] == LZMA_CHECK_NONE)
			continue;
		/* What ends before the index is the second block's checksum; the footer tells the index's size. */
		memcpy(&length, file + size - 4 - 12 + 4, 4);
		file[size - 4 - 12 - (length + 1) * 4 - 1] ^= 1;
		assert_non_null(unpack_file(size));
	}
}

/* What is neither a bzImage nor a gzip file is left as it is. */
static void test_plain(void **state)
{
	void *out = file;
	size_t out_size;

	assert_null(unpack_kernel(plain, sizeof(plain), &out, &out_size));
	assert_null(out);
	assert_null(unpack_kernel(plain, 0, &out, &out_size));
	assert_null(out);
}

static void test_cut(void **state)
{
	for (unsigned int f = 0; f < PACKERS; f++) {
		file_size = make_bzimage(f, plain, sizeof(plain), file, sizeof(file));
		for (size_t n = 0x250; n < file_size; n += 97)
			assert_non_null(unpack_file(n));
	}
	file_size = pack(PACK_GZIP, plain, sizeof(plain), file, sizeof(file));
	for (size_t n = 2; n < file_size; n += n < 40 ? 1 : 97)
		assert_non_null(unpack_file(n));
}

/* Bits turned in the payload: LZ4 has no checksum, so there only that nothing bad happens. */
static void test_damaged(void **state)
{
	for (unsigned int f = 0; f < PACKERS; f++) {
		size_t refused = 0, tried = 0;

		file_size = make_bzimage(f, plain, sizeof(plain), file, sizeof(file));
		for (size_t at = PAYLOAD + 20; at < file_size - 12; at += 61, tried++) {
			void *out;
			size_t out_size;

			file[at] ^= 0x10;
			if (unpack_kernel(file, file_size, &out, &out_size))
				refused++;
			else
				free(out);
			file[at] ^= 0x10;
		}
		assert_int_equal(allocated, 0);
		assert_true(f == PACK_LZ4 || refused == tried);
	}
}

/* The size that the trailer claims is not believed. */
static void test_wrong_size(void **state)
{
	static const uint32_t wrong[] = {0,	     1,	 sizeof(plain) - 1, sizeof(plain) + 1,
					 0x40000001, ~0U};

	for (unsigned int f = 0; f < PACKERS; f++) {
		for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			file_size = make_bzimage(f, plain, sizeof(plain), file, sizeof(file));
			memcpy(file + file_size - 4, &wrong[i], 4);
			assert_non_null(unpack_file(file_size));
		}
	}
}

static void test_wrong_header(void **state)
{
	file_size = make_bzimage(PACK_XZ, plain, sizeof(plain), file, sizeof(file));
	file[0x206] = 7;
	assert_non_null(strstr(unpack_file(file_size), "2.08"));
	file[0x206] = 15;
	memset(file + 0x248, 0xff, 4);
	assert_non_null(strstr(unpack_file(file_size), "payload"));
	file_size = make_bzimage(PACK_XZ, plain, sizeof(plain), file, sizeof(file));
	memset(file + 0x24c, 0xff, 4);
	assert_non_null(strstr(unpack_file(file_size), "payload"));
	memset(file + 0x24c, 0, 4);
	assert_non_null(strstr(unpack_file(file_size), "payload"));
	file_size = make_bzimage(PACK_XZ, plain, sizeof(plain), file, sizeof(file));
	memcpy(file + PAYLOAD, "BZh91A", 6);
	assert_non_null(strstr(unpack_file(file_size), "something else"));
}

/* The other two take their memory from the system when they are tested, or need none. */
static void test_no_memory(void **state)
{
	static const unsigned int formats[] = {PACK_GZIP, PACK_XZ};

	for (unsigned int i = 0; i < 2; i++) {
		file_size = make_bzimage(formats[i], plain, sizeof(plain), file, sizeof(file));
		fail_after = 0;
		assert_non_null(strstr(unpack_file(file_size), "memory"));
		fail_after = -1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_right, setup),
	    cmocka_unit_test_setup(test_progress, setup),
	    cmocka_unit_test_setup(test_xz_blocks, setup),
	    cmocka_unit_test_setup(test_plain, setup),
	    cmocka_unit_test_setup(test_cut, setup),
	    cmocka_unit_test_setup(test_damaged, setup),
	    cmocka_unit_test_setup(test_wrong_size, setup),
	    cmocka_unit_test_setup(test_wrong_header, setup),
	    cmocka_unit_test_setup(test_no_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
