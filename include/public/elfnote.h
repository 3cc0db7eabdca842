/* SPDX-License-Identifier: MIT */
/*
 * ELF notes: what a guest image tells whoever loads it.
 *
 * Notes stand in a PT_NOTE segment (or a section of type SHT_NOTE) under the name "Xen". Numbers are 4 or
 * 8 bytes long, as the size of the note says; strings end with a zero byte. Notes that are not needed
 * are ignored.
 */
#ifndef __XEN_PUBLIC_ELFNOTE_H__
#define __XEN_PUBLIC_ELFNOTE_H__

/* String: NAME=VALUE, free for the image's own use. */
#define XEN_ELFNOTE_INFO 0

/* Number: virtual address of the first instruction. Default: the entry in the ELF header. */
#define XEN_ELFNOTE_ENTRY 1

/* Number: virtual address of a page of the image that becomes the hypercall page
 * (arch-x86/xen-x86_64.h). */
#define XEN_ELFNOTE_HYPERCALL_PAGE 2

/* Number: virtual address of the guest's frame 0, where its initial region begins (xen.h, start of
 * day). Default 0. */
#define XEN_ELFNOTE_VIRT_BASE 3

/* Number: what to subtract from p_paddr of the program headers to get guest-physical addresses; a
 * segment lies at VIRT_BASE + p_paddr - PADDR_OFFSET. Default 0. */
#define XEN_ELFNOTE_PADDR_OFFSET 4

/* String: the interface that the image is made for, "xen-3.0". */
#define XEN_ELFNOTE_XEN_VERSION 5

/* Strings: the name and version of the guest. */
#define XEN_ELFNOTE_GUEST_OS	  6
#define XEN_ELFNOTE_GUEST_VERSION 7

/* String: the kind of loader, "generic". */
#define XEN_ELFNOTE_LOADER 8

/* String, 32-bit images only: "yes", "no", "bimodal". */
#define XEN_ELFNOTE_PAE_MODE 9

/* String: features (features.h) separated by '|', those that the image cannot do without marked by a
 * '!' in front. */
#define XEN_ELFNOTE_FEATURES 10

/* String "yes" or "no": load the symbol table behind the image. */
#define XEN_ELFNOTE_BSD_SYMTAB 11

/* Number: the lowest address at which the hypervisor's part of the address space may begin; at most
 * HYPERVISOR_VIRT_START. */
#define XEN_ELFNOTE_HV_START_LOW 12

/* Pairs of numbers (mask, value): a level 1 entry that is not present, with entry & mask == value,
 * nevertheless names a machine frame (which matters to who moves the domain). */
#define XEN_ELFNOTE_L1_MFN_VALID 13

/* Number: 1 if the guest can go on when its suspension is cancelled. Default 0. */
#define XEN_ELFNOTE_SUSPEND_CANCEL 14

/*
 * Number: virtual address where the frame list is to be mapped, in place of its place in the initial
 * region. The guest must not mind if large pages map it, which it could not make itself, and if the
 * page tables that do are outside the initial region.
 */
#define XEN_ELFNOTE_INIT_P2M 15

/* Number: not 0 if start_info.mod_start may be a frame number, the module not being mapped. */
#define XEN_ELFNOTE_MOD_START_PFN 16

/* Number: features (bit n: XENFEAT n) that the image can use, added to those of XEN_ELFNOTE_FEATURES. */
#define XEN_ELFNOTE_SUPPORTED_FEATURES 17

/* Number: entry in 32-bit protected mode without paging, for PVH guests only. */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

/* The highest note above. */
#define XEN_ELFNOTE_MAX XEN_ELFNOTE_PHYS32_ENTRY

/* Written into crash dumps: information about the hypervisor, and registers per CPU that the usual
 * notes lack. */
#define XEN_ELFNOTE_CRASH_INFO 0x1000001
#define XEN_ELFNOTE_CRASH_REGS 0x1000002

/* Written into dumps of a domain's memory: mark of the format, header, version of the hypervisor,
 * version of the format. */
#define XEN_ELFNOTE_DUMPCORE_NONE	    0x2000000
#define XEN_ELFNOTE_DUMPCORE_HEADER	    0x2000001
#define XEN_ELFNOTE_DUMPCORE_XEN_VERSION    0x2000002
#define XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION 0x2000003

#endif /* __XEN_PUBLIC_ELFNOTE_H__ */
