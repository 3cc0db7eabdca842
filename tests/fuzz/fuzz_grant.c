/* SPDX-License-Identifier: MIT */
// sources: hypervisor/grant/entry.c hypervisor/grant/table.c hypervisor/grant/map.c hypervisor/grant/copy.c hypervisor/grant/transfer.c hypervisor/grant/op.c hypervisor/mm/page_type.c hypervisor/mm/alloc.c hypervisor/mm/frame.c hypervisor/mm/mmu.c hypervisor/mm/memory_op.c hypervisor/mm/descriptor.c hypervisor/mm/relinquish.c hypervisor/mm/range_set.c
// runs: 1000
/* What two domains do with each other's grants, chosen by the input, against the model (grant_model.h). */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "grant_model.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input_start(data, size);
	model_start();
	for (unsigned int i = 0; i < 100 || left; i++) {
		one_operation();
		check_model();
	}
	model_end();
	return 0;
}
