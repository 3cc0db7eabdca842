/* SPDX-License-Identifier: MIT */
/* Hypercalls: the table, dispatch, continuation of long ones, and several in one (multicall). */
#include <stdarg.h>
#include "pv/internal.h"
#include "console/console.h"
#include "cpu/uaccess.h"
#include "event/event.h"
#include "grant/grant.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "time/time.h"
#include <public/arch-x86/xen-mca.h>
#include <public/event_channel.h>
#include <public/sched.h>

#define SYSCALL_LENGTH 2 /* 0f 05 */
#define WINDOW	       8 /* entries of a multicall between two looks for interrupts */

struct multicall_state {
	bool active;
	bool
	    continued; /* by hypercall_continue(), as follows; else nr is the entry's that is being run */
	unsigned long nr, nargs, args[6];
};

/* Per CPU is enough: a vCPU is switched only on its way out of the hypervisor. */
static DEFINE_PER_CPU(struct multicall_state, multicall);

bool in_multicall(void)
{
	return this_cpu(multicall).active;
}

long not_implemented(const char *hypercall, unsigned int cmd, unsigned long *told)
{
	/* Numbers above 62 share the last bit, so that a guest cannot flood the log. */
	if (!test_and_set_bit(min(cmd, 63U), told))
		guest_log("d%u: %s %u is not implemented\n", current->domain->id, hypercall, cmd);
	return -ENOSYS;
}

long hypercall_continue(unsigned int nr, unsigned int nargs, ...)
{
	struct multicall_state *m = &this_cpu(multicall);
	struct cpu_user_regs *regs = &cpu_info()->guest_regs;
	uint64_t *args[] = {&regs->rdi, &regs->rsi, &regs->rdx, &regs->r10, &regs->r8, &regs->r9};
	va_list ap;

	ASSERT(nargs <= ARRAY_SIZE(args));
	va_start(ap, nargs);
	for (unsigned int i = 0; i < nargs; i++) {
		unsigned long value = va_arg(ap, unsigned long);

		if (m->active)
			m->args[i] = value;
		else
			*args[i] = value;
	}
	va_end(ap);

	if (m->active) {
		m->nr = nr;
		m->nargs = nargs;
		m->continued = true;
		return 0;
	}
	/* The number goes back into rax the way that a result would. */
	regs->rip -= SYSCALL_LENGTH;
	return nr;
}

/* ---- the table ---- */

#define ARGS                                                                                 \
	unsigned long a, unsigned long b, unsigned long c, unsigned long d, unsigned long e, \
	    unsigned long f

/* Each handler takes what it needs, in its own types: hc_NAME converts, at no cost. */
#define HYPERCALL(name, ...)                   \
	static long hc_##name(ARGS)            \
	{                                      \
		return do_##name(__VA_ARGS__); \
	}

static long do_multicall(vaddr_t list, unsigned int count);

/* The older forms of three calls, from before their commands had an argument of their own. */
static long do_sched_op_compat(unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case SCHEDOP_yield:
	case SCHEDOP_block:
		return do_sched_op(cmd, 0);
	case SCHEDOP_shutdown:
		domain_shutdown(current->domain, (uint8_t)arg);
		return 0;
	default:
		return -ENOSYS;
	}
}

