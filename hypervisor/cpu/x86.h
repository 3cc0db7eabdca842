/* SPDX-License-Identifier: MIT */
/* Single instructions and the architecture's numbers (Intel SDM vol. 3, AMD APM vol. 2). */
#ifndef CPU_X86_H
#define CPU_X86_H

/* CR0, CR4, EFER, RFLAGS bits (SDM 3 2.5, 2.2.1; SDM 1 3.4.3) */
#define CR0_PE	       0x1
#define CR0_MP	       0x2
#define CR0_EM	       0x4
#define CR0_TS	       0x8
#define CR0_ET	       0x10
#define CR0_NE	       0x20
#define CR0_WP	       0x10000
#define CR0_AM	       0x40000
#define CR0_PG	       0x80000000
#define CR4_TSD	       0x4
#define CR4_DE	       0x8
#define CR4_PSE	       0x10
#define CR4_PAE	       0x20
#define CR4_MCE	       0x40
#define CR4_PGE	       0x80
#define CR4_OSFXSR     0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_UMIP       0x800
#define CR4_FSGSBASE   0x10000
#define CR4_PCIDE      0x20000
#define CR4_OSXSAVE    0x40000
#define CR4_SMEP       0x100000
#define CR4_SMAP       0x200000
#define EFER_SCE       0x1
#define EFER_LME       0x100
#define EFER_LMA       0x400
#define EFER_NX	       0x800
#define EFLAGS_CF      0x1
#define EFLAGS_FIXED   0x2
#define EFLAGS_TF      0x100
#define EFLAGS_IF      0x200
#define EFLAGS_DF      0x400
#define EFLAGS_IOPL    0x3000
#define EFLAGS_NT      0x4000
#define EFLAGS_RF      0x10000
#define EFLAGS_VM      0x20000
#define EFLAGS_AC      0x40000
#define EFLAGS_VIF     0x80000
#define EFLAGS_VIP     0x100000
#define EFLAGS_ID      0x200000

/* Model-specific registers (SDM 4) */
#define MSR_TSC		   0x10
#define MSR_APIC_BASE	   0x1b
#define MSR_MISC_ENABLE	   0x1a0
#define MSR_PAT		   0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_X2APIC	   0x800 /* + register offset / 16 */
#define MSR_EFER	   0xc0000080
#define MSR_STAR	   0xc0000081
#define MSR_LSTAR	   0xc0000082
#define MSR_CSTAR	   0xc0000083
#define MSR_SFMASK	   0xc0000084
#define MSR_FS_BASE	   0xc0000100
#define MSR_GS_BASE	   0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX	   0xc0000103
#define MSR_SYSENTER_CS	   0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_MCG_CAP	   0x179
#define MSR_MCG_STATUS	   0x17a
#define MSR_MCG_CTL	   0x17b
#define MSR_MC0_CTL	   0x400 /* + 4 * bank */
#define MSR_MC0_STATUS	   0x401 /* + 4 * bank */

/*
 * The page attribute table that the ABI promises to guests: 0 WB, 1 WT, 2 UC-, 3 UC, 4 WC, 5 WP, 6 and
 * 7 UC (SDM 3 11.12). The index is PAT:PCD:PWT of an entry, so WC is PTE_PAT alone.
 */
#define PAT_VALUE 0x0000050100070406

/* Exceptions (SDM 3 6.15) */
#define TRAP_DE	     0
#define TRAP_DB	     1
#define TRAP_NMI     2
#define TRAP_BP	     3
#define TRAP_OF	     4
#define TRAP_BR	     5
#define TRAP_UD	     6
#define TRAP_NM	     7
#define TRAP_DF	     8
#define TRAP_TS	     10
#define TRAP_NP	     11
#define TRAP_SS	     12
#define TRAP_GP	     13
#define TRAP_PF	     14
#define TRAP_MF	     16
#define TRAP_AC	     17
#define TRAP_MC	     18
#define TRAP_XM	     19
#define TRAP_CP	     21
#define PFEC_PRESENT 0x1
#define PFEC_WRITE   0x2
#define PFEC_USER    0x4
#define PFEC_RSVD    0x8
#define PFEC_INSN    0x10

/* Page-table entries (SDM 3 4.5) */
#define PTE_PRESENT    0x001
#define PTE_RW	       0x002
#define PTE_USER       0x004
#define PTE_PWT	       0x008
#define PTE_PCD	       0x010
#define PTE_ACCESSED   0x020
#define PTE_DIRTY      0x040
#define PTE_PSE	       0x080 /* level 2 and 3 */
#define PTE_PAT	       0x080 /* level 1 */
#define PTE_GLOBAL     0x100
#define PTE_AVAIL      0xe00 /* software's */
#define PTE_AVAIL_HIGH 0x7ff0000000000000
#define PTE_NX	       0x8000000000000000
#define PTE_ADDR_MASK  0x000ffffffffff000

#ifndef __ASSEMBLY__
#include "lib/types.h"

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(sub));
}

#define X86_READ_CR(n)                                            \
	static inline uint64_t read_cr##n(void)                   \
	{                                                         \
		uint64_t v;                                       \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v)); \
		return v;                                         \
	}
#define X86_WRITE_CR(n)                                                  \
	static inline void write_cr##n(uint64_t v)                       \
	{                                                                \
		__asm__ volatile("mov %0, %%cr" #n ::"r"(v) : "memory"); \
	}
X86_READ_CR(0)
X86_READ_CR(2)
X86_READ_CR(3)
X86_READ_CR(4)
X86_WRITE_CR(0)
X86_WRITE_CR(2)
X86_WRITE_CR(3)
X86_WRITE_CR(4)

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}

static inline void irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline uint64_t read_dr6(void)
{
	uint64_t v;

	__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}
#define X86_WRITE_DR(n)                                       \
	static inline void write_dr##n(uint64_t v)            \
	{                                                     \
		__asm__ volatile("mov %0, %%dr" #n ::"r"(v)); \
	}
X86_WRITE_DR(0)
X86_WRITE_DR(1)
X86_WRITE_DR(2)
X86_WRITE_DR(3)
X86_WRITE_DR(6)
X86_WRITE_DR(7)
#define DR6_RESET  0xffff0ff0
#define DR6_ZEROES 0x1000UL /* read as 0, with all above bit 31 */
#define DR7_RESET  0x400
#define DR7_ZEROES 0xd800UL /* the same */
#define DR7_ACTIVE 0xff

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}
#endif

#endif
