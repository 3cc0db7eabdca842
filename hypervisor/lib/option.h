/* SPDX-License-Identifier: MIT */
/*
 * Boot options: words of the hypervisor's command line, NAME=VALUE, NAME (true) or no-NAME (false).
 * An option is declared where it is used; the linker collects them in a table. option_parse()
 * (boot/cmdline.c) handles each word once, before any subsystem starts, and warns about words that
 * no option takes or whose value its option refuses.
 */
#ifndef LIB_OPTION_H
#define LIB_OPTION_H

#include "lib/types.h"

struct option {
	const char *name;
	enum { OPTION_BOOL, OPTION_UINT, OPTION_SIZE, OPTION_STRING, OPTION_CUSTOM } kind;
	void *var;			 /* bool *, unsigned int *, uint64_t * (bytes) or char[] */
	size_t len;			 /* of a string variable */
	int (*parse)(const char *value); /* custom: 0, or -EINVAL for a malformed value; value is
					    "" for the bare word, "no" for no-NAME */
	const char *help;		 /* what a right value looks like, for the warning */
};

#define OPTION(id, ...)                        \
	static const struct option option_##id \
	    __attribute__((section(".options"), used, aligned(8))) = {__VA_ARGS__}
#define BOOL_OPTION(n, v) OPTION(v, .name = n, .kind = OPTION_BOOL, .var = &v, .help = "yes or no")
#define UINT_OPTION(n, v) OPTION(v, .name = n, .kind = OPTION_UINT, .var = &v, .help = "a number")
#define STRING_OPTION(n, v) \
	OPTION(v, .name = n, .kind = OPTION_STRING, .var = v, .len = sizeof(v), .help = "a text")
#define CUSTOM_OPTION(n, fn, h) OPTION(fn, .name = n, .kind = OPTION_CUSTOM, .parse = fn, .help = h)

#endif
