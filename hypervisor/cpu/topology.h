/* SPDX-License-Identifier: MIT */
/* Which CPUs share a core and a package (topology.c). */
#ifndef CPU_TOPOLOGY_H
#define CPU_TOPOLOGY_H

#include "lib/types.h"

struct topology {
	unsigned int threads_per_core, cores_per_socket;
	unsigned int core_shift, socket_shift; /* of an APIC's id */
};
/* As this CPU tells; all are alike. */
void topology_get(struct topology *t);
unsigned int core_of(const struct topology *t, unsigned int cpu); /* within its package */
unsigned int socket_of(const struct topology *t, unsigned int cpu);

#endif
