/* SPDX-License-Identifier: MIT */
/*
 * mca: what a privileged domain may ask about machine checks (public/arch-x86/xen-mca.h). Uncorrected
 * errors end the machine and corrected ones are not collected, so there is never a record to fetch; the
 * machine's CPUs can be listed.
 */
#include "pv/internal.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include <public/arch-x86/xen-mca.h>

/* Topology (SDM 2, CPUID leaf 0xb): the types of its levels, and at most how many of them. */
#define LEVEL_THREAD 1
#define MAX_LEVELS   6

/* Which bits of an APIC ID number the thread in a core, and thread and core in a package. */
static void read_shifts(const uint32_t leaf1[4], unsigned int *thread, unsigned int *package)
{
	uint32_t leaf[4];

	*thread = 0;
	*package = 0;
	for (unsigned int i = 0; cpu_features.max_leaf >= 0xb && i < MAX_LEVELS; i++) {
		cpuid(0xb, i, leaf);
		if (!(leaf[2] >> 8 & 0xff))
			break;
		*package = leaf[0] & 0x1f;
		if ((leaf[2] >> 8 & 0xff) == LEVEL_THREAD)
			*thread = *package;
	}
	/* Without the leaf: how many IDs a package has, rounded up; threads cannot be told from cores. */
	if (!*package && leaf1[3] >> 28 & 1 && (leaf1[1] >> 16 & 0xff) > 1)
		*package = highest_bit((leaf1[1] >> 16 & 0xff) - 1) + 1;
}

/* On the CPU itself; takes no lock. */
static void describe_cpu(void *arg)
{
	struct mcinfo_logical_cpu *c = arg;
	uint32_t leaf[4], leaf1[4], ext[4] = {0};
	unsigned int thread, package, cpu, running = 0;

	cpuid(0, 0, leaf);
	c->mc_cpuid_level = (int32_t)leaf[0];
	memcpy(c->mc_vendorid, &leaf[1], 4);
	memcpy(c->mc_vendorid + 4, &leaf[3], 4);
	memcpy(c->mc_vendorid + 8, &leaf[2], 4);
	cpuid(1, 0, leaf1);
	c->mc_family = cpuid_family(leaf1[0]);
	c->mc_model = cpuid_model(leaf1[0]);
	c->mc_step = leaf1[0] & 0xf;
	c->mc_cache_alignment = (leaf1[1] >> 8 & 0xff) * 8;
	if (cpu_features.max_ext_leaf >= 0x80000001)
		cpuid(0x80000001, 0, ext);
	c->mc_cpu_caps[MC_CAPS_STD_EDX] = leaf1[3];
	c->mc_cpu_caps[MC_CAPS_STD_ECX] = leaf1[2];
	c->mc_cpu_caps[MC_CAPS_AMD_EDX] = ext[3];
	c->mc_cpu_caps[MC_CAPS_AMD_ECX] = ext[2];
	for (unsigned int i = 0; i < 3 && cpu_features.max_ext_leaf >= 0x80000004; i++) {
		cpuid(0x80000002 + i, 0, leaf);
		memcpy(c->mc_brandid + i * sizeof(leaf), leaf, sizeof(leaf));
	}
	if (cpu_features.max_ext_leaf >= 0x80000006) {
		cpuid(0x80000006, 0, leaf);
		c->mc_cache_size = leaf[2] >> 16; /* second level, KiB */
	}
	read_shifts(leaf1, &thread, &package);
	package = max(package, thread);
	c->mc_chipid = c->mc_apicid >> package;
	c->mc_coreid = (uint16_t)((c->mc_apicid & ((1U << package) - 1)) >> thread);
	c->mc_threadid = (uint16_t)(c->mc_apicid & ((1U << thread) - 1));
	c->mc_ncores = 1U << (package - thread);
	c->mc_nthreads = 1U << thread;
	if (rdmsr_safe(MSR_MCG_CAP, &c->mc_msrvalues[0].value) == 0) {
		c->mc_msrvalues[0].reg = MSR_MCG_CAP;
		c->mc_nmsrvals = 1;
	}
	for_each_cpu(cpu, cpu_online_mask) running += apic_id_of(cpu) >> package == c->mc_chipid;
	c->mc_ncores_active = DIV_ROUND_UP(running, c->mc_nthreads);
}

/* As many CPUs as there is room for; with a null handle how many there are. */
static long physcpuinfo(struct xen_mc_physcpuinfo *op)
{
	vaddr_t to = (vaddr_t)op->info.p;
	uint32_t room = op->ncpus, n = 0;
	unsigned int cpu;

	op->ncpus = nr_cpus;
	if (!to)
		return 0;
	for_each_cpu(cpu, cpu_online_mask)
	{
		struct mcinfo_logical_cpu c;

		if (n == room)
			break;
		memset(&c, 0, sizeof(c));
		c.mc_cpunr = cpu;
		c.mc_apicid = apic_id_of(cpu);
		call_on_cpu(cpu, describe_cpu, &c);
		if (copy_to_guest(to + n * sizeof(c), &c, sizeof(c)))
			return -EFAULT;
		n++;
	}
	op->ncpus = n;
	return 0;
}

static long fetch(struct xen_mc_fetch *op)
{
	uint32_t which = op->flags & (XEN_MC_NONURGENT | XEN_MC_URGENT);

	if ((which != XEN_MC_NONURGENT && which != XEN_MC_URGENT) ||
	    op->flags & ~(which | XEN_MC_ACK))
		return -EINVAL;
	op->flags = XEN_MC_NODATA;
	op->fetch_id = 0;
	return 0;
}

long do_mca(vaddr_t arg)
{
	static unsigned long told;
	struct xen_mc op;
	long rc;

	if (!current->domain->is_privileged)
		return -EPERM;
	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XEN_MCA_INTERFACE_VERSION)
		return -EACCES;
	switch (op.cmd) {
	case XEN_MC_fetch:
		rc = fetch(&op.u.mc_fetch);
		break;
	case XEN_MC_physcpuinfo:
		rc = physcpuinfo(&op.u.mc_physcpuinfo);
		break;
	default:
		return not_implemented("mca", op.cmd, &told);
	}
	if (rc == 0 && copy_to_guest(arg, &op, sizeof(op)))
		return -EFAULT;
	return rc;
}
