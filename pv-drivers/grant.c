/* SPDX-License-Identifier: MIT */
/*
 * The table grows a frame at a time, up to what the hypervisor allows. Free entries are a list through their `frame`;
 * an entry whose type is 0 means nothing to the hypervisor. Events are masked where the list changes.
 */
#include <pv-drivers/grant.h>
#include <stddef.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <public/errno.h>

#define ENTRIES	   (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define MAX_FRAMES 64

static struct grant_entry_v1 *table[MAX_FRAMES];
static unsigned int frames;
static grant_ref_t first_free; /* 0: none, since that one is reserved */

static struct grant_entry_v1 *entry(grant_ref_t ref)
{
	return &table[ref / ENTRIES][ref % ENTRIES];
}

static void put_free(grant_ref_t ref)
{
	entry(ref)->frame = first_free;
	first_free = ref;
}

/* Events are masked. */
static long grow(void)
{
	xen_pfn_t list[MAX_FRAMES];
	struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = frames + 1};
	long error;

	if (frames == MAX_FRAMES)
		return -XEN_ENOSPC;
	set_xen_guest_handle(op.frame_list, list);
	error = hypercall_grant_table_op(GNTTABOP_setup_table, &op, 1);
	if (error)
		return error;
	if (op.status)
		return -XEN_ENOSPC;
	table[frames] = frames_map(list[frames], 1, PTE_DATA, DOMID_SELF, &error);
	if (!table[frames])
		return error;
	frames++;
	for (grant_ref_t ref = frames * ENTRIES; ref-- > (frames - 1) * ENTRIES;)
		if (ref >= GNTTAB_NR_RESERVED_ENTRIES)
			put_free(ref);
	return 0;
}

long grants_init(void)
{
	bool masked = events_save();
	long error = frames ? 0 : grow();

	events_restore(masked);
	return error;
}

long grant_access(domid_t domain, unsigned long mfn, bool readonly)
{
	bool masked = events_save();
	long ref = -XEN_ENOSPC;

	if (first_free || !grow()) {
		struct grant_entry_v1 *e = entry(first_free);

		ref = first_free;
		first_free = e->frame;
		e->domid = domain;
		e->frame = (uint32_t)mfn;
		/* The rest is there before the type says so. */
		__atomic_store_n(&e->flags, GTF_permit_access | (readonly ? GTF_readonly : 0),
				 __ATOMIC_RELEASE);
	}
	events_restore(masked);
	return ref;
}

bool grant_end(grant_ref_t ref)
{
	struct grant_entry_v1 *e = entry(ref);
	uint16_t flags = __atomic_load_n(&e->flags, __ATOMIC_ACQUIRE);
	bool masked;

	do {
		if (flags & (GTF_reading | GTF_writing))
			return false;
	} while (!__atomic_compare_exchange_n(&e->flags, &flags, 0, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_ACQUIRE));
	masked = events_save();
	put_free(ref);
	events_restore(masked);
	return true;
}

static long error_of(int status)
{
	switch (status) {
	case GNTST_bad_domain:
		return -XEN_ESRCH;
	case GNTST_permission_denied:
		return -XEN_EACCES;
	case GNTST_no_space:
		return -XEN_ENOSPC;
	case GNTST_eagain:
		return -XEN_EAGAIN;
	default:
		return -XEN_EINVAL;
	}
}

static uint64_t address_of(const struct grant_mapping *mapping, unsigned int page)
{
	return (uint64_t)mapping->address + page * PAGE_SIZE;
}

/* The first `end` pages of it, and all its addresses. */
static void unmap_pages(const struct grant_mapping *mapping, unsigned int end)
{
	struct gnttab_unmap_grant_ref ops[GRANT_PAGES] = {0};

	for (unsigned int i = 0; i < end; i++) {
		ops[i].host_addr = address_of(mapping, i);
		ops[i].handle = mapping->handles[i];
	}
	if (end && hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, ops, end))
		panic("cannot unmap grants");
	for (unsigned int i = 0; i < end; i++)
		if (ops[i].status)
			panic("cannot unmap a grant: status %d", ops[i].status);
	frames_release(mapping->address, mapping->count);
}

/* One page after the other: what a hostile domain has granted only in part is given back whole. */
long grant_map(struct grant_mapping *mapping, domid_t domain, const grant_ref_t *refs,
	       unsigned int count, bool writable)
{
	long error = 0;

	mapping->address = NULL;
	if (count == 0 || count > GRANT_PAGES)
		return -XEN_EINVAL;
	mapping->count = count;
	mapping->address = frames_reserve(count);
	if (!mapping->address)
		return -XEN_ENOMEM;
	for (unsigned int i = 0; i < count && !error; i++) {
		struct gnttab_map_grant_ref op = {
		    .host_addr = address_of(mapping, i),
		    .flags = GNTMAP_host_map | (writable ? 0 : GNTMAP_readonly),
		    .ref = refs[i],
		    .dom = domain,
		};

		error = hypercall_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
		if (!error && op.status)
			error = error_of(op.status);
		mapping->handles[i] = op.handle;
		if (error) {
			unmap_pages(mapping, i);
			mapping->address = NULL;
		}
	}
	return error;
}

void grant_unmap(struct grant_mapping *mapping)
{
	if (mapping->address)
		unmap_pages(mapping, mapping->count);
	mapping->address = NULL;
}
