/* SPDX-License-Identifier: MIT */
// sources: hypervisor/event/event.c hypervisor/event/bind.c hypervisor/event/fifo.c hypervisor/lib/spinlock.c
/*
 * The FIFO ABI of event channels against a guest that follows public/event_channel.h: step by step beside a model of
 * the queues; with guest and senders as threads, for the races; and against one that writes anything anywhere.
 */
#define VCPUS 4
#include <pthread.h>
#include "event_world.h"

#define BLOCK_FRAME  100 /* + vCPU */
#define BLOCK_OFFSET 264
#define ARRAY_FRAME  200 /* + page */
#define PAGE_WORDS   1024
#define QUEUES	     EVTCHN_FIFO_MAX_QUEUES

#define PENDING	     (1U << EVTCHN_FIFO_PENDING)
#define MASKED	     (1U << EVTCHN_FIFO_MASKED)
#define LINKED	     (1U << EVTCHN_FIFO_LINKED)

/* ---- the guest ---- */

static struct evtchn_fifo_control_block *block(unsigned int vcpu)
{
	return (struct evtchn_fifo_control_block *)(frames[BLOCK_FRAME + vcpu] + BLOCK_OFFSET);
}

static event_word_t *word(evtchn_port_t port)
{
	return (event_word_t *)frames[ARRAY_FRAME + port / PAGE_WORDS] + port % PAGE_WORDS;
}

static long init_control(unsigned int vcpu)
{
	struct evtchn_init_control a = {
	    .control_gfn = BLOCK_FRAME + vcpu, .offset = BLOCK_OFFSET, .vcpu = vcpu};
	long rc = op(EVTCHNOP_init_control, &a);

	if (!rc)
		assert_int_equal(a.link_bits, EVTCHN_FIFO_LINK_BITS);
	return rc;
}

static long expand(unsigned int page)
{
	struct evtchn_expand_array a = {.array_gfn = ARRAY_FRAME + page};

	return op(EVTCHNOP_expand_array, &a);
}

static void start_fifo(void)
{
	memset(frames, 0, sizeof(frames));
	for (unsigned int i = 0; i < VCPUS; i++)
		assert_int_equal(init_control(i), 0);
	assert_int_equal(expand(0), 0);
}

static long set_priority(evtchn_port_t port, uint32_t priority)
{
	struct evtchn_set_priority a = {.port = port, .priority = priority};

	return op(EVTCHNOP_set_priority, &a);
}

static long bind_vcpu(evtchn_port_t port, unsigned int vcpu)
{
	struct evtchn_bind_vcpu a = {.port = port, .vcpu = vcpu};

	return op(EVTCHNOP_bind_vcpu, &a);
}

static long unmask(evtchn_port_t port)
{
	struct evtchn_unmask a = {.port = port};

	return op(EVTCHNOP_unmask, &a);
}

static long reset(void)
{
	struct evtchn_reset a = {.dom = DOMID_SELF};
	long rc;

	do
		rc = op(EVTCHNOP_reset, &a);
	while (rc == __HYPERVISOR_event_channel_op);
	return rc;
}

/* Two connected ports: who sends to [0] makes [1] pending. */
static void pair(evtchn_port_t ports[2])
{
	struct evtchn_bind_interdomain b = {.remote_dom = DOMID_SELF};

	ports[0] = b.remote_port = unbound(DOMID_SELF, DOMID_SELF);
	assert_int_equal(op(EVTCHNOP_bind_interdomain, &b), 0);
	ports[1] = b.local_port;
}

/* What a guest keeps for each vCPU: see steps 4 to 7 of the header. */
struct consumer {
	uint32_t ready;
	evtchn_port_t head[QUEUES];
};

