/* SPDX-License-Identifier: MIT */
/* A vCPU's whole state, from and into the form that guests and tools have for it: struct vcpu_guest_context. */
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include <public/xen.h>

/* ---- from the structure ---- */

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

/* Its tables. -EINTR: what was done so far is kept in them. */
static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
	mfn_t user = root_from_cr3(c->ctrlreg[1]);
	int rc = set_gdt_frames(v, c->gdt_frames, c->gdt_ents);

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
	v->pv.ldt_base = c->ldt_ents ? c->ldt_base : 0;
	v->pv.ldt_ents = c->ldt_ents;
	return 0;
}

/* A vCPU that was initialised keeps its tables: the context must name the same. */
static bool same_tables(const struct vcpu *v, const struct vcpu_guest_context *c)
{
	mfn_t user = root_from_cr3(c->ctrlreg[1]);

	for (unsigned int i = 0; i < DIV_ROUND_UP(v->pv.gdt_ents, 512); i++)
		if (v->pv.gdt_frames[i] != c->gdt_frames[i])
			return false;
	return v->kernel_root == root_from_cr3(c->ctrlreg[3]) &&
	       v->user_root == (user ? user : INVALID_MFN) && v->pv.gdt_ents == c->gdt_ents &&
	       v->pv.ldt_base == c->ldt_base && v->pv.ldt_ents == c->ldt_ents;
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
	bool kernel = c->flags & VGCF_in_kernel;
	int rc = 0;

	if (!addresses_ok(c) || c->gdt_ents > GDT_ENTRIES_MAX || c->ldt_ents > 8192 ||
	    !IS_ALIGNED(c->ldt_base, PAGE_SIZE) || (!kernel && !c->ctrlreg[1]) ||
	    !pv_debugregs_ok(c->debugreg))
		return -EINVAL;
	if (!v->initialised)
		rc = set_tables(v, c);
	else if (!same_tables(v, c))
		rc = -EOPNOTSUPP;
	if (rc)
		return rc;
	v->pv.kernel_mode = kernel;
	for (unsigned int i = 0; i < 8; i++)
		if (i != 4 && i != 5)
			v->pv.debugreg[i] = c->debugreg[i];
	v->pv.debugreg[6] = ((uint32_t)v->pv.debugreg[6] & ~DR6_ZEROES) | DR6_RESET;
	v->pv.debugreg[7] |= DR7_RESET;
	set_registers(v, c);
	set_entries(v, c);
	set_fpu(v, c);
	v->initialised = true;
	return 0;
}

void vcpu_reset(struct vcpu *v)
{
	vcpu_pause_flag_set(v, VPF_DOWN);
	drop_vcpu_roots(v);
	release_gdt(v);
	invalidate_ldt(v);
	vcpu_pv_init(v);
	fpu_init_state(v->fpu);
	v->runstate_area = v->time_area = 0;
	v->initialised = false;
}

/* ---- into the structure ---- */

static uint64_t cr3_of_root(mfn_t root)
{
	return root == INVALID_MFN ? 0 : root << PAGE_SHIFT;
}

static void get_entries(const struct vcpu *v, struct vcpu_guest_context *c)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(v->pv.trap); i++) {
		const struct pv_trap *t = &v->pv.trap[i];

		c->trap_ctxt[i] = (struct trap_info){
		    .vector = (uint8_t)i,
		    .flags = (uint8_t)(t->dpl | (t->mask_events ? 4 : 0)),
		    .cs = t->cs,
		    .address = t->eip,
		};
	}
	c->event_callback_eip = v->pv.event.eip;
	c->failsafe_callback_eip = v->pv.failsafe.eip;
	c->syscall_callback_eip = v->pv.syscall.eip;
	if (v->pv.failsafe.mask_events)
		c->flags |= VGCF_failsafe_disables_events;
	if (v->pv.syscall.mask_events)
		c->flags |= VGCF_syscall_disables_events;
	c->kernel_ss = v->pv.kernel_ss;
	c->kernel_sp = v->pv.kernel_sp;
}

static void get_registers(const struct vcpu *v, struct vcpu_guest_context *c)
{
	c->user_regs = v->regs;
	c->user_regs.eflags |= (uint64_t)v->pv.iopl << 12;
	c->user_regs.ds = v->pv.ds;
	c->user_regs.es = v->pv.es;
	c->user_regs.fs = v->pv.fs;
	c->user_regs.gs = v->pv.gs;
	c->fs_base = v->pv.fs_base;
	c->gs_base_kernel = v->pv.gs_base_kernel;
	c->gs_base_user = v->pv.gs_base_user;
	c->ctrlreg[0] = CR0_PE | CR0_NE | CR0_WP | CR0_PG | (v->pv.ctrlreg[0] & CR0_TS);
	c->ctrlreg[1] = cr3_of_root(v->user_root);
	c->ctrlreg[2] = v->pv.ctrlreg[2];
	c->ctrlreg[3] = cr3_of_root(v->kernel_root);
	c->ctrlreg[4] = v->pv.ctrlreg[4] | CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	memcpy(c->debugreg, v->pv.debugreg, sizeof(c->debugreg));
	c->debugreg[4] = c->debugreg[5] = 0;
}

void vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *c)
{
	memset(c, 0, sizeof(*c));
	c->flags = VGCF_i387_valid;
	if (v->pv.kernel_mode)
		c->flags |= VGCF_in_kernel;
	if (!test_bit(VPF_DOWN, &v->pause_flags))
		c->flags |= VGCF_online;
	fpu_legacy_state(v->fpu, c->fpu_ctxt.x);
	get_registers(v, c);
	get_entries(v, c);
	c->ldt_base = v->pv.ldt_base;
	c->ldt_ents = v->pv.ldt_ents;
	memcpy(c->gdt_frames, v->pv.gdt_frames, sizeof(v->pv.gdt_frames));
	c->gdt_ents = v->pv.gdt_ents;
	c->vm_assist = v->domain->mm.vm_assist;
}
