/* SPDX-License-Identifier: MIT */
/*
 * Changes that guests ask for in their page tables (public/xen.h): mmu_update, update_va_mapping,
 * mmuext_op. What may be changed to what is page_type.c's business; here are requests, their lists and
 * their preemption.
 *
 * A list that is preempted continues by re-execution on what is left of it: the count carries
 * MMU_UPDATE_PREEMPTED then, and *pdone what was done before.
 */
#include "mm/page_type.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/uaccess.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "pv/pv.h"

#define MMU_UPDATE_PREEMPTED (1U << 31)
#define BATCH		     32 /* requests that are copied in and done under the lock in one go */

/* ---- whose frames ---- */

/* Whose tables are changed, and whose frames their level-1 entries may name. */
struct subject {
	struct domain *tables, *frames;
};

/* mmu_update's argument: bits 15-0 the owner of frames, 31-16 that of tables plus one. d: current's. 0, -ESRCH, -EPERM. */
static int find_subject(struct domain *d, unsigned int foreigndom, struct subject *who)
{
	int rc;

	who->tables = who->frames = d;
	if (likely(foreigndom == DOMID_SELF))
		return 0;
	rc = find_owner((domid_t)foreigndom, &who->frames);
	if (!rc && foreigndom >> 16)
		rc = find_owner((domid_t)((foreigndom >> 16) - 1), &who->tables);
	return rc;
}

/* ---- mmu_update ---- */

/* A frame that is no table: an ordinary write, if the frame is free to be written to. */
static int write_ordinary(struct domain *d, struct frame *f, uint64_t maddr, uint64_t val)
{
	if (get_frame_and_type(frame_mfn(f), d, PT_WRITABLE))
		return -EINVAL;
	WRITE_ONCE(*(uint64_t *)phys_to_virt(maddr), val);
	put_writable_frame(frame_mfn(f));
	return 0;
}

/* An entry of a table above level 1, or what is no table. s: f's state. */
static int update_other(struct vcpu *v, struct domain *d, struct frame *f, uint64_t s,
			uint64_t maddr, uint64_t val, bool keep_ad)
{
	struct frame *old;
	int rc;

	if (!is_table_type(state_type(s)) || !(s & FRAME_VALID))
		return s & FRAME_PARTIAL ? -EBUSY : write_ordinary(d, f, maddr, val);
	rc = change_entry(d, f, phys_to_virt(maddr), val, keep_ad, &old);
	if (old && put_table(d, old, 0))
		v->put_pending = frame_mfn(old);
	return rc;
}

static inline int update_entry(struct vcpu *v, const struct subject *who, uint64_t maddr,
			       uint64_t val, bool keep_ad)
{
	struct domain *d = who->tables;
	struct frame *f = frame_of_ram(maddr >> PAGE_SHIFT);
	uint64_t s;

	if (unlikely(!f || (maddr & 7)))
		return -EINVAL;
	s = frame_state(f);
	/* A frame that has references and is d's stays so while it is a table: its own say so. */
	if (unlikely(!state_refs(s) || !frame_is_owned(f, d)))
		return -EINVAL;
	if (likely((s & (FRAME_TYPE | FRAME_VALID)) == (TYPE_BITS(PT_L1) | FRAME_VALID)))
		return change_l1_entry(d, phys_to_virt(maddr), val, keep_ad, who->frames);
	return update_other(v, d, f, s, maddr, val, keep_ad);
}

static int update_m2p(struct domain *d, uint64_t maddr, uint64_t pfn)
{
	mfn_t mfn = maddr >> PAGE_SHIFT;

	if (!get_frame(mfn, d))
		return -EINVAL;
	m2p_set(mfn, pfn);
	put_frame(mfn);
	return 0;
}

