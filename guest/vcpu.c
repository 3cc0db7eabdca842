/* SPDX-License-Identifier: MIT */
#include <guest/vcpu.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>
#include <public/vcpu.h>

#define EINVAL 22
#define CR0_PE 0x1
#define CR0_PG 0x80000000

extern const char vcpu_entry[];

/* Too big for a stack. The hypervisor copies it, so one is enough. */
static struct vcpu_guest_context context;

long vcpu_start(unsigned int vcpu, void (*function)(void *argument), void *argument,
		void *stack_top)
{
	long error;

	if (vcpu == 0 || vcpu >= XEN_LEGACY_MAX_VCPUS)
		return -EINVAL;
	memset(&context, 0, sizeof(context));
	context.flags =
	    VGCF_IN_KERNEL | VGCF_failsafe_disables_events | VGCF_syscall_disables_events;
	context.user_regs.rip = (uint64_t)vcpu_entry;
	context.user_regs.cs = FLAT_KERNEL_CS;
	context.user_regs.ss = FLAT_KERNEL_SS;
	context.user_regs.rsp = (uint64_t)stack_top & ~15ul;
	context.user_regs.rdi = (uint64_t)function;
	context.user_regs.rsi = (uint64_t)argument;
	context.kernel_ss = FLAT_KERNEL_SS;
	context.kernel_sp = context.user_regs.rsp;
	traps_fill(context.trap_ctxt, 256);
	context.event_callback_eip = (unsigned long)trap_event_entry;
	context.failsafe_callback_eip = (unsigned long)trap_failsafe_entry;
	context.syscall_callback_eip = (unsigned long)trap_syscall_entry;
	context.ctrlreg[0] = CR0_PE | CR0_PG;
	context.ctrlreg[3] = xen_pfn_to_cr3(virt_to_mfn(page_root));
	context.gs_base_kernel = (uint64_t)&shared_info->vcpu_info[vcpu];
	shared_info->vcpu_info[vcpu].evtchn_upcall_mask = 1;
	error = hypercall_vcpu_op(VCPUOP_initialise, vcpu, &context);
	return error ? error : hypercall_vcpu_op(VCPUOP_up, vcpu, NULL);
}

unsigned int vcpu_count(void)
{
	unsigned int count = 0;

	while (hypercall_vcpu_op(VCPUOP_is_up, count, NULL) >= 0)
		count++;
	return count;
}
