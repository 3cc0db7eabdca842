/* SPDX-License-Identifier: MIT */
/*
 * Error numbers of the interface.
 *
 * A hypercall that fails returns the negated number in RAX (so -XEN_EINVAL is 0xffffffffffffffea).
 * The values are those of Linux on x86; a guest with other numbers of its own translates.
 *
 * Two ways to include this file:
 *  - plainly: the constants XEN_EPERM... become an enumeration (C and C++; nothing in assembly);
 *  - with a macro XEN_ERRNO(name, value) defined by the includer: it is expanded once per error, as
 *    often as the file is included, and undefined at the end. That makes tables of names, or .equ
 *    lines for assembly.
 */
#ifndef XEN_ERRNO
#ifndef __XEN_PUBLIC_ERRNO_H__
#define __XEN_PUBLIC_ERRNO_H__

#ifndef __ASSEMBLY__
#define XEN_ERRNO_DEFAULT_INCLUDE
#define XEN_ERRNO(name, value) XEN_##name = value,
enum xen_errno {
#endif

#endif /* __XEN_PUBLIC_ERRNO_H__ */
#endif /* XEN_ERRNO */

#ifdef XEN_ERRNO

	/* clang-format off */
XEN_ERRNO(EPERM,          1) /* the caller's privilege does not suffice */
XEN_ERRNO(ENOENT,         2) /* no such object */
XEN_ERRNO(ESRCH,          3) /* no such domain */
XEN_ERRNO(EIO,            5) /* input or output failed */
XEN_ERRNO(ENXIO,          6) /* no such device or address */
XEN_ERRNO(E2BIG,          7) /* the list of arguments is too long */
XEN_ERRNO(ENOEXEC,        8) /* not an executable image */
XEN_ERRNO(EBADF,          9) /* bad descriptor */
XEN_ERRNO(ECHILD,        10) /* no child */
XEN_ERRNO(EAGAIN,        11) /* not now: try again */
XEN_ERRNO(EWOULDBLOCK,   11) /* the same number as EAGAIN */
XEN_ERRNO(ENOMEM,        12) /* out of memory */
XEN_ERRNO(EACCES,        13) /* access denied */
XEN_ERRNO(EFAULT,        14) /* a pointer leads to memory that cannot be read or written */
XEN_ERRNO(EBUSY,         16) /* the object is in use */
XEN_ERRNO(EEXIST,        17) /* the object exists already */
XEN_ERRNO(EXDEV,         18) /* the objects belong to different owners */
XEN_ERRNO(ENODEV,        19) /* no such device */
XEN_ERRNO(ENOTDIR,       20) /* not a directory */
XEN_ERRNO(EISDIR,        21) /* a directory */
XEN_ERRNO(EINVAL,        22) /* an argument is not valid */
XEN_ERRNO(ENFILE,        23) /* a table of the system is full */
XEN_ERRNO(EMFILE,        24) /* the caller has too many open objects */
XEN_ERRNO(ENOSPC,        28) /* no room left */
XEN_ERRNO(EROFS,         30) /* read-only */
XEN_ERRNO(EMLINK,        31) /* too many links */
XEN_ERRNO(EDOM,          33) /* argument outside the function's domain */
XEN_ERRNO(ERANGE,        34) /* result outside the representable range */
XEN_ERRNO(EDEADLK,       35) /* waiting would never end */
XEN_ERRNO(EDEADLOCK,     35) /* the same number as EDEADLK */
XEN_ERRNO(ENAMETOOLONG,  36) /* name too long */
XEN_ERRNO(ENOLCK,        37) /* no lock to be had */
XEN_ERRNO(ENOSYS,        38) /* the hypercall or sub-operation is not implemented */
XEN_ERRNO(ENOTEMPTY,     39) /* directory not empty */
XEN_ERRNO(ENODATA,       61) /* there is no such data */
XEN_ERRNO(ETIME,         62) /* the time has passed */
XEN_ERRNO(EBADMSG,       74) /* the message cannot be understood */
XEN_ERRNO(EOVERFLOW,     75) /* the value does not fit its type */
XEN_ERRNO(EILSEQ,        84) /* illegal sequence of bytes */
XEN_ERRNO(ENOTSOCK,      88) /* not a socket */
XEN_ERRNO(EMSGSIZE,      90) /* message too long */
XEN_ERRNO(EOPNOTSUPP,    95) /* known, but not possible for this object or in this build */
XEN_ERRNO(EADDRINUSE,    98) /* address in use */
XEN_ERRNO(EADDRNOTAVAIL, 99) /* address not to be had */
XEN_ERRNO(ENOBUFS,      105) /* the caller's buffer is too small, or no buffer is free */
XEN_ERRNO(EISCONN,      106) /* connected already */
XEN_ERRNO(ENOTCONN,     107) /* not connected */
XEN_ERRNO(ETIMEDOUT,    110) /* took too long */
XEN_ERRNO(ECONNREFUSED, 111) /* connection refused */
/* clang-format on */

#undef XEN_ERRNO
#endif /* XEN_ERRNO */

#ifdef XEN_ERRNO_DEFAULT_INCLUDE
#undef XEN_ERRNO_DEFAULT_INCLUDE
};
#endif
