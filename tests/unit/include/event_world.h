/* SPDX-License-Identifier: MIT */
/* Two domains and what event/ needs of the rest of the hypervisor, for its unit tests. Included once a program. */
#ifndef EVENT_WORLD_H
#define EVENT_WORLD_H

#include "unit.h"
#include "cpu/cpu.h"
#include "console/console.h"
#include "domain/domain.h"
#include "event/event.h"
#include "irq/irq.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/pv.h"

#ifndef VCPUS
#define VCPUS 3
#endif
#define OTHER 5

struct cpu_info unit_cpu_info;
struct vcpu_info dummy_vcpu_info;
struct domain *dom0;
struct domain idle_domain;
static struct domain *domains[2]; /* 0: the caller; 1: another, unprivileged */
static unsigned int woken, kicked, typed_refs;
static bool fail_allocation;
/* The domains' frames, by machine frame number; 0 is nobody's. */
#define FRAMES 400
static char frames[FRAMES][PAGE_SIZE] __attribute__((aligned(4096)));
cpumask_t cpu_online_mask = 1;
static unsigned int preempt_every, preempt_count, continued;

void domain_hold(struct domain *d)
{
	d->refs++;
}

void domain_put(struct domain *d)
{
	assert_true(d->refs > 0);
	d->refs--;
}

struct domain *domain_find(domid_t id)
{
	if (id == DOMID_SELF)
		return current->domain;
	return id == domains[0]->id ? domains[0] : id == domains[1]->id ? domains[1] : NULL;
}

struct vcpu *domain_vcpu(struct domain *d, unsigned int id)
{
	return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

void vcpu_pause_flag_clear(struct vcpu *v, unsigned int flag)
{
	clear_bit(flag, &v->pause_flags);
	__atomic_fetch_or(&woken, 1U << v->id, __ATOMIC_SEQ_CST);
}

void apic_send_ipi(unsigned int cpu, unsigned int vector)
{
	__atomic_fetch_or(&kicked, 1U << cpu, __ATOMIC_SEQ_CST);
}

int copy_from_guest(void *dst, vaddr_t src, size_t len)
{
	if (!src)
		return -EFAULT;
	memcpy(dst, (void *)src, len);
	return 0;
}

int get_guest_u64(uint64_t *dst, vaddr_t src)
{
	return copy_from_guest(dst, src, sizeof(*dst));
}

int get_guest_u32(uint32_t *dst, vaddr_t src)
{
	return copy_from_guest(dst, src, sizeof(*dst));
}

int copy_to_guest(vaddr_t dst, const void *src, size_t len)
{
	if (!dst)
		return -EFAULT;
	memcpy((void *)dst, src, len);
	return 0;
}

void *kzalloc(size_t size)
{
	return fail_allocation ? NULL : calloc(1, size);
}

void kfree(void *p)
{
	free(p);
}

int get_frame_and_type(mfn_t mfn, struct domain *d, enum page_type type)
{
	if (mfn == 0 || mfn >= FRAMES || type != PT_WRITABLE)
		return -EINVAL;
	typed_refs++;
	return 0;
}

void put_frame_and_type(mfn_t mfn)
{
	assert_true(mfn > 0 && mfn < FRAMES && typed_refs > 0);
	typed_refs--;
}

void *phys_to_virt(paddr_t pa)
{
	return (char *)frames + pa;
}

paddr_t virt_to_phys(const void *p)
{
	return (paddr_t)((const char *)p - (char *)frames);
}

void smp_call(cpumask_t mask, void (*fn)(void *arg), void *arg)
{
	fn(arg);
}

bool preempt_check(void)
{
	return preempt_every && ++preempt_count % preempt_every == 0;
}

long hypercall_continue(unsigned int nr, unsigned int nargs, ...)
{
	assert_int_equal(nr, __HYPERVISOR_event_channel_op);
	assert_int_equal(nargs, 2);
	continued++;
	return nr;
}

/* Number 9 can be bound, once. */
static evtchn_port_t pirq_port;
static bool pirq_share;

long pirq_bind(struct domain *d, unsigned int pirq, evtchn_port_t port, bool share)
{
	if (pirq != 9)
		return -EPERM;
	if (pirq_port)
		return -EEXIST;
	pirq_port = port;
	pirq_share = share;
	/* It comes at once. */
	assert_ptr_equal(send_guest_pirq(d, port), d->vcpu[0]);
	return 0;
}

void pirq_unbind(struct domain *d, unsigned int pirq)
{
	assert_int_equal(pirq, 9);
	pirq_port = 0;
}

void pirq_destroy(struct domain *d)
{
	assert_int_equal(pirq_port, 0);
}

void smp_poll(void)
{
}

void guest_log(const char *fmt, ...)
{
}

void bug(const char *file, int line, const char *what)
{
	fail_msg("%s:%d: %s", file, line, what);
	abort();
}

static struct domain *make(domid_t id, bool privileged)
{
	struct domain *d = calloc(1, sizeof(*d));

