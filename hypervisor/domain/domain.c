/* SPDX-License-Identifier: MIT */
/* Domains: creation, who is who, and how they end. */
#include "domain/domain.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "event/event.h"
#include "grant/grant.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "sched/sched.h"
#include "time/time.h"
#include "lib/errno.h"
#include <public/sched.h>

struct domain *dom0;
struct domain idle_domain = {.id = DOMID_IDLE, .max_vcpus = NR_CPUS};
struct vcpu_info dummy_vcpu_info = {.evtchn_upcall_mask = 1};

/* The boot CPU's idle vCPU: it is there before the allocator is. */
static struct vcpu boot_idle_vcpu;

/* ---- creation ---- */

static int vcpu_init(struct vcpu *v, struct domain *d, unsigned int id)
{
	v->id = id;
	v->domain = d;
	v->pause_flags = 1UL << VPF_DOWN;
	v->vcpu_info_mfn = v->kernel_root = v->user_root = INVALID_MFN;
	v->vcpu_info =
	    id < XEN_LEGACY_MAX_VCPUS ? &d->shared_info->vcpu_info[id] : &dummy_vcpu_info;
	v->vcpu_info->evtchn_upcall_mask = 1;
	v->runstate.state = RUNSTATE_offline;
	v->runstate.state_entry_time = now();
	/* Spread over the CPUs; waking chooses anew. */
	v->sched.cpu = id % nr_cpus;
	v->sched.affinity = ~(cpumask_t)0;
	list_init(&v->sched.queue);
	v->fpu = kzalloc(cpu_features.fpu_size);
	if (!v->fpu)
		return -ENOMEM;
	fpu_init_state(v->fpu);
	return vcpu_time_init(v);
}

static void vcpu_free(struct vcpu *v)
{
	if (!v)
		return;
	vcpu_time_destroy(v);
	kfree(v->fpu);
	kfree(v);
}

/* The shared page: the hypervisor writes to it through the direct map, the guest maps it. */
static int create_shared_info(struct domain *d)
{
	mfn_t mfn = alloc_frames(0, ALLOC_ZERO);
	int rc;

	if (mfn == INVALID_MFN)
		return -ENOMEM;
	rc = share_frame_with_domain(mfn, d, true);
	if (rc) {
		free_hv_frames(mfn, 0);
		return rc;
	}
	d->shared_info = mfn_to_virt(mfn);
	memset(d->shared_info->evtchn_mask, 0xff, sizeof(d->shared_info->evtchn_mask));
	update_wallclock(d);
	return 0;
}

static void watchdog_expired(void *data)
{
	struct domain *d = data;

	printk(LOG_WARN "Domain %u: its watchdog has run out\n", d->id);
	domain_shutdown(d, SHUTDOWN_watchdog);
}

struct domain *domain_create(domid_t id, unsigned int max_vcpus, bool privileged)
{
	struct domain *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->id = id;
	d->is_privileged = privileged;
	d->max_vcpus = max_vcpus;
	d->shutdown_code = -1;
	for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
		timer_init(&d->watchdog[i], watchdog_expired, d, 0);
	spin_lock_init(&d->mm.lock);
	spin_lock_init(&d->mm.page_lock);
	d->mm.max_pages = UINT32_MAX;
	if (create_shared_info(d))
		goto free_domain;
	if (grant_init(d))
		goto unshare;
	for (unsigned int i = 0; i < max_vcpus; i++) {
		d->vcpu[i] = kzalloc(sizeof(*d->vcpu[i]));
		if (!d->vcpu[i] || vcpu_init(d->vcpu[i], d, i))
			goto free_vcpus;
	}
	if (evtchn_init(d))
		goto free_vcpus;
	return d;

free_vcpus:
	for (unsigned int i = 0; i < max_vcpus; i++)
		vcpu_free(d->vcpu[i]);
	grant_destroy(d);
unshare:
	/* The domain never ran: nobody but this reference holds the page, and it is freed with it. */
	unshare_frame(virt_to_mfn(d->shared_info));
free_domain:
	kfree(d);
	return NULL;
}

