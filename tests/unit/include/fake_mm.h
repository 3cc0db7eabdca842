/* SPDX-License-Identifier: MIT */
/*
 * A machine for tests of mm/: memory is an array, guest virtual addresses are host addresses (the first
 * page faults), and each CPU's TLB is remembered by when it was flushed. Two domains: `guest`, which is current
 * at first and has run on CPU 0 only, and `other`, which has run on CPU 1. Included once by each test program.
 */
#ifndef FAKE_MM_H
#define FAKE_MM_H

#include "mm/page_type.h"
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "pv/pv.h"

#define FAKE_FRAMES \
	1024 /* the last FAKE_DEVICES of them are no RAM, the FAKE_RESERVED first never free */
#define FAKE_DEVICES  16
#define FAKE_RESERVED 16
#define FAKE_RAM      (FAKE_FRAMES - FAKE_DEVICES)
#define CONTINUED     0x7fff0000L

/* ---- memory ---- */

static char fake_memory[FAKE_FRAMES * PAGE_SIZE] __page_aligned;
static struct frame fake_frame_table[FAKE_FRAMES + 1];
static uint64_t fake_m2p[FAKE_FRAMES + 1], fake_root[512], fake_window[128];
struct frame *frame_table = fake_frame_table;
uint64_t *m2p_table = fake_m2p;
uint64_t *idle_root = fake_root;

void *phys_to_virt(paddr_t pa)
{
	if (pa >= sizeof(fake_memory)) {
		fprintf(stderr, "no memory at %#lx\n", (unsigned long)pa);
		abort();
	}
	return fake_memory + pa;
}

paddr_t virt_to_phys(const void *v)
{
	return (paddr_t)((const char *)v - fake_memory);
}

/* ---- the CPU ---- */

struct cpu_info unit_cpu_info;
struct cpu_features cpu_features;
struct acpi_info acpi_info;
struct memory_range memory_map[MAX_MEMORY_RANGES];
unsigned int memory_map_entries;
cpumask_t cpu_online_mask = 3;
struct domain *dom0;

static struct domain guest, other;
static struct vcpu vcpu, vcpu_of_other;
static struct shared_info fake_shared_info;
static unsigned long fake_time = 1,
		     fake_flushed[2]; /* operations so far; when each TLB was last flushed */
static unsigned int fake_flushes, fake_caches_written, fake_loads;
static bool (*fake_preempt)(void);

static void (*fake_on_flush)(void); /* once */

void flush_tlb_mask(cpumask_t mask)
{
	void (*fn)(void) = fake_on_flush;

	fake_on_flush = NULL;
	if (fn)
		fn();
	for (unsigned int cpu = 0; cpu < 2; cpu++)
		if (mask >> cpu & 1)
			fake_flushed[cpu] = fake_time;
	fake_flushes++;
}

void flush_tlb_local(void)
{
	flush_tlb_mask((cpumask_t)1 << smp_processor_id());
}

static vaddr_t fake_invalidated;

void flush_tlb_one_local(vaddr_t va)
{
	fake_invalidated = va;
}

void flush_tlb_one_mask(cpumask_t mask, vaddr_t va)
{
	fake_invalidated = va;
}

void write_back_caches(void *unused);

void write_back_caches(void *unused)
{
	fake_caches_written++;
}

void load_guest_cr3(struct vcpu *v)
{
	fake_loads++;
}

void load_guest_gdt(struct vcpu *v)
{
}

void load_guest_ldt(struct vcpu *v)
{
}

uint64_t *percpu_window_pte(unsigned int cpu, unsigned long offset)
{
	return &fake_window[offset >> PAGE_SHIFT];
}

