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

/* The machine's free memory, in bytes. */
uint64_t free_bytes(void);
/* It becomes this much again, within a second: the last of a domain that is gone is freed a moment later. */
bool free_bytes_again(uint64_t before);

#endif
