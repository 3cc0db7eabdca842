/* SPDX-License-Identifier: MIT */
/* What the files of sched/ share: caps. */
#ifndef SCHED_INTERNAL_H
#define SCHED_INTERNAL_H

#include "sched/sched.h"

/* A vCPU of d, which has a cap, has run for this long, until t. A queue's lock may be held. */
void cap_charge(struct domain *d, uint64_t ns, stime_t t);
/* How long one may run on before it is to be looked at again; 0: not at all. The same. */
stime_t cap_left(struct domain *d, stime_t t);
/* All vCPUs of d stop until it has something left. No lock held. */
void cap_stop(struct domain *d);

#endif
