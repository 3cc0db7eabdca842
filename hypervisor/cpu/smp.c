/* SPDX-License-Identifier: MIT */
/* Other CPUs: their start, requests to them, their end; per-CPU data. */
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/bitops.h"
#include "lib/image.h"
#include "lib/lib.h"
#include "lib/option.h"
#include "lib/spinlock.h"
#include "mm/mm.h"
#include "sched/sched.h"
#include "time/time.h"

static unsigned int opt_maxcpus = NR_CPUS;
UINT_OPTION("maxcpus", opt_maxcpus);
static bool opt_nosmp;
BOOL_OPTION("nosmp", opt_nosmp);

cpumask_t cpu_online_mask;
unsigned int nr_cpus = 1;
unsigned long percpu_offset[NR_CPUS];
static void *percpu_template; /* as the image had it */

void switch_stack_and_jump(void *sp, void (*fn)(void)) __attribute__((noreturn)); /* entry.S */

struct cpu_info *cpu_info_of(unsigned int cpu)
{
	return (struct cpu_info *)(percpu_area(cpu) + PERCPU_STACK_OFFSET + STACK_SIZE) - 1;
}

/* ---- requests ---- */

/* One at a time. Whoever wants the lock polls while it waits, so the holder always gets its answers. */
static spinlock_t call_lock;
static struct {
	void (*fn)(void *arg);
	void *arg;
	cpumask_t pending; /* CPUs that have not run fn yet; atomic */
} call;

void smp_poll(void)
{
	cpumask_t me;

	if (likely(!READ_ONCE(call.pending)))
		return;
	me = (cpumask_t)1 << smp_processor_id();
	if (!(__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE) & me))
		return;
	call.fn(call.arg);
	__atomic_fetch_and(&call.pending, ~me, __ATOMIC_RELEASE);
}

void smp_call(cpumask_t mask, void (*fn)(void *arg), void *arg)
{
	cpumask_t me = (cpumask_t)1 << smp_processor_id();
	cpumask_t others = mask & READ_ONCE(cpu_online_mask) & ~me;
	unsigned int cpu;

	if (others) {
		spin_lock(&call_lock);
		call.fn = fn;
		call.arg = arg;
		__atomic_store_n(&call.pending, others, __ATOMIC_SEQ_CST);
		for_each_cpu(cpu, others) apic_send_ipi(cpu, VECTOR_FLUSH);
	}
	if (mask & me)
		fn(arg);
	if (others) {
		while (__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE))
			cpu_relax();
		spin_unlock(&call_lock);
	}
}

/* Entries of the hypervisor are global where the CPU knows that: off and on again drops these too. */
void flush_tlb_local(void)
{
	uint64_t cr4 = trampoline_cr4;

	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~(uint64_t)CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
}

static void flush_all(void *arg)
{
	flush_tlb_local();
}

static void flush_one(void *arg)
{
	flush_tlb_one_local((vaddr_t)arg);
}

void flush_tlb_mask(cpumask_t mask)
{
	smp_call(mask, flush_all, NULL);
}

void flush_tlb_one_mask(cpumask_t mask, vaddr_t va)
{
	smp_call(mask, flush_one, (void *)va);
}

/* ---- stopping the others ---- */

static unsigned int waiting; /* CPUs in wait_for_release(); atomic */
static bool released;
static bool stopping;
static unsigned int stopped;

static void wait_for_release(void *arg)
{
	__atomic_fetch_add(&waiting, 1, __ATOMIC_ACQ_REL);
	while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
		cpu_relax();
	__atomic_fetch_sub(&waiting, 1, __ATOMIC_ACQ_REL);
}

/*
 * As smp_call(), but fn runs here while the others wait in theirs. call_lock is held all the time, so
 * two CPUs that want this do it one after the other. So is the console's: a CPU may be stopped while it
 * waits for that, and fn, if it came after it, would wait for it for ever.
 */
