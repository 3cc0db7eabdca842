/* SPDX-License-Identifier: MIT */
/* Event channels between two domains, in every state that the death of one of them can find. */
#include "../child.h"
#include "../twin.h"

static struct twin twin;

/* ---- in either domain: ports, and how often each was told of ---- */

static volatile unsigned int told[EVENT_PORTS];

static void on_event(evtchn_port_t port, void *data)
{
	told[port]++;
}

static long op(int cmd, void *arg)
{
	return hypercall_event_channel_op(cmd, arg);
}

static long unbound_in(domid_t domain, domid_t remote)
{
	struct evtchn_alloc_unbound a = {.dom = domain, .remote_dom = remote};

	return op(EVTCHNOP_alloc_unbound, &a) ?: a.port;
}

static long bind(domid_t domain, evtchn_port_t port)
{
	return event_bind_interdomain(domain, port, on_event, NULL);
}

static long status_of(domid_t domain, evtchn_port_t port, struct evtchn_status *s)
{
	*s = (struct evtchn_status){.dom = domain, .port = port, .status = 99};
	return op(EVTCHNOP_status, s);
}

/* ---- what the twin does ---- */

static long its_unbound(long domain, long remote, long b, long c)
{
	long port = event_alloc_unbound((domid_t)domain, (domid_t)remote, on_event, NULL);

	if (port > 0 && port < EVENT_PORTS)
		told[port] = 0;
	return port;
}

static long its_raw_unbound(long domain, long remote, long b, long c)
{
	return unbound_in((domid_t)domain, (domid_t)remote);
}

static long its_bind(long domain, long port, long c, long d)
{
	return bind((domid_t)domain, (evtchn_port_t)port);
}

static long its_send(long port, long count, long c, long d)
{
	long rc = 0;

	for (long i = 0; i < count && !rc; i++)
		rc = event_send((evtchn_port_t)port);
	return rc;
}

static long its_close(long port, long b, long c, long d)
{
	return event_close((evtchn_port_t)port);
}

static long its_told(long port, long b, long c, long d)
{
	return told[port];
}

static long its_status(long domain, long port, long c, long d)
{
	struct evtchn_status s;

	return status_of((domid_t)domain, (evtchn_port_t)port, &s) ?: s.status;
}

static long its_reset(long domain, long b, long c, long d)
{
	struct evtchn_reset r = {.dom = (domid_t)domain};

	return op(EVTCHNOP_reset, &r);
}

static long its_mask(long port, long mask, long c, long d)
{
	if (mask)
		event_mask((evtchn_port_t)port);
	else
		event_unmask((evtchn_port_t)port);
	return 0;
}

/* The FIFO ABI there: a control block, and words for the first thousand ports, all of them masked or not. */
static event_word_t *words;

static long its_fifo(long a, long b, long c, long d)
{
	void *block = page_alloc();
	struct evtchn_init_control init = {.control_gfn = virt_to_mfn(block)};
	struct evtchn_expand_array expand;
	long rc = op(EVTCHNOP_init_control, &init);

	words = page_alloc();
	expand.array_gfn = virt_to_mfn(words);
	return rc ?: op(EVTCHNOP_expand_array, &expand);
}

static long its_word(long port, long b, long c, long d)
{
	return words[port];
}

/* ---- tests ---- */

static bool told_within_a_second(evtchn_port_t port)
{
	return test_wait(&told[port]);
}

/* A pair: a port of the twin's that waits for us, bound. Ours; *its: the other one. */
static evtchn_port_t make_pair(evtchn_port_t *its)
{
	long there = twin_call(&twin, its_unbound, DOMID_SELF, 0, 0, 0), here;

	EXPECT_TRUE(there > 0);
	*its = (evtchn_port_t)there;
	here = bind(twin.id, *its);
	EXPECT_TRUE(here > 0);
	if (here > 0)
		told[here] = 0;
	return (evtchn_port_t)here;
}

