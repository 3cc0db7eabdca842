/* SPDX-License-Identifier: MIT */
/* Small things that command lines hold, read. Pure. */
#ifndef XL_AMOUNT_H
#define XL_AMOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Memory: a number and one of t g m k b (k if there is none), or of ti... as well. False: it is none, or too much. */
bool amount_parse(const char *text, uint64_t *kib);

/* A whole number from 0 to `most`. */
bool number_parse(const char *text, unsigned long most, unsigned long *number);

/* How many letters must be added, taken away or changed to make one of the other; for "did you mean". */
unsigned int text_distance(const char *a, const char *b);

#endif
