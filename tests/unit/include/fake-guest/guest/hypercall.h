/* SPDX-License-Identifier: MIT */
/* Hypercalls of sources that are tested on the host: each test has those that it needs. */
#ifndef FAKE_GUEST_HYPERCALL_H
#define FAKE_GUEST_HYPERCALL_H

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count);

#endif
