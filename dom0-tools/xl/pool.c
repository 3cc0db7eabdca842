/* SPDX-License-Identifier: MIT */
#include "xl/pool.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct pool_block {
	struct pool_block *next;
	_Alignas(16) char data[];
};

void *pool_alloc(struct pool *pool, size_t size)
{
	struct pool_block *block = NULL;

	if (size <= SIZE_MAX / 2)
		block = calloc(1, sizeof(*block) + size);
	if (!block) {
		pool->failed = true;
		return NULL;
	}
	block->next = pool->blocks;
	pool->blocks = block;
	return block->data;
}

char *pool_copy(struct pool *pool, const char *text, size_t length)
{
	char *copy = pool_alloc(pool, length + 1);

	if (copy)
		memcpy(copy, text, length);
	return copy;
}

char *pool_printf(struct pool *pool, const char *format, ...)
{
	va_list arguments, again;
	char *text = NULL;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	if (length >= 0)
		text = pool_alloc(pool, (size_t)length + 1);
	if (text)
		vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	va_end(arguments);
	return text;
}

void pool_free(struct pool *pool)
{
	struct pool_block *block, *next;

	for (block = pool->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	*pool = (struct pool){0};
}
