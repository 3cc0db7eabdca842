/* SPDX-License-Identifier: MIT */
/*
 * Free-standing C library parts, formatted output to memory, parsing of words and numbers, and the
 * ladder of errors: return a negative errno (public/errno.h values) for what a caller may have done
 * wrong; domain_crash() (domain/domain.h) for a guest that can't go on; BUG() for what only a fault
 * in the hypervisor can cause. No guest input may reach BUG or ASSERT.
 */
#ifndef LIB_LIB_H
#define LIB_LIB_H

#include <stdarg.h>
#include "lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *haystack, const char *needle);

/*
 * The compiler makes a few moves of small constant sizes. For others GCC's own choice may be to set byte by
 * byte, so these are calls of the functions above.
 */
#ifndef UNIT_TEST
#define INLINE_SIZE(n)	 (__builtin_constant_p(n) && (n) <= 256)
#define memcpy(d, s, n)	 (INLINE_SIZE(n) ? __builtin_memcpy(d, s, n) : (memcpy)(d, s, n))
#define memmove(d, s, n) __builtin_memmove(d, s, n)
#define memset(d, c, n)	 (INLINE_SIZE(n) ? __builtin_memset(d, c, n) : (memset)(d, c, n))
#define memcmp(a, b, n)	 __builtin_memcmp(a, b, n)
#define strlen(s)	 __builtin_strlen(s)
#define strcmp(a, b)	 __builtin_strcmp(a, b)
#endif

/* Copies at most size - 1 bytes and always ends dst with a NUL (size > 0). Returns strlen(src). */
size_t copy_string(char *dst, const char *src, size_t size);

/*
 * C11 formatting without floating point: conversions d i u x X o c s p % (never n); lengths hh h l ll
 * z j t; width and precision, also as *; flags - 0 + space #. An unknown conversion is copied as it is.
 * Return the length that the whole text has, as C says; buf always ends with a NUL if size > 0.
 */
int format(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int format_va(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);

/*
 * Number in C's notation (0x.., 0.., decimal), digits up to the first other character; *end is set
 * there if end is not NULL. *overflow, if not NULL, tells whether it exceeded 64 bits.
 */
uint64_t parse_number(const char *s, const char **end, bool *overflow);

/* As parse_number, then an optional suffix B K M G T (either case; bytes; none means KiB as in
 * Xen's size options). */
uint64_t parse_size(const char *s, const char **end, bool *overflow);

/* "1 on yes true enable" -> 1, "0 off no false disable" -> 0, anything else -> -1. */
int parse_bool(const char *s);

void panic(const char *fmt, ...) __printf(1, 2) __attribute__((noreturn)); /* console/panic.c */
void bug(const char *file, int line, const char *what) __attribute__((noreturn, cold));

#define BUG() bug(__FILE__, __LINE__, "BUG")
#define BUG_ON(c)                                    \
	do {                                         \
		if (unlikely(c))                     \
			bug(__FILE__, __LINE__, #c); \
	} while (0)
#ifdef DEBUG
#define ASSERT(c) BUG_ON(!(c))
#else
#define ASSERT(c)               \
	do {                    \
		if (0 && (c)) { \
		}               \
	} while (0)
#endif

#endif
