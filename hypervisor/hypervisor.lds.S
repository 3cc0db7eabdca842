/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's image. GRUB loads each segment at its physical address, IMAGE_VIRT_START below its
 * link address. lib/image.h explains the regions.
 */
#include "mm/layout.h"

OUTPUT_FORMAT(elf64-x86-64)
OUTPUT_ARCH(i386:x86-64)
ENTRY(start)

PHDRS
{
	text PT_LOAD FLAGS(5);
	rodata PT_LOAD FLAGS(4);
	data PT_LOAD FLAGS(6);
	init_text PT_LOAD FLAGS(5);
	init_data PT_LOAD FLAGS(6);
	init_bss PT_LOAD FLAGS(6); /* alone, or its alignment would make a hole in the file */
	symbols PT_LOAD FLAGS(4);
}

SECTIONS
{
	. = IMAGE_VIRT_START + IMAGE_PHYS_START;
	image_start = .;

	/* The Multiboot2 header must be within the file's first 32 KiB. */
	.text : AT(ADDR(.text) - IMAGE_VIRT_START) {
		text_start = .;
		KEEP(*(.multiboot2))
		KEEP(*(.text.entry))
		*(.text .text.*)
		. = ALIGN(4096);
		text_end = .;
	} :text

	.rodata : AT(ADDR(.rodata) - IMAGE_VIRT_START) {
		rodata_start = .;
		*(.rodata .rodata.* .data.rel.ro .data.rel.ro.*)
		. = ALIGN(8);
		options_start = .;
		KEEP(*(.options))
		options_end = .;
		. = ALIGN(8);
		fixup_start = .;
		KEEP(*(.fixup))
		fixup_end = .;
		. = ALIGN(4096);
		rodata_end = .;
	} :rodata

	/* In cache lines of its own: CPU 0 uses it in place. */
	.data.percpu : AT(ADDR(.data.percpu) - IMAGE_VIRT_START) {
		data_start = .;
		percpu_start = .;
		*(.data.percpu)
		. = ALIGN(64);
		percpu_end = .;
	} :data

	.data : AT(ADDR(.data) - IMAGE_VIRT_START) {
		*(.data .data.*)
	} :data

	.bss : AT(ADDR(.bss) - IMAGE_VIRT_START) {
		. = ALIGN(64);
		bss_start = .;
		*(.bss .bss.[_a-zA-Z]* COMMON)
		. = ALIGN(4096);
		bss_end = .;
		data_end = .;
	} :data

	.init.text : AT(ADDR(.init.text) - IMAGE_VIRT_START) {
		init_start = .;
		KEEP(*(.init.entry))
		*(.init.text .init.text.*)
		. = ALIGN(4096);
		init_text_end = .;
	} :init_text

	.init.data : AT(ADDR(.init.data) - IMAGE_VIRT_START) {
		*(.init.data .init.data.* .init.rodata .init.rodata.*)
		. = ALIGN(8);
		smap_sites_start = .;
		KEEP(*(.init.smap_sites))
		smap_sites_end = .;
		. = ALIGN(4096);
	} :init_data

	.init.bss : AT(ADDR(.init.bss) - IMAGE_VIRT_START) {
		*(.init.bss .init.bss.* .bss..init)
		. = ALIGN(4096);
		init_end = .;
	} :init_bss

	/* Last, so that the names of a first link change no address of the second. */
	.symbols : AT(ADDR(.symbols) - IMAGE_VIRT_START) {
		KEEP(*(.symbols))
		. = ALIGN(4096);
		image_end = .;
	} :symbols

	/* Nothing may be left for a loader to relocate. */
	.rela.dyn : { *(.rela .rela.* .rel .rel.*) }
	ASSERT(SIZEOF(.rela.dyn) == 0, "dynamic relocations are left")
	.got : { *(.got .got.plt .igot .igot.plt) }
	ASSERT(SIZEOF(.got) == 0, "a global offset table is left")

	/DISCARD/ : {
		*(.comment .note .note.* .eh_frame .eh_frame_hdr .dynamic .dynsym .dynstr .hash .gnu.hash
		  .interp .gnu.version*)
	}
}
