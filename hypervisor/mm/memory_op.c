/* SPDX-License-Identifier: MIT */
/*
 * memory_op (public/memory.h): how much memory a domain has, and of which frames. Long lists continue by
 * re-execution: the number of extents done stands in the command above MEMOP_EXTENT_SHIFT, as the ABI's
 * return value does.
 */
#include "mm/page_type.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "grant/grant.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "pv/pv.h"
#include <public/memory.h>

#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK	   ((1UL << MEMOP_EXTENT_SHIFT) - 1)
/* Extents of 2 MiB, also for who is privileged: one is scrubbed in one go. */
#define MAX_EXTENT_ORDER 9
/* Frames between two looks at what else there is to do. */
#define FRAMES_BETWEEN_CHECKS 32
/* An exchange keeps a list of this many frames. */
#define EXCHANGE_MAX_ORDER 9

/* The domain whose memory the caller names. 0, -ESRCH, -EPERM. */
static int find_target(domid_t id, struct domain **d)
{
	return id == DOMID_IO || id == DOMID_XEN ? -ESRCH : find_owner(id, d);
}

/* ---- increase, decrease, populate ---- */

static unsigned int alloc_flags(unsigned int mem_flags)
{
	return ALLOC_ADDRESS_BITS(XENMEMF_get_address_bits(mem_flags));
}

/* Each of these does one extent: false to stop the list there. at: the extent's place in the list. */

static bool increase(struct domain *d, const struct xen_memory_reservation *r, vaddr_t at)
{
	mfn_t mfn = domain_alloc_frames(d, r->extent_order, alloc_flags(r->mem_flags));

	if (mfn == INVALID_MFN)
		return false;
	/* Should that fail the domain owns frames that it wasn't told of; its own fault, and its own loss. */
	return !r->extent_start.p || !put_guest_u64(at, mfn);
}

static bool populate(struct domain *d, const struct xen_memory_reservation *r, vaddr_t at)
{
	uint64_t gpfn;
	mfn_t mfn;

	if (get_guest_u64(&gpfn, at))
		return false;
	mfn = domain_alloc_frames(d, r->extent_order, alloc_flags(r->mem_flags));
	if (mfn == INVALID_MFN)
		return false;
	for (uint64_t i = 0; i < 1UL << r->extent_order; i++)
		m2p_set(mfn + i, gpfn + i);
	return !put_guest_u64(at, mfn);
}

static bool decrease(struct domain *d, const struct xen_memory_reservation *r, vaddr_t at)
{
	uint64_t mfn;

	if (get_guest_u64(&mfn, at))
		return false;
	for (uint64_t i = 0; i < 1UL << r->extent_order; i++)
		if (!drop_ownership(d, mfn + i))
			return false;
	return true;
}

/* The extents of r from *done on, until one cannot be done (0) or it is to be preempted (-EINTR). */
static int change_extents(struct domain *d, unsigned int cmd,
			  const struct xen_memory_reservation *r, unsigned long *done)
{
	for (unsigned long i = 0; *done < r->nr_extents; i++, ++*done) {
		vaddr_t at = (vaddr_t)r->extent_start.p + *done * 8;
		bool ok;

		if (i && (i << r->extent_order) % FRAMES_BETWEEN_CHECKS == 0 && preempt_check())
			return -EINTR;
		if (cmd == XENMEM_increase_reservation)
			ok = increase(d, r, at);
		else if (cmd == XENMEM_decrease_reservation)
			ok = decrease(d, r, at);
		else
			ok = populate(d, r, at);
		if (!ok)
			break;
	}
	return 0;
}

