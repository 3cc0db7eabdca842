/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: a buddy system in one zone for each width of frame number, so that "below n
 * address bits" is a set of whole zones and the highest memory goes first. Zone z holds the frames whose
 * numbers have z significant bits. Frame 0 is never handed out.
 *
 * A free frame remembers who had it last. What memory held when the machine started, which may be another system's
 * secrets, goes as it is to who is privileged; a frame that returns to the domain that freed it needs no scrubbing
 * either, since it saw the contents before; everybody else gets it
 * scrubbed, after the flush that makes sure that no TLB still maps it (page_type.c, "stale translations"). A CPU of an
 * idle machine does that beforehand for a few megabytes: see "scrubbing ahead".
 *
 * Locks: heap_lock for lists and free frames' entries, kmem_lock before it for kzalloc's; d's page_lock.
 * All are leaves for everybody else.
 */
#include "mm/page_type.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/spinlock.h"

#define NR_ZONES 41 /* frame numbers of 52-bit addresses */
#define NO_FRAME 0  /* ends lists: frame 0 is in none */

/* state of a free frame: its block's order if HEAD, and its last owner */
#define FREE_ORDER_SHIFT 26
#define FREE_OWNER_SHIFT 31
#define OWNER_UNUSED	 0xffff	       /* nobody since the machine started */
#define OWNER_GONE	 DOMID_INVALID /* a domain that is no more */
#define OWNER_HYPERVISOR DOMID_XEN     /* no guest ever mapped it */
#define OWNER_CLEAN	 0xfffe	       /* flushed and scrubbed since */

static spinlock_t heap_lock;
static uint32_t free_list[NR_ZONES][MAX_ORDER + 1];
static uint32_t orders_in[NR_ZONES]; /* bit per order with a block */
static uint64_t zones_in;	     /* bit per zone with a block */
static uint64_t nr_free;
static uint64_t nr_claimed; /* of those; the sum of all domains' claims, never more */
static uint32_t
    last_free_stamp;	      /* TLB clock when a domain's frame was last freed; never goes back */
static uint64_t list_changes; /* blocks that came into or left the lists */

static uint64_t free_state(unsigned int owner)
{
	return FRAME_RAM | FRAME_FREE | (uint64_t)owner << FREE_OWNER_SHIFT;
}

static unsigned int last_owner(const struct frame *f)
{
	return f->state >> FREE_OWNER_SHIFT & 0xffff;
}

static unsigned int block_order(const struct frame *f)
{
	return f->state >> FREE_ORDER_SHIFT & 31;
}

static unsigned int zone_of(mfn_t mfn)
{
	return highest_bit(mfn) + 1;
}

/* ---- lists; heap_lock held ---- */

static void list_insert(struct frame *f, unsigned int order)
{
	mfn_t mfn = frame_mfn(f);
	unsigned int zone = zone_of(mfn);
	uint32_t *head = &free_list[zone][order];

	f->state &= ~(31UL << FREE_ORDER_SHIFT);
	f->state |= FRAME_HEAD | (uint64_t)order << FREE_ORDER_SHIFT;
	f->prev = NO_FRAME;
	f->next = *head;
	if (f->next != NO_FRAME)
		frame_table[f->next].prev = (uint32_t)mfn;
	*head = (uint32_t)mfn;
	orders_in[zone] |= 1U << order;
	zones_in |= 1UL << zone;
	list_changes++;
}

static void list_remove(struct frame *f, unsigned int order)
{
	unsigned int zone = zone_of(frame_mfn(f));
	uint32_t *head = &free_list[zone][order];

	ASSERT((f->state & (FRAME_FREE | FRAME_HEAD)) == (FRAME_FREE | FRAME_HEAD) &&
	       *head != NO_FRAME);
	if (f->next != NO_FRAME)
		frame_table[f->next].prev = f->prev;
	if (f->prev != NO_FRAME)
		frame_table[f->prev].next = f->next;
	else
		*head = f->next;
	f->state &= ~FRAME_HEAD;
	list_changes++;
	if (*head == NO_FRAME) {
		orders_in[zone] &= ~(1U << order);
		if (!orders_in[zone])
			zones_in &= ~(1UL << zone);
	}
}

