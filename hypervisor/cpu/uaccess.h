/* SPDX-License-Identifier: MIT */
/*
 * Words of the current guest's memory, accessed in place: for paths on which the calls of cpu/cpu.h would
 * cost more than what they do. As there, the guest's mapping decides, and a fault makes an error:
 *
 *	if (!guest_block_ok(va))
 *		return -EFAULT;
 *	guest_access_begin();
 *	GET_GUEST_WORD(value, va, error);
 *	PUT_GUEST_WORD(va + 8, value, error);
 *	guest_access_end();
 *	if (error)
 *		...
 *
 * A word has 8 bytes, or 4 if the value that is read has. error, an int, becomes -EFAULT if an access faults, and else stays as it is; a word that could not be read is 0.
 * Between begin and end nothing is called.
 */
#ifndef CPU_UACCESS_H
#define CPU_UACCESS_H

#include "cpu/asm.h"
#include "cpu/cpu.h"
#include "lib/errno.h"
#include "mm/layout.h"

/*
 * May words of guest memory from va on be accessed, of a page at the most? Or a range of any length, upwards and no further
 * than to the first fault? What lies below the hypervisor's part, as far as that is long, is not canonical, so nothing is
 * lost by refusing it too, and what begins there cannot reach into that part; behind its end is the guest's again.
 */
static inline bool guest_block_ok(vaddr_t va)
{
	const vaddr_t refused = HV_VIRT_START - (HV_VIRT_END - HV_VIRT_START);

	return va - refused >= HV_VIRT_END - refused;
}

#ifndef UNIT_TEST
static inline void guest_access_begin(void)
{
	__asm__ volatile(STAC_ASM ::: "memory");
}

static inline void guest_access_end(void)
{
	__asm__ volatile(CLAC_ASM ::: "memory");
}

#define GET_GUEST_WORD(value, va, error)                                                    \
	do {                                                                                \
		__typeof__(value) word_;                                                    \
		__asm__ volatile(                                                           \
		    "1: mov %[from], %[word]\n"                                             \
		    "2:\n\t"                                                                \
		    ".pushsection .text.fixup, \"ax\"\n"                                    \
		    "3: mov %[efault], %[err]\n\t"                                          \
		    "xor %k[word], %k[word]\n\t"                                            \
		    "jmp 2b\n\t"                                                            \
		    ".popsection\n\t" FIXUP_ASM("1b", "3b")                                 \
		    : [err] "+r"(error), [word] "=r"(word_)                                 \
		    : [from] "m"(*(const __typeof__(value) *)(va)), [efault] "i"(-EFAULT)); \
		(value) = word_;                                                            \
	} while (0)

#define PUT_GUEST_WORD(va, value, error)                                   \
	__asm__ volatile("1: movq %[word], %[to]\n"                        \
			 "2:\n\t"                                          \
			 ".pushsection .text.fixup, \"ax\"\n"              \
			 "3: mov %[efault], %[err]\n\t"                    \
			 "jmp 2b\n\t"                                      \
			 ".popsection\n\t" FIXUP_ASM("1b", "3b")           \
			 : [err] "+r"(error), [to] "=m"(*(uint64_t *)(va)) \
			 : [word] "er"((uint64_t)(value)), [efault] "i"(-EFAULT))
#else
static inline void guest_access_begin(void)
{
}

static inline void guest_access_end(void)
{
}

#define GET_GUEST_WORD(value, va, error)                                             \
	do {                                                                         \
		uint64_t word_ = 0;                                                  \
		uint32_t half_ = 0;                                                  \
		if (sizeof(value) == sizeof(half_) ? get_guest_u32(&half_, va)       \
						   : get_guest_u64(&word_, va))      \
			(error) = -EFAULT;                                           \
		(value) = sizeof(value) == sizeof(half_) ? (__typeof__(value))half_  \
							 : (__typeof__(value))word_; \
	} while (0)
#define PUT_GUEST_WORD(va, value, error)      \
	do {                                  \
		if (put_guest_u64(va, value)) \
			(error) = -EFAULT;    \
	} while (0)
#endif

#endif
