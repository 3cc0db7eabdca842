/* SPDX-License-Identifier: MIT */
/* Numbers that differ each time: for UUIDs and addresses, not for secrets. */
#ifndef XL_RANDOM_H
#define XL_RANDOM_H

#include <stdint.h>

uint64_t random_number(void);

/* Version 4 of RFC 4122. */
void uuid_make(uint8_t uuid[16]);

#endif
