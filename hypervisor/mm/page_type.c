/* SPDX-License-Identifier: MIT */
/*
 * Page types: why a guest cannot reach what is not its own
 * ========================================================
 *
 * A guest's page tables are the ones that the CPU uses. The guest may read them and asks us to change
 * them, so that every entry the CPU will ever follow has been checked. What was checked must stay true:
 * nobody may write to a frame while it serves as a table, and no frame may change hands while an entry
 * leads to it. Two counts in each frame's entry (frame.h) keep both:
 *
 *   references	what stops the frame from being freed. The frame goes back to the free lists when
 *		this reaches 0.
 *   type count	how many of the references need the frame to have its type. A frame changes its type
 *		only while this is 0. The types exclude each other: writable, L1, L2, L3, L4,
 *		descriptors (GDT or LDT), and read-only for what the hypervisor shows but does not lend.
 *
 * Who holds what (mm_audit() recounts exactly this list):
 *
 *   holder					references	of them with type
 *   its domain owns the frame (ALLOC)		1		-
 *   a present L1 entry, read-only		1		-
 *   a present L1 entry, writable		1		1 writable
 *   a present entry of level n = 2, 3, 4	1		1 of level n - 1
 *   the guest's pin (PINNED)			1		1 of that level
 *   each root of a vCPU			1		1 L4
 *   a vCPU's put_pending			1		1 of that level
 *   each frame of a vCPU's GDT, mapped LDT	1		1 descriptors
 *   a vCPU's registered vcpu_info		1		1 writable
 *   the hypervisor, of a frame it shares (HV)	1		1 writable or read-only
 *   validation that was preempted (below)	1		-
 *   a grant in use (grant/), for reading		1		-
 *   a grant in use for writing			1		1 writable
 *
 * Entries hold their references only in tables that are VALID, and in a PARTIAL one below its index.
 * Frames that are not RAM (devices, for privileged domains) have no counts; whether a frame is RAM never
 * changes.
 *
 * An entry's reference does not depend on whose the frame is: putting it looks at the frame alone. Only getting
 * one does. get_entry() gives references on frames of one owner: the domain itself, or another one that a privileged
 * caller named for just this change (mmu.c). A table that is validated again may have entries of its own domain's
 * frames only. An entry for a frame that was granted is made by map_granted() alone, and can neither be copied nor gain
 * or lose the right to write.
 *
 * Transitions
 * -----------
 * The first typed reference makes the type. For tables that means: state becomes {type, count 1} in one
 * step, from where on no writable reference can be had; then the contents are validated, which takes the
 * references of its entries; then VALID is set. The last typed reference to go undoes this in reverse.
 * Levels strictly decrease on the way down, so a table can never come to be its own ancestor: linear
 * ("recursive") mappings of a table by itself are refused, since no proof that they are safe is as short as
 * this sentence. Superpages are refused in guests.
 *
 * An L4 table gets the hypervisor's slots (256 to 271) when it becomes VALID and loses them with that;
 * what the guest has put there is neither looked at nor kept, and entries there cannot be changed.
 *
 * Long work
 * ---------
 * An L1 or a descriptor page is validated in one go. Levels 2 to 4 may stand for unbounded work, so it is
 * counted (d->mm.budget) and stops with -EINTR when that is used up, between two entries:
 *
 *   PARTIAL, index n: the entries below n hold their references, those from n on don't.
 *
 * This one state serves both directions. Taking a typed reference goes on upwards from n to VALID; dropping
 * the last one goes on downwards to 0. With count 0 it was the first reference that was preempted: nobody
 * has it yet, and the state itself keeps one plain reference. With count 1 it was the release of the last
 * reference, which whoever was dropping it still has and must come back to drop: a pin stays set, a parent's
 * index stays above the entry, a table that was unhooked stays in the vCPU's put_pending. A parent never
 * holds anything for the entry at its index, so there is no half reference anywhere. FAILED marks count 0 whose
 * validation found a bad entry: nothing can be done but undo; who finishes that gets -EINVAL.
 *
 * While a release or a validation is under way the frame's count is at least 1 and the lock is held, so what
 * it meets on the way that is PARTIAL with count 0 is never one of its own ancestors.
 *
 * Locks
 * -----
 * d->mm.lock covers everything about frames of d with table or descriptor types: their entries, index, VALID,
 * PARTIAL, PINNED, and d's vCPUs' roots. References and the writable type are taken and dropped without it:
 * all changes of state are compare-and-exchange of the whole word. An owner is looked at after the
 * reference is held, for only then it cannot change. The heap's locks and page_lock nest inside.
 *
 * Stale translations
 * ------------------
 * CPUs remember translations and table entries after the tables have changed; guests may forget to flush or
 * do it late. Two things must not happen: a write through an old translation to what is a table or
 * descriptors now, or belongs to somebody else; and a walk through a remembered entry into a former table
 * that the guest can write to now. So:
 *
 *   when a frame's last typed reference goes, it is stamped with the TLB clock. When its type changes, the CPUs
 *   that ran the domain (dirty_cpus) and have not been flushed since the stamp are flushed, before anything
 *   relies on the new type;
 *   a freed frame may go back to the same domain as it is. For anybody else it is flushed first wherever
 *   no flush happened since the last time that any frame was freed (alloc.c).
 *
 * The clock ticks with each flush that we know of, so a change of many pages costs one flush. Going back
 * to the type that it had last needs none: nobody could write to it meanwhile, and what its entries led
 * to has stamps of its own.
 *
 * Other domains map a frame in two ways. By a grant, whose own references are held longer than any translation lives:
 * until grant/ has unmapped the frame and flushed the CPUs of who had mapped it, so that meanwhile the frame neither
 * changes its type nor is freed. That also holds when the entry goes in another way, for then the grant stays in use.
 * Or by a privileged caller's entry. If that may write, the frame is marked as FOREIGN before the entry is there, and
 * where the owner's CPUs would be flushed on behalf of such a frame all CPUs are; with the next change of type after
 * that nobody remembers it any more, and the mark goes. A free frame with the mark counts as one of a stranger's, so
 * that even its last owner gets it flushed. Entries of others that only read do not matter until a frame is given
 * to yet another domain, and for that all CPUs are flushed anyway.
 *
 * Entries
 * -------
 * Reserved bits and address bits beyond the CPU's are refused, as is NX where there is no NX, and GLOBAL and
 * PSE above level 1. USER is always set, for guest kernels run in ring 3 too (guest user mode has another
 * root); GLOBAL is cleared in level 1, so that loading CR3 separates kernel from user. Memory types: in levels 2 to 4 cleared, for a walk that bypasses
 * the caches might read what memory held long ago; in level 1 cleared for RAM unless the domain is privileged, for
 * the same reason with contents. Bits that the CPU ignores are the guest's.
 */
