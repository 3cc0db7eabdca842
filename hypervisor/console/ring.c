/* SPDX-License-Identifier: MIT */
#include "console/ring.h"
#include "lib/errno.h"
#include "lib/lib.h"

void ring_append(struct console_ring *r, const char *text, size_t n)
{
	size_t at, first;

	if (n > r->size) { /* only its end would stay */
		r->produced += n - r->size;
		text += n - r->size;
		n = r->size;
	}
	at = r->produced & (r->size - 1);
	first = min(n, (size_t)r->size - at);
	memcpy(r->buf + at, text, first);
	memcpy(r->buf, text + first, n - first);
	r->produced += n;
	if (r->produced - r->oldest > r->size)
		r->oldest = r->produced - r->size;
}

size_t ring_copy(const struct console_ring *r, uint32_t *index, char *buf, size_t n)
{
	size_t at, first;

	if (r->produced - *index > r->produced - r->oldest)
		*index = r->oldest;
	n = min(n, (size_t)(r->produced - *index));
	at = *index & (r->size - 1);
	first = min(n, (size_t)r->size - at);
	memcpy(buf, r->buf + at, first);
	memcpy(buf + first, r->buf, n - first);
	*index += n;
	return n;
}

void ring_clear(struct console_ring *r)
{
	r->oldest = r->produced;
}

void ring_grow(struct console_ring *r, char *buf, uint32_t size)
{
	for (uint32_t i = r->oldest; i != r->produced; i++)
		buf[i & (size - 1)] = r->buf[i & (r->size - 1)];
	r->buf = buf;
	r->size = size;
}

static int parse_level(const char *s, size_t len)
{
	static const struct {
		char name[8];
		signed char threshold;
	} levels[] = {{"none", 0}, {"error", 1}, {"warning", 2},
		      {"info", 3}, {"debug", 4}, {"all", 4}};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strlen(levels[i].name) == len && strncmp(levels[i].name, s, len) == 0)
			return levels[i].threshold;
	return -1;
}

int parse_log_levels(const char *value, struct log_levels *out)
{
	const char *slash = strchr(value, '/');
	int lower = parse_level(value, slash ? (size_t)(slash - value) : strlen(value));
	int upper = slash ? parse_level(slash + 1, strlen(slash + 1)) : lower;

	if (lower < 0 || upper < 0)
		return -EINVAL;
	out->lower = lower;
	out->upper = max(lower, upper);
	return 0;
}

bool ratelimit_pass(struct ratelimit *r, stime_t t, unsigned int *missed)
{
	*missed = 0;
	if (t - r->since >= RATELIMIT_INTERVAL) {
		r->since = t;
		r->used = 0;
	}
	if (r->used >= RATELIMIT_BURST) {
		r->missed++;
		return false;
	}
	r->used++;
	*missed = r->missed;
	r->missed = 0;
	return true;
}
