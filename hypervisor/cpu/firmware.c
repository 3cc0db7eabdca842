/* SPDX-License-Identifier: MIT */
/*
 * Calls of the firmware's code, which stays in memory after boot (UEFI's runtime services). It is not ours: it has an
 * address space of its own, in which its memory is mapped as it expects and none of a guest's is; it finds the FPU
 * as it expects and leaves it as it likes; and if it faults, the call ends and the hypervisor goes on.
 *
 * It runs with interrupts off, for as long as it takes: some microseconds to read, milliseconds to write to a flash
 * memory. Other CPUs that want something of this one wait.
 */
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/x86.h"
#include "domain/types.h"
#include "lib/errno.h"
#include "lib/image.h"
#include "lib/lib.h"
#include "mm/mm.h"

#define FCW_UEFI   0x37f /* UEFI specification 2.3.4 */
#define MXCSR_UEFI 0x1f80

uint64_t firmware_enter(uint64_t function, const uint64_t args[5], uint64_t *stack);
extern char firmware_leave[];

/* Where to go on when the call that this CPU makes faults; 0: it makes none. */
static DEFINE_PER_CPU(uint64_t, firmware_stack);

bool firmware_fault(struct cpu_user_regs *regs)
{
	uint64_t stack = this_cpu(firmware_stack);

	if (!stack || (regs->rip >= (vaddr_t)text_start && regs->rip < (vaddr_t)text_end))
		return false;
	printk(LOG_ERR "The firmware's code at %#lx faults: vector %u, error code %#x, CR2 %#lx\n",
	       regs->rip, regs->entry_vector, regs->error_code, read_cr2());
	this_cpu(firmware_stack) = 0;
	regs->rip = (vaddr_t)firmware_leave;
	regs->rsp = stack;
	regs->eflags = EFLAGS_FIXED;
	return true;
}

int firmware_call(const uint64_t *root, uint64_t function, const uint64_t args[5], uint64_t *result)
{
	struct vcpu *v = current;
	uint64_t cr3 = read_cr3();
	uint16_t fcw = FCW_UEFI;
	uint32_t mxcsr = MXCSR_UEFI;
	bool faulted;

	ASSERT(!v->is_idle);
	fpu_save(v); /* and lets the FPU be used */
	__asm__ volatile("fninit; fldcw %0; ldmxcsr %1" ::"m"(fcw), "m"(mxcsr));
	/* A breakpoint at a guest's address may be one at the firmware's. */
	if (v->pv.debugreg[7] & DR7_ACTIVE)
		write_dr7(DR7_RESET);
	write_cr3(virt_to_phys(root));

	*result = firmware_enter(function, args, &this_cpu(firmware_stack));
	faulted = !this_cpu(firmware_stack);
	this_cpu(firmware_stack) = 0;

	write_cr3(cr3);
	if (v->pv.debugreg[7] & DR7_ACTIVE)
		write_dr7(v->pv.debugreg[7] | DR7_RESET);
	fpu_restore(v);
	return faulted ? -EFAULT : 0;
}
