/* SPDX-License-Identifier: MIT */
// sources: hypervisor/event/event.c hypervisor/event/bind.c hypervisor/event/fifo.c hypervisor/lib/spinlock.c
/* Event channels against the rules of public/event_channel.h; the rest of the hypervisor is faked here. */
#include "event_world.h"
#include "event/port.h"

static bool upcall(struct vcpu *v, unsigned int port)
{
	return v->vcpu_info->evtchn_upcall_pending &&
	       test_bit(port / 64, &v->vcpu_info->evtchn_pending_sel);
}

static void test_ipi(void **state)
{
	evtchn_port_t port = ipi(2);
	struct vcpu *v = domains[0]->vcpu[2];

	v->sched.running = true;
	assert_int_equal(status(port), EVTCHNSTAT_ipi);
	assert_int_equal(send(port), 0);
	assert_true(pending(domains[0], port) && upcall(v, port));
	assert_int_equal(kicked, 1U << 2);
	/* Pending already: nothing more happens. */
	kicked = 0;
	assert_int_equal(send(port), 0);
	assert_int_equal(kicked, 0);
	assert_int_equal(send(0), -EINVAL);
	assert_int_equal(send(4096), -EINVAL);
	assert_int_equal(send(~0U), -EINVAL);
}

static void test_mask(void **state)
{
	evtchn_port_t port = ipi(1);
	struct vcpu *v = domains[0]->vcpu[1];
	struct evtchn_unmask u = {.port = port};

	set_bit(VPF_BLOCKED, &v->pause_flags);
	set_bit(port, domains[0]->shared_info->evtchn_mask);
	assert_int_equal(send(port), 0);
	assert_true(pending(domains[0], port) && !upcall(v, port));
	assert_int_equal(woken, 0);
	assert_int_equal(op(EVTCHNOP_unmask, &u), 0);
	assert_true(upcall(v, port) && !test_bit(port, domains[0]->shared_info->evtchn_mask));
	assert_int_equal(woken, 1U << 1);
	u.port = 5000;
	assert_int_equal(op(EVTCHNOP_unmask, &u), -EINVAL);
}

static void test_virq(void **state)
{
	struct evtchn_bind_virq b = {.virq = VIRQ_TIMER, .vcpu = 1};
	struct evtchn_bind_vcpu m = {.vcpu = 2};

	assert_int_equal(op(EVTCHNOP_bind_virq, &b), 0);
	assert_int_equal(op(EVTCHNOP_bind_virq, &b), -EEXIST);
	send_guest_vcpu_virq(domains[0]->vcpu[1], VIRQ_TIMER);
	assert_true(upcall(domains[0]->vcpu[1], b.port));
	send_guest_vcpu_virq(domains[0]->vcpu[0], VIRQ_TIMER); /* not bound there */
	m.port = b.port;
	assert_int_equal(op(EVTCHNOP_bind_vcpu, &m), -EINVAL); /* a timer stays with its vCPU */
	assert_int_equal(send(b.port), -EINVAL);

	b = (struct evtchn_bind_virq){.virq = VIRQ_CONSOLE, .vcpu = 1};
	assert_int_equal(op(EVTCHNOP_bind_virq, &b), -EINVAL); /* global: bound on vCPU 0 */
	b.vcpu = 0;
	assert_int_equal(op(EVTCHNOP_bind_virq, &b), 0);
	m.port = b.port;
	assert_int_equal(op(EVTCHNOP_bind_vcpu, &m), 0);
	send_guest_global_virq(domains[0], VIRQ_CONSOLE);
	assert_true(upcall(domains[0]->vcpu[2], b.port));
	assert_int_equal(close_it(b.port), 0);
	assert_int_equal(domains[0]->vcpu[0]->evtchn.virq_port[VIRQ_CONSOLE], 0);

	b = (struct evtchn_bind_virq){.virq = NR_VIRQS};
	assert_int_equal(op(EVTCHNOP_bind_virq, &b), -EINVAL);
	b = (struct evtchn_bind_virq){.virq = VIRQ_TIMER, .vcpu = VCPUS};
	assert_int_equal(op(EVTCHNOP_bind_virq, &b), -ENOENT);
}