struct vcpu *idle_vcpu_create(unsigned int cpu)
{
	struct vcpu *v = cpu == 0 ? &boot_idle_vcpu : kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	v->id = cpu;
	v->is_idle = true;
	v->domain = &idle_domain;
	v->vcpu_info = &dummy_vcpu_info;
	v->vcpu_info_mfn = v->kernel_root = v->user_root = INVALID_MFN;
	v->sched.cpu = cpu;
	v->sched.affinity = (cpumask_t)1 << cpu;
	v->sched.running = true;
	list_init(&v->sched.queue);
	idle_domain.vcpu[cpu] = v;
	return v;
}

/* ---- who is who ---- */

struct domain *domain_by_id(domid_t id)
{
	if (id == DOMID_SELF || id == current->domain->id)
		return current->domain;
	return dom0 && id == dom0->id ? dom0 : NULL;
}

struct vcpu *domain_vcpu(struct domain *d, unsigned int id)
{
	return id < d->max_vcpus ? d->vcpu[clamp_index(id, d->max_vcpus)] : NULL;
}

struct cpu_user_regs *vcpu_regs(struct vcpu *v)
{
	return v == current ? &cpu_info()->guest_regs : &v->regs;
}

/* ---- pausing ---- */

void vcpu_pause_flag_set(struct vcpu *v, unsigned int flag)
{
	if (!test_and_set_bit(flag, &v->pause_flags))
		sched_sleep(v);
}

void vcpu_pause_flag_clear(struct vcpu *v, unsigned int flag)
{
	if (test_and_clear_bit(flag, &v->pause_flags) && READ_ONCE(v->pause_flags) == 0)
		sched_wake(v);
}

/* ---- the end of a domain ---- */

void domain_shutdown(struct domain *d, unsigned int reason)
{
	if (__atomic_exchange_n(&d->is_shut_down, true, __ATOMIC_SEQ_CST))
		return;
	if (READ_ONCE(d->shutdown_code) < 0)
		WRITE_ONCE(d->shutdown_code, (int)reason);
	/* Its watchdogs may not bark any more, but if one does it changes nothing. */
	for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
		timer_stop(&d->watchdog[i]);
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		vcpu_pause_flag_set(d->vcpu[i], VPF_DOMAIN);
	if (d == dom0)
		softirq_raise(SOFTIRQ_DOMAIN);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
	char why[160];
	va_list ap;

	if (READ_ONCE(d->is_shut_down))
		return;
	va_start(ap, fmt);
	format_va(why, sizeof(why), fmt, ap);
	va_end(ap);
	printk(LOG_ERR "Domain %u crashed: %s\n", d->id, why);
	if (current->domain == d)
		show_guest_state(current);
	domain_shutdown(d, SHUTDOWN_crash);
}

/*
 * dom0 has shut down, so the machine ends. This runs as a soft interrupt: here no operation of this
 * CPU is under way, and once dom0's other vCPUs have stopped none is anywhere, so that the page audit
 * that may follow finds no reference in flight.
 */
static void dom0_ended(void)
{
	for (unsigned int i = 0; i < dom0->max_vcpus; i++)
		if (dom0->vcpu[i] != current)
			sched_wait_stopped(dom0->vcpu[i]);
	switch (dom0->shutdown_code) {
	case SHUTDOWN_poweroff:
		printk(LOG_INFO "Domain 0 has powered off.\n");
		machine_power_off();
	case SHUTDOWN_reboot:
		printk(LOG_INFO "Domain 0 asks for a restart.\n");
		machine_restart();
	case SHUTDOWN_watchdog:
		printk(LOG_ERR "Domain 0's watchdog restarts the machine.\n");
		machine_restart();
	case SHUTDOWN_crash:
		printk(LOG_ERR "Domain 0 has crashed.\n");
		machine_crashed();
	default:
		printk(LOG_ERR "Domain 0 has shut down: the machine stops or restarts.\n");
		machine_restart();
	}
}

void domain_init(void)
{
	softirq_register(SOFTIRQ_DOMAIN, dom0_ended);
}