/* A block whose frames' entries are free ones: join it with its buddies. */
static void insert_block(mfn_t mfn, unsigned int order)
{
	nr_free += 1UL << order;
	while (order < MAX_ORDER) {
		mfn_t other = mfn ^ (1UL << order);
		struct frame *f = &frame_table[other];

		if (other >= max_mfn || other == 0 || zone_of(other) != zone_of(mfn) ||
		    (f->state & (FRAME_FREE | FRAME_HEAD)) != (FRAME_FREE | FRAME_HEAD) ||
		    block_order(f) != order)
			break;
		list_remove(f, order);
		mfn &= ~(1UL << order);
		order++;
	}
	list_insert(&frame_table[mfn], order);
}

/* A block from the highest zone of those allowed that has one. NULL: none. */
static struct frame *take_block(unsigned int order, uint64_t allowed)
{
	for (uint64_t zones = zones_in & allowed; zones;) {
		unsigned int zone = highest_bit(zones), have;
		struct frame *f;

		if (!(orders_in[zone] >> order)) {
			zones &= ~(1UL << zone);
			continue;
		}
		have = order + lowest_bit(orders_in[zone] >> order);
		f = &frame_table[free_list[zone][have]];
		ASSERT(block_order(f) == have && nr_free >= 1UL << order);
		list_remove(f, have);
		while (have > order) {
			have--;
			list_insert(f + (1UL << have), have);
		}
		nr_free -= 1UL << order;
		return f;
	}
	return NULL;
}

/* May n frames be taken, by a domain with this claim? What others have claimed is not there. */
static bool available(uint64_t n, uint64_t claim)
{
	return nr_free - nr_claimed + claim >= n;
}

/* claim: a domain's that is used up by what is taken, or NULL. */
static struct frame *allocate(unsigned int order, unsigned int flags, uint64_t *claim)
{
	unsigned int bits = ALLOC_FLAGS_BITS(flags);
	uint64_t allowed = ~0UL;
	struct frame *f;

	if (order > MAX_ORDER)
		return NULL;
	if (flags & ALLOC_BELOW_4G)
		bits = bits ? min(bits, 32U) : 32;
	if (bits && bits < PAGE_SHIFT + NR_ZONES)
		allowed = bits > PAGE_SHIFT ? (2UL << (bits - PAGE_SHIFT)) - 1 : 0;
	spin_lock(&heap_lock);
	f = available(1UL << order, claim ? *claim : 0) ? take_block(order, allowed) : NULL;
	if (f && claim && *claim) {
		uint64_t n = min(*claim, 1UL << order);

		*claim -= n;
		nr_claimed -= n;
	}
	spin_unlock(&heap_lock);
	return f;
}

static void poison(struct frame *f)
{
#ifdef DEBUG
	memset(mfn_to_virt(frame_mfn(f)), 0x5c, PAGE_SIZE);
#endif
}

void frames_free_at_boot(mfn_t start, mfn_t end)
{
	if (start == 0)
		start = 1;
	for (mfn_t mfn = start; mfn < end; mfn++)
		frame_table[mfn].state = free_state(OWNER_UNUSED);
	spin_lock(&heap_lock);
	while (start < end) {
		unsigned int order = min(lowest_bit(start), highest_bit(end - start));

		order = min(order, (unsigned int)MAX_ORDER);
		insert_block(start, order);
		start += 1UL << order;
	}
	spin_unlock(&heap_lock);
}

uint64_t free_frames(void)
{
	return READ_ONCE(nr_free);
}

static bool is_unmapped(unsigned int owner)
{
	return owner == OWNER_UNUSED || owner == OWNER_HYPERVISOR || owner == OWNER_CLEAN;
}

