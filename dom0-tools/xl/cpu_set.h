/* SPDX-License-Identifier: MIT */
/* Sets of CPUs, as people write them: "all", "0-3,5,^1", "node:0,^2". */
#ifndef XL_CPU_SET_H
#define XL_CPU_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPU_SET_SIZE 256

struct cpu_set {
	uint8_t bits[CPU_SET_SIZE / 8]; /* CPU n: bit n % 8 of byte n / 8 */
};

void cpu_set_all(struct cpu_set *set);
bool cpu_set_has(const struct cpu_set *set, unsigned int cpu);
bool cpu_set_empty(const struct cpu_set *set);
bool cpu_set_equal(const struct cpu_set *a, const struct cpu_set *b);
void cpu_set_intersect(struct cpu_set *set, const struct cpu_set *with);
/* The CPUs below `count`. */
void cpu_set_first(struct cpu_set *set, unsigned int count);
unsigned int cpu_set_count(const struct cpu_set *set);

/*
 * Read a set. The machine is taken to have one NUMA node, 0, with all CPUs. NULL if it is right, or what is wrong,
 * with the place in *where.
 */
const char *cpu_set_parse(struct cpu_set *set, const char *text, const char **where);

/* "all" when every CPU of `online` is in it, "0,2-3", or "none". Cut to size. */
void cpu_set_print(const struct cpu_set *set, const struct cpu_set *online, char *text,
		   size_t size);

#endif