#include "mm/page_type.h"
#include "cpu/cpu.h"
#include "lib/bitops.h"
#include "lib/errno.h"

#define ENTRIES 512

/* ---- the TLB clock ---- */

static uint32_t tlb_clock = 1;
static uint32_t
    tlb_flushed[NR_CPUS]; /* when each CPU was last flushed: the clock before it began */

uint32_t tlb_clock_now(void)
{
	return __atomic_load_n(&tlb_clock, __ATOMIC_ACQUIRE);
}

void tlb_flush_cpus(cpumask_t mask)
{
	uint32_t time = __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST);
	unsigned int cpu;

	/* So that no CPU ever falls half a turn of the clock behind (comparison below). */
	if (unlikely((time & ((1U << 30) - 1)) == 0))
		mask = cpu_online_mask;
	if (mask == (cpumask_t)1 << smp_processor_id())
		flush_tlb_local();
	else if (mask)
		flush_tlb_mask(mask);
	for_each_cpu(cpu, mask) WRITE_ONCE(tlb_flushed[cpu], time);
}

void tlb_flush_older(cpumask_t mask, uint32_t stamp)
{
	cpumask_t late = 0;
	unsigned int cpu;

	/* A flush at the very time of the stamp may have begun before it. */
	for_each_cpu(cpu, mask) if ((int32_t)(READ_ONCE(tlb_flushed[cpu]) - stamp) <= 0) late |=
	    (cpumask_t)1 << cpu;
	if (late)
		tlb_flush_cpus(late);
}

/* Where translations of a frame of d may be remembered that let it be written. s: the frame's state. */
static cpumask_t writing_cpus(const struct domain *d, uint64_t s)
{
	return unlikely(s & FRAME_FOREIGN) ? READ_ONCE(cpu_online_mask) : READ_ONCE(d->dirty_cpus);
}

static void stamp_now(struct frame *f)
{
	WRITE_ONCE(f->stamp, tlb_clock_now());
}

/* ---- references ---- */

/* One step that sets, clears and adds; returns the state before. */
static uint64_t frame_update(struct frame *f, uint64_t clear, uint64_t set, uint64_t add)
{
	uint64_t s = frame_state(f);

	while (!frame_exchange(f, &s, ((s & ~clear) | set) + add))
		;
	return s;
}

static inline void put_ref(struct frame *f)
{
	uint64_t s = __atomic_fetch_sub(&f->state, FRAME_REF, __ATOMIC_ACQ_REL);

	ASSERT(state_refs(s));
	if (unlikely(state_refs(s) == 1))
		free_domain_frame(f);
}

static inline bool get_ref(struct frame *f, const struct domain *d)
{
	uint64_t s = frame_state(f);

	do {
		if (unlikely(!state_refs(s) || (s & FRAME_FULL)))
			return false;
	} while (!frame_exchange(f, &s, s + FRAME_REF));
	if (likely(frame_is_owned(f, d)))
		return true;
	put_ref(f);
	return false;
}

bool get_frame(mfn_t mfn, struct domain *d)
{
	struct frame *f = frame_of_ram(mfn);

	return f && !d->is_dying && get_ref(f, d);
}

void put_frame(mfn_t mfn)
{
	put_ref(&frame_table[mfn]);
}

bool drop_ownership(struct domain *d, mfn_t mfn)
{
	struct frame *f = frame_of_ram(mfn);
	uint64_t s;

	if (!f)
		return false;
	/* With ALLOC there is a reference, so the owner is d until the exchange. */
	s = frame_state(f);
	do {
		if (!(s & FRAME_ALLOC) || !frame_is_owned(f, d))
			return false;
	} while (!frame_exchange(f, &s, (s & ~FRAME_ALLOC) - FRAME_REF));
	if (state_refs(s) == 1)
		free_domain_frame(f);
	return true;
}

