/* SPDX-License-Identifier: MIT */
/* What lwIP asks of compiler and libraries. Those functions of a C library that it uses are in guest/string.h and libc.c. */
#ifndef GUEST_LWIP_ARCH_CC_H
#define GUEST_LWIP_ARCH_CC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <guest/console.h>
#include <guest/start.h>

/* newlib has ssize_t, but not its limit. */
#define SSIZE_MAX		 LONG_MAX
#define LWIP_NO_CTYPE_H		 1
#define LWIP_ERRNO_STDINCLUDE	 1

#define PACK_STRUCT_STRUCT	 __attribute__((packed))

#define LWIP_PLATFORM_DIAG(text) lwip_diagnose text
/* The domain ends. None is in reach of what comes over the wire (tests/fuzz/fuzz_lwip.c). */
#define LWIP_PLATFORM_ASSERT(why) panic("%s:%d: lwIP: %s", __FILE_NAME__, __LINE__, why)

#define lwip_diagnose		  printk

/* Of 32 bits, not to be guessed by others: ports, sequence numbers. */
uint32_t lwip_random(void);
#define LWIP_RAND() lwip_random()

/* Events masked are the lock below everything: drivers' event handlers give buffers back. */
typedef _Bool sys_prot_t;

#endif