static void test_pirq(void **state)
{
	struct evtchn_bind_pirq b = {.pirq = 9, .flags = BIND_PIRQ__WILL_SHARE};
	struct evtchn_status s = {.dom = DOMID_SELF};
	struct evtchn_bind_vcpu m = {.vcpu = 2};
	evtchn_port_t first;

	assert_int_equal(op(EVTCHNOP_bind_pirq, &b), 0);
	assert_true(pirq_share && pirq_port == b.port && upcall(domains[0]->vcpu[0], b.port));
	first = s.port = m.port = b.port;
	assert_int_equal(op(EVTCHNOP_status, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_pirq);
	assert_int_equal(s.u.pirq, 9);
	assert_int_equal(send(first), -EINVAL);
	assert_int_equal(op(EVTCHNOP_bind_vcpu, &m), 0);
	assert_ptr_equal(evtchn_vcpu(domains[0], first), domains[0]->vcpu[2]);
	/* A failure leaves no port behind. */
	assert_int_equal(op(EVTCHNOP_bind_pirq, &b), -EEXIST);
	b.pirq = 0x10009;
	assert_int_equal(op(EVTCHNOP_bind_pirq, &b), -EPERM);
	assert_int_equal(ipi(0), first + 1);
	assert_false(evtchn_port_is_masked(domains[0], first));
	assert_false(evtchn_port_is_masked(domains[0], ~0U));
	assert_int_equal(close_it(first), 0);
	assert_int_equal(pirq_port, 0);
	assert_false(pending(domains[0], first));
	assert_int_equal(op(EVTCHNOP_bind_pirq, NULL), -EFAULT);
}

static void test_interdomain(void **state)
{
	evtchn_port_t there = unbound(DOMID_SELF, OTHER), own = unbound(DOMID_SELF, DOMID_SELF);
	struct evtchn_bind_interdomain b = {.remote_dom = 0, .remote_port = there};

	assert_int_equal(send(there), 0);			      /* nobody there: dropped */
	assert_int_equal(op(EVTCHNOP_bind_interdomain, &b), -EINVAL); /* meant for another */
	b.remote_dom = 99;
	assert_int_equal(op(EVTCHNOP_bind_interdomain, &b), -ESRCH);

	current = domains[1]->vcpu[0];
	b.remote_dom = 0;
	b.remote_port = own;
	assert_int_equal(op(EVTCHNOP_bind_interdomain, &b), -EINVAL);
	b.remote_port = there;
	assert_int_equal(op(EVTCHNOP_bind_interdomain, &b), 0);
	assert_true(pending(domains[1], b.local_port)); /* what was sent before is not lost */
	assert_int_equal(op(EVTCHNOP_bind_interdomain, &b), -EINVAL); /* taken */
	assert_int_equal(send(b.local_port), 0);
	assert_true(pending(domains[0], there) && upcall(domains[0]->vcpu[0], there));
	assert_int_equal(close_it(b.local_port), 0);

	current = domains[0]->vcpu[0];
	assert_int_equal(status(there), EVTCHNSTAT_unbound);
	assert_int_equal(close_it(there), 0);
	assert_int_equal(close_it(there), -EINVAL);
}

/* A sender that reads the two halves of where its port leads from different lives of it. */
static void test_mixed_up(void **state)
{
	evtchn_port_t there = unbound(DOMID_SELF, OTHER), victim = ipi(0);
	struct evtchn_bind_interdomain b = {.remote_dom = 0, .remote_port = there};

	current = domains[1]->vcpu[0];
	assert_int_equal(op(EVTCHNOP_bind_interdomain, &b), 0);
	evtchn_of(domains[1], b.local_port)->remote_port = victim;
	assert_int_equal(send(b.local_port), 0);
	assert_false(pending(domains[0], victim));
	evtchn_of(domains[1], b.local_port)->remote_port = there;
	assert_int_equal(send(b.local_port), 0);
	assert_true(pending(domains[0], there));
	assert_int_equal(close_it(b.local_port), 0);
	current = domains[0]->vcpu[0];
}

static void test_loopback(void **state)
{
	evtchn_port_t a = unbound(DOMID_SELF, DOMID_SELF);
	struct evtchn_bind_interdomain b = {.remote_dom = DOMID_SELF, .remote_port = a};

	assert_int_equal(op(EVTCHNOP_bind_interdomain, &b), 0);
	assert_int_equal(send(b.local_port), 0);
	assert_true(pending(domains[0], a));
	assert_int_equal(close_it(a), 0);
	assert_int_equal(status(b.local_port), EVTCHNSTAT_unbound);
}

static void test_privilege(void **state)
{
	struct evtchn_alloc_unbound a = {.dom = 0, .remote_dom = OTHER};
	struct evtchn_status s = {.dom = 0, .port = 1};
	struct evtchn_reset r = {.dom = 0};

	current = domains[1]->vcpu[0];
	assert_int_equal(op(EVTCHNOP_alloc_unbound, &a), -EPERM);
	assert_int_equal(op(EVTCHNOP_status, &s), -EPERM);
	assert_int_equal(op(EVTCHNOP_reset, &r), -EPERM);
	a.dom = 1234;
	assert_int_equal(op(EVTCHNOP_alloc_unbound, &a), -ESRCH);
	current = domains[0]->vcpu[0];
	a.dom = OTHER;
	assert_int_equal(op(EVTCHNOP_alloc_unbound, &a), 0);
}

static void test_exhaustion(void **state)
{
	struct evtchn_bind_ipi b = {.vcpu = 0};
	struct evtchn_reset r = {.dom = DOMID_SELF};

	for (unsigned int n = 1; n < 4096; n++)
		assert_int_equal(ipi(0), n);
	assert_int_equal(op(EVTCHNOP_bind_ipi, &b), -ENOSPC);
	assert_int_equal(close_it(1234), 0);
	assert_int_equal(ipi(0), 1234);
	assert_int_equal(op(EVTCHNOP_reset, &r), 0);
	assert_int_equal(ipi(0), 1);
}

static void test_no_memory(void **state)
{
	struct evtchn_bind_ipi b = {.vcpu = 0};

	for (unsigned int n = 1; n < 128; n++)
		ipi(0);
	fail_allocation = true;
	assert_int_equal(op(EVTCHNOP_bind_ipi, &b), -ENOMEM);
	fail_allocation = false;
	assert_int_equal(ipi(0), 128);
}

static void test_poll(void **state)
{
	evtchn_port_t ports[2] = {ipi(0), ipi(0)}, bad = 4000;
	struct vcpu *v = domains[0]->vcpu[1];

	assert_int_equal(evtchn_poll_begin(v, &bad, 1), -EINVAL);
	/* A masked port ends a poll too. */
	set_bit(ports[1], domains[0]->shared_info->evtchn_mask);
	assert_int_equal(evtchn_poll_begin(v, &ports[1], 1), 0);
	assert_int_equal(send(ports[0]), 0);
	assert_int_equal(woken & 2, 0);
	assert_int_equal(send(ports[1]), 0);
	assert_int_equal(woken & 2, 2);
	assert_int_equal(domains[0]->evtchn.polling, 0);
	assert_int_equal(evtchn_poll_begin(v, ports, 2), 1);
	assert_int_equal(domains[0]->evtchn.polling, 0);
}

static void test_arguments(void **state)
{
	struct evtchn_bind_vcpu m = {.port = 3000};

	assert_int_equal(op(EVTCHNOP_send, NULL), -EFAULT);
	assert_int_equal(op(EVTCHNOP_alloc_unbound, NULL), -EFAULT);
	assert_int_equal(op(77, &m), -ENOSYS);
	assert_int_equal(op(EVTCHNOP_bind_vcpu, &m), -EINVAL);
	m.vcpu = VCPUS;
	assert_int_equal(op(EVTCHNOP_bind_vcpu, &m), -ENOENT);
	assert_int_equal(close_it(0), -EINVAL);
	m = (struct evtchn_bind_vcpu){.vcpu = 1, .port = ipi(0)};
	assert_int_equal(op(EVTCHNOP_bind_vcpu, &m), -EINVAL); /* an IPI stays with its vCPU */
}

static void test_vcpu_info(void **state)
{
	struct vcpu *v = domains[0]->vcpu[0];
	struct vcpu_info *moved;

	assert_int_equal(map_vcpu_info(v, 7, PAGE_SIZE - sizeof(struct vcpu_info) + 8), -ENXIO);
	assert_int_equal(map_vcpu_info(v, 7, 3), -ENXIO);
	assert_int_equal(map_vcpu_info(v, FRAMES, 0), -EINVAL);
	/* Another vCPU's, while that one is up. */
	assert_int_equal(map_vcpu_info(domains[0]->vcpu[1], 7, 0), -EINVAL);
	v->vcpu_info->arch.cr2 = 0x1234;
	assert_int_equal(map_vcpu_info(v, 7, 128), 0);
	moved = (struct vcpu_info *)(frames[7] + 128);
	assert_ptr_equal(v->vcpu_info, moved);
	assert_int_equal(moved->arch.cr2, 0x1234);
	assert_true(moved->evtchn_upcall_pending && moved->evtchn_pending_sel == ~0UL);
	assert_int_equal(map_vcpu_info(v, 7, 0), -EINVAL);
	assert_int_equal(typed_refs, 1);
	unmap_vcpu_info(v);
	assert_int_equal(typed_refs, 0);
	v->vcpu_info = &domains[0]->shared_info->vcpu_info[0];
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_ipi),	  TEST(test_mask),     TEST(test_virq),	     TEST(test_interdomain),
	    TEST(test_loopback),  TEST(test_mixed_up), TEST(test_privilege), TEST(test_exhaustion),
	    TEST(test_no_memory), TEST(test_poll),     TEST(test_arguments), TEST(test_vcpu_info),
	    TEST(test_pirq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