static event_word_t clear_linked(event_word_t *w)
{
	event_word_t old = __atomic_load_n(w, __ATOMIC_SEQ_CST);

	while (!__atomic_compare_exchange_n(w, &old, old & ~(LINKED | EVTCHN_FIFO_LINK_MASK), false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	return old & EVTCHN_FIFO_LINK_MASK;
}

/* Take one port out of a queue. 0: there is none. *handled: was it pending and not masked? */
static evtchn_port_t consume(struct consumer *c, unsigned int vcpu, unsigned int *queue,
			     bool *handled)
{
	struct evtchn_fifo_control_block *b = block(vcpu);
	evtchn_port_t port;
	unsigned int q;

	*queue = 0;
	*handled = false;
	c->ready |= __atomic_exchange_n(&b->ready, 0, __ATOMIC_SEQ_CST);
	if (!c->ready)
		return 0;
	q = (unsigned int)__builtin_ctz(c->ready);
	port = c->head[q];
	if (!port)
		port = __atomic_load_n(&b->head[q], __ATOMIC_SEQ_CST);
	assert_int_not_equal(port, 0);
	c->head[q] = clear_linked(word(port));
	if (!c->head[q])
		c->ready &= ~(1U << q);
	*queue = q;
	if ((__atomic_load_n(word(port), __ATOMIC_SEQ_CST) & (PENDING | MASKED)) == PENDING)
		*handled = __atomic_fetch_and(word(port), ~PENDING, __ATOMIC_SEQ_CST) & PENDING;
	return port;
}

static void expect_event(unsigned int vcpu, evtchn_port_t port, unsigned int priority)
{
	struct consumer c = {0};
	unsigned int queue;
	bool handled;

	assert_int_equal(domains[0]->vcpu[vcpu]->vcpu_info->evtchn_upcall_pending, 1);
	domains[0]->vcpu[vcpu]->vcpu_info->evtchn_upcall_pending = 0;
	assert_int_equal(consume(&c, vcpu, &queue, &handled), port);
	assert_int_equal(queue, priority);
	assert_true(handled);
	assert_int_equal(consume(&c, vcpu, &queue, &handled), 0);
}

static void expect_nothing(unsigned int vcpu)
{
	assert_int_equal(block(vcpu)->ready, 0);
	assert_int_equal(domains[0]->vcpu[vcpu]->vcpu_info->evtchn_upcall_pending, 0);
}

/* ---- one after the other ---- */

static void test_set_up(void **state)
{
	struct evtchn_init_control c = {.control_gfn = 7, .vcpu = VCPUS};
	struct evtchn_expand_array e = {.array_gfn = ARRAY_FRAME};

	assert_int_equal(op(EVTCHNOP_expand_array, &e), -EOPNOTSUPP);
	assert_int_equal(set_priority(ipi(0), 0), -ENOSYS);
	assert_int_equal(op(EVTCHNOP_init_control, &c), -ENOENT);
	c.vcpu = 0;
	c.offset = PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) + 8;
	assert_int_equal(op(EVTCHNOP_init_control, &c), -EINVAL);
	c.offset = 4;
	assert_int_equal(op(EVTCHNOP_init_control, &c), -EINVAL);
	c.offset = ~0U;
	assert_int_equal(op(EVTCHNOP_init_control, &c), -EINVAL);
	c.offset = 0;
	c.control_gfn = FRAMES;
	assert_int_equal(op(EVTCHNOP_init_control, &c), -EINVAL);
	assert_int_equal(op(EVTCHNOP_init_control, NULL), -EFAULT);
	assert_null(domains[0]->evtchn.fifo);
	fail_allocation = true;
	assert_int_equal(init_control(0), -ENOMEM);
	fail_allocation = false;
	assert_int_equal(typed_refs, 0);

	start_fifo();
	assert_int_equal(init_control(0), -EINVAL); /* once */
	e.array_gfn = 0;
	assert_int_equal(op(EVTCHNOP_expand_array, &e), -EINVAL);
	assert_int_equal(typed_refs, VCPUS + 1);
	for (unsigned int page = 1; page < 128; page++)
		assert_int_equal(expand(page), 0);
	assert_int_equal(expand(128), -ENOSPC);
	assert_int_equal(typed_refs, VCPUS + 128);
	assert_int_equal(set_priority(1, 16), -EINVAL);
	assert_int_equal(set_priority(1, ~0U), -EINVAL);
	assert_int_equal(set_priority(2, 0), -EACCES); /* closed */
	assert_int_equal(set_priority(~0U, 0), -EINVAL);
	assert_int_equal(set_priority(1, 15), 0);
}

static void test_send(void **state)
{
	evtchn_port_t port = ipi(2);

	start_fifo();
	assert_int_equal(send(port), 0);
	assert_int_equal(*word(port), PENDING | LINKED);
	assert_int_equal(block(2)->head[EVTCHN_FIFO_PRIORITY_DEFAULT], port);
	assert_int_equal(send(port), 0);
	expect_event(2, port, EVTCHN_FIFO_PRIORITY_DEFAULT);
	assert_int_equal(*word(port), 0);
	assert_int_equal(set_priority(port, 3), 0);
	assert_int_equal(send(port), 0);
	expect_event(2, port, 3);
	/* What a guest leaves in the link field leads nowhere. */
	*word(port) = 9;
	assert_int_equal(send(port), 0);
	expect_event(2, port, 3);
	/* Nothing of it shows in the other ABI's bits. */
	assert_int_equal(domains[0]->shared_info->evtchn_pending[0], 0);
	assert_int_equal(domains[0]->vcpu[2]->vcpu_info->evtchn_pending_sel, 0);
}

static void test_masked(void **state)
{
	evtchn_port_t port = ipi(1);

	start_fifo();
	*word(port) = MASKED;
	assert_true(evtchn_port_is_masked(domains[0], port));
	assert_int_equal(send(port), 0);
	assert_int_equal(*word(port), MASKED | PENDING);
	expect_nothing(1);
	assert_int_equal(unmask(port), 0);
	expect_event(1, port, EVTCHN_FIFO_PRIORITY_DEFAULT);
	*word(port) = MASKED;
	assert_int_equal(unmask(port), 0);
	assert_int_equal(*word(port), 0);
	expect_nothing(1);
}

/* A port that is still in another vCPU's queue stays there; its next event goes to the new one. */
static void test_moves(void **state)
{
	evtchn_port_t a[2], b[2];
	struct consumer c = {0};
	unsigned int queue;
	bool handled;

	start_fifo();
	pair(a); /* pending from birth */
	pair(b);
	assert_int_equal(consume(&c, 0, &queue, &handled), a[1]);
	assert_int_equal(bind_vcpu(a[1], 3), 0);
	/* b is the tail of vCPU 0's queue. */
	assert_int_equal(bind_vcpu(b[1], 3), 0);
	assert_int_equal(send(b[0]), 0);
	assert_int_equal(block(3)->ready, 0);
	assert_int_equal(consume(&c, 0, &queue, &handled), b[1]);
	assert_true(handled);
	assert_int_equal(send(b[0]), 0);
	/* Not behind b, which is elsewhere now. */
	assert_int_equal(bind_vcpu(a[1], 0), 0);
	assert_int_equal(send(a[0]), 0);
	assert_int_equal(consume(&c, 0, &queue, &handled), a[1]);
	assert_true(handled);
	domains[0]->vcpu[3]->vcpu_info->evtchn_upcall_pending = 1;
	expect_event(3, b[1], 7);
}

/* Events for a vCPU without a control block, for a port without a word, and from before the ABI: none is lost. */
static void test_early(void **state)
{
	evtchn_port_t port = ipi(1), second = ipi(0), third = ipi(0);

	memset(frames, 0, sizeof(frames));
	assert_int_equal(send(second), 0);
	assert_true(pending(domains[0], second));
	domains[0]->vcpu[0]->vcpu_info->evtchn_upcall_pending = 0;
	assert_int_equal(init_control(0), 0);
	assert_false(pending(domains[0], second));
	assert_int_equal(evtchn_poll_begin(current, &second, 1), 1);
	assert_int_equal(evtchn_poll_begin(current, &third, 1), 0);
	evtchn_poll_end(current);
	*word(third) = MASKED;
	assert_int_equal(send(third), 0);
	assert_int_equal(send(port), 0);
	expect_nothing(0);
	assert_int_equal(expand(0), 0);
	expect_event(0, second, 7);
	assert_int_equal(*word(third), MASKED | PENDING);
	assert_int_equal(*word(port), LINKED | PENDING);
	domains[0]->vcpu[1]->vcpu_info->evtchn_upcall_pending = 0;
	assert_int_equal(init_control(1), 0);
	expect_event(1, port, 7);
}

/* A port closed while in a queue is not handed out again before the guest has taken it out, unless there is no other. */
static void test_close_linked(void **state)
{
	evtchn_port_t port, last = 0;
	struct evtchn_bind_ipi b = {.vcpu = 0};

	start_fifo();
	port = ipi(1);
	assert_int_equal(send(port), 0);
	assert_int_equal(close_it(port), 0);
	assert_int_equal(*word(port), LINKED);
	assert_int_not_equal(last = ipi(0), port);
	assert_int_equal(close_it(last), 0);
	clear_linked(word(port));
	assert_int_equal(ipi(0), port);

	*word(last) |= LINKED;
	for (unsigned int page = 1; page < 128; page++)
		assert_int_equal(expand(page), 0);
	for (unsigned int n = 2; n < EVTCHN_FIFO_NR_CHANNELS - 1; n++)
		assert_int_not_equal(ipi(0), last);
	assert_int_equal(ipi(0), last);
	assert_int_equal(op(EVTCHNOP_bind_ipi, &b), -ENOSPC);
}

static void test_reset(void **state)
{
	evtchn_port_t high, port;
	struct evtchn_status s = {.dom = DOMID_SELF};

	start_fifo();
	for (unsigned int n = 1; n < 6000; n++)
		ipi(n % VCPUS);
	high = 5999;
	for (unsigned int page = 1; page < 6; page++)
		assert_int_equal(expand(page), 0);
	assert_int_equal(send(high), 0);
	preempt_every = 3;
	assert_int_equal(reset(), 0);
	assert_true(continued > 5);
	assert_int_equal(typed_refs, 0);
	assert_int_equal(domains[0]->evtchn.open, 0);
	/* The two-level ABI again, with its number of ports. */
	assert_int_equal(send(high), -EINVAL);
	assert_int_equal(unmask(high), 0);
	s.port = high;
	assert_int_equal(op(EVTCHNOP_status, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_closed);
	for (unsigned int n = 1; n < 4096; n++)
		assert_int_equal(ipi(0), n);
	assert_int_equal(op(EVTCHNOP_bind_ipi, &(struct evtchn_bind_ipi){0}), -ENOSPC);
	assert_int_equal(send(4095), 0);
	assert_true(pending(domains[0], 4095));
	assert_int_equal(close_it(4095), 0);
	/* And once more. */
	start_fifo();
	assert_int_equal(send(5), 0);
	expect_event(0, 5, 7);
	for (unsigned int n = 4095; n < 7000; n++)
		assert_int_equal(port = ipi(0), n);
	assert_int_equal(reset(), 0);
	assert_int_equal(typed_refs, 0);
}

/* ---- beside a model ---- */

#define PORTS 40
/* Of the port that events are sent to. */
static struct {
	evtchn_port_t from;
	unsigned int vcpu, priority;
	bool pending, masked, linked;
} model[PAGE_WORDS];
static struct {
	evtchn_port_t port[PAGE_WORDS];
	unsigned int n;
} queues[VCPUS][QUEUES];

static void model_link(evtchn_port_t port)
{
	unsigned int v = model[port].vcpu, p = model[port].priority;

	if (!model[port].pending || model[port].masked || model[port].linked)
		return;
	model[port].linked = true;
	queues[v][p].port[queues[v][p].n++] = port;
}

static void model_step(struct consumer *c, unsigned int vcpu)
{
	unsigned int queue, p = 0;
	evtchn_port_t port, seen;
	bool handled, expected;

	while (p < QUEUES && !queues[vcpu][p].n)
		p++;
	seen = consume(c, vcpu, &queue, &handled);
	/* An empty queue may be named in ready still; then its last port comes once more. */
	if (seen && (p == QUEUES || queue < p)) {
		assert_false(handled);
		return;
	}
	if (p == QUEUES) {
		assert_int_equal(seen, 0);
		return;
	}
	port = queues[vcpu][p].port[0];
	memmove(queues[vcpu][p].port, queues[vcpu][p].port + 1,
		--queues[vcpu][p].n * sizeof(evtchn_port_t));
	assert_int_equal(queue, p);
	assert_int_equal(seen, port);
	expected = model[port].pending && !model[port].masked;
	assert_int_equal(handled, expected);
	model[port].linked = false;
	if (expected)
		model[port].pending = false;
}

static void test_model(void **state)
{
	static struct consumer c[VCPUS];
	evtchn_port_t targets[PORTS], pr[2];

	srand(7);
	start_fifo();
	for (unsigned int i = 0; i < PORTS; i++) {
		pair(pr);
		targets[i] = pr[1];
		model[pr[1]].from = pr[0];
		model[pr[1]].priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
		model[pr[1]].pending = true;
		model_link(pr[1]);
	}
	for (unsigned int step = 0; step < 500000; step++) {
		evtchn_port_t port = targets[rand() % PORTS];
		unsigned int r = rand() % 16;

		switch (rand() % 12) {
		case 0:
			assert_int_equal(bind_vcpu(port, r % VCPUS), 0);
			model[port].vcpu = r % VCPUS;
			break;
		case 1:
			assert_int_equal(set_priority(port, r), 0);
			model[port].priority = r;
			break;
		case 2:
			__atomic_fetch_or(word(port), MASKED, __ATOMIC_SEQ_CST);
			model[port].masked = true;
			break;
		case 3:
			assert_int_equal(unmask(port), 0);
			model[port].masked = false;
			model_link(port);
			break;
		case 4:
		case 5:
		case 6:
			assert_int_equal(send(model[port].from), 0);
			model[port].pending = true;
			model_link(port);
			break;
		default:
			model_step(&c[r % VCPUS], r % VCPUS);
			break;
		}
		assert_int_equal(*word(port) >> EVTCHN_FIFO_LINKED,
				 (unsigned int)(model[port].pending << 2 | model[port].masked << 1 |
						model[port].linked));
	}
}

/* ---- with the guest and the senders as threads ---- */

static evtchn_port_t targets[PORTS], senders[PORTS];
static volatile bool senders_done;

static void *send_many(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	for (unsigned int n = 0; n < 300000; n++) {
		unsigned int what = (unsigned int)rand_r(&seed);
		/* For a while few ports, so that queues are short and empty often. */
		unsigned int i = (unsigned int)rand_r(&seed) % (n / 4096 % 2 ? PORTS : 3);

		if (what % 64 == 0)
			(void)bind_vcpu(targets[i], what / 64 % VCPUS);
		else if (what % 64 == 1)
			(void)set_priority(targets[i], what / 64 % QUEUES);
		else if (what % 64 == 2)
			__atomic_fetch_or(word(targets[i]), MASKED, __ATOMIC_SEQ_CST);
		else if (what % 64 == 3)
			(void)unmask(targets[i]);
		else
			(void)send(senders[i]);
	}
	return NULL;
}

/* The upcalls of a vCPU, as long as there are some. */
static void upcall(struct consumer *c, unsigned int vcpu)
{
	struct vcpu_info *info = domains[0]->vcpu[vcpu]->vcpu_info;
	unsigned int queue;
	bool handled;

	while (__atomic_exchange_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST))
		while (consume(c, vcpu, &queue, &handled))
			;
}

static void *guest_vcpu(void *arg)
{
	unsigned int first = (unsigned int)(uintptr_t)arg;
	static struct consumer c[VCPUS];

	while (!senders_done)
		for (unsigned int v = first; v < VCPUS; v += 2)
			upcall(&c[v], v);
	for (unsigned int v = first; v < VCPUS; v += 2)
		upcall(&c[v], v);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t guest[2], sender[2];
	evtchn_port_t pr[2];
	static struct consumer c[VCPUS];

	start_fifo();
	for (unsigned int i = 0; i < PORTS; i++) {
		pair(pr);
		senders[i] = pr[0];
		targets[i] = pr[1];
	}
	senders_done = false;
	for (uintptr_t i = 0; i < 2; i++) {
		pthread_create(&guest[i], NULL, guest_vcpu, (void *)i);
		pthread_create(&sender[i], NULL, send_many, (void *)(i + 1));
	}
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(sender[i], NULL);
	senders_done = true;
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(guest[i], NULL);
	/* What was masked comes now. Then nothing is left: no event was lost, no port stuck in a queue. */
	for (unsigned int i = 0; i < PORTS; i++)
		(void)unmask(targets[i]);
	for (unsigned int v = 0; v < VCPUS; v++)
		upcall(&c[v], v);
	for (unsigned int i = 0; i < PORTS; i++)
		assert_int_equal(*word(targets[i]), 0);
}

/* ---- a guest that does not follow the rules ---- */

static void scribble(unsigned int *seed)
{
	unsigned int r = (unsigned int)rand_r(seed);
	uint32_t value = (uint32_t)rand_r(seed) << 16 ^ (uint32_t)rand_r(seed);

	if (r % 4 == 0)
		((uint32_t *)block(r / 4 % VCPUS))[r / 64 % 18] = value;
	else
		*(volatile event_word_t *)word(r / 4 % PAGE_WORDS) =
		    r % 4 == 1 ? value : value & (LINKED | PENDING | 63);
}

static void *scribbler(void *arg)
{
	unsigned int seed = 99;

	while (!senders_done)
		scribble(&seed);
	return NULL;
}

static void any_operation(unsigned int *seed)
{
	unsigned int r = (unsigned int)rand_r(seed);
	evtchn_port_t port = r / 16 % 200;

	switch (r % 16) {
	case 0:
		(void)bind_vcpu(port, r / 4096 % (VCPUS + 1));
		break;
	case 1:
		(void)set_priority(port, r / 4096 % 20);
		break;
	case 2:
		(void)unmask(port);
		break;
	case 3:
		(void)close_it(port);
		break;
	case 4:
		(void)op(EVTCHNOP_bind_ipi, &(struct evtchn_bind_ipi){.vcpu = r / 16 % VCPUS});
		break;
	case 5:
		(void)evtchn_poll_begin(domains[0]->vcpu[r / 16 % VCPUS], &port, 1);
		break;
	case 6:
		if (r / 16 % 256 == 0)
			(void)reset();
		else if (r / 16 % 256 == 1)
			(void)expand(1 + r / 4096 % 3);
		break;
	case 7:
		(void)init_control(r / 16 % VCPUS);
		if (domains[0]->evtchn.fifo && domains[0]->evtchn.fifo->nr_words == 0)
			(void)expand(0);
		break;
	default:
		(void)send(port);
		break;
	}
}

static void test_hostile(void **state)
{
	unsigned int seed = 5;
	evtchn_port_t port;
	pthread_t other;

	start_fifo();
	senders_done = false;
	pthread_create(&other, NULL, scribbler, NULL);
	for (unsigned int n = 0; n < 300000; n++) {
		scribble(&seed);
		any_operation(&seed);
	}
	senders_done = true;
	pthread_join(other, NULL);
	/* It hurt nobody but itself, and can begin anew. */
	assert_int_equal(reset(), 0);
	assert_int_equal(typed_refs, 0);
	start_fifo();
	for (unsigned int v = 0; v < VCPUS; v++)
		domains[0]->vcpu[v]->vcpu_info->evtchn_upcall_pending = 0;
	port = ipi(2);
	assert_int_equal(send(port), 0);
	expect_event(2, port, EVTCHN_FIFO_PRIORITY_DEFAULT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_set_up),	TEST(test_send),	 TEST(test_masked), TEST(test_moves),
	    TEST(test_early),	TEST(test_close_linked), TEST(test_reset),  TEST(test_model),
	    TEST(test_threads), TEST(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
