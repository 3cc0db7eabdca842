/* SPDX-License-Identifier: MIT */
// sources: hypervisor/domain/domain.c hypervisor/lib/spinlock.c hypervisor/mm/range_set.c
/*
 * Who is who among domains: numbers, references, the order of the list; pausing and shutting down. What domains are
 * made of is played by this file, and so is the grace period: it is over when a test says so.
 */
#include "unit.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/grace.h"
#include "domain/domain.h"
#include "event/event.h"
#include "grant/grant.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include "sched/sched.h"
#include "time/time.h"
#include <public/sched.h>

struct cpu_info unit_cpu_info;
struct cpu_features cpu_features = {.fpu_size = 512};
unsigned int nr_cpus = 2;
static struct vcpu idle = {.domain = &idle_domain, .is_idle = true};
static unsigned int allocated, fail_after, virqs, sent, raised, ended;
static struct grace *waiting;
static void (*domain_handler)(void);

void *kzalloc(size_t size)
{
	if (fail_after && !--fail_after)
		return NULL;
	allocated++;
	return calloc(1, size);
}

void kfree(void *p)
{
	allocated -= p != NULL;
	free(p);
}

/* ---- parts of domains ---- */

static struct shared_info shared;

mfn_t alloc_frames(unsigned int order, unsigned int flags)
{
	return 5;
}

void free_hv_frames(mfn_t mfn, unsigned int order)
{
}

int share_frame_with_domain(mfn_t mfn, struct domain *d, bool writable)
{
	return 0;
}

void unshare_frame(mfn_t mfn, struct domain *d)
{
}

void *phys_to_virt(paddr_t pa)
{
	return &shared;
}

paddr_t virt_to_phys(const void *p)
{
	return 5 << PAGE_SHIFT;
}

void update_wallclock(struct domain *d)
{
}

int grant_init(struct domain *d)
{
	return 0;
}

void grant_release_table(struct domain *d)
{
}

void grant_destroy(struct domain *d)
{
}

int evtchn_init(struct domain *d)
{
	return fail_after && !--fail_after ? -ENOMEM : 0;
}

void evtchn_free(struct domain *d)
{
}

long evtchn_send(struct domain *d, evtchn_port_t port)
{
	sent++;
	return 0;
}

int vcpu_time_init(struct vcpu *v)
{
	return 0;
}

void vcpu_pv_init(struct vcpu *v)
{
}

void cpu_policy_free(struct domain *d)
{
}

void fpu_init_state(void *area)
{
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
}

void timer_stop(struct timer *t)
{
}

void sched_init_domain(struct domain *d)
{
}

stime_t now(void)
{
	return 1;
}

/* ---- the rest of the hypervisor ---- */

void smp_poll(void)
{
}

void sched_wake(struct vcpu *v)
{
}

void sched_sleep(struct vcpu *v)
{
}

void sched_wait_stopped(struct vcpu *v)
{
	v->sched.running = false;
}

void send_global_virq(unsigned int virq)
{
	assert_true(virq == VIRQ_DOM_EXC || virq == VIRQ_DEBUGGER);
	virqs++;
}

void after_grace(struct grace *g, void (*fn)(struct grace *g))
{
	g->fn = fn;
	g->next = waiting;
	waiting = g;
}

static void grace_is_over(void)
{
	while (waiting) {
		struct grace *g = waiting;

		waiting = g->next;
		g->fn(g);
	}
}

void grace_init(void)
{
}

void softirq_register(unsigned int nr, void (*handler)(void))
{
	domain_handler = handler;
}

void softirq_raise(unsigned int nr)
{
	assert_int_equal(nr, SOFTIRQ_DOMAIN);
	raised++;
}

void printk(const char *fmt, ...)
{
}

int format_va(char *buf, size_t size, const char *fmt, va_list ap)
{
	return vsnprintf(buf, size, fmt, ap);
}

void show_guest_state(struct vcpu *v)
{
}

void machine_power_off(void)
{
	ended++;
	abort();
}

void machine_restart(void)
{
	abort();
}

void machine_crashed(void)
{
	abort();
}

/* ---- tests ---- */

static int setup(void **state)
{
	unit_cpu_info.vcpu = &idle;
	domain_init();
	virqs = sent = raised = fail_after = 0;
	return 0;
}

static struct domain *make(domid_t wanted, unsigned int vcpus)
{
	int id = domain_take_id(wanted);
	struct domain *d;

	assert_true(id > 0);
	d = domain_create((domid_t)id, vcpus, false);
	assert_non_null(d);
	assert_null(domain_find((domid_t)id));
	domain_publish(d);
	return d;
}

static void test_references(void **state)
{
	unsigned int before = allocated;
	struct domain *d = make(0, 2);
	domid_t id = d->id;

	assert_ptr_equal(domain_find(id), d);
	assert_ptr_equal(domain_get(id), d);
	domain_put(d);
	assert_ptr_equal(domain_find(id), d);
	domain_put(d);
	/* Nobody finds it, but it is there, and so is its number. Who found it before gets no reference any more. */
	assert_false(domain_try_hold(d));
	domain_shutdown(d, SHUTDOWN_crash);
	domain_handler();
	assert_null(domain_find(id));
	assert_null(domain_get(id));
	assert_true(allocated > before);
	assert_int_equal(domain_take_id(id), -EEXIST);
	assert_int_equal(virqs, 0);
	grace_is_over();
	assert_int_equal(allocated, before);
	assert_int_equal(virqs, 1);
	assert_int_equal(domain_take_id(id), id);
	domain_give_id(id);
}

