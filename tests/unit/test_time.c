/* SPDX-License-Identifier: MIT */
// sources: hypervisor/time/scale.c hypervisor/time/rtc.c hypervisor/time/vcpu_time.c
/* The arithmetic of the clock, the RTC's formats, the vCPU's time records and timer operations. */
#include "unit.h"
#include <time.h>
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "event/event.h"
#include "lib/errno.h"
#include "time/clock.h"
#include "time/time.h"

/* ---- the rest of the hypervisor ---- */

struct cpu_info unit_cpu_info;
unsigned long percpu_offset[NR_CPUS];
DEFINE_PER_CPU(struct time_scale, time_scale);

static stime_t clock_now;
static unsigned int ticks, unblocked, migrations;
static vaddr_t bad_address = 0xbad000;
static bool kernel_loaded;

stime_t now(void)
{
	return clock_now;
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
	*t = (struct timer){.fn = fn, .data = data, .cpu = cpu};
}

static struct vcpu *stopped_meanwhile; /* another CPU stops its periodic timer just before this */

void timer_set(struct timer *t, stime_t expires)
{
	if (stopped_meanwhile)
		stopped_meanwhile->time.period = 0;
	t->expires = expires;
	t->active = true;
}

void timer_stop(struct timer *t)
{
	t->active = false;
}

void timer_migrate(struct timer *t, unsigned int cpu)
{
	t->cpu = cpu;
	migrations++;
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq)
{
	assert_int_equal(virq, VIRQ_TIMER);
	ticks++;
}

void vcpu_pause_flag_clear(struct vcpu *v, unsigned int flag)
{
	assert_int_equal(flag, VPF_BLOCKED);
	unblocked++;
}

void evtchn_poll_end(struct vcpu *v)
{
}

void load_guest_cr3(struct vcpu *v)
{
	kernel_loaded = v->pv.kernel_mode;
}

/* Guest memory is the test's own. A copy is recorded, to see what a reader between two would. */
static uint64_t versions_seen[16];
static unsigned int copies;
static const uint64_t *watched;

int copy_from_guest(void *dst, vaddr_t src, size_t len)
{
	if (src == bad_address)
		return -EFAULT;
	memcpy(dst, (void *)src, len);
	return 0;
}

int copy_to_guest(vaddr_t dst, const void *src, size_t len)
{
	assert_true(kernel_loaded);
	if (dst >= bad_address && dst < bad_address + 4096)
		return -EFAULT;
	memcpy((void *)dst, src, len);
	versions_seen[copies++ % 16] = watched ? *watched : 0;
	return 0;
}

static struct domain domain;
static struct vcpu vcpu;
static struct vcpu_info info;

static int setup(void **state)
{
	domain = (struct domain){.id = 0};
	vcpu = (struct vcpu){.domain = &domain, .vcpu_info = &info, .pv.kernel_mode = true};
	info = (struct vcpu_info){0};
	current = &vcpu;
	unit_cpu_info.cpu = 0;
	clock_now = 1000000000;
	ticks = unblocked = migrations = copies = 0;
	watched = NULL;
	kernel_loaded = true;
	return vcpu_time_init(&vcpu);
}

/* ---- scale ---- */

static const uint64_t frequencies[] = {1000000,	   999999937,  1000000000, 1000000001,
				       1999999999, 2000000000, 2000000001, 2399999000,
				       3000000017, 4000000001, 5700000000, 100000000000};

static void test_scale(void **state)
{
	for (size_t i = 0; i < sizeof(frequencies) / sizeof(frequencies[0]); i++) {
		uint64_t hz = frequencies[i];
		struct time_scale s = {0};

		scale_set_frequency(&s, hz);
		assert_true(s.mul >> 31);
		/* One hour is right to a few parts in 10^9, ten years don't overflow. */
		for (uint64_t sec = 1; sec <= 315360000; sec *= 6) {
			uint64_t ns = scale_tsc(hz * sec, s.mul, s.shift),
				 want = sec * 1000000000UL;
			uint64_t error = ns > want ? ns - want : want - ns;

			if (hz * sec / sec != hz)
				break;
			assert_true(error <= 2 + want / 1000000000);
		}
		/* The guest's formula is the same. */
		for (int k = 0; k < 1000; k++) {
			uint64_t delta = (uint64_t)rand() << 20 ^ (uint64_t)rand();
			uint64_t d = s.shift < 0 ? delta >> -s.shift : delta << s.shift;

			assert_true(scale_tsc(delta, s.mul, s.shift) ==
				    (uint64_t)((unsigned __int128)d * s.mul >> 32));
		}
	}
}

