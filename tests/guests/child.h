/* SPDX-License-Identifier: MIT */
/* A test guest that runs as dom0 makes further domains: what the tests that do have in common. */
#ifndef TESTS_GUESTS_CHILD_H
#define TESTS_GUESTS_CHILD_H

#include "test.h"
#include <public/domctl.h>
#include <public/sysctl.h>

/* The argument and result of the last domctl() and sysctl(). */
extern struct xen_domctl domctl_op;
extern struct xen_sysctl sysctl_op;

/* Make the call with what domctl_op.u, or sysctl_op.u, holds. */
long domctl(uint32_t cmd, domid_t domain);
long sysctl(uint32_t cmd);

/* The usual arguments of createdomain into domctl_op, for a domain of so many vCPUs. */
void child_arguments(unsigned int vcpus);
/* Such a domain, without memory, with its vCPUs: its number, or the error. */
long child_create(unsigned int vcpus);
/* Does it exist still, dying or not? What getdomaininfo tells is in domctl_op. */
bool child_exists(domid_t domain);
/* It goes when the other CPUs have looked up once more: within a second, or false. */
bool child_wait_gone(domid_t domain);
bool child_destroy(domid_t domain);

/*
 * ---- a domain that runs ----
 * Its memory is a copy of this guest's image, at the same addresses, and its vCPU 0 calls a function of it: a role. A
 * role has no runtime below it: no start_info, no console, no events, no %gs; it may use hypercalls, what is inline,
 * and data of its own. It talks with the parent through a page that both have mapped.
 */
struct child_mail {
	volatile unsigned int said;   /* by the child: how far it is */
	volatile unsigned int answer; /* by the parent */
	volatile uint64_t value[60];  /* whatever a role wants to tell or know */
	struct shared_info *shared;   /* the child's own, as it sees it */
	unsigned long root;	      /* machine frame of its top-level table */
	domid_t domid;
};
typedef void child_role(struct child_mail *mail);

#define CHILD_PAGES_MAX 480
struct child {
	domid_t domid;
	struct child_mail *mail; /* as the parent sees it; NULL when it has let go of it */
	unsigned long pages;	 /* of its memory, in all */
	xen_pfn_t mfn[CHILD_PAGES_MAX];
	unsigned long image, stack, mail_page, tables; /* indices of the first of each */
};

/* Build it, paused. When role returns the child shuts down with SHUTDOWN_poweroff. False: a test has failed. */
bool child_build(struct child *c, unsigned int vcpus, child_role *role);
bool child_start(struct child *c);
/* Build and start. */
bool child_run(struct child *c, unsigned int vcpus, child_role *role);
/* It says `what` or more, or shuts down for that reason (SHUTDOWN_*), within two seconds. */
bool child_wait_said(const struct child *c, unsigned int what);
bool child_wait_shutdown(const struct child *c, unsigned int reason);
/* The other half of child_wait_said(): go on. */
void child_answer(struct child *c, unsigned int answer);
/* Let go of its page, destroy it and wait until it is gone. */
bool child_end(struct child *c);

/* For roles: say something and wait for that answer. */
void child_say(struct child_mail *mail, unsigned int what, unsigned int answer);

/* The machine's free memory, in bytes, when it does not change any more. */
uint64_t free_bytes(void);
/* It becomes this much again, within a second: the last of a domain that is gone is freed a moment later. */
bool free_bytes_again(uint64_t before);

#endif
