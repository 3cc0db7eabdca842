/* SPDX-License-Identifier: MIT */
/* The keys of xl.cfg(5): what kind of value each takes, and what becomes of it here. */
#ifndef XL_KEYS_H
#define XL_KEYS_H

#include "xl/config.h"

struct key {
	const char *name;
	enum {
		TAKES_STRING,
		TAKES_NUMBER,
		TAKES_BOOLEAN,
		TAKES_LIST,
		TAKES_STRING_OR_LIST,
		TAKES_BOOLEAN_OR_STRING,
		TAKES_BOOLEAN_OR_LIST
	} takes;
	enum {
		KEY_USED,
		KEY_HVM,    /* without a meaning for PV guests */
		KEY_ABSENT, /* not supported here (yet) */
	} support;
};

const struct key *key_find(const char *name);

/* Keys of one kind of file, sorted by name for people. */
struct key_table {
	const struct key *keys;
	unsigned int count;
};

/*
 * Say what is to be said about each setting: unknown and ignored keys are warnings, values of the wrong kind errors.
 * False if there was an error.
 */
bool keys_check(const struct config *config, struct report *report);
bool keys_check_by(const struct key_table *table, const struct config *config,
		   struct report *report);

/* A setting's value as a number, which may stand in a string: 0 for the base is found as C does. False: it is none. */
bool value_number(const struct config_value *value, long long *number);

#endif