static void test_order(void **state)
{
	struct domain *d[3] = {make(300, 1), make(44, 1),
			       make(556, 1)}; /* all in one place of the hash */
	struct domain *at;
	unsigned int n = 0, last = 0;

	for_each_domain(at)
	{
		assert_true(at->id > last);
		last = at->id;
		n++;
	}
	assert_int_equal(n, 3);
	assert_ptr_equal(domain_next(301), d[2]);
	assert_ptr_equal(domain_next(300), d[0]);
	assert_null(domain_next(557));
	for (unsigned int i = 0; i < 3; i++)
		assert_ptr_equal(domain_find(d[i]->id), d[i]);
	domain_put(d[0]);
	assert_null(domain_find(300));
	/* Who stands on it still gets on. */
	assert_ptr_equal(d[0]->next, d[2]);
	assert_ptr_equal(domain_find(44), d[1]);
	assert_ptr_equal(domain_find(556), d[2]);
	domain_put(d[1]);
	domain_put(d[2]);
	grace_is_over();
	assert_null(domain_next(0));
}

/* All numbers, each once, from 1 on; then none. */
static void test_numbers(void **state)
{
	static bool seen[DOMID_FIRST_RESERVED];
	int first = domain_take_id(0);

	seen[first] = true;
	for (unsigned int n = 1; n < DOMID_FIRST_RESERVED - 1; n++) {
		int id = domain_take_id(0);

		assert_true(id > 0 && (unsigned int)id < DOMID_FIRST_RESERVED && !seen[id]);
		seen[id] = true;
	}
	assert_int_equal(domain_take_id(0), -ENOMEM);
	domain_give_id(77);
	assert_int_equal(domain_take_id(0), 77);
	for (unsigned int id = 1; id < DOMID_FIRST_RESERVED; id++)
		domain_give_id((domid_t)id);
}

/* Whatever cannot be had, nothing is left. */
static void test_no_memory(void **state)
{
	unsigned int before = allocated;
	struct domain *d = NULL;

	for (unsigned int n = 1; !d; n++) {
		fail_after = n;
		d = domain_create(9, 3, false);
		if (!d)
			assert_int_equal(allocated, before);
	}
	fail_after = 0;
	domain_publish(d);
	domain_put(d);
	grace_is_over();
	assert_int_equal(allocated, before);
}

static bool may_run(const struct vcpu *v)
{
	return !(v->pause_flags & ~(1UL << VPF_DOWN));
}

static void test_pause(void **state)
{
	struct domain *d = make(0, 2);

	assert_false(may_run(d->vcpu[0]));
	domain_pause(d);
	domain_unpause(d);
	assert_false(may_run(d->vcpu[1]));
	domain_unpause(d);
	assert_true(may_run(d->vcpu[0]) && may_run(d->vcpu[1]));
	domain_pause_for_debugger(d);
	assert_int_equal(virqs, 1);
	assert_false(may_run(d->vcpu[0]));
	domain_put(d);
	grace_is_over();
}

static void test_shutdown(void **state)
{
	struct domain *d = make(0, 2);

	domain_unpause(d);
	d->vcpu[1]->sched.running = true;
	domain_shutdown(d, SHUTDOWN_suspend);
	domain_shutdown(d, SHUTDOWN_crash); /* the first counts */
	assert_int_equal(d->shutdown_code, SHUTDOWN_suspend);
	assert_false(may_run(d->vcpu[0]));
	/* Told once all have stopped, not before. */
	domain_handler();
	assert_false(d->shutdown_done);
	assert_int_equal(virqs, 0);
	d->vcpu[1]->sched.running = false;
	raised = 0;
	domain_vcpu_stopped(d);
	assert_int_equal(raised, 1);
	domain_handler();
	assert_true(d->shutdown_done);
	assert_int_equal(virqs, 1);
	domain_handler();
	assert_int_equal(virqs, 1);
	domain_resume(d);
	assert_true(may_run(d->vcpu[0]) && !d->shutdown_done && d->shutdown_code == -1);
	/* A channel of its own is told of a suspend, and of nothing else. */
	d->suspend_port = 7;
	domain_shutdown(d, SHUTDOWN_suspend);
	domain_handler();
	assert_int_equal(sent, 1);
	assert_int_equal(virqs, 1);
	domain_resume(d);
	domain_shutdown(d, SHUTDOWN_poweroff);
	domain_handler();
	assert_int_equal(sent, 1);
	assert_int_equal(virqs, 2);
	domain_put(d);
	grace_is_over();
}

/* The list of those that shut down holds it until it has been told. */
static void test_end_in_shutdown(void **state)
{
	struct domain *d = make(0, 1);
	domid_t id = d->id;

	d->vcpu[0]->sched.running = true;
	domain_shutdown(d, SHUTDOWN_crash);
	domain_handler();
	domain_put(d);
	assert_ptr_equal(domain_find(id), d);
	d->vcpu[0]->sched.running = false;
	domain_handler();
	assert_null(domain_find(id));
	grace_is_over();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_references, setup),
	    cmocka_unit_test_setup(test_order, setup),
	    cmocka_unit_test_setup(test_numbers, setup),
	    cmocka_unit_test_setup(test_no_memory, setup),
	    cmocka_unit_test_setup(test_pause, setup),
	    cmocka_unit_test_setup(test_shutdown, setup),
	    cmocka_unit_test_setup(test_end_in_shutdown, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
