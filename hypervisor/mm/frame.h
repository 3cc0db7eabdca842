/* SPDX-License-Identifier: MIT */
/*
 * The frame table: 16 bytes for each machine frame up to the highest one of RAM. Private to mm/; the
 * rules that its counts follow are in the essay at the head of page_type.c.
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include "cpu/percpu.h"
#include "lib/lib.h"
#include "mm/mm.h"

/*
 * struct frame.state, changed atomically as a whole. References and type count have a guard bit at
 * their top: a count that reaches it is full, so that no race of increments can overflow into the next
 * field.
 *
 *	0-25	references: what keeps the frame from being freed
 *	26-51	type count: references that need the frame to have its type; of free frames and of
 *		objects of kzalloc() other things (alloc.c), nobody looks since there is no reference
 *	52-54	type: enum page_type; meaningful with count 0 too: what it was last
 *	55-63	flags
 */
#define FRAME_REF	 1UL
#define FRAME_REFS	 ((1UL << 26) - 1)
#define FRAME_TYPE_REF	 (1UL << 26)
#define FRAME_TYPE_REFS	 (((1UL << 26) - 1) << 26)
#define FRAME_FULL	 (1UL << 25 | 1UL << 51)
#define FRAME_TYPE_SHIFT 52
#define FRAME_TYPE	 (7UL << FRAME_TYPE_SHIFT)
#define FRAME_VALID \
	(1UL << 55) /* table or descriptors: contents validated, their references held */
#define FRAME_PARTIAL \
	(1UL << 56) /* table: the entries below index hold references, the others don't */
#define FRAME_FAILED \
	(1UL << 57) /* with PARTIAL: validation failed, the rest is only to be undone */
#define FRAME_PINNED (1UL << 58) /* the guest's pin: one reference with type */
#define FRAME_ALLOC  (1UL << 59) /* owned as memory of a domain: one reference */
#define FRAME_HV     (1UL << 60) /* the hypervisor's; with references: shared with a domain */
#define FRAME_RAM    (1UL << 61) /* never changes after boot; clear: a hole, or a device's */
#define FRAME_FREE   (1UL << 62)
#define FRAME_HEAD \
	(1UL << 63) /* with FREE: first of a block in a free list; with HV: of an object */
/*
 * The same bit of a frame with references: a domain other than its owner has mapped it for writing, other than by a
 * grant, so that any CPU may remember that until it is flushed.
 */
#define FRAME_FOREIGN	FRAME_HEAD

#define TYPE_BITS(type) ((uint64_t)(type) * (1UL << FRAME_TYPE_SHIFT))
/* A type of our own: shared with a domain that may read it only. */
#define PT_READ_ONLY 7

struct frame {
	uint64_t state;
	union {
		struct { /* with references */
			domid_t owner;
			uint16_t index; /* with PARTIAL; under the owner's mm.lock */
			uint32_t stamp; /* of the TLB clock when the type was last given up */
		};
		uint64_t owner_index_stamp; /* the three at once */
		struct {		    /* in a list */
			uint32_t prev, next;
		};
	};
};
_Static_assert(sizeof(struct frame) == 16, "a frame-table entry");

#ifdef UNIT_TEST
extern struct frame *frame_table;
extern uint64_t *m2p_table;
#else
#define frame_table ((struct frame *)FRAMETABLE_VIRT_START)
#define m2p_table   ((uint64_t *)M2P_RW_VIRT_START)
#endif

#define INVALID_M2P_ENTRY (~0UL)

static inline mfn_t frame_mfn(const struct frame *f)
{
	return (mfn_t)(f - frame_table);
}

static inline uint64_t frame_state(const struct frame *f)
{
	return __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);
}