/* The TSC value for a time is the first at which the clock shows it. */
static void test_scale_to_tsc(void **state)
{
	for (size_t i = 0; i < sizeof(frequencies) / sizeof(frequencies[0]); i++) {
		struct time_scale s = {.tsc_stamp = 123456789, .stime_stamp = 5000};

		scale_set_frequency(&s, frequencies[i]);
		assert_int_equal(scale_to_tsc(&s, 5000), 123456789);
		assert_int_equal(scale_to_tsc(&s, -1), 123456789);
		assert_int_equal(scale_to_tsc(&s, INT64_MIN), 123456789);
		assert_true(scale_to_tsc(&s, INT64_MAX) > 1UL << 40);
		for (int k = 0; k < 2000; k++) {
			stime_t t = 5001 + ((stime_t)rand() << (k % 20));
			uint64_t tsc = scale_to_tsc(&s, t);

			assert_true(5000 + (stime_t)scale_tsc(tsc - s.tsc_stamp, s.mul, s.shift) >=
				    t);
			assert_true(
			    tsc == s.tsc_stamp ||
			    5000 + (stime_t)scale_tsc(tsc - 1 - s.tsc_stamp, s.mul, s.shift) < t);
		}
	}
}

static void test_mul_div(void **state)
{
	assert_int_equal(mul_div(7, 6, 4), 10);
	assert_true(mul_div(1UL << 63, 2, 4) == 1UL << 62);
	assert_true(mul_div(~0UL, ~0UL, ~0UL) == ~0UL);
	assert_true(mul_div(1UL << 63, 2, 1) == ~0UL); /* too big */
}

/* ---- RTC ---- */

static uint8_t bcd(int n)
{
	return n / 10 << 4 | n % 10;
}

/* Every hour of some years in each of the four formats, against the C library. */
static void test_rtc_formats(void **state)
{
	for (int64_t t = 0; t < 130L * 365 * 86400; t += 3600 * 7 + 61) {
		time_t seconds = t;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		for (int status_b = 0; status_b < 8; status_b += 2) {
			bool binary = status_b & 4;
			int hour = tm.tm_hour, year = tm.tm_year + 1900;
			uint8_t pm = 0;
			struct rtc_registers r;

			if (!(status_b & 2)) {
				pm = hour >= 12 ? 0x80 : 0;
				hour = hour % 12 ? hour % 12 : 12;
			}
#define FORM(n) (binary ? (uint8_t)(n) : bcd(n))
			r = (struct rtc_registers){FORM(tm.tm_sec),	FORM(tm.tm_min),
						   FORM(hour) | pm,	FORM(tm.tm_mday),
						   FORM(tm.tm_mon + 1), FORM(year % 100),
						   FORM(year / 100),	status_b};
			assert_int_equal(rtc_to_seconds(&r), t);
			if (year >= 1970 && year < 2070) {
				r.century = 0;
				assert_int_equal(rtc_to_seconds(&r), t);
			}
		}
	}
}