static inline int one_update(struct vcpu *v, const struct subject *who,
			     const struct mmu_update *req)
{
	uint64_t maddr = req->ptr & ~3UL;

	/* There are no translated domains, so NO_TRANSLATE is no different. */
	if (likely((req->ptr & 3) != MMU_MACHPHYS_UPDATE))
		return update_entry(v, who, maddr, req->val,
				    (req->ptr & 3) == MMU_PT_UPDATE_PRESERVE_AD);
	return update_m2p(who->frames, maddr, req->val);
}

/* As many requests as the budget is good for. *n: in, how many there are; out, how many were done. */
static int update_batch(struct vcpu *v, const struct subject *who, const struct mmu_update *req,
			unsigned int *n)
{
	struct domain *d = who->tables;
	unsigned int i;
	int rc = 0;

	spin_lock(&d->mm.lock);
	d->mm.budget = MM_BUDGET;
	/* As in pin_table(): a validation that is left in the middle would be undone by nobody. */
	if (unlikely(READ_ONCE(d->is_dying))) {
		rc = -EINVAL;
		*n = 0;
	}
	for (i = 0; i < *n; i++) {
		rc = one_update(v, who, &req[i]);
		if (unlikely(rc))
			break;
		if (unlikely(d->mm.budget <= 0 || v->put_pending)) {
			i++;
			rc = -EINTR;
			break;
		}
	}
	spin_unlock(&d->mm.lock);
	*n = i;
	return rc;
}

/* The start of a list: what was done before, if it is one that continues. */
static int list_begin(unsigned int *count, vaddr_t pdone, unsigned int *done)
{
	*done = 0;
	if (likely(!(*count & MMU_UPDATE_PREEMPTED)))
		return 0;
	*count &= ~MMU_UPDATE_PREEMPTED;
	return pdone ? copy_from_guest(done, pdone, sizeof(*done)) : 0;
}

/* What was done is done, whether the guest can be told or not. */
static long list_end(vaddr_t pdone, unsigned int done, long rc)
{
	if (pdone)
		(void)put_guest_u32(pdone, done);
	return rc;
}

/* Most lists have one request, for which a call that copies anything is long. They are in the guest's range. */
static inline int read_requests(struct mmu_update *req, vaddr_t ureqs, unsigned int n)
{
	int error = 0;

	if (unlikely(n != 1))
		return copy_from_guest(req, ureqs, n * sizeof(req[0]));
	guest_access_begin();
	GET_GUEST_WORD(req->ptr, ureqs + offsetof(struct mmu_update, ptr), error);
	GET_GUEST_WORD(req->val, ureqs + offsetof(struct mmu_update, val), error);
	guest_access_end();
	return error;
}

/* Everything until the list ends, fails or must be preempted (-EINTR). *done grows. */
static int update_list(struct vcpu *v, const struct subject *who, vaddr_t ureqs, unsigned int count,
		       unsigned int *done)
{
	struct mmu_update req[BATCH];

	while (count) {
		unsigned int n = min(count, (unsigned int)BATCH);
		int rc;

		if (read_requests(req, ureqs, n))
			return -EFAULT;
		rc = update_batch(v, who, req, &n);
		ureqs += n * sizeof(req[0]);
		count -= n;
		*done += n;
		if (likely(!rc && !count))
			break;
		if (rc && rc != -EINTR)
			return rc;
		if (finish_put(v) || (count && preempt_check()))
			return -EINTR;
	}
	return 0;
}

long do_mmu_update(vaddr_t ureqs, unsigned int count, vaddr_t pdone, unsigned int foreigndom)
{
	struct vcpu *v = current;
	unsigned int before, done;
	struct subject who;
	int rc;

	if (unlikely(finish_put(v)))
		return hypercall_continue(__HYPERVISOR_mmu_update, 4, ureqs, count, pdone,
					  foreigndom);
	if (list_begin(&count, pdone, &before))
		return -EFAULT;
	if (unlikely(!guest_range_ok(ureqs, count * sizeof(struct mmu_update))))
		return -EFAULT;
	rc = find_subject(v->domain, foreigndom, &who);
	if (unlikely(rc))
		return rc;
	done = 0;
	rc = update_list(v, &who, ureqs, count, &done);
	if (unlikely(rc == -EINTR)) {
		list_end(pdone, before + done, 0);
		return hypercall_continue(__HYPERVISOR_mmu_update, 4,
					  ureqs + done * sizeof(struct mmu_update),
					  (count - done) | MMU_UPDATE_PREEMPTED, pdone, foreigndom);
	}
	return list_end(pdone, before + done, rc);
}

