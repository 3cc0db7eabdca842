/* SPDX-License-Identifier: MIT */
/* Access to guest memory and to what may fault; the copies themselves are in copy.S. */
#include "cpu/asm.h"
#include "cpu/cpu.h"
#include "lib/errno.h"
#include "lib/lib.h"

int copy_user(void *dst, const void *src, size_t len);
int clear_user(void *dst, size_t len);
int get_user_u32(uint32_t *dst, const uint32_t *src);
int put_user_u32(uint32_t *dst, uint32_t value);
int get_user_u64(uint64_t *dst, const uint64_t *src);
int put_user_u64(uint64_t *dst, uint64_t value);
int put_user_frame(uint64_t *sp, uint64_t *hardware_part, const struct cpu_user_regs *regs,
		   uint64_t error_code, uint64_t cs, uint64_t rflags);
int copy_safe(void *dst, const void *src, size_t len);

/*
 * As guest_range_ok(), without the question whether the range is canonical: if not, the access is a
 * #GP, which ends the copy like any fault.
 */
static inline bool range_ok(vaddr_t va, size_t len)
{
	vaddr_t end = va + len;

	return likely(end >= va) && (end <= HV_VIRT_START || va >= HV_VIRT_END);
}

int copy_from_guest(void *dst, vaddr_t src, size_t len)
{
	if (unlikely(!range_ok(src, len)))
		return -EFAULT;
	return copy_user(dst, (const void *)src, len);
}

int copy_to_guest(vaddr_t dst, const void *src, size_t len)
{
	if (unlikely(!range_ok(dst, len)))
		return -EFAULT;
	return copy_user((void *)dst, src, len);
}

int clear_guest(vaddr_t dst, size_t len)
{
	if (unlikely(!range_ok(dst, len)))
		return -EFAULT;
	return clear_user((void *)dst, len);
}

int get_guest_u32(uint32_t *dst, vaddr_t src)
{
	if (unlikely(!range_ok(src, sizeof(*dst))))
		return -EFAULT;
	return get_user_u32(dst, (const uint32_t *)src);
}

int put_guest_u32(vaddr_t dst, uint32_t value)
{
	if (unlikely(!range_ok(dst, sizeof(value))))
		return -EFAULT;
	return put_user_u32((uint32_t *)dst, value);
}

int get_guest_u64(uint64_t *dst, vaddr_t src)
{
	if (unlikely(!range_ok(src, sizeof(*dst))))
		return -EFAULT;
	return get_user_u64(dst, (const uint64_t *)src);
}

int put_guest_u64(vaddr_t dst, uint64_t value)
{
	if (unlikely(!range_ok(dst, sizeof(value))))
		return -EFAULT;
	return put_user_u64((uint64_t *)dst, value);
}

int put_guest_frame(vaddr_t sp, size_t size, const struct cpu_user_regs *regs, uint64_t error_code,
		    uint64_t cs, uint64_t rflags)
{
	if (unlikely(!range_ok(sp, size)))
		return -EFAULT;
	return put_user_frame((uint64_t *)sp, (uint64_t *)(sp + size) - 5, regs, error_code, cs,
			      rflags);
}

int read_safe(void *dst, const void *src, size_t len)
{
	return copy_safe(dst, src, len);
}

int rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t lo, hi;
	int error;

	__asm__ volatile("xor %2, %2\n"
			 "1: rdmsr\n"
			 "2:\n\t"
			 ".pushsection .text.fixup, \"ax\"\n"
			 "3: mov %4, %2\n\t"
			 "xor %%eax, %%eax\n\t"
			 "xor %%edx, %%edx\n\t"
			 "jmp 2b\n\t"
			 ".popsection\n\t" FIXUP_ASM("1b", "3b")
			 : "=&a"(lo), "=&d"(hi), "=&r"(error)
			 : "c"(msr), "i"(-EFAULT));
	*value = (uint64_t)hi << 32 | lo;
	return error;
}

int wrmsr_safe(uint32_t msr, uint64_t value)
{
	int error;

	__asm__ volatile("xor %0, %0\n"
			 "1: wrmsr\n"
			 "2:\n\t"
			 ".pushsection .text.fixup, \"ax\"\n"
			 "3: mov %4, %0\n\t"
			 "jmp 2b\n\t"
			 ".popsection\n\t" FIXUP_ASM("1b", "3b")
			 : "=&r"(error)
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)),
			   "i"(-EFAULT)
			 : "memory");
	return error;
}
