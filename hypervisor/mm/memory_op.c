/* SPDX-License-Identifier: MIT */
/*
 * memory_op (public/memory.h): how much memory a domain has, and of which frames. Long lists continue by
 * re-execution: the number of extents done stands in the command above MEMOP_EXTENT_SHIFT, as the ABI's
 * return value does.
 */
#include "mm/page_type.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "pv/pv.h"
#include <public/memory.h>

#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK	   ((1UL << MEMOP_EXTENT_SHIFT) - 1)
/* Extents of 2 MiB for everyone, of 1 GiB for who is privileged. */
#define MAX_ORDER_GUEST 9
/* Frames between two looks at what else there is to do. */
#define FRAMES_BETWEEN_CHECKS 32
/* An exchange keeps a list of this many frames. */
#define EXCHANGE_MAX_ORDER 9

/* The named domain is the caller; 0, or what others get. */
static int check_domain(const struct domain *d, domid_t id)
{
	if (id == DOMID_SELF || id == d->id)
		return 0;
	return d->is_privileged ? -ESRCH : -EPERM;
}

static unsigned int max_order(const struct domain *d)
{
	return d->is_privileged ? MAX_ORDER : MAX_ORDER_GUEST;
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

static long change_reservation(unsigned int cmd, vaddr_t arg, unsigned long start)
{
	struct domain *d = current->domain;
	struct xen_memory_reservation r;
	vaddr_t list;
	unsigned long i;
	int rc;

	if (copy_from_guest(&r, arg, sizeof(r)))
		return -EFAULT;
	/* What is malformed leaves everything undone, which is what the return value says. */
	if (r.nr_extents > ~0UL >> (MEMOP_EXTENT_SHIFT + 1) || start > r.nr_extents ||
	    r.extent_order > max_order(d))
		return (long)start;
	list = (vaddr_t)r.extent_start.p;
	if ((cmd != XENMEM_increase_reservation || list) &&
	    (r.nr_extents > HV_VIRT_END / 8 || !guest_range_ok(list, r.nr_extents * 8)))
		return (long)start;
	rc = check_domain(d, r.domid);
	if (rc)
		return rc == -ESRCH ? (long)start : rc;
	if (cmd == XENMEM_populate_physmap && (r.mem_flags & XENMEMF_populate_on_demand))
		return (long)start;

	for (i = start; i < r.nr_extents; i++) {
		vaddr_t at = list + i * 8;
		bool ok;

		if (i != start && ((i - start) << r.extent_order) % FRAMES_BETWEEN_CHECKS == 0 &&
		    preempt_check())
			return hypercall_continue(__HYPERVISOR_memory_op, 2,
						  cmd | i << MEMOP_EXTENT_SHIFT, arg);
		if (cmd == XENMEM_increase_reservation)
			ok = increase(d, &r, at);
		else if (cmd == XENMEM_decrease_reservation)
			ok = decrease(d, &r, at);
		else
			ok = populate(d, &r, at);
		if (!ok)
			break;
	}
	return (long)i;
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

static void return_stolen_frame(mfn_t mfn)
{
	__atomic_fetch_add(&frame_table[mfn].state, FRAME_ALLOC + FRAME_REF, __ATOMIC_ACQ_REL);
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
	tlb_flush_cpus(READ_ONCE(from->dirty_cpus));
	f->owner = to->id;
	return_stolen_frame(mfn);
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
	return 0;
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
		return_stolen_frame(p->mfn[i]);
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

static int check_exchange(const struct domain *d, const struct xen_memory_exchange *x)
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
	return check_domain(d, in->domid);
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
	struct domain *d = current->domain;
	struct xen_memory_exchange x;
	struct exchange_part *part;
	vaddr_t done = arg + offsetof(struct xen_memory_exchange, nr_exchanged);
	int rc;

	if (copy_from_guest(&x, arg, sizeof(x)))
		return -EFAULT;
	rc = check_exchange(d, &x);
	if (rc)
		return rc;
	part = kzalloc(sizeof(*part));
	if (!part)
		return -ENOMEM;
	rc = exchange_parts(d, &x, part);
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
	struct domain *d = current->domain;
	struct xen_memory_domain who;
	int rc;

	if (copy_from_guest(&who, arg, sizeof(who)))
		return -EFAULT;
	rc = check_domain(d, who.domid);
	if (rc)
		return rc;
	switch (cmd) {
	case XENMEM_current_reservation:
		return (long)READ_ONCE(d->mm.tot_pages);
	case XENMEM_maximum_reservation:
		return (long)READ_ONCE(d->mm.max_pages);
	default:
		/* PV guests keep their own numbering, and say here how far it goes. */
		return (long)READ_ONCE(d->shared_info->arch.max_pfn) - 1;
	}
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
			struct __packed {
				uint64_t start, size;
				uint32_t type;
			} entry = {r->start, r->end - r->start, r->type};

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
	domid_t id;

	/* The first member of all of them. */
	if (copy_from_guest(&id, arg, sizeof(id)))
		return -EFAULT;
	return check_domain(current->domain, id) ?: -EINVAL;
}

/* What is another domain's, for the tools; there is no other domain yet. */
static long acquire_resource(vaddr_t arg)
{
	const struct domain *d = current->domain;
	struct xen_mem_acquire_resource r;

	if (copy_from_guest(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.pad)
		return -EINVAL;
	/* Its own resources are nobody's to acquire. */
	return r.domid == d->id || !d->is_privileged ? -EPERM : -ESRCH;
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
		return -ENOSYS; /* nobody has set one for this domain */
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