/* ---- flushes that guests ask for ---- */

/* CPUs on which vCPUs of a bitmap in guest memory may have left translations. */
static int read_vcpu_mask(struct domain *d, vaddr_t bitmap, cpumask_t *cpus)
{
	uint64_t vcpus = 0;

	_Static_assert(MAX_VCPUS <= 64, "one word of vCPUs");
	*cpus = 0;
	if (copy_from_guest(&vcpus, bitmap, DIV_ROUND_UP(d->max_vcpus, 8)))
		return -EFAULT;
	while (vcpus) {
		unsigned int id = lowest_bit(vcpus);

		vcpus &= vcpus - 1;
		if (id < d->max_vcpus)
			*cpus |= (cpumask_t)1 << READ_ONCE(d->vcpu[id]->sched.cpu);
	}
	*cpus &= READ_ONCE(d->dirty_cpus);
	return 0;
}

static void flush_all_of(cpumask_t cpus)
{
	if (cpus)
		tlb_flush_cpus(cpus);
}

static void flush_address(cpumask_t cpus, vaddr_t va)
{
	/* INVLPG of what is not canonical does nothing; what is not the guest's is not its to flush. */
	if (!cpus || !guest_range_ok(va, 1))
		return;
	if (cpus == (cpumask_t)1 << smp_processor_id())
		flush_tlb_one_local(va);
	else
		flush_tlb_one_mask(cpus, va);
}

/* ---- update_va_mapping ---- */

static int flush_after_update(struct vcpu *v, vaddr_t va, unsigned long flags)
{
	vaddr_t bitmap = flags & ~UVMF_FLUSHTYPE_MASK;
	cpumask_t cpus;

	if (likely(!(flags & UVMF_FLUSHTYPE_MASK)))
		return 0;
	if (bitmap == UVMF_LOCAL)
		cpus = (cpumask_t)1 << smp_processor_id();
	else if (bitmap == UVMF_ALL)
		cpus = READ_ONCE(v->domain->dirty_cpus);
	else if (read_vcpu_mask(v->domain, bitmap, &cpus))
		return -EFAULT;
	if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_TLB_FLUSH)
		flush_all_of(cpus);
	else
		flush_address(cpus, va);
	return 0;
}

static int update_va(struct vcpu *v, vaddr_t va, uint64_t val, const struct domain *owner)
{
	struct domain *d = v->domain;
	uint64_t *entry;
	int rc = -EINVAL;

	if (unlikely(!guest_range_ok(va, 1)))
		return -EINVAL;
	spin_lock(&d->mm.lock);
	entry = walk_to_l1(v, v->kernel_root, va);
	if (likely(entry))
		rc = change_l1_entry(d, entry, val, false, owner);
	spin_unlock(&d->mm.lock);
	return rc;
}

long do_update_va_mapping(vaddr_t va, uint64_t val, unsigned long flags)
{
	struct vcpu *v = current;
	int rc;

	if (unlikely((flags & UVMF_FLUSHTYPE_MASK) == UVMF_FLUSHTYPE_MASK))
		return -EINVAL;
	rc = update_va(v, va, val, v->domain);
	/* Flushed also when nothing was changed: harmless, and what a batch's caller may count on. */
	return flush_after_update(v, va, flags) ?: rc;
}

