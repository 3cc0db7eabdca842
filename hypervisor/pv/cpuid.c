/* SPDX-License-Identifier: MIT */
/*
 * CPUID as a guest kernel gets it through the forced form (XEN_CPUID). The plain instruction shows the
 * hardware's leaves to PV guests: nothing traps it. So this is information for a kernel that wants to do
 * right, not a barrier.
 *
 * Features: what the CPU has and a PV guest can use. The masks name the bits that 64-bit PV guests of Xen
 * see, without those that need model-specific registers that are not there (msr.c). Every vCPU looks like a package of its own.
 */
#include "pv/internal.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "time/time.h"
#include <public/arch-x86/cpuid.h>

enum { EAX, EBX, ECX, EDX };

#define MAX_BASIC_LEAF	   0xd
#define MAX_EXTENDED_LEAF  0x80000008
#define XEN_VERSION	   (4U << 16 | 17)
#define HYPERCALL_MSR_BASE 0x40000000

/* Leaf 1 */
#define SHOWN_1C	  0xf6d83203
#define SHOWN_1D	  0x0f89cbf5
#define XSAVE		  (1U << 26)
#define OSXSAVE		  (1U << 27)
#define HYPERVISOR	  (1U << 31)
#define AVX_1C		  (1U << 12 | 1U << 28 | 1U << 29)
#define XSAVE_1C	  (1U << 26 | AVX_1C)
#define CLFLUSH_AND_BRAND 0xffff
/* Leaf 7 */
#define SHOWN_7B    0xfdaf0b29
#define SHOWN_7C    0x1a405f43
#define SHOWN_7D    0x2001451c
#define SHOWN_7_1A  0x1c30
#define FSGSBASE_7B 0x1
#define AVX_7B	    (1U << 5)
#define AVX_7C	    (1U << 9 | 1U << 10)
#define AVX_7_1A    (1U << 4)
#define AVX512_7B   0xdc230000
#define AVX512_7C   (1U << 1 | 1U << 6 | 1U << 11 | 1U << 12 | 1U << 14)
#define AVX512_7D   (1U << 2 | 1U << 3 | 1U << 8)
#define AVX512_7_1A (1U << 5)
/* Leaf 0xd, sub-leaf 1: XSAVEOPT, XSAVEC, XGETBV with ecx 1 */
#define SHOWN_D_1A 0x7
/* Leaves from 0x80000000 on */
#define SHOWN_E1C     0x002109e1
#define SHOWN_E1D     0xe8500800
#define E1D_AS_1D     0x0183f3ff /* AMD: the same as in leaf 1 */
#define AVX_E1C	      (1U << 11 | 1U << 16)
#define SHOWN_E8B     0x24000005
#define INVARIANT_TSC (1U << 8)

#define XCR0_AVX      0x4
#define XCR0_AVX512   0xe0

static bool has_avx(void)
{
	return cpu_features.xcr0 & XCR0_AVX;
}

static bool has_avx512(void)
{
	return (cpu_features.xcr0 & XCR0_AVX512) == XCR0_AVX512;
}

static void leaf_1(uint32_t out[4])
{
	out[EBX] &= CLFLUSH_AND_BRAND;
	out[ECX] &= SHOWN_1C;
	out[EDX] &= SHOWN_1D;
	out[ECX] &= ~OSXSAVE;
	if (!cpu_features.xsave)
		out[ECX] &= ~XSAVE_1C;
	if (!has_avx())
		out[ECX] &= ~AVX_1C;
	out[ECX] |= HYPERVISOR;
}

static void leaf_7(uint32_t sub, uint32_t out[4])
{
	if (sub == 0) {
		out[EAX] = min(out[EAX], 1U);
		out[EBX] &= SHOWN_7B;
		out[ECX] &= SHOWN_7C;
		out[EDX] &= SHOWN_7D;
		if (!cpu_features.fsgsbase)
			out[EBX] &= ~FSGSBASE_7B;
		if (!has_avx()) {
			out[EBX] &= ~AVX_7B;
			out[ECX] &= ~AVX_7C;
		}
		if (!has_avx512()) {
			out[EBX] &= ~AVX512_7B;
			out[ECX] &= ~AVX512_7C;
			out[EDX] &= ~AVX512_7D;
		}
	} else if (sub == 1) {
		out[EAX] &=
		    SHOWN_7_1A & ~(has_avx() ? 0 : AVX_7_1A) & ~(has_avx512() ? 0 : AVX512_7_1A);
		out[EBX] = out[ECX] = out[EDX] = 0;
	} else {
		memset(out, 0, 16);
	}
}

/* Bytes of an XSAVE area, standard format, for all states that guests may enable. */
static uint32_t xsave_size(void)
{
	uint32_t size = 512 + 64, leaf[4];

	for (unsigned int i = 2; i < 63; i++) {
		if (!(cpu_features.xcr0 >> i & 1))
			continue;
		cpuid(0xd, i, leaf);
		size = max(size, leaf[EAX] + leaf[EBX]);
	}
	return size;
}

