/* SPDX-License-Identifier: MIT */
/* The terminal of a command that does something else than read lines. */
#ifndef XL_KEYBOARD_H
#define XL_KEYBOARD_H

#include <stdint.h>

#define KEY_NONE   (-1)
#define KEY_CTRL_C 3
#define KEY_ESC	   27

/* The next key (a byte), waiting for it until a system time; KEY_NONE if there was none by then. */
int key_wait(uint64_t deadline);

#endif
