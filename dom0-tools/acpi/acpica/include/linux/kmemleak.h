/* SPDX-License-Identifier: MIT */
/* One file of ACPICA, as Linux ships it, includes this header of Linux's; what it wants of it means nothing here. */
#ifndef ACPICA_KMEMLEAK_H
#define ACPICA_KMEMLEAK_H

#define kmemleak_not_leak(pointer) ((void)(pointer))

#endif
