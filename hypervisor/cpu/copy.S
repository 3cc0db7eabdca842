/* SPDX-License-Identifier: MIT */
/* Copies that may fault: 0, or -14 (-EFAULT) when they do. */
#include "cpu/asm.h"
#include "asm-offsets.h"

#define EFAULT_NEGATIVE -14

	.text

/* int copy_user(void *dst, const void *src, size_t len): one side is guest memory. */
ENTRY(copy_user)
	STAC
	mov	%rdx, %rcx
	shr	$3, %rcx
1:	rep movsq
	and	$7, %edx
	jne	3f
	CLAC
	xor	%eax, %eax
	ret
3:	mov	%edx, %ecx
2:	rep movsb
	CLAC
	xor	%eax, %eax
	ret
	FIXUP(1b, user_fault)
	FIXUP(2b, user_fault)
END(copy_user)

user_fault:
	CLAC
	mov	$EFAULT_NEGATIVE, %eax
	ret

/* int clear_user(void *dst, size_t len) */
ENTRY(clear_user)
	STAC
	xor	%eax, %eax
	mov	%rsi, %rcx
1:	rep stosb
	CLAC
	ret
	FIXUP(1b, user_fault)
END(clear_user)

/* int get_user_u32(uint32_t *dst, const uint32_t *src) */
ENTRY(get_user_u32)
	STAC
1:	mov	(%rsi), %eax
	CLAC
	mov	%eax, (%rdi)
	xor	%eax, %eax
	ret
	FIXUP(1b, user_fault)
END(get_user_u32)

/* int put_user_u32(uint32_t *dst, uint32_t value) */
ENTRY(put_user_u32)
	STAC
1:	mov	%esi, (%rdi)
	CLAC
	xor	%eax, %eax
	ret
	FIXUP(1b, user_fault)
END(put_user_u32)

/* int get_user_u64(uint64_t *dst, const uint64_t *src) */
ENTRY(get_user_u64)
	STAC
1:	mov	(%rsi), %rax
	CLAC
	mov	%rax, (%rdi)
	xor	%eax, %eax
	ret
	FIXUP(1b, user_fault)
END(get_user_u64)

/* int put_user_u64(uint64_t *dst, uint64_t value) */
ENTRY(put_user_u64)
	STAC
1:	mov	%rsi, (%rdi)
	CLAC
	xor	%eax, %eax
	ret
	FIXUP(1b, user_fault)
END(put_user_u64)

/* int copy_safe(void *dst, const void *src, size_t len): hypervisor memory that may not be mapped. */
ENTRY(copy_safe)
	mov	%rdx, %rcx
	xor	%eax, %eax
1:	rep movsb
	ret
2:	mov	$EFAULT_NEGATIVE, %eax
	ret
	FIXUP(1b, 2b)
END(copy_safe)

	.section .note.GNU-stack, "", @progbits