void smp_run_alone(void (*fn)(void *arg), void *arg)
{
	cpumask_t others = READ_ONCE(cpu_online_mask) & ~((cpumask_t)1 << smp_processor_id());
	unsigned int n = count_cpus(others), cpu;
	bool console;

	spin_lock(&call_lock);
	console = console_lock();
	if (others) {
		WRITE_ONCE(released, false);
		call.fn = wait_for_release;
		__atomic_store_n(&call.pending, others, __ATOMIC_SEQ_CST);
		for_each_cpu(cpu, others) apic_send_ipi(cpu, VECTOR_FLUSH);
		while (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) != n)
			cpu_relax();
	}
	fn(arg);
	if (others) {
		__atomic_store_n(&released, true, __ATOMIC_RELEASE);
		while (__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE))
			cpu_relax();
	}
	console_unlock(console);
	spin_unlock(&call_lock);
}

static void __attribute__((noreturn)) stop_here(void)
{
	__atomic_fetch_add(&stopped, 1, __ATOMIC_ACQ_REL);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void smp_nmi(void)
{
	if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE))
		stop_here();
}

/*
 * By NMI, since a CPU may hang with interrupts off: that may be why this one panics. Two CPUs that
 * panic at once: the second stops. Does not wait for ever for a CPU that no longer answers.
 */
