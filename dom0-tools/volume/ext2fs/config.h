/* SPDX-License-Identifier: MIT */
/* What the sources of libext2fs (e2fsprogs, lib/ext2fs) find where they are built, in place of what configure makes. */
#ifndef VOLUME_EXT2FS_CONFIG_H
#define VOLUME_EXT2FS_CONFIG_H

#define HAVE_ERRNO_H	 1
#define HAVE_INTTYPES_H	 1
#define HAVE_STDINT_H	 1
#define HAVE_STDLIB_H	 1
#define HAVE_STRING_H	 1
#define HAVE_SYS_STAT_H	 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_UNISTD_H	 1
#define SIZEOF_SHORT	 2
#define SIZEOF_INT	 4
#define SIZEOF_LONG	 8
#define SIZEOF_LONG_LONG 8
#define SIZEOF_OFF_T	 8
#define SIZEOF_TIME_T	 8
/* Errors are returned, never printed. */
#define OMIT_COM_ERR 1

/* mkjournal.c writes a journal's numbers, and includes no header for these here. */
#undef htonl
#undef ntohl
#define htonl(x) __builtin_bswap32(x)
#define ntohl(x) __builtin_bswap32(x)

#endif