static void both_ways(void)
{
	evtchn_port_t its, port;
	struct evtchn_status s;

	twin_make(&twin);
	port = make_pair(&its);
	EXPECT(twin_call(&twin, its_send, its, 1, 0, 0), 0);
	EXPECT_TRUE(told_within_a_second(port));
	EXPECT(event_send(port), 0);
	/* The first time when it was bound: what was sent before must not be lost. */
	EXPECT_TRUE(twin_call(&twin, its_told, its, 0, 0, 0) >= 1);
	EXPECT(status_of(DOMID_SELF, port, &s), 0);
	EXPECT(s.status, EVTCHNSTAT_interdomain);
	EXPECT(s.u.interdomain.dom, twin.id);
	EXPECT(s.u.interdomain.port, its);
	EXPECT(status_of(twin.id, its, &s), 0);
	EXPECT(s.status, EVTCHNSTAT_interdomain);
	EXPECT(s.u.interdomain.dom, 0);
	EXPECT(s.u.interdomain.port, port);
	/* Masked there: it is told when it wants to be. */
	twin_call(&twin, its_mask, its, 1, 0, 0);
	told[port] = 0;
	event_send(port);
	EXPECT_TRUE(twin_call(&twin, its_told, its, 0, 0, 0) >= 1);
	twin_call(&twin, its_mask, its, 0, 0, 0);
	EXPECT_TRUE(twin_call(&twin, its_told, its, 0, 0, 0) >= 2);
	EXPECT(event_close(port), 0);
	EXPECT(twin_call(&twin, its_close, its, 0, 0, 0), 0);
	EXPECT(twin_destroy(&twin, true), 0);
}

/* The new port is pending from the start: nobody knows what was sent before. */
static void what_was_sent_before(void)
{
	struct evtchn_bind_interdomain b;
	long there;

	twin_make(&twin);
	there = twin_call(&twin, its_unbound, DOMID_SELF, 0, 0, 0);
	EXPECT(twin_call(&twin, its_send, there, 3, 0, 0), 0);
	b = (struct evtchn_bind_interdomain){.remote_dom = twin.id,
					     .remote_port = (evtchn_port_t)there};
	events_mask();
	EXPECT(op(EVTCHNOP_bind_interdomain, &b), 0);
	EXPECT_TRUE(event_bit(shared_info->evtchn_pending, b.local_port));
	event_close(b.local_port);
	EXPECT_TRUE(!event_bit(shared_info->evtchn_pending, b.local_port));
	events_unmask();
	EXPECT(twin_destroy(&twin, true), 0);
}

/* The tools make the twin's ports for it. */
static void made_from_here(void)
{
	long there, here, loop;

	twin_make(&twin);
	there = unbound_in(twin.id, 0);
	loop = unbound_in(twin.id, twin.id);
	EXPECT_TRUE(there > 0 && loop > 0);
	EXPECT(twin_call(&twin, its_status, DOMID_SELF, there, 0, 0), EVTCHNSTAT_unbound);
	EXPECT(bind(twin.id, (evtchn_port_t)loop), -EINVAL);
	here = bind(twin.id, (evtchn_port_t)there);
	EXPECT_TRUE(here > 0);
	EXPECT(bind(twin.id, (evtchn_port_t)there), -EINVAL); /* taken */
	EXPECT(bind(twin.id, 900), -EINVAL);
	EXPECT(bind(twin.id, 5000), -EINVAL);
	EXPECT(bind(4242, 1), -ESRCH);
	EXPECT(unbound_in(4242, 0), -ESRCH);
	/* One that waits for itself it can have. */
	EXPECT_TRUE(twin_call(&twin, its_bind, DOMID_SELF, loop, 0, 0) > 0);
	event_close((evtchn_port_t)here);
	EXPECT(twin_destroy(&twin, true), 0);
}

static void not_for_the_twin(void)
{
	long mine, for_it;

	twin_make(&twin);
	mine = event_alloc_unbound(DOMID_SELF, DOMID_SELF, on_event, NULL);
	for_it = event_alloc_unbound(DOMID_SELF, twin.id, on_event, NULL);
	EXPECT(twin_call(&twin, its_raw_unbound, 0, DOMID_SELF, 0, 0), -EPERM);
	EXPECT(twin_call(&twin, its_raw_unbound, 4242, DOMID_SELF, 0, 0), -ESRCH);
	EXPECT(twin_call(&twin, its_status, 0, mine, 0, 0), -EPERM);
	EXPECT(twin_call(&twin, its_reset, 0, 0, 0, 0), -EPERM);
	EXPECT(twin_call(&twin, its_bind, 0, mine, 0, 0), -EINVAL);
	EXPECT_TRUE(twin_call(&twin, its_bind, 0, for_it, 0, 0) > 0);
	EXPECT(twin_call(&twin, its_bind, 0, for_it, 0, 0), -EINVAL);
	EXPECT(twin_call(&twin, its_send, 700, 1, 0, 0), -EINVAL);
	EXPECT(twin_destroy(&twin, true), 0);
	/* What it had bound waits for it, whom there is no more. */
	EXPECT(event_send((evtchn_port_t)for_it), 0);
	EXPECT(event_close((evtchn_port_t)for_it), 0);
	EXPECT(event_close((evtchn_port_t)mine), 0);
}

