/* SPDX-License-Identifier: MIT */
/* The local APIC in its two forms: xAPIC by memory, x2APIC by MSRs (SDM 3 11). */
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/x86.h"
#include "lib/lib.h"
#include "mm/mm.h"

/* Register offsets; an x2APIC's MSR is MSR_X2APIC + offset / 16. */
#define APIC_ID		   0x20
#define APIC_VERSION	   0x30
#define APIC_TPR	   0x80
#define APIC_EOI	   0xb0
#define APIC_SVR	   0xf0
#define APIC_ESR	   0x280
#define APIC_ICR	   0x300
#define APIC_ICR_HIGH	   0x310
#define APIC_LVT_TIMER	   0x320
#define APIC_LVT_THERMAL   0x330
#define APIC_LVT_PERF	   0x340
#define APIC_LVT_LINT0	   0x350
#define APIC_LVT_LINT1	   0x360
#define APIC_LVT_ERROR	   0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_COUNT   0x390
#define APIC_TIMER_DIVIDE  0x3e0

#define APIC_BASE_ENABLE   0x800
#define APIC_BASE_X2APIC   0x400
#define SVR_ENABLE	   0x100
#define LVT_MASKED	   0x10000
#define LVT_NMI		   0x400
#define LVT_TSC_DEADLINE   0x40000
#define TIMER_DIVIDE_BY_1  0xb
#define ICR_INIT	   0x500
#define ICR_STARTUP	   0x600
#define ICR_NMI		   0x400
#define ICR_PENDING	   0x1000
#define ICR_ASSERT	   0x4000

static volatile uint32_t *apic; /* NULL: x2APIC */
static bool ready;
static bool x2apic;
static uint32_t apic_ids[NR_CPUS];
static uint64_t ticks_per_tsc; /* timer ticks per TSC tick, 32 fractional bits; 0: TSC deadline */

static uint32_t apic_read(unsigned int reg)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4)) : apic[reg / 4];
}

static void apic_write(unsigned int reg, uint32_t value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + (reg >> 4), value);
	else
		apic[reg / 4] = value;
}

bool apic_ready(void)
{
	return ready;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

uint32_t apic_id_of(unsigned int cpu)
{
	return apic_ids[cpu];
}

void apic_set_id(unsigned int cpu, uint32_t id)
{
	apic_ids[cpu] = id;
}

uint32_t apic_own_id(void)
{
	return x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

bool apic_id_usable(uint32_t id)
{
	return x2apic || id < 0xff;
}

static void send(uint32_t id, uint32_t command)
{
	if (x2apic) {
		/* Not a serialising write: what this CPU stored before must be seen first (SDM 3 11.12.3). */
		__asm__ volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC + (APIC_ICR >> 4), (uint64_t)id << 32 | command);
		return;
	}
	while (apic_read(APIC_ICR) & ICR_PENDING)
		cpu_relax();
	apic_write(APIC_ICR_HIGH, id << 24);
	apic_write(APIC_ICR, command);
}

void apic_send_ipi(unsigned int cpu, unsigned int vector)
{
	send(apic_ids[cpu], vector);
}

void apic_send_init(uint32_t id)
{
	send(id, ICR_INIT | ICR_ASSERT);
}

void apic_send_startup(uint32_t id, paddr_t page)
{
	send(id, ICR_STARTUP | ICR_ASSERT | (uint32_t)(page >> PAGE_SHIFT));
}

void apic_send_nmi(unsigned int cpu)
{
	send(apic_ids[cpu], ICR_NMI | ICR_ASSERT);
}

/* ---- timer ---- */

void apic_timer_set_tsc(uint64_t deadline)
{
	uint64_t delta;

	if (!ticks_per_tsc) {
		wrmsr(MSR_TSC_DEADLINE, deadline);
		return;
	}
	if (!deadline) {
		apic_write(APIC_TIMER_INITIAL, 0);
		return;
	}
	delta = deadline - rdtsc();
	if ((int64_t)delta <= 0)
		delta = 0;
	/* Rounded up. A deadline beyond the counter's range fires early; the timer code asks again. */
	delta = (uint64_t)(((unsigned __int128)delta * ticks_per_tsc) >> 32) + 1;
	apic_write(APIC_TIMER_INITIAL, (uint32_t)min(delta, 0xffffffffUL));
}

/* Long enough that reading the counters, some hundred cycles, is below a thousandth. */
#define CALIBRATION_TSC (1UL << 18)

static uint64_t calibrate_timer(void)
{
	uint64_t tsc, start;
	uint32_t ticks;

	apic_write(APIC_TIMER_INITIAL, 0xffffffff);
	start = rdtsc();
	ticks = apic_read(APIC_TIMER_COUNT);
	while (rdtsc() - start < CALIBRATION_TSC)
		;
	tsc = rdtsc() - start;
	ticks -= apic_read(APIC_TIMER_COUNT);
	apic_write(APIC_TIMER_INITIAL, 0);
	if (!ticks)
		panic("the local APIC's timer does not count");
	return ((uint64_t)ticks << 32) / tsc;
}

static void init_timer(bool deadline)
{
	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (deadline ? LVT_TSC_DEADLINE : 0));
	/* The mode is set before the MSR is written, in xAPIC mode too (SDM 3 11.5.4.1). */
	__asm__ volatile("mfence" ::: "memory");
	apic_timer_set_tsc(0);
}