/* ---- the writable type ---- */

static void put_writable(struct frame *f)
{
	uint64_t s = frame_state(f);

	do {
		if (state_type_refs(s) == 1)
			stamp_now(f);
	} while (!frame_exchange(f, &s, s - FRAME_REF - FRAME_TYPE_REF));
	if (unlikely(state_refs(s) == 1))
		free_domain_frame(f);
}

/* The first writable reference: perhaps a change of type. *s: f's state. True: taken, or *s is new. */
static bool first_writable(struct frame *f, const struct domain *d, uint64_t *s, bool *taken)
{
	uint32_t stamp = READ_ONCE(f->stamp);
	unsigned int was = state_type(*s);

	if ((*s & (FRAME_TYPE_REFS | FRAME_PARTIAL)) || !frame_is_owned(f, d))
		return false;
	/* Only CPUs of its owner can have walked it. */
	if (was != PT_NONE && was != PT_WRITABLE)
		tlb_flush_older(READ_ONCE(d->dirty_cpus), stamp);
	*taken = frame_exchange(
	    f, s, ((*s & ~FRAME_TYPE) | TYPE_BITS(PT_WRITABLE)) + FRAME_REF + FRAME_TYPE_REF);
	/* It may have had a life as a table between our look and the exchange. */
	if (*taken && unlikely(READ_ONCE(f->stamp) != stamp))
		tlb_flush_older(READ_ONCE(d->dirty_cpus), READ_ONCE(f->stamp));
	return true;
}

static __attribute__((noinline)) bool get_writable_slow(struct frame *f, const struct domain *d)
{
	uint64_t s = frame_state(f);
	bool taken = false;

	do {
		if (!state_refs(s) || (s & FRAME_FULL))
			return false;
		if ((s & FRAME_TYPE) == TYPE_BITS(PT_WRITABLE) && (s & FRAME_TYPE_REFS))
			taken = frame_exchange(f, &s, s + FRAME_REF + FRAME_TYPE_REF);
		else if (!first_writable(f, d, &s, &taken))
			return false;
	} while (!taken);
	if (frame_is_owned(f, d))
		return true;
	put_writable(f);
	return false;
}

/* In line what is so nearly always: it has the type, with a count and room for more. */
static inline bool get_writable(struct frame *f, const struct domain *d)
{
	uint64_t s = frame_state(f);

	if (unlikely((s & (FRAME_TYPE | FRAME_FULL)) != TYPE_BITS(PT_WRITABLE) ||
		     !(s & FRAME_TYPE_REFS) ||
		     !frame_exchange(f, &s, s + FRAME_REF + FRAME_TYPE_REF)))
		return get_writable_slow(f, d);
	if (likely(frame_is_owned(f, d)))
		return true;
	put_writable(f);
	return false;
}

/* ---- level-1 entries ---- */

#define CACHE_BITS ((uint64_t)(PTE_PWT | PTE_PCD | PTE_PAT))

static inline uint64_t adjust_l1(const struct domain *d, uint64_t e)
{
	e = (e | PTE_USER) & ~(uint64_t)PTE_GLOBAL;
	return d->is_privileged || !(e & CACHE_BITS) || !entry_frame(e) ? e : e & ~CACHE_BITS;
}

/*
 * An entry whose frame gave no reference: a device, or why not. What the hypervisor drives itself but a
 * domain may see loses the right to write, without a word.
 */
static int get_other_entry(const struct domain *d, uint64_t *e, const struct domain *owner)
{
	mfn_t mfn = entry_mfn(*e);
	struct frame *f = frame_of_ram(mfn);
	bool owned = f && state_refs(frame_state(f)) && frame_is_owned(f, owner);

	if (f && owner != &io_domain)
		return owned && (*e & PTE_RW) ? -EBUSY : -EINVAL;
	/* On behalf of another domain: what that one may use, too. */
	if (!io_frame_allowed(d, mfn) || (owner != &io_domain && !io_frame_allowed(owner, mfn)))
		return -EPERM;
	if (io_frame_read_only(mfn))
		*e &= ~(uint64_t)PTE_RW;
	return 0;
}

/* Another domain's entry may write to f: see above. */
static __attribute__((noinline, cold)) void mark_foreign(struct frame *f)
{
	frame_update(f, 0, FRAME_FOREIGN, 0);
}

/*
 * The reference of a present entry in a table of d, which may be adjusted. -EBUSY: a frame of owner's, whose type is
 * not writable; -EINVAL: not its own; -EPERM: a device that it may not map.
 */
static inline __attribute__((always_inline)) int get_entry(const struct domain *d, uint64_t *entry,
							   const struct domain *owner)
{
	uint64_t e = *entry;
	mfn_t mfn = entry_mfn(e);

	if (likely(mfn < max_mfn)) {
		struct frame *f = &frame_table[clamp_index(mfn, max_mfn)];

		/* An entry of the table that stands for no RAM has no references either. */
		if (likely((e & PTE_RW) ? get_writable(f, owner) : get_ref(f, owner))) {
			/* With the reference, so that the type doesn't change before it shows. */
			if (unlikely(owner != d) && (e & PTE_RW))
				mark_foreign(f);
			return 0;
		}
	}
	return get_other_entry(d, entry, owner);
}

