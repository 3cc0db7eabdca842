/* SPDX-License-Identifier: MIT */
/*
 * FPU, SSE, AVX state of vCPUs: saved and loaded with every switch, never left for a fault to fetch.
 * The area is XSAVE's in standard form, or FXSAVE's (SDM 1 13.4, 10.5.1).
 */
#include "cpu/asm.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/x86.h"
#include "domain/types.h"
#include "lib/lib.h"

#define FXSAVE_SIZE	   512
#define FXSAVE_MXCSR	   24
#define FXSAVE_MXCSR_MASK  28
#define XSTATE_BV	   512 /* which components the area holds; the others are in their initial state */
#define XSTATE_LEGACY	   3
#define FCW_DEFAULT	   0x37f
#define MXCSR_DEFAULT	   0x1f80
#define MXCSR_MASK_DEFAULT 0xffbf

static uint32_t mxcsr_mask; /* bits that exist */

void fpu_init_cpu(void)
{
	__asm__ volatile("fninit");
	if (cpu_features.xcr0)
		__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)cpu_features.xcr0),
				 "d"((uint32_t)(cpu_features.xcr0 >> 32)));
	if (!mxcsr_mask) {
		static uint8_t area[FXSAVE_SIZE] __attribute__((aligned(16)));

		__asm__ volatile("fxsave64 %0" : "=m"(area));
		memcpy(&mxcsr_mask, area + FXSAVE_MXCSR_MASK, sizeof(mxcsr_mask));
		if (!mxcsr_mask)
			mxcsr_mask = MXCSR_MASK_DEFAULT;
	}
}

void fpu_init_state(void *area)
{
	uint16_t fcw = FCW_DEFAULT;
	uint32_t mxcsr = MXCSR_DEFAULT;

	memset(area, 0, cpu_features.fpu_size);
	memcpy(area, &fcw, sizeof(fcw));
	memcpy((char *)area + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

void fpu_set_legacy(void *area, const void *fxsave)
{
	uint32_t mxcsr;

	fpu_init_state(area);
	memcpy(area, fxsave, FXSAVE_SIZE);
	memcpy(&mxcsr, (const char *)fxsave + FXSAVE_MXCSR, sizeof(mxcsr));
	mxcsr &= mxcsr_mask; /* loading others faults */
	memcpy((char *)area + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	if (cpu_features.xcr0)
		*(uint64_t *)((char *)area + XSTATE_BV) = XSTATE_LEGACY;
}

void fpu_get_legacy(void *fxsave, const void *area)
{
	uint64_t present = XSTATE_LEGACY;
	uint16_t fcw = FCW_DEFAULT;

	memcpy(fxsave, area, FXSAVE_SIZE);
	if (cpu_features.xcr0)
		present = *(const uint64_t *)((const char *)area + XSTATE_BV);
	/* XSAVE leaves the bytes of a component in its initial state as they were. */
	if (!(present & 1)) {
		memset(fxsave, 0, FXSAVE_MXCSR);
		memset((char *)fxsave + 32, 0, 128);
		memcpy(fxsave, &fcw, sizeof(fcw));
	}
	if (!(present & 2))
		memset((char *)fxsave + 160, 0, 256);
}

void fpu_save(struct vcpu *v)
{
	uint32_t lo = (uint32_t)cpu_features.xcr0, hi = (uint32_t)(cpu_features.xcr0 >> 32);

	if (v->pv.ctrlreg[0] & CR0_TS)
		__asm__ volatile("clts");
	if (cpu_features.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(v->fpu), "a"(lo), "d"(hi) : "memory");
	else if (cpu_features.xcr0)
		__asm__ volatile("xsave64 (%0)" ::"r"(v->fpu), "a"(lo), "d"(hi) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(v->fpu) : "memory");
}

/* false: the area is not one that the CPU takes. */
static bool fpu_load(const void *area)
{
	uint32_t lo = (uint32_t)cpu_features.xcr0, hi = (uint32_t)(cpu_features.xcr0 >> 32);
	int bad;

#define LOAD(insn)                                               \
	__asm__ volatile("xor %0, %0\n"                          \
			 "1: " insn " (%1)\n"                    \
			 "2:\n\t"                                \
			 ".pushsection .text.fixup, \"ax\"\n"    \
			 "3: mov $1, %0\n\t"                     \
			 "jmp 2b\n\t"                            \
			 ".popsection\n\t" FIXUP_ASM("1b", "3b") \
			 : "=&r"(bad)                            \
			 : "r"(area), "a"(lo), "d"(hi)           \
			 : "memory")
	if (cpu_features.xcr0)
		LOAD("xrstor64");
	else
		LOAD("fxrstor64");
#undef LOAD
	return !bad;
}

/*
 * AMD loads and saves the last instruction's pointers only while an exception is pending, so those of
 * the vCPU before would show: an integer load of our own replaces them (AMD APM 2 11.4.4).
 */
static void fpu_forget_pointers(void)
{
	static const uint32_t zero;

	__asm__ volatile("fnclex\n\t"
			 "ffree %%st(7)\n\t"
			 "fildl %0" ::"m"(zero));
}

void fpu_restore(struct vcpu *v)
{
	/* The vCPU that ran before, or none, left TS clear here. */
	if (cpu_features.fpu_pointers_leak)
		fpu_forget_pointers();
	if (unlikely(!fpu_load(v->fpu))) {
		fpu_init_state(v->fpu);
		fpu_load(v->fpu);
	}
	if (v->pv.ctrlreg[0] & CR0_TS)
		write_cr0(read_cr0() | CR0_TS);
}
