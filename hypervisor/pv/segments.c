/* SPDX-License-Identifier: MIT */
/*
 * Parts of a vCPU's state that have a hypercall of their own: stack, segment bases, TS, debug registers.
 */
#include "pv/internal.h"
#include "cpu/asm.h"
#include "lib/lib.h"
#include "mm/layout.h"

/* Debug registers (SDM 3 18.2) */
#define DR7_GD	   0x2000UL
#define DR_TYPE_IO 2

long do_stack_switch(unsigned long ss, unsigned long sp)
{
	struct vcpu *v = current;

	v->pv.kernel_ss = (uint16_t)ss | 3;
	v->pv.kernel_sp = sp;
	return 0;
}

/*
 * GS of the user mode, whose base is in KERNEL_GS_BASE now: the load is done between two swapgs. A
 * selector that cannot be loaded becomes the null selector.
 */
static void load_user_gs(uint16_t selector)
{
	uint32_t value = selector;

	__asm__ volatile("swapgs\n"
			 "1: mov %0, %%gs\n\t"
			 "swapgs\n\t"
			 ".pushsection .text.fixup, \"ax\"\n"
			 "2: xor %0, %0\n\t"
			 "jmp 1b\n\t"
			 ".popsection\n\t" FIXUP_ASM("1b", "2b")
			 : "+r"(value)
			 :
			 : "memory", "cc");
}

long do_set_segment_base(unsigned int which, unsigned long base)
{
	if (which == SEGBASE_GS_USER_SEL) {
		load_user_gs((uint16_t)base);
		return 0;
	}
	/* Writing a non-canonical base would fault (XSA-193). */
	if (!is_canonical(base))
		return -EINVAL;
	/* The caller is in kernel mode, so its own GS base is the active one. */
	switch (which) {
	case SEGBASE_FS:
		wrmsr(MSR_FS_BASE, base);
		return 0;
	case SEGBASE_GS_USER:
		wrmsr(MSR_KERNEL_GS_BASE, base);
		return 0;
	case SEGBASE_GS_KERNEL:
		wrmsr(MSR_GS_BASE, base);
		return 0;
	default:
		return -EINVAL;
	}
}

long do_fpu_taskswitch(int set)
{
	struct vcpu *v = current;

	if (set) {
		v->pv.ctrlreg[0] |= CR0_TS;
		write_cr0(read_cr0() | CR0_TS);
	} else {
		v->pv.ctrlreg[0] &= ~(uint64_t)CR0_TS;
		__asm__ volatile("clts");
	}
	return 0;
}

/* ---- debug registers ---- */

/* v's registers into the CPU's: addresses and status only while a breakpoint is enabled. */
static void load_debugregs(const struct vcpu *v)
{
	const uint64_t *dr = v->pv.debugreg;

	if (dr[7] & DR7_ACTIVE) {
		write_dr7(DR7_RESET); /* none fires meanwhile */
		write_dr0(dr[0]);
		write_dr1(dr[1]);
		write_dr2(dr[2]);
		write_dr3(dr[3]);
		write_dr6(DR6_RESET);
	}
	write_dr7(dr[7]);
}

/* I/O breakpoints would fire in the hypervisor, which does the guest's port accesses. */
static bool has_io_breakpoint(uint64_t dr7)
{
	for (unsigned int i = 0; i < 4; i++)
		if (dr7 >> (2 * i) & 3 && (dr7 >> (16 + 4 * i) & 3) == DR_TYPE_IO)
			return true;
	return false;
}

/* Nothing in the hypervisor may be watched: the highest byte watched is at +7. */
static bool address_ok(uint64_t address)
{
	return guest_range_ok(address, 8);
}

bool pv_debugregs_ok(const uint64_t dr[8])
{
	for (unsigned int i = 0; i < 4; i++)
		if (!address_ok(dr[i]))
			return false;
	return !(dr[7] & (DR7_GD | DR7_ZEROES)) && !(dr[7] >> 32) && !has_io_breakpoint(dr[7]);
}

/* Registers 4 and 5 are other names of 6 and 7 unless the guest has set CR4.DE. */
static int real_debugreg(const struct vcpu *v, int reg)
{
	if (reg == 4 || reg == 5)
		return v->pv.ctrlreg[4] & CR4_DE ? -ENODEV : reg + 2;
	return reg >= 0 && reg <= 7 ? reg : -ENODEV;
}

long do_set_debugreg(int reg, unsigned long value)
{
	struct vcpu *v = current;

	reg = real_debugreg(v, reg);
	switch (reg) {
	case 0:
	case 1:
	case 2:
	case 3:
		if (!address_ok(value))
			return -EPERM;
		break;
	case 6:
		value = ((uint32_t)value & ~DR6_ZEROES) | DR6_RESET;
		break;
	case 7:
		value = ((uint32_t)value & ~DR7_ZEROES) | DR7_RESET;
		if (value & DR7_GD || has_io_breakpoint(value))
			return -EPERM;
		break;
	default:
		return -ENODEV;
	}
	v->pv.debugreg[reg] = value;
	if (reg != 6)
		load_debugregs(v);
	return 0;
}

long do_get_debugreg(int reg)
{
	struct vcpu *v = current;

	reg = real_debugreg(v, reg);
	return reg < 0 ? reg : (long)v->pv.debugreg[reg];
}
