/* SPDX-License-Identifier: MIT */
/*
 * A second domain for test guests: the guest's own image once more, which the machine gives it as its module
 * (guests.py: child=True). The guest runs as first domain, builds children and tells them what to do: since both
 * run the same code at the same addresses, what is done in the child is a function of this program.
 *
 * guest_main() begins with: if (!is_initial_domain()) child_main();
 *
 * The page that is meant for the store is used for talking to the child. Its console ring is printed here.
 */
#ifndef TESTS_GUESTS_CHILD_H
#define TESTS_GUESTS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/domctl.h>

struct child_page;
struct child {
	domid_t id;
	unsigned long pages;
	unsigned long *frames;	    /* its machine frames, by its own page numbers */
	unsigned long pt_first;	    /* page of its root, the other tables behind it */
	unsigned long shared_frame; /* of shared_info */
	struct child_page *page;    /* where we talk */
	void *console;
};

/* A function to run in the child. */
typedef long child_function(long a, long b, long c, long d);

/* Make one of so many pages (at least 256), paused. 0 or -errno; nothing is left of one that failed. */
long child_create(struct child *child, unsigned long pages, unsigned int vcpus);
/* Let it run, until it waits for its first task. False: it did not come so far within some seconds. */
bool child_start(struct child *child);
/* All of it, as a test begins: panics if it cannot be done. */
void child_make(struct child *child);
/* Run function in the child: its result. Traps and time-outs there are failures of the test (result -1). */
long child_call(struct child *child, child_function *function, long a, long b, long c, long d);
/* The same in two steps. child_wait(): how it ended. */
void child_begin(struct child *child, child_function *function, long a, long b, long c, long d);
bool child_is_done(const struct child *child);
long child_wait(struct child *child);
/* Print what it has said. */
void child_console(struct child *child);
/* End it, and wait until nothing of it is left (wait: false, only until it is dying). 0 or -errno. */
long child_destroy(struct child *child, bool wait);
/* Let go of what we hold of it: the pages we talk in. child_destroy() does it, too. */
void child_forget(struct child *child);
/* Does the domain, or what is left of it, still exist? *info may be NULL. */
bool child_exists(domid_t id, struct xen_domctl_getdomaininfo *info);

/* domctl with the rest filled in. */
long child_domctl(unsigned int cmd, domid_t id, struct xen_domctl *op);
/* Map count of its pages from number pfn on. NULL: -errno in *error. frames_unmap() it. */
void *child_map(const struct child *child, unsigned long pfn, unsigned long count, uint64_t flags,
		long *error);
/* mmu_update and mmuext_op with this domain as the frames' owner. */
long child_mmu_update(domid_t id, uint64_t ptr, uint64_t value);
long child_mmuext(domid_t id, unsigned int cmd, unsigned long arg1, unsigned long arg2);

/* The child's life: does what it is told, for ever. */
_Noreturn void child_main(void);

#endif
