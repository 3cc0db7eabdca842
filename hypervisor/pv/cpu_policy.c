/* SPDX-License-Identifier: MIT */
/*
 * Processor policies, as sysctl and domctl exchange them: lists of CPUID leaves and of model-specific registers.
 * A domain's policy is the default (cpuid.c) but for the leaves that the tools have set for it. Only kernels that ask
 * by the forced form of CPUID see the difference, so a leaf that claims more than there is could not be true.
 */
#include "pv/internal.h"
#include "console/console.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include <public/domctl.h>
#include <public/sysctl.h>

enum { EAX, EBX, ECX, EDX };

#define LEAF_CACHES   0x4
#define LEAF_FEATURES 0x7
#define LEAF_TOPOLOGY 0xb
#define LEAF_XSAVE    0xd
#define EXTENDED      0x80000000
#define MAX_LEAVES    128 /* of a policy */

/* Xen's tools take no more than this, and refuse a whole list that has a leaf or sub-leaf beyond. */
#define LAST_BASIC    0xd
#define LAST_EXTENDED (EXTENDED + 0x21)
#define MAX_CACHES    6
#define MAX_LEVELS    2
#define MAX_FEATURES  3
#define MAX_STATES    63 /* sub-leaves of XSAVE's */
/* How long that makes a list: the four leaves with sub-leaves count by these. */
#define MOST_LEAVES                                                                 \
	(LAST_BASIC + 1 - 4 + MAX_CACHES + MAX_FEATURES + MAX_LEVELS + MAX_STATES + \
	 ARRAY_SIZE(own_leaves) + LAST_EXTENDED + 1 - EXTENDED)
#define FEATURE_HTT	   (1U << 28) /* leaf 1, EDX */
#define FEATURE_CMP_LEGACY (1U << 1)  /* leaf 0x80000001, ECX */
#define MSR_PLATFORM_INFO  0xce
#define MSR_ARCH_CAPS	   0x10a

/* One leaf that differs from the default. */
struct cpu_policy {
	unsigned int n;
	struct xen_cpuid_leaf leaf[];
};

/* The hypervisor's: cpuid.c answers them, nothing can be set. */
static const uint32_t own_leaves[] = {0x40000000, 0x40000100};
static const uint32_t policy_msrs[] = {MSR_PLATFORM_INFO, MSR_ARCH_CAPS};

/* Where the words of a set of features come from (public/arch-x86/cpufeatureset.h's order). */
static const struct {
	uint32_t leaf, sub;
	uint8_t reg;
} words[] = {
    {1, 0, EDX},
    {1, 0, ECX},
    {EXTENDED + 1, 0, EDX},
    {EXTENDED + 1, 0, ECX},
    {LEAF_XSAVE, 1, EAX},
    {7, 0, EBX},
    {7, 0, ECX},
    {EXTENDED + 7, 0, EDX},
    {EXTENDED + 8, 0, EBX},
    {7, 0, EDX},
    {7, 1, EAX},
    {EXTENDED + 0x21, 0, EAX},
    {7, 1, EBX},
    {7, 2, EDX},
    {7, 1, ECX},
    {7, 1, EDX},
};

/* ---- one leaf ---- */

static bool from_cpu(const struct domain *unused, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	uint32_t max = leaf < EXTENDED ? cpu_features.max_leaf : cpu_features.max_ext_leaf;

	if (leaf > max)
		return false;
	cpuid(leaf, sub, out);
	return true;
}

static bool for_domain(const struct domain *d, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	if (!pv_cpuid_default(leaf, sub, out))
		return false;
	if (d)
		cpu_policy_apply(d, leaf, sub, out);
	return true;
}

/*
 * The most that a domain may be told. Tools give PV guests these two bits as the machine has them, since its topology
 * shows through where CPUID is not intercepted.
 */
static bool at_most(const struct domain *unused, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	if (!pv_cpuid_default(leaf, sub, out))
		return false;
	if (leaf == 1)
		out[EDX] |= FEATURE_HTT;
	if (leaf == EXTENDED + 1)
		out[ECX] |= FEATURE_CMP_LEGACY;
	return true;
}