/* ---- set-up ---- */

static void kick_interrupt(unsigned int vector, struct cpu_user_regs *regs)
{
	apic_eoi();
}

static void flush_interrupt(unsigned int vector, struct cpu_user_regs *regs)
{
	apic_eoi();
	smp_poll();
}

static void error_interrupt(unsigned int vector, struct cpu_user_regs *regs)
{
	uint32_t esr;

	apic_write(APIC_ESR, 0);
	esr = apic_read(APIC_ESR);
	apic_eoi();
	printk(LOG_WARN "local APIC error %#x on CPU %u\n", esr, smp_processor_id());
}

/* Firmware may have left it in x2APIC mode, from which there is no way back but through "off". */
static void enable(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
}

void apic_init_cpu(void)
{
	unsigned int max_lvt;

	enable();
	max_lvt = apic_read(APIC_VERSION) >> 16 & 0xff;
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_LVT_LINT0, LVT_MASKED); /* the 8259s' way in */
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	if (max_lvt >= 4)
		apic_write(APIC_LVT_PERF, LVT_MASKED);
	if (max_lvt >= 5)
		apic_write(APIC_LVT_THERMAL, LVT_MASKED);
	apic_write(APIC_LVT_ERROR, VECTOR_ERROR);
	apic_write(APIC_ESR, 0);
	/* What firmware left in service would keep everything below it out. */
	for (unsigned int i = 0; i < 8; i++)
		if (apic_read(0x100 + 0x10 * i))
			apic_eoi();
	init_timer(cpu_features.tsc_deadline);
	apic_ids[smp_processor_id()] = apic_own_id();
}

void apic_init_bsp(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	uint32_t r[4];

	cpuid(1, 0, r);
	if (!(r[3] & 1 << 9))
		boot_fail("This CPU has no local APIC");
	/* While LINT0 still connects them: a request that is held there now must end, not be forgotten. */
	silence_8259s();
	x2apic = cpu_features.x2apic || base & APIC_BASE_X2APIC;
	if (!x2apic) {
		apic = ioremap(base & PTE_ADDR_MASK, PAGE_SIZE, MAP_RW | MAP_UNCACHED);
		if (!apic)
			panic("no memory to map the local APIC");
	}
	set_vector_handler(VECTOR_KICK, kick_interrupt);
	set_vector_handler(VECTOR_FLUSH, flush_interrupt);
	set_vector_handler(VECTOR_ERROR, error_interrupt);
	if (!cpu_features.tsc_deadline) {
		enable();
		apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
		apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
		apic_write(APIC_LVT_TIMER, LVT_MASKED);
		ticks_per_tsc = calibrate_timer();
	}
	apic_init_cpu();
	ready = true;
	printk(LOG_INFO "APIC: %s, timer by %s\n", x2apic ? "x2APIC" : "xAPIC",
	       ticks_per_tsc ? "one-shot count" : "TSC deadline");
}
