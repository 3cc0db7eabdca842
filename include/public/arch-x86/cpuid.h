/* SPDX-License-Identifier: MIT */
/*
 * What CPUID tells about the hypervisor. A PV guest asks with the prefix XEN_CPUID (arch-x86/xen.h).
 *
 * The leaves start at 0x40000000 or, should other leaves stand there, at the first multiple of 0x100
 * above (up to 0x4000ff00) that has the signature.
 */
#ifndef __XEN_PUBLIC_ARCH_X86_CPUID_H__
#define __XEN_PUBLIC_ARCH_X86_CPUID_H__

#define XEN_CPUID_FIRST_LEAF 0x40000000
#define XEN_CPUID_LEAF(i)    (XEN_CPUID_FIRST_LEAF + (i))

/* Leaf base + 0: EAX the highest leaf; EBX, ECX, EDX the signature "XenVMMXenVMM". */
#define XEN_CPUID_SIGNATURE_EBX 0x566e6558
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4d
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566e

/* Leaf base + 1: EAX the version, major << 16 | minor. */

/*
 * Leaf base + 2: EAX the number of hypercall pages, 1; EBX the model-specific register to which the
 * machine address of a page is written, that of guest frame for translated guests, with the page's
 * number in bits 0-11, to have it made one; ECX, EDX feature bits.
 */
#define _XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD 0 /* in ECX: the mmu_update command exists */
#define XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD  (1u << 0)

/*
 * Leaf base + 3, about time.
 *   sub-leaf 0: EAX bit 0 RDTSC is emulated, bit 1 the machine's TSC is reliable, bit 2 RDTSCP exists;
 *               EBX mode: 0 default, 1 always emulated, 2 never; ECX the guest's TSC frequency in kHz;
 *               EDX how often the domain has moved
 *   sub-leaf 1: EAX, EBX low and high half of the TSC's offset; ECX, EDX factor and shift from TSC to
 *               nanoseconds, as in vcpu_time_info
 *   sub-leaf 2: EAX the machine's TSC frequency in kHz
 */

/* Leaf base + 4, HVM only: EAX features, EBX and ECX vCPU and domain number if the features say so. */
#define XEN_HVM_CPUID_APIC_ACCESS_VIRT (1u << 0)
#define XEN_HVM_CPUID_X2APIC_VIRT      (1u << 1)
#define XEN_HVM_CPUID_IOMMU_MAPPINGS   (1u << 2)
#define XEN_HVM_CPUID_VCPU_ID_PRESENT  (1u << 3)
#define XEN_HVM_CPUID_DOMID_PRESENT    (1u << 4)
#define XEN_HVM_CPUID_EXT_DEST_ID      (1u << 5)
#define XEN_HVM_CPUID_UPCALL_VECTOR    (1u << 6)

/* Leaf base + 5, PV only: sub-leaf 0: EAX the highest sub-leaf, EBX bits 0-7 the width in bits that a
 * machine address can have. */
#define XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK (0xffu << 0)

/* The highest leaf, counted from the base. */
#define XEN_CPUID_MAX_NUM_LEAVES 5

#endif /* __XEN_PUBLIC_ARCH_X86_CPUID_H__ */
