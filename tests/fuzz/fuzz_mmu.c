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
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input_start(data, size);
	model_start(pick(2));
	for (unsigned int i = 0; i < 60 || left; i++) {
		one_operation();
		check_model();
	}
	model_end();
	return 0;
}
