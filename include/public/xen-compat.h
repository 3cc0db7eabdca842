/* SPDX-License-Identifier: MIT */
/*
 * Which level of the interface the includer wants.
 *
 * These headers describe one level only, the latest that Cerne implements, which is also the one that
 * they describe when __XEN_INTERFACE_VERSION__ is left undefined. A guest that defines it to an older
 * value gets the same definitions: names that were given up at an older level do not exist here, and
 * no structure changed its layout, so such a guest either compiles and is right, or does not compile.
 */
#ifndef __XEN_PUBLIC_XEN_COMPAT_H__
#define __XEN_PUBLIC_XEN_COMPAT_H__

/* Xen 4.14 was the last release that raised this; 4.17 still has this value. */
#define __XEN_LATEST_INTERFACE_VERSION__ 0x00040e00

#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#endif

#if __XEN_INTERFACE_VERSION__ > __XEN_LATEST_INTERFACE_VERSION__
#error "the requested __XEN_INTERFACE_VERSION__ is newer than these headers"
#endif

/* Dimension of an array at the end of a structure; see XEN_FLEX_ARRAY_DIM in xen.h. */
#define COMPAT_FLEX_ARRAY_DIM XEN_FLEX_ARRAY_DIM

#endif /* __XEN_PUBLIC_XEN_COMPAT_H__ */
