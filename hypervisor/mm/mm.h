/* SPDX-License-Identifier: MIT */
/*
 * Memory: the frame table, the frame allocator, page types, guest page-table operations and the
 * hypervisor's own mappings. The essay on page types heads mm/page_type.c.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include "domain/types.h"
#include "mm/layout.h"

/* ---- memory as the boot loader left it (boot/ fills, mm_init consumes) ---- */
enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4, E820_UNUSABLE = 5 };
struct memory_range {
	paddr_t start, end; /* whole pages */
	uint32_t type;	    /* E820_* */
};
#define MAX_MEMORY_RANGES 128
extern struct memory_range
    memory_map[MAX_MEMORY_RANGES]; /* sorted, not overlapping, as machine_memory_map shows */
extern unsigned int memory_map_entries;
/*
 * Early allocator (boot/memory.c): whole pages, zeroed. Small pieces come from below 4 GiB if any is left
 * there; from pagetable_init() on pieces of 1 MiB and more (frame table) come from the top of memory,
 * because drivers will need what is below 4 GiB. Panics when out.
 */
paddr_t boot_alloc(size_t bytes, size_t align);
/* The boot loader's modules and other ranges that must not be handed out. */
void boot_reserve(paddr_t start, paddr_t end, const char *what);
/* Call fn for each RAM range that is not reserved or handed out, ascending; ends boot_alloc's life:
 * fn must not allocate or map. */
void boot_memory_for_each_free(void (*fn)(paddr_t start, paddr_t end));
extern bool boot_alloc_over;

/* ---- the hypervisor's own page tables (pagetable.c) ---- */
/* Build the final address space: image with proper rights, direct map, per-CPU area of the boot CPU; switch to it. */
void pagetable_init(void);
extern bool direct_map_complete; /* phys_to_virt() works for all RAM; before: below 4 GiB */
#define MAP_RW	     0x1
#define MAP_EXEC     0x2
#define MAP_UNCACHED 0x4
#define MAP_USER     0x8 /* readable by guests: only the machine-to-physical map */
#define MAP_WC	     0x10
#define MAP_PRIVATE  0x20 /* not in every address space */
/* Map nr frames from mfn at va, 4 KiB or larger pages as alignment allows. Tables come from boot_alloc before
 * mm_init, else from the frame allocator. -ENOMEM. */
int map_pages(vaddr_t va, mfn_t mfn, size_t nr, unsigned int flags);
/* Map frames at their machine addresses, all below 2^47, in an L4 table that is no guest's and not in use. -ENOMEM. */
int map_at_own_address(uint64_t *root, mfn_t mfn, size_t nr, unsigned int flags);
void unmap_pages(vaddr_t va, size_t nr); /* local TLB flush only; tables stay */
/* Device memory or tables (any alignment), kept mapped; cached without MAP_UNCACHED or MAP_WC. NULL: out
 * of virtual space or memory. iounmap() flushes all CPUs: no lock held. */
void *ioremap(paddr_t pa, size_t len, unsigned int flags);
void iounmap(void *p, size_t len);
/* Per-CPU area of CPU cpu: stacks mapped, everything else (windows, stubs) ready to be filled in
 * through percpu_window_pte(). -ENOMEM. */
int percpu_area_map(unsigned int cpu);
/* L1 entry that maps offset (bytes) of CPU cpu's per-CPU area. */
uint64_t *percpu_window_pte(unsigned int cpu, unsigned long offset);
extern uint64_t *idle_root; /* L4 of CPUs that run no guest; its slots 256..271 are the model */
/* Copy the hypervisor's slots into a guest L4. */
void install_hv_slots(uint64_t *l4);

/* ---- frame table (frame.c, frame.h has the struct) ---- */
void mm_init(void);	    /* frame table, machine-to-physical map, free lists */
extern mfn_t max_mfn;	    /* one past the highest RAM frame */
bool mfn_is_ram(mfn_t mfn); /* has a frame-table entry that stands for RAM */
uint64_t free_frames(void);
uint64_t total_frames(void); /* RAM of the machine */

