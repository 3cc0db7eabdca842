/* SPDX-License-Identifier: MIT */
/* Grace periods: when what was unhooked is used by nobody any more (grace.c). */
#ifndef CPU_GRACE_H
#define CPU_GRACE_H

struct grace {
	struct grace *next;
	void (*fn)(struct grace *g);
};

/*
 * Run fn(g) as soft interrupt, no lock held, once every CPU has come to the end of the operation that it was in:
 * what was unhooked before this call, nobody who had found it without a lock uses any more. Any context but an
 * interrupt's; returns at once. *g is the grace period's until fn runs.
 */
void after_grace(struct grace *g, void (*fn)(struct grace *g));
void grace_init(void); /* at boot */

#endif