long do_update_va_mapping_otherdomain(vaddr_t va, uint64_t val, unsigned long flags, domid_t domid)
{
	struct vcpu *v = current;
	struct domain *owner;
	int rc;

	if (!v->domain->is_privileged)
		return -EPERM;
	if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_FLUSHTYPE_MASK)
		return -EINVAL;
	rc = find_owner(domid, &owner);
	if (rc)
		return rc;
	rc = update_va(v, va, val, owner);
	return flush_after_update(v, va, flags) ?: rc;
}

/* ---- mmuext_op ---- */

static long new_root(struct vcpu *v, mfn_t mfn, bool user)
{
	/* No user root: user mode then runs on the kernel's, and only if the guest goes there. */
	if (user && mfn == 0)
		mfn = INVALID_MFN;
	else if (mfn >= max_mfn)
		return -EINVAL;
	/* The descriptors are where the guest's tables map them: look again when they are used next. */
	if (!user && v->pv.ldt_mapped)
		invalidate_ldt(v);
	return set_vcpu_root(v, mfn, user);
}

#ifndef UNIT_TEST
static void write_back_caches(void *unused)
{
	__asm__ volatile("wbinvd" ::: "memory");
}
#else
void write_back_caches(void *unused);
#endif

static long flush_cache(struct domain *d, bool everywhere)
{
	if (!d->is_privileged)
		return -EACCES;
	if (everywhere)
		smp_call(cpu_online_mask, write_back_caches, NULL);
	else
		write_back_caches(NULL);
	return 0;
}

static long set_ldt(struct vcpu *v, vaddr_t base, unsigned int entries)
{
	if (entries > 8192 || (base & (PAGE_SIZE - 1)) || !guest_range_ok(base, entries * 8UL))
		return -EINVAL;
	if (v->pv.ldt_base == base && v->pv.ldt_ents == entries && !v->pv.ldt_mapped)
		return 0;
	invalidate_ldt(v);
	v->pv.ldt_base = entries ? base : 0;
	v->pv.ldt_ents = entries;
	load_guest_ldt(v);
	return 0;
}

static long clear_or_copy(struct domain *d, mfn_t to, mfn_t from, bool copy)
{
	if (copy && !get_frame(from, d))
		return -EINVAL;
	if (get_frame_and_type(to, d, PT_WRITABLE)) {
		if (copy)
			put_frame(from);
		return -EINVAL;
	}
	if (copy) {
		memcpy(mfn_to_virt(to), mfn_to_virt(from), PAGE_SIZE);
		put_frame(from);
	} else {
		clear_page(mfn_to_virt(to));
	}
	put_writable_frame(to);
	return 0;
}

static long flush_op(struct vcpu *v, const struct mmuext_op *op)
{
	cpumask_t cpus = (cpumask_t)1 << smp_processor_id();

	switch (op->cmd) {
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_INVLPG_MULTI:
		if (read_vcpu_mask(v->domain, (vaddr_t)op->arg2.vcpumask.p, &cpus))
			return -EINVAL;
		break;
	case MMUEXT_TLB_FLUSH_ALL:
	case MMUEXT_INVLPG_ALL:
		cpus = READ_ONCE(v->domain->dirty_cpus);
		break;
	default:
		break;
	}
	if (op->cmd == MMUEXT_INVLPG_LOCAL || op->cmd == MMUEXT_INVLPG_MULTI ||
	    op->cmd == MMUEXT_INVLPG_ALL)
		flush_address(cpus, op->arg1.linear_addr);
	else
		flush_all_of(cpus);
	return 0;
}

/* What is about the frames of a domain that the caller names, or else -ENOSYS. */
static long frame_op(struct domain *d, const struct mmuext_op *op)
{
	switch (op->cmd) {
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
		return pin_table(d, op->arg1.mfn, PT_L1 + op->cmd - MMUEXT_PIN_L1_TABLE);
	case MMUEXT_UNPIN_TABLE:
		return unpin_table(d, op->arg1.mfn);
	case MMUEXT_CLEAR_PAGE:
	case MMUEXT_COPY_PAGE:
		return clear_or_copy(d, op->arg1.mfn, op->arg2.src_mfn,
				     op->cmd == MMUEXT_COPY_PAGE);
	case MMUEXT_MARK_SUPER:
	case MMUEXT_UNMARK_SUPER:
		return -EOPNOTSUPP; /* no superpages for guests */
	default:
		return -ENOSYS;
	}
}

