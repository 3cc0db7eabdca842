/* SPDX-License-Identifier: MIT */
/* A domain that tells when its first instruction ran, and then does nothing for ever. */
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/hypercall.h>
#include <guest/start.h>
#include <public/sched.h>
#include <public/vcpu.h>

void guest_main(void)
{
	struct vcpu_runstate_info state;
	uint32_t low, high;
	uint64_t now;

	/* It has run without a break since then, unless something was more urgent: then that shows in the time. */
	if (hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, &state) == 0)
		printk("BENCH first %lu\n", state.state_entry_time);
	/* For who knows but the counter: what it says, and the clock, at about the same time. */
	now = clock_now();
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	printk("BENCH clock %lu\nBENCH counter %lu\n", now, (uint64_t)high << 32 | low);
	for (;;)
		hypercall_sched_op(SCHEDOP_block, NULL);
}
