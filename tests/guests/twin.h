/* SPDX-License-Identifier: MIT */
/*
 * A second domain for test guests: the guest's own image once more, which the machine gives it as its module
 * (guests.py: twin=True). The guest runs as first domain, builds twins and tells them what to do: since both
 * run the same code at the same addresses, what is done in the twin is a function of this program.
 *
 * guest_main() begins with: if (!is_initial_domain()) twin_main();
 *
 * The page that is meant for the store is used for talking to the twin. Its console ring is printed here.
 */
#ifndef TESTS_GUESTS_TWIN_H
#define TESTS_GUESTS_TWIN_H

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/domctl.h>

struct twin_page;
struct twin {
	domid_t id;
	unsigned long pages;
	unsigned long *frames;	    /* its machine frames, by its own page numbers */
	unsigned long pt_first;	    /* page of its root, the other tables behind it */
	unsigned long shared_frame; /* of shared_info */
	struct twin_page *page;	    /* where we talk */
	void *console;
};

/* A function to run in the twin. */
typedef long twin_function(long a, long b, long c, long d);

/* Make one of so many pages (at least 256), paused. 0 or -errno; nothing is left of one that failed. */
long twin_create(struct twin *twin, unsigned long pages, unsigned int vcpus);
/* Let it run, until it waits for its first task. False: it did not come so far within some seconds. */
bool twin_start(struct twin *twin);
/* All of it, as a test begins: panics if it cannot be done. */
void twin_make(struct twin *twin);
/* Run function in the twin: its result. Traps and time-outs there are failures of the test (result -1). */
long twin_call(struct twin *twin, twin_function *function, long a, long b, long c, long d);
/* The same in two steps. twin_wait(): how it ended. */
void twin_begin(struct twin *twin, twin_function *function, long a, long b, long c, long d);
bool twin_is_done(const struct twin *twin);
long twin_wait(struct twin *twin);
/* Print what it has said. */
void twin_console(struct twin *twin);
/* End it, and wait until nothing of it is left (wait: false, only until it is dying). 0 or -errno. */
long twin_destroy(struct twin *twin, bool wait);
/* Let go of what we hold of it: the pages we talk in. twin_destroy() does it, too. */
void twin_forget(struct twin *twin);
/* Does the domain, or what is left of it, still exist? *info may be NULL. */
bool twin_exists(domid_t id, struct xen_domctl_getdomaininfo *info);

/* domctl with the rest filled in. */
long twin_domctl(unsigned int cmd, domid_t id, struct xen_domctl *op);
/* Map count of its pages from number pfn on. NULL: -errno in *error. frames_unmap() it. */
void *twin_map(const struct twin *twin, unsigned long pfn, unsigned long count, uint64_t flags,
	       long *error);
/* mmu_update and mmuext_op with this domain as the frames' owner. */
long twin_mmu_update(domid_t id, uint64_t ptr, uint64_t value);
long twin_mmuext(domid_t id, unsigned int cmd, unsigned long arg1, unsigned long arg2);

/* The twin's life: does what it is told, for ever. */
_Noreturn void twin_main(void);

#endif
