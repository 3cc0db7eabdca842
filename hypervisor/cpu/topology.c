/* SPDX-License-Identifier: MIT */
/* Threads, cores and packages, from CPUID (SDM 2A, CPUID; SDM 3 9.9.3) and the numbers of the local APICs. */
#include "cpu/topology.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/bitops.h"
#include "lib/lib.h"

#define LEAF_EXTENDED_TOPOLOGY 0xb
#define HTT		       (1U << 28) /* leaf 1, EDX: EBX counts the ids of a package */

/* Bits that n numbers take. */
static unsigned int bits_for(unsigned int n)
{
	return n > 1 ? highest_bit(n - 1) + 1 : 0;
}

/* Leaf 0xb, sub-leaves 0 and 1: by how much to shift the id for the next level, and how many threads it has. */
static bool from_extended_leaf(struct topology *t)
{
	uint32_t smt[4], core[4];

	if (cpu_features.max_leaf < LEAF_EXTENDED_TOPOLOGY)
		return false;
	cpuid(LEAF_EXTENDED_TOPOLOGY, 0, smt);
	cpuid(LEAF_EXTENDED_TOPOLOGY, 1, core);
	if (!(smt[1] & 0xffff) || (core[1] & 0xffff) < (smt[1] & 0xffff))
		return false;
	t->threads_per_core = smt[1] & 0xffff;
	t->cores_per_socket = (core[1] & 0xffff) / t->threads_per_core;
	t->core_shift = smt[0] & 31;
	t->socket_shift = core[0] & 31;
	return true;
}

void topology_get(struct topology *t)
{
	uint32_t leaf[4];

	if (from_extended_leaf(t))
		return;
	/* Before that: threads of a package only; each counts as a core. */
	cpuid(1, 0, leaf);
	t->threads_per_core = 1;
	t->cores_per_socket = leaf[3] & HTT ? max(leaf[1] >> 16 & 0xff, 1U) : 1;
	t->core_shift = 0;
	t->socket_shift = bits_for(t->cores_per_socket);
}

unsigned int core_of(const struct topology *t, unsigned int cpu)
{
	uint32_t within = apic_id_of(cpu) & ((1U << t->socket_shift) - 1);

	return within >> t->core_shift;
}

unsigned int socket_of(const struct topology *t, unsigned int cpu)
{
	return apic_id_of(cpu) >> t->socket_shift;
}