static void closed_by_the_other(void)
{
	evtchn_port_t its, port;
	struct evtchn_status s;
	long again;

	twin_make(&twin);
	port = make_pair(&its);
	EXPECT(twin_call(&twin, its_close, its, 0, 0, 0), 0);
	EXPECT(status_of(DOMID_SELF, port, &s), 0);
	EXPECT(s.status, EVTCHNSTAT_unbound);
	EXPECT(s.u.unbound.dom, twin.id);
	EXPECT(event_send(port), 0); /* nobody is told */
	/* The same end can be bound again, by it. */
	again = twin_call(&twin, its_bind, 0, port, 0, 0);
	EXPECT_TRUE(again > 0);
	told[port] = 0;
	EXPECT(twin_call(&twin, its_send, again, 1, 0, 0), 0);
	EXPECT_TRUE(told_within_a_second(port));
	/* And the other way round. */
	EXPECT(event_close(port), 0);
	EXPECT(twin_call(&twin, its_status, DOMID_SELF, again, 0, 0), EVTCHNSTAT_unbound);
	EXPECT(twin_call(&twin, its_send, again, 1, 0, 0), 0);
	EXPECT(bind(twin.id, (evtchn_port_t)again), port);
	event_close(port);
	EXPECT(twin_destroy(&twin, true), 0);
}

static void reset(void)
{
	evtchn_port_t its, port;
	struct evtchn_status s;
	struct evtchn_reset r;

	twin_make(&twin);
	port = make_pair(&its);
	EXPECT(twin_call(&twin, its_reset, DOMID_SELF, 0, 0, 0), 0);
	EXPECT(status_of(DOMID_SELF, port, &s), 0);
	EXPECT(s.status, EVTCHNSTAT_unbound);
	event_close(port);
	port = make_pair(&its);
	r.dom = twin.id;
	EXPECT(op(EVTCHNOP_reset, &r), 0);
	EXPECT(status_of(DOMID_SELF, port, &s), 0);
	EXPECT(s.status, EVTCHNSTAT_unbound);
	event_close(port);
	EXPECT(twin_destroy(&twin, true), 0);
}

static void fifo_to_two_level(void)
{
	evtchn_port_t port;
	long its;

	twin_make(&twin);
	EXPECT(twin_call(&twin, its_fifo, 0, 0, 0, 0), 0);
	its = twin_call(&twin, its_raw_unbound, DOMID_SELF, 0, 0, 0);
	port = (evtchn_port_t)bind(twin.id, (evtchn_port_t)its);
	EXPECT_TRUE(twin_call(&twin, its_word, its, 0, 0, 0) & 1L << EVTCHN_FIFO_PENDING ||
		    event_send(port) == 0);
	EXPECT(event_send(port), 0);
	EXPECT_TRUE((unsigned long)twin_call(&twin, its_word, its, 0, 0, 0) >> EVTCHN_FIFO_PENDING &
		    1);
	told[port] = 0;
	EXPECT(twin_call(&twin, its_send, its, 1, 0, 0), 0);
	EXPECT_TRUE(told_within_a_second(port));
	/* It dies with that ABI in force. */
	EXPECT(twin_destroy(&twin, true), 0);
	EXPECT(event_send(port), 0);
	event_close(port);
}

