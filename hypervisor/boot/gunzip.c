/* SPDX-License-Identifier: MIT */
/* Modules that are gzip files (RFC 1952), through zlib: memory for its state and for the result come from the
 * frame allocator. Built on the host as well, with the system's zlib, for tests. */
#define Z_SOLO
#include "boot/boot.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include <zlib.h>

/* Header and trailer of the smallest gzip file. */
#define GZIP_MIN     18
#define MAX_UNPACKED (1UL << 30)

bool __init is_gzip(const void *data, size_t size)
{
	const uint8_t *b = data;

	return size >= 2 && b[0] == 0x1f && b[1] == 0x8b;
}

static void *__init zlib_alloc(void *opaque, unsigned int items, unsigned int size)
{
	return kzalloc((size_t)items * size);
}

static void __init zlib_free(void *opaque, void *p)
{
	kfree(p);
}

static unsigned int __init order_of(size_t bytes)
{
	unsigned int order = 0;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

static int __init inflate_all(const void *src, size_t size, void *dst, size_t dst_size)
{
	z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free};
	int rc;

	z.next_in = (z_const Bytef *)src;
	z.avail_in = (uInt)size;
	z.next_out = dst;
	z.avail_out = (uInt)dst_size;
	rc = inflateInit2(&z, 15 + 16); /* the largest window; gzip's header and checksum */
	if (rc != Z_OK)
		return rc;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return rc;
}

/* The last four bytes tell the size (modulo 4 GiB): zlib refuses what is smaller, the buffer what
 * is bigger. */
const char *__init gunzip(const void *src, size_t size, void **out, size_t *out_size)
{
	uint32_t claimed;
	void *buffer;
	int rc;

	if (size < GZIP_MIN || size > MAX_UNPACKED)
		return "its gzip file is truncated";
	memcpy(&claimed, (const uint8_t *)src + size - sizeof(claimed), sizeof(claimed));
	if (claimed == 0 || claimed > MAX_UNPACKED)
		return "its gzip file is damaged, empty or bigger than 1 GiB";
	buffer = alloc_pages(order_of(claimed), 0);
	if (!buffer)
		return "there is too little memory to unpack its gzip file";
	rc = inflate_all(src, size, buffer, claimed);
	if (rc != Z_STREAM_END) {
		free_pages_virt(buffer, order_of(claimed));
		return rc == Z_MEM_ERROR
			   ? "there is too little memory to unpack its gzip file"
			   : "its gzip file is truncated or damaged (compressed data or checksum)";
	}
	*out = buffer;
	*out_size = claimed;
	return NULL;
}

void __init gunzip_free(void *out, size_t out_size)
{
	free_pages_virt(out, order_of(out_size));
}
