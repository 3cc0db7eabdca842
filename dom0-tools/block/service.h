/* SPDX-License-Identifier: MIT */
/*
 * Guests' disks: a service that follows backend/vbd/DOMAIN/DEVICE in the store and serves each from the source that `params`
 * names (source.h). Keys of the directory that it reads, beside those of public/io/blkif.h:
 *
 *   mode             "r"; "w": nobody else may use the source meanwhile; "w!": they may
 *   limit-bytes      a second, 0 or missing: no limit
 *   limit-requests   a second, likewise
 *   on-error         "pause": when the source fails the domain is paused, and its requests are kept until `block retry`;
 *                    otherwise the guest is told
 */
#ifndef BLOCK_SERVICE_H
#define BLOCK_SERVICE_H

#include <pv-drivers/xs.h>

/* Begin, with a connection of its own whose watches nobody dispatches yet. 0, or a negated error. Once. */
long block_service_start(struct xs *xs);

/* The shell's command. */
int run_block(int argc, char **argv);

#endif