static void test_rtc_nonsense(void **state)
{
	const struct rtc_registers good = {0x59, 0x59, 0x23, 0x31, 0x12, 0x24, 0x20, 2};
	struct rtc_registers r = good;

	assert_true(rtc_to_seconds(&r) > 0);
	for (size_t i = 0; i < 6; i++)
		for (int value = 0; value < 256; value++) {
			((uint8_t *)&r)[i] = value;
			int64_t t = rtc_to_seconds(&r);

			assert_true(t == -1 || (t > 0 && t < 200L * 366 * 86400));
			((uint8_t *)&r)[i] = ((const uint8_t *)&good)[i];
		}
	r.sec = 0x5a; /* not BCD */
	assert_int_equal(rtc_to_seconds(&r), -1);
	r = (struct rtc_registers){.status_b = 2};
	assert_int_equal(rtc_to_seconds(&r), -1);
	r = (struct rtc_registers){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	assert_int_equal(rtc_to_seconds(&r), -1);
}

/* ---- time records ---- */

static void test_vcpu_time(void **state)
{
	struct vcpu_time_info *t = &info.time;

	percpu_time_scale = (struct time_scale){1000, 2000, 0x80000001, -1, 0};
	t->version = 7; /* a guest may write here */
	update_vcpu_time(&vcpu);
	assert_int_equal(t->version, 8);
	assert_int_equal(t->tsc_timestamp, 1000);
	assert_int_equal(t->system_time, 2000);
	assert_int_equal(t->tsc_to_system_mul, 0x80000001);
	assert_int_equal(t->tsc_shift, -1);
	update_vcpu_time(&vcpu); /* nothing new: nothing written */
	assert_int_equal(t->version, 8);
	assert_int_equal(t->flags, 0);
	percpu_time_scale.stime_stamp++;
	percpu_time_scale.flags = XEN_PVCLOCK_TSC_STABLE_BIT;
	update_vcpu_time(&vcpu);
	assert_int_equal(t->version, 10);
	assert_int_equal(t->system_time, 2001);
	assert_int_equal(t->flags, XEN_PVCLOCK_TSC_STABLE_BIT);
}

static void test_time_area(void **state)
{
	struct vcpu_time_info area = {.version = 99};

	percpu_time_scale = (struct time_scale){1000, 2000, 0x80000001, -1, 0};
	update_vcpu_time(&vcpu);
	watched = (uint64_t *)&area; /* version and padding */
	vcpu.time_area = (vaddr_t)&area;
	vcpu.pv.kernel_mode = false; /* the kernel's addresses are not mapped now */
	kernel_loaded = false;
	update_vcpu_time(&vcpu);
	assert_false(kernel_loaded);
	assert_false(vcpu.pv.kernel_mode);
	assert_int_equal(copies, 3);
	assert_true(versions_seen[0] & 1);
	assert_true(versions_seen[1] & 1);
	assert_false(area.version & 1);
	assert_int_equal(area.tsc_timestamp, 1000);
	assert_int_equal(area.tsc_to_system_mul, 0x80000001);
	update_vcpu_time(&vcpu);
	assert_int_equal(copies, 3);
	percpu_time_scale.tsc_stamp = 1001;
	update_vcpu_time(&vcpu);
	assert_int_equal(area.tsc_timestamp, 1001);
	vcpu.time_area = bad_address; /* its mapping is the guest's affair */
	update_vcpu_time(&vcpu);
	vcpu.time_area = 0;
	update_vcpu_time(&vcpu);
	assert_int_equal(copies, 6);
}

static void test_runstate(void **state)
{
	struct vcpu_runstate_info got, area = {0};

	vcpu.runstate =
	    (struct vcpu_runstate_info){.state = RUNSTATE_offline, .state_entry_time = 100};
	runstate_change(&vcpu, VCPU_RUNNABLE, 300);
	runstate_change(&vcpu, VCPU_RUNNING, 350);
	clock_now = 1000;
	runstate_get(&vcpu, &got);
	assert_int_equal(got.state, RUNSTATE_running);
	assert_int_equal(got.state_entry_time, 350);
	assert_int_equal(got.time[RUNSTATE_offline], 200);
	assert_int_equal(got.time[RUNSTATE_runnable], 50);
	assert_int_equal(got.time[RUNSTATE_running], 650);
	assert_int_equal(vcpu.runstate.time[RUNSTATE_running], 0);
	runstate_change(&vcpu, VCPU_BLOCKED, 340); /* a clock read earlier elsewhere */
	assert_int_equal(vcpu.runstate.time[RUNSTATE_running], 0);

	update_runstate_area(&vcpu);
	assert_int_equal(copies, 0);
	vcpu.runstate_area = (vaddr_t)&area;
	update_runstate_area(&vcpu);
	assert_int_equal(copies, 1);
	assert_memory_equal(&area, &vcpu.runstate, sizeof(area));
	domain.mm.vm_assist = 1U << VMASST_TYPE_runstate_update_flag;
	watched = &area.state_entry_time;
	copies = 0;
	update_runstate_area(&vcpu);
	assert_int_equal(copies, 3);
	assert_true(versions_seen[0] & XEN_RUNSTATE_UPDATE);
	assert_true(versions_seen[1] & XEN_RUNSTATE_UPDATE);
	assert_int_equal(area.state_entry_time, 340);
}

/* ---- timers ---- */

static void test_set_timer_op(void **state)
{
	struct timer *t = &vcpu.time.singleshot;

	assert_int_equal(do_set_timer_op(5000), 0);
	assert_true(t->active);
	assert_int_equal(t->expires, 5000);
	assert_int_equal(do_set_timer_op(0), 0);
	assert_false(t->active);
	assert_int_equal(do_set_timer_op(INT64_MAX), 0);
	assert_int_equal(t->expires, INT64_MAX);
	assert_int_equal(do_set_timer_op(-1), 0);
	assert_true(t->expires > clock_now && t->expires <= clock_now + 1000000000);
	unit_cpu_info.cpu = 3; /* runs elsewhere now */
	assert_int_equal(do_set_timer_op(6000), 0);
	assert_int_equal(t->cpu, 3);
	assert_int_equal(migrations, 1);
	t->fn(t->data);
	assert_int_equal(ticks, 1);
}

static long op(unsigned int cmd, struct vcpu *v, const void *arg)
{
	return vcpu_timer_op(cmd, v, (vaddr_t)arg);
}

static void test_singleshot(void **state)
{
	struct vcpu other = vcpu;
	struct vcpu_set_singleshot_timer set = {.timeout_abs_ns = clock_now - 1};

	assert_int_equal(op(VCPUOP_set_singleshot_timer, &other, &set), -EINVAL);
	assert_int_equal(op(VCPUOP_stop_singleshot_timer, &other, NULL), -EINVAL);
	assert_int_equal(op(VCPUOP_set_singleshot_timer, &vcpu, (void *)bad_address), -EFAULT);
	assert_int_equal(op(VCPUOP_set_singleshot_timer, &vcpu, &set), 0);
	assert_int_equal(vcpu.time.singleshot.expires, clock_now - 1);
	assert_int_equal(op(VCPUOP_stop_singleshot_timer, &vcpu, NULL), 0);
	assert_false(vcpu.time.singleshot.active);
	set.flags = VCPU_SSHOTTMR_future;
	assert_int_equal(op(VCPUOP_set_singleshot_timer, &vcpu, &set), -ETIME);
	assert_false(vcpu.time.singleshot.active);
	set.timeout_abs_ns = clock_now + 1;
	assert_int_equal(op(VCPUOP_set_singleshot_timer, &vcpu, &set), 0);
	set.timeout_abs_ns = ~0UL;
	assert_int_equal(op(VCPUOP_set_singleshot_timer, &vcpu, &set), 0);
	assert_true(vcpu.time.singleshot.expires > clock_now);
	assert_int_equal(op(VCPUOP_up, &vcpu, NULL), -ENOSYS);
}

static void test_periodic(void **state)
{
	struct vcpu other = vcpu;
	struct vcpu_set_periodic_timer set = {.period_ns = 999999};
	struct timer *t = &vcpu.time.periodic;

	assert_int_equal(op(VCPUOP_set_periodic_timer, &vcpu, &set), -EINVAL);
	set.period_ns = 0;
	assert_int_equal(op(VCPUOP_set_periodic_timer, &vcpu, &set), -EINVAL);
	set.period_ns = ~0UL;
	assert_int_equal(op(VCPUOP_set_periodic_timer, &vcpu, &set), -EINVAL);
	assert_int_equal(op(VCPUOP_set_periodic_timer, &vcpu, (void *)bad_address), -EFAULT);
	assert_false(t->active);
	set.period_ns = 1000000;
	assert_int_equal(op(VCPUOP_set_periodic_timer, &other, &set), 0);
	assert_int_equal(op(VCPUOP_set_periodic_timer, &vcpu, &set), 0);
	assert_int_equal(t->expires, clock_now + 1000000);

	/* On time, late within a period, late by several: the phase stays, ticks are not made up for. */
	clock_now = t->expires;
	t->active = false;
	t->fn(t->data);
	assert_int_equal(ticks, 1);
	assert_int_equal(t->expires, 1002000000);
	clock_now = 1002300000;
	t->fn(t->data);
	assert_int_equal(t->expires, 1003000000);
	clock_now = 1009000000;
	t->fn(t->data);
	assert_int_equal(t->expires, 1010000000);
	assert_int_equal(ticks, 3);

	assert_int_equal(op(VCPUOP_stop_periodic_timer, &vcpu, NULL), 0);
	assert_false(t->active);
	t->fn(t->data); /* was about to run on another CPU */
	assert_false(t->active);
	vcpu.time.period = 1000000; /* or was running */
	stopped_meanwhile = &vcpu;
	t->fn(t->data);
	stopped_meanwhile = NULL;
	assert_false(t->active);
}

static void test_destroy(void **state)
{
	struct vcpu_set_periodic_timer set = {.period_ns = 1000000};

	assert_int_equal(op(VCPUOP_set_periodic_timer, &vcpu, &set), 0);
	do_set_timer_op(5000);
	timer_set(&vcpu.time.poll, 5000);
	vcpu.time.poll.fn(vcpu.time.poll.data);
	assert_int_equal(unblocked, 1);
	vcpu_time_destroy(&vcpu);
	assert_false(vcpu.time.singleshot.active || vcpu.time.periodic.active ||
		     vcpu.time.poll.active);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scale),
	    cmocka_unit_test(test_scale_to_tsc),
	    cmocka_unit_test(test_mul_div),
	    cmocka_unit_test(test_rtc_formats),
	    cmocka_unit_test(test_rtc_nonsense),
	    cmocka_unit_test_setup(test_vcpu_time, setup),
	    cmocka_unit_test_setup(test_time_area, setup),
	    cmocka_unit_test_setup(test_runstate, setup),
	    cmocka_unit_test_setup(test_set_timer_op, setup),
	    cmocka_unit_test_setup(test_singleshot, setup),
	    cmocka_unit_test_setup(test_periodic, setup),
	    cmocka_unit_test_setup(test_destroy, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