void smp_stop_others(void)
{
	unsigned int me = smp_processor_id(), cpu, n = 0;
	cpumask_t others = READ_ONCE(cpu_online_mask) & ~((cpumask_t)1 << me);
	static unsigned int stopper = NR_CPUS;
	unsigned int nobody = NR_CPUS;

	if (!__atomic_compare_exchange_n(&stopper, &nobody, me, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		if (nobody == me)
			return;
		stop_here();
	}
	__atomic_store_n(&stopping, true, __ATOMIC_SEQ_CST);
	if (!others || !apic_ready())
		return;
	for_each_cpu(cpu, others)
	{
		apic_send_nmi(cpu);
		n++;
	}
	for (unsigned int i = 0; i < 1000000 && __atomic_load_n(&stopped, __ATOMIC_ACQUIRE) < n;
	     i++)
		cpu_relax();
}

/* ---- per-CPU data ---- */

void percpu_switch_boot_stack(void (*fn)(void))
{
	size_t size = percpu_end - percpu_start;
	struct cpu_info *info = cpu_info_of(0);

	/* Nobody has written to CPU 0's variables yet. */
	percpu_template = phys_to_virt(boot_alloc(size, 64));
	memcpy(percpu_template, percpu_start, size);
	*info = (struct cpu_info){.vcpu = current};
	cpu_online_mask = 1;
	switch_stack_and_jump(info, fn);
}

static bool percpu_copy(unsigned int cpu)
{
	size_t size = percpu_end - percpu_start;
	void *copy = kzalloc(size);

	if (!copy)
		return false;
	memcpy(copy, percpu_template, size);
	percpu_offset[cpu] = (unsigned long)copy - (unsigned long)percpu_start;
	return true;
}

/* ---- start ---- */

/* In the trampoline's page, trampoline.S */
struct trampoline_vars {
	uint32_t cr3, efer;
	uint64_t entry;
	uint32_t far_offset;
	uint16_t far_selector, gdt_limit;
	uint32_t gdt_base;
} __packed;
extern char trampoline_start[], trampoline_end[], trampoline_vars[];
void ap_entry(void);
void ap_start(void) __attribute__((noreturn));

uint64_t ap_root; /* for ap_entry */
struct cpu_info *ap_stack;
static unsigned int ap_alive; /* atomic: the CPU that came up last */

void ap_start(void)
{
	unsigned int cpu = cpu_info()->cpu;

	cpu_init(cpu);
	apic_init_cpu();
	time_init_cpu();
	__atomic_fetch_or(&cpu_online_mask, (cpumask_t)1 << cpu, __ATOMIC_SEQ_CST);
	__atomic_store_n(&ap_alive, cpu, __ATOMIC_RELEASE);
	idle_loop();
}

static void delay_us(uint64_t us)
{
	uint64_t start = rdtsc();

	while (rdtsc() - start < us * tsc_khz / 1000)
		cpu_relax();
}

static bool wait_alive(unsigned int cpu, uint64_t us)
{
	uint64_t start = rdtsc();

	while (rdtsc() - start < us * tsc_khz / 1000) {
		if (__atomic_load_n(&ap_alive, __ATOMIC_ACQUIRE) == cpu)
			return true;
		smp_poll();
		cpu_relax();
	}
	return false;
}

/* Copy the trampoline to its page and give it what it needs. */
static void __init write_trampoline(paddr_t page)
{
	char *code = phys_to_virt(page);
	struct trampoline_vars *vars =
	    (struct trampoline_vars *)(code + (trampoline_vars - trampoline_start));

	memcpy(code, trampoline_start, trampoline_end - trampoline_start);
	vars->cr3 = (uint32_t)virt_to_phys(boot_l4);
	vars->efer = EFER_SCE | EFER_LME | (cpu_features.nx ? EFER_NX : 0);
	vars->entry = (uint64_t)ap_entry;
	vars->far_offset += (uint32_t)page;
	vars->gdt_base += (uint32_t)page;
	ap_root = virt_to_phys(idle_root);
}

static bool __init prepare_cpu(unsigned int cpu)
{
	struct cpu_info *info = cpu_info_of(cpu);
	struct vcpu *idle;

	if (percpu_area_map(cpu) || !percpu_copy(cpu))
		return false;
	idle = idle_vcpu_create(cpu);
	if (!idle)
		return false;
	*info = (struct cpu_info){.cpu = cpu, .vcpu = idle, .percpu_offset = percpu_offset[cpu]};
	sched_init_cpu(cpu, idle);
	ap_stack = info;
	return true;
}

/* INIT, then SIPI up to twice (SDM 3 9.4.4). */
static bool __init start_cpu(unsigned int cpu, uint32_t id, paddr_t page)
{
	apic_set_id(cpu, id);
	apic_send_init(id);
	delay_us(100);
	apic_send_startup(id, page);
	if (wait_alive(cpu, 10000))
		return true;
	apic_send_startup(id, page);
	if (wait_alive(cpu, 1000000))
		return true;
	apic_send_init(id); /* now it can't come up later, on a stack that another one has */
	return false;
}

void __init smp_boot_cpus(void)
{
	uint32_t own = apic_own_id();
	paddr_t page = boot_trampoline_page();
	unsigned int wanted = opt_nosmp ? 1 : min(max(opt_maxcpus, 1U), (unsigned int)NR_CPUS);

	bool prepared = false;

	if (acpi_info.cpus > 1 && wanted > 1 && !page) {
		printk(LOG_WARN "no free page below 1 MiB: only one CPU is used\n");
		wanted = 1;
	}
	if (acpi_info.cpus > 1 && wanted > 1)
		write_trampoline(page);
	for (unsigned int i = 0; i < acpi_info.cpus && nr_cpus < wanted; i++) {
		uint32_t id = acpi_info.apic_id[i];

		if (id == own)
			continue;
		if (!apic_id_usable(id)) {
			printk(LOG_WARN "CPU with APIC id %u needs x2APIC and is not used\n", id);
			continue;
		}
		if (!prepared && !prepare_cpu(nr_cpus)) {
			printk(LOG_WARN "no memory for more than %u CPUs\n", nr_cpus);
			break;
		}
		prepared = true; /* for the next one if this one fails */
		if (!start_cpu(nr_cpus, id, page)) {
			printk(LOG_WARN "CPU with APIC id %u does not start; going on without it\n",
			       id);
			continue;
		}
		prepared = false;
		nr_cpus++;
	}
	if (acpi_info.cpus > nr_cpus)
		printk(LOG_INFO "CPUs: %u of %u online\n", nr_cpus, acpi_info.cpus);
	else
		printk(LOG_INFO "CPUs: %u online\n", nr_cpus);
}