/* ---- for the hypervisor ---- */

mfn_t alloc_frames(unsigned int order, unsigned int flags)
{
	struct frame *block = allocate(order, flags, NULL);
	bool flushed = false;

	if (!block)
		return INVALID_MFN;
	for (struct frame *f = block; f < block + (1UL << order); f++) {
		unsigned int owner = last_owner(f);

		if (!flushed && !is_unmapped(owner)) {
			tlb_flush_older(cpu_online_mask, READ_ONCE(last_free_stamp));
			flushed = true;
		}
		f->prev = f->next = 0;
		f->state = FRAME_RAM | FRAME_HV;
		if ((flags & ALLOC_ZERO) && owner != OWNER_CLEAN)
			clear_page(mfn_to_virt(frame_mfn(f)));
	}
	return frame_mfn(block);
}

void free_hv_frames(mfn_t mfn, unsigned int order)
{
	struct frame *block = &frame_table[mfn];

	/* Frame 0 is RAM that is not used. */
	if (mfn == 0)
		return;
	for (struct frame *f = block; f < block + (1UL << order); f++) {
		BUG_ON((f->state & (FRAME_HV | FRAME_RAM | FRAME_FREE | FRAME_REFS)) !=
		       (FRAME_HV | FRAME_RAM));
		poison(f);
		f->state = free_state(OWNER_HYPERVISOR);
	}
	spin_lock(&heap_lock);
	insert_block(mfn, order);
	spin_unlock(&heap_lock);
}

void *alloc_pages(unsigned int order, unsigned int flags)
{
	mfn_t mfn = alloc_frames(order, flags);

	return mfn == INVALID_MFN ? NULL : mfn_to_virt(mfn);
}

void free_pages_virt(void *p, unsigned int order)
{
	if (p)
		free_hv_frames(virt_to_mfn(p), order);
}

/* ---- for domains ---- */

/*
 * d has n pages more (or less). As long as it has any it holds a reference on itself: whoever has a reference on a
 * frame can rely on its owner.
 */
static void adjust_pages(struct domain *d, uint64_t n)
{
	uint64_t was = d->mm.tot_pages;

	d->mm.tot_pages = was + n;
	if (unlikely(!was && n))
		domain_hold(d);
}

bool reserve_pages(struct domain *d, uint64_t n)
{
	bool ok;

	spin_lock(&d->mm.page_lock);
	ok = d->mm.tot_pages + n <= d->mm.max_pages && !d->is_dying;
	if (ok)
		adjust_pages(d, n);
	spin_unlock(&d->mm.page_lock);
	return ok;
}

void account_pages(struct domain *d, uint64_t n)
{
	bool last;

	spin_lock(&d->mm.page_lock);
	adjust_pages(d, n);
	last = n && !d->mm.tot_pages;
	spin_unlock(&d->mm.page_lock);
	if (unlikely(last))
		domain_put(d);
}

static void unreserve_pages(struct domain *d, uint64_t n)
{
	account_pages(d, -n);
}

/* A frame that somebody had before, or that is wanted empty, on its way to d. */
static void __attribute__((noinline))
prepare_used(const struct domain *d, struct frame *f, unsigned int flags, bool *flushed)
{
	unsigned int owner = last_owner(f);

	if (owner == OWNER_CLEAN)
		return;
	if (!is_unmapped(owner) && owner != d->id && !*flushed) {
		tlb_flush_older(cpu_online_mask, READ_ONCE(last_free_stamp));
		*flushed = true;
	}
	if ((flags & ALLOC_ZERO) || owner != d->id)
		clear_page(mfn_to_virt(frame_mfn(f)));
}

static void raise(mfn_t *limit, mfn_t to)
{
	mfn_t was = READ_ONCE(*limit);

	while (to > was && !__atomic_compare_exchange_n(limit, &was, to, false, __ATOMIC_SEQ_CST,
							__ATOMIC_RELAXED))
		;
}