typedef bool leaf_fn(const struct domain *d, uint32_t leaf, uint32_t sub, uint32_t out[4]);

void cpu_policy_apply(const struct domain *d, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	const struct cpu_policy *p = d->cpu_policy;

	for (unsigned int i = 0; p && i < p->n; i++) {
		const struct xen_cpuid_leaf *l = &p->leaf[i];

		if (l->leaf != leaf || (l->subleaf != sub && l->subleaf != XEN_CPUID_NO_SUBLEAF))
			continue;
		out[EAX] = l->a;
		out[EBX] = l->b;
		out[ECX] = l->c;
		out[EDX] = l->d;
	}
}

void cpu_policy_free(struct domain *d)
{
	kfree(d->cpu_policy);
	d->cpu_policy = NULL;
}

/* ---- giving a policy ---- */

struct list_out {
	vaddr_t to; /* 0: they are only counted */
	uint32_t room, n;
};

static long put_leaf(struct list_out *l, uint32_t leaf, uint32_t sub, const uint32_t out[4])
{
	struct xen_cpuid_leaf e = {leaf, sub, out[EAX], out[EBX], out[ECX], out[EDX]};

	if (l->to && l->n >= l->room)
		return -ENOBUFS;
	if (l->to && copy_to_guest(l->to + l->n * sizeof(e), &e, sizeof(e)))
		return -EFAULT;
	l->n++;
	return 0;
}

/* How many sub-leaves a leaf has in a list; 0: it is no such leaf. */
static unsigned int subleaves(const struct domain *d, leaf_fn *get, uint32_t leaf)
{
	uint32_t out[4];
	unsigned int n;

	get(d, leaf, 0, out);
	switch (leaf) {
	case LEAF_CACHES:
		/* The one that ends them, too. */
		for (n = 1; (out[EAX] & 0x1f) && n < MAX_CACHES; n++)
			get(d, leaf, n, out);
		return n;
	case LEAF_FEATURES:
		return min(out[EAX], MAX_FEATURES - 1U) + 1;
	case LEAF_TOPOLOGY:
		return MAX_LEVELS;
	case LEAF_XSAVE:
		/* Up to the highest state that there is, and one more. */
		for (n = 2; n < 32 && out[EAX] >> n; n++)
			;
		return n + 1;
	default:
		return 0;
	}
}

static long put_leaves_of(struct list_out *l, const struct domain *d, leaf_fn *get, uint32_t leaf)
{
	uint32_t out[4];
	unsigned int n = subleaves(d, get, leaf);
	long rc = 0;

	if (!n) {
		get(d, leaf, 0, out);
		return put_leaf(l, leaf, XEN_CPUID_NO_SUBLEAF, out);
	}
	for (unsigned int sub = 0; sub < n && !rc; sub++) {
		get(d, leaf, sub, out);
		rc = put_leaf(l, leaf, sub, out);
	}
	return rc;
}

static long put_range(struct list_out *l, const struct domain *d, leaf_fn *get, uint32_t from,
		      uint32_t to)
{
	uint32_t out[4];
	long rc = 0;

	if (!get(d, from, 0, out))
		return 0;
	for (uint32_t leaf = from; leaf <= min(out[EAX], to) && !rc; leaf++)
		rc = put_leaves_of(l, d, get, leaf);
	return rc;
}

/*
 * Xen's tools write a list that they have read into the room that it took, with all the leaves that they know:
 * so it must have them, also where they say nothing.
 */
static long put_leaves(struct list_out *l, const struct domain *d, leaf_fn *get)
{
	static const uint32_t nothing[4];
	long rc = put_range(l, d, get, 0, LAST_BASIC);

	for (unsigned int i = 0; i < ARRAY_SIZE(own_leaves); i++)
		rc = rc ?: put_leaf(l, own_leaves[i], XEN_CPUID_NO_SUBLEAF, nothing);
	return rc ?: put_range(l, d, get, EXTENDED, LAST_EXTENDED);
}

