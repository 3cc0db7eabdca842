/* SPDX-License-Identifier: MIT */
/*
 * Compressed kernels: gzip files (RFC 1952), and Linux's bzImage whose payload is an ELF image packed by gzip, XZ,
 * LZ4 or Zstandard. The decoders are those of the formats' authors, from Debian's source packages, or of 7-Zip.
 *
 * Each decoder gets a buffer of just the size that the file claims, so whatever a file does, it can use no more, and
 * one that gives more or less than it claims is damaged.
 */
#define Z_SOLO
#include "loader/loader.h"
#include "loader/internal.h"
#include <7zCrc.h>
#include <Xz.h>
#include <XzCrc64.h>
#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#define MAX_UNPACKED (1UL << 30)
#ifndef PIECE
#define PIECE (1UL << 18) /* of packed data, after which who waits is told */
#endif
#define NO_MEMORY "there is too little memory for what its compressed data claim to unpack to"

struct bytes {
	const uint8_t *data;
	size_t size;
};

static void tell(const struct packed *packed, size_t done)
{
	if (packed->progress)
		packed->progress(packed->context, done);
}

static size_t piece_at(struct bytes src, size_t at)
{
	return src.size - at < PIECE ? src.size - at : PIECE;
}

static uint32_t get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- the formats: unpack all data to exactly as many bytes as claimed; NULL or the rest of a sentence ---- */

static void *zlib_alloc(void *opaque, unsigned int items, unsigned int size)
{
	return unpack_alloc((size_t)items * size);
}

static void zlib_free(void *opaque, void *p)
{
	unpack_free(p);
}

static const char *unpack_gzip(const struct packed *packed, uint8_t *dst, size_t n)
{
	const struct bytes src = {packed->data, packed->size};
	size_t at = 0;
	z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free};
	int rc;

	z.next_in = (z_const Bytef *)src.data;
	z.next_out = dst;
	z.avail_out = (uInt)n;
	rc = inflateInit2(&z, 15 + 16); /* the largest window; gzip's header and checksum */
	if (rc != Z_OK)
		return NO_MEMORY;
	do {
		tell(packed, at);
		z.avail_in = (uInt)piece_at(src, at);
		at += z.avail_in;
		rc = inflate(&z, Z_FINISH); /* Z_BUF_ERROR: it wants more, of input or room */
	} while (rc == Z_BUF_ERROR && z.avail_in == 0 && at < src.size);
	inflateEnd(&z);
	if (rc == Z_STREAM_END && z.avail_out == 0)
		return NULL;
	return rc == Z_MEM_ERROR
		   ? NO_MEMORY
		   : "its gzip data are truncated or damaged (compressed data or checksum)";
}

static void *xz_alloc(ISzAllocPtr unused, size_t size)
{
	return size > MAX_UNPACKED
		   ? NULL
		   : unpack_alloc(size); /* its header claims any size of dictionary */
}

static void xz_free(ISzAllocPtr unused, void *p)
{
	unpack_free(p);
}

/*
 * A file of one block, as Linux has it, is unpacked in place. Otherwise the decoder keeps a dictionary, of which the
 * file claims the size, beside it.
 */
static SRes decode_xz(const struct packed *packed, uint8_t *dst, size_t n, bool in_place)
{
	const struct bytes src = {packed->data, packed->size};
	const ISzAlloc allocator = {.Alloc = xz_alloc, .Free = xz_free};
	size_t at = 0, done = 0, piece;
	ECoderStatus status;
	CXzUnpacker xz;
	SizeT in, out;
	SRes rc;

	XzUnpacker_Construct(&xz, &allocator);
	XzUnpacker_Init(&xz);
	if (in_place)
		XzUnpacker_SetOutBuf(&xz, dst, n);
	do {
		tell(packed, at);
		in = piece = piece_at(src, at);
		out = n - done;
		rc = XzUnpacker_Code(&xz, in_place ? NULL : dst + done, &out, src.data + at, &in,
				     at + piece == src.size, CODER_FINISH_END, &status);
		at += in;
		done += out;
	} while (rc == SZ_OK && in == piece && at < src.size);
	/* Further blocks have gone to where the first one belongs. */
	if (in_place && xz.numTotalBlocks != 1)
		rc = SZ_ERROR_UNSUPPORTED;
	if (rc == SZ_OK && (!XzUnpacker_IsStreamWasFinished(&xz) || done != n || at != src.size))
		rc = SZ_ERROR_DATA;
	XzUnpacker_Free(&xz);
	return rc;
}

static const char *unpack_xz(const struct packed *packed, uint8_t *dst, size_t n)
{
	SRes rc;

	CrcGenerateTable();
	Crc64GenerateTable();
	rc = decode_xz(packed, dst, n, true);
	if (rc != SZ_OK && rc != SZ_ERROR_MEM)
		rc = decode_xz(packed, dst, n, false);
	if (rc == SZ_OK)
		return NULL;
	return rc == SZ_ERROR_MEM ? NO_MEMORY : "its XZ data are truncated or damaged";
}

