/* SPDX-License-Identifier: MIT */
/* Memory of other domains: giving, taking, mapping, page tables, the grant table's first entries. */
#include "control/control.h"
#include "control/internal.h"
#include <errno.h>
#include <guest/memory.h>
#include <guest/heap.h>

/* Updates of the machine-to-physical table in one hypercall; they stand on the stack. */
#define BATCH 64

/* E820's memory type, and its entries. */
#define E820_RAM 1
struct e820_entry {
	uint64_t start, size;
	uint32_t type;
} __attribute__((packed));

/* Some extents done is a success: the caller sees how many. */
static long reservation(unsigned int command, domid_t domid, xen_pfn_t *frames, unsigned long n,
			unsigned int order)
{
	struct xen_memory_reservation op = {
	    .nr_extents = n,
	    .extent_order = order,
	    .domid = domid,
	};

	set_xen_guest_handle(op.extent_start, frames);
	return hypercall_memory_op(command, &op);
}

long control_populate(domid_t domid, xen_pfn_t *frames, unsigned long n, unsigned int order)
{
	return reservation(XENMEM_populate_physmap, domid, frames, n, order);
}

long control_decrease(domid_t domid, const xen_pfn_t *frames, unsigned long n, unsigned int order)
{
	return reservation(XENMEM_decrease_reservation, domid, (xen_pfn_t *)frames, n, order);
}

long control_claim(domid_t domid, unsigned long pages)
{
	return reservation(XENMEM_claim_pages, domid, NULL, pages, 0);
}

long control_set_memory_map(domid_t domid, unsigned long pages)
{
	struct e820_entry all = {.size = (uint64_t)pages * PAGE_SIZE, .type = E820_RAM};
	struct xen_foreign_memory_map op = {.domid = domid, .map.nr_entries = 1};

	set_xen_guest_handle(op.map.buffer, &all);
	return hypercall_memory_op(XENMEM_set_memory_map, &op);
}

long control_maximum_pfn(domid_t domid, unsigned long *pfn)
{
	struct xen_memory_domain op = {.domid = domid};
	long result = hypercall_memory_op(XENMEM_maximum_gpfn, &op);

	if (result < 0)
		return result;
	*pfn = (unsigned long)result;
	return 0;
}

static uint64_t map_flags(bool writable)
{
	return writable ? pte_data_flags() : pte_data_flags() & ~(uint64_t)(PTE_RW | PTE_D);
}

void *control_map_foreign(domid_t domid, const xen_pfn_t *mfns, size_t n, bool writable,
			  long *error)
{
	return frames_map_list(mfns, n, map_flags(writable), domid, NULL, error);
}

void *control_map_foreign_some(domid_t domid, const xen_pfn_t *mfns, size_t n, bool writable,
			       int *errors)
{
	return frames_map_list(mfns, n, map_flags(writable), domid, errors, NULL);
}

void *control_map_foreign_run(domid_t domid, xen_pfn_t mfn, size_t count, bool writable,
			      long *error)
{
	return frames_map(mfn, count, map_flags(writable), domid, error);
}

void control_unmap(void *address, size_t n)
{
	frames_unmap(address, n);
}

static long mmuext(unsigned int command, domid_t domid, xen_pfn_t mfn)
{
	struct mmuext_op op = {.cmd = command, .arg1.mfn = mfn};

	return hypercall_mmuext_op(&op, 1, NULL, domid);
}

long control_pin_table(domid_t domid, xen_pfn_t mfn, unsigned int level)
{
	if (level < 1 || level > 4)
		return -EINVAL;
	return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, domid, mfn);
}

long control_unpin_table(domid_t domid, xen_pfn_t mfn)
{
	return mmuext(MMUEXT_UNPIN_TABLE, domid, mfn);
}

long control_set_m2p(domid_t domid, const xen_pfn_t *mfns, const xen_pfn_t *pfns, size_t n)
{
	struct mmu_update updates[BATCH];
	long error = 0;

	while (n && !error) {
		unsigned int count = n < BATCH ? (unsigned int)n : BATCH;

		for (unsigned int i = 0; i < count; i++) {
			updates[i].ptr = pte_make(mfns[i], MMU_MACHPHYS_UPDATE);
			updates[i].val = pfns[i];
		}
		error = hypercall_mmu_update(updates, count, NULL, domid);
		mfns += count;
		pfns += count;
		n -= count;
	}
	return error;
}

long control_hypercall_page(domid_t domid, xen_pfn_t mfn)
{
	struct xen_domctl op = {.u.hypercall_init.gmfn = mfn};

	return domctl(&op, XEN_DOMCTL_hypercall_init, domid);
}

long control_frame_types(domid_t domid, xen_pfn_t *frames, size_t n)
{
	struct xen_domctl op = {.u.getpageframeinfo3.num = n};

	set_xen_guest_handle(op.u.getpageframeinfo3.array, frames);
	return domctl(&op, XEN_DOMCTL_getpageframeinfo3, domid);
}

/* The first frame of the domain's grant table holds the entries below 512. */
static struct grant_entry_v1 *map_grant_table(domid_t domid, long *error)
{
	struct xen_mem_acquire_resource op = {
	    .domid = domid,
	    .type = XENMEM_resource_grant_table,
	    .id = XENMEM_resource_grant_table_id_shared,
	    .nr_frames = 1,
	};
	xen_pfn_t frame;

	set_xen_guest_handle(op.frame_list, &frame);
	*error = hypercall_memory_op(XENMEM_acquire_resource, &op);
	if (*error)
		return NULL;
	return control_map_foreign(domid, &frame, 1, true, error);
}

long control_seed_grants(domid_t domid, const struct control_grant *grants, size_t n)
{
	const size_t entries = PAGE_SIZE / sizeof(struct grant_entry_v1);
	struct grant_entry_v1 *table;
	long error;

	for (size_t i = 0; i < n; i++)
		if (grants[i].reference >= entries || grants[i].frame > UINT32_MAX)
			return -EINVAL;
	table = map_grant_table(domid, &error);
	if (!table)
		return error;
	/* The domain does not run: nobody looks meanwhile. */
	for (size_t i = 0; i < n; i++)
		table[grants[i].reference] = (struct grant_entry_v1){
		    .flags = GTF_permit_access,
		    .domid = grants[i].to,
		    .frame = (uint32_t)grants[i].frame,
		};
	control_unmap(table, 1);
	return 0;
}