/* The hardware's sub-leaves count what XCR0 enables now, which is the guest's own. */
static void leaf_d(uint32_t sub, uint32_t out[4])
{
	if (!cpu_features.xsave) {
		memset(out, 0, 16);
	} else if (sub == 0) {
		out[EAX] = (uint32_t)cpu_features.xcr0;
		out[EDX] = (uint32_t)(cpu_features.xcr0 >> 32);
		out[ECX] = xsave_size();
	} else if (sub == 1) {
		out[EAX] &= SHOWN_D_1A;
		out[ECX] = out[EDX] = 0; /* no supervisor states */
	} else if (sub > 62 || !(cpu_features.xcr0 >> sub & 1)) {
		memset(out, 0, 16);
	}
}

static void basic_leaf(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	cpuid(leaf, sub, out);
	switch (leaf) {
	case 0:
		out[EAX] = min(out[EAX], (uint32_t)MAX_BASIC_LEAF);
		break;
	case 1:
		leaf_1(out);
		break;
	case 2: /* caches */
		break;
	case 4: /* caches: of one CPU each */
		out[EAX] &= 0x3fff;
		break;
	case 7:
		leaf_7(sub, out);
		break;
	case 0xd:
		leaf_d(sub, out);
		break;
	default: /* serial number, MONITOR, power, performance counters, topology: none */
		memset(out, 0, 16);
		break;
	}
}

static void extended_leaf(uint32_t leaf, uint32_t out[4])
{
	cpuid(leaf, 0, out);
	switch (leaf) {
	case 0x80000000:
		out[EAX] = min(out[EAX], (uint32_t)MAX_EXTENDED_LEAF);
		break;
	case 0x80000001:
		out[ECX] &= SHOWN_E1C;
		if (!has_avx())
			out[ECX] &= ~AVX_E1C;
		out[EDX] &= SHOWN_E1D | (cpu_features.vendor[0] == 'G' ? 0 : SHOWN_1D & E1D_AS_1D);
		break;
	case 0x80000002 ... 0x80000006: /* the CPU's name, caches */
		break;
	case 0x80000007:
		out[EAX] = out[EBX] = out[ECX] = 0;
		out[EDX] &= INVARIANT_TSC;
		break;
	case 0x80000008:
		out[EAX] &= 0xffff;
		out[EBX] &= SHOWN_E8B;
		out[ECX] = out[EDX] = 0;
		break;
	default:
		memset(out, 0, 16);
		break;
	}
}

/* Leaf 0x40000003: how the guest's TSC relates to time. */
static void tsc_leaf(const struct vcpu *v, uint32_t sub, uint32_t out[4])
{
	const struct vcpu_time_info *t = &v->vcpu_info->time;

	switch (sub) {
	case 0:
		out[EAX] = (cpu_features.invariant_tsc ? 2 : 0) | (cpu_features.rdtscp ? 4 : 0);
		out[ECX] = (uint32_t)tsc_khz;
		break;
	case 1:
		out[ECX] = t->tsc_to_system_mul;
		out[EDX] = (uint32_t)t->tsc_shift;
		break;
	case 2:
		out[EAX] = (uint32_t)tsc_khz;
		break;
	default:
		break;
	}
}

static void hypervisor_leaf(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	memset(out, 0, 16);
	switch (leaf - XEN_CPUID_FIRST_LEAF) {
	case 0:
		out[EAX] = XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES);
		out[EBX] = XEN_CPUID_SIGNATURE_EBX;
		out[ECX] = XEN_CPUID_SIGNATURE_ECX;
		out[EDX] = XEN_CPUID_SIGNATURE_EDX;
		break;
	case 1:
		out[EAX] = XEN_VERSION;
		break;
	case 2:
		out[EAX] = 1; /* page of hypercalls */
		out[EBX] = HYPERCALL_MSR_BASE;
		out[ECX] = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
		break;
	case 3:
		tsc_leaf(v, sub, out);
		break;
	case 5:
		out[EBX] = highest_bit(max_mfn - 1) + 1 + PAGE_SHIFT;
		break;
	default:
		break;
	}
}

bool pv_cpuid_default(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	if (leaf <= min(cpu_features.max_leaf, (uint32_t)MAX_BASIC_LEAF))
		basic_leaf(leaf, sub, out);
	else if (leaf >= 0x80000000 &&
		 leaf <= min(cpu_features.max_ext_leaf, (uint32_t)MAX_EXTENDED_LEAF))
		extended_leaf(leaf, out);
	else
		return false;
	return true;
}

void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	if (!pv_cpuid_default(leaf, sub, out)) {
		hypervisor_leaf(v, leaf, sub, out);
		return;
	}
	cpu_policy_apply(v->domain, leaf, sub, out);
	if (leaf == 1) {
		out[EBX] = (out[EBX] & CLFLUSH_AND_BRAND) | (v->id * 2) << 24;
		if (out[ECX] & XSAVE)
			out[ECX] |= OSXSAVE;
	}
}