/* What is about the vCPU that asks. */
static long vcpu_op(struct vcpu *v, const struct mmuext_op *op)
{
	static unsigned long told;

	switch (op->cmd) {
	case MMUEXT_NEW_BASEPTR:
	case MMUEXT_NEW_USER_BASEPTR:
		return new_root(v, op->arg1.mfn, op->cmd == MMUEXT_NEW_USER_BASEPTR);
	case MMUEXT_TLB_FLUSH_LOCAL:
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_TLB_FLUSH_ALL:
	case MMUEXT_INVLPG_LOCAL:
	case MMUEXT_INVLPG_MULTI:
	case MMUEXT_INVLPG_ALL:
		return flush_op(v, op);
	case MMUEXT_FLUSH_CACHE:
	case MMUEXT_FLUSH_CACHE_GLOBAL:
		return flush_cache(v->domain, op->cmd == MMUEXT_FLUSH_CACHE_GLOBAL);
	case MMUEXT_SET_LDT:
		return set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
	default:
		if (!test_and_set_bit(op->cmd & 63, &told))
			guest_log("mmuext_op %u is not implemented\n", op->cmd);
		return -ENOSYS;
	}
}

static long one_mmuext(struct vcpu *v, struct domain *d, const struct mmuext_op *op)
{
	long rc = frame_op(d, op);

	if (rc != -ENOSYS)
		return rc;
	return d == v->domain ? vcpu_op(v, op) : -EPERM;
}

/* Until the list ends, fails, or must be preempted (-EINTR). *done grows. */
static long mmuext_list(struct vcpu *v, struct domain *d, vaddr_t uops, unsigned int count,
			unsigned int *done)
{
	struct mmuext_op op;

	for (; *done < count; ++*done, uops += sizeof(op)) {
		long rc;

		if (copy_from_guest(&op, uops, sizeof(op)))
			return -EFAULT;
		while ((rc = one_mmuext(v, d, &op)) == -EINTR)
			if (preempt_check())
				return rc;
		if (rc)
			return rc;
		if (unlikely(v->put_pending) && finish_put(v)) {
			++*done;
			return -EINTR;
		}
		/* Each one may be as much work as a budget allows; single ones need no look. */
		if (*done + 1 < count && (*done & 7) == 7 && preempt_check()) {
			++*done;
			return -EINTR;
		}
	}
	return 0;
}

long do_mmuext_op(vaddr_t uops, unsigned int count, vaddr_t pdone, unsigned int foreigndom)
{
	struct vcpu *v = current;
	unsigned int before, done = 0;
	struct domain *d;
	long rc;

	if (unlikely(finish_put(v)))
		return hypercall_continue(__HYPERVISOR_mmuext_op, 4, uops, count, pdone,
					  foreigndom);
	if (list_begin(&count, pdone, &before))
		return -EFAULT;
	if (unlikely(!guest_range_ok(uops, count * sizeof(struct mmuext_op))))
		return -EFAULT;
	rc = foreigndom > UINT16_MAX ? -ESRCH : find_owner((domid_t)foreigndom, &d);
	if (unlikely(rc))
		return rc;
	rc = mmuext_list(v, d, uops, count, &done);
	if (unlikely(rc == -EINTR)) {
		list_end(pdone, before + done, 0);
		return hypercall_continue(__HYPERVISOR_mmuext_op, 4,
					  uops + done * sizeof(struct mmuext_op),
					  (count - done) | MMU_UPDATE_PREEMPTED, pdone, foreigndom);
	}
	return list_end(pdone, before + done, rc);
}
