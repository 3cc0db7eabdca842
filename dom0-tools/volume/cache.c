/* SPDX-License-Identifier: MIT */
#include "volume/cache.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <guest/memory.h>

static void list_init(struct buffer *list)
{
	list->next = list->prev = list;
}

static void list_add(struct buffer *list, struct buffer *buffer)
{
	buffer->next = list;
	buffer->prev = list->prev;
	list->prev->next = buffer;
	list->prev = buffer;
}

static void list_remove(struct buffer *buffer)
{
	buffer->prev->next = buffer->next;
	buffer->next->prev = buffer->prev;
}

void cache_init(struct cache *cache, struct volume_disk *disk, unsigned int limit)
{
	memset(cache, 0, sizeof(*cache));
	cache->disk = disk;
	cache->limit = limit;
	list_init(&cache->clean);
	list_init(&cache->dirty);
}

static struct buffer **slot(struct cache *cache, uint64_t block)
{
	return &cache->hash[block % CACHE_HASH];
}

static void forget(struct cache *cache, struct buffer *buffer)
{
	struct buffer **link = slot(cache, buffer->block);

	while (*link != buffer)
		link = &(*link)->chain;
	*link = buffer->chain;
	list_remove(buffer);
	cache->count--;
	cache->dirty_count -= buffer->dirty;
	buffer->next = cache->spare;
	cache->spare = buffer;
}

static void free_spare(struct cache *cache)
{
	struct buffer *buffer;

	while ((buffer = cache->spare) != NULL) {
		cache->spare = buffer->next;
		page_free(buffer->data);
		free(buffer);
	}
}

static struct buffer *take_spare(struct cache *cache)
{
	struct buffer *buffer = cache->spare;

	if (buffer) {
		cache->spare = buffer->next;
		return buffer;
	}
	buffer = calloc(1, sizeof(*buffer));
	if (buffer && !(buffer->data = page_alloc())) {
		free(buffer);
		buffer = NULL;
	}
	return buffer;
}

/* The longest unused go until there are no more than `most`, if so many are clean. */
static void trim(struct cache *cache, unsigned int most)
{
	struct buffer *next;

	for (struct buffer *b = cache->clean.next; b != &cache->clean && cache->count > most;
	     b = next) {
		next = b->next;
		forget(cache, b);
	}
}

static struct buffer *find(struct cache *cache, uint64_t block)
{
	struct buffer *buffer = *slot(cache, block);

	while (buffer && buffer->block != block)
		buffer = buffer->chain;
	return buffer;
}

static struct buffer *add(struct cache *cache, uint64_t block)
{
	struct buffer *buffer;

	trim(cache, cache->limit - 1);
	buffer = take_spare(cache);
	if (!buffer)
		return NULL;
	buffer->block = block;
	buffer->dirty = false;
	buffer->chain = *slot(cache, block);
	*slot(cache, block) = buffer;
	list_add(&cache->clean, buffer);
	cache->count++;
	return buffer;
}

/* The block's buffer, as the last one used. fill: with what is on the disk, or else all of it will be written. */
static long get(struct cache *cache, uint64_t block, bool fill, struct buffer **found)
{
	struct buffer *buffer = find(cache, block);
	long error;

	if (!buffer) {
		if (block >= cache->disk->blocks)
			return -EIO;
		buffer = add(cache, block);
		if (!buffer)
			return -ENOMEM;
		error = fill ? disk_read(cache->disk, block, buffer->data, 1) : 0;
		if (error) {
			forget(cache, buffer);
			return error;
		}
	} else if (!buffer->dirty) {
		list_remove(buffer);
		list_add(&cache->clean, buffer);
	}
	*found = buffer;
	return 0;
}

static void make_dirty(struct cache *cache, struct buffer *buffer)
{
	if (buffer->dirty)
		return;
	list_remove(buffer);
	list_add(&cache->dirty, buffer);
	buffer->dirty = true;
	cache->dirty_count++;
}

/* How many of `size` bytes at `offset` lie in its block, and where. */
static uint64_t in_block(const struct cache *cache, uint64_t offset, uint64_t size, uint64_t *block,
			 uint32_t *at)
{
	uint32_t block_size = cache->disk->block_size;

	*block = offset / block_size;
	*at = offset % block_size;
	return size < block_size - *at ? size : block_size - *at;
}

long cache_read(struct cache *cache, uint64_t offset, void *data, uint64_t size)
{
	struct buffer *buffer;
	uint64_t block, part;
	uint32_t at;
	long error;

	for (; size; offset += part, data = (char *)data + part, size -= part) {
		part = in_block(cache, offset, size, &block, &at);
		error = get(cache, block, true, &buffer);
		if (error)
			return error;
		memcpy(data, (char *)buffer->data + at, part);
	}
	return 0;
}

long cache_write(struct cache *cache, uint64_t offset, const void *data, uint64_t size)
{
	struct buffer *buffer;
	uint64_t block, part;
	uint32_t at;
	long error;

	for (; size; offset += part, data = (const char *)data + part, size -= part) {
		part = in_block(cache, offset, size, &block, &at);
		error = get(cache, block, part != cache->disk->block_size, &buffer);
		if (error)
			return error;
		memcpy((char *)buffer->data + at, data, part);
		if (!cache->write_through) {
			make_dirty(cache, buffer);
			continue;
		}
		error = disk_write(cache->disk, block, buffer->data, 1);
		if (error) {
			forget(cache, buffer);
			return error;
		}
	}
	return 0;
}

static void move_to_clean(struct cache *cache)
{
	struct buffer *buffer;

	while ((buffer = cache->dirty.next) != &cache->dirty) {
		list_remove(buffer);
		list_add(&cache->clean, buffer);
		buffer->dirty = false;
	}
	cache->dirty_count = 0;
}

void cache_clean(struct cache *cache)
{
	move_to_clean(cache);
	trim(cache, cache->limit);
	free_spare(cache);
}

void cache_clear(struct cache *cache)
{
	move_to_clean(cache);
	trim(cache, 0);
	free_spare(cache);
}
