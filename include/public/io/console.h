/* SPDX-License-Identifier: MIT */
/*
 * The console of a domain other than dom0: two rings of bytes in one page, shared with the console
 * daemon, and an event channel (start_info.console.domU).
 *
 * Indexes only count up and wrap at 2^32; a byte's place is the index modulo the size of its ring.
 * prod - cons bytes are in a ring. To write output, a guest
 *  1. reads out_cons and out_prod; full barrier; room is sizeof(out) - (out_prod - out_cons);
 *  2. writes bytes from out_prod on; write barrier; then raises out_prod;
 *  3. sends on the channel.
 * To read input, when the channel has an event, it
 *  1. reads in_cons and in_prod; full barrier;
 *  2. takes bytes from in_cons on; full barrier; then raises in_cons;
 *  3. sends on the channel, so that the writer knows of the room.
 * Neither side may trust the indexes that the other writes: more bytes than a ring holds is an error.
 */
#ifndef __XEN_PUBLIC_IO_CONSOLE_H__
#define __XEN_PUBLIC_IO_CONSOLE_H__

#include <stdint.h>

typedef uint32_t XENCONS_RING_IDX;

#define MASK_XENCONS_IDX(idx, ring) ((idx) & (sizeof(ring) - 1))

struct xencons_interface {
	char in[1024];	/* to the guest */
	char out[2048]; /* from the guest */
	XENCONS_RING_IDX in_cons, in_prod;
	XENCONS_RING_IDX out_cons, out_prod;
};

/* Functions for the rings, for whoever asks for them (io/ring.h). */
#ifdef XEN_WANT_FLEX_CONSOLE_RING
#include "ring.h"
DEFINE_XEN_FLEX_RING(xencons);
#endif

#endif /* __XEN_PUBLIC_IO_CONSOLE_H__ */
