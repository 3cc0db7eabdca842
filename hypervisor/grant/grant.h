/* SPDX-License-Identifier: MIT */
/*
 * Grant tables (public/grant_table.h): a domain lets others map and copy frames of its memory.
 *
 * A grant in use
 * --------------
 * Two domains take part: the granter, whose table has the entry, and the user. What is in use is written down on
 * both sides, and each side is changed under one lock of its own; the two are never held together:
 *
 *   granter	struct grant_active, one for each entry of the table, under grant.lock: which domain uses the entry,
 *		how often, how often for writing. It is used once for each processor's mapping, once for each
 *		device's, and once for the time of a copy. While it is used it holds references on the frame
 *		(mm/page_type.c), the table shows GTF_reading or GTF_writing, and neither what the granter
 *		writes there nor a change of version can change the frame or the user.
 *   user	struct grant_mapping, one for each handle, under mm.lock: what is mapped, of whose.
 *
 *   map	use the entry (grant.lock); write the page-table entry, give out the handle (mm.lock).
 *   unmap	clear the page-table entry and what the handle says (mm.lock); flush the user's CPUs; end the use
 *		(grant.lock). A handle's mapping is thus taken away once, by whoever clears it in the handle.
 *   copy	use both ends; copy without a lock; end both uses.
 *
 * So the granter gets the frame back only when no TLB has a translation for it, whatever the user does with its
 * page tables: if it overwrites the entry itself, the use goes on until it has put it back and unmapped it, or is
 * gone. A granter that dies leaves its frames to be freed with the last use.
 *
 * The entry is shared memory that both sides write at any time: it is read once, and changed by
 * compare-and-exchange of flags and user together (version 1), or the state is set first and the entry looked at
 * again (version 2).
 */
#ifndef GRANT_GRANT_H
#define GRANT_GRANT_H

#include "domain/types.h"

/* A table of one frame. -ENOMEM: nothing is left. */
int grant_init(struct domain *d);
/* A dying domain's table goes, with the last use of a grant of it. */
void grant_release_table(struct domain *d);
/* What is left, when nobody can find d any more. */
void grant_destroy(struct domain *d);
/*
 * A dying domain's use of others' grants ends: its vCPUs have stopped, its page tables are gone. *next: 0 at
 * first, how far it has come. 0, or -EINTR: call again.
 */
int grant_release_mappings(struct domain *d, uint32_t *next);
/*
 * The frames [first, first + n) of d's table, or of its status words, for the tools to map: those of the table are made
 * if they are not there yet. -EINVAL: there cannot be so many; -ENOMEM.
 */
int grant_frames(struct domain *d, bool status, unsigned int first, unsigned int n, uint64_t *mfn);

long do_grant_table_op(unsigned int cmd, vaddr_t args, unsigned int count);

#endif
