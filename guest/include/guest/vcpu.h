/* SPDX-License-Identifier: MIT */
/*
 * Further vCPUs, raw: code that runs on its own stack with the kernel's page tables. Threads, the heap and the
 * page allocator belong to vCPU 0; elsewhere use hypercalls, printk, the clock, traps and events.
 */
#ifndef GUEST_VCPU_H
#define GUEST_VCPU_H

/*
 * Start vCPU `vcpu` (1 to 31) in function(argument), with events masked, on a stack that ends at stack_top. The
 * function must not return; hypercall_vcpu_op(VCPUOP_down, ...) ends it. Returns 0 or the errno of VCPUOP_*.
 */
long vcpu_start(unsigned int vcpu, void (*function)(void *argument), void *argument,
		void *stack_top);

/* How many vCPUs the domain has, found by asking about each. */
unsigned int vcpu_count(void);

#endif