void note_frames(struct domain *d, mfn_t mfn, mfn_t n)
{
	raise(&d->mm.frames_from, ~mfn);
	raise(&d->mm.frames_to, mfn + n);
}

static mfn_t give_frames(struct domain *d, unsigned int order, unsigned int flags, uint64_t *claim)
{
	struct frame *block = allocate(order, flags, claim);
	/* Index 0. If it was d's before, translations from then are harmless until it gets a type. */
	uint64_t fresh = d->id | (uint64_t)tlb_clock_now() << 32;
	bool flushed = false;

	if (!block)
		return INVALID_MFN;
	note_frames(d, frame_mfn(block), 1UL << order);
	for (struct frame *f = block; f < block + (1UL << order); f++) {
		if (unlikely((flags & ALLOC_ZERO) || last_owner(f) != OWNER_UNUSED ||
			     !d->is_privileged))
			prepare_used(d, f, flags, &flushed);
		f->owner_index_stamp = fresh;
		__atomic_store_n(&f->state, FRAME_RAM | FRAME_ALLOC | FRAME_REF, __ATOMIC_RELEASE);
	}
	return frame_mfn(block);
}

mfn_t alloc_frames_for(struct domain *d, unsigned int order, unsigned int flags)
{
	return give_frames(d, order, flags, NULL);
}

