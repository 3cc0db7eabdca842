/* SPDX-License-Identifier: MIT */
/* vcpu_op (public/vcpu.h): further vCPUs brought up and down, and what is registered for each. */
#include "domain/domain.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "event/event.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include "sched/sched.h"
#include "time/time.h"
#include "lib/errno.h"
#include <public/vcpu.h>

/* ---- the context of a new vCPU ---- */

/* A page-table root as cr3 holds it in the public structures: the frame number folded (xen_pfn_to_cr3). */
static mfn_t root_from_cr3(uint64_t cr3)
{
	return cr3 >> PAGE_SHIFT;
}

static bool addresses_ok(const struct vcpu_guest_context *c)
{
	return is_canonical(c->user_regs.rip) && is_canonical(c->event_callback_eip) &&
	       is_canonical(c->failsafe_callback_eip) && is_canonical(c->syscall_callback_eip) &&
	       is_canonical(c->fs_base) && is_canonical(c->gs_base_kernel) &&
	       is_canonical(c->gs_base_user) && is_canonical(c->ldt_base);
}

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
	v->regs = c->user_regs;
	/* Ring 3, interrupts on, no access to what is the hypervisor's. */
	v->regs.cs |= 3;
	v->regs.ss |= 3;
	/* The flags' I/O privilege is the guest's view of it: as by set_iopl. */
	v->pv.iopl = (c->user_regs.eflags & EFLAGS_IOPL) >> 12;
	v->regs.eflags = (v->regs.eflags & ~(uint64_t)(EFLAGS_IOPL | EFLAGS_NT | EFLAGS_VM |
						       EFLAGS_VIF | EFLAGS_VIP | EFLAGS_RF)) |
			 EFLAGS_IF | EFLAGS_FIXED;
	v->regs.entry_vector = 0;
	v->regs.error_code = 0;
	v->pv.ds = c->user_regs.ds;
	v->pv.es = c->user_regs.es;
	v->pv.fs = c->user_regs.fs;
	v->pv.gs = c->user_regs.gs;
	v->pv.fs_base = c->fs_base;
	v->pv.gs_base_kernel = c->gs_base_kernel;
	v->pv.gs_base_user = c->gs_base_user;
}

static void set_entries(struct vcpu *v, const struct vcpu_guest_context *c)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(v->pv.trap); i++) {
		const struct trap_info *t = &c->trap_ctxt[i];

		v->pv.trap[i] = (struct pv_trap){.eip = is_canonical(t->address) ? t->address : 0,
						 .cs = t->cs ? t->cs | 3 : 0,
						 .dpl = t->flags & 3,
						 .mask_events = t->flags & 4};
	}
	v->pv.event = (struct pv_callback){c->event_callback_eip, true};
	v->pv.failsafe = (struct pv_callback){c->failsafe_callback_eip,
					      c->flags & VGCF_failsafe_disables_events};
	v->pv.syscall =
	    (struct pv_callback){c->syscall_callback_eip, c->flags & VGCF_syscall_disables_events};
	v->pv.kernel_ss = c->kernel_ss | 3;
	v->pv.kernel_sp = c->kernel_sp;
	v->pv.ctrlreg[0] = c->ctrlreg[0] & CR0_TS;
	v->pv.ctrlreg[4] = 0;
}

/* The legacy part of the FPU context. MXCSR bits that the CPU does not know would fault when loaded. */
static void set_fpu(struct vcpu *v, const struct vcpu_guest_context *c)
{
	uint8_t *area = v->fpu;
	uint32_t mxcsr;

	fpu_init_state(area);
	if (!(c->flags & VGCF_I387_VALID))
		return;
	memcpy(area, c->fpu_ctxt.x,
	       416); /* what the CPU defines of FXSAVE's 512 bytes (SDM 1 10.5.1) */
	memcpy(&mxcsr, area + 24, sizeof(mxcsr));
	mxcsr &= 0xffbf;
	memcpy(area + 24, &mxcsr, sizeof(mxcsr));
	if (cpu_features.xcr0) {
		uint64_t present = 3; /* XSTATE_BV: x87 and SSE */

		memcpy(area + 512, &present, sizeof(present));
	}
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
	mfn_t user = root_from_cr3(c->ctrlreg[1]);
	int rc;

	if (!addresses_ok(c) || c->gdt_ents > GDT_ENTRIES_MAX || c->ldt_ents > 8192 ||
	    !IS_ALIGNED(c->ldt_base, PAGE_SIZE) || !(c->flags & VGCF_in_kernel) ||
	    (c->debugreg[7] & 0xff))
		return -EINVAL;
	rc = set_gdt_frames(v, c->gdt_frames, c->gdt_ents);
	if (rc)
		return rc;
	rc = set_vcpu_root(v, root_from_cr3(c->ctrlreg[3]), false);
	if (!rc && user)
		rc = set_vcpu_root(v, user, true);
	if (rc) {
		/* As before: what an earlier call left was not initialised, so it holds nothing. */
		drop_vcpu_roots(v);
		release_gdt(v);
		return rc;
	}
	v->pv.kernel_mode = true;
	v->pv.ldt_base = c->ldt_ents ? c->ldt_base : 0;
	v->pv.ldt_ents = c->ldt_ents;
	set_registers(v, c);
	set_entries(v, c);
	set_fpu(v, c);
	v->initialised = true;
	return 0;
}