static long change_reservation(unsigned int cmd, vaddr_t arg, unsigned long done)
{
	struct xen_memory_reservation r;
	struct domain *d;
	vaddr_t list;
	int rc;

	if (copy_from_guest(&r, arg, sizeof(r)))
		return -EFAULT;
	/* What is malformed leaves everything undone, which is what the return value says. */
	if (r.nr_extents > ~0UL >> (MEMOP_EXTENT_SHIFT + 1) || done > r.nr_extents ||
	    r.extent_order > MAX_EXTENT_ORDER)
		return (long)done;
	list = (vaddr_t)r.extent_start.p;
	if ((cmd != XENMEM_increase_reservation || list) &&
	    (r.nr_extents > HV_VIRT_END / 8 || !guest_range_ok(list, r.nr_extents * 8)))
		return (long)done;
	if (cmd == XENMEM_populate_physmap && (r.mem_flags & XENMEMF_populate_on_demand))
		return (long)done;
	rc = find_target(r.domid, &d);
	if (rc)
		return rc == -ESRCH ? (long)done : rc;
	rc = change_extents(d, cmd, &r, &done);
	if (rc)
		return hypercall_continue(__HYPERVISOR_memory_op, 2,
					  cmd | done << MEMOP_EXTENT_SHIFT, arg);
	return (long)done;
}

/* ---- exchange ---- */

/* Out of circulation: no reference, so nobody can get one. */
bool steal_frame(struct domain *d, mfn_t mfn)
{
	struct frame *f = frame_of_ram(mfn);
	uint64_t s;

	if (!f)
		return false;
	s = frame_state(f);
	do {
		if (!(s & FRAME_ALLOC) || state_refs(s) != 1 || (s & FRAME_HV) ||
		    !frame_is_owned(f, d))
			return false;
	} while (!frame_exchange(f, &s, (s & ~FRAME_ALLOC) - FRAME_REF));
	return true;
}

/* A frame becomes d's memory while d may die: domain_relinquish_memory() may have looked at it before. */
static void return_stolen_frame(struct domain *d, mfn_t mfn)
{
	__atomic_fetch_add(&frame_table[mfn].state, FRAME_ALLOC + FRAME_REF, __ATOMIC_SEQ_CST);
	if (unlikely(READ_ONCE(d->is_dying)))
		drop_ownership(d, mfn);
}

void free_stolen_frame(struct domain *d, mfn_t mfn)
{
	free_domain_frame(&frame_table[mfn]);
}

bool give_stolen_frame(mfn_t mfn, struct domain *from, struct domain *to)
{
	struct frame *f = &frame_table[mfn];

	if (!reserve_pages(to, 1))
		return false;
	/* Its pages' count goes to the other; it has no mapping, but CPUs may remember one. */
	account_pages(from, (uint64_t)-1);
	tlb_flush_cpus(f->state & FRAME_FOREIGN ? READ_ONCE(cpu_online_mask)
						: READ_ONCE(from->dirty_cpus));
	f->state &= ~FRAME_FOREIGN;
	note_frames(to, mfn, 1);
	f->owner = to->id;
	return_stolen_frame(to, mfn);
	return true;
}

/* A part of an exchange that either happens or not: n frames in, n out. */
struct exchange_part {
	unsigned int n, stolen, got;		/* frames */
	uint64_t mfn[1 << EXCHANGE_MAX_ORDER];	/* in */
	uint64_t gpfn[1 << EXCHANGE_MAX_ORDER]; /* of extents out */
	uint64_t out[1 << EXCHANGE_MAX_ORDER];	/* first frames of extents out */
};

static int exchange_prepare(struct domain *d, const struct xen_memory_exchange *x,
			    struct exchange_part *p, unsigned long first)
{
	unsigned int in = x->in.extent_order, out = x->out.extent_order;
	vaddr_t from = (vaddr_t)x->in.extent_start.p + first * 8;
	vaddr_t to = (vaddr_t)x->out.extent_start.p + ((first << in) >> out) * 8;