static long put_msrs(struct list_out *l, bool raw)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(policy_msrs); i++, l->n++) {
		struct xen_msr_entry e = {.idx = policy_msrs[i]};

		if (raw ? rdmsr_safe(e.idx, &e.val) : !pv_rdmsr(current, e.idx, &e.val))
			e.val = 0;
		if (l->to && l->n >= l->room)
			return -ENOBUFS;
		if (l->to && copy_to_guest(l->to + l->n * sizeof(e), &e, sizeof(e)))
			return -EFAULT;
	}
	return 0;
}

long cpu_policy_of_machine(struct xen_sysctl_cpu_policy *op)
{
	bool max = op->index == XEN_SYSCTL_cpu_policy_pv_max;
	bool raw =
	    op->index == XEN_SYSCTL_cpu_policy_raw || op->index == XEN_SYSCTL_cpu_policy_host;
	struct list_out leaves = {(vaddr_t)op->leaves.p, op->nr_leaves, 0};
	struct list_out msrs = {(vaddr_t)op->msrs.p, op->nr_msrs, 0};
	long rc;

	if (op->_rsvd)
		return -EINVAL;
	if (!raw && !max && op->index != XEN_SYSCTL_cpu_policy_pv_default)
		return op->index <= XEN_SYSCTL_cpu_policy_hvm_default ? -EOPNOTSUPP : -EINVAL;
	rc = put_leaves(&leaves, NULL, raw ? from_cpu : max ? at_most : for_domain);
	rc = rc ?: put_msrs(&msrs, raw);
	if (!rc) {
		op->nr_leaves = leaves.to ? leaves.n : MOST_LEAVES;
		op->nr_msrs = msrs.n;
	}
	return rc;
}

long cpu_policy_get(const struct domain *d, struct xen_domctl_cpu_policy *op)
{
	struct list_out leaves = {(vaddr_t)op->leaves.p, op->nr_leaves, 0};
	struct list_out msrs = {(vaddr_t)op->msrs.p, op->nr_msrs, 0};
	long rc = put_leaves(&leaves, d, for_domain);

	rc = rc ?: put_msrs(&msrs, false);
	if (!rc) {
		op->nr_leaves = leaves.n;
		op->nr_msrs = msrs.n;
	}
	return rc;
}

/* ---- features ---- */

static uint32_t word(unsigned int n, leaf_fn *get)
{
	uint32_t out[4];

	return get(NULL, words[n].leaf, words[n].sub, out) ? out[words[n].reg] : 0;
}

void host_features(uint32_t *to, unsigned int n)
{
	for (unsigned int i = 0; i < min(n, (unsigned int)ARRAY_SIZE(words)); i++)
		to[i] = word(i, from_cpu);
}

long cpu_policy_features(struct xen_sysctl_cpu_featureset *op)
{
	leaf_fn *get = op->index <= XEN_SYSCTL_cpu_featureset_host     ? from_cpu
		       : op->index == XEN_SYSCTL_cpu_featureset_pv_max ? at_most
								       : for_domain;
	vaddr_t to = (vaddr_t)op->features.p;
	uint32_t n = ARRAY_SIZE(words);

	if (op->index > XEN_SYSCTL_cpu_featureset_hvm_max)
		return -EINVAL;
	if (op->index == XEN_SYSCTL_cpu_featureset_hvm ||
	    op->index == XEN_SYSCTL_cpu_featureset_hvm_max)
		return -EOPNOTSUPP;
	for (unsigned int i = 0; to && i < min(n, op->nr_features); i++)
		if (put_guest_u32(to + i * 4UL, word(i, get)))
			return -EFAULT;
	if (to && op->nr_features < n)
		return -ENOBUFS;
	op->nr_features = n;
	return 0;
}

/* ---- setting a domain's ---- */

/* What a register of this leaf names is features: it may have no bit that the default has not. */
static bool is_features(uint32_t leaf, uint32_t sub, unsigned int reg)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].leaf == leaf && words[i].sub == sub && words[i].reg == reg)
			return true;
	return false;
}

