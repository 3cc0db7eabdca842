/* SPDX-License-Identifier: MIT */
#include "xl/amount.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool amount_parse(const char *text, uint64_t *kib)
{
	uint64_t number, most = UINT64_MAX >> 10;
	unsigned int shift = 10;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno)
		return false;
	switch (*end) {
	case 't':
	case 'T':
		shift += 10;
		/* fall through */
	case 'g':
	case 'G':
		shift += 10;
		/* fall through */
	case 'm':
	case 'M':
		shift += 10;
		/* fall through */
	case 'k':
	case 'K':
		end++;
		break;
	case 'b':
	case 'B':
		shift = 0;
		end++;
		break;
	default:
		break;
	}
	if (*end || (shift && number > most >> (shift - 10)))
		return false;
	*kib = shift ? number << (shift - 10) : number >> 10;
	return true;
}

bool number_parse(const char *text, unsigned long most, unsigned long *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoul(text, &end, 10);
	return !*end && !errno && *number <= most;
}

#define LONGEST 31

unsigned int text_distance(const char *a, const char *b)
{
	unsigned int row[LONGEST + 1], length = (unsigned int)strlen(b), before, change;

	if (length > LONGEST || strlen(a) > LONGEST)
		return LONGEST;
	for (unsigned int j = 0; j <= length; j++)
		row[j] = j;
	for (unsigned int i = 1; *a; a++, i++) {
		before = row[0];
		row[0] = i;
		for (unsigned int j = 1; j <= length; j++) {
			change = before + (*a != b[j - 1]);
			before = row[j];
			if (row[j] + 1 < change)
				change = row[j] + 1;
			if (row[j - 1] + 1 < change)
				change = row[j - 1] + 1;
			row[j] = change;
		}
	}
	return row[length];
}