mfn_t domain_alloc_frames(struct domain *d, unsigned int order, unsigned int flags)
{
	mfn_t mfn;

	if (order > MAX_ORDER || !reserve_pages(d, 1UL << order))
		return INVALID_MFN;
	mfn = give_frames(d, order, flags, &d->mm.claimed);
	if (mfn == INVALID_MFN) {
		unreserve_pages(d, 1UL << order);
		return INVALID_MFN;
	}
	/*
	 * If it has begun to die, domain_relinquish_memory() may have looked at these frames before they were its. They
	 * are by now for everybody to see, and what follows is read after that.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (likely(!READ_ONCE(d->is_dying)))
		return mfn;
	for (mfn_t i = 0; i < 1UL << order; i++)
		drop_ownership(d, mfn + i);
	return INVALID_MFN;
}

/* claims: what d gives back counts for its claim. */
static void free_frame(struct domain *d, struct frame *f, bool claims)
{
	/* What a stranger's TLB may still write to must be flushed before d has it again. */
	bool remembered = frame_state(f) & FRAME_FOREIGN;

	m2p_table[frame_mfn(f)] = INVALID_M2P_ENTRY;
	poison(f);
	spin_lock(&heap_lock);
	WRITE_ONCE(last_free_stamp, tlb_clock_now());
	/* With the lock: wait_for_frees(). */
	f->state = free_state(!d || READ_ONCE(d->is_dying) || remembered ? OWNER_GONE : d->id);
	insert_block(frame_mfn(f), 0);
	if (unlikely(claims && d && d->mm.claimed)) {
		d->mm.claimed++;
		nr_claimed++;
	}
	spin_unlock(&heap_lock);
}

void free_frame_of(struct domain *d, struct frame *f)
{
	free_frame(d, f, false);
}

void free_domain_frame(struct frame *f)
{
	struct domain *d = owner_domain(f->owner);

	free_frame(d, f, true);
	/* Last: with its last page d may cease to exist. It does not exist yet if its creation fails. */
	if (d)
		unreserve_pages(d, 1);
}

void wait_for_frees(void)
{
	spin_lock(&heap_lock);
	spin_unlock(&heap_lock);
}

/* ---- scrubbing ahead ---- */

/*
 * Frames are scrubbed where they lie, in the lists, so that nothing is missing meanwhile: those of which domains would
 * be given 2 MiB next, as far as CLEAN_RESERVE goes. The walk through them begins anew when a list has changed; else it
 * comes to its end, and then there is nothing to do until a list changes. All under heap_lock, a frame at a time.
 */
#ifndef CLEAN_RESERVE
#define CLEAN_RESERVE	 (32UL << (20 - PAGE_SHIFT))
#define CLEAN_FROM_ORDER 9
#endif
#define LOOK_AT 64 /* frames that are clean already, in one step */

static struct {
	bool allowed, over;
	uint64_t changes; /* of the lists, for which this holds */
	uint64_t left;	  /* of the reserve */
	unsigned int zone, order;
	uint32_t block; /* in their list, or NO_FRAME */
	mfn_t next;	/* in the block */
} ahead;

static void walk_begin(void)
{
	ahead.over = false;
	ahead.changes = list_changes;
	ahead.left = CLEAN_RESERVE;
	ahead.zone = NR_ZONES;
	ahead.order = MAX_ORDER;
	ahead.block = NO_FRAME;
	ahead.next = 0;
}

/* In the order of take_block(). */
static bool walk_to_block(void)
{
	uint32_t block = ahead.block == NO_FRAME ? NO_FRAME : frame_table[ahead.block].next;

	while (block == NO_FRAME) {
		if (ahead.order++ == MAX_ORDER) {
			if (ahead.zone-- == 0)
				return false;
			ahead.order = CLEAN_FROM_ORDER;
		}
		block = free_list[ahead.zone][ahead.order];
	}
	ahead.block = block;
	ahead.next = 0;
	return true;
}

static struct frame *walk_next(void)
{
	bool in_block = ahead.block != NO_FRAME && ahead.next < 1UL << ahead.order;

	if (!ahead.left || (!in_block && !walk_to_block()))
		return NULL;
	ahead.left--;
	return &frame_table[ahead.block + ahead.next++];
}

static void walk_step(void)
{
	for (unsigned int i = 0; i < LOOK_AT; i++) {
		struct frame *f = walk_next();

		if (!f) {
			ahead.over = true;
			return;
		}
		if (last_owner(f) == OWNER_CLEAN)
			continue;
		clear_page(mfn_to_virt(frame_mfn(f)));
		f->state &= ~(0xffffUL << FREE_OWNER_SHIFT);
		f->state |= (uint64_t)OWNER_CLEAN << FREE_OWNER_SHIFT;
		return;
	}
}

void scrub_ahead_begin(void)
{
	WRITE_ONCE(ahead.allowed, true);
}

bool scrub_ahead(void)
{
	uint32_t stamp = READ_ONCE(last_free_stamp);

	if (!READ_ONCE(ahead.allowed) ||
	    (READ_ONCE(ahead.over) && READ_ONCE(ahead.changes) == READ_ONCE(list_changes)))
		return false;
	/* Before the lock, for it waits for others. What is freed from then on has a later stamp, or the same if freed
	 * before: page_type.c, the TLB clock. */
	tlb_flush_older(cpu_online_mask, stamp);
	spin_lock(&heap_lock);
	if (last_free_stamp == stamp) {
		if (ahead.changes != list_changes)
			walk_begin();
		/* Another CPU may have come to the end meanwhile. */
		if (!ahead.over)
			walk_step();
	}
	spin_unlock(&heap_lock);
	return true;
}

/* ---- claims ---- */

static int claim_locked(struct domain *d, uint64_t pages)
{
	uint64_t has = READ_ONCE(d->mm.tot_pages);

	nr_claimed -= pages ? 0 : d->mm.claimed;
	if (!pages) {
		d->mm.claimed = 0;
		return 0;
	}
	if (d->is_dying || d->mm.claimed || pages <= has || pages > d->mm.max_pages)
		return -EINVAL;
	if (!available(pages - has, 0))
		return -ENOMEM;
	d->mm.claimed = pages - has;
	nr_claimed += pages - has;
	return 0;
}

int set_claim(struct domain *d, uint64_t pages)
{
	int rc;

	spin_lock(&heap_lock);
	rc = claim_locked(d, pages);
	spin_unlock(&heap_lock);
	return rc;
}

uint64_t claimed_frames(void)
{
	return READ_ONCE(nr_claimed);
}

void forget_last_owner(struct frame *f, domid_t id)
{
	uint64_t state, new;

	/* Nobody frees it as id's any more. */
	if (last_owner(f) != id)
		return;
	/* The lock keeps f's block as it is; an allocation that has taken it already stores last. */
	spin_lock(&heap_lock);
	state = frame_state(f);
	if ((state & FRAME_FREE) && (state >> FREE_OWNER_SHIFT & 0xffff) == id) {
		new = state & ~(0xffffUL << FREE_OWNER_SHIFT);
		new |= (uint64_t)OWNER_GONE << FREE_OWNER_SHIFT;
		frame_exchange(f, &state, new);
	}
	spin_unlock(&heap_lock);
}

/*
 * Without heap_lock: all other CPUs wait for the audit, none of them within the lock, where nobody polls; but one may have
 * been stopped while it waited for it, and its ticket would come before ours.
 */
bool check_free_lists(uint64_t *frames)
{
	bool sound = true;

	*frames = 0;
	for (unsigned int zone = 0; zone < NR_ZONES; zone++) {
		for (unsigned int order = 0; order <= MAX_ORDER; order++) {
			uint32_t before = NO_FRAME;

			for (uint32_t at = free_list[zone][order]; at != NO_FRAME;
			     before = at, at = frame_table[at].next) {
				const struct frame *f = &frame_table[at];

				if (!(f->state & FRAME_FREE) || !(f->state & FRAME_HEAD) ||
				    block_order(f) != order || f->prev != before ||
				    zone_of(at) != zone) {
					sound = false;
					break;
				}
				*frames += 1UL << order;
			}
		}
	}
	return sound && *frames == nr_free;
}

/* ---- small objects ---- */

/*
 * Objects of 16 to 2048 bytes, a power of two, in pages of their own. The entry of such a page says which
 * class, how many objects are in use and which is the first free one; each free object starts with the
 * number of the next one. Pages with a free object are in their class's list. Larger things are blocks
 * of frames: class KMEM_BLOCK, with the order in place of the count.
 */
#define KMEM_MIN_SHIFT	 4
#define KMEM_CLASSES	 8
#define KMEM_BLOCK	 15
#define KMEM_NONE	 0x1ff
#define KMEM_CLASS_SHIFT 26
#define KMEM_USED_SHIFT	 30
#define KMEM_FIRST_SHIFT 39

static spinlock_t kmem_lock;
static uint32_t kmem_list[KMEM_CLASSES];

static uint64_t kmem_state(unsigned int class, unsigned int used, unsigned int first)
{
	return FRAME_RAM | FRAME_HV | FRAME_HEAD | (uint64_t) class << KMEM_CLASS_SHIFT |
	       (uint64_t)used << KMEM_USED_SHIFT | (uint64_t)first << KMEM_FIRST_SHIFT;
}

static unsigned int kmem_class(const struct frame *f)
{
	return f->state >> KMEM_CLASS_SHIFT & 15;
}

static unsigned int kmem_used(const struct frame *f)
{
	return f->state >> KMEM_USED_SHIFT & 0x1ff;
}

static unsigned int kmem_first(const struct frame *f)
{
	return f->state >> KMEM_FIRST_SHIFT & 0x1ff;
}

static uint16_t *kmem_object(const struct frame *f, unsigned int class, unsigned int n)
{
	return (uint16_t *)((char *)mfn_to_virt(frame_mfn(f)) +
			    ((size_t)n << (KMEM_MIN_SHIFT + class)));
}

static void kmem_link(struct frame *f, unsigned int class)
{
	f->prev = NO_FRAME;
	f->next = kmem_list[class];
	if (f->next != NO_FRAME)
		frame_table[f->next].prev = (uint32_t)frame_mfn(f);
	kmem_list[class] = (uint32_t)frame_mfn(f);
}

static void kmem_unlink(struct frame *f, unsigned int class)
{
	if (f->next != NO_FRAME)
		frame_table[f->next].prev = f->prev;
	if (f->prev != NO_FRAME)
		frame_table[f->prev].next = f->next;
	else
		kmem_list[class] = f->next;
}

static struct frame *kmem_new_page(unsigned int class)
{
	unsigned int count = PAGE_SIZE >> (KMEM_MIN_SHIFT + class);
	mfn_t mfn = alloc_frames(0, 0);
	struct frame *f;

	if (mfn == INVALID_MFN)
		return NULL;
	f = &frame_table[mfn];
	f->state = kmem_state(class, 0, 0);
	for (unsigned int n = 0; n < count; n++)
		*kmem_object(f, class, n) = n + 1 < count ? n + 1 : KMEM_NONE;
	kmem_link(f, class);
	return f;
}

static void *kmem_alloc_block(size_t size)
{
	unsigned int order = size > PAGE_SIZE ? highest_bit((size - 1) >> PAGE_SHIFT) + 1 : 0;
	mfn_t mfn = alloc_frames(order, ALLOC_ZERO);

	if (mfn == INVALID_MFN)
		return NULL;
	frame_table[mfn].state = kmem_state(KMEM_BLOCK, order, KMEM_NONE);
	return mfn_to_virt(mfn);
}

void *kzalloc(size_t size)
{
	unsigned int class = 0, n;
	struct frame *f;
	void *p;

	while (class < KMEM_CLASSES && size > 1UL << (KMEM_MIN_SHIFT + class))
		class ++;
	if (class == KMEM_CLASSES)
		return size <= PAGE_SIZE << MAX_ORDER ? kmem_alloc_block(size) : NULL;
	spin_lock(&kmem_lock);
	f = kmem_list[class] != NO_FRAME ? &frame_table[kmem_list[class]] : kmem_new_page(class);
	if (!f) {
		spin_unlock(&kmem_lock);
		return NULL;
	}
	n = kmem_first(f);
	p = kmem_object(f, class, n);
	f->state = kmem_state(class, kmem_used(f) + 1, *(uint16_t *)p);
	if (kmem_first(f) == KMEM_NONE)
		kmem_unlink(f, class);
	spin_unlock(&kmem_lock);
	memset(p, 0, 1UL << (KMEM_MIN_SHIFT + class));
	return p;
}

void kfree(void *p)
{
	struct frame *f;
	unsigned int class, used, first;

	if (!p)
		return;
	f = &frame_table[virt_to_mfn(p)];
	BUG_ON((f->state & (FRAME_HV | FRAME_HEAD)) != (FRAME_HV | FRAME_HEAD));
	class = kmem_class(f);
	if (class == KMEM_BLOCK) {
		unsigned int order = kmem_used(f);

		f->state = FRAME_RAM | FRAME_HV;
		free_hv_frames(frame_mfn(f), order);
		return;
	}
	spin_lock(&kmem_lock);
	first = kmem_first(f);
	used = kmem_used(f) - 1;
#ifdef DEBUG
	memset(p, 0x5a, 1UL << (KMEM_MIN_SHIFT + class));
#endif
	*(uint16_t *)p = (uint16_t)first;
	f->state =
	    kmem_state(class, used, ((uintptr_t)p & (PAGE_SIZE - 1)) >> (KMEM_MIN_SHIFT + class));
	if (first == KMEM_NONE)
		kmem_link(f, class);
	if (used == 0) {
		kmem_unlink(f, class);
		f->state = FRAME_RAM | FRAME_HV;
		free_hv_frames(frame_mfn(f), 0);
	}
	spin_unlock(&kmem_lock);
}

#ifdef UNIT_TEST
void alloc_reset(void)
{
	memset(free_list, 0, sizeof(free_list));
	memset(orders_in, 0, sizeof(orders_in));
	memset(kmem_list, 0, sizeof(kmem_list));
	zones_in = nr_free = nr_claimed = 0;
	last_free_stamp = 0;
	memset(&ahead, 0, sizeof(ahead));
}
#endif
