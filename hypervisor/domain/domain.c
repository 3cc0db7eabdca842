/* SPDX-License-Identifier: MIT */
/* Domains: creation, who is who, how they stop and go on. Their end: kill.c. */
#include "domain/domain.h"
#include "console/console.h"
#include "cpu/grace.h"
#include "cpu/cpu.h"
#include "event/event.h"
#include "grant/grant.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
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
	v->sched.affinity = v->sched.soft_affinity = ~(cpumask_t)0;
	list_init(&v->sched.queue);
	v->fpu = kzalloc(cpu_features.fpu_size);
	if (!v->fpu)
		return -ENOMEM;
	fpu_init_state(v->fpu);
	vcpu_pv_init(v);
	return vcpu_time_init(v);
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
	d->shared_info_mfn = mfn;
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

/* The paused flags of all vCPUs follow from the domain's count, so they are set before it is found. */
static int create_vcpus(struct domain *d)
{
	for (unsigned int i = 0; i < d->max_vcpus; i++) {
		d->vcpu[i] = kzalloc(sizeof(*d->vcpu[i]));
		if (!d->vcpu[i] || vcpu_init(d->vcpu[i], d, i))
			return -ENOMEM;
		set_bit(VPF_PAUSED, &d->vcpu[i]->pause_flags);
	}
	return 0;
}

static void free_vcpus(struct domain *d)
{
	for (unsigned int i = 0; i < d->max_vcpus; i++) {
		if (!d->vcpu[i])
			continue;
		kfree(d->vcpu[i]->fpu);
		kfree(d->vcpu[i]);
	}
}

struct domain *domain_create(domid_t id, unsigned int max_vcpus, bool privileged)
{
	struct domain *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->id = id;
	d->refs = 1;
	d->is_privileged = privileged;
	d->max_vcpus = max_vcpus;
	d->shutdown_code = -1;
	sched_init_domain(d);
	d->pauses = d->control_pauses = 1;
	for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
		timer_init(&d->watchdog[i], watchdog_expired, d, 0);
	spin_lock_init(&d->mm.lock);
	spin_lock_init(&d->mm.page_lock);
	d->mm.max_pages = UINT32_MAX;
	if (create_shared_info(d))
		goto free_domain;
	if (grant_init(d))
		goto unshare;
	if (create_vcpus(d))
		goto free_vcpus;
	if (evtchn_init(d))
		goto free_vcpus;
	return d;

free_vcpus:
	free_vcpus(d);
	grant_release_table(d);
	grant_destroy(d);
unshare:
	/* The domain never ran: nobody but this reference holds the page, and it is freed with it. */
	unshare_frame(virt_to_mfn(d->shared_info), d);
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

#define HASH_SIZE 256
#define NR_IDS	  0x7ff0U /* DOMID_FIRST_RESERVED, unsigned */

/*
 * Changed under the lock, read without: a new domain is complete before it is linked, one that leaves keeps its own
 * links until nobody reads them (cpu/grace.h).
 */
static spinlock_t table_lock;
static struct domain *by_id; /* ascending */
static struct domain *hash[HASH_SIZE];
static uint64_t ids[DOMID_FIRST_RESERVED / 64 + 1]; /* bit per id that is taken */
static domid_t last_id;				    /* that was given without being asked for */

static bool take_id(domid_t id)
{
	uint64_t bit = 1UL << (id % 64);

	if (ids[id / 64] & bit)
		return false;
	ids[id / 64] |= bit;
	return true;
}

int domain_take_id(domid_t wanted)
{
	int id = wanted;

	spin_lock(&table_lock);
	if (wanted) {
		id = take_id(wanted) ? wanted : -EEXIST;
	} else {
		unsigned int tries = NR_IDS;

		/* The one that was free for longest, more or less: what still names a dead domain by number
		 * does not meet a new one soon. */
		do {
			last_id = last_id + 1U < NR_IDS ? last_id + 1 : 1;
			id = take_id(last_id) ? last_id : -ENOMEM;
		} while (id < 0 && --tries);
	}
	spin_unlock(&table_lock);
	return id;
}

void domain_give_id(domid_t id)
{
	spin_lock(&table_lock);
	ids[id / 64] &= ~(1UL << (id % 64));
	spin_unlock(&table_lock);
}

void domain_publish(struct domain *d)
{
	struct domain **at = &by_id;

	spin_lock(&table_lock);
	take_id(d->id); /* dom0's */
	while (*at && (*at)->id < d->id)
		at = &(*at)->next;
	d->next = *at;
	d->hash_next = hash[d->id % HASH_SIZE];
	__atomic_store_n(at, d, __ATOMIC_RELEASE);
	__atomic_store_n(&hash[d->id % HASH_SIZE], d, __ATOMIC_RELEASE);
	spin_unlock(&table_lock);
}

static void unpublish(struct domain *d)
{
	struct domain **at = &by_id;

	spin_lock(&table_lock);
	while (*at != d)
		at = &(*at)->next;
	WRITE_ONCE(*at, d->next);
	for (at = &hash[d->id % HASH_SIZE]; *at != d;)
		at = &(*at)->hash_next;
	WRITE_ONCE(*at, d->hash_next);
	spin_unlock(&table_lock);
}

struct domain *domain_find(domid_t id)
{
	struct domain *d;