/* ---- frame allocator (alloc.c) ---- */
#define ALLOC_BELOW_4G 0x1
#define ALLOC_ZERO     0x2
/* 2^order frames, aligned, for the hypervisor itself (owner: none). INVALID_MFN when out. */
mfn_t alloc_frames(unsigned int order, unsigned int flags);
void free_hv_frames(mfn_t mfn, unsigned int order);
/* The same as an address in the direct map; NULL when out. */
void *alloc_pages(unsigned int order, unsigned int flags);
void free_pages_virt(void *p, unsigned int order);
/* Small objects, zeroed, 16-byte aligned (64 when size >= 64); NULL when out. Sizes above a page become whole pages. */
void *kzalloc(size_t size);
void kfree(void *p);
/* 2^order frames for a domain: scrubbed, owner d, one allocation reference each, counted in d->mm.tot_pages.
 * INVALID_MFN: out of memory or over d's limit. */
mfn_t domain_alloc_frames(struct domain *d, unsigned int order, unsigned int flags);

/*
 * For a machine that has nothing else to do: one short step, at most a page's, of scrubbing the free memory that domains
 * would be given next, so that they need not wait for it. False: a few megabytes are clean, and nothing is to be done
 * until memory is taken or freed. Not before scrub_ahead_begin().
 */
bool scrub_ahead(void);
void scrub_ahead_begin(void);

/*
 * d, which is to be given memory, will get it: of what is free as much is kept for it as it has fewer than pages frames.
 * 0 ends that. A domain has one claim; each frame it gets makes it smaller, each one that it gives back larger. -EINVAL:
 * it has one, or may not have as many or has more; -ENOMEM: there is not enough.
 */
int set_claim(struct domain *d, uint64_t pages);
uint64_t claimed_frames(void); /* of the free ones */

/* ---- references and types (page_type.c) ---- */
enum page_type { PT_NONE, PT_WRITABLE, PT_L1, PT_L2, PT_L3, PT_L4, PT_SEG_DESC };
/* Take / drop an existence reference on a frame owned by d. false: not RAM, not d's, dying, or count full. */
bool get_frame(mfn_t mfn, struct domain *d);
void put_frame(mfn_t mfn);
/* With a type as well. Page-table types need d->mm.lock held by the caller unless type is PT_WRITABLE.
 * 0, -EINVAL (conflict or bad contents), -ERESTART-like -EINTR when preempted. */
int get_frame_and_type(mfn_t mfn, struct domain *d, enum page_type type);
void put_frame_and_type(mfn_t mfn);
/*
 * Let d map a page of the hypervisor, such as shared_info. The frame comes from alloc_frames() and is not
 * one of d's pages; the hypervisor keeps a reference, to be dropped by unshare_frame(), and the frame is
 * freed with the last one.
 */
int share_frame_with_domain(mfn_t mfn, struct domain *d, bool writable);
void unshare_frame(mfn_t mfn, struct domain *d);
bool shared_frame_is_mapped(mfn_t mfn); /* or held otherwise */
/* As get_frame_and_type() and put_frame_and_type() for PT_WRITABLE alone. */
bool get_writable_frame(mfn_t mfn, struct domain *d);
void put_writable_frame(mfn_t mfn);
void end_writing(mfn_t mfn); /* such a reference becomes one without a type */
struct domain *frame_owner(mfn_t mfn);
/* The guest's pin of a table, on behalf of d (dom0's builder). 0, -EINVAL, -EINTR: call again. Lock not held. */
int pin_table(struct domain *d, mfn_t mfn, enum page_type type);

/* ---- machine-to-physical map ---- */
void m2p_set(mfn_t mfn, uint64_t pfn);
/* For frames that are RAM, all of them. */
void m2p_set_range(mfn_t mfn, uint64_t pfn, uint64_t count);
uint64_t m2p_get(mfn_t mfn);

