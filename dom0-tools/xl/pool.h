/* SPDX-License-Identifier: MIT */
/*
 * Memory that is given back all at once: what belongs to one configuration or one command. Zeroed: empty. A failed
 * allocation gives NULL, and is remembered in `failed`, so that callers may look once at the end.
 */
#ifndef XL_POOL_H
#define XL_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool_block;

struct pool {
	struct pool_block *blocks;
	bool failed;
};

/* Zeroed memory, or NULL. */
void *pool_alloc(struct pool *pool, size_t size);
/* A copy of `length` characters, terminated, or NULL. */
char *pool_copy(struct pool *pool, const char *text, size_t length);
char *pool_printf(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Give back everything that came from it; it is empty again. */
void pool_free(struct pool *pool);

#endif
