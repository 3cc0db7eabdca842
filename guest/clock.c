/* SPDX-License-Identifier: MIT */
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/start.h>

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	/* Not before the loads of the record that came earlier in the program. */
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t scale(uint64_t ticks, int8_t shift, uint32_t multiplier)
{
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return (uint64_t)(((unsigned __int128)ticks * multiplier) >> 32);
}

/*
 * The hypervisor makes the version odd while it writes a record. The record is this vCPU's own: it changes only
 * when the vCPU is not running, in which case the version has changed too.
 */
uint64_t clock_now(void)
{
	uint32_t version;
	uint64_t now;

	do {
		version = vcpu_info_here->time.version;
		__asm__ volatile("" ::: "memory");
		now = vcpu_info_here->time.system_time +
		      scale(read_tsc() - vcpu_info_here->time.tsc_timestamp,
			    vcpu_info_here->time.tsc_shift, vcpu_info_here->time.tsc_to_system_mul);
		__asm__ volatile("" ::: "memory");
	} while ((version & 1) || version != vcpu_info_here->time.version);
	return now;
}

uint64_t clock_wall_base(void)
{
	uint32_t version;
	uint64_t base;

	do {
		version = __atomic_load_n(&shared_info->wc_version, __ATOMIC_ACQUIRE);
		base =
		    ((uint64_t)shared_info->wc_sec_hi << 32 | shared_info->wc_sec) * NSEC_PER_SEC +
		    shared_info->wc_nsec;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((version & 1) || version != shared_info->wc_version);
	return base;
}

long clock_timer_set(uint64_t deadline)
{
	return hypercall_set_timer_op(deadline);
}
