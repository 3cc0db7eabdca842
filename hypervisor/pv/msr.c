/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers of a guest kernel: an explicit list. What is not in it does not exist for
 * guests (#GP), as it would on a CPU without it; kernels probe for many.
 */
#include "pv/internal.h"
#include "console/console.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include <public/arch-x86/cpuid.h>

/* Machine checks (SDM 3B, 16.3): control, status, address, more, for each bank */
#define MSR_MCG_STATUS 0x17a
#define MSR_MC0_CTL    0x400
#define MC_REGISTERS   4
#define VIRTUAL_BANKS  2
#define MSR_MC_LAST    (MSR_MC0_CTL + VIRTUAL_BANKS * MC_REGISTERS - 1)

/* Intel (SDM 4) */
#define MSR_PLATFORM_ID		  0x17
#define MSR_FEATURE_CONTROL	  0x3a
#define MSR_UCODE_REV		  0x8b
#define MSR_PLATFORM_INFO	  0xce
#define MSR_ARCH_CAPABILITIES	  0x10a
#define MSR_MISC_FEATURES_ENABLES 0x140
#define FEATURE_CONTROL_LOCK	  0x1
#define APIC_BASE_ENABLE	  0x800
#define APIC_BASE_BSP		  0x100
#define APIC_DEFAULT_BASE	  0xfee00000
#define MISC_ENABLE_PERF	  0x80
#define MISC_ENABLE_BTS_UNAVAIL	  0x800
#define MISC_ENABLE_PEBS_UNAVAIL  0x1000
#define MISC_ENABLE_MONITOR	  0x40000
#define MISC_ENABLE_XTPR_DISABLE  0x800000
/* Facts about what the CPU is not vulnerable to; no controls (public/arch-x86/cpufeatureset.h, "A"). */
#define ARCH_CAPABILITIES_SHOWN 0x1d12e171UL

/* AMD (APM 2, appendix A) */
#define MSR_SYSCFG		0xc0010010
#define MSR_HWCR		0xc0010015
#define MSR_IORR_BASE0		0xc0010016
#define MSR_IORR_MASK1		0xc0010019
#define MSR_TOP_MEM		0xc001001a
#define MSR_TOP_MEM2		0xc001001d
#define MSR_TSEG_BASE		0xc0010112
#define MSR_TSEG_MASK		0xc0010113
#define MSR_DE_CFG		0xc0011029
#define HWCR_TSC_FREQ_SEL	0x1000000
#define DE_CFG_LFENCE_SERIALISE 0x2

/* The hypercall page by MSR: its number is what CPUID leaf 0x40000002 says. */
#define MSR_HYPERCALL_PAGE 0x40000000

static bool is_intel(void)
{
	return cpu_features.vendor[0] == 'G'; /* GenuineIntel */
}

static bool is_amd(void)
{
	return cpu_features.vendor[0] == 'A' || cpu_features.vendor[0] == 'H'; /* and Hygon */
}

static bool rdmsr_intel(uint32_t msr, uint64_t *value)
{
	uint32_t leaf[4];

	switch (msr) {
	case MSR_PLATFORM_ID:
		return rdmsr_safe(msr, value) == 0;
	case MSR_FEATURE_CONTROL:
		*value = FEATURE_CONTROL_LOCK; /* nothing that it controls is to be had */
		return true;
	case MSR_PLATFORM_INFO:
	case MSR_MISC_FEATURES_ENABLES:
		*value = 0; /* no CPUID faulting */
		return true;
	case MSR_MISC_ENABLE:
		if (rdmsr_safe(msr, value))
			return false;
		*value &= ~(uint64_t)(MISC_ENABLE_PERF | MISC_ENABLE_MONITOR);
		*value |=
		    MISC_ENABLE_BTS_UNAVAIL | MISC_ENABLE_PEBS_UNAVAIL | MISC_ENABLE_XTPR_DISABLE;
		return true;
	case MSR_ARCH_CAPABILITIES:
		pv_cpuid(current, 7, 0, leaf);
		if (!(leaf[3] & (1U << 29)) || rdmsr_safe(msr, value))
			return false;
		*value &= ARCH_CAPABILITIES_SHOWN;
		return true;
	default:
		return false;
	}
}

static bool rdmsr_amd(uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_HWCR:
		*value = HWCR_TSC_FREQ_SEL; /* the TSC counts at P0's frequency */
		return true;
	case MSR_DE_CFG:
		*value = DE_CFG_LFENCE_SERIALISE;
		return true;
	case MSR_SYSCFG:
	case MSR_IORR_BASE0 ... MSR_IORR_MASK1:
	case MSR_TOP_MEM:
	case MSR_TOP_MEM2:
	case MSR_TSEG_BASE:
	case MSR_TSEG_MASK:
		*value = 0;
		return true;
	default:
		return false;
	}
}