	p->stolen = p->got = 0;
	for (unsigned int i = 0; i < p->n >> in; i++) {
		uint64_t mfn;

		if (get_guest_u64(&mfn, from + i * 8UL))
			return -EFAULT;
		for (unsigned int k = 0; k < 1U << in; k++) {
			if (!steal_frame(d, mfn + k))
				return -EINVAL;
			p->mfn[p->stolen++] = mfn + k;
		}
	}
	for (unsigned int i = 0; i < p->n >> out; i++)
		if (get_guest_u64(&p->gpfn[i], to + i * 8UL))
			return -EFAULT;
	for (unsigned int i = 0; i < p->n >> out; i++) {
		/* What goes in pays for what comes out: the count of pages stays. */
		p->out[i] = alloc_frames_for(d, out, alloc_flags(x->out.mem_flags));
		if (p->out[i] == INVALID_MFN)
			return -ENOMEM;
		p->got++;
	}
	/* Another one's, which has begun to die: it must not come to own what nobody will look for any more. */
	return READ_ONCE(d->is_dying) ? -EINVAL : 0;
}

static void exchange_cancel(struct domain *d, const struct xen_memory_exchange *x,
			    struct exchange_part *p)
{
	/* Another vCPU may have found and mapped them already: then they go with that, and count till then. */
	account_pages(d, (uint64_t)p->got << x->out.extent_order);
	for (unsigned int i = 0; i < p->got; i++)
		for (mfn_t k = 0; k < 1UL << x->out.extent_order; k++)
			drop_ownership(d, p->out[i] + k);
	for (unsigned int i = 0; i < p->stolen; i++)
		return_stolen_frame(d, p->mfn[i]);
}

static int exchange_commit(struct domain *d, const struct xen_memory_exchange *x,
			   struct exchange_part *p, unsigned long first)
{
	unsigned int in = x->in.extent_order, out = x->out.extent_order;
	vaddr_t to = (vaddr_t)x->out.extent_start.p + ((first << in) >> out) * 8;
	int rc = 0;

	for (unsigned int i = 0; i < p->stolen; i++)
		free_frame_of(d, &frame_table[p->mfn[i]]);
	for (unsigned int i = 0; i < p->got; i++) {
		for (uint64_t k = 0; k < 1UL << out; k++)
			m2p_set(p->out[i] + k, p->gpfn[i] + k);
		if (put_guest_u64(to + i * 8UL, p->out[i]))
			rc = -EFAULT;
	}
	return rc;
}

static int check_exchange(const struct xen_memory_exchange *x)
{
	const struct xen_memory_reservation *in = &x->in, *out = &x->out;
	unsigned long limit = ~0UL >> (MEMOP_EXTENT_SHIFT + EXCHANGE_MAX_ORDER);

	if (in->domid != out->domid || x->nr_exchanged > in->nr_extents || in->nr_extents > limit ||
	    out->nr_extents > limit)
		return -EINVAL;
	if (in->extent_order > EXCHANGE_MAX_ORDER || out->extent_order > EXCHANGE_MAX_ORDER)
		return -EPERM;
	if (in->nr_extents << in->extent_order != out->nr_extents << out->extent_order)
		return -EINVAL;
	/* Whole parts (below) only. */
	if ((x->nr_exchanged << in->extent_order) & ((1UL << out->extent_order) - 1))
		return -EINVAL;
	if (in->nr_extents > HV_VIRT_END / 8 || out->nr_extents > HV_VIRT_END / 8 ||
	    !guest_range_ok((vaddr_t)in->extent_start.p, in->nr_extents * 8) ||
	    !guest_range_ok((vaddr_t)out->extent_start.p, out->nr_extents * 8))
		return -EFAULT;
	return 0;
}

/* x->nr_exchanged grows. -EINTR: preempted. */
static int exchange_parts(struct domain *d, struct xen_memory_exchange *x, struct exchange_part *p)
{
	unsigned int in = x->in.extent_order, order = max(in, x->out.extent_order);

	p->n = 1U << order;
	while (x->nr_exchanged < x->in.nr_extents) {
		unsigned long first = x->nr_exchanged;
		int rc = exchange_prepare(d, x, p, first);

		if (rc) {
			exchange_cancel(d, x, p);
			return rc;
		}
		x->nr_exchanged += p->n >> in;
		rc = exchange_commit(d, x, p, first);
		if (rc)
			return rc;
		if (x->nr_exchanged < x->in.nr_extents && preempt_check())
			return -EINTR;
	}
	return 0;
}

