/* SPDX-License-Identifier: MIT */
/* What the files of domctl and sysctl share. Each handles one sub-operation on a private copy of its arguments. */
#ifndef DOMAIN_DOMCTL_H
#define DOMAIN_DOMCTL_H

#include "domain/domain.h"
#include "event/event.h"
#include "lib/errno.h"
#include <public/domctl.h>

/* ---- domctl_vcpu.c ---- */
bool is_vcpu_op(uint32_t cmd);
/* -EINTR: call again. */
long vcpu_domctl(struct xen_domctl *op, struct domain *d, bool *copy_back);

/* ---- bitmap.c: sets of up to 64, as the tools' bitmaps ---- */
/* Bits beyond the map's size are 0, those beyond 64 are ignored. -EFAULT. */
long bitmap_from_guest(const struct xenctl_bitmap *map, uint64_t *bits);
/* nr bits; what else the map has room for becomes 0. -EFAULT; -EINVAL: a map of no sensible size. */
long bitmap_to_guest(const struct xenctl_bitmap *map, uint64_t bits, unsigned int nr);

#endif