static long do_event_channel_op_compat(vaddr_t arg)
{
	uint32_t cmd;

	if (copy_from_guest(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (cmd > EVTCHNOP_unmask)
		return -ENOSYS;
	return do_event_channel_op(cmd, arg + offsetof(struct evtchn_op, u));
}

/* No performance counters for guests: what a real Xen without the vpmu option says. */
static long do_xenpmu_op(void)
{
	return -EOPNOTSUPP;
}

HYPERCALL(set_trap_table, a)
HYPERCALL(mmu_update, a, b, c, d)
HYPERCALL(set_gdt, a, b)
HYPERCALL(stack_switch, a, b)
HYPERCALL(set_callbacks, a, b, c)
HYPERCALL(fpu_taskswitch, (int)a)
HYPERCALL(sched_op_compat, a, b)
HYPERCALL(platform_op, a)
HYPERCALL(set_debugreg, (int)a, b)
HYPERCALL(get_debugreg, (int)a)
HYPERCALL(update_descriptor, a, b)
HYPERCALL(memory_op, a, b)
HYPERCALL(multicall, a, b)
HYPERCALL(update_va_mapping, a, b, c)
HYPERCALL(set_timer_op, (stime_t)a)
HYPERCALL(event_channel_op_compat, a)
HYPERCALL(xen_version, (int)a, b)
HYPERCALL(console_io, a, b, c)
HYPERCALL(physdev_op_compat, a)
HYPERCALL(grant_table_op, a, b, c)
HYPERCALL(vm_assist, a, b)
HYPERCALL(update_va_mapping_otherdomain, a, b, c, (domid_t)d)

HYPERCALL(iret)
HYPERCALL(vcpu_op, a, b, c)
HYPERCALL(set_segment_base, a, b)
HYPERCALL(mmuext_op, a, b, c, d)
HYPERCALL(nmi_op, a, b)
HYPERCALL(sched_op, a, b)
HYPERCALL(callback_op, a, b)
HYPERCALL(event_channel_op, a, b)
HYPERCALL(physdev_op, (int)a, b)
HYPERCALL(sysctl, a)
HYPERCALL(domctl, a)
HYPERCALL(xenpmu_op)
HYPERCALL(mca, a)

static __attribute__((noinline, cold)) long unknown_hypercall(unsigned long nr)
{
	static unsigned long told;

	return not_implemented("hypercall", (unsigned int)min(nr, 63UL), &told);
}

static long hc_unknown(ARGS)
{
	return unknown_hypercall(in_multicall() ? this_cpu(multicall).nr
						: cpu_info()->guest_regs.rax);
}

/* No entry is NULL: what is not named is unknown. */
#define ENTRY(name) [__HYPERVISOR_##name] = hc_##name
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
hypercall_fn *const hypercall_table[NR_HYPERCALLS] = {
    [0 ... NR_HYPERCALLS - 1] = hc_unknown,
    ENTRY(set_trap_table),
    ENTRY(mmu_update),
    ENTRY(set_gdt),
    ENTRY(stack_switch),
    ENTRY(set_callbacks),
    ENTRY(fpu_taskswitch),
    ENTRY(sched_op_compat),
    ENTRY(platform_op),
    ENTRY(set_debugreg),
    ENTRY(get_debugreg),
    ENTRY(update_descriptor),
    ENTRY(memory_op),
    ENTRY(multicall),
    ENTRY(update_va_mapping),
    ENTRY(set_timer_op),
    ENTRY(event_channel_op_compat),
    ENTRY(xen_version),
    ENTRY(console_io),
    ENTRY(physdev_op_compat),
    ENTRY(grant_table_op),
    ENTRY(vm_assist),
    ENTRY(update_va_mapping_otherdomain),
    ENTRY(iret),
    ENTRY(vcpu_op),
    ENTRY(set_segment_base),
    ENTRY(mmuext_op),
    ENTRY(nmi_op),
    ENTRY(sched_op),
    ENTRY(callback_op),
    ENTRY(event_channel_op),
    ENTRY(physdev_op),
    ENTRY(sysctl),
    ENTRY(domctl),
    ENTRY(xenpmu_op),
    ENTRY(mca),
};
#pragma GCC diagnostic pop

static inline long dispatch(unsigned long nr, ARGS)
{
	if (unlikely(nr >= NR_HYPERCALLS))
		return unknown_hypercall(nr);
	return hypercall_table[clamp_index(nr, NR_HYPERCALLS)](a, b, c, d, e, f);
}

void pv_hypercall(struct cpu_user_regs *regs)
{
	regs->rax = (uint64_t)dispatch(regs->rax, regs->rdi, regs->rsi, regs->rdx, regs->r10,
				       regs->r8, regs->r9);
}

/* ---- multicall ---- */

/* The rest of a multicall, from its entry `list` on, when the vCPU runs next. */
static long continue_multicall(struct multicall_state *m, vaddr_t list, unsigned int count)
{
	m->active = false;
	return hypercall_continue(__HYPERVISOR_multicall, 2, list, (unsigned long)count);
}

/* The entry at `list` shall go on with what hypercall_continue() was told. */
static __attribute__((noinline, cold)) int rewrite_entry(struct multicall_state *m, vaddr_t list)
{
	m->continued = false;
	return copy_to_guest(list + offsetof(struct multicall_entry, op), &m->nr, sizeof(m->nr))
		   ?: copy_to_guest(list + offsetof(struct multicall_entry, args), m->args,
				    m->nargs * sizeof(m->args[0]));
}

/*
 * Before each entry but the first: should the CPU be given up? Interrupts are let in before every 8th only, as in
 * mmuext_op: no entry does more than a budget of work without a look of its own, so they wait for
 * no more than 8 budgets. What has been found already, then or within an entry, is seen at once.
 */
static inline bool preempt_between(unsigned int i)
{
	if (unlikely(READ_ONCE(cpu_info()->softirq_pending)))
		return true;
	return unlikely(i % WINDOW == 0) && preempt_check();
}

/*
 * Run the entries in order, each one's result into itself. -EINVAL inside a multicall, -EFAULT when the
 * list cannot be read or written. iret has no place in it (-EINVAL): after it the guest may be in user
 * mode, on other page tables, and what follows would be done with the kernel's rights (XSA-213).
 */
static long do_multicall(vaddr_t list, unsigned int count)
{
	struct multicall_state *m = &this_cpu(multicall);
	int error = 0;

	if (unlikely(m->active))
		return -EINVAL;
	if (!guest_range_ok(list, (size_t)count * sizeof(struct multicall_entry)))
		return -EFAULT;

	m->active = true;
	for (unsigned int i = 0; i < count; i++, list += sizeof(struct multicall_entry)) {
		unsigned long op, a, b, c, d, e, f;
		long result;

		if (i && preempt_between(i))
			return continue_multicall(m, list, count - i);
		guest_access_begin();
		GET_GUEST_WORD(op, list + offsetof(struct multicall_entry, op), error);
		GET_GUEST_WORD(a, list + offsetof(struct multicall_entry, args[0]), error);
		GET_GUEST_WORD(b, list + offsetof(struct multicall_entry, args[1]), error);
		GET_GUEST_WORD(c, list + offsetof(struct multicall_entry, args[2]), error);
		GET_GUEST_WORD(d, list + offsetof(struct multicall_entry, args[3]), error);
		GET_GUEST_WORD(e, list + offsetof(struct multicall_entry, args[4]), error);
		GET_GUEST_WORD(f, list + offsetof(struct multicall_entry, args[5]), error);
		guest_access_end();
		if (unlikely(error)) /* or the last result was not taken */
			break;
		m->nr = op;
		result = likely(op != __HYPERVISOR_iret) ? dispatch(op, a, b, c, d, e, f) : -EINVAL;
		if (unlikely(m->continued)) {
			error = rewrite_entry(m, list);
			if (error)
				break;
			return continue_multicall(m, list, count - i);
		}
		guest_access_begin();
		PUT_GUEST_WORD(list + offsetof(struct multicall_entry, result), result, error);
		guest_access_end();
	}
	m->active = false;
	return error;
}