static long initialise(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_guest_context *c;
	long rc = -EFAULT;

	if (v->vcpu_info == &dummy_vcpu_info)
		return -EINVAL;
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (!copy_from_guest(c, arg, sizeof(*c))) {
		/* One context for one vCPU: two callers at once must not both see it as new. */
		spin_lock(&v->domain->vcpu_lock);
		rc = v->initialised ? -EEXIST : vcpu_set_context(v, c);
		spin_unlock(&v->domain->vcpu_lock);
	}
	kfree(c);
	return rc;
}

/* ---- what the guest registers ---- */

static long register_vcpu_info(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_register_vcpu_info info;
	long rc;

	if (copy_from_guest(&info, arg, sizeof(info)))
		return -EFAULT;
	spin_lock(&v->domain->vcpu_lock);
	rc = map_vcpu_info(v, info.mfn, info.offset);
	spin_unlock(&v->domain->vcpu_lock);
	return rc;
}

static long register_runstate(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_register_runstate_memory_area area;
	struct vcpu_runstate_info info;

	if (copy_from_guest(&area, arg, sizeof(area)))
		return -EFAULT;
	if (!guest_range_ok((vaddr_t)area.addr.p, sizeof(info)))
		return -EFAULT;
	v->runstate_area = (vaddr_t)area.addr.p;
	if (v == current) {
		update_runstate_area(v);
	} else if (v->runstate_area) {
		runstate_get(v, &info);
		/* A page that is not there yet is no error: it is written when v runs. */
		(void)copy_to_guest(v->runstate_area, &info, sizeof(info));
	}
	return 0;
}

static long register_time(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_register_time_memory_area area;

	if (copy_from_guest(&area, arg, sizeof(area)))
		return -EFAULT;
	if (!guest_range_ok((vaddr_t)area.addr.p, sizeof(struct vcpu_time_info)))
		return -EFAULT;
	v->time_area = (vaddr_t)area.addr.p;
	if (v == current)
		update_vcpu_time(v);
	return 0;
}

static long get_runstate(struct vcpu *v, vaddr_t arg)
{
	struct vcpu_runstate_info info;

	runstate_get(v, &info);
	return copy_to_guest(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long send_nmi(struct vcpu *v)
{
	WRITE_ONCE(v->pv.nmi_pending, true);
	/* Wakes or kicks v as an event does; the exit path looks for the NMI first. */
	if (test_bit(VPF_BLOCKED, &v->pause_flags))
		vcpu_pause_flag_clear(v, VPF_BLOCKED);
	else if (v != current && READ_ONCE(v->sched.running))
		apic_send_ipi(READ_ONCE(v->sched.cpu), VECTOR_KICK);
	return 0;
}

long do_vcpu_op(unsigned int cmd, unsigned int vcpuid, vaddr_t arg)
{
	struct vcpu *v = domain_vcpu(current->domain, vcpuid);
	static unsigned long told;
	long rc;

	if (!v)
		return -ENOENT;
	switch (cmd) {
	case VCPUOP_initialise:
		rc = initialise(v, arg);
		/* Its page tables take long to validate: what was done so far is kept there. */
		if (rc == -EINTR)
			return hypercall_continue(__HYPERVISOR_vcpu_op, 3, (unsigned long)cmd,
						  (unsigned long)vcpuid, arg);
		return rc;
	case VCPUOP_up:
		if (!v->initialised)
			return -EINVAL;
		vcpu_pause_flag_clear(v, VPF_DOWN);
		return 0;
	case VCPUOP_down:
		vcpu_pause_flag_set(v, VPF_DOWN);
		return 0;
	case VCPUOP_is_up:
		return !test_bit(VPF_DOWN, &v->pause_flags);
	case VCPUOP_get_runstate_info:
		return get_runstate(v, arg);
	case VCPUOP_register_runstate_memory_area:
		return register_runstate(v, arg);
	case VCPUOP_register_vcpu_time_memory_area:
		return register_time(v, arg);
	case VCPUOP_register_vcpu_info:
		return register_vcpu_info(v, arg);
	case VCPUOP_send_nmi:
		return send_nmi(v);
	default:
		rc = vcpu_timer_op(cmd, v, arg);
		if (rc == -ENOSYS && !test_and_set_bit(cmd & 63, &told))
			guest_log("vcpu_op %u is not implemented\n", cmd);
		return rc;
	}
}
