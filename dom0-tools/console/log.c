/* SPDX-License-Identifier: MIT */
#include "console/log.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 1024

static size_t total;

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Bytes that were written at the end of the stream go to where they belong in the memory. */
static void place(struct console_log *log, uint64_t position, const char *bytes, size_t count)
{
	size_t at = position & (log->size - 1);
	size_t to_end = smaller(count, log->size - at);

	memcpy(log->bytes + at, bytes, to_end);
	memcpy(log->bytes, bytes + to_end, count - to_end);
}

static void grow(struct console_log *log, size_t size)
{
	struct console_log bigger = {.size = size, .begin = log->begin, .end = log->end};
	size_t at, kept;

	/* Everybody gets the first piece. */
	if (log->size && total - log->size + size > CONSOLE_LOG_TOTAL)
		return;
	bigger.bytes = malloc(size);
	if (!bigger.bytes)
		return;
	kept = (size_t)(log->end - log->begin);
	if (kept) {
		at = log->begin & (log->size - 1);
		place(&bigger, log->begin, log->bytes + at, smaller(kept, log->size - at));
		if (kept > log->size - at)
			place(&bigger, log->begin + log->size - at, log->bytes,
			      kept - (log->size - at));
	}
	console_log_free(log);
	total += size;
	*log = bigger;
}

void console_log_append(struct console_log *log, const char *bytes, size_t count)
{
	size_t wanted = FIRST_SIZE;

	if (!log->size)
		grow(log, FIRST_SIZE);
	while (wanted < CONSOLE_LOG_SIZE && wanted < log->end - log->begin + count)
		wanted *= 2;
	if (wanted > log->size)
		grow(log, wanted);
	/* Of what does not fit at all the end counts. */
	if (count > log->size) {
		log->end += count - log->size;
		bytes += count - log->size;
		count = log->size;
	}
	if (count)
		place(log, log->end, bytes, count);
	log->end += count;
	if (log->end - log->begin > log->size)
		log->begin = log->end - log->size;
}

size_t console_log_copy(const struct console_log *log, char *to, size_t size, uint64_t *position)
{
	size_t at, count, to_end;

	if (*position < log->begin || *position > log->end)
		*position = log->begin;
	count = smaller(size, (size_t)(log->end - *position));
	if (!count)
		return 0;
	at = *position & (log->size - 1);
	to_end = smaller(count, log->size - at);
	memcpy(to, log->bytes + at, to_end);
	memcpy(to + to_end, log->bytes, count - to_end);
	*position += count;
	return count;
}

void console_log_free(struct console_log *log)
{
	free(log->bytes);
	total -= log->size;
	*log = (struct console_log){0};
}
