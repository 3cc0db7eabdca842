/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/page_type.c hypervisor/mm/alloc.c hypervisor/mm/frame.c hypervisor/mm/mmu.c hypervisor/mm/memory_op.c hypervisor/mm/descriptor.c hypervisor/mm/relinquish.c hypervisor/mm/audit.c hypervisor/mm/range_set.c
// runs: 1500
/* Descriptor tables: pages of the input's making as GDT and LDT, and single updates; what the CPU would then
 * load from them is looked at by rules of its own (mm_model.h). */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mm_model.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t word(void)
{
	return (uint64_t)pick(1U << 31) << 33 | (uint64_t)pick(1U << 31) << 2 | pick(4);
}

/* Tables whose first level-1 table maps the pool from address 0 on, every other page writable. */
static void map_pool(void)
{
	page(pool[90])[0] = pte(pool[91], RW);
	page(pool[91])[0] = pte(pool[92], RW);
	page(pool[92])[0] = pte(pool[93], RW);
	for (unsigned int i = 0; i < 16; i++)
		page(pool[93])[i] = pte(pool[i], i & 1 ? RW : RO);
	mmuext(MMUEXT_NEW_BASEPTR, pool[90], 0);
}

static void step(void)
{
	mfn_t mfn = pool[pick(8)];

	switch (pick(6)) {
	case 0:
		if (guest_may_write(mfn))
			page(mfn)[pick(512)] = pick(2) ? word() : any_descriptor();
		break;
	case 1:
		do_update_descriptor(mfn << 12 | pick(512) * 8,
				     pick(2) ? word() : any_descriptor());
		break;
	case 2:
		mmuext(MMUEXT_SET_LDT, (uint64_t)pick(16) << 12, pick(8400));
		break;
	case 3:
		mm_map_ldt_page(&vcpu, pick(24));
		break;
	case 4:
		do_update_va_mapping((vaddr_t)pick(16) << 12, pte(mfn, pick(2) ? RW : RO), 0);
		break;
	default:
		descriptors();
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input_start(data, size);
	model_start(false);
	fake_preempt = NULL;
	model_op = "descriptors";
	map_pool();
	for (unsigned int i = 0; i < 60 || left; i++) {
		step();
		check_model();
	}
	model_end();
	return 0;
}
