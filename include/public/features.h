/* SPDX-License-Identifier: MIT */
/*
 * Features of the interface between a guest and the hypervisor.
 *
 * Each constant is a bit number in the map that XENVER_get_features (version.h) returns 32 bits at a
 * time: bit n stands in submap n / 32. The names, without XENFEAT_, are also the words of the ELF
 * notes XEN_ELFNOTE_FEATURES and XEN_ELFNOTE_SUPPORTED_FEATURES (elfnote.h).
 */
#ifndef __XEN_PUBLIC_FEATURES_H__
#define __XEN_PUBLIC_FEATURES_H__

/* The guest may keep writable mappings of its page tables. Never set for PV guests. */
#define XENFEAT_writable_page_tables 0

/* The guest may keep writable mappings of its descriptor tables. Never set for PV guests. */
#define XENFEAT_writable_descriptor_tables 1

/* The hypervisor translates guest frames to machine frames. Never set for PV guests. */
#define XENFEAT_auto_translated_physmap 2

/* The guest kernel runs in ring 0. Never set for PV guests. */
#define XENFEAT_supervisor_mode_kernel 3

/* Top-level page tables may lie above 4 GiB. Always so for 64-bit guests. */
#define XENFEAT_pae_pgdir_above_4gb 4

/* MMU_PT_UPDATE_PRESERVE_AD exists (xen.h, mmu_update). */
#define XENFEAT_mmu_pt_update_preserve_ad 5

/* MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE exist (xen.h, mmuext_op). */
#define XENFEAT_highmem_assist 6

/* Grant mappings carry the available bits that the flags of the map operation ask for. */
#define XENFEAT_gnttab_map_avail_bits 7

/* HVM only: event callbacks by interrupt vector; safe time records; physical interrupts. */
#define XENFEAT_hvm_callback_vector 8
#define XENFEAT_hvm_safe_pvclock    9
#define XENFEAT_hvm_pirqs	    10

/* In a guest's ELF notes: it can be dom0. From the hypervisor: the caller is dom0. */
#define XENFEAT_dom0 11

/* Bit 12 was used once and stays free. */

/* XENMEMF_vnode is understood (memory.h). */
#define XENFEAT_memory_op_vnode_supported 13

/* Arm only. */
#define XENFEAT_ARM_SMCCC_supported 14

/* PVH only: the guest accepts ACPI's root pointer at any address. */
#define XENFEAT_linux_rsdp_unrestricted 15

/*
 * Whether the guest's frame numbers equal machine frame numbers. A PV guest handles machine frames
 * itself and is told XENFEAT_direct_mapped; exactly one of the two bits is set.
 */
#define XENFEAT_not_direct_mapped 16
#define XENFEAT_direct_mapped	  17

/* How many submaps XENVER_get_features knows: index 0 to XENFEAT_NR_SUBMAPS - 1. */
#define XENFEAT_NR_SUBMAPS 1

#endif /* __XEN_PUBLIC_FEATURES_H__ */