static long exchange(vaddr_t arg)
{
	struct xen_memory_exchange x;
	struct exchange_part *part;
	struct domain *d;
	vaddr_t done = arg + offsetof(struct xen_memory_exchange, nr_exchanged);
	int rc;

	if (copy_from_guest(&x, arg, sizeof(x)))
		return -EFAULT;
	rc = check_exchange(&x) ?: find_target(x.in.domid, &d);
	if (rc)
		return rc;
	part = kzalloc(sizeof(*part));
	rc = part ? exchange_parts(d, &x, part) : -ENOMEM;
	kfree(part);
	if (copy_to_guest(done, &x.nr_exchanged, sizeof(x.nr_exchanged)))
		return -EFAULT;
	if (rc == -EINTR)
		return hypercall_continue(__HYPERVISOR_memory_op, 2, XENMEM_exchange, arg);
	return rc;
}

/* ---- what there is ---- */

static long reservation(unsigned int cmd, vaddr_t arg)
{
	const struct shared_info *shared;
	struct xen_memory_domain who;
	struct domain *d;
	long pfns;
	int rc;

	if (copy_from_guest(&who, arg, sizeof(who)))
		return -EFAULT;
	rc = find_target(who.domid, &d);
	if (rc)
		return rc;
	switch (cmd) {
	case XENMEM_current_reservation:
		return (long)READ_ONCE(d->mm.tot_pages);
	case XENMEM_maximum_reservation:
		return (long)READ_ONCE(d->mm.max_pages);
	default:
		/*
		 * PV guests keep their own numbering, and say here how far it goes. Who has not said anything, as a
		 * domain that is being restored, or is dying, gets 0: -1 would be an error.
		 */
		shared = READ_ONCE(d->shared_info);
		pfns = shared ? (long)(READ_ONCE(shared->arch.max_pfn) & INT64_MAX) : 0;
		return pfns ? pfns - 1 : 0;
	}
}

/* One range of a memory map as guests see it. */
struct __packed e820_entry {
	uint64_t start, size;
	uint32_t type;
};
#define MAX_GUEST_RANGES 128

static long set_memory_map(vaddr_t arg)
{
	struct xen_foreign_memory_map what;
	struct e820_entry *ranges = NULL, *old;
	struct domain *d;
	size_t bytes;
	int rc;

	if (copy_from_guest(&what, arg, sizeof(what)))
		return -EFAULT;
	if (what.map.nr_entries > MAX_GUEST_RANGES)
		return -EINVAL;
	bytes = what.map.nr_entries * sizeof(*ranges);
	rc = find_target(what.domid, &d);
	if (rc)
		return rc;
	if (bytes) {
		ranges = kzalloc(bytes);
		rc = ranges ? copy_from_guest(ranges, (vaddr_t)what.map.buffer.p, bytes) : -ENOMEM;
	}
	if (!rc) {
		spin_lock(&d->mm.page_lock);
		old = ranges;
		/* What a dying one has is freed once. */
		if (!d->is_dying) {
			old = d->mm.memory_map;
			d->mm.memory_map = ranges;
			d->mm.memory_map_entries = what.map.nr_entries;
		}
		spin_unlock(&d->mm.page_lock);
		ranges = old;
	}
	kfree(ranges);
	return rc;
}

void free_memory_map(struct domain *d)
{
	void *map;

	spin_lock(&d->mm.page_lock);
	map = d->mm.memory_map;
	d->mm.memory_map = NULL;
	d->mm.memory_map_entries = 0;
	spin_unlock(&d->mm.page_lock);
	kfree(map);
}

