/* SPDX-License-Identifier: MIT */
/* Numbers for assembly: the build makes #defines of them (asm-offsets.h). */
#include "domain/types.h"
#include "cpu/percpu.h"
#include "pv/pv.h"

#define DEFINE(name, value) __asm__ volatile("\n.ascii \"->" #name " %0\"" ::"i"(value))
#define REG(name, member)   DEFINE(REGS_##name, offsetof(struct cpu_user_regs, member))

void asm_offsets(void);

void asm_offsets(void)
{
	REG(r10, r10);
	REG(r9, r9);
	REG(r8, r8);
	REG(rax, rax);
	REG(rdx, rdx);
	REG(rsi, rsi);
	REG(rdi, rdi);
	REG(rbx, rbx);
	REG(rbp, rbp);
	REG(r12, r12);
	REG(r13, r13);
	REG(r14, r14);
	REG(r15, r15);
	REG(vector, entry_vector);
	REG(rip, rip);
	REG(cs, cs);
	REG(rflags, rflags);
	REG(rsp, rsp);
	REG(ss, ss);
	REG(rcx, rcx);
	REG(r11, r11);
	REG(end, es); /* above what the CPU pushes */

	DEFINE(CPU_INFO_softirq_pending, offsetof(struct cpu_info, softirq_pending));
	DEFINE(CPU_INFO_vcpu, offsetof(struct cpu_info, vcpu));
	DEFINE(CPU_INFO_size, sizeof(struct cpu_info));

	DEFINE(HYPERCALLS, NR_HYPERCALLS);
	DEFINE(VCPU_vcpu_info, offsetof(struct vcpu, vcpu_info));
	DEFINE(VCPU_kernel_mode, offsetof(struct vcpu, pv.kernel_mode));
	DEFINE(VCPU_nmi_pending, offsetof(struct vcpu, pv.nmi_pending));

	/* entry.S relies on these. */
	_Static_assert(offsetof(struct cpu_info, guest_regs) == 0, "the frame starts cpu_info");
	_Static_assert((sizeof(struct cpu_info) - offsetof(struct cpu_user_regs, es)) % 16 == 0,
		       "TSS.RSP0 is 16-byte aligned");
	_Static_assert(offsetof(struct vcpu_info, evtchn_upcall_pending) == 0 &&
			   offsetof(struct vcpu_info, evtchn_upcall_mask) == 1,
		       "both read as one word");
}
