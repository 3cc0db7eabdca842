/* SPDX-License-Identifier: MIT */
/*
 * System time: the TSC, scaled. Its frequency is measured for half a millisecond at the start, which
 * keeps the boot short, and again over the first second, against the best clock that the machine has.
 * At the change to the better figure all CPUs meet, so that time never goes back anywhere.
 *
 * Wall clock: wall_base, the time of day at system time 0, under wall_lock.
 */
#include "time/time.h"
#include "time/clock.h"
#include "time/timer.h"
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"

#define NS_PER_SEC	  1000000000L
#define PIT_HZ		  1193182
#define PM_TIMER_HZ	  3579545
#define FS_PER_SEC	  1000000000000000UL
#define HPET_CAPABILITIES 0x00
#define HPET_CONFIG	  0x10
#define HPET_COUNTER	  0xf0
#define HPET_ENABLE	  0x1
#define HPET_LEGACY	  0x2
#define HPET_64BIT	  (1UL << 13)
#define MSR_TSC_ADJUST	  0x3b

DEFINE_PER_CPU(struct time_scale, time_scale);
/* The scale changed and current's records don't show it yet. */
static DEFINE_PER_CPU(bool, scale_changed);

uint64_t tsc_khz;
const char *time_source_name = "none";

/* ---- the clock that the TSC is measured by ---- */

struct reference {
	const char *name;
	uint64_t (*read)(void);
	uint64_t mask, hz;
	unsigned int first_us; /* length of the first measurement */
};

static volatile uint8_t *hpet;

static uint64_t read_hpet64(void)
{
	return *(volatile uint64_t *)(hpet + HPET_COUNTER);
}

static uint64_t read_hpet32(void)
{
	return *(volatile uint32_t *)(hpet + HPET_COUNTER);
}

static uint64_t read_pm_timer(void)
{
	return inl(acpi_info.pm_timer_port);
}

/* Channel 2 counts down from 0xffff and wraps. */
static uint64_t read_pit(void)
{
	uint8_t low;

	outb(0x43, 0x80);
	low = inb(0x42);
	return -(uint64_t)(low | inb(0x42) << 8);
}

static bool hpet_start(struct reference *r)
{
	uint64_t capabilities, period;

	if (!acpi_info.hpet)
		return false;
	hpet = ioremap(acpi_info.hpet, 1024, MAP_RW | MAP_UNCACHED);
	if (!hpet)
		return false;
	capabilities = *(volatile uint64_t *)(hpet + HPET_CAPABILITIES);
	period = capabilities >> 32; /* femtoseconds; at most 100 ns (IA-PC HPET 2.3.4) */
	if (period < 1000000 || period > 100000000)
		return false;
	/* Counting, without taking the place of PIT and RTC interrupts. */
	*(volatile uint64_t *)(hpet + HPET_CONFIG) =
	    (*(volatile uint64_t *)(hpet + HPET_CONFIG) & ~HPET_LEGACY) | HPET_ENABLE;
	*r = (struct reference){"HPET", read_hpet32, 0xffffffff, FS_PER_SEC / period, 250};
	if (capabilities & HPET_64BIT) {
		r->read = read_hpet64;
		r->mask = ~0UL;
	}
	return true;
}

static bool pm_timer_start(struct reference *r)
{
	if (!acpi_info.pm_timer_port)
		return false;
	*r = (struct reference){"PM timer", read_pm_timer,
				acpi_info.pm_timer_32bit ? 0xffffffff : 0xffffff, PM_TIMER_HZ, 500};
	return true;
}

static bool pit_start(struct reference *r)
{
	outb(0x61, (inb(0x61) & ~2) | 1);
	outb(0x43, 0xb4); /* channel 2, both bytes, mode 2: counts round and round */
	outb(0x42, 0);
	outb(0x42, 0);
	/* Short enough not to wrap, long since there is no second measurement. */
	*r = (struct reference){"PIT", read_pit, 0xffff, PIT_HZ, 20000};
	return true;
}

static struct reference reference;

/* The TSC and the reference at one moment: the closest of a few tries. */
struct sample {
	uint64_t tsc, reference, error;
};
static struct sample first_sample;

static struct sample take_sample(void)
{
	struct sample best = {.error = ~0UL};

	for (int i = 0; i < 5; i++) {
		uint64_t before = rdtsc(), value = reference.read(), after = rdtsc();

		if (after - before < best.error)
			best =
			    (struct sample){before + (after - before) / 2, value, after - before};
	}
	return best;
}

static uint64_t reference_ticks(const struct sample *from, const struct sample *to)
{
	return (to->reference - from->reference) & reference.mask;
}

static uint64_t measured_hz(const struct sample *from, const struct sample *to)
{
	uint64_t ticks = reference_ticks(from, to);

	return ticks ? mul_div(to->tsc - from->tsc, reference.hz, ticks) : 0;
}