/* *differs: it is not what the default is. */
static bool leaf_ok(const struct xen_cpuid_leaf *l, bool *differs)
{
	uint32_t given[4] = {l->a, l->b, l->c, l->d}, have[4], most[4];
	uint32_t sub = l->subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : l->subleaf;

	*differs = false;
	if (!pv_cpuid_default(l->leaf, sub, have))
		return (l->leaf >= 0x40000000 && l->leaf < 0x40010000) ||
		       !(l->a | l->b | l->c | l->d);
	at_most(NULL, l->leaf, sub, most);
	for (unsigned int i = 0; i < 4; i++) {
		if (is_features(l->leaf, sub, i) && (given[i] & ~most[i]))
			return false;
		*differs |= given[i] != have[i];
	}
	/* The highest leaf or sub-leaf. */
	if ((l->leaf == 0 || l->leaf == EXTENDED || (l->leaf == LEAF_FEATURES && sub == 0)) &&
	    l->a > have[EAX])
		return false;
	return true;
}

/* Into p, in place of what it has for the same leaf. */
static bool add_leaf(struct cpu_policy *p, const struct xen_cpuid_leaf *l)
{
	unsigned int i;

	for (i = 0; i < p->n; i++)
		if (p->leaf[i].leaf == l->leaf && p->leaf[i].subleaf == l->subleaf)
			break;
	if (i == MAX_LEAVES)
		return false;
	p->leaf[i] = *l;
	p->n = max(p->n, i + 1);
	return true;
}

static long read_leaves(struct xen_domctl_cpu_policy *op, struct cpu_policy *p)
{
	struct xen_cpuid_leaf l;
	bool differs;

	for (uint32_t i = 0; i < op->nr_leaves; i++) {
		if (copy_from_guest(&l, (vaddr_t)op->leaves.p + i * sizeof(l), sizeof(l)))
			return -EFAULT;
		if (!leaf_ok(&l, &differs) || (differs && !add_leaf(p, &l))) {
			op->err_leaf = l.leaf;
			op->err_subleaf = l.subleaf;
			return -EINVAL;
		}
	}
	return 0;
}

/* They cannot be changed, only confirmed; a 0 takes nothing from the guest that it could use. */
static long check_msrs(struct xen_domctl_cpu_policy *op)
{
	struct xen_msr_entry e;
	uint64_t is;

	for (uint32_t i = 0; i < op->nr_msrs; i++) {
		if (copy_from_guest(&e, (vaddr_t)op->msrs.p + i * sizeof(e), sizeof(e)))
			return -EFAULT;
		if (e.idx != MSR_PLATFORM_INFO && e.idx != MSR_ARCH_CAPS)
			goto bad;
		if (!pv_rdmsr(current, e.idx, &is))
			is = 0;
		if (e.flags || (e.val & ~is))
			goto bad;
	}
	return 0;

bad:
	op->err_msr = e.idx;
	return -EINVAL;
}

long cpu_policy_set(struct domain *d, struct xen_domctl_cpu_policy *op)
{
	struct cpu_policy *p, *fitting = NULL;
	long rc;

	op->err_leaf = op->err_subleaf = op->err_msr = UINT32_MAX;
	if (op->nr_leaves > MAX_LEAVES || op->nr_msrs > ARRAY_SIZE(policy_msrs))
		return -E2BIG;
	p = kzalloc(sizeof(*p) + MAX_LEAVES * sizeof(p->leaf[0]));
	if (!p)
		return -ENOMEM;
	if (d->cpu_policy)
		memcpy(p, d->cpu_policy, sizeof(*p) + d->cpu_policy->n * sizeof(p->leaf[0]));
	rc = read_leaves(op, p);
	rc = rc ?: check_msrs(op);
	/* Most domains get the default, and no copy of it. */
	if (!rc && p->n) {
		fitting = kzalloc(sizeof(*p) + p->n * sizeof(p->leaf[0]));
		if (fitting)
			memcpy(fitting, p, sizeof(*p) + p->n * sizeof(p->leaf[0]));
		else
			rc = -ENOMEM;
	}
	kfree(p);
	if (!rc) {
		cpu_policy_free(d);
		d->cpu_policy = fitting;
	}
	return rc;
}