/*
 * A guest has two banks of its own, where nothing is ever reported: machine checks are the hypervisor's.
 * What a bank reports is on, as after reset of most CPUs, and stays on.
 */
static bool rdmsr_mca(uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_MCG_CAP:
		*value = VIRTUAL_BANKS;
		return true;
	case MSR_MCG_STATUS:
		*value = 0;
		return true;
	case MSR_MC0_CTL ... MSR_MC_LAST:
		*value = msr % MC_REGISTERS == 0 ? UINT64_MAX : 0;
		return true;
	default:
		return false;
	}
}

/* Status, address and the like can be cleared and no more. */
static bool wrmsr_mca(uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_MCG_STATUS:
		return value == 0;
	case MSR_MC0_CTL ... MSR_MC_LAST:
		return msr % MC_REGISTERS == 0 || value == 0;
	default:
		return false;
	}
}

bool pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
	case MSR_PAT: /* as the hardware has it: the guest's page-table entries select from it */
		*value = rdmsr(msr);
		return true;
	case MSR_EFER:
		*value = rdmsr(msr) & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX);
		return true;
	case MSR_TSC:
		*value = rdtsc();
		return true;
	case MSR_TSC_AUX:
		*value = v->pv.tsc_aux;
		return cpu_features.rdtscp;
	case MSR_APIC_BASE:
		*value = APIC_DEFAULT_BASE | APIC_BASE_ENABLE | (v->id == 0 ? APIC_BASE_BSP : 0);
		return true;
	case MSR_UCODE_REV:
		return rdmsr_safe(msr, value) == 0;
	case MSR_HYPERCALL_PAGE:
		*value = 0; /* write only */
		return true;
	default:
		if (rdmsr_mca(msr, value))
			return true;
		return is_intel() ? rdmsr_intel(msr, value) : is_amd() && rdmsr_amd(msr, value);
	}
}

/* Address of a frame of the guest's own, page 0 of 1 in the low bits. */
static bool write_hypercall_page(struct vcpu *v, uint64_t value)
{
	mfn_t mfn = value >> PAGE_SHIFT;

	if (value & ~PAGE_MASK || get_frame_and_type(mfn, v->domain, PT_WRITABLE))
		return false;
	hypercall_page_init(mfn_to_virt(mfn));
	put_frame_and_type(mfn);
	return true;
}

bool pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	uint64_t now_is;

	switch (msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		if (!is_canonical(value))
			return false;
		wrmsr(msr, value);
		return true;
	case MSR_TSC_AUX:
		if (!cpu_features.rdtscp || value > UINT32_MAX)
			return false;
		v->pv.tsc_aux = (uint32_t)value;
		wrmsr(msr, value);
		return true;
	case MSR_UCODE_REV: /* written before CPUID to have the revision loaded: nothing to do */
		return true;
	case MSR_HYPERCALL_PAGE:
		return write_hypercall_page(v, value);
	case MSR_PAT:
	case MSR_EFER:
	case MSR_MISC_ENABLE:
	case MSR_MISC_FEATURES_ENABLES:
		/* Cannot be changed; writing what is there is no change. */
		return pv_rdmsr(v, msr, &now_is) && value == now_is;
	default:
		if (is_amd() && msr == MSR_DE_CFG)
			return true; /* what it shows is on already */
		return wrmsr_mca(msr, value);
	}
}
