/* SPDX-License-Identifier: MIT */
#include "xl/cpu_set.h"
#include <stdio.h>
#include <string.h>

void cpu_set_all(struct cpu_set *set)
{
	memset(set, 0xff, sizeof(*set));
}

bool cpu_set_has(const struct cpu_set *set, unsigned int cpu)
{
	return cpu < CPU_SET_SIZE && set->bits[cpu / 8] & (1 << (cpu % 8));
}

bool cpu_set_empty(const struct cpu_set *set)
{
	return cpu_set_count(set) == 0;
}

bool cpu_set_equal(const struct cpu_set *a, const struct cpu_set *b)
{
	return !memcmp(a, b, sizeof(*a));
}

void cpu_set_intersect(struct cpu_set *set, const struct cpu_set *with)
{
	for (size_t i = 0; i < sizeof(set->bits); i++)
		set->bits[i] &= with->bits[i];
}

void cpu_set_first(struct cpu_set *set, unsigned int count)
{
	memset(set, 0, sizeof(*set));
	for (unsigned int cpu = 0; cpu < count && cpu < CPU_SET_SIZE; cpu++)
		set->bits[cpu / 8] |= (uint8_t)(1 << (cpu % 8));
}

unsigned int cpu_set_count(const struct cpu_set *set)
{
	unsigned int count = 0;

	for (unsigned int cpu = 0; cpu < CPU_SET_SIZE; cpu++)
		count += cpu_set_has(set, cpu);
	return count;
}

static void put(struct cpu_set *set, unsigned int first, unsigned int last, bool in)
{
	for (unsigned int cpu = first; cpu <= last; cpu++) {
		if (in)
			set->bits[cpu / 8] |= (uint8_t)(1 << (cpu % 8));
		else
			set->bits[cpu / 8] &= (uint8_t) ~(1 << (cpu % 8));
	}
}

static bool read_number(const char **at, unsigned int *number)
{
	const char *start = *at;

	for (*number = 0; **at >= '0' && **at <= '9' && *number < CPU_SET_SIZE; ++*at)
		*number = *number * 10 + (unsigned int)(**at - '0');
	return *at > start;
}

static bool skip_word(const char **at, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*at, word, length) != 0)
		return false;
	*at += length;
	return true;
}

/* N or N-M, where the end may be marked by ^ too as in "nodes:1-^2"; not so here. */
static const char *read_range(const char **at, unsigned int *first, unsigned int *last)
{
	if (!read_number(at, first))
		return "a CPU's number, a range, `all' or `node:'";
	*last = *first;
	if (**at == '-') {
		++*at;
		if (!read_number(at, last))
			return "a number after `-'";
	}
	if (*first >= CPU_SET_SIZE || *last >= CPU_SET_SIZE)
		return "numbers below 256";
	return *first <= *last ? NULL : "the smaller number first";
}

static const char *read_part(struct cpu_set *set, const char **at)
{
	unsigned int first, last;
	bool in = **at != '^', node;
	const char *wrong;

	if (!in)
		++*at;
	if (skip_word(at, "all")) {
		put(set, 0, CPU_SET_SIZE - 1, in);
		return NULL;
	}
	node = skip_word(at, "nodes:") || skip_word(at, "node:");
	if (node && skip_word(at, "all")) {
		put(set, 0, CPU_SET_SIZE - 1, in);
		return NULL;
	}
	if (node && **at == '^') {
		in = !in;
		++*at;
	}
	wrong = read_range(at, &first, &last);
	if (wrong)
		return wrong;
	if (node && first > 0)
		return "node 0: this machine has no other";
	put(set, node ? 0 : first, node ? CPU_SET_SIZE - 1 : last, in);
	return NULL;
}

const char *cpu_set_parse(struct cpu_set *set, const char *text, const char **where)
{
	const char *wrong;

	memset(set, 0, sizeof(*set));
	*where = text;
	for (;;) {
		*where += strspn(*where, " \t");
		wrong = read_part(set, where);
		if (wrong)
			return wrong;
		*where += strspn(*where, " \t");
		if (!**where)
			break;
		if (**where != ',')
			return "`,' or the end";
		++*where;
	}
	return cpu_set_empty(set) ? "at least one CPU" : NULL;
}

static bool all_of(const struct cpu_set *set, const struct cpu_set *online)
{
	for (size_t i = 0; i < sizeof(set->bits); i++)
		if (online->bits[i] & ~set->bits[i])
			return false;
	return true;
}

void cpu_set_print(const struct cpu_set *set, const struct cpu_set *online, char *text, size_t size)
{
	unsigned int first, last;
	size_t length = 0;

	if (all_of(set, online)) {
		snprintf(text, size, "all");
		return;
	}
	text[0] = 0;
	for (first = 0; first < CPU_SET_SIZE && length < size; first = last + 1) {
		last = first;
		if (!cpu_set_has(set, first))
			continue;
		while (cpu_set_has(set, last + 1))
			last++;
		if (last == first)
			snprintf(text + length, size - length, "%s%u", length ? "," : "", first);
		else
			snprintf(text + length, size - length, "%s%u-%u", length ? "," : "", first,
				 last);
		length += strlen(text + length);
	}
	if (!length)
		snprintf(text, size, "none");
}