/* ---- guest page tables (mmu.c, memory_op.c, descriptor.c) ---- */
long do_mmu_update(vaddr_t ureqs, unsigned int count, vaddr_t pdone, unsigned int foreigndom);
long do_mmuext_op(vaddr_t uops, unsigned int count, vaddr_t pdone, unsigned int foreigndom);
long do_update_va_mapping(vaddr_t va, uint64_t val, unsigned long flags);
long do_update_va_mapping_otherdomain(vaddr_t va, uint64_t val, unsigned long flags, domid_t domid);
long do_memory_op(unsigned long cmd, vaddr_t arg);
/* getpageframeinfo3, shadow_op, memory_mapping, iomem_permission of d (domctl.c). */
struct xen_domctl;
long mm_domctl(const struct xen_domctl *op, struct domain *d);
long do_set_gdt(vaddr_t frame_list, unsigned int entries);
long do_update_descriptor(uint64_t maddr, uint64_t desc);
/* Are these eight bytes a descriptor that a guest may have in its tables? */
bool descriptor_ok(uint64_t desc);
/* Check and take typed references on a new vCPU's tables; 0 or -EINVAL. Used by vcpu_set_context(). */
int set_gdt_frames(struct vcpu *v, const uint64_t *mfns, unsigned int entries);
void release_gdt(struct vcpu *v);
/* Give v another root (INVALID_MFN: none), validating it if need be; loads it if v is current in that mode.
 * 0, -EINVAL, or -EINTR: preempted, nothing changed, call again. mm.lock not held. */
int set_vcpu_root(struct vcpu *v, mfn_t l4, bool user);
/* Drop the references on v's roots, if it has any: v does not run. */
void drop_vcpu_roots(struct vcpu *v);
/*
 * Guest write fault at va whose L1 entry maps a page-table page of its own read-only: emulate the
 * instruction's write if it is one of the simple forms (writable page tables). True: done, registers
 * advanced. Current vCPU in kernel mode, fault error code was present+write.
 */
bool mm_emulate_pte_write(struct vcpu *v, vaddr_t va, struct cpu_user_regs *regs);
/* A fault in the current CPU's LDT window: map the page from the guest's LDT. True: retry. */
bool mm_map_ldt_page(struct vcpu *v, unsigned int page);
void invalidate_ldt(struct vcpu *v); /* drop its mapped LDT pages */
/* ---- granted frames in page tables (page_type.c), for grant/. d->mm.lock held ---- */
/* The level-1 entry for va in v's kernel tables; or the one at a machine address, in a table of d's. NULL: none. */
uint64_t *l1_entry_by_address(struct vcpu *v, vaddr_t va);
uint64_t *l1_entry_by_place(struct domain *d, paddr_t maddr);
/*
 * Write an entry of d that maps a frame of owner, and drop what it mapped before. The caller holds a reference
 * of the kind that val needs, and keeps it until the frame is unmapped and d's CPUs are flushed. False: too
 * many references.
 */
bool map_granted(struct domain *d, uint64_t *entry, uint64_t val, const struct domain *owner);
/*
 * Clear an entry that maps the frame of val with val's right to write; or, with from, move the entry there to it.
 * False: it doesn't; nothing is changed.
 */
bool unmap_granted(uint64_t *entry, uint64_t val, uint64_t *from);

/* Flush all non-global entries of these CPUs, and wait. Callers may hold locks (cpu/cpu.h). */
void tlb_flush_cpus(cpumask_t mask);
/*
 * A frame on its way from one domain to another (memory_op.c, grant/). Steal: the frame is d's and nothing uses it;
 * then nobody can get a reference on it until it is given to somebody, or freed.
 */
bool steal_frame(struct domain *d, mfn_t mfn);
void free_stolen_frame(struct domain *d, mfn_t mfn);
/* False: it would be over the limit, or is dying. CPUs of from are flushed. */
bool give_stolen_frame(mfn_t mfn, struct domain *from, struct domain *to);

/* Walk current's page tables for va: the L1 entry's value (or the large page's as if 4 KiB); 0 if none. */
uint64_t guest_walk(struct vcpu *v, vaddr_t va);

/* All memory of a dying domain (is_dying is set) back to the free lists. -EAGAIN-like -EINTR: call again. Frames that
 * others still use are freed with their last use. */
int domain_relinquish_memory(struct domain *d);

/* ---- audit (audit.c) ---- */
/* Recount every reference and type from all page tables, pins, roots and descriptor tables; print
 * one line a mismatch and "audit: N frames, M mismatches". Other CPUs are stopped meanwhile. Returns M. */
unsigned long mm_audit(void);

#endif
