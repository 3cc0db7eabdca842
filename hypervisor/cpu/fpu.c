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

/* Offsets (SDM 1 10.5.1, 13.4.2). */
#define FXSAVE_MXCSR  24
#define FXSAVE_ST     32
#define FXSAVE_XMM    160
#define FXSAVE_USED   416
#define XSAVE_HEADER  512 /* begins with the components that the area has, a bit each: */
#define XSTATE_X87    1UL
#define XSTATE_SSE    2UL
#define FCW_DEFAULT   0x37f
#define MXCSR_DEFAULT 0x1f80

static void set_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

void fpu_init_cpu(void)
{
	__asm__ volatile("fninit");
	if (cpu_features.xcr0)
		set_xcr0(cpu_features.xcr0);
}

void fpu_init_state(void *area)
{
	uint16_t fcw = FCW_DEFAULT;
	uint32_t mxcsr = MXCSR_DEFAULT;

	memset(area, 0, cpu_features.fpu_size);
	memcpy(area, &fcw, sizeof(fcw));
	memcpy((char *)area + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

/* XSAVE need not write a component that is in its initial state (SDM 1 13.6): then the area has an old one's. */
void fpu_legacy_state(const void *area, void *fxsave)
{
	uint64_t present = ~0UL;
	uint16_t fcw = FCW_DEFAULT;

	memcpy(fxsave, area, FXSAVE_USED);
	memset((char *)fxsave + FXSAVE_USED, 0, XSAVE_HEADER - FXSAVE_USED);
	if (cpu_features.xcr0)
		memcpy(&present, (const char *)area + XSAVE_HEADER, sizeof(present));
	if (!(present & XSTATE_X87)) {
		memset(fxsave, 0, FXSAVE_MXCSR);
		memcpy(fxsave, &fcw, sizeof(fcw));
		memset((char *)fxsave + FXSAVE_ST, 0, FXSAVE_XMM - FXSAVE_ST);
	}
	if (!(present & XSTATE_SSE))
		memset((char *)fxsave + FXSAVE_XMM, 0, FXSAVE_USED - FXSAVE_XMM);
}

void fpu_save(struct vcpu *v)
{
	uint32_t lo = (uint32_t)cpu_features.xcr0, hi = (uint32_t)(cpu_features.xcr0 >> 32);

	if (v->pv.ctrlreg[0] & CR0_TS)
		__asm__ volatile("clts");
	/* The area holds every component, those too that this guest has switched off meanwhile. */
	if (unlikely(v->pv.xcr0 != cpu_features.xcr0))
		set_xcr0(cpu_features.xcr0);
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
	if (unlikely(v->pv.xcr0 != cpu_features.xcr0))
		set_xcr0(v->pv.xcr0);
	if (v->pv.ctrlreg[0] & CR0_TS)
		write_cr0(read_cr0() | CR0_TS);
}
