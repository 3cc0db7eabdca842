/* SPDX-License-Identifier: MIT */
#ifndef NBD_SOURCE_H
#define NBD_SOURCE_H

/* Let guests have disks of network block device servers: a kind of source (block/source.h). For the start. */
void nbd_sources_add(void);

/* The command that lists them. */
int run_nbd(int argc, char **argv);

#endif
