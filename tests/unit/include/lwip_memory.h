/* SPDX-License-Identifier: MIT */
/* lwIP on the host has its memory from the test, which counts it, in pieces that the sanitizer knows. */
#ifndef LWIP_MEMORY_H
#define LWIP_MEMORY_H

#include <stddef.h>

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define mem_clib_malloc host_malloc
#define mem_clib_calloc host_calloc
#define mem_clib_free	host_free

void *host_malloc(size_t size);
void *host_calloc(size_t count, size_t size);
void host_free(void *memory);

#endif