	d->id = id;
	d->is_privileged = privileged;
	d->max_vcpus = VCPUS;
	d->shared_info = aligned_alloc(4096, 4096);
	memset(d->shared_info, 0, 4096);
	for (unsigned int i = 0; i < VCPUS; i++) {
		d->vcpu[i] = calloc(1, sizeof(*d->vcpu[i]));
		d->vcpu[i]->id = i;
		d->vcpu[i]->domain = d;
		d->vcpu[i]->vcpu_info = &d->shared_info->vcpu_info[i];
		d->vcpu[i]->vcpu_info_mfn = INVALID_MFN;
		d->vcpu[i]->sched.cpu = i;
	}
	assert_int_equal(evtchn_init(d), 0);
	return d;
}

static int setup(void **state)
{
	domains[0] = make(0, true);
	domains[1] = make(OTHER, false);
	dom0 = domains[0];
	current = domains[0]->vcpu[0];
	woken = kicked = typed_refs = 0;
	preempt_every = continued = 0;
	pirq_port = 0;
	fail_allocation = false;
	return 0;
}

static int teardown(void **state)
{
	for (unsigned int n = 0; n < 2; n++) {
		(void)evtchn_close_all(domains[n]);
		evtchn_free(domains[n]);
		for (unsigned int i = 0; i < VCPUS; i++)
			free(domains[n]->vcpu[i]);
		free(domains[n]->shared_info);
		free(domains[n]);
	}
	return 0;
}

static inline long op(unsigned int cmd, void *arg)
{
	return do_event_channel_op(cmd, (vaddr_t)arg);
}

static inline evtchn_port_t unbound(domid_t dom, domid_t remote)
{
	struct evtchn_alloc_unbound a = {.dom = dom, .remote_dom = remote};

	assert_int_equal(op(EVTCHNOP_alloc_unbound, &a), 0);
	return a.port;
}

static inline evtchn_port_t ipi(unsigned int vcpu)
{
	struct evtchn_bind_ipi b = {.vcpu = vcpu};

	assert_int_equal(op(EVTCHNOP_bind_ipi, &b), 0);
	return b.port;
}

static inline long send(evtchn_port_t port)
{
	struct evtchn_send s = {.port = port};

	return op(EVTCHNOP_send, &s);
}

static inline long close_it(evtchn_port_t port)
{
	struct evtchn_close c = {.port = port};

	return op(EVTCHNOP_close, &c);
}

static inline unsigned int status(evtchn_port_t port)
{
	struct evtchn_status s = {.dom = DOMID_SELF, .port = port};

	assert_int_equal(op(EVTCHNOP_status, &s), 0);
	return s.status;
}

static inline bool pending(struct domain *d, unsigned int port)
{
	return test_bit(port, d->shared_info->evtchn_pending);
}

#endif