/* 0: the reference does not run. */
static uint64_t measure_tsc(void)
{
	uint64_t wanted = reference.hz * reference.first_us / 1000000;
	struct sample end = {0};

	first_sample = take_sample();
	do {
		end.tsc = rdtsc();
		end.reference = reference.read();
		/* 200 ms at 5 GHz, far beyond any measurement. */
		if (end.tsc - first_sample.tsc > 1000000000)
			return 0;
	} while (reference_ticks(&first_sample, &end) < wanted);
	end = take_sample();
	return measured_hz(&first_sample, &end);
}

static uint64_t calibrate(void)
{
	static bool (*const starts[])(struct reference *) = {hpet_start, pm_timer_start, pit_start};

	for (unsigned int i = 0; i < ARRAY_SIZE(starts); i++) {
		uint64_t hz;

		if (!starts[i](&reference))
			continue;
		hz = measure_tsc();
		if (hz >= 1000000 && hz <= 100 * (uint64_t)NS_PER_SEC)
			return hz;
		printk(LOG_WARN "Time: %s does not run\n", reference.name);
	}
	boot_fail("This machine has no clock that runs: neither HPET nor ACPI timer nor PIT");
}

/* ---- the better measurement ---- */

static struct timer refine_timer;
static bool tsc_differs; /* between CPUs, by more than a measurement's error */

/* One change of scale by all CPUs together. tsc and stime: where the new scale begins, on CPU 0's TSC. */
static struct {
	uint64_t hz, tsc;
	stime_t stime;
	unsigned int here, others;
	bool set;
} change;

static void change_scale(void)
{
	struct time_scale *s = &this_cpu(time_scale);
	static uint64_t old_stamp; /* CPU 0's; this CPU's is of the same moment on its own TSC */

	if (!change.set) {
		uint64_t margin = tsc_khz;
		struct time_scale new;

		/* The stamps lie a millisecond back: no TSC that is a little behind is before them. */
		scale_set_frequency(&new, change.hz);
		old_stamp = per_cpu(time_scale, 0).tsc_stamp;
		change.tsc = old_stamp + (rdtsc() - s->tsc_stamp) - margin;
		change.stime = now() - (stime_t)scale_tsc(margin, new.mul, new.shift);
		__atomic_store_n(&change.set, true, __ATOMIC_RELEASE);
	}
	s->tsc_stamp = change.tsc + (s->tsc_stamp - old_stamp);
	s->stime_stamp = change.stime;
	scale_set_frequency(s, change.hz);
	/*
	 * It is the last change: from now on a record of any vCPU's gives the same time on all CPUs, as long as it
	 * has this flag, and a guest may read one for all without asking its kernel (vDSO).
	 */
	if (cpu_features.invariant_tsc && !tsc_differs)
		s->flags = XEN_PVCLOCK_TSC_STABLE_BIT;
	this_cpu(scale_changed) = true;
	softirq_raise(SOFTIRQ_TIMER);
}

/*
 * On every CPU but the one that asked, which meanwhile waits in smp_call() and looks at no clock.
 * The last to arrive chooses the moment; none leaves before. What a guest reads next comes after.
 */
static void change_others(void *arg)
{
	unsigned int n = __atomic_add_fetch(&change.here, 1, __ATOMIC_SEQ_CST);

	if (n != change.others)
		while (!__atomic_load_n(&change.set, __ATOMIC_ACQUIRE))
			cpu_relax();
	change_scale();
}

static void refine(void *data)
{
	struct sample end = take_sample();
	uint64_t hz = measured_hz(&first_sample, &end), old = tsc_khz * 1000;
	cpumask_t others = cpu_online_mask & ~(1UL << smp_processor_id());
	uint64_t difference = hz > old ? hz - old : old - hz;

	/* Late enough for the reference to have wrapped, or disturbed: what we have is better. */
	if (!hz || difference > old / 100 ||
	    now() > (stime_t)min(reference.mask / reference.hz, 1000UL) * (NS_PER_SEC / 4 * 3)) {
		printk(LOG_DEBUG "Time: second measurement not used (%lu Hz)\n", hz);
		hz = old;
		difference = 0;
	}
	tsc_khz = (hz + 500) / 1000;
	change.hz = hz;
	change.others = count_cpus(others);
	if (others)
		smp_call(others, change_others, NULL);
	change_scale();
	/* Said only when it matters: it comes into the middle of what dom0 writes. */
	if (difference > old / 2000)
		printk(LOG_DEBUG "Time: TSC %lu.%06lu MHz over one second, was %lu.%03lu\n",
		       hz / 1000000, hz % 1000000, old / 1000000, old % 1000000 / 1000);
}

/* ---- the clock ---- */

stime_t now(void)
{
	const struct time_scale *s = &this_cpu(time_scale);

	return s->stime_stamp + (stime_t)scale_tsc(rdtsc() - s->tsc_stamp, s->mul, s->shift);
}