	if (id == DOMID_SELF || id == current->domain->id)
		return current->domain;
	d = __atomic_load_n(&hash[id % HASH_SIZE], __ATOMIC_ACQUIRE);
	while (d && d->id != id)
		d = __atomic_load_n(&d->hash_next, __ATOMIC_ACQUIRE);
	return d;
}

bool domain_try_hold(struct domain *d)
{
	uint32_t refs = READ_ONCE(d->refs);

	do {
		if (!refs)
			return false;
	} while (!__atomic_compare_exchange_n(&d->refs, &refs, refs + 1, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	return true;
}

struct domain *domain_get(domid_t id)
{
	struct domain *d = domain_find(id);

	return d && domain_try_hold(d) ? d : NULL;
}

void domain_hold(struct domain *d)
{
	__atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

static void free_domain(struct grace *g)
{
	struct domain *d = (struct domain *)((char *)g - offsetof(struct domain, grace));

	evtchn_free(d);
	grant_destroy(d);
	free_vcpus(d);
	cpu_policy_free(d);
	range_set_free(&d->mm.io_frames);
	range_set_free(&d->irq.lines);
	range_set_free(&d->ports);
	domain_give_id(d->id);
	kfree(d);
	send_global_virq(VIRQ_DOM_EXC);
}

void domain_put(struct domain *d)
{
	if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL))
		return;
	unpublish(d);
	after_grace(&d->grace, free_domain);
}

struct domain *domain_next(unsigned int id)
{
	struct domain *d = __atomic_load_n(&by_id, __ATOMIC_ACQUIRE);

	while (d && d->id < id)
		d = __atomic_load_n(&d->next, __ATOMIC_ACQUIRE);
	return d;
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

static void set_flags(struct domain *d, unsigned int flag)
{
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		vcpu_pause_flag_set(d->vcpu[i], flag);
}

static void clear_flags(struct domain *d, unsigned int flag)
{
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		vcpu_pause_flag_clear(d->vcpu[i], flag);
}

void domain_pause(struct domain *d)
{
	spin_lock(&d->state_lock);
	if (d->pauses++ == 0)
		set_flags(d, VPF_PAUSED);
	spin_unlock(&d->state_lock);
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		if (d->vcpu[i] != current)
			sched_wait_stopped(d->vcpu[i]);
}

void domain_unpause(struct domain *d)
{
	spin_lock(&d->state_lock);
	if (--d->pauses == 0)
		clear_flags(d, VPF_PAUSED);
	spin_unlock(&d->state_lock);
}

void domain_pause_for_debugger(struct domain *d)
{
	spin_lock(&d->state_lock);
	d->control_pauses++;
	if (d->pauses++ == 0)
		set_flags(d, VPF_PAUSED);
	spin_unlock(&d->state_lock);
	send_global_virq(VIRQ_DEBUGGER);
}

/* ---- shutdown ---- */

/* Domains that shut down and whose vCPUs have not all stopped yet; each with a reference. */
static spinlock_t work_lock;
static struct domain *work;

static void queue_work(struct domain *d)
{
	spin_lock(&work_lock);
	if (!d->work_queued && domain_try_hold(d)) {
		d->work_queued = true;
		d->work_next = work;
		work = d;
	}
	spin_unlock(&work_lock);
	softirq_raise(SOFTIRQ_DOMAIN);
}

void domain_vcpu_stopped(struct domain *d)
{
	if (READ_ONCE(d->work_queued))
		softirq_raise(SOFTIRQ_DOMAIN);
}

void domain_shutdown(struct domain *d, unsigned int reason)
{
	spin_lock(&d->state_lock);
	if (d->is_shut_down) {
		spin_unlock(&d->state_lock);
		return;
	}
	if (d->shutdown_code < 0)
		WRITE_ONCE(d->shutdown_code, (int)reason);
	WRITE_ONCE(d->is_shut_down, true);
	set_flags(d, VPF_SHUTDOWN);
	spin_unlock(&d->state_lock);
	/* Its watchdogs may not bark any more, but if one does it changes nothing. */
	for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
		timer_stop(&d->watchdog[i]);
	queue_work(d);
}

void domain_resume(struct domain *d)
{
	spin_lock(&d->state_lock);
	if (d->is_shut_down && !d->is_dying) {
		WRITE_ONCE(d->is_shut_down, false);
		d->shutdown_done = false;
		WRITE_ONCE(d->shutdown_code, -1);
		clear_flags(d, VPF_SHUTDOWN);
	}
	spin_unlock(&d->state_lock);
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
 * CPU is under way, and dom0's other vCPUs have stopped, so that the page audit that may follow finds
 * no reference in flight.
 */
static void dom0_ended(void)
{
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

/* But for this CPU's own, which is on its way out and does not come back. */
static bool all_stopped(const struct domain *d)
{
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		if (d->vcpu[i] != current &&
		    __atomic_load_n(&d->vcpu[i]->sched.running, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static void shutdown_done(struct domain *d)
{
	bool suspended = false, done = false;

	if (d == dom0)
		dom0_ended();
	spin_lock(&d->state_lock);
	if (d->is_shut_down && !d->shutdown_done) {
		done = true;
		d->shutdown_done = true;
		suspended = d->shutdown_code == SHUTDOWN_suspend && d->suspend_port;
	}
	spin_unlock(&d->state_lock);
	if (suspended)
		(void)evtchn_send(d, d->suspend_port);
	else if (done)
		send_global_virq(VIRQ_DOM_EXC);
}

/*
 * Nobody waits here for other CPUs, which may be waiting for this one's current: whoever finds vCPUs that still run
 * leaves the domain in the list, and each of these says when it has stopped.
 */
static void domain_softirq(void)
{
	struct domain *d, *list, *stay = NULL;

	spin_lock(&work_lock);
	list = work;
	work = NULL;
	spin_unlock(&work_lock);
	while ((d = list) != NULL) {
		list = d->work_next;
		if (all_stopped(d)) {
			WRITE_ONCE(d->work_queued, false);
			shutdown_done(d);
			domain_put(d);
		} else {
			d->work_next = stay;
			stay = d;
		}
	}
	while ((d = stay) != NULL) {
		stay = d->work_next;
		spin_lock(&work_lock);
		d->work_next = work;
		work = d;
		spin_unlock(&work_lock);
		/* It may have stopped while it was in nobody's list. */
		if (all_stopped(d))
			softirq_raise(SOFTIRQ_DOMAIN);
	}
}

void domain_init(void)
{
	grace_init();
	softirq_register(SOFTIRQ_DOMAIN, domain_softirq);
}