/* *old is reloaded when the exchange fails. */
static inline bool frame_exchange(struct frame *f, uint64_t *old, uint64_t new)
{
	return __atomic_compare_exchange_n(&f->state, old, new, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

static inline unsigned int state_type(uint64_t state)
{
	return (state & FRAME_TYPE) >> FRAME_TYPE_SHIFT;
}

static inline uint64_t state_refs(uint64_t state)
{
	return state & FRAME_REFS;
}

static inline uint64_t state_type_refs(uint64_t state)
{
	return (state & FRAME_TYPE_REFS) / FRAME_TYPE_REF;
}

/* The entry of a frame that a guest named, or NULL: not RAM. */
static inline struct frame *frame_of_ram(mfn_t mfn)
{
	struct frame *f;

	if (unlikely(mfn >= max_mfn))
		return NULL;
	f = &frame_table[clamp_index(mfn, max_mfn)];
	return likely(frame_state(f) & FRAME_RAM) ? f : NULL;
}

/* Domain d's frames from the table, whose entries its lock covers. */
static inline bool frame_is_owned(const struct frame *f, const struct domain *d)
{
	return f->owner == d->id;
}

/* 512 words. The compiler's memset may be a loop over bytes. */
static inline void clear_page(void *page)
{
	uint64_t n = PAGE_SIZE / sizeof(uint64_t);

	__asm__ volatile("rep stosq" : "+D"(page), "+c"(n) : "a"(0UL) : "memory");
}

/* ---- frame.c ---- */
/* Parts of mm_init() that host tests use too. */
void frames_mark_ram(mfn_t start, mfn_t end); /* [start, end) is RAM, the hypervisor's as yet */
void frame_masks_init(void);
extern uint64_t bad_table_bits; /* that no entry of a level-2 to 4 table may have set */
extern uint64_t bad_l1_bits;
/* May d map this frame, which is no RAM? (A device that the hypervisor doesn't keep for itself.) */
bool io_frame_allowed(const struct domain *d, mfn_t mfn);
/* Is it one that may be read only, though allowed? */
bool io_frame_read_only(mfn_t mfn);
/* The first frame of a 2 MiB piece of the machine-to-physical map, 0 for a hole. */
mfn_t m2p_piece(unsigned long piece);
/* The domain with this id, if it exists: one of the two below, too. */
struct domain *owner_domain(domid_t id);
/*
 * What owns what no domain does. io_domain, DOMID_IO: devices. xen_domain, DOMID_XEN: frames of the hypervisor that
 * the tools may read, which is the machine-to-physical map.
 */
extern struct domain io_domain, xen_domain;
/* The domain that the caller named as the owner of frames (domain_find()). -ESRCH: none; -EPERM: none of its business. */
int find_other_owner(domid_t id, struct domain **d);
static inline int find_owner(domid_t id, struct domain **d)
{
	*d = current->domain;
	return likely(id == DOMID_SELF || id == (*d)->id) ? 0 : find_other_owner(id, d);
}

/* ---- alloc.c ---- */
/* Room for allocations below a number of address bits: 0, none. */
#define ALLOC_ADDRESS_BITS(n)	((unsigned int)(n) << 8)
#define ALLOC_FLAGS_BITS(flags) ((flags) >> 8)
#define MAX_ORDER		18
/* [start, end) of the hypervisor's frames that were never used: to the free lists. */
void frames_free_at_boot(mfn_t start, mfn_t end);
/* A frame whose last reference went away. */
void free_domain_frame(struct frame *f);
/* 2^order frames for d in place of others that it is about to lose: as domain_alloc_frames, the count of pages apart. */
mfn_t alloc_frames_for(struct domain *d, unsigned int order, unsigned int flags);
/* Frames [mfn, mfn + n) become d's: domain_relinquish_memory() is to find them. Before they can be seen to be. */
void note_frames(struct domain *d, mfn_t mfn, mfn_t n);
/* When this returns every frame that was freed as one of a domain's, before the domain began to die, is in a list. */
void wait_for_frees(void);
/* A frame of d that has no reference, as free_domain_frame() but for d's count of pages. */
void free_frame_of(struct domain *d, struct frame *f);
/* Take n pages from what d may own, if that leaves it within its limit. */
bool reserve_pages(struct domain *d, uint64_t n);
/* Pages that d has anyway. */
void account_pages(struct domain *d, uint64_t n);
/* A free frame: its last owner was a domain that is no more, so whoever gets it gets it scrubbed. */
void forget_last_owner(struct frame *f, domid_t id);
/* Frames in the free lists, counted from nothing, and whether the lists are sound. For the audit. */
bool check_free_lists(uint64_t *frames);
#ifdef UNIT_TEST
void alloc_reset(void);
#endif

#endif