static long memory_map_of_caller(vaddr_t arg)
{
	struct domain *d = current->domain;
	struct e820_entry ranges[MAX_GUEST_RANGES];
	struct xen_memory_map map;
	bool set;

	if (copy_from_guest(&map, arg, sizeof(map)))
		return -EFAULT;
	/* A copy, since guest memory is not touched with a lock held. */
	spin_lock(&d->mm.page_lock);
	set = d->mm.memory_map;
	if (set) {
		map.nr_entries = min(map.nr_entries, d->mm.memory_map_entries);
		memcpy(ranges, d->mm.memory_map, map.nr_entries * sizeof(ranges[0]));
	}
	spin_unlock(&d->mm.page_lock);
	if (!set)
		return -ENOSYS;
	if (copy_to_guest((vaddr_t)map.buffer.p, ranges, map.nr_entries * sizeof(ranges[0])))
		return -EFAULT;
	return copy_to_guest(arg, &map, sizeof(map));
}

static long machine_memory_map(vaddr_t arg)
{
	struct xen_memory_map map;
	vaddr_t to;

	if (!current->domain->is_privileged)
		return -EPERM;
	if (copy_from_guest(&map, arg, sizeof(map)))
		return -EFAULT;
	to = (vaddr_t)map.buffer.p;
	if (!to) {
		map.nr_entries = memory_map_entries;
	} else {
		map.nr_entries = min(map.nr_entries, memory_map_entries);
		for (unsigned int i = 0; i < map.nr_entries; i++) {
			const struct memory_range *r = &memory_map[i];
			struct e820_entry entry = {r->start, r->end - r->start, r->type};

			if (copy_to_guest(to + i * sizeof(entry), &entry, sizeof(entry)))
				return -EFAULT;
		}
	}
	return copy_to_guest(arg, &map, sizeof(map));
}

static long machphys_mapping(vaddr_t arg)
{
	struct xen_machphys_mapping mapping = {
	    .v_start = MACH2PHYS_VIRT_START,
	    .v_end = MACH2PHYS_VIRT_END,
	    .max_mfn = max_mfn - 1,
	};

	return copy_to_guest(arg, &mapping, sizeof(mapping));
}

static long machphys_mfn_list(vaddr_t arg)
{
	struct xen_machphys_mfn_list list;
	unsigned long pieces = DIV_ROUND_UP(max_mfn * sizeof(uint64_t), 2UL << 20);
	unsigned int i;

	if (copy_from_guest(&list, arg, sizeof(list)))
		return -EFAULT;
	for (i = 0; i < list.max_extents && i < pieces; i++)
		if (put_guest_u64((vaddr_t)list.extent_start.p + i * 8UL, m2p_piece(i)))
			return -EFAULT;
	list.nr_extents = i;
	return copy_to_guest(arg, &list, sizeof(list));
}

/* Frame numbers are the guest's own affair: there is no map to add to, for any domain that there is. */
static long physmap(vaddr_t arg)
{
	struct domain *d;
	domid_t id;

	/* The first member of all of them. */
	if (copy_from_guest(&id, arg, sizeof(id)))
		return -EFAULT;
	return find_target(id, &d) ?: -EINVAL;
}

/* ---- claims ---- */

