/* SPDX-License-Identifier: MIT */
/* mkjournal.c includes this header of e2fsprogs for functions that are not used here. */
#ifndef VOLUME_EXT2FS_E2P_H
#define VOLUME_EXT2FS_E2P_H
#endif
