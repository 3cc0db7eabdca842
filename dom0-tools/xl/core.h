/* SPDX-License-Identifier: MIT */
/*
 * Cores of domains. While there is no disk they are kept in dom0's memory, the newest ones up to a limit for all together; a
 * core that would not fit holds the pages that matter most: those around what each vCPU was doing, then the lowest ones.
 * Only pages that the kernel has mapped and that are not all zero are in it. The format is Xen's (xl/core_file.h).
 */
#ifndef XL_CORE_H
#define XL_CORE_H

#include "xl/view.h"

/* Bytes of all cores together. */
#define CORES_SIZE (4u << 20)

/* Keep one; what came of it, or went wrong, is reported. name: NULL for NAME-DATE. */
bool core_keep(const struct domain_view *domain, const char *name, struct report *report);

#endif
