/* SPDX-License-Identifier: MIT */
/* What the CPU can do (SDM 2 CPUID, APM 3 E), and which of it is used. */
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/x86.h"
#include "lib/lib.h"
#include "lib/option.h"

struct cpu_features cpu_features;

static bool opt_smep = true, opt_smap = true, opt_xsave = true, opt_x2apic = true;
BOOL_OPTION("smep", opt_smep);
BOOL_OPTION("smap", opt_smap);
BOOL_OPTION("xsave", opt_xsave);
BOOL_OPTION("x2apic", opt_x2apic);

#define BIT(word, n) (((word) >> (n)) & 1)
enum { EAX, EBX, ECX, EDX };

/* State components: x87, SSE, AVX; opmask, the upper halves and upper registers of AVX-512 together. */
#define XSTATE_X87    0x1UL
#define XSTATE_SSE    0x2UL
#define XSTATE_AVX    0x4UL
#define XSTATE_AVX512 0xe0UL
#define FXSAVE_SIZE   512
#define XSAVE_HEADER  64

static void identify(struct cpu_features *f)
{
	uint32_t r[4];

	cpuid(0, 0, r);
	f->max_leaf = r[EAX];
	memcpy(f->vendor, &r[EBX], 4);
	memcpy(f->vendor + 4, &r[EDX], 4);
	memcpy(f->vendor + 8, &r[ECX], 4);
	cpuid(0x80000000, 0, r);
	f->max_ext_leaf = r[EAX] >> 16 == 0x8000 ? r[EAX] : 0;

	cpuid(1, 0, r);
	f->family = r[EAX] >> 8 & 0xf;
	f->model = r[EAX] >> 4 & 0xf;
	f->stepping = r[EAX] & 0xf;
	if (f->family == 6 || f->family == 0xf)
		f->model |= r[EAX] >> 12 & 0xf0;
	if (f->family == 0xf)
		f->family += r[EAX] >> 20 & 0xff;
	f->pge = BIT(r[EDX], 13);
	f->pcid = BIT(r[ECX], 17);
	f->x2apic = BIT(r[ECX], 21) && opt_x2apic;
	f->tsc_deadline = BIT(r[ECX], 24);
	f->xsave = BIT(r[ECX], 26) && opt_xsave && f->max_leaf >= 0xd;
	f->avx = BIT(r[ECX], 28);
	f->hypervisor = BIT(r[ECX], 31);
}

/* The states that guests get: what the CPU has of those known here. */
static void choose_xstate(struct cpu_features *f)
{
	uint32_t r[4];
	uint64_t supported;

	f->fpu_size = FXSAVE_SIZE;
	if (!f->xsave) {
		f->avx = f->avx512 = false;
		return;
	}
	cpuid(0xd, 0, r);
	supported = (uint64_t)r[EDX] << 32 | r[EAX];
	f->xcr0 = XSTATE_X87 | XSTATE_SSE;
	if (f->avx && supported & XSTATE_AVX)
		f->xcr0 |= XSTATE_AVX;
	if (f->avx512 && f->xcr0 & XSTATE_AVX && (supported & XSTATE_AVX512) == XSTATE_AVX512)
		f->xcr0 |= XSTATE_AVX512;
	f->avx = f->xcr0 & XSTATE_AVX;
	f->avx512 = f->xcr0 & XSTATE_AVX512;
	f->fpu_size += XSAVE_HEADER;
	for (unsigned int i = 2; i < 63; i++)
		if (BIT(f->xcr0, i)) {
			cpuid(0xd, i, r);
			f->fpu_size = max(f->fpu_size, r[EAX] + r[EBX]);
		}
	cpuid(0xd, 1, r);
	f->xsaveopt = BIT(r[EAX], 0);
}

void cpu_features_init_bsp(void)
{
	struct cpu_features *f = &cpu_features;
	uint32_t r[4];
	bool amd;

	identify(f);
	amd = !strcmp(f->vendor, "AuthenticAMD") || !strcmp(f->vendor, "HygonGenuine");
	if (f->max_leaf >= 6) {
		cpuid(6, 0, r);
		f->arat = BIT(r[EAX], 2);
	}
	if (f->max_leaf >= 7) {
		cpuid(7, 0, r);
		f->fsgsbase = BIT(r[EBX], 0);
		f->smep = BIT(r[EBX], 7) && opt_smep;
		f->avx512 = BIT(r[EBX], 16);
		f->smap = BIT(r[EBX], 20) && opt_smap;
		f->umip = BIT(r[ECX], 2);
	}
	if (f->max_ext_leaf >= 0x80000001) {
		cpuid(0x80000001, 0, r);
		f->syscall = BIT(r[EDX], 11);
		f->nx = BIT(r[EDX], 20);
		f->page1gb = BIT(r[EDX], 26);
		f->rdtscp = BIT(r[EDX], 27);
	}
	if (f->max_ext_leaf >= 0x80000007) {
		cpuid(0x80000007, 0, r);
		f->invariant_tsc = BIT(r[EDX], 8);
	}
	f->phys_bits = 36;
	f->virt_bits = 48;
	f->fpu_pointers_leak = amd;
	if (f->max_ext_leaf >= 0x80000008) {
		cpuid(0x80000008, 0, r);
		f->phys_bits = min(r[EAX] & 0xff, 52U);
		f->virt_bits = r[EAX] >> 8 & 0xff;
		f->fpu_pointers_leak = amd && !BIT(r[EBX], 2); /* RstrFpErrPtrs */
	}
	choose_xstate(f);
	if (f->smap)
		smap_patch();
	printk(LOG_INFO "CPU: %s family %#x model %#x stepping %u,%s%s%s%s%s%s\n", f->vendor,
	       f->family, f->model, f->stepping, f->nx ? " nx" : "", f->smep ? " smep" : "",
	       f->smap ? " smap" : "", f->xsave ? " xsave" : "", f->x2apic ? " x2apic" : "",
	       f->tsc_deadline ? " tsc-deadline" : "");
}

/* ---- stac and clac (cpu/asm.h) ---- */

struct smap_site {
	int32_t place; /* relative to itself */
	uint32_t last; /* third byte of the instruction */
};
extern const struct smap_site smap_sites_start[], smap_sites_end[]; /* hypervisor.lds.S */

/*
 * Text can still be written now, and no other CPU runs. The instructions exist from here on, before
 * CR4.SMAP gives them a meaning.
 */
void smap_patch(void)
{
	for (const struct smap_site *s = smap_sites_start; s < smap_sites_end; s++) {
		uint8_t *p = (uint8_t *)&s->place + s->place;

		p[0] = 0x0f;
		p[1] = 0x01;
		p[2] = (uint8_t)s->last;
	}
}
