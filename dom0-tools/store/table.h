/* SPDX-License-Identifier: MIT */
/*
 * Hash tables for structures that carry their own link. The hashes are xxHash's XXH3 with a secret seed, so that
 * nobody can choose names that fall together. Inserting needs no memory: when there is none to grow, chains
 * become longer.
 */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_link {
	struct table_link *next;
	uint64_t hash;
};

#define TABLE_FEW 8

struct table {
	struct table_link **buckets; /* size of them, a power of two */
	size_t size, count;
	struct table_link *few[TABLE_FEW]; /* the buckets of a small table */
};

void table_init(struct table *table);
/* Frees the buckets; what is in the table is the caller's. */
void table_free(struct table *table);

void table_insert(struct table *table, struct table_link *link, uint64_t hash);
void table_remove(struct table *table, struct table_link *link);

/* The first link with this hash, and the next with the same as the one given; NULL: none. */
struct table_link *table_first(const struct table *table, uint64_t hash);
struct table_link *table_next(const struct table_link *link);

/* All of a table, in no order: the one after link (NULL: the first). It must not change meanwhile. */
struct table_link *table_walk(const struct table *table, const struct table_link *link);

uint64_t table_hash(const void *bytes, size_t length, uint64_t seed);

/* The structure of this type whose member `link` is meant. */
#define TABLE_ENTRY(type, pointer) ((type *)((char *)(pointer)-offsetof(type, link)))

#endif
