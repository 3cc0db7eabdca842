/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/page_type.c hypervisor/mm/alloc.c hypervisor/mm/frame.c hypervisor/mm/mmu.c hypervisor/mm/memory_op.c hypervisor/mm/descriptor.c hypervisor/mm/relinquish.c hypervisor/mm/audit.c hypervisor/mm/range_set.c
// flags: -DMM_BUDGET=700 -DFRAMES_PER_CALL=200
// runs: 1500
/* A guest's operations on its memory, chosen by the input, against the model (mm_model.h). */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mm_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t left;
static uint64_t seed; /* of what comes when the input has ended: made from all of it */

static unsigned int next_byte(void)
{
	if (left) {
		left--;
		seed = (seed ^ *input) * 0x100000001b3UL;
		return *input++;
	}
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return seed >> 56;
}

static unsigned int pick(unsigned int n)
{
	unsigned int v = 0;

	/* As many bytes as the choice is wide. */
	for (uint64_t reach = 1; reach < n; reach <<= 8)
		v = v << 8 | next_byte();
	return v % n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
	seed = 1;
	model_start(pick(2));
	for (unsigned int i = 0; i < 60 || left; i++) {
		one_operation();
		check_model();
	}
	model_end();
	return 0;
}
