/* SPDX-License-Identifier: MIT */
/*
 * The layout of a frontend's ring: published in its node "protocol", since structures on a ring are not
 * the same for 32- and 64-bit guests.
 */
#ifndef __XEN_PROTOCOLS_H__
#define __XEN_PROTOCOLS_H__

#define XEN_IO_PROTO_ABI_X86_32 "x86_32-abi"
#define XEN_IO_PROTO_ABI_X86_64 "x86_64-abi"
#define XEN_IO_PROTO_ABI_ARM	"arm-abi"

#ifndef __x86_64__
#error "these headers describe the interface of 64-bit guests only"
#endif
#define XEN_IO_PROTO_ABI_NATIVE XEN_IO_PROTO_ABI_X86_64

#endif /* __XEN_PROTOCOLS_H__ */
