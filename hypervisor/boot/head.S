/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to C. GRUB, on BIOS and on UEFI, jumps to start in 32-bit protected mode
 * without paging (Multiboot2 specification 3.5): eax the magic number, ebx the information's address.
 * Here paging and long mode go on, with tables that map the first 4 GiB three times:
 *
 *	at their own address	for the instructions that switch, and for CPUs that start later
 *	direct map		so that phys_to_virt() works
 *	image's place		first 1 GiB: load address + IMAGE_VIRT_START
 *
 * All of it is writable and executable until pagetable_init() builds the final tables.
 */
#include "cpu/x86.h"
#include "mm/layout.h"

#define PHYS(sym) ((sym) - IMAGE_VIRT_START)
#define SLOT(va) (((va) >> 39) & 511)

/* Room for struct cpu_info at the top of the boot stack; boot/memory.c checks the size. */
#define BOOT_CPU_INFO_SPACE 512
#define BOOT_CS 8
#define BOOT_DS 16

#define CPUID_EXT_LM 29
#define CPUID_EXT_NX 20

	.section .multiboot2, "a"
	.balign 8
multiboot2_header:
	.long 0xe85250d6, 0, multiboot2_header_end - multiboot2_header
	.long -(0xe85250d6 + (multiboot2_header_end - multiboot2_header))
	/* Information that we use, where there is any: all optional (flags 1). */
	.balign 8
1:	.short 1, 1
	.long 2f - 1b
	.long 1, 2, 3, 4, 6, 8, 11, 12, 14, 15, 17
2:
	.balign 8
	.short 3, 0	/* entry */
	.long 12, PHYS(start)
	.balign 8
	.short 4, 1	/* console: none is required, text mode is understood */
	.long 12, 2
	.balign 8
	.short 5, 1	/* framebuffer: any size and depth */
	.long 20, 0, 0, 0
	.balign 8
	.short 6, 0	/* modules start on pages */
	.long 8
	.balign 8
	.short 0, 0
	.long 8
multiboot2_header_end:

	.section .init.entry, "ax"
	.code32
	.globl start
	.hidden start
start:
	cli
	cld
	mov	%eax, %edi			/* both survive cpuid */
	mov	%ebx, %ebp
	mov	$PHYS(boot_stack_end), %esp

	/* Is there cpuid? Then EFLAGS.ID can be changed (SDM 1 20.1). */
	pushf
	pop	%eax
	mov	%eax, %ecx
	xor	$EFLAGS_ID, %eax
	push	%eax
	popf
	pushf
	pop	%eax
	xor	%ecx, %eax
	test	$EFLAGS_ID, %eax
	jz	no_long_mode
	mov	$0x80000000, %eax
	cpuid
	cmp	$0x80000001, %eax
	jb	no_long_mode
	mov	$0x80000001, %eax
	cpuid
	bt	$CPUID_EXT_LM, %edx
	jnc	no_long_mode
	mov	%edx, %esi

	/* 2048 pages of 2 MiB; the loader zeroed the tables. */
	mov	$PHYS(boot_l2), %ebx
	mov	$(PTE_PSE | PTE_RW | PTE_PRESENT), %eax
	xor	%ecx, %ecx
1:	mov	%eax, (%ebx, %ecx, 8)
	add	$0x200000, %eax
	inc	%ecx
	cmp	$2048, %ecx
	jb	1b

	mov	$PHYS(boot_l3), %eax
	lea	(PTE_RW | PTE_PRESENT)(%ebx), %edx
	mov	%edx, PHYS(boot_l3_image)
	mov	%edx, (%eax)
	add	$0x1000, %edx
	mov	%edx, 8(%eax)
	add	$0x1000, %edx
	mov	%edx, 16(%eax)
	add	$0x1000, %edx
	mov	%edx, 24(%eax)
	or	$(PTE_RW | PTE_PRESENT), %eax
	mov	%eax, PHYS(boot_l4)
	mov	%eax, PHYS(boot_l4) + 8 * SLOT(DIRECTMAP_VIRT_START)
	movl	$(PHYS(boot_l3_image) + (PTE_RW | PTE_PRESENT)), PHYS(boot_l4) + 8 * SLOT(IMAGE_VIRT_START)

	/* Long mode: PAE, tables, EFER.LME and NX if there, then paging (SDM 3 9.8.5). */
	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$PHYS(boot_l4), %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	bt	$CPUID_EXT_NX, %esi
	jnc	1f
	or	$EFER_NX, %eax
1:	wrmsr
	mov	$(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	mov	%eax, %cr0
	lgdt	PHYS(boot_gdt_pointer)
	ljmp	$BOOT_CS, $PHYS(start64)

no_long_mode:
	/* To COM1, 115200 baud, 8n1, and to the top of a VGA text screen. */
	mov	$0x3f8, %ebx
	lea	3(%ebx), %edx
	mov	$0x80, %al
	out	%al, %dx
	mov	%ebx, %edx
	mov	$1, %al
	out	%al, %dx
	lea	1(%ebx), %edx
	mov	$0, %al
	out	%al, %dx
	lea	3(%ebx), %edx
	mov	$3, %al
	out	%al, %dx
	mov	$PHYS(no_long_mode_text), %esi
	mov	$0xb8000, %edi
	mov	$0x0f, %ah
next_character:
	lodsb
	test	%al, %al
	jz	halt
	stosw
	mov	%al, %bl
	mov	$(0x3f8 + 5), %edx
	mov	$0x10000, %ecx			/* and no longer, if no port is there */
1:	in	%dx, %al
	test	$0x20, %al			/* transmitter empty */
	loopz	1b
	mov	%bl, %al
	mov	$0x3f8, %edx
	out	%al, %dx
	jmp	next_character
halt:
	hlt
	jmp	halt

no_long_mode_text:
	.asciz "(CERNE) This processor has no 64-bit mode (long mode): Cerne cannot run on it.\r\n"

	.code64
start64:
	movabs	$1f, %rax
	jmp	*%rax
1:	lgdt	boot_gdt_pointer_virt(%rip)
	mov	$BOOT_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	lea	boot_stack_end - BOOT_CPU_INFO_SPACE(%rip), %rsp
	mov	%ebp, %esi			/* and zero extended */
	mov	%edi, %edi
	xor	%ebp, %ebp			/* end of the chain of frames */
	call	boot_main
	ud2

	.section .init.data, "aw"
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9a000000ffff		/* BOOT_CS: 64-bit code */
	.quad 0x00cf92000000ffff		/* BOOT_DS */
boot_gdt_end:
	.balign 4
boot_gdt_pointer:
	.short boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)
boot_gdt_pointer_virt:
	.short boot_gdt_end - boot_gdt - 1
	.quad boot_gdt

	.section .init.bss, "aw", @nobits
	.balign STACK_SIZE
	.skip STACK_SIZE
boot_stack_end:
	.globl boot_l4
	.hidden boot_l4
boot_l4:
	.skip 4096
boot_l3:
	.skip 4096
boot_l3_image:
	.skip 4096
boot_l2:
	.skip 4 * 4096

	.section .note.GNU-stack, "", @progbits
