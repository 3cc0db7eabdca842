/* SPDX-License-Identifier: MIT */
#include "store/table.h"
#include <stdlib.h>
#include <string.h>

/* Keys are short: the vector code for long ones is left out. */
#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_SCALAR
#include <xxhash.h>

uint64_t table_hash(const void *bytes, size_t length, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, length, seed);
}

void table_init(struct table *table)
{
	memset(table, 0, sizeof(*table));
	table->buckets = table->few;
	table->size = TABLE_FEW;
}

void table_free(struct table *table)
{
	if (table->buckets != table->few)
		free(table->buckets);
	table_init(table);
}

static struct table_link **bucket(const struct table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->size - 1)];
}

static void grow(struct table *table)
{
	struct table_link **old = table->buckets, *link, *next;
	size_t old_size = table->size;

	table->buckets = calloc(2 * old_size, sizeof(struct table_link *));
	if (!table->buckets) {
		table->buckets = old;
		return;
	}
	table->size = 2 * old_size;
	for (size_t i = 0; i < old_size; i++) {
		for (link = old[i]; link; link = next) {
			struct table_link **to = bucket(table, link->hash);

			next = link->next;
			link->next = *to;
			*to = link;
		}
	}
	if (old != table->few)
		free(old);
}

void table_insert(struct table *table, struct table_link *link, uint64_t hash)
{
	struct table_link **to;

	if (table->count >= table->size)
		grow(table);
	to = bucket(table, hash);
	link->hash = hash;
	link->next = *to;
	*to = link;
	table->count++;
}

void table_remove(struct table *table, struct table_link *link)
{
	struct table_link **at = bucket(table, link->hash);

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	table->count--;
}

static struct table_link *same(struct table_link *link, uint64_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct table_link *table_first(const struct table *table, uint64_t hash)
{
	return same(*bucket(table, hash), hash);
}

struct table_link *table_next(const struct table_link *link)
{
	return same(link->next, link->hash);
}

struct table_link *table_walk(const struct table *table, const struct table_link *link)
{
	size_t i = 0;

	if (link) {
		if (link->next)
			return link->next;
		i = (link->hash & (table->size - 1)) + 1;
	}
	for (; i < table->size; i++)
		if (table->buckets[i])
			return table->buckets[i];
	return NULL;
}