/* The legacy frame, which Linux uses: blocks, each behind its size, that unpack to 8 MiB at the most. */
static const char *unpack_lz4(const struct packed *packed, uint8_t *dst, size_t n)
{
	const struct bytes src = {packed->data, packed->size};
	static const char damaged[] = "its LZ4 data are truncated or damaged";
	size_t at = 4, out = 0;

	while (at < src.size) {
		uint32_t size;
		int got;

		tell(packed, at);
		if (src.size - at < 4)
			return damaged;
		size = get_u32(src.data + at);
		at += 4;
		if (size > src.size - at || size > LZ4_MAX_INPUT_SIZE)
			return damaged;
		got = LZ4_decompress_safe((const char *)src.data + at, (char *)dst + out, (int)size,
					  (int)(n - out));
		if (got <= 0)
			return damaged;
		at += size;
		out += (size_t)got;
	}
	return out == n ? NULL : damaged;
}

static const char *unpack_zstd(const struct packed *packed, uint8_t *dst, size_t n)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	size_t got;

	if (!context)
		return NO_MEMORY;
	got = ZSTD_decompressDCtx(context, dst, n, packed->data, packed->size);
	ZSTD_freeDCtx(context);
	return got == n ? NULL : "its Zstandard data are truncated or damaged";
}

/* By the first bytes. The trailing four bytes that tell the unpacked size are gzip's own; behind the others Linux's
 * build puts them. */
static const struct packed_format {
	uint8_t magic[6];
	uint8_t length;
	uint8_t trailer;
	const char *(*unpack)(const struct packed *packed, uint8_t *dst, size_t n);
} formats[] = {
    {{0x1f, 0x8b}, 2, 0, unpack_gzip},
    {{0xfd, '7', 'z', 'X', 'Z', 0}, 6, 4, unpack_xz},
    {{0x02, 0x21, 0x4c, 0x18}, 4, 4, unpack_lz4},
    {{0x28, 0xb5, 0x2f, 0xfd}, 4, 4, unpack_zstd},
};

static const struct packed_format *find_format(struct bytes b)
{
	for (unsigned int i = 0; i < ELEMENTS(formats); i++)
		if (b.size >= formats[i].length &&
		    memcmp(b.data, formats[i].magic, formats[i].length) == 0)
			return &formats[i];
	return NULL;
}

/* ---- bzImage (Linux's Documentation/x86/boot) ---- */

#define SETUP_SECTS    0x1f1
#define HEADER	       0x202
#define VERSION	       0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_END     0x250

static bool is_bzimage(struct bytes b)
{
	return b.size >= HEADER_END && memcmp(b.data + HEADER, "HdrS", 4) == 0;
}

static const char *find_payload(struct bytes image, struct bytes *payload)
{
	size_t start = ((image.data[SETUP_SECTS] ? image.data[SETUP_SECTS] : 4) + 1) * 512UL;
	uint64_t offset = get_u32(image.data + PAYLOAD_OFFSET);
	uint64_t length = get_u32(image.data + PAYLOAD_LENGTH);

	if (image.data[VERSION + 1] < 2 ||
	    (image.data[VERSION + 1] == 2 && image.data[VERSION] < 8))
		return "its bzImage is of a boot protocol older than 2.08";
	if (length == 0 || start > image.size || offset > image.size - start ||
	    length > image.size - start - offset)
		return "its bzImage is truncated or damaged: the payload lies outside the file";
	payload->data = image.data + start + offset;
	payload->size = length;
	return NULL;
}

/* ---- both ---- */

/* What the compressed data claim, behind the checks that the decoders rely on. */
static const char *take_claim(const struct packed_format *format, struct bytes src,
			      struct packed *packed)
{
	size_t n;

	if (src.size < format->length + 4U || src.size > MAX_UNPACKED)
		return "its compressed data are truncated";
	n = get_u32(src.data + src.size - 4);
	if (n == 0 || n > MAX_UNPACKED)
		return "its compressed data are damaged, empty or bigger than 1 GiB";
	packed->format = format;
	packed->data = src.data;
	packed->size = src.size - format->trailer;
	packed->unpacked = n;
	return NULL;
}

const char *unpack_find(const void *data, size_t size, struct packed *packed)
{
	struct bytes b = {data, size};
	const struct packed_format *format;
	const char *error;

	memset(packed, 0, sizeof(*packed));
	if (is_bzimage(b)) {
		error = find_payload(b, &b);
		if (error)
			return error;
		format = find_format(b);
		if (!format)
			return "its bzImage is packed by something else than gzip, XZ, LZ4 or "
			       "Zstandard";
		return take_claim(format, b, packed);
	}
	format = find_format(b);
	return format && format->unpack == unpack_gzip ? take_claim(format, b, packed) : NULL;
}

const char *unpack(const struct packed *packed, void *to)
{
	return packed->format->unpack(packed, to, packed->unpacked);
}