struct frame *entry_frame(uint64_t entry)
{
	mfn_t mfn = entry_mfn(entry);
	struct frame *f;

	if (mfn >= max_mfn)
		return NULL;
	f = &frame_table[mfn];
	return frame_state(f) & FRAME_RAM ? f : NULL;
}

static inline void put_entry(uint64_t e)
{
	struct frame *f = entry_frame(e);

	if (unlikely(!f))
		return;
	if (e & PTE_RW)
		put_writable(f);
	else
		put_ref(f);
}

static void release_l1(uint64_t *table, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (table[i] & PTE_PRESENT)
			put_entry(table[i]);
}

/* Take the references of all entries, or none. */
static int validate_l1(struct domain *d, struct frame *f)
{
	uint64_t *table = mfn_to_virt(frame_mfn(f));

	for (unsigned int i = 0; i < ENTRIES; i++) {
		uint64_t e = table[i], adjusted = e;
		int rc;

		if (!(e & PTE_PRESENT))
			continue;
		rc = unlikely(e & bad_l1_bits) ? -EINVAL : get_entry(d, &adjusted, d);
		if (unlikely(rc)) {
			release_l1(table, i);
			return -EINVAL;
		}
		adjusted = adjust_l1(d, adjusted);
		if (adjusted != e)
			table[i] = adjusted;
	}
	return 0;
}

/* ---- tables of level 2 to 4: their entries ---- */

static uint64_t adjust_table(uint64_t e)
{
	return (e | PTE_USER) & ~(uint64_t)(PTE_PWT | PTE_PCD);
}

static bool counts_entry(unsigned int level, unsigned int i, uint64_t e)
{
	return (e & PTE_PRESENT) && !(level == PT_L4 && is_hv_slot(i));
}

/* Go on upwards from f->index. */
static int validate_entries(struct domain *d, struct frame *f, unsigned int level)
{
	uint64_t *table = mfn_to_virt(frame_mfn(f));
	unsigned int i;
	int rc = 0;

	for (i = f->index; i < ENTRIES; i++) {
		uint64_t e = table[i];

		if (!counts_entry(level, i, e))
			continue;
		if (d->mm.budget <= 0)
			rc = -EINTR;
		else if (e & bad_table_bits)
			rc = -EINVAL;
		else
			rc = get_table(d, entry_mfn(e), level - 1);
		if (rc)
			break;
		table[i] = adjust_table(e);
	}
	d->mm.budget -= (int)(i - f->index);
	f->index = (uint16_t)i;
	return rc;
}

/* Go on downwards from f->index. */
static int undo_entries(struct domain *d, struct frame *f, unsigned int level)
{
	const uint64_t *table = mfn_to_virt(frame_mfn(f));
	unsigned int i;
	int rc = 0;

	for (i = f->index; i > 0; i--) {
		if (!counts_entry(level, i - 1, table[i - 1]))
			continue;
		rc = d->mm.budget <= 0 ? -EINTR
				       : put_table(d, &frame_table[entry_mfn(table[i - 1])], 0);
		if (rc)
			break;
	}
	d->mm.budget -= (int)(f->index - i);
	f->index = (uint16_t)i;
	return rc;
}