static long claim_pages(vaddr_t arg)
{
	struct xen_memory_reservation r;
	struct domain *d;

	if (copy_from_guest(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.extent_start.p || r.extent_order || r.mem_flags)
		return -EINVAL;
	d = r.domid == DOMID_SELF ? NULL : domain_find(r.domid);
	if (!d)
		return -EINVAL;
	return current->domain->is_privileged ? set_claim(d, r.nr_extents) : -EPERM;
}

/* ---- resources: what is another domain's, for the tools ---- */

#define FRAMES_AT_ONCE 32

/* How many frames a resource may have; 0: there is no such one. */
static unsigned int resource_size(const struct domain *d, const struct xen_mem_acquire_resource *r)
{
	if (r->type != XENMEM_resource_grant_table)
		return 0; /* the others are of HVM domains, or of tracing that this processor code doesn't do */
	if (r->id == XENMEM_resource_grant_table_id_shared)
		return d->grant.max_frames;
	return r->id == XENMEM_resource_grant_table_id_status
		   ? DIV_ROUND_UP(d->grant.max_frames, GRANT_MAX_FRAMES / GRANT_MAX_STATUS_FRAMES)
		   : 0;
}

static int list_resource(struct domain *d, const struct xen_mem_acquire_resource *r)
{
	uint64_t mfn[FRAMES_AT_ONCE];
	unsigned int n;

	for (unsigned int i = 0; i < r->nr_frames; i += n) {
		int rc;

		n = min(r->nr_frames - i, (unsigned int)FRAMES_AT_ONCE);
		rc = grant_frames(d, r->id == XENMEM_resource_grant_table_id_status,
				  (unsigned int)r->frame + i, n, mfn);
		if (rc)
			return rc;
		if (copy_to_guest((vaddr_t)r->frame_list.p + i * 8UL, mfn, n * 8UL))
			return -EFAULT;
	}
	return 0;
}

static long acquire(struct domain *d, struct xen_mem_acquire_resource *r, vaddr_t arg)
{
	unsigned int size = resource_size(d, r);

	if (!size)
		return -EINVAL;
	if (r->frame_list.p)
		return list_resource(d, r);
	if (r->nr_frames)
		return -EINVAL;
	r->nr_frames = size;
	return copy_to_guest(arg, r, sizeof(*r));
}

static long acquire_resource(vaddr_t arg)
{
	struct xen_mem_acquire_resource r;
	struct domain *d;

	if (copy_from_guest(&r, arg, sizeof(r)))
		return -EFAULT;
	/* The offset has more bits than any resource frames. */
	if (r.pad || r.frame > UINT32_MAX || r.nr_frames > UINT32_MAX - r.frame)
		return -EINVAL;
	d = r.domid == DOMID_SELF ? NULL : domain_find(r.domid);
	if (!d)
		return -ESRCH;
	/* Its own resources are nobody's to acquire. */
	if (d == current->domain || !current->domain->is_privileged)
		return -EPERM;
	return acquire(d, &r, arg);
}

long do_memory_op(unsigned long cmd, vaddr_t arg)
{
	unsigned int op = cmd & MEMOP_CMD_MASK;
	static unsigned long told;

	switch (op) {
	case XENMEM_increase_reservation:
	case XENMEM_decrease_reservation:
	case XENMEM_populate_physmap:
		return change_reservation(op, arg, cmd >> MEMOP_EXTENT_SHIFT);
	case XENMEM_exchange:
		return exchange(arg);
	case XENMEM_maximum_ram_page:
		return (long)max_mfn - 1;
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
	case XENMEM_maximum_gpfn:
		return reservation(op, arg);
	case XENMEM_memory_map:
		return memory_map_of_caller(arg);
	case XENMEM_set_memory_map:
		return set_memory_map(arg);
	case XENMEM_claim_pages:
		return claim_pages(arg);
	case XENMEM_machine_memory_map:
		return machine_memory_map(arg);
	case XENMEM_machphys_mapping:
		return machphys_mapping(arg);
	case XENMEM_machphys_mfn_list:
		return machphys_mfn_list(arg);
	case XENMEM_add_to_physmap:
	case XENMEM_add_to_physmap_batch:
	case XENMEM_remove_from_physmap:
		return physmap(arg);
	case XENMEM_acquire_resource:
		return acquire_resource(arg);
	case XENMEM_get_sharing_freed_pages:
	case XENMEM_get_sharing_shared_pages:
		return 0; /* no frame is shared between domains */
	case XENMEM_get_vnumainfo:
		return -EOPNOTSUPP; /* no domain has such a topology */
	default:
		if (!test_and_set_bit(op, &told))
			guest_log("memory_op %u is not implemented\n", op);
		return -ENOSYS;
	}
}
