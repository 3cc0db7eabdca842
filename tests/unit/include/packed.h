/* SPDX-License-Identifier: MIT */
/* Makes compressed kernels for tests, in each format. */
#ifndef PACKED_H
#define PACKED_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum { PACK_GZIP, PACK_XZ, PACK_LZ4, PACK_ZSTD, PACKERS };

#define PAYLOAD (2 * 512 + 64) /* where make_bzimage() puts it */

/* As Linux's build does: the size at the end, gzip's own or four bytes more. Returns the length. */
static inline size_t pack(unsigned int how, const void *data, size_t size, uint8_t *to, size_t max)
{
	uint32_t n = (uint32_t)size;
	size_t length = 0;

	if (how == PACK_GZIP) {
		z_stream z = {0};

		if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
			abort();
		z.next_in = (Bytef *)data;
		z.avail_in = (uInt)size;
		z.next_out = to;
		z.avail_out = (uInt)max;
		if (deflate(&z, Z_FINISH) != Z_STREAM_END)
			abort();
		deflateEnd(&z);
		return max - z.avail_out;
	}
	if (how == PACK_XZ) {
		lzma_options_lzma options;
		const lzma_filter filters[] = {{.id = LZMA_FILTER_X86},
					       {.id = LZMA_FILTER_LZMA2, .options = &options},
					       {.id = LZMA_VLI_UNKNOWN}};

		if (lzma_lzma_preset(&options, 6))
			abort();
		options.dict_size = 1 << 16;
		if (lzma_stream_buffer_encode((lzma_filter *)filters, LZMA_CHECK_CRC32, NULL, data,
					      size, to, &length, max) != LZMA_OK)
			abort();
	} else if (how == PACK_LZ4) {
		uint32_t magic = 0x184c2102, block;

		block =
		    (uint32_t)LZ4_compress_default(data, (char *)to + 8, (int)size, (int)max - 8);
		memcpy(to, &magic, 4);
		memcpy(to + 4, &block, 4);
		length = 8 + block;
	} else {
		ZSTD_CCtx *context = ZSTD_createCCtx();

		ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
		length = ZSTD_compress2(context, to, max, data, size);
		ZSTD_freeCCtx(context);
	}
	memcpy(to + length, &n, 4);
	return length + 4;
}

/* The parts of a bzImage that a boot loader of PV kernels looks at. */
static inline size_t make_bzimage(unsigned int how, const void *data, size_t size, uint8_t *to,
				  size_t max)
{
	uint32_t offset = 64, length = (uint32_t)pack(how, data, size, to + PAYLOAD, max - PAYLOAD);

	memset(to, 0, PAYLOAD);
	to[0x1f1] = 1;
	memcpy(to + 0x202, "HdrS\x0f\x02", 6);
	memcpy(to + 0x248, &offset, 4);
	memcpy(to + 0x24c, &length, 4);
	return PAYLOAD + length;
}

#endif
