/* SPDX-License-Identifier: MIT */
/*
 * Private to mm/: references with a table type, and changes of table entries. All of it under the
 * owner's mm.lock unless a comment says otherwise. -EINTR always means: d->mm.budget is used up; the
 * state is whole, call again with the lock released in between.
 */
#ifndef MM_PAGE_TYPE_H
#define MM_PAGE_TYPE_H

#include "mm/frame.h"
#include "cpu/x86.h"

/* Entries of tables that may be looked at before the lock is let go; reset by whoever takes the lock. */
#ifndef MM_BUDGET
#define MM_BUDGET 4096
#endif

static inline bool is_table_type(unsigned int type)
{
	return type >= PT_L1 && type <= PT_L4;
}

static inline mfn_t entry_mfn(uint64_t entry)
{
	return (entry & PTE_ADDR_MASK) >> PAGE_SHIFT;
}

static inline bool is_hv_slot(unsigned int index)
{
	return index >= HV_FIRST_SLOT && index <= HV_LAST_SLOT;
}

/* A reference with a table type (level: PT_L1 to PT_L4), validating the contents if this is the first.
 * 0, -EINVAL, -EINTR. */
int get_table(struct domain *d, mfn_t mfn, unsigned int level);
/*
 * Drop one, and with the last one those of the contents. 0 or -EINTR: then the caller still has it.
 * clear: FRAME_PINNED or 0, cleared in the same step that drops it.
 */
int put_table(struct domain *d, struct frame *f, uint64_t clear);
/* Undo a preempted validation (PARTIAL, count 0) that nobody comes back to. The frame has other references.
 * 0 or -EINTR. */
int abandon_validation(struct domain *d, struct frame *f);
/* d gives up a frame of its memory, which is freed as soon as nothing uses it. False: it is not. No lock. */
bool drop_ownership(struct domain *d, mfn_t mfn);
/* Descriptor tables: the same, without preemption. */
int get_descriptor_frame(struct domain *d, mfn_t mfn);
void put_descriptor_frame(struct frame *f);
/* All descriptors of a page checked and their privilege level adjusted? descriptor.c */
bool validate_descriptors(uint64_t *page);

/* Give an entry of a level-1 table of d another value, checked: it may name a frame of owner, or a device. keep_ad:
 * accessed and dirty bits that the CPU sets meanwhile are kept. 0, -EINVAL, -EBUSY, -EPERM: nothing changed. */
int change_l1_entry(struct domain *d, uint64_t *entry, uint64_t val, bool keep_ad,
		    const struct domain *owner);
/* The same if the entry still is `was`, which it was a moment ago; else -EAGAIN. */
int compare_l1_entry(struct domain *d, uint64_t *entry, uint64_t val, uint64_t was);
/*
 * The same for a table of level 2 to 4. *old: a table that lost its last use with this and whose release
 * the caller must go on with (put_table() until 0), or NULL. -EINTR: nothing changed, again.
 */
int change_entry(struct domain *d, struct frame *table, uint64_t *entry, uint64_t val, bool keep_ad,
		 struct frame **old);
/* memory_op.c: the memory map that was set for d. */
void free_memory_map(struct domain *d);
/* What a reference from a page table's entry stands for, for the audit. */
struct frame *entry_frame(uint64_t entry);

/* The entry of v's kernel page tables for va, or NULL when there is none at level 1. */
uint64_t *walk_to_l1(struct vcpu *v, mfn_t root, vaddr_t va);

/*
 * TLB flushes that are remembered (page_type.c, "stale translations"). Counted from all of a CPU's
 * entries only, by tlb_flush_cpus().
 */
/* No CPU may still have a translation from before the stamp was taken. */
void tlb_flush_older(cpumask_t mask, uint32_t stamp);
uint32_t tlb_clock_now(void);

/* Drop the guest's pin: 0, -EINVAL (not pinned), -EINTR. Takes the lock. */
int unpin_table(struct domain *d, mfn_t mfn);

/* Finish the release of a table that an earlier hypercall of v left. 0, or -EINTR: give the CPU up.
 * Lock not held. */
int finish_put_pending(struct vcpu *v);
static inline int finish_put(struct vcpu *v)
{
	return unlikely(v->put_pending) ? finish_put_pending(v) : 0;
}
/* One step of it, when there is one to finish: 0 or -EINTR. */
int put_some(struct vcpu *v);

#endif