/* The twin goes while ports are in every state. */
static void death(void)
{
	evtchn_port_t its, port, waiting, dead;
	struct evtchn_status s;
	long there;

	twin_make(&twin);
	port = make_pair(&its);
	waiting = (evtchn_port_t)event_alloc_unbound(DOMID_SELF, twin.id, on_event, NULL);
	there = twin_call(&twin, its_unbound, DOMID_SELF, 0, 0, 0);
	dead = twin.id;
	EXPECT(twin_destroy(&twin, true), 0);
	EXPECT(status_of(DOMID_SELF, port, &s), 0);
	EXPECT(s.status, EVTCHNSTAT_unbound);
	EXPECT(s.u.unbound.dom, dead);
	EXPECT(event_send(port), 0);
	EXPECT(event_send(waiting), 0);
	EXPECT(bind(dead, (evtchn_port_t)there), -ESRCH);
	EXPECT(status_of(dead, its, &s), -ESRCH);
	EXPECT(unbound_in(dead, 0), -ESRCH);
	/* A new one is another domain: neither is meant for it. */
	twin_make(&twin);
	EXPECT_TRUE(twin.id != dead);
	EXPECT(twin_call(&twin, its_bind, 0, port, 0, 0), -EINVAL);
	EXPECT(twin_call(&twin, its_bind, 0, waiting, 0, 0), -EINVAL);
	EXPECT(event_close(port), 0);
	EXPECT(event_close(waiting), 0);
	EXPECT(twin_destroy(&twin, true), 0);
}

/* A dying one that is not gone yet, for we have a page of it. */
static void dying(void)
{
	evtchn_port_t its, port;
	void *page;

	twin_make(&twin);
	port = make_pair(&its);
	page = twin_map(&twin, 300, 1, PTE_READ_ONLY, NULL);
	EXPECT_TRUE(page);
	EXPECT(twin_destroy(&twin, false), 0);
	EXPECT_TRUE(twin_exists(twin.id, NULL));
	EXPECT(event_send(port), 0);
	EXPECT(bind(twin.id, its), -EINVAL);
	EXPECT(unbound_in(twin.id, 0), -EINVAL);
	EXPECT(event_close(port), 0);
	frames_unmap(page, 1);
	EXPECT_TRUE(child_wait_gone(twin.id));
}

/* ---- races: another vCPU binds, sends and closes while the twin dies ---- */

static volatile bool race_ends;
static volatile unsigned int racing;
static volatile domid_t race_domain;
static volatile unsigned long race_binds;

static void race_on_vcpu(void *unused)
{
	unsigned int n = 0;

	racing = 1;
	while (!race_ends) {
		struct evtchn_bind_interdomain b = {.remote_dom = race_domain,
						    .remote_port = 1 + n++ % 12};
		struct evtchn_send send;
		struct evtchn_close close;

		if (op(EVTCHNOP_bind_interdomain, &b))
			continue;
		race_binds++;
		send.port = close.port = b.local_port;
		op(EVTCHNOP_send, &send);
		op(EVTCHNOP_close, &close);
	}
	racing = 0;
	hypercall_vcpu_op(VCPUOP_down, 1, NULL);
}

static void races_with_death(void)
{
	unsigned long rounds = test_argument("rounds", 30);

	if (hypercall_vcpu_op(VCPUOP_is_up, 1, NULL) < 0) {
		test_skip("one vCPU");
		return;
	}
	race_domain = DOMID_IO;
	if (!EXPECT(vcpu_start(1, race_on_vcpu, NULL, test_stack()), 0))
		return;
	for (unsigned long i = 0; i < rounds; i++) {
		unsigned long before = race_binds;
		uint64_t end = clock_now() + NSEC_PER_SEC;

		twin_make(&twin);
		for (unsigned int k = 0; k < 10; k++)
			EXPECT_TRUE(unbound_in(twin.id, 0) > 0);
		race_domain = twin.id;
		while (race_binds == before && clock_now() < end)
			cpu_relax();
		EXPECT(twin_destroy(&twin, false), 0);
	}
	race_ends = true;
	while (racing)
		cpu_relax();
	printk("%lu bindings meanwhile\n", race_binds);
	EXPECT_TRUE(race_binds >= rounds);
}

/* Nothing is left of all those: of either side. */
static uint64_t at_start;

static void nothing_is_lost(void)
{
	EXPECT_TRUE(free_bytes_again(at_start));
}

static const struct test tests[] = {
    {"both ways", both_ways},
    {"what was sent before", what_was_sent_before},
    {"made from here", made_from_here},
    {"not for the twin", not_for_the_twin},
    {"closed by the other", closed_by_the_other},
    {"reset", reset},
    {"FIFO to two-level", fifo_to_two_level},
    {"death", death},
    {"dying", dying},
    {"races with death", races_with_death},
    {"nothing is lost", nothing_is_lost},
};

void guest_main(void)
{
	if (!is_initial_domain())
		twin_main();
	at_start = free_bytes();
	test_main("events-two", tests, COUNT_OF(tests));
}
