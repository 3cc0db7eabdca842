/* SPDX-License-Identifier: MIT */
/* Access to guest memory and to what may fault; the copies themselves are in copy.S. */
#include "cpu/uaccess.h"
#include "lib/lib.h"

int copy_user(void *dst, const void *src, size_t len);
int clear_user(void *dst, size_t len);
int get_user_u32(uint32_t *dst, const uint32_t *src);
int put_user_u32(uint32_t *dst, uint32_t value);
int get_user_u64(uint64_t *dst, const uint64_t *src);
int put_user_u64(uint64_t *dst, uint64_t value);
int copy_safe(void *dst, const void *src, size_t len);

int copy_from_guest(void *dst, vaddr_t src, size_t len)
{
	if (unlikely(!guest_block_ok(src)))
		return -EFAULT;
	return copy_user(dst, (const void *)src, len);
}

int copy_to_guest(vaddr_t dst, const void *src, size_t len)
{
	if (unlikely(!guest_block_ok(dst)))
		return -EFAULT;
	return copy_user((void *)dst, src, len);
}

int clear_guest(vaddr_t dst, size_t len)
{
	if (unlikely(!guest_block_ok(dst)))
		return -EFAULT;
	return clear_user((void *)dst, len);
}

int get_guest_u32(uint32_t *dst, vaddr_t src)
{
	if (unlikely(!guest_block_ok(src)))
		return -EFAULT;
	return get_user_u32(dst, (const uint32_t *)src);
}

int put_guest_u32(vaddr_t dst, uint32_t value)
{
	if (unlikely(!guest_block_ok(dst)))
		return -EFAULT;
	return put_user_u32((uint32_t *)dst, value);
}

int get_guest_u64(uint64_t *dst, vaddr_t src)
{
	if (unlikely(!guest_block_ok(src)))
		return -EFAULT;
	return get_user_u64(dst, (const uint64_t *)src);
}

int put_guest_u64(vaddr_t dst, uint64_t value)
{
	if (unlikely(!guest_block_ok(dst)))
		return -EFAULT;
	return put_user_u64((uint64_t *)dst, value);
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
