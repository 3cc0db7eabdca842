/* SPDX-License-Identifier: MIT */
/* The formatter behind printk, for use without a C library. Pure: no state, no dependencies. */
#ifndef GUEST_FORMAT_H
#define GUEST_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * As snprintf, for the conversions that guest/console.h lists: returns the length that the whole text has; the
 * buffer gets as much as fits and a terminator if size is not 0. An unknown conversion is copied as it stands.
 */
int format_string(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int format_string_v(char *buffer, size_t size, const char *format, va_list arguments);

#endif
