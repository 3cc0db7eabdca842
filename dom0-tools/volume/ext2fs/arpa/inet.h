/* SPDX-License-Identifier: MIT */
/* Included by a header of e2fsprogs for htonl and ntohl, which config.h has. */
#ifndef VOLUME_EXT2FS_ARPA_INET_H
#define VOLUME_EXT2FS_ARPA_INET_H
#endif