static void remove_hv_slots(struct frame *f)
{
	uint64_t *table = mfn_to_virt(frame_mfn(f));

	for (unsigned int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
		table[i] = 0;
}

/* ---- types of tables ---- */

/*
 * Go on with a PARTIAL table whose typed reference the caller wants. first: the count was 0, and is 1 now
 * for the time of this call; kept: the state had a reference of its own.
 */
static int continue_validation(struct domain *d, struct frame *f, unsigned int level, bool first,
			       bool kept)
{
	uint64_t done = first ? 0 : FRAME_TYPE_REF, back = first ? FRAME_TYPE_REF : 0;
	int rc = 0;

	if (!(frame_state(f) & FRAME_FAILED)) {
		rc = validate_entries(d, f, level);
		if (!rc) {
			if (level == PT_L4)
				install_hv_slots(mfn_to_virt(frame_mfn(f)));
			frame_update(f, FRAME_PARTIAL, FRAME_VALID, done - (kept ? FRAME_REF : 0));
			return 0;
		}
		/* Whoever was releasing it still holds it: they undo it all. */
		if (!first)
			return rc;
		if (rc == -EINVAL)
			frame_update(f, 0, FRAME_FAILED, 0);
	}
	if (rc != -EINTR)
		rc = undo_entries(d, f, level);
	if (rc) {
		frame_update(f, 0, 0, (kept ? 0 : FRAME_REF) - back);
		return rc;
	}
	stamp_now(f);
	frame_update(f, FRAME_PARTIAL | FRAME_FAILED, 0, -back - (kept ? FRAME_REF : 0));
	return -EINVAL;
}

/* f is PARTIAL, of this type. */
static int resume_validation(struct domain *d, struct frame *f, unsigned int level)
{
	bool first = state_type_refs(frame_state(f)) == 0;

	if (frame_state(f) & FRAME_FULL)
		return -EINVAL;
	if (first)
		frame_update(f, 0, 0, FRAME_TYPE_REF);
	return continue_validation(d, f, level, first, first);
}

int abandon_validation(struct domain *d, struct frame *f)
{
	int rc;

	frame_update(f, 0, FRAME_FAILED, FRAME_TYPE_REF);
	rc = continue_validation(d, f, state_type(frame_state(f)), true, true);
	return rc == -EINTR ? rc : 0;
}

/*
 * Make a frame without typed references one of a new type, count 1. The caller holds a reference. set:
 * flags that come with it. False: conflict, or *s is new: look again if *retry.
 */
static bool change_type(const struct domain *d, struct frame *f, uint64_t *s, unsigned int type,
			uint64_t set, bool *retry)
{
	uint32_t stamp = READ_ONCE(f->stamp);
	unsigned int was = state_type(*s);
	cpumask_t cpus;

	*retry = false;
	if (*s & (FRAME_TYPE_REFS | FRAME_PARTIAL | FRAME_HV))
		return false;
	/* One that stays a table has no mark: nobody could write to it. */
	cpus = writing_cpus(d, *s);
	if (was != type)
		tlb_flush_older(cpus, stamp);
	if (!frame_exchange(f, s,
			    ((*s & ~(FRAME_TYPE | FRAME_FOREIGN)) | TYPE_BITS(type) | set) +
				FRAME_TYPE_REF)) {
		*retry = true;
		return false;
	}
	/* It may have been mapped writable between our look and the exchange. */
	if (unlikely(READ_ONCE(f->stamp) != stamp))
		tlb_flush_older(cpus, READ_ONCE(f->stamp));
	return true;
}

static int first_table_reference(struct domain *d, struct frame *f, unsigned int level)
{
	if (level == PT_L1) {
		int rc = validate_l1(d, f);

		d->mm.budget -= ENTRIES;
		if (rc)
			stamp_now(f);
		frame_update(f, 0, rc ? 0 : FRAME_VALID, rc ? -FRAME_TYPE_REF : 0);
		return rc;
	}
	f->index = 0;
	return continue_validation(d, f, level, true, false);
}

/* The typed part of a reference that the caller holds. */
static int get_table_type(struct domain *d, struct frame *f, unsigned int level)
{
	uint64_t s = frame_state(f);
	bool retry;
	int rc;

	for (;;) {
		if ((s & (FRAME_TYPE | FRAME_VALID)) == (TYPE_BITS(level) | FRAME_VALID)) {
			if (unlikely(s & FRAME_FULL))
				return -EINVAL;
			if (frame_exchange(f, &s, s + FRAME_TYPE_REF))
				return 0;
			continue;
		}
		if ((s & FRAME_PARTIAL) && state_type(s) == level)
			return resume_validation(d, f, level);
		if ((s & FRAME_PARTIAL) && !state_type_refs(s)) {
			rc = abandon_validation(d, f);
			if (rc)
				return rc;
			s = frame_state(f);
			continue;
		}
		if (change_type(d, f, &s, level, level == PT_L1 ? 0 : FRAME_PARTIAL, &retry))
			return first_table_reference(d, f, level);
		if (!retry)
			return -EINVAL;
	}
}

/* One reference more of both kinds on what is a valid table of d already, which under the lock it remains. */
static inline bool get_valid_table(const struct domain *d, struct frame *f, unsigned int level)
{
	uint64_t s = frame_state(f);

	while ((s & (FRAME_TYPE | FRAME_VALID | FRAME_FULL)) == (TYPE_BITS(level) | FRAME_VALID) &&
	       frame_is_owned(f, d))
		if (frame_exchange(f, &s, s + FRAME_REF + FRAME_TYPE_REF))
			return true;
	return false;
}

static __attribute__((noinline)) int get_other_table(struct domain *d, struct frame *f,
						     unsigned int level)
{
	int rc;

	if (unlikely(!get_ref(f, d)))
		return -EINVAL;
	rc = get_table_type(d, f, level);
	if (unlikely(rc))
		put_ref(f);
	return rc;
}

int get_table(struct domain *d, mfn_t mfn, unsigned int level)
{
	struct frame *f = frame_of_ram(mfn);

	if (unlikely(!f))
		return -EINVAL;
	return get_valid_table(d, f, level) ? 0 : get_other_table(d, f, level);
}

/* Drop the last typed reference. s: f's state. */
static __attribute__((noinline)) int put_last(struct domain *d, struct frame *f, uint64_t s,
					      uint64_t clear)
{
	unsigned int level = state_type(s);

	if (level == PT_L1) {
		release_l1(mfn_to_virt(frame_mfn(f)), ENTRIES);
		d->mm.budget -= ENTRIES;
	} else {
		int rc;

		if (s & FRAME_VALID) {
			/* No CPU has it loaded: roots hold references. */
			if (level == PT_L4)
				remove_hv_slots(f);
			f->index = ENTRIES;
			frame_update(f, FRAME_VALID, FRAME_PARTIAL, 0);
		}
		rc = undo_entries(d, f, level);
		if (rc)
			return rc;
	}
	stamp_now(f);
	s = frame_update(f, FRAME_VALID | FRAME_PARTIAL | clear, 0, -(FRAME_REF + FRAME_TYPE_REF));
	if (state_refs(s) == 1)
		free_domain_frame(f);
	return 0;
}

int put_table(struct domain *d, struct frame *f, uint64_t clear)
{
	uint64_t s = frame_state(f);

	while (likely(state_type_refs(s) > 1))
		if (frame_exchange(f, &s, (s & ~clear) - FRAME_REF - FRAME_TYPE_REF))
			return 0;
	return put_last(d, f, s, clear);
}

int get_descriptor_frame(struct domain *d, mfn_t mfn)
{
	struct frame *f = frame_of_ram(mfn);
	bool retry = false, ok;
	uint64_t s;

	/* As in pin_table(). */
	if (!f || READ_ONCE(d->is_dying) || !get_ref(f, d))
		return -EINVAL;
	s = frame_state(f);
	do {
		uint64_t mask = FRAME_TYPE | FRAME_VALID | FRAME_FULL;

		if ((s & mask) == (TYPE_BITS(PT_SEG_DESC) | FRAME_VALID)) {
			if (frame_exchange(f, &s, s + FRAME_TYPE_REF))
				return 0;
			retry = true;
		} else if (change_type(d, f, &s, PT_SEG_DESC, 0, &retry)) {
			ok = validate_descriptors(mfn_to_virt(mfn));
			frame_update(f, 0, ok ? FRAME_VALID : 0, ok ? 0 : -FRAME_TYPE_REF);
			if (ok)
				return 0;
			break;
		}
	} while (retry);
	put_ref(f);
	return -EINVAL;
}

void put_descriptor_frame(struct frame *f)
{
	uint64_t s = frame_state(f);
	bool last;

	do {
		last = state_type_refs(s) == 1;
		if (last)
			stamp_now(f);
	} while (
	    !frame_exchange(f, &s, (last ? s & ~FRAME_VALID : s) - FRAME_REF - FRAME_TYPE_REF));
	if (state_refs(s) == 1)
		free_domain_frame(f);
}

/* ---- for other folders ---- */

int get_frame_and_type(mfn_t mfn, struct domain *d, enum page_type type)
{
	struct frame *f = frame_of_ram(mfn);

	if (!f || d->is_dying)
		return -EINVAL;
	switch (type) {
	case PT_WRITABLE:
		return get_writable(f, d) ? 0 : -EINVAL;
	case PT_L1:
	case PT_L2:
	case PT_L3:
	case PT_L4:
		d->mm.budget = MM_BUDGET;
		return get_table(d, mfn, type);
	case PT_SEG_DESC:
		return get_descriptor_frame(d, mfn);
	default:
		return -EINVAL;
	}
}

void put_frame_and_type(mfn_t mfn)
{
	struct frame *f = &frame_table[mfn];
	unsigned int type = state_type(frame_state(f));

	if (is_table_type(type)) {
		struct domain *d = owner_domain(f->owner);

		do {
			d->mm.budget = MM_BUDGET;
		} while (put_table(d, f, 0));
	} else if (type == PT_SEG_DESC) {
		put_descriptor_frame(f);
	} else {
		put_writable(f); /* or PT_READ_ONLY: the same counts */
	}
}

bool shared_frame_is_mapped(mfn_t mfn)
{
	return state_refs(frame_state(&frame_table[mfn])) > 1;
}

void unshare_frame(mfn_t mfn, struct domain *d)
{
	struct frame *f = &frame_table[mfn];

	/* It is the domain's until its last mapping goes. */
	account_pages(d, 1);
	frame_update(f, FRAME_HV, 0, 0);
	put_writable(f);
}

int share_frame_with_domain(mfn_t mfn, struct domain *d, bool writable)
{
	struct frame *f = frame_of_ram(mfn);

	if (!f || (f->state & ~(FRAME_RAM | FRAME_HV)) || !(f->state & FRAME_HV))
		return -EINVAL;
	f->owner = d->id;
	f->index = 0;
	stamp_now(f);
	__atomic_store_n(&f->state,
			 FRAME_RAM | FRAME_HV | FRAME_REF | FRAME_TYPE_REF |
			     TYPE_BITS(writable ? PT_WRITABLE : PT_READ_ONLY),
			 __ATOMIC_RELEASE);
	return 0;
}

/* ---- pins, roots ---- */

static int pin_locked(struct domain *d, mfn_t mfn, unsigned int type)
{
	struct frame *f = frame_of_ram(mfn);
	int rc;

	if (!f)
		return -EINVAL;
	rc = get_table(d, mfn, type);
	if (rc)
		return rc;
	/* A pinned table has one reference more than this, so dropping it again does no work. */
	if (frame_state(f) & FRAME_PINNED) {
		put_table(d, f, 0);
		return -EINVAL;
	}
	frame_update(f, 0, FRAME_PINNED, 0);
	return 0;
}

int pin_table(struct domain *d, mfn_t mfn, enum page_type type)
{
	int rc;

	spin_lock(&d->mm.lock);
	d->mm.budget = MM_BUDGET;
	/* Under the lock: domain_relinquish_memory() looks for a pin, or a half-made one, once. */
	rc = is_table_type(type) && !READ_ONCE(d->is_dying) ? pin_locked(d, mfn, type) : -EINVAL;
	spin_unlock(&d->mm.lock);
	return rc;
}

int unpin_table(struct domain *d, mfn_t mfn)
{
	struct frame *f = frame_of_ram(mfn);
	int rc = -EINVAL;

	if (!f)
		return -EINVAL;
	spin_lock(&d->mm.lock);
	d->mm.budget = MM_BUDGET;
	/* Pinned: so there is a reference, and the owner does not change. */
	if ((frame_state(f) & FRAME_PINNED) && frame_is_owned(f, d))
		rc = put_table(d, f, FRAME_PINNED);
	spin_unlock(&d->mm.lock);
	return rc;
}

/* Drop a root that v had. Too long for now: v's next operation goes on with it. Lock held. */
static void put_root(struct vcpu *v, mfn_t mfn)
{
	struct domain *d = v->domain;
	struct frame *f = &frame_table[mfn];

	while (put_table(d, f, 0)) {
		if (!v->put_pending) {
			v->put_pending = mfn;
			break;
		}
		d->mm.budget = MM_BUDGET;
	}
}

/* User mode sees the machine-to-physical map unless the guest's kernel wants it hidden. */
static void show_m2p(const struct domain *d, mfn_t l4, bool user)
{
	bool hide = user && d->mm.vm_assist >> VMASST_TYPE_m2p_strict & 1;
	uint64_t *slot = (uint64_t *)mfn_to_virt(l4) + HV_FIRST_SLOT;
	uint64_t wanted = hide ? 0 : idle_root[HV_FIRST_SLOT];

	if (unlikely((*slot ^ wanted) & PTE_PRESENT))
		WRITE_ONCE(*slot, wanted);
}

int set_vcpu_root(struct vcpu *v, mfn_t l4, bool user)
{
	struct domain *d = v->domain;
	mfn_t *root = user ? &v->user_root : &v->kernel_root, old = *root;
	int rc = 0;

	if (finish_put(v))
		return -EINTR;
	spin_lock(&d->mm.lock);
	d->mm.budget = MM_BUDGET;
	/* domain_relinquish_memory() may have been here already. */
	if (l4 != INVALID_MFN)
		rc = READ_ONCE(d->is_dying) ? -EINVAL : get_table(d, l4, PT_L4);
	if (!rc) {
		if (l4 != INVALID_MFN)
			show_m2p(d, l4, user);
		*root = l4;
		if (v == current && v->pv.kernel_mode == !user)
			load_guest_cr3(v);
		if (old != INVALID_MFN)
			put_root(v, old);
	}
	spin_unlock(&d->mm.lock);
	return rc;
}

void drop_vcpu_roots(struct vcpu *v)
{
	mfn_t kernel = v->kernel_root, user = v->user_root;

	spin_lock(&v->domain->mm.lock);
	v->domain->mm.budget = MM_BUDGET;
	v->kernel_root = v->user_root = INVALID_MFN;
	if (kernel != INVALID_MFN)
		put_root(v, kernel);
	if (user != INVALID_MFN)
		put_root(v, user);
	spin_unlock(&v->domain->mm.lock);
}

int put_some(struct vcpu *v)
{
	struct frame *f = &frame_table[v->put_pending];
	/* Not always v's: a privileged domain changes tables of others. It exists as long as it has the frame. */
	struct domain *d = owner_domain(f->owner);
	int rc;

	spin_lock(&d->mm.lock);
	d->mm.budget = MM_BUDGET;
	rc = put_table(d, f, 0);
	if (!rc)
		v->put_pending = 0;
	spin_unlock(&d->mm.lock);
	return rc;
}

int finish_put_pending(struct vcpu *v)
{
	while (unlikely(v->put_pending))
		if (put_some(v) && preempt_check())
			return -EINTR;
	return 0;
}

/* ---- changing one entry ---- */

/* Write and return what was there; the CPU may set accessed and dirty bits at any time. */
static uint64_t write_entry(uint64_t *entry, uint64_t val, bool keep_ad)
{
	uint64_t was;

	if (!keep_ad)
		return __atomic_exchange_n(entry, val, __ATOMIC_SEQ_CST);
	was = READ_ONCE(*entry);
	while (!__atomic_compare_exchange_n(entry, &was, val | (was & (PTE_ACCESSED | PTE_DIRTY)),
					    false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	return was;
}

/*
 * Check the new value and take its reference. *same: the old value's passes to the new one, which names the
 * same frame with the same right.
 */
static inline int prepare_l1_entry(struct domain *d, uint64_t was, uint64_t *val,
				   const struct domain *owner, bool *same)
{
	*same = false;
	if (!(*val & PTE_PRESENT))
		return 0;
	if (unlikely(*val & bad_l1_bits))
		return -EINVAL;
	*val = adjust_l1(d, *val);
	*same = !((was ^ *val) & (PTE_ADDR_MASK | PTE_RW | PTE_PRESENT)) && owner == d;
	return *same ? 0 : get_entry(d, val, owner);
}

int change_l1_entry(struct domain *d, uint64_t *entry, uint64_t val, bool keep_ad,
		    const struct domain *owner)
{
	bool same;
	int rc = prepare_l1_entry(d, READ_ONCE(*entry), &val, owner, &same);
	uint64_t was;

	if (unlikely(rc))
		return rc;
	was = write_entry(entry, val, keep_ad);
	if (!same && (was & PTE_PRESENT))
		put_entry(was);
	return 0;
}

int compare_l1_entry(struct domain *d, uint64_t *entry, uint64_t val, uint64_t was)
{
	bool same;
	int rc = prepare_l1_entry(d, was, &val, d, &same);

	if (unlikely(rc))
		return rc;
	if (!__atomic_compare_exchange_n(entry, &was, val, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED)) {
		if (!same && (val & PTE_PRESENT))
			put_entry(val);
		return -EAGAIN;
	}
	if (!same && (was & PTE_PRESENT))
		put_entry(was);
	return 0;
}

int change_entry(struct domain *d, struct frame *table, uint64_t *entry, uint64_t val, bool keep_ad,
		 struct frame **old)
{
	unsigned int level = state_type(frame_state(table));
	unsigned int index = ((uintptr_t)entry & (PAGE_SIZE - 1)) / sizeof(*entry);
	uint64_t was = READ_ONCE(*entry);
	bool same = false;

	*old = NULL;
	if (level == PT_L4 && is_hv_slot(index))
		return -EINVAL;
	if (val & PTE_PRESENT) {
		int rc;

		if (val & bad_table_bits)
			return -EINVAL;
		val = adjust_table(val);
		same = !((was ^ val) & (PTE_ADDR_MASK | PTE_PRESENT));
		rc = same ? 0 : get_table(d, entry_mfn(val), level - 1);
		if (rc)
			return rc;
	}
	was = write_entry(entry, val, keep_ad);
	if (!same && (was & PTE_PRESENT))
		*old = &frame_table[entry_mfn(was)];
	return 0;
}

/* ---- frames of other domains: granted ones ---- */

bool map_granted(struct domain *d, uint64_t *entry, uint64_t val, const struct domain *owner)
{
	struct frame *f = &frame_table[entry_mfn(val)];
	uint64_t was;

	ASSERT(spin_is_locked(&d->mm.lock));
	if (unlikely(!((val & PTE_RW) ? get_writable(f, owner) : get_ref(f, owner))))
		return false;
	was = write_entry(entry, adjust_l1(d, val), false);
	if (was & PTE_PRESENT)
		put_entry(was);
	return true;
}

bool unmap_granted(uint64_t *entry, uint64_t val, uint64_t *from)
{
	uint64_t was = READ_ONCE(*entry), new = 0;

	if (unlikely((was ^ val) & (PTE_ADDR_MASK | PTE_RW | PTE_PRESENT)) || entry == from)
		return false;
	/* Its reference moves with it. */
	if (from)
		new = write_entry(from, 0, false);
	put_entry(write_entry(entry, new, false));
	return true;
}

bool get_writable_frame(mfn_t mfn, struct domain *d)
{
	struct frame *f = frame_of_ram(mfn);

	return likely(f && !d->is_dying) && get_writable(f, d);
}

void end_writing(mfn_t mfn)
{
	struct frame *f = &frame_table[mfn];
	uint64_t s = frame_state(f);

	do {
		if (state_type_refs(s) == 1)
			stamp_now(f);
	} while (!frame_exchange(f, &s, s - FRAME_TYPE_REF));
}

void put_writable_frame(mfn_t mfn)
{
	put_writable(&frame_table[mfn]);
}

uint64_t *l1_entry_by_address(struct vcpu *v, vaddr_t va)
{
	if (unlikely(!guest_range_ok(va, 1) || v->kernel_root == INVALID_MFN))
		return NULL;
	return walk_to_l1(v, v->kernel_root, va);
}

uint64_t *l1_entry_by_place(struct domain *d, paddr_t maddr)
{
	struct frame *f = frame_of_ram(maddr >> PAGE_SHIFT);
	uint64_t s;

	if (unlikely(!f || (maddr & 7)))
		return NULL;
	s = frame_state(f);
	/* A frame that has references and is d's stays so while it is a table: its own say so. */
	if (!state_refs(s) || !frame_is_owned(f, d) || state_type(s) != PT_L1 || !(s & FRAME_VALID))
		return NULL;
	return phys_to_virt(maddr);
}

/* ---- walking ---- */

uint64_t *walk_to_l1(struct vcpu *v, mfn_t root, vaddr_t va)
{
	uint64_t *table = mfn_to_virt(root);

	for (unsigned int shift = 39; shift > PAGE_SHIFT; shift -= 9) {
		uint64_t e = READ_ONCE(table[(va >> shift) % ENTRIES]);

		if (unlikely(!(e & PTE_PRESENT)))
			return NULL;
		table = mfn_to_virt(entry_mfn(e));
	}
	return &table[(va >> PAGE_SHIFT) % ENTRIES];
}

uint64_t guest_walk(struct vcpu *v, vaddr_t va)
{
	mfn_t root = v->pv.kernel_mode ? v->kernel_root : v->user_root;
	uint64_t *entry, e = 0;

	if (root == INVALID_MFN || !guest_range_ok(va, 1))
		return 0;
	/* Without the lock a table on the way might be freed and hold anything. */
	spin_lock(&v->domain->mm.lock);
	entry = walk_to_l1(v, root, va);
	if (entry)
		e = READ_ONCE(*entry);
	spin_unlock(&v->domain->mm.lock);
	return e & PTE_PRESENT ? e : 0;
}