uint64_t stime_to_tsc(stime_t t)
{
	return scale_to_tsc(&this_cpu(time_scale), t);
}

static void timer_interrupt(unsigned int vector, struct cpu_user_regs *regs)
{
	apic_eoi();
	softirq_raise(SOFTIRQ_TIMER);
}

static void time_softirq(void)
{
	if (unlikely(this_cpu(scale_changed))) {
		this_cpu(scale_changed) = false;
		if (!current->is_idle)
			update_vcpu_time(current);
	}
	timer_softirq();
}

/* ---- wall clock ---- */

static spinlock_t wall_lock;
static int64_t wall_base; /* nanoseconds from 1970 to system time 0 */

void time_init(void)
{
	struct time_scale *s = &this_cpu(time_scale);
	int64_t wall;
	uint64_t hz;

	hz = calibrate();
	tsc_khz = (hz + 500) / 1000;
	time_source_name = reference.name;
	scale_set_frequency(s, hz);
	s->stime_stamp = 0;
	s->tsc_stamp = rdtsc();
	wall = rtc_read(acpi_info.rtc_century);
	wall_base = wall * NS_PER_SEC - now();
	softirq_register(SOFTIRQ_TIMER, time_softirq);
	set_vector_handler(VECTOR_TIMER, timer_interrupt);
	console_key_register('a', timer_show, "timers of each CPU");
	printk(LOG_INFO "Time: TSC %lu.%03lu MHz by %s%s\n", tsc_khz / 1000, tsc_khz % 1000,
	       reference.name, wall ? "" : ", no time of day");
}

/*
 * CPUs whose firmware wrote their TSCs differ in TSC_ADJUST (SDM 3 17.17.3): make them equal, then
 * measure. What remains below the precision of the measurement is taken for none.
 */
static void align_tsc(struct time_scale *s, unsigned int cpu)
{
	static uint64_t adjust;
	uint64_t value, expected, difference, precision;
	struct sample sample;

	if (rdmsr_safe(MSR_TSC_ADJUST, &value) == 0) {
		if (cpu == 0)
			adjust = value;
		else if (value != adjust)
			wrmsr_safe(MSR_TSC_ADJUST, adjust);
	}
	if (cpu == 0 || reference.mask / reference.hz < 3)
		return;
	sample = take_sample();
	expected = first_sample.tsc +
		   mul_div(reference_ticks(&first_sample, &sample), tsc_khz * 1000, reference.hz);
	difference = sample.tsc > expected ? sample.tsc - expected : expected - sample.tsc;
	precision =
	    tsc_khz / 20 + sample.error + first_sample.error + (expected - first_sample.tsc) / 512;
	if (difference <= precision)
		return;
	tsc_differs = true;
	printk(LOG_WARN "CPU %u: its TSC is %lu us %s CPU 0's\n", cpu, difference * 1000 / tsc_khz,
	       sample.tsc > expected ? "ahead of" : "behind");
	s->tsc_stamp += sample.tsc - expected;
}

void time_init_cpu(void)
{
	unsigned int cpu = smp_processor_id();
	struct time_scale *s = &this_cpu(time_scale);

	if (cpu != 0)
		*s = per_cpu(time_scale, 0);
	this_cpu(scale_changed) = false;
	timer_init_cpu();
	align_tsc(s, cpu);
	if (cpu == 0 && reference.mask / reference.hz >= 3) {
		timer_init(&refine_timer, refine, NULL, 0);
		timer_set(&refine_timer, now() + NS_PER_SEC);
	}
}

void set_wallclock(uint64_t sec, uint32_t nsec, stime_t t)
{
	struct domain *d;

	spin_lock(&wall_lock);
	wall_base = (int64_t)(sec * NS_PER_SEC) + nsec - t;
	spin_unlock(&wall_lock);
	for_each_domain(d) if (!d->is_dying) update_wallclock(d);
}

void update_wallclock(struct domain *d)
{
	struct shared_info *si = d->shared_info;
	int64_t base, sec, nsec;
	uint32_t version;

	spin_lock(&wall_lock);
	base = wall_base;
	sec = base / NS_PER_SEC + d->time.time_offset_seconds;
	nsec = base % NS_PER_SEC;
	if (nsec < 0) {
		nsec += NS_PER_SEC;
		sec--;
	}
	/* Odd while the rest changes; readers compare before and after (public/xen.h). */
	version = READ_ONCE(si->wc_version) | 1;
	WRITE_ONCE(si->wc_version, version);
	barrier();
	si->wc_sec = (uint32_t)sec;
	si->wc_sec_hi = (uint32_t)(sec >> 32);
	si->wc_nsec = (uint32_t)nsec;
	barrier();
	WRITE_ONCE(si->wc_version, version + 1);
	spin_unlock(&wall_lock);
}
