/* SPDX-License-Identifier: MIT */
/* Error numbers under their short names; the values are the ABI's (public/errno.h), which are Linux's. */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H

#ifdef UNIT_TEST
#include <errno.h>
#else
#define XEN_ERRNO(name, value) name = (value),
enum {
#include <public/errno.h>
};
#undef XEN_ERRNO
/* Inside the hypervisor only: preempted, call again. No guest ever sees it. */
#define EINTR 4
#endif

#endif