void install_hv_slots(uint64_t *l4)
{
	for (unsigned int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
		l4[i] = fake_root[i];
}

void smp_call(cpumask_t mask, void (*fn)(void *arg), void *arg)
{
	fn(arg);
}

void smp_run_alone(void (*fn)(void *arg), void *arg)
{
	fn(arg);
}

void spin_lock_slow(spinlock_t *l, uint16_t ticket)
{
	fprintf(stderr, "a lock is taken twice\n");
	abort();
}

bool preempt_check(void)
{
	if (spin_is_locked(&guest.mm.lock) || spin_is_locked(&other.mm.lock)) {
		fprintf(stderr, "preempted with a lock held\n");
		abort();
	}
	return fake_preempt && fake_preempt();
}

/* ---- guest memory, hypercalls ---- */

/* Below the first page and from the end of the host's user space on it faults. */
static bool fake_accessible(vaddr_t va, size_t len)
{
	return va >= PAGE_SIZE && guest_range_ok(va, len) && va + len <= 0x7ffffffff000UL;
}

int copy_from_guest(void *dst, vaddr_t src, size_t len)
{
	if (len && !fake_accessible(src, len))
		return -EFAULT;
	memcpy(dst, (const void *)src, len);
	return 0;
}

int copy_to_guest(vaddr_t dst, const void *src, size_t len)
{
	if (len && !fake_accessible(dst, len))
		return -EFAULT;
	memcpy((void *)dst, src, len);
	return 0;
}

int put_guest_u32(vaddr_t dst, uint32_t value)
{
	return copy_to_guest(dst, &value, sizeof(value));
}

int get_guest_u64(uint64_t *dst, vaddr_t src)
{
	return copy_from_guest(dst, src, sizeof(*dst));
}

int put_guest_u64(vaddr_t dst, uint64_t value)
{
	return copy_to_guest(dst, &value, sizeof(value));
}

static struct {
	unsigned int nr;
	unsigned long arg[6];
} fake_continuation;
static unsigned int fake_continuations;

long hypercall_continue(unsigned int nr, unsigned int nargs, ...)
{
	va_list ap;

	va_start(ap, nargs);
	fake_continuation.nr = nr;
	/* Unsigned ints arrive as such: what their registers would hold. */
	for (unsigned int i = 0; i < nargs; i++)
		fake_continuation.arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	fake_continuations++;
	return CONTINUED;
}

/* Go on with what was preempted, until it ends. */
static inline long finish_hypercall(long rc)
{
	const unsigned long *a = fake_continuation.arg;

	while (rc == CONTINUED) {
		fake_time++;
		switch (fake_continuation.nr) {
		case __HYPERVISOR_mmu_update:
			rc = do_mmu_update(a[0], (unsigned int)a[1], a[2], (unsigned int)a[3]);
			break;
		case __HYPERVISOR_mmuext_op:
			rc = do_mmuext_op(a[0], (unsigned int)a[1], a[2], (unsigned int)a[3]);
			break;
		case __HYPERVISOR_memory_op:
			rc = do_memory_op(a[0], a[1]);
			break;
		default:
			abort();
		}
	}
	return rc;
}

/* ---- the rest of the hypervisor ---- */

static bool fake_loud;

void printk(const char *fmt, ...)
{
	va_list ap;

	if (!fake_loud)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}

void guest_log(const char *fmt, ...)
{
}

int format_va(char *buf, size_t size, const char *fmt, va_list ap)
{
	return vsnprintf(buf, size, fmt, ap);
}

void bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "BUG at %s:%d: %s\n", file, line, what);
	abort();
}

void domain_hold(struct domain *d)
{
	d->refs++;
}

void domain_put(struct domain *d)
{
	BUG_ON(d->refs == 0);
	d->refs--;
}

struct domain *domain_find(domid_t id)
{
	if (id == DOMID_SELF)
		return current->domain;
	return id == guest.id ? &guest : id == other.id ? &other : NULL;
}

/* In order: the guest's id is the lower one. */
struct domain *domain_next(unsigned int id)
{
	return id <= guest.id ? &guest : id <= other.id ? &other : NULL;
}

mfn_t m2p_piece(unsigned long piece);

/* ---- start ---- */

static inline void fake_domain(struct domain *d, struct vcpu *v, domid_t id)
{
	memset(d, 0, sizeof(*d));
	memset(v, 0, sizeof(*v));
	d->id = id;
	d->max_vcpus = 1;
	d->vcpu[0] = v;
	d->mm.max_pages = FAKE_FRAMES;
	d->grant.max_frames = GRANT_MAX_FRAMES;
	d->shared_info = &fake_shared_info;
	d->dirty_cpus = 1;
	v->domain = d;
	v->vcpu_info_mfn = v->kernel_root = v->user_root = INVALID_MFN;
	v->pv.kernel_mode = true;
}

/* Who makes hypercalls from now on. */
static inline void fake_act_as(struct domain *d)
{
	unit_cpu_info.vcpu = d->vcpu[0];
	unit_cpu_info.cpu = d == &other;
}

static inline void fake_start(bool privileged)
{
	memset(fake_frame_table, 0, sizeof(fake_frame_table));
	memset(fake_m2p, 0xff, sizeof(fake_m2p));
	for (unsigned int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
		fake_root[i] = 0xabc000UL + (i << 12) + 0x63;
	cpu_features.phys_bits = 40;
	cpu_features.nx = true;
	fake_domain(&guest, &vcpu, 7);
	fake_domain(&other, &vcpu_of_other, 9);
	other.dirty_cpus = 2;
	guest.is_privileged = privileged;
	dom0 = &guest;
	fake_act_as(&guest);
	fake_preempt = NULL;
	fake_on_flush = NULL;
	max_mfn = FAKE_RAM;
	frame_masks_init();
	frames_mark_ram(0, FAKE_RAM);
	alloc_reset();
	frames_free_at_boot(FAKE_RESERVED, FAKE_RAM);
}

static inline struct frame *fr(mfn_t mfn)
{
	return &frame_table[mfn];
}

static inline uint64_t *page(mfn_t mfn)
{
	return mfn_to_virt(mfn);
}

static inline uint64_t pte(mfn_t mfn, uint64_t flags)
{
	return mfn << PAGE_SHIFT | flags;
}

#define RO (PTE_PRESENT | PTE_USER)
#define RW (PTE_PRESENT | PTE_RW | PTE_USER)

#endif
